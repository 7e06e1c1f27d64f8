//! CPace: the draft's vectors, and an independent implementation on the other side of the table.

use std::{env, fs, path::Path};

use curve25519_dalek::{
    Scalar,
    ristretto::{CompressedRistretto, RistrettoPoint},
};
use pakery_cpace::{CpaceInitiator, CpaceMode, CpaceResponder};
use pakery_crypto::suites::CpaceRistretto255;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::hex;
use crate::cpace::{Agreed, CpaceError, Known, Party, Role, concat, generator};

/// Section "Test vectors for CPace using group ristretto255 and hash SHA-512" of draft 21.
fn draft() -> Value {
    json!({
        "PRS": "50617373776F7264",
        "CI": "0B415F696E69746961746F720B425F726573706F6E646572",
        "sid": "7E4B4791D6A8EF019B936C79FB7F2C57",
        "g": "222B6B195FE84B1652BADB6F6A3AE3D24341E7306967F0B8115B40D5698C7E56",
        "ya": "DA3D23700A9E5699258AEF94DC060DFDA5EBB61F02A5EA77FAD53F4FF0976D08",
        "ADa": "414461",
        "Ya": "D6BAC480F2C386C394EFC7C47ADB9925DCD2630B64F240C50F8D0EEC482B9157",
        "yb": "D2316B454718C35362D83D69DF6320F38578ED5984651435E2949762D900B80D",
        "ADb": "414462",
        "Yb": "3EA7E0B19560D7C0B0F5734F63B955286DFA8232B5EBE63324E2D9E7433F7258",
        "ISK_IR": "B69EFFBF61B51D56401C0F65601ABE428DE8206FEAAF0E32198896DCAE7B35CD2B38950A39DFD5D4A79164614C2984F7DAA460\
                   B588C1E80C3FA2068AF7900447",
    })
}

fn check(vector: &Value) {
    let bytes = |name: &str| hex(vector[name].as_str().unwrap());
    let scalar = |name: &str| {
        Zeroizing::new(Option::<Scalar>::from(Scalar::from_canonical_bytes(bytes(name).try_into().unwrap())).unwrap())
    };
    let (password, channel, session) = (bytes("PRS"), bytes("CI"), bytes("sid"));
    let known = Known { password: &password, channel: &channel, session: &session };
    assert_eq!(generator(known).compress().to_bytes().to_vec(), bytes("g"));
    let a = Party::with_scalar(Role::Initiator, known, &bytes("ADa"), scalar("ya"));
    let b = Party::with_scalar(Role::Responder, known, &bytes("ADb"), scalar("yb"));
    let (a_share, b_share) = (a.share(), b.share());
    assert_eq!((a_share.to_vec(), b_share.to_vec()), (bytes("Ya"), bytes("Yb")));
    let (a, b) = (a.agree(&b_share, &bytes("ADb")).unwrap(), b.agree(&a_share, &bytes("ADa")).unwrap());
    assert_eq!(a.unconfirmed().to_vec(), bytes("ISK_IR"));
    let (a_tag, b_tag) = (a.tag(), b.tag());
    assert_ne!(a_tag, b_tag);
    assert_eq!(a.confirm(&b_tag).unwrap().to_vec(), bytes("ISK_IR"));
    assert_eq!(b.confirm(&a_tag).unwrap().to_vec(), bytes("ISK_IR"));
}

#[test]
fn cpace_gives_what_the_draft_says() {
    check(&draft());
    let Ok(folder) = env::var("SIDETONE_VECTORS") else { return };
    let file = fs::read_to_string(Path::new(&folder).join("cpace-draft.json")).unwrap();
    let all: Value = serde_json::from_str(&file).unwrap();
    check(&all["G_Coffee25519"]);
    let points = &all["G_Coffee25519_points"];
    let bytes = |value: &Value| <[u8; 32]>::try_from(hex(value.as_str().unwrap())).unwrap();
    let scalar = Scalar::from_bytes_mod_order(bytes(&points["Valid"]["s"]));
    let point = CompressedRistretto(bytes(&points["Valid"]["X"])).decompress().unwrap();
    let product = (point * scalar).compress().to_bytes();
    assert_eq!(product, bytes(&points["Valid"]["G.scalar_mult(s,decode(X))"]));
    for name in ["Invalid Y1", "Invalid Y2"] {
        assert_eq!(agree_with(&bytes(&points[name])).err(), Some(CpaceError::Share), "{name}");
    }
}

#[test]
fn lengths_are_written_as_the_draft_says() {
    assert_eq!(concat(&[b"1234", b"5", b"", b"6789"]), hex("04313233340135000436373839"));
    for (length, prefix) in [(127, "7f"), (128, "8001"), (300, "ac02"), (16_384, "808001")] {
        let part = vec![7; length];
        assert_eq!(concat(&[&part]), [hex(prefix), part].concat());
    }
}

fn known() -> Known<'static> {
    Known { password: b"acid lemon", channel: b"a channel", session: b"a session of its own" }
}

fn agree_with(share: &[u8; 32]) -> Result<Agreed, CpaceError> {
    Party::start(Role::Responder, known(), b"b", [1; 32]).agree(share, b"a")
}

#[test]
fn a_share_that_is_no_element_or_the_neutral_one_is_refused() {
    let twisted = "2B3C6B8C4F3800E7AEF6864025B4ED79BD599117E427C41BD47D93D654B4A51C";
    for share in [[0; 32], [0xff; 32], hex(twisted).try_into().unwrap()] {
        assert_eq!(agree_with(&share).err(), Some(CpaceError::Share));
    }
    let element = RistrettoPoint::from_uniform_bytes(&[9; 64]).compress().to_bytes();
    assert!(agree_with(&element).is_ok(), "an element is taken");
}

#[test]
fn cpace_agrees_with_an_independent_implementation_in_both_roles() {
    let Known { password, channel, session } = known();
    for n in 0..20 {
        let mut rng = ChaCha20Rng::from_seed([n; 32]);
        let mode = CpaceMode::InitiatorResponder;
        let ours = Party::start(Role::Initiator, known(), b"ours", [n; 32]);
        let (share, theirs) = CpaceResponder::<CpaceRistretto255>::respond(
            &ours.share(),
            password,
            channel,
            session,
            b"ours",
            b"theirs",
            mode,
            &mut rng,
        )
        .unwrap();
        let ours = ours.agree(&share.try_into().unwrap(), b"theirs").unwrap();
        assert_eq!(ours.unconfirmed().as_slice(), theirs.isk.as_bytes());

        let (share, waiting) =
            CpaceInitiator::<CpaceRistretto255>::start(password, channel, session, b"theirs", &mut rng).unwrap();
        let ours = Party::start(Role::Responder, known(), b"ours", [n; 32]);
        let our_share = ours.share();
        let ours = ours.agree(&share.try_into().unwrap(), b"theirs").unwrap();
        let theirs = waiting.finish(&our_share, b"ours", mode).unwrap();
        assert_eq!(ours.unconfirmed().as_slice(), theirs.isk.as_bytes());
    }
}
