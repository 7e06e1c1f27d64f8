//! A microphone that hears a tone.

use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, PoisonError};

/// Samples in a second.
const RATE: f64 = 48_000.0;
/// The most milliseconds at once.
const MOST_MS: u32 = 1_000;

/// A tone, as a microphone would give it to the media port: mono, 48 kHz, 16 bit in the machine's byte order.
#[derive(Debug, uniffi::Object)]
pub struct ToneMicrophone {
    hertz: f64,
    at: Mutex<u64>,
}

#[uniffi::export]
impl ToneMicrophone {
    /// A tone of so many hertz, at a quarter of full loudness.
    #[uniffi::constructor]
    pub fn new(hertz: u32) -> Arc<Self> {
        Arc::new(Self { hertz: f64::from(hertz), at: Mutex::new(0) })
    }

    /// The next milliseconds of it, at most a second.
    pub fn next(&self, ms: u32) -> Vec<u8> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, count) = (*at, u64::from(ms.min(MOST_MS)) * 48);
        *at += count;
        let sample = |n: u64| ((n as f64 * self.hertz * TAU / RATE).sin() * 8_192.0) as i16;
        (first..first + count).flat_map(|n| sample(n).to_ne_bytes()).collect()
    }
}
