//! What the parts of a link's life share, and what its owner is told by them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Mutex as Turns, Notify, mpsc, watch};

use super::ahead::Lane;
use super::bulk::Ends;
use super::echo::Echo;
use super::life::End;
use super::pace::{Milestone, Pace};
use super::peer::Peer;
use super::pulse::Pulse;
use super::quic::Nest;
use super::{News, Role, Route};

/// What the parts of a life share.
pub(super) struct Shared {
    pub(super) peer: Peer,
    pub(super) news: mpsc::Sender<News>,
    pub(super) pace: Arc<Pace>,
    pub(super) role: Role,
    /// The certificate the peer's description named.
    pub(super) trusted: watch::Sender<Option<[u8; 32]>>,
    /// Addresses that the peer borrows from a relay: a path that ends at one is relayed, whatever it first looked like.
    pub(super) borrowed: watch::Sender<Vec<SocketAddr>>,
    /// Bytes of records sent that the peer has not said to have taken.
    pub(super) untaken: AtomicUsize,
    /// Whether the peer was said to be silent.
    silent: AtomicBool,
    /// Told when the link is left by its owner.
    pub(super) leaving: Notify,
    /// Told when a record leaves.
    pub(super) sends: Notify,
    /// Told when half of the window is empty, or the peer took something.
    pub(super) emptied: Notify,
    /// Whether the channel of records is up here; some may have come before.
    pub(super) up: watch::Sender<bool>,
    arrived: Turns<Arrived>,
    /// What goes ahead of it, while it does, and where the tasks of that live.
    pub(super) lane: watch::Sender<Option<Arc<Lane>>>,
    pub(super) ahead: Nest,
    /// Whether the channel of files is open here: what came before would be lost.
    pub(super) bulk_open: watch::Sender<bool>,
    /// How the link travels, once it does.
    pub(super) travels: watch::Sender<Option<Route>>,
    /// How often it took another path since it was up.
    pub(super) moves: watch::Sender<u64>,
    /// How long a round trip takes.
    pub(super) echo: Echo,
    /// The beat of sound that goes out.
    pub(super) pulse: Arc<Pulse>,
    /// Where the tasks of QUIC live.
    pub(super) nest: Nest,
}

/// What the owner was told, whichever way it came.
#[derive(Default)]
struct Arrived {
    /// That records can flow.
    flow: bool,
    records: u64,
}

impl Shared {
    pub(super) fn new(role: Role, peer: Peer, news: mpsc::Sender<News>, pace: Arc<Pace>, pulse: Arc<Pulse>) -> Self {
        Self {
            peer,
            news,
            pace,
            role,
            trusted: watch::Sender::new(None),
            borrowed: watch::Sender::new(Vec::new()),
            untaken: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
            leaving: Notify::new(),
            sends: Notify::new(),
            emptied: Notify::new(),
            up: watch::Sender::new(false),
            arrived: Turns::default(),
            lane: watch::Sender::new(None),
            ahead: Nest::new(),
            bulk_open: watch::Sender::new(false),
            travels: watch::Sender::new(None),
            moves: watch::Sender::new(0),
            echo: Echo::new(),
            pulse,
            nest: Nest::new(),
        }
    }

    /// Whether files have to leave room for sound.
    pub(super) fn is_held(&self, files: &Ends) -> bool {
        files.is_held() || self.pulse.is_beating()
    }

    /// The link travels this way now.
    pub(super) fn travel(&self, route: Route) {
        self.pace.travel(route);
        self.travels.send_replace(Some(route));
    }

    /// The link takes another path.
    pub(super) fn moved(&self) {
        self.echo.moved();
        self.moves.send_modify(|moves| *moves += 1);
    }

    /// A question was answered: tells how long a round trip takes, if it is another time than before.
    pub(super) async fn echoed(&self, number: u64) -> Result<(), End> {
        let Some(rtt) = self.echo.answered(number) else { return Ok(()) };
        let route = self.travels.borrow().map(|route| route.taking(rtt));
        match route {
            Some(route) => self.tell(News::Route(route)).await,
            None => Ok(()),
        }
    }

    /// How the link travels now.
    pub(super) async fn route(&self) -> Option<Route> {
        let borrowed = self.borrowed.borrow().clone();
        self.peer.route(&borrowed).await
    }

    pub(super) async fn tell(&self, news: News) -> Result<(), End> {
        self.news.send(news).await.map_err(|_| End::Owner)
    }

    /// Tells that the peer is silent, unless it was told.
    pub(super) async fn interrupted(&self) -> Result<(), End> {
        match self.silent.swap(true, Ordering::AcqRel) {
            false => self.tell(News::Interrupted).await,
            true => Ok(()),
        }
    }

    /// Tells that the peer is heard again, if it was silent.
    pub(super) async fn restored(&self) -> Result<(), End> {
        match self.silent.swap(false, Ordering::AcqRel) {
            true => self.tell(News::Restored).await,
            false => Ok(()),
        }
    }

    /// Whether records are under way that the peer has not acknowledged.
    pub(super) async fn is_awaited(&self) -> bool {
        self.peer.channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0)
    }

    /// Returns when sound or a record leaves.
    pub(super) async fn stirred(&self) {
        tokio::select! {
            () = self.sends.notified() => {}
            () = self.pulse.stirred() => {}
        }
    }

    /// Records can flow ahead of their channel.
    pub(super) async fn come_ahead(&self, fingerprint: [u8; 32]) -> Result<(), End> {
        let mut arrived = self.arrived.lock().await;
        if std::mem::replace(&mut arrived.flow, true) {
            return Ok(());
        }
        self.tell(News::Ahead { fingerprint }).await
    }

    /// The channel of records is up.
    pub(super) async fn come_up(&self, route: Route, fingerprint: [u8; 32]) -> Result<(), End> {
        let mut arrived = self.arrived.lock().await;
        arrived.flow = true;
        self.pace.reach(Milestone::Up);
        self.pace.calm();
        self.tell(News::Up { route, fingerprint }).await?;
        self.pace.shake().up();
        self.up.send_replace(true);
        Ok(())
    }

    /// Tells a record which came as that one from the first on, unless it came before by another way.
    pub(super) async fn deliver(&self, number: u64, record: Vec<u8>) -> Result<(), End> {
        let mut arrived = self.arrived.lock().await;
        if number == arrived.records {
            self.tell(News::Record(record)).await?;
            arrived.records += 1;
        }
        Ok(())
    }

    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow()
    }
}
