//! Nothing of a talk is recorded: what a phone opens for writing while it talks is its store, as a trace of its system calls
//! shows. Needs Linux and strace; where the system lets nobody trace, it says that it was not tested, and with
//! `TRACE_REQUIRED` in the environment it fails instead.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use serde_json::{Value, json};

/// Every call that can bring a file to write to into being, or give one a name.
const CALLS: &str = "trace=open,openat,openat2,creat,memfd_create,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,\
     io_uring_setup";

/// Whether the system lets us trace.
fn traceable() -> bool {
    let tried = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(std::env::var_os("TRACE_REQUIRED").is_none(), "strace is required");
    // The test harness captures what is printed, but not what is written.
    let _ = writeln!(
        std::io::stderr(),
        "NOT TESTED: that nothing of a talk is recorded: there is no strace that may trace"
    );
    false
}

/// A phone of a demonstration, traced from its first call.
fn traced(number: usize, data: &Path, server: &str, trace: &Path) -> Terminal {
    let phone = phone("member", data, server);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "4096", "-e", CALLS, "-o"]).arg(trace).arg(phone.get_program());
    command.args(phone.get_args()).args(["--number", &number.to_string()]);
    let mut phone = Terminal::open(command);
    phone.says("ready");
    phone
}

fn ask(phone: &mut Terminal, order: Value) -> Value {
    phone.types(&order.to_string());
    let answer: Value = serde_json::from_str(&phone.says("\"refused\"")).unwrap();
    assert_eq!(answer["refused"], Value::Null, "{order}");
    answer["value"].clone()
}

/// What was opened for writing, made or named, by the trace: the first path in each call that did it and succeeded.
fn written(trace: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(trace).unwrap();
    assert!(text.lines().filter(|line| line.contains("O_RDONLY")).count() > 5, "the control: it traces what is opened");
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let opens = line.contains("open(") || line.contains("openat(") || line.contains("openat2(");
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|flag| line.contains(flag));
        // An unfinished call says its arguments at once and its outcome later: it counts.
        if line.contains(") = -1 ") || line.contains("resumed>") || opens && !writes {
            continue;
        }
        match line.split('"').nth(1) {
            Some(path) => drop(found.insert(path.to_owned())),
            // Everything else that strace writes is no call.
            None if line.contains("io_uring_setup(") => drop(found.insert(line.to_owned())),
            None => {}
        }
    }
    found
}

/// Whether a path belongs to a phone's store, or is no file that keeps anything.
fn is_store(path: &str, data: &Path) -> bool {
    let store = data.to_str().unwrap();
    let names = ["phone.db", "phone.db-wal", "phone.db-shm", "phone.db-journal", "phone.key"];
    let new_key = |rest: &str| rest.starts_with("phone.key.") && rest.len() == "phone.key.".len() + 16;
    path == "/dev/null"
        || path.starts_with("/proc/self/task/")
        || path.strip_prefix(store).is_some_and(|rest| {
            let rest = rest.trim_start_matches('/');
            rest.is_empty() || names.contains(&rest) || new_key(rest)
        })
}

#[test]
fn of_a_talk_nothing_is_written_but_to_the_store() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_server, server) = server(None);
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    let [trace_one, trace_two] = ["one.trace", "two.trace"].map(|name| dir.path().join(name));
    let (mut speaker, mut listener) = (traced(0, &one, &server, &trace_one), traced(1, &two, &server, &trace_two));
    let link = ask(&mut speaker, json!({"do": "open"}));
    ask(&mut listener, json!({"do": "join", "link": link}));
    while ask(&mut speaker, json!({"do": "room"}))["linked"] != 1
        || ask(&mut listener, json!({"do": "room"}))["linked"] != 1
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    ask(&mut speaker, json!({"do": "talk", "ms": 1_000}));
    ask(&mut listener, json!({"do": "talk", "ms": 500}));
    let heard = ask(&mut listener, json!({"do": "ear"}));
    assert!(heard.as_array().unwrap().iter().any(|heard| heard["phone"] == 0), "they did talk: {heard}");
    let paper = dir.path().join("what was heard");
    ask(&mut speaker, json!({"do": "write", "path": paper}));
    for phone in [&mut speaker, &mut listener] {
        ask(phone, json!({"do": "quit"}));
    }
    assert_eq!((speaker.leave(), listener.leave()), (Some(0), Some(0)));
    let (by_speaker, by_listener) = (written(&trace_one), written(&trace_two));
    let strange: Vec<&String> = by_listener.iter().filter(|path| !is_store(path, &two)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(
        by_listener.iter().any(|path| path.ends_with(".db")),
        "the control: the store itself is seen: {by_listener:?}"
    );
    // The control: a phone that is told to write down what it heard is found out.
    let strange: Vec<&String> = by_speaker.iter().filter(|path| !is_store(path, &one)).collect();
    assert_eq!(strange, [paper.to_str().unwrap()]);
}
