//! Phones that come into another network in the middle of a call, in virtual time. `WORLD_SEED=7` replays one life,
//! `WORLD_TIMES=50` tries fifty times as many.

use proving::world::{World, is_lent};
use sidetone_engine::transfer::row::EndReason as EndOf;
use sidetone_engine::{
    Addresses, CallState, Command, EndReason, Event, Network, NetworkKind, Protocol, Reach, Relay, Route, Verified,
};
use sidetone_wire::id::{CallId, TransferId};

const MOBILE: NetworkKind = NetworkKind::Mobile;

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    number("WORLD_SEED").map_or(0..count * number("WORLD_TIMES").unwrap_or(1), |seed| seed..seed + 1)
}

fn mobile() -> Network {
    Network::of(MOBILE)
}

fn states(world: &World) -> [Option<CallState>; 2] {
    [0, 1].map(|phone| world.state(phone))
}

fn reconnecting(world: &World) -> bool {
    states(world).iter().all(|state| matches!(state, Some(CallState::Reconnecting(_))))
}

fn connected(world: &World) -> bool {
    states(world) == [Some(CallState::Connected); 2]
}

/// The keys that both phones speak with.
fn keys(world: &World) -> [(CallId, Vec<u8>, Vec<u8>); 2] {
    [0, 1].map(|phone| world.phones[phone].media.clone().expect("a call"))
}

/// How often an app was told something since some moment.
fn told(world: &World, phone: usize, since_ms: u64, what: impl Fn(&Event) -> bool) -> usize {
    world.phones[phone].events.iter().filter(|(at, event)| *at >= since_ms && what(event)).count()
}

fn is_reconnecting(event: &Event) -> bool {
    matches!(event, Event::Call(view) if matches!(view.state, CallState::Reconnecting(_)))
}

#[test]
fn a_call_moves_to_the_mobile_network_before_the_wifi_goes() {
    for seed in seeds(60) {
        for walker in 0..2 {
            let mut world = World::friends(seed);
            world.talk(0, 1);
            let (keys_before, begun, old) = (keys(&world), world.now_ms, world.ends_made());
            world.reach_another_network(walker, mobile());
            assert_eq!(world.gaps(2_000), [0; 2], "seed {seed}");
            world.lose_network(walker, old, Some(mobile()));
            assert_eq!(world.gaps(20_000), [0; 2], "seed {seed}: the old network is not missed");
            for phone in 0..2 {
                assert_eq!(told(&world, phone, begun, is_reconnecting), 0, "seed {seed}");
            }
            assert_eq!(keys(&world), keys_before, "seed {seed}: same call, same keys");
            world.say(1 - walker, walker, "where are you?");
            assert!(world.run_until(5_000, |world| world.holds(walker, 1 - walker, "where are you?")), "seed {seed}");
            assert_eq!([0, 1].map(|phone| world.links.of(phone).len()), [1; 2], "seed {seed}: the old link is closed");
        }
    }
}

#[test]
fn a_call_whose_address_is_gone_goes_on_within_a_second() {
    let mut longest = Vec::new();
    for seed in seeds(200) {
        let mut world = World::friends(seed);
        let call = world.talk(0, 1);
        let keys_before = keys(&world);
        let (walker, old) = ((seed % 2) as usize, world.ends_made());
        world.lose_network(walker, old, Some(mobile()));
        assert!(matches!(world.state(walker), Some(CallState::Reconnecting(_))), "seed {seed}: it knows at once");
        let gaps = world.gaps(10_000);
        assert!(connected(&world), "seed {seed}: {:?}", states(&world));
        assert_eq!(world.phones[0].call().map(|view| view.call), Some(call));
        assert_eq!(keys(&world), keys_before, "seed {seed}: same call, same keys");
        assert_eq!(told(&world, 1 - walker, 0, is_reconnecting), 1, "seed {seed}: the other end has the same idea");
        longest.extend(gaps);
    }
    longest.sort_unstable();
    let p95 = longest[longest.len() * 95 / 100];
    assert!(*longest.first().expect("some") > 0, "the control: there is a gap");
    assert!(p95 <= 1_000, "{p95} ms");
}

/// Offers a large file from the first phone, which the second takes, and runs until some of it is there.
fn sending(world: &mut World, size: u64) -> TransferId {
    let transfer = world.offer(0, 1, 7, size);
    let offered = |world: &World| world.phones[1].engine().is_some_and(|engine| !engine.transfers().is_empty());
    assert!(world.run_until(20_000, offered));
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    let some = |world: &World| world.phones[1].files.parts.get(&transfer).is_some_and(|(_, chunks)| *chunks >= 100);
    assert!(world.run_until(60_000, some));
    transfer
}

#[test]
fn files_and_texts_go_on_through_every_change_of_network() {
    for seed in seeds(40) {
        let mut world = World::friends(seed);
        world.talk(0, 1);
        let size = 60 << 20;
        let transfer = sending(&mut world, size);
        for round in 0..3 {
            let old = world.ends_made();
            let network = Network::of(if round % 2 == 0 { MOBILE } else { NetworkKind::Wifi });
            let walker = (seed as usize + round) % 2;
            if round < 2 {
                world.reach_another_network(walker, network.clone());
                world.say(0, 1, &format!("round {round}"));
                world.run(700);
            }
            world.lose_network(walker, old, Some(network));
            world.run(2_500);
        }
        let end = |world: &World, phone: usize| world.phones[phone].past().get(&transfer).and_then(|row| row.end);
        let received = Some(EndOf::Received.number());
        assert!(
            world.run_until(600_000, |world| end(world, 0) == received && end(world, 1) == received),
            "seed {seed}: {:?}",
            [end(&world, 0), end(&world, 1)]
        );
        assert!(world.holds(1, 0, "round 0") && world.holds(1, 0, "round 1"), "seed {seed}");
        assert!(connected(&world), "seed {seed}");
    }
}

#[test]
fn without_a_network_both_ends_wait_until_the_same_moment_and_it_goes_on_in_time() {
    for seed in seeds(40) {
        let mut world = World::friends(seed);
        world.talk(0, 1);
        let keys_before = keys(&world);
        let begun = world.now_ms;
        world.airplane(0, 12_000, mobile());
        assert!(matches!(world.state(0), Some(CallState::Reconnecting(_))), "known at once");
        assert!(world.run_until(3_000, reconnecting), "seed {seed}: and soon at the other end");
        let deadline = |world: &World, phone| match world.state(phone) {
            Some(CallState::Reconnecting(until)) => until.0,
            other => panic!("{other:?}"),
        };
        let (ours, theirs) = (deadline(&world, 0), deadline(&world, 1));
        assert!(ours.abs_diff(theirs) <= 3_000 && ours > begun + 25_000, "{ours} {theirs}");
        world.run(12_000);
        assert!(world.run_until(5_000, connected), "seed {seed}: {:?}", states(&world));
        assert_eq!(keys(&world), keys_before, "seed {seed}");
    }
}

#[test]
fn without_a_network_for_too_long_the_call_ends_at_both_ends_for_the_same_reason() {
    let mut world = World::friends(3);
    let call = world.talk(0, 1);
    world.airplane(0, 600_000, mobile());
    world.run(40_000);
    assert_eq!([0, 1].map(|phone| world.ended(phone, call)), [Some(EndReason::ConnectionLost); 2]);
}

#[test]
fn a_call_moves_without_the_server_where_both_networks_are_there() {
    for seed in seeds(20) {
        let mut world = World::friends(seed);
        world.talk(0, 1);
        world.crash_server(600_000);
        world.run(5_000);
        let old = world.ends_made();
        world.reach_another_network(0, mobile());
        assert_eq!(world.gaps(3_000), [0; 2], "seed {seed}");
        world.lose_network(0, old, Some(mobile()));
        assert_eq!(world.gaps(20_000), [0; 2], "seed {seed}");
        assert!(connected(&world), "seed {seed}");
    }
}

#[test]
fn a_call_whose_address_is_gone_waits_for_the_server() {
    let mut world = World::friends(5);
    world.talk(0, 1);
    world.crash_server(10_000);
    world.run(1_000);
    let old = world.ends_made();
    world.lose_network(0, old, Some(mobile()));
    assert!(world.run_until(4_000, reconnecting));
    assert!(world.run_until(20_000, connected), "{:?}", states(&world));
}

#[test]
fn an_app_that_never_tells_of_another_network_is_told_so_once_and_its_call_goes_on() {
    for tells in [false, true] {
        let mut world = World::friends(9);
        world.talk(0, 1);
        for round in 0..2 {
            let old = world.ends_made();
            let kind = if round == 0 { MOBILE } else { NetworkKind::Wifi };
            world.lose_network(0, old, tells.then(|| Network::of(kind)));
            assert!(world.run_until(6_000, |world| connected(world) && world.is_heard(0)), "{:?}", states(&world));
            world.run(1_000);
        }
        let count = told(&world, 0, 0, |event| *event == Event::NetworkUntold);
        assert_eq!(count, usize::from(!tells));
        assert_eq!(told(&world, 1, 0, |event| *event == Event::NetworkUntold), 0);
    }
}

#[test]
fn networks_that_come_and_go_faster_than_links_do_no_harm() {
    for seed in seeds(40) {
        let mut world = World::friends(seed);
        world.talk(0, 1);
        for step in 0..12 {
            let walker = world.dice.within(0, 1) as usize;
            let network = Network::of([MOBILE, NetworkKind::Wifi, NetworkKind::Other][step % 3]);
            match world.dice.within(0, 2) {
                0 => world.reach_another_network(walker, network),
                _ => {
                    let old = world.ends_made();
                    world.lose_network(walker, old, Some(network));
                }
            }
            let pause = world.dice.within(0, 400);
            world.run(pause);
        }
        assert!(world.run_until(25_000, connected), "seed {seed}: {:?}", states(&world));
        world.run(5_000);
        assert!(world.is_heard(0) && world.is_heard(1), "seed {seed}");
        world.say(0, 1, "still there");
        assert!(world.run_until(10_000, |world| world.holds(1, 0, "still there")), "seed {seed}");
    }
}

#[test]
fn a_second_link_that_one_end_gives_up_while_the_other_takes_it_costs_a_moment() {
    let mut longest = Vec::new();
    for seed in seeds(100) {
        for walker in 0..2 {
            let mut world = World::friends(seed);
            world.talk(0, 1);
            world.reach_another_network(walker, mobile());
            let both = |world: &World| (0..2).all(|phone| world.links.of(phone).len() == 2);
            assert!(world.run_until(5_000, both), "seed {seed}");
            // Until the second link is up, which is when one end takes it.
            let pause = world.dice.within(0, 500);
            world.run(pause);
            world.reach_another_network(1 - walker, Network::of(NetworkKind::Other));
            longest.extend(world.gaps(15_000));
            assert!(connected(&world) && world.is_heard(0) && world.is_heard(1), "seed {seed}: {:?}", states(&world));
        }
    }
    let most = longest.into_iter().max().expect("some");
    assert!((1..=3_000).contains(&most), "{most} ms: there is such a moment, and it is short");
}

/// Whether the second phone was told an address of the first that no relay lent.
fn is_shown(world: &World) -> bool {
    world.links.tried.iter().any(|(phone, address)| *phone == 1 && !is_lent(address))
}

#[test]
fn an_address_is_shown_to_a_friend_only_once_the_user_allows_it() {
    use Addresses::{Direct, Never, RelayUntilAccepted, RelayUntilVerified};
    for (rule, after_text, after_call, after_comparing) in [
        (Direct, true, true, true),
        (RelayUntilAccepted, false, true, true),
        (RelayUntilVerified, false, false, true),
        (Never, false, false, false),
    ] {
        let mut world = World::friends(13);
        let ben = world.phones[1].user().expect("an account");
        world.ask(0, Command::SetAddressesFor(ben, Some(rule))).expect("a friend");
        world.say(1, 0, "hello");
        assert!(world.run_until(15_000, |world| world.holds(0, 1, "hello")));
        assert_eq!(is_shown(&world), after_text, "{rule:?}");
        world.talk(1, 0);
        world.run(5_000);
        assert_eq!(is_shown(&world), after_call, "{rule:?}");
        world.ask(0, Command::SetVerified(ben, Verified::Yes)).expect("a friend");
        world.run(5_000);
        assert_eq!(is_shown(&world), after_comparing, "{rule:?}");
        let relayed = matches!(world.phones[0].call().and_then(|view| view.route), Some(Route::Relayed(..)));
        assert_eq!(relayed, !after_comparing, "{rule:?}");
    }
}

#[test]
fn a_relayed_call_goes_direct_without_a_gap_once_both_ends_allow_it() {
    for seed in seeds(40) {
        let mut world = World::friends(seed);
        for phone in 0..2 {
            world.ask(phone, Command::SetAddresses(Addresses::RelayUntilVerified)).expect("a preference");
        }
        world.talk(0, 1);
        let keys_before = keys(&world);
        let [ada, ben] = [0, 1].map(|phone| world.phones[phone].user().expect("an account"));
        world.ask(0, Command::SetVerified(ben, Verified::Yes)).expect("a friend");
        assert_eq!(world.gaps(3_000), [0; 2], "seed {seed}");
        let routes = |world: &World| [0, 1].map(|phone| world.phones[phone].call().and_then(|view| view.route));
        assert_eq!(
            routes(&world),
            [Some(Route::Relayed(Relay::Both, Protocol::Udp)); 2],
            "seed {seed}: one alone decides nothing"
        );
        assert!(!world.links.tried.iter().any(|(_, address)| !is_lent(address)), "seed {seed}");
        world.ask(1, Command::SetVerified(ada, Verified::Yes)).expect("a friend");
        assert_eq!(world.gaps(5_000), [0; 2], "seed {seed}");
        assert_eq!(routes(&world), [Some(Route::Direct(Reach::Lan)); 2], "seed {seed}");
        assert_eq!(keys(&world), keys_before, "seed {seed}");
    }
}

#[test]
fn nobody_learns_an_address_while_it_rings_whatever_the_rule() {
    for rule in [Addresses::Direct, Addresses::RelayUntilAccepted] {
        let mut world = World::friends(17);
        world.ask(0, Command::SetAddresses(rule)).expect("a preference");
        let call = world.call(1, 0);
        world.run(30_000);
        assert_eq!(world.links.gathered.get(&0), None, "{rule:?}: nothing is gathered");
        world.ask(0, Command::AnswerCall(call)).expect("it rings");
        assert!(world.run_until(10_000, connected) && is_shown(&world), "{rule:?}: the control");
    }
}
