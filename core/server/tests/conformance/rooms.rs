//! The promises of a bus about rooms.

use sidetone_server::*;
use sidetone_wire::decode;
use sidetone_wire::envelope::Class;
use sidetone_wire::frame::Event;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;
use sidetone_wire::room::*;

use super::bus::{ADA, BOB, START, at, open, secret, session};

pub const ROOM: RoomId = RoomId([0x21; 16]);

pub fn member(number: u8) -> MemberId {
    MemberId([number; 16])
}

pub fn terms(seats: u8) -> Terms {
    let seats = Seats::new(seats).unwrap();
    Terms { relay: RelayRule::Allowed, seats, scope: Scope::Link, creator: None, kept: false }
}

pub fn opening(number: u8, seats: u8) -> Opening {
    Opening { room: ROOM, member: member(number), owner: secret(0x77), terms: terms(seats) }
}

/// A session without an account.
pub async fn guest(bus: &mut impl Bus, number: u8) -> Epoch {
    bus.open(START, session(number), secret(number)).await.unwrap()
}

pub async fn enter(bus: &mut impl Bus, now: Now, number: u8) -> Result<Vec<MemberId>, Denied> {
    let entering = Entering { room: ROOM, member: member(number), kept: None };
    bus.enter_room(now, session(number), entering).await.unwrap()
}

pub async fn hand(bus: &mut impl Bus, from: u8, to: u8, class: Class) -> Result<(), Denied> {
    let envelope = RoomEnvelope { room: ROOM, to: member(to), class, bytes: vec![from; 256].into() };
    bus.hand(START, session(from), envelope).await.unwrap()
}

/// What a session was told since the last call.
pub async fn news(bus: &mut impl Bus, number: u8, epoch: Epoch) -> Vec<Event> {
    let replay = bus.replay(session(number), epoch, Seq(0), usize::MAX).await.unwrap();
    if let Some((last, _)) = replay.events.last() {
        bus.ack(session(number), epoch, *last).await.unwrap();
    }
    replay.events.iter().map(|(_, event)| decode(event, FRAME_BYTES).unwrap()).collect()
}

/// A room with its owner, session 1, and sessions up to `last` as members that the owner vouched for.
pub async fn room(bus: &mut impl Bus, last: u8, seats: u8) -> Vec<Epoch> {
    let mut epochs = Vec::new();
    for number in 1..=last {
        epochs.push(guest(bus, number).await);
    }
    bus.open_room(START, session(1), opening(1, seats)).await.unwrap().unwrap();
    for number in 2..=last {
        enter(bus, START, number).await.unwrap();
        hand(bus, 1, number, Class::Control).await.unwrap();
    }
    for number in 1..=last {
        news(bus, number, epochs[usize::from(number) - 1]).await;
    }
    epochs
}

fn came(number: u8) -> Event {
    Event::Came(Seat { room: ROOM, member: member(number) })
}

fn went(number: u8, why: Parting) -> Event {
    Event::Went(Went { room: ROOM, member: member(number), why })
}

fn out(number: u8, why: OutWhy) -> Event {
    Event::PutOut(PutOut { room: ROOM, member: member(number), why })
}

pub async fn all<B: Bus>(new: &mut impl FnMut() -> B) {
    members_hear_of_each_other(new()).await;
    entering_again_changes_nothing_and_as_another_member_moves(new()).await;
    nobody_takes_the_name_of_a_member(new()).await;
    an_envelope_reaches_one_member_from_another(new()).await;
    a_room_ends_with_its_last_member_and_not_before(new()).await;
    a_session_that_ends_leaves_its_rooms(new()).await;
    a_session_that_goes_on_is_still_there(new()).await;
    a_full_room_refuses_and_gives_the_seat_of_the_silent(new()).await;
    a_ghost_holds_a_seat_for_ten_seconds(new()).await;
    ghosts_do_not_add_up_and_do_not_chatter(new()).await;
    only_the_owner_puts_out_locks_and_closes(new()).await;
    a_member_that_is_put_out_is_told_and_may_or_may_not_return(new()).await;
    a_locked_room_lets_nobody_in(new()).await;
    a_closed_room_is_gone_for_everybody(new()).await;
    an_owner_comes_back_with_the_secret_or_the_account(new()).await;
    a_kept_room_opens_when_somebody_enters(new()).await;
    a_session_is_in_so_many_rooms_and_no_more(new()).await;
    an_account_that_leaves_its_session_leaves_its_rooms(new()).await;
    a_relay_knows_every_entry_by_another_name(new()).await;
}

async fn members_hear_of_each_other(mut bus: impl Bus) {
    let epochs = [guest(&mut bus, 1).await, guest(&mut bus, 2).await, guest(&mut bus, 3).await];
    assert_eq!(bus.terms(ROOM).await, Ok(None));
    assert_eq!(enter(&mut bus, START, 2).await, Err(Denied::NoSuchRoom));
    assert_eq!(bus.open_room(START, session(1), opening(1, 4)).await, Ok(Ok(vec![])));
    assert_eq!(bus.terms(ROOM).await, Ok(Some(terms(4))));
    assert_eq!(enter(&mut bus, START, 2).await, Ok(vec![member(1)]));
    assert_eq!(enter(&mut bus, START, 3).await, Ok(vec![member(1), member(2)]));
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [came(2), came(3)]);
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [came(3)]);
    assert_eq!(news(&mut bus, 3, epochs[2]).await, []);
    let held = bus.leave_room(START, session(2), ROOM).await.unwrap().unwrap();
    assert_eq!((held.member, held.relay, held.owns), (member(2), RelayRule::Allowed, false));
    assert_eq!(bus.leave_room(START, session(2), ROOM).await, Ok(None));
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [went(2, Parting::Left)]);
    assert_eq!(news(&mut bus, 3, epochs[2]).await, [went(2, Parting::Left)]);
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "who leaves knows");
}

async fn entering_again_changes_nothing_and_as_another_member_moves(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 2).await;
    assert_eq!(enter(&mut bus, START, 2).await, Ok(vec![member(1)]));
    assert_eq!(bus.open_room(START, session(1), opening(1, 2)).await, Ok(Ok(vec![member(2)])));
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    let anew = Entering { room: ROOM, member: member(9), kept: None };
    assert_eq!(bus.enter_room(START, session(2), anew).await, Ok(Ok(vec![member(1)])), "its own seat is free for it");
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [went(2, Parting::Left), came(9)]);
    assert_eq!(bus.held(session(2), ROOM).await.unwrap().unwrap().member, member(9));
}

async fn nobody_takes_the_name_of_a_member(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 4).await;
    guest(&mut bus, 3).await;
    let thief = Entering { room: ROOM, member: member(2), kept: None };
    assert_eq!(bus.enter_room(START, session(3), thief).await, Ok(Err(Denied::Already)));
    let owner = Opening { member: member(2), ..opening(1, 4) };
    assert_eq!(bus.open_room(START, session(3), owner).await, Ok(Err(Denied::Already)));
    assert_eq!(bus.held(session(3), ROOM).await, Ok(Err(Denied::NotIn)));
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    assert!(bus.held(session(1), ROOM).await.unwrap().unwrap().owns, "a refused owner changes nothing");
}

async fn an_envelope_reaches_one_member_from_another(mut bus: impl Bus) {
    let epochs = room(&mut bus, 3, 4).await;
    assert_eq!(hand(&mut bus, 2, 3, Class::Connect).await, Ok(()));
    let bytes = vec![2; 256].into();
    let sealed = Event::RoomSealed(RoomDelivered { room: ROOM, from: member(2), class: Class::Connect, bytes });
    assert_eq!(news(&mut bus, 3, epochs[2]).await, [sealed]);
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    assert_eq!(hand(&mut bus, 2, 9, Class::Control).await, Err(Denied::NoSuchMember));
    guest(&mut bus, 4).await;
    assert_eq!(hand(&mut bus, 4, 1, Class::Control).await, Err(Denied::NotIn), "from outside nobody is reached");
    let elsewhere = RoomEnvelope { room: RoomId([1; 16]), to: member(1), class: Class::Control, bytes: vec![].into() };
    assert_eq!(bus.hand(START, session(1), elsewhere).await, Ok(Err(Denied::NoSuchRoom)));
}

async fn a_room_ends_with_its_last_member_and_not_before(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 4).await;
    bus.leave_room(START, session(1), ROOM).await.unwrap();
    assert!(bus.terms(ROOM).await.unwrap().is_some(), "an owner who leaves ends nothing");
    bus.detach(START, session(2), epochs[1]).await.unwrap();
    bus.expire(at(RESUME_MS - 1)).await.unwrap();
    assert!(bus.terms(ROOM).await.unwrap().is_some(), "who can come back is there");
    bus.expire(at(RESUME_MS)).await.unwrap();
    assert_eq!(bus.terms(ROOM).await, Ok(None));
    assert_eq!(enter(&mut bus, START, 1).await, Err(Denied::NoSuchRoom));
    let other = Opening { owner: secret(5), ..opening(1, 2) };
    assert_eq!(bus.open_room(START, session(1), other).await, Ok(Ok(vec![])), "and nothing of it is remembered");
}

async fn a_session_that_ends_leaves_its_rooms(mut bus: impl Bus) {
    let epochs = room(&mut bus, 4, 4).await;
    bus.end(session(2), epochs[1]).await.unwrap();
    bus.detach(START, session(3), epochs[2]).await.unwrap();
    bus.expire(at(RESUME_MS)).await.unwrap();
    for _ in 0..=RESUME_EVENTS {
        bus.deliver_to(session(4), b"\x82\x05\xa1\x00\x60").await.unwrap();
    }
    let all = [went(2, Parting::Left), went(3, Parting::Lost), went(4, Parting::Lost)];
    assert_eq!(news(&mut bus, 1, epochs[0]).await, all);
    assert_eq!(enter(&mut bus, START, 1).await, Ok(vec![]));
}

async fn a_session_that_goes_on_is_still_there(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 4).await;
    bus.detach(START, session(2), epochs[1]).await.unwrap();
    hand(&mut bus, 1, 2, Class::Control).await.unwrap();
    let attached = bus.attach(at(1_000), session(2), &secret(2), Seq(u64::MAX)).await.unwrap();
    assert_eq!(attached, None);
    let last = bus.replay(session(1), epochs[0], Seq(0), usize::MAX).await.unwrap();
    assert_eq!(last.events, [], "nobody is told of a socket that may come back");
    let seen = Seq(1);
    let epoch = bus.attach(at(1_000), session(2), &secret(2), seen).await.unwrap().unwrap().epoch;
    assert!(matches!(&news(&mut bus, 2, epoch).await[..], [Event::RoomSealed(_)]));
    assert_eq!(bus.held(session(2), ROOM).await.unwrap().unwrap().member, member(2));
}

async fn a_full_room_refuses_and_gives_the_seat_of_the_silent(mut bus: impl Bus) {
    let epochs = room(&mut bus, 3, 3).await;
    let newcomer = guest(&mut bus, 4).await;
    assert_eq!(enter(&mut bus, at(50_000), 4).await, Err(Denied::Full));
    bus.detach(at(60_000), session(2), epochs[1]).await.unwrap();
    bus.detach(at(61_000), session(3), epochs[2]).await.unwrap();
    assert_eq!(enter(&mut bus, at(60_000 + UNVOUCHED_MS - 1), 4).await, Err(Denied::Full), "a socket may break");
    assert_eq!(enter(&mut bus, at(61_000 + UNVOUCHED_MS), 4).await, Ok(vec![member(1), member(3)]), "the longest gone");
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [went(2, Parting::Displaced), came(4)]);
    let back = bus.attach(at(75_000), session(2), &secret(2), Seq(2)).await.unwrap().unwrap().epoch;
    assert_eq!(news(&mut bus, 2, back).await, [out(2, OutWhy::Displaced)], "who lost it hears so");
    assert_eq!(news(&mut bus, 4, newcomer).await, []);
}

async fn a_ghost_holds_a_seat_for_ten_seconds(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 3).await;
    let ghost = guest(&mut bus, 3).await;
    guest(&mut bus, 4).await;
    assert!(enter(&mut bus, at(0), 3).await.is_ok());
    hand(&mut bus, 1, 3, Class::Connect).await.unwrap();
    assert_eq!(enter(&mut bus, at(UNVOUCHED_MS - 1), 4).await, Err(Denied::Full), "it may be one of us");
    assert!(enter(&mut bus, at(UNVOUCHED_MS), 4).await.is_ok(), "nobody answered it");
    hand(&mut bus, 3, 4, Class::Control).await.unwrap();
    assert_eq!(hand(&mut bus, 2, 4, Class::Control).await, Ok(()), "a member vouches, a ghost does not");
    guest(&mut bus, 5).await;
    assert_eq!(enter(&mut bus, at(UNVOUCHED_MS * 3), 5).await, Err(Denied::Full));
    assert_eq!(hand(&mut bus, 1, 3, Class::Control).await, Err(Denied::NoSuchMember), "there is no seat for it");
    assert_eq!(news(&mut bus, 3, ghost).await.last(), Some(&out(3, OutWhy::Displaced)));
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [came(3), came(4), went(3, Parting::Displaced)]);
}

async fn ghosts_do_not_add_up_and_do_not_chatter(mut bus: impl Bus) {
    let epochs = room(&mut bus, 1, 2).await;
    let mut now = START;
    for ghost in 10..60 {
        now = Now { ticks_ms: now.ticks_ms + UNVOUCHED_MS, ..now };
        guest(&mut bus, ghost).await;
        enter(&mut bus, now, ghost).await.unwrap();
    }
    let there = bus.open_room(now, session(1), opening(1, 2)).await.unwrap().unwrap();
    assert!(there.len() <= 2 + MEMBERS, "{} ghosts stand around", there.len());
    now.ticks_ms += UNVOUCHED_MS;
    guest(&mut bus, 2).await;
    assert!(enter(&mut bus, now, 2).await.is_ok());
    assert_eq!(hand(&mut bus, 1, 2, Class::Control).await, Ok(()), "and keep nobody out");
    news(&mut bus, 1, epochs[0]).await;
    let mut heard = 0;
    while hand(&mut bus, 59, 1, Class::Connect).await != Err(Denied::Unvouched) {
        heard += 1;
    }
    assert!((MEMBERS..RESUME_EVENTS / 2).contains(&heard), "a ghost says {heard} things");
}

async fn only_the_owner_puts_out_locks_and_closes(mut bus: impl Bus) {
    room(&mut bus, 3, 4).await;
    let (us, seat) = (session(2), Seat { room: ROOM, member: member(3) });
    assert_eq!(bus.put_out(START, us, seat, Exile::Kicked).await, Ok(Err(Denied::NotOwner)));
    assert_eq!(bus.behind(us, seat).await, Ok(Err(Denied::NotOwner)));
    assert_eq!(bus.lock_room(us, LockRoom { room: ROOM, locked: true }).await, Ok(Err(Denied::NotOwner)));
    assert_eq!(bus.pardon(us, ROOM).await, Ok(Err(Denied::NotOwner)));
    assert_eq!(bus.close_room(us, ROOM).await, Ok(Err(Denied::NotOwner)));
    assert_eq!(bus.open_plate(START, us, ROOM, 0).await, Ok(Err(Denied::NotOwner)));
    let thief = Opening { owner: secret(0x78), ..opening(9, 4) };
    assert_eq!(bus.open_room(START, us, thief).await, Ok(Err(Denied::Taken)));
    assert_eq!(bus.close_room(session(1), RoomId([1; 16])).await, Ok(Err(Denied::NoSuchRoom)));
    assert!(bus.held(session(3), ROOM).await.unwrap().is_ok());
}

async fn a_member_that_is_put_out_is_told_and_may_or_may_not_return(mut bus: impl Bus) {
    let epochs = room(&mut bus, 3, 4).await;
    let seat = |number| Seat { room: ROOM, member: member(number) };
    let name = bus.held(session(2), ROOM).await.unwrap().unwrap().name;
    assert_eq!(bus.put_out(START, session(1), seat(2), Exile::Kicked).await, Ok(Ok(name)));
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [out(2, OutWhy::Kicked)]);
    assert_eq!(news(&mut bus, 3, epochs[2]).await, [went(2, Parting::PutOut)]);
    assert_eq!(hand(&mut bus, 2, 1, Class::Control).await, Err(Denied::NotIn));
    assert_eq!(bus.put_out(START, session(1), seat(2), Exile::Kicked).await, Ok(Err(Denied::NoSuchMember)));
    assert!(enter(&mut bus, START, 2).await.is_ok());

    open(&mut bus, 7, BOB).await;
    assert!(enter(&mut bus, START, 7).await.is_ok());
    assert_eq!(bus.behind(session(1), seat(7)).await, Ok(Ok(Some(BOB.user))));
    assert_eq!(bus.behind(session(1), seat(3)).await, Ok(Ok(None)));
    for number in [2, 7] {
        bus.put_out(START, session(1), seat(number), Exile::Banned).await.unwrap().unwrap();
        assert_eq!(enter(&mut bus, START, number).await, Err(Denied::Banned));
    }
    open(&mut bus, 8, Party { device: DeviceId([8; 16]), ..BOB }).await;
    assert_eq!(enter(&mut bus, START, 8).await, Err(Denied::Banned), "an account is banned, not a socket");
    bus.pardon(session(1), ROOM).await.unwrap().unwrap();
    for number in [2, 8] {
        assert!(enter(&mut bus, START, number).await.is_ok());
    }
}

async fn a_locked_room_lets_nobody_in(mut bus: impl Bus) {
    room(&mut bus, 2, 4).await;
    guest(&mut bus, 3).await;
    let lock = |locked| LockRoom { room: ROOM, locked };
    bus.lock_room(session(1), lock(true)).await.unwrap().unwrap();
    assert_eq!(enter(&mut bus, START, 3).await, Err(Denied::Locked));
    assert_eq!(enter(&mut bus, START, 2).await, Ok(vec![member(1)]), "who is in is in");
    bus.leave_room(START, session(1), ROOM).await.unwrap();
    assert!(enter(&mut bus, START, 1).await.is_ok(), "the owner has the key");
    bus.lock_room(session(1), lock(false)).await.unwrap().unwrap();
    assert!(enter(&mut bus, START, 3).await.is_ok());
}

async fn a_closed_room_is_gone_for_everybody(mut bus: impl Bus) {
    let epochs = room(&mut bus, 3, 4).await;
    let name = bus.held(session(2), ROOM).await.unwrap().unwrap().name;
    assert_eq!(bus.close_room(session(1), ROOM).await, Ok(Ok(name.room)));
    for number in [2, 3] {
        let told = news(&mut bus, number, epochs[usize::from(number) - 1]).await;
        assert_eq!(told, [out(number, OutWhy::Closed)]);
    }
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    assert_eq!(bus.terms(ROOM).await, Ok(None));
    for number in 2..=3 {
        assert_eq!(enter(&mut bus, START, number).await, Err(Denied::NoSuchRoom));
    }
    bus.open_room(START, session(2), opening(2, 4)).await.unwrap().unwrap();
    assert_eq!(bus.end(session(3), epochs[2]).await, Ok(None), "nobody is in it by an old word");
    assert_eq!(news(&mut bus, 2, epochs[1]).await, []);
}

async fn an_owner_comes_back_with_the_secret_or_the_account(mut bus: impl Bus) {
    let epochs = room(&mut bus, 2, 2).await;
    let anew = guest(&mut bus, 3).await;
    let back = bus.open_room(START, session(3), opening(3, 2)).await;
    assert_eq!(back, Ok(Ok(vec![member(2)])), "into a full room, for the seat is the owner's");
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [out(1, OutWhy::Displaced)]);
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [went(1, Parting::Left), came(3)]);
    assert_eq!(bus.close_room(session(1), ROOM).await, Ok(Err(Denied::NotOwner)), "there is one owner");
    assert!(bus.held(session(3), ROOM).await.unwrap().unwrap().owns);
    bus.end(session(3), anew).await.unwrap();
    bus.end(session(2), epochs[1]).await.unwrap();

    open(&mut bus, 4, ADA).await;
    let kept = Terms { creator: Some(ADA.user), kept: true, ..terms(2) };
    bus.open_room(START, session(4), Opening { terms: kept, ..opening(4, 2) }).await.unwrap().unwrap();
    open(&mut bus, 5, Party { device: DeviceId([5; 16]), ..ADA }).await;
    let other = Opening { owner: secret(1), terms: kept, ..opening(5, 2) };
    assert_eq!(bus.open_room(START, session(5), other).await, Ok(Ok(vec![])));
    open(&mut bus, 6, BOB).await;
    let thief = Opening { owner: secret(2), terms: Terms { creator: Some(BOB.user), ..kept }, ..opening(6, 2) };
    assert_eq!(bus.open_room(START, session(6), thief).await, Ok(Err(Denied::Taken)));
}

async fn a_kept_room_opens_when_somebody_enters(mut bus: impl Bus) {
    let kept = Terms { creator: Some(ADA.user), kept: true, ..terms(4) };
    guest(&mut bus, 1).await;
    guest(&mut bus, 2).await;
    let entering = |number| Entering { room: ROOM, member: member(number), kept: Some(kept) };
    assert_eq!(bus.enter_room(START, session(1), entering(1)).await, Ok(Ok(vec![])));
    assert_eq!(bus.enter_room(START, session(2), entering(2)).await, Ok(Ok(vec![member(1)])));
    assert_eq!(bus.terms(ROOM).await, Ok(Some(kept)));
    assert_eq!(hand(&mut bus, 1, 2, Class::Control).await, Ok(()));
    assert_eq!(bus.close_room(session(1), ROOM).await, Ok(Err(Denied::NotOwner)), "the first one owns nothing");
    open(&mut bus, 3, ADA).await;
    assert_eq!(bus.lock_room(session(3), LockRoom { room: ROOM, locked: true }).await, Ok(Ok(())), "its creator does");
    bus.open_room(START, session(3), Opening { terms: kept, ..opening(3, 4) }).await.unwrap().unwrap();
}

async fn a_session_is_in_so_many_rooms_and_no_more(mut bus: impl Bus) {
    let epoch = guest(&mut bus, 1).await;
    for number in 0..ROOMS as u8 {
        let opening = Opening { room: RoomId([number; 16]), ..opening(1, 2) };
        bus.open_room(START, session(1), opening).await.unwrap().unwrap();
    }
    assert_eq!(bus.open_room(START, session(1), opening(1, 2)).await, Ok(Err(Denied::TooMany)));
    assert_eq!(bus.terms(ROOM).await, Ok(None), "what could not be entered was not opened");
    bus.leave_room(START, session(1), RoomId([0; 16])).await.unwrap();
    bus.open_room(START, session(1), opening(1, 2)).await.unwrap().unwrap();
    bus.end(session(1), epoch).await.unwrap();
    for number in 1..ROOMS as u8 {
        assert_eq!(bus.terms(RoomId([number; 16])).await, Ok(None));
    }
}

async fn an_account_that_leaves_its_session_leaves_its_rooms(mut bus: impl Bus) {
    let epochs = room(&mut bus, 1, 4).await;
    let ours = open(&mut bus, 2, BOB).await;
    enter(&mut bus, START, 2).await.unwrap();
    bus.sign_out(session(2)).await.unwrap();
    assert_eq!(news(&mut bus, 2, ours).await, [out(2, OutWhy::SignedOut)]);
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [came(2), went(2, Parting::Left)]);
    assert_eq!(bus.held(session(2), ROOM).await, Ok(Err(Denied::NotIn)));
}

async fn a_relay_knows_every_entry_by_another_name(mut bus: impl Bus) {
    room(&mut bus, 2, 4).await;
    let mut names = Vec::new();
    for number in [1, 2] {
        names.push(bus.held(session(number), ROOM).await.unwrap().unwrap().name);
    }
    assert_eq!(names[0].room, names[1].room);
    bus.leave_room(START, session(2), ROOM).await.unwrap();
    enter(&mut bus, START, 2).await.unwrap();
    names.push(bus.held(session(2), ROOM).await.unwrap().unwrap().name);
    for number in [1, 2] {
        bus.leave_room(START, session(number), ROOM).await.unwrap();
    }
    bus.open_room(START, session(1), opening(1, 4)).await.unwrap().unwrap();
    let last = bus.held(session(1), ROOM).await.unwrap().unwrap().name;
    assert_ne!(last.room, names[0].room, "nor the room from one time to the next");
    names.push(last);
    names.sort();
    names.dedup_by_key(|name| name.member);
    assert_eq!(names.len(), 4);
}
