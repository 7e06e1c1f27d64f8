//! Shows frames in time: with the sound they were captured with, or evenly where there is none.

use std::collections::VecDeque;

use super::frame::Info;

/// Frames that may wait to be shown.
const WAITING: usize = 64;
/// No frame waits longer than this.
const LONGEST_US: u64 = 500_000;
/// Over which the fastest frame counts.
const WINDOW_US: u64 = 10_000_000;
/// How far sound may be from where its clock says before the two are joined again, in samples: 20 ms.
const SLIP: i32 = 960;
/// Pictures may be so far behind their sound before it is held back for them, and how far it is at most.
const LIPS: i32 = 28 * 48;
const MOST_HOLD_US: u64 = 60_000;
/// How much longer for each picture that is further behind, and less for each that is not: one in twenty stays further behind.
const HOLD_US: (u64, u64) = (950, 50);
/// Sound that was not heard of for this long says nothing any more.
const STALE_US: u64 = 1_000_000;

/// A frame whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What it is.
    pub info: Info,
    /// The encoded frame.
    pub frame: Vec<u8>,
    /// How long it waited here.
    pub waited_us: u64,
    /// How far it is behind the sound it belongs to; negative when ahead of it. None where there is no sound.
    pub behind_us: Option<i64>,
}

/// Holds the frames of one track until their time.
///
/// Sound is the master: a frame is shown when the sound captured with it is played, and sound is held back a little where
/// frames come later than that. Without sound, or when its sender captures none, a frame is shown as long after its capture
/// as the slowest of the last seconds needed, within bounds.
#[derive(Debug, Default)]
pub struct Presenter {
    waiting: VecDeque<(Info, Vec<u8>, u64)>,
    /// Which sound was played when.
    sound: Option<(u32, u64)>,
    /// Arrival minus capture, of the fastest frame of this and the last window.
    fastest: Option<i64>,
    before: Option<i64>,
    window_us: u64,
    /// How much slower frames were, smoothed towards the slowest.
    spread_us: u64,
    hold_us: u64,
    dropped: u64,
}

impl Presenter {
    /// Nothing to show yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Frames that were let go because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How much longer sound should be held back than it needs to be, for pictures that come later than it, in microseconds.
    pub fn hold_us(&self) -> u64 {
        self.hold_us
    }

    /// The speaker plays the sound with this timestamp (48 kHz) now.
    pub fn sound(&mut self, now_us: u64, timestamp: u32) {
        let slipped = self.playing(now_us).is_none_or(|expected| {
            let slip = timestamp.wrapping_sub(expected).cast_signed();
            slip.unsigned_abs() > SLIP.unsigned_abs()
        });
        let old = self.sound.is_none_or(|(_, at_us)| at_us + STALE_US / 2 <= now_us);
        if slipped || old {
            self.sound = Some((timestamp, now_us));
        }
    }

    fn playing(&self, now_us: u64) -> Option<u32> {
        let (timestamp, at_us) = self.sound.filter(|(_, at_us)| at_us + STALE_US > now_us)?;
        let samples = now_us.saturating_sub(at_us) * 48 / 1_000;
        Some(timestamp.wrapping_add(samples as u32))
    }

    /// Takes a frame, in decoding order.
    pub fn push(&mut self, now_us: u64, info: Info, frame: Vec<u8>) {
        self.measure(now_us, info.captured_us);
        if let Some((playing, sound)) = self.playing(now_us).zip(info.sound) {
            let behind = playing.wrapping_sub(sound).cast_signed() > LIPS;
            let held_us = if behind { self.hold_us + HOLD_US.0 } else { self.hold_us.saturating_sub(HOLD_US.1) };
            self.hold_us = held_us.min(MOST_HOLD_US);
        }
        if self.waiting.len() >= WAITING {
            // Whoever stopped asking loses frames in order: the decoder will want a key frame.
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((info, frame, now_us));
    }

    fn measure(&mut self, now_us: u64, captured_us: u64) {
        let transit = now_us.cast_signed().wrapping_sub(captured_us.cast_signed());
        if self.window_us + WINDOW_US <= now_us {
            self.before = self.fastest.take();
            self.window_us = now_us;
        }
        let fastest = self.fastest.map_or(transit, |fastest| fastest.min(transit));
        self.fastest = Some(fastest);
        let slower = transit.wrapping_sub(self.floor(fastest)).max(0).unsigned_abs().min(LONGEST_US);
        self.spread_us = match slower >= self.spread_us {
            true => slower,
            false => self.spread_us - (self.spread_us - slower) / 64,
        };
    }

    fn floor(&self, fastest: i64) -> i64 {
        self.before.map_or(fastest, |before| before.min(fastest))
    }

    /// When a frame is to be shown.
    fn due_us(&self, now_us: u64, info: &Info, arrived_us: u64) -> u64 {
        let latest = arrived_us + LONGEST_US;
        if let (Some(sound), Some(playing)) = (info.sound, self.playing(now_us)) {
            let ahead = i64::from(sound.wrapping_sub(playing).cast_signed()) * 1_000 / 48;
            return now_us.saturating_add_signed(ahead).min(latest);
        }
        let floor = self.fastest.map_or(0, |fastest| self.floor(fastest));
        let due = info.captured_us.cast_signed().wrapping_add(floor).wrapping_add(self.spread_us.cast_signed());
        u64::try_from(due).unwrap_or(0).clamp(arrived_us, latest)
    }

    /// The next frame whose time has come.
    pub fn pop(&mut self, now_us: u64) -> Option<Shown> {
        let (info, _, arrived_us) = self.waiting.front()?;
        if self.due_us(now_us, info, *arrived_us) > now_us {
            return None;
        }
        let (info, frame, arrived_us) = self.waiting.pop_front()?;
        let behind = |(sound, playing): (u32, u32)| i64::from(playing.wrapping_sub(sound).cast_signed()) * 1_000 / 48;
        let behind_us = info.sound.zip(self.playing(now_us)).map(behind);
        Some(Shown { info, frame, waited_us: now_us.saturating_sub(arrived_us), behind_us })
    }

    /// When [`Presenter::pop`] has something, as far as is known now.
    pub fn deadline_us(&self, now_us: u64) -> Option<u64> {
        let (info, _, arrived_us) = self.waiting.front()?;
        Some(self.due_us(now_us, info, *arrived_us))
    }
}
