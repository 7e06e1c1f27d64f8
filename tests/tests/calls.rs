//! One-to-one calls between two or three phones, in virtual time.

use proving::world::{Lies, Nat, World};
use sidetone_engine::{
    CallState, Camera, Command, CommandError, Content, EndReason, Event, Microphone, Protocol, Reach, Relay, Route,
    Shows, Wants,
};
use sidetone_wire::id::CallId;
use sidetone_wire::push::{PushAddress, WebPush};

fn friends() -> World {
    World::friends(7)
}

fn rings(world: &World, phone: usize) -> bool {
    world.state(phone) == Some(CallState::Ringing)
}

#[test]
fn a_call_rings_is_answered_and_ends_for_both() {
    let mut world = friends();
    let call = world.talk(0, 1);
    let keys = [0, 1].map(|phone| world.phones[phone].media.clone().expect("sound"));
    assert_eq!((&keys[0].1, &keys[1].1), (&keys[1].2, &keys[0].2), "each opens what the other seals");
    world.ask(0, Command::HangUp(call)).expect("it can be ended");
    assert!(world.run_until(1_000, |world| world.ended(1, call).is_some()));
    assert_eq!(world.ended(0, call), Some(EndReason::HungUp));
    assert_eq!(world.ended(1, call), Some(EndReason::PeerHungUp));
    assert!(world.phones.iter().all(|phone| phone.media.is_none()));
}

#[test]
fn a_call_says_since_when_both_can_speak_whatever_happens_to_its_link() {
    let mut world = friends();
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    let since = |world: &World, phone: usize| world.phones[phone].call().expect("a call").connected;
    assert_eq!([0, 1].map(|phone| since(&world, phone)), [None; 2]);
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    let before = world.now().wall;
    assert!(world.run_until(20_000, |world| [0, 1].iter().all(|phone| since(world, *phone).is_some())));
    let told = [0, 1].map(|phone| since(&world, phone));
    assert!(told.iter().all(|at| (before..=world.now().wall).contains(&at.expect("it was just seen"))));
    world.outage(8_000);
    let cut = |world: &World| matches!(world.state(0), Some(CallState::Reconnecting(_)));
    assert!(world.run_until(8_000, cut));
    assert!(world.run_until(30_000, |world| world.state(0) == Some(CallState::Connected)));
    assert_eq!([0, 1].map(|phone| since(&world, phone)), told);
}

#[test]
fn a_call_is_connected_only_when_its_link_carries_sound() {
    let mut world = friends();
    world.links.records_only = true;
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    world.say(0, 1, "are you there?");
    // What is written goes over the link that carries no sound yet.
    let read = |world: &World| world.phones[1].conversation(world.phones[0].user().expect("an account")).len() == 1;
    assert!(world.run_until(5_000, read));
    assert_eq!([0, 1].map(|phone| world.state(phone)), [Some(CallState::Connecting); 2]);
    assert!(world.phones.iter().all(|phone| phone.media.is_none()));
}

/// Two friends, and the phone of the second sleeps, woken by a push or not, since so long.
fn asleep(seed: u64, wakes: bool, since_ms: u64) -> World {
    let mut world = World::friends(seed);
    world.server.wake_phones();
    world.crash_server(100);
    let back = |world: &World| world.phones.iter().take(2).all(|phone| phone.is_connected());
    assert!(!back(&world) || world.run_until(500, |world| !back(world)));
    assert!(world.run_until(20_000, back));
    if wakes {
        let web = WebPush { endpoint: "https://push.example/1".into(), key: point().into(), auth: vec![1; 16].into() };
        world.ask(1, Command::SetPush(Some(Box::new(PushAddress::Web(web))))).expect("an address");
    }
    world.freeze(1);
    world.run(since_ms);
    world
}

/// What a key looks like.
fn point() -> Vec<u8> {
    let mut point = vec![7; 65];
    point[0] = 4;
    point
}

#[test]
fn a_friend_whose_phone_sleeps_is_woken_by_a_call_and_it_rings_there() {
    // While its session could still be resumed, and long after.
    for since_ms in [5_000, 110_000, 300_000] {
        for seed in 0..10 {
            let mut world = asleep(seed, true, since_ms);
            let call = world.call(0, 1);
            assert!(world.run_until(10_000, |world| rings(world, 1)), "seed {seed}: {:?}", world.state(0));
            world.ask(1, Command::AnswerCall(call)).expect("it rings");
            let connected = |world: &World| (0..2).all(|phone| world.state(phone) == Some(CallState::Connected));
            assert!(world.run_until(10_000, connected), "seed {seed}");
        }
        let mut world = asleep(0, false, since_ms);
        world.call(0, 1);
        assert!(!world.run_until(40_000, |world| rings(world, 1)), "the control: nobody wakes it");
    }
}

#[test]
fn a_call_that_was_given_up_does_not_wake_once_more() {
    let mut world = asleep(4, true, 5_000);
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.freeze(1);
    world.run(15_000);
    world.ask(0, Command::HangUp(call)).expect("it can be given up");
    world.run(10_000);
    assert!(world.phones[1].asleep_for(world.now_ms).is_some());
}

#[test]
fn a_text_wakes_nobody_and_waits() {
    let mut world = asleep(3, true, 300_000);
    world.say(0, 1, "when you are up");
    world.run(60_000);
    assert!(world.phones[1].asleep_for(world.now_ms).is_some());
    assert!(!world.holds(1, 0, "when you are up"));
}

#[test]
fn a_declined_call_ends_for_both() {
    let mut world = friends();
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.ask(1, Command::DeclineCall(call)).expect("it can be declined");
    assert!(world.run_until(1_000, |world| world.ended(0, call).is_some()));
    assert_eq!(
        (world.ended(0, call), world.ended(1, call)),
        (Some(EndReason::PeerDeclined), Some(EndReason::Declined))
    );
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let mut world = friends();
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.ask(0, Command::HangUp(call)).expect("it can be given up");
    assert!(world.run_until(1_000, |world| world.ended(1, call).is_some()));
    assert_eq!((world.ended(0, call), world.ended(1, call)), (Some(EndReason::Cancelled), Some(EndReason::Missed)));
}

#[test]
fn a_call_that_nobody_answers_ends_after_45_seconds() {
    let mut world = friends();
    let call = world.call(0, 1);
    let begun = world.now_ms;
    assert!(world.run_until(60_000, |world| world.ended(0, call).is_some() && world.ended(1, call).is_some()));
    assert!((44_000..47_000).contains(&(world.now_ms - begun)), "after {} ms", world.now_ms - begun);
    assert_eq!((world.ended(0, call), world.ended(1, call)), (Some(EndReason::Unanswered), Some(EndReason::Missed)));
}

#[test]
fn who_is_in_a_call_is_busy_for_others() {
    let mut world = friends();
    world.register(2, "cid");
    world.befriend(2, 1);
    world.talk(0, 1);
    let second = world.call(2, 1);
    assert!(world.run_until(10_000, |world| world.ended(2, second).is_some()));
    assert_eq!(world.ended(2, second), Some(EndReason::PeerBusy));
    assert_eq!(world.state(1), Some(CallState::Connected));
}

#[test]
fn two_who_call_each_other_at_once_are_in_one_call() {
    for seed in 0..40 {
        let mut world = World::friends(seed);
        let one = world.call(0, 1);
        let pause = world.dice.within(0, 300);
        world.run(pause);
        let peer = world.phones[0].user().expect("an account");
        let other = match world.ask(1, Command::Call(peer)) {
            Ok(sidetone_engine::Answer::Call(other)) => other,
            // It rang before: then there is only one call.
            Err(CommandError::Busy) => continue,
            answer => panic!("{answer:?}"),
        };
        let connected = |world: &World| (0..2).all(|phone| world.state(phone) == Some(CallState::Connected));
        assert!(world.run_until(20_000, connected), "seed {seed}: {:?} {:?}", world.state(0), world.state(1));
        let calls = [0, 1].map(|phone| world.phones[phone].call().expect("a call").call);
        assert_eq!(calls, [one.min(other); 2], "seed {seed}");
        let loser = if one < other { 1 } else { 0 };
        assert_eq!(world.ended(loser, one.max(other)), Some(EndReason::Merged(one.min(other))), "seed {seed}");
    }
}

#[test]
fn a_friend_who_is_not_there_is_unreachable_at_once() {
    let mut world = friends();
    world.cut(1, 500_000);
    world.run(125_000);
    let call = world.call(0, 1);
    assert!(world.run_until(1_000, |world| world.ended(0, call).is_some()));
    assert_eq!(world.ended(0, call), Some(EndReason::Unreachable));
}

#[test]
fn a_friend_who_lost_the_network_a_moment_ago_may_still_come_back_and_answer() {
    let mut world = friends();
    world.cut(1, 10_000);
    let call = world.call(0, 1);
    assert!(world.run_until(20_000, |world| rings(world, 1)));
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    assert!(world.run_until(10_000, |world| world.state(0) == Some(CallState::Connected)));
}

#[test]
fn a_lost_answer_does_not_leave_the_phone_ringing() {
    let mut world = friends();
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.lies = Lies { drop: 1, ..Lies::default() };
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    assert!(world.run_until(50_000, |world| world.ended(0, call).is_some() && world.ended(1, call).is_some()));
    assert_eq!(world.ended(0, call), Some(EndReason::Unanswered));
    assert_eq!(world.ended(1, call), Some(EndReason::ConnectionLost));
}

#[test]
fn a_call_survives_a_lost_link_under_new_keys() {
    let mut world = friends();
    let call = world.talk(0, 1);
    let before = world.phones[0].media.clone().expect("sound");
    world.outage(31_000);
    assert!(world.run_until(5_000, |world| matches!(world.state(0), Some(CallState::Reconnecting(_)))));
    world.links.outage_until = world.now_ms + 28_000;
    let again = |world: &World| (0..2).all(|phone| world.state(phone) == Some(CallState::Connected));
    assert!(world.run_until(60_000, again) || world.ended(0, call) == Some(EndReason::ConnectionLost));
    if again(&world) {
        let after = world.phones[0].media.clone().expect("sound");
        assert_eq!(before.0, after.0, "the same call");
        assert_ne!(before.1, after.1, "another key");
    }
}

#[test]
fn a_short_silence_is_shown_and_passes() {
    let mut world = friends();
    world.talk(0, 1);
    world.outage(6_000);
    assert!(world.run_until(5_000, |world| matches!(world.state(0), Some(CallState::Reconnecting(_)))));
    assert!(world.run_until(5_000, |world| world.state(0) == Some(CallState::Connected)));
}

#[test]
fn a_call_goes_on_without_the_server_and_can_be_ended_without_it() {
    let mut world = friends();
    let call = world.talk(0, 1);
    world.crash_server(600_000);
    world.run(120_000);
    assert_eq!((world.state(0), world.state(1)), (Some(CallState::Connected), Some(CallState::Connected)));
    world.ask(1, Command::HangUp(call)).expect("it can be ended");
    assert!(world.run_until(1_000, |world| world.ended(0, call).is_some()));
    assert_eq!(world.ended(0, call), Some(EndReason::PeerHungUp));
}

#[test]
fn a_phone_that_slept_ten_minutes_is_in_no_call() {
    let mut world = friends();
    let call = world.talk(0, 1);
    world.sleep(1, 600_000);
    world.run(700_000);
    assert!(world.ended(0, call).is_some() && world.ended(1, call).is_some());
    assert_eq!((world.state(0), world.state(1)), (None, None));
}

#[test]
fn a_mute_is_seen_by_the_other_side() {
    let mut world = friends();
    let call = world.talk(0, 1);
    world.ask(0, Command::SetMicrophone(call, Microphone::Off)).expect("it can be muted");
    let seen = |world: &World| world.phones[1].call().is_some_and(|view| view.their_microphone == Microphone::Off);
    assert!(world.run_until(1_000, seen));
}

#[test]
fn what_is_shown_is_seen_by_the_other_side_and_again_on_a_new_link() {
    let mut world = friends();
    let call = world.talk(0, 1);
    let shows = Shows { camera: true, screen: Some(Content::Motion) };
    world.ask(0, Command::Show(call, shows)).expect("the call is on");
    world.ask(1, Command::Want(call, Wants { camera: 360, screen: 0 })).expect("the call is on");
    let seen = |world: &World| world.phones[1].call().is_some_and(|view| view.their_shows == shows);
    let wanted = |world: &World| world.phones[0].call().is_some_and(|view| view.their_wants.camera == 360);
    assert!(world.run_until(1_000, |world| seen(world) && wanted(world)));
    let shows = Shows { camera: false, screen: Some(Content::Text) };
    world.outage(12_000);
    assert!(world.run_until(5_000, |world| matches!(world.state(0), Some(CallState::Reconnecting(_)))));
    world.ask(0, Command::Show(call, shows)).expect("the call is on");
    let seen = |world: &World| world.phones[1].call().is_some_and(|view| view.their_shows == shows);
    assert!(world.run_until(60_000, seen), "said again");
    assert_eq!(world.ask(1, Command::Show(CallId([9; 16]), shows)), Err(CommandError::NoSuchCall));
}

#[test]
fn camera_and_screen_are_turned_on_and_off_without_each_other() {
    let mut world = friends();
    let call = world.talk(0, 1);
    for (command, camera, screen) in [
        (Command::ShowCamera(call, Camera::On), true, None),
        (Command::ShowScreen(call, Some(Content::Text)), true, Some(Content::Text)),
        (Command::ShowCamera(call, Camera::Off), false, Some(Content::Text)),
        (Command::ShowScreen(call, None), false, None),
    ] {
        world.ask(0, command).expect("the call is on");
        let shows = Shows { camera, screen };
        assert_eq!(world.phones[0].call().map(|view| view.shows), Some(shows));
        let seen = |world: &World| world.phones[1].call().is_some_and(|view| view.their_shows == shows);
        assert!(world.run_until(1_000, seen));
    }
    let other = CallId([9; 16]);
    assert_eq!(world.ask(0, Command::ShowCamera(other, Camera::On)), Err(CommandError::NoSuchCall));
}

#[test]
fn the_keys_of_a_long_call_are_renewed() {
    let mut world = friends();
    world.talk(0, 1);
    let before = world.phones[0].media.clone().expect("sound");
    world.run(3_700_000);
    let after = [0, 1].map(|phone| world.phones[phone].media.clone().expect("sound"));
    assert_ne!(before.1, after[0].1, "another key after an hour");
    assert_eq!((&after[0].1, &after[1].1), (&after[1].2, &after[0].2), "each opens what the other seals");
}

#[test]
fn nothing_is_gathered_before_the_answer() {
    let mut world = friends();
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.run(20_000);
    assert!(world.links.gathered.is_empty(), "no phone gathers addresses while it rings");
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    world.run(2_000);
    assert_eq!(world.links.gathered.values().copied().collect::<Vec<_>>(), [1, 1], "the control: both do after it");
}

#[test]
fn late_commands_for_a_call_that_is_over_are_refused_without_harm() {
    let mut world = friends();
    let call = world.talk(0, 1);
    world.ask(0, Command::HangUp(call)).expect("it can be ended");
    world.run(1_000);
    for phone in 0..2 {
        for command in [Command::AnswerCall(call), Command::DeclineCall(call), Command::HangUp(call)] {
            assert_eq!(world.ask(phone, command), Err(CommandError::NoSuchCall));
        }
    }
    assert!(!world.phones[1].events.iter().rev().take(3).any(|(_, event)| matches!(event, Event::Connected(false))));
}

#[test]
fn only_friends_may_be_called_or_written_to() {
    let mut world = friends();
    world.register(2, "cid");
    let stranger = world.phones[2].user().expect("an account");
    assert_eq!(world.ask(0, Command::Call(stranger)), Err(CommandError::NotFriends));
    let text = sidetone_wire::record::Text::parse("hello").expect("a text");
    assert_eq!(world.ask(0, Command::SendText(stranger, text)), Err(CommandError::NotFriends));
}

#[test]
fn relays_are_asked_for_again_before_their_credentials_end() {
    let mut world = friends();
    let asked = |world: &World| {
        let relays = |frame: &&Vec<u8>| {
            let frame = sidetone_wire::frame::Frame::from_bytes(frame);
            matches!(frame, Ok(sidetone_wire::frame::Frame::Request(numbered))
                if matches!(numbered.request, sidetone_wire::account::Request::Relays(_)))
        };
        world.tap.seen.iter().filter(relays).count()
    };
    assert_eq!(asked(&world), 0, "nobody asks who needs no link");
    for round in 1..=3 {
        let call = world.talk(0, 1);
        world.ask(0, Command::HangUp(call)).expect("it can be ended");
        assert_eq!(asked(&world), 2 * round, "each phone asked once");
        world.talk(0, 1);
        let call = world.phones[0].call().expect("a call").call;
        world.ask(0, Command::HangUp(call)).expect("it can be ended");
        assert_eq!(asked(&world), 2 * round, "and not again at once");
        world.run(700_000);
    }
}

/// Anna's and Ben's routes in a call between networks like these; none if they never hear each other.
fn routes(one: Nat, other: Nat, relays_down: bool) -> Option<[Route; 2]> {
    let mut world = friends();
    world.links.between.nats = [(0, one), (1, other)].into();
    world.links.between.relays_down = relays_down;
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    world.run(40_000);
    if world.ended(0, call).is_some() {
        assert_eq!(world.ended(0, call), Some(EndReason::ConnectionLost));
        return None;
    }
    Some([0, 1].map(|phone| world.phones[phone].call().and_then(|view| view.route).expect("it is connected")))
}

#[test]
fn a_call_takes_a_relay_where_routers_leave_no_other_way_and_fails_where_there_is_none() {
    let direct = Some([Route::Direct(Reach::Internet); 2]);
    assert_eq!(routes(Nat::Lan, Nat::Lan, false), Some([Route::Direct(Reach::Lan); 2]));
    assert_eq!(routes(Nat::Home, Nat::Home, true), direct);
    assert_eq!(routes(Nat::Open, Nat::Symmetric, true), direct);
    let relayed = Some([Route::Relayed(Relay::Them, Protocol::Udp), Route::Relayed(Relay::Us, Protocol::Udp)]);
    assert_eq!(routes(Nat::Home, Nat::Symmetric, false), relayed);
    assert_eq!(routes(Nat::Blocked, Nat::Symmetric, false), Some([Route::Relayed(Relay::Both, Protocol::Udp); 2]));
    assert_eq!(routes(Nat::Blocked, Nat::Open, true), None);
}

#[test]
fn a_call_and_a_text_get_through_where_half_of_all_packets_are_lost() {
    let mut world = friends();
    world.links.between.loss_one_in = 2;
    let call = world.talk(0, 1);
    world.say(0, 1, "do you hear me?");
    assert!(world.run_until(60_000, |world| world.holds(1, 0, "do you hear me?")));
    world.ask(0, Command::HangUp(call)).expect("it can be ended");
    assert!(world.run_until(20_000, |world| world.ended(1, call) == Some(EndReason::PeerHungUp)));
}
