//! Two processes at the ends of a link, and the lines between them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lab::{Counts, Namespace, Wire};
use serde_json::{Value, json};

use crate::Failed;

/// A process at each end of a link.
pub struct Pair {
    ends: [End; 2],
    said: mpsc::Receiver<(usize, Option<String>)>,
    wire: Wire,
    /// Held for as long as something runs in them.
    _namespaces: [Namespace; 2],
}

impl Pair {
    /// Starts both: the offering end, then the answering one. Without a shape they are in one namespace, and meet there over
    /// the loopback device.
    pub fn start(shape: Option<&str>, words: impl Fn(&str, &str) -> Vec<String>) -> Result<Self, Failed> {
        let namespaces = [Namespace::new()?, Namespace::new()?];
        let wire = Wire::join(&namespaces[0], &namespaces[1], &shape.unwrap_or_default().parse()?, 1)?;
        // An address of its own is reached over the loopback device, whichever interface it belongs to.
        let places = if shape.is_some() { [0, 1] } else { [0, 0] };
        let (tell, said) = mpsc::channel();
        let start = |end: usize, role: &str| {
            let words = words(role, &wire.addresses()[places[end]].to_string());
            let [program, arguments @ ..] = words.as_slice() else { return Err(Failed::from("no program")) };
            End::start(namespaces[places[end]].command(program).args(arguments), end, tell.clone())
        };
        let ends = [start(0, "offer")?, start(1, "answer")?];
        Ok(Self { ends, said, wire, _namespaces: namespaces })
    }

    /// What the wire did.
    pub fn counts(&self) -> [Counts; 2] {
        self.wire.counts()
    }

    /// The processes.
    pub fn processes(&self) -> [u32; 2] {
        self.ends.each_ref().map(|end| end.child.id())
    }

    /// Brings a link up; gives how long that took, in milliseconds.
    pub fn up(&mut self, patience: Duration) -> Result<f64, Failed> {
        self.meet(patience)?;
        self.go(&Value::Null);
        let found = self.meet(patience)?;
        self.go(&Value::Null);
        let latest = |key: &str| found.iter().filter_map(|end| end[key].as_f64()).fold(f64::NAN, f64::max);
        Ok(latest("until") - latest("from"))
    }

    /// Waits until both ends are as far; gives what each found.
    pub fn meet(&mut self, patience: Duration) -> Result<[Value; 2], Failed> {
        let mut found = [None, None];
        let until = Instant::now() + patience;
        loop {
            let (from, mut line) = self.next(until)?;
            found[from] = Some(line.get_mut("at").map(Value::take).ok_or_else(|| format!("it said {line}"))?);
            if let [Some(one), Some(other)] = &mut found {
                return Ok([one.take(), other.take()]);
            }
        }
    }

    /// Lets both go on.
    pub fn go(&mut self, with: &Value) {
        self.ends.iter_mut().for_each(|end| end.say(&json!({"go": with})));
    }

    /// Waits until both have said their last; whoever does so first ends it for the other.
    pub fn last(&mut self, patience: Duration) -> Result<[Value; 2], Failed> {
        let mut last = [Value::Null, Value::Null];
        let until = Instant::now() + patience;
        while last.iter().any(Value::is_null) {
            let (from, line) = self.next(until)?;
            last[from] = line;
            self.ends[1 - from].say(&json!({"over": true}));
        }
        Ok(last)
    }

    /// What an end says next to the race; what it says to the other end is passed on.
    fn next(&mut self, until: Instant) -> Result<(usize, Value), Failed> {
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            let (from, line) = self.said.recv_timeout(rest).map_err(|_| "nothing more was heard")?;
            let line: Value = serde_json::from_str(&line.ok_or("it ended")?)?;
            if line.get("s").is_none() {
                return Ok((from, line));
            }
            self.ends[1 - from].say(&line);
        }
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
    /// Passes on its lines, with its place, and then that it ended.
    fn start(command: &mut Command, place: usize, tell: mpsc::Sender<(usize, Option<String>)>) -> Result<Self, Failed> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let end = Self { child, input };
        let output = output.ok_or("no output")?;
        std::thread::Builder::new().spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.starts_with('{') && tell.send((place, Some(line))).is_err() {
                    return;
                }
            }
            let _ = tell.send((place, None));
        })?;
        Ok(end)
    }

    fn say(&mut self, line: &Value) {
        if let Some(input) = &mut self.input {
            // One that has said its last may be gone.
            let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        }
    }
}
