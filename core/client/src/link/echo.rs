//! How long a round trip takes: asked over the channel of records while something is under way.
//!
//! The library measures it with its checks of the path, which are twenty seconds apart for the sake of the radio. In a call
//! something passes all the time, and a question more every two seconds costs nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often is asked.
const EVERY: Duration = Duration::from_secs(2);
/// A round trip is another one if it differs by more than a quarter and by more than this.
const NOTABLE: Duration = Duration::from_millis(5);

/// What is asked and what was answered.
#[derive(Debug)]
pub(super) struct Echo {
    epoch: Instant,
    /// The number of the last question; what was answered is 0.
    number: AtomicU64,
    open: AtomicU64,
    /// Microseconds after `epoch` at which it was asked; 0 for never.
    asked_us: AtomicU64,
    /// The last three round trips in microseconds, newest first; 0 for none.
    took_us: [AtomicU64; 3],
    /// What was last told of, in microseconds.
    told_us: AtomicU64,
}

impl Echo {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            number: AtomicU64::new(0),
            open: AtomicU64::new(0),
            asked_us: AtomicU64::new(0),
            took_us: [const { AtomicU64::new(0) }; 3],
            told_us: AtomicU64::new(0),
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// The number of a question to be asked now, if one is due.
    pub(super) fn due(&self) -> Option<u64> {
        let (now_us, asked_us) = (self.now_us(), self.asked_us.load(Ordering::Relaxed));
        if asked_us > 0 && now_us - asked_us < as_us(EVERY) {
            return None;
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.store(number, Ordering::Relaxed);
        self.asked_us.store(now_us, Ordering::Relaxed);
        Some(number)
    }

    /// A question was answered; gives the middle of the last three round trips if it is another one than was told of.
    pub(super) fn answered(&self, number: u64) -> Option<Duration> {
        let open = self.open.compare_exchange(number, 0, Ordering::Relaxed, Ordering::Relaxed);
        if number == 0 || open.is_err() {
            return None;
        }
        let took_us = self.now_us() - self.asked_us.load(Ordering::Relaxed);
        let [newest, middle, oldest] = &self.took_us;
        oldest.store(middle.swap(newest.swap(took_us, Ordering::Relaxed), Ordering::Relaxed), Ordering::Relaxed);
        let mut known: Vec<u64> = self.took_us.iter().map(|one| one.load(Ordering::Relaxed)).collect();
        known.retain(|one| *one > 0);
        known.sort_unstable();
        let (middle_us, told_us) = (known[known.len() / 2], self.told_us.load(Ordering::Relaxed));
        let differs = middle_us.abs_diff(told_us);
        if told_us > 0 && (differs <= as_us(NOTABLE) || differs <= told_us / 4) {
            return None;
        }
        self.told_us.store(middle_us, Ordering::Relaxed);
        Some(Duration::from_micros(middle_us))
    }

    /// The link takes another path: what was measured says nothing of it.
    pub(super) fn moved(&self) {
        [&self.open, &self.asked_us, &self.told_us].into_iter().chain(&self.took_us).for_each(|one| {
            one.store(0, Ordering::Relaxed);
        });
    }
}

fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(ms: u64) -> Echo {
        Echo { epoch: Instant::now() - Duration::from_millis(ms), ..Echo::new() }
    }

    #[test]
    fn a_question_is_asked_at_once_and_then_every_two_seconds() {
        let echo = ago(10_000);
        let number = echo.due().expect("nothing was asked");
        assert_eq!(echo.due(), None);
        echo.asked_us.store(7_900_000, Ordering::Relaxed);
        assert_eq!(echo.due(), Some(number + 1));
        echo.moved();
        assert!(echo.due().is_some(), "another path is measured at once");
    }

    #[test]
    fn what_is_told_is_what_lasts_and_nobody_answers_what_was_not_asked() {
        let echo = ago(60_000);
        let ask = |took_ms: u64| {
            echo.asked_us.store(0, Ordering::Relaxed);
            let number = echo.due().expect("it is long ago");
            echo.asked_us.store(echo.now_us() - took_ms * 1_000, Ordering::Relaxed);
            assert_eq!(echo.answered(number + 1), None);
            let told = echo.answered(number);
            assert_eq!(echo.answered(number), None, "once");
            told.map(|took| took.as_millis() as u64)
        };
        assert_eq!(ask(40), Some(40));
        assert_eq!([ask(43), ask(300), ask(41)], [None; 3], "one late answer is none");
        assert_eq!([ask(120), ask(121)], [Some(120), None]);
        assert_eq!(echo.answered(0), None);
    }
}
