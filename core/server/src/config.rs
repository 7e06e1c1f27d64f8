//! What an operator sets, and why a server may not start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::desk::{DeskError, Limits};
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
    /// STUN and TURN; without it phones are told of no relay.
    pub relay: Option<RelayConfig>,
    /// How often what may be done.
    pub limits: Limits,
    /// Whether strangers have to say that they are adults.
    pub adults_only: bool,
}

/// STUN and TURN over UDP.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where phones send; port 0 takes any.
    pub listen: SocketAddr,
    /// The address under which phones and peers reach this machine; `listen`'s if it is not given.
    pub public: Option<IpAddr>,
    /// Ports that may be given to allocations.
    pub ports: RangeInclusive<u16>,
    /// Peers that are served although they are loopback, private or otherwise not on the internet: for tests.
    pub test_peers: Vec<PeerRange>,
    /// How much one account may relay.
    pub quota: Quota,
}

impl Config {
    /// A server on loopback that keeps nothing and relays between loopback peers: for tests and demonstrations.
    pub fn in_memory() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut relay = RelayConfig::new(any);
        relay.test_peers.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
        let limits = Limits::default();
        Self { keep: Keep::Memory, listen: any, admin: Some(any), relay: Some(relay), limits, adults_only: false }
    }
}

impl RelayConfig {
    /// A relay at this address, with the ports of RFC 8656 section 3.2 and no exceptions.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, public: None, ports: 49_152..=65_535, test_peers: Vec::new(), quota: Quota::default() }
    }
}

/// What a server listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Phones' websockets.
    Phones,
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
    /// The range of relay ports is empty.
    #[error("the relay has no ports")]
    NoRelayPorts,
    /// The data directory cannot be made or is not a directory.
    #[error("the data directory cannot be used: {0}")]
    DataDir(std::io::ErrorKind),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gave no randomness or no thread.
    #[error("the operating system refuses")]
    System,
}

impl From<DeskError> for StartError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Store(error) => Self::Store(error),
        }
    }
}
