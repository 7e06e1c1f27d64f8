//! Who asks the relay.

use std::net::SocketAddr;

/// A client, as its allocation knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client {
    /// From where it comes.
    pub addr: SocketAddr,
    /// By what.
    pub line: Line,
}

/// What a client's messages travel by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// Datagrams.
    Udp,
    /// A connection over TCP, or TLS over TCP, by a number that no other connection has had.
    Stream(u64),
}

impl From<SocketAddr> for Client {
    /// A client that sends datagrams.
    fn from(addr: SocketAddr) -> Self {
        Self { addr, line: Line::Udp }
    }
}
