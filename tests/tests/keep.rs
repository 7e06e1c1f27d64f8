//! What a phone keeps at its user's word, and gives up at it, in virtual time.

use proving::world::World;
use sidetone_engine::row::Table;
use sidetone_engine::transfer::row::FilePolicy;
use sidetone_engine::transfer::view::TransferState;
use sidetone_engine::{Addresses, Command, CommandError, Event, Preference, Preferences, Receipts, Standing, Theme};

fn preferences(world: &World, phone: usize) -> Preferences {
    world.phones[phone].engine().expect("it runs").preferences().clone()
}

#[test]
fn preferences_survive_a_crash_and_stay_on_the_phone() {
    let mut world = World::friends(3);
    let canary = "x-this-tongue-is-nobodys";
    let chosen = [
        Preference::Theme(Theme::Dark),
        Preference::Receipts(Receipts::Keep),
        Preference::Addresses(Addresses::RelayUntilVerified),
        Preference::AcceptBelow(777),
        Preference::Language(Some(canary.to_owned())),
    ];
    for preference in chosen {
        world.ask(0, Command::Prefer(preference)).expect("it is chosen");
    }
    let told = world.phones[0].events.iter().filter(|(_, event)| *event == Event::Preferences).count();
    assert_eq!(told, 5);
    let before = preferences(&world, 0);
    assert_eq!((before.theme, before.accept_below, before.language.as_deref()), (Theme::Dark, 777, Some(canary)));
    world.crash(0);
    world.run(60_000);
    assert_eq!(preferences(&world, 0), before);
    world.say(0, 1, "hello");
    assert!(world.run_until(30_000, |world| world.holds(1, 0, "hello")));
    assert!(!world.tap.saw(canary.as_bytes()), "the server never sees one");
    assert!(world.phones[1].disk().values().all(|row| !row.windows(8).any(|part| part == &canary.as_bytes()[..8])));
    world.ask(0, Command::DeleteAccount).expect("it is deleted");
    assert_eq!(preferences(&world, 0), Preferences::default());
}

#[test]
fn what_is_taken_without_asking_is_one_wish_wherever_it_is_said() {
    let mut world = World::friends(6);
    let taken = |world: &mut World, size| {
        let transfer = world.offer(0, 1, 7, size);
        let state = |world: &World| {
            let live = world.phones[1].engine()?.transfers().into_iter().find(|view| view.transfer == transfer);
            live.map(|view| view.state)
        };
        let arrived = |world: &World| world.phones[1].files.kept.len();
        let before = arrived(world);
        assert!(
            world
                .run_until(60_000, |world| { arrived(world) > before || state(world) == Some(TransferState::Offered) })
        );
        arrived(world) > before
    };
    let below = |world: &World| world.phones[1].engine().expect("it runs").file_policy().accept_below;
    world.ask(1, Command::Prefer(Preference::AcceptBelow(100))).expect("it is chosen");
    assert!(taken(&mut world, 100) && !taken(&mut world, 101));
    world.ask(1, Command::SetFilePolicy(FilePolicy { accept_below: 500, limit: 9_000 })).expect("it is chosen");
    assert_eq!((preferences(&world, 1).accept_below, below(&world)), (500, 500));
    assert!(taken(&mut world, 500) && !taken(&mut world, 501));
    world.ask(1, Command::Prefer(Preference::AcceptBelow(0))).expect("it is chosen");
    world.crash(1);
    assert!(world.run_until(60_000, |world| !world.phones[1].is_dead()));
    let policy = world.phones[1].engine().expect("it runs").file_policy();
    assert_eq!(policy, FilePolicy { accept_below: 0, limit: 9_000 }, "the last word counts");
    assert!(!taken(&mut world, 1));
}

#[test]
fn who_has_no_account_has_preferences_too() {
    let mut world = World::new(4, 1);
    world.connect(0);
    world.run(2_000);
    world.ask(0, Command::Prefer(Preference::Theme(Theme::Light))).expect("it is chosen");
    assert_eq!(world.ask(0, Command::SetReceipts(Receipts::Keep)), Err(CommandError::SignedOut));
    world.crash(0);
    world.run(60_000);
    assert_eq!(preferences(&world, 0).theme, Theme::Light);
    world.register(0, "ada");
    assert_eq!(preferences(&world, 0).theme, Theme::Light, "an account adds friends and removes nothing");
}

#[test]
fn a_language_of_endless_length_is_not_kept() {
    let mut world = World::new(5, 1);
    world.ask(0, Command::Prefer(Preference::Language(Some("x".repeat(65))))).expect("it is chosen");
    assert_eq!(preferences(&world, 0).language, None);
}

/// Ada deletes her account and her phone, or the server, dies so many milliseconds later. Whether she still has it.
fn deleted_but(after_ms: u64, kill: impl Fn(&mut World)) -> bool {
    let mut world = World::friends(11);
    world.say(0, 1, "hello");
    world.run(5_000);
    let ada = world.phones[0].user().expect("an account");
    world.command(0, Command::DeleteAccount);
    world.run(after_ms);
    kill(&mut world);
    world.run(120_000);
    let account = world.phones[0].engine().expect("it runs").account();
    let (here, there) = (account.is_some_and(|account| account.valid), world.standing(1, ada));
    let whole = here
        && there == Some(Standing::Friend)
        && world.phones[0].texts(world.phones[1].user().expect("ben"), false).len() == 1;
    let gone = !here && there == Some(Standing::Former) && world.phones[0].disk().is_empty();
    assert!(whole || gone, "after {after_ms} ms it is half deleted: here {here}, there {there:?}");
    assert!(world.phones[0].disk().keys().all(|place| place.table != Table::Account) || whole);
    whole
}

#[test]
fn an_account_is_deleted_everywhere_or_nowhere_whenever_the_phone_dies() {
    let outcomes: Vec<bool> = (0..200).step_by(5).map(|ms| deleted_but(ms, |world| world.crash(0))).collect();
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "both ends are seen: {outcomes:?}");
}

#[test]
fn an_account_is_deleted_everywhere_or_nowhere_whenever_the_network_goes() {
    let outcomes: Vec<bool> = (0..200).step_by(5).map(|ms| deleted_but(ms, |world| world.cut(0, 10_000))).collect();
    assert!(outcomes.contains(&false), "it is deleted in the end: {outcomes:?}");
}
