//! What it takes to search 100,000 kept messages, and to list 10,000 conversations.
//!
//! `cargo bench -p sidetone --bench search`. The store is a file; the client has no server. Beside each search stands what
//! the cryptography in it takes alone: two rows opened for each message.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sidetone::store::{Location, Store, Write};
use sidetone::{Client, Config, FixedKey, ItemSeq, LaneId, MessageId, UserId};
use sidetone_crypto::vault::{Place, Vault};
use sidetone_engine::row::{ChatRow, ContentRow, MessageRow, Row, content_at};
use sidetone_wire::id::UnixMs;
use sidetone_wire::record::Text;
use zeroize::Zeroizing;

const MESSAGES: u64 = 100_000;
const CHATS: u64 = 10_000;
const KEY: [u8; 32] = [7; 32];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    fill(&file);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let config = Config::new("ws://127.0.0.1:1", Some(file), FixedKey::new(KEY));
        let begun = Instant::now();
        let client = Client::open(config).unwrap();
        println!("{:<60} {:>10.1?}", "the store opens", begun.elapsed());
        let begun = Instant::now();
        assert_eq!(client.chats().await.unwrap().len() as u64, CHATS);
        println!("{:<60} {:>10.1?}", "10,000 conversations are listed", begun.elapsed());
        let one = find(&client, Some(person(0)), "needle", 20, 100).await;
        find(&client, Some(person(0)), "words", 20, 20).await;
        let all = find(&client, None, "needle", 20, 100).await;
        let bare = bare();
        println!("{:<60} {:>10.1?}", "the same rows opened by the cryptography alone", bare);
        println!("{:<60} {:>10.2}", "  a search to it: one conversation", one.as_secs_f64() / bare.as_secs_f64());
        println!("{:<60} {:>10.2}", "  a search to it: all conversations", all.as_secs_f64() / bare.as_secs_f64());
        client.close().await;
    });
}

async fn find(client: &Client, peer: Option<UserId>, words: &str, limit: usize, all: usize) -> Duration {
    let begun = Instant::now();
    let (mut found, mut next, mut first) = (0, None, None);
    loop {
        let part = client.search(peer, words, next, limit).await.unwrap();
        first.get_or_insert(begun.elapsed());
        found += part.hits.len();
        next = part.next;
        if next.is_none() || found >= all {
            break;
        }
    }
    assert_eq!(found, all);
    let (whole, r#where) = (begun.elapsed(), if peer.is_some() { "one conversation" } else { "all conversations" });
    println!("{:<60} {:>10.1?}", format!("{words:?} in {}: the first {limit}", r#where), first.unwrap());
    println!("{:<60} {:>10.1?}", format!("{words:?} in {}: {all}, page by page", r#where), whole);
    whole
}

fn person(number: u64) -> UserId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    UserId(id)
}

/// All messages are in the first conversation; one in a thousand says "Needle".
fn fill(file: &std::path::Path) {
    let mut store = Store::open(Location::File(file), Zeroizing::new(KEY), None).unwrap();
    let lane = LaneId([9; 16]);
    let mut chats = Vec::new();
    for number in 0..CHATS {
        let last = if number == 0 { MESSAGES } else { 0 };
        chats.push(ChatRow { last: ItemSeq(last), next: last + 1, ..ChatRow::new(lane) }.put(person(number), 0));
    }
    store.keep(chats.iter().map(Write::Change)).unwrap();
    for batch in 0..MESSAGES / 1_000 {
        let mut rows = Vec::new();
        for seq in batch * 1_000 + 1..=(batch + 1) * 1_000 {
            let rare = if seq % 1_000 == 500 { "a Needle among the " } else { "" };
            let text = Text::parse(format!("message {seq}: {rare}words that people say to each other every day"));
            let id = MessageId { lane, seq: ItemSeq(seq) };
            let row = MessageRow { lane: Some(lane), kept: UnixMs(seq), ..MessageRow::new(false, id.seq) };
            rows.push(row.put(person(0), seq));
            rows.push(ContentRow { text, ..ContentRow::default() }.put(person(0), content_at(false, id)));
        }
        store.keep(rows.iter().map(Write::Change)).unwrap();
    }
    store.close();
}

/// Two sealed rows of the usual lengths opened for each message.
fn bare() -> Duration {
    let (vault, _) = Vault::create(&KEY, [1; 32]);
    let place = Place { table: "kept", column: "sealed", row: &[7; 41], version: 1 };
    let rows = [60, 100].map(|bytes| vault.seal(place, &vec![5; bytes], [3; 24]).unwrap());
    let begun = Instant::now();
    for _ in 0..MESSAGES {
        for row in &rows {
            black_box(vault.open(place, row).unwrap());
        }
    }
    begun.elapsed()
}
