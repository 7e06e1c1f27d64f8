//! The media thread and the two ends the app holds: a microphone to push into, a speaker to pull from.
//!
//! One thread per client. It sleeps while there is no call; in a call it turns every 5 ms by absolute deadlines, so that
//! two devices with blocks of their own length and a network add no more than that to the delay. Between the app's
//! audio callbacks and the thread lie two wait-free rings.
//!
//! # When a ring is full or empty
//! Microphone full (200 ms unread, or no call): the newest samples are dropped and counted. Speaker empty: silence, and
//! counted while a call is on. Orders full: the driver waits for one turn of the thread, which waits for nobody.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_engine::SenderKey;
use sidetone_media::Muted;
use sidetone_wire::id::CallId;

mod figures;
mod voice;

pub use figures::{Figures, SoundFigures};
pub use voice::{Port, Voice};

/// The pace of the thread in a call.
pub const TURN: Duration = Duration::from_millis(5);
/// Samples each ring holds: 200 ms.
pub const RING_SAMPLES: usize = 9_600;
/// Orders that may wait.
const ORDERS: usize = 32;
/// Behind by more than this, the thread gives lost time up instead of running after it.
const GIVE_UP: Duration = Duration::from_millis(100);

/// The app's microphone goes in here, from whichever thread the platform calls.
pub struct Microphone {
    ring: Producer<i16>,
    figures: Arc<Figures>,
    talking: Arc<AtomicBool>,
}

impl Microphone {
    /// Takes samples (mono, 48 kHz) and says how many; without a call none are wanted and 0 is the answer.
    ///
    /// Wait-free: it neither locks nor waits nor allocates.
    pub fn push(&mut self, samples: &[i16]) -> usize {
        if !self.talking.load(Relaxed) {
            return 0;
        }
        let (_, rest) = self.ring.push_partial_slice(samples);
        self.figures.microphone_dropped.fetch_add(rest.len() as u64, Relaxed);
        samples.len() - rest.len()
    }
}

/// The app's speaker comes from here, on whichever thread the platform calls.
pub struct Loudspeaker {
    ring: Consumer<i16>,
    figures: Arc<Figures>,
    talking: Arc<AtomicBool>,
}

impl Loudspeaker {
    /// Fills all of `out` (mono, 48 kHz) and says how many samples are sound; the rest is silence.
    ///
    /// Wait-free: it neither locks nor waits nor allocates.
    pub fn pull(&mut self, out: &mut [i16]) -> usize {
        let asked = u32::try_from(out.len().min(RING_SAMPLES / 2)).unwrap_or(0);
        self.figures.largest_pull.fetch_max(asked, Relaxed);
        let asked = out.len();
        let (filled, rest) = self.ring.pop_partial_slice(out);
        let filled = filled.len();
        rest.fill(0);
        if self.talking.load(Relaxed) {
            self.figures.speaker_missing.fetch_add((asked - filled) as u64, Relaxed);
        }
        filled
    }
}

enum Order {
    Start { call: CallId, port: Box<dyn Port>, send: SenderKey, receive: SenderKey },
    SealWith(CallId, SenderKey),
    OpenWith(CallId, SenderKey),
    Mute(CallId, Muted),
    Stop(CallId),
}

/// The thread; dropping it ends the thread and forgets the keys.
pub struct MediaThread {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    figures: Arc<Figures>,
}

impl MediaThread {
    /// Starts the thread, which sleeps until there is a call.
    ///
    /// # Errors
    ///
    /// The system's, when it gives no thread.
    pub fn start() -> std::io::Result<(Self, Microphone, Loudspeaker)> {
        let (into_microphone, microphone) = RingBuffer::new(RING_SAMPLES);
        let (speaker, from_speaker) = RingBuffer::new(RING_SAMPLES);
        let figures = Arc::new(Figures::default());
        let talking = Arc::new(AtomicBool::new(false));
        let voice = Voice::new(Instant::now(), microphone, speaker, Arc::clone(&figures));
        let (orders, inbox) = sync_channel(ORDERS);
        let flag = Arc::clone(&talking);
        let thread =
            std::thread::Builder::new().name("sidetone-media".into()).spawn(move || run(voice, &inbox, &flag))?;
        let microphone =
            Microphone { ring: into_microphone, figures: Arc::clone(&figures), talking: Arc::clone(&talking) };
        let speaker = Loudspeaker { ring: from_speaker, figures: Arc::clone(&figures), talking };
        Ok((Self { orders: Some(orders), thread: Some(thread), figures }, microphone, speaker))
    }

    /// The numbers of the call that is on, or of the last one.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Sends and hears over this port with these keys from now on; see [`Voice::start`].
    pub fn begin(&self, call: CallId, port: Box<dyn Port>, send: SenderKey, receive: SenderKey) {
        self.order(Order::Start { call, port, send, receive });
    }

    /// Seals with this key from now on.
    pub fn seal_with(&self, call: CallId, key: SenderKey) {
        self.order(Order::SealWith(call, key));
    }

    /// Opens frames of this key too.
    pub fn open_with(&self, call: CallId, key: SenderKey) {
        self.order(Order::OpenWith(call, key));
    }

    /// Shuts or opens the microphone.
    pub fn mute(&self, call: CallId, muted: Muted) {
        self.order(Order::Mute(call, muted));
    }

    /// Ends the sound of a call and forgets its keys.
    pub fn end(&self, call: CallId) {
        self.order(Order::Stop(call));
    }

    fn order(&self, order: Order) {
        // A thread that is gone has panicked: there is no sound any more, and the call says so by its silence.
        if self.orders.as_ref().is_some_and(|orders| orders.send(order).is_err()) {
            tracing::error!("the media thread is gone");
        }
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It ends within one turn; a panic in it has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn run(mut voice: Voice, inbox: &Receiver<Order>, talking: &AtomicBool) {
    while let Ok(order) = inbox.recv() {
        obey(&mut voice, order);
        talking.store(voice.is_talking(), Relaxed);
        talk(&mut voice, inbox);
        talking.store(false, Relaxed);
    }
}

/// Turns until the call is over or the driver gone.
fn talk(voice: &mut Voice, inbox: &Receiver<Order>) {
    let mut next = Instant::now();
    while voice.is_talking() {
        voice.turn(Instant::now());
        next += TURN;
        let now = Instant::now();
        match next.checked_duration_since(now) {
            Some(rest) => std::thread::sleep(rest),
            None if now - next > GIVE_UP => next = now,
            None => {}
        }
        loop {
            match inbox.try_recv() {
                Ok(order) => obey(voice, order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

fn obey(voice: &mut Voice, order: Order) {
    match order {
        Order::Start { call, port, send, receive } => {
            if let Err(error) = voice.start(Instant::now(), call, port, &send, &receive) {
                tracing::error!(%error, "no sound in this call");
            }
        }
        Order::SealWith(call, key) => voice.seal_with(call, &key),
        Order::OpenWith(call, key) => voice.open_with(call, &key),
        Order::Mute(call, muted) => voice.mute(call, muted),
        Order::Stop(call) => voice.stop_call(call),
    }
}
