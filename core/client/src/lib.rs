//! The driver of one phone: thread, clock, socket, store, links and media.

#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod link;
#[doc(hidden)]
pub mod store;
mod vault;

pub use vault::{FileVault, FixedKey, KeyVault, VaultError};
