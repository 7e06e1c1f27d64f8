//! One remote speaker: payloads in whenever they come, 10 ms of sound out whenever they are asked for.

mod arrive;
mod play;

use opus::{Channels, Decoder};

use crate::delay::{Delay, MS};
use crate::level::{Level, Meter};
use crate::slab::Slab;
use crate::stretch::Queue;
use crate::{MediaError, PULL_SAMPLES, SAMPLE_RATE_HZ};

/// One pull as a length of sound.
const PULL: i64 = PULL_SAMPLES as i64;
/// Beyond the target: from here sound is dropped.
const JUMP: i64 = 200 * MS;
/// The same for a while after a burst began, which may begin with its past.
const JUMP_AT_BEGIN: i64 = 400 * MS;
/// How long that while is: by then the past has been caught up with.
const PATIENCE_AT_BEGIN: i64 = 500 * MS;
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
    /// Payloads whose turn was over when they came, or passed over before they could be played.
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
    /// Part of the last few hundred frames that were lost, recovered or not, in parts per thousand: what the sender is
    /// told ([`crate::Capture::report_loss`]).
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
    /// The next payload begins a burst.
    burst: bool,
    /// Until then sound that came all at once is played and not passed over.
    patient_until: i64,
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
            burst: false,
            patient_until: 0,
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

    /// What waits is forgotten, and the next payload begins anew, whatever its numbers: a burst of push-to-talk. It waits
    /// as long as the last one taught. If much of it comes at once, as speech from before the press does, all of it is
    /// played and the lag made up for later.
    pub fn begin_burst(&mut self) {
        self.newest = None;
        self.stray = None;
        self.seen = 0;
        self.slab.clear();
        self.queue.clear();
        self.resting = true;
        self.missing = 0;
        self.burst = true;
        self.delay.expect_bursts();
        // Refuses nothing: it has no argument.
        let _ = self.decoder.reset_state();
    }

    /// Gives the next 10 ms of sound; silence until something was heard.
    pub fn pull(&mut self, now_us: u64, out: &mut [i16; PULL_SAMPLES]) {
        self.tick(now_us);
        if self.newest.is_none() {
            out.fill(0);
            self.meter.push(out);
            return;
        }
        self.play(out);
        self.meter.push(out);
    }

    /// RTP timestamp of the sample that the next pull begins with, as nearly as stretched time can tell; `None` before
    /// anything was heard.
    pub fn playing(&self) -> Option<u32> {
        self.newest?;
        // RTP timestamps are the lower half of those that never wrap.
        Some((self.next_timestamp - self.queue.len() as i64) as u32)
    }

    /// Holds sound back by so much more than it needs, for pictures that come later, in microseconds: at most what is ever held.
    pub fn hold_longer(&mut self, us: u32) {
        self.delay.hold_longer(i64::from(us) * MS / 1_000);
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
