//! Routes through relays: when they may be taken, and that they are shown.

use super::*;

#[tokio::test]
async fn relay_only_offers_no_address_of_the_device() {
    let servers = vec![relay(Manner::Unwilling).await];
    let hidden = Settings { policy: RoutePolicy::RelayOnly, servers: servers.clone(), ..settings(Role::Offer) };
    let mut hidden = open(hidden, 64).await;
    assert_eq!(guard(20, gathered(&mut hidden)).await, vec![]);
    // The control: the same end without the policy offers its address.
    let mut shown = open(Settings { servers, ..settings(Role::Offer) }, 64).await;
    let offered = guard(20, gathered(&mut shown)).await;
    assert!(offered.iter().any(|candidate| candidate.kind() == Kind::Host), "{offered:?}");
}

#[tokio::test]
async fn a_link_that_may_only_use_relays_travels_through_both_and_says_so() {
    let (mut a, mut b) = relayed_pair().await;
    for (route, _) in guard(20, connect(&mut a, &mut b)).await {
        assert!(matches!(route, Route::Relayed { by: RelayedBy::Both, protocol: Transport::Udp, .. }), "{route:?}");
    }
    let (from, to) = (a.link.media(), b.link.media());
    let speak = async {
        // The first frame on a relayed route may be lost, as any may.
        for number in 0.. {
            from.send_audio(number, 0, false, Bytes::from_static(b"relayed"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let heard = tokio::select! {
        () = speak => unreachable!(),
        heard = guard(20, to.audio()) => heard,
    };
    assert_eq!(heard.payload, &b"relayed"[..]);
}

#[tokio::test]
async fn closing_a_relayed_link_tells_the_other_end() {
    for closes in [0, 1] {
        let (mut a, mut b) = relayed_pair().await;
        guard(20, connect(&mut a, &mut b)).await;
        let (closed, mut other) = if closes == 0 { (a, b) } else { (b, a) };
        guard(5, closed.link.close()).await;
        assert_eq!(guard(5, down(&mut other)).await, DownReason::PeerClosed);
    }
}

#[tokio::test]
async fn a_relayed_link_does_not_let_records_lie() {
    let (mut a, mut b) = relayed_pair().await;
    guard(20, connect(&mut a, &mut b)).await;
    // Left to itself the library sends each of these only at its next timer, 200 ms later: a minute in all.
    guard(10, async {
        for number in 0..100 {
            a.link.send(patterned(4000, number)).unwrap();
            assert!(record(&mut b).await == patterned(4000, number));
            b.link.send(patterned(4000, number)).unwrap();
            assert!(record(&mut a).await == patterned(4000, number));
        }
    })
    .await;
}

#[tokio::test]
async fn one_end_behind_a_relay_reaches_one_that_needs_none() {
    let hidden = Settings {
        policy: RoutePolicy::RelayOnly,
        servers: vec![relay(Manner::Willing).await],
        ..settings(Role::Offer)
    };
    let (mut a, mut b) = (open(hidden, 64).await, open(settings(Role::Answer), 64).await);
    let [at_a, at_b] = guard(20, connect(&mut a, &mut b)).await;
    assert!(matches!(at_a.0, Route::Relayed { by: RelayedBy::Us, .. }), "{at_a:?}");
    assert!(matches!(at_b.0, Route::Relayed { by: RelayedBy::Them, .. }), "{at_b:?}");
}

#[tokio::test]
async fn a_relay_that_first_looked_like_the_peers_own_address_is_shown_as_a_relay() {
    let servers = vec![relay(Manner::Willing).await];
    let hidden = Settings { policy: RoutePolicy::RelayOnly, servers, ..settings(Role::Offer) };
    let (mut a, mut b) = (open(hidden, 64).await, open(settings(Role::Answer), 64).await);
    let (mut late, mut ups) = (Vec::new(), 0);
    let connect = async {
        while ups < 2 {
            tokio::select! {
                Some(news) = a.news.recv() => match news {
                    News::Candidate(candidate) => late.push(candidate),
                    news => ups += usize::from(matches!(carry(news, &b.link), Some(News::Up { .. }))),
                },
                Some(news) = b.news.recv() => ups += usize::from(matches!(carry(news, &a.link), Some(News::Up { .. }))),
            }
        }
    };
    guard(20, connect).await;
    assert!(!late.is_empty());
    late.into_iter().for_each(|candidate| b.link.add_candidate(candidate).unwrap());
    let shown = async {
        loop {
            if let News::Route(route) = b.news.recv().await.expect("the link lives") {
                return route;
            }
        }
    };
    let route = guard(5, shown).await;
    assert!(matches!(route, Route::Relayed { by: RelayedBy::Them, .. }), "{route:?}");
}

#[tokio::test]
async fn relay_only_without_a_relay_is_refused() {
    let servers = vec![IceServer::Stun { host: "127.0.0.1".into(), port: 9 }];
    let (tell, _news) = mpsc::channel(1);
    let opened = Link::open(Settings { policy: RoutePolicy::RelayOnly, servers, ..settings(Role::Offer) }, tell).await;
    assert_eq!(opened.err(), Some(LinkError::NoRelay));
}

#[tokio::test]
async fn direct_only_contacts_no_relay_and_refuses_the_peers() {
    let relay = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let port = relay.local_addr().unwrap().port();
    let turn = || {
        vec![IceServer::Turn {
            host: "127.0.0.1".into(),
            port,
            transport: Transport::Udp,
            username: "user".into(),
            password: "password".into(),
        }]
    };
    let direct = Settings { policy: RoutePolicy::DirectOnly, servers: turn(), ..settings(Role::Offer) };
    let mut end = open(direct, 64).await;
    let offered = guard(10, gathered(&mut end)).await;
    assert!(!offered.is_empty() && offered.iter().all(|candidate| candidate.kind() == Kind::Host));
    let mut buffer = [0; 2048];
    assert!(relay.try_recv_from(&mut buffer).is_err(), "a relay was contacted");
    let address = SocketAddr::new(LOOPBACK, 4000);
    let theirs = Candidate::new(Kind::Relay, Protocol::Udp, address, 1, "1").unwrap();
    assert_eq!(end.link.add_candidate(theirs), Err(Refused::Policy));
    // The control: with any route allowed the relay is asked.
    let _any = open(Settings { servers: turn(), ..settings(Role::Offer) }, 64).await;
    assert!(guard(10, relay.recv_from(&mut buffer)).await.is_ok());
}
