//! The receiving side of one track on one link: packets in whenever they come, whole frames out in order.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::packet::{Descriptor, PACKETS, SEALED_BYTES};

/// Bytes of packets that may wait for their frames.
const WAITING_BYTES: usize = 4 * SEALED_BYTES;
/// Packets that may wait.
const WAITING: usize = 2 * PACKETS;
/// A gap of more packets than this is a new beginning.
const LONGEST_GAP: i64 = 2_048;
/// A packet this far away belongs to another stream, unless the next one follows on it.
const ASTRAY: i64 = 16_384;
/// A missing packet may only be late: it is asked for after this.
const REORDER_US: u64 = 8_000;
/// It is asked for again no sooner than this.
const ASK_US: u64 = 20_000;
/// How often one packet is asked for.
const ASKS: u8 = 6;
/// A frame is given up when a packet of it was missing for this long, or longer on a long path.
const PATIENCE_US: u64 = 250_000;
/// Key frames are asked for no more often than this.
const KEY_US: u64 = 300_000;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Received {
    /// It waits for the rest of its frame.
    Kept,
    /// Its frame was delivered or given up; refused.
    Late,
    /// It is there already; refused.
    Duplicate,
    /// Its number cannot belong to this stream; refused, unless the next one follows on it.
    Astray,
    /// It is none of ours, or contradicts its neighbours; refused.
    Malformed,
    /// Too much waits already; refused.
    Full,
    /// It carries nothing: its sender wants to know what the path bears.
    Filler,
}

/// A whole frame, sealed as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// Of the packets that carried it.
    pub timestamp: u32,
    /// The sealed frame.
    pub bytes: Vec<u8>,
    /// The first one after frames were given up, or the first at all: always a key frame.
    pub restarted: bool,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Packets kept.
    pub packets: u64,
    /// Packets refused, for whatever reason.
    pub refused: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Times that frames were given up.
    pub gaps: u64,
    /// Packets asked for again.
    pub asked: u64,
    /// Packets that came after they were asked for.
    pub recovered: u64,
}

impl std::ops::AddAssign for ReceiverStats {
    fn add_assign(&mut self, more: Self) {
        self.packets += more.packets;
        self.refused += more.refused;
        self.frames += more.frames;
        self.gaps += more.gaps;
        self.asked += more.asked;
        self.recovered += more.recovered;
    }
}

/// Puts one track of one link together again.
///
/// Memory is bounded by four of the largest frames. A lost packet is asked for a few times; what stays lost costs the
/// frames up to the next key frame, which is asked for as well.
#[derive(Debug, Default)]
pub struct Receiver {
    waiting: BTreeMap<i64, Part>,
    bytes: usize,
    missing: BTreeMap<i64, Missing>,
    /// The first packet of the next frame; none while a key frame is waited for.
    next: Option<i64>,
    newest: Option<i64>,
    stray: Option<u16>,
    round_trip_us: u64,
    wants_key: bool,
    key_asked_us: Option<u64>,
    stats: ReceiverStats,
}

#[derive(Debug)]
struct Part {
    timestamp: u32,
    descriptor: Descriptor,
    payload: Bytes,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    since_us: u64,
    asked_us: Option<u64>,
    times: u8,
}

/// What is at the place of the next frame.
enum Ahead {
    /// All of it, up to this packet.
    Whole(i64),
    /// Not all of it yet.
    Part,
    /// Packets that cannot be one frame.
    Nonsense,
}

impl Receiver {
    /// A track nothing was received of yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The link's round-trip time: how long to wait before a packet is asked for again.
    pub fn set_round_trip_us(&mut self, round_trip_us: u64) {
        self.round_trip_us = round_trip_us.min(1_000_000);
    }

    /// What was counted.
    pub fn stats(&self) -> ReceiverStats {
        self.stats
    }

    /// Counts begin anew.
    pub(super) fn rest(&mut self) {
        self.stats = ReceiverStats::default();
    }

    /// Takes a packet's payload. `now_us` never goes back.
    pub fn insert(&mut self, now_us: u64, sequence: u16, timestamp: u32, payload: Bytes) -> Received {
        let became = self.take(now_us, sequence, timestamp, payload);
        match became {
            Received::Kept => self.stats.packets += 1,
            _ => self.stats.refused += 1,
        }
        became
    }

    fn take(&mut self, now_us: u64, sequence: u16, timestamp: u32, payload: Bytes) -> Received {
        let Some((descriptor, _)) = Descriptor::read(&payload) else { return Received::Malformed };
        let Some(number) = self.unwrap(sequence) else { return Received::Astray };
        if self.next.is_some_and(|next| number < next) {
            return Received::Late;
        }
        if self.waiting.contains_key(&number) {
            return Received::Duplicate;
        }
        if self.waiting.len() >= WAITING || self.bytes + payload.len() > WAITING_BYTES {
            self.give_up(number);
            return Received::Full;
        }
        self.note_gap(now_us, number);
        if self.missing.remove(&number).is_some_and(|missing| missing.times > 0) {
            self.stats.recovered += 1;
        }
        self.bytes += payload.len();
        self.waiting.insert(number, Part { timestamp, descriptor, payload });
        Received::Kept
    }

    /// The sequence number as one that never wraps; `None` for one from elsewhere.
    fn unwrap(&mut self, sequence: u16) -> Option<i64> {
        let Some(newest) = self.newest else { return Some(i64::from(sequence)) };
        let step = i64::from(sequence.wrapping_sub(newest as u16).cast_signed());
        if step.abs() < ASTRAY {
            self.stray = None;
            return Some(newest + step);
        }
        if self.stray.replace(sequence.wrapping_add(1)) != Some(sequence) {
            return None;
        }
        // Two in a row: the sender began anew.
        self.stray = None;
        self.forget();
        Some(i64::from(sequence))
    }

    fn forget(&mut self) {
        self.waiting.clear();
        self.missing.clear();
        self.bytes = 0;
        self.newest = None;
        self.lose();
    }

    fn note_gap(&mut self, now_us: u64, number: i64) {
        let newest = *self.newest.get_or_insert(number);
        if number - newest > LONGEST_GAP {
            self.give_up(number);
        } else {
            for lost in newest + 1..number {
                self.missing.insert(lost, Missing { since_us: now_us, asked_us: None, times: 0 });
            }
        }
        self.newest = Some(newest.max(number));
    }

    /// Lets go of everything before a packet.
    fn give_up(&mut self, before: i64) {
        self.waiting = self.waiting.split_off(&before);
        self.missing = self.missing.split_off(&before);
        self.bytes = self.waiting.values().map(|part| part.payload.len()).sum();
        self.lose();
    }

    fn lose(&mut self) {
        if self.next.take().is_some() {
            self.stats.gaps += 1;
        }
        self.wants_key = true;
    }

    /// The packets to ask for now, at most 64.
    pub fn asks(&mut self, now_us: u64) -> Vec<u16> {
        let again_us = self.again_us();
        let mut asks = Vec::new();
        for (number, missing) in &mut self.missing {
            let due = match missing.asked_us {
                None => missing.since_us + REORDER_US <= now_us,
                Some(asked_us) => missing.times < ASKS && asked_us + again_us <= now_us,
            };
            if due && asks.len() < 64 {
                missing.asked_us = Some(now_us);
                missing.times += 1;
                // The wrapped number is what the sender knows.
                asks.push(*number as u16);
            }
        }
        self.stats.asked += asks.len() as u64;
        asks
    }

    /// Whether to ask the sender for a key frame now; said at most once in 300 ms.
    pub fn asks_key(&mut self, now_us: u64) -> bool {
        let due = self.key_asked_us.is_none_or(|asked_us| asked_us + KEY_US <= now_us);
        let ask = self.wants_key && self.newest.is_some() && due;
        if ask {
            self.key_asked_us = Some(now_us);
        }
        ask
    }

    /// The decoder could not use what it got: only a key frame helps.
    pub fn need_key(&mut self) {
        self.lose();
    }

    /// The next whole frame, if it is there.
    pub fn next(&mut self, now_us: u64) -> Option<Assembled> {
        loop {
            let restarted = self.next.is_none();
            let first = match self.next {
                Some(next) => next,
                None => match self.seek_key() {
                    Some(first) => first,
                    None => {
                        let patience_us = self.patience_us();
                        self.missing.retain(|_, missing| missing.since_us + patience_us > now_us);
                        return None;
                    }
                },
            };
            match self.ahead(first) {
                Ahead::Whole(last) => return Some(self.deliver(first, last, restarted)),
                Ahead::Nonsense => self.give_up(first + 1),
                Ahead::Part => self.give_up(self.hopeless(now_us, first)? + 1),
            }
        }
    }

    /// The first part of the newest whole key frame, or else of the oldest one that may still become whole.
    fn seek_key(&mut self) -> Option<i64> {
        let starts = |(number, part): (&i64, &Part)| (part.descriptor.start && part.descriptor.key).then_some(*number);
        let keys: Vec<i64> = self.waiting.iter().filter_map(starts).collect();
        let whole = keys.iter().rev().copied().find(|key| matches!(self.ahead(*key), Ahead::Whole(_)));
        let first = whole.or_else(|| keys.first().copied())?;
        self.waiting = self.waiting.split_off(&first);
        self.missing = self.missing.split_off(&first);
        self.bytes = self.waiting.values().map(|part| part.payload.len()).sum();
        Some(first)
    }

    fn ahead(&self, first: i64) -> Ahead {
        let mut length = 0;
        let mut head: Option<&Part> = None;
        for (expected, (number, part)) in (first..).zip(self.waiting.range(first..)) {
            if expected != *number {
                return Ahead::Part;
            }
            let same = head.is_none_or(|head| {
                head.timestamp == part.timestamp && head.descriptor.key == part.descriptor.key && !part.descriptor.start
            });
            if !same || head.is_none() && !part.descriptor.start {
                return Ahead::Nonsense;
            }
            length += part.payload.len() - 1;
            if length > SEALED_BYTES {
                return Ahead::Nonsense;
            }
            if part.descriptor.end {
                return Ahead::Whole(expected);
            }
            head = head.or(Some(part));
        }
        Ahead::Part
    }

    /// The packet from here on that was missing for too long.
    fn hopeless(&self, now_us: u64, first: i64) -> Option<i64> {
        let (number, missing) = self.missing.range(first..).next()?;
        (missing.since_us + self.patience_us() <= now_us).then_some(*number)
    }

    fn patience_us(&self) -> u64 {
        PATIENCE_US.max(3 * self.round_trip_us)
    }

    fn again_us(&self) -> u64 {
        ASK_US.max(self.round_trip_us + self.round_trip_us / 4)
    }

    fn deliver(&mut self, first: i64, last: i64, restarted: bool) -> Assembled {
        let after = self.waiting.split_off(&(last + 1));
        let parts = std::mem::replace(&mut self.waiting, after);
        self.missing = self.missing.split_off(&(last + 1));
        let length = parts.values().map(|part| part.payload.len()).sum::<usize>();
        self.bytes -= length;
        let mut bytes = Vec::with_capacity(length - parts.len());
        let timestamp = parts.get(&first).map_or(0, |part| part.timestamp);
        for part in parts.values() {
            bytes.extend_from_slice(&part.payload[1..]);
        }
        self.next = Some(last + 1);
        self.wants_key = false;
        self.stats.frames += 1;
        Assembled { timestamp, bytes, restarted }
    }

    /// When [`Receiver::asks`] or [`Receiver::next`] may have something new though no packet came.
    pub fn deadline_us(&self) -> Option<u64> {
        let (again_us, patience_us) = (self.again_us(), self.patience_us());
        let due = |missing: &Missing| match missing.asked_us {
            None => missing.since_us + REORDER_US,
            Some(asked_us) if missing.times < ASKS => (asked_us + again_us).min(missing.since_us + patience_us),
            Some(_) => missing.since_us + patience_us,
        };
        let key = (self.wants_key && self.newest.is_some())
            .then(|| self.key_asked_us.map_or(0, |asked_us| asked_us + KEY_US));
        self.missing.values().map(due).chain(key).min()
    }
}
