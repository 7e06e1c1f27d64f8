//! Bursts that were missed, kept in memory for a while.

use std::collections::VecDeque;

use crate::playout::Playout;
use crate::{MediaError, PULL_SAMPLES};

/// The most seconds of sound that are kept, of all bursts together.
pub const KEPT_S: u32 = 30;
/// The most bytes that are kept: 30 s at 64 kbit/s.
const KEPT_BYTES: usize = 240_000;
/// The most packets: 30 s of the shortest frames we make.
const KEPT_PACKETS: usize = 1_500;
/// Packets further apart than this, in samples, are played one after the other.
const LONGEST_GAP: u32 = 48_000;

/// Names a burst: the caller's numbers for its speaker and for the burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstId {
    /// Whose.
    pub speaker: u64,
    /// Which of theirs.
    pub burst: u32,
}

struct Packet {
    id: BurstId,
    timestamp: u32,
    length: usize,
}

/// The last bursts, 30 s of them at most; older packets go. Allocates once.
pub struct Bursts {
    packets: VecDeque<Packet>,
    bytes: VecDeque<u8>,
}

impl Default for Bursts {
    fn default() -> Self {
        Self::new()
    }
}

impl Bursts {
    /// Nothing kept yet.
    pub fn new() -> Bursts {
        Bursts { packets: VecDeque::with_capacity(KEPT_PACKETS), bytes: VecDeque::with_capacity(KEPT_BYTES) }
    }

    /// Keeps one payload of a burst; what is longer than any payload is not kept.
    pub fn keep(&mut self, id: BurstId, timestamp: u32, payload: &[u8]) {
        if payload.len() > crate::MAX_PAYLOAD {
            return;
        }
        while self.packets.len() >= KEPT_PACKETS || self.bytes.len() + payload.len() > KEPT_BYTES {
            self.forget_oldest();
        }
        self.packets.push_back(Packet { id, timestamp, length: payload.len() });
        self.bytes.extend(payload);
    }

    /// Whether anything of a burst is kept.
    pub fn has(&self, id: BurstId) -> bool {
        self.packets.iter().any(|packet| packet.id == id)
    }

    /// Forgets everything a speaker said.
    pub fn forget(&mut self, speaker: u64) {
        let mut kept = Bursts::new();
        let mut from = 0;
        for packet in &self.packets {
            if packet.id.speaker != speaker {
                kept.packets.push_back(Packet { ..*packet });
                kept.bytes.extend(self.bytes.range(from..from + packet.length));
            }
            from += packet.length;
        }
        self.clear();
        *self = kept;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.iter_mut().for_each(|byte| *byte = 0);
        self.bytes.clear();
        self.packets.clear();
    }

    /// Begins to play a burst from its first kept packet; `None` if nothing of it is kept.
    ///
    /// # Errors
    /// [`MediaError::Codec`] when libopus cannot start.
    pub fn play(&self, id: BurstId) -> Result<Option<Replay>, MediaError> {
        let mut replay = Replay { payloads: Vec::new(), next: 0, at: 0, playout: Playout::new()?, drained: 0 };
        let (mut from, mut due, mut last) = (0, 0_u64, None);
        for packet in &self.packets {
            if packet.id == id {
                let step = last.map_or(0, |last| packet.timestamp.wrapping_sub(last));
                // Out of order or with a hole: as they came.
                due += u64::from(if step > LONGEST_GAP { 0 } else { step });
                last = Some(packet.timestamp);
                let bytes = self.bytes.range(from..from + packet.length).copied().collect();
                replay.payloads.push((due, packet.timestamp, bytes));
            }
            from += packet.length;
        }
        Ok(if replay.payloads.is_empty() { None } else { Some(replay) })
    }

    fn forget_oldest(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.bytes.drain(..packet.length);
        }
    }
}

/// A burst that is played once more.
pub struct Replay {
    /// When it is due in samples, its timestamp, the payload.
    payloads: Vec<(u64, u32, Vec<u8>)>,
    next: usize,
    at: u64,
    playout: Playout,
    drained: u32,
}

/// Pulls after the last packet until a replay is over: 300 ms.
const DRAIN: u32 = 30;

impl Replay {
    /// Gives the next 10 ms; false once it is over.
    pub fn pull(&mut self, out: &mut [i16; PULL_SAMPLES]) -> bool {
        while let Some((due, timestamp, payload)) = self.payloads.get(self.next) {
            if *due > self.at {
                break;
            }
            self.playout.insert(self.now_us(), self.next as u16, *timestamp, payload);
            self.next += 1;
        }
        self.playout.pull(self.now_us(), out);
        self.at += PULL_SAMPLES as u64;
        if self.next == self.payloads.len() {
            self.drained += 1;
        }
        self.drained < DRAIN
    }

    fn now_us(&self) -> u64 {
        self.at * 1_000 / 48
    }
}
