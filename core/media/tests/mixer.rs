//! Many voices on one loudspeaker.
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use sidetone_media::{Level, MediaError, Mixer, Playout, Silence, Speaker};
use world::{packets_of, voice};

/// Everybody says their own sound at once; what comes out, and who was active at each pull.
fn mix(sounds: &[Vec<i16>]) -> (Mixer, Vec<i16>, Vec<Option<Speaker>>) {
    let mut mixer = Mixer::new();
    let streams: Vec<_> = sounds.iter().map(|pcm| packets_of(pcm, 0.0, Silence::Sent, (0, 0))).collect();
    (0..sounds.len() as u64).for_each(|n| mixer.join(Speaker(n)).unwrap());
    let (mut heard, mut active, mut block) = (Vec::new(), Vec::new(), [0; 480]);
    for i in 0..streams[0].len() {
        let now = i as u64 * 20_000;
        for (n, packets) in streams.iter().enumerate() {
            let packet = &packets[i];
            mixer.insert(now, Speaker(n as u64), packet.sequence, packet.timestamp, &packet.bytes).unwrap();
        }
        for now in [now, now + 10_000] {
            mixer.pull(now, &mut block);
            heard.extend_from_slice(&block);
            active.push(mixer.active());
        }
    }
    (mixer, heard, active)
}

fn louder(pcm: &[i16], factor: f64) -> Vec<i16> {
    pcm.iter().map(|&s| (f64::from(s) * factor).clamp(-32_768.0, 32_767.0) as i16).collect()
}

#[test]
fn one_voice_alone_passes_unaltered() {
    let pcm = voice(2.0);
    let (_, mixed, _) = mix(std::slice::from_ref(&pcm));
    let mut playout = Playout::new().unwrap();
    let (mut alone, mut block) = (Vec::new(), [0; 480]);
    for (i, packet) in packets_of(&pcm, 0.0, Silence::Sent, (0, 0)).iter().enumerate() {
        let now = i as u64 * 20_000;
        playout.insert(now, packet.sequence, packet.timestamp, &packet.bytes);
        for now in [now, now + 10_000] {
            playout.pull(now, &mut block);
            alone.extend_from_slice(&block);
        }
    }
    assert!(mixed == alone);
}

#[test]
fn many_loud_voices_are_turned_down_and_do_not_clip() {
    let loud = louder(&voice(2.0), 2.0);
    let (mixer, mixed, _) = mix(&vec![loud; 8]);
    let clipped = mixed[24_000..].iter().filter(|s| s.unsigned_abs() >= 32_767).count();
    assert!(clipped < 50, "{clipped} samples of {}", mixed.len());
    assert!(Level::of(&mixed[24_000..]) < Level::new(20));
    assert_eq!(mixer.heard().count(), 8);
    assert!(mixer.heard().all(|heard| heard.speaking));
}

#[test]
fn the_loudest_speaker_is_the_active_one_and_keeps_the_title_against_equals() {
    let pcm = voice(6.0);
    let quiet = louder(&pcm, 0.25);
    let turn_at = 3 * 48_000;
    let first = [&pcm[..turn_at], &quiet[turn_at..]].concat();
    let second = [&quiet[..turn_at], &pcm[turn_at..]].concat();
    let (_, _, active) = mix(&[first, second, quiet]);
    assert!(active[100..290].iter().all(|&speaker| speaker == Some(Speaker(0))));
    assert!(active[400..590].iter().all(|&speaker| speaker == Some(Speaker(1))));
    let changes = active.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 3, "{changes} changes");
}

#[test]
fn nobody_is_active_in_silence() {
    let (_, heard, active) = mix(&[vec![0; 48_000], vec![0; 48_000]]);
    assert!(active.iter().all(Option::is_none));
    assert!(heard.iter().all(|s| s.unsigned_abs() < 20));
}

#[test]
fn a_seventeenth_speaker_waits_until_another_leaves() {
    let mut mixer = Mixer::new();
    (0..16).for_each(|n| mixer.join(Speaker(n)).unwrap());
    assert_eq!(mixer.join(Speaker(16)), Err(MediaError::Full));
    assert_eq!(mixer.join(Speaker(3)), Ok(()));
    mixer.leave(Speaker(3));
    mixer.leave(Speaker(99));
    assert_eq!(mixer.join(Speaker(16)), Ok(()));
    assert_eq!(mixer.insert(0, Speaker(3), 0, 0, &[0, 0]), None);
    assert_eq!(mixer.stats(Speaker(3)), None);
}
