//! Where the server is, and how far it is trusted.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::http::Uri;

/// The server's endpoint.
const PATH: &str = "/v1/socket";

/// Whether bytes may travel without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plain {
    /// To this device only.
    #[default]
    LoopbackOnly,
    /// Anywhere: for a network that is protected otherwise.
    Anywhere,
}

/// Why an address is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Not `wss://host`, `wss://host:port` or the same with `ws`.
    #[error("not the address of a server")]
    Malformed,
    /// `ws://` to somewhere else than this device.
    #[error("a server elsewhere needs wss")]
    Plain,
    /// A certificate that cannot be a root.
    #[error("not a root certificate")]
    Certificate,
}

/// A server's address, parsed. Prints nothing of itself.
#[derive(Clone)]
pub struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) request: Uri,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The address of this device to speak to it from, if it is on this device too.
    pub(super) local: Option<IpAddr>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    /// Parses `wss://host[:port]`; `ws` where `plain` allows it. `roots` are trusted beside Mozilla's.
    ///
    /// # Errors
    ///
    /// [`ServerError`].
    pub fn parse(text: &str, plain: Plain, roots: &[Vec<u8>]) -> Result<Self, ServerError> {
        let uri: Uri = text.parse().map_err(|_| ServerError::Malformed)?;
        let authority = uri.authority().ok_or(ServerError::Malformed)?;
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        if rest != "/" || authority.as_str().contains('@') {
            return Err(ServerError::Malformed);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") if plain == Plain::Anywhere || is_loopback(&host) => false,
            Some("ws") => return Err(ServerError::Plain),
            _ => return Err(ServerError::Malformed),
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| ServerError::Malformed)?;
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let scheme = if secure { "wss" } else { "ws" };
        let request = format!("{scheme}://{authority}{PATH}").parse().map_err(|_| ServerError::Malformed)?;
        let tls = if secure { Some((trust(roots, b"http/1.1")?, name)) } else { None };
        Ok(Self { host, port, request, tls, local: None })
    }

    /// A server on this device is spoken to from this loopback address: several phones of one machine are several addresses.
    #[must_use]
    pub fn from(self, local: IpAddr) -> Self {
        let local = (local.is_loopback() && is_loopback(&self.host)).then_some(local);
        Self { local, ..self }
    }

    /// As links and codes call it: `host`, or `host:port` where the port is not that of https.
    pub fn name(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// How servers are spoken to over TLS of which `protocol` is asked.
///
/// Mozilla's roots come with the library: the same on every phone, without asking the platform, and without those that
/// a user was talked into installing.
pub(crate) fn trust(roots: &[Vec<u8>], protocol: &[u8]) -> Result<Arc<ClientConfig>, ServerError> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in roots {
        store.add(CertificateDer::from(root.as_slice())).map_err(|_| ServerError::Certificate)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suites of TLS 1.2 and 1.3")
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_device_is_talked_to_without_tls() {
        let parse = |text| Server::parse(text, Plain::LoopbackOnly, &[]).map(|server| (server.host, server.port));
        assert_eq!(parse("wss://meet.example"), Ok(("meet.example".to_owned(), 443)));
        assert_eq!(parse("wss://meet.example:8443/"), Ok(("meet.example".to_owned(), 8443)));
        assert_eq!(parse("ws://127.0.0.1:9"), Ok(("127.0.0.1".to_owned(), 9)));
        assert_eq!(parse("ws://[::1]:9"), Ok(("::1".to_owned(), 9)));
        assert_eq!(parse("ws://localhost:9"), Ok(("localhost".to_owned(), 9)));
        for elsewhere in ["ws://meet.example", "ws://192.168.0.2:9", "ws://localhost.example"] {
            assert_eq!(parse(elsewhere), Err(ServerError::Plain), "{elsewhere}");
            assert!(Server::parse(elsewhere, Plain::Anywhere, &[]).is_ok());
        }
        for other in ["", "meet.example", "https://meet.example", "wss://u:p@h", "wss://h/path", "wss://h?q", "wss://"]
        {
            assert_eq!(parse(other), Err(ServerError::Malformed), "{other}");
        }
    }
}
