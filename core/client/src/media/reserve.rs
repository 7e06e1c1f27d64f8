//! What lies ready for the speaker beyond what it asks for at once.

use sidetone_engine::Mode;

use super::voice::RESERVE;

/// A speaker that was not given enough counts from so long after there is something to hear.
const FILLED_US: u64 = 20_000;

/// In push-to-talk nothing, so that a burst is heard 10 ms sooner, until the speaker asked in vain once: then one turn of the
/// thread, as with open microphones.
pub(super) struct Reserve {
    samples: usize,
    /// Since when there is something to hear.
    since_us: Option<u64>,
    /// Samples that the speaker was not given so far.
    missing: u64,
}

impl Reserve {
    pub fn new(mode: Mode) -> Self {
        let samples = if mode == Mode::Open { RESERVE } else { 0 };
        Self { samples, since_us: None, missing: 0 }
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Looks, before each filling, how many samples the speaker was not given so far.
    pub fn turn(&mut self, now_us: u64, heard: bool, missing: u64) {
        let more = std::mem::replace(&mut self.missing, missing) != missing;
        if !heard {
            self.since_us = None;
            return;
        }
        let since_us = *self.since_us.get_or_insert(now_us);
        if more && now_us.saturating_sub(since_us) > FILLED_US {
            self.samples = RESERVE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_that_was_once_given_too_little_is_given_more_from_then_on() {
        let mut reserve = Reserve::new(Mode::PushToTalk);
        reserve.turn(0, false, 480);
        reserve.turn(5_000, true, 480);
        reserve.turn(10_000, true, 960);
        assert_eq!(reserve.samples(), 0, "before the first filling reaches it there is nothing to give");
        reserve.turn(100_000, true, 960);
        assert_eq!(reserve.samples(), 0);
        reserve.turn(105_000, true, 1_200);
        assert_eq!(reserve.samples(), RESERVE);
        reserve.turn(200_000, false, 1_200);
        assert_eq!((reserve.samples(), Reserve::new(Mode::Open).samples()), (RESERVE, RESERVE));
    }
}
