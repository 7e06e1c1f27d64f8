//! What the phone keeps: one SQLite file of sealed rows. This module alone knows rusqlite.
//!
//! A row is `(kind, owner, position) -> sealed`. The owner is a keyed hash, the value is sealed for exactly its place
//! ([`sidetone_crypto::vault`]), so the file tells how many rows of a kind there are and how long, and nothing else.
//!
//! - **One owner.** The driver's thread has the only connection, with an exclusive lock, for as long as the client is
//!   open. The app's reads go through the driver as well: a page of history takes well under a millisecond, and a
//!   second connection would need a second copy of the keys and shared-memory files, and would see what the engine has
//!   not told yet. A phone that must let go of the lock while it is suspended ([`Store::pause`]) closes the connection and
//!   finds out when it comes back whether anybody else wrote.
//! - **Durable before told.** WAL with `synchronous=FULL`: one fsync a step. `NORMAL` loses the last transactions at a
//!   power cut, after "received" was said to a friend who then deletes their copy.
//! - **All or nothing.** The writes of a step are one transaction; a step that cannot be kept leaves no trace.
//! - **Nothing put back.** A sealed tally of all rows is written with each step: a row that was dropped, brought back or
//!   put back to what it was before is found when the store opens, or, in a history, by [`Store::integrity`].
//! - **Three classes.** What is ephemeral is never a row. What is cached can be had again; the rest is kept
//!   ([`sidetone_engine::row::Class`]).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sidetone_crypto::vault::{self, Vault};
use sidetone_engine::row::{Change, MessageRow, Place, Row, Table};
use sidetone_wire::id::UserId;
use zeroize::Zeroizing;

mod error;
mod held;
pub mod salvage;
mod schema;
mod spot;
mod tally;
pub mod wipe;

pub use error::StoreError;
use held::{Held, Memory};
use schema::VERSION;
use spot::{Spot, owner_hash};
use tally::{Count, Tally};

/// How long another process may take to let go of the file.
const BUSY: Duration = Duration::from_secs(2);
/// How many rows are marked at once.
const TAGS: usize = 64;
/// The most messages in one page.
const PAGE: usize = 500;

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
    /// Forget every row of a table.
    Forget(Table),
    /// Keep a row in memory only.
    Hold(&'a Change),
    /// Keep a row where a row is kept at this place, if there is one.
    Amend(&'a Place, &'a Change),
    /// Forget every row and the key that opened them.
    ForgetAll,
}

/// The open store.
pub struct Store {
    /// Absent while paused.
    connection: Option<Connection>,
    path: Option<PathBuf>,
    quota: Option<u64>,
    vault: Vault,
    tally: Tally,
    platform_key: Zeroizing<[u8; 32]>,
    /// Rows that are in memory only.
    held: Held,
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
        let mut connection = connect(location, quota)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (vault, tally) = schema::open(&transaction, &platform_key)?;
        transaction.commit()?;
        let path = match location {
            Location::File(path) => Some(path.to_owned()),
            Location::Memory => None,
        };
        Ok(Self { connection: Some(connection), path, quota, vault, tally, platform_key, held: Held::new() })
    }

    /// Keeps the writes of one step, in their order: all of them, durably, or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] and whatever else the disk says; then nothing was written.
    pub fn keep<'a>(&mut self, writes: impl IntoIterator<Item = Write<'a>>) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Paused)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut fresh, mut forgot) = (None, false);
        let mut tally = self.tally.clone();
        tally.generation += 1;
        let mut held = Memory::of(&mut self.held);
        for write in writes {
            let vault = fresh.as_ref().unwrap_or(&self.vault);
            match write {
                Write::Change(change) => {
                    if change.value.is_none() {
                        held.put(change);
                    }
                    put(&transaction, vault, change, &mut tally)?;
                }
                Write::Hold(change) => held.put(change),
                Write::Amend(place, change) if held.has(place) => held.put(change),
                Write::Amend(place, change) => {
                    if has(&transaction, vault, place)? {
                        put(&transaction, vault, change, &mut tally)?;
                    }
                }
                Write::Forget(table) => {
                    transaction.execute("DELETE FROM kept WHERE kind = ?1", [table as u8])?;
                    tally.clear(table as u8);
                    forgot = true;
                }
                Write::ForgetAll => {
                    held.forget();
                    fresh = Some(forget(&transaction, &self.platform_key)?);
                    tally = Tally::empty(tally.generation);
                    forgot = true;
                }
            }
        }
        schema::write_tally(&transaction, fresh.as_ref().unwrap_or(&self.vault), &tally)?;
        transaction.commit()?;
        held.commit();
        self.tally = tally;
        if let Some(vault) = fresh {
            self.vault = vault;
        }
        if forgot {
            self.scrub();
        }
        Ok(())
    }

    /// Every row but the histories, as [`sidetone_engine::Engine::restore`] wants them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row is not what was written at its place, or these are not all of them.
    pub fn restore_rows(&self) -> Result<Vec<Kept>, StoreError> {
        let mut kept = Vec::new();
        for table in Self::restored() {
            kept.extend(self.table(table)?);
        }
        Ok(kept)
    }

    /// The same, row by row and sealed, for [`Store::opener`]: whether they are all there is known at the end.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if these are not all of them; what was handed over by then is worth nothing.
    pub fn restore_each(&self, mut take: impl FnMut(Mark, &[u8])) -> Result<(), StoreError> {
        Self::restored().try_for_each(|table| self.each(table, &mut take))
    }

    /// What opens rows, also on another thread.
    pub fn opener(&self) -> Opener<'_> {
        Opener { vault: self.vault.opener(), text: Zeroizing::default() }
    }

    fn restored() -> impl Iterator<Item = Table> {
        Table::ALL.iter().copied().filter(|table| table.is_restored())
    }

    /// Every row of a table, whose positions rise within each owner.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row is not what was written at its place, or these are not all of them.
    pub fn table(&self, table: Table) -> Result<Vec<Kept>, StoreError> {
        let (mut kept, mut opener) = (Vec::new(), self.opener());
        let mut refused = None;
        self.each(table, |mark, sealed| match opener.open(mark, sealed) {
            Ok((place, value)) => kept.push((place, Zeroizing::new(value.to_vec()))),
            Err(error) => refused = Some(error),
        })?;
        refused.map_or(Ok(kept), Err)
    }

    fn each(&self, table: Table, mut take: impl FnMut(Mark, &[u8])) -> Result<(), StoreError> {
        let sql = "SELECT kind, owner, position, sealed FROM kept WHERE kind = ?1 ORDER BY owner, position";
        let mut statement = self.connection()?.prepare_cached(sql)?;
        let mut rows = statement.query([table as u8])?;
        let mut count = Count::default();
        let mut tags = Vec::with_capacity(TAGS);
        while let Some(row) = rows.next()? {
            let sealed = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?;
            take(Mark(Spot::read(row)?), sealed);
            tags.push(Vault::tag(sealed));
            if tags.len() == TAGS {
                count.add_all(TAGS, self.vault.marks(&mut tags));
                tags.clear();
            }
        }
        count.add_all(tags.len(), self.vault.marks(&mut tags));
        if count != self.tally.of(table as u8) {
            return Err(StoreError::Damaged);
        }
        Ok(())
    }

    /// Up to `limit` rows of known tables behind a mark.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if the file cannot be read; a row that does not open is counted.
    pub fn rows_after(&self, mark: Option<Mark>, limit: usize) -> Result<Batch, StoreError> {
        let mark = mark.unwrap_or(Mark(Spot { kind: 0, owner: [0; 32], position: i64::MIN }));
        let found = schema::after(self.connection()?, "kept", &mark.0, limit)?;
        let next = found.last().map(|(spot, _)| Mark(*spot));
        let known = found.iter().filter(|(spot, _)| spot::table(spot.kind).is_some());
        let opened: Vec<_> = known.map(|(spot, sealed)| spot.open_row(&self.vault, sealed, VERSION)).collect();
        let damaged = opened.iter().filter(|row| row.is_err()).count() as u64;
        Ok(Batch { rows: opened.into_iter().flatten().collect(), damaged, next })
    }

    /// Up to `limit` (at most 500) messages of a conversation before a position, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row is not what was written at its place.
    pub fn page(&self, peer: UserId, before: Option<u64>, limit: usize) -> Result<Vec<(u64, MessageRow)>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT kind, owner, position, sealed FROM kept \
             WHERE kind = ?1 AND owner = ?2 AND position < ?3 ORDER BY position DESC LIMIT ?4",
        )?;
        let owner = owner_hash(&self.vault, peer);
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        let limit = limit.min(PAGE) as i64;
        let mut rows = statement.query(params![Table::Message as u8, owner, before, limit])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            let sealed = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?;
            let (place, value) = Spot::read(row)?.open_row(&self.vault, sealed, VERSION)?;
            page.push((place.position, MessageRow::read(&value)?));
        }
        let place = |position| Place { table: Table::Message, owner: peer, position };
        let held = self.held.range(place(0)..place(before.unsigned_abs())).rev().take(limit.unsigned_abs() as usize);
        let mut both = false;
        for (place, value) in held {
            page.push((place.position, MessageRow::read(value)?));
            both = true;
        }
        if both {
            page.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
            page.truncate(limit.unsigned_abs() as usize);
        }
        Ok(page)
    }

    /// One row, on disk or in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if it is not what was written at its place.
    pub fn row(&self, place: Place) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        if let Some(held) = self.held.get(&place) {
            return Ok(Some(held.clone()));
        }
        let spot = Spot::of(&self.vault, &place);
        let sql = "SELECT kind, owner, position, sealed FROM kept WHERE kind = ?1 AND owner = ?2 AND position = ?3";
        let mut statement = self.connection()?.prepare_cached(sql)?;
        let mut rows = statement.query(params![spot.kind, spot.owner, spot.position])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let sealed = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?;
        Ok(Some(spot.open(&self.vault, sealed, VERSION)?.1))
    }

    /// Reads everything: whether the file is whole, every row opens at its place, and none is missing or put back to what
    /// it was before. Takes long for a long history.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`].
    pub fn integrity(&self) -> Result<(), StoreError> {
        let connection = self.connection()?;
        let word: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if word != "ok" {
            return Err(StoreError::Damaged);
        }
        let mut found = Tally::empty(self.tally.generation);
        let mut statement = connection.prepare("SELECT kind, owner, position, sealed FROM kept")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let sealed = row.get_ref(3)?.as_blob().map_err(|_| StoreError::Damaged)?;
            let spot = Spot::read(row)?;
            spot.open(&self.vault, sealed, VERSION)?;
            found.add(spot.kind, self.vault.mark(sealed));
        }
        if !found.kinds().eq(self.tally.kinds()) {
            return Err(StoreError::Damaged);
        }
        Ok(())
    }

    /// Brings the journal into the file.
    ///
    /// # Errors
    ///
    /// What the disk says; nothing is lost, the journal stays.
    pub fn tidy(&self) -> Result<(), StoreError> {
        Ok(self.connection()?.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    /// Lets go of the file and its lock, with nothing beside it. A store in memory stays as it is.
    ///
    /// # Errors
    ///
    /// What the disk says; the file is let go all the same.
    pub fn pause(&mut self) -> Result<(), StoreError> {
        if self.path.is_none() {
            return Ok(());
        }
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let tidied = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        connection.close().map_err(|(_, error)| error).and(tidied)?;
        Ok(())
    }

    /// Takes the file again after [`Store::pause`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] if anybody else wrote meanwhile, and what opening can meet.
    pub fn resume(&mut self) -> Result<(), StoreError> {
        let (None, Some(path)) = (&self.connection, &self.path) else { return Ok(()) };
        if !path.exists() {
            return Err(StoreError::Changed);
        }
        let connection = connect(Location::File(path), self.quota)?;
        match schema::read_tally(&connection, &self.vault) {
            Ok(tally) if tally == self.tally => {}
            Ok(_) | Err(StoreError::Damaged) => return Err(StoreError::Changed),
            Err(error) => return Err(error),
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Leaves one file, without a journal beside it.
    pub fn close(mut self) {
        // The rows are in the journal already: a failure here costs the tidying, which the next opening does.
        let _ = self.pause();
    }

    /// Where the wrapped master key lies in the file.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn key_at(&self) -> Result<u64, StoreError> {
        wipe::key_at(self.connection()?)
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Paused)
    }

    /// Takes forgotten bytes out of the journal and the free pages. A failure leaves what is overwritten in the file and
    /// readable only to who has the platform's key.
    fn scrub(&mut self) {
        for step in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let done = self.connection().and_then(|connection| Ok(connection.execute_batch(step)?));
            if let Err(error) = done {
                tracing::warn!(%error, "forgotten rows were not tidied away");
            }
        }
    }
}

/// Some rows, in their order ([`Store::rows_after`]).
pub struct Batch {
    /// Those that open.
    pub rows: Vec<Kept>,
    /// How many do not.
    pub damaged: u64,
    /// Behind which to go on; `None` when that was all.
    pub next: Option<Mark>,
}

/// A place in the order of all rows ([`Store::rows_after`], [`Store::restore_each`]).
#[derive(Debug, Clone, Copy)]
pub struct Mark(Spot);

impl Mark {
    /// The table of the row there, if this version knows it.
    pub fn table(&self) -> Option<Table> {
        spot::table(self.0.kind)
    }
}

/// Opens rows one after the other ([`Store::opener`]).
pub struct Opener<'a> {
    vault: vault::Opener<'a>,
    text: Zeroizing<Vec<u8>>,
}

impl Opener<'_> {
    /// The place and the value of a sealed row.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if it is not what was written at its place.
    pub fn open(&mut self, Mark(spot): Mark, sealed: &[u8]) -> Result<(Place, &[u8]), StoreError> {
        let (owner, value) = spot.open_into(&mut self.vault, sealed, VERSION, &mut self.text)?;
        Ok((spot.place(owner).ok_or(StoreError::Damaged)?, value))
    }
}

fn connect(location: Location<'_>, quota: Option<u64>) -> Result<Connection, StoreError> {
    let connection = schema::connect(location)?;
    if let Some(bytes) = quota {
        let page: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        connection.execute_batch(&format!("PRAGMA max_page_count={}", bytes / page))?;
    }
    Ok(connection)
}

/// The key goes before the rows, both in one transaction: a crash leaves everything or nothing, and never rows without
/// their key, which would look like damage.
fn forget(transaction: &Transaction<'_>, platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let vault = schema::renew(transaction, platform_key)?;
    transaction.execute("DELETE FROM kept", [])?;
    Ok(vault)
}

fn put(transaction: &Transaction<'_>, vault: &Vault, change: &Change, tally: &mut Tally) -> Result<(), StoreError> {
    let spot = Spot::of(vault, &change.place);
    let place = params![spot.kind, spot.owner, spot.position];
    let sql = "SELECT sealed FROM kept WHERE kind = ?1 AND owner = ?2 AND position = ?3";
    let mark = |row: &rusqlite::Row<'_>| Ok(vault.mark(row.get_ref(0)?.as_blob()?));
    let before = transaction.prepare_cached(sql)?.query_row(place, mark).optional()?;
    if let Some(mark) = before {
        tally.remove(spot.kind, mark);
    }
    let Some(value) = &change.value else {
        let sql = "DELETE FROM kept WHERE kind = ?1 AND owner = ?2 AND position = ?3";
        transaction.prepare_cached(sql)?.execute(place)?;
        return Ok(());
    };
    let sql = "INSERT INTO kept (kind, owner, position, sealed) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (kind, owner, position) DO UPDATE SET sealed = excluded.sealed";
    let sealed = spot.seal(vault, change.place.owner, value, VERSION, tally.generation);
    transaction.prepare_cached(sql)?.execute(params![spot.kind, spot.owner, spot.position, sealed])?;
    tally.add(spot.kind, vault.mark(&sealed));
    Ok(())
}

fn has(transaction: &Transaction<'_>, vault: &Vault, place: &Place) -> Result<bool, StoreError> {
    let spot = Spot::of(vault, place);
    let sql = "SELECT 1 FROM kept WHERE kind = ?1 AND owner = ?2 AND position = ?3";
    Ok(transaction.prepare_cached(sql)?.exists(params![spot.kind, spot.owner, spot.position])?)
}
