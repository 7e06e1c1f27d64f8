//! What travels between phone, phone and server, and nothing about what it means.
//!
//! - [`frame`]: what phone and server say to each other over the websocket.
//! - [`envelope`]: the sealed bytes one phone sends another through the server.
//! - [`push`]: how a phone that sleeps is woken.
//! - [`record`]: what two phones say to each other once their session is agreed.
//! - [`room`]: what phones ask of the server about rooms, and what it tells them.
//! - [`member`]: what members of a room say to each other once theirs is.
//! - [`floor`]: what members of a push-to-talk room say about who speaks.
//! - [`path`]: what they say about a second link of theirs.
//! - [`transfer`]: what they say about files, whose bytes travel beside the records.
//! - [`stranger`]: the same about strangers.
//! - [`encounter`]: what two strangers say to each other.
//! - [`turn`]: where the messages of TURN end on a byte stream.
//! - [`limits`]: every bound of the protocol, in one place.
//!
//! Every other form is CBOR (RFC 8949) with integer keys. Fields that a reader does not know are skipped, kinds that it does
//! not know are a typed error ([`DecodeError::UnknownKind`]), so that an older phone and a newer server keep talking.
//! Decoding never panics and allocates no more than a small multiple of the bytes given.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod codec;
mod tagged;

pub mod account;
pub mod connect;
pub mod encounter;
pub mod envelope;
pub mod floor;
pub mod frame;
pub mod id;
pub mod limits;
pub mod member;
pub mod path;
pub mod push;
pub mod record;
pub mod room;
pub mod stranger;
pub mod transfer;
pub mod turn;

pub use codec::{DecodeError, EncodeError, decode, encode};

/// The one version of the protocol that this code speaks.
pub const VERSION: u16 = 1;
