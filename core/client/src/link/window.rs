//! How much the data channel may have under way: as much as the path carries, and a short queue.
//!
//! SCTP heeds loss only: on a slow wire it fills whatever queue there is, and all else on the link waits behind it. So this
//! end asks, behind what it sends, whether that has passed; the peer answers at once. The shortest answer there ever was tells
//! how long the path is, and any other how long the queue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes under way before anything is known of the path.
const FIRST: usize = 32 * 1024;
/// The least, which even a slow wire carries in no time.
const LEAST: usize = 2 * 1024;
/// The most: beyond it the peer's receive window is the limit.
pub(super) const MOST: usize = 1024 * 1024;
/// Shorter a queue need not be.
const SHORT: Duration = Duration::from_millis(15);
/// Longer a queue should not be.
const LONG: Duration = Duration::from_millis(40);
/// How often is asked at most, and after how long a question counts as lost.
const EVERY: Duration = Duration::from_millis(10);
const LOST: Duration = Duration::from_secs(3);
/// A processor that is busy looks like a queue once, a queue every time: so many answers.
const SURE: usize = 4;
/// After so many looks that waited though next to nothing was under way, the path itself is longer than it was.
const STALE: u32 = 8;

/// A question and its answer, between the part that sends and the part that hears.
#[derive(Debug)]
pub(super) struct Probe {
    epoch: Instant,
    /// Microseconds after `epoch` at which the question that waits for its answer was asked, which is also its number; 0 is none.
    asked: AtomicU64,
    /// Microseconds that the last answer took; 0 once it was looked at.
    took: AtomicU64,
}

impl Probe {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), asked: AtomicU64::new(0), took: AtomicU64::new(0) }
    }

    /// The number of a question to be asked now, if one is due.
    pub(super) fn ask(&self) -> Option<u64> {
        let (now, asked) = (self.now(), self.asked.load(Ordering::Acquire));
        let waits = Duration::from_micros(now.saturating_sub(asked)) < LOST;
        if asked != 0 && waits {
            return None;
        }
        self.asked.store(now, Ordering::Release);
        Some(now)
    }

    /// The peer answers; true if that is the question that waits.
    pub(super) fn answered(&self, number: u64) -> bool {
        let waits = self.asked.compare_exchange(number, 0, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if waits && number != 0 {
            self.took.store(self.now().saturating_sub(number).max(1), Ordering::Release);
        }
        waits
    }

    fn look(&self) -> Option<Duration> {
        let took = self.took.swap(0, Ordering::AcqRel);
        (took > 0).then(|| Duration::from_micros(took))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

/// What may be under way.
pub(super) struct Window {
    bytes: usize,
    shortest: Option<Duration>,
    rtt: Duration,
    /// How long the slowest of the last few answers waited in queues.
    waits: Duration,
    /// How long each of the last few did, since the window was last made smaller.
    last: Vec<Duration>,
    /// While nothing waited yet it doubles.
    starting: bool,
    /// Whether more would have been sent.
    full: bool,
    stale: u32,
    next: Instant,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        let (rtt, waits) = (Duration::ZERO, Duration::ZERO);
        let last = Vec::with_capacity(SURE);
        Self { bytes: FIRST, shortest: None, rtt, waits, last, starting: true, full: false, stale: 0, next: now }
    }

    /// Bytes that may be under way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long what is sent waits in queues on the path, at most.
    pub(super) fn waits(&self) -> Duration {
        self.waits
    }

    /// How long to wait for room before looking again.
    pub(super) fn patience(&self) -> Duration {
        (self.rtt / 8).clamp(Duration::from_millis(1), Duration::from_millis(20))
    }

    /// There was no room.
    pub(super) fn is_full(&mut self) {
        self.full = true;
    }

    /// Whether it is time to ask.
    pub(super) fn should_ask(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + EVERY;
        }
        due
    }

    /// Looks whether there was an answer, and learns from it.
    pub(super) fn look(&mut self, probe: &Probe) {
        if let Some(took) = probe.look() {
            self.learn(took);
        }
    }

    fn learn(&mut self, took: Duration) {
        let shortest = self.shortest.map_or(took, |shortest| shortest.min(took));
        (self.shortest, self.rtt) = (Some(shortest), took);
        let waits = took - shortest;
        self.waits = waits.max(self.waits * 7 / 8);
        if waits <= SHORT {
            self.stale = 0;
            self.last.clear();
            if std::mem::take(&mut self.full) {
                self.bytes = (self.bytes + if self.starting { self.bytes } else { self.bytes / 4 }).min(MOST);
            }
            return;
        }
        self.last.push(waits);
        if self.last.len() < SURE {
            return;
        }
        self.starting = false;
        let queue = self.last.drain(..).min().unwrap_or_default();
        if queue <= LONG {
            return;
        }
        self.stale = if self.bytes == LEAST { self.stale + 1 } else { 0 };
        let part = (shortest + SHORT).as_secs_f64() / (shortest + queue).as_secs_f64();
        self.bytes = ((self.bytes as f64 * part) as usize).max(LEAST);
        if self.stale >= STALE {
            (self.shortest, self.stale) = (Some(shortest + queue), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Answers of a path of so many bytes a second and so long, on which always as much is under way as may be.
    fn settle(window: &mut Window, rate: f64, path: Duration, answers: u32) -> Duration {
        let mut queue = Duration::ZERO;
        for _ in 0..answers {
            let fits = rate * path.as_secs_f64();
            queue = Duration::from_secs_f64((window.bytes() as f64 - fits).max(0.0) / rate);
            window.is_full();
            window.learn(path + queue);
        }
        queue
    }

    #[test]
    fn any_path_is_filled_and_its_queue_stays_short() {
        for (rate, path) in [(125e3, 40 * MS), (1e6, 70 * MS), (2.5e6, 40 * MS), (6e6, 100 * MS)] {
            let mut window = Window::new(Instant::now());
            // The first answer comes before there is a queue.
            window.learn(path);
            let queue = settle(&mut window, rate, path, 300);
            assert!(queue <= LONG + MS, "{rate} B/s: {queue:?}");
            let fits = (rate * path.as_secs_f64()).min(MOST as f64);
            assert!(window.bytes() as f64 >= 0.9 * fits, "{rate} B/s: {} of {fits}", window.bytes());
        }
    }

    #[test]
    fn what_the_sender_does_not_use_does_not_grow_and_a_longer_path_is_found_out() {
        let mut window = Window::new(Instant::now());
        for _ in 0..50 {
            window.learn(40 * MS);
        }
        assert_eq!(window.bytes(), FIRST);
        // A processor that is busy now and then holds nothing back.
        settle(&mut window, 2.5e6, 40 * MS, 100);
        let before = window.bytes();
        for number in 0..300 {
            window.is_full();
            window.learn(if number % 4 == 0 { 45 * MS } else { 100 * MS });
        }
        assert!(window.bytes() >= before, "{} of {before}", window.bytes());
        settle(&mut window, 1e6, 40 * MS, 100);
        // The same wire, over another relay far away: for a while that looks like a queue.
        settle(&mut window, 1e6, 300 * MS, 200);
        assert!(window.bytes() >= 250_000, "{}", window.bytes());
    }

    #[test]
    fn one_answer_that_waited_is_not_lost_among_those_that_did_not() {
        let mut window = Window::new(Instant::now());
        window.learn(40 * MS);
        window.learn(52 * MS);
        assert_eq!(window.waits(), 12 * MS);
        for _ in 0..3 {
            window.learn(40 * MS);
        }
        assert!(window.waits() > 8 * MS, "{:?}", window.waits());
        for _ in 0..20 {
            window.learn(40 * MS);
        }
        assert!(window.waits() < MS, "nor held against the path for good: {:?}", window.waits());
    }

    #[test]
    fn only_the_question_that_waits_is_answered_and_once() {
        let probe = Probe::new();
        assert!(!probe.answered(7) && probe.look().is_none());
        let number = probe.ask().expect("none waits");
        assert_eq!(probe.ask(), None, "one at a time");
        assert!(!probe.answered(number + 1) && probe.look().is_none());
        assert!(probe.answered(number) && probe.look().is_some());
        assert!(!probe.answered(number) && probe.look().is_none());
        assert!(!probe.answered(0) || probe.look().is_none(), "nothing was asked");
    }
}
