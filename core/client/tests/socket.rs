//! What the socket promises, against a real websocket server on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use sidetone::socket::backoff::{Backoff, LEAST, MOST};
use sidetone::socket::{FRAMES, Pace, Plain, Server, Socket, SocketCounts, SocketNews, reach};
use sidetone_wire::account::{Code, Empty, Refusal};
use sidetone_wire::frame::{Announcement, Event, Frame, Told};
use sidetone_wire::id::Seq;
use sidetone_wire::limits::FRAME_BYTES;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(20);

struct Phone {
    socket: Socket,
    news: mpsc::Receiver<SocketNews>,
    counts: Arc<SocketCounts>,
}

impl Phone {
    fn start(server: Server) -> Self {
        Self::with(server, Pace { probe: Duration::from_millis(200), ..Pace::default() })
    }

    fn with(server: Server, pace: Pace) -> Self {
        let (sender, news) = mpsc::channel(8);
        let counts = Arc::<SocketCounts>::default();
        let socket = Socket::start(server, pace, [5; 32], Arc::clone(&counts), sender);
        Self { socket, news, counts }
    }

    async fn next(&mut self) -> SocketNews {
        timeout(PATIENCE, self.news.recv()).await.expect("news in time").expect("the socket lives")
    }

    async fn opened(&mut self) -> mpsc::Sender<Frame> {
        match self.next().await {
            SocketNews::Open(frames) => frames,
            other => panic!("{other:?}"),
        }
    }
}

async fn listen() -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::parse(&format!("ws://{}", listener.local_addr().unwrap()), Plain::LoopbackOnly, &[]).unwrap();
    (listener, server)
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (tcp, _) = timeout(PATIENCE, listener.accept()).await.expect("a connection in time").unwrap();
    greet(tcp).await
}

/// Completes the websocket handshake and checks where the phone wants to go.
#[allow(clippy::result_large_err, reason = "the library's signature")]
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocketStream<S> {
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    let check = |request: &Request, response: Response| {
        assert_eq!(request.uri().path(), "/v1/socket");
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async(stream, check).await.unwrap()
}

async fn frame<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Option<Frame> {
    match timeout(PATIENCE, socket.next()).await.expect("a frame in time") {
        Some(Ok(Message::Binary(bytes))) => Some(Frame::from_bytes(&bytes).unwrap()),
        _ => None,
    }
}

fn word(text: &str) -> Frame {
    Frame::Event(Told { seq: Seq(1), event: Event::Announcement(Announcement { text: text.into() }) })
}

fn bytes(frame: &Frame) -> Message {
    Message::binary(frame.to_bytes().unwrap())
}

fn ping() -> Frame {
    Frame::Ping(Empty::default())
}

#[test]
fn the_same_seed_waits_the_same_and_no_wait_is_too_long() {
    let waits = |seed| {
        let mut backoff = Backoff::new([seed; 32]);
        (0..40).map(|_| backoff.next_wait()).collect::<Vec<_>>()
    };
    assert_eq!(waits(1), waits(1));
    assert_ne!(waits(1), waits(2));
    for seed in 0..50 {
        for (failures, wait) in waits(seed).into_iter().enumerate() {
            assert!(wait <= MOST.min(LEAST * 2_u32.saturating_pow(failures as u32)), "{failures}: {wait:?}");
        }
    }
    let late: Vec<_> = (0..200).map(|seed| waits(seed)[20]).collect();
    let early = late.iter().filter(|wait| **wait < MOST / 2).count();
    assert!((60..140).contains(&early), "waits are spread over the whole bound, {early} of 200 in its first half");

    let mut backoff = Backoff::new([3; 32]);
    (0..20).for_each(|_| assert!(backoff.next_wait() <= MOST));
    backoff.reset();
    assert!(backoff.next_wait() <= LEAST, "after a good time the waits begin anew");
    for _ in 0..20 {
        let wait = backoff.wait_at_least(Duration::from_secs(40));
        assert!((40..=60).contains(&wait.as_secs()), "{wait:?}");
    }
}

#[tokio::test]
async fn frames_pass_both_ways_and_are_counted() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    let mut there = accept(&listener).await;
    let frames = phone.opened().await;
    frames.send(word("up")).await.unwrap();
    assert_eq!(frame(&mut there).await, Some(word("up")));
    there.send(bytes(&word("down"))).await.unwrap();
    there.send(Message::binary(vec![0xff; 9])).await.unwrap();
    there.send(Message::text("hello")).await.unwrap();
    there.send(bytes(&Frame::Pong(Empty::default()))).await.unwrap();
    there.send(bytes(&word("again"))).await.unwrap();
    for expected in ["down", "again"] {
        assert!(matches!(phone.next().await, SocketNews::Frame(frame) if frame == word(expected)));
    }
    assert_eq!(phone.counts.malformed.load(Relaxed), 1);
    let (sent, received) = phone.counts.traffic.total();
    assert!(sent > 150 && received > 150, "{sent} {received}");
    phone.socket.close().await;
    assert!(frame(&mut there).await.is_none(), "closing tells the server");
}

#[tokio::test]
async fn a_lost_socket_is_opened_again() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    for _ in 0..3 {
        let there = accept(&listener).await;
        let frames = phone.opened().await;
        drop(there);
        assert!(matches!(phone.next().await, SocketNews::Closed));
        assert!(frames.is_closed(), "nothing for the old socket gets into the new one");
    }
    assert_eq!(phone.counts.opened.load(Relaxed), 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_found_when_it_comes() {
    let (listener, server) = listen().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut phone = Phone::start(server);
    let listener = TcpListener::bind(address).await.unwrap();
    let _there = accept(&listener).await;
    let _frames = phone.opened().await;
}

#[tokio::test]
async fn a_changed_network_ends_the_wait_and_tests_an_open_socket() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    let mut there = accept(&listener).await;
    let _frames = phone.opened().await;
    // The server asks for five minutes, which nobody here waits for.
    let refusal = Refusal { code: Code::Closed, retry_ms: 300_000 };
    there.send(bytes(&Frame::Goaway(refusal))).await.unwrap();
    drop(there);
    let last = phone.next().await;
    assert!(matches!(&last, SocketNews::Frame(Frame::Goaway(told)) if *told == refusal), "{last:?}");
    assert!(matches!(phone.next().await, SocketNews::Closed));
    phone.socket.nudge();
    let mut there = accept(&listener).await;
    let frames = phone.opened().await;
    frames.send(word("hello")).await.unwrap();
    assert_eq!(frame(&mut there).await, Some(word("hello")));
    phone.socket.nudge();
    assert_eq!(frame(&mut there).await, Some(ping()), "an open socket is asked whether it lives");
    assert!(matches!(phone.next().await, SocketNews::Closed), "and given up when it does not answer");
}

#[tokio::test]
async fn a_network_that_changes_while_the_phone_connects_is_gone_out_by_at_once() {
    let (listener, server) = listen().await;
    let phone = Phone::start(server);
    // As in a network that is gone: nothing more comes on it.
    let _silent = timeout(PATIENCE, listener.accept()).await.expect("a connection in time").unwrap();
    phone.socket.enter(vec!["127.0.0.1".parse().unwrap()]);
    let _there = accept(&listener).await;
    assert_ne!(phone.counts.reach.load(Relaxed), reach::UNREACHABLE, "the first was waited for");
}

#[tokio::test]
async fn a_socket_of_the_network_before_is_made_anew_once() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    let mut there = accept(&listener).await;
    let _frames = phone.opened().await;
    let elsewhere = vec!["192.0.2.1".parse().unwrap()];
    phone.socket.enter(elsewhere.clone());
    assert_eq!(frame(&mut there).await, None, "it is left without a question");
    let mut there = accept(&listener).await;
    assert!(matches!(phone.next().await, SocketNews::Closed));
    let frames = phone.opened().await;
    frames.send(word("hello")).await.unwrap();
    assert_eq!(frame(&mut there).await, Some(word("hello")));
    phone.socket.enter(elsewhere);
    assert_eq!(
        frame(&mut there).await,
        Some(ping()),
        "the same network again, or one that has the address, is no other"
    );
    there.send(bytes(&Frame::Pong(Empty::default()))).await.unwrap();
    phone.socket.enter(vec!["127.0.0.1".parse().unwrap()]);
    assert_eq!(frame(&mut there).await, Some(ping()));
}

#[tokio::test]
async fn a_network_that_changes_once_more_does_not_speak_before_the_greeting() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    let mut there = accept(&listener).await;
    let frames = phone.opened().await;
    phone.socket.nudge();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    frames.send(word("hello")).await.unwrap();
    assert_eq!(frame(&mut there).await, Some(word("hello")));
    phone.socket.nudge();
    assert_eq!(frame(&mut there).await, Some(ping()), "the control: after it, it asks");
}

#[tokio::test]
async fn a_quiet_socket_is_asked_and_a_silent_one_given_up() {
    let (listener, server) = listen().await;
    let (rest, silence) = (Duration::from_millis(100), Duration::from_millis(1_050));
    let mut phone = Phone::with(server, Pace { rest, silence, ..Pace::default() });
    let mut there = accept(&listener).await;
    let _frames = phone.opened().await;
    // Answered, it lives for longer than the silence that is allowed.
    let born = Instant::now();
    while born.elapsed() < silence * 2 {
        assert_eq!(frame(&mut there).await, Some(ping()));
        there.send(bytes(&Frame::Pong(Empty::default()))).await.unwrap();
    }
    let mute = Instant::now();
    while frame(&mut there).await == Some(ping()) {}
    assert!(matches!(phone.next().await, SocketNews::Closed));
    assert!(mute.elapsed() >= silence - rest, "it was given its time: {:?}", mute.elapsed());
}

#[tokio::test]
async fn a_frame_too_long_ends_the_socket_and_not_the_phone() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    let mut there = accept(&listener).await;
    let _frames = phone.opened().await;
    let _ = there.send(Message::binary(vec![0; FRAME_BYTES + 1])).await;
    assert!(matches!(phone.next().await, SocketNews::Closed));
    let _again = accept(&listener).await;
    let _frames = phone.opened().await;
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_noticed_by_a_full_queue() {
    let (listener, server) = listen().await;
    let mut phone = Phone::start(server);
    let there = accept(&listener).await;
    let frames = phone.opened().await;
    let long = word(&"x".repeat(30_000));
    let full = timeout(PATIENCE, async {
        loop {
            if frames.try_send(long.clone()).is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    });
    full.await.expect("the queue is bounded");
    assert_eq!(frames.capacity(), 0);
    assert_eq!(frames.max_capacity(), FRAMES);
    drop((frames, there));
    assert!(matches!(phone.next().await, SocketNews::Closed));
}

#[tokio::test]
async fn a_server_of_ones_own_is_trusted_by_its_certificate_and_no_other() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (root, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![root.clone()], rustls::pki_types::PrivateKeyDer::Pkcs8(key.into()))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());

    let stranger = Phone::start(Server::parse(&url, Plain::LoopbackOnly, &[]).unwrap());
    let (tcp, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(tcp).await.is_err(), "an unknown certificate is refused");
    stranger.socket.close().await;

    let mut phone = Phone::start(Server::parse(&url, Plain::LoopbackOnly, &[root.to_vec()]).unwrap());
    let mut there = loop {
        // The stranger may have knocked once more.
        let (tcp, _) = listener.accept().await.unwrap();
        if let Ok(stream) = acceptor.accept(tcp).await {
            break greet(stream).await;
        }
    };
    phone.opened().await.send(word("sealed")).await.unwrap();
    assert_eq!(frame(&mut there).await, Some(word("sealed")));
}
