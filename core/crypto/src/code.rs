//! Spoken codes: a number that says which door, and a few words that open it.
//!
//! The server knows the number (the nameplate) and passes four messages between who knocks and who holds the door. The words
//! go through [`crate::cpace`]; what comes out at the end is what the holder gives, a room's invitation:
//!
//! ```text
//! knock  -> holder   session (16) || share (32)
//! holder -> knock    share (32)
//! knock  -> holder   tag (64)                  the holder knows here whether the words were right
//! holder -> knock    tag (64) || sealed gift
//! ```
//!
//! Each run is one guess, at either end. The holder counts runs that did not end in a right tag and burns the code; the
//! caller decides when (after three, or ten minutes).

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    aead,
    cpace::{Agreed, CpaceError, Known, Party, Role, SHARE_LEN, TAG_LEN, concat},
    kdf::{self, Prk},
    words::Word,
};

/// The largest nameplate.
pub const MAX_PLATE: u32 = 9_999_999;
/// The most bytes a holder gives.
pub const MAX_GIFT: usize = 1_024;
/// The most characters that are looked at when a code is typed.
const MAX_TEXT: usize = 64;
const SESSION_LEN: usize = 16;
const LABEL: &[u8] = b"sidetone code v1";

/// Why a code, or a run with it, gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodeError {
    /// The text is not a number and two or three words: to be typed again.
    #[error("not a number and two or three words")]
    NotACode,
    /// A word is not in the list: it was misheard or mistyped.
    #[error("a word of the code is not one of the list")]
    UnknownWord,
    /// A message of the other side is not one.
    #[error("a message of the other side is malformed")]
    Malformed,
    /// The other side does not know the same words, or somebody sits between.
    #[error("the words are wrong")]
    WrongWords,
    /// What is to be given is longer than [`MAX_GIFT`].
    #[error("too much to give")]
    TooLong,
}

impl From<CpaceError> for CodeError {
    fn from(error: CpaceError) -> Self {
        match error {
            CpaceError::Share => Self::Malformed,
            CpaceError::Tag => Self::WrongWords,
        }
    }
}

/// How long a code lives, and so how many words it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// At most ten minutes: two words.
    Shortly,
    /// Longer: three words.
    Long,
}

/// A code as it is said: `4711-acid-lemon`.
#[derive(Clone, PartialEq, Eq)]
pub struct SpokenCode {
    plate: u32,
    words: Vec<Word>,
}

impl SpokenCode {
    /// The code that belongs to a seed, behind this nameplate.
    ///
    /// # Errors
    ///
    /// [`CodeError::NotACode`] for a nameplate above [`MAX_PLATE`].
    pub fn from_seed(plate: u32, open: Open, seed: [u8; 32]) -> Result<Self, CodeError> {
        if plate > MAX_PLATE {
            return Err(CodeError::NotACode);
        }
        let drawn = kdf::from_seed::<6>(&Zeroizing::new(seed), b"spoken code");
        let count = match open {
            Open::Shortly => 2,
            Open::Long => 3,
        };
        let pairs = drawn.chunks_exact(2).filter_map(<[u8]>::first_chunk);
        Ok(Self { plate, words: pairs.take(count).map(|pair| Word::of(*pair)).collect() })
    }

    /// Reads what somebody typed: case and the marks between the parts do not matter, words may stop after four letters.
    ///
    /// # Errors
    ///
    /// [`CodeError::NotACode`], [`CodeError::UnknownWord`].
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_TEXT {
            return Err(CodeError::NotACode);
        }
        let mark = |c: char| c.is_ascii_whitespace() || matches!(c, '-' | '.' | ',');
        let mut parts = text.split(mark).filter(|part| !part.is_empty());
        let plate = parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_digit())).ok_or(CodeError::NotACode)?;
        let plate = plate.parse().ok().filter(|plate| *plate <= MAX_PLATE).ok_or(CodeError::NotACode)?;
        let count = parts.clone().count();
        if !(2..=3).contains(&count) {
            return Err(CodeError::NotACode);
        }
        let mut words = Vec::with_capacity(count);
        for part in parts {
            words.push(Word::parse(part).ok_or(CodeError::UnknownWord)?);
        }
        Ok(Self { plate, words })
    }

    /// The number by which the server finds the door.
    pub fn plate(&self) -> u32 {
        self.plate
    }

    fn secret(&self) -> Zeroizing<Vec<u8>> {
        let words: Vec<&[u8]> = self.words.iter().map(|word| word.text().as_bytes()).collect();
        Zeroizing::new(concat(&words))
    }
}

impl fmt::Display for SpokenCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.plate)?;
        self.words.iter().try_for_each(|word| write!(f, "-{}", word.text()))
    }
}

impl Drop for SpokenCode {
    fn drop(&mut self) {
        self.words.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// Who knocks, waiting for the holder's share.
pub struct Knock(Party);

impl Knock {
    /// Begins with a code at a server (by the name both phones call it) and gives message 1.
    pub fn start(code: &SpokenCode, server: &str, seed: [u8; 32]) -> (Self, Vec<u8>) {
        let seed = Zeroizing::new(seed);
        let session = kdf::from_seed::<SESSION_LEN>(&seed, b"code session");
        let party = party(Role::Initiator, code, server, session.as_slice(), &seed);
        let message1 = [session.as_slice(), &party.share()].concat();
        (Self(party), message1)
    }

    /// Takes message 2 and gives message 3, which shows that we know the words.
    ///
    /// # Errors
    ///
    /// [`CodeError::Malformed`].
    pub fn prove(self, message2: &[u8]) -> Result<(Proved, Vec<u8>), CodeError> {
        let share: &[u8; SHARE_LEN] = message2.try_into().map_err(|_| CodeError::Malformed)?;
        let agreed = self.0.agree(share, b"holder")?;
        let message3 = agreed.tag().to_vec();
        Ok((Proved(agreed), message3))
    }
}

/// Who knocked and showed the words, waiting for what is given.
pub struct Proved(Agreed);

impl Proved {
    /// Takes message 4 and gives what the holder gave.
    ///
    /// # Errors
    ///
    /// [`CodeError::Malformed`], and [`CodeError::WrongWords`] when the holder has not shown the same words.
    pub fn open(self, message4: &[u8]) -> Result<Zeroizing<Vec<u8>>, CodeError> {
        let (tag, sealed) = message4.split_first_chunk::<TAG_LEN>().ok_or(CodeError::Malformed)?;
        if sealed.len() > MAX_GIFT.saturating_add(aead::TAG_LEN) {
            return Err(CodeError::Malformed);
        }
        let key = gift_key(&*self.0.confirm(tag)?);
        let (text, seal) = sealed.split_last_chunk::<{ aead::TAG_LEN }>().ok_or(CodeError::Malformed)?;
        let mut gift = Zeroizing::new(text.to_vec());
        key.open([0; 12], LABEL, &mut gift, seal).map_err(|_| CodeError::WrongWords)?;
        Ok(gift)
    }
}

/// Who holds the door, and has answered one knock.
pub struct Holder(Agreed);

impl Holder {
    /// Takes message 1 and gives message 2.
    ///
    /// # Errors
    ///
    /// [`CodeError::Malformed`].
    pub fn answer(
        code: &SpokenCode,
        server: &str,
        message1: &[u8],
        seed: [u8; 32],
    ) -> Result<(Self, Vec<u8>), CodeError> {
        let (session, share) = message1.split_first_chunk::<SESSION_LEN>().ok_or(CodeError::Malformed)?;
        let share: &[u8; SHARE_LEN] = share.try_into().map_err(|_| CodeError::Malformed)?;
        let party = party(Role::Responder, code, server, session, &Zeroizing::new(seed));
        let message2 = party.share().to_vec();
        Ok((Self(party.agree(share, b"knock")?), message2))
    }

    /// Takes message 3 and, if the words were right, gives message 4 with `gift` inside.
    ///
    /// # Errors
    ///
    /// [`CodeError::WrongWords`]: this guess is spent. [`CodeError::Malformed`] counts as one too.
    /// [`CodeError::TooLong`] for a gift above [`MAX_GIFT`].
    pub fn give(self, message3: &[u8], gift: &[u8]) -> Result<Vec<u8>, CodeError> {
        let tag: &[u8; TAG_LEN] = message3.try_into().map_err(|_| CodeError::Malformed)?;
        if gift.len() > MAX_GIFT {
            return Err(CodeError::TooLong);
        }
        let ours = self.0.tag();
        let key = gift_key(&*self.0.confirm(tag)?);
        let mut sealed = Zeroizing::new(gift.to_vec());
        let seal = key.seal([0; 12], LABEL, &mut sealed).map_err(|_| CodeError::TooLong)?;
        Ok([ours.as_slice(), &sealed, seal.as_ref()].concat())
    }
}

fn party(role: Role, code: &SpokenCode, server: &str, session: &[u8], seed: &[u8; 32]) -> Party {
    let channel = concat(&[LABEL, server.as_bytes(), &code.plate.to_be_bytes()]);
    let password = code.secret();
    let data: &[u8] = match role {
        Role::Initiator => b"knock",
        Role::Responder => b"holder",
    };
    Party::start(role, Known { password: &password, channel: &channel, session }, data, *seed)
}

/// One key for one message: its nonce is zero.
fn gift_key(isk: &[u8; 64]) -> aead::Key {
    aead::Key::aes256(&Prk::extract(LABEL, isk).expand(&[b"gift"]))
}
