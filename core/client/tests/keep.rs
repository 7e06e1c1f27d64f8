//! What export, import, salvage and wipe promise.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use sidetone::store::{Location, Store, Write, salvage as reader, wipe};
use sidetone::{
    Bind, Client, Config, Cost, Downloads, Event, Export, ExportError, FileVault, FixedKey, ImportError,
    ImportedIdentity, KeyVault, MessageState, OpenError, Part, Preference, ServerPart, Standing, StoreError, Theme,
    UserId, VaultError, forget, import, salvage,
};
use sidetone_engine::row::{Change, FriendRow, MessageRow, OURSELVES, Place, Row, Table};
use sidetone_server::{Config as ServerConfig, Server};
use sidetone_wire::id::IdentityKey;
use zeroize::Zeroizing;

#[path = "keep/files.rs"]
mod files;
#[path = "keep/kills.rs"]
mod kills;
#[path = "keep/search.rs"]
mod search;

const KEY: [u8; 32] = [7; 32];
const PASSPHRASE: &str = "a passphrase of several words";
const PASSWORD: &str = "correct horse battery staple";
const ANNA: UserId = UserId([0xa1; 16]);
const DOCUMENT: &str = "sidetone-export.json";

/// A phone of the first version, which knows people, has said things, and waits to say one more.
fn old_phone(folder: &Path) -> PathBuf {
    let path = folder.join("me.db");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kept/engine1.db"), &path).unwrap();
    path
}

fn config(server: &str, store: &Path, vault: impl KeyVault + 'static) -> Config {
    let mut config = Config::new(server, Some(store.to_owned()), vault);
    config.bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
    config.login_cost = Cost::Least;
    config
}

fn offline(store: &Path) -> Client {
    Client::open(config("ws://127.0.0.1:9", store, FixedKey::new(KEY))).unwrap()
}

fn sealed_with(passphrase: &str) -> Export {
    Export { passphrase: Some(Zeroizing::new(passphrase.to_owned())), server: ServerPart::Omitted }
}

fn document(folder: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(DOCUMENT)).unwrap()).unwrap()
}

fn bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn said(position: u64, text: &str) -> Change {
    let text = serde_json::json!(text);
    let row = serde_json::json!({"0": false, "1": position, "2": 1, "3": 2, "4": text});
    let map: std::collections::BTreeMap<u64, Json> =
        row.as_object().unwrap().iter().map(|(key, value)| (key.parse().unwrap(), value.clone())).collect();
    let mut value = Vec::new();
    ciborium::into_writer(&map, &mut value).unwrap();
    assert!(MessageRow::read(&value).is_ok());
    Change { place: Place { table: Table::Message, owner: ANNA, position }, value: Some(value) }
}

fn friend(name: &str) -> FriendRow {
    let identity = IdentityKey([9; 32]);
    FriendRow {
        name: name.to_owned(),
        identity,
        changed: None,
        standing: 3,
        verified: true,
        pinned: true,
        addresses: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let client = offline(&old_phone(folder.path()));
    client.prefer(Preference::Theme(Theme::Dark)).await.unwrap();
    client.prefer(Preference::Language(Some("nl-x-planted".to_owned()))).await.unwrap();
    let out = folder.path().join("export");
    let exported = client.export(&out, Export::default()).await.unwrap();
    assert_eq!((exported.damaged, exported.missing), (0, Some(0)));
    let again = client.export(&out, Export::default()).await;
    assert_eq!(again, Err(ExportError::Folder(std::io::ErrorKind::AlreadyExists)), "none is written over another");
    let account = client.account().await.unwrap().unwrap();
    let friends = client.friends().await.unwrap();
    client.close().await;

    let text = std::fs::read_to_string(out.join(DOCUMENT)).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut planted = vec!["anna", "dark", "nl-x-planted", "waiting", "an answer", "delivered", "relay_until_accepted"];
    planted.retain(|word| !text.contains(word));
    assert_eq!(planted, [""; 0], "in the document is all that was kept");
    assert!(text.contains(&hex(account.user.as_bytes())));
    for friend in &friends {
        assert!(text.contains(&format!("\"{}\"", friend.name)) && text.contains(&hex(friend.key.as_bytes())));
    }
    let document = document(&out);
    let rows: usize = document.as_object().unwrap().values().filter_map(Json::as_array).map(Vec::len).sum();
    assert_eq!(rows as u64, exported.rows);
    assert_eq!(document["messages"][0]["text"], "kept since version 1: delivered");
    assert_eq!(document.get("sealed"), None, "no secret without a passphrase");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_an_export_only_under_its_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_phone(folder.path());
    let client = offline(&path);
    let (plain, sealed) = (folder.path().join("plain"), folder.path().join("sealed"));
    client.export(&plain, Export::default()).await.unwrap();
    client.export(&sealed, sealed_with(PASSPHRASE)).await.unwrap();
    assert_eq!(client.export(&folder.path().join("x"), sealed_with("")).await, Err(ExportError::Passphrase));
    client.close().await;
    let store = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap();
    let rows = store.restore_rows().unwrap();
    let account = rows.iter().find(|(place, _)| place.table == Table::Account).unwrap();
    let account = sidetone_engine::row::AccountRow::read(&account.1).unwrap();
    store.close();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let secrets = [account.identity.as_bytes().to_vec(), account.token.unwrap().as_bytes().to_vec()];
    for out in [plain, sealed] {
        let text = std::fs::read(out.join(DOCUMENT)).unwrap();
        for secret in &secrets {
            assert!(!contains(&text, secret) && !contains(&text, hex(secret).as_bytes()));
        }
        assert!(contains(&text, hex(account.user.as_bytes()).as_bytes()), "the search finds what is there");
    }
}

#[test]
fn an_import_is_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to, out) = (folder.path().join("from.db"), folder.path().join("to.db"), folder.path().join("export"));
    let mut store = Store::open(Location::File(&from), Zeroizing::new(KEY), None).unwrap();
    let changes = [friend("carla").put(ANNA, 0), said(1, "one"), said(2, &"long ".repeat(5_000))];
    store.keep(changes.iter().map(Write::Change)).unwrap();
    store.close();
    let vault = FixedKey::new(KEY);
    assert_eq!(salvage(&from, &vault, &out, None).unwrap().rows, 3);
    let good = std::fs::read_to_string(out.join(DOCUMENT)).unwrap();

    let tried = |text: String, passphrase: Option<&str>| {
        std::fs::write(out.join(DOCUMENT), text).unwrap();
        let outcome = import(&out, &to, None, &vault, passphrase);
        let rows = Store::open(Location::File(&to), Zeroizing::new(KEY), None).unwrap();
        assert_eq!(rows.rows_after(None, 9).unwrap().rows.len(), if outcome.is_ok() { 3 } else { 0 });
        rows.close();
        outcome
    };
    let row = |section: &str, row| Err(ImportError::Row { section: section.to_owned(), row });
    assert_eq!(tried(String::new(), None), Err(ImportError::NotAnExport));
    assert_eq!(tried("[]".to_owned(), None), Err(ImportError::NotAnExport));
    assert_eq!(tried(good.replace("sidetone-export", "recipes"), None), Err(ImportError::NotAnExport));
    assert_eq!(tried(good.replace("\"version\": 1", "\"version\": 2"), None), Err(ImportError::TooNew(2)));
    assert_eq!(tried(good[..good.len() / 2].to_owned(), None), Err(ImportError::NotAnExport));
    assert_eq!(tried(good.replace("carla", "carla\",\"key\":\"00"), None), row("friends", 0));
    assert_eq!(tried(good.replace("\"position\":2", "\"position\":-2"), None), row("messages", 1));
    assert_eq!(tried(good.replace("\"seq\":1", "\"seq\":\"one\""), None), row("messages", 0));
    assert_eq!(tried(good.replace("\"theirs\":false", "\"theirs\":7"), None), row("messages", 0));
    assert_eq!(tried(good.clone(), Some(PASSPHRASE)), Err(ImportError::NoIdentity));
    let sealed = good.replacen("\n}", ",\n\"sealed\": \"00ff\"\n}", 1);
    assert_eq!(tried(sealed, Some(PASSPHRASE)), Err(ImportError::NotAnExport));
    let newer = good.replacen("\n}", ",\n\"table_200\": [{\"field_0\": 1}]\n}", 1);
    let imported = tried(newer, None).expect("what a newer version adds is left out");
    assert_eq!((imported.rows, imported.unknown, imported.identity), (3, 1, ImportedIdentity::None));
    assert_eq!(import(&out, &to, None, &vault, None), Err(ImportError::NotEmpty), "and never over something else");
    std::fs::remove_file(out.join(DOCUMENT)).unwrap();
    std::fs::write(out.join("sidetone-export.json.part"), good).unwrap();
    assert!(matches!(import(&out, &to, None, &vault, None), Err(ImportError::Folder(_))), "a broken export is none");
}

#[test]
fn an_import_gives_back_what_the_export_took() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to, out) = (old_phone(folder.path()), folder.path().join("to.db"), folder.path().join("export"));
    let (vault, passphrase) = (FixedKey::new(KEY), Some(Zeroizing::new(PASSPHRASE.to_owned())));
    let rows = |path: &Path| {
        let store = Store::open(Location::File(path), Zeroizing::new(KEY), None).unwrap();
        let rows = store.rows_after(None, 99).unwrap().rows;
        store.close();
        rows
    };
    let before = rows(&from);
    salvage(&from, &vault, &out, passphrase).unwrap();
    assert_eq!(import(&out, &to, None, &vault, Some("another passphrase")), Err(ImportError::WrongPassphrase));
    let imported = import(&out, &to, None, &vault, Some(PASSPHRASE)).unwrap();
    assert_eq!((imported.rows, imported.identity), (before.len() as u64, ImportedIdentity::Restored));
    let after = rows(&to);
    assert_eq!(before.len(), after.len());
    for (place, value) in &before {
        let same = after.iter().find(|(other, _)| other == place).expect("every row").1 == *value;
        // The account is signed out, and numbering goes on behind what the other phone may have used.
        assert_eq!(same, !matches!(place.table, Table::Account | Table::Chat), "{place:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_takes_over_an_export_with_its_identity_goes_on_as_if_nothing_happened() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let address = format!("ws://{}", server.addr);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let open = async |name: &str| {
        let client = Client::open(config(&address, &path(name), FixedKey::new(KEY))).unwrap();
        while client.next_event().await != Some(Event::Connected(true)) {}
        client
    };
    let until = async |client: &Client, wanted: &dyn Fn(&sidetone::Friend) -> bool, peer: UserId| {
        while !client.friend(peer).await.unwrap().is_some_and(|friend| wanted(&friend)) {
            client.next_event().await.expect("it is open");
        }
    };
    let (anna, bert) = (open("anna").await, open("bert").await);
    anna.register("anna", "anna@planted.example", PASSWORD).await.unwrap();
    bert.register("bert", "bert@example.org", PASSWORD).await.unwrap();
    let to_bert = anna.befriend("bert", None).await.unwrap();
    let to_anna = anna.account().await.unwrap().unwrap().user;
    until(&bert, &|friend| friend.standing == Standing::AskedUs, to_anna).await;
    bert.accept(to_anna).await.unwrap();
    until(&anna, &|friend| friend.standing == Standing::Friend, to_bert).await;
    until(&bert, &|friend| friend.online, to_anna).await;
    let newest = async |client: &Client, peer| client.history(peer, None, 1).await.unwrap().pop();
    anna.send_text(to_bert, "from the old phone").await.unwrap();
    while newest(&bert, to_anna).await.is_none() {
        bert.next_event().await.unwrap();
    }
    bert.close().await;
    until(&anna, &|friend| !friend.online, to_bert).await;
    anna.send_text(to_bert, "it waits").await.unwrap();
    let export = Export { server: ServerPart::Included, ..sealed_with(PASSPHRASE) };
    anna.export(&path("export"), export).await.unwrap();
    let document = document(&path("export"));
    assert!(document["server"].to_string().contains("anna@planted.example"), "the server's part is in it");
    let wiped = anna.wipe(Downloads::Kept).await.unwrap();
    assert_eq!(wiped.destroyed, Err(VaultError::Failed), "a fixed key cannot be destroyed");

    let imported = import(&path("export"), &path("new"), None, &FixedKey::new([8; 32]), Some(PASSPHRASE)).unwrap();
    assert_eq!(imported.identity, ImportedIdentity::Restored);
    let anna = Client::open(config(&address, &path("new"), FixedKey::new([8; 32]))).unwrap();
    while anna.next_event().await != Some(Event::Connected(true)) {}
    assert!(!anna.account().await.unwrap().unwrap().valid, "signed out, and everything readable");
    assert_eq!(anna.history(to_bert, None, 9).await.unwrap().len(), 2);
    anna.sign_in("anna", PASSWORD).await.unwrap();
    anna.send_text(to_bert, "from the new phone").await.unwrap();
    let bert = open("bert").await;
    while newest(&bert, to_anna).await.is_none_or(|message| message.text != "from the new phone") {
        bert.next_event().await.unwrap();
    }
    let texts: Vec<_> = bert.history(to_anna, None, 9).await.unwrap().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["from the new phone", "it waits", "from the old phone"], "in order, each once");
    assert_eq!(bert.friend(to_anna).await.unwrap().unwrap().changed_key, None, "the same identity");
    while newest(&anna, to_bert).await.is_none_or(|message| message.state != MessageState::Delivered) {
        anna.next_event().await.unwrap();
    }
    anna.close().await;
    bert.close().await;
}

#[test]
fn what_a_damaged_store_still_holds_can_be_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("me.db");
    let mut store = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap();
    let long = "x".repeat(30_000);
    let mut changes: Vec<_> = (0..600).map(|at| said(at, &format!("text number {at} of some length"))).collect();
    changes.extend([said(900, &long), said(901, &long), friend("carla").put(ANNA, 0)]);
    store.keep(changes.iter().map(Write::Change)).unwrap();
    let total = changes.len() as u64;
    // As a killed process leaves it: nearly everything in the journal.
    let killed = folder.path().join("killed.db");
    std::fs::copy(&path, &killed).unwrap();
    std::fs::copy(folder.path().join("me.db-wal"), folder.path().join("killed.db-wal")).unwrap();
    store.close();
    for whole in [&path, &killed] {
        let found = reader::read(whole, &KEY).unwrap();
        assert_eq!((found.rows.len() as u64, found.damaged, found.missing), (total, 0, Some(0)));
    }
    assert_eq!(reader::read(&path, &[8; 32]).err(), Some(StoreError::WrongKey));
    let good = std::fs::read(&path).unwrap();
    let mut damaged = 0;
    for page in 0..good.len() / 4_096 {
        let mut torn = good.clone();
        torn[page * 4_096..][..4_096].fill(0xee);
        std::fs::write(&path, torn).unwrap();
        let found = match reader::read(&path, &KEY) {
            Ok(found) => found,
            Err(error) => {
                assert_eq!(
                    error,
                    StoreError::Damaged,
                    "the page with the key is the only one without which nothing opens"
                );
                damaged += 1;
                continue;
            }
        };
        let read = found.rows.len() as u64;
        assert!(found.missing.is_none_or(|missing| read + missing == total), "{read} of {total}, page {page}");
        assert!(read + 60 > total, "one page takes its own rows only: {read} of {total}, page {page}");
        for (place, value) in &found.rows {
            let kept = changes.iter().find(|change| change.place == *place).and_then(|change| change.value.as_ref());
            assert_eq!(kept.map(Vec::as_slice), Some(&value[..]), "what is read is what was written");
        }
    }
    assert_eq!(damaged, 1);
    let mut flipped = good;
    let at = flipped.len() / 2;
    flipped[at..at + 8].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&path, flipped).unwrap();
    let out = folder.path().join("export");
    let exported = salvage(&path, &FixedKey::new(KEY), &out, None).unwrap();
    assert!(exported.rows + exported.missing.unwrap() == total && exported.rows + 60 > total);
    let document = document(&out);
    assert_eq!(document["damage"]["missing"], exported.missing.unwrap());
}

/// A key store that notes what the disk holds when it is asked to destroy its key.
struct Witness {
    store: PathBuf,
    wrapped: Arc<Mutex<Vec<u8>>>,
    seen: Arc<Mutex<Vec<&'static str>>>,
    outcome: Result<(), VaultError>,
}

impl KeyVault for Witness {
    fn load_or_create(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        Ok(Zeroizing::new(KEY))
    }

    fn destroy(&self) -> Result<(), VaultError> {
        let intact = contains(&bytes(self.store.parent().unwrap()), &self.wrapped.lock().unwrap());
        self.seen.lock().unwrap().push(if intact { "the key goes first" } else { "too late" });
        self.outcome
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wipe_destroys_the_key_first_and_leaves_nothing() {
    for outcome in [Ok(()), Err(VaultError::Failed)] {
        let folder = tempfile::tempdir().unwrap();
        let image = tempfile::tempdir_in(folder.path()).unwrap();
        let downloads = folder.path().join("downloads");
        for (below, name) in [("parts", "1.part"), ("sent", "voice note.ogg"), ("received", "photo.jpeg")] {
            std::fs::create_dir_all(downloads.join(below)).unwrap();
            std::fs::write(downloads.join(below).join(name), "what somebody sent").unwrap();
        }
        let exports = folder.path().join("exports");
        std::fs::create_dir(&exports).unwrap();
        let inside = folder.path().join("app");
        std::fs::create_dir(&inside).unwrap();
        let path = old_phone(&inside);
        let (key, sealed) = secrets(&path);
        let (seen, wrapped) = (Arc::default(), Arc::new(Mutex::new(key.clone())));
        let witness = Witness { store: path.clone(), wrapped: Arc::clone(&wrapped), seen: Arc::clone(&seen), outcome };
        let mut config = config("ws://127.0.0.1:9", &path, witness);
        config.files = Some(downloads.clone());
        let client = Client::open(config).unwrap();
        client.prefer(Preference::Theme(Theme::Dark)).await.unwrap();
        let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
        // Second names of the same blocks: what is only unlinked stays readable here.
        std::fs::hard_link(&path, image.path().join("store")).unwrap();
        std::fs::hard_link(beside("-wal"), image.path().join("journal")).unwrap();
        assert!(contains(&bytes(image.path()), &sealed), "the control: it is there before");

        let wiped = client.wipe(Downloads::Removed(exports.clone())).await.unwrap();
        assert_eq!((wiped.destroyed, &seen.lock().unwrap()[..]), (outcome, &["the key goes first"][..]));
        assert!(wiped.key <= wiped.files && wiped.files <= wiped.all);
        assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 0, "no file");
        assert!(!downloads.exists() && !exports.exists());
        let left = bytes(image.path());
        assert!(!contains(&left, &key) && !contains(&left, &sealed), "and nothing in the blocks");
        assert_eq!(client.friends().await, Err(sidetone::Error::Closed));
        assert!(client.wipe(Downloads::Kept).await.is_ok(), "once more is harmless");
        drop(offline(&path));
    }
}

/// The wrapped master key and a sealed row, as they lie in the file.
fn secrets(path: &Path) -> (Vec<u8>, Vec<u8>) {
    Store::open(Location::File(path), Zeroizing::new(KEY), None).unwrap().close();
    let connection = rusqlite::Connection::open(path).unwrap();
    let one = |sql| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (one("SELECT value FROM meta"), one("SELECT sealed FROM kept WHERE kind = 5"))
}

#[test]
fn a_wipe_that_is_cut_short_is_ended_by_the_next_opening() {
    for steps in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = old_phone(folder.path());
        let key = FileVault::new(folder.path().join("key"));
        std::fs::write(folder.path().join("key"), KEY).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(folder.path().join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let at = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap().key_at().ok();
        let done: [&dyn Fn(); 4] =
            [&|| wipe::mark(&path).unwrap(), &|| key.destroy().unwrap(), &|| wipe::burn(&path, at).unwrap(), &|| {
                wipe::remove(&path).unwrap()
            }];
        done[..steps.min(4)].iter().for_each(|step| step());
        let client = Client::open(config("ws://127.0.0.1:9", &path, key.clone())).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let account = runtime.block_on(client.account()).unwrap();
        assert_eq!(account.is_some(), steps == 0, "after {steps} steps");
        assert!(!folder.path().join("me.db-wiping").exists());
        runtime.block_on(client.close());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_client_lets_go_of_its_file_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_phone(folder.path());
    let client = offline(&path);
    for _ in 0..3 {
        client.pause().await.unwrap();
        let other = Store::open(Location::File(&path), Zeroizing::new(KEY), None).expect("the file is free");
        other.close();
        let (friends, ()) = tokio::join!(client.friends(), async { client.on_foreground() });
        assert_eq!(friends.unwrap().len(), 2, "what was asked meanwhile is answered");
        assert!(client.check_store().await.is_ok());
        let taken = Client::open(config("ws://127.0.0.1:9", &path, FixedKey::new(KEY)));
        assert_eq!(taken.err(), Some(OpenError::Store(StoreError::InUse)), "the file is held again");
    }
    client.pause().await.unwrap();
    let mut other = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap();
    other.keep([Write::Change(&friend("mallory").put(OURSELVES, 0))]).unwrap();
    other.close();
    client.on_foreground();
    assert_eq!(client.friends().await, Err(sidetone::Error::Storage(StoreError::Changed)));
    client.close().await;
    let client = offline(&path);
    client.pause().await.unwrap();
    client.close().await;
    assert!(Store::open(Location::File(&path), Zeroizing::new(KEY), None).is_ok(), "a paused client can be closed");
}

#[test]
fn a_part_is_forgotten_alone_and_its_bytes_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_phone(folder.path());
    let (_, sealed) = secrets(&path);
    let vault = FixedKey::new(KEY);
    let tables = || {
        let store = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap();
        let rows = store.rows_after(None, 99).unwrap().rows;
        assert_eq!(store.integrity(), Ok(()));
        store.close();
        rows.into_iter().map(|(place, _)| place.table).collect::<std::collections::BTreeSet<_>>()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = offline(&path);
    runtime.block_on(client.prefer(Preference::Theme(Theme::Dark))).unwrap();
    runtime.block_on(client.close());
    let all = [Table::Account, Table::Friend, Table::Chat, Table::Outgoing, Table::Message, Table::Preferences];
    assert!(all.iter().all(|table| tables().contains(table)));
    forget(&path, &vault, Part::Cache).unwrap();
    assert!(all[..5].iter().all(|table| tables().contains(table)) && !tables().contains(&Table::Preferences));
    assert!(contains(&bytes(folder.path()), &sealed), "the control: messages are there");
    forget(&path, &vault, Part::Messages).unwrap();
    assert_eq!(tables().into_iter().collect::<Vec<_>>(), all[..3], "account, friends and their numbering stay");
    assert!(!contains(&bytes(folder.path()), &sealed));
    let client = offline(&path);
    let friends = runtime.block_on(client.friends()).unwrap();
    assert!(friends.len() == 2 && friends.iter().all(|friend| friend.unread == 0));
    assert_eq!(runtime.block_on(client.history(friends[0].user, None, 9)).unwrap(), []);
    runtime.block_on(client.close());
}
