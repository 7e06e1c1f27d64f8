//! Words that people compare.

use std::collections::HashSet;

use sidetone_crypto::{
    identity::Identity,
    sas::{Committed, Holding, Phrase, SasError, group_phrase},
};

use crate::common::seed;

fn words(initiator: [u8; 32], responder: [u8; 32]) -> (Phrase, Result<Phrase, SasError>) {
    let (committed, commitment) = Committed::new(initiator, seed(1));
    let (holding, theirs) = Holding::new(responder, commitment, seed(2));
    let (nonce, ours) = committed.reveal(&theirs);
    (ours, holding.check(&nonce))
}

#[test]
fn two_who_share_a_session_see_the_same_four_words() {
    let (ours, theirs) = words([7; 32], [7; 32]);
    assert_eq!(Ok(&ours), theirs.as_ref());
    assert_eq!(ours.words().count(), 4);
    assert_eq!(ours.to_string().split(' ').count(), 4);
}

#[test]
fn a_man_in_the_middle_cannot_choose_his_nonce_after_ours() {
    // He has one session with each; on each he must commit, or answer, before he knows both nonces.
    let (_, theirs) = words([7; 32], [8; 32]);
    assert_eq!(theirs, Err(SasError::Broken), "a commitment of another session");
    let (_, commitment) = Committed::new([7; 32], seed(1));
    let (holding, _) = Holding::new([7; 32], commitment, seed(2));
    assert_eq!(holding.check(&[9; 32]), Err(SasError::Broken), "another nonce than the one committed to");
}

#[test]
fn either_sides_nonce_alone_changes_the_words() {
    let mut seen = HashSet::new();
    for n in 0..=255 {
        let (committed, commitment) = Committed::new([7; 32], seed(1));
        let (_, theirs) = Holding::new([7; 32], commitment, seed(n));
        assert!(seen.insert(committed.reveal(&theirs).1.to_string()));
        let (committed, _) = Committed::new([7; 32], seed(n));
        assert!(n == 1 || seen.insert(committed.reveal(&theirs).1.to_string()));
    }
}

#[test]
fn a_room_has_one_phrase_which_every_newcomer_changes() {
    let keys: Vec<_> = (1..=4).map(|n| Identity::from_seed([n; 32]).public()).collect();
    let phrase = group_phrase(&[1; 16], 5, &keys[..3]);
    assert_eq!(phrase.words().count(), 6);
    assert_eq!(phrase, group_phrase(&[1; 16], 5, &[keys[2], keys[0], keys[1], keys[0]]), "the order does not matter");
    for other in [
        group_phrase(&[1; 16], 5, &keys),
        group_phrase(&[1; 16], 5, &keys[..2]),
        group_phrase(&[1; 16], 6, &keys[..3]),
        group_phrase(&[2; 16], 5, &keys[..3]),
        group_phrase(&[1; 16], 5, &[]),
    ] {
        assert_ne!(phrase, other);
    }
    assert_eq!(phrase.to_string(), "bonus more hospital hybrid dress video", "phones of all versions must agree");
}
