//! The program as a person meets it: processes, what they print, how they end.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use sidetone_cli::serve::Ready;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
    command.env_remove("SIDETONE_PASSWORD").env_remove("SIDETONE_SERVER").env_remove("SIDETONE_LOG");
    command
}

/// Runs to the end.
pub fn run(args: &[&str]) -> Output {
    program().args(args).stdin(Stdio::null()).output().unwrap()
}

/// What was said to standard error, after checking that it is no backtrace and the status is 2.
pub fn trouble(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains("panicked") && said.lines().count() <= 2, "{said}");
    said
}

/// A process that is talked to.
pub struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Terminal {
    pub fn open(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, input, lines, seen: Vec::new() }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for a line with these words.
    pub fn says(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(until.saturating_duration_since(Instant::now()));
            let Ok(line) = line else { panic!("nothing with {words:?} in {:#?}", self.seen) };
            self.seen.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Tells it to stop, as systemd does, and gives its status.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    /// Ends its input and gives its status.
    pub fn leave(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server on any port, and its address.
pub fn server(data: Option<&Path>) -> (Terminal, String) {
    let mut command = program();
    command.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    let mut server = Terminal::open(command);
    let ready: Ready = serde_json::from_str(&server.says("ws://")).unwrap();
    (server, ready.server)
}

/// A command of a phone, with its data folder and server; the password is that of every account here.
pub fn phone(command: &str, data: &Path, server: &str) -> Command {
    let mut phone = program();
    phone.arg(command).arg("--data").arg(data).args(["--server", server, "--bind", "127.0.0.1"]);
    phone.env("SIDETONE_PASSWORD", "correct horse battery staple");
    phone
}

/// The same, making the account.
pub fn newcomer(command: &str, data: &Path, server: &str, name: &str) -> Command {
    let mut phone = phone(command, data, server);
    phone.args(["--new", "--name", name, "--email", &format!("{name}@example.org")]);
    phone
}

/// Three seconds of something like speech: tones that come and go.
pub fn voice(pitch_hz: f64) -> Vec<i16> {
    let sample = |n: usize| {
        let t = n as f64 / 48_000.0;
        let sweep = (std::f64::consts::TAU * pitch_hz * (t + 0.2 * t * t)).sin();
        let syllable = (std::f64::consts::TAU * 2.3 * t).sin().abs();
        (9_000.0 * sweep * syllable) as i16
    };
    (0..3 * 48_000).map(sample).collect()
}
