//! One encoder for everybody who watches: what it should make, when a key frame is due, and who gets its frames.

use std::collections::BTreeMap;

/// The encoder is asked for a key frame no more often than this.
const KEY_US: u64 = 300_000;
/// A path that bears less than this bears no picture.
const THIN_BPS: u64 = 60_000;
/// Whoever bears less than this does not hold those up who bear more.
const SMALL_BPS: u64 = 150_000;
/// What a path must bear before pictures come back to it.
const BACK_BPS: u64 = 90_000;
/// For how long a path must be too thin.
const THIN_US: u64 = 2_000_000;
/// How long a viewer is left to the voice before its path is tried again: first, and at most; twice as long each time.
const REST_US: (u64, u64) = (5_000_000, 40_000_000);
/// How long a path is tried.
const TRIAL_US: u64 = 6_000_000;
/// What is sent to try it.
pub const TRIAL_BPS: u64 = 200_000;
/// A change of the bit rate by an eighth is told at once, one by a thirty-second part when nothing was told for a while.
const PARTS: (u64, u64) = (8, 32);
const WHILE_US: u64 = 1_000_000;

/// What an encoder should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The next frame must be a key frame: somebody cannot go on without.
    Key,
    /// What to make from now on, in bits a second.
    Bitrate(u64),
    /// Frames go to nobody, and why.
    Paused(Pause),
    /// Somebody watches again, from a key frame on.
    Resumed,
}

/// Why frames go to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pause {
    /// The path bears the voice alone; it is tried now and then.
    Path,
    /// Nobody is there who wants to see it.
    Unwatched,
}

/// Everybody who watches one track, under any name.
///
/// All get the same frames, so the encoder makes what the weakest path bears. A path that bears next to nothing is left to the
/// voice: below 60 kbit/s always, below 150 kbit/s when somebody else bears more. It is tried with empty packets after a
/// while, and gets pictures again from a key frame on.
#[derive(Debug)]
pub struct Fan<K> {
    viewers: BTreeMap<K, Viewer>,
    shown: bool,
    paused: Option<Pause>,
    key_wanted: bool,
    key_told_us: Option<u64>,
    told_bps: u64,
    told_us: u64,
}

#[derive(Debug)]
struct Viewer {
    lines: u16,
    bps: u64,
    encoder_bps: u64,
    thin_since_us: Option<u64>,
    /// Until when it is left to the voice; its path is tried from then on.
    rests_until_us: Option<u64>,
    rest_us: u64,
    tried: bool,
}

impl Viewer {
    fn watches(&self) -> bool {
        self.lines > 0
    }

    fn follows(&self) -> bool {
        self.rests_until_us.is_none()
    }

    fn rest(&mut self, now_us: u64) {
        self.rests_until_us = Some(now_us + self.rest_us);
        self.rest_us = REST_US.1.min(2 * self.rest_us);
        (self.thin_since_us, self.tried) = (None, false);
    }
}

impl<K> Default for Fan<K> {
    fn default() -> Self {
        let viewers = BTreeMap::new();
        Self { viewers, shown: false, paused: None, key_wanted: false, key_told_us: None, told_bps: 0, told_us: 0 }
    }
}

impl<K: Copy + Ord> Fan<K> {
    /// Nobody watches, and nothing is shown.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is anything to watch; whether that is new.
    pub fn show(&mut self, shown: bool) -> bool {
        let new = std::mem::replace(&mut self.shown, shown) != shown;
        if new {
            (self.paused, self.told_bps, self.key_wanted) = (None, 0, false);
            self.viewers.values_mut().for_each(|viewer| viewer.thin_since_us = None);
        }
        new
    }

    /// Whether there is anything to watch.
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// Somebody may watch, over a path that is thought to bear so much; somebody who is there has another path.
    pub fn join(&mut self, who: K, bps: u64) {
        let lines = self.viewers.get(&who).map_or(u16::MAX, |viewer| viewer.lines);
        let rest_us = REST_US.0;
        self.viewers.insert(
            who,
            Viewer { lines, bps, encoder_bps: bps, thin_since_us: None, rests_until_us: None, rest_us, tried: false },
        );
        self.key_wanted = true;
    }

    /// Somebody is gone.
    pub fn leave(&mut self, who: K) {
        self.viewers.remove(&who);
    }

    /// How large pictures are of use to a viewer, in lines: 0 for none at all.
    pub fn set_lines(&mut self, who: K, lines: u16) {
        let Some(viewer) = self.viewers.get_mut(&who) else { return };
        self.key_wanted |= viewer.lines == 0 && lines > 0;
        viewer.lines = lines;
    }

    /// What the path to a viewer bears now, and what to make for it: less while frames wait.
    pub fn set_bps(&mut self, who: K, bps: u64, encoder_bps: u64) {
        if let Some(viewer) = self.viewers.get_mut(&who) {
            (viewer.bps, viewer.encoder_bps) = (bps, encoder_bps);
        }
    }

    /// Whether a viewer gets frames.
    pub fn feeds(&self, who: K) -> bool {
        self.shown && self.viewers.get(&who).is_some_and(|viewer| viewer.watches() && viewer.follows())
    }

    /// Whether a viewer's path bears pictures, as far as is known.
    pub fn follows(&self, who: K) -> bool {
        self.viewers.get(&who).is_none_or(Viewer::follows)
    }

    /// Whether the path to a viewer is to be tried now, with [`TRIAL_BPS`].
    pub fn tries(&self, who: K) -> bool {
        self.shown && self.viewers.get(&who).is_some_and(|viewer| viewer.watches() && viewer.tried)
    }

    /// Why frames go to nobody; none while they go to somebody.
    pub fn paused(&self) -> Option<Pause> {
        self.paused
    }

    /// A viewer cannot go on without a key frame: the encoder is told with the next advice, at most every 300 ms. Who is left
    /// to the voice asks in vain: key frames would hold up the others.
    pub fn want_key(&mut self, who: K) {
        self.key_wanted |= self.feeds(who);
    }

    /// A key frame was made: whoever waited for one has it.
    pub fn key_made(&mut self) {
        self.key_wanted = false;
    }

    /// What the encoder should know now.
    pub fn look(&mut self, now_us: u64) -> Vec<Advice> {
        let mut advice = Vec::new();
        if !self.shown {
            return advice;
        }
        self.judge(now_us);
        let watching = || self.viewers.values().filter(|viewer| viewer.watches());
        let lowest = watching().filter(|viewer| viewer.follows()).map(|viewer| viewer.encoder_bps).min();
        let paused = match lowest {
            Some(_) => None,
            None if watching().next().is_some() => Some(Pause::Path),
            None => Some(Pause::Unwatched),
        };
        let before = std::mem::replace(&mut self.paused, paused);
        match (before, paused) {
            (Some(_), None) => {
                (self.told_bps, self.key_wanted) = (0, true);
                advice.push(Advice::Resumed);
            }
            (before, Some(why)) if before != paused => advice.push(Advice::Paused(why)),
            _ => {}
        }
        let Some(bps) = lowest else { return advice };
        let parts = if self.told_us + WHILE_US <= now_us { PARTS.1 } else { PARTS.0 };
        if bps.abs_diff(self.told_bps) * parts >= self.told_bps.max(1) {
            (self.told_bps, self.told_us) = (bps, now_us);
            advice.push(Advice::Bitrate(bps));
        }
        if self.key_wanted && self.key_told_us.is_none_or(|told_us| told_us + KEY_US <= now_us) {
            (self.key_wanted, self.key_told_us) = (false, Some(now_us));
            advice.push(Advice::Key);
        }
        advice
    }

    /// Who is left to the voice, and who comes back.
    fn judge(&mut self, now_us: u64) {
        let bears = |(who, viewer): (&K, &Viewer)| {
            (viewer.watches() && viewer.follows() && viewer.bps >= SMALL_BPS).then_some(*who)
        };
        let strong: Vec<K> = self.viewers.iter().filter_map(bears).take(2).collect();
        for (who, viewer) in self.viewers.iter_mut().filter(|(_, viewer)| viewer.watches()) {
            let alone = strong.iter().all(|strong| strong == who);
            match viewer.rests_until_us {
                None => {
                    let least = if alone { THIN_BPS } else { SMALL_BPS };
                    if viewer.bps >= least {
                        viewer.thin_since_us = None;
                        if viewer.bps > 4 * least {
                            viewer.rest_us = REST_US.0;
                        }
                    } else if *viewer.thin_since_us.get_or_insert(now_us) + THIN_US <= now_us {
                        viewer.rest(now_us);
                    }
                }
                Some(until_us) if now_us < until_us => {}
                Some(until_us) => {
                    viewer.tried = true;
                    if viewer.bps >= if alone { BACK_BPS } else { SMALL_BPS } {
                        (viewer.rests_until_us, viewer.thin_since_us, viewer.tried) = (None, None, false);
                        self.key_wanted = true;
                    } else if until_us + TRIAL_US <= now_us {
                        viewer.rest(now_us);
                    }
                }
            }
        }
    }
}
