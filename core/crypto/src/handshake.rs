//! How two phones agree on a [`Session`]: Noise (rev 34) with the HFS extension, hybrid from the first byte.
//!
//! There is one suite, `25519+MLKEM768 / AES-256-GCM / SHA-256`, no negotiation and no classical fallback, so there is
//! nothing to downgrade to. The prologue must bind what both sides already know: version, roles, both account ids and
//! device ids or the room id, the call id and the policy. A side with another prologue cannot complete the handshake.
//!
//! Friends ([`Pattern::Friends`]) and strangers ([`Pattern::Strangers`]) need two messages:
//!
//! ```
//! use sidetone_crypto::{handshake::{Initiator, Pattern, Responder}, identity::Identity};
//! # fn main() -> Result<(), sidetone_crypto::handshake::HandshakeError> {
//! let (ada, ben) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
//! let keys = Pattern::Friends { own: &ada, peer: ben.public() };
//! let (ada_waits, message1) = Initiator::start(&keys, b"v1 ada ben call 7", b"timestamp", [3; 32])?;
//!
//! let keys = Pattern::Friends { own: &ben, peer: ada.public() };
//! let (ben_opens, payload) = Responder::open(&keys, b"v1 ada ben call 7", &message1, [4; 32])?;
//! assert_eq!(payload, b"timestamp");
//! let (ben_session, message2) = ben_opens.answer(b"")?;
//!
//! let (ada_session, _) = ada_waits.finish(&message2)?;
//! assert_eq!(ada_session.hash(), ben_session.hash());
//! # Ok(()) }
//! ```
//!
//! Rooms ([`Pattern::Room`]) need a third, because the initiator's key travels last: [`Responder::challenge`],
//! [`Initiator::confirm`], [`Confirming::finish`].

use snow::{HandshakeState, error::Error as NoiseError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    identity::{Identity, PublicKey},
    kdf::{Prk, Secret},
    noise::{self, Keys, Role},
    record::{Channel, Purpose},
};

/// The most bytes a handshake message may carry for the caller.
pub const MAX_PAYLOAD: usize = 4_096;

/// The most bytes a handshake message may have; a longer one is refused unread.
pub const MAX_MESSAGE: usize = MAX_PAYLOAD + 1_536;

/// Why there is no session. Whatever it is, this attempt is over; a new one starts with a new seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The message is too short or too long to be one.
    #[error("the handshake message is malformed")]
    Malformed,
    /// The message was changed, or was made with another key, prologue, policy or suite.
    #[error("the handshake message was not made for us, or was changed")]
    Refused,
    /// The peer sent a point of low order.
    #[error("the peer sent a point of low order")]
    LowOrder,
    /// The peer's ML-KEM key is not one (FIPS 203, section 7.2).
    #[error("the peer sent a malformed ML-KEM key")]
    MalformedKem,
    /// The payload is longer than [`MAX_PAYLOAD`].
    #[error("the handshake payload is too long")]
    TooLong,
    /// The pattern has no such message: rooms use three, friends and strangers two.
    #[error("the pattern has no such message")]
    WrongStep,
    /// The library refused our own input; a fault of ours, never of the peer.
    #[error("the handshake could not be set up")]
    Setup,
}

impl From<NoiseError> for HandshakeError {
    fn from(error: NoiseError) -> Self {
        match error {
            NoiseError::Decrypt => Self::Refused,
            NoiseError::Dh => Self::LowOrder,
            NoiseError::Kem => Self::MalformedKem,
            NoiseError::Input => Self::Malformed,
            _ => Self::Setup,
        }
    }
}

/// Who meets whom, and with which keys.
pub enum Pattern<'a> {
    /// `KKhfs`: both keys are pinned.
    Friends {
        /// Our own identity.
        own: &'a Identity,
        /// The pinned key of the friend.
        peer: PublicKey,
    },
    /// `XXhfs+psk0`: both know the room's secret; keys are shown to each other, under encryption.
    Room {
        /// The identity we show in this room.
        own: &'a Identity,
        /// Drawn from the room's secret, its id, its policy and its creator's key.
        psk: &'a [u8; 32],
    },
    /// `NNhfs`: nobody is anybody. Only spoken words exclude a man in the middle, and the first payload is in clear.
    Strangers,
}

impl Pattern<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Friends { .. } => "KKhfs",
            Self::Room { .. } => "XXhfs+psk0",
            Self::Strangers => "NNhfs",
        }
    }

    fn steps(&self) -> Steps {
        match self {
            Self::Room { .. } => Steps::Three,
            Self::Friends { .. } | Self::Strangers => Steps::Two,
        }
    }

    fn build(&self, role: Role, prologue: &[u8], seed: [u8; 32]) -> Result<Box<HandshakeState>, HandshakeError> {
        let (own, peer, psk) = match self {
            Self::Friends { own, peer } => (Some(*own), Some(peer.as_bytes()), None),
            Self::Room { own, psk } => (Some(*own), None, Some(*psk)),
            Self::Strangers => (None, None, None),
        };
        let seed = Zeroizing::new(seed);
        let len = u64::try_from(prologue.len()).map_err(|_| HandshakeError::TooLong)?;
        let state = noise::build(self.name(), role, &Keys { own, peer, psk }, &[&len.to_be_bytes(), prologue], &seed)?;
        Ok(state)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    Two,
    Three,
}

/// The side that begins, waiting for message 2.
pub struct Initiator {
    state: Box<HandshakeState>,
    steps: Steps,
}

impl Initiator {
    /// Begins a handshake and gives message 1.
    ///
    /// The payload of message 1 is not forward secret and can be replayed; among strangers it is in clear. It should hold a
    /// timestamp and a call id, and nothing else.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::TooLong`] for a payload over [`MAX_PAYLOAD`].
    pub fn start(
        pattern: &Pattern<'_>,
        prologue: &[u8],
        payload: &[u8],
        seed: [u8; 32],
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut state = pattern.build(Role::Initiator, prologue, seed)?;
        let message1 = write(&mut state, payload)?;
        let steps = pattern.steps();
        Ok((Self { state, steps }, message1))
    }

    /// Ends a handshake of two messages: gives the session and the payload of message 2.
    ///
    /// # Errors
    ///
    /// Every [`HandshakeError`] a peer can cause, and [`HandshakeError::WrongStep`] in a room.
    pub fn finish(mut self, message2: &[u8]) -> Result<(Session, Vec<u8>), HandshakeError> {
        if self.steps != Steps::Two {
            return Err(HandshakeError::WrongStep);
        }
        let payload = read(&mut self.state, message2)?;
        Ok((Session::new(self.state), payload))
    }

    /// Ends our part of a handshake of three messages: gives the session, the payload of message 2, and message 3.
    ///
    /// The peer is known (see [`Session::peer`]) and authenticated; that it has seen our key shows with its first record.
    ///
    /// # Errors
    ///
    /// Every [`HandshakeError`] a peer can cause, and [`HandshakeError::WrongStep`] outside a room.
    pub fn confirm(mut self, message2: &[u8], payload: &[u8]) -> Result<(Session, Vec<u8>, Vec<u8>), HandshakeError> {
        if self.steps != Steps::Three {
            return Err(HandshakeError::WrongStep);
        }
        let theirs = read(&mut self.state, message2)?;
        let message3 = write(&mut self.state, payload)?;
        Ok((Session::new(self.state), theirs, message3))
    }
}

/// The side that was called. It has read message 1 and has answered nothing yet.
pub struct Responder {
    state: Box<HandshakeState>,
    steps: Steps,
}

impl Responder {
    /// Opens message 1 and gives its payload, to be looked at (timestamp, call id) before anything is answered.
    ///
    /// # Errors
    ///
    /// Every [`HandshakeError`] a peer can cause.
    pub fn open(
        pattern: &Pattern<'_>,
        prologue: &[u8],
        message1: &[u8],
        seed: [u8; 32],
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut state = pattern.build(Role::Responder, prologue, seed)?;
        let payload = read(&mut state, message1)?;
        let steps = pattern.steps();
        Ok((Self { state, steps }, payload))
    }

    /// Answers a handshake of two messages: gives the session and message 2.
    ///
    /// Message 1 may have been a replay: the caller counts as present only with its first record.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MalformedKem`] and [`HandshakeError::LowOrder`] for a peer's bad keys,
    /// [`HandshakeError::WrongStep`] in a room, [`HandshakeError::TooLong`].
    pub fn answer(mut self, payload: &[u8]) -> Result<(Session, Vec<u8>), HandshakeError> {
        if self.steps != Steps::Two {
            return Err(HandshakeError::WrongStep);
        }
        let message2 = write(&mut self.state, payload)?;
        Ok((Session::new(self.state), message2))
    }

    /// Answers a handshake of three messages: gives message 2, and who waits for message 3.
    ///
    /// # Errors
    ///
    /// As [`Responder::answer`], with [`HandshakeError::WrongStep`] outside a room.
    pub fn challenge(mut self, payload: &[u8]) -> Result<(Confirming, Vec<u8>), HandshakeError> {
        if self.steps != Steps::Three {
            return Err(HandshakeError::WrongStep);
        }
        let message2 = write(&mut self.state, payload)?;
        Ok((Confirming { state: self.state }, message2))
    }
}

/// The responder in a room, waiting for message 3, which tells who the initiator is.
pub struct Confirming {
    state: Box<HandshakeState>,
}

impl Confirming {
    /// Ends the handshake: gives the session and the payload of message 3.
    ///
    /// # Errors
    ///
    /// Every [`HandshakeError`] a peer can cause.
    pub fn finish(mut self, message3: &[u8]) -> Result<(Session, Vec<u8>), HandshakeError> {
        let payload = read(&mut self.state, message3)?;
        Ok((Session::new(self.state), payload))
    }
}

/// What two peers have agreed on. Both ends hold the same, and nobody else does.
pub struct Session {
    hash: [u8; 32],
    root: Secret,
    role: Role,
    peer: Option<PublicKey>,
}

impl Session {
    fn new(state: Box<HandshakeState>) -> Self {
        let role = if state.is_initiator() { Role::Initiator } else { Role::Responder };
        // Every pattern that has the peer's static key also has a DH with it, which refuses a low order.
        let peer = state.get_remote_static().and_then(<[u8]>::first_chunk).map(|bytes| PublicKey::agreed(*bytes));
        let (hash, root) = noise::finish(state);
        Self { hash, root, role, peer }
    }

    /// The handshake hash: names this session at both ends and binds the whole transcript.
    ///
    /// It is not secret, and must not be shown to people as it is: a man in the middle can grind short forms of it.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The authenticated key of the peer; `None` among strangers.
    pub fn peer(&self) -> Option<PublicKey> {
        self.peer
    }

    /// A secret for another purpose; each label gives an independent one, the same at both ends.
    pub fn exporter(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        Prk::extract(&self.hash, self.root.as_slice()).expand(&[b"sidetone exporter v1 ", label])
    }

    /// Opens the two record channels. The root of the session is erased.
    pub fn channels(self) -> Channels {
        let prk = Prk::extract(&self.hash, self.root.as_slice());
        let open = |purpose: Purpose| {
            let root = prk.secret(&[b"sidetone channel v1 ", purpose.label()]);
            Channel::new(purpose, self.role, self.hash, root)
        };
        Channels { signal: open(Purpose::Signal), direct: open(Purpose::Direct) }
    }
}

/// Two independent, ordered record channels of one session.
pub struct Channels {
    /// Travels through the server.
    pub signal: Channel,
    /// Travels over the data channel between the two phones.
    pub direct: Channel,
}

/// The ephemeral key of a message 1: what a replay cache remembers. `None` if the bytes cannot be a message 1.
///
/// The key is in clear in all three patterns, and a replayed message has the same one.
pub fn ephemeral_of(message1: &[u8]) -> Option<[u8; 32]> {
    if !(noise::DH_LEN + noise::KEM_PUBLIC_LEN..=MAX_MESSAGE).contains(&message1.len()) {
        return None;
    }
    message1.first_chunk().copied()
}

fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(HandshakeError::TooLong);
    }
    Ok(noise::write(state, payload)?)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if message.len() > MAX_MESSAGE {
        return Err(HandshakeError::Malformed);
    }
    Ok(noise::read(state, message)?)
}
