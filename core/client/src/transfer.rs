//! Files, images and voice notes, as an app sends and takes them.

pub mod frame;
pub mod intake;
pub mod lane;
pub mod picture;
pub mod place;
pub mod pump;
pub mod send;

use std::path::{Path, PathBuf};

use sidetone_engine::row::{Place, Row};
use sidetone_engine::transfer::row::{FilePolicy, PastRow, PreviewRow, transfer_at};
use sidetone_engine::transfer::view::{NewFile, TransferView};
use sidetone_engine::{Answer, Command};
use sidetone_media::Note;
use sidetone_wire::id::{Digest, TransferId, UserId};
use sidetone_wire::transfer::{FileKind, FileName, FileSize, Mime, Picture, Voice, Waveform};
use tokio::sync::oneshot;

use crate::built;
use crate::client::Client;
use crate::driver::Inside;
use crate::error::Error;
use crate::store::StoreError;
use picture::Origin;
use place::Shelf;

/// What is shown of a file before it is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Of an image.
    pub picture: Option<Picture>,
    /// Of a voice note.
    pub voice: Option<Voice>,
}

/// Files.
impl Client {
    /// Offers a file to a friend, now or when they are there, and gives the transfer that carries it. Once this returns the
    /// offer is kept; the file must stay where it is, as it is, until the transfer is over.
    ///
    /// The name that the friend sees is the file's own. `mime` is what the app says it is, such as `application/pdf`.
    ///
    /// # Errors
    ///
    /// [`Error::FileUnreadable`], [`Error::FileMalformed`] for a name or a type that is none, [`Error::NotFriends`],
    /// [`Error::OutboxFull`], [`Error::TooManyTransfers`] and what any command can meet.
    pub async fn send_file(&self, peer: UserId, path: &Path, mime: &str) -> Result<TransferId, Error> {
        self.offer(peer, path.to_owned(), mime, Shown { kind: FileKind::File, picture: None, voice: None }).await
    }

    /// Offers a JPEG or PNG to a friend, with a small picture to show at once, and gives the transfer that carries it. Unless
    /// its origin is kept, a copy is sent that does not tell where or how it was taken; its pixels are untouched.
    ///
    /// # Errors
    ///
    /// [`Error::FileMalformed`] if it is no such image or larger than is looked at (64 MiB, 50 million pixels): it can be
    /// sent as a file; [`Error::NoFolder`]; [`Error::NotBuilt`]; and what [`Client::send_file`] can meet.
    pub async fn send_image(&self, peer: UserId, path: &Path, origin: Origin) -> Result<TransferId, Error> {
        if !built::IMAGES {
            return Err(Error::NotBuilt);
        }
        let (shelf, path) = (self.shelf.clone(), path.to_owned());
        let made = aside(move || make_image(shelf.as_ref(), path, origin)).await??;
        self.offer(peer, made.0, made.1, Shown { kind: FileKind::Image, picture: Some(made.2), voice: None }).await
    }

    /// Offers a voice note to a friend, and gives the transfer that carries it.
    ///
    /// # Errors
    ///
    /// [`Error::NoFolder`] and what [`Client::send_file`] can meet.
    pub async fn send_voice_note(&self, peer: UserId, note: Note) -> Result<TransferId, Error> {
        let shelf = self.shelf.clone().ok_or(Error::NoFolder)?;
        let waveform = Waveform::new(note.waveform).ok_or(Error::FileMalformed)?;
        let voice = Some(Voice { duration_ms: note.duration_ms, waveform });
        let written = aside(move || shelf.copy("voice note.ogg", &note.ogg)).await?;
        let path = written.map_err(|_| Error::FileUnreadable)?;
        self.offer(peer, path, "audio/ogg", Shown { kind: FileKind::Voice, picture: None, voice }).await
    }

    /// Takes a file that was offered.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTransfer`] and what any command can meet.
    pub async fn accept_file(&self, transfer: TransferId) -> Result<(), Error> {
        self.done(Command::AcceptFile(transfer)).await
    }

    /// Does not take a file that was offered. Its sender is told.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTransfer`] and what any command can meet.
    pub async fn decline_file(&self, transfer: TransferId) -> Result<(), Error> {
        self.cancel_file(transfer).await
    }

    /// Holds a transfer until [`Client::resume_file`]; what arrived stays.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTransfer`] and what any command can meet.
    pub async fn pause_file(&self, transfer: TransferId) -> Result<(), Error> {
        self.done(Command::PauseFile(transfer)).await
    }

    /// Lets a transfer go on that was held here, by the user or for want of room.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTransfer`] and what any command can meet.
    pub async fn resume_file(&self, transfer: TransferId) -> Result<(), Error> {
        self.done(Command::ResumeFile(transfer)).await
    }

    /// Gives a transfer up, from either side; what arrived of it is thrown away.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTransfer`] and what any command can meet.
    pub async fn cancel_file(&self, transfer: TransferId) -> Result<(), Error> {
        self.done(Command::CancelFile(transfer)).await
    }

    /// Every transfer that is not over.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn transfers(&self) -> Result<Vec<TransferView>, Error> {
        self.look(|inside| inside.engine.transfers()).await
    }

    /// One transfer with a friend, also of the past.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn transfer(&self, peer: UserId, transfer: TransferId) -> Result<Option<TransferView>, Error> {
        let find = move |inside: &Inside| {
            let live = inside.engine.transfers().into_iter().find(|view| view.transfer == transfer);
            if live.is_some() {
                return Ok(live);
            }
            let past = read::<PastRow>(inside, peer, transfer)?;
            Ok(past.map(|PastRow(row)| TransferView::of(peer, &row)))
        };
        self.look(find).await?.map_err(Error::Storage)
    }

    /// What is shown of a file before it is here.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn preview(&self, peer: UserId, transfer: TransferId) -> Result<Preview, Error> {
        let find = move |inside: &Inside| read::<PreviewRow>(inside, peer, transfer);
        let row = self.look(find).await?.map_err(Error::Storage)?;
        Ok(row.map(|row| Preview { picture: row.picture, voice: row.voice }).unwrap_or_default())
    }

    /// Which files are taken, and which without asking.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn file_policy(&self) -> Result<FilePolicy, Error> {
        self.look(|inside| inside.engine.file_policy()).await
    }

    /// Chooses which files are taken, and which without asking; of what was offered before nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::SignedOut`] and what any command can meet.
    pub async fn set_file_policy(&self, policy: FilePolicy) -> Result<(), Error> {
        self.done(Command::SetFilePolicy(policy)).await
    }

    async fn offer(&self, peer: UserId, path: PathBuf, mime: &str, shown: Shown) -> Result<TransferId, Error> {
        let name = place::name_of(&path).and_then(FileName::parse).ok_or(Error::FileMalformed)?;
        let mime = Mime::parse(mime).ok_or(Error::FileMalformed)?;
        let kept = path.to_str().ok_or(Error::FileMalformed)?.to_owned();
        let looked = aside(move || send::look(&path)).await?.map_err(|_| Error::FileUnreadable)?;
        let size = FileSize::new(looked.size).ok_or(Error::FileMalformed)?;
        let Shown { kind, picture, voice } = shown;
        let (changed_ns, digest) = (looked.changed_ns, Digest(looked.digest));
        let file = NewFile { path: kept, changed_ns, name, size, mime, kind, digest, picture, voice };
        match self.order(Command::OfferFile(peer, Box::new(file))).await? {
            Answer::Transfer(transfer) => Ok(transfer),
            _ => Err(Error::Protocol),
        }
    }
}

/// Where an image to send lies, what it is, and how it is shown.
fn make_image(shelf: Option<&Shelf>, path: PathBuf, origin: Origin) -> Result<(PathBuf, &'static str, Picture), Error> {
    let length = std::fs::metadata(&path).map_err(|_| Error::FileUnreadable)?.len();
    if length > picture::IMAGE_BYTES {
        return Err(Error::FileMalformed);
    }
    let content = std::fs::read(&path).map_err(|_| Error::FileUnreadable)?;
    let ready = picture::ready(&content, origin).map_err(|_| Error::FileMalformed)?;
    let path = match ready.cleaned {
        None => path,
        Some(cleaned) => {
            let name = place::name_of(&path).ok_or(Error::FileMalformed)?;
            shelf.ok_or(Error::NoFolder)?.copy(name, &cleaned).map_err(|_| Error::FileUnreadable)?
        }
    };
    Ok((path, ready.mime, ready.picture))
}

/// How a file is shown.
struct Shown {
    kind: FileKind,
    picture: Option<Picture>,
    voice: Option<Voice>,
}

fn read<R: Row>(inside: &Inside, peer: UserId, transfer: TransferId) -> Result<Option<R>, StoreError> {
    for ours in [true, false] {
        let place = Place { table: R::TABLE, owner: peer, position: transfer_at(ours, transfer) };
        if let Some(row) = inside.store.row(place)? {
            return R::read(&row).map(Some).map_err(|_| StoreError::Damaged);
        }
    }
    Ok(None)
}

/// Does what takes long on a thread of its own.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let (sender, done) = oneshot::channel();
    let run = move || drop(sender.send(work()));
    std::thread::Builder::new()
        .name("sidetone-look".into())
        .spawn(run)
        .map_err(|_| Error::Unavailable { retry_ms: 0 })?;
    done.await.map_err(|_| Error::FileUnreadable)
}
