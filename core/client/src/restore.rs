//! The engine as it was, from what the store kept.

use std::sync::mpsc::sync_channel;

use sidetone_engine::{Config, Engine};

use crate::error::OpenError;
use crate::store::Store;

/// Rows handed over at a time.
const PART: usize = 256;
/// Parts that may wait.
const PARTS: usize = 16;

/// Reads and opens the rows here while another thread makes an engine of them: each takes about as long as the other.
pub fn restore(config: Config, store: &Store) -> Result<Engine, OpenError> {
    let (hand, parts) = sync_channel::<Vec<_>>(PARTS);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("sidetone-open".into());
        let making = thread.spawn_scoped(scope, move || Engine::restore(config, parts.into_iter().flatten()));
        let making = making.map_err(|_| OpenError::System)?;
        let mut part = Vec::with_capacity(PART);
        let read = store.restore_each(|row| {
            part.push(row);
            if part.len() == PART {
                // Nobody takes it if a row before cannot be read, which is what the other thread says.
                let _ = hand.send(std::mem::replace(&mut part, Vec::with_capacity(PART)));
            }
        });
        let _ = hand.send(part);
        drop(hand);
        let made = making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read?;
        Ok(made?)
    })
}
