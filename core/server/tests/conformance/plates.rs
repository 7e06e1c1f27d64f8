//! The promises of a bus about nameplates and tries at spoken codes.

use sidetone_server::*;
use sidetone_wire::frame::Event;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;
use sidetone_wire::room::*;

use super::bus::{START, at, secret, session};
use super::rooms::{ROOM, guest, news, opening, room};

fn attempt(number: u8) -> AttemptId {
    AttemptId([number; 16])
}

async fn plate(bus: &mut impl Bus) -> Nameplate {
    bus.open_plate(START, session(1), ROOM, 0).await.unwrap().unwrap().plate
}

async fn knock(bus: &mut impl Bus, now: Now, from: u8, plate: Nameplate, number: u8) -> Result<(), Denied> {
    let knock = Knock { plate, attempt: attempt(number), bytes: vec![from; 32].into() };
    bus.knock(now, session(from), knock).await.unwrap()
}

async fn say(bus: &mut impl Bus, from: u8, number: u8) -> Result<(), Denied> {
    bus.say(session(from), Said { attempt: attempt(number), bytes: vec![from; 32].into() }).await.unwrap()
}

async fn judge(bus: &mut impl Bus, number: u8, verdict: Verdict) -> Result<(), Denied> {
    bus.judge(session(1), Judged { attempt: attempt(number), verdict }).await.unwrap()
}

fn over(number: u8, why: Over) -> Event {
    Event::AttemptOver(AttemptOver { attempt: attempt(number), why })
}

pub async fn all<B: Bus>(new: &mut impl FnMut() -> B) {
    a_try_goes_back_and_forth_between_its_two_ends(new()).await;
    a_plate_burns_after_three_failures(new()).await;
    a_right_code_can_be_used_again(new()).await;
    a_try_that_was_answered_and_abandoned_has_failed(new()).await;
    a_try_that_nobody_answered_costs_nothing(new()).await;
    tries_at_once_do_not_make_more_of_them(new()).await;
    a_plate_burns_in_time_and_with_its_room(new()).await;
    a_room_has_so_many_plates_and_their_numbers_differ(new()).await;
    a_plate_without_its_owner_is_silent(new()).await;
}

async fn a_try_goes_back_and_forth_between_its_two_ends(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 4).await;
    let (knocker, _other) = (guest(&mut bus, 3).await, guest(&mut bus, 4).await);
    let plate = plate(&mut bus).await;
    assert_eq!(knock(&mut bus, START, 3, Nameplate(plate.0 ^ 1), 7).await, Err(Denied::NoSuchPlate));
    assert_eq!(knock(&mut bus, START, 3, plate, 7).await, Ok(()));
    assert_eq!(knock(&mut bus, START, 4, plate, 7).await, Err(Denied::Already), "a try has one beginning");
    let knocked = Knocked { plate, attempt: attempt(7), bytes: vec![3; 32].into() };
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [Event::Knocked(knocked)]);
    assert_eq!(say(&mut bus, 1, 7).await, Ok(()));
    assert_eq!(say(&mut bus, 3, 7).await, Ok(()));
    for stranger in [2, 4] {
        assert_eq!(say(&mut bus, stranger, 7).await, Err(Denied::NoSuchAttempt));
        let judged = Judged { attempt: attempt(7), verdict: Verdict::Right };
        assert_eq!(bus.judge(session(stranger), judged).await, Ok(Err(Denied::NotOwner)));
    }
    let said = |from| Event::Said(Said { attempt: attempt(7), bytes: vec![from; 32].into() });
    assert_eq!(news(&mut bus, 3, knocker).await, [said(1)]);
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [said(3)]);
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "other members hear nothing of it");
    assert_eq!(judge(&mut bus, 7, Verdict::Right).await, Ok(()));
    assert_eq!(news(&mut bus, 3, knocker).await, [over(7, Over::Right)]);
    assert_eq!(say(&mut bus, 3, 7).await, Err(Denied::NoSuchAttempt));
    assert_eq!(judge(&mut bus, 7, Verdict::Wrong).await, Err(Denied::NoSuchAttempt));
}

async fn a_plate_burns_after_three_failures(mut bus: impl Bus) {
    let epochs = room(&mut bus, 1, 4).await;
    let knocker = guest(&mut bus, 3).await;
    let plate = plate(&mut bus).await;
    for number in 0..PLATE_TRIES as u8 {
        assert_eq!(knock(&mut bus, START, 3, plate, number).await, Ok(()));
        judge(&mut bus, number, Verdict::Wrong).await.unwrap();
        assert_eq!(news(&mut bus, 3, knocker).await, [over(number, Over::Wrong)]);
    }
    let burned = Event::Burned(Burned { plate, why: BurnedWhy::Failed });
    assert_eq!(news(&mut bus, 1, epochs[0]).await.last(), Some(&burned));
    assert_eq!(knock(&mut bus, START, 3, plate, 9).await, Err(Denied::NoSuchPlate));
}

async fn a_right_code_can_be_used_again(mut bus: impl Bus) {
    room(&mut bus, 1, 4).await;
    guest(&mut bus, 3).await;
    let plate = plate(&mut bus).await;
    for number in 0..20 {
        knock(&mut bus, START, 3, plate, number).await.unwrap();
        say(&mut bus, 1, number).await.unwrap();
        judge(&mut bus, number, Verdict::Right).await.unwrap();
    }
}

async fn a_try_that_was_answered_and_abandoned_has_failed(mut bus: impl Bus) {
    let epochs = room(&mut bus, 1, 4).await;
    let plate = plate(&mut bus).await;
    let (late, gone) = (guest(&mut bus, 3).await, guest(&mut bus, 4).await);
    for (from, number) in [(3, 0), (4, 1)] {
        knock(&mut bus, START, from, plate, number).await.unwrap();
        say(&mut bus, 1, number).await.unwrap();
    }
    bus.expire(at(ATTEMPT_MS - 1)).await.unwrap();
    bus.end(session(4), gone).await.unwrap();
    bus.expire(at(ATTEMPT_MS)).await.unwrap();
    assert_eq!(news(&mut bus, 3, late).await.last(), Some(&over(0, Over::Unanswered)));
    knock(&mut bus, at(ATTEMPT_MS), 3, plate, 2).await.unwrap();
    say(&mut bus, 1, 2).await.unwrap();
    bus.expire(at(ATTEMPT_MS * 2)).await.unwrap();
    let burned = Event::Burned(Burned { plate, why: BurnedWhy::Failed });
    assert_eq!(news(&mut bus, 1, epochs[0]).await.last(), Some(&burned));
}

async fn a_try_that_nobody_answered_costs_nothing(mut bus: impl Bus) {
    room(&mut bus, 1, 4).await;
    let knocker = guest(&mut bus, 3).await;
    let plate = plate(&mut bus).await;
    for number in 0..6 {
        let now = at(ATTEMPT_MS * u64::from(number));
        knock(&mut bus, now, 3, plate, number).await.unwrap();
        bus.expire(at(ATTEMPT_MS * u64::from(number + 1))).await.unwrap();
        assert_eq!(news(&mut bus, 3, knocker).await, [over(number, Over::Unanswered)]);
    }
}

async fn tries_at_once_do_not_make_more_of_them(mut bus: impl Bus) {
    room(&mut bus, 1, 4).await;
    let plate = plate(&mut bus).await;
    for number in 3..6 {
        guest(&mut bus, number).await;
        knock(&mut bus, at(1_000 * u64::from(number)), number, plate, number).await.unwrap();
    }
    guest(&mut bus, 6).await;
    assert_eq!(knock(&mut bus, at(6_000), 6, plate, 6).await, Err(Denied::Busy(ATTEMPT_MS - 3_000)));
    judge(&mut bus, 3, Verdict::Wrong).await.unwrap();
    assert!(matches!(knock(&mut bus, at(6_000), 6, plate, 6).await, Err(Denied::Busy(_))), "one is used up");
    judge(&mut bus, 4, Verdict::Right).await.unwrap();
    assert_eq!(knock(&mut bus, at(6_000), 6, plate, 6).await, Ok(()));
}

async fn a_plate_burns_in_time_and_with_its_room(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 4).await;
    let plate = bus.open_plate(START, session(1), ROOM, 60_000).await.unwrap().unwrap();
    assert_eq!(plate.valid_ms, 60_000);
    let asked = bus.open_plate(START, session(1), ROOM, u64::MAX).await.unwrap().unwrap();
    assert_eq!(asked.valid_ms, PLATE_LONGEST_MS);
    assert_eq!(bus.open_plate(START, session(1), ROOM, 0).await.unwrap().unwrap().valid_ms, PLATE_MS);
    let knocker = guest(&mut bus, 3).await;
    knock(&mut bus, at(59_000), 3, plate.plate, 1).await.unwrap();
    assert_eq!(knock(&mut bus, at(60_000), 3, plate.plate, 2).await, Err(Denied::NoSuchPlate));
    news(&mut bus, 1, epochs[0]).await;
    bus.expire(at(60_000)).await.unwrap();
    assert_eq!(news(&mut bus, 3, knocker).await, [over(1, Over::Burned)]);
    let burned = |plate, why| Event::Burned(Burned { plate, why });
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [burned(plate.plate, BurnedWhy::Expired)]);
    assert_eq!(bus.burn_plate(session(2), asked.plate).await, Ok(Err(Denied::NotOwner)));
    bus.burn_plate(session(1), asked.plate).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [], "who burned it knows");
    bus.leave_room(START, session(2), ROOM).await.unwrap();
    bus.leave_room(START, session(1), ROOM).await.unwrap();
    let told = news(&mut bus, 1, epochs[0]).await;
    assert!(matches!(told[..], [Event::Went(_), Event::Burned(Burned { why: BurnedWhy::RoomOver, .. })]), "{told:?}");
}

async fn a_room_has_so_many_plates_and_their_numbers_differ(mut bus: impl Bus) {
    room(&mut bus, 1, 4).await;
    let mut numbers = Vec::new();
    for _ in 0..PLATES {
        numbers.push(plate(&mut bus).await);
    }
    assert_eq!(bus.open_plate(START, session(1), ROOM, 0).await, Ok(Err(Denied::TooMany)));
    assert!(numbers.iter().all(|plate| (1_000..10_000).contains(&plate.0)), "four digits are soon said");
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), PLATES);
    bus.burn_plate(session(1), numbers[0]).await.unwrap().unwrap();
    plate(&mut bus).await;
}

async fn a_plate_without_its_owner_is_silent(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 4).await;
    let plate = plate(&mut bus).await;
    guest(&mut bus, 3).await;
    bus.end(session(1), epochs[0]).await.unwrap();
    assert_eq!(knock(&mut bus, START, 3, plate, 1).await, Err(Denied::Offline));
    let back = guest(&mut bus, 9).await;
    let opening = Opening { owner: secret(0x77), ..opening(9, 4) };
    bus.open_room(START, session(9), opening).await.unwrap().unwrap();
    assert_eq!(knock(&mut bus, START, 3, plate, 1).await, Ok(()));
    assert!(matches!(news(&mut bus, 9, back).await[..], [Event::Knocked(_)]), "it waits for its owner");
}
