//! How fast QUIC sends: by the bandwidth and delay it measures (BBR), not by loss; and what it sees of the path.
//!
//! BBR takes acknowledgements that come in bunches for bandwidth, as they do when a processor is busy, and then keeps the
//! queue of a slow wire overflowing. So a second look at what is really delivered, over whole round trips, bounds it once
//! packets both wait and are lost in numbers. And while it looks for the bandwidth it has nearly three times in flight of what
//! it found, a round trip late: more than many a queue takes. Twice of what is delivered, and what a processor that is busy
//! holds back, is always enough.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::congestion::{BbrConfig, Controller, ControllerFactory};
use quinn_proto::RttEstimator;

use super::quic::SEND_BYTES;

/// What may be under way before anything is known of the path.
const FIRST_WINDOW: u64 = 32 * 1200;

/// What a connection sees of its path, and how much it may have under way.
#[derive(Debug)]
pub(super) struct Sight {
    /// Microseconds that packets wait in queues on the path, on average over the last few.
    waits_us: AtomicU64,
    /// Microseconds of a round trip.
    rtt_us: AtomicU64,
    /// Bytes that may be under way.
    window: AtomicU64,
    /// Bytes that may be under way whatever BBR says.
    cap: AtomicU64,
}

impl Default for Sight {
    fn default() -> Self {
        Self {
            waits_us: AtomicU64::new(0),
            rtt_us: AtomicU64::new(0),
            window: AtomicU64::new(FIRST_WINDOW),
            cap: AtomicU64::new(SEND_BYTES / 2),
        }
    }
}

impl Sight {
    /// How long packets wait in queues on the path.
    pub(super) fn waits(&self) -> Duration {
        Duration::from_micros(self.waits_us.load(Ordering::Relaxed))
    }

    /// How long a round trip takes.
    pub(super) fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us.load(Ordering::Relaxed))
    }

    /// What the path carries at a time, in bytes.
    pub(super) fn window(&self) -> u64 {
        self.window.load(Ordering::Relaxed)
    }

    /// Limits what is under way.
    pub(super) fn set_cap(&self, bytes: u64) {
        self.cap.store(bytes, Ordering::Relaxed);
    }
}

/// Makes BBR that tells what it sees.
pub(super) struct Steady {
    bbr: Arc<BbrConfig>,
    sight: Arc<Sight>,
}

impl Steady {
    pub(super) fn new(sight: Arc<Sight>) -> Self {
        let mut bbr = BbrConfig::default();
        bbr.initial_window(FIRST_WINDOW);
        Self { bbr: Arc::new(bbr), sight }
    }
}

impl ControllerFactory for Steady {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let bbr = Arc::clone(&self.bbr).build(now, current_mtu);
        let (sight, bound, most) = (Arc::clone(&self.sight), Bound::new(now), Twice::new(now));
        Box::new(Watched { bbr, sight, mtu: current_mtu.into(), bound, most })
    }
}

struct Watched {
    bbr: Box<dyn Controller>,
    sight: Arc<Sight>,
    mtu: u64,
    bound: Bound,
    most: Twice,
}

impl Controller for Watched {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.bbr.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.sight.waits_us.store(us(rtt.get().saturating_sub(rtt.min())), Ordering::Relaxed);
        self.sight.rtt_us.store(us(rtt.get()), Ordering::Relaxed);
        self.bound.acked(bytes, rtt.get(), rtt.min());
        self.most.acked(bytes, rtt.get(), rtt.min());
        self.bbr.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.bbr.on_end_acks(now, in_flight, app_limited, largest);
        self.bound.judge(now, self.bbr.window());
        self.most.judge(now, self.bbr.window(), app_limited);
        self.sight.window.store(self.window(), Ordering::Relaxed);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost_bytes: u64) {
        self.bound.lost += lost_bytes;
        self.bbr.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu.into();
        self.bbr.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        let most = self.sight.cap.load(Ordering::Relaxed).min(self.bound.bytes).min(self.most.bytes);
        self.bbr.window().min(most.max(2 * self.mtu))
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        let (bbr, sight) = (self.bbr.clone_box(), Arc::clone(&self.sight));
        Box::new(Self { bbr, sight, mtu: self.mtu, bound: self.bound.clone(), most: self.most.clone() })
    }

    fn initial_window(&self) -> u64 {
        self.bbr.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// How long packets may wait in a queue that overflows.
const QUEUE: Duration = Duration::from_millis(15);
/// One in so many bytes lost is more than a bad radio loses.
const LOST_OF: u64 = 20;
/// The shortest time over which what is delivered says something.
const LOOK: Duration = Duration::from_millis(100);

/// What may be under way on a path whose queue overflows.
#[derive(Clone)]
struct Bound {
    bytes: u64,
    since: Instant,
    delivered: u64,
    lost: u64,
    rtt: Duration,
    shortest: Duration,
}

impl Bound {
    fn new(now: Instant) -> Self {
        let (rtt, shortest) = (Duration::ZERO, Duration::ZERO);
        Self { bytes: u64::MAX, since: now, delivered: 0, lost: 0, rtt, shortest }
    }

    fn acked(&mut self, bytes: u64, rtt: Duration, shortest: Duration) {
        self.delivered += bytes;
        (self.rtt, self.shortest) = (rtt, shortest);
    }

    /// After each round trip: what was delivered in it, over the length of the path and a short queue, is what may be
    /// under way if the queue overflowed; else a little more may be than before.
    fn judge(&mut self, now: Instant, wished: u64) {
        let took = now.saturating_duration_since(self.since);
        if took < self.rtt.max(LOOK) {
            return;
        }
        let overflows = self.lost * LOST_OF > self.delivered + self.lost;
        if overflows && self.rtt > self.shortest + QUEUE {
            let rate = self.delivered as f64 / took.as_secs_f64();
            self.bytes = (rate * (self.shortest + QUEUE).as_secs_f64()) as u64;
        } else if self.bytes >= wished {
            self.bytes = u64::MAX;
        } else if self.rtt <= self.shortest + QUEUE {
            self.bytes += self.bytes / 32;
        }
        (self.since, self.delivered, self.lost) = (now, 0, 0);
    }
}

/// How often what is delivered must not have grown by a quarter before that is taken for what the path carries.
const FLAT: u8 = 3;
/// What is left of what the path carried once, after each look that showed less.
const FADE: f64 = 0.99;

/// What may be under way at most: it only grows until it is known what the path carries.
#[derive(Clone)]
struct Twice {
    bytes: u64,
    since: Instant,
    delivered: u64,
    rtt: Duration,
    shortest: Duration,
    /// The most that was delivered in a second of one look.
    best: f64,
    flat: u8,
    /// Whether it is known what the path carries.
    found: bool,
}

impl Twice {
    fn new(now: Instant) -> Self {
        let (rtt, shortest) = (Duration::ZERO, Duration::ZERO);
        Self { bytes: 2 * FIRST_WINDOW, since: now, delivered: 0, rtt, shortest, best: 0.0, flat: 0, found: false }
    }

    fn acked(&mut self, bytes: u64, rtt: Duration, shortest: Duration) {
        self.delivered += bytes;
        (self.rtt, self.shortest) = (rtt, shortest);
    }

    /// After each round trip: twice of what is delivered in one, and what a processor that is busy holds back. What the path
    /// carries is known when no more is delivered than before, and no more is wished for than this; from then on longer looks
    /// follow it.
    fn judge(&mut self, now: Instant, wished: u64, idle: bool) {
        let took = now.saturating_duration_since(self.since);
        let least = if self.found { self.rtt.max(LOOK) } else { self.rtt };
        if took < least || took.is_zero() {
            return;
        }
        // Of a sender that has nothing to send nothing can be learned.
        if !idle {
            let rate = self.delivered as f64 / took.as_secs_f64();
            if self.found {
                self.best = rate.max(self.best * FADE);
                self.bytes = self.twice(self.best);
            } else {
                let grew = rate >= 1.25 * self.best;
                (self.best, self.flat) = if grew { (rate, 0) } else { (self.best, self.flat.saturating_add(1)) };
                self.bytes = self.bytes.max(self.twice(rate));
                self.found = self.flat >= FLAT && wished <= self.bytes;
            }
        }
        (self.since, self.delivered) = (now, 0);
    }

    /// Twice of what is delivered at this rate in a round trip without a queue, and what a processor that is busy holds back.
    fn twice(&self, rate: f64) -> u64 {
        (rate * (2 * self.shortest + QUEUE).as_secs_f64()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A path of 40 ms and 2.5 MB/s with 100 ms of queue, under a window; gives what is lost of what, per round trip.
    fn round(bound: &mut Bound, now: Instant, wished: u64) -> u64 {
        let window = wished.min(bound.bytes);
        let (fits, queue) = (100_000, 250_000);
        let waits = window.saturating_sub(fits).min(queue);
        let rtt = 40 * MS + Duration::from_secs_f64(waits as f64 / 2.5e6);
        let lost = window.saturating_sub(fits + queue);
        bound.acked((2.5e6 * LOOK.max(rtt).as_secs_f64()).min(window as f64 * 4.0) as u64, rtt, 40 * MS);
        bound.lost += lost;
        bound.judge(now, wished);
        lost
    }

    #[test]
    fn a_queue_that_overflows_is_found_and_left_alone_for_good() {
        let begun = Instant::now();
        let mut bound = Bound::new(begun);
        let lost: Vec<u64> = (1..200).map(|number| round(&mut bound, begun + number * 150 * MS, 730_000)).collect();
        assert!(lost[0] > 0, "the test shows nothing");
        assert_eq!(lost[2..].iter().sum::<u64>(), 0);
        // The wire stays full all the same.
        assert!(bound.bytes >= 100_000, "{}", bound.bytes);
    }

    #[test]
    fn looking_for_what_a_wire_carries_overflows_no_queue_and_finds_it() {
        // 20 Mbit/s, 40 ms, and 100 ms of queue; who sends wishes for three times of what it sees.
        let (rate, fits, queue) = (2.5e6, 100_000_u64, 250_000);
        let mut now = Instant::now();
        let mut start = Twice::new(now);
        let (mut most, mut wished) = (0, 2 * FIRST_WINDOW);
        for _ in 0..40 {
            let window = wished.min(start.bytes);
            most = most.max(window);
            let rtt = 40 * MS + Duration::from_secs_f64(window.saturating_sub(fits) as f64 / rate);
            start.acked(window, rtt, 40 * MS);
            now += rtt;
            start.judge(now, wished, false);
            wished = (wished * 2).min(290_000);
        }
        assert!((200_000..fits + queue).contains(&most), "{most}");
        assert!(wished > start.bytes || start.found);
        // Once it is known, it is followed also where the path carries less from some moment on.
        start.found = true;
        for (rate, looks) in [(2.5e6, 40), (0.5e6, 400)] {
            for _ in 0..looks {
                start.acked((rate * LOOK.as_secs_f64()) as u64, 40 * MS, 40 * MS);
                now += LOOK;
                start.judge(now, wished, false);
            }
            let most = (rate * (2 * 40 * MS + QUEUE).as_secs_f64()) as u64;
            assert!((most..=most * 11 / 10).contains(&start.bytes), "{} of {most}", start.bytes);
        }
        // A pause teaches nothing.
        let mut idle = Twice::new(now);
        for number in 1..20 {
            idle.acked(100, 40 * MS, 40 * MS);
            idle.judge(now + number * 50 * MS, 40_000, true);
        }
        assert_eq!((idle.bytes, idle.flat), (2 * FIRST_WINDOW, 0));
    }

    #[test]
    fn loss_without_a_queue_and_a_queue_without_loss_bound_nothing() {
        let begun = Instant::now();
        for (rtt, lost) in [(41 * MS, 500_000), (90 * MS, 0), (90 * MS, 10_000)] {
            let mut bound = Bound::new(begun);
            for number in 1..50 {
                bound.acked(1_000_000, rtt, 40 * MS);
                bound.lost += lost;
                bound.judge(begun + number * 150 * MS, 730_000);
            }
            assert_eq!(bound.bytes, u64::MAX);
        }
    }
}
