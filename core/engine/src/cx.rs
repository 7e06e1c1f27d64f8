//! What every small machine is handed for one step: the time, the dice, the effects, and the word to its neighbours.

use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sidetone_wire::account::{Person, Refusal, Reply, Request};
use sidetone_wire::frame::{Delivered, Event as Told, Presence, Welcome};
use sidetone_wire::id::{MatchId, PairingId, RoomId, TicketId, TransferId, UserId};
use sidetone_wire::record::{Body, Record};

use crate::effect::{Answer, CommandError, Effect, Event};
use crate::input::{Ask, LinkId, PeerId, Route, Storage};
use crate::room::RoomEnd;
use crate::row::{CallEntry, Change, Place};
use crate::time::Now;

/// A fact inside the engine, on its way from the machine that found it to the machines that care.
#[derive(Debug)]
pub(crate) enum Fact {
    /// The server took our hello.
    Welcomed(Welcome),
    /// The conversation with the server did not go on: what was under way through it is lost.
    SignalLost,
    /// A request should be made.
    Request(Request, Purpose),
    /// A request was answered.
    Replied(Purpose, Result<Reply, NoReply>),
    /// The roster says something about a person.
    Person(Person),
    /// The roster holds a person no more.
    Gone(UserId),
    /// A friend came or went.
    Presence(Presence),
    /// Sealed bytes came through the server.
    Sealed(Delivered),
    /// The server says something about rooms.
    Room(Told),
    /// We are not in a room any more.
    RoomOver(RoomId, RoomEnd),
    /// The session with a peer ends, and with it the link.
    Shun(PeerId),
    /// Our token is no longer valid.
    Revoked(Refusal),
    /// The account of this device was entered; another one than before, or the same.
    Entered(Who),
    /// A person may not be talked to any more: no friend, or another key.
    Distrusted(UserId),
    /// A record should go to a peer.
    Say(PeerId, Record),
    /// An item should go to a friend.
    Post(UserId, Body),
    /// The message that offered this file was taken back before it left.
    Withdrawn(TransferId),
    /// A friend's item, kept, is about a file.
    Posted(UserId, Body),
    /// A peer said this, authenticated.
    Heard(PeerId, Record),
    /// A session with a peer is agreed.
    Paired(PeerId),
    /// It is lost, and its link with it.
    Unpaired(PeerId),
    /// A call with a peer is over: whether they called, and whether nobody took it here.
    Called(UserId, bool, bool, CallEntry),
    /// The peer has no live session with the server.
    Unreachable(PeerId),
    /// It has none, and is being woken.
    Asleep(PeerId),
    /// The link to a peer carries records.
    Ahead(PeerId),
    /// It carries everything.
    Up(PeerId, LinkId, Route),
    /// It travels another way.
    Routed(PeerId, Route),
    /// Another link carries the session from here on.
    Moved(PeerId, LinkId, Route),
    /// A second link could not be made.
    Unmoved(PeerId),
    /// A second link is wanted: both may learn the other's address.
    Detour(PeerId),
    /// The server says something about strangers.
    Stranger(Told),
    /// There is no way for it that both ends allow.
    NoWay(PeerId),
    /// Nothing is heard on it.
    Interrupted(PeerId),
    /// It is heard again.
    Restored(PeerId),
}

/// Whose account was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The one that was here before, or the first.
    Same,
    /// Another: nothing of the one before may stay.
    Another,
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// The server refused.
    Refused(Refusal),
    /// It cannot be reached, did not answer in time, or forgot us before it answered.
    Unanswered,
}

/// Why a request was made: what its answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A step of registration or login, for who waits for its outcome.
    Enter(Ask),
    /// A user waits for its outcome.
    Ask(Ask, Wish),
    /// Filling the roster, in this reading of it.
    Roster(u32),
    /// A part of a pairing.
    Route(PeerId, PairingId),
    /// Where STUN and TURN are.
    Relays,
    /// Something of a room.
    Room(RoomId, RoomAsk),
    /// Something of strangers.
    Stranger(StrangerAsk),
    /// Nobody cares.
    Nothing,
}

/// What is asked of the server about strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StrangerAsk {
    /// To look for one.
    Seek(TicketId),
    /// To begin a match, or to meet again.
    Begin(MatchId),
    /// Where its relays are.
    Relays(MatchId),
    /// To hear a complaint, for a user who waits.
    Report(Ask),
}

/// What is asked of the server about a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoomAsk {
    /// To be let in.
    Enter,
    /// Where its relays are.
    Relays,
    /// A nameplate, for a user who waits.
    Plate(Ask),
    /// To carry the first message of a try at a code.
    Try,
}

/// What a user waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// That it is done.
    Done,
    /// That there is nothing between us and a person any more.
    Part(UserId),
    /// That a person is blocked.
    Block(UserId),
    /// A friend request to somebody, whose key must be this one if it is named.
    Befriend(Option<sidetone_crypto::identity::PublicKey>),
    /// That this phone is woken at an address.
    Push,
    /// By what push services know the server.
    PushKey,
    /// The account's end on this device.
    Leave,
    /// A page of an export.
    Export(u32),
    /// How many are among strangers.
    Lobby,
}

/// What every machine is handed for one step.
pub(crate) struct Cx<'a> {
    pub now: Now,
    dice: &'a mut Dice,
    effects: &'a mut Vec<Effect>,
    facts: VecDeque<Fact>,
}

impl<'a> Cx<'a> {
    pub fn new(now: Now, dice: &'a mut Dice, effects: &'a mut Vec<Effect>) -> Self {
        Self { now, dice, effects, facts: VecDeque::new() }
    }

    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub fn save(&mut self, change: Change) {
        self.effect(Effect::Save(change));
    }

    /// Keeps a row on disk or in memory only; a drop drops it from both.
    pub fn keep(&mut self, storage: Storage, change: Change) {
        match storage {
            Storage::Kept => self.save(change),
            Storage::Ephemeral => self.effect(Effect::Hold(change)),
        }
    }

    /// Keeps a row if there is one at `place`, and where that one is.
    pub fn amend(&mut self, place: Place, change: Change) {
        self.effect(Effect::Amend(place, change));
    }

    pub fn tell(&mut self, event: Event) {
        self.effect(Effect::Tell(event));
    }

    pub fn answer(&mut self, ask: Ask, outcome: Result<Answer, CommandError>) {
        self.effect(Effect::Answer(ask, outcome));
    }

    pub fn fact(&mut self, fact: Fact) {
        self.facts.push_back(fact);
    }

    pub fn next_fact(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    pub fn request(&mut self, request: Request, purpose: Purpose) {
        self.fact(Fact::Request(request, purpose));
    }

    pub fn say(&mut self, peer: impl Into<PeerId>, record: Record) {
        self.fact(Fact::Say(peer.into(), record));
    }

    /// Fresh random bytes.
    pub fn roll<const N: usize>(&mut self) -> [u8; N] {
        self.dice.roll()
    }
}

/// The engine's only randomness.
pub(crate) struct Dice(ChaCha20Rng);

impl Dice {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    pub fn roll<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
