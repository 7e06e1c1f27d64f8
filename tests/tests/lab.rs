//! A few pairs of situations in namespaces, with the real library, server and kernel; `make lab` tries all.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use proving::cells::{Watched, exposure, run, smoke, watched};
use sidetone::link::{Bind, Link, Role, RoutePolicy, Settings, Trust, Watch};

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_meet_by_the_cheapest_way_or_know_why_they_do_not() {
    if !lab::ready("situations in namespaces") {
        return;
    }
    for cell in smoke() {
        let outcome = run(cell).await.expect("the laboratory can be set up");
        assert!(outcome.is_met() && outcome.right() == 2, "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_in_no_packet_of_the_other_phone_until_the_user_allows_it() {
    if !lab::ready("an address that is hidden") {
        return;
    }
    let [hidden, shown] = exposure().await.expect("the laboratory can be set up");
    assert_eq!(hidden, 0);
    assert!(shown > 0, "the control: it is there once it may be");
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_speak_to_nobody_but_their_server_and_each_other_and_a_relay_reads_nothing() {
    if !lab::ready("phones that are watched") {
        return;
    }
    let Watched { strange, words, relayed } = watched().await.expect("the laboratory can be set up");
    assert_eq!((strange[0], words[0]), (0, 0));
    assert!(strange[1] > 0 && words[1] > 0, "the controls: {strange:?} {words:?}");
    assert!(relayed > 100, "the talk went through the relay: {relayed} packets");
}

#[test]
fn a_link_opens_where_nothing_can_be_sent_to_many() {
    if !lab::ready("a network without multicast") {
        return;
    }
    let alone = lab::Namespace::new().expect("a namespace");
    let open = || {
        let many =
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| socket.send_to(b"?", "224.0.0.251:5353"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let opened = runtime.block_on(async {
            let (role, servers, policy) = (Role::Offer, Vec::new(), RoutePolicy::Any);
            let bind = Bind::Only(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            let (news, _inbox) = tokio::sync::mpsc::channel(8);
            Link::open(Settings { role, servers, policy, bind, watch: Watch::Close, trust: Trust::default() }, news)
                .await
                .map(drop)
        });
        (many.is_err(), opened)
    };
    let (alone, opened) = alone.spawn(open).expect("a thread").join().expect("no panic").expect("it can be entered");
    assert!(alone, "the control: nothing can be sent to many");
    assert_eq!(opened, Ok(()));
}
