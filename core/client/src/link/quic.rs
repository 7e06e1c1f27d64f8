//! One QUIC connection on a link's way: made on demand, for files. What is said of QUIC here also holds for [`super::ahead`].
//!
//! The answering end is the client, as it is in DTLS. Each end opens one stream towards the other; messages are on it one
//! after the other, each after its length in four bytes.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AsyncTimer, AsyncUdpSocket, ClientConfig, Connection, Endpoint, EndpointConfig, IdleTimeout, RecvStream,
    ServerConfig, TransportConfig, VarInt,
};
use tokio::sync::watch;

use super::Role;
use super::certificate::Certificate;
use super::socket::{Tap, Way};
use super::steady::{Sight, Steady};

/// What the peer may have under way towards us: 80 MB/s at a round trip of 100 ms.
const RECEIVE_BYTES: u32 = 8 * 1024 * 1024;
/// What waits here for the peer's acknowledgement at most.
pub(super) const SEND_BYTES: u64 = 8 * 1024 * 1024;
/// How long a peer may be silent before the connection is given up; one that is idle is closed before.
const SILENCE: Duration = Duration::from_secs(20);
/// Round-trip time before the first measurement, if the link knows none.
const ASSUMED_RTT: Duration = Duration::from_millis(100);
/// Handshakes that may be under way with the one address that is listened to: anybody can forge it.
const HANDSHAKES: usize = 4;
/// Bytes kept of a handshake before it is looked at.
const HANDSHAKE_BYTES: u64 = 64 * 1024;
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_millis(20);
/// The name in the handshake, which says nothing.
const NAME: &str = "peer";

/// QUIC version 1 (RFC 9000).
const VERSION: u32 = 1;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoQuic {
    #[error("the socket is still in use by the connection before")]
    Busy,
    #[error("the endpoint could not be made: {0}")]
    Setup(String),
    #[error("the handshake failed: {0}")]
    Handshake(#[from] quinn::ConnectionError),
    #[error("nobody came")]
    Nobody,
}

/// A connection; only [`Quic::close`] ends it at once.
pub(super) struct Quic {
    pub(super) connection: Connection,
    pub(super) sight: Arc<Sight>,
    endpoint: Endpoint,
}

/// An endpoint on a link's way, before there is a connection.
pub(super) struct Opening {
    endpoint: Endpoint,
    sight: Arc<Sight>,
    client: Option<ClientConfig>,
    remote: SocketAddr,
}

/// What both ends say they speak (RFC 7301).
const ALPN: &[u8] = b"sidetone-bulk/1";

/// How this end is the client of a peer whose certificate has that hash.
pub(super) fn client(
    own: &Certificate,
    peer: [u8; 32],
    alpn: &[u8],
    transport: Arc<TransportConfig>,
) -> Result<ClientConfig, NoQuic> {
    let tls = own.client(peer, alpn).map_err(failed)?;
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).map_err(failed)?));
    config.version(VERSION).transport_config(transport);
    Ok(config)
}

/// How this end is the server of a peer whose certificate has that hash.
pub(super) fn server(
    own: &Certificate,
    peer: [u8; 32],
    alpn: &[u8],
    transport: Arc<TransportConfig>,
) -> Result<ServerConfig, NoQuic> {
    let tls = own.server(peer, alpn).map_err(failed)?;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).map_err(failed)?));
    config.transport_config(transport).migration(false).max_incoming(HANDSHAKES);
    config.incoming_buffer_size(HANDSHAKE_BYTES).incoming_buffer_size_total(HANDSHAKE_BYTES);
    Ok(config)
}

/// An endpoint on a socket, whose tasks live in that nest.
pub(super) fn on(
    config: EndpointConfig,
    server: Option<ServerConfig>,
    socket: Arc<dyn AsyncUdpSocket>,
    nest: &Nest,
) -> Result<Endpoint, NoQuic> {
    Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(nest.spawner())).map_err(failed)
}

/// Shakes hands with the server at an address.
pub(super) async fn connect(
    endpoint: &Endpoint,
    config: ClientConfig,
    remote: SocketAddr,
) -> Result<Connection, NoQuic> {
    Ok(endpoint.connect_with(config, remote, NAME).map_err(failed)?.await?)
}

/// The first client that proves to be the peer; somebody who only forges its address keeps nobody out.
pub(super) async fn accept(endpoint: &Endpoint) -> Result<Connection, NoQuic> {
    let mut shaking = FuturesUnordered::new();
    let mut failed = None;
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) if shaking.len() < HANDSHAKES => shaking.extend(incoming.accept()),
                Some(incoming) => incoming.ignore(),
                None => return Err(failed.map_or(NoQuic::Nobody, NoQuic::Handshake)),
            },
            Some(shaken) = shaking.next() => match shaken {
                Ok(connection) => {
                    endpoint.set_server_config(None);
                    return Ok(connection);
                }
                Err(error) => failed = Some(error),
            },
        }
    }
}

/// Says goodbye with a code, if that takes no time.
pub(super) async fn farewell(connection: &Connection, endpoint: &Endpoint, code: VarInt) {
    connection.close(code, &[]);
    let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
}

fn failed(error: impl fmt::Display) -> NoQuic {
    NoQuic::Setup(error.to_string())
}

impl Opening {
    /// Takes over the way's socket; a server listens from now on.
    pub(super) fn new(
        role: Role,
        way: &Way,
        certificate: &Certificate,
        peer: [u8; 32],
        rtt: Option<Duration>,
        nest: &Nest,
    ) -> Result<Self, NoQuic> {
        let remote = way.remote;
        let sight = Arc::new(Sight::default());
        let mut transport = transport(rtt.unwrap_or(ASSUMED_RTT), RECEIVE_BYTES);
        transport.congestion_controller_factory(Arc::new(Steady::new(Arc::clone(&sight)))).send_window(SEND_BYTES);
        let transport = Arc::new(transport);
        let (client, server) = match role {
            Role::Answer => (Some(client(certificate, peer, ALPN, transport)?), None),
            Role::Offer => (None, Some(server(certificate, peer, ALPN, transport)?)),
        };
        let tap = Tap::new(way).ok_or(NoQuic::Busy)?;
        let endpoint = on(endpoint(), server, Arc::new(tap), nest)?;
        Ok(Self { endpoint, sight, client, remote })
    }

    /// Shakes hands with the peer.
    pub(super) async fn connect(self) -> Result<Quic, NoQuic> {
        let Self { endpoint, sight, client, remote } = self;
        let connection = match client {
            Some(config) => connect(&endpoint, config, remote).await?,
            None => accept(&endpoint).await?,
        };
        Ok(Quic { connection, sight, endpoint })
    }
}

impl Quic {
    /// Says goodbye if that takes no time, and returns when the socket is given back.
    pub(super) async fn close(self, nest: &Nest) {
        farewell(&self.connection, &self.endpoint, VarInt::from_u32(0)).await;
        drop(self);
        nest.end().await;
    }
}

/// Where the tasks of a link's connections live, which are never more than one's.
///
/// QUIC wants to linger after a close (RFC 9000 section 10.2), which a socket that goes on with other work cannot wait
/// for. Who comes late finds nobody, and knows it already by the data channel.
#[derive(Debug)]
pub(super) struct Nest {
    brood: watch::Sender<u64>,
}

impl Nest {
    pub(super) fn new() -> Self {
        Self { brood: watch::Sender::new(0) }
    }

    /// Ends every task and returns when they are gone.
    pub(super) async fn end(&self) {
        self.brood.send_modify(|brood| *brood = brood.wrapping_add(1));
        self.brood.closed().await;
    }

    fn spawner(&self) -> Spawner {
        Spawner { brood: self.brood.clone(), own: *self.brood.borrow() }
    }
}

/// Runs the tasks of an endpoint until its brood has to go.
#[derive(Debug)]
struct Spawner {
    brood: watch::Sender<u64>,
    own: u64,
}

impl quinn::Runtime for Spawner {
    fn new_timer(&self, at: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        quinn::TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let (mut brood, own) = (self.brood.subscribe(), self.own);
        let run = async move {
            let gone = async {
                let _ = brood.wait_for(|now| *now != own).await;
            };
            tokio::select! {
                () = gone => {}
                () = future => {}
            }
        };
        tokio::spawn(run.boxed());
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) fn endpoint() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    // Packets are told apart by that bit (RFC 9443 section 3).
    config.grease_quic_bit(false).supported_versions(vec![VERSION]);
    config
}

/// With what a round trip takes before it is measured, and how much the peer may have under way towards us.
pub(super) fn transport(rtt: Duration, window: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .stream_receive_window(VarInt::from_u32(window))
        .receive_window(VarInt::from_u32(window))
        .datagram_receive_buffer_size(None)
        .initial_rtt(rtt.max(Duration::from_millis(1)))
        .max_idle_timeout(IdleTimeout::try_from(SILENCE).ok())
        .allow_spin(false);
    config
}

/// What reading a message came to.
pub(super) enum Read {
    Message(Bytes),
    /// The peer finished its stream after a whole message.
    Finished,
    /// The connection is over, or the peer's stream is.
    Lost,
    /// The peer sent what no honest peer does.
    Breach,
}

/// Reads the next message of at most that length; a dropped future may have read half of one.
pub(super) async fn read(stream: &mut RecvStream, most: usize) -> Read {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(()) => {}
        Err(quinn::ReadExactError::FinishedEarly(0)) => return Read::Finished,
        Err(quinn::ReadExactError::FinishedEarly(_)) => return Read::Breach,
        Err(quinn::ReadExactError::ReadError(_)) => return Read::Lost,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        return Read::Breach;
    }
    let mut message = BytesMut::zeroed(length);
    match stream.read_exact(&mut message).await {
        Ok(()) => Read::Message(message.freeze()),
        Err(quinn::ReadExactError::FinishedEarly(_)) => Read::Breach,
        Err(quinn::ReadExactError::ReadError(_)) => Read::Lost,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use sha2::{Digest, Sha256};
    use webrtc::runtime::AsyncUdpSocket as _;

    use super::super::bulk::BULK_BYTES;
    use super::super::socket::tests::{Plugged, plug};
    use super::*;

    struct Pair {
        plugged: [Plugged; 2],
        ways: [Way; 2],
        certificates: [Certificate; 2],
        nests: [Nest; 2],
    }

    async fn pair() -> Pair {
        let plugged = [plug(), plug()];
        let [a, b] = plugged.each_ref().map(|one| one.handle.local_addr().unwrap());
        let ways = [plugged[0].way_to(b).await, plugged[1].way_to(a).await];
        let certificates = [Certificate::generate().unwrap(), Certificate::generate().unwrap()];
        Pair { plugged, ways, certificates, nests: [Nest::new(), Nest::new()] }
    }

    impl Pair {
        fn open(&self, end: usize, role: Role, expected: [u8; 32]) -> Opening {
            let (way, certificate, nest) = (&self.ways[end], &self.certificates[end], &self.nests[end]);
            Opening::new(role, way, certificate, expected, None, nest).unwrap()
        }

        fn hash(&self, end: usize) -> [u8; 32] {
            let dtls = self.certificates[end].dtls().unwrap();
            Sha256::digest(&dtls.dtls_certificate.certificate[0]).into()
        }
    }

    async fn guard<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), what).await.expect("nothing happened")
    }

    #[tokio::test]
    async fn ends_that_show_the_certificates_of_their_link_exchange_messages() {
        let pair = pair().await;
        let (server, client) = (pair.open(0, Role::Offer, pair.hash(1)), pair.open(1, Role::Answer, pair.hash(0)));
        let (server, client) = guard(async { tokio::join!(server.connect(), client.connect()) }).await;
        let (server, client) = (server.unwrap(), client.unwrap());
        let mut out = client.connection.open_uni().await.unwrap();
        out.write_all(&[0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0]).await.unwrap();
        out.finish().unwrap();
        let mut stream = guard(server.connection.accept_uni()).await.unwrap();
        assert!(matches!(read(&mut stream, BULK_BYTES).await, Read::Message(message) if message == [1, 2, 3][..]));
        assert!(matches!(read(&mut stream, BULK_BYTES).await, Read::Message(message) if message.is_empty()));
        assert!(matches!(read(&mut stream, BULK_BYTES).await, Read::Finished));
        drop((out, stream));
        guard(async { tokio::join!(server.close(&pair.nests[0]), client.close(&pair.nests[1])) }).await;
        // The sockets are free for the next connection.
        let (server, client) = (pair.open(0, Role::Offer, pair.hash(1)), pair.open(1, Role::Answer, pair.hash(0)));
        let (server, client) = guard(async { tokio::join!(server.connect(), client.connect()) }).await;
        assert!(server.is_ok() && client.is_ok());
        assert_eq!(pair.plugged.len(), 2);
    }

    #[tokio::test]
    async fn a_server_with_another_certificate_is_refused() {
        let pair = pair().await;
        let server = pair.open(0, Role::Offer, pair.hash(1));
        let client = pair.open(1, Role::Answer, [7; 32]);
        let listening = tokio::spawn(server.connect());
        let refused = guard(client.connect()).await.err().unwrap();
        assert!(matches!(refused, NoQuic::Handshake(_)), "{refused}");
        assert!(!listening.is_finished());
        listening.abort();
    }

    #[tokio::test]
    async fn a_client_with_another_certificate_is_refused() {
        let pair = pair().await;
        let server = pair.open(0, Role::Offer, [7; 32]);
        let client = pair.open(1, Role::Answer, pair.hash(0));
        let listening = tokio::spawn(server.connect());
        let refused = async {
            // A client is done before it is judged.
            match client.connect().await {
                Ok(quic) => quic.connection.closed().await,
                Err(NoQuic::Handshake(error)) => error,
                Err(other) => panic!("{other}"),
            }
        };
        let refused = guard(refused).await;
        assert!(matches!(refused, quinn::ConnectionError::ConnectionClosed(_)), "{refused}");
        assert!(!listening.is_finished());
        listening.abort();
    }

    #[tokio::test]
    async fn messages_that_are_too_long_or_cut_off_are_a_breach() {
        let pair = pair().await;
        let (server, client) = (pair.open(0, Role::Offer, pair.hash(1)), pair.open(1, Role::Answer, pair.hash(0)));
        let (server, client) = guard(async { tokio::join!(server.connect(), client.connect()) }).await;
        let (server, client) = (server.unwrap(), client.unwrap());
        let too_long = (BULK_BYTES as u32 + 1).to_be_bytes();
        for bytes in [&too_long[..], &[0, 0], &[0, 0, 0, 9, 1]] {
            let mut stream = guard(client.connection.open_uni()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.finish().unwrap();
            let mut stream = guard(server.connection.accept_uni()).await.unwrap();
            assert!(matches!(guard(read(&mut stream, BULK_BYTES)).await, Read::Breach), "{bytes:?}");
        }
    }
}
