//! The engine's side of rooms: facts on their way to them, and what can be seen of them.

use sidetone_crypto::room::Invitation;
use sidetone_crypto::safety::{Fingerprint, SafetyNumber};
use sidetone_crypto::sas::{Phrase, group_phrase};
use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::{MemberId, RoomId};

use super::{Engine, us};
use crate::cx::{Cx, Fact};
use crate::input::PeerId;
use crate::room::{RecentRoom, RoomView};

impl Engine {
    /// What a member's session and link say.
    pub(super) fn gathered(&mut self, fact: Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::Room(event) => self.room_event(event, cx),
            Fact::RoomOver(room, end) => self.rooms.over(room, end, cx),
            Fact::Shun(peer) => {
                self.calls.drop_peer(peer, cx);
                self.peers.forget(peer, cx);
            }
            Fact::Heard(PeerId::Member(room, member), record) => self.rooms.heard(room, member, record, cx),
            Fact::Paired(peer @ PeerId::Member(room, member)) => {
                if let Some((key, under)) = self.peers.key(peer) {
                    self.rooms.with(room, |room| room.paired(member, key, under, cx));
                }
            }
            Fact::Unpaired(PeerId::Member(room, member)) => self.rooms.with(room, |room| room.unpaired(member, cx)),
            Fact::Up(PeerId::Member(room, member), link, route) => {
                self.rooms.with(room, |room| room.up(member, link, route, cx));
            }
            Fact::NoWay(PeerId::Member(room, member)) => self.rooms.with(room, |room| room.no_way(member, cx)),
            Fact::Routed(PeerId::Member(room, member), route) => {
                self.rooms.with(room, |room| room.routed(member, route, cx));
            }
            Fact::Restored(PeerId::Member(room, member)) => self.rooms.with(room, |room| room.restored(member, cx)),
            other => self.met(other, cx),
        }
    }

    fn room_event(&mut self, event: Told, cx: &mut Cx<'_>) {
        let Told::RoomSealed(delivered) = event else { return self.rooms.told(event, cx) };
        let from = PeerId::Member(delivered.room, delivered.from);
        self.rooms.sealed(delivered.room, delivered.from, cx);
        let trust = self.wish(from).trust;
        if let Some(us) = us(&self.account, &self.rooms, &self.strangers, from) {
            self.peers.sealed(from, &delivered.bytes, trust, us, cx);
        }
    }

    /// A room that we are in.
    pub fn room(&self, room: RoomId) -> Option<RoomView> {
        self.rooms.view(room)
    }

    /// The rooms that we are in, by id.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.rooms.ids()
    }

    /// The rooms that this device remembers, by id.
    pub fn recent_rooms(&self) -> Vec<RecentRoom> {
        self.rooms.recent()
    }

    /// What opens a room that we are in to somebody else.
    pub fn invitation(&self, room: RoomId) -> Option<&Invitation> {
        self.rooms.invitation(room)
    }

    /// Six words for everybody who is in a room now: the same on all phones if and only if all see the same members.
    /// Takes about 2 ms.
    pub fn group_phrase(&self, room: RoomId) -> Option<Phrase> {
        let members = self.rooms.identities(room)?;
        Some(group_phrase(room.as_bytes(), 0, &members))
    }

    /// The safety number of us and another member, as its key was shown: the same on both phones if nobody is in between.
    /// Takes about 4 ms.
    pub fn member_safety_number(&self, room: RoomId, member: MemberId) -> Option<SafetyNumber> {
        let view = self.rooms.view(room)?;
        let theirs = view.members.into_iter().find(|other| other.member == member)?.key;
        let of = |key| Fingerprint::of(room.as_bytes(), key);
        Some(SafetyNumber::new(&of(&self.rooms.own_key(room)?), &of(&theirs)))
    }
}
