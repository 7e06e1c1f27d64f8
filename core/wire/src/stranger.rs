//! What phones ask of the server about strangers, and what it tells them.
//!
//! The server matches two who do not know each other and routes sealed bytes between them. It learns no name: a ticket and
//! a match are drawn for once, interests come as keyed tags.

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::encounter::Frank;
use crate::envelope::Class;
use crate::id::{IdentityKey, InterestTag, MatchId, TicketId};
use crate::record::Text;
use crate::tagged::numbered;

numbered! {
    /// How two strangers want to talk. Only those who want the same meet.
    pub enum Media {
        /// In writing.
        1 => Text,
        /// By voice.
        2 => Voice,
        /// With video.
        3 => Video,
        _ => Unknown
    }
}

/// Looks for a stranger. Done again with the same ticket it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Seek {
    /// Drawn anew for each search.
    #[serde(index = 0)]
    pub ticket: TicketId,
    /// How we want to talk.
    #[serde(index = 1)]
    pub media: Media,
    /// What we would like to talk about: at most [`crate::limits::INTERESTS`].
    #[serde(index = 2)]
    pub interests: Vec<InterestTag>,
    /// Whether the user says to be an adult.
    #[serde(index = 3)]
    pub adult: bool,
    /// The answer to a [`Challenge`], if one was given.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub proof: Option<u64>,
    /// An Ed25519 key drawn anew for this search: whoever is matched with us can show the server what we signed with it.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub frank: Option<IdentityKey>,
}

/// How many there are among strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Lobby {
    /// Who waits or talks now.
    #[serde(index = 0)]
    pub active: u64,
}

/// A search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Ticket {
    /// Which.
    #[serde(index = 0)]
    pub ticket: TicketId,
}

/// Work to do before this search is accepted: find a number such that SHA-256 of seed, ticket and number (eight bytes, big
/// endian) begins with `bits` zeros, and seek again with it.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Challenge {
    /// Good for this ticket and a minute.
    #[serde(index = 0)]
    pub seed: ByteBuf,
    /// How many zeros.
    #[serde(index = 1)]
    pub bits: u8,
}

/// A match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Match {
    /// Which.
    #[serde(index = 0)]
    pub id: MatchId,
}

numbered! {
    /// How we leave a match.
    pub enum Leave {
        /// On to the next one.
        1 => Skip,
        /// That was it.
        2 => End,
        /// And never this one again, today.
        3 => Block,
        _ => Unknown
    }
}

/// Leaves a match, or declines it before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Part {
    /// Which.
    #[serde(index = 0)]
    pub id: MatchId,
    /// How.
    #[serde(index = 1)]
    pub how: Leave,
}

/// Sealed bytes for the other one.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct StrangerEnvelope {
    /// In which match.
    #[serde(index = 0)]
    pub id: MatchId,
    /// How urgent.
    #[serde(index = 1)]
    pub class: Class,
    /// A padded [`crate::envelope::Sealed`].
    #[serde(index = 2)]
    pub bytes: ByteBuf,
}

numbered! {
    /// What was wrong with a stranger.
    pub enum Reason {
        /// Not a person.
        1 => Bot,
        /// Advertising.
        2 => Spam,
        /// Insults or threats.
        3 => Abuse,
        /// Showed what nobody asked to see.
        4 => Nudity,
        /// A child, or somebody who looks for one.
        5 => Minor,
        /// Something else.
        6 => Other,
        _ => Unknown
    }
}

/// Tells the operator that something was wrong with the other one.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Report {
    /// From [`Matched`]: proves that there was a match, of which the server itself keeps nothing.
    #[serde(index = 0)]
    pub token: ByteBuf,
    /// What was wrong.
    #[serde(index = 1)]
    pub reason: Reason,
    /// What the other one wrote and signed: at most [`crate::limits::SHOWN_TEXTS`], together at most
    /// [`crate::limits::SHOWN_BYTES`]. One that was not signed by them makes the whole report void.
    #[serde(index = 2, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<Shown>,
}

/// A text that a complaint shows.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Shown {
    /// Which of its sender's messages.
    #[serde(index = 0)]
    pub number: u64,
    /// The words.
    #[serde(index = 1)]
    pub text: Text,
    /// Their sender's signature over [`crate::encounter::franked`].
    #[serde(index = 2)]
    pub frank: Frank,
}

/// Somebody was found. It begins once both say so within [`crate::limits::ACCEPT_MS`].
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Matched {
    /// The match.
    #[serde(index = 0)]
    pub id: MatchId,
    /// For which search.
    #[serde(index = 1)]
    pub ticket: TicketId,
    /// Whether we begin the handshake.
    #[serde(index = 2)]
    pub first: bool,
    /// What both would like to talk about.
    #[serde(index = 3)]
    pub common: Vec<InterestTag>,
    /// For [`Report`], today and tomorrow.
    #[serde(index = 4)]
    pub report: ByteBuf,
    /// The other one's [`Seek::frank`].
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub frank: Option<IdentityKey>,
}

/// Sealed bytes from the other one.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct StrangerDelivered {
    /// In which match.
    #[serde(index = 0)]
    pub id: MatchId,
    /// How urgent.
    #[serde(index = 1)]
    pub class: Class,
    /// A padded [`crate::envelope::Sealed`].
    #[serde(index = 2)]
    pub bytes: ByteBuf,
}

numbered! {
    /// Why a match is over.
    pub enum MatchEnd {
        /// The other one did not want it, or did not say so in time.
        1 => Unwanted,
        /// The other one left.
        2 => Left,
        /// The other one's phone was not heard of for too long.
        3 => Lost,
        /// We did not say in time that we want it.
        4 => TooLate,
        _ => Unknown
    }
}

/// A match is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct MatchOver {
    /// Which.
    #[serde(index = 0)]
    pub id: MatchId,
    /// Why.
    #[serde(index = 1)]
    pub why: MatchEnd,
    /// Whether our search goes on, from its old place.
    #[serde(index = 2)]
    pub waiting: bool,
}
