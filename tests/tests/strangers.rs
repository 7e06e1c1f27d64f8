//! Promises about strangers: who meets, what is said, what is left of it, and that nobody is ever stuck.

use proving::world::{Nat, World, entry};
use sidetone_engine::room::Age;
use sidetone_engine::stranger::{
    Accept, Attachment, AttachmentKind, Consent, Entry, Exposure, Leaving, Reason, SearchEnd, StrangerCommand,
    StrangerContent, StrangerEnd, StrangerEvent, StrangerView,
};
use sidetone_engine::{Answer, CallState, Command, CommandError, Event, Hearing, Route};
use sidetone_wire::account::Code;
use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::MatchId;
use zeroize::Zeroizing;

fn order(world: &mut World, phone: usize, command: StrangerCommand) -> Result<Answer, CommandError> {
    world.ask(phone, Command::Stranger(command))
}

fn image(length: usize, seed: u8) -> Attachment {
    let bytes = (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect();
    Attachment { kind: AttachmentKind::Image { width: 640, height: 480 }, bytes: Zeroizing::new(bytes) }
}

#[test]
fn two_strangers_meet_through_a_relay_talk_and_part_and_no_row_is_written() {
    let mut world = World::lobby(1, 2);
    let id = world.meet(0, 1);
    let ada = world.stranger(0).expect("a stranger");
    assert_eq!(ada.nickname.expect("a name").as_str(), "guest 1");
    assert!(matches!(ada.route, Some(Route::Relayed(..))));
    assert!(!ada.exposure.our_address && !ada.exposure.their_address);
    for text in ["hello", "how are you?"] {
        world.tell_stranger(0, id, text).expect("it is said");
    }
    world.tell_stranger(1, id, "fine").expect("it is said");
    let arrived = |world: &World| world.heard_of_stranger(1).len() == 2 && world.heard_of_stranger(0) == ["fine"];
    assert!(world.run_until(5_000, arrived));
    assert_eq!(world.heard_of_stranger(1), ["hello", "how are you?"]);
    order(&mut world, 0, StrangerCommand::Send(id, image(300_000, 3))).expect("it is sent");
    let whole = |world: &World| world.talked(1).iter().filter(|message| message.whole).count() == 4;
    assert!(world.run_until(20_000, whole), "the image arrives");
    let StrangerContent::Attachment(got, _) = &world.talked(1)[3].content else { panic!("an image") };
    assert_eq!(*got, image(300_000, 3));
    assert!(world.run_until(5_000, |world| world.talked(0).iter().all(|message| message.whole)), "all is confirmed");

    let burned = world.leave_stranger(0, Leaving::End);
    assert_eq!(burned.held, burned.erased);
    assert_eq!((burned.held.texts, burned.held.images, burned.held.names, burned.held.links), (3, 1, 2, 1));
    assert!(burned.held.keys >= 3 && burned.held.bytes > 300_000);
    assert!(world.run_until(5_000, |world| !world.strangers_ended(1).is_empty()));
    let (over, why, burned) = world.strangers_ended(1)[0];
    assert_eq!((over, why, burned.held), (id, StrangerEnd::TheyLeft, burned.erased));
    assert!(world.talked(0).is_empty() && world.talked(1).is_empty());
    assert!((0..2).all(|phone| matches!(world.lobby_of(phone), StrangerView::Lobby(_))));
    assert_eq!((world.written, world.links.count()), (0, 0), "no row, and no link");
}

#[test]
fn the_server_sees_neither_name_nor_words_nor_addresses() {
    let mut world = World::lobby(2, 2);
    let id = world.meet(0, 1);
    world.tell_stranger(0, id, "a very secret sentence").expect("it is said");
    assert!(world.run_until(5_000, |world| !world.heard_of_stranger(1).is_empty()));
    for secret in [&b"guest 0"[..], b"guest 1", b"secret sentence"] {
        assert!(!world.tap.saw(secret));
    }
    let frames = world.tap.seen.len();
    order(&mut world, 0, StrangerCommand::Send(id, image(1_000_000, 9))).expect("it is sent");
    let whole = |world: &World| world.talked(1).len() == 2 && world.talked(1)[1].whole;
    assert!(world.run_until(60_000, whole));
    assert_eq!(world.tap.seen.len(), frames, "what is said takes no way through the server");
}

#[test]
fn a_search_is_answered_with_work_when_it_is_asked_for() {
    let mut world = World::lobby(3, 2);
    // Ada searches as a machine does, until work is wanted of her; it is done, and she meets somebody all the same.
    for _ in 0..8 {
        world.enter(0, "ada").expect("a search");
        world.run(100);
        world.leave_stranger(0, Leaving::End);
    }
    for _ in 0..6 {
        world.enter(0, "ada").expect("a search");
        world.leave_stranger(0, Leaving::End);
    }
    assert_eq!(world.enter(0, "ada"), Ok(Answer::Done));
    let working = |(_, event): &(u64, Event)| *event == Event::Stranger(StrangerEvent::Changed);
    assert!(world.phones[0].events.iter().any(working));
    world.enter(1, "bob").expect("a search");
    assert!(world.run_until(30_000, |world| world.met(0).is_some() && world.met(0) == world.met(1)));
}

#[test]
fn what_makes_no_sense_is_refused_and_the_user_is_in_the_lobby() {
    let mut world = World::lobby(4, 2);
    let enter = |world: &mut World, entry| order(world, 0, StrangerCommand::Enter(entry));
    let many = (0..9).map(|number| format!("interest {number}")).collect();
    for interests in [many, vec![String::new()], vec!["x".repeat(65)]] {
        assert_eq!(enter(&mut world, Entry { interests, ..entry("ada") }), Err(CommandError::BadEntry));
        assert_eq!(world.lobby_of(0), StrangerView::Lobby(None));
    }
    let nowhere = MatchId([9; 16]);
    let text = || sidetone_wire::record::Text::parse("hello").expect("a text");
    for command in [
        StrangerCommand::Accept(nowhere),
        StrangerCommand::Say(nowhere, text()),
        StrangerCommand::Send(nowhere, image(10, 0)),
        StrangerCommand::SetDirect(nowhere, Consent::Yes),
        StrangerCommand::CompareWords(nowhere),
        StrangerCommand::Report(nowhere, Reason::Bot, vec![]),
        StrangerCommand::Again(nowhere, entry("ada")),
    ] {
        assert_eq!(order(&mut world, 0, command), Err(CommandError::NoSuchMatch));
    }
    let id = world.meet(0, 1);
    assert_eq!(order(&mut world, 0, StrangerCommand::Enter(entry("ada"))), Err(CommandError::WithStranger));
    assert_eq!(order(&mut world, 0, StrangerCommand::Send(id, image(1_048_577, 0))), Err(CommandError::TooLarge));
    assert_eq!(order(&mut world, 0, StrangerCommand::Send(id, image(0, 0))), Err(CommandError::TooLarge));
    assert_eq!(
        order(&mut world, 0, StrangerCommand::Report(id, Reason::Bot, vec![77])),
        Err(CommandError::NoSuchMessage)
    );
    world.cut(0, 600_000);
    world.leave_stranger(0, Leaving::End);
    assert_eq!(world.enter(0, "ada"), Err(CommandError::Offline));
    assert!(matches!(world.lobby_of(0), StrangerView::Lobby(_)));
}

#[test]
fn who_gets_the_work_wrong_is_refused_in_time_and_in_the_lobby() {
    let mut world = World::lobby(31, 1);
    world.wrong_proofs = true;
    let enter = |world: &mut World| world.enter(0, "ada");
    let mut refused = None;
    for _ in 0..20 {
        match enter(&mut world) {
            Ok(_) => drop(world.leave_stranger(0, Leaving::End)),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let wrong = |error: &CommandError| matches!(error, CommandError::Refused { code: Code::WrongProof, .. });
    assert!(refused.as_ref().is_some_and(wrong), "{refused:?}");
    assert_eq!(world.lobby_of(0), StrangerView::Lobby(None));
    world.wrong_proofs = false;
    assert_eq!(enter(&mut world), Ok(Answer::Done), "the control: the right work is believed");
}

#[test]
fn taking_somebody_who_left_meanwhile_is_refused_and_the_search_goes_on() {
    let mut world = World::lobby(32, 3);
    for (phone, name) in [(0, "ada"), (1, "bob")] {
        order(&mut world, phone, StrangerCommand::Enter(Entry { accept: Accept::Ask, ..entry(name) }))
            .expect("a search");
    }
    let found = |world: &World, phone| match world.lobby_of(phone) {
        StrangerView::Found { id, .. } => Some(id),
        _ => None,
    };
    assert!(world.run_until(5_000, |world| (0..2).all(|phone| found(world, phone).is_some())));
    let id = found(&world, 0).expect("found");
    world.leave_stranger(1, Leaving::End);
    // At the same moment: the phone does not know yet.
    assert_eq!(order(&mut world, 0, StrangerCommand::Accept(id)), Ok(Answer::Done));
    assert!(world.run_until(10_000, |world| matches!(world.lobby_of(0), StrangerView::Searching { .. })));
    // And a moment later.
    assert_eq!(order(&mut world, 0, StrangerCommand::Accept(id)), Err(CommandError::NoSuchMatch));
    world.enter(2, "cleo").expect("a search");
    assert!(world.run_until(20_000, |world| found(world, 0).is_some_and(|next| next != id)), "somebody else is found");
}

#[test]
fn a_server_that_forgot_a_search_is_asked_again_and_nobody_is_stuck() {
    let mut world = World::lobby(33, 2);
    world.enter(0, "ada").expect("a search");
    world.run(1_000);
    world.crash_server(3_000);
    world.run(20_000);
    assert!(
        matches!(world.lobby_of(0), StrangerView::Searching { .. }),
        "the old ticket is worth nothing: a new one is drawn"
    );
    world.enter(1, "bob").expect("a search");
    assert!(world.run_until(30_000, |world| world.met(0).is_some() && world.met(0) == world.met(1)));
}

#[test]
fn who_is_asked_and_does_not_answer_is_back_in_the_lobby_and_the_other_goes_on_waiting() {
    let mut world = World::lobby(5, 3);
    let asked = Entry { accept: Accept::Ask, interests: vec![" Chess".into()], ..entry("ada") };
    order(&mut world, 0, StrangerCommand::Enter(asked)).expect("a search");
    let likes = Entry { interests: vec!["chess".into()], ..entry("bob") };
    order(&mut world, 1, StrangerCommand::Enter(likes)).expect("a search");
    let found = |world: &World| matches!(world.lobby_of(0), StrangerView::Found { .. });
    assert!(world.run_until(5_000, found));
    let StrangerView::Found { common, accepted, .. } = world.lobby_of(0) else { panic!("found") };
    assert_eq!((common, accepted), (vec!["chess".to_owned()], false));
    assert!(world.run_until(20_000, |world| world.searches_ended(0) == [SearchEnd::TooLate]));
    assert!(world.run_until(5_000, |world| matches!(world.lobby_of(1), StrangerView::Searching { .. })));
    world.enter(2, "cleo").expect("a search");
    assert!(world.run_until(20_000, |world| world.met(1).is_some() && world.met(1) == world.met(2)));
}

#[test]
fn nobody_there_ends_a_search_in_time() {
    let mut world = World::lobby(6, 1);
    world.enter(0, "ada").expect("a search");
    assert!(world.run_until(130_000, |world| world.searches_ended(0) == [SearchEnd::Nobody]));
    assert_eq!(world.lobby_of(0), StrangerView::Lobby(None));
}

#[test]
fn a_skip_goes_on_to_somebody_else_under_the_same_name() {
    let mut world = World::lobby(7, 3);
    let first = world.meet(0, 1);
    world.enter(2, "cleo").expect("a search");
    let burned = world.leave_stranger(0, Leaving::Skip);
    assert_eq!((burned.held, burned.held.names), (burned.erased, 1), "theirs; ours goes on with us");
    assert!(world.run_until(30_000, |world| world.met(0).is_some() && world.met(0) == world.met(2)));
    assert_ne!(world.met(0), Some(first));
    assert_eq!(world.stranger(2).and_then(|stranger| stranger.nickname).expect("a name").as_str(), "guest 0");
}

#[test]
fn a_blocked_name_is_passed_over() {
    let mut world = World::lobby(8, 3);
    world.meet(0, 1);
    world.leave_stranger(0, Leaving::Block);
    assert!(world.run_until(5_000, |world| !world.strangers_ended(1).is_empty()));
    // Another phone, the same name.
    world.enter(2, " GUEST  1 ").expect("a search");
    assert!(world.run_until(30_000, |world| world.strangers_ended(0).len() == 2));
    assert_eq!(world.strangers_ended(0)[1].1, StrangerEnd::Blocked);
}

#[test]
fn who_parted_meets_again_if_both_want_it_within_half_a_minute() {
    let mut world = World::lobby(9, 2);
    let id = world.meet(0, 1);
    world.leave_stranger(0, Leaving::End);
    assert!(world.run_until(5_000, |world| !world.strangers_ended(1).is_empty()));
    for phone in [0, 1] {
        assert!(matches!(world.lobby_of(phone), StrangerView::Lobby(Some((parted, _))) if parted == id));
        order(&mut world, phone, StrangerCommand::Again(id, entry("once more"))).expect("it is asked for");
    }
    assert!(world.run_until(30_000, |world| world.met(0).is_some() && world.met(0) == world.met(1)));
    let anew = world.met(0).expect("a match");
    world.tell_stranger(0, anew, "there you are").expect("it is said");
    assert!(world.run_until(5_000, |world| world.heard_of_stranger(1) == ["there you are"]));

    world.leave_stranger(1, Leaving::End);
    order(&mut world, 1, StrangerCommand::Again(anew, entry("bob"))).expect("it is asked for");
    assert!(world.run_until(40_000, |world| world.searches_ended(1).contains(&SearchEnd::NotAgain)));
    assert_eq!(world.lobby_of(1), StrangerView::Lobby(None), "alone it comes to nothing, in time");
}

#[test]
fn who_hears_of_the_end_before_the_server_does_is_heard_all_the_same() {
    let mut world = World::lobby(17, 3);
    let id = world.meet(0, 1);
    // That ada leaves is on its way to the server for longer than everything that ben does because of it.
    world.hold_up(0, 5_000);
    world.leave_stranger(0, Leaving::End);
    order(&mut world, 0, StrangerCommand::Again(id, entry("ada"))).expect("it is asked for");
    assert!(world.run_until(2_000, |world| !world.strangers_ended(1).is_empty()));
    order(&mut world, 1, StrangerCommand::Again(id, entry("ben"))).expect("it is asked for");
    assert!(world.run_until(10_000, |world| world.met(0).is_some() && world.met(0) == world.met(1)));
    assert!((0..2).all(|phone| world.searches_ended(phone).is_empty()), "nobody waited in vain");

    world.hold_up(0, 5_000);
    world.leave_stranger(0, Leaving::Skip);
    assert!(world.run_until(2_000, |world| world.strangers_ended(1).len() == 2));
    world.enter(1, "ben").expect("a search, though the server still sees him with ada");
    world.enter(2, "cleo").expect("a search");
    assert!(world.run_until(4_000, |world| world.met(1).is_some() && world.met(1) == world.met(2)));
    world.run(10_000);
    assert_eq!(world.met(1), world.met(2), "what arrives late ends nothing new");
}

#[test]
fn the_words_are_the_same_at_both_ends_and_others_with_a_man_in_the_middle() {
    for seed in 0..20 {
        let mut world = World::lobby(100 + seed, 4);
        let id = world.meet(0, 1);
        let asker = (seed % 2) as usize;
        order(&mut world, asker, StrangerCommand::CompareWords(id)).expect("it is asked for");
        let words = |world: &World, phone| world.stranger(phone).and_then(|stranger| stranger.words);
        assert!(world.run_until(5_000, |world| (0..2).all(|phone| words(world, phone).is_some())));
        let honest = words(&world, 0).expect("words");
        assert_eq!(Some(&honest), words(&world, 1).as_ref());
        assert_eq!(honest.split(' ').count(), 4);
        // The server puts a phone of its own on each side and passes on what is said.
        let mut lying = World::lobby(200 + seed, 4);
        let ends = [lying.meet(0, 2), lying.meet(1, 3)];
        for (phone, end) in [(0, ends[0]), (1, ends[1])] {
            order(&mut lying, phone, StrangerCommand::CompareWords(end)).expect("it is asked for");
        }
        // Nothing else tells them: what one says the other hears.
        lying.tell_stranger(0, ends[0], "is anybody between us?").expect("it is said");
        assert!(lying.run_until(5_000, |world| world.heard_of_stranger(2).len() == 1));
        let passed_on = lying.heard_of_stranger(2).remove(0);
        lying.tell_stranger(3, ends[1], &passed_on).expect("it is said");
        assert!(lying.run_until(5_000, |world| world.heard_of_stranger(1) == ["is anybody between us?"]));
        assert!(lying.run_until(5_000, |world| (0..2).all(|phone| words(world, phone).is_some())));
        assert_ne!(words(&lying, 0), words(&lying, 1), "seed {seed}: nobody is between, they would think");
    }
}

#[test]
fn the_way_becomes_direct_when_both_want_it_and_not_before_and_nothing_is_lost() {
    for seed in 0..30 {
        let mut world = World::lobby(300 + seed, 2);
        let id = world.meet(0, 1);
        order(&mut world, 0, StrangerCommand::SetDirect(id, Consent::Yes)).expect("it is offered");
        world.run(10_000);
        let relayed =
            |world: &World, phone| matches!(world.stranger(phone).and_then(|one| one.route), Some(Route::Relayed(..)));
        assert!(relayed(&world, 0) && relayed(&world, 1), "one alone changes nothing");
        assert_eq!(world.links.gathered[&0] + world.links.gathered[&1], 2, "and no address is looked for");
        let offered = |(_, event): &(u64, Event)| *event == Event::Stranger(StrangerEvent::DirectOffered);
        assert!(world.phones[1].events.iter().any(offered));
        order(&mut world, 0, StrangerCommand::Send(id, image(200_000, 1))).expect("it is sent");
        order(&mut world, 1, StrangerCommand::SetDirect(id, Consent::Yes)).expect("it is taken");
        for number in 0..40 {
            world.tell_stranger((number % 2) as usize, id, &format!("text {number}")).expect("it is said");
        }
        let there = |world: &World| {
            (0..2).all(|phone| matches!(world.stranger(phone).and_then(|one| one.route), Some(Route::Direct(_))))
                && world.heard_of_stranger(0).len() == 20
                && world.heard_of_stranger(1).len() == 20
        };
        assert!(world.run_until(30_000, there), "seed {seed}: direct, and everything is there");
        assert!((0..2).all(|phone| world.strangers_ended(phone).is_empty()));
        assert_eq!(world.met(0), Some(id), "it is the same session");
        world.run(10_000);
        assert_eq!(world.links.count(), 2, "the first link is closed at both ends");
        assert!(world.stranger(0).expect("a stranger").exposure.their_address);
    }
}

#[test]
fn what_each_was_told_of_the_other_is_said_before_and_is_not_forgotten_after() {
    let mut world = World::lobby(18, 3);
    let id = world.meet(0, 1);
    let exposed = |world: &World| {
        [0, 1].map(|phone| {
            let Exposure { our_address, their_address } = world.stranger(phone).expect("a stranger").exposure;
            our_address && their_address
        })
    };
    assert!(Exposure::if_direct().our_address && Exposure::if_direct().their_address, "what is asked about");
    order(&mut world, 0, StrangerCommand::SetDirect(id, Consent::Yes)).expect("it is offered");
    world.run(5_000);
    assert_eq!(exposed(&world), [false; 2], "one alone tells nothing");
    // They tell each other where they are, and no way leads there.
    world.links.between.nats.extend((0..2).map(|phone| (phone, Nat::Symmetric)));
    order(&mut world, 1, StrangerCommand::SetDirect(id, Consent::Yes)).expect("it is taken");
    let failed = |(_, event): &(u64, Event)| *event == Event::Stranger(StrangerEvent::DirectFailed);
    assert!(world.run_until(60_000, |world| world.phones[0].events.iter().any(failed)));
    assert!((0..2).all(|phone| matches!(world.stranger(phone).and_then(|one| one.route), Some(Route::Relayed(..)))));
    assert_eq!(exposed(&world), [true; 2], "each knows all the same");
    world.leave_stranger(0, Leaving::Skip);
    world.enter(2, "cleo").expect("a search");
    assert!(world.run_until(30_000, |world| world.met(0).is_some() && world.met(0) == world.met(2)));
    let Exposure { our_address, .. } = world.stranger(0).expect("a stranger").exposure;
    assert!(!our_address, "another stranger was told nothing");
}

#[test]
fn what_nobody_wants_to_see_is_hidden_here_and_what_follows_arrives() {
    let mut world = World::lobby(19, 2);
    let id = world.meet(0, 1);
    world.tell_stranger(0, id, "something rude").expect("it is said");
    assert!(world.run_until(5_000, |world| world.heard_of_stranger(1).len() == 1));
    let number = world.talked(1)[0].number;
    order(&mut world, 1, StrangerCommand::Hide(id, number)).expect("it is hidden");
    assert!(world.talked(1).is_empty());
    assert_eq!(order(&mut world, 1, StrangerCommand::Hide(id, number)), Err(CommandError::NoSuchMessage));
    assert_eq!(
        order(&mut world, 1, StrangerCommand::Report(id, Reason::Abuse, vec![number])),
        Err(CommandError::NoSuchMessage),
        "nor can it be shown to anybody"
    );
    order(&mut world, 0, StrangerCommand::Send(id, image(400_000, 1))).expect("it is sent");
    assert!(world.run_until(5_000, |world| !world.talked(1).is_empty()), "it begins");
    let number = world.talked(1)[0].number;
    order(&mut world, 1, StrangerCommand::Hide(id, number)).expect("it is hidden while it comes");
    world.tell_stranger(0, id, "sorry").expect("it is said");
    assert!(world.run_until(20_000, |world| world.heard_of_stranger(1) == ["sorry"]));
    assert!(
        world.run_until(5_000, |world| world.talked(0).iter().all(|message| message.whole)),
        "its sender is not told"
    );
    let burned = world.leave_stranger(1, Leaving::End);
    assert_eq!((burned.held, burned.held.texts, burned.held.images), (burned.erased, 1, 0));
}

#[test]
fn a_call_with_a_stranger_rings_connects_moves_and_ends_with_them() {
    let mut world = World::lobby(10, 2);
    let id = world.meet(0, 1);
    let Ok(Answer::Call(call)) = order(&mut world, 0, StrangerCommand::Call(id)) else { panic!("no call") };
    let state = |world: &World, phone| world.stranger(phone).and_then(|stranger| stranger.call).map(|call| call.state);
    assert!(world.run_until(5_000, |world| state(world, 1) == Some(CallState::Ringing)));
    order(&mut world, 1, StrangerCommand::Answer(call)).expect("it is answered");
    let both = |world: &World| (0..2).all(|phone| state(world, phone) == Some(CallState::Connected));
    assert!(world.run_until(5_000, both));
    for phone in [0, 1] {
        order(&mut world, phone, StrangerCommand::SetDirect(id, Consent::Yes)).expect("it is wanted");
    }
    world.run(10_000);
    assert!(both(&world) && matches!(world.stranger(0).and_then(|one| one.route), Some(Route::Direct(_))));
    // Nobody here has an account.
    for hearing in [Hearing::Off, Hearing::On] {
        assert_eq!(world.ask(0, Command::SetHearing(call, hearing)), Ok(Answer::Done));
        assert_eq!(world.stranger(0).and_then(|one| one.call).map(|call| call.hearing), Some(hearing));
    }
    world.leave_stranger(1, Leaving::End);
    assert!(world.phones[1].media.is_none());
    assert!(world.run_until(5_000, |world| world.phones[0].media.is_none() && !world.strangers_ended(0).is_empty()));
    assert_eq!(world.written, 0, "nobody notes that there was a call");
}

#[test]
fn a_word_that_the_server_spoils_costs_two_strangers_seconds_and_not_each_other() {
    for (phone, number) in (0..2).flat_map(|phone| (1..=4).map(move |number| (phone, number))) {
        let mut world = World::lobby(500 + number, 2);
        let mut words = 0;
        world.tap.rewrite = Some(Box::new(move |to, event| match event {
            Told::StrangerSealed(mut delivered) if to == phone => {
                words += 1;
                delivered.bytes[40] ^= u8::from(words == number);
                Told::StrangerSealed(delivered)
            }
            event => event,
        }));
        world.enter(0, "ada").expect("a search");
        world.enter(1, "ben").expect("a search");
        let both = |world: &World| world.met(0).is_some() && world.met(0) == world.met(1);
        assert!(world.run_until(20_000, both), "word {number} to {phone}: {:?}", world.lobby_of(phone));
    }
}

#[test]
fn a_lost_link_is_made_again_and_what_was_under_way_arrives_once() {
    for seed in 0..30 {
        let mut world = World::lobby(400 + seed, 2);
        let id = world.meet(0, 1);
        for number in 0..30 {
            world.tell_stranger(0, id, &format!("text {number}")).expect("it is said");
            if number == 10 {
                order(&mut world, 0, StrangerCommand::Send(id, image(400_000, 5))).expect("it is sent");
            }
            if number == 15 {
                let link = world.links.of((seed % 2) as usize)[0];
                let down = sidetone_engine::News::Down(sidetone_engine::Down::Lost);
                world.invent_news((seed % 2) as usize, link, down);
            }
        }
        let there =
            |world: &World| world.heard_of_stranger(1).len() == 30 && world.talked(1).iter().all(|one| one.whole);
        assert!(world.run_until(60_000, there), "seed {seed}: {:?}", world.strangers_ended(1));
        let all: Vec<String> = (0..30).map(|number| format!("text {number}")).collect();
        assert_eq!(world.heard_of_stranger(1), all);
        assert_eq!(world.talked(1).len(), 31);
    }
}

#[test]
fn who_is_lost_for_good_is_burned_in_time_with_a_reason() {
    let mut world = World::lobby(11, 2);
    let id = world.meet(0, 1);
    world.tell_stranger(0, id, "are you there?").expect("it is said");
    world.cut(1, 600_000);
    world.outage(600_000);
    assert!(world.run_until(150_000, |world| !world.strangers_ended(0).is_empty()));
    let (_, why, burned) = world.strangers_ended(0)[0];
    assert_eq!((why, burned.held), (StrangerEnd::Lost, burned.erased));
    assert!(matches!(world.lobby_of(0), StrangerView::Lobby(_)));
}

#[test]
fn only_who_says_to_be_an_adult_meets_adults() {
    let mut world = World::lobby(12, 2);
    let adult = Entry { age: Age::Adult, ..entry("ada") };
    order(&mut world, 0, StrangerCommand::Enter(adult)).expect("a search");
    world.enter(1, "kid").expect("a search");
    world.run(60_000);
    assert!(world.met(0).is_none() && world.met(1).is_none());
}

#[test]
fn a_complaint_is_heard_also_after_it_ended() {
    let mut world = World::lobby(13, 2);
    let id = world.meet(0, 1);
    world.tell_stranger(1, id, "buy this").expect("it is said");
    assert!(world.run_until(5_000, |world| !world.heard_of_stranger(0).is_empty()));
    let number = world.talked(0)[0].number;
    assert_eq!(order(&mut world, 0, StrangerCommand::Report(id, Reason::Spam, vec![number])), Ok(Answer::Done));
    world.leave_stranger(1, Leaving::End);
    assert!(world.run_until(5_000, |world| !world.strangers_ended(0).is_empty()));
    assert_eq!(order(&mut world, 0, StrangerCommand::Report(id, Reason::Spam, vec![])), Ok(Answer::Done));
    world.run(31_000);
    let late = order(&mut world, 0, StrangerCommand::Report(id, Reason::Spam, vec![]));
    assert_eq!(late, Err(CommandError::NoSuchMatch));
    assert_eq!(world.lobby_of(0), StrangerView::Lobby(None));
}

#[test]
fn a_long_talk_borrows_relays_anew_so_that_a_lost_link_can_be_made_again() {
    let mut world = World::lobby(15, 2);
    let id = world.meet(0, 1);
    let asked = |world: &World| {
        let asks = |bytes: &&Vec<u8>| {
            let frame = sidetone_wire::frame::Frame::from_bytes(bytes);
            let Ok(sidetone_wire::frame::Frame::Request(numbered)) = frame else { return false };
            matches!(numbered.request, sidetone_wire::account::Request::StrangerRelays(_))
        };
        world.tap.seen.iter().filter(asks).count()
    };
    assert_eq!(asked(&world), 2);
    world.run(700_000);
    assert!((4..60).contains(&asked(&world)), "{} times", asked(&world));
    let link = world.links.of(0)[0];
    world.invent_news(0, link, sidetone_engine::News::Down(sidetone_engine::Down::Lost));
    world.tell_stranger(0, id, "still here").expect("it is said");
    assert!(world.run_until(60_000, |world| world.heard_of_stranger(1) == ["still here"]));
}

#[test]
fn a_server_that_says_nothing_more_leaves_nobody_waiting() {
    let mut world = World::lobby(16, 2);
    let asked = Entry { accept: Accept::Ask, ..entry("ada") };
    order(&mut world, 0, StrangerCommand::Enter(asked)).expect("a search");
    world.enter(1, "bob").expect("a search");
    assert!(world.run_until(5_000, |world| matches!(world.lobby_of(0), StrangerView::Found { .. })));
    // From here on it tells of other matches than there are.
    world.tap.rewrite = Some(Box::new(|_, event| match event {
        sidetone_wire::frame::Event::MatchOver(over) => {
            let id = MatchId([9; 16]);
            sidetone_wire::frame::Event::MatchOver(sidetone_wire::stranger::MatchOver { id, ..over })
        }
        event => event,
    }));
    assert!(world.run_until(20_000, |world| world.searches_ended(0) == [SearchEnd::TooLate]));
    assert!(world.run_until(200_000, |world| matches!(world.lobby_of(1), StrangerView::Lobby(_))));
}
