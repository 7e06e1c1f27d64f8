//! Rooms at the desk: for everybody, within limits, and gone when they are over.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::*;
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;
use sidetone_wire::room::Keep;
use sidetone_wire::room::*;
use zeroize::Zeroizing;

const ROOM: RoomId = RoomId([0x21; 16]);

fn member(number: u8) -> MemberId {
    MemberId([number; 16])
}

fn opening(relay: RelayRule, scope: Scope, keep: Option<Keep>) -> OpenRoom {
    let seats = Seats::new(4).unwrap();
    OpenRoom { room: ROOM, member: member(1), owner: Secret([0x77; 32]), relay, seats, scope, keep }
}

fn open() -> Request {
    Request::OpenRoom(opening(RelayRule::Allowed, Scope::Link, None))
}

fn kept(scope: Scope) -> Request {
    Request::OpenRoom(opening(RelayRule::Allowed, scope, Some(Keep { name: RoomName::parse("Kitchen") })))
}

fn enter(number: u8) -> Request {
    Request::EnterRoom(EnterRoom { room: ROOM, member: member(number) })
}

fn to(number: u8, bytes: Vec<u8>) -> Request {
    let class = Class::Control;
    Request::RouteRoom(RoomEnvelope { room: ROOM, to: member(number), class, bytes: bytes.into() })
}

fn room() -> Room {
    Room { room: ROOM }
}

fn seat(number: u8) -> Seat {
    Seat { room: ROOM, member: member(number) }
}

fn entered(others: &[u8]) -> Result<Reply, Code> {
    Ok(Reply::Entered(Entered { others: others.iter().copied().map(member).collect() }))
}

fn done() -> Result<Reply, Code> {
    Ok(Reply::Done(Empty::default()))
}

/// A phone without an account, connected.
fn guest(world: &mut World, name: &str) -> Phone {
    let mut phone = Phone::new(name);
    phone.connect(world);
    phone
}

#[test]
fn guests_meet_in_a_room_and_may_do_nothing_else() {
    let mut world = World::new();
    let (mut ada, mut bob) = (guest(&mut world, "ada"), guest(&mut world, "bob"));
    assert_eq!(ada.ask(&mut world, open()), entered(&[]));
    assert_eq!(bob.ask(&mut world, enter(2)), entered(&[1]));
    assert_eq!(ada.news(&mut world), [Event::Came(seat(2))]);
    assert_eq!(bob.ask(&mut world, to(1, vec![7; 1_024])), done());
    let from = RoomDelivered { room: ROOM, from: member(2), class: Class::Control, bytes: vec![7; 1_024].into() };
    assert_eq!(ada.news(&mut world), [Event::RoomSealed(from)]);
    let someone = User { user: UserId([1; 16]) };
    for request in [
        Request::Roster(Page::default()),
        Request::Befriend(Name { name: "bob".into() }),
        Request::Accept(someone),
        Request::Block(someone),
        Request::Route(Envelope { to: someone.user, class: Class::Ring, bytes: vec![0; 256].into() }),
        Request::Relays(Empty::default()),
        Request::Export(Page::default()),
        Request::Delete(Empty::default()),
        Request::Rooms(Page::default()),
        Request::Logout(Empty::default()),
        kept(Scope::Link),
    ] {
        assert_eq!(ada.ask(&mut world, request.clone()), Err(Code::Unauthorised), "{request:?}");
    }
    assert_eq!(ada.ask(&mut world, Request::LeaveRoom(room())), done());
    assert_eq!(bob.news(&mut world), [Event::Went(Went { room: ROOM, member: member(1), why: Parting::Left })]);
    assert_eq!(bob.ask(&mut world, Request::LeaveRoom(room())), done());
    assert_eq!(bob.ask(&mut world, enter(2)), Err(Code::NoSuchRoom));
}

#[test]
fn what_a_room_cannot_be_is_refused() {
    let mut world = World::new();
    let mut ada = guest(&mut world, "ada");
    for bad in [opening(RelayRule::Unknown, Scope::Link, None), opening(RelayRule::Allowed, Scope::Unknown, None)] {
        assert_eq!(ada.ask(&mut world, Request::OpenRoom(bad)), Err(Code::Malformed));
    }
    let friends = opening(RelayRule::Allowed, Scope::Friends, None);
    assert_eq!(ada.ask(&mut world, Request::OpenRoom(friends)), Err(Code::Unauthorised), "a guest has no friends");
    assert_eq!(ada.ask(&mut world, enter(2)), Err(Code::NoSuchRoom));
    ada.ask(&mut world, open()).unwrap();
    assert_eq!(ada.ask(&mut world, to(2, vec![0; 256])), Err(Code::NoSuchMember));
    assert_eq!(ada.ask(&mut world, to(1, vec![0; 255])), Err(Code::Malformed), "envelopes are padded");
    assert_eq!(ada.ask(&mut world, to(1, vec![0; ENVELOPE_BYTES + 1])), Err(Code::TooLarge));
    let knock = |bytes: usize| {
        let bytes = vec![0; bytes].into();
        Request::Knock(Knock { plate: Nameplate(7), attempt: AttemptId([1; 16]), bytes })
    };
    assert_eq!(ada.ask(&mut world, knock(PLATE_BYTES + 1)), Err(Code::TooLarge));
    assert_eq!(ada.ask(&mut world, knock(PLATE_BYTES)), Err(Code::NoSuchPlate));
    let judged = Judged { attempt: AttemptId([1; 16]), verdict: Verdict::Unknown };
    assert_eq!(ada.ask(&mut world, Request::Judge(judged)), Err(Code::Malformed));
    let mut bob = guest(&mut world, "bob");
    assert_eq!(bob.ask(&mut world, Request::RoomRelays(room())), Err(Code::NotInRoom));
    assert_eq!(bob.ask(&mut world, to(1, vec![0; 256])), Err(Code::NotInRoom));
    assert_eq!(bob.ask(&mut world, Request::Kick(seat(1))), Err(Code::NotOwner));
}

#[test]
fn a_request_repeated_after_the_socket_broke_enters_once() {
    let mut world = World::new();
    let (mut ada, mut bob) = (guest(&mut world, "ada"), guest(&mut world, "bob"));
    ada.ask(&mut world, open()).unwrap();
    for _ in 0..3 {
        bob.send(&mut world, 900, enter(2));
        bob.drop_socket(&mut world);
        assert!(bob.connect(&mut world), "the session goes on");
    }
    bob.send(&mut world, 900, enter(2));
    assert_eq!(bob.answer(&mut world, 900), Some(Ok(Reply::Entered(Entered { others: vec![member(1)] }))));
    assert_eq!(ada.news(&mut world), [Event::Came(seat(2))]);
}

#[test]
fn a_room_that_forbids_relays_gives_no_credentials_and_others_give_their_own() {
    let secret = Zeroizing::new(b"shared".to_vec());
    let relays = Some(RelayTerms { urls: vec!["stun:192.0.2.1".into(), "turn:192.0.2.1".into()], secret });
    let mut world = World::with(DeskConfig { relays, ..roomy() }, SqliteStore::in_memory().unwrap());
    let mut names = Vec::new();
    for relay in [RelayRule::Forbidden, RelayRule::Allowed, RelayRule::Required] {
        let (mut ada, mut bob) = (guest(&mut world, "ada"), guest(&mut world, "bob"));
        ada.ask(&mut world, Request::OpenRoom(opening(relay, Scope::Link, None))).unwrap();
        bob.ask(&mut world, enter(2)).unwrap();
        for phone in [&mut ada, &mut bob] {
            let Ok(Reply::Relays(relays)) = phone.ask(&mut world, Request::RoomRelays(room())) else {
                panic!("a member")
            };
            if relay == RelayRule::Forbidden {
                assert_eq!(
                    (relays.urls.as_slice(), relays.username.as_str()),
                    (&["stun:192.0.2.1".to_owned()][..], "")
                );
                assert_eq!(relays.password, "", "nothing that a relay would take");
            } else {
                assert_eq!(relays.urls.len(), 2, "the control: others learn of the relay");
                names.push(relays.username);
            }
        }
        assert_eq!(world.desk.revoked(), []);
        ada.ask(&mut world, Request::Kick(seat(2))).unwrap();
        let cut: Vec<_> = world.desk.revoked().iter().map(|tag| tag.as_str().to_owned()).collect();
        assert_eq!(cut.len(), 1);
        if relay != RelayRule::Forbidden {
            assert!(names.last().unwrap().ends_with(&format!(":{}", cut[0])), "who is put out is cut off");
        }
        ada.ask(&mut world, Request::CloseRoom(room())).unwrap();
        let closed: Vec<_> = world.desk.revoked().iter().map(|tag| tag.as_str().to_owned()).collect();
        assert!(cut[0].starts_with(&closed[0]), "and with the room everybody in it");
    }
    let tags = |name: &String| name.split_once(':').unwrap().1.to_owned();
    let mut tags: Vec<_> = names.iter().map(tags).collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "every member has a tag of its own");
}

#[test]
fn a_kept_room_is_there_after_a_restart_and_only_its_creator_takes_it() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    assert_eq!(ada.ask(&mut world, kept(Scope::Link)), entered(&[]));
    ada.ask(&mut world, Request::LeaveRoom(room())).unwrap();
    let mut world = world.restart();
    ada.socket = None;
    ada.connect(&mut world);
    let mut bob = guest(&mut world, "bob");
    assert_eq!(bob.ask(&mut world, enter(2)), entered(&[]), "the room is there, though nobody is in it");
    let mut eve = Phone::registered(&mut world, "eve");
    assert_eq!(eve.ask(&mut world, kept(Scope::Link)), Err(Code::RoomTaken));
    assert_eq!(eve.ask(&mut world, open()), Err(Code::RoomTaken));
    assert_eq!(eve.ask(&mut world, Request::CloseRoom(room())), Err(Code::NotOwner));
    let name = RoomName::parse("Kitchen");
    let (relay, seats, scope) = (RelayRule::Allowed, Seats::new(4).unwrap(), Scope::Link);
    let rooms = vec![KeptRoom { room: ROOM, name, relay, seats, scope }];
    assert_eq!(ada.ask(&mut world, Request::Rooms(Page::default())), Ok(Reply::Rooms(Rooms { rooms, more: false })));
    assert_eq!(ada.ask(&mut world, kept(Scope::Link)), entered(&[2]));
    ada.ask(&mut world, Request::CloseRoom(room())).unwrap();
    assert!(matches!(bob.news(&mut world)[..], [Event::Came(_), Event::PutOut(PutOut { why: OutWhy::Closed, .. })]));
    assert_eq!(bob.ask(&mut world, enter(2)), Err(Code::NoSuchRoom), "a closed room is not kept");
    let none = Reply::Rooms(Rooms { rooms: vec![], more: false });
    assert_eq!(ada.ask(&mut world, Request::Rooms(Page::default())), Ok(none));
}

#[test]
fn nobody_keeps_a_room_that_another_has_open() {
    let mut world = World::new();
    let mut guest = guest(&mut world, "guest");
    guest.ask(&mut world, open()).unwrap();
    let mut ada = Phone::registered(&mut world, "ada");
    assert_eq!(ada.ask(&mut world, kept(Scope::Link)), Err(Code::RoomTaken));
    let none = Reply::Rooms(Rooms { rooms: vec![], more: false });
    assert_eq!(ada.ask(&mut world, Request::Rooms(Page::default())), Ok(none));
}

#[test]
fn a_room_for_friends_lets_in_friends() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    let mut eve = Phone::registered(&mut world, "eve");
    let mut nobody = guest(&mut world, "nobody");
    ada.ask(&mut world, kept(Scope::Friends)).unwrap();
    assert_eq!(bob.ask(&mut world, enter(2)), entered(&[1]));
    assert_eq!(eve.ask(&mut world, enter(3)), Err(Code::NotFriends));
    assert_eq!(nobody.ask(&mut world, enter(4)), Err(Code::NotFriends));
    bob.ask(&mut world, Request::LeaveRoom(room())).unwrap();
    bob.ask(&mut world, Request::Unfriend(User { user: ada.user() })).unwrap();
    assert_eq!(bob.ask(&mut world, enter(2)), Err(Code::NotFriends));
    assert_eq!(ada.ask(&mut world, enter(1)), entered(&[]));
}

#[test]
fn a_ban_from_a_kept_room_outlives_the_server() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let mut eve = Phone::registered(&mut world, "eve");
    ada.ask(&mut world, kept(Scope::Link)).unwrap();
    eve.ask(&mut world, enter(3)).unwrap();
    ada.ask(&mut world, Request::Ban(seat(3))).unwrap();
    let told = eve.news(&mut world);
    assert_eq!(told, [Event::PutOut(PutOut { room: ROOM, member: member(3), why: OutWhy::Banned })]);
    let mut world = world.restart();
    for phone in [&mut ada, &mut eve] {
        phone.socket = None;
        phone.connect(&mut world);
    }
    assert_eq!(eve.ask(&mut world, enter(3)), Err(Code::Banned));
    assert_eq!(eve.ask(&mut world, Request::Pardon(room())), Err(Code::NoSuchRoom));
    ada.ask(&mut world, Request::Pardon(room())).unwrap();
    assert_eq!(eve.ask(&mut world, enter(3)), entered(&[]));
    ada.ask(&mut world, kept(Scope::Link)).unwrap();
    ada.ask(&mut world, Request::Ban(seat(3))).unwrap();
    ada.ask(&mut world, Request::Pardon(room())).unwrap();
    assert_eq!(eve.ask(&mut world, enter(3)), entered(&[1]), "in the open room as on the disk");
}

#[test]
fn a_deleted_account_takes_its_rooms_along() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let mut bob = guest(&mut world, "bob");
    ada.ask(&mut world, kept(Scope::Link)).unwrap();
    bob.ask(&mut world, enter(2)).unwrap();
    ada.ask(&mut world, Request::Delete(Empty::default())).unwrap();
    assert_eq!(bob.news(&mut world), [Event::PutOut(PutOut { room: ROOM, member: member(2), why: OutWhy::Closed })]);
    assert_eq!(bob.ask(&mut world, enter(2)), Err(Code::NoSuchRoom));
    assert_eq!(bob.ask(&mut world, open()), entered(&[]), "the id is free");
}

#[test]
fn one_address_opens_enters_and_knocks_only_so_often() {
    let mut world = World::with(
        DeskConfig { limits: Limits { connects: roomy().limits.connects, ..Limits::default() }, ..roomy() },
        SqliteStore::in_memory().unwrap(),
    );
    let limits = Limits::default();
    let knock = |number: u8| {
        Request::Knock(Knock { plate: Nameplate(1_000), attempt: AttemptId([number; 16]), bytes: vec![0; 32].into() })
    };
    let mut knocks = 0;
    let mut phones: Vec<_> = (0..5).map(|number| guest(&mut world, &format!("guest{number}"))).collect();
    for number in 0..50u8 {
        let answer = phones[usize::from(number) % 5].ask(&mut world, knock(number));
        knocks += u32::from(answer == Err(Code::NoSuchPlate));
    }
    assert_eq!(knocks, limits.knocks.burst, "however many sessions an address has");
    world.pass(limits.knocks.every_ms);
    let mut late = guest(&mut world, "late");
    assert_eq!(late.ask(&mut world, knock(99)), Err(Code::NoSuchPlate));
    assert_eq!(late.ask(&mut world, knock(98)), Err(Code::TooMany));
    let socket = world.connect_from(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)));
    let hello = Hello { oldest: 1, newest: 1, token: None, resume: None };
    world.feed(socket, &Frame::Hello(hello).to_bytes().unwrap());
    late.socket = Some(socket);
    assert_eq!(late.ask(&mut world, knock(97)), Err(Code::NoSuchPlate), "another address has its own");

    // 2^20 codes, three tries a plate: a year of one address's knocks, all at plates that are there.
    let a_year = 365 * 86_400_000 / limits.knocks.every_ms;
    assert!(a_year < 1 << 20, "{a_year} guesses");
}
