//! Doors for the fuzzer: each takes any bytes, hands them to a decoder in a fixed state, and must return.
//!
//! Nothing here is used by an app.

use crate::{
    code::{Holder, Knock, Open, SpokenCode},
    handshake::{Confirming, Initiator, Pattern, Responder, Session, ephemeral_of},
    identity::{Identity, PublicKey},
    login::{Cost, Identifiers, Login, Registration},
    record::{Channel, Opened},
    room::{Invitation, Ticket},
    safety::SafetyCode,
    sframe::{BaseKey, Opener, codec::Header},
    vault::{Place, Vault},
};

const PSK: [u8; 32] = [7; 32];
const NAMES: Identifiers<'_> = Identifiers { name: b"ada", server: b"here" };

/// Message 1 of every pattern, answered if it opens.
pub fn message1(bytes: &[u8]) {
    let _ = ephemeral_of(bytes);
    let (ada, ben) = people();
    let patterns = [
        Pattern::Friends { own: &ben, peer: ada.public() },
        Pattern::Room { own: &ben, psk: &PSK },
        Pattern::Strangers,
    ];
    for pattern in &patterns {
        if let Ok((opened, _)) = Responder::open(pattern, b"", bytes, [4; 32]) {
            let _ = opened.answer(b"");
        }
    }
}

/// Message 2 of every pattern.
pub fn message2(bytes: &[u8]) {
    let (ada, ben) = people();
    let friends = Pattern::Friends { own: &ada, peer: ben.public() };
    for pattern in [&friends, &Pattern::Strangers] {
        if let Ok((waiting, _)) = Initiator::start(pattern, b"", b"", [3; 32]) {
            let _ = waiting.finish(bytes);
        }
    }
    let room = Pattern::Room { own: &ada, psk: &PSK };
    if let Ok((waiting, _)) = Initiator::start(&room, b"", b"", [3; 32]) {
        let _ = waiting.confirm(bytes, b"");
    }
}

/// Message 3 of a room.
pub fn message3(bytes: &[u8]) {
    if let Some(confirming) = confirming() {
        let _ = confirming.finish(bytes);
    }
}

/// A record from anyone, at both ends.
pub fn record(bytes: &[u8]) {
    if let Some((mut ada, mut ben)) = signal() {
        let _ = ada.open(0, [5; 32], bytes);
        let _ = ben.open(0, [5; 32], bytes);
    }
}

/// What a hostile peer who holds the keys puts inside a record: kind, length, padding, offers and answers.
pub fn record_inside(bytes: &[u8]) {
    let Some((mut ada, mut ben)) = signal() else { return };
    if let Ok(sealed) = ada.seal_hostile(bytes)
        && let Ok(Opened::Rekey(answer)) = ben.open(0, [5; 32], &sealed)
    {
        let _ = ada.open(0, [6; 32], &answer);
    }
    let Some((mut ada, mut ben)) = signal() else { return };
    let Ok(_) = ada.rekey(0, [5; 32]) else { return };
    if let Ok(sealed) = ben.seal_hostile(bytes) {
        let _ = ada.open(0, [5; 32], &sealed);
    }
}

/// A media frame, from its first byte.
pub fn frame(bytes: &[u8]) {
    let _ = Header::parse(bytes);
    let base = BaseKey::from_seed([1; 32]);
    let mut opener = Opener::new();
    let mut out = Vec::new();
    if opener.insert(0, &base).is_ok() && opener.insert(1, &base).is_ok() {
        let _ = opener.open(bytes, &mut out);
        let _ = opener.open(bytes, &mut out);
    }
    if let Ok(base) = BaseKey::from_bytes(bytes) {
        let _ = base.stepped();
    }
}

/// A scanned safety code, and a public key.
pub fn safety_code(bytes: &[u8]) {
    if let Ok(code) = SafetyCode::decode(bytes) {
        assert_eq!(SafetyCode::parse(&code.text()), Ok(code), "what is read can be read again");
    }
    if let Some(code) = str::from_utf8(bytes).ok().and_then(|text| SafetyCode::parse(text).ok()) {
        assert_eq!(SafetyCode::decode(&code.encode()), Ok(code), "what is read can be read again");
    }
    if let Some(key) = bytes.first_chunk() {
        let _ = PublicKey::from_bytes(*key);
    }
}

/// A pasted or scanned link of a room, and an invitation that came another way. What is read prints as it was meant.
pub fn ticket(bytes: &[u8]) {
    let _ = Invitation::from_bytes(bytes);
    let Some(ticket) = str::from_utf8(bytes).ok().and_then(|text| Ticket::parse(text).ok()) else { return };
    let again = Ticket::parse(&ticket.text()).map(|again| again.text() == ticket.text());
    assert!(again.is_ok_and(|same| same), "what is read can be read again");
}

/// A typed code, and every message of a run with it.
pub fn spoken_code(bytes: &[u8]) {
    if let Some(code) = str::from_utf8(bytes).ok().and_then(|text| SpokenCode::parse(text).ok()) {
        assert!(SpokenCode::parse(&code.to_string()).is_ok_and(|same| same == code), "what is read can be read again");
    }
    let Ok(code) = SpokenCode::from_seed(7, Open::Shortly, [1; 32]) else { return };
    if let Ok((holder, _)) = Holder::answer(&code, "here", bytes, [2; 32]) {
        let _ = holder.give(bytes, b"gift");
    }
    let (knock, one) = Knock::start(&code, "here", [3; 32]);
    let Ok((holder, two)) = Holder::answer(&code, "here", &one, [2; 32]) else { return };
    let _ = holder.give(bytes, b"gift");
    let _ = knock.prove(bytes);
    let (knock, _) = Knock::start(&code, "here", [3; 32]);
    if let Ok((proved, _)) = knock.prove(&two) {
        let _ = proved.open(bytes);
    }
}

/// A wrapped master key and a sealed value.
pub fn vault(bytes: &[u8]) {
    let key = [1; 32];
    let _ = Vault::unlock(&key, bytes);
    let (vault, _) = Vault::create(&key, [2; 32]);
    let place = Place { table: "t", column: "c", row: bytes, version: 1 };
    let _ = vault.open(place, bytes);
}

/// The server's answers to a registration and a login.
pub fn login(bytes: &[u8]) {
    if let Ok((registration, _)) = Registration::start(b"secret", [1; 32]) {
        let _ = registration.finish(bytes, NAMES, [2; 32], Cost::Least);
    }
    if let Ok((login, _)) = Login::start(b"secret", [1; 32]) {
        let _ = login.finish(bytes, NAMES, [2; 32], Cost::Least);
    }
}

fn people() -> (Identity, Identity) {
    (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]))
}

fn strangers() -> Option<(Session, Session)> {
    let (waiting, one) = Initiator::start(&Pattern::Strangers, b"", b"", [3; 32]).ok()?;
    let (opened, _) = Responder::open(&Pattern::Strangers, b"", &one, [4; 32]).ok()?;
    let (ben, two) = opened.answer(b"").ok()?;
    let (ada, _) = waiting.finish(&two).ok()?;
    Some((ada, ben))
}

fn signal() -> Option<(Channel, Channel)> {
    let (ada, ben) = strangers()?;
    Some((ada.channels().signal, ben.channels().signal))
}

fn confirming() -> Option<Confirming> {
    let (ada, ben) = people();
    let (_, one) = Initiator::start(&Pattern::Room { own: &ada, psk: &PSK }, b"", b"", [3; 32]).ok()?;
    let (opened, _) = Responder::open(&Pattern::Room { own: &ben, psk: &PSK }, b"", &one, [4; 32]).ok()?;
    let (confirming, _) = opened.challenge(b"").ok()?;
    Some(confirming)
}
