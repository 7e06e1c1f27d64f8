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

    /// Destroys the key at once, so that nothing it sealed is ever opened again; one that is not there is destroyed.
    /// Called by `wipe`, before anything else, on a thread of the library's.
    fn forget_key(&self) -> Result<(), VaultProblem>;
}

/// The app's vault as the client asks it.
pub(crate) struct AppVault(pub Arc<dyn KeyVault>);

impl sidetone::KeyVault for AppVault {
    fn load_or_create(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let key = self.0.load_or_create().map(Zeroizing::new)?;
        <[u8; 32]>::try_from(key.as_slice()).map(Zeroizing::new).map_err(|_| VaultError::Lost)
    }

    fn destroy(&self) -> Result<(), VaultError> {
        Ok(self.0.forget_key()?)
    }
}

impl From<VaultProblem> for VaultError {
    fn from(problem: VaultProblem) -> Self {
        match problem {
            VaultProblem::Locked => Self::Locked,
            VaultProblem::Lost => Self::Lost,
            VaultProblem::Failed => Self::Failed,
        }
    }
}
