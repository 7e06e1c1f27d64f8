//! What two peers tell each other to meet: typed, limited, and never SDP.
//!
//! A [`Description`] says how to authenticate one end of a link, a [`Candidate`] says where it might be reached.
//! Both travel inside encrypted records. Whoever decodes them builds these types, so a value that exists here has
//! already passed every limit.

use std::net::{IpAddr, SocketAddr};

/// Most candidates one end may offer in one generation; what comes after them is refused.
pub const CANDIDATES: usize = 64;
/// Shortest and longest user fragment accepted, in characters (RFC 8839 section 5.4 allows 4 to 256).
pub const UFRAG: std::ops::RangeInclusive<usize> = 4..=256;
/// Shortest and longest password accepted, in characters (RFC 8839 section 5.4).
pub const PWD: std::ops::RangeInclusive<usize> = 22..=256;
/// Longest foundation, in characters (RFC 8839 section 5.1).
pub const FOUNDATION: std::ops::RangeInclusive<usize> = 1..=32;

/// Why a description or a candidate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The user fragment is shorter or longer than RFC 8839 allows.
    #[error("user fragment of a forbidden length")]
    UfragLength,
    /// The user fragment holds something else than letters, digits, `+` and `/`.
    #[error("user fragment with a forbidden character")]
    UfragCharacter,
    /// The password is shorter or longer than RFC 8839 allows.
    #[error("password of a forbidden length")]
    PwdLength,
    /// The password holds something else than letters, digits, `+` and `/`.
    #[error("password with a forbidden character")]
    PwdCharacter,
    /// The foundation is empty or longer than RFC 8839 allows.
    #[error("foundation of a forbidden length")]
    FoundationLength,
    /// The foundation holds something else than letters, digits, `+` and `/`.
    #[error("foundation with a forbidden character")]
    FoundationCharacter,
    /// The address is a name (an mDNS one included) or no address at all.
    #[error("not an address literal")]
    NotAnAddress,
    /// The address is one that nobody can be reached at: unspecified, multicast, broadcast, or with a zone.
    #[error("an address that reaches nobody")]
    Unreachable,
    /// Port 0.
    #[error("port 0")]
    Port,
    /// The priority is 0 or above 2^31 - 1 (RFC 8445 section 5.1.2).
    #[error("priority out of range")]
    Priority,
}

/// How to authenticate one end of a link: its ICE credentials and the certificate it will show.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    ufrag: String,
    pwd: String,
    fingerprint: [u8; 32],
    generation: u32,
}

impl Description {
    /// Takes the user fragment, the password, the SHA-256 of the DTLS certificate and the ICE generation, which
    /// is 0 at first and one more after each restart.
    ///
    /// # Errors
    /// [`Malformed`] when a length or a character is not what RFC 8839 section 5.4 allows.
    pub fn new(
        ufrag: impl Into<String>,
        pwd: impl Into<String>,
        fingerprint: [u8; 32],
        generation: u32,
    ) -> Result<Self, Malformed> {
        let (ufrag, pwd) = (ufrag.into(), pwd.into());
        ice_chars(&ufrag, UFRAG, Malformed::UfragLength, Malformed::UfragCharacter)?;
        ice_chars(&pwd, PWD, Malformed::PwdLength, Malformed::PwdCharacter)?;
        Ok(Self { ufrag, pwd, fingerprint, generation })
    }

    /// The ICE user fragment.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The ICE password.
    #[must_use]
    pub fn pwd(&self) -> &str {
        &self.pwd
    }

    /// SHA-256 of the DTLS certificate in DER (RFC 8122).
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// How many ICE restarts came before.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

impl std::fmt::Debug for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Description").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// Where a candidate comes from (RFC 8445 section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An address of the device itself.
    Host,
    /// What a STUN server saw.
    Srflx,
    /// What the peer saw.
    Prflx,
    /// An address at a relay.
    Relay,
}

/// What carries a candidate's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP (RFC 6544); carried, but no link uses it yet.
    Tcp,
}

/// One place where one end of a link might be reached.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    kind: Kind,
    protocol: Protocol,
    address: SocketAddr,
    priority: u32,
    foundation: String,
}

impl Candidate {
    /// Takes a candidate whose address is already typed.
    ///
    /// # Errors
    /// [`Malformed`] for port 0, an address that reaches nobody, a priority or foundation RFC 8445 forbids.
    pub fn new(
        kind: Kind,
        protocol: Protocol,
        address: SocketAddr,
        priority: u32,
        foundation: impl Into<String>,
    ) -> Result<Self, Malformed> {
        let foundation = foundation.into();
        ice_chars(&foundation, FOUNDATION, Malformed::FoundationLength, Malformed::FoundationCharacter)?;
        if address.port() == 0 {
            return Err(Malformed::Port);
        }
        if reaches_nobody(&address) {
            return Err(Malformed::Unreachable);
        }
        if priority == 0 || priority > i32::MAX as u32 {
            return Err(Malformed::Priority);
        }
        Ok(Self { kind, protocol, address, priority, foundation })
    }

    /// Takes a candidate whose host is text, which must be an address literal: names, mDNS ones included, are
    /// refused, so a peer can never make this phone look up a name.
    ///
    /// # Errors
    /// [`Malformed::NotAnAddress`] for a name, else as [`Candidate::new`].
    pub fn parse(
        kind: Kind,
        protocol: Protocol,
        host: &str,
        port: u16,
        priority: u32,
        foundation: impl Into<String>,
    ) -> Result<Self, Malformed> {
        let ip: IpAddr = host.parse().map_err(|_| Malformed::NotAnAddress)?;
        Self::new(kind, protocol, SocketAddr::new(ip, port), priority, foundation)
    }

    /// Where it comes from.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What carries its packets.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address to send to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its priority (RFC 8445 section 5.1.2).
    #[must_use]
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// Its foundation (RFC 8445 section 5.1.1.3).
    #[must_use]
    pub fn foundation(&self) -> &str {
        &self.foundation
    }
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("kind", &self.kind).field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

fn ice_chars(
    text: &str,
    length: std::ops::RangeInclusive<usize>,
    wrong_length: Malformed,
    wrong_character: Malformed,
) -> Result<(), Malformed> {
    if !length.contains(&text.len()) {
        return Err(wrong_length);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    if text.bytes().all(allowed) { Ok(()) } else { Err(wrong_character) }
}

/// A mapped address is judged as the IPv4 address inside it, and a zone names an interface of the peer's device.
fn reaches_nobody(address: &SocketAddr) -> bool {
    let zoned = matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0);
    let ip = address.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0);
    zoned || ip.is_unspecified() || ip.is_multicast() || broadcast
}
