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
