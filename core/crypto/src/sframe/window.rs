//! Which frames of one key have been opened (after RFC 6479).

use super::MediaError;

pub(super) const SPAN: u64 = 1_024;
const WORDS: usize = 16;

/// The last [`SPAN`] counters, one bit each.
#[derive(Default)]
pub(super) struct Window {
    /// One above the highest counter opened.
    next: u64,
    words: [u64; WORDS],
}

impl Window {
    /// Whether a frame with this counter may still come. Changes nothing: the frame is not authentic yet.
    pub(super) fn check(&self, ctr: u64) -> Result<(), MediaError> {
        let Some(behind) = self.next.checked_sub(ctr).filter(|behind| *behind > 0) else {
            return Ok(());
        };
        if behind > SPAN {
            return Err(MediaError::TooOld);
        }
        let (word, bit) = place(ctr);
        match self.words.get(word) {
            Some(bits) if bits & bit == 0 => Ok(()),
            _ => Err(MediaError::Replayed),
        }
    }

    /// Remembers an authentic frame.
    pub(super) fn mark(&mut self, ctr: u64) {
        if ctr >= self.next {
            if ctr.saturating_sub(self.next) >= SPAN {
                self.words = [0; WORDS];
            } else {
                for skipped in self.next..ctr {
                    self.set(skipped, false);
                }
            }
            self.next = ctr.saturating_add(1);
        }
        self.set(ctr, true);
    }

    fn set(&mut self, ctr: u64, opened: bool) {
        let (word, bit) = place(ctr);
        if let Some(bits) = self.words.get_mut(word) {
            if opened {
                *bits |= bit;
            } else {
                *bits &= !bit;
            }
        }
    }
}

fn place(ctr: u64) -> (usize, u64) {
    let place = ctr % SPAN;
    let word = usize::try_from(place / 64).unwrap_or(WORDS);
    (word, 1 << (place % 64))
}
