//! Values at rest: XAES-256-GCM (C2SP) for each value, under a master key that the platform's key wraps.
//!
//! The place of a value (table, column, row, schema version) is authenticated with it, so a sealed value opens only where it was
//! written: rows cannot be swapped. A value looked up by equality has a keyed hash beside it.
//!
//! A sealed value is `1 || nonce (24) || ciphertext || tag (16)`.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;
use xaes_256_gcm::{
    Xaes256Gcm,
    aead::{AeadInOut, KeyInit, inout::InOutBuf},
};
use zeroize::{Zeroize, Zeroizing};

use crate::kdf::{self, Prk};

/// How many bytes longer a sealed value is.
pub const OVERHEAD: usize = 1 + NONCE_LEN + TAG_LEN;

const FORMAT: u8 = 1;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
const KEY_LEN: usize = 32;
const WRAP_AAD: &[u8] = b"sidetone vault master key v1";

/// Why something at rest could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VaultError {
    /// The platform's key is not the one the vault was made with, or the wrapped key was changed.
    #[error("the platform key does not open this vault")]
    WrongKey,
    /// Too short, or of an unknown format.
    #[error("the sealed value is malformed")]
    Malformed,
    /// Changed, moved from another place, or sealed by another vault.
    #[error("the sealed value does not belong here")]
    Refused,
    /// The value, or the name of its place, is longer than can be sealed.
    #[error("the value is too long to be sealed")]
    TooLong,
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// What names the row, as stored.
    pub row: &'a [u8],
    /// The version of the schema.
    pub version: u16,
}

impl Place<'_> {
    fn aad(&self) -> Result<Vec<u8>, VaultError> {
        let mut aad = Vec::with_capacity(128);
        for part in [self.table.as_bytes(), self.column.as_bytes(), self.row] {
            push(&mut aad, part)?;
        }
        aad.extend_from_slice(&self.version.to_be_bytes());
        Ok(aad)
    }
}

/// Seals and opens values. The master key is erased when this is dropped; destroying the wrapped key as well
/// destroys all that was sealed.
pub struct Vault {
    values: Box<Xaes256Gcm>,
    lookups: Box<Hmac<Sha256>>,
}

impl Vault {
    /// Makes a vault with a fresh master key, and gives that key wrapped, to be kept beside the values.
    pub fn create(platform_key: &[u8; 32], seed: [u8; 32]) -> (Self, Vec<u8>) {
        let seed = Zeroizing::new(seed);
        let master = kdf::from_seed::<KEY_LEN>(&seed, b"vault master key");
        let nonce = kdf::from_seed::<NONCE_LEN>(&seed, b"vault wrapping nonce");
        let wrapped = seal(&cipher(platform_key), *nonce, WRAP_AAD, master.as_slice());
        #[allow(clippy::expect_used, reason = "AES-GCM seals up to 64 GiB")]
        let wrapped = wrapped.expect("a key is short enough to be sealed");
        (Self::open_with(&master), wrapped)
    }

    /// Opens a vault from its wrapped master key.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`] if `platform_key` does not fit, [`VaultError::Malformed`].
    pub fn unlock(platform_key: &[u8; 32], wrapped: &[u8]) -> Result<Self, VaultError> {
        let master = open(&cipher(platform_key), WRAP_AAD, wrapped).map_err(|error| match error {
            VaultError::Refused => VaultError::WrongKey,
            other => other,
        })?;
        let master = master.first_chunk().ok_or(VaultError::Malformed)?;
        Ok(Self::open_with(master))
    }

    /// Wraps the master key of `wrapped` for another platform key, for when the platform's key has to change.
    ///
    /// # Errors
    ///
    /// As [`Vault::unlock`].
    pub fn rewrap(
        old_key: &[u8; 32],
        new_key: &[u8; 32],
        wrapped: &[u8],
        nonce: [u8; 24],
    ) -> Result<Vec<u8>, VaultError> {
        let master = open(&cipher(old_key), WRAP_AAD, wrapped).map_err(|_| VaultError::WrongKey)?;
        seal(&cipher(new_key), nonce, WRAP_AAD, &master)
    }

    fn open_with(master: &[u8; KEY_LEN]) -> Self {
        let prk = Prk::extract(b"sidetone vault v1", master);
        Self {
            values: cipher(&prk.expand(&[b"values"])),
            lookups: Box::new(kdf::mac(prk.expand::<32>(&[b"lookups"]).as_slice())),
        }
    }

    /// Seals a value for its place. `nonce` must be 24 fresh random bytes.
    ///
    /// # Errors
    ///
    /// [`VaultError::TooLong`] for more than AES-GCM can seal (64 GiB).
    pub fn seal(&self, place: Place<'_>, value: &[u8], nonce: [u8; 24]) -> Result<Vec<u8>, VaultError> {
        seal(&self.values, nonce, &place.aad()?, value)
    }

    /// Opens the value of a place.
    ///
    /// # Errors
    ///
    /// [`VaultError::Refused`] if it was not sealed for exactly this place, [`VaultError::Malformed`].
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        open(&self.values, &place.aad()?, sealed)
    }

    /// A keyed hash to look a value up by: equal for equal values of one column, and telling nothing else.
    pub fn lookup(&self, table: &str, column: &str, value: &[u8]) -> [u8; 32] {
        let mut mac = (*self.lookups).clone();
        for part in [table.as_bytes(), column.as_bytes(), value] {
            // usize is at most 64 bits wide on every platform we build for.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn push(aad: &mut Vec<u8>, part: &[u8]) -> Result<(), VaultError> {
    let len = u32::try_from(part.len()).map_err(|_| VaultError::TooLong)?;
    aad.extend_from_slice(&len.to_be_bytes());
    aad.extend_from_slice(part);
    Ok(())
}

fn cipher(key: &[u8; KEY_LEN]) -> Box<Xaes256Gcm> {
    Box::new(Xaes256Gcm::new(key.into()))
}

fn seal(cipher: &Xaes256Gcm, nonce: [u8; NONCE_LEN], aad: &[u8], value: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut out = Vec::with_capacity(value.len().saturating_add(OVERHEAD));
    out.push(FORMAT);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(value);
    let text = out.get_mut(1 + NONCE_LEN..).unwrap_or_default();
    match cipher.encrypt_inout_detached(&nonce.into(), aad, InOutBuf::from(text)) {
        Ok(tag) => {
            out.extend_from_slice(&tag);
            Ok(out)
        }
        Err(_) => {
            out.zeroize();
            Err(VaultError::TooLong)
        }
    }
}

fn open(cipher: &Xaes256Gcm, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let rest = sealed.strip_prefix(&[FORMAT]).ok_or(VaultError::Malformed)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Malformed)?;
    let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(VaultError::Malformed)?;
    let mut text = Zeroizing::new(body.to_vec());
    cipher
        .decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(text.as_mut_slice()), tag.into())
        .map_err(|_| VaultError::Refused)?;
    Ok(text)
}
