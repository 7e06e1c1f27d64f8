//! The process around the desk: listeners, sockets, a clock.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::Now;
use crate::config::{Config, Keep, Listener, StartError};
use crate::desk::{Desk, DeskConfig, Figures, RelayTerms};
use crate::local::LocalBus;
use crate::relay::{Relay, RelayFigures};
use crate::sqlite::SqliteStore;

mod driver;
mod http;
mod patience;
mod publish;
mod status;

use driver::Input;

/// Inputs that wait for the desk; when it is full, sockets wait with their next frame and TCP pushes back.
const INPUTS: usize = 1_024;
/// How long sockets get to take their goodbye.
const DRAIN: Duration = Duration::from_secs(3);

/// A server to be started.
pub struct Server;

/// A server that listens. Dropping it ends it without goodbye.
pub struct Running {
    /// Where phones open `ws://{addr}/v1/socket`.
    pub addr: SocketAddr,
    /// Where STUN and TURN listen (UDP).
    pub relay_addr: Option<SocketAddr>,
    /// Where `/figures`, `/radar` and `/status` are served.
    pub admin_addr: Option<SocketAddr>,
    inputs: mpsc::Sender<Input>,
    relay: Option<Relay>,
    tasks: Vec<JoinHandle<()>>,
    stopped: watch::Receiver<bool>,
}

/// Everything a server counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AllFigures {
    /// Sockets, frames and envelopes.
    pub desk: Figures,
    /// STUN and TURN.
    pub relay: RelayFigures,
}

/// The clock of this process.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Now {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { ticks_ms: millis(self.0.elapsed()), unix_ms: millis(unix) }
    }
}

impl Server {
    /// Opens the store, listens, and serves until [`Running::stop`]. When this returns, phones are answered.
    ///
    /// # Errors
    ///
    /// Each way to fail is a [`StartError`]; nothing is left behind.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let store = open(&config.keep)?;
        let clock = Clock::start();
        if let Some(addr) = config.admin.filter(|addr| !addr.ip().is_loopback()) {
            return Err(StartError::AdminNotLoopback(addr));
        }
        let (phones, addr) = listen(config.listen, Listener::Phones).await?;
        let admin = match config.admin {
            Some(addr) => Some(listen(addr, Listener::Admin).await?),
            None => None,
        };
        let secret = Zeroizing::new(seed()?.to_vec());
        let relay = match &config.relay {
            Some(relay) => Some(Relay::start(relay, clock, secret.clone(), seed()?).await?),
            None => None,
        };
        let relays = relay.as_ref().map(|relay| RelayTerms { urls: urls(relay.public()), secret });
        let desk = DeskConfig { limits: config.limits, relays, adults_only: config.adults_only };
        let desk = Desk::open(desk, LocalBus::new(seed()?), store, seed()?).await?;
        let (inputs, waiting) = mpsc::channel(INPUTS);
        let (stop, stopped) = watch::channel(false);
        driver::spawn(desk, clock, waiting, relay.as_ref().map(Relay::cut_off), stop)?;
        let figures = relay.as_ref().map(Relay::counters);
        let mut tasks = vec![http::phones(phones, inputs.clone())];
        let mut admin_addr = None;
        if let Some((listener, addr)) = admin {
            admin_addr = Some(addr);
            tasks.push(http::admin(listener, inputs.clone(), figures));
        }
        if let Some(publish) = &config.publish {
            tasks.extend(publish::start(publish, inputs.clone())?);
        }
        let relay_addr = relay.as_ref().map(Relay::addr);
        tracing::info!("the server is ready");
        Ok(Running { addr, relay_addr, admin_addr, inputs, relay, tasks, stopped })
    }
}

impl Running {
    /// What was counted so far.
    pub async fn figures(&self) -> AllFigures {
        let relay = self.relay.as_ref().map(|relay| relay.counters().read()).unwrap_or_default();
        AllFigures { desk: ask(&self.inputs, Input::Figures).await.unwrap_or_default(), relay }
    }

    /// Says goodbye to every phone, waits until they have it (3 s at most), and ends everything.
    pub async fn stop(mut self) {
        let _ = self.inputs.send(Input::Drain).await;
        let _ = tokio::time::timeout(DRAIN, self.stopped.wait_for(|stopped| *stopped)).await;
        let _ = self.inputs.send(Input::End).await;
        self.end();
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
        // The desk's thread drops its end of this after it has let go of the database.
        let _ = tokio::time::timeout(DRAIN, async { while self.stopped.changed().await.is_ok() {} }).await;
    }

    fn end(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let _ = self.inputs.try_send(Input::End);
        self.relay = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks the desk something and waits for the answer.
async fn ask<T>(inputs: &mpsc::Sender<Input>, question: impl FnOnce(oneshot::Sender<T>) -> Input) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    inputs.send(question(answer)).await.ok()?;
    answered.await.ok()
}

fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| StartError::System)?;
    Ok(seed)
}

fn open(keep: &Keep) -> Result<SqliteStore, StartError> {
    let Keep::Dir(dir) = keep else { return Ok(SqliteStore::in_memory()?) };
    std::fs::create_dir_all(dir).map_err(|error| StartError::DataDir(error.kind()))?;
    only_ours(dir);
    Ok(SqliteStore::open(&dir.join("accounts.db"))?)
}

/// Others on this machine have no business in the data directory. Where that cannot be set, the operator has decided.
#[cfg(unix)]
fn only_ours(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
}

#[cfg(not(unix))]
fn only_ours(_dir: &Path) {}

async fn listen(addr: SocketAddr, listener: Listener) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error: std::io::Error| cannot_listen(listener, addr, &error);
    let socket = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}

pub(crate) fn cannot_listen(listener: Listener, addr: SocketAddr, error: &std::io::Error) -> StartError {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortTaken { listener, addr },
        kind => StartError::CannotListen { listener, addr, kind },
    }
}

/// RFC 7064 and RFC 7065.
fn urls(relay: SocketAddr) -> Vec<String> {
    let host = match relay.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let port = relay.port();
    vec![format!("stun:{host}:{port}"), format!("turn:{host}:{port}?transport=udp")]
}
