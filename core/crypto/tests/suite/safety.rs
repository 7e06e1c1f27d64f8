//! Safety numbers and codes.

use sidetone_crypto::{
    identity::PublicKey,
    safety::{Comparison, Fingerprint, SafetyCode, SafetyError, SafetyNumber},
};

use crate::common::{ada, ben};

fn print(id: &[u8], key: &str) -> Fingerprint {
    let key = hex::decode(key).unwrap().try_into().unwrap();
    Fingerprint::of(id, &PublicKey::from_bytes(key).unwrap())
}

#[test]
fn the_number_is_signals_to_the_digit() {
    // libsignal, rust/protocol/src/fingerprint.rs: version 1 of the display form.
    let alice = print(b"+14152222222", "06863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868");
    let bob = print(b"+14153333333", "f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b");
    let number = SafetyNumber::new(&alice, &bob);
    assert_eq!(number.digits(), "300354477692869396892869876765458257569162576843440918079131");
    assert_eq!(number, SafetyNumber::new(&bob, &alice));
    assert!(number.to_string().starts_with("30035 44776 92869 "));
    // The same file's scannable form holds the same two hashes.
    let code = SafetyCode::new(alice, bob).encode();
    assert_eq!(hex::encode(&code[3..35]), "1e301a0353dce3dbe7684cb8336e85136cdc0ee96219494ada305d62a7bd61df");
    assert_eq!(hex::encode(&code[35..]), "d62cbf73a11592015b6b9f1682ac306fea3aaf3885b84d12bca631e9d4fb3a4d");
}

#[test]
fn scanning_says_who_is_not_who_they_seem() {
    let (a, b) = (Fingerprint::of(b"ada", &ada().public()), Fingerprint::of(b"ben", &ben().public()));
    let eve = Fingerprint::of(b"ben", &ada().public());
    let ours = SafetyCode::new(a, b);
    let scan = |code: SafetyCode| ours.compare(&SafetyCode::decode(&code.encode()).unwrap());
    assert_eq!(scan(SafetyCode::new(b, a)), Comparison::Match);
    assert_eq!(scan(SafetyCode::new(eve, a)), Comparison::TheirsDiffers);
    assert_eq!(scan(SafetyCode::new(b, eve)), Comparison::OursDiffers);
    assert_eq!(scan(SafetyCode::new(eve, eve)), Comparison::BothDiffer);
    assert_eq!(scan(ours), Comparison::BothDiffer, "our own code proves nothing");
}

#[test]
fn another_name_or_key_gives_another_number() {
    let (a, b) = (Fingerprint::of(b"ada", &ada().public()), Fingerprint::of(b"ben", &ben().public()));
    let number = SafetyNumber::new(&a, &b);
    assert_ne!(number, SafetyNumber::new(&a, &Fingerprint::of(b"bea", &ben().public())));
    assert_ne!(number, SafetyNumber::new(&a, &Fingerprint::of(b"ben", &ada().public())));
}

#[test]
fn other_codes_are_told_apart_from_newer_ones() {
    let (a, b) = (Fingerprint::of(b"ada", &ada().public()), Fingerprint::of(b"ben", &ben().public()));
    let mut code = SafetyCode::new(a, b).encode();
    for len in 0..code.len() {
        assert_eq!(SafetyCode::decode(&code[..len]), Err(SafetyError::NotACode));
    }
    assert_eq!(SafetyCode::decode(b"https://example.org"), Err(SafetyError::NotACode));
    let shown = SafetyCode::new(a, b).text();
    assert!(shown.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{shown}");
    assert_eq!(SafetyCode::parse(&format!(" {shown}\n")), SafetyCode::decode(&code));
    for len in 0..shown.len() {
        assert_eq!(SafetyCode::parse(&shown[..len]), Err(SafetyError::NotACode), "{len} characters");
    }
    for other in ["sidetone:friend/ada", "https://example.org", &"A".repeat(100_000), &"ü".repeat(45)] {
        assert_eq!(SafetyCode::parse(other), Err(SafetyError::NotACode));
    }
    code[2] = 9;
    assert_eq!(SafetyCode::decode(&code), Err(SafetyError::Version(9)));
}
