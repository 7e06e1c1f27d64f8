//! Rooms in memory.
//!
//! Names of rooms and tries lie in boxes of their own: a map that grows and shrinks leaves copies of its keys in nodes it
//! goes on using, and only what is freed is erased.

use std::collections::BTreeSet;

use sidetone_wire::encode;
use sidetone_wire::envelope::Class;
use sidetone_wire::frame::Event;
use sidetone_wire::id::{MemberId, RoomId, Secret, SessionId, UserId};
use sidetone_wire::limits::{FRAME_BYTES, MEMBERS, ROOMS, UNVOUCHED_MS};
use sidetone_wire::room::{
    BurnedWhy, LockRoom, Nameplate, OutWhy, Parting, PutOut, RoomDelivered, RoomEnvelope, Seat, Went,
};
use subtle::ConstantTimeEq;

use super::LocalBus;
use crate::Now;
use crate::bus::{Delivery, Denied, Entering, Exile, Held, Opening, RelayName, Terms};

/// Bans of one room: who has so many enemies makes a new room.
const BANS: usize = 1_024;
/// Members nobody vouched for who may be in a room beside its seats.
const STANDING: usize = MEMBERS;
/// Envelopes a member may send before somebody vouches for it: a first message to each, and some again.
const UNVOUCHED_ENVELOPES: u16 = 128;

/// A room that is open.
pub(super) struct Room {
    terms: Terms,
    /// `None` in a kept room that its owner did not open.
    owner: Option<Secret>,
    /// The session of the owner, which may be gone.
    holder: Option<SessionId>,
    name: [u8; 8],
    locked: bool,
    /// In the order in which they came.
    members: Vec<Member>,
    banned: BTreeSet<SessionId>,
    banned_users: BTreeSet<UserId>,
    pub(super) plates: Vec<Nameplate>,
}

struct Member {
    id: MemberId,
    session: SessionId,
    name: [u8; 8],
    at_ms: u64,
    vouched: bool,
    said: u16,
}

impl Room {
    fn member_of(&self, session: SessionId) -> Option<&Member> {
        self.members.iter().find(|member| member.session == session)
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    fn others(&self, session: SessionId) -> Vec<MemberId> {
        self.members.iter().filter(|member| member.session != session).map(|member| member.id).collect()
    }

    fn relay_name(&self, member: &Member) -> RelayName {
        RelayName { room: self.name, member: member.name }
    }

    /// The first who has stood too long without anybody vouching.
    fn stale(&self, now: Now) -> Option<SessionId> {
        self.members.iter().find(|member| !member.holds_seat(now)).map(|member| member.session)
    }
}

impl Member {
    fn holds_seat(&self, now: Now) -> bool {
        self.vouched || self.at_ms + UNVOUCHED_MS > now.ticks_ms
    }
}

impl LocalBus {
    pub(super) fn tell(&mut self, to: SessionId, event: &Event) -> Delivery {
        match encode(event, FRAME_BYTES) {
            Ok(bytes) => self.log(to, &bytes.into()),
            Err(_) => Delivery::Offline,
        }
    }

    fn tell_others(&mut self, room: RoomId, but: SessionId, event: &Event) {
        let Some(open) = self.rooms.get(&room) else { return };
        let to: Vec<_> = open.members.iter().map(|member| member.session).filter(|to| *to != but).collect();
        for session in to {
            self.tell(session, event);
        }
    }

    pub(super) fn owns(&self, session: SessionId, room: RoomId) -> bool {
        let Some(open) = self.rooms.get(&room) else { return false };
        let user = self.sessions.get(&session).and_then(|session| session.party).map(|party| party.user);
        open.holder == Some(session) || (user.is_some() && open.terms.creator == user)
    }

    /// The room, for its owner.
    pub(super) fn owned(&mut self, session: SessionId, room: RoomId) -> Result<&mut Room, Denied> {
        let owns = self.owns(session, room);
        let open = self.rooms.get_mut(&room).ok_or(Denied::NoSuchRoom)?;
        if owns { Ok(open) } else { Err(Denied::NotOwner) }
    }

    /// The live session that speaks for a room.
    pub(super) fn holder(&self, room: RoomId) -> Option<SessionId> {
        self.rooms.get(&room)?.holder.filter(|session| self.sessions.contains_key(session))
    }

    pub(super) fn terms_of(&self, room: RoomId) -> Option<Terms> {
        self.rooms.get(&room).map(|open| open.terms)
    }

    fn fresh(&mut self, terms: Terms, owner: Option<Secret>, holder: Option<SessionId>) -> Box<Room> {
        Box::new(Room {
            terms,
            owner,
            holder,
            name: self.draws.bytes(),
            locked: false,
            members: Vec::new(),
            banned: BTreeSet::new(),
            banned_users: BTreeSet::new(),
            plates: Vec::new(),
        })
    }

    pub(super) fn open_here(&mut self, now: Now, id: SessionId, opening: Opening) -> Result<Vec<MemberId>, Denied> {
        let Opening { room, member, owner, terms } = opening;
        let user = self.sessions.get(&id).ok_or(Denied::Offline)?.party.map(|party| party.user);
        if let Some(open) = self.rooms.get_mut(&room) {
            let known = open.owner.as_ref().is_some_and(|known| bool::from(known.as_bytes().ct_eq(owner.as_bytes())));
            if !known && (user.is_none() || open.terms.creator != user) {
                return Err(Denied::Taken);
            }
            if open.members.iter().any(|other| other.id == member && other.session != id) {
                return Err(Denied::Already);
            }
            open.owner = Some(owner);
            if let Some(before) = open.holder.replace(id).filter(|before| *before != id) {
                self.unseat(room, before, Parting::Left, Some(OutWhy::Displaced));
            }
        } else {
            let fresh = self.fresh(terms, Some(owner), Some(id));
            self.rooms.insert(Box::new(room), fresh);
        }
        let seated = self.seat(now, id, room, member, true);
        self.end_if_empty(room);
        seated
    }

    pub(super) fn enter_here(&mut self, now: Now, id: SessionId, entering: Entering) -> Result<Vec<MemberId>, Denied> {
        let Entering { room, member, kept } = entering;
        if !self.rooms.contains_key(&room) {
            let terms = kept.ok_or(Denied::NoSuchRoom)?;
            let fresh = self.fresh(terms, None, None);
            self.rooms.insert(Box::new(room), fresh);
        }
        let owns = self.owns(id, room);
        let seated = self.seat(now, id, room, member, owns);
        self.end_if_empty(room);
        seated
    }

    fn seat(
        &mut self,
        now: Now,
        id: SessionId,
        room: RoomId,
        member: MemberId,
        owns: bool,
    ) -> Result<Vec<MemberId>, Denied> {
        let session = self.sessions.get(&id).ok_or(Denied::Offline)?;
        let open = self.rooms.get(&room).ok_or(Denied::NoSuchRoom)?;
        let before = open.member_of(id).map(|before| before.id);
        if before == Some(member) {
            return Ok(open.others(id));
        }
        if open.member(member).is_some() {
            return Err(Denied::Already);
        }
        let banned =
            open.banned.contains(&id) || session.party.is_some_and(|party| open.banned_users.contains(&party.user));
        if banned && !owns {
            return Err(Denied::Banned);
        }
        if open.locked && !owns {
            return Err(Denied::Locked);
        }
        if before.is_none() && session.rooms.len() >= ROOMS {
            return Err(Denied::TooMany);
        }
        let seats = open.terms.seats.count();
        let others = || open.members.iter().filter(|other| other.session != id);
        let (taken, there) = (others().filter(|other| other.holds_seat(now)).count(), others().count());
        let gone = match () {
            () if taken >= seats && !owns => Some(self.silent(now, room).ok_or(Denied::Full)?),
            () if there >= seats + STANDING => open.stale(now),
            () => None,
        };
        // First we go: what happens until we are back is in the answer and not an event.
        self.unseat(room, id, Parting::Left, None);
        if let Some(gone) = gone.filter(|gone| *gone != id) {
            self.unseat(room, gone, Parting::Displaced, Some(OutWhy::Displaced));
        }
        self.sit(now, id, room, member, owns);
        Ok(self.rooms.get(&room).map(|open| open.others(id)).unwrap_or_default())
    }

    fn sit(&mut self, now: Now, id: SessionId, room: RoomId, member: MemberId, owns: bool) {
        let name = self.draws.bytes();
        let Some(open) = self.rooms.get_mut(&room) else { return };
        // Somebody has to begin: the first in a room without its owner is taken at its word.
        let vouched = owns || !open.members.iter().any(|other| other.vouched);
        open.members.push(Member { id: member, session: id, name, at_ms: now.ticks_ms, vouched, said: 0 });
        if let Some(session) = self.sessions.get_mut(&id) {
            session.rooms.push(room);
        }
        self.tell_others(room, id, &Event::Came(Seat { room, member }));
    }

    /// The member whose socket has been gone for longest, if for long enough.
    fn silent(&self, now: Now, room: RoomId) -> Option<SessionId> {
        let since = |id: SessionId| self.sessions.get(&id).and_then(|session| session.detached_ms);
        let members = self.rooms.get(&room)?.members.iter();
        let gone = members.filter_map(|member| since(member.session).map(|at_ms| (at_ms, member.session)));
        gone.filter(|(at_ms, _)| at_ms + UNVOUCHED_MS <= now.ticks_ms).min().map(|(_, session)| session)
    }

    /// Takes a session's member out and tells the others, and the session if there is something to say. The room stays,
    /// even if it is empty.
    fn unseat(&mut self, room: RoomId, id: SessionId, why: Parting, out: Option<OutWhy>) -> Option<Held> {
        let owns = self.owns(id, room);
        let open = self.rooms.get_mut(&room)?;
        let at = open.members.iter().position(|member| member.session == id)?;
        let gone = open.members.remove(at);
        let (member, relay, name) = (gone.id, open.terms.relay, open.relay_name(&gone));
        if !open.members.iter().any(|other| other.vouched)
            && let Some(first) = open.members.first_mut()
        {
            first.vouched = true;
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            // A new list, for the freed one is erased.
            session.rooms = session.rooms.iter().copied().filter(|other| *other != room).collect();
        }
        self.tell_others(room, id, &Event::Went(Went { room, member, why }));
        if let Some(why) = out {
            self.tell(id, &Event::PutOut(PutOut { room, member, why }));
        }
        Some(Held { member, relay, owns, name })
    }

    fn end_if_empty(&mut self, room: RoomId) {
        if self.rooms.get(&room).is_some_and(|open| open.members.is_empty()) {
            self.end_room(room);
        }
    }

    fn end_room(&mut self, room: RoomId) -> Option<Box<Room>> {
        for plate in self.rooms.get(&room).map(|open| open.plates.clone()).unwrap_or_default() {
            self.burn(plate, Some(BurnedWhy::RoomOver));
        }
        self.rooms.remove(&room)
    }

    pub(super) fn leave_here(
        &mut self,
        id: SessionId,
        room: RoomId,
        why: Parting,
        out: Option<OutWhy>,
    ) -> Option<Held> {
        let held = self.unseat(room, id, why, out);
        self.end_if_empty(room);
        held
    }

    pub(super) fn held_here(&self, id: SessionId, room: RoomId) -> Result<Held, Denied> {
        let open = self.rooms.get(&room).ok_or(Denied::NoSuchRoom)?;
        let member = open.member_of(id).ok_or(Denied::NotIn)?;
        let name = open.relay_name(member);
        Ok(Held { member: member.id, relay: open.terms.relay, owns: self.owns(id, room), name })
    }

    pub(super) fn hand_here(&mut self, id: SessionId, envelope: RoomEnvelope) -> Result<(), Denied> {
        let RoomEnvelope { room, to, class, bytes } = envelope;
        let open = self.rooms.get_mut(&room).ok_or(Denied::NoSuchRoom)?;
        let sender = open.members.iter_mut().find(|member| member.session == id).ok_or(Denied::NotIn)?;
        let (from, vouches) = (sender.id, sender.vouched && class == Class::Control);
        if !sender.vouched {
            if sender.said >= UNVOUCHED_ENVELOPES {
                return Err(Denied::Unvouched);
            }
            sender.said += 1;
        }
        let taken = open.members.iter().filter(|member| member.vouched).count();
        let receiver = open.members.iter_mut().find(|member| member.id == to).ok_or(Denied::NoSuchMember)?;
        let session = receiver.session;
        if vouches && !receiver.vouched {
            if taken >= open.terms.seats.count() {
                self.leave_here(session, room, Parting::Displaced, Some(OutWhy::Displaced));
                return Err(Denied::NoSuchMember);
            }
            receiver.vouched = true;
        }
        match self.tell(session, &Event::RoomSealed(RoomDelivered { room, from, class, bytes })) {
            Delivery::Logged | Delivery::Waiting => Ok(()),
            Delivery::Offline => Err(Denied::NoSuchMember),
        }
    }

    pub(super) fn behind_here(&mut self, id: SessionId, seat: Seat) -> Result<Option<UserId>, Denied> {
        let session = self.owned(id, seat.room)?.member(seat.member).ok_or(Denied::NoSuchMember)?.session;
        Ok(self.sessions.get(&session).and_then(|session| session.party).map(|party| party.user))
    }

    pub(super) fn put_out_here(&mut self, id: SessionId, seat: Seat, exile: Exile) -> Result<RelayName, Denied> {
        let user = self.behind_here(id, seat)?;
        let open = self.owned(id, seat.room)?;
        let session = open.member(seat.member).ok_or(Denied::NoSuchMember)?.session;
        let why = match exile {
            Exile::Kicked => OutWhy::Kicked,
            Exile::Banned => {
                if open.banned.len() >= BANS {
                    return Err(Denied::TooMany);
                }
                open.banned.insert(session);
                open.banned_users.extend(user);
                OutWhy::Banned
            }
        };
        let held = self.leave_here(session, seat.room, Parting::PutOut, Some(why));
        held.map(|held| held.name).ok_or(Denied::NoSuchMember)
    }

    pub(super) fn pardon_here(&mut self, id: SessionId, room: RoomId) -> Result<(), Denied> {
        let open = self.owned(id, room)?;
        open.banned.clear();
        open.banned_users.clear();
        Ok(())
    }

    pub(super) fn lock_here(&mut self, id: SessionId, lock: LockRoom) -> Result<(), Denied> {
        self.owned(id, lock.room)?.locked = lock.locked;
        Ok(())
    }

    pub(super) fn close_here(&mut self, id: SessionId, room: RoomId) -> Result<[u8; 8], Denied> {
        self.owned(id, room)?;
        let open = self.end_room(room).ok_or(Denied::NoSuchRoom)?;
        for member in &open.members {
            if let Some(session) = self.sessions.get_mut(&member.session) {
                session.rooms = session.rooms.iter().copied().filter(|other| *other != room).collect();
            }
            if member.session != id {
                self.tell(member.session, &Event::PutOut(PutOut { room, member: member.id, why: OutWhy::Closed }));
            }
        }
        Ok(open.name)
    }
}
