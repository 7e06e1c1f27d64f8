//! What the sending end makes of what it is told, without a road.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use sidetone_media::video::*;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;

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
    uplink.push(Track::Camera, Kind::Key, 0, &vec![1; 5_000].into());
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

/// Notes which packets it is told of.
#[derive(Default)]
struct Told(Arc<Mutex<Vec<u64>>>);

impl Estimator for Told {
    fn reported(&mut self, _: u64, fates: &[Fate]) {
        self.0.lock().unwrap().extend(fates.iter().map(|fate| fate.number));
    }

    fn target_bps(&self) -> u64 {
        1_000_000
    }
}

#[test]
fn an_encoder_whose_frames_wait_is_told_to_make_less_until_none_waits() {
    let (mut uplink, mut downlink) = (Uplink::new(Told::default(), 0), Downlink::new());
    uplink.set_active(Track::Camera, true);
    let before = uplink.encoder_bps(Track::Camera);
    let mut run = |from_ms: u64, until_ms: u64, bytes: usize| {
        for now_us in (from_ms..until_ms).map(|now_ms| now_ms * MS) {
            if now_us.is_multiple_of(33 * MS) {
                uplink.push(Track::Camera, Kind::Key, now_us as u32, &vec![0; bytes].into());
            }
            while let Some(packet) = uplink.poll(now_us) {
                downlink.insert(now_us, packet.sequence, packet.timestamp, &packet.payload);
            }
            if let Some(report) = downlink.report(now_us) {
                uplink.report(now_us, &report);
            }
        }
        uplink.encoder_bps(Track::Camera)
    };
    assert_eq!(run(0, 2_000, 3_500), before, "frames of what the path bears wait for none");
    let behind = run(2_000, 3_000, 5_500);
    assert!(behind < before * 8 / 10 && behind > before * 7 / 10, "{behind} of {before} bit/s");
    assert_eq!(run(3_000, 4_000, 0), before, "nothing waits any more");
}

struct Fixed(u64);

impl Estimator for Fixed {
    fn reported(&mut self, _: u64, _: &[Fate]) {}

    fn target_bps(&self) -> u64 {
        self.0
    }
}

/// The gaps between sound hold one of the largest packets and most of another: one of each goes, also of the largest frame.
#[test]
fn the_largest_frame_fills_the_gaps_between_sound() {
    let mut uplink = Uplink::new(Fixed(800_000), 0);
    uplink.set_active(Track::Screen, true);
    uplink.push(Track::Screen, Kind::Key, 0, &vec![0; SEALED_BYTES].into());
    let mut sent = 0;
    for now_us in (0..3_000).map(|now_ms| now_ms * MS) {
        if now_us.is_multiple_of(20 * MS) {
            uplink.sound(now_us, 20 * MS);
        }
        sent += std::iter::from_fn(|| uplink.poll(now_us)).map(|packet| packet.payload.len() + OVERHEAD).sum::<usize>();
        // Nobody tells what came: what is on its way is not what holds it up.
        let newest = uplink.stamp();
        let report = Report { first: newest, arrivals: vec![Some(now_us)], at_us: now_us, ..Report::default() };
        uplink.report(now_us, &report);
    }
    let part = sent as f64 * 8.0 / (3.0 * 8e5);
    assert!(part > 0.85 && part < 1.1, "{part:.2} of the path");
}

/// Somebody else's packets between ours make them tell of less than there is.
#[test]
fn what_packets_that_left_together_tell_is_believed_for_a_minute() {
    let mut estimator = DelayEstimator::new();
    let (mut number, mut now_us, mut owed) = (0, SECOND, 0);
    let mut most = [0; 2];
    for report in 0..1_600 {
        now_us += 50 * MS;
        owed += estimator.target_bps() / 20;
        let count = owed / 9_600;
        owed -= count * 9_600;
        let fates: Vec<Fate> = (0..count)
            .map(|index| {
                let sent_us = now_us - 50 * MS + index / 3 * 10 * MS;
                number += 1;
                Fate { number, sent_us, arrived_us: Some(sent_us + 20 * MS + index % 3 * 9_600), bytes: 1_200 }
            })
            .collect();
        estimator.beside_sound(Some(60_000));
        estimator.reported(now_us, &fates);
        if report > 100 {
            let minute = &mut most[usize::from(report >= 1_200)];
            *minute = estimator.target_bps().max(*minute);
        }
    }
    // They tell of 1 Mbit/s.
    assert!(most[0] <= 940_000 && most[1] > 1_200_000, "{most:?} bit/s in the first minute and after it");
}

/// More is tried now and then, and the queue that makes tells what the path bears; what the frames of that moment take does not.
#[test]
fn a_path_is_not_taken_for_a_narrow_one_because_little_is_sent_when_more_is_tried() {
    let mut estimator = DelayEstimator::new();
    let (mut number, mut now_us, mut owed) = (0, SECOND, 0.0);
    let mut mean = 0.0;
    for report in 0..2_400 {
        // First all of it is used, then an encoder makes what the film needs.
        let part = if report < 200 { 1.0 } else { 0.85 };
        let target = estimator.target_bps() as f64;
        owed += part * target.min(1_440_000.0) / 20.0;
        let queue_us = if target > 1_500_000.0 { 14_000 } else { 0 };
        let count = (owed / 9_600.0) as u64;
        owed -= count as f64 * 9_600.0;
        let fates: Vec<Fate> = (0..count)
            .map(|index| {
                let sent_us = now_us + index * 50_000 / count;
                number += 1;
                Fate { number, sent_us, arrived_us: Some(sent_us + 20_000 + queue_us), bytes: 1_200 }
            })
            .collect();
        now_us += 50_000;
        estimator.reported(now_us, &fates);
        if report >= 400 {
            mean += target / 2_000.0;
        }
    }
    assert!(mean >= 1_330_000.0, "{mean} bit/s of a path that bears 1,440,000");
}

/// A path that was shorter would leave its length behind: everything on the new one would look like a queue.
#[test]
fn what_was_under_way_when_the_path_changed_tells_nothing_of_the_new_one() {
    let told = Arc::default();
    let mut uplink = Uplink::new(Told(Arc::clone(&told)), 0);
    uplink.set_active(Track::Camera, true);
    let send = |uplink: &mut Uplink<Told>, now_us: u64| {
        uplink.push(Track::Camera, Kind::Key, 0, &vec![1; 900].into());
        u64::from(uplink.poll(now_us).unwrap().sequence)
    };
    let report = |first: u64, now_us| Report {
        first: first as u16,
        arrivals: vec![Some(now_us)],
        at_us: now_us,
        ..Report::default()
    };
    let before = send(&mut uplink, SECOND);
    uplink.moved();
    uplink.report(SECOND + 40 * MS, &report(before, SECOND + 20 * MS));
    assert!(told.lock().unwrap().is_empty());
    assert_eq!(uplink.round_trip_us(), None);
    let after = send(&mut uplink, 2 * SECOND);
    uplink.report(2 * SECOND + 90 * MS, &report(after, 2 * SECOND + 60 * MS));
    assert_eq!(*told.lock().unwrap(), [after]);
    assert_eq!(uplink.round_trip_us(), Some(90 * MS));
}

/// A wait that is always the same is no queue of ours, also where it is too short to be worth shortening.
#[test]
fn a_path_that_is_a_little_longer_now_is_not_taken_for_a_full_one() {
    let mut estimator = DelayEstimator::new();
    let mut number = 0;
    let mut run = |estimator: &mut DelayEstimator, from_us: u64, transit_us: u64| {
        for now_us in (from_us..from_us + 8 * SECOND).step_by(50_000) {
            let fate = |index: u64| {
                let sent_us = now_us + index * 10_000;
                let arrived_us = Some(sent_us + transit_us);
                Fate { number: number + index, sent_us, arrived_us, bytes: 600 }
            };
            let fates: Vec<_> = (0..5).map(fate).collect();
            number += 5;
            estimator.reported(now_us + 60_000, &fates);
        }
    };
    run(&mut estimator, 0, 20 * MS);
    let before = estimator.target_bps();
    // Between what counts as none and what is ours to shorten at 480 kbit/s.
    run(&mut estimator, 8 * SECOND, 50 * MS);
    // It may be eased once before that is known.
    assert!(estimator.target_bps() >= before / 10 * 9, "{} of {before} bit/s", estimator.target_bps());
    assert_eq!(estimator.headroom(), Headroom::Unknown);
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
