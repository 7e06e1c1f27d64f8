//! The account of this device.

use std::sync::Arc;

use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{PublicKey, UserId};
use crate::operation::{Operation, Outcome};

/// The account of this device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AccountView {
    /// Who.
    pub user: UserId,
    /// The name.
    pub name: String,
    /// The public half of the identity.
    pub key: PublicKey,
    /// False once the server takes this device no more: let the user sign in.
    pub valid: bool,
}

/// Whether a friend may learn this phone's addresses. Who may not is reached through a relay; nobody learns one while it
/// rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AddressRule {
    /// As soon as one has something for the other, and in an answered call.
    Direct,
    /// In a call that was answered; all else goes through a relay.
    RelayUntilAccepted,
    /// Once safety numbers were compared; until then everything goes through a relay.
    RelayUntilVerified,
    /// Never: everything goes through a relay.
    Never,
}

impl From<sidetone::Addresses> for AddressRule {
    fn from(addresses: sidetone::Addresses) -> Self {
        match addresses {
            sidetone::Addresses::Direct => Self::Direct,
            sidetone::Addresses::RelayUntilAccepted => Self::RelayUntilAccepted,
            sidetone::Addresses::RelayUntilVerified => Self::RelayUntilVerified,
            sidetone::Addresses::Never => Self::Never,
        }
    }
}

impl From<AddressRule> for sidetone::Addresses {
    fn from(rule: AddressRule) -> Self {
        match rule {
            AddressRule::Direct => Self::Direct,
            AddressRule::RelayUntilAccepted => Self::RelayUntilAccepted,
            AddressRule::RelayUntilVerified => Self::RelayUntilVerified,
            AddressRule::Never => Self::Never,
        }
    }
}

/// Whether friends learn what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReceiptRule {
    /// They do.
    Send,
    /// They do not.
    Keep,
}

impl From<sidetone::Account> for AccountView {
    fn from(account: sidetone::Account) -> Self {
        let sidetone::Account { user, name, key, valid, .. } = account;
        Self { user: user.into(), name, key: key.into(), valid }
    }
}

#[uniffi::export]
impl RawClient {
    /// Makes an account, with a new identity that never leaves this device, and enters it. Takes the place of an attempt
    /// that is still under way, also of one that was cancelled.
    pub fn register(&self, name: String, email: String, password: String) -> Arc<Operation> {
        self.operation(
            move |client| async move { client.register(&name, &email, &password).await.map(|()| Outcome::Done) },
        )
    }

    /// Enters an account from this device, with a new identity: friends see that the key changed. Takes the place of an
    /// attempt that is still under way, also of one that was cancelled.
    pub fn sign_in(&self, name: String, password: String) -> Arc<Operation> {
        self.operation(move |client| async move { client.sign_in(&name, &password).await.map(|()| Outcome::Done) })
    }

    /// Leaves the account and forgets everything about it on this device.
    pub fn sign_out(&self) -> Arc<Operation> {
        self.operation(|client| async move { client.sign_out().await.map(|()| Outcome::Done) })
    }

    /// Deletes the account at the server and everything about it on this device.
    pub fn delete_account(&self) -> Arc<Operation> {
        self.operation(|client| async move { client.delete_account().await.map(|()| Outcome::Done) })
    }

    /// Everything the server keeps about the account, as JSON.
    pub fn export_account(&self) -> Arc<Operation> {
        self.operation(|client| async move { client.export_account().await.map(|text| Outcome::Text { text }) })
    }

    /// The account of this device, if there is one.
    pub async fn account(&self) -> Result<Option<AccountView>, SidetoneError> {
        Ok(self.inner().account().await?.map(AccountView::from))
    }

    /// Chooses who may learn this phone's addresses.
    pub async fn set_addresses(&self, rule: AddressRule) -> Result<(), SidetoneError> {
        Ok(self.inner().set_addresses(rule.into()).await?)
    }

    /// Chooses whether one friend may learn this phone's addresses, whatever counts for others; none for what counts for
    /// others.
    pub async fn set_addresses_for(&self, user: UserId, rule: Option<AddressRule>) -> Result<(), SidetoneError> {
        Ok(self.inner().set_addresses_for(user.inner()?, rule.map(Into::into)).await?)
    }

    /// Chooses whether friends learn what was read.
    pub async fn set_receipts(&self, rule: ReceiptRule) -> Result<(), SidetoneError> {
        let rule = match rule {
            ReceiptRule::Send => sidetone::Receipts::Send,
            ReceiptRule::Keep => sidetone::Receipts::Keep,
        };
        Ok(self.inner().set_receipts(rule).await?)
    }
}
