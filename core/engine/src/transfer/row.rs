//! What is kept of transfers.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sidetone_wire::id::{TransferId, UnixMs};
use sidetone_wire::transfer::{FileOffer, FileWhy, Picture, Voice};

use crate::row::{Row, Table};

/// A transfer. Its position is [`transfer_at`]. One that is over lies in [`Table::Past`] and is never read back by the
/// engine.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TransferRow {
    /// True if we send it.
    #[serde(index = 0)]
    pub ours: bool,
    /// What was offered, without picture and voice.
    #[serde(index = 1)]
    pub offer: FileOffer,
    /// When it was offered, by our clock.
    #[serde(index = 2)]
    pub at: UnixMs,
    /// How far it is: 0 offered, 1 accepted, 2 whole and verified but not in its place yet, 3 over.
    #[serde(index = 3)]
    pub stage: u8,
    /// Who holds it, as a sum: 1 we, 2 they, 4 the disk is full.
    #[serde(index = 4)]
    pub held: u8,
    /// Where it lies: ours, where it was offered from; theirs, where it is or will be in its place.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Chunks known to be over there (ours) or here (theirs), as last noted: to show.
    #[serde(index = 6)]
    pub done: u64,
    /// Why it is over: [`EndReason::number`].
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub end: Option<u8>,
    /// How often it was begun anew because what lay here was not what was offered.
    #[serde(index = 8)]
    pub renewed: u8,
    /// When its file was last changed as it was offered, in nanoseconds since 1970: another time is another content.
    #[serde(index = 9, skip_serializing_if = "Option::is_none")]
    pub changed_ns: Option<u64>,
}

impl Row for TransferRow {
    const TABLE: Table = Table::Transfer;
}

/// The same, once it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRow(pub TransferRow);

impl serde::Serialize for PastRow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for PastRow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TransferRow::deserialize(deserializer).map(Self)
    }
}

impl Row for PastRow {
    const TABLE: Table = Table::Past;
}

/// What is shown of a file before it is here. Its position is [`transfer_at`]; the engine never reads it back.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct PreviewRow {
    /// Of an image.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// Of a voice note.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
}

impl Row for PreviewRow {
    const TABLE: Table = Table::Preview;
}

/// Which files are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FilePolicy {
    /// A friend's file of up to so many bytes is accepted without asking: [`crate::Preferences::accept_below`], which counts
    /// where both are kept.
    #[serde(index = 0)]
    pub accept_below: u64,
    /// A larger file than this is declined without asking.
    #[serde(index = 1)]
    pub limit: u64,
}

impl Default for FilePolicy {
    fn default() -> Self {
        Self { accept_below: 16 << 20, limit: 8 << 30 }
    }
}

impl Row for FilePolicy {
    const TABLE: Table = Table::FilePolicy;
}

/// Where the rows of a transfer lie, among those of the person it is with. Ours and theirs never meet, so nobody reaches
/// a file that we send by naming theirs like it.
pub fn transfer_at(ours: bool, transfer: TransferId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = transfer.0;
    // Positions have 63 bits.
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 2 << 1 | u64::from(ours)
}

/// Why a transfer is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// It arrived, whole and verified.
    Received,
    /// Its receiver did not want it.
    Declined,
    /// We gave it up.
    Cancelled,
    /// They gave it up.
    PeerCancelled,
    /// It is larger than its receiver takes.
    TooLarge,
    /// Too many others waited.
    TooMany,
    /// The file that was offered is gone or was changed: send it again.
    Changed,
    /// What arrived is not what was offered.
    Corrupt,
    /// The disk failed at this end: try again.
    Storage,
    /// The disk failed at the other end: try again.
    PeerStorage,
    /// The other end knows nothing of it any more: send it again.
    PeerForgot,
    /// The friendship ended.
    NotFriends,
    /// A reason that this version does not know.
    Unknown,
}

impl EndReason {
    /// A number that never changes.
    pub fn number(self) -> u8 {
        match self {
            Self::Received => 1,
            Self::Declined => 2,
            Self::Cancelled => 3,
            Self::PeerCancelled => 4,
            Self::TooLarge => 5,
            Self::TooMany => 6,
            Self::Changed => 7,
            Self::Corrupt => 8,
            Self::Storage => 9,
            Self::PeerStorage => 10,
            Self::PeerForgot => 11,
            Self::NotFriends => 12,
            Self::Unknown => 0,
        }
    }

    /// The reason with this number.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Received,
            2 => Self::Declined,
            3 => Self::Cancelled,
            4 => Self::PeerCancelled,
            5 => Self::TooLarge,
            6 => Self::TooMany,
            7 => Self::Changed,
            8 => Self::Corrupt,
            9 => Self::Storage,
            10 => Self::PeerStorage,
            11 => Self::PeerForgot,
            12 => Self::NotFriends,
            _ => Self::Unknown,
        }
    }

    /// Whether sending the same file again may work.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::TooMany | Self::Changed | Self::Corrupt | Self::Storage | Self::PeerStorage | Self::PeerForgot
        )
    }

    /// What the other end is told of it; nothing when it said so itself or may not be told.
    pub(crate) fn told(self) -> Option<FileWhy> {
        Some(match self {
            Self::Received => FileWhy::Received,
            Self::Declined => FileWhy::Declined,
            Self::Cancelled => FileWhy::Cancelled,
            Self::TooLarge => FileWhy::TooLarge,
            Self::TooMany => FileWhy::TooMany,
            Self::Changed => FileWhy::Changed,
            Self::Corrupt => FileWhy::Corrupt,
            Self::Storage => FileWhy::Storage,
            Self::PeerCancelled | Self::PeerStorage | Self::PeerForgot | Self::NotFriends | Self::Unknown => {
                return None;
            }
        })
    }

    /// What the other end's word means here.
    pub(crate) fn heard(why: FileWhy) -> Self {
        match why {
            FileWhy::Received => Self::Received,
            FileWhy::Declined => Self::Declined,
            FileWhy::Cancelled => Self::PeerCancelled,
            FileWhy::TooLarge => Self::TooLarge,
            FileWhy::TooMany => Self::TooMany,
            FileWhy::Changed => Self::Changed,
            FileWhy::Corrupt => Self::Corrupt,
            FileWhy::Storage => Self::PeerStorage,
            FileWhy::NoSuchTransfer => Self::PeerForgot,
            FileWhy::Unknown => Self::Unknown,
        }
    }
}
