//! Voice notes, read back by a reader of Ogg and a decoder that share nothing with the writer but the format.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::io::Cursor;

use ogg::PacketReader;
use opus::{Channels, Decoder};
use sidetone_media::{NOTE_POINTS, Note, NoteRecorder};

fn spoken(ms: usize) -> Vec<i16> {
    // Loud in the first half, quiet in the second.
    let loud = |n: usize| if n < ms * 24 { 16_000.0 } else { 1_000.0 };
    (0..ms * 48).map(|n| ((n as f32 * 0.05).sin() * loud(n)) as i16).collect()
}

fn note(sound: &[i16], block: usize) -> Note {
    let mut recorder = NoteRecorder::new(7).unwrap();
    for block in sound.chunks(block) {
        assert!(recorder.push(block));
    }
    recorder.finish().unwrap()
}

/// Plays a note as a player does: skips what RFC 7845 says to skip, ends where the last page says.
fn play(note: &Note) -> Vec<i16> {
    let mut reader = PacketReader::new(Cursor::new(&note.ogg));
    let head = reader.read_packet().unwrap().unwrap();
    assert!(head.first_in_stream() && head.data.starts_with(b"OpusHead\x01\x01") && head.data.len() == 19);
    let skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    let tags = reader.read_packet().unwrap().unwrap();
    assert!(tags.data.starts_with(b"OpusTags"));
    let mut decoder = Decoder::new(48_000, Channels::Mono).unwrap();
    let (mut sound, mut end, mut last) = (Vec::new(), 0, false);
    while let Some(packet) = reader.read_packet().unwrap() {
        let mut frame = [0; 5_760];
        let length = decoder.decode(&packet.data, &mut frame, false).unwrap();
        sound.extend_from_slice(&frame[..length]);
        if packet.last_in_page() {
            assert!(packet.absgp_page() as usize <= sound.len() && packet.absgp_page() > end);
            end = packet.absgp_page();
        }
        last = packet.last_in_stream();
    }
    assert!(last, "the stream has an end");
    sound.truncate(usize::try_from(end).unwrap());
    sound.split_off(skip)
}

#[test]
fn a_note_plays_back_as_long_as_it_was_spoken_to_the_sample() {
    for ms in [1, 19, 20, 21, 999, 1_000, 3_210] {
        let sound = spoken(ms);
        let note = note(&sound, 480);
        assert_eq!(note.duration_ms as usize, ms);
        let played = play(&note);
        assert_eq!(played.len(), sound.len(), "{ms} ms");
        if ms > 900 {
            let energy = |sound: &[i16]| sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64;
            let ratio = energy(&played) / energy(&sound);
            assert!((0.7..1.4).contains(&ratio), "{ms} ms: {ratio}");
        }
    }
}

#[test]
fn the_shape_follows_the_voice_and_blocks_do_not_matter() {
    let sound = spoken(4_000);
    let made = note(&sound, 480);
    assert_eq!(made, note(&sound, 777));
    assert_eq!(made.waveform.len(), NOTE_POINTS);
    let (loud, quiet) = made.waveform.split_at(NOTE_POINTS / 2);
    assert!(loud[1..NOTE_POINTS / 2 - 1].iter().min() > quiet[1..].iter().max());
    assert_eq!(note(&spoken(100), 480).waveform.len(), 5, "a short note has fewer points");
    assert!(note(&[0; 48_000], 480).waveform.iter().all(|point| *point == 0));
}

#[test]
fn nothing_spoken_is_no_note() {
    assert!(NoteRecorder::new(7).unwrap().finish().is_err());
}

/// Runs a program of others on files in a folder of this test's own.
fn run(program: &str, arguments: &[&std::path::Path]) -> (bool, String) {
    let ran = std::process::Command::new(program).args(arguments).output();
    let output = ran.unwrap_or_else(|error| panic!("{program}: {error}; `.ci/install test` installs it"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// By Debian's opus-tools, which share neither code nor authors with what wrote it.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Debian's programs")]
fn players_of_others_find_nothing_wrong_with_a_note_and_play_all_of_it() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for ms in [1, 20, 999, 12_345] {
        let (sound, paths) = (spoken(ms), ["ogg", "wav"].map(|end| folder.join(format!("note {ms}.{end}"))));
        let note = note(&sound, 480);
        let [ogg, wav] = &paths;
        std::fs::write(ogg, &note.ogg).unwrap();
        let (fine, said) = run("opusinfo", &[ogg]);
        let complains = ["WARNING", "ERROR", "invalid", "hole"].iter().any(|word| said.contains(word));
        assert!(fine && !complains && said.contains("Logical stream"), "{ms} ms: {said}");
        assert!(said.contains(&format!("Playback length: 0m:{:02}.{:03}s", ms / 1_000, ms % 1_000)), "{said}");
        let (fine, said) = run("opusdec", &["--quiet".as_ref(), "--no-dither".as_ref(), ogg, wav]);
        assert!(fine, "{ms} ms: {said}");
        let played = std::fs::read(wav).unwrap();
        let at = played.windows(4).position(|four| four == b"data").unwrap() + 8;
        let played: Vec<i16> = played[at..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        assert_eq!(played.len(), sound.len(), "{ms} ms");
        let ours = play(&note);
        let off = played.iter().zip(&ours).map(|(one, other)| (i32::from(*one) - i32::from(*other)).abs()).max();
        assert!(off < Some(400), "what others hear is what we hear: {off:?}");
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
    // The control: half a note is complained about.
    let ogg = folder.join("half a note.ogg");
    let whole = note(&spoken(2_000), 480).ogg;
    std::fs::write(&ogg, &whole[..whole.len() / 2]).unwrap();
    let (fine, said) = run("opusinfo", &[&ogg]);
    assert!(!fine || said.contains("WARNING"), "{said}");
    std::fs::remove_file(&ogg).unwrap();
}
