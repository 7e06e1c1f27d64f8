//! The radar where an operator looks at it: at a real broker, and in a real browser.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use common::Phone;
use common::wired::Wired;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sidetone_server::*;
use sidetone_wire::account::Request;
use sidetone_wire::id::TicketId;
use sidetone_wire::stranger::{Media, Seek};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use zeroize::Zeroizing;

/// More than any step here takes; whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} never came"))
}

/// A stranger who waits.
async fn waits(server: &Running, number: u8) -> Wired {
    let (mut wired, _) = Wired::connect(server.addr, Phone::new("stranger")).await;
    let ticket = TicketId([number; 16]);
    let seek = Seek { ticket, media: Media::Voice, interests: Vec::new(), adult: false, proof: None, frank: None };
    wired.ask(Request::Seek(seek)).await.unwrap();
    wired
}

/// Mosquitto with a folder of its own and one user.
struct Broker(Child);

fn a_free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

async fn runs(command: &mut Command) -> Child {
    command.kill_on_drop(true).stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

impl Broker {
    /// Returns when it listens.
    async fn start(dir: &Path, port: u16) -> Self {
        let (conf, words) = (dir.join("broker.conf"), dir.join("words"));
        std::fs::write(&words, "radar:swordfish\n").unwrap();
        let hashed = Command::new("mosquitto_passwd").arg("-U").arg(&words).status().await.unwrap();
        assert!(hashed.success());
        let (words, dir) = (words.display(), dir.display());
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {words}\nuser root\npersistence false\n\
             pid_file {dir}/pid\nlog_dest stderr\nlog_type all\n"
        );
        std::fs::write(&conf, text).unwrap();
        let binary = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let mut child = runs(Command::new(binary).arg("-c").arg(&conf).stderr(Stdio::piped())).await;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        soon("the broker", until(&mut lines, "running")).await;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self(child)
    }

    async fn stop(mut self) {
        self.0.kill().await.unwrap();
    }
}

async fn until(lines: &mut Lines<BufReader<ChildStderr>>, sign: &str) -> String {
    loop {
        let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended without saying {sign:?}"));
        if line.contains(sign) {
            return line;
        }
    }
}

/// Another program's reader of a topic: what it prints is what the broker gave it.
struct Reader {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Reader {
    async fn of(port: u16, topic: &str) -> Self {
        let port = port.to_string();
        let words = ["-V", "mqttv5", "-h", "127.0.0.1", "-p", &port, "-u", "radar", "-P", "swordfish", "-t", topic];
        let mut child = runs(Command::new("mosquitto_sub").args(words).args(["-F", "%j"]).stdout(Stdio::piped())).await;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, lines }
    }

    /// The next publication with what the broker says about it.
    async fn next(&mut self) -> Value {
        let line = soon("a publication", self.lines.next_line()).await.unwrap().expect("the reader goes on");
        serde_json::from_str(&line).unwrap()
    }

    /// The first counts that are so.
    async fn until(&mut self, so: impl Fn(&Value) -> bool) -> Value {
        loop {
            let counts = counts(&self.next().await);
            if so(&counts) {
                return counts;
            }
        }
    }
}

fn counts(published: &Value) -> Value {
    match &published["payload"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        counts => counts.clone(),
    }
}

fn schema() -> jsonschema::Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/radar.schema.json");
    jsonschema::validator_for(&serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).unwrap()
}

fn published_to(port: u16) -> Config {
    let mut publish: Publish = format!("mqtt://radar@127.0.0.1:{port}/town/radar").parse().unwrap();
    publish.password = Some(Zeroizing::new("swordfish".to_owned()));
    publish.every = Duration::from_secs(1);
    Config { publish: Some(publish), ..Config::in_memory() }
}

#[tokio::test]
async fn a_broker_is_told_counts_that_fit_their_schema_and_nothing_else() {
    let (dir, port) = (tempfile::tempdir().unwrap(), a_free_port());
    let broker = Broker::start(dir.path(), port).await;
    let server = Server::start(published_to(port)).await.unwrap();
    let mut reader = Reader::of(port, "town/#").await;
    let first = reader.next().await;
    assert_eq!(first["topic"], "town/radar");
    let _waiting = waits(&server, 1).await;
    let seen = reader.until(|counts| counts["active"] == 1).await;
    assert_eq!((&seen["pools"][1]["waiting"], &seen["visitors_today"]), (&json!(1), &json!(1)));
    let schema = schema();
    assert!(schema.is_valid(&seen), "{seen}");
    for (place, what) in [("name", json!("ada")), ("active", json!("ada")), ("reports_today", json!([1, 2]))] {
        let mut worse = seen.clone();
        worse[place] = what;
        assert!(!schema.is_valid(&worse), "the schema lets {place} pass");
    }

    // Who comes later finds the last counts, for as long as they are true.
    let late = Reader::of(port, "town/radar").await.next().await;
    let expiry = late["properties"]["message-expiry-interval"].as_u64();
    assert!(expiry.is_some_and(|seconds| seconds <= 3), "{late}");
    server.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_server_serves_without_its_broker_and_tells_it_when_it_comes() {
    let (dir, port) = (tempfile::tempdir().unwrap(), a_free_port());
    let server = Server::start(published_to(port)).await.unwrap();
    let _waiting = waits(&server, 1).await;
    for _ in 0..2 {
        let broker = Broker::start(dir.path(), port).await;
        Reader::of(port, "town/radar").await.until(|counts| counts["active"] == 1).await;
        broker.stop().await;
    }
    server.stop().await;
}

#[test]
fn a_broker_is_named_by_an_address_without_a_password() {
    let read = |text: &str| text.parse::<Publish>();
    let usual = read("mqtt://broker.example").unwrap();
    assert_eq!((usual.port, usual.tls, usual.topic.as_str(), usual.user), (1_883, false, "sidetone/radar", None));
    let all = read("mqtts://ada@[2001:db8::1]:99/a/b").unwrap();
    assert_eq!((all.host.as_str(), all.port, all.tls, all.topic.as_str()), ("2001:db8::1", 99, true, "a/b"));
    assert_eq!(all.user.as_deref(), Some("ada"));
    let secret = Publish { password: Some(Zeroizing::new("swordfish".to_owned())), ..all };
    assert!(!format!("{secret:?}").contains("swordfish"));
    for (text, why) in [
        ("", BrokerError::Malformed),
        ("broker.example", BrokerError::Malformed),
        ("http://broker.example", BrokerError::Scheme),
        ("mqtt://ada:swordfish@broker.example", BrokerError::Password),
        ("mqtt:///topic", BrokerError::Malformed),
        ("mqtt://broker.example/a/+", BrokerError::Malformed),
        ("mqtt://broker.example/#", BrokerError::Malformed),
        ("mqtt://broker.example/a?b", BrokerError::Malformed),
        ("mqtt://broker.example/%00", BrokerError::Malformed),
        ("mqtt://broker.example:70000", BrokerError::Malformed),
    ] {
        assert_eq!(read(text).err(), Some(why), "{text}");
    }
}

/// A headless Chromium with one page, spoken to by the DevTools protocol.
struct Browser {
    _child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    calls: u64,
}

impl Browser {
    async fn open(dir: &Path, url: &str) -> Self {
        let mut command = Command::new("chromium");
        command.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--remote-debugging-port=0",
        ]);
        command.args(["--window-size=1000,700", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", dir.display())).arg("about:blank").stderr(Stdio::piped());
        let mut child = runs(&mut command).await;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = soon("the browser", until(&mut lines, "DevTools listening on ")).await;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let whole = line.split_once("listening on ").unwrap().1.trim().to_owned();
        let (socket, _) = soon("the browser's socket", tokio_tungstenite::connect_async(&whole)).await.unwrap();
        let mut browser = Self { _child: child, socket, session: None, calls: 0 };
        let pages = browser.call("Target.getTargets", json!({})).await;
        let targets = pages["targetInfos"].as_array().unwrap();
        let page = targets.iter().find(|target| target["type"] == "page").unwrap();
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        browser.call("Page.enable", json!({})).await;
        browser.call("Page.navigate", json!({ "url": url })).await;
        browser
    }

    async fn next(&mut self, what: &str) -> Value {
        loop {
            let message = soon(what, self.socket.next()).await.unwrap().unwrap();
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let mut answer = self.next(method).await;
            if answer["id"] == self.calls {
                return answer["result"].take();
            }
        }
    }

    async fn value(&mut self, script: &str) -> Value {
        let call = json!({ "expression": script, "returnByValue": true });
        self.call("Runtime.evaluate", call).await["result"]["value"].take()
    }

    /// What a person reads, each time the page has read itself anew, until it says `line`.
    async fn shows(&mut self, line: &str) -> String {
        loop {
            let text = self.value("document.readyState == 'complete' ? document.body.innerText : ''").await;
            let text = text.as_str().unwrap_or_default().to_owned();
            if text.lines().any(|shown| shown == line) {
                return text;
            }
            while self.next("a page").await["method"] != "Page.loadEventFired" {}
        }
    }
}

#[tokio::test]
async fn the_status_page_is_live_in_a_browser_and_runs_no_script() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let status = format!("http://{}/status", server.admin_addr.unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut browser = Browser::open(dir.path(), &status).await;
    browser.shows("Among strangers now\t0").await;
    let _waiting = [waits(&server, 1).await, waits(&server, 2).await, waits(&server, 3).await];
    let text = browser.shows("Among strangers now\t3").await;
    assert!(text.lines().any(|line| line == "Visitors to strangers today\t1"), "{text}");
    assert_eq!(browser.value("document.scripts.length + document.images.length").await, 0);
    let beyond = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert_eq!(browser.value(beyond).await, false, "the page is wider than its window");

    let taken = browser.call("Page.captureScreenshot", json!({ "format": "png" })).await;
    let png = base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("status.png"), png).unwrap();
    server.stop().await;
}
