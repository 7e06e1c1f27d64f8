//! The relay over TCP and TLS, and websockets over TLS, on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use common::Phone;
use common::turned::{Line, PATIENCE, Turned, tls};
use common::wired::Wired;
use rustls::pki_types::CertificateDer;
use sidetone_server::*;
use sidetone_wire::account::{Empty, Relays, Reply, Request};
use sidetone_wire::frame::Frame;
use sidetone_wire::id::{MemberId, RoomId, Secret};
use sidetone_wire::room::{EnterRoom, OpenRoom, RelayRule, Room, Scope, Seat, Seats};
use tokio_tungstenite::tungstenite::Message;

/// What a client asks for that wants a websocket, or that knows no better.
const ASKED: [&[&[u8]]; 2] = [&[b"http/1.1"], &[]];

/// Writes a certificate and its key; gives the certificate.
fn certify(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["meet.example".to_owned()]).unwrap();
    std::fs::write(dir.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn secure(dir: &Path) -> Config {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut tls = TlsConfig::new(any, dir.join("chain.pem"), dir.join("key.pem"));
    tls.name = Some("meet.example".into());
    Config { tls: Some(tls), ..Config::in_memory() }
}

async fn credentials(server: &Running) -> Relays {
    let mut ada = Wired::registered(server.addr, "ada").await;
    let Ok(Reply::Relays(relays)) = ada.ask(Request::Relays(Empty::default())).await else { panic!("refused") };
    relays
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Looks at the relay's figures until they are as they should be.
async fn until(server: &Running, should: impl Fn(&RelayFigures) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let figures = server.figures().await.relay;
        if should(&figures) {
            return;
        }
        assert!(Instant::now() < until, "{figures:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a little each way and the most a datagram of the internet holds.
fn talks(mut turned: Turned) -> Turned {
    let relayed = turned.allocate().unwrap();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = peer.local_addr().unwrap();
    turned.permit(to).unwrap();
    let mut buffer = [0; 2_048];
    for (round, len) in [1, 2, 3, 4, 5, 900, 1_472].into_iter().cycle().take(40).enumerate() {
        let sent = vec![round as u8; len];
        turned.send(&sent, to);
        let (length, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&sent[..], relayed));
        peer.send_to(&sent, relayed).unwrap();
        assert_eq!(turned.data().2, sent);
    }
    turned
}

#[tokio::test]
async fn where_only_tcp_or_only_one_port_with_tls_is_open_the_relay_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let root = certify(dir.path());
    let server = Server::start(secure(dir.path())).await.unwrap();
    let relays = credentials(&server).await;
    let (relay, tls) = (server.relay_addr.unwrap(), server.tls_addr.unwrap());
    assert_eq!(relays.urls.last(), Some(&format!("turns:meet.example:{}?transport=tcp", tls.port())));
    let turned = off(move || {
        // RFC 7443 has a name for it; a client that asks for nothing is known by its first byte.
        let asked = Line::tls(tls, &root, &[b"stun.turn"]);
        let unasked = Line::tls(tls, &root, &[]);
        [Line::tcp(relay), asked, unasked]
            .map(|line| talks(Turned::over(line, relay, &relays.username, &relays.password)))
    })
    .await;
    let figures = server.figures().await.relay;
    assert_eq!((figures.allocations, figures.lines, figures.to_peers), (3, 3, 120));
    off(|| drop(turned)).await;
    until(&server, |figures| (figures.allocations, figures.lines) == (0, 0)).await;
    server.stop().await;
}

#[tokio::test]
async fn websockets_and_the_relay_share_a_port() {
    let dir = tempfile::tempdir().unwrap();
    let root = certify(dir.path());
    let server = Server::start(secure(dir.path())).await.unwrap();
    let to = server.tls_addr.unwrap();
    for asks in ASKED {
        let root = root.clone();
        let said = off(move || {
            let stream = tls(to, &root, asks);
            stream.sock.set_read_timeout(Some(PATIENCE)).unwrap();
            let url = format!("wss://meet.example:{}/v1/socket", to.port());
            let (mut socket, _) = tokio_tungstenite::tungstenite::client(url, stream).unwrap();
            let hello = Frame::Hello(Phone::new("ada").hello());
            socket.send(Message::Binary(hello.to_bytes().unwrap().into())).unwrap();
            let Message::Binary(bytes) = socket.read().unwrap() else { panic!("no frame") };
            Frame::from_bytes(&bytes).unwrap()
        })
        .await;
        assert!(matches!(said, Frame::Welcome(_)), "{said:?}");
    }
    let plain = off(move || {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    })
    .await;
    assert!(!plain.starts_with(b"HTTP"), "nothing is said there without TLS");
    server.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_never() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |to: SocketAddr, root: &CertificateDer<'static>| {
        let root = root.clone();
        off(move || std::panic::catch_unwind(|| tls(to, &root, &[b"http/1.1"])).is_ok())
    };
    let first = certify(dir.path());
    let server = Server::start(secure(dir.path())).await.unwrap();
    let to = server.tls_addr.unwrap();
    let second = certify(dir.path());
    assert!(shown(to, &first).await && !shown(to, &second).await, "nothing is read before it is asked for");
    let relays = credentials(&server).await;
    let (relay, root) = (server.relay_addr.unwrap(), first.clone());
    let mut turned = off(move || {
        let line = Line::tls(to, &root, &[b"stun.turn"]);
        let mut turned = Turned::over(line, relay, &relays.username, &relays.password);
        turned.allocate().unwrap();
        turned
    })
    .await;
    server.reload().unwrap();
    assert!(shown(to, &second).await && !shown(to, &first).await);
    std::fs::write(dir.path().join("key.pem"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(server.reload(), Err(CertificateError::Mismatch));
    std::fs::write(dir.path().join("chain.pem"), "nothing").unwrap();
    assert_eq!(server.reload(), Err(CertificateError::NotPem));
    std::fs::remove_file(dir.path().join("chain.pem")).unwrap();
    let gone = CertificateError::Unreadable(std::io::ErrorKind::NotFound);
    assert_eq!(server.reload(), Err(gone));
    assert!(shown(to, &second).await, "what was shown is shown on");
    let peer = "127.0.0.1:9".parse().unwrap();
    off(move || turned.permit(peer).map(|()| turned).unwrap()).await;
    server.stop().await;
    assert_eq!(Server::start(secure(dir.path())).await.err(), Some(StartError::Certificate(gone)));
}

#[tokio::test]
async fn one_address_takes_no_more_connections_than_its_share() {
    let mut config = Config::in_memory();
    config.relay.as_mut().unwrap().crowd = Crowd { open: 2, per_s: 1_000 };
    let server = Server::start(config).await.unwrap();
    let relays = credentials(&server).await;
    let relay = server.relay_addr.unwrap();
    let held = off(move || [(); 2].map(|()| TcpStream::connect(relay).unwrap())).await;
    until(&server, |figures| figures.lines == 2).await;
    off(move || {
        let mut third = TcpStream::connect(relay).unwrap();
        third.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(matches!(third.read(&mut [0; 1]), Ok(0) | Err(_)), "it is closed");
    })
    .await;
    assert_eq!(server.figures().await.relay.turned_away, 1);
    drop(held);
    until(&server, |figures| figures.lines == 0).await;
    off(move || talks(Turned::over(Line::tcp(relay), relay, &relays.username, &relays.password))).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_message_ends_a_connection_and_harms_nobody_else() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let relays = credentials(&server).await;
    let relay = server.relay_addr.unwrap();
    off(move || {
        let line = Line::tcp(relay);
        let mut ada = Turned::over(line, relay, &relays.username, &relays.password);
        ada.allocate().unwrap();
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 3, 0xff, 0xfc], &[0x40, 0, 0xff, 0xff], &[0xff; 9_000]] {
            let mut stream = TcpStream::connect(relay).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = stream.write_all(garbage);
            assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "{garbage:?}");
        }
        talks_on(&mut ada);
    })
    .await;
    server.stop().await;
}

fn talks_on(turned: &mut Turned) {
    turned.permit("127.0.0.1:9".parse().unwrap()).unwrap();
}

#[tokio::test]
async fn phones_are_told_of_a_relay_elsewhere_and_of_none_that_they_cannot_read() {
    let elsewhere = |urls: &[&str], secret: &[u8]| {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        Config { elsewhere: Some(Elsewhere { urls, secret: secret.to_vec().into() }), ..Config::in_memory() }
    };
    let good = ["stun:relay.example:3478", "turns:relay.example:443?transport=tcp"];
    let server = Server::start(elsewhere(&good, b"shared")).await.unwrap();
    let relays = credentials(&server).await;
    assert_eq!(relays.urls, good);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"shared");
    let mac = ring::hmac::sign(&key, relays.username.as_bytes());
    assert_eq!(relays.password, base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac));
    server.stop().await;
    for (urls, secret) in
        [(&["http://relay.example"][..], &b"shared"[..]), (&["turn:a b"], b"shared"), (&good, b""), (&[], b"x")]
    {
        assert_eq!(Server::start(elsewhere(urls, secret)).await.err(), Some(StartError::Elsewhere), "{urls:?}");
    }
}

#[tokio::test]
async fn who_is_put_out_of_a_room_is_hung_up_on_and_the_others_go_on() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let relay = server.relay_addr.unwrap();
    let room = RoomId([0x21; 16]);
    let (mut ada, _) = Wired::connect(server.addr, Phone::new("ada")).await;
    let (seats, scope, owner) = (Seats::new(4).unwrap(), Scope::Link, Secret([7; 32]));
    let member = MemberId([1; 16]);
    let open = OpenRoom { room, member, owner, relay: RelayRule::Required, seats, scope, keep: None };
    ada.ask(Request::OpenRoom(open)).await.unwrap();
    let mut members = Vec::new();
    for number in [2, 3] {
        let (mut bob, _) = Wired::connect(server.addr, Phone::new("bob")).await;
        let member = MemberId([number; 16]);
        bob.ask(Request::EnterRoom(EnterRoom { room, member })).await.unwrap();
        let Ok(Reply::Relays(relays)) = bob.ask(Request::RoomRelays(Room { room })).await else { panic!("refused") };
        let turned = off(move || {
            let mut turned = Turned::over(Line::tcp(relay), relay, &relays.username, &relays.password);
            turned.allocate().unwrap();
            turned
        })
        .await;
        members.push((bob, turned));
    }
    ada.ask(Request::Kick(Seat { room, member: MemberId([2; 16]) })).await.unwrap();
    off(move || {
        let [(_, mut kicked), (_, mut stays)] = members.try_into().ok().unwrap();
        kicked.hung_up();
        talks_on(&mut stays);
    })
    .await;
    server.stop().await;
}
