//! A real engine between a server that lies and a friend who holds the keys and does what a script says.

use std::collections::{BTreeMap, VecDeque};

use sidetone_crypto::handshake::{Channels, Initiator, Pattern, Responder};
use sidetone_crypto::identity::{Identity, PublicKey};
use sidetone_crypto::sframe::BaseKey;
use sidetone_engine::row::{AccountRow, Change, FriendRow, OURSELVES, Place, Row, Table};
use sidetone_engine::{
    Addresses, Ask, ChatCommand, Command, Config, Cost, Down, Effect, Engine, Input, LinkId, MediaOrder, Microphone,
    News, Now, Order, Password, Protocol, Reach, Receipts, Relay, Route, Standing, Storage, Time, Verified,
};
use sidetone_wire::VERSION;
use sidetone_wire::account::{Code, Empty, Person, Refusal, Relation, Reply, Request, Roster};
use sidetone_wire::connect::{Candidate, Description, IceToken};
use sidetone_wire::envelope::{Class, Part, Sealed};
use sidetone_wire::frame::{Delivered, Event, Frame, Granted, Refused, Told, Welcome};
use sidetone_wire::id::{
    DeviceId, Fingerprint, IdentityKey, ItemSeq, KeyBytes, LaneId, PairingId, RequestId, Secret, Seq, SessionId,
    UnixMs, UserId,
};
use sidetone_wire::limits::FRAME_BYTES;
use sidetone_wire::record::{self, CallWord, Ended, MediaKey, MessageId, Reactions, Record, Text, Why, Word};
use zeroize::Zeroizing;

use super::Script;

const US: UserId = UserId([0x55; 16]);
const THEM: UserId = UserId([0x77; 16]);
const NAME: &str = "ben";
/// The certificate that the friend shows when its link comes up.
const FINGERPRINT: Fingerprint = Fingerprint([9; 32]);
/// The most one step may want done: a full outbox and its rows fit.
const EFFECTS: usize = 10_000;

/// Lives through a script, and must not panic, want a moment that has passed, or want too much at once.
pub fn engine(bytes: &[u8]) {
    play(bytes);
}

/// The same, and what the app was told in the end: how many texts it got, and whether a call was ever connected.
pub fn play(bytes: &[u8]) -> (usize, bool) {
    let mut script = Script::new(bytes);
    let mut phone = Phone::new();
    phone.greet();
    while let Some(deed) = script.deed() {
        phone.happen(deed, &mut script);
    }
    let engine = &phone.engine;
    let _ = (engine.account(), engine.friends(), engine.friend(THEM), engine.chat(THEM), engine.call());
    let texts = phone.disk.keys().filter(|place| place.table == Table::Content).count();
    (texts, phone.connected)
}

struct Phone {
    engine: Engine,
    disk: BTreeMap<Place, Vec<u8>>,
    /// Rows in memory only.
    held: BTreeMap<Place, Vec<u8>>,
    now: Now,
    drawn: u8,
    asks: u64,
    told: u64,
    online: bool,
    requests: VecDeque<(RequestId, Request)>,
    link: Option<LinkId>,
    connected: bool,
    friend: Friend,
}

/// The friend's phone, taken over.
struct Friend {
    identity: Identity,
    phone: PublicKey,
    /// What the phone sent to the friend and the friend did not look at yet.
    inbox: VecDeque<Sealed>,
    waiting: Option<(PairingId, Initiator)>,
    session: Option<(PairingId, Channels)>,
}

impl Phone {
    fn new() -> Self {
        let (ours, theirs) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let account = AccountRow {
            device: DeviceId([3; 16]),
            user: US,
            name: "ada".to_owned(),
            identity: Secret(*ours.secret()),
            token: Some(Secret([4; 32])),
            addresses: 0,
            receipts: 0,
            leaving: None,
        };
        let friend = FriendRow {
            name: NAME.to_owned(),
            identity: IdentityKey(*theirs.public().as_bytes()),
            changed: None,
            standing: Standing::Friend as u8,
            verified: false,
            pinned: true,
            addresses: None,
        };
        let rows = [account.put(OURSELVES, 0), friend.put(THEM, 0)];
        let disk = rows.into_iter().filter_map(|row| Some((row.place, row.value?))).collect();
        let mut phone = Self {
            engine: Engine::new(Config { seed: [0; 32], login_cost: Cost::Least }),
            disk,
            held: BTreeMap::new(),
            now: Now { time: Time(1_000_000), wall: UnixMs(1_790_000_000_000) },
            drawn: 0,
            asks: 0,
            told: 0,
            online: false,
            requests: VecDeque::new(),
            link: None,
            connected: false,
            friend: Friend {
                identity: theirs,
                phone: ours.public(),
                inbox: VecDeque::new(),
                waiting: None,
                session: None,
            },
        };
        phone.restart();
        phone
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn = self.drawn.wrapping_add(1);
        [self.drawn; 32]
    }

    /// The app is started anew on what was kept.
    fn restart(&mut self) {
        let seed = self.draw();
        let kept = self.disk.iter().filter(|(place, _)| place.table.is_restored());
        let rows = kept.map(|(place, value)| (*place, Zeroizing::new(value.clone())));
        let engine = Engine::restore(Config { seed, login_cost: Cost::Least }, rows);
        self.held.clear();
        self.engine = engine.expect("what an engine saved, an engine reads");
        (self.online, self.link) = (false, None);
        self.requests.clear();
    }

    /// One step, by the driver's law, and then every moment the engine wants at once.
    fn step(&mut self, input: Input) {
        self.step_once(input);
        for _ in 0..4 {
            if self.engine.deadline().is_none_or(|at| at > self.now.time) {
                return;
            }
            self.step_once(Input::Tick);
        }
        let wanted = self.engine.deadline();
        assert!(wanted.is_none_or(|at| at > self.now.time), "{wanted:?} is wanted for ever at {:?}", self.now.time);
    }

    fn step_once(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.engine.step(self.now, input, &mut effects);
        assert!(effects.len() <= EFFECTS, "{} effects of one step", effects.len());
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Save(Change { place, value: Some(value) }) => drop(self.disk.insert(place, value)),
            Effect::Save(Change { place, value: None }) => {
                self.disk.remove(&place);
                self.held.remove(&place);
            }
            Effect::Hold(Change { place, value }) => drop(value.map(|value| self.held.insert(place, value))),
            Effect::Amend(place, change) if self.held.contains_key(&place) => self.carry_out(Effect::Hold(change)),
            Effect::Amend(place, change) if self.disk.contains_key(&place) => self.carry_out(Effect::Save(change)),
            Effect::Amend(..) => {}
            Effect::Forget(_) => {
                self.disk.clear();
                self.held.clear();
            }
            Effect::Send(frame) => {
                assert!(frame.to_bytes().is_ok(), "the engine keeps to the limits");
                self.sent(frame);
            }
            Effect::Link(link, Order::Open { .. }) => self.link = Some(link),
            Effect::Media(_, MediaOrder::Start { .. }) => self.connected = true,
            Effect::Link(..)
            | Effect::Media(..)
            | Effect::Sound(..)
            | Effect::Transfer(..)
            | Effect::Prove(_)
            | Effect::Keyed(..)
            | Effect::Answer(..)
            | Effect::Tell(_) => {}
        }
    }

    fn sent(&mut self, frame: Frame) {
        let Frame::Request(numbered) = frame else { return };
        if let Request::Route(envelope) = &numbered.request
            && envelope.to == THEM
            && let Ok(sealed) = Sealed::unpad(&envelope.bytes)
        {
            self.friend.inbox.push_back(sealed);
        }
        self.requests.push_back((numbered.id, numbered.request));
    }

    fn pass(&mut self, ms: u64) {
        self.now = Now { time: self.now.time.after(ms), wall: UnixMs(self.now.wall.0 + ms) };
        self.step(Input::Tick);
    }
}

// The server's part.
impl Phone {
    /// Online, welcomed, with one friend who is online.
    fn greet(&mut self) {
        self.set_online(true);
        self.welcome(0);
        self.reply(0, &[]);
        self.reply(0, &[]);
    }

    fn set_online(&mut self, online: bool) {
        self.online = online;
        self.requests.clear();
        self.step(Input::Online(online));
    }

    fn welcome(&mut self, how: u8) {
        let (resumed, user) = (how & 1 == 1, (how & 2 == 0).then_some(US));
        self.told = if resumed { self.told } else { 0 };
        let (session, secret) = (SessionId([5 + (how >> 2); 16]), Secret([6; 32]));
        self.step(Input::Server(Frame::Welcome(Welcome { version: VERSION, session, secret, resumed, user })));
    }

    fn tell(&mut self, event: Event) {
        self.told += 1;
        self.step(Input::Server(Frame::Event(Told { seq: Seq(self.told), event })));
    }

    fn deliver(&mut self, bytes: Vec<u8>) {
        self.tell(Event::Sealed(Delivered { from: THEM, class: Class::Control, bytes: bytes.into() }));
    }

    /// Answers the request that waits longest: as asked, with a refusal, or with any reply.
    fn reply(&mut self, how: u8, bytes: &[u8]) {
        let Some((id, request)) = self.requests.pop_front() else { return };
        let reply = match (how % 3, request) {
            (0, Request::Roster(_)) => Reply::Roster(Roster { people: vec![self.friend.person()], more: false }),
            (0, Request::Befriend(_)) => Reply::Person(self.friend.person()),
            (0, _) => Reply::Done(Empty::default()),
            (1, _) => match sidetone_wire::decode(bytes, FRAME_BYTES) {
                Ok(reply) => reply,
                Err(_) => return,
            },
            _ => {
                let code = sidetone_wire::decode(bytes, FRAME_BYTES).unwrap_or(Code::Offline);
                let refused = Refused { id, refusal: Refusal { code, retry_ms: 500 } };
                return self.step(Input::Server(Frame::Refused(refused)));
            }
        };
        self.step(Input::Server(Frame::Reply(Granted { id, reply })));
    }
}

// The friend's part.
impl Friend {
    fn person(&self) -> Person {
        let identity = IdentityKey(*self.identity.public().as_bytes());
        Person { user: THEM, name: NAME.to_owned(), identity, relation: Relation::Friend, online: true }
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Friends { own: &self.identity, peer: self.phone }
    }
}

impl Phone {
    fn hello(&mut self) {
        let seed = self.draw();
        let id = PairingId([self.drawn; 16]);
        let at = self.now.wall.0.to_be_bytes();
        let started = Initiator::start(&self.friend.pattern(), &prologue(id, THEM, US), &at, seed);
        let (initiator, hello) = started.expect("a hello");
        self.friend.waiting = Some((id, initiator));
        self.deliver(Sealed::Hello(Part { pairing: id, bytes: hello.into() }).pad().expect("short"));
    }

    /// The friend looks at everything it was sent: takes an answer, answers a hello.
    fn look(&mut self) {
        while let Some(sealed) = self.friend.inbox.pop_front() {
            match sealed {
                Sealed::Answer(part) => {
                    let waiting = self.friend.waiting.take_if(|(id, _)| *id == part.pairing);
                    if let Some((session, _)) = waiting.and_then(|(_, waiting)| waiting.finish(&part.bytes).ok()) {
                        self.friend.session = Some((part.pairing, session.channels()));
                    }
                }
                Sealed::Hello(part) => {
                    let seed = self.draw();
                    let (prologue, pattern) = (prologue(part.pairing, US, THEM), self.friend.pattern());
                    let opened = Responder::open(&pattern, &prologue, &part.bytes, seed);
                    let Ok((session, answer)) = opened.and_then(|(opened, _)| opened.answer(b"")) else { continue };
                    self.friend.session = Some((part.pairing, session.channels()));
                    let answer = Sealed::Answer(Part { pairing: part.pairing, bytes: answer.into() });
                    self.deliver(answer.pad().expect("short"));
                }
                Sealed::Record(_) | Sealed::Confirm(_) => {}
            }
        }
    }

    /// Says something through the server.
    fn say(&mut self, record: &[u8]) {
        let now_ms = self.now.time.0;
        let Some((pairing, channels)) = &mut self.friend.session else { return };
        let Ok(bytes) = channels.signal.seal(now_ms, record) else { return };
        let sealed = Sealed::Record(Part { pairing: *pairing, bytes: bytes.into() });
        if let Ok(bytes) = sealed.pad() {
            self.deliver(bytes);
        }
    }

    /// Says something over the link.
    fn say_directly(&mut self, record: &[u8]) {
        let now_ms = self.now.time.0;
        let (Some(link), Some((_, channels))) = (self.link, &mut self.friend.session) else { return };
        if let Ok(bytes) = channels.direct.seal(now_ms, record) {
            self.step(Input::Link(link, News::Record(bytes)));
        }
    }

    /// Both ends are described and the link comes up.
    fn connect(&mut self) {
        if let (Some(ufrag), Some(pwd)) = (IceToken::parse("abcd"), IceToken::parse("0123456789012345678901")) {
            let description = Description { ufrag, pwd, fingerprint: FINGERPRINT };
            self.say(&Record::Connect(description.clone()).to_bytes().expect("short"));
            let Some(link) = self.link else { return };
            self.step(Input::Link(link, News::Local(description)));
            let route = Route::Direct(Reach::Lan);
            self.step(Input::Link(link, News::Up { route, fingerprint: FINGERPRINT }));
        }
    }
}

// What a script can say.
impl Phone {
    fn happen(&mut self, deed: u8, script: &mut Script<'_>) {
        match deed % 20 {
            0 => self.pass(u64::from(script.number())),
            1 => self.pass(u64::from(script.number()) * 1_000),
            2 => {
                if let Ok(frame) = Frame::from_bytes(script.block()) {
                    self.step(Input::Server(frame));
                }
            }
            3 => {
                if let Ok(event) = sidetone_wire::decode(script.block(), FRAME_BYTES) {
                    self.tell(event);
                }
            }
            4 => self.deliver(script.block().to_vec()),
            5 => self.hello(),
            6 => self.look(),
            7 => self.say(script.block()),
            8 => self.say_directly(script.block()),
            9 => self.connect(),
            10 => self.news(script),
            11 | 12 => self.command(script),
            13 => self.set_online(script.byte() & 1 == 0),
            14 => self.welcome(script.byte()),
            15 => self.reply(script.byte(), script.block()),
            16 => self.restart(),
            17 => self.greet(),
            18 => self.say(&Record::Ready(Empty::default()).to_bytes().expect("short")),
            _ => self.call_word(script.byte(), script.byte()),
        }
    }

    /// The friend says a word about the call that is on.
    fn call_word(&mut self, kind: u8, detail: u8) {
        let Some(view) = self.engine.call() else { return };
        let word = match kind % 5 {
            0 => Word::Alerting(Empty::default()),
            1 => Word::Answer(Empty::default()),
            2 => {
                let base = BaseKey::from_seed([detail; 32]).to_bytes();
                Word::Key(MediaKey { generation: detail.into(), base: KeyBytes::new(&base).expect("short") })
            }
            3 if detail & 6 == 2 => Word::Shows(record::Shows { camera: detail & 1 == 1, screen: true, motion: false }),
            3 if detail & 6 == 4 => Word::Wants(record::Wants { camera: detail.into(), screen: 0 }),
            3 => Word::Microphone(record::Microphone { on: detail & 1 == 1 }),
            _ => Word::End(Ended { why: Why::HungUp }),
        };
        let word = Record::Call(CallWord { call: view.call, word }).to_bytes().expect("short");
        if self.link.is_some() && kind & 0x80 == 0 { self.say_directly(&word) } else { self.say(&word) }
    }

    fn news(&mut self, script: &mut Script<'_>) {
        let Some(link) = self.link else { return };
        let route = Route::Relayed(Relay::Us, Protocol::Udp);
        let news = match script.byte() % 10 {
            0 => News::Up { route, fingerprint: Fingerprint([script.byte(); 32]) },
            8 => News::Ahead { fingerprint: if script.byte() & 1 == 0 { FINGERPRINT } else { Fingerprint([1; 32]) } },
            1 => News::Record(script.block().to_vec()),
            2 => News::Route(route),
            3 => News::Interrupted,
            4 => News::Restored,
            5 => News::Down(Down::Lost),
            6 => News::Down(Down::Closed),
            kind => match (kind, sidetone_wire::decode::<Candidate>(script.block(), FRAME_BYTES)) {
                (7, Ok(candidate)) => News::Candidate(candidate),
                _ => News::Down(Down::Unreachable),
            },
        };
        let number = link.number.wrapping_add(u64::from(script.byte() / 200));
        self.step(Input::Link(LinkId { number, ..link }, news));
    }

    fn command(&mut self, script: &mut Script<'_>) {
        let call = self.engine.call().map(|call| call.call);
        let words = String::from_utf8_lossy(script.block()).into_owned();
        let text = || Text::parse(words.clone());
        let password = || Password(Zeroizing::new(words.clone()));
        let which = script.byte();
        if which >= 240 {
            return self.chat_command(which, &words, script.byte());
        }
        let command = match (which % 24, call) {
            (0, _) => Command::Register { name: words.clone(), email: words.clone(), password: password() },
            (1, _) => Command::SignIn { name: words.clone(), password: password() },
            (2, _) => Command::SignOut,
            (3, _) => Command::DeleteAccount,
            (4, _) => Command::ExportAccount,
            (5, _) => Command::Befriend { name: words, key: None },
            (6, _) => Command::Accept(THEM),
            (7, _) => Command::Decline(THEM),
            (8, _) => Command::Unfriend(THEM),
            (9, _) => Command::Block(THEM),
            (10, _) => Command::Unblock(THEM),
            (11, _) => Command::SetVerified(THEM, Verified::Yes),
            (12, _) => Command::AcceptKey(THEM, self.friend.identity.public()),
            (13, _) => Command::MarkRead(THEM),
            (14, _) => Command::Typing(THEM),
            (15, None) => Command::Call(THEM),
            (15 | 16, Some(call)) => Command::AnswerCall(call),
            (17, Some(call)) => Command::DeclineCall(call),
            (18, Some(call)) => Command::HangUp(call),
            (19, Some(call)) => Command::SetMicrophone(call, Microphone::Off),
            (20, _) => Command::SetAddresses(Addresses::RelayUntilAccepted),
            (21, _) => Command::SetReceipts(Receipts::Keep),
            _ => match text() {
                Some(text) => Command::SendText(THEM, text),
                None => return,
            },
        };
        self.asks += 1;
        self.step(Input::Command(Ask(self.asks), command));
    }
}

// What the user can say about what was said.
impl Phone {
    fn chat_command(&mut self, which: u8, words: &str, detail: u8) {
        let chat = self.engine.chat(THEM);
        let lanes = [chat.map(|chat| chat.lane), chat.and_then(|chat| chat.their_lane)];
        let lane = lanes[usize::from(detail & 1)].unwrap_or(LaneId([detail; 16]));
        let message = MessageId { lane, seq: ItemSeq((detail >> 1).into()) };
        let text = Text::parse(words);
        let stay_s = (detail > 100).then_some(u32::from(detail) * 5_000_000);
        let command = match (which % 8, text) {
            (0, Some(text)) => ChatCommand::Edit(message, text),
            (1, _) => ChatCommand::Delete(message),
            (2, _) => match Reactions::parse(words.split(' ').map(String::from)) {
                Some(emoji) => ChatCommand::React(message, emoji),
                None => return,
            },
            (3, _) => ChatCommand::SetStay(stay_s),
            (4, Some(text)) => ChatCommand::Reply(message, text),
            (5, text) => ChatCommand::SetDraft(text),
            (6, _) if detail & 1 == 1 => ChatCommand::SetStorage(Storage::Ephemeral),
            (6, _) => ChatCommand::SetStorage(Storage::Kept),
            _ => ChatCommand::Retry(message),
        };
        self.asks += 1;
        self.step(Input::Command(Ask(self.asks), Command::Chat(THEM, command)));
    }
}

/// What both ends of a handshake must agree on before they can agree on anything else.
fn prologue(pairing: PairingId, initiator: UserId, responder: UserId) -> Vec<u8> {
    let label: &[u8] = b"sidetone friends v1";
    [label, pairing.as_bytes(), initiator.as_bytes(), responder.as_bytes()].concat()
}
