//! The race itself: who runs, what is wanted, and files and voice over links good and bad.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::pair::Pair;
use crate::{Failed, links};

/// Links and how much of a file they get, for how long at most.
const LINKS: [(&str, Option<&str>, usize, f64); 4] = [
    ("loopback", None, 512 << 20, 8.0),
    ("40 ms", Some("delay=20ms"), 256 << 20, 10.0),
    ("40 ms, 1 % loss", Some("delay=20ms loss=1%"), 256 << 20, 10.0),
    ("20 Mbit/s, 40 ms, 100 ms queue", Some("delay=20ms rate=20mbit queue=100ms"), 32 << 20, 12.0),
];
/// Who races with a file: our paths, the library under them, and others.
const RACERS: [(&str, &str); 10] = [
    ("quic", "ours, QUIC"),
    ("relay", "ours, over a relay"),
    ("sctp", "ours, records"),
    ("plain", "webrtc-rs, as it comes"),
    ("wrtc", "libwebrtc"),
    ("ndc", "libdatachannel"),
    ("dht", "hyperdht"),
    ("iroh", "iroh"),
    ("iroh-bbr", "iroh, BBR3"),
    ("tox5", "tox, 5 ms loop"),
];
/// Links on which voice and a file share.
const SHARED: [(&str, &str); 2] =
    [("1 Mbit/s", "delay=20ms rate=1mbit queue=200ms"), ("8 Mbit/s", "delay=20ms rate=8mbit queue=200ms")];
/// How long a link may take to come up: the slowest find each other after ten seconds.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// How long a file or voice may take.
const MOST: Duration = Duration::from_secs(35);

/// Where the programs of others are.
pub struct Programs(Option<PathBuf>);

impl Programs {
    /// The words that run a racer, but for its role, address and task.
    pub fn of(&self, racer: &str) -> Result<Vec<String>, Failed> {
        let text = |path: PathBuf| path.display().to_string();
        if ["quic", "relay", "sctp", "plain"].contains(&racer) {
            return Ok(vec![text(std::env::current_exe()?), "peer".into(), racer.into()]);
        }
        let folder = self.0.as_ref().ok_or("not installed")?;
        let (words, needs) = match racer {
            "iroh" | "iroh-bbr" => (vec![text(folder.join("iroh"))], folder.join("iroh")),
            "tox" | "tox5" => (vec![text(folder.join("tox"))], folder.join("tox")),
            _ => (vec!["node".into(), text(folder.join("peer.mjs"))], folder.join("node_modules").join(module(racer))),
        };
        if !needs.exists() {
            return Err("not installed".into());
        }
        Ok(words.into_iter().chain([racer.to_owned()]).collect())
    }

    /// Starts a racer at both ends.
    pub fn pair(&self, racer: &str, shape: Option<&str>, task: &[&str]) -> Result<Pair, Failed> {
        let words = self.of(racer)?;
        let words = |role: &str, address: &str| {
            let rest = [role, address].into_iter().chain(task.iter().copied());
            words.iter().cloned().chain(rest.map(str::to_owned)).collect()
        };
        Pair::start(shape, words)
    }
}

/// What npm calls a racer.
fn module(racer: &str) -> &str {
    match racer {
        "wrtc" => "@roamhq/wrtc",
        "ndc" => "node-datachannel",
        _ => "hyperdht",
    }
}

/// Runs what the options name (`files`, `voice`, `links`, or all by default) and writes `--json FILE`.
pub fn run(options: &[&str]) -> Result<(), Failed> {
    lab::available()?;
    let parts = ["files", "voice", "links"];
    let wants = |what: &str| !options.iter().any(|word| parts.contains(word)) || options.contains(&what);
    let value = |key: &str| options.iter().skip_while(|word| **word != key).nth(1).copied();
    let programs = Programs(value("--peers").map(PathBuf::from));
    let idle = value("--idle").map_or(Ok(links::IDLE), |seconds| seconds.parse().map(Duration::from_secs))?;
    let only: Option<Vec<&str>> = value("--only").map(|only| only.split(',').collect());
    let races = |racer: &str| only.as_ref().is_none_or(|only| only.contains(&racer));
    let mut rows = Vec::new();
    if wants("links") {
        rows.extend(links::run(&programs, races, idle));
    }
    if wants("files") {
        let mut files = Vec::new();
        for link in &LINKS {
            println!("\n{}", link.0);
            files.extend(RACERS.iter().filter(|(racer, _)| races(racer)).map(|racer| file(link, racer, &programs)));
        }
        println!();
        ratios(&files);
        rows.extend(files);
    }
    if wants("voice") {
        for (name, shape) in SHARED {
            for way in ["direct", "relayed"].into_iter().filter(|way| races(way)) {
                rows.push(voice(&format!("{name}, {way}"), shape, way)?);
            }
        }
    }
    if let Some(file) = value("--json") {
        std::fs::write(file, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

/// One file over one link by one racer.
fn file(
    &(name, shape, bytes, seconds): &(&str, Option<&str>, usize, f64),
    &(racer, title): &(&str, &str),
    programs: &Programs,
) -> Value {
    let raced = || {
        let mut pair = programs.pair(racer, shape, &["file", &bytes.to_string(), &seconds.to_string()])?;
        pair.up(PATIENCE)?;
        Ok::<_, Failed>((pair.last(MOST)?, pair.counts()))
    };
    match raced() {
        Ok(([sent, received], counts)) => {
            let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or(f64::NAN);
            let (took, moved) = (number(&received, "seconds"), number(&received, "bytes"));
            let speed = moved / 1e6 / took;
            let cost = (number(&sent, "cpu") + number(&received, "cpu")) / moved * (1 << 30) as f64;
            let dropped = counts.iter().map(|counts| counts.overflowed).sum::<u64>();
            println!("  {title:24} {speed:8.2} MB/s {cost:8.2} CPU s/GiB {dropped:6} dropped at the queue");
            json!({"link": name, "racer": title, "mb_s": speed, "cpu_s_gib": cost, "dropped": dropped, "path": sent["path"]})
        }
        Err(error) => {
            println!("  {title:24} did not arrive: {error}");
            json!({"link": name, "racer": title, "error": error.to_string()})
        }
    }
}

fn voice(name: &str, shape: &str, way: &str) -> Result<Value, Failed> {
    let program = std::env::current_exe()?.display().to_string();
    let words = |role: &str, address: &str| [&program, "voice", way, role, address, "20"].map(str::to_owned).to_vec();
    let mut pair = Pair::start(Some(shape), words)?;
    pair.up(PATIENCE)?;
    let ([spoken, heard], counts) = (pair.last(MOST)?, pair.counts());
    let part = |key: &str, place: usize| heard[key][place].as_f64().unwrap_or(f64::NAN);
    let added = part("beside", 1) - part("alone", 1);
    let lost = spoken["spoken"].as_f64().unwrap_or(f64::NAN) - heard["heard"].as_f64().unwrap_or(f64::NAN);
    println!("\nvoice beside a file, {name}");
    for half in ["alone", "begin", "beside"] {
        println!(
            "  {half:8} median {:7.2} ms, p99 {:7.2} ms, most {:7.2} ms",
            part(half, 0),
            part(half, 1),
            part(half, 2)
        );
    }
    let file = heard["file_kB_s"].as_f64().unwrap_or(f64::NAN);
    let dropped = counts[0].overflowed;
    println!(
        "  added at p99 {added:.2} ms (wanted at most 5), {lost:.0} packets missing, {dropped} dropped; the file {file:.1} kB/s"
    );
    Ok(json!({"voice": name, "added_p99_ms": added, "missing": lost, "file_kB_s": file, "quic": spoken["quic"],
        "alone": heard["alone"], "begin": heard["begin"], "beside": heard["beside"], "dropped": dropped}))
}

/// What is to be held against others.
fn ratios(rows: &[Value]) {
    let of = |link: &str, racer: &str, key: &str| {
        let row = rows.iter().find(|row| row["link"] == link && row["racer"] == racer)?;
        row[key].as_f64()
    };
    let bars = [
        ("loopback", "libdatachannel", "mb_s", "speed", ">= 1.5"),
        ("loopback", "iroh", "mb_s", "speed", ">= 0.5 as the aim"),
        ("loopback", "libdatachannel", "cpu_s_gib", "CPU per byte", "<= 0.6"),
        ("loopback", "iroh", "cpu_s_gib", "CPU per byte", "<= 1.5 as the aim"),
        ("40 ms", "libdatachannel", "mb_s", "speed", ">= 1.3"),
        ("40 ms, 1 % loss", "hyperdht", "mb_s", "speed", ">= 1"),
    ];
    for (link, other, key, what, bar) in bars {
        match (of(link, RACERS[0].1, key), of(link, other, key)) {
            (Some(ours), Some(theirs)) => println!("{link}: {what} {:.2} x {other} (wanted {bar})", ours / theirs),
            _ => println!("{link}: {what} not compared with {other}"),
        }
    }
    let slow = LINKS[3].0;
    if let Some(ours) = of(slow, RACERS[0].1, "mb_s") {
        let dropped = of(slow, RACERS[0].1, "dropped").unwrap_or(f64::NAN);
        println!(
            "{slow}: {:.3} of the link, {dropped} dropped (wanted >= 0.95 of it, headers included, and none)",
            ours / 2.5
        );
    }
}
