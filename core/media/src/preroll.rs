//! What the microphone heard just before somebody pressed to talk.

use crate::PULL_SAMPLES;
use crate::level::Meter;

/// Samples kept from before a press at most: 250 ms.
pub const PRE_ROLL_SAMPLES: usize = 12_000;
/// Samples kept from before a press at least: 10 ms, half a packet. So the first packet leaves 10 ms after the press with the
/// first 10 ms of speech in it; more would be silence to be played before it, less would be waited for.
pub const LEAD_SAMPLES: usize = 480;
/// Samples that a press may wait for leave to speak: 1 s. Beyond that the oldest go.
const WAIT_SAMPLES: usize = 48_000;
const CAPACITY: usize = PRE_ROLL_SAMPLES + WAIT_SAMPLES;
const BLOCKS: usize = CAPACITY / PULL_SAMPLES;
const PRE_ROLL_BLOCKS: u64 = (PRE_ROLL_SAMPLES / PULL_SAMPLES) as u64;
const LEAD_BLOCKS: u64 = (LEAD_SAMPLES / PULL_SAMPLES) as u64;

/// The microphone while nobody hears it: the last moments are kept, so that a burst can begin before the press.
///
/// A burst begins where speech began, but at most 250 ms and at least 10 ms before the press: whoever pressed first and
/// spoke then is not made late by silence, and whoever spoke first is heard from the first syllable. Allocates once.
pub struct PreRoll {
    ring: Box<[i16]>,
    /// Whether somebody spoke in each block of the ring.
    loud: [bool; BLOCKS],
    meter: Meter,
    /// Samples ever pushed.
    pushed: u64,
    /// From here the ring may be given out: nothing before is of this listening.
    oldest: u64,
    /// Where the press was.
    pressed: Option<u64>,
}

impl Default for PreRoll {
    fn default() -> Self {
        Self::new()
    }
}

impl PreRoll {
    /// An empty one.
    pub fn new() -> PreRoll {
        let ring = vec![0; CAPACITY].into_boxed_slice();
        PreRoll { ring, loud: [false; BLOCKS], meter: Meter::default(), pushed: 0, oldest: 0, pressed: None }
    }

    /// Takes a block of the microphone, of any length.
    pub fn push(&mut self, pcm: &[i16]) {
        let mut rest = pcm;
        while !rest.is_empty() {
            let filled = (self.pushed % PULL_SAMPLES as u64) as usize;
            let (block, later) = rest.split_at(rest.len().min(PULL_SAMPLES - filled));
            let at = self.place(self.pushed);
            self.ring[at..at + block.len()].copy_from_slice(block);
            self.pushed += block.len() as u64;
            if filled + block.len() == PULL_SAMPLES {
                let from = at - filled;
                self.meter.push(&self.ring[from..from + PULL_SAMPLES]);
                self.loud[from / PULL_SAMPLES] = self.meter.is_loud();
            }
            rest = later;
        }
        self.oldest = self.oldest.max(self.pushed.saturating_sub(CAPACITY as u64));
    }

    /// The user pressed now; a press that goes on stays where it was.
    pub fn press(&mut self) {
        self.pressed.get_or_insert(self.pushed);
    }

    /// The press came to nothing.
    pub fn release(&mut self) {
        self.pressed = None;
    }

    /// Gives what a burst begins with, oldest first, and forgets it: it is given once. Without a press it is as if there
    /// were one now.
    pub fn give(&mut self, sink: &mut dyn FnMut(&[i16])) {
        let pressed = self.pressed.take().unwrap_or(self.pushed);
        let mut at = self.begin(pressed);
        while at < self.pushed {
            let place = self.place(at);
            let until = (place + (self.pushed - at) as usize).min(CAPACITY);
            sink(&self.ring[place..until]);
            at += (until - place) as u64;
        }
        self.oldest = self.pushed;
    }

    /// How loud the microphone is.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ring.fill(0);
        (self.oldest, self.pressed) = (self.pushed, None);
    }

    /// The sample with which a burst pressed here begins.
    fn begin(&self, pressed: u64) -> u64 {
        let block = pressed / PULL_SAMPLES as u64;
        let earliest = block.saturating_sub(PRE_ROLL_BLOCKS);
        let spoke = (earliest..block).find(|block| self.loud[(block % BLOCKS as u64) as usize]);
        // A block before the first loud one, in which the sound rises.
        let first = spoke.map_or(block, |spoke| spoke.saturating_sub(1)).min(block.saturating_sub(LEAD_BLOCKS));
        (first.max(earliest) * PULL_SAMPLES as u64).max(self.oldest)
    }

    fn place(&self, sample: u64) -> usize {
        (sample % CAPACITY as u64) as usize
    }
}
