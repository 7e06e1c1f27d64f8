//! The sending side of one track on one link: whole frames in, packets out at the pace the path bears.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::frame::Kind;
use super::packet::{Descriptor, PACKETS, PAYLOAD_BYTES, SEALED_BYTES};

/// Packets remembered so that they can be sent again.
const HISTORY: usize = 2_048;
/// The same in time: what is older comes too late to be shown.
const HISTORY_US: u64 = 600_000;
/// A packet is sent again at most this often, and no sooner than this after the last time.
const REPEATS: u8 = 4;
const REPEAT_US: u64 = 15_000;
/// The queue may hold what the target takes this long to send; beyond it frames are dropped up to the next key frame.
pub const QUEUE_US: u64 = 250_000;
/// Packets leave this much faster than the target: a frame should not take as long as the pause to the next one.
const HASTE: (u64, u64) = (11, 10);
/// Beside the packets that may leave at once, what the pace gives in this time.
const BURST_US: u64 = 4_000;
const LARGEST: u64 = (PAYLOAD_BYTES + OVERHEAD) as u64;
/// The shortest part of a longer frame.
const LEAST_PART: usize = 200;
/// Up to here a frame is a small one.
const SMALL: usize = 500;
/// What a packet takes beside its payload: RTP with extensions, SRTP, UDP, IPv4.
pub const OVERHEAD: usize = 12 + 8 + 16 + 28;

/// One packet to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its number in the track.
    pub sequence: u16,
    /// RTP timestamp of its frame, 90 kHz.
    pub timestamp: u32,
    /// The last one of its frame.
    pub last: bool,
    /// Where in the frame it belongs: the first byte of its payload.
    pub descriptor: Descriptor,
    /// Its part of the sealed frame: what follows.
    pub part: Bytes,
    /// It was sent before.
    pub again: bool,
}

impl Packet {
    /// Appends its payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.descriptor.byte());
        out.extend_from_slice(&self.part);
    }
}

/// A frame of which something is still to be sent.
#[derive(Debug)]
struct Frame {
    timestamp: u32,
    key: bool,
    begun: bool,
    /// Packets that it may still take: who receives it holds no more.
    packets: usize,
    rest: Bytes,
}

/// What there is room for on the path, in bytes with all that a packet takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Now.
    pub left: u64,
    /// Once there is as much as there ever is.
    pub whole: u64,
    /// Whether what needs more than that may leave now.
    pub alone: bool,
}

impl Room {
    /// More than anything takes.
    pub const ANY: Self = Self { left: u64::MAX, whole: u64::MAX, alone: true };

    /// Room for a packet without these bytes of it.
    pub(super) fn without(self, bytes: u64) -> Self {
        Self { left: self.left.saturating_sub(bytes), whole: self.whole.saturating_sub(bytes), ..self }
    }

    /// Whether a packet of so many bytes may leave now.
    pub(super) fn fits(self, bytes: u64) -> bool {
        bytes <= self.left || self.alone && bytes > self.whole
    }
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// It is queued.
    Queued,
    /// The queue is too long, or was: nothing goes before the next key frame, which the encoder should make now.
    Dropped,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Packets sent for the first time.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Packets sent again.
    pub repeats: u64,
    /// Frames queued.
    pub frames: u64,
    /// Frames dropped whole.
    pub dropped: u64,
}

impl std::ops::AddAssign for SenderStats {
    fn add_assign(&mut self, more: Self) {
        self.packets += more.packets;
        self.bytes += more.bytes;
        self.repeats += more.repeats;
        self.frames += more.frames;
        self.dropped += more.dropped;
    }
}

/// Sends one track to one peer.
///
/// Repeats go before new packets, both within the pace. A frame is sent whole or not at all: one that was begun is
/// finished even if the frames behind it are dropped. It is cut when it leaves: into equal parts, or into what there is room
/// for.
#[derive(Debug)]
pub struct Sender {
    queue: VecDeque<Frame>,
    queued: u64,
    repeats: VecDeque<u16>,
    history: BTreeMap<i64, Sent>,
    next: i64,
    target_bps: u64,
    budget: u64,
    refilled_us: Option<u64>,
    /// Packets that may leave at once.
    at_once: u64,
    needs_key: bool,
    /// What of the queue is left when the next frame comes, on the average over a few.
    left_us: u64,
    stats: SenderStats,
}

#[derive(Debug)]
struct Sent {
    packet: Packet,
    first_us: u64,
    last_us: u64,
    times: u8,
}

impl Sender {
    /// A track that sends at `target_bps` bits a second; the first packet has this number.
    pub fn new(target_bps: u64, sequence: u16) -> Self {
        let mut sender = Self {
            queue: VecDeque::new(),
            queued: 0,
            repeats: VecDeque::new(),
            history: BTreeMap::new(),
            next: i64::from(sequence),
            target_bps: target_bps.max(1),
            budget: 0,
            refilled_us: None,
            at_once: 1,
            needs_key: true,
            left_us: 0,
            stats: SenderStats::default(),
        };
        sender.budget = sender.burst();
        sender
    }

    /// What the path bears now, in bits a second.
    pub fn set_target_bps(&mut self, target_bps: u64) {
        self.target_bps = target_bps.max(1);
    }

    /// So many packets may leave at once, at least one.
    pub(super) fn set_at_once(&mut self, packets: u64) {
        self.at_once = packets.max(1);
    }

    /// What was counted.
    pub fn stats(&self) -> SenderStats {
        self.stats
    }

    /// How long what is left of the queue when a frame comes would take, on the average: more than a little is more than leaves.
    pub(super) fn left_us(&self) -> u64 {
        self.left_us
    }

    /// How long the queue would take at the target.
    pub fn queue_us(&self) -> u64 {
        self.queued.saturating_mul(8_000_000) / self.target_bps
    }

    /// Queues a sealed frame, at most [`SEALED_BYTES`] long; an empty one is dropped as a longer one is.
    pub fn push(&mut self, kind: Kind, timestamp: u32, sealed: &Bytes) -> Pushed {
        self.left_us = (7 * self.left_us + self.queue_us()) / 8;
        if self.queue_us() > QUEUE_US {
            self.drop_unbegun();
            self.needs_key = true;
        }
        let fits = (1..=SEALED_BYTES).contains(&sealed.len());
        // A key frame goes even into a long queue that could not be emptied: without it nothing ever would.
        if !fits || self.needs_key && kind == Kind::Delta {
            self.stats.dropped += 1;
            return Pushed::Dropped;
        }
        self.needs_key = false;
        self.stats.frames += 1;
        self.queued += weight(sealed.len());
        self.queue.push_back(Frame {
            timestamp,
            key: kind == Kind::Key,
            begun: false,
            packets: PACKETS,
            rest: sealed.clone(),
        });
        Pushed::Queued
    }

    /// What waits belongs to nobody any more, and counts begin anew.
    pub(super) fn rest(&mut self) {
        self.drop_unbegun();
        (self.needs_key, self.stats) = (true, SenderStats::default());
    }

    /// Drops every queued frame of which nothing was sent.
    fn drop_unbegun(&mut self) {
        let keep = usize::from(self.queue.front().is_some_and(|first| first.begun));
        for frame in self.queue.drain(keep..) {
            self.queued -= weight(frame.rest.len());
            self.stats.dropped += 1;
        }
    }

    /// The peer misses these packets.
    pub fn asked(&mut self, now_us: u64, sequences: &[u16]) {
        for sequence in sequences.iter().take(256) {
            let number = self.number(*sequence);
            let known = self.history.get(&number).filter(|sent| sent.first_us + HISTORY_US >= now_us);
            let Some(sent) = known else { continue };
            if sent.times < REPEATS && sent.last_us + REPEAT_US <= now_us && !self.repeats.contains(sequence) {
                self.repeats.push_back(*sequence);
            }
        }
    }

    fn number(&self, sequence: u16) -> i64 {
        self.next + i64::from(sequence.wrapping_sub(self.next as u16).cast_signed())
    }

    /// The next packet that may leave now, for which there is `room`.
    pub fn poll(&mut self, now_us: u64, room: Room) -> Option<Packet> {
        self.refill(now_us);
        while let Some(number) = self.repeats.front().map(|sequence| self.number(*sequence)) {
            let Some(sent) = self.history.get_mut(&number) else {
                self.repeats.pop_front();
                continue;
            };
            let bytes = size(sent.packet.part.len());
            if bytes > self.budget || !room.fits(bytes) {
                return None;
            }
            self.repeats.pop_front();
            self.budget -= bytes;
            sent.last_us = now_us;
            sent.times += 1;
            self.stats.repeats += 1;
            return Some(Packet { again: true, ..sent.packet.clone() });
        }
        let packet = self.cut(room)?;
        self.stats.packets += 1;
        self.stats.bytes += size(packet.part.len());
        self.remember(now_us, packet.clone());
        Some(packet)
    }

    /// Cuts the next packet off what waits.
    fn cut(&mut self, room: Room) -> Option<Packet> {
        let sequence = self.next as u16;
        let Frame { timestamp, key, begun, packets, rest } = self.queue.front_mut()?;
        let (whole, left) = (rest.len(), usize::try_from(room.left).unwrap_or(usize::MAX).saturating_sub(OVERHEAD + 1));
        let (most, least) = (share(whole), least(whole, *packets, room.whole));
        let length = if left < least && room.fits(size(least)) { most } else { most.min(left) };
        if length < least || size(length) > self.budget {
            return None;
        }
        let part = rest.split_to(length);
        let descriptor = Descriptor { start: !*begun, end: rest.is_empty(), key: *key };
        let packet = Packet { sequence, timestamp: *timestamp, last: rest.is_empty(), descriptor, part, again: false };
        (*begun, *packets) = (true, *packets - 1);
        self.budget -= size(length);
        self.queued -= weight(whole) - weight(rest.len());
        if packet.last {
            self.queue.pop_front();
        }
        Some(packet)
    }

    fn remember(&mut self, now_us: u64, packet: Packet) {
        self.history.insert(self.next, Sent { packet, first_us: now_us, last_us: now_us, times: 0 });
        self.next += 1;
        let old = |sent: &Sent| sent.first_us + HISTORY_US < now_us;
        while self.history.len() > HISTORY || self.history.first_key_value().is_some_and(|(_, sent)| old(sent)) {
            self.history.pop_first();
        }
    }

    fn refill(&mut self, now_us: u64) {
        let since_us = now_us.saturating_sub(self.refilled_us.unwrap_or(now_us));
        let burst = self.burst();
        let bytes = u128::from(self.pace_bps()) * u128::from(since_us) / 8_000_000;
        let bytes = u64::try_from(bytes).unwrap_or(burst);
        // Nothing is added yet: the rest of a byte must not be lost.
        if bytes > 0 || self.refilled_us.is_none() {
            self.refilled_us = Some(now_us);
            if self.queue.is_empty() {
                self.left_us = self.left_us.saturating_sub(since_us / 4);
            }
            self.budget = self.budget.saturating_add(bytes).min(burst);
        }
    }

    /// Bytes that may leave at once.
    fn burst(&self) -> u64 {
        self.at_once * LARGEST + self.pace_bps().saturating_mul(BURST_US) / 8_000_000
    }

    fn pace_bps(&self) -> u64 {
        self.target_bps.saturating_mul(HASTE.0) / HASTE.1
    }

    /// The packet that is to be sent again next.
    fn again(&self) -> Option<&Packet> {
        Some(&self.history.get(&self.number(*self.repeats.front()?))?.packet)
    }

    /// What the next packet takes at least, where there is this room in all, if there is one.
    pub(super) fn least_bytes(&self, whole: u64) -> Option<u64> {
        let again = self.again().map(|packet| packet.part.len());
        let first = || self.queue.front().map(|frame| least(frame.rest.len(), frame.packets, whole));
        again.or_else(first).map(size)
    }

    /// When [`Sender::poll`] has something, given room; none while nothing waits.
    pub fn deadline_us(&self) -> Option<u64> {
        let bytes = match self.again() {
            // A frame waits for it at the other end.
            Some(packet) => size(packet.part.len()),
            // Where several may leave at once the pace is kept by halves of that, not packet by packet.
            None => size(share(self.queue.front()?.rest.len())).max(self.queued.min(self.at_once / 2 * LARGEST)),
        };
        let short = bytes.saturating_sub(self.budget);
        let wait_us = (short * 8_000_000).div_ceil(self.pace_bps().max(1));
        Some(self.refilled_us.unwrap_or(0).saturating_add(wait_us))
    }
}

/// The shortest first part of so many bytes of a frame. A header more costs a small frame a good part of itself: that waits
/// if there is room for all of it soon. A large one takes no more packets than it may.
fn least(rest: usize, packets: usize, whole: u64) -> usize {
    let least = LEAST_PART.max(rest.div_ceil(packets.max(1)));
    if rest <= SMALL && size(rest) <= whole { rest } else { rest.min(least) }
}

/// The first of the equal parts that this many bytes of a frame are cut into.
fn share(rest: usize) -> usize {
    rest.div_ceil(rest.div_ceil(PAYLOAD_BYTES - 1).max(1))
}

/// What a part takes on the wire.
fn size(part: usize) -> u64 {
    (part + 1 + OVERHEAD) as u64
}

/// What this many bytes of a frame take on the wire, in equal parts.
fn weight(rest: usize) -> u64 {
    (rest + rest.div_ceil(PAYLOAD_BYTES - 1) * (1 + OVERHEAD)) as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_by_halves_of_what_may_leave_at_once_and_what_is_missed_as_soon_as_the_pace_allows() {
        let mut sender = Sender::new(1_000_000, 0);
        sender.set_at_once(8);
        sender.push(Kind::Key, 0, &vec![1; 60_000].into());
        let mut now_us = 0;
        let leave = |sender: &mut Sender, now_us| std::iter::from_fn(|| sender.poll(now_us, Room::ANY)).count();
        leave(&mut sender, now_us);
        let wait_us = sender.deadline_us().unwrap() - now_us;
        now_us += wait_us;
        assert_eq!(leave(&mut sender, now_us), 4);
        // A packet takes some 9 ms at this pace.
        now_us += REPEAT_US;
        leave(&mut sender, now_us);
        sender.asked(now_us, &[0]);
        let repeat_us = sender.deadline_us().unwrap() - now_us;
        assert!(repeat_us <= wait_us / 3, "{repeat_us} us until it is sent again, {wait_us} for four");
    }
}
