//! What an app reads of an engine.

use sidetone_crypto::identity::PublicKey;
use sidetone_wire::id::{UnixMs, UserId};
use sidetone_wire::record::Text;

use crate::input::{Addresses, Storage};

/// A person in the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Friend {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// What there is between us.
    pub standing: Standing,
    /// Whether they have a live session with the server; false while we have none.
    pub online: bool,
    /// Whether safety numbers were compared under the pinned key.
    pub verified: bool,
    /// The pinned key.
    pub key: PublicKey,
    /// The key the server names now, if it is another: nothing goes to them until the user accepts it.
    pub changed_key: Option<PublicKey>,
    /// Their messages that the user has not seen.
    pub unread: u32,
    /// Whether this friend may learn our addresses; `None` where that of [`crate::Preferences`] counts.
    pub addresses: Option<Addresses>,
}

/// What there is between this account and a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// They asked us.
    AskedUs = 1,
    /// We asked them.
    AskedByUs = 2,
    /// Friends.
    Friend = 3,
    /// We blocked them.
    Blocked = 4,
    /// Nothing any more; their pinned key is kept so that another one is noticed.
    Former = 5,
}

/// A conversation in a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// With whom.
    pub peer: UserId,
    /// The place of its last entry, if there is one.
    pub last: Option<u64>,
    /// When that was kept; not known for what the first version kept.
    pub active: Option<UnixMs>,
    /// Their messages, and missed calls, that the user has not seen.
    pub unread: u32,
    /// What the user began to write.
    pub draft: Option<Text>,
    /// Seconds that we want messages to stay; none for ever.
    pub our_stay_s: Option<u32>,
    /// Seconds that they want messages to stay. The shorter wish counts.
    pub their_stay_s: Option<u32>,
    /// Where it is kept on this phone.
    pub storage: Storage,
}

/// The account of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub user: UserId,
    /// The name.
    pub name: String,
    /// The public half of the identity.
    pub key: PublicKey,
    /// False once the server revoked this device's token.
    pub valid: bool,
}
