//! What the server costs: start, memory at rest and per idle session, CPU per routed envelope and relayed datagram.
//!
//! `cargo bench -p sidetone-server`. The server runs in a process of its own, whose memory is read from `/proc`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may fail")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use futures_util::{SinkExt, StreamExt};
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use tokio_tungstenite::tungstenite::Message;

const SESSIONS: usize = 400;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::args().nth(1).as_deref() {
        Some("serve") => runtime.block_on(serve()),
        _ => {
            runtime.block_on(memory());
            routing();
        }
    }
}

async fn serve() {
    let dir = tempfile::tempdir().unwrap();
    let plenty = Rate { burst: 1_000_000, every_ms: 1 };
    let limits = Limits { connects: plenty, ..Limits::default() };
    let config = Config { limits, keep: Keep::Dir(dir.path().into()), ..Config::in_memory() };
    let begun = Instant::now();
    let server = Server::start(config).await.unwrap();
    println!("{} {}", server.addr, begun.elapsed().as_micros());
    std::future::pending::<()>().await;
}

fn resident_kb(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn memory() {
    let begun = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap()).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (addr, micros) = line.trim().split_once(' ').unwrap();
    let addr: SocketAddr = addr.parse().unwrap();
    println!("ready after {} ms ({micros} us of them in Server::start); must be <= 300", begun.elapsed().as_millis());
    let mut sockets = Vec::new();
    open(addr, 100, &mut sockets).await;
    let before = resident_kb(child.id());
    open(addr, SESSIONS, &mut sockets).await;
    let after = resident_kb(child.id());
    let each = (after - before) as f64 / SESSIONS as f64;
    println!("at rest {:.1} MB; must be <= 15", (before as f64 - 100.0 * each) / 1_024.0);
    println!("idle session {each:.1} KB; must be <= 12");
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn open(addr: SocketAddr, count: usize, sockets: &mut Vec<wired::Socket>) {
    for _ in 0..count {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{addr}/v1/socket")).await.unwrap();
        let hello = Frame::Hello(Hello { oldest: 1, newest: 1, token: None, resume: None });
        socket.send(Message::Binary(hello.to_bytes().unwrap().into())).await.unwrap();
        socket.next().await.unwrap().unwrap();
        sockets.push(socket);
    }
}

/// One envelope of 1 KiB: decoded, allowed, numbered, logged, told, answered, acknowledged.
fn routing() {
    let mut world = World::new();
    let (ada, bob) = friends(&mut world);
    let (from, to) = (ada.socket.unwrap(), bob.socket.unwrap());
    let envelope = Envelope { to: bob.user(), class: Class::Control, bytes: vec![7; 1_024].into() };
    let mut spent = Duration::ZERO;
    const ROUNDS: u64 = 100_000;
    for round in 1..=ROUNDS {
        let request = Request::Route(envelope.clone());
        let request = Frame::Request(Numbered { id: RequestId(1_000 + round), request }).to_bytes().unwrap();
        let ack = Frame::Ack(Acked { seq: Seq(bob.last + round) }).to_bytes().unwrap();
        world.now.ticks_ms += 100;
        let begun = Instant::now();
        ready(world.desk.receive(world.now, from, &request));
        let told = ready(world.desk.take(world.now, to)).frames.len();
        let answered = ready(world.desk.take(world.now, from)).frames.len();
        ready(world.desk.receive(world.now, to, &ack));
        spent += begun.elapsed();
        assert_eq!((told, answered), (1, 1));
    }
    println!("an envelope of 1 KiB through the desk: {:.2} us", spent.as_micros() as f64 / ROUNDS as f64);
}
