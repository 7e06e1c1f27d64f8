//! Relays over TCP and TLS.
//!
//! The library's TURN client sends datagrams. For a relay that is reached otherwise it is told of a name that nobody else
//! knows, which our runtime resolves to an address that no packet ever has (RFC 7600); what it sends there goes over a
//! connection instead, and what comes of that is handed to it as if it had come from there. No port of this device is
//! open for it, so no other app can speak into it.
//!
//! A connection is made only when it may be needed: servers are listed by falling preference, and each waits until those
//! before it had time to answer. Where one has, later ones are refused in the server's stead, so that a link has one
//! allocation wherever UDP works. All of this begins anew whenever the library gathers.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use rustls::pki_types::ServerName;
use sidetone_wire::turn::{self, Messages};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::socket::Socket;
use super::{IceServer, Transport, Trust};

/// How long those before a server have to answer before its turn comes.
const TURN_AFTER: Duration = Duration::from_millis(400);
/// How long a connection may take, TLS and all.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Messages that wait for a connection; more are lost, as datagrams are.
const WAITING: usize = 64;
/// Most messages written at once.
const BATCH: usize = 16;
/// Bytes that may wait in the system without having been sent: what waits there cannot be overtaken by voice.
const UNSENT_BYTES: u32 = 16 * 1024;
/// The same where only the whole buffer can be bounded.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(300);

/// Addresses of no host: the dummy address of RFC 7600, and one of the discard-only prefix of RFC 6666.
const NOWHERE_4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const NOWHERE_6: Ipv6Addr = Ipv6Addr::new(0x0100, 0, 0, 0, 0, 0, 0, 8);
/// How a server is called to the library: a name of no host (RFC 6761 section 6.4), with its number as the port.
const NAME: &str = "tunnel.invalid";

/// Allocate: a request, and its answers (RFC 8656 section 17).
const ALLOCATE: [u8; 2] = [0x00, 0x03];
const ALLOCATED: [u8; 2] = [0x01, 0x03];
const NOT_ALLOCATED: [u8; 2] = [0x01, 0x13];
/// ERROR-CODE 403, without a reason.
const FORBIDDEN: [u8; 8] = [0, 9, 0, 4, 0, 0, 4, 3];

/// The servers of a link that are not reached by UDP, and which of all its servers have answered.
pub(super) struct Tunnels {
    servers: Vec<Server>,
    /// The place of the best server that has answered since the library gathers.
    answered: watch::Sender<usize>,
    /// The addresses that relays lent, and what carries packets to each of those relays.
    lent: watch::Sender<Vec<(SocketAddr, Transport)>>,
    /// Every task holds one end: it is closed when the last is gone.
    alive: watch::Sender<()>,
}

struct Server {
    host: String,
    port: u16,
    transport: Transport,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// How many servers come before it, of those that are reached by UDP one at most.
    place: usize,
    /// Whether a socket has it since the library gathers.
    taken: AtomicBool,
}

impl fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnels").field("servers", &self.servers.len()).finish_non_exhaustive()
    }
}

impl Tunnels {
    /// Takes those of a link's servers that are not reached by UDP; `None` if a name cannot be in a certificate.
    pub(super) fn new(servers: &[IceServer], trust: &Trust) -> Option<Self> {
        let udp = servers.iter().any(|one| matches!(one, IceServer::Turn { transport: Transport::Udp, .. }));
        let mut tunnels = Vec::new();
        for server in servers {
            let IceServer::Turn { host, port, transport, .. } = server else { continue };
            let tls = match transport {
                Transport::Udp => continue,
                Transport::Tcp => None,
                Transport::Tls => Some((trust.connector(), ServerName::try_from(host.clone()).ok()?)),
            };
            let (place, taken) = (usize::from(udp) + tunnels.len(), AtomicBool::new(true));
            tunnels.push(Server { host: host.clone(), port: *port, transport: *transport, tls, place, taken });
        }
        let (answered, lent, alive) =
            (watch::Sender::new(usize::MAX), watch::Sender::default(), watch::Sender::new(()));
        Some(Self { servers: tunnels, answered, lent, alive })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }

    /// How the library is told of a server: a host and a port.
    pub(super) fn alias(number: usize) -> (&'static str, usize) {
        (NAME, number + 1)
    }

    /// Where the library is to send for such a name, which it asks for when it begins to gather.
    pub(super) fn resolve(&self, host: &str) -> Option<Vec<SocketAddr>> {
        let port: u16 = host.strip_prefix(NAME)?.strip_prefix(':')?.parse().ok()?;
        let server = self.servers.get(usize::from(port).checked_sub(1)?)?;
        self.answered.send_replace(usize::MAX);
        server.taken.store(false, Ordering::Relaxed);
        Some([IpAddr::from(NOWHERE_4), NOWHERE_6.into()].map(|ip| SocketAddr::new(ip, port)).into())
    }

    /// Which server an address stands for.
    pub(super) fn number(&self, address: SocketAddr) -> Option<usize> {
        let nowhere = address.ip() == NOWHERE_4 || address.ip() == NOWHERE_6;
        let number = usize::from(address.port()).checked_sub(1)?;
        (nowhere && number < self.servers.len()).then_some(number)
    }

    /// A relay, which the library knows by this URL, lent an address.
    pub(super) fn lends(&self, address: SocketAddr, url: &str) {
        let transport = self.transport(url);
        self.lent.send_modify(|lent| lent.push((address, transport)));
    }

    /// What carries packets to the relay that lent an address.
    pub(super) fn carries(&self, address: SocketAddr) -> Transport {
        let lent = self.lent.borrow();
        lent.iter().rev().find(|(one, _)| *one == address).map_or(Transport::Udp, |(_, transport)| *transport)
    }

    /// What carries packets to the server of a URL that the library was given.
    fn transport(&self, url: &str) -> Transport {
        let port = url.split_once(NAME).and_then(|(_, rest)| rest.strip_prefix(':')).map(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.get(..digits).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or_default()
        });
        let server = port.and_then(|port| self.servers.get(port.checked_sub(1)?));
        server.map_or(Transport::Udp, |server| server.transport)
    }

    /// A datagram came: if it is a relay's answer, those after it are not needed.
    pub(super) fn hear(&self, datagram: &[u8]) {
        if !self.servers.is_empty() && is_answer(datagram) {
            self.answer(0);
        }
    }

    fn answer(&self, place: usize) {
        self.answered.send_if_modified(|best| {
            let better = place < *best;
            *best = place.min(*best);
            better
        });
    }

    /// Begins to reach a server for a socket whose first packet for it this is; what follows goes to what is returned.
    pub(super) fn begin(
        self: &Arc<Self>,
        number: usize,
        from: SocketAddr,
        socket: Weak<Socket>,
    ) -> mpsc::Sender<Bytes> {
        let (packets, waiting) = mpsc::channel(WAITING);
        let (tunnels, alive) = (Arc::clone(self), self.alive.subscribe());
        let run = async move {
            Tunnel { tunnels, number, from, socket, waiting }.run().await;
            drop(alive);
        };
        tokio::spawn(run.boxed());
        packets
    }

    /// Returns when all connections are gone, which end with their sockets.
    pub(super) async fn end(&self) {
        self.alive.closed().await;
    }
}

fn is_answer(message: &[u8]) -> bool {
    message.starts_with(&ALLOCATED) || message.starts_with(&NOT_ALLOCATED)
}

/// The way of one socket to one server.
struct Tunnel {
    tunnels: Arc<Tunnels>,
    number: usize,
    /// Which address it stands for.
    from: SocketAddr,
    socket: Weak<Socket>,
    waiting: mpsc::Receiver<Bytes>,
}

/// Why there is no connection.
enum Unmade {
    /// It is not needed, or cannot be made: the library is to give up.
    Refused,
    /// The socket is gone.
    Gone,
}

impl Tunnel {
    async fn run(mut self) {
        let mut asked = Bytes::new();
        let stream = match self.make(&mut asked).await {
            Ok(stream) => stream,
            Err(Unmade::Gone) => return,
            Err(Unmade::Refused) => return self.refuse(&asked).await,
        };
        let (reading, writing) = split(stream);
        let Self { tunnels, number, from, socket, mut waiting } = self;
        let place = tunnels.servers.get(number).map_or(usize::MAX, |server| server.place);
        let hear = async {
            let heard = |message: &[u8]| {
                if is_answer(message) {
                    tunnels.answer(place);
                }
                socket.upgrade().map(|socket| socket.hand(from, message))
            };
            hear(reading, heard).await;
        };
        // Who is not heard any more may still have said goodbye; a server that hung up hears nothing.
        tokio::select! {
            () = say(writing, asked, &mut waiting) => {}
            () = hear => {}
        }
    }

    /// Waits for this server's turn and connects, while the library says again and again the same.
    async fn make(&mut self, asked: &mut Bytes) -> Result<Box<dyn Stream>, Unmade> {
        let tunnels = Arc::clone(&self.tunnels);
        let server = tunnels.servers.get(self.number).ok_or(Unmade::Refused)?;
        let mut answered = tunnels.answered.subscribe();
        let mut making = std::pin::pin!(async {
            if server.taken.swap(true, Ordering::Relaxed) {
                return None;
            }
            tokio::time::sleep(TURN_AFTER * u32::try_from(server.place).unwrap_or(u32::MAX)).await;
            match timeout(CONNECT_LIMIT, connect(server)).await {
                Ok(Ok(stream)) => Some(stream),
                _ => None,
            }
        });
        loop {
            tokio::select! {
                made = &mut making => {
                    while let Ok(packet) = self.waiting.try_recv() {
                        keep(asked, packet);
                    }
                    return made.ok_or(Unmade::Refused);
                }
                _ = answered.wait_for(|best| *best < server.place) => return Err(Unmade::Refused),
                packet = self.waiting.recv() => keep(asked, packet.ok_or(Unmade::Gone)?),
            }
        }
    }

    /// Says no in the server's stead, until the library asks no more.
    async fn refuse(mut self, asked: &Bytes) {
        let mut asked = Some(asked.clone());
        loop {
            if let Some(refusal) = asked.as_deref().and_then(refusal) {
                let Some(socket) = self.socket.upgrade() else { return };
                socket.hand(self.from, &refusal);
            }
            asked = match timeout(CONNECT_LIMIT, self.waiting.recv()).await {
                Ok(Some(packet)) => Some(packet),
                Ok(None) | Err(_) => return,
            };
        }
    }
}

/// Keeps the latest request for an allocation: the library has nothing else to say before it has one.
fn keep(asked: &mut Bytes, packet: Bytes) {
    if packet.starts_with(&ALLOCATE) {
        *asked = packet;
    }
}

/// The refusal of a request for an allocation.
fn refusal(asked: &[u8]) -> Option<Vec<u8>> {
    let header = asked.first_chunk::<20>().filter(|header| header.starts_with(&ALLOCATE))?;
    let length = u16::try_from(FORBIDDEN.len()).ok()?.to_be_bytes();
    Some([&NOT_ALLOCATED, &length, &header[4..], &FORBIDDEN].concat())
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn connect(server: &Server) -> io::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect((server.host.as_str(), server.port)).await?;
    tcp.set_nodelay(true)?;
    bound(&tcp);
    Ok(match &server.tls {
        None => Box::new(tcp),
        Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await?),
    })
}

/// A system that does not bound what waits is no reason not to connect.
fn bound(tcp: &TcpStream) {
    let options = SockRef::from(tcp);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = options.set_tcp_notsent_lowat(UNSENT_BYTES);
    let _ = options.set_send_buffer_size(BUFFER_BYTES);
}

/// Hands on what comes until it ends, or nobody is there to take it.
async fn hear(mut stream: ReadHalf<Box<dyn Stream>>, mut heard: impl FnMut(&[u8]) -> Option<()>) {
    let mut messages = Messages::new(&[]);
    loop {
        match messages.take() {
            Ok(Some(message)) => match heard(message) {
                Some(()) => {}
                // The last words are on their way, and say when they are over.
                None => std::future::pending().await,
            },
            Ok(None) => match stream.read(messages.room()).await {
                Ok(count) if count > 0 => messages.read(count),
                _ => return,
            },
            Err(_) => return,
        }
    }
}

/// Sends what there is until the socket is gone, and says so.
async fn say(mut stream: WriteHalf<Box<dyn Stream>>, first: Bytes, waiting: &mut mpsc::Receiver<Bytes>) {
    let mut batch = vec![first];
    loop {
        let mut bytes = Vec::with_capacity(batch.iter().map(|message| message.len() + 3).sum());
        batch.drain(..).for_each(|message| turn::put(&mut bytes, message_of(&message)));
        let written = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        // While nobody is left to wait for it, only the last words count.
        let limit = if waiting.is_closed() { FAREWELL } else { CONNECT_LIMIT };
        if !matches!(timeout(limit, written).await, Ok(Ok(()))) {
            return;
        }
        if waiting.recv_many(&mut batch, BATCH).await == 0 {
            let _ = timeout(FAREWELL, stream.shutdown()).await;
            return;
        }
    }
}

/// A datagram of the library without what may follow its message.
fn message_of(datagram: &[u8]) -> &[u8] {
    match turn::length(datagram) {
        Ok(Some(length)) => datagram.get(..length).unwrap_or_default(),
        _ => &[],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::IoSliceMut;
    use std::task::{Context, Poll, Waker};

    use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

    use super::super::RoutePolicy;
    use super::super::pace::Pace;
    use super::super::pulse::Pulse;
    use super::super::socket::Handle;
    use super::*;

    fn turn_server(transport: Transport) -> IceServer {
        let (username, password) = ("u".into(), "p".into());
        IceServer::Turn { host: "relay.example".into(), port: 443, transport, username, password }
    }

    #[test]
    fn each_server_has_its_name_its_address_and_its_turn() {
        let servers = [Transport::Udp, Transport::Tcp, Transport::Udp, Transport::Tls].map(turn_server);
        let tunnels = Tunnels::new(&servers, &Trust::default()).unwrap();
        assert_eq!(tunnels.servers.iter().map(|server| server.place).collect::<Vec<_>>(), [1, 2]);
        for (number, transport) in [(0, Transport::Tcp), (1, Transport::Tls)] {
            let (host, port) = Tunnels::alias(number);
            let addresses = tunnels.resolve(&format!("{host}:{port}")).unwrap();
            assert!(addresses.iter().all(|address| tunnels.number(*address) == Some(number)), "{addresses:?}");
            assert_eq!(tunnels.transport(&format!("turn:{host}:{port}?transport=udp")), transport);
        }
        for other in ["relay.example:1", "tunnel.invalid:3", "tunnel.invalid:0", "tunnel.invalid", "tunnel.invalid:x"] {
            assert_eq!(tunnels.resolve(other), None, "{other}");
            assert_eq!(tunnels.transport(&format!("turn:{other}?transport=udp")), Transport::Udp, "{other}");
        }
        for elsewhere in ["192.0.0.8:3", "192.0.0.8:0", "192.0.0.9:1", "[100::9]:1"] {
            assert_eq!(tunnels.number(elsewhere.parse().unwrap()), None, "{elsewhere}");
        }
    }

    #[test]
    fn only_a_request_for_an_allocation_is_refused() {
        let mut request = vec![0, 3, 0, 0];
        request.extend_from_slice(&[7; 16]);
        let refused = refusal(&request).unwrap();
        assert_eq!((&refused[..4], &refused[4..20]), (&[1, 0x13, 0, 8][..], &request[4..]));
        assert!(is_answer(&refused));
        request[1] = 4;
        assert_eq!(refusal(&request), None);
        assert_eq!(refusal(&[0, 3]), None);
    }

    /// A socket of a link with a relay over UDP and one over TCP, which is at `port`.
    fn socket(port: u16) -> (Arc<Tunnels>, Handle) {
        let (username, password) = ("u".to_owned(), "p".to_owned());
        let transport = Transport::Tcp;
        let tcp = IceServer::Turn { host: "127.0.0.1".into(), port, transport, username, password };
        let tunnels = Arc::new(Tunnels::new(&[turn_server(Transport::Udp), tcp], &Trust::default()).unwrap());
        let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (pace, pulse, way) =
            (Arc::new(Pace::new(RoutePolicy::Any)), Arc::new(Pulse::new()), watch::Sender::new(None));
        let handle = Socket::wrap(std, pace, pulse, way, Arc::clone(&tunnels)).unwrap();
        (tunnels, handle)
    }

    fn ask(tunnels: &Tunnels, handle: &Handle) {
        let to = tunnels.resolve("tunnel.invalid:1").unwrap()[0];
        let request = [&[0, 3, 0, 0][..], &[7; 16]].concat();
        let transmit = Transmit { destination: to, ecn: None, contents: &request, segment_size: None, src_ip: None };
        let sent = handle.poll_send(&mut Context::from_waker(Waker::noop()), &transmit);
        assert!(matches!(sent, Poll::Ready(Ok(20))));
    }

    /// What the library reads next.
    async fn read(handle: &Handle) -> Vec<u8> {
        let (mut buffer, mut meta) = ([0; 2048], [RecvMeta::default()]);
        let read = std::future::poll_fn(|cx| handle.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta));
        assert_eq!((read.await.unwrap(), meta[0].addr.ip()), (1, IpAddr::from(NOWHERE_4)));
        buffer[..meta[0].len].to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn where_udp_answers_nothing_is_connected() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (tunnels, handle) = socket(listener.local_addr().unwrap().port());
        ask(&tunnels, &handle);
        tunnels.hear(&[1, 0x13, 0, 0]);
        assert!(read(&handle).await.starts_with(&NOT_ALLOCATED));
        drop(handle);
        tunnels.end().await;
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);

        // The control: where it does not, its turn comes.
        let (tunnels, handle) = socket(listener.local_addr().unwrap().port());
        let begun = tokio::time::Instant::now();
        ask(&tunnels, &handle);
        tunnels.hear(&[1, 1, 0, 0]);
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(begun.elapsed() >= TURN_AFTER);
        let mut asked = [0; 20];
        stream.read_exact(&mut asked).await.unwrap();
        assert!(asked.starts_with(&ALLOCATE));
        stream.write_all(&[&ALLOCATED[..], &[0; 18]].concat()).await.unwrap();
        assert!(read(&handle).await.starts_with(&ALLOCATED));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_links_sockets_one_has_the_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (tunnels, one) = socket(listener.local_addr().unwrap().port());
        let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (pace, pulse, way) =
            (Arc::new(Pace::new(RoutePolicy::Any)), Arc::new(Pulse::new()), watch::Sender::new(None));
        let two = Socket::wrap(std, pace, pulse, way, Arc::clone(&tunnels)).unwrap();
        ask(&tunnels, &one);
        let (_stream, _) = listener.accept().await.unwrap();
        let to = SocketAddr::from((NOWHERE_4, 1));
        let request = [&[0, 3, 0, 0][..], &[8; 16]].concat();
        let transmit = Transmit { destination: to, ecn: None, contents: &request, segment_size: None, src_ip: None };
        assert!(two.poll_send(&mut Context::from_waker(Waker::noop()), &transmit).is_ready());
        assert!(read(&two).await.starts_with(&NOT_ALLOCATED));
    }
}
