//! The promises of a bus.

use sidetone_server::*;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;

use super::{plates, rooms, strangers};

pub const START: Now = Now { ticks_ms: 1_000, unix_ms: 1_790_000_000_000 };
pub const ADA: Party = Party { user: UserId([1; 16]), device: DeviceId([1; 16]) };
pub const BOB: Party = Party { user: UserId([2; 16]), device: DeviceId([2; 16]) };

pub fn at(ms: u64) -> Now {
    Now { ticks_ms: START.ticks_ms + ms, unix_ms: START.unix_ms + ms }
}

pub fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

pub fn secret(number: u8) -> Secret {
    Secret([number; 32])
}

pub async fn open(bus: &mut impl Bus, number: u8, party: Party) -> Epoch {
    let epoch = bus.open(START, session(number), secret(number)).await.unwrap();
    bus.sign_in(session(number), party).await.unwrap();
    epoch
}

pub async fn told(bus: &mut impl Bus, number: u8, epoch: Epoch, after: u64) -> Vec<(u64, Vec<u8>)> {
    let replay = bus.replay(session(number), epoch, Seq(after), usize::MAX).await.unwrap();
    replay.events.into_iter().map(|(seq, event)| (seq.0, event.to_vec())).collect()
}

/// Runs every promise on a new bus each.
pub async fn all<B: Bus>(mut new: impl FnMut() -> B) {
    events_are_numbered_in_order_and_wake_their_session(new()).await;
    an_acknowledged_event_is_gone_and_the_others_stay(new()).await;
    a_replay_is_cut_at_its_size_and_says_so(new()).await;
    a_session_goes_on_with_its_secret_and_what_it_missed(new()).await;
    a_session_is_written_by_its_newest_socket_only(new()).await;
    a_detached_session_lapses_in_time_and_not_before(new()).await;
    a_full_log_ends_its_session_and_says_so(new()).await;
    an_account_is_online_while_it_has_a_session(new()).await;
    a_device_has_one_session(new()).await;
    answers_are_remembered_for_two_minutes(new()).await;
    a_bucket_gives_its_burst_and_then_its_rate(new()).await;
    the_key_of_the_day_changes_with_the_day(new()).await;
    rooms::all(&mut new).await;
    plates::all(&mut new).await;
    strangers::all(&mut new).await;
}

async fn events_are_numbered_in_order_and_wake_their_session(mut bus: impl Bus) {
    let epoch = open(&mut bus, 1, ADA).await;
    assert_eq!(bus.deliver(BOB.user, b"nobody").await, Ok(Delivery::Offline));
    for event in [b"one", b"two"] {
        assert_eq!(bus.deliver(ADA.user, event).await, Ok(Delivery::Logged));
    }
    assert_eq!(bus.deliver_to(session(1), b"three").await, Ok(Delivery::Logged));
    assert!(bus.woken().contains(&Woken::News(session(1), epoch)));
    assert_eq!(bus.woken(), []);
    let all = told(&mut bus, 1, epoch, 0).await;
    assert_eq!(all, [(1, b"one".to_vec()), (2, b"two".to_vec()), (3, b"three".to_vec())]);
    assert_eq!(told(&mut bus, 1, epoch, 2).await, [(3, b"three".to_vec())]);
    assert_eq!(told(&mut bus, 1, epoch, 3).await, []);
}

async fn an_acknowledged_event_is_gone_and_the_others_stay(mut bus: impl Bus) {
    let epoch = open(&mut bus, 1, ADA).await;
    for event in [b"one", b"two"] {
        bus.deliver(ADA.user, event).await.unwrap();
    }
    bus.ack(session(1), epoch, Seq(1)).await.unwrap();
    assert_eq!(told(&mut bus, 1, epoch, 0).await, [(2, b"two".to_vec())]);
    bus.ack(session(1), epoch, Seq(u64::MAX)).await.unwrap();
    bus.deliver(ADA.user, b"three").await.unwrap();
    assert_eq!(told(&mut bus, 1, epoch, 0).await, [(3, b"three".to_vec())], "numbers go on");
}

async fn a_replay_is_cut_at_its_size_and_says_so(mut bus: impl Bus) {
    let epoch = open(&mut bus, 1, ADA).await;
    for _ in 0..3 {
        bus.deliver(ADA.user, &[0; 100]).await.unwrap();
    }
    let cut = bus.replay(session(1), epoch, Seq(0), 250).await.unwrap();
    assert_eq!((cut.events.len(), cut.more), (2, true));
    let one = bus.replay(session(1), epoch, Seq(0), 10).await.unwrap();
    assert_eq!((one.events.len(), one.more), (1, true), "at least one, however large");
    let rest = bus.replay(session(1), epoch, Seq(2), 250).await.unwrap();
    assert_eq!((rest.events.len(), rest.more), (1, false));
}

async fn a_session_goes_on_with_its_secret_and_what_it_missed(mut bus: impl Bus) {
    let epoch = open(&mut bus, 1, ADA).await;
    bus.deliver(ADA.user, b"one").await.unwrap();
    bus.detach(at(10), session(1), epoch).await.unwrap();
    bus.deliver(ADA.user, b"two").await.unwrap();
    assert_eq!(bus.attach(at(20), session(1), &secret(9), Seq(1)).await, Ok(None));
    assert_eq!(bus.attach(at(20), session(9), &secret(1), Seq(1)).await, Ok(None));
    assert_eq!(bus.attach(at(20), session(1), &secret(1), Seq(3)).await, Ok(None), "events that never were");
    let attached = bus.attach(at(20), session(1), &secret(1), Seq(1)).await.unwrap().unwrap();
    assert!(attached.epoch > epoch && attached.party == Some(ADA));
    assert_eq!(told(&mut bus, 1, attached.epoch, 1).await, [(2, b"two".to_vec())]);
    bus.ack(session(1), attached.epoch, Seq(2)).await.unwrap();
    let again = bus.attach(at(30), session(1), &secret(1), Seq(1)).await;
    assert_eq!(again, Ok(None), "what was dropped is not pretended to be there");
}

async fn a_session_is_written_by_its_newest_socket_only(mut bus: impl Bus) {
    let old = open(&mut bus, 1, ADA).await;
    bus.deliver(ADA.user, b"one").await.unwrap();
    bus.woken();
    let new = bus.attach(at(1), session(1), &secret(1), Seq(0)).await.unwrap().unwrap().epoch;
    assert_eq!(bus.woken(), [Woken::Taken(session(1), old)]);
    bus.ack(session(1), old, Seq(1)).await.unwrap();
    bus.detach(at(2), session(1), old).await.unwrap();
    assert_eq!(bus.end(session(1), old).await, Ok(None));
    assert_eq!(told(&mut bus, 1, old, 0).await, []);
    assert_eq!(bus.expire(at(RESUME_MS * 2)).await, Ok(vec![]), "the old socket's end is not the session's");
    assert_eq!(told(&mut bus, 1, new, 0).await, [(1, b"one".to_vec())]);
    assert_eq!(bus.end(session(1), new).await, Ok(Some(ADA)));
    assert_eq!(bus.party(session(1)).await, Ok(None));
}

async fn a_detached_session_lapses_in_time_and_not_before(mut bus: impl Bus) {
    let epoch = open(&mut bus, 1, ADA).await;
    open(&mut bus, 2, BOB).await;
    bus.detach(at(0), session(1), epoch).await.unwrap();
    bus.detach(at(50), session(1), epoch).await.unwrap();
    assert_eq!(bus.expire(at(RESUME_MS - 1)).await, Ok(vec![]));
    let lapsed = Lapsed { session: session(1), party: Some(ADA) };
    assert_eq!(bus.expire(at(RESUME_MS)).await, Ok(vec![lapsed]));
    assert_eq!(bus.attach(at(RESUME_MS), session(1), &secret(1), Seq(0)).await, Ok(None));
    assert_eq!(bus.online(&[ADA.user, BOB.user]).await, Ok(vec![false, true]));
}

async fn a_full_log_ends_its_session_and_says_so(mut bus: impl Bus) {
    let epoch = open(&mut bus, 1, ADA).await;
    for _ in 0..RESUME_EVENTS {
        assert_eq!(bus.deliver(ADA.user, b"event").await, Ok(Delivery::Logged));
    }
    bus.woken();
    assert_eq!(bus.deliver(ADA.user, b"one more").await, Ok(Delivery::Offline));
    assert_eq!(bus.woken(), [Woken::Lost(session(1), epoch, Some(ADA))]);
    assert_eq!(bus.online(&[ADA.user]).await, Ok(vec![false]));
    let epoch = open(&mut bus, 2, ADA).await;
    for _ in 0..64 {
        let _ = bus.deliver(ADA.user, &[0; ENVELOPE_BYTES]).await;
    }
    assert!(bus.woken().contains(&Woken::Lost(session(2), epoch, Some(ADA))), "bytes are bounded, too");
}

async fn an_account_is_online_while_it_has_a_session(mut bus: impl Bus) {
    let users = [ADA.user, BOB.user];
    assert_eq!(bus.online(&users).await, Ok(vec![false, false]));
    let epoch = open(&mut bus, 1, BOB).await;
    bus.detach(START, session(1), epoch).await.unwrap();
    assert_eq!(bus.online(&users).await, Ok(vec![false, true]));
    assert_eq!(bus.sessions(BOB.user).await, Ok(vec![(session(1), BOB)]));
    assert_eq!(bus.deliver(BOB.user, b"kept").await, Ok(Delivery::Waiting), "there is no socket");
    open(&mut bus, 2, Party { device: DeviceId([7; 16]), ..BOB }).await;
    assert_eq!(bus.deliver(BOB.user, b"heard").await, Ok(Delivery::Logged), "one of two devices is there");
    bus.sign_out(session(2)).await.unwrap();
    bus.sign_out(session(1)).await.unwrap();
    assert_eq!(bus.online(&users).await, Ok(vec![false, false]));
    assert_eq!(bus.deliver(BOB.user, b"late").await, Ok(Delivery::Offline));
    assert_eq!(bus.party(session(1)).await, Ok(None));
}

async fn a_device_has_one_session(mut bus: impl Bus) {
    let first = open(&mut bus, 1, ADA).await;
    open(&mut bus, 2, Party { device: DeviceId([9; 16]), ..ADA }).await;
    assert_eq!(bus.woken(), [], "another device is another matter");
    open(&mut bus, 3, ADA).await;
    assert_eq!(bus.woken(), [Woken::Taken(session(1), first)]);
    assert_eq!(bus.attach(at(1), session(1), &secret(1), Seq(0)).await, Ok(None));
    assert_eq!(bus.sessions(ADA.user).await.unwrap().len(), 2);
}

async fn answers_are_remembered_for_two_minutes(mut bus: impl Bus) {
    open(&mut bus, 1, ADA).await;
    open(&mut bus, 2, BOB).await;
    bus.remember(at(0), session(1), RequestId(7), b"first").await.unwrap();
    bus.remember(at(1_000), session(1), RequestId(8), b"second").await.unwrap();
    let last = at(REQUEST_MEMORY_MS - 1);
    assert_eq!(bus.recall(last, session(1), RequestId(7)).await, Ok(Some(b"first".to_vec())));
    assert_eq!(bus.recall(last, session(2), RequestId(7)).await, Ok(None), "numbers are a session's own");
    assert_eq!(bus.recall(at(REQUEST_MEMORY_MS), session(1), RequestId(7)).await, Ok(None));
    assert_eq!(bus.recall(at(REQUEST_MEMORY_MS), session(1), RequestId(8)).await, Ok(Some(b"second".to_vec())));
}

async fn a_bucket_gives_its_burst_and_then_its_rate(mut bus: impl Bus) {
    let rate = Rate { burst: 3, every_ms: 100 };
    let tag = [7; 16];
    for _ in 0..3 {
        assert_eq!(bus.spend(at(0), tag, rate).await, Ok(Ok(())));
    }
    assert_eq!(bus.spend(at(30), tag, rate).await, Ok(Err(70)));
    assert_eq!(bus.spend(at(30), [8; 16], rate).await, Ok(Ok(())));
    assert_eq!(bus.spend(at(100), tag, rate).await, Ok(Ok(())));
    assert_eq!(bus.spend(at(100), tag, rate).await, Ok(Err(100)));
    bus.expire(at(500_000)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(bus.spend(at(500_000), tag, rate).await, Ok(Ok(())), "and no more than the burst is saved up");
    }
    assert!(bus.spend(at(500_000), tag, rate).await.unwrap().is_err());
}

async fn the_key_of_the_day_changes_with_the_day(mut bus: impl Bus) {
    let today = bus.day_key(at(0)).await.unwrap();
    assert_eq!(bus.day_key(at(1_000)).await, Ok(today));
    let tomorrow = bus.day_key(at(86_400_000)).await.unwrap();
    assert_ne!(tomorrow, today);
}
