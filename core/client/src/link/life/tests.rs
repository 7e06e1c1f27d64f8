//! Peers that do what they should not.

use std::net::{IpAddr, Ipv4Addr};

use bytes::BytesMut;
use webrtc::data_channel::DataChannelEvent;
use webrtc::peer_connection::StatsSelector;

use super::super::bulk::BULK_BYTES;
use super::super::footing::Footing;
use super::super::pieces::{MESSAGE_BYTES, MORE, PIECE_BYTES};
use super::super::{Bind, Link, RoutePolicy, Trust, Watch};
use super::*;

/// A peer that follows the signaling of a link and then does what it likes.
async fn hostile() -> (Link, mpsc::Receiver<News>, Peer) {
    let settings = |role| Settings {
        role,
        servers: vec![],
        policy: RoutePolicy::Any,
        bind: Bind::Only(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
        watch: Watch::Close,
        trust: Trust::default(),
    };
    let (tell, mut news) = mpsc::channel(64);
    let link = Link::open(settings(Role::Offer), tell).await.unwrap();
    let pace = Arc::new(Pace::new(RoutePolicy::Any));
    pace.hurry();
    let (settings, pulse) = (settings(Role::Answer), Arc::new(Pulse::new()));
    let (footing, known) = (Footing::new(settings.bind.clone()), Arc::clone(&pace));
    let (peer, mut facts) = Peer::build(&settings, footing, pace, pulse).await.unwrap();
    let Some(News::Local(local)) = news.recv().await else { panic!("no description") };
    let offer = RTCSessionDescription::offer(template::session(&local, Role::Offer, Half::Offer)).unwrap();
    peer.connection.set_remote_description(offer).await.unwrap();
    let answer = peer.connection.create_answer(None).await.unwrap();
    link.accept(template::own(&answer.sdp, 0).unwrap()).unwrap();
    peer.connection.set_local_description(answer).await.unwrap();
    known.acquaintance().described(Instant::now());
    while let Some(Fact::Candidate(candidate)) = facts.recv().await {
        link.add_candidate(candidate).unwrap();
    }
    while !matches!(peer.channel.poll().await, Some(DataChannelEvent::OnOpen)) {}
    (link, news, peer)
}

async fn ends(mut news: mpsc::Receiver<News>) -> DownReason {
    let end = async {
        loop {
            match news.recv().await.unwrap() {
                News::Down(reason) => return reason,
                News::Record(_) => panic!("a record of a hostile peer was passed on"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), end).await.unwrap()
}

#[tokio::test]
async fn a_peer_that_opens_a_channel_nobody_agreed_on_is_dropped() {
    let (_link, news, peer) = hostile().await;
    peer.connection.create_data_channel("another", None).await.unwrap();
    assert_eq!(ends(news).await, DownReason::Breach);
}

#[tokio::test]
async fn a_peer_that_speaks_before_it_is_ready_is_dropped() {
    let (_link, news, peer) = hostile().await;
    peer.channel.send(BytesMut::from(&b"first"[..])).await.unwrap();
    assert_eq!(ends(news).await, DownReason::Breach);
}

#[tokio::test]
async fn a_peer_that_gives_credit_for_what_was_never_sent_is_dropped() {
    for nonsense in ["1", "-1", "99999999999999999999", "much", ""] {
        let (_link, news, peer) = hostile().await;
        peer.channel.send_text("ready").await.unwrap();
        peer.channel.send_text(nonsense).await.unwrap();
        assert_eq!(ends(news).await, DownReason::Breach, "{nonsense:?}");
    }
}

#[tokio::test]
async fn a_peer_whose_pieces_are_none_or_never_end_is_dropped() {
    let endless = vec![BytesMut::from(&[MORE; MESSAGE_BYTES][..]); BULK_BYTES / PIECE_BYTES + 1];
    for pieces in [vec![BytesMut::new()], vec![BytesMut::from(&[2, 3][..])], endless] {
        for of_file in [false, true] {
            let (_link, news, peer) = hostile().await;
            peer.channel.send_text("ready").await.unwrap();
            let channel = if of_file { &peer.bulk } else { &peer.channel };
            for piece in &pieces {
                channel.send(piece.clone()).await.unwrap();
            }
            assert_eq!(ends(news).await, DownReason::Breach);
        }
    }
    let (_link, news, peer) = hostile().await;
    peer.channel.send_text("ready").await.unwrap();
    peer.bulk.send_text("1").await.unwrap();
    assert_eq!(ends(news).await, DownReason::Breach, "credit for what was never sent");
}

#[tokio::test]
async fn sound_is_sealed_with_the_strongest_cipher_there_is() {
    let (_link, _news, peer) = hostile().await;
    let stats = peer.connection.get_stats(Instant::now(), StatsSelector::None).await;
    assert_eq!(stats.transport().unwrap().srtp_cipher, "SRTP_AEAD_AES_256_GCM");
}

#[tokio::test]
async fn a_peer_that_never_says_it_is_ready_is_given_up() {
    let (_link, news, _peer) = hostile().await;
    assert_eq!(ends(news).await, DownReason::Unauthenticated);
}

#[tokio::test]
async fn a_link_that_looks_for_another_path_hurries_and_misses_its_old_address_no_more() {
    let (link, mut news, peer) = hostile().await;
    peer.channel.send_text("ready").await.unwrap();
    while !matches!(news.recv().await, Some(News::Up { .. })) {}
    assert!(!link.pace.hurries() && link.pace.from().is_some(), "the control");
    link.restart_ice().unwrap();
    while !matches!(news.recv().await, Some(News::Local(_))) {}
    assert!(link.pace.hurries(), "nobody waits for a long nap to end");
    assert_eq!(link.pace.from(), None, "or it would look for another path once more");
}
