//! The machine of one-to-one calls: at most one call at a time, every word about it repeatable, every wait bounded.

use std::collections::VecDeque;

use sidetone_crypto::sframe::BaseKey;
use sidetone_wire::account::Empty;
use sidetone_wire::id::{CallId, KeyBytes};
use sidetone_wire::limits::RING_MS;
use sidetone_wire::record::{CallWord, Ended, MediaKey, Record, Why, Word};

use crate::call::{CallState, CallView, Direction, EndReason, Shows, Wants};
use crate::cx::{Cx, Fact};
use crate::effect::{Answer, CommandError, Effect, Event, MediaOrder, SenderKey};
use crate::input::{Ask, Hearing, LinkId, Microphone, PeerId, Route};
use crate::row::CallEntry;
use crate::stranger::{StrangerCall, StrangerEvent};
use crate::time::{Now, Time};

mod devices;

/// From the answer to the first link.
const CONNECT_MS: u64 = 30_000;
/// From the loss of a link to the next.
const RECONNECT_MS: u64 = 30_000;
/// A sender key serves this long.
const KEY_MS: u64 = 3_600_000;
/// A new sender key is in use this long after it was sent.
const KEY_LEAD_MS: u64 = 2_000;
/// Ended calls that are remembered, to answer words that come late.
const PAST: usize = 16;

pub(crate) struct Calls {
    call: Option<Call>,
    past: VecDeque<(CallId, Why)>,
}

struct Call {
    id: CallId,
    peer: PeerId,
    direction: Direction,
    stage: Stage,
    /// When the stage is over at the latest; never for a connected call.
    until: Option<Time>,
    alerted: bool,
    link: Option<(LinkId, Route)>,
    keys: Keys,
    microphone: Microphone,
    their_microphone: Microphone,
    hearing: Hearing,
    shows: Shows,
    their_shows: Shows,
    wants: Wants,
    their_wants: Wants,
    /// When both could speak for the first time.
    since: Option<Now>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ringing,
    Connecting,
    Connected,
    Reconnecting,
}

/// The sender keys of the session that is in use.
#[derive(Default)]
struct Keys {
    generation: u16,
    /// Ours, said and not yet in use, and since when it was said.
    ours: Option<(SenderKey, Time)>,
    theirs: Option<SenderKey>,
    their_generation: u16,
    /// When ours is to be replaced.
    until: Option<Time>,
}

/// What a call needs of the link to its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// A session, and no address: it was not answered.
    Session,
    /// A link.
    Link,
}

impl Calls {
    pub fn new() -> Self {
        Self { call: None, past: VecDeque::new() }
    }

    /// The call with a friend.
    pub fn view(&self) -> Option<CallView> {
        self.call.as_ref().and_then(|call| call.view(None))
    }

    /// The call with a stranger.
    pub fn stranger_view(&self) -> Option<StrangerCall> {
        self.call.as_ref().filter(|call| call.peer.friend().is_none()).map(|call| call.stranger_view(None))
    }

    /// Ends the call with a peer, who is not there for us any more.
    pub fn drop_peer(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if self.with(peer).is_some() {
            self.end(EndReason::HungUp, Some(Why::HungUp), cx);
        }
    }

    /// Another link carries the session with a peer from here on, without a gap.
    pub fn moved(&mut self, peer: PeerId, link: LinkId, route: Route, cx: &mut Cx<'_>) {
        let Some(call) = self.with(peer) else { return };
        call.link = Some((link, route));
        if matches!(call.stage, Stage::Connected | Stage::Reconnecting) {
            cx.effect(Effect::Media(call.id, MediaOrder::Move { link }));
        }
        call.tell(cx);
    }

    /// With whom a call is on.
    pub fn peer(&self) -> Option<PeerId> {
        self.call.as_ref().map(|call| call.peer)
    }

    pub fn need(&self, peer: PeerId) -> Need {
        match self.call.as_ref().filter(|call| call.peer == peer).map(|call| call.stage) {
            None => Need::Nothing,
            Some(Stage::Ringing) => Need::Session,
            Some(Stage::Connecting | Stage::Connected | Stage::Reconnecting) => Need::Link,
        }
    }

    /// With whom a call waits for a link: one that was there before the call is as good as a new one.
    pub fn seeks_link(&self) -> Option<PeerId> {
        let seeks = |call: &&Call| call.link.is_none() && call.stage != Stage::Ringing;
        self.call.as_ref().filter(seeks).map(|call| call.peer)
    }

    pub fn deadline(&self) -> Option<Time> {
        let call = self.call.as_ref()?;
        let lead = call.keys.ours.as_ref().filter(|_| call.stage == Stage::Connected);
        [call.until, call.keys.until, lead.map(|(_, said)| said.after(KEY_LEAD_MS))].into_iter().flatten().min()
    }

    // What the user wants.

    pub fn call(&mut self, ask: Ask, peer: PeerId, cx: &mut Cx<'_>) {
        if self.call.is_some() {
            return cx.answer(ask, Err(CommandError::Busy));
        }
        let id = CallId(cx.roll());
        let call = Call::new(id, peer, Direction::Outgoing, cx.now.time.after(RING_MS));
        cx.answer(ask, Ok(Answer::Call(id)));
        call.tell(cx);
        call.word(Word::Ring(Empty::default()), cx);
        self.call = Some(call);
    }

    pub fn answer(&mut self, ask: Ask, id: CallId, cx: &mut Cx<'_>) {
        match self.find(id).filter(|call| call.is_incoming_ring()) {
            None => cx.answer(ask, Err(CommandError::NoSuchCall)),
            Some(call) => {
                call.take(cx);
                cx.answer(ask, Ok(Answer::Done));
            }
        }
    }

    pub fn decline(&mut self, ask: Ask, id: CallId, cx: &mut Cx<'_>) {
        match self.find(id).is_some_and(|call| call.is_incoming_ring()) {
            false => cx.answer(ask, Err(CommandError::NoSuchCall)),
            true => {
                self.end(EndReason::Declined, Some(Why::Declined), cx);
                cx.answer(ask, Ok(Answer::Done));
            }
        }
    }

    pub fn hang_up(&mut self, ask: Ask, id: CallId, cx: &mut Cx<'_>) {
        let Some(call) = self.find(id) else { return cx.answer(ask, Err(CommandError::NoSuchCall)) };
        let (reason, why) = match (call.stage, call.direction) {
            (Stage::Ringing, Direction::Outgoing) => (EndReason::Cancelled, Why::Cancelled),
            (Stage::Ringing, Direction::Incoming) => (EndReason::Declined, Why::Declined),
            _ => (EndReason::HungUp, Why::HungUp),
        };
        self.end(reason, Some(why), cx);
        cx.answer(ask, Ok(Answer::Done));
    }

    /// The account is left, or the app ends.
    pub fn leave(&mut self, cx: &mut Cx<'_>) {
        self.end(EndReason::SignedOut, Some(Why::HungUp), cx);
    }

    // What the link says.

    /// A session is agreed: each side says again how it sees the call.
    pub fn paired(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(call) = self.with(peer) else { return };
        call.forget_keys();
        match (call.stage, call.direction) {
            (Stage::Ringing, Direction::Outgoing) => call.word(Word::Ring(Empty::default()), cx),
            (Stage::Ringing, Direction::Incoming) => call.word(Word::Alerting(Empty::default()), cx),
            (_, Direction::Incoming) => {
                call.word(Word::Answer(Empty::default()), cx);
                call.offer_key(cx);
            }
            (_, Direction::Outgoing) => call.offer_key(cx),
        }
    }

    pub fn unpaired(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(call) = self.with(peer) else { return };
        call.forget_keys();
        call.link = None;
        call.lost(cx);
    }

    pub fn up(&mut self, peer: PeerId, link: LinkId, route: Route, cx: &mut Cx<'_>) {
        if let Some(call) = self.with(peer) {
            call.link = Some((link, route));
            call.start(cx);
        }
    }

    pub fn routed(&mut self, peer: PeerId, route: Route, cx: &mut Cx<'_>) {
        let Some(call) = self.with(peer) else { return };
        if let Some((_, old)) = &mut call.link {
            *old = route;
            call.tell(cx);
        }
    }

    pub fn interrupted(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if let Some(call) = self.with(peer) {
            call.lost(cx);
        }
    }

    pub fn restored(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let back = |call: &&mut Call| call.stage == Stage::Reconnecting && call.link.is_some();
        if let Some(call) = self.with(peer).filter(back) {
            call.enter(Stage::Connected, None, cx);
            if let Some(theirs) = call.keys.theirs.take() {
                cx.effect(Effect::Media(call.id, MediaOrder::OpenWith(theirs)));
            }
        }
    }

    /// The peer has no live session with the server: there is nobody to ring, unless it rings there already.
    pub fn unreachable(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let seeking = |call: &&mut Call| call.is_outgoing_ring() && !call.alerted;
        if self.with(peer).filter(seeking).is_some() {
            self.end(EndReason::Unreachable, None, cx);
        }
    }

    pub fn distrusted(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if self.with(peer).is_some() {
            self.end(EndReason::NotTrusted, None, cx);
        }
    }

    // What the peer says.

    pub fn heard(&mut self, peer: PeerId, said: CallWord, cx: &mut Cx<'_>) {
        let CallWord { call: id, word } = said;
        if let Word::Ring(_) = word {
            return self.rung(peer, id, cx);
        }
        let Some(call) = self.call.as_mut().filter(|call| call.id == id && call.peer == peer) else {
            return self.unknown(peer, id, &word, cx);
        };
        match word {
            Word::Ring(_) => {}
            Word::Alerting(_) => call.alerted = true,
            Word::Answer(_) => call.answered(cx),
            Word::Key(key) => call.key(&key, cx),
            Word::Microphone(state) => call.their_microphone(state, cx),
            Word::Shows(shows) => call.their_shows(shows, cx),
            Word::Wants(wants) => call.their_wants(wants, cx),
            Word::End(ended) => self.ended(ended.why, cx),
        }
    }

    fn rung(&mut self, peer: PeerId, id: CallId, cx: &mut Cx<'_>) {
        if let Some((_, why)) = self.past.iter().find(|(past, _)| *past == id) {
            return say(peer, id, Word::End(Ended { why: *why }), cx);
        }
        match &mut self.call {
            None => {
                let call = Call::new(id, peer, Direction::Incoming, cx.now.time.after(RING_MS));
                call.word(Word::Alerting(Empty::default()), cx);
                call.tell(cx);
                self.call = Some(call);
            }
            Some(call) if call.peer == peer && call.id == id => call.rung_again(cx),
            Some(call) if call.crosses(peer) => self.merge(peer, id, cx),
            Some(_) => {
                self.remember(id, Why::Busy);
                say(peer, id, Word::End(Ended { why: Why::Busy }), cx);
            }
        }
    }

    /// Both called each other: the smaller id goes on, and counts as answered because both wanted it.
    fn merge(&mut self, peer: PeerId, id: CallId, cx: &mut Cx<'_>) {
        if self.call.as_ref().is_none_or(|call| call.id < id) {
            return;
        }
        self.end(EndReason::Merged(id), None, cx);
        let mut call = Call::new(id, peer, Direction::Incoming, cx.now.time.after(RING_MS));
        call.take(cx);
        self.call = Some(call);
    }

    /// A word about a call that is not on here: its sender should know.
    fn unknown(&mut self, peer: PeerId, id: CallId, word: &Word, cx: &mut Cx<'_>) {
        let past = self.past.iter().find(|(past, _)| *past == id).map(|(_, why)| *why);
        if !matches!(word, Word::End(_)) {
            say(peer, id, Word::End(Ended { why: past.unwrap_or(Why::NoSuchCall) }), cx);
        } else if past.is_none() {
            // The end of a call whose beginning is still on its way.
            self.remember(id, Why::NoSuchCall);
        }
    }

    fn ended(&mut self, why: Why, cx: &mut Cx<'_>) {
        let Some(call) = &self.call else { return };
        let ringing = call.stage == Stage::Ringing;
        let reason = match (why, call.direction) {
            (Why::Declined, _) => EndReason::PeerDeclined,
            (Why::Busy, _) => EndReason::PeerBusy,
            (Why::Unanswered, Direction::Outgoing) => EndReason::Unanswered,
            (Why::Cancelled | Why::Unanswered, Direction::Incoming) if ringing => EndReason::Missed,
            (Why::Lost, _) => EndReason::ConnectionLost,
            (Why::NoSuchCall, _) => EndReason::PeerForgot,
            (Why::HungUp | Why::Cancelled | Why::Unanswered | Why::Unknown, _) => EndReason::PeerHungUp,
        };
        self.end(reason, None, cx);
    }

    // Time.

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let Some(call) = &mut self.call else { return };
        let now = cx.now.time;
        if call.until.is_some_and(|until| until <= now) {
            let (reason, why) = match (call.stage, call.direction) {
                (Stage::Ringing, Direction::Outgoing) => (EndReason::Unanswered, Why::Cancelled),
                (Stage::Ringing, Direction::Incoming) => (EndReason::Missed, Why::Unanswered),
                _ => (EndReason::ConnectionLost, Why::Lost),
            };
            return self.end(reason, Some(why), cx);
        }
        call.renew_key(cx);
    }

    // Within.

    fn find(&mut self, id: CallId) -> Option<&mut Call> {
        self.call.as_mut().filter(|call| call.id == id)
    }

    fn with(&mut self, peer: PeerId) -> Option<&mut Call> {
        self.call.as_mut().filter(|call| call.peer == peer)
    }

    fn end(&mut self, reason: EndReason, why: Option<Why>, cx: &mut Cx<'_>) {
        let Some(call) = self.call.take() else { return };
        if let Some(why) = why {
            call.word(Word::End(Ended { why }), cx);
        }
        self.remember(call.id, why.unwrap_or(Why::NoSuchCall));
        cx.effect(Effect::Media(call.id, MediaOrder::Stop));
        call.tell_end(reason, cx);
        if let Some(peer) = call.peer.friend()
            && !matches!(reason, EndReason::Merged(_) | EndReason::SignedOut)
        {
            let talked_ms = call.since.map(|since| cx.now.time.since(since.time));
            let entry = CallEntry { call: call.id, reason: reason.number(), talked_ms };
            let incoming = call.direction == Direction::Incoming;
            cx.fact(Fact::Called(peer, incoming, reason == EndReason::Missed, entry));
        }
    }

    fn remember(&mut self, id: CallId, why: Why) {
        self.past.truncate(PAST - 1);
        self.past.push_front((id, why));
    }
}

impl Call {
    fn new(id: CallId, peer: PeerId, direction: Direction, until: Time) -> Self {
        let (stage, keys) = (Stage::Ringing, Keys::default());
        let (microphone, their_microphone) = (Microphone::On, Microphone::On);
        let (until, link) = (Some(until), None);
        Self {
            id,
            peer,
            direction,
            stage,
            until,
            alerted: false,
            link,
            keys,
            microphone,
            their_microphone,
            hearing: Hearing::On,
            shows: Shows::default(),
            their_shows: Shows::default(),
            wants: Wants::default(),
            their_wants: Wants::default(),
            since: None,
        }
    }

    fn state(&self, ended: Option<EndReason>) -> CallState {
        match (ended, self.stage) {
            (Some(reason), _) => CallState::Ended(reason),
            (None, Stage::Ringing) => CallState::Ringing,
            (None, Stage::Connecting) => CallState::Connecting,
            (None, Stage::Connected) => CallState::Connected,
            (None, Stage::Reconnecting) => CallState::Reconnecting(self.until.unwrap_or_default()),
        }
    }

    fn stranger_view(&self, ended: Option<EndReason>) -> StrangerCall {
        StrangerCall {
            call: self.id,
            direction: self.direction,
            state: self.state(ended),
            microphone: self.microphone,
            their_microphone: self.their_microphone,
            hearing: self.hearing,
            shows: self.shows,
            their_shows: self.their_shows,
            their_wants: self.their_wants,
            connected: self.since.map(|since| since.wall),
        }
    }

    fn view(&self, ended: Option<EndReason>) -> Option<CallView> {
        Some(CallView {
            call: self.id,
            peer: self.peer.friend()?,
            direction: self.direction,
            state: self.state(ended),
            route: self.link.map(|(_, route)| route),
            microphone: self.microphone,
            their_microphone: self.their_microphone,
            hearing: self.hearing,
            shows: self.shows,
            their_shows: self.their_shows,
            their_wants: self.their_wants,
            connected: self.since.map(|since| since.wall),
        })
    }

    fn tell(&self, cx: &mut Cx<'_>) {
        self.tell_how(None, cx);
    }

    fn tell_end(&self, reason: EndReason, cx: &mut Cx<'_>) {
        self.tell_how(Some(reason), cx);
    }

    fn tell_how(&self, ended: Option<EndReason>, cx: &mut Cx<'_>) {
        match self.peer {
            PeerId::Stranger(_) => cx.tell(Event::Stranger(StrangerEvent::Call(self.stranger_view(ended)))),
            _ => self.view(ended).into_iter().for_each(|view| cx.tell(Event::Call(view))),
        }
    }

    fn word(&self, word: Word, cx: &mut Cx<'_>) {
        say(self.peer, self.id, word, cx);
    }

    fn enter(&mut self, stage: Stage, until: Option<Time>, cx: &mut Cx<'_>) {
        self.stage = stage;
        self.until = until;
        self.tell(cx);
    }

    /// Whether a ring from this peer meets our own ring to them.
    fn crosses(&self, peer: PeerId) -> bool {
        self.peer == peer && self.is_outgoing_ring()
    }

    fn is_outgoing_ring(&self) -> bool {
        self.stage == Stage::Ringing && self.direction == Direction::Outgoing
    }

    fn is_incoming_ring(&self) -> bool {
        self.stage == Stage::Ringing && self.direction == Direction::Incoming
    }

    /// A person took the call here.
    fn take(&mut self, cx: &mut Cx<'_>) {
        self.word(Word::Answer(Empty::default()), cx);
        self.enter(Stage::Connecting, Some(cx.now.time.after(CONNECT_MS)), cx);
        self.offer_key(cx);
    }

    /// A person took the call there.
    fn answered(&mut self, cx: &mut Cx<'_>) {
        if self.is_outgoing_ring() {
            self.enter(Stage::Connecting, Some(cx.now.time.after(CONNECT_MS)), cx);
            self.offer_key(cx);
        }
    }

    fn rung_again(&mut self, cx: &mut Cx<'_>) {
        match (self.direction, self.stage) {
            (Direction::Outgoing, _) => {}
            (Direction::Incoming, Stage::Ringing) => self.word(Word::Alerting(Empty::default()), cx),
            (Direction::Incoming, _) => self.word(Word::Answer(Empty::default()), cx),
        }
    }

    fn lost(&mut self, cx: &mut Cx<'_>) {
        if self.stage == Stage::Connected {
            self.enter(Stage::Reconnecting, Some(cx.now.time.after(RECONNECT_MS)), cx);
        }
    }

    fn forget_keys(&mut self) {
        let generation = self.keys.generation;
        self.keys = Keys { generation, ..Keys::default() };
    }

    /// Makes the next sender key and sends it. A key serves one session and one counter: none is ever used twice.
    fn offer_key(&mut self, cx: &mut Cx<'_>) {
        let base = BaseKey::from_seed(cx.roll());
        self.keys.generation = self.keys.generation.wrapping_add(1);
        let generation = self.keys.generation;
        if let Some(bytes) = KeyBytes::new(&base.to_bytes()) {
            self.word(Word::Key(MediaKey { generation, base: bytes }), cx);
        }
        self.keys.ours = Some((SenderKey { generation, base }, cx.now.time));
        self.keys.until = Some(cx.now.time.after(KEY_MS));
        self.start(cx);
    }

    fn key(&mut self, key: &MediaKey, cx: &mut Cx<'_>) {
        let Ok(base) = BaseKey::from_bytes(key.base.as_slice()) else { return };
        if self.stage == Stage::Ringing || key.generation <= self.keys.their_generation {
            return;
        }
        self.keys.their_generation = key.generation;
        let theirs = SenderKey { generation: key.generation, base };
        if self.stage == Stage::Connected {
            return cx.effect(Effect::Media(self.id, MediaOrder::OpenWith(theirs)));
        }
        self.keys.theirs = Some(theirs);
        self.start(cx);
    }

    /// Both can speak once there is a link and a key from each side.
    fn start(&mut self, cx: &mut Cx<'_>) {
        let waits = matches!(self.stage, Stage::Connecting | Stage::Reconnecting);
        let Some((link, _)) = self.link.filter(|_| waits) else { return };
        if self.keys.ours.is_none() || self.keys.theirs.is_none() {
            return;
        }
        if let (Some((send, _)), Some(receive)) = (self.keys.ours.take(), self.keys.theirs.take()) {
            cx.effect(Effect::Media(self.id, MediaOrder::Start { link, send, receive }));
            self.since.get_or_insert(cx.now);
            self.enter(Stage::Connected, None, cx);
            self.say_devices(cx);
        }
    }

    /// Offers a new sender key in time, and uses it once the peer has it.
    fn renew_key(&mut self, cx: &mut Cx<'_>) {
        if self.stage != Stage::Connected {
            return;
        }
        let now = cx.now.time;
        if self.keys.until.is_some_and(|until| until <= now) {
            self.offer_key(cx);
        }
        if let Some((send, _)) = self.keys.ours.take_if(|(_, said)| said.after(KEY_LEAD_MS) <= now) {
            cx.effect(Effect::Media(self.id, MediaOrder::SealWith(send)));
        }
    }
}

fn say(peer: PeerId, call: CallId, word: Word, cx: &mut Cx<'_>) {
    cx.say(peer, Record::Call(CallWord { call, word }));
}
