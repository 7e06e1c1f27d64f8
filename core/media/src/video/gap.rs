//! The gaps between packets of sound, through which pictures go.

use super::packet::PAYLOAD_BYTES;
use super::send::{OVERHEAD, Room};
use super::uplink::PREFIX_BYTES;

/// Sound leaves once in so long, or in two or three times that where a path is weak.
const BEAT_US: u64 = 20_000;
const BEATS: u64 = 3;
/// How late a packet of sound may be before it is taken for one that does not come, and in silence.
const PATIENCE_US: u64 = 5_000;
const SILENT_US: u64 = 300;
/// For so long after a packet of sound the next may come at its beat: silence is told every 400 ms.
const LASTS_US: u64 = 1_500_000;
/// For how long a packet of a picture may still be on its way when sound leaves: to fill every gap to its end would make crumbs.
const OVER_US: u64 = 600;
/// What a packet of sound takes on the wire.
const SOUND_BYTES: u64 = 74 + OVERHEAD as u64;
/// What the largest packet of a picture takes there.
const LARGEST_BYTES: u64 = (PAYLOAD_BYTES + PREFIX_BYTES + OVERHEAD) as u64;
/// A gap that holds less holds hardly more than headers.
const LEAST_BYTES: u64 = 400;

/// How far the slowest part of a path is with what has left, and when the next packet of sound wants it.
///
/// A packet of a picture that is on a slow wire when a packet of sound comes makes it wait, 6 ms on 1.5 Mbit/s, and a few of
/// them longer than a listener's buffer is. Sound leaves in a steady beat, so pictures leave right behind it, no more of them
/// than have passed before the next.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    sound_us: Option<u64>,
    every_us: u64,
    /// When what has left has passed.
    passed_us: u64,
}

impl Gaps {
    /// A packet of sound left, so long after the one before; the path bears so much.
    pub fn sound(&mut self, at_us: u64, after_us: u64, path_bps: u64) {
        let beats = after_us.saturating_add(BEAT_US / 2) / BEAT_US;
        // After silence it is what it was before.
        if (1..=BEATS).contains(&beats) {
            self.every_us = beats * BEAT_US;
        } else if self.every_us == 0 {
            self.every_us = BEAT_US;
        }
        self.sound_us = Some(at_us);
        self.left(at_us, SOUND_BYTES, path_bps);
    }

    /// A packet of so many bytes left.
    pub fn left(&mut self, at_us: u64, bytes: u64, path_bps: u64) {
        self.passed_us = self.passed_us.max(at_us) + time_us(bytes, path_bps);
    }

    /// What sound takes of the path, in bits a second.
    pub fn sound_bps(&self) -> u64 {
        (SOUND_BYTES * 8_000_000).checked_div(self.every_us).unwrap_or(0)
    }

    /// Whether sound may come.
    pub fn is_beating(&self, now_us: u64) -> bool {
        self.due_us(now_us).is_some()
    }

    /// When the next packet of sound may come, and from when on it is not waited for; none while there is no sound.
    fn due_us(&self, now_us: u64) -> Option<(u64, u64)> {
        let sound_us = self.sound_us.filter(|sound_us| now_us < sound_us + LASTS_US)?;
        let due_us = sound_us + self.every_us;
        if now_us < due_us + PATIENCE_US {
            return Some((due_us, due_us + PATIENCE_US));
        }
        // Whoever is silent speaks again at any beat.
        let missed = now_us.saturating_sub(sound_us + SILENT_US) / self.every_us.max(BEAT_US);
        let due_us = sound_us + (missed + 1) * self.every_us;
        Some((due_us, due_us + SILENT_US))
    }

    /// What there is room for.
    pub fn room(&self, now_us: u64, path_bps: u64) -> Room {
        let Some((due_us, _)) = self.due_us(now_us) else { return Room::ANY };
        let (end_us, whole) = (due_us + OVER_US, self.whole(path_bps));
        // What fits into no gap follows sound alone once all before it has passed: where none does, anything.
        let alone = now_us < end_us && self.passed_us <= now_us + time_us(SOUND_BYTES, path_bps);
        if alone && whole < LEAST_BYTES {
            return Room::ANY;
        }
        Room { left: bytes(end_us.saturating_sub(self.passed_us.max(now_us)), path_bps), whole, alone }
    }

    /// Packets that may leave at once: a gap's.
    pub fn at_once(&self, now_us: u64, path_bps: u64) -> u64 {
        if self.is_beating(now_us) { self.whole(path_bps).div_ceil(LARGEST_BYTES) } else { 0 }
    }

    /// When there is more room, if no sound leaves before.
    pub fn opens_us(&self, now_us: u64) -> u64 {
        self.due_us(now_us).map_or(now_us, |(_, opens_us)| opens_us)
    }

    /// Bytes of pictures in a gap.
    fn whole(&self, path_bps: u64) -> u64 {
        bytes(self.every_us, path_bps).saturating_sub(SOUND_BYTES)
    }
}

fn time_us(bytes: u64, path_bps: u64) -> u64 {
    bytes * 8_000_000 / path_bps.max(1)
}

fn bytes(time_us: u64, path_bps: u64) -> u64 {
    u64::try_from(u128::from(time_us) * u128::from(path_bps) / 8_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH_BPS: u64 = 1_500_000;

    #[test]
    fn pictures_leave_behind_sound_as_far_as_they_have_passed_before_the_next() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.room(0, PATH_BPS), Room::ANY, "nobody speaks");
        gaps.sound(0, BEAT_US, PATH_BPS);
        let first = gaps.room(0, PATH_BPS);
        assert!((first.whole..first.whole + 200).contains(&first.left), "{first:?}");
        gaps.left(0, first.left, PATH_BPS);
        assert!(gaps.room(0, PATH_BPS).left < 2 && gaps.room(10_000, PATH_BPS).left < 2);
        assert_eq!(gaps.opens_us(10_000), BEAT_US + PATIENCE_US);
        // Sound may be late, and nothing goes before it.
        assert_eq!(gaps.room(BEAT_US + PATIENCE_US - 1, PATH_BPS).left, 0);
        gaps.sound(BEAT_US, BEAT_US, PATH_BPS);
        assert!(gaps.room(BEAT_US, PATH_BPS).left > first.left - 200);
        // Half a gap later there is half the room.
        let half = gaps.room(BEAT_US + BEAT_US / 2, PATH_BPS).left;
        assert!((first.left / 2..first.left * 6 / 10).contains(&half), "{half} of {}", first.left);
        // Sound that does not come is waited for once, and hardly in the silence after it.
        assert!(gaps.room(2 * BEAT_US + PATIENCE_US, PATH_BPS).left > first.left * 7 / 10);
        assert!(gaps.room(9 * BEAT_US + SILENT_US, PATH_BPS).left > first.whole);
        assert!(gaps.room(10 * BEAT_US - 1_000, PATH_BPS).left < 400);
        assert_eq!(gaps.opens_us(10 * BEAT_US), 10 * BEAT_US + SILENT_US);
        assert_eq!(gaps.room(BEAT_US + LASTS_US, PATH_BPS), Room::ANY);
    }

    #[test]
    fn sound_of_a_weak_path_leaves_longer_gaps_and_silence_does_not_change_them() {
        let mut gaps = Gaps::default();
        gaps.sound(0, 3 * BEAT_US + 900, PATH_BPS);
        assert_eq!(gaps.opens_us(1), 3 * BEAT_US + PATIENCE_US);
        gaps.sound(400_000, 400_000, PATH_BPS);
        assert_eq!(gaps.opens_us(400_000), 400_000 + 3 * BEAT_US + PATIENCE_US);
        gaps.sound(u64::MAX / 2, u64::MAX, PATH_BPS);
        gaps.sound(u64::MAX / 2, 0, PATH_BPS);
        assert!(gaps.is_beating(u64::MAX / 2));
    }

    #[test]
    fn where_no_packet_fits_into_a_gap_one_alone_goes_once_all_before_has_passed() {
        let (mut gaps, path_bps) = (Gaps::default(), 150_000);
        gaps.sound(0, BEAT_US, path_bps);
        assert_eq!(gaps.room(0, path_bps), Room::ANY);
        gaps.left(0, LARGEST_BYTES, path_bps);
        let mut others = Vec::new();
        for beat in 1..10 {
            gaps.sound(beat * BEAT_US, BEAT_US, path_bps);
            others.push(gaps.room(beat * BEAT_US, path_bps).left);
        }
        // It takes 65 ms and each packet of sound 7: what has left by the sixth has passed before the seventh.
        assert_eq!(others.iter().take_while(|left| **left < LEAST_BYTES).count(), 5, "{others:?}");
    }
}
