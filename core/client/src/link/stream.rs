//! Messages on their way out over QUIC: as fast as the path carries them, or between the beats of sound.
//!
//! What was handed to QUIC cannot be held back any more, so it gets little more than what is under way anyway. While
//! sound goes out or a ceiling is set, it gets only as much as leaves before the next packet of sound does: whole packets,
//! right after each beat, more of them while packets do not wait on the path and fewer when they do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::SendStream;

use super::bulk::Ends;
use super::paths::Lane;
use super::pulse::BEAT;
use super::quic::SEND_BYTES;
use super::shared::Shared;

/// What waits here beside what is under way, at least: enough to never run dry between two wake-ups.
const LEAST_WAITING: u64 = 64 * 1024;
/// What waits here and is under way, in windows: BBR doubles its window each round trip while it looks for what the path
/// carries, and takes a sender that runs dry meanwhile for one that has nothing to send, and goes on doubling.
const WINDOWS: u64 = 4;
/// What is handed over at a time before it is looked whether sound began.
const SLICE: usize = 16 * 1024;
/// What a packet carries beside a message: headers and seal.
const PACKET_COST: usize = 50;
/// The least that goes out per beat, on average: a packet every quarter of a second.
const LEAST_PER_BEAT: f64 = 100.0;
/// The most that goes out per beat: 25 MB/s.
const MOST_PER_BEAT: f64 = 500_000.0;
/// How long packets may wait on the path, on average: half of this beat's packets wait longer, up to twice as long.
const MOST_WAIT: Duration = Duration::from_millis(4);
/// How often more goes out, and how long after a reduction none does.
const GROW_EVERY: Duration = Duration::from_millis(300);
const STAY_AFTER: Duration = Duration::from_secs(1);
const STAY_MOST: Duration = Duration::from_secs(16);
/// Near what was too much before, which is from just below what a reduction leaves of it to clearly above it, it grows in so many
/// steps to a packet.
const NEAR: (f64, f64) = (0.65, 1.2);
const NEAR_STEPS: f64 = 16.0;
/// How long a reduction takes to show.
const HEED_AFTER: Duration = Duration::from_secs(1);
/// After so many reductions that changed nothing it is tried whether packets wait for something else than what goes out here:
/// for this long only a quarter of it does.
const IN_VAIN: u8 = 2;
const TRIAL: Duration = Duration::from_secs(2);
/// They may wait so long for it: on a path whose queue others keep longer, next to nothing goes out.
const ORDINARY_MOST: Duration = Duration::from_millis(30);

/// This end's stream of a connection.
pub(super) struct Stream {
    lane: Lane,
    stream: Option<SendStream>,
    measure: Measure,
}

impl Stream {
    pub(super) fn new(lane: Lane) -> Self {
        Self { lane, stream: None, measure: Measure::new() }
    }

    /// Hands over a message, whole; false if the connection broke before.
    pub(super) async fn write(&mut self, shared: &Shared, ends: &Ends, message: &Bytes) -> bool {
        self.written(shared, ends, message).await.is_some()
    }

    async fn written(&mut self, shared: &Shared, ends: &Ends, message: &Bytes) -> Option<()> {
        if self.stream.is_none() {
            self.stream = Some(self.lane.connection.open_uni().await.ok()?);
        }
        let length = u32::try_from(message.len()).expect("a bulk message is short").to_be_bytes();
        let mut left = [Bytes::copy_from_slice(&length), message.clone()];
        while left.iter().any(|part| !part.is_empty()) {
            let ceiling = ends.ceiling();
            let most = if shared.is_held(ends) { self.beat(shared, ceiling).await } else { self.run() };
            let stream = self.stream.as_mut()?;
            let mut next = take(&mut left, most);
            stream.write_all_chunks(&mut next).await.ok()?;
        }
        Some(())
    }

    /// Ends the stream; what is on it still arrives.
    pub(super) fn finish(mut self) {
        if let Some(stream) = &mut self.stream {
            // A connection that broke meanwhile has nothing to finish.
            let _ = stream.finish();
        }
    }

    /// How much to hand over at once.
    fn run(&mut self) -> usize {
        let sight = &self.lane.sight;
        sight.set_cap(SEND_BYTES / 2);
        let window = (WINDOWS * sight.window()).clamp(LEAST_WAITING, SEND_BYTES);
        self.lane.connection.set_send_window(window);
        SLICE
    }

    /// Waits for the next beat with room for a packet, and says how much to hand over after it.
    async fn beat(&mut self, shared: &Shared, ceiling: Option<u64>) -> usize {
        let sight = &self.lane.sight;
        let packet = usize::from(self.lane.connection.stats().path.current_mtu) - PACKET_COST;
        loop {
            shared.pulse.next().await;
            // What has to wait for an acknowledgement, which the peer may put off, leaves at any moment and not after a beat.
            let beats = sight.rtt().div_duration_f64(BEAT) + 4.0;
            sight.set_cap((self.measure.per_beat * beats) as u64);
            let room = self.measure.beat(Instant::now(), sight.waits(), packet, ceiling);
            if room > 0 {
                self.lane.connection.set_send_window(LEAST_WAITING);
                return room;
            }
        }
    }
}

/// Takes up to so many bytes off the front.
fn take(left: &mut [Bytes; 2], most: usize) -> [Bytes; 2] {
    let [first, second] = left;
    let head = first.split_to(first.len().min(most));
    let rest = most - head.len();
    [head, second.split_to(second.len().min(rest))]
}

/// How much goes out after each beat.
pub(super) struct Measure {
    per_beat: f64,
    /// What may go out and did not yet.
    saved: f64,
    grow_at: Instant,
    stay: Duration,
    /// Until when waits say nothing of what goes out now.
    heed_at: Instant,
    /// What went out before the last reduction.
    top: f64,
    /// How long packets wait whatever goes out: for a processor that is busy, or a radio.
    ordinary: Duration,
    /// How long they waited at the last reduction, and how many changed nothing.
    before: Option<Duration>,
    in_vain: u8,
    trial: Option<Trial>,
}

/// A quarter goes out until then, instead of what went out before, when packets waited so long.
struct Trial {
    until: Instant,
    per_beat: f64,
    waits: Duration,
}

impl Measure {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            per_beat: 1200.0,
            saved: 0.0,
            grow_at: now + GROW_EVERY,
            stay: STAY_AFTER,
            heed_at: now,
            top: 0.0,
            ordinary: Duration::ZERO,
            before: None,
            in_vain: 0,
            trial: None,
        }
    }

    /// A beat: gives how many bytes may follow it, in whole packets.
    pub(super) fn beat(&mut self, now: Instant, waits: Duration, packet: usize, ceiling: Option<u64>) -> usize {
        let length = packet as f64;
        self.judge(now, waits, length);
        let ceiling = ceiling.map_or(f64::INFINITY, |bytes| bytes as f64 * BEAT.as_secs_f64());
        let gain = self.per_beat.min(ceiling);
        // What is left of a packet is kept: what goes out grows by less than a packet per beat.
        self.saved = (self.saved + gain).min(gain + length);
        let packets = (self.saved / length).floor();
        self.saved -= packets * length;
        packets as usize * packet
    }

    /// What a path cannot carry is seen within a few packets and heeded at once; what more it carries is found slowly.
    fn judge(&mut self, now: Instant, waits: Duration, packet: f64) {
        if self.trial.is_some() {
            if let Some(trial) = self.trial.take_if(|trial| now >= trial.until) {
                self.tried(now, waits, &trial);
            }
        } else if waits <= self.ordinary + MOST_WAIT {
            if now >= self.grow_at {
                self.grow(now, waits, packet);
            }
        } else if now >= self.heed_at {
            self.reduce(now, waits);
        }
    }

    fn grow(&mut self, now: Instant, waits: Duration, packet: f64) {
        (self.before, self.in_vain) = (None, 0);
        // What they do not wait for any more is forgotten.
        self.ordinary -= self.ordinary.saturating_sub(waits) / 4;
        let hardly = waits.saturating_sub(self.ordinary) < MOST_WAIT / 4;
        let near = self.per_beat > NEAR.0 * self.top && self.per_beat < NEAR.1 * self.top;
        self.per_beat += match (near, hardly) {
            (true, _) => packet / NEAR_STEPS,
            (false, true) => (self.per_beat / 8.0).max(packet / 4.0),
            (false, false) => packet / 4.0,
        };
        self.per_beat = self.per_beat.min(MOST_PER_BEAT);
        self.grow_at = now + GROW_EVERY;
        if self.stay > STAY_AFTER && hardly {
            self.stay -= self.stay / 16;
        }
    }

    /// What packets wait for at every rate is not ours: heeding it would starve a file for nothing. A third less went out since
    /// the last time: a queue of our making would have become shorter by more than that, unless what is measured lags behind.
    fn reduce(&mut self, now: Instant, waits: Duration) {
        let alike = self.before.is_some_and(|before| waits * 8 >= before * 7);
        self.in_vain = if alike { self.in_vain + 1 } else { 0 };
        self.before = Some(waits);
        // Where next to nothing goes out already there is nothing to try, nor on a wire that carries no more than that.
        if self.in_vain >= IN_VAIN && self.per_beat >= 4.0 * LEAST_PER_BEAT {
            self.trial = Some(Trial { until: now + TRIAL, per_beat: self.per_beat, waits });
            self.per_beat /= 4.0;
            return;
        }
        self.top = self.per_beat;
        self.per_beat = (self.per_beat * 0.7).max(LEAST_PER_BEAT);
        (self.heed_at, self.grow_at) = (now + HEED_AFTER, now + self.stay);
        self.stay = (self.stay * 2).min(STAY_MOST);
    }

    /// By the end of the trial a queue of our making is gone, and what packets still wait is ordinary.
    fn tried(&mut self, now: Instant, waits: Duration, trial: &Trial) {
        (self.before, self.in_vain) = (None, 0);
        (self.heed_at, self.grow_at) = (now + HEED_AFTER, now + GROW_EVERY);
        self.ordinary = waits.min(ORDINARY_MOST);
        let ours = waits * 2 < trial.waits;
        self.per_beat = if ours { trial.per_beat / 2.0 } else { trial.per_beat };
        self.stay = STAY_AFTER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 1400;

    /// Beats for so long on a path on which packets wait `waits`, and gives what went out in the last second.
    fn beats(measure: &mut Measure, seconds: u32, waits: impl Fn(f64) -> Duration, ceiling: Option<u64>) -> usize {
        let begun = Instant::now() + Duration::from_secs(1000);
        let mut last = 0;
        for number in 0..seconds * 50 {
            let room = measure.beat(begun + number * BEAT, waits(measure.per_beat), PACKET, ceiling);
            assert_eq!(room % PACKET, 0, "whole packets only");
            last += if number >= (seconds - 1) * 50 { room } else { 0 };
        }
        last
    }

    #[test]
    fn what_goes_out_per_beat_finds_what_the_path_carries_without_a_queue() {
        // 1 Mbit/s carries 2500 bytes per beat: from about one packet on, the second waits.
        let slow = beats(&mut Measure::new(), 30, |per_beat| Duration::from_micros((per_beat * 3.0) as u64), None);
        assert!((30_000..=90_000).contains(&slow), "{slow}");
        // Ten times that carries more.
        let fast = beats(&mut Measure::new(), 30, |per_beat| Duration::from_micros((per_beat * 0.3) as u64), None);
        assert!((300_000..=900_000).contains(&fast), "{fast}");
    }

    #[test]
    fn a_path_that_stays_full_gets_next_to_nothing_and_a_free_one_gets_it_all_back() {
        let mut measure = Measure::new();
        let full = beats(&mut measure, 120, |_| Duration::from_millis(50), None);
        assert!((1..=10_000).contains(&full), "{full}");
        measure.grow_at = Instant::now();
        let free = beats(&mut measure, 60, |_| Duration::ZERO, None);
        assert!(free > 5_000_000, "{free}");
    }

    #[test]
    fn what_packets_wait_for_whatever_goes_out_starves_no_file() {
        for ms in [6, 12, 25] {
            let busy = |_: f64| Duration::from_millis(ms);
            let rest = beats(&mut Measure::new(), 60, busy, None);
            assert!(rest > 1_000_000, "{rest} where packets always wait {ms} ms");
        }
        // The same, and a wire that carries 2,500 bytes per beat: what is ours is told from what is not.
        let both = |per_beat: f64| Duration::from_micros(10_000 + (per_beat * 3.0) as u64);
        let slow = beats(&mut Measure::new(), 60, both, None);
        assert!((25_000..=125_000).contains(&slow), "{slow}");
    }

    #[test]
    fn a_path_that_becomes_narrow_is_not_taken_for_a_busy_one() {
        let begun = Instant::now() + Duration::from_secs(1000);
        let (mut measure, mut queue, mut waited, mut sent) = (Measure::new(), 0.0_f64, Duration::ZERO, 0);
        let beats = 50 * 180;
        for number in 0..beats {
            let carries = if number < 50 * 20 { 25_000.0 } else { 2_500.0 };
            let waits = BEAT.mul_f64(queue / carries);
            let room = measure.beat(begun + number * BEAT, waits, PACKET, None);
            // A router's queue is of so many bytes.
            queue = (queue + room as f64 - carries).clamp(0.0, 60_000.0);
            if number >= beats - 50 * 30 {
                (waited, sent) = (waited + waits, sent + room);
            }
        }
        let mean = waited / (50 * 30);
        assert!(mean < MOST_WAIT, "{mean:?}");
        assert!(sent > 30 * 125_000 / 3, "{sent} in half a minute");
    }

    #[test]
    fn a_queue_of_our_making_is_found_though_what_is_measured_lags() {
        // 1 Mbit/s, of which sound takes a tenth; what a connection knows of the waits is an average over eight packets.
        let begun = Instant::now() + Duration::from_secs(1000);
        let (mut measure, mut queue, mut known, mut waited) = (Measure::new(), 0.0_f64, 0.0_f64, Vec::new());
        let (carries, mut sent) = (2_500.0, 0);
        for number in 0..50 * 120 {
            let room = measure.beat(begun + number * BEAT, Duration::from_secs_f64(known), PACKET, None);
            for packet in 0..room / PACKET {
                let sample = 0.02 * (queue + (packet * PACKET) as f64) / carries;
                known += (sample - known) / 8.0;
            }
            queue = (queue + room as f64 + 250.0 - carries).max(0.0);
            sent += room;
            waited.push(queue / carries * 20.0);
        }
        waited.sort_by(f64::total_cmp);
        let p99 = waited[waited.len() * 99 / 100];
        assert!(p99 < 5.0, "{p99} ms");
        assert!(sent > 120 * 50_000, "{sent} in two minutes");
    }

    #[test]
    fn a_ceiling_is_kept_to_the_packet() {
        for ceiling in [4_000, 50_000, 400_000] {
            let sent = beats(&mut Measure::new(), 60, |_| Duration::ZERO, Some(ceiling));
            let most = usize::try_from(ceiling).unwrap_or_default() + PACKET;
            assert!(sent <= most && sent + 2 * PACKET >= most / 2, "{sent} of {ceiling}");
        }
    }

    #[test]
    fn bytes_come_off_the_front() {
        let mut left = [Bytes::from_static(&[1, 2]), Bytes::from_static(&[3, 4, 5])];
        assert_eq!(take(&mut left, 3), [&[1, 2][..], &[3][..]]);
        assert_eq!(take(&mut left, 9), [&[][..], &[4, 5][..]]);
        assert!(left.iter().all(Bytes::is_empty));
    }
}
