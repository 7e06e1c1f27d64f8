//! Files on their way from phone to phone: what is said about them. Their bytes travel beside the records.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::account::Empty;
use crate::id::{Digest, Secret, TransferId};
use crate::limits::{FILE_BYTES, FILE_NAME_BYTES, MIME_BYTES, THUMBNAIL_BYTES, WAVEFORM_POINTS};
use crate::tagged::{numbered, tagged};

/// A file that its sender has for its receiver. Nothing of it travels before the receiver wants it.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FileOffer {
    /// Names it, for both ends.
    #[serde(index = 0)]
    pub transfer: TransferId,
    /// Its name as its sender gave it: to show, and never to write to as it is.
    #[serde(index = 1)]
    pub name: FileName,
    /// Its length in bytes.
    #[serde(index = 2)]
    pub size: FileSize,
    /// What its sender says it is.
    #[serde(index = 3)]
    pub mime: Mime,
    /// How its sender wants it shown.
    #[serde(index = 4)]
    pub kind: FileKind,
    /// SHA-256 of its content.
    #[serde(index = 5)]
    pub digest: Digest,
    /// Seals its chunks.
    #[serde(index = 6)]
    pub key: Secret,
    /// An image's size and a small picture of it.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// A voice note's length and shape.
    #[serde(index = 8, skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
}

numbered! {
    /// How a file is shown.
    pub enum FileKind {
        /// As a file.
        1 => File,
        /// As a picture.
        2 => Image,
        /// As a voice note.
        3 => Voice,
        _ => Unknown
    }
}

/// What is known of an image before it is here.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Picture {
    /// Width in pixels, upright.
    #[serde(index = 0)]
    pub width: u32,
    /// Height in pixels, upright.
    #[serde(index = 1)]
    pub height: u32,
    /// A small JPEG of it; empty for none.
    #[serde(index = 2)]
    pub thumbnail: Thumbnail,
}

/// What is known of a voice note before it is here.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Voice {
    /// Its length in milliseconds.
    #[serde(index = 0)]
    pub duration_ms: u32,
    /// How loud it is, from its beginning to its end.
    #[serde(index = 1)]
    pub waveform: Waveform,
}

/// A word about one transfer. Each says how its sender sees it now, on this link, and may be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TransferWord {
    /// Which transfer.
    #[serde(index = 0)]
    pub transfer: TransferId,
    /// What about it.
    #[serde(index = 1)]
    pub word: FileWord,
}

tagged! {
    /// What is said about a transfer.
    pub enum FileWord {
        /// Its receiver wants it, from this chunk on.
        1 => Want(Chunk),
        /// Who says this paused it.
        2 => Paused(Empty),
        /// Its sender paused it no more: say from where.
        3 => Ready(Empty),
        /// I know nothing of this transfer, or it is over.
        4 => Over(FileEnd),
    }
}

/// A chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Chunk {
    /// Its number, from 0.
    #[serde(index = 0)]
    pub index: u64,
}

/// A transfer is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FileEnd {
    /// Which.
    #[serde(index = 0)]
    pub transfer: TransferId,
    /// Why.
    #[serde(index = 1)]
    pub why: FileWhy,
}

numbered! {
    /// Why a transfer is over, as who says so sees it.
    pub enum FileWhy {
        /// It is here, whole and verified.
        1 => Received,
        /// Its receiver does not want it.
        2 => Declined,
        /// Who says this gave it up.
        3 => Cancelled,
        /// It is larger than its receiver takes.
        4 => TooLarge,
        /// Too many others wait already.
        5 => TooMany,
        /// Its sender has it no more, or has changed it.
        6 => Changed,
        /// What arrived is not what was offered.
        7 => Corrupt,
        /// The disk failed.
        8 => Storage,
        /// I know nothing of it.
        9 => NoSuchTransfer,
        _ => Unknown
    }
}

/// A bounded string that never prints and is checked when it is read.
macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Parses it; `None` if it is not one.
            pub fn parse(text: impl Into<String>) -> Option<Self> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                check(&text).then_some(Self(text))
            }

            /// The characters.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let wrong = || serde::de::Error::custom(concat!("no ", stringify!($name)));
                Self::parse(String::deserialize(deserializer)?).ok_or_else(wrong)
            }
        }
    };
}

bounded_text! {
    /// The name of a file as a person gave it: 1 to [`FILE_NAME_BYTES`] bytes of anything.
    FileName, |text| (1..=FILE_NAME_BYTES).contains(&text.len())
}

bounded_text! {
    /// A media type such as `image/png` (RFC 6838 section 4.2), without parameters.
    Mime, |text| {
        let proper = |part: &str| {
            let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && part.bytes().all(rest)
        };
        text.len() <= MIME_BYTES && text.split_once('/').is_some_and(|(kind, subtype)| proper(kind) && proper(subtype))
    }
}

/// A bounded string of bytes that prints its length only.
macro_rules! bounded_bytes {
    ($(#[$doc:meta])* $name:ident, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// Takes the bytes; `None` if they are too many.
            pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
                let bytes = bytes.into();
                (bytes.len() <= $limit).then_some(Self(bytes))
            }

            /// The bytes.
            pub fn as_slice(&self) -> &[u8] {
                &self.0
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
                let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?.into_vec();
                Self::new(bytes).ok_or_else(|| serde::de::Error::custom(concat!("no ", stringify!($name))))
            }
        }
    };
}

bounded_bytes! {
    /// A small JPEG of up to [`THUMBNAIL_BYTES`] bytes. Whoever sent it may have made it to harm who decodes it.
    Thumbnail, THUMBNAIL_BYTES
}

bounded_bytes! {
    /// Up to [`WAVEFORM_POINTS`] loudnesses: 0 is silence, 255 as loud as it gets.
    Waveform, WAVEFORM_POINTS
}

/// The length of a file: up to [`FILE_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FileSize(u64);

impl FileSize {
    /// Takes a length; `None` if no file is that long.
    pub fn new(bytes: u64) -> Option<Self> {
        (bytes <= FILE_BYTES).then_some(Self(bytes))
    }

    /// The length in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for FileSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("no file is that long"))
    }
}
