//! Rooms that outlive their members.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sidetone_wire::id::{RoomId, UserId};
use sidetone_wire::room::{RelayRule, RoomName, Scope, Seats};

use crate::store::{RoomKept, RoomRow, StoreError};

/// The columns of [`row`].
macro_rules! columns {
    () => {
        "SELECT id, creator, name, relay, seats, scope FROM rooms "
    };
}

fn row(row: &Row<'_>) -> rusqlite::Result<Option<RoomRow>> {
    let (room, creator, name) = (RoomId(row.get(0)?), UserId(row.get(1)?), row.get::<_, String>(2)?);
    let (relay, scope) = (RelayRule::from(row.get::<_, u16>(3)?), Scope::from(row.get::<_, u16>(5)?));
    let seats = Seats::new(row.get(4)?);
    Ok(seats.map(|seats| RoomRow { room, creator, name: RoomName::parse(name), relay, seats, scope }))
}

pub(super) fn keep(step: &Transaction<'_>, new: &RoomRow, most: usize, day: u32) -> Result<RoomKept, StoreError> {
    let sql = "SELECT count(*) FROM rooms WHERE creator = ?1";
    let count: i64 = step.prepare_cached(sql)?.query_row([new.creator.0], |row| row.get(0))?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= most {
        return Ok(RoomKept::TooMany);
    }
    let sql = "INSERT OR IGNORE INTO rooms (id, creator, name, relay, seats, scope, created_day)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let kept = step.prepare_cached(sql)?.execute(params![
        new.room.0,
        new.creator.0,
        new.name.as_ref().map_or("", RoomName::as_str),
        new.relay.number(),
        super::bound(new.seats.count()),
        new.scope.number(),
        day
    ])?;
    Ok(if kept > 0 { RoomKept::Done } else { RoomKept::Taken })
}

pub(super) fn one(db: &Connection, room: RoomId) -> Result<Option<RoomRow>, StoreError> {
    let sql = concat!(columns!(), "WHERE id = ?1");
    db.prepare_cached(sql)?.query_row([room.0], row).optional()?.map_or(Ok(None), |row| match row {
        Some(row) => Ok(Some(row)),
        None => Err(StoreError::Damaged),
    })
}

pub(super) fn of(db: &Connection, creator: UserId, skip: i64, take: i64) -> Result<Vec<RoomRow>, StoreError> {
    let sql = concat!(columns!(), "WHERE creator = ?1 ORDER BY created_day, id LIMIT ?3 OFFSET ?2");
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map(params![creator.0, skip, take], row)?;
    rows.map(|row| row?.ok_or(StoreError::Damaged)).collect()
}

pub(super) fn ban(step: &Transaction<'_>, room: RoomId, user: UserId) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO room_bans (room, user)
               SELECT rooms.id, users.id FROM rooms, users WHERE rooms.id = ?1 AND users.id = ?2";
    step.prepare_cached(sql)?.execute(params![room.0, user.0])?;
    Ok(())
}

pub(super) fn is_banned(db: &Connection, room: RoomId, user: UserId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM room_bans WHERE room = ?1 AND user = ?2)";
    Ok(db.prepare_cached(sql)?.query_row(params![room.0, user.0], |row| row.get(0))?)
}
