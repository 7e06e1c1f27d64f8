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
/// The least worth cutting in a pause: 1 ms.
const QUIETEST_CUT: usize = 48;
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

    /// Of the last `whole` samples only the last `part` are wanted: fades into them from the end of what was before,
    /// which is the same moment made up.
    pub fn join_last(&mut self, whole: usize, part: usize) {
        let (before, unwanted) = (self.end - whole, whole - part);
        let overlap = OVERLAP.min(unwanted).min(before - self.start);
        for i in 0..overlap {
            let (from, to) = (self.samples[before - overlap + i], self.samples[before + unwanted - overlap + i]);
            self.samples[before - overlap + i] = fade(from, to, i * OVERLAP / overlap);
        }
        self.samples.copy_within(before + unwanted..self.end, before);
        self.end -= unwanted;
    }

    /// Whether the next 10 ms are so quiet that nobody hears a cut in them.
    pub fn is_quiet(&self) -> bool {
        let next = &self.samples[self.start..self.end];
        next.len() >= 2 * OVERLAP && power(&next[..2 * OVERLAP]) < QUIET
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
        // From the end, since a short cut overlaps itself.
        for i in (0..OVERLAP).rev() {
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
        let (all, start) = (&self.samples[..self.end], self.start);
        let next = &all[start..start + OVERLAP];
        let Some(lag) = best_lag(next, most.min(LONGEST), likeness, |lag| &all[start - lag..][..OVERLAP]) else {
            return 0;
        };
        let mut joint = [0; OVERLAP];
        for (i, joint) in joint.iter_mut().enumerate() {
            *joint = fade(all[start + i], all[start - lag + i], i);
        }
        self.samples.copy_within(start..self.end, start + lag);
        self.end += lag;
        self.samples.copy_within(start - lag..start, start);
        self.samples[start..start + OVERLAP].copy_from_slice(&joint);
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
    if most >= QUIETEST_CUT && power(reference) < QUIET && power(at(most)) < QUIET {
        return Some(most);
    }
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
    (best.1 >= likeness.0).then_some(best.0)
}

/// Mean square.
fn power(pcm: &[i16]) -> f32 {
    pcm.iter().map(|&s| f32::from(s) * f32::from(s)).sum::<f32>() / pcm.len().max(1) as f32
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

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: usize = 300;

    fn tone(from: usize, length: usize) -> Vec<i16> {
        let turn = std::f64::consts::TAU / PERIOD as f64;
        (from..from + length).map(|i| ((4_000.0 + 2.0 * i as f64) * (i as f64 * turn).sin()) as i16).collect()
    }

    fn queue(length: usize) -> Queue {
        let mut queue = Queue::new();
        queue.extend(HISTORY + length).copy_from_slice(&tone(0, HISTORY + length));
        queue.pop(&mut [0; HISTORY]);
        queue
    }

    /// The last sample played and all that wait.
    fn joined(queue: &mut Queue) -> Vec<i16> {
        [vec![tone(HISTORY - 1, 1)[0]], rest(queue)].concat()
    }

    fn rest(queue: &mut Queue) -> Vec<i16> {
        let mut out = vec![0; queue.len()];
        queue.pop(&mut out);
        out
    }

    #[test]
    fn a_cut_or_repeated_tone_is_the_same_tone_shorter_or_longer() {
        for (most, period) in [(290, 0), (400, PERIOD), (700, 2 * PERIOD)] {
            let mut queue = queue(1_440);
            let removed = queue.squeeze(most, Likeness(0.99));
            assert_eq!(removed == 0, period == 0, "at most {most}");
            assert!(removed % PERIOD <= 4 || removed % PERIOD >= PERIOD - 4, "{removed}");
            let heard = joined(&mut queue);
            assert_eq!(heard.len(), 1_441 - removed);
            assert_smooth(&heard);
        }
        let mut queue = queue(480);
        let added = queue.stretch(400, Likeness(0.99));
        assert!(added.abs_diff(PERIOD) <= 4, "{added}");
        let heard = joined(&mut queue);
        assert_eq!(heard.len(), 481 + added);
        assert_smooth(&heard);
    }

    /// No step larger than the tone's own, and its loudness kept.
    fn assert_smooth(heard: &[i16]) {
        let step = heard.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap_or(0);
        assert!(step < 300, "a step of {step}");
        let loudness = power(&heard[..OVERLAP * 2]).sqrt();
        assert!(loudness > 3_000.0, "{loudness}");
    }

    #[test]
    fn a_pause_is_cut_and_stretched_to_the_sample() {
        for most in [60, 200, 333] {
            let mut queue = Queue::new();
            queue.extend(HISTORY + 1_440).fill(7);
            queue.pop(&mut [0; HISTORY]);
            assert_eq!(queue.squeeze(most, Likeness(2.0)), most);
            assert_eq!(queue.stretch(most, Likeness(2.0)), most);
            assert_eq!(rest(&mut queue), [7; 1_440]);
        }
    }

    #[test]
    fn what_resembles_nothing_stays_as_it_is() {
        let mut queue = queue(1_440);
        let mut noise = 1u32;
        for sample in queue.last(1_440) {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (noise >> 18) as i16;
        }
        assert_eq!(queue.squeeze(700, Likeness(0.85)), 0);
        assert_eq!(queue.stretch(700, Likeness(0.85)), 0);
        assert_eq!(queue.len(), 1_440);
    }

    #[test]
    fn the_wanted_part_joins_without_a_step() {
        let mut queue = queue(300);
        queue.extend(960).copy_from_slice(&tone(HISTORY + 300 - 480, 960));
        queue.join_last(960, 480);
        assert!(rest(&mut queue) == tone(HISTORY, 780));
    }
}
