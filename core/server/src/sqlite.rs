//! The store of one process: one SQLite file, or memory.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, Params, Row, Transaction, params};
use sidetone_wire::id::{DeviceId, IdentityKey, RoomId, UserId};

use crate::keys::hex;
use crate::store::{
    Account, Act, Edge, Enrolled, Known, NewAccount, RoomKept, RoomRow, SignedIn, Stance, Store, StoreError, TokenHash,
};

mod rooms;

/// How long the name of a deleted account cannot be taken.
const TOMBSTONE_DAYS: u32 = 30;
/// Says that the file is ours: "SdTn".
const APPLICATION_ID: i32 = 0x5364_546e;

/// Step `n` brings a database of version `n` to version `n + 1`. A step that was released never changes.
const MIGRATIONS: [&str; 3] = [
    "
    CREATE TABLE server (
        name TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT;
    CREATE TABLE users (
        id BLOB NOT NULL PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        skeleton TEXT NOT NULL UNIQUE,
        record BLOB NOT NULL,
        identity BLOB NOT NULL,
        created_day INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE emails (
        user BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        sealed BLOB NOT NULL,
        mac BLOB NOT NULL UNIQUE,
        verified INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE sessions (
        token BLOB NOT NULL PRIMARY KEY,
        user BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        device BLOB NOT NULL,
        created_day INTEGER NOT NULL,
        seen_day INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX sessions_by_user ON sessions (user);
    CREATE TABLE friendships (
        owner BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        other BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        stance INTEGER NOT NULL,
        PRIMARY KEY (owner, other)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX friendships_by_other ON friendships (other, owner, stance);
    CREATE TABLE tombstones (
        hash BLOB NOT NULL PRIMARY KEY,
        day INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE rooms (
        id BLOB NOT NULL PRIMARY KEY,
        creator BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name TEXT NOT NULL DEFAULT '',
        relay INTEGER NOT NULL,
        seats INTEGER NOT NULL,
        scope INTEGER NOT NULL,
        created_day INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX rooms_by_creator ON rooms (creator);
    CREATE TABLE room_bans (
        room BLOB NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
        user BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        PRIMARY KEY (room, user)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX room_bans_by_user ON room_bans (user);
",
    "
    ALTER TABLE sessions ADD COLUMN push BLOB NOT NULL DEFAULT x'';
",
];

/// The ids of everybody a roster shows: own stances but declined ones, and offers not answered yet.
macro_rules! shown {
    () => {
        "SELECT other AS id FROM friendships WHERE owner = ?1 AND stance <> 3
         UNION
         SELECT owner FROM friendships AS asked WHERE other = ?1 AND stance = 1 AND NOT EXISTS (
             SELECT 1 FROM friendships AS mine WHERE mine.owner = ?1 AND mine.other = asked.owner)"
    };
}

/// Accounts in one SQLite database: WAL, STRICT tables, deleted bytes overwritten, one process at a time.
pub struct SqliteStore {
    db: Connection,
}

impl SqliteStore {
    /// Opens the database at this path and brings it to the newest version; makes it if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unopenable`], [`StoreError::Busy`], [`StoreError::Damaged`], [`StoreError::TooNew`],
    /// [`StoreError::Full`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::prepare(Connection::open_with_flags(path, flags)?)
    }

    /// A database that is gone with the process.
    ///
    /// # Errors
    ///
    /// [`StoreError::Other`] if SQLite has no memory.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// Any [`StoreError`].
    pub fn check(&mut self) -> Result<(), StoreError> {
        Ok(self.db.query_row("SELECT count(*) FROM server", [], |_| Ok(()))?)
    }

    /// Lets the database grow to this many pages of 4 KiB and no further: what is more fails with [`StoreError::Full`].
    pub fn limit_pages(&mut self, pages: u32) {
        // SQLite takes every number here and uses the nearest it can.
        let _ = self.db.pragma_update(None, "max_page_count", pages);
    }

    fn prepare(mut db: Connection) -> Result<Self, StoreError> {
        db.set_prepared_statement_cache_capacity(64);
        // Whoever else has the file has it for good: there is nothing to wait for.
        db.busy_timeout(Duration::ZERO)?;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        db.pragma_update(None, "secure_delete", "ON")?;
        db.pragma_update(None, "foreign_keys", "ON")?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let application: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let known = MIGRATIONS.len() as u32;
        if found > known {
            return Err(StoreError::TooNew { found, known });
        }
        if found > 0 && application != APPLICATION_ID {
            return Err(StoreError::Damaged);
        }
        let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if sound != "ok" {
            return Err(StoreError::Damaged);
        }
        for (version, step) in MIGRATIONS.iter().enumerate().skip(found as usize) {
            let step_of = db.transaction()?;
            step_of.execute_batch(step)?;
            step_of.pragma_update(None, "application_id", APPLICATION_ID)?;
            step_of.pragma_update(None, "user_version", version as u32 + 1)?;
            step_of.commit()?;
        }
        Ok(Self { db })
    }

    fn write(&mut self) -> Result<Transaction<'_>, StoreError> {
        Ok(self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?)
    }

    fn known(&mut self, sql: &str, by: impl Params) -> Result<Option<Known>, StoreError> {
        Ok(self.db.prepare_cached(sql)?.query_row(by, known).optional()?)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error() {
            None => Self::Damaged,
            Some(failure) => match failure.code {
                ErrorCode::DiskFull => Self::Full,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
                ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Unopenable,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                _ => Self::Other(failure.extended_code),
            },
        }
    }
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known { user: UserId(row.get(0)?), name: row.get(1)?, identity: IdentityKey(row.get(2)?) })
}

fn stance(number: Option<i64>) -> Option<Stance> {
    match number? {
        1 => Some(Stance::Wants),
        2 => Some(Stance::Blocks),
        3 => Some(Stance::Declined),
        _ => None,
    }
}

fn number(stance: Stance) -> i64 {
    match stance {
        Stance::Wants => 1,
        Stance::Blocks => 2,
        Stance::Declined => 3,
    }
}

fn read_edge(db: &Connection, us: UserId, them: UserId) -> rusqlite::Result<Edge> {
    let mut select = db.prepare_cached("SELECT stance FROM friendships WHERE owner = ?1 AND other = ?2")?;
    let side = |select: &mut CachedStatement<'_>, owner: UserId, other: UserId| {
        select.query_row(params![owner.0, other.0], |row| row.get(0)).optional().map(stance)
    };
    Ok(Edge { ours: side(&mut select, us, them)?, theirs: side(&mut select, them, us)? })
}

fn write_side(step: &Transaction<'_>, owner: UserId, other: UserId, side: Option<Stance>) -> rusqlite::Result<()> {
    match side {
        Some(stance) => step
            .prepare_cached("INSERT OR REPLACE INTO friendships (owner, other, stance) VALUES (?1, ?2, ?3)")?
            .execute(params![owner.0, other.0, number(stance)])?,
        None => step
            .prepare_cached("DELETE FROM friendships WHERE owner = ?1 AND other = ?2")?
            .execute(params![owner.0, other.0])?,
    };
    Ok(())
}

fn name_is_taken(db: &Connection, name: &str, skeleton: &str, tombstone: &[u8; 32]) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1 OR skeleton = ?2)
               OR EXISTS (SELECT 1 FROM tombstones WHERE hash = ?3)";
    db.prepare_cached(sql)?.query_row(params![name, skeleton, tombstone], |row| row.get(0))
}

fn insert_token(
    step: &Transaction<'_>,
    user: UserId,
    device: DeviceId,
    token: &TokenHash,
    day: u32,
) -> rusqlite::Result<()> {
    step.prepare_cached(
        "INSERT INTO sessions (token, user, device, created_day, seen_day) VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute(params![token, user.0, device.0, day])?;
    Ok(())
}

/// A number of rows as SQLite counts them.
fn bound(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Every column of every row a query gives, blobs as hexadecimal digits.
fn rows(db: &Connection, sql: &str, user: UserId) -> rusqlite::Result<serde_json::Value> {
    let mut select = db.prepare_cached(sql)?;
    let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
    let mut found = select.query([user.0])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let mut object = serde_json::Map::new();
        for (index, column) in columns.iter().enumerate() {
            let value = match row.get::<_, Value>(index)? {
                Value::Null => serde_json::Value::Null,
                Value::Integer(number) => number.into(),
                Value::Real(number) => number.into(),
                Value::Text(text) => text.into(),
                Value::Blob(bytes) => hex(&bytes).into(),
            };
            object.insert(column.clone(), value);
        }
        all.push(serde_json::Value::Object(object));
    }
    Ok(all.into())
}

impl Store for SqliteStore {
    async fn secret(&mut self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        let step = self.write()?;
        step.execute("INSERT OR IGNORE INTO server (name, value) VALUES (?1, ?2)", params![name, fresh])?;
        let value = step.query_row("SELECT value FROM server WHERE name = ?1", [name], |row| row.get(0))?;
        step.commit()?;
        Ok(value)
    }

    async fn enroll(&mut self, new: NewAccount) -> Result<Enrolled, StoreError> {
        let step = self.write()?;
        if name_is_taken(&step, &new.name, &new.skeleton, &new.tombstone)? {
            return Ok(Enrolled::NameTaken);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM emails WHERE mac = ?1)";
        if step.prepare_cached(sql)?.query_row([new.email_mac], |row| row.get(0))? {
            return Ok(Enrolled::EmailTaken);
        }
        let sql = "INSERT INTO users (id, name, skeleton, record, identity, created_day)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        step.prepare_cached(sql)?.execute(params![
            new.user.0,
            new.name,
            new.skeleton,
            new.record,
            new.identity.0,
            new.day
        ])?;
        step.prepare_cached("INSERT INTO emails (user, sealed, mac) VALUES (?1, ?2, ?3)")?.execute(params![
            new.user.0,
            new.email,
            new.email_mac
        ])?;
        insert_token(&step, new.user, new.device, &new.token, new.day)?;
        step.commit()?;
        Ok(Enrolled::Done)
    }

    async fn is_taken(&mut self, name: &str, skeleton: &str, tombstone: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(name_is_taken(&self.db, name, skeleton, tombstone)?)
    }

    async fn account(&mut self, name: &str) -> Result<Option<Account>, StoreError> {
        let account = |row: &Row<'_>| Ok(Account { user: UserId(row.get(0)?), record: row.get(1)? });
        let mut select = self.db.prepare_cached("SELECT id, record FROM users WHERE name = ?1")?;
        Ok(select.query_row([name], account).optional()?)
    }

    async fn find(&mut self, name: &str) -> Result<Option<Known>, StoreError> {
        self.known("SELECT id, name, identity FROM users WHERE name = ?1", [name])
    }

    async fn person(&mut self, user: UserId) -> Result<Option<Known>, StoreError> {
        self.known("SELECT id, name, identity FROM users WHERE id = ?1", [user.0])
    }

    async fn sign_in(
        &mut self,
        user: UserId,
        device: DeviceId,
        identity: IdentityKey,
        token: TokenHash,
        day: u32,
    ) -> Result<SignedIn, StoreError> {
        let step = self.write()?;
        let changed = step
            .prepare_cached("UPDATE users SET identity = ?2 WHERE id = ?1 AND identity <> ?2")?
            .execute(params![user.0, identity.0])?;
        step.prepare_cached("DELETE FROM sessions WHERE user = ?1")?.execute([user.0])?;
        insert_token(&step, user, device, &token, day)?;
        step.commit()?;
        Ok(SignedIn { identity_changed: changed > 0 })
    }

    async fn token(&mut self, token: TokenHash, day: u32) -> Result<Option<(UserId, DeviceId)>, StoreError> {
        let sql = "SELECT user, device, seen_day FROM sessions WHERE token = ?1";
        let read = |row: &Row<'_>| Ok((UserId(row.get(0)?), DeviceId(row.get(1)?), row.get::<_, u32>(2)?));
        let found = self.db.prepare_cached(sql)?.query_row([token], read).optional()?;
        let Some((user, device, seen)) = found else { return Ok(None) };
        if seen != day {
            self.db
                .prepare_cached("UPDATE sessions SET seen_day = ?2 WHERE token = ?1")?
                .execute(params![token, day])?;
        }
        Ok(Some((user, device)))
    }

    async fn sign_out(&mut self, user: UserId, device: DeviceId) -> Result<(), StoreError> {
        self.db
            .prepare_cached("DELETE FROM sessions WHERE user = ?1 AND device = ?2")?
            .execute(params![user.0, device.0])?;
        Ok(())
    }

    async fn set_push(&mut self, user: UserId, device: DeviceId, sealed: &[u8]) -> Result<(), StoreError> {
        self.db
            .prepare_cached("UPDATE sessions SET push = ?3 WHERE user = ?1 AND device = ?2")?
            .execute(params![user.0, device.0, sealed])?;
        Ok(())
    }

    async fn forget_push(&mut self, user: UserId) -> Result<(), StoreError> {
        self.db.prepare_cached("UPDATE sessions SET push = x'' WHERE user = ?1")?.execute([user.0])?;
        Ok(())
    }

    async fn push(&mut self, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT push FROM sessions WHERE user = ?1 AND push <> x'' ORDER BY seen_day DESC LIMIT 1";
        Ok(self.db.prepare_cached(sql)?.query_row([user.0], |row| row.get(0)).optional()?)
    }

    async fn edge(&mut self, us: UserId, them: UserId) -> Result<Edge, StoreError> {
        Ok(read_edge(&self.db, us, them)?)
    }

    async fn relate(&mut self, us: UserId, them: UserId, act: Act) -> Result<(Edge, Edge), StoreError> {
        let step = self.write()?;
        let before = read_edge(&step, us, them)?;
        let after = act.apply(before);
        if before.ours != after.ours {
            write_side(&step, us, them, after.ours)?;
        }
        if before.theirs != after.theirs {
            write_side(&step, them, us, after.theirs)?;
        }
        step.commit()?;
        Ok((before, after))
    }

    async fn roster_len(&mut self, user: UserId) -> Result<usize, StoreError> {
        let sql = concat!("SELECT count(*) FROM (", shown!(), ")");
        let count: i64 = self.db.prepare_cached(sql)?.query_row([user.0], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    async fn roster(&mut self, user: UserId, skip: usize, take: usize) -> Result<Vec<(Known, Edge)>, StoreError> {
        let sql = concat!(
            "SELECT users.id, users.name, users.identity, mine.stance, theirs.stance FROM (",
            shown!(),
            ") AS shown JOIN users ON users.id = shown.id
             LEFT JOIN friendships AS mine ON mine.owner = ?1 AND mine.other = users.id
             LEFT JOIN friendships AS theirs ON theirs.owner = users.id AND theirs.other = ?1
             ORDER BY users.name LIMIT ?3 OFFSET ?2"
        );
        let row = |row: &Row<'_>| Ok((known(row)?, Edge { ours: stance(row.get(3)?), theirs: stance(row.get(4)?) }));
        let mut select = self.db.prepare_cached(sql)?;
        let people = select.query_map(params![user.0, bound(skip), bound(take)], row)?;
        Ok(people.collect::<rusqlite::Result<_>>()?)
    }

    async fn friends(&mut self, user: UserId) -> Result<Vec<UserId>, StoreError> {
        let sql = "SELECT mine.other FROM friendships AS mine
                   JOIN friendships AS theirs ON theirs.owner = mine.other AND theirs.other = mine.owner
                   WHERE mine.owner = ?1 AND mine.stance = 1 AND theirs.stance = 1 ORDER BY mine.other";
        let mut select = self.db.prepare_cached(sql)?;
        let friends = select.query_map([user.0], |row| row.get(0).map(UserId))?;
        Ok(friends.collect::<rusqlite::Result<_>>()?)
    }

    async fn keep_room(&mut self, room: RoomRow, most: usize, day: u32) -> Result<RoomKept, StoreError> {
        let step = self.write()?;
        let kept = rooms::keep(&step, &room, most, day)?;
        step.commit()?;
        Ok(kept)
    }

    async fn room(&mut self, room: RoomId) -> Result<Option<RoomRow>, StoreError> {
        rooms::one(&self.db, room)
    }

    async fn rooms(&mut self, creator: UserId, skip: usize, take: usize) -> Result<Vec<RoomRow>, StoreError> {
        rooms::of(&self.db, creator, bound(skip), bound(take))
    }

    async fn forget_room(&mut self, room: RoomId) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM rooms WHERE id = ?1")?.execute([room.0])?;
        // As with an account: the log must not show what the file has overwritten.
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    async fn ban(&mut self, room: RoomId, user: UserId) -> Result<(), StoreError> {
        let step = self.write()?;
        rooms::ban(&step, room, user)?;
        step.commit()?;
        Ok(())
    }

    async fn is_banned(&mut self, room: RoomId, user: UserId) -> Result<bool, StoreError> {
        rooms::is_banned(&self.db, room, user)
    }

    async fn pardon(&mut self, room: RoomId) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM room_bans WHERE room = ?1")?.execute([room.0])?;
        Ok(())
    }

    async fn export(&mut self, user: UserId) -> Result<serde_json::Value, StoreError> {
        let step = self.db.transaction()?;
        let table = |sql| rows(&step, sql, user);
        Ok(serde_json::json!({
            "users": table("SELECT id, name, skeleton, record, identity, created_day FROM users WHERE id = ?1")?,
            "emails": table("SELECT user, sealed, mac, verified FROM emails WHERE user = ?1")?,
            "sessions": table("SELECT token, user, device, created_day, seen_day, push FROM sessions WHERE user = ?1")?,
            "friendships": table(
                "SELECT owner, other, stance, users.name AS person FROM friendships
                 JOIN users ON users.id = CASE owner WHEN ?1 THEN other ELSE owner END
                 WHERE owner = ?1 OR (other = ?1 AND stance = 1) ORDER BY owner, other",
            )?,
            "rooms": table(
                "SELECT id, creator, name, relay, seats, scope, created_day FROM rooms WHERE creator = ?1
                 ORDER BY created_day, id",
            )?,
            "room_bans": table(
                "SELECT room, user FROM room_bans JOIN rooms ON rooms.id = room_bans.room
                 WHERE rooms.creator = ?1 ORDER BY room, user",
            )?,
        }))
    }

    async fn delete(&mut self, user: UserId, tombstone: &[u8; 32], day: u32) -> Result<Vec<UserId>, StoreError> {
        let step = self.write()?;
        let sql = "SELECT owner FROM friendships WHERE other = ?1 AND stance <> 3
                   UNION
                   SELECT other FROM friendships AS asked WHERE owner = ?1 AND stance = 1 AND NOT EXISTS (
                       SELECT 1 FROM friendships AS theirs WHERE theirs.owner = asked.other AND theirs.other = ?1)";
        let seen_by = step
            .prepare_cached(sql)?
            .query_map([user.0], |row| row.get(0).map(UserId))?
            .collect::<rusqlite::Result<_>>()?;
        step.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([user.0])?;
        step.prepare_cached("INSERT OR REPLACE INTO tombstones (hash, day) VALUES (?1, ?2)")?
            .execute(params![tombstone, day])?;
        step.commit()?;
        // The log still holds the pages as they were; truncating it leaves the overwritten ones only.
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(seen_by)
    }

    async fn sweep(&mut self, day: u32) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM tombstones WHERE day + ?2 <= ?1")?.execute(params![day, TOMBSTONE_DAYS])?;
        Ok(())
    }
}
