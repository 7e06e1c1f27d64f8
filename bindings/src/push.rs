//! How a phone that sleeps is woken.

use sidetone::{DeviceToken, WebPush};

use crate::client::RawClient;
use crate::error::SidetoneError;

/// Where a phone is woken. A wake-up says nothing but that somebody calls: not who, and not whom.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum PushAddress {
    /// By a push service of the user's choice: Web Push (RFC 8030), which UnifiedPush speaks too.
    Web {
        /// Where messages are posted, by https.
        endpoint: String,
        /// The phone's public key for this subscription: a point of P-256, uncompressed (RFC 8291).
        key: Vec<u8>,
        /// Its authentication secret, 16 bytes.
        auth: Vec<u8>,
    },
    /// By Apple's.
    Apple {
        /// The device token, in hexadecimal digits.
        token: String,
    },
    /// By Google's.
    Firebase {
        /// The registration token.
        token: String,
    },
}

impl From<PushAddress> for sidetone::PushAddress {
    fn from(address: PushAddress) -> Self {
        match address {
            PushAddress::Web { endpoint, key, auth } => {
                Self::Web(WebPush { endpoint, key: key.into(), auth: auth.into() })
            }
            PushAddress::Apple { token } => Self::Apple(DeviceToken { token }),
            PushAddress::Firebase { token } => Self::Firebase(DeviceToken { token }),
        }
    }
}

#[uniffi::export]
impl RawClient {
    /// By what push services know the server: what a phone names when it subscribes to Web Push or UnifiedPush (RFC 8292
    /// section 3.2), a point of P-256, uncompressed. Refused with `Outdated` by a server that wakes nobody.
    pub async fn push_key(&self) -> Result<Vec<u8>, SidetoneError> {
        Ok(self.inner().push_key().await?)
    }

    /// Says where this phone is woken when a friend calls and it is not connected; nowhere with none. The server keeps one
    /// address for an account and forgets it when the device signs out: tell it whenever the platform gives one, and each
    /// time the client is opened. What is no address is refused with `NotAPushAddress`.
    pub async fn set_push(&self, address: Option<PushAddress>) -> Result<(), SidetoneError> {
        Ok(self.inner().set_push(address.map(Into::into)).await?)
    }

    /// A wake-up came: the client connects at once, and what it is about shows as it would have anyway. Whatever comes with
    /// it means nothing.
    pub fn handle_push(&self) {
        self.inner().handle_push();
    }
}
