//! What a link promises, over real sockets on loopback. Waits end with events; the guard is for when none comes.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use sidetone::link::description::{CANDIDATES, Kind, Malformed, Protocol};
use sidetone::link::{
    Candidate, Description, DownReason, IceServer, Inbound, Link, LinkError, News, RECORD_BYTES, Reach, Refused,
    RelayedBy, Role, Route, RoutePolicy, SendRefused, Settings, Transport, Trust,
};
use tokio::sync::mpsc;

#[path = "link/ahead.rs"]
mod ahead;
#[path = "link/bulk.rs"]
mod bulk;
#[path = "link/closing.rs"]
mod closing;
#[path = "link/ends.rs"]
mod ends;
#[path = "link/late.rs"]
mod late;
#[path = "link/path.rs"]
mod path;
#[path = "link/pump.rs"]
mod pump;
#[path = "link/quic.rs"]
mod quic;
#[path = "link/relay.rs"]
mod relay;
#[path = "link/relayed.rs"]
mod relayed;
#[path = "link/tunnel.rs"]
mod tunnel;
#[path = "link/wire.rs"]
mod wire;

use ends::{
    LOOPBACK, carry, connect, down, gathered, guard, local, open, pair, patterned, record, relayed_pair, settings,
    until, until_over, wired_pair,
};
use relay::{Manner, relay};
use wire::Wire;

#[tokio::test]
async fn two_links_exchange_records_both_ways_in_order_up_to_the_longest() {
    let (mut a, mut b) = pair().await;
    let sizes = [0, 1, 1200, 16 * 1024, 64 * 1024, RECORD_BYTES, 7];
    for (seed, size) in sizes.into_iter().enumerate() {
        a.link.send(patterned(size, seed)).unwrap();
        b.link.send(patterned(size, seed + 100)).unwrap();
    }
    guard(20, async {
        for (seed, size) in sizes.into_iter().enumerate() {
            assert!(record(&mut b).await == patterned(size, seed), "record {seed} of {size} bytes");
            assert!(record(&mut a).await == patterned(size, seed + 100), "record {seed} of {size} bytes");
        }
    })
    .await;
    assert_eq!(a.link.send(vec![0; RECORD_BYTES + 1]), Err(SendRefused::TooLong));
}

#[tokio::test]
async fn records_sent_before_the_link_is_up_arrive_once_it_is() {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    a.link.send(b"early".to_vec()).unwrap();
    let mut heard = None;
    guard(
        20,
        until(&mut a, &mut b, |_, news| match news {
            News::Record(record) => {
                heard = Some(record);
                true
            }
            _ => false,
        }),
    )
    .await;
    assert_eq!(heard.unwrap(), b"early");
}

#[tokio::test]
async fn each_end_learns_the_certificate_the_other_described() {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let (of_a, of_b) = (guard(5, local(&mut a)).await, guard(5, local(&mut b)).await);
    a.link.accept(of_b.clone()).unwrap();
    b.link.accept(of_a.clone()).unwrap();
    let [at_a, at_b] = guard(20, connect(&mut a, &mut b)).await;
    assert_eq!(at_a.1, *of_b.fingerprint());
    assert_eq!(at_b.1, *of_a.fingerprint());
    for (route, _) in [at_a, at_b] {
        let Route::Direct { kind: Reach::Lan, rtt } = route else { panic!("{route:?}") };
        assert!(rtt > Duration::ZERO && rtt < Duration::from_secs(1), "{rtt:?}");
    }
}

#[tokio::test]
async fn a_call_on_an_open_link_carries_sound_intact_both_ways() {
    let (a, b) = pair().await;
    let (from, to) = (a.link.media(), b.link.media());
    for (from, to) in [(&from, &to), (&to, &from)] {
        let mut heard = vec![];
        guard(20, async {
            for number in 0..200u16 {
                let payload = Bytes::from(patterned(40 + usize::from(number), 9));
                from.send_audio(65_400u16.wrapping_add(number), 960 * u32::from(number), number == 0, payload);
                // One at a time: the ring drops what is not taken in time, and this test is not about that.
                heard.push(to.audio().await);
            }
        })
        .await;
        for (number, packet) in heard.into_iter().enumerate() {
            let Inbound { sequence, timestamp, marker, payload, .. } = packet;
            assert_eq!(sequence, 65_400u16.wrapping_add(number as u16));
            assert_eq!(timestamp, 960 * number as u32);
            assert_eq!(marker, number == 0);
            assert_eq!(payload, patterned(40 + number, 9));
        }
    }
}

#[tokio::test]
async fn sound_that_nobody_takes_pushes_out_the_oldest() {
    let (a, b) = pair().await;
    let (from, to) = (a.link.media(), b.link.media());
    guard(20, async {
        // The first one opens the track; the rest fill the ring while nobody listens.
        for number in 0..200u16 {
            from.send_audio(number, 0, false, Bytes::from_static(b"frame"));
            tokio::task::yield_now().await;
        }
        while from.dropped() + to.dropped() < 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut waiting = 0;
    while to.take_audio().is_some() {
        waiting += 1;
    }
    assert!(waiting <= 64, "{waiting} packets waited");
}

#[tokio::test]
async fn a_peer_with_another_certificate_than_described_never_comes_up() {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let (of_a, of_b) = (guard(5, local(&mut a)).await, guard(5, local(&mut b)).await);
    let mut forged = *of_b.fingerprint();
    forged[31] ^= 1;
    a.link.accept(Description::new(of_b.ufrag(), of_b.pwd(), forged, 0).unwrap()).unwrap();
    b.link.accept(of_a).unwrap();
    let mut downs = vec![];
    guard(
        40,
        until(&mut a, &mut b, |place, news| {
            match news {
                News::Up { .. } => panic!("came up with a stranger"),
                News::Record(_) => panic!("a record from a stranger"),
                News::Down(reason) => downs.push((place, reason)),
                _ => {}
            }
            downs.len() == 2
        }),
    )
    .await;
    assert!(downs.iter().all(|(_, reason)| *reason == DownReason::Unauthenticated), "{downs:?}");
}

#[tokio::test]
async fn links_come_up_without_waiting_for_idle_timers() {
    // Left to its timers the library takes 300 ms and more for each of these; in a hurry, a few.
    guard(4, async {
        for _ in 0..25 {
            pair().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_restart_keeps_the_link_its_records_and_its_sound() {
    let (mut a, mut b) = pair().await;
    let (from, to) = (a.link.media(), b.link.media());
    from.send_audio(1, 0, false, Bytes::from_static(b"before"));
    assert_eq!(guard(20, to.audio()).await.sequence, 1);
    for (starter, round) in [(0, 1u16), (1, 2), (2, 3)] {
        if starter != 1 {
            a.link.restart_ice().unwrap();
        }
        if starter != 0 {
            b.link.restart_ice().unwrap();
        }
        let mut routes = [0, 0];
        guard(
            20,
            until(&mut a, &mut b, |place, news| {
                assert!(!matches!(news, News::Down(_)), "{news:?} in round {round}");
                routes[place] += usize::from(matches!(news, News::Route(_)));
                routes.iter().all(|seen| *seen > 0)
            }),
        )
        .await;
        a.link.send(vec![round as u8]).unwrap();
        assert_eq!(guard(20, record(&mut b)).await, [round as u8]);
        from.send_audio(round + 1, 0, false, Bytes::from_static(b"after"));
        assert_eq!(guard(20, to.audio()).await.sequence, round + 1);
    }
}

#[tokio::test]
async fn an_interruption_is_told_and_so_is_its_end_and_no_record_is_lost_by_it() {
    let wire = Wire::new(Duration::ZERO, 0).await;
    let (mut a, mut b) = wired_pair(&wire).await;
    wire.cut();
    let cut = std::time::Instant::now();
    for end in [&a, &b] {
        end.link.send(b"into the dark".to_vec()).unwrap();
    }
    let mut told = [false; 2];
    guard(
        20,
        until(&mut a, &mut b, |place, news| {
            told[place] |= news == News::Interrupted;
            told == [true; 2]
        }),
    )
    .await;
    assert!(cut.elapsed() >= Duration::from_secs(1), "an interruption was told before there was one");
    wire.mend();
    let (mut told, mut heard) = ([false; 2], false);
    guard(
        20,
        until(&mut a, &mut b, |place, news| {
            told[place] |= news == News::Restored;
            heard |= news == News::Record(b"into the dark".to_vec());
            told == [true; 2] && heard
        }),
    )
    .await;
}

/// Speaks until it is dropped.
fn hum(link: &Link) -> tokio::task::JoinHandle<()> {
    let port = link.media();
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        for number in 0_u16.. {
            beat.tick().await;
            port.send_audio(number, u32::from(number) * 960, false, Bytes::from_static(b"hm"));
        }
    })
}

#[tokio::test]
async fn silence_is_told_in_a_call_and_not_of_an_idle_link() {
    let wire = Wire::new(Duration::ZERO, 0).await;
    let (mut a, mut b) = wired_pair(&wire).await;
    // What was said while it came up is acknowledged first.
    let (mut pace, mut before, mut quiet) = (tokio::time::interval(Duration::from_millis(100)), 0, 0);
    while quiet < 10 {
        pace.tick().await;
        let now = wire.bytes();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
    wire.cut();
    let idle = until(&mut a, &mut b, |_, news| news == News::Interrupted);
    assert!(tokio::time::timeout(Duration::from_secs(6), idle).await.is_err(), "nobody would miss anything");
    wire.mend();
    let voices = [hum(&a.link), hum(&b.link)];
    guard(20, a.link.media().audio()).await;
    wire.cut();
    for wanted in [News::Interrupted, News::Restored] {
        let mut told = [false; 2];
        guard(
            20,
            until(&mut a, &mut b, |place, news| {
                told[place] |= news == wanted;
                told == [true; 2]
            }),
        )
        .await;
        wire.mend();
    }
    voices.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_peer_that_is_gone_for_good_ends_the_link() {
    let wire = Wire::new(Duration::ZERO, 0).await;
    let (mut a, mut b) = wired_pair(&wire).await;
    wire.cut();
    for end in [&a, &b] {
        end.link.send(b"into the dark".to_vec()).unwrap();
    }
    assert_eq!(
        guard(45, async { tokio::join!(down(&mut a), down(&mut b)) }).await,
        (DownReason::Lost, DownReason::Lost)
    );
}

#[tokio::test]
async fn a_peer_that_is_nowhere_ends_the_link() {
    let wire = Wire::new(Duration::ZERO, 0).await;
    wire.cut();
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let mut downs = vec![];
    guard(
        45,
        until_over(Some(&wire), &mut a, &mut b, |_, news| {
            downs.push(news);
            downs.len() == 2
        }),
    )
    .await;
    assert_eq!(downs, [News::Down(DownReason::Unreachable), News::Down(DownReason::Unreachable)]);
}

#[tokio::test]
async fn records_arrive_in_order_over_a_long_and_lossy_wire() {
    let wire = Wire::new(Duration::from_millis(20), 40).await;
    let (a, mut b) = wired_pair(&wire).await;
    for number in 0..30 {
        a.link.send(patterned(8 * 1024, number)).unwrap();
    }
    guard(60, async {
        for number in 0..30 {
            assert!(record(&mut b).await == patterned(8 * 1024, number), "record {number}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_changes_its_certificate_is_dropped() {
    let (mut a, _b) = pair().await;
    let other = Description::new("abcd", "a".repeat(22), [7; 32], 1).unwrap();
    a.link.accept(other).unwrap();
    assert_eq!(guard(5, down(&mut a)).await, DownReason::Breach);
}

#[tokio::test]
async fn late_and_doubled_descriptions_change_nothing() {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let (of_a, of_b) = (guard(5, local(&mut a)).await, guard(5, local(&mut b)).await);
    for _ in 0..3 {
        a.link.accept(of_b.clone()).unwrap();
        b.link.accept(of_a.clone()).unwrap();
    }
    guard(20, connect(&mut a, &mut b)).await;
    a.link.accept(of_b).unwrap();
    b.link.accept(of_a).unwrap();
    a.link.send(b"still here".to_vec()).unwrap();
    assert_eq!(guard(20, record(&mut b)).await, b"still here");
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back_instead_of_filling_memory() {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 1).await);
    guard(20, connect(&mut a, &mut b)).await;
    // Nobody reads at `b`. What is accepted before the first refusal that lasts is all that can ever wait.
    let mut accepted = 0usize;
    let stuck = async {
        loop {
            match a.link.send(patterned(64 * 1024, accepted)) {
                Ok(()) => accepted += 1,
                Err(SendRefused::Full) => {
                    if tokio::time::timeout(Duration::from_millis(1500), a.link.room()).await.is_err() {
                        return;
                    }
                }
                Err(refused) => panic!("{refused}"),
            }
        }
    };
    guard(60, stuck).await;
    assert!(accepted * 64 <= 2 * 1024, "{accepted} records of 64 KiB were taken for a reader that reads nothing");
    guard(60, async {
        for number in 0..accepted {
            assert!(record(&mut b).await == patterned(64 * 1024, number), "record {number} of {accepted}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_answering_end_gathers_before_it_is_described_to() {
    let mut end = open(settings(Role::Answer), 64).await;
    guard(5, local(&mut end)).await;
    assert!(!guard(10, gathered(&mut end)).await.is_empty());
}

#[tokio::test]
async fn malformed_descriptions_and_candidates_are_refused_with_the_reason() {
    let pwd = "p".repeat(22);
    let described = |ufrag: &str, pwd: &str| Description::new(ufrag, pwd, [0; 32], 0).err();
    assert_eq!(described("abcd", &pwd), None);
    assert_eq!(described(&"u".repeat(256), &"p".repeat(256)), None);
    assert_eq!(described("abc", &pwd), Some(Malformed::UfragLength));
    assert_eq!(described(&"u".repeat(257), &pwd), Some(Malformed::UfragLength));
    assert_eq!(described("abcd\r\na=x", &pwd), Some(Malformed::UfragCharacter));
    assert_eq!(described("ab d", &pwd), Some(Malformed::UfragCharacter));
    assert_eq!(described("abc\u{e9}", &pwd), Some(Malformed::UfragCharacter));
    assert_eq!(described("abcd", &"p".repeat(21)), Some(Malformed::PwdLength));
    assert_eq!(described("abcd", &"p".repeat(257)), Some(Malformed::PwdLength));
    assert_eq!(described("abcd", &"p\n".repeat(11)), Some(Malformed::PwdCharacter));

    let at = |host: &str, port| Candidate::parse(Kind::Host, Protocol::Udp, host, port, 1, "1").err();
    for good in ["192.0.2.1", "2001:db8::1", "127.0.0.1", "10.0.0.1"] {
        assert_eq!(at(good, 1), None, "{good}");
    }
    for name in ["example.org", "0f3a-11.local", "localhost", "", "192.0.2.1 ", "192.0.2.256", "fe80::1%eth0"] {
        assert_eq!(at(name, 1), Some(Malformed::NotAnAddress), "{name}");
    }
    for nobody in ["0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255", "::ffff:0.0.0.0", "0.1.2.3"] {
        assert_eq!(at(nobody, 1), Some(Malformed::Unreachable), "{nobody}");
    }
    assert_eq!(at("192.0.2.1", 0), Some(Malformed::Port));
    let address = SocketAddr::new(LOOPBACK, 1);
    let with =
        |priority, foundation: &str| Candidate::new(Kind::Host, Protocol::Udp, address, priority, foundation).err();
    assert_eq!(with(0, "1"), Some(Malformed::Priority));
    assert_eq!(with(1 << 31, "1"), Some(Malformed::Priority));
    assert_eq!(with(1, ""), Some(Malformed::FoundationLength));
    assert_eq!(with(1, &"1".repeat(33)), Some(Malformed::FoundationLength));
    assert_eq!(with(1, "1 2"), Some(Malformed::FoundationCharacter));
    let tcp = Candidate::new(Kind::Host, Protocol::Tcp, address, 1, "1").unwrap();
    let end = open(settings(Role::Offer), 64).await;
    assert_eq!(end.link.add_candidate(tcp), Err(Refused::Protocol));
}

#[tokio::test]
async fn a_peer_that_offers_too_many_addresses_gets_no_more_of_them_tried() {
    let targets: Vec<UdpSocket> = (0..CANDIDATES + 8).map(|_| UdpSocket::bind((LOOPBACK, 0)).unwrap()).collect();
    let mut end = open(settings(Role::Offer), 64).await;
    guard(5, local(&mut end)).await;
    end.link.accept(Description::new("abcd", "p".repeat(22), [1; 32], 0).unwrap()).unwrap();
    for target in &targets {
        let address = target.local_addr().unwrap();
        let candidate = Candidate::new(Kind::Host, Protocol::Udp, address, 1, "1").unwrap();
        end.link.add_candidate(candidate).unwrap();
    }
    let last = tokio::net::UdpSocket::from_std({
        let last = targets[CANDIDATES - 1].try_clone().unwrap();
        last.set_nonblocking(true).unwrap();
        last
    })
    .unwrap();
    // Checks go out to all at once, so when the last one allowed has its second, the others had at least one.
    let mut buffer = [0; 2048];
    for _ in 0..2 {
        guard(10, last.recv_from(&mut buffer)).await.unwrap();
    }
    for (place, target) in targets.iter().enumerate() {
        target.set_nonblocking(true).unwrap();
        let tried = place == CANDIDATES - 1 || target.recv_from(&mut buffer).is_ok();
        assert_eq!(tried, place < CANDIDATES, "address {place}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_refused_before_anything_is_opened() {
    for host in ["", "exa mple", "a/b?transport=tcp", "[::1]", "user@host"] {
        let servers = vec![IceServer::Stun { host: host.into(), port: 3478 }];
        let (tell, _news) = mpsc::channel(1);
        let opened = Link::open(Settings { servers, ..settings(Role::Offer) }, tell).await;
        assert_eq!(opened.err(), Some(LinkError::Server), "{host}");
    }
}

#[tokio::test]
async fn an_idle_link_hardly_wakes_and_hardly_speaks() {
    let wire = Wire::new(Duration::ZERO, 0).await;
    let (mut a, mut b) = wired_pair(&wire).await;
    let read = async {
        loop {
            let news = tokio::select! {
                Some(news) = a.news.recv() => news,
                Some(news) = b.news.recv() => news,
                else => return,
            };
            assert!(!matches!(news, News::Interrupted | News::Down(_)), "{news:?}");
        }
    };
    let count = async {
        // Idle begins two seconds after the last traffic; what is counted is a span of time, not waited for.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = (a.link.wakeups(), wire.bytes());
        tokio::time::sleep(Duration::from_secs(10)).await;
        (a.link.wakeups() - before.0, wire.bytes() - before.1)
    };
    let (woken, bytes) = tokio::select! {
        () = read => unreachable!(),
        counted = count => counted,
    };
    // Two thousand with the cap of a link in a hurry, some eighty with the library's own checks.
    assert!(woken < 15, "{woken} wake-ups in ten idle seconds");
    // At most one check and its answer, whichever end asks; the library alone may ask three times.
    assert!(bytes < 250, "{bytes} bytes in ten idle seconds, both ways");
    println!("{woken} wake-ups and {bytes} bytes in ten idle seconds");
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn one_call() {
    let (a, mut b) = pair().await;
    a.link.send(patterned(16 * 1024, 1)).unwrap();
    guard(20, record(&mut b)).await;
    let (from, to) = (a.link.media(), b.link.media());
    for number in 0..10 {
        from.send_audio(number, 0, false, Bytes::from_static(b"a frame of sound"));
        guard(20, to.audio()).await;
    }
    guard(5, a.link.close()).await;
    guard(5, b.link.close()).await;
}

/// In a process of its own, for other tests' sockets and memory must not be counted: run by the next test.
#[tokio::test]
#[ignore = "run in a process of its own by the test after it"]
async fn two_hundred_calls_alone() {
    let handle = tokio::runtime::Handle::current();
    for _ in 0..40 {
        one_call().await;
    }
    let (memory, files, tasks) = (resident_bytes(), open_files(), handle.metrics().num_alive_tasks());
    for _ in 0..200 {
        one_call().await;
    }
    let grown = resident_bytes().saturating_sub(memory);
    assert_eq!(open_files(), files, "sockets left");
    assert_eq!(handle.metrics().num_alive_tasks(), tasks, "tasks left");
    assert!(grown <= 2 << 20, "{} KiB more memory after 200 calls", grown >> 10);
    println!("grown by {} KiB", grown >> 10);
}

#[test]
fn two_hundred_calls_leave_no_task_no_socket_and_no_memory() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "two_hundred_calls_alone", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("grown by"), "{said}\n{}", String::from_utf8_lossy(&alone.stderr));
}
