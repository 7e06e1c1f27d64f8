//! The promises of a bus about strangers.

use sidetone_server::*;
use sidetone_wire::encounter::{Frank, franked};
use sidetone_wire::envelope::Class;
use sidetone_wire::frame::Event;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;
use sidetone_wire::record::Text;
use sidetone_wire::stranger::*;

use super::bus::{START, at, secret, session};
use super::rooms::{guest, news};

const POOL: Pool = Pool { media: Media::Text, adult: false, shadow: false };

fn seeking(number: u8) -> Seeking {
    Seeking { ticket: TicketId([number; 16]), pool: POOL, interests: Vec::new(), from: [number; 16], frank: None }
}

fn liking(number: u8, interests: &[u8]) -> Seeking {
    Seeking { interests: interests.iter().map(|tag| InterestTag([*tag; 16])).collect(), ..seeking(number) }
}

async fn seek(bus: &mut impl Bus, now: Now, number: u8) {
    bus.seek(now, session(number), seeking(number)).await.unwrap().unwrap();
}

/// The matches among what a session was told.
fn matches(events: &[Event]) -> Vec<Matched> {
    let matched = |event: &Event| match event {
        Event::Matched(matched) => Some(matched.clone()),
        _ => None,
    };
    events.iter().filter_map(matched).collect()
}

/// The last match of a session, and what else it was told.
async fn matched(bus: &mut impl Bus, number: u8, epoch: Epoch) -> Option<MatchId> {
    matches(&news(bus, number, epoch).await).last().map(|matched| matched.id)
}

/// Two who were put together, and their epochs.
async fn pair(bus: &mut impl Bus) -> (MatchId, [Epoch; 2]) {
    let epochs = [guest(bus, 1).await, guest(bus, 2).await];
    seek(bus, START, 1).await;
    seek(bus, START, 2).await;
    let id = matched(bus, 1, epochs[0]).await.unwrap();
    assert_eq!(matched(bus, 2, epochs[1]).await, Some(id));
    (id, epochs)
}

/// Two whose match began.
async fn begun(bus: &mut impl Bus) -> (MatchId, [Epoch; 2]) {
    let (id, epochs) = pair(bus).await;
    for number in [1, 2] {
        bus.consent(START, session(number), id).await.unwrap().unwrap();
    }
    for number in [1, 2] {
        assert_eq!(news(bus, number, epochs[usize::from(number) - 1]).await, [Event::Begun(Match { id })]);
    }
    (id, epochs)
}

fn over(id: MatchId, why: MatchEnd, waiting: bool) -> Event {
    Event::MatchOver(MatchOver { id, why, waiting })
}

pub async fn all<B: Bus>(new: &mut impl FnMut() -> B) {
    two_who_search_are_put_together_and_begin_when_both_want(new()).await;
    nobody_is_matched_with_themselves_or_across_pools(new()).await;
    the_willing_keeps_its_place(new()).await;
    a_declined_match_leaves_the_other_waiting(new()).await;
    who_parted_does_not_meet_again_unless_both_ask(new()).await;
    who_knows_of_the_end_before_the_server_is_not_refused(new()).await;
    a_blocked_address_is_not_met_again_today(new()).await;
    interests_come_first_and_then_anybody(new()).await;
    a_search_without_its_socket_waits_and_keeps_its_place(new()).await;
    a_search_ends_in_time_or_when_it_is_taken_back(new()).await;
    bytes_go_to_the_other_one_of_a_match_that_began(new()).await;
    who_is_gone_leaves_its_match(new()).await;
    a_complaint_needs_a_match_and_counts_once(new()).await;
    a_complaint_shows_only_what_the_other_one_signed(new()).await;
    counts_are_of_what_is(new()).await;
    who_searches_too_often_is_suspected(new()).await;
    who_is_left_at_once_is_not_suspected(new()).await;
    who_searches_on_instead_of_leaving_is_not_let_off(new()).await;
}

async fn two_who_search_are_put_together_and_begin_when_both_want(mut bus: impl Bus) {
    let epochs = [guest(&mut bus, 1).await, guest(&mut bus, 2).await];
    seek(&mut bus, START, 1).await;
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    seek(&mut bus, START, 1).await;
    seek(&mut bus, START, 2).await;
    let (one, other) = (news(&mut bus, 1, epochs[0]).await, news(&mut bus, 2, epochs[1]).await);
    let (one, other) = (&matches(&one)[0], &matches(&other)[0]);
    assert_eq!((one.id, one.ticket, other.ticket), (other.id, TicketId([1; 16]), TicketId([2; 16])));
    assert!(one.first != other.first, "one of them begins");
    assert_ne!(one.report, other.report);
    let id = one.id;
    assert_eq!(bus.stranger(session(1), id).await, Ok(Err(Denied::NotBegun)));
    assert_eq!(bus.seek(START, session(1), seeking(9)).await, Ok(Err(Denied::Already)), "one match at a time");
    assert_eq!(bus.again(START, session(1), id).await, Ok(Err(Denied::NoSuchMatch)), "it did not begin");
    bus.consent(START, session(1), id).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "nobody is pressed");
    bus.consent(START, session(2), id).await.unwrap().unwrap();
    bus.consent(START, session(2), id).await.unwrap().unwrap();
    for (number, epoch) in [(1, epochs[0]), (2, epochs[1])] {
        assert_eq!(news(&mut bus, number, epoch).await, [Event::Begun(Match { id })]);
    }
    guest(&mut bus, 3).await;
    assert_eq!(bus.consent(START, session(3), id).await, Ok(Err(Denied::NoSuchMatch)));
    assert_eq!(bus.part(START, session(3), id, Leave::End).await, Ok(Err(Denied::NoSuchMatch)));
    let names =
        [bus.stranger(session(1), id).await, bus.stranger(session(2), id).await].map(|one| one.unwrap().unwrap());
    assert!(names[0].room == names[1].room && names[0].member != names[1].member);
}

async fn nobody_is_matched_with_themselves_or_across_pools(mut bus: impl Bus) {
    let mut epochs = Vec::new();
    for number in 1..=5 {
        epochs.push(guest(&mut bus, number).await);
    }
    bus.seek(START, session(1), seeking(1)).await.unwrap().unwrap();
    bus.seek(START, session(1), seeking(9)).await.unwrap().unwrap();
    let pools = [Pool { media: Media::Voice, ..POOL }, Pool { adult: true, ..POOL }, Pool { shadow: true, ..POOL }];
    for (number, pool) in (2..).zip(pools) {
        bus.seek(START, session(number), Seeking { pool, ..seeking(number) }).await.unwrap().unwrap();
    }
    bus.expire(at(INTERESTS_MS)).await.unwrap();
    for number in 1..=4 {
        assert_eq!(news(&mut bus, number, epochs[usize::from(number) - 1]).await, []);
    }
    seek(&mut bus, START, 5).await;
    let mine = matches(&news(&mut bus, 1, epochs[0]).await);
    assert_eq!(mine.iter().map(|one| one.ticket).collect::<Vec<_>>(), [TicketId([9; 16])], "the newest search counts");
}

async fn the_willing_keeps_its_place(mut bus: impl Bus) {
    let (id, epochs) = pair(&mut bus).await;
    bus.consent(START, session(2), id).await.unwrap().unwrap();
    bus.expire(at(ACCEPT_MS - 1)).await.unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, []);
    bus.expire(at(ACCEPT_MS)).await.unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [over(id, MatchEnd::TooLate, false)]);
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [over(id, MatchEnd::Unwanted, true)]);
    guest(&mut bus, 3).await;
    let fourth = guest(&mut bus, 4).await;
    bus.detach(at(ACCEPT_MS), session(2), epochs[1]).await.unwrap();
    seek(&mut bus, at(ACCEPT_MS), 3).await;
    let back = bus.attach(at(ACCEPT_MS + 1), session(2), &secret(2), Seq(2)).await.unwrap().unwrap().epoch;
    assert!(matched(&mut bus, 2, back).await.is_some());
    seek(&mut bus, at(ACCEPT_MS + 2), 4).await;
    assert_eq!(news(&mut bus, 4, fourth).await, [], "both others are taken");
}

async fn a_declined_match_leaves_the_other_waiting(mut bus: impl Bus) {
    let (id, epochs) = pair(&mut bus).await;
    bus.part(START, session(1), id, Leave::Skip).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [], "who declines knows");
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [over(id, MatchEnd::Unwanted, true)]);
    assert_eq!(bus.consent(START, session(2), id).await, Ok(Err(Denied::NoSuchMatch)));
    bus.seek(START, session(1), seeking(9)).await.unwrap().unwrap();
    bus.expire(at(SEEK_MS - 1)).await.unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [], "nor does it meet the same one again");
    guest(&mut bus, 3).await;
    seek(&mut bus, at(1_000), 3).await;
    assert!(matched(&mut bus, 2, epochs[1]).await.is_some(), "who waits longest comes first");
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
}

async fn who_parted_does_not_meet_again_unless_both_ask(mut bus: impl Bus) {
    let (id, epochs) = begun(&mut bus).await;
    bus.part(at(60_000), session(1), id, Leave::Skip).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [over(id, MatchEnd::Left, false)]);
    for number in [1, 2] {
        bus.seek(at(60_000), session(number), seeking(number + 10)).await.unwrap().unwrap();
    }
    bus.expire(at(60_000 + INTERESTS_MS)).await.unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    bus.again(at(70_000), session(1), id).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "what one wishes the other does not hear");
    bus.again(at(70_000), session(2), id).await.unwrap().unwrap();
    let told = news(&mut bus, 1, epochs[0]).await;
    let anew = matches(&told)[0].id;
    assert_eq!(told.last(), Some(&Event::Begun(Match { id: anew })));
    assert_eq!(bus.again(at(70_000), session(1), id).await, Ok(Err(Denied::NoSuchMatch)), "once");
    bus.part(at(80_000), session(2), anew, Leave::End).await.unwrap().unwrap();
    assert_eq!(bus.again(at(80_000 + AGAIN_MS), session(2), anew).await, Ok(Err(Denied::NoSuchMatch)), "too late");
    news(&mut bus, 2, epochs[1]).await;
    let mut tries = 0;
    while news(&mut bus, 2, epochs[1]).await.iter().all(|event| !matches!(event, Event::Matched(_))) {
        tries += 1;
        let now = at(80_000 + APART_MS / 4 * tries);
        bus.expire(now).await.unwrap();
        for number in [1, 2] {
            bus.seek(now, session(number), seeking(number)).await.unwrap().unwrap();
        }
    }
    assert_eq!(tries, 4, "after a while they are strangers again");
}

/// Whoever leaves tells the other one directly, and that may be faster than what they tell the server.
async fn who_knows_of_the_end_before_the_server_is_not_refused(mut bus: impl Bus) {
    let (id, epochs) = begun(&mut bus).await;
    bus.again(at(10_000), session(2), id).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [], "a wish ends no match");
    bus.part(at(10_100), session(1), id, Leave::End).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [over(id, MatchEnd::Left, false)]);
    bus.again(at(11_000), session(1), id).await.unwrap().unwrap();
    let told = news(&mut bus, 2, epochs[1]).await;
    let anew = matches(&told)[0].id;
    assert_eq!(told.last(), Some(&Event::Begun(Match { id: anew })), "the wish was kept");
    news(&mut bus, 1, epochs[0]).await;

    for number in [1, 2] {
        bus.again(at(15_000), session(number), anew).await.unwrap().unwrap();
    }
    let both = bus.again(at(15_000), session(3), anew).await;
    assert_eq!(both, Ok(Err(Denied::NoSuchMatch)), "a third one wants in vain");
    bus.part(at(15_100), session(1), anew, Leave::End).await.unwrap().unwrap();
    let told = news(&mut bus, 1, epochs[0]).await;
    let anew = matches(&told)[0].id;
    assert_eq!(told.last(), Some(&Event::Begun(Match { id: anew })), "both wishes came before the leave");
    news(&mut bus, 2, epochs[1]).await;

    for number in [1, 2] {
        bus.again(at(19_000), session(number), anew).await.unwrap().unwrap();
    }
    bus.seek(at(20_000), session(2), seeking(7)).await.unwrap().unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [over(anew, MatchEnd::Left, false)], "who searches on has left");
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "and is in the line, whatever was wished before");
    bus.part(at(20_100), session(1), anew, Leave::Block).await.unwrap().unwrap();
    assert_eq!(bus.again(at(20_200), session(2), anew).await, Ok(Err(Denied::NoSuchMatch)), "and may be blocked still");
    bus.seek(at(20_200 + APART_MS), session(2), seeking(8)).await.unwrap().unwrap();
    bus.seek(at(20_200 + APART_MS), session(1), seeking(9)).await.unwrap().unwrap();
    bus.expire(at(20_200 + APART_MS + INTERESTS_MS)).await.unwrap();
    assert_eq!((news(&mut bus, 1, epochs[0]).await, news(&mut bus, 2, epochs[1]).await), (vec![], vec![]));
}

async fn a_blocked_address_is_not_met_again_today(mut bus: impl Bus) {
    let (id, epochs) = begun(&mut bus).await;
    bus.part(START, session(1), id, Leave::Block).await.unwrap().unwrap();
    assert_eq!(bus.again(START, session(2), id).await, Ok(Err(Denied::NoSuchMatch)));
    bus.end(session(2), epochs[1]).await.unwrap();
    let anew = guest(&mut bus, 7).await;
    let later = at(APART_MS * 2);
    seek(&mut bus, later, 1).await;
    bus.seek(later, session(7), Seeking { from: [2; 16], ..seeking(7) }).await.unwrap().unwrap();
    bus.expire(later).await.unwrap();
    assert_eq!(news(&mut bus, 7, anew).await, [], "a new session of the same address is no other");
    let third = guest(&mut bus, 3).await;
    seek(&mut bus, later, 3).await;
    assert!(matched(&mut bus, 3, third).await.is_some());

    let house = [guest(&mut bus, 21).await, guest(&mut bus, 22).await];
    let same = |number| Seeking { from: [9; 16], pool: Pool { media: Media::Video, ..POOL }, ..seeking(number) };
    for number in [21, 22] {
        bus.seek(later, session(number), same(number)).await.unwrap().unwrap();
    }
    let id = matched(&mut bus, 21, house[0]).await.unwrap();
    bus.part(later, session(21), id, Leave::Block).await.unwrap().unwrap();
    guest(&mut bus, 23).await;
    bus.seek(later, session(23), same(23)).await.unwrap().unwrap();
    let told = news(&mut bus, 22, house[1]).await;
    assert_eq!(matches(&told).len(), 2, "a house that blocks one of its own goes on");
}

async fn interests_come_first_and_then_anybody(mut bus: impl Bus) {
    let mut epochs = Vec::new();
    for number in 1..=6 {
        epochs.push(guest(&mut bus, number).await);
    }
    bus.seek(START, session(1), liking(1, &[1, 2, 3])).await.unwrap().unwrap();
    bus.seek(at(1), session(2), liking(2, &[7])).await.unwrap().unwrap();
    bus.seek(at(2), session(3), seeking(3)).await.unwrap().unwrap();
    bus.seek(at(3), session(4), liking(4, &[9, 3, 2])).await.unwrap().unwrap();
    let mine = matches(&news(&mut bus, 4, epochs[3]).await);
    assert_eq!(mine[0].common, [InterestTag([3; 16]), InterestTag([2; 16])]);
    assert!(matched(&mut bus, 1, epochs[0]).await.is_some());
    assert_eq!(news(&mut bus, 2, epochs[1]).await, []);
    bus.expire(at(INTERESTS_MS)).await.unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "not yet");
    bus.expire(at(INTERESTS_MS + 1)).await.unwrap();
    assert_eq!(matched(&mut bus, 2, epochs[1]).await, matched(&mut bus, 3, epochs[2]).await);
    bus.seek(at(6_000), session(5), seeking(5)).await.unwrap().unwrap();
    bus.seek(at(6_000), session(6), seeking(6)).await.unwrap().unwrap();
    assert!(matched(&mut bus, 5, epochs[4]).await.is_some(), "who has no wishes need not wait");
}

async fn a_search_without_its_socket_waits_and_keeps_its_place(mut bus: impl Bus) {
    let first = guest(&mut bus, 1).await;
    seek(&mut bus, START, 1).await;
    bus.detach(at(10), session(1), first).await.unwrap();
    let second = guest(&mut bus, 2).await;
    seek(&mut bus, at(20), 2).await;
    assert_eq!(news(&mut bus, 2, second).await, [], "nobody is matched with a socket that is gone");
    let back = bus.attach(at(1_000), session(1), &secret(1), Seq(0)).await.unwrap().unwrap().epoch;
    assert_eq!(matched(&mut bus, 1, back).await, matched(&mut bus, 2, second).await);
    guest(&mut bus, 3).await;
    seek(&mut bus, at(1_000), 3).await;
    let third = bus.attach(at(1_001), session(3), &secret(3), Seq(0)).await.unwrap().unwrap().epoch;
    bus.detach(at(1_002), session(3), third).await.unwrap();
    bus.expire(at(1_002 + RESUME_MS)).await.unwrap();
    let fourth = guest(&mut bus, 4).await;
    seek(&mut bus, at(1_002 + RESUME_MS), 4).await;
    assert_eq!(news(&mut bus, 4, fourth).await, [], "a lapsed session searches for nobody");
}

async fn a_search_ends_in_time_or_when_it_is_taken_back(mut bus: impl Bus) {
    let epochs = [guest(&mut bus, 1).await, guest(&mut bus, 2).await];
    seek(&mut bus, START, 1).await;
    bus.expire(at(SEEK_MS - 1)).await.unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, []);
    bus.expire(at(SEEK_MS)).await.unwrap();
    assert_eq!(news(&mut bus, 1, epochs[0]).await, [Event::NobodyThere(Ticket { ticket: TicketId([1; 16]) })]);
    seek(&mut bus, at(SEEK_MS), 1).await;
    bus.unseek(session(1), Ticket { ticket: TicketId([9; 16]) }).await.unwrap();
    bus.unseek(session(2), Ticket { ticket: TicketId([1; 16]) }).await.unwrap();
    bus.unseek(session(1), Ticket { ticket: TicketId([1; 16]) }).await.unwrap();
    seek(&mut bus, at(SEEK_MS), 2).await;
    assert_eq!(news(&mut bus, 2, epochs[1]).await, []);
    seek(&mut bus, at(SEEK_MS), 1).await;
    assert!(matched(&mut bus, 2, epochs[1]).await.is_some());
}

async fn bytes_go_to_the_other_one_of_a_match_that_began(mut bus: impl Bus) {
    let (id, epochs) = pair(&mut bus).await;
    let envelope = |byte| StrangerEnvelope { id, class: Class::Connect, bytes: vec![byte; 256].into() };
    assert_eq!(bus.hand_stranger(session(1), envelope(1)).await, Ok(Err(Denied::NotBegun)));
    for number in [1, 2] {
        bus.consent(START, session(number), id).await.unwrap().unwrap();
        news(&mut bus, number, epochs[usize::from(number) - 1]).await;
    }
    bus.hand_stranger(session(1), envelope(1)).await.unwrap().unwrap();
    let sealed = StrangerDelivered { id, class: Class::Connect, bytes: vec![1; 256].into() };
    assert_eq!(news(&mut bus, 2, epochs[1]).await.last(), Some(&Event::StrangerSealed(sealed)));
    guest(&mut bus, 3).await;
    assert_eq!(bus.hand_stranger(session(3), envelope(3)).await, Ok(Err(Denied::NoSuchMatch)));
    bus.part(START, session(2), id, Leave::End).await.unwrap().unwrap();
    assert_eq!(bus.hand_stranger(session(1), envelope(1)).await, Ok(Err(Denied::NoSuchMatch)));
}

async fn who_is_gone_leaves_its_match(mut bus: impl Bus) {
    let (id, epochs) = begun(&mut bus).await;
    bus.detach(START, session(1), epochs[0]).await.unwrap();
    bus.expire(at(RESUME_MS - 1)).await.unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [], "a socket may come back");
    bus.expire(at(RESUME_MS)).await.unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [over(id, MatchEnd::Lost, false)]);
    let third = guest(&mut bus, 3).await;
    seek(&mut bus, at(RESUME_MS), 2).await;
    seek(&mut bus, at(RESUME_MS), 3).await;
    let id = matched(&mut bus, 2, epochs[1]).await.unwrap();
    bus.end(session(3), third).await.unwrap();
    assert_eq!(news(&mut bus, 2, epochs[1]).await, [over(id, MatchEnd::Unwanted, true)]);
}

async fn a_complaint_needs_a_match_and_counts_once(mut bus: impl Bus) {
    let epochs = [guest(&mut bus, 1).await, guest(&mut bus, 2).await];
    seek(&mut bus, START, 1).await;
    seek(&mut bus, START, 2).await;
    let told = matches(&news(&mut bus, 1, epochs[0]).await);
    let token = told[0].report.to_vec();
    for number in 0..10_000_u32 {
        let mut forged = token.clone();
        let at = number as usize % forged.len();
        forged[at] ^= 1 + (number / forged.len() as u32 % 255) as u8;
        assert_eq!(bus.report(START, &forged, Reason::Spam, &[]).await, Ok(Err(Denied::Forged)));
    }
    assert_eq!(bus.report(START, &token[..20], Reason::Spam, &[]).await, Ok(Err(Denied::Forged)));
    assert_eq!(bus.radar(START).await.unwrap().reports_today, [0; 6]);
    for _ in 0..3 {
        assert_eq!(bus.report(START, &token, Reason::Spam, &[]).await, Ok(Ok(())));
    }
    assert_eq!(bus.radar(START).await.unwrap().reports_today, [0, 1, 0, 0, 0, 0]);
    assert_eq!(bus.report(at(86_400_000), &token, Reason::Spam, &[]).await, Ok(Err(Denied::Forged)), "of another day");
}

/// A key and what it signs, as a phone does it.
struct Pen(ring::signature::Ed25519KeyPair);

impl Pen {
    fn new(seed: u8) -> Self {
        Self(ring::signature::Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn public(&self) -> Option<IdentityKey> {
        use ring::signature::KeyPair as _;
        Some(IdentityKey(self.0.public_key().as_ref().try_into().unwrap()))
    }

    fn shows(&self, id: &MatchId, number: u64, words: &str) -> Shown {
        let text = Text::parse(words).unwrap();
        let frank = Frank(self.0.sign(&franked(id, number, &text)).as_ref().try_into().unwrap());
        Shown { number, text, frank }
    }
}

async fn a_complaint_shows_only_what_the_other_one_signed(mut bus: impl Bus) {
    let (ada, bob) = (Pen::new(1), Pen::new(2));
    let epochs = [guest(&mut bus, 1).await, guest(&mut bus, 2).await];
    for (number, pen) in [(1, &ada), (2, &bob)] {
        let seeking = Seeking { frank: pen.public(), ..seeking(number) };
        bus.seek(START, session(number), seeking).await.unwrap().unwrap();
    }
    let told = matches(&news(&mut bus, 1, epochs[0]).await);
    assert_eq!((told[0].frank, told.len()), (bob.public(), 1));
    let (id, token) = (told[0].id, told[0].report.to_vec());
    let said = bob.shows(&id, 3, "what bob said");
    let other = MatchId([9; 16]);
    let text = |words: &str| Text::parse(words).unwrap();
    let mut forged = vec![
        ada.shows(&id, 3, "what bob said"),
        bob.shows(&other, 3, "what bob said"),
        Shown { number: 4, ..said.clone() },
        Shown { text: text("what bob did not say"), ..said.clone() },
        Shown { frank: Frank([0; 64]), ..said.clone() },
    ];
    for number in 0..10_000_u32 {
        let mut frank = said.frank;
        frank.0[number as usize % 64] ^= 1 + (number / 64 % 255) as u8;
        forged.push(Shown { frank, ..said.clone() });
    }
    for shown in forged {
        let with_one_true = [said.clone(), shown];
        assert_eq!(bus.report(START, &token, Reason::Abuse, &with_one_true).await, Ok(Err(Denied::Forged)));
    }
    assert_eq!(bus.radar(START).await.unwrap().reports_today, [0; 6]);
    assert_eq!(bus.report(START, &token, Reason::Abuse, std::slice::from_ref(&said)).await, Ok(Ok(())));
    // Who searched without a key signed nothing, whatever is shown.
    let mut bus_of = bus;
    let epochs = [guest(&mut bus_of, 3).await, guest(&mut bus_of, 4).await];
    seek(&mut bus_of, START, 3).await;
    seek(&mut bus_of, START, 4).await;
    let token = matches(&news(&mut bus_of, 3, epochs[0]).await)[0].report.to_vec();
    let low = Shown { frank: Frank([0; 64]), ..said };
    assert_eq!(bus_of.report(START, &token, Reason::Abuse, &[low]).await, Ok(Err(Denied::Forged)));
}

async fn counts_are_of_what_is(mut bus: impl Bus) {
    let (id, _) = begun(&mut bus).await;
    guest(&mut bus, 3).await;
    let voice = Pool { media: Media::Voice, ..POOL };
    bus.seek(START, session(3), Seeking { pool: voice, ..seeking(3) }).await.unwrap().unwrap();
    let radar = bus.radar(START).await.unwrap();
    assert_eq!((radar.active, radar.visitors_today), (3, 3));
    assert_eq!((radar.pools[0].waiting, radar.pools[0].matched, radar.pools[1].waiting), (0, 1, 1));
    bus.part(at(30_000), session(1), id, Leave::Skip).await.unwrap().unwrap();
    let radar = bus.radar(at(30_000)).await.unwrap();
    let minutes = radar.pools[0].minutes.iter();
    let sum = minutes.fold((0, 0, 0), |sum, one| (sum.0 + one.matches, sum.1 + one.skips, sum.2 + one.lengths[1]));
    assert_eq!((radar.active, sum), (1, (1, 1, 1)));
}

async fn who_searches_too_often_is_suspected(mut bus: impl Bus) {
    guest(&mut bus, 1).await;
    guest(&mut bus, 2).await;
    let mut seen = Suspicion::default();
    for number in 0..100 {
        let suspicion = bus.suspicion(START, session(1), [1; 16]).await.unwrap();
        assert!(suspicion.bits >= seen.bits && suspicion.shadow >= seen.shadow, "it does not go back by itself");
        seen = suspicion;
        bus.seek(START, session(1), seeking(number)).await.unwrap().unwrap();
    }
    assert!(seen.shadow && seen.bits == 20 && seen.barred_ms > 0, "{seen:?}");
    assert_eq!(bus.suspicion(START, session(2), [2; 16]).await, Ok(Suspicion::default()));
    bus.expire(at(86_400_000 * 2)).await.unwrap();
    assert_eq!(bus.suspicion(at(86_400_000 * 2), session(1), [1; 16]).await, Ok(Suspicion::default()));
}

/// Two search, are put together, and begin.
async fn begin(bus: &mut impl Bus, now: Now, first: u8, then: (u8, Seeking)) -> MatchId {
    let epoch = guest(bus, first).await;
    seek(bus, now, first).await;
    bus.seek(now, session(then.0), then.1).await.unwrap().unwrap();
    let id = matched(bus, first, epoch).await.expect("there are only these two");
    for number in [first, then.0] {
        bus.consent(now, session(number), id).await.unwrap().unwrap();
    }
    id
}

/// Somebody whom machines leave at once searches as often as they do, and every other time before the server hears of it.
async fn who_is_left_at_once_is_not_suspected(mut bus: impl Bus) {
    guest(&mut bus, 1).await;
    let (mut now, mut late) = (START, None);
    for number in 2..60 {
        now = at(u64::from(number) * 100);
        let again = Seeking { from: [1; 16], ..seeking(number) };
        let id = begin(&mut bus, now, number, (1, again)).await;
        if let Some((leaver, id)) = late.take() {
            bus.part(now, session(leaver), id, Leave::Skip).await.unwrap().unwrap();
        }
        match number % 2 {
            0 => late = Some((number, id)),
            _ => bus.part(now, session(number), id, Leave::Skip).await.unwrap().unwrap(),
        }
    }
    assert_eq!(bus.suspicion(now, session(1), [1; 16]).await, Ok(Suspicion::default()));
}

async fn who_searches_on_instead_of_leaving_is_not_let_off(mut bus: impl Bus) {
    guest(&mut bus, 1).await;
    for number in 2..12 {
        let now = at(u64::from(number) * 100);
        begin(&mut bus, now, number, (1, Seeking { from: [201; 16], ..seeking(number) })).await;
    }
    // Ten searches alone cost nothing.
    assert_eq!(bus.suspicion(at(1_200), session(1), [201; 16]).await, Ok(Suspicion::default()));
    bus.expire(at(1_200 + AGAIN_MS)).await.unwrap();
    assert_eq!(bus.suspicion(at(1_200 + AGAIN_MS), session(1), [201; 16]).await.unwrap().bits, 16);
}
