//! Friends, requests, blocks, presence, routing between friends.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use sidetone_wire::account::*;
use sidetone_wire::frame::*;
use sidetone_wire::id::*;

fn relations(people: &[Person]) -> Vec<(&str, Relation, bool)> {
    people.iter().map(|person| (person.name.as_str(), person.relation, person.online)).collect()
}

fn user(phone: &Phone) -> User {
    User { user: phone.user() }
}

#[test]
fn two_who_ask_and_accept_are_friends_and_see_each_other_online() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let mut bob = Phone::registered(&mut world, "bob");
    let Ok(Reply::Person(asked)) = ada.befriend(&mut world, "BOB") else { panic!() };
    assert_eq!((asked.relation, asked.online), (Relation::AskedByUs, false));
    let news = bob.news(&mut world);
    assert!(matches!(&news[..], [Event::Person(person)] if person.relation == Relation::AskedUs && !person.online));
    assert_eq!(bob.route(&mut world, ada.user(), vec![0; 256]), Err(Code::NotFriends));

    let Ok(Reply::Person(friend)) = bob.ask(&mut world, Request::Accept(user(&ada))) else { panic!() };
    assert_eq!((friend.relation, friend.online, friend.identity), (Relation::Friend, true, ada.identity));
    let news = ada.news(&mut world);
    assert!(matches!(&news[..], [Event::Person(person)] if person.relation == Relation::Friend && person.online));
    assert_eq!(relations(&ada.roster(&mut world)), [("bob", Relation::Friend, true)]);
    assert_eq!(ada.befriend(&mut world, "bob"), Err(Code::Already));
    assert_eq!(bob.ask(&mut world, Request::Accept(user(&ada))), Err(Code::Already));
}

#[test]
fn two_who_ask_each_other_are_friends() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let mut bob = Phone::registered(&mut world, "bob");
    ada.befriend(&mut world, "bob").unwrap();
    let Ok(Reply::Person(friend)) = bob.befriend(&mut world, "ada") else { panic!() };
    assert_eq!(friend.relation, Relation::Friend);
    ada.route(&mut world, bob.user(), vec![0; 256]).unwrap();
}

#[test]
fn a_declined_request_looks_unanswered_to_its_sender() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let mut bob = Phone::registered(&mut world, "bob");
    ada.befriend(&mut world, "bob").unwrap();
    bob.ask(&mut world, Request::Decline(user(&ada))).unwrap();
    assert_eq!(ada.news(&mut world), []);
    assert_eq!(relations(&ada.roster(&mut world)), [("bob", Relation::AskedByUs, false)]);
    assert_eq!(relations(&bob.roster(&mut world)), []);
    assert_eq!(ada.befriend(&mut world, "bob"), Err(Code::Already), "no second request while the first stands");
    let Ok(Reply::Person(friend)) = bob.befriend(&mut world, "ada") else { panic!() };
    assert_eq!(friend.relation, Relation::Friend, "the one who declined may think again");
}

/// Everything one phone sees while it meets another that blocked it, or that never heard of it.
fn seen_by_ada(block: bool) -> Vec<String> {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    let mut bob = Phone::registered(&mut world, "bob");
    if block {
        bob.ask(&mut world, Request::Block(user(&ada))).unwrap();
    }
    let mut seen = Vec::new();
    let mut see = |what: &dyn std::fmt::Debug| seen.push(format!("{what:?}"));
    // Ids are drawn anew in each world: they are all that may differ.
    let person = |reply: Result<Reply, Code>| {
        reply.map(|reply| match reply {
            Reply::Person(person) => (person.name, person.relation, person.online),
            _ => panic!(),
        })
    };
    see(&ada.route(&mut world, bob.user(), vec![0; 256]));
    see(&ada.ask(&mut world, Request::Accept(user(&bob))));
    see(&person(ada.befriend(&mut world, "bob")));
    see(&relations(&ada.roster(&mut world)));
    see(&ada.route(&mut world, bob.user(), vec![0; 256]));
    see(&ada.befriend(&mut world, "bob"));
    see(&ada.ask(&mut world, Request::Unfriend(user(&bob))));
    see(&relations(&ada.roster(&mut world)));
    see(&person(ada.befriend(&mut world, "bob")));
    see(&ada.news(&mut world));
    let heard = bob.news(&mut world);
    assert!(!block || heard.is_empty(), "one who blocked hears nothing: {heard:?}");
    bob.drop_socket(&mut world);
    world.live(210_000, &[&ada]);
    see(&ada.news(&mut world));
    see(&ada.ask(&mut world, Request::Delete(Empty::default())));
    seen
}

#[test]
fn one_who_is_blocked_cannot_tell_it_from_silence() {
    let (blocked, stranger) = (seen_by_ada(true), seen_by_ada(false));
    assert_eq!(blocked, stranger);
    assert!(blocked[2].contains("AskedByUs"), "{blocked:?}");
}

#[test]
fn a_friend_who_blocks_seems_to_have_ended_the_friendship() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    bob.ask(&mut world, Request::Block(user(&ada))).unwrap();
    assert_eq!(ada.news(&mut world), [Event::Gone(user(&bob))]);
    assert_eq!(ada.route(&mut world, bob.user(), vec![0; 256]), Err(Code::NotFriends));
    assert_eq!(relations(&bob.roster(&mut world)), [("ada", Relation::Blocked, false)]);
    ada.befriend(&mut world, "bob").unwrap();
    assert_eq!(bob.news(&mut world), []);
    bob.ask(&mut world, Request::Unblock(user(&ada))).unwrap();
    assert_eq!(relations(&bob.roster(&mut world)), [], "what came while they were blocked stays away");
    assert_eq!(bob.ask(&mut world, Request::Block(User { user: UserId([9; 16]) })), Err(Code::NoSuchUser));
}

#[test]
fn an_ended_friendship_is_ended_for_both() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    ada.ask(&mut world, Request::Unfriend(user(&bob))).unwrap();
    assert_eq!(bob.news(&mut world), [Event::Gone(user(&ada))]);
    assert_eq!(bob.roster(&mut world), []);
    assert_eq!(bob.route(&mut world, ada.user(), vec![0; 256]), Err(Code::NotFriends));
}

#[test]
fn only_friends_hear_who_comes_and_goes() {
    let mut world = World::new();
    let (mut ada, mut bob) = friends(&mut world);
    let mut eve = Phone::registered(&mut world, "eve");
    eve.befriend(&mut world, "ada").unwrap();
    bob.news(&mut world);
    ada.news(&mut world);

    ada.drop_socket(&mut world);
    world.live(105_000, &[&bob, &eve]);
    assert_eq!(bob.news(&mut world), [], "a short gap is nobody's business");
    world.live(15_000, &[&bob, &eve]);
    let presence = |online| Event::Presence(Presence { user: ada.user(), online });
    assert_eq!(bob.news(&mut world), [presence(false)]);
    assert_eq!(bob.route(&mut world, ada.user(), vec![0; 256]), Err(Code::Offline));
    let mut again = Phone::new("ada");
    again.token = ada.token.clone();
    assert!(!again.connect(&mut world));
    assert_eq!(bob.news(&mut world), [presence(true)]);
    let socket = again.socket.unwrap();
    world.goodbye(socket);
    assert_eq!(bob.news(&mut world), [presence(false)], "one who says goodbye is gone at once");
    assert_eq!(eve.news(&mut world), []);
}

#[test]
fn an_envelope_of_another_size_than_a_bucket_is_refused() {
    let mut world = World::new();
    let (mut ada, bob) = friends(&mut world);
    for (len, code) in [(0, Code::Malformed), (255, Code::Malformed), (257, Code::Malformed), (16_385, Code::TooLarge)]
    {
        assert_eq!(ada.route(&mut world, bob.user(), vec![0; len]), Err(code), "{len} bytes");
    }
    for len in sidetone_wire::limits::ENVELOPE_BUCKETS {
        ada.route(&mut world, bob.user(), vec![0; len]).unwrap();
    }
    assert_eq!(world.desk.figures().control.bytes, 256 + 1_024 + 4_096 + 16_384);
}

#[test]
fn a_long_roster_comes_in_pages_that_fit_a_frame() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    for number in 0..205 {
        let mut other = Phone::registered(&mut world, &format!("{}{number:03}", "\u{10348}".repeat(29)));
        other.befriend(&mut world, "ada").unwrap();
        other.drop_socket(&mut world);
    }
    let roster = ada.roster(&mut world);
    assert_eq!(roster.len(), 205);
    assert!(roster.is_sorted_by_key(|person| person.name.clone()));
}

#[test]
fn unknown_names_are_not_found_and_nobody_befriends_themselves() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    assert_eq!(ada.befriend(&mut world, "bob"), Err(Code::NoSuchUser));
    assert_eq!(ada.befriend(&mut world, "ad"), Err(Code::NameInvalid));
    assert_eq!(ada.befriend(&mut world, "ada"), Err(Code::Already));
    let nobody = User { user: UserId([9; 16]) };
    assert_eq!(ada.ask(&mut world, Request::Accept(nobody)), Err(Code::NoSuchUser));
    for act in [Request::Decline(nobody), Request::Unfriend(nobody), Request::Unblock(nobody)] {
        assert_eq!(ada.ask(&mut world, act), Ok(Reply::Done(Empty::default())), "late is not wrong");
    }
}
