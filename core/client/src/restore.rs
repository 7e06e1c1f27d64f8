//! The engine as it was, from what the store kept.

use std::sync::mpsc::sync_channel;

use sidetone_engine::{Config, Engine, Restoring};

use crate::error::OpenError;
use crate::store::{Mark, Store};

/// Bytes of sealed rows handed over at a time.
const PART_BYTES: usize = 16 << 10;
/// Parts that may wait.
const PARTS: usize = 16;

/// Some rows: the place of each, with where its sealed value ends.
#[derive(Default)]
struct Part {
    ends: Vec<(Mark, usize)>,
    sealed: Vec<u8>,
}

impl Part {
    fn push(&mut self, mark: Mark, sealed: &[u8]) {
        self.sealed.extend_from_slice(sealed);
        self.ends.push((mark, self.sealed.len()));
    }

    fn rows(&self) -> impl Iterator<Item = (Mark, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        begins.zip(&self.ends).map(|(begin, (mark, end))| (*mark, &self.sealed[begin..*end]))
    }
}

/// Reads the rows here while another thread opens them and makes an engine of them: each takes about as long as the other.
pub fn restore(config: Config, store: &Store) -> Result<Engine, OpenError> {
    let (hand, parts) = sync_channel::<Part>(PARTS);
    let mut opener = store.opener();
    std::thread::scope(|scope| {
        let make = move || {
            let mut restoring = Restoring::new(config);
            for part in parts {
                for (mark, sealed) in part.rows() {
                    let (place, value) = opener.open(mark, sealed)?;
                    restoring.row(place, value)?;
                }
            }
            Ok::<_, OpenError>(restoring.done())
        };
        let thread = std::thread::Builder::new().name("sidetone-open".into());
        let making = thread.spawn_scoped(scope, make).map_err(|_| OpenError::System)?;
        let mut part = Part::default();
        let read = store.restore_each(|mark, sealed| {
            part.push(mark, sealed);
            if part.sealed.len() >= PART_BYTES {
                // Nobody takes it if a row before cannot be read, which is what the other thread says.
                let _ = hand.send(std::mem::take(&mut part));
            }
        });
        let _ = hand.send(part);
        drop(hand);
        let made = making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read?;
        made
    })
}
