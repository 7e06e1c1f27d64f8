//! What the policy of a room promises: which ways its links take, whom it is for, what it keeps.

use proving::world::{Nat, World, name, push_to_talk};
use sidetone_crypto::room::{Age as Audience, Policy, Relaying, Replay, Scope};
use sidetone_engine::floor::{FloorEvent, Priority};
use sidetone_engine::room::{Age, JoinCode, JoinRoom, Memory, Presence, RoomCommand, RoomEvent};
use sidetone_engine::{Answer, CommandError, Protocol, Relay, Route};
use sidetone_wire::id::RoomId;

/// Two phones in a room, behind routers between which nothing leads directly.
fn apart(relaying: Relaying) -> (World, RoomId) {
    let mut world = World::new(31, 2);
    world.server.lend_relays();
    world.links.between.nats = [(0, Nat::Symmetric), (1, Nat::Home)].into();
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy { relaying, ..Policy::default() }, Memory::Nothing);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("the door is open");
    (world, room)
}

fn presence(world: &World, phone: usize, room: RoomId) -> Option<Presence> {
    world.view(phone, room)?.members.first().map(|member| member.presence)
}

#[test]
fn where_relays_are_forbidden_two_without_a_direct_way_are_told_so_and_no_relay_hears_of_them() {
    let (mut world, room) = apart(Relaying::Forbidden);
    let both = |world: &World, is: Presence| (0..2).all(|phone| presence(world, phone, room) == Some(is));
    assert!(world.run_until(20_000, |world| both(world, Presence::NoWay)), "{:?}", presence(&world, 1, room));
    // It stays so, also while it is tried again, until there is a way.
    for _ in 0..120 {
        world.run(1_000);
        assert!(both(&world, Presence::NoWay), "{:?}", [0, 1].map(|phone| presence(&world, phone, room)));
    }
    assert!(!world.hears(0, 1, room) && !world.hears(1, 0, room));
    assert!(world.links.gathered.values().all(|links| *links > 2), "it was tried again: {:?}", world.links.gathered);
    assert!(world.links.relays.values().all(|links| *links == 0), "{:?}", world.links.relays);
    world.links.between.nats.clear();
    assert!(world.run_until(60_000, |world| world.is_mesh(room, &[0, 1])));
    assert!(world.all_hear(room, &[0, 1]));
}

#[test]
fn where_relays_are_allowed_the_same_two_meet_through_one_and_are_told_so() {
    let (mut world, room) = apart(Relaying::Allowed);
    assert!(world.run_until(5_000, |world| world.is_mesh(room, &[0, 1])));
    let here = |relay| Some(Presence::Here(Route::Relayed(relay, Protocol::Udp)));
    let seen = [0, 1].map(|phone| presence(&world, phone, room));
    assert_eq!(seen, [here(Relay::Us), here(Relay::Them)]);
    assert!(world.links.relays.values().any(|links| *links > 0), "{:?}", world.links.relays);
    world.run(1_000);
    assert!(world.all_hear(room, &[0, 1]));
}

#[test]
fn where_relays_are_required_not_even_neighbours_meet_directly() {
    let mut world = World::new(33, 2);
    (0..2).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy { relaying: Relaying::Required, ..Policy::default() }, Memory::Nothing);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("the door is open");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1])));
    let relayed = Some(Presence::Here(Route::Relayed(Relay::Both, Protocol::Udp)));
    assert_eq!([0, 1].map(|phone| presence(&world, phone, room)), [relayed; 2]);
    // Without a relay they do not meet, and are told.
    let (mut world, room) = {
        let mut world = World::new(34, 2);
        world.links.between.nats = [(0, Nat::Open), (1, Nat::Open)].into();
        world.links.between.relays_down = true;
        (0..2).for_each(|phone| world.switch_on(phone));
        let room = world.open_room(0, Policy { relaying: Relaying::Required, ..Policy::default() }, Memory::Nothing);
        let invitation = world.invitation(0, room);
        world.join_room(1, invitation).expect("the door is open");
        (world, room)
    };
    let told = |world: &World| (0..2).all(|phone| presence(world, phone, room) == Some(Presence::NoWay));
    assert!(world.run_until(20_000, told));
}

#[test]
fn nobody_looks_for_a_way_before_it_is_known_where_relays_are() {
    for relaying in [Relaying::Allowed, Relaying::Required] {
        for seed in 0..20 {
            let mut world = World::new(seed, 3);
            world.server.lend_relays();
            (0..3).for_each(|phone| world.switch_on(phone));
            let room = world.open_room(0, Policy { relaying, ..Policy::default() }, Memory::Nothing);
            for phone in 1..3 {
                let invitation = world.invitation(0, room);
                world.join_room(phone, invitation).expect("the door is open");
            }
            assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])), "seed {seed}");
            assert_eq!(world.links.relays, world.links.gathered, "seed {seed}: each link knew a relay");
        }
    }
}

#[test]
fn a_room_for_adults_takes_nobody_who_does_not_say_to_be_one() {
    let mut world = World::new(35, 3);
    (0..3).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy { age: Audience::Adults, ..Policy::default() }, Memory::Nothing);
    let host = || "meet.example".to_owned();
    let by_link = |world: &mut World, phone, age| {
        let invitation = world.invitation(0, room);
        let join = JoinRoom { invitation, shown: name(phone), host: host(), memory: Memory::Nothing, age };
        world.ask_room(phone, RoomCommand::Join(join))
    };
    let by_code = |world: &mut World, phone, age| {
        let Ok(Answer::Code(code)) = world.ask_room(0, RoomCommand::OpenCode(room)) else { panic!("no code") };
        let code = sidetone_crypto::code::SpokenCode::parse(&code).expect("a code");
        let join = JoinCode { code, shown: name(phone), host: host(), memory: Memory::Nothing, age };
        world.ask_room(phone, RoomCommand::JoinCode(join))
    };
    assert_eq!(by_link(&mut world, 1, Age::Unknown), Err(CommandError::AdultsOnly));
    assert_eq!(by_code(&mut world, 2, Age::Unknown), Err(CommandError::AdultsOnly));
    world.run(10_000);
    assert!(world.is_mesh(room, &[0]), "and nobody there hears of them");
    assert_eq!(by_link(&mut world, 1, Age::Adult), Ok(Answer::Room(room)));
    assert_eq!(by_code(&mut world, 2, Age::Adult), Ok(Answer::Room(room)));
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1, 2])));
}

#[test]
fn a_room_for_friends_refuses_others_who_have_its_link() {
    let mut world = World::friends(36);
    world.switch_on(2);
    let policy = Policy { scope: Scope::Friends, ..Policy::default() };
    let room = world.open_room(0, policy, Memory::Nothing);
    let invitation = world.invitation(0, room);
    let refused = world.join_room(2, invitation);
    assert_eq!(refused, Err(CommandError::NotFriends));
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("a friend");
    assert!(world.run_until(20_000, |world| world.is_mesh(room, &[0, 1])));
}

/// What the third of three is told it missed, of two who press at once, and whether it gets it once more.
fn missed(seed: u64, replay: Replay) -> Option<Result<Answer, CommandError>> {
    let (mut world, room) = World::gather(seed, 3, Policy { replay, ..push_to_talk() });
    world.press(0, room, Priority::Normal);
    world.press(1, room, Priority::Normal);
    world.run(1_000);
    world.let_go(0, room);
    world.let_go(1, room);
    world.run(3_000);
    let burst = world.room_events(2, room).into_iter().find_map(|event| match event {
        RoomEvent::Floor(FloorEvent::Missed { member, burst }) => Some((member, burst)),
        _ => None,
    });
    burst.map(|(member, burst)| world.ask_room(2, RoomCommand::Replay(room, member, burst)))
}

#[test]
fn what_was_missed_is_offered_once_more_only_where_the_room_allows_it() {
    let seeds = 40..60;
    let heard = seeds.clone().filter_map(|seed| missed(seed, Replay::Allowed)).collect::<Vec<_>>();
    assert!(!heard.is_empty() && heard.iter().all(Result::is_ok), "{heard:?}");
    assert!(seeds.clone().all(|seed| missed(seed, Replay::Never).is_none()));
}
