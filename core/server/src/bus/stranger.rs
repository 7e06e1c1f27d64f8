//! Strangers, as a bus keeps them.

use sidetone_wire::id::{IdentityKey, InterestTag, TicketId};
use sidetone_wire::stranger::Media;

use super::Tag;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeking {
    /// Which.
    pub ticket: TicketId,
    /// Who may meet whom.
    pub pool: Pool,
    /// What it would like to talk about.
    pub interests: Vec<InterestTag>,
    /// Where it comes from, under the key of the day.
    pub from: Tag,
    /// The key under which it signs what it will write: good for this search only.
    pub frank: Option<IdentityKey>,
}

/// Only searches of one pool meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pool {
    /// How they want to talk.
    pub media: Media,
    /// Whether they say to be adults.
    pub adult: bool,
    /// Whether they behave as machines do: these meet each other.
    pub shadow: bool,
}

/// What follows from how a session and its address have behaved. Times and counts only: nothing of what was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// Zeros that a proof of work has to begin with.
    pub bits: u8,
    /// Whether it meets suspects only.
    pub shadow: bool,
    /// For how long it may not search at all; 0 if it may.
    pub barred_ms: u64,
}
