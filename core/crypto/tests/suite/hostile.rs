//! Any bytes at all, at every door.

use std::collections::HashSet;

use proptest::prelude::*;
use sidetone_crypto::{fuzz, padding};

use crate::common::{channels, rekey};

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

/// Bytes that look a little like what a door waits for.
fn lengthy(len: usize) -> impl Strategy<Value = Vec<u8>> {
    (proptest::collection::vec(any::<u8>(), 64), len.saturating_sub(40)..len + 40)
        .prop_map(|(start, len)| start.into_iter().cycle().take(len).collect())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn no_handshake_message_makes_us_panic(short in bytes(200), one in lengthy(1_248), two in lengthy(1_152)) {
        for bytes in [&short, &one, &two] {
            fuzz::message1(bytes);
            fuzz::message2(bytes);
            fuzz::message3(bytes);
        }
    }

    #[test]
    fn no_record_makes_us_panic(short in bytes(200), kind in 0_u8..4, mut inside in lengthy(1_400)) {
        fuzz::record(&short);
        fuzz::record_inside(&short);
        let content = u32::try_from(inside.len().saturating_sub(5)).unwrap();
        if let Some(head) = inside.first_chunk_mut::<5>() {
            head[0] = kind;
            head[1..].copy_from_slice(&content.to_be_bytes());
        }
        inside.resize(padding::padded(inside.len()), 0);
        fuzz::record_inside(&inside);
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn nothing_else_makes_us_panic(short in bytes(80), answer in lengthy(320)) {
        fuzz::frame(&short);
        fuzz::safety_code(&short);
        fuzz::spoken_code(&short);
        fuzz::ticket(&short);
        fuzz::vault(&short);
        fuzz::login(&short);
        fuzz::login(&answer);
    }

    #[test]
    fn padding_hides_most_of_a_length_and_costs_at_most_an_eighth(len in 0_usize..1 << 40) {
        let padded = padding::padme(len);
        prop_assert!(padded >= len);
        prop_assert!(padded - len <= len / 8);
        prop_assert_eq!(padding::padme(padded), padded);
        prop_assert!(padding::padded(len) >= padding::FLOOR);
    }
}

#[test]
fn padding_is_the_papers_example_by_example() {
    // Figure 1 of the paper: the lengths allowed up to 64.
    for (len, padded) in [(0, 0), (1, 1), (8, 8), (9, 10), (17, 18), (33, 36), (63, 64), (65, 72), (1_000, 1_024)] {
        assert_eq!(padding::padme(len), padded, "{len}");
    }
    assert_eq!(padding::padme(usize::MAX), usize::MAX);
}

#[test]
fn no_message_key_comes_twice_over_a_long_run() {
    // All records use one nonce, so equal texts under equal keys would give equal bodies.
    let mut seen = HashSet::new();
    let (mut ada, mut ben) = channels();
    for epoch in 0..20 {
        for _ in 0..500 {
            for channel in [&mut ada.signal, &mut ada.direct, &mut ben.signal, &mut ben.direct] {
                let sealed = channel.seal(0, &[0; 40]).unwrap();
                assert!(seen.insert(sealed[8..48].to_vec()));
            }
        }
        // What was sealed is not delivered here, so the next epoch begins in a fresh copy of the channels.
        (ada, ben) = channels();
        for n in 0..=epoch {
            rekey(&mut ada.signal, &mut ben.signal, n);
            rekey(&mut ada.direct, &mut ben.direct, n ^ 0x40);
        }
    }
    assert_eq!(seen.len(), 20 * 500 * 4);
}
