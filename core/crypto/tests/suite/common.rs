//! Two people and their channels.

use sidetone_crypto::{
    handshake::{Channels, Initiator, Pattern, Responder, Session},
    identity::Identity,
    record::{Channel, Opened, RecordError},
};

pub const PROLOGUE: &[u8] = b"v1 ada ben call 7";

/// Seeds that differ by their first byte.
pub fn seed(n: u8) -> [u8; 32] {
    let mut seed = [0x5e; 32];
    seed[0] = n;
    seed
}

pub fn ada() -> Identity {
    Identity::from_seed(seed(1))
}

pub fn ben() -> Identity {
    Identity::from_seed(seed(2))
}

/// Ada calls Ben; gives both sessions.
pub fn friends() -> (Session, Session) {
    let (ada, ben) = (ada(), ben());
    let (ada_keys, ben_keys) =
        (Pattern::Friends { own: &ada, peer: ben.public() }, Pattern::Friends { own: &ben, peer: ada.public() });
    let (waiting, message1) = Initiator::start(&ada_keys, PROLOGUE, b"", seed(3)).unwrap();
    let (opened, _) = Responder::open(&ben_keys, PROLOGUE, &message1, seed(4)).unwrap();
    let (ben_session, message2) = opened.answer(b"").unwrap();
    let (ada_session, _) = waiting.finish(&message2).unwrap();
    (ada_session, ben_session)
}

pub fn channels() -> (Channels, Channels) {
    let (ada, ben) = friends();
    (ada.channels(), ben.channels())
}

/// The signal channels of Ada, who began, and Ben.
pub fn pair() -> (Channel, Channel) {
    let (ada, ben) = channels();
    (ada.signal, ben.signal)
}

/// Opens a record that must hold content.
pub fn content(channel: &mut Channel, bytes: &[u8]) -> Result<Vec<u8>, RecordError> {
    match channel.open(0, seed(9), bytes)? {
        Opened::Data(content) => Ok(content.to_vec()),
        Opened::Rekey(_) | Opened::Rekeyed => unreachable!("the record holds content"),
    }
}

/// A whole epoch change started by `initiator`.
pub fn rekey(initiator: &mut Channel, responder: &mut Channel, n: u8) {
    let offer = initiator.rekey(0, seed(n)).unwrap();
    let Opened::Rekey(answer) = responder.open(0, seed(n ^ 0x80), &offer).unwrap() else {
        unreachable!("the record is an offer");
    };
    assert!(matches!(initiator.open(0, seed(0), &answer), Ok(Opened::Rekeyed)));
}
