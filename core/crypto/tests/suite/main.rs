//! What the crate promises, tried from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod code;
mod common;
mod file;
mod handshake;
mod hostile;
mod login;
mod oracle;
mod record;
mod room;
mod safety;
mod sas;
mod secrets;
mod sframe;
mod stranger;
mod vault;
