//! Registration, login, tokens, devices.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use sidetone_wire::account::*;
use sidetone_wire::frame::*;
use sidetone_wire::id::*;

#[test]
fn an_account_is_made_and_its_token_opens_later_sockets() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "Ada");
    ada.drop_socket(&mut world);
    ada.session = None;
    assert!(!ada.connect(&mut world));
    assert_eq!(ada.roster(&mut world), []);
}

#[test]
fn the_right_password_opens_the_account_and_a_wrong_one_does_not() {
    let mut world = World::new();
    let first = Phone::registered(&mut world, "ada");
    let mut again = Phone::new("ADA");
    again.password = first.password.clone();
    again.connect(&mut world);
    again.login(&mut world).unwrap();
    assert_eq!(again.user, first.user);

    let mut thief = Phone::new("ada");
    thief.password = "password of bob".into();
    thief.connect(&mut world);
    assert_eq!(thief.login(&mut world), Err(Code::WrongLogin));
}

#[test]
fn a_server_that_is_asked_to_believe_a_forged_login_refuses_it() {
    let mut world = World::new();
    Phone::registered(&mut world, "ada");
    let mut thief = Phone::new("ada");
    thief.connect(&mut world);
    let (_, OpaqueReply { ticket, .. }) = thief.login_start(&mut world);
    let (identity, device) = (thief.identity, thief.device);
    let message = vec![7; 64].into();
    let finish = LoginFinish { ticket, message, identity, device };
    assert_eq!(thief.ask(&mut world, Request::LoginFinish(finish.clone())), Err(Code::WrongLogin));
    assert_eq!(thief.ask(&mut world, Request::LoginFinish(finish)), Err(Code::Expired), "one guess for one ticket");
}

#[test]
fn a_name_nobody_has_is_answered_like_one_that_somebody_has() {
    let mut world = World::new();
    Phone::registered(&mut world, "ada");
    let (mut known, mut unknown) = (Phone::new("ada"), Phone::new("eve"));
    known.connect(&mut world);
    unknown.connect(&mut world);
    let (_, to_known) = known.login_start(&mut world);
    let (_, to_unknown) = unknown.login_start(&mut world);
    assert_eq!(to_known.message.len(), to_unknown.message.len());
    assert_eq!(to_known.ticket.len(), to_unknown.ticket.len());
    assert_eq!(unknown.login(&mut world), Err(Code::WrongLogin));
    let (_, again) = unknown.login_start(&mut world);

    let (identity, device) = (unknown.identity, unknown.device);
    let message = vec![7; 64].into();
    let finish = LoginFinish { ticket: again.ticket, message, identity, device };
    assert_eq!(unknown.ask(&mut world, Request::LoginFinish(finish)), Err(Code::WrongLogin));
}

#[test]
fn names_that_look_alike_are_one_name() {
    let mut world = World::new();
    Phone::registered(&mut world, "paypal");
    for taken in ["PayPal", "pаypal", "paypa1"] {
        let mut other = Phone::new(taken);
        other.email = "other@example.org".into();
        other.connect(&mut world);
        assert_eq!(other.register(&mut world), Err(Code::NameTaken), "{taken}");
    }
    for not_a_name in ["ab", "a b c", "", &"x".repeat(33), "ad\u{0}a", "a\u{200b}da"] {
        let mut other = Phone::new(not_a_name);
        other.connect(&mut world);
        assert_eq!(other.register(&mut world), Err(Code::NameInvalid), "{not_a_name:?}");
    }
}

#[test]
fn one_email_address_has_one_account() {
    let mut world = World::new();
    Phone::registered(&mut world, "ada");
    let mut other = Phone::new("bob");
    other.email = "ADA@example.ORG".into();
    other.connect(&mut world);
    assert_eq!(other.register(&mut world), Err(Code::EmailTaken));
    for not_an_address in
        ["", "ada", "@example.org", "a@", "a b@example.org", "a@b..c", &format!("{}@b.c", "x".repeat(65))]
    {
        other.email = not_an_address.into();
        assert_eq!(other.register(&mut world), Err(Code::EmailInvalid), "{not_an_address}");
    }
    other.email = "bob@example.org".into();
    other.register(&mut world).unwrap();
}

#[test]
fn a_new_device_takes_the_account_and_friends_see_its_key() {
    let mut world = World::new();
    let (mut old, mut bob) = friends(&mut world);
    let mut new = Phone::new("ada");
    (new.device, new.identity) = (DeviceId([9; 16]), IdentityKey([9; 32]));
    new.connect(&mut world);
    new.login(&mut world).unwrap();

    let news = bob.news(&mut world);
    assert!(matches!(&news[0], Event::Person(person) if person.identity == new.identity), "{news:?}");
    assert_eq!(old.news(&mut world), [Event::Revoked(Refusal { code: Code::Replaced, retry_ms: 0 })]);
    assert_eq!(old.ask(&mut world, Request::Roster(Page::default())), Err(Code::Unauthorised));
    old.drop_socket(&mut world);
    let socket = world.connect();
    world.feed(socket, &Frame::Hello(old.hello()).to_bytes().unwrap());
    assert_eq!(world.goaway(socket), Some(Code::Unauthorised));

    bob.route(&mut world, new.user(), vec![1; 256]).unwrap();
    assert_eq!(sealed(&new.news(&mut world)), [vec![1; 256]]);
}

#[test]
fn the_same_device_may_log_in_again_without_alarming_anybody() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    let socket = ada.socket.unwrap();
    let mut again = Phone::new("ada");
    again.connect(&mut world);
    again.login(&mut world).unwrap();
    assert_eq!(world.goaway(socket), Some(Code::Replaced));
    let news = bob.news(&mut world);
    assert_eq!(news, [Event::Presence(Presence { user: ada.user(), online: true })]);
    ada.socket = None;
}

#[test]
fn a_logged_out_token_opens_nothing() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    ada.ask(&mut world, Request::Logout(Empty::default())).unwrap();
    assert_eq!(bob.news(&mut world), [Event::Presence(Presence { user: ada.user(), online: false })]);
    assert_eq!(ada.ask(&mut world, Request::Roster(Page::default())), Err(Code::Unauthorised));
    ada.session = None;
    let socket = world.connect();
    world.feed(socket, &Frame::Hello(ada.hello()).to_bytes().unwrap());
    assert_eq!(world.goaway(socket), Some(Code::Unauthorised));
}

#[test]
fn a_ticket_is_good_for_a_minute_and_for_its_session() {
    let mut world = World::new();
    Phone::registered(&mut world, "ada");
    let mut phone = Phone::new("ada");
    phone.connect(&mut world);
    let (_, reply) = phone.login_start(&mut world);
    let finish = |ticket| {
        let (identity, device) = (IdentityKey([1; 32]), DeviceId([1; 16]));
        Request::LoginFinish(LoginFinish { ticket, message: vec![7; 64].into(), identity, device })
    };
    let mut other = Phone::new("bob");
    other.connect(&mut world);
    assert_eq!(other.ask(&mut world, finish(reply.ticket.clone())), Err(Code::Expired));
    world.pass(60_000);
    assert_eq!(phone.ask(&mut world, finish(reply.ticket)), Err(Code::Expired));
}

#[test]
fn a_repeated_registration_is_answered_with_the_same_token() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let (id, token) = (ada.next, ada.token.clone());
    ada.drop_socket(&mut world);
    ada.token = None;
    assert!(ada.connect(&mut world), "the phone never saw its token and resumes without it");
    ada.send(&mut world, id, Request::Delete(Empty::default()));
    let Some(Ok(Reply::SignedIn(again))) = ada.answer(&mut world, id) else { panic!("another answer") };
    assert_eq!(Some(again.token), token);
}
