//! A microphone and a loudspeaker for rooms of a demonstration: each phone says a tone of its own, so that who is heard,
//! from when to when, can be told at every other one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sidetone::{Loudspeaker, Microphone, clock};

use crate::sound::{BLOCK, TICK};
use crate::trouble::Trouble;

/// Phones that can be told apart.
pub const PHONES: usize = 8;
/// The tone of each; they are multiples of 100 Hz, so that in 10 ms none looks like another.
const HERTZ: [f64; PHONES] = [500.0, 700.0, 900.0, 1_100.0, 1_300.0, 1_500.0, 1_700.0, 1_900.0];
const AMPLITUDE: f64 = 8_000.0;
/// A tone counts as heard from a twentieth of its power on.
const HEARD: f64 = AMPLITUDE * AMPLITUDE / 2.0 / 20.0;
/// Intervals kept.
const KEPT: usize = 10_000;

/// A tone that was heard without a gap of more than a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Whose.
    pub phone: usize,
    /// Its first loud sample was pulled at this moment, on the clock all processes share.
    pub from_us: u64,
    /// Its last block ended at this one.
    pub to_us: u64,
}

#[derive(Default)]
struct Shared {
    /// Says its tone.
    speaks: AtomicBool,
    /// When the first sample of the tone was spoken; 0 before.
    spoken_us: AtomicU64,
    quit: AtomicBool,
    heard: Mutex<Vec<Heard>>,
}

/// The thread that moves 10 ms each way, as [`crate::sound::Pump`].
pub struct Radio {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Radio {
    /// Starts, silent, as the phone of this number.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if there is no thread.
    pub fn start(microphone: Microphone, speaker: Loudspeaker, phone: usize) -> Result<Self, Trouble> {
        let shared = Arc::<Shared>::default();
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("radio".into());
        let turn = move || run(microphone, speaker, HERTZ[phone % PHONES], &seen);
        Ok(Self { shared, thread: Some(thread.spawn(turn).map_err(Trouble::system)?) })
    }

    /// Says the tone from now on, or nothing.
    pub fn speak(&self, speaks: bool) {
        if speaks {
            self.shared.spoken_us.store(0, Relaxed);
        }
        self.shared.speaks.store(speaks, Relaxed);
    }

    /// When the first sample of the tone was spoken.
    pub fn spoken_us(&self) -> u64 {
        self.shared.spoken_us.load(Relaxed)
    }

    /// Everything heard since this was asked last.
    pub fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Radio {
    fn drop(&mut self) {
        self.shared.quit.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut microphone: Microphone, mut speaker: Loudspeaker, hertz: f64, shared: &Shared) {
    let (start, start_us) = (Instant::now(), clock::micros());
    let (mut at, mut open) = (0_u64, [const { None }; PHONES]);
    for turn in 1.. {
        let due = TICK * turn;
        if let Some(rest) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(rest);
        }
        if shared.quit.load(Relaxed) {
            return;
        }
        let now_us = start_us + u64::try_from(due.as_micros()).unwrap_or(u64::MAX);
        let mut block = [0; BLOCK];
        speaker.pull(&mut block);
        listen(&block, now_us, &mut open, shared);
        let mut spoken = [0; BLOCK];
        if shared.speaks.load(Relaxed) {
            let step = std::f64::consts::TAU * hertz / 48_000.0;
            for (sample, at) in spoken.iter_mut().zip(at..) {
                *sample = (AMPLITUDE * (at as f64 * step).sin()) as i16;
            }
            // A device has taken the block in when it gives it.
            let _ = shared.spoken_us.compare_exchange(0, now_us.saturating_sub(10_000), Relaxed, Relaxed);
        }
        at += BLOCK as u64;
        microphone.push(&spoken);
    }
}

/// Notes whose tones a block holds.
fn listen(block: &[i16; BLOCK], now_us: u64, open: &mut [Option<Heard>; PHONES], shared: &Shared) {
    for (phone, hertz) in HERTZ.into_iter().enumerate() {
        let heard = power(block, hertz) > HEARD;
        match (&mut open[phone], heard) {
            (Some(open), true) => open.to_us = now_us + 10_000,
            (None, true) => {
                let first = block.iter().position(|sample| f64::from(sample.abs()) > AMPLITUDE / 8.0).unwrap_or(0);
                let from_us = now_us + first as u64 * 1_000 / 48;
                open[phone] = Some(Heard { phone, from_us, to_us: now_us + 10_000 });
            }
            (Some(over), false) if now_us > over.to_us + 10_000 => {
                let mut all = shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend(open[phone].take());
                let surplus = all.len().saturating_sub(KEPT);
                all.drain(..surplus);
            }
            _ => {}
        }
    }
}

/// The power of one frequency in a block (Goertzel).
fn power(block: &[i16], hertz: f64) -> f64 {
    let w = std::f64::consts::TAU * hertz / 48_000.0;
    let (mut a, mut b) = (0.0, 0.0);
    for &sample in block {
        (a, b) = (f64::from(sample) + 2.0 * w.cos() * a - b, a);
    }
    2.0 * (a * a + b * b - 2.0 * w.cos() * a * b) / (block.len() as f64).powi(2)
}
