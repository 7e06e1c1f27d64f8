//! STUN and TURN on loopback, with the client that WebRTC uses.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, UdpSocket};

use sidetone_server::turn::PeerRange;
use sidetone_server::*;
use sidetone_wire::account::{Empty, Relays, Reply, Request};
use sidetone_wire::id::{MemberId, RoomId, Secret};
use sidetone_wire::room::{EnterRoom, OpenRoom, RelayRule, Room, Scope, Seat, Seats};

mod common;

use common::turned::{PATIENCE, Turned};
use common::wired::Wired;

/// A server and a phone's credentials, minted over its websocket.
async fn server(config: Config) -> (Running, Relays) {
    let server = Server::start(config).await.unwrap();
    let mut ada = Wired::registered(server.addr, "ada").await;
    let Ok(Reply::Relays(relays)) = ada.ask(Request::Relays(Empty::default())).await else { panic!("refused") };
    (server, relays)
}

#[tokio::test]
async fn what_a_client_relays_reaches_its_peer_and_comes_back() {
    let (server, relays) = server(Config::in_memory()).await;
    let relay = server.relay_addr.unwrap();
    let [udp, tcp] = ["udp", "tcp"].map(|transport| format!("turn:{relay}?transport={transport}"));
    assert_eq!(relays.urls, [format!("stun:{relay}"), udp, tcp]);
    let work = move || {
        let mut ada = Turned::new(relay, &relays.username, &relays.password);
        let relayed = ada.allocate().unwrap();
        assert!(relayed.port() >= 49_152);
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let peer_addr = peer.local_addr().unwrap();
        ada.permit(peer_addr).unwrap();
        let mut buffer = [0; 2_048];
        let mut by_channel = false;
        for round in 0..50u8 {
            ada.send(&[round; 1_200], peer_addr);
            let (len, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (&[round; 1_200][..], relayed));
            peer.send_to(&[round; 900], relayed).unwrap();
            let (channel, from, data) = ada.data();
            assert_eq!((from, &data[..]), (peer_addr, &[round; 900][..]));
            by_channel |= channel;
        }
        assert!(by_channel, "the client's channel was bound");

        let mut bob = Turned::new(relay, &relays.username, &relays.password);
        let other = bob.allocate().unwrap();
        ada.permit(other).unwrap();
        bob.permit(relayed).unwrap();
        ada.send(b"from one allocation to another", other);
        assert_eq!(bob.data().2, b"from one allocation to another");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
    let figures = server.figures().await.relay;
    assert_eq!(figures.allocations, 2);
    assert_eq!((figures.to_peers, figures.bytes_to_peers), (50, 60_000));
    server.stop().await;
}

#[tokio::test]
async fn without_good_credentials_or_to_forbidden_peers_nothing_is_relayed() {
    let mut config = Config::in_memory();
    config.relay.as_mut().unwrap().test_peers = vec![PeerRange::new(Ipv4Addr::new(10, 9, 0, 0).into(), 16)];
    let (server, relays) = server(config).await;
    let relay = server.relay_addr.unwrap();
    let work = move || {
        assert!(Turned::new(relay, &relays.username, "guessed").allocate().is_err());
        let later = relays.username.replacen(char::is_numeric, "9", 1);
        assert!(
            Turned::new(relay, &later, &relays.password).allocate().is_err(),
            "nobody prolongs their own credentials"
        );
        let mut ada = Turned::new(relay, &relays.username, &relays.password);
        ada.allocate().unwrap();
        for peer in ["10.0.0.1:80", "192.168.1.1:80", "169.254.169.254:80", "224.0.0.1:80", "127.0.0.2:80"] {
            assert!(ada.permit(peer.parse().unwrap()).is_err(), "{peer}");
        }
        ada.permit("10.9.1.1:80".parse().unwrap()).unwrap();

        // The machine itself may be named, for other allocations live there, but none of its other ports hears anything.
        let inside = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ada.permit(inside.local_addr().unwrap()).unwrap();
        ada.send(b"to a service of this machine", inside.local_addr().unwrap());
        // The relay takes one datagram after the other: when it answers this one, it has done with the one before.
        ada.permit("1.1.1.1:53".parse().unwrap()).unwrap();
        inside.set_nonblocking(true).unwrap();
        assert_eq!(inside.recv(&mut [0; 64]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_member_that_is_kicked_is_cut_off_from_the_relay_and_the_others_go_on() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let relay = server.relay_addr.unwrap();
    let room = RoomId([0x21; 16]);
    let (mut ada, _) = Wired::connect(server.addr, common::Phone::new("ada")).await;
    let (relay_rule, seats, scope) = (RelayRule::Required, Seats::new(4).unwrap(), Scope::Link);
    let (member, owner) = (MemberId([1; 16]), Secret([7; 32]));
    let open = OpenRoom { room, member, owner, relay: relay_rule, seats, scope, keep: None };
    ada.ask(Request::OpenRoom(open)).await.unwrap();
    let mut members = Vec::new();
    for number in [2, 3] {
        let (mut bob, _) = Wired::connect(server.addr, common::Phone::new("bob")).await;
        let member = MemberId([number; 16]);
        bob.ask(Request::EnterRoom(EnterRoom { room, member })).await.unwrap();
        let Ok(Reply::Relays(relays)) = bob.ask(Request::RoomRelays(Room { room })).await else { panic!("refused") };
        let work = move || {
            let mut turned = Turned::new(relay, &relays.username, &relays.password);
            turned.allocate().unwrap();
            (turned, relays)
        };
        let (turned, relays) = tokio::task::spawn_blocking(work).await.unwrap();
        members.push((bob, turned, relays));
    }
    ada.ask(Request::Kick(Seat { room, member: MemberId([2; 16]) })).await.unwrap();
    let work = move || {
        let [(_, mut kicked, relays), (_, mut stays, _)] = members.try_into().ok().unwrap();
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(kicked.permit(peer.local_addr().unwrap()).is_err(), "the allocation is gone");
        assert!(Turned::new(relay, &relays.username, &relays.password).allocate().is_err(), "and there is no other");
        stays.permit(peer.local_addr().unwrap()).unwrap();
    };
    tokio::task::spawn_blocking(work).await.unwrap();
    assert_eq!(server.figures().await.relay.allocations, 1);
    server.stop().await;
}
