//! Rooms: what follows from a room's secret, and how an invitation travels.
//!
//! Who has the secret, the policy and the creator's key can take part in the handshake of a room
//! ([`crate::handshake::Pattern::Room`]); whoever has another policy or another creator in mind cannot. The server is told
//! [`RoomSecret::id`] and nothing else of it.
//!
//! ```text
//! id  = HKDF-SHA256(secret, "room id")
//! psk = HKDF-SHA256(secret, "room psk" || id || creator || policy)
//! ```
//!
//! A room whose secret was changed ([`RoomSecret::renewed`]) keeps the id that its first secret gave it; from then on its
//! invitations name the id.

use std::fmt;
use std::net::Ipv6Addr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    code::SpokenCode,
    identity::PublicKey,
    kdf::{self, Prk, Secret},
};

/// Bytes of a policy.
pub const POLICY_LEN: usize = 9;
/// Bytes of an invitation to a room that has its first secret.
pub const INVITATION_LEN: usize = 32 + POLICY_LEN + 32;
/// Bytes of an invitation to a room whose secret was changed.
pub const RENEWED_INVITATION_LEN: usize = INVITATION_LEN + ID_LEN;
/// Bytes of a room's id.
pub const ID_LEN: usize = 16;
/// The most members a room may have.
pub const MAX_MEMBERS: u8 = 16;
/// The longest a burst may last, in seconds.
pub const MAX_BURST_S: u8 = 120;
/// The shortest limit on a burst, in seconds.
pub const MIN_BURST_S: u8 = 10;

const POLICY_VERSION: u8 = 1;
/// The longest name of a host (RFC 1035) with a port.
const MAX_HOST: usize = 253 + 6;
/// The most characters of a link that are looked at.
const MAX_LINK: usize = MAX_HOST + 160;
const SCHEME: &str = "https://";
const ROOM_PATH: &str = "/r#";
const CODE_PATH: &str = "/c#";

/// Why a link, a scanned code or an invitation is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoomError {
    /// Something else altogether.
    #[error("not a room's link or code")]
    NotALink,
    /// A part is missing or changed: it should be copied again.
    #[error("the room's link is damaged")]
    Damaged,
    /// Made by a later version: this app is too old for the room.
    #[error("the room's policy is of version {0}, which this version cannot read")]
    Version(u8),
    /// The policy says something that does not exist or is out of range.
    #[error("the room's policy is none that this version knows")]
    UnknownPolicy,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$case_doc])* $case = $value),+ }

        impl $name {
            fn read(byte: u8) -> Result<Self, RoomError> {
                match byte {
                    $($value => Ok(Self::$case),)+
                    _ => Err(RoomError::UnknownPolicy),
                }
            }
        }
    };
}

choice! {
    /// Whom a room is for.
    Scope {
        /// Those whom the creator invited by name.
        Private = 0,
        /// Friends of the creator.
        Friends = 1,
        /// Whoever has the link.
        Link = 2,
        /// Whoever was told a code.
        Code = 3,
    }
}

choice! {
    /// Whether links between members may pass a relay.
    Relaying {
        /// Never: who cannot be reached directly cannot take part.
        Forbidden = 0,
        /// Where there is no direct way.
        Allowed = 1,
        /// Always: no member learns another's address.
        Required = 2,
    }
}

choice! {
    /// Who may speak.
    Speaking {
        /// Everyone at any time.
        Open = 0,
        /// One at a time, while holding a button.
        PushToTalk = 1,
    }
}

choice! {
    /// Who gets in.
    Door {
        /// Whoever holds the secret.
        Open = 0,
        /// Only whom the creator admits one by one.
        Knock = 1,
    }
}

choice! {
    /// Who may take part by age.
    Age {
        /// Everyone.
        Any = 0,
        /// Adults only.
        Adults = 1,
    }
}

choice! {
    /// Whether members may hear a missed burst once more.
    Replay {
        /// What was missed is gone.
        Never = 0,
        /// The last burst stays in memory for a while.
        Allowed = 1,
    }
}

/// What holds in a room for as long as its secret: it is part of the key of every link in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Whom it is for.
    pub scope: Scope,
    /// Whether links may pass a relay.
    pub relaying: Relaying,
    /// Who may speak.
    pub speaking: Speaking,
    /// Who gets in.
    pub door: Door,
    /// Who may take part by age.
    pub age: Age,
    /// Whether a missed burst may be heard once more.
    pub replay: Replay,
    /// The most members: 2..=[`MAX_MEMBERS`].
    pub members: u8,
    /// The longest burst in seconds: [`MIN_BURST_S`]..=[`MAX_BURST_S`].
    pub burst_s: u8,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            scope: Scope::Link,
            relaying: Relaying::Allowed,
            speaking: Speaking::Open,
            door: Door::Open,
            age: Age::Any,
            replay: Replay::Allowed,
            members: MAX_MEMBERS,
            burst_s: 30,
        }
    }
}

impl Policy {
    /// The policy as it is bound and travels.
    pub fn to_bytes(&self) -> [u8; POLICY_LEN] {
        [
            POLICY_VERSION,
            self.scope as u8,
            self.relaying as u8,
            self.speaking as u8,
            self.door as u8,
            self.age as u8,
            self.replay as u8,
            self.members,
            self.burst_s,
        ]
    }

    /// Reads a policy; what is read is in range.
    ///
    /// # Errors
    ///
    /// [`RoomError::Version`], [`RoomError::UnknownPolicy`].
    pub fn from_bytes(bytes: &[u8; POLICY_LEN]) -> Result<Self, RoomError> {
        let [version, scope, relaying, speaking, door, age, replay, members, burst_s] = *bytes;
        if version != POLICY_VERSION {
            return Err(RoomError::Version(version));
        }
        let policy = Self {
            scope: Scope::read(scope)?,
            relaying: Relaying::read(relaying)?,
            speaking: Speaking::read(speaking)?,
            door: Door::read(door)?,
            age: Age::read(age)?,
            replay: Replay::read(replay)?,
            members,
            burst_s,
        };
        if policy.is_sound() { Ok(policy) } else { Err(RoomError::UnknownPolicy) }
    }

    /// Whether the numbers are in range.
    pub fn is_sound(&self) -> bool {
        (2..=MAX_MEMBERS).contains(&self.members) && (MIN_BURST_S..=MAX_BURST_S).contains(&self.burst_s)
    }
}

/// The secret of a room: who has it, has the invitation.
pub struct RoomSecret {
    secret: Secret,
    /// The room's id, where another secret gave it.
    id: Option<[u8; ID_LEN]>,
}

impl RoomSecret {
    /// The secret that belongs to a seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let secret = Box::new(kdf::from_seed(&Zeroizing::new(seed), b"room secret"));
        Self { secret, id: None }
    }

    /// Takes back what [`RoomSecret::bytes`] gave, of a room that has its first secret.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self { secret: Box::new(Zeroizing::new(*bytes)), id: None }
    }

    /// Another secret for the same room: whoever has only the one before completes no handshake under it.
    pub fn renewed(&self, bytes: &[u8; 32]) -> Self {
        Self { secret: Box::new(Zeroizing::new(*bytes)), id: Some(self.id()) }
    }

    /// The 32 bytes, to be sealed at rest or sent in a record.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// What the server knows the room by; nobody gets from it to the secret.
    pub fn id(&self) -> [u8; ID_LEN] {
        self.id.unwrap_or_else(|| *self.prk().expand(&[b"room id"]))
    }

    /// The key of every handshake in the room; another policy or creator gives another one.
    pub fn psk(&self, policy: &Policy, creator: &PublicKey) -> Zeroizing<[u8; 32]> {
        self.prk().expand(&[b"room psk", &self.id(), creator.as_bytes(), &policy.to_bytes()])
    }

    fn prk(&self) -> Prk {
        Prk::extract(b"sidetone room v1", self.secret.as_slice())
    }
}

/// Everything one needs to take part in a room.
pub struct Invitation {
    /// The room's secret.
    pub secret: RoomSecret,
    /// What holds in it.
    pub policy: Policy,
    /// The key by which its creator is known in it: the only one that may kick, lock and change.
    pub creator: PublicKey,
}

impl Invitation {
    /// As it travels in a link, behind a spoken code, or in a record: `secret || policy || creator`, and behind that the id
    /// of a room whose secret was changed.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // All of it at once, so that no shorter copy stays behind.
        let mut out = Zeroizing::new(Vec::with_capacity(RENEWED_INVITATION_LEN));
        out.extend_from_slice(self.secret.bytes());
        out.extend_from_slice(&self.policy.to_bytes());
        out.extend_from_slice(self.creator.as_bytes());
        out.extend_from_slice(self.secret.id.as_ref().map_or(&[][..], |id| id));
        out
    }

    /// Reads an invitation.
    ///
    /// # Errors
    ///
    /// [`RoomError::Damaged`], [`RoomError::Version`], [`RoomError::UnknownPolicy`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RoomError> {
        let (secret, rest) = bytes.split_first_chunk().ok_or(RoomError::Damaged)?;
        let (policy, rest) = rest.split_first_chunk().ok_or(RoomError::Damaged)?;
        let policy = Policy::from_bytes(policy)?;
        let (creator, id) = rest.split_first_chunk().ok_or(RoomError::Damaged)?;
        let creator = PublicKey::from_bytes(*creator).map_err(|_| RoomError::Damaged)?;
        let id = match id {
            [] => None,
            id => Some(<[u8; ID_LEN]>::try_from(id).map_err(|_| RoomError::Damaged)?),
        };
        let secret = RoomSecret { secret: Box::new(Zeroizing::new(*secret)), id };
        Ok(Self { secret, policy, creator })
    }
}

/// What one person shows and another scans or pastes: a link that opens a room, or a code that does after a knock.
///
/// Everything secret stands behind the `#`, which no browser sends to a server.
pub enum Ticket {
    /// `https://host/r#` and the invitation in base64url.
    Link {
        /// The server where the room meets.
        host: String,
        /// What opens it.
        invitation: Invitation,
    },
    /// `https://host/c#` and the spoken code.
    Code {
        /// The server where the room meets.
        host: String,
        /// What opens it after a knock.
        code: SpokenCode,
    },
}

impl Ticket {
    /// Reads a link, as pasted or as scanned from a QR code. Blanks around it do not matter, everything else does.
    ///
    /// # Errors
    ///
    /// Every [`RoomError`].
    pub fn parse(text: &str) -> Result<Self, RoomError> {
        let text = text.trim_ascii();
        if text.len() > MAX_LINK {
            return Err(RoomError::NotALink);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(RoomError::NotALink)?;
        if let Some((host, fragment)) = rest.split_once(ROOM_PATH) {
            let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(fragment).map_err(|_| RoomError::Damaged)?);
            return Ok(Self::Link { host: host_of(host)?, invitation: Invitation::from_bytes(&bytes)? });
        }
        let (host, fragment) = rest.split_once(CODE_PATH).ok_or(RoomError::NotALink)?;
        let code = SpokenCode::parse(fragment).map_err(|_| RoomError::Damaged)?;
        Ok(Self::Code { host: host_of(host)?, code })
    }

    /// The server where the room meets.
    pub fn host(&self) -> &str {
        match self {
            Self::Link { host, .. } | Self::Code { host, .. } => host,
        }
    }

    /// The text to be sent, pasted, or drawn as a QR code.
    pub fn text(&self) -> Zeroizing<String> {
        let fragment = match self {
            Self::Link { invitation, .. } => Zeroizing::new(URL_SAFE_NO_PAD.encode(invitation.to_bytes())),
            Self::Code { code, .. } => Zeroizing::new(code.to_string()),
        };
        let path = match self {
            Self::Link { .. } => ROOM_PATH,
            Self::Code { .. } => CODE_PATH,
        };
        // All at once, so that no shorter copy stays behind.
        Zeroizing::new([SCHEME, self.host(), path, &fragment].concat())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link { .. } => "Ticket::Link",
            Self::Code { .. } => "Ticket::Code",
        })
    }
}

/// A host's name or address in small letters, with a port where it has one.
fn host_of(text: &str) -> Result<String, RoomError> {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((ip, rest)) if ip.parse::<Ipv6Addr>().is_ok() => {
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(RoomError::Damaged)?) };
            ("v6", port)
        }
        _ => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
    };
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    let port_is_sound = port.is_none_or(|port| {
        !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
    });
    if name.len() > 253 || !name.split('.').all(label) || !port_is_sound {
        return Err(RoomError::Damaged);
    }
    Ok(text.to_owned())
}
