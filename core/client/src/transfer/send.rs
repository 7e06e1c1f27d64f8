//! A file that is sent.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

use bytes::Bytes;
use sidetone_crypto::file::{CHUNK_BYTES, FileCipher, chunks};
use sidetone_engine::transfer::view::{Outgoing, TransferFailure};
use sidetone_wire::id::TransferId;

use super::frame::{CHUNKS, Frame};
use super::pump::TOLD_EVERY;
use crate::vault::random;

/// A file that is sent over one link.
pub struct Sending {
    /// Which.
    pub transfer: TransferId,
    file: File,
    from: Outgoing,
    /// The first chunk that was not sent.
    pub next: u64,
    /// Its run, once it began.
    run: Option<(u32, FileCipher)>,
    told: Instant,
}

impl Sending {
    /// Opens the file, if it is the one that was offered.
    pub fn open(transfer: TransferId, next: u64, from: Outgoing) -> Result<Self, TransferFailure> {
        let file = File::open(&from.path).map_err(|_| TransferFailure::Changed)?;
        let sending = Self { transfer, file, from, next, run: None, told: Instant::now() };
        if sending.is_same() { Ok(sending) } else { Err(TransferFailure::Changed) }
    }

    /// How many chunks it has.
    pub fn chunks(&self) -> u64 {
        chunks(self.from.size.bytes())
    }

    /// Whether every chunk was sent.
    pub fn is_sent(&self) -> bool {
        self.next >= self.chunks()
    }

    /// Goes on from another chunk, in another run: chunks of a file that may have changed meanwhile are never sealed again
    /// as they were.
    pub fn again(&mut self, from: u64) {
        self.next = from;
        self.run = None;
    }

    /// Whether it is time to tell how far it is.
    pub fn should_tell(&mut self) -> bool {
        let due = self.told.elapsed() >= TOLD_EVERY;
        if due {
            self.told = Instant::now();
        }
        due
    }

    /// The next message: its beginning, or some chunks. `runs` counts the runs of the link.
    pub fn message(&mut self, runs: &mut u32) -> Result<Bytes, TransferFailure> {
        let Some((run, cipher)) = &self.run else {
            let (run, transfer, from) = (*runs, self.transfer, self.next);
            *runs = runs.wrapping_add(1);
            let sealed = FileCipher::seal_with(&self.from.key.0, random(), &transfer.0, self.from.size.bytes());
            let cipher = sealed.map_err(|_| TransferFailure::Changed)?;
            let header = Box::new(*cipher.header());
            let place = from.checked_mul(CHUNK_BYTES as u64).ok_or(TransferFailure::Changed)?;
            self.file.seek(SeekFrom::Start(place)).map_err(|_| TransferFailure::Storage)?;
            self.run = Some((run, cipher));
            return Ok(Frame::Begin { run, transfer, from, header }.write());
        };
        let mut out = Frame::chunks(*run, self.next);
        for _ in 0..CHUNKS {
            let Some(length) = cipher.chunk_length(self.next) else { break };
            let at = out.len();
            out.resize(at + length, 0);
            let chunk = &mut out[at..];
            self.file.read_exact(chunk).map_err(|_| TransferFailure::Changed)?;
            let tag = cipher.seal(self.next, chunk).map_err(|_| TransferFailure::Changed)?;
            out.extend_from_slice(&tag);
            self.next += 1;
        }
        if self.is_sent() && !self.is_same() {
            return Err(TransferFailure::Changed);
        }
        Ok(out.freeze())
    }

    fn is_same(&self) -> bool {
        let meta = self.file.metadata();
        meta.is_ok_and(|meta| {
            meta.is_file() && meta.len() == self.from.size.bytes() && changed_ns(&meta) == self.from.changed_ns
        })
    }
}

/// When a file was last changed.
pub fn changed_ns(meta: &Metadata) -> Option<u64> {
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// A file before it is offered: its length, when it was changed, and its digest.
pub struct Looked {
    pub size: u64,
    pub changed_ns: Option<u64>,
    pub digest: [u8; 32],
}

/// Reads a file that is to be offered.
///
/// # Errors
/// What the disk says; [`std::io::ErrorKind::InvalidInput`] if it is no file, or changed while it was read.
pub fn look(path: &Path) -> std::io::Result<Looked> {
    let mut file = File::open(path)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        size += read as u64;
    }
    let after = file.metadata()?;
    let (one, other) = (changed_ns(&before), changed_ns(&after));
    if size != after.len() || one != other {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.finish().as_ref());
    Ok(Looked { size, changed_ns: one, digest: bytes })
}
