//! Phones in a room, on a clock that the test turns.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtrb::{Consumer, Producer, RingBuffer};
use sidetone::link::Inbound;
use sidetone::media::{Figures, Port, Pressed, RING_SAMPLES, TURN, Voice};
use sidetone_crypto::sframe::BaseKey;
use sidetone_engine::{Claim, LinkId, Mode, PeerId, SenderKey, SoundNews, SoundOrder};
use sidetone_wire::id::{MemberId, RoomId};

pub const ROOM: RoomId = RoomId([7; 16]);
pub const HERTZ: [f64; 4] = [440.0, 1_000.0, 1_700.0, 2_600.0];

pub type Wire = Arc<Mutex<VecDeque<Inbound>>>;
pub type Lose = Arc<Mutex<dyn FnMut(&Inbound) -> bool + Send>>;

/// One end of a link in memory: what is sent is there after the network's delay.
pub struct Wired {
    out: Wire,
    heard: Wire,
    clock: Arc<Mutex<Instant>>,
    delay: Duration,
    lose: Lose,
    longer_us: Arc<AtomicU32>,
}

impl Port for Wired {
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes) {
        let arrival = *self.clock.lock().unwrap() + self.delay;
        let packet = Inbound { sequence, timestamp, marker, payload, arrival };
        if !(self.lose.lock().unwrap())(&packet) {
            self.out.lock().unwrap().push_back(packet);
        }
    }

    fn next_sequence(&self) -> u16 {
        65_530
    }

    fn take(&self) -> Option<Inbound> {
        let now = *self.clock.lock().unwrap();
        let mut heard = self.heard.lock().unwrap();
        heard.front().is_some_and(|packet| packet.arrival <= now).then(|| heard.pop_front()).flatten()
    }

    fn longer_us(&self, _: u64) -> u32 {
        self.longer_us.load(Relaxed)
    }
}

pub struct Phone {
    pub id: MemberId,
    pub voice: Voice,
    pub figures: Arc<Figures>,
    pub microphone: Producer<i16>,
    pub speaker: Consumer<i16>,
    /// Samples the app pushed so far.
    pub pushed: u64,
    /// What is said: hertz, and from which sample on.
    pub says: Option<(f64, u64)>,
    pub heard: Vec<i16>,
    pub news: Vec<SoundNews>,
    /// Plays the engine: listens to whoever claims.
    pub follows: bool,
}

impl Phone {
    pub fn new(id: u8, origin: Instant) -> Self {
        let (microphone, from_app) = RingBuffer::new(RING_SAMPLES);
        let (to_app, speaker) = RingBuffer::new(RING_SAMPLES);
        let figures = Arc::new(Figures::default());
        let voice = Voice::new(origin, from_app, to_app, Arc::clone(&figures));
        let id = MemberId([id; 16]);
        let (says, heard, news) = (None, Vec::new(), Vec::new());
        Self { id, voice, figures, microphone, speaker, pushed: 0, says, heard, news, follows: true }
    }

    /// The app's audio callbacks of 10 ms.
    pub fn devices(&mut self) {
        let block: Vec<i16> = (self.pushed..self.pushed + 480)
            .map(|at| match self.says {
                Some((hertz, from)) if at >= from => {
                    (8_000.0 * (at as f64 * std::f64::consts::TAU * hertz / 48_000.0).sin()) as i16
                }
                _ => 0,
            })
            .collect();
        self.pushed += 480;
        let _ = self.microphone.push_partial_slice(&block);
        let mut out = [0; 480];
        let _ = self.speaker.pop_partial_slice(&mut out);
        self.heard.extend(out);
    }

    pub fn last(&self, ms: usize) -> &[i16] {
        &self.heard[self.heard.len() - 48 * ms..]
    }
}

/// The part of a sound's energy that lies at one frequency (Goertzel); nothing of silence.
pub fn share(sound: &[i16], hertz: f64) -> f64 {
    let w = std::f64::consts::TAU * hertz / 48_000.0;
    let (mut a, mut b) = (0.0, 0.0);
    for &sample in sound {
        (a, b) = (f64::from(sample) + 2.0 * w.cos() * a - b, a);
    }
    let power = a * a + b * b - 2.0 * w.cos() * a * b;
    let energy: f64 = sound.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    if energy < 1e6 { 0.0 } else { 2.0 * power / (energy * sound.len() as f64) }
}

pub fn key(generation: u16, seed: u8) -> SenderKey {
    SenderKey { generation, base: BaseKey::from_seed([seed; 32]) }
}

/// A mesh of phones.
pub struct World {
    pub clock: Arc<Mutex<Instant>>,
    pub phones: Vec<Phone>,
    pub wires: Vec<Vec<Wire>>,
    pub lose: Lose,
    pub delay: Duration,
    /// What sound is held back for pictures.
    pub longer_us: Arc<AtomicU32>,
    pub turns: u64,
    pub bursts: u32,
}

impl World {
    pub fn new(phones: u8, mode: Mode, delay_ms: u64) -> Self {
        let origin = Instant::now();
        let clock = Arc::new(Mutex::new(origin));
        let count = usize::from(phones);
        let wires = (0..count).map(|_| (0..count).map(|_| Wire::default()).collect()).collect();
        let phones = (0..phones).map(|id| Phone::new(id, origin)).collect();
        let delay = Duration::from_millis(delay_ms);
        let (lose, longer_us) = (Arc::new(Mutex::new(|_: &Inbound| false)), Arc::default());
        let mut world = Self { clock, phones, wires, lose, delay, longer_us, turns: 0, bursts: 0 };
        for at in 0..count {
            world.obey(at, SoundOrder::Join { mode, replay: true });
            world.obey(at, SoundOrder::SealWith(key(1, at as u8)));
            for other in (0..count).filter(|other| *other != at) {
                world.meet(at, other);
                world.obey(at, SoundOrder::OpenWith { member: world.phones[other].id, key: key(1, other as u8) });
            }
        }
        world
    }

    pub fn meet(&mut self, at: usize, other: usize) {
        let port = Wired {
            out: Arc::clone(&self.wires[at][other]),
            heard: Arc::clone(&self.wires[other][at]),
            clock: Arc::clone(&self.clock),
            delay: self.delay,
            lose: Arc::clone(&self.lose),
            longer_us: Arc::clone(&self.longer_us),
        };
        let member = self.phones[other].id;
        let link = LinkId { peer: PeerId::Member(ROOM, member), number: 1 };
        let now = *self.clock.lock().unwrap();
        self.phones[at].voice.obey(now, ROOM, SoundOrder::Member { member, link }, Some(Box::new(port)));
    }

    pub fn obey(&mut self, at: usize, order: SoundOrder) {
        let now = *self.clock.lock().unwrap();
        self.phones[at].voice.obey(now, ROOM, order, None);
    }

    pub fn pass(&mut self, ms: u64) {
        for _ in 0..ms / TURN.as_millis() as u64 {
            let now = {
                let mut now = self.clock.lock().unwrap();
                *now += TURN;
                *now
            };
            self.turns += 1;
            for phone in &mut self.phones {
                if self.turns.is_multiple_of(2) {
                    phone.devices();
                }
                phone.voice.turn(now);
                while let Some((_, news)) = phone.voice.news() {
                    if let (SoundNews::Claimed { member, .. }, true) = (&news, phone.follows) {
                        phone.voice.obey(now, ROOM, SoundOrder::Listen(Some(*member)), None);
                    }
                    phone.news.push(news);
                }
            }
        }
    }

    /// A press that the engine grants at once.
    pub fn press(&mut self, at: usize) -> Claim {
        self.bursts += 1;
        let claim = Claim { priority: 0, counter: u64::from(self.bursts), burst: self.bursts };
        self.phones[at].voice.press(ROOM, Pressed::Yes);
        self.obey(at, SoundOrder::Talk(claim));
        claim
    }

    pub fn release(&mut self, at: usize) {
        self.phones[at].voice.press(ROOM, Pressed::No);
        self.obey(at, SoundOrder::Hush);
    }

    /// Says a tone from this moment on.
    pub fn speak(&mut self, at: usize) {
        let phone = &mut self.phones[at];
        phone.says = Some((HERTZ[at], phone.pushed));
    }

    pub fn news(&mut self, at: usize) -> Vec<SoundNews> {
        let mut news = std::mem::take(&mut self.phones[at].news);
        news.retain(|news| !matches!(news, SoundNews::Levels(_)));
        news
    }

    pub fn lose(&mut self, lose: impl FnMut(&Inbound) -> bool + Send + 'static) {
        self.lose = Arc::new(Mutex::new(lose));
        let count = self.phones.len();
        (0..count).for_each(|at| (0..count).filter(|other| *other != at).for_each(|other| self.meet(at, other)));
    }
}
