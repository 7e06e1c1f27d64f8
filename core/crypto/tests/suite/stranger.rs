//! What strangers need beside a session.

use sha2::{Digest, Sha256};
use sidetone_crypto::stranger::*;

#[test]
fn an_interest_has_another_tag_every_day_and_one_spelling() {
    assert_eq!(interest_tag(7, " Chess"), interest_tag(7, "chess"));
    assert_ne!(interest_tag(7, "chess"), interest_tag(8, "chess"));
    assert_ne!(interest_tag(7, "chess"), interest_tag(7, "chest"));
}

#[test]
fn work_is_found_or_given_up() {
    let number = work(b"seed", &[1; 16], 10, u64::MAX - 5, 100_000).unwrap_or_default();
    let digest = Sha256::digest([&b"seed"[..], &[1; 16], &number.to_be_bytes()].concat());
    assert!(digest.first() == Some(&0) && digest.get(1).is_some_and(|byte| byte.leading_zeros() >= 2));
    assert_eq!(work(b"seed", &[1; 16], 64, 0, 1_000), None);
}

#[test]
fn only_the_pen_signs_and_only_what_it_signed() {
    let (pen, other) = (Pen::from_seed([1; 32]), Pen::from_seed([2; 32]));
    let (Some(pen), Some(other)) = (pen, other) else { panic!("pens") };
    let signature = pen.sign(b"hello");
    assert!(is_signed(&pen.public(), b"hello", &signature));
    assert!(!is_signed(&pen.public(), b"hallo", &signature) && !is_signed(&other.public(), b"hello", &signature));
}

#[test]
fn a_blocked_name_is_known_in_any_case_and_means_nothing_under_another_key() {
    assert_eq!(name_tag(&[1; 32], "Cat  Person"), name_tag(&[1; 32], " cat person "));
    assert_ne!(name_tag(&[1; 32], "cat person"), name_tag(&[2; 32], "cat person"));
    assert_ne!(name_tag(&[1; 32], "catperson"), name_tag(&[1; 32], "cat person"));
}
