//! Of a room that is over nothing is left in the server: not in its memory, not in its log.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use common::Phone;
use common::wired::Wired;
use sidetone_server::log::Lines;
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::Class;
use sidetone_wire::frame::Event;
use sidetone_wire::id::*;
use sidetone_wire::room::*;
use tracing_subscriber::layer::SubscriberExt;

/// As in the binary: what is freed is overwritten.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

const SERVE: &str = "SIDETONE_TEST_SERVE";
const NAME: &str = "a_room_that_is_over_is_nowhere_in_the_servers_memory_or_log";

/// What is planted: the room, its members, its owner's secret, sealed bytes, a try at its code.
const ROOM: &[u8; 16] = b"canary: the room";
const MEMBERS: [&[u8; 16]; 3] = [b"canary: member 1", b"canary: member 2", b"canary: member 3"];
const OWNER: &[u8; 32] = b"canary: the secret of the owner.";
const SEALED: &[u8] = b"canary: a display name, sealed";
const ATTEMPT: &[u8; 16] = b"canary: one try.";
const CODE: &[u8] = b"canary: what the code became";

struct Serving {
    child: Child,
    addr: SocketAddr,
    log: tempfile::NamedTempFile,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// This test again, in a process that only serves.
    fn start() -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let addr = lines.filter_map(|line| line.strip_prefix("at ")?.parse().ok()).next().unwrap();
        Self { child, addr, log }
    }

    /// How often each of these is in its memory.
    fn remembers(&self, needles: &[&[u8]]) -> Vec<usize> {
        let process = self.child.id();
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
        let memory = File::open(format!("/proc/{process}/mem")).unwrap();
        let search = AhoCorasick::new(needles).unwrap();
        let mut found = vec![0; needles.len()];
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            // What comes from a file as it is there is the program itself, which names its canaries.
            if !rest.starts_with("rw") || line.contains("[v") {
                continue;
            }
            let (from, to) = range.split_once('-').unwrap();
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            if memory.read_exact_at(&mut bytes, from).is_ok() {
                search.find_overlapping_iter(&bytes).for_each(|hit| found[hit.pattern().as_usize()] += 1);
            }
        }
        found
    }
}

/// Serves until standard input ends.
async fn serve() {
    let subscriber = tracing_subscriber::registry().with(Lines::new(std::io::stderr));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let server = Server::start(Config { relay: None, ..Config::in_memory() }).await.unwrap();
    println!("\nat {}", server.addr);
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await.unwrap();
}

/// Three guests meet, talk, try a code, and leave, one of them not by its own will. Then their
/// sockets go, which took and gave the last bytes in buffers of their own.
async fn meet(addr: SocketAddr, seen: impl Fn()) {
    let room = RoomId(*ROOM);
    let member = |number: usize| MemberId(*MEMBERS[number]);
    let mut phones = Vec::new();
    for name in ["ada", "bob", "cleo"] {
        phones.push(Wired::connect(addr, Phone::new(name)).await.0);
    }
    let (relay, seats, scope) = (RelayRule::Allowed, Seats::new(4).unwrap(), Scope::Code);
    let open = OpenRoom { room, member: member(0), owner: Secret(*OWNER), relay, seats, scope, keep: None };
    phones[0].ask(Request::OpenRoom(open)).await.unwrap();
    let plate = phones[0].ask(Request::OpenPlate(OpenPlate { room, valid_ms: 0 })).await.unwrap();
    let Reply::Plate(Plate { plate, .. }) = plate else { panic!("{plate:?}") };
    let attempt = AttemptId(*ATTEMPT);
    phones[1].ask(Request::Knock(Knock { plate, attempt, bytes: CODE.to_vec().into() })).await.unwrap();
    phones[0].ask(Request::Say(Said { attempt, bytes: CODE.to_vec().into() })).await.unwrap();
    assert!(matches!(phones[1].event().await, Event::Said(_)));
    phones[0].ask(Request::Judge(Judged { attempt, verdict: Verdict::Right })).await.unwrap();
    for number in [1, 2] {
        phones[number].ask(Request::EnterRoom(EnterRoom { room, member: member(number) })).await.unwrap();
    }
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let mut bytes = vec![0; 1_024];
        bytes[100..100 + SEALED.len()].copy_from_slice(SEALED);
        let envelope = RoomEnvelope { room, to: member(to), class: Class::Control, bytes: bytes.into() };
        phones[from].ask(Request::RouteRoom(envelope)).await.unwrap();
        while !matches!(phones[to].event().await, Event::RoomSealed(_)) {}
    }
    seen();
    phones[0].ask(Request::Kick(Seat { room, member: member(2) })).await.unwrap();
    for phone in &mut phones {
        phone.acknowledge().await;
    }
    for phone in &mut phones[..2] {
        phone.ask(Request::LeaveRoom(Room { room })).await.unwrap();
        phone.acknowledge().await;
    }
}

#[tokio::test]
async fn a_room_that_is_over_is_nowhere_in_the_servers_memory_or_log() {
    if std::env::var_os(SERVE).is_some() {
        return serve().await;
    }
    let serving = Serving::start();
    let mut needles: Vec<&[u8]> = vec![ROOM, OWNER, SEALED, ATTEMPT, CODE];
    needles.extend(MEMBERS.iter().map(|member| &member[..]));
    let before = serving.remembers(&needles);
    meet(serving.addr, || {
        let during = serving.remembers(&needles);
        assert!(during[0] > 0 && during[1] > 0, "the search finds what is there: {during:?}");
        assert!(during[5..].iter().all(|found| *found > 0), "{during:?}");
    })
    .await;
    // A second, and the time one search takes.
    let until = Instant::now() + Duration::from_millis(1_500);
    let mut after = serving.remembers(&needles);
    while after != before && Instant::now() < until {
        after = serving.remembers(&needles);
    }
    assert_eq!(after, before, "the room, its owner's secret, what was sealed, the try, its words, the members");
    assert_eq!(before.iter().sum::<usize>(), 0);
    let log = std::fs::read(serving.log.path()).unwrap();
    assert!(log.windows(19).any(|line| line == b"the server is ready"), "there is a log");
    assert!(!log.windows(6).any(|word| word == b"canary"), "{}", String::from_utf8_lossy(&log));
    assert!(!log.windows(12).any(|word| word == b"63616e617279"));
}
