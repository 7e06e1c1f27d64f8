//! A link and a browser: Chromium, which has not heard of us, and speaks what we say we speak.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proving::coturn::{Coturn, Papers, SECRET};
use serde_json::{Value, json};
use sidetone::link::description::Kind;
use sidetone::link::{
    Bind, IceServer, Link, MediaPort, News, RECORD_BYTES, Role, Route, RoutePolicy, Settings, Transport, Trust, Watch,
};
use tokio::sync::mpsc;

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/sdp.rs"]
mod sdp;

use chromium::{Browser, soon};

const SCRIPT: &str = include_str!("browser/page.js");
/// The numbers of a link's sound, by which end it is of.
const OFFERED: u32 = 0x5344_0001;
const ANSWERED: u32 = 0x5344_0002;
/// What the link hums, and what the browser does.
const OURS_HZ: f64 = 440.0;
const THEIRS_HZ: f64 = 1_000.0;
/// Samples of 20 ms.
const FRAME: usize = 960;

/// A link and a browser.
struct Pair {
    link: Link,
    news: mpsc::Receiver<News>,
    browser: Browser,
    _dir: tempfile::TempDir,
}

/// How both go.
struct Way {
    servers: Vec<IceServer>,
    policy: RoutePolicy,
    /// For the browser.
    ice: Value,
}

impl Way {
    fn direct() -> Self {
        Self { servers: Vec::new(), policy: RoutePolicy::Any, ice: json!([]) }
    }

    /// Both through a coturn, with credentials as our server mints them.
    fn through(coturn: &Coturn) -> Self {
        let until_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
        let username = format!("{until_s}:interop");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
        let password = STANDARD.encode(ring::hmac::sign(&key, username.as_bytes()));
        let plain = coturn.doors.plain;
        let ice =
            json!([{ "urls": format!("turn:{plain}?transport=tcp"), "username": username, "credential": password }]);
        let (host, port, transport) = (plain.ip().to_string(), plain.port(), Transport::Udp);
        let servers = vec![IceServer::Turn { host, port, transport, username, password }];
        Self { servers, policy: RoutePolicy::RelayOnly, ice }
    }
}

impl Pair {
    /// Makes a link with this role to a browser with the other, by telling each what the other says.
    async fn connect(role: Role, way: Way) -> (Self, Route) {
        let dir = tempfile::tempdir().unwrap();
        let mut browser = Browser::open(dir.path(), SCRIPT).await;
        let (tell, mut news) = mpsc::channel(64);
        let bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
        let (servers, policy, trust) = (way.servers, way.policy, Trust::default());
        let link =
            Link::open(Settings { role, servers, policy, bind, watch: Watch::Close, trust }, tell).await.unwrap();
        let (mut local, mut ours) = (None, Vec::new());
        let gather = async {
            loop {
                match news.recv().await.unwrap() {
                    News::Local(description) => local = Some(description),
                    News::Candidate(candidate) => ours.push(candidate),
                    News::Gathered => return,
                    other => panic!("{other:?}"),
                }
            }
        };
        soon("the link's addresses", gather).await;
        let local = local.unwrap();
        let theirs = match role {
            Role::Answer => {
                let offer = browser.tell("offer", &[THEIRS_HZ.into(), way.ice, OFFERED.into()]).await;
                let answer = sdp::write(&local, sdp::Half::Answer, ANSWERED);
                browser.tell("accept", &[answer.into()]).await;
                offer
            }
            Role::Offer => {
                let offer = sdp::write(&local, sdp::Half::Offer, OFFERED);
                browser.tell("answer", &[THEIRS_HZ.into(), way.ice, ANSWERED.into(), offer.into()]).await
            }
        };
        link.accept(sdp::read(theirs.as_str().unwrap())).unwrap();
        for candidate in &ours {
            browser.tell("add", &[sdp::candidate(candidate).into()]).await;
        }
        let theirs = browser.tell("gather", &[]).await;
        let theirs = theirs.as_array().unwrap().iter().filter_map(|line| sdp::parse(line.as_str().unwrap()));
        let theirs: Vec<_> = theirs.filter(|one| one.address().is_ipv4()).collect();
        assert!(!theirs.is_empty() && !ours.is_empty());
        if policy == RoutePolicy::RelayOnly {
            assert!(theirs.iter().chain(&ours).all(|one| one.kind() == Kind::Relay));
        }
        theirs.into_iter().for_each(|candidate| link.add_candidate(candidate).unwrap());
        browser.tell("opened", &[]).await;
        match role {
            // The answering end says that it is ready, and the other waits for it.
            Role::Offer => drop(browser.tell("say", &["ready".into()]).await),
            Role::Answer => drop(browser.tell("greeted", &[]).await),
        }
        let up = async {
            loop {
                if let News::Up { route, .. } = news.recv().await.unwrap() {
                    return route;
                }
            }
        };
        let route = soon("the link", up).await;
        (Self { link, news, browser, _dir: dir }, route)
    }

    /// Records and sound, both ways.
    async fn talk(&mut self) {
        for length in [1, 1_200, 8_191, RECORD_BYTES] {
            let record: Vec<u8> = (0..length).map(|place| (place * 31) as u8).collect();
            self.link.send(record.clone()).unwrap();
            let heard = self.browser.tell("record", &[]).await;
            assert_eq!(STANDARD.decode(heard.as_str().unwrap()).unwrap(), record);
            self.browser.tell("send", &[STANDARD.encode(&record).into()]).await;
            assert_eq!(self.record().await, record);
        }
        let media = self.link.media();
        let humming = tokio::spawn(hum(media.clone()));
        let heard = self.browser.tell("hear", &[]).await.as_f64().unwrap();
        humming.abort();
        assert!((heard - OURS_HZ).abs() < 30.0, "the browser hears {heard} Hz");
        let heard = soon("the browser's tone", listen(&media)).await;
        assert!((heard - THEIRS_HZ).abs() < 30.0, "we hear {heard} Hz");
    }

    async fn record(&mut self) -> Vec<u8> {
        let record = async {
            loop {
                if let News::Record(record) = self.news.recv().await.unwrap() {
                    return record;
                }
            }
        };
        soon("a record", record).await
    }
}

/// Sends a tone in Opus.
async fn hum(media: MediaPort) {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    for number in 0_u32.. {
        let sample =
            |n: usize| (((number as usize * FRAME + n) as f64 / 48_000.0) * OURS_HZ * std::f64::consts::TAU).sin();
        let samples: Vec<i16> = (0..FRAME).map(|n| (sample(n) * 12_000.0) as i16).collect();
        let payload = Bytes::from(encoder.encode_vec(&samples, 400).unwrap());
        media.send_audio(number as u16, number * FRAME as u32, number == 0, payload);
        beat.tick().await;
    }
}

/// Decodes what comes, until half a second of it is loud, and counts its waves.
async fn listen(media: &MediaPort) -> f64 {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut loud = Vec::new();
    while loud.len() < 24_000 {
        let packet = media.audio().await;
        let mut samples = vec![0; 5_760];
        let count = decoder.decode(&packet.payload, &mut samples, false).unwrap();
        samples.truncate(count);
        if samples.iter().any(|sample: &i16| sample.unsigned_abs() > 1_000) {
            loud.extend(samples);
        }
    }
    let rising = loud.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    rising as f64 / (loud.len() as f64 / 48_000.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_and_a_link_talk_whoever_offers() {
    for role in [Role::Offer, Role::Answer] {
        let (mut pair, route) = Pair::connect(role, Way::direct()).await;
        assert!(matches!(route, Route::Direct { .. }), "{role:?} {route:?}");
        pair.talk().await;
        pair.link.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_and_a_link_talk_through_coturn() {
    let papers = Papers::new();
    let Some(coturn) = Coturn::start(&papers) else { return };
    let (mut pair, route) = Pair::connect(Role::Answer, Way::through(&coturn)).await;
    assert!(matches!(route, Route::Relayed { .. }), "{route:?}");
    assert_eq!(pair.browser.tell("path", &[]).await, json!(["relay", "relay"]));
    pair.talk().await;
    pair.link.close().await;
}
