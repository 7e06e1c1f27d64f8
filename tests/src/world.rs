//! A world of phones and one server, in virtual time: the real engine and the real desk, on a network that delays, cuts and
//! loses, with crashes between any two effects. Everything that happens follows from the seed.

mod dice;
mod files;
mod link;
mod nat;
mod phone;
mod room;
mod server;
mod stranger;
mod tap;
mod user;

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use sidetone_crypto::stranger::work;
use sidetone_engine::{Answer, Command, CommandError, Effect, Input, LinkId, News, Now, Time};
use sidetone_wire::frame::Frame;
use sidetone_wire::id::{RoomId, TicketId, UnixMs};

pub use dice::Dice;
pub use files::{Batch, FileDue, Files, file};
pub use link::{Links, Mischief, is_lent};
pub use nat::{Between, Nat};
pub use phone::{Crash, Phone};
pub use room::{Sound, name, push_to_talk};
pub use server::Server;
pub use stranger::entry;
pub use tap::Tap;
pub use user::{Script, live};

/// When the world begins, by the calendar.
const BEGIN_UNIX_MS: u64 = 1_790_000_000_000;
/// When it begins, by the phones' clocks.
const BEGIN_MS: u64 = 1_000_000;

/// Which phone.
pub type PhoneId = usize;

/// Something that will happen.
#[derive(Debug)]
pub enum Due {
    /// Bytes reach the server.
    ToServer(PhoneId, u64, Vec<u8>),
    /// Bytes reach a phone.
    ToPhone(PhoneId, u64, Vec<u8>),
    /// A phone's socket opens.
    Open(PhoneId),
    /// A phone notices that its socket is gone.
    Gone(PhoneId, u64),
    /// A link has news for its phone.
    News(PhoneId, LinkId, News),
    /// An end of a link that carries records carries everything.
    Up(PhoneId, LinkId, News),
    /// Something happens to files.
    File(PhoneId, FileDue),
    /// Sound of a room reaches a phone over a link.
    Sound(PhoneId, LinkId, RoomId, Vec<u8>),
    /// A phone notices whether whoever it listens to is heard.
    Hark(PhoneId, RoomId, u64),
    /// A phone starts again after a crash.
    Restart(PhoneId),
    /// A phone wakes up.
    Wake(PhoneId),
    /// A push comes to a phone.
    Pushed(PhoneId),
    /// A phone did the work for a search.
    Proved(PhoneId, TicketId, Option<u64>),
    /// A phone's network is back.
    Network(PhoneId),
    /// A phone is in this network, after it was in none.
    Landed(PhoneId, sidetone_engine::Network),
    /// An end of a link has heard nothing for a while, if its path is still cut as it was then.
    Silent(PhoneId, LinkId, u32, News),
    /// The server starts again.
    ServerUp,
    /// The server looks at its clock.
    ServerTick,
}

impl Due {
    /// Whether it comes to a phone from one of its links.
    fn comes_by_link_to(&self, phone: PhoneId) -> bool {
        match self {
            Self::News(to, ..) | Self::Up(to, ..) | Self::Sound(to, ..) | Self::Silent(to, ..) => *to == phone,
            Self::File(to, FileDue::Turn(..) | FileDue::Chunks(..)) => *to == phone,
            _ => false,
        }
    }
}

/// What the server does to the envelopes it was asked to route, each once in this many; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lies {
    /// Says it did, and did not.
    pub drop: u64,
    /// Does it twice.
    pub twice: u64,
    /// Holds it back for a second, so that later ones overtake it.
    pub late: u64,
}

/// The world.
pub struct World {
    /// Milliseconds on every phone's monotonic clock.
    pub now_ms: u64,
    /// All chance comes from here.
    pub dice: Dice,
    /// The meeting server.
    pub server: Server,
    /// Everybody.
    pub phones: Vec<Phone>,
    /// The links between them.
    pub links: Links,
    /// How the server lies.
    pub lies: Lies,
    /// What it sees and invents.
    pub tap: Tap,
    /// One step in this many ends in a crash; 0 for none.
    pub crash_one_in: u64,
    /// Whether phones that have to work for a search get it wrong.
    pub wrong_proofs: bool,
    /// Rows that any phone wanted kept, on disk or in memory.
    pub written: u64,
    queue: BTreeMap<(u64, u64), Due>,
    made: u64,
    digest: DefaultHasher,
}

impl World {
    /// A world with so many phones, all off.
    pub fn new(seed: u64, phones: usize) -> Self {
        let mut dice = Dice::new(seed);
        let server = Server::new(dice.seed());
        let phones = (0..phones).map(|id| Phone::new(id, dice.seed())).collect();
        let mut world = Self {
            now_ms: BEGIN_MS,
            dice,
            server,
            phones,
            links: Links::default(),
            lies: Lies::default(),
            tap: Tap::default(),
            crash_one_in: 0,
            wrong_proofs: false,
            written: 0,
            queue: BTreeMap::new(),
            made: 0,
            digest: DefaultHasher::new(),
        };
        world.later(1_000, Due::ServerTick);
        world
    }

    /// The clocks.
    pub fn now(&self) -> Now {
        Now { time: Time(self.now_ms), wall: UnixMs(self.now_ms - BEGIN_MS + BEGIN_UNIX_MS) }
    }

    /// A number that two runs share only if they were the same, byte for byte.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Lets something happen after a while.
    pub fn later(&mut self, ms: u64, due: Due) {
        self.made += 1;
        self.queue.insert((self.now_ms + ms, self.made), due);
    }

    /// Lets the world run for a while.
    pub fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }

    /// Lets the world run until something holds, or for a while. Whether it held.
    pub fn run_until(&mut self, ms: u64, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now_ms + ms;
        loop {
            if holds(self) {
                return true;
            }
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let alarms = self.phones.iter().filter_map(Phone::deadline);
            let next = alarms.chain(queued).min().unwrap_or(end).max(self.now_ms);
            if next > end {
                self.now_ms = end;
                return holds(self);
            }
            self.now_ms = next;
            if queued == Some(next) {
                if let Some((_, due)) = self.queue.pop_first() {
                    self.happen(due);
                }
            } else {
                self.ring_alarms();
            }
        }
    }

    fn ring_alarms(&mut self) {
        for phone in 0..self.phones.len() {
            if self.phones[phone].deadline().is_some_and(|at| at <= self.now_ms) {
                self.step(phone, Input::Tick);
                let again = self.phones[phone].deadline();
                assert!(again.is_none_or(|at| at > self.now_ms), "phone {phone} wants the same moment for ever");
            }
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::ToServer(phone, socket, bytes) => self.at_server(phone, socket, bytes),
            Due::ToPhone(phone, socket, bytes) => self.at_phone(phone, socket, bytes),
            Due::Open(phone) => self.open(phone),
            Due::Gone(phone, socket) => self.socket_gone(phone, socket),
            Due::News(phone, link, news) => self.link_news(phone, link, news),
            Due::Up(phone, link, news) => self.deliver((phone, link), 1, news),
            Due::File(phone, due) => self.file_due(phone, due),
            Due::Sound(phone, link, room, bytes) => self.sound_arrives(phone, link, room, &bytes),
            Due::Hark(phone, room, turn) => self.hark(phone, room, turn),
            Due::Restart(phone) => self.restart(phone),
            Due::Wake(phone) | Due::Pushed(phone) => self.wake(phone),
            Due::Network(phone) => self.connect(phone),
            Due::Landed(phone, network) => self.landed(phone, network),
            Due::Silent(phone, link, count, news) => self.silent(phone, link, count, news),
            Due::Proved(phone, ticket, number) => self.step(phone, Input::Proved(ticket, number)),
            Due::ServerUp => self.server.start(),
            Due::ServerTick => {
                let now = self.now();
                self.server.tick(now);
                self.carry();
                self.later(1_000, Due::ServerTick);
            }
        }
    }

    fn at_phone(&mut self, phone: PhoneId, socket: u64, bytes: Vec<u8>) {
        if let Some(asleep) = self.phones[phone].asleep_for(self.now_ms) {
            return self.later(asleep + 1, Due::ToPhone(phone, socket, bytes));
        }
        if self.phones[phone].socket == Some(socket) {
            let frame = Frame::from_bytes(&bytes).expect("the server speaks the protocol");
            self.step(phone, Input::Server(frame));
        }
    }

    fn link_news(&mut self, phone: PhoneId, link: LinkId, news: News) {
        if let Some(asleep) = self.phones[phone].asleep_for(self.now_ms) {
            return self.later(asleep + 1, Due::News(phone, link, news));
        }
        if self.links.has(phone, link) {
            if matches!(news, News::Down(_)) {
                self.links.forget(phone, link);
            }
            self.step(phone, Input::Link(link, news));
        }
    }

    /// Gives an app's wish to a phone; its outcome is in [`Phone::answers`] unless the phone crashes first.
    pub fn command(&mut self, phone: PhoneId, command: Command) -> sidetone_engine::Ask {
        let ask = self.phones[phone].next_ask();
        self.step(phone, Input::Command(ask, command));
        ask
    }

    /// Gives an app's wish to a phone and runs until its outcome is there.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn ask(&mut self, phone: PhoneId, command: Command) -> Result<Answer, CommandError> {
        let ask = self.command(phone, command);
        assert!(
            self.run_until(60_000, |world| world.phones[phone].answers.contains_key(&ask)),
            "no answer in a minute"
        );
        self.phones[phone].answers[&ask].clone()
    }

    /// One step of one phone, and everything it wants done, by the driver's law: save, then send, then tell.
    pub fn step(&mut self, id: PhoneId, input: Input) {
        let now = self.now();
        let Some(effects) = self.phones[id].step(now, input) else { return };
        for effect in &effects {
            record(&mut self.digest, effect);
        }
        let crash = (self.crash_one_in > 0 && self.dice.one_in(self.crash_one_in)).then(|| self.dice.crash());
        if crash == Some(Crash::BeforeSave) {
            return self.crash(id);
        }
        let mut sends = Vec::new();
        let mut tells = Vec::new();
        let writes = |effect: &&Effect| matches!(effect, Effect::Save(_) | Effect::Hold(_) | Effect::Amend(..));
        self.written += effects.iter().filter(writes).count() as u64;
        for effect in effects {
            match effect {
                Effect::Save(change) => self.phones[id].save(change),
                Effect::Hold(change) => self.phones[id].hold(change),
                Effect::Amend(place, change) => self.phones[id].amend(place, change),
                Effect::Forget(_) => self.phones[id].forget(),
                Effect::Send(_)
                | Effect::Link(..)
                | Effect::Media(..)
                | Effect::Transfer(..)
                | Effect::Sound(..)
                | Effect::Prove(_) => sends.push(effect),
                Effect::Keyed(..) => {}
                Effect::Answer(..) | Effect::Tell(_) => tells.push(effect),
            }
        }
        let sent = match crash {
            Some(Crash::BeforeSend) => 0,
            Some(Crash::AmongSends) => sends.len() / 2,
            _ => sends.len(),
        };
        sends.into_iter().take(sent).for_each(|effect| self.send(id, effect));
        if crash.is_some() {
            return self.crash(id);
        }
        tells.into_iter().for_each(|effect| self.phones[id].tell(now, effect));
    }

    fn send(&mut self, id: PhoneId, effect: Effect) {
        match effect {
            Effect::Send(frame) => {
                let bytes = frame.to_bytes().expect("the engine keeps to the limits");
                let delay = self.dice.within(5, 60);
                if let Some(socket) = self.phones[id].socket {
                    let at = self.phones[id].up.next(self.now_ms + delay);
                    self.later(at - self.now_ms, Due::ToServer(id, socket, bytes));
                }
            }
            Effect::Link(link, order) => self.order(id, link, order),
            Effect::Transfer(transfer, order) => self.file_order(id, transfer, order),
            Effect::Media(call, order) => self.phones[id].media(call, &order),
            Effect::Sound(room, order) => self.room_sound(id, room, order),
            Effect::Prove(puzzle) => {
                let number = match self.wrong_proofs {
                    true => Some(puzzle.begin),
                    false => work(&puzzle.seed, &puzzle.ticket.0, puzzle.bits, puzzle.begin, 1 << 26),
                };
                self.later(800, Due::Proved(id, puzzle.ticket, number));
            }
            _ => {}
        }
    }

    /// A phone dies: its memory, its socket and its links are gone.
    pub fn crash(&mut self, id: PhoneId) {
        if self.phones[id].is_dead() {
            return;
        }
        self.phones[id].die();
        self.drop_socket(id, false);
        self.abandon_links(id);
        let wait = self.dice.within(100, 20_000);
        self.later(wait, Due::Restart(id));
    }

    fn restart(&mut self, id: PhoneId) {
        let seed = self.dice.seed();
        if self.phones[id].start(seed) {
            self.connect(id);
        }
    }

    /// A phone sleeps: nothing reaches it until it wakes.
    pub fn sleep(&mut self, id: PhoneId, ms: u64) {
        if self.phones[id].is_dead() || self.phones[id].asleep_for(self.now_ms).is_some() {
            return;
        }
        self.phones[id].sleep_until(self.now_ms + ms);
        if ms > 30_000 {
            self.abandon_links(id);
        }
        self.later(ms, Due::Wake(id));
    }

    fn wake(&mut self, id: PhoneId) {
        self.phones[id].sleep_until(0);
        if self.phones[id].is_dead() {
            return;
        }
        self.step(id, Input::Tick);
        // Whatever the socket was, the system closed it long ago.
        self.drop_socket(id, true);
        self.connect(id);
    }
}

fn record(digest: &mut DefaultHasher, effect: &Effect) {
    match effect {
        Effect::Save(change) => (change.place, &change.value).hash(digest),
        Effect::Send(frame) => frame.to_bytes().expect("within limits").hash(digest),
        Effect::Link(link, sidetone_engine::Order::Send(bytes)) => (link, bytes).hash(digest),
        other => format!("{other:?}").hash(digest),
    }
}
