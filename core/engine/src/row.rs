//! What an engine keeps: rows of CBOR that a store seals and gives back, unread, when the engine is restored.

use cbor4ii::core::dec::Read;
use cbor4ii::core::utils::SliceReader;
use cbor4ii::serde::Deserializer;
use serde::{Serialize, de::DeserializeOwned};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sidetone_wire::encode;
use sidetone_wire::id::{DeviceId, IdentityKey, ItemSeq, LaneId, Secret, UnixMs, UserId};
use sidetone_wire::record::Body;

mod entry;
mod room;

pub use entry::*;
pub use room::*;

/// A kind of row. The numbers are kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The one account of this device.
    Account = 1,
    /// Whom it knows.
    Friend = 2,
    /// Where each conversation stands.
    Chat = 3,
    /// Items that wait for their confirmation.
    Outgoing = 4,
    /// Conversations, in order. The engine never reads these back.
    Message = 5,
    /// What their entries say. The engine never reads these back.
    Content = 6,
    /// What people think of them. The engine never reads these back.
    Reaction = 7,
    /// Messages that will disappear.
    Fade = 8,
    /// What was begun and not sent.
    Draft = 9,
    /// Files on their way.
    Transfer = 10,
    /// Files that arrived or never will. The engine never reads these back.
    Past = 11,
    /// Which files are taken.
    FilePolicy = 12,
    /// What is shown of files before they are here. The engine never reads these back.
    Preview = 13,
    /// What the user of this device prefers.
    Preferences = 15,
    /// Rooms that are remembered.
    Room = 20,
}

/// How dear a table's rows are. What is ephemeral is in no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Can be had again, or done without.
    Cached,
    /// The only copy.
    Kept,
}

impl Table {
    /// Every table, in the order in which a restore wants them.
    pub const ALL: &[Self] = &[
        Self::Account,
        Self::Friend,
        Self::Chat,
        Self::Outgoing,
        Self::Message,
        Self::Content,
        Self::Reaction,
        Self::Fade,
        Self::Draft,
        Self::Transfer,
        Self::Past,
        Self::FilePolicy,
        Self::Preview,
        Self::Preferences,
        Self::Room,
    ];

    /// How dear its rows are.
    pub fn class(self) -> Class {
        match self {
            Self::Friend | Self::Preferences | Self::FilePolicy | Self::Room => Class::Cached,
            _ => Class::Kept,
        }
    }

    /// Whether a restore wants the rows of this table: those that an engine reads back.
    pub fn is_restored(self) -> bool {
        let unread = [Self::Message, Self::Content, Self::Reaction, Self::Past, Self::Preview];
        !unread.contains(&self)
    }
}

/// A row's place: unique, and sorted by position within its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which kind.
    pub table: Table,
    /// Whose; zeros for the account.
    pub owner: UserId,
    /// Which of theirs; 0 where there is one.
    pub position: u64,
}

/// A row written (`Some`) or dropped (`None`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// What, in CBOR: to be sealed before it is written.
    pub value: Option<Vec<u8>>,
}

/// A row that cannot be read: written by a newer version, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a row of {table:?} cannot be read: {reason}")]
pub struct RowError {
    /// Which table.
    pub table: Table,
    /// What is wrong, without any of its content.
    pub reason: String,
}

/// A type that is kept in one table.
pub trait Row: Serialize + DeserializeOwned {
    /// Which.
    const TABLE: Table;

    /// Reads a row. Ten thousand of them are read before anything is seen of an account, which is why it is not left to the
    /// decoder that reads what peers say: this one takes a fifth of the time.
    fn read(bytes: &[u8]) -> Result<Self, RowError> {
        let refused = |reason: &dyn std::fmt::Display| RowError { table: Self::TABLE, reason: reason.to_string() };
        let mut reader = Deserializer::new(SliceReader::new(bytes));
        let row = Self::deserialize(&mut reader).map_err(|error| refused(&error))?;
        match reader.into_inner().fill(1).map_err(|error| refused(&error))?.as_ref() {
            [] => Ok(row),
            _ => Err(refused(&"followed by other bytes")),
        }
    }

    /// The change that writes this row.
    fn put(&self, owner: UserId, position: u64) -> Change {
        let value = encode(self, usize::MAX).expect("no limit is set");
        Change { place: Place { table: Self::TABLE, owner, position }, value: Some(value) }
    }

    /// The change that drops a row of this kind.
    fn drop_at(owner: UserId, position: u64) -> Change {
        Change { place: Place { table: Self::TABLE, owner, position }, value: None }
    }
}

/// The owner of rows that belong to nobody else.
pub const OURSELVES: UserId = UserId([0; 16]);

/// The account of this device, and what its user prefers.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct AccountRow {
    /// This installation.
    #[serde(index = 0)]
    pub device: DeviceId,
    /// The account.
    #[serde(index = 1)]
    pub user: UserId,
    /// Its name.
    #[serde(index = 2)]
    pub name: String,
    /// The secret half of its identity on this device.
    #[serde(index = 3)]
    pub identity: Secret,
    /// For the server; absent once it was revoked.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// [`crate::Addresses`] as versions before kept it: [`PreferencesRow`] counts more.
    #[serde(index = 5)]
    pub addresses: u8,
    /// [`crate::Receipts`] as versions before kept it.
    #[serde(index = 6)]
    pub receipts: u8,
    /// 1 while the server is asked to delete the account: if it knows it no more, everything here goes as well.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<u8>,
}

impl Row for AccountRow {
    const TABLE: Table = Table::Account;
}

/// What the user of this device prefers; there is one such row, with an account or without.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct PreferencesRow {
    /// [`crate::Theme`] as a number.
    #[serde(index = 0)]
    pub theme: u8,
    /// [`crate::Receipts`]: 0 send, 1 keep.
    #[serde(index = 1)]
    pub receipts: u8,
    /// [`crate::Addresses`]: 0 direct, 1 relay until accepted, 2 relay until verified, 3 never.
    #[serde(index = 2)]
    pub addresses: u8,
    /// [`crate::Routes`]: 0 any, 1 relay only, 2 direct only.
    #[serde(index = 3)]
    pub routes: u8,
    /// Files of friends up to this many bytes are taken without asking.
    #[serde(index = 4)]
    pub accept_below: u64,
    /// A BCP 47 tag; absent for the system's.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl Row for PreferencesRow {
    const TABLE: Table = Table::Preferences;
}

/// Somebody this account knows or knew.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FriendRow {
    /// Their name.
    #[serde(index = 0)]
    pub name: String,
    /// Their key: pinned, or the last one the server named.
    #[serde(index = 1)]
    pub identity: IdentityKey,
    /// The key the server names now, if it is another one: nothing goes to them until it is accepted.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub changed: Option<IdentityKey>,
    /// [`crate::Standing`] as a number.
    #[serde(index = 3)]
    pub standing: u8,
    /// Whether safety numbers were compared under the pinned key.
    #[serde(index = 4)]
    pub verified: bool,
    /// Whether the key is pinned: since we became friends, or since it came by link or code.
    #[serde(index = 5)]
    pub pinned: bool,
    /// [`crate::Addresses`], if it was chosen for this one.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<u8>,
}

impl Row for FriendRow {
    const TABLE: Table = Table::Friend;
}

/// Where a conversation stands. What became of a message follows from its number and these marks.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ChatRow {
    /// Our numbering.
    #[serde(index = 0)]
    pub lane: LaneId,
    /// The last item we numbered.
    #[serde(index = 1)]
    pub last: ItemSeq,
    /// The last one they confirmed: it and all before are delivered.
    #[serde(index = 2)]
    pub confirmed: ItemSeq,
    /// The last one they read.
    #[serde(index = 3)]
    pub read: ItemSeq,
    /// Their numbering.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub their_lane: Option<LaneId>,
    /// Their last item kept here.
    #[serde(index = 5)]
    pub heard: ItemSeq,
    /// The next free place in the conversation.
    #[serde(index = 6)]
    pub next: u64,
    /// Their messages, and missed calls, that the user has not seen.
    #[serde(index = 7)]
    pub unread: u32,
    /// [`crate::Storage`]: 0 kept, 1 in memory only.
    #[serde(index = 8, skip_serializing_if = "is_zero")]
    pub storage: u8,
    /// Seconds that we want messages to stay; absent for ever.
    #[serde(index = 9, skip_serializing_if = "Option::is_none")]
    pub our_stay_s: Option<u32>,
    /// Seconds that they want messages to stay; absent for ever.
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    pub their_stay_s: Option<u32>,
    /// When the last entry was kept.
    #[serde(index = 11, skip_serializing_if = "Option::is_none")]
    pub active: Option<UnixMs>,
    /// Which of their messages the user has not seen, so that one that is taken back counts no more: the first 1,000.
    #[serde(index = 12, skip_serializing_if = "Vec::is_empty")]
    pub fresh: Vec<ItemSeq>,
}

/// The most of [`ChatRow::fresh`].
const FRESH: usize = 1_000;

impl ChatRow {
    /// A conversation in which nothing was said.
    pub fn new(lane: LaneId) -> Self {
        let zero = ItemSeq(0);
        Self {
            lane,
            last: zero,
            confirmed: zero,
            read: zero,
            their_lane: None,
            heard: zero,
            next: 1,
            unread: 0,
            storage: 0,
            our_stay_s: None,
            their_stay_s: None,
            active: None,
            fresh: Vec::new(),
        }
    }

    /// The user has seen everything.
    pub fn see(&mut self) {
        self.unread = 0;
        self.fresh.clear();
    }

    /// A message of theirs that the user has not seen is here.
    pub(crate) fn arrived(&mut self, message: ItemSeq) {
        self.unread = self.unread.saturating_add(1);
        if self.fresh.len() < FRESH {
            self.fresh.push(message);
        }
    }

    /// A message of theirs says nothing any more; whether the user had not seen it.
    pub(crate) fn withdraw(&mut self, message: ItemSeq) -> bool {
        let Some(at) = self.fresh.iter().position(|fresh| *fresh == message) else { return false };
        self.fresh.remove(at);
        self.unread = self.unread.saturating_sub(1);
        true
    }

    /// Seconds that a message written now stays: the shorter of both wishes.
    pub fn stay_s(&self) -> Option<u32> {
        self.our_stay_s.into_iter().chain(self.their_stay_s).min()
    }
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl Row for ChatRow {
    const TABLE: Table = Table::Chat;
}

/// An item that waits for its confirmation. Its position is its number.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct OutgoingRow {
    /// When it was written.
    #[serde(index = 0)]
    pub at: UnixMs,
    /// What it is.
    #[serde(index = 1)]
    pub body: Body,
    /// The place of the entry that it carries, if it does.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
    /// Why it was not delivered and waits for the user to send it again: 1 no longer friends.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u8>,
}

impl Row for OutgoingRow {
    const TABLE: Table = Table::Outgoing;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole_and_alone() {
        let (name, identity) = ("anna".to_owned(), IdentityKey([7; 32]));
        let row =
            FriendRow { name, identity, changed: None, standing: 3, verified: false, pinned: true, addresses: Some(1) };
        let bytes = row.put(UserId([1; 16]), 0).value.expect("a value");
        assert_eq!(FriendRow::read(&bytes), Ok(row));
        assert!((0..bytes.len()).all(|length| FriendRow::read(&bytes[..length]).is_err()), "cut short");
        assert!(FriendRow::read(&[bytes.as_slice(), &[0]].concat()).is_err(), "followed by more");
        assert!(FriendRow::read(&[0x81; 100_000]).is_err(), "nested too deeply");
    }
}
