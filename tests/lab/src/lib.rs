//! A network laboratory on one machine: network namespaces joined by links that are as bad as one likes.
//!
//! A [`Namespace`] is a network stack of its own, in which threads and programs run. A [`Wire`] joins two of them through
//! user space, and does to each packet what a [`Shape`] says: delay, jitter, loss, reordering, duplication, a rate with a
//! queue before it, and outages. What happens to a packet is decided by a seed, and by nothing else but when it came. The
//! kernel's own emulator is not in every kernel; this needs `/dev/net/tun`, the right to use it, and iproute2.
//!
//! Tests ask [`ready`] first. Where the laboratory cannot be set up it says on standard error, past the test harness, that
//! something was not tested; with `LAB_REQUIRED` set in the environment it fails instead.
//!
//! ```no_run
//! let ends = [lab::Namespace::new()?, lab::Namespace::new()?];
//! let wire = lab::Wire::join(&ends[0], &ends[1], &"delay=20ms loss=1%".parse()?, 7)?;
//! let address = wire.addresses()[1];
//! let status = ends[0].command("ping").arg("-c3").arg(address.to_string()).status()?;
//! # assert!(status.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod namespace;
pub mod net;
pub mod packet;
pub mod pipe;
mod shape;
mod sniffer;
mod star;
mod wire;

use std::io::Write as _;
use std::path::Path;

pub use namespace::Namespace;
pub use shape::{Outage, Queue, Shape, Unreadable};
pub use sniffer::Sniffer;
pub use star::{Between, Star};
pub use wire::{Counts, Timed, Wire};

/// Why the laboratory cannot be set up here.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// There is no TUN device.
    #[error("there is no /dev/net/tun")]
    NoTun,
    /// A program is missing.
    #[error("{0} is not installed")]
    NoProgram(&'static str),
    /// The system refused a step; mostly for want of rights.
    #[error("{0} failed: {1}")]
    Refused(&'static str, String),
}

/// Whether the laboratory can be set up here.
///
/// # Errors
/// [`Unavailable`] with the first thing that is missing.
pub fn available() -> Result<(), Unavailable> {
    if !Path::new("/dev/net/tun").exists() {
        return Err(Unavailable::NoTun);
    }
    Namespace::new().map(drop)
}

/// Whether the laboratory can be set up here; if not, says that `what` is not tested where nobody can overlook it.
///
/// # Panics
/// If it cannot be set up and `LAB_REQUIRED` is set in the environment.
#[must_use]
pub fn ready(what: &str) -> bool {
    let Err(missing) = available() else { return true };
    assert!(std::env::var_os("LAB_REQUIRED").is_none(), "the laboratory is required: {missing}");
    // The test harness captures what is printed, but not what is written.
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {what}: {missing}");
    false
}
