//! Media sealing: SFrame (RFC 9605), suite 0x0005 `AES_256_GCM_SHA512_128`, with sender keys (section 5.1).
//!
//! Each sender makes a [`BaseKey`] per generation and sends it to each peer in a record. One [`Sealer`] per track seals the
//! encoded frame whole, before it is cut into packets, and the same sealed bytes go to everyone. One [`Opener`] per link opens
//! what arrives on that link; it knows the keys of that peer alone, so nobody can speak in another's name.
//!
//! - **Someone joins**: [`BaseKey::stepped`], [`Sealer::step`]; the newcomer gets the stepped key and reads nothing before.
//! - **Someone leaves**: a new base key and generation; the leaver's link is closed.
//! - **Always**: a step every ten minutes, a generation every hour or [`MAX_FRAMES`] frames.

use hkdf::Hkdf;
use sha2::Sha512;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::kdf;

pub mod codec;

mod window;

use codec::{Header, MediaKey, Suite};
use window::Window;

/// The most frames one key seals; then a new generation is due.
pub const MAX_FRAMES: u64 = 1 << 24;

/// The most bytes of a frame: more than any video frame has.
pub const MAX_FRAME: usize = 4 << 20;

/// How far behind the newest frame of a key an older one may come and still be opened.
pub const REPLAY_WINDOW: u64 = window::SPAN;

/// The most generations of one peer an opener holds; the oldest goes when another comes.
pub const MAX_GENERATIONS: usize = 3;

/// The most tracks of one generation.
pub const MAX_TRACKS: usize = 8;

/// How many steps at once an opener goes forward for a frame.
pub const MAX_STEPS_AHEAD: u8 = 32;

const STEPPED_LEN: usize = 64;

/// Why a frame was not sealed or opened. The frame is dropped; the call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MediaError {
    /// Not an SFrame frame, or not a base key.
    #[error("the frame is malformed")]
    Malformed,
    /// The frame is longer than [`MAX_FRAME`].
    #[error("the frame is too long")]
    TooLong,
    /// No key for this frame: not sent yet, already replaced, or never ours to have.
    #[error("no key for the frame")]
    UnknownKey,
    /// Changed on the way, or made with another key.
    #[error("the frame is not the sender's")]
    Forged,
    /// This frame was opened before.
    #[error("the frame was opened before")]
    Replayed,
    /// The frame lies behind the replay window.
    #[error("the frame is too old")]
    TooOld,
    /// The peer uses more tracks than [`MAX_TRACKS`].
    #[error("the peer uses too many tracks")]
    TooManyTracks,
    /// The generation is not newer than the last one.
    #[error("the generation is not newer than the last one")]
    StaleGeneration,
    /// The key has sealed [`MAX_FRAMES`] frames or made 255 steps: a new generation is needed.
    #[error("the key is used up")]
    Exhausted,
}

/// Which key sealed a frame. On the wire it is the number `generation << 16 | step << 8 | track`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// Counts the sender's base keys.
    pub generation: u16,
    /// Counts the ratchet steps of one base key.
    pub step: u8,
    /// The sender's stream: sound, camera, screen.
    pub track: u8,
}

impl KeyId {
    /// The number on the wire.
    pub fn to_u64(self) -> u64 {
        u64::from(self.generation) << 16 | u64::from(self.step) << 8 | u64::from(self.track)
    }

    /// The key id for a number from the wire; `None` for one that no sender of ours uses.
    pub fn from_u64(number: u64) -> Option<Self> {
        let [a, b, step, track] = u32::try_from(number).ok()?.to_be_bytes();
        Some(Self { generation: u16::from_be_bytes([a, b]), step, track })
    }
}

/// The key from which a sender's keys of one generation follow. Erased when dropped.
pub struct BaseKey {
    step: u8,
    /// 32 random bytes at step 0; 64 bytes after a step, the hash length the RFC ratchets with.
    key: Zeroizing<Vec<u8>>,
}

impl BaseKey {
    /// The base key that belongs to `seed`, at step 0. A seed serves one generation of one sender.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self { step: 0, key: Zeroizing::new(kdf::from_seed::<32>(&seed, b"sframe base key").to_vec()) }
    }

    /// What goes to a peer, in a record and nowhere else: the step (1 byte) and the key.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&[self.step], self.key.as_slice()].concat())
    }

    /// Takes what a peer sent.
    ///
    /// # Errors
    ///
    /// [`MediaError::Malformed`] if it is not what [`BaseKey::to_bytes`] gives.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MediaError> {
        let (&step, key) = bytes.split_first().ok_or(MediaError::Malformed)?;
        let right_len = if step == 0 { 32 } else { STEPPED_LEN };
        if key.len() != right_len {
            return Err(MediaError::Malformed);
        }
        Ok(Self { step, key: Zeroizing::new(key.to_vec()) })
    }

    /// How many steps this key has made.
    pub fn step(&self) -> u8 {
        self.step
    }

    /// The key one step on (RFC 9605, section 5.1); from it nothing before can be read.
    ///
    /// # Errors
    ///
    /// [`MediaError::Exhausted`] after 255 steps.
    #[allow(clippy::expect_used, reason = "HKDF-SHA512 gives up to 16,320 bytes")]
    pub fn stepped(&self) -> Result<Self, MediaError> {
        let step = self.step.checked_add(1).ok_or(MediaError::Exhausted)?;
        let mut key = Zeroizing::new(vec![0; STEPPED_LEN]);
        Hkdf::<Sha512>::new(None, &self.key)
            .expand(b"SFrame 1.0 Ratchet", &mut key)
            .expect("64 bytes are within what HKDF gives");
        Ok(Self { step, key })
    }

    /// The same key again, for another owner in this crate.
    fn duplicate(&self) -> Self {
        Self { step: self.step, key: self.key.clone() }
    }

    fn media_key(&self, generation: u16, track: u8) -> MediaKey {
        let id = KeyId { generation, step: self.step, track };
        MediaKey::derive(Suite::Aes256Gcm, &self.key, id.to_u64())
    }
}

/// Seals the frames of one track.
pub struct Sealer {
    base: BaseKey,
    generation: u16,
    track: u8,
    key: MediaKey,
    ctr: u64,
}

impl Sealer {
    /// A sealer for `track`, at the step of `base`.
    ///
    /// Make one sealer for each base key, generation and track, and no second: two would seal under the same nonces.
    pub fn new(base: &BaseKey, generation: u16, track: u8) -> Self {
        Self { base: base.duplicate(), generation, track, key: base.media_key(generation, track), ctr: 0 }
    }

    /// Replaces `out` by the sealed frame. Does not allocate if `out` has room for 33 bytes more than the frame.
    ///
    /// # Errors
    ///
    /// [`MediaError::Exhausted`] after [`MAX_FRAMES`], [`MediaError::TooLong`].
    pub fn seal(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        if frame.len() > MAX_FRAME {
            return Err(MediaError::TooLong);
        }
        if self.ctr >= MAX_FRAMES {
            return Err(MediaError::Exhausted);
        }
        let ctr = self.ctr;
        // Counted before it is used: whatever happens below, no nonce comes twice.
        self.ctr = self.ctr.saturating_add(1);
        self.key.seal(ctr, &[], frame, out)
    }

    /// Goes one step on, so that who gets the key from now on reads nothing before.
    ///
    /// # Errors
    ///
    /// [`MediaError::Exhausted`] after 255 steps.
    pub fn step(&mut self) -> Result<KeyId, MediaError> {
        self.base = self.base.stepped()?;
        self.key = self.base.media_key(self.generation, self.track);
        self.ctr = 0;
        Ok(self.key_id())
    }

    /// The key in use.
    pub fn key_id(&self) -> KeyId {
        KeyId { generation: self.generation, step: self.base.step, track: self.track }
    }

    /// How many frames the key in use has sealed.
    pub fn frames(&self) -> u64 {
        self.ctr
    }
}

/// Opens the frames of one peer, on one link.
#[derive(Default)]
pub struct Opener {
    newest: Option<u16>,
    generations: Vec<Generation>,
}

struct Generation {
    number: u16,
    /// The lowest step that can still be opened; it follows one step behind the newest one heard.
    base: BaseKey,
    keys: Vec<Track>,
}

struct Track {
    id: KeyId,
    key: MediaKey,
    window: Window,
}

impl Opener {
    /// An opener that knows no key yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a base key the peer sent on this link. The oldest generation goes if there are more than
    /// [`MAX_GENERATIONS`].
    ///
    /// # Errors
    ///
    /// [`MediaError::StaleGeneration`] unless `generation` is above every one before: a key that comes twice must
    /// not forget which frames were opened.
    pub fn insert(&mut self, generation: u16, base: &BaseKey) -> Result<(), MediaError> {
        if self.newest.is_some_and(|newest| generation <= newest) {
            return Err(MediaError::StaleGeneration);
        }
        self.newest = Some(generation);
        if self.generations.len() >= MAX_GENERATIONS {
            self.generations.remove(0);
        }
        self.generations.push(Generation { number: generation, base: base.duplicate(), keys: Vec::new() });
        Ok(())
    }

    /// Forgets all generations but the newest: nothing sealed under an older key opens any more.
    pub fn keep_newest(&mut self) {
        let older = self.generations.len().saturating_sub(1);
        self.generations.drain(..older);
    }

    /// Replaces `out` by the frame and gives its key. On error `out` is empty and nothing has changed.
    ///
    /// Does not allocate for a key heard before, if `out` has room.
    ///
    /// # Errors
    ///
    /// Every [`MediaError`] a peer can cause.
    pub fn open(&mut self, wire: &[u8], out: &mut Vec<u8>) -> Result<KeyId, MediaError> {
        out.clear();
        if wire.len() > MAX_FRAME.saturating_add(codec::MAX_HEADER + 16) {
            return Err(MediaError::TooLong);
        }
        let (header, body) = Header::parse(wire)?;
        let id = KeyId::from_u64(header.kid).ok_or(MediaError::UnknownKey)?;
        let generation = self
            .generations
            .iter_mut()
            .rev()
            .find(|generation| generation.number == id.generation)
            .ok_or(MediaError::UnknownKey)?;
        match generation.keys.iter_mut().find(|track| track.id == id) {
            Some(track) => track.open(header, body, out)?,
            None => generation.open_new(id, header, body, out)?,
        }
        Ok(id)
    }
}

impl Track {
    fn open(&mut self, header: Header, body: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        self.window.check(header.ctr)?;
        self.key.open(header, &[], body, out)?;
        self.window.mark(header.ctr);
        Ok(())
    }
}

impl Generation {
    /// Opens a frame of a key not heard before; only an authentic frame leaves a trace.
    fn open_new(&mut self, id: KeyId, header: Header, body: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        let ahead = id
            .step
            .checked_sub(self.base.step)
            .filter(|ahead| *ahead <= MAX_STEPS_AHEAD)
            .ok_or(MediaError::UnknownKey)?;
        let known = |track: u8| self.keys.iter().any(|key| key.id.track == track);
        if !known(id.track) && self.tracks() >= MAX_TRACKS {
            return Err(MediaError::TooManyTracks);
        }
        let mut before = self.base.duplicate();
        let mut base = self.base.duplicate();
        for _ in 0..ahead {
            let next = base.stepped()?;
            before = std::mem::replace(&mut base, next);
        }
        let mut track = Track { id, key: base.media_key(id.generation, id.track), window: Window::default() };
        track.open(header, body, out)?;
        // Another track may still be one step behind; further back nothing can be opened again.
        self.base = before;
        let lowest = self.base.step;
        self.keys.retain(|key| key.id.step >= lowest);
        self.keys.push(track);
        Ok(())
    }

    fn tracks(&self) -> usize {
        let mut tracks: Vec<u8> = self.keys.iter().map(|key| key.id.track).collect();
        tracks.sort_unstable();
        tracks.dedup();
        tracks.len()
    }
}
