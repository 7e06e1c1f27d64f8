//! Whoever has no business in a room, and members who go too far: each attack comes to nothing, and each "nothing" is looked
//! for in a way that finds something when there is something.

use std::collections::BTreeSet;

use proving::world::World;
use sidetone_crypto::handshake::{Initiator, Pattern};
use sidetone_crypto::identity::Identity;
use sidetone_crypto::room::{Door, Invitation, Policy, Relaying, Speaking};
use sidetone_engine::room::{Memory, RoomCommand, RoomEnd, RoomEvent};
use sidetone_wire::account::Request;
use sidetone_wire::envelope::{Class, Part, Sealed};
use sidetone_wire::frame::{Event, Frame};
use sidetone_wire::id::{MemberId, PairingId, RoomId};
use sidetone_wire::room::{RoomDelivered, Seat};

/// Everything that a phone was ever told of others' keys in a room.
fn keys(world: &World, phone: usize, room: RoomId) -> Vec<(MemberId, u16, Vec<u8>)> {
    world.phones[phone].sounds[&room].keys.clone()
}

fn opens(world: &mut World, keys: &[(MemberId, u16, Vec<u8>)], from: usize, room: RoomId) -> bool {
    let frame = world.seal(from, room, b"a frame").expect("it seals");
    World::opens_with(keys, &frame)
}

#[test]
fn who_is_put_out_or_leaves_opens_nothing_half_a_second_later() {
    for leaves in [false, true] {
        let (mut world, room) = World::gather(31, 5, Policy::default());
        let (before, member) = (keys(&world, 4, room), world.me(4, room));
        assert!((0..4).all(|phone| opens(&mut world, &before, phone, room)), "the control: until then it opens all");
        match leaves {
            true => drop(world.command(4, sidetone_engine::Command::Room(RoomCommand::Leave(room)))),
            false => drop(world.command(0, sidetone_engine::Command::Room(RoomCommand::Kick(room, member)))),
        }
        world.run(500);
        for phone in 0..4 {
            assert!(!opens(&mut world, &before, phone, room), "phone {phone}, left by itself: {leaves}");
        }
        assert!(world.all_hear(room, &[0, 1, 2, 3]), "the others go on");
        let end = if leaves { RoomEnd::Left } else { RoomEnd::Kicked };
        assert!(world.run_until(2_000, |world| world.room_end(4, room) == Some(end)));
    }
}

#[test]
fn who_comes_opens_nothing_from_before() {
    let (mut world, room) = World::gather(32, 4, Policy::default());
    world.ask_room(3, RoomCommand::Leave(room)).expect("it is in");
    world.run(2_000);
    let early: Vec<Vec<u8>> = (0..3).map(|phone| world.seal(phone, room, b"before").expect("it seals")).collect();
    let invitation = world.invitation(0, room);
    world.join_room(3, invitation).expect("the door is open");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2, 3])));
    let keys = keys(&world, 3, room);
    assert!(early.iter().all(|frame| !World::opens_with(&keys, frame)));
    assert!((0..3).all(|phone| opens(&mut world, &keys, phone, room)), "the control: it opens what comes after");
}

#[test]
fn who_is_banned_does_not_come_back_with_the_same_key() {
    let mut world = World::new(33, 3);
    (0..3).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Nothing);
    for phone in 1..3 {
        let invitation = world.invitation(0, room);
        world.join_room(phone, invitation).expect("the door is open");
    }
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
    let member = world.me(2, room);
    world.ask_room(0, RoomCommand::Ban(room, member)).expect("it is the creator");
    assert!(world.run_until(3_000, |world| world.room_end(2, room) == Some(RoomEnd::Banned)));
    let invitation = world.invitation(0, room);
    let refused = world.join_room(2, invitation);
    assert!(refused.is_err(), "{refused:?}");
    world.run(30_000);
    assert!(world.is_mesh(room, &[0, 1]));
}

/// Whoever is banned still has the link, and can come with a new session and a new key: the link opens nothing any more.
#[test]
fn who_is_banned_does_not_come_back_by_the_link_whatever_key_it_makes() {
    let (mut world, room) = World::gather(39, 4, Policy::default());
    let old = world.invitation(3, room).to_bytes();
    let old = || Invitation::from_bytes(&old).expect("an invitation");
    let member = world.me(3, room);
    world.ask_room(0, RoomCommand::Ban(room, member)).expect("it is the creator");
    assert!(world.run_until(3_000, |world| world.room_end(3, room) == Some(RoomEnd::Banned)));
    world.run(1_000);
    let secret = |world: &World, phone: usize| *world.invitation(phone, room).secret.bytes();
    assert!((0..3).all(|phone| secret(&world, phone) == secret(&world, 0)), "all who stay know the new secret");
    assert_ne!(secret(&world, 0), *old().secret.bytes());
    assert!(!world.tap.saw(&secret(&world, 0)), "and the server does not");
    // A phone that died begins with a session and, as a guest, with a key that nobody knows.
    world.crash(3);
    assert!(world.run_until(60_000, |world| world.phones[3].is_connected()));
    let before: Vec<usize> = (0..3).map(|phone| keys(&world, phone, room).len()).collect();
    world.join_room(3, old()).expect("the server cannot tell");
    let me = world.me(3, room);
    let unanswered = |world: &World| world.room_end(3, room) == Some(RoomEnd::Unanswered);
    for _ in 0..300 {
        world.run(100);
        assert!((0..3).all(|phone| !world.picture(phone, room).contains(&me)), "nobody shows it");
        assert!(world.phones[3].sounds.get(&room).is_none_or(|sound| sound.keys.is_empty()), "nor gives it a key");
    }
    assert!(unanswered(&world), "{:?}", world.room_end(3, room));
    assert!(world.is_mesh(room, &[0, 1, 2]));
    let after: Vec<usize> = (0..3).map(|phone| keys(&world, phone, room).len()).collect();
    assert_eq!(before, after, "nobody changes keys for it");
    // Nor while the creator is away, who alone could say more about it.
    world.crash(0);
    world.run(45_000);
    world.join_room(3, old()).expect("the server cannot tell");
    assert!(world.run_until(30_000, |world| !world.picture(1, room).is_empty() && world.view(3, room).is_none()));
    assert!(world.is_mesh(room, &[1, 2]));
    // The control: the new link lets anybody in.
    let invitation = world.invitation(1, room);
    world.join_room(3, invitation).expect("the door is open");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[1, 2, 3])));
}

/// Whoever is answered is vouched for at the server and keeps a seat there: not who comes by a link of before.
#[test]
fn who_is_banned_takes_no_seat_from_others() {
    let mut world = World::new(40, 4);
    (0..4).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy { members: 3, ..Policy::default() }, Memory::Nothing);
    for phone in 1..3 {
        let invitation = world.invitation(0, room);
        world.join_room(phone, invitation).expect("there is a seat");
    }
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
    let (old, member) = (world.invitation(2, room), world.me(2, room));
    world.ask_room(0, RoomCommand::Ban(room, member)).expect("it is the creator");
    assert!(world.run_until(3_000, |world| world.room_end(2, room) == Some(RoomEnd::Banned)));
    world.crash(2);
    assert!(world.run_until(60_000, |world| world.phones[2].is_connected()));
    world.join_room(2, old).expect("the server cannot tell");
    world.run(11_000);
    assert!(world.view(2, room).is_some(), "it still tries");
    let invitation = world.invitation(0, room);
    world.join_room(3, invitation).expect("the third seat is free");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 3])));
}

/// The server, or whoever knows a room's number: it sits down in the room and says hello to everybody.
#[test]
fn who_knows_the_rooms_number_and_everybody_in_it_is_let_in_by_nobody() {
    let (mut world, room) = World::gather(34, 3, Policy::default());
    let mut ghost = Ghost::haunt(&mut world, room);
    let before: Vec<usize> = (0..3).map(|phone| keys(&world, phone, room).len()).collect();
    for _ in 0..20 {
        ghost.hello(&mut world, room);
        world.run(1_500);
    }
    for (phone, before) in before.into_iter().enumerate() {
        assert!(!world.picture(phone, room).contains(&ghost.member), "phone {phone} shows the ghost");
        let joined = |event: &RoomEvent| matches!(event, RoomEvent::Joined(member) if *member == ghost.member);
        assert!(!world.room_events(phone, room).iter().any(joined));
        assert_eq!(keys(&world, phone, room).len(), before, "nobody changes keys for a ghost");
    }
    assert!(world.is_mesh(room, &[0, 1, 2]));
    // The control: who has the link as well is let in by the same phones.
    let invitation = world.invitation(0, room);
    let mut guest = Ghost { psk: *invitation.secret.psk(&invitation.policy, &invitation.creator), ..ghost };
    guest.hello(&mut world, room);
    world.run(2_000);
    let answered = world.tap.seen.iter().filter(|frame| is_answer_to(frame, guest.last)).count();
    assert!(answered > 0, "somebody with the secret is answered");
    assert!(world.tap.seen.iter().all(|frame| !is_answer_to(frame, guest.first)), "a ghost is not");
}

fn is_answer_to(frame: &[u8], pairing: PairingId) -> bool {
    let Ok(Frame::Request(numbered)) = Frame::from_bytes(frame) else { return false };
    let Request::RouteRoom(envelope) = numbered.request else { return false };
    matches!(Sealed::unpad(&envelope.bytes), Ok(Sealed::Answer(part)) if part.pairing == pairing)
}

/// Somebody who knows all that the server knows.
struct Ghost {
    member: MemberId,
    psk: [u8; 32],
    terms: Vec<u8>,
    first: PairingId,
    last: PairingId,
}

impl Ghost {
    fn haunt(world: &mut World, room: RoomId) -> Self {
        let member = MemberId([0xee; 16]);
        for phone in 0..3 {
            world.invent(phone, Event::Came(Seat { room, member }));
        }
        let terms = world.invitation(0, room).policy.to_bytes().to_vec();
        Self { member, psk: [7; 32], terms, first: PairingId([1; 16]), last: PairingId([1; 16]) }
    }

    /// A hello to every phone, as good as can be made without the room's secret.
    fn hello(&mut self, world: &mut World, room: RoomId) {
        let own = Identity::from_seed(world.dice.seed());
        for phone in 0..3 {
            let to = world.me(phone, room);
            let pairing = PairingId(world.dice.seed()[..16].try_into().expect("16 bytes"));
            let label: &[u8] = b"sidetone room v1";
            let ids = [pairing.as_bytes(), self.member.as_bytes(), to.as_bytes(), room.as_bytes()]
                .map(|id| id.as_slice())
                .concat();
            let prologue = [label, &ids, &self.terms].concat();
            let pattern = Pattern::Room { own: &own, psk: &self.psk };
            let at = world.now().wall.0.to_be_bytes();
            let (_, hello) = Initiator::start(&pattern, &prologue, &at, world.dice.seed()).expect("a hello");
            let bytes = Sealed::Hello(Part { pairing, bytes: hello.into() }).pad().expect("it fits");
            let delivered = RoomDelivered { room, from: self.member, class: Class::Connect, bytes: bytes.into() };
            world.invent(phone, Event::RoomSealed(delivered));
            if self.psk == [7; 32] {
                self.first = pairing;
            }
            self.last = pairing;
        }
    }
}

/// A policy is part of the key: whoever has another one in mind meets nobody.
#[test]
fn a_policy_that_the_server_or_a_member_rewrote_opens_no_handshake() {
    let secret = Policy { relaying: Relaying::Forbidden, door: Door::Knock, ..Policy::default() };
    let changes: [fn(Policy) -> Policy; 4] = [
        |policy| Policy { relaying: Relaying::Allowed, ..policy },
        |policy| Policy { door: Door::Open, ..policy },
        |policy| Policy { speaking: Speaking::PushToTalk, ..policy },
        |policy| Policy { members: 16 - policy.members % 2 - 1, ..policy },
    ];
    for change in changes {
        let mut world = World::new(35, 2);
        (0..2).for_each(|phone| world.switch_on(phone));
        let room = world.open_room(0, secret, Memory::Nothing);
        let Invitation { secret, policy, creator } = world.invitation(0, room);
        world.join_room(1, Invitation { secret, policy: change(policy), creator }).expect("the server cannot tell");
        let end = |world: &World| world.room_end(1, room) == Some(RoomEnd::Unanswered);
        assert!(world.run_until(30_000, end), "whoever joined is told that nobody answered");
        assert_eq!(world.picture(0, room).len(), 1);
        assert!(world.room_events(0, room).iter().all(|event| !matches!(event, RoomEvent::Knocking(_))));
    }
    // The control: with the policy as it is, the creator hears a knock.
    let mut world = World::new(35, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, secret, Memory::Nothing);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("the server lets it in");
    let knocks = |world: &World| world.room_events(0, room).iter().any(|event| matches!(event, RoomEvent::Knocking(_)));
    assert!(world.run_until(10_000, knocks));
}

#[test]
fn another_creator_in_a_link_is_another_room() {
    let mut world = World::new(36, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Nothing);
    let Invitation { secret, policy, .. } = world.invitation(0, room);
    let creator = Identity::from_seed([9; 32]).public();
    world.join_room(1, Invitation { secret, policy, creator }).expect("the server cannot tell");
    assert!(world.run_until(30_000, |world| world.room_end(1, room) == Some(RoomEnd::Unanswered)));
}

/// A key belongs to the link it arrives on: nobody speaks in another's name.
#[test]
fn a_members_frames_open_on_its_own_link_only() {
    let (mut world, room) = World::gather(37, 3, Policy::default());
    let frame = world.seal(2, room, b"in the name of another").expect("it seals");
    assert!(!world.opens_from(0, 1, room, &frame), "on the link of another it is not opened");
    let frame = world.seal(2, room, b"in its own name").expect("it seals");
    assert!(world.opens_from(0, 2, room, &frame), "the control");
}

#[test]
fn the_server_reads_no_name_text_or_key_of_a_room() {
    let (mut world, room) = World::gather(38, 3, Policy::default());
    let text = sidetone_wire::record::Text::parse("canary of a room").expect("a text");
    world.ask_room(1, RoomCommand::Text(room, text)).expect("it is in");
    world.run(1_000);
    let mut secrets: Vec<Vec<u8>> = vec![b"canary of a room".to_vec(), b"phone 1".to_vec(), b"kitchen".to_vec()];
    secrets.push(world.invitation(0, room).secret.bytes().to_vec());
    secrets.extend((0..3).flat_map(|phone| keys(&world, phone, room)).map(|(_, _, bytes)| bytes[1..].to_vec()));
    assert!(secrets.len() > 6);
    for secret in &secrets {
        assert!(!world.tap.saw(secret), "{:?}", String::from_utf8_lossy(secret));
    }
    assert!(world.tap.saw(room.as_bytes()), "the control: the server sees the room's number");
    let numbers: BTreeSet<MemberId> = (0..3).map(|phone| world.me(phone, room)).collect();
    assert!(numbers.iter().all(|member| world.tap.saw(member.as_bytes())), "and who routes to whom");
}
