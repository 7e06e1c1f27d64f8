//! Sessions that outlive their sockets; sockets that break the rules.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;

fn envelope(to: UserId, number: u32) -> Request {
    let mut bytes = vec![0; 256];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Request::Route(Envelope { to, class: Class::Control, bytes: bytes.into() })
}

fn numbers(events: &[Event]) -> Vec<u32> {
    sealed(events).iter().map(|bytes| u32::from_be_bytes(bytes[..4].try_into().unwrap())).collect()
}

#[test]
fn what_was_said_while_the_socket_was_gone_comes_when_it_is_back() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    bob.drop_socket(&mut world);
    for number in 0..10 {
        ada.ask(&mut world, envelope(bob.user(), number)).unwrap();
    }
    world.pass(RESUME_MS - 1_000);
    assert!(bob.connect(&mut world));
    assert_eq!(numbers(&bob.news(&mut world)), (0..10).collect::<Vec<_>>());
    bob.drop_socket(&mut world);
    assert!(bob.connect(&mut world));
    assert_eq!(bob.news(&mut world), [], "nothing comes twice");
}

#[test]
fn a_session_that_nobody_resumes_in_time_is_over_and_the_phone_is_told() {
    let mut world = World::new();
    let (_ada, mut bob) = friends(&mut world);
    bob.drop_socket(&mut world);
    world.pass(RESUME_MS);
    assert!(!bob.connect(&mut world));
    assert_eq!(bob.roster(&mut world).len(), 1);
}

#[test]
fn a_restarted_server_knows_accounts_and_says_that_sessions_are_gone() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    let mut world = world.restart();
    assert!(!ada.connect(&mut world));
    assert!(!bob.connect(&mut world));
    assert_eq!(ada.news(&mut world), [Event::Presence(Presence { user: bob.user(), online: true })]);
    ada.ask(&mut world, envelope(bob.user(), 7)).unwrap();
    assert_eq!(numbers(&bob.news(&mut world)), [7]);
    let mut other = Phone::new("ada");
    other.connect(&mut world);
    other.login(&mut world).unwrap();
}

#[test]
fn a_session_is_resumed_with_its_secret_only() {
    let mut world = World::new();
    let (_ada, mut bob) = friends(&mut world);
    let (session, _) = bob.session.clone().unwrap();
    let good = bob.socket.unwrap();
    let thief = world.connect();
    let resume = Some(Resume { session, secret: Secret([0; 32]), last: Seq(0) });
    let hello = Hello { oldest: 1, newest: 1, token: None, resume };
    world.feed(thief, &Frame::Hello(hello).to_bytes().unwrap());
    assert!(
        matches!(&world.inboxes[&thief].frames[..], [Frame::Welcome(welcome)] if !welcome.resumed && welcome.user.is_none())
    );
    assert_eq!(world.goaway(good), None);
    bob.last = 9_999;
    bob.socket = None;
    assert!(!bob.connect(&mut world), "a phone that claims events that never were starts afresh");
}

#[test]
fn a_second_socket_takes_the_session_from_the_first() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    let first = bob.socket.unwrap();
    assert!(bob.connect(&mut world));
    assert_eq!(world.goaway(first), Some(Code::Replaced));
    world.drop_socket(first);
    ada.ask(&mut world, envelope(bob.user(), 1)).unwrap();
    assert_eq!(numbers(&bob.news(&mut world)), [1], "the end of the old socket does not touch the new one");
    bob.session = None;
    let second = bob.socket.unwrap();
    assert!(!bob.connect(&mut world));
    assert_eq!(world.goaway(second), Some(Code::Replaced), "one device has one session");
}

#[test]
fn a_request_that_is_asked_again_is_answered_again_and_done_once() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    ada.send(&mut world, 77, envelope(bob.user(), 1));
    assert_eq!(ada.answer(&mut world, 77), Some(Ok(Reply::Done(Empty::default()))));
    ada.drop_socket(&mut world);
    assert!(ada.connect(&mut world));
    ada.send(&mut world, 77, envelope(bob.user(), 1));
    assert_eq!(ada.answer(&mut world, 77), Some(Ok(Reply::Done(Empty::default()))));
    assert_eq!(numbers(&bob.news(&mut world)), [1]);
    world.pass(20_000);
    ada.send(&mut world, 78, envelope(bob.user(), 2));
    world.live(105_000, &[&ada, &bob]);
    ada.send(&mut world, 77, envelope(bob.user(), 1));
    ada.send(&mut world, 78, envelope(bob.user(), 2));
    assert_eq!(numbers(&bob.news(&mut world)), [2, 1], "after two minutes a number is new again, not before");
}

/// Two phones send numbered envelopes over sockets that break at any moment, on either side, with replies lost; every
/// request is repeated until it is answered. `listen` is what can be broken on purpose.
fn storm(seed: u64) {
    let mut dice = ChaCha20Rng::seed_from_u64(seed);
    let mut world = World::new();
    let (ada, bob) = friends(&mut world);
    let users = [ada.user(), bob.user()];
    let mut phones = [ada, bob];
    let mut waiting: [Vec<(u64, u32)>; 2] = Default::default();
    let mut heard: [Vec<u32>; 2] = Default::default();
    let mut sent = [0; 2];
    for _ in 0..120 {
        let me = (dice.next_u32() % 2) as usize;
        let phone = &mut phones[me];
        match dice.next_u32() % 8 {
            0 => phone.drop_socket(&mut world),
            1 => {
                // The socket dies with everything the server just put into it.
                if let Some(socket) = phone.socket.take() {
                    ready(world.desk.closed(world.now, socket, Leaving::Dropped));
                }
            }
            2 => world.pass(u64::from(dice.next_u32() % 3_000)),
            _ if phone.socket.is_none() => {
                assert!(phone.connect(&mut world), "seed {seed}: the session was lost");
                for (id, number) in waiting[me].clone() {
                    phone.send(&mut world, id, envelope(users[1 - me], number));
                }
            }
            3 => heard[me].extend(numbers(&phone.news(&mut world))),
            4 => phone.take_events(&mut world),
            _ => {
                phone.next += 1;
                waiting[me].push((phone.next, sent[me]));
                phone.send(&mut world, phone.next, envelope(users[1 - me], sent[me]));
                sent[me] += 1;
            }
        }
        if dice.next_u32().is_multiple_of(2) && phones[me].socket.is_some() {
            let phone = &mut phones[me];
            waiting[me].retain(|(id, _)| phone.answer(&mut world, *id).is_none());
        }
    }
    for me in 0..2 {
        let phone = &mut phones[me];
        phone.drop_socket(&mut world);
        assert!(phone.connect(&mut world));
        for (id, number) in waiting[me].clone() {
            phone.send(&mut world, id, envelope(users[1 - me], number));
            assert!(phone.answer(&mut world, id).is_some_and(|answer| answer.is_ok()), "seed {seed}");
        }
    }
    for me in 0..2 {
        heard[me].extend(numbers(&phones[me].news(&mut world)));
        let mut once = heard[me].clone();
        once.sort_unstable();
        assert_eq!(once, (0..sent[1 - me]).collect::<Vec<_>>(), "seed {seed}: lost or doubled");
    }
}

#[test]
fn nothing_is_lost_doubled_or_reordered_however_sockets_break() {
    for seed in 0..300 {
        storm(seed);
    }
}

#[test]
fn a_socket_that_does_not_read_is_closed_and_loses_nothing() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    let slow = bob.socket.unwrap();
    for number in 0..5 {
        let mut bytes = vec![0; 16_384];
        bytes[..4].copy_from_slice(&u32::to_be_bytes(number));
        let asked = Envelope { to: bob.user(), class: Class::Control, bytes: bytes.into() };
        let frame = Frame::Request(Numbered { id: RequestId(900 + u64::from(number)), request: Request::Route(asked) });
        ready(world.desk.receive(world.now, ada.socket.unwrap(), &frame.to_bytes().unwrap()));
    }
    world.settle();
    assert_eq!(world.goaway(slow), Some(Code::Overflow));
    bob.socket = None;
    assert!(bob.connect(&mut world));
    assert_eq!(numbers(&bob.news(&mut world)), (0..5).collect::<Vec<_>>());
    assert!(ada.answer(&mut world, 904).is_some_and(|answer| answer.is_ok()));
}

#[test]
fn a_log_that_overflows_ends_the_session_and_says_so() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    bob.drop_socket(&mut world);
    for number in 0..RESUME_EVENTS as u32 {
        ada.ask(&mut world, envelope(bob.user(), number)).unwrap();
    }
    assert_eq!(ada.ask(&mut world, envelope(bob.user(), 0)), Err(Code::Offline));
    assert_eq!(ada.news(&mut world), [Event::Presence(Presence { user: bob.user(), online: false })]);
    assert!(!bob.connect(&mut world));
    ada.ask(&mut world, envelope(bob.user(), 5)).unwrap();
    assert_eq!(numbers(&bob.news(&mut world)), [5]);
}

#[test]
fn a_socket_says_hello_in_time_and_is_heard_of_later() {
    let mut world = World::new();
    let silent = world.connect();
    let ada = Phone::registered(&mut world, "ada");
    world.pass(HELLO_MS - 1_000);
    assert_eq!(world.goaway(silent), None);
    world.pass(1_000);
    assert_eq!(world.goaway(silent), Some(Code::Idle));
    let socket = ada.socket.unwrap();
    world.pass(IDLE_MS - HELLO_MS - 1_000);
    world.feed(socket, &Frame::Ping(Empty::default()).to_bytes().unwrap());
    assert!(matches!(world.inboxes[&socket].frames.last(), Some(Frame::Pong(_))));
    world.pass(IDLE_MS - 1_000);
    assert_eq!(world.goaway(socket), None);
    world.pass(1_000);
    assert_eq!(world.goaway(socket), Some(Code::Idle));
}

#[test]
fn too_many_requests_are_refused_with_the_time_to_wait() {
    let mut world = World::with(DeskConfig::default(), SqliteStore::in_memory().unwrap());
    let mut ada = Phone::registered(&mut world, "ada");
    let mut refusals = 0;
    for id in 100..200 {
        ada.send(&mut world, id, Request::Relays(Empty::default()));
        if let Some(Err(why)) = ada.answer(&mut world, id) {
            assert!(why.code == Code::TooMany && why.retry_ms <= 50, "{why:?}");
            refusals += 1;
        }
    }
    assert_eq!(refusals, 100 + 2 - REQUEST_BURST as usize, "registering took two");
    world.pass(1_000);
    let granted = (200..300).filter(|id| {
        ada.send(&mut world, *id, Request::Relays(Empty::default()));
        ada.answer(&mut world, *id).unwrap().is_ok()
    });
    assert_eq!(granted.count(), REQUESTS_PER_S as usize);
}

#[test]
fn one_address_opens_and_registers_only_so_much_and_another_is_not_troubled() {
    let mut world = World::with(DeskConfig::default(), SqliteStore::in_memory().unwrap());
    let limits = Limits::default();
    for number in 0..limits.registrations.burst {
        Phone::registered(&mut world, &format!("phone{number}")).drop_socket(&mut world);
    }
    let mut one_more = Phone::new("onemore");
    one_more.connect(&mut world);
    assert_eq!(one_more.register(&mut world), Err(Code::TooMany));
    for _ in 0..limits.connects.burst - limits.registrations.burst - 1 {
        let socket = world.connect();
        assert_eq!(world.goaway(socket), None);
    }
    let socket = world.connect();
    assert_eq!(world.goaway(socket), Some(Code::TooMany));
    for (address, code) in
        [("203.0.113.9", None), ("2001:db8:1:2::1", None), ("::ffff:198.51.100.7", Some(Code::TooMany))]
    {
        let socket = world.connect_from(address.parse().unwrap());
        assert_eq!(world.goaway(socket), code, "{address}");
    }
    for host in 2..=u64::from(limits.connects.burst) {
        world.connect_from(format!("2001:db8:1:2::{host:x}").parse().unwrap());
    }
    let neighbour = world.connect_from("2001:db8:1:2:ffff::1".parse().unwrap());
    assert_eq!(world.goaway(neighbour), Some(Code::TooMany), "a /64 is one customer");
    let other = world.connect_from("2001:db8:1:3::1".parse().unwrap());
    assert_eq!(world.goaway(other), None);
}

#[test]
fn a_frame_that_is_none_ends_its_socket_with_the_reason() {
    let mut world = World::new();
    let hello = |oldest, newest| Frame::Hello(Hello { oldest, newest, token: None, resume: None }).to_bytes().unwrap();
    let unknown = |kind: u8| vec![0x82, 0x18, kind, 0xa0];
    let cases = [
        (vec![], Code::Malformed),
        (vec![0xff; 40], Code::Malformed),
        (vec![0; FRAME_BYTES + 1], Code::TooLarge),
        (hello(2, 3), Code::Version),
        (hello(0, 0), Code::Version),
        (unknown(99), Code::UnknownKind),
        (Frame::Ping(Empty::default()).to_bytes().unwrap(), Code::Malformed),
    ];
    for (bytes, code) in cases {
        let socket = world.connect();
        world.feed(socket, &bytes);
        assert_eq!(world.goaway(socket), Some(code));
        world.feed(socket, &hello(1, 1));
        assert_eq!(world.goaway(socket), Some(code), "nothing is heard after the end");
    }
    let socket = world.connect();
    world.feed(socket, &hello(0, 9));
    assert!(matches!(&world.inboxes[&socket].frames[..], [Frame::Welcome(welcome)] if welcome.version == 1));
    world.feed(socket, &hello(1, 1));
    assert_eq!(world.goaway(socket), Some(Code::Malformed), "one hello a socket");
}

#[test]
fn a_request_of_a_newer_version_is_refused_by_its_number() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let socket = ada.socket.unwrap();
    // [3, {0: 42, 1: [99, {}]}] and [3, {0: 43, 1: [7, {}]}], which lacks its name.
    world.feed(socket, &[0x82, 0x03, 0xa2, 0x00, 0x18, 42, 0x01, 0x82, 0x18, 99, 0xa0]);
    world.feed(socket, &[0x82, 0x03, 0xa2, 0x00, 0x18, 43, 0x01, 0x82, 0x07, 0xa0]);
    assert_eq!(ada.answer(&mut world, 42), Some(Err(Refusal { code: Code::UnknownKind, retry_ms: 0 })));
    assert_eq!(ada.answer(&mut world, 43), Some(Err(Refusal { code: Code::Malformed, retry_ms: 0 })));
    assert_eq!(ada.roster(&mut world), []);
}

#[test]
fn whatever_bytes_come_the_desk_stands() {
    let mut dice = ChaCha20Rng::seed_from_u64(7);
    let mut world = World::new();
    let (ada, mut bob) = friends(&mut world);
    let good = [
        Frame::Hello(ada.hello()),
        Frame::Ack(Acked { seq: Seq(u64::MAX) }),
        Frame::Request(Numbered { id: RequestId(u64::MAX), request: envelope(bob.user(), 1) }),
        Frame::Request(Numbered { id: RequestId(1), request: Request::Roster(Page { page: u32::MAX }) }),
        Frame::Request(Numbered { id: RequestId(2), request: Request::Export(Page { page: u32::MAX }) }),
    ]
    .map(|frame| frame.to_bytes().unwrap());
    for _ in 0..20_000 {
        let mut bytes = good[dice.next_u32() as usize % good.len()].clone();
        for _ in 0..dice.next_u32() % 3 {
            let at = dice.next_u32() as usize % bytes.len();
            bytes[at] = dice.next_u32() as u8;
        }
        let socket = world.connect();
        world.feed(socket, &good[0]);
        world.feed(socket, &bytes);
        if dice.next_u32().is_multiple_of(2) {
            world.drop_socket(socket);
        }
        world.inboxes.remove(&socket);
    }
    assert_eq!(bob.roster(&mut world).len(), 1);
}

#[test]
fn a_server_that_drains_says_goodbye_and_takes_nobody_new() {
    let mut world = World::new();
    let ada = Phone::registered(&mut world, "ada");
    ready(world.desk.drain(world.now));
    world.settle();
    assert_eq!(world.goaway(ada.socket.unwrap()), Some(Code::Draining));
    let socket = world.connect();
    assert_eq!(world.goaway(socket), Some(Code::Draining));
}
