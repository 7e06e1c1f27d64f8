//! Pictures over paths that change, in virtual time: both ends as they are on a link, and a path between them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use rtc_interceptor::{BandwidthEstimator, Gcc, PacketReport};
use sidetone_media::video::*;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
const FRAME_US: u64 = 33_333;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// One direction: a rate, a queue that holds so much, a delay, a loss.
struct Path {
    rate_bps: Box<dyn Fn(u64) -> u64>,
    queue_us: u64,
    delay_us: u64,
    jitter_us: u64,
    loss_permille: u64,
    /// When the last packet in the queue has left it.
    free_us: u64,
    carried_bits: u64,
    dropped: u64,
}

impl Path {
    fn new(rate_bps: impl Fn(u64) -> u64 + 'static) -> Self {
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

    fn carry(&mut self, now_us: u64, bytes: usize, dice: &mut Dice) -> Option<u64> {
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

/// An encoder that makes what it is told to, as well as encoders do.
struct Encoder {
    next_us: u64,
    frame: u32,
    key: bool,
    most_bps: u64,
}

/// What a viewer saw.
#[derive(Default)]
struct Seen {
    /// Capture and completion of each frame.
    frames: Vec<(u64, u64)>,
    broken: u64,
}

impl Seen {
    fn delay(&self, permille: usize, from_us: u64) -> u64 {
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
    fn freezes(&self, from_us: u64) -> usize {
        let shown: Vec<u64> = self.frames.iter().map(|(_, came)| *came).filter(|came| *came >= from_us).collect();
        shown.windows(2).filter(|pair| pair[1] - pair[0] > (3 * FRAME_US).max(FRAME_US + 150 * MS)).count()
    }
}

/// The library's controller, to be compared with ours.
struct Gradient(std::time::Instant, Gcc);

impl Estimator for Gradient {
    fn reported(&mut self, now_us: u64, fates: &[Fate]) {
        let at = |us| self.0 + Duration::from_micros(us);
        let report = |fate: &Fate| PacketReport {
            ssrc: 0,
            id: fate.number,
            rtp_sequence_number: fate.number as u16,
            is_twcc: true,
            twcc_sequence_number: fate.number as u16,
            size: fate.bytes as usize,
            arrived: fate.arrived_us.is_some(),
            departure: at(fate.sent_us),
            arrival: fate.arrived_us.map(Duration::from_micros),
            ecn: Default::default(),
        };
        let reports: Vec<PacketReport> = fates.iter().map(report).collect();
        self.1.on_reports(at(now_us), &reports);
    }

    fn target_bps(&self) -> u64 {
        self.1.target_bitrate() as u64
    }
}

struct Call {
    uplink: Uplink<Box<dyn Estimator>>,
    downlink: Downlink,
    encoder: Encoder,
    forth: Path,
    back: Path,
    dice: Dice,
    now_us: u64,
    flying: BTreeMap<(u64, u64), Outgoing>,
    reports: VecDeque<(u64, Vec<u8>)>,
    count: u64,
    captured: BTreeMap<u32, (u64, Vec<u8>)>,
    seen: Seen,
    targets: Vec<(u64, u64, u64)>,
}

impl Call {
    fn new(seed: u64, forth: Path, estimator: Box<dyn Estimator>) -> Self {
        Self {
            uplink: Uplink::new(estimator, 65_000),
            downlink: Downlink::new(),
            encoder: Encoder { next_us: SECOND, frame: 0, key: true, most_bps: 2_500_000 },
            forth,
            back: Path::new(|_| 1_000_000),
            dice: Dice(seed),
            now_us: SECOND,
            flying: BTreeMap::new(),
            reports: VecDeque::new(),
            count: 0,
            captured: BTreeMap::new(),
            seen: Seen::default(),
            targets: Vec::new(),
        }
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now_us + seconds * SECOND;
        self.uplink.set_active(Track::Camera, true);
        while self.now_us < end {
            self.turn();
            self.now_us += MS;
        }
    }

    fn turn(&mut self) {
        let now = self.now_us;
        if self.encoder.next_us <= now {
            self.encode();
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
            let (captured, bytes) = &self.captured[&whole.timestamp];
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
            let keys = self.uplink.report(now, &report);
            self.encoder.key |= keys[0];
            if let Some(round_trip_us) = self.uplink.round_trip_us() {
                self.downlink.set_round_trip_us(round_trip_us);
            }
        }
        if now.is_multiple_of(100 * MS) {
            let waits = self.forth.free_us.saturating_sub(now) + self.uplink.queue_us(Track::Camera);
            self.targets.push((now, self.uplink.target_bps(), waits));
        }
    }

    fn encode(&mut self) {
        self.encoder.next_us += FRAME_US;
        self.encoder.frame += 1;
        let usual = self.uplink.encoder_bps(Track::Camera).min(self.encoder.most_bps) * FRAME_US / SECOND / 8;
        let key = std::mem::take(&mut self.encoder.key);
        // An encoder is right on the average only, and a key frame costs as much as a few others.
        let size = usual * (80 + self.dice.roll(40)) / 100 * if key { 4 } else { 1 };
        let kind = if key { Kind::Key } else { Kind::Delta };
        let sealed: Vec<u8> = (0..size.max(50)).map(|place| (place + u64::from(self.encoder.frame)) as u8).collect();
        let timestamp = self.encoder.frame.wrapping_mul(3_000);
        let pushed = self.uplink.push(Track::Camera, kind, timestamp, &split(&sealed, kind));
        if pushed == Pushed::Dropped {
            self.encoder.key = true;
        }
        self.captured.insert(timestamp, (self.now_us, sealed));
    }

    fn used(&self, from: &Mark, rate_bps: u64) -> f64 {
        let span = (self.now_us - from.at_us) as f64 / SECOND as f64;
        (self.forth.carried_bits - from.bits) as f64 / span / rate_bps as f64
    }

    fn mark(&self) -> Mark {
        Mark { at_us: self.now_us, bits: self.forth.carried_bits }
    }

    fn longest_queue_us(&self, within: std::ops::Range<u64>) -> u64 {
        self.targets.iter().filter(|(at, ..)| within.contains(at)).map(|(.., waits)| *waits).max().unwrap()
    }

    fn target_bps(&self, within: std::ops::Range<u64>) -> (u64, u64) {
        let targets = self.targets.iter().filter(|(at, ..)| within.contains(at)).map(|(_, bps, _)| *bps);
        (targets.clone().min().unwrap(), targets.max().unwrap())
    }
}

struct Mark {
    at_us: u64,
    bits: u64,
}

const SEEDS: u64 = 8;

/// 1.5 Mbit/s with 40 ms and 1 % loss for a minute: part of the path, freezes, delay of a frame at the median and at 95 %.
fn steady(estimator: impl Fn() -> Box<dyn Estimator>) -> (f64, f64, u64, u64) {
    let (mut used, mut freezes, mut median, mut late) = (0.0, 0.0, 0, 0);
    for seed in 0..SEEDS {
        let mut path = Path::new(|_| 1_500_000);
        path.loss_permille = 10;
        let mut call = Call::new(seed, path, estimator());
        call.run(10);
        let mark = call.mark();
        call.run(60);
        used += call.used(&mark, 1_500_000) / SEEDS as f64;
        freezes += call.seen.freezes(mark.at_us) as f64 / SEEDS as f64;
        median = median.max(call.seen.delay(500, mark.at_us));
        late = late.max(call.seen.delay(950, mark.at_us));
        assert_eq!(call.seen.broken, 0, "a frame came otherwise than it went");
    }
    (used, freezes, median, late)
}

#[test]
fn a_steady_path_with_loss_is_used_and_does_not_freeze() {
    let (used, freezes, median, late) = steady(|| Box::new(DelayEstimator::new()));
    println!("ours: {used:.3} of the path, {freezes:.1} freezes a minute, {}/{} ms", median / MS, late / MS);
    assert!(used >= 0.85, "{used:.3} of the path used");
    assert!(freezes <= 1.0, "{freezes} freezes a minute");
    assert!(late <= 200 * MS, "95 % of the frames within {} ms", late / MS);

    let gradient = || Box::new(Gradient(std::time::Instant::now(), Gcc::new(800e3, 50e3, 20e6))) as Box<dyn Estimator>;
    let theirs = steady(gradient);
    println!("the library's: {theirs:.3?}");
    assert!(2 * late < theirs.3 && freezes < theirs.1, "the library's controller would do: {theirs:?}");
}

/// 3 Mbit/s, for half a minute 300 kbit/s, 3 Mbit/s again.
fn step(now: u64) -> u64 {
    if (31 * SECOND..61 * SECOND).contains(&now) { 300_000 } else { 3_000_000 }
}

#[test]
fn a_path_that_shrinks_to_a_tenth_has_no_long_queue_after_two_seconds() {
    for seed in 0..SEEDS {
        let mut call = Call::new(seed, Path::new(step), Box::new(DelayEstimator::new()));
        call.run(80);
        let longest = call.longest_queue_us(33 * SECOND..61 * SECOND);
        assert!(longest <= 300 * MS, "a queue of {} ms", longest / MS);
        let (_, most) = call.target_bps(71 * SECOND..81 * SECOND);
        assert!(most >= 2_500_000, "10 s after it is wide again {most} bit/s are dared");
        assert!(call.seen.freezes(33 * SECOND) <= 4, "{} freezes", call.seen.freezes(33 * SECOND));
        assert_eq!(call.seen.broken, 0);
    }
}

#[test]
fn a_path_that_becomes_longer_is_not_taken_for_a_full_one() {
    let mut call = Call::new(1, Path::new(|_| 3_000_000), Box::new(DelayEstimator::new()));
    call.run(20);
    // Through a relay far away from now on.
    call.forth.delay_us += 80 * MS;
    call.run(30);
    let (least, _) = call.target_bps(30 * SECOND..51 * SECOND);
    assert!(least > 1_500_000, "{least} bit/s");
    assert!(call.seen.delay(950, 30 * SECOND) < 250 * MS);
}

#[test]
fn jitter_is_not_taken_for_a_queue() {
    let mut path = Path::new(|_| 3_000_000);
    path.jitter_us = 30 * MS;
    let mut call = Call::new(2, path, Box::new(DelayEstimator::new()));
    call.run(30);
    let (least, _) = call.target_bps(10 * SECOND..31 * SECOND);
    assert!(least > 1_000_000, "{least} bit/s");
    assert_eq!(call.seen.broken, 0);
}

#[test]
fn while_nothing_comes_back_hardly_anything_is_sent_and_afterwards_it_goes_on() {
    let outage = |now: u64| if (11 * SECOND..16 * SECOND).contains(&now) { 0 } else { 1_500_000 };
    let mut call = Call::new(3, Path::new(outage), Box::new(DelayEstimator::new()));
    call.run(11);
    let before = call.forth.dropped;
    call.run(4);
    let lost = call.forth.dropped - before;
    assert!(lost < 150, "{lost} packets sent into nothing");
    let frames = call.seen.frames.len();
    call.run(3);
    let after = call.seen.frames.len() - frames;
    assert!(after >= 30, "{after} frames in the two seconds after the path is back");
}

#[test]
fn a_path_that_hardly_bears_a_voice_is_not_flooded() {
    let mut call = Call::new(4, Path::new(|_| 60_000), Box::new(DelayEstimator::new()));
    call.run(30);
    let (_, most) = call.target_bps(10 * SECOND..31 * SECOND);
    assert!(most <= 100_000, "{most} bit/s");
}

#[test]
fn a_limit_set_by_the_app_is_kept() {
    let mut call = Call::new(5, Path::new(|_| 3_000_000), Box::new(DelayEstimator::new()));
    call.uplink.set_limit_bps(400_000);
    call.run(5);
    let mark = call.mark();
    call.run(20);
    let used = call.used(&mark, 400_000);
    assert!((0.7..1.05).contains(&used), "{used}");
}

#[test]
fn camera_and_screen_share_what_there_is_and_the_screen_gets_more() {
    let mut uplink = Uplink::new(DelayEstimator::new(), 0);
    uplink.set_active(Track::Camera, true);
    let alone = uplink.encoder_bps(Track::Camera);
    uplink.set_active(Track::Screen, true);
    let (camera, screen) = (uplink.encoder_bps(Track::Camera), uplink.encoder_bps(Track::Screen));
    assert!(screen > 2 * camera && camera + screen <= alone, "{camera} and {screen} of {alone}");
    uplink.set_active(Track::Screen, false);
    assert_eq!(uplink.encoder_bps(Track::Camera), alone);
}

#[test]
fn a_report_of_what_was_never_sent_changes_nothing() {
    let mut uplink = Uplink::new(DelayEstimator::new(), 100);
    let arrivals = vec![Some(1); 400];
    for first in [0, 99, 100, 101, 40_000] {
        let report =
            Report { first, arrivals: arrivals.clone(), again: vec![(Track::Camera, first)], ..Report::default() };
        assert_eq!(uplink.report(SECOND, &report), [false; 2]);
    }
    let target = uplink.target_bps();
    uplink.push(Track::Camera, Kind::Key, 0, &split(&[1; 5_000], Kind::Key));
    let mut sent = 0;
    while uplink.poll(SECOND).is_some() {
        sent += 1;
    }
    assert!(sent > 0);
    let lies = Report { first: 100, arrivals: vec![Some(u64::MAX); 400], held_us: u64::MAX, ..Report::default() };
    uplink.report(SECOND + 1, &lies);
    // Told once, a fate is not told again.
    for _ in 0..100 {
        uplink.report(SECOND + 2, &Report { first: 100, arrivals: vec![None; 400], ..Report::default() });
    }
    assert!(uplink.target_bps() <= 2 * target && uplink.target_bps() >= target / 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reports_read_as_they_were_written(
        keys in any::<[bool; 2]>(),
        again in proptest::collection::vec((any::<bool>(), any::<u16>()), 0..ASKED),
        first in any::<u16>(),
        came in proptest::collection::vec(proptest::option::weighted(0.9, 0..40_000u64), 0..TOLD),
        at in 0..1u64 << 40,
        held in 0..10_000u64,
    ) {
        let at_us = 10_000_000_000 + at / 250 * 250;
        let track = |screen| if screen { Track::Screen } else { Track::Camera };
        let again: Vec<_> = again.into_iter().map(|(screen, number)| (track(screen), number)).collect();
        let arrivals: Vec<_> = came.into_iter().map(|came| came.map(|units| at_us - units * 250)).collect();
        let report = Report { keys, again, first, arrivals, at_us, held_us: held * 250 };
        let bytes = report.write();
        prop_assert!(bytes.len() <= REPORT_BYTES);
        let read = Report::read(&bytes).unwrap();
        prop_assert_eq!((&read.again, read.keys, read.first, read.held_us), (&report.again, keys, first, report.held_us));
        // The clock is told modulo 2^32 units: what counts is how long ago.
        let ago = |report: &Report| -> Vec<_> { report.arrivals.iter().map(|came| came.map(|us| report.at_us - us)).collect() };
        prop_assert_eq!(ago(&read), ago(&report));
        for cut in 0..bytes.len() {
            prop_assert_eq!(Report::read(&bytes[..cut]), None);
        }
    }

    #[test]
    fn no_payload_harms_either_end(
        payloads in proptest::collection::vec((any::<u16>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..200),
    ) {
        let (mut downlink, mut uplink) = (Downlink::new(), Uplink::new(DelayEstimator::new(), 0));
        for (now, (sequence, timestamp, payload)) in (0..).step_by(997).zip(payloads) {
            if let Some(report) = Report::read(&payload) {
                uplink.report(now, &report);
            }
            downlink.insert(now, sequence, timestamp, &payload.into());
            let told = downlink.report(now);
            prop_assert!(told.is_none_or(|report| report.arrivals.len() <= TOLD && report.write().len() <= REPORT_BYTES));
            while downlink.next(now).is_some() {}
        }
    }
}
