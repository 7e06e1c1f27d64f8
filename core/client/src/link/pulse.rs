//! When sound goes out, so that files and pictures can go between.
//!
//! A packet of anything else that is on a slow wire when a packet of sound comes makes it wait, 12 ms on 1 Mbit/s. Sound goes
//! out in a steady beat, so who sends a little right after each beat, and no more than the wire carries before the next,
//! disturbs nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The beat of sound.
pub(super) const BEAT: Duration = Duration::from_millis(20);
/// How late a beat may be before it is taken for one that does not come.
const PATIENCE: Duration = Duration::from_millis(5);
/// For how long a beat counts as sound going out: silence is told every 400 ms.
const LASTS: Duration = Duration::from_millis(1500);

/// A packet of sound that went out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    pub(super) at: Instant,
    /// How long after the one before.
    pub(super) after_us: u64,
}

/// The beat of one link.
#[derive(Debug)]
pub(super) struct Pulse {
    epoch: Instant,
    /// Microseconds after `epoch` of the last beat; 0 is none yet.
    last: AtomicU64,
    /// Microseconds from the one before to it.
    after: AtomicU64,
    /// The same of anything that passes all the time, sound or pictures.
    passed: AtomicU64,
    beaten: Notify,
    stirred: Notify,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let (last, after, passed) = Default::default();
        Self { epoch: Instant::now(), last, after, passed, beaten: Notify::new(), stirred: Notify::new() }
    }

    /// A packet of sound goes out.
    pub(super) fn beat(&self) {
        let now = self.now();
        let last = self.last.swap(now, Ordering::Relaxed);
        self.after.store(now.saturating_sub(last), Ordering::Relaxed);
        self.beaten.notify_waiters();
        self.stir();
    }

    /// A packet of sound or pictures goes out.
    pub(super) fn stir(&self) {
        self.passed.store(self.now(), Ordering::Relaxed);
        self.stirred.notify_waiters();
    }

    /// The last packet of sound, if there was one since the other that was told.
    pub(super) fn newer(&self, told: Option<Beat>) -> Option<Beat> {
        let (at, after) = (self.last.load(Ordering::Relaxed), self.after.load(Ordering::Relaxed));
        let beat = Beat { at: self.epoch + Duration::from_micros(at), after_us: after };
        (at > 0 && told.is_none_or(|told| told.at < beat.at)).then_some(beat)
    }

    /// Whether sound or pictures went out lately.
    pub(super) fn is_stirring(&self) -> bool {
        self.is_recent(&self.passed)
    }

    /// Whether sound went out lately.
    pub(super) fn is_beating(&self) -> bool {
        self.is_recent(&self.last)
    }

    fn is_recent(&self, at: &AtomicU64) -> bool {
        let at = at.load(Ordering::Relaxed);
        at > 0 && self.now().saturating_sub(at) < as_us(LASTS)
    }

    /// Waits until sound or pictures go out.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// Waits for the next beat; one is not missed from when this is called, before it is awaited.
    pub(super) fn beaten(&self) -> Notified<'_> {
        self.beaten.notified()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_beat_is_told_once_with_the_time_since_the_one_before() {
        let pulse = Pulse::new();
        assert!(pulse.newer(None).is_none());
        pulse.beat();
        let first = pulse.newer(None).expect("there was one");
        assert!(pulse.newer(Some(first)).is_none());
        let beaten = pulse.beaten();
        while pulse.epoch.elapsed() < first.at - pulse.epoch + Duration::from_millis(2) {
            tokio::task::yield_now().await;
        }
        pulse.beat();
        beaten.await;
        let second = pulse.newer(Some(first)).expect("another one");
        assert_eq!(Duration::from_micros(second.after_us), second.at - first.at);
    }
}
