//! What the crate promises, tried from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod common;
mod handshake;
mod hostile;
mod login;
mod oracle;
mod record;
mod safety;
mod secrets;
mod sframe;
mod vault;
