//! What two strangers need beside a session: tags for interests, work for the server, one-time signatures, and the proof
//! that a later session of a match has the same ends as the first.

use hmac::Mac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::kdf;

/// The tag under which the server compares an interest on one day (days since 1970-01-01 UTC).
///
/// Case and blanks around it do not matter. The key is known to everybody, so a server can try words it guesses; it learns
/// nothing of others, and tomorrow's tag is another.
pub fn interest_tag(day: u64, interest: &str) -> [u8; 16] {
    let mac = kdf::mac(b"sidetone interest v1").chain_update(day.to_be_bytes());
    let tag: [u8; 32] = mac.chain_update(interest.trim().to_lowercase()).finalize().into_bytes().into();
    tag.first_chunk().copied().unwrap_or_default()
}

/// Finds a number such that SHA-256 of seed, ticket and number (eight bytes, big endian) begins with `bits` zeros, within
/// so many tries from a random beginning. Takes about 0.1 us a try.
pub fn work(seed: &[u8], ticket: &[u8; 16], bits: u8, begin: u64, tries: u64) -> Option<u64> {
    let start = Sha256::new().chain_update(seed).chain_update(ticket);
    let enough = |number: &u64| {
        let digest: [u8; 32] = start.clone().chain_update(number.to_be_bytes()).finalize().into();
        let zeros = digest.iter().position(|byte| *byte != 0).map_or(256, |at| {
            let more = digest.get(at).map_or(0, |byte| byte.leading_zeros());
            u32::try_from(at).unwrap_or(0).saturating_mul(8).saturating_add(more)
        });
        zeros >= u32::from(bits)
    };
    (0..tries).map(|step| begin.wrapping_add(step)).find(enough)
}

/// A key that signs what is written in one match (Ed25519, RFC 8032), made for one search and then forgotten.
///
/// That it belongs to anybody is sealed by the server into the report token of the other end, for the server alone: to
/// everybody else a signature under it proves nothing, because whoever shows it could have made the key.
pub struct Pen(Box<Ed25519KeyPair>);

impl Pen {
    /// The pen of a seed.
    pub fn from_seed(seed: [u8; 32]) -> Option<Self> {
        let seed = Zeroizing::new(seed);
        let key = kdf::from_seed::<32>(&seed, b"stranger pen");
        Ed25519KeyPair::from_seed_unchecked(key.as_slice()).ok().map(|pair| Self(Box::new(pair)))
    }

    /// What the server and the other end check with.
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap_or_default()
    }

    /// Signs.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).as_ref().try_into().unwrap_or([0; 64])
    }
}

/// Whether the pen with this public key signed these bytes.
pub fn is_signed(public: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(bytes, signature).is_ok()
}

/// What one end of a later session shows to have been an end of the first: `secret` is exported from the first, `hash` is
/// of the later one. Each end has its own.
pub fn sameness(secret: &[u8; 32], hash: &[u8; 32], initiator: bool) -> [u8; 32] {
    let side = if initiator { [1] } else { [2] };
    kdf::mac(secret)
        .chain_update(b"sidetone same v1")
        .chain_update(hash)
        .chain_update(side)
        .finalize()
        .into_bytes()
        .into()
}

/// Whether [`sameness`] is what it should be, in constant time.
pub fn is_same(shown: &[u8; 32], expected: &[u8; 32]) -> bool {
    shown.ct_eq(expected).into()
}

/// A keyed hash of a nickname: what a list of blocked names holds, so that it names nobody. Case, blanks around it and
/// repeated blanks within do not matter.
pub fn name_tag(key: &[u8; 32], nickname: &str) -> [u8; 16] {
    let mut mac = kdf::mac(key).chain_update(b"sidetone name v1");
    for word in nickname.split_whitespace() {
        let word = Zeroizing::new(word.to_lowercase());
        mac = mac.chain_update(word.as_bytes()).chain_update([0]);
    }
    let tag: [u8; 32] = mac.finalize().into_bytes().into();
    tag.first_chunk().copied().unwrap_or_default()
}
