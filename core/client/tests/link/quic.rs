//! Files take QUIC where the route is direct, and nobody who sends them need know.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sidetone::link::{BulkNews, BulkPath, BulkPort, BytesPerSecond, Link, News};

use super::ends::{End, carry, connect, guard, pair, patterned, relayed_pair};

/// Sends numbered messages until `enough`, then says how many there were.
async fn pour(port: &BulkPort, length: usize, mut enough: impl FnMut(usize) -> bool) -> usize {
    for number in 0.. {
        if enough(number) {
            return number;
        }
        port.send(numbered(length, number)).await.unwrap();
    }
    unreachable!()
}

fn numbered(length: usize, number: usize) -> Bytes {
    patterned(length + number % 7, number).into()
}

/// Takes messages that must be the next ones, and nothing else, until `all` of them came.
async fn drink(port: &BulkPort, length: usize, from: usize, all: usize) {
    for number in from..all {
        match port.receive().await {
            Some(BulkNews::Message(message)) => assert!(message == numbered(length, number), "message {number}"),
            other => panic!("not message {number} but {other:?}"),
        }
    }
}

/// Sends until so many messages went over QUIC, while the other end takes them; says how many there were in all.
async fn pour_over(from: &BulkPort, to: &BulkPort, length: usize, on_quic: usize) -> usize {
    let mut moved = 0;
    let sent = tokio::sync::watch::Sender::new(usize::MAX);
    let pouring = async {
        let count = pour(from, length, |_| {
            moved += usize::from(from.path() == BulkPath::Quic);
            moved > on_quic
        });
        sent.send_replace(count.await);
    };
    let drinking = async {
        let mut number = 0;
        while number < *sent.borrow() {
            tokio::select! {
                () = drink(to, length, number, number + 1) => number += 1,
                _ = async { sent.subscribe().wait_for(|all| *all <= number).await.map(drop) } => {}
            }
        }
        number
    };
    tokio::join!(pouring, drinking).1
}

#[tokio::test]
async fn files_move_to_quic_both_ways_and_nothing_is_lost_or_overtaken() {
    let (a, b) = pair().await;
    let (a, b) = (a.link.bulk(), b.link.bulk());
    guard(30, async {
        // The answering end is the client, the offering one the server; either may be the one that begins.
        let (there, back) = tokio::join!(pour_over(&a, &b, 50_000, 100), pour_over(&b, &a, 30_000, 100));
        assert!(there > 100 && back > 100);
    })
    .await;
    assert_eq!((a.path(), b.path()), (BulkPath::Quic, BulkPath::Quic));
}

#[tokio::test]
async fn the_end_that_offered_the_link_can_begin_alone() {
    let (a, b) = pair().await;
    guard(30, pour_over(&a.link.bulk(), &b.link.bulk(), 50_000, 20)).await;
    assert_eq!(b.link.bulk().path(), BulkPath::Sctp, "who sends nothing stays where it is");
}

#[tokio::test]
async fn the_end_that_answered_can_begin_alone() {
    let (a, b) = pair().await;
    guard(30, pour_over(&b.link.bulk(), &a.link.bulk(), 50_000, 20)).await;
}

#[tokio::test]
async fn files_on_a_relayed_route_stay_on_the_data_channel() {
    let (mut a, mut b) = relayed_pair().await;
    guard(20, connect(&mut a, &mut b)).await;
    let (from, to) = (a.link.bulk(), b.link.bulk());
    let only_sctp = |number| {
        assert_eq!(from.path(), BulkPath::Sctp);
        number == 60
    };
    guard(60, async { tokio::join!(pour(&from, 30_000, only_sctp), drink(&to, 30_000, 0, 60)) }).await;
}

#[tokio::test]
async fn quic_is_closed_when_idle_and_comes_again_without_a_loss() {
    let (a, b) = pair().await;
    let (a, b) = (a.link.bulk(), b.link.bulk());
    guard(60, async {
        pour_over(&a, &b, 50_000, 10).await;
        while a.path() == BulkPath::Quic {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        pour_over(&a, &b, 50_000, 10).await;
    })
    .await;
}

/// Carries signaling between two links until they are gone.
fn attend(mut end: End, to: std::sync::Arc<Link>) -> (std::sync::Arc<Link>, tokio::task::JoinHandle<()>) {
    let link = std::sync::Arc::new(end.link);
    let task = tokio::spawn(async move {
        while let Some(news) = end.news.recv().await {
            if let Some(News::Down(reason)) = carry(news, &to) {
                panic!("down: {reason:?}");
            }
        }
    });
    (link, task)
}

#[tokio::test]
async fn a_change_of_network_under_a_file_is_told_and_survived() {
    let (a, mut b) = pair().await;
    let (from, to) = (a.link.bulk(), b.link.bulk());
    guard(30, pour_over(&from, &to, 50_000, 10)).await;
    let b_link = std::sync::Arc::new(b.link);
    let (a_link, a_task) = attend(a, std::sync::Arc::clone(&b_link));
    let to_a = std::sync::Arc::clone(&a_link);
    let b_task = tokio::spawn(async move {
        while let Some(news) = b.news.recv().await {
            if let Some(News::Down(reason)) = carry(news, &to_a) {
                panic!("down: {reason:?}");
            }
        }
    });
    a_link.restart_ice().unwrap();
    let pouring = tokio::spawn({
        let from = from.clone();
        async move { while from.send(Bytes::from_static(&[7; 20_000])).await.is_ok() {} }
    });
    guard(40, async {
        let told = |port: BulkPort| async move {
            while port.receive().await.expect("the link lives") != BulkNews::Restarted {}
        };
        tokio::join!(told(from.clone()), told(to.clone()));
        assert_eq!(from.path(), BulkPath::Sctp);
        // The file goes on, over the data channel first.
        assert!(matches!(to.receive().await, Some(BulkNews::Message(_))));
    })
    .await;
    for task in [pouring, a_task, b_task] {
        assert!(!task.is_finished() || task.await.is_ok());
    }
}

#[tokio::test]
async fn files_over_quic_leave_sound_alone() {
    let (a, b) = pair().await;
    let (files, taken) = (a.link.bulk(), b.link.bulk());
    guard(30, pour_over(&files, &taken, 50_000, 3)).await;
    files.set_ceiling(Some(BytesPerSecond(2_000_000)));
    let (from, to) = (a.link.media(), b.link.media());
    let began = from.next_sequence();
    let speak = async {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        for number in 0..100 {
            beat.tick().await;
            from.send_audio(began.wrapping_add(number), u32::from(number) * 960, false, Bytes::from_static(&[1; 80]));
        }
    };
    let hear = async {
        for number in 0..100 {
            assert_eq!(to.audio().await.sequence, began.wrapping_add(number));
        }
    };
    let begun = Instant::now();
    let move_file = async {
        let mut number = 0;
        while begun.elapsed() < Duration::from_secs(2) {
            files.send(numbered(4_000, number)).await.unwrap();
            number += 1;
        }
        number
    };
    let take_file = async {
        let mut number = 0;
        loop {
            drink(&taken, 4_000, number, number + 1).await;
            number += 1;
        }
    };
    let sent = guard(20, async {
        tokio::select! {
            ((), (), sent) = async { tokio::join!(speak, hear, move_file) } => sent,
            () = take_file => unreachable!(),
        }
    })
    .await;
    assert_eq!(files.path(), BulkPath::Quic);
    assert!(sent > 20, "the file stood still: {sent} messages");
}

#[tokio::test]
async fn a_link_that_is_closed_under_a_file_leaves_no_task_behind() {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let (a, b) = pair().await;
    let (from, to) = (a.link.bulk(), b.link.bulk());
    guard(30, pour_over(&from, &to, 50_000, 10)).await;
    assert!(alive() > before);
    guard(20, async {
        a.link.close().await;
        b.link.close().await;
        while alive() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
