//! Record channels: order, epochs, attacks.

use sidetone_crypto::record::{
    Channel, EPOCH_MS, EPOCH_RECORDS, MAX_PLAINTEXT, MAX_RECORD, Opened, RecordError, TURN_MS,
};

use crate::common::{channels, content, pair, rekey, seed};

#[test]
fn what_one_says_the_other_reads_in_order() {
    let (mut ada, mut ben) = pair();
    for round in 0..300_u32 {
        let text = round.to_be_bytes().repeat(round as usize % 50);
        let sealed = ada.seal(0, &text).unwrap();
        assert_eq!(content(&mut ben, &sealed).unwrap(), text);
        let sealed = ben.seal(0, &text).unwrap();
        assert_eq!(content(&mut ada, &sealed).unwrap(), text);
    }
}

#[test]
fn a_new_epoch_is_taken_up_by_both_without_losing_a_record() {
    let (mut ada, mut ben) = pair();
    let before = ada.seal(0, b"before").unwrap();
    let offer = ada.rekey(0, seed(1)).unwrap();
    let meanwhile = ada.seal(0, b"meanwhile").unwrap();
    let from_ben = ben.seal(0, b"from ben").unwrap();
    assert_eq!(content(&mut ben, &before).unwrap(), b"before");
    let Opened::Rekey(answer) = ben.open(0, seed(2), &offer).unwrap() else { unreachable!("the record is an offer") };
    // Ben speaks in the new epoch already, and still reads the old one.
    let after = ben.seal(0, b"after").unwrap();
    assert_eq!(content(&mut ben, &meanwhile).unwrap(), b"meanwhile");
    assert_eq!(content(&mut ada, &from_ben).unwrap(), b"from ben");
    assert!(matches!(ada.open(0, seed(3), &answer), Ok(Opened::Rekeyed)));
    assert_eq!(content(&mut ada, &after).unwrap(), b"after");
    let new = ada.seal(0, b"new").unwrap();
    assert_eq!(content(&mut ben, &new).unwrap(), b"new");
    assert_eq!((ada.epoch(), ben.epoch()), (Some(1), Some(1)));
}

#[test]
fn epochs_follow_each_other() {
    let (mut ada, mut ben) = pair();
    for n in 0..20 {
        rekey(&mut ada, &mut ben, n);
        let sealed = ada.seal(0, b"forth").unwrap();
        assert_eq!(content(&mut ben, &sealed).unwrap(), b"forth");
        let sealed = ben.seal(0, b"back").unwrap();
        assert_eq!(content(&mut ada, &sealed).unwrap(), b"back");
    }
    assert_eq!(ada.epoch(), Some(20));
}

#[test]
fn an_epoch_can_follow_an_epoch_in_which_nothing_was_said() {
    let (mut ada, mut ben) = pair();
    rekey(&mut ada, &mut ben, 1);
    rekey(&mut ada, &mut ben, 2);
    assert_eq!((ada.epoch(), ben.epoch()), (Some(2), Some(2)));
}

#[test]
fn an_epoch_is_due_by_count_by_time_and_by_turn() {
    let (mut ada, mut ben) = pair();
    assert!(!ada.rekey_due(u64::MAX), "an unused epoch is never due");
    for _ in 1..EPOCH_RECORDS {
        ada.seal(5, b"x").unwrap();
    }
    assert!(!ada.rekey_due(5));
    ada.seal(5, b"x").unwrap();
    assert!(ada.rekey_due(5));

    let (mut ada, _) = pair();
    ada.seal(1_000, b"x").unwrap();
    assert!(!ada.rekey_due(1_000 + EPOCH_MS - 1));
    assert!(ada.rekey_due(1_000 + EPOCH_MS));

    let (mut ada, mut other) = pair();
    ada.seal(1_000, b"x").unwrap();
    let sealed = other.seal(1_000, b"y").unwrap();
    ada.open(2_000, seed(1), &sealed).unwrap();
    assert!(!ada.rekey_due(1_000 + TURN_MS - 1));
    assert!(ada.rekey_due(1_000 + TURN_MS));

    for _ in 0..EPOCH_RECORDS {
        ben.seal(5, b"x").unwrap();
    }
    assert!(!ben.rekey_due(u64::MAX), "only the initiator starts epochs");
}

#[test]
fn an_epoch_under_way_is_not_due_again() {
    let (mut ada, mut ben) = pair();
    ada.seal(0, b"x").unwrap();
    assert!(ada.rekey_due(EPOCH_MS));
    ada.rekey(EPOCH_MS, seed(1)).unwrap();
    assert!(!ada.rekey_due(EPOCH_MS));
    assert_eq!(ada.rekey(0, seed(2)).err(), Some(RecordError::UnderWay));
    assert_eq!(ben.rekey(0, seed(2)).err(), Some(RecordError::NotInitiator));
    assert!(!ada.is_dead() && !ben.is_dead());
}

/// Whatever `receiver` is given, it must refuse with `error` and stay silent for ever.
fn ends(receiver: &mut Channel, bytes: &[u8], error: RecordError, next: &[u8]) {
    assert_eq!(receiver.open(0, seed(9), bytes).err(), Some(error));
    assert!(receiver.is_dead());
    assert_eq!(receiver.open(0, seed(9), next).err(), Some(RecordError::Dead));
    assert_eq!(receiver.seal(0, b"x").err(), Some(RecordError::Dead));
    assert_eq!(receiver.rekey(0, seed(1)).err(), Some(RecordError::Dead));
    assert!(!receiver.rekey_due(u64::MAX));
}

#[test]
fn a_replayed_record_ends_the_channel() {
    let (mut ada, mut ben) = pair();
    let first = ada.seal(0, b"1").unwrap();
    let second = ada.seal(0, b"2").unwrap();
    content(&mut ben, &first).unwrap();
    let error = RecordError::Unexpected { epoch: 0, expected: 1 };
    ends(&mut ben, &first, error, &second);
}

#[test]
fn a_dropped_or_reordered_record_ends_the_channel() {
    let (mut ada, mut ben) = pair();
    let first = ada.seal(0, b"1").unwrap();
    let second = ada.seal(0, b"2").unwrap();
    let error = RecordError::Unexpected { epoch: 0, expected: 0 };
    ends(&mut ben, &second, error, &first);
}

#[test]
fn a_reflected_record_ends_the_channel() {
    let (mut ada, mut ben) = pair();
    let sealed = ada.seal(0, b"1").unwrap();
    let real = ben.seal(0, b"1").unwrap();
    ends(&mut ada, &sealed, RecordError::Forged, &real);
}

#[test]
fn a_record_of_the_other_channel_or_another_session_is_refused() {
    let (mut ada, mut ben) = channels();
    let sealed = ada.signal.seal(0, b"1").unwrap();
    let real = ada.direct.seal(0, b"1").unwrap();
    ends(&mut ben.direct, &sealed, RecordError::Forged, &real);
}

#[test]
fn every_changed_byte_of_a_record_is_noticed() {
    let len = pair().0.seal(0, b"hello").unwrap().len();
    for place in 0..len {
        let (mut ada, mut ben) = pair();
        let mut sealed = ada.seal(0, b"hello").unwrap();
        sealed[place] ^= 0x40;
        assert!(ben.open(0, seed(9), &sealed).is_err(), "byte {place}");
        assert!(ben.is_dead());
    }
}

#[test]
fn a_record_cut_anywhere_or_too_long_is_refused() {
    let sealed = pair().0.seal(0, b"hello").unwrap();
    for len in 0..sealed.len() {
        let (_, mut ben) = pair();
        assert!(ben.open(0, seed(9), &sealed[..len]).is_err(), "{len} bytes");
    }
    let (_, mut ben) = pair();
    let long = vec![0; MAX_RECORD + 1];
    ends(&mut ben, &long, RecordError::Malformed, &sealed);
}

#[test]
fn a_replayed_offer_ends_the_channel() {
    let (mut ada, mut ben) = pair();
    let offer = ada.rekey(0, seed(1)).unwrap();
    ben.open(0, seed(2), &offer).unwrap();
    let error = RecordError::Unexpected { epoch: 0, expected: 1 };
    ends(&mut ben, &offer, error, &offer);
}

#[test]
fn a_record_of_the_old_epoch_is_refused_once_the_new_one_has_begun() {
    let (mut ada, mut ben) = pair();
    let (mut copy_of_ada, _) = pair();
    rekey(&mut ada, &mut ben, 1);
    let new = ada.seal(0, b"new").unwrap();
    content(&mut ben, &new).unwrap();
    copy_of_ada.rekey(0, seed(1)).unwrap();
    let late = copy_of_ada.seal(0, b"late").unwrap();
    let error = RecordError::Unexpected { epoch: 1, expected: 1 };
    ends(&mut ben, &late, error, &new);
}

#[test]
fn whoever_stole_the_keys_is_locked_out_by_the_next_epoch() {
    // Eve holds all of Ada's keys (the same seeds make the same channel) but none of her later randomness.
    let (mut ada, mut ben) = pair();
    let (mut eve, _) = pair();
    let offer = ada.rekey(0, seed(1)).unwrap();
    let Opened::Rekey(answer) = ben.open(0, seed(2), &offer).unwrap() else { unreachable!("the record is an offer") };
    assert!(matches!(ada.open(0, seed(0), &answer), Ok(Opened::Rekeyed)));
    let healed = ben.seal(0, b"healed").unwrap();
    eve.rekey(0, seed(77)).unwrap();
    assert!(eve.open(0, seed(0), &answer).is_err());
    assert_eq!(content(&mut ada, &healed).unwrap(), b"healed");
}

#[test]
fn content_may_be_64_kib_and_no_more() {
    let (mut ada, mut ben) = pair();
    let most = vec![0x33; MAX_PLAINTEXT];
    let sealed = ada.seal(0, &most).unwrap();
    assert!(sealed.len() <= MAX_RECORD);
    assert_eq!(content(&mut ben, &sealed).unwrap(), most);
    let more = vec![0x33; MAX_PLAINTEXT + 1];
    assert_eq!(ada.seal(0, &more).err(), Some(RecordError::TooLong));
    let sealed = ada.seal(0, b"still alive").unwrap();
    assert_eq!(content(&mut ben, &sealed).unwrap(), b"still alive");
}

#[test]
fn short_records_all_look_alike() {
    let (mut ada, _) = pair();
    let yes = ada.seal(0, b"yes").unwrap();
    let long = ada.seal(0, &[b'n'; 50]).unwrap();
    assert_eq!(yes.len(), long.len());
}
