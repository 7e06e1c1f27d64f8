//! Handshakes between honest people, and against everyone else.

use sidetone_crypto::{
    handshake::{HandshakeError, Initiator, MAX_MESSAGE, MAX_PAYLOAD, Pattern, Responder, ephemeral_of},
    identity::{Identity, IdentityError, PublicKey},
};

use crate::common::{PROLOGUE, ada, ben, friends, seed};

const PSK: [u8; 32] = [0x77; 32];

#[test]
fn friends_agree_on_one_session_and_know_each_other() {
    let (one, other) = friends();
    assert_eq!(one.hash(), other.hash());
    assert_eq!(one.peer(), Some(ben().public()));
    assert_eq!(other.peer(), Some(ada().public()));
    assert_eq!(one.exporter(b"a"), other.exporter(b"a"));
    assert_ne!(one.exporter(b"a"), one.exporter(b"b"));
}

#[test]
fn the_same_seeds_give_the_same_session_and_others_another() {
    assert_eq!(friends().0.hash(), friends().0.hash());
    let ada = ada();
    let keys = Pattern::Friends { own: &ada, peer: ben().public() };
    let start = |n| Initiator::start(&keys, PROLOGUE, b"", seed(n)).unwrap().1;
    assert_eq!(start(3), start(3));
    assert_ne!(start(3), start(4));
}

#[test]
fn strangers_meet_without_keys() {
    let (waiting, message1) = Initiator::start(&Pattern::Strangers, b"p", b"hi", seed(1)).unwrap();
    let (opened, hi) = Responder::open(&Pattern::Strangers, b"p", &message1, seed(2)).unwrap();
    assert_eq!(hi, b"hi");
    let (other, message2) = opened.answer(b"ho").unwrap();
    let (one, ho) = waiting.finish(&message2).unwrap();
    assert_eq!(ho, b"ho");
    assert_eq!(one.hash(), other.hash());
    assert_eq!((one.peer(), other.peer()), (None, None));
}

#[test]
fn members_of_a_room_show_each_other_their_keys() {
    let (ada, ben) = (ada(), ben());
    let room = |own| Pattern::Room { own, psk: &PSK };
    let (waiting, message1) = Initiator::start(&room(&ada), b"r", b"1", seed(1)).unwrap();
    let (opened, one) = Responder::open(&room(&ben), b"r", &message1, seed(2)).unwrap();
    let (confirming, message2) = opened.challenge(b"2").unwrap();
    let (ada_session, two, message3) = waiting.confirm(&message2, b"3").unwrap();
    let (ben_session, three) = confirming.finish(&message3).unwrap();
    assert_eq!([one, two, three].concat(), b"123");
    assert_eq!(ada_session.hash(), ben_session.hash());
    assert_eq!(ada_session.peer(), Some(ben.public()));
    assert_eq!(ben_session.peer(), Some(ada.public()));
    for clear in [ada.public(), ben.public()] {
        for message in [&message1, &message2, &message3] {
            assert!(!message.windows(32).any(|window| window == clear.as_bytes()));
        }
    }
}

#[test]
fn who_does_not_know_the_rooms_secret_is_not_even_answered() {
    let (ada, ben) = (ada(), ben());
    let inside = Pattern::Room { own: &ada, psk: &PSK };
    let outside = Pattern::Room { own: &ben, psk: &[0x78; 32] };
    let (_, message1) = Initiator::start(&outside, b"r", b"", seed(1)).unwrap();
    let refused = Responder::open(&inside, b"r", &message1, seed(2)).err();
    assert_eq!(refused, Some(HandshakeError::Refused));
}

#[test]
fn a_pattern_has_only_its_own_messages() {
    let ada = ada();
    let room = Pattern::Room { own: &ada, psk: &PSK };
    let wrong = Some(HandshakeError::WrongStep);
    let (waiting, message1) = Initiator::start(&room, b"r", b"", seed(1)).unwrap();
    assert_eq!(waiting.finish(&[0; 1_200]).err(), wrong);
    let (opened, _) = Responder::open(&room, b"r", &message1, seed(2)).unwrap();
    assert_eq!(opened.answer(b"").err(), wrong);
    let (waiting, message1) = Initiator::start(&Pattern::Strangers, b"", b"", seed(1)).unwrap();
    assert_eq!(waiting.confirm(&[0; 1_200], b"").err(), wrong);
    let (opened, _) = Responder::open(&Pattern::Strangers, b"", &message1, seed(2)).unwrap();
    assert_eq!(opened.challenge(b"").err(), wrong);
}

#[test]
fn another_prologue_version_or_policy_is_refused() {
    let (ada, ben) = (ada(), ben());
    let ada_keys = Pattern::Friends { own: &ada, peer: ben.public() };
    let ben_keys = Pattern::Friends { own: &ben, peer: ada.public() };
    let (_, message1) = Initiator::start(&ada_keys, b"v1", b"", seed(3)).unwrap();
    for other in [b"v2".as_slice(), b"", b"v1 ", b"v"] {
        let refused = Responder::open(&ben_keys, other, &message1, seed(4)).err();
        assert_eq!(refused, Some(HandshakeError::Refused));
    }
}

#[test]
fn a_stranger_cannot_pose_as_a_friend() {
    let (ada, ben, eve) = (ada(), ben(), Identity::from_seed(seed(66)));
    let eve_as_ada = Pattern::Friends { own: &eve, peer: ben.public() };
    let ben_keys = Pattern::Friends { own: &ben, peer: ada.public() };
    let (_, message1) = Initiator::start(&eve_as_ada, PROLOGUE, b"", seed(3)).unwrap();
    let refused = Responder::open(&ben_keys, PROLOGUE, &message1, seed(4)).err();
    assert_eq!(refused, Some(HandshakeError::Refused));
}

#[test]
fn who_has_stolen_my_key_cannot_answer_me_as_my_friend() {
    // Key-compromise impersonation: Eve holds Ada's secret and wants to take Ada's call in Ben's place.
    let (ada, stolen, eve) = (ada(), ada(), Identity::from_seed(seed(66)));
    let ada_keys = Pattern::Friends { own: &ada, peer: ben().public() };
    let (waiting, message1) = Initiator::start(&ada_keys, PROLOGUE, b"", seed(3)).unwrap();
    for own in [&stolen, &eve] {
        for peer in [ada.public(), ben().public()] {
            let keys = Pattern::Friends { own, peer };
            assert!(Responder::open(&keys, PROLOGUE, &message1, seed(4)).is_err());
        }
    }
    // The best answer Eve can make up: a good one to a call that she placed to herself as Ada.
    let to_eve = Pattern::Friends { own: &stolen, peer: eve.public() };
    let (_, own_call) = Initiator::start(&to_eve, PROLOGUE, b"", seed(3)).unwrap();
    let as_eve = Pattern::Friends { own: &eve, peer: ada.public() };
    let (opened, _) = Responder::open(&as_eve, PROLOGUE, &own_call, seed(4)).unwrap();
    let (_, answer) = opened.answer(b"").unwrap();
    assert_eq!(waiting.finish(&answer).err(), Some(HandshakeError::Refused));
}

#[test]
fn every_changed_byte_of_every_message_is_noticed() {
    let (ada, ben) = (ada(), ben());
    let ada_keys = Pattern::Friends { own: &ada, peer: ben.public() };
    let ben_keys = Pattern::Friends { own: &ben, peer: ada.public() };
    let (_, message1) = Initiator::start(&ada_keys, PROLOGUE, b"t", seed(3)).unwrap();
    let (opened, _) = Responder::open(&ben_keys, PROLOGUE, &message1, seed(4)).unwrap();
    let (_, message2) = opened.answer(b"t").unwrap();
    assert!(message1.len() + message2.len() <= 2_500);
    // The key, the post-quantum part, its tag and the payload are all within a stride of 13.
    for place in (0..message1.len()).step_by(13) {
        let mut changed = message1.clone();
        changed[place] ^= 1;
        let opened = Responder::open(&ben_keys, PROLOGUE, &changed, seed(4));
        assert!(opened.is_err(), "byte {place} of message 1");
    }
    for place in (0..message2.len()).step_by(13) {
        let mut changed = message2.clone();
        changed[place] ^= 1;
        let (waiting, _) = Initiator::start(&ada_keys, PROLOGUE, b"t", seed(3)).unwrap();
        assert!(waiting.finish(&changed).is_err(), "byte {place} of message 2");
    }
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    let (_, message1) = Initiator::start(&Pattern::Strangers, b"", b"", seed(3)).unwrap();
    for len in 0..message1.len() {
        let cut = &message1[..len];
        let opened = Responder::open(&Pattern::Strangers, b"", cut, seed(4));
        assert_eq!(opened.err(), Some(HandshakeError::Malformed), "{len} bytes");
    }
}

#[test]
fn a_handshake_without_its_post_quantum_part_is_refused() {
    // What a purely classical peer would send: the X25519 key and the payload.
    let (_, message1) = Initiator::start(&Pattern::Strangers, b"", b"hi", seed(3)).unwrap();
    let stripped = [&message1[..32], &message1[32 + 1_184..]].concat();
    let opened = Responder::open(&Pattern::Strangers, b"", &stripped, seed(4));
    assert_eq!(opened.err(), Some(HandshakeError::Malformed));
}

#[test]
fn a_malformed_ml_kem_key_is_refused() {
    // Coefficients of 4,095 are above q = 3,329: FIPS 203, section 7.2, "modulus check".
    let (_, mut message1) = Initiator::start(&Pattern::Strangers, b"", b"", seed(3)).unwrap();
    message1[32..64].fill(0xff);
    let (opened, _) = Responder::open(&Pattern::Strangers, b"", &message1, seed(4)).unwrap();
    assert_eq!(opened.answer(b"").err(), Some(HandshakeError::MalformedKem));
}

#[test]
fn points_of_low_order_are_refused_everywhere() {
    for point in low_order_points() {
        assert_eq!(PublicKey::from_bytes(point), Err(IdentityError::LowOrder));
        let (_, mut message1) = Initiator::start(&Pattern::Strangers, b"", b"", seed(3)).unwrap();
        message1[..32].copy_from_slice(&point);
        let (opened, _) = Responder::open(&Pattern::Strangers, b"", &message1, seed(4)).unwrap();
        assert_eq!(opened.answer(b"").err(), Some(HandshakeError::LowOrder));
    }
}

/// The points of order 1, 2, 4 and 8 on the curve and its twist, and their other encodings.
fn low_order_points() -> Vec<[u8; 32]> {
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ]
    .iter()
    .map(|point| hex::decode(point).unwrap().try_into().unwrap())
    .collect()
}

#[test]
fn a_message_reflected_to_its_sender_is_refused() {
    let (ada, ben) = (ada(), ben());
    let ada_keys = Pattern::Friends { own: &ada, peer: ben.public() };
    let (waiting, message1) = Initiator::start(&ada_keys, PROLOGUE, b"", seed(3)).unwrap();
    assert!(Responder::open(&ada_keys, PROLOGUE, &message1, seed(4)).is_err());
    assert!(waiting.finish(&message1).is_err());
}

#[test]
fn an_answer_to_another_call_is_refused() {
    let (ada, ben) = (ada(), ben());
    let ada_keys = Pattern::Friends { own: &ada, peer: ben.public() };
    let ben_keys = Pattern::Friends { own: &ben, peer: ada.public() };
    let (_, old) = Initiator::start(&ada_keys, PROLOGUE, b"", seed(3)).unwrap();
    let (opened, _) = Responder::open(&ben_keys, PROLOGUE, &old, seed(4)).unwrap();
    let (_, old_answer) = opened.answer(b"").unwrap();
    let (waiting, _) = Initiator::start(&ada_keys, PROLOGUE, b"", seed(5)).unwrap();
    assert_eq!(waiting.finish(&old_answer).err(), Some(HandshakeError::Refused));
}

#[test]
fn a_replayed_call_shows_the_same_ephemeral_key() {
    let ada = ada();
    let keys = Pattern::Friends { own: &ada, peer: ben().public() };
    let start = |n| Initiator::start(&keys, PROLOGUE, b"", seed(n)).unwrap().1;
    assert_eq!(ephemeral_of(&start(3)), ephemeral_of(&start(3)));
    assert_ne!(ephemeral_of(&start(3)), ephemeral_of(&start(4)));
    assert_eq!(ephemeral_of(&[0; 100]), None);
    assert_eq!(ephemeral_of(&vec![0; MAX_MESSAGE + 1]), None);
}

#[test]
fn payloads_have_a_limit_at_both_ends() {
    let most = vec![7; MAX_PAYLOAD];
    let (_, message1) = Initiator::start(&Pattern::Strangers, b"", &most, seed(1)).unwrap();
    let (_, payload) = Responder::open(&Pattern::Strangers, b"", &message1, seed(2)).unwrap();
    assert_eq!(payload, most);
    let more = vec![7; MAX_PAYLOAD + 1];
    let started = Initiator::start(&Pattern::Strangers, b"", &more, seed(1)).err();
    assert_eq!(started, Some(HandshakeError::TooLong));
    let opened = Responder::open(&Pattern::Strangers, b"", &[1; MAX_MESSAGE + 1], seed(2)).err();
    assert_eq!(opened, Some(HandshakeError::Malformed));
}

#[test]
fn an_identity_survives_being_stored() {
    let ada = ada();
    let again = Identity::from_bytes(&ada.secret());
    assert_eq!(again.public(), ada.public());
    assert_eq!(format!("{:?}", ada.public()).len(), "PublicKey(01234567)".len());
}
