//! A network stack of its own.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Unavailable;

/// A network namespace with a loopback device that is up and nothing else, until a [`crate::Wire`] ends in it.
///
/// It is held by a program that ends when its input does, so that it goes with this process, however that ends.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    /// [`Unavailable`] without the programs or the rights it takes.
    pub fn new() -> Result<Self, Unavailable> {
        let holder = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|_| Unavailable::NoProgram("unshare"))?;
        let mut namespace = Self { holder };
        let echo = namespace.echo().map_err(|error| Unavailable::Refused("unshare", error.to_string()))?;
        if !echo {
            return Err(Unavailable::Refused("unshare", "no rights to make a network namespace".into()));
        }
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// A program to be run in this namespace.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg("--").arg(program);
        command
    }

    /// Runs `work` on a thread of its own in this namespace. What it opens stays in the namespace, whoever uses it later.
    ///
    /// # Errors
    /// As the system says when there is no thread to be had; not being able to enter is the thread's result.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<io::Result<T>>> {
        let door = File::open(self.path())?;
        std::thread::Builder::new().name("lab".into()).spawn(move || {
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        })
    }

    /// Passes packets on between the wires that end in it, as a router does.
    ///
    /// # Errors
    /// [`Unavailable`] without the rights it takes.
    pub fn forward(&self) -> Result<(), Unavailable> {
        let on = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        let done = self.command("sh").args(["-c", on]).output().map_err(|_| Unavailable::NoProgram("nsenter"))?;
        let said = || String::from_utf8_lossy(&done.stderr).trim().to_owned();
        if done.status.success() { Ok(()) } else { Err(Unavailable::Refused("forwarding", said())) }
    }

    /// Sets something up with iproute2.
    ///
    /// # Errors
    /// [`Unavailable`] without the program, or with what it said.
    pub fn ip(&self, arguments: &[&str]) -> Result<(), Unavailable> {
        let done = self.command("ip").args(arguments).output().map_err(|_| Unavailable::NoProgram("nsenter"))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(if said.contains("failed to execute") {
            Unavailable::NoProgram("iproute2")
        } else {
            Unavailable::Refused("ip", said)
        })
    }

    /// The file by which other programs enter it, as `nsenter --net` does, for as long as this value lives.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// The holder answers only once it is in its namespace.
    fn echo(&mut self) -> io::Result<bool> {
        let (Some(input), Some(output)) = (&mut self.holder.stdin, &mut self.holder.stdout) else { return Ok(false) };
        if input.write_all(b"\n").is_err() {
            return Ok(false);
        }
        Ok(BufReader::new(output).read_line(&mut String::new())? > 0)
    }
}
