//! The local bus and store keep what every bus and store promises.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod conformance;

use common::ready;
use sidetone_server::*;
use sidetone_wire::id::*;
use sidetone_wire::room::*;

#[test]
fn the_local_bus_keeps_the_promises_of_a_bus() {
    ready(conformance::bus::all(|| LocalBus::new([1; 32])));
}

#[test]
fn a_store_in_memory_keeps_the_promises_of_a_store() {
    ready(conformance::store::all(|| SqliteStore::in_memory().unwrap()));
}

#[test]
fn a_store_in_a_file_keeps_the_promises_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut number = 0;
    ready(conformance::store::all(|| {
        number += 1;
        SqliteStore::open(&dir.path().join(format!("{number}.db"))).unwrap()
    }));
}

#[test]
fn a_store_that_is_opened_again_has_what_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.db");
    let first = ready(SqliteStore::open(&path).unwrap().secret("key", b"kept")).unwrap();
    assert_eq!(ready(SqliteStore::open(&path).unwrap().secret("key", b"other")).unwrap(), first);
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.db");
    let mut store = SqliteStore::open(&path).unwrap();
    store.limit_pages(40);
    let mut kept = 0;
    let failed = loop {
        match ready(store.secret(&format!("key{kept}"), &[7; 900])) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(failed, StoreError::Full);
    drop(store);
    let mut again = SqliteStore::open(&path).unwrap();
    for number in 0..kept {
        assert_eq!(ready(again.secret(&format!("key{number}"), b"lost")).unwrap(), [7; 900]);
    }
}

/// Databases as earlier versions left them. A file here never changes.
const KEPT: [&str; 1] = [include_str!("kept/accounts-1.sql")];

#[test]
fn a_store_of_an_earlier_version_is_brought_up_to_date_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (version, sql) in KEPT.iter().enumerate() {
        let path = dir.path().join(format!("{version}.db"));
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        let user = |number: u8| UserId([number; 16]);
        assert_eq!(ready(store.secret("kept", b"other")).unwrap(), [1, 2]);
        assert_eq!(ready(store.friends(user(1))).unwrap(), [user(2)]);
        assert_eq!(ready(store.edge(user(1), user(3))).unwrap().ours, Some(Stance::Blocks));
        assert_eq!(ready(store.token([2; 32], 20_002)).unwrap(), Some((user(2), DeviceId([2; 16]))));
        assert_eq!(ready(store.account("ada")).unwrap().unwrap().record, [1; 192]);
        assert!(ready(store.is_taken("gone", "gone", &[9; 32])).unwrap());
        let (relay, seats, scope) = (RelayRule::Allowed, Seats::new(4).unwrap(), Scope::Link);
        let room = RoomRow { room: RoomId([7; 16]), creator: user(1), name: None, relay, seats, scope };
        assert_eq!(ready(store.keep_room(room.clone(), 1, 20_002)), Ok(RoomKept::Done));
        drop(store);
        let mut store = SqliteStore::open(&path).unwrap();
        assert_eq!(ready(store.room(room.room)), Ok(Some(room)));
    }
}
