//! By what a relay knows a member of a room.

use sidetone_wire::room::RelayRule;

use crate::bus::RelayName;
use crate::keys::hex;

/// First letter of the tags of rooms that forbid relays.
const FORBIDDEN: char = 'n';
/// First letter of the tags of all other rooms.
const ROOM: char = 'r';

/// What a relay knows of a member of a room, or of all of one room: `policy room . member`. The policy is in the tag, so
/// that a relay refuses a room which forbids relays even if somebody mints credentials for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayTag(String);

impl RelayTag {
    /// One member.
    pub fn of(rule: RelayRule, name: RelayName) -> Self {
        Self(format!("{}.{}", Self::of_room(rule, name.room).0, hex(&name.member)))
    }

    /// Everybody in a room.
    pub fn of_room(rule: RelayRule, room: [u8; 8]) -> Self {
        let letter = if matches!(rule, RelayRule::Allowed | RelayRule::Required) { ROOM } else { FORBIDDEN };
        Self(format!("{letter}{}", hex(&room)))
    }

    /// The characters, as in a user name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a tag's room forbids relays. Tags of accounts are hexadecimal digits.
pub(super) fn is_forbidden(tag: &str) -> bool {
    tag.starts_with(FORBIDDEN)
}

/// Whether a tag is of a member of a room.
pub(super) fn is_of_room(tag: &str) -> bool {
    tag.starts_with(ROOM)
}

/// The tag of the whole room, if this is one of a member.
pub(super) fn room_of(tag: &str) -> Option<&str> {
    tag.split_once('.').map(|(room, _)| room)
}
