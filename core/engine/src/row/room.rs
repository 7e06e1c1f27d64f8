//! Rooms that are remembered.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sidetone_wire::id::{IdentityKey, KeyBytes, RoomId, Secret, UnixMs};
use sidetone_wire::member::Rule;
use sidetone_wire::room::RoomName;

use super::{Row, Table};
use crate::room::{Memory, RecentRoom};

/// A room that is remembered: how to enter it again, and as whom. Its owner is the room's id.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RoomRow {
    /// What its link holds.
    #[serde(index = 0)]
    pub invitation: KeyBytes,
    /// The secret half of the identity that we show in it, and nowhere else.
    #[serde(index = 1)]
    pub identity: Secret,
    /// With which the server takes us for its owner, if we made it.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Secret>,
    /// Its name, if it has one.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub name: Option<RoomName>,
    /// The name that we show in it.
    #[serde(index = 4)]
    pub shown: RoomName,
    /// The server where it meets.
    #[serde(index = 5)]
    pub host: String,
    /// [`Memory`] as a number.
    #[serde(index = 6)]
    pub memory: u8,
    /// When it was entered last.
    #[serde(index = 7)]
    pub entered: UnixMs,
    /// What held in it by its creator's word.
    #[serde(index = 8)]
    pub rule: Rule,
    /// Members with whom people compared words.
    #[serde(index = 9)]
    pub verified: Vec<IdentityKey>,
    /// The keys of handshakes under its secrets before this one, 32 bytes each, the newest first.
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    pub past: Option<KeyBytes>,
    /// Members who were let in: they are met also under a secret of before.
    #[serde(index = 11, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<IdentityKey>,
}

impl Row for RoomRow {
    const TABLE: Table = Table::Room;
}

impl RoomRow {
    /// The room as the app sees it.
    pub fn view(&self, room: RoomId) -> RecentRoom {
        RecentRoom {
            room,
            name: self.name.clone(),
            shown: self.shown.clone(),
            host: self.host.clone(),
            entered_ms: self.entered.0,
            creator: self.owner.is_some(),
            memory: Memory::of(self.memory),
        }
    }
}
