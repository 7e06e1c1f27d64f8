//! The websocket to the server: opened again whenever it is lost, watched for silence, its frames counted.
//!
//! # When a queue is full
//! Frames in ([`SocketNews`]): nothing more is read until the driver takes some, so the server's side fills up and the
//! server ends the session with `overflow`. Frames out ([`FRAMES`]): the server takes nothing any more; the driver
//! drops the sender, which closes this socket and opens another.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use sidetone_wire::account::{Code, Empty, Refusal};
use sidetone_wire::frame::Frame;
use sidetone_wire::limits::{FRAME_BYTES, IDLE_MS, PING_MS};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as Refusing, Message};

pub mod backoff;
mod count;
mod server;

pub use count::Traffic;
pub(crate) use server::trust;
pub use server::{Plain, Server, ServerError};

use backoff::Backoff;
use count::Counted;

use crate::link::is_gone;

/// Frames that may wait to be sent.
pub const FRAMES: usize = 256;
/// The longest a connection may take to be made, or a frame to be taken.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the socket may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);
/// A socket that lived this long was a good one.
const STABLE: Duration = Duration::from_secs(60);
/// The wait after a refusal that waiting does not cure; the user may have done something about it meanwhile.
const REFUSED: Duration = Duration::from_secs(300);
/// The longest wait a server can impose.
const LONGEST: Duration = Duration::from_secs(3_600);

/// When a socket is asked whether it lives, and when it is given up.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Having said nothing for so long, we ask.
    pub rest: Duration,
    /// Having heard nothing for so long, we give it up.
    pub silence: Duration,
    /// The same when the network is in doubt and we just asked.
    pub probe: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let (rest, silence) = (Duration::from_millis(PING_MS), Duration::from_millis(IDLE_MS));
        Self { rest, silence, probe: Duration::from_secs(5) }
    }
}

/// What the socket says to the driver.
#[derive(Debug)]
pub enum SocketNews {
    /// It is open; what is sent goes here. Dropping this closes it.
    Open(mpsc::Sender<Frame>),
    /// A frame came.
    Frame(Frame),
    /// It is closed.
    Closed,
}

/// Counts since the client opened.
#[derive(Debug, Default)]
pub struct SocketCounts {
    /// Bytes on the wire below TLS, without TCP and IP.
    pub traffic: Arc<Traffic>,
    /// Connections that were made.
    pub opened: AtomicU64,
    /// Messages that were no frame.
    pub malformed: AtomicU64,
    /// How the last attempt to connect went, as [`reach`] numbers it.
    pub reach: AtomicU8,
}

/// How an attempt to connect went. Before the first has ended nothing is known, and while another is under way what the one
/// before showed still holds.
pub mod reach {
    /// The server answered.
    pub const OPEN: u8 = 1;
    /// Nobody did.
    pub const UNREACHABLE: u8 = 2;
    /// Somebody else did.
    pub const IMPOSTOR: u8 = 3;
}

/// The running socket; dropping it closes it.
pub struct Socket {
    nudge: Arc<Notify>,
    resting: watch::Sender<bool>,
    /// The addresses of the network that the phone is in, as far as they are known.
    here: watch::Sender<Vec<IpAddr>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Socket {
    /// Connects, and connects again, until it is closed or nobody listens to `news`. Must be called within a runtime.
    pub fn start(
        server: Server,
        pace: Pace,
        seed: [u8; 32],
        counts: Arc<SocketCounts>,
        news: mpsc::Sender<SocketNews>,
    ) -> Self {
        let nudge = Arc::new(Notify::new());
        let (stop, stopped) = oneshot::channel();
        let (resting, rest) = watch::channel(false);
        let (here, addresses) = watch::channel(Vec::new());
        let backoff = Backoff::new(seed);
        let keeper =
            Keeper { server, pace, counts, news, nudge: Arc::clone(&nudge), resting: rest, here: addresses, backoff };
        let keep = async move {
            tokio::select! {
                _ = stopped => {}
                () = keeper.run() => {}
            }
        };
        let task = tokio::spawn(keep.boxed());
        Self { nudge, resting, here, stop: Some(stop), task }
    }

    /// Leaves the server until [`Socket::rouse`]; the session is to be resumed.
    pub fn rest(&self) {
        self.resting.send_replace(true);
    }

    /// Ends a rest.
    pub fn rouse(&self) {
        self.resting.send_replace(false);
    }

    /// The network or the app's place changed: a waiting socket tries at once, an open one proves that it lives.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// The phone is in a network in which it has these addresses, none if they are not known: a socket that goes out from
    /// another one is made anew, since what is left of the network before may be gone at any moment; else as
    /// [`Socket::nudge`].
    pub fn enter(&self, addresses: Vec<IpAddr>) {
        self.here.send_if_modified(|here| {
            let moved = *here != addresses;
            *here = addresses;
            moved
        });
        self.nudge();
    }

    /// Closes it and returns when it is gone.
    pub async fn close(mut self) {
        self.stop.take();
        // An error is a panic of the task, and a panicked task is as gone as a finished one.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    server: Server,
    pace: Pace,
    counts: Arc<SocketCounts>,
    news: mpsc::Sender<SocketNews>,
    nudge: Arc<Notify>,
    resting: watch::Receiver<bool>,
    here: watch::Receiver<Vec<IpAddr>>,
    backoff: Backoff,
}

/// Why a socket is no more.
enum End {
    Lost,
    /// Its address is not this device's any more, or of another network than the one it is in.
    Severed,
    Refused(Refusal),
    /// The driver is gone.
    Unheard,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            // Who can end a rest ends this task as well.
            let _ = self.resting.wait_for(|resting| !*resting).await;
            self.here.mark_unchanged();
            let connecting = timeout(PATIENCE, connect(&self.server, &self.counts));
            let connected = tokio::select! {
                connected = connecting => connected,
                // It was begun in the network before, whose answer may never come. Who can end this ends this task as well.
                Ok(()) = self.here.changed() => continue,
            };
            let end = match connected {
                Ok(Ok(socket)) => self.live(socket).await,
                Ok(Err(error)) => {
                    tracing::debug!(kind = error.step(), "no connection to the server");
                    let reach = if matches!(error, NoSocket::Impostor) { reach::IMPOSTOR } else { reach::UNREACHABLE };
                    self.counts.reach.store(reach, Ordering::Relaxed);
                    End::Lost
                }
                Err(_) => {
                    self.counts.reach.store(reach::UNREACHABLE, Ordering::Relaxed);
                    End::Lost
                }
            };
            let wait = match end {
                End::Unheard => return,
                End::Severed => Duration::ZERO,
                End::Lost => self.backoff.next_wait(),
                End::Refused(refusal) => self.backoff.wait_at_least(pause(refusal)),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.nudge.notified() => self.backoff.reset(),
            }
        }
    }

    async fn live(&mut self, (socket, local): Connected) -> End {
        self.counts.opened.fetch_add(1, Ordering::Relaxed);
        self.counts.reach.store(reach::OPEN, Ordering::Relaxed);
        let (sender, outgoing) = mpsc::channel(FRAMES);
        if self.news.send(SocketNews::Open(sender)).await.is_err() {
            return End::Unheard;
        }
        let born = Instant::now();
        let end = self.talk(socket, local, outgoing).await;
        if born.elapsed() >= STABLE {
            self.backoff.reset();
        }
        if self.news.send(SocketNews::Closed).await.is_err() {
            return End::Unheard;
        }
        end
    }

    async fn talk(
        &self,
        mut socket: WebSocketStream<Box<dyn Stream>>,
        local: Option<IpAddr>,
        mut outgoing: mpsc::Receiver<Frame>,
    ) -> End {
        let (mut heard, mut said) = (Instant::now(), Instant::now());
        let (mut probed, mut greeted): (Option<Instant>, _) = (None, false);
        let mut resting = self.resting.clone();
        let born_in = self.here.borrow().clone();
        let mut farewell = None;
        let mut goodbye = None;
        loop {
            let silent = probed.map_or(heard + self.pace.silence, |probed| probed + self.pace.probe);
            let frame = tokio::select! {
                message = socket.next() => {
                    let Some(Ok(message)) = message else { break };
                    (heard, probed) = (Instant::now(), None);
                    match self.hear(message).await {
                        Ok(None) => {}
                        Ok(Some(refusal)) => farewell = Some(refusal),
                        Err(end) => return end,
                    }
                    continue;
                }
                frame = outgoing.recv() => match frame {
                    Some(frame) => frame,
                    None => {
                        goodbye = Some(CloseFrame { code: CloseCode::Normal, reason: "".into() });
                        break;
                    }
                },
                () = sleep_until(said + self.pace.rest) => Frame::Ping(Empty::default()),
                () = self.nudge.notified() => {
                    if local.is_some_and(|local| is_gone(local) || self.is_elsewhere(local, &born_in)) {
                        return End::Severed;
                    }
                    // Who asks often is not to wait the longer for it.
                    probed.get_or_insert_with(Instant::now);
                    // The server hears no other word before the greeting, which it answers as well.
                    if !greeted {
                        continue;
                    }
                    Frame::Ping(Empty::default())
                }
                () = rest(&mut resting) => break,
                () = sleep_until(silent) => break,
            };
            (said, greeted) = (Instant::now(), true);
            let Ok(bytes) = frame.to_bytes() else { continue };
            if !matches!(timeout(PATIENCE, socket.send(Message::binary(bytes))).await, Ok(Ok(()))) {
                break;
            }
        }
        // Only who leaves for good says so: any other session is to be resumed.
        let _ = timeout(FAREWELL, socket.close(goodbye)).await;
        farewell.map_or(End::Lost, End::Refused)
    }

    /// Whether the phone came into another network than the one in which a socket was made, and the socket's address is
    /// none that it has there. An address that the app did not choose may be of none that the system tells of: once for
    /// each network is enough.
    fn is_elsewhere(&self, local: IpAddr, born_in: &[IpAddr]) -> bool {
        let here = self.here.borrow();
        self.server.local.is_none() && !here.is_empty() && *here != born_in && !here.contains(&local.to_canonical())
    }

    /// Passes a frame on; gives the refusal if it is the last one.
    async fn hear(&self, message: Message) -> Result<Option<Refusal>, End> {
        let Message::Binary(bytes) = message else { return Ok(None) };
        let Ok(frame) = Frame::from_server(&bytes) else {
            self.counts.malformed.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        let refusal = match &frame {
            Frame::Pong(_) => return Ok(None),
            Frame::Goaway(refusal) => Some(*refusal),
            _ => None,
        };
        self.news.send(SocketNews::Frame(frame)).await.map_err(|_| End::Unheard)?;
        Ok(refusal)
    }
}

/// Returns when the socket is to be left.
async fn rest(resting: &mut watch::Receiver<bool>) {
    // Who can no more ask for it ends the socket.
    let _ = resting.wait_for(|resting| *resting).await;
}

/// How long a refused client stays away.
fn pause(refusal: Refusal) -> Duration {
    let asked = Duration::from_millis(refusal.retry_ms).min(LONGEST);
    match refusal.code {
        Code::Version | Code::Suspended | Code::Closed | Code::Replaced => asked.max(REFUSED),
        _ => asked,
    }
}

/// What a websocket runs on.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Connects from one of the addresses of this device.
async fn from(local: IpAddr, server: &Server) -> std::io::Result<TcpStream> {
    let mut failed = std::io::ErrorKind::NotFound.into();
    for to in tokio::net::lookup_host((server.host.as_str(), server.port)).await? {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        let bound = if to.is_ipv4() == local.is_ipv4() { socket.bind((local, 0).into()) } else { Ok(()) };
        match async { bound.map(|()| socket.connect(to))?.await }.await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// An open socket, and the address of this device that it goes out from.
type Connected = (WebSocketStream<Box<dyn Stream>>, Option<IpAddr>);

/// At which step a connection failed, and nothing about where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoSocket {
    Tcp,
    Tls,
    Websocket,
    /// Somebody else answered: with another certificate, or with a page.
    Impostor,
}

impl NoSocket {
    fn step(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Websocket => "websocket",
            Self::Impostor => "impostor",
        }
    }

    fn of_tls(error: &std::io::Error) -> Self {
        let other = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match other {
            // A page in clear, where TLS was spoken to a server: that is no TLS at all.
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidMessage(_)) => Self::Impostor,
            _ => Self::Tls,
        }
    }

    /// A page, a redirection to one, or the answer made for this (RFC 6585 section 6): the server itself refuses with others.
    fn of_websocket(error: &Refusing) -> Self {
        match error {
            Refusing::Http(answer)
                if answer.status().is_success() || answer.status().is_redirection() || answer.status() == 511 =>
            {
                Self::Impostor
            }
            Refusing::Protocol(_) => Self::Impostor,
            _ => Self::Websocket,
        }
    }
}

async fn connect(server: &Server, counts: &SocketCounts) -> Result<Connected, NoSocket> {
    let tcp = match server.local {
        None => TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|_| NoSocket::Tcp)?,
        Some(local) => from(local, server).await.map_err(|_| NoSocket::Tcp)?,
    };
    tcp.set_nodelay(true).map_err(|_| NoSocket::Tcp)?;
    let here = tcp.local_addr().ok().map(|address| address.ip());
    let counted = Counted::new(tcp, Arc::clone(&counts.traffic));
    let stream: Box<dyn Stream> = match &server.tls {
        None => Box::new(counted),
        Some((config, name)) => {
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
            Box::new(connector.connect(name.clone(), counted).await.map_err(|error| NoSocket::of_tls(&error))?)
        }
    };
    let limits = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES)).max_frame_size(Some(FRAME_BYTES));
    let opened = tokio_tungstenite::client_async_with_config(&server.request, stream, Some(limits)).await;
    opened.map(|(socket, _)| (socket, here)).map_err(|error| NoSocket::of_websocket(&error))
}
