//! The real server's desk under a script of sockets, bytes and time.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sidetone_crypto::identity::Identity;
use sidetone_server::{Act, Desk, DeskConfig, Enrolled, Leaving, LocalBus, NewAccount, Now, SocketId};
use sidetone_server::{SqliteStore, Store};
use sidetone_wire::VERSION;
use sidetone_wire::frame::{Frame, Hello};
use sidetone_wire::id::{DeviceId, IdentityKey, Secret, UserId};
use sidetone_wire::limits::FRAME_BYTES;

use super::Script;

/// SHA-256 of 32 bytes of 1, of 2 and of 3: what the store keeps of such tokens.
const TOKENS: [[u8; 32]; 3] = [
    hash("72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793"),
    hash("75877bb41d393b5fb8455ce60ecd8dda001d06316496b14dfa7f895656eeca4a"),
    hash("648aa5c579fb30f38af744d97d6ec840c7a91277a499a0d780f3e7314eca090b"),
];

const fn hash(digits: &str) -> [u8; 32] {
    let (digits, mut bytes, mut at) = (digits.as_bytes(), [0; 32], 0);
    while at < 64 {
        let digit = if digits[at] < b'a' { digits[at] - b'0' } else { digits[at] - b'a' + 10 };
        bytes[at / 2] = bytes[at / 2] << 4 | digit;
        at += 1;
    }
    bytes
}

/// The server between sockets that do what a script says. Two of its three accounts are friends.
pub fn desk(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut room = Room::new();
    while let Some(deed) = script.deed() {
        room.happen(deed, &mut script);
    }
    room.listen();
}

struct Room {
    desk: Desk<LocalBus, SqliteStore>,
    now: Now,
    sockets: Vec<SocketId>,
}

impl Room {
    fn new() -> Self {
        let mut store = SqliteStore::in_memory().expect("a store in memory");
        for who in 1..=3 {
            assert_eq!(at_once(store.enroll(account(who))), Ok(Enrolled::Done), "the store is empty");
        }
        let users = [UserId([1; 16]), UserId([2; 16])];
        for (us, them) in [(users[0], users[1]), (users[1], users[0])] {
            at_once(store.relate(us, them, Act::Ask)).expect("both are there");
        }
        let desk = at_once(Desk::open(DeskConfig::default(), LocalBus::new([7; 32]), store, [8; 32]));
        let now = Now { ticks_ms: 1_000_000, unix_ms: 1_790_000_000_000 };
        Self { desk: desk.expect("the store is whole"), now, sockets: Vec::new() }
    }

    fn happen(&mut self, deed: u8, script: &mut Script<'_>) {
        match deed % 8 {
            0 => self.pass(u64::from(script.number())),
            1 => self.pass(u64::from(script.number()) * 1_000),
            2 if self.sockets.len() < 8 => {
                let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, script.byte()));
                self.sockets.push(at_once(self.desk.connect(self.now, from)));
            }
            3 => self.say_hello(script),
            4 => self.hang_up(script),
            5 => self.listen(),
            6 => {
                if script.byte() == 0xff {
                    at_once(self.desk.drain(self.now));
                }
            }
            _ => {
                let Some(socket) = self.socket(script) else { return };
                at_once(self.desk.receive(self.now, socket, script.block()));
            }
        }
    }

    fn socket(&self, script: &mut Script<'_>) -> Option<SocketId> {
        let which = usize::from(script.byte()).checked_rem(self.sockets.len())?;
        Some(self.sockets[which])
    }

    fn pass(&mut self, ms: u64) {
        self.now = Now { ticks_ms: self.now.ticks_ms + ms, unix_ms: self.now.unix_ms + ms };
        at_once(self.desk.tick(self.now));
    }

    fn say_hello(&mut self, script: &mut Script<'_>) {
        let Some(socket) = self.socket(script) else { return };
        let token = Some(Secret([script.byte() % 4; 32]));
        let hello = Frame::Hello(Hello { oldest: VERSION, newest: VERSION, token, resume: None });
        at_once(self.desk.receive(self.now, socket, &hello.to_bytes().expect("short")));
    }

    fn hang_up(&mut self, script: &mut Script<'_>) {
        let Some(socket) = self.socket(script) else { return };
        self.sockets.retain(|other| *other != socket);
        let how = if script.byte() == 0 { Leaving::Dropped } else { Leaving::Goodbye };
        at_once(self.desk.closed(self.now, socket, how));
    }

    /// Takes what there is for every socket: the server speaks the protocol whatever is said to it.
    fn listen(&mut self) {
        for socket in self.desk.ready() {
            let outgoing = at_once(self.desk.take(self.now, socket));
            for frame in &outgoing.frames {
                assert!(frame.len() <= FRAME_BYTES, "a frame of {} bytes", frame.len());
                assert!(Frame::from_bytes(frame).is_ok(), "the server speaks the protocol");
            }
            if outgoing.close {
                self.sockets.retain(|other| *other != socket);
            }
        }
    }
}

fn account(who: u8) -> NewAccount {
    let name = ["ada", "ben", "cleo"][usize::from(who) - 1].to_owned();
    NewAccount {
        user: UserId([who; 16]),
        skeleton: name.clone(),
        name,
        tombstone: [who; 32],
        record: vec![who; 192],
        identity: IdentityKey(*Identity::from_seed([who; 32]).public().as_bytes()),
        email: vec![who; 48],
        email_mac: [who; 32],
        device: DeviceId([who; 16]),
        token: TOKENS[usize::from(who) - 1],
        day: 20_000,
    }
}

/// The local bus and store never wait.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the local bus and store never wait"),
    }
}
