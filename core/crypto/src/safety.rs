//! Safety numbers: what two friends compare to know that nobody sits between them.
//!
//! The number is Signal's numeric fingerprint, version 0, byte for byte: SHA-512 iterated 5,200 times over version, key
//! (with Signal's type byte 0x05) and stable user id; 30 digits for each side, the smaller half first. The QR payload
//! carries both hashes, so that one scan compares both directions.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::identity::PublicKey;

const ITERATIONS: u32 = 5_200;
const NUMBER_VERSION: [u8; 2] = [0, 0];
const CURVE25519_TYPE: [u8; 1] = [5];
const HASH_LEN: usize = 32;
const HALF_DIGITS: usize = 30;
const MARK: [u8; 2] = *b"ST";
const QR_VERSION: u8 = 1;
const QR_LEN: usize = MARK.len() + 1 + 2 * HASH_LEN;
/// The most characters of a scanned code that are looked at: a later version's may be longer than ours.
const MAX_TEXT: usize = 1_024;

/// The hash of one side: its user id and identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; HASH_LEN]);

impl Fingerprint {
    /// The fingerprint of a user; takes about 2 ms, on purpose. `user_id` must never change for the account.
    pub fn of(user_id: &[u8], key: &PublicKey) -> Self {
        let mut hash: [u8; 64] = Sha512::new()
            .chain_update(NUMBER_VERSION)
            .chain_update(CURVE25519_TYPE)
            .chain_update(key.as_bytes())
            .chain_update(user_id)
            .chain_update(CURVE25519_TYPE)
            .chain_update(key.as_bytes())
            .finalize()
            .into();
        for _ in 1..ITERATIONS {
            hash = Sha512::new()
                .chain_update(hash)
                .chain_update(CURVE25519_TYPE)
                .chain_update(key.as_bytes())
                .finalize()
                .into();
        }
        let mut short = [0; HASH_LEN];
        for (to, from) in short.iter_mut().zip(hash) {
            *to = from;
        }
        Self(short)
    }

    fn digits(&self) -> [u8; HALF_DIGITS] {
        let mut digits = [0; HALF_DIGITS];
        for (to, from) in digits.chunks_exact_mut(5).zip(self.0.chunks_exact(5)) {
            let mut rest = from.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            for digit in to.iter_mut().rev() {
                *digit = b'0' | u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        digits
    }
}

/// Sixty digits, the same on both phones. Prints in twelve groups of five.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber([[u8; HALF_DIGITS]; 2]);

impl SafetyNumber {
    /// The number of two people, whoever computes it.
    pub fn new(one: &Fingerprint, other: &Fingerprint) -> Self {
        let mut halves = [one.digits(), other.digits()];
        halves.sort_unstable();
        Self(halves)
    }

    /// The sixty digits without spaces.
    pub fn digits(&self) -> String {
        self.0.iter().flatten().map(|digit| char::from(*digit)).collect()
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, digit) in self.0.iter().flatten().enumerate() {
            if place > 0 && place.is_multiple_of(5) {
                f.write_str(" ")?;
            }
            write!(f, "{}", char::from(*digit))?;
        }
        Ok(())
    }
}

/// Why scanned bytes are no safety code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SafetyError {
    /// Some other QR code.
    #[error("not a safety code")]
    NotACode,
    /// A code of a later version: one of the two apps is old.
    #[error("a safety code of version {0}, which this version cannot read")]
    Version(u8),
}

/// What comparing two phones' codes says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What one phone shows and the other scans: both hashes, seen from the phone that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyCode {
    ours: Fingerprint,
    theirs: Fingerprint,
}

impl SafetyCode {
    /// The code this phone shows.
    pub fn new(ours: Fingerprint, theirs: Fingerprint) -> Self {
        Self { ours, theirs }
    }

    /// The bytes of the QR code: `"ST"`, version, our hash, their hash.
    pub fn encode(&self) -> Vec<u8> {
        [&MARK, [QR_VERSION].as_slice(), &self.ours.0, &self.theirs.0].concat()
    }

    /// Reads a scanned code.
    ///
    /// # Errors
    ///
    /// [`SafetyError::NotACode`] and [`SafetyError::Version`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SafetyError> {
        let rest = bytes.strip_prefix(&MARK).ok_or(SafetyError::NotACode)?;
        let (&version, rest) = rest.split_first().ok_or(SafetyError::NotACode)?;
        if version != QR_VERSION {
            return Err(SafetyError::Version(version));
        }
        if bytes.len() != QR_LEN {
            return Err(SafetyError::NotACode);
        }
        let (ours, rest) = rest.split_first_chunk().ok_or(SafetyError::NotACode)?;
        let theirs = rest.first_chunk().ok_or(SafetyError::NotACode)?;
        Ok(Self { ours: Fingerprint(*ours), theirs: Fingerprint(*theirs) })
    }

    /// What the QR code says: [`Self::encode`] in base64url (RFC 4648), for cameras whose readers give nothing but text.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.encode())
    }

    /// Reads the text of a scanned code. Blanks around it do not matter.
    ///
    /// # Errors
    ///
    /// [`SafetyError::NotACode`] and [`SafetyError::Version`].
    pub fn parse(text: &str) -> Result<Self, SafetyError> {
        let text = text.trim_ascii();
        if text.len() > MAX_TEXT {
            return Err(SafetyError::NotACode);
        }
        Self::decode(&URL_SAFE_NO_PAD.decode(text).map_err(|_| SafetyError::NotACode)?)
    }

    /// Compares our code with the one scanned from the other phone.
    pub fn compare(&self, scanned: &Self) -> Comparison {
        let theirs = bool::from(self.theirs.0.ct_eq(&scanned.ours.0));
        let ours = bool::from(self.ours.0.ct_eq(&scanned.theirs.0));
        match (ours, theirs) {
            (true, true) => Comparison::Match,
            (true, false) => Comparison::TheirsDiffers,
            (false, true) => Comparison::OursDiffers,
            (false, false) => Comparison::BothDiffer,
        }
    }
}
