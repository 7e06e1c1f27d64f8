//! A voice, a network and a listener, all deterministic.
#![allow(dead_code, reason = "each test file uses its part")]

use sidetone_media::{Capture, Inserted, Playout, Settings, Silence};

pub const FRAME_US: u64 = 20_000;

/// One packet as the network carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub sequence: u16,
    pub timestamp: u32,
    pub sent_us: u64,
    pub bytes: Vec<u8>,
}

/// Something like a voice: a gliding harmonic tone, in syllables of 200 ms with short dips.
pub fn voice(seconds: f64) -> Vec<i16> {
    let mut phase = 0.0f64;
    (0..(seconds * 48_000.0) as usize)
        .map(|i| {
            let t = i as f64 / 48_000.0;
            phase += (140.0 + 30.0 * (t * 2.1).sin()) / 48_000.0;
            let turn = std::f64::consts::TAU * phase;
            let tone: f64 = (1..8).map(|k| (turn * f64::from(k)).sin() / f64::from(k)).sum();
            let syllable = 0.2 + 0.8 * (std::f64::consts::PI * t * 5.0).sin().abs();
            (tone * syllable * 6_000.0) as i16
        })
        .collect()
}

/// The packets of this sound, numbered from `first`, sent as soon as a frame is full.
pub fn packets_of(pcm: &[i16], reported_loss: f32, silence: Silence, first: (u16, u32)) -> Vec<Packet> {
    let mut capture = Capture::new(Settings { silence, ..Settings::default() }).unwrap();
    capture.report_loss(reported_loss);
    let mut packets = Vec::new();
    capture.push(pcm, &mut |frame| {
        packets.push(Packet {
            sequence: first.0.wrapping_add(packets.len() as u16),
            timestamp: first.1.wrapping_add(frame.timestamp),
            sent_us: u64::from(frame.timestamp) * 1_000 / 48 + FRAME_US,
            bytes: frame.bytes.to_vec(),
        });
    });
    packets
}

/// Speech of this length with no loss reported.
pub fn speech(seconds: f64) -> Vec<Packet> {
    packets_of(&voice(seconds), 0.0, Silence::Sent, (1_000, 77_777))
}

/// Small numbers from a seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A packet and when it arrives.
pub type Arrival = (u64, Packet);

/// Delivers every packet as `route` says: when, or never.
pub fn route(packets: &[Packet], mut route: impl FnMut(usize, u64) -> Option<u64>) -> Vec<Arrival> {
    let mut arrivals: Vec<Arrival> = packets
        .iter()
        .enumerate()
        .filter_map(|(i, packet)| Some((route(i, packet.sent_us)?, packet.clone())))
        .collect();
    arrivals.sort_by_key(|&(us, _)| us);
    arrivals
}

/// One phone listening: pulls every 10 ms and takes what arrives in between.
pub struct Listener {
    pub playout: Playout,
    pub now_us: u64,
    pub heard: Vec<i16>,
    /// The delay after every pull.
    pub delays_ms: Vec<u32>,
}

impl Listener {
    pub fn new() -> Listener {
        Listener { playout: Playout::new().unwrap(), now_us: 0, heard: Vec::new(), delays_ms: Vec::new() }
    }

    pub fn insert(&mut self, arrival_us: u64, packet: &Packet) -> Inserted {
        self.playout.insert(arrival_us, packet.sequence, packet.timestamp, &packet.bytes)
    }

    /// Listens to all of this and to 200 ms more.
    pub fn hear(&mut self, arrivals: &[Arrival]) {
        let end = arrivals.iter().map(|&(us, _)| us).max().unwrap_or(0) + 200_000;
        let mut coming = arrivals.iter().peekable();
        while self.now_us < end {
            while let Some((us, packet)) = coming.next_if(|&&(us, _)| us <= self.now_us) {
                self.insert(*us, packet);
            }
            self.pull();
        }
    }

    pub fn pull(&mut self) {
        let mut block = [0; 480];
        self.playout.pull(self.now_us, &mut block);
        self.heard.extend_from_slice(&block);
        self.delays_ms.push(self.playout.stats().delay_ms);
        self.now_us += 10_000;
    }
}

/// Listens from the beginning.
pub fn listen(arrivals: &[Arrival]) -> Listener {
    let mut listener = Listener::new();
    listener.hear(arrivals);
    listener
}

/// Root mean square of a part, given in milliseconds.
pub fn loudness(pcm: &[i16], from_ms: usize, to_ms: usize) -> f64 {
    let part = &pcm[from_ms * 48..to_ms * 48];
    (part.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / part.len() as f64).sqrt()
}
