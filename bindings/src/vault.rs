//! The phone's key store, as the app implements it.

use std::sync::Arc;

use sidetone::VaultError;
use zeroize::Zeroizing;

/// Why the app's vault gives no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum VaultProblem {
    /// The phone has not been unlocked since it started, or the user refused: try again later.
    #[error("the key store is locked")]
    Locked,
    /// The key was there and is not any more.
    #[error("the key is lost")]
    Lost,
    /// The system failed; also whatever else the app throws.
    #[error("the key store failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for VaultProblem {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// Where the key that opens the store comes from: the Keystore on Android, the Keychain on iOS.
///
/// It is asked once when a client opens, on the thread that opens it.
#[uniffi::export(with_foreign)]
pub trait KeyVault: Send + Sync {
    /// The 32 bytes that open this app's store: the same at each call, made from a secure generator at the first.
    fn load_or_create(&self) -> Result<Vec<u8>, VaultProblem>;
}

/// The app's vault as the client asks it.
pub(crate) struct AppVault(pub Arc<dyn KeyVault>);

impl sidetone::KeyVault for AppVault {
    fn load_or_create(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let key = self.0.load_or_create().map(Zeroizing::new).map_err(|problem| match problem {
            VaultProblem::Locked => VaultError::Locked,
            VaultProblem::Lost => VaultError::Lost,
            VaultProblem::Failed => VaultError::Failed,
        })?;
        <[u8; 32]>::try_from(key.as_slice()).map(Zeroizing::new).map_err(|_| VaultError::Lost)
    }
}
