//! Spoken codes from the first word to the gift.

use std::collections::HashSet;

use sidetone_crypto::code::{CodeError, Holder, Knock, MAX_GIFT, MAX_PLATE, Open, SpokenCode};

use crate::common::seed;

const GIFT: &[u8] = b"the room's invitation";

fn code() -> SpokenCode {
    SpokenCode::parse("4711-acid-lemon").unwrap()
}

/// A knock with one code at a door held with another, at servers by these names.
fn run(knocker: (&SpokenCode, &str), holder: (&SpokenCode, &str)) -> Result<Vec<u8>, CodeError> {
    let (knock, one) = Knock::start(knocker.0, knocker.1, seed(1));
    let (holder, two) = Holder::answer(holder.0, holder.1, &one, seed(2))?;
    let (proved, three) = knock.prove(&two)?;
    let four = holder.give(&three, GIFT)?;
    Ok(proved.open(&four)?.to_vec())
}

#[test]
fn who_says_the_right_words_gets_the_invitation() {
    assert_eq!(run((&code(), "here"), (&code(), "here")), Ok(GIFT.to_vec()));
}

#[test]
fn who_says_others_gets_nothing_and_the_holder_knows() {
    for wrong in ["4711-acid-legal", "4711-lemon-acid", "4711-acid-lemon-acid", "4712-acid-lemon"] {
        let wrong = SpokenCode::parse(wrong).unwrap();
        assert_eq!(run((&wrong, "here"), (&code(), "here")), Err(CodeError::WrongWords), "{wrong}");
    }
    assert_eq!(run((&code(), "there"), (&code(), "here")), Err(CodeError::WrongWords), "passed on from another server");
}

/// The server in the middle: what it sees and may change.
#[test]
fn a_server_that_does_not_know_the_words_reads_and_changes_nothing() {
    let (knock, one) = Knock::start(&code(), "here", seed(1));
    let (holder, two) = Holder::answer(&code(), "here", &one, seed(2)).unwrap();
    let (proved, three) = knock.prove(&two).unwrap();
    let four = holder.give(&three, GIFT).unwrap();
    assert_eq!((one.len(), two.len(), three.len(), four.len()), (48, 32, 64, 64 + GIFT.len() + 16));
    for message in [&one, &two, &three, &four] {
        assert!(!message.windows(GIFT.len()).any(|window| window == GIFT));
        assert!(!message.windows(4).any(|window| window == b"acid"));
    }
    assert!(proved.open(&four).is_ok(), "untouched it opens");
    // Its own answer in the holder's place is one guess, which the knocker notices.
    let guess = SpokenCode::parse("4711-acid-about").unwrap();
    let (knock, one) = Knock::start(&code(), "here", seed(1));
    let (server, two) = Holder::answer(&guess, "here", &one, seed(9)).unwrap();
    let (proved, three) = knock.prove(&two).unwrap();
    assert_eq!(server.give(&three, GIFT).err(), Some(CodeError::WrongWords));
    assert_eq!(proved.open(&four).err(), Some(CodeError::WrongWords), "nor does an older answer do");
    // A reflected share or tag is not one of the other side's.
    let (knock, one) = Knock::start(&code(), "here", seed(1));
    let (proved, three) = knock.prove(&one[16..]).unwrap();
    let reflected = [three.as_slice(), &[0; 40]].concat();
    assert_eq!(proved.open(&reflected).err(), Some(CodeError::WrongWords));
}

#[test]
fn every_changed_byte_of_every_message_ends_the_run() {
    for message in 1..=4 {
        for at in 0..64 {
            let turn = |number: usize, bytes: Vec<u8>| -> Vec<u8> {
                let mut bytes = bytes;
                if number == message && at < bytes.len() {
                    bytes[at] ^= 1;
                }
                bytes
            };
            let (knock, one) = Knock::start(&code(), "here", seed(1));
            let ended = (|| {
                let (holder, two) = Holder::answer(&code(), "here", &turn(1, one), seed(2)).ok()?;
                let (proved, three) = knock.prove(&turn(2, two)).ok()?;
                let four = holder.give(&turn(3, three), GIFT).ok()?;
                proved.open(&turn(4, four)).ok()
            })();
            let touched = at < [48, 32, 64, 64][message - 1];
            assert_eq!(ended.is_none(), touched, "byte {at} of message {message}");
        }
    }
}

#[test]
fn messages_of_another_length_are_malformed() {
    for length in [0, 15, 16, 47, 49, 500] {
        assert_eq!(Holder::answer(&code(), "here", &vec![1; length], seed(2)).err(), Some(CodeError::Malformed));
    }
    let (knock, one) = Knock::start(&code(), "here", seed(1));
    assert_eq!(knock.prove(&[0; 31]).err(), Some(CodeError::Malformed));
    let (holder, _) = Holder::answer(&code(), "here", &one, seed(2)).unwrap();
    assert_eq!(holder.give(&[0; 63], GIFT).err(), Some(CodeError::Malformed));
    let (knock, one) = Knock::start(&code(), "here", seed(1));
    let (holder, two) = Holder::answer(&code(), "here", &one, seed(2)).unwrap();
    let (_, three) = knock.prove(&two).unwrap();
    assert_eq!(holder.give(&three, &[0; MAX_GIFT + 1]).err(), Some(CodeError::TooLong));
}

#[test]
fn a_code_can_be_typed_in_many_ways() {
    for text in ["4711-acid-lemon", " 4711 Acid Lemon ", "4711.ACID.LEMON", "4711, acid, lemo", "004711-acid-lemon"] {
        assert_eq!(SpokenCode::parse(text).unwrap().to_string(), "4711-acid-lemon", "{text}");
    }
    for (text, why) in [
        ("", CodeError::NotACode),
        ("4711", CodeError::NotACode),
        ("4711-acid", CodeError::NotACode),
        ("4711-acid-lemon-acid-lemon", CodeError::NotACode),
        ("acid-lemon", CodeError::NotACode),
        ("-4711-acid-", CodeError::NotACode),
        ("99999999-acid-lemon", CodeError::NotACode),
        ("4711-aci-lemon", CodeError::UnknownWord),
        ("4711-acid-lemons", CodeError::UnknownWord),
        ("4711-acid-lémon", CodeError::UnknownWord),
    ] {
        assert_eq!(SpokenCode::parse(text).err(), Some(why), "{text}");
    }
    assert_eq!(SpokenCode::parse(&"4 acid lemon".repeat(10)).err(), Some(CodeError::NotACode));
}

#[test]
fn a_code_that_is_open_longer_has_a_word_more() {
    let words = |open| SpokenCode::from_seed(1, open, seed(5)).unwrap().to_string().split('-').count() - 1;
    assert_eq!((words(Open::Shortly), words(Open::Long)), (2, 3));
    assert_eq!(SpokenCode::from_seed(MAX_PLATE + 1, Open::Long, seed(5)).err(), Some(CodeError::NotACode));
}

#[test]
fn every_word_is_drawn_and_can_be_told_from_all_others() {
    let mut drawn = HashSet::new();
    for n in 0..20_000_u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&n.to_be_bytes());
        let code = SpokenCode::from_seed(1, Open::Long, seed).unwrap().to_string();
        drawn.extend(code.split('-').skip(1).map(str::to_owned));
    }
    assert_eq!(drawn.len(), 1_024);
    let starts: HashSet<&str> = drawn.iter().map(|word| &word[..4]).collect();
    assert_eq!(starts.len(), 1_024, "four letters tell a word");
    for word in &drawn {
        let others = (0..word.len()).map(|at| [&word[..at], &word[at + 1..]].concat());
        for other in others {
            assert!(!drawn.contains(&other), "{word} and {other} are one letter apart");
        }
        for (at, letter) in (0..word.len()).flat_map(|at| (b'a'..=b'z').map(move |letter| (at, letter))) {
            let mut other = word.clone().into_bytes();
            other[at] = letter;
            let other = String::from_utf8(other).unwrap();
            assert!(other == *word || !drawn.contains(&other), "{word} and {other} are one letter apart");
        }
    }
}
