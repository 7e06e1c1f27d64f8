//! The operator's questions.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Command;

use common::{Terminal, program, run, trouble};
use sidetone_cli::serve::Ready;

fn serving() -> (Terminal, Ready) {
    let mut command: Command = program();
    command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let mut server = Terminal::open(command);
    let ready = serde_json::from_str(&server.says("ws://")).unwrap();
    (server, ready)
}

#[test]
fn the_radar_is_said_in_a_sentence_or_as_json() {
    let (server, ready) = serving();
    let at = ready.admin.unwrap().to_string();
    let said = run(&["admin", "radar", "--at", &at]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("0 among strangers, 0 of them waiting; today 0 visitors"), "{said}");
    let json = run(&["admin", "radar", "--at", &at, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["active"], json["pools"].as_array().unwrap().len()), (&0.into(), 3));
    assert_eq!(server.stop(), Some(0));
    assert!(trouble(&run(&["admin", "radar", "--at", &at])).contains("no server answers"), "who is not there is named");
}
