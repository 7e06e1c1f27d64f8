//! The port through which sound passes a link: two bounded rings, no lock, the oldest goes when one is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

use crate::vault::random;

/// Frames that may wait each way: 1.28 s of 20 ms frames, far more than any jitter buffer wants.
const FRAMES: usize = 64;

/// One sound packet from the peer, as it came: unordered, perhaps doubled, its payload still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, in 48 kHz samples.
    pub timestamp: u32,
    /// RTP marker bit: the first frame after silence.
    pub marker: bool,
    /// What the peer's media thread sent.
    pub payload: Bytes,
    /// When it came off the network task.
    pub arrival: Instant,
}

/// One sound packet on its way out.
#[derive(Debug)]
pub(super) struct Outbound {
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Bytes,
}

#[derive(Debug)]
struct Rings {
    out: ArrayQueue<Outbound>,
    out_ready: Notify,
    heard: ArrayQueue<Inbound>,
    heard_ready: Notify,
    dropped: AtomicU64,
    next_sequence: AtomicU16,
    captured: Noted,
    played: Noted,
    hold: Noted,
}

/// A number, and when it was noted: in the upper and the lower half, in microseconds; 0 for never.
#[derive(Debug, Default)]
struct Noted(AtomicU64);

/// What was not heard of for this long says nothing any more.
const STALE_US: u32 = 1_000_000;

impl Noted {
    fn note(&self, now_us: u64, number: u32) {
        // A clock of 32 bits wraps after 71 minutes; only a second of it is ever looked at.
        let pair = u64::from(number) << 32 | (now_us & u64::from(u32::MAX)).max(1);
        self.0.store(pair, Ordering::Relaxed);
    }

    /// The number, and how long ago it was noted.
    fn last(&self, now_us: u64) -> Option<(u32, u32)> {
        let pair = self.0.load(Ordering::Relaxed);
        let age_us = (now_us as u32).wrapping_sub(pair as u32);
        (pair != 0 && age_us < STALE_US).then_some(((pair >> 32) as u32, age_us))
    }

    /// The RTP timestamp whose turn it is, where the number is one whose turn it was.
    fn timestamp(&self, now_us: u64) -> Option<u32> {
        let (timestamp, age_us) = self.last(now_us)?;
        Some(timestamp.wrapping_add((u64::from(age_us) * 48 / 1_000) as u32))
    }
}

/// Where the media thread hands in and takes out sound; clones share the same rings.
#[derive(Debug, Clone)]
pub struct MediaPort {
    rings: Arc<Rings>,
}

impl MediaPort {
    /// Hands in one packet; neither blocks nor allocates, and pushes out the oldest waiting one when the ring is full.
    ///
    /// Before the link is up, while it is interrupted and after it is closed, packets are lost as on a bad network.
    pub fn send_audio(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes) {
        self.rings.next_sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        if self.rings.out.force_push(Outbound { sequence, timestamp, marker, payload }).is_some() {
            self.rings.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.rings.out_ready.notify_one();
    }

    /// The sequence number that follows the last one handed in; random on a new link. A call that begins elsewhere on a
    /// link that carried one already is taken for a replay at the other end (RFC 3711 section 3.3.2) and not heard.
    #[must_use]
    pub fn next_sequence(&self) -> u16 {
        self.rings.next_sequence.load(Ordering::Relaxed)
    }

    /// The sound with this RTP timestamp was captured just now, by [`crate::clock`].
    pub fn note_captured(&self, now_us: u64, timestamp: u32) {
        self.rings.captured.note(now_us, timestamp);
    }

    /// The peer's sound with this RTP timestamp is played just now, by [`crate::clock`].
    pub fn note_played(&self, now_us: u64, timestamp: u32) {
        self.rings.played.note(now_us, timestamp);
    }

    /// RTP timestamp of the sound that is captured at this moment; none while none is.
    #[must_use]
    pub fn captured(&self, now_us: u64) -> Option<u32> {
        self.rings.captured.timestamp(now_us)
    }

    /// RTP timestamp of the peer's sound that is played at this moment; none while none is.
    #[must_use]
    pub fn played(&self, now_us: u64) -> Option<u32> {
        self.rings.played.timestamp(now_us)
    }

    /// The peer's pictures come so much later than its sound, in microseconds, by [`crate::clock`]: it is held back for them.
    pub fn hold_longer(&self, now_us: u64, us: u32) {
        self.rings.hold.note(now_us, us);
    }

    /// How much longer the peer's sound is to be held back, in microseconds: 0 once no pictures come any more.
    #[must_use]
    pub fn longer_us(&self, now_us: u64) -> u32 {
        self.rings.hold.last(now_us).map_or(0, |(us, _)| us)
    }

    /// Takes the oldest packet heard, if any; neither blocks nor allocates.
    #[must_use]
    pub fn take_audio(&self) -> Option<Inbound> {
        self.rings.heard.pop()
    }

    /// Waits for a packet and takes it; meant for one waiting task at a time.
    pub async fn audio(&self) -> Inbound {
        loop {
            if let Some(packet) = self.take_audio() {
                return packet;
            }
            self.rings.heard_ready.notified().await;
        }
    }

    /// How many packets were pushed out of a full ring, both ways together.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.rings.dropped.load(Ordering::Relaxed)
    }
}

/// The link's end of the port.
pub(super) struct Sound {
    rings: Arc<Rings>,
}

impl Sound {
    pub(super) async fn next(&self) -> Outbound {
        loop {
            if let Some(packet) = self.rings.out.pop() {
                return packet;
            }
            self.rings.out_ready.notified().await;
        }
    }

    pub(super) fn heard(&self, packet: Inbound) {
        if self.rings.heard.force_push(packet).is_some() {
            self.rings.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.rings.heard_ready.notify_one();
    }
}

pub(super) fn port() -> (MediaPort, Sound) {
    let rings = Arc::new(Rings {
        out: ArrayQueue::new(FRAMES),
        out_ready: Notify::new(),
        heard: ArrayQueue::new(FRAMES),
        heard_ready: Notify::new(),
        dropped: AtomicU64::new(0),
        next_sequence: AtomicU16::new(u16::from_be_bytes(random())),
        captured: Noted::default(),
        played: Noted::default(),
        hold: Noted::default(),
    });
    (MediaPort { rings: Arc::clone(&rings) }, Sound { rings })
}
