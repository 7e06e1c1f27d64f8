//! Whatever is wrong is said in one sentence, with status 2, and nothing kept is lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::*;

fn end(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_recording_that_cannot_be_used_is_named_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("text.wav"), "this is not sound").unwrap();
    sidetone_cli::wav::write(Path::new(&path("whole.wav")), &voice(200.0)).unwrap();
    let whole = std::fs::read(path("whole.wav")).unwrap();
    std::fs::write(path("half.wav"), &whole[..whole.len() / 2]).unwrap();
    sidetone_cli::wav::write(Path::new(&path("still.wav")), &[0; 96_000]).unwrap();
    sidetone_cli::wav::write(Path::new(&path("short.wav")), &[9_000; 4_800]).unwrap();
    for (file, words) in [
        ("missing.wav", "there is no such file"),
        ("", "is a folder"),
        ("text.wav", "not a WAV file"),
        ("half.wav", "cut short"),
        ("still.wav", "silent"),
        ("short.wav", "less than a second"),
    ] {
        let said = trouble(&run(&["demo", "--voice", &path(file)]));
        assert!(said.contains(words) && said.contains(dir.path().to_str().unwrap()), "{file}: {said}");
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = held.local_addr().unwrap().to_string();
    assert!(trouble(&run(&["serve", "--listen", &taken])).contains(&format!("{taken} is in use")));
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let file = file.to_str().unwrap();
    assert!(trouble(&run(&["serve", "--listen", "127.0.0.1:0", "--data", file])).contains("data directory"));
    let damaged = dir.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("accounts.db"), [0x5a; 8_192]).unwrap();
    let damaged = damaged.to_str().unwrap();
    assert!(trouble(&run(&["serve", "--listen", "127.0.0.1:0", "--data", damaged])).contains("damaged"));
}

#[test]
fn a_phone_that_cannot_be_opened_says_why_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, url) = server(None);
    let data = dir.path().join("anna");
    let chat = || phone("chat", &data, &url);
    assert!(trouble(&end(chat())).contains("holds no account"));
    let full = {
        let mut full = newcomer("chat", &dir.path().join("full"), &url, "carl");
        full.args(["--quota", "4096"]);
        full
    };
    assert!(trouble(&end(full)).contains("make room"));

    let mut anna = Terminal::open(newcomer("chat", &data, &url, "anna"));
    anna.says("you are anna");
    assert!(trouble(&end(chat())).contains("another sidetone uses it"));
    assert_eq!(anna.leave(), Some(0));

    let mut wrong = phone("chat", &dir.path().join("other"), &url);
    wrong.args(["--name", "anna"]).env("SIDETONE_PASSWORD", "not the password");
    assert!(trouble(&end(wrong)).contains("not its password"));
    let mut nobody_to_ask = phone("chat", &dir.path().join("other"), &url);
    nobody_to_ask.args(["--name", "anna"]).env_remove("SIDETONE_PASSWORD");
    assert!(trouble(&end(nobody_to_ask)).contains("a password is needed"));
    let mut ben = phone("chat", &data, &url);
    ben.args(["--name", "ben"]);
    assert!(trouble(&end(ben)).contains("holds the account of anna"));

    let key = data.join("phone.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(trouble(&end(chat())).contains("chmod 600"));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, [7; 32]).unwrap();
    assert!(trouble(&end(chat())).contains("key"));
    std::fs::write(&key, "short").unwrap();
    assert!(trouble(&end(chat())).contains("the key is lost"));
    std::fs::write(&key, kept).unwrap();
    let store = data.join("phone.db");
    let whole = std::fs::read(&store).unwrap();
    std::fs::write(&store, [0x5a; 8_192]).unwrap();
    assert!(trouble(&end(chat())).contains("damaged"));

    std::fs::write(&store, whole).unwrap();
    let again = end(chat());
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout).contains("you are anna"));
}

#[test]
fn without_a_server_a_call_is_refused_and_a_chat_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (server, url) = server(None);
    let data = dir.path().join("anna");
    let anna = newcomer("chat", &data, &url, "anna");
    assert!(end(anna).status.success());
    let path = dir.path().join("voice.wav");
    sidetone_cli::wav::write(&path, &voice(200.0)).unwrap();
    let call = || {
        let mut call = phone("call", &data, &url);
        call.arg("ben").arg("--voice").arg(&path);
        call
    };
    assert!(trouble(&end(call())).contains("ben is not a friend"));
    assert!(trouble(&end(phone("call", &data, &url))).contains("nothing to speak with"));
    assert_eq!(server.stop(), Some(0));
    assert!(trouble(&end(call())).contains("no server answers"));
    let mut chat = Terminal::open(phone("chat", &data, &url));
    chat.says("you are anna");
    assert_eq!(chat.leave(), Some(0));
    assert!(trouble(&end(phone("chat", &data, "ws://192.0.2.1:7400"))).contains("needs wss"));
}

#[test]
fn figures_that_find_no_room_are_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let said = trouble(&run(&["demo", "--seconds", "2", "--out", out, "--json", "/dev/full"]));
    assert!(said.contains("/dev/full: the disk is full"), "{said}");
}
