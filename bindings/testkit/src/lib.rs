//! What an app's tests need and an app does not: a meeting server on loopback, the simulated world, and what a sound
//! frame would cost in other ways. A library of its own, so that none of it gets into an app.

uniffi::setup_scaffolding!("sidetone_testkit");

mod bench;
mod camera;
mod server;
mod tone;
mod world;

pub use bench::{BenchEvent, BenchListener, UniffiSound, bench_batch, bench_tell, noop};
pub use camera::{PatternCamera, TestPicture, read_pattern};
pub use server::{TestProblem, TestServer};
pub use tone::ToneMicrophone;
pub use world::{ServerLies, SimCall, SimFloor, SimNat, SimRoute, SimWorld};
