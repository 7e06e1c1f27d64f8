//! Which rung of the data ladder a voice stands on, by what the other end says it misses.
//!
//! A path that is too thin for the rung above its own overflows, and what overflows is lost. So long-lasting loss steps down,
//! and a long time without loss steps up again, to see whether more passes now. Loss that a smaller rate does not cure is not
//! the rate's: the voice goes back up and stays there for a while.

use crate::Rate;

/// The rungs, the best first.
const RUNGS: [Rate; 3] = [Rate::FULL, Rate::LOW, Rate::LEAST];
/// Loss from which a path is thought too thin, and below which it is thought wide enough.
const TOO_THIN: f32 = 0.10;
const WIDE: f32 = 0.02;
/// For how long it must be so.
const THIN_FOR_US: u64 = 1_500_000;
const WIDE_FOR_US: u64 = 15_000_000;
/// The longest wait before a rung is tried that failed before.
const PATIENCE_US: u64 = 120_000_000;
/// What is lost this soon after a step says something about it; a report tells of the seconds before it.
const JUDGE_US: u64 = 6_000_000;
/// A rate that cures less than this part of the loss cures none.
const CURED: f32 = 0.6;

/// Chooses the rung.
#[derive(Debug, Clone)]
pub struct Ladder {
    rung: usize,
    /// Since when it is too thin.
    thin_us: Option<u64>,
    /// Since when it is wide.
    wide_us: Option<u64>,
    /// When the last step was taken, and what was lost before it.
    stepped: Option<(u64, f32)>,
    /// How long it must be wide before a step up.
    patience_us: u64,
    /// Until when loss is not taken for a thin path.
    deaf_until_us: u64,
}

impl Default for Ladder {
    fn default() -> Self {
        let (patience_us, deaf_until_us) = (WIDE_FOR_US, 0);
        Self { rung: 0, thin_us: None, wide_us: None, stepped: None, patience_us, deaf_until_us }
    }
}

impl Ladder {
    /// The rate to send with, given what part of our packets the other end misses (0.0..=1.0), as it last said; to be asked
    /// a few times a second. What is not a number changes nothing.
    pub fn judge(&mut self, now_us: u64, loss: f32) -> Rate {
        if loss.is_nan() {
            return self.rate();
        }
        let since = |since: &mut Option<u64>, holds: bool| {
            *since = holds.then(|| since.unwrap_or(now_us));
            since.map_or(0, |since| now_us.saturating_sub(since))
        };
        let thin_for = since(&mut self.thin_us, loss >= TOO_THIN);
        let wide_for = since(&mut self.wide_us, loss < WIDE);
        // What a step up does shows at once; what one down does, once reports tell of nothing before it.
        let shows = |(at, before): (u64, f32)| before < TOO_THIN || now_us.saturating_sub(at) >= JUDGE_US;
        let settled = self.stepped.is_none_or(shows);
        if settled && thin_for >= THIN_FOR_US && now_us >= self.deaf_until_us {
            self.step_down(now_us, loss);
        } else if wide_for >= self.patience_us && self.rung > 0 {
            self.rung -= 1;
            self.step(now_us, loss);
        }
        self.rate()
    }

    /// The rate to send with.
    pub fn rate(&self) -> Rate {
        RUNGS[self.rung]
    }

    fn step_down(&mut self, now_us: u64, loss: f32) {
        let cured = self.stepped.is_none_or(|(_, before)| before < TOO_THIN || loss < before * CURED);
        if self.rung == RUNGS.len() - 1 && !cured {
            // It loses as much with a quarter of the bits.
            self.rung = 0;
            self.deaf_until_us = now_us.saturating_add(PATIENCE_US);
        } else if self.rung < RUNGS.len() - 1 {
            if self.stepped.is_some_and(|(_, before)| before < WIDE) {
                self.patience_us = (2 * self.patience_us).min(PATIENCE_US);
            }
            self.rung += 1;
        } else {
            return;
        }
        self.step(now_us, loss);
    }

    fn step(&mut self, now_us: u64, loss: f32) {
        (self.thin_us, self.wide_us) = (None, None);
        self.stepped = Some((now_us, loss));
    }
}
