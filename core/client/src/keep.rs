//! What the phone keeps, and the user's word over it: preferences, letting go, export, deletion.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sidetone_engine::{Command, Preference, Preferences};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::clock;
use crate::driver::Word;
use crate::error::Error;
use crate::store::{Batch, Mark, salvage as reader, wipe};
use crate::vault::{KeyVault, VaultError};

mod export;
mod files;
mod forget;
mod import;
mod json;
mod shape;

pub use export::{ExportError, Exported};
pub use forget::{Part, forget};
pub use import::{ImportError, Imported, ImportedIdentity, import};

use export::{Beside, Writer};

/// Rows read at a time for an export: the driver is held up by no more.
const BATCH: usize = 500;

/// What a wipe needs to have at hand.
pub(crate) struct Keeper {
    /// Where the store's key comes from.
    pub vault: Box<dyn KeyVault>,
    /// Where the store lies.
    pub path: Option<PathBuf>,
    /// Where the wrapped master key lies in it.
    pub key_at: Option<u64>,
}

/// Preferences.
impl Client {
    /// What the user of this device prefers, with an account or without.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn preferences(&self) -> Result<Preferences, Error> {
        self.look(|inside| inside.engine.preferences().clone()).await
    }

    /// Chooses something. It is kept on this device only, and holds from now on: routes for links made from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn prefer(&self, preference: Preference) -> Result<(), Error> {
        self.done(Command::Prefer(preference)).await
    }
}

/// The store.
impl Client {
    /// Lets go of the store's file and its lock, and stands still until [`Client::on_foreground`]: iOS ends an app that is
    /// suspended with a lock in a shared folder. What comes meanwhile waits. Returns when the file is free.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`]; the file is free all the same.
    pub async fn pause(&self) -> Result<(), Error> {
        if *self.stop.borrow() {
            return Err(Error::Closed);
        }
        self.paused.send_replace(true);
        let (sender, done) = oneshot::channel();
        self.words.send(Word::Pause(sender)).await.map_err(|_| Error::Closed)?;
        done.await.map_err(|_| Error::Closed)?.map_err(Error::Storage)
    }

    /// Whether everything kept is whole: every row can be read, and none is missing or put back to what it was before.
    /// Takes long for a long history, and everything else waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] with [`crate::StoreError::Damaged`], which does not stop the client; [`Error::Closed`].
    pub async fn check_store(&self) -> Result<(), Error> {
        self.look(|inside| inside.store.integrity()).await?.map_err(Error::Storage)
    }
}

/// What an export holds beside everything that is kept.
#[derive(Default)]
pub struct Export {
    /// Seals the identity, and whatever else gives access, into the document. Without it they are left out.
    pub passphrase: Option<Zeroizing<String>>,
    /// Whether the server is asked as well.
    pub server: ServerPart,
}

/// Whether an export holds what the server keeps about the account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerPart {
    /// It is left out.
    #[default]
    Omitted,
    /// The server is asked; without its answer there is no export.
    Included,
}

/// Export.
impl Client {
    /// Writes everything kept on this device into a folder, readable: `sidetone-export.json` as `docs/export.schema.json`
    /// describes it, and in `files/` copies of the files of finished transfers. The document appears when all is whole. Calls and messages go on meanwhile; what comes after the
    /// beginning may be in it or not.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; then the folder holds no export.
    pub async fn export(&self, folder: &Path, export: Export) -> Result<Exported, ExportError> {
        let server = match export.server {
            ServerPart::Omitted => None,
            ServerPart::Included => {
                let said = self.export_account().await?;
                Some(serde_json::from_str(&said).map_err(|_| Error::Protocol)?)
            }
        };
        let beside = Beside { server, passphrase: export.passphrase, cost: None };
        let (words, folder) = (self.words.clone(), folder.to_owned());
        let (sender, done) = oneshot::channel();
        let write = move || drop(sender.send(write(&words, &folder, beside)));
        // Files are written on a thread of their own: the app's may be the one that draws.
        let thread = std::thread::Builder::new().name("sidetone-export".into()).spawn(write);
        thread.map_err(|error| ExportError::Folder(error.kind()))?;
        done.await.map_err(|_| Error::Closed)?
    }
}

fn write(words: &mpsc::Sender<Word>, folder: &Path, beside: Beside) -> Result<Exported, ExportError> {
    let mut writer = Writer::begin(folder, clock::now().wall.0)?;
    let (mut mark, mut damaged) = (None, 0);
    loop {
        let batch = batch(words, mark)?;
        damaged += batch.damaged;
        writer.add(batch.rows)?;
        mark = batch.next;
        if mark.is_none() {
            break;
        }
    }
    writer.end(beside, (damaged > 0).then_some((damaged, None)))
}

fn batch(words: &mpsc::Sender<Word>, mark: Option<Mark>) -> Result<Batch, Error> {
    let (sender, batch) = oneshot::channel();
    let look = move |inside: Result<&crate::driver::Inside, Error>| {
        let read = inside.and_then(|inside| inside.store.rows_after(mark, BATCH).map_err(Error::Storage));
        drop(sender.send(read));
    };
    words.blocking_send(Word::Look(Box::new(look))).map_err(|_| Error::Closed)?;
    batch.blocking_recv().map_err(|_| Error::Closed)?
}

/// Exports what can still be read of a damaged store, which no client has open: row by row, page by page. The document
/// says how much is missing. The store is left as it is.
///
/// # Errors
///
/// [`ExportError`]; then the folder holds no export.
pub fn salvage(
    store: &Path,
    vault: &dyn KeyVault,
    folder: &Path,
    passphrase: Option<Zeroizing<String>>,
) -> Result<Exported, ExportError> {
    let key = vault.load_or_create()?;
    let found = reader::read(store, &key)?;
    let mut writer = Writer::begin(folder, clock::now().wall.0)?;
    writer.add(found.rows)?;
    let beside = Beside { server: None, passphrase, cost: None };
    writer.end(beside, Some((found.damaged, found.missing)))
}

/// Whether a wipe takes received files as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Downloads {
    /// They stay.
    Kept,
    /// They go, and so does this folder, with everything in it.
    Removed(PathBuf),
}

/// What a wipe did, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wiped {
    /// Until the platform's key was destroyed: from then on nothing is readable.
    pub key: Duration,
    /// Until the wrapped master key and the journal were overwritten and the files empty.
    pub files: Duration,
    /// Until nothing was left.
    pub all: Duration,
    /// Whether the key store destroyed its key. If it did not, the wrapped master key is overwritten all the same.
    pub destroyed: Result<(), VaultError>,
}

/// The end.
impl Client {
    /// Destroys everything on this device and closes the client: first the platform's key, then the store's wrapped key and
    /// its journal, then the files: those that are not whole, those that were copied to be sent and, if they are not to
    /// stay, those that were received. What counts is done before this first waits, on the caller's
    /// thread, whatever the client is busy with. A wipe that is cut short is ended by the next [`Client::open`].
    ///
    /// The account stays at the server: delete it before ([`Client::delete_account`]) or from another device.
    ///
    /// # Errors
    ///
    /// [`std::io::Error`] if a file could not be overwritten or removed; everything else was done.
    pub async fn wipe(&self, downloads: Downloads) -> std::io::Result<Wiped> {
        let begin = Instant::now();
        let Keeper { vault, path, key_at } = &self.keeper;
        if let Some(path) = path {
            // A mark that cannot be made keeps nobody from destroying the key.
            let _ = wipe::mark(path);
        }
        let destroyed = vault.destroy();
        let key = begin.elapsed();
        let burned = path.as_deref().map_or(Ok(()), |path| wipe::burn(path, *key_at));
        let files = begin.elapsed();
        self.close().await;
        let removed = path.as_deref().map_or(Ok(()), wipe::remove);
        let gone = self.shelf.as_ref().map_or(Ok(()), |shelf| shelf.wipe(&downloads));
        let gone = match &downloads {
            Downloads::Kept => gone,
            Downloads::Removed(folder) => gone.and(match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                other => other,
            }),
        };
        burned.and(removed).and(gone)?;
        Ok(Wiped { key, files, all: begin.elapsed(), destroyed })
    }
}
