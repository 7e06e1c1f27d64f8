//! What phones ask of the server about rooms, and what it tells them.
//!
//! The server routes between members, hands out relay credentials where the policy allows, and helps the owner. It knows
//! a room by an id that says nothing about the room's secret, and members by ids that say nothing about people. Whether
//! somebody belongs is decided by the phones: whoever has no key of the room is answered by nobody.
//!
//! A member counts as vouched for once a member who is vouched for sends it an envelope of class
//! [`Class::Control`]: phones send these only within a handshake that the other end could follow. The opener is vouched
//! for from the start. Whoever is not loses the claim to a seat after [`crate::limits::UNVOUCHED_MS`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::envelope::Class;
use crate::id::{AttemptId, MemberId, RoomId, Secret};
use crate::limits::{MEMBERS, ROOM_NAME_BYTES};
use crate::tagged::numbered;

numbered! {
    /// Whether links of a room may go through a relay. Fixed at creation.
    pub enum RelayRule {
        /// Never: no credentials are given.
        1 => Forbidden,
        /// Where there is no direct way.
        2 => Allowed,
        /// Always: members do not learn each other's addresses.
        3 => Required,
        _ => Unknown
    }
}

numbered! {
    /// Who a room is for. The server enforces [`Scope::Friends`], the phones the others.
    pub enum Scope {
        /// Whoever was invited.
        1 => Private,
        /// Friends of the account that opened it.
        2 => Friends,
        /// Whoever has the link.
        3 => Link,
        /// Whoever knows the spoken code.
        4 => Code,
        _ => Unknown
    }
}

/// How many members a room has room for: 2 to [`MEMBERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seats(u8);

impl Seats {
    /// `None` for fewer than 2 or more than [`MEMBERS`].
    pub fn new(seats: u8) -> Option<Self> {
        (2..=MEMBERS).contains(&usize::from(seats)).then_some(Self(seats))
    }

    /// The number.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }
}

impl Serialize for Seats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Seats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u8::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("no number of seats"))
    }
}

/// The name of a kept room: 1 to [`ROOM_NAME_BYTES`] bytes without control characters. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomName(String);

impl RoomName {
    /// Parses a name; `None` if it is empty, too long or has a control character.
    pub fn parse(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        let fits = (1..=ROOM_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        fits.then_some(Self(name))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for RoomName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RoomName({} bytes)", self.0.len())
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("no name of a room"))
    }
}

/// Opens a room. What the server enforces is said here once; all else about the room is in its key.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct OpenRoom {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// The opener in it.
    #[serde(index = 1)]
    pub member: MemberId,
    /// Drawn by the opener: with it the room can be taken back from another session.
    #[serde(index = 2)]
    pub owner: Secret,
    /// Whether its links may be relayed.
    #[serde(index = 3)]
    pub relay: RelayRule,
    /// How many may be in it.
    #[serde(index = 4)]
    pub seats: Seats,
    /// Who it is for.
    #[serde(index = 5)]
    pub scope: Scope,
    /// Present if the room outlives its members; only with an account.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// What the server keeps of a room that outlives its members.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Keep {
    /// Its name, if its owner wants the server to know it.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub name: Option<RoomName>,
}

/// Enters a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct EnterRoom {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// We in it. Another member of this session there goes.
    #[serde(index = 1)]
    pub member: MemberId,
}

/// A room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Room {
    /// Which.
    #[serde(index = 0)]
    pub room: RoomId,
}

/// A member in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Seat {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// Who.
    #[serde(index = 1)]
    pub member: MemberId,
}

/// Whether a room lets anybody new in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct LockRoom {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// True when nobody new comes in.
    #[serde(index = 1)]
    pub locked: bool,
}

/// Sealed bytes for one member of a room.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RoomEnvelope {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// For whom.
    #[serde(index = 1)]
    pub to: MemberId,
    /// [`Class::Connect`] for the first message of a handshake, [`Class::Control`] for all that follows.
    #[serde(index = 2)]
    pub class: Class,
    /// A padded [`crate::envelope::Sealed`].
    #[serde(index = 3)]
    pub bytes: ByteBuf,
}

/// Who else is in a room that was entered.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Entered {
    /// The others, longest there first. Whoever comes or goes from here on is an event.
    #[serde(index = 0)]
    pub others: Vec<MemberId>,
}

/// A room the server keeps for its creator.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct KeptRoom {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// Its name, if the server knows one.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub name: Option<RoomName>,
    /// Whether its links may be relayed.
    #[serde(index = 2)]
    pub relay: RelayRule,
    /// How many may be in it.
    #[serde(index = 3)]
    pub seats: Seats,
    /// Who it is for.
    #[serde(index = 4)]
    pub scope: Scope,
}

/// A page of kept rooms.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Rooms {
    /// At most [`crate::limits::ROSTER_PAGE`].
    #[serde(index = 0)]
    pub rooms: Vec<KeptRoom>,
    /// Whether there is a next page.
    #[serde(index = 1)]
    pub more: bool,
}

numbered! {
    /// Why a member is not in a room any more, as far as the server knows.
    pub enum Parting {
        /// It left, or entered anew.
        1 => Left,
        /// Its phone was not heard of for too long.
        2 => Lost,
        /// The owner put it out, for now or for good.
        3 => PutOut,
        /// Nobody vouched for it and its place was needed.
        4 => Displaced,
        _ => Unknown
    }
}

/// A member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Went {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// Who.
    #[serde(index = 1)]
    pub member: MemberId,
    /// Why.
    #[serde(index = 2)]
    pub why: Parting,
}

/// An envelope at its destination in a room.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RoomDelivered {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// From whom, by the server's word: the handshake proves it.
    #[serde(index = 1)]
    pub from: MemberId,
    /// How urgent.
    #[serde(index = 2)]
    pub class: Class,
    /// A padded [`crate::envelope::Sealed`].
    #[serde(index = 3)]
    pub bytes: ByteBuf,
}

numbered! {
    /// Why we are not in a room any more.
    pub enum OutWhy {
        /// The owner put us out: we may enter again.
        1 => Kicked,
        /// The owner put us out for good.
        2 => Banned,
        /// The owner closed the room.
        3 => Closed,
        /// Nobody vouched for us, or we were silent, and our place was needed: we may enter again.
        4 => Displaced,
        /// The account with which we entered is not ours any more.
        5 => SignedOut,
        _ => Unknown
    }
}

/// We are not in a room any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct PutOut {
    /// The room.
    #[serde(index = 0)]
    pub room: RoomId,
    /// We in it.
    #[serde(index = 1)]
    pub member: MemberId,
    /// Why.
    #[serde(index = 2)]
    pub why: OutWhy,
}

/// The number under which a spoken code is tried: the part of the code that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nameplate(pub u32);

/// Asks for a nameplate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct OpenPlate {
    /// The room to which the code leads.
    #[serde(index = 0)]
    pub room: RoomId,
    /// How long it should hold, at most [`crate::limits::PLATE_LONGEST_MS`]; 0 for [`crate::limits::PLATE_MS`].
    #[serde(index = 1)]
    pub valid_ms: u64,
}

/// A nameplate. It burns when its time is over, after [`crate::limits::PLATE_TRIES`] failed tries, and with its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Plate {
    /// Its number.
    #[serde(index = 0)]
    pub plate: Nameplate,
    /// How long it holds.
    #[serde(index = 1)]
    pub valid_ms: u64,
}

/// A nameplate by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct PlateNumber {
    /// Which.
    #[serde(index = 0)]
    pub plate: Nameplate,
}

/// Begins one try at a spoken code.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Knock {
    /// Where.
    #[serde(index = 0)]
    pub plate: Nameplate,
    /// Drawn by whoever tries.
    #[serde(index = 1)]
    pub attempt: AttemptId,
    /// The first message of the password-authenticated exchange, at most [`crate::limits::PLATE_BYTES`].
    #[serde(index = 2)]
    pub bytes: ByteBuf,
}

/// A further message of a try.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Said {
    /// Which try.
    #[serde(index = 0)]
    pub attempt: AttemptId,
    /// At most [`crate::limits::PLATE_BYTES`].
    #[serde(index = 1)]
    pub bytes: ByteBuf,
}

numbered! {
    /// How a try ended.
    pub enum Verdict {
        /// The code was right.
        1 => Right,
        /// It was wrong.
        2 => Wrong,
        _ => Unknown
    }
}

/// How a try ended, by the word of the room's owner. A try that ends without it, once it was answered, has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Judged {
    /// Which try.
    #[serde(index = 0)]
    pub attempt: AttemptId,
    /// How it ended.
    #[serde(index = 1)]
    pub verdict: Verdict,
}

/// Somebody tries our code.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Knocked {
    /// Where.
    #[serde(index = 0)]
    pub plate: Nameplate,
    /// Which try.
    #[serde(index = 1)]
    pub attempt: AttemptId,
    /// The first message.
    #[serde(index = 2)]
    pub bytes: ByteBuf,
}

numbered! {
    /// Why a try is over, for the one who tried.
    pub enum Over {
        /// The owner says that the code was right.
        1 => Right,
        /// The owner says that it was wrong.
        2 => Wrong,
        /// It took too long, or the owner is not there: the code may be right.
        3 => Unanswered,
        /// The nameplate burned meanwhile.
        4 => Burned,
        _ => Unknown
    }
}

/// A try is over, for the one who tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AttemptOver {
    /// Which try.
    #[serde(index = 0)]
    pub attempt: AttemptId,
    /// Why.
    #[serde(index = 1)]
    pub why: Over,
}

numbered! {
    /// Why a nameplate is gone.
    pub enum BurnedWhy {
        /// Its time was over.
        1 => Expired,
        /// Too many tries failed.
        2 => Failed,
        /// Its room ended or has another owner.
        3 => RoomOver,
        _ => Unknown
    }
}

/// Our nameplate is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Burned {
    /// Which.
    #[serde(index = 0)]
    pub plate: Nameplate,
    /// Why.
    #[serde(index = 1)]
    pub why: BurnedWhy,
}
