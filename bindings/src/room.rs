//! A room as an app sees it: who is there, how the floor stands, and what happens.

use sidetone::{FloorEvent, FloorState, Guest, Presence};

use crate::calls::{MicrophoneState, Route};
use crate::id::{MemberId, PublicKey, RoomId};
use crate::pictures::{Shows, Wants};
use crate::policy::RoomPolicy;

/// What stays of a room on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RoomMemory {
    /// Nothing.
    Nothing,
    /// How to enter it again.
    Recent,
    /// That, and the server keeps the room while nobody is in it; for its creator, with an account.
    Kept,
}

/// As whom one enters a room.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoomGuest {
    /// The name to show: two may have the same.
    pub name: String,
    /// What stays of the room.
    pub memory: RoomMemory,
    /// Whether the app knows that the user is an adult.
    pub adult: bool,
}

/// A room one is in, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoomView {
    /// Which.
    pub room: RoomId,
    /// Its name, told to its members only.
    pub name: Option<String>,
    /// What holds in it.
    pub policy: RoomPolicy,
    /// Who we are in it.
    pub us: MemberId,
    /// Whether we made it.
    pub creator: bool,
    /// Whether nobody new is let in.
    pub locked: bool,
    /// Whether the server knows that we are in it; who is linked goes on without.
    pub online: bool,
    /// Whether our hand is raised.
    pub hand: bool,
    /// Our microphone, in a room of open microphones.
    pub microphone: MicrophoneState,
    /// The others.
    pub members: Vec<RoomMember>,
    /// How the floor stands, in a room of push-to-talk.
    pub floor: Option<Floor>,
    /// Which pictures we show.
    #[uniffi(default)]
    pub shows: Shows,
    /// How large ours are of use to whoever wants them largest.
    #[uniffi(default)]
    pub wants: Wants,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoomMember {
    /// Who, in this room.
    pub member: MemberId,
    /// The name that they show: two may have the same.
    pub name: String,
    /// The public half of their key.
    pub key: PublicKey,
    /// Whether they made the room.
    pub creator: bool,
    /// Whether words were compared with them.
    pub verified: bool,
    /// Whether they can be heard.
    pub presence: MemberPresence,
    /// Whether their hand is raised.
    pub hand: bool,
    /// Their microphone, in a room of open microphones.
    pub microphone: MicrophoneState,
    /// Which pictures they show.
    #[uniffi(default)]
    pub shows: Shows,
    /// How large ours are of use to them.
    #[uniffi(default)]
    pub wants: Wants,
}

/// Whether a member can be heard.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum MemberPresence {
    /// There is a link to them.
    Here {
        /// How it travels.
        route: Route,
    },
    /// The link is being made.
    Reaching,
    /// No way to them was found that the room's policy and both devices allow; it is tried again.
    NoWay,
    /// Others hear them; we have no link.
    Heard,
    /// They wait to be let in.
    Waiting,
}

/// How the floor of a room stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Floor {
    /// Nobody speaks.
    Idle,
    /// Somebody speaks.
    Taken {
        /// Who.
        member: MemberId,
    },
    /// We asked for it.
    Requesting,
    /// We wait for it.
    Queued {
        /// Our place: 1 is next.
        place: u8,
    },
    /// We speak.
    Speaking,
    /// It is somebody's next.
    Reserved {
        /// Whose.
        member: MemberId,
    },
}

/// Why the floor is not ours.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum FloorRefusal {
    /// Somebody else pressed at the same time and goes first.
    Collision {
        /// Who.
        member: MemberId,
    },
    /// Too many wait already.
    QueueFull,
    /// Who speaks did not answer.
    Unanswered,
}

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FloorPriority {
    /// As usual.
    Normal,
    /// Before the others that wait.
    High,
    /// At once: whoever speaks with less is cut off.
    Emergency,
}

/// How loud somebody is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MemberLevel {
    /// Who.
    pub member: MemberId,
    /// In -dBov: 0 is the loudest, 127 is silence.
    pub level: u8,
}

/// Something that happened in a room.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum RoomEvent {
    /// Read it again: members, floor, microphones, lock.
    Changed,
    /// Somebody came.
    Joined {
        /// Who.
        member: MemberId,
    },
    /// Somebody left.
    Left {
        /// Who.
        member: MemberId,
    },
    /// Somebody wants to be let in.
    Knocking {
        /// Who.
        member: MemberId,
    },
    /// The floor is ours: speak.
    FloorGranted,
    /// The floor is not ours: a sound and a shake for the user.
    FloorDenied {
        /// Why.
        reason: FloorRefusal,
    },
    /// Somebody speaks.
    FloorTaken {
        /// Who.
        member: MemberId,
    },
    /// We wait for the floor.
    FloorQueued {
        /// Our place: 1 is next.
        place: u8,
    },
    /// Nobody speaks.
    FloorReleased,
    /// Somebody took the floor from us with an emergency.
    FloorPreEmpted {
        /// Who.
        member: MemberId,
    },
    /// What we say ends soon: it is nearly as long as it may be.
    FloorEnding {
        /// In so many milliseconds.
        remaining_ms: u64,
    },
    /// What we said was as long as it may be.
    FloorTimedOut,
    /// A burst was missed; where the room allows it, it may be replayed.
    Missed {
        /// Whose.
        member: MemberId,
        /// Which.
        burst: u32,
    },
    /// Who is loud, the loudest first; at most five times a second.
    Loud {
        /// How loud.
        levels: Vec<MemberLevel>,
    },
    /// Somebody said something that nobody keeps.
    Text {
        /// Who.
        member: MemberId,
        /// What.
        text: String,
    },
    /// Somebody reacted.
    Reaction {
        /// Who.
        member: MemberId,
        /// With what.
        emoji: String,
    },
    /// Somebody asks us to mute our microphone.
    MuteAsked {
        /// Who.
        member: MemberId,
    },
    /// A code of ours was tried too often, or is too old, and lets nobody in any more.
    CodeBurned,
    /// We are out of it.
    Ended {
        /// Why.
        reason: RoomEnd,
    },
}

/// Why we are out of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RoomEnd {
    /// We left.
    Left,
    /// The creator put us out; we may enter anew.
    Kicked,
    /// The creator put us out for good.
    Banned,
    /// The creator ended it.
    Closed,
    /// Nobody who is there let us in in time.
    Unanswered,
    /// It could not be reached any more.
    Lost,
}

/// A room that this device remembers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RecentRoom {
    /// Which.
    pub room: RoomId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The name we showed in it.
    pub shown: String,
    /// When we entered it last, in milliseconds since 1970.
    pub entered_ms: u64,
    /// Whether we made it.
    pub creator: bool,
    /// What stays of it.
    pub memory: RoomMemory,
}

impl From<sidetone::Memory> for RoomMemory {
    fn from(memory: sidetone::Memory) -> Self {
        match memory {
            sidetone::Memory::Nothing => Self::Nothing,
            sidetone::Memory::Recent => Self::Recent,
            sidetone::Memory::Kept => Self::Kept,
        }
    }
}

impl From<RoomMemory> for sidetone::Memory {
    fn from(memory: RoomMemory) -> Self {
        match memory {
            RoomMemory::Nothing => Self::Nothing,
            RoomMemory::Recent => Self::Recent,
            RoomMemory::Kept => Self::Kept,
        }
    }
}

impl From<RoomGuest> for Guest {
    fn from(guest: RoomGuest) -> Self {
        let age = if guest.adult { sidetone::Age::Adult } else { sidetone::Age::Unknown };
        Self { name: guest.name, memory: guest.memory.into(), age }
    }
}

impl From<sidetone::RoomView> for RoomView {
    fn from(view: sidetone::RoomView) -> Self {
        Self {
            room: view.room.into(),
            name: view.name.map(|name| name.as_str().to_owned()),
            policy: view.policy.into(),
            us: view.us.into(),
            creator: view.creator,
            locked: view.locked,
            online: view.online,
            hand: view.poise.hand,
            microphone: heard(view.poise.microphone),
            shows: view.shows.into(),
            wants: view.wants.into(),
            members: view.members.into_iter().map(RoomMember::from).collect(),
            floor: view.floor.map(Floor::from),
        }
    }
}

impl From<sidetone::MemberView> for RoomMember {
    fn from(view: sidetone::MemberView) -> Self {
        Self {
            member: view.member.into(),
            name: view.name.as_str().to_owned(),
            key: view.key.into(),
            creator: view.creator,
            verified: view.verified,
            presence: match view.presence {
                Presence::Here(route) => MemberPresence::Here { route: route.into() },
                Presence::Reaching => MemberPresence::Reaching,
                Presence::NoWay => MemberPresence::NoWay,
                Presence::Heard => MemberPresence::Heard,
                Presence::Waiting => MemberPresence::Waiting,
            },
            hand: view.poise.hand,
            microphone: heard(view.poise.microphone),
            shows: view.shows.into(),
            wants: view.wants.into(),
        }
    }
}

impl From<FloorState> for Floor {
    fn from(state: FloorState) -> Self {
        match state {
            FloorState::Idle => Self::Idle,
            FloorState::Taken(member) => Self::Taken { member: member.into() },
            FloorState::Requesting => Self::Requesting,
            FloorState::Queued(place) => Self::Queued { place },
            FloorState::Speaking => Self::Speaking,
            FloorState::Reserved(member) => Self::Reserved { member: member.into() },
        }
    }
}

impl From<sidetone::RoomEvent> for RoomEvent {
    fn from(event: sidetone::RoomEvent) -> Self {
        use sidetone::RoomEvent as Told;
        match event {
            Told::Changed => Self::Changed,
            Told::Joined(member) => Self::Joined { member: member.into() },
            Told::Left(member) => Self::Left { member: member.into() },
            Told::Knocking(member) => Self::Knocking { member: member.into() },
            Told::Floor(event) => event.into(),
            Told::Loud(levels) => Self::Loud {
                levels: levels
                    .into_iter()
                    .map(|one| MemberLevel { member: one.member.into(), level: one.level })
                    .collect(),
            },
            Told::Text(member, text) => Self::Text { member: member.into(), text: text.into_string() },
            Told::Reaction(member, sign) => Self::Reaction { member: member.into(), emoji: sign.as_str().to_owned() },
            Told::MuteAsked(member) => Self::MuteAsked { member: member.into() },
            Told::CodeBurned => Self::CodeBurned,
            Told::Ended(end) => Self::Ended { reason: end.into() },
        }
    }
}

impl From<FloorEvent> for RoomEvent {
    fn from(event: FloorEvent) -> Self {
        match event {
            FloorEvent::Granted => Self::FloorGranted,
            FloorEvent::Denied(why) => Self::FloorDenied { reason: why.into() },
            FloorEvent::Taken(member) => Self::FloorTaken { member: member.into() },
            FloorEvent::Queued(place) => Self::FloorQueued { place },
            FloorEvent::Released => Self::FloorReleased,
            FloorEvent::PreEmpted(member) => Self::FloorPreEmpted { member: member.into() },
            FloorEvent::Ending(remaining_ms) => Self::FloorEnding { remaining_ms },
            FloorEvent::TimedOut => Self::FloorTimedOut,
            FloorEvent::Missed { member, burst } => Self::Missed { member: member.into(), burst },
        }
    }
}

impl From<sidetone::Deny> for FloorRefusal {
    fn from(why: sidetone::Deny) -> Self {
        match why {
            sidetone::Deny::Collision(member) => Self::Collision { member: member.into() },
            sidetone::Deny::QueueFull => Self::QueueFull,
            sidetone::Deny::Unanswered => Self::Unanswered,
        }
    }
}

impl From<sidetone::RoomEnd> for RoomEnd {
    fn from(end: sidetone::RoomEnd) -> Self {
        match end {
            sidetone::RoomEnd::Left => Self::Left,
            sidetone::RoomEnd::Kicked => Self::Kicked,
            sidetone::RoomEnd::Banned => Self::Banned,
            sidetone::RoomEnd::Closed => Self::Closed,
            sidetone::RoomEnd::Unanswered => Self::Unanswered,
            sidetone::RoomEnd::Lost => Self::Lost,
        }
    }
}

impl From<sidetone::RecentRoom> for RecentRoom {
    fn from(known: sidetone::RecentRoom) -> Self {
        Self {
            room: known.room.into(),
            name: known.name.map(|name| name.as_str().to_owned()),
            shown: known.shown.as_str().to_owned(),
            entered_ms: known.entered_ms,
            creator: known.creator,
            memory: known.memory.into(),
        }
    }
}

fn heard(microphone: bool) -> MicrophoneState {
    if microphone { MicrophoneState::On } else { MicrophoneState::Off }
}
