//! Finding out what a path bears while pictures do not need it: a still screen that is scrolled needs it at once.

use super::estimate::Headroom;

/// How long a path is filled up to its target, at least.
const LASTS_US: u64 = 1_000_000;
/// After how long it is tried again if it bore no more: first, and at most; twice as long each time.
const REST_US: (u64, u64) = (5_000_000, 60_000_000);
/// Nothing is tried beyond this: a picture of 720 lines needs no more.
const MOST_BPS: u64 = 2_500_000;

/// When to fill a path up to its target with packets of nothing.
///
/// Where all that was sent has come, and quickly, a path may bear anything: its target goes no further than what was sent
/// shows. So it is filled for a second, again and again while that raises the target, and left alone for longer and longer
/// where it does not. (What draft-ietf-rmcat-gcc-02 lacks and libwebrtc does when a sender is limited by its application.)
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Until when, and the target at its beginning.
    running: Option<(u64, u64)>,
    /// Not before.
    next_us: u64,
    rest_us: u64,
}

impl Probe {
    /// News of the path: its target, of which `most_bps` may be taken.
    pub fn look(&mut self, now_us: u64, headroom: Headroom, target_bps: u64, most_bps: u64) {
        match self.running {
            Some((until_us, _)) if now_us < until_us && headroom != Headroom::Gone => {}
            Some((_, before_bps)) if headroom != Headroom::Gone && target_bps > before_bps + before_bps / 10 => {
                self.rest_us = 0;
                self.begin(now_us, target_bps, most_bps);
            }
            Some(_) => {
                self.rest_us = (2 * self.rest_us).clamp(REST_US.0, REST_US.1);
                (self.running, self.next_us) = (None, now_us + self.rest_us);
            }
            None if headroom == Headroom::Unknown && self.next_us <= now_us => self.begin(now_us, target_bps, most_bps),
            None => {}
        }
    }

    fn begin(&mut self, now_us: u64, target_bps: u64, most_bps: u64) {
        self.running = (target_bps < most_bps.min(MOST_BPS)).then_some((now_us + LASTS_US, target_bps));
    }

    /// Whether to fill the path now.
    pub fn runs(&self, now_us: u64) -> bool {
        self.running.is_some_and(|(until_us, _)| now_us < until_us)
    }
}
