//! Pictures between two real phones and the real server, on loopback.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proving::guests;
use proving::real::{Card, Duo, until};
use sidetone::{
    CallId, CallState, Codec, Consent, Content, Event, FrameError, FrameKind, Pushed, Rotation, Shows, Source,
    Stranger, VideoError, VideoEvent, VideoFrame, Wants,
};
use sidetone_server::{Config as ServerConfig, Server};

const PATIENCE: Duration = Duration::from_secs(30);
const BOTH: Shows = Shows { camera: true, screen: Some(Content::Text) };

fn frame(source: Source, number: u64, length: usize) -> VideoFrame {
    let kind = if number.is_multiple_of(30) { FrameKind::Key } else { FrameKind::Delta };
    let bytes = (0..length as u64).map(|place| (place.wrapping_mul(31) ^ number) as u8).collect();
    let (codec, rotation) = match source {
        Source::Camera => (Codec::H264, Rotation::Quarter),
        Source::Screen => (Codec::Av1, Rotation::None),
    };
    let captured_us = 7_000_000 + number * 33_333;
    VideoFrame { source, codec, kind, rotation, layer: 3, width: 1_280, height: 720, captured_us, bytes }
}

/// Pushes frames of both sources at their pace and takes what comes at the other end, until `enough` of each came.
async fn pass(duo: &Duo, from: usize, lengths: &[usize], enough: usize) -> BTreeMap<(bool, u64), VideoFrame> {
    let (sender, receiver) = (duo.phones[from].video(), duo.phones[1 - from].video());
    let mut came = BTreeMap::new();
    let mut pace = tokio::time::interval(Duration::from_micros(33_333));
    let mut number = 0;
    let passing = async {
        loop {
            tokio::select! {
                _ = pace.tick() => {
                    for source in Source::ALL {
                        let length = lengths[number as usize % lengths.len()];
                        sender.push(&frame(source, number, length)).expect("it is shown");
                    }
                    number += 1;
                }
                frame = receiver.next() => {
                    let place = (frame.source == Source::Screen, frame.captured_us);
                    let newest = came.keys().rfind(|(is, _)| *is == place.0);
                    assert!(newest.is_none_or(|newest| *newest < place), "{place:?} after {newest:?}");
                    came.insert(place, frame);
                }
            }
            let count = |screen| came.keys().filter(|(is, _)| *is == screen).count();
            if count(false) >= enough && count(true) >= enough {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, passing).await.expect("pictures come");
    came
}

async fn told(duo: &Duo, phone: usize, what: &str, so: impl Fn(&Event) -> bool) {
    let telling = async {
        loop {
            let event = duo.phones[phone].next_event().await.unwrap_or_else(|| panic!("closed before {what}"));
            if so(&event) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, telling).await.unwrap_or_else(|_| panic!("{what} never came"));
}

async fn shows(duo: &Duo, call: CallId) {
    duo.phones[0].show(call, BOTH).await.expect("the call is on");
    until(&duo.phones[1], "the other side's pictures", || async {
        let calls = duo.phones[1].calls().await.expect("open");
        calls.into_iter().find(|view| view.their_shows == BOTH)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn camera_and_screen_arrive_bit_for_bit_and_in_order() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let call = duo.talk().await;
    shows(&duo, call).await;
    let lengths = [1, 700, 1_159, 1_160, 1_161, 4_000, 9_000];
    let came = pass(&duo, 0, &lengths, 60).await;
    for ((screen, captured_us), seen) in &came {
        let source = if *screen { Source::Screen } else { Source::Camera };
        let number = (captured_us - 7_000_000) / 33_333;
        assert_eq!(*seen, frame(source, number, lengths[number as usize % lengths.len()]));
    }
    let stats = duo.phones[1].video().stats(Source::Camera).expect("a call is on");
    assert!(stats.received.frames >= 60, "{stats:?}");
    duo.hang_up(call).await;
    assert_eq!(duo.phones[0].video().push(&frame(Source::Camera, 0, 9)), Err(VideoError::NoCall));
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_a_megabyte_arrives_whole() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let call = duo.talk().await;
    shows(&duo, call).await;
    let video = duo.phones[0].video();
    let large = frame(Source::Screen, 0, 1 << 20);
    assert_eq!(video.push(&large), Ok(Pushed::Queued));
    let seen = tokio::time::timeout(PATIENCE, duo.phones[1].video().next()).await.expect("it comes");
    assert!(seen == large, "it came otherwise than it went");
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_encoder_must_not_push_is_refused_and_the_track_goes_on() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let video = duo.phones[0].video();
    assert_eq!(video.push(&frame(Source::Camera, 0, 9)), Err(VideoError::NoCall));
    let call = duo.talk().await;
    assert_eq!(video.push(&frame(Source::Camera, 0, 9)), Err(VideoError::NotShown));
    shows(&duo, call).await;
    assert_eq!(video.push(&frame(Source::Camera, 1, 9)), Err(VideoError::Frame(FrameError::NeedsKey)));
    assert_eq!(video.push(&frame(Source::Camera, 0, 0)), Err(VideoError::Frame(FrameError::Empty)));
    assert_eq!(video.push(&frame(Source::Camera, 0, (1 << 20) + 1)), Err(VideoError::Frame(FrameError::TooLarge)));
    assert_eq!(video.push(&frame(Source::Camera, 0, 9)), Ok(Pushed::Queued));
    let other = VideoFrame { codec: Codec::Vp8, ..frame(Source::Camera, 1, 9) };
    assert_eq!(video.push(&other), Err(VideoError::Frame(FrameError::Codec)));
    assert_eq!(video.push(&frame(Source::Camera, 1, 9)), Ok(Pushed::Queued));
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_encoder_is_told_its_rate_and_that_a_viewer_needs_a_key_frame() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let call = duo.talk().await;
    shows(&duo, call).await;
    told(&duo, 0, "a rate", |event| matches!(event, Event::Video(_, VideoEvent::Bitrate(Source::Camera, 50_000..))))
        .await;
    // More than the path bears is dropped, and a key frame is wanted; nobody is told twice in 300 ms.
    let video = duo.phones[0].video();
    let dropped = (0..500).filter(|number| video.push(&frame(Source::Camera, *number, 60_000)) == Ok(Pushed::Dropped));
    assert!(dropped.count() > 400, "a queue without end");
    let wanted = |event: &Event| *event == Event::Video(call, VideoEvent::KeyframeWanted(Source::Camera));
    told(&duo, 0, "a wish for a key frame", wanted).await;
    duo.phones[1].want(call, Wants { camera: 180, screen: 0 }).await.expect("the call is on");
    until(&duo.phones[0], "what they want", || async {
        let calls = duo.phones[0].calls().await.expect("open");
        calls.into_iter().find(|view| view.their_wants == Wants { camera: 180, screen: 0 })
    })
    .await;
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_shown_with_their_sound() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let _cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    let call = duo.talk().await;
    shows(&duo, call).await;
    duo.hears(1, 50).await;
    // That a picture is shown within milliseconds of its sound, virtual time shows. Here the clocks are real, and a busy
    // machine is late with anything; but the sound that belongs to a picture was captured when the picture was, so it is
    // played a jitter buffer later, and no picture is shown before it.
    let video = duo.phones[1].video();
    let origin_us = sidetone::clock::micros();
    let mut pace = tokio::time::interval(Duration::from_micros(33_333));
    let (mut number, mut last, mut middle) = (0, VecDeque::new(), None);
    let showing = async {
        while middle.is_none_or(|(sound_us, behind_us): (i64, i64)| {
            !(-20_000..600_000).contains(&sound_us) || behind_us < -45_000
        }) {
            tokio::select! {
                _ = pace.tick() => {
                    let captured_us = sidetone::clock::micros() - origin_us;
                    let pushed = VideoFrame { captured_us, ..frame(Source::Camera, number, 5_000) };
                    number += 1;
                    duo.phones[0].video().push(&pushed).expect("it is shown");
                }
                seen = video.next() => {
                    let Some(behind_us) = video.behind_us(Source::Camera) else { continue };
                    let age_us = (sidetone::clock::micros() - origin_us - seen.captured_us).cast_signed();
                    last.push_back((age_us - behind_us, behind_us));
                    if last.len() > 30 {
                        last.pop_front();
                        let mut sounds: Vec<i64> = last.iter().map(|(sound_us, _)| *sound_us).collect();
                        let mut behind: Vec<i64> = last.iter().map(|(_, behind_us)| *behind_us).collect();
                        sounds.sort_unstable();
                        behind.sort_unstable();
                        middle = Some((sounds[15], behind[15]));
                    }
                }
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, showing).await;
    assert!(in_time.is_ok(), "sound after and behind it by {middle:?} us");
    eprintln!("sound is played after, and pictures are shown behind it by: {middle:?} us");
    duo.part().await;
}

/// Two who do not know each other, in a call, see each other too: through the relay, and on when the link goes directly.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_each_other_too_through_a_relay_and_directly() {
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let server = Server::start(ServerConfig::in_memory()).await.expect("loopback has free ports");
    let phones = [guests::open(server.addr, ip).await, guests::open(server.addr, ip).await];
    let (id, _) = tokio::join!(guests::meet(&phones[0], "ada"), guests::meet(&phones[1], "bob"));
    let call = phones[0].strangers().call(id).await.expect("they are linked");
    guests::with(&phones[1], "a ringing call", |one| one.call.is_some()).await;
    phones[1].strangers().answer(call).await.expect("it rings");
    let on = |one: &Stranger| one.call.as_ref().is_some_and(|call| call.state == CallState::Connected);
    for phone in &phones {
        guests::with(phone, "a call", on).await;
    }
    phones[0].show(call, Shows { camera: true, screen: None }).await.expect("the call is on");
    guests::with(&phones[1], "the other side's pictures", |one| {
        one.call.as_ref().is_some_and(|call| call.their_shows.camera)
    })
    .await;
    let mut number = 0;
    for route in ["relayed", "direct"] {
        let (sender, receiver) = (phones[0].video(), phones[1].video());
        let mut pace = tokio::time::interval(Duration::from_micros(33_333));
        let mut seen = 0;
        let passing = async {
            while seen < 20 {
                tokio::select! {
                    _ = pace.tick() => {
                        match sender.push(&frame(Source::Camera, number, 3_000)) {
                            Err(VideoError::Frame(FrameError::NeedsKey)) => number = number.next_multiple_of(30),
                            pushed => {
                                pushed.expect("it is shown");
                                number += 1;
                            }
                        }
                    }
                    came = receiver.next() => {
                        let which = (came.captured_us - 7_000_000) / 33_333;
                        assert_eq!(came, frame(Source::Camera, which, 3_000));
                        seen += 1;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, passing).await.unwrap_or_else(|_| panic!("no pictures, {route}"));
        if route == "relayed" {
            for phone in &phones {
                phone.strangers().set_direct(id, Consent::Yes).await.expect("it is wanted");
            }
            tokio::join!(guests::direct(&phones[0]), guests::direct(&phones[1]));
        }
    }
    // Hidden again, nothing goes out.
    phones[0].show(call, Shows::default()).await.expect("the call is on");
    assert_eq!(phones[0].video().push(&frame(Source::Camera, 0, 9)), Err(VideoError::NotShown));
    phones[0].strangers().end().await.expect("it ends");
    assert_eq!(phones[0].video().push(&frame(Source::Camera, 0, 9)), Err(VideoError::NoCall));
    for phone in &phones {
        phone.close().await;
    }
    server.stop().await;
}
