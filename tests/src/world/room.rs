//! Rooms in the world: what their sound does on each phone, with real keys, and what can be asked of them.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_crypto::code::SpokenCode;
use sidetone_crypto::room::{Invitation, Policy, Speaking};
use sidetone_crypto::sframe::{BaseKey, Opener, Sealer};
use sidetone_engine::floor::{FloorEvent, FloorState, Priority, SILENCE_MS};
use sidetone_engine::room::{
    Age, JoinCode, JoinRoom, Memory, NewRoom, Presence, RoomCommand, RoomEnd, RoomEvent, RoomView,
};
use sidetone_engine::{
    Answer, Claim, Command, CommandError, Event, Input, LinkId, SenderKey, Shows, SoundNews, SoundOrder, Wants,
};
use sidetone_wire::id::{MemberId, RoomId};
use sidetone_wire::room::RoomName;

use super::{Due, PhoneId, World};

/// The sound of one room on one phone.
#[derive(Default)]
pub struct Sound {
    sealer: Option<Sealer>,
    members: BTreeMap<MemberId, Heard>,
    /// The burst that goes out.
    pub talks: Option<Claim>,
    /// Who is played.
    pub listens: Option<MemberId>,
    last: u64,
    turn: u64,
    /// What goes out.
    pub shows: Shows,
    /// What of it each member wants to see; as large as it is where nothing is said.
    pub wanted: BTreeMap<MemberId, Wants>,
    /// Every order about keys, in order: for whoever looks what a phone was ever told.
    pub keys: Vec<(MemberId, u16, Vec<u8>)>,
}

/// A member as its sound is heard.
struct Heard {
    link: LinkId,
    opener: Opener,
}

/// A packet between two phones.
#[derive(Debug, Clone, Copy)]
pub enum Packet {
    /// The first of a burst.
    Claim(Claim),
    /// The end of one.
    End(u32),
}

impl Packet {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Claim(claim) => {
                [&[1, claim.priority][..], &claim.counter.to_be_bytes(), &claim.burst.to_be_bytes()].concat()
            }
            Self::End(burst) => [&[2, 0][..], &[0; 8], &burst.to_be_bytes()].concat(),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let [kind, priority, rest @ ..] = bytes else { return None };
        let (counter, burst) = rest.split_first_chunk::<8>()?;
        let burst = u32::from_be_bytes(burst.try_into().ok()?);
        let counter = u64::from_be_bytes(*counter);
        Some(if *kind == 1 { Self::Claim(Claim { priority: *priority, counter, burst }) } else { Self::End(burst) })
    }
}

impl World {
    // What the sound of a phone does.

    pub(super) fn room_sound(&mut self, phone: PhoneId, room: RoomId, order: SoundOrder) {
        let now = self.now_ms;
        if matches!(order, SoundOrder::Join { .. }) {
            self.phones[phone].sounds.insert(room, Sound::default());
        }
        let Some(sound) = self.phones[phone].sounds.get_mut(&room) else { return };
        match order {
            SoundOrder::SealWith(SenderKey { generation, base }) => {
                sound.sealer = Some(Sealer::new(&base, generation, 0));
            }
            SoundOrder::Member { member, link } => {
                let opener = sound.members.remove(&member).map(|heard| heard.opener).unwrap_or_default();
                sound.members.insert(member, Heard { link, opener });
                self.repeat_claim(phone, room, member);
            }
            SoundOrder::OpenWith { member, key: SenderKey { generation, base } } => {
                sound.keys.push((member, generation, base.to_bytes().to_vec()));
                if let Some(heard) = sound.members.get_mut(&member) {
                    heard.opener.insert(generation, &base).expect("each generation once");
                }
            }
            SoundOrder::Gone { member } => {
                sound.members.remove(&member);
                sound.wanted.remove(&member);
            }
            SoundOrder::Talk(claim) => {
                sound.talks = Some(claim);
                self.send_packet(phone, room, Packet::Claim(claim), 20);
            }
            SoundOrder::Hush => {
                let burst = sound.talks.take().expect("it spoke").burst;
                self.send_packet(phone, room, Packet::End(burst), 3);
            }
            SoundOrder::Listen(member) => {
                (sound.listens, sound.last) = (member, now);
                sound.turn += 1;
                let turn = sound.turn;
                self.later(100, Due::Hark(phone, room, turn));
            }
            SoundOrder::Show(shows) => sound.shows = shows,
            SoundOrder::Wanted { member, wants } => drop(sound.wanted.insert(member, wants)),
            SoundOrder::Leave => drop(self.phones[phone].sounds.remove(&room)),
            SoundOrder::Join { .. } | SoundOrder::Microphone(_) | SoundOrder::Replay { .. } => {}
        }
    }

    /// Seals a packet once and sends it to everybody; each one is lost once in so many.
    fn send_packet(&mut self, phone: PhoneId, room: RoomId, packet: Packet, lost_one_in: u64) {
        let Some(bytes) = self.seal(phone, room, &packet.bytes()) else { return };
        let links: Vec<LinkId> = self.phones[phone].sounds[&room].members.values().map(|heard| heard.link).collect();
        for link in links {
            if !self.dice.one_in(lost_one_in) {
                self.send_sound(phone, room, link, bytes.clone());
            }
        }
    }

    /// A newcomer hears a burst from where it is.
    fn repeat_claim(&mut self, phone: PhoneId, room: RoomId, member: MemberId) {
        let sound = &self.phones[phone].sounds[&room];
        let (Some(claim), link) = (sound.talks, sound.members[&member].link) else { return };
        if let Some(bytes) = self.seal(phone, room, &Packet::Claim(claim).bytes()) {
            self.send_sound(phone, room, link, bytes);
        }
    }

    fn send_sound(&mut self, phone: PhoneId, room: RoomId, link: LinkId, bytes: Vec<u8>) {
        let Some((to, end)) = self.links.other_end(phone, link) else { return };
        let lost = self.links.between.loses(&mut self.dice);
        if !lost && self.now_ms >= self.links.outage_until && self.phones[to].online && self.phones[phone].online {
            let delay = self.dice.within(5, 80);
            self.later(delay, Due::Sound(to, end, room, bytes));
        }
    }

    pub(super) fn sound_arrives(&mut self, phone: PhoneId, link: LinkId, room: RoomId, bytes: &[u8]) {
        if self.phones[phone].is_dead() || self.phones[phone].asleep_for(self.now_ms).is_some() {
            return;
        }
        let Some(sound) = self.phones[phone].sounds.get_mut(&room) else { return };
        let Some((member, heard)) = sound.members.iter_mut().find(|(_, heard)| heard.link == link) else { return };
        let (member, mut clear) = (*member, Vec::new());
        if heard.opener.open(bytes, &mut clear).is_err() {
            return;
        }
        let news = match Packet::read(&clear).expect("what was sealed") {
            Packet::Claim(claim) => SoundNews::Claimed { member, claim },
            Packet::End(burst) => SoundNews::Ended { member, burst },
        };
        self.step(phone, Input::Sound(room, news));
    }

    pub(super) fn hark(&mut self, phone: PhoneId, room: RoomId, turn: u64) {
        let now = self.now_ms;
        let Some(sound) = self.phones[phone].sounds.get(&room).filter(|sound| sound.turn == turn) else { return };
        let Some(member) = sound.listens else { return };
        let end = sound.members.get(&member).and_then(|heard| self.links.other_end(phone, heard.link));
        let talks = |other: &super::Phone| other.sounds.get(&room).is_some_and(|sound| sound.talks.is_some());
        let sounds = end.is_some_and(|(from, _)| {
            talks(&self.phones[from]) && self.phones[from].online && self.phones[phone].online
        }) && now >= self.links.outage_until;
        let last = if sounds { now } else { sound.last };
        if let Some(sound) = self.phones[phone].sounds.get_mut(&room) {
            sound.last = last;
        }
        if now - last >= SILENCE_MS {
            return self.step(phone, Input::Sound(room, SoundNews::Silent { member }));
        }
        self.later(100, Due::Hark(phone, room, turn));
    }

    /// What a phone seals of its own voice now.
    pub fn seal(&mut self, phone: PhoneId, room: RoomId, clear: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let sealer = self.phones[phone].sounds.get_mut(&room)?.sealer.as_mut()?;
        sealer.seal(clear, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Whether any of these keys, as a phone was once told them, opens a frame.
    pub fn opens_with(keys: &[(MemberId, u16, Vec<u8>)], frame: &[u8]) -> bool {
        keys.iter().any(|(_, generation, bytes)| {
            let (mut opener, mut clear) = (Opener::new(), Vec::new());
            let base = BaseKey::from_bytes(bytes).expect("a key");
            opener.insert(*generation, &base).is_ok() && opener.open(frame, &mut clear).is_ok()
        })
    }

    /// Whether a phone hears what another seals now, over their link.
    pub fn hears(&mut self, phone: PhoneId, from: PhoneId, room: RoomId) -> bool {
        let Some(frame) = self.seal(from, room, b"a frame") else { return false };
        let me = self.me(from, room);
        let Some(sound) = self.phones[phone].sounds.get_mut(&room) else { return false };
        let Some(heard) = sound.members.get_mut(&me) else { return false };
        heard.opener.open(&frame, &mut Vec::new()).is_ok()
    }

    /// Whether a phone opens a frame that came over its link with another.
    pub fn opens_from(&mut self, phone: PhoneId, other: PhoneId, room: RoomId, frame: &[u8]) -> bool {
        let member = self.me(other, room);
        let sound = self.phones[phone].sounds.get_mut(&room).expect("it is in the room");
        let heard = sound.members.get_mut(&member).expect("there is a link");
        heard.opener.open(frame, &mut Vec::new()).is_ok()
    }

    // What people do.

    /// Switches a phone on without an account.
    pub fn switch_on(&mut self, phone: PhoneId) {
        self.connect(phone);
        let welcomed = |world: &Self| world.phones[phone].is_connected();
        assert!(self.run_until(10_000, welcomed), "the server answers");
    }

    /// Asks something of a room and waits for the outcome.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn ask_room(&mut self, phone: PhoneId, command: RoomCommand) -> Result<Answer, CommandError> {
        self.ask(phone, Command::Room(command))
    }

    /// Opens a room.
    pub fn open_room(&mut self, phone: PhoneId, policy: Policy, memory: Memory) -> RoomId {
        let (shown, host) = (name(phone), "meet.example".to_owned());
        let new = NewRoom { policy, name: RoomName::parse("kitchen"), shown, host, memory };
        match self.ask_room(phone, RoomCommand::Open(new)) {
            Ok(Answer::Room(room)) => room,
            other => panic!("no room: {other:?}"),
        }
    }

    /// What the link of a room holds, read off a phone that is in it.
    pub fn invitation(&self, phone: PhoneId, room: RoomId) -> Invitation {
        let engine = self.phones[phone].engine().expect("it runs");
        let bytes = engine.invitation(room).expect("it is in the room").to_bytes();
        Invitation::from_bytes(bytes.as_slice()).expect("an invitation")
    }

    /// Enters a room by its link.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn join_room(&mut self, phone: PhoneId, invitation: Invitation) -> Result<Answer, CommandError> {
        let (shown, host, age) = (name(phone), "meet.example".to_owned(), Age::Unknown);
        let join = JoinRoom { invitation, shown, host, memory: Memory::Nothing, age };
        self.ask_room(phone, RoomCommand::Join(join))
    }

    /// Enters a room by its link and remembers it.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn join_and_remember(&mut self, phone: PhoneId, invitation: Invitation) -> Result<Answer, CommandError> {
        let (shown, host, age) = (name(phone), "meet.example".to_owned(), Age::Unknown);
        let join = JoinRoom { invitation, shown, host, memory: Memory::Recent, age };
        self.ask_room(phone, RoomCommand::Join(join))
    }

    /// Enters a room by a spoken code.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn join_code(&mut self, phone: PhoneId, code: &str) -> Result<Answer, CommandError> {
        let code = SpokenCode::parse(code).expect("a code");
        let (shown, host, age) = (name(phone), "meet.example".to_owned(), Age::Unknown);
        self.ask_room(phone, RoomCommand::JoinCode(JoinCode { code, shown, host, memory: Memory::Nothing, age }))
    }

    /// A room of so many phones, opened by the first, in which everybody has a link to everybody.
    pub fn gather(seed: u64, phones: usize, policy: Policy) -> (Self, RoomId) {
        let mut world = Self::new(seed, phones);
        (0..phones).for_each(|phone| world.switch_on(phone));
        let room = world.open_room(0, policy, Memory::Nothing);
        for phone in 1..phones {
            let invitation = world.invitation(0, room);
            world.join_room(phone, invitation).expect("the door is open");
        }
        let everybody: Vec<PhoneId> = (0..phones).collect();
        // Looked at now and then: with many phones a look takes longer than what happens.
        let found = (0..600).any(|_| {
            world.run(50);
            world.is_mesh(room, &everybody)
        });
        assert!(found, "everybody finds everybody");
        (world, room)
    }

    /// What a phone sees of a room.
    pub fn view(&self, phone: PhoneId, room: RoomId) -> Option<RoomView> {
        self.phones[phone].engine()?.room(room)
    }

    /// Which member a phone is.
    pub fn me(&self, phone: PhoneId, room: RoomId) -> MemberId {
        self.view(phone, room).expect("it is in the room").us
    }

    /// Who is in a room by the word of a phone, itself included.
    pub fn picture(&self, phone: PhoneId, room: RoomId) -> BTreeSet<MemberId> {
        let Some(view) = self.view(phone, room) else { return BTreeSet::new() };
        let members = view.members.iter().filter(|member| member.presence != Presence::Waiting);
        members.map(|member| member.member).chain([view.us]).collect()
    }

    /// Whether these phones, and nobody else, see each other over links.
    pub fn is_mesh(&self, room: RoomId, phones: &[PhoneId]) -> bool {
        let all: Option<BTreeSet<MemberId>> =
            phones.iter().map(|phone| self.view(*phone, room).map(|view| view.us)).collect();
        let Some(all) = all else { return false };
        let here = |view: RoomView| view.members.iter().all(|member| matches!(member.presence, Presence::Here(_)));
        phones.iter().all(|phone| self.picture(*phone, room) == all && self.view(*phone, room).is_some_and(here))
    }

    /// Whether everybody of these hears everybody else of these.
    pub fn all_hear(&mut self, room: RoomId, phones: &[PhoneId]) -> bool {
        phones.iter().all(|one| phones.iter().all(|other| one == other || self.hears(*one, *other, room)))
    }

    /// Presses the button.
    pub fn press(&mut self, phone: PhoneId, room: RoomId, priority: Priority) {
        self.command(phone, Command::Room(RoomCommand::Press(room, priority)));
    }

    /// Lets it go.
    pub fn let_go(&mut self, phone: PhoneId, room: RoomId) {
        self.command(phone, Command::Room(RoomCommand::Release(room)));
    }

    /// How the floor stands on a phone.
    pub fn floor(&self, phone: PhoneId, room: RoomId) -> Option<FloorState> {
        self.view(phone, room)?.floor
    }

    /// What a phone was told of the floor, in order.
    pub fn floor_events(&self, phone: PhoneId, room: RoomId) -> Vec<FloorEvent> {
        self.room_events(phone, room)
            .into_iter()
            .filter_map(|event| match event {
                RoomEvent::Floor(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    /// What a phone was told of a room, in order.
    pub fn room_events(&self, phone: PhoneId, room: RoomId) -> Vec<RoomEvent> {
        let of = |(_, event): &(u64, Event)| match event {
            Event::Room(other, event) if *other == room => Some(event.clone()),
            _ => None,
        };
        self.phones[phone].events.iter().filter_map(of).collect()
    }

    /// Why a phone is not in a room any more.
    pub fn room_end(&self, phone: PhoneId, room: RoomId) -> Option<RoomEnd> {
        self.room_events(phone, room).into_iter().rev().find_map(|event| match event {
            RoomEvent::Ended(end) => Some(end),
            _ => None,
        })
    }
}

/// A push-to-talk policy.
pub fn push_to_talk() -> Policy {
    Policy { speaking: Speaking::PushToTalk, ..Policy::default() }
}

/// The name that the owner of a phone shows.
pub fn name(phone: PhoneId) -> RoomName {
    RoomName::parse(format!("phone {phone}")).expect("a name")
}
