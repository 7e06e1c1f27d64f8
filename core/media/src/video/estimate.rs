//! What a path bears: the seam a congestion controller plugs into, and the one we use.

use std::collections::VecDeque;

use super::spread::Spread;

/// What became of a packet, as far as the receiver has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// Counts the packets of the link.
    pub number: u64,
    /// When it left, by our clock.
    pub sent_us: u64,
    /// When it came, by the receiver's clock; `None` if it did not.
    pub arrived_us: Option<u64>,
    /// Its size on the wire.
    pub bytes: u32,
}

/// What a path has beyond what it is thought to bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headroom {
    /// Nothing: a queue began.
    Gone,
    /// Some: the target is raised, as far as it should be.
    Some,
    /// Perhaps very much: no more was sent from which it could be known.
    Unknown,
}

/// A congestion controller: fates of packets in, a bit rate out. No clock, no packets of its own.
pub trait Estimator: Send {
    /// Packets of which the receiver has told, in the order they were sent.
    fn reported(&mut self, now_us: u64, fates: &[Fate]);

    /// What all packets of the link together may take, in bits a second.
    fn target_bps(&self) -> u64;

    /// What the last report showed beyond the target.
    fn headroom(&self) -> Headroom {
        Headroom::Some
    }

    /// Whether packets leave behind packets of sound, so that the first of them meets no other, and what sound takes of the path,
    /// in bits a second.
    fn beside_sound(&mut self, _sound_bps: Option<u64>) {}

    /// The path is another one, or nothing was sent for long: what was learned of it may not hold any more.
    fn moved(&mut self) {}
}

impl<E: Estimator + ?Sized> Estimator for Box<E> {
    fn reported(&mut self, now_us: u64, fates: &[Fate]) {
        (**self).reported(now_us, fates);
    }

    fn target_bps(&self) -> u64 {
        (**self).target_bps()
    }

    fn headroom(&self) -> Headroom {
        (**self).headroom()
    }

    fn beside_sound(&mut self, sound_bps: Option<u64>) {
        (**self).beside_sound(sound_bps);
    }

    fn moved(&mut self) {
        (**self).moved();
    }
}

/// Where a path is tried first: a small picture at once, and not far to what most paths bear.
const FIRST_BPS: f64 = 800_000.0;
/// Below this a picture is not worth its bits.
const LEAST_BPS: f64 = 50_000.0;
/// No camera needs more.
const MOST_BPS: f64 = 20_000_000.0;
/// Over which the shortest delay counts as that of the path without a queue; two windows are remembered.
const BASE_US: u64 = 10_000_000;
/// Over which what came is counted.
const RATE_US: u64 = 500_000;
/// Packets that are counted at most: 20 Mbit/s of the largest.
const COUNTED: usize = 1_024;
/// A queue below this is none: where times are even, and at most.
const FREE_US: (u64, u64) = (3_000, 15_000);
/// What of a packet's time counts where the first packets of each report follow sound and meet no other.
const BEHIND_US: u64 = 3_500;
/// A queue beyond this is ours to shorten: the same.
const LONG_US: (u64, u64) = (10_000, 40_000);
/// How much more is tried each second near what a path bore, in bits a second.
const TRY_BPS: f64 = 96_000.0;
/// How much beyond what the path bears that gets before a queue of it is seen, and what must have been used of it.
const TOO_MUCH: f64 = 0.8 * TRY_BPS;
const USED: f64 = 0.8;
/// What of a path is filled, so that a voice finds it free.
const FULL: f64 = 0.95;
/// What of what a voice leaves of it is filled where packets leave between those of the voice.
pub(super) const FULL_SPACED: f64 = 0.97;
/// Beyond this part of what a path bore it has become a wider one.
const WIDER: f64 = 1.25;
/// How long not more is tried: first, and at most, twice as long each time that the path still bears the same.
const HOLD_US: (u64, u64) = (2_000_000, 10_000_000);
/// For so long what packets that left together tell is believed, and no more is tried: a path that lets short bursts pass may bear
/// less, which its queue tells, and one that somebody else fills more.
const KNOWN_US: u64 = 60_000_000;
/// A queue beyond this hurts whoever speaks.
const HURTS_US: u64 = 120_000;
/// What of the delivered rate is left while such a queue drains, and a short one.
const DRAIN: f64 = 0.5;
const EASE: f64 = 0.8;
/// What a packet takes on the wire, in bits.
const PACKET_BITS: f64 = 9_600.0;
/// A queue that stays this even, however little is sent, is no queue: the path has become longer.
const EVEN_US: u64 = 8_000;
/// How long it must have been so.
const LONGER_US: u64 = 2_000_000;

/// Keeps the queue of the narrowest place of a path short, and the path full.
///
/// The structure is that of draft-ietf-rmcat-gcc-02: a part that watches delay, a part that watches loss, increase by
/// parts of the rate far from the last known capacity and by steps near it, decrease to a part of what is delivered. What it
/// watches is the queue itself and not how it changes: times by the receiver's clock, minus the shortest such time of the
/// last seconds (as RFC 6817 does), and it leaves a twentieth of the path free, for a voice, but for a try now and then. In
/// virtual time over the same paths that holds a queue some ten times shorter than the gradient does. Beside sound, and where
/// packets that left together come at even times, those tell what the path bears, and nothing is tried for a minute.
#[derive(Debug)]
pub struct DelayEstimator {
    rate: f64,
    /// What the path bore when it was last too much.
    capacity: Option<f64>,
    /// Arrival minus departure of the fastest packet of this window and the last.
    base: Option<i64>,
    before: Option<i64>,
    window_us: u64,
    /// What came: when by the receiver's clock, and how much.
    came: VecDeque<(u64, u32)>,
    came_bytes: u64,
    /// What was sent and told of, over the same time.
    went: VecDeque<(u64, u32, bool)>,
    changed_us: Option<u64>,
    lowered_us: u64,
    /// How long after that not more is tried.
    hold_us: u64,
    /// Where to go on once a queue is gone.
    drained: Option<f64>,
    /// Since when there is a queue, and its bounds since then.
    queued: Option<(u64, u64, u64)>,
    headroom: Headroom,
    /// Whether the queue hurt when the rate was last lowered.
    hurt: bool,
    /// The fastest of the packets last told of, and by how much that changes from report to report.
    fastest: Option<i64>,
    noise_us: f64,
    /// What sound takes of the path, where packets leave behind those of sound.
    sound_bps: Option<u64>,
    /// How far the path pulls packets apart.
    spread: Spread,
    /// When more was tried last than that says.
    tried_us: u64,
}

impl Default for DelayEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl DelayEstimator {
    /// Nothing is known of the path.
    pub fn new() -> Self {
        Self {
            rate: FIRST_BPS,
            capacity: None,
            base: None,
            before: None,
            window_us: 0,
            came: VecDeque::new(),
            came_bytes: 0,
            went: VecDeque::new(),
            changed_us: None,
            lowered_us: 0,
            hold_us: HOLD_US.0,
            drained: None,
            queued: None,
            headroom: Headroom::Some,
            hurt: false,
            fastest: None,
            noise_us: 0.0,
            sound_bps: None,
            spread: Spread::default(),
            tried_us: 0,
        }
    }

    /// The queue that the fastest of these packets met.
    fn queue_us(&mut self, now_us: u64, fates: &[Fate]) -> Option<u64> {
        let transit = |fate: &Fate| Some(fate.arrived_us?.cast_signed().wrapping_sub(fate.sent_us.cast_signed()));
        let fastest = fates.iter().filter_map(transit).min()?;
        if self.window_us + BASE_US <= now_us {
            self.before = self.base.take();
            self.window_us = now_us;
        }
        let change_us = fastest.abs_diff(self.fastest.replace(fastest).unwrap_or(fastest)).min(FREE_US.1);
        self.noise_us += (change_us as f64 - self.noise_us) / 16.0;
        let base = self.base.map_or(fastest, |base| base.min(fastest));
        self.base = Some(base);
        let floor = self.before.map_or(base, |before| before.min(base));
        Some(fastest.wrapping_sub(floor).max(0).unsigned_abs())
    }

    fn count(&mut self, fates: &[Fate]) {
        for fate in fates {
            self.went.push_back((fate.sent_us, fate.bytes, fate.arrived_us.is_some()));
            if let Some(arrived_us) = fate.arrived_us {
                self.came.push_back((arrived_us, fate.bytes));
                self.came_bytes += u64::from(fate.bytes);
            }
        }
        // Times are told by the peer, who can tell what it likes: memory is bounded by count.
        let newest = self.came.back().map_or(0, |(at, _)| *at);
        let past = |at: u64| at.saturating_add(RATE_US) < newest;
        while self.came.len() > COUNTED || self.came.front().is_some_and(|(at, _)| past(*at)) {
            self.came_bytes -= self.came.pop_front().map_or(0, |(_, bytes)| u64::from(bytes));
        }
        let newest = self.went.back().map_or(0, |(at, ..)| *at);
        while self.went.front().is_some_and(|(at, ..)| at + 2 * RATE_US < newest) {
            self.went.pop_front();
        }
    }

    /// Whether more is sent than leaves room for a voice on what the path bore.
    fn is_trying(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.rate > self.full() * capacity)
    }

    /// What was delivered lately, in bits a second; none before there is enough to say.
    fn delivered(&self) -> Option<f64> {
        let (first, last) = (self.came.front()?.0, self.came.back()?.0);
        let span = last.checked_sub(first).filter(|span| *span >= RATE_US / 4)?;
        Some(self.came_bytes as f64 * 8e6 / span as f64)
    }

    fn loss(&self) -> f64 {
        let lost = self.went.iter().filter(|(.., came)| !came).count();
        // Of a few packets one may be lost without meaning anything.
        lost as f64 / self.went.len().max(50) as f64
    }

    fn lower(&mut self, now_us: u64, rate: f64) {
        let delivered = self.delivered();
        // A queue that begins while more is tried is made by that, whatever the frames of that moment take.
        let tried = !self.hurt && self.is_trying();
        let pair = delivered.zip(self.capacity);
        let same = pair.is_some_and(|(new, old)| tried || (0.9..1.1).contains(&(new / old)));
        self.hold_us = if same { HOLD_US.1.min(2 * self.hold_us) } else { HOLD_US.0 };
        // Who makes frames of unlike size fills the path for moments only: what comes then is less than the path bears.
        self.capacity = match self.capacity.filter(|_| same) {
            Some(capacity) => delivered.map(|delivered| {
                let least = if tried && delivered > USED * self.rate { self.rate - TOO_MUCH } else { 0.0 };
                delivered.max(0.98 * capacity).max(least)
            }),
            None => delivered.or(self.capacity),
        };
        self.rate = rate.min(self.rate);
        (self.lowered_us, self.tried_us) = (now_us, now_us);
    }

    fn raise(&mut self, now_us: u64, since_us: u64) {
        let seconds = since_us.min(500_000) as f64 / 1e6;
        let near = self.capacity.filter(|capacity| (0.8..1.1).contains(&(self.rate / capacity)));
        let raised = match (near, self.capacity) {
            // One packet each tenth of a second more, and beyond what leaves room for a voice only now and then.
            (Some(capacity), _) => {
                let raised = self.rate + TRY_BPS * seconds;
                if self.lowered_us + self.hold_us <= now_us { raised } else { raised.min(self.full() * capacity) }
            }
            (None, Some(_)) => self.rate * (1.0 + 0.25 * seconds),
            (None, None) => self.rate * (1.0 + 0.6 * seconds),
        };
        // Who has little to send learns nothing of a path that would bear much.
        let most = self.delivered().map_or(self.rate, |delivered| 1.5 * delivered + 50_000.0);
        self.headroom = if raised > most { Headroom::Unknown } else { Headroom::Some };
        self.rate = self.rate.max(raised.min(most));
        if self.capacity.is_some_and(|capacity| self.rate > WIDER * capacity) {
            self.capacity = None;
        }
        // What is known need not be tried, but now and then.
        if let Some(known) = self.known().filter(|known| now_us < self.tried_us + KNOWN_US && self.rate > FULL * known)
        {
            self.rate = FULL * known;
            self.capacity = self.capacity.or(Some(known));
        }
    }

    /// What there is for pictures beside sound, as far as packets that left together tell.
    fn known(&self) -> Option<f64> {
        Some(self.spread.bps()? - self.sound_bps? as f64).filter(|known| *known > LEAST_BPS)
    }

    fn full(&self) -> f64 {
        if self.sound_bps.is_some() { FULL_SPACED } else { FULL }
    }

    /// Up to where a queue is none, from where on it is ours to shorten, and from where on it hurts, in microseconds. Where
    /// packets come at uneven times anyway, a short queue cannot be told from chance.
    fn bounds(&self) -> (u64, u64, u64) {
        // On a thin path one packet alone is a queue.
        let delivered = self.delivered();
        let packet_us = delivered.map_or(0, |delivered| (PACKET_BITS * 1e6 / delivered) as u64).min(LONG_US.1);
        let packet_us = if self.sound_bps.is_some() { packet_us.min(BEHIND_US.max(packet_us / 2)) } else { packet_us };
        let noise_us = self.noise_us as u64;
        let free_us = (FREE_US.0 + noise_us).min(FREE_US.1);
        let long_us = (LONG_US.0 + 3 * noise_us).min(LONG_US.1);
        (packet_us + free_us, packet_us + long_us, packet_us + HURTS_US)
    }

    /// Whether a queue has been there, and even, for a while in which nothing was done about it: a queue that we keep up
    /// ends when less is sent, and only one that does not is the path's own.
    fn stands(&self, now_us: u64) -> bool {
        self.queued.is_some_and(|(since_us, ..)| since_us + LONGER_US / 2 <= now_us && self.lowered_us <= since_us)
    }

    /// Whether the queue is there for so long, and so evenly, that the path itself must have become longer.
    fn is_longer(&mut self, now_us: u64, queue_us: u64) -> bool {
        let (since_us, least, most) = self.queued.unwrap_or((now_us, queue_us, queue_us));
        let (least, most) = (least.min(queue_us), most.max(queue_us));
        let even = most - least <= EVEN_US;
        self.queued = Some(if even { (since_us, least, most) } else { (now_us, queue_us, queue_us) });
        even && since_us + LONGER_US <= now_us
    }
}

impl Estimator for DelayEstimator {
    fn reported(&mut self, now_us: u64, fates: &[Fate]) {
        let Some(mut queue_us) = self.queue_us(now_us, fates) else { return };
        self.count(fates);
        self.spread.look(fates);
        if self.changed_us.is_none() {
            self.tried_us = now_us;
        }
        let (free_us, long_us, hurts_us) = self.bounds();
        if queue_us <= long_us {
            self.hurt = false;
        }
        if queue_us <= free_us {
            self.queued = None;
        } else if self.is_longer(now_us, queue_us) {
            (self.base, self.before, self.queued, self.capacity) = (None, None, None, None);
            queue_us = 0;
        }
        let since_us = now_us.saturating_sub(self.changed_us.unwrap_or(now_us));
        self.changed_us = Some(now_us);
        let loss = self.loss();
        let delivered = self.delivered();
        self.headroom = if queue_us > free_us { Headroom::Gone } else { Headroom::Some };
        // While there is a queue, what comes is what the path bears.
        if let Some((capacity, delivered)) = self.capacity.zip(delivered).filter(|_| queue_us > free_us) {
            self.capacity = Some(capacity.max(delivered));
        }
        // A change shows after a round trip and a report.
        let settled = self.lowered_us + 250_000 <= now_us;
        if queue_us > long_us {
            let hurts = queue_us > hurts_us;
            let part = if hurts { DRAIN } else { 0.9 };
            if let Some(delivered) = delivered.filter(|_| settled || hurts && !self.hurt) {
                self.hurt = hurts;
                self.lower(now_us, delivered * part);
                self.drained = hurts.then_some(delivered * 0.85);
            }
        } else if let Some(rate) = self.drained.take_if(|_| queue_us <= free_us) {
            self.rate = self.rate.max(rate);
        } else if loss > 0.1 {
            if settled {
                self.lower(now_us, self.rate * (1.0 - 0.5 * loss));
            }
        } else if queue_us <= free_us && loss <= 0.04 {
            self.raise(now_us, since_us);
        } else if queue_us > free_us
            && settled
            && (self.stands(now_us) || self.is_trying())
            && let Some(delivered) = delivered
        {
            self.lower(now_us, delivered * EASE);
            self.drained = self.capacity.map(|capacity| capacity * self.full());
        }
        self.rate = self.rate.clamp(LEAST_BPS, MOST_BPS);
    }

    fn target_bps(&self) -> u64 {
        self.rate as u64
    }

    fn headroom(&self) -> Headroom {
        self.headroom
    }

    fn beside_sound(&mut self, sound_bps: Option<u64>) {
        self.sound_bps = sound_bps;
    }

    fn moved(&mut self) {
        *self = Self { rate: self.rate.min(FIRST_BPS), ..Self::new() };
    }
}
