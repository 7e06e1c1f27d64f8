//! Something a person takes along under a passphrase: Argon2id (RFC 9106) for the key, XAES-256-GCM for the rest.
//!
//! Sealed bytes are `1 || memory in KiB (4) || passes (4) || lanes (4) || salt (16)`, all of it authenticated, and behind it
//! a value as [`crate::vault`] seals it. The cost is read from there, within bounds, so that it can be raised later.

use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::kdf;
use crate::vault;

const FORMAT: u8 = 1;
const SALT_LEN: usize = 16;
const HEADER_LEN: usize = 1 + 3 * 4 + SALT_LEN;
/// More memory than this is a trap: 1 GiB.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 32;
const MOST_LANES: u32 = 8;

/// How much work a guess at a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// For people: 128 MiB and 4 passes in one lane, half a second on a phone. A thief has the file and all the time there is.
    Passphrase,
    /// For tests only: 8 KiB and one pass. A passphrase under it is as good as known.
    Least,
}

/// Why a backup could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BackupError {
    /// Another passphrase, or the bytes were changed: they look the same.
    #[error("the passphrase does not open this")]
    WrongPassphrase,
    /// Too short, of an unknown format, or dearer than any that we make.
    #[error("the sealed bytes are malformed")]
    Malformed,
    /// The passphrase is empty, or there is no memory for Argon2.
    #[error("the passphrase cannot be used here")]
    Unusable,
}

/// Seals bytes under a passphrase, taken as it is typed.
///
/// # Errors
///
/// [`BackupError::Unusable`].
pub fn seal(passphrase: &[u8], text: &[u8], seed: [u8; 32], cost: Cost) -> Result<Vec<u8>, BackupError> {
    let seed = Zeroizing::new(seed);
    let (memory_kib, passes, lanes): (u32, u32, u32) = match cost {
        Cost::Passphrase => (128 << 10, 4, 1),
        Cost::Least => (8, 1, 1),
    };
    let mut out = vec![FORMAT];
    for number in [memory_kib, passes, lanes] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&*kdf::from_seed::<SALT_LEN>(&seed, b"backup salt"));
    let key = key(passphrase, &out)?;
    let nonce = kdf::from_seed::<24>(&seed, b"backup nonce");
    let sealed = vault::seal_once(&key, *nonce, &out, text).map_err(|_| BackupError::Unusable)?;
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal`] made. Takes as long as its cost says.
///
/// # Errors
///
/// [`BackupError`].
pub fn open(passphrase: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let (header, body) = sealed.split_at_checked(HEADER_LEN).ok_or(BackupError::Malformed)?;
    let key = key(passphrase, header)?;
    vault::open_once(&key, header, body).map_err(|error| match error {
        vault::VaultError::Refused => BackupError::WrongPassphrase,
        _ => BackupError::Malformed,
    })
}

fn key(passphrase: &[u8], header: &[u8]) -> Result<Zeroizing<[u8; 32]>, BackupError> {
    if passphrase.is_empty() {
        return Err(BackupError::Unusable);
    }
    let rest = header.strip_prefix(&[FORMAT]).ok_or(BackupError::Malformed)?;
    let (memory_kib, rest) = number(rest)?;
    let (passes, rest) = number(rest)?;
    let (lanes, salt) = number(rest)?;
    if memory_kib > MOST_MEMORY_KIB || passes > MOST_PASSES || lanes > MOST_LANES {
        return Err(BackupError::Malformed);
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| BackupError::Malformed)?;
    let mut key = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passphrase, salt, key.as_mut_slice()).map_err(|_| BackupError::Unusable)?;
    Ok(key)
}

fn number(bytes: &[u8]) -> Result<(u32, &[u8]), BackupError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(BackupError::Malformed)?;
    Ok((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on must stop")]
mod tests {
    use super::*;

    #[test]
    fn only_the_passphrase_opens_a_backup_and_only_unchanged() {
        let sealed = seal(b"open sesame", b"the key", [1; 32], Cost::Least).unwrap();
        assert_eq!(*open(b"open sesame", &sealed).unwrap(), b"the key");
        assert_eq!(open(b"open sesam", &sealed).unwrap_err(), BackupError::WrongPassphrase);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(b"open sesame", &changed).is_err(), "byte {at}");
            assert!(open(b"open sesame", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(seal(b"", b"the key", [1; 32], Cost::Least), Err(BackupError::Unusable));
        assert!(!sealed.windows(7).any(|window| window == b"the key"));
    }

    #[test]
    fn a_backup_that_claims_to_be_dearer_than_any_is_refused_before_the_work() {
        let sealed = seal(b"open sesame", b"the key", [1; 32], Cost::Least).unwrap();
        for (at, number) in [(1, MOST_MEMORY_KIB + 1), (1, u32::MAX), (5, 33), (9, 9), (9, 0), (5, 0)] {
            let mut dear = sealed.clone();
            dear[at..at + 4].copy_from_slice(&number.to_be_bytes());
            assert_eq!(open(b"open sesame", &dear).unwrap_err(), BackupError::Malformed, "{number} at {at}");
        }
    }

    #[test]
    fn the_key_is_what_rfc_9106_says_for_these_parameters() {
        // Made with the reference implementation: argon2 -id -t 1 -k 8 -p 1 -l 32 -r.
        let header =
            [&[FORMAT][..], &8_u32.to_be_bytes(), &1_u32.to_be_bytes(), &1_u32.to_be_bytes(), b"somesaltsomesalt"];
        let key = key(b"password", &header.concat()).unwrap();
        assert_eq!(hex::encode(*key), KNOWN);
    }

    const KNOWN: &str = "05b6ca8f8038b683887ad4916533858b49cb52040126c134f4c6e9d8711b8c09";
}
