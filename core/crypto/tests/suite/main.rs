//! What the crate promises, tried from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod common;
mod handshake;
mod record;
