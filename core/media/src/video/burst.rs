//! How many packets may leave at once.

use super::estimate::{Fate, Headroom};

/// The most: one frame of an ordinary picture.
const MOST: u64 = 8;
/// Packets that leave at once are to pass the path in so long: what comes behind them, sound above all, waits no longer.
const TOGETHER_US: u64 = 5_000;
/// Packets that left in so long left at once.
const AT_ONCE_US: u64 = 500;
/// How long fewer leave after too many did: first, and at most; twice as long each time.
const REST_US: (u64, u64) = (2_000_000, 60_000_000);

/// Learns from how packets that left together arrive: the slowest part of a path pulls them apart (the packet trains of RFC
/// 5136). Each wake-up costs a phone about as much as a packet, so where a path passes many in a moment they leave in one; on a
/// slow path, and where there is a queue, they leave one by one.
#[derive(Debug)]
pub(super) struct Burst {
    most: u64,
    /// So many were too many.
    too_many: u64,
    /// Not more before.
    next_us: u64,
    rest_us: u64,
}

impl Burst {
    /// Two, from which something can be learned.
    pub fn new() -> Self {
        Self { most: 2, too_many: u64::MAX, next_us: 0, rest_us: 0 }
    }

    /// Packets that may leave at once.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// What became of packets, in the order they left.
    pub fn look(&mut self, now_us: u64, fates: &[Fate], headroom: Headroom) {
        if headroom == Headroom::Gone {
            return self.shrink(now_us, 2, 1);
        }
        let passed = || trains(fates).map(|(train, spread_us)| (train.len() as u64, spread_us));
        let longest = passed().map(|(count, _)| count).max().unwrap_or(0);
        let slowest = passed().max_by_key(|(count, spread_us)| spread_us / count);
        if let Some((count, spread_us)) = slowest.filter(|(_, spread_us)| *spread_us > TOGETHER_US) {
            return self.shrink(now_us, count, 1 + TOGETHER_US * (count - 1) / spread_us);
        }
        if longest >= self.too_many {
            (self.too_many, self.rest_us) = (u64::MAX, 0);
        }
        // One packet alone tells nothing.
        if self.most < MOST && self.next_us <= now_us && (self.most == 1 || longest >= self.most) {
            self.most += 1;
        }
    }

    fn shrink(&mut self, now_us: u64, too_many: u64, most: u64) {
        if most < self.most {
            (self.most, self.too_many) = (most, too_many);
            self.rest_us = (2 * self.rest_us).clamp(REST_US.0, REST_US.1);
        }
        self.next_us = now_us.saturating_add(self.rest_us);
    }
}

/// Packets that left at once, more than one, and arrived; and from the first to the last of them.
pub(super) fn trains(fates: &[Fate]) -> impl Iterator<Item = (&[Fate], u64)> {
    let together = |a: &Fate, b: &Fate| {
        b.number == a.number + 1
            && b.sent_us.saturating_sub(a.sent_us) <= AT_ONCE_US
            && a.arrived_us.is_some()
            && b.arrived_us.is_some()
    };
    fates.chunk_by(together).filter(|train| train.len() > 1).filter_map(|train| {
        let (first, last) = (train.first()?.arrived_us?, train.last()?.arrived_us?);
        Some((train, last.saturating_sub(first)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report each 50 ms of as many packets at once as may leave, on a path that takes so long for each.
    fn send(burst: &mut Burst, from_us: u64, reports: u64, each_us: u64) -> Vec<u64> {
        let report = |index: u64| {
            let now_us = from_us + index * 50_000;
            let fate = |number| Fate {
                number,
                sent_us: now_us,
                arrived_us: Some(7_000_000 + now_us + number * each_us),
                bytes: 1_200,
            };
            let fates: Vec<_> = (0..burst.most()).map(fate).collect();
            burst.look(now_us, &fates, Headroom::Some);
            burst.most()
        };
        (0..reports).map(report).collect()
    }

    #[test]
    fn a_fast_path_takes_a_frame_at_once_and_a_slow_one_packet_by_packet() {
        let mut fast = Burst::new();
        assert_eq!(send(&mut fast, 0, 20, 100).last(), Some(&MOST));
        // 6.4 ms for each: two are too many, and are tried again more and more seldom.
        let mut slow = Burst::new();
        let tried = send(&mut slow, 0, 1_200, 6_400).iter().filter(|most| **most > 1).count();
        assert!((2..=6).contains(&tried), "{tried} times in a minute");
        // 1.6 ms for each: four take 4.8.
        let mut middling = Burst::new();
        let most = send(&mut middling, 0, 1_200, 1_600);
        let wide = most.iter().filter(|most| **most > 4).count();
        assert!(wide <= 6 && most.iter().filter(|most| **most == 4).count() > 1_100, "{wide}");
    }

    #[test]
    fn a_queue_makes_packets_leave_one_by_one_for_a_while() {
        let mut burst = Burst::new();
        send(&mut burst, 0, 20, 100);
        burst.look(1_000_000, &[], Headroom::Gone);
        assert_eq!(burst.most(), 1);
        assert_eq!(send(&mut burst, 1_050_000, 30, 100).last(), Some(&1));
        assert_eq!(send(&mut burst, 3_050_000, 30, 100).last(), Some(&MOST));
    }

    #[test]
    fn what_a_peer_says_of_times_cannot_overflow() {
        let mut burst = Burst::new();
        let fate = |number, arrived_us| Fate { number, sent_us: 0, arrived_us: Some(arrived_us), bytes: 1 };
        for arrivals in [[0, u64::MAX], [u64::MAX, 0]] {
            let fates: Vec<_> = (0..).zip(arrivals).map(|(number, at)| fate(number, at)).collect();
            burst.look(u64::MAX, &fates, Headroom::Unknown);
            assert!((1..=MOST).contains(&burst.most()));
        }
    }
}
