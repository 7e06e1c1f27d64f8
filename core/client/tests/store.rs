//! What the store promises.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use sidetone::store::{Location, Store, StoreError, Write};
use sidetone_engine::row::{Change, MessageRow, MessageState, OURSELVES, Place, Row, Table};
use sidetone_engine::{Addresses, Engine, Receipts, Standing};
use sidetone_wire::id::{ItemSeq, UnixMs, UserId};
use sidetone_wire::record::Text;
use zeroize::Zeroizing;

const KEY: [u8; 32] = [7; 32];
const ANNA: UserId = UserId([0xa1; 16]);
const BERT: UserId = UserId([0xb2; 16]);

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("store.db")
    }

    fn open(&self) -> Result<Store, StoreError> {
        open(&self.file(), KEY)
    }

    /// Every byte in the folder.
    fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

fn open(path: &Path, key: [u8; 32]) -> Result<Store, StoreError> {
    Store::open(Location::File(path), Zeroizing::new(key), None)
}

fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn row(table: Table, owner: UserId, position: u64, value: &[u8]) -> Change {
    Change { place: Place { table, owner, position }, value: Some(value.to_vec()) }
}

fn said(position: u64, text: &str) -> MessageRow {
    let text = Some(Text::parse(text).unwrap());
    MessageRow { at: UnixMs(1), kept: UnixMs(2), text, ..MessageRow::new(false, ItemSeq(position)) }
}

fn keep(store: &mut Store, changes: &[Change]) -> Result<(), StoreError> {
    store.keep(changes.iter().map(Write::Change))
}

fn plain(store: &Store) -> Vec<(Place, Vec<u8>)> {
    store.restore_rows().unwrap().into_iter().map(|(place, value)| (place, value.to_vec())).collect()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn what_was_kept_comes_back_and_what_was_dropped_does_not() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    let account = row(Table::Account, OURSELVES, 0, b"me");
    let chat = row(Table::Chat, ANNA, 0, b"chat");
    let waiting = row(Table::Outgoing, ANNA, 3, b"waits");
    keep(&mut store, &[account.clone(), chat.clone(), waiting.clone()]).unwrap();
    let newer = row(Table::Chat, ANNA, 0, b"newer");
    let dropped = Change { value: None, ..waiting };
    keep(&mut store, &[newer.clone(), dropped]).unwrap();
    store.close();

    let rows = plain(&folder.open().unwrap());
    assert_eq!(rows, [(account.place, b"me".to_vec()), (newer.place, b"newer".to_vec())]);
}

#[test]
fn a_conversation_is_read_in_pages_newest_first_and_not_mixed_with_another() {
    let mut store = Store::open(Location::Memory, Zeroizing::new(KEY), None).unwrap();
    let changes: Vec<_> = (0..5).map(|at| said(at, &format!("to anna {at}")).put(ANNA, at)).collect();
    keep(&mut store, &changes).unwrap();
    keep(&mut store, &[said(9, "to bert").put(BERT, 0)]).unwrap();

    let positions = |before, limit| -> Vec<u64> {
        store.page(ANNA, before, limit).unwrap().into_iter().map(|(position, _)| position).collect()
    };
    assert_eq!(positions(None, 2), [4, 3]);
    assert_eq!(positions(Some(3), 2), [2, 1]);
    assert_eq!(positions(Some(1), 9), [0]);
    assert_eq!(positions(Some(0), 9), [0; 0]);
    assert_eq!(store.page(BERT, None, 9).unwrap(), [(0, said(9, "to bert"))]);
    assert!(plain(&store).is_empty(), "a restore does not read histories");
}

#[test]
fn the_files_show_neither_texts_nor_ids() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    keep(&mut store, &[said(1, "meet me at noon").put(ANNA, 1)]).unwrap();
    let while_open = folder.bytes();
    store.close();
    for bytes in [while_open, folder.bytes()] {
        assert!(contains(&bytes, b"master key"), "the search finds what is there");
        assert!(!contains(&bytes, b"meet me at noon"));
        assert!(!contains(&bytes, ANNA.as_bytes()));
    }
}

#[test]
fn another_key_opens_nothing() {
    let folder = Folder::new();
    folder.open().unwrap().close();
    assert_eq!(open(&folder.file(), [8; 32]).err(), Some(StoreError::WrongKey));
    assert!(folder.open().is_ok());
}

#[test]
fn a_row_moved_to_another_place_is_refused() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    keep(&mut store, &[row(Table::Chat, ANNA, 0, b"a"), row(Table::Chat, BERT, 0, b"b")]).unwrap();
    keep(&mut store, &[said(1, "pay one").put(ANNA, 1), said(2, "pay two").put(ANNA, 2)]).unwrap();
    store.close();
    for swap in [
        "UPDATE kept SET sealed = (SELECT sealed FROM kept k WHERE k.kind = 3 AND k.owner <> kept.owner) WHERE kind = 3",
        "UPDATE kept SET position = position + 10 WHERE kind = 5",
        "UPDATE kept SET kind = 4 WHERE kind = 3",
    ] {
        let copy = folder.0.path().join("copy.db");
        std::fs::copy(folder.file(), &copy).unwrap();
        assert!(raw(&copy).execute(swap, []).unwrap() > 0);
        let store = open(&copy, KEY).unwrap();
        assert_eq!(store.integrity(), Err(StoreError::Damaged), "{swap}");
        let read = store.restore_rows().map(|_| ()).and_then(|()| store.page(ANNA, None, 9).map(|_| ()));
        assert_eq!(read, Err(StoreError::Damaged), "{swap}");
        drop(store);
        std::fs::remove_file(&copy).unwrap();
    }
    assert_eq!(folder.open().unwrap().integrity(), Ok(()), "the untouched one is whole");
}

#[test]
fn a_damaged_file_is_said_to_be_damaged() {
    let folder = Folder::new();
    std::fs::write(folder.file(), vec![0x55; 8192]).unwrap();
    assert_eq!(folder.open().err(), Some(StoreError::Damaged));

    let other = Folder::new();
    raw(&other.file()).execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    assert_eq!(other.open().err(), Some(StoreError::Damaged), "another app's database is left alone");

    let torn = Folder::new();
    let mut store = torn.open().unwrap();
    let changes: Vec<_> = (0..500).map(|at| said(at, "a text of some length").put(ANNA, at)).collect();
    keep(&mut store, &changes).unwrap();
    store.close();
    let mut bytes = std::fs::read(torn.file()).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0xee);
    std::fs::write(torn.file(), bytes).unwrap();
    let verdict = torn.open().and_then(|store| store.integrity());
    assert_eq!(verdict, Err(StoreError::Damaged));
}

#[test]
fn a_store_of_a_newer_app_is_left_alone() {
    let folder = Folder::new();
    folder.open().unwrap().close();
    raw(&folder.file()).execute_batch("PRAGMA user_version=3").unwrap();
    assert_eq!(folder.open().err(), Some(StoreError::TooNew { found: 3, known: 2 }));
}

#[test]
fn two_clients_never_share_a_store() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    assert_eq!(folder.open().err(), Some(StoreError::InUse));
    store.close();
    assert!(folder.open().is_ok(), "closing lets go of the file");
}

#[test]
fn a_full_disk_keeps_all_of_the_past_and_nothing_of_the_step() {
    let folder = Folder::new();
    let quota = Some(256 * 1024);
    let mut store = Store::open(Location::File(&folder.file()), Zeroizing::new(KEY), quota).unwrap();
    let long = "x".repeat(20_000);
    let mut kept = 0;
    let error = loop {
        let step = [said(kept, &long).put(ANNA, kept), row(Table::Chat, ANNA, 0, &kept.to_be_bytes())];
        match keep(&mut store, &step) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the quota holds");
    };
    assert_eq!(error, StoreError::Full);
    assert!(kept > 3);
    let check = |store: &Store| {
        let newest = store.page(ANNA, None, 500).unwrap();
        assert_eq!(newest.len() as u64, kept);
        assert_eq!(plain(store)[0].1, (kept - 1).to_be_bytes());
    };
    check(&store);
    let dropped = MessageRow::drop_at(ANNA, 0);
    keep(&mut store, &[dropped, row(Table::Friend, ANNA, 0, b"small")]).expect("what there is room for is kept");
    drop(store);
    assert_eq!(folder.open().unwrap().integrity(), Ok(()));
}

#[test]
fn what_was_forgotten_is_nowhere() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    let changes: Vec<_> = (0..50).map(|at| said(at, "forget me").put(ANNA, at)).collect();
    keep(&mut store, &changes).unwrap();
    keep(&mut store, &[row(Table::Chat, ANNA, 0, b"chat")]).unwrap();
    store.close();
    let (wrapped, sealed) = secrets(&folder.file());
    assert!(contains(&folder.bytes(), &wrapped) && sealed.iter().all(|row| contains(&folder.bytes(), row)));

    let mut store = folder.open().unwrap();
    let fresh = row(Table::Account, OURSELVES, 0, b"someone else");
    store.keep([Write::ForgetAll, Write::Change(&fresh)]).unwrap();
    let while_open = folder.bytes();
    assert_eq!(plain(&store), [(fresh.place, b"someone else".to_vec())]);
    assert!(store.page(ANNA, None, 9).unwrap().is_empty());
    store.close();
    for bytes in [while_open, folder.bytes()] {
        assert!(!contains(&bytes, &wrapped), "the old master key is gone");
        // Nonce and first bytes of each sealed value: enough to be found in a page that was only partly wiped.
        assert!(!sealed.iter().any(|row| contains(&bytes, &row[1..40])), "and so is every row");
    }
    assert_eq!(plain(&folder.open().unwrap()).len(), 1, "what came after is kept");
}

/// The wrapped master key and every sealed row, as they lie in the file.
fn secrets(path: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let connection = raw(path);
    let wrapped = connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).unwrap();
    let mut statement = connection.prepare("SELECT sealed FROM kept").unwrap();
    let sealed = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    (wrapped, sealed)
}

#[test]
fn a_store_of_the_first_version_still_opens() {
    let folder = Folder::new();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kept/v1.db"), folder.file()).unwrap();
    let (wrapped, sealed) = secrets(&folder.file());
    let store = folder.open().unwrap();
    let check = |store: &Store| {
        let chat = Place { table: Table::Chat, owner: ANNA, position: 0 };
        assert_eq!(plain(store), [(chat, b"a chat of version 1".to_vec())]);
        assert_eq!(store.page(ANNA, None, 9).unwrap(), [(1, said(1, "kept since version 1"))]);
        assert_eq!(store.integrity(), Ok(()));
    };
    check(&store);
    store.close();
    check(&folder.open().unwrap());
    assert!(!contains(&folder.bytes(), &wrapped), "the key of the first version is gone");
    assert!(!sealed.iter().any(|row| contains(&folder.bytes(), &row[1..40])), "and what it sealed");
}

#[test]
fn a_phone_of_the_first_version_goes_on_where_it_was() {
    let folder = Folder::new();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kept/engine1.db"), folder.file()).unwrap();
    let store = folder.open().unwrap();
    assert_eq!(store.integrity(), Ok(()));
    let config = sidetone_engine::Config { seed: [1; 32], login_cost: sidetone_engine::Cost::Least };
    let engine = Engine::restore(config, store.restore_rows().unwrap()).unwrap();
    let account = engine.account().expect("an account");
    assert_eq!((account.name.as_str(), account.valid), ("anna", true));
    let friends = engine.friends();
    let bert = friends.iter().find(|friend| friend.name == "bert").expect("her friend");
    assert_eq!((bert.standing, bert.verified, bert.unread), (Standing::Friend, true, 1));
    assert!(friends.iter().any(|friend| friend.name == "carl" && friend.standing == Standing::AskedByUs));
    let preferences = engine.preferences();
    assert_eq!((preferences.receipts, preferences.addresses), (Receipts::Keep, Addresses::RelayUntilAccepted));
    let chat = engine.chat(bert.user).expect("their conversation");
    let page = store.page(bert.user, None, 9).unwrap();
    let page: Vec<_> =
        page.iter().map(|(_, row)| (row.text.as_ref().unwrap().as_str(), row.state(chat, ItemSeq(0)))).collect();
    assert_eq!(
        page,
        [
            ("kept since version 1: waiting", MessageState::Queued),
            ("kept since version 1: an answer", MessageState::Received),
            ("kept since version 1: delivered", MessageState::Delivered),
        ]
    );
}

#[test]
fn a_row_put_back_dropped_or_brought_back_is_noticed() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    keep(&mut store, &[row(Table::Friend, ANNA, 0, b"verified"), row(Table::Chat, BERT, 0, b"old")]).unwrap();
    keep(&mut store, &[said(1, "one").put(ANNA, 1), said(2, "two").put(ANNA, 2)]).unwrap();
    store.close();
    let before = folder.0.path().join("before.db");
    std::fs::copy(folder.file(), &before).unwrap();
    let mut store = folder.open().unwrap();
    let dropped = Change { value: None, ..row(Table::Chat, BERT, 0, b"") };
    keep(&mut store, &[row(Table::Friend, ANNA, 0, b"another key"), dropped, MessageRow::drop_at(ANNA, 1)]).unwrap();
    store.close();
    let old = format!("ATTACH '{}' AS old; ", before.display());
    for (trick, when) in [
        ("UPDATE kept SET sealed = (SELECT sealed FROM old.kept k WHERE k.kind = 2) WHERE kind = 2", "at opening"),
        ("INSERT INTO kept SELECT * FROM old.kept k WHERE k.kind = 3", "at opening"),
        ("DELETE FROM kept WHERE kind = 2", "at opening"),
        ("UPDATE tally SET sealed = (SELECT sealed FROM old.tally)", "at opening"),
        ("DELETE FROM tally", "before opening"),
        ("PRAGMA user_version=1; DROP TABLE tally", "before opening"),
        ("INSERT INTO kept SELECT * FROM old.kept k WHERE k.kind = 5 AND k.position = 1", "by looking"),
        ("DELETE FROM kept WHERE kind = 5", "by looking"),
        ("UPDATE kept SET kind = 2 WHERE kind = 9", "never"),
    ] {
        let copy = folder.0.path().join("copy.db");
        std::fs::copy(folder.file(), &copy).unwrap();
        raw(&copy).execute_batch(&(old.clone() + trick)).unwrap();
        let opened = open(&copy, KEY);
        assert_eq!(
            opened.as_ref().err().copied(),
            (when == "before opening").then_some(StoreError::Damaged),
            "{trick}"
        );
        if let Ok(store) = opened {
            let rows = store.restore_rows().map(drop);
            assert_eq!(rows.err(), (when == "at opening").then_some(StoreError::Damaged), "{trick}");
            assert_eq!(store.integrity().is_ok(), when == "never", "{trick}");
        }
        for file in ["copy.db", "copy.db-wal"] {
            let _ = std::fs::remove_file(folder.0.path().join(file));
        }
    }
}

#[test]
fn a_table_that_was_forgotten_is_nowhere_and_the_others_stay() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    let changes: Vec<_> = (0..50).map(|at| said(at, "forget me").put(ANNA, at)).collect();
    keep(&mut store, &changes).unwrap();
    keep(&mut store, &[row(Table::Friend, ANNA, 0, b"a friend")]).unwrap();
    store.close();
    let (_, sealed) = secrets(&folder.file());
    let mut store = folder.open().unwrap();
    store.keep([Write::Forget(Table::Message)]).unwrap();
    assert_eq!((plain(&store).len(), store.page(ANNA, None, 9).unwrap().len()), (1, 0));
    assert_eq!(store.integrity(), Ok(()));
    let bytes = folder.bytes();
    assert_eq!(sealed.iter().filter(|row| contains(&bytes, &row[1..40])).count(), 1, "the friend alone is left");
}

#[test]
fn a_paused_store_is_one_file_that_nobody_holds_and_goes_on_if_nobody_touched_it() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    keep(&mut store, &[row(Table::Chat, ANNA, 0, b"before")]).unwrap();
    store.pause().unwrap();
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 1, "no journal beside it");
    assert_eq!(keep(&mut store, &[row(Table::Chat, ANNA, 0, b"x")]), Err(StoreError::Paused));
    assert_eq!(store.page(ANNA, None, 9), Err(StoreError::Paused));
    let other = folder.open().expect("somebody else may open it");
    assert_eq!(store.resume(), Err(StoreError::InUse));
    other.close();
    store.resume().expect("it was only looked at");
    keep(&mut store, &[row(Table::Chat, ANNA, 0, b"after")]).unwrap();
    store.pause().unwrap();
    let mut other = folder.open().unwrap();
    keep(&mut other, &[row(Table::Chat, BERT, 0, b"somebody else")]).unwrap();
    other.close();
    assert_eq!(store.resume(), Err(StoreError::Changed), "what is in memory is not what is on disk");
    std::fs::remove_file(folder.file()).unwrap();
    assert_eq!(store.resume(), Err(StoreError::Changed), "and a file that is gone is not made anew");
}

#[test]
fn a_killed_process_loses_nothing_it_kept() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    keep(&mut store, &[row(Table::Chat, ANNA, 0, b"kept")]).unwrap();
    // What a killed process leaves: the file and its journal, nobody to tidy up.
    let left = Folder::new();
    for file in std::fs::read_dir(folder.0.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), left.0.path().join(file.file_name())).unwrap();
    }
    drop(store);
    assert_eq!(plain(&left.open().unwrap())[0].1, b"kept");
}

#[test]
fn what_is_held_is_read_like_the_rest_and_is_in_no_file() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    keep(&mut store, &[said(1, "on disk").put(ANNA, 1), said(3, "on disk too").put(ANNA, 3)]).unwrap();
    let held = [said(2, "in memory").put(ANNA, 2), said(4, "in memory too").put(ANNA, 4)];
    store.keep(held.iter().map(Write::Hold)).unwrap();
    let positions = |store: &Store, before, limit| -> Vec<u64> {
        store.page(ANNA, before, limit).unwrap().into_iter().map(|(position, _)| position).collect()
    };
    assert_eq!(positions(&store, None, 9), [4, 3, 2, 1]);
    assert_eq!(positions(&store, Some(4), 2), [3, 2]);
    assert!(store.row(held[0].place).unwrap().is_some());
    keep(&mut store, &[MessageRow::drop_at(ANNA, 4)]).unwrap();
    assert_eq!(positions(&store, None, 9), [3, 2, 1], "a drop drops it wherever it is");
    store.close();
    assert_eq!(positions(&folder.open().unwrap(), None, 9), [3, 1]);
}

#[test]
fn a_row_is_amended_where_there_is_one_and_nowhere_else() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    let (disk, memory, nowhere) = (said(1, "old").put(ANNA, 1), said(2, "old").put(ANNA, 2), said(3, "x").put(ANNA, 3));
    store.keep([Write::Change(&disk), Write::Hold(&memory)]).unwrap();
    let new = |at| said(at, "new").put(ANNA, at);
    let amended = [new(1), new(2), new(3)];
    store.keep(amended.iter().map(|change| Write::Amend(&change.place, change))).unwrap();
    let words = |store: &Store| -> Vec<_> {
        store.page(ANNA, None, 9).unwrap().into_iter().map(|(at, row)| (at, row.text.unwrap().into_string())).collect()
    };
    assert_eq!(words(&store), [(2, "new".to_owned()), (1, "new".to_owned())]);
    assert!(store.row(nowhere.place).unwrap().is_none());
    store.close();
    assert_eq!(words(&folder.open().unwrap()), [(1, "new".to_owned())]);
}
