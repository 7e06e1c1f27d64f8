//! All remote speakers into one loudspeaker.

use crate::level::Level;
use crate::playout::{Inserted, Playout, PlayoutStats};
use crate::{MAX_SPEAKERS, MediaError, PULL_SAMPLES};

/// The caller's own number for a remote speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Speaker(pub u64);

/// How one speaker sounded in the last pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub speaker: Speaker,
    /// How loud.
    pub level: Level,
    /// Whether they speak, with hang-over.
    pub speaking: bool,
}

/// The loudest a mix of several voices gets before it is turned down: about -1 dB.
const CEILING: f32 = 29_200.0;
/// What the gain regains in 10 ms: full again after half a second.
const RELEASE: f32 = 0.02;
/// Another voice must be so many dB louder to take over from the active speaker.
const TAKE_OVER_DB: u8 = 6;

/// The most voices that are decoded and mixed at once: the loudest, by their senders' word.
pub const MIXED: usize = 8;
/// A speaker who is mixed stays so until another is so many dB louder.
const STAYS_DB: u8 = 6;
/// What a sender said of its loudness holds for so long.
const TOLD_US: u64 = 500_000;

/// Whom a mixer plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// Everybody, the [`MIXED`] loudest at once.
    Everyone,
    /// One speaker; what others say waits for its turn or grows old.
    Only(Speaker),
    /// Nobody.
    Nobody,
}

struct Seat {
    speaker: Speaker,
    playout: Playout,
    /// How loud it is by its sender's word, and since when.
    told: (Level, u64),
    mixed: bool,
    /// Whether it was played in the last pull.
    played: bool,
}

/// Up to [`MAX_SPEAKERS`] playouts and the sum of those that are listened to.
///
/// One voice alone passes through unaltered; several are turned down together where they would clip.
pub struct Mixer {
    seats: [Option<Seat>; MAX_SPEAKERS],
    listening: Listening,
    active: Option<Speaker>,
    gain: f32,
}

impl Default for Mixer {
    fn default() -> Self {
        Mixer::new()
    }
}

impl Mixer {
    /// A mixer nobody has joined, which plays everyone.
    pub fn new() -> Mixer {
        Mixer { seats: [const { None }; MAX_SPEAKERS], listening: Listening::Everyone, active: None, gain: 1.0 }
    }

    /// Lets a speaker in; one already in stays as it is.
    ///
    /// # Errors
    /// [`MediaError::Full`] when [`MAX_SPEAKERS`] are in, [`MediaError::Codec`] when libopus cannot start.
    pub fn join(&mut self, speaker: Speaker) -> Result<(), MediaError> {
        if self.seat(speaker).is_some() {
            return Ok(());
        }
        let seat = self.seats.iter_mut().find(|seat| seat.is_none()).ok_or(MediaError::Full)?;
        *seat = Some(Seat { speaker, playout: Playout::new()?, told: (Level::SILENCE, 0), mixed: true, played: false });
        Ok(())
    }

    /// Lets a speaker go; one not in is ignored.
    pub fn leave(&mut self, speaker: Speaker) {
        for seat in &mut self.seats {
            if seat.as_ref().is_some_and(|seat| seat.speaker == speaker) {
                *seat = None;
            }
        }
        if self.active == Some(speaker) {
            self.active = None;
        }
    }

    /// Plays these from the next pull on.
    pub fn listen(&mut self, listening: Listening) {
        self.listening = listening;
    }

    /// A speaker begins a burst: see [`Playout::begin_burst`].
    pub fn begin_burst(&mut self, speaker: Speaker) {
        if let Some(seat) = self.seat_mut(speaker) {
            seat.playout.begin_burst();
        }
    }

    /// Takes a sender's word on how loud it is; it chooses who is mixed where more speak than [`MIXED`].
    pub fn tell(&mut self, now_us: u64, speaker: Speaker, level: Level) {
        if let Some(seat) = self.seat_mut(speaker) {
            seat.told = (level, now_us);
        }
    }

    /// Takes one payload of a speaker, as [`Playout::insert`]; `None` from somebody not in.
    pub fn insert(
        &mut self,
        now_us: u64,
        speaker: Speaker,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Option<Inserted> {
        let seat = self.seat_mut(speaker)?;
        Some(seat.playout.insert(now_us, sequence, timestamp, payload))
    }

    /// Gives the next 10 ms of everybody who is listened to together.
    pub fn pull(&mut self, now_us: u64, out: &mut [i16; PULL_SAMPLES]) {
        self.choose_mixed(now_us);
        let mut sum = [0i32; PULL_SAMPLES];
        let mut voice = [0i16; PULL_SAMPLES];
        let listening = self.listening;
        let heard = |seat: &Seat| match listening {
            Listening::Everyone => seat.mixed,
            Listening::Only(speaker) => seat.speaker == speaker,
            Listening::Nobody => false,
        };
        let mut voices = 0;
        for seat in self.seats.iter_mut().flatten() {
            seat.played = heard(seat);
            if !seat.played {
                continue;
            }
            voices += 1;
            seat.playout.pull(now_us, &mut voice);
            sum.iter_mut().zip(&voice).for_each(|(sum, &sample)| *sum += i32::from(sample));
        }
        self.limit(&sum, voices < 2, out);
        self.choose_active();
    }

    /// How everybody sounded in the last pull.
    pub fn heard(&self) -> impl Iterator<Item = Heard> + '_ {
        self.seats.iter().flatten().map(|seat| Heard {
            speaker: seat.speaker,
            level: if seat.played { seat.playout.level() } else { Level::SILENCE },
            speaking: seat.played && seat.playout.speaking(),
        })
    }

    /// Who speaks: the loudest speaking, who keeps the title until silent or until another is 6 dB louder.
    pub fn active(&self) -> Option<Speaker> {
        self.active
    }

    /// RTP timestamp of what the next pull plays of one speaker; see [`Playout::playing`].
    pub fn playing(&self, speaker: Speaker) -> Option<u32> {
        self.seat(speaker)?.playout.playing()
    }

    /// Holds one speaker's sound back for pictures that come later; see [`Playout::hold_longer`].
    pub fn hold_longer(&mut self, speaker: Speaker, us: u32) {
        if let Some(seat) = self.seat_mut(speaker) {
            seat.playout.hold_longer(us);
        }
    }

    /// The counts of one speaker; `None` for somebody not in.
    pub fn stats(&self, speaker: Speaker) -> Option<PlayoutStats> {
        self.seat(speaker).map(|seat| seat.playout.stats())
    }

    fn seat(&self, speaker: Speaker) -> Option<&Seat> {
        self.seats.iter().flatten().find(|seat| seat.speaker == speaker)
    }

    fn seat_mut(&mut self, speaker: Speaker) -> Option<&mut Seat> {
        self.seats.iter_mut().flatten().find(|seat| seat.speaker == speaker)
    }

    /// Where more are in than can be mixed, the loudest are; who is not, begins anew when it is louder again.
    fn choose_mixed(&mut self, now_us: u64) {
        if self.seats.iter().flatten().count() <= MIXED {
            self.seats.iter_mut().flatten().for_each(|seat| seat.mixed = true);
            return;
        }
        let mut ranks = std::array::from_fn::<_, MAX_SPEAKERS, _>(|place| (u8::MAX, place));
        for (place, seat) in self.seats.iter().enumerate() {
            let Some(seat) = seat else { continue };
            let (level, at_us) = seat.told;
            let told = if now_us.saturating_sub(at_us) > TOLD_US { Level::SILENCE } else { level };
            // A smaller number is louder.
            let stays = if seat.mixed { STAYS_DB } else { 0 };
            ranks[place] = (told.minus_dbov().saturating_sub(stays), place);
        }
        ranks.sort_unstable();
        for (rank, (_, place)) in ranks.into_iter().enumerate() {
            let Some(seat) = &mut self.seats[place] else { continue };
            let mixed = rank < MIXED;
            if std::mem::replace(&mut seat.mixed, mixed) && !mixed {
                seat.playout.begin_burst();
            }
        }
    }

    fn limit(&mut self, sum: &[i32; PULL_SAMPLES], alone: bool, out: &mut [i16; PULL_SAMPLES]) {
        let peak = sum.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0) as f32;
        let safe = if alone || peak <= CEILING { 1.0 } else { CEILING / peak };
        let goal = safe.min(self.gain + RELEASE);
        let begin = self.gain;
        for (i, (out, &sample)) in out.iter_mut().zip(sum).enumerate() {
            // Down within the first millisecond, up over the whole block.
            let ramp = if goal < begin { 48.0 } else { PULL_SAMPLES as f32 };
            let gain = begin + (goal - begin) * (i as f32 / ramp).min(1.0);
            let level = if gain >= 1.0 { sample } else { (sample as f32 * gain) as i32 };
            *out = level.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        self.gain = goal;
    }

    fn choose_active(&mut self) {
        let loudest = self.heard().filter(|heard| heard.speaking).min_by_key(|heard| heard.level);
        let current =
            self.active.and_then(|active| self.heard().find(|heard| heard.speaker == active && heard.speaking));
        self.active = match (current, loudest) {
            (Some(current), Some(loudest))
                if loudest.level.minus_dbov() + TAKE_OVER_DB > current.level.minus_dbov() =>
            {
                Some(current.speaker)
            }
            (_, loudest) => loudest.map(|heard| heard.speaker),
        };
    }
}
