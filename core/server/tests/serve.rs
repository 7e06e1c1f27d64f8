//! The whole process on loopback: real sockets, a real database file.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};

use common::wired::Wired;
use common::*;
use futures_util::SinkExt;
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use sidetone_wire::id::{InterestTag, TicketId};
use sidetone_wire::stranger::{Match, Media, Reason, Report, Seek};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn get(addr: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(addr).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

async fn fetched(addr: SocketAddr, path: &'static str) -> String {
    tokio::task::spawn_blocking(move || get(addr, path)).await.unwrap()
}

#[tokio::test]
async fn two_phones_register_befriend_and_reach_each_other_over_websockets() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let mut ada = Wired::registered(server.addr, "ada").await;
    let mut bob = Wired::registered(server.addr, "bob").await;
    ada.ask(Request::Befriend(Name { name: "bob".into() })).await.unwrap();
    assert!(matches!(bob.event().await, Event::Person(person) if person.relation == Relation::AskedUs));
    bob.ask(Request::Accept(User { user: ada.phone.user() })).await.unwrap();
    assert!(matches!(ada.event().await, Event::Person(person) if person.online));
    for len in [256, 16_384] {
        let bytes = vec![7; len];
        let envelope = Envelope { to: bob.phone.user(), class: Class::Ring, bytes: bytes.clone().into() };
        ada.ask(Request::Route(envelope)).await.unwrap();
        assert_eq!(sealed(&[bob.event().await]), [bytes]);
    }

    let Wired { phone, socket, .. } = bob;
    drop(socket);
    let envelope = Envelope { to: phone.user(), class: Class::Control, bytes: vec![9; 256].into() };
    ada.ask(Request::Route(envelope)).await.unwrap();
    let (mut bob, welcome) = Wired::connect(server.addr, phone).await;
    assert!(welcome.resumed);
    assert_eq!(sealed(&[bob.event().await]), [vec![9; 256]]);

    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    bob.socket.close(Some(close)).await.unwrap();
    let presence = ada.event().await;
    assert_eq!(presence, Event::Presence(Presence { user: bob.phone.user(), online: false }));
    let figures = server.figures().await;
    assert_eq!((figures.desk.registered, figures.desk.ring.bytes, figures.desk.resumed), (2, 256 + 16_384, 1));
    let json = fetched(server.admin_addr.unwrap(), "/figures").await;
    assert!(json.contains("\"ring\":{\"envelopes\":2"), "{json}");
    server.stop().await;
}

#[tokio::test]
async fn a_server_is_healthy_ready_and_speaks_frames_only() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    assert!(fetched(server.addr, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(fetched(server.addr, "/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(fetched(server.addr, "/figures").await.starts_with("HTTP/1.1 404"), "figures are not for everybody");
    let long = Message::Binary(vec![0; 40_000].into());
    for (message, code) in [(Message::Text("hello".into()), Code::Malformed), (long, Code::TooLarge)] {
        let (mut wired, _) = Wired::connect(server.addr, Phone::new("ada")).await;
        wired.socket.send(message).await.unwrap();
        let Some(Frame::Goaway(why)) = wired.next().await else { panic!("no goaway") };
        assert_eq!(why.code, code);
        assert_eq!(wired.next().await, None);
    }
    server.stop().await;
}

/// Every field of the counts, and that each is a number.
fn only_numbers(value: &serde_json::Value, path: &str, names: &mut Vec<String>) {
    match value {
        serde_json::Value::Number(_) => names.push(path.to_owned()),
        serde_json::Value::Array(all) => all.iter().for_each(|one| only_numbers(one, path, names)),
        serde_json::Value::Object(all) => all.iter().for_each(|(name, one)| only_numbers(one, name, names)),
        other => panic!("{path}: {other}"),
    }
}

#[tokio::test]
async fn the_operator_sees_counts_of_strangers_and_nothing_else() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let admin = server.admin_addr.unwrap();
    let mut phones = Vec::new();
    for number in 0..3 {
        let (mut wired, _) = Wired::connect(server.addr, Phone::new("stranger")).await;
        let ticket = TicketId([number; 16]);
        let interests = vec![InterestTag([7; 16])];
        let seek = Seek { ticket, media: Media::Voice, interests, adult: false, proof: None, frank: None };
        wired.ask(Request::Seek(seek)).await.unwrap();
        phones.push(wired);
    }
    let Event::Matched(matched) = phones[0].event().await else { panic!("no match") };
    for phone in &mut phones[..2] {
        phone.ask(Request::Consent(Match { id: matched.id })).await.unwrap();
    }
    phones[0]
        .ask(Request::Report(Report { token: matched.report, reason: Reason::Bot, shown: Vec::new() }))
        .await
        .unwrap();
    let answer = fetched(admin, "/radar").await;
    let json: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        (&json["active"], &json["pools"][1]["waiting"], &json["pools"][1]["matched"]),
        (&3.into(), &1.into(), &1.into())
    );
    let mut names = Vec::new();
    only_numbers(&json, "", &mut names);
    names.sort();
    names.dedup();
    let allowed = "active barred lengths matched matches minute reports reports_today shadowed skips slowed unwanted \
        visitors_today waiting";
    assert_eq!(names.join(" "), allowed);
    let page = fetched(admin, "/status").await;
    assert!(page.contains("content-type: text/html"), "{page}");
    assert!(page.contains("<td>Among strangers now</td><td>3</td>"), "{page}");
    assert!(page.contains("<td>Complaints today</td><td>1</td>") && !page.contains("<script"), "{page}");
    for path in ["/radar", "/status"] {
        assert!(fetched(server.addr, path).await.starts_with("HTTP/1.1 404"), "counts are the operator's");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_server_says_goodbye_and_another_one_goes_on_with_its_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let keep = Keep::Dir(dir.path().join("data"));
    let config = Config { keep, ..Config::in_memory() };
    let server = Server::start(config.clone()).await.unwrap();
    let mut ada = Wired::registered(server.addr, "ada").await;
    assert_eq!(Server::start(config.clone()).await.err(), Some(StartError::Store(StoreError::Busy)));
    server.stop().await;
    let Some(Frame::Goaway(why)) = ada.next().await else { panic!("no goaway") };
    assert_eq!(why.code, Code::Draining);
    assert_eq!(ada.next().await, None);

    let server = Server::start(config).await.unwrap();
    let (mut ada, welcome) = Wired::connect(server.addr, ada.phone).await;
    assert!(!welcome.resumed);
    assert_eq!(welcome.user, ada.phone.user);
    assert!(
        matches!(ada.ask(Request::Relays(Empty::default())).await, Ok(Reply::Relays(relays)) if relays.urls.len() == 3)
    );
    server.stop().await;
}

#[tokio::test]
async fn every_way_not_to_start_has_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| Config { keep: Keep::Dir(dir.path().join(name)), ..Config::in_memory() };
    let err = async |config: Config| Server::start(config).await.err().unwrap();

    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let held = std::net::TcpListener::bind(taken).unwrap();
    let mut config = Config::in_memory();
    config.listen = taken;
    assert_eq!(err(config).await, StartError::PortTaken { listener: Listener::Phones, addr: taken });
    drop(held);

    let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = held.local_addr().unwrap();
    let relay = |listen| Config { relay: Some(RelayConfig::new(listen)), ..Config::in_memory() };
    assert_eq!(err(relay(addr)).await, StartError::PortTaken { listener: Listener::Relay, addr });
    assert_eq!(err(relay("0.0.0.0:0".parse().unwrap())).await, StartError::NoPublicAddress);

    let admin = "0.0.0.0:0".parse().unwrap();
    let config = Config { admin: Some(admin), ..Config::in_memory() };
    assert_eq!(err(config).await, StartError::AdminNotLoopback(admin));

    std::fs::write(dir.path().join("file"), "in the way").unwrap();
    assert!(matches!(err(at("file")).await, StartError::DataDir(_)));

    let damaged = dir.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("accounts.db"), vec![0x5a; 8_192]).unwrap();
    assert_eq!(err(at("damaged")).await, StartError::Store(StoreError::Damaged));

    let server = Server::start(at("newer")).await.unwrap();
    server.stop().await;
    let db = rusqlite::Connection::open(dir.path().join("newer/accounts.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    assert!(matches!(err(at("newer")).await, StartError::Store(StoreError::TooNew { found: 99, .. })));
}
