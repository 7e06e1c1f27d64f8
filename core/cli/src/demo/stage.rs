//! The processes of the demonstration: a server, phones.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::phone::{News, Numbered, Order, Report, Sample};
use crate::serve::Ready;
use crate::trouble::Trouble;

/// How long anything but a call may take before the demonstration gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The server's process.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub ready: Ready,
    /// The folder of its database.
    pub data: PathBuf,
    /// Everything it logged.
    pub log: PathBuf,
}

impl Server {
    /// Starts a server on loopback that logs everything it can, and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] with what it said, [`Trouble::File`].
    pub async fn start(program: &Path, dir: &Path) -> Result<Self, Trouble> {
        Self::start_at(program, dir, &Place::here()).await
    }

    /// The same elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub async fn start_at(program: &Path, dir: &Path, place: &Place) -> Result<Self, Trouble> {
        let (data, log) = (dir.join("server"), dir.join("server.log"));
        let to_log = std::fs::File::create(&log).map_err(|error| Trouble::file(&log, &error))?;
        let mut command = place.command(program);
        let listen = SocketAddr::new(place.address, 0).to_string();
        command.args(["--log", "trace", "serve", "--json", "--until-input-ends", "--listen", &listen]);
        command.args(["--relay", "127.0.0.1:0", "--relay-to-loopback", "--admin", "127.0.0.1:0", "--data"]).arg(&data);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(to_log).kill_on_drop(true);
        let mut child = command.spawn().map_err(Trouble::system)?;
        let out = child.stdout.take().expect("its output is piped");
        let line = timeout(PATIENCE, BufReader::new(out).lines().next_line()).await;
        let ready = match line {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).map_err(Trouble::system)?,
            _ => return Err(Trouble::stage("the server", last_line(&log))),
        };
        Ok(Self { child, ready, data, log })
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Everything it counts, as its operator reads it.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if it does not answer.
    pub async fn figures(&self) -> Result<Value, Trouble> {
        let silent = || Trouble::stage("the server", "gives no figures");
        let admin = self.ready.admin.ok_or_else(silent)?;
        let read = async {
            let mut socket = TcpStream::connect(admin).await.ok()?;
            let request = format!("GET /figures HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.ok()?;
            let (_, body) = answer.split_once("\r\n\r\n")?;
            serde_json::from_str(body).ok()
        };
        timeout(PATIENCE, read).await.ok().flatten().ok_or_else(silent)
    }

    /// Stops it as an operator does, and waits for its end.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if it does not end, or not well.
    pub async fn stop(mut self) -> Result<(), Trouble> {
        use rustix::process::{Pid, Signal, kill_process};
        if let Some(pid) = i32::try_from(self.process()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).map_err(Trouble::system)?;
        }
        ended("the server", timeout(PATIENCE, self.child.wait()).await)
    }
}

/// A phone's process.
pub struct Phone {
    /// Whose it is.
    pub who: &'static str,
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    waiting: VecDeque<News>,
    /// Figures of calls, in order.
    pub samples: Vec<Sample>,
    errors: PathBuf,
    next: u64,
}

/// Where a process runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its network namespace, if it has one of its own.
    pub namespace: Option<PathBuf>,
    /// The address it uses there.
    pub address: IpAddr,
}

impl Place {
    /// On loopback.
    pub fn here() -> Self {
        Self { namespace: None, address: Ipv4Addr::LOCALHOST.into() }
    }

    /// A program to be run there.
    pub fn command(&self, program: &Path) -> Command {
        let Some(namespace) = &self.namespace else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", namespace.display())).arg("--").arg(program);
        command
    }
}

/// What a phone is started with.
#[derive(Debug, Clone)]
pub struct PhoneSettings {
    /// The program.
    pub program: PathBuf,
    /// Whose it is.
    pub who: &'static str,
    /// The demonstration's folder.
    pub dir: PathBuf,
    /// The server's address.
    pub server: String,
    /// The recording it speaks.
    pub voice: PathBuf,
    /// Where it runs.
    pub place: Place,
}

impl Phone {
    /// Switches a phone on and waits until the server answers it.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] with what it said.
    pub async fn start(settings: &PhoneSettings) -> Result<Self, Trouble> {
        let PhoneSettings { program, who, dir, server, voice, place } = settings;
        let errors = dir.join(format!("{who}.log"));
        let to_log = std::fs::File::create(&errors).map_err(|error| Trouble::file(&errors, &error))?;
        let (mut command, bind) = (place.command(program), place.address.to_string());
        command.args(["phone", "--server", server, "--plain", "--bind", &bind, "--data"]).arg(dir.join(who));
        command.arg("--voice").arg(voice);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(to_log).kill_on_drop(true);
        let mut child = command.spawn().map_err(Trouble::system)?;
        let orders = child.stdin.take().expect("its input is piped");
        let reports = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let (waiting, samples) = (VecDeque::new(), Vec::new());
        let mut phone = Self { who, child, orders, reports, waiting, samples, errors, next: 0 };
        phone.until("is connected", |news| matches!(news, News::Connected { yes: true })).await?;
        Ok(phone)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Gives an order and waits for what it gave.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] with the phone's own sentence.
    pub async fn ask(&mut self, order: Order) -> Result<Value, Trouble> {
        self.next += 1;
        let mine = self.next;
        let line = serde_json::to_string(&Numbered { id: mine, order }).map_err(Trouble::system)?;
        let written = self.orders.write_all(format!("{line}\n").as_bytes()).await;
        if written.is_err() {
            return Err(self.failed("has ended"));
        }
        let answer = async {
            loop {
                match self.next_report().await? {
                    Report::Done { id, value } if id == mine => return Ok(value),
                    Report::Refused { id, why, .. } if id == mine => return Err(Trouble::stage(self.who, why)),
                    Report::News(news) => self.keep(news),
                    Report::Done { .. } | Report::Refused { .. } => {}
                }
            }
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(Trouble::stage(self.who, "does not answer")))
    }

    /// The same where the answer has a type.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`].
    pub async fn ask_for<T: DeserializeOwned>(&mut self, order: Order) -> Result<T, Trouble> {
        serde_json::from_value(self.ask(order).await?).map_err(Trouble::system)
    }

    /// Gives an order that carries nothing.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`].
    pub async fn tell(&mut self, order: Order) -> Result<(), Trouble> {
        self.ask(order).await.map(drop)
    }

    /// Waits for news, the oldest that fits; what does not fit is kept for later.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if it does not come in time.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&News) -> bool) -> Result<News, Trouble> {
        self.within(PATIENCE, what, fits).await
    }

    /// The same with a patience of its own.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if it does not come in time.
    pub async fn within(
        &mut self,
        patience: Duration,
        what: &str,
        fits: impl Fn(&News) -> bool,
    ) -> Result<News, Trouble> {
        let who = self.who;
        let found = async {
            loop {
                if let Some(place) = self.waiting.iter().position(&fits) {
                    return Ok(self.waiting.remove(place).expect("it was just found"));
                }
                if let Report::News(news) = self.next_report().await? {
                    self.keep(news);
                }
            }
        };
        let late = |_| Err(Trouble::stage(who, format!("{} s passed and still not: {what}", patience.as_secs())));
        timeout(patience, found).await.unwrap_or_else(late)
    }

    /// Takes what it reports for so long: one that nobody reads stands still when the pipe is full.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if the phone fails.
    pub async fn listen(&mut self, time: Duration) -> Result<(), Trouble> {
        let listening = async {
            loop {
                if let Report::News(news) = self.next_report().await? {
                    self.keep(news);
                }
            }
        };
        timeout(time, listening).await.unwrap_or(Ok(()))
    }

    /// Forgets the news that waits: what comes next is about what comes next.
    pub fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Waits for figures that fit, in a call; gives whether they came in time.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if the phone fails.
    pub async fn sampled(&mut self, patience: Duration, fits: impl Fn(&Sample) -> bool) -> Result<bool, Trouble> {
        let found = async {
            while !self.samples.last().is_some_and(&fits) {
                if let Report::News(news) = self.next_report().await? {
                    self.keep(news);
                }
            }
            Ok(true)
        };
        timeout(patience, found).await.unwrap_or(Ok(false))
    }

    /// Kills the phone where it stands (SIGKILL).
    ///
    /// # Errors
    ///
    /// [`Trouble::System`].
    pub async fn kill(&mut self) -> Result<(), Trouble> {
        self.child.kill().await.map_err(Trouble::system)
    }

    /// Switches the phone off.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if it does not end, or not well.
    pub async fn quit(&mut self) -> Result<(), Trouble> {
        self.tell(Order::Quit).await?;
        self.ended().await
    }

    /// Waits for the end of a phone that was told to end.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if it does not end, or not well.
    pub async fn ended(&mut self) -> Result<(), Trouble> {
        let status = timeout(PATIENCE, self.child.wait()).await;
        ended(self.who, status)
    }

    fn keep(&mut self, news: News) {
        match news {
            News::Sample(sample) => self.samples.push(sample),
            news => self.waiting.push_back(news),
        }
    }

    async fn next_report(&mut self) -> Result<Report, Trouble> {
        let Ok(Some(line)) = self.reports.next_line().await else { return Err(self.failed("has ended")) };
        match serde_json::from_str(&line).map_err(Trouble::system)? {
            Report::News(News::Stopped { why }) => Err(Trouble::stage(self.who, why)),
            report => Ok(report),
        }
    }

    fn failed(&self, what: &str) -> Trouble {
        let said = last_line(&self.errors);
        Trouble::stage(self.who, if said.is_empty() { what.to_owned() } else { said })
    }
}

/// Makes an account for each of two.
///
/// # Errors
///
/// [`Trouble::Stage`].
pub async fn register(phones: &mut [Phone; 2]) -> Result<(), Trouble> {
    for phone in phones {
        let name = phone.who.to_owned();
        let (email, password) = (format!("{name}@example.org"), format!("a long password of {name}"));
        phone.tell(Order::Register { name, email, password }).await?;
    }
    Ok(())
}

/// The first asks the second, who has this name, and is accepted; waits until each sees the other there.
///
/// # Errors
///
/// [`Trouble::Stage`].
pub async fn befriend([asks, accepts]: &mut [Phone; 2], name: &str) -> Result<(), Trouble> {
    asks.tell(Order::Befriend { name: name.to_owned() }).await?;
    let asked = |news: &News| matches!(news, News::Friend { standing, .. } if standing == "asked_us");
    accepts.until("the friend request comes", asked).await?;
    accepts.tell(Order::Accept).await?;
    for phone in [asks, accepts] {
        phone.until("the friend is there", is_there).await?;
    }
    Ok(())
}

/// Whether a friend is online.
pub fn is_there(news: &News) -> bool {
    matches!(news, News::Friend { standing, online: true, .. } if standing == "friend")
}

fn ended(who: &str, status: Result<std::io::Result<ExitStatus>, impl Sized>) -> Result<(), Trouble> {
    match status {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Trouble::stage(who, format!("ended with {status}"))),
        Ok(Err(error)) => Err(Trouble::system(error)),
        Err(_) => Err(Trouble::stage(who, "does not end")),
    }
}

/// What a process said last before it ended.
fn last_line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().last().unwrap_or_default().trim_start_matches("sidetone: ").to_owned()
}
