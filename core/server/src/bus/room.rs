//! Rooms, as a bus keeps them, and why it does not do something in one or in a match.

use sidetone_wire::id::{MemberId, RoomId, Secret, UserId};
use sidetone_wire::room::{RelayRule, Scope, Seats};

/// What the server enforces in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether credentials for relays are given.
    pub relay: RelayRule,
    /// How many may be in it.
    pub seats: Seats,
    /// Who it is for.
    pub scope: Scope,
    /// The account that opened it, if one did: its sessions own the room without a secret.
    pub creator: Option<UserId>,
    /// Whether it outlives its members, by a row in the store.
    pub kept: bool,
}

/// Opens a room, or takes it back.
#[derive(Clone)]
pub struct Opening {
    /// The room.
    pub room: RoomId,
    /// The opener in it.
    pub member: MemberId,
    /// Proves the owner from another session.
    pub owner: Secret,
    /// What is enforced if the room is new; an open room keeps its own.
    pub terms: Terms,
}

/// Enters a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entering {
    /// The room.
    pub room: RoomId,
    /// Who enters.
    pub member: MemberId,
    /// What is enforced in a kept room that is not open: entering opens it.
    pub kept: Option<Terms>,
}

/// What a session holds in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Who it is there.
    pub member: MemberId,
    /// Whether the room's links may be relayed.
    pub relay: RelayRule,
    /// Whether it owns the room.
    pub owns: bool,
    /// What it is called at a relay.
    pub name: RelayName,
}

/// A member as a relay knows it: drawn for this entry, so that it says nothing and is never met again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayName {
    /// Its room, for as long as it is open.
    pub room: [u8; 8],
    /// It.
    pub member: [u8; 8],
}

/// Why a bus does not do something in a room or a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The room is not open.
    NoSuchRoom,
    /// Every seat is taken.
    Full,
    /// Nobody new comes in.
    Locked,
    /// This session or its account was put out for good.
    Banned,
    /// Another owner has the room.
    Taken,
    /// The session is in as many rooms as it may be, or the room has as many plates as it may have.
    TooMany,
    /// The name of the member or the try is in use, or the session is in a match.
    Already,
    /// Only the owner may.
    NotOwner,
    /// The session is not in the room.
    NotIn,
    /// The member is not in the room.
    NoSuchMember,
    /// Who is not vouched for has sent as much as that allows.
    Unvouched,
    /// There is no such nameplate.
    NoSuchPlate,
    /// As many tries are undecided as the plate has left, for these milliseconds at most.
    Busy(u64),
    /// There is no such try.
    NoSuchAttempt,
    /// There is no such match.
    NoSuchMatch,
    /// The match did not begin.
    NotBegun,
    /// The token is none of ours, or not of today.
    Forged,
    /// Whoever should hear it is not there.
    Offline,
}
