//! Words for people to say: 1,024 of them, ten bits each.
//!
//! They are taken from the English list of BIP-39 (2,048 words, public domain under CC0 as the crate `bip39` carries them):
//! four to eight letters, no two alike in their first four letters or within one typing error of each other, nothing one
//! would rather not say aloud. As many as there are also differ in their first three letters.

use std::fmt;

use zeroize::Zeroize;

const WORDS: &str = include_str!("words.txt");
/// How many words there are.
pub const COUNT: u16 = 1_024;
/// Letters that tell a word from all others.
const TELLING: usize = 4;

/// One word of the list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u16);

impl Word {
    /// The word for ten bits of two bytes; the other six are not used.
    pub(crate) fn of(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes) % COUNT)
    }

    /// Reads a word in any case, whole or cut short after its fourth letter.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fits = |word: &str| {
            text.len() >= TELLING && word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        };
        let place = WORDS.split_ascii_whitespace().position(fits)?;
        u16::try_from(place).ok().map(Self)
    }

    /// The word as it is written.
    pub(crate) fn text(self) -> &'static str {
        WORDS.split_ascii_whitespace().nth(usize::from(self.0)).unwrap_or_default()
    }
}

impl Zeroize for Word {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// Words in a row, to be read out by one person and compared by another.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase(Vec<Word>);

impl Phrase {
    /// One word for every two bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let pairs = bytes.chunks_exact(2).filter_map(<[u8]>::first_chunk);
        Self(pairs.map(|pair| Word::of(*pair)).collect())
    }

    /// The words one by one.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().map(|word| word.text())
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.words().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phrase({} words)", self.0.len())
    }
}
