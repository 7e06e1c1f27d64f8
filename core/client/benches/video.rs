//! What it costs to send pictures of the size that 720p has, thirty a second, on one thread: ours, sealed and paced, beside the
//! bare path of the WebRTC library under it, which packs H.264 into RTP and knows neither.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::media::Sample;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rustix::time::{ClockId, clock_gettime};
use sidetone::link::{Bind, Link, News, Role, RoutePolicy, Settings, Trust, Watch};
use sidetone_crypto::sframe::{BaseKey, Sealer};
use sidetone_media::video::{Codec, Info, Kind, Pushed, Rotation, Track};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_sample::TrackLocalStaticSample;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder, SrtpProtectionProfile,
};
use webrtc::runtime::TokioRuntime;

/// 2.2 Mbit/s: a key frame each second, and 29 others.
const KEY_BYTES: usize = 45_000;
const DELTA_BYTES: usize = 8_000;
/// Frames in all, of which the first are until the path is known.
const FRAMES: u32 = 600;
const FIRST: u32 = 150;
const PACE: Duration = Duration::from_micros(33_333);
const SSRC: u32 = 7;
const H264: u8 = 102;

/// A frame as H.264 has it: a start code, then bytes that hold no other.
fn frame(number: u32) -> Bytes {
    let (length, kind) = if number.is_multiple_of(30) { (KEY_BYTES, 0x65) } else { (DELTA_BYTES, 0x41) };
    let mut bytes = vec![0, 0, 0, 1, kind];
    bytes.extend((bytes.len()..length).map(|place| (place as u32 ^ number) as u8 | 1));
    bytes.into()
}

/// Seconds of processor time that this thread took so far.
fn thread_s() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn on_a_thread<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work())
    })
}

/// Sends at the pace of a camera; gives the processor time of this thread, per frame, in microseconds.
async fn at_pace(mut send: impl AsyncFnMut(u32, Bytes)) -> f64 {
    let mut pace = tokio::time::interval(PACE);
    let mut began = 0.0;
    for number in 0..FRAMES {
        pace.tick().await;
        if number == FIRST {
            began = thread_s();
        }
        send(number, frame(number)).await;
    }
    (thread_s() - began) * 1e6 / f64::from(FRAMES - FIRST)
}

enum Told {
    News(Box<News>),
    Over,
}

/// One end of our link, told of the other's news.
async fn link(role: Role, mut from: mpsc::UnboundedReceiver<Told>, to: mpsc::UnboundedSender<Told>) -> f64 {
    let (tell, mut news) = mpsc::channel(64);
    let bind = Bind::Only(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let settings = Settings {
        role,
        servers: vec![],
        policy: RoutePolicy::Any,
        bind,
        watch: Watch::Close,
        trust: Trust::default(),
    };
    let link = Link::open(settings, tell).await.unwrap();
    let mut up = false;
    while !up {
        tokio::select! {
            Some(news) = news.recv() => match news {
                News::Up { .. } => up = true,
                News::Down(reason) => panic!("{reason:?}"),
                other => drop(to.send(Told::News(Box::new(other)))),
            },
            Some(told) = from.recv() => carry(told, &link),
        }
    }
    let port = link.video();
    if role == Role::Answer {
        let taking = async {
            loop {
                port.news().await;
                while port.take().is_some() {}
            }
        };
        let over = async { while !matches!(from.recv().await, Some(Told::Over) | None) {} };
        tokio::select! { () = taking => {}, () = over => {} }
        return 0.0;
    }
    port.set_active(Track::Camera, true);
    let mut sealer = Sealer::new(&BaseKey::from_seed([1; 32]), 1, 1);
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    let mut dropped = 0;
    let used = at_pace(async |number, frame| {
        let kind = if number.is_multiple_of(30) { Kind::Key } else { Kind::Delta };
        let (codec, rotation, captured_us) = (Codec::H264, Rotation::None, u64::from(number) * 33_333);
        let info =
            Info { codec, kind, rotation, layer: 0, width: 1_280, height: 720, captured_us, sound: Some(number) };
        plain.clear();
        info.write(&mut plain);
        plain.extend_from_slice(&frame);
        sealer.seal(&plain, &mut sealed).unwrap();
        let became = port.push(Track::Camera, kind, number * 3_000, &std::mem::take(&mut sealed).into());
        dropped += u32::from(became == Pushed::Dropped && number >= FIRST);
    })
    .await;
    let sent = port.stats(Track::Camera).sent;
    println!("ours sent {} of {FRAMES} frames in {} packets", sent.frames, sent.packets + sent.repeats);
    assert_eq!(dropped, 0, "what was measured is not what was to be sent");
    let _ = to.send(Told::Over);
    used
}

fn carry(told: Told, link: &Link) {
    match told {
        Told::News(news) => match *news {
            News::Local(description) => link.accept(description).unwrap(),
            News::Candidate(candidate) => link.add_candidate(candidate).unwrap(),
            _ => {}
        },
        Told::Over => {}
    }
}

fn ours() -> f64 {
    let ((to_b, from_a), (to_a, from_b)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let b = on_a_thread(move || link(Role::Answer, from_a, to_a));
    let a = on_a_thread(move || link(Role::Offer, from_b, to_b));
    let used = a.join().unwrap();
    b.join().unwrap();
    used
}

enum Fact {
    Gathered,
    Connected,
    Track(Arc<dyn TrackRemote>),
}

struct Handler(mpsc::UnboundedSender<Fact>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.0.send(Fact::Gathered);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.0.send(Fact::Connected);
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.0.send(Fact::Track(track));
    }
}

fn codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "video/H264".into(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".into(),
        rtcp_feedback: vec![],
    }
}

/// One end of a bare connection; descriptions go through the channels.
async fn bare_end(sends: bool, mut from: mpsc::UnboundedReceiver<String>, to: mpsc::UnboundedSender<String>) -> f64 {
    let (tell, mut facts) = mpsc::unbounded_channel();
    let mut codecs = MediaEngine::default();
    codecs
        .register_codec(RTCRtpCodecParameters { rtp_codec: codec(), payload_type: H264 }, RtpCodecKind::Video)
        .unwrap();
    // The same cipher as ours.
    let engine = SettingEngineBuilder::new()
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm])
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_runtime(Arc::new(TokioRuntime))
        .with_setting_engine(engine)
        .with_media_engine(codecs)
        .with_interceptor_registry(Registry::new())
        .with_handler(Arc::new(Handler(tell)))
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
        .build()
        .await
        .unwrap();
    let coding = RTCRtpCodingParameters { ssrc: Some(SSRC), ..Default::default() };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec: codec(), ..Default::default() };
    let stream =
        MediaStreamTrack::new("bare".into(), "bare".into(), "bare".into(), RtpCodecKind::Video, vec![encoding]);
    let track = Arc::new(TrackLocalStaticSample::new(Instant::now(), stream).unwrap());
    async fn until(facts: &mut mpsc::UnboundedReceiver<Fact>, is: impl Fn(&Fact) -> bool) -> Fact {
        loop {
            let fact = facts.recv().await.unwrap();
            if is(&fact) {
                return fact;
            }
        }
    }
    if sends {
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.unwrap();
        let offer = connection.create_offer(None).await.unwrap();
        connection.set_local_description(offer).await.unwrap();
        until(&mut facts, |fact| matches!(fact, Fact::Gathered)).await;
        to.send(connection.local_description().await.unwrap().sdp).unwrap();
        let answer = RTCSessionDescription::answer(from.recv().await.unwrap()).unwrap();
        connection.set_remote_description(answer).await.unwrap();
        until(&mut facts, |fact| matches!(fact, Fact::Connected)).await;
        let used = at_pace(async |_, data| {
            let (timestamp, duration) = (Instant::now(), PACE);
            let sample = Sample {
                data,
                timestamp,
                duration,
                packet_timestamp: 0,
                prev_dropped_packets: 0,
                prev_padding_packets: 0,
            };
            track.write_sample(SSRC, H264, &sample, &[]).await.unwrap();
        })
        .await;
        drop(to);
        return used;
    }
    let offer = RTCSessionDescription::offer(from.recv().await.unwrap()).unwrap();
    connection.set_remote_description(offer).await.unwrap();
    let answer = connection.create_answer(None).await.unwrap();
    connection.set_local_description(answer).await.unwrap();
    until(&mut facts, |fact| matches!(fact, Fact::Gathered)).await;
    to.send(connection.local_description().await.unwrap().sdp).unwrap();
    let Fact::Track(track) = until(&mut facts, |fact| matches!(fact, Fact::Track(_))).await else { unreachable!() };
    let over = async { while from.recv().await.is_some() {} };
    tokio::select! { () = async { while track.poll().await.is_some() {} } => {}, () = over => {} }
    0.0
}

fn bare() -> f64 {
    let ((to_b, from_a), (to_a, from_b)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let b = on_a_thread(move || bare_end(false, from_a, to_a));
    let a = on_a_thread(move || bare_end(true, from_b, to_b));
    let used = a.join().unwrap();
    b.join().unwrap();
    used
}

fn main() {
    // One after the other, twice, so that neither is always the one that warms up.
    let runs: Vec<(f64, f64)> = (0..2).map(|_| (bare(), ours())).collect();
    let (bare, ours) = runs.iter().fold((f64::MAX, f64::MAX), |best, run| (best.0.min(run.0), best.1.min(run.1)));
    println!("bare RTP of the library    {bare:8.1} us of CPU a frame, sending end");
    println!("sealed, paced, repeatable  {ours:8.1} us of CPU a frame, {:.2}x (bar 1.5)", ours / bare);
}
