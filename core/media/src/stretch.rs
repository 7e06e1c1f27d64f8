//! Decoded sound waiting for the speaker, and its time scaling (WSOLA: cut or repeat whole pitch periods).

use crate::payload::LONGEST_PAYLOAD;

/// Played sound kept for repeating a pitch period: 20 ms.
const HISTORY: usize = 960;
const CAPACITY: usize = HISTORY + 4 * LONGEST_PAYLOAD;
/// Overlap of a cut: 5 ms.
const OVERLAP: usize = 240;
/// Lags searched: 5 to 15 ms, at least one period of any voice and at most what one frame allows.
const SHORTEST: usize = 240;
const LONGEST: usize = 720;
/// Below this mean square (about -58 dBov) a cut is not heard wherever it is.
const QUIET: f32 = 1_700.0;

/// How alike two stretches must be before one may stand for the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness(pub f32);

/// A queue of samples that remembers a little of what it gave out.
pub struct Queue {
    samples: Box<[i16]>,
    start: usize,
    end: usize,
}

impl Queue {
    pub fn new() -> Queue {
        Queue { samples: vec![0; CAPACITY].into_boxed_slice(), start: HISTORY, end: HISTORY }
    }

    /// Samples waiting.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.end = self.start;
    }

    /// Room for exactly `length` samples at the end, for the decoder to write into.
    pub fn extend(&mut self, length: usize) -> &mut [i16] {
        if self.end + length + LONGEST > CAPACITY {
            self.samples.copy_within(self.start - HISTORY..self.end, 0);
            self.end = self.end - self.start + HISTORY;
            self.start = HISTORY;
        }
        let from = self.end;
        self.end += length;
        &mut self.samples[from..self.end]
    }

    /// Takes back the last `length` samples.
    pub fn shorten(&mut self, length: usize) {
        self.end = self.start.max(self.end.saturating_sub(length));
    }

    /// The last `length` samples that wait.
    pub fn last(&mut self, length: usize) -> &mut [i16] {
        let from = self.start.max(self.end.saturating_sub(length));
        &mut self.samples[from..self.end]
    }

    /// Gives out the next samples; silence where there are none.
    pub fn pop(&mut self, out: &mut [i16]) {
        let ready = out.len().min(self.len());
        out[..ready].copy_from_slice(&self.samples[self.start..self.start + ready]);
        out[ready..].fill(0);
        self.start += ready;
    }

    /// Cuts one or more whole pitch periods, but not more than `most` samples, out of what waits; says how many samples that were, 0 when nothing is alike enough.
    pub fn squeeze(&mut self, most: usize, likeness: Likeness) -> usize {
        if self.len() < LONGEST + OVERLAP {
            return 0;
        }
        let next = &self.samples[self.start..self.end];
        let Some(lag) = best_lag(&next[..OVERLAP], most.min(LONGEST), likeness, |lag| &next[lag..lag + OVERLAP]) else {
            return 0;
        };
        for i in 0..OVERLAP {
            let (from, to) = (self.samples[self.start + i], self.samples[self.start + lag + i]);
            self.samples[self.start + lag + i] = fade(from, to, i);
        }
        self.start += lag;
        lag
    }

    /// Repeats one or more whole pitch periods, but not more than `most` samples, of what was just played; says how many samples came in, 0 when nothing is alike enough.
    pub fn stretch(&mut self, most: usize, likeness: Likeness) -> usize {
        if self.len() < OVERLAP {
            return 0;
        }
        self.extend(0);
        let (past, next) = self.samples[..self.end].split_at(self.start);
        let Some(lag) =
            best_lag(&next[..OVERLAP], most.min(LONGEST), likeness, |lag| &past[past.len() - lag..][..OVERLAP])
        else {
            return 0;
        };
        self.samples.copy_within(self.start..self.end, self.start + lag);
        self.end += lag;
        for i in 0..lag {
            let repeated = self.samples[self.start - lag + i];
            let expected = self.samples[self.start + lag + i];
            self.samples[self.start + i] = if i < OVERLAP { fade(expected, repeated, i) } else { repeated };
        }
        lag
    }
}

/// Raised from `from` to `to` over the overlap.
fn fade(from: i16, to: i16, at: usize) -> i16 {
    let (from, to, at) = (i32::from(from), i32::from(to), at as i32);
    ((from * (OVERLAP as i32 - at) + to * at) / OVERLAP as i32) as i16
}

/// The lag whose stretch is most like `reference`: every fourth sample and lag first, then finely around the best.
fn best_lag<'a>(reference: &[i16], most: usize, likeness: Likeness, at: impl Fn(usize) -> &'a [i16]) -> Option<usize> {
    let mut best = (SHORTEST, -1.0);
    for lag in (SHORTEST..=most).step_by(4) {
        let alike = compare(reference, at(lag), 4);
        if alike > best.1 {
            best = (lag, alike);
        }
    }
    let coarse = best.0;
    for lag in coarse.saturating_sub(3).max(SHORTEST)..=(coarse + 3).min(most) {
        let alike = compare(reference, at(lag), 2);
        if alike > best.1 {
            best = (lag, alike);
        }
    }
    let power = |pcm: &[i16]| pcm.iter().map(|&s| f32::from(s) * f32::from(s)).sum::<f32>() / pcm.len() as f32;
    let quiet = power(reference) < QUIET && power(at(best.0)) < QUIET;
    (quiet || best.1 >= likeness.0).then_some(best.0)
}

/// Normalised cross-correlation of every `step`-th sample: 1 for the same shape.
fn compare(a: &[i16], b: &[i16], step: usize) -> f32 {
    let (mut ab, mut aa, mut bb) = (0.0f32, 1.0f32, 1.0f32);
    for (a, b) in a.iter().zip(b).step_by(step) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    ab / (aa * bb).sqrt()
}
