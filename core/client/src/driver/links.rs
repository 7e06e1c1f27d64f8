//! The links of one phone: orders in, news out, a task each that makes it and listens to it.
//!
//! # When a queue is full
//! News: the link's task waits, and with it the peer's sending. Orders before the link is made: a peer cannot cause
//! more than fit; what goes beyond is dropped as a bad network would drop it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sidetone_engine::{LinkId, Network, Order, PeerId, Routes};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use crate::convert::{self, Remote};
use crate::link::{
    Beside, Bind, BulkPort, Link, LinkError, MediaPort, News, RoutePolicy, Settings, Trust, VideoPort, Watch,
};
use crate::socket::Traffic;

/// News that may wait: of all links together, and of each.
const NEWS: usize = 64;
/// Orders that may wait for a link to be made.
const ORDERS: usize = 256;
/// How long closing may take before the tasks are left to the runtime's end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a link's task says to the driver.
#[derive(Debug)]
pub enum FromLink {
    /// It was made.
    Opened(Link),
    /// It could not be made.
    Failed(LinkError),
    /// It has news.
    News(News),
}

/// An order that could not be carried out: the link is given up.
pub struct GivenUp;

struct Slot {
    stage: Stage,
    remote: Remote,
}

enum Stage {
    Opening(Vec<Order>, AbortHandle),
    Open(Link),
}

/// The links, by their ids.
pub struct Links {
    slots: BTreeMap<LinkId, Slot>,
    bind: Bind,
    /// The same, in the network that the phone is in.
    here: Bind,
    policy: RoutePolicy,
    trust: Trust,
    /// What the user prefers, as far as the policy allows.
    routes: Routes,
    news: mpsc::Sender<(LinkId, FromLink)>,
    closing: JoinSet<()>,
    records: Arc<Traffic>,
}

impl Links {
    /// No link yet; what links say comes out of the receiver.
    pub fn new(bind: Bind, policy: RoutePolicy, trust: Trust) -> (Self, mpsc::Receiver<(LinkId, FromLink)>) {
        let (news, inbox) = mpsc::channel(NEWS);
        let (slots, closing) = (BTreeMap::new(), JoinSet::new());
        let here = bind.clone();
        (Self { slots, bind, here, policy, trust, routes: Routes::Any, news, closing, records: Arc::default() }, inbox)
    }

    /// Which routes links may take from now on.
    pub fn prefer(&mut self, routes: Routes) {
        self.routes = routes;
    }

    /// The app's word counts more than the user's: an app that may not contact a relay, or may show no address, never does.
    pub fn policy(&self) -> RoutePolicy {
        match (self.policy, self.routes) {
            (RoutePolicy::Any, Routes::RelayOnly) => RoutePolicy::RelayOnly,
            (RoutePolicy::Any, Routes::DirectOnly) => RoutePolicy::DirectOnly,
            (policy, _) => policy,
        }
    }

    /// Bytes of records each way, as the links took and gave them.
    pub fn records(&self) -> &Traffic {
        &self.records
    }

    /// Bytes of UDP payload that the links there are have sent.
    pub fn bytes_sent(&self) -> u64 {
        let open = self.slots.values().filter_map(|slot| match &slot.stage {
            Stage::Open(link) => Some(link.bytes_sent()),
            Stage::Opening(..) => None,
        });
        open.sum()
    }

    /// Carries an order out.
    ///
    /// # Errors
    ///
    /// [`GivenUp`] if the link is useless from now on; it is closed.
    pub fn obey(&mut self, id: LinkId, order: Order) -> Result<(), GivenUp> {
        match order {
            Order::Open { role, relays, ways } => {
                let servers = relays.as_ref().map(convert::servers).unwrap_or_default();
                let policy = convert::policy(ways, self.policy()).ok_or(GivenUp)?;
                let bind = self.here.clone();
                let watch = match id.peer {
                    PeerId::Friend(_) | PeerId::Stranger(_) => Watch::Close,
                    // Idle most of the time; that a speaker is lost shows in its sound.
                    PeerId::Member(..) => Watch::Loose,
                };
                let (role, trust) = (convert::role(role), self.trust.clone());
                self.open(id, Settings { role, servers, policy, bind, watch, trust });
                Ok(())
            }
            Order::Close => {
                self.close(id);
                Ok(())
            }
            other => self.tell(id, other),
        }
    }

    /// A link was made: it gets the orders that waited. One that is not wanted any more is closed.
    ///
    /// # Errors
    ///
    /// As [`Links::obey`].
    pub fn opened(&mut self, id: LinkId, link: Link) -> Result<(), GivenUp> {
        let Some(slot) = self.slots.get_mut(&id) else {
            self.closing.spawn(link.close().boxed());
            return Ok(());
        };
        // The phone may have come into another network meanwhile.
        link.set_bind(self.here.clone());
        match std::mem::replace(&mut slot.stage, Stage::Open(link)) {
            Stage::Opening(orders, _) => orders.into_iter().try_for_each(|order| self.tell(id, order)),
            Stage::Open(_) => Ok(()),
        }
    }

    /// Whether news of this link is still of interest.
    pub fn knows(&self, id: LinkId) -> bool {
        self.slots.contains_key(&id)
    }

    /// A link is gone by itself.
    pub fn gone(&mut self, id: LinkId) {
        self.slots.remove(&id);
    }

    /// Where a link's pictures and its sound go in and out.
    pub fn video(&self, id: LinkId) -> Option<(VideoPort, MediaPort)> {
        match &self.slots.get(&id)?.stage {
            Stage::Open(link) => Some((link.video(), link.media())),
            Stage::Opening(..) => None,
        }
    }

    /// Where a link's files go in and out.
    pub fn bulk(&self, id: LinkId) -> Option<BulkPort> {
        match &self.slots.get(&id)?.stage {
            Stage::Open(link) => Some(link.bulk()),
            Stage::Opening(..) => None,
        }
    }

    /// Files leave room for the call on a link, whoever speaks; without a call they take the whole path.
    pub fn make_way(&self, call: Option<LinkId>) {
        for (id, slot) in &self.slots {
            if let Stage::Open(link) = &slot.stage {
                link.bulk().set_beside(if call == Some(*id) { Beside::Call } else { Beside::Nothing });
            }
        }
    }

    /// The phone is in this network: links that are made from now on, and those that look for another path, go out from its
    /// addresses, where they are known and the app did not choose others.
    pub fn enter(&mut self, network: &Network) {
        self.here = match (&self.bind, network.addresses.as_slice()) {
            (Bind::Everywhere, [_, ..]) => Bind::Only(network.addresses.clone()),
            _ => self.bind.clone(),
        };
        for slot in self.slots.values() {
            if let Stage::Open(link) = &slot.stage {
                link.set_bind(self.here.clone());
            }
        }
    }

    /// Whether a link goes out from an address that is not this phone's any more.
    pub fn is_severed(&self, id: LinkId) -> bool {
        self.slots.get(&id).is_some_and(|slot| matches!(&slot.stage, Stage::Open(link) if link.is_severed()))
    }

    /// Those that do.
    pub fn severed(&self) -> Vec<LinkId> {
        self.slots.keys().copied().filter(|id| self.is_severed(*id)).collect()
    }

    /// Says when every link that was closed so far is gone, and the media thread has done what it was told.
    pub fn when_closed(&mut self, media: oneshot::Receiver<()>, done: oneshot::Sender<()>) {
        let mut closing = std::mem::take(&mut self.closing);
        let all = async move {
            while closing.join_next().await.is_some() {}
            let _ = media.await;
            // Who does not wait any more does not want to know.
            let _ = done.send(());
        };
        self.closing.spawn(all.boxed());
    }

    /// Forgets links whose closing is over.
    pub fn sweep(&mut self) {
        while self.closing.try_join_next().is_some() {}
    }

    /// Closes every link and waits until they are gone.
    pub async fn close_all(mut self) {
        let ids: Vec<LinkId> = self.slots.keys().copied().collect();
        for id in ids {
            match self.slots.remove(&id).map(|slot| slot.stage) {
                Some(Stage::Opening(_, task)) => task.abort(),
                Some(Stage::Open(link)) => drop(self.closing.spawn(link.part().boxed())),
                None => {}
            }
        }
        let all = async { while self.closing.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }

    fn open(&mut self, id: LinkId, settings: Settings) {
        let task = tokio::spawn(tend(id, settings, self.news.clone()).boxed()).abort_handle();
        let stage = Stage::Opening(Vec::new(), task);
        self.slots.insert(id, Slot { stage, remote: Remote::default() });
    }

    fn close(&mut self, id: LinkId) {
        match self.slots.remove(&id).map(|slot| slot.stage) {
            Some(Stage::Opening(_, task)) => task.abort(),
            Some(Stage::Open(link)) => {
                self.closing.spawn(link.close().boxed());
            }
            None => {}
        }
        self.sweep();
    }

    fn tell(&mut self, id: LinkId, order: Order) -> Result<(), GivenUp> {
        let Some(slot) = self.slots.get_mut(&id) else { return Ok(()) };
        let link = match &mut slot.stage {
            Stage::Opening(orders, _) => {
                if orders.len() < ORDERS {
                    orders.push(order);
                }
                return Ok(());
            }
            Stage::Open(link) => link,
        };
        let done = match order {
            Order::Remote(description) => {
                slot.remote.description(&description).is_some_and(|remote| link.accept(remote).is_ok())
            }
            // A candidate more or less: the others may do.
            Order::Candidate(candidate) => {
                let _ = convert::candidate(&candidate).map(|candidate| link.add_candidate(candidate));
                true
            }
            Order::Send(record) => {
                self.records.sent(record.len());
                link.send(record).is_ok()
            }
            // One that is closed or busy looks for itself.
            Order::Restart => {
                let _ = link.restart_ice();
                true
            }
            Order::Open { .. } | Order::Close => true,
        };
        if done {
            return Ok(());
        }
        self.close(id);
        Err(GivenUp)
    }
}

async fn tend(id: LinkId, settings: Settings, driver: mpsc::Sender<(LinkId, FromLink)>) {
    let (sender, mut news) = mpsc::channel(NEWS);
    let made = match Link::open(settings, sender).await {
        Ok(link) => FromLink::Opened(link),
        Err(error) => FromLink::Failed(error),
    };
    if driver.send((id, made)).await.is_err() {
        return;
    }
    while let Some(news) = news.recv().await {
        if driver.send((id, FromLink::News(news))).await.is_err() {
            return;
        }
    }
}
