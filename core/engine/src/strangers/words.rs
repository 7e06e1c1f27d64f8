//! Words that two strangers compare: once in a session, whoever asks.

use sidetone_crypto::sas::{Committed, Holding, Phrase};
use sidetone_wire::account::Empty;
use sidetone_wire::encounter::{Nonce, StrangerWord};

/// Where the comparison stands.
#[derive(Default)]
pub(super) enum Words {
    /// Nobody asked.
    #[default]
    None,
    /// We asked the one who begins.
    Asked,
    /// We are bound to a nonce.
    Committed(Committed),
    /// They are.
    Holding(Holding),
    /// Both know the words.
    Known(Phrase),
}

/// The nonce shown is not the one committed to.
pub(super) struct Broken;

impl Words {
    /// Somebody here wants to compare; `first` began the handshake. What to say.
    pub fn want(&mut self, first: bool, hash: [u8; 32], seed: [u8; 32]) -> Option<StrangerWord> {
        match self {
            Self::None if first => Some(self.commit(hash, seed)),
            Self::None => {
                *self = Self::Asked;
                Some(StrangerWord::WordsWanted(Empty::default()))
            }
            _ => None,
        }
    }

    fn commit(&mut self, hash: [u8; 32], seed: [u8; 32]) -> StrangerWord {
        let (committed, commitment) = Committed::new(hash, seed);
        *self = Self::Committed(committed);
        StrangerWord::Commit(Nonce(commitment))
    }

    /// The other end says something about it. What to say. Each step counts once in a session, so that nobody has two tries.
    pub fn heard(
        &mut self,
        word: &StrangerWord,
        first: bool,
        hash: [u8; 32],
        seed: [u8; 32],
    ) -> Result<Option<StrangerWord>, Broken> {
        match (word, std::mem::take(self)) {
            (StrangerWord::WordsWanted(_), Self::None) if first => return Ok(Some(self.commit(hash, seed))),
            (StrangerWord::Commit(commitment), Self::None | Self::Asked) if !first => {
                let (holding, nonce) = Holding::new(hash, commitment.0, seed);
                *self = Self::Holding(holding);
                return Ok(Some(StrangerWord::Answer(Nonce(nonce))));
            }
            (StrangerWord::Answer(nonce), Self::Committed(committed)) => {
                let (ours, words) = committed.reveal(&nonce.0);
                *self = Self::Known(words);
                return Ok(Some(StrangerWord::Reveal(Nonce(ours))));
            }
            (StrangerWord::Reveal(nonce), Self::Holding(holding)) => {
                *self = Self::Known(holding.check(&nonce.0).map_err(|_| Broken)?);
            }
            (_, unchanged) => *self = unchanged,
        }
        Ok(None)
    }

    /// The words, once both know them.
    pub fn known(&self) -> Option<&Phrase> {
        match self {
            Self::Known(words) => Some(words),
            _ => None,
        }
    }
}
