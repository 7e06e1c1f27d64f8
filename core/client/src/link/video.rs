//! The port through which pictures pass a link, and the link's end of it.
//!
//! Frames are sealed before they come here, and leave as whole sealed frames. Here is the pace: what may leave when,
//! what is asked for again, what the path bears. See [`sidetone_media::video`].
//!
//! # When a queue is full
//! Frames out: dropped up to the next key frame, which the answer of [`VideoPort::push`] says. Frames in that nobody takes:
//! the oldest goes, and a key frame is asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use rtc::rtp;
use sidetone_media::video::{
    Assembled, DelayEstimator, Downlink, Kind, Pushed, ReceiverStats, Report, SEALED_BYTES, SenderStats, Track, Uplink,
};
use tokio::sync::{Notify, mpsc};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::TrackRemoteEvent;

use super::life::{End, Part};
use super::pulse::Beat;
use super::shared::Shared;
use super::template::{self, PICTURES};
use super::traffic::Remote;
use crate::built;
use crate::vault::random;

/// The first byte of a payload that is a report; other payloads begin with the number of their track.
const REPORT: u8 = 0x80;
/// Frames that may wait to be taken, and their bytes.
const FRAMES: usize = 32;
const FRAME_BYTES: usize = 2 * SEALED_BYTES;
/// Packets sent under one lock.
const PACKETS: usize = 16;

/// What passed of a track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoStats {
    /// On its way out.
    pub sent: SenderStats,
    /// On its way in.
    pub received: ReceiverStats,
    /// Frames that came whole and were refused: not sealed by the peer, or for another track, or not made of a frame.
    pub refused: u64,
}

impl std::ops::AddAssign for VideoStats {
    fn add_assign(&mut self, more: Self) {
        self.sent += more.sent;
        self.received += more.received;
        self.refused += more.refused;
    }
}

struct State {
    uplink: Uplink<DelayEstimator>,
    downlink: Downlink,
    frames: VecDeque<(Track, Assembled)>,
    waiting: usize,
    keys: [bool; 2],
    refused: [u64; 2],
    closed: bool,
    /// When the link's end wakes by itself: only what is due sooner has to wake it.
    wakes_us: u64,
}

impl State {
    /// When there is something to send, by what is known now.
    fn due_us(&self, now_us: u64) -> Option<u64> {
        self.uplink.deadline_us(now_us).into_iter().chain(self.downlink.deadline_us()).min()
    }
}

struct Inner {
    origin: Instant,
    state: Mutex<State>,
    out: Notify,
    seen: Notify,
}

impl Inner {
    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Wakes the link's end if something is due before it would wake.
    fn wake(&self, now_us: u64, state: &mut State) {
        if state.due_us(now_us).is_some_and(|due_us| due_us < state.wakes_us) {
            state.wakes_us = 0;
            self.out.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock has ended the link's task; what it left is still sound enough to be read.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where frames are handed in and taken out; clones share the same queues.
#[derive(Clone)]
pub struct VideoPort {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for VideoPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VideoPort")
    }
}

impl VideoPort {
    /// Hands in a sealed frame, which is cut as it leaves.
    pub fn push(&self, track: Track, kind: Kind, timestamp: u32, sealed: &Bytes) -> Pushed {
        let (now_us, mut state) = (self.inner.now_us(), self.inner.state());
        let pushed = state.uplink.push(track, kind, timestamp, sealed);
        self.inner.wake(now_us, &mut state);
        pushed
    }

    /// Takes the oldest whole frame of the peer.
    #[must_use]
    pub fn take(&self) -> Option<(Track, Assembled)> {
        let mut state = self.inner.state();
        let (track, frame) = state.frames.pop_front()?;
        state.waiting -= frame.bytes.len();
        Some((track, frame))
    }

    /// Returns when there may be a frame, a wish for a key frame, or another target; meant for one waiting task at a time.
    /// `false` once the link is gone.
    pub async fn news(&self) -> bool {
        if self.inner.state().closed {
            return false;
        }
        self.inner.seen.notified().await;
        !self.inner.state().closed
    }

    /// Which tracks the peer wants a key frame of, by number; asked once.
    #[must_use]
    pub fn keys_wanted(&self) -> [bool; 2] {
        std::mem::take(&mut self.inner.state().keys)
    }

    /// A frame of this track could not be used: that is counted, and the peer is asked for a key frame.
    pub fn refuse(&self, track: Track) {
        let (now_us, mut state) = (self.inner.now_us(), self.inner.state());
        state.refused[track as usize] += 1;
        state.downlink.need_key(track);
        self.inner.wake(now_us, &mut state);
    }

    /// Whether a track is sent: two share what the path bears.
    pub fn set_active(&self, track: Track, active: bool) {
        self.inner.state().uplink.set_active(track, active);
    }

    /// What an encoder of this track should make, in bits a second.
    #[must_use]
    pub fn encoder_bps(&self, track: Track) -> u64 {
        self.inner.state().uplink.encoder_bps(track)
    }

    /// What of the path there is for pictures of this track, in bits a second, whether frames wait or not.
    #[must_use]
    pub fn picture_bps(&self, track: Track) -> u64 {
        self.inner.state().uplink.picture_bps(track)
    }

    /// While no picture is to be sent, sends so much of nothing, in bits a second: whether a path bears more is only known of
    /// one that is used. 0 for none.
    pub fn set_filler_bps(&self, filler_bps: u64) {
        let (now_us, mut state) = (self.inner.now_us(), self.inner.state());
        state.uplink.set_filler_bps(filler_bps);
        self.inner.wake(now_us, &mut state);
    }

    /// What the path bears for both tracks, in bits a second.
    #[must_use]
    pub fn target_bps(&self) -> u64 {
        self.inner.state().uplink.target_bps()
    }

    /// Takes no more than this of the path, in bits a second.
    pub fn set_limit_bps(&self, limit_bps: u64) {
        self.inner.state().uplink.set_limit_bps(limit_bps);
    }

    /// Nobody shows or looks at anything over the link any more: what waits is dropped, what was set holds no longer, and counts
    /// begin anew.
    pub fn rest(&self) {
        let mut state = self.inner.state();
        state.uplink.rest();
        state.downlink.rest();
        state.frames.clear();
        (state.waiting, state.keys, state.refused) = (0, [false; 2], [0; 2]);
    }

    /// How long a track's queue would take, in microseconds.
    #[must_use]
    pub fn queue_us(&self, track: Track) -> u64 {
        self.inner.state().uplink.queue_us(track)
    }

    /// Whether both are ports of the same link.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// What was counted of a track.
    #[must_use]
    pub fn stats(&self, track: Track) -> VideoStats {
        let state = self.inner.state();
        let (sent, received) = (state.uplink.stats(track), state.downlink.stats(track));
        VideoStats { sent, received, refused: state.refused[track as usize] }
    }
}

/// The link's end of the port.
pub(super) struct Pictures {
    inner: Arc<Inner>,
}

pub(super) fn port() -> (VideoPort, Pictures) {
    let state = State {
        uplink: Uplink::new(DelayEstimator::new(), u16::from_be_bytes(random())),
        downlink: Downlink::new(),
        frames: VecDeque::new(),
        waiting: 0,
        keys: [false; 2],
        refused: [0; 2],
        closed: false,
        wakes_us: u64::MAX,
    };
    let (out, seen) = (Notify::new(), Notify::new());
    let inner = Arc::new(Inner { origin: Instant::now(), state: Mutex::new(state), out, seen });
    (VideoPort { inner: Arc::clone(&inner) }, Pictures { inner })
}

impl Drop for Pictures {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.closed = true;
        state.frames.clear();
        state.waiting = 0;
        drop(state);
        self.inner.seen.notify_one();
    }
}

/// A packet on its way to the library.
struct Leaving {
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

/// When there may be more.
struct Due {
    wait_us: Option<u64>,
    /// Or when sound left.
    follows_sound: bool,
}

impl Pictures {
    /// What may leave now, `beat` being a packet of sound that did, and when there may be more.
    fn due(&self, now_us: u64, leaving: &mut Vec<Leaving>, beat: Option<Beat>) -> Due {
        let mut state = self.inner.state();
        let state = &mut *state;
        if let Some(Beat { at, after_us }) = beat {
            let at_us = at.saturating_duration_since(self.inner.origin).as_micros();
            state.uplink.sound(u64::try_from(at_us).unwrap_or(now_us).min(now_us), after_us);
        }
        if let Some(report) = state.downlink.report(now_us) {
            let mut payload = vec![REPORT];
            payload.extend(report.write());
            let sequence = state.uplink.stamp();
            leaving.push(Leaving { sequence, timestamp: 0, marker: false, payload: payload.into() });
        }
        while leaving.len() < PACKETS {
            let Some(packet) = state.uplink.poll(now_us) else { break };
            let (sequence, timestamp, marker) = (packet.sequence, packet.timestamp, packet.last);
            leaving.push(Leaving { sequence, timestamp, marker, payload: packet.payload });
        }
        if collect(state, now_us) {
            self.inner.seen.notify_one();
        }
        let follows_sound = state.uplink.follows_sound(now_us);
        if leaving.len() == PACKETS {
            return Due { wait_us: Some(0), follows_sound };
        }
        let due_us = state.due_us(now_us);
        state.wakes_us = due_us.unwrap_or(u64::MAX);
        Due { wait_us: due_us.map(|due_us| due_us.saturating_sub(now_us)), follows_sound }
    }

    fn heard(&self, packet: &rtp::Packet) {
        let now_us = self.inner.now_us();
        let mut state = self.inner.state();
        let state = &mut *state;
        let sequence = packet.header.sequence_number;
        let news = match packet.payload.split_first() {
            Some((&REPORT, report)) => {
                state.downlink.passed(now_us, sequence);
                let Some(report) = Report::read(report) else { return };
                let keys = state.uplink.report(now_us, &report);
                for (kept, wanted) in state.keys.iter_mut().zip(keys) {
                    *kept |= wanted;
                }
                if let Some(round_trip_us) = state.uplink.round_trip_us() {
                    state.downlink.set_round_trip_us(round_trip_us);
                }
                true
            }
            _ => {
                state.downlink.insert(now_us, sequence, packet.header.timestamp, &packet.payload);
                collect(state, now_us)
            }
        };
        if news {
            self.inner.seen.notify_one();
        }
        self.inner.wake(now_us, state);
    }
}

/// Takes whole frames out of the downlink; whether there were any.
fn collect(state: &mut State, now_us: u64) -> bool {
    let mut any = false;
    while let Some((track, frame)) = state.downlink.next(now_us) {
        any = true;
        state.waiting += frame.bytes.len();
        state.frames.push_back((track, frame));
        while state.frames.len() > FRAMES || state.waiting > FRAME_BYTES {
            let Some((track, lost)) = state.frames.pop_front() else { break };
            state.waiting -= lost.bytes.len();
            state.downlink.need_key(track);
        }
    }
    any
}

/// The parts of a link's life that send what is due and take what comes; none of them ends before the link.
pub(super) fn parts<'a>(shared: &'a Shared, tracks: mpsc::Receiver<Remote>, pictures: &'a Pictures) -> Vec<Part<'a>> {
    if !built::VIDEO {
        return Vec::new();
    }
    let end = |()| End::Owner;
    vec![
        Box::pin(show(shared, pictures).map(end)),
        Box::pin(watch(tracks, pictures).map(end)),
        Box::pin(follow(shared, pictures).map(end)),
    ]
}

/// What was learned of a path is forgotten when the link takes another.
async fn follow(shared: &Shared, pictures: &Pictures) {
    let mut moves = shared.moves.subscribe();
    while moves.changed().await.is_ok() {
        pictures.inner.state().uplink.moved();
        pictures.inner.seen.notify_one();
    }
    std::future::pending().await
}

async fn show(shared: &Shared, pictures: &Pictures) {
    let mut up = shared.up.subscribe();
    if up.wait_for(|up| *up).await.is_err() {
        return;
    }
    let ssrc = template::pictures_ssrc(shared.role);
    let mut leaving = Vec::with_capacity(PACKETS + 1);
    let mut beat = None;
    loop {
        let beaten = shared.pulse.beaten();
        let newer = shared.pulse.newer(beat);
        beat = newer.or(beat);
        let Due { wait_us, follows_sound } = pictures.due(pictures.inner.now_us(), &mut leaving, newer);
        for Leaving { sequence, timestamp, marker, payload } in leaving.drain(..) {
            let header = rtp::header::Header {
                version: 2,
                marker,
                payload_type: PICTURES,
                sequence_number: sequence,
                timestamp,
                ssrc,
                ..Default::default()
            };
            if let Err(error) = shared.peer.pictures.write_rtp(rtp::Packet { header, payload }).await {
                tracing::trace!(%error, "a packet of a picture was not sent");
            }
        }
        let woken = async {
            tokio::select! {
                () = pictures.inner.out.notified() => {}
                () = beaten, if follows_sound => {}
            }
        };
        match wait_us {
            Some(0) => tokio::task::yield_now().await,
            Some(wait_us) => drop(tokio::time::timeout(std::time::Duration::from_micros(wait_us), woken).await),
            None => woken.await,
        }
    }
}

async fn watch(mut tracks: mpsc::Receiver<Remote>, pictures: &Pictures) {
    while let Some(track) = tracks.recv().await {
        while let Some(event) = track.poll().await {
            match event {
                TrackRemoteEvent::OnRtpPacket(packet) if packet.header.payload_type == PICTURES => {
                    pictures.heard(&packet)
                }
                _ => {}
            }
        }
    }
    std::future::pending().await
}

/// Two ends of pictures and sound, joined in memory.
#[cfg(test)]
pub(crate) struct Cable([Pictures; 2]);

#[cfg(test)]
impl Cable {
    pub fn new() -> ([(VideoPort, super::MediaPort); 2], Self) {
        let (ports, ends): (Vec<_>, Vec<_>) = (0..2).map(|_| port()).unzip();
        let ports: [VideoPort; 2] = ports.try_into().expect("two");
        (ports.map(|port| (port, super::media::port().0)), Self(ends.try_into().ok().expect("two")))
    }

    /// Whether an end has nothing to send, now or later.
    pub fn is_idle(&self, end: usize) -> bool {
        self.0[end].inner.state().due_us(0).is_none()
    }

    /// Carries what may leave now.
    pub fn carry(&self) {
        for (from, to) in [(0, 1), (1, 0)] {
            let mut leaving = Vec::new();
            self.0[from].due(self.0[from].inner.now_us(), &mut leaving, None);
            for Leaving { sequence, timestamp, marker, payload } in leaving {
                let header = rtp::header::Header { marker, sequence_number: sequence, timestamp, ..Default::default() };
                self.0[to].heard(&rtp::Packet { header, payload });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sidetone_media::video::Kind;

    use super::*;

    #[test]
    fn behind_a_packet_of_sound_pictures_fill_its_gap_and_wait_for_the_next() {
        let (port, pictures) = port();
        port.set_active(Track::Camera, true);
        port.push(Track::Camera, Kind::Key, 0, &vec![0; 100_000].into());
        let beat = |at_us| {
            Some(Beat { at: pictures.inner.origin + std::time::Duration::from_micros(at_us), after_us: 20_000 })
        };
        // A gap holds less than two packets of a path that is thought to bear 800 kbit/s.
        let due = |now_us, beat| {
            let mut leaving = Vec::new();
            let due = pictures.due(now_us, &mut leaving, beat);
            (leaving.len(), due.follows_sound)
        };
        let first = due(1_000_000, beat(1_000_000));
        assert_eq!((first.0, due(1_010_000, None).0), (1, 1));
        assert_eq!(due(1_018_000, None), (0, true));
        assert_eq!(due(1_021_000, None), (0, true), "sound is late");
        assert_eq!(due(1_022_000, beat(1_022_000)).0, 1);
        // Nobody speaks any more.
        assert!(!due(9_000_000, None).1);
    }
}
