//! A world of floors: phones on links that delay and split, sound that is lost, presses by dice. What must hold of speakers is
//! looked at whenever anything happens.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sidetone_engine::floor::{Deny, Floor, FloorEvent, FloorInput, FloorOut, FloorState, Priority, SILENCE_MS};
use sidetone_engine::{Claim, SoundOrder, Time};
use sidetone_wire::floor::{Burst, DenyWhy, FloorDenied, FloorRequest, FloorWord, Grant, Held, Position};
use sidetone_wire::id::MemberId;

const BURST_MS: u64 = 10_000;
/// The longest a word travels from one phone to another.
const WORD_MS: u64 = 140;
/// From the healing of a split to agreement, at most.
const AGREE_MS: u64 = 300;
/// A speaker who is not heard any more has lost the floor by then.
const FREED_MS: u64 = 1_200;

/// What happened, so that a world in which nothing happens proves nothing.
#[derive(Default)]
pub struct Tally {
    pub spoken: u64,
    pub collisions: u64,
    pub queued: u64,
    pub splits: u64,
    pub lies: u64,
}

#[derive(Clone)]
enum Due {
    Word(usize, MemberId, FloorWord),
    /// The first packet of a burst.
    Sound(usize, MemberId, Claim),
    /// The mark at the end of a burst.
    End(usize, MemberId, u32),
    /// Whoever is listened to may have fallen silent.
    Hark(usize, u64),
    /// Two can speak to each other again.
    Up(usize, usize),
    /// The others notice that somebody is not there any more.
    Missed(MemberId),
    Restart(usize),
}

struct Phone {
    me: MemberId,
    floor: Floor,
    alive: bool,
    /// When it was started.
    born: u64,
    pressed: bool,
    talks: Option<Claim>,
    /// Since when.
    began: u64,
    listens: Option<MemberId>,
    /// When something was last heard of who is listened to.
    heard: u64,
    /// Counts what it was told to listen to.
    turn: u64,
    /// It says whatever it likes, to each something else, and has no floor of its own.
    lies: bool,
}

impl Phone {
    fn new(number: usize, entry: u8) -> Self {
        let mut me = [entry; 16];
        me[0] = (number as u8).wrapping_mul(89);
        let me = MemberId(me);
        let floor = Floor::new(me, BURST_MS);
        Self {
            me,
            floor,
            alive: true,
            born: 0,
            pressed: false,
            talks: None,
            began: 0,
            listens: None,
            heard: 0,
            turn: 0,
            lies: false,
        }
    }

    fn speaks(&self) -> bool {
        self.alive && self.floor.state() == FloorState::Speaking
    }
}

pub struct World {
    seed: u64,
    now: u64,
    dice: ChaCha20Rng,
    phones: Vec<Phone>,
    queue: BTreeMap<(u64, u64), Due>,
    made: u64,
    /// When the last word of one to another arrives: links keep their order.
    arrives: BTreeMap<(usize, usize), u64>,
    /// On which side of a split each phone is.
    side: Vec<u8>,
    /// Words that wait for the healing.
    held: Vec<(usize, usize, Due)>,
    healed: u64,
    /// Since when two speak at once.
    both: BTreeMap<(usize, usize), u64>,
    entries: u8,
    pub tally: Tally,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let count = 2 + (dice.next_u64() % 7) as usize;
        let mut world = Self {
            seed,
            now: 1_000,
            dice,
            phones: (0..count).map(|number| Phone::new(number, 0)).collect(),
            queue: BTreeMap::new(),
            made: 0,
            arrives: BTreeMap::new(),
            side: vec![0; count],
            held: Vec::new(),
            healed: 0,
            both: BTreeMap::new(),
            entries: 0,
            tally: Tally::default(),
        };
        for one in 0..count {
            for other in (0..count).filter(|other| *other != one) {
                let other = world.phones[other].me;
                world.give(one, FloorInput::Up(other));
            }
        }
        world
    }

    fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.dice.next_u64() % (high - low + 1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.within(1, n) == 1
    }

    fn later(&mut self, ms: u64, due: Due) {
        self.made += 1;
        self.queue.insert((self.now + ms, self.made), due);
    }

    fn number(&self, member: MemberId) -> Option<usize> {
        self.phones.iter().position(|phone| phone.me == member)
    }

    /// One phone's floor takes a fact, and what it wants is done.
    fn give(&mut self, at: usize, input: FloorInput) {
        if !self.phones[at].alive || self.phones[at].lies {
            return;
        }
        let mut out = Vec::new();
        self.phones[at].floor.step(Time(self.now), input, &mut out);
        for out in out {
            match out {
                FloorOut::Say(to, word) => {
                    if let Some(to) = self.number(to) {
                        self.say(at, to, word);
                    }
                }
                FloorOut::All(word) => self.others(at).into_iter().for_each(|to| self.say(at, to, word.clone())),
                FloorOut::Sound(order) => self.sound(at, &order),
                FloorOut::Tell(event) => self.told(event),
            }
        }
        self.look();
    }

    fn others(&self, at: usize) -> Vec<usize> {
        (0..self.phones.len()).filter(|other| *other != at && self.phones[*other].alive).collect()
    }

    /// Links lose nothing and keep their order; across a split they wait.
    fn say(&mut self, from: usize, to: usize, word: FloorWord) {
        let due = Due::Word(to, self.phones[from].me, word);
        if self.side[from] != self.side[to] {
            return self.held.push((from, to, due));
        }
        let delay = self.within(5, WORD_MS);
        let last = self.arrives.entry((from, to)).or_default();
        *last = (*last).max(self.now + delay);
        let wait = *last - self.now;
        self.later(wait, due);
    }

    fn sound(&mut self, at: usize, order: &SoundOrder) {
        match *order {
            SoundOrder::Talk(claim) => {
                self.phones[at].talks = Some(claim);
                self.phones[at].began = self.now;
                self.send_sound(at, claim);
            }
            SoundOrder::Hush => {
                let me = self.phones[at].me;
                let Some(claim) = self.phones[at].talks.take() else { panic!("hushed without speaking") };
                for to in self.others(at) {
                    if self.side[to] == self.side[at] && !self.one_in(3) {
                        let delay = self.within(5, WORD_MS);
                        self.later(delay, Due::End(to, me, claim.burst));
                    }
                }
            }
            SoundOrder::Listen(member) => {
                let phone = &mut self.phones[at];
                phone.listens = member;
                phone.heard = self.now;
                phone.turn += 1;
                let turn = phone.turn;
                self.later(100, Due::Hark(at, turn));
            }
            _ => {}
        }
    }

    fn send_sound(&mut self, at: usize, claim: Claim) {
        let me = self.phones[at].me;
        for to in self.others(at) {
            if self.side[to] == self.side[at] && !self.one_in(10) {
                let delay = self.within(5, WORD_MS);
                self.later(delay, Due::Sound(to, me, claim));
            }
        }
    }

    fn told(&mut self, event: FloorEvent) {
        match event {
            FloorEvent::Granted => self.tally.spoken += 1,
            FloorEvent::Denied(Deny::Collision(_)) => self.tally.collisions += 1,
            FloorEvent::Queued(_) => self.tally.queued += 1,
            _ => {}
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Word(to, from, word) => self.give(to, FloorInput::Heard(from, word)),
            Due::Sound(to, from, claim) => self.give(to, FloorInput::Claimed(from, claim)),
            Due::End(to, from, burst) => self.give(to, FloorInput::Ended(from, burst)),
            Due::Hark(at, turn) => self.hark(at, turn),
            Due::Up(one, other) => {
                let (one_is, other_is) = (self.phones[one].me, self.phones[other].me);
                if self.phones[one].alive && self.phones[other].alive && self.side[one] == self.side[other] {
                    self.give(one, FloorInput::Up(other_is));
                    self.give(other, FloorInput::Up(one_is));
                }
            }
            Due::Missed(member) => (0..self.phones.len()).for_each(|at| self.give(at, FloorInput::Gone(member))),
            Due::Restart(at) => {
                self.entries = self.entries.wrapping_add(1);
                self.phones[at] = Phone::new(at, self.entries);
                self.phones[at].born = self.now;
                for other in self.others(at) {
                    let wait = self.within(1, 50);
                    self.later(wait, Due::Up(at, other));
                }
            }
        }
    }

    fn hark(&mut self, at: usize, turn: u64) {
        let phone = &self.phones[at];
        let Some(member) = phone.listens.filter(|_| phone.turn == turn && phone.alive) else { return };
        let source = self.number(member).filter(|source| self.side[*source] == self.side[at]);
        let sounds = source.is_some_and(|source| self.phones[source].alive && self.phones[source].talks.is_some());
        if sounds {
            self.phones[at].heard = self.now;
        } else if self.now - self.phones[at].heard >= SILENCE_MS {
            return self.give(at, FloorInput::Silent(member));
        }
        self.later(100, Due::Hark(at, turn));
    }

    fn split(&mut self) {
        for at in 0..self.side.len() {
            self.side[at] = self.within(0, 1) as u8;
        }
        self.tally.splits += 1;
    }

    /// All can hear each other again; some links are the old ones, some are new and have forgotten what waited.
    fn heal(&mut self) {
        let sides = std::mem::replace(&mut self.side, vec![0; self.phones.len()]);
        self.healed = self.now;
        let held = std::mem::take(&mut self.held);
        for one in 0..self.phones.len() {
            for other in one + 1..self.phones.len() {
                if sides[one] == sides[other] {
                    continue;
                }
                let kept = self.one_in(2);
                let (one_is, other_is) = (self.phones[one].me, self.phones[other].me);
                if !kept {
                    self.give(one, FloorInput::Gone(other_is));
                    self.give(other, FloorInput::Gone(one_is));
                }
                for (from, to, due) in
                    held.iter().filter(|(from, to, _)| (*from.min(to), *from.max(to)) == (one, other))
                {
                    if kept {
                        let delay = self.within(5, 50);
                        let last = self.arrives.entry((*from, *to)).or_default();
                        *last = (*last).max(self.now + delay);
                        let wait = *last - self.now;
                        self.later(wait, due.clone());
                    }
                }
                let wait = self.within(50, 100);
                self.later(wait, Due::Up(one, other));
            }
        }
        for at in 0..self.phones.len() {
            if let Some(claim) = self.phones[at].talks.filter(|_| self.phones[at].alive) {
                self.send_sound(at, claim);
            }
        }
    }

    fn crash(&mut self, at: usize) {
        if !self.phones[at].alive {
            return;
        }
        let phone = &mut self.phones[at];
        (phone.alive, phone.pressed, phone.talks) = (false, false, None);
        let member = phone.me;
        let wait = self.within(2_000, 4_000);
        self.later(wait, Due::Missed(member));
        let wait = self.within(100, 8_000);
        self.later(wait, Due::Restart(at));
    }

    fn press(&mut self, at: usize) {
        let priority = match self.within(0, 19) {
            0 => Priority::Emergency,
            1..=3 => Priority::High,
            _ => Priority::Normal,
        };
        self.phones[at].pressed = true;
        self.give(at, FloorInput::Press(priority));
    }

    fn release(&mut self, at: usize) {
        self.phones[at].pressed = false;
        self.give(at, FloorInput::Release);
    }

    /// What must hold at any moment.
    fn look(&mut self) {
        let (seed, now) = (self.seed, self.now);
        for one in 0..self.phones.len() {
            let phone = &self.phones[one];
            assert!(!phone.speaks() || phone.listens.is_none(), "seed {seed}: {one} hears while it speaks");
            let sounds = phone.alive && phone.talks.is_some() && !phone.lies;
            assert!(phone.speaks() == sounds, "seed {seed}: sound follows the floor");
            for other in one + 1..self.phones.len() {
                let hear = self.side[one] == self.side[other];
                if !(phone.speaks() && self.phones[other].speaks() && hear) {
                    self.both.remove(&(one, other));
                    continue;
                }
                let since = *self.both.entry((one, other)).or_insert(now);
                // A link that is new since then had to come up first.
                let linked = self.healed.max(phone.born).max(self.phones[other].born);
                let bound = if since < linked + AGREE_MS { AGREE_MS } else { WORD_MS };
                assert!(now - since <= bound, "seed {seed}: {one} and {other} speak at once for {} ms", now - since);
            }
        }
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let alarm = |(at, phone): (usize, &Phone)| Some((phone.floor.deadline().filter(|_| phone.alive)?.0, at));
            let alarm = self.phones.iter().enumerate().filter_map(alarm).min();
            let next = queued.into_iter().chain(alarm.map(|(at, _)| at)).min().filter(|next| *next <= end);
            let Some(next) = next else {
                self.now = end;
                return self.look();
            };
            self.now = next.max(self.now);
            if queued == Some(next) {
                let due = self.queue.pop_first().expect("something is due").1;
                self.happen(due);
            } else if let Some((_, at)) = alarm {
                self.give(at, FloorInput::Tick);
                let again = self.phones[at].floor.deadline();
                assert!(again.is_none_or(|again| again.0 > self.now), "seed {}: the same moment for ever", self.seed);
            }
            self.hears_nobody_for_long();
        }
    }

    fn hears_nobody_for_long(&self) {
        for (at, phone) in self.phones.iter().enumerate().filter(|(_, phone)| phone.alive && phone.listens.is_some()) {
            let quiet = self.now - phone.heard;
            assert!(quiet <= FREED_MS, "seed {}: {at} listens to nobody for {quiet} ms", self.seed);
        }
    }

    /// Of those who spoke before the healing one is left, and everybody hears that one; unless somebody else has begun.
    fn assert_agreed(&self) {
        let speaks = |at: &usize| self.phones[*at].speaks();
        let (older, newer): (Vec<usize>, Vec<usize>) =
            (0..self.phones.len()).filter(speaks).partition(|at| self.phones[*at].began <= self.healed);
        assert!(older.len() <= 1, "seed {}: {older:?} still speak", self.seed);
        let Some(speaker) = older.first().filter(|_| newer.is_empty()) else { return };
        let me = self.phones[*speaker].me;
        for (at, phone) in self.phones.iter().enumerate().filter(|(at, phone)| phone.alive && at != speaker) {
            // Who crashed while speaking is waited for, as long as `hears_nobody_for_long` allows.
            let gone = |member| self.number(member).is_none_or(|source| !self.phones[source].speaks());
            let waits = phone.listens.is_some_and(gone) || self.now < phone.born + AGREE_MS;
            let (listens, seed) = (phone.listens, self.seed);
            assert!(waits || listens == Some(me), "seed {seed}: {at} hears {listens:?} and not {speaker}, {me:?}");
        }
    }

    fn deed(&mut self) {
        let count = self.phones.len() as u64;
        let at = self.within(0, count - 1) as usize;
        match self.within(0, 15) {
            0..=4 => self.press(at),
            5..=8 => self.release(at),
            9..=11 => {
                for at in 0..self.phones.len() {
                    if self.one_in(2) {
                        self.press(at);
                        let wait = self.within(0, 60);
                        self.run(wait);
                    }
                }
            }
            12 if self.side.iter().all(|side| *side == 0) => self.split(),
            12..=13 if self.side.contains(&1) => {
                self.heal();
                self.run(AGREE_MS);
                self.assert_agreed();
            }
            14 => self.crash(at),
            _ => (0..self.phones.len()).for_each(|at| self.release(at)),
        }
    }
}

/// What a liar says: words of every kind, under any numbers.
impl World {
    fn lie(&mut self, liar: usize) {
        let me = self.phones[liar].me;
        let counter = match self.within(0, 3) {
            0 => 0,
            1 => u64::MAX,
            2 => self.within(0, 1 << 40),
            _ => self.within(0, 20),
        };
        let (priority, burst) = (self.within(0, 255) as u8 % 5, self.within(0, 12) as u32);
        let claim = Claim { priority, counter, burst };
        self.phones[liar].talks = self.one_in(2).then_some(claim);
        for to in self.others(liar) {
            let of = self.within(0, self.phones.len() as u64 - 1) as usize;
            let of = if self.one_in(3) { MemberId([0xaa; 16]) } else { self.phones[of].me };
            let word = match self.within(0, 9) {
                0 | 1 => FloorWord::Taken(claim),
                2 => FloorWord::Released(Burst { burst }),
                3 => FloorWord::Request(FloorRequest { priority, counter }),
                4 => FloorWord::Cancel(Default::default()),
                5 => FloorWord::Queued(Position { position: priority }),
                6 => FloorWord::Denied(FloorDenied { why: DenyWhy::QueueFull }),
                7 => FloorWord::Granted(Grant { burst, to: of }),
                8 => FloorWord::Held(Held { by: of, claim }),
                _ => return self.later(1, Due::Sound(to, me, claim)),
            };
            self.say(liar, to, word);
            self.tally.lies += 1;
        }
    }

    /// Somebody puts the liars out: from then on nobody hears them.
    fn expel_liars(&mut self) {
        let liars: Vec<usize> = (0..self.phones.len()).filter(|at| self.phones[*at].lies).collect();
        for liar in liars {
            let member = self.phones[liar].me;
            (self.phones[liar].alive, self.phones[liar].talks) = (false, None);
            self.queue
                .retain(|_, due| !matches!(due, Due::Word(_, from, _) | Due::Sound(_, from, _) if *from == member));
            (0..self.phones.len()).for_each(|at| self.give(at, FloorInput::Gone(member)));
        }
    }
}

/// Lets a room with liars in it live: of those who do not lie two never speak at once for longer than a word travels, whatever
/// is said to them, and once the liars are out all agree again.
///
/// # Panics
///
/// When that did not hold.
pub fn live_among_liars(seed: u64) -> World {
    let mut world = World::new(seed);
    let liars = 1 + (seed % 3) as usize;
    for _ in 0..liars {
        // The phone that was there goes, and somebody else comes who lies.
        let at = world.within(0, world.phones.len() as u64 - 1) as usize;
        let member = world.phones[at].me;
        (0..world.phones.len()).for_each(|other| world.give(other, FloorInput::Gone(member)));
        world.phones[at] = Phone { lies: true, ..Phone::new(at, 200) };
        let member = world.phones[at].me;
        (0..world.phones.len())
            .filter(|other| *other != at)
            .for_each(|other| world.give(other, FloorInput::Up(member)));
    }
    for _ in 0..24 {
        let pause = world.within(0, 2_500);
        for _ in 0..pause / 100 {
            world.run(100);
            let liar = world.within(0, world.phones.len() as u64 - 1) as usize;
            if world.phones[liar].lies && world.phones[liar].alive {
                world.lie(liar);
            }
        }
        let at = world.within(0, world.phones.len() as u64 - 1) as usize;
        match world.within(0, 7) {
            0..=2 => world.press(at),
            3..=4 => world.release(at),
            _ => (0..world.phones.len()).for_each(|at| {
                if world.one_in(2) {
                    world.press(at);
                }
            }),
        }
    }
    world.expel_liars();
    world.healed = world.now;
    world.run(AGREE_MS);
    world.assert_agreed();
    (0..world.phones.len()).for_each(|at| world.release(at));
    world.run(13_000);
    for (at, phone) in world.phones.iter().enumerate().filter(|(_, phone)| !phone.lies) {
        assert_eq!(phone.floor.state(), FloorState::Idle, "seed {seed}: {at} after all let go");
    }
    world
}

/// Lets a room live, and looks whether every promise held.
///
/// # Panics
///
/// When one did not.
pub fn live(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..24 {
        let pause = match world.within(0, 3) {
            0 => world.within(0, 100),
            1 => world.within(100, 1_000),
            2 => world.within(1_000, 3_000),
            _ => world.within(1_000, 12_000),
        };
        world.run(pause);
        world.deed();
    }
    world.heal();
    world.run(AGREE_MS);
    world.assert_agreed();
    (0..world.phones.len()).for_each(|at| world.release(at));
    world.run(13_000);
    for (at, phone) in world.phones.iter().enumerate() {
        assert_eq!(phone.floor.state(), FloorState::Idle, "seed {seed}: {at} after all let go");
    }
    world
}
