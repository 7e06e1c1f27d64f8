//! What a friend's voice may arrive as: in any order, at any time, with any bytes.

use std::sync::OnceLock;

use sidetone_media::{Capture, MAX_SPEAKERS, Mixer, PULL_SAMPLES, SAMPLE_RATE_HZ, Settings, Speaker};

use super::Script;

/// The loudspeaker of a call of several people under a script of packets and time.
pub fn playout(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut ear = Ear { mixer: Mixer::new(), now_us: 1_000_000, sequence: 0, timestamp: 0, next: 0 };
    let _ = ear.mixer.join(Speaker(0));
    while let Some(deed) = script.deed() {
        ear.happen(deed, &mut script);
    }
    ear.pull(3);
}

struct Ear {
    mixer: Mixer,
    now_us: u64,
    sequence: u16,
    timestamp: u32,
    next: usize,
}

impl Ear {
    fn happen(&mut self, deed: u8, script: &mut Script<'_>) {
        let speaker = Speaker(u64::from(deed >> 5));
        match deed % 8 {
            0 | 1 => self.hear(speaker, None),
            2 => {
                self.sequence = self.sequence.wrapping_add(script.number());
                self.timestamp = self.timestamp.wrapping_add(u32::from(script.number()).wrapping_mul(960));
            }
            3 => {
                let payload = script.block();
                self.mixer.insert(self.now_us, speaker, self.sequence, self.timestamp, payload);
            }
            4 => self.hear(speaker, Some((script.byte(), script.byte()))),
            5 => self.now_us = self.now_us.saturating_add(u64::from(script.number()) * 100),
            6 => match script.byte() {
                0 => self.now_us = u64::from(script.number()),
                1 => self.mixer.leave(speaker),
                2 => self.timestamp = u32::from(script.number()) << 16,
                _ => drop(self.mixer.join(speaker)),
            },
            _ => self.pull(1 + script.byte() % 8),
        }
    }

    /// The next real packet, with one byte changed if so wished.
    fn hear(&mut self, speaker: Speaker, change: Option<(u8, u8)>) {
        let packets = voice();
        let mut payload = packets[self.next % packets.len()].clone();
        if let Some((at, byte)) = change {
            let at = usize::from(at) % payload.len();
            payload[at] = byte;
        }
        self.mixer.insert(self.now_us, speaker, self.sequence, self.timestamp, &payload);
        self.next += 1;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960);
    }

    fn pull(&mut self, times: u8) {
        for _ in 0..times {
            self.now_us = self.now_us.saturating_add(10_000);
            self.mixer.pull(self.now_us, &mut [0; PULL_SAMPLES]);
        }
        assert!(self.mixer.heard().count() <= MAX_SPEAKERS, "a full room");
        for speaker in 0..8 {
            if let Some(stats) = self.mixer.stats(Speaker(speaker)) {
                assert!(stats.loss_permille <= 1_000, "no more is lost than was sent");
            }
        }
    }
}

/// A second of a real encoder's packets.
pub fn voice() -> &'static [Vec<u8>] {
    static VOICE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    VOICE.get_or_init(|| {
        let mut capture = Capture::new(Settings::default()).expect("libopus starts");
        let wave = |n: u32| (f64::from(n * n / 64 % SAMPLE_RATE_HZ) / 7_000.0).sin() * 9_000.0;
        let sound: Vec<i16> = (0..SAMPLE_RATE_HZ).map(|n| wave(n % 20_000) as i16).collect();
        let mut packets = Vec::new();
        for block in sound.chunks(960) {
            capture.push(block, &mut |packet| packets.push(packet.bytes.to_vec()));
        }
        packets
    })
}
