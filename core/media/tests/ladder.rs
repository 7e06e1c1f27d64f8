//! A voice on a path that is too thin for it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;

use sidetone_media::{Capture, Encoded, Ladder, Rate, Settings};

/// What RTP, its cipher, the frame's seal, the loss report, UDP and IP add to each packet.
const OVERHEAD: usize = 12 + 16 + 20 + 1 + 28;
/// A loss report looks back so many packets, and is on its way for so long.
const REPORT_PACKETS: usize = 100;
const REPORT_EVERY_MS: u64 = 200;

/// A path that carries so many bits a second, with a queue before it, and loses some by chance.
struct Thin {
    bps: f64,
    lost_one_in: u64,
    free_ms: f64,
    count: u64,
    fates: VecDeque<bool>,
}

impl Thin {
    fn new(bps: f64, lost_one_in: u64) -> Self {
        Self { bps, lost_one_in, free_ms: 0.0, count: 0, fates: VecDeque::new() }
    }

    /// Whether a packet arrives.
    fn carry(&mut self, now_ms: f64, bytes: usize) -> bool {
        self.count += 1;
        let takes = (bytes + OVERHEAD) as f64 * 8_000.0 / self.bps;
        let fits = self.free_ms - now_ms <= 300.0;
        if fits {
            self.free_ms = self.free_ms.max(now_ms) + takes;
        }
        let arrives = fits && (self.lost_one_in == 0 || !(self.count * 7_919).is_multiple_of(self.lost_one_in));
        self.fates.push_back(arrives);
        if self.fates.len() > REPORT_PACKETS {
            self.fates.pop_front();
        }
        arrives
    }

    fn loss(&self) -> f32 {
        let lost = self.fates.iter().filter(|arrives| !**arrives).count();
        lost as f32 / self.fates.len().max(1) as f32
    }
}

/// Speaks for a while; gives the rate at the end, and what part of the sound of the last twenty seconds was lost.
fn speak(path: &mut Thin, seconds: u64, mut ladder: Option<Ladder>) -> (Rate, f64) {
    let mut capture = Capture::new(Settings::default()).unwrap();
    let (mut lost, mut all) = (0_u32, 0_u32);
    let mut noise = 1_u32;
    for tick in 0..seconds * 100 {
        let block: Vec<i16> = (0..480)
            .map(|n| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (tick * 480 + n) as f64 / 48_000.0;
                let voice = (at * 800.0).sin() * (at * 25.0).sin().abs() * 6_000.0;
                (voice + f64::from(noise >> 22)) as i16
            })
            .collect();
        capture.push(&block, &mut |frame: Encoded<'_>| {
            let arrives = path.carry((tick * 10) as f64, frame.bytes.len());
            if tick >= (seconds - 20) * 100 {
                all += frame.samples;
                lost += if arrives { 0 } else { frame.samples };
            }
        });
        if let Some(ladder) = ladder.as_mut().filter(|_| (tick * 10).is_multiple_of(REPORT_EVERY_MS)) {
            let rate = ladder.judge(tick * 10_000, path.loss());
            capture.set_rate(rate).unwrap();
            capture.report_loss(path.loss());
        }
    }
    (capture.rate(), f64::from(lost) / f64::from(all))
}

#[test]
fn a_phone_on_32_kbit_a_second_can_still_talk() {
    let (_, lost) = speak(&mut Thin::new(32_000.0, 0), 50, Some(Ladder::default()));
    assert!(lost < 0.10, "{lost}");
    let (_, lost) = speak(&mut Thin::new(32_000.0, 0), 50, None);
    assert!(lost > 0.3, "the control: without the ladder it cannot ({lost})");
}

#[test]
fn a_wide_path_keeps_the_full_voice_and_one_that_widens_gets_it_back() {
    assert_eq!(speak(&mut Thin::new(1e6, 0), 30, Some(Ladder::default())).0, Rate::FULL);
    let mut ladder = Ladder::default();
    let mut at = 0;
    let mut run = |seconds: u64, loss: f32| {
        for _ in 0..seconds * 5 {
            at += 200_000;
            ladder.judge(at, loss);
        }
        ladder.rate()
    };
    assert_eq!(run(3, 0.3), Rate::LOW);
    assert_eq!(run(60, 0.0), Rate::FULL);
}

#[test]
fn loss_that_a_smaller_rate_does_not_cure_leaves_the_voice_as_it_was() {
    let (rate, lost) = speak(&mut Thin::new(1e6, 5), 60, Some(Ladder::default()));
    assert!(lost > 0.15, "the control: it is lost all the same ({lost})");
    assert_eq!(rate, Rate::FULL);
}

#[test]
fn what_is_no_number_changes_nothing() {
    let mut ladder = Ladder::default();
    for at in 0..100 {
        assert_eq!(ladder.judge(at * 1_000_000, f32::NAN), Rate::FULL);
    }
}
