//! HKDF and HMAC (RFC 5869, RFC 2104) with secrets that erase themselves.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Thirty-two secret bytes on the heap: moving the owner leaves no copy behind.
pub(crate) type Secret = Box<Zeroizing<[u8; 32]>>;

/// What `HKDF-Extract` gives; `expand` draws keys from it by label.
pub(crate) struct Prk(Box<Hkdf<Sha256>>);

impl Prk {
    pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Self {
        Self(Box::new(Hkdf::new(Some(salt), ikm)))
    }

    /// The key for `label`; the parts are joined as they are, so at most one of them may vary in length.
    #[allow(clippy::expect_used, reason = "the length is checked when compiling")]
    pub(crate) fn expand<const N: usize>(&self, label: &[&[u8]]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32, "HKDF-SHA256 gives at most 8,160 bytes") }
        let mut out = Zeroizing::new([0; N]);
        self.0.expand_multi_info(label, out.as_mut_slice()).expect("the length is within what HKDF gives");
        out
    }

    pub(crate) fn secret(&self, label: &[&[u8]]) -> Secret {
        Box::new(self.expand(label))
    }
}

/// One key for one purpose from a caller's seed.
pub(crate) fn from_seed<const N: usize>(seed: &[u8; 32], label: &[u8]) -> Zeroizing<[u8; N]> {
    Prk::extract(b"sidetone seed v1", seed).expand(&[label])
}

/// HMAC-SHA256 ready for its message.
#[allow(clippy::expect_used, reason = "RFC 2104 takes keys of every length")]
pub(crate) fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// A stream of bytes from a seed, for libraries that want to draw as they go.
pub(crate) struct Draws {
    prk: Prk,
    count: u64,
}

impl Draws {
    pub(crate) fn new(seed: &[u8; 32], label: &[u8]) -> Self {
        Self { prk: Prk::extract(label, seed), count: 0 }
    }

    pub(crate) fn fill(&mut self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(32) {
            let drawn = self.prk.expand::<32>(&[&self.count.to_be_bytes()]);
            self.count = self.count.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(drawn.iter()) {
                *to = *from;
            }
        }
    }
}
