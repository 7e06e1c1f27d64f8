//! The media thread and the two ends the app holds: a microphone to push into, a speaker to pull from.
//!
//! One thread per client. It sleeps while there is neither call nor room; in a call, and while something is said in a room,
//! it turns every 5 ms by absolute deadlines, so that two devices with blocks of their own length and a network add no more
//! than that to the delay. Between the app's audio callbacks and the thread lie two wait-free rings.
//!
//! # When a ring is full or empty
//! Microphone full (200 ms unread, or neither call nor room): the newest samples are dropped and counted. Speaker empty: silence, and
//! counted while somebody is to be heard. News of rooms full: levels are dropped,
//! the rest waits. Orders full: the driver waits for one turn of the thread, which waits for nobody.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_engine::{Hearing, SenderKey, SoundNews, SoundOrder};
use sidetone_media::Muted;
use sidetone_wire::id::{CallId, RoomId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::built;

mod figures;
mod header;
mod reserve;
mod room;
mod voice;

pub use figures::{Figures, SoundFigures};
pub use voice::{Port, Pressed, Voice};

/// The pace of the thread in a call.
pub const TURN: Duration = Duration::from_millis(5);
/// The pace of the thread in a room in which nobody speaks: an order or a press wakes it at once.
pub const IDLE_TURN: Duration = Duration::from_millis(10);
/// Samples each ring holds: 200 ms.
pub const RING_SAMPLES: usize = 9_600;
/// News of rooms that may wait for the driver.
const NEWS: usize = 64;
/// The app's blocks are no longer than this.
const LAST_BLOCK: Duration = Duration::from_millis(40);
/// Of the thread's stack: more than the codec takes.
const SCRUBBED: usize = 256 * 1024;
/// Orders that may wait.
const ORDERS: usize = 32;
/// Behind by more than this, the thread gives lost time up instead of running after it.
const GIVE_UP: Duration = Duration::from_millis(100);

/// What the thread wants of the app's devices.
#[derive(Default)]
struct Wanted {
    microphone: AtomicBool,
    speaker: AtomicBool,
}

impl Wanted {
    fn set(&self, microphone: bool, speaker: bool) {
        self.microphone.store(microphone, Relaxed);
        self.speaker.store(speaker, Relaxed);
    }
}

/// The app's microphone goes in here, from whichever thread the platform calls.
pub struct Microphone {
    ring: Producer<i16>,
    /// Whether something was pushed since it was erased last.
    spoken: bool,
    figures: Arc<Figures>,
    wanted: Arc<Wanted>,
}

impl Microphone {
    /// Takes samples (mono, 48 kHz) and says how many; without a call none are wanted and 0 is the answer.
    ///
    /// Wait-free: it neither locks nor waits nor allocates.
    ///
    /// Once nothing is wanted any more, the next push, be it of nothing, erases what was spoken.
    pub fn push(&mut self, samples: &[i16]) -> usize {
        if !self.wanted.microphone.load(Relaxed) {
            if std::mem::take(&mut self.spoken) {
                erase(&mut self.ring);
            }
            return 0;
        }
        self.spoken = true;
        let (_, rest) = self.ring.push_partial_slice(samples);
        self.figures.microphone_dropped.fetch_add(rest.len() as u64, Relaxed);
        samples.len() - rest.len()
    }
}

/// The app's speaker comes from here, on whichever thread the platform calls.
pub struct Loudspeaker {
    ring: Consumer<i16>,
    figures: Arc<Figures>,
    wanted: Arc<Wanted>,
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
        if self.wanted.speaker.load(Relaxed) {
            self.figures.speaker_missing.fetch_add((asked - filled) as u64, Relaxed);
        }
        filled
    }
}

enum Order {
    Start { call: CallId, port: Box<dyn Port>, send: SenderKey, receive: SenderKey },
    Move(CallId, Box<dyn Port>),
    SealWith(CallId, SenderKey),
    OpenWith(CallId, SenderKey),
    Mute(CallId, Muted),
    Hear(CallId, Hearing),
    Stop(CallId),
    Room(RoomId, SoundOrder, Option<Box<dyn Port>>),
    Press(RoomId, Pressed),
    Mark(oneshot::Sender<()>),
    Quit,
}

/// The thread; dropping it ends the thread and forgets the keys.
pub struct MediaThread {
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<()>>,
    figures: Arc<Figures>,
    news: Option<mpsc::Receiver<(RoomId, SoundNews)>>,
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
        let wanted = Arc::new(Wanted::default());
        let voice = Voice::new(Instant::now(), microphone, speaker, Arc::clone(&figures));
        let (orders, inbox) = sync_channel(ORDERS);
        let (told, news) = mpsc::channel(NEWS);
        let flags = Arc::clone(&wanted);
        let thread = std::thread::Builder::new()
            .name("sidetone-media".into())
            .spawn(move || run(voice, &inbox, &flags, &told))?;
        let microphone = Microphone {
            ring: into_microphone,
            spoken: false,
            figures: Arc::clone(&figures),
            wanted: Arc::clone(&wanted),
        };
        let speaker = Loudspeaker { ring: from_speaker, figures: Arc::clone(&figures), wanted };
        Ok((Self { orders, thread: Some(thread), figures, news: Some(news) }, microphone, speaker))
    }

    /// The numbers of the call that is on, or of the last one.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Sends and hears over this port with these keys from now on; see [`Voice::start`].
    pub fn begin(&self, call: CallId, port: Box<dyn Port>, send: SenderKey, receive: SenderKey) {
        self.order(Order::Start { call, port, send, receive });
    }

    /// Sends over this port from now on, with the same keys, and hears the one before too.
    pub fn move_to(&self, call: CallId, port: Box<dyn Port>) {
        self.order(Order::Move(call, port));
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

    /// Plays what the other side says, or not.
    pub fn set_hearing(&self, call: CallId, hearing: Hearing) {
        self.order(Order::Hear(call, hearing));
    }

    /// Ends the sound of a call and forgets its keys.
    pub fn end(&self, call: CallId) {
        self.order(Order::Stop(call));
    }

    /// Says when everything ordered so far was done.
    pub fn when_done(&self) -> oneshot::Receiver<()> {
        let (done, when) = oneshot::channel();
        self.order(Order::Mark(done));
        when
    }

    /// Carries out an order for the sound of a room; `port` is that of the link in [`SoundOrder::Member`].
    pub fn room(&self, room: RoomId, order: SoundOrder, port: Option<Box<dyn Port>>) {
        self.order(Order::Room(room, order, port));
    }

    /// The word of the user's finger, from any thread.
    pub fn button(&self) -> Button {
        Button(self.orders.clone())
    }

    /// What the sound of rooms says; to be taken once.
    pub fn take_news(&mut self) -> Option<mpsc::Receiver<(RoomId, SoundNews)>> {
        self.news.take()
    }

    fn order(&self, order: Order) {
        // A thread that is gone has panicked: there is no sound any more, and the call says so by its silence.
        if self.orders.send(order).is_err() {
            tracing::error!("the media thread is gone");
        }
    }
}

/// Tells the media thread when the user presses to talk, so that a burst begins there and not when everybody has agreed.
#[derive(Clone)]
pub struct Button(SyncSender<Order>);

impl Button {
    /// The user pressed or let go; neither blocks nor waits. Where the thread has too much to do to be told, a burst begins a
    /// little later.
    pub fn press(&self, room: RoomId, pressed: Pressed) {
        let _ = self.0.try_send(Order::Press(room, pressed));
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        // A button may hold the channel open. A thread that is gone needs no telling.
        let _ = self.orders.send(Order::Quit);
        if let Some(thread) = self.thread.take() {
            // It ends within one turn; a panic in it has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Overwrites the samples that were read from a ring by its other end.
pub(crate) fn erase(ring: &mut Producer<i16>) {
    // A chunk begins as silence; given up, its slots stay free.
    drop(ring.write_chunk(ring.slots()));
}

/// Overwrites what calls before this one left on the stack: sound among it.
#[inline(never)]
fn scrub() {
    std::hint::black_box(&mut [0_u8; SCRUBBED]);
}

fn run(mut voice: Voice, inbox: &Receiver<Order>, wanted: &Wanted, news: &mpsc::Sender<(RoomId, SoundNews)>) {
    while let Ok(order) = inbox.recv() {
        if !built::CALLS {
            match order {
                Order::Mark(done) => drop(done.send(())),
                Order::Quit => return,
                _ => {}
            }
            continue;
        }
        if obey(&mut voice, order) == Then::Quit {
            return;
        }
        let quit = talk(&mut voice, inbox, wanted, news);
        wanted.set(false, false);
        voice.erase();
        scrub();
        if quit == Then::Quit {
            return;
        }
    }
}

/// Turns until call and room are over or the driver gone.
fn talk(voice: &mut Voice, inbox: &Receiver<Order>, wanted: &Wanted, news: &mpsc::Sender<(RoomId, SoundNews)>) -> Then {
    let mut next = Instant::now();
    while voice.is_talking() {
        let now = Instant::now();
        let busy = voice.is_busy(now);
        wanted.set(true, voice.is_heard());
        voice.turn(now);
        while let Some((room, said)) = voice.news() {
            if let Err(TrySendError::Full((room, said))) = news.try_send((room, said)) {
                voice.keep(room, said);
                break;
            }
        }
        next += if busy { TURN } else { IDLE_TURN };
        let now = Instant::now();
        if now.saturating_duration_since(next) > GIVE_UP {
            next = now;
        }
        while let Some(rest) = next.checked_duration_since(Instant::now()) {
            match inbox.recv_timeout(rest) {
                Ok(order) => {
                    if matches!(order, Order::Room(..)) {
                        next = Instant::now();
                    }
                    if obey(voice, order) == Then::Quit {
                        return Then::Quit;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Then::Quit,
            }
        }
        // Orders are heard also by a thread that is behind.
        while let Ok(order) = inbox.try_recv() {
            if obey(voice, order) == Then::Quit {
                return Then::Quit;
            }
        }
    }
    Then::GoOn
}

/// What comes after an order.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    Quit,
}

fn obey(voice: &mut Voice, order: Order) -> Then {
    match order {
        Order::Start { call, port, send, receive } => {
            if let Err(error) = voice.start(Instant::now(), call, port, &send, &receive) {
                tracing::error!(%error, "no sound in this call");
            }
        }
        Order::Move(call, port) => voice.move_to(call, port),
        Order::SealWith(call, key) => voice.seal_with(call, &key),
        Order::OpenWith(call, key) => voice.open_with(call, &key),
        Order::Mute(call, muted) => voice.mute(call, muted),
        Order::Hear(call, hearing) => voice.set_hearing(call, hearing),
        Order::Stop(call) => voice.stop_call(call),
        Order::Room(room, order, port) => voice.obey(Instant::now(), room, order, port),
        Order::Press(room, pressed) => voice.press(room, pressed),
        Order::Mark(done) => {
            if !voice.is_talking() {
                // A block that the app was about to hand in or take out when the call ended.
                std::thread::sleep(LAST_BLOCK);
                voice.erase();
            }
            // Who does not wait any more does not want to know.
            let _ = done.send(());
        }
        Order::Quit => return Then::Quit,
    }
    Then::GoOn
}
