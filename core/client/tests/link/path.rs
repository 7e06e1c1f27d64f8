//! What is known of a link's path while it is used.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sidetone::link::{Bind, News, Role, Route};

use super::ends::{carry, guard, open, pair, settings, until, until_over, wired_pair};
use super::hum;
use super::wire::{Wire, is_dtls};

#[tokio::test]
async fn what_pictures_learned_of_a_path_is_forgotten_when_the_link_takes_another() {
    let (mut a, mut b) = pair().await;
    let port = a.link.video();
    let known = async |above: bool| {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while (port.target_bps() > 1_000_000) != above {
            pace.tick().await;
        }
    };
    port.set_filler_bps(20_000_000);
    guard(20, known(true)).await;
    // From a path on which nothing is sent nothing is learned.
    port.set_filler_bps(0);
    a.link.restart_ice().unwrap();
    // Its first word about its route may be older than that: what the ends have to agree on is carried to the end.
    guard(20, async {
        tokio::select! {
            () = known(false) => {}
            () = until(&mut a, &mut b, |_, _| false) => {}
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_comes_up_though_the_peer_asked_before_it_was_known_and_never_asks_again() {
    let wire = Wire::new(Duration::ZERO, 0).await;
    let mut asked = false;
    wire.sift(move |end, packet| end == 1 || !is_check(packet) || !std::mem::replace(&mut asked, true));
    let mut a = open(settings(Role::Offer), 64).await;
    let mut b = open(settings(Role::Answer), 64).await;
    let (mut late, mut pace) = (vec![], tokio::time::interval(Duration::from_millis(5)));
    guard(20, async {
        while b.link.meter().read().peer.received == 0 {
            tokio::select! {
                Some(news) = a.news.recv() => late.extend(wire.through(0, news)),
                Some(news) = b.news.recv() => drop(wire.through(1, news).map(|news| carry(news, &a.link))),
                _ = pace.tick() => {}
            }
        }
    })
    .await;
    for news in late {
        carry(news, &b.link);
    }
    let mut up = [false; 2];
    let both = until_over(Some(&wire), &mut a, &mut b, |end, news| {
        up[end] |= matches!(news, News::Up { .. });
        up == [true; 2]
    });
    guard(20, both).await;
}

/// Whether a packet is a STUN Binding request without USE-CANDIDATE (RFC 8445 section 7.1.2); to choose a path is not to
/// ask for one.
fn is_check(packet: &[u8]) -> bool {
    packet.starts_with(&[0, 1]) && !packet.windows(4).any(|attribute| attribute == [0, 0x25, 0, 0])
}

#[tokio::test]
async fn a_link_comes_up_whichever_packets_of_its_handshake_are_lost() {
    let lost = (0..2).flat_map(|end| (0..12).flat_map(move |first| (1..3).map(move |several| (end, first, several))));
    futures_util::future::join_all(lost.map(|(end, first, several)| up_without(end, first, several))).await;
}

/// Brings a link up of which so many packets of one end's DTLS (RFC 7983) are lost, from this one on.
async fn up_without(from: usize, first: usize, several: usize) {
    let wire = Wire::new(Duration::from_millis(20), 0).await;
    let mut shakes = 0;
    wire.sift(move |end, packet| {
        if end != from || !is_dtls(packet) {
            return true;
        }
        shakes += 1;
        !(first + 1..=first + several).contains(&shakes)
    });
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let mut up = [false; 2];
    let both = until_over(Some(&wire), &mut a, &mut b, |end, news| {
        assert!(!matches!(news, News::Down(_)), "{several} of end {from} lost from {first} on: {news:?} at {end}");
        up[end] |= matches!(news, News::Up { .. });
        up == [true; 2]
    });
    guard(20, both).await;
}

#[tokio::test]
async fn how_long_a_round_trip_takes_is_told_while_somebody_speaks() {
    let wire = Wire::new(Duration::from_millis(40), 0).await;
    let (mut a, mut b) = wired_pair(&wire).await;
    let _voices = [hum(&a.link), hum(&b.link)].map(Aborted);
    let mut told = [false; 2];
    guard(
        20,
        until(&mut a, &mut b, |place, news| {
            if let News::Route(Route::Direct { rtt, .. } | Route::Relayed { rtt, .. }) = news {
                assert!(rtt >= Duration::from_millis(80), "{rtt:?} on a wire of 40 ms each way");
                told[place] = true;
            }
            told == [true; 2]
        }),
    )
    .await;
}

#[tokio::test]
async fn another_path_is_looked_for_where_the_phone_is_now_whichever_end_begins() {
    let (mut a, mut b) = pair().await;
    for (last, begins) in [(2, 0), (3, 1)] {
        let place = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        a.link.set_bind(Bind::Only(vec![place]));
        [&a, &b][begins].link.restart_ice().unwrap();
        let mut named = Vec::new();
        let mut restored = [false; 2];
        guard(20, async {
            while restored != [true; 2] {
                let (end, news) = tokio::select! {
                    Some(news) = a.news.recv() => (0, news),
                    Some(news) = b.news.recv() => (1, news),
                };
                match &news {
                    News::Candidate(candidate) if end == 0 => named.push(candidate.address().ip()),
                    News::Restored => restored[end] = true,
                    _ => {}
                }
                carry(news, if end == 0 { &b.link } else { &a.link });
            }
        })
        .await;
        assert!(!named.is_empty() && named.iter().all(|ip| *ip == place), "begun by {begins}: {named:?}");
    }
}

/// A task that ends with its holder.
struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
