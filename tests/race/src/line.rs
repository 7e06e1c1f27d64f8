//! What every end does, whatever library it tries: hears and says lines, and counts what it takes.

use std::io::{BufRead as _, Write as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Failed;

/// What is handed to a library at a time, in bytes.
pub const UNIT: usize = 64 * 1024;

/// What an end is asked to do.
pub struct Task {
    /// Whether it offers; it also sends, where one does.
    pub offers: bool,
    /// Which address it uses.
    pub address: IpAddr,
    /// What it does.
    pub work: Work,
}

/// What is done on a link.
#[derive(Clone, Copy)]
pub enum Work {
    /// A file is sent: so many bytes, unless the receiver has seen enough after so many seconds.
    File(usize, f64),
    /// Links come up and are closed again: so many, one after the other.
    Up(usize),
    /// Messages go forth and come back: so many, or for so many seconds.
    Trips(usize, f64),
    /// A link is held, and then more, as the race says.
    Hold,
}

impl Task {
    /// Reads ROLE ADDRESS and file BYTES SECONDS, up COUNT, trips COUNT SECONDS, or hold.
    pub fn read(words: &[&str]) -> Result<Self, Failed> {
        let [role, address, work @ ..] = words else { return Err("no task".into()) };
        let work = match work {
            ["file", bytes, seconds] => Work::File(bytes.parse()?, seconds.parse()?),
            ["up", count] => Work::Up(count.parse()?),
            ["trips", count, seconds] => Work::Trips(count.parse()?, seconds.parse()?),
            ["hold"] => Work::Hold,
            other => return Err(format!("nobody knows how to {other:?}").into()),
        };
        Ok(Self { offers: *role == "offer", address: address.parse()?, work })
    }
}

/// Lines that come in.
pub struct Lines(mpsc::UnboundedReceiver<Value>);

impl Lines {
    /// Listens to what the race says; its silence ends everything.
    pub fn listen() -> Self {
        let (tell, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(value) = line.map_err(drop).and_then(|line| serde_json::from_str(&line).map_err(drop)) else {
                    return;
                };
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// What the other end said.
    pub async fn hear(&mut self) -> Result<Value, Failed> {
        let mut line = self.0.recv().await.ok_or("the race is over")?;
        line.get_mut("s").map(Value::take).ok_or_else(|| format!("expected the other end, heard {line}").into())
    }

    /// Says what this end found, and goes on when the other end is as far; gives what the race added.
    pub async fn meet(&mut self, found: &Value) -> Result<Value, Failed> {
        say(&json!({"at": found}))?;
        let mut line = self.0.recv().await.ok_or("the race is over")?;
        line.get_mut("go").map(Value::take).ok_or_else(|| format!("expected to go on, heard {line}").into())
    }

    /// Returns when the race says that it is over.
    pub async fn over(&mut self) {
        while let Some(line) = self.0.recv().await {
            if line.get("over").is_some() {
                return;
            }
        }
    }
}

/// Says something to the race, or with `s` to the other end.
pub fn say(value: &Value) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

/// The time in milliseconds by a clock that all processes of this machine share.
pub fn now_ms() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// Seconds of processor time that this process took so far.
pub fn processor_s() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// What a receiver counts.
pub struct Count {
    first: Option<Instant>,
    last: Instant,
    bytes: usize,
    most: usize,
    limit: Duration,
    used: f64,
}

impl Count {
    /// Nothing yet, of so many bytes in so many seconds at most.
    pub fn new(bytes: usize, seconds: f64) -> Self {
        let (limit, used) = (Duration::from_secs_f64(seconds), processor_s());
        Self { first: None, last: Instant::now(), bytes: 0, most: bytes, limit, used }
    }

    /// Counts a message; true when it is enough.
    pub fn take(&mut self, bytes: usize) -> bool {
        self.last = Instant::now();
        let first = *self.first.get_or_insert(self.last);
        self.bytes += bytes;
        self.bytes >= self.most || self.last - first >= self.limit
    }

    pub fn say(&self) -> Result<(), Failed> {
        let seconds = self.first.map_or(0.0, |first| (self.last - first).as_secs_f64());
        say(&json!({"bytes": self.bytes, "seconds": seconds, "cpu": processor_s() - self.used}))
    }
}
