//! What the slowest part of a path bears, by how far it pulls packets apart that left together.

use std::collections::VecDeque;

use super::burst::trains;
use super::estimate::Fate;

/// Trains that are remembered, and how many of them say something.
const TRAINS: usize = 100;
const ENOUGH: usize = 16;
/// What must have come behind the first packet of a train.
const LEAST_BYTES: u64 = 900;
/// How unlike the middle half of them may be: where times are uneven for other reasons they say nothing.
const ALIKE: f64 = 0.15;

/// Remembers how fast the last packet trains passed (RFC 5136, section 2.4), and needs no queue to know it.
#[derive(Debug, Default)]
pub(super) struct Spread {
    seen: VecDeque<f64>,
}

impl Spread {
    /// What became of packets, in the order they left.
    pub fn look(&mut self, fates: &[Fate]) {
        for (train, spread_us) in trains(fates) {
            let bytes: u64 = train.iter().skip(1).map(|fate| u64::from(fate.bytes)).sum();
            if bytes >= LEAST_BYTES && spread_us > 0 {
                self.seen.push_back(bytes as f64 * 8e6 / spread_us as f64);
            }
        }
        while self.seen.len() > TRAINS {
            self.seen.pop_front();
        }
    }

    /// What the path bears in all, in bits a second, where trains say so with one voice.
    pub fn bps(&self) -> Option<f64> {
        let mut seen: Vec<f64> = self.seen.iter().copied().collect();
        seen.sort_by(f64::total_cmp);
        let part = |quarter: usize| seen.get(seen.len() * quarter / 4).copied();
        let (low, middle, high) = (part(1)?, part(2)?, part(3)?);
        (seen.len() >= ENOUGH && high - low <= ALIKE * middle).then_some(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trains of three packets of 1,200 bytes over a path that bears so much, each late by what `late_us` says.
    fn send(spread: &mut Spread, trains: u64, bps: u64, late_us: impl Fn(u64) -> u64) {
        for train in 0..trains {
            let fate = |index| {
                let (number, sent_us) = (3 * train + index, train * 20_000);
                let arrived_us = 7_000_000 + sent_us + (index + 1) * 9_600_000_000 / bps + late_us(number);
                Fate { number, sent_us, arrived_us: Some(arrived_us), bytes: 1_200 }
            };
            spread.look(&[fate(0), fate(1), fate(2)]);
        }
    }

    #[test]
    fn packets_that_left_together_tell_what_the_path_bears_and_soon_what_another_does() {
        let mut spread = Spread::default();
        send(&mut spread, ENOUGH as u64 - 1, 1_500_000, |_| 0);
        assert_eq!(spread.bps(), None, "too few to say");
        send(&mut spread, 1, 1_500_000, |_| 0);
        assert_eq!(spread.bps(), Some(1_500_000.0));
        send(&mut spread, TRAINS as u64, 3_000_000, |_| 0);
        assert_eq!(spread.bps(), Some(3_000_000.0));
    }

    #[test]
    fn where_times_are_uneven_for_other_reasons_they_say_nothing() {
        let mut spread = Spread::default();
        send(&mut spread, 200, 1_500_000, |number| number * 7_919 % 10_007);
        assert_eq!(spread.bps(), None);
        // One that is late now and then changes nothing.
        let mut spread = Spread::default();
        send(&mut spread, 200, 1_500_000, |number| if number % 15 == 2 { 9_000 } else { 0 });
        assert_eq!(spread.bps(), Some(1_500_000.0));
    }

    #[test]
    fn what_a_peer_says_of_times_cannot_overflow() {
        let mut spread = Spread::default();
        for arrivals in [[0, u64::MAX], [u64::MAX, 0], [5, 5]] {
            for _ in 0..TRAINS {
                let fate =
                    |(number, at): (u64, u64)| Fate { number, sent_us: 0, arrived_us: Some(at), bytes: u32::MAX };
                let fates: Vec<_> = (0..).zip(arrivals).map(fate).collect();
                spread.look(&fates);
            }
            assert!(spread.bps().is_none_or(f64::is_finite) && spread.seen.len() <= TRAINS);
        }
    }
}
