//! Files: C2SP chunked encryption v1 (<https://c2sp.org/chunked-encryption>) with AES-256-GCM and SHA-512, the suite of its
//! published vectors for 256 bits ("Cobblestone-256").
//!
//! A file is cut into chunks of [`CHUNK_BYTES`], the last of which is always shorter and may be empty, so that a file that
//! was cut off does not look whole. Every chunk is sealed on its own: any of them opens without the others, and only at its
//! place. The `salt` and a commitment to the key make the [`HEADER_LEN`] bytes that go before the chunks.
//!
//! # A salt is used once
//!
//! Two contents under one key and salt break both. A file that its owner may have changed since it was last sealed is
//! sealed under a new salt.

use ring::hkdf::{HKDF_SHA512, KeyType, Prk};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::aead::{self, TAG_LEN};

/// Bytes of every chunk but the last, before they are sealed.
pub const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
/// How many bytes longer a sealed chunk is.
pub const OVERHEAD: usize = TAG_LEN;
/// Bytes of the header.
pub const HEADER_LEN: usize = SALT_LEN + COMMITMENT_LEN;
/// Bytes of a salt.
pub const SALT_LEN: usize = 24;

const CHUNK_BITS: u32 = 14;
const COMMITMENT_LEN: usize = 32;
const DERIVED_LEN: usize = 32 + 12 + COMMITMENT_LEN;
/// Chunks of the longest file.
const MOST_CHUNKS: u64 = 1 << 38;
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// Why a chunk or a header was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FileError {
    /// The header belongs to another key, file or context.
    #[error("the header does not belong to this file")]
    WrongKey,
    /// The chunk is not one of this file, or not as long as it must be at its place.
    #[error("no such chunk, or not of its length")]
    Malformed,
    /// The chunk was changed, or belongs to another place.
    #[error("the chunk does not belong here")]
    Refused,
    /// Files have less than 4 PiB.
    #[error("the file is too long")]
    TooLong,
}

/// One file's cipher, for chunks in any order.
pub struct FileCipher {
    key: aead::Key,
    nonce: Zeroizing<[u8; 12]>,
    header: [u8; HEADER_LEN],
    length: u64,
}

/// A length, as `ring` wants to be told it.
struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        DERIVED_LEN
    }
}

/// How many chunks a file of so many bytes has.
pub fn chunks(length: u64) -> u64 {
    (length >> CHUNK_BITS).saturating_add(1)
}

impl FileCipher {
    /// The cipher that seals a file of `length` bytes. `salt` must be fresh random bytes, `key` random; `context` is what
    /// both ends agree on and nobody sends.
    ///
    /// # Errors
    ///
    /// [`FileError::TooLong`].
    pub fn seal_with(key: &[u8; 32], salt: [u8; SALT_LEN], context: &[u8], length: u64) -> Result<Self, FileError> {
        if chunks(length) > MOST_CHUNKS {
            return Err(FileError::TooLong);
        }
        Ok(Self::derive(key, &salt, context, length))
    }

    /// The cipher that opens a file of `length` bytes, given its header.
    ///
    /// # Errors
    ///
    /// [`FileError::WrongKey`], [`FileError::TooLong`].
    pub fn open_with(
        key: &[u8; 32],
        header: &[u8; HEADER_LEN],
        context: &[u8],
        length: u64,
    ) -> Result<Self, FileError> {
        let salt = header.first_chunk().ok_or(FileError::Malformed)?;
        let cipher = Self::seal_with(key, *salt, context, length)?;
        if bool::from(cipher.header.ct_eq(header)) { Ok(cipher) } else { Err(FileError::WrongKey) }
    }

    /// Salt and commitment, to be sent before the chunks.
    pub fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }

    /// How many chunks the file has: at least one.
    pub fn chunks(&self) -> u64 {
        chunks(self.length)
    }

    /// How many bytes a chunk has before it is sealed; `None` beyond the last.
    pub fn chunk_length(&self, index: u64) -> Option<usize> {
        let last = self.chunks().checked_sub(1)?;
        let rest = self.length & (CHUNK_BYTES as u64).wrapping_sub(1);
        match index.cmp(&last) {
            std::cmp::Ordering::Less => Some(CHUNK_BYTES),
            std::cmp::Ordering::Equal => usize::try_from(rest).ok(),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Seals the chunk in place and gives its tag, which goes behind it.
    ///
    /// # Errors
    ///
    /// [`FileError::Malformed`] if there is no such chunk or it has another length.
    pub fn seal(&self, index: u64, chunk: &mut [u8]) -> Result<[u8; OVERHEAD], FileError> {
        if self.chunk_length(index) != Some(chunk.len()) {
            return Err(FileError::Malformed);
        }
        let tag = self.key.seal(self.nonce_of(index), b"", chunk).map_err(|_| FileError::Malformed)?;
        tag.as_ref().first_chunk().copied().ok_or(FileError::Malformed)
    }

    /// Opens a chunk in place and gives what it holds; on refusal `sealed` holds nothing of use.
    ///
    /// # Errors
    ///
    /// [`FileError::Malformed`], [`FileError::Refused`].
    pub fn open<'a>(&self, index: u64, sealed: &'a mut [u8]) -> Result<&'a mut [u8], FileError> {
        let (chunk, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(FileError::Malformed)?;
        if self.chunk_length(index) != Some(chunk.len()) {
            return Err(FileError::Malformed);
        }
        self.key.open(self.nonce_of(index), b"", chunk, tag).map_err(|_| FileError::Refused)?;
        Ok(chunk)
    }

    #[allow(clippy::expect_used, reason = "the lengths are constants within what HKDF gives")]
    fn derive(key: &[u8; 32], salt: &[u8; SALT_LEN], context: &[u8], length: u64) -> Self {
        let mut okm = Zeroizing::new([0; DERIVED_LEN]);
        // `ring`, because the `hkdf` crate takes no key shorter than the hash, which a uniform key may be.
        let prk = Prk::new_less_safe(HKDF_SHA512, key);
        let info: [&[u8]; 3] = [LABEL, salt, context];
        let filled = prk.expand(&info, Derived).and_then(|derived| derived.fill(okm.as_mut_slice()));
        filled.expect("the length is within what HKDF gives");
        let mut parts = okm.as_slice();
        let mut take = |out: &mut [u8]| {
            let (head, tail) = parts.split_at_checked(out.len()).unwrap_or_default();
            out.copy_from_slice(head);
            parts = tail;
        };
        let (mut aes, mut nonce) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 12]));
        let mut commitment = [0; COMMITMENT_LEN];
        take(aes.as_mut_slice());
        take(nonce.as_mut_slice());
        take(&mut commitment);
        let mut header = [0; HEADER_LEN];
        for (to, from) in header.iter_mut().zip(salt.iter().chain(&commitment)) {
            *to = *from;
        }
        Self { key: aead::Key::aes256(&aes), nonce, header, length }
    }

    /// The base nonce with the chunk's number added without carry, as TLS 1.3 does.
    fn nonce_of(&self, index: u64) -> [u8; 12] {
        let mut nonce = *self.nonce;
        for (byte, count) in nonce.iter_mut().rev().zip(index.to_be_bytes().iter().rev()) {
            *byte ^= count;
        }
        nonce
    }
}
