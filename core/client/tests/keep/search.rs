//! A search through several conversations, page by page.

use std::collections::BTreeSet;

use sidetone::UserId;
use sidetone::store::{Location, Store, Write};
use sidetone_engine::row::{ChatRow, ContentRow, MessageRow, Row, content_at};
use sidetone_wire::id::{ItemSeq, LaneId, UnixMs};
use sidetone_wire::record::{MessageId, Text};
use zeroize::Zeroizing;

use super::{KEY, offline};

const CHATS: u8 = 5;
const MESSAGES: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_search_through_all_conversations_finds_each_text_once_newest_first_whatever_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("me.db");
    let mut store = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap();
    let mut wanted = BTreeSet::new();
    for chat in 1..=CHATS {
        let (peer, lane) = (UserId([chat; 16]), LaneId([chat; 16]));
        let row = ChatRow { last: ItemSeq(MESSAGES), next: MESSAGES + 1, ..ChatRow::new(lane) };
        let mut changes = vec![row.put(peer, 0)];
        for at in 1..=MESSAGES {
            // Some are kept at the same time, also of different conversations; some places are empty.
            let (kept, id) = (at / 3 * 3 + u64::from(chat % 2), MessageId { lane, seq: ItemSeq(at) });
            if at % 11 == 0 {
                continue;
            }
            let found = (at + u64::from(chat)) % 4 == 0;
            let words = if found { "a Needle in it" } else { "nothing in it" };
            let entry = MessageRow { lane: Some(lane), kept: UnixMs(kept), ..MessageRow::new(false, id.seq) };
            let content = ContentRow { text: Text::parse(words), ..ContentRow::default() };
            changes.extend([entry.put(peer, at), content.put(peer, content_at(false, id))]);
            if found {
                wanted.insert((kept, peer, at));
            }
        }
        store.keep(changes.iter().map(Write::Change)).unwrap();
    }
    store.close();
    let client = offline(&path);
    let wanted: Vec<_> = wanted.into_iter().rev().collect();
    for limit in [1, 7, 50, 500] {
        let (mut seen, mut from) = (Vec::new(), None);
        loop {
            let found = client.search(None, "needle", from, limit).await.unwrap();
            assert!(found.hits.len() <= limit);
            seen.extend(found.hits.into_iter().map(|(peer, hit)| (hit.kept_ms, peer, hit.position)));
            from = found.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(seen, wanted, "in pages of {limit}");
    }
    client.close().await;
}
