//! How to reach a peer: exchanged inside sealed records only, and parsed before anybody believes it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::id::Fingerprint;
use crate::tagged::numbered;

/// One end of a link, without its addresses. There is no session description text: each end builds its own from this.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Description {
    /// ICE user name fragment (RFC 8839 section 5.4).
    #[serde(index = 0)]
    pub ufrag: IceToken<4>,
    /// ICE password.
    #[serde(index = 1)]
    pub pwd: IceToken<22>,
    /// The certificate that this end will show in DTLS.
    #[serde(index = 2)]
    pub fingerprint: Fingerprint,
}

/// An ICE credential of at least `MIN` and at most 256 `ice-char`s (RFC 8839 section 5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IceToken<const MIN: usize>(String);

impl<const MIN: usize> IceToken<MIN> {
    /// Parses a credential; `None` if it is too short, too long or has another character than letters, digits, `+` and `/`.
    pub fn parse(text: &str) -> Option<Self> {
        let chars = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
        (chars && (MIN..=256).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize> std::fmt::Debug for IceToken<MIN> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IceToken")
    }
}

impl<const MIN: usize> Serialize for IceToken<MIN> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MIN: usize> Deserialize<'de> for IceToken<MIN> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no ICE credential"))
    }
}

numbered! {
    /// Where a candidate's address comes from (RFC 8445 section 5.1.1).
    pub enum CandidateKind {
        /// An interface of the phone.
        1 => Host,
        /// The phone as the server saw it.
        2 => ServerReflexive,
        /// The phone as the peer saw it.
        3 => PeerReflexive,
        /// An address lent by a relay.
        4 => Relayed,
        _ => Unknown
    }
}

/// An address at which a peer may be reached, over UDP.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Candidate {
    /// Where the address comes from.
    #[serde(index = 0)]
    pub kind: CandidateKind,
    /// The address.
    #[serde(index = 1)]
    pub address: Address,
    /// ICE priority (RFC 8445 section 5.1.2).
    #[serde(index = 2)]
    pub priority: u32,
    /// ICE foundation as a number.
    #[serde(index = 3)]
    pub foundation: u32,
}

/// A unicast address and a port. Prints nothing of itself: an address is personal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(SocketAddr);

impl Address {
    /// Parses an address; `None` for port 0, unspecified, multicast and broadcast addresses.
    pub fn parse(address: SocketAddr) -> Option<Self> {
        let ip = address.ip().to_canonical();
        let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        let usable = !ip.is_unspecified() && !ip.is_multicast() && !broadcast && address.port() != 0;
        usable.then(|| Self(SocketAddr::new(ip, address.port())))
    }

    /// The address.
    pub fn get(self) -> SocketAddr {
        self.0
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ip = match self.0.ip() {
            IpAddr::V4(v4) => ByteBuf::from(v4.octets()),
            IpAddr::V6(v6) => ByteBuf::from(v6.octets()),
        };
        (ip, self.0.port()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (ip, port) = <(ByteBuf, u16)>::deserialize(deserializer)?;
        let ip = match ip.len() {
            4 => <[u8; 4]>::try_from(ip.as_slice()).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(ip.as_slice()).ok().map(IpAddr::from),
            _ => None,
        };
        let address = ip.and_then(|ip| Self::parse(SocketAddr::new(ip, port)));
        address.ok_or_else(|| serde::de::Error::custom("no usable address"))
    }
}
