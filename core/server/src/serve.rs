//! The process around the desk: listeners, sockets, a clock.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::Now;
use crate::config::{CertificateError, Config, Keep, Listener, PushConfig, StartError, TlsConfig};
use crate::desk::{Desk, DeskConfig, Figures, RelayTerms};
use crate::local::LocalBus;
use crate::push::{self, Bells, Es256};
use crate::relay::{Counters, Lines, Relay, RelayFigures};
use crate::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

mod certificates;
mod door;
mod driver;
mod gate;
mod http;
mod patience;
mod publish;
mod status;

use certificates::Certificates;
use door::{Door, Inside};
use driver::Input;
pub use gate::Crowd;
pub(crate) use gate::Gate;
use patience::Patient;

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
    /// Where phones open `wss://` and reach the relay over TLS.
    pub tls_addr: Option<SocketAddr>,
    /// Where STUN and TURN listen (UDP and TCP).
    pub relay_addr: Option<SocketAddr>,
    /// Where `/figures`, `/radar` and `/status` are served.
    pub admin_addr: Option<SocketAddr>,
    inputs: mpsc::Sender<Input>,
    relay: Option<Relay>,
    certificates: Option<Certificates>,
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
        let mut store = open(&config.keep)?;
        let clock = Clock::start();
        if let Some(addr) = config.admin.filter(|addr| !addr.ip().is_loopback()) {
            return Err(StartError::AdminNotLoopback(addr));
        }
        let (phones, addr) = listen(config.listen, Listener::Phones).await?;
        let admin = match config.admin {
            Some(addr) => Some(listen(addr, Listener::Admin).await?),
            None => None,
        };
        let shared = config.relay.as_ref().and_then(|relay| relay.secret.clone());
        let secret = match shared {
            Some(shared) => shared,
            None => Zeroizing::new(seed()?.to_vec()),
        };
        let relay = match &config.relay {
            Some(relay) => Some(Relay::start(relay, clock, secret.clone(), seed()?).await?),
            None => None,
        };
        let counters = relay.as_ref().map(Relay::counters).unwrap_or_default();
        let tls = match &config.tls {
            Some(tls) => Some(door(tls, clock, relay.as_ref().map(Relay::lines), Arc::clone(&counters)).await?),
            None => None,
        };
        let tls_addr = tls.as_ref().map(|(_, inside, _)| inside.addr());
        let relays = terms(&config, relay.as_ref(), tls_addr, secret)?;
        let bells = match &config.push {
            Some(push) => Some(bells(push, clock, &mut store).await?),
            None => None,
        };
        let push_key = bells.as_ref().map(Bells::key);
        let desk = DeskConfig { limits: config.limits, relays, adults_only: config.adults_only, push_key };
        let desk = Desk::open(desk, LocalBus::new(seed()?), store, seed()?).await?;
        let (inputs, waiting) = mpsc::channel(INPUTS);
        let (stop, stopped) = watch::channel(false);
        let (wakes, wanted) = mpsc::channel(push::WAITING);
        let wakes = bells.is_some().then_some(wakes);
        driver::spawn(desk, clock, waiting, relay.as_ref().map(Relay::cut_off), wakes, stop)?;
        let mut tasks = vec![http::phones(Patient(phones), inputs.clone())];
        if let Some(bells) = bells {
            let inputs = inputs.clone();
            tasks.push(tokio::spawn(bells.run(wanted, move |wake| drop(inputs.try_send(Input::Gone(wake))))));
        }
        let mut certificates = None;
        if let Some((shown, inside, task)) = tls {
            certificates = Some(shown);
            tasks.extend([http::phones(inside, inputs.clone()), task]);
        }
        let mut admin_addr = None;
        if let Some((listener, addr)) = admin {
            admin_addr = Some(addr);
            tasks.push(http::admin(listener, inputs.clone(), counters));
        }
        if let Some(publish) = &config.publish {
            tasks.extend(publish::start(publish, inputs.clone())?);
        }
        let relay_addr = relay.as_ref().map(Relay::addr);
        tracing::info!("the server is ready");
        Ok(Running { addr, tls_addr, relay_addr, admin_addr, inputs, relay, certificates, tasks, stopped })
    }
}

impl Running {
    /// What was counted so far.
    pub async fn figures(&self) -> AllFigures {
        let relay = self.relay.as_ref().map(|relay| relay.counters().read()).unwrap_or_default();
        AllFigures { desk: ask(&self.inputs, Input::Figures).await.unwrap_or_default(), relay }
    }

    /// Reads the certificate of the TLS listener again; connections that are open keep theirs.
    ///
    /// # Errors
    ///
    /// [`CertificateError`], and the one before goes on being shown.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let reloaded = self.certificates.as_ref().map_or(Ok(()), Certificates::reload);
        match &reloaded {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(_) => tracing::warn!("the certificate cannot be read again: the one before is shown on"),
        }
        reloaded
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

/// What rings phones, under a key that is kept: phones subscribe to it.
async fn bells(config: &PushConfig, clock: Clock, store: &mut SqliteStore) -> Result<Bells, StartError> {
    let fresh = Zeroizing::new(Es256::fresh().ok_or(StartError::System)?);
    let key = Zeroizing::new(store.secret("push", &fresh).await?);
    Bells::new(config, Es256::read(&key).ok_or(StartError::Store(StoreError::Damaged))?, clock)
}

async fn door(
    config: &TlsConfig,
    clock: Clock,
    lines: Option<Lines>,
    counters: Arc<Counters>,
) -> Result<(Certificates, Inside, JoinHandle<()>), StartError> {
    let certificates = Certificates::open(&config.certificate, &config.key)?;
    let (listener, addr) = listen(config.listen, Listener::Tls).await?;
    let door = Door { listener, clock, crowd: config.crowd, lines, counters };
    let (inside, task) = door.open(addr, &certificates);
    Ok((certificates, inside, task))
}

/// What phones are told of relays.
fn terms(
    config: &Config,
    relay: Option<&Relay>,
    tls: Option<SocketAddr>,
    secret: Zeroizing<Vec<u8>>,
) -> Result<Option<RelayTerms>, StartError> {
    if let Some(elsewhere) = &config.elsewhere {
        let terms = RelayTerms { urls: elsewhere.urls.clone(), secret: elsewhere.secret.clone() };
        return if elsewhere.is_readable() { Ok(Some(terms)) } else { Err(StartError::Elsewhere) };
    }
    let Some(relay) = relay else { return Ok(None) };
    let (public, name) = (relay.public(), config.tls.as_ref().and_then(|tls| tls.name.clone()));
    let secure = tls.map(|tls| (name.unwrap_or_else(|| host(public.ip())), tls.port()));
    Ok(Some(RelayTerms { urls: urls(public, secure), secret }))
}

/// RFC 7064 and RFC 7065, by falling preference.
fn urls(relay: SocketAddr, secure: Option<(String, u16)>) -> Vec<String> {
    let (host, port) = (host(relay.ip()), relay.port());
    let mut urls = vec![
        format!("stun:{host}:{port}"),
        format!("turn:{host}:{port}?transport=udp"),
        format!("turn:{host}:{port}?transport=tcp"),
    ];
    urls.extend(secure.map(|(host, port)| format!("turns:{host}:{port}?transport=tcp")));
    urls
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}
