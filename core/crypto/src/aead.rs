//! AES-GCM (NIST SP 800-38D) of `ring` behind arrays instead of slices.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

pub(crate) const TAG_LEN: usize = 16;

/// Sealing and opening failed; nothing more is known, and nothing more may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// A key with its schedule and hash table computed once.
pub(crate) struct Key(LessSafeKey);

impl Key {
    #[allow(clippy::expect_used, reason = "the array has the key's length")]
    pub(crate) fn aes256(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes")))
    }

    #[allow(clippy::expect_used, reason = "the array has the key's length")]
    pub(crate) fn aes128(key: &[u8; 16]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).expect("an AES-128 key is 16 bytes")))
    }

    /// Encrypts in place and gives the tag. The caller answers for a nonce used once per key.
    #[inline]
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> Result<Tag, Refused> {
        self.0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), text)
            .map_err(|_| Refused)
    }

    /// Checks, then decrypts in place; on refusal `text` holds nothing of use.
    #[inline]
    pub(crate) fn open(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Refused> {
        self.0
            .open_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), (*tag).into(), text, 0..)
            .map(|_| ())
            .map_err(|_| Refused)
    }
}
