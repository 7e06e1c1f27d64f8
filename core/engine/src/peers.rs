//! Sessions and links with friends and members of rooms: made when somebody has something for somebody, kept while of use, replaced when lost.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_crypto::handshake::{self, Confirming, Initiator, Responder};
use sidetone_crypto::identity::PublicKey;
use sidetone_wire::account::{Empty, Relays, Request};
use sidetone_wire::envelope::{Class, Part, Sealed};
use sidetone_wire::id::PairingId;
use sidetone_wire::limits::HANDSHAKE_SKEW_MS;
use sidetone_wire::record::Record;
use zeroize::Zeroizing;

use crate::cx::{Cx, Fact, Purpose};
use crate::effect::{Effect, Keys, Order, Ways};
use crate::input::{Down, LinkId, News, PeerId, Route};
use crate::keys::{Opener, Trust, Under, Us};
use crate::pairing::{Link, Pairing, route};
use crate::seen::Seen;
use crate::time::Time;

/// An unanswered hello is said again after this.
const HELLO_MS: u64 = 6_000;
/// A session that its initiator does not confirm is dropped after this.
const PROOF_MS: u64 = 8_000;
/// A session that nobody needs is dropped after this.
const IDLE_MS: u64 = 60_000;
/// A peer that should open the link is reminded after this.
const WANTED_MS: u64 = 5_000;
/// The wait after a first failure; it doubles up to [`RETRY_MAX_MS`].
const RETRY_MS: u64 = 500;
const RETRY_MAX_MS: u64 = 30_000;
/// A server that did not say where its relays are is asked again after this.
const RELAYS_RETRY_MS: u64 = 30_000;

mod detour;
mod moves;

#[derive(Default)]
pub(crate) struct Peers {
    peers: BTreeMap<PeerId, Peer>,
    links: u64,
    seen: Seen,
    relays: Lent,
}

/// Where STUN and TURN are, as the server last said.
#[derive(Default)]
struct Lent {
    relays: Option<Relays>,
    /// When they are asked for again.
    until: Time,
    asked: bool,
}

#[derive(Default)]
struct Peer {
    reaching: Option<Reaching>,
    /// We answered a hello; its sender has not shown yet that it holds the keys.
    unproven: Option<Unproven>,
    pairing: Option<Pairing>,
    failures: u32,
    retry: Option<Time>,
    /// The peer speaks in a session that we have no more.
    missed: bool,
}

struct Reaching {
    id: PairingId,
    initiator: Initiator,
    until: Time,
}

struct Unproven {
    id: PairingId,
    proof: Proof,
    until: Time,
}

/// What its sender still has to show.
enum Proof {
    /// Its first record: a friend's key is known.
    Record(Box<Pairing>),
    /// The last message of the handshake, and with it its key.
    Message(Confirming, Under),
}

/// What is wanted of a peer now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// A session should exist.
    pub session: bool,
    /// A link should exist.
    pub link: bool,
    /// Our addresses may be shown to this peer.
    pub consent: bool,
    /// How to know the peer; none for somebody who may not be met.
    pub trust: Option<Trust>,
    /// Which ways a link may take.
    pub ways: Ways,
    /// Which ways a second link may take, beside the one in use; none where there may be no second.
    pub detour: Option<Ways>,
    /// Whether the server can be asked to carry a hello now, and has reason to.
    pub reachable: bool,
}

impl Wish {
    /// Whether a session with this peer is of use.
    pub fn is_anything(self) -> bool {
        self.session || self.link
    }
}

impl Peers {
    /// Peers with something under way.
    pub fn active(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.keys().copied()
    }

    /// Asks the server where STUN and TURN are, if that is not known or not good for long any more.
    pub fn borrow_relays(&mut self, cx: &mut Cx<'_>) {
        if !self.relays.asked && self.relays.until <= cx.now.time {
            self.relays.asked = true;
            cx.request(Request::Relays(Empty::default()), Purpose::Relays);
        }
    }

    /// The server said where they are, or did not.
    pub fn lent(&mut self, relays: Option<Relays>, now: Time) {
        self.relays.asked = false;
        let valid_ms = relays.as_ref().map_or(0, |relays| relays.valid_ms);
        self.relays.until = now.after((valid_ms / 2).max(RELAYS_RETRY_MS));
        if relays.is_some() {
            self.relays.relays = relays;
        }
    }

    /// The link to this peer, if it is up.
    pub fn up(&self, who: PeerId) -> Option<(LinkId, Route)> {
        match self.peers.get(&who)?.pairing.as_ref()?.link {
            Link::Up { id, route } => Some((id, route)),
            Link::None | Link::Opening { .. } => None,
        }
    }

    /// Whether a peer asked for a link that there is not.
    pub fn is_asked(&self, who: PeerId) -> bool {
        let pairing = self.peers.get(&who).and_then(|peer| peer.pairing.as_ref());
        pairing.is_some_and(|pairing| matches!(pairing.link, Link::None) && (pairing.wanted || pairing.is_offered()))
    }

    /// What names the session with a peer, and what proves in a later one to have been in it.
    pub fn session(&self, peer: PeerId) -> Option<([u8; 32], Zeroizing<[u8; 32]>)> {
        let pairing = self.peers.get(&peer)?.pairing.as_ref()?;
        Some((pairing.hash, pairing.same.clone()))
    }

    /// The key that a peer showed, and under which secret, while there is a session.
    pub fn key(&self, peer: PeerId) -> Option<(PublicKey, Under)> {
        let pairing = self.peers.get(&peer)?.pairing.as_ref()?;
        Some((pairing.key?, pairing.under))
    }

    // What the server carries.

    pub fn sealed(&mut self, from: PeerId, bytes: &[u8], trust: Option<Trust>, us: Us<'_>, cx: &mut Cx<'_>) {
        let Some(trust) = trust else { return };
        match Sealed::unpad(bytes) {
            Ok(Sealed::Hello(part)) => {
                self.hello(from, &part, trust, us, cx);
            }
            Ok(Sealed::Answer(part)) => self.answered(from, &part, trust, cx),
            Ok(Sealed::Confirm(part)) => self.confirmed(from, &part, cx),
            Ok(Sealed::Record(part)) => self.record(from, &part, cx),
            Err(_) => {}
        }
    }

    fn hello(&mut self, from: PeerId, part: &Part, trust: Trust, us: Us<'_>, cx: &mut Cx<'_>) -> Option<()> {
        let ephemeral = handshake::ephemeral_of(&part.bytes)?;
        let prologue = us.prologue(part.pairing, from, Opener::Them)?;
        let (responder, payload, under) = us.patterns(trust).find_map(|(pattern, under)| {
            let (responder, payload) = Responder::open(&pattern, &prologue, &part.bytes, cx.roll()).ok()?;
            Some((responder, payload, under))
        })?;
        let at = payload.try_into().map(u64::from_be_bytes).unwrap_or(0);
        if (trust != Trust::Nothing && at.abs_diff(cx.now.wall.0) > HANDSHAKE_SKEW_MS)
            || !self.seen.insert(ephemeral, cx.now.time)
        {
            return None;
        }
        let peer = self.peers.entry(from).or_default();
        // Both said hello at once: the smaller id's goes on. Whoever has only a secret of before could not open ours.
        if peer.reaching.is_some() && us.goes_on(from) && under == Under::Present {
            return None;
        }
        peer.reaching = None;
        let (proof, message) = match trust {
            Trust::Pinned(_) | Trust::Nothing => {
                let (session, message) = responder.answer(b"").ok()?;
                let pairing = Pairing::new(part.pairing, from, false, trust.key(), session, cx.now.time);
                (Proof::Record(Box::new(pairing)), message)
            }
            Trust::Shared => {
                let (confirming, message) = responder.challenge(b"").ok()?;
                (Proof::Message(confirming, under), message)
            }
        };
        let answer = Sealed::Answer(Part { pairing: part.pairing, bytes: message.into() });
        // Whoever was put out for good has a secret of before: that we answer vouches for nobody.
        let class = if under == Under::Present { Class::Control } else { Class::Connect };
        route(from, part.pairing, &answer, class, cx).ok()?;
        peer.unproven = Some(Unproven { id: part.pairing, proof, until: cx.now.time.after(PROOF_MS) });
        Some(())
    }

    fn answered(&mut self, from: PeerId, part: &Part, trust: Trust, cx: &mut Cx<'_>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(reaching) = peer.reaching.take_if(|reaching| reaching.id == part.pairing) else { return };
        let (session, key) = match trust {
            Trust::Pinned(_) | Trust::Nothing => match reaching.initiator.finish(&part.bytes) {
                Ok((session, _)) => (session, trust.key()),
                Err(_) => return peer.failed(cx.now.time),
            },
            Trust::Shared => match reaching.initiator.confirm(&part.bytes, b"") {
                Ok((session, _, message)) => {
                    let confirm = Sealed::Confirm(Part { pairing: part.pairing, bytes: message.into() });
                    if route(from, part.pairing, &confirm, Class::Control, cx).is_err() {
                        return peer.failed(cx.now.time);
                    }
                    let key = session.peer();
                    (session, key)
                }
                Err(_) => return peer.failed(cx.now.time),
            },
        };
        let pairing = Pairing::new(part.pairing, from, true, key, session, cx.now.time);
        peer.adopt(from, pairing, cx);
        if trust != Trust::Shared {
            cx.say(from, Record::Ready(Empty::default()));
        }
        cx.fact(Fact::Paired(from));
    }

    /// The last message of a handshake with somebody whose key was not known.
    fn confirmed(&mut self, from: PeerId, part: &Part, cx: &mut Cx<'_>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let waits =
            |unproven: &mut Unproven| unproven.id == part.pairing && matches!(unproven.proof, Proof::Message(..));
        let Some(Unproven { proof: Proof::Message(confirming, under), .. }) = peer.unproven.take_if(waits) else {
            return;
        };
        let Ok((session, _)) = confirming.finish(&part.bytes) else { return peer.failed(cx.now.time) };
        let key = session.peer();
        let mut pairing = Pairing::new(part.pairing, from, false, key, session, cx.now.time);
        pairing.under = under;
        peer.adopt(from, pairing, cx);
        cx.fact(Fact::Paired(from));
    }

    fn record(&mut self, from: PeerId, part: &Part, cx: &mut Cx<'_>) {
        let peer = self.peers.entry(from).or_default();
        if let Some(pairing) = peer.pairing.as_mut().filter(|pairing| pairing.id == part.pairing) {
            let opened = pairing.open_signal(&part.bytes, cx);
            return self.opened(from, opened.map_err(drop), cx);
        }
        let proves =
            |unproven: &mut Unproven| unproven.id == part.pairing && matches!(unproven.proof, Proof::Record(_));
        let Some(Unproven { proof: Proof::Record(mut pairing), .. }) = peer.unproven.take_if(proves) else {
            peer.missed = true;
            return self.unpaired_stranger(from, cx);
        };
        match pairing.open_signal(&part.bytes, cx) {
            Ok(record) => {
                peer.adopt(from, *pairing, cx);
                cx.fact(Fact::Paired(from));
                self.opened(from, Ok(record), cx);
            }
            Err(_) => self.unpaired_stranger(from, cx),
        }
    }

    /// A stranger speaks in a session that there is not: they do not know, so whoever does begins the next one.
    fn unpaired_stranger(&self, from: PeerId, cx: &mut Cx<'_>) {
        let none = self.peers.get(&from).is_none_or(|peer| peer.pairing.is_none());
        if none && matches!(from, PeerId::Stranger(_)) {
            cx.fact(Fact::Unpaired(from));
        }
    }

    fn opened(&mut self, from: PeerId, opened: Result<Option<Record>, ()>, cx: &mut Cx<'_>) {
        match opened {
            Err(()) => self.lose(from, cx),
            Ok(None) => {}
            Ok(Some(record)) => self.heard(from, record, cx),
        }
    }

    fn heard(&mut self, from: PeerId, record: Record, cx: &mut Cx<'_>) {
        let pairing = self.peers.get_mut(&from).and_then(|peer| peer.pairing.as_mut());
        let Some(pairing) = pairing else { return };
        match record {
            Record::Ready(_) => {}
            Record::Connect(description) => {
                if !pairing.described(description, cx) {
                    self.lose(from, cx);
                }
            }
            Record::Candidate(candidate) => pairing.candidate(candidate, cx),
            Record::Wanted(_) => pairing.wanted = true,
            Record::Bye(_) => self.drop_pairing(from, cx),
            other => cx.fact(Fact::Heard(from, other)),
        }
    }

    /// The server did not carry something of a pairing.
    pub fn undelivered(&mut self, to: PeerId, pairing: PairingId, cx: &mut Cx<'_>) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        if peer.reaching.take_if(|reaching| reaching.id == pairing).is_some() {
            peer.failed(cx.now.time);
        }
        peer.unproven.take_if(|unproven| unproven.id == pairing);
        if peer.pairing.as_mut().is_some_and(|current| current.id == pairing && !current.lose_signal()) {
            self.lose(to, cx);
        }
    }

    /// Nothing that goes through the server is in order any more.
    pub fn signal_lost(&mut self, cx: &mut Cx<'_>) {
        let mut lost = Vec::new();
        for (who, peer) in &mut self.peers {
            peer.reaching = None;
            peer.unproven = None;
            if peer.pairing.as_mut().is_some_and(|pairing| !pairing.lose_signal()) {
                lost.push(*who);
            }
        }
        for who in lost {
            self.lose(who, cx);
        }
    }

    /// The account is left, or a person may not be talked to any more.
    pub fn forget(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        self.drop_pairing(who, cx);
        self.peers.remove(&who);
    }

    // What the link says.

    pub fn news(&mut self, id: LinkId, news: News, cx: &mut Cx<'_>) {
        let who = id.peer;
        let current = self.peers.get_mut(&who).and_then(|peer| peer.pairing.as_mut());
        let Some(pairing) = current.filter(|pairing| pairing.link_id() == Some(id) || pairing.detour.is(id)) else {
            // News of a link that was given up: it should not be there.
            return cx.effect(Effect::Link(id, Order::Close));
        };
        if pairing.detour.is(id) {
            return self.detoured(id, news, cx);
        }
        match news {
            News::Local(description) => cx.say(who, Record::Connect(description)),
            News::Candidate(candidate) => cx.say(who, Record::Candidate(candidate)),
            News::Ahead { fingerprint } | News::Up { fingerprint, .. } if !pairing.is_sound(fingerprint) => {
                self.lose(who, cx);
            }
            News::Ahead { .. } => {
                if pairing.comes_ahead() {
                    cx.fact(Fact::Ahead(who));
                }
            }
            News::Up { route, .. } => {
                if pairing.comes_ahead() {
                    cx.fact(Fact::Ahead(who));
                }
                pairing.up(route);
                pairing.used = cx.now.time;
                cx.effect(Effect::Keyed(who, Keys::Session));
                cx.fact(Fact::Up(who, id, route));
                self.succeeded(who);
            }
            News::Record(bytes) => self.in_turn(who, bytes, cx),
            News::Route(route) => {
                if pairing.routed(route) {
                    cx.fact(Fact::Routed(who, route));
                }
            }
            News::Interrupted => {
                pairing.silent = true;
                cx.fact(Fact::Interrupted(who));
            }
            News::Restored => {
                pairing.silent = false;
                cx.fact(Fact::Restored(who));
            }
            News::Severed => self.severed(id, cx),
            News::Down(down) => {
                if down == Down::Unreachable {
                    cx.fact(Fact::NoWay(who));
                }
                self.lose(who, cx);
            }
        }
    }

    /// A peer is there now: that it was not does not count any more.
    pub fn arrived(&mut self, who: PeerId) {
        self.succeeded(who);
    }

    fn succeeded(&mut self, who: PeerId) {
        if let Some(peer) = self.peers.get_mut(&who) {
            peer.failures = 0;
            peer.retry = None;
        }
    }

    /// A pairing failed: another one may be made after a while.
    fn lose(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        self.drop_pairing(who, cx);
        if let Some(peer) = self.peers.get_mut(&who) {
            peer.failed(cx.now.time);
        }
    }

    fn drop_pairing(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        if let Some(mut pairing) = self.peers.get_mut(&who).and_then(|peer| peer.pairing.take()) {
            pairing.close(cx);
            cx.fact(Fact::Unpaired(who));
        }
    }

    // What goes out.

    /// Says something to a peer, if there is a session; whoever said it says it again in the next one.
    pub fn say(&mut self, to: PeerId, record: &Record, cx: &mut Cx<'_>) {
        let pairing = self.peers.get_mut(&to).and_then(|peer| peer.pairing.as_mut());
        if pairing.is_some_and(|pairing| pairing.say(record, cx).is_err()) {
            self.lose(to, cx);
        }
    }

    /// Does what is wanted of a peer and possible now.
    pub fn settle(&mut self, who: PeerId, wish: Wish, us: Us<'_>, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        let peer = self.peers.entry(who).or_default();
        if peer.should_reach(wish) && peer.retry.is_none_or(|retry| retry <= cx.now.time) {
            peer.reach(who, wish, us, cx);
        }
        let Some(pairing) = peer.pairing.as_mut() else { return };
        if !matches!(pairing.link, Link::None) {
            return self.unveil(who, wish, lent, cx);
        }
        let hides = wish.ways == Ways::RelayOnly;
        let asked = if pairing.ours { pairing.wanted } else { pairing.is_offered() };
        if wish.consent && (asked || pairing.ours && wish.link) {
            let relays = self.relays_for(who, lent);
            // Who hides behind a relay waits until it is known where one is.
            if hides && relays.is_none() {
                return;
            }
            self.links = self.links.saturating_add(1);
            let id = LinkId { peer: who, number: self.links };
            if let Some(pairing) = self.pairing(who) {
                pairing.open_link(id, relays, wish.ways, cx);
            }
        } else if !pairing.ours && wish.link && pairing.asked.is_none_or(|at| at.after(WANTED_MS) <= cx.now.time) {
            pairing.asked = Some(cx.now.time);
            cx.say(who, Record::Wanted(Empty::default()));
        }
    }

    fn relays_for(&self, who: PeerId, lent: Option<&Relays>) -> Option<Relays> {
        match who {
            PeerId::Friend(_) => self.relays.relays.clone(),
            PeerId::Member(..) | PeerId::Stranger(_) => lent.cloned(),
        }
    }

    /// Ends what nobody needs or what took too long.
    pub fn tick(&mut self, of_use: &BTreeSet<PeerId>, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        let mut lost = Vec::new();
        let mut idle = Vec::new();
        let mut late = Vec::new();
        for (who, peer) in &mut self.peers {
            if peer.reaching.take_if(|reaching| reaching.until <= now).is_some() {
                peer.failed(now);
            }
            peer.unproven.take_if(|unproven| unproven.until <= now);
            let Some(pairing) = &mut peer.pairing else { continue };
            if pairing.loses_hope(now) {
                cx.fact(Fact::NoWay(*who));
            }
            if matches!(pairing.link, Link::Opening { until, .. } if until <= now) {
                lost.push(*who);
            } else if pairing.detour.until().is_some_and(|until| until <= now) {
                late.push(*who);
            } else if pairing.used.after(IDLE_MS) <= now && !of_use.contains(who) {
                idle.push(*who);
            }
        }
        for who in late {
            self.detour_late(who, cx);
        }
        for who in lost {
            self.lose(who, cx);
        }
        for who in idle {
            self.say(who, &Record::Bye(Empty::default()), cx);
            self.drop_pairing(who, cx);
        }
        self.peers.retain(|_, peer| !peer.is_done(now));
    }

    pub fn deadline(&self, wish: impl Fn(PeerId) -> Wish) -> Option<Time> {
        self.peers.iter().filter_map(|(who, peer)| peer.deadline(wish(*who))).min()
    }
}

impl Peer {
    /// Takes a pairing into use in place of an older one.
    fn adopt(&mut self, who: PeerId, pairing: Pairing, cx: &mut Cx<'_>) {
        if let Some(mut old) = self.pairing.replace(pairing) {
            old.close(cx);
            cx.fact(Fact::Unpaired(who));
        }
        self.reaching = None;
        self.missed = false;
    }

    fn failed(&mut self, now: Time) {
        let wait = RETRY_MS.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX_MS);
        self.failures = self.failures.saturating_add(1);
        self.retry = Some(now.after(wait));
    }

    /// Whether a hello should go out as soon as its time has come.
    fn should_reach(&self, wish: Wish) -> bool {
        let free = self.pairing.is_none() && self.reaching.is_none() && self.unproven.is_none();
        free && wish.reachable && wish.trust.is_some() && (wish.is_anything() || self.missed)
    }

    fn reach(&mut self, peer: PeerId, wish: Wish, us: Us<'_>, cx: &mut Cx<'_>) {
        let id = PairingId(cx.roll());
        let (Some(trust), Some(prologue)) = (wish.trust, us.prologue(id, peer, Opener::Us)) else { return };
        let Some(pattern) = us.pattern(trust) else { return };
        // Among strangers it would be in clear, and a clock that is wrong knows its phone again.
        let at = if trust == Trust::Nothing { 0 } else { cx.now.wall.0 }.to_be_bytes();
        let started = Initiator::start(&pattern, &prologue, &at, cx.roll());
        let Ok((initiator, message)) = started else { return self.failed(cx.now.time) };
        let class = if wish.session { Class::Ring } else { Class::Connect };
        let hello = Sealed::Hello(Part { pairing: id, bytes: message.into() });
        if route(peer, id, &hello, class, cx).is_ok() {
            self.reaching = Some(Reaching { id, initiator, until: cx.now.time.after(HELLO_MS) });
        }
    }

    fn is_done(&self, now: Time) -> bool {
        let nothing = self.pairing.is_none() && self.reaching.is_none() && self.unproven.is_none();
        nothing && !self.missed && self.retry.is_none_or(|retry| retry.after(RETRY_MAX_MS) <= now)
    }

    fn deadline(&self, wish: Wish) -> Option<Time> {
        let reaching = self.reaching.as_ref().map(|reaching| reaching.until);
        let unproven = self.unproven.as_ref().map(|unproven| unproven.until);
        let retry = self.retry.filter(|_| self.should_reach(wish));
        let link = self.pairing.as_ref().and_then(|pairing| match pairing.link {
            Link::Opening { hope, until, .. } => Some(hope.map_or(until, |hope| hope.min(until))),
            Link::None if wish.link && !pairing.ours => pairing.asked.map(|at| at.after(WANTED_MS)),
            _ if wish.is_anything() => None,
            _ => Some(pairing.used.after(IDLE_MS)),
        });
        let detour = self.pairing.as_ref().and_then(|pairing| pairing.detour.until());
        [reaching, unproven, retry, link, detour].into_iter().flatten().min()
    }
}
