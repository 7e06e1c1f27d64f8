//! A fixed store of payloads in order of sequence number.

use crate::MAX_PAYLOAD;
use crate::payload::Shape;

/// Payloads one speaker can have waiting: 1.28 s of 20 ms frames.
pub const SLOTS: usize = 64;

/// One waiting payload.
pub struct Slot {
    /// Unwrapped sequence number.
    pub sequence: i64,
    /// Unwrapped timestamp in samples.
    pub timestamp: i64,
    /// What the payload holds.
    pub shape: Shape,
    bytes: [u8; MAX_PAYLOAD],
    length: usize,
}

impl Slot {
    /// The payload.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The timestamp right after its last sample.
    pub fn end(&self) -> i64 {
        self.timestamp + self.shape.samples
    }
}

/// A window of [`SLOTS`] consecutive sequence numbers; takes its memory once.
pub struct Slab {
    slots: Box<[Slot]>,
    present: [bool; SLOTS],
    waiting: usize,
}

impl Slab {
    pub fn new() -> Slab {
        let empty = || Slot {
            sequence: 0,
            timestamp: 0,
            shape: Shape { samples: 0, fec: false, rests: false },
            bytes: [0; MAX_PAYLOAD],
            length: 0,
        };
        Slab { slots: (0..SLOTS).map(|_| empty()).collect(), present: [false; SLOTS], waiting: 0 }
    }

    /// How many payloads wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Keeps a payload; false when this sequence number is already there. The caller keeps all sequence numbers within
    /// one window and every payload within [`MAX_PAYLOAD`].
    pub fn insert(&mut self, sequence: i64, timestamp: i64, shape: Shape, payload: &[u8]) -> bool {
        let at = place(sequence);
        if self.present[at] {
            return false;
        }
        let slot = &mut self.slots[at];
        slot.sequence = sequence;
        slot.timestamp = timestamp;
        slot.shape = shape;
        slot.length = payload.len();
        slot.bytes[..payload.len()].copy_from_slice(payload);
        self.present[at] = true;
        self.waiting += 1;
        true
    }

    /// The payload with this sequence number.
    pub fn find(&self, sequence: i64) -> Option<&Slot> {
        let at = place(sequence);
        (self.present[at] && self.slots[at].sequence == sequence).then(|| &self.slots[at])
    }

    /// The first payload at or after this sequence number.
    pub fn first_from(&self, sequence: i64) -> Option<&Slot> {
        if self.waiting == 0 {
            return None;
        }
        (sequence..sequence + SLOTS as i64).find_map(|sequence| self.find(sequence))
    }

    /// Forgets one payload.
    pub fn remove(&mut self, sequence: i64) {
        let at = place(sequence);
        if self.present[at] && self.slots[at].sequence == sequence {
            self.present[at] = false;
            self.waiting -= 1;
        }
    }

    /// Forgets every payload before this sequence number and says how many those were.
    pub fn remove_before(&mut self, sequence: i64) -> u64 {
        let mut removed = 0;
        for at in 0..SLOTS {
            if self.present[at] && self.slots[at].sequence < sequence {
                self.present[at] = false;
                self.waiting -= 1;
                removed += 1;
            }
        }
        removed
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.present = [false; SLOTS];
        self.waiting = 0;
    }
}

fn place(sequence: i64) -> usize {
    sequence.rem_euclid(SLOTS as i64) as usize
}
