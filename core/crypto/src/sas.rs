//! Words that two people read out to each other to know that nobody sits between them, and the words of a whole room.
//!
//! Four words are forty bits. A man in the middle has two sessions with two hashes; if the words followed from the hash alone
//! he could try keys until both showed the same. Here each side first throws in a nonce, and the first to choose is bound
//! by a commitment before the second chooses (ZRTP, RFC 6189, section 4.4.1.1), so that he has one try in a million million:
//!
//! ```text
//! initiator -> responder   commitment = HMAC(hash, "commit" || nonce1)
//! responder -> initiator   nonce2
//! initiator -> responder   nonce1
//! words = HKDF(hash, nonce1 || nonce2)
//! ```
//!
//! The messages travel in records of the session whose hash they are bound to.

use hmac::Mac;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    identity::PublicKey,
    kdf::{self, Prk},
};

pub use crate::words::Phrase;

/// Two bytes a word.
const SPOKEN_BYTES: usize = 8;
const GROUP_BYTES: usize = 12;
/// As often as [`crate::safety`] hashes a key: about 2 ms.
const ITERATIONS: u32 = 5_200;
const LABEL: &[u8] = b"sidetone sas v1";

/// Why there are no words to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SasError {
    /// The nonce is not the one that was committed to: the session is to be ended.
    #[error("the revealed nonce is not the one committed to")]
    Broken,
}

/// The initiator of the session, who has committed to a nonce and not shown it.
pub struct Committed {
    hash: [u8; 32],
    nonce: [u8; 32],
}

impl Committed {
    /// Chooses our nonce and gives the commitment to send. `hash` is [`crate::handshake::Session::hash`].
    pub fn new(hash: [u8; 32], seed: [u8; 32]) -> (Self, [u8; 32]) {
        let nonce = nonce(seed);
        (Self { hash, nonce }, commitment(&hash, &nonce))
    }

    /// Takes the responder's nonce; gives ours, to be sent now, and the words.
    pub fn reveal(self, theirs: &[u8; 32]) -> ([u8; 32], Phrase) {
        let words = words(&self.hash, &self.nonce, theirs);
        (self.nonce, words)
    }
}

/// The responder of the session, who holds a commitment and has shown a nonce.
pub struct Holding {
    hash: [u8; 32],
    commitment: [u8; 32],
    nonce: [u8; 32],
}

impl Holding {
    /// Takes the initiator's commitment and gives our nonce to send.
    pub fn new(hash: [u8; 32], commitment: [u8; 32], seed: [u8; 32]) -> (Self, [u8; 32]) {
        let nonce = nonce(seed);
        (Self { hash, commitment, nonce }, nonce)
    }

    /// Takes the initiator's nonce and gives the words.
    ///
    /// # Errors
    ///
    /// [`SasError::Broken`].
    pub fn check(self, theirs: &[u8; 32]) -> Result<Phrase, SasError> {
        let right = commitment(&self.hash, theirs).ct_eq(&self.commitment);
        if bool::from(right) { Ok(words(&self.hash, theirs, &self.nonce)) } else { Err(SasError::Broken) }
    }
}

/// Six words for everyone who is in a room now: the same on all phones if and only if all see the same members.
///
/// `epoch` is any number that all members agree on and that grows when somebody comes or goes. Order and repetitions
/// among `members` do not matter. Takes about 2 ms, on purpose: who wants two halves of a room to see the same words over
/// different members has to find keys for it while they are joining, 2^30 times this long on average.
pub fn group_phrase(room: &[u8; 16], epoch: u64, members: &[PublicKey]) -> Phrase {
    let mut members = members.to_vec();
    members.sort_unstable();
    members.dedup();
    let mut first =
        Sha512::new().chain_update(b"sidetone group v1").chain_update(room).chain_update(epoch.to_be_bytes());
    members.iter().for_each(|key| first.update(key.as_bytes()));
    let mut hash = first.finalize();
    for _ in 1..ITERATIONS {
        hash = Sha512::digest(hash);
    }
    Phrase::of(hash.first_chunk::<GROUP_BYTES>().map_or(&[], |bytes| bytes.as_slice()))
}

fn nonce(seed: [u8; 32]) -> [u8; 32] {
    *kdf::from_seed(&Zeroizing::new(seed), LABEL)
}

fn commitment(hash: &[u8; 32], nonce: &[u8; 32]) -> [u8; 32] {
    kdf::mac(hash).chain_update(LABEL).chain_update(b"commit").chain_update(nonce).finalize().into_bytes().into()
}

fn words(hash: &[u8; 32], first: &[u8; 32], second: &[u8; 32]) -> Phrase {
    Phrase::of(Prk::extract(LABEL, hash).expand::<SPOKEN_BYTES>(&[b"words", first, second]).as_slice())
}
