//! The certificate a TLS listener shows, which may be replaced while it listens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::config::CertificateError;

/// What a client asks for that wants STUN or TURN (RFC 7443).
pub(super) const TURN: &[u8] = b"stun.turn";
/// What a client asks for that wants a websocket.
const HTTP: &[u8] = b"http/1.1";

/// Two files and what was last read of them.
pub(super) struct Certificates {
    chain: PathBuf,
    key: PathBuf,
    current: watch::Sender<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads them for the first time.
    pub(super) fn open(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let current = watch::Sender::new(Arc::new(read(chain, key)?));
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current })
    }

    /// Reads them again, for connections from now on. If they are not usable, what was read before stays.
    pub(super) fn reload(&self) -> Result<(), CertificateError> {
        self.current.send_replace(Arc::new(read(&self.chain, &self.key)?));
        Ok(())
    }

    /// How connections are answered.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Current(self.current.subscribe())));
        config.alpn_protocols = vec![HTTP.to_vec(), TURN.to_vec()];
        Arc::new(config)
    }
}

struct Current(watch::Receiver<Arc<CertifiedKey>>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow()))
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(chain).map_err(unread)?.collect::<Result<_, _>>().map_err(unread)?;
    if certificates.is_empty() {
        return Err(CertificateError::NotPem);
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(unread)?;
    CertifiedKey::from_der(certificates, key, &ring::default_provider()).map_err(|_| CertificateError::Mismatch)
}

fn unread(error: PemError) -> CertificateError {
    match error {
        PemError::Io(error) => CertificateError::Unreadable(error.kind()),
        _ => CertificateError::NotPem,
    }
}
