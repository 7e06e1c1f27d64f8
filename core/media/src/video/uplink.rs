//! The sending end of all pictures on one link: frames in, packets out as fast as the path bears, reports in.

use std::collections::VecDeque;

use bytes::Bytes;

use super::burst::Burst;
use super::estimate::{Estimator, FULL_SPACED, Fate};
use super::frame::Kind;
use super::gap::Gaps;
use super::probe::Probe;
use super::report::{Report, Track};
use super::send::{OVERHEAD, Pushed, Room, Sender, SenderStats};

/// Packets whose fate may still be told.
const REMEMBERED: usize = 4_096;
/// Beyond a round trip, so much may be on its way: what is more waits in a queue of somebody else's.
const SLACK_US: u64 = 120_000;
/// Over which the shortest round trip counts.
const WINDOW_US: u64 = 10_000_000;
/// A receiver that told nothing for so long may not be there; one packet in so long finds out.
const SILENCE_US: u64 = 500_000;
/// What was learned of a path on which nothing was sent for so long may not hold any more.
const RESTED_US: u64 = 10_000_000;
/// The first byte of a packet that carries nothing but its own weight.
pub(super) const FILLER: u8 = 0x40;
/// Its length: what the largest packets have, or less if there is less room, and at least.
const FILLER_BYTES: usize = super::packet::PAYLOAD_BYTES;
const LEAST_FILLER: usize = 200;
/// The track and the number in it, in front of each part of a frame.
pub(super) const PREFIX_BYTES: usize = 3;
/// What the last, half empty packets of thirty frames a second take.
const FRAME_BPS: u64 = 16_000;
/// What one packet more in each gap takes.
const GAP_BPS: u64 = 24_000;
/// So much of a queue may be left when a frame comes; a quarter less is made where so much more is.
const LEFT_US: (u64, u64) = (15_000, 75_000);
/// A screen with writing on it matters more than a face: its part of the target, in quarters.
const SCREEN_QUARTERS: u64 = 3;

/// A packet to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number on the link: the RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp of its frame, 90 kHz.
    pub timestamp: u32,
    /// The last one of its frame: the RTP marker.
    pub last: bool,
    /// Track, number in the track, descriptor and part of the sealed frame.
    pub payload: Bytes,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    at_us: u64,
    bytes: u32,
    told: bool,
}

/// Both tracks towards one peer.
///
/// One congestion controller decides for both; a track that sends nothing leaves its part to the other.
pub struct Uplink<E> {
    tracks: [Sender; 2],
    active: [bool; 2],
    estimator: E,
    sent: VecDeque<Sent>,
    /// Bytes sent of which nothing was told yet.
    open: u64,
    next: u64,
    /// The first packet since the path became another one.
    moved: u64,
    round_trip_us: Option<u64>,
    /// The shortest of this window and the last: the path without a queue.
    shortest: [Option<u64>; 2],
    window_us: u64,
    /// When the receiver last told something, or when we began to wait for it.
    heard_us: Option<u64>,
    tried_us: u64,
    limit_bps: u64,
    /// What is sent of nothing while there is no picture to send, to see what the path bears.
    filler_bps: u64,
    probe: Probe,
    burst: Burst,
    gaps: Gaps,
    /// Whether they were used lately.
    spaced: bool,
    /// When what has left so far would have, one after the other at the pace of fillers.
    paced_us: u64,
}

impl<E: Estimator> Uplink<E> {
    /// Nothing was sent yet; the first packet has number `sequence`.
    pub fn new(estimator: E, sequence: u16) -> Self {
        let target = estimator.target_bps();
        Self {
            tracks: [Sender::new(target, sequence), Sender::new(target, sequence)],
            active: [false; 2],
            estimator,
            sent: VecDeque::new(),
            open: 0,
            next: u64::from(sequence),
            moved: 0,
            round_trip_us: None,
            shortest: [None; 2],
            window_us: 0,
            heard_us: None,
            tried_us: 0,
            limit_bps: u64::MAX,
            filler_bps: 0,
            probe: Probe::default(),
            burst: Burst::new(),
            gaps: Gaps::default(),
            spaced: false,
            paced_us: 0,
        }
    }

    /// Whether a track is sent: two share what the path bears.
    pub fn set_active(&mut self, track: Track, active: bool) {
        self.active[track as usize] = active;
        self.share();
    }

    /// Takes no more than this of the path, in bits a second.
    pub fn set_limit_bps(&mut self, limit_bps: u64) {
        self.limit_bps = limit_bps.max(1);
        self.share();
    }

    /// While no picture waits, sends so many bits a second of nothing, or as many as the target allows: what a path bears is
    /// only known of one that is used. 0 for none.
    pub fn set_filler_bps(&mut self, filler_bps: u64) {
        self.filler_bps = filler_bps;
    }

    /// Nobody shows anything any more: frames that wait are dropped, what was set holds no longer, and counts begin anew. What is
    /// known of the path stays.
    pub fn rest(&mut self) {
        self.active = [false; 2];
        (self.limit_bps, self.filler_bps) = (u64::MAX, 0);
        self.tracks.iter_mut().for_each(Sender::rest);
        self.share();
    }

    /// What the path bears for both tracks, in bits a second.
    pub fn target_bps(&self) -> u64 {
        self.estimator.target_bps().min(self.limit_bps)
    }

    /// What an encoder of this track should make, in bits a second: its part of the target without what packets add.
    /// Less while its frames wait.
    pub fn encoder_bps(&self, track: Track) -> u64 {
        let behind_us = self.tracks[track as usize].left_us().saturating_sub(LEFT_US.0).min(LEFT_US.1);
        self.made_bps(track, behind_us)
    }

    /// The same, whether frames wait or not: what of the path there is for pictures of this track.
    pub fn picture_bps(&self, track: Track) -> u64 {
        self.made_bps(track, 0)
    }

    fn made_bps(&self, track: Track, behind_us: u64) -> u64 {
        let share = self.share_bps(track);
        // A thin path has no room for one packet more in each gap anyway.
        let frames = if self.spaced { FRAME_BPS + GAP_BPS.min(share / 12) } else { FRAME_BPS };
        let share = share - share * behind_us / (4 * LEFT_US.1);
        (share / 16 * 15).saturating_sub(frames).max(share / 2)
    }

    fn share_bps(&self, track: Track) -> u64 {
        let target = self.target_bps();
        match (self.active, track) {
            ([true, true], Track::Screen) => target / 4 * SCREEN_QUARTERS,
            ([true, true], Track::Camera) => target / 4 * (4 - SCREEN_QUARTERS),
            _ => target,
        }
    }

    /// The round-trip time the last report showed.
    pub fn round_trip_us(&self) -> Option<u64> {
        self.round_trip_us
    }

    /// How long a track's queue would take at its part of the target.
    pub fn queue_us(&self, track: Track) -> u64 {
        self.tracks[track as usize].queue_us()
    }

    /// What was counted of a track.
    pub fn stats(&self, track: Track) -> SenderStats {
        self.tracks[track as usize].stats()
    }

    /// A packet of sound left on the same link, so long after the one before: while somebody speaks, pictures leave between
    /// one and the next.
    pub fn sound(&mut self, at_us: u64, after_us: u64) {
        self.gaps.sound(at_us, after_us, self.path_bps());
    }

    /// Whether what waits waits for sound to leave.
    pub fn follows_sound(&self, now_us: u64) -> bool {
        self.gaps.is_beating(now_us)
            && self.deadline_us(now_us).is_some_and(|due_us| due_us >= self.gaps.opens_us(now_us))
    }

    /// What the path bears when it is full, sound and all.
    fn path_bps(&self) -> u64 {
        (self.estimator.target_bps() as f64 / FULL_SPACED) as u64 + self.gaps.sound_bps()
    }

    /// Queues a sealed frame; see [`Sender::push`].
    pub fn push(&mut self, track: Track, kind: Kind, timestamp: u32, sealed: &Bytes) -> Pushed {
        self.tracks[track as usize].push(kind, timestamp, sealed)
    }

    fn share(&mut self) {
        for track in Track::ALL {
            let share = self.share_bps(track);
            self.tracks[track as usize].set_target_bps(share);
        }
    }

    /// The path is another one, or may be: what was learned of it is not believed any more.
    pub fn moved(&mut self) {
        self.estimator.moved();
        self.moved = self.next;
        self.probe = Probe::default();
        self.burst = Burst::new();
        self.shortest = [None; 2];
        self.share();
    }

    /// Whether as much is on its way as a path without a queue holds.
    fn is_full(&self, now_us: u64) -> bool {
        let Some(heard_us) = self.heard_us.filter(|_| self.open > 0) else { return false };
        if heard_us + SILENCE_US.max(2 * self.round_trip_us.unwrap_or(0)) <= now_us {
            return self.tried_us + SILENCE_US > now_us;
        }
        let path_us = self.shortest.iter().flatten().min().copied().unwrap_or(SLACK_US);
        let hold_us = path_us + SLACK_US;
        self.open * 8_000_000 > self.target_bps().saturating_mul(hold_us)
    }

    /// The next packet that may leave now.
    pub fn poll(&mut self, now_us: u64) -> Option<Outgoing> {
        if self.is_full(now_us) {
            return None;
        }
        let waits = self.tracks.iter().any(|track| track.deadline_us().is_some());
        if waits && self.tried_us > 0 && self.tried_us + RESTED_US <= now_us {
            self.tried_us = now_us;
            self.moved();
        }
        let room = self.gaps.room(now_us, self.path_bps());
        let at_once = self.burst.most().max(self.gaps.at_once(now_us, self.path_bps()));
        let picture = Track::ALL.into_iter().rev().find_map(|track| {
            let sender = &mut self.tracks[track as usize];
            sender.set_at_once(at_once);
            Some((track, sender.poll(now_us, room.without(PREFIX_BYTES as u64))?))
        });
        let Some((track, packet)) = picture else { return self.fill(now_us, waits, room) };
        let mut payload = Vec::with_capacity(PREFIX_BYTES + 1 + packet.part.len());
        payload.push(track as u8);
        payload.extend_from_slice(&packet.sequence.to_be_bytes());
        packet.write(&mut payload);
        Some(self.leave(now_us, packet.timestamp, packet.last, payload.into()))
    }

    fn fill(&mut self, now_us: u64, waits: bool, room: Room) -> Option<Outgoing> {
        if waits || self.filler_due_us(now_us).is_none_or(|due_us| due_us > now_us) {
            return None;
        }
        let length = FILLER_BYTES.min(usize::try_from(room.left).unwrap_or(usize::MAX).saturating_sub(OVERHEAD));
        if length < LEAST_FILLER {
            return None;
        }
        let mut payload = vec![0; length];
        payload[0] = FILLER;
        Some(self.leave(now_us, 0, false, payload.into()))
    }

    fn filler_bps(&self, now_us: u64) -> u64 {
        if self.probe.runs(now_us) { self.target_bps() } else { self.filler_bps.min(self.target_bps()) }
    }

    fn filler_due_us(&self, now_us: u64) -> Option<u64> {
        (self.filler_bps(now_us) > 0).then_some(self.paced_us)
    }

    fn leave(&mut self, now_us: u64, timestamp: u32, last: bool, payload: Bytes) -> Outgoing {
        let bytes = (payload.len() + OVERHEAD) as u32;
        self.sent.push_back(Sent { number: self.next, at_us: now_us, bytes, told: false });
        if self.open == 0 {
            self.heard_us = Some(now_us);
        }
        self.open += u64::from(bytes);
        self.gaps.left(now_us, u64::from(bytes), self.path_bps());
        self.trim();
        self.tried_us = now_us;
        let bits = u64::from(bytes) * 8_000_000;
        self.paced_us = self.paced_us.max(now_us) + bits.checked_div(self.filler_bps(now_us)).unwrap_or(0);
        let sequence = self.next as u16;
        self.next += 1;
        Outgoing { sequence, timestamp, last, payload }
    }

    /// The number of a packet that is no part of a track: it is told of by nobody and steers nothing.
    pub fn stamp(&mut self) -> u16 {
        let sequence = self.next as u16;
        self.sent.push_back(Sent { number: self.next, at_us: 0, bytes: 0, told: true });
        self.next += 1;
        self.trim();
        sequence
    }

    fn trim(&mut self) {
        while self.sent.len() > REMEMBERED || self.sent.front().is_some_and(|sent| sent.told) {
            let sent = self.sent.pop_front().filter(|sent| !sent.told);
            self.open -= sent.map_or(0, |sent| u64::from(sent.bytes));
        }
    }

    /// Takes what the receiver told; the tracks that need a key frame come back, by number.
    pub fn report(&mut self, now_us: u64, report: &Report) -> [bool; 2] {
        for track in Track::ALL {
            let again = report.again.iter().filter(|(asked, _)| *asked == track);
            let again: Vec<u16> = again.map(|(_, number)| *number).collect();
            self.tracks[track as usize].asked(now_us, &again);
        }
        let fates = self.fates(now_us, report);
        if !fates.is_empty() {
            self.heard_us = Some(now_us);
            self.spaced = self.gaps.is_beating(now_us);
            self.estimator.beside_sound(self.spaced.then(|| self.gaps.sound_bps()));
            self.estimator.reported(now_us, &fates);
            self.burst.look(now_us, &fates, self.estimator.headroom());
            if self.active.contains(&true) {
                self.probe.look(now_us, self.estimator.headroom(), self.estimator.target_bps(), self.limit_bps);
            }
            self.share();
        }
        report.keys
    }

    fn fates(&mut self, now_us: u64, report: &Report) -> Vec<Fate> {
        // Numbers are those of the newest packet sent and the 65,535 before it.
        let newest = self.next.wrapping_sub(1);
        let back = u64::from((newest as u16).wrapping_sub(report.first));
        let Some(first) = newest.checked_sub(back) else { return Vec::new() };
        let Some(oldest) = self.sent.front().map(|sent| sent.number) else { return Vec::new() };
        let mut fates = Vec::with_capacity(report.arrivals.len());
        let mut last = None;
        for (number, arrived_us) in (first..=newest).zip(&report.arrivals) {
            let place = number.checked_sub(oldest).and_then(|place| usize::try_from(place).ok());
            let Some(sent) = place.and_then(|place| self.sent.get_mut(place)) else { continue };
            if std::mem::replace(&mut sent.told, true) {
                continue;
            }
            self.open -= u64::from(sent.bytes);
            // What was under way tells of the path before.
            if number < self.moved {
                continue;
            }
            if arrived_us.is_some() {
                last = Some(sent.at_us);
            }
            let Sent { at_us: sent_us, bytes, .. } = *sent;
            fates.push(Fate { number, sent_us, arrived_us: *arrived_us, bytes });
        }
        // Reports that were lost leave packets that nobody will ever tell of.
        for sent in self.sent.iter_mut().take_while(|sent| sent.number < first).filter(|sent| !sent.told) {
            sent.told = true;
            self.open -= u64::from(sent.bytes);
        }
        self.trim();
        if let Some(sent_us) = last {
            let whole_us = now_us.saturating_sub(sent_us).saturating_sub(report.held_us);
            if self.window_us + WINDOW_US <= now_us {
                self.shortest[1] = self.shortest[0].take();
                self.window_us = now_us;
            }
            self.shortest[0] = Some(self.shortest[0].map_or(whole_us, |shortest| shortest.min(whole_us)));
            self.round_trip_us = Some(self.round_trip_us.map_or(whole_us, |before| (7 * before + whole_us) / 8));
        }
        fates
    }

    /// When [`Uplink::poll`] may have something, if no sound leaves before; none while nothing waits.
    pub fn deadline_us(&self, now_us: u64) -> Option<u64> {
        let room = self.gaps.room(now_us, self.path_bps());
        let opens_us = |fits: bool| if fits { 0 } else { self.gaps.opens_us(now_us) };
        let picture_us = |track: &Sender| {
            let room = room.without(PREFIX_BYTES as u64);
            Some(track.deadline_us()?.max(opens_us(room.fits(track.least_bytes(room.whole)?))))
        };
        let filler_us =
            || Some(self.filler_due_us(now_us)?.max(opens_us((LEAST_FILLER + OVERHEAD) as u64 <= room.left)));
        let due_us = self.tracks.iter().filter_map(picture_us).min().or_else(filler_us)?;
        if !self.is_full(now_us) {
            return Some(due_us);
        }
        let heard_us = self.heard_us.unwrap_or(now_us) + SILENCE_US.max(2 * self.round_trip_us.unwrap_or(0));
        Some(heard_us.max(self.tried_us + SILENCE_US).max(due_us))
    }
}
