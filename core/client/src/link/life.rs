//! The life of a link: one task that owns the connection, from the first description to the last socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FusedFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use webrtc::peer_connection::{RTCIceCandidateInit, RTCIceConnectionState, RTCSessionDescription};

use super::ahead;
use super::bulk::{self, Bulk};
use super::description::{CANDIDATES, Candidate, Description, Kind};
use super::media::Sound;
use super::pace::{Milestone, Pace};
use super::peer::{Fact, Peer};
use super::pulse::Pulse;
use super::records::Queue;
use super::shared::Shared;
use super::template::{self, Half};
use super::traffic::{Tracks, last_words, listen, receive, speak, transmit};
use super::video::{self, Pictures};
use super::vigil;
use super::{CONNECT_LIMIT, DownReason, HANDSHAKE_LIMIT, News, Role, Settings};

/// How long gathering may take: of a server that does not answer the library does not tell.
const GATHER_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for the library's task to go; it is aborted before that.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the owner asks of a link.
#[derive(Debug)]
pub(super) enum Order {
    Accept(Description),
    Candidate(Candidate),
    Restart,
}

/// Why a life is over.
pub(super) enum End {
    /// The owner closed the link or stopped listening.
    Owner,
    Down(DownReason),
}

impl From<webrtc::error::Error> for End {
    fn from(error: webrtc::error::Error) -> Self {
        tracing::debug!(%error, "the library refused a step");
        Self::Down(DownReason::Broken)
    }
}

/// A part of a life; whichever ends first ends all.
pub(super) type Part<'a> = BoxFuture<'a, End>;

/// A link before it lives.
pub(super) struct Life {
    shared: Box<Shared>,
    inbox: mpsc::Receiver<Order>,
    facts: mpsc::Receiver<Fact>,
    ice: watch::Receiver<RTCIceConnectionState>,
}

impl Life {
    pub(super) fn new(
        settings: &Settings,
        (peer, facts): (Peer, mpsc::Receiver<Fact>),
        news: mpsc::Sender<News>,
        inbox: mpsc::Receiver<Order>,
        pace: Arc<Pace>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let ice = peer.ice.clone();
        pace.porch().open(settings.role);
        let shared = Box::new(Shared::new(settings.role, peer, news, pace, pulse));
        Self { shared, inbox, facts, ice }
    }

    /// Lives until the owner stops it or the link is down, then frees everything.
    pub(super) async fn live(
        self,
        mut queue: Queue,
        sound: Sound,
        pictures: Pictures,
        mut files: Bulk,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let Self { shared, inbox, facts, ice } = self;
        let (tracks, heard, seen) = Tracks::new();
        let (mut broken, mut parting) = (false, false);
        let stop = async {
            parting = (&mut stopped).await.is_ok();
            End::Owner
        };
        let gone = async {
            shared.peer.ended.notified().await;
            broken = true;
            End::Down(DownReason::Broken)
        };
        let talk = Talk::new(&shared, inbox, facts, ice, tracks).run();
        let speaking = speak(&shared, &sound).map(|()| End::Owner);
        let listening = listen(heard, &sound).map(|()| End::Owner);
        let mut transmitting = transmit(&shared, &mut queue).boxed().fuse();
        // Each part is woken alone: a packet of one is no work for all.
        let mut parts: FuturesUnordered<Part<'_>> = FuturesUnordered::new();
        parts.push(Box::pin(stop));
        parts.push(Box::pin(gone));
        parts.push(Box::pin(talk));
        parts.push(Box::pin(receive(&shared)));
        parts.push(Box::pin(&mut transmitting));
        parts.push(Box::pin(ahead::run(&shared)));
        parts.push(Box::pin(bulk::carry(&shared, &mut files)));
        parts.push(Box::pin(speaking));
        parts.push(Box::pin(listening));
        parts.extend(video::parts(&shared, seen, &pictures));
        parts.push(Box::pin(vigil::watch(&shared)));
        parts.push(Box::pin(repeat(&shared)));
        let end = parts.next().await.unwrap_or(End::Owner);
        drop(parts);
        // The library gives up on a handshake that fails too often or that the peer gives up; whoever notices first.
        let shaking = shared.pace.phases().path.is_some() && !shared.is_up();
        let end = match end {
            End::Down(DownReason::Broken) if shaking => End::Down(DownReason::Unauthenticated),
            end => end,
        };
        if matches!(end, End::Owner) && shared.is_up() && !transmitting.is_terminated() {
            shared.leaving.notify_one();
            transmitting.await;
        } else {
            drop(transmitting);
        }
        match end {
            End::Owner if shared.is_up() => last_words(&shared, &mut queue, parting).await,
            End::Owner => ahead::last_words(&shared, &mut queue, parting).await,
            End::Down(_) => {}
        }
        drop(queue);
        drop(pictures);
        drop(files);
        shared.ahead.end().await;
        shared.nest.end().await;
        shared.pace.leave();
        if let Err(error) = shared.peer.connection.close().await {
            tracing::debug!(%error, "closing a connection");
        }
        if !broken {
            let _ = tokio::time::timeout(FAREWELL, shared.peer.ended.notified()).await;
        }
        let (news, tunnels) = (shared.news.clone(), Arc::clone(&shared.peer.tunnels));
        drop(shared);
        let _ = tokio::time::timeout(FAREWELL, tunnels.end()).await;
        if let End::Down(reason) = end {
            tokio::select! {
                _ = news.send(News::Down(reason)) => {}
                _ = stopped => {}
            }
        }
    }
}

/// Where the exchange of descriptions stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    AwaitOffer,
    AwaitAnswer,
    Settled,
}

/// The part of a life that exchanges descriptions and candidates and watches the path.
struct Talk<'a> {
    shared: &'a Shared,
    inbox: mpsc::Receiver<Order>,
    facts: mpsc::Receiver<Fact>,
    ice: watch::Receiver<RTCIceConnectionState>,
    tracks: Tracks,
    stage: Stage,
    generation: u32,
    /// Candidates that came before their description.
    early: Vec<Candidate>,
    /// Candidates taken since the last description.
    taken: usize,
    path: bool,
    deadline: Option<Instant>,
    /// Until when gathering may last, while it lasts.
    gathering: Option<Instant>,
    /// A restart was asked for while another was being agreed on.
    again: bool,
}

impl<'a> Talk<'a> {
    fn new(
        shared: &'a Shared,
        inbox: mpsc::Receiver<Order>,
        facts: mpsc::Receiver<Fact>,
        ice: watch::Receiver<RTCIceConnectionState>,
        tracks: Tracks,
    ) -> Self {
        let stage = match shared.role {
            Role::Offer => Stage::AwaitAnswer,
            Role::Answer => Stage::AwaitOffer,
        };
        Self {
            shared,
            inbox,
            facts,
            ice,
            tracks,
            stage,
            generation: 0,
            early: Vec::new(),
            taken: 0,
            path: false,
            deadline: None,
            gathering: None,
            again: false,
        }
    }

    async fn run(mut self) -> End {
        match self.talk().await {
            Ok(never) => never,
            Err(end) => end,
        }
    }

    async fn talk(&mut self) -> Result<End, End> {
        self.begin().await?;
        let mut up = self.shared.up.subscribe();
        loop {
            let (expired, gathered) = (at(self.deadline), at(self.gathering));
            tokio::select! {
                Some(order) = self.inbox.recv() => self.obey(order).await?,
                Some(fact) = self.facts.recv() => self.learn(fact).await?,
                Ok(()) = self.ice.changed() => self.path().await?,
                Ok(()) = up.changed() => self.deadline = None,
                () = self.shared.pace.look(), if self.shared.is_up() => self.look().await?,
                () = expired => return Ok(End::Down(self.too_late())),
                () = gathered => self.gathered().await?,
                else => return Ok(End::Owner),
            }
        }
    }

    /// Describes this end and starts gathering.
    ///
    /// The answering end cannot answer before it was described to, but its credentials and certificate exist, so
    /// it need not wait to tell them, nor to gather; asking for a restart is how the library is told to gather.
    async fn begin(&mut self) -> Result<(), End> {
        self.gather();
        let connection = &self.shared.peer.connection;
        let offer = connection.create_offer(None).await?;
        let own = own(&offer.sdp, 0)?;
        match self.shared.role {
            Role::Offer => connection.set_local_description(offer).await?,
            Role::Answer => connection.restart_ice().await?,
        }
        self.shared.tell(News::Local(own)).await
    }

    async fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Accept(remote) => self.accept(remote).await,
            Order::Candidate(candidate) => self.candidate(candidate).await,
            Order::Restart => self.restart().await,
        }
    }

    async fn learn(&mut self, fact: Fact) -> Result<(), End> {
        match fact {
            Fact::Candidate(candidate) => self.shared.tell(News::Candidate(candidate)).await,
            Fact::Gathered => self.gathered().await,
            Fact::Stray => Err(End::Down(DownReason::Breach)),
            Fact::Track(kind, track) => {
                self.tracks.begin(kind, track);
                Ok(())
            }
        }
    }

    async fn gathered(&mut self) -> Result<(), End> {
        match self.gathering.take() {
            Some(_) => self.shared.tell(News::Gathered).await,
            None => Ok(()),
        }
    }

    fn gather(&mut self) {
        self.gathering = Some(Instant::now() + GATHER_LIMIT);
    }

    /// Applies the peer's description as whichever half of an exchange it is; both ends may restart at once, then
    /// each takes the other's offer as the answer to its own.
    async fn accept(&mut self, remote: Description) -> Result<(), End> {
        let half = match self.stage {
            Stage::AwaitOffer if remote.generation() == 0 => Half::Offer,
            Stage::AwaitAnswer if remote.generation() == self.generation => Half::Answer,
            Stage::Settled if remote.generation() > self.generation => Half::Offer,
            // Late or doubled.
            _ => return Ok(()),
        };
        let named = *remote.fingerprint();
        if self.shared.trusted.borrow().is_some_and(|trusted| trusted != named) {
            return Err(End::Down(DownReason::Breach));
        }
        self.shared.trusted.send_replace(Some(named));
        self.shared.pace.hurry();
        self.shared.pace.reach(Milestone::Described);
        let theirs = match self.shared.role {
            Role::Offer => Role::Answer,
            Role::Answer => Role::Offer,
        };
        let text = template::session(&remote, theirs, half);
        let connection = &self.shared.peer.connection;
        if half == Half::Offer {
            connection.set_remote_description(RTCSessionDescription::offer(text)?).await?;
            let answer = connection.create_answer(None).await?;
            let own = own(&answer.sdp, remote.generation())?;
            connection.set_local_description(answer).await?;
            self.generation = remote.generation();
            if self.generation > 0 {
                self.shared.pace.leave_from(None);
                self.gather();
                self.shared.tell(News::Local(own)).await?;
            }
        } else {
            connection.set_remote_description(RTCSessionDescription::answer(text)?).await?;
        }
        self.stage = Stage::Settled;
        self.shared.pace.acquaintance().described(Instant::now());
        self.deadline.get_or_insert_with(|| Instant::now() + CONNECT_LIMIT);
        self.taken = 0;
        for candidate in std::mem::take(&mut self.early) {
            self.candidate(candidate).await?;
        }
        match std::mem::take(&mut self.again) {
            true => self.restart().await,
            false => Ok(()),
        }
    }

    async fn candidate(&mut self, candidate: Candidate) -> Result<(), End> {
        if self.stage != Stage::Settled {
            if self.early.len() < CANDIDATES {
                self.early.push(candidate);
            }
            return Ok(());
        }
        if self.taken == CANDIDATES {
            return Ok(());
        }
        self.taken += 1;
        let init = RTCIceCandidateInit { candidate: template::candidate(&candidate), ..Default::default() };
        self.shared.peer.connection.add_ice_candidate(init).await?;
        self.shared.pace.acquaintance().told(candidate.address());
        if candidate.kind() == Kind::Relay {
            self.shared.borrowed.send_modify(|borrowed| borrowed.push(candidate.address()));
            if self.shared.is_up() {
                return self.travels().await;
            }
        }
        Ok(())
    }

    /// Says how the link travels, if it is not the way it did.
    async fn look(&mut self) -> Result<(), End> {
        let before = self.shared.travels.borrow().map(|route| route.taking(Duration::ZERO));
        let borrowed = self.shared.borrowed.borrow().clone();
        let now = self.shared.peer.course(&borrowed).await;
        if before.is_none() || now.is_none() || before == now {
            return Ok(());
        }
        self.shared.moved();
        self.travels().await
    }

    /// Says how the link travels now.
    async fn travels(&mut self) -> Result<(), End> {
        match self.shared.route().await {
            Some(route) => {
                self.shared.travel(route);
                self.shared.tell(News::Route(route)).await
            }
            None => Ok(()),
        }
    }

    /// Starts a new generation, once the one that is being agreed on is: its addresses may be gone already.
    async fn restart(&mut self) -> Result<(), End> {
        let (Stage::Settled, Some(next)) = (self.stage, self.generation.checked_add(1)) else {
            self.again = true;
            return Ok(());
        };
        self.shared.pace.hurry();
        let connection = &self.shared.peer.connection;
        connection.restart_ice().await?;
        let offer = connection.create_offer(None).await?;
        let own = own(&offer.sdp, next)?;
        connection.set_local_description(offer).await?;
        // The old address is given up with its sockets: that it is gone is no news any more.
        self.shared.pace.leave_from(None);
        self.gather();
        self.generation = next;
        self.stage = Stage::AwaitAnswer;
        self.deadline = Some(Instant::now() + CONNECT_LIMIT);
        self.shared.tell(News::Local(own)).await
    }

    async fn path(&mut self) -> Result<(), End> {
        let state = *self.ice.borrow_and_update();
        let up = self.shared.is_up();
        match state {
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed if up => {
                self.deadline = None;
                self.shared.pace.calm();
                self.shared.moved();
                self.shared.restored().await?;
                self.travels().await
            }
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => {
                self.path = true;
                self.shared.pace.reach(Milestone::Path);
                self.deadline = Some(Instant::now() + HANDSHAKE_LIMIT);
                Ok(())
            }
            // A restart gives up the old path before the new one is found.
            RTCIceConnectionState::Disconnected | RTCIceConnectionState::Checking if up => {
                self.shared.interrupted().await
            }
            RTCIceConnectionState::Failed => Err(End::Down(self.too_late())),
            _ => Ok(()),
        }
    }

    fn too_late(&self) -> DownReason {
        match (self.shared.is_up(), self.path) {
            (true, _) => DownReason::Lost,
            (false, true) => DownReason::Unauthenticated,
            (false, false) => DownReason::Unreachable,
        }
    }
}

/// Sends again what a link lost that comes up or ends; for ever nothing between.
pub(super) async fn repeat(shared: &Shared) -> End {
    loop {
        for (socket, to, packet) in shared.pace.shake().again().await {
            if let Some(socket) = socket.upgrade() {
                socket.again(to, &packet);
            }
        }
    }
}

/// Waits for a deadline, for ever if there is none.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn own(text: &str, generation: u32) -> Result<Description, End> {
    Peer::own(text, generation).map_err(|_| End::Down(DownReason::Broken))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
