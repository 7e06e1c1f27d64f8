//! Strangers in memory: who waits, who was put together, who parted.
//!
//! A session has one search or one match at a time. Every step that puts two together takes both out of the waiting line,
//! so that nobody is in two matches.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_wire::frame::Event;
use sidetone_wire::id::{InterestTag, MatchId, SessionId};
use sidetone_wire::limits::{ACCEPT_MS, AGAIN_MS, APART_MS, INTERESTS_MS, SEEK_MS};
use sidetone_wire::stranger::{
    Leave, Match, MatchEnd, MatchOver, Matched, Media, Reason, Shown, StrangerDelivered, StrangerEnvelope, Ticket,
};

use super::LocalBus;
use super::heat::{Act, Heats};
use crate::Now;
use crate::bus::{Delivery, Denied, Pool, RelayName, Seeking, Tag};
use crate::keys;
use crate::radar::{Counter, Happened, Radar};

/// Searches looked at to find somebody.
const LOOKED_AT: usize = 256;
/// Searches that are looked through in one second because they take anybody by now.
const AT_ONCE: usize = 512;
/// Pairs that are kept apart; the oldest is forgotten first.
const APART: usize = 100_000;
const DAY_MS: u64 = 86_400_000;
/// Who leaves a match within this has wasted the other one's time.
const AT_ONCE_MS: u64 = 5_000;

/// What reports are sealed for.
const REPORT: &[u8] = b"sidetone report v1";

/// A place in the line: whoever came first in a pool is looked at first.
type Place = (Pool, u64, u64);

/// What a session has to do with strangers.
#[derive(Default)]
pub(super) enum Stage {
    #[default]
    Away,
    Waiting(Place),
    Matched(MatchId),
}

/// Somebody who searches.
#[derive(Clone)]
struct Seeker {
    session: SessionId,
    seeking: Seeking,
    place: Place,
}

struct Side {
    seeker: Seeker,
    consents: bool,
    /// Wants the other one again, having heard from them before we did that they left.
    wants: bool,
    name: [u8; 8],
}

/// Two who were put together.
struct Pair {
    sides: [Side; 2],
    /// Consent comes before this.
    until_ms: u64,
    begun_ms: Option<u64>,
    name: [u8; 8],
}

/// Two who parted and may ask for each other.
struct Recent {
    sides: [Seeker; 2],
    wants: [bool; 2],
    until_ms: u64,
    /// Who searched on before anybody had left, from a match that was short: they left it, unless the other one says so.
    searched: Option<usize>,
}

/// Everything about strangers.
pub(super) struct Lobby {
    line: BTreeMap<Place, Box<Seeker>>,
    numbers: u64,
    pairs: BTreeMap<MatchId, Box<Pair>>,
    recent: BTreeMap<MatchId, Box<Recent>>,
    apart: BTreeMap<(SessionId, SessionId), u64>,
    /// Addresses of today that never meet again.
    blocked: BTreeSet<(Tag, Tag)>,
    day: u32,
    /// Complaints of today, so that each counts once; when there are very many, no more are counted.
    complained: BTreeSet<Tag>,
    pub(super) heats: Heats,
    pub(super) counter: Counter,
}

impl Lobby {
    pub(super) fn new() -> Self {
        Self {
            line: BTreeMap::new(),
            numbers: 0,
            pairs: BTreeMap::new(),
            recent: BTreeMap::new(),
            apart: BTreeMap::new(),
            blocked: BTreeSet::new(),
            day: 0,
            complained: BTreeSet::new(),
            heats: Heats::default(),
            counter: Counter::new(),
        }
    }

    fn may_meet(&self, now: Now, one: &Seeker, other: &Seeker) -> bool {
        let apart = self.apart.get(&ordered(one.session, other.session)).is_some_and(|until| *until > now.ticks_ms);
        let blocked = self.blocked.contains(&ordered(one.seeking.from, other.seeking.from));
        one.session != other.session && !apart && !blocked
    }

    fn keep_apart(&mut self, now: Now, one: SessionId, other: SessionId, ms: u64) {
        if self.apart.len() >= APART {
            let oldest = self.apart.iter().min_by_key(|(_, until)| **until).map(|(pair, _)| *pair);
            oldest.map(|pair| self.apart.remove(&pair));
        }
        let until = self.apart.entry(ordered(one, other)).or_default();
        *until = (*until).max(now.ticks_ms + ms);
    }

    /// Never again today: neither these sessions nor, if they are two, these addresses.
    fn block(&mut self, now: Now, one: &Seeker, other: &Seeker) {
        self.keep_apart(now, one.session, other.session, DAY_MS);
        let addresses = ordered(one.seeking.from, other.seeking.from);
        if addresses.0 != addresses.1 {
            if self.blocked.len() >= APART {
                self.blocked.pop_first();
            }
            self.blocked.insert(addresses);
        }
    }

    fn today(&mut self, now: Now) {
        if self.day != now.day() {
            self.day = now.day();
            self.blocked.clear();
            self.complained.clear();
        }
    }
}

fn ordered<T: Ord>(one: T, other: T) -> (T, T) {
    if one < other { (one, other) } else { (other, one) }
}

fn common(one: &[InterestTag], other: &[InterestTag]) -> Vec<InterestTag> {
    one.iter().copied().filter(|tag| other.contains(tag)).collect()
}

impl Seeker {
    /// Whether it still waits for somebody with the same interests.
    fn insists(&self, now: Now) -> bool {
        !self.seeking.interests.is_empty() && self.place.1 + INTERESTS_MS > now.ticks_ms
    }
}

impl Recent {
    fn side(&self, session: SessionId) -> Option<usize> {
        self.sides.iter().position(|seeker| seeker.session == session)
    }
}

impl Pair {
    fn side(&self, session: SessionId) -> Option<usize> {
        self.sides.iter().position(|side| side.seeker.session == session)
    }

    fn media(&self) -> Media {
        self.sides[0].seeker.place.0.media
    }
}

impl LocalBus {
    fn stage(&mut self, id: SessionId, stage: Stage) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.stage = stage;
        }
    }

    pub(super) fn seek_here(&mut self, now: Now, id: SessionId, seeking: Seeking) -> Result<(), Denied> {
        self.now = now;
        let session = self.sessions.get(&id).ok_or(Denied::Offline)?;
        match session.stage {
            Stage::Matched(which) => self.seeks_on(now, id, which)?,
            Stage::Waiting(place) => {
                if self.lobby.line.get(&place).is_some_and(|seeker| seeker.seeking.ticket == seeking.ticket) {
                    return Ok(());
                }
                self.lobby.line.remove(&place);
            }
            Stage::Away => {}
        }
        self.lobby.heats.add(now, id.0, seeking.from, Act::Sought);
        self.lobby.counter.visit(now, &seeking.from);
        self.lobby.numbers += 1;
        let place = (seeking.pool, now.ticks_ms, self.lobby.numbers);
        self.wait(Seeker { session: id, seeking, place });
        self.match_one(now, place);
        Ok(())
    }

    /// Who searches while it has a match is done with that: the other one told it that they left before they told us.
    fn seeks_on(&mut self, now: Now, id: SessionId, which: MatchId) -> Result<(), Denied> {
        let pair = self.lobby.pairs.get_mut(&which).ok_or(Denied::Already)?;
        let (begun_ms, side) = (pair.begun_ms.ok_or(Denied::Already)?, pair.side(id));
        // Somebody else is wanted now.
        side.into_iter().for_each(|side| pair.sides[side].wants = false);
        self.dissolve(now, which, &[id], MatchEnd::Left);
        if let Some(recent) = self.lobby.recent.get_mut(&which) {
            recent.searched = side.filter(|_| begun_ms + AT_ONCE_MS > now.ticks_ms);
        }
        Ok(())
    }

    fn wait(&mut self, seeker: Seeker) {
        let place = seeker.place;
        self.stage(seeker.session, Stage::Waiting(place));
        self.lobby.line.insert(place, Box::new(seeker));
    }

    pub(super) fn unseek_here(&mut self, id: SessionId, ticket: Ticket) {
        let Some(Stage::Waiting(place)) = self.sessions.get(&id).map(|session| &session.stage) else { return };
        let place = *place;
        if self.lobby.line.get(&place).is_some_and(|seeker| seeker.seeking.ticket == ticket.ticket) {
            self.lobby.line.remove(&place);
            self.stage(id, Stage::Away);
        }
    }

    fn is_attached(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.detached_ms.is_none())
    }

    /// Looks for somebody for one who waits. Who has most in common comes first, then who waits longest.
    fn match_one(&mut self, now: Now, place: Place) {
        let Some(seeker) = self.lobby.line.get(&place) else { return };
        if !self.is_attached(seeker.session) {
            return;
        }
        let pool = (place.0, 0, 0)..=(place.0, u64::MAX, u64::MAX);
        let mut best: Option<(usize, Place)> = None;
        for (at, other) in self.lobby.line.range(pool).take(LOOKED_AT) {
            if !self.lobby.may_meet(now, seeker, other) || !self.is_attached(other.session) {
                continue;
            }
            let shared = common(&seeker.seeking.interests, &other.seeking.interests).len();
            let fits = shared > 0 || !(seeker.insists(now) || other.insists(now));
            if fits && best.is_none_or(|(most, _)| shared > most) {
                best = Some((shared, *at));
            }
        }
        if let Some((_, other)) = best {
            self.put_together(now, place, other);
        }
    }

    fn put_together(&mut self, now: Now, newer: Place, older: Place) {
        let (Some(one), Some(other)) = (self.lobby.line.remove(&newer), self.lobby.line.remove(&older)) else { return };
        self.pair(now, [*one, *other]);
    }

    /// Puts two together who are not in the line any more.
    fn pair(&mut self, now: Now, seekers: [Seeker; 2]) -> MatchId {
        let id = MatchId(self.draws.bytes());
        let common = common(&seekers[0].seeking.interests, &seekers[1].seeking.interests);
        let names: [[u8; 8]; 3] = [self.draws.bytes(), self.draws.bytes(), self.draws.bytes()];
        let who = seekers.clone();
        for seeker in &who {
            self.stage(seeker.session, Stage::Matched(id));
        }
        let [one, other] = seekers;
        let sides = [(one, names[0]), (other, names[1])];
        let sides = sides.map(|(seeker, name)| Side { seeker, consents: false, wants: false, name });
        let pair = Pair { sides, until_ms: now.ticks_ms + ACCEPT_MS, begun_ms: None, name: names[2] };
        self.lobby.pairs.insert(id, Box::new(pair));
        for (us, them) in [(0, 1), (1, 0)] {
            let report = self.report_token(now, id, us, &who[us], &who[them]).into();
            let ticket = who[us].seeking.ticket;
            let frank = who[them].seeking.frank;
            let matched = Matched { id, ticket, first: us == 0, common: common.clone(), report, frank };
            self.tell(who[us].session, &Event::Matched(matched));
        }
        id
    }

    pub(super) fn consent_here(&mut self, now: Now, id: SessionId, which: MatchId) -> Result<(), Denied> {
        let pair = self.lobby.pairs.get_mut(&which).ok_or(Denied::NoSuchMatch)?;
        let side = pair.side(id).ok_or(Denied::NoSuchMatch)?;
        pair.sides[side].consents = true;
        if pair.begun_ms.is_none() && pair.sides.iter().all(|side| side.consents) {
            pair.begun_ms = Some(now.ticks_ms);
            let (media, both) = (pair.media(), pair.sides.each_ref().map(|side| side.seeker.session));
            self.lobby.counter.happened(now, media, Happened::Began);
            for session in both {
                self.tell(session, &Event::Begun(Match { id: which }));
            }
        }
        Ok(())
    }

    pub(super) fn part_here(&mut self, now: Now, id: SessionId, which: MatchId, how: Leave) -> Result<(), Denied> {
        self.lobby.today(now);
        let Some(pair) = self.lobby.pairs.get(&which) else { return self.part_too(now, id, which, how) };
        let side = pair.side(id).ok_or(Denied::NoSuchMatch)?;
        let [us, them] = [side, 1 - side].map(|side| pair.sides[side].seeker.clone());
        let (begun_ms, media) = (pair.begun_ms, pair.media());
        if begun_ms.is_none_or(|begun_ms| begun_ms + AT_ONCE_MS > now.ticks_ms) {
            self.lobby.heats.add(now, id.0, us.seeking.from, Act::Wasted);
            if begun_ms.is_some() {
                self.lobby.heats.forgive(now, them.session.0, them.seeking.from);
            }
        }
        if how == Leave::Skip && begun_ms.is_some() {
            self.lobby.counter.happened(now, media, Happened::Skipped);
        }
        self.dissolve(now, which, &[id], MatchEnd::Left);
        if how == Leave::Block {
            self.lobby.recent.remove(&which);
            self.lobby.block(now, &us, &them);
        }
        Ok(())
    }

    /// Who leaves when the other one has left already still can want never to meet them again.
    fn part_too(&mut self, now: Now, id: SessionId, which: MatchId, how: Leave) -> Result<(), Denied> {
        let recent = self.lobby.recent.get(&which).ok_or(Denied::NoSuchMatch)?;
        let side = recent.side(id).ok_or(Denied::NoSuchMatch)?;
        let [us, them] = [side, 1 - side].map(|side| recent.sides[side].clone());
        if recent.searched == Some(1 - side) {
            self.lobby.heats.add(now, id.0, us.seeking.from, Act::Wasted);
            self.lobby.heats.forgive(now, them.session.0, them.seeking.from);
            self.lobby.recent.get_mut(&which).into_iter().for_each(|recent| recent.searched = None);
        }
        if how == Leave::Block {
            self.lobby.recent.remove(&which);
            self.lobby.block(now, &us, &them);
        }
        Ok(())
    }

    /// Ends a match. `leavers` do not want it or are gone: of a match that did not begin, the others go on waiting.
    fn dissolve(&mut self, now: Now, which: MatchId, leavers: &[SessionId], why: MatchEnd) {
        let Some(pair) = self.lobby.pairs.remove(&which) else { return };
        let media = pair.media();
        let begun_ms = pair.begun_ms;
        match begun_ms {
            Some(begun_ms) => {
                let after_ms = now.ticks_ms.saturating_sub(begun_ms);
                self.lobby.counter.happened(now, media, Happened::Ended { after_ms });
            }
            None => self.lobby.counter.happened(now, media, Happened::Unwanted),
        }
        let wants = pair.sides.each_ref().map(|side| side.wants);
        let sides = pair.sides.map(|side| side.seeker);
        self.lobby.keep_apart(now, sides[0].session, sides[1].session, APART_MS);
        for seeker in sides.clone() {
            let session = seeker.session;
            let leaves = leavers.contains(&session);
            let waiting = begun_ms.is_none() && !leaves && self.sessions.contains_key(&session);
            let place = seeker.place;
            if waiting {
                self.wait(seeker);
            } else {
                self.stage(session, Stage::Away);
            }
            let why = match (begun_ms, leaves) {
                (_, true) if why == MatchEnd::TooLate => Some(MatchEnd::TooLate),
                (_, true) => None,
                (Some(_), false) => Some(why),
                (None, false) => Some(MatchEnd::Unwanted),
            };
            if let Some(why) = why {
                self.tell(session, &Event::MatchOver(MatchOver { id: which, why, waiting }));
            }
            if waiting {
                self.match_one(now, place);
            }
        }
        if begun_ms.is_some() {
            let recent = Recent { sides, wants, until_ms: now.ticks_ms + AGAIN_MS, searched: None };
            self.lobby.recent.insert(which, Box::new(recent));
            // Both may have said so before either left.
            let _ = self.meet_again(now, which);
        }
    }

    /// A session is gone, with what it had to do with strangers.
    pub(super) fn forget_stranger(&mut self, id: SessionId, stage: &Stage) {
        match *stage {
            Stage::Away => {}
            Stage::Waiting(place) => {
                self.lobby.line.remove(&place);
            }
            Stage::Matched(which) => self.dissolve(self.now, which, &[id], MatchEnd::Lost),
        }
    }

    /// A socket is back: its search goes on from its place.
    pub(super) fn stranger_is_back(&mut self, now: Now, id: SessionId) {
        if let Some(Stage::Waiting(place)) = self.sessions.get(&id).map(|session| &session.stage) {
            self.match_one(now, *place);
        }
    }

    pub(super) fn hand_stranger_here(&mut self, id: SessionId, envelope: StrangerEnvelope) -> Result<(), Denied> {
        let StrangerEnvelope { id: which, class, bytes } = envelope;
        let pair = self.lobby.pairs.get(&which).ok_or(Denied::NoSuchMatch)?;
        let side = pair.side(id).ok_or(Denied::NoSuchMatch)?;
        if pair.begun_ms.is_none() {
            return Err(Denied::NotBegun);
        }
        let to = pair.sides[1 - side].seeker.session;
        match self.tell(to, &Event::StrangerSealed(StrangerDelivered { id: which, class, bytes })) {
            Delivery::Logged | Delivery::Waiting => Ok(()),
            Delivery::Offline => Err(Denied::NoSuchMatch),
        }
    }

    pub(super) fn stranger_name(&self, id: SessionId, which: MatchId) -> Result<RelayName, Denied> {
        let pair = self.lobby.pairs.get(&which).ok_or(Denied::NoSuchMatch)?;
        let side = pair.side(id).ok_or(Denied::NoSuchMatch)?;
        pair.begun_ms.ok_or(Denied::NotBegun)?;
        Ok(RelayName { room: pair.name, member: pair.sides[side].name })
    }

    pub(super) fn again_here(&mut self, now: Now, id: SessionId, which: MatchId) -> Result<(), Denied> {
        if let Some(pair) = self.lobby.pairs.get_mut(&which).filter(|pair| pair.begun_ms.is_some()) {
            let side = pair.side(id).ok_or(Denied::NoSuchMatch)?;
            pair.sides[side].wants = true;
            return Ok(());
        }
        let recent = self.lobby.recent.get_mut(&which).filter(|recent| recent.until_ms > now.ticks_ms);
        let recent = recent.ok_or(Denied::NoSuchMatch)?;
        let side = recent.side(id).ok_or(Denied::NoSuchMatch)?;
        recent.wants[side] = true;
        self.meet_again(now, which)
    }

    /// Puts two together who parted, if both want it.
    fn meet_again(&mut self, now: Now, which: MatchId) -> Result<(), Denied> {
        let recent = self.lobby.recent.get(&which).ok_or(Denied::NoSuchMatch)?;
        let both = recent.sides.each_ref().map(|seeker| seeker.session);
        if recent.wants != [true; 2] {
            return Ok(());
        }
        // Whoever is in another match by now, or gone, is not torn out of it.
        let free = |session: &SessionId| {
            self.sessions.get(session).is_some_and(|session| !matches!(session.stage, Stage::Matched(_)))
        };
        if !both.iter().all(free) {
            return Err(Denied::NoSuchMatch);
        }
        let Some(recent) = self.lobby.recent.remove(&which) else { return Err(Denied::NoSuchMatch) };
        for session in both {
            if let Some(Stage::Waiting(place)) = self.sessions.get(&session).map(|session| &session.stage) {
                self.lobby.line.remove(place);
            }
        }
        // Whoever parted has erased the key they signed with.
        let sides = recent.sides.map(|side| Seeker { seeking: Seeking { frank: None, ..side.seeking }, ..side });
        let anew = self.pair(now, sides);
        for session in both {
            let _ = self.consent_here(now, session, anew);
        }
        Ok(())
    }

    /// What lets one of a match complain about the other: sealed for us, so that we need to keep nothing of the match.
    fn report_token(&mut self, now: Now, id: MatchId, side: usize, us: &Seeker, them: &Seeker) -> Vec<u8> {
        let key = self.today(now);
        let media = us.place.0.media.number() as u8;
        let once = [&id.0[..], &[side as u8, media]].concat();
        let signs = them.seeking.frank.map_or([0; 32], |key| key.0);
        let clear = [&once[..], &us.seeking.from, &them.seeking.from, &them.session.0, &signs].concat();
        keys::seal(&key, REPORT, &clear, &mut self.draws)
    }

    pub(super) fn report_here(
        &mut self,
        now: Now,
        token: &[u8],
        reason: Reason,
        shown: &[Shown],
    ) -> Result<(), Denied> {
        let key = self.today(now);
        let clear = keys::unseal(&key, REPORT, token).ok_or(Denied::Forged)?;
        let (once, rest) = clear.split_first_chunk::<18>().ok_or(Denied::Forged)?;
        let (reporter, rest) = rest.split_first_chunk::<16>().ok_or(Denied::Forged)?;
        let (from, session) = rest.split_first_chunk::<16>().ok_or(Denied::Forged)?;
        let (session, signs) = session.split_first_chunk::<16>().ok_or(Denied::Forged)?;
        let (id, _) = once.split_first_chunk::<16>().ok_or(Denied::Forged)?;
        if !shown.iter().all(|text| keys::is_franked(signs, &MatchId(*id), text)) {
            return Err(Denied::Forged);
        }
        self.lobby.today(now);
        // One complaint a match, and one of an address about another: a crowd is heard, a shouter is not.
        let [.., media] = *once;
        let once = keys::tag(&key, "complaint", once);
        let pair = keys::tag(&key, "complainer", &[&reporter[..], from].concat());
        if self.lobby.complained.len() >= APART || !self.lobby.complained.insert(once) {
            return Ok(());
        }
        self.lobby.counter.reported(now, Media::from(u16::from(media)), reason);
        if self.lobby.complained.insert(pair) {
            self.lobby.heats.add(now, *session, *from, Act::Complained);
        }
        Ok(())
    }

    /// Ends what took too long, and matches those who take anybody by now.
    pub(super) fn expire_strangers(&mut self, now: Now) {
        self.now = now;
        self.lobby.today(now);
        self.lobby.apart.retain(|_, until| *until > now.ticks_ms);
        self.forget_parted(now);
        let late = |pair: &Pair| pair.begun_ms.is_none() && pair.until_ms <= now.ticks_ms;
        let unanswered: Vec<_> = self.lobby.pairs.iter().filter(|(_, pair)| late(pair)).map(|(id, _)| *id).collect();
        for which in unanswered {
            let Some(pair) = self.lobby.pairs.get(&which) else { continue };
            let silent = pair.sides.iter().filter(|side| !side.consents);
            let silent: Vec<_> = silent.map(|side| (side.seeker.session, side.seeker.seeking.from)).collect();
            for (session, from) in &silent {
                self.lobby.heats.add(now, session.0, *from, Act::Wasted);
            }
            let silent: Vec<_> = silent.into_iter().map(|(session, _)| session).collect();
            self.dissolve(now, which, &silent, MatchEnd::TooLate);
        }
        let line: Vec<_> = self.lobby.line.values().map(|seeker| (seeker.place, seeker.session)).collect();
        let mut looked = 0;
        for (place, session) in line {
            if place.1 + SEEK_MS <= now.ticks_ms {
                if let Some(gone) = self.lobby.line.remove(&place) {
                    self.stage(session, Stage::Away);
                    self.tell(session, &Event::NobodyThere(Ticket { ticket: gone.seeking.ticket }));
                }
            } else if place.1 + INTERESTS_MS <= now.ticks_ms && looked < AT_ONCE {
                looked += 1;
                self.match_one(now, place);
            }
        }
    }

    /// Forgets who parted long ago.
    fn forget_parted(&mut self, now: Now) {
        let Lobby { recent, heats, .. } = &mut self.lobby;
        recent.retain(|_, recent| {
            let stays = recent.until_ms > now.ticks_ms;
            if !stays && let Some(seeker) = recent.searched.map(|side| &recent.sides[side]) {
                heats.add(now, seeker.session.0, seeker.seeking.from, Act::Wasted);
            }
            stays
        });
    }

    pub(super) fn active_here(&self) -> u64 {
        self.lobby.line.len() as u64 + 2 * self.lobby.pairs.len() as u64
    }

    pub(super) fn radar_here(&mut self, now: Now) -> Radar {
        let mut live: BTreeMap<Media, (u64, u64)> = BTreeMap::new();
        for place in self.lobby.line.keys() {
            live.entry(place.0.media).or_default().0 += 1;
        }
        for pair in self.lobby.pairs.values() {
            live.entry(pair.media()).or_default().1 += 1;
        }
        let mut radar = self.lobby.counter.read(now, &live);
        [radar.slowed, radar.shadowed, radar.barred] = self.lobby.heats.counts(now);
        radar
    }
}
