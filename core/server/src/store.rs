//! What stays: accounts, what people are to each other, tokens. Nothing else is ever written to disk.

use sidetone_wire::id::{DeviceId, IdentityKey, RoomId, UserId};
use sidetone_wire::room::{RelayRule, RoomName, Scope, Seats};

/// SHA-256 of a token: what a stolen database holds opens nothing.
pub type TokenHash = [u8; 32];

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    /// Drawn by the caller.
    pub user: UserId,
    /// Normalised.
    pub name: String,
    /// What names that look alike have in common.
    pub skeleton: String,
    /// Keyed hash of the skeleton: what is left of it after deletion.
    pub tombstone: [u8; 32],
    /// OPAQUE record.
    pub record: Vec<u8>,
    /// The identity of the first device.
    pub identity: IdentityKey,
    /// Sealed e-mail address.
    pub email: Vec<u8>,
    /// Keyed hash of the e-mail address, to keep it unique.
    pub email_mac: [u8; 32],
    /// The first device.
    pub device: DeviceId,
    /// The first token.
    pub token: TokenHash,
    /// Days since 1970.
    pub day: u32,
}

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// It exists.
    Done,
    /// The name, one that looks like it, or one deleted within 30 days.
    NameTaken,
    /// Another account has this e-mail address.
    EmailTaken,
}

/// An account as login needs it.
#[derive(Clone)]
pub struct Account {
    /// Who.
    pub user: UserId,
    /// OPAQUE record.
    pub record: Vec<u8>,
}

/// What others may know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub user: UserId,
    /// Normalised name.
    pub name: String,
    /// Of the newest device.
    pub identity: IdentityKey,
}

/// What a login changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Whether the identity is another than before.
    pub identity_changed: bool,
}

/// What a person wants with another. No row says nothing was ever said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// To be friends. Two who both want are friends.
    Wants,
    /// Nothing, ever.
    Blocks,
    /// Not this request; its sender is not told.
    Declined,
}

/// Both sides of two people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edge {
    /// What we want with them.
    pub ours: Option<Stance>,
    /// What they want with us.
    pub theirs: Option<Stance>,
}

impl Edge {
    /// Whether both want to be friends.
    pub fn is_friendship(self) -> bool {
        self.ours == Some(Stance::Wants) && self.theirs == Some(Stance::Wants)
    }
}

/// What a person does about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Wants to be friends.
    Ask,
    /// Takes an offer; does nothing without one.
    Accept,
    /// Turns an offer down without a word.
    Decline,
    /// Ends a friendship or withdraws an offer.
    Leave,
    /// Ends everything for good.
    Block,
    /// Lifts a block.
    Unblock,
}

impl Act {
    /// What two people want with each other after this act of ours.
    ///
    /// A decline and a block leave an offer of theirs standing in their own roster: they cannot tell either from
    /// silence. A lifted block hides such an offer instead of bringing it back.
    pub fn apply(self, edge: Edge) -> Edge {
        use Stance::{Blocks, Declined, Wants};
        let Edge { ours, theirs } = edge;
        match (self, ours, theirs) {
            (Self::Ask, _, _) => Edge { ours: Some(Wants), theirs },
            (Self::Accept, None | Some(Declined), Some(Wants)) => Edge { ours: Some(Wants), theirs },
            (Self::Decline, None, Some(Wants)) => Edge { ours: Some(Declined), theirs },
            (Self::Leave, Some(Wants), Some(Blocks)) => Edge { ours: None, theirs },
            (Self::Leave, Some(Wants), _) => Edge { ours: None, theirs: None },
            (Self::Block, Some(Wants), Some(Wants)) => Edge { ours: Some(Blocks), theirs: None },
            (Self::Block, _, _) => Edge { ours: Some(Blocks), theirs },
            (Self::Unblock, Some(Blocks), Some(Wants)) => Edge { ours: Some(Declined), theirs },
            (Self::Unblock, Some(Blocks), _) => Edge { ours: None, theirs },
            _ => edge,
        }
    }
}

/// A room that outlives its members. Its members, its talk and its keys are nowhere in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    /// The room.
    pub room: RoomId,
    /// Whose it is.
    pub creator: UserId,
    /// Its name, if the creator wants the server to know it.
    pub name: Option<RoomName>,
    /// Whether credentials for relays are given.
    pub relay: RelayRule,
    /// How many may be in it.
    pub seats: Seats,
    /// Who it is for.
    pub scope: Scope,
}

/// What became of a room to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomKept {
    /// It is kept.
    Done,
    /// There is a room of this id.
    Taken,
    /// As many as allowed are kept for its creator.
    TooMany,
}

/// The store failed: full, damaged or not reachable. The step it was asked for did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room.
    #[error("no room to store")]
    Full,
    /// What is stored is not a database, or is damaged.
    #[error("the store is damaged")]
    Damaged,
    /// Made by a newer version of this server.
    #[error("the store has version {found}, this server knows up to {known}")]
    TooNew {
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// The file cannot be opened or written.
    #[error("the store cannot be opened")]
    Unopenable,
    /// Another process holds it.
    #[error("the store is in use")]
    Busy,
    /// Anything else, by the engine's own number.
    #[error("the store failed with code {0}")]
    Other(i32),
}

/// Where accounts are kept. One file ([`crate::SqliteStore`]) or a database that many nodes share.
///
/// Every method is one transaction: done and durable, or not done.
#[allow(async_fn_in_trait, reason = "drivers own their store on one thread, so no future has to be Send")]
pub trait Store {
    /// The server's own value of this name; `fresh` is kept and returned if there is none.
    async fn secret(&mut self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Makes an account with its first device and token.
    async fn enroll(&mut self, account: NewAccount) -> Result<Enrolled, StoreError>;

    /// Whether a name cannot be given to a new account.
    async fn is_taken(&mut self, name: &str, skeleton: &str, tombstone: &[u8; 32]) -> Result<bool, StoreError>;

    /// The account with exactly this normalised name.
    async fn account(&mut self, name: &str) -> Result<Option<Account>, StoreError>;

    /// The person with exactly this normalised name.
    async fn find(&mut self, name: &str) -> Result<Option<Known>, StoreError>;

    /// The person with this id.
    async fn person(&mut self, user: UserId) -> Result<Option<Known>, StoreError>;

    /// Makes this device with this identity the account's only one: every other token is forgotten.
    async fn sign_in(
        &mut self,
        user: UserId,
        device: DeviceId,
        identity: IdentityKey,
        token: TokenHash,
        day: u32,
    ) -> Result<SignedIn, StoreError>;

    /// Whose token this is; marks the day it was last seen.
    async fn token(&mut self, token: TokenHash, day: u32) -> Result<Option<(UserId, DeviceId)>, StoreError>;

    /// Forgets the token of a device.
    async fn sign_out(&mut self, user: UserId, device: DeviceId) -> Result<(), StoreError>;

    /// Keeps where a device is woken, sealed; empty is nowhere.
    async fn set_push(&mut self, user: UserId, device: DeviceId, sealed: &[u8]) -> Result<(), StoreError>;

    /// Forgets where an account's device is woken.
    async fn forget_push(&mut self, user: UserId) -> Result<(), StoreError>;

    /// Where an account's device is woken, sealed, if it is somewhere.
    async fn push(&mut self, user: UserId) -> Result<Option<Vec<u8>>, StoreError>;

    /// What two people want with each other.
    async fn edge(&mut self, us: UserId, them: UserId) -> Result<Edge, StoreError>;

    /// Does [`Act::apply`] to two people in one step; gives what there was and what there is.
    async fn relate(&mut self, us: UserId, them: UserId, act: Act) -> Result<(Edge, Edge), StoreError>;

    /// How many people an account's roster shows.
    async fn roster_len(&mut self, user: UserId) -> Result<usize, StoreError>;

    /// People an account's roster shows, by name: those it has a stance to, and those who want something of it.
    async fn roster(&mut self, user: UserId, skip: usize, take: usize) -> Result<Vec<(Known, Edge)>, StoreError>;

    /// Everybody who is a friend.
    async fn friends(&mut self, user: UserId) -> Result<Vec<UserId>, StoreError>;

    /// Keeps a room, if its id is free and its creator has fewer than `most`.
    async fn keep_room(&mut self, room: RoomRow, most: usize, day: u32) -> Result<RoomKept, StoreError>;

    /// The kept room of this id.
    async fn room(&mut self, room: RoomId) -> Result<Option<RoomRow>, StoreError>;

    /// Rooms kept for an account, oldest first.
    async fn rooms(&mut self, creator: UserId, skip: usize, take: usize) -> Result<Vec<RoomRow>, StoreError>;

    /// Forgets a kept room and its bans.
    async fn forget_room(&mut self, room: RoomId) -> Result<(), StoreError>;

    /// Bans an account from a kept room.
    async fn ban(&mut self, room: RoomId, user: UserId) -> Result<(), StoreError>;

    /// Whether an account is banned from a kept room.
    async fn is_banned(&mut self, room: RoomId, user: UserId) -> Result<bool, StoreError>;

    /// Lifts every ban of a kept room.
    async fn pardon(&mut self, room: RoomId) -> Result<(), StoreError>;

    /// Every row about an account as JSON, but for what others decided about it in silence. E-mail stays sealed:
    /// the caller opens it with the key the store does not hold.
    async fn export(&mut self, user: UserId) -> Result<serde_json::Value, StoreError>;

    /// Deletes every row about an account and leaves the tombstone of its name. Gives everybody whose roster showed it.
    async fn delete(&mut self, user: UserId, tombstone: &[u8; 32], day: u32) -> Result<Vec<UserId>, StoreError>;

    /// Forgets what is too old: tombstones of more than 30 days.
    async fn sweep(&mut self, day: u32) -> Result<(), StoreError>;
}
