//! Push to talk: what is heard of a burst from before the press to after the release.
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use sidetone_media::{
    BurstId, Bursts, Capture, LEAD_SAMPLES, Level, Listening, MIXED, Mixer, PRE_ROLL_SAMPLES, Playout, PreRoll,
    Settings, Speaker,
};
use world::{packets_of, voice};

const MS: usize = 48;

/// Silence with a voice from one moment on.
fn speaks_from(start_ms: usize, total_ms: usize) -> Vec<i16> {
    let mut pcm = vec![0; start_ms * MS];
    pcm.extend(&voice((total_ms - start_ms) as f64 / 1_000.0)[..(total_ms - start_ms) * MS]);
    pcm
}

/// What a burst begins with when the press comes at one moment and may go out at another.
fn begun(pcm: &[i16], press_ms: usize, leave_ms: usize) -> Vec<i16> {
    let mut past = PreRoll::new();
    pcm[..press_ms * MS].chunks(441).for_each(|block| past.push(block));
    past.press();
    pcm[press_ms * MS..leave_ms * MS].chunks(441).for_each(|block| past.push(block));
    let mut begun = Vec::new();
    past.give(&mut |part| begun.extend_from_slice(part));
    begun
}

#[test]
fn who_spoke_before_the_press_is_heard_from_the_first_syllable() {
    for spoke_before in [20, 100, 180, 230] {
        let pcm = speaks_from(1_000 - spoke_before, 2_000);
        let burst = begun(&pcm, 1_000, 1_000);
        assert!(burst.len() <= PRE_ROLL_SAMPLES, "{spoke_before} ms before: {} samples", burst.len());
        assert!(burst.len() >= spoke_before * MS, "{spoke_before} ms before: {} samples", burst.len());
        assert_eq!(burst, pcm[48_000 - burst.len()..48_000], "as it was said");
    }
}

#[test]
fn who_presses_first_is_not_made_late_by_silence() {
    assert_eq!(begun(&speaks_from(1_500, 2_000), 1_000, 1_000).len(), LEAD_SAMPLES);
    assert_eq!(begun(&speaks_from(0, 2_000)[..30 * MS], 30, 30).len(), 30 * MS, "before that there was no microphone");
}

#[test]
fn a_press_that_waits_for_leave_to_speak_loses_nothing() {
    for waits in [5, 200, 900] {
        let pcm = speaks_from(900, 3_000);
        let burst = begun(&pcm, 1_000, 1_000 + waits);
        assert!(burst.len() >= (100 + waits) * MS, "{waits} ms: {} samples", burst.len());
        assert_eq!(burst, pcm[(1_000 + waits) * MS - burst.len()..(1_000 + waits) * MS]);
    }
    let long = begun(&speaks_from(0, 9_000), 1_000, 9_000);
    assert_eq!(long.len(), PRE_ROLL_SAMPLES + 48_000, "what waits is bounded");
}

#[test]
fn what_went_out_once_does_not_go_out_again() {
    let pcm = speaks_from(0, 1_000);
    let mut past = PreRoll::new();
    past.push(&pcm);
    past.press();
    past.press();
    past.give(&mut |_| {});
    let mut again = 0;
    past.give(&mut |part| again += part.len());
    assert_eq!(again, 0);
    past.push(&pcm[..480]);
    past.press();
    past.release();
    past.push(&pcm[480..960]);
    past.clear();
    past.give(&mut |part| again += part.len());
    assert_eq!(again, 0, "what was forgotten does not come back");
}

/// A burst over a network of equal delay: how long from the press to the first sound at the ear, in milliseconds without
/// the network's part, everything heard, and the delay at the end.
struct Heard {
    first_ms: usize,
    sound: Vec<i16>,
    delay_ms: u32,
    lost: u64,
}

fn burst(playout: &mut Playout, at_ms: u64, first_sequence: u16, spoke_before: usize) -> Heard {
    let pcm = speaks_from(1_000 - spoke_before, 4_000);
    let start = begun(&pcm, 1_000, 1_000);
    let mut capture = Capture::new(Settings::default()).unwrap();
    capture.begin_burst();
    playout.begin_burst();
    let (mut sequence, mut now_us) = (first_sequence, at_ms * 1_000);
    let mut heard = Vec::new();
    let mut out = [0; 480];
    let mut take = |playout: &mut Playout, capture: &mut Capture, now_us: u64, block: &[i16]| {
        capture.push(block, &mut |frame| {
            playout.insert(now_us, sequence, frame.timestamp, frame.bytes);
            sequence = sequence.wrapping_add(1);
        });
    };
    take(playout, &mut capture, now_us, &start);
    for block in pcm[48_000..].chunks(480) {
        playout.pull(now_us, &mut out);
        heard.extend(out);
        now_us += 10_000;
        take(playout, &mut capture, now_us, block);
    }
    let first = heard.iter().position(|sample| sample.abs() > 300).unwrap();
    let stats = playout.stats();
    Heard { first_ms: first / MS, sound: heard, delay_ms: stats.delay_ms, lost: stats.lost + stats.late }
}

#[test]
fn a_burst_is_heard_at_once_and_catches_up_with_itself() {
    for spoke_before in [60, 150, 240] {
        let heard = burst(&mut Playout::new().unwrap(), 5_000, 77, spoke_before);
        assert!(heard.first_ms <= 30, "spoke {spoke_before} ms before the press, heard {} ms after", heard.first_ms);
        assert_eq!(heard.lost, 0);
        assert!(heard.delay_ms <= 45, "three seconds later the lag is made up: {} ms", heard.delay_ms);
        let energy = |sound: &[i16]| sound.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
        let (begun, said) = (energy(&heard.sound[..200 * MS]), energy(&voice(0.2)));
        assert!(begun > said / 2.0, "the beginning is played, not passed over: {begun:e} of {said:e}");
    }
}

#[test]
fn every_burst_begins_anew_whatever_its_numbers() {
    let mut playout = Playout::new().unwrap();
    for (at_ms, sequence) in [(5_000, 60_000), (9_500, 3), (14_000, 2)] {
        let heard = burst(&mut playout, at_ms, sequence, 100);
        assert!(heard.first_ms <= 30, "{} ms", heard.first_ms);
        assert_eq!(heard.lost, 0);
    }
}

#[test]
fn the_end_of_a_burst_is_not_kept_back() {
    let mut capture = Capture::new(Settings::default()).unwrap();
    let mut frames = 0;
    capture.push(&voice(1.0)[..1_000], &mut |_| frames += 1);
    assert_eq!(frames, 1);
    capture.flush(&mut |frame| {
        assert_eq!(frame.timestamp, 960);
        frames += 1;
    });
    capture.flush(&mut |_| frames += 1);
    assert_eq!(frames, 2, "once");
}

fn loudness(sound: &[i16]) -> u8 {
    Level::of(sound).minus_dbov()
}

#[test]
fn who_is_not_listened_to_is_not_played_and_may_be_a_moment_later() {
    let packets = packets_of(&voice(3.0), 0.0, sidetone_media::Silence::Sent, (1, 1));
    let mut mixer = Mixer::new();
    [1, 2].into_iter().for_each(|speaker| mixer.join(Speaker(speaker)).unwrap());
    let play = |mixer: &mut Mixer, range: std::ops::Range<usize>| {
        let mut sound = Vec::new();
        let mut out = [0; 480];
        for (i, packet) in packets[range.clone()].iter().enumerate() {
            let now = (range.start + i) as u64 * 20_000;
            mixer.insert(now, Speaker(1), packet.sequence, packet.timestamp, &packet.bytes);
            for half in 0..2 {
                mixer.pull(now + half * 10_000, &mut out);
                sound.extend(out);
            }
        }
        sound
    };
    mixer.listen(Listening::Only(Speaker(2)));
    mixer.begin_burst(Speaker(1));
    assert_eq!(loudness(&play(&mut mixer, 0..5)), 127);
    mixer.listen(Listening::Only(Speaker(1)));
    let sound = play(&mut mixer, 5..100);
    assert!(loudness(&sound[..100 * MS]) < 40, "what came before is played too");
    mixer.listen(Listening::Nobody);
    assert_eq!(loudness(&play(&mut mixer, 100..150)), 127);
}

#[test]
fn of_many_who_speak_the_eight_loudest_are_mixed() {
    let packets = packets_of(&voice(4.0), 0.0, sidetone_media::Silence::Sent, (1, 1));
    let mut mixer = Mixer::new();
    let speakers: Vec<Speaker> = (0..12).map(Speaker).collect();
    speakers.iter().for_each(|&speaker| mixer.join(speaker).unwrap());
    let mut out = [0; 480];
    for (i, packet) in packets.iter().enumerate() {
        let now = i as u64 * 20_000;
        for speaker in &speakers {
            // Halfway the quiet become the loud.
            let turned = if i < 100 { speaker.0 } else { 11 - speaker.0 };
            mixer.tell(now, *speaker, Level::new(20 + 5 * turned as u8));
            mixer.insert(now, *speaker, packet.sequence, packet.timestamp, &packet.bytes);
        }
        mixer.pull(now, &mut out);
        mixer.pull(now + 10_000, &mut out);
        if i == 99 || i == 199 {
            let played: Vec<u64> =
                mixer.heard().filter(|heard| heard.level.minus_dbov() < 60).map(|heard| heard.speaker.0).collect();
            assert_eq!(played.len(), MIXED, "{played:?}");
            assert!(played.contains(&if i == 99 { 0 } else { 11 }), "{played:?}");
        }
    }
}

#[test]
fn a_missed_burst_can_be_heard_once_more_and_no_other() {
    let pcm = voice(2.0);
    let packets = packets_of(&pcm, 0.0, sidetone_media::Silence::Sent, (1, u32::MAX - 5_000));
    let (ours, other) = (BurstId { speaker: 1, burst: 7 }, BurstId { speaker: 1, burst: 8 });
    let mut bursts = Bursts::new();
    for packet in &packets {
        bursts.keep(ours, packet.timestamp, &packet.bytes);
        bursts.keep(BurstId { speaker: 2, burst: 7 }, packet.timestamp, &packet.bytes[..2]);
    }
    assert!(bursts.has(ours) && !bursts.has(other));
    assert!(bursts.play(other).unwrap().is_none());
    let mut replay = bursts.play(ours).unwrap().unwrap();
    let (mut sound, mut out) = (Vec::new(), [0; 480]);
    while replay.pull(&mut out) {
        sound.extend(out);
    }
    let seconds = sound.len() as f64 / 48_000.0;
    assert!((2.0..2.6).contains(&seconds), "{seconds} s");
    assert!(loudness(&sound).abs_diff(loudness(&pcm)) <= 3, "{} and {}", loudness(&sound), loudness(&pcm));
    bursts.forget(1);
    assert!(!bursts.has(ours) && bursts.has(BurstId { speaker: 2, burst: 7 }));
    bursts.clear();
    assert!(!bursts.has(BurstId { speaker: 2, burst: 7 }));
}

#[test]
fn missed_bursts_take_no_more_memory_however_long_they_are() {
    let mut bursts = Bursts::new();
    for burst in 0..100 {
        for packet in 0..500 {
            bursts.keep(BurstId { speaker: 1, burst }, packet * 960, &[9; 700]);
        }
        bursts.keep(BurstId { speaker: 1, burst }, 0, &[9; 5_000]);
    }
    let kept: Vec<u32> = (0..100).filter(|&burst| bursts.has(BurstId { speaker: 1, burst })).collect();
    assert_eq!(kept, [99], "the newest stays");
    for packet in 0..40_000 {
        bursts.keep(BurstId { speaker: 1, burst: 200 }, packet * 960, &[9; 3]);
    }
    assert!(!bursts.has(BurstId { speaker: 1, burst: 99 }));
    let mut replay = bursts.play(BurstId { speaker: 1, burst: 200 }).unwrap().unwrap();
    let (mut pulls, mut out) = (0, [0; 480]);
    while replay.pull(&mut out) {
        pulls += 1;
    }
    assert!(pulls <= 3_100, "30 s at most: {pulls} pulls");
}
