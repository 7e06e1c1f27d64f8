//! The receiving end of all pictures on one link: packets in, whole frames and reports out.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::receive::{Assembled, Received, Receiver, ReceiverStats};
use super::report::{ASKED, Report, TOLD, Track};
use super::uplink::FILLER;

/// Between two reports, unless something is missing.
const EVERY_US: u64 = 50_000;
/// A packet that comes so much later than the next one counts as lost.
const OVERTAKEN_US: u64 = 40_000;
/// A number this far from the newest one belongs to another stream.
const ASTRAY: i64 = 16_384;

/// Both tracks of one peer.
///
/// Every packet begins with its track and its number there, `u8` and big-endian `u16`, so that a packet that is sent again
/// (RFC 4588) is a new one to the transport and the old one to its track.
#[derive(Debug, Default)]
pub struct Downlink {
    tracks: [Receiver; 2],
    /// What came and was not told of yet, by number on the link.
    came: BTreeMap<i64, u64>,
    newest: Option<(i64, u64)>,
    /// Whether any of it was a picture's: reports are not reported of alone.
    fresh: bool,
    /// The first number the next report tells of.
    untold: i64,
    reported_us: u64,
}

impl Downlink {
    /// Nothing was received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the payload of a packet that was sent as number `sequence` on the link.
    pub fn insert(&mut self, now_us: u64, sequence: u16, timestamp: u32, payload: &Bytes) -> Received {
        let Some(&[track, high, low]) = payload.first_chunk() else { return Received::Malformed };
        if track == FILLER {
            self.fresh |= self.passed(now_us, sequence);
            return Received::Filler;
        }
        let Some(track) = Track::read(track) else { return Received::Malformed };
        if !self.passed(now_us, sequence) {
            return Received::Astray;
        }
        self.fresh = true;
        self.tracks[track as usize].insert(now_us, u16::from_be_bytes([high, low]), timestamp, payload.slice(3..))
    }

    /// Notes that a packet came which is no part of a track; whether its number can belong to this stream.
    pub fn passed(&mut self, now_us: u64, sequence: u16) -> bool {
        let Some(number) = self.number(sequence) else { return false };
        if number >= self.untold {
            self.came.insert(number, now_us);
        }
        if self.came.len() > TOLD {
            self.came.pop_first();
        }
        if self.newest.is_none_or(|(newest, _)| number > newest) {
            self.newest = Some((number, now_us));
        }
        true
    }

    fn number(&mut self, sequence: u16) -> Option<i64> {
        let Some((newest, _)) = self.newest else {
            self.untold = i64::from(sequence);
            return Some(self.untold);
        };
        let step = i64::from(sequence.wrapping_sub(newest as u16).cast_signed());
        (step.abs() < ASTRAY).then_some(newest + step)
    }

    /// What was counted of a track.
    pub fn stats(&self, track: Track) -> ReceiverStats {
        self.tracks[track as usize].stats()
    }

    /// Nobody looks any more: counts begin anew.
    pub fn rest(&mut self) {
        self.tracks.iter_mut().for_each(Receiver::rest);
    }

    /// The link's round-trip time.
    pub fn set_round_trip_us(&mut self, round_trip_us: u64) {
        self.tracks.iter_mut().for_each(|track| track.set_round_trip_us(round_trip_us));
    }

    /// The decoder of a track needs a key frame.
    pub fn need_key(&mut self, track: Track) {
        self.tracks[track as usize].need_key();
    }

    /// The next whole frame.
    pub fn next(&mut self, now_us: u64) -> Option<(Track, Assembled)> {
        Track::ALL.into_iter().find_map(|track| Some((track, self.tracks[track as usize].next(now_us)?)))
    }

    /// What the sender should be told now.
    pub fn report(&mut self, now_us: u64) -> Option<Report> {
        let mut report = Report { at_us: now_us, ..Report::default() };
        for track in Track::ALL {
            let receiver = &mut self.tracks[track as usize];
            report.keys[track as usize] = receiver.asks_key(now_us);
            report.again.extend(receiver.asks(now_us).into_iter().map(|number| (track, number)));
        }
        report.again.truncate(ASKED);
        let urgent = report.keys.contains(&true) || !report.again.is_empty();
        let due = self.fresh && self.reported_us + EVERY_US <= now_us;
        if !urgent && !due {
            return None;
        }
        self.reported_us = now_us;
        let (newest, at_us) = self.newest?;
        report.held_us = now_us.saturating_sub(at_us);
        // A long silence is told of from where it ended: who sent so long ago knows no more what.
        let first = self.untold.max(newest + 1 - TOLD as i64);
        report.first = first as u16;
        self.untold = self.told_until(now_us, first);
        report.arrivals = (first..self.untold).map(|number| self.came.get(&number).copied()).collect();
        self.came = self.came.split_off(&self.untold);
        self.fresh = !self.came.is_empty();
        Some(report)
    }

    /// The first number of which nothing can be said yet: it did not come, but may only have been overtaken.
    fn told_until(&self, now_us: u64, first: i64) -> i64 {
        let mut expected = first;
        for (number, came_us) in self.came.range(first..) {
            if *number != expected && came_us + OVERTAKEN_US > now_us {
                return expected;
            }
            expected = number + 1;
        }
        expected
    }

    /// When [`Downlink::report`] or [`Downlink::next`] may have something though no packet came.
    pub fn deadline_us(&self) -> Option<u64> {
        let report = self.fresh.then_some(self.reported_us + EVERY_US);
        self.tracks.iter().filter_map(Receiver::deadline_us).chain(report).min()
    }
}
