//! A library that was built without calls and images: `make lean`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sidetone::{Event, Memory, NewRoom, Origin, Policy, What};
use tokio::sync::mpsc;

use super::*;

/// What the other phone speaks.
const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/voices/anna.wav");

#[tokio::test(flavor = "multi_thread")]
async fn a_library_without_calls_and_images_writes_and_sends_files_and_says_what_it_cannot() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = |name: &str| Some(folder.path().join(name).join("store.db"));
    let open = async |name: &str| {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let phone = open(config(&server, store(name))).await;
        phone.register(name, &format!("{name}@example.org"), PASSWORD).await.unwrap();
        phone
    };
    let (anna, bert) = (open("anna").await, open("bert").await);
    let (to_anna, to_bert) = befriend(&anna, &bert).await;
    anna.send_text(to_bert, "only words").await.unwrap();
    arrives(&bert, to_anna, "only words").await;
    let file = folder.path().join("photo.jpg");
    std::fs::write(&file, [0xff, 0xd8, 0xff, 0xd9]).unwrap();
    anna.send_file(to_bert, &file, "image/jpeg").await.unwrap();
    until(&bert, "the file", || async { newest(&bert, to_anna).await.filter(|it| matches!(it.what, What::File(_))) })
        .await;
    assert_eq!(anna.send_image(to_bert, &file, Origin::Remove).await, Err(Error::NotBuilt));
    assert_eq!(anna.call(to_bert).await, Err(Error::NotBuilt));
    let room = NewRoom { policy: Policy::default(), name: None, memory: Memory::Nothing };
    assert_eq!(anna.create_room(room, "anna").await, Err(Error::NotBuilt));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_without_calls_declines_them_at_once() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bert = open(config(&server, None)).await;
    bert.register("bert", "bert@example.org", PASSWORD).await.unwrap();
    let mut anna = Other::start(&server, folder.path());
    anna.report(|report| report["what"] == "connected" && report["yes"] == true).await;
    for order in [
        json!({"do": "register", "name": "anna", "email": "anna@example.org", "password": PASSWORD}),
        json!({"do": "befriend", "name": "bert"}),
    ] {
        anna.order(order);
        anna.report(|report| report["is"] == "done").await;
    }
    let to_anna = asked(&bert).await;
    bert.accept(to_anna).await.unwrap();
    anna.report(|report| report["what"] == "friend" && report["standing"] == "friend" && report["online"] == true)
        .await;
    anna.order(json!({"do": "call"}));
    let call = async { anna.report(|report| report["what"] == "call" && report["over"] == true).await };
    let heard = async {
        while let Some(event) = bert.next_event().await {
            assert!(!matches!(event, Event::Call(_)), "{event:?}");
        }
    };
    let call = tokio::select! {
        call = call => call,
        () = heard => panic!("it ended"),
    };
    assert_eq!(call["state"], "they declined");
    assert!(bert.calls().await.unwrap().is_empty());
}

/// A phone in a process of its own, built with calls: `make lean` says where its program is.
struct Other {
    process: Child,
    reports: mpsc::UnboundedReceiver<Value>,
}

impl Other {
    fn start(server: &Running, folder: &Path) -> Self {
        let program = std::env::var_os("SIDETONE_OTHER").expect("SIDETONE_OTHER names the program: run `make lean`");
        let mut command = Command::new(program);
        command.args(["phone", "--plain", "--bind", "127.0.0.1", "--server", &format!("ws://{}", server.addr)]);
        command.arg("--data").arg(folder.join("other")).arg("--voice").arg(VOICE);
        let piped = Stdio::piped;
        let mut process = command.stdin(piped()).stdout(piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (tell, reports) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .filter_map(|line| serde_json::from_str(&line).ok())
                .try_for_each(|it| tell.send(it))
        });
        Self { process, reports }
    }

    fn order(&mut self, mut order: Value) {
        order["id"] = 1.into();
        writeln!(self.process.stdin.as_mut().unwrap(), "{order}").unwrap();
    }

    async fn report(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let report = async {
            loop {
                let report = self.reports.recv().await.expect("the other phone lives");
                assert_ne!(report["is"], "refused", "{report}");
                if is_it(&report) {
                    return report;
                }
            }
        };
        tokio::time::timeout(PATIENCE, report).await.expect("the other phone does it")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
