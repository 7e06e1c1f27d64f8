//! The two clocks the engine is told.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use sidetone_engine::{Now, Time};
use sidetone_wire::id::UnixMs;

/// Counts while the phone sleeps: a call that rang out during the night is over in the morning.
///
/// `CLOCK_BOOTTIME` on Linux and Android. On Apple systems `CLOCK_MONOTONIC` counts sleep (clock_gettime(3)).
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

/// What the clocks say now.
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Now { time: Time(micros() / 1_000), wall: UnixMs(u64::try_from(wall).unwrap_or(u64::MAX)) }
}

/// The steady clock in microseconds.
pub fn micros() -> u64 {
    let time = clock_gettime(STEADY);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000).saturating_add(nanos.unwrap_or(0) / 1_000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_steady_clock_is_the_one_that_counts_sleep() {
        // The system's own word for it: seconds since it started, sleep included.
        let uptime = std::fs::read_to_string("/proc/uptime").expect("Linux tells its uptime");
        let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
        let ours = super::micros() as f64 / 1e6;
        assert!((ours - seconds).abs() < 1.0, "{ours} s where the system says {seconds} s");
        let first = super::now();
        assert!(super::now().time >= first.time);
        assert!(first.wall.0 > 1_600_000_000_000);
    }
}
