//! The user's word over what is kept: export, and the end.

use std::path::PathBuf;
use std::sync::Arc;

use sidetone::{Downloads, Export, ExportError, ServerPart};
use zeroize::Zeroizing;

use crate::client::RawClient;
use crate::error::{ErrorCode, SidetoneError};
use crate::operation::{Operation, Outcome};

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
            Ok(Outcome::Exported { rows: exported.rows, damaged: exported.damaged })
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
