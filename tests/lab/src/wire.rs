//! Two namespaces joined through user space.

use std::io::{self, PipeReader, PipeWriter};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::pipe::{Fate, Pipe};
use crate::{Namespace, Shape, Unavailable};

/// What the device carries at most, in bytes.
const MTU: u16 = 1500;
/// Packets taken from one device before the other gets its turn.
const TURN: usize = 64;
/// How late the kernel may wake the wire, so that it can wake others too.
const SLACK_NS: u64 = 1_000;

/// What one direction of a wire did, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came out.
    pub delivered: u64,
    /// Bytes of them, with their IP headers.
    pub bytes: u64,
    /// Packets lost by chance, in an outage or while the wire was cut.
    pub lost: u64,
    /// Packets dropped because the queue was full.
    pub overflowed: u64,
}

/// A packet that entered the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// When, since the wire was made.
    pub at: Duration,
    /// How long it waited for those before it.
    pub waited: Duration,
}

#[derive(Debug, Default)]
struct Tally {
    delivered: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    overflowed: AtomicU64,
    waited_us: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    tally: [Tally; 2],
    cut: AtomicBool,
    tapped: AtomicBool,
    /// What came out since then, in each direction.
    tap: Mutex<[Vec<Vec<u8>>; 2]>,
    /// Which packets are timed.
    clock: OnceLock<fn(&[u8]) -> bool>,
    timed: Mutex<[Vec<Timed>; 2]>,
}

impl Shared {
    fn tap(&self) -> MutexGuard<'_, [Vec<Vec<u8>>; 2]> {
        self.tap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timed(&self) -> MutexGuard<'_, [Vec<Timed>; 2]> {
        self.timed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link between two namespaces; dropping it takes its devices away.
#[derive(Debug)]
pub struct Wire {
    addresses: [IpAddr; 2],
    shared: Arc<Shared>,
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Wire {
    /// Joins two namespaces by a link with the same shape in both directions.
    ///
    /// # Errors
    /// [`Unavailable`] without the devices, programs or rights it takes.
    pub fn join(left: &Namespace, right: &Namespace, shape: &Shape, seed: u64) -> Result<Self, Unavailable> {
        Self::join_unevenly(left, right, [shape.clone(), shape.clone()], seed)
    }

    /// Joins two namespaces by a link with one shape from left to right and another back.
    ///
    /// # Errors
    /// [`Unavailable`] without the devices, programs or rights it takes.
    pub fn join_unevenly(
        left: &Namespace,
        right: &Namespace,
        [there, back]: [Shape; 2],
        seed: u64,
    ) -> Result<Self, Unavailable> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let addresses = [1, 2].map(|end| IpAddr::V4(Ipv4Addr::new(10, 77, number, end)));
        let name = format!("wire{number}");
        let devices = [device(left, &name, addresses[0])?, device(right, &name, addresses[1])?];
        let pipes = [Pipe::new(there, seed), Pipe::new(back, seed.wrapping_add(1))];
        let shared = Arc::new(Shared::default());
        let refused = |error: io::Error| Unavailable::Refused("a thread", error.to_string());
        let (stopped, stop) = io::pipe().map_err(refused)?;
        let mut carrier = Carrier { devices, pipes, shared: Arc::clone(&shared), stopped, began: Instant::now() };
        let thread = std::thread::Builder::new().name("wire".into()).spawn(move || carrier.carry()).map_err(refused)?;
        Ok(Self { addresses, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The addresses of its two ends.
    #[must_use]
    pub fn addresses(&self) -> [IpAddr; 2] {
        self.addresses
    }

    /// What each direction did so far, from left to right first.
    #[must_use]
    pub fn counts(&self) -> [Counts; 2] {
        self.shared.tally.each_ref().map(|tally| Counts {
            delivered: tally.delivered.load(Ordering::Relaxed),
            bytes: tally.bytes.load(Ordering::Relaxed),
            lost: tally.lost.load(Ordering::Relaxed),
            overflowed: tally.overflowed.load(Ordering::Relaxed),
        })
    }

    /// Keeps a copy of every packet that comes out from now on; copies from before are dropped.
    pub fn capture(&self) {
        *self.shared.tap() = Default::default();
        self.shared.tapped.store(true, Ordering::Relaxed);
    }

    /// The packets of each direction that came out since [`Wire::capture`], with their IP headers, from left to right first.
    #[must_use]
    pub fn captured(&self) -> [Vec<Vec<u8>>; 2] {
        self.shared.tap().clone()
    }

    /// The longest that a packet waited before the limited rate since this was asked last, from left to right first.
    #[must_use]
    pub fn waited(&self) -> [Duration; 2] {
        self.shared.tally.each_ref().map(|tally| Duration::from_micros(tally.waited_us.swap(0, Ordering::Relaxed)))
    }

    /// Times each packet that fits from now on, given with its IP header; only what is asked for first is.
    pub fn time(&self, fits: fn(&[u8]) -> bool) {
        let _ = self.shared.clock.set(fits);
    }

    /// The packets of each direction that fitted, from left to right first.
    #[must_use]
    pub fn timed(&self) -> [Vec<Timed>; 2] {
        self.shared.timed().clone()
    }

    /// Lets nothing in any more, until it is mended.
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::Relaxed);
    }

    /// Lets packets in again.
    pub fn mend(&self) {
        self.shared.cut.store(false, Ordering::Relaxed);
    }
}

/// A device is made in its namespace; whoever holds it afterwards may be anywhere.
pub(crate) fn tun(namespace: &Namespace, name: &str) -> Result<SyncDevice, Unavailable> {
    let refused = |error: io::Error| Unavailable::Refused("a TUN device", error.to_string());
    let named = name.to_owned();
    let make = move || {
        let device = DeviceBuilder::new().name(named).mtu(MTU).enable(false).with(|options| {
            options.tx_queue_len(5000);
        });
        let device = device.build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    };
    let made = namespace.spawn(make).map_err(refused)?.join();
    made.map_err(|_| refused(io::Error::other("the thread panicked")))?.map_err(refused)?.map_err(refused)
}

fn device(namespace: &Namespace, name: &str, address: IpAddr) -> Result<SyncDevice, Unavailable> {
    let device = tun(namespace, name)?;
    namespace.ip(&["addr", "add", &format!("{address}/24"), "dev", name])?;
    // Otherwise the kernel would speak on the wire itself, looking for routers.
    namespace.ip(&["link", "set", name, "addrgenmode", "none"])?;
    namespace.ip(&["link", "set", name, "up"])?;
    // A second wire leaves the way out to the first.
    let _ = namespace.ip(&["route", "add", "default", "dev", name]);
    Ok(device)
}

struct Carrier {
    devices: [SyncDevice; 2],
    pipes: [Pipe; 2],
    shared: Arc<Shared>,
    stopped: PipeReader,
    began: Instant,
}

impl Carrier {
    fn carry(&mut self) {
        // Wakes late by 50 µs otherwise.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(SLACK_NS));
        let mut buffer = vec![0; usize::from(MTU) + 100];
        loop {
            (0..2).for_each(|way| self.deliver(way));
            let Some(readable) = self.wait() else { return };
            for (way, readable) in readable.into_iter().enumerate() {
                if readable {
                    self.take(way, &mut buffer);
                }
            }
        }
    }

    /// Hands out what is due in one direction.
    fn deliver(&mut self, way: usize) {
        let now = self.began.elapsed();
        let tally = &self.shared.tally[way];
        while let Some(packet) = self.pipes[way].pop(now) {
            // Counted first: who receives it may look at once.
            tally.delivered.fetch_add(1, Ordering::Relaxed);
            tally.bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
            if self.shared.tapped.load(Ordering::Relaxed) {
                self.shared.tap()[way].push(packet.clone());
            }
            // A device that takes nothing drops it, as a network card would.
            if self.devices[1 - way].send(&packet).is_err() {
                tally.delivered.fetch_sub(1, Ordering::Relaxed);
                tally.bytes.fetch_sub(packet.len() as u64, Ordering::Relaxed);
                tally.overflowed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Takes in what the device of one end has, up to a turn.
    fn take(&mut self, way: usize, buffer: &mut [u8]) {
        let tally = &self.shared.tally[way];
        for _ in 0..TURN {
            let Ok(length) = self.devices[way].recv(buffer) else { return };
            if self.shared.cut.load(Ordering::Relaxed) {
                tally.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let Some(packet) = buffer.get(..length) else { continue };
            let now = self.began.elapsed();
            if self.shared.clock.get().is_some_and(|fits| fits(packet)) {
                self.shared.timed()[way].push(Timed { at: now, waited: self.pipes[way].waits(now) });
            }
            let fate = self.pipes[way].push(now, packet);
            let waits_us = u64::try_from(self.pipes[way].waits(now).as_micros()).unwrap_or(u64::MAX);
            tally.waited_us.fetch_max(waits_us, Ordering::Relaxed);
            match fate {
                Fate::Lost => tally.lost.fetch_add(1, Ordering::Relaxed),
                Fate::Overflowed => tally.overflowed.fetch_add(1, Ordering::Relaxed),
                Fate::Passes | Fate::Doubled | Fate::Late => continue,
            };
        }
    }

    /// Waits until a packet is due or a device has one, and says which has; `None` once the wire is taken away.
    fn wait(&self) -> Option<[bool; 2]> {
        let due = self.pipes.iter().filter_map(Pipe::due).min();
        let nap = due.map(|due| due.saturating_sub(self.began.elapsed()));
        let nap =
            nap.map(|nap: Duration| Timespec { tv_sec: nap.as_secs() as i64, tv_nsec: nap.subsec_nanos().into() });
        let [left, right] = self.devices.each_ref().map(SyncDevice::as_fd);
        let mut ends = [left, right, self.stopped.as_fd()].map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN));
        match poll(&mut ends, nap.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        let [left, right, stopped] = ends.map(|end| !end.revents().is_empty());
        (!stopped).then_some([left, right])
    }
}
