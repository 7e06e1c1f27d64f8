//! How much of what was spoken was heard, and when: by finding each half second of one recording in the other.

use serde::Serialize;

use crate::phone::Cut;
use crate::wav::RATE;

/// The length of the pieces that are looked for, in samples: long enough to be like nothing else in the recording, short
/// enough that a jitter buffer that stretches or skips spoils few of them.
const WINDOW: usize = RATE as usize / 2;
/// From one piece to the next.
const HOP: usize = WINDOW / 2;
/// The longest delay that is looked for.
const LONGEST_MS: usize = 800;
/// The first search runs on every twelfth sample, averaged.
const COARSE: usize = 12;
/// Pieces softer than this (root mean square) hold no speech to be found.
const SOFT: f64 = 150.0;
/// A piece counts as found from this correlation on.
pub const FOUND: f64 = 0.5;

/// Half a second of speech, found again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Piece {
    /// When it was spoken, in seconds since the voice began.
    pub at_s: f64,
    /// From mouth to ear.
    pub delay_ms: f64,
    /// How alike the two are: 1 for the same waveform, 0 for unrelated ones.
    pub correlation: f64,
}

/// What one ear heard of one mouth.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Heard {
    /// Half of the pieces took less.
    pub median_ms: f64,
    /// Of a hundred pieces, 95 took less.
    pub p95_ms: f64,
    /// The quickest.
    pub least_ms: f64,
    /// The slowest.
    pub most_ms: f64,
    /// How alike spoken and heard are, in the middle.
    pub correlation: f64,
    /// Pieces with speech in them.
    pub pieces: usize,
    /// Those that were found.
    pub found: usize,
    /// Each piece.
    #[serde(skip)]
    pub each: Vec<Piece>,
}

/// Finds a voice in what the other phone heard; `mouth` and `ear` tell when both recordings began.
pub fn heard(voice: &[i16], mouth: &Cut, recording: &[i16], ear: &Cut) -> Heard {
    let offset = (mouth.spoken_us as f64 - ear.heard_us as f64) * f64::from(RATE) / 1e6;
    let each = pieces(voice, recording, offset.round() as i64);
    summary(each)
}

fn summary(each: Vec<Piece>) -> Heard {
    let mut delays: Vec<f64> =
        each.iter().filter(|piece| piece.correlation >= FOUND).map(|piece| piece.delay_ms).collect();
    let mut alike: Vec<f64> = each.iter().map(|piece| piece.correlation).collect();
    delays.sort_by(f64::total_cmp);
    alike.sort_by(f64::total_cmp);
    Heard {
        median_ms: quantile(&delays, 0.5),
        p95_ms: quantile(&delays, 0.95),
        least_ms: quantile(&delays, 0.0),
        most_ms: quantile(&delays, 1.0),
        correlation: quantile(&alike, 0.5),
        pieces: each.len(),
        found: delays.len(),
        each,
    }
}

/// The value below which this part of a sorted list lies; 0 of an empty one.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(place).copied().unwrap_or(0.0)
}

/// `offset` is where the voice would begin in the recording if nothing took any time.
fn pieces(voice: &[i16], recording: &[i16], offset: i64) -> Vec<Piece> {
    let (thin_voice, thin_recording) = (thin(voice), thin(recording));
    let mut found = Vec::new();
    for from in (0..voice.len().saturating_sub(WINDOW)).step_by(HOP) {
        let piece = &voice[from..from + WINDOW];
        if rms(piece) < SOFT {
            continue;
        }
        let expected = from as i64 + offset;
        let thin_piece = &thin_voice[from / COARSE..(from + WINDOW) / COARSE];
        let lags = (0..=(LONGEST_MS * RATE as usize / 1_000) as i64).step_by(COARSE);
        let coarse =
            best(thin_piece, &thin_recording, lags.map(|lag| (lag, (expected + lag).div_euclid(COARSE as i64))));
        let reach = 2 * COARSE as i64;
        let near = coarse.0 - reach..=coarse.0 + reach;
        let full: Vec<f32> = piece.iter().map(|sample| f32::from(*sample)).collect();
        let (lag, correlation) = fine(&full, recording, expected, near);
        let delay_ms = lag as f64 * 1e3 / f64::from(RATE);
        found.push(Piece { at_s: from as f64 / f64::from(RATE), delay_ms, correlation });
    }
    found
}

fn fine(piece: &[f32], recording: &[i16], expected: i64, lags: std::ops::RangeInclusive<i64>) -> (i64, f64) {
    let from = usize::try_from(expected + lags.start()).unwrap_or(0).min(recording.len());
    let length = piece.len() + (lags.end() - lags.start()) as usize;
    let near: Vec<f32> =
        recording[from..(from + length).min(recording.len())].iter().map(|sample| f32::from(*sample)).collect();
    best(piece, &near, lags.map(|lag| (lag, expected + lag - from as i64)))
}

/// The lag at which a piece is most like what lies at the place that belongs to it.
fn best(piece: &[f32], within: &[f32], lags: impl Iterator<Item = (i64, i64)>) -> (i64, f64) {
    lags.filter_map(|(lag, place)| {
        let from = usize::try_from(place).ok()?;
        Some((lag, alike(piece, within.get(from..from + piece.len())?)))
    })
    .max_by(|one, other| one.1.total_cmp(&other.1))
    .unwrap_or((0, 0.0))
}

/// Normalised correlation.
fn alike(one: &[f32], other: &[f32]) -> f64 {
    let (mut both, mut first, mut second) = (0f32, 0f32, 0f32);
    for (a, b) in one.iter().zip(other) {
        both += a * b;
        first += a * a;
        second += b * b;
    }
    let power = (f64::from(first) * f64::from(second)).sqrt();
    if power > 0.0 { f64::from(both) / power } else { 0.0 }
}

fn thin(samples: &[i16]) -> Vec<f32> {
    samples.chunks(COARSE).map(|chunk| chunk.iter().map(|sample| f32::from(*sample)).sum()).collect()
}

fn rms(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

/// How loud a recording is over time: one value in dB of full scale for each `step` samples, not below -72.
pub fn levels(samples: &[i16], step: usize) -> Vec<f64> {
    samples.chunks(step).map(|chunk| (20.0 * (rms(chunk) / 32_768.0).max(1e-9).log10()).max(-72.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise whose loudness and colour change, from a linear congruential generator.
    fn speech(seconds: usize) -> Vec<i16> {
        let (mut state, mut low) = (7u32, 0f64);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 16) / 32_768.0 - 1.0
        };
        (0..seconds * RATE as usize)
            .map(|n| {
                low += (next() - low) * 0.1;
                (low * 12_000.0 * (n as f64 / 4_000.0).sin()) as i16
            })
            .collect()
    }

    fn cuts(spoken_us: u64, heard_us: u64) -> (Cut, Cut) {
        (Cut { spoken_us, ..Cut::default() }, Cut { heard_us, ..Cut::default() })
    }

    #[test]
    fn the_delay_between_two_phones_is_found_to_a_tenth_of_a_millisecond() {
        let voice = speech(5);
        for delay in [0, 1, 960, 4_801, 24_003] {
            // The ear began to record 250 ms before the mouth began to speak.
            let (mouth, ear) = cuts(1_250_000, 1_000_000);
            let recording = [vec![0; 12_000 + delay], voice.iter().map(|s| s / 2).collect()].concat();
            let heard = heard(&voice, &mouth, &recording, &ear);
            let wanted = delay as f64 / 48.0;
            assert!((heard.median_ms - wanted).abs() < 0.1, "{} for {wanted}", heard.median_ms);
            assert!(heard.correlation > 0.98 && heard.found == heard.pieces && heard.pieces > 10);
        }
    }

    #[test]
    fn a_delay_that_grows_is_seen_to_grow() {
        let voice = speech(6);
        let (mouth, ear) = cuts(1_000_000, 1_000_000);
        let half = voice.len() / 2;
        let recording = [&vec![0; 2_400][..], &voice[..half], &[0; 2_400], &voice[half..]].concat();
        let heard = heard(&voice, &mouth, &recording, &ear);
        assert!((heard.least_ms - 50.0).abs() < 0.1 && (heard.most_ms - 100.0).abs() < 0.1);
    }

    #[test]
    fn another_voice_silence_and_nothing_at_all_are_not_taken_for_the_voice() {
        let voice = speech(4);
        let (mouth, ear) = cuts(1_000_000, 1_000_000);
        let other: Vec<i16> = speech(8)[3 * RATE as usize..].iter().rev().copied().collect();
        for recording in [other, vec![0; 5 * RATE as usize], Vec::new()] {
            let heard = heard(&voice, &mouth, &recording, &ear);
            assert_eq!((heard.found, heard.pieces > 5), (0, true), "{}", heard.correlation);
        }
    }

    #[test]
    fn levels_follow_loudness() {
        let samples = [vec![0; 480], vec![16_384; 480], vec![i16::MIN; 480]].concat();
        let levels = levels(&samples, 480);
        assert_eq!(levels.iter().map(|level| level.round() as i32).collect::<Vec<_>>(), [-72, -6, 0]);
    }
}
