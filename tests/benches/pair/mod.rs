//! Two engines with nothing between them: each effect of one is the next input of the other.

use std::collections::VecDeque;
use std::time::Instant;

use sidetone_crypto::identity::Identity;
use sidetone_engine::row::{AccountRow, Change, ChatRow, FriendRow, OURSELVES, OutgoingRow, Row};
use sidetone_engine::{
    Ask, CallState, Command, Config, Cost, Effect, Engine, Input, LinkId, News, Now, Order, Reach, Route, Standing,
    Time,
};
use sidetone_wire::VERSION;
use sidetone_wire::account::{Empty, Person, Relation, Reply, Request, Roster};
use sidetone_wire::connect::{Description, IceToken};
use sidetone_wire::frame::{Delivered, Event, Frame, Granted, Numbered, Told, Welcome};
use sidetone_wire::id::{DeviceId, Fingerprint, IdentityKey, ItemSeq, LaneId, Secret, Seq, SessionId, UnixMs, UserId};
use sidetone_wire::limits::ROSTER_PAGE;
use sidetone_wire::record::{Body, Text};
use zeroize::Zeroizing;

/// Who the two are.
pub const US: [UserId; 2] = [UserId([0x55; 16]), UserId([0x77; 16])];

/// Time spent in an engine's steps.
#[derive(Clone, Copy, Default)]
pub struct Times {
    /// Nanoseconds.
    pub ns: f64,
}

impl Times {
    /// Adds them up.
    pub fn add(&mut self, more: Self) {
        self.ns += more.ns;
    }
}

/// Two friends' phones.
pub struct Pair {
    engines: [Engine; 2],
    people: Vec<Person>,
    now_ms: u64,
    told: [u64; 2],
    links: [Option<LinkId>; 2],
    waiting: VecDeque<(usize, Input)>,
    asks: u64,
    /// What their steps took.
    pub times: [Times; 2],
    /// How many there were.
    pub steps: u64,
}

fn identity(side: usize) -> Identity {
    Identity::from_seed([side as u8 + 1; 32])
}

fn stranger(number: usize) -> UserId {
    let mut id = [0x99; 16];
    id[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    UserId(id)
}

fn config(side: usize) -> Config {
    Config { seed: [side as u8 + 10; 32], login_cost: Cost::Least }
}

fn rows(side: usize, people: &[Person]) -> Vec<Change> {
    let account = AccountRow {
        device: DeviceId([side as u8; 16]),
        user: US[side],
        name: "me".to_owned(),
        identity: Secret(*identity(side).secret()),
        token: Some(Secret([4; 32])),
        addresses: 0,
        receipts: 0,
        leaving: None,
    };
    let friend = |person: &Person| FriendRow {
        name: person.name.clone(),
        identity: person.identity,
        changed: None,
        standing: Standing::Friend as u8,
        verified: false,
        pinned: true,
        addresses: None,
    };
    let known = people.iter().filter(|person| person.user != US[side]);
    std::iter::once(account.put(OURSELVES, 0)).chain(known.map(|person| friend(person).put(person.user, 0))).collect()
}

impl Pair {
    /// Two phones online, each with so many friends, of whom one is the other and no other is online.
    pub fn online(friends: usize) -> Self {
        let person = |user, key: IdentityKey, online| {
            let (name, relation) = (format!("friend {user:?}"), Relation::Friend);
            Person { user, name, identity: key, relation, online }
        };
        let key = |side| IdentityKey(*identity(side).public().as_bytes());
        let both = [0, 1].map(|side| person(US[side], key(side), true));
        let others = (1..friends).map(|number| person(stranger(number), key(0), false));
        let people: Vec<Person> = both.into_iter().chain(others).collect();
        let engines = [0, 1].map(|side| restore(side, rows(side, &people)));
        let mut pair = Self {
            engines,
            people,
            now_ms: 1_000_000,
            told: [0; 2],
            links: [None; 2],
            waiting: VecDeque::new(),
            asks: 0,
            times: [Times::default(); 2],
            steps: 0,
        };
        for side in [0, 1] {
            pair.greet(side);
        }
        pair
    }

    /// The same with a link between them.
    pub fn linked(friends: usize) -> Self {
        let mut pair = Self::online(friends);
        pair.command(0, Command::SendText(US[1], Text::parse("hi").expect("a text")));
        assert!(pair.links.iter().all(Option::is_some), "the link is up");
        assert_eq!(pair.engines[0].chat(US[1]).map(|chat| chat.confirmed), Some(ItemSeq(1)), "it carries texts");
        pair
    }

    fn greet(&mut self, side: usize) {
        self.told[side] = 0;
        let (session, secret, user) = (SessionId([5; 16]), Secret([6; 32]), Some(US[side]));
        let welcome = Welcome { version: VERSION, session, secret, resumed: false, user };
        self.waiting.push_back((side, Input::Online(true)));
        self.waiting.push_back((side, Input::Server(Frame::Welcome(welcome))));
        self.run();
    }

    /// One engine.
    pub fn engine(&self, side: usize) -> &Engine {
        &self.engines[side]
    }

    /// How many texts of a phone, but for the one that made the link, are on the other.
    pub fn confirmed(&self, side: usize) -> u64 {
        self.engines[side].chat(US[1 - side]).map_or(0, |chat| chat.confirmed.0 - 1)
    }

    /// Whether a phone rings.
    pub fn rings(&self, side: usize) -> bool {
        self.engines[side].call().is_some_and(|call| call.state == CallState::Ringing)
    }

    /// Gives a phone a command and lets both do what follows.
    pub fn command(&mut self, side: usize, command: Command) {
        self.now_ms += 10;
        self.asks += 1;
        self.waiting.push_back((side, Input::Command(Ask(self.asks), command)));
        self.run();
    }

    fn run(&mut self) {
        while let Some((side, input)) = self.waiting.pop_front() {
            self.step(side, input);
        }
    }

    /// One step, timed.
    pub fn step(&mut self, side: usize, input: Input) {
        let now = Now { time: Time(self.now_ms), wall: UnixMs(1_790_000_000_000 + self.now_ms) };
        let mut effects = Vec::new();
        let begun = Instant::now();
        self.engines[side].step(now, input, &mut effects);
        self.times[side].ns += begun.elapsed().as_nanos() as f64;
        self.steps += 1;
        for effect in effects {
            match effect {
                Effect::Send(Frame::Request(numbered)) => self.served(side, numbered),
                Effect::Link(link, order) => self.order(side, link, order),
                _ => {}
            }
        }
    }

    fn served(&mut self, side: usize, Numbered { id, request }: Numbered) {
        let reply = match request {
            Request::Roster(page) => {
                let known: Vec<&Person> = self.people.iter().filter(|person| person.user != US[side]).collect();
                let begin = page.page as usize * ROSTER_PAGE;
                let people = known.iter().skip(begin).take(ROSTER_PAGE).map(|person| (*person).clone()).collect();
                Reply::Roster(Roster { people, more: begin + ROSTER_PAGE < known.len() })
            }
            Request::Route(envelope) => {
                let other = 1 - side;
                if envelope.to == US[other] {
                    self.told[other] += 1;
                    let delivered = Delivered { from: US[side], class: envelope.class, bytes: envelope.bytes };
                    let told = Told { seq: Seq(self.told[other]), event: Event::Sealed(delivered) };
                    self.waiting.push_back((other, Input::Server(Frame::Event(told))));
                }
                Reply::Done(Empty::default())
            }
            _ => Reply::Done(Empty::default()),
        };
        self.waiting.push_back((side, Input::Server(Frame::Reply(Granted { id, reply }))));
    }

    fn order(&mut self, side: usize, link: LinkId, order: Order) {
        match order {
            Order::Open { .. } => {
                self.links[side] = Some(link);
                let ufrag = IceToken::parse("abcd").expect("a fragment");
                let pwd = IceToken::parse("0123456789012345678901").expect("a password");
                let description = Description { ufrag, pwd, fingerprint: Fingerprint([side as u8; 32]) };
                self.waiting.push_back((side, Input::Link(link, News::Local(description))));
            }
            Order::Remote(theirs) => {
                let up = News::Up { route: Route::Direct(Reach::Lan), fingerprint: theirs.fingerprint };
                self.waiting.push_back((side, Input::Link(link, up)));
            }
            Order::Send(bytes) => {
                if let Some(link) = self.links[1 - side] {
                    self.waiting.push_back((1 - side, Input::Link(link, News::Record(bytes))));
                }
            }
            Order::Candidate(_) | Order::Restart | Order::Close => {}
        }
    }

    /// The second phone starts anew with a conversation with everybody, in which so many texts wait for who is away.
    pub fn talks_with_all(&mut self, texts: u64) {
        let mut kept = rows(1, &self.people);
        let mut outgoing = Vec::new();
        for person in self.people.iter().skip(2) {
            let chat = ChatRow { last: ItemSeq(texts), next: 2, ..ChatRow::new(LaneId(person.user.0)) };
            kept.push(chat.put(person.user, 0));
            let body = Body::Text(Text::parse("later").expect("a text"));
            let row = OutgoingRow { at: UnixMs(0), body, message: Some(1), failed: None };
            outgoing.extend((0..texts).map(|_| row.put(person.user, 1)));
        }
        kept.extend(outgoing);
        self.engines[1] = restore(1, kept);
        self.greet(1);
    }
}

fn restore(side: usize, rows: Vec<Change>) -> Engine {
    let rows = rows.into_iter().filter_map(|row| Some((row.place, Zeroizing::new(row.value?))));
    Engine::restore(config(side), rows).expect("rows of ours")
}
