//! Roads for pictures, in virtual time: a path with a rate, a queue, a delay and a loss, and both ends of a link on it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, VecDeque};

use sidetone_media::video::*;

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;
pub const FRAME_US: u64 = 33_333;
/// Sound: a packet each 20 ms, of 24 kbit/s.
const VOICE_US: u64 = 20 * MS;
const VOICE_BYTES: usize = 60 + 14 + OVERHEAD;

pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// One direction: a rate, a queue that holds so much, a delay, a loss.
pub struct Path {
    pub rate_bps: Box<dyn Fn(u64) -> u64>,
    pub queue_us: u64,
    pub delay_us: u64,
    pub jitter_us: u64,
    pub loss_permille: u64,
    /// When the last packet in the queue has left it.
    pub free_us: u64,
    pub carried_bits: u64,
    pub dropped: u64,
}

impl Path {
    pub fn new(rate_bps: impl Fn(u64) -> u64 + 'static) -> Self {
        let rate_bps = Box::new(rate_bps);
        Self {
            rate_bps,
            queue_us: 400 * MS,
            delay_us: 20 * MS,
            jitter_us: 0,
            loss_permille: 0,
            free_us: 0,
            carried_bits: 0,
            dropped: 0,
        }
    }

    pub fn carry(&mut self, now_us: u64, bytes: usize, dice: &mut Dice) -> Option<u64> {
        let rate = (self.rate_bps)(now_us);
        let begins = self.free_us.max(now_us);
        if rate == 0 || begins - now_us > self.queue_us || dice.roll(1_000) < self.loss_permille {
            self.dropped += 1;
            return None;
        }
        self.free_us = begins + bytes as u64 * 8 * SECOND / rate;
        self.carried_bits += bytes as u64 * 8;
        Some(self.free_us + self.delay_us + dice.roll(self.jitter_us + 1))
    }
}

/// What a viewer saw.
#[derive(Default)]
pub struct Seen {
    /// Capture and completion of each frame.
    pub frames: Vec<(u64, u64)>,
    pub broken: u64,
}

impl Seen {
    pub fn delay(&self, permille: usize, from_us: u64) -> u64 {
        let mut delays: Vec<u64> = self
            .frames
            .iter()
            .filter(|(captured, _)| *captured >= from_us)
            .map(|(captured, came)| came - captured)
            .collect();
        delays.sort_unstable();
        delays[(delays.len() - 1) * permille / 1_000]
    }

    /// Pauses between two frames in which a viewer sees that nothing moves (webrtc-stats: freezeCount).
    pub fn freezes(&self, from_us: u64) -> usize {
        let shown: Vec<u64> = self.frames.iter().map(|(_, came)| *came).filter(|came| *came >= from_us).collect();
        shown.windows(2).filter(|pair| pair[1] - pair[0] > (3 * FRAME_US).max(FRAME_US + 150 * MS)).count()
    }
}

/// Both ends of the pictures of one link, and the path between them; a voice passes it too.
pub struct Leg {
    pub uplink: Uplink<Box<dyn Estimator>>,
    pub downlink: Downlink,
    pub forth: Path,
    pub back: Path,
    pub dice: Dice,
    flying: BTreeMap<(u64, u64), Outgoing>,
    reports: VecDeque<(u64, Vec<u8>)>,
    count: u64,
    pub seen: Seen,
    /// Every tenth of a second: when, the target, how long what waits would take.
    pub targets: Vec<(u64, u64, u64)>,
    /// Whether somebody speaks, and how long each packet took.
    pub speaks: bool,
    pub voice: Vec<u64>,
}

impl Leg {
    pub fn new(seed: u64, forth: Path, estimator: Box<dyn Estimator>) -> Self {
        let mut uplink = Uplink::new(estimator, 65_000);
        uplink.set_active(Track::Camera, true);
        Self {
            uplink,
            downlink: Downlink::new(),
            forth,
            back: Path::new(|_| 1_000_000),
            dice: Dice(seed),
            flying: BTreeMap::new(),
            reports: VecDeque::new(),
            count: 0,
            seen: Seen::default(),
            targets: Vec::new(),
            speaks: false,
            voice: Vec::new(),
        }
    }

    /// A millisecond; whether the viewer needs a key frame.
    pub fn turn(&mut self, now: u64, captured: &BTreeMap<u32, (u64, Vec<u8>)>) -> bool {
        let mut key = false;
        if self.speaks && now.is_multiple_of(VOICE_US) {
            let came = self.forth.carry(now, VOICE_BYTES, &mut self.dice);
            self.uplink.sound(now, VOICE_US);
            self.voice.extend(came.map(|came| came - now));
        }
        while let Some(packet) = self.uplink.poll(now) {
            let bytes = packet.payload.len() + OVERHEAD;
            if let Some(at) = self.forth.carry(now, bytes, &mut self.dice) {
                self.count += 1;
                self.flying.insert((at, self.count), packet);
            }
        }
        while let Some(first) = self.flying.first_entry().filter(|first| first.key().0 <= now) {
            let packet = first.remove();
            self.downlink.insert(now, packet.sequence, packet.timestamp, &packet.payload);
        }
        while let Some((_, whole)) = self.downlink.next(now) {
            let (captured, bytes) = &captured[&whole.timestamp];
            self.seen.broken += u64::from(*bytes != whole.bytes);
            self.seen.frames.push((*captured, now));
        }
        if let Some(report) = self.downlink.report(now) {
            let bytes = report.write();
            if let Some(at) = self.back.carry(now, bytes.len() + OVERHEAD, &mut self.dice) {
                self.reports.push_back((at, bytes));
            }
        }
        while self.reports.front().is_some_and(|(at, _)| *at <= now) {
            let report = Report::read(&self.reports.pop_front().unwrap().1).unwrap();
            key |= self.uplink.report(now, &report)[0];
            if let Some(round_trip_us) = self.uplink.round_trip_us() {
                self.downlink.set_round_trip_us(round_trip_us);
            }
        }
        if now.is_multiple_of(100 * MS) {
            let waits = self.forth.free_us.saturating_sub(now) + self.uplink.queue_us(Track::Camera);
            self.targets.push((now, self.uplink.target_bps(), waits));
        }
        key
    }

    pub fn longest_queue_us(&self, within: std::ops::Range<u64>) -> u64 {
        self.targets.iter().filter(|(at, ..)| within.contains(at)).map(|(.., waits)| *waits).max().unwrap()
    }

    pub fn target_bps(&self, within: std::ops::Range<u64>) -> (u64, u64) {
        let targets = self.targets.iter().filter(|(at, ..)| within.contains(at)).map(|(_, bps, _)| *bps);
        (targets.clone().min().unwrap(), targets.max().unwrap())
    }

    /// How much longer than the fastest a packet of the voice took, for so many of a thousand.
    pub fn voice_jitter_us(&self, permille: usize) -> u64 {
        let mut took = self.voice.clone();
        took.sort_unstable();
        took[(took.len() - 1) * permille / 1_000] - took[0]
    }
}

/// An encoder that makes what it is told to, as well as encoders do.
pub struct Encoder {
    pub next_us: u64,
    pub frame: u32,
    pub key: bool,
    pub most_bps: u64,
}

impl Encoder {
    pub fn new() -> Self {
        Self { next_us: SECOND, frame: 0, key: true, most_bps: 2_500_000 }
    }

    /// The next frame, at this rate: its kind, its timestamp, its bytes.
    pub fn encode(&mut self, bps: u64, dice: &mut Dice) -> (Kind, u32, Vec<u8>) {
        self.next_us += FRAME_US;
        self.frame += 1;
        let usual = bps.min(self.most_bps) * FRAME_US / SECOND / 8;
        let key = std::mem::take(&mut self.key);
        // An encoder is right on the average only, and a key frame costs as much as a few others.
        let size = usual * (80 + dice.roll(40)) / 100 * if key { 4 } else { 1 };
        let kind = if key { Kind::Key } else { Kind::Delta };
        let sealed = (0..size.max(50)).map(|place| (place + u64::from(self.frame)) as u8).collect();
        (kind, self.frame.wrapping_mul(3_000), sealed)
    }
}
