//! Records: what travels inside a [`Session`](crate::handshake::Session), each under a key of its own.
//!
//! Each direction is a symmetric chain (Signal, "The Double Ratchet Algorithm", section 2.2, with `KDF_CK` of section 7.2):
//! `mk = HMAC-SHA256(ck, 0x01)`, `ck = HMAC-SHA256(ck, 0x02)`. A record is AES-256-GCM under `mk`, its epoch and number in
//! the authenticated data. The old chain key is erased before a plaintext is handed out, so what was read cannot be read
//! again with what the phone still holds.
//!
//! The channel below is reliable and ordered. Any record but the expected one ends the channel for good, so no key is ever
//! stored for a record that may still come.
//!
//! # Epochs
//!
//! A fresh `NNhfs+psk0` inside the channel, with a secret of the old epoch as psk, heals the channel after a compromise. Only
//! the initiator of the handshake starts one, so two never cross: ask [`Channel::rekey_due`], send what
//! [`Channel::rekey`] gives, send back what [`Opened::Rekey`] holds. Both messages travel as records of the old epoch. The
//! answerer sends in the new epoch at once and reads the old one until the first record of the new; the
//! initiator changes both directions when the answer arrives.
//!
//! # Wire
//!
//! `epoch (4, big-endian) || number (4) || AES-256-GCM(kind (1) || length (4) || content || zeros) || tag (16)`; the
//! plaintext is padded with Padmé to hide its length.

use hmac::Mac;
use snow::HandshakeState;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    aead::{self, TAG_LEN},
    handshake::HandshakeError,
    kdf::{self, Prk, Secret},
    noise::{self, Keys, Role},
    padding,
};

/// The most bytes one record carries: 64 KiB and a frame's own fields.
pub const MAX_PLAINTEXT: usize = 65_536 + 1_024;

/// The most bytes of a sealed record; a longer one is refused unread.
pub const MAX_RECORD: usize = HEADER_LEN + padding::padded(INNER_LEN + MAX_PLAINTEXT) + TAG_LEN;

/// An epoch is due after this many records, both directions counted.
pub const EPOCH_RECORDS: u32 = 100;

/// An epoch in use is due after this many milliseconds.
pub const EPOCH_MS: u64 = 60_000;

/// An epoch is due after this many milliseconds if both sides have spoken in it.
pub const TURN_MS: u64 = 10_000;

const HEADER_LEN: usize = 8;
const INNER_LEN: usize = 5;

/// Why a record was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The channel has ended, now or earlier. It stays ended: a new handshake is needed.
    #[error("the channel has ended")]
    Dead,
    /// The content is longer than [`MAX_PLAINTEXT`]. The channel lives on.
    #[error("the content is too long for a record")]
    TooLong,
    /// Too short, too long or badly padded. The channel has ended.
    #[error("the record is malformed")]
    Malformed,
    /// Another record than the expected one: replayed, reordered, or one before it is missing. The channel has ended.
    #[error("expected record {expected} of epoch {epoch}, got another")]
    Unexpected {
        /// The epoch we read in.
        epoch: u32,
        /// The number that had to come.
        expected: u32,
    },
    /// Changed, made with another key, or reflected. The channel has ended.
    #[error("the record is not the peer's")]
    Forged,
    /// The peer broke the rules of epochs. The channel has ended.
    #[error("the peer broke the rules of re-keying")]
    Rules,
    /// The handshake of an epoch failed. The channel has ended.
    #[error("re-keying failed: {0}")]
    Epoch(#[from] HandshakeError),
    /// Only the initiator of the handshake starts epochs. The channel lives on.
    #[error("only the initiator starts an epoch")]
    NotInitiator,
    /// An epoch has been offered and not answered yet. The channel lives on.
    #[error("an epoch is already under way")]
    UnderWay,
    /// No number is left. The channel has ended.
    #[error("the channel has no numbers left")]
    Exhausted,
}

/// What a record turned out to be.
pub enum Opened {
    /// Content for the caller.
    Data(Zeroizing<Vec<u8>>),
    /// The peer offers a new epoch: send these bytes back as they are, before anything else.
    Rekey(Vec<u8>),
    /// The peer answered our offer; the new epoch is in use.
    Rekeyed,
}

/// One ordered, reliable channel of records between two peers.
///
/// Nothing of it may be written to disk: a reconnect is a new handshake.
pub struct Channel {
    live: Option<Box<Live>>,
}

impl Channel {
    pub(crate) fn new(purpose: Purpose, role: Role, session: [u8; 32], root: Secret) -> Self {
        let keys = EpochKeys::draw(&root, role);
        Self {
            live: Some(Box::new(Live {
                purpose,
                role,
                session,
                send: Chain::new(keys.send, 0),
                receive: Chain::new(keys.receive, 0),
                fading: None,
                psk: keys.psk,
                offered: None,
                usage: Usage::default(),
            })),
        }
    }

    /// Seals the next record.
    ///
    /// # Errors
    ///
    /// [`RecordError::TooLong`], [`RecordError::Dead`], [`RecordError::Exhausted`].
    pub fn seal(&mut self, now_ms: u64, plaintext: &[u8]) -> Result<Vec<u8>, RecordError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(RecordError::TooLong);
        }
        self.with(|live| {
            live.usage.sent(now_ms);
            live.seal(Kind::Data, plaintext)
        })
    }

    /// Opens the next record. `seed` is used if the record offers a new epoch.
    ///
    /// # Errors
    ///
    /// Every error ends the channel: it then answers [`RecordError::Dead`] for ever.
    pub fn open(&mut self, now_ms: u64, seed: [u8; 32], bytes: &[u8]) -> Result<Opened, RecordError> {
        let seed = Zeroizing::new(seed);
        self.with(|live| live.open(now_ms, &seed, bytes))
    }

    /// Whether it is time for [`Channel::rekey`]: never for the responder, and never while an epoch is under way.
    ///
    /// Due after [`EPOCH_RECORDS`] records, [`EPOCH_MS`] of use, or [`TURN_MS`] once both have spoken.
    pub fn rekey_due(&self, now_ms: u64) -> bool {
        self.live
            .as_ref()
            .is_some_and(|live| live.role == Role::Initiator && live.offered.is_none() && live.usage.due(now_ms))
    }

    /// Offers a new epoch, due or not: gives the record to send. Time has no part in it.
    ///
    /// # Errors
    ///
    /// [`RecordError::NotInitiator`] and [`RecordError::UnderWay`] leave the channel as it was.
    pub fn rekey(&mut self, _now_ms: u64, seed: [u8; 32]) -> Result<Vec<u8>, RecordError> {
        let seed = Zeroizing::new(seed);
        match self.live.as_ref() {
            None => return Err(RecordError::Dead),
            Some(live) if live.role != Role::Initiator => return Err(RecordError::NotInitiator),
            Some(live) if live.offered.is_some() => return Err(RecordError::UnderWay),
            Some(_) => {}
        }
        self.with(|live| live.offer(&seed))
    }

    /// The epoch we send in, from 0. For reports and tests.
    pub fn epoch(&self) -> Option<u32> {
        self.live.as_ref().map(|live| live.send.epoch)
    }

    /// Whether the channel has ended.
    pub fn is_dead(&self) -> bool {
        self.live.is_none()
    }

    /// Seals any plaintext as it stands: what a hostile peer can do who holds the keys.
    pub(crate) fn seal_hostile(&mut self, inner: &[u8]) -> Result<Vec<u8>, RecordError> {
        self.with(|live| live.seal_framed([&[0; HEADER_LEN], inner].concat()))
    }

    /// Runs one operation; whatever fails ends the channel and erases its keys.
    fn with<T>(&mut self, run: impl FnOnce(&mut Live) -> Result<T, RecordError>) -> Result<T, RecordError> {
        let Some(live) = self.live.as_mut() else {
            return Err(RecordError::Dead);
        };
        let result = run(live);
        if result.is_err() {
            self.live = None;
        }
        result
    }
}

/// Which of a session's channels this is; part of every key and of all authenticated data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Signal,
    Direct,
}

impl Purpose {
    pub(crate) fn label(self) -> &'static [u8] {
        match self {
            Self::Signal => b"signal",
            Self::Direct => b"direct",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Offer,
    Answer,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Offer => 1,
            Self::Answer => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Data),
            1 => Some(Self::Offer),
            2 => Some(Self::Answer),
            _ => None,
        }
    }
}

struct Live {
    purpose: Purpose,
    role: Role,
    session: [u8; 32],
    send: Chain,
    receive: Chain,
    /// The receiving chain of the last epoch, until the first record of this one.
    fading: Option<Chain>,
    psk: Secret,
    offered: Option<Box<HandshakeState>>,
    usage: Usage,
}

impl Live {
    fn seal(&mut self, kind: Kind, content: &[u8]) -> Result<Vec<u8>, RecordError> {
        let len = u32::try_from(content.len()).map_err(|_| RecordError::TooLong)?;
        let inner = padding::padded(INNER_LEN.saturating_add(content.len()));
        let mut out = Vec::with_capacity(HEADER_LEN.saturating_add(inner).saturating_add(TAG_LEN));
        out.extend_from_slice(&[0; HEADER_LEN]);
        out.push(kind.byte());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(content);
        out.resize(HEADER_LEN.saturating_add(inner), 0);
        self.seal_framed(out)
    }

    /// Fills in the header and seals what follows it.
    fn seal_framed(&mut self, mut out: Vec<u8>) -> Result<Vec<u8>, RecordError> {
        let (header, key) = self.send.next()?;
        let Some((head, text)) = out.split_first_chunk_mut() else {
            return Err(RecordError::Malformed);
        };
        *head = header;
        // The key serves this one record, so the nonce may be constant.
        match aead::Key::aes256(&key).seal([0; 12], &aad(self.purpose, header), text) {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(out)
            }
            Err(aead::Refused) => {
                out.zeroize();
                Err(RecordError::TooLong)
            }
        }
    }

    fn open(&mut self, now_ms: u64, seed: &[u8; 32], bytes: &[u8]) -> Result<Opened, RecordError> {
        let (kind, content) = self.unseal(bytes)?;
        match kind {
            Kind::Data => {
                self.usage.received(now_ms);
                Ok(Opened::Data(content))
            }
            Kind::Offer => self.answer(seed, &content).map(Opened::Rekey),
            Kind::Answer => self.complete(&content).map(|()| Opened::Rekeyed),
        }
    }

    fn unseal(&mut self, bytes: &[u8]) -> Result<(Kind, Zeroizing<Vec<u8>>), RecordError> {
        if bytes.len() > MAX_RECORD {
            return Err(RecordError::Malformed);
        }
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(RecordError::Malformed)?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(RecordError::Malformed)?;
        let key = self.key_for(*header)?;
        let mut text = Zeroizing::new(body.to_vec());
        aead::Key::aes256(&key)
            .open([0; 12], &aad(self.purpose, *header), &mut text, tag)
            .map_err(|aead::Refused| RecordError::Forged)?;
        unpad(text)
    }

    /// The key of the record with this header, which must be the very next one.
    fn key_for(&mut self, header: [u8; HEADER_LEN]) -> Result<MessageKey, RecordError> {
        if let Some(old) = self.fading.as_mut().filter(|old| old.header() == header) {
            return old.next().map(|(_, key)| key);
        }
        if self.receive.header() == header {
            // Either this is the peer's first record of the epoch, or the channel ends right here.
            self.fading = None;
            return self.receive.next().map(|(_, key)| key);
        }
        let reading = self.fading.as_ref().unwrap_or(&self.receive);
        Err(RecordError::Unexpected { epoch: reading.epoch, expected: reading.number })
    }

    fn offer(&mut self, seed: &[u8; 32]) -> Result<Vec<u8>, RecordError> {
        let mut state = self.epoch_state(seed)?;
        let message = noise::write(&mut state, &[]).map_err(HandshakeError::from)?;
        self.offered = Some(state);
        self.seal(Kind::Offer, &message)
    }

    fn answer(&mut self, seed: &[u8; 32], offer: &[u8]) -> Result<Vec<u8>, RecordError> {
        if self.role != Role::Responder || self.fading.is_some() {
            return Err(RecordError::Rules);
        }
        let mut state = self.epoch_state(seed)?;
        noise::read(&mut state, offer).map_err(HandshakeError::from)?;
        let message = noise::write(&mut state, &[]).map_err(HandshakeError::from)?;
        let sealed = self.seal(Kind::Answer, &message)?;
        let old = self.turn(state)?;
        self.fading = Some(old);
        Ok(sealed)
    }

    fn complete(&mut self, answer: &[u8]) -> Result<(), RecordError> {
        let mut state = self.offered.take().ok_or(RecordError::Rules)?;
        noise::read(&mut state, answer).map_err(HandshakeError::from)?;
        self.turn(state)?;
        Ok(())
    }

    /// Puts the next epoch in use and gives the old receiving chain.
    fn turn(&mut self, state: Box<HandshakeState>) -> Result<Chain, RecordError> {
        let epoch = self.next_epoch()?;
        let (_, root) = noise::finish(state);
        let keys = EpochKeys::draw(&root, self.role);
        self.send = Chain::new(keys.send, epoch);
        self.psk = keys.psk;
        self.usage = Usage::default();
        Ok(std::mem::replace(&mut self.receive, Chain::new(keys.receive, epoch)))
    }

    fn next_epoch(&self) -> Result<u32, RecordError> {
        self.send.epoch.checked_add(1).ok_or(RecordError::Exhausted)
    }

    fn epoch_state(&self, seed: &[u8; 32]) -> Result<Box<HandshakeState>, RecordError> {
        let epoch = self.next_epoch()?.to_be_bytes();
        let keys = Keys { own: None, peer: None, psk: Some(&self.psk) };
        let prologue: [&[u8]; 4] = [b"epoch ", self.purpose.label(), &epoch, &self.session];
        noise::build("NNhfs+psk0", self.role, &keys, &prologue, seed).map_err(|error| RecordError::Epoch(error.into()))
    }
}

/// The keys of one epoch, from its root.
struct EpochKeys {
    send: Secret,
    receive: Secret,
    psk: Secret,
}

impl EpochKeys {
    fn draw(root: &Secret, role: Role) -> Self {
        let prk = Prk::extract(b"sidetone epoch v1", root.as_slice());
        let forth = prk.secret(&[b"chain of the initiator"]);
        let back = prk.secret(&[b"chain of the responder"]);
        let psk = prk.secret(&[b"psk of the next epoch"]);
        let (send, receive) = match role {
            Role::Initiator => (forth, back),
            Role::Responder => (back, forth),
        };
        Self { send, receive, psk }
    }
}

type MessageKey = Zeroizing<[u8; 32]>;

struct Chain {
    key: Secret,
    epoch: u32,
    number: u32,
}

impl Chain {
    fn new(key: Secret, epoch: u32) -> Self {
        Self { key, epoch, number: 0 }
    }

    fn header(&self) -> [u8; HEADER_LEN] {
        (u64::from(self.epoch) << 32 | u64::from(self.number)).to_be_bytes()
    }

    /// The header and key of the next record; the chain key that made it is gone when this returns.
    fn next(&mut self) -> Result<([u8; HEADER_LEN], MessageKey), RecordError> {
        let header = self.header();
        let number = self.number.checked_add(1).ok_or(RecordError::Exhausted)?;
        let keyed = kdf::mac(self.key.as_slice());
        let message = Zeroizing::new(keyed.clone().chain_update([1]).finalize().into_bytes().into());
        let chain: [u8; 32] = keyed.chain_update([2]).finalize().into_bytes().into();
        **self.key = chain;
        self.number = number;
        Ok((header, message))
    }
}

fn aad(purpose: Purpose, header: [u8; HEADER_LEN]) -> [u8; 6 + HEADER_LEN] {
    let mut aad = [0; 6 + HEADER_LEN];
    for (to, from) in aad.iter_mut().zip(purpose.label().iter().chain(&header)) {
        *to = *from;
    }
    aad
}

/// Takes kind, length and zeros away. There is one padding for each content; any other is refused.
fn unpad(mut text: Zeroizing<Vec<u8>>) -> Result<(Kind, Zeroizing<Vec<u8>>), RecordError> {
    let (&[kind, a, b, c, d], rest) = text.split_first_chunk::<INNER_LEN>().ok_or(RecordError::Malformed)?;
    let kind = Kind::from_byte(kind).ok_or(RecordError::Malformed)?;
    let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| RecordError::Malformed)?;
    let zeros = rest.get(len..).ok_or(RecordError::Malformed)?;
    let used = INNER_LEN.saturating_add(len);
    if padding::padded(used) != text.len() || zeros.iter().any(|byte| *byte != 0) {
        return Err(RecordError::Malformed);
    }
    text.copy_within(INNER_LEN..used, 0);
    text.truncate(len);
    Ok((kind, text))
}

/// How much an epoch has been used.
#[derive(Default)]
struct Usage {
    records: u32,
    first_ms: Option<u64>,
    sent: bool,
    received: bool,
}

impl Usage {
    fn sent(&mut self, now_ms: u64) {
        self.sent = true;
        self.count(now_ms);
    }

    fn received(&mut self, now_ms: u64) {
        self.received = true;
        self.count(now_ms);
    }

    fn count(&mut self, now_ms: u64) {
        self.records = self.records.saturating_add(1);
        self.first_ms.get_or_insert(now_ms);
    }

    fn due(&self, now_ms: u64) -> bool {
        let Some(first_ms) = self.first_ms else {
            return false;
        };
        let age_ms = now_ms.saturating_sub(first_ms);
        self.records >= EPOCH_RECORDS || age_ms >= EPOCH_MS || (self.sent && self.received && age_ms >= TURN_MS)
    }
}
