//! Every key of Sidetone: identities, handshakes, records, media, safety numbers, values at rest and login.
//!
//! The crate is pure. It opens nothing, waits for nothing and knows neither clock nor random source: what needs
//! randomness takes a 32-byte seed, what needs time takes `now_ms`. The same seed gives the same bytes, so a whole
//! conversation can be replayed from its seeds.
//!
//! No primitive is written here. The compositions are published ones, each pinned to its vectors in `tests/`:
//!
//! | module | composition |
//! |---|---|
//! | [`identity`] | X25519 (RFC 7748), one static key per account and device |
//! | [`handshake`] | Noise rev 34 with HFS: `KKhfs`, `XXhfs+psk0`, `NNhfs` over `25519+MLKEM768 / AES-256-GCM / SHA-256` |
//! | [`record`] | Double Ratchet 2.2 symmetric chains, re-keyed by `NNhfs+psk0` epochs |
//! | [`sframe`] | SFrame (RFC 9605), suite 0x0005, sender keys |
//! | [`safety`] | Signal's numeric fingerprint, version 0 |
//! | [`mod@file`] | C2SP chunked encryption v1, AES-256-GCM, a salt for every sending |
//! | [`vault`] | C2SP XAES-256-GCM per value |
//! | [`backup`] | Argon2id (RFC 9106) and XAES-256-GCM under a passphrase |
//! | [`login`] | OPAQUE (RFC 9807), ristretto255-SHA512, Argon2id |
//! | [`room`] | what follows from a room's secret; links and invitations |
//! | [`cpace`], [`code`] | CPace (draft-irtf-cfrg-cpace-21), ristretto255-SHA512, with key confirmation; spoken codes over it |
//! | [`sas`] | spoken words by commitment (as ZRTP, RFC 6189), and the phrase of a room |
//! | [`stranger`] | Ed25519 (RFC 8032) by one-time keys, HMAC tags, proof of work |
//! | [`padding`] | Padmé (PURBs, PETS 2019) |
//!
//! # Erasure
//!
//! Every secret here is boxed or zeroizing and has neither `Clone` nor `Debug`. `snow`, `ring` and `libcrux` leave copies: those
//! on the heap are erased by a zero-on-free global allocator, which the app's library has to install; those on the stack
//! last until the stack is used again.
//!
//! # A seed is used once
//!
//! A seed must be 32 fresh random bytes and must be handed to one call only. Two calls that share a seed may share a
//! key, which breaks both.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod backup;
pub mod code;
pub mod cpace;
pub mod file;
pub mod fuzz;
pub mod handshake;
pub mod identity;
pub mod login;
pub mod padding;
pub mod record;
pub mod room;
pub mod safety;
pub mod sas;
pub mod sframe;
pub mod stranger;
pub mod vault;

mod aead;
mod kdf;
mod noise;
mod words;

#[cfg(test)]
mod vectors;
