//! The same work over the same links by several libraries, in one run: what a link costs to come up, to use and to keep; how
//! fast a file is, and at what cost; and what a file does to the voice beside it.
//!
//! Each end is a process of its own. It speaks in lines of JSON: what begins with `{"s":` goes to the other end; `{"at":` says
//! that this end is as far, and is answered with `{"go":` once the other is too; the rest is what it found. Links are the
//! laboratory's; on "loopback" both ends are in one namespace.
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod line;
mod links;
mod ours;
mod pair;
mod plain;
mod race;
/// A relay for those who must not meet directly.
#[allow(dead_code, clippy::unwrap_used, reason = "shared with tests, which do more with it")]
#[path = "../../../core/client/tests/link/relay.rs"]
mod relay;
mod voice;
mod work;

/// Where a relay is that nobody asked to be elsewhere.
const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

use std::process::ExitCode;

use sidetone::link::{Role, Trust};

use ours::{Ours, Path};

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["peer", library, task @ ..] => peer(library, task),
        ["voice", way, role, address, seconds] => voice::end(way, role, address, seconds),
        options => race::run(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("race: {error}");
            ExitCode::FAILURE
        }
    }
}

fn peer(library: &str, task: &[&str]) -> Result<(), Failed> {
    let runner = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let task = line::Task::read(task)?;
    let path = match library {
        "quic" => Path::Bulk,
        "sctp" => Path::Records,
        "relay" => Path::Relayed,
        "plain" => {
            let mut plain = plain::Plain { offers: task.offers, address: task.address };
            return runner.block_on(work::run(&mut plain, &task));
        }
        other => return Err(format!("nobody knows {other}").into()),
    };
    let role = if task.offers { Role::Offer } else { Role::Answer };
    let mut ours = Ours { role, address: task.address, path, trust: Trust::default() };
    runner.block_on(work::run(&mut ours, &task))
}
