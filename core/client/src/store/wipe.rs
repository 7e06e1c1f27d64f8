//! Makes a store unreadable at once, then takes it away.
//!
//! What counts is the order: first the keys, a few hundred bytes, then everything that they would open. A phone's flash
//! may keep overwritten blocks for a while; without the platform's key, which the phone's key store destroys, they are
//! noise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// The page size of every store.
const PAGE: u64 = 4_096;
/// The most of a journal that is overwritten: SQLite keeps it below this.
const JOURNAL: u64 = 8 << 20;
/// What a store may have beside it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Beside a store that is being wiped, until it is gone.
const MARK: &str = "-wiping";

/// Where the wrapped master key lies in the file, in bytes from its start: a table so small that it is one page.
pub fn key_at(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'";
    let page: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(page.unsigned_abs().saturating_sub(1) * PAGE)
}

/// Notes that this store is to go: whoever opens it next takes it away first.
pub fn mark(store: &Path) -> io::Result<()> {
    File::create(beside(store, MARK)).map(drop)
}

/// Overwrites the wrapped master key and the journal, which may hold it, then empties both files.
pub fn burn(store: &Path, key_at: Option<u64>) -> io::Result<()> {
    let mut failed = Ok(());
    let journal = beside(store, "-wal");
    for (path, from, length) in [(store, key_at.unwrap_or(0), PAGE), (&journal, 0, JOURNAL), (store, 0, PAGE)] {
        failed = overwrite(path, from, length).and(failed);
    }
    for path in [store, &journal] {
        failed = empty(path).and(failed);
    }
    failed
}

/// Takes the store and everything beside it away. Calling it again is harmless.
pub fn remove(store: &Path) -> io::Result<()> {
    let mut failed = Ok(());
    for path in BESIDE.iter().map(|end| beside(store, end)).chain([store.to_owned(), beside(store, MARK)]) {
        failed = gone(fs::remove_file(path)).and(failed);
    }
    if let (true, Some(folder)) = (cfg!(unix), store.parent().filter(|folder| folder.is_dir())) {
        File::open(folder)?.sync_all()?;
    }
    failed
}

/// Ends a wipe that was begun and not ended. Whether there was one.
pub fn finish(store: &Path) -> io::Result<bool> {
    if !beside(store, MARK).exists() {
        return Ok(false);
    }
    // Where the key lies is written in the file, if that is still one.
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let at = connection.ok().and_then(|connection| key_at(&connection).ok());
    let burned = burn(store, at);
    remove(store).and(burned).map(|()| true)
}

fn overwrite(path: &Path, from: u64, most: u64) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) => return gone(Err(error)),
    };
    let length = file.metadata()?.len().saturating_sub(from).min(most);
    file.seek(SeekFrom::Start(from))?;
    file.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
    file.sync_data()
}

fn empty(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.set_len(0).and_then(|()| file.sync_data()),
        Err(error) => gone(Err(error)),
    }
}

/// What is not there need not be taken away.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn beside(store: &Path, end: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(end);
    name.into()
}
