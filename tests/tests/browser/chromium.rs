//! A headless Chromium with one page, spoken to by the DevTools protocol.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longer than anything here takes; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub struct Browser {
    _child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    calls: u64,
}

impl Browser {
    /// Opens one, with a script of ours in its page.
    pub async fn open(dir: &Path, script: &str) -> Self {
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required"])
            .arg("--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints")
            .arg(format!("--user-data-dir={}", dir.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("chromium is installed");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.expect("text").expect("the browser is up");
                if let Some((_, at)) = line.split_once("DevTools listening on ") {
                    return at.trim().to_owned();
                }
            }
        };
        let at = soon("the browser", listening).await;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = soon("its socket", tokio_tungstenite::connect_async(&at)).await.expect("it listens");
        let mut browser = Self { _child: child, socket, session: None, calls: 0 };
        let pages = browser.call("Target.getTargets", json!({})).await;
        let targets = pages["targetInfos"].as_array().expect("targets");
        let page = targets.iter().find(|target| target["type"] == "page").expect("a page");
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        browser.run(&format!("{script}\n0")).await;
        browser
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string())).await.expect("it listens");
        loop {
            let message = soon(method, self.socket.next()).await.expect("open").expect("a message");
            let Message::Text(text) = message else { continue };
            let mut answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer["id"] == self.calls {
                return answer["result"].take();
            }
        }
    }

    /// Runs a script, and waits for what it promises.
    pub async fn run(&mut self, script: &str) -> Value {
        let call = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let mut done = self.call("Runtime.evaluate", call).await;
        assert!(done["exceptionDetails"].is_null(), "{script}: {}", done["exceptionDetails"]);
        done["result"]["value"].take()
    }

    /// Calls a function of our script with arguments.
    pub async fn tell(&mut self, function: &str, arguments: &[Value]) -> Value {
        let arguments: Vec<_> = arguments.iter().map(Value::to_string).collect();
        self.run(&format!("end.{function}({})", arguments.join(", "))).await
    }
}
