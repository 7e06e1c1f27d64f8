//! The relay beside coturn, in one run: CPU per relayed packet, memory per allocation, growth under requests of nobody.
//!
//! `make bench-relay`. Both run in processes of their own, whose time and memory are read from `/proc`. What is printed are
//! ratios; how fast this machine is shows in nothing else.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may fail")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use common::turned::Turned;
use ring::hmac;
use sidetone_server::*;

const SECRET: &str = "shared by a server and a relay";
/// Bytes of a packet: what a path carries, less what is around it.
const PACKET: usize = 1_200;
/// Packets each way.
const PACKETS: usize = 200_000;
/// Packets that are under way at once.
const WINDOW: usize = 32;
const ALLOCATIONS: usize = 400;
const STRANGERS: usize = 100_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return runtime.block_on(serve());
    }
    let coturn = ["/usr/bin/turnserver", "/usr/sbin/turnserver"].into_iter().find(|at| Path::new(at).exists());
    let Some(coturn) = coturn else { return println!("no coturn here: nothing to compare with") };
    // In turns, twice, so that what else this machine does meets both.
    let mut rounds = Vec::new();
    for _ in 0..2 {
        rounds.push([measure(&Process::ours()), measure(&Process::coturn(coturn))]);
    }
    let best = |who: usize, of: fn(&Cost) -> f64| rounds.iter().map(|round| of(&round[who])).fold(f64::MAX, f64::min);
    for (what, of, unit, bar) in [
        ("CPU per packet of 1,200 B", (|cost| cost.packet_us) as fn(&Cost) -> f64, "us", "must be <= 0.9"),
        ("memory per allocation", |cost| cost.allocation_kb, "kB", "must be <= 0.5"),
    ] {
        let (ours, theirs) = (best(0, of), best(1, of));
        println!("{what}: {ours:.2} {unit}, coturn {theirs:.2} {unit}: ratio {:.2}, {bar}", ours / theirs);
    }
    let growth = |who: usize| best(who, |cost| cost.stranger_bytes);
    println!("growth per request without credentials: {:.1} B, coturn {:.1} B; must be 0", growth(0), growth(1));
}

async fn serve() {
    let mut config = Config::in_memory();
    let relay = config.relay.as_mut().unwrap();
    relay.secret = Some(SECRET.as_bytes().to_vec().into());
    relay.quota = turn::Quota { allocations: 10_000, bytes_per_s: u64::MAX / 1_000_000, ..turn::Quota::default() };
    let server = Server::start(config).await.unwrap();
    println!("{}", server.relay_addr.unwrap());
    std::future::pending::<()>().await;
}

struct Process {
    child: Child,
    relay: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn ours() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, relay: line.trim().parse().unwrap(), _dir: tempfile::tempdir().unwrap() }
    }

    fn coturn(program: &str) -> Self {
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let child = Command::new(program)
            .args(["-n", "--no-cli", "--use-auth-secret", "--realm=sidetone", "--allow-loopback-peers", "--no-tls"])
            .args(["--no-dtls", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--log-file=/dev/null"])
            .args([format!("--static-auth-secret={SECRET}"), format!("--listening-port={port}")])
            .args([format!("--pidfile={at}/pid"), format!("--userdb={at}/users")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let relay = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(relay).is_err() {
            assert!(Instant::now() < until, "coturn does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, relay, _dir: dir }
    }

    /// Seconds of CPU so far.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |field: &str| field.parse::<f64>().unwrap();
        // USER_HZ is 100 on every Linux there is.
        (ticks(fields[11]) + ticks(fields[12])) / 100.0
    }

    fn resident_kb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn client(&self, number: usize) -> Turned {
        let until_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
        let username = format!("{until_s}:{number:08x}");
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
        let password = base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, username.as_bytes()));
        let mut turned = Turned::new(self.relay, &username, &password);
        turned.allocate().unwrap();
        turned
    }
}

struct Cost {
    packet_us: f64,
    allocation_kb: f64,
    stranger_bytes: f64,
}

fn measure(process: &Process) -> Cost {
    let packet_us = packets(process);
    let before = process.resident_kb();
    let held: Vec<_> = (0..ALLOCATIONS).map(|number| process.client(number)).collect();
    let allocation_kb = (process.resident_kb() - before) / held.len() as f64;
    drop(held);
    let ask = |count: usize| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut buffer = [0; 2_048];
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        for number in 0..count {
            let mut request = vec![0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0];
            request.extend_from_slice(&(number as u64).to_be_bytes());
            request.extend_from_slice(&[0, 0x19, 0, 4, 17, 0, 0, 0]);
            socket.send_to(&request, process.relay).unwrap();
            let _ = socket.recv(&mut buffer);
        }
    };
    ask(STRANGERS / 10);
    let before = process.resident_kb();
    ask(STRANGERS);
    let stranger_bytes = (process.resident_kb() - before) * 1_024.0 / STRANGERS as f64;
    Cost { packet_us, allocation_kb, stranger_bytes }
}

/// A client and its peer exchange packets; what it costs the relay for each.
fn packets(process: &Process) -> f64 {
    let mut client = process.client(0);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let to = peer.local_addr().unwrap();
    client.permit(to).unwrap();
    let (mut buffer, packet) = ([0; 2_048], [7; PACKET]);
    // The first ones bind a channel.
    for _ in 0..20 {
        client.send(&packet, to);
        let _ = peer.recv_from(&mut buffer);
        std::thread::sleep(Duration::from_millis(5));
    }
    let (begun, mut passed) = (process.cpu_s(), 0);
    let relayed = client.relayed().unwrap();
    while passed < 2 * PACKETS {
        (0..WINDOW).for_each(|_| client.send(&packet, to));
        for _ in 0..WINDOW {
            passed += usize::from(peer.recv_from(&mut buffer).is_ok());
        }
        for _ in 0..WINDOW {
            peer.send_to(&packet, relayed).unwrap();
        }
        passed += (0..WINDOW).filter(|_| client.receives()).count();
    }
    (process.cpu_s() - begun) * 1e6 / passed as f64
}
