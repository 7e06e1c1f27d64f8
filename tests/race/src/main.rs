//! The same file over the same link by several libraries, in one run: how fast, and at what cost; and what a file does to
//! the voice beside it.
//!
//! Each end is a process of its own. It speaks in lines of JSON: what begins with `{"s":` goes to the other end, the rest
//! is for the race. Links are the laboratory's; on "loopback" both ends are in one namespace.
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod line;
mod ours;
mod plain;
mod race;
/// A relay for those who must not meet directly.
#[allow(dead_code, clippy::unwrap_used, reason = "shared with tests, which do more with it")]
#[path = "../../../core/client/tests/link/relay.rs"]
mod relay;
mod voice;

/// Where a relay is that nobody asked to be elsewhere.
const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

use std::process::ExitCode;

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["peer", library, role, address, bytes, seconds] => peer(library, role, address, bytes, seconds),
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

fn peer(library: &str, role: &str, address: &str, bytes: &str, seconds: &str) -> Result<(), Failed> {
    let runner = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sends = role == "offer";
    let task = line::Task { sends, address: address.parse()?, bytes: bytes.parse()?, seconds: seconds.parse()? };
    match library {
        "quic" => runner.block_on(ours::end(&task, ours::Path::Bulk)),
        "sctp" => runner.block_on(ours::end(&task, ours::Path::Records)),
        "relay" => runner.block_on(ours::end(&task, ours::Path::Relayed)),
        "plain" => runner.block_on(plain::end(&task)),
        other => Err(format!("nobody knows {other}").into()),
    }
}
