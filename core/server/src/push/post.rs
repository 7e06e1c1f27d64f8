//! One request to a push service, and its answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::Call;
use crate::turn::{PeerRange, is_public};

/// How long one request may take, connection and all.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const ANSWER_BYTES: usize = 16 * 1024;

/// Asks push services.
pub(super) struct Post {
    /// By protocol: HTTP/1.1 and HTTP/2.
    tls: [TlsConnector; 2],
    test_hosts: Vec<PeerRange>,
}

/// What a push service said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Post {
    /// Trusts Mozilla's roots and these; asks hosts of the internet and these. `None` if one is no root.
    pub(super) fn new(roots: &[Vec<u8>], test_hosts: Vec<PeerRange>) -> Option<Self> {
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in roots {
            store.add(CertificateDer::from(root.as_slice())).ok()?;
        }
        let tls = [&b"http/1.1"[..], b"h2"].map(|protocol| {
            let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the provider has the suites of TLS 1.2 and 1.3")
                .with_root_certificates(store.clone())
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        });
        Some(Self { tls, test_hosts })
    }

    /// Asks once.
    pub(super) async fn ask(&self, call: Call) -> io::Result<Answer> {
        timeout(LIMIT, self.asking(call)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn asking(&self, call: Call) -> io::Result<Answer> {
        let stream = self.connect(&call.url, call.http2).await?;
        let request = request(&call)?;
        let response = if call.http2 { over_2(stream, request).await? } else { over_1(stream, request).await? };
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await.map_err(io::Error::other)?;
        Ok(Answer { status, body: body.to_bytes().to_vec() })
    }

    async fn connect(&self, url: &Url, http2: bool) -> io::Result<TlsStream<TcpStream>> {
        let refused = || io::Error::from(io::ErrorKind::InvalidInput);
        let host = url.host_str().filter(|_| url.scheme() == "https").ok_or_else(refused)?;
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| refused())?;
        let port = url.port_or_known_default().ok_or_else(refused)?;
        // The address that was looked at is the one that is connected to.
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let reached: Vec<_> = found.into_iter().filter(|addr| self.may_reach(addr.ip())).collect();
        let tcp = TcpStream::connect(reached.as_slice()).await?;
        self.tls[usize::from(http2)].connect(name, tcp).await
    }

    fn may_reach(&self, ip: IpAddr) -> bool {
        is_public(ip) || self.test_hosts.iter().any(|range| range.contains(ip))
    }
}

fn request(call: &Call) -> io::Result<Request<Full<Bytes>>> {
    let authority = call.url.authority();
    let path = &call.url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::post(if call.http2 { call.url.as_str() } else { path });
    if !call.http2 {
        request = request.header("host", authority);
    }
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(Bytes::copy_from_slice(&call.body))).map_err(io::Error::other)
}

type Tls = TlsStream<TcpStream>;

async fn over_1(stream: Tls, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}

async fn over_2(stream: Tls, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}
