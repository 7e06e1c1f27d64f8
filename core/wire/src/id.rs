//! Names and keys of fixed length. Names print their first four bytes only: enough to tell two apart, too little to
//! find one; secrets do not print and are erased when dropped.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! bytes {
    ($name:ident, $len:literal) => {
        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde_bytes::ByteArray::<$len>::deserialize(deserializer).map(|bytes| Self(bytes.into_array()))
            }
        }
    };
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident($len:literal);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        bytes!($name, $len);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let [a, b, c, d, ..] = self.0;
                write!(f, concat!(stringify!($name), "({:02x}{:02x}{:02x}{:02x})"), a, b, c, d)
            }
        }
    )+};
}

id! {
    /// An account.
    UserId(16);
    /// One installation of an account.
    DeviceId(16);
    /// A phone's numbered conversation with the server, which outlives its sockets.
    SessionId(16);
    /// One agreement of keys between two phones, named by its initiator.
    PairingId(16);
    /// One call.
    CallId(16);
    /// A room: derived from its secret, so that whoever knows the secret knows the room and not the other way round.
    RoomId(16);
    /// One entry into a room: drawn anew by the phone each time it enters, so that two entries share nothing.
    MemberId(16);
    /// One try at a spoken code, named by whoever tries.
    AttemptId(16);
    /// One search for a stranger, drawn anew by the phone each time.
    TicketId(16);
    /// Two strangers who were put together, for once.
    MatchId(16);
    /// Something to talk about, as a keyed hash that the phones make.
    InterestTag(16);
    /// A sender's numbering of items to one friend: new whenever the sender's store is new.
    LaneId(16);
    /// One file on its way from phone to phone.
    TransferId(16);
    /// The SHA-256 of a file's content (FIPS 180-4).
    Digest(32);
    /// The public half of an identity (X25519, RFC 7748).
    IdentityKey(32);
    /// The SHA-256 of a DTLS certificate (RFC 8122).
    Fingerprint(32);
}

/// A secret that travels only inside TLS or a sealed record. It never prints and is erased when dropped.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Secret(pub [u8; 32]);

bytes!(Secret, 32);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A media key as its maker wrote it: up to 96 bytes that travel only inside a sealed record, never print and are erased
/// when dropped.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct KeyBytes(Vec<u8>);

impl KeyBytes {
    /// Takes up to 96 bytes; `None` for more.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= 96).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyBytes")
    }
}

impl Serialize for KeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        Self::new(&bytes).ok_or_else(|| serde::de::Error::custom("no media key"))
    }
}

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }
    )+};
}

number! {
    /// A number a phone gives its request; the reply carries it.
    RequestId;
    /// The number of an event in its session, from 1.
    Seq;
    /// The number of an item in its lane, from 1.
    ItemSeq;
    /// Milliseconds since 1970-01-01 UTC, by the sender's clock.
    UnixMs;
}
