//! Runs two programs in two network namespaces, joined by a link as bad as one likes.

use std::process::{ExitCode, ExitStatus};

use clap::Parser;
use lab::{Namespace, Shape, Unavailable, Wire};

/// Runs two programs at the two ends of a bad link, and ends when the second does.
#[derive(Debug, Parser)]
#[command(name = "lab")]
struct Arguments {
    /// What the link does, as in "delay=20ms loss=1% rate=20mbit queue=100ms".
    shape: Shape,
    /// What it does on the way back, if not the same.
    #[arg(long)]
    back: Option<Shape>,
    /// Decides every chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A shell command for the left end, 10.77.0.1.
    left: String,
    /// A shell command for the right end, 10.77.0.2.
    right: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitStatus, Unavailable> {
    let (left, right) = (Namespace::new()?, Namespace::new()?);
    let there = arguments.shape.clone();
    let back = arguments.back.clone().unwrap_or_else(|| there.clone());
    let wire = Wire::join_unevenly(&left, &right, [there, back], arguments.seed)?;
    let refused = |error: std::io::Error| Unavailable::Refused("sh", error.to_string());
    let mut first = left.command("sh").args(["-c", &arguments.left]).spawn().map_err(refused)?;
    let status = right.command("sh").args(["-c", &arguments.right]).status().map_err(refused);
    let _ = first.kill();
    let _ = first.wait();
    for (way, counts) in ["there", "back"].iter().zip(wire.counts()) {
        eprintln!(
            "lab: {way}: {} packets, {} bytes delivered, {} lost, {} dropped at the queue",
            counts.delivered, counts.bytes, counts.lost, counts.overflowed
        );
    }
    status
}
