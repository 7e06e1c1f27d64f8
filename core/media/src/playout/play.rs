//! What goes out: decoding, recovering, making up, and keeping the delay at its target.

use super::{JUMP, JUMP_AT_BEGIN, PULL, PULLS, Playout};
use crate::PULL_SAMPLES;
use crate::delay::MS;
use crate::stretch::Likeness;

/// Beyond the target: from here time is squeezed if no pause comes, from here at once, and from here with less regard
/// for likeness.
const TOO_LONG: i64 = 10 * MS;
const MUCH_TOO_LONG: i64 = 25 * MS;
const FAR_TOO_LONG: i64 = 60 * MS;
/// Short of the target: from here time is stretched.
const TOO_SHORT: i64 = 5 * MS;
/// So many pulls a pause is waited for, in which a cut is not heard.
const PATIENCE: u32 = 200;
/// The same in a pause, where nobody hears it.
const UNHEARD: i64 = 2 * MS;
const ALIKE: Likeness = Likeness(0.85);
const BARELY_ALIKE: Likeness = Likeness(0.5);
/// Sound that is made up fades from here on, for so long.
const FADES_AFTER: i64 = 100 * MS;
const FADE: i64 = 200 * MS;
/// Nothing for so long: the sender has stopped, which is no loss.
const GIVEN_UP: i64 = 2_000 * MS;

impl Playout {
    /// Fills `out` with what comes next.
    pub(super) fn play(&mut self, out: &mut [i16; PULL_SAMPLES]) {
        self.start_at_once();
        let current = self.measure();
        self.jump(current);
        while self.queue.len() < PULL_SAMPLES {
            self.fill();
        }
        self.scale();
        self.queue.pop(out);
    }

    /// Who has the target's worth of sound waiting before the first pull need not wait for it to gather.
    fn start_at_once(&mut self) {
        if self.pulls > 0 {
            return;
        }
        let (Some(slot), Some((_, newest))) = (self.slab.first_from(self.next_sequence), self.newest) else { return };
        if newest + slot.shape.samples - slot.timestamp >= self.delay.target() {
            self.next_timestamp = slot.timestamp;
        }
    }

    /// How long the next sample to be played waited, beyond the fastest packet.
    fn current(&self) -> i64 {
        let playing = self.next_timestamp - self.queue.len() as i64;
        self.now - playing - self.delay.minimum()
    }

    /// The delay that counts for scaling: the shortest of the last pulls.
    fn measure(&mut self) -> i64 {
        let current = self.current();
        if self.pulls == 0 {
            self.delays = [current; PULLS];
        }
        self.delays[self.pulls % PULLS] = current;
        self.pulls = self.pulls.wrapping_add(1);
        self.shortest()
    }

    /// The shortest delay of the last pulls, in samples.
    pub(super) fn shortest(&self) -> i64 {
        self.delays.iter().copied().min().unwrap_or(0)
    }

    /// Scaling moved every later sample by so much.
    fn shift(&mut self, samples: i64) {
        self.delays.iter_mut().for_each(|delay| *delay += samples);
    }

    /// Passes over sound when the delay is far too long: dropping beats minutes of lag.
    fn jump(&mut self, current: i64) {
        let excess = current - self.delay.target();
        if excess <= if self.now < self.patient_until { JUMP_AT_BEGIN } else { JUMP } {
            return;
        }
        self.next_timestamp += excess;
        self.stats.skipped += excess as u64;
        self.shift(-excess);
        self.queue.clear();
    }

    /// Adds the next piece of sound to the queue, whatever there is.
    fn fill(&mut self) {
        loop {
            let Some(slot) = self.slab.first_from(self.next_sequence) else {
                return self.run_dry();
            };
            let (sequence, gap) = (slot.sequence, slot.timestamp - self.next_timestamp);
            if slot.end() <= self.next_timestamp {
                self.stats.late += 1;
                self.slab.remove(sequence);
                self.next_sequence = sequence + 1;
                continue;
            }
            if gap < PULL / 4 {
                return self.decode(sequence);
            }
            let (samples, fec) = (slot.shape.samples, slot.shape.fec);
            let lost = (sequence - self.next_sequence) * samples;
            if gap > lost {
                return self.rest((gap - lost).min(PULL), gap - lost);
            }
            if fec && (gap == samples || (gap < samples && gap >= PULL && self.missing > 0)) {
                return self.recover(sequence, gap);
            }
            // Up to where the next missing frame begins, so that the copy can still stand for the last of them.
            let into = gap % samples;
            return self.conceal(if into == 0 { PULL } else { into.min(PULL) });
        }
    }

    fn decode(&mut self, sequence: i64) {
        let Some(slot) = self.slab.find(sequence) else {
            return;
        };
        let samples = slot.shape.samples as usize;
        let room = self.queue.extend(samples);
        let decoded = self.decoder.decode(slot.bytes(), room, false);
        self.resting = slot.shape.rests;
        self.next_timestamp = slot.end();
        for _ in self.next_sequence..sequence {
            self.stats.lost += 1;
            self.delay.played(true);
        }
        self.delay.played(false);
        self.next_sequence = sequence + 1;
        self.missing = 0;
        self.slab.remove(sequence);
        if decoded.is_err() {
            self.stats.malformed += 1;
            room.fill(0);
        }
    }

    /// What is still to be played, `gap`, of the frame before this packet, from the copy in it.
    fn recover(&mut self, sequence: i64, gap: i64) {
        let Some(slot) = self.slab.find(sequence) else {
            return;
        };
        let samples = slot.shape.samples as usize;
        let room = self.queue.extend(samples);
        if self.decoder.decode(slot.bytes(), room, true).is_err() {
            room.fill(0);
        }
        self.queue.join_last(samples, gap as usize);
        self.next_timestamp += gap;
        self.stats.recovered_fec += 1;
    }

    /// Nothing waits: either the sender rests, or what comes next is late or lost, or nothing comes any more.
    fn run_dry(&mut self) {
        self.resting |= self.missing > GIVEN_UP;
        if self.resting { self.rest(PULL, i64::MAX) } else { self.conceal(PULL) }
    }

    /// Comfort noise for `samples` of the `silence` there is; here the delay can be put right at once and unheard.
    fn rest(&mut self, samples: i64, silence: i64) {
        let excess = self.current() - self.delay.target();
        self.make_up(samples);
        self.stats.rested += samples as u64;
        let passed = (samples + excess).clamp(0, silence);
        self.next_timestamp += passed;
        self.shift(samples - passed);
    }

    /// What libopus makes up holds the last vowel for seconds; after a short while it is silence that is true.
    fn conceal(&mut self, samples: i64) {
        self.make_up(samples);
        if self.missing + samples > FADES_AFTER {
            let gone = self.missing - FADES_AFTER;
            for (sample, gone) in self.queue.last(samples as usize).iter_mut().zip(gone..) {
                let left = (FADE - gone.clamp(0, FADE)) as i32;
                *sample = (i32::from(*sample) * left / FADE as i32) as i16;
            }
        }
        self.stats.concealed_samples += samples as u64;
        self.missing += samples;
        self.next_timestamp += samples;
    }

    /// Sound from the decoder's own idea of what comes next, in its steps of 10 ms; silence once it has none, so that
    /// a speaker nobody hears costs nothing.
    fn make_up(&mut self, samples: i64) {
        let whole = (samples as usize).next_multiple_of(PULL_SAMPLES);
        let room = self.queue.extend(whole);
        let nothing = self.delay.pause(self.now) > GIVEN_UP;
        if nothing || self.decoder.decode(&[], room, false).is_err() {
            room.fill(0);
        }
        self.queue.shorten(whole - samples as usize);
    }

    /// Moves the delay towards the target by whole pitch periods.
    fn scale(&mut self) {
        let excess = self.shortest() - self.delay.target();
        self.calm = self.calm.saturating_sub(1);
        if self.calm > 0 || self.missing > 0 {
            return;
        }
        let quiet = self.queue.is_quiet();
        self.waited = if excess > TOO_LONG { self.waited.saturating_add(1) } else { 0 };
        let too_long = if self.waited > PATIENCE { TOO_LONG } else { MUCH_TOO_LONG };
        let (too_long, too_short) = if quiet { (UNHEARD, UNHEARD) } else { (too_long, TOO_SHORT) };
        if excess > too_long {
            self.squeeze(excess);
        } else if excess < -too_short {
            let most = if quiet { -excess } else { TOO_SHORT - excess };
            let added = self.queue.stretch(most as usize, ALIKE);
            self.stats.stretched += added as u64;
            self.shift(added as i64);
            self.calm = if added > 0 { 3 } else { 0 };
        }
    }

    fn squeeze(&mut self, excess: i64) {
        let far = excess > FAR_TOO_LONG;
        while self.queue.len() < 3 * PULL_SAMPLES && self.slab.find(self.next_sequence).is_some() {
            self.fill();
        }
        let removed = self.queue.squeeze(excess as usize, if far { BARELY_ALIKE } else { ALIKE });
        self.stats.squeezed += removed as u64;
        self.shift(-(removed as i64));
        self.calm = if removed == 0 {
            0
        } else if far {
            1
        } else {
            3
        };
        while self.queue.len() < PULL_SAMPLES {
            self.fill();
        }
    }
}
