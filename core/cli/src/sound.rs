//! What a phone without a sound card hears with and speaks with: recordings, at the pace of a clock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sidetone::clock;
use sidetone::{Loudspeaker, Microphone};

use crate::trouble::Trouble;

#[cfg(feature = "sound")]
pub mod card;

/// Samples a device moves at a time: 10 ms.
pub const BLOCK: usize = 480;
/// The same as time.
pub const TICK: Duration = Duration::from_millis(10);
/// Silence before a voice begins, in blocks: what a person takes to breathe in.
const BREATH: usize = 30;
/// The longest recording of what is heard: ten minutes.
const KEPT: usize = 600 * 48_000;

/// What goes into the microphone.
#[derive(Clone)]
pub enum Mouth {
    /// This recording once, as soon as there is a call; then silence.
    Voice(Arc<Vec<i16>>),
    /// What is heard.
    Echo,
}

/// What one call sounded like at one end.
///
/// Both moments are on the clock that all processes of a machine share, in microseconds. A sample counts as spoken when a
/// device would have taken it in, that is one block before the push, and as heard when it was pulled.
#[derive(Debug, Clone, Default)]
pub struct Take {
    /// When the first sample of the voice was spoken; 0 if it was not.
    pub spoken_us: u64,
    /// When the first sample of `heard` was played; 0 if none was.
    pub heard_us: u64,
    /// Everything heard since the call was on.
    pub heard: Vec<i16>,
    /// Blocks of which the microphone did not take all.
    pub refused: u32,
}

enum Order {
    Begin(Mouth),
    Cut(Sender<Take>),
    End,
}

/// A thread that moves a block each way every 10 ms.
pub struct Pump {
    orders: Sender<Order>,
    said: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pump {
    /// Starts to move silence.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if there is no thread.
    pub fn start(microphone: Microphone, speaker: Loudspeaker) -> Result<Self, Trouble> {
        let (orders, inbox) = channel();
        let said = Arc::new(AtomicBool::new(false));
        let turning = Turning { microphone, speaker, said: Arc::clone(&said), state: State::default() };
        let thread = std::thread::Builder::new().name("pump".into());
        let thread = thread.spawn(move || turning.run(&inbox)).map_err(Trouble::system)?;
        Ok(Self { orders, said, thread: Mutex::new(Some(thread)) })
    }

    /// Speaks with this in the call that is on or comes next, and keeps what is heard from its start on.
    pub fn begin(&self, mouth: Mouth) {
        self.said.store(false, Relaxed);
        // The thread ends only when this is dropped.
        let _ = self.orders.send(Order::Begin(mouth));
    }

    /// Whether all of the voice was spoken.
    pub fn said_all(&self) -> bool {
        self.said.load(Relaxed)
    }

    /// What was heard since [`Pump::begin`]; speaks and keeps nothing more.
    pub fn cut(&self) -> Take {
        let (sender, take) = channel();
        let _ = self.orders.send(Order::Cut(sender));
        take.recv().unwrap_or_default()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

struct Turning {
    microphone: Microphone,
    speaker: Loudspeaker,
    said: Arc<AtomicBool>,
    state: State,
}

#[derive(Default)]
struct State {
    mouth: Option<Mouth>,
    /// Blocks since the call took the first one.
    blocks: usize,
    take: Take,
}

impl Turning {
    fn run(mut self, orders: &Receiver<Order>) {
        let (start, start_us) = (Instant::now(), clock::micros());
        for turn in 1.. {
            loop {
                match orders.try_recv() {
                    Ok(Order::Begin(mouth)) => self.state = State { mouth: Some(mouth), ..State::default() },
                    Ok(Order::Cut(sender)) => {
                        let state = std::mem::take(&mut self.state);
                        // Who asked may have gone.
                        let _ = sender.send(state.take);
                    }
                    Ok(Order::End) | Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => break,
                }
            }
            let due = TICK * turn;
            if let Some(rest) = due.checked_sub(start.elapsed()) {
                std::thread::sleep(rest);
            }
            let due_us = u64::try_from(due.as_micros()).unwrap_or(u64::MAX);
            self.turn(start_us.saturating_add(due_us));
        }
    }

    /// Moves one block each way. A thread that was late moves the next ones at once, as a device with a buffer would: the
    /// moments are those at which the blocks were due.
    fn turn(&mut self, now_us: u64) {
        let mut heard = [0; BLOCK];
        self.speaker.pull(&mut heard);
        let State { mouth, blocks, take } = &mut self.state;
        let mut spoken = [0; BLOCK];
        match mouth {
            None => {}
            Some(Mouth::Echo) => spoken = heard,
            Some(Mouth::Voice(voice)) => {
                let from = blocks.checked_sub(BREATH).map_or(voice.len(), |block| block * BLOCK);
                let rest = voice.get(from..).unwrap_or_default();
                let length = rest.len().min(BLOCK);
                spoken[..length].copy_from_slice(&rest[..length]);
                self.said.store(*blocks >= BREATH && length < BLOCK, Relaxed);
            }
        }
        let taken = self.microphone.push(&spoken);
        if mouth.is_none() || (*blocks == 0 && taken == 0) {
            return;
        }
        if *blocks == 0 {
            take.heard_us = now_us;
        }
        if *blocks == BREATH {
            take.spoken_us = now_us.saturating_sub(TICK.as_micros() as u64);
        }
        if taken < BLOCK {
            take.refused += 1;
        }
        if take.heard.len() < KEPT {
            take.heard.extend_from_slice(&heard);
        }
        *blocks += 1;
    }
}
