//! What a link costs beside others: time to come up, round trips, an idle minute, memory.
//!
//! What counts as up is the same for all: see [`crate::work`]. Round trips are of what a link encrypts itself. Idle and
//! memory are looked at from outside: packets where they pass between two namespaces, with their IP headers, both ways
//! together; processor time and switches of all threads of a process, as the kernel counts them, per end; memory that is
//! resident, and what of it belongs to no file: the rest is mostly the program itself. Each further link of the offering end
//! leads to another identity at the other one.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Failed;
use crate::pair::Pair;
use crate::race::{PATIENCE, Programs};

/// Who races; ours are the records of a link.
const RACERS: [(&str, &str); 8] = [
    (OURS, "ours"),
    ("iroh", "iroh"),
    ("dht", "hyperdht"),
    ("tox", "tox"),
    ("tox5", "tox, 5 ms loop"),
    ("wrtc", "libwebrtc"),
    ("ndc", "libdatachannel"),
    ("plain", "webrtc-rs, as it comes"),
];
const OURS: &str = "sctp";
/// Who finds its peer so slowly that once is enough.
const SLOW: [&str; 2] = ["tox", "tox5"];
/// How often a link comes up.
const TIMES: usize = 30;
/// Messages that go forth and back, and for how many seconds at most.
const TRIPS: (usize, usize) = (5000, 3);
/// How long links are left alone before the idle window, and how long that is unless told otherwise.
const SETTLES: Duration = Duration::from_secs(10);
pub const IDLE: Duration = Duration::from_secs(60);
/// Links beside the first; of those who are slow, fewer.
const MORE: usize = 20;
const MORE_SLOW: usize = 2;

/// Runs all of it, prints tables, and gives the rows.
pub fn run(programs: &Programs, races: impl Fn(&str) -> bool, window: Duration) -> Vec<Value> {
    let racers: Vec<_> = RACERS.into_iter().filter(|(racer, _)| races(racer)).collect();
    let mut rows = Vec::new();
    for (name, shape) in [("up, loopback", None), ("up, 40 ms, 1 % loss", Some("delay=20ms loss=1%"))] {
        println!("\nlink {name}, from both ends knowing each other to a byte from each at the other");
        for (racer, title) in racers.iter().filter(|(racer, _)| *racer != "tox5") {
            rows.push(row(name, title, up(programs, racer, shape)));
        }
    }
    println!("\nround trip of 100 bytes, loopback");
    rows.extend(racers.iter().map(|(racer, title)| row("trip", title, trips(programs, racer))));
    rows.extend(idle(programs, &racers, window));
    println!();
    bars(&rows);
    rows
}

/// Prints a row and makes it what is kept.
fn row(name: &str, title: &str, found: Result<Value, Failed>) -> Value {
    let mut kept = found.unwrap_or_else(|error| json!({"error": error.to_string()}));
    match (kept["said"].take(), &kept["error"]) {
        (Value::String(said), _) => println!("  {title:24} {said}"),
        (_, error) => println!("  {title:24} not measured: {}", error.as_str().unwrap_or("no reason given")),
    }
    if let Some(kept) = kept.as_object_mut() {
        kept.remove("said");
        kept.insert("row".into(), name.into());
        kept.insert("racer".into(), title.into());
    }
    kept
}

fn up(programs: &Programs, racer: &str, shape: Option<&str>) -> Result<Value, Failed> {
    let times = if SLOW.contains(&racer) { 1 } else { TIMES };
    let mut pair = programs.pair(racer, shape, &["up", &times.to_string()])?;
    let mut took_ms = Vec::new();
    for _ in 0..times {
        took_ms.push(pair.up(PATIENCE)?);
    }
    let [median, tenth, most] = quantiles(&mut took_ms, [0.5, 0.9, 1.0]);
    let said = format!("median {median:9.2} ms, nine of ten within {tenth:9.2} ms, all {most:9.2} ms ({times} times)");
    Ok(json!({"said": said, "median_ms": median, "p90_ms": tenth, "most_ms": most, "times": times}))
}

fn trips(programs: &Programs, racer: &str) -> Result<Value, Failed> {
    let mut pair = programs.pair(racer, None, &["trips", &TRIPS.0.to_string(), &TRIPS.1.to_string()])?;
    pair.up(PATIENCE)?;
    let [asked, _] = pair.last(PATIENCE)?;
    let trips = asked["trips_ms"].as_array().ok_or("it told no times")?;
    let mut trips_ms: Vec<f64> = trips.iter().filter_map(Value::as_f64).collect();
    let (count, [median, rare]) = (trips_ms.len(), quantiles(&mut trips_ms, [0.5, 0.99]));
    let said = format!("median {median:9.3} ms, 99 of 100 within {rare:9.3} ms ({count} times)");
    Ok(json!({"said": said, "median_ms": median, "p99_ms": rare, "times": count}))
}

/// What two processes took so far.
#[derive(Default)]
struct Taken {
    processor_ms: f64,
    switches: f64,
    /// Of each.
    resident_kib: [f64; 2],
    private_kib: [f64; 2],
    bytes: f64,
    packets: f64,
}

impl Taken {
    fn look(pair: &Pair) -> Result<Self, Failed> {
        let mut taken = Self::default();
        for (end, process) in pair.processes().into_iter().enumerate() {
            for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
                let thread = thread?.path();
                let spent = std::fs::read_to_string(thread.join("schedstat"))?;
                taken.processor_ms += spent.split(' ').next().ok_or("no time")?.parse::<f64>()? / 1e6;
                taken.switches += field(&std::fs::read_to_string(thread.join("status"))?, "voluntary_ctxt_switches:")?;
            }
            let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
            taken.resident_kib[end] = field(&status, "VmRSS:")?;
            taken.private_kib[end] = field(&status, "RssAnon:")?;
        }
        for way in pair.counts() {
            taken.bytes += way.bytes as f64;
            taken.packets += way.delivered as f64;
        }
        Ok(taken)
    }
}

fn field(text: &str, key: &str) -> Result<f64, Failed> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key)).ok_or_else(|| format!("no {key}"))?;
    Ok(rest.split_whitespace().next().ok_or("no value")?.parse()?)
}

/// One link each is left alone, all at the same time; then each racer in turn gets more of them.
fn idle(programs: &Programs, racers: &[(&str, &str)], window: Duration) -> Vec<Value> {
    let hold = |racer: &str| {
        let mut pair = programs.pair(racer, Some(""), &["hold"])?;
        pair.up(PATIENCE)?;
        pair.meet(PATIENCE)?;
        Ok::<_, Failed>(pair)
    };
    println!("\nidle link for {} s, and memory with it and with {MORE} more ({MORE_SLOW} of tox)", window.as_secs());
    let held: Vec<_> = racers.iter().map(|(racer, _)| hold(racer)).collect();
    let look = || held.iter().map(|pair| pair.as_ref().map_or(Err("no link".into()), Taken::look)).collect();
    sleep(SETTLES);
    let before: Vec<Result<Taken, Failed>> = look();
    sleep(window);
    let after: Vec<Result<Taken, Failed>> = look();
    let mut rows = Vec::new();
    for (((pair, before), after), (racer, title)) in held.into_iter().zip(before).zip(after).zip(racers) {
        let count = if SLOW.contains(racer) { MORE_SLOW } else { MORE };
        let compared = pair.and_then(|pair| Ok((pair, before?, after?)));
        let found = compared.and_then(|(pair, before, after)| rested(pair, [&before, &after], window, count));
        rows.push(row("idle", title, found));
    }
    rows
}

fn rested(mut pair: Pair, [before, after]: [&Taken; 2], window: Duration, count: usize) -> Result<Value, Failed> {
    let seconds = window.as_secs_f64();
    let bytes = (after.bytes - before.bytes) * 60.0 / seconds;
    let packets = (after.packets - before.packets) * 60.0 / seconds;
    let processor = (after.processor_ms - before.processor_ms) / seconds / 2.0;
    let switches = (after.switches - before.switches) / seconds / 2.0;
    let [resident, private] = [after.resident_kib, after.private_kib].map(|[one, other]| one.max(other));
    let further = more(&mut pair, count);
    let each = match &further {
        Ok(each) => format!("{each:6.0} KiB per further link"),
        Err(error) => format!("further links not measured: {error}"),
    };
    let said = format!(
        "{bytes:8.0} B/min {packets:4.0} packets/min {processor:7.3} ms CPU/s {switches:7.2} wake-ups/s {:5.1} MiB ({:.1} private) {each}",
        resident / 1024.0,
        private / 1024.0
    );
    Ok(json!({"said": said, "bytes_min": bytes, "packets_min": packets, "cpu_ms_s": processor, "wakeups_s": switches,
        "resident_kib": resident, "private_kib": private, "further_kib": further.ok()}))
}

/// What each further link takes at the offering end, in KiB.
fn more(pair: &mut Pair, count: usize) -> Result<f64, Failed> {
    let before = Taken::look(pair)?;
    pair.go(&count.into());
    for _ in 0..count {
        pair.up(PATIENCE)?;
    }
    pair.meet(PATIENCE)?;
    let after = Taken::look(pair)?;
    Ok((after.resident_kib[0] - before.resident_kib[0]) / count as f64)
}

fn quantiles<const N: usize>(values: &mut [f64], shares: [f64; N]) -> [f64; N] {
    values.sort_by(f64::total_cmp);
    shares.map(|share| {
        let place = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
        values.get(place).copied().unwrap_or(f64::NAN)
    })
}

/// What is to be held against others, or against a number.
fn bars(rows: &[Value]) {
    let of = |name: &str, racer: &str, key: &str| {
        rows.iter().find(|row| row["row"] == name && row["racer"] == racer).and_then(|row| row[key].as_f64())
    };
    let beside = [
        ("up, loopback", "median_ms", "link up, loopback", "<= 1.5 as the aim"),
        ("up, 40 ms, 1 % loss", "median_ms", "link up, 40 ms, 1 % loss", "<= 1"),
        ("trip", "median_ms", "round trip", "<= 1"),
        ("idle", "bytes_min", "idle link, bytes", "<= 0.5"),
        ("idle", "cpu_ms_s", "idle link, CPU", "<= 1"),
    ];
    for (name, key, what, bar) in beside {
        match (of(name, "ours", key), of(name, "iroh", key)) {
            (Some(ours), Some(theirs)) => println!("{what}: {:.2} x iroh (wanted {bar})", ours / theirs),
            _ => println!("{what}: not compared with iroh"),
        }
    }
    let alone = [
        ("up, loopback", "median_ms", 1.0, "link up, loopback", "ms (wanted <= 20)"),
        ("idle", "resident_kib", 1024.0, "memory, connected", "MiB (wanted <= 8)"),
        ("idle", "further_kib", 1.0, "memory per further link", "KiB (wanted <= 300)"),
    ];
    for (name, key, scale, what, bar) in alone {
        match of(name, "ours", key) {
            Some(ours) => println!("{what}: {:.2} {bar}", ours / scale),
            None => println!("{what}: not measured"),
        }
    }
}
