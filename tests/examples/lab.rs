//! `make lab`: every pair of situations, tried; a table, a page and JSON.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use proving::cells::{Outcome, cells, html, json, run, table};

/// Pairs that are tried at once.
const AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    lab::available()?;
    let mut arguments = std::env::args().skip(1);
    let mut file = None;
    let mut only = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => file = arguments.next(),
            "--only" => only = arguments.next(),
            other => return Err(format!("what is {other}? --json FILE, --only WORD").into()),
        }
    }
    let named = |cell: &proving::cells::Cell| {
        only.as_ref().is_none_or(|word| cell.places.iter().any(|place| place.word().contains(word.as_str())))
    };
    let all: VecDeque<_> = cells().into_iter().filter(named).enumerate().collect();
    let (waiting, done) = (Arc::new(Mutex::new(all)), Arc::new(Mutex::new(Vec::new())));
    let mut workers = Vec::new();
    for _ in 0..AT_ONCE {
        let (waiting, done) = (Arc::clone(&waiting), Arc::clone(&done));
        workers.push(tokio::spawn(async move {
            loop {
                let next = waiting.lock().expect("nobody panics with it").pop_front();
                let Some((number, cell)) = next else { return Ok(()) };
                let outcome = run(cell).await?;
                eprint!(".");
                done.lock().expect("nobody panics with it").push((number, outcome));
            }
        }));
    }
    for worker in workers {
        worker.await?.map_err(|error: lab::Unavailable| error.to_string())?;
    }
    eprintln!();
    let mut done = std::mem::take(&mut *done.lock().expect("nobody panics with it"));
    done.sort_by_key(|(number, _)| *number);
    let outcomes: Vec<Outcome> = done.into_iter().map(|(_, outcome)| outcome).collect();
    std::io::stdout().write_all(table(&outcomes).as_bytes())?;
    std::fs::create_dir_all("target/lab")?;
    std::fs::write("target/lab/report.html", html(&outcomes))?;
    if let Some(file) = file {
        std::fs::write(file, serde_json::to_string_pretty(&json(&outcomes))?)?;
    }
    let right: usize = outcomes.iter().map(Outcome::right).sum();
    let good = outcomes.iter().all(Outcome::is_met) && right * 100 >= outcomes.len() * 2 * 95;
    if good { Ok(()) } else { Err("not as it should be: see the table".into()) }
}
