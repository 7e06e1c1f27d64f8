//! Our numbered conversation with the server: greeting, resuming, requests and their answers, events once each.

use std::collections::{BTreeMap, VecDeque};

use sidetone_wire::VERSION;
use sidetone_wire::account::{Code, Refusal, Reply, Request};
use sidetone_wire::frame::{Acked, Event, Frame, Hello, Numbered, Resume, Told, Welcome};
use sidetone_wire::id::{RequestId, Secret, Seq, SessionId};
use sidetone_wire::limits::{RESUME_MS, ROUTE_BURST, ROUTES_PER_S};

use crate::cx::{Cx, Fact, NoReply, Purpose};
use crate::effect::{self, Effect};
use crate::time::Time;

/// A user waits this long for an answer.
const ASK_MS: u64 = 15_000;
/// What nobody types again is asked again by itself when the server says that it is asked too much for so long at most,
const PATIENCE_MS: u64 = 2_000;
/// at most so long after, and so often.
const AGAIN_MS: u64 = 1_000;
const TRIES: u8 = 12;
/// Envelopes leave no faster than the server takes them, since one that it refuses ends a session; and in bursts of three
/// quarters of what it takes, as the way to it may gather them.
const ROUTE_MS: u64 = 1_000 / ROUTES_PER_S as u64;
const BURST_MS: u64 = ROUTE_MS * ROUTE_BURST as u64 * 3 / 4;

pub(crate) struct Meeting {
    stage: Stage,
    session: Option<Session>,
    next: RequestId,
    waiting: BTreeMap<RequestId, Waiting>,
    /// Until when the envelopes that left are paid for, at the server's rate.
    paid: Time,
    /// Envelopes that wait for their turn.
    held: VecDeque<RequestId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Closed,
    Greeting,
    Open,
}

struct Session {
    id: SessionId,
    secret: Secret,
    last: Seq,
    acked: Seq,
    /// When the server will have forgotten it, while we have no socket.
    until: Option<Time>,
}

struct Waiting {
    request: Request,
    purpose: Purpose,
    until: Option<Time>,
    /// When it is asked again, and how often it was.
    again: Option<Time>,
    tries: u8,
}

impl Meeting {
    pub fn new() -> Self {
        Self {
            stage: Stage::Closed,
            session: None,
            next: RequestId(1),
            waiting: BTreeMap::new(),
            paid: Time(0),
            held: VecDeque::new(),
        }
    }

    /// Whether requests are answered now.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// The socket opened or closed.
    pub fn socket(&mut self, open: bool, token: Option<Secret>, cx: &mut Cx<'_>) {
        if self.is_open() {
            cx.tell(effect::Event::Connected(false));
        }
        if !open {
            self.stage = Stage::Closed;
            if let Some(session) = &mut self.session {
                session.until = Some(cx.now.time.after(RESUME_MS));
            }
            return;
        }
        self.stage = Stage::Greeting;
        let resume = self.session.as_ref().map(|session| Resume {
            session: session.id,
            secret: session.secret.clone(),
            last: session.last,
        });
        cx.effect(Effect::Send(Frame::Hello(Hello { oldest: VERSION, newest: VERSION, token, resume })));
    }

    pub fn frame(&mut self, frame: Frame, cx: &mut Cx<'_>) {
        match frame {
            Frame::Welcome(welcome) => self.welcome(welcome, cx),
            Frame::Reply(granted) => self.replied(granted.id, Ok(granted.reply), cx),
            Frame::Refused(refused) => self.replied(refused.id, Err(NoReply::Refused(refused.refusal)), cx),
            Frame::Event(told) => self.event(told, cx),
            Frame::Ping(empty) => cx.effect(Effect::Send(Frame::Pong(empty))),
            Frame::Goaway(refusal) => self.goaway(refusal, cx),
            Frame::Pong(_) | Frame::Hello(_) | Frame::Request(_) | Frame::Ack(_) => {}
        }
    }

    fn welcome(&mut self, welcome: Welcome, cx: &mut Cx<'_>) {
        if self.stage != Stage::Greeting || welcome.version != VERSION {
            return;
        }
        self.stage = Stage::Open;
        let same = self.session.as_ref().is_some_and(|session| session.id == welcome.session);
        if welcome.resumed && same {
            if let Some(session) = &mut self.session {
                session.until = None;
                session.secret = welcome.secret.clone();
            }
            for (id, waiting) in self.waiting.iter().filter(|(id, _)| !self.held.contains(id)) {
                let request = waiting.request.clone();
                cx.effect(Effect::Send(Frame::Request(Numbered { id: *id, request })));
            }
        } else {
            self.forget(cx);
            let (id, secret) = (welcome.session, welcome.secret.clone());
            self.session = Some(Session { id, secret, last: Seq(0), acked: Seq(0), until: None });
        }
        cx.fact(Fact::Welcomed(welcome));
        cx.tell(effect::Event::Connected(true));
    }

    /// The conversation is over for the server or for us: whoever waits learns it.
    fn forget(&mut self, cx: &mut Cx<'_>) {
        if self.session.take().is_none() {
            return;
        }
        self.held.clear();
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            cx.fact(Fact::Replied(waiting.purpose, Err(NoReply::Unanswered)));
        }
        cx.fact(Fact::SignalLost);
    }

    /// Ends the conversation because the account is left.
    pub fn leave(&mut self) {
        self.session = None;
        self.held.clear();
        self.waiting.clear();
    }

    fn goaway(&mut self, refusal: Refusal, cx: &mut Cx<'_>) {
        if matches!(refusal.code, Code::Unauthorised | Code::Suspended | Code::Replaced) {
            cx.fact(Fact::Revoked(refusal));
        }
    }

    pub fn request(&mut self, request: Request, purpose: Purpose, cx: &mut Cx<'_>) {
        let resumable = self.session.is_some()
            && matches!(purpose, Purpose::Route(..) | Purpose::Room(..) | Purpose::Stranger(_) | Purpose::Nothing);
        if !self.is_open() && !resumable {
            return cx.fact(Fact::Replied(purpose, Err(NoReply::Unanswered)));
        }
        let id = self.next;
        self.next = id.next();
        let awaited =
            matches!(purpose, Purpose::Ask(..) | Purpose::Enter(_) | Purpose::Room(..) | Purpose::Stranger(_));
        let until = awaited.then(|| cx.now.time.after(ASK_MS));
        // What is asked again comes first: of a word and the verdict on it, say, the server wants the word before.
        let again =
            if retries(&purpose) { self.waiting.values().filter_map(|waiting| waiting.again).max() } else { None };
        if request.is_route() && !(self.held.is_empty() && self.takes_turn(cx.now.time)) {
            self.held.push_back(id);
        } else if self.is_open() && again.is_none() {
            cx.effect(Effect::Send(Frame::Request(Numbered { id, request: request.clone() })));
        }
        self.waiting.insert(id, Waiting { request, purpose, until, again, tries: 0 });
    }

    /// Whether an envelope may leave now; then it counts.
    fn takes_turn(&mut self, now: Time) -> bool {
        let free = self.paid <= now.after(BURST_MS);
        if free {
            self.paid = self.paid.max(now).after(ROUTE_MS);
        }
        free
    }

    fn replied(&mut self, id: RequestId, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        if let (Err(NoReply::Refused(refusal)), Some(waiting)) = (&outcome, self.waiting.get_mut(&id))
            && refusal.code == Code::TooMany
            && (1..=PATIENCE_MS).contains(&refusal.retry_ms)
            && retries(&waiting.purpose)
            && waiting.tries < TRIES
        {
            // Later and later, so that what is asked too much becomes less.
            let wait_ms = (refusal.retry_ms << waiting.tries).min(AGAIN_MS);
            waiting.tries += 1;
            waiting.again = Some(cx.now.time.after(wait_ms));
            return;
        }
        if let Some(waiting) = self.waiting.remove(&id) {
            cx.fact(Fact::Replied(waiting.purpose, outcome));
        }
    }

    fn event(&mut self, told: Told, cx: &mut Cx<'_>) {
        let Some(session) = &mut self.session else { return };
        if told.seq <= session.last {
            return;
        }
        if told.seq != session.last.next() {
            // The server skipped one: nothing that goes in order through it can be trusted to be whole.
            cx.fact(Fact::SignalLost);
        }
        session.last = told.seq;
        match told.event {
            Event::Person(person) => cx.fact(Fact::Person(person)),
            Event::Gone(user) => cx.fact(Fact::Gone(user.user)),
            Event::Presence(presence) => cx.fact(Fact::Presence(presence)),
            Event::Sealed(delivered) => cx.fact(Fact::Sealed(delivered)),
            Event::Announcement(announcement) => cx.tell(effect::Event::Announcement(announcement.text)),
            Event::Revoked(refusal) => cx.fact(Fact::Revoked(refusal)),
            event @ (Event::Matched(_)
            | Event::Begun(_)
            | Event::StrangerSealed(_)
            | Event::MatchOver(_)
            | Event::NobodyThere(_)) => cx.fact(Fact::Stranger(event)),
            event => cx.fact(Fact::Room(event)),
        }
    }

    /// Confirms what this step heard.
    pub fn confirm(&mut self, cx: &mut Cx<'_>) {
        let Some(session) = &mut self.session else { return };
        if self.stage == Stage::Open && session.acked < session.last {
            session.acked = session.last;
            cx.effect(Effect::Send(Frame::Ack(Acked { seq: session.last })));
        }
    }

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        if self.session.as_ref().and_then(|session| session.until).is_some_and(|until| until <= now) {
            self.forget(cx);
        }
        let late =
            |(id, waiting): (&RequestId, &Waiting)| waiting.until.is_some_and(|until| until <= now).then_some(*id);
        let late: Vec<RequestId> = self.waiting.iter().filter_map(late).collect();
        for id in late {
            self.replied(id, Err(NoReply::Unanswered), cx);
        }
        while self.is_open() && !self.held.is_empty() && self.takes_turn(now) {
            let Some(id) = self.held.pop_front() else { break };
            if let Some(request) = self.waiting.get(&id).map(|waiting| waiting.request.clone()) {
                cx.effect(Effect::Send(Frame::Request(Numbered { id, request })));
            }
        }
        if self.is_open() {
            for (id, waiting) in &mut self.waiting {
                if waiting.again.take_if(|again| *again <= now).is_some() {
                    let request = waiting.request.clone();
                    cx.effect(Effect::Send(Frame::Request(Numbered { id: *id, request })));
                }
            }
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        let session = self.session.as_ref().and_then(|session| session.until);
        let again = self.waiting.values().filter_map(|waiting| waiting.again).filter(|_| self.is_open());
        let turn = self.held.front().filter(|_| self.is_open()).map(|_| Time(self.paid.0.saturating_sub(BURST_MS)));
        self.waiting.values().filter_map(|waiting| waiting.until).chain(again).chain(session).chain(turn).min()
    }
}

/// Whether it is asked again by itself when the server says that it is asked too much.
fn retries(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Room(..) | Purpose::Stranger(_) | Purpose::Nothing)
}

#[cfg(test)]
mod tests;
