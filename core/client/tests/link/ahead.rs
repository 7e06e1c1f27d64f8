//! Records that go ahead of their channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sidetone::link::{BulkNews, DownReason, News, Role};

use super::ends::{End, down, guard, open, patterned, record, settings, until_over};
use super::wire::{Wire, is_dtls, is_quic};

/// Two ends on a wire that lets no DTLS pass before it is told to.
async fn pair_without_dtls() -> (Wire, Arc<AtomicBool>, End, End) {
    let wire = Wire::new(Duration::ZERO, 0).await;
    let passes = Arc::new(AtomicBool::new(false));
    let let_pass = Arc::clone(&passes);
    wire.sift(move |_, packet| !is_dtls(packet) || let_pass.load(Ordering::Relaxed));
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let (mut described, mut shown) = ([None; 2], [None; 2]);
    guard(20, async {
        while shown.iter().any(Option::is_none) {
            let (end, news) = tokio::select! {
                Some(news) = a.news.recv() => (0, news),
                Some(news) = b.news.recv() => (1, news),
            };
            match &news {
                News::Local(description) => described[1 - end] = Some(*description.fingerprint()),
                News::Ahead { fingerprint } => {
                    assert_eq!(shown[end].replace(*fingerprint), None, "told twice");
                }
                News::Up { .. } | News::Record(_) | News::Down(_) => panic!("{news:?}"),
                _ => {}
            }
            let other = if end == 0 { &b.link } else { &a.link };
            wire.through(end, news).map(|news| super::carry(news, other));
        }
    })
    .await;
    assert_eq!(described, shown);
    (wire, passes, a, b)
}

#[tokio::test]
async fn records_flow_before_their_channel_is_up_and_go_on_over_it() {
    let (_wire, passes, mut a, mut b) = pair_without_dtls().await;
    for number in 0..5 {
        a.link.send(patterned(900, number)).unwrap();
        assert!(guard(20, record(&mut b)).await == patterned(900, number));
        b.link.send(patterned(900, number)).unwrap();
        assert!(guard(20, record(&mut a)).await == patterned(900, number));
    }
    // These are too much to go ahead, and wait.
    let waiting = 5..15;
    for number in waiting.clone() {
        a.link.send(patterned(20_000, number)).unwrap();
        b.link.send(patterned(20_000, number)).unwrap();
    }
    passes.store(true, Ordering::Relaxed);
    for number in waiting {
        assert!(guard(20, record(&mut a)).await == patterned(20_000, number));
        assert!(guard(20, record(&mut b)).await == patterned(20_000, number));
    }
    // A file needs the channels.
    a.link.bulk().send(Bytes::from_static(b"file")).await.unwrap();
    assert_eq!(guard(20, b.link.bulk().receive()).await, Some(BulkNews::Message(Bytes::from_static(b"file"))));
    a.link.send(vec![7]).unwrap();
    assert_eq!(guard(20, record(&mut b)).await, [7]);
}

#[tokio::test]
async fn what_is_lost_of_it_comes_over_the_channel_once_and_in_order() {
    let cut = (0..2).flat_map(|end| (0..12).map(move |after| cut_after(end, after)));
    join_all(cut).await;
}

/// Sends records both ways while QUIC stops passing from one end after so many packets.
async fn cut_after(from: usize, after: usize) {
    let wire = Wire::new(Duration::from_millis(5), 0).await;
    let mut passed = 0;
    wire.sift(move |end, packet| {
        passed += usize::from(end == from && is_quic(packet));
        end != from || !is_quic(packet) || passed <= after
    });
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    for number in 0..60 {
        a.link.send(patterned(2000, number)).unwrap();
        b.link.send(patterned(2000, 100 + number)).unwrap();
    }
    let mut next = [100, 0];
    let all = until_over(Some(&wire), &mut a, &mut b, |end, news| {
        match news {
            News::Record(record) => {
                assert!(record == patterned(2000, next[end]), "end {from} cut after {after}: {} at {end}", next[end]);
                next[end] += 1;
            }
            News::Down(reason) => panic!("end {from} cut after {after}: {reason:?}"),
            _ => {}
        }
        next == [160, 60]
    });
    guard(30, all).await;
}

#[tokio::test]
async fn nothing_follows_what_was_too_much_to_go_ahead() {
    for closes in [0, 1] {
        let (_wire, _passes, a, b) = pair_without_dtls().await;
        let (closed, mut other) = if closes == 0 { (a, b) } else { (b, a) };
        for (number, length) in [60_000, 60_000, 7].into_iter().enumerate() {
            closed.link.send(patterned(length, number)).unwrap();
        }
        guard(5, closed.link.part()).await;
        assert!(guard(5, record(&mut other)).await == patterned(60_000, 0));
        let rest = guard(5, async {
            loop {
                match other.news.recv().await.unwrap() {
                    News::Record(record) => return Err(record.len()),
                    News::Down(reason) => return Ok(reason),
                    _ => {}
                }
            }
        });
        assert_eq!(rest.await, Ok(DownReason::PeerClosed));
    }
}

#[tokio::test]
async fn an_end_that_closes_before_its_channel_is_up_says_so_and_says_all_before() {
    for closes in [0, 1] {
        let (_wire, _passes, a, b) = pair_without_dtls().await;
        let (closed, mut other) = if closes == 0 { (a, b) } else { (b, a) };
        closed.link.send(b"last words".to_vec()).unwrap();
        guard(5, closed.link.part()).await;
        assert_eq!(guard(5, record(&mut other)).await, b"last words");
        assert_eq!(guard(5, down(&mut other)).await, DownReason::PeerClosed);
    }
}
