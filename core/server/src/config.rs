//! What an operator sets, and why a server may not start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use crate::desk::{DeskError, Limits};
use crate::serve::Crowd;
use crate::store::StoreError;
use crate::turn::{PeerRange, Quota};

/// Where accounts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// In memory: gone with the process.
    Memory,
    /// In `accounts.db` in this directory, which is made if it is not there.
    Dir(PathBuf),
}

/// Everything about one server process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where accounts are kept.
    pub keep: Keep,
    /// Where phones open their websockets; port 0 takes any.
    pub listen: SocketAddr,
    /// Where `/figures`, `/radar` and `/status` are served; loopback only.
    pub admin: Option<SocketAddr>,
    /// Where phones open their websockets over TLS, and reach the relay where nothing but this passes.
    pub tls: Option<TlsConfig>,
    /// STUN and TURN; without it phones are told of no relay, unless there is one elsewhere.
    pub relay: Option<RelayConfig>,
    /// A relay that phones are told of instead of this process's own.
    pub elsewhere: Option<Elsewhere>,
    /// How often what may be done.
    pub limits: Limits,
    /// Whether strangers have to say that they are adults.
    pub adults_only: bool,
    /// Where the counts of strangers are published; nowhere if it is not given.
    pub publish: Option<Publish>,
    /// How phones that sleep are woken; they are not if it is not given.
    pub push: Option<PushConfig>,
}

/// A topic of an MQTT 5 broker to which the server publishes what `/radar` says: counts, retained for three turns.
#[derive(Clone, PartialEq, Eq)]
pub struct Publish {
    /// The broker's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether to speak TLS, trusting the certificates this machine trusts.
    pub tls: bool,
    /// Who we are to the broker.
    pub user: Option<String>,
    /// And by what it knows.
    pub password: Option<Zeroizing<String>>,
    /// Where on the broker.
    pub topic: String,
    /// How often; at least a second.
    pub every: Duration,
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tls, every) = (self.tls, self.every);
        f.debug_struct("Publish").field("topic", &self.topic).field("tls", &tls).field("every", &every).finish()
    }
}

impl FromStr for Publish {
    type Err = BrokerError;

    /// Reads `mqtt://[user@]host[:1883][/topic]`, or `mqtts://` with port 8883: every ten seconds, to `sidetone/radar`
    /// where no topic is named.
    fn from_str(text: &str) -> Result<Self, BrokerError> {
        let url = Url::parse(text).map_err(|_| BrokerError::Malformed)?;
        let (tls, usual) = match url.scheme() {
            "mqtt" => (false, 1_883),
            "mqtts" => (true, 8_883),
            _ => return Err(BrokerError::Scheme),
        };
        if url.password().is_some() {
            return Err(BrokerError::Password);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BrokerError::Malformed)?;
        let topic = match url.path().trim_start_matches('/') {
            "" => "sidetone/radar",
            topic => topic,
        };
        let escaped = [topic, url.username()].iter().any(|part| part.contains('%'));
        if escaped || topic.contains(['+', '#']) || url.query().is_some() || url.fragment().is_some() {
            return Err(BrokerError::Malformed);
        }
        Ok(Self {
            // An IPv6 address stands in brackets in an address, and without them in a socket call.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(usual),
            tls,
            user: Some(url.username()).filter(|user| !user.is_empty()).map(str::to_owned),
            password: None,
            topic: topic.to_owned(),
            every: Duration::from_secs(10),
        })
    }
}

/// Why a broker's address is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It does not read as `mqtt://[user@]host[:port][/topic]`.
    #[error("a broker is named as mqtt://[user@]host[:port][/topic]")]
    Malformed,
    /// Neither `mqtt` nor `mqtts`.
    #[error("a broker is reached by mqtt:// or mqtts://")]
    Scheme,
    /// Addresses are shown and logged: a password is given apart.
    #[error("a password does not belong into a broker's address")]
    Password,
}

/// The TLS listener: websockets, and TURN if there is a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where phones connect; port 0 takes any.
    pub listen: SocketAddr,
    /// File with the certificate and those that lead to a root, in PEM.
    pub certificate: PathBuf,
    /// File with its private key, in PEM.
    pub key: PathBuf,
    /// The name in the certificate under which phones reach the relay; the relay's public address if it is not given.
    pub name: Option<String>,
    /// How many connections one address may have.
    pub crowd: Crowd,
}

impl TlsConfig {
    /// A listener at this address with these two files.
    pub fn new(listen: SocketAddr, certificate: PathBuf, key: PathBuf) -> Self {
        Self { listen, certificate, key, name: None, crowd: Crowd::default() }
    }
}

/// A relay that is another process, such as `coturn` with `use-auth-secret`.
#[derive(Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Where it is: `stun:` (RFC 7064), `turn:` and `turns:` (RFC 7065).
    pub urls: Vec<String>,
    /// Shared with it, to mint credentials it takes.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl Elsewhere {
    /// Whether phones can read where it is.
    pub(crate) fn is_readable(&self) -> bool {
        let reads = |url: &String| match url.split_once(':') {
            Some(("stun" | "turn" | "turns", rest)) => !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()),
            _ => false,
        };
        !self.urls.is_empty() && self.urls.len() <= RELAY_URLS && self.urls.iter().all(reads) && !self.secret.is_empty()
    }
}

/// Most addresses of relays that phones are told of.
const RELAY_URLS: usize = 16;

/// STUN and TURN over UDP and TCP, and over TLS where there is a TLS listener.
#[derive(Clone)]
pub struct RelayConfig {
    /// Where phones send and connect; port 0 takes any that is free for both.
    pub listen: SocketAddr,
    /// The address under which phones and peers reach this machine; `listen`'s if it is not given.
    pub public: Option<IpAddr>,
    /// Ports that may be given to allocations.
    pub ports: RangeInclusive<u16>,
    /// Peers that are served although they are loopback, private or otherwise not on the internet: for tests.
    pub test_peers: Vec<PeerRange>,
    /// How much one account may relay.
    pub quota: Quota,
    /// How many connections over TCP one address may have.
    pub crowd: Crowd,
    /// Shared with other servers that mint credentials for this relay; if it is not given, there are none.
    pub secret: Option<Zeroizing<Vec<u8>>>,
}

/// How phones that sleep are woken. Web Push needs nothing of the kind but a contact; the platforms' services know us by what
/// they gave us.
#[derive(Clone)]
pub struct PushConfig {
    /// Whom a push service may ask about us: `mailto:` or `https:` (RFC 8292 section 2.1).
    pub contact: String,
    /// For iPhones.
    pub apple: Option<Developer>,
    /// For Android phones with Google's services.
    pub firebase: Option<Google>,
    /// Roots that push services may have beside Mozilla's.
    pub roots: Vec<Vec<u8>>,
    /// Push services that are asked although they are not on the internet: for tests.
    pub test_hosts: Vec<PeerRange>,
}

impl std::fmt::Debug for PushConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (apple, firebase) = (self.apple.is_some(), self.firebase.is_some());
        f.debug_struct("PushConfig").field("apple", &apple).field("firebase", &firebase).finish_non_exhaustive()
    }
}

impl PushConfig {
    /// Web Push alone.
    pub fn new(contact: String) -> Self {
        Self { contact, apple: None, firebase: None, roots: Vec::new(), test_hosts: Vec::new() }
    }
}

/// What Apple gave a developer.
#[derive(Clone)]
pub struct Developer {
    /// The signing key's file, in PEM.
    pub key: Zeroizing<String>,
    /// Its name.
    pub key_id: String,
    /// The developer's team.
    pub team: String,
    /// The app's bundle; calls go to its `.voip` topic.
    pub bundle: String,
    /// `https://api.push.apple.com`, or the sandbox.
    pub host: Url,
}

impl Developer {
    /// For apps of Apple's store.
    pub fn new(key: Zeroizing<String>, key_id: String, team: String, bundle: String) -> Self {
        let host = Url::parse("https://api.push.apple.com").expect("an address");
        Self { key, key_id, team, bundle, host }
    }

    /// For other apps.
    #[must_use]
    pub fn in_sandbox(self) -> Self {
        Self { host: Url::parse("https://api.sandbox.push.apple.com").expect("an address"), ..self }
    }
}

/// What Google gave a developer.
#[derive(Clone)]
pub struct Google {
    /// The service account's file, in JSON.
    pub account: Zeroizing<String>,
    /// `https://fcm.googleapis.com`.
    pub host: Url,
}

impl Google {
    /// With this file.
    pub fn new(account: Zeroizing<String>) -> Self {
        Self { account, host: Url::parse("https://fcm.googleapis.com").expect("an address") }
    }
}

impl Config {
    /// A server on loopback that keeps nothing and relays between loopback peers: for tests and demonstrations.
    pub fn in_memory() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut relay = RelayConfig::new(any);
        relay.test_peers.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
        let limits = Limits::default();
        Self {
            keep: Keep::Memory,
            listen: any,
            admin: Some(any),
            tls: None,
            relay: Some(relay),
            elsewhere: None,
            limits,
            adults_only: false,
            publish: None,
            push: None,
        }
    }
}

impl RelayConfig {
    /// A relay at this address, with the ports of RFC 8656 section 3.2 and no exceptions.
    pub fn new(listen: SocketAddr) -> Self {
        let (quota, crowd) = (Quota::default(), Crowd::default());
        Self { listen, public: None, ports: 49_152..=65_535, test_peers: Vec::new(), quota, crowd, secret: None }
    }
}

impl std::fmt::Debug for RelayConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayConfig")
            .field("listen", &self.listen)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// What a server listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Phones' websockets.
    Phones,
    /// Websockets and TURN over TLS.
    Tls,
    /// STUN and TURN.
    Relay,
    /// Figures.
    Admin,
}

/// Why a server did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Another process has the port.
    #[error("{listener:?}: {addr} is in use")]
    PortTaken {
        /// For what.
        listener: Listener,
        /// Where.
        addr: SocketAddr,
    },
    /// The address is not this machine's, or the port needs a privilege.
    #[error("{listener:?}: cannot listen at {addr}: {kind}")]
    CannotListen {
        /// For what.
        listener: Listener,
        /// Where.
        addr: SocketAddr,
        /// The system's reason.
        kind: std::io::ErrorKind,
    },
    /// Figures are for the machine itself.
    #[error("the admin address {0} is not loopback")]
    AdminNotLoopback(SocketAddr),
    /// No public address was given and `listen` names none.
    #[error("the relay needs a public address")]
    NoPublicAddress,
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// A relay elsewhere is named by other than 1 to 16 of `stun:`, `turn:` and `turns:`, or without a secret.
    #[error("a relay elsewhere needs addresses as stun:, turn: or turns:, and a secret")]
    Elsewhere,
    /// What a push service gave us cannot be read.
    #[error("what a push service gave us cannot be read")]
    Push,
    /// The range of relay ports is empty.
    #[error("the relay has no ports")]
    NoRelayPorts,
    /// The data directory cannot be made or is not a directory.
    #[error("the data directory cannot be used: {0}")]
    DataDir(std::io::ErrorKind),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No broker has such a topic.
    #[error("the radar's topic is no topic")]
    BrokerTopic,
    /// The operating system gave no randomness, no thread or no certificates.
    #[error("the operating system refuses")]
    System,
}

/// Why a certificate cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// One of the files cannot be read.
    #[error("a file cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// One of the files holds no certificate, or no key.
    #[error("a file is not what it should be in PEM")]
    NotPem,
    /// The key is not the certificate's, or of a kind nobody uses.
    #[error("the key does not belong to the certificate")]
    Mismatch,
}

impl From<DeskError> for StartError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Store(error) => Self::Store(error),
        }
    }
}
