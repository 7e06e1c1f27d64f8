//! How much a session or an address behaves as a machine does: from times and counts alone.
//!
//! Everything that people do now and then and machines do all the time adds to a heat that cools by itself. An address is
//! heated four times less than a session, for several people may be behind it.

use std::collections::BTreeMap;

use crate::Now;
use crate::bus::{Suspicion, Tag};

/// Time in which one degree cools off.
const COOL_MS: u64 = 10_000;
/// From here on a search costs 16 bits of work, then 20, then it meets suspects only, then it is refused.
const LIGHT: u64 = 12;
const HEAVY: u64 = 24;
const SHADOW: u64 = 40;
const BARRED: u64 = 80;
/// The first refusal of a day lasts this long, and every later one.
const FIRST_MS: u64 = 3_600_000;
const AGAIN_MS: u64 = 86_400_000;
/// A session's heat counts this much less for its address.
const SHARED: u64 = 4;
/// Sessions and addresses that are remembered; the coldest are forgotten first.
const KNOWN: usize = 100_000;

/// What adds heat, in degrees.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// A search.
    Sought,
    /// A match that was declined, not answered, or left at once.
    Wasted,
    /// Another one complained.
    Complained,
}

impl Act {
    fn degrees(self) -> u64 {
        match self {
            Self::Sought | Self::Wasted => 1,
            Self::Complained => 10,
        }
    }
}

#[derive(Default)]
struct Heat {
    /// When it is cold again, if nothing more happens.
    cold_ms: u64,
    barred_ms: u64,
    times: u32,
}

/// Everybody's heat. Addresses are here under keys of the day, so that tomorrow they are others.
#[derive(Default)]
pub(super) struct Heats {
    known: BTreeMap<Tag, Heat>,
}

impl Heats {
    /// Something happened at a session and its address.
    pub(super) fn add(&mut self, now: Now, session: Tag, from: Tag, act: Act) {
        self.heat(now, session, act.degrees() * COOL_MS);
        self.heat(now, from, act.degrees() * COOL_MS / SHARED);
    }

    /// A session and its address were left at once: the search that led there was not their doing.
    pub(super) fn forgive(&mut self, now: Now, session: Tag, from: Tag) {
        for (whom, by_ms) in [(session, COOL_MS), (from, COOL_MS / SHARED)] {
            if let Some(heat) = self.known.get_mut(&whom).filter(|heat| heat.barred_ms <= now.ticks_ms) {
                heat.cold_ms = heat.cold_ms.saturating_sub(by_ms);
            }
        }
    }

    fn heat(&mut self, now: Now, whom: Tag, by_ms: u64) {
        if self.known.len() >= KNOWN && !self.known.contains_key(&whom) {
            self.sweep(now);
            if self.known.len() >= KNOWN
                && let Some(coldest) = self.known.iter().min_by_key(|(_, heat)| heat.cold_ms).map(|(tag, _)| *tag)
            {
                self.known.remove(&coldest);
            }
        }
        let heat = self.known.entry(whom).or_default();
        if heat.barred_ms > now.ticks_ms {
            return;
        }
        heat.cold_ms = heat.cold_ms.max(now.ticks_ms) + by_ms;
        if heat.degrees(now) >= BARRED {
            heat.barred_ms = now.ticks_ms + if heat.times == 0 { FIRST_MS } else { AGAIN_MS };
            heat.times += 1;
            // What comes after is judged anew, though not from the beginning.
            heat.cold_ms = heat.barred_ms + LIGHT * COOL_MS;
        }
    }

    /// What follows for a session at an address.
    pub(super) fn suspicion(&self, now: Now, session: Tag, from: Tag) -> Suspicion {
        let one = |whom: Tag| self.known.get(&whom).map(|heat| heat.suspicion(now)).unwrap_or_default();
        let (us, there) = (one(session), one(from));
        Suspicion {
            bits: us.bits.max(there.bits),
            shadow: us.shadow || there.shadow,
            barred_ms: us.barred_ms.max(there.barred_ms),
        }
    }

    /// Forgets who is cold.
    pub(super) fn sweep(&mut self, now: Now) {
        self.known.retain(|_, heat| heat.cold_ms > now.ticks_ms);
    }

    /// How many are slowed, in the shadow, barred.
    pub(super) fn counts(&self, now: Now) -> [u64; 3] {
        let mut counts = [0; 3];
        for heat in self.known.values() {
            let of = heat.suspicion(now);
            let all =
                [of.bits > 0 && !of.shadow && of.barred_ms == 0, of.shadow && of.barred_ms == 0, of.barred_ms > 0];
            counts.iter_mut().zip(all).for_each(|(count, is)| *count += u64::from(is));
        }
        counts
    }
}

impl Heat {
    fn degrees(&self, now: Now) -> u64 {
        self.cold_ms.saturating_sub(now.ticks_ms) / COOL_MS
    }

    fn suspicion(&self, now: Now) -> Suspicion {
        let degrees = self.degrees(now);
        let bits = match degrees {
            0..LIGHT => 0,
            LIGHT..HEAVY => 16,
            HEAVY.. => 20,
        };
        Suspicion { bits, shadow: degrees >= SHADOW, barred_ms: self.barred_ms.saturating_sub(now.ticks_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now { ticks_ms: ms, unix_ms: ms }
    }

    #[test]
    fn who_searches_as_people_do_is_never_troubled() {
        let mut heats = Heats::default();
        for search in 0..1_000 {
            let now = at(search * 20_000);
            heats.add(now, [1; 16], [2; 16], Act::Sought);
            assert_eq!(heats.suspicion(now, [1; 16], [2; 16]), Suspicion::default());
        }
    }

    #[test]
    fn who_searches_as_machines_do_works_then_meets_its_like_then_is_refused() {
        let mut heats = Heats::default();
        let (mut seen, mut now) = (Vec::new(), at(0));
        while seen.last().is_none_or(|last: &Suspicion| last.barred_ms == 0) {
            now.ticks_ms += 2_000;
            heats.add(now, [1; 16], [2; 16], Act::Sought);
            heats.add(now, [1; 16], [2; 16], Act::Wasted);
            seen.push(heats.suspicion(now, [1; 16], [2; 16]));
        }
        seen.dedup_by_key(|one| (one.bits, one.shadow, one.barred_ms > 0));
        let steps: Vec<_> = seen.iter().map(|one| (one.bits, one.shadow, one.barred_ms)).collect();
        assert_eq!(steps, [(0, false, 0), (16, false, 0), (20, false, 0), (20, true, 0), (20, true, FIRST_MS)]);
        assert!(now.ticks_ms < 120_000, "within two minutes");
        let next = at(now.ticks_ms + FIRST_MS);
        assert_eq!(heats.suspicion(next, [1; 16], [2; 16]).barred_ms, 0);
        for _ in 0..BARRED {
            heats.add(next, [1; 16], [2; 16], Act::Sought);
        }
        assert!(heats.suspicion(next, [1; 16], [2; 16]).barred_ms > FIRST_MS, "the second time it is a day");
    }

    #[test]
    fn new_sessions_do_not_cool_an_address() {
        let mut heats = Heats::default();
        let mut now = at(0);
        for session in 0..600_u64 {
            now.ticks_ms += 1_000;
            let mut tag = [0; 16];
            tag[..8].copy_from_slice(&session.to_be_bytes());
            heats.add(now, tag, [2; 16], Act::Sought);
            heats.add(now, tag, [2; 16], Act::Wasted);
        }
        assert!(heats.suspicion(now, [9; 16], [2; 16]).barred_ms > 0);
        assert_eq!(heats.suspicion(now, [9; 16], [3; 16]), Suspicion::default(), "and another one's is its own");
    }

    #[test]
    fn everybody_who_is_known_fits_into_a_bounded_memory() {
        let mut heats = Heats::default();
        for whom in 0..KNOWN as u64 {
            heats.known.insert((u128::from(whom) << 64).to_be_bytes(), Heat { cold_ms: whom + 50, ..Heat::default() });
        }
        heats.heat(at(0), [0xff; 16], 200_000);
        assert!(heats.known.len() <= KNOWN && heats.known.contains_key(&[0xff; 16]));
        heats.sweep(at(2_000_000));
        assert!(heats.known.is_empty());
    }
}
