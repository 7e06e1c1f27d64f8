//! What members of a push-to-talk room say about the floor: the messages of off-network floor control (3GPP TS 24.380
//! clause 7) in our form. Who speaks arbitrates; every word may be repeated without harm.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::account::Empty;
use crate::id::MemberId;
use crate::tagged::{numbered, tagged};

tagged! {
    /// A word about the floor.
    pub enum FloorWord {
        /// I speak (Floor Taken).
        1 => Taken(Claim),
        /// I speak no more in this burst (Floor Release).
        2 => Released(Burst),
        /// You who speak: I want to (Floor Request).
        3 => Request(FloorRequest),
        /// I do not want to any more.
        4 => Cancel(Empty),
        /// You are in my queue (Floor Queue Position Info).
        5 => Queued(Position),
        /// You may not speak (Floor Deny).
        6 => Denied(FloorDenied),
        /// My burst is over, and somebody whom I had in my queue is next (Floor Granted).
        7 => Granted(Grant),
        /// Somebody whom you may not hear speaks under a better claim than yours.
        8 => Held(Held),
    }
}

/// A claim to the floor. Of two, the one of the higher priority is better, then the one of the smaller counter, then the one
/// of the smaller member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, SerializeIndexed, DeserializeIndexed)]
pub struct Claim {
    /// 0 normal, 1 high, 2 emergency; above that as 2.
    #[serde(index = 0)]
    pub priority: u8,
    /// Lamport clock of the room: above every claim that its maker had heard of when it wanted to speak.
    #[serde(index = 1)]
    pub counter: u64,
    /// Counts the bursts of its maker, from 1.
    #[serde(index = 2)]
    pub burst: u32,
}

/// A burst of the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Burst {
    /// Which.
    #[serde(index = 0)]
    pub burst: u32,
}

/// A wish to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FloorRequest {
    /// As in [`Claim`].
    #[serde(index = 0)]
    pub priority: u8,
    /// As in [`Claim`]: the claim that comes of it keeps it.
    #[serde(index = 1)]
    pub counter: u64,
}

/// A place in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Position {
    /// 1 is next.
    #[serde(index = 0)]
    pub position: u8,
}

/// Why somebody may not speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FloorDenied {
    /// Why.
    #[serde(index = 0)]
    pub why: DenyWhy,
}

numbered! {
    /// Why somebody may not speak.
    pub enum DenyWhy {
        /// The queue is full.
        1 => QueueFull,
        _ => Unknown
    }
}

/// Who is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Grant {
    /// The burst of the sender that is over.
    #[serde(index = 0)]
    pub burst: u32,
    /// Who is next.
    #[serde(index = 1)]
    pub to: MemberId,
}

/// Somebody else's claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Held {
    /// Whose.
    #[serde(index = 0)]
    pub by: MemberId,
    /// What it says.
    #[serde(index = 1)]
    pub claim: Claim,
}
