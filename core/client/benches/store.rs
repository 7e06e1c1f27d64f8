//! How long a full phone takes to open, beside Delta Chat's core in the same run (`tests/bench/deltachat`), and to be wiped.
//!
//! 10,000 friends, 1,000 conversations of 100 messages each. `DELTACHAT_HOME=DIR` is where the other one is installed; without
//! it only ours is measured. `STORE_JSON=FILE` writes the figures to a file as well.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ciborium::Value;
use sidetone::store::{Location, Store, Write};
use sidetone::{Client, Config, Downloads, FileVault, KeyVault, UserId};
use sidetone_engine::row::{Change, FriendRow, Place, Row, Table};
use sidetone_wire::id::IdentityKey;

const FRIENDS: u32 = 10_000;
const CHATS: u32 = 1_000;
const MESSAGES: u64 = 100;
const ROUNDS: usize = 15;
/// What is wanted: times of ours per time of theirs.
const FIRST_ROWS: f64 = 0.1;
const CONTACTS: f64 = 0.01;

fn user(number: u32) -> UserId {
    let mut id = [0x5a; 16];
    id[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    id[12..].copy_from_slice(&number.to_be_bytes());
    UserId(id)
}

fn row(table: Table, owner: UserId, position: u64, fields: &[(u64, Value)]) -> Change {
    let fields: Vec<_> = fields.iter().map(|(number, value)| (Value::from(*number), value.clone())).collect();
    let mut value = Vec::new();
    ciborium::into_writer(&Value::Map(fields), &mut value).unwrap();
    Change { place: Place { table, owner, position }, value: Some(value) }
}

fn fill(path: &Path, vault: &FileVault) {
    let mut store = Store::open(Location::File(path), vault.load_or_create().unwrap(), None).unwrap();
    let mut changes = Vec::new();
    for number in 0..FRIENDS {
        let (name, identity) = (format!("person {number}"), IdentityKey([number as u8; 32]));
        let friend =
            FriendRow { name, identity, changed: None, standing: 3, verified: false, pinned: true, addresses: None };
        changes.push(friend.put(user(number), 0));
    }
    for number in 0..CHATS {
        let lane = Value::Bytes(user(number).0.to_vec());
        let marks = [MESSAGES, MESSAGES, 0].map(Value::from);
        let [last, confirmed, zero] = marks;
        let chat = [
            (0, lane),
            (1, last),
            (2, confirmed),
            (3, zero.clone()),
            (5, zero.clone()),
            (6, Value::from(MESSAGES + 1)),
            (7, zero),
        ];
        changes.push(row(Table::Chat, user(number), 0, &chat));
        for at in 1..=MESSAGES {
            let text = Value::from(format!("message number {at} of an ordinary length"));
            let message =
                [(0, Value::from(false)), (1, Value::from(at)), (2, Value::from(at)), (3, Value::from(at)), (4, text)];
            changes.push(row(Table::Message, user(number), at, &message));
        }
    }
    for part in changes.chunks(5_000) {
        store.keep(part.iter().map(Write::Change)).unwrap();
    }
    store.integrity().unwrap();
    store.close();
}

fn open(path: &Path, vault: &FileVault) -> Client {
    Client::open(Config::new("ws://127.0.0.1:9", Some(path.to_owned()), vault.clone())).unwrap()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

fn ours(path: &Path, vault: &FileVault, runtime: &tokio::runtime::Runtime) -> (f64, f64) {
    let (mut first, mut listing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let client = open(path, vault);
        let rows = runtime.block_on(client.history(user(0), None, 20)).unwrap();
        first.push(begin.elapsed());
        assert_eq!(rows.len(), 20);
        let begin = Instant::now();
        let friends = runtime.block_on(client.friends()).unwrap();
        listing.push(begin.elapsed());
        assert_eq!(friends.len(), FRIENDS as usize);
        runtime.block_on(client.close());
    }
    (median(first), median(listing))
}

fn theirs(folder: &Path) -> Option<BTreeMap<String, serde_json::Value>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bench/deltachat");
    let output = Command::new(script).arg(folder).stderr(std::process::Stdio::inherit()).output().ok()?;
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("me.db");
    let vault = FileVault::new(folder.path().join("key"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    fill(&path, &vault);
    let bytes = path.metadata().unwrap().len();
    println!("{FRIENDS} friends, {CHATS} conversations, {} messages: {bytes} bytes", u64::from(CHATS) * MESSAGES);

    let (first_ms, listing_ms) = ours(&path, &vault, &runtime);
    println!("open to the newest 20 messages  {first_ms:10.2} ms");
    println!("list all friends                {listing_ms:10.2} ms");
    let tools = std::env::var_os("DELTACHAT_HOME").map(PathBuf::from);
    let mut figures = serde_json::json!({"bytes": bytes, "first_rows_ms": first_ms, "contacts_ms": listing_ms});
    let mut kept = true;
    match tools.and_then(|tools| theirs(&tools)) {
        None => println!("Delta Chat's core was not run (DELTACHAT_HOME): no ratio"),
        Some(theirs) => {
            let their = |name: &str| theirs[name].as_f64().unwrap();
            for (name, ours, most) in [("first_rows_ms", first_ms, FIRST_ROWS), ("contacts_ms", listing_ms, CONTACTS)] {
                let ratio = ours / their(name);
                kept &= ratio <= most;
                println!("{name}: Delta Chat's core {:.1} ms, ratio {ratio:.4} (at most {most})", their(name));
                figures[format!("{name}_ratio")] = ratio.into();
            }
        }
    }

    let client = open(&path, &vault);
    let wiped = runtime.block_on(client.wipe(Downloads::Kept)).unwrap();
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "wipe: key destroyed in {:.2} ms, files empty in {:.2} ms, all gone in {:.2} ms",
        ms(wiped.key),
        ms(wiped.files),
        ms(wiped.all)
    );
    kept &= wiped.files <= Duration::from_millis(200);
    figures["wipe_key_ms"] = ms(wiped.key).into();
    figures["wipe_files_ms"] = ms(wiped.files).into();
    figures["wipe_all_ms"] = ms(wiped.all).into();
    if let Some(file) = std::env::var_os("STORE_JSON") {
        std::fs::write(file, figures.to_string()).unwrap();
    }
    if !kept {
        println!("NOT as fast as wanted");
    }
}
