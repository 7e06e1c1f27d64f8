//! The server's half of OPAQUE against the half that phones run.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use sidetone_crypto::login::{Cost, Identifiers, Login, Registration};
use sidetone_wire::account::*;

fn identifiers(name: &str) -> Identifiers<'_> {
    Identifiers { name: name.as_bytes(), server: b"sidetone" }
}

fn opaque(reply: Result<Reply, Code>) -> OpaqueReply {
    match reply {
        Ok(Reply::Opaque(opaque)) => opaque,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_phone_registers_and_logs_in_with_its_own_cryptography() {
    let mut world = World::new();
    let mut ada = Phone::new("Ada");
    ada.connect(&mut world);
    let (identity, device) = (ada.identity, ada.device);
    let start = |message: Vec<u8>| OpaqueStart { name: "Ada".into(), message: message.into() };

    let (registration, message) = Registration::start(b"correct horse", [1; 32]).unwrap();
    let reply = opaque(ada.ask(&mut world, Request::RegisterStart(start(message))));
    assert_eq!(reply.name, "ada");
    let upload = registration.finish(&reply.message, identifiers(&reply.name), [2; 32], Cost::Least).unwrap();
    let (ticket, record, email) = (reply.ticket, upload.into(), "ada@example.org".into());
    let finish = RegisterFinish { ticket, record, email, identity, device };
    let reply = ada.ask(&mut world, Request::RegisterFinish(finish)).unwrap();
    assert!(matches!(reply, Reply::SignedIn(_)));

    let mut later = Phone::new("Ada");
    later.connect(&mut world);
    for (password, right) in [(&b"wrong horse"[..], false), (b"correct horse", true)] {
        let (login, message) = Login::start(password, [3; 32]).unwrap();
        let reply = opaque(later.ask(&mut world, Request::LoginStart(start(message))));
        let finished = login.finish(&reply.message, identifiers(&reply.name), [4; 32], Cost::Least);
        assert_eq!(finished.is_ok(), right);
        let Ok((message, _)) = finished else { continue };
        let finish = LoginFinish { ticket: reply.ticket, message: message.into(), identity, device };
        assert!(matches!(later.ask(&mut world, Request::LoginFinish(finish)), Ok(Reply::SignedIn(_))));
    }
}
