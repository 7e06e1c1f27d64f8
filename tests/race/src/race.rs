//! The race itself: links, pairs of processes, a table.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use lab::{Namespace, Wire};
use serde_json::{Value, json};

use crate::Failed;

/// Links and how much of a file they get, for how long at most.
const LINKS: [(&str, Option<&str>, usize, f64); 4] = [
    ("loopback", None, 512 << 20, 8.0),
    ("40 ms", Some("delay=20ms"), 256 << 20, 10.0),
    ("40 ms, 1 % loss", Some("delay=20ms loss=1%"), 256 << 20, 10.0),
    ("20 Mbit/s, 40 ms, 100 ms queue", Some("delay=20ms rate=20mbit queue=100ms"), 32 << 20, 12.0),
];
/// Who races: our paths, the library under them, and others by npm.
const RACERS: [(&str, &str); 7] = [
    ("quic", "ours, QUIC"),
    ("relay", "ours, over a relay"),
    ("sctp", "ours, records"),
    ("plain", "webrtc-rs, as it comes"),
    ("wrtc", "libwebrtc"),
    ("ndc", "libdatachannel"),
    ("udx", "hyperdht"),
];
/// Links on which voice and a file share.
const SHARED: [(&str, &str); 2] =
    [("1 Mbit/s", "delay=20ms rate=1mbit queue=200ms"), ("8 Mbit/s", "delay=20ms rate=8mbit queue=200ms")];
/// How long a racer may take beside its file.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs what the options name (`files`, `voice`, or both by default) and writes `--json FILE`.
pub fn run(options: &[&str]) -> Result<(), Failed> {
    lab::available()?;
    let wants = |what: &str| !options.iter().any(|word| ["files", "voice"].contains(word)) || options.contains(&what);
    let value = |key: &str| options.iter().skip_while(|word| **word != key).nth(1).copied();
    let peers = value("--peers").map(PathBuf::from);
    let mut rows = Vec::new();
    if wants("files") {
        let only = value("--only");
        for (name, shape, bytes, seconds) in LINKS {
            println!("\n{name}");
            for (racer, title) in RACERS.iter().filter(|(racer, _)| only.is_none_or(|only| only.contains(racer))) {
                rows.push(file(name, shape, bytes, seconds, racer, title, peers.as_deref()));
            }
        }
        println!();
        ratios(&rows);
    }
    if wants("voice") {
        for (name, shape) in SHARED {
            for way in ["direct", "relayed"] {
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
    name: &str,
    shape: Option<&str>,
    bytes: usize,
    seconds: f64,
    racer: &str,
    title: &str,
    peers: Option<&Path>,
) -> Value {
    let arguments = |role: &str, address: &str| -> Option<Vec<String>> {
        let task = [role, address, &bytes.to_string(), &seconds.to_string()].map(str::to_owned);
        let program = match racer {
            "quic" | "relay" | "sctp" | "plain" => {
                vec![std::env::current_exe().ok()?.display().to_string(), "peer".into(), racer.into()]
            }
            npm => vec!["node".into(), peers?.join("peer.mjs").display().to_string(), npm.into()],
        };
        Some(program.into_iter().chain(task).collect())
    };
    let raced = match shape {
        _ if arguments("", "").is_none() => Err("not installed".into()),
        shape => pair(shape, arguments),
    };
    match raced {
        Ok((sent, received, counts)) => {
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

type Raced = (Value, Value, [lab::Counts; 2]);

/// Two processes at the ends of a link; gives what each said last.
fn pair(shape: Option<&str>, arguments: impl Fn(&str, &str) -> Option<Vec<String>>) -> Result<Raced, Failed> {
    let ends = [Namespace::new()?, Namespace::new()?];
    let wire = Wire::join(&ends[0], &ends[1], &shape.unwrap_or_default().parse()?, 1)?;
    // An address of its own is reached over the loopback device, whichever interface it belongs to.
    let places = if shape.is_some() { [0, 1] } else { [0, 0] };
    let start = |place: usize, role: &str| -> Result<End, Failed> {
        let address = wire.addresses()[place].to_string();
        let words = arguments(role, &address).ok_or("no such program")?;
        End::start(ends[place].command(&words[0]).args(&words[1..]))
    };
    let (tell, said) = mpsc::channel();
    let mut offer = start(places[0], "offer")?;
    let mut answer = start(places[1], "answer")?;
    offer.listen(0, tell.clone())?;
    answer.listen(1, tell)?;
    let mut last = [Value::Null, Value::Null];
    let begun = std::time::Instant::now();
    while last.iter().any(Value::is_null) {
        let rest = (Duration::from_secs(15) + PATIENCE).saturating_sub(begun.elapsed());
        let (from, line) = said.recv_timeout(rest).map_err(|_| "nothing more was heard")?;
        let line: Value = serde_json::from_str(&line.ok_or("it ended")?)?;
        if line.get("s").is_some() {
            [&mut answer, &mut offer][from].say(&line)?;
        } else {
            last[from] = line;
            // Whoever says a result first ends it for the other.
            [&mut answer, &mut offer][from].say(&json!({"over": true}))?;
        }
    }
    let [sent, received] = last;
    Ok((sent, received, wire.counts()))
}

fn voice(name: &str, shape: &str, way: &str) -> Result<Value, Failed> {
    let program = std::env::current_exe()?.display().to_string();
    let arguments =
        |role: &str, address: &str| Some([&program, "voice", way, role, address, "20"].map(str::to_owned).to_vec());
    let (spoken, heard, counts) = pair(Some(shape), arguments)?;
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
    println!("  added at p99 {added:.2} ms, {lost:.0} packets missing, {dropped} dropped; the file {file:.1} kB/s");
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
        ("loopback", "libdatachannel", "cpu_s_gib", "CPU per byte", "<= 0.6"),
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

/// A process at one end.
struct End {
    child: Child,
    input: Option<ChildStdin>,
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    fn start(command: &mut Command) -> Result<Self, Failed> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Passes on its lines, with its place, and then that it ended.
    fn listen(&mut self, place: usize, tell: mpsc::Sender<(usize, Option<String>)>) -> Result<(), Failed> {
        let output = self.child.stdout.take().ok_or("no output")?;
        std::thread::Builder::new().spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.starts_with('{') && tell.send((place, Some(line))).is_err() {
                    return;
                }
            }
            let _ = tell.send((place, None));
        })?;
        Ok(())
    }

    fn say(&mut self, line: &Value) -> Result<(), Failed> {
        let input = self.input.as_mut().ok_or("no input")?;
        // One that has said its last may be gone.
        let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        Ok(())
    }
}
