//! The real server's desk, its crashes, and the sockets between it and the phones.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sidetone_engine::Input;
use sidetone_server::{Desk, DeskConfig, Leaving, LocalBus, Now as ServerNow, RelayTerms, SocketId, SqliteStore};
use sidetone_wire::account::{Empty, Reply, Request};
use sidetone_wire::frame::{Frame, Granted, Numbered};
use sidetone_wire::id::RequestId;

use super::{Due, PhoneId, World};

type Local = Desk<LocalBus, SqliteStore>;

/// The server, or what is left of it while it is down.
pub struct Server {
    state: State,
    seed: [u8; 32],
    starts: u8,
    sockets: BTreeMap<(PhoneId, u64), SocketId>,
    forged: u64,
    config: DeskConfig,
}

enum State {
    Up(Box<Local>),
    Down(SqliteStore),
    Moving,
}

/// The local bus and store never wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the local bus and store never wait"),
    }
}

fn clock(now: sidetone_engine::Now) -> ServerNow {
    ServerNow { ticks_ms: now.time.0, unix_ms: now.wall.0 }
}

impl Server {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let store = SqliteStore::in_memory().expect("a store in memory");
        let (sockets, config) = (BTreeMap::new(), DeskConfig::default());
        let mut server = Self { state: State::Down(store), seed, starts: 0, sockets, forged: 0, config };
        server.start();
        server
    }

    /// Starts it on what it had stored.
    pub(super) fn start(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Moving) {
            State::Down(store) => {
                self.starts = self.starts.wrapping_add(1);
                self.seed[0] = self.seed[0].wrapping_add(self.starts);
                let desk = Desk::open(self.config.clone(), LocalBus::new(self.seed), store, self.seed);
                State::Up(Box::new(now(desk).expect("the store is whole")))
            }
            other => other,
        };
    }

    /// Has relays to lend from now on; before anybody came.
    pub fn lend_relays(&mut self) {
        let urls = ["stun:198.51.100.9:3478", "turn:198.51.100.9:3478?transport=udp"].map(str::to_owned).into();
        self.stop();
        self.config.relays = Some(RelayTerms { urls, secret: vec![9; 32].into() });
        self.start();
    }

    /// Has phones that sleep woken, from its next start on.
    pub fn wake_phones(&mut self) {
        self.config.push_key = Some(vec![4; 65]);
    }

    fn stop(&mut self) {
        self.sockets.clear();
        self.state = match std::mem::replace(&mut self.state, State::Moving) {
            State::Up(desk) => State::Down(desk.into_store()),
            other => other,
        };
    }

    /// The desk, unless it is down.
    pub fn desk(&mut self) -> Option<&mut Local> {
        match &mut self.state {
            State::Up(desk) => Some(desk),
            State::Down(_) | State::Moving => None,
        }
    }

    pub(super) fn tick(&mut self, at: sidetone_engine::Now) {
        if let Some(desk) = self.desk() {
            now(desk.tick(clock(at)));
        }
    }
}

impl World {
    /// The server dies and comes back after a while, with its store and nothing else.
    pub fn crash_server(&mut self, down_ms: u64) {
        if self.server.desk().is_none() {
            return;
        }
        self.server.stop();
        for phone in 0..self.phones.len() {
            if let Some(socket) = self.phones[phone].socket {
                self.later(50, Due::Gone(phone, socket));
            }
        }
        self.later(down_ms, Due::ServerUp);
    }

    /// A phone has a network (again) and looks for the server.
    pub fn connect(&mut self, phone: PhoneId) {
        self.phones[phone].online = true;
        if self.phones[phone].socket.is_none() {
            let wait = self.dice.within(10, 2_000);
            self.later(wait, Due::Open(phone));
        }
    }

    pub(super) fn open(&mut self, phone: PhoneId) {
        let busy = self.phones[phone].socket.is_some() || self.phones[phone].is_dead();
        if busy || !self.phones[phone].online || self.phones[phone].asleep_for(self.now_ms).is_some() {
            return;
        }
        let at = clock(self.now());
        let Some(desk) = self.server.desk() else { return self.later(1_000, Due::Open(phone)) };
        let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, phone as u8 + 1));
        let id = now(desk.connect(at, from));
        let socket = self.phones[phone].next_socket();
        self.server.sockets.insert((phone, socket), id);
        self.phones[phone].socket = Some(socket);
        self.step(phone, Input::Online(true));
        self.carry();
    }

    pub(super) fn at_server(&mut self, phone: PhoneId, socket: u64, bytes: Vec<u8>) {
        let at = clock(self.now());
        let Some(id) = self.server.sockets.get(&(phone, socket)).copied() else { return };
        let bytes = self.tap.up(phone, bytes);
        if self.lie(phone, socket, &bytes) {
            return self.carry();
        }
        if let Some(desk) = self.server.desk() {
            now(desk.receive(at, id, &bytes));
        }
        self.carry();
    }

    /// Whether the server dealt with a request to route in its own way.
    fn lie(&mut self, phone: PhoneId, socket: u64, bytes: &[u8]) -> bool {
        let Ok(Frame::Request(numbered)) = Frame::from_bytes(bytes) else { return false };
        if !matches!(numbered.request, Request::Route(_) | Request::RouteRoom(_) | Request::RouteStranger(_))
            || numbered.id.0 >= FORGED
        {
            return false;
        }
        let lies = self.lies;
        let mut once = |n| n > 0 && self.dice.one_in(n);
        let (drop, twice, late) = (once(lies.drop), once(lies.twice), once(lies.late));
        if twice || late {
            self.server.forged += 1;
            let id = RequestId(FORGED + self.server.forged);
            let again = Frame::Request(Numbered { id, request: numbered.request }).to_bytes();
            let wait = if late { 1_000 } else { 1 };
            self.later(wait, Due::ToServer(phone, socket, again.expect("as long as before")));
        }
        if drop || late {
            let done = Frame::Reply(Granted { id: numbered.id, reply: Reply::Done(Empty::default()) });
            self.deliver_frame(phone, socket, done.to_bytes().expect("short"));
        }
        drop || late
    }

    /// Carries what the desk has to say to the phones.
    pub(super) fn carry(&mut self) {
        let at = clock(self.now());
        let Some(desk) = self.server.desk() else { return };
        let wakes = desk.wakes();
        let mut out = Vec::new();
        for id in desk.ready() {
            out.push((id, now(desk.take(at, id))));
        }
        for wake in wakes {
            if let Some(phone) = self.phones.iter().position(|phone| phone.user() == Some(wake.user)) {
                let wait = self.dice.within(200, 1_500);
                self.later(wait, Due::Pushed(phone));
            }
        }
        for (id, outgoing) in out {
            let found = self.server.sockets.iter().find(|(_, socket)| **socket == id).map(|(key, _)| *key);
            let Some((phone, socket)) = found else { continue };
            for frame in outgoing.frames {
                self.deliver_frame(phone, socket, frame);
            }
            if outgoing.close {
                self.server.sockets.remove(&(phone, socket));
                let wait = self.phones[phone].down.next(self.now_ms + 60) - self.now_ms;
                self.later(wait, Due::Gone(phone, socket));
            }
        }
    }

    fn deliver_frame(&mut self, phone: PhoneId, socket: u64, bytes: Vec<u8>) {
        let bytes = self.tap.down(phone, bytes);
        let delay = self.dice.within(5, 60);
        let at = self.phones[phone].down.next(self.now_ms + delay);
        self.later(at - self.now_ms, Due::ToPhone(phone, socket, bytes));
    }

    /// A phone's socket breaks; bytes on their way are lost. The phone notices at once or never (it died).
    pub(super) fn drop_socket(&mut self, phone: PhoneId, notice: bool) {
        let Some(socket) = self.phones[phone].socket.take() else { return };
        let at = clock(self.now());
        if let Some(id) = self.server.sockets.remove(&(phone, socket)) {
            if let Some(desk) = self.server.desk() {
                now(desk.closed(at, id, Leaving::Dropped));
            }
            self.carry();
        }
        if notice {
            self.step(phone, Input::Online(false));
        }
    }

    /// An app is not seen any more: it leaves the server, and is frozen until a push comes.
    pub fn freeze(&mut self, phone: PhoneId) {
        self.drop_socket(phone, true);
        self.sleep(phone, 24 * 3_600_000);
    }

    /// A phone loses its network for a while.
    pub fn cut(&mut self, phone: PhoneId, ms: u64) {
        if !self.phones[phone].online {
            return;
        }
        self.phones[phone].online = false;
        self.drop_socket(phone, true);
        self.later(ms, Due::Network(phone));
    }

    pub(super) fn socket_gone(&mut self, phone: PhoneId, socket: u64) {
        if self.phones[phone].socket == Some(socket) {
            self.drop_socket(phone, self.phones[phone].asleep_for(self.now_ms).is_none());
            if self.phones[phone].online && !self.phones[phone].is_dead() {
                self.connect(phone);
            }
        }
    }
}

/// Requests that the lying server makes in a phone's name have numbers from here.
const FORGED: u64 = 1 << 60;
