//! Every room that this device is in or remembers: what the app wants of them, what the server says of them.

use std::collections::BTreeMap;

use sidetone_crypto::identity::{Identity, PublicKey};
use sidetone_crypto::room::{Invitation, Policy, Relaying, RoomSecret, Scope};
use sidetone_wire::account::{Code, Empty, Relays, Reply, Request};
use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::{IdentityKey, MemberId, RoomId, Secret, UserId};
use sidetone_wire::limits::ROOMS;
use sidetone_wire::member::RoomWord;
use sidetone_wire::record::Record;
use sidetone_wire::room::{self as wire, EnterRoom, Keep, LockRoom, OpenRoom, OutWhy, RelayRule, Seat, Seats};
use zeroize::Zeroizing;

use crate::account::refused;
use crate::cx::{Cx, NoReply, Purpose, RoomAsk, Wish as Asked};
use crate::effect::{Answer, CommandError, Effect};
use crate::floor::FloorInput;
use crate::input::{Ask, PeerId};
use crate::keys::Us;
use crate::peers::Wish;
use crate::room::{Age, Hand, JoinRoom, Lock, Memory, NewRoom, RecentRoom, RoomCommand, RoomEnd, RoomEvent, RoomView};
use crate::row::{RoomRow, Row};
use crate::sound::{SoundNews, SoundOrder};
use crate::time::Time;

mod codes;
mod live;
mod play;
mod rule;
mod sender;
#[cfg(test)]
mod tests;

use codes::Codes;
use live::Room;

/// A server that does not let us in again is asked again after this.
const RETRY_MS: u64 = 5_000;
/// Rooms that are remembered.
const REMEMBERED: usize = 256;

/// Rooms of this device.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<RoomId, Room>,
    recent: BTreeMap<RoomId, RoomRow>,
    codes: Codes,
}

impl Rooms {
    pub fn restore(&mut self, owner: UserId, row: RoomRow) {
        self.recent.insert(RoomId(owner.0), row);
    }

    // What the app wants.

    pub fn command(&mut self, ask: Ask, command: RoomCommand, account: bool, cx: &mut Cx<'_>) {
        match command {
            RoomCommand::Open(new) => self.open(ask, new, account, cx),
            RoomCommand::Join(join) => self.join(ask, join, cx),
            RoomCommand::Rejoin(room) => self.rejoin(ask, room, cx),
            RoomCommand::JoinCode(join) => self.codes.knock(ask, join, cx),
            RoomCommand::Forget(room) => self.forget(ask, room, cx),
            RoomCommand::Leave(room) => {
                let done = self.rooms.contains_key(&room);
                self.over(room, RoomEnd::Left, cx);
                answer(ask, done.then_some(()).ok_or(CommandError::NoSuchRoom), cx);
            }
            RoomCommand::OpenCode(room) => match self.rooms.get(&room) {
                None => cx.answer(ask, Err(CommandError::NoSuchRoom)),
                Some(open) if !open.is_creator() => cx.answer(ask, Err(CommandError::NotCreator)),
                Some(_) => self.codes.open(ask, room, cx),
            },
            RoomCommand::Admit(room, _)
            | RoomCommand::Kick(room, _)
            | RoomCommand::Ban(room, _)
            | RoomCommand::Close(room) => {
                let done = self.preside(room, &command, cx);
                answer(ask, done, cx);
            }
            RoomCommand::Lock(room, lock) => {
                if let Err(refused) = self.lock(ask, room, lock, cx) {
                    cx.answer(ask, Err(refused));
                }
            }
            other => {
                let done = self.play(other, cx);
                answer(ask, done, cx);
            }
        }
    }

    fn open(&mut self, ask: Ask, new: NewRoom, account: bool, cx: &mut Cx<'_>) {
        if !new.policy.is_sound() {
            return cx.answer(ask, Err(CommandError::WrongPolicy));
        }
        if new.memory == Memory::Kept && !account {
            return cx.answer(ask, Err(CommandError::SignedOut));
        }
        let own = Identity::from_seed(cx.roll());
        let (secret, creator) = (RoomSecret::from_seed(cx.roll()), own.public());
        let invitation = Invitation { secret, policy: new.policy, creator };
        let owner = Some(Secret(cx.roll()));
        let room = Room::new(invitation, own, owner, new.name, new.shown, new.host, new.memory, cx);
        self.enter(ask, room, cx);
    }

    pub fn join(&mut self, ask: Ask, join: JoinRoom, cx: &mut Cx<'_>) {
        let JoinRoom { invitation, shown, host, memory, age } = join;
        if invitation.policy.age == sidetone_crypto::room::Age::Adults && age != Age::Adult {
            return cx.answer(ask, Err(CommandError::AdultsOnly));
        }
        let id = RoomId(invitation.secret.id());
        // Who was there before comes back as the same one: also its creator.
        if let Some(row) = self.recent.get(&id) {
            let room = restored(row, memory, cx).and_then(|room| room.invited(invitation));
            return match room {
                Some(room) => self.enter(ask, room, cx),
                None => cx.answer(ask, Err(CommandError::NoSuchRoom)),
            };
        }
        // A key for this room alone: who is in two of them shows nothing that links the two.
        let own = Identity::from_seed(cx.roll());
        let memory = if memory == Memory::Kept { Memory::Recent } else { memory };
        let room = Room::new(invitation, own, None, None, shown, host, memory, cx);
        self.enter(ask, room, cx);
    }

    fn rejoin(&mut self, ask: Ask, id: RoomId, cx: &mut Cx<'_>) {
        let room = self.recent.get(&id).and_then(|row| restored(row, Memory::of(row.memory), cx));
        match room {
            Some(room) => self.enter(ask, room, cx),
            None => cx.answer(ask, Err(CommandError::NoSuchRoom)),
        }
    }

    fn enter(&mut self, ask: Ask, mut room: Room, cx: &mut Cx<'_>) {
        if self.rooms.contains_key(&room.id) {
            return cx.answer(ask, Err(CommandError::InRoom));
        }
        if self.rooms.len() >= ROOMS {
            return cx.answer(ask, Err(CommandError::TooManyRooms));
        }
        room.entering = Some(ask);
        request_entry(&room, cx);
        self.rooms.insert(room.id, room);
    }

    fn forget(&mut self, ask: Ask, id: RoomId, cx: &mut Cx<'_>) {
        if self.rooms.contains_key(&id) {
            return cx.answer(ask, Err(CommandError::InRoom));
        }
        let known = self.recent.remove(&id).is_some();
        if known {
            cx.save(RoomRow::drop_at(UserId(id.0), 0));
        }
        answer(ask, known.then_some(()).ok_or(CommandError::NoSuchRoom), cx);
    }

    fn created(&mut self, id: RoomId) -> Result<&mut Room, CommandError> {
        let room = self.rooms.get_mut(&id).ok_or(CommandError::NoSuchRoom)?;
        if room.is_creator() { Ok(room) } else { Err(CommandError::NotCreator) }
    }

    /// Locks or unlocks a room, for phones at once; it is done once the server has done so as well.
    fn lock(&mut self, ask: Ask, id: RoomId, lock: Lock, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let room = self.created(id)?;
        let (locked, inside) = (lock == Lock::Locked, room.inside());
        room.rule(
            |rule| {
                rule.locked = locked;
                if locked {
                    rule.admitted.retain(|member| !inside.contains(member));
                    rule.admitted.extend(inside);
                }
            },
            cx,
        );
        let done = Purpose::Ask(ask, Asked::Done);
        cx.request(Request::LockRoom(LockRoom { room: id, locked }), done);
        Ok(())
    }

    /// What only the creator may do.
    fn preside(&mut self, id: RoomId, command: &RoomCommand, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let room = self.created(id)?;
        let nothing = Purpose::Nothing;
        match *command {
            RoomCommand::Admit(_, member) if room.members.contains_key(&member) => {
                room.rule(|rule| rule.admitted.push(member), cx);
            }
            RoomCommand::Kick(_, member) if room.members.contains_key(&member) => {
                room.put_out(member, false, cx);
                cx.request(Request::Kick(Seat { room: id, member }), nothing);
            }
            RoomCommand::Ban(_, member) if room.members.contains_key(&member) => {
                room.put_out(member, true, cx);
                cx.request(Request::Ban(Seat { room: id, member }), nothing);
            }
            RoomCommand::Close(_) => {
                room.say_all(&RoomWord::Close(Empty::default()), cx);
                cx.request(Request::CloseRoom(wire::Room { room: id }), nothing);
                self.over(id, RoomEnd::Closed, cx);
                return Ok(());
            }
            _ => return Err(CommandError::NoSuchMember),
        }
        Ok(())
    }

    /// What everybody may do.
    fn play(&mut self, command: RoomCommand, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let (RoomCommand::AskToMute(id, _)
        | RoomCommand::RaiseHand(id, _)
        | RoomCommand::React(id, _)
        | RoomCommand::Text(id, _)
        | RoomCommand::SetMicrophone(id, _)
        | RoomCommand::SetVerified(id, ..)
        | RoomCommand::Show(id, _)
        | RoomCommand::Want(id, ..)
        | RoomCommand::Press(id, _)
        | RoomCommand::Release(id)
        | RoomCommand::Replay(id, ..)) = command
        else {
            return Ok(());
        };
        let room = self.rooms.get_mut(&id).ok_or(CommandError::NoSuchRoom)?;
        let pushes = room.floor.is_some();
        match command {
            RoomCommand::AskToMute(_, member) if room.members.contains_key(&member) => {
                cx.say(PeerId::Member(id, member), Record::Room(RoomWord::MuteAsked(Empty::default())));
            }
            RoomCommand::AskToMute(..) => return Err(CommandError::NoSuchMember),
            RoomCommand::RaiseHand(_, hand) => {
                room.poise.hand = hand == Hand::Raised;
                room.pose(cx);
            }
            RoomCommand::React(_, reaction) => room.say_all(&RoomWord::React(reaction), cx),
            RoomCommand::Text(_, text) => room.say_all(&RoomWord::Text(text), cx),
            // There it is heard while the button is pressed.
            RoomCommand::SetMicrophone(..) if pushes => return Err(CommandError::WrongPolicy),
            RoomCommand::SetMicrophone(_, microphone) => room.set_microphone(microphone, cx),
            RoomCommand::SetVerified(_, member, verified) => {
                return room.set_verified(member, verified, cx).then_some(()).ok_or(CommandError::NoSuchMember);
            }
            RoomCommand::Show(_, shows) => room.show(shows, cx),
            RoomCommand::Want(_, member, wants) => {
                return room.want(member, wants, cx).then_some(()).ok_or(CommandError::NoSuchMember);
            }
            RoomCommand::Press(..) | RoomCommand::Release(_) if !pushes => return Err(CommandError::WrongPolicy),
            RoomCommand::Press(_, priority) => room.floor(FloorInput::Press(priority), cx),
            RoomCommand::Release(_) => room.floor(FloorInput::Release, cx),
            RoomCommand::Replay(_, member, burst) if room.replays() => {
                cx.effect(Effect::Sound(id, SoundOrder::Replay { member, burst }));
            }
            RoomCommand::Replay(..) => return Err(CommandError::WrongPolicy),
            _ => {}
        }
        Ok(())
    }

    /// We are out of a room.
    pub fn over(&mut self, id: RoomId, end: RoomEnd, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.remove(&id) else { return };
        if end == RoomEnd::Left {
            let paired = room.members.iter().filter(|(_, member)| member.paired);
            for (member, _) in paired {
                cx.say(PeerId::Member(id, *member), Record::Room(RoomWord::Leaving(Empty::default())));
            }
        }
        for member in room.members.keys() {
            cx.fact(crate::cx::Fact::Shun(PeerId::Member(id, *member)));
        }
        if room.online {
            cx.request(Request::LeaveRoom(wire::Room { room: id }), Purpose::Nothing);
        }
        if let Some(ask) = room.entering {
            return cx.answer(ask, Err(CommandError::NoSuchRoom));
        }
        self.codes.close(id);
        cx.effect(Effect::Sound(id, SoundOrder::Leave));
        room.tell(RoomEvent::Ended(end), cx);
    }

    /// Leaves every room: the account or the app ends.
    pub fn leave_all(&mut self, cx: &mut Cx<'_>) {
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.over(room, RoomEnd::Left, cx);
        }
    }

    // What the server says.

    /// A conversation with the server begins, and it knows nothing of where we are.
    pub fn welcomed(&mut self, cx: &mut Cx<'_>) {
        for room in self.rooms.values_mut().filter(|room| room.put_out.is_none()) {
            room.online = false;
            request_entry(room, cx);
        }
    }

    /// What was under way through the server is lost.
    pub fn signal_lost(&mut self) {
        for room in self.rooms.values_mut() {
            room.online = false;
        }
        self.codes.lost();
    }

    pub fn replied(&mut self, id: RoomId, asked: RoomAsk, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        match (asked, outcome) {
            (RoomAsk::Enter, Ok(Reply::Entered(entered))) => self.entered(id, &entered.others, cx),
            (RoomAsk::Enter, Ok(_)) => self.not_entered(id, CommandError::Server, cx),
            (RoomAsk::Enter, Err(reason)) => self.not_entered(id, refused(reason), cx),
            (RoomAsk::Relays, Ok(Reply::Relays(relays))) => {
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.lent(relays, cx.now.time);
                }
            }
            (RoomAsk::Relays, outcome) => {
                if let Some(room) = self.rooms.get_mut(&id) {
                    match outcome {
                        Err(NoReply::Refused(_)) => room.lends = true,
                        _ => room.relays_until = Time(0),
                    }
                }
            }
            (RoomAsk::Plate(ask), outcome) => {
                let creator = self.rooms.get(&id);
                self.codes.opened(ask, id, creator.map(|room| room.host.as_str()), outcome, cx);
            }
            (RoomAsk::Try, Ok(_)) => {}
            (RoomAsk::Try, Err(reason)) => self.codes.refused(refused(reason), cx),
        }
    }

    fn entered(&mut self, id: RoomId, others: &[MemberId], cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get_mut(&id) else {
            // Left meanwhile.
            return cx.request(Request::LeaveRoom(wire::Room { room: id }), Purpose::Nothing);
        };
        room.entered(others, cx);
        room.borrow_relays(cx);
        // A server that was started anew does not know it.
        if room.rule.locked && room.is_creator() {
            cx.request(Request::LockRoom(LockRoom { room: id, locked: true }), Purpose::Nothing);
        }
        room.changed = true;
        if let Some(ask) = room.entering.take() {
            cx.answer(ask, Ok(Answer::Room(id)));
        }
    }

    fn not_entered(&mut self, id: RoomId, error: CommandError, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if let Some(ask) = room.entering.take() {
            self.rooms.remove(&id);
            return cx.answer(ask, Err(error));
        }
        // Whoever is in already stays as long as somebody is there, and asks again: a server that forgot the room learns of it
        // anew from its creator.
        if let CommandError::Refused { code, .. } = error {
            room.put_out = Some(match code {
                Code::Banned => RoomEnd::Banned,
                Code::NoSuchRoom => RoomEnd::Closed,
                _ => RoomEnd::Lost,
            });
        }
        if room.put_out != Some(RoomEnd::Banned) {
            room.retry = Some(cx.now.time.after(RETRY_MS));
        }
    }

    pub fn told(&mut self, event: Told, cx: &mut Cx<'_>) {
        match event {
            Told::Came(seat) => {
                if let Some(room) = self.rooms.get_mut(&seat.room) {
                    room.newcomer(seat.member, cx);
                }
            }
            Told::Went(went) => {
                if let Some(room) = self.rooms.get_mut(&went.room) {
                    room.went(went.member, cx);
                }
            }
            Told::PutOut(out) => {
                let Some(room) = self.rooms.get_mut(&out.room).filter(|room| room.us == out.member) else { return };
                room.online = false;
                match out.why {
                    OutWhy::Kicked => room.put_out = Some(RoomEnd::Kicked),
                    OutWhy::Banned => room.put_out = Some(RoomEnd::Banned),
                    OutWhy::Closed => room.put_out = Some(RoomEnd::Closed),
                    OutWhy::Displaced | OutWhy::SignedOut | OutWhy::Unknown => request_entry(room, cx),
                }
            }
            other => {
                let rooms = &self.rooms;
                let joined = self.codes.told(other, |id| rooms.get(&id), cx);
                if let Some((ask, join)) = joined {
                    self.join(ask, join, cx);
                }
            }
        }
    }

    // What peers, links and sound say.

    /// Somebody of whom the server has not said that they came says something.
    pub fn sealed(&mut self, room: RoomId, from: MemberId, cx: &mut Cx<'_>) {
        if let Some(room) = self.rooms.get_mut(&room).filter(|room| !room.members.contains_key(&from)) {
            room.newcomer(from, cx);
        }
    }

    pub fn heard(&mut self, id: RoomId, from: MemberId, record: Record, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let nameless = room.name.is_none();
        match record {
            Record::Room(word) => room.heard(from, word, cx),
            Record::Floor(word) => room.floor_word(from, word, cx),
            _ => {}
        }
        // A guest learns the name after entering.
        if nameless && room.name.is_some() {
            self.remember(id, cx);
        }
    }

    pub fn sounded(&mut self, room: RoomId, news: SoundNews, cx: &mut Cx<'_>) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.sounded(news, cx);
        }
    }

    /// Does something with a room that we are in.
    pub fn with(&mut self, id: RoomId, act: impl FnOnce(&mut Room)) {
        if let Some(room) = self.rooms.get_mut(&id) {
            act(room);
        }
    }

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        for room in self.rooms.values_mut() {
            room.tick(cx);
        }
        self.codes.tick(cx);
    }

    pub fn deadline(&self) -> Option<Time> {
        self.rooms.values().map(Room::deadline).chain(self.codes.deadline()).min()
    }

    // How members are met.

    /// Everybody with whom there is or should be a session.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.rooms.values().flat_map(|room| room.members.keys().map(|member| PeerId::Member(room.id, *member)))
    }

    pub fn us(&self, room: RoomId) -> Option<Us<'_>> {
        self.rooms.get(&room).map(Room::us)
    }

    pub fn wish(&self, room: RoomId, member: MemberId, open: bool) -> Wish {
        self.rooms.get(&room).map(|room| room.wish(member, open)).unwrap_or_default()
    }

    /// The relays that the server lent to the room of a member.
    pub fn relays(&self, peer: PeerId) -> Option<&Relays> {
        let PeerId::Member(room, _) = peer else { return None };
        self.rooms.get(&room)?.relays.as_ref()
    }

    // What can be seen.

    pub fn view(&self, room: RoomId) -> Option<RoomView> {
        self.rooms.get(&room).map(Room::view)
    }

    pub fn ids(&self) -> Vec<RoomId> {
        self.rooms.keys().copied().collect()
    }

    pub fn invitation(&self, room: RoomId) -> Option<&Invitation> {
        self.rooms.get(&room).map(|room| &room.invitation)
    }

    pub fn own_key(&self, room: RoomId) -> Option<PublicKey> {
        self.rooms.get(&room).map(|room| room.own.public())
    }

    pub fn identities(&self, room: RoomId) -> Option<Vec<PublicKey>> {
        self.rooms.get(&room).map(Room::identities)
    }

    /// Remembered rooms, by id.
    pub fn recent(&self) -> Vec<RecentRoom> {
        self.recent.iter().map(|(id, row)| row.view(*id)).collect()
    }

    /// Saves what changed of the rooms that are to be remembered.
    pub fn keep(&mut self, cx: &mut Cx<'_>) {
        let changed = |room: &Room| room.changed && !room.doubtful && room.entering.is_none();
        let changed: Vec<RoomId> = self.rooms.iter().filter(|(_, room)| changed(room)).map(|(id, _)| *id).collect();
        for id in changed {
            self.with(id, |room| room.changed = false);
            self.remember(id, cx);
        }
    }

    fn remember(&mut self, id: RoomId, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get(&id).filter(|room| room.memory != Memory::Nothing) else { return };
        if self.recent.len() >= REMEMBERED && !self.recent.contains_key(&id) {
            // The one that was entered longest ago makes room.
            let oldest = self.recent.iter().filter(|(id, _)| !self.rooms.contains_key(id));
            let Some(oldest) = oldest.min_by_key(|(_, row)| row.entered).map(|(id, _)| *id) else { return };
            self.recent.remove(&oldest);
            cx.save(RoomRow::drop_at(UserId(oldest.0), 0));
        }
        let entered = self.recent.get(&id).map_or(cx.now.wall, |row| row.entered.max(cx.now.wall));
        // As many as there is room for are kept.
        let past: Zeroizing<Vec<u8>> = Zeroizing::new(room.past.iter().flat_map(|psk| psk.iter().copied()).collect());
        let row = RoomRow {
            invitation: sidetone_wire::id::KeyBytes::new(room.invitation.to_bytes().as_slice())
                .expect("an invitation is shorter than 96 bytes"),
            identity: Secret(*room.own.secret()),
            owner: room.owner.clone(),
            name: room.name.clone(),
            shown: room.shown.clone(),
            host: room.host.clone(),
            memory: room.memory as u8,
            entered,
            rule: room.rule.clone(),
            verified: room.verified.iter().copied().collect::<Vec<IdentityKey>>(),
            past: sidetone_wire::id::KeyBytes::new(&past).filter(|past| !past.as_slice().is_empty()),
            known: room.known.iter().copied().collect(),
        };
        cx.save(row.put(UserId(id.0), 0));
        self.recent.insert(id, row);
    }
}

fn answer(ask: Ask, done: Result<(), CommandError>, cx: &mut Cx<'_>) {
    cx.answer(ask, done.map(|()| Answer::Done));
}

fn restored(row: &RoomRow, memory: Memory, cx: &mut Cx<'_>) -> Option<Room> {
    let invitation = Invitation::from_bytes(row.invitation.as_slice()).ok()?;
    let own = Identity::from_bytes(row.identity.as_bytes());
    let (name, shown, host) = (row.name.clone(), row.shown.clone(), row.host.clone());
    let memory = if memory == Memory::Nothing { Memory::of(row.memory) } else { memory };
    let mut room = Room::new(invitation, own, row.owner.clone(), name, shown, host, memory, cx);
    room.rule = row.rule.clone();
    room.verified.extend(row.verified.iter().copied());
    let past = row.past.iter().flat_map(|past| past.as_slice().chunks_exact(32));
    room.past = past.filter_map(|psk| Some(Zeroizing::new(psk.try_into().ok()?))).collect();
    room.known.extend(row.known.iter().copied());
    Some(room)
}

/// Asks the server to let us in, as whoever we are there.
fn request_entry(room: &Room, cx: &mut Cx<'_>) {
    let (id, member) = (room.id, room.us);
    let request = match &room.owner {
        None => Request::EnterRoom(EnterRoom { room: id, member }),
        Some(owner) => {
            let Policy { relaying, members, scope, .. } = room.invitation.policy;
            let keep = (room.memory == Memory::Kept).then(|| Keep { name: room.name.clone() });
            let Some(seats) = Seats::new(members) else { return };
            let (relay, scope) = (rule_of(relaying), scope_of(scope));
            Request::OpenRoom(OpenRoom { room: id, member, owner: owner.clone(), relay, seats, scope, keep })
        }
    };
    cx.request(request, Purpose::Room(id, RoomAsk::Enter));
}

fn rule_of(relaying: Relaying) -> RelayRule {
    match relaying {
        Relaying::Forbidden => RelayRule::Forbidden,
        Relaying::Allowed => RelayRule::Allowed,
        Relaying::Required => RelayRule::Required,
    }
}

fn scope_of(scope: Scope) -> wire::Scope {
    match scope {
        Scope::Private => wire::Scope::Private,
        Scope::Friends => wire::Scope::Friends,
        Scope::Link => wire::Scope::Link,
        Scope::Code => wire::Scope::Code,
    }
}
