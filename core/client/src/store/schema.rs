//! The file: how it is opened, what is in it, and each step from one version to the next.

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use sidetone_crypto::vault::{self, Vault};

use super::spot::Spot;
use super::tally::Tally;
use super::{BUSY, Location, StoreError};
use crate::vault::random;

/// Says "Sidetone" to `file(1)`.
const APPLICATION: i32 = 0x5349_4445;
/// The schema this code writes; also authenticated with every row.
pub const VERSION: u16 = 2;
pub const MASTER_KEY: &str = "master key";
/// Rows sealed anew at a time.
const BATCH: usize = 500;

/// Every step from one version of the schema to the next, from 0.
const MIGRATIONS: [&str; VERSION as usize] = [
    "
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
",
    // Beside the master key and not with it: this page is written with every step.
    "
    CREATE TABLE tally (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        sealed BLOB NOT NULL
    ) STRICT;
",
];

/// Opens the file and takes its lock, which is kept until the connection is closed.
pub fn connect(location: Location<'_>) -> Result<Connection, StoreError> {
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

/// Brings the file to [`VERSION`], one step at a time, and opens what it seals with.
pub fn open(transaction: &Transaction<'_>, platform_key: &[u8; 32]) -> Result<(Vault, Tally), StoreError> {
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
    match found {
        0 => begin(transaction, platform_key),
        1 => reseal(transaction, platform_key, 1),
        _ => {
            let vault = unlock(transaction, platform_key)?;
            let tally = read_tally(transaction, &vault)?;
            Ok((vault, tally))
        }
    }
}

fn begin(transaction: &Transaction<'_>, platform_key: &[u8; 32]) -> Result<(Vault, Tally), StoreError> {
    let vault = renew(transaction, platform_key)?;
    let tally = Tally::default();
    write_tally(transaction, &vault, &tally)?;
    Ok((vault, tally))
}

/// Seals every row anew under a fresh master key: a file of the version before is worth nothing to who wants to undo it
/// row by row.
fn reseal(transaction: &Transaction<'_>, platform_key: &[u8; 32], version: u16) -> Result<(Vault, Tally), StoreError> {
    let old = unlock(transaction, platform_key)?;
    let new = renew(transaction, platform_key)?;
    let mut tally = Tally::default();
    transaction.execute_batch("ALTER TABLE kept RENAME TO sealed_before")?;
    let kept = MIGRATIONS[0].split_once("CREATE TABLE kept").expect("the first step makes it").1;
    transaction.execute_batch(&format!("CREATE TABLE kept{kept}"))?;
    let mut last = Spot { kind: 0, owner: [0; 32], position: i64::MIN };
    loop {
        let batch = after(transaction, "sealed_before", &last, BATCH)?;
        let Some((end, _)) = batch.last() else { break };
        last = *end;
        for (spot, sealed) in &batch {
            let (owner, value) = spot.open(&old, sealed, version)?;
            let moved = Spot { owner: super::spot::owner_hash(&new, owner), ..*spot };
            let sealed = moved.seal(&new, owner, &value, VERSION, tally.generation);
            let sql = "INSERT INTO kept (kind, owner, position, sealed) VALUES (?1, ?2, ?3, ?4)";
            transaction.prepare_cached(sql)?.execute(params![moved.kind, moved.owner, moved.position, sealed])?;
            tally.add(moved.kind, new.mark(&sealed));
        }
    }
    transaction.execute_batch("DROP TABLE sealed_before")?;
    write_tally(transaction, &new, &tally)?;
    Ok((new, tally))
}

/// Up to `limit` rows behind a place, in their order.
pub fn after(
    connection: &Connection,
    table: &str,
    last: &Spot,
    limit: usize,
) -> Result<Vec<(Spot, Vec<u8>)>, StoreError> {
    let sql = format!(
        "SELECT kind, owner, position, sealed FROM {table} WHERE (kind, owner, position) > (?1, ?2, ?3) \
         ORDER BY kind, owner, position LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![last.kind, last.owner, last.position, limit as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((Spot::read(row)?, row.get(3)?));
    }
    Ok(found)
}

fn unlock(connection: &Connection, platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let wrapped: Option<Vec<u8>> = connection.query_row(sql, [MASTER_KEY], |row| row.get(0)).optional()?;
    Vault::unlock(platform_key, &wrapped.ok_or(StoreError::Damaged)?).map_err(|error| match error {
        vault::VaultError::WrongKey => StoreError::WrongKey,
        _ => StoreError::Damaged,
    })
}

/// Writes a new master key over the old one.
pub fn renew(connection: &Connection, platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let (vault, wrapped) = Vault::create(platform_key, random());
    connection.execute("DELETE FROM meta WHERE name = ?1", [MASTER_KEY])?;
    connection.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", params![MASTER_KEY, wrapped])?;
    Ok(vault)
}

/// Where the tally is sealed for.
pub fn tally_place() -> vault::Place<'static> {
    vault::Place { table: "tally", column: "sealed", row: &[1], version: VERSION }
}

/// What the store should hold.
pub fn read_tally(connection: &Connection, vault: &Vault) -> Result<Tally, StoreError> {
    let sealed: Option<Vec<u8>> = connection
        .prepare_cached("SELECT sealed FROM tally WHERE id = 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let text = vault.open(tally_place(), &sealed.ok_or(StoreError::Damaged)?).map_err(|_| StoreError::Damaged)?;
    Tally::read(&text).ok_or(StoreError::Damaged)
}

/// Writes what the store should hold.
pub fn write_tally(connection: &Connection, vault: &Vault, tally: &Tally) -> Result<(), StoreError> {
    let sealed = vault.seal(tally_place(), &tally.to_bytes(), random()).expect("a tally is short");
    let sql = "INSERT INTO tally (id, sealed) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed";
    connection.prepare_cached(sql)?.execute([sealed])?;
    Ok(())
}
