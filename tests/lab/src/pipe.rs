//! One direction of a link, without clock or device: packets in, packets out when they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{Queue, Shape};

/// Bytes on the wire and in the queue together; what comes on top is dropped, so that a flood cannot take the memory.
const MOST_BYTES: usize = 256 << 20;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way.
    Passes,
    /// It is on its way twice.
    Doubled,
    /// It is on its way and will let others pass.
    Late,
    /// It was lost on the way or in an outage.
    Lost,
    /// The queue was full.
    Overflowed,
}

/// One direction of a link. Times count from when the link was made.
#[derive(Debug)]
pub struct Pipe {
    shape: Shape,
    chance: ChaCha8Rng,
    /// When the limited rate has sent what it took.
    free: Duration,
    /// When the last packet in order arrives.
    last: Duration,
    flying: BinaryHeap<Reverse<(Duration, u64, Vec<u8>)>>,
    flying_bytes: usize,
    count: u64,
}

impl Pipe {
    /// An empty pipe; `seed` decides every chance.
    #[must_use]
    pub fn new(shape: Shape, seed: u64) -> Self {
        Self {
            shape,
            chance: ChaCha8Rng::seed_from_u64(seed),
            free: Duration::ZERO,
            last: Duration::ZERO,
            flying: BinaryHeap::new(),
            flying_bytes: 0,
            count: 0,
        }
    }

    /// A packet enters.
    pub fn push(&mut self, now: Duration, packet: &[u8]) -> Fate {
        // Each packet takes the same number of chances, whatever becomes of those before it.
        let [lost, late, doubled] =
            [self.shape.loss, self.shape.reorder, self.shape.duplicate].map(|share| self.unit() < share);
        let jitter = self.shape.jitter.mul_f64(self.unit());
        let Some(sent) = self.transmit(now, packet.len()) else { return Fate::Overflowed };
        if lost || self.is_out(now) {
            return Fate::Lost;
        }
        if self.flying_bytes + 2 * packet.len() > MOST_BYTES {
            return Fate::Overflowed;
        }
        let in_order = (sent + self.shape.delay + jitter).max(self.last);
        if late {
            self.fly(in_order + self.shape.reorder_by, packet);
            return Fate::Late;
        }
        self.last = in_order;
        self.fly(in_order, packet);
        if !doubled {
            return Fate::Passes;
        }
        self.fly(in_order, packet);
        Fate::Doubled
    }

    /// The next packet that has arrived.
    pub fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.due()? > now {
            return None;
        }
        let Reverse((_, _, packet)) = self.flying.pop()?;
        self.flying_bytes -= packet.len();
        Some(packet)
    }

    /// How long a packet that enters now waits for its turn.
    #[must_use]
    pub fn waits(&self, now: Duration) -> Duration {
        self.free.saturating_sub(now)
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.flying.peek().map(|Reverse((due, _, _))| *due)
    }

    /// When a packet that enters now has left the queue and the sender; `None` if it does not fit.
    fn transmit(&mut self, now: Duration, length: usize) -> Option<Duration> {
        let Some(rate) = self.shape.rate_at(now).filter(|rate| *rate > 0) else { return Some(now) };
        let takes = |bytes: u64| Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        let waits = self.free.saturating_sub(now);
        let room = match self.shape.queue {
            Queue::Time(most) => most,
            Queue::Bytes(most) => takes(most),
        };
        if waits > room {
            return None;
        }
        self.free = self.free.max(now) + takes(length as u64);
        Some(self.free)
    }

    fn is_out(&self, now: Duration) -> bool {
        self.shape.outages.iter().any(|outage| now >= outage.begins && now < outage.begins + outage.lasts)
    }

    fn fly(&mut self, due: Duration, packet: &[u8]) {
        self.count += 1;
        self.flying_bytes += packet.len();
        self.flying.push(Reverse((due, self.count, packet.to_vec())));
    }

    /// Evenly spread over 0 to 1, without 1.
    fn unit(&mut self) -> f64 {
        (self.chance.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends packets of a kilobyte, one every millisecond, and says when each arrived, by its number.
    fn arrivals(shape: &str, seed: u64, packets: u32) -> (Vec<(u32, Duration)>, Vec<Fate>) {
        let mut pipe = Pipe::new(shape.parse().unwrap(), seed);
        let (mut arrived, mut fates) = (Vec::new(), Vec::new());
        for number in 0..packets {
            let mut packet = vec![0; 1000];
            packet[..4].copy_from_slice(&number.to_be_bytes());
            fates.push(pipe.push(number * MS, &packet));
        }
        while let Some(due) = pipe.due() {
            assert_eq!(pipe.pop(due - Duration::from_nanos(1)), None);
            let packet = pipe.pop(due).unwrap();
            arrived.push((u32::from_be_bytes(packet[..4].try_into().unwrap()), due));
        }
        (arrived, fates)
    }

    #[test]
    fn a_plain_pipe_only_delays() {
        let (arrived, fates) = arrivals("delay=20ms", 1, 100);
        assert!(fates.iter().all(|fate| *fate == Fate::Passes));
        let expected: Vec<_> = (0..100).map(|number| (number, (number + 20) * MS)).collect();
        assert_eq!(arrived, expected);
    }

    #[test]
    fn loss_doubles_and_lateness_happen_as_often_as_asked_and_by_the_seed_alone() {
        let shape = "delay=20ms jitter=5ms loss=10% reorder=5% duplicate=3%";
        let (arrived, fates) = arrivals(shape, 7, 20_000);
        assert_eq!((arrived.clone(), fates.clone()), arrivals(shape, 7, 20_000));
        assert_ne!(arrived, arrivals(shape, 8, 20_000).0);
        let share = |fate| fates.iter().filter(|one| **one == fate).count() as f64 / 20_000.0;
        assert!((share(Fate::Lost) - 0.1).abs() < 0.01);
        assert!((share(Fate::Late) - 0.045).abs() < 0.01);
        assert!((share(Fate::Doubled) - 0.026).abs() < 0.01);
        let takes = |&(number, due): &(u32, Duration)| due - number * MS;
        assert!(arrived.iter().all(|one| takes(one) >= 20 * MS && takes(one) <= 36 * MS));
        assert!(arrived.windows(2).any(|two| two[0].0 > two[1].0));
    }

    #[test]
    fn jitter_alone_keeps_the_order() {
        let (arrived, _) = arrivals("delay=20ms jitter=15ms", 3, 1000);
        assert!(arrived.windows(2).all(|two| two[0].0 < two[1].0));
        assert!(arrived.iter().any(|(number, due)| *due - *number * MS > 30 * MS));
    }

    #[test]
    fn a_limited_rate_holds_its_rate_and_drops_what_its_queue_cannot_hold() {
        // 8 Mbit/s come, 4 pass: half is dropped once the queue is full, and what passes waits as long as the queue is.
        let (arrived, fates) = arrivals("rate=4mbit queue=50ms", 1, 4000);
        let dropped = fates.iter().filter(|fate| **fate == Fate::Overflowed).count();
        assert!((1940..=2000).contains(&dropped), "{dropped}");
        assert!(arrived.windows(2).all(|two| two[1].1 - two[0].1 >= 2 * MS));
        let most = arrived.iter().map(|(number, due)| *due - *number * MS).max().unwrap();
        assert!(most > 48 * MS && most <= 52 * MS, "{most:?}");
    }

    #[test]
    fn nothing_passes_in_an_outage() {
        let (arrived, _) = arrivals("delay=1ms outage=100ms+50ms", 1, 300);
        let missing: Vec<u32> = (0..300).filter(|number| !arrived.iter().any(|one| one.0 == *number)).collect();
        assert_eq!(missing, (100..150).collect::<Vec<_>>());
    }
}
