//! What proves Sidetone: a simulated world in which real phones and the real server live in virtual time, and the
//! attacks and promises that are tried on them.

#![forbid(unsafe_code)]

pub mod cells;
pub mod coturn;
pub mod doors;
pub mod guests;
pub mod puppet;
pub mod push;
pub mod real;
pub mod world;
