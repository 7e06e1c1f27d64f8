//! TURN clients: the one that WebRTC uses, on a socket or on a connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc_turn::client::{Client, ClientConfig, Event};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, RootCertStore, StreamOwned};
use sansio::Protocol;
use sidetone_wire::turn::{Messages, put};

/// Longer than anything on loopback takes; reached only when a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often a client that waits looks at its clock.
const LOOK: Duration = Duration::from_millis(20);

/// What a client's messages travel by.
pub enum Line {
    Udp(UdpSocket),
    Stream(Box<dyn Stream>, Messages),
}

pub trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

impl Line {
    pub fn udp() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LOOK)).unwrap();
        Self::Udp(socket)
    }

    pub fn tcp(to: SocketAddr) -> Self {
        Self::Stream(Box::new(connect(to)), Messages::new(&[]))
    }

    /// Over TLS with a name in the certificate, asking for protocols.
    pub fn tls(to: SocketAddr, root: &CertificateDer<'static>, asks: &[&[u8]]) -> Self {
        Self::Stream(Box::new(tls(to, root, asks)), Messages::new(&[]))
    }

    fn send(&mut self, bytes: &[u8], to: SocketAddr) {
        match self {
            Self::Udp(socket) => assert_eq!(socket.send_to(bytes, to).unwrap(), bytes.len()),
            Self::Stream(stream, _) => {
                let mut padded = Vec::new();
                put(&mut padded, bytes);
                // A relay that has hung up takes nothing; what waits for an answer notices.
                let _ = stream.write_all(&padded).and_then(|()| stream.flush());
            }
        }
    }

    /// A message, nothing yet, or the end.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Udp(socket) => {
                let mut buffer = [0; 2_048];
                Ok(socket.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec()))
            }
            Self::Stream(stream, messages) => loop {
                if let Some(message) = messages.take().unwrap() {
                    return Ok(Some(message.to_vec()));
                }
                match stream.read(messages.room()) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(len) => messages.read(len),
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                }
            },
        }
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(LOOK)).unwrap();
    stream
}

/// A connection over TLS whose handshake is over.
pub fn tls(to: SocketAddr, root: &CertificateDer<'static>, asks: &[&[u8]]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = asks.iter().map(|asked| asked.to_vec()).collect();
    let name = ServerName::try_from("meet.example").unwrap();
    let tcp = TcpStream::connect(to).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.sock.set_read_timeout(Some(LOOK)).unwrap();
    stream
}

/// A TURN client and its line.
pub struct Turned {
    client: Client,
    line: Line,
    relay: SocketAddr,
    local: SocketAddr,
    relayed: Option<SocketAddr>,
}

impl Turned {
    pub fn new(relay: SocketAddr, username: &str, password: &str) -> Self {
        Self::over(Line::udp(), relay, username, password)
    }

    pub fn over(line: Line, relay: SocketAddr, username: &str, password: &str) -> Self {
        let local = match &line {
            Line::Udp(socket) => socket.local_addr().unwrap(),
            Line::Stream(..) => SocketAddr::from((Ipv4Addr::LOCALHOST, 9)),
        };
        let config = ClientConfig {
            stun_serv_addr: relay.to_string(),
            turn_serv_addr: relay.to_string(),
            local_addr: local,
            transport_protocol: TransportProtocol::UDP,
            username: username.to_owned(),
            password: password.to_owned(),
            realm: String::new(),
            software: String::new(),
            rto_in_ms: 0,
            allocation_refresh_interval_cap: None,
        };
        let client = Client::new(config, rtc_crypto::default_provider().unwrap()).unwrap();
        Self { client, line, relay, local, relayed: None }
    }

    /// Drives the client until an event comes, or its connection ends.
    fn try_event(&mut self) -> io::Result<Event> {
        let until = Instant::now() + PATIENCE;
        loop {
            while let Some(out) = self.client.poll_write() {
                self.line.send(&out.message, out.transport.peer_addr);
            }
            if let Some(event) = self.client.poll_event() {
                return Ok(event);
            }
            assert!(Instant::now() < until, "no answer from the relay");
            if let Some(message) = self.line.receive()? {
                let (local_addr, peer_addr) = (self.local, self.relay);
                let transport =
                    TransportContext { local_addr, peer_addr, transport_protocol: TransportProtocol::UDP, ecn: None };
                let message = BytesMut::from(&message[..]);
                self.client.handle_read(TransportMessage { now: Instant::now(), transport, message }).unwrap();
            }
            self.client.handle_timeout(Instant::now()).unwrap();
        }
    }

    fn event(&mut self) -> Event {
        self.try_event().unwrap()
    }

    pub fn allocate(&mut self) -> Result<SocketAddr, String> {
        self.client.allocate(Instant::now()).unwrap();
        match self.event() {
            Event::AllocateResponse(_, relayed) => {
                self.relayed = Some(relayed);
                Ok(relayed)
            }
            Event::AllocateError(_, error) => Err(error.to_string()),
            other => panic!("{other:?}"),
        }
    }

    pub fn permit(&mut self, peer: SocketAddr) -> Result<(), String> {
        self.client.relay(self.relayed.unwrap()).unwrap().create_permission(Instant::now(), peer).unwrap();
        match self.event() {
            Event::CreatePermissionResponse(..) => Ok(()),
            Event::CreatePermissionError(_, error) => Err(error.to_string()),
            other => panic!("{other:?}"),
        }
    }

    pub fn send(&mut self, bytes: &[u8], peer: SocketAddr) {
        self.client.relay(self.relayed.unwrap()).unwrap().send_to(Instant::now(), bytes, peer).unwrap();
        while let Some(out) = self.client.poll_write() {
            self.line.send(&out.message, out.transport.peer_addr);
        }
    }

    /// Data, by channel or by indication.
    pub fn data(&mut self) -> (bool, SocketAddr, Vec<u8>) {
        match self.event() {
            Event::DataIndicationOrChannelData(channel, peer, data) => (channel.is_some(), peer, data.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    /// Where others send to reach this client.
    pub fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// Whether a message comes, which is thrown away.
    pub fn receives(&mut self) -> bool {
        matches!(self.line.receive(), Ok(Some(_)))
    }

    /// Returns when the relay hangs up.
    pub fn hung_up(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.line.receive().is_ok() {
            assert!(Instant::now() < until, "the relay does not hang up");
        }
    }
}
