//! A server that knows every account and every byte, and does what it likes. Each attack comes to nothing, and each
//! "nothing" is looked for in a way that finds something when there is something.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proving::puppet::Puppet;
use proving::world::World;
use sidetone_engine::{
    CallState, Command, EndReason, LinkId, News, Password, PeerId, Reach, Route, Standing, Verified,
};
use sidetone_wire::account::{Empty, Person, Request};
use sidetone_wire::connect::{Address, Candidate, CandidateKind, Description, IceToken};
use sidetone_wire::envelope::{Class, Sealed};
use sidetone_wire::frame::{Announcement, Delivered, Event, Frame};
use sidetone_wire::id::{CallId, Fingerprint, IdentityKey, KeyBytes, PairingId, UserId};
use sidetone_wire::record::{self, CallWord, Ended, MediaKey, Record, Why, Word};
use zeroize::Zeroizing;

fn friends() -> World {
    World::friends(23)
}

fn user(world: &World, phone: usize) -> UserId {
    world.phones[phone].user().expect("an account")
}

fn rings(world: &World, phone: usize) -> bool {
    world.state(phone) == Some(CallState::Ringing)
}

/// How often a phone's app was told of a call that rings.
fn rang(world: &World, phone: usize) -> usize {
    let ringing = |event: &sidetone_engine::Event| matches!(event, sidetone_engine::Event::Call(view) if view.state == CallState::Ringing);
    world.phones[phone].events.iter().filter(|(_, event)| ringing(event)).count()
}

#[test]
fn the_server_reads_no_text_and_no_password_and_no_key() {
    let mut world = World::new(3, 2);
    world.register(0, "ada");
    world.register(1, "ben");
    world.befriend(0, 1);
    world.say(0, 1, "canary in a text");
    assert!(world.run_until(5_000, |world| world.holds(1, 0, "canary in a text")));
    world.talk(0, 1);
    let (_, seals, opens) = world.phones[0].media.clone().expect("sound");
    for secret in [&b"canary in a text"[..], b"password of ada", &seals[1..], &opens[1..]] {
        assert!(!world.tap.saw(secret));
    }
    // The same search finds what the server may know.
    assert!(world.tap.saw(b"ada@example.org") && world.tap.saw(user(&world, 1).as_bytes()));
    let addresses: Vec<_> = world.links.tried.iter().map(|(_, address)| *address).collect();
    assert!(!addresses.is_empty());
    for address in addresses {
        assert!(!world.tap.saw(address.to_string().as_bytes()));
        let std::net::IpAddr::V4(ip) = address.ip() else { continue };
        assert!(!world.tap.saw(&[&[0x44][..], &ip.octets(), &[0x19], &address.port().to_be_bytes()].concat()));
    }
}

#[test]
fn another_certificate_than_the_announced_one_never_carries_a_call() {
    let mut world = friends();
    world.links.impostor = true;
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    world.run(40_000);
    assert_eq!((world.state(0), world.state(1)), (None, None));
    let connected = |event: &sidetone_engine::Event| matches!(event, sidetone_engine::Event::Call(view) if view.state == CallState::Connected);
    assert!(world.phones.iter().all(|phone| !phone.events.iter().any(|(_, event)| connected(event))));
    // The same call with the announced certificates connects.
    world.links.impostor = false;
    world.talk(0, 1);
}

#[test]
fn an_address_that_the_server_invents_is_never_tried() {
    let mut world = friends();
    world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    let before = world.links.tried.len();
    // Every envelope that was delivered, with its last bytes changed: forged candidates and descriptions.
    for (phone, mut delivered) in world.tap.delivered.clone() {
        for place in [40, 60, 100] {
            delivered.bytes[place] ^= 1;
        }
        world.invent(phone, Event::Sealed(delivered));
    }
    world.run(60_000);
    assert_eq!(world.links.tried.len(), before);
    assert!(world.links.gathered.is_empty());
}

/// The server stands between two who become friends under keys of its own making.
#[test]
fn a_man_in_the_middle_from_the_first_moment_shows_in_the_safety_numbers() {
    let honest = friends();
    assert_eq!(numbers(&honest)[0], numbers(&honest)[1]);
    let mut world = World::new(23, 2);
    let mallory = sidetone_crypto::identity::Identity::from_seed([66; 32]);
    let key = IdentityKey(*mallory.public().as_bytes());
    world.tap.rewrite = Some(Box::new(move |_, event| match event {
        Event::Person(person) => Event::Person(Person { identity: key, ..person }),
        other => other,
    }));
    world.register(0, "ada");
    world.register(1, "ben");
    world.befriend(0, 1);
    assert_ne!(numbers(&world)[0], numbers(&world)[1]);
    // And a call under keys that differ connects to nobody.
    let call = world.call(0, 1);
    world.run(50_000);
    assert!(world.ended(0, call).is_some() && rang(&world, 1) == 0);
}

fn numbers(world: &World) -> [String; 2] {
    [(0, 1), (1, 0)].map(|(phone, other)| {
        let engine = world.phones[phone].engine().expect("it runs");
        engine.safety_number(user(world, other)).expect("a friend").digits()
    })
}

#[test]
fn another_key_for_a_known_friend_stops_everything_until_the_user_accepts_it() {
    let mut world = friends();
    let (ada, ben) = (user(&world, 0), user(&world, 1));
    world.ask(0, Command::SetVerified(ben, Verified::Yes)).expect("they compared");
    let real = world.phones[0].engine().and_then(|engine| engine.friend(ben)).expect("a friend");
    let mallory = sidetone_crypto::identity::Identity::from_seed([66; 32]);
    let identity = IdentityKey(*mallory.public().as_bytes());
    let person = Person {
        user: ben,
        name: "ben".into(),
        identity,
        relation: sidetone_wire::account::Relation::Friend,
        online: true,
    };
    world.invent(0, Event::Person(person));
    world.run(100);
    let shown = world.phones[0].engine().and_then(|engine| engine.friend(ben)).expect("a friend");
    assert_eq!((shown.key, shown.changed_key), (real.key, Some(mallory.public())));
    assert_eq!(world.ask(0, Command::Call(ben)), Err(sidetone_engine::CommandError::KeyChanged));
    world.say(0, 1, "for the real ben");
    world.run(60_000);
    assert!(!world.holds(1, 0, "for the real ben"), "it waits");
    assert_eq!(world.ask(0, Command::AcceptKey(ben, real.key)), Err(sidetone_engine::CommandError::KeyChanged));
    world.ask(0, Command::AcceptKey(ben, mallory.public())).expect("the user was shown this key");
    let accepted = world.phones[0].engine().and_then(|engine| engine.friend(ben)).expect("a friend");
    assert!(!accepted.verified && accepted.changed_key.is_none());
    world.run(60_000);
    assert!(!world.holds(1, 0, "for the real ben"), "the real ben is not the one with this key");
    assert!(world.phones[1].texts(ada, true).is_empty());
}

#[test]
fn a_friend_on_a_new_phone_shows_as_changed_and_is_reached_once_accepted() {
    let mut world = friends();
    let ben = user(&world, 1);
    world.connect(2);
    world.run(5_000);
    let password = Password(Zeroizing::new("password of ben".into()));
    world.ask(2, Command::SignIn { name: "Ben".into(), password }).expect("the right password");
    world.run(2_000);
    let changed = world.phones[0].engine().and_then(|engine| engine.friend(ben)).expect("a friend").changed_key;
    let key = world.phones[2].engine().and_then(|engine| engine.account()).expect("an account").key;
    assert_eq!(changed, Some(key));
    world.ask(0, Command::AcceptKey(ben, key)).expect("the user was shown this key");
    world.say(0, 2, "welcome back");
    assert!(world.run_until(10_000, |world| world.holds(2, 0, "welcome back")));
}

#[test]
fn a_call_relabelled_as_another_friends_does_not_ring() {
    let mut world = friends();
    world.register(2, "cid");
    world.befriend(2, 1);
    let (ada, cid) = (user(&world, 0), user(&world, 2));
    world.tap.rewrite = Some(Box::new(move |phone, event| match event {
        Event::Sealed(delivered) if phone == 1 && delivered.from == ada => {
            Event::Sealed(Delivered { from: cid, ..delivered })
        }
        other => other,
    }));
    world.call(0, 1);
    world.run(50_000);
    assert_eq!(rang(&world, 1), 0);
    world.tap.rewrite = None;
    world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)), "the control: unlabelled, it rings");
}

#[test]
fn whatever_is_said_again_changes_nothing() {
    let mut world = friends();
    world.say(0, 1, "once");
    world.say(1, 0, "twice");
    assert!(world.run_until(5_000, |world| world.holds(1, 0, "once") && world.holds(0, 1, "twice")));
    let call = world.talk(0, 1);
    world.ask(0, Command::HangUp(call)).expect("it can be ended");
    world.run(100_000);
    let recorded = world.tap.delivered.clone();
    assert!(recorded.len() > 8, "hellos, answers, descriptions and words were recorded");
    let rang_before = [rang(&world, 0), rang(&world, 1)];
    let delivered_before = world.tap.delivered.len();
    for _ in 0..2 {
        for (phone, delivered) in &recorded {
            world.invent(*phone, Event::Sealed(delivered.clone()));
            world.invent(1 - *phone, Event::Sealed(delivered.clone()));
        }
        world.run(30_000);
    }
    assert_eq!([rang(&world, 0), rang(&world, 1)], rang_before, "no second ring");
    assert_eq!(world.phones[1].texts(user(&world, 0), true), ["once"]);
    assert_eq!(world.phones[0].texts(user(&world, 1), true), ["twice"]);
    let count = |kind: fn(&Sealed) -> bool| {
        let sealed =
            world.tap.delivered[delivered_before..].iter().map(|(_, delivered)| Sealed::unpad(&delivered.bytes));
        sealed.filter(|sealed| sealed.as_ref().is_ok_and(kind)).count()
    };
    let hellos = count(|sealed| matches!(sealed, Sealed::Hello(_)));
    let answers = count(|sealed| matches!(sealed, Sealed::Answer(_)));
    assert!(answers <= hellos, "{answers} answers to {hellos} new hellos: one said again is not answered again");
    // Within a session: every record twice ends it, and a new one carries on.
    world.tap.rewrite = None;
    world.say(0, 1, "after all that");
    assert!(world.run_until(60_000, |world| world.holds(1, 0, "after all that")));
}

#[test]
fn records_said_twice_within_their_session_are_not_heard_twice() {
    let mut world = friends();
    let call = world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    let recorded = world.tap.delivered.clone();
    for (phone, delivered) in recorded {
        world.invent(phone, Event::Sealed(delivered));
    }
    world.run(10_000);
    assert_eq!((rang(&world, 0), rang(&world, 1)), (1, 1));
    assert_eq!(world.phones[1].call().map(|view| view.call), Some(call));
    world.ask(1, Command::AnswerCall(call)).expect("it still can be answered");
    let connected = |world: &World| (0..2).all(|phone| world.state(phone) == Some(CallState::Connected));
    assert!(world.run_until(30_000, connected), "in a new session");
}

#[test]
fn what_a_phone_said_means_nothing_when_it_comes_back_to_it() {
    let mut world = friends();
    let (ada, ben) = (user(&world, 0), user(&world, 1));
    world.call(0, 1);
    assert!(world.run_until(10_000, |world| rings(world, 1)));
    let recorded = world.tap.delivered.clone();
    for (phone, delivered) in recorded {
        let (sender, from) = if phone == 1 { (0, ben) } else { (1, ada) };
        world.invent(sender, Event::Sealed(Delivered { from, ..delivered }));
    }
    world.run(20_000);
    assert_eq!((rang(&world, 0), rang(&world, 1)), (1, 1));
    assert!(world.links.gathered.is_empty());
}

#[test]
fn a_hello_with_a_changed_byte_is_nobody() {
    let mut world = friends();
    let changed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&changed);
    world.tap.rewrite = Some(Box::new(move |phone, event| match event {
        Event::Sealed(mut delivered) if phone == 1 => {
            // Within the ephemeral, the ML-KEM key, and the sealed timestamp, in turn.
            let place = [60, 700, 1_270][count.fetch_add(1, Relaxed) % 3];
            if delivered.bytes.len() > place {
                delivered.bytes[place] ^= 0x20;
            }
            Event::Sealed(delivered)
        }
        other => other,
    }));
    world.call(0, 1);
    world.run(44_000);
    assert!(changed.load(Relaxed) >= 3, "several hellos were tried");
    assert_eq!(rang(&world, 1), 0);
}

#[test]
fn a_stranger_rings_nobody_even_if_the_server_helps() {
    let mut world = friends();
    world.register(2, "cid");
    world.run(5_000);
    let (ben, cid) = (user(&world, 1), user(&world, 2));
    // The server tells cid that ben is a friend, and carries what cid then sends.
    let key = world.phones[1].engine().and_then(|engine| engine.account()).expect("an account").key;
    let identity = IdentityKey(*key.as_bytes());
    let relation = sidetone_wire::account::Relation::Friend;
    world.invent(2, Event::Person(Person { user: ben, name: "ben".into(), identity, relation, online: true }));
    world.run(100);
    assert_eq!(world.standing(2, ben), Some(Standing::Friend));
    let before = world.tap.seen.len();
    world.call(2, 1);
    world.run(100);
    let asked = world.tap.seen[before..].iter().find_map(|frame| route_of(frame));
    let bytes = asked.expect("cid's phone asked the server to carry a hello");
    world.invent(1, Event::Sealed(Delivered { from: cid, class: Class::Ring, bytes: bytes.into() }));
    world.run(50_000);
    assert_eq!(rang(&world, 1), 0);
    assert!(world.links.gathered.is_empty());
}

fn route_of(frame: &[u8]) -> Option<Vec<u8>> {
    match Frame::from_bytes(frame).ok()? {
        Frame::Request(numbered) => match numbered.request {
            Request::Route(envelope) => Some(envelope.bytes.into_vec()),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn garbage_from_the_server_and_the_link_is_dropped() {
    let mut world = friends();
    let ada = user(&world, 0);
    world.talk(0, 1);
    for len in [0, 1, 17, 255, 256, 1_024] {
        let bytes: Vec<u8> = (0..len).map(|byte| (byte * 37 % 251) as u8).collect();
        for class in [Class::Ring, Class::Connect, Class::Control] {
            world.invent(1, Event::Sealed(Delivered { from: ada, class, bytes: bytes.clone().into() }));
        }
        for link in world.links.of(1) {
            world.invent_news(1, link, News::Record(bytes.clone()));
        }
    }
    let nowhere = LinkId { peer: PeerId::Friend(ada), number: 99 };
    let up = News::Up { route: Route::Direct(Reach::Lan), fingerprint: Fingerprint([1; 32]) };
    world.invent_news(1, nowhere, up);
    let unknown = sidetone_wire::envelope::Part { pairing: PairingId([9; 16]), bytes: vec![1; 50].into() };
    let bytes = Sealed::Record(unknown).pad().expect("short");
    world.invent(1, Event::Sealed(Delivered { from: ada, class: Class::Control, bytes: bytes.into() }));
    world.run(60_000);
    let connected = |world: &World| (0..2).all(|phone| world.state(phone) == Some(CallState::Connected));
    let ended = world.phones[1].call().is_none();
    assert!(connected(&world) || ended, "the call goes on in a new session or is over; nobody hangs");
    world.say(1, 0, "still here");
    assert!(world.run_until(60_000, |world| world.holds(0, 1, "still here")));
}

#[test]
fn a_low_order_key_for_a_friend_is_not_believed() {
    let mut world = friends();
    let ben = user(&world, 1);
    let relation = sidetone_wire::account::Relation::Friend;
    for identity in [
        IdentityKey([0; 32]),
        IdentityKey({
            let mut one = [0; 32];
            one[0] = 1;
            one
        }),
    ] {
        world.invent(0, Event::Person(Person { user: ben, name: "ben".into(), identity, relation, online: true }));
    }
    world.run(1_000);
    let friend = world.phones[0].engine().and_then(|engine| engine.friend(ben)).expect("a friend");
    assert_eq!(friend.changed_key, None);
    let call = world.talk(0, 1);
    world.ask(0, Command::HangUp(call)).expect("it can be ended");
    assert_eq!(world.ended(0, call), Some(EndReason::HungUp));
}

#[test]
fn a_caller_who_names_addresses_before_the_answer_learns_none() {
    let mut world = friends();
    let mut ada = Puppet::of(&mut world, 0);
    let ben = user(&world, 1);
    ada.pair(&mut world, ben);
    let call = CallId([5; 16]);
    ada.say(&mut world, &Record::Call(CallWord { call, word: Word::Ring(Empty::default()) }));
    ada.say(&mut world, &Record::Connect(description(9)));
    ada.say(&mut world, &Record::Connect(description(10)));
    ada.say(&mut world, &Record::Wanted(Empty::default()));
    for number in 1..=80 {
        ada.say(&mut world, &Record::Candidate(candidate(number)));
        world.run(200);
    }
    assert!(rings(&world, 1));
    assert!(world.links.gathered.is_empty() && world.links.tried.is_empty(), "nothing before the answer");
    world.ask(1, Command::AnswerCall(call)).expect("it can be answered");
    world.run(1_000);
    assert_eq!(world.links.gathered.get(&1), Some(&1), "the control: gathered after it");
    assert_eq!(world.links.tried.len(), 64, "no more addresses are tried than the limit says");
    world.run(60_000);
    assert_eq!(world.ended(1, call), Some(EndReason::ConnectionLost), "a caller who is not there is not waited for");
}

fn description(certificate: u8) -> Description {
    let ufrag = IceToken::parse("abcd").expect("a fragment");
    let pwd = IceToken::parse("0123456789abcdef0123456789").expect("a password");
    Description { ufrag, pwd, fingerprint: Fingerprint([certificate; 32]) }
}

fn candidate(number: u8) -> Candidate {
    let address = Address::parse(([203, 0, 113, number], 4_000).into()).expect("an address");
    Candidate { kind: CandidateKind::Host, address, priority: 1, foundation: 1 }
}

#[test]
fn a_friend_who_says_nonsense_about_calls_gets_a_word_back_and_nothing_else() {
    let mut world = friends();
    let mut ada = Puppet::of(&mut world, 0);
    let ben = user(&world, 1);
    ada.pair(&mut world, ben);
    let key = |generation| MediaKey { generation, base: KeyBytes::new(&[3; 33]).expect("short") };
    let words = [
        Word::Answer(Empty::default()),
        Word::Alerting(Empty::default()),
        Word::Key(key(1)),
        Word::Key(MediaKey { generation: 2, base: KeyBytes::new(&[]).expect("short") }),
        Word::Microphone(record::Microphone { on: false }),
        Word::End(Ended { why: Why::Busy }),
    ];
    for (number, word) in words.into_iter().enumerate() {
        let call = CallId([number as u8; 16]);
        ada.say(&mut world, &Record::Call(CallWord { call, word }));
        world.run(1_000);
    }
    assert_eq!((rang(&world, 1), world.state(1)), (0, None));
    // The end of a call that overtook its beginning: it does not ring.
    ada.say(&mut world, &Record::Call(CallWord { call: CallId([5; 16]), word: Word::Ring(Empty::default()) }));
    world.run(1_000);
    assert_eq!(rang(&world, 1), 0);
    ada.say(&mut world, &Record::Call(CallWord { call: CallId([77; 16]), word: Word::Ring(Empty::default()) }));
    world.run(1_000);
    assert_eq!(rang(&world, 1), 1, "the control: a new call rings");
}

#[test]
fn an_event_told_twice_is_heard_once_and_a_skipped_one_is_noticed() {
    let mut world = friends();
    let said = |world: &World, text: &str| {
        let told = |event: &sidetone_engine::Event| *event == sidetone_engine::Event::Announcement(text.to_owned());
        world.phones[0].events.iter().filter(|(_, event)| told(event)).count()
    };
    let word = |text: &str| Event::Announcement(Announcement { text: text.to_owned() });
    world.invent(0, word("once"));
    world.run(100);
    world.invent_numbered(0, -1, word("once"));
    world.run(100);
    assert_eq!(said(&world, "once"), 1);
    let rosters = |world: &World| {
        let asked = |frame: &&Vec<u8>| {
            let frame = Frame::from_bytes(frame);
            matches!(frame, Ok(Frame::Request(numbered)) if matches!(numbered.request, Request::Roster(_)))
        };
        world.tap.seen.iter().filter(asked).count()
    };
    let before = rosters(&world);
    world.invent_numbered(0, 3, word("after a gap"));
    world.run(1_000);
    assert_eq!((said(&world, "after a gap"), rosters(&world)), (1, before + 1), "the roster is read again");
}
