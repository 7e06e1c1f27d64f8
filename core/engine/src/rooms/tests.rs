//! What of a room cannot be seen from outside: what is said to whom.
#![allow(clippy::unwrap_used, reason = "tests")]

use sidetone_crypto::identity::Identity;
use sidetone_crypto::room::{Invitation, Policy, Relaying, RoomSecret};
use sidetone_wire::account::Relays;
use sidetone_wire::id::{MemberId, Secret, UnixMs};
use sidetone_wire::member::{RoomWord, Rule};
use sidetone_wire::record::Record;
use sidetone_wire::room::RoomName;

use super::live::{Member, Room};
use crate::cx::{Cx, Dice, Fact};
use crate::input::PeerId;
use crate::keys::Under;
use crate::room::Memory;
use crate::time::{Now, Time};

const BEN: MemberId = MemberId([2; 16]);
const CAT: MemberId = MemberId([3; 16]);

fn key(seed: u8) -> sidetone_crypto::identity::PublicKey {
    Identity::from_seed([seed; 32]).public()
}

/// A room, seen by its creator or by somebody else, with two members in it.
fn with_room<T>(policy: Policy, creator: bool, act: impl FnOnce(&mut Room, &mut Cx<'_>) -> T) -> T {
    let (mut dice, mut effects) = (Dice::new([7; 32]), Vec::new());
    let now = Now { time: Time(1_000), wall: UnixMs(1_000) };
    let mut cx = Cx::new(now, &mut dice, &mut effects);
    let made = Identity::from_seed([1; 32]);
    let invitation = Invitation { secret: RoomSecret::from_seed([9; 32]), policy, creator: made.public() };
    let own = if creator { made } else { Identity::from_seed([4; 32]) };
    let shown = RoomName::parse("ann").unwrap();
    let mut room = Room::new(invitation, own, None, None, shown, "here".to_owned(), Memory::Nothing, &mut cx);
    for (id, seed) in [(BEN, 2), (CAT, 3)] {
        let member = Member { key: Some(key(seed)), paired: true, present: true, ..Member::default() };
        room.members.insert(id, member);
    }
    while cx.next_fact().is_some() {}
    act(&mut room, &mut cx)
}

fn rules(cx: &mut Cx<'_>) -> Vec<(MemberId, Rule)> {
    let mut rules = Vec::new();
    while let Some(fact) = cx.next_fact() {
        if let Fact::Say(PeerId::Member(_, to), Record::Room(RoomWord::Rule(rule))) = fact {
            rules.push((to, rule));
        }
    }
    rules
}

#[test]
fn who_is_banned_is_told_so_and_not_the_new_secret() {
    with_room(Policy::default(), true, |room, cx| {
        let before = *room.invitation.secret.bytes();
        let id = room.invitation.secret.id();
        room.put_out(CAT, true, cx);
        let rules = rules(cx);
        let said = |to| rules.iter().find(|(id, _)| *id == to).map(|(_, rule)| rule.clone()).unwrap();
        assert_eq!(said(CAT).secret, None);
        assert!(said(CAT).out.iter().any(|out| out.member == CAT && out.banned.is_some()));
        assert_eq!(said(BEN).secret.as_ref(), Some(&Secret(*room.invitation.secret.bytes())));
        assert!(*room.invitation.secret.bytes() != before && room.invitation.secret.id() == id);
        // Also when it comes back, under whichever secret.
        for under in [Under::Present, Under::Past] {
            room.members.insert(CAT, Member { present: true, ..Member::default() });
            room.paired(CAT, key(3), under, cx);
            assert!(self::rules(cx).iter().all(|(_, rule)| rule.secret.is_none()));
            assert!(!room.lets_in(CAT));
        }
    });
}

#[test]
fn who_is_kicked_may_come_back_by_the_link_there_was() {
    with_room(Policy::default(), true, |room, cx| {
        let before = *room.invitation.secret.bytes();
        room.put_out(CAT, false, cx);
        assert_eq!(*room.invitation.secret.bytes(), before);
        assert!(rules(cx).iter().all(|(_, rule)| rule.secret.is_none()));
    });
}

#[test]
fn under_a_secret_of_before_only_who_was_let_in_is_met() {
    with_room(Policy::default(), true, |room, cx| {
        room.let_in(cx);
        room.put_out(CAT, true, cx);
        let (back, stranger) = (MemberId([5; 16]), MemberId([6; 16]));
        room.newcomer(back, cx);
        room.newcomer(stranger, cx);
        room.paired(back, key(2), Under::Past, cx);
        room.paired(stranger, key(77), Under::Past, cx);
        assert!(room.lets_in(back) && !room.lets_in(stranger));
        let told = rules(cx).into_iter().find(|(to, _)| *to == back).and_then(|(_, rule)| rule.secret);
        assert_eq!(told, Some(Secret(*room.invitation.secret.bytes())), "and told the new one");
        room.paired(stranger, key(77), Under::Present, cx);
        assert!(room.lets_in(stranger), "the control: by the new link anybody comes in");
    });
}

#[test]
fn only_the_creator_changes_the_secret() {
    with_room(Policy::default(), false, |room, cx| {
        let before = *room.invitation.secret.bytes();
        let rule = Rule { version: 9, secret: Some(Secret([8; 32])), ..Rule::default() };
        room.heard(BEN, RoomWord::Rule(rule.clone()), cx);
        assert_eq!(*room.invitation.secret.bytes(), before);
        room.members.get_mut(&BEN).unwrap().key = Some(key(1));
        room.heard(BEN, RoomWord::Rule(rule), cx);
        assert_eq!(*room.invitation.secret.bytes(), [8; 32], "the control");
    });
}

#[test]
fn a_made_up_link_to_a_remembered_room_is_not_remembered() {
    let link = |secret: RoomSecret| Invitation { secret, policy: Policy::default(), creator: key(1) };
    let (mut dice, mut effects) = (Dice::new([7; 32]), Vec::new());
    let now = Now { time: Time(1_000), wall: UnixMs(1_000) };
    let mut cx = Cx::new(now, &mut dice, &mut effects);
    let first = RoomSecret::from_seed([9; 32]);
    let other = first.renewed(&[5; 32]);
    let new = |secret, cx: &mut Cx<'_>| {
        let (own, shown) = (Identity::from_seed([4; 32]), RoomName::parse("ann").unwrap());
        Room::new(link(secret), own, None, None, shown, "here".to_owned(), Memory::Recent, cx)
    };
    assert!(new(RoomSecret::from_seed([9; 32]), &mut cx).invited(link(RoomSecret::from_seed([8; 32]))).is_none());
    let same = new(RoomSecret::from_seed([9; 32]), &mut cx).invited(link(first)).unwrap();
    assert!(!same.doubtful && same.past.is_empty());
    let mut room = new(RoomSecret::from_seed([9; 32]), &mut cx).invited(link(other)).unwrap();
    assert!(room.doubtful, "until the creator shows that it is the one");
    for (seed, doubtful) in [(2, true), (1, false)] {
        room.newcomer(MemberId([seed; 16]), &mut cx);
        room.paired(MemberId([seed; 16]), key(seed), Under::Present, &mut cx);
        assert_eq!(room.doubtful, doubtful);
    }
}

#[test]
fn where_relays_are_forbidden_a_lying_server_lends_none_and_stun_is_used() {
    for (relaying, taken) in [(Relaying::Forbidden, 1), (Relaying::Allowed, 2), (Relaying::Required, 2)] {
        with_room(Policy { relaying, ..Policy::default() }, false, |room, _| {
            let urls = vec!["stun:192.0.2.1:3478".to_owned(), "turn:192.0.2.1:3478?transport=udp".to_owned()];
            let lent = Relays { urls, username: "name".to_owned(), password: "word".to_owned(), valid_ms: 600_000 };
            room.lent(lent, Time(1_000));
            let relays = room.relays.as_ref().unwrap();
            assert_eq!((relays.urls.len(), relays.username.is_empty()), (taken, taken == 1));
            assert!(relays.urls[0].starts_with("stun:"));
        });
    }
}
