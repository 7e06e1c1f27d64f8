//! How a phone that sleeps is woken.

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::limits::{PUSH_ENDPOINT_BYTES, PUSH_TOKEN_BYTES};
use crate::tagged::tagged;

tagged! {
    /// Where a phone is woken. A wake-up says nothing but that somebody calls: not who, and not whom.
    pub enum PushAddress {
        /// By a push service of its user's choice: Web Push (RFC 8030), which UnifiedPush speaks too.
        1 => Web(WebPush),
        /// By Apple's.
        2 => Apple(DeviceToken),
        /// By Google's.
        3 => Firebase(DeviceToken),
    }
}

/// A push subscription (RFC 8030 section 4, RFC 8291 section 2).
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct WebPush {
    /// Where messages are posted, by https.
    #[serde(index = 0)]
    pub endpoint: String,
    /// The phone's public key for this subscription: a point of P-256, uncompressed.
    #[serde(index = 1)]
    pub key: ByteBuf,
    /// Its authentication secret.
    #[serde(index = 2)]
    pub auth: ByteBuf,
}

/// What a platform's push service knows a device by.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct DeviceToken {
    /// As the platform gave it to the app; of Apple's in hexadecimal digits.
    #[serde(index = 0)]
    pub token: String,
}

/// Where this phone is woken from now on.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Push {
    /// Nowhere if it is absent.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub address: Option<PushAddress>,
}

/// By what push services know this server.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct PushKey {
    /// A public key of P-256, uncompressed (RFC 8292 section 3.2): what a phone names when it subscribes.
    #[serde(index = 0)]
    pub key: ByteBuf,
}

impl PushAddress {
    /// Whether it has the form of an address; who is there is another matter.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::Web(web) => {
                let endpoint = web.endpoint.len() <= PUSH_ENDPOINT_BYTES && web.endpoint.starts_with("https://");
                endpoint && web.key.len() == 65 && web.key.first() == Some(&4) && web.auth.len() == 16
            }
            Self::Apple(device) => {
                let token = &device.token;
                !token.is_empty() && token.len() <= PUSH_TOKEN_BYTES && token.bytes().all(|b| b.is_ascii_hexdigit())
            }
            Self::Firebase(device) => {
                let token = &device.token;
                !token.is_empty() && token.len() <= PUSH_TOKEN_BYTES && token.bytes().all(|b| b.is_ascii_graphic())
            }
        }
    }
}
