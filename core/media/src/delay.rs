//! How long to hold sound back so that most of it is there when its turn comes.
//!
//! Transit is arrival minus timestamp, in samples, with an unknown constant offset (two clocks). Its minimum over the
//! last two seconds stands for "no delay": it follows clock drift and route changes. What a packet took beyond it goes
//! into a forgetting histogram, and the target is read off that histogram.

use crate::payload::Shape;

/// Samples in a millisecond.
pub const MS: i64 = 48;

const BIN: i64 = 5 * MS;
const BINS: usize = 100;
const BUCKET: i64 = 100 * MS;
const BUCKETS: usize = 20;
/// Weight one packet keeps after the next: about 12 s of 20 ms packets.
const FORGET: f32 = 0.9983;
/// The part of packets that shall be in time.
const IN_TIME: f32 = 0.993;
/// The target rises at once and falls by one bin at most so often: a network is not trusted again at once.
const FALL_APART: i64 = 1_000 * MS;
/// Held back before anything is known, and before anything is known of who pushes to talk: there a word that comes late
/// is worse than one that stumbles.
const FIRST: i64 = 30 * MS;
const FIRST_OF_BURST: i64 = 15 * MS;
/// Packets until the histogram alone decides.
const TRUSTED_AFTER: f32 = 50.0;
/// The pull period: less than this is no use.
const LEAST: i64 = 10 * MS;
const MOST: i64 = 400 * MS;
/// A pause in arrivals this long is a stall: its packets count as lost, not as a reason to wait longer.
const STALL: i64 = 80 * MS;
/// Stalls more frequent than this are the nature of the network and do count.
const STALL_APART: i64 = 3_000 * MS;
/// A minimum that falls by so much at once is a faster route, on which for so long packets of the old one still come.
const FASTER_ROUTE: i64 = 60 * MS;
const OLD_ROUTE: i64 = 1_000 * MS;
/// Packets whose lateness is remembered.
const RECENT: usize = 64;
/// The packet after a lost one brings its copy one frame later, and a little more for the pull period.
const FEC_WAIT: i64 = 7 * MS;
/// Loss from which waiting for the copy is worth it.
const FEC_WAIT_FROM: f32 = 0.005;
/// After so long without packets the old minimum says nothing any more.
const STALE: i64 = 30_000 * MS;

/// A packet as far as its delay goes.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Unwrapped sequence number.
    pub sequence: i64,
    /// Unwrapped timestamp in samples.
    pub timestamp: i64,
    /// What it holds.
    pub shape: Shape,
    /// A newer one came before it.
    pub overtaken: bool,
}

/// Delay statistics of one speaker.
pub struct Delay {
    /// Minimum transit of each 100 ms of arrivals, `i64::MAX` where none.
    minima: [i64; BUCKETS],
    bucket: i64,
    minimum: i64,
    histogram: [f32; BINS],
    weight: f32,
    last_arrival: Option<i64>,
    in_stall: bool,
    last_stall: i64,
    loss: f32,
    fec_seen: f32,
    /// Sequence number and lateness of the newest packets; `i64::MAX` without copies.
    recent: [(i64, i64); RECENT],
    /// When the minimum last fell by a lot.
    faster_route: i64,
    /// Samples in the newest packet.
    frame: i64,
    /// The quantile, but slow to fall.
    held: i64,
    last_fall: i64,
    /// Held back while too little is known.
    first: i64,
    /// Held back beyond what it needs.
    longer: i64,
}

impl Delay {
    pub fn new() -> Delay {
        Delay {
            minima: [i64::MAX; BUCKETS],
            bucket: 0,
            minimum: 0,
            histogram: [0.0; BINS],
            weight: 0.0,
            last_arrival: None,
            in_stall: false,
            last_stall: -STALL_APART,
            loss: 0.0,
            fec_seen: 0.0,
            recent: [(i64::MIN, i64::MAX); RECENT],
            faster_route: -OLD_ROUTE,
            frame: 0,
            held: 0,
            last_fall: 0,
            first: FIRST,
            longer: 0,
        }
    }

    /// What comes are bursts of push-to-talk.
    pub fn expect_bursts(&mut self) {
        self.first = FIRST_OF_BURST;
    }

    /// Holds sound back by so much more than it needs, in samples.
    pub fn hold_longer(&mut self, samples: i64) {
        self.longer = samples;
    }

    /// How long ago the last packet came.
    pub fn pause(&self, now: i64) -> i64 {
        self.last_arrival.map_or(i64::MAX, |last| now - last)
    }

    /// Whether too long has passed without packets to know what "no delay" is.
    pub fn is_stale(&self, now: i64) -> bool {
        self.pause(now) > STALE
    }

    /// Forgets what "no delay" was, and keeps the target: a new burst, a new route, a restarted sender.
    pub fn restart(&mut self, now: i64, timestamp: i64) {
        self.minima = [i64::MAX; BUCKETS];
        self.bucket = now.div_euclid(BUCKET);
        self.minimum = now - timestamp;
        self.minima[self.bucket.rem_euclid(BUCKETS as i64) as usize] = self.minimum;
        self.in_stall = false;
        self.last_arrival = Some(now);
    }

    /// Takes the arrival of a packet, in order or not.
    pub fn arrived(&mut self, now: i64, arrival: Arrival) {
        let pause = now - self.last_arrival.unwrap_or(now);
        self.last_arrival = Some(now);
        self.fec_seen = self.fec_seen * 0.99 + if arrival.shape.fec { 0.01 } else { 0.0 };
        self.frame = arrival.shape.samples;
        let transit = now - arrival.timestamp;
        self.follow_minimum(now, transit);
        let late = self.remember(arrival, transit - self.minimum);
        if pause >= STALL && late >= STALL / 2 && now - self.last_stall >= STALL_APART {
            self.in_stall = true;
            self.last_stall = now;
        }
        if self.in_stall && late > self.target() && now - self.last_stall < STALL_APART / 2 {
            return;
        }
        self.in_stall = false;
        let old_route = arrival.overtaken && now - self.faster_route < OLD_ROUTE;
        if !old_route {
            self.count(now, late);
        }
    }

    /// A packet came so late that sound was made up for it, although it was then played: it would have been needed a
    /// pull earlier than its own lateness says.
    pub fn missed(&mut self, now: i64, timestamp: i64) {
        self.count(now, now - timestamp - self.minimum + LEAST);
    }

    /// How late the frame was to be had: with the packet itself, or before it with the copy in the next one.
    fn remember(&mut self, arrival: Arrival, late: i64) -> i64 {
        let place = |sequence: i64| sequence.rem_euclid(RECENT as i64) as usize;
        // Frames without a copy in a stream that has them were silence, for which nobody needs to wait either.
        let kept = if self.has_copies() { late } else { i64::MAX };
        self.recent[place(arrival.sequence)] = (arrival.sequence, kept);
        let (next, copy_late) = self.recent[place(arrival.sequence + 1)];
        if next == arrival.sequence + 1 { late.min(copy_late.saturating_add(arrival.shape.samples)) } else { late }
    }

    /// Takes the fate of one frame whose turn came.
    pub fn played(&mut self, lost: bool) {
        self.loss = self.loss * 0.995 + if lost { 0.005 } else { 0.0 };
    }

    /// The minimum transit of the last two seconds of arrivals.
    pub fn minimum(&self) -> i64 {
        self.minimum
    }

    /// How long after the minimum a sample shall be played.
    pub fn target(&self) -> i64 {
        let mut target = self.held;
        if self.weight < TRUSTED_AFTER {
            let doubt = 1.0 - self.weight / TRUSTED_AFTER;
            target = target.max((self.first as f32 * doubt) as i64);
        }
        if self.loss > FEC_WAIT_FROM && self.has_copies() {
            target = target.max(self.frame + FEC_WAIT);
        }
        (target.clamp(LEAST, MOST) + self.longer).min(MOST)
    }

    /// Part of the frames whose turn came without them, over the last seconds.
    pub fn loss(&self) -> f32 {
        self.loss
    }

    fn follow_minimum(&mut self, now: i64, transit: i64) {
        let bucket = now.div_euclid(BUCKET);
        let steps = (bucket - self.bucket).clamp(0, BUCKETS as i64);
        for step in 1..=steps {
            self.minima[(self.bucket + step).rem_euclid(BUCKETS as i64) as usize] = i64::MAX;
        }
        self.bucket = self.bucket.max(bucket);
        let here = &mut self.minima[self.bucket.rem_euclid(BUCKETS as i64) as usize];
        *here = transit.min(*here);
        let lowest = self.minima.iter().copied().min().unwrap_or(transit);
        // After a pause longer than the window only the new packets are in it, and they may all be late: the old
        // minimum stays until the window is full again.
        let refilled = self.minima.iter().filter(|&&minimum| minimum != i64::MAX).count() > BUCKETS / 2;
        if lowest < self.minimum - FASTER_ROUTE {
            self.faster_route = now;
        }
        if refilled || lowest < self.minimum {
            self.minimum = lowest;
        }
    }

    fn count(&mut self, now: i64, late: i64) {
        let bin = (late / BIN).clamp(0, BINS as i64 - 1) as usize;
        for weight in &mut self.histogram {
            *weight *= FORGET;
        }
        self.histogram[bin] += 1.0;
        self.weight = self.weight * FORGET + 1.0;
        let wanted = self.quantile();
        if wanted > self.held || now - self.last_fall >= FALL_APART {
            self.held = wanted.max(self.held - BIN);
            self.last_fall = now;
        }
    }

    fn has_copies(&self) -> bool {
        self.fec_seen > 0.05
    }

    fn quantile(&self) -> i64 {
        let mut sum = 0.0;
        for (bin, weight) in self.histogram.iter().enumerate() {
            sum += weight;
            if sum >= IN_TIME * self.weight {
                return (bin as i64 + 1) * BIN;
            }
        }
        MOST
    }
}
