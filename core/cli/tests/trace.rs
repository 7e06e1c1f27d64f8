//! What phones do to the system, as a trace of their system calls shows: nothing of a talk is recorded, as what they open for
//! writing is their store; and nobody is contacted but their server, its relay and each other. Needs Linux and strace; where the system lets nobody trace, it says that it was not tested, and with
//! `TRACE_REQUIRED` in the environment it fails instead.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use serde_json::{Value, json};
use sidetone_cli::serve::Ready;

/// Every call that can bring a file to write to into being, or give one a name.
const CALLS: &str = "trace=open,openat,openat2,creat,memfd_create,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,\
     io_uring_setup";
/// Every call that can send something to an address, or bring about one that the trace would not see.
const CONTACTS: &str = "trace=connect,sendto,sendmsg,sendmmsg,io_uring_setup";

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
        "NOT TESTED: that nothing of a talk is recorded and nobody else is contacted: there is no strace that may trace"
    );
    false
}

/// A phone of a demonstration, traced from its first call.
fn traced(number: usize, data: &Path, server: &str, trace: &Path) -> Terminal {
    let mut member = phone("member", data, server);
    member.args(["--number", &number.to_string()]);
    let mut phone = under(CALLS, trace, &member);
    phone.says("ready");
    phone
}

/// A program, traced from its first call.
fn under(calls: &str, trace: &Path, program: &Command) -> Terminal {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "4096", "-e", calls, "-o"]).arg(trace).arg(program.get_program());
    command.args(program.get_args());
    let set = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_remove("SIDETONE_SERVER").env_remove("SIDETONE_LOG").envs(set);
    Terminal::open(command)
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

/// The addresses in what strace writes of a call: as IPv4, or IPv6 with what is IPv4 in it as that.
fn contacted(trace: &Path) -> BTreeSet<SocketAddr> {
    let text = std::fs::read_to_string(trace).unwrap();
    let between = |text: &str, after: &str, until: &str| -> Option<String> {
        Some(text.split_once(after)?.1.split_once(until)?.0.to_owned())
    };
    let mut found = BTreeSet::new();
    for line in text.lines() {
        assert!(!line.contains("io_uring_setup("), "what goes that way is not seen here: {line}");
        // A call may name several: a message each.
        for address in line.split("sa_family=").skip(1) {
            let named = match address.split(',').next() {
                Some("AF_INET") => between(address, "sin_port=htons(", ")").zip(between(address, "inet_addr(\"", "\"")),
                Some("AF_INET6") => {
                    between(address, "sin6_port=htons(", ")").zip(between(address, "inet_pton(AF_INET6, \"", "\""))
                }
                // Not a network: a name server's cache on this machine, or the kernel's own list of interfaces.
                Some("AF_UNIX" | "AF_NETLINK") => continue,
                _ => None,
            };
            let (port, ip) = named.unwrap_or_else(|| panic!("an address of another kind: {line}"));
            let ip: IpAddr = ip.parse().unwrap();
            found.insert(SocketAddr::new(ip.to_canonical(), port.parse().unwrap()));
        }
    }
    found
}

/// A phone in the network of its own that loopback has room for.
fn at(ip: &str, command: &str, data: &Path, server: &str) -> Command {
    let mut phone = program();
    phone.arg(command).arg("--data").arg(data).args(["--server", server, "--bind", ip]);
    phone.env("SIDETONE_PASSWORD", "correct horse battery staple");
    phone
}

#[test]
fn in_a_call_nobody_is_contacted_but_the_server_its_relay_and_the_friend() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut serve = program();
    serve.args(["serve", "--json", "--listen", "127.1.0.1:0", "--relay", "127.1.0.2:0", "--relay-to-loopback"]);
    let mut server = Terminal::open(serve);
    let ready: Ready = serde_json::from_str(&server.says("ws://")).unwrap();
    let (url, relay) = (ready.server.as_str(), ready.relay.unwrap());
    let server_at: SocketAddr = url.trim_start_matches("ws://").parse().unwrap();
    let [of_ben, of_anna] = ["ben", "anna"].map(|name| dir.path().join(name));
    let [trace_ben, trace_anna] = ["ben.trace", "anna.trace"].map(|name| dir.path().join(name));
    let mut ben = Terminal::open(newcomer("chat", &of_ben, url, "ben"));
    let mut anna = Terminal::open(newcomer("chat", &of_anna, url, "anna"));
    ben.says("you are ben");
    anna.says("you are anna");
    anna.types("/add ben");
    ben.says("anna wants to be a friend");
    ben.types("/accept anna");
    anna.says("ben is there");
    assert_eq!((anna.leave(), ben.leave()), (Some(0), Some(0)));
    let spoken = dir.path().join("voice.wav");
    sidetone_cli::wav::write(&spoken, &voice(210.0)[..48_000]).unwrap();
    let mut waits = at("127.2.0.1", "call", &of_ben, url);
    waits.arg("--voice").arg(&spoken).args(["--seconds", "600"]);
    let mut ben = under(CONTACTS, &trace_ben, &waits);
    ben.says("ben waits for a call");
    let mut calls = at("127.3.0.1", "call", &of_anna, url);
    calls.arg("ben").arg("--voice").arg(&spoken);
    let mut anna = under(CONTACTS, &trace_anna, &calls);
    anna.says("route: direct");
    anna.says("hung up; ");
    assert_eq!((anna.leave(), ben.leave()), (Some(0), Some(0)));
    for (trace, friend) in [(&trace_anna, "127.2.0.1"), (&trace_ben, "127.3.0.1")] {
        let friend: IpAddr = friend.parse().unwrap();
        let all = contacted(trace);
        // What the relay lends is at its address, with a port for each.
        let strange =
            |all: &BTreeSet<SocketAddr>, server: Option<SocketAddr>, relay: Option<IpAddr>, friend: Option<IpAddr>| {
                let known =
                    |to: &&SocketAddr| Some(**to) == server || Some(to.ip()) == relay || Some(to.ip()) == friend;
                all.iter().filter(|to| !known(to)).count()
            };
        let (by, on) = (Some(server_at), Some(relay.ip()));
        assert_eq!(strange(&all, by, on, Some(friend)), 0, "{all:?}");
        // The controls: whoever of these were not allowed would have been found.
        assert_eq!(strange(&all, None, on, Some(friend)), 1, "{all:?}");
        assert!(strange(&all, by, None, Some(friend)) > 0 && strange(&all, by, on, None) > 0, "{all:?}");
    }
}
