//! What of a room's sound leaves: sealed once, the same bytes to every link.

use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use sidetone_crypto::sframe::Sealer;
use sidetone_engine::{Claim, SenderKey};
use sidetone_media::{Encoded, Level};

use super::super::figures::Figures;
use super::super::header::{AFTER_PAUSE, Burst, Header, is_claimed};
use super::super::voice::{self, POOL, TRACK};
use super::Member;
use crate::clock;

/// Seals and sends.
pub(super) struct Mouth {
    pub(super) sealer: Option<Sealer>,
    pub(super) members: Vec<Member>,
    pub(super) timestamp: u32,
    pub(super) next_timestamp: Option<u32>,
    pub(super) claim: Option<Claim>,
    pub(super) packets: u32,
    /// Packets that carry the claim because of a pause before them.
    pub(super) repeats: u32,
    pub(super) loss: u8,
    pub(super) plain: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) pool: BytesMut,
}

impl Mouth {
    pub(super) fn seal_with(&mut self, key: &SenderKey) {
        let sealer = Sealer::new(&key.base, key.generation, TRACK);
        // The same key once more would count its frames from 0 again.
        if self.sealer.as_ref().is_none_or(|old| old.key_id() != sealer.key_id()) {
            self.sealer = Some(sealer);
        }
    }

    pub(super) fn say(&mut self, frame: &Encoded<'_>, figures: &Figures) {
        let timestamp = self.timestamp.wrapping_add(frame.timestamp);
        let header = Header {
            end: false,
            burst: self.burst(self.next_timestamp != Some(timestamp)),
            speaking: frame.speaking,
            level: frame.level.minus_dbov(),
            loss: self.loss,
        };
        self.send(&header, timestamp, frame.bytes, figures);
        let after = timestamp.wrapping_add(960);
        self.next_timestamp = Some(after);
        let now_us = clock::micros();
        self.members.iter().for_each(|member| member.port.note_captured(now_us, after));
        voice::first(&figures.sent, &figures.first_sent_us);
    }

    /// Says that the burst is over.
    pub(super) fn end(&mut self, figures: &Figures) {
        let timestamp = self.next_timestamp.unwrap_or(self.timestamp);
        let header = Header {
            end: true,
            burst: self.burst(false),
            speaking: false,
            level: Level::SILENCE.minus_dbov(),
            loss: self.loss,
        };
        self.send(&header, timestamp, &[], figures);
    }

    /// What the next packet says of the burst. After a pause it says all: who listens may have given the speaker up.
    fn burst(&mut self, pause: bool) -> Option<Burst> {
        let claim = self.claim?;
        let packet = self.packets;
        self.packets = packet.saturating_add(1);
        self.repeats = if pause { AFTER_PAUSE } else { self.repeats.saturating_sub(1) };
        let claimed = self.repeats > 0 || is_claimed(packet);
        Some(if claimed { Burst::Claimed(claim) } else { Burst::Numbered(claim.burst) })
    }

    fn send(&mut self, header: &Header, timestamp: u32, payload: &[u8], figures: &Figures) {
        if self.members.is_empty() {
            return;
        }
        // Without a key, or with one that is used up, there is silence until the next.
        let Some(sealer) = &mut self.sealer else { return };
        self.plain.clear();
        header.write(&mut self.plain);
        self.plain.extend_from_slice(payload);
        if sealer.seal(&self.plain, &mut self.sealed).is_err() {
            return;
        }
        // The pool's memory comes back when the links have sent what lies in it.
        if self.pool.capacity() < self.sealed.len() {
            self.pool.reserve(POOL);
        }
        self.pool.extend_from_slice(&self.sealed);
        let sealed: Bytes = self.pool.split().freeze();
        let marker = self.next_timestamp != Some(timestamp);
        for member in &mut self.members {
            member.port.send(member.sequence, timestamp, marker, sealed.clone());
            member.sequence = member.sequence.wrapping_add(1);
        }
        figures.bytes_sent.fetch_add((sealed.len() * self.members.len()) as u64, Relaxed);
    }
}
