//! Why a store cannot be used.

use rusqlite::ErrorCode;

/// Why the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The platform's key is not the one this store was made with.
    #[error("the key does not open the store")]
    WrongKey,
    /// Not a store, or its bytes were changed: a row altered, moved, dropped or put back to what it was before. What can
    /// still be read can be taken out ([`crate::salvage`]).
    #[error("the store is damaged")]
    Damaged,
    /// Made by a newer version of the app.
    #[error("the store has version {found}, known are versions up to {known}")]
    TooNew {
        /// Its version.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// No room on the disk, or the quota is used up. Nothing of the step was kept.
    #[error("no room to store")]
    Full,
    /// Another process, or another client of this one, has the store open.
    #[error("the store is open elsewhere")]
    InUse,
    /// Somebody else wrote to the store, or replaced it, while it was paused: open it again.
    #[error("the store changed while it was paused")]
    Changed,
    /// The store is paused.
    #[error("the store is paused")]
    Paused,
    /// The file cannot be opened or made.
    #[error("the store cannot be opened")]
    Unopenable,
    /// Anything else, with SQLite's number.
    #[error("the store failed ({0})")]
    Failed(i32),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(inner) = error.sqlite_error() else {
            // A column of another type than the schema says.
            return Self::Damaged;
        };
        match inner.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::InUse,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Unopenable,
            _ => Self::Failed(inner.extended_code),
        }
    }
}

impl From<sidetone_engine::row::RowError> for StoreError {
    fn from(_: sidetone_engine::row::RowError) -> Self {
        Self::Damaged
    }
}
