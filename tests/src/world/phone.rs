//! A phone: the real engine, a disk that outlives it, and what its app was told.

use std::collections::BTreeMap;

use sidetone_engine::row::{Change, ChatRow, Content, Entry, MessageRow, Place, Row, RowError, Table};
use sidetone_engine::transfer::row::{PastRow, TransferRow};
use sidetone_engine::{
    Answer, Ask, CallState, CallView, CommandError, Config, Cost, Effect, Engine, Event, Input, LinkId, MediaOrder, Now,
};
use sidetone_wire::id::{CallId, ItemSeq, RoomId, TransferId, UserId};
use sidetone_wire::record::MessageId;
use zeroize::Zeroizing;

use super::files::Files;
use super::room::Sound;

/// Where a step breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Nothing of it is kept.
    BeforeSave,
    /// It is kept, and nobody heard of it.
    BeforeSend,
    /// Half of what should have left has left.
    AmongSends,
    /// Only the app was not told.
    BeforeTell,
}

/// A stream keeps its order: when its last bytes arrive.
#[derive(Debug, Default)]
pub struct Stream(u64);

impl Stream {
    /// The arrival of bytes that would take until `at` alone.
    pub fn next(&mut self, at: u64) -> u64 {
        self.0 = self.0.max(at);
        self.0
    }
}

/// A phone.
pub struct Phone {
    id: usize,
    engine: Option<Engine>,
    disk: BTreeMap<Place, Vec<u8>>,
    /// Rows in memory only.
    held: BTreeMap<Place, Vec<u8>>,
    asks: u64,
    asleep_until: u64,
    sockets: u64,
    /// The socket that is open.
    pub socket: Option<u64>,
    /// Whether it has a network.
    pub online: bool,
    /// Bytes on their way to the server.
    pub up: Stream,
    /// Bytes on their way from the server.
    pub down: Stream,
    /// Outcomes of what the app asked since the phone was started.
    pub answers: BTreeMap<Ask, Result<Answer, CommandError>>,
    /// What the app was told since the phone was started.
    pub events: Vec<(u64, Event)>,
    /// The keys that its media runs with, by call.
    pub media: Option<(CallId, Vec<u8>, Vec<u8>)>,
    /// The link over which it speaks in a call.
    pub speaks_over: Option<LinkId>,
    /// Files on its disk and on their way.
    pub files: Files,
    /// The sound of its rooms.
    pub sounds: BTreeMap<RoomId, Sound>,
    ringing_since: Option<(CallId, u64)>,
    connecting_since: Option<u64>,
    /// Calls that were connected since it was started.
    pub connected: u32,
}

impl Phone {
    /// A phone out of the box, switched off.
    pub fn new(id: usize, seed: [u8; 32]) -> Self {
        let engine = Some(Engine::new(Config { seed, login_cost: Cost::Least }));
        Self {
            id,
            engine,
            disk: BTreeMap::new(),
            held: BTreeMap::new(),
            asks: 0,
            asleep_until: 0,
            sockets: 0,
            socket: None,
            online: false,
            up: Stream::default(),
            down: Stream::default(),
            answers: BTreeMap::new(),
            events: Vec::new(),
            media: None,
            speaks_over: None,
            files: Files::default(),
            sounds: BTreeMap::new(),
            ringing_since: None,
            connecting_since: None,
            connected: 0,
        }
    }

    /// Its engine, unless it crashed.
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// Whether it crashed and was not started again.
    pub fn is_dead(&self) -> bool {
        self.engine.is_none()
    }

    /// How long it still sleeps.
    pub fn asleep_for(&self, now_ms: u64) -> Option<u64> {
        self.asleep_until.checked_sub(now_ms).filter(|ms| *ms > 0)
    }

    pub(super) fn sleep_until(&mut self, at_ms: u64) {
        self.asleep_until = at_ms;
    }

    pub(super) fn next_ask(&mut self) -> Ask {
        self.asks += 1;
        Ask(self.asks)
    }

    pub(super) fn next_socket(&mut self) -> u64 {
        self.sockets += 1;
        self.sockets
    }

    /// When it wants to be told the time.
    pub fn deadline(&self) -> Option<u64> {
        let at = self.engine.as_ref()?.deadline()?.0;
        Some(at.max(self.asleep_until))
    }

    pub(super) fn step(&mut self, now: Now, input: Input) -> Option<Vec<Effect>> {
        let mut effects = Vec::new();
        self.engine.as_mut()?.step(now, input, &mut effects);
        Some(effects)
    }

    pub(super) fn save(&mut self, change: Change) {
        match change.value {
            Some(value) => self.disk.insert(change.place, value),
            None => {
                self.held.remove(&change.place);
                self.disk.remove(&change.place)
            }
        };
    }

    pub(super) fn hold(&mut self, change: Change) {
        if let Some(value) = change.value {
            self.held.insert(change.place, value);
        }
    }

    pub(super) fn amend(&mut self, place: Place, change: Change) {
        if self.held.contains_key(&place) {
            self.hold(change);
        } else if self.disk.contains_key(&place) {
            self.save(change);
        }
    }

    pub(super) fn forget(&mut self) {
        self.disk.clear();
        self.held.clear();
        self.files.forget();
    }

    pub(super) fn die(&mut self) {
        self.engine = None;
        self.held.clear();
        self.answers.clear();
        self.events.clear();
        (self.media, self.speaks_over) = (None, None);
        self.files.die();
        self.sounds.clear();
        self.ringing_since = None;
        self.connecting_since = None;
    }

    /// Starts it from its disk; false if it runs.
    pub(super) fn start(&mut self, seed: [u8; 32]) -> bool {
        if self.engine.is_some() {
            return false;
        }
        let wanted = |(place, _): &(&Place, &Vec<u8>)| place.table.is_restored();
        let rows = self.disk.iter().filter(wanted).map(|(place, value)| (*place, Zeroizing::new(value.clone())));
        let engine = Engine::restore(Config { seed, login_cost: Cost::Least }, rows);
        let engine = engine.expect("what an engine saved, an engine reads");
        self.files.sweep(engine.transfers().into_iter().map(|view| view.transfer));
        self.engine = Some(engine);
        true
    }

    pub(super) fn tell(&mut self, now: Now, effect: Effect) {
        match effect {
            Effect::Answer(ask, outcome) => drop(self.answers.insert(ask, outcome)),
            Effect::Tell(event) => {
                if let Event::Call(view) = &event {
                    self.watch_call(now.time.0, view);
                }
                self.events.push((now.time.0, event));
            }
            _ => {}
        }
    }

    fn watch_call(&mut self, now_ms: u64, view: &CallView) {
        match (view.state, self.ringing_since) {
            (CallState::Ringing, Some((call, _))) if call == view.call => {}
            (CallState::Ringing, _) => self.ringing_since = Some((view.call, now_ms)),
            _ => self.ringing_since = None,
        }
        self.connected += u32::from(view.state == CallState::Connected);
        self.connecting_since = (view.state == CallState::Connecting).then(|| self.connecting_since.unwrap_or(now_ms));
    }

    /// How long the app has shown that an answered call is being connected.
    pub fn connecting_for(&self, now_ms: u64) -> Option<u64> {
        self.connecting_since.map(|since| now_ms - since)
    }

    /// How long the app has shown a ringing call.
    pub fn ringing_for(&self, now_ms: u64) -> Option<u64> {
        self.ringing_since.map(|(_, since)| now_ms - since)
    }

    pub(super) fn media(&mut self, call: CallId, order: &MediaOrder) {
        match order {
            MediaOrder::Start { link, send, receive } => {
                self.speaks_over = Some(*link);
                self.media = Some((call, send.base.to_bytes().to_vec(), receive.base.to_bytes().to_vec()));
            }
            MediaOrder::Stop => (self.media, self.speaks_over) = (None, None),
            MediaOrder::Move { link } => self.speaks_over = Some(*link),
            MediaOrder::SealWith(key) => {
                if let Some((_, send, _)) = &mut self.media {
                    *send = key.base.to_bytes().to_vec();
                }
            }
            MediaOrder::OpenWith(key) => {
                if let Some((_, _, receive)) = &mut self.media {
                    *receive = key.base.to_bytes().to_vec();
                }
            }
            MediaOrder::Microphone(_) | MediaOrder::Hearing(_) | MediaOrder::Show(_) | MediaOrder::Wanted(_) => {}
        }
    }

    /// Whether the server knows that it is there, as its app was told.
    pub fn is_connected(&self) -> bool {
        let last = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Connected(connected) => Some(*connected),
            _ => None,
        });
        last.unwrap_or(false)
    }

    /// Its account's id.
    pub fn user(&self) -> Option<UserId> {
        self.engine.as_ref()?.account().map(|account| account.user)
    }

    /// The call that is on.
    pub fn call(&self) -> Option<CallView> {
        self.engine.as_ref()?.call()
    }

    /// The conversation with somebody as it is kept: every entry, oldest first.
    pub fn conversation(&self, peer: UserId) -> Vec<Entry> {
        let at = |table, position| Place { table, owner: peer, position };
        let Some(chat) = self.disk.get(&at(Table::Chat, 0)) else { return Vec::new() };
        let chat = ChatRow::read(chat).expect("a conversation");
        let given = self.engine.as_ref().map_or(ItemSeq(0), |engine| engine.given(peer));
        let range = at(Table::Message, 0)..=at(Table::Message, u64::MAX);
        let rows: BTreeMap<_, _> = self.disk.range(range.clone()).chain(self.held.range(range)).collect();
        let read = |table, position| -> Result<_, RowError> {
            let place = at(table, position);
            Ok(self.held.get(&place).or_else(|| self.disk.get(&place)).cloned())
        };
        let entry = |(place, value): (&Place, &Vec<u8>)| {
            let row = MessageRow::read(value).expect("a message");
            row.entry(place.position, (&chat, given), read).expect("what it says")
        };
        rows.into_iter().map(entry).collect()
    }

    /// The texts of a conversation, theirs or ours.
    pub fn texts(&self, peer: UserId, theirs: bool) -> Vec<String> {
        let text = |entry: Entry| match entry.content {
            Content::Text(text) if entry.theirs == theirs => Some(text.into_string()),
            _ => None,
        };
        self.conversation(peer).into_iter().filter_map(text).collect()
    }

    /// The names of what was said in a conversation, by them or by us.
    pub fn said(&self, peer: UserId, theirs: bool) -> Vec<MessageId> {
        let ids = self.conversation(peer).into_iter().filter(|entry| entry.theirs == theirs);
        ids.filter_map(|entry| entry.id).collect()
    }

    /// Transfers that are over.
    pub fn past(&self) -> BTreeMap<TransferId, TransferRow> {
        let rows = self.disk.iter().filter(|(place, _)| place.table == Table::Past);
        let rows = rows.map(|(_, value)| PastRow::read(value).expect("a row").0);
        rows.map(|row| (row.offer.transfer, row)).collect()
    }

    /// Everything on its disk.
    pub fn disk(&self) -> &BTreeMap<Place, Vec<u8>> {
        &self.disk
    }

    /// Its number in the world.
    pub fn id(&self) -> usize {
        self.id
    }
}
