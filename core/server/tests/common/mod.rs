//! Phones and a clock around one desk: bytes in, bytes out, time by hand.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::new_without_default, reason = "tests")]

pub mod turned;
pub mod wired;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, Identifiers, RegistrationResponse, Ristretto255, TripleDh, rand,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use sidetone_wire::id::*;

/// The value of a future that never waits.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a local future waited"),
    }
}

pub const START: Now = Now { ticks_ms: 1_000, unix_ms: 1_790_000_000_000 };
pub const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

pub struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_for_opaque::Sha512>;
    type Ksf = argon2::Argon2<'static>;
}

fn least() -> argon2::Argon2<'static> {
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
}

fn identifiers(name: &str) -> Identifiers<'_> {
    Identifiers { client: Some(name.as_bytes()), server: Some(b"sidetone") }
}

/// What phones draw: another stream for every draw, the same in every run.
pub struct Dice(ChaCha20Rng);

thread_local! {
    static THROWN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Dice {
    pub fn new() -> Self {
        THROWN.set(THROWN.get() + 1);
        Self(ChaCha20Rng::seed_from_u64(THROWN.get()))
    }
}

impl rand::CryptoRng for Dice {}

impl rand::RngCore for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

/// What came for one socket.
#[derive(Default)]
pub struct Inbox {
    pub frames: Vec<Frame>,
    pub raw: Vec<Vec<u8>>,
    pub closed: bool,
}

pub struct World {
    pub desk: Desk<LocalBus, SqliteStore>,
    pub now: Now,
    pub inboxes: BTreeMap<SocketId, Inbox>,
    pub config: DeskConfig,
    lives: u8,
}

/// Limits that do not get into the way of a test about something else.
pub fn roomy() -> DeskConfig {
    let plenty = Rate { burst: 1_000_000, every_ms: 1 };
    let limits = Limits {
        connects: plenty,
        registrations: plenty,
        logins: plenty,
        requests: plenty,
        routes: plenty,
        rooms: plenty,
        entries: plenty,
        knocks: plenty,
    };
    DeskConfig { limits, relays: None, adults_only: false, push_key: None }
}

impl World {
    pub fn new() -> Self {
        Self::with(roomy(), SqliteStore::in_memory().unwrap())
    }

    pub fn with(config: DeskConfig, store: SqliteStore) -> Self {
        let desk = ready(Desk::open(config.clone(), LocalBus::new([1; 32]), store, [2; 32])).unwrap();
        Self { desk, now: START, inboxes: BTreeMap::new(), config, lives: 2 }
    }

    /// The process dies and another one takes its place: sockets and sessions are gone, the store is what it was.
    pub fn restart(self) -> Self {
        let Self { desk, now, config, lives, .. } = self;
        let seed = [lives + 1; 32];
        let desk = ready(Desk::open(config.clone(), LocalBus::new(seed), desk.into_store(), seed)).unwrap();
        Self { desk, now, inboxes: BTreeMap::new(), config, lives: lives + 1 }
    }

    pub fn pass(&mut self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let step = left.min(1_000);
            self.now.ticks_ms += step;
            self.now.unix_ms += step;
            left -= step;
            ready(self.desk.tick(self.now));
            self.settle();
        }
    }

    /// Time passes and these phones say that they are there.
    pub fn live(&mut self, ms: u64, phones: &[&Phone]) {
        for _ in 0..ms / 15_000 {
            self.pass(15_000);
            for phone in phones {
                self.feed(phone.socket.unwrap(), &Frame::Ping(Empty::default()).to_bytes().unwrap());
            }
        }
    }

    pub fn connect(&mut self) -> SocketId {
        self.connect_from(HOME)
    }

    pub fn connect_from(&mut self, from: IpAddr) -> SocketId {
        let socket = ready(self.desk.connect(self.now, from));
        self.inboxes.insert(socket, Inbox::default());
        self.settle();
        socket
    }

    pub fn feed(&mut self, socket: SocketId, bytes: &[u8]) {
        ready(self.desk.receive(self.now, socket, bytes));
        self.settle();
    }

    /// Takes whatever waits for whatever socket.
    pub fn settle(&mut self) {
        loop {
            let sockets = self.desk.ready();
            if sockets.is_empty() {
                return;
            }
            for socket in sockets {
                let out = ready(self.desk.take(self.now, socket));
                let inbox = self.inboxes.entry(socket).or_default();
                inbox.frames.extend(out.frames.iter().map(|bytes| Frame::from_bytes(bytes).unwrap()));
                inbox.raw.extend(out.frames);
                inbox.closed |= out.close;
            }
        }
    }

    pub fn drop_socket(&mut self, socket: SocketId) {
        ready(self.desk.closed(self.now, socket, Leaving::Dropped));
        self.settle();
        self.inboxes.remove(&socket);
    }

    pub fn goodbye(&mut self, socket: SocketId) {
        ready(self.desk.closed(self.now, socket, Leaving::Goodbye));
        self.settle();
        self.inboxes.remove(&socket);
    }

    /// Why a socket was closed.
    pub fn goaway(&self, socket: SocketId) -> Option<Code> {
        let inbox = self.inboxes.get(&socket)?;
        match inbox.frames.last() {
            Some(Frame::Goaway(why)) if inbox.closed => Some(why.code),
            _ => None,
        }
    }
}

/// A phone that keeps to the protocol.
pub struct Phone {
    pub name: String,
    pub password: String,
    pub email: String,
    pub device: DeviceId,
    pub identity: IdentityKey,
    pub socket: Option<SocketId>,
    pub session: Option<(SessionId, Secret)>,
    pub token: Option<Secret>,
    pub user: Option<UserId>,
    pub last: u64,
    pub events: Vec<Event>,
    pub next: u64,
}

impl Phone {
    pub fn new(name: &str) -> Self {
        let seed = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        Self {
            name: name.into(),
            password: format!("password of {name}"),
            email: match name.is_ascii() {
                true => format!("{}@example.org", name.to_lowercase().replace(' ', ".")),
                false => format!("{}@example.org", hex::encode(&seed.as_ref()[..8])),
            },
            device: DeviceId(seed.as_ref()[..16].try_into().unwrap()),
            identity: IdentityKey(seed.as_ref().try_into().unwrap()),
            socket: None,
            session: None,
            token: None,
            user: None,
            last: 0,
            events: Vec::new(),
            next: 0,
        }
    }

    /// A phone with an account, connected.
    pub fn registered(world: &mut World, name: &str) -> Self {
        let mut phone = Self::new(name);
        phone.connect(world);
        phone.register(world).unwrap();
        phone
    }

    pub fn user(&self) -> UserId {
        self.user.unwrap()
    }

    pub fn hello(&self) -> Hello {
        let resume = self.session.clone().map(|(session, secret)| Resume { session, secret, last: Seq(self.last) });
        Hello { oldest: 1, newest: 1, token: self.token.clone(), resume }
    }

    /// Opens a socket and says hello; gives whether the session went on.
    pub fn connect(&mut self, world: &mut World) -> bool {
        let socket = world.connect();
        self.socket = Some(socket);
        world.feed(socket, &Frame::Hello(self.hello()).to_bytes().unwrap());
        let frames = &world.inboxes[&socket].frames;
        let Some(Frame::Welcome(welcome)) = frames.first().cloned() else { panic!("no welcome: {frames:?}") };
        if !welcome.resumed {
            self.last = 0;
        }
        self.session = Some((welcome.session, welcome.secret));
        self.listen(world);
        welcome.resumed
    }

    pub fn drop_socket(&mut self, world: &mut World) {
        if let Some(socket) = self.socket.take() {
            world.drop_socket(socket);
        }
    }

    /// Takes the events that came, checks their order, acknowledges them.
    pub fn listen(&mut self, world: &mut World) {
        self.take_events(world);
        if let Some(socket) = self.socket {
            world.feed(socket, &Frame::Ack(Acked { seq: Seq(self.last) }).to_bytes().unwrap());
        }
    }

    pub fn take_events(&mut self, world: &mut World) {
        let Some(socket) = self.socket else { return };
        let inbox = world.inboxes.get_mut(&socket).unwrap();
        let (told, rest) =
            std::mem::take(&mut inbox.frames).into_iter().partition(|one| matches!(one, Frame::Event(_)));
        inbox.frames = rest;
        for frame in told {
            let Frame::Event(Told { seq, event }) = frame else { unreachable!() };
            assert_eq!(seq.0, self.last + 1, "an event was lost, doubled or reordered");
            self.last = seq.0;
            self.events.push(event);
        }
    }

    /// The events since the last call.
    pub fn news(&mut self, world: &mut World) -> Vec<Event> {
        self.listen(world);
        std::mem::take(&mut self.events)
    }

    pub fn send(&mut self, world: &mut World, id: u64, request: Request) {
        let frame = Frame::Request(Numbered { id: RequestId(id), request });
        world.feed(self.socket.unwrap(), &frame.to_bytes().unwrap());
    }

    /// The answer to a request, if it came.
    pub fn answer(&mut self, world: &mut World, id: u64) -> Option<Result<Reply, Refusal>> {
        let inbox = world.inboxes.get_mut(&self.socket?)?;
        let is = |frame: &Frame| match frame {
            Frame::Reply(granted) => granted.id == RequestId(id),
            Frame::Refused(refused) => refused.id == RequestId(id),
            _ => false,
        };
        let at = inbox.frames.iter().position(is)?;
        match inbox.frames.remove(at) {
            Frame::Reply(granted) => Some(Ok(granted.reply)),
            Frame::Refused(refused) => Some(Err(refused.refusal)),
            _ => unreachable!(),
        }
    }

    pub fn ask(&mut self, world: &mut World, request: Request) -> Result<Reply, Code> {
        self.next += 1;
        let id = self.next;
        self.send(world, id, request);
        self.answer(world, id).expect("every request is answered").map_err(|refusal| refusal.code)
    }

    pub fn register(&mut self, world: &mut World) -> Result<(), Code> {
        let (state, request) = self.begin_registration();
        let reply = self.ask(world, request)?;
        let Reply::Opaque(opaque) = reply else { panic!("{reply:?}") };
        let request = self.end_registration(state, opaque);
        let reply = self.ask(world, request)?;
        self.signed_in(reply);
        Ok(())
    }

    pub fn begin_registration(&self) -> (ClientRegistration<Suite>, Request) {
        let started = ClientRegistration::<Suite>::start(&mut Dice::new(), self.password.as_bytes()).unwrap();
        let message = started.message.serialize().to_vec().into();
        (started.state, Request::RegisterStart(OpaqueStart { name: self.name.clone(), message }))
    }

    pub fn end_registration(&self, state: ClientRegistration<Suite>, opaque: OpaqueReply) -> Request {
        let OpaqueReply { ticket, message, name } = opaque;
        let response = RegistrationResponse::deserialize(&message).unwrap();
        let ksf = least();
        let parameters = ClientRegistrationFinishParameters::new(identifiers(&name), Some(&ksf));
        let finished = state.finish(&mut Dice::new(), self.password.as_bytes(), response, parameters).unwrap();
        let (identity, device) = (self.identity, self.device);
        let record = finished.message.serialize().to_vec().into();
        let email = self.email.clone();
        Request::RegisterFinish(RegisterFinish { ticket, record, email, identity, device })
    }

    /// The server's answer to the first half of a login.
    pub fn login_start(&mut self, world: &mut World) -> (ClientLogin<Suite>, OpaqueReply) {
        let started = ClientLogin::<Suite>::start(&mut Dice::new(), self.password.as_bytes()).unwrap();
        let message = started.message.serialize().to_vec().into();
        let reply = self.ask(world, Request::LoginStart(OpaqueStart { name: self.name.clone(), message }));
        let Ok(Reply::Opaque(opaque)) = reply else { panic!("{reply:?}") };
        (started.state, opaque)
    }

    pub fn login(&mut self, world: &mut World) -> Result<(), Code> {
        let (state, OpaqueReply { ticket, message, name }) = self.login_start(world);
        let response = CredentialResponse::deserialize(&message).unwrap();
        let ksf = least();
        let parameters = ClientLoginFinishParameters::new(None, identifiers(&name), Some(&ksf));
        let Ok(finished) = state.finish(&mut Dice::new(), self.password.as_bytes(), response, parameters) else {
            return Err(Code::WrongLogin);
        };
        let message = finished.message.serialize().to_vec().into();
        let (identity, device) = (self.identity, self.device);
        let reply = self.ask(world, Request::LoginFinish(LoginFinish { ticket, message, identity, device }))?;
        self.signed_in(reply);
        Ok(())
    }

    pub fn signed_in(&mut self, reply: Reply) {
        let Reply::SignedIn(signed_in) = reply else { panic!("{reply:?}") };
        self.user = Some(signed_in.user);
        self.token = Some(signed_in.token);
    }

    pub fn roster(&mut self, world: &mut World) -> Vec<Person> {
        let mut people = Vec::new();
        for page in 0.. {
            let Ok(Reply::Roster(roster)) = self.ask(world, Request::Roster(Page { page })) else { panic!() };
            people.extend(roster.people);
            if !roster.more {
                break;
            }
        }
        people
    }

    pub fn befriend(&mut self, world: &mut World, name: &str) -> Result<Reply, Code> {
        self.ask(world, Request::Befriend(Name { name: name.into() }))
    }

    pub fn route(&mut self, world: &mut World, to: UserId, bytes: Vec<u8>) -> Result<Reply, Code> {
        self.ask(world, Request::Route(Envelope { to, class: Class::Control, bytes: bytes.into() }))
    }
}

/// Two phones with accounts that are friends and heard about it.
pub fn friends(world: &mut World) -> (Phone, Phone) {
    let mut ada = Phone::registered(world, "ada");
    let mut bob = Phone::registered(world, "bob");
    make_friends(world, &mut ada, &mut bob);
    (ada, bob)
}

pub fn make_friends(world: &mut World, ada: &mut Phone, bob: &mut Phone) {
    ada.befriend(world, &bob.name).unwrap();
    bob.ask(world, Request::Accept(User { user: ada.user() })).unwrap();
    ada.news(world);
    bob.news(world);
}

/// The first bytes of each sealed event.
pub fn sealed(events: &[Event]) -> Vec<Vec<u8>> {
    let bytes = |event: &Event| match event {
        Event::Sealed(delivered) => Some(delivered.bytes.to_vec()),
        _ => None,
    };
    events.iter().filter_map(bytes).collect()
}
