//! The simulated world, for an app's tests: the real engine and the real server in virtual time, in one seed.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use proving::world::{Lies, Nat, World, push_to_talk};
use sidetone_engine::floor::{FloorState, Priority};
use sidetone_engine::room::{Memory, RoomCommand};
use sidetone_engine::{Answer, CallState, Command, Relay, Route};
use sidetone_wire::id::RoomId;
use sidetone_wire::record::Text;

use crate::server::TestProblem;

/// The most phones in one world.
const PHONES: u32 = 16;

/// How the server of a simulated world lies: one envelope in so many, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ServerLies {
    /// Says it passed it on, and did not.
    pub drop_one_in: u64,
    /// Passes it on twice.
    pub twice_one_in: u64,
    /// Passes it on a second late.
    pub late_one_in: u64,
}

/// How a phone's call stands in a simulated world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SimCall {
    /// It is in no call.
    Nothing,
    /// It rings.
    Ringing,
    /// It was answered.
    Connecting,
    /// Both can speak.
    Connected,
    /// The link is being made again.
    Reconnecting,
}

/// What a simulated phone's network does to whoever wants to reach it directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SimNat {
    /// It is in one network with the others.
    Lan,
    /// It has an address of its own.
    Open,
    /// A router at home: it lets in whom the phone has written to.
    Home,
    /// Many mobile networks: nobody can know the phone's address before.
    Symmetric,
    /// Only a relay is reached: some offices and hotels.
    Blocked,
}

/// How a call travels in a simulated world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SimRoute {
    /// From phone to phone.
    Direct,
    /// Through a relay of ours.
    OurRelay,
    /// Through a relay of theirs.
    TheirRelay,
    /// Through both.
    BothRelays,
}

/// How the floor stands for a phone in the room of a simulated world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SimFloor {
    /// Nobody speaks.
    Free,
    /// Somebody else speaks, or will.
    Taken,
    /// The phone waits for its turn.
    Waiting,
    /// The phone speaks.
    Speaking,
}

/// A world of phones and one server. Nothing in it happens but by `advance` and what waits inside; nothing in it takes
/// real time; the same seed and the same calls give the same log, to the byte.
#[derive(uniffi::Object)]
pub struct SimWorld {
    inside: Mutex<Inside>,
}

struct Inside {
    world: World,
    /// The room of the world, once it was opened.
    room: Option<RoomId>,
    log: RefCell<Log>,
}

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    seen: Vec<usize>,
}

#[uniffi::export]
impl SimWorld {
    /// A world with so many phones, at most 16, all switched off.
    #[uniffi::constructor]
    pub fn new(seed: u64, phones: u32) -> Result<Arc<Self>, TestProblem> {
        if phones > PHONES {
            return Err(TestProblem::new("a world has at most 16 phones"));
        }
        let world = World::new(seed, usize::try_from(phones).unwrap_or(0));
        Ok(Arc::new(Self { inside: Mutex::new(Inside { world, room: None, log: RefCell::default() }) }))
    }

    /// Switches a phone on and makes an account on it.
    pub fn register(&self, phone: u32, name: &str) -> Result<(), TestProblem> {
        self.with([phone], |inside, [phone]| inside.world.register(phone, name)).map(|_| ())
    }

    /// Makes two registered people friends.
    pub fn befriend(&self, one: u32, other: u32) -> Result<(), TestProblem> {
        self.with([one, other], |inside, [one, other]| inside.world.befriend(one, other))
    }

    /// Lets so many milliseconds pass.
    pub fn advance(&self, ms: u64) -> Result<(), TestProblem> {
        self.with([], |inside, []| inside.run(ms))
    }

    /// Milliseconds since the world began.
    pub fn now_ms(&self) -> u64 {
        self.lock().world.now().time.0
    }

    /// One phone says something to another.
    pub fn send_text(&self, from: u32, to: u32, text: &str) -> Result<(), TestProblem> {
        let text = Text::parse(text).ok_or_else(|| TestProblem::new("not a text"))?;
        self.command([from, to], |[_, to]| Command::SendText(to, text)).map(drop)
    }

    /// What one phone holds of another's texts, oldest first.
    pub fn texts(&self, phone: u32, of: u32) -> Result<Vec<String>, TestProblem> {
        self.with([phone, of], |inside, [phone, of]| {
            inside.world.phones[of].user().map(|user| inside.world.phones[phone].texts(user, true)).unwrap_or_default()
        })
    }

    /// One phone calls another.
    pub fn call(&self, from: u32, to: u32) -> Result<(), TestProblem> {
        self.command([from, to], |[_, to]| Command::Call(to)).map(drop)
    }

    /// A phone takes the call that rings.
    pub fn answer(&self, phone: u32) -> Result<(), TestProblem> {
        self.in_call(phone, Command::AnswerCall)
    }

    /// A phone ends its call, declines the one that rings, or gives up.
    pub fn hang_up(&self, phone: u32) -> Result<(), TestProblem> {
        self.in_call(phone, Command::HangUp)
    }

    /// How a phone's call stands.
    pub fn call_state(&self, phone: u32) -> Result<SimCall, TestProblem> {
        self.with([phone], |inside, [phone]| match inside.world.phones[phone].call().map(|call| call.state) {
            None | Some(CallState::Ended(_)) => SimCall::Nothing,
            Some(CallState::Ringing) => SimCall::Ringing,
            Some(CallState::Connecting) => SimCall::Connecting,
            Some(CallState::Connected) => SimCall::Connected,
            Some(CallState::Reconnecting(_)) => SimCall::Reconnecting,
        })
    }

    /// How a phone's call travels; nothing while it does not.
    pub fn call_route(&self, phone: u32) -> Result<Option<SimRoute>, TestProblem> {
        self.with([phone], |inside, [phone]| {
            inside.world.phones[phone].call().and_then(|call| call.route).map(|route| match route {
                Route::Direct(_) => SimRoute::Direct,
                Route::Relayed(Relay::Us, _) => SimRoute::OurRelay,
                Route::Relayed(Relay::Them, _) => SimRoute::TheirRelay,
                Route::Relayed(Relay::Both, _) => SimRoute::BothRelays,
            })
        })
    }

    /// Switches a phone on without an account: enough for a room.
    pub fn switch_on(&self, phone: u32) -> Result<(), TestProblem> {
        self.with([phone], |inside, [phone]| inside.world.switch_on(phone))
    }

    /// A phone opens the world's room, of push-to-talk; a new one if there was one.
    pub fn open_room(&self, phone: u32) -> Result<(), TestProblem> {
        self.with([phone], |inside, [phone]| {
            inside.room = Some(inside.world.open_room(phone, push_to_talk(), Memory::Nothing));
        })
    }

    /// A phone enters the world's room by a link that another, who is in it, gives.
    pub fn join_room(&self, phone: u32, by: u32) -> Result<(), TestProblem> {
        let joined = self.in_room([phone, by], |inside, room, [phone, by]| {
            let invitation = inside.world.invitation(by, room);
            inside.world.join_room(phone, invitation)
        })?;
        joined.map(drop).map_err(|error| TestProblem::new(format!("{error:?}")))
    }

    /// How many others a phone has a link to in the world's room.
    pub fn room_links(&self, phone: u32) -> Result<u32, TestProblem> {
        self.in_room([phone], |inside, room, [phone]| {
            let view = inside.world.view(phone, room);
            let here = |presence| matches!(presence, sidetone_engine::room::Presence::Here(_));
            let count = view.map_or(0, |view| view.members.iter().filter(|member| here(member.presence)).count());
            u32::try_from(count).unwrap_or(u32::MAX)
        })
    }

    /// A phone's user holds the button down.
    pub fn press(&self, phone: u32) -> Result<(), TestProblem> {
        self.in_room([phone], |inside, room, [phone]| inside.world.press(phone, room, Priority::Normal))
    }

    /// A phone's user lets it go.
    pub fn release(&self, phone: u32) -> Result<(), TestProblem> {
        self.in_room([phone], |inside, room, [phone]| inside.world.let_go(phone, room))
    }

    /// A phone leaves the world's room.
    pub fn leave_room(&self, phone: u32) -> Result<(), TestProblem> {
        let left =
            self.in_room([phone], |inside, room, [phone]| inside.world.ask_room(phone, RoomCommand::Leave(room)))?;
        left.map(drop).map_err(|error| TestProblem::new(format!("{error:?}")))
    }

    /// How the floor stands for a phone.
    pub fn floor(&self, phone: u32) -> Result<SimFloor, TestProblem> {
        self.in_room([phone], |inside, room, [phone]| match inside.world.floor(phone, room) {
            None | Some(FloorState::Idle) => SimFloor::Free,
            Some(FloorState::Taken(_) | FloorState::Reserved(_)) => SimFloor::Taken,
            Some(FloorState::Requesting | FloorState::Queued(_)) => SimFloor::Waiting,
            Some(FloorState::Speaking) => SimFloor::Speaking,
        })
    }

    /// Where a phone is, for links that are made from now on.
    pub fn set_nat(&self, phone: u32, nat: SimNat) -> Result<(), TestProblem> {
        let nat = match nat {
            SimNat::Lan => Nat::Lan,
            SimNat::Open => Nat::Open,
            SimNat::Home => Nat::Home,
            SimNat::Symmetric => Nat::Symmetric,
            SimNat::Blocked => Nat::Blocked,
        };
        self.with([phone], |inside, [phone]| {
            inside.world.links.between.nats.insert(phone, nat);
        })
    }

    /// Whether there are relays, for links that are made from now on.
    pub fn set_relays(&self, there: bool) -> Result<(), TestProblem> {
        self.with([], |inside, []| inside.world.links.between.relays_down = !there)
    }

    /// From now on one packet between phones in so many is lost; 0 for none. What must arrive is sent again and comes late.
    pub fn lose(&self, one_in: u64) -> Result<(), TestProblem> {
        self.with([], |inside, []| inside.world.links.between.loss_one_in = one_in)
    }

    /// A phone's app dies, and starts again after at most twenty seconds.
    pub fn crash(&self, phone: u32) -> Result<(), TestProblem> {
        self.with([phone], |inside, [phone]| inside.world.crash(phone))
    }

    /// A phone sleeps: nothing reaches it until it wakes.
    pub fn sleep(&self, phone: u32, ms: u64) -> Result<(), TestProblem> {
        self.with([phone], |inside, [phone]| inside.world.sleep(phone, ms))
    }

    /// A phone has no network for so long, and another one afterwards.
    pub fn hand_over(&self, phone: u32, ms: u64) -> Result<(), TestProblem> {
        self.with([phone], |inside, [phone]| inside.world.cut(phone, ms))
    }

    /// Nothing passes directly between phones for so long.
    pub fn outage(&self, ms: u64) -> Result<(), TestProblem> {
        self.with([], |inside, []| inside.world.outage(ms))
    }

    /// The server dies, and is back after a while with its store.
    pub fn crash_server(&self, ms: u64) -> Result<(), TestProblem> {
        self.with([], |inside, []| inside.world.crash_server(ms))
    }

    /// The server lies from now on.
    pub fn lie(&self, lies: ServerLies) -> Result<(), TestProblem> {
        let lies = Lies { drop: lies.drop_one_in, twice: lies.twice_one_in, late: lies.late_one_in };
        self.with([], |inside, []| inside.world.lies = lies)
    }

    /// Everything works again: everybody awake, started and online.
    pub fn heal(&self) -> Result<(), TestProblem> {
        self.with([], |inside, []| inside.world.heal())
    }

    /// What the apps were told so far, line by line: milliseconds, phone, event.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.borrow().lines.clone()
    }

    /// A number that two worlds share only if everything in them was the same, byte for byte.
    pub fn digest(&self) -> u64 {
        self.lock().world.digest()
    }
}

impl SimWorld {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in the world; a promise of the world that does not hold is a problem of the test.
    fn with<T, const N: usize>(
        &self,
        phones: [u32; N],
        work: impl FnOnce(&mut Inside, [usize; N]) -> T,
    ) -> Result<T, TestProblem> {
        let mut inside = self.lock();
        let phones = phones.map(|phone| usize::try_from(phone).unwrap_or(usize::MAX));
        if phones.iter().any(|phone| *phone >= inside.world.phones.len()) {
            return Err(TestProblem::new("no such phone"));
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            let done = work(&mut inside, phones);
            inside.note();
            done
        }));
        done.map_err(|_| TestProblem::new("that cannot be done in this world now"))
    }

    fn in_room<T, const N: usize>(
        &self,
        phones: [u32; N],
        work: impl FnOnce(&mut Inside, RoomId, [usize; N]) -> T,
    ) -> Result<T, TestProblem> {
        let room = self.lock().room.ok_or_else(|| TestProblem::new("the world has no room"))?;
        self.with(phones, |inside, phones| work(inside, room, phones))
    }

    fn command<const N: usize>(
        &self,
        phones: [u32; N],
        command: impl FnOnce([sidetone_wire::id::UserId; N]) -> Command,
    ) -> Result<Answer, TestProblem> {
        let answer = self.with(phones, |inside, phones| {
            let users = phones.map(|phone| inside.world.phones[phone].user());
            let all: Option<Vec<_>> = users.into_iter().collect();
            let all = all.and_then(|all| <[_; N]>::try_from(all).ok());
            let all = all.ok_or_else(|| TestProblem::new("a phone has no account, or its app is not running"))?;
            inside.world.ask(phones[0], command(all)).map_err(|error| TestProblem::new(format!("{error:?}")))
        });
        answer?
    }

    fn in_call(&self, phone: u32, command: fn(sidetone_wire::id::CallId) -> Command) -> Result<(), TestProblem> {
        let call = self.with([phone], |inside, [phone]| inside.world.phones[phone].call())?;
        let call = call.ok_or_else(|| TestProblem::new("the phone is in no call"))?.call;
        self.command([phone], |_| command(call)).map(drop)
    }
}

impl Inside {
    fn run(&mut self, ms: u64) {
        let log = &self.log;
        self.world.run_until(ms, |world| {
            log.borrow_mut().take(world);
            false
        });
    }

    fn note(&mut self) {
        self.log.borrow_mut().take(&self.world);
    }
}

impl Log {
    fn take(&mut self, world: &World) {
        self.seen.resize(world.phones.len(), 0);
        let mut new = Vec::new();
        for (phone, seen) in world.phones.iter().zip(&mut self.seen) {
            // Who died forgot.
            let from = if phone.events.len() < *seen { 0 } else { *seen };
            new.extend(phone.events[from..].iter().map(|(at, event)| (*at, phone.id(), event)));
            *seen = phone.events.len();
        }
        new.sort_by_key(|(at, phone, _)| (*at, *phone));
        self.lines.extend(new.into_iter().map(|(at, phone, event)| format!("{at} phone {phone} {event:?}")));
    }
}
