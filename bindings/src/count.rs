//! Counts the objects that the app holds, so that a test can see that none is left.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static LIVE: AtomicU64 = AtomicU64::new(0);

/// One object that lives.
#[derive(Debug)]
pub(crate) struct Live(());

impl Live {
    pub fn begin() -> Self {
        LIVE.fetch_add(1, Relaxed);
        Self(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// How many clients and operations this process holds: 0 when all of them are closed and let go of.
#[uniffi::export]
pub fn live_objects() -> u64 {
    LIVE.load(Relaxed)
}
