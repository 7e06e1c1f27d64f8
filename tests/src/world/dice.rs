//! The world's chance.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::phone::Crash;

/// All chance of one world.
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A seed for somebody else's dice.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// A number from `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.next_u64() % (high - low + 1)
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.within(1, n) == 1
    }

    /// Where a step breaks off.
    pub fn crash(&mut self) -> Crash {
        match self.within(0, 3) {
            0 => Crash::BeforeSave,
            1 => Crash::BeforeSend,
            2 => Crash::AmongSends,
            _ => Crash::BeforeTell,
        }
    }
}
