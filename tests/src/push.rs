//! A push service on loopback, which takes whatever comes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sidetone_server::PushConfig;
use sidetone_server::turn::PeerRange;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_rustls::TlsAcceptor;

/// A push service (RFC 8030) for servers of tests. It hands nothing on: it only says that something came.
pub struct PushService {
    addr: SocketAddr,
    root: Vec<u8>,
    asked: Mutex<mpsc::UnboundedReceiver<String>>,
}

impl PushService {
    /// Starts it, on a free port; it ends with its runtime.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(serve(listener, acceptor, tell));
        Self { addr, root: made.cert.der().to_vec(), asked: Mutex::new(asked) }
    }

    /// Where messages are posted.
    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}/wake", self.addr.port())
    }

    /// For a server that may post to it.
    pub fn config(&self) -> PushConfig {
        let mut config = PushConfig::new("mailto:operator@example.org".into());
        config.roots.push(self.root.clone());
        config.test_hosts.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
        config
    }

    /// Waits for the next message, and gives the first line of its request; none once the service has ended.
    pub async fn next(&self) -> Option<String> {
        self.asked.lock().await.recv().await
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, tell: mpsc::UnboundedSender<String>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let mut read = vec![0; 4_096];
        let count = stream.read(&mut read).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&read[..count]).into_owned();
        // Who posts may be gone already.
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
        if tell.send(text.lines().next().unwrap_or_default().to_owned()).is_err() {
            return;
        }
    }
}
