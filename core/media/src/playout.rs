//! One remote speaker: payloads in whenever they come, 10 ms of sound out whenever they are asked for.

use opus::{Channels, Decoder};

use crate::delay::{Delay, MS, Order};
use crate::level::{Level, Meter};
use crate::payload::{LONGEST_PAYLOAD, Shape, shape};
use crate::slab::{SLOTS, Slab};
use crate::stretch::{Likeness, Queue};
use crate::{MediaError, PULL_SAMPLES, SAMPLE_RATE_HZ};

const PULL: i64 = PULL_SAMPLES as i64;
/// Sequence numbers ahead of the newest that are still the same stream: about a minute (RFC 3550, appendix A.1).
const MOST_AHEAD: i64 = 3_000;
/// Timestamps ahead of or behind what the clock expects that are still the same stream.
const MOST_ASTRAY: i64 = 5_000 * MS;
/// A frame at most this late is still played and the delay grows by as much; later ones count as lost.
const REWIND: i64 = 20 * MS;
/// So many frames in a row, each about as late as the one before, are a slower route and no stall.
const SLOWER_ROUTE: u32 = 3;
/// Beyond the target: from here time is squeezed if no pause comes, from here at once, and from here with less regard
/// for likeness.
const TOO_LONG: i64 = 10 * MS;
const MUCH_TOO_LONG: i64 = 25 * MS;
const FAR_TOO_LONG: i64 = 60 * MS;
/// Beyond the target: from here sound is dropped.
const JUMP: i64 = 200 * MS;
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
/// Pulls over which the shortest delay counts, since speakers are asked for sound in bursts.
const PULLS: usize = 8;

/// A clock that goes back this far was set anew.
const CLOCK_JUMP_US: u64 = 1_000_000;
/// A century: keeps clock arithmetic away from overflow whatever the caller's clock says.
const LONGEST_CALL_US: u64 = 1 << 52;

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inserted {
    /// It waits for its turn.
    Kept,
    /// Its turn is over; refused.
    Late,
    /// The same sequence number waits already; refused.
    Duplicate,
    /// Its sequence number or timestamp cannot belong to this stream; refused, unless the next one follows on it.
    Astray,
    /// It is no Opus packet; refused.
    Malformed,
}

/// Counts since the start, and the delay now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayoutStats {
    /// Payloads kept.
    pub inserted: u64,
    /// Payloads refused because their turn was over.
    pub late: u64,
    /// Payloads refused because they were there already.
    pub duplicate: u64,
    /// Payloads refused because their numbers made no sense.
    pub astray: u64,
    /// Payloads refused, now or when decoded, because they were no Opus.
    pub malformed: u64,
    /// Frames whose turn came and passed without them; silence (DTX) is no loss.
    pub lost: u64,
    /// Samples made up for frames that were not there.
    pub concealed_samples: u64,
    /// Frames recovered from the copy in the packet after them.
    pub recovered_fec: u64,
    /// Samples added by time scaling.
    pub stretched: u64,
    /// Samples removed by time scaling.
    pub squeezed: u64,
    /// Samples passed over because the delay had become far too long.
    pub skipped: u64,
    /// Samples of comfort noise while the sender rested (DTX).
    pub rested: u64,
    /// How long a sample waits here, beyond the fastest packet of the last two seconds.
    pub delay_ms: u32,
    /// How long it should.
    pub target_ms: u32,
    /// Part of the last few hundred frames that were lost, in parts per thousand.
    pub loss_permille: u32,
}

/// The receiving side of one remote speaker.
///
/// Holds sound back just long enough for the jitter it measures, recovers or conceals what is missing, and squeezes or
/// stretches time to follow. A stall counts as loss: what was missed stays missed, and the delay stays small.
pub struct Playout {
    decoder: Decoder,
    slab: Slab,
    delay: Delay,
    queue: Queue,
    meter: Meter,
    stats: PlayoutStats,
    /// The caller's clock when last read.
    clock_us: Option<u64>,
    /// Our own clock, which never goes back.
    elapsed_us: u64,
    /// The same in samples.
    now: i64,
    /// Reference points for unwrapping: the newest packet.
    newest: Option<(i64, i64)>,
    /// A lone packet from elsewhere: believed when the next one follows on it.
    stray: Option<(u16, u32)>,
    /// Which of the newest sequence numbers came: bit n is the newest less n.
    seen: u128,
    /// Sequence number whose turn is next.
    next_sequence: i64,
    /// Timestamp right after the last queued sample.
    next_timestamp: i64,
    /// The last payload said that silence goes on.
    resting: bool,
    /// Samples made up since anything was there.
    missing: i64,
    late_run: u32,
    lateness: i64,
    /// Delay at the last pulls, shortest counts.
    delays: [i64; PULLS],
    pulls: usize,
    /// Pulls since the delay was all right.
    waited: u32,
    /// Pulls to wait before time is scaled again.
    calm: u32,
}

impl Playout {
    /// A speaker nothing was heard of yet.
    ///
    /// # Errors
    /// [`MediaError::Codec`] when libopus cannot start.
    pub fn new() -> Result<Playout, MediaError> {
        let decoder = Decoder::new(SAMPLE_RATE_HZ, Channels::Mono).map_err(|_| MediaError::Codec)?;
        Ok(Playout {
            decoder,
            slab: Slab::new(),
            delay: Delay::new(),
            queue: Queue::new(),
            meter: Meter::default(),
            stats: PlayoutStats::default(),
            clock_us: None,
            elapsed_us: 0,
            now: 0,
            newest: None,
            stray: None,
            seen: 0,
            next_sequence: 0,
            next_timestamp: 0,
            resting: true,
            missing: 0,
            late_run: 0,
            lateness: 0,
            delays: [0; PULLS],
            pulls: 0,
            waited: 0,
            calm: 0,
        })
    }

    /// Takes one payload with its RTP sequence number and timestamp, at the time it arrived.
    ///
    /// Any bytes and numbers are safe; what does not fit is refused and counted. At most 64 payloads wait.
    pub fn insert(&mut self, now_us: u64, sequence: u16, timestamp: u32, payload: &[u8]) -> Inserted {
        self.tick(now_us);
        let inserted = self.place(sequence, timestamp, payload);
        let count = match inserted {
            Inserted::Kept => &mut self.stats.inserted,
            Inserted::Late => &mut self.stats.late,
            Inserted::Duplicate => &mut self.stats.duplicate,
            Inserted::Astray => &mut self.stats.astray,
            Inserted::Malformed => &mut self.stats.malformed,
        };
        *count += 1;
        inserted
    }

    /// Gives the next 10 ms of sound; silence until something was heard.
    pub fn pull(&mut self, now_us: u64, out: &mut [i16; PULL_SAMPLES]) {
        self.tick(now_us);
        if self.newest.is_none() {
            out.fill(0);
            self.meter.push(out);
            return;
        }
        let current = self.measure();
        self.jump(current);
        while self.queue.len() < PULL_SAMPLES {
            self.fill();
        }
        self.scale();
        self.queue.pop(out);
        self.meter.push(out);
    }

    /// Counts and delays up to now.
    pub fn stats(&self) -> PlayoutStats {
        PlayoutStats {
            delay_ms: (self.shortest().max(0) / MS) as u32,
            target_ms: (self.delay.target() / MS) as u32,
            loss_permille: (self.delay.loss() * 1_000.0) as u32,
            ..self.stats
        }
    }

    /// How loud the speaker is in what was pulled last.
    pub fn level(&self) -> Level {
        self.meter.level()
    }

    /// Whether the speaker speaks in what was pulled last, with hang-over.
    pub fn speaking(&self) -> bool {
        self.meter.speaking()
    }

    /// Follows the caller's clock, which two callers may read in the wrong order: a little back is no time at all, and
    /// far back is a new origin.
    fn tick(&mut self, now_us: u64) {
        let last_us = *self.clock_us.get_or_insert(now_us);
        if now_us < last_us.saturating_sub(CLOCK_JUMP_US) {
            self.clock_us = Some(now_us);
        } else if now_us > last_us {
            self.elapsed_us = self.elapsed_us.saturating_add(now_us - last_us).min(LONGEST_CALL_US);
            self.clock_us = Some(now_us);
        }
        self.now = (self.elapsed_us * MS as u64 / 1_000) as i64;
    }
}

/// What comes in.
impl Playout {
    fn place(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) -> Inserted {
        let Some(shape) = shape(payload) else {
            return Inserted::Malformed;
        };
        let Some((sequence, timestamp)) = self.unwrap(sequence, timestamp) else {
            return Inserted::Astray;
        };
        if self.was_seen(sequence) {
            return Inserted::Duplicate;
        }
        let order = if self.newest.is_none_or(|(newest, _)| sequence >= newest) {
            self.newest = Some((sequence, timestamp));
            Order::Ahead
        } else {
            Order::Behind
        };
        self.delay.arrived(self.now, timestamp, shape.fec, order);
        if self.is_over(sequence, timestamp, shape) && !self.slower_route(sequence, timestamp) {
            return Inserted::Late;
        }
        self.late_run = 0;
        self.make_room(sequence);
        if !self.slab.insert(sequence, timestamp, shape, payload) {
            return Inserted::Duplicate;
        }
        Inserted::Kept
    }

    /// Numbers without wrapping, or `None` for a stray one.
    fn unwrap(&mut self, sequence: u16, timestamp: u32) -> Option<(i64, i64)> {
        let Some((newest, newest_timestamp)) = self.newest else {
            let first = (i64::from(sequence), i64::from(timestamp));
            self.begin(first);
            return Some(first);
        };
        let step = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        let leap = i64::from(timestamp.wrapping_sub(newest_timestamp as u32) as i32);
        let unwrapped = (newest + step, newest_timestamp + leap);
        let astray = (self.now - unwrapped.1) - self.delay.minimum();
        let agree = step.signum() == leap.signum();
        let near = step.abs() <= MOST_AHEAD && agree && astray.abs() <= MOST_ASTRAY;
        if near && !(step > 0 && self.delay.is_stale(self.now)) {
            self.stray = None;
            return Some(unwrapped);
        }
        let follows = self.stray.is_some_and(|(stray, stray_timestamp)| {
            let ahead = timestamp.wrapping_sub(stray_timestamp);
            sequence == stray.wrapping_add(1) && (1..=LONGEST_PAYLOAD as u32).contains(&ahead)
        });
        let resumes = step == 1 && agree && self.delay.is_stale(self.now);
        if !follows && !resumes {
            self.stray = Some((sequence, timestamp));
            return None;
        }
        // Ahead of everything known, so that nothing old is mistaken for it.
        let first = (newest + (MOST_AHEAD + step).max(1), i64::from(timestamp));
        let first = ((first.0 & !0xffff) + i64::from(sequence) + 0x1_0000, first.1);
        self.begin(first);
        self.newest = Some(first);
        Some(first)
    }

    /// Marks this sequence number and says whether it was marked before; the newest 128 are remembered.
    fn was_seen(&mut self, sequence: i64) -> bool {
        let newest = self.newest.map_or(sequence, |(newest, _)| newest);
        let ahead = sequence - newest;
        if ahead > 0 {
            self.seen = if ahead < 128 { self.seen << ahead } else { 0 };
        }
        let age = (-ahead).max(0);
        if age >= 128 {
            return false;
        }
        let seen = self.seen >> age & 1 == 1;
        self.seen |= 1 << age;
        seen
    }

    /// A new burst, whose first packet this is: it waits as long as the last burst taught.
    fn begin(&mut self, (sequence, timestamp): (i64, i64)) {
        self.stray = None;
        self.seen = 0;
        self.slab.clear();
        self.queue.clear();
        self.delay.restart(self.now, timestamp);
        self.next_sequence = sequence;
        self.next_timestamp = timestamp - self.delay.target();
        self.resting = true;
        self.missing = 0;
        self.late_run = 0;
        self.pulls = 0;
    }

    /// Whether this packet's turn is over. One that is just a little late is waited for instead, if nothing else was there.
    fn is_over(&mut self, sequence: i64, timestamp: i64, shape: Shape) -> bool {
        if sequence < self.next_sequence {
            return true;
        }
        let late = self.next_timestamp - timestamp;
        if late <= 0 {
            return false;
        }
        let made_up = self.missing >= late && self.slab.waiting() == 0 && sequence == self.next_sequence;
        if self.resting || (made_up && late <= REWIND) {
            self.next_timestamp = timestamp;
            return false;
        }
        timestamp + shape.samples <= self.next_timestamp
    }

    /// Late packets that do not catch up: from now on this is how fast the route is.
    fn slower_route(&mut self, sequence: i64, timestamp: i64) -> bool {
        if sequence < self.next_sequence {
            return false;
        }
        let late = self.next_timestamp - timestamp;
        let steady = self.late_run > 0 && (late - self.lateness).abs() <= PULL;
        self.late_run = if steady { self.late_run + 1 } else { 1 };
        self.lateness = late;
        if self.late_run <= SLOWER_ROUTE {
            return false;
        }
        self.delay.restart(self.now, timestamp);
        self.next_timestamp = timestamp;
        self.pulls = 0;
        true
    }

    /// A packet far ahead pushes the oldest out of the window.
    fn make_room(&mut self, sequence: i64) {
        let first = sequence - SLOTS as i64 + 1;
        if first <= self.next_sequence {
            return;
        }
        let passed = (first - self.next_sequence) as u64;
        self.stats.lost += passed.saturating_sub(self.slab.remove_before(first));
        self.next_sequence = first;
    }
}

/// What goes out.
impl Playout {
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
        self.pulls += 1;
        self.shortest()
    }

    fn shortest(&self) -> i64 {
        self.delays.iter().copied().min().unwrap_or(0)
    }

    /// Scaling moved every later sample by so much.
    fn shift(&mut self, samples: i64) {
        self.delays.iter_mut().for_each(|delay| *delay += samples);
    }

    /// Passes over sound when the delay is far too long: dropping beats minutes of lag.
    fn jump(&mut self, current: i64) {
        let excess = current - self.delay.target();
        if excess <= JUMP {
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

    /// Nothing waits: either the sender rests, or what comes next is late or lost.
    fn run_dry(&mut self) {
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

    /// Sound from the decoder's own idea of what comes next, in its steps of 10 ms.
    fn make_up(&mut self, samples: i64) {
        let whole = (samples as usize).next_multiple_of(PULL_SAMPLES);
        let room = self.queue.extend(whole);
        if self.decoder.decode(&[], room, false).is_err() {
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
