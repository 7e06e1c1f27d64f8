//! How long to wait before the next try.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The first wait is at most this.
pub const LEAST: Duration = Duration::from_millis(500);
/// No wait is longer than this.
pub const MOST: Duration = Duration::from_secs(30);

/// Exponential back-off with full jitter: a uniform draw between nothing and a bound that doubles with each failure, so
/// that a million phones do not come back to a restarted server at the same moment.
///
/// The same seed gives the same waits.
pub struct Backoff {
    dice: ChaCha20Rng,
    failures: u32,
}

impl Backoff {
    /// Nothing has failed yet.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { dice: ChaCha20Rng::from_seed(seed), failures: 0 }
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let bound = LEAST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(f64::from(self.dice.next_u32()) / f64::from(u32::MAX))
    }

    /// At least what the server asked for and up to half as much again, or the usual wait if that is longer.
    pub fn wait_at_least(&mut self, floor: Duration) -> Duration {
        let spread = f64::from(self.dice.next_u32()) / f64::from(u32::MAX);
        self.next_wait().max(floor.mul_f64(1.0 + spread / 2.0))
    }

    /// All is well again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
