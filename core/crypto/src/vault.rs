//! Values at rest: XAES-256-GCM (C2SP) for each value, under a master key that the platform's key wraps.
//!
//! The place of a value (table, column, row, schema version) is authenticated with it, so a sealed value opens only where it was
//! written: rows cannot be swapped. A value looked up by equality has a keyed hash beside it.
//!
//! A sealed value is `1 || nonce (24) || ciphertext || tag (16)`.
//!
//! XAES-256-GCM derives an AES-256-GCM key from the first half of each nonce. To derive a key costs more than to open a row with
//! it, so values of one season share that half ([`Vault::nonce`]) and their key is derived once. The block cipher is `aes`, the
//! AEAD `ring`: twice as fast as the `xaes-256-gcm` crate, which serves as oracle in the tests.

use std::collections::VecDeque;

use aes::{
    Aes256, Block,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    aead::{self, TAG_LEN},
    kdf::{self, Prk},
};

/// How many bytes longer a sealed value is.
pub const OVERHEAD: usize = 1 + NONCE_LEN + TAG_LEN;

const FORMAT: u8 = 1;
const NONCE_LEN: usize = 24;
const HALF_LEN: usize = NONCE_LEN / 2;
/// Derived keys that an [`Opener`] remembers.
const KEYS: usize = 8;
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
    values: Xaes,
    lookups: Box<Hmac<Sha256>>,
    marks: Box<Aes256>,
}

impl Vault {
    /// Makes a vault with a fresh master key, and gives that key wrapped, to be kept beside the values.
    pub fn create(platform_key: &[u8; 32], seed: [u8; 32]) -> (Self, Vec<u8>) {
        let seed = Zeroizing::new(seed);
        let master = kdf::from_seed::<KEY_LEN>(&seed, b"vault master key");
        let nonce = kdf::from_seed::<NONCE_LEN>(&seed, b"vault wrapping nonce");
        let wrapped = seal(&Xaes::new(platform_key), *nonce, WRAP_AAD, master.as_slice());
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
        let master = open(&Xaes::new(platform_key), WRAP_AAD, wrapped).map_err(|error| match error {
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
        let master = open(&Xaes::new(old_key), WRAP_AAD, wrapped).map_err(|_| VaultError::WrongKey)?;
        seal(&Xaes::new(new_key), nonce, WRAP_AAD, &master)
    }

    fn open_with(master: &[u8; KEY_LEN]) -> Self {
        let prk = Prk::extract(b"sidetone vault v1", master);
        Self {
            values: Xaes::new(&prk.expand(&[b"values"])),
            lookups: Box::new(kdf::mac(prk.expand::<32>(&[b"lookups"]).as_slice())),
            marks: Box::new(Aes256::new((&*prk.expand::<KEY_LEN>(&[b"marks"])).into())),
        }
    }

    /// A nonce: the half that all values of a season share, and `fresh`, which must be random. At most 2^32 values of a season
    /// may be sealed; then none comes twice with more than a chance of 2^-33 (NIST SP 800-38D section 8.3).
    pub fn nonce(&self, season: u64, fresh: [u8; 12]) -> [u8; 24] {
        let mut nonce = [0; NONCE_LEN];
        let shared = self.lookup("vault", "season", &season.to_be_bytes());
        for (to, from) in nonce.iter_mut().zip(shared.iter().take(HALF_LEN).chain(&fresh)) {
            *to = *from;
        }
        nonce
    }

    /// Seals a value for its place. `nonce` must be 24 fresh random bytes, or of [`Vault::nonce`].
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

    /// What opens many values one after the other.
    pub fn opener(&self) -> Opener<'_> {
        Opener { values: &self.values, keys: VecDeque::new() }
    }

    /// A number for a sealed value, which only who holds the key can foretell. Two values, or two places, never share one in
    /// practice: the xor over a set of rows, kept secret, tells that set from every other that was ever sealed
    /// (MSet-XOR-Hash of Clarke and others, ASIACRYPT 2003, with the tag as the element and AES as the keyed function).
    pub fn mark(&self, sealed: &[u8]) -> u128 {
        self.marks(&mut [Self::tag(sealed)])
    }

    /// What the marks of many sealed values make together, by exclusive or. Of each its tag is given, which is overwritten.
    pub fn marks(&self, tags: &mut [[u8; TAG_LEN]]) -> u128 {
        self.marks.encrypt_blocks(Block::cast_slice_from_core_mut(tags));
        tags.iter().fold(0, |all, tag| all ^ u128::from_be_bytes(*tag))
    }

    /// What of a sealed value goes into its mark.
    pub fn tag(sealed: &[u8]) -> [u8; TAG_LEN] {
        sealed.last_chunk().copied().unwrap_or_default()
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

/// Seals one value under a key of its own.
pub(crate) fn seal_once(
    key: &[u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    value: &[u8],
) -> Result<Vec<u8>, VaultError> {
    seal(&Xaes::new(key), nonce, aad, value)
}

/// Opens what [`seal_once`] sealed.
pub(crate) fn open_once(key: &[u8; KEY_LEN], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    open(&Xaes::new(key), aad, sealed)
}

fn push(aad: &mut Vec<u8>, part: &[u8]) -> Result<(), VaultError> {
    let len = u32::try_from(part.len()).map_err(|_| VaultError::TooLong)?;
    aad.extend_from_slice(&len.to_be_bytes());
    aad.extend_from_slice(part);
    Ok(())
}

/// XAES-256-GCM (C2SP, version 1): a nonce of 192 bits, by a CMAC-based key derivation before AES-256-GCM.
struct Xaes {
    cipher: Box<Aes256>,
    /// The CMAC subkey `K1` (NIST SP 800-38B).
    subkey: Zeroizing<u128>,
}

impl Xaes {
    fn new(key: &[u8; KEY_LEN]) -> Self {
        let cipher = Box::new(Aes256::new(key.into()));
        let mut block = Block::default();
        cipher.encrypt_block(&mut block);
        let block: &mut [u8; 16] = block.as_mut();
        let doubled = u128::from_be_bytes(*block) << 1;
        // 0x87 reduces by the field's polynomial, without a branch on the secret bit.
        let carry = u128::from(block[0] >> 7).wrapping_mul(0x87);
        block.zeroize();
        let subkey = Zeroizing::new(doubled ^ carry);
        Self { cipher, subkey }
    }

    /// The AES-256-GCM key for the first half of a nonce; the second is that key's nonce.
    fn key(&self, half: &[u8; HALF_LEN]) -> aead::Key {
        let prefix = half.iter().fold(0_u128, |prefix, byte| prefix << 8 | u128::from(*byte));
        // M = 0x00 || counter || "X" || 0x00 || the first half of the nonce.
        let message = |counter: u128| counter << 112 | u128::from(b'X') << 104 | prefix;
        let mut halves = [1, 2].map(|counter| Block::from((message(counter) ^ *self.subkey).to_be_bytes()));
        self.cipher.encrypt_blocks(&mut halves);
        let mut key = Zeroizing::new([0; KEY_LEN]);
        for (half, block) in key.chunks_exact_mut(16).zip(&mut halves) {
            half.copy_from_slice(block);
            block.as_mut_slice().zeroize();
        }
        aead::Key::aes256(&key)
    }
}

fn halves(nonce: &[u8; NONCE_LEN]) -> [[u8; HALF_LEN]; 2] {
    let mut halves = [[0; HALF_LEN]; 2];
    halves.as_flattened_mut().copy_from_slice(nonce);
    halves
}

/// The nonce, the ciphertext and the tag of a sealed value.
type Parts<'a> = (&'a [u8; NONCE_LEN], &'a [u8], &'a [u8; TAG_LEN]);

fn parts(sealed: &[u8]) -> Result<Parts<'_>, VaultError> {
    let rest = sealed.strip_prefix(&[FORMAT]).ok_or(VaultError::Malformed)?;
    let (nonce, rest) = rest.split_first_chunk().ok_or(VaultError::Malformed)?;
    let (body, tag) = rest.split_last_chunk().ok_or(VaultError::Malformed)?;
    Ok((nonce, body, tag))
}

/// Opens values one after the other, and derives the key of each season once ([`Vault::opener`]).
pub struct Opener<'a> {
    values: &'a Xaes,
    /// The newest first.
    keys: VecDeque<([u8; HALF_LEN], aead::Key)>,
}

impl Opener<'_> {
    /// Opens the value of a place into a buffer, over what it holds: no memory is asked for each time. On an error it holds
    /// nothing of use.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`].
    pub fn open_into(
        &mut self,
        place: Place<'_>,
        sealed: &[u8],
        text: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        let (nonce, body, tag) = parts(sealed)?;
        let ([half, nonce], aad) = (halves(nonce), place.aad()?);
        // A buffer that grows would leave the old one behind as it was.
        if text.capacity() < body.len() {
            *text = Zeroizing::new(Vec::with_capacity(body.len()));
        }
        text.clear();
        text.extend_from_slice(body);
        if !self.keys.iter().any(|(known, _)| *known == half) {
            self.keys.truncate(KEYS - 1);
            self.keys.push_front((half, self.values.key(&half)));
        }
        let key = self.keys.iter().find_map(|(known, key)| (*known == half).then_some(key));
        key.ok_or(VaultError::Refused)?.open(nonce, &aad, text, tag).map_err(|aead::Refused| VaultError::Refused)
    }
}

fn seal(cipher: &Xaes, nonce: [u8; NONCE_LEN], aad: &[u8], value: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut out = Vec::with_capacity(value.len().saturating_add(OVERHEAD));
    out.push(FORMAT);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(value);
    let [half, nonce] = halves(&nonce);
    let text = out.get_mut(1 + NONCE_LEN..).unwrap_or_default();
    match cipher.key(&half).seal(nonce, aad, text) {
        Ok(tag) => {
            out.extend_from_slice(tag.as_ref());
            Ok(out)
        }
        Err(aead::Refused) => {
            out.zeroize();
            Err(VaultError::TooLong)
        }
    }
}

fn open(cipher: &Xaes, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (nonce, body, tag) = parts(sealed)?;
    let [half, nonce] = halves(nonce);
    let mut text = Zeroizing::new(body.to_vec());
    cipher.key(&half).open(nonce, aad, &mut text, tag).map_err(|aead::Refused| VaultError::Refused)?;
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test that cannot go on must stop")]
mod tests {
    use xaes_256_gcm::{
        Xaes256Gcm,
        aead::{Aead, Payload},
    };

    use super::*;

    #[test]
    fn xaes_gives_what_its_specification_says() {
        let nonce = *b"ABCDEFGHIJKLMNOPQRSTUVWX";
        for (key, aad, sealed) in [
            ([1; 32], "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            ([3; 32], "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ] {
            let ours = seal(&Xaes::new(&key), nonce, aad.as_bytes(), b"XAES-256-GCM").unwrap();
            assert_eq!(hex::encode(ours.strip_prefix(&[FORMAT]).unwrap()), hex::encode(nonce) + sealed);
        }
    }

    #[test]
    fn xaes_agrees_with_an_independent_implementation() {
        for n in 0..200_u8 {
            let key = *kdf::from_seed::<32>(&[n; 32], b"key");
            let nonce = *kdf::from_seed::<24>(&[n; 32], b"nonce");
            let text = vec![n; usize::from(n) * 3];
            let aad = vec![n; usize::from(n) / 2];
            let ours = seal(&Xaes::new(&key), nonce, &aad, &text).unwrap();
            let theirs = KeyInit::new(&key.into());
            let theirs = Xaes256Gcm::encrypt(&theirs, &nonce.into(), Payload { msg: &text, aad: &aad }).unwrap();
            assert_eq!(ours, [[FORMAT].as_slice(), &nonce, &theirs].concat());
            assert_eq!(*open(&Xaes::new(&key), &aad, &ours).unwrap(), text);
        }
    }
}
