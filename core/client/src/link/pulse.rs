//! When sound goes out, so that files can go between.
//!
//! A packet of a file that is on a slow wire when a packet of sound comes makes it wait, 12 ms on 1 Mbit/s. Sound goes
//! out in a steady beat, so who sends a little right after each beat, and no more than the wire carries before the next,
//! disturbs nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The beat of sound.
pub(super) const BEAT: Duration = Duration::from_millis(20);
/// How late a beat may be before it is taken for one that does not come.
const PATIENCE: Duration = Duration::from_millis(5);
/// For how long a beat counts as sound going out: silence is told every 400 ms.
const LASTS: Duration = Duration::from_millis(1500);

/// The beat of one link.
#[derive(Debug)]
pub(super) struct Pulse {
    epoch: Instant,
    /// Microseconds after `epoch` of the last beat; 0 is none yet.
    last: AtomicU64,
    beaten: Notify,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), last: AtomicU64::new(0), beaten: Notify::new() }
    }

    /// A packet of sound goes out.
    pub(super) fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
        self.beaten.notify_waiters();
    }

    /// Whether sound went out lately.
    pub(super) fn is_beating(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last > 0 && self.now().saturating_sub(last) < as_us(LASTS)
    }

    /// Waits for the next beat.
    pub(super) async fn stirred(&self) {
        self.beaten.notified().await;
    }

    /// Waits for the next beat, or for as long as one takes if there is none.
    pub(super) async fn next(&self) {
        let _ = tokio::time::timeout(BEAT + PATIENCE, self.beaten.notified()).await;
    }

    fn now(&self) -> u64 {
        as_us(self.epoch.elapsed()).max(1)
    }
}

fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
