//! How loud a sound is, and whether somebody speaks.

/// Loudness in -dBov as RFC 6464 writes it: 0 is the loudest a sample format holds, 127 is silence.
///
/// The reference is the overload point: a full-scale square wave is 0, a full-scale sine 3. Ordering follows the
/// number, so a *smaller* level is louder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// Digital silence.
    pub const SILENCE: Level = Level(127);

    /// The level with this number; everything above 127 is silence.
    pub const fn new(minus_dbov: u8) -> Level {
        Level(if minus_dbov > 127 { 127 } else { minus_dbov })
    }

    /// The level of this block of samples; silence for an empty block.
    pub fn of(pcm: &[i16]) -> Level {
        let power = mean_square(pcm);
        if power <= 0.0 {
            return Level::SILENCE;
        }
        let dbov = 10.0 * (power / (32_768.0 * 32_768.0)).log10();
        Level((-dbov).round().clamp(0.0, 127.0) as u8)
    }

    /// The number that travels in the RTP header extension of RFC 6464: 0..=127.
    pub const fn minus_dbov(self) -> u8 {
        self.0
    }
}

/// Sum of squares over length, as `f64`.
fn mean_square(pcm: &[i16]) -> f64 {
    if pcm.is_empty() {
        return 0.0;
    }
    let sum: u64 = pcm.iter().map(|&s| u64::from(s.unsigned_abs()).pow(2)).sum();
    sum as f64 / pcm.len() as f64
}

/// Blocks of 10 ms that still count as speech after the last loud one.
const HANG_OVER: u8 = 30;
/// How far above the noise floor speech begins, in dB.
const SPEECH_ABOVE_NOISE_DB: f32 = 9.0;
/// Nothing quieter than this is ever speech.
const QUIETEST_SPEECH_DBOV: f32 = -58.0;

/// Follows the noise floor of one voice and says, every 10 ms, how loud it is and whether it speaks.
///
/// Speech is at least 9 dB over the floor and louder than -58 dBov; it ends 300 ms after the last such block, so
/// that the pauses inside a sentence do not flicker. Two loud blocks in a row begin it: one click does not.
#[derive(Debug, Clone)]
pub struct Meter {
    floor_dbov: f32,
    smooth_dbov: f32,
    loud_blocks: u8,
    hang: u8,
}

impl Default for Meter {
    fn default() -> Self {
        Meter { floor_dbov: -70.0, smooth_dbov: -127.0, loud_blocks: 0, hang: 0 }
    }
}

impl Meter {
    /// Takes the next 10 ms block.
    pub fn push(&mut self, pcm: &[i16]) {
        let dbov = -f32::from(Level::of(pcm).minus_dbov());
        // Meters rise at once and fall by 40 dB a second, which is what a display wants to show.
        self.smooth_dbov = if dbov > self.smooth_dbov { dbov } else { (self.smooth_dbov - 0.4).max(dbov) };
        let loud = dbov > QUIETEST_SPEECH_DBOV && dbov > self.floor_dbov + SPEECH_ABOVE_NOISE_DB;
        // The floor falls quickly to a quieter room and rises 3 dB a second, slower than any sentence lasts.
        self.floor_dbov = if dbov < self.floor_dbov {
            (self.floor_dbov + 0.2 * (dbov - self.floor_dbov)).max(-90.0)
        } else {
            (self.floor_dbov + 0.03).min(dbov)
        };
        self.loud_blocks = if loud { self.loud_blocks.saturating_add(1) } else { 0 };
        self.hang = if self.loud_blocks >= 2 { HANG_OVER } else { self.hang.saturating_sub(1) };
    }

    /// Whether the last block alone was loud enough for speech.
    pub fn is_loud(&self) -> bool {
        self.loud_blocks > 0
    }

    /// How loud it is now: rises at once, falls by 40 dB a second.
    pub fn level(&self) -> Level {
        Level::new((-self.smooth_dbov).round().clamp(0.0, 127.0) as u8)
    }

    /// Whether somebody speaks, with 300 ms of hang-over.
    pub fn speaking(&self) -> bool {
        self.hang > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f64, samples: usize) -> Vec<i16> {
        (0..samples).map(|i| (amplitude * (i as f64 * 0.13).sin()) as i16).collect()
    }

    #[test]
    fn known_sines_read_their_known_level() {
        for (amplitude, expected) in [(32_767.0, 3), (3_276.7, 23), (327.67, 43), (32.767, 63)] {
            let level = Level::of(&sine(amplitude, 48_000)).minus_dbov();
            assert!(level.abs_diff(expected) <= 1, "{amplitude}: {level} instead of {expected}");
        }
        assert_eq!(Level::of(&[i16::MIN; 480]).minus_dbov(), 0);
        assert_eq!(Level::of(&[0; 480]), Level::SILENCE);
        assert_eq!(Level::of(&[]), Level::SILENCE);
        assert_eq!(Level::of(&[1, -1, 1, -1]).minus_dbov(), 90);
    }

    #[test]
    fn a_pause_inside_a_sentence_does_not_end_the_speech_but_a_long_one_does() {
        let mut meter = Meter::default();
        (0..100).for_each(|_| meter.push(&[3; 480]));
        assert!(!meter.speaking());
        (0..20).for_each(|_| meter.push(&sine(5_000.0, 480)));
        assert!(meter.speaking());
        (0..20).for_each(|_| meter.push(&[3; 480]));
        assert!(meter.speaking(), "200 ms is a pause for breath");
        (0..20).for_each(|_| meter.push(&[3; 480]));
        assert!(!meter.speaking());
    }

    #[test]
    fn one_click_is_not_speech() {
        let mut meter = Meter::default();
        meter.push(&[20_000; 480]);
        assert!(!meter.speaking());
    }

    #[test]
    fn steady_noise_stops_counting_as_speech() {
        let mut meter = Meter::default();
        (0..1_500).for_each(|_| meter.push(&sine(600.0, 480)));
        assert!(!meter.speaking());
    }
}
