//! Sealed bytes from one phone to another, through the server.

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::codec::{DecodeError, EncodeError, decode, encode};
use crate::id::{PairingId, UserId};
use crate::limits::{ENVELOPE_BUCKETS, ENVELOPE_BYTES};
use crate::tagged::{numbered, tagged};

numbered! {
    /// What the server may know about an envelope: how urgent it is.
    pub enum Class {
        /// Somebody wants to talk now: may wake a sleeping phone.
        1 => Ring,
        /// A link for messages is wanted.
        2 => Connect,
        /// Goes with a session that exists.
        3 => Control,
        _ => Unknown
    }
}

/// What a phone hands to the server.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Envelope {
    /// For whom.
    #[serde(index = 0)]
    pub to: UserId,
    /// How urgent.
    #[serde(index = 1)]
    pub class: Class,
    /// A padded [`Sealed`]; one of [`ENVELOPE_BUCKETS`] long.
    #[serde(index = 2)]
    pub bytes: ByteBuf,
}

tagged! {
    /// What is inside an envelope, for the other phone.
    pub enum Sealed {
        /// First handshake message.
        1 => Hello(Part),
        /// Second handshake message.
        2 => Answer(Part),
        /// A record of the session's signal channel.
        3 => Record(Part),
        /// Third handshake message, in rooms: shows who the initiator is.
        4 => Confirm(Part),
    }
}

/// Bytes of one pairing.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Part {
    /// Which pairing.
    #[serde(index = 0)]
    pub pairing: PairingId,
    /// Made and read by the session's cryptography.
    #[serde(index = 1)]
    pub bytes: ByteBuf,
}

impl Sealed {
    /// Encodes and pads to the next bucket: two bytes of length (big endian), the form, zeros.
    pub fn pad(&self) -> Result<Vec<u8>, EncodeError> {
        let form = encode(self, ENVELOPE_BYTES.saturating_sub(2))?;
        let len = form.len().saturating_add(2);
        let too_long = EncodeError { got: len, limit: ENVELOPE_BYTES };
        let bucket = ENVELOPE_BUCKETS.into_iter().find(|bucket| *bucket >= len).ok_or(too_long.clone())?;
        let mut bytes = Vec::with_capacity(bucket);
        bytes.extend_from_slice(&u16::try_from(form.len()).map_err(|_| too_long)?.to_be_bytes());
        bytes.extend_from_slice(&form);
        bytes.resize(bucket, 0);
        Ok(bytes)
    }

    /// Reads what [`Sealed::pad`] made.
    pub fn unpad(bytes: &[u8]) -> Result<Self, DecodeError> {
        let short = || DecodeError::Malformed("cut short".to_owned());
        if bytes.len() > ENVELOPE_BYTES {
            return Err(DecodeError::TooLong { got: bytes.len(), limit: ENVELOPE_BYTES });
        }
        let (len, rest) = bytes.split_first_chunk::<2>().ok_or_else(short)?;
        let form = rest.get(..usize::from(u16::from_be_bytes(*len))).ok_or_else(short)?;
        decode(form, ENVELOPE_BYTES)
    }
}

/// Whether these bytes have a length an envelope may have.
pub fn is_padded(bytes: &[u8]) -> bool {
    ENVELOPE_BUCKETS.contains(&bytes.len())
}
