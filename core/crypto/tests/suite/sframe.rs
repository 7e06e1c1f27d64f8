//! Media sealing: the RFC's vectors, an independent implementation, sender keys and replay.

use std::{collections::HashSet, env, fs, path::Path};

use hkdf::Hkdf;
use serde_json::Value;
use sha2::Sha512;
use sidetone_crypto::sframe::{
    BaseKey, KeyId, MAX_FRAMES, MAX_GENERATIONS, MAX_STEPS_AHEAD, MAX_TRACKS, MediaError, Opener, REPLAY_WINDOW,
    Sealer,
    codec::{Header, MediaKey, Suite},
};

use crate::common::seed;

fn check_header(kid: u64, ctr: u64, encoded: &str) {
    let bytes = hex::decode(encoded).unwrap();
    assert_eq!(Header { kid, ctr }.encode().as_bytes(), bytes, "KID {kid} CTR {ctr}");
    let (header, rest) = Header::parse(&bytes).unwrap();
    assert_eq!((header, rest), (Header { kid, ctr }, [].as_slice()));
}

/// One vector of RFC 9605, appendix C.3.
fn check_frame(suite: Suite, base_key: &str, metadata: &str, plain: &str, sealed: &str) {
    let (kid, ctr) = (291, 17_767);
    let bytes = |text: &str| hex::decode(text).unwrap();
    let key = MediaKey::derive(suite, &bytes(base_key), kid);
    let mut out = Vec::new();
    key.seal(ctr, &bytes(metadata), &bytes(plain), &mut out).unwrap();
    assert_eq!(hex::encode(&out), sealed);
    let wire = out.clone();
    let (header, body) = Header::parse(&wire).unwrap();
    key.open(header, &bytes(metadata), body, &mut out).unwrap();
    assert_eq!(hex::encode(&out), plain);
}

#[test]
fn headers_are_those_of_rfc_9605() {
    for (kid, ctr, encoded) in [
        (0, 0, "00"),
        (0, 255, "08ff"),
        (0, 256, "090100"),
        (0, u64::MAX, "0fffffffffffffffff"),
        (1, 1, "11"),
        (255, 0, "80ff"),
        (255, 16_777_216, "8bff01000000"),
    ] {
        check_header(kid, ctr, encoded);
    }
}

#[test]
fn frames_are_those_of_rfc_9605() {
    let (base, metadata) = ("000102030405060708090a0b0c0d0e0f", "4945544620534672616d65205747");
    let plain = "64726166742d696574662d736672616d652d656e63";
    check_frame(
        Suite::Aes128Gcm,
        base,
        metadata,
        plain,
        "9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb",
    );
    check_frame(
        Suite::Aes256Gcm,
        base,
        metadata,
        plain,
        "990123456794f509d36e9beacb0e261d99c7d1e972f1fed787d4049f17ca21353c1cc24d56ceabced279",
    );
}

/// All of the working group's file, where the environment names its folder.
#[test]
fn the_whole_file_of_vectors_holds_where_it_is_at_hand() {
    let Ok(folder) = env::var("SIDETONE_VECTORS") else { return };
    let file = fs::read_to_string(Path::new(&folder).join("rfc9605-sframe.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let headers = file["header"].as_array().unwrap();
    assert!(headers.len() > 200);
    for vector in headers {
        let number = |name: &str| vector[name].as_u64().unwrap();
        check_header(number("kid"), number("ctr"), vector["encoded"].as_str().unwrap());
    }
    let mut frames = 0;
    for vector in file["sframe"].as_array().unwrap() {
        let suite = match vector["cipher_suite"].as_u64().unwrap() {
            4 => Suite::Aes128Gcm,
            5 => Suite::Aes256Gcm,
            _ => continue,
        };
        frames += 1;
        let text = |name: &str| vector[name].as_str().unwrap();
        check_frame(suite, text("base_key"), text("metadata"), text("pt"), text("ct"));
    }
    assert_eq!(frames, 2);
}

#[test]
fn an_independent_implementation_seals_the_same_bytes() {
    use sframe::{
        CipherSuite,
        frame::{MediaFrameView, MonotonicCounter},
        key::EncryptionKey,
    };
    let base = BaseKey::from_seed(seed(1));
    let secret = base.to_bytes();
    let mut sealer = Sealer::new(&base, 3, 9);
    let kid = sealer.key_id().to_u64();
    let theirs = EncryptionKey::derive_from(CipherSuite::AesGcm256Sha512, kid, &secret[1..]).unwrap();
    let mut counter = MonotonicCounter::default();
    let (mut out, mut buffer) = (Vec::new(), Vec::new());
    for len in [0, 1, 160, 5_120].into_iter().chain(500..800) {
        let frame = vec![5; len];
        sealer.seal(&frame, &mut out).unwrap();
        let view = MediaFrameView::try_new(&mut counter, &frame).unwrap();
        view.encrypt_into(&theirs, &mut buffer).unwrap();
        assert_eq!(out, buffer, "{len} bytes");
        buffer.clear();
    }
}

#[test]
fn a_step_is_the_ratchet_of_rfc_9605() {
    let base = BaseKey::from_seed(seed(1));
    let mut next = [0; 64];
    Hkdf::<Sha512>::new(None, &base.to_bytes()[1..]).expand(b"SFrame 1.0 Ratchet", &mut next).unwrap();
    assert_eq!(base.stepped().unwrap().to_bytes()[..], [&[1], next.as_slice()].concat());
    let travelled = BaseKey::from_bytes(&base.stepped().unwrap().to_bytes()).unwrap();
    assert_eq!(travelled.stepped().unwrap().to_bytes(), base.stepped().unwrap().stepped().unwrap().to_bytes());
}

/// A sender and a listener who has its key.
fn pair() -> (Sealer, Opener) {
    let base = BaseKey::from_seed(seed(1));
    let mut opener = Opener::new();
    opener.insert(0, &base).unwrap();
    (Sealer::new(&base, 0, 0), opener)
}

fn sealed(sealer: &mut Sealer, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(frame, &mut out).unwrap();
    out
}

fn open(opener: &mut Opener, wire: &[u8]) -> Result<Vec<u8>, MediaError> {
    let mut out = Vec::new();
    let opened = opener.open(wire, &mut out);
    assert!(opened.is_ok() || out.is_empty(), "a refused frame leaves nothing behind");
    opened.map(|_| out)
}

#[test]
fn frames_open_in_any_order_and_each_of_them_once() {
    let (mut sealer, mut opener) = pair();
    let frames: Vec<_> = (0..50_u8).map(|n| sealed(&mut sealer, &[n])).collect();
    for n in (0..50).rev() {
        assert_eq!(open(&mut opener, &frames[n]).unwrap(), [n as u8]);
        assert_eq!(open(&mut opener, &frames[n]), Err(MediaError::Replayed));
    }
    assert!(frames.iter().all(|frame| open(&mut opener, frame) == Err(MediaError::Replayed)));
}

#[test]
fn a_frame_behind_the_window_is_refused_and_one_at_its_edge_opens() {
    let (mut sealer, mut opener) = pair();
    let frames: Vec<_> = (0..=REPLAY_WINDOW).map(|_| sealed(&mut sealer, b"x")).collect();
    open(&mut opener, frames.last().unwrap()).unwrap();
    assert_eq!(open(&mut opener, &frames[0]), Err(MediaError::TooOld));
    assert_eq!(open(&mut opener, &frames[1]).unwrap(), b"x");
    assert_eq!(open(&mut opener, &frames[1]), Err(MediaError::Replayed));
}

#[test]
fn a_forged_frame_does_not_move_the_window() {
    let (mut sealer, mut opener) = pair();
    let real = sealed(&mut sealer, b"real");
    let mut forged = Header { kid: 0, ctr: 1 << 40 }.encode().as_bytes().to_vec();
    forged.extend_from_slice(&[0; 40]);
    assert_eq!(open(&mut opener, &forged), Err(MediaError::Forged));
    assert_eq!(open(&mut opener, &real).unwrap(), b"real");
    let mut changed = sealed(&mut sealer, b"second");
    let second = changed.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(open(&mut opener, &changed), Err(MediaError::Forged));
    assert_eq!(open(&mut opener, &second).unwrap(), b"second");
}

#[test]
fn every_changed_or_missing_byte_of_a_frame_is_noticed() {
    let (mut sealer, mut opener) = pair();
    let wire = sealed(&mut sealer, b"a frame of sound");
    for place in 0..wire.len() {
        let mut changed = wire.clone();
        changed[place] ^= 0x21;
        assert!(open(&mut opener, &changed).is_err(), "byte {place}");
        assert!(open(&mut opener, &wire[..place]).is_err(), "{place} bytes");
    }
    assert!(open(&mut opener, &wire).is_ok());
}

#[test]
fn a_number_in_more_bytes_than_it_needs_is_malformed() {
    for wire in ["0800", "0807", "090001", "8000", "9000ff00", "0a00ffff"] {
        assert_eq!(Header::parse(&hex::decode(wire).unwrap()), Err(MediaError::Malformed), "{wire}");
    }
}

#[test]
fn a_newcomer_reads_nothing_from_before_and_everything_after() {
    let base = BaseKey::from_seed(seed(1));
    let mut sealer = Sealer::new(&base, 0, 0);
    let before = sealed(&mut sealer, b"before");
    let stepped = base.stepped().unwrap();
    sealer.step().unwrap();
    let mut newcomer = Opener::new();
    newcomer.insert(0, &BaseKey::from_bytes(&stepped.to_bytes()).unwrap()).unwrap();
    let after = sealed(&mut sealer, b"after");
    assert_eq!(open(&mut newcomer, &before), Err(MediaError::UnknownKey));
    assert_eq!(open(&mut newcomer, &after).unwrap(), b"after");
}

#[test]
fn old_members_follow_steps_by_themselves_and_late_frames_still_open() {
    let (mut sealer, mut opener) = pair();
    let late = sealed(&mut sealer, b"late");
    let lost = sealed(&mut sealer, b"lost");
    open(&mut opener, &sealed(&mut sealer, b"now")).unwrap();
    sealer.step().unwrap();
    assert_eq!(open(&mut opener, &sealed(&mut sealer, b"one")).unwrap(), b"one");
    assert_eq!(open(&mut opener, &late).unwrap(), b"late", "one step behind still opens");
    for _ in 0..10 {
        sealer.step().unwrap();
    }
    assert_eq!(open(&mut opener, &sealed(&mut sealer, b"far")).unwrap(), b"far");
    assert_eq!(open(&mut opener, &late), Err(MediaError::UnknownKey), "its key is gone, so is its replay");
    assert_eq!(open(&mut opener, &lost), Err(MediaError::UnknownKey));
}

#[test]
fn a_track_heard_first_one_step_behind_another_still_opens() {
    let base = BaseKey::from_seed(seed(1));
    let (mut sound, mut picture) = (Sealer::new(&base, 0, 0), Sealer::new(&base, 0, 1));
    let mut opener = Opener::new();
    opener.insert(0, &base).unwrap();
    sound.step().unwrap();
    open(&mut opener, &sealed(&mut sound, b"sound")).unwrap();
    assert_eq!(open(&mut opener, &sealed(&mut picture, b"picture")).unwrap(), b"picture");
}

#[test]
fn an_opener_goes_only_so_far_ahead_and_forgeries_do_not_lead_it_on() {
    let (mut sealer, mut opener) = pair();
    let first = sealed(&mut sealer, b"first");
    for _ in 0..MAX_STEPS_AHEAD {
        sealer.step().unwrap();
    }
    let mut forged = sealed(&mut sealer, b"edge");
    let edge = forged.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(open(&mut opener, &forged), Err(MediaError::Forged));
    assert_eq!(open(&mut opener, &first).unwrap(), b"first", "a forged frame led nowhere");
    sealer.step().unwrap();
    assert_eq!(open(&mut opener, &sealed(&mut sealer, b"beyond")), Err(MediaError::UnknownKey));
    assert_eq!(open(&mut opener, &edge).unwrap(), b"edge");
}

#[test]
fn who_left_reads_nothing_of_the_next_generation() {
    let (mut sealer, mut leaver) = pair();
    open(&mut leaver, &sealed(&mut sealer, b"with all")).unwrap();
    let mut next = Sealer::new(&BaseKey::from_seed(seed(2)), 1, 0);
    assert_eq!(open(&mut leaver, &sealed(&mut next, b"without")), Err(MediaError::UnknownKey));
    // Nor with the old key under the new generation's number.
    leaver.insert(1, &BaseKey::from_seed(seed(1))).unwrap();
    assert_eq!(open(&mut leaver, &sealed(&mut next, b"without")), Err(MediaError::Forged));
}

#[test]
fn nobody_speaks_with_anothers_key() {
    let (mut ada, mut from_ada) = pair();
    let ben_base = BaseKey::from_seed(seed(2));
    let mut from_ben = Opener::new();
    from_ben.insert(0, &ben_base).unwrap();
    let wire = sealed(&mut ada, b"ada");
    assert_eq!(open(&mut from_ben, &wire), Err(MediaError::Forged));
    let forged = sealed(&mut Sealer::new(&ben_base, 0, 0), b"I am ada");
    assert_eq!(open(&mut from_ada, &forged), Err(MediaError::Forged));
}

#[test]
fn keys_are_bounded_and_a_key_that_comes_twice_forgets_no_replay() {
    let base = BaseKey::from_seed(seed(1));
    let (mut sealer, mut opener) = pair();
    let wire = sealed(&mut sealer, b"x");
    open(&mut opener, &wire).unwrap();
    assert_eq!(opener.insert(0, &base), Err(MediaError::StaleGeneration));
    assert_eq!(open(&mut opener, &wire), Err(MediaError::Replayed));
    for track in 1..MAX_TRACKS as u8 {
        open(&mut opener, &sealed(&mut Sealer::new(&base, 0, track), b"x")).unwrap();
    }
    let more = sealed(&mut Sealer::new(&base, 0, 200), b"x");
    assert_eq!(open(&mut opener, &more), Err(MediaError::TooManyTracks));
    for generation in 1..=MAX_GENERATIONS as u16 {
        opener.insert(generation, &base).unwrap();
    }
    assert_eq!(open(&mut opener, &wire), Err(MediaError::UnknownKey), "the oldest generation went");
    opener.keep_newest();
    let older = sealed(&mut Sealer::new(&base, 1, 0), b"x");
    assert_eq!(open(&mut opener, &older), Err(MediaError::UnknownKey));
}

#[test]
fn no_key_and_counter_ever_come_twice_over_a_long_run() {
    // Equal frames under equal keys and nonces would give equal bodies, whatever the header says.
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for generation in 0..3 {
        let base = BaseKey::from_seed(seed(generation as u8));
        for track in 0..3 {
            let mut sealer = Sealer::new(&base, generation, track);
            for _ in 0..3 {
                for _ in 0..3_000 {
                    sealer.seal(&[0; 24], &mut out).unwrap();
                    let (_, body) = Header::parse(&out).unwrap();
                    assert!(seen.insert(body[..24].to_vec()));
                }
                sealer.step().unwrap();
            }
        }
    }
    assert_eq!(seen.len(), 81_000);
}

#[test]
fn a_key_used_up_seals_no_more() {
    let mut sealer = pair().0;
    let mut out = Vec::new();
    for _ in 0..MAX_FRAMES {
        sealer.seal(&[], &mut out).unwrap();
    }
    assert_eq!(sealer.seal(&[], &mut out), Err(MediaError::Exhausted));
    sealer.step().unwrap();
    sealer.seal(&[], &mut out).unwrap();
    for _ in 1..255 {
        sealer.step().unwrap();
    }
    assert_eq!(sealer.step(), Err(MediaError::Exhausted));
}

#[test]
fn sealing_and_opening_do_not_allocate_once_there_is_room() {
    let (mut sealer, mut opener) = pair();
    let (mut wire, mut out) = (Vec::with_capacity(160 + 33), Vec::with_capacity(160));
    let (at, opened_at) = (wire.as_ptr(), out.as_ptr());
    for _ in 0..70_000 {
        sealer.seal(&[1; 160], &mut wire).unwrap();
        opener.open(&wire, &mut out).unwrap();
    }
    assert_eq!((wire.as_ptr(), out.as_ptr()), (at, opened_at));
    assert_eq!(wire.capacity(), 160 + 33);
}

#[test]
fn key_ids_keep_their_parts() {
    let id = KeyId { generation: 0xabcd, step: 0x12, track: 0x34 };
    assert_eq!(id.to_u64(), 0xabcd_1234);
    assert_eq!(KeyId::from_u64(id.to_u64()), Some(id));
    assert_eq!(KeyId::from_u64(1 << 32), None);
}
