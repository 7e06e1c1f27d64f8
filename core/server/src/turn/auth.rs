//! Who may relay: stateless nonces, credentials that carry their own end.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use ring::hmac;
use zeroize::Zeroizing;

use crate::Now;
use crate::keys::{hex, unhex};

/// How long a nonce holds.
const NONCE_MS: u64 = 600_000;

/// The password of a relay user name (coturn's REST API): base64 of HMAC-SHA1 under the shared secret.
pub(crate) fn relay_password(secret: &[u8], username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

pub(super) struct Auth {
    secret: Zeroizing<Vec<u8>>,
    realm: String,
    nonces: hmac::Key,
}

/// A user name of the form `expiry:tag`.
pub(super) struct Credential<'a> {
    pub expires_s: u64,
    pub tag: &'a str,
}

impl<'a> Credential<'a> {
    pub fn read(username: &'a str) -> Option<Self> {
        let (expires, tag) = username.split_once(':')?;
        let plain = !tag.is_empty() && tag.len() <= 64;
        Some(Self { expires_s: expires.parse().ok().filter(|_| plain)?, tag })
    }
}

impl Auth {
    pub fn new(secret: Zeroizing<Vec<u8>>, realm: String, seed: &[u8; 32]) -> Self {
        Self { secret, realm, nonces: hmac::Key::new(hmac::HMAC_SHA256, seed) }
    }

    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// A nonce for one client: when it was given and a tag over that and the address. Nothing is kept about it.
    pub fn nonce(&self, now: Now, client: SocketAddr) -> String {
        let at = now.ticks_ms.to_be_bytes();
        let tag = hmac::sign(&self.nonces, &Self::covered(&at, client));
        hex(&at) + &hex(&tag.as_ref()[..8])
    }

    pub fn is_fresh(&self, now: Now, client: SocketAddr, nonce: &[u8]) -> bool {
        let Some(nonce) = std::str::from_utf8(nonce).ok().and_then(unhex) else { return false };
        let Some((at, tag)) = nonce.split_first_chunk::<8>() else { return false };
        let right = hmac::sign(&self.nonces, &Self::covered(at, client));
        let at_ms = u64::from_be_bytes(*at);
        let timely = at_ms <= now.ticks_ms && now.ticks_ms - at_ms < NONCE_MS;
        timely && bool::from(subtle::ConstantTimeEq::ct_eq(&right.as_ref()[..8], tag))
    }

    fn covered(at: &[u8; 8], client: SocketAddr) -> Vec<u8> {
        let mut covered = at.to_vec();
        covered.extend_from_slice(client.to_string().as_bytes());
        covered
    }

    /// The long-term key of a user name (RFC 8489 section 9.2.2).
    pub fn key(&self, username: &str) -> hmac::Key {
        let password = relay_password(&self.secret, username);
        let digest = Md5::digest(format!("{username}:{}:{password}", self.realm));
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest)
    }
}
