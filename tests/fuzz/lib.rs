//! The doors of the crate `proving`, built without all else that it links.

#[path = "../src/doors/mod.rs"]
pub mod doors;
