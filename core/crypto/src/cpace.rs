//! CPace (draft-irtf-cfrg-cpace-21), suite `CPACE-RISTR255-SHA512`, initiator and responder, with its explicit key
//! confirmation: two who know the same few words agree on a strong key, and one who does not know them gets one guess.
//!
//! Group and hash come from libraries; what is written here is how the draft puts them together. The draft's vectors and an
//! independent implementation pin it. How Sidetone uses it is in [`crate::code`].

use curve25519_dalek::{
    Scalar,
    ristretto::{CompressedRistretto, RistrettoPoint},
    traits::IsIdentity,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::kdf;

/// Bytes of a share as it travels.
pub const SHARE_LEN: usize = 32;
/// Bytes of a confirmation.
pub const TAG_LEN: usize = 64;

const DSI: &[u8] = b"CPaceRistretto255";
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
/// Input block of SHA-512.
const BLOCK_LEN: usize = 128;

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CpaceError {
    /// The peer's share is no element of the group, or the neutral one.
    #[error("the peer's share is not one")]
    Share,
    /// The peer's confirmation is not that of our key: the words differ, or somebody sits between.
    #[error("the peer does not know the same words")]
    Tag,
}

/// What both sides know before they begin.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The secret with little entropy (`PRS`).
    pub password: &'a [u8],
    /// The channel it is for (`CI`).
    pub channel: &'a [u8],
    /// Fresh for each run (`sid`).
    pub session: &'a [u8],
}

/// Who speaks first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends the first share (A).
    Initiator,
    /// Answers it (B).
    Responder,
}

/// One side that has sent its share. It may be used for one share of the peer only, so it is consumed.
pub struct Party {
    role: Role,
    scalar: Box<Zeroizing<Scalar>>,
    session: Vec<u8>,
    share: [u8; SHARE_LEN],
    data: Vec<u8>,
}

impl Party {
    /// Begins; `data` is our associated data (`ADa` or `ADb`), which the key is bound to.
    pub fn start(role: Role, known: Known<'_>, data: &[u8], seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let wide = kdf::from_seed::<64>(&seed, b"cpace scalar");
        Self::with_scalar(role, known, data, Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide)))
    }

    pub(crate) fn with_scalar(role: Role, known: Known<'_>, data: &[u8], scalar: Zeroizing<Scalar>) -> Self {
        let share = times(generator(known), &scalar).compress().to_bytes();
        let (session, data) = (known.session.to_vec(), data.to_vec());
        Self { role, scalar: Box::new(scalar), session, share, data }
    }

    /// What to send to the peer, beside our associated data.
    pub fn share(&self) -> [u8; SHARE_LEN] {
        self.share
    }

    /// Takes the peer's share and associated data.
    ///
    /// # Errors
    ///
    /// [`CpaceError::Share`].
    pub fn agree(self, share: &[u8; SHARE_LEN], data: &[u8]) -> Result<Agreed, CpaceError> {
        let point = CompressedRistretto(*share).decompress().ok_or(CpaceError::Share)?;
        let shared = Zeroizing::new(times(point, &self.scalar));
        if point.is_identity() || shared.is_identity() {
            return Err(CpaceError::Share);
        }
        let key = Zeroizing::new(shared.compress().to_bytes());
        let (ours, theirs) = (concat(&[&self.share, &self.data]), concat(&[share, data]));
        let (first, second) = match self.role {
            Role::Initiator => (&ours, &theirs),
            Role::Responder => (&theirs, &ours),
        };
        let prefix = Zeroizing::new(concat(&[DSI_ISK, &self.session, key.as_slice()]));
        let hash = Sha512::new().chain_update(&*prefix).chain_update(first).chain_update(second);
        let isk = Box::new(Zeroizing::new(hash.finalize().into()));
        Ok(Agreed { isk, session: self.session, ours, theirs })
    }
}

/// A key that nobody has confirmed yet.
pub struct Agreed {
    isk: Box<Zeroizing<[u8; 64]>>,
    session: Vec<u8>,
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

impl Agreed {
    /// What shows the peer that we hold the key (section "Key confirmation").
    pub fn tag(&self) -> [u8; TAG_LEN] {
        self.mac(&self.ours)
    }

    /// Takes what the peer shows, and gives the key (`ISK`).
    ///
    /// # Errors
    ///
    /// [`CpaceError::Tag`].
    pub fn confirm(self, tag: &[u8; TAG_LEN]) -> Result<Box<Zeroizing<[u8; 64]>>, CpaceError> {
        let wanted = self.mac(&self.theirs);
        if bool::from(wanted.ct_eq(tag)) { Ok(self.isk) } else { Err(CpaceError::Tag) }
    }

    #[allow(clippy::expect_used, reason = "RFC 2104 takes keys of every length")]
    fn mac(&self, message: &[u8]) -> [u8; TAG_LEN] {
        let hash = Sha512::new().chain_update(b"CPaceMac").chain_update(&self.session);
        let key: Zeroizing<[u8; 64]> = Zeroizing::new(hash.chain_update(self.isk.as_slice()).finalize().into());
        let mac = Hmac::<Sha512>::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length");
        mac.chain_update(message).finalize().into_bytes().into()
    }

    #[cfg(test)]
    pub(crate) fn unconfirmed(&self) -> &[u8; 64] {
        &self.isk
    }
}

/// `calculate_generator` of the draft.
pub(crate) fn generator(known: Known<'_>) -> RistrettoPoint {
    let lengths = length_of(known.password).saturating_add(length_of(DSI));
    let padding = vec![0; BLOCK_LEN.saturating_sub(1).saturating_sub(lengths)];
    let text = Zeroizing::new(concat(&[DSI, known.password, &padding, known.channel, known.session]));
    let uniform: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(&*text).into());
    RistrettoPoint::from_uniform_bytes(&uniform)
}

#[allow(clippy::arithmetic_side_effects, reason = "a group overflows nowhere")]
fn times(point: RistrettoPoint, scalar: &Scalar) -> RistrettoPoint {
    point * scalar
}

/// Bytes of `prepend_len(part)`.
fn length_of(part: &[u8]) -> usize {
    leb128(part.len()).count().saturating_add(part.len())
}

/// `lv_cat`: the parts, each after its length.
pub(crate) fn concat(parts: &[&[u8]]) -> Vec<u8> {
    // All at once, so that no secret stays behind in a smaller allocation.
    let mut out = Vec::with_capacity(parts.iter().map(|part| length_of(part)).fold(0, usize::saturating_add));
    for part in parts {
        out.extend(leb128(part.len()));
        out.extend_from_slice(part);
    }
    out
}

fn leb128(length: usize) -> impl Iterator<Item = u8> {
    let steps = std::iter::successors(Some(length), |rest| Some(rest >> 7).filter(|rest| *rest > 0));
    steps.map(|rest| (rest & 0x7f) as u8 | if rest > 0x7f { 0x80 } else { 0 })
}
