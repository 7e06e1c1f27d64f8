//! What every bus and every store promises: run these on each implementation.
//!
//! A new implementation calls [`bus`] and [`store`] with a way to make an empty one, on whatever runtime it needs.

pub mod bus;
pub mod plates;
pub mod rooms;
pub mod store;
pub mod strangers;
