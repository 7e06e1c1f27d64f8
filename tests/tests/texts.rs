//! What friends write to each other, in virtual time.

use proving::world::{World, is_lent};
use sidetone_engine::row::MessageState;
use sidetone_engine::{AccountEvent, Addresses, Answer, Command, CommandError, Event, Password, Receipts};
use sidetone_wire::record::Text;
use zeroize::Zeroizing;

fn friends() -> World {
    World::friends(11)
}

fn states(world: &World) -> Vec<MessageState> {
    let peer = world.phones[1].user().expect("an account");
    world.phones[0].conversation(peer).into_iter().map(|entry| entry.state).collect()
}

#[test]
fn a_text_to_a_friend_who_is_there_arrives_at_once_and_is_marked() {
    let mut world = friends();
    world.say(0, 1, "hello");
    assert_eq!(states(&world), [MessageState::Queued]);
    assert!(world.run_until(3_000, |world| states(world) == [MessageState::Sent]));
    assert!(world.run_until(3_000, |world| world.holds(1, 0, "hello")));
    assert!(world.run_until(1_000, |world| states(world) == [MessageState::Delivered]));
    let ada = world.phones[0].user().expect("an account");
    assert_eq!(world.phones[1].engine().and_then(|engine| engine.friend(ada)).expect("a friend").unread, 1);
    world.ask(1, Command::MarkRead(ada)).expect("it can be marked");
    assert!(world.run_until(3_000, |world| states(world) == [MessageState::Read]));
}

#[test]
fn a_text_to_a_friend_who_is_away_arrives_when_both_are_there() {
    let mut world = friends();
    world.cut(1, 3_600_000);
    world.run(200_000);
    for text in ["one", "two", "three"] {
        world.say(0, 1, text);
    }
    world.run(60_000);
    assert_eq!(states(&world), [MessageState::Queued; 3]);
    assert!(world.run_until(4_000_000, |world| states(world) == [MessageState::Delivered; 3]));
    let ada = world.phones[0].user().expect("an account");
    assert_eq!(world.phones[1].texts(ada, true), ["one", "two", "three"]);
}

#[test]
fn a_phone_that_dies_after_writing_delivers_after_its_restart() {
    let mut world = friends();
    world.cut(1, 100_000);
    world.say(0, 1, "before the crash");
    world.crash(0);
    assert!(world.run_until(400_000, |world| world.holds(1, 0, "before the crash")));
}

#[test]
fn who_keeps_receipts_to_themselves_tells_nobody_what_was_read() {
    let mut world = friends();
    world.ask(1, Command::SetReceipts(Receipts::Keep)).expect("a preference");
    world.say(0, 1, "hello");
    assert!(world.run_until(3_000, |world| states(world) == [MessageState::Delivered]));
    let ada = world.phones[0].user().expect("an account");
    world.ask(1, Command::MarkRead(ada)).expect("it can be marked");
    world.run(30_000);
    assert_eq!(states(&world), [MessageState::Delivered]);
}

#[test]
fn a_text_to_somebody_who_hides_goes_through_a_relay() {
    for rule in [Addresses::RelayUntilAccepted, Addresses::RelayUntilVerified, Addresses::Never, Addresses::Direct] {
        let mut world = friends();
        world.ask(1, Command::SetAddresses(rule)).expect("a preference");
        world.say(0, 1, "hello");
        assert!(world.run_until(15_000, |world| world.holds(1, 0, "hello")));
        let shown = world.links.tried.iter().any(|(phone, address)| *phone == 0 && !is_lent(address));
        assert_eq!(shown, rule == Addresses::Direct, "{rule:?}");
    }
}

#[test]
fn a_text_of_full_length_arrives_whole() {
    let mut world = friends();
    let text = "\u{1d11e}".repeat(16_384);
    world.say(0, 1, &text);
    assert!(world.run_until(5_000, |world| world.holds(1, 0, &text)));
}

#[test]
fn a_thousand_texts_wait_and_the_next_is_refused_clearly() {
    let mut world = friends();
    world.cut(1, 500_000);
    world.run(200_000);
    for number in 0..1_000 {
        world.say(0, 1, &format!("text {number}"));
    }
    let peer = world.phones[1].user().expect("an account");
    let text = Text::parse("one too many").expect("a text");
    assert_eq!(world.ask(0, Command::SendText(peer, text)), Err(CommandError::OutboxFull));
    assert!(world.run_until(600_000, |world| world.holds(1, 0, "text 999")));
    let ada = world.phones[0].user().expect("an account");
    let kept = world.phones[1].texts(ada, true);
    assert!(kept.iter().enumerate().all(|(number, text)| *text == format!("text {number}")) && kept.len() == 1_000);
}

#[test]
fn typing_is_seen_by_who_is_linked_and_keeps_nothing() {
    let mut world = friends();
    world.say(0, 1, "hello");
    assert!(world.run_until(3_000, |world| world.holds(1, 0, "hello")));
    let (ada, ben) = (world.phones[0].user().expect("an account"), world.phones[1].user().expect("an account"));
    let disk = world.phones[1].disk().clone();
    world.ask(0, Command::Typing(ben)).expect("a word");
    let seen = |world: &World| world.phones[1].events.iter().any(|(_, event)| *event == Event::Typing(ada));
    assert!(world.run_until(1_000, seen));
    assert_eq!(*world.phones[1].disk(), disk);
}

#[test]
fn the_end_of_a_friendship_fails_what_waits_and_is_seen_by_both() {
    let mut world = friends();
    world.cut(1, 300_000);
    world.run(200_000);
    world.say(0, 1, "too late");
    let ben = world.phones[1].user().expect("an account");
    world.ask(0, Command::Unfriend(ben)).expect("it can be ended");
    world.run(1_000);
    assert!(matches!(states(&world)[..], [MessageState::Failed(_)]));
    assert!(world.run_until(200_000, |world| world.phones[1].socket.is_some()));
    world.run(5_000);
    let ada = world.phones[0].user().expect("an account");
    assert_eq!(world.standing(1, ada), Some(sidetone_engine::Standing::Former));
    assert!(!world.holds(1, 0, "too late"));
}

#[test]
fn a_deleted_account_leaves_nothing_on_the_phone_and_friends_see_it_go() {
    let mut world = friends();
    world.say(0, 1, "hello");
    world.run(5_000);
    assert!(!world.phones[0].disk().is_empty());
    let ada = world.phones[0].user().expect("an account");
    world.ask(0, Command::DeleteAccount).expect("it can be deleted");
    assert!(world.phones[0].disk().is_empty());
    assert!(world.run_until(5_000, |world| world.standing(1, ada) == Some(sidetone_engine::Standing::Former)));
    assert_eq!(world.ask(0, Command::SignOut), Err(CommandError::SignedOut));
}

#[test]
fn a_roster_of_several_pages_is_read_whole_whatever_the_server_skips_meanwhile() {
    let mut world = World::new(5, 130);
    world.register(0, "ada");
    for phone in 1..130 {
        world.register(phone, &format!("friend{phone}"));
        world.befriend(phone, 0);
    }
    let word = |text: &str| {
        sidetone_wire::frame::Event::Announcement(sidetone_wire::frame::Announcement { text: text.into() })
    };
    let all = |world: &World| {
        let friends = world.phones[0].engine().expect("it runs").friends();
        friends.iter().filter(|friend| friend.standing == sidetone_engine::Standing::Friend).count() == 129
    };
    for pause in (10..200).step_by(10) {
        world.invent_numbered(0, 10 * pause as i64, word("after a gap"));
        world.run(pause);
        world.invent_numbered(0, 10 * pause as i64 + 50, word("after another"));
        for _ in 0..40 {
            world.run(10);
            assert!(all(&world), "a page of an earlier reading was taken for the whole, after {pause} ms");
        }
    }
}

fn password(name: &str) -> Password {
    Password(Zeroizing::new(format!("password of {name}")))
}

fn sign_in(name: &str, password: Password) -> Command {
    Command::SignIn { name: name.into(), password }
}

/// A phone without an account beside those of Ada and Ben.
fn a_third_phone() -> World {
    let mut world = friends();
    world.connect(2);
    world.run(5_000);
    world
}

#[test]
fn who_tries_to_sign_in_again_does_not_wait_for_the_attempt_before() {
    let mut world = a_third_phone();
    let tries = ["ada", "ben", "ben"].map(|name| world.command(2, sign_in(name, password("somebody else"))));
    world.ask(2, sign_in("ben", password("ben"))).expect("the right password, at last");
    for earlier in tries {
        assert_eq!(world.phones[2].answers[&earlier], Err(CommandError::Offline));
    }
    assert_eq!(world.phones[2].user(), world.phones[1].user());
}

#[test]
fn whoever_tries_twice_is_signed_in_once_and_knows_as_whom() {
    let mut seen = [false; 2];
    for pause in (0..300).step_by(10) {
        let mut world = a_third_phone();
        let first = world.command(2, sign_in("ada", password("ada")));
        world.run(pause);
        let second = world.ask(2, sign_in("ben", password("ben")));
        let winner = usize::from(second.is_ok());
        seen[winner] = true;
        assert_eq!(world.phones[2].user(), world.phones[winner].user(), "after {pause} ms");
        let first = world.phones[2].answers[&first].clone();
        let outcomes =
            [(Ok(Answer::Done), Err(CommandError::SignedIn)), (Err(CommandError::Offline), Ok(Answer::Done))];
        assert_eq!((first, second), outcomes[winner], "after {pause} ms");
    }
    assert_eq!(seen, [true; 2], "either should have been in time once");
}

#[test]
fn an_attempt_after_one_that_fails_at_its_last_word_goes_on() {
    for pause in (0..300).step_by(10) {
        let mut world = a_third_phone();
        let email = "ada@example.org".to_owned();
        world.command(2, Command::Register { name: "cat".into(), email, password: password("cat") });
        world.run(pause);
        world.ask(2, sign_in("ben", password("ben"))).expect("the right password");
        assert_eq!(world.phones[2].user(), world.phones[1].user(), "after {pause} ms");
    }
}

#[test]
fn who_enters_another_account_on_a_phone_finds_nothing_of_the_one_before() {
    let mut world = friends();
    world.say(0, 1, "mine");
    assert!(world.run_until(3_000, |world| world.holds(1, 0, "mine")));
    let (ada, ben) = (world.phones[0].user().expect("an account"), world.phones[1].user().expect("an account"));
    // Ben signs in elsewhere: this phone's token is revoked, its rows stay for his return.
    world.connect(2);
    world.run(5_000);
    world.ask(2, Command::SignIn { name: "ben".into(), password: password("ben") }).expect("the right password");
    world.run(5_000);
    let told = |world: &World| {
        world.phones[1].events.iter().any(|(_, event)| matches!(event, Event::Account(AccountEvent::Revoked(_))))
    };
    assert!(told(&world));
    assert!(world.holds(1, 0, "mine"), "the control: it is still here");
    world.connect(1);
    world.run(10_000);
    world.ask(1, Command::SignIn { name: "ada".into(), password: password("ada") }).expect("the right password");
    world.run(5_000);
    let engine = world.phones[1].engine().expect("it runs");
    assert_eq!(engine.account().expect("an account").user, ada);
    assert_eq!(engine.chat(ben), None);
    assert!(engine.chat(ada).is_none() && engine.friends().iter().all(|friend| friend.user == ben));
    assert!(world.phones[1].texts(ada, true).is_empty(), "nothing of it on disk");
}
