//! One link: the one peer connection to one peer, with records and sound on it.
//!
//! This module and its submodules alone know the WebRTC library; none of its types leaves them. A [`Link`] carries
//! an ordered reliable channel of records, another of files, and a two-way track each for sound and pictures, agreed from the
//! start and silent until something is sent, so that a call on an open link renegotiates nothing. It decides nothing: it is told by the
//! engine what to open and whom to believe, and answers with [`News`].
//!
//! # Signaling
//! Both ends [`Link::open`] with opposite [`Role`]s and pass on to each other, through a channel that is already
//! authenticated and in the order they appear, every [`News::Local`] (to [`Link::accept`]) and [`News::Candidate`]
//! (to [`Link::add_candidate`]). No session description of a peer is ever parsed: the library reads text that
//! this module writes from typed values.
//!
//! # When a queue is full
//! Records out: [`SendRefused::Full`], wait with [`Link::room`]. Records in: the peer's sending stops (its SCTP
//! window closes) until the receiver of [`News`] takes some. Files: see [`BulkPort`]. Sound, both ways: the oldest frame goes. Orders:
//! [`Refused::Full`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

mod ahead;
mod bulk;
mod certificate;
pub mod description;
mod early;
mod echo;
mod footing;
mod ledger;
mod life;
mod media;
mod pace;
mod packet;
mod paths;
mod peer;
mod pieces;
mod porch;
mod pulse;
mod quic;
mod quiet;
mod records;
mod shake;
mod shared;
mod socket;
mod steady;
mod stream;
mod template;
mod traffic;
mod tunnel;
mod video;
mod vigil;
mod window;

pub use bulk::{BULK_BYTES, Beside, BulkClosed, BulkNews, BulkPath, BulkPort, BytesPerSecond};
pub use description::{Candidate, Description, Malformed};
pub use ledger::{Lending, Passed, Ways as Passing};
pub use media::{Inbound, MediaPort};
pub use video::{VideoPort, VideoStats};

#[cfg(test)]
pub(crate) use video::Cable;

use description::{Kind, Protocol};
use footing::Footing;
use life::{Life, Order};
use pace::Pace;
use pulse::Pulse;
use records::Outgoing;

use crate::socket::ServerError;

/// Longest record, in bytes: what a sealed record may have.
pub const RECORD_BYTES: usize = sidetone_crypto::record::MAX_RECORD;
/// How long a link may take from the peer's description to [`News::Up`] before it is [`DownReason::Unreachable`].
pub const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long the handshakes may take on a proven path before the link is [`DownReason::Unauthenticated`].
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a peer may stay silent before [`News::Interrupted`] while something is under way.
pub const INTERRUPTED_AFTER: Duration = Duration::from_millis(2500);
/// The same of an idle link under [`Watch::Close`].
pub const IDLE_INTERRUPTED_AFTER: Duration = Duration::from_secs(45);
/// The same of an idle link under [`Watch::Loose`].
pub const INTERRUPTED_AFTER_LOOSE: Duration = Duration::from_secs(8);
/// How long a peer may stay silent before [`News::Down`] with [`DownReason::Lost`] while something is under way.
pub const LOST_AFTER: Duration = Duration::from_secs(30);
/// The same of an idle link under [`Watch::Close`].
pub const IDLE_LOST_AFTER: Duration = Duration::from_secs(75);

/// Orders waiting for the link's task.
const ORDERS: usize = 2 * description::CANDIDATES + 8;

/// Which end of the link this is; the two ends must differ.
///
/// The offering end controls ICE and is the DTLS server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Describes itself first and controls ICE.
    Offer,
    /// Answers, and starts the DTLS handshake.
    Answer,
}

/// Which routes a link may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutePolicy {
    /// Never through a relay: no relay is contacted, and the peer's relay candidates are refused.
    DirectOnly,
    /// Whatever works, direct preferred.
    Any,
    /// Only through our relay: no address of this device is offered.
    RelayOnly,
}

/// What carries packets between this device and a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

/// Whom links believe to be a relay that is reached over TLS.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Trusts Mozilla's roots, and these beside them.
    ///
    /// # Errors
    /// [`ServerError::Certificate`] if one cannot be a root.
    pub fn new(roots: &[Vec<u8>]) -> Result<Self, ServerError> {
        crate::socket::trust(roots, b"stun.turn").map(Self)
    }

    fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.0))
    }
}

impl Default for Trust {
    /// Trusts Mozilla's roots.
    fn default() -> Self {
        Self::new(&[]).expect("none of no roots is wrong")
    }
}

/// A server that helps to find or to carry a route.
#[derive(Clone, PartialEq, Eq)]
pub enum IceServer {
    /// Tells this device its public address.
    Stun {
        /// Name or address.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// Relays packets, for those it gave a credential.
    Turn {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// How it is reached.
        transport: Transport,
        /// Time-limited user name.
        username: String,
        /// Password that belongs to it.
        password: String,
    },
}

/// Which local addresses a link uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// Every interface of the device except loopback and link-local ones.
    Everywhere,
    /// These addresses and no other.
    Only(Vec<IpAddr>),
}

/// How closely a proven path is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// All the time while something is under way, and while it is idle every 20 seconds: less than 2 kB a minute, both ways
    /// together.
    Close,
    /// The same, and every three seconds while it is idle, for 11 kB a minute: where it matters who is there.
    Loose,
}

/// What a link is opened with.
#[derive(Clone)]
pub struct Settings {
    /// Which end this is.
    pub role: Role,
    /// Servers for addresses and relays.
    pub servers: Vec<IceServer>,
    /// Which routes are allowed.
    pub policy: RoutePolicy,
    /// Which local addresses are used.
    pub bind: Bind,
    /// How closely the path is watched.
    pub watch: Watch,
    /// Whose relays are believed over TLS.
    pub trust: Trust,
}

/// Why a link could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A server's host, port or credential cannot be used.
    #[error("a server's address cannot be used")]
    Server,
    /// Only a relay may be used, and none is given.
    #[error("relay only, without a relay")]
    NoRelay,
    /// The system gave no socket, or the library could not start.
    #[error("no connection could be set up: {0}")]
    Setup(String),
}

/// Why a description or a candidate was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The policy forbids candidates of this kind.
    #[error("the route policy forbids this candidate")]
    Policy,
    /// Links carry UDP only.
    #[error("links carry UDP only")]
    Protocol,
    /// The peer offered more than [`description::CANDIDATES`] since its last description.
    #[error("too many candidates")]
    TooMany,
    /// The link's task is behind; try again later.
    #[error("the link is busy")]
    Full,
    /// The link is closed or down.
    #[error("the link is closed")]
    Closed,
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefused {
    /// As much as may wait is waiting; try again after [`Link::room`].
    #[error("the queue of records is full")]
    Full,
    /// Longer than [`RECORD_BYTES`].
    #[error("the record is too long")]
    TooLong,
    /// The link is closed or down.
    #[error("the link is closed")]
    Closed,
}

/// What a link has to tell.
///
/// Nothing follows [`News::Down`], and nothing is told after [`Link::close`].
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// How to authenticate this end: pass it to the peer.
    Local(Description),
    /// Where this end might be reached: pass it to the peer, after the description before it.
    Candidate(Candidate),
    /// Candidates were looked for everywhere, or for ten seconds where nobody answers; hardly any will follow.
    Gathered,
    /// The peer proved who it is and records can flow; everything else can once the link is up. Not every link comes to this.
    Ahead {
        /// SHA-256 of the certificate the peer really showed; always the one its description named.
        fingerprint: [u8; 32],
    },
    /// The link works: records can flow.
    Up {
        /// How it travels.
        route: Route,
        /// SHA-256 of the certificate the peer really showed; always the one its description named.
        fingerprint: [u8; 32],
    },
    /// A record from the peer, in the order it was sent, and none before the link carries them.
    Record(Vec<u8>),
    /// The link travels another way now, or a round trip on it takes another time.
    Route(Route),
    /// The peer stopped answering; what is sent meanwhile waits or, for sound, is lost.
    Interrupted,
    /// The peer answers again.
    Restored,
    /// The link is over.
    Down(DownReason),
}

/// Why a link ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownReason {
    /// The peer closed it.
    PeerClosed,
    /// No way to the peer was found within [`CONNECT_LIMIT`].
    Unreachable,
    /// A way was found, but who answered there did not prove to be the peer within [`HANDSHAKE_LIMIT`].
    Unauthenticated,
    /// The peer was silent for [`LOST_AFTER`].
    Lost,
    /// The peer did what no honest peer does.
    Breach,
    /// The library or the system failed.
    Broken,
}

/// How a link travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// From device to device.
    Direct {
        /// How far apart they are.
        kind: Reach,
        /// Round-trip time: of the last check, and while something is under way not older than a few seconds.
        rtt: Duration,
    },
    /// Through a relay.
    Relayed {
        /// Whose relay.
        by: RelayedBy,
        /// What carries packets between us and our relay; if it is theirs alone, from us it is UDP.
        protocol: Transport,
        /// Round-trip time, likewise.
        rtt: Duration,
    },
}

impl Route {
    /// The same with another round-trip time.
    fn taking(self, rtt: Duration) -> Self {
        match self {
            Self::Direct { kind, .. } => Self::Direct { kind, rtt },
            Self::Relayed { by, protocol, .. } => Self::Relayed { by, protocol, rtt },
        }
    }
}

/// How far apart two directly linked devices are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In one local network, or on one machine.
    Lan,
    /// Across the internet.
    Internet,
}

/// Whose relay carries a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayedBy {
    /// Ours.
    Us,
    /// The peer's.
    Them,
    /// Ours and the peer's, one after the other.
    Both,
}

/// When a link reached what on its way up, counted from its opening; `None` is not yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// The peer's description was taken.
    pub described: Option<Duration>,
    /// A path was proven in both directions (ICE).
    pub path: Option<Duration>,
    /// The handshakes were over and records could flow (DTLS, then SCTP).
    pub up: Option<Duration>,
}

/// Counts what passes a link.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Pace>);

impl Meter {
    /// What our relay said when it was asked to lend an address; none if it said nothing.
    #[must_use]
    pub fn lending(&self) -> Option<Lending> {
        self.0.ledger().lending()
    }

    /// What passed so far.
    #[must_use]
    pub fn read(&self) -> Passed {
        self.0.ledger().read()
    }
}

/// One peer connection; dropping it closes it in the background.
#[derive(Debug)]
pub struct Link {
    orders: mpsc::Sender<Order>,
    outgoing: Outgoing,
    media: MediaPort,
    video: VideoPort,
    bulk: BulkPort,
    pace: Arc<Pace>,
    footing: Footing,
    policy: RoutePolicy,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Link {
    /// Opens a link and starts gathering addresses; nothing touches the network before this.
    ///
    /// What happens is told through `news`. Its capacity is how far the receiver may fall behind before the peer
    /// is held back; a dropped receiver closes the link. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`LinkError`] when a server's address cannot be used or the system gives no socket.
    pub async fn open(settings: Settings, news: mpsc::Sender<News>) -> Result<Self, LinkError> {
        let pace = Arc::new(Pace::new(settings.policy));
        let (outgoing, queue) = records::queue();
        let (media, sound) = media::port();
        let (video, pictures) = video::port();
        let (bulk, pump) = bulk::port();
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (stop, stopped) = oneshot::channel();
        let policy = settings.policy;
        let (built, ready) = oneshot::channel();
        let task_pace = Arc::clone(&pace);
        let footing = Footing::new(settings.bind.clone());
        let ground = footing.clone();
        // On its own task from the start, so that giving up on opening frees what was opened.
        let life = async move {
            let pulse = Arc::new(Pulse::new());
            // What only the beginning needs, and what only the end does, is not kept for as long as a link lives.
            match peer::Peer::build(&settings, ground, Arc::clone(&task_pace), Arc::clone(&pulse)).boxed().await {
                Ok(peer) => {
                    // Nobody waiting any more is noticed by `stopped`.
                    let _ = built.send(Ok(()));
                    Life::new(&settings, peer, news, inbox, task_pace, pulse)
                        .live(queue, sound, pictures, pump, stopped)
                        .await;
                }
                Err(error) => drop(built.send(Err(error))),
            }
        };
        let task = tokio::spawn(life.boxed());
        ready.await.map_err(|_| LinkError::Setup("the task ended".into()))??;
        Ok(Self { orders, outgoing, media, video, bulk, pace, footing, policy, stop: Some(stop), task: Some(task) })
    }

    /// Takes the peer's description; one that is older than what is in force is ignored.
    ///
    /// # Errors
    /// [`Refused::Full`] or [`Refused::Closed`].
    pub fn accept(&self, remote: Description) -> Result<(), Refused> {
        self.order(Order::Accept(remote))
    }

    /// Takes one of the peer's candidates, which belongs to the last description taken or to the first to come.
    ///
    /// More than [`description::CANDIDATES`] per description are dropped.
    ///
    /// # Errors
    /// [`Refused`] when the policy or the protocol forbids it, or the link is behind or closed.
    pub fn add_candidate(&self, candidate: Candidate) -> Result<(), Refused> {
        if candidate.protocol() != Protocol::Udp {
            return Err(Refused::Protocol);
        }
        if self.policy == RoutePolicy::DirectOnly && candidate.kind() == Kind::Relay {
            return Err(Refused::Policy);
        }
        self.order(Order::Candidate(candidate))
    }

    /// Queues a record, which arrives once and in order if the link lasts; before [`News::Up`] it waits.
    ///
    /// # Errors
    /// [`SendRefused`] when the record is too long, too much is waiting, or the link is closed.
    pub fn send(&self, record: Vec<u8>) -> Result<(), SendRefused> {
        self.outgoing.send(record)
    }

    /// Returns once at least half of the queue of records is free, or the link is closed.
    pub async fn room(&self) {
        self.outgoing.room().await;
    }

    /// The port for sound, cheap to clone and free of locks.
    #[must_use]
    pub fn media(&self) -> MediaPort {
        self.media.clone()
    }

    /// The port for pictures, cheap to clone.
    #[must_use]
    pub fn video(&self) -> VideoPort {
        self.video.clone()
    }

    /// The port for files, cheap to clone.
    #[must_use]
    pub fn bulk(&self) -> BulkPort {
        self.bulk.clone()
    }

    /// The local addresses that the link uses from its next search for a path on, whichever end begins that.
    pub fn set_bind(&self, bind: Bind) {
        self.footing.set(bind);
    }

    /// Looks for new addresses and a new path, as after a change of network; tells a new [`News::Local`].
    ///
    /// # Errors
    /// [`Refused::Full`] or [`Refused::Closed`].
    pub fn restart_ice(&self) -> Result<(), Refused> {
        self.order(Order::Restart)
    }

    /// Whether the address that the link last sent from is not this device's any more: nothing comes back to it.
    #[must_use]
    pub fn is_severed(&self) -> bool {
        self.pace.from().is_some_and(is_gone)
    }

    /// When the link reached what.
    #[must_use]
    pub fn phases(&self) -> Phases {
        self.pace.phases()
    }

    /// How often the connection's task has woken so far: what it costs a battery.
    #[must_use]
    pub fn wakeups(&self) -> u64 {
        self.pace.wakeups()
    }

    /// Bytes of UDP payload that left so far, checks of the path and all; what QUIC sends for files is not among them.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.pace.sent()
    }

    /// What counts what passes this link; it may be read after the link is gone.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.pace))
    }

    /// Closes the link, telling the peer, for which it takes 75 ms at most, and returns when its sockets and tasks are gone.
    pub async fn close(mut self) {
        self.stop.take();
        if let Some(task) = self.task.take() {
            // An error here is a panic of the task, and a panicked task is as gone as a finished one.
            let _ = task.await;
        }
    }

    /// Closes the link as [`Link::close`] does, once the peer has the records that were sent, for which it waits a third of a
    /// second at most.
    pub async fn part(mut self) {
        if let Some(stop) = self.stop.take() {
            // A task that is gone hears nothing, and is waited for below.
            let _ = stop.send(());
        }
        self.close().await;
    }

    fn order(&self, order: Order) -> Result<(), Refused> {
        self.orders.try_send(order).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(_) => Refused::Closed,
        })
    }
}

/// Whether an address is not this device's any more.
pub(crate) fn is_gone(ip: IpAddr) -> bool {
    let bound = std::net::UdpSocket::bind((ip, 0));
    bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrNotAvailable)
}
