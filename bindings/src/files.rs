//! Files, as they are sent and taken.

use std::path::PathBuf;
use std::sync::Arc;

use sidetone::{Origin, TransferEnd, TransferState};

use crate::chat::FileKind;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{TransferId, UserId};
use crate::operation::{Operation, Outcome};

/// One transfer of a file.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Transfer {
    /// Which.
    pub transfer: TransferId,
    /// With whom.
    pub peer: UserId,
    /// True if we send it.
    pub ours: bool,
    /// Its name as its sender gave it: to show, not to write to.
    pub name: String,
    /// What its sender says it is, such as `image/png`.
    pub mime: String,
    /// What it is for.
    pub kind: FileKind,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes that are known to have arrived.
    pub done: u64,
    /// How it stands.
    pub stage: TransferStage,
    /// Where it lies: ours from the beginning, theirs once it is whole.
    pub path: Option<String>,
}

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TransferStage {
    /// Its receiver did not accept it yet.
    Offered,
    /// Accepted; it goes on as soon as both are there.
    Waiting,
    /// It travels.
    Moving,
    /// Held by us.
    PausedByUs,
    /// Held by them.
    PausedByThem,
    /// There is no room for it here: make some, then resume it.
    PausedForSpace,
    /// It is here, whole and verified, or there.
    Received,
    /// It is over without that.
    Failed {
        /// Why.
        reason: TransferFailure,
    },
}

/// Why a file did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TransferFailure {
    /// Its receiver did not want it.
    Declined,
    /// We gave it up.
    Cancelled,
    /// They gave it up.
    PeerCancelled,
    /// It is larger than its receiver takes.
    TooLarge,
    /// Too many others waited.
    TooMany,
    /// The file that was offered is gone or was changed: send it again.
    Changed,
    /// What arrived is not what was offered.
    Corrupt,
    /// The disk failed at this end: try again.
    Storage,
    /// The disk failed at the other end: try again.
    PeerStorage,
    /// The other end knows nothing of it any more: send it again.
    PeerForgot,
    /// The friendship ended.
    NotFriends,
    /// A reason of a newer version.
    Unknown,
}

/// Which files are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct FilePolicy {
    /// A friend's file of up to so many bytes is taken without asking; 0 asks always.
    pub accept_below: u64,
    /// A larger file than this is declined without asking.
    pub limit: u64,
}

/// Whether an image tells where and how it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ImageOrigin {
    /// A copy is sent that does not; its pixels are untouched.
    Remove,
    /// It is sent as it is.
    Keep,
}

/// What is shown of a file before it is here.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FilePreview {
    /// Width of an image in pixels; 0 for what is none.
    pub width: u32,
    /// Height of an image in pixels; 0 for what is none.
    pub height: u32,
    /// A small JPEG of an image; empty for none.
    pub thumbnail: Vec<u8>,
    /// Length of a voice note in milliseconds; 0 for what is none.
    pub duration_ms: u32,
    /// How loud a voice note is, from its beginning to its end; empty for none.
    pub waveform: Vec<u8>,
}

impl From<sidetone::TransferView> for Transfer {
    fn from(view: sidetone::TransferView) -> Self {
        Self {
            transfer: view.transfer.into(),
            peer: view.peer.into(),
            ours: view.ours,
            name: view.name.as_str().to_owned(),
            mime: view.mime.as_str().to_owned(),
            kind: match view.kind {
                sidetone::FileKind::Image => FileKind::Image,
                sidetone::FileKind::Voice => FileKind::VoiceNote,
                _ => FileKind::File,
            },
            size: view.size,
            done: view.done,
            stage: view.state.into(),
            path: view.path,
        }
    }
}

impl From<TransferState> for TransferStage {
    fn from(state: TransferState) -> Self {
        match state {
            TransferState::Offered => Self::Offered,
            TransferState::Waiting => Self::Waiting,
            TransferState::Moving => Self::Moving,
            TransferState::Paused(sidetone::PausedBy::Us) => Self::PausedByUs,
            TransferState::Paused(sidetone::PausedBy::Them) => Self::PausedByThem,
            TransferState::Paused(sidetone::PausedBy::NoSpace) => Self::PausedForSpace,
            TransferState::Ended(TransferEnd::Received) => Self::Received,
            TransferState::Ended(end) => Self::Failed { reason: failure(end) },
        }
    }
}

fn failure(end: TransferEnd) -> TransferFailure {
    match end {
        TransferEnd::Declined => TransferFailure::Declined,
        TransferEnd::Cancelled => TransferFailure::Cancelled,
        TransferEnd::PeerCancelled => TransferFailure::PeerCancelled,
        TransferEnd::TooLarge => TransferFailure::TooLarge,
        TransferEnd::TooMany => TransferFailure::TooMany,
        TransferEnd::Changed => TransferFailure::Changed,
        TransferEnd::Corrupt => TransferFailure::Corrupt,
        TransferEnd::Storage => TransferFailure::Storage,
        TransferEnd::PeerStorage => TransferFailure::PeerStorage,
        TransferEnd::PeerForgot => TransferFailure::PeerForgot,
        TransferEnd::NotFriends => TransferFailure::NotFriends,
        TransferEnd::Received | TransferEnd::Unknown => TransferFailure::Unknown,
    }
}

#[uniffi::export]
impl RawClient {
    /// Offers a file to a friend, now or when they are there; it is read first, which takes its time. The file must stay
    /// where it is, as it is, until the transfer is over.
    pub fn send_file(&self, peer: UserId, path: String, mime: String) -> Arc<Operation> {
        self.attempt(move |client| async move {
            let transfer = client.send_file(peer.inner()?, &PathBuf::from(path), &mime).await?;
            Ok(Outcome::Transfer { transfer: transfer.into() })
        })
    }

    /// Offers a JPEG or PNG to a friend, with a small picture to show at once.
    pub fn send_image(&self, peer: UserId, path: String, origin: ImageOrigin) -> Arc<Operation> {
        let origin = match origin {
            ImageOrigin::Remove => Origin::Remove,
            ImageOrigin::Keep => Origin::Keep,
        };
        self.attempt(move |client| async move {
            let transfer = client.send_image(peer.inner()?, &PathBuf::from(path), origin).await?;
            Ok(Outcome::Transfer { transfer: transfer.into() })
        })
    }

    /// Takes a file that was offered.
    pub async fn accept_file(&self, transfer: TransferId) -> Result<(), SidetoneError> {
        Ok(self.inner().accept_file(transfer.inner()?).await?)
    }

    /// Does not take a file that was offered; its sender is told.
    pub async fn decline_file(&self, transfer: TransferId) -> Result<(), SidetoneError> {
        Ok(self.inner().decline_file(transfer.inner()?).await?)
    }

    /// Holds a transfer; what arrived stays.
    pub async fn pause_file(&self, transfer: TransferId) -> Result<(), SidetoneError> {
        Ok(self.inner().pause_file(transfer.inner()?).await?)
    }

    /// Lets a transfer go on that was held here.
    pub async fn resume_file(&self, transfer: TransferId) -> Result<(), SidetoneError> {
        Ok(self.inner().resume_file(transfer.inner()?).await?)
    }

    /// Gives a transfer up, from either side; what arrived of it is thrown away.
    pub async fn cancel_file(&self, transfer: TransferId) -> Result<(), SidetoneError> {
        Ok(self.inner().cancel_file(transfer.inner()?).await?)
    }

    /// Which files are taken, and which without asking.
    pub async fn file_policy(&self) -> Result<FilePolicy, SidetoneError> {
        let sidetone::FilePolicy { accept_below, limit } = self.inner().file_policy().await?;
        Ok(FilePolicy { accept_below, limit })
    }

    /// Chooses which files are taken, and which without asking; of what was offered before nothing changes.
    pub async fn set_file_policy(&self, policy: FilePolicy) -> Result<(), SidetoneError> {
        let FilePolicy { accept_below, limit } = policy;
        Ok(self.inner().set_file_policy(sidetone::FilePolicy { accept_below, limit }).await?)
    }

    /// Every transfer that is not over.
    pub async fn transfers(&self) -> Result<Vec<Transfer>, SidetoneError> {
        Ok(self.inner().transfers().await?.into_iter().map(Transfer::from).collect())
    }

    /// One transfer with a friend, also of the past.
    pub async fn transfer(&self, peer: UserId, transfer: TransferId) -> Result<Option<Transfer>, SidetoneError> {
        Ok(self.inner().transfer(peer.inner()?, transfer.inner()?).await?.map(Transfer::from))
    }

    /// What is shown of a file before it is here.
    pub async fn preview(&self, peer: UserId, transfer: TransferId) -> Result<FilePreview, SidetoneError> {
        let told = self.inner().preview(peer.inner()?, transfer.inner()?).await?;
        let (width, height) = told.picture.as_ref().map_or((0, 0), |picture| (picture.width, picture.height));
        Ok(FilePreview {
            width,
            height,
            thumbnail: told.picture.map(|picture| picture.thumbnail.as_slice().to_vec()).unwrap_or_default(),
            duration_ms: told.voice.as_ref().map_or(0, |voice| voice.duration_ms),
            waveform: told.voice.map(|voice| voice.waveform.as_slice().to_vec()).unwrap_or_default(),
        })
    }
}
