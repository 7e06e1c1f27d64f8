//! The floor of a push-to-talk room: who may speak.
//!
//! Off-network floor control as in 3GPP TS 24.380 clause 7: there is no central arbiter. Who speaks arbitrates, floor messages
//! go to everybody, and sound of anybody else is not played. Three things differ from the letter of the specification:
//!
//! - **Optimistic start.** A press on an idle floor speaks at once, instead of asking first and waiting for silence. The claim
//!   travels in a record and in the first sound packets, so that one lost message costs nothing.
//! - **Total order.** Of two claims the better one wins everywhere: priority, then Lamport counter, then member id. So all who
//!   hear the same claims hear the same speaker, and who lost knows it as soon as it hears the winner's claim.
//! - **A queue by requests.** Who presses while somebody speaks asks the speaker, and asks each next one again. A request keeps
//!   its counter, so the order of the queue survives a speaker who is lost with it.
//!
//! Two may speak at once only while the claim of one has not reached the other. Whoever hears both plays the better one, and
//! tells the maker of the other if the two cannot hear each other.

use std::collections::BTreeSet;

use sidetone_wire::account::Empty;
use sidetone_wire::floor::{Burst, DenyWhy, FloorDenied, FloorRequest, FloorWord, Grant, Held, Position};
use sidetone_wire::id::MemberId;
use sidetone_wire::limits::MEMBERS;

use crate::sound::{Claim, SoundOrder};
use crate::time::Time;

mod claims;

use claims::{Claims, Live, Taken, better};

/// A speaker of whom nothing is heard this long has lost the floor.
pub const SILENCE_MS: u64 = 1_000;
/// The speaker is warned this long before the limit of a burst.
pub const WARNING_MS: u64 = 5_000;
/// Who was granted the floor has it reserved for this long.
pub const GRANT_MS: u64 = 500;
/// A request that the speaker does not answer is given up after this.
pub const REQUEST_MS: u64 = 3_000;
/// The others stop playing a burst this long after its limit.
pub const GRACE_MS: u64 = 1_000;

/// A counter moves ours at most so far at once: one that was made up does not use ours up.
const LEAP: u64 = 1 << 32;

/// How urgent it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// As usual.
    #[default]
    Normal = 0,
    /// First in the queue, and better in a collision.
    High = 1,
    /// Takes the floor from whoever has it with less.
    Emergency = 2,
}

/// What happens to the floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FloorInput {
    /// The user presses. Pressing what is pressed changes nothing.
    Press(Priority),
    /// The user lets go. Letting go of what is not pressed changes nothing.
    Release,
    /// A member says something.
    Heard(MemberId, FloorWord),
    /// A claim came with sound.
    Claimed(MemberId, Claim),
    /// The end of a burst came with sound.
    Ended(MemberId, u32),
    /// Nothing is heard of the one who is listened to.
    Silent(MemberId),
    /// A member can be spoken to, for the first time or again.
    Up(MemberId),
    /// A member cannot be spoken to any more.
    Gone(MemberId),
    /// Time passed.
    Tick,
}

/// What the floor wants done.
#[derive(Debug)]
pub enum FloorOut {
    /// Say something to one member.
    Say(MemberId, FloorWord),
    /// Say something to every member.
    All(FloorWord),
    /// Do something with the sound.
    Sound(SoundOrder),
    /// Tell the user.
    Tell(FloorEvent),
}

/// What the user is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloorEvent {
    /// We speak.
    Granted,
    /// We do not speak.
    Denied(Deny),
    /// Somebody else speaks.
    Taken(MemberId),
    /// We are in the queue at this place; 1 is next.
    Queued(u8),
    /// Nobody speaks.
    Released,
    /// Somebody took the floor from us with an emergency.
    PreEmpted(MemberId),
    /// Our burst ends in so many milliseconds.
    Ending(u64),
    /// Our burst was as long as it may be.
    TimedOut,
    /// A burst was not played: it may be replayed where the room allows it.
    Missed {
        /// Whose.
        member: MemberId,
        /// Which of theirs.
        burst: u32,
    },
}

/// Why we do not speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deny {
    /// Somebody else pressed at the same time and goes first.
    Collision(MemberId),
    /// Too many wait already.
    QueueFull,
    /// Who speaks did not answer.
    Unanswered,
}

/// How the floor stands, as seen here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloorState {
    /// Nobody speaks (O: silence).
    Idle,
    /// Somebody speaks (O: has no permission).
    Taken(MemberId),
    /// We want to speak and are not in the queue yet (O: pending request).
    Requesting,
    /// We are in the queue (O: queued).
    Queued(u8),
    /// We speak (O: has permission).
    Speaking,
    /// Somebody was granted the floor and does not speak yet (O: pending granted).
    Reserved(MemberId),
}

/// The floor of one room, as one member sees it.
pub struct Floor {
    us: MemberId,
    burst_ms: u64,
    counter: u64,
    burst: u32,
    me: Me,
    claims: Claims,
    /// Who is listened to.
    heard: Option<MemberId>,
    /// Who wants to speak after us, the next one first.
    queue: Vec<Asked>,
    /// Who is next, by the word of the last speaker, and for how long that holds.
    reserved: Option<(MemberId, Time)>,
    /// Who can be spoken to.
    members: BTreeSet<MemberId>,
}

/// What our user is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Me {
    /// Not pressing.
    Quiet,
    /// Pressing without effect: only a new press counts.
    Spent,
    /// Pressing while the floor is not ours.
    Waiting(Waiting),
    /// Speaking.
    Speaking { claim: Claim, since: Time, warned: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    priority: u8,
    counter: u64,
    /// Who was asked, and until when an answer is awaited.
    asked: Option<(MemberId, Time)>,
    /// Our place in the queue of who was asked.
    position: Option<u8>,
}

/// Somebody in our queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    by: MemberId,
    priority: u8,
    counter: u64,
    /// The place that was told last.
    told: u8,
}

impl Floor {
    /// The floor of a room that we enter as `us`; a burst lasts at most `burst_ms`.
    pub fn new(us: MemberId, burst_ms: u64) -> Self {
        Self {
            us,
            burst_ms,
            counter: 0,
            burst: 0,
            me: Me::Quiet,
            claims: Claims::default(),
            heard: None,
            queue: Vec::new(),
            reserved: None,
            members: BTreeSet::new(),
        }
    }

    /// How it stands.
    pub fn state(&self) -> FloorState {
        match (self.me, self.heard, self.reserved) {
            (Me::Speaking { .. }, ..) => FloorState::Speaking,
            (Me::Waiting(Waiting { position: Some(position), .. }), ..) => FloorState::Queued(position),
            (Me::Waiting(_), ..) => FloorState::Requesting,
            (_, Some(member), _) => FloorState::Taken(member),
            (_, None, Some((member, _))) => FloorState::Reserved(member),
            (_, None, None) => FloorState::Idle,
        }
    }

    /// Takes one fact and adds what is to be done about it. `now` never goes back.
    pub fn step(&mut self, now: Time, input: FloorInput, out: &mut Vec<FloorOut>) {
        match input {
            FloorInput::Press(priority) => self.press(priority),
            FloorInput::Release => self.release(now, out),
            FloorInput::Heard(from, word) => self.word(from, word, now, out),
            FloorInput::Claimed(from, claim) => self.claimed(from, claim, now, out),
            FloorInput::Ended(from, burst) => self.ended(from, burst, out),
            FloorInput::Silent(from) => drop(self.claims.lose(from)),
            FloorInput::Up(member) => self.up(member, out),
            FloorInput::Gone(member) => self.gone(member),
            FloorInput::Tick => {}
        }
        self.expire(now, out);
        self.settle(now, out);
    }

    /// When the floor wants to be told the time at the latest.
    pub fn deadline(&self) -> Option<Time> {
        let me = match self.me {
            Me::Quiet | Me::Spent => None,
            Me::Waiting(waiting) => waiting.asked.filter(|_| waiting.position.is_none()).map(|(_, until)| until),
            Me::Speaking { since, warned: true, .. } => Some(since.after(self.burst_ms)),
            Me::Speaking { since, warned: false, .. } => Some(since.after(self.warning_ms())),
        };
        let claims = self.claims.deadline(self.burst_ms.saturating_add(GRACE_MS));
        [me, self.reserved.map(|(_, until)| until), claims].into_iter().flatten().min()
    }

    fn warning_ms(&self) -> u64 {
        self.burst_ms.saturating_sub(WARNING_MS)
    }

    // What the user does.

    fn press(&mut self, priority: Priority) {
        if self.me == Me::Quiet {
            self.counter = self.counter.saturating_add(1);
            let (priority, counter) = (priority as u8, self.counter);
            self.me = Me::Waiting(Waiting { priority, counter, asked: None, position: None });
        }
    }

    fn release(&mut self, now: Time, out: &mut Vec<FloorOut>) {
        match std::mem::replace(&mut self.me, Me::Quiet) {
            Me::Quiet | Me::Spent => {}
            Me::Waiting(Waiting { asked, .. }) => {
                if let Some((speaker, _)) = asked {
                    out.push(FloorOut::Say(speaker, FloorWord::Cancel(Empty::default())));
                }
            }
            Me::Speaking { claim, .. } => self.pass_on(claim.burst, now, out),
        }
    }

    /// Our burst is over: who is first in the queue is next, or nobody.
    fn pass_on(&mut self, burst: u32, now: Time, out: &mut Vec<FloorOut>) {
        out.push(FloorOut::Sound(SoundOrder::Hush));
        self.claims.end(self.us, burst);
        let next = self.queue.first().map(|asked| asked.by);
        self.queue.clear();
        out.push(FloorOut::Tell(FloorEvent::Released));
        match next {
            None => out.push(FloorOut::All(FloorWord::Released(Burst { burst }))),
            Some(to) => {
                self.reserved = Some((to, now.after(GRANT_MS)));
                out.push(FloorOut::All(FloorWord::Granted(Grant { burst, to })));
            }
        }
    }

    // What the others say.

    fn word(&mut self, from: MemberId, word: FloorWord, now: Time, out: &mut Vec<FloorOut>) {
        match word {
            FloorWord::Taken(claim) => self.claimed(from, claim, now, out),
            FloorWord::Released(Burst { burst }) => self.ended(from, burst, out),
            FloorWord::Request(request) => self.requested(from, request, out),
            FloorWord::Cancel(_) => self.queue.retain(|asked| asked.by != from),
            FloorWord::Queued(Position { position }) => self.queued(from, position, out),
            FloorWord::Denied(_) => self.denied(from, Deny::QueueFull, out),
            FloorWord::Granted(Grant { burst, to }) => {
                // Only whoever spoke may say who is next.
                if self.claims.of(from).is_some_and(|claim| claim.burst == burst) {
                    self.reserved = Some((to, now.after(GRANT_MS)));
                }
                self.ended(from, burst, out);
            }
            FloorWord::Held(Held { by, claim }) => self.held(by, claim, out),
        }
    }

    fn claimed(&mut self, from: MemberId, claim: Claim, now: Time, out: &mut Vec<FloorOut>) {
        if from == self.us {
            return;
        }
        self.note(claim.counter);
        let Taken::New = self.claims.take(from, claim, now) else { return };
        self.reserved.take_if(|(to, _)| *to == from);
        self.queue.retain(|asked| asked.by != from);
        // Whoever claims what somebody else has may not hear them.
        if let Some((by, best)) = self.claims.best().filter(|(by, _)| *by != from && *by != self.us) {
            out.push(FloorOut::Say(from, FloorWord::Held(Held { by, claim: best })));
        } else if let Me::Speaking { claim: ours, .. } = self.me
            && better((self.us, ours), (from, claim))
        {
            out.push(FloorOut::Say(from, FloorWord::Taken(ours)));
        }
    }

    /// Somebody says who speaks: believed only of those whom we cannot hear ourselves.
    fn held(&mut self, by: MemberId, claim: Claim, out: &mut Vec<FloorOut>) {
        let Me::Speaking { claim: ours, .. } = self.me else { return };
        let hidden = by != self.us && !self.members.contains(&by);
        if hidden && better((by, claim), (self.us, ours)) {
            self.note(claim.counter);
            self.give_way(ours, (by, claim), out);
        }
    }

    /// Moves our clock past what was heard.
    fn note(&mut self, counter: u64) {
        self.counter = self.counter.max(counter.min(self.counter.saturating_add(LEAP)));
    }

    fn ended(&mut self, from: MemberId, burst: u32, out: &mut Vec<FloorOut>) {
        if from != self.us {
            missed(from, self.claims.end(from, burst), out);
        }
    }

    fn requested(&mut self, from: MemberId, request: FloorRequest, out: &mut Vec<FloorOut>) {
        let Me::Speaking { .. } = self.me else { return };
        self.note(request.counter);
        self.queue.retain(|asked| asked.by != from);
        if self.queue.len() >= MEMBERS {
            let denied = FloorDenied { why: DenyWhy::QueueFull };
            return out.push(FloorOut::Say(from, FloorWord::Denied(denied)));
        }
        let FloorRequest { priority, counter } = request;
        self.queue.push(Asked { by: from, priority: priority.min(2), counter, told: 0 });
        self.queue.sort_by_key(|asked| (2 - asked.priority, asked.counter, asked.by));
    }

    fn queued(&mut self, from: MemberId, position: u8, out: &mut Vec<FloorOut>) {
        let Me::Waiting(waiting) = &mut self.me else { return };
        if waiting.asked.is_some_and(|(asked, _)| asked == from) && waiting.position != Some(position) {
            waiting.position = Some(position);
            out.push(FloorOut::Tell(FloorEvent::Queued(position)));
        }
    }

    fn denied(&mut self, from: MemberId, why: Deny, out: &mut Vec<FloorOut>) {
        let Me::Waiting(waiting) = self.me else { return };
        if waiting.asked.is_some_and(|(asked, _)| asked == from) {
            self.me = Me::Spent;
            out.push(FloorOut::Tell(FloorEvent::Denied(why)));
        }
    }

    /// Whoever comes learns at once who speaks.
    fn up(&mut self, member: MemberId, out: &mut Vec<FloorOut>) {
        self.members.insert(member);
        match &mut self.me {
            Me::Speaking { claim, .. } => out.push(FloorOut::Say(member, FloorWord::Taken(*claim))),
            // What was asked over an earlier link may be lost.
            Me::Waiting(waiting) if waiting.asked.is_some_and(|(asked, _)| asked == member) => waiting.asked = None,
            _ => {}
        }
    }

    fn gone(&mut self, member: MemberId) {
        self.members.remove(&member);
        self.claims.lose(member);
        self.queue.retain(|asked| asked.by != member);
        self.reserved.take_if(|(to, _)| *to == member);
    }

    // What follows.

    fn expire(&mut self, now: Time, out: &mut Vec<FloorOut>) {
        self.reserved.take_if(|(_, until)| *until <= now);
        for (member, burst) in self.claims.overlong(now, self.burst_ms.saturating_add(GRACE_MS)) {
            missed(member, self.claims.end(member, burst), out);
        }
        let warning_ms = self.warning_ms();
        match &mut self.me {
            Me::Waiting(Waiting { asked: Some((_, until)), position: None, .. }) if *until <= now => {
                self.me = Me::Spent;
                out.push(FloorOut::Tell(FloorEvent::Denied(Deny::Unanswered)));
            }
            Me::Speaking { claim, since, .. } if since.after(self.burst_ms) <= now => {
                let burst = claim.burst;
                self.me = Me::Spent;
                self.pass_on(burst, now, out);
                out.push(FloorOut::Tell(FloorEvent::TimedOut));
            }
            Me::Speaking { since, warned, .. } if !*warned && since.after(warning_ms) <= now => {
                *warned = true;
                let left = since.after(self.burst_ms).since(now);
                out.push(FloorOut::Tell(FloorEvent::Ending(left)));
            }
            _ => {}
        }
    }

    fn settle(&mut self, now: Time, out: &mut Vec<FloorOut>) {
        self.concede(out);
        self.ask_or_take(now, out);
        self.listen(out);
        self.tell_places(out);
    }

    /// Stops speaking when somebody has a better claim.
    fn concede(&mut self, out: &mut Vec<FloorOut>) {
        let Me::Speaking { claim, .. } = self.me else { return };
        if let Some(best) = self.claims.best().filter(|(by, _)| *by != self.us) {
            self.give_way(claim, best, out);
        }
    }

    fn give_way(&mut self, ours: Claim, (by, best): (MemberId, Claim), out: &mut Vec<FloorOut>) {
        self.me = Me::Spent;
        self.queue.clear();
        self.claims.end(self.us, ours.burst);
        out.push(FloorOut::Sound(SoundOrder::Hush));
        out.push(FloorOut::All(FloorWord::Released(Burst { burst: ours.burst })));
        out.push(FloorOut::Tell(match best.priority > ours.priority && best.priority >= Priority::Emergency as u8 {
            true => FloorEvent::PreEmpted(by),
            false => FloorEvent::Denied(Deny::Collision(by)),
        }));
    }

    /// Takes the floor if it is ours to take, or asks whoever has it.
    fn ask_or_take(&mut self, now: Time, out: &mut Vec<FloorOut>) {
        let Me::Waiting(waiting) = &mut self.me else { return };
        let emergency = Priority::Emergency as u8;
        match self.claims.best() {
            Some((speaker, claim)) if waiting.priority < emergency || claim.priority >= emergency => {
                if waiting.asked.is_none_or(|(asked, _)| asked != speaker) {
                    waiting.asked = Some((speaker, now.after(REQUEST_MS)));
                    waiting.position = None;
                    let (priority, counter) = (waiting.priority, waiting.counter);
                    out.push(FloorOut::Say(speaker, FloorWord::Request(FloorRequest { priority, counter })));
                }
            }
            None if self.reserved.is_some_and(|(to, _)| to != self.us) && waiting.priority < emergency => {}
            _ => {
                let (priority, counter) = (waiting.priority, waiting.counter);
                self.take(priority, counter, now, out);
            }
        }
    }

    fn take(&mut self, priority: u8, counter: u64, now: Time, out: &mut Vec<FloorOut>) {
        self.burst = self.burst.saturating_add(1);
        let claim = Claim { priority, counter, burst: self.burst };
        self.claims.take(self.us, claim, now);
        self.reserved = None;
        self.me = Me::Speaking { claim, since: now, warned: false };
        out.push(FloorOut::Sound(SoundOrder::Talk(claim)));
        out.push(FloorOut::All(FloorWord::Taken(claim)));
        out.push(FloorOut::Tell(FloorEvent::Granted));
    }

    /// Plays whoever has the floor, and nobody else.
    fn listen(&mut self, out: &mut Vec<FloorOut>) {
        let best = self.claims.best().map(|(member, _)| member);
        let heard = best.filter(|member| *member != self.us);
        if let Some(member) = heard {
            self.claims.played(member);
        }
        if heard == self.heard {
            return;
        }
        self.heard = heard;
        out.push(FloorOut::Sound(SoundOrder::Listen(heard)));
        match heard {
            Some(member) => out.push(FloorOut::Tell(FloorEvent::Taken(member))),
            None if best.is_none() => out.push(FloorOut::Tell(FloorEvent::Released)),
            None => {}
        }
    }

    /// Tells everybody in our queue where they are, if that changed.
    fn tell_places(&mut self, out: &mut Vec<FloorOut>) {
        for (place, asked) in (1..).zip(&mut self.queue) {
            if asked.told != place {
                asked.told = place;
                out.push(FloorOut::Say(asked.by, FloorWord::Queued(Position { position: place })));
            }
        }
    }
}

/// A burst that was never played is missed.
fn missed(member: MemberId, live: Option<Live>, out: &mut Vec<FloorOut>) {
    if let Some(Live { claim, played: false, .. }) = live {
        out.push(FloorOut::Tell(FloorEvent::Missed { member, burst: claim.burst }));
    }
}
