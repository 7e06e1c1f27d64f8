//! A file that arrives.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Instant;

use ring::digest::{Context, SHA256};
use sidetone_crypto::file::{CHUNK_BYTES, FileCipher, HEADER_LEN, OVERHEAD, chunks};
use sidetone_engine::LinkId;
use sidetone_engine::transfer::view::{Incoming, TransferFailure, TransferNews};
use sidetone_wire::id::{Digest, Secret, TransferId};
use sidetone_wire::transfer::FileName;

use super::place::Shelf;
use super::pump::{MARK_BYTES, TOLD_EVERY, failed, verified};

/// Read at once when what lies here is read again.
const AGAIN_BYTES: usize = 1 << 20;

/// A file that arrives: what lies here of it is a beginning of what was offered.
pub struct Intake {
    transfer: TransferId,
    name: FileName,
    part: File,
    digest: Context,
    wanted: Digest,
    key: Secret,
    size: u64,
    /// The first chunk that is missing.
    pub next: u64,
    /// The link it comes over, while it comes.
    pub link: Option<LinkId>,
    run: Option<(u32, FileCipher)>,
    /// Bytes written since the last mark.
    unmarked: u64,
    told: Instant,
}

/// What came of a run's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Its chunks are taken.
    Yes,
    /// It does not begin where it should: its sender did not hear yet what is wanted.
    Elsewhere,
    /// No honest peer begins one like it.
    Breach,
}

/// What came of a message with chunks.
pub enum Taken {
    /// It was written; whether its sender and the app should hear how far it is.
    Some {
        /// See above.
        tell: bool,
    },
    /// It belongs to no run of this file: an older one, or one of another file.
    Stray,
    /// Nothing of this kind may come from an honest peer.
    Breach,
    /// The disk failed.
    Failed(io::Error),
}

impl Intake {
    /// Opens what lies here and reads it again; without anything here it begins with nothing.
    pub async fn open(shelf: &Shelf, transfer: TransferId, file: &Incoming) -> io::Result<Self> {
        let mut part = shelf.open_part(transfer)?;
        let size = file.size.bytes();
        let here = part.metadata()?.len();
        let next = match here {
            here if here > size => 0,
            here if here == size && !here.is_multiple_of(CHUNK_BYTES as u64) => chunks(size),
            // Half a chunk is as good as none, and an empty last chunk leaves no trace.
            here => here / CHUNK_BYTES as u64,
        };
        let keep = next.saturating_mul(CHUNK_BYTES as u64).min(size);
        part.set_len(keep)?;
        let digest = reread(&mut part, keep).await?;
        part.seek(SeekFrom::Start(keep))?;
        let (wanted, key) = (file.digest, file.key.clone());
        let (link, run, unmarked, told) = (None, None, 0, Instant::now());
        let name = file.name.clone();
        Ok(Self { transfer, name, part, digest, wanted, key, size, next, link, run, unmarked, told })
    }

    /// Whether every chunk was opened.
    pub fn is_whole(&self) -> bool {
        self.next >= chunks(self.size)
    }

    /// Bytes that are missing.
    pub fn missing(&self) -> u64 {
        self.size.saturating_sub(self.next.saturating_mul(CHUNK_BYTES as u64))
    }

    /// Nothing more comes for now.
    pub fn rest(&mut self) {
        self.link = None;
        self.run = None;
    }

    /// The path changed: what comes now belongs to another run.
    pub fn forget_run(&mut self) {
        self.run = None;
    }

    /// Whether this is the number of its run.
    pub fn is_run(&self, run: u32) -> bool {
        self.run.as_ref().is_some_and(|(current, _)| *current == run)
    }

    /// Its sender begins a run.
    pub fn begin(&mut self, run: u32, from: u64, header: &[u8; HEADER_LEN]) -> Begun {
        self.run = None;
        if from != self.next {
            return Begun::Elsewhere;
        }
        match FileCipher::open_with(&self.key.0, header, &self.transfer.0, self.size) {
            Ok(cipher) => {
                self.run = Some((run, cipher));
                Begun::Yes
            }
            Err(_) => Begun::Breach,
        }
    }

    /// Takes chunks in their order and writes them.
    pub fn take(&mut self, run: u32, index: u64, sealed: &mut [u8]) -> Taken {
        let Some((_, cipher)) = self.run.as_ref().filter(|(current, _)| *current == run) else { return Taken::Stray };
        if index != self.next {
            return Taken::Breach;
        }
        for chunk in sealed.chunks_mut(CHUNK_BYTES + OVERHEAD) {
            let Ok(clear) = cipher.open(self.next, chunk) else { return Taken::Breach };
            if let Err(error) = self.part.write_all(clear) {
                return Taken::Failed(error);
            }
            self.digest.update(clear);
            self.unmarked += clear.len() as u64;
            self.next += 1;
        }
        if self.unmarked >= MARK_BYTES {
            self.unmarked = 0;
            if let Err(error) = self.part.sync_data() {
                return Taken::Failed(error);
            }
        }
        let tell = self.told.elapsed() >= TOLD_EVERY || self.is_whole();
        if tell {
            self.told = Instant::now();
        }
        Taken::Some { tell }
    }

    /// Looks whether what is whole is what was offered, and takes a place for it.
    pub fn finish(&mut self, shelf: &Shelf) -> TransferNews {
        self.rest();
        if let Err(error) = self.part.sync_all() {
            return failed(&error);
        }
        if self.digest.clone().finish().as_ref() != self.wanted.0 {
            return TransferNews::Failed(TransferFailure::WrongDigest);
        }
        match shelf.choose(self.name.as_str()) {
            Ok(path) => verified(&path),
            Err(error) => failed(&error),
        }
    }
}

async fn reread(part: &mut File, length: u64) -> io::Result<Context> {
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0; AGAIN_BYTES];
    let mut rest = length;
    while rest > 0 {
        let wanted = usize::try_from(rest).unwrap_or(AGAIN_BYTES).min(AGAIN_BYTES);
        part.read_exact(&mut buffer[..wanted])?;
        digest.update(&buffer[..wanted]);
        rest -= wanted as u64;
        // Other transfers go on meanwhile.
        tokio::task::yield_now().await;
    }
    Ok(digest)
}
