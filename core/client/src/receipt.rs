//! Receipts: with whom this device had to do, what passed, how it travelled, what is left of it. In memory only.

use std::collections::{BTreeMap, VecDeque};

use sidetone_engine::room::RoomEvent;
use sidetone_engine::row::{Change, Place, Table};
use sidetone_engine::stranger::{Held, StrangerEvent};
use sidetone_engine::{Effect, Event, Keys, LinkId, MediaOrder, PeerId, Route, SoundOrder};
use sidetone_wire::id::{MatchId, RoomId, UserId};

use crate::client::Client;
use crate::diagnostics::Bytes;
use crate::driver::Inside;
use crate::error::Error;
use crate::link::{Meter, Passed};

/// Receipts that are remembered.
const RECEIPTS: usize = 32;
/// Routes that one receipt names.
const ROUTES: usize = 64;
/// Rows that one receipt tells apart.
const ROWS: usize = 4_096;
/// Rows that wait for a receipt to begin.
const EARLY: usize = 64;

/// With whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum With {
    /// A friend, in a call or for messages and files.
    Friend(UserId),
    /// Everybody in a room.
    Room(RoomId),
    /// A stranger.
    Stranger(MatchId),
}

impl From<PeerId> for With {
    fn from(peer: PeerId) -> Self {
        match peer {
            PeerId::Friend(user) => Self::Friend(user),
            PeerId::Member(room, _) => Self::Room(room),
            PeerId::Stranger(id) => Self::Stranger(id),
        }
    }
}

/// How a link travelled for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Travelled {
    /// How.
    pub route: Route,
    /// From when on, in milliseconds since the receipt begins.
    pub from_ms: u64,
    /// Until when; none while it does.
    pub to_ms: Option<u64>,
}

/// Rows of the store that were written for somebody, shortly before their receipt began and since, and that are still there.
/// Of a stranger there never are any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many: what was said and what became of it, files and their previews, where a conversation stands, how a room is
    /// entered again. The most that are told apart is 4,096.
    pub rows: u32,
    /// Their bytes, before they are sealed.
    pub bytes: u64,
}

/// How often keys were made anew: each time those before were erased, so that who learns some reads nothing from before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Sessions over links that came up, each with keys of a handshake of its own.
    pub sessions: u32,
    /// Fresh exchanges within them.
    pub records: u32,
    /// Keys of sound and pictures, ours and theirs.
    pub sound: u32,
}

/// What passed with somebody, for as long as there were links to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// With whom.
    pub with: With,
    /// How long it took; none while it lasts.
    pub took_ms: Option<u64>,
    /// The server as links and codes call it: the only one that was contacted beside its relay and the peer.
    pub server: String,
    /// To and from the server meanwhile, for whatever reason: what TCP carried.
    pub signaling: Bytes,
    /// To ask how this device is seen from outside, with headers of IP and UDP.
    pub stun: Bytes,
    /// Through our relay.
    pub relay: Bytes,
    /// To and from the peers' addresses.
    pub peer: Bytes,
    /// How links travelled.
    pub routes: Vec<Travelled>,
    /// Links that were made.
    pub links: u32,
    /// Keys that were in use.
    pub epochs: Epochs,
    /// What stays on this device.
    pub kept: Kept,
    /// What was erased when it ended: of a stranger everything there was, of others links and every key that was in use. None
    /// while it lasts.
    pub erased: Option<Held>,
}

struct Entry {
    with: With,
    began_us: u64,
    ended_us: Option<u64>,
    signaling: (u64, u64),
    signaled: Option<(u64, u64)>,
    meters: Vec<(LinkId, Option<Meter>)>,
    open: usize,
    routes: Vec<(LinkId, Travelled)>,
    epochs: Epochs,
    kept: BTreeMap<Place, u64>,
    erased: Option<Held>,
}

/// The receipts of late.
#[derive(Default)]
pub struct Receipts {
    entries: VecDeque<Entry>,
    /// With whom a call's sound is.
    sounds: Option<With>,
    /// Rows that were written before there was a link to whom they are for.
    early: VecDeque<(Place, u64)>,
}

impl Receipts {
    fn current(&mut self, with: With) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.with == with && entry.ended_us.is_none())
    }

    /// A link is about to be made.
    pub fn open(&mut self, now_us: u64, link: LinkId, signaling: (u64, u64)) {
        let with = With::from(link.peer);
        if self.current(with).is_none() {
            self.begin(now_us, with, signaling);
        }
        if let Some(entry) = self.current(with) {
            entry.open += 1;
            entry.meters.push((link, None));
        }
    }

    fn begin(&mut self, now_us: u64, with: With, signaling: (u64, u64)) {
        let mut entry = Entry {
            with,
            began_us: now_us,
            ended_us: None,
            signaling,
            signaled: None,
            meters: Vec::new(),
            open: 0,
            routes: Vec::new(),
            epochs: Epochs::default(),
            kept: BTreeMap::new(),
            erased: None,
        };
        self.early.retain(|(place, bytes)| {
            let theirs = owner(place) == Some(with);
            if theirs {
                entry.saved(*place, Some(*bytes));
            }
            !theirs
        });
        self.entries.truncate(RECEIPTS - 1);
        self.entries.push_front(entry);
    }

    /// It is made: this counts what passes.
    pub fn made(&mut self, link: LinkId, meter: Meter) {
        let slots = self.entries.iter_mut().flat_map(|entry| &mut entry.meters);
        if let Some((_, slot)) = slots.into_iter().find(|(id, _)| *id == link) {
            *slot = Some(meter);
        }
    }

    /// It travels so from now on.
    pub fn routed(&mut self, now_us: u64, link: LinkId, route: Route) {
        let Some(entry) = self.current(link.peer.into()) else { return };
        let at = now_us.saturating_sub(entry.began_us) / 1_000;
        let last = entry.routes.iter_mut().rev().find(|(id, _)| *id == link);
        if let Some((_, last)) = last {
            if last.route == route && last.to_ms.is_none() {
                return;
            }
            last.to_ms.get_or_insert(at);
        }
        if entry.routes.len() < ROUTES {
            entry.routes.push((link, Travelled { route, from_ms: at, to_ms: None }));
        }
    }

    /// It is gone.
    pub fn closed(&mut self, now_us: u64, link: LinkId, signaling: (u64, u64)) {
        let Some(entry) = self.current(link.peer.into()) else { return };
        let at = now_us.saturating_sub(entry.began_us) / 1_000;
        entry.open = entry.open.saturating_sub(1);
        for (_, span) in entry.routes.iter_mut().filter(|(id, _)| *id == link) {
            span.to_ms.get_or_insert(at);
        }
        // A friend's is over with the last link, others' when they say so.
        if entry.open == 0 && matches!(entry.with, With::Friend(_)) {
            entry.end(now_us, signaling);
        }
    }

    /// Counts keys as they come into use.
    pub fn see(&mut self, effect: &Effect) {
        match effect {
            Effect::Keyed(peer, keys) => {
                let Some(entry) = self.current((*peer).into()) else { return };
                match keys {
                    Keys::Session => entry.epochs.sessions += 1,
                    Keys::Records => entry.epochs.records += 1,
                }
            }
            Effect::Media(_, MediaOrder::Start { link, .. }) => {
                self.sounds = Some(link.peer.into());
                self.sounded(self.sounds, 2);
            }
            Effect::Media(_, MediaOrder::SealWith(_) | MediaOrder::OpenWith(_)) => self.sounded(self.sounds, 1),
            Effect::Sound(room, SoundOrder::SealWith(_) | SoundOrder::OpenWith { .. }) => {
                self.sounded(Some(With::Room(*room)), 1);
            }
            _ => {}
        }
    }

    fn sounded(&mut self, with: Option<With>, keys: u32) {
        if let Some(entry) = with.and_then(|with| self.current(with)) {
            entry.epochs.sound += keys;
        }
    }

    /// A row was written or dropped.
    pub fn saved(&mut self, change: &Change) {
        let Some(with) = owner(&change.place) else { return };
        let bytes = change.value.as_ref().map(|value| value.len() as u64);
        match self.current(with) {
            Some(entry) => entry.saved(change.place, bytes),
            None => {
                self.early.retain(|(place, _)| *place != change.place);
                self.early.truncate(EARLY - 1);
                bytes.into_iter().for_each(|bytes| self.early.push_front((change.place, bytes)));
            }
        }
    }

    /// What the app is told ends a receipt too.
    pub fn told(&mut self, now_us: u64, event: &Event, signaling: (u64, u64)) {
        let (with, erased) = match event {
            Event::Stranger(StrangerEvent::Ended(id, _, burned)) => (With::Stranger(*id), Some(burned.erased)),
            Event::Room(room, RoomEvent::Ended(_)) => (With::Room(*room), None),
            _ => return,
        };
        if let Some(entry) = self.current(with) {
            entry.end(now_us, signaling);
            entry.erased = erased.or(entry.erased);
        }
    }

    /// All of them, newest first.
    pub fn read(&self, now_signaling: (u64, u64), server: &str) -> Vec<Receipt> {
        self.entries.iter().map(|entry| entry.read(now_signaling, server)).collect()
    }
}

/// For whom a row is.
fn owner(place: &Place) -> Option<With> {
    match place.table {
        Table::Account | Table::Friend | Table::FilePolicy | Table::Preferences => None,
        Table::Room => Some(With::Room(RoomId(place.owner.0))),
        _ => Some(With::Friend(place.owner)),
    }
}

impl Entry {
    fn saved(&mut self, place: Place, bytes: Option<u64>) {
        match bytes {
            Some(bytes) if self.kept.len() < ROWS || self.kept.contains_key(&place) => {
                self.kept.insert(place, bytes);
            }
            Some(_) => {}
            None => drop(self.kept.remove(&place)),
        }
    }

    fn end(&mut self, now_us: u64, signaling: (u64, u64)) {
        let Epochs { sessions, records, sound } = self.epochs;
        let links = u32::try_from(self.meters.len()).unwrap_or(u32::MAX);
        self.erased = Some(Held { keys: sessions + records + sound, links, ..Held::default() });
        self.ended_us = Some(now_us);
        self.signaled = Some(signaling);
        let at = now_us.saturating_sub(self.began_us) / 1_000;
        for (_, span) in &mut self.routes {
            span.to_ms.get_or_insert(at);
        }
    }

    fn read(&self, now_signaling: (u64, u64), server: &str) -> Receipt {
        let mut passed = Passed::default();
        self.meters.iter().filter_map(|(_, meter)| meter.as_ref()).for_each(|meter| passed.add(&meter.read()));
        let until = self.signaled.unwrap_or(now_signaling);
        let bytes = |ways: crate::link::Passing| Bytes { sent: ways.sent, received: ways.received };
        Receipt {
            with: self.with,
            took_ms: self.ended_us.map(|ended| ended.saturating_sub(self.began_us) / 1_000),
            server: server.to_owned(),
            signaling: Bytes {
                sent: until.0.saturating_sub(self.signaling.0),
                received: until.1.saturating_sub(self.signaling.1),
            },
            stun: bytes(passed.stun),
            relay: bytes(passed.relay),
            peer: bytes(passed.peer),
            routes: self.routes.iter().map(|(_, span)| *span).collect(),
            links: u32::try_from(self.meters.len()).unwrap_or(u32::MAX),
            epochs: self.epochs,
            kept: Kept { rows: u32::try_from(self.kept.len()).unwrap_or(u32::MAX), bytes: self.kept.values().sum() },
            erased: self.erased,
        }
    }
}

impl Client {
    /// What passed with friends, rooms and strangers of late, newest first: for the user to see. Nothing of it is ever kept on
    /// disk or sent, and no address is in it.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn receipts(&self) -> Result<Vec<Receipt>, Error> {
        let host = self.host().to_owned();
        self.look(move |inside: &Inside| inside.receipts.read(inside.socket.traffic.total(), &host)).await
    }
}
