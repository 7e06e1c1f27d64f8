//! The local bus and store keep what every bus and store promises.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod conformance;

use common::ready;
use sidetone_server::*;

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
