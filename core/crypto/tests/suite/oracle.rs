//! The handshakes and the record chain once more, straight down the page and with other people's primitives
//! (`aes-gcm`, `ml-kem`), compared byte for byte.

use aes_gcm::{
    Aes256Gcm,
    aead::{Aead, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac};
use ml_kem::kem::KeyExport as _;
use sha2::{Digest, Sha256};
use sidetone_crypto::{
    handshake::{Initiator, Pattern, Responder, Session},
    record::Opened,
};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::common::{ada, ben, content, seed};

type Key = [u8; 32];

const SUITE: &[u8] = b"sidetone noise v1 25519+MLKEM768 AES-256-GCM SHA-256";

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn hkdf(salt: &[u8], ikm: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let prk = hmac(salt, &[ikm]);
    let (mut okm, mut block, mut count) = (Vec::new(), Vec::new(), 0);
    while okm.len() < len {
        count += 1;
        block = hmac(&prk, &[&block, info, &[count]]).to_vec();
        okm.extend_from_slice(&block);
    }
    okm.truncate(len);
    okm
}

fn key(salt: &[u8], ikm: &[u8], info: &[u8]) -> Key {
    hkdf(salt, ikm, info, 32).try_into().unwrap()
}

fn gcm(key: &Key, nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(key.into()).encrypt(&nonce.into(), Payload { msg, aad }).unwrap()
}

fn public(secret: &Key) -> Key {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

fn dh(one: &Key, other: &Key) -> Key {
    StaticSecret::from(*one).diffie_hellman(&public(other).into()).to_bytes()
}

#[derive(Clone, Copy)]
enum Token {
    Psk,
    E,
    S,
    Ee,
    Es,
    Se,
    Ss,
    E1,
    Ekem1,
}

use Token::{E, E1, Ee, Ekem1, Es, Psk, S, Se, Ss};

/// One side's secrets, as both sides' seeds give them.
struct Side {
    s: Key,
    e: Key,
    kem: Vec<u8>,
    coins: Key,
}

impl Side {
    fn new(s: Key, seed: [u8; 32]) -> Self {
        Self {
            s,
            e: key(b"sidetone noise ephemeral v1", &seed, &0_u64.to_be_bytes()),
            kem: hkdf(b"sidetone seed v1", &seed, b"noise mlkem768 key pair", 64),
            coins: key(b"sidetone seed v1", &seed, b"noise mlkem768 encapsulation"),
        }
    }
}

/// Noise's SymmetricState (section 5.2).
struct Noise {
    h: Key,
    ck: Key,
    k: Option<Key>,
    n: u64,
}

impl Noise {
    fn new(pattern: &str, prologue: &[u8]) -> Self {
        let name = format!("Noise_{pattern}_25519+MLKEM768_AESGCM_SHA256");
        let h: Key = Sha256::digest(name.as_bytes()).into();
        let mut noise = Self { h, ck: h, k: None, n: 0 };
        noise.mix_hash(&[SUITE, prologue].concat());
        noise
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.h = Sha256::new().chain_update(self.h).chain_update(data).finalize().into();
    }

    fn mix_key(&mut self, ikm: &[u8]) {
        let okm = hkdf(&self.ck, ikm, b"", 64);
        self.ck = okm[..32].try_into().unwrap();
        self.k = Some(okm[32..].try_into().unwrap());
        self.n = 0;
    }

    fn mix_key_and_hash(&mut self, ikm: &[u8]) {
        let okm = hkdf(&self.ck, ikm, b"", 96);
        self.ck = okm[..32].try_into().unwrap();
        self.mix_hash(&okm[32..64]);
        self.k = Some(okm[64..].try_into().unwrap());
        self.n = 0;
    }

    fn encrypt_and_hash(&mut self, text: &[u8]) -> Vec<u8> {
        let out = match &self.k {
            None => text.to_vec(),
            Some(k) => {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&self.n.to_be_bytes());
                self.n += 1;
                gcm(k, nonce, &self.h, text)
            }
        };
        self.mix_hash(&out);
        out
    }

    fn root(&self) -> Key {
        key(&self.h, &hkdf(&self.ck, b"", b"", 64), b"sidetone root v1")
    }
}

/// Plays both sides of a handshake; gives its messages and what it leaves.
fn play(
    mut noise: Noise,
    script: &[&[Token]],
    (i, r): (&Side, &Side),
    psk: Option<Key>,
    payload: fn(usize) -> String,
) -> (Vec<Vec<u8>>, Noise) {
    let decapsulation = ml_kem::DecapsulationKey768::from_seed(i.kem.as_slice().try_into().unwrap());
    let mut messages = Vec::new();
    for (turn, tokens) in script.iter().enumerate() {
        let me = if turn % 2 == 0 { i } else { r };
        let mut message = Vec::new();
        for token in *tokens {
            match token {
                Psk => noise.mix_key_and_hash(&psk.unwrap()),
                E => {
                    let e = public(&me.e);
                    message.extend_from_slice(&e);
                    noise.mix_hash(&e);
                    if psk.is_some() {
                        noise.mix_key(&e);
                    }
                }
                S => message.extend(noise.encrypt_and_hash(&public(&me.s))),
                Ee => noise.mix_key(&dh(&i.e, &r.e)),
                Es => noise.mix_key(&dh(&i.e, &r.s)),
                Se => noise.mix_key(&dh(&i.s, &r.e)),
                Ss => noise.mix_key(&dh(&i.s, &r.s)),
                E1 => message.extend(noise.encrypt_and_hash(&decapsulation.encapsulation_key().to_bytes())),
                Ekem1 => {
                    let (ct, shared) = decapsulation.encapsulation_key().encapsulate_deterministic(&r.coins.into());
                    message.extend(noise.encrypt_and_hash(&ct));
                    noise.mix_key(&shared);
                }
            }
        }
        message.extend(noise.encrypt_and_hash(payload(turn).as_bytes()));
        messages.push(message);
    }
    (messages, noise)
}

fn numbered(turn: usize) -> String {
    format!("payload {turn}")
}

fn sides() -> (Side, Side) {
    (Side::new(*ada().secret(), seed(3)), Side::new(*ben().secret(), seed(4)))
}

fn prologue(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_be_bytes(), text].concat()
}

fn kk() -> (Vec<Vec<u8>>, Noise) {
    let (i, r) = sides();
    let mut noise = Noise::new("KKhfs", &prologue(b"call"));
    noise.mix_hash(&public(&i.s));
    noise.mix_hash(&public(&r.s));
    play(noise, &[&[E, Es, E1, Ss], &[E, Ee, Ekem1, Se]], (&i, &r), None, numbered)
}

/// Ada and Ben through the crate, with the seeds of [`sides`].
fn friends() -> (Vec<Vec<u8>>, Session, Session) {
    let (ada, ben) = (ada(), ben());
    let ada_keys = Pattern::Friends { own: &ada, peer: ben.public() };
    let ben_keys = Pattern::Friends { own: &ben, peer: ada.public() };
    let (waiting, one) = Initiator::start(&ada_keys, b"call", b"payload 0", seed(3)).unwrap();
    let (opened, _) = Responder::open(&ben_keys, b"call", &one, seed(4)).unwrap();
    let (other, two) = opened.answer(b"payload 1").unwrap();
    let (session, _) = waiting.finish(&two).unwrap();
    (vec![one, two], session, other)
}

#[test]
fn kkhfs_is_noise_to_the_byte() {
    let ((want, noise), (got, session, _)) = (kk(), friends());
    assert_eq!(got, want);
    assert_eq!(session.hash(), noise.h);
    let exported = key(&noise.h, &noise.root(), b"sidetone exporter v1 sas");
    assert_eq!(*session.exporter(b"sas"), exported);
}

#[test]
fn nnhfs_is_noise_to_the_byte() {
    let (i, r) = sides();
    let noise = Noise::new("NNhfs", &prologue(b"match"));
    let (want, noise) = play(noise, &[&[E, E1], &[E, Ee, Ekem1]], (&i, &r), None, numbered);
    let (_, one) = Initiator::start(&Pattern::Strangers, b"match", b"payload 0", seed(3)).unwrap();
    let (opened, _) = Responder::open(&Pattern::Strangers, b"match", &one, seed(4)).unwrap();
    let (session, two) = opened.answer(b"payload 1").unwrap();
    assert_eq!(vec![one, two], want);
    assert_eq!(session.hash(), noise.h);
}

#[test]
fn xxhfs_psk0_is_noise_to_the_byte() {
    let (i, r) = sides();
    let psk = [0x77; 32];
    let noise = Noise::new("XXhfs+psk0", &prologue(b"room"));
    let script: [&[Token]; 3] = [&[Psk, E, E1], &[E, Ee, Ekem1, S, Es], &[S, Se]];
    let (want, noise) = play(noise, &script, (&i, &r), Some(psk), numbered);
    let (ada, ben) = (ada(), ben());
    let (waiting, one) =
        Initiator::start(&Pattern::Room { own: &ada, psk: &psk }, b"room", b"payload 0", seed(3)).unwrap();
    let (opened, _) = Responder::open(&Pattern::Room { own: &ben, psk: &psk }, b"room", &one, seed(4)).unwrap();
    let (confirming, two) = opened.challenge(b"payload 1").unwrap();
    let (session, _, three) = waiting.confirm(&two, b"payload 2").unwrap();
    confirming.finish(&three).unwrap();
    assert_eq!(vec![one, two, three], want);
    assert_eq!(session.hash(), noise.h);
}

/// The keys of an epoch and the records made with them.
struct Epoch {
    forth: Key,
    back: Key,
    psk: Key,
}

impl Epoch {
    fn new(root: &Key) -> Self {
        let draw = |label: &[u8]| key(b"sidetone epoch v1", root, label);
        Self {
            forth: draw(b"chain of the initiator"),
            back: draw(b"chain of the responder"),
            psk: draw(b"psk of the next epoch"),
        }
    }
}

fn padme(len: usize) -> usize {
    if len <= 64 {
        return 64;
    }
    let e = (len as f64).log2().floor() as u32;
    let s = f64::from(e).log2().floor() as u32 + 1;
    let step = 1 << (e - s);
    len.div_ceil(step) * step
}

fn record(chain: &mut Key, purpose: &[u8], epoch: u32, number: u32, kind: u8, content: &[u8]) -> Vec<u8> {
    let mk = hmac(chain, &[&[1]]);
    *chain = hmac(chain, &[&[2]]);
    let header = [epoch.to_be_bytes(), number.to_be_bytes()].concat();
    let mut text = [&[kind], (content.len() as u32).to_be_bytes().as_slice(), content].concat();
    text.resize(padme(text.len()), 0);
    let sealed = gcm(&mk, [0; 12], &[purpose, &header].concat(), &text);
    [header, sealed].concat()
}

#[test]
fn records_and_epochs_are_the_chain_on_the_page_to_the_byte() {
    let (_, noise) = kk();
    let (_, ada, ben) = friends();
    let (mut ada, mut ben) = (ada.channels().direct, ben.channels().direct);
    let root = key(&noise.h, &noise.root(), b"sidetone channel v1 direct");
    let mut old = Epoch::new(&root);
    for (number, len) in [0, 1, 59, 60, 100, 1_000, 66_000].into_iter().enumerate() {
        let text = vec![7; len];
        let want = record(&mut old.forth, b"direct", 0, number as u32, 0, &text);
        let got = ada.seal(0, &text).unwrap();
        assert_eq!(got, want, "{len} bytes");
        assert_eq!(content(&mut ben, &got).unwrap(), text);
    }
    let (mut forth_number, mut back_number) = (7, 0);
    for number in 1..=3 {
        let (i, r) = (Side::new([0; 32], seed(5)), Side::new([0; 32], seed(6)));
        let place = [b"epoch direct".as_slice(), &u32::to_be_bytes(number), &noise.h].concat();
        let script: [&[Token]; 2] = [&[Psk, E, E1], &[E, Ee, Ekem1]];
        let start = Noise::new("NNhfs+psk0", &place);
        let (messages, end) = play(start, &script, (&i, &r), Some(old.psk), |_| String::new());
        let offer = ada.rekey(0, seed(5)).unwrap();
        assert_eq!(offer, record(&mut old.forth, b"direct", number - 1, forth_number, 1, &messages[0]));
        let Opened::Rekey(answer) = ben.open(0, seed(6), &offer).unwrap() else {
            unreachable!("the record is an offer")
        };
        assert_eq!(answer, record(&mut old.back, b"direct", number - 1, back_number, 2, &messages[1]));
        assert!(matches!(ada.open(0, seed(0), &answer), Ok(Opened::Rekeyed)));
        let mut new = Epoch::new(&end.root());
        let (hi, ho) = (ada.seal(0, b"hi").unwrap(), ben.seal(0, b"ho").unwrap());
        assert_eq!(hi, record(&mut new.forth, b"direct", number, 0, 0, b"hi"));
        assert_eq!(ho, record(&mut new.back, b"direct", number, 0, 0, b"ho"));
        assert_eq!(content(&mut ben, &hi).unwrap(), b"hi");
        assert_eq!(content(&mut ada, &ho).unwrap(), b"ho");
        (old, forth_number, back_number) = (new, 1, 1);
    }
}
