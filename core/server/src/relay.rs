//! The sockets of STUN and TURN.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use socket2::SockRef;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use zeroize::Zeroizing;

use crate::config::{Listener, RelayConfig, StartError};
use crate::keys::Draws;
use crate::serve::{Clock, Crowd, Gate, cannot_listen};
use crate::turn::{AllocationId, Client, Line, Out, Ports, RelayTag, Turn, TurnConfig};

mod lines;

pub(crate) use lines::Lines;
use lines::{FromLine, Reach};

/// Datagrams from peers that wait for the relay; more are dropped, as on any full line.
const WAITING: usize = 1_024;
/// Tags to be cut off that wait for the relay; whoever has more keeps them for a moment.
const CUT_OFF: usize = 256;
/// Larger than any datagram that travels without fragments.
const DATAGRAM: usize = 2_048;
/// Messages of connections that wait for the relay; who has more waits.
const SPOKEN: usize = 256;
/// Ports that are tried where any will do, until one is free for datagrams and for connections.
const BINDS: usize = 16;
/// Ports tried for one allocation before the relay is said to be full.
const TRIES: usize = 32;
const REALM: &str = "sidetone";

/// What the relay counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RelayFigures {
    /// Allocations now.
    pub allocations: u64,
    /// Datagrams sent on to peers.
    pub to_peers: u64,
    /// Bytes of them.
    pub bytes_to_peers: u64,
    /// Datagrams sent to clients, answers included.
    pub to_clients: u64,
    /// Bytes of them.
    pub bytes_to_clients: u64,
    /// Connections over TCP and TLS now.
    pub lines: u64,
    /// Connections that were turned away, for an address had too many.
    pub turned_away: u64,
    /// Messages of clients that led to nothing: malformed, of nobody, to nobody who may be reached, or too many.
    pub ignored: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    allocations: AtomicU64,
    lines: AtomicU64,
    turned_away: AtomicU64,
    ignored: AtomicU64,
    to_peers: AtomicU64,
    bytes_to_peers: AtomicU64,
    to_clients: AtomicU64,
    bytes_to_clients: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> RelayFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RelayFigures {
            allocations: read(&self.allocations),
            to_peers: read(&self.to_peers),
            bytes_to_peers: read(&self.bytes_to_peers),
            to_clients: read(&self.to_clients),
            bytes_to_clients: read(&self.bytes_to_clients),
            lines: read(&self.lines),
            turned_away: read(&self.turned_away),
            ignored: read(&self.ignored),
        }
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }
}

/// A relay that listens. Dropping it closes every port.
pub(crate) struct Relay {
    public: SocketAddr,
    addr: SocketAddr,
    counters: Arc<Counters>,
    cut_off: mpsc::Sender<RelayTag>,
    lines: Lines,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Relay {
    pub(crate) async fn start(
        config: &RelayConfig,
        clock: Clock,
        secret: Zeroizing<Vec<u8>>,
        seed: [u8; 32],
    ) -> Result<Self, StartError> {
        let public = config.public.unwrap_or(config.listen.ip());
        if public.is_unspecified() {
            return Err(StartError::NoPublicAddress);
        }
        if config.ports.is_empty() {
            return Err(StartError::NoRelayPorts);
        }
        let failed = |error: std::io::Error| cannot_listen(Listener::Relay, config.listen, &error);
        let (socket, listener) = bind(config.listen).await.map_err(failed)?;
        let addr = socket.local_addr().map_err(failed)?;
        let counters = Arc::new(Counters::default());
        let (news, peers) = mpsc::channel(WAITING);
        let mut draws = Draws::new(seed);
        let turn = Turn::new(TurnConfig {
            secret,
            realm: REALM.to_owned(),
            public,
            test_peers: config.test_peers.clone(),
            quota: config.quota,
            seed: draws.bytes(),
        });
        let ports = Sockets { bind: addr.ip(), range: config.ports.clone(), draws, news, open: BTreeMap::new() };
        let desk = Desk { turn, ports, socket, clock, counters: Arc::clone(&counters), lines: BTreeMap::new() };
        let (cut_off, orders) = mpsc::channel(CUT_OFF);
        let (spoken, heard) = mpsc::channel(SPOKEN);
        let lines = Lines::new(spoken);
        let accept = accept(listener, config.crowd, clock, lines.clone(), Arc::clone(&counters));
        let tasks = [tokio::spawn(desk.run(peers, orders, heard)), tokio::spawn(accept)];
        Ok(Self { public: (public, addr.port()).into(), addr, counters, cut_off, lines, tasks })
    }

    /// Where connections are brought that were opened elsewhere.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Where phones are told to send.
    pub(crate) fn public(&self) -> SocketAddr {
        self.public
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where tags go that are to be cut off.
    pub(crate) fn cut_off(&self) -> mpsc::Sender<RelayTag> {
        self.cut_off.clone()
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

type FromPeer = (AllocationId, SocketAddr, Vec<u8>);

/// One port for datagrams and for connections.
async fn bind(listen: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener)> {
    let mut left = if listen.port() == 0 { BINDS } else { 1 };
    loop {
        let socket = UdpSocket::bind(listen).await?;
        left -= 1;
        match TcpListener::bind(socket.local_addr()?).await {
            Ok(listener) => return Ok((socket, listener)),
            Err(error) if left == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// Accepts connections that are not encrypted.
async fn accept(mut listener: TcpListener, crowd: Crowd, clock: Clock, lines: Lines, counters: Arc<Counters>) {
    let mut gate = Gate::new(crowd);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, addr) = axum::serve::Listener::accept(&mut listener).await;
        let Some(pass) = gate.admit(clock.now().ticks_ms, addr.ip()) else {
            counters.turned_away();
            continue;
        };
        let _ = stream.set_nodelay(true);
        let lines = lines.clone();
        connections.spawn(async move {
            lines.carry(stream, addr, &[]).await;
            drop(pass);
        });
    }
}

struct Desk {
    turn: Turn,
    ports: Sockets,
    socket: UdpSocket,
    clock: Clock,
    counters: Arc<Counters>,
    lines: BTreeMap<Client, Reach>,
}

impl Desk {
    async fn run(
        mut self,
        mut peers: mpsc::Receiver<FromPeer>,
        mut orders: mpsc::Receiver<RelayTag>,
        mut lines: mpsc::Receiver<FromLine>,
    ) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        let mut buffer = vec![0; DATAGRAM];
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.turn.tick(self.clock.now(), &mut self.ports);
                    self.hang_up();
                }
                Some(tag) = orders.recv() => self.cut_off(&tag),
                // An error here is about a datagram sent before; the next one may well come.
                Ok((len, from)) = self.socket.recv_from(&mut buffer) => {
                    self.heed(&mut orders);
                    self.hear(from.into(), &buffer[..len]);
                }
                Some(spoken) = lines.recv() => {
                    self.heed(&mut orders);
                    self.line(spoken);
                }
                Some((allocation, peer, bytes)) = peers.recv() => {
                    let out = self.turn.peer(self.clock.now(), allocation, peer, &bytes);
                    self.carry_out(out);
                }
            }
            self.counters.allocations.store(self.turn.len() as u64, Ordering::Relaxed);
            self.counters.lines.store(self.lines.len() as u64, Ordering::Relaxed);
        }
    }

    /// Whoever was told that somebody is cut off finds it so.
    fn heed(&mut self, orders: &mut mpsc::Receiver<RelayTag>) {
        while let Ok(tag) = orders.try_recv() {
            self.cut_off(&tag);
        }
    }

    fn cut_off(&mut self, tag: &RelayTag) {
        self.turn.cut_off(self.clock.now(), &mut self.ports, tag);
        self.hang_up();
    }

    /// Ends connections whose allocation has ended.
    fn hang_up(&mut self) {
        self.lines.retain(|client, reach| !reach.served.load(Ordering::Relaxed) || self.turn.serves(*client));
    }

    fn line(&mut self, spoken: FromLine) {
        match spoken {
            FromLine::Opened(client, reach) => drop(self.lines.insert(client, reach)),
            FromLine::Closed(client) => {
                self.lines.remove(&client);
                self.turn.hang_up(&mut self.ports, client);
            }
            // What was sent before it was hung up on.
            FromLine::Message(client, _) if !self.lines.contains_key(&client) => {}
            FromLine::Message(client, bytes) => {
                self.hear(client, &bytes);
                let Some(reach) = self.lines.get(&client) else { return };
                if self.turn.serves(client) {
                    reach.served.store(true, Ordering::Relaxed);
                } else if reach.served.load(Ordering::Relaxed) {
                    self.lines.remove(&client);
                }
            }
        }
    }

    fn hear(&mut self, from: Client, bytes: &[u8]) {
        let out = self.turn.client(self.clock.now(), &mut self.ports, from, bytes);
        if out == Out::Drop {
            self.counters.ignored.fetch_add(1, Ordering::Relaxed);
        }
        self.carry_out(out);
    }

    /// What a socket or a connection does not take at once is lost, as datagrams may be.
    fn carry_out(&self, out: Out<'_>) {
        match out {
            Out::Drop => {}
            Out::Client(to, bytes) => {
                let len = bytes.len();
                let sent = match to.line {
                    Line::Udp => send(&self.socket, to.addr, &bytes),
                    Line::Stream(_) => self.lines.get(&to).is_some_and(|reach| reach.messages.try_send(bytes).is_ok()),
                };
                if sent {
                    count(&self.counters.to_clients, &self.counters.bytes_to_clients, len);
                }
            }
            Out::Peer(allocation, to, bytes) => {
                if self.ports.send(allocation, to, bytes) {
                    count(&self.counters.to_peers, &self.counters.bytes_to_peers, bytes.len());
                }
            }
        }
    }
}

/// Sends at once or not at all. Past tokio, which refuses until it has seen a new socket writable.
fn send(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) -> bool {
    SockRef::from(socket).send_to(bytes, &to.into()).is_ok()
}

fn count(datagrams: &AtomicU64, bytes: &AtomicU64, len: usize) {
    datagrams.fetch_add(1, Ordering::Relaxed);
    bytes.fetch_add(len as u64, Ordering::Relaxed);
}

struct Sockets {
    bind: IpAddr,
    range: RangeInclusive<u16>,
    draws: Draws,
    news: mpsc::Sender<FromPeer>,
    open: BTreeMap<AllocationId, Port>,
}

struct Port {
    socket: Arc<UdpSocket>,
    reader: JoinHandle<()>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Sockets {
    fn send(&self, allocation: AllocationId, to: SocketAddr, bytes: &[u8]) -> bool {
        self.open.get(&allocation).is_some_and(|port| send(&port.socket, to, bytes))
    }

    /// A port nobody can guess from the one before.
    fn bind(&mut self) -> Option<UdpSocket> {
        let ports = u32::from(self.range.end() - self.range.start()) + 1;
        (0..TRIES).find_map(|_| {
            let offset = u32::from_le_bytes(self.draws.bytes()) % ports;
            let port = self.range.start() + u16::try_from(offset).ok()?;
            let socket = StdSocket::bind((self.bind, port)).ok()?;
            socket.set_nonblocking(true).ok()?;
            UdpSocket::from_std(socket).ok()
        })
    }
}

impl Ports for Sockets {
    fn open(&mut self, allocation: AllocationId) -> Option<u16> {
        let socket = Arc::new(self.bind()?);
        let port = socket.local_addr().ok()?.port();
        let reader = tokio::spawn(read(Arc::clone(&socket), allocation, self.news.clone()));
        self.open.insert(allocation, Port { socket, reader });
        Some(port)
    }

    fn close(&mut self, allocation: AllocationId) {
        self.open.remove(&allocation);
    }
}

async fn read(socket: Arc<UdpSocket>, allocation: AllocationId, news: mpsc::Sender<FromPeer>) {
    let mut buffer = [0; DATAGRAM];
    while socket.readable().await.is_ok() {
        // Anything but a datagram is news of one sent before, or a false alarm.
        let Ok((len, peer)) = socket.try_recv_from(&mut buffer) else { continue };
        let _ = news.try_send((allocation, peer, buffer[..len].to_vec()));
    }
}
