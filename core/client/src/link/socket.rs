//! The UDP sockets of a link, and the two protocols that share one of them.
//!
//! The library owns the sockets and finds the path; once files pass over QUIC, its packets take the same path: the socket
//! and the peer's address that ICE selected, which is where this end itself sends its DTLS records. Packets are told
//! apart by their first byte (RFC 9443 section 2, RFC 7983 section 7): QUIC has its second bit set, and nothing else that a
//! direct path carries has. A packet reaches QUIC only from that one address, and only while there is a [`Tap`].
//!
//! While there is, the tap alone reads the kernel's queue, in batches, and hands the library what is the library's; else
//! the library does. One reader at a time costs one wake-up per batch. The kernel joins packets, and the library would keep
//! two buffers for what it may join to, 190 KiB for each link; so it is given one packet at a time, out of a buffer that a
//! thread has for all links.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;
use quinn::udp::{EcnCodepoint as QuicEcn, RecvMeta as QuicMeta, Transmit as QuicTransmit};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use webrtc::runtime::{AsyncUdpSocket, EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

use super::early::Early;
use super::ledger::has_integrity;
use super::pace::Pace;
use super::packet::{Protocol, is_answer, is_check, is_sound};
use super::pulse::Pulse;
use super::quiet::Quiet;
use super::tunnel::Tunnels;

/// Packets that wait for the library while a tap reads; it is woken for the first, and a queue of the kernel's size would
/// hide from its peer that it is behind.
const OTHERS: usize = 512;
/// Longest packet of the library's own: none is longer than an Ethernet frame carries.
const OTHER_BYTES: usize = 2048;
/// Longest datagram, and what packets are joined to at most.
const JOINED_BYTES: usize = 65_536;

thread_local! {
    /// What is read for the library, before it has it.
    static JOINED: RefCell<Box<[u8]>> = RefCell::new(vec![0; JOINED_BYTES].into());
}

/// Where a link's packets travel: the socket and the peer's address that ICE selected.
///
/// The socket stays the library's, which may give it up.
#[derive(Debug, Clone)]
pub(super) struct Way {
    socket: Weak<Socket>,
    pub(super) remote: SocketAddr,
}

impl PartialEq for Way {
    fn eq(&self, other: &Self) -> bool {
        self.socket.ptr_eq(&other.socket) && self.remote == other.remote
    }
}

/// One UDP socket of a link.
#[derive(Debug)]
pub(super) struct Socket {
    io: UdpSocket,
    local: Option<IpAddr>,
    offload: Offload,
    pace: Arc<Pace>,
    pulse: Arc<Pulse>,
    way: watch::Sender<Option<Way>>,
    /// Whether a tap reads.
    tapped: AtomicBool,
    /// What the tap, or a connection to a relay, has for the library.
    others: OnceLock<ArrayQueue<(SocketAddr, Bytes)>>,
    /// What came joined to the packet that the library has.
    joined: Mutex<VecDeque<(SocketAddr, Bytes)>>,
    /// Path checks that came too early.
    early: Early,
    quiet: Quiet,
    tunnels: Arc<Tunnels>,
    /// Where packets go for each of them, once there was one.
    tunnelled: Box<[OnceLock<mpsc::Sender<Bytes>>]>,
    library: AtomicWaker,
    tap: AtomicWaker,
    /// Packets that looked like QUIC and came from elsewhere, or were none of anybody's, while a tap read.
    foreign: AtomicU64,
}

struct Offload(UdpSocketState);

impl std::fmt::Debug for Offload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offload").finish_non_exhaustive()
    }
}

/// What the library gets of a socket.
#[derive(Debug)]
pub(super) struct Handle(Arc<Socket>);

impl Socket {
    /// Takes over a socket; must be called within a tokio runtime. `way` learns where DTLS records go.
    pub(super) fn wrap(
        socket: std::net::UdpSocket,
        pace: Arc<Pace>,
        pulse: Arc<Pulse>,
        way: watch::Sender<Option<Way>>,
        tunnels: Arc<Tunnels>,
    ) -> io::Result<Handle> {
        socket.set_nonblocking(true)?;
        let io = UdpSocket::from_std(socket)?;
        let offload = Offload(UdpSocketState::new(UdpSockRef::from(&io))?);
        Ok(Handle(Arc::new(Self {
            local: io.local_addr().ok().map(|address| address.ip()),
            io,
            offload,
            pace,
            pulse,
            way,
            tapped: AtomicBool::new(false),
            others: OnceLock::new(),
            joined: Mutex::default(),
            early: Early::default(),
            quiet: Quiet::default(),
            tunnelled: (0..tunnels.len()).map(|_| OnceLock::new()).collect(),
            tunnels,
            library: AtomicWaker::new(),
            tap: AtomicWaker::new(),
            foreign: AtomicU64::new(0),
        })))
    }

    fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.io.try_io(Interest::WRITABLE, || self.offload.0.try_send(UdpSockRef::from(&self.io), transmit))?;
        self.pace.ledger().sent(transmit.destination, transmit.contents, transmit.segment_size);
        Ok(())
    }

    /// Reads the kernel's queue. Only who reads may call this: the socket remembers one waker.
    fn receive(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.io.poll_recv_ready(cx))?;
            let read = self.io.try_io(Interest::READABLE, || {
                let count = self.offload.0.recv(UdpSockRef::from(&self.io), bufs, meta)?;
                if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
            });
            match read {
                Ok(count) => {
                    // A packet without content has a stride of 0, by which nobody could step.
                    meta.iter_mut().take(count).for_each(|meta| meta.stride = meta.stride.max(1));
                    for (buf, meta) in bufs.iter().zip(meta.iter()).take(count) {
                        let bytes = buf.get(..meta.len).unwrap_or_default();
                        self.pace.ledger().received(meta.addr, bytes, meta.stride);
                        self.tunnels.hear(bytes);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends what goes over a connection: to a server, for each of which there is one at most. What it does not take at
    /// once is lost, as on any full line.
    fn tunnel(self: &Arc<Self>, number: usize, transmit: &Transmit<'_>) {
        let Some(tunnelled) = self.tunnelled.get(number) else { return };
        let begin = || self.tunnels.begin(number, transmit.destination, Arc::downgrade(self));
        let packets = tunnelled.get_or_init(begin);
        let stride = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for packet in transmit.contents.chunks(stride) {
            if packets.try_send(Bytes::copy_from_slice(packet)).is_ok() {
                self.pace.ledger().sent(transmit.destination, packet, None);
                self.pace.left(packet.len());
            }
        }
    }

    /// Hands the library what came over a connection, as if it had come from the address that stands for its server.
    pub(super) fn hand(&self, from: SocketAddr, message: &[u8]) {
        self.pace.ledger().received(from, message, message.len());
        if self.pace.shake().hears(from, message, Instant::now()) {
            self.leave(from, Protocol::of(message), message);
        }
    }

    /// Leaves a packet to the library. What looks like QUIC and is not the peer's may be a relay's, so it has to judge.
    fn leave(&self, from: SocketAddr, protocol: Protocol, packet: &[u8]) {
        self.pace.received();
        if protocol != Protocol::Check {
            self.pace.passed();
        }
        if packet.len() > OTHER_BYTES {
            return;
        }
        // A full queue drops it, as the kernel's would.
        let _ = self.others.get_or_init(|| ArrayQueue::new(OTHERS)).push((from, Bytes::copy_from_slice(packet)));
        self.library.wake();
    }

    /// Whether this socket and that address are the link's path.
    fn is_way(self: &Arc<Self>, remote: SocketAddr) -> bool {
        let same = |way: &Way| std::ptr::eq(way.socket.as_ptr(), Arc::as_ptr(self)) && way.remote == remote;
        self.way.borrow().as_ref().is_some_and(same)
    }

    /// Whether what the library sends may as well not be sent.
    fn is_needless(self: &Arc<Self>, transmit: &Transmit<'_>) -> bool {
        Protocol::of(transmit.contents) == Protocol::Check
            && transmit.segment_size.is_none()
            && self.is_way(transmit.destination)
            && self.quiet.is_needless(transmit.contents, self.pace.age(), self.pace.is_idle())
    }

    /// Notes what the library sends: that something passes, when sound does, and which way DTLS takes.
    fn note(self: &Arc<Self>, transmit: &Transmit<'_>) {
        if is_sound(transmit.contents) {
            self.pulse.beat();
        }
        match Protocol::of(transmit.contents) {
            Protocol::Check => {
                let porch = self.pace.porch();
                if is_answer(transmit.contents) {
                    porch.answers(self, transmit.destination);
                } else if is_check(transmit.contents) && has_integrity(transmit.contents) {
                    porch.asks(self, transmit.destination);
                }
                return;
            }
            Protocol::Media => self.pulse.stir(),
            Protocol::Dtls => {
                if !self.is_way(transmit.destination) {
                    self.way.send_replace(Some(Way { socket: Arc::downgrade(self), remote: transmit.destination }));
                }
            }
            Protocol::Quic | Protocol::Other => {}
        }
        self.pace.passed();
        self.pace.leave_from(self.local);
    }

    /// Sends once more what the library sent. What is not taken now is lost like anything else.
    pub(super) fn again(self: &Arc<Self>, destination: SocketAddr, contents: &[u8]) {
        let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
        match self.tunnels.number(destination) {
            Some(number) => self.tunnel(number, &transmit),
            None => drop(self.send(&transmit)),
        }
    }

    /// Notes what may have to be sent again.
    fn shaken(self: &Arc<Self>, transmit: &Transmit<'_>) {
        if self.pace.shake().is_over() {
            return;
        }
        let stride = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for packet in transmit.contents.chunks(stride) {
            self.pace.shake().sent(&Arc::downgrade(self), transmit.destination, packet, Instant::now());
        }
    }

    /// Leaves in a received buffer what the library has not heard yet, and may hear now; gives its length.
    fn unheard(&self, from: SocketAddr, buf: &mut [u8], length: usize, stride: usize) -> usize {
        let now = Instant::now();
        sift(buf, length, stride, |packet| {
            !self.pace.porch().takes(from, packet)
                && self.pace.shake().hears(from, packet, now)
                && !self.early.keeps(self.pace.acquaintance(), from, packet, now)
        })
    }

    /// Reads the kernel's queue for the library: the first packet goes into its buffer, those joined to it wait.
    fn read(&self, cx: &mut Context<'_>, buf: &mut [u8], meta: &mut RecvMeta) -> Poll<io::Result<usize>> {
        JOINED.with_borrow_mut(|read| {
            let read: &mut [u8] = read;
            let mut metas = [RecvMeta::default()];
            ready!(self.receive(cx, &mut [IoSliceMut::new(read)], &mut metas))?;
            let [came] = metas;
            self.pace.received();
            let mut length = came.len;
            if length > 0 && Protocol::of(read) != Protocol::Check {
                self.pace.passed();
            }
            if !self.pace.shake().is_over() || !self.pace.acquaintance().is_open() {
                length = self.unheard(came.addr, read, length, came.stride);
            }
            let first = length.min(came.stride).min(buf.len());
            buf[..first].copy_from_slice(&read[..first]);
            if length > came.stride {
                let rest = Bytes::copy_from_slice(&read[came.stride..length]);
                let packets = (0..rest.len()).step_by(came.stride);
                let packets = packets.map(|from| rest.slice(from..(from + came.stride).min(rest.len())));
                let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
                joined.extend(packets.map(|packet| (came.addr, packet)));
            }
            (*meta, meta.len, meta.stride) = (came, first, first.max(1));
            Poll::Ready(Ok(1))
        })
    }

    /// What the tap left for the library, or came too early or joined to another, one packet at a time.
    fn left(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.library.register(cx.waker());
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else { return Poll::Ready(Ok(0)) };
        let early = || self.early.next(self.pace.acquaintance(), Instant::now);
        let joined = || self.joined.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let waiting = early().or_else(joined).or_else(|| self.others.get()?.pop());
        let Some((from, packet)) = waiting else { return Poll::Pending };
        let length = packet.len().min(buf.len());
        buf[..length].copy_from_slice(&packet[..length]);
        *meta = RecvMeta::default();
        (meta.addr, meta.len, meta.stride) = (from, length, length.max(1));
        Poll::Ready(Ok(1))
    }
}

impl AsyncUdpSocket for Handle {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.io.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.0.note(transmit);
        if self.0.is_needless(transmit) {
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        if let Some(number) = self.0.tunnels.number(transmit.destination) {
            self.0.shaken(transmit);
            self.0.tunnel(number, transmit);
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        loop {
            ready!(self.0.io.poll_send_ready(cx))?;
            match self.0.send(transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(()) => {
                    self.0.shaken(transmit);
                    self.0.pace.left(transmit.contents.len());
                    return Poll::Ready(Ok(transmit.contents.len()));
                }
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let socket = &self.0;
        // What a tap left before it went comes first.
        if let Poll::Ready(left) = socket.left(cx, bufs, meta) {
            return Poll::Ready(left);
        }
        if socket.tapped.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else { return Poll::Ready(Ok(0)) };
        let read = socket.read(cx, buf, meta);
        // A tap that came meanwhile may have lost its place to this waker.
        if read.is_pending() && socket.tapped.load(Ordering::Acquire) {
            socket.tap.wake();
        }
        read
    }

    fn max_gso_segments(&self) -> usize {
        self.0.offload.0.max_gso_segments()
    }
}

/// The socket as QUIC sees it: one peer, and nothing of what is the library's. Dropping it gives the socket back.
#[derive(Debug)]
pub(super) struct Tap {
    socket: Arc<Socket>,
    remote: SocketAddr,
    /// Whether the socket took no more when it was last tried.
    full: AtomicBool,
}

impl Tap {
    /// Takes over reading a link's way; `None` if that is tapped already, or given up.
    pub(super) fn new(way: &Way) -> Option<Self> {
        let socket = way.socket.upgrade()?;
        let free = !socket.tapped.swap(true, Ordering::AcqRel);
        free.then(|| Self { socket, remote: way.remote, full: AtomicBool::new(false) })
    }

    /// Leaves the QUIC packets of one received buffer in it, and passes on the others; gives the length of what is left.
    fn sift(&self, from: SocketAddr, buf: &mut [u8], length: usize, stride: usize) -> usize {
        sift(buf, length, stride, |packet| {
            let protocol = Protocol::of(packet);
            let ours = protocol == Protocol::Quic && from == self.remote;
            if !ours {
                self.leave(from, protocol, packet);
            }
            ours
        })
    }

    fn leave(&self, from: SocketAddr, protocol: Protocol, packet: &[u8]) {
        if protocol == Protocol::Quic {
            self.socket.foreign.fetch_add(1, Ordering::Relaxed);
        }
        self.socket.leave(from, protocol, packet);
    }

    /// How many packets looked like QUIC and did not come from the peer.
    #[cfg(test)]
    pub(super) fn foreign(&self) -> u64 {
        self.socket.foreign.load(Ordering::Relaxed)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.socket.tapped.store(false, Ordering::Release);
        self.socket.library.wake();
    }
}

/// Leaves some packets of one received buffer in it, side by side; gives the length of what is left.
///
/// The kernel joins packets of one length, and a last one that may be shorter; what is left is such a buffer again.
fn sift(buf: &mut [u8], length: usize, stride: usize, mut stays: impl FnMut(&[u8]) -> bool) -> usize {
    let (mut read, mut kept) = (0, 0);
    while read < length {
        let end = (read + stride).min(length);
        if stays(&buf[read..end]) {
            if kept < read {
                buf.copy_within(read..end, kept);
            }
            kept += end - read;
        }
        read = end;
    }
    kept
}

fn to_quic(ecn: EcnCodepoint) -> QuicEcn {
    match ecn {
        EcnCodepoint::Ect0 => QuicEcn::Ect0,
        EcnCodepoint::Ect1 => QuicEcn::Ect1,
        EcnCodepoint::Ce => QuicEcn::Ce,
    }
}

fn from_quic(ecn: QuicEcn) -> EcnCodepoint {
    match ecn {
        QuicEcn::Ect0 => EcnCodepoint::Ect0,
        QuicEcn::Ect1 => EcnCodepoint::Ect1,
        QuicEcn::Ce => EcnCodepoint::Ce,
    }
}

impl quinn::AsyncUdpSocket for Tap {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Box::pin(Writable { tap: self, wait: None })
    }

    fn try_send(&self, transmit: &QuicTransmit<'_>) -> io::Result<()> {
        // The peer's address is the only one there is.
        if transmit.destination != self.remote {
            return Ok(());
        }
        let sent = self.socket.send(&Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.map(from_quic),
            contents: transmit.contents,
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        });
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.full.store(true, Ordering::Release);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [QuicMeta],
    ) -> Poll<io::Result<usize>> {
        let socket = &self.socket;
        socket.tap.register(cx.waker());
        let mut read = [RecvMeta::default(); webrtc::runtime::BATCH_SIZE];
        loop {
            let most = bufs.len().min(meta.len()).min(read.len());
            let count = ready!(socket.receive(cx, &mut bufs[..most], &mut read[..most]))?;
            let mut any = false;
            for ((buf, read), meta) in bufs.iter_mut().zip(&read).zip(meta.iter_mut()).take(count) {
                let left = self.sift(read.addr, buf, read.len, read.stride);
                any |= left > 0;
                *meta = QuicMeta::default();
                (meta.addr, meta.len, meta.stride) = (read.addr, left, read.stride);
                (meta.ecn, meta.dst_ip) = (read.ecn.map(to_quic), read.dst_ip);
            }
            if any {
                socket.pace.heard_now();
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.offload.0.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.offload.0.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.offload.0.may_fragment()
    }
}

type Wait = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// Waits for room in the socket beside the library, which has a place of its own.
struct Writable {
    tap: Arc<Tap>,
    wait: Option<Wait>,
}

impl std::fmt::Debug for Writable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writable").finish_non_exhaustive()
    }
}

impl quinn::UdpPoller for Writable {
    /// Asked before every packet, and there mostly is room: only a refused packet is worth waiting for.
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.tap.full.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let socket = Arc::clone(&self.tap.socket);
        let wait = self.wait.get_or_insert_with(|| Box::pin(async move { socket.io.writable().await }));
        let done = ready!(wait.as_mut().poll(cx));
        self.wait = None;
        self.tap.full.store(false, Ordering::Release);
        Poll::Ready(done)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests;
