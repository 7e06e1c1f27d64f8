//! Relays that are reached over TCP and TLS, where UDP does not pass.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sidetone_wire::turn::{Messages, put};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A relay behind a listener for TCP or TLS: an address of its own towards the relay for every connection.
struct Front {
    port: u16,
    root: Vec<u8>,
    /// Told of each connection that ended, and whether its last word gave the allocation back.
    ended: mpsc::UnboundedReceiver<bool>,
}

async fn front(transport: Transport, manner: Manner) -> Front {
    let relay = relay::relay_at(LOOPBACK, manner).await;
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let root = made.cert.der().to_vec();
    let acceptor = (transport == Transport::Tls).then(|| acceptor(made.cert.der(), made.signing_key.serialize_der()));
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, ended) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            tokio::spawn(async move {
                let goodbye = match acceptor {
                    None => pass(stream, relay).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => pass(stream, relay).await,
                        Err(_) => false,
                    },
                };
                let _ = tell.send(goodbye);
            });
        }
    });
    Front { port, root, ended }
}

fn acceptor(certificate: &CertificateDer<'static>, key: Vec<u8>) -> TlsAcceptor {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::try_from(key).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"stun.turn".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Passes messages on until the connection ends; whether the last one gave the allocation back.
async fn pass(stream: impl AsyncRead + AsyncWrite, relay: SocketAddr) -> bool {
    let socket = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let (mut reading, mut writing) = split(stream);
    let (mut messages, mut buffer, mut goodbye) = (Messages::new(&[]), [0; 4096], false);
    loop {
        while let Some(message) = messages.take().unwrap() {
            goodbye =
                message.starts_with(&[0, 4]) && message.windows(8).any(|part| part == [0, 0x0d, 0, 4, 0, 0, 0, 0]);
            socket.send_to(message, relay).await.unwrap();
        }
        tokio::select! {
            read = reading.read(messages.room()) => match read {
                Ok(count) if count > 0 => messages.read(count),
                _ => return goodbye,
            },
            Ok((length, _)) = socket.recv_from(&mut buffer) => {
                let mut bytes = Vec::new();
                put(&mut bytes, &buffer[..length]);
                if writing.write_all(&bytes).await.is_err() {
                    return goodbye;
                }
            }
        }
    }
}

fn through(front: &Front, transport: Transport) -> IceServer {
    let (username, password) = ("user".into(), "password".into());
    IceServer::Turn { host: LOOPBACK.to_string(), port: front.port, transport, username, password }
}

fn hidden(role: Role, servers: Vec<IceServer>, trust: Trust) -> Settings {
    Settings { policy: RoutePolicy::RelayOnly, servers, trust, ..settings(role) }
}

#[tokio::test]
async fn where_udp_does_not_pass_a_link_goes_over_tcp_or_tls_and_says_so() {
    // It takes what is sent to it, and says nothing.
    let silent = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut fronts = [front(transport, Manner::Willing).await, front(transport, Manner::Willing).await];
        let end = |front: &Front, role| {
            let servers = vec![relay::turn(silent.local_addr().unwrap()), through(front, transport)];
            open(hidden(role, servers, Trust::new(std::slice::from_ref(&front.root)).unwrap()), 64)
        };
        let (mut a, mut b) = (end(&fronts[0], Role::Offer).await, end(&fronts[1], Role::Answer).await);
        for (route, _) in guard(30, connect(&mut a, &mut b)).await {
            assert!(matches!(route, Route::Relayed { by: RelayedBy::Both, protocol, .. } if protocol == transport));
        }
        for (seed, size) in [0, 1, 1200, 64 * 1024, RECORD_BYTES].into_iter().enumerate() {
            a.link.send(patterned(size, seed)).unwrap();
            assert!(guard(30, record(&mut b)).await == patterned(size, seed), "{size} bytes");
            b.link.send(patterned(size, seed + 9)).unwrap();
            assert!(guard(30, record(&mut a)).await == patterned(size, seed + 9), "{size} bytes");
        }
        let (from, to) = (a.link.media(), b.link.media());
        let speak = async {
            for number in 0.. {
                from.send_audio(number, 0, false, Bytes::from_static(b"relayed"));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = speak => unreachable!(),
            heard = guard(20, to.audio()) => assert_eq!(heard.payload, &b"relayed"[..]),
        }
        guard(10, a.link.close()).await;
        assert_eq!(guard(10, fronts[0].ended.recv()).await, Some(true), "the allocation was given back");
        drop(b);
    }
}

#[tokio::test]
async fn a_relay_whose_certificate_nobody_vouches_for_is_not_used() {
    let front = front(Transport::Tls, Manner::Willing).await;
    let offered = async |trust| {
        let mut end = open(hidden(Role::Offer, vec![through(&front, Transport::Tls)], trust), 64).await;
        guard(20, gathered(&mut end)).await.len()
    };
    assert_eq!(offered(Trust::default()).await, 0);
    assert_eq!(offered(Trust::new(std::slice::from_ref(&front.root)).unwrap()).await, 1, "the control");
}

#[tokio::test]
async fn a_relay_over_tcp_that_refuses_or_is_not_there_is_given_up_at_once() {
    let unwilling = front(Transport::Tcp, Manner::Unwilling).await;
    let mut end = open(hidden(Role::Offer, vec![through(&unwilling, Transport::Tcp)], Trust::default()), 64).await;
    assert_eq!(guard(20, gathered(&mut end)).await, vec![]);
    let port = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap().port();
    let nobody = Front { port, ..unwilling };
    let mut end = open(hidden(Role::Offer, vec![through(&nobody, Transport::Tcp)], Trust::default()), 64).await;
    assert_eq!(guard(20, gathered(&mut end)).await, vec![]);
}

#[tokio::test]
async fn what_a_hostile_relay_says_over_tcp_harms_no_link() {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let speak = tokio::spawn(async move {
        let mut heard = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            heard += stream.read(&mut [0; 2048]).await.unwrap();
            // Channel data of nobody, a success that nobody asked for, an indication with nonsense, and then no message.
            for nonsense in [&[0x40, 0, 0, 4, 1, 2, 3, 4][..], &[1, 3, 0, 0], &[0x21, 0x12, 0xa4, 0x42], &[7; 12]] {
                let _ = stream.write_all(nonsense).await;
            }
            let _ = stream.write_all(&[0, 0x17, 0, 4, 0x21, 0x12, 0xa4, 0x42, 9, 9, 9, 9]).await;
            let _ = stream.write_all(&[0xff; 9_000]).await;
            if heard > 0 {
                return;
            }
        }
    });
    let (username, password) = ("user".into(), "password".into());
    let hostile = IceServer::Turn { host: LOOPBACK.to_string(), port, transport: Transport::Tcp, username, password };
    let mut a = open(Settings { servers: vec![hostile], ..settings(Role::Offer) }, 64).await;
    let mut b = open(settings(Role::Answer), 64).await;
    guard(20, speak).await.unwrap();
    guard(20, connect(&mut a, &mut b)).await;
    a.link.send(b"unharmed".to_vec()).unwrap();
    assert_eq!(guard(20, record(&mut b)).await, b"unharmed");
}
