//! Transfers as the app and the file pump see them.

use sidetone_wire::id::{Digest, Secret, TransferId, UserId};
use sidetone_wire::transfer::{FileKind, FileName, FileSize, Mime, Picture, Voice};

use super::row::{EndReason, TransferRow};
use crate::input::LinkId;

/// Bytes of every chunk but the last.
pub const CHUNK_BYTES: u64 = sidetone_crypto::file::CHUNK_BYTES as u64;

/// A file that the user has for a friend: read and hashed already.
#[derive(Debug)]
pub struct NewFile {
    /// Where it lies; it must stay there until it is sent.
    pub path: String,
    /// When it was last changed, in nanoseconds since 1970.
    pub changed_ns: Option<u64>,
    /// The name to show.
    pub name: FileName,
    /// Its length.
    pub size: FileSize,
    /// What it is.
    pub mime: Mime,
    /// How it is shown.
    pub kind: FileKind,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Of an image.
    pub picture: Option<Picture>,
    /// Of a voice note.
    pub voice: Option<Voice>,
}

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferState {
    /// Its receiver did not accept it yet.
    Offered,
    /// Accepted; it goes on as soon as both are there.
    Waiting,
    /// Its chunks travel.
    Moving,
    /// Somebody holds it.
    Paused(PausedBy),
    /// It is over.
    Ended(EndReason),
}

/// Who holds a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PausedBy {
    /// We do.
    Us,
    /// They do.
    Them,
    /// There is no room for it here: make some, then resume it.
    NoSpace,
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferView {
    /// Which.
    pub transfer: TransferId,
    /// With whom.
    pub peer: UserId,
    /// True if we send it.
    pub ours: bool,
    /// Its name as its sender gave it: to show.
    pub name: FileName,
    /// What its sender says it is.
    pub mime: Mime,
    /// How it is shown.
    pub kind: FileKind,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes that are known to have arrived.
    pub done: u64,
    /// How it stands.
    pub state: TransferState,
    /// Where it lies: ours from the beginning, theirs once it is whole.
    pub path: Option<String>,
}

impl TransferView {
    /// A transfer that is not under way, as its row has it.
    pub fn of(peer: UserId, row: &TransferRow) -> Self {
        let size = row.offer.size.bytes();
        let whole = row.end == Some(EndReason::Received.number());
        let place = row.ours || whole;
        Self {
            transfer: row.offer.transfer,
            peer,
            ours: row.ours,
            name: row.offer.name.clone(),
            mime: row.offer.mime.clone(),
            kind: row.offer.kind,
            size,
            done: if whole { size } else { row.done.saturating_mul(CHUNK_BYTES).min(size) },
            state: state(row),
            path: row.path.clone().filter(|_| place),
        }
    }
}

fn state(row: &TransferRow) -> TransferState {
    match (row.end, row.held, row.stage) {
        (Some(end), ..) => TransferState::Ended(EndReason::from_number(end)),
        (None, held, _) if held & super::HELD_BY_US != 0 => TransferState::Paused(PausedBy::Us),
        (None, held, _) if held & super::HELD_BY_DISK != 0 => TransferState::Paused(PausedBy::NoSpace),
        (None, held, _) if held & super::HELD_BY_THEM != 0 => TransferState::Paused(PausedBy::Them),
        (None, _, super::OFFERED) => TransferState::Offered,
        (None, ..) => TransferState::Waiting,
    }
}

/// What the file pump is to do for a transfer. Orders replace what was under way for it.
#[derive(Debug)]
pub enum TransferOrder {
    /// Look what lies here of it already and whether there is room for the rest; answer with
    /// [`TransferNews::Prepared`], [`TransferNews::NoSpace`], [`TransferNews::Verified`] or [`TransferNews::Failed`].
    Prepare {
        /// What arrives.
        file: Incoming,
        /// Whether what lies here is thrown away first.
        anew: bool,
    },
    /// Take its chunks from this link, going on from what was prepared.
    Receive {
        /// Which link.
        link: LinkId,
        /// What arrives.
        file: Incoming,
    },
    /// Bring what was verified to its place; answer with [`TransferNews::Kept`].
    Keep {
        /// The place, as [`TransferNews::Verified`] named it.
        path: String,
        /// What arrived.
        file: Incoming,
    },
    /// Send its chunks over this link.
    Send {
        /// Which link.
        link: LinkId,
        /// The first chunk that is wanted.
        from: u64,
        /// What is sent.
        file: Outgoing,
    },
    /// Stop; what lies here stays.
    Stop,
    /// Stop, and throw away what lies here of a file that is not whole.
    Discard,
}

/// A file that arrives.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its name as its sender gave it: never a path.
    pub name: FileName,
    /// Its length, as its sender says.
    pub size: FileSize,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Opens its chunks.
    pub key: Secret,
}

/// A file that is sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where it lies.
    pub path: String,
    /// When it was last changed when it was offered.
    pub changed_ns: Option<u64>,
    /// Its length when it was offered.
    pub size: FileSize,
    /// Seals its chunks.
    pub key: Secret,
}

/// What the file pump says about a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferNews {
    /// So many chunks lie here, and there is room for the rest.
    Prepared {
        /// The first chunk that is missing.
        from: u64,
    },
    /// There is no room for it.
    NoSpace,
    /// So many chunks are known to have arrived. Told at most four times a second.
    Moved {
        /// Chunks from the beginning.
        chunks: u64,
    },
    /// It is whole, and is what was offered.
    Verified {
        /// Where it is to lie.
        path: String,
    },
    /// It lies in its place.
    Kept,
    /// It cannot go on.
    Failed(TransferFailure),
}

/// Why the file pump cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferFailure {
    /// The file is gone, or not the one that was offered any more.
    Changed,
    /// What arrived whole is not what was offered.
    WrongDigest,
    /// The peer sent what no honest peer sends: chunks that do not open, or out of order.
    Breach,
    /// The disk failed.
    Storage,
}
