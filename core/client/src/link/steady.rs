//! How fast QUIC sends: by the bandwidth and delay it measures (BBR), not by loss; and what it sees of the path.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::congestion::{BbrConfig, Controller, ControllerFactory};
use quinn_proto::RttEstimator;

/// What may be under way before anything is known of the path.
const FIRST_WINDOW: u64 = 32 * 1200;

/// What a connection sees of its path, and how much it may have under way.
#[derive(Debug)]
pub(super) struct Sight {
    /// Microseconds that packets wait in queues on the path, on average over the last few.
    waits_us: AtomicU64,
    /// Microseconds of a round trip.
    rtt_us: AtomicU64,
    /// Bytes that BBR would have under way.
    window: AtomicU64,
    /// Bytes that may be under way whatever BBR says.
    cap: AtomicU64,
}

impl Default for Sight {
    fn default() -> Self {
        Self {
            waits_us: AtomicU64::new(0),
            rtt_us: AtomicU64::new(0),
            window: AtomicU64::new(FIRST_WINDOW),
            cap: AtomicU64::new(u64::MAX),
        }
    }
}

impl Sight {
    /// How long packets wait in queues on the path.
    pub(super) fn waits(&self) -> Duration {
        Duration::from_micros(self.waits_us.load(Ordering::Relaxed))
    }

    /// How long a round trip takes.
    pub(super) fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us.load(Ordering::Relaxed))
    }

    /// What the path carries at a time, in bytes.
    pub(super) fn window(&self) -> u64 {
        self.window.load(Ordering::Relaxed)
    }

    /// Limits what is under way.
    pub(super) fn set_cap(&self, bytes: u64) {
        self.cap.store(bytes, Ordering::Relaxed);
    }
}

/// Makes BBR that tells what it sees.
pub(super) struct Steady {
    bbr: Arc<BbrConfig>,
    sight: Arc<Sight>,
}

impl Steady {
    pub(super) fn new(sight: Arc<Sight>) -> Self {
        let mut bbr = BbrConfig::default();
        bbr.initial_window(FIRST_WINDOW);
        Self { bbr: Arc::new(bbr), sight }
    }
}

impl ControllerFactory for Steady {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let bbr = Arc::clone(&self.bbr).build(now, current_mtu);
        Box::new(Watched { bbr, sight: Arc::clone(&self.sight), mtu: current_mtu.into() })
    }
}

struct Watched {
    bbr: Box<dyn Controller>,
    sight: Arc<Sight>,
    mtu: u64,
}

impl Controller for Watched {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.bbr.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.sight.waits_us.store(us(rtt.get().saturating_sub(rtt.min())), Ordering::Relaxed);
        self.sight.rtt_us.store(us(rtt.get()), Ordering::Relaxed);
        self.bbr.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.bbr.on_end_acks(now, in_flight, app_limited, largest);
        self.sight.window.store(self.bbr.window(), Ordering::Relaxed);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost_bytes: u64) {
        self.bbr.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu.into();
        self.bbr.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.bbr.window().min(self.sight.cap.load(Ordering::Relaxed).max(2 * self.mtu))
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self { bbr: self.bbr.clone_box(), sight: Arc::clone(&self.sight), mtu: self.mtu })
    }

    fn initial_window(&self) -> u64 {
        self.bbr.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
