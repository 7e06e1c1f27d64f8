//! Rooms: who finds whom, who hears whom, who speaks, and who does not.

use std::collections::BTreeSet;

use proving::world::{World, name, push_to_talk};
use sidetone_crypto::room::{Door, Policy};
use sidetone_engine::floor::{FloorEvent, FloorState, Priority};
use sidetone_engine::room::{Hand, Lock, Memory, NewRoom, Presence, RoomCommand, RoomEnd, RoomEvent};
use sidetone_engine::row::Table;
use sidetone_engine::{Answer, Command, CommandError, Microphone, Verified};
use sidetone_wire::account::Code;
use sidetone_wire::id::RoomId;
use sidetone_wire::member::Reaction;
use sidetone_wire::record::Text;

#[test]
fn two_phones_meet_by_a_link_hear_each_other_and_speak_in_turn() {
    let (mut world, room) = World::gather(1, 2, push_to_talk());
    assert!(world.all_hear(room, &[0, 1]));
    world.press(0, room, Priority::Normal);
    let taken = FloorState::Taken(world.me(0, room));
    assert!(world.run_until(200, |world| world.floor(1, room) == Some(taken)));
    world.press(1, room, Priority::Normal);
    assert!(world.run_until(400, |world| world.floor(1, room) == Some(FloorState::Queued(1))));
    world.let_go(0, room);
    assert!(world.run_until(300, |world| world.floor(1, room) == Some(FloorState::Speaking)));
    let events = world.floor_events(1, room);
    let us = world.me(0, room);
    assert!(events.starts_with(&[FloorEvent::Taken(us), FloorEvent::Queued(1)]), "{events:?}");
    assert!(events.ends_with(&[FloorEvent::Granted]) || events.contains(&FloorEvent::Granted), "{events:?}");
}

#[test]
fn sixteen_who_come_at_once_are_linked_as_soon_as_two_are() {
    let gathered_ms = |seed: u64, phones: usize| {
        let mut world = World::new(seed, phones);
        (0..phones).for_each(|phone| world.switch_on(phone));
        let room = world.open_room(0, Policy::default(), Memory::Nothing);
        let mut came = world.now().time;
        for phone in 1..phones {
            let invitation = world.invitation(0, room);
            came = world.now().time;
            world.join_room(phone, invitation).expect("the door is open");
        }
        let everybody: Vec<usize> = (0..phones).collect();
        while !world.is_mesh(room, &everybody) {
            world.run(20);
        }
        world.now().time.since(came)
    };
    for seed in 0..8 {
        let (two, sixteen) = (gathered_ms(seed, 2), gathered_ms(seed, 16));
        assert!(sixteen <= two + 500, "two are linked after {two} ms, the last of sixteen after {sixteen}");
    }
}

#[test]
fn sixteen_phones_find_each_other_and_all_hear_all() {
    let (mut world, room) = World::gather(2, 16, Policy::default());
    let everybody: Vec<usize> = (0..16).collect();
    world.run(1_000);
    assert!(world.all_hear(room, &everybody));
    let phrase = |world: &World, phone: usize| {
        let engine = world.phones[phone].engine().expect("it runs");
        engine.group_phrase(room).expect("it is in").to_string()
    };
    let all: BTreeSet<String> = everybody.iter().map(|phone| phrase(&world, *phone)).collect();
    assert_eq!(all.len(), 1, "one phrase for all");
    world.ask_room(15, RoomCommand::Leave(room)).expect("it is in");
    assert!(world.run_until(5_000, |world| world.is_mesh(room, &everybody[..15])));
    assert!(!all.contains(&phrase(&world, 0)), "another phrase once somebody left");
}

#[test]
fn a_speaker_whose_phone_dies_is_freed_within_a_second_and_a_bit() {
    let (mut world, room) = World::gather(3, 3, push_to_talk());
    world.press(0, room, Priority::Normal);
    world.run(500);
    let taken = Some(FloorState::Taken(world.me(0, room)));
    assert_eq!([world.floor(1, room), world.floor(2, room)], [taken; 2]);
    world.crash(0);
    let free = |world: &World| (1..3).all(|phone| world.floor(phone, room) == Some(FloorState::Idle));
    assert!(world.run_until(1_200, free));
}

#[test]
fn a_room_lives_on_without_the_server_and_takes_people_in_again_once_it_is_back() {
    let (mut world, room) = World::gather(4, 4, push_to_talk());
    world.crash_server(60_000);
    world.run(50_000);
    assert!(world.is_mesh(room, &[0, 1, 2, 3]));
    world.press(2, room, Priority::Normal);
    let taken = Some(FloorState::Taken(world.me(2, room)));
    assert!(world.run_until(300, |world| [0, 1, 3].iter().all(|phone| world.floor(*phone, room) == taken)));
    world.let_go(2, room);
    world.run(30_000);
    world.ask_room(3, RoomCommand::Leave(room)).expect("it is in");
    let invitation = world.invitation(0, room);
    world.join_room(3, invitation).expect("the room is there again");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2, 3])));
    assert!(world.all_hear(room, &[0, 1, 2, 3]));
}

#[test]
fn the_same_name_twice_puts_nobody_out() {
    let (mut world, room) = World::gather(5, 3, Policy::default());
    world.ask_room(2, RoomCommand::Leave(room)).expect("it is in");
    let invitation = world.invitation(0, room);
    let join = sidetone_engine::room::JoinRoom {
        invitation,
        shown: name(1),
        host: "meet.example".to_owned(),
        memory: Memory::Nothing,
        age: Default::default(),
    };
    world.ask_room(2, RoomCommand::Join(join)).expect("names are nobody's");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
    let names = world.view(0, room).expect("it is in").members.into_iter().map(|member| member.name);
    assert!(names.eq([name(1), name(1)]));
}

#[test]
fn who_knocks_waits_and_hears_nothing_until_the_creator_lets_them_in() {
    let policy = Policy { door: Door::Knock, ..Policy::default() };
    let mut world = World::new(6, 3);
    (0..3).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, policy, Memory::Nothing);
    for phone in 1..3 {
        let invitation = world.invitation(0, room);
        world.join_room(phone, invitation).expect("the server lets them in");
    }
    let knocks = |world: &World| {
        let events = world.room_events(0, room);
        events.iter().filter(|event| matches!(event, RoomEvent::Knocking(_))).count() == 2
    };
    assert!(world.run_until(20_000, knocks));
    world.run(5_000);
    assert!(!world.hears(1, 0, room) && !world.hears(2, 0, room) && !world.hears(2, 1, room));
    assert_eq!(world.picture(1, room).len(), 2, "whoever knocks sees the creator alone");
    let waiting = world.view(0, room).expect("it is in").members;
    assert!(waiting.iter().all(|member| member.presence == Presence::Waiting) && waiting.len() == 2);
    for phone in 1..3 {
        let member = world.me(phone, room);
        world.ask_room(0, RoomCommand::Admit(room, member)).expect("it knocks");
    }
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
    assert!(world.all_hear(room, &[0, 1, 2]));
}

#[test]
fn a_locked_room_takes_nobody_in_and_keeps_whoever_is_there() {
    let (mut world, room) = World::gather(7, 3, Policy::default());
    world.ask_room(2, RoomCommand::Leave(room)).expect("it is in");
    world.run(1_000);
    world.ask_room(0, RoomCommand::Lock(room, Lock::Locked)).expect("it is the creator");
    let locked = Err(CommandError::Refused { code: Code::RoomLocked, retry_ms: 0 });
    let invitation = world.invitation(0, room);
    assert_eq!(world.join_room(2, invitation), locked, "at once");
    assert!(world.is_mesh(room, &[0, 1]) && world.view(1, room).expect("it is in").locked);
    // A server that forgot everything is told anew.
    world.crash_server(500);
    world.run(2_000);
    let back = |world: &World| world.view(0, room).is_some_and(|view| view.online);
    assert!(world.run_until(30_000, back));
    world.run(1_000);
    let invitation = world.invitation(0, room);
    assert_eq!(world.join_room(2, invitation), locked);
    world.ask_room(0, RoomCommand::Lock(room, Lock::Open)).expect("it is the creator");
    let invitation = world.invitation(0, room);
    world.join_room(2, invitation).expect("it is open again");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
}

#[test]
fn only_the_creator_puts_out_locks_and_closes() {
    let (mut world, room) = World::gather(8, 3, Policy::default());
    let other = world.me(2, room);
    for command in [
        RoomCommand::Kick(room, other),
        RoomCommand::Ban(room, other),
        RoomCommand::Admit(room, other),
        RoomCommand::Lock(room, Lock::Locked),
        RoomCommand::Close(room),
    ] {
        assert_eq!(world.ask_room(1, command), Err(CommandError::NotCreator));
    }
    world.ask_room(0, RoomCommand::Close(room)).expect("it is the creator");
    let closed = |world: &World| (0..3).all(|phone| world.room_end(phone, room) == Some(RoomEnd::Closed));
    assert!(world.run_until(2_000, closed));
    world.run(100_000);
    assert_eq!(world.links.count(), 0, "nothing of it is left");
}

#[test]
fn a_full_room_says_so() {
    let policy = Policy { members: 2, ..Policy::default() };
    let mut world = World::new(9, 3);
    (0..3).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, policy, Memory::Nothing);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("there is room");
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1])));
    let invitation = world.invitation(0, room);
    assert_eq!(world.join_room(2, invitation), Err(CommandError::Refused { code: Code::RoomFull, retry_ms: 0 }));
}

#[test]
fn hands_reactions_and_texts_reach_everybody_and_stay_nowhere() {
    let (mut world, room) = World::gather(10, 3, Policy::default());
    let (us, wave) = (world.me(1, room), Reaction::parse("\u{1f44b}").expect("a reaction"));
    let text = Text::parse("only now").expect("a text");
    world.ask_room(1, RoomCommand::RaiseHand(room, Hand::Raised)).expect("it is in");
    world.ask_room(1, RoomCommand::React(room, wave.clone())).expect("it is in");
    world.ask_room(1, RoomCommand::Text(room, text.clone())).expect("it is in");
    let other = world.me(2, room);
    world.ask_room(1, RoomCommand::AskToMute(room, other)).expect("it is there");
    world.run(1_000);
    for phone in [0, 2] {
        let events = world.room_events(phone, room);
        assert!(events.contains(&RoomEvent::Reaction(us, wave.clone())));
        assert!(events.contains(&RoomEvent::Text(us, text.clone())));
        assert_eq!(events.contains(&RoomEvent::MuteAsked(us)), phone == 2, "who is asked learns who asks");
        let view = world.view(phone, room).expect("it is in");
        assert!(view.members.iter().any(|member| member.member == us && member.poise.hand));
    }
    assert!(world.phones.iter().all(|phone| phone.disk().is_empty()), "nothing of a guest's room is on any phone");
}

#[test]
fn a_guest_remembers_a_room_by_its_name() {
    let mut world = World::new(12, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Nothing);
    let (invitation, shown) = (world.invitation(0, room), name(1));
    let (host, memory, age) = ("meet.example".to_owned(), Memory::Recent, Default::default());
    let join = sidetone_engine::room::JoinRoom { invitation, shown, host, memory, age };
    world.ask_room(1, RoomCommand::Join(join)).expect("the door is open");
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1])));
    world.ask_room(1, RoomCommand::Leave(room)).expect("it is in");
    let recent = world.phones[1].engine().expect("it runs").recent_rooms();
    assert_eq!(recent[0].name.as_ref().map(|name| name.as_str()), Some("kitchen"));
}

#[test]
fn a_remembered_room_is_listed_entered_again_as_the_same_one_and_forgotten() {
    let mut world = World::new(11, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Recent);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("the door is open");
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1])));
    let other = world.me(1, room);
    world.crash(0);
    assert!(world.run_until(60_000, |world| world.phones[0].is_connected()));
    let recent = world.phones[0].engine().expect("it runs").recent_rooms();
    assert!(recent.len() == 1 && recent[0].creator && recent[0].room == room);
    world.ask_room(0, RoomCommand::Rejoin(room)).expect("it is remembered");
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[0, 1])));
    assert_eq!(world.me(1, room), other);
    world.ask_room(0, RoomCommand::Kick(room, other)).expect("it is still the creator");
    assert!(world.run_until(2_000, |world| world.room_end(1, room) == Some(RoomEnd::Kicked)));
    world.ask_room(0, RoomCommand::Leave(room)).expect("it is in");
    assert!(world.phones[0].disk().keys().any(|place| place.table == Table::Room));
    world.ask_room(0, RoomCommand::Forget(room)).expect("it is remembered");
    assert!(world.phones[0].disk().keys().all(|place| place.table != Table::Room));
    assert_eq!(world.ask_room(0, RoomCommand::Rejoin(room)), Err(CommandError::NoSuchRoom));
}

#[test]
fn who_was_away_when_somebody_was_banned_comes_back_as_before_and_learns_the_new_link() {
    let remembering = |seed: u64| {
        let mut world = World::new(seed, 4);
        (0..4).for_each(|phone| world.switch_on(phone));
        let room = world.open_room(0, Policy::default(), Memory::Recent);
        for phone in 1..4 {
            let invitation = world.invitation(0, room);
            world.join_and_remember(phone, invitation).expect("the door is open");
        }
        assert!(world.run_until(30_000, |world| world.is_mesh(room, &[0, 1, 2, 3])));
        (world, room)
    };
    let secret = |world: &World, phone: usize, room: RoomId| *world.invitation(phone, room).secret.bytes();
    let ban = |world: &mut World, room: RoomId| {
        let member = world.me(3, room);
        world.ask_room(0, RoomCommand::Ban(room, member)).expect("it is the creator");
        assert!(world.run_until(3_000, |world| world.room_end(3, room) == Some(RoomEnd::Banned)));
    };
    // Its creator is there when it comes back, and tells it.
    let (mut world, room) = remembering(15);
    world.crash(2);
    ban(&mut world, room);
    assert!(world.run_until(60_000, |world| world.phones[2].is_connected()));
    world.ask_room(2, RoomCommand::Rejoin(room)).expect("it is remembered");
    assert_ne!(secret(&world, 0, room), secret(&world, 2, room), "it was away");
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[0, 1, 2])));
    world.run(1_000);
    assert_eq!(secret(&world, 0, room), secret(&world, 2, room));
    // Not running meanwhile, and its creator gone when it comes back: it is known to whoever is there.
    let (mut world, room) = remembering(16);
    world.crash(2);
    ban(&mut world, room);
    world.ask_room(0, RoomCommand::Leave(room)).expect("it is in");
    assert!(world.run_until(60_000, |world| world.phones[2].is_connected() && world.is_mesh(room, &[1])));
    world.ask_room(2, RoomCommand::Rejoin(room)).expect("it is remembered");
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[1, 2])));
    assert!(world.all_hear(room, &[1, 2]));
    // The creator comes back as the creator, and tells the rest; what it told is remembered.
    world.ask_room(0, RoomCommand::Rejoin(room)).expect("it is remembered");
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[0, 1, 2])));
    world.run(1_000);
    let new = secret(&world, 0, room);
    assert_eq!([secret(&world, 1, room), secret(&world, 2, room)], [new; 2]);
    world.crash(2);
    assert!(world.run_until(60_000, |world| world.phones[2].is_connected()));
    world.ask_room(2, RoomCommand::Rejoin(room)).expect("it is remembered");
    assert_eq!(secret(&world, 2, room), new);
    // The server takes the banned one for somebody else after a crash; nobody else does.
    world.crash(3);
    assert!(world.run_until(60_000, |world| world.phones[3].is_connected()));
    world.ask_room(3, RoomCommand::Rejoin(room)).expect("the server cannot tell");
    assert!(world.run_until(60_000, |world| world.room_end(3, room).is_some() && world.view(3, room).is_none()));
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[0, 1, 2])));
    // Nor when somebody gives it the new link: it shows the key that is banned.
    let invitation = world.invitation(1, room);
    world.join_and_remember(3, invitation).expect("the server cannot tell");
    let me = world.me(3, room);
    for _ in 0..100 {
        world.run(100);
        assert!((0..3).all(|phone| !world.picture(phone, room).contains(&me)));
    }
    assert_eq!((world.view(3, room), world.room_end(3, room)), (None, Some(RoomEnd::Banned)), "and is told");
}

#[test]
fn who_is_verified_stays_so_after_the_phone_died() {
    let mut world = World::new(17, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Recent);
    let invitation = world.invitation(0, room);
    world.join_and_remember(1, invitation).expect("the door is open");
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1])));
    let number = |world: &World, phone: usize, other: usize| {
        let engine = world.phones[phone].engine().expect("it runs");
        engine.member_safety_number(room, world.me(other, room)).expect("it is there").digits()
    };
    assert_eq!(number(&world, 0, 1), number(&world, 1, 0), "both see the same number");
    let member = world.me(1, room);
    world.ask_room(0, RoomCommand::SetVerified(room, member, Verified::Yes)).expect("it is there");
    world.crash(0);
    assert!(world.run_until(60_000, |world| world.phones[0].is_connected()));
    world.ask_room(0, RoomCommand::Rejoin(room)).expect("it is remembered");
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[0, 1])));
    assert!(world.view(0, room).expect("it is in").members[0].verified);
}

#[test]
fn in_two_rooms_at_once_each_has_its_own_people_floor_and_keys() {
    let (mut world, one) = World::gather(18, 3, push_to_talk());
    let two = world.open_room(1, push_to_talk(), Memory::Nothing);
    let invitation = world.invitation(1, two);
    world.join_room(0, invitation).expect("the door is open");
    assert!(world.run_until(20_000, |world| world.is_mesh(two, &[0, 1]) && world.is_mesh(one, &[0, 1, 2])));
    assert_ne!(world.me(0, one), world.me(0, two), "nothing links the two");
    assert!(world.all_hear(one, &[0, 1, 2]) && world.all_hear(two, &[0, 1]));
    world.press(2, one, Priority::Normal);
    world.press(1, two, Priority::Normal);
    world.run(500);
    let taken = |phone: usize, room: RoomId, world: &World| Some(FloorState::Taken(world.me(phone, room)));
    assert_eq!((world.floor(0, one), world.floor(0, two)), (taken(2, one, &world), taken(1, two, &world)));
    world.ask_room(0, RoomCommand::Leave(one)).expect("it is in");
    assert!(world.run_until(5_000, |world| world.is_mesh(one, &[1, 2]) && world.is_mesh(two, &[0, 1])));
    assert_eq!(world.floor(0, two), taken(1, two, &world), "the other goes on");
    for number in 0.. {
        let new = NewRoom {
            policy: Policy::default(),
            name: None,
            shown: name(0),
            host: "meet.example".to_owned(),
            memory: Memory::Nothing,
        };
        match world.ask_room(0, RoomCommand::Open(new)) {
            Ok(_) => assert!(number < 8),
            Err(error) => {
                assert_eq!((error, number), (CommandError::TooManyRooms, 7));
                break;
            }
        }
    }
}

#[test]
fn what_is_remembered_of_rooms_never_leaves_the_phone() {
    let mut world = World::new(19, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Recent);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("the door is open");
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1])));
    let canaries = [&b"kitchen"[..], b"phone 0", b"meet.example"];
    let row: Vec<u8> = world.phones[0].disk().values().flatten().copied().collect();
    let holds = |bytes: &[u8], canary: &[u8]| bytes.windows(canary.len()).any(|part| part == canary);
    assert!(canaries.iter().all(|canary| holds(&row, canary)), "the control: the phone remembers all of them");
    assert!(canaries.iter().all(|canary| !world.tap.saw(canary)), "and told the server none");
    assert!(world.phones[1].disk().is_empty(), "who is a guest remembers nothing");
    world.ask_room(0, RoomCommand::Leave(room)).expect("it is in");
    world.ask_room(0, RoomCommand::Forget(room)).expect("it is remembered");
    assert!(world.phones[0].disk().is_empty());
}

#[test]
fn a_microphone_of_push_to_talk_has_no_other_switch() {
    let (mut world, room) = World::gather(20, 2, push_to_talk());
    let shut = world.ask_room(0, RoomCommand::SetMicrophone(room, Microphone::Off));
    assert_eq!(shut, Err(CommandError::WrongPolicy));
}

#[test]
fn a_code_said_aloud_opens_the_room_and_a_wrong_one_burns_it() {
    let mut world = World::new(12, 4);
    (0..4).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy::default(), Memory::Nothing);
    let code = |world: &mut World| match world.ask_room(0, RoomCommand::OpenCode(room)) {
        Ok(Answer::Code(code)) => code,
        other => panic!("no code: {other:?}"),
    };
    let right = code(&mut world);
    assert_eq!(world.join_code(1, &right), Ok(Answer::Room(room)));
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1])));
    // Other words under the same nameplate.
    let (plate, _) = right.split_once('-').expect("a nameplate");
    let other = code(&mut world);
    let (_, words) = other.split_once('-').expect("words");
    let wrong = format!("{plate}-{words}");
    assert_ne!(wrong, right);
    for _ in 0..3 {
        assert_eq!(world.join_code(2, &wrong), Err(CommandError::WrongCode));
    }
    let burned = world.join_code(2, &right);
    assert!(matches!(burned, Err(CommandError::Refused { code: Code::NoSuchPlate, .. })), "{burned:?}");
    world.run(1_000);
    assert!(world.room_events(0, room).contains(&RoomEvent::CodeBurned));
    assert_eq!(world.join_code(3, &other), Ok(Answer::Room(room)), "the other code is as good as before");
    assert!(world.run_until(10_000, |world| world.is_mesh(room, &[0, 1, 3])));
}

#[test]
fn keys_change_with_time_and_everybody_keeps_hearing() {
    let (mut world, room) = World::gather(13, 3, Policy::default());
    let before = world.seal(0, room, b"x").expect("it seals");
    world.run(11 * 60_000);
    let stepped = world.seal(0, room, b"x").expect("it seals");
    assert_ne!(before[..3], stepped[..3], "another key");
    assert!(world.all_hear(room, &[0, 1, 2]));
    world.run(62 * 60_000);
    assert!(world.all_hear(room, &[0, 1, 2]));
    let told: BTreeSet<u16> = world.phones[1].sounds[&room].keys.iter().map(|(_, generation, _)| *generation).collect();
    assert!(told.len() > 1, "a new generation within the hour: {told:?}");
}

#[test]
fn a_signed_in_phone_and_a_guest_are_the_same_to_a_room() {
    let mut world = World::friends(14);
    world.switch_on(2);
    let room = world.open_room(0, Policy::default(), Memory::Kept);
    for phone in 1..3 {
        let invitation = world.invitation(0, room);
        world.join_room(phone, invitation).expect("the door is open");
    }
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
    assert!(world.all_hear(room, &[0, 1, 2]));
    let account = world.phones[0].engine().and_then(|engine| engine.account()).expect("an account").key;
    let seen = world.view(2, room).expect("it is in").members;
    assert!(seen.iter().all(|member| member.key != account), "a room's key is not the account's");
    world.command(0, Command::Room(RoomCommand::Leave(room)));
    world.run(1_000);
    assert!(world.is_mesh(room, &[1, 2]));
}
