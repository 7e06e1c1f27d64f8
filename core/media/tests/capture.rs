//! What a speaker may rely on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use sidetone_media::{Capture, Frame, MediaError, Muted, Rate, Settings, Silence};
use world::voice;

type Sent = Vec<(Vec<u8>, u32, u8, bool)>;

fn push(capture: &mut Capture, pcm: &[i16], block: usize) -> Sent {
    let mut sent = Vec::new();
    for block in pcm.chunks(block) {
        capture.push(block, &mut |frame| {
            sent.push((frame.bytes.to_vec(), frame.timestamp, frame.level.minus_dbov(), frame.speaking));
        });
    }
    sent
}

fn never_resting() -> Capture {
    Capture::new(Settings { silence: Silence::Sent, ..Settings::default() }).unwrap()
}

#[test]
fn any_block_length_gives_the_same_frames() {
    let pcm = voice(2.0);
    let by_20_ms = push(&mut never_resting(), &pcm, 960);
    assert_eq!(by_20_ms.len(), 100);
    for block in [1, 480, 441, 960 * 3 + 1, 96_000] {
        assert_eq!(push(&mut never_resting(), &pcm, block), by_20_ms, "blocks of {block}");
    }
}

#[test]
fn mute_lets_nothing_of_the_microphone_out() {
    for silence in [Silence::Sent, Silence::Rests] {
        let muted_over = |overheard: &[i16]| {
            let mut capture = Capture::new(Settings { silence, ..Settings::default() }).unwrap();
            let mut sent = push(&mut capture, &voice(1.0), 960);
            // A secret begins inside a frame that is already half full.
            capture.push(&overheard[..500], &mut |_| panic!("the frame is not full"));
            capture.set_muted(Muted::Yes);
            sent.extend(push(&mut capture, &overheard[500..], 480));
            assert!(!capture.speaking());
            sent
        };
        let secret = muted_over(&voice(2.0));
        let nothing = muted_over(&vec![0; 96_000]);
        assert_eq!(secret, nothing, "{silence:?}");
        assert!(secret[50..].iter().all(|&(_, _, level, speaking)| level == 127 && !speaking));
    }
}

#[test]
fn a_muted_phone_rests_and_an_opened_one_is_heard_again() {
    let mut capture = Capture::new(Settings::default()).unwrap();
    capture.set_muted(Muted::Yes);
    let muted = push(&mut capture, &voice(4.0), 960);
    assert!(muted.len() < 60, "{} of 200 frames left", muted.len());
    capture.set_muted(Muted::No);
    let open = push(&mut capture, &voice(1.0), 960);
    assert_eq!(open.len(), 50);
    assert_eq!(open[0].1, 4 * 48_000);
    assert!(open[10..].iter().all(|&(_, _, level, speaking)| level < 40 && speaking));
}

#[test]
fn levels_and_speech_travel_with_the_frames() {
    let sine: Vec<i16> = (0..48_000).map(|i| (3_276.7 * (f64::from(i) * 0.13).sin()) as i16).collect();
    let sent = push(&mut never_resting(), &sine, 960);
    assert!(sent[1..].iter().all(|&(_, _, level, _)| level == 23));
    assert!(sent[5].3);
    let quiet = push(&mut never_resting(), &[0; 48_000], 960);
    assert!(quiet.iter().all(|&(_, _, level, speaking)| level == 127 && !speaking));
}

#[test]
fn the_ladder_makes_longer_frames_of_fewer_bits() {
    let pcm = voice(3.0);
    let bytes = |rate| {
        let mut capture = Capture::new(Settings { rate, silence: Silence::Sent, ..Settings::default() }).unwrap();
        let sent = push(&mut capture, &pcm, 960);
        assert!(sent.windows(2).all(|pair| pair[1].1 - pair[0].1 == rate.frame.samples() as u32));
        sent.iter().map(|(bytes, ..)| bytes.len()).sum::<usize>()
    };
    let (full, low, least) = (bytes(Rate::FULL), bytes(Rate::LOW), bytes(Rate::LEAST));
    assert!((7_000..11_000).contains(&full) && (4_000..7_500).contains(&low) && least < 3_500, "{full} {low} {least}");
}

#[test]
fn a_new_rate_begins_with_the_next_frame_and_no_sample_is_lost() {
    let mut capture = never_resting();
    let mut sent = push(&mut capture, &voice(0.03), 480);
    capture.set_rate(Rate::LOW).unwrap();
    sent.extend(push(&mut capture, &voice(0.09), 480));
    let times: Vec<u32> = sent.iter().map(|frame| frame.1).collect();
    assert_eq!(times, [0, 960, 1_920, 3_840]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let rate = |bitrate_bps| Rate { bitrate_bps, frame: Frame::Ms20 };
    let start = |rate, complexity| Capture::new(Settings { rate, complexity, ..Settings::default() }).err();
    assert_eq!(start(rate(5_999), 9), Some(MediaError::Settings));
    assert_eq!(start(rate(128_001), 9), Some(MediaError::Settings));
    assert_eq!(start(Rate::FULL, 11), Some(MediaError::Settings));
    let mut capture = never_resting();
    assert_eq!(capture.set_rate(rate(1)), Err(MediaError::Settings));
    assert_eq!(capture.rate(), Rate::FULL);
    capture.report_loss(f32::NAN);
    capture.report_loss(f32::INFINITY);
    capture.report_loss(-1.0);
}
