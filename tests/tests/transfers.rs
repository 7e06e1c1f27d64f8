//! Files between friends, in virtual time. `WORLD_SEED=7` replays one life.

use proving::puppet::Puppet;
use proving::world::{Batch, World};
use sidetone_crypto::file::chunks;
use sidetone_engine::row::{Row, Table};
use sidetone_engine::transfer::TRANSFERS;
use sidetone_engine::transfer::row::{EndReason, FilePolicy, PastRow};
use sidetone_engine::transfer::view::{NewFile, PausedBy, TransferState};
use sidetone_engine::{Command, CommandError, Event};
use sidetone_wire::id::{ItemSeq, LaneId, Secret, TransferId, UnixMs};
use sidetone_wire::record::{Body, Item, Record};
use sidetone_wire::transfer::{FileEnd, FileOffer, FileWhy, Picture, Thumbnail};

const SMALL: u64 = 1 << 20;
const LARGE: u64 = 40 << 20;

fn friends() -> World {
    World::friends(21)
}

/// How a phone sees a transfer: live, or as it was put away.
fn state(world: &World, phone: usize, transfer: TransferId) -> Option<TransferState> {
    let live = world.phones[phone].engine()?.transfers().into_iter().find(|view| view.transfer == transfer);
    live.map(|view| view.state).or_else(|| {
        let past = world.phones[phone].disk().iter().filter(|(place, _)| place.table == Table::Past);
        let rows = past.map(|(_, value)| PastRow::read(value).expect("a row").0);
        let row = rows.into_iter().find(|row| row.offer.transfer == transfer)?;
        Some(TransferState::Ended(EndReason::from_number(row.end.expect("it is over"))))
    })
}

fn ended(world: &World, transfer: TransferId, reason: EndReason) -> bool {
    (0..2).all(|phone| state(world, phone, transfer) == Some(TransferState::Ended(reason)))
}

fn arrived(world: &World, transfer: TransferId, number: u8) -> bool {
    ended(world, transfer, EndReason::Received)
        && world.phones[1].files.kept.values().filter(|kept| **kept == number).count() == 1
        && world.phones[1].files.parts.is_empty()
}

/// Runs until so many chunks of a transfer lie at the second phone.
fn until_chunks(world: &mut World, transfer: TransferId, count: u64) {
    let there = |world: &World| world.phones[1].files.parts.get(&transfer).is_some_and(|(_, chunks)| *chunks >= count);
    assert!(world.run_until(5 * 86_400_000, there), "chunks arrive");
}

#[test]
fn a_small_file_of_a_friend_arrives_without_asking() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, SMALL);
    assert!(world.run_until(20_000, |world| arrived(world, transfer, 7)));
    assert_eq!(world.resent(1, transfer, SMALL), 0);
    let told = |phone: usize| {
        let events = world.phones[phone].events.iter();
        events.filter(|(_, event)| matches!(event, Event::Transfer(view) if view.transfer == transfer)).count()
    };
    assert!(told(0) > 2 && told(1) > 2, "both apps see it move");
    world.run(200_000);
    assert_eq!(world.links.count(), 0, "a link that nobody needs any more is closed");
}

#[test]
fn a_large_file_waits_until_its_receiver_accepts_or_declines() {
    let mut world = friends();
    let (wanted, unwanted) = (world.offer(0, 1, 7, LARGE), world.offer(0, 1, 8, LARGE));
    assert!(world.run_until(20_000, |world| state(world, 1, unwanted) == Some(TransferState::Offered)));
    world.run(10_000);
    assert!(world.phones[1].files.parts.is_empty(), "nothing travels before it is wanted");
    world.ask(1, Command::AcceptFile(wanted)).expect("it was offered");
    world.ask(1, Command::CancelFile(unwanted)).expect("it was offered");
    assert!(world.run_until(60_000, |world| arrived(world, wanted, 7)));
    assert!(world.run_until(20_000, |world| ended(world, unwanted, EndReason::Declined)));
    assert_eq!(world.ask(1, Command::AcceptFile(unwanted)), Err(CommandError::NoSuchTransfer));
}

#[test]
fn a_file_over_the_limit_is_declined_without_asking() {
    let mut world = friends();
    world.ask(1, Command::SetFilePolicy(FilePolicy { accept_below: 100, limit: 1_000 })).expect("a wish");
    world.crash(1);
    assert!(world.run_until(30_000, |world| !world.phones[1].is_dead()));
    let (large, fair) = (world.offer(0, 1, 7, 1_001), world.offer(0, 1, 8, 1_000));
    assert!(world.run_until(60_000, |world| ended(world, large, EndReason::TooLarge)));
    assert!(world.run_until(5_000, |world| state(world, 1, fair) == Some(TransferState::Offered)));
}

#[test]
fn either_side_can_hold_a_transfer_let_it_go_on_and_give_it_up() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, LARGE);
    assert!(world.run_until(20_000, |world| state(world, 1, transfer).is_some()));
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    for (round, phone) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
        until_chunks(&mut world, transfer, round * 100);
        world.ask(phone, Command::PauseFile(transfer)).expect("it moves");
        let paused = |world: &World, phone, by| state(world, phone, transfer) == Some(TransferState::Paused(by));
        assert!(world.run_until(5_000, |world| paused(world, phone, PausedBy::Us)));
        assert!(world.run_until(5_000, |world| paused(world, 1 - phone, PausedBy::Them)));
        world.run(1_000);
        let before = world.phones[1].files.parts[&transfer];
        world.run(90_000);
        assert_eq!(world.phones[1].files.parts[&transfer], before, "nothing travels");
        world.ask(phone, Command::ResumeFile(transfer)).expect("it is held");
    }
    assert!(world.run_until(90_000, |world| arrived(world, transfer, 7)));
    assert_eq!(world.resent(1, transfer, LARGE), 0);

    for phone in 0..2 {
        let transfer = world.offer(0, 1, 9, 10 << 20);
        until_chunks(&mut world, transfer, 50);
        world.ask(phone, Command::CancelFile(transfer)).expect("it moves");
        let over = |world: &World, phone, why| state(world, phone, transfer) == Some(TransferState::Ended(why));
        assert!(world.run_until(20_000, |world| over(world, phone, EndReason::Cancelled)));
        assert!(world.run_until(20_000, |world| over(world, 1 - phone, EndReason::PeerCancelled)));
        world.run(5_000);
        assert!(world.phones[1].files.parts.is_empty(), "what arrived of it is thrown away");
    }
}

#[test]
fn that_both_let_go_is_known_to_both_though_the_words_of_it_were_lost() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, LARGE);
    assert!(world.run_until(20_000, |world| state(world, 1, transfer).is_some()));
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    until_chunks(&mut world, transfer, 100);
    for phone in 0..2 {
        world.ask(phone, Command::PauseFile(transfer)).expect("it is there");
    }
    world.run(5_000);
    world.ask(0, Command::ResumeFile(transfer)).expect("it is held");
    world.crash(1);
    assert!(world.run_until(30_000, |world| !world.phones[1].is_dead()));
    world.ask(1, Command::ResumeFile(transfer)).expect("it is held");
    assert!(world.run_until(300_000, |world| arrived(world, transfer, 7)));
}

#[test]
fn a_transfer_goes_on_where_it_was_after_every_kind_of_end() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, LARGE);
    assert!(world.run_until(20_000, |world| state(world, 1, transfer).is_some()));
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    for round in 1..20 {
        until_chunks(&mut world, transfer, round * 100);
        match round % 5 {
            0 => world.crash(0),
            1 => world.crash(1),
            2 => world.outage(60_000),
            3 => world.cut((round % 2) as usize, 200_000),
            _ => world.sleep((round % 2) as usize, 3 * 86_400_000),
        }
        let again = |world: &World| !world.phones[0].is_dead() && !world.phones[1].is_dead();
        assert!(world.run_until(30_000, again));
        let reached = |world: &World| {
            world.phones[1].files.parts.get(&transfer).is_none_or(|(_, chunks)| *chunks > round * 100 + 20)
        };
        assert!(world.run_until(4 * 86_400_000, reached), "it goes on after round {round}");
    }
    assert!(world.run_until(600_000, |world| arrived(world, transfer, 7)));
    assert_eq!(world.resent(1, transfer, LARGE), 0, "what lay there was not sent again");
}

#[test]
fn without_room_a_transfer_waits_and_nothing_is_lost() {
    let mut world = friends();
    world.phones[1].files.full = true;
    let transfer = world.offer(0, 1, 7, SMALL);
    let waits = |world: &World| state(world, 1, transfer) == Some(TransferState::Paused(PausedBy::NoSpace));
    assert!(world.run_until(20_000, waits));
    assert!(world.run_until(5_000, |world| state(world, 0, transfer) == Some(TransferState::Paused(PausedBy::Them))));
    world.run(60_000);
    assert!(world.phones[1].files.parts.is_empty());
    world.phones[1].files.full = false;
    world.ask(1, Command::ResumeFile(transfer)).expect("it waits");
    assert!(world.run_until(20_000, |world| arrived(world, transfer, 7)));
}

#[test]
fn a_file_that_its_owner_changed_is_not_sent() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, LARGE);
    assert!(world.run_until(20_000, |world| state(world, 1, transfer).is_some()));
    world.phones[0].files.changed.push(7);
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    assert!(world.run_until(20_000, |world| ended(world, transfer, EndReason::Changed)));
    assert!(world.phones[1].files.kept.is_empty());
}

#[test]
fn several_files_share_a_link_fairly() {
    let mut world = friends();
    let size = 10 << 20;
    let transfers: Vec<TransferId> = (0..4).map(|number| world.offer(0, 1, number, size)).collect();
    let there = |world: &World, transfer: &TransferId| {
        world.phones[1].files.parts.get(transfer).map_or(0, |(_, chunks)| *chunks)
    };
    assert!(world.run_until(60_000, |world| transfers.iter().any(|transfer| there(world, transfer) > 200)));
    let far: Vec<u64> = transfers.iter().map(|transfer| there(&world, transfer)).collect();
    assert!(far.iter().all(|chunks| *chunks > 120), "{far:?}");
    let all = |world: &World| transfers.iter().all(|transfer| ended(world, *transfer, EndReason::Received));
    assert!(world.run_until(120_000, all));
}

#[test]
fn endless_offers_are_declined_and_take_no_memory() {
    let mut world = friends();
    world.ask(1, Command::SetFilePolicy(FilePolicy { accept_below: 0, limit: u64::MAX })).expect("a wish");
    let offers: Vec<TransferId> = (0..TRANSFERS as u64).map(|_| world.offer(0, 1, 7, LARGE)).collect();
    let peer = world.phones[1].user().expect("an account");
    let more = world.ask(0, Command::OfferFile(peer, Box::new(proving::world::file(8, LARGE))));
    assert_eq!(more, Err(CommandError::TooManyTransfers), "an honest phone does not even ask");
    assert!(world.run_until(20_000, |world| state(world, 1, offers[TRANSFERS - 1]) == Some(TransferState::Offered)));
    // One that forgot what it offered asks again.
    world.ask(0, Command::CancelFile(offers[0])).expect("it waits");
    let before = world.phones[1].engine().expect("alive").transfers().len();
    assert!(before <= TRANSFERS);
}

#[test]
fn a_friend_whose_phone_offers_without_end_fills_neither_memory_nor_list() {
    let mut world = friends();
    world.run(100_000);
    let ada = world.phones[0].user().expect("an account");
    let mut puppet = Puppet::of(&mut world, 1);
    puppet.pair(&mut world, ada);
    let mut last = TransferId([0; 16]);
    for seq in 1..=200_u64 {
        let NewFile { name, size, mime, kind, digest, .. } = proving::world::file(7, LARGE);
        last = TransferId(std::array::from_fn(|place| (seq >> (8 * (place % 8))) as u8 ^ place as u8));
        let picture = Thumbnail::new(vec![1; 8_000]).map(|thumbnail| Picture { width: 9, height: 9, thumbnail });
        let key = Secret([3; 32]);
        let offer = FileOffer { transfer: last, name, size, mime, kind, digest, key, picture, voice: None };
        let item = Item { lane: LaneId([0xee; 16]), seq: ItemSeq(seq), at: UnixMs(1), body: Body::File(offer) };
        puppet.say(&mut world, &Record::Item(item));
        world.run(200);
    }
    let live = world.phones[0].engine().expect("it runs").transfers();
    assert_eq!(live.len(), TRANSFERS, "what is beyond is declined");
    assert_eq!(state(&world, 0, last), Some(TransferState::Ended(EndReason::TooMany)));
    let previews = world.phones[0].disk().keys().filter(|place| place.table == Table::Preview).count();
    assert_eq!(previews, TRANSFERS, "nothing is kept to show of what is declined");
    // Nor does the sender's word make a file received.
    let end = FileEnd { transfer: live[0].transfer, why: FileWhy::Received };
    let item = Item { lane: LaneId([0xee; 16]), seq: ItemSeq(201), at: UnixMs(1), body: Body::FileEnd(end) };
    puppet.say(&mut world, &Record::Item(item));
    world.run(1_000);
    assert_eq!(state(&world, 0, live[0].transfer), Some(TransferState::Offered));
}

#[test]
fn chunks_that_do_not_follow_end_the_transfer_and_nothing_of_it_stays() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, LARGE);
    assert!(world.run_until(20_000, |world| state(world, 1, transfer).is_some()));
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    until_chunks(&mut world, transfer, 20);
    let link = world.links.of(1)[0];
    let (_, next) = world.phones[1].files.parts[&transfer];
    for run in [1, 1] {
        world.file_chunks(1, link, Batch { transfer, number: 7, run, index: next + 40, count: 4 });
    }
    assert!(world.run_until(20_000, |world| ended(world, transfer, EndReason::Corrupt)));
    world.run(5_000);
    assert!(world.phones[1].files.parts.is_empty() && world.phones[1].files.kept.is_empty());
}

#[test]
fn another_file_than_was_offered_is_thrown_away_after_one_more_try() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, SMALL);
    // What lies at the receiver of it is something else: a disk that lost its power, or a sender that lies.
    world.phones[1].files.parts.insert(transfer, (66, 10));
    assert!(world.run_until(60_000, |world| arrived(world, transfer, 7)), "the second try is whole");
    assert_eq!(world.resent(1, transfer, SMALL), chunks(SMALL) - 10, "all but what was there came twice");
}

#[test]
fn the_end_of_a_friendship_ends_what_is_under_way() {
    let mut world = friends();
    let transfer = world.offer(0, 1, 7, LARGE);
    assert!(world.run_until(20_000, |world| state(world, 1, transfer).is_some()));
    world.ask(1, Command::AcceptFile(transfer)).expect("it was offered");
    until_chunks(&mut world, transfer, 20);
    let ben = world.phones[1].user().expect("an account");
    world.ask(0, Command::Unfriend(ben)).expect("a friend");
    assert!(world.run_until(20_000, |world| ended(world, transfer, EndReason::NotFriends)));
    world.run(1_000);
    assert!(world.phones[1].files.parts.is_empty());
}
