//! Strangers at the desk: whom it matches, whom it slows down, and that nobody is in two matches.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use common::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::Class;
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use sidetone_wire::limits::*;
use sidetone_wire::stranger::*;
use zeroize::Zeroizing;

fn seek(number: u64, proof: Option<u64>) -> Request {
    let mut ticket = TicketId([0; 16]);
    ticket.0[..8].copy_from_slice(&number.to_be_bytes());
    Request::Seek(Seek { ticket, media: Media::Text, interests: Vec::new(), adult: false, proof, frank: None })
}

fn address(number: usize) -> IpAddr {
    let [.., high, low] = (number as u32).to_be_bytes();
    Ipv4Addr::new(203, 0, high, low).into()
}

/// A phone without an account at an address.
fn guest(world: &mut World, number: usize) -> Phone {
    let mut phone = Phone::new(&format!("guest{number}"));
    connect(world, &mut phone, number);
    phone
}

/// Opens a socket from an address; gives whether the session went on.
fn connect(world: &mut World, phone: &mut Phone, number: usize) -> bool {
    let socket = world.connect_from(address(number));
    phone.socket = Some(socket);
    world.feed(socket, &Frame::Hello(phone.hello()).to_bytes().unwrap());
    let Some(Frame::Welcome(welcome)) = world.inboxes[&socket].frames.first().cloned() else { panic!("no welcome") };
    if !welcome.resumed {
        phone.last = 0;
    }
    phone.session = Some((welcome.session, welcome.secret));
    welcome.resumed
}

fn work(challenge: &Challenge, number: u64) -> u64 {
    let mut ticket = [0; 16];
    ticket[..8].copy_from_slice(&number.to_be_bytes());
    let begins = |proof: &u64| {
        let all = [&challenge.seed[..], &ticket, &proof.to_be_bytes()].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &all);
        u32::from_be_bytes(digest.as_ref()[..4].try_into().unwrap()).leading_zeros() >= u32::from(challenge.bits)
    };
    (0..).find(begins).unwrap()
}

fn the_match(events: &[Event]) -> Option<Matched> {
    let matched = |event: &Event| match event {
        Event::Matched(matched) => Some(matched.clone()),
        _ => None,
    };
    events.iter().find_map(matched)
}

#[test]
fn two_guests_meet_talk_and_part() {
    let secret = Zeroizing::new(b"shared".to_vec());
    let relays = Some(RelayTerms { urls: vec!["turn:192.0.2.1:3478".into()], secret });
    let mut world = World::with(DeskConfig { relays, ..roomy() }, SqliteStore::in_memory().unwrap());
    let (mut ada, mut bob) = (guest(&mut world, 1), guest(&mut world, 2));
    let mut curious = guest(&mut world, 3);
    let mut counted = |world: &mut World| curious.ask(world, Request::Lobby(Empty::default()));
    for (before, phone) in [&mut ada, &mut bob].into_iter().enumerate() {
        assert_eq!(counted(&mut world), Ok(Reply::Lobby(Lobby { active: before as u64 })));
        phone.ask(&mut world, seek(7, None)).unwrap();
    }
    assert_eq!(counted(&mut world), Ok(Reply::Lobby(Lobby { active: 2 })));
    let id = the_match(&ada.news(&mut world)).unwrap().id;
    assert_eq!(the_match(&bob.news(&mut world)).unwrap().id, id);
    assert_eq!(ada.ask(&mut world, Request::StrangerRelays(Match { id })), Err(Code::NotBegun));
    for phone in [&mut ada, &mut bob] {
        phone.ask(&mut world, Request::Consent(Match { id })).unwrap();
    }
    let envelope = |bytes: usize| {
        Request::RouteStranger(StrangerEnvelope { id, class: Class::Connect, bytes: vec![7; bytes].into() })
    };
    assert_eq!(ada.ask(&mut world, envelope(255)), Err(Code::Malformed));
    assert_eq!(ada.ask(&mut world, envelope(ENVELOPE_BYTES + 1)), Err(Code::TooLarge));
    ada.ask(&mut world, envelope(1_024)).unwrap();
    assert!(matches!(bob.news(&mut world)[..], [Event::Begun(_), Event::StrangerSealed(_)]));
    let Ok(Reply::Relays(relays)) = bob.ask(&mut world, Request::StrangerRelays(Match { id })) else { panic!() };
    bob.ask(&mut world, Request::Part(Part { id, how: Leave::End })).unwrap();
    let cut = world.desk.revoked();
    assert!(relays.username.contains(cut[0].as_str()), "after the match nothing is relayed for it");
    assert_eq!(ada.ask(&mut world, envelope(1_024)), Err(Code::NoSuchMatch));
    assert_eq!(ada.ask(&mut world, Request::StrangerRelays(Match { id })), Err(Code::NoSuchMatch));
    assert_eq!(counted(&mut world), Ok(Reply::Lobby(Lobby { active: 0 })));
}

#[test]
fn what_makes_no_sense_is_refused_and_the_lobby_stays_open() {
    let mut world = World::new();
    let mut ada = guest(&mut world, 1);
    let bad = |media, interests: usize| {
        let interests = vec![InterestTag([1; 16]); interests];
        Request::Seek(Seek { ticket: TicketId([1; 16]), media, interests, adult: false, proof: None, frank: None })
    };
    let id = MatchId([9; 16]);
    for (request, code) in [
        (bad(Media::Unknown, 0), Code::Malformed),
        (bad(Media::Text, INTERESTS + 1), Code::Malformed),
        (Request::Consent(Match { id }), Code::NoSuchMatch),
        (Request::Again(Match { id }), Code::NoSuchMatch),
        (Request::Part(Part { id, how: Leave::Skip }), Code::NoSuchMatch),
        (Request::Part(Part { id, how: Leave::Unknown }), Code::Malformed),
        (
            Request::Report(Report { token: vec![0; 90].into(), reason: Reason::Bot, shown: Vec::new() }),
            Code::ForgedReport,
        ),
        (Request::Report(Report { token: vec![].into(), reason: Reason::Unknown, shown: Vec::new() }), Code::Malformed),
    ] {
        assert_eq!(ada.ask(&mut world, request.clone()), Err(code), "{request:?}");
    }
    ada.ask(&mut world, bad(Media::Text, INTERESTS)).unwrap();
}

#[test]
fn a_space_for_adults_asks_and_others_do_not_mix() {
    let mut world = World::with(DeskConfig { adults_only: true, ..roomy() }, SqliteStore::in_memory().unwrap());
    let mut ada = guest(&mut world, 1);
    assert_eq!(ada.ask(&mut world, seek(1, None)), Err(Code::AdultsOnly));
    let Request::Seek(minor) = seek(1, None) else { unreachable!() };
    ada.ask(&mut world, Request::Seek(Seek { adult: true, ..minor })).unwrap();
}

#[test]
fn who_searches_like_a_machine_has_to_work_and_then_to_wait() {
    let mut world = World::new();
    let mut ada = guest(&mut world, 1);
    let mut worked = BTreeSet::new();
    for number in 0.. {
        match ada.ask(&mut world, seek(number, None)) {
            Ok(Reply::Done(_)) => assert!(worked.is_empty(), "the work does not get less"),
            Ok(Reply::Prove(challenge)) => {
                let first = worked.insert(challenge.bits);
                // The other searches only have to heat it up: 20 bits a hundred times would take a while.
                let right = work(&challenge, number);
                if first {
                    let wrong = (0..).find(|wrong| work(&challenge, number) != *wrong).unwrap();
                    assert_eq!(ada.ask(&mut world, seek(number, Some(wrong))), Err(Code::WrongProof));
                    assert_eq!(ada.ask(&mut world, seek(number + 500, Some(right))), Err(Code::WrongProof));
                }
                assert!(matches!(ada.ask(&mut world, seek(number, Some(right))), Ok(Reply::Done(_))));
                if worked.len() == 2 {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(worked.into_iter().collect::<Vec<_>>(), [16, 20]);
}

/// Searches, and does the work for it, until there were so many; gives the next one with its question.
fn searched(world: &mut World, phone: &mut Phone, media: Media, many: u64) -> (u64, Challenge) {
    let seek = |number, proof| match seek(number, proof) {
        Request::Seek(seek) => Request::Seek(Seek { media, ..seek }),
        _ => unreachable!(),
    };
    let mut times = 0;
    for number in 0.. {
        match phone.ask(world, seek(number, None)) {
            Ok(Reply::Done(_)) => times += 1,
            Ok(Reply::Prove(challenge)) if times >= many => return (number, challenge),
            Ok(Reply::Prove(challenge)) => {
                let proof = work(&challenge, number);
                assert!(matches!(phone.ask(world, seek(number, Some(proof))), Ok(Reply::Done(_))));
                times += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

#[test]
fn work_for_a_question_that_is_too_old_or_was_another_ones_counts_for_nothing() {
    let mut world = World::new();
    let (mut ada, mut bob) = (guest(&mut world, 1), guest(&mut world, 2));
    // Each in a pool of its own, so that they do not meet; hot enough to be asked for work in two minutes too.
    let (number, challenge) = searched(&mut world, &mut ada, Media::Text, 27);
    searched(&mut world, &mut bob, Media::Voice, 0);
    let proof = work(&challenge, number);
    assert_eq!(bob.ask(&mut world, seek(number, Some(proof))), Err(Code::WrongProof), "another phone's");
    // The question is not good any more after two minutes; who asks again gets another.
    world.live(120_000, &[&ada, &bob]);
    assert_eq!(ada.ask(&mut world, seek(number, Some(proof))), Err(Code::WrongProof));
    assert!(matches!(ada.ask(&mut world, seek(number, None)), Ok(Reply::Prove(again)) if again.seed != challenge.seed));
}

/// Who comes back at its own pace, does a while of what it does, and is asked for work, sent into the shadow or barred.
struct Habit {
    /// Between two searches.
    every_ms: u64,
    /// How long it stays in a match.
    stays_ms: u64,
}

#[test]
fn fifty_machines_are_stopped_and_two_hundred_people_are_not() {
    let people = Habit { every_ms: 20_000, stays_ms: 15_000 };
    let machines = Habit { every_ms: 2_000, stays_ms: 500 };
    let mut bus = LocalBus::new([1; 32]);
    let mut dice = ChaCha20Rng::seed_from_u64(5);
    let habit = |who: usize| if who < 200 { &people } else { &machines };
    let session = |who: usize| SessionId((who as u128 + 1).to_be_bytes());
    let from = |who: usize| (who as u128 + 1_000).to_be_bytes();
    let mut now = START;
    let open = |who| ready(bus.open(now, session(who), Secret([0; 32]))).unwrap();
    let epochs: Vec<_> = (0..250).map(open).collect();
    let mut next: Vec<u64> = (0..250).map(|_| now.ticks_ms + u64::from(dice.next_u32() % 20_000)).collect();
    let (mut troubled, mut stopped) = (BTreeSet::new(), BTreeSet::new());
    let mut leaving: BTreeMap<u64, Vec<(usize, MatchId)>> = BTreeMap::new();
    for round in 0..6_000_u64 {
        now.ticks_ms += 100;
        now.unix_ms += 100;
        for (who, next) in next.iter_mut().enumerate() {
            if *next > now.ticks_ms {
                continue;
            }
            *next = now.ticks_ms + habit(who).every_ms * u64::from(50 + dice.next_u32() % 100) / 100;
            let suspicion = ready(bus.suspicion(now, session(who), from(who))).unwrap();
            if suspicion != Suspicion::default() {
                troubled.insert(who);
            }
            if suspicion.shadow || suspicion.barred_ms > 0 {
                stopped.insert(who);
            }
            if suspicion.barred_ms == 0 {
                let pool = Pool { media: Media::Text, adult: false, shadow: suspicion.shadow };
                let ticket = TicketId(u128::from(round << 16 | who as u64).to_be_bytes());
                let seeking = Seeking { ticket, pool, interests: Vec::new(), from: from(who), frank: None };
                let _ = ready(bus.seek(now, session(who), seeking)).unwrap();
            }
        }
        for (who, epoch) in epochs.iter().enumerate() {
            for event in events(&mut bus, session(who), *epoch) {
                if let Event::Matched(matched) = event {
                    ready(bus.consent(now, session(who), matched.id)).unwrap().unwrap();
                    leaving.entry(now.ticks_ms + habit(who).stays_ms).or_default().push((who, matched.id));
                }
            }
        }
        while let Some(first) = leaving.first_entry().filter(|first| *first.key() <= now.ticks_ms) {
            for (who, id) in first.remove() {
                let _ = ready(bus.part(now, session(who), id, Leave::Skip)).unwrap();
            }
        }
        if round % 10 == 0 {
            ready(bus.expire(now)).unwrap();
        }
    }
    let (humans, bots) = (troubled.range(..200).count(), stopped.range(200..).count());
    assert!(humans <= 2, "{humans} of 200 people were troubled in ten minutes");
    assert!(bots >= 48, "{bots} of 50 machines were stopped");
}

/// Takes what a session was told.
fn events(bus: &mut LocalBus, session: SessionId, epoch: Epoch) -> Vec<Event> {
    let replay = ready(bus.replay(session, epoch, Seq(0), usize::MAX)).unwrap();
    if let Some((last, _)) = replay.events.last() {
        ready(bus.ack(session, epoch, *last)).unwrap();
    }
    replay.events.iter().map(|(_, event)| sidetone_wire::decode(event, FRAME_BYTES).unwrap()).collect()
}

/// A client and what it believes.
struct Client {
    number: usize,
    phone: Phone,
    searches: bool,
    matched: Option<(MatchId, bool)>,
}

struct Crowd {
    world: World,
    clients: Vec<Client>,
    dice: ChaCha20Rng,
    tickets: u64,
    /// Who was told of which match.
    told: BTreeMap<MatchId, Vec<(usize, SessionId)>>,
    /// When two sessions parted.
    parted: BTreeMap<(SessionId, SessionId), u64>,
    ended: BTreeMap<MatchId, u64>,
    /// Who of a match wants the other one again.
    wishes: BTreeMap<MatchId, BTreeSet<usize>>,
    began: usize,
}

impl Crowd {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = World::new();
        let client = |number| Client { number, phone: guest(&mut world, number), searches: false, matched: None };
        let clients = (0..count).map(client).collect();
        let (told, parted, ended, wishes) = Default::default();
        let dice = ChaCha20Rng::seed_from_u64(seed);
        Self { world, clients, dice, tickets: 0, told, parted, ended, wishes, began: 0 }
    }

    fn within(&mut self, count: usize) -> usize {
        self.dice.next_u32() as usize % count
    }

    fn listen(&mut self, who: usize) {
        let now = self.world.now.ticks_ms;
        let client = &mut self.clients[who];
        let session = client.phone.session.as_ref().map(|(session, _)| *session);
        for event in client.phone.news(&mut self.world) {
            match event {
                Event::Matched(matched) => {
                    assert_eq!(client.matched, None, "in two matches at once");
                    client.matched = Some((matched.id, false));
                    client.searches = false;
                    let told = self.told.entry(matched.id).or_default();
                    told.push((client.number, session.unwrap()));
                    assert!(told.len() <= 2, "a match of three");
                    if let [(one, first), (other, second)] = told[..] {
                        assert_ne!(one, other, "matched with itself");
                        let pair = if first < second { (first, second) } else { (second, first) };
                        let before = self.parted.get(&pair);
                        assert!(before.is_none_or(|at| at + APART_MS <= now + 1_000), "just parted");
                    }
                }
                Event::Begun(begun) => {
                    assert_eq!(client.matched, Some((begun.id, false)), "a match begins once");
                    client.matched = Some((begun.id, true));
                    self.began += 1;
                }
                Event::MatchOver(over) => {
                    assert_eq!(client.matched.map(|(id, _)| id), Some(over.id), "another match is over");
                    client.matched = None;
                    client.searches = over.waiting;
                    self.ended.entry(over.id).or_insert(now);
                }
                Event::NobodyThere(_) => client.searches = false,
                other => panic!("{other:?}"),
            }
        }
    }

    fn over(&mut self, id: MatchId) {
        let now = self.world.now.ticks_ms;
        self.ended.entry(id).or_insert(now);
        if self.wishes.get(&id).is_some_and(|wishes| wishes.len() == 2) {
            return;
        }
        if let Some([(_, one), (_, other)]) = self.told.get(&id).map(|told| &told[..]) {
            let pair = if one < other { (*one, *other) } else { (*other, *one) };
            self.parted.insert(pair, now);
        }
    }

    fn happen(&mut self) {
        let who = self.within(self.clients.len());
        if self.clients[who].phone.socket.is_none() {
            let client = &mut self.clients[who];
            if !connect(&mut self.world, &mut client.phone, client.number) {
                (client.matched, client.searches) = (None, false);
                client.phone.events.clear();
            }
            return self.listen(who);
        }
        self.listen(who);
        match (self.within(20), self.clients[who].matched) {
            (0, _) => self.clients[who].phone.drop_socket(&mut self.world),
            (1, _) => {
                let client = &mut self.clients[who];
                client.phone.drop_socket(&mut self.world);
                client.phone.session = None;
                (client.matched, client.searches) = (None, false);
            }
            (2, _) => {
                let client = &mut self.clients[who];
                let socket = client.phone.socket.take().unwrap();
                self.world.goodbye(socket);
                client.phone.session = None;
                if let Some((id, _)) = client.matched.take() {
                    self.over(id);
                }
                self.clients[who].searches = false;
            }
            (_, None) => self.search(who),
            (3..=14, Some((id, false))) => {
                let answer = self.clients[who].phone.ask(&mut self.world, Request::Consent(Match { id }));
                assert!(matches!(answer, Ok(_) | Err(Code::NoSuchMatch)), "{answer:?}");
                self.listen(who);
            }
            (15..=17, Some((id, _))) => {
                let how = [Leave::Skip, Leave::End][self.within(2)];
                let answer = self.clients[who].phone.ask(&mut self.world, Request::Part(Part { id, how }));
                if answer.is_ok() {
                    self.clients[who].matched = None;
                    self.over(id);
                }
            }
            (_, Some((id, true))) => {
                // Said before the end, it counts after it if both say so.
                let wish = self.clients[who].phone.ask(&mut self.world, Request::Again(Match { id }));
                if wish.is_ok() {
                    self.wishes.entry(id).or_default().insert(who);
                }
            }
            _ => {}
        }
    }

    fn search(&mut self, who: usize) {
        self.tickets += 1;
        let client = &mut self.clients[who];
        if client.searches {
            return;
        }
        match client.phone.ask(&mut self.world, seek(self.tickets, None)) {
            Ok(Reply::Done(_)) => client.searches = true,
            Ok(Reply::Prove(_)) | Err(Code::Barred) => {}
            other => panic!("{other:?}"),
        }
        self.listen(who);
    }
}

#[test]
fn five_hundred_clients_come_go_and_crash_and_nobody_is_in_two_matches() {
    let mut crowd = Crowd::new(3, 500);
    for step in 0..40_000 {
        crowd.happen();
        if step % 100 == 0 {
            crowd.world.pass(1_000);
        }
    }
    assert!(crowd.began > 1_000, "the test is about matches: {}", crowd.began);
    // In the end both of every match see it, or neither does.
    for who in 0..500 {
        if crowd.clients[who].phone.socket.is_none() {
            let client = &mut crowd.clients[who];
            if !connect(&mut crowd.world, &mut client.phone, client.number) {
                (client.matched, client.searches) = (None, false);
                client.phone.events.clear();
            }
        }
        crowd.listen(who);
    }
    for _ in 0..RESUME_MS / 15_000 + 1 {
        crowd.world.pass(15_000);
        for who in 0..500 {
            crowd.listen(who);
        }
    }
    let mut sides: BTreeMap<MatchId, usize> = BTreeMap::new();
    for client in &crowd.clients {
        if let Some((id, begun)) = client.matched {
            assert!(begun, "no match waits for ever");
            *sides.entry(id).or_default() += 1;
        }
    }
    assert!(sides.values().all(|count| *count == 2), "a match has two sides");
    assert!(!sides.is_empty());
}
