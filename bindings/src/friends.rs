//! Friends, and how they know that they are who they say.

use std::sync::Arc;

use crate::account::AddressRule;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{PublicKey, UserId};
use crate::operation::{Operation, Outcome};

/// A person the account has something to do with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Friend {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// What there is between us.
    pub standing: Standing,
    /// Whether they are there now; false while we are not.
    pub online: bool,
    /// Whether safety numbers were compared.
    pub verified: bool,
    /// Their key.
    pub key: PublicKey,
    /// The key they have now, if it is another: nothing goes to them until the user accepts it.
    pub changed_key: Option<PublicKey>,
    /// Their messages that the user has not seen.
    pub unread: u32,
    /// Whether this friend may learn our addresses; none where what counts for others counts.
    pub addresses: Option<AddressRule>,
}

/// What there is between this account and a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Standing {
    /// They asked us.
    AskedUs,
    /// We asked them.
    AskedByUs,
    /// Friends.
    Friend,
    /// We blocked them.
    Blocked,
    /// Nothing any more; their key is kept so that another one is noticed.
    Former,
}

/// What comparing two safety codes says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Comparison {
    /// Both see the same two keys: verified.
    Match,
    /// They hold another key or account than we know them by.
    TheirsDiffers,
    /// They know us by another key or account than ours.
    OursDiffers,
    /// Nothing agrees: most likely the code of another conversation.
    BothDiffer,
}

impl From<sidetone::Friend> for Friend {
    fn from(friend: sidetone::Friend) -> Self {
        let standing = match friend.standing {
            sidetone::Standing::AskedUs => Standing::AskedUs,
            sidetone::Standing::AskedByUs => Standing::AskedByUs,
            sidetone::Standing::Friend => Standing::Friend,
            sidetone::Standing::Blocked => Standing::Blocked,
            sidetone::Standing::Former => Standing::Former,
        };
        Self {
            user: friend.user.into(),
            name: friend.name,
            standing,
            online: friend.online,
            verified: friend.verified,
            key: friend.key.into(),
            changed_key: friend.changed_key.map(PublicKey::from),
            unread: friend.unread,
            addresses: friend.addresses.map(AddressRule::from),
        }
    }
}

impl From<sidetone::Comparison> for Comparison {
    fn from(comparison: sidetone::Comparison) -> Self {
        match comparison {
            sidetone::Comparison::Match => Self::Match,
            sidetone::Comparison::TheirsDiffers => Self::TheirsDiffers,
            sidetone::Comparison::OursDiffers => Self::OursDiffers,
            sidetone::Comparison::BothDiffer => Self::BothDiffer,
        }
    }
}

#[uniffi::export]
impl RawClient {
    /// Asks the person with exactly this name to be a friend. A key that came by link or code is pinned: any other is
    /// refused.
    pub fn befriend(&self, name: String, key: Option<PublicKey>) -> Arc<Operation> {
        let key = key.map(|key| key.inner()).transpose();
        self.attempt(move |client| async move {
            let user = client.befriend(&name, key?).await?;
            Ok(Outcome::Person { user: user.into() })
        })
    }

    /// Accepts a friend request.
    pub async fn accept(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().accept(user.inner()?).await?)
    }

    /// Declines a friend request; its sender is not told.
    pub async fn decline(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().decline(user.inner()?).await?)
    }

    /// Ends a friendship or withdraws a request.
    pub async fn unfriend(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().unfriend(user.inner()?).await?)
    }

    /// Ends whatever there is with a person and refuses all that comes from them.
    pub async fn block(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().block(user.inner()?).await?)
    }

    /// Lifts a block.
    pub async fn unblock(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().unblock(user.inner()?).await?)
    }

    /// Notes that people compared the safety number.
    pub async fn mark_verified(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().set_verified(user.inner()?, sidetone::Verified::Yes).await?)
    }

    /// Notes that the comparison no longer counts.
    pub async fn mark_unverified(&self, user: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().set_verified(user.inner()?, sidetone::Verified::No).await?)
    }

    /// Takes the key that a friend has now for theirs, after it was shown to the user.
    pub async fn accept_key(&self, user: UserId, key: PublicKey) -> Result<(), SidetoneError> {
        Ok(self.inner().accept_key(user.inner()?, key.inner()?).await?)
    }

    /// Everybody the account has something to do with.
    pub async fn friends(&self) -> Result<Vec<Friend>, SidetoneError> {
        Ok(self.inner().friends().await?.into_iter().map(Friend::from).collect())
    }

    /// One person.
    pub async fn friend(&self, user: UserId) -> Result<Option<Friend>, SidetoneError> {
        Ok(self.inner().friend(user.inner()?).await?.map(Friend::from))
    }

    /// The sixty digits that two friends compare, in groups of five.
    pub async fn safety_number(&self, user: UserId) -> Result<Option<String>, SidetoneError> {
        Ok(self.inner().safety_number(user.inner()?).await?.map(|number| number.to_string()))
    }

    /// The same as the text of a QR code, for the other phone to scan.
    pub async fn safety_code(&self, user: UserId) -> Result<Option<String>, SidetoneError> {
        Ok(self.inner().safety_code(user.inner()?).await?)
    }

    /// Compares a friend's scanned code with ours; if they match, the friend is verified.
    pub async fn scan(&self, user: UserId, scanned: String) -> Result<Comparison, SidetoneError> {
        Ok(self.inner().scan(user.inner()?, &scanned).await?.into())
    }
}
