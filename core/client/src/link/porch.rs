//! Where QUIC meets the sockets of a link before one of them is chosen: see [`super::ahead`].
//!
//! The offering end answers nobody whose check of a path it did not answer, for which a peer needs the password in the
//! description. Packets that are early wait, a few. The answering end greets a few addresses, none but those that are checked
//! anyway.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use quinn::udp::{RecvMeta, Transmit};
use tokio::sync::Notify;

use super::Role;
use super::pace::Pace;
use super::packet::Protocol;
use super::socket::Socket;

/// Addresses that are greeted before they answered a check, and those that are known in all.
const GREETED: usize = 4;
const PATHS: usize = 8;
/// Packets that wait to be read, those whose sender is not known yet, and how long one may be.
const PACKETS: usize = 64;
const EARLY: usize = 8;
pub(super) const PACKET_BYTES: usize = 1500;

/// The sockets of a link as one, and the addresses of the peer that are known.
#[derive(Debug)]
pub(super) struct Porch {
    closed: AtomicBool,
    /// Whether addresses are greeted that only were asked.
    greets: AtomicBool,
    state: Mutex<State>,
    /// Told when an address became known.
    met: Notify,
    reader: AtomicWaker,
}

#[derive(Debug, Default)]
struct State {
    paths: Vec<Path>,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    early: Vec<(SocketAddr, Bytes)>,
}

#[derive(Debug)]
struct Path {
    remote: SocketAddr,
    socket: Weak<Socket>,
    /// Whether a check from there was answered.
    proven: bool,
    /// Whether nobody asked for it yet.
    new: bool,
    /// The greeting, while nothing came back: a router may have kept it out.
    greeting: Option<Bytes>,
}

impl Porch {
    /// Closed until a link opens it.
    pub(super) fn new() -> Self {
        Self {
            closed: AtomicBool::new(true),
            greets: AtomicBool::new(false),
            state: Mutex::default(),
            met: Notify::new(),
            reader: AtomicWaker::new(),
        }
    }

    pub(super) fn open(&self, role: Role) {
        self.greets.store(role == Role::Answer, Ordering::Release);
        self.closed.store(false, Ordering::Release);
    }

    /// Nothing is looked at any more, and nothing kept.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        *self.state() = State::default();
        self.reader.wake();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// A check goes to an address of the peer.
    pub(super) fn asks(&self, socket: &Arc<Socket>, remote: SocketAddr) {
        if self.is_closed() || !self.greets.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        if state.paths.len() < GREETED && state.path(remote).is_none() {
            state.meet(socket, remote, false);
            self.met.notify_one();
        }
    }

    /// A check from an address of the peer is answered.
    pub(super) fn answers(&self, socket: &Arc<Socket>, remote: SocketAddr) {
        if self.is_closed() {
            return;
        }
        let mut state = self.state();
        let room = state.paths.len() < PATHS;
        match state.path(remote) {
            Some(path) if !path.proven => {
                path.proven = true;
                // What proves a path may come by another socket than what asked for it.
                path.socket = Arc::downgrade(socket);
                let greeting = path.greeting.take();
                drop(state);
                if let Some(greeting) = greeting {
                    socket.again(remote, &greeting);
                }
            }
            None if room => {
                state.meet(socket, remote, true);
                drop(state);
                self.met.notify_one();
                self.reader.wake();
            }
            _ => {}
        }
    }

    /// Whether a packet that came is for QUIC. A relay's looks the same, and is not from an address of the peer.
    pub(super) fn takes(&self, from: SocketAddr, packet: &[u8]) -> bool {
        if self.is_closed() || Protocol::of(packet) != Protocol::Quic || packet.len() > PACKET_BYTES {
            return false;
        }
        let mut state = self.state();
        let packet = (from, Bytes::copy_from_slice(packet));
        let Some(path) = state.path(from) else {
            // It may be the library's, of which this is a copy.
            if state.early.len() < EARLY {
                state.early.push(packet);
            }
            return false;
        };
        path.greeting = None;
        if state.waiting.len() < PACKETS {
            state.waiting.push_back(packet);
        }
        drop(state);
        self.reader.wake();
        true
    }

    /// The next address that became known.
    pub(super) async fn next(&self) -> SocketAddr {
        loop {
            let met = self.met.notified();
            if let Some(path) = self.state().paths.iter_mut().find(|path| path.new) {
                path.new = false;
                return path.remote;
            }
            met.await;
        }
    }

    /// By which socket a packet goes to an address.
    fn socket_to(&self, remote: SocketAddr, packet: &[u8]) -> Option<Arc<Socket>> {
        let mut state = self.state();
        let path = state.path(remote)?;
        if !path.proven {
            path.greeting = Some(Bytes::copy_from_slice(packet));
        }
        path.socket.upgrade()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn path(&mut self, remote: SocketAddr) -> Option<&mut Path> {
        self.paths.iter_mut().find(|path| path.remote == remote)
    }

    /// An address is known from now on, and what came from there may be read.
    fn meet(&mut self, socket: &Arc<Socket>, remote: SocketAddr, proven: bool) {
        self.paths.push(Path { remote, socket: Arc::downgrade(socket), proven, new: true, greeting: None });
        self.waiting.extend(self.early.extract_if(.., |(sender, _)| *sender == remote));
    }
}

/// The porch as QUIC sees it: one socket to all addresses.
#[derive(Debug)]
pub(super) struct Door(pub(super) Arc<Pace>);

impl quinn::AsyncUdpSocket for Door {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Box::pin(Ajar)
    }

    /// What a socket does not take is lost like anything else.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let remote = bare(transmit.destination);
        if let Some(socket) = self.0.porch().socket_to(remote, transmit.contents) {
            socket.again(remote, transmit.contents);
            self.0.left(transmit.contents.len());
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let porch = self.0.porch();
        porch.reader.register(cx.waker());
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else { return Poll::Ready(Ok(0)) };
        let Some((from, packet)) = porch.state().waiting.pop_front() else { return Poll::Pending };
        let length = packet.len().min(buf.len());
        buf[..length].copy_from_slice(&packet[..length]);
        *meta = RecvMeta::default();
        (meta.addr, meta.len, meta.stride) = (mapped(from), length, length);
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0))
    }
}

/// There is always room.
#[derive(Debug)]
struct Ajar;

impl quinn::UdpPoller for Ajar {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An address as QUIC has it on a socket for both families, and as it is.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn bare(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(long) = address else { return address };
    long.ip().to_ipv4_mapped().map_or(address, |ip| SocketAddr::new(ip.into(), long.port()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
