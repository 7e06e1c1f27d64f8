//! What two strangers say to each other, once they have a link. None of it is ever kept on a disk.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::account::Empty;
use crate::id::MatchId;
use crate::limits::{LANGUAGE_BYTES, NICKNAME_BYTES, PIECE_BYTES, WAVEFORM_POINTS};
use crate::record::Text;
use crate::tagged::{numbered, tagged};

tagged! {
    /// A word of a stranger.
    pub enum StrangerWord {
        /// Who I say I am; first in every session, and over the link only.
        1 => Hello(StrangerHello),
        /// A text.
        2 => Text(StrangerText),
        /// An image or a voice note; its bytes follow.
        3 => Media(StrangerMedia),
        /// Some of the bytes of an image or a voice note.
        4 => Piece(Piece),
        /// So much of what you said is here.
        5 => Got(Got),
        /// Whether you may learn my address.
        6 => Direct(Direct),
        /// Let us compare words: for the one who spoke first in the handshake.
        10 => WordsWanted(Empty),
        /// I am bound to a nonce.
        11 => Commit(Nonce),
        /// My nonce, of the one who was given a commitment.
        12 => Answer(Nonce),
        /// The nonce to which I was bound.
        13 => Reveal(Nonce),
        /// I leave.
        14 => Leaving(Empty),
    }
}

/// Who somebody says they are.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct StrangerHello {
    /// The name to show.
    #[serde(index = 0)]
    pub nickname: Nickname,
    /// The language they would like to speak.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// In a session after the first of a match: proves that its maker was in the first one too.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub same: Option<Nonce>,
}

/// A text, whole.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct StrangerText {
    /// Which of its sender's messages in this match, from 1.
    #[serde(index = 0)]
    pub number: u64,
    /// The words.
    #[serde(index = 1)]
    pub text: Text,
    /// Lets its receiver prove to the server that its sender said it: over [`franked`].
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub frank: Option<Frank>,
}

/// An Ed25519 signature (RFC 8032) under the one-time key that its maker searched with. It never prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frank(pub [u8; 64]);

impl std::fmt::Debug for Frank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frank")
    }
}

impl Serialize for Frank {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Frank {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<64>::deserialize(deserializer).map(|bytes| Self(bytes.into_array()))
    }
}

/// What is signed of a text, so that a complaint can show it to the server: match, place in it, words.
pub fn franked(id: &MatchId, number: u64, text: &Text) -> Vec<u8> {
    [b"sidetone frank v1", &id.0[..], &number.to_be_bytes(), text.as_str().as_bytes()].concat()
}

numbered! {
    /// What an attachment is.
    pub enum MediaKind {
        /// A JPEG or PNG.
        1 => Image,
        /// Opus in Ogg.
        2 => Note,
        _ => Unknown
    }
}

/// An image or a voice note, before its bytes.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct StrangerMedia {
    /// Which of its sender's messages in this match.
    #[serde(index = 0)]
    pub number: u64,
    /// What it is.
    #[serde(index = 1)]
    pub kind: MediaKind,
    /// How many bytes it has.
    #[serde(index = 2)]
    pub length: u32,
    /// Width and height of an image in pixels; length in milliseconds and nothing of a note. For what is shown before it is here.
    #[serde(index = 3)]
    pub shape: (u32, u32),
    /// How loud a note is, from its beginning to its end: at most [`WAVEFORM_POINTS`].
    #[serde(index = 4)]
    pub waveform: Loud,
}

/// Some bytes of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Piece {
    /// Of which message.
    #[serde(index = 0)]
    pub number: u64,
    /// From where on.
    #[serde(index = 1)]
    pub at: u32,
    /// At most [`PIECE_BYTES`].
    #[serde(index = 2)]
    pub bytes: PieceBytes,
}

/// How far somebody has heard the other: everything before `number`, and of that so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Got {
    /// The first message that is not here whole.
    #[serde(index = 0)]
    pub number: u64,
    /// How much of it is.
    #[serde(index = 1)]
    pub bytes: u32,
}

/// Whether somebody lets the other learn their address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Direct {
    /// They do.
    #[serde(index = 0)]
    pub on: bool,
}

/// Thirty-two bytes that mean nothing by themselves. They never print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 32]);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce")
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<32>::deserialize(deserializer).map(|bytes| Self(bytes.into_array()))
    }
}

macro_rules! bounded_bytes {
    ($(#[$doc:meta])* $name:ident, $most:expr) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// `None` for too many.
            pub fn new(bytes: Vec<u8>) -> Option<Self> {
                (bytes.len() <= $most).then_some(Self(bytes))
            }

            /// The bytes.
            pub fn as_slice(&self) -> &[u8] {
                &self.0
            }

            /// The bytes, owned.
            pub fn into_vec(self) -> Vec<u8> {
                self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = ByteBuf::deserialize(deserializer)?.into_vec();
                Self::new(bytes).ok_or_else(|| serde::de::Error::custom("too many bytes"))
            }
        }
    };
}

bounded_bytes! {
    /// Bytes of a piece. They never print.
    PieceBytes, PIECE_BYTES
}

bounded_bytes! {
    /// How loud a note is, point by point.
    Loud, WAVEFORM_POINTS
}

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $name(String);

        impl $name {
            /// Parses one; `None` if it is none.
            pub fn parse(text: impl Into<String>) -> Option<Self> {
                let text = text.into();
                let fits: fn(&str) -> bool = $fits;
                fits(&text).then(|| Self(text))
            }

            /// The characters.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let parsed = Self::parse(String::deserialize(deserializer)?);
                parsed.ok_or_else(|| serde::de::Error::custom(concat!("no ", stringify!($name))))
            }
        }
    };
}

bounded_text! {
    /// A name for one conversation: 1 to [`NICKNAME_BYTES`] bytes, without control characters, not blank. It never prints and
    /// is erased when dropped.
    Nickname,
    |text| (1..=NICKNAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) && !text.trim().is_empty()
}

bounded_text! {
    /// A language tag (BCP 47), such as `pt-BR`: letters, digits and hyphens, at most [`LANGUAGE_BYTES`].
    Language,
    |text| (2..=LANGUAGE_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
