//! What the phone keeps: one SQLite file of sealed rows. This module alone knows rusqlite.
//!
//! A row is `(kind, owner, position) -> sealed`. The owner is a keyed hash, the value is sealed for exactly its place
//! ([`sidetone_crypto::vault`]), so the file tells how many rows of a kind there are and how long, and nothing else.
//!
//! - **One owner.** The driver's thread has the only connection, with an exclusive lock, for as long as the client is
//!   open. The app's reads go through the driver as well: a page of history takes well under a millisecond, and a
//!   second connection would need a second copy of the keys and shared-memory files, and would see what the engine has
//!   not told yet.
//! - **Durable before told.** WAL with `synchronous=FULL`: one fsync a step. `NORMAL` loses the last transactions at a
//!   power cut, after "received" was said to a friend who then deletes their copy.
//! - **All or nothing.** The writes of a step are one transaction; a step that cannot be kept leaves no trace.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use sidetone_crypto::vault::{self, Vault};
use sidetone_engine::row::{Change, MessageRow, Place, Row, Table};
use sidetone_wire::id::UserId;
use zeroize::Zeroizing;

use crate::vault::random;

/// Says "Sidetone" to `file(1)`.
const APPLICATION: i32 = 0x5349_4445;
/// The schema this code writes; also authenticated with every row.
const VERSION: u16 = 1;
/// How long another process may take to let go of the file.
const BUSY: Duration = Duration::from_secs(2);
/// The most messages in one page.
const PAGE: usize = 500;
const MASTER_KEY: &str = "master key";

/// Every step from one version of the schema to the next, from 0.
const MIGRATIONS: [&str; VERSION as usize] = ["
    CREATE TABLE meta (
        name TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE kept (
        kind INTEGER NOT NULL,
        owner BLOB NOT NULL,
        position INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (kind, owner, position)
    ) STRICT, WITHOUT ROWID;
"];

/// Why the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The platform's key is not the one this store was made with.
    #[error("the key does not open the store")]
    WrongKey,
    /// Not a store, or its bytes were changed.
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

/// Where the store lies.
#[derive(Debug, Clone, Copy)]
pub enum Location<'a> {
    /// In this file; SQLite puts another one beside it while it is open.
    File(&'a Path),
    /// In memory: gone when the client closes.
    Memory,
}

/// A row as it was kept.
pub type Kept = (Place, Zeroizing<Vec<u8>>);

/// One write of a step.
#[derive(Debug, Clone, Copy)]
pub enum Write<'a> {
    /// Keep or drop a row.
    Change(&'a Change),
    /// Forget every row and the key that opened them.
    ForgetAll,
}

/// The open store.
pub struct Store {
    connection: Connection,
    vault: Vault,
    platform_key: Zeroizing<[u8; 32]>,
}

impl Store {
    /// Opens a store, or makes it; `quota` bounds its size in bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; an existing file is left as it was.
    pub fn open(
        location: Location<'_>,
        platform_key: Zeroizing<[u8; 32]>,
        quota: Option<u64>,
    ) -> Result<Self, StoreError> {
        let mut connection = connect(location)?;
        if let Some(bytes) = quota {
            let page: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
            connection.execute_batch(&format!("PRAGMA max_page_count={}", bytes / page))?;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        migrate(&transaction)?;
        let vault = unlock(&transaction, &platform_key)?;
        transaction.commit()?;
        Ok(Self { connection, vault, platform_key })
    }

    /// Keeps the writes of one step, in their order: all of them, durably, or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] and whatever else the disk says; then nothing was written.
    pub fn keep<'a>(&mut self, writes: impl IntoIterator<Item = Write<'a>>) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut fresh = None;
        for write in writes {
            match write {
                Write::Change(change) => put(&transaction, fresh.as_ref().unwrap_or(&self.vault), change)?,
                Write::ForgetAll => fresh = Some(forget(&transaction, &self.platform_key)?),
            }
        }
        transaction.commit()?;
        if let Some(vault) = fresh {
            self.vault = vault;
            self.scrub();
        }
        Ok(())
    }

    /// Every row but the messages, as [`sidetone_engine::Engine::restore`] wants them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row is not what was written at its place.
    pub fn restore_rows(&self) -> Result<Vec<Kept>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, owner, position, sealed FROM kept WHERE kind <> ?1 ORDER BY kind, owner, position",
        )?;
        let mut rows = statement.query(params![Table::Message as u8])?;
        let mut kept = Vec::new();
        while let Some(row) = rows.next()? {
            let spot = Spot::read(row)?;
            kept.push(spot.open(&self.vault, row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?)?);
        }
        Ok(kept)
    }

    /// Up to `limit` (at most 500) messages of a conversation before a position, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row is not what was written at its place.
    pub fn page(&self, peer: UserId, before: Option<u64>, limit: usize) -> Result<Vec<(u64, MessageRow)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, owner, position, sealed FROM kept \
             WHERE kind = ?1 AND owner = ?2 AND position < ?3 ORDER BY position DESC LIMIT ?4",
        )?;
        let owner = owner_hash(&self.vault, peer);
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        let limit = limit.min(PAGE) as i64;
        let mut rows = statement.query(params![Table::Message as u8, owner, before, limit])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            let spot = Spot::read(row)?;
            let sealed = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?;
            let (place, value) = spot.open(&self.vault, sealed)?;
            page.push((place.position, MessageRow::read(&value).map_err(|_| StoreError::Damaged)?));
        }
        Ok(page)
    }

    /// Reads everything: whether the file is whole and every row opens at its place. Takes long for a long history.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`].
    pub fn integrity(&self) -> Result<(), StoreError> {
        let word: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if word != "ok" {
            return Err(StoreError::Damaged);
        }
        let mut statement = self.connection.prepare("SELECT kind, owner, position, sealed FROM kept")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let sealed = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?;
            Spot::read(row)?.open(&self.vault, sealed)?;
        }
        Ok(())
    }

    /// Brings the journal into the file.
    ///
    /// # Errors
    ///
    /// What the disk says; nothing is lost, the journal stays.
    pub fn tidy(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    /// Leaves one file, without a journal beside it.
    pub fn close(self) {
        // The rows are in the journal already: a failure here costs the tidying, which the next opening does.
        let _ = self.tidy();
        let _ = self.connection.close();
    }

    /// Takes forgotten bytes out of the journal and the free pages. They cannot be opened any more, so a failure leaves
    /// nothing readable.
    fn scrub(&mut self) {
        for step in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            if let Err(error) = self.connection.execute_batch(step) {
                tracing::warn!(error = %StoreError::from(error), "forgotten rows were not tidied away");
            }
        }
    }
}

fn connect(location: Location<'_>) -> Result<Connection, StoreError> {
    let connection = match location {
        Location::Memory => Connection::open_in_memory()?,
        Location::File(path) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_EXRESCODE;
            Connection::open_with_flags(path, flags)?
        }
    };
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(
        "PRAGMA locking_mode=EXCLUSIVE;
         PRAGMA journal_mode=WAL;
         PRAGMA synchronous=FULL;
         PRAGMA secure_delete=ON;
         PRAGMA temp_store=MEMORY;
         PRAGMA trusted_schema=OFF;
         PRAGMA cell_size_check=ON;",
    )?;
    Ok(connection)
}

/// Brings the schema to [`VERSION`], one step at a time.
fn migrate(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let application: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let empty: bool = transaction.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && !empty {
        return Err(StoreError::Damaged);
    }
    let known = u32::from(VERSION);
    let steps = MIGRATIONS.get(found as usize..).ok_or(StoreError::TooNew { found, known })?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    if !steps.is_empty() {
        transaction.execute_batch(&format!("PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"))?;
    }
    Ok(())
}

fn unlock(transaction: &Transaction<'_>, platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let wrapped: Option<Vec<u8>> =
        transaction.query_row("SELECT value FROM meta WHERE name = ?1", [MASTER_KEY], |row| row.get(0)).optional()?;
    match wrapped {
        None => renew(transaction, platform_key),
        Some(wrapped) => Vault::unlock(platform_key, &wrapped).map_err(|error| match error {
            vault::VaultError::WrongKey => StoreError::WrongKey,
            _ => StoreError::Damaged,
        }),
    }
}

/// Writes a new master key over the old one.
fn renew(transaction: &Transaction<'_>, platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let (vault, wrapped) = Vault::create(platform_key, random());
    transaction.execute("DELETE FROM meta WHERE name = ?1", [MASTER_KEY])?;
    transaction.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", params![MASTER_KEY, wrapped])?;
    Ok(vault)
}

/// The key goes before the rows, both in one transaction: a crash leaves everything or nothing, and never rows without
/// their key, which would look like damage.
fn forget(transaction: &Transaction<'_>, platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let vault = renew(transaction, platform_key)?;
    transaction.execute("DELETE FROM kept", [])?;
    Ok(vault)
}

fn put(transaction: &Transaction<'_>, vault: &Vault, change: &Change) -> Result<(), StoreError> {
    let spot = Spot::of(vault, &change.place);
    let Some(value) = &change.value else {
        let sql = "DELETE FROM kept WHERE kind = ?1 AND owner = ?2 AND position = ?3";
        transaction.prepare_cached(sql)?.execute(params![spot.kind, spot.owner, spot.position])?;
        return Ok(());
    };
    let sql = "INSERT INTO kept (kind, owner, position, sealed) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (kind, owner, position) DO UPDATE SET sealed = excluded.sealed";
    let sealed = spot.seal(vault, change.place.owner, value);
    transaction.prepare_cached(sql)?.execute(params![spot.kind, spot.owner, spot.position, sealed])?;
    Ok(())
}

fn owner_hash(vault: &Vault, owner: UserId) -> [u8; 32] {
    vault.lookup("kept", "owner", owner.as_bytes())
}

/// A row's place as the file has it.
struct Spot {
    kind: u8,
    owner: [u8; 32],
    position: i64,
}

impl Spot {
    fn of(vault: &Vault, place: &Place) -> Self {
        let position = i64::try_from(place.position).expect("positions are counted up from 0");
        Self { kind: place.table as u8, owner: owner_hash(vault, place.owner), position }
    }

    fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { kind: row.get(0)?, owner: row.get(1)?, position: row.get(2)? })
    }

    fn name(&self) -> [u8; 41] {
        let mut name = [0; 41];
        name[0] = self.kind;
        name[1..33].copy_from_slice(&self.owner);
        name[33..].copy_from_slice(&self.position.to_be_bytes());
        name
    }

    /// The owner is sealed with the value: the hash cannot be turned back.
    fn seal(&self, vault: &Vault, owner: UserId, value: &[u8]) -> Vec<u8> {
        let text = Zeroizing::new([owner.as_bytes(), value].concat());
        let place = vault::Place { table: "kept", column: "sealed", row: &self.name(), version: VERSION };
        vault.seal(place, &text, random()).expect("a row is shorter than 64 GiB")
    }

    fn open(&self, vault: &Vault, sealed: &[u8]) -> Result<Kept, StoreError> {
        let place = vault::Place { table: "kept", column: "sealed", row: &self.name(), version: VERSION };
        let text = vault.open(place, sealed).map_err(|_| StoreError::Damaged)?;
        let (owner, value) = text.split_first_chunk().ok_or(StoreError::Damaged)?;
        let table = Table::ALL.into_iter().find(|table| *table as u8 == self.kind).ok_or(StoreError::Damaged)?;
        let position = u64::try_from(self.position).map_err(|_| StoreError::Damaged)?;
        Ok((Place { table, owner: UserId(*owner), position }, Zeroizing::new(value.to_vec())))
    }
}
