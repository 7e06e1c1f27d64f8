//! The user's word over what is kept: export and import, letting go, and the end.

use std::path::PathBuf;
use std::sync::Arc;

use sidetone::{Downloads, Export, ExportError, Exported, ImportError, ServerPart};
use zeroize::Zeroizing;

use crate::client::RawClient;
use crate::error::{ErrorCode, SidetoneError};
use crate::operation::{Operation, Outcome};
use crate::vault::{AppVault, KeyVault};

/// Whether an export holds what the server keeps about the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ServerExport {
    /// It is left out.
    Omitted,
    /// The server is asked; without its answer there is no export.
    Included,
}

/// What a wipe did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct WipeReport {
    /// Milliseconds until the platform's key was destroyed: from then on nothing is readable.
    pub key_ms: u64,
    /// Milliseconds until nothing was left.
    pub all_ms: u64,
    /// Whether the app's vault destroyed its key. If not, the store's own key is overwritten all the same.
    pub key_destroyed: bool,
}

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ExportReport {
    /// Rows in the document.
    pub rows: u64,
    /// Rows that could not be read and are not in it; 0 for a store that is whole.
    pub damaged: u64,
    /// Rows that should have been there and were not; none if that cannot be known any more.
    pub missing: Option<u64>,
    /// Files beside the document.
    pub files: u64,
    /// Files of finished transfers that are not where they were, or not what they were; the document names them.
    pub missing_files: u64,
}

/// What an import brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ImportReport {
    /// Rows that are in the store now.
    pub rows: u64,
    /// Rows left out: of a newer version, or of no use without the passphrase.
    pub unknown: u64,
    /// Files that are in their place now.
    pub files: u64,
    /// Files that the export does not hold as they were.
    pub missing_files: u64,
    /// Which identity the phone has now.
    pub identity: ImportedIdentity,
}

/// Which identity a phone has after an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ImportedIdentity {
    /// That of the phone before: friends notice nothing. Let the user sign in with the password.
    Restored,
    /// A fresh one: once the user signs in, friends see that the key changed.
    New,
    /// None: the export is of a phone without an account.
    Absent,
}

/// A part of what a phone keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum StorePart {
    /// What can be had again or done without: preferences, recent rooms. The pinned keys of friends stay.
    Cache,
    /// What was said: messages, what waits to be sent, drafts, transfers. Friends and the account stay.
    Messages,
}

impl From<Exported> for ExportReport {
    fn from(exported: Exported) -> Self {
        let Exported { rows, damaged, missing, files, missing_files } = exported;
        Self { rows, damaged, missing, files, missing_files }
    }
}

impl From<sidetone::Imported> for ImportReport {
    fn from(imported: sidetone::Imported) -> Self {
        let sidetone::Imported { rows, unknown, files, missing_files, identity } = imported;
        let identity = match identity {
            sidetone::ImportedIdentity::Restored => ImportedIdentity::Restored,
            sidetone::ImportedIdentity::New => ImportedIdentity::New,
            sidetone::ImportedIdentity::None => ImportedIdentity::Absent,
        };
        Self { rows, unknown, files, missing_files, identity }
    }
}

impl From<ImportError> for SidetoneError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Folder(_) | ImportError::Files(_) => Self::of(ErrorCode::ImportFolder),
            ImportError::NotAnExport | ImportError::Row { .. } => Self::of(ErrorCode::NotAnExport),
            ImportError::TooNew(_) => Self::of(ErrorCode::ExportTooNew),
            ImportError::WrongPassphrase => Self::of(ErrorCode::WrongPassphrase),
            ImportError::NoIdentity => Self::of(ErrorCode::NoIdentity),
            ImportError::NotEmpty => Self::of(ErrorCode::NotEmpty),
            ImportError::Vault(error) => sidetone::OpenError::from(error).into(),
            ImportError::Store(error) => sidetone::OpenError::from(error).into(),
        }
    }
}

/// Reads the export in a folder into the store of a phone that holds nothing yet and that no client has open: all of it, or
/// nothing. It reads and writes files: not for the main thread.
#[uniffi::export]
pub fn import_data(
    folder: String,
    store: String,
    files: Option<String>,
    vault: Arc<dyn KeyVault>,
    passphrase: Option<String>,
) -> Result<ImportReport, SidetoneError> {
    let (folder, store) = (PathBuf::from(folder), PathBuf::from(store));
    // As a client that is opened with the same options has it.
    let files = files.map_or_else(|| store.with_extension("files"), PathBuf::from);
    let passphrase = passphrase.map(Zeroizing::new);
    let word = passphrase.as_ref().map(|word| word.as_str());
    Ok(sidetone::import(&folder, &store, Some(&files), &AppVault(vault), word)?.into())
}

/// Exports what can still be read of a damaged store, which no client has open; the store is left as it is. It reads and
/// writes files: not for the main thread.
#[uniffi::export]
pub fn salvage_data(
    store: String,
    vault: Arc<dyn KeyVault>,
    folder: String,
    passphrase: Option<String>,
) -> Result<ExportReport, SidetoneError> {
    let (folder, store) = (PathBuf::from(folder), PathBuf::from(store));
    Ok(sidetone::salvage(&store, &AppVault(vault), &folder, passphrase.map(Zeroizing::new))?.into())
}

/// Forgets a part of a store that no client has open: all of it, or nothing. It writes files: not for the main thread.
#[uniffi::export]
pub fn forget_data(store: String, vault: Arc<dyn KeyVault>, part: StorePart) -> Result<(), SidetoneError> {
    let part = match part {
        StorePart::Cache => sidetone::Part::Cache,
        StorePart::Messages => sidetone::Part::Messages,
    };
    Ok(sidetone::forget(&PathBuf::from(store), &AppVault(vault), part)?)
}

impl From<ExportError> for SidetoneError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Client(error) => error.into(),
            ExportError::Folder(_) => Self::of(ErrorCode::ExportFolder),
            ExportError::Store(error) => sidetone::OpenError::from(error).into(),
            ExportError::Vault(error) => sidetone::OpenError::from(error).into(),
            ExportError::Passphrase => Self::of(ErrorCode::Passphrase),
        }
    }
}

#[uniffi::export]
impl RawClient {
    /// Writes everything kept on this device into a folder, readable: `sidetone-export.json`. A passphrase seals the
    /// identity into it; without one the identity is left out. Calls and messages go on meanwhile.
    pub fn export_data(&self, folder: String, passphrase: Option<String>, server: ServerExport) -> Arc<Operation> {
        let server = match server {
            ServerExport::Omitted => ServerPart::Omitted,
            ServerExport::Included => ServerPart::Included,
        };
        let export = Export { passphrase: passphrase.map(Zeroizing::new), server };
        self.attempt(move |client| async move {
            let exported = client.export(&PathBuf::from(folder), export).await?;
            Ok(Outcome::Exported { report: exported.into() })
        })
    }

    /// Destroys everything on this device and closes the client: first the platform's key, then the store. The account
    /// stays at the server: delete it before. A folder given goes too, with everything in it.
    pub async fn wipe(&self, downloads: Option<String>) -> Result<WipeReport, SidetoneError> {
        crate::port::unplug(self.sound().value);
        let downloads = downloads.map_or(Downloads::Kept, |folder| Downloads::Removed(folder.into()));
        let wiped = self.inner().wipe(downloads).await.map_err(|_| SidetoneError::of(ErrorCode::StoreFailed))?;
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ok(WipeReport { key_ms: ms(wiped.key), all_ms: ms(wiped.all), key_destroyed: wiped.destroyed.is_ok() })
    }
}
