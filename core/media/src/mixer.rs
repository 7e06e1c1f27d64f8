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

/// Up to [`MAX_SPEAKERS`] playouts and their sum.
///
/// One voice alone passes through unaltered; several are turned down together where they would clip.
pub struct Mixer {
    seats: [Option<(Speaker, Playout)>; MAX_SPEAKERS],
    active: Option<Speaker>,
    gain: f32,
}

impl Default for Mixer {
    fn default() -> Self {
        Mixer::new()
    }
}

impl Mixer {
    /// A mixer nobody has joined.
    pub fn new() -> Mixer {
        Mixer { seats: [const { None }; MAX_SPEAKERS], active: None, gain: 1.0 }
    }

    /// Lets a speaker in; one already in stays as it is.
    ///
    /// # Errors
    /// [`MediaError::Full`] when [`MAX_SPEAKERS`] are in, [`MediaError::Codec`] when libopus cannot start.
    pub fn join(&mut self, speaker: Speaker) -> Result<(), MediaError> {
        if self.playout(speaker).is_some() {
            return Ok(());
        }
        let seat = self.seats.iter_mut().find(|seat| seat.is_none()).ok_or(MediaError::Full)?;
        *seat = Some((speaker, Playout::new()?));
        Ok(())
    }

    /// Lets a speaker go; one not in is ignored.
    pub fn leave(&mut self, speaker: Speaker) {
        for seat in &mut self.seats {
            if seat.as_ref().is_some_and(|(sitting, _)| *sitting == speaker) {
                *seat = None;
            }
        }
        if self.active == Some(speaker) {
            self.active = None;
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
        let playout = self.seats.iter_mut().flatten().find(|(sitting, _)| *sitting == speaker);
        playout.map(|(_, playout)| playout.insert(now_us, sequence, timestamp, payload))
    }

    /// Gives the next 10 ms of everybody together.
    pub fn pull(&mut self, now_us: u64, out: &mut [i16; PULL_SAMPLES]) {
        let mut sum = [0i32; PULL_SAMPLES];
        let mut voice = [0i16; PULL_SAMPLES];
        for (_, playout) in self.seats.iter_mut().flatten() {
            playout.pull(now_us, &mut voice);
            sum.iter_mut().zip(&voice).for_each(|(sum, &sample)| *sum += i32::from(sample));
        }
        self.limit(&sum, out);
        self.choose_active();
    }

    /// How everybody sounded in the last pull.
    pub fn heard(&self) -> impl Iterator<Item = Heard> + '_ {
        self.seats.iter().flatten().map(|(speaker, playout)| Heard {
            speaker: *speaker,
            level: playout.level(),
            speaking: playout.speaking(),
        })
    }

    /// Who speaks: the loudest speaking, who keeps the title until silent or until another is 6 dB louder.
    pub fn active(&self) -> Option<Speaker> {
        self.active
    }

    /// The counts of one speaker; `None` for somebody not in.
    pub fn stats(&self, speaker: Speaker) -> Option<PlayoutStats> {
        self.playout(speaker).map(Playout::stats)
    }

    fn playout(&self, speaker: Speaker) -> Option<&Playout> {
        self.seats.iter().flatten().find(|(sitting, _)| *sitting == speaker).map(|(_, playout)| playout)
    }

    fn limit(&mut self, sum: &[i32; PULL_SAMPLES], out: &mut [i16; PULL_SAMPLES]) {
        let alone = self.seats.iter().flatten().count() < 2;
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
