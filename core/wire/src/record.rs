//! What two phones say to each other once their keys are agreed: the clear text of one record.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::account::Empty;
use crate::codec::{DecodeError, EncodeError, decode, encode};
use crate::connect::{Candidate, Description};
use crate::encounter::StrangerWord;
use crate::floor::FloorWord;
use crate::id::{CallId, ItemSeq, KeyBytes, LaneId, UnixMs};
use crate::limits::{EMOJI_BYTES, REACTIONS, RECORD_BYTES, TEXT_BYTES};
use crate::member::RoomWord;
use crate::path::PathWord;
use crate::tagged::{numbered, tagged};
use crate::transfer::{FileEnd, FileOffer, TransferWord};

tagged! {
    /// A record.
    pub enum Record {
        /// The first record of a session's initiator, when it has nothing else to say: confirms the keys.
        1 => Ready(Empty),
        /// Our end of the link.
        2 => Connect(Description),
        /// An address of our end.
        3 => Candidate(Candidate),
        /// Something that must arrive once.
        4 => Item(Item),
        /// Items of yours are kept here.
        5 => Received(Mark),
        /// About a call.
        6 => Call(CallWord),
        /// The link and the session end; nothing was wrong.
        7 => Bye(Empty),
        /// Somebody is writing; lost without harm.
        8 => Typing(Empty),
        /// I have something for you: open the link, you whose part that is.
        9 => Wanted(Empty),
        /// About a second link, beside the one in use.
        10 => Path(PathWord),
        /// About the floor of the room in which both are.
        30 => Floor(FloorWord),
        /// About a file.
        20 => Transfer(TransferWord),
        /// About the room in which both are.
        31 => Room(RoomWord),
        /// Between strangers.
        32 => Stranger(StrangerWord),
    }
}

impl Record {
    /// The clear text of one record.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        encode(self, RECORD_BYTES)
    }

    /// Reads the clear text of one record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, RECORD_BYTES)
    }
}

/// Up to where a lane is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Mark {
    /// Whose numbering.
    #[serde(index = 0)]
    pub lane: LaneId,
    /// Every item up to this one.
    #[serde(index = 1)]
    pub up_to: ItemSeq,
}

/// Something that must arrive once: sent again until its lane is confirmed past it, kept once by its number.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Item {
    /// The sender's numbering.
    #[serde(index = 0)]
    pub lane: LaneId,
    /// Its place there.
    #[serde(index = 1)]
    pub seq: ItemSeq,
    /// When it was written.
    #[serde(index = 2)]
    pub at: UnixMs,
    /// What it is.
    #[serde(index = 3)]
    pub body: Body,
}

tagged! {
    /// What an item is.
    pub enum Body {
        /// A text.
        1 => Text(Text),
        /// Your items up to this one were read by a person.
        2 => Read(Mark),
        /// A text that answers another, or that disappears.
        3 => Words(Words),
        /// A text of the sender's has these words now.
        4 => Edit(Edit),
        /// A message of the sender's is taken back.
        5 => Delete(MessageId),
        /// What the sender thinks of a message, in place of what they thought before.
        6 => React(React),
        /// How long the sender wants messages to stay.
        7 => Timer(Stay),
        /// A message that was taken back before it was sent: its number, and how long it would have stayed.
        8 => Gone(Stay),
        /// A file that its sender has for you.
        20 => File(FileOffer),
        /// A transfer is over.
        21 => FileEnd(FileEnd),
    }
}

/// A message that both ends know: where its sender numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeIndexed, DeserializeIndexed)]
pub struct MessageId {
    /// Whose numbering.
    #[serde(index = 0)]
    pub lane: LaneId,
    /// Its number there.
    #[serde(index = 1)]
    pub seq: ItemSeq,
}

/// A text with more to it than its words.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Words {
    /// The words.
    #[serde(index = 0)]
    pub text: Text,
    /// The message that it answers.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub reply: Option<MessageId>,
    /// Seconds that it stays: with its sender once it is delivered, with its receiver once it is read.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub stay_s: Option<u32>,
}

/// Other words for a text.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Edit {
    /// Which, of the sender's own.
    #[serde(index = 0)]
    pub message: MessageId,
    /// The words.
    #[serde(index = 1)]
    pub text: Text,
}

/// What somebody thinks of a message.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct React {
    /// Which, of either.
    #[serde(index = 0)]
    pub message: MessageId,
    /// All of it: none takes back what was thought before.
    #[serde(index = 1)]
    pub emoji: Reactions,
}

/// How long messages stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Stay {
    /// Seconds; absent for ever.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// One person's reactions to one message: up to [`REACTIONS`] different ones of 1 to [`EMOJI_BYTES`] bytes each. They
/// never print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reactions(Vec<String>);

impl Reactions {
    /// Parses a set; `None` if one is empty, too long, has control characters or comes twice, or if they are too many.
    pub fn parse(emoji: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut set = Vec::new();
        for one in emoji {
            let proper = (1..=EMOJI_BYTES).contains(&one.len()) && !one.chars().any(char::is_control);
            if !proper || set.len() >= REACTIONS || set.contains(&one) {
                return None;
            }
            set.push(one);
        }
        Some(Self(set))
    }

    /// Each of them, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Reactions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reactions({})", self.0.len())
    }
}

impl Serialize for Reactions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reactions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("no reactions"))
    }
}

/// A text of 1 to [`TEXT_BYTES`] bytes. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Parses a text; `None` if it is empty or too long.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (1..=TEXT_BYTES).contains(&text.len()).then_some(Self(text))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The characters, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("no text"))
    }
}

/// A word about one call. Each says how its sender sees the call and may be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct CallWord {
    /// Which call.
    #[serde(index = 0)]
    pub call: CallId,
    /// What about it.
    #[serde(index = 1)]
    pub word: Word,
}

tagged! {
    /// What is said about a call.
    pub enum Word {
        /// I call you.
        1 => Ring(Empty),
        /// It rings here.
        2 => Alerting(Empty),
        /// A person took the call: from now on addresses may be exchanged.
        3 => Answer(Empty),
        /// The key with which the sender seals its media from now on.
        4 => Key(MediaKey),
        /// The call is over.
        5 => End(Ended),
        /// The microphone's state, for the other side's screen.
        6 => Microphone(Microphone),
        /// Which pictures the sender shows.
        7 => Shows(Shows),
        /// Which pictures the sender wants to see, and how large.
        8 => Wants(Wants),
    }
}

/// A sender key (RFC 9605).
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct MediaKey {
    /// Counts the keys of this sender in this call.
    #[serde(index = 0)]
    pub generation: u16,
    /// The base key and its step.
    #[serde(index = 1)]
    pub base: KeyBytes,
}

/// Whether a microphone is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Microphone {
    /// False when muted.
    #[serde(index = 0)]
    pub on: bool,
}

/// Which pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Shows {
    /// A camera's.
    #[serde(index = 0)]
    pub camera: bool,
    /// A screen's.
    #[serde(index = 1)]
    pub screen: bool,
    /// The screen moves: smooth rather than sharp.
    #[serde(index = 2)]
    pub motion: bool,
}

/// The most lines that are of use to a viewer: 0 for no picture at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Wants {
    /// Of the camera.
    #[serde(index = 0)]
    pub camera: u16,
    /// Of the screen.
    #[serde(index = 1)]
    pub screen: u16,
}

/// Why a call is over, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Ended {
    /// Why.
    #[serde(index = 0)]
    pub why: Why,
}

numbered! {
    /// Why a call is over.
    pub enum Why {
        /// A person hung up.
        1 => HungUp,
        /// A person declined.
        2 => Declined,
        /// In another call.
        3 => Busy,
        /// The caller gave up before the answer.
        4 => Cancelled,
        /// Nobody answered in time.
        5 => Unanswered,
        /// The link could not be made or was lost for too long.
        6 => Lost,
        /// I know nothing of this call (any more).
        7 => NoSuchCall,
        _ => Unknown
    }
}
