//! Bytes that nobody honest sends.

use proptest::prelude::*;
use sidetone_wire::connect::{Address, IceToken};
use sidetone_wire::envelope::{Part, Sealed};
use sidetone_wire::frame::Frame;
use sidetone_wire::id::PairingId;
use sidetone_wire::limits::{EMOJI_BYTES, ENVELOPE_BUCKETS, FRAME_BYTES, MEMBERS, ROOM_NAME_BYTES, TEXT_BYTES};
use sidetone_wire::record::{Reactions, Record, Text};
use sidetone_wire::room::{RelayRule, RoomName, Scope, Seats};
use sidetone_wire::transfer::{FileName, FileSize, Mime, Thumbnail, Waveform};
use sidetone_wire::{DecodeError, decode, encode};

const GOLDEN: &str = include_str!("golden.txt");

fn golden() -> Vec<Vec<u8>> {
    let bytes = |line: &str| hex::decode(line.split_once(' ').expect("form and bytes").1).expect("hex");
    GOLDEN.lines().map(bytes).collect()
}

fn read_as_everything(bytes: &[u8]) {
    let _ = Frame::from_bytes(bytes);
    let _ = Frame::from_server(bytes);
    let _ = Record::from_bytes(bytes);
    let _ = Sealed::unpad(bytes);
    let _ = decode::<Sealed>(bytes, FRAME_BYTES);
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn a_message_with_a_changed_byte_is_refused_or_read_without_a_panic(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let all = golden();
        let mut bytes = all[which.index(all.len())].clone();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        read_as_everything(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read_as_everything(&bytes);
    }

    #[test]
    fn an_envelope_has_one_of_four_lengths_and_opens_again(len in 0_usize..16_000) {
        let sealed = Sealed::Record(Part { pairing: PairingId([7; 16]), bytes: vec![5; len].into() });
        let padded = sealed.pad().expect("it fits");
        prop_assert!(ENVELOPE_BUCKETS.contains(&padded.len()));
        prop_assert_eq!(Sealed::unpad(&padded), Ok(sealed));
    }
}

#[test]
fn a_phone_reads_all_that_servers_say_and_nothing_that_phones_say() {
    let (mut served, mut asked) = (0, 0);
    for line in GOLDEN.lines().filter(|line| line.starts_with("frame")) {
        let bytes = hex::decode(&line[6..]).expect("hex");
        let frame = Frame::from_bytes(&bytes).expect("a frame");
        if matches!(frame, Frame::Hello(_) | Frame::Request(_) | Frame::Ack(_)) {
            assert_eq!(Frame::from_server(&bytes), Err(DecodeError::UnknownKind(frame.kind())));
            asked += 1;
        } else {
            assert_eq!(Frame::from_server(&bytes), Ok(frame));
            served += 1;
        }
    }
    assert!(served > 30 && asked > 30, "{served} and {asked} examples");
}

#[test]
fn a_message_cut_short_or_followed_by_more_is_refused() {
    for line in GOLDEN.lines().filter(|line| line.starts_with("frame")) {
        let bytes = hex::decode(&line[6..]).expect("hex");
        assert!(Frame::from_bytes(&bytes).is_ok());
        assert!(matches!(Frame::from_bytes(&bytes[..bytes.len() - 1]), Err(DecodeError::Malformed(_))));
        assert!(matches!(Frame::from_bytes(&[&bytes[..], &[0]].concat()), Err(DecodeError::Malformed(_))));
    }
}

#[test]
fn a_frame_over_its_limit_is_refused_unread() {
    let bytes = vec![0; FRAME_BYTES + 1];
    assert_eq!(Frame::from_bytes(&bytes), Err(DecodeError::TooLong { got: FRAME_BYTES + 1, limit: FRAME_BYTES }));
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    // An array and a byte string that claim 2^60 elements: read until the bytes end, refused.
    for head in [0x9b, 0x5b] {
        let bytes = [&[0x82, 0x01, head][..], &(1_u64 << 60).to_be_bytes()].concat();
        assert!(Frame::from_bytes(&bytes).is_err());
        assert!(decode::<Vec<u64>>(&bytes[2..], 100).is_err());
    }
}

#[test]
fn deep_nesting_is_refused() {
    let mut bytes = vec![0x82, 0x01, 0xa1, 0x18, 0x63];
    bytes.resize(20_000, 0x81);
    assert!(matches!(Frame::from_bytes(&bytes), Err(DecodeError::Malformed(_))));
}

#[test]
fn only_addresses_at_which_a_phone_can_be_are_read() {
    let refused = ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "192.0.2.1:0", "[::]:1", "[ff02::1]:1"];
    for address in refused.into_iter().chain(["[::ffff:224.0.0.1]:1"]) {
        assert_eq!(Address::parse(address.parse().expect("an address")), None, "{address}");
    }
    for address in ["192.0.2.1:1", "127.0.0.1:9", "[2001:db8::1]:65535"] {
        assert!(Address::parse(address.parse().expect("an address")).is_some(), "{address}");
    }
}

#[test]
fn only_ice_characters_make_an_ice_credential() {
    assert!(IceToken::<4>::parse("ab+/").is_some());
    for bad in ["abc", "ab\r\na=x", "abcd ", "\u{e4}bcd", &"a".repeat(257)] {
        assert!(IceToken::<4>::parse(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn a_text_is_neither_empty_nor_longer_than_its_limit() {
    assert!(Text::parse("").is_none());
    assert!(Text::parse("x".repeat(TEXT_BYTES)).is_some());
    assert!(Text::parse("x".repeat(TEXT_BYTES + 1)).is_none());
}

#[test]
fn a_room_has_seats_for_two_to_sixteen() {
    for number in 0..=u8::MAX {
        let fits = (2..=MEMBERS).contains(&usize::from(number));
        assert_eq!(Seats::new(number).is_some(), fits, "{number}");
        let bytes = encode(&number, 10).expect("short");
        assert_eq!(decode::<Seats>(&bytes, 10).is_ok(), fits, "{number}");
    }
    assert!(decode::<Seats>(&[0x38, 0x01], 10).is_err(), "a negative number");
    assert!(decode::<Seats>(&[0x19, 0x01, 0x08], 10).is_err(), "264 is not 8");
}

#[test]
fn the_name_of_a_room_is_short_and_cannot_disturb_a_screen() {
    for good in ["K", "\u{1f44b} kitchen", &"x".repeat(ROOM_NAME_BYTES)] {
        assert!(RoomName::parse(good).is_some(), "{good:?}");
    }
    for bad in ["", "a\nb", "\u{1b}[2J", "\u{0}", "\u{85}", &"x".repeat(ROOM_NAME_BYTES + 1)] {
        assert!(RoomName::parse(bad).is_none(), "{bad:?}");
        assert!(decode::<RoomName>(&encode(&bad, 200).expect("short"), 200).is_err(), "{bad:?}");
    }
}

#[test]
fn a_policy_of_a_later_version_is_read_as_unknown_and_not_as_another() {
    for number in (0..=u16::MAX).filter(|number| !(1..=4).contains(number)) {
        assert_eq!(RelayRule::from(number), RelayRule::Unknown);
        assert_eq!(Scope::from(number), Scope::Unknown);
    }
    assert_eq!(RelayRule::from(4), RelayRule::Unknown);
}

#[test]
fn reactions_are_few_short_and_different() {
    let set = |emoji: &[&str]| Reactions::parse(emoji.iter().map(|one| one.to_string()));
    assert!(set(&[]).is_some_and(|none| none.is_empty()));
    assert!(set(&["1", "2", "3", "4", "5", "6", "7", "8"]).is_some());
    let long = "x".repeat(EMOJI_BYTES + 1);
    for bad in [&["1", "2", "3", "4", "5", "6", "7", "8", "9"][..], &[""], &["a", "a"], &["a\nb"], &[&long]] {
        assert!(set(bad).is_none(), "{bad:?}");
        let bytes = encode(&bad, 1_000).expect("short");
        assert!(decode::<Reactions>(&bytes, 1_000).is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_said_of_a_file_is_bounded() {
    for bad in ["", "image", "image/", "/png", "image/p ng", "image/png; x=y", "im\u{e4}ge/png", "../png", "a/b/c"] {
        assert!(Mime::parse(bad).is_none(), "{bad:?}");
    }
    assert!(Mime::parse("application/vnd.oasis.opendocument.text").is_some());
    assert!(Mime::parse(format!("a/{}", "b".repeat(126))).is_none());
    assert!(FileName::parse("").is_none() && FileName::parse("x".repeat(256)).is_none());
    assert!(FileName::parse("x".repeat(255)).is_some());
    assert!(FileSize::new(u64::MAX).is_none() && FileSize::new((1 << 52) - 1).is_some());
    assert!(Thumbnail::new(vec![0; 8 * 1024 + 1]).is_none() && Thumbnail::new(vec![0; 8 * 1024]).is_some());
    assert!(Waveform::new(vec![0; 65]).is_none() && Waveform::new(vec![0; 64]).is_some());
}
