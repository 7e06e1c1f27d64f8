//! What comes in: numbers are made sense of, and packets are kept or refused.

use super::{Inserted, JUMP, PATIENCE_AT_BEGIN, PULL, Playout};
use crate::delay::{Arrival, MS};
use crate::payload::{LONGEST_PAYLOAD, Shape, shape};
use crate::slab::SLOTS;

/// Sequence numbers ahead of the newest that are still the same stream: about a minute (RFC 3550, appendix A.1).
const MOST_AHEAD: i64 = 3_000;
/// Timestamps ahead of or behind what the clock expects that are still the same stream.
const MOST_ASTRAY: i64 = 5_000 * MS;
/// A frame at most this late is still played and the delay grows by as much; later ones count as lost.
const REWIND: i64 = 60 * MS;
/// So many frames in a row, each about as late as the one before, are a slower route and no stall.
const SLOWER_ROUTE: u32 = 3;

impl Playout {
    /// Keeps or refuses one packet that arrived now.
    pub(super) fn place(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) -> Inserted {
        let Some(shape) = shape(payload) else {
            return Inserted::Malformed;
        };
        let Some((sequence, timestamp)) = self.number(sequence, timestamp) else {
            return Inserted::Astray;
        };
        if self.was_seen(sequence) {
            return Inserted::Duplicate;
        }
        let overtaken = self.newest.is_some_and(|(newest, _)| sequence < newest);
        if !overtaken {
            self.newest = Some((sequence, timestamp));
        }
        self.delay.arrived(self.now, Arrival { sequence, timestamp, shape, overtaken });
        if self.is_over(sequence, timestamp, shape) && !self.slower_route(sequence, timestamp) {
            return Inserted::Late;
        }
        self.late_run = 0;
        self.make_room(sequence);
        if !self.slab.insert(sequence, timestamp, shape, payload) {
            return Inserted::Duplicate;
        }
        Inserted::Kept
    }

    /// Numbers without wrapping, or `None` for a stray one.
    fn number(&mut self, sequence: u16, timestamp: u32) -> Option<(i64, i64)> {
        let Some((newest, newest_timestamp)) = self.newest else {
            let first = (i64::from(sequence), i64::from(timestamp));
            self.begin(first);
            return Some(first);
        };
        let step = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        let leap = i64::from(timestamp.wrapping_sub(newest_timestamp as u32) as i32);
        let unwrapped = (newest + step, newest_timestamp + leap);
        let astray = (self.now - unwrapped.1) - self.delay.minimum();
        let agree = step.signum() == leap.signum();
        let near = step.abs() <= MOST_AHEAD && agree && astray.abs() <= MOST_ASTRAY;
        if near && !(step > 0 && self.delay.is_stale(self.now)) {
            self.stray = None;
            return Some(unwrapped);
        }
        let follows = self.stray.is_some_and(|(stray, stray_timestamp)| {
            let ahead = timestamp.wrapping_sub(stray_timestamp);
            sequence == stray.wrapping_add(1) && (1..=LONGEST_PAYLOAD as u32).contains(&ahead)
        });
        let resumes = step == 1 && agree && self.delay.is_stale(self.now);
        if !follows && !resumes {
            self.stray = Some((sequence, timestamp));
            return None;
        }
        // A round of sequence numbers ahead of everything known, so that nothing old is mistaken for it.
        let first = ((newest & !0xffff) + 0x2_0000 + i64::from(sequence), i64::from(timestamp));
        self.begin(first);
        self.newest = Some(first);
        Some(first)
    }

    /// Marks this sequence number and says whether it was marked before; the newest 128 are remembered.
    fn was_seen(&mut self, sequence: i64) -> bool {
        let newest = self.newest.map_or(sequence, |(newest, _)| newest);
        let ahead = sequence - newest;
        if ahead > 0 {
            self.seen = if ahead < 128 { self.seen << ahead } else { 0 };
        }
        let age = (-ahead).max(0);
        if age >= 128 {
            return false;
        }
        let seen = self.seen >> age & 1 == 1;
        self.seen |= 1 << age;
        seen
    }

    /// A new burst, whose first packet this is: it waits as long as the last burst taught.
    fn begin(&mut self, (sequence, timestamp): (i64, i64)) {
        if std::mem::take(&mut self.burst) {
            self.patient_until = self.now + PATIENCE_AT_BEGIN;
        }
        self.stray = None;
        self.seen = 0;
        self.slab.clear();
        self.queue.clear();
        self.delay.restart(self.now, timestamp);
        self.next_sequence = sequence;
        self.next_timestamp = timestamp - self.delay.target();
        self.resting = true;
        self.missing = 0;
        self.late_run = 0;
        self.pulls = 0;
    }

    /// Whether this packet's turn is over. One that is just a little late is waited for instead, if nothing else was there.
    fn is_over(&mut self, sequence: i64, timestamp: i64, shape: Shape) -> bool {
        if sequence < self.next_sequence {
            return true;
        }
        let late = self.next_timestamp - timestamp;
        if late <= 0 {
            return false;
        }
        let made_up = self.missing >= late && self.slab.waiting() == 0 && sequence == self.next_sequence;
        let limit = if self.resting { JUMP } else { REWIND };
        if (self.resting || made_up) && late <= limit {
            if !self.resting {
                self.delay.missed(self.now, timestamp);
            }
            self.next_timestamp = timestamp;
            return false;
        }
        timestamp + shape.samples <= self.next_timestamp
    }

    /// Late packets that do not catch up: from now on this is how fast the route is.
    fn slower_route(&mut self, sequence: i64, timestamp: i64) -> bool {
        if sequence < self.next_sequence {
            return false;
        }
        let late = self.next_timestamp - timestamp;
        let steady = self.late_run > 0 && (late - self.lateness).abs() <= PULL;
        self.late_run = if steady { self.late_run + 1 } else { 1 };
        self.lateness = late;
        if self.late_run <= SLOWER_ROUTE {
            return false;
        }
        self.delay.restart(self.now, timestamp);
        self.next_timestamp = timestamp;
        self.pulls = 0;
        true
    }

    /// A packet far ahead pushes the oldest out of the window.
    fn make_room(&mut self, sequence: i64) {
        let first = sequence - SLOTS as i64 + 1;
        if first <= self.next_sequence {
            return;
        }
        let passed = (first - self.next_sequence) as u64;
        self.stats.lost += passed.saturating_sub(self.slab.remove_before(first));
        self.next_sequence = first;
    }
}
