//! An internet in user space: hosts in namespaces, local networks behind routers, and one place where all public addresses
//! meet.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, PipeReader, PipeWriter};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::SyncDevice;

use crate::wire::tun;
use crate::{Namespace, Unavailable};

mod packet;
mod router;

pub use packet::{Packet, Protocol};
pub use router::{Depends, Manner, Router, Wall};

/// What the devices carry at most, in bytes.
const MTU: usize = 1500;
/// Packets taken from one device before the others get their turn.
const TURN: usize = 64;
/// Packets kept of one host's capture.
const CAPTURED: usize = 200_000;

/// A network of a [`Net`]: the one of public addresses, or that behind a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Where public addresses are.
    Internet,
    /// Behind this router.
    Behind(RouterId),
}

/// Which router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterId(usize);

/// Which host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostId(usize);

struct Host {
    name: String,
    site: Site,
    addresses: Vec<IpAddr>,
    device: Arc<SyncDevice>,
    captured: Option<Vec<Vec<u8>>>,
    cut: bool,
}

/// When a packet arrives, its number, at which host, and its bytes: the next one first.
type Flying = BinaryHeap<Reverse<(Duration, u64, usize, Vec<u8>)>>;

#[derive(Default)]
struct State {
    hosts: Vec<Host>,
    routers: Vec<(Site, Router)>,
    flying: Flying,
    count: u64,
}

/// An internet; dropping it takes its devices away.
pub struct Net {
    state: Arc<Mutex<State>>,
    delay: Duration,
    stop: Option<PipeWriter>,
    carrier: Option<JoinHandle<()>>,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

impl Net {
    /// An internet without hosts, in which each packet takes this long.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self { state: Arc::default(), delay, stop: None, carrier: None }
    }

    /// Puts a router into a network.
    pub fn router(&mut self, outside: Site, wan: Ipv4Addr, manner: Manner) -> RouterId {
        let mut state = self.lock();
        state.routers.push((outside, Router::new(manner, wan)));
        RouterId(state.routers.len() - 1)
    }

    /// Gives a namespace a device in a network, with these addresses and the way out. Hosts come before [`Net::begin`].
    ///
    /// # Errors
    /// [`Unavailable`] without the devices, programs or rights it takes.
    pub fn host(&mut self, namespace: &Namespace, site: Site, addresses: &[IpAddr]) -> Result<HostId, Unavailable> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("net{number}");
        let device = Arc::new(tun(namespace, &name)?);
        for address in addresses {
            let length = if address.is_ipv4() { 32 } else { 128 };
            let mut arguments = vec!["addr".to_owned(), "add".into(), format!("{address}/{length}"), "dev".into()];
            arguments.push(name.clone());
            if address.is_ipv6() {
                arguments.push("nodad".into());
            }
            namespace.ip(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        namespace.ip(&["link", "set", &name, "addrgenmode", "none"])?;
        namespace.ip(&["link", "set", &name, "up"])?;
        // A second device leaves the way out to the first, but for what comes from its own address.
        for (family, address) in
            [("-4", addresses.iter().find(|ip| ip.is_ipv4())), ("-6", addresses.iter().find(|ip| ip.is_ipv6()))]
        {
            let Some(address) = address else { continue };
            let _ = namespace.ip(&[family, "route", "add", "default", "dev", &name]);
            // Those up to 255 are the kernel's.
            let table = (1_000 + number).to_string();
            namespace.ip(&[family, "route", "add", "default", "dev", &name, "table", &table])?;
            namespace.ip(&[family, "rule", "add", "from", &address.to_string(), "table", &table])?;
        }
        let mut state = self.lock();
        let addresses = addresses.to_vec();
        state.hosts.push(Host { name, site, addresses, device, captured: None, cut: false });
        Ok(HostId(state.hosts.len() - 1))
    }

    /// What a host's device is called in its namespace.
    #[must_use]
    pub fn device(&self, host: HostId) -> String {
        self.lock().hosts[host.0].name.clone()
    }

    /// Lets packets pass.
    ///
    /// # Errors
    /// [`Unavailable`] without a thread to be had.
    pub fn begin(&mut self) -> Result<(), Unavailable> {
        let refused = |error: io::Error| Unavailable::Refused("a thread", error.to_string());
        let (stopped, stop) = io::pipe().map_err(refused)?;
        let devices = self.lock().hosts.iter().map(|host| Arc::clone(&host.device)).collect();
        let (state, delay, began) = (Arc::clone(&self.state), self.delay, Instant::now());
        let carrier = Carrier { state, devices, delay, stopped, began };
        self.stop = Some(stop);
        let thread = std::thread::Builder::new().name("net".into());
        self.carrier = Some(thread.spawn(move || carrier.carry()).map_err(refused)?);
        Ok(())
    }

    /// A router is another from now on, and remembers nothing.
    pub fn replace(&self, router: RouterId, manner: Manner) {
        let mut state = self.lock();
        let router = &mut state.routers[router.0].1;
        *router = Router::new(manner, router.wan);
    }

    /// Begins to keep every packet that one host sends or gets.
    pub fn capture(&self, host: HostId) {
        self.lock().hosts[host.0].captured = Some(Vec::new());
    }

    /// What was kept of a host so far.
    #[must_use]
    pub fn captured(&self, host: HostId) -> Vec<Vec<u8>> {
        self.lock().hosts[host.0].captured.clone().unwrap_or_default()
    }

    /// Lets nothing pass to and from a host, or everything again.
    pub fn cut(&self, host: HostId, cut: bool) {
        self.lock().hosts[host.0].cut = cut;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A packet is in a network: it reaches a host or a router there, or goes on outwards.
    fn pass(&mut self, mut site: Site, mut packet: Packet, neighbours: bool) -> Option<(usize, Packet)> {
        let mut near = neighbours;
        loop {
            let to = packet.destination().ip();
            if near
                && let Some(host) = self.hosts.iter().position(|host| host.site == site && host.addresses.contains(&to))
            {
                return Some((host, packet));
            }
            let within = |(outside, router): &(Site, Router)| *outside == site && IpAddr::V4(router.wan) == to;
            if let Some(router) = self.routers.iter().position(within) {
                return self.enter(router, packet);
            }
            match site {
                Site::Internet => return self.enter_v6(packet),
                Site::Behind(RouterId(id)) => {
                    let (outside, router) = &mut self.routers[id];
                    site = *outside;
                    let hairpin = IpAddr::V4(router.wan) == to;
                    if hairpin && !router.manner().hairpin {
                        return None;
                    }
                    packet = router.out(packet)?;
                    if hairpin {
                        return self.enter(id, packet);
                    }
                    near = true;
                }
            }
        }
    }

    fn enter(&mut self, router: usize, packet: Packet) -> Option<(usize, Packet)> {
        let packet = self.routers[router].1.come(packet)?;
        let (site, to) = (Site::Behind(RouterId(router)), packet.destination().ip());
        if let Some(host) = self.hosts.iter().position(|host| host.site == site && host.addresses.contains(&to)) {
            return Some((host, packet));
        }
        let within = |(outside, router): &(Site, Router)| *outside == site && IpAddr::V4(router.wan) == to;
        let inner = self.routers.iter().position(within)?;
        self.enter(inner, packet)
    }

    /// Addresses of IPv6 are public wherever they are, and filtered by each router before them.
    fn enter_v6(&mut self, packet: Packet) -> Option<(usize, Packet)> {
        let to = packet.destination().ip();
        let host = self.hosts.iter().position(|host| to.is_ipv6() && host.addresses.contains(&to))?;
        let mut site = self.hosts[host].site;
        let mut packet = packet;
        while let Site::Behind(RouterId(id)) = site {
            packet = self.routers[id].1.come(packet)?;
            site = self.routers[id].0;
        }
        Some((host, packet))
    }

    fn keep(&mut self, host: usize, bytes: &[u8]) {
        if let Some(captured) = self.hosts[host].captured.as_mut().filter(|captured| captured.len() < CAPTURED) {
            captured.push(bytes.to_vec());
        }
    }

    fn take(&mut self, host: usize, bytes: Vec<u8>, due: Duration) {
        self.keep(host, &bytes);
        let Host { site, cut, .. } = &self.hosts[host];
        let (site, cut) = (*site, *cut);
        let Some(packet) = Packet::parse(bytes).filter(|_| !cut) else { return };
        let neighbours = match site {
            Site::Internet => true,
            Site::Behind(RouterId(id)) => self.routers[id].1.manner().neighbours,
        };
        if let Some((to, packet)) = self.pass(site, packet, neighbours) {
            self.count += 1;
            self.flying.push(Reverse((due, self.count, to, packet.bytes().to_vec())));
        }
    }

    fn deliver(&mut self, now: Duration) {
        while self.flying.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            let Some(Reverse((_, _, host, bytes))) = self.flying.pop() else { return };
            if !self.hosts[host].cut {
                self.keep(host, &bytes);
                // A device that takes nothing drops it, as a network card would.
                let _ = self.hosts[host].device.send(&bytes);
            }
        }
    }
}

struct Carrier {
    state: Arc<Mutex<State>>,
    devices: Vec<Arc<SyncDevice>>,
    delay: Duration,
    stopped: PipeReader,
    began: Instant,
}

impl Carrier {
    fn carry(&self) {
        let mut buffer = vec![0; MTU + 100];
        loop {
            let due = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.deliver(self.began.elapsed());
                state.flying.peek().map(|Reverse((due, ..))| *due)
            };
            let Some(readable) = self.wait(due) else { return };
            for host in readable {
                for _ in 0..TURN {
                    let Ok(length) = self.devices[host].recv(&mut buffer) else { break };
                    let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                    state.take(host, buffer[..length].to_vec(), self.began.elapsed() + self.delay);
                }
            }
        }
    }

    /// Waits until a packet is due or a device has one; `None` once the net is taken away.
    fn wait(&self, due: Option<Duration>) -> Option<Vec<usize>> {
        let nap = due.map(|due| due.saturating_sub(self.began.elapsed()));
        let nap = nap.map(|nap| Timespec { tv_sec: nap.as_secs() as i64, tv_nsec: nap.subsec_nanos().into() });
        let mut ends: Vec<PollFd<'_>> =
            self.devices.iter().map(|device| PollFd::from_borrowed_fd(device.as_fd(), PollFlags::IN)).collect();
        ends.push(PollFd::from_borrowed_fd(self.stopped.as_fd(), PollFlags::IN));
        match poll(&mut ends, nap.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        let stopped = ends.pop().is_some_and(|end| !end.revents().is_empty());
        let readable = ends.iter().enumerate().filter(|(_, end)| end.revents().contains(PollFlags::IN));
        (!stopped).then(|| readable.map(|(host, _)| host).collect())
    }
}
