//! Phones that sleep are woken, by a push service of our own on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Phone;
use common::wired::Wired;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey as Point, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::pki_types::PrivateKeyDer;
use sidetone_server::turn::PeerRange;
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::push::{Push, PushAddress, WebPush};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// One request to the push service: its first line and headers, and its body.
struct Asked {
    head: String,
    body: Vec<u8>,
    /// Whether it says who asks as RFC 8292 wants it.
    vouched: bool,
}

/// Whether a request says who asks, to this service and for no longer than a day, signed by the key it shows.
fn is_vouched(head: &str, here: &str) -> bool {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let vouches = || {
        let line = head.lines().find_map(|line| line.strip_prefix("authorization: vapid t="))?;
        let (token, key) = line.split_once(", k=")?;
        let (signed, signature) = token.rsplit_once('.')?;
        let known = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key)?);
        known.verify(signed.as_bytes(), &decode(signature)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&decode(signed.split_once('.')?.1)?).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let lasts = claims["exp"].as_u64()?.checked_sub(now)?;
        let said = claims["aud"] == here && claims["sub"] == "mailto:operator@example.org";
        (said && lasts <= 86_400).then_some(())
    };
    vouches().is_some()
}

/// A push service that answers every request with a status.
struct Service {
    addr: SocketAddr,
    root: Vec<u8>,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Service {
    async fn start(status: &'static str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
                let asked = loop {
                    let count = stream.read(&mut buffer).await.unwrap();
                    read.extend_from_slice(&buffer[..count]);
                    let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
                    let raw = String::from_utf8(read[..end].to_vec()).unwrap();
                    let head = raw.to_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if read.len() >= end + 4 + length.parse::<usize>().unwrap() {
                        let vouched = is_vouched(&raw, &format!("https://localhost:{}", addr.port()));
                        break Asked { head, body: read[end + 4..].to_vec(), vouched };
                    }
                };
                let status = if asked.vouched { status } else { "403 Forbidden" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                let _ = tell.send(asked);
            }
        });
        Self { addr, root: made.cert.der().to_vec(), asked }
    }

    fn config(&self) -> Config {
        let mut push = PushConfig::new("mailto:operator@example.org".into());
        push.roots.push(self.root.clone());
        push.test_hosts.push(PeerRange::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8));
        Config { push: Some(push), ..Config::in_memory() }
    }

    fn address(&self, key: &[u8]) -> PushAddress {
        let endpoint = format!("https://localhost:{}/wake/7", self.addr.port());
        PushAddress::Web(WebPush { endpoint, key: key.to_vec().into(), auth: vec![9; 16].into() })
    }
}

/// Two friends, one of whom has said where it is woken, and is gone.
async fn friends(server: &Running, address: Option<PushAddress>) -> (Wired, Envelope) {
    let mut ada = Wired::registered(server.addr, "ada").await;
    let mut bob = Wired::registered(server.addr, "bob").await;
    ada.ask(Request::Befriend(Name { name: "bob".into() })).await.unwrap();
    bob.ask(Request::Accept(User { user: ada.phone.user() })).await.unwrap();
    bob.ask(Request::SetPush(Push { address })).await.unwrap();
    let to = bob.phone.user();
    bob.leave().await;
    loop {
        let event = ada.event().await;
        if matches!(event, sidetone_wire::frame::Event::Presence(presence) if !presence.online) {
            break;
        }
    }
    (ada, Envelope { to, class: Class::Ring, bytes: vec![7; 256].into() })
}

async fn rings(ada: &mut Wired, envelope: &Envelope) -> Refusal {
    ada.answered(Request::Route(envelope.clone())).await.unwrap_err()
}

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(prk: &Prk, info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    prk.expand(info, Len(N)).unwrap().fill(&mut out).unwrap();
    out
}

/// What a phone makes of a message (RFC 8291 section 3).
fn opened(own: EphemeralPrivateKey, public: &[u8], body: &[u8]) -> Vec<u8> {
    let (salt, theirs, record) = (&body[..16], &body[21..86], &body[86..]);
    let input = agree_ephemeral(own, &Point::new(&ECDH_P256, theirs), |shared| {
        let prk = Salt::new(HKDF_SHA256, &[9; 16]).extract(shared);
        expand::<32>(&prk, &[b"WebPush: info\0", public, theirs])
    })
    .unwrap();
    let prk = Salt::new(HKDF_SHA256, salt).extract(&input);
    let key = LessSafeKey::new(
        UnboundKey::new(&AES_128_GCM, &expand::<16>(&prk, &[b"Content-Encoding: aes128gcm\0"])).unwrap(),
    );
    let nonce = Nonce::assume_unique_for_key(expand(&prk, &[b"Content-Encoding: nonce\0"]));
    let mut record = record.to_vec();
    key.open_in_place(nonce, Aad::empty(), &mut record).unwrap().to_vec()
}

#[tokio::test]
async fn a_phone_that_sleeps_is_woken_by_a_call_once_and_learns_nothing_from_it() {
    let mut service = Service::start("201 Created").await;
    let server = Server::start(service.config()).await.unwrap();
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &ring::rand::SystemRandom::new()).unwrap();
    let public = own.compute_public_key().unwrap().as_ref().to_vec();
    let (mut ada, envelope) = friends(&server, Some(service.address(&public))).await;
    let quiet = Envelope { class: Class::Control, ..envelope.clone() };
    assert_eq!(rings(&mut ada, &quiet).await, Refusal { code: Code::Offline, retry_ms: 0 }, "not for every word");
    for _ in 0..3 {
        let refusal = rings(&mut ada, &envelope).await;
        assert!(refusal.code == Code::Offline && refusal.retry_ms > 0, "{refusal:?}: it is being woken");
    }
    let asked = service.asked.recv().await.unwrap();
    assert!(asked.head.starts_with("post /wake/7 http/1.1"), "{}", asked.head);
    for line in ["ttl: 45", "urgency: high", "topic: call", "content-encoding: aes128gcm"] {
        assert!(asked.head.contains(line), "{line}: {}", asked.head);
    }
    assert!(asked.vouched, "{}", asked.head);
    assert!(!is_vouched(&asked.head, "https://localhost"), "the control: a token in small letters is none");
    assert_eq!(opened(own, &public, &asked.body), [0, 2], "one byte that means nothing, and its end");
    let Ok(Reply::PushKey(known)) = ada.ask(Request::PushKey(Empty::default())).await else { panic!("no key") };
    let shown = URL_SAFE_NO_PAD.encode(&known.key).to_lowercase();
    assert!(asked.head.contains(&format!("k={shown}")), "phones subscribe to this key");
    server.stop().await;
    assert!(service.asked.try_recv().is_err(), "three calls in ten seconds wake once");
}

#[tokio::test]
async fn a_push_service_that_knows_nobody_any_more_is_not_asked_again() {
    let mut service = Service::start("410 Gone").await;
    let server = Server::start(service.config()).await.unwrap();
    let mut key = [4; 65];
    key[1..].copy_from_slice(&generator());
    let (mut ada, envelope) = friends(&server, Some(service.address(&key))).await;
    assert!(rings(&mut ada, &envelope).await.retry_ms > 0);
    service.asked.recv().await.unwrap();
    while rings(&mut ada, &envelope).await.retry_ms > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    server.stop().await;
}

/// A point of P-256: its generator (SEC 2).
fn generator() -> [u8; 64] {
    hex::decode(concat!(
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ))
    .unwrap()
    .try_into()
    .unwrap()
}

#[tokio::test]
async fn no_phone_makes_the_server_knock_at_its_neighbours() {
    let mut service = Service::start("201 Created").await;
    let mut config = service.config();
    config.push.as_mut().unwrap().test_hosts.clear();
    let server = Server::start(config).await.unwrap();
    let mut key = [4; 65];
    key[1..].copy_from_slice(&generator());
    let (mut ada, envelope) = friends(&server, Some(service.address(&key))).await;
    assert!(rings(&mut ada, &envelope).await.retry_ms > 0);
    server.stop().await;
    assert!(service.asked.try_recv().is_err(), "loopback is no push service");
    // And what is no address is not kept.
    let server = Server::start(service.config()).await.unwrap();
    let mut eve = Wired::registered(server.addr, "eve").await;
    let good = service.address(&key);
    let PushAddress::Web(web) = good.clone() else { unreachable!() };
    let plain = PushAddress::Web(WebPush { endpoint: "http://push.example".into(), ..web.clone() });
    let short = PushAddress::Web(WebPush { key: vec![4; 64].into(), ..web.clone() });
    let user = PushAddress::Web(WebPush { endpoint: "https://user@push.example".into(), ..web.clone() });
    let long = PushAddress::Web(WebPush { endpoint: format!("https://{}", "a".repeat(2_000)), ..web });
    for address in [plain, user, short, long] {
        let refused = eve.ask(Request::SetPush(Push { address: Some(address) })).await;
        assert_eq!(refused.unwrap_err(), Code::Malformed);
    }
    eve.ask(Request::SetPush(Push { address: Some(good) })).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_wakes_nobody_says_so() {
    let server = Server::start(Config::in_memory()).await.unwrap();
    let mut ada = Wired::registered(server.addr, "ada").await;
    assert_eq!(ada.ask(Request::PushKey(Empty::default())).await.unwrap_err(), Code::UnknownKind);
    let (mut ben, _) = Wired::connect(server.addr, Phone::new("ben")).await;
    let refused = ben.ask(Request::SetPush(Push { address: None })).await;
    assert_eq!(refused.unwrap_err(), Code::Unauthorised, "only accounts are called");
    server.stop().await;
}
