//! How a link ends: that the other end is told, and what still arrives.

use super::*;

#[tokio::test]
async fn closing_one_end_tells_the_other_and_nothing_is_told_after() {
    let (mut a, mut b) = pair().await;
    let media = a.link.media();
    guard(5, a.link.close()).await;
    assert_eq!(guard(5, down(&mut b)).await, DownReason::PeerClosed);
    assert_eq!(b.news.recv().await, None, "news after the last");
    assert_eq!(b.link.send(vec![1]), Err(SendRefused::Closed));
    assert_eq!(b.link.restart_ice(), Err(Refused::Closed));
    b.link.room().await;
    media.send_audio(0, 0, false, Bytes::new());
    while let Some(news) = a.news.recv().await {
        assert!(!matches!(news, News::Down(_)), "told about what the owner did");
    }
}

#[tokio::test]
async fn what_waits_when_an_end_closes_comes_once_and_without_a_gap() {
    // More than the window takes, so that one waits for room half sent, and many, so that one is being sent.
    for (many, length) in [(30, 30_000), (4_000, 40)] {
        let (a, mut b) = pair().await;
        for number in 0..many {
            a.link.send(patterned(length, number)).unwrap();
        }
        assert!(guard(5, record(&mut b)).await == patterned(length, 0));
        let rest = async {
            let mut came = 1;
            loop {
                match b.news.recv().await.unwrap() {
                    News::Record(record) => {
                        assert!(record == patterned(length, came), "record {came}");
                        came += 1;
                    }
                    News::Down(reason) => return (came, reason),
                    _ => {}
                }
            }
        };
        let ((came, reason), ()) = guard(5, async { tokio::join!(rest, a.link.part()) }).await;
        assert_eq!(reason, DownReason::PeerClosed);
        // The library keeps 256 messages for a reader that is behind; more are lost when the peer goes.
        assert!(came == many || came > 256 && many > 256, "{came} came");
    }
}

#[tokio::test]
async fn a_farewell_arrives_though_its_packets_are_lost_once() {
    for closes in [0, 1] {
        let wire = Wire::new(Duration::from_millis(10), 0).await;
        let (mut a, mut b) = wired_pair(&wire).await;
        // Nothing is sent again any more because the link just came up.
        for number in 0..3 {
            a.link.send(vec![number]).unwrap();
            assert_eq!(guard(5, record(&mut b)).await, [number]);
            b.link.send(vec![number]).unwrap();
            assert_eq!(guard(5, record(&mut a)).await, [number]);
        }
        let mut seen = std::collections::HashSet::new();
        wire.sift(move |_, packet| !seen.insert(packet.to_vec()));
        let (closed, mut other) = if closes == 0 { (a, b) } else { (b, a) };
        guard(5, closed.link.close()).await;
        assert_eq!(guard(5, down(&mut other)).await, DownReason::PeerClosed);
    }
}

#[tokio::test]
async fn a_link_that_is_dropped_tells_the_peer_too() {
    let (a, mut b) = pair().await;
    drop(a);
    assert_eq!(guard(5, down(&mut b)).await, DownReason::PeerClosed);
}
