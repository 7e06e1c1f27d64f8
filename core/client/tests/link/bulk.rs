//! Files pass a link whole and in order, and leave room for everything else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sidetone::link::{BULK_BYTES, BulkClosed, BulkNews, BulkPath, BulkPort, BytesPerSecond};

use super::ends::{guard, pair, patterned, record};

async fn message(port: &BulkPort) -> Bytes {
    match port.receive().await {
        Some(BulkNews::Message(message)) => message,
        other => panic!("no message but {other:?}"),
    }
}

#[tokio::test]
async fn bulk_messages_pass_both_ways_whole_and_in_order_up_to_the_longest() {
    let (a, b) = pair().await;
    let (a, b) = (a.link.bulk(), b.link.bulk());
    assert_eq!(a.path(), BulkPath::Sctp);
    let sizes = [0, 1, 1200, 16 * 1024 + 40, BULK_BYTES, 7, BULK_BYTES, BULK_BYTES, BULK_BYTES, BULK_BYTES, BULK_BYTES];
    let send = |port: BulkPort, seed: usize| async move {
        for (place, size) in sizes.into_iter().enumerate() {
            port.send(patterned(size, seed + place).into()).await.unwrap();
        }
    };
    let take = |port: BulkPort, seed: usize| async move {
        for (place, size) in sizes.into_iter().enumerate() {
            assert!(message(&port).await == patterned(size, seed + place), "message {place} of {size} bytes");
        }
    };
    guard(20, async { tokio::join!(send(a.clone(), 1), send(b.clone(), 50), take(b, 1), take(a, 50)) }).await;
}

#[tokio::test]
async fn records_pass_while_nobody_takes_the_files() {
    let (mut a, mut b) = pair().await;
    let (from, to) = (a.link.bulk(), b.link.bulk());
    let pouring = tokio::spawn({
        let from = from.clone();
        async move {
            let mut sent = 0;
            while from.send(patterned(BULK_BYTES, 3).into()).await.is_ok() {
                sent += 1;
                if sent == 400 {
                    break;
                }
            }
            sent
        }
    });
    // The reader of files sleeps; the sender is held back after what fits the queues and the credit.
    tokio::task::yield_now().await;
    for seed in 0..20 {
        a.link.send(patterned(1000, seed)).unwrap();
        b.link.send(patterned(1000, seed + 100)).unwrap();
        guard(20, async {
            assert!(record(&mut b).await == patterned(1000, seed));
            assert!(record(&mut a).await == patterned(1000, seed + 100));
        })
        .await;
    }
    assert!(!pouring.is_finished(), "400 messages do not fit in any queue");
    guard(60, async {
        for _ in 0..400 {
            assert_eq!(message(&to).await.len(), BULK_BYTES);
        }
    })
    .await;
    assert_eq!(pouring.await.unwrap(), 400);
}

#[tokio::test]
async fn a_ceiling_is_kept_and_lifted() {
    let (a, b) = pair().await;
    let (from, to) = (a.link.bulk(), b.link.bulk());
    from.set_ceiling(Some(BytesPerSecond(400_000)));
    let begun = Instant::now();
    let length = 40_000;
    tokio::spawn({
        let from = from.clone();
        async move {
            for seed in 0..200 {
                from.send(patterned(length, seed).into()).await.unwrap();
            }
        }
    });
    guard(60, async {
        for seed in 0..5 {
            assert!(message(&to).await == patterned(length, seed));
        }
        // 200,000 bytes at this speed take half a second, less what may be made up for.
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(450), "{took:?}");
        from.set_ceiling(None);
        for seed in 5..200 {
            assert!(message(&to).await == patterned(length, seed));
        }
        // At the ceiling the rest would take more than 19 s.
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_link_ends_the_port_at_both_ends() {
    let (a, b) = pair().await;
    let (from, to) = (a.link.bulk(), b.link.bulk());
    guard(20, async {
        from.send(Bytes::from_static(b"last")).await.unwrap();
        assert_eq!(message(&to).await, &b"last"[..]);
        let waiting = tokio::spawn({
            let to = to.clone();
            async move { to.receive().await }
        });
        a.link.close().await;
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(to.receive().await, None);
        assert_eq!(from.receive().await, None);
        assert_eq!(from.send(Bytes::new()).await, Err(BulkClosed));
        let mut refused = to.send(Bytes::new()).await;
        while refused.is_ok() {
            refused = to.send(Bytes::new()).await;
        }
    })
    .await;
    drop(b);
}
