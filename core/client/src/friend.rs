//! Friends: whom this account knows, and how surely.

use sidetone_crypto::identity::PublicKey;
use sidetone_crypto::safety::{Comparison, SafetyCode, SafetyNumber};
use sidetone_engine::{Answer, Command, Friend, Verified};
use sidetone_wire::id::UserId;

use crate::client::Client;
use crate::error::Error;

impl Client {
    /// Asks the person with exactly this name to be a friend. A key that came by link or code is pinned: any other is
    /// refused.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPerson`], [`Error::KeyChanged`], [`Error::Already`], [`Error::RosterFull`] and what any command
    /// can meet.
    pub async fn befriend(&self, name: &str, key: Option<PublicKey>) -> Result<UserId, Error> {
        match self.order(Command::Befriend { name: name.to_owned(), key }).await? {
            Answer::Person(user) => Ok(user),
            _ => Err(Error::Protocol),
        }
    }

    /// Accepts a friend request.
    ///
    /// # Errors
    ///
    /// What any command can meet: [`Error::SignedOut`], [`Error::Offline`], [`Error::TooMany`],
    /// [`Error::Unavailable`], [`Error::Storage`], [`Error::Closed`].
    pub async fn accept(&self, user: UserId) -> Result<(), Error> {
        self.done(Command::Accept(user)).await
    }

    /// Declines a friend request; its sender is not told.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn decline(&self, user: UserId) -> Result<(), Error> {
        self.done(Command::Decline(user)).await
    }

    /// Ends a friendship or withdraws a request.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn unfriend(&self, user: UserId) -> Result<(), Error> {
        self.done(Command::Unfriend(user)).await
    }

    /// Ends whatever there is with a person and refuses all that comes from them.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn block(&self, user: UserId) -> Result<(), Error> {
        self.done(Command::Block(user)).await
    }

    /// Lifts a block.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn unblock(&self, user: UserId) -> Result<(), Error> {
        self.done(Command::Unblock(user)).await
    }

    /// Notes that people compared the safety number, or that it no longer counts.
    ///
    /// # Errors
    ///
    /// [`Error::NotFriends`] and what any command can meet.
    pub async fn set_verified(&self, user: UserId, verified: Verified) -> Result<(), Error> {
        self.done(Command::SetVerified(user, verified)).await
    }

    /// Takes the key that a friend has now for theirs, after [`Friend::changed_key`] was shown to the user.
    ///
    /// # Errors
    ///
    /// [`Error::KeyChanged`] if it is another by now, and what any command can meet.
    pub async fn accept_key(&self, user: UserId, key: PublicKey) -> Result<(), Error> {
        self.done(Command::AcceptKey(user, key)).await
    }

    /// Everybody the account has something to do with.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn friends(&self) -> Result<Vec<Friend>, Error> {
        self.look(|inside| inside.engine.friends()).await
    }

    /// One person.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn friend(&self, user: UserId) -> Result<Option<Friend>, Error> {
        self.look(move |inside| inside.engine.friend(user)).await
    }

    /// The sixty digits that two friends compare; they print in groups of five.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn safety_number(&self, user: UserId) -> Result<Option<SafetyNumber>, Error> {
        self.look(move |inside| inside.engine.safety_number(user)).await
    }

    /// The same as the text of a QR code, for the other phone to [`Client::scan`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn safety_code(&self, user: UserId) -> Result<Option<String>, Error> {
        self.look(move |inside| inside.engine.safety_code(user).map(|code| code.text())).await
    }

    /// Compares a friend's scanned code with ours; if they match, the friend is verified.
    ///
    /// # Errors
    ///
    /// [`Error::NotACode`], [`Error::NotFriends`] and what any command can meet.
    pub async fn scan(&self, user: UserId, scanned: &str) -> Result<Comparison, Error> {
        let scanned = SafetyCode::parse(scanned).map_err(|_| Error::NotACode)?;
        let ours = self.look(move |inside| inside.engine.safety_code(user)).await?.ok_or(Error::NotFriends)?;
        let comparison = ours.compare(&scanned);
        if comparison == Comparison::Match {
            self.set_verified(user, Verified::Yes).await?;
        }
        Ok(comparison)
    }
}
