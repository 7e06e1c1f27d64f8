//! One encoder and three who watch, each over a path of its own, in virtual time.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;

use sidetone_media::video::*;

mod road;

use road::{Dice, Encoder, Leg, MS, Path, SECOND};

/// How often the state of a path is looked at.
const LOOK_US: u64 = 50 * MS;

struct Mesh {
    fan: Fan<usize>,
    legs: Vec<Leg>,
    encoder: Encoder,
    dice: Dice,
    now_us: u64,
    bps: u64,
    captured: BTreeMap<u32, (u64, Vec<u8>)>,
    advice: Vec<(u64, Advice)>,
    /// When who was left to the voice or came back.
    follows: Vec<Vec<(u64, bool)>>,
}

impl Mesh {
    fn new(seed: u64, paths: Vec<Path>) -> Self {
        let leg = |(number, path)| Leg::new(seed + number, path, Box::new(DelayEstimator::new()));
        let legs: Vec<Leg> = (0..).zip(paths).map(leg).collect();
        let mut fan = Fan::new();
        fan.show(true);
        (0..legs.len()).for_each(|who| fan.join(who, 800_000));
        let (encoder, captured, advice) = (Encoder::new(), BTreeMap::new(), Vec::new());
        let follows = vec![Vec::new(); legs.len()];
        Self { fan, legs, encoder, dice: Dice(seed), now_us: SECOND, bps: 0, captured, advice, follows }
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now_us + seconds * SECOND;
        while self.now_us < end {
            if self.encoder.next_us <= self.now_us {
                self.encode();
            }
            for (who, leg) in self.legs.iter_mut().enumerate() {
                if leg.turn(self.now_us, &self.captured) {
                    self.fan.want_key(who);
                }
            }
            if self.now_us.is_multiple_of(LOOK_US) {
                self.look();
            }
            self.now_us += MS;
        }
    }

    fn encode(&mut self) {
        if self.fan.paused().is_some() {
            self.encoder.next_us += road::FRAME_US;
            return;
        }
        let (kind, timestamp, sealed) = self.encoder.encode(self.bps, &mut self.dice);
        let shared = sealed.clone().into();
        if kind == Kind::Key {
            self.fan.key_made();
        }
        for (who, leg) in self.legs.iter_mut().enumerate() {
            if self.fan.feeds(who) && leg.uplink.push(Track::Camera, kind, timestamp, &shared) == Pushed::Dropped {
                self.fan.want_key(who);
            }
        }
        self.captured.insert(timestamp, (self.now_us, sealed));
    }

    fn look(&mut self) {
        for (who, leg) in self.legs.iter_mut().enumerate() {
            self.fan.set_bps(who, leg.uplink.picture_bps(Track::Camera), leg.uplink.encoder_bps(Track::Camera));
            leg.uplink.set_filler_bps(if self.fan.tries(who) { TRIAL_BPS } else { 0 });
        }
        for advice in self.fan.look(self.now_us) {
            match advice {
                Advice::Key => self.encoder.key = true,
                Advice::Bitrate(bps) => self.bps = bps,
                Advice::Paused(_) | Advice::Resumed => {}
            }
            self.advice.push((self.now_us, advice));
        }
        for (who, log) in self.follows.iter_mut().enumerate() {
            let follows = self.fan.follows(who);
            if log.last().is_none_or(|(_, before)| *before != follows) {
                log.push((self.now_us, follows));
            }
        }
    }

    fn frames(&self, who: usize, within: std::ops::Range<u64>) -> usize {
        self.legs[who].seen.frames.iter().filter(|(_, came)| within.contains(came)).count()
    }

    fn bitrate(&self, at_us: u64) -> u64 {
        let told = self.advice.iter().filter(|(at, _)| *at <= at_us);
        let mut bps = told.filter_map(|(_, advice)| if let Advice::Bitrate(bps) = advice { Some(*bps) } else { None });
        bps.next_back().unwrap()
    }

    fn keys(&self) -> Vec<u64> {
        self.advice.iter().filter(|(_, advice)| *advice == Advice::Key).map(|(at, _)| *at).collect()
    }
}

fn wide() -> Path {
    Path::new(|_| 2_000_000)
}

#[test]
fn one_encoder_serves_all_at_what_the_weakest_path_bears() {
    let mut mesh = Mesh::new(1, vec![wide(), Path::new(|_| 500_000), wide()]);
    mesh.run(40);
    let bps = mesh.bitrate(mesh.now_us);
    assert!((250_000..=500_000).contains(&bps), "{bps} bit/s where the weakest path bears 500,000");
    for who in 0..3 {
        let frames = mesh.frames(who, 11 * SECOND..41 * SECOND);
        assert!(frames >= 855, "viewer {who} saw {frames} of 900 frames");
        assert!(mesh.legs[who].seen.delay(950, 11 * SECOND) <= 200 * MS);
        assert!(mesh.fan.follows(who) && mesh.legs[who].seen.broken == 0);
    }
    // Control: alone the others get more.
    let mut pair = Mesh::new(1, vec![wide(), wide()]);
    pair.run(40);
    assert!(pair.bitrate(pair.now_us) > 2 * bps);
}

#[test]
fn a_peer_that_cannot_follow_is_left_to_the_voice_and_the_others_see_on() {
    for seed in 0..4 {
        // For half a minute the second one's path bears a voice and not much more.
        let slow = Path::new(|now| if (11 * SECOND..41 * SECOND).contains(&now) { 100_000 } else { 2_000_000 });
        let mut mesh = Mesh::new(seed, vec![wide(), slow, wide()]);
        mesh.legs[1].speaks = true;
        mesh.run(70);
        let left = mesh.follows[1].iter().find(|(at, follows)| !follows && *at > 11 * SECOND).unwrap().0;
        assert!(left <= 16 * SECOND, "left to the voice after {} ms", (left - 11 * SECOND) / MS);
        // While it is, the others are not held up by it.
        for who in [0, 2] {
            let frames = mesh.frames(who, 11 * SECOND..41 * SECOND);
            assert!(frames >= 850, "seed {seed}: viewer {who} saw {frames} of 900 frames");
            assert!(mesh.follows[who].iter().all(|(_, follows)| *follows));
        }
        let bps = mesh.bitrate(40 * SECOND);
        assert!(bps >= 800_000, "seed {seed}: the others get {bps} bit/s");
        // Its voice was not held up for long after the pictures stopped, and it sees again.
        let back = mesh.follows[1].iter().find(|(at, follows)| *follows && *at > 41 * SECOND).unwrap().0;
        assert!(back <= 41 * SECOND + 48 * SECOND, "back after {} ms", (back - 41 * SECOND) / MS);
        let seen = mesh.frames(1, back..mesh.now_us);
        let passed = (mesh.now_us - back) / road::FRAME_US;
        assert!(seen as u64 >= passed * 8 / 10, "seed {seed}: {seen} of {passed} frames since it is back");
        assert!(mesh.legs.iter().all(|leg| leg.seen.broken == 0));
    }
}

#[test]
fn key_frames_wanted_by_many_are_asked_for_once_and_not_more_often_than_every_300_ms() {
    // Each path is gone for a moment now and then, longer than a missing packet is waited for.
    let patchy = |offset: u64| {
        Path::new(move |now| if (now + offset * SECOND / 2) % (3 * SECOND) < 400 * MS { 0 } else { 2_000_000 })
    };
    let mut mesh = Mesh::new(3, vec![patchy(0), patchy(1), patchy(2)]);
    mesh.run(30);
    let keys = mesh.keys();
    assert!(keys.len() > 3, "nobody ever needed one");
    assert!(keys.windows(2).all(|two| two[1] - two[0] >= 300 * MS), "{keys:?}");
}

#[test]
fn who_wants_no_picture_gets_none_and_the_encoder_rests_when_nobody_does() {
    let mut mesh = Mesh::new(4, vec![wide(), wide(), wide()]);
    mesh.run(5);
    mesh.fan.set_lines(1, 0);
    mesh.run(1);
    let seen = mesh.frames(1, 0..u64::MAX);
    mesh.run(5);
    assert_eq!(mesh.frames(1, 0..u64::MAX), seen, "frames went to who wants none");
    assert!(mesh.frames(0, 7 * SECOND..12 * SECOND) >= 140);
    mesh.fan.set_lines(0, 0);
    mesh.fan.set_lines(2, 0);
    mesh.run(1);
    assert_eq!(mesh.fan.paused(), Some(Pause::Unwatched));
    mesh.fan.set_lines(1, 360);
    mesh.run(2);
    assert_eq!(mesh.fan.paused(), None);
    assert!(mesh.advice.iter().any(|(_, advice)| *advice == Advice::Resumed));
    assert!(mesh.frames(1, 0..u64::MAX) >= seen + 45, "it sees again");
}

#[test]
fn alone_on_a_path_that_bears_no_picture_the_encoder_rests_and_is_woken_when_it_does() {
    let poor = Path::new(|now| if (6 * SECOND..36 * SECOND).contains(&now) { 40_000 } else { 1_000_000 });
    let mut mesh = Mesh::new(5, vec![poor]);
    mesh.run(35);
    assert_eq!(mesh.fan.paused(), Some(Pause::Path));
    mesh.run(50);
    assert_eq!(mesh.fan.paused(), None);
    let last = mesh.now_us - 5 * SECOND..mesh.now_us;
    assert!(mesh.frames(0, last) >= 140, "it is shown again");
}

#[test]
fn whoever_comes_gets_a_key_frame_first() {
    let mut mesh = Mesh::new(6, vec![wide(), wide()]);
    mesh.run(3);
    let before = mesh.keys().len();
    mesh.legs.push(Leg::new(9, wide(), Box::new(DelayEstimator::new())));
    mesh.follows.push(Vec::new());
    mesh.fan.join(2, 800_000);
    mesh.run(1);
    assert_eq!(mesh.keys().len(), before + 1);
    assert!(mesh.frames(2, 0..u64::MAX) >= 20);
    mesh.fan.leave(2);
    mesh.legs.pop();
    mesh.run(1);
    assert!(mesh.fan.paused().is_none());
}

#[test]
fn a_small_change_of_the_rate_is_told_too_but_not_at_once() {
    let mut fan = Fan::new();
    fan.show(true);
    fan.join(1, 1_000_000);
    let told = |fan: &mut Fan<u8>, at_us: u64| {
        fan.look(at_us).into_iter().find_map(|advice| match advice {
            Advice::Bitrate(bps) => Some(bps),
            _ => None,
        })
    };
    assert_eq!(told(&mut fan, 5 * SECOND), Some(1_000_000));
    fan.set_bps(1, 1_050_000, 1_050_000);
    assert_eq!(told(&mut fan, 5 * SECOND + 999 * MS), None, "the encoder is not bothered with every step");
    assert_eq!(told(&mut fan, 6 * SECOND), Some(1_050_000));
    fan.set_bps(1, 1_200_000, 1_200_000);
    assert_eq!(told(&mut fan, 6 * SECOND + MS), Some(1_200_000), "a large one is told at once");
    fan.set_bps(1, 1_220_000, 1_220_000);
    assert_eq!(told(&mut fan, 60 * SECOND), None, "a fiftieth is nothing");
}

#[test]
fn a_path_is_not_too_thin_because_frames_wait() {
    let mut fan = Fan::new();
    fan.show(true);
    fan.join(1, 100_000);
    let mut told = Vec::new();
    for at_us in (0..60).map(|tenth| 5 * SECOND + tenth * 100 * MS) {
        fan.set_bps(1, 70_000, 50_000);
        told.extend(fan.look(at_us));
    }
    assert!(told.contains(&Advice::Bitrate(50_000)), "{told:?}");
    assert!(fan.follows(1), "what the path bears is enough for a picture");
    fan.set_bps(1, 50_000, 50_000);
    fan.look(11 * SECOND);
    fan.look(14 * SECOND);
    assert!(!fan.follows(1));
}
