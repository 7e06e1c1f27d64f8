//! SFrame as RFC 9605 writes it: header, key schedule and encryption for both AES-GCM suites, without any policy.
//!
//! [`Sealer`](super::Sealer) and [`Opener`](super::Opener) are what calls use; this is what the RFC's vectors test.

use hkdf::Hkdf;
use sha2::{Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::MediaError;
use crate::aead::{self, TAG_LEN};

/// The longest header: a config byte and two numbers of eight bytes.
pub const MAX_HEADER: usize = 17;

const NONCE_LEN: usize = 12;

/// A cipher suite (RFC 9605, section 8.1). Calls use only [`Suite::Aes256Gcm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `AES_128_GCM_SHA256_128`, 0x0004.
    Aes128Gcm,
    /// `AES_256_GCM_SHA512_128`, 0x0005.
    Aes256Gcm,
}

impl Suite {
    /// The registered number.
    pub fn id(self) -> u16 {
        match self {
            Self::Aes128Gcm => 4,
            Self::Aes256Gcm => 5,
        }
    }
}

/// The header of a frame: which key, and which frame under it (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The key id.
    pub kid: u64,
    /// The counter.
    pub ctr: u64,
}

impl Header {
    /// Reads a header and gives it with the rest of the bytes.
    ///
    /// # Errors
    ///
    /// [`MediaError::Malformed`] for too few bytes, or a number in more bytes than it needs.
    pub fn parse(wire: &[u8]) -> Result<(Self, &[u8]), MediaError> {
        let (&config, rest) = wire.split_first().ok_or(MediaError::Malformed)?;
        let (kid, rest) = number(config >> 4, rest)?;
        let (ctr, rest) = number(config & 0x0f, rest)?;
        Ok((Self { kid, ctr }, rest))
    }

    /// Writes the header in its only form.
    #[inline]
    pub fn encode(self) -> EncodedHeader {
        let mut encoded = EncodedHeader { bytes: [0; MAX_HEADER], len: 1 };
        let kid = encoded.push(self.kid);
        let ctr = encoded.push(self.ctr);
        if let Some(config) = encoded.bytes.first_mut() {
            *config = kid << 4 | ctr;
        }
        encoded
    }
}

/// A header as it travels.
#[derive(Debug, Clone, Copy)]
pub struct EncodedHeader {
    /// Each number is written as eight bytes, of which the next one overwrites what is unused.
    bytes: [u8; MAX_HEADER],
    len: usize,
}

impl EncodedHeader {
    /// The bytes: 1 to [`MAX_HEADER`] of them.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }

    /// Appends a number and gives its four bits of the config byte.
    #[inline]
    fn push(&mut self, value: u64) -> u8 {
        if value < 8 {
            return value.to_le_bytes()[0];
        }
        let len = byte_len(value);
        let unused = value.leading_zeros() & !7;
        let room = self.len..self.len.saturating_add(8);
        if let Some(room) = self.bytes.get_mut(room) {
            room.copy_from_slice(&(value << unused).to_be_bytes());
        }
        self.len = self.len.saturating_add(len);
        0x08 | len.saturating_sub(1).to_le_bytes()[0]
    }
}

/// How many bytes a number above seven takes: 1 to 8.
fn byte_len(value: u64) -> usize {
    let bits = u64::BITS.saturating_sub(value.leading_zeros());
    usize::try_from(bits.div_ceil(8)).unwrap_or(8)
}

fn number(nibble: u8, rest: &[u8]) -> Result<(u64, &[u8]), MediaError> {
    if nibble & 0x08 == 0 {
        return Ok((u64::from(nibble), rest));
    }
    let len = usize::from(nibble & 0x07).saturating_add(1);
    let (bytes, rest) = rest.split_at_checked(len).ok_or(MediaError::Malformed)?;
    let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if value < 8 || byte_len(value) != len {
        return Err(MediaError::Malformed);
    }
    Ok((value, rest))
}

/// The key and salt of one KID (section 4.4.2), ready to seal and open many frames.
pub struct MediaKey {
    kid: u64,
    key: Box<aead::Key>,
    salt: Zeroizing<[u8; NONCE_LEN]>,
}

impl MediaKey {
    /// Derives the key of `kid` from a base key of any length.
    pub fn derive(suite: Suite, base_key: &[u8], kid: u64) -> Self {
        let labels = Labels::new(suite, kid);
        match suite {
            Suite::Aes128Gcm => {
                let secret = Box::new(Hkdf::<Sha256>::new(None, base_key));
                let mut key = Zeroizing::new([0; 16]);
                let mut salt = Zeroizing::new([0; NONCE_LEN]);
                labels.expand(
                    |info, out| secret.expand_multi_info(info, out).is_ok(),
                    key.as_mut_slice(),
                    salt.as_mut_slice(),
                );
                Self { kid, key: Box::new(aead::Key::aes128(&key)), salt }
            }
            Suite::Aes256Gcm => {
                let secret = Box::new(Hkdf::<Sha512>::new(None, base_key));
                let mut key = Zeroizing::new([0; 32]);
                let mut salt = Zeroizing::new([0; NONCE_LEN]);
                labels.expand(
                    |info, out| secret.expand_multi_info(info, out).is_ok(),
                    key.as_mut_slice(),
                    salt.as_mut_slice(),
                );
                Self { kid, key: Box::new(aead::Key::aes256(&key)), salt }
            }
        }
    }

    /// The key id this key belongs to.
    pub fn kid(&self) -> u64 {
        self.kid
    }

    /// Replaces `out` by the sealed frame. The caller answers for a counter used once.
    ///
    /// Does not allocate if `out` has room for the frame, the header and 16 bytes, and `metadata` is empty.
    ///
    /// # Errors
    ///
    /// [`MediaError::TooLong`] for more than AES-GCM can seal.
    #[inline]
    pub fn seal(&self, ctr: u64, metadata: &[u8], frame: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        let header = Header { kid: self.kid, ctr }.encode();
        let head = header.as_bytes();
        out.clear();
        out.extend_from_slice(head);
        out.extend_from_slice(frame);
        let text = out.get_mut(head.len()..).unwrap_or_default();
        let sealed = with_aad(head, metadata, |aad| self.key.seal(self.nonce(ctr), aad, text));
        match sealed {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(aead::Refused) => {
                out.zeroize();
                Err(MediaError::TooLong)
            }
        }
    }

    /// Replaces `out` by the frame in `body`, what follows the header on the wire. On error `out` is empty.
    ///
    /// # Errors
    ///
    /// [`MediaError::Malformed`] without room for a tag, [`MediaError::Forged`] if the frame is not the sender's.
    #[inline]
    pub fn open(&self, header: Header, metadata: &[u8], body: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        out.clear();
        let (text, tag) = body.split_last_chunk::<TAG_LEN>().ok_or(MediaError::Malformed)?;
        out.extend_from_slice(text);
        let head = header.encode();
        let opened = with_aad(head.as_bytes(), metadata, |aad| self.key.open(self.nonce(header.ctr), aad, out, tag));
        opened.map_err(|aead::Refused| {
            out.zeroize();
            MediaError::Forged
        })
    }

    #[inline]
    fn nonce(&self, ctr: u64) -> [u8; NONCE_LEN] {
        let mut nonce = *self.salt;
        if let Some(low) = nonce.last_chunk_mut::<8>() {
            *low = (u64::from_be_bytes(*low) ^ ctr).to_be_bytes();
        }
        nonce
    }
}

#[inline]
fn with_aad<T>(head: &[u8], metadata: &[u8], run: impl FnOnce(&[u8]) -> T) -> T {
    if metadata.is_empty() { run(head) } else { run(&[head, metadata].concat()) }
}

struct Labels {
    tail: [u8; 10],
}

impl Labels {
    fn new(suite: Suite, kid: u64) -> Self {
        let mut tail = [0; 10];
        let bytes = kid.to_be_bytes().into_iter().chain(suite.id().to_be_bytes());
        for (to, from) in tail.iter_mut().zip(bytes) {
            *to = from;
        }
        Self { tail }
    }

    fn expand(&self, hkdf: impl Fn(&[&[u8]], &mut [u8]) -> bool, key: &mut [u8], salt: &mut [u8]) {
        let fits = hkdf(&[b"SFrame 1.0 Secret key ", &self.tail], key)
            && hkdf(&[b"SFrame 1.0 Secret salt ", &self.tail], salt);
        assert!(fits, "HKDF gives far more than a key and a salt");
    }
}
