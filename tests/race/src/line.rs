//! What every end does, whatever library it tries.

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
    /// Whether it sends; it also offers.
    pub sends: bool,
    /// Which address it uses.
    pub address: IpAddr,
    /// How much is sent.
    pub bytes: usize,
    /// After how long the receiver has seen enough.
    pub seconds: f64,
}

/// Lines that come in; the last is that the other end is done.
pub fn listen() -> mpsc::UnboundedReceiver<Value> {
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
    lines
}

/// Says something to the race, or with `s` to the other end.
pub fn say(value: &Value) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
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
    pub fn new(task: &Task) -> Self {
        let (limit, used) = (Duration::from_secs_f64(task.seconds), processor_s());
        Self { first: None, last: Instant::now(), bytes: 0, most: task.bytes, limit, used }
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
