//! What members of a room say to each other, beside who speaks ([`crate::floor`]). Each word says how things stand and may be
//! repeated without harm.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::account::Empty;
use crate::id::{IdentityKey, MemberId, Secret};
use crate::record::{MediaKey, Shows, Text, Wants};
use crate::room::RoomName;
use crate::tagged::tagged;

/// Longest reaction, in UTF-8 bytes: an emoji of many parts.
pub const REACTION_BYTES: usize = 64;

tagged! {
    /// A word of a member.
    pub enum RoomWord {
        /// Who I am; said first in every session.
        1 => Hello(MemberHello),
        /// The key with which I seal my sound from now on.
        2 => Key(MediaKey),
        /// With whom I have a session.
        3 => Roll(Roll),
        /// What holds in the room; from its creator only.
        4 => Rule(Rule),
        /// A text to the room; kept by nobody.
        5 => Text(Text),
        /// A reaction.
        6 => React(Reaction),
        /// My hand and my microphone.
        7 => Poise(Poise),
        /// Please mute your microphone.
        8 => MuteAsked(Empty),
        /// The room ends; from its creator only.
        9 => Close(Empty),
        /// I leave.
        10 => Leaving(Empty),
        /// Which pictures I show.
        11 => Shows(Shows),
        /// Which of your pictures I want to see, and how large.
        12 => Wants(Wants),
    }
}

/// Who a member is.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct MemberHello {
    /// The name to show. Two may have the same.
    #[serde(index = 0)]
    pub name: RoomName,
    /// The room's name, if it has one; believed of the creator.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// Hand and microphone.
    #[serde(index = 2)]
    pub poise: Poise,
}

/// A member's hand and microphone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Poise {
    /// Whether the hand is raised.
    #[serde(index = 0)]
    pub hand: bool,
    /// Whether the microphone is heard.
    #[serde(index = 1)]
    pub microphone: bool,
}

/// Everybody with whom the sender has a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Roll {
    /// At most [`crate::limits::MEMBERS`].
    #[serde(index = 0)]
    pub members: Vec<Listed>,
}

/// Somebody in a roll.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Listed {
    /// Who.
    #[serde(index = 0)]
    pub member: MemberId,
    /// The key it showed to the sender.
    #[serde(index = 1)]
    pub key: IdentityKey,
    /// The name it told the sender.
    #[serde(index = 2)]
    pub name: RoomName,
}

/// What holds in a room by the word of its creator: the whole of it each time.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Rule {
    /// Grows with every change; an older one changes nothing.
    #[serde(index = 0)]
    pub version: u64,
    /// Whether nobody new is let in.
    #[serde(index = 1)]
    pub locked: bool,
    /// Who is in whatever the door says.
    #[serde(index = 2)]
    pub admitted: Vec<MemberId>,
    /// Who is out.
    #[serde(index = 3)]
    pub out: Vec<Outcast>,
    /// The room's secret, once it is another than the first; never said to who is out.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// Somebody who was put out of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Outcast {
    /// Which stay is over.
    #[serde(index = 0)]
    pub member: MemberId,
    /// The key that may not come back; absent if it may.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub banned: Option<IdentityKey>,
}

/// A reaction: 1 to [`REACTION_BYTES`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction(String);

impl Reaction {
    /// Parses a reaction; `None` if it is empty, too long or has a control character.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=REACTION_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then_some(Self(text))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Reaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Reaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("no reaction"))
    }
}
