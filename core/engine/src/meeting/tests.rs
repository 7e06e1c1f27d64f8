//! When what is asked of the server leaves.
#![allow(clippy::unwrap_used, reason = "tests")]

use sidetone_wire::account::Empty;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::id::{AttemptId, PairingId, UnixMs, UserId};
use sidetone_wire::room::{Judged, Said, Verdict};

use super::*;
use crate::cx::Dice;
use crate::input::PeerId;
use crate::time::Now;

/// A conversation that is open, and its clock.
struct Desk {
    meeting: Meeting,
    dice: Dice,
    now: Now,
}

impl Desk {
    fn open() -> Self {
        let now = Now { time: Time(1_000_000), wall: UnixMs(1_000_000) };
        let mut desk = Self { meeting: Meeting::new(), dice: Dice::new([7; 32]), now };
        let welcome = Welcome {
            version: VERSION,
            session: SessionId([1; 16]),
            secret: Secret([2; 32]),
            resumed: false,
            user: None,
        };
        desk.act(|meeting, cx| {
            meeting.socket(true, None, cx);
            meeting.frame(Frame::Welcome(welcome), cx);
        });
        desk
    }

    /// What leaves when something happens.
    fn act(&mut self, act: impl FnOnce(&mut Meeting, &mut Cx<'_>)) -> Vec<Numbered> {
        let mut effects = Vec::new();
        act(&mut self.meeting, &mut Cx::new(self.now, &mut self.dice, &mut effects));
        let asked = |effect| match effect {
            Effect::Send(Frame::Request(numbered)) => Some(numbered),
            _ => None,
        };
        effects.into_iter().filter_map(asked).collect()
    }

    /// What leaves until nothing more is to be done within so many milliseconds.
    fn wait(&mut self, ms: u64) -> Vec<Numbered> {
        let until = self.now.time.after(ms);
        let mut left = Vec::new();
        while let Some(at) = self.meeting.deadline().filter(|at| *at <= until) {
            self.now.time = self.now.time.max(at);
            left.extend(self.act(|meeting, cx| meeting.tick(cx)));
        }
        self.now.time = until;
        left
    }
}

fn envelope(number: u32) -> (Request, Purpose) {
    let to = UserId([3; 16]);
    let bytes = number.to_be_bytes().to_vec().into();
    let request = Request::Route(Envelope { to, class: Class::Control, bytes });
    (request, Purpose::Route(PeerId::Friend(to), PairingId([4; 16])))
}

fn numbers(left: &[Numbered]) -> Vec<u32> {
    let number = |one: &Numbered| match &one.request {
        Request::Route(envelope) => u32::from_be_bytes(envelope.bytes[..4].try_into().unwrap()),
        other => panic!("{other:?}"),
    };
    left.iter().map(number).collect()
}

#[test]
fn envelopes_leave_in_order_and_no_faster_than_the_server_takes_them() {
    let mut desk = Desk::open();
    let total = 2 * ROUTE_BURST;
    let mut left = desk.act(|meeting, cx| {
        for number in 0..total {
            let (request, purpose) = envelope(number);
            meeting.request(request, purpose, cx);
        }
    });
    let burst = left.len();
    assert!(burst >= ROUTE_BURST as usize / 2 && burst < ROUTE_BURST as usize, "{burst} at once");
    let second = desk.wait(1_000);
    assert!(second.len().abs_diff(ROUTES_PER_S as usize) <= 1, "{} in a second", second.len());
    left.extend(second);
    left.extend(desk.wait(60_000));
    assert_eq!(numbers(&left), (0..total).collect::<Vec<_>>());
    // Whoever was silent for long enough has the whole burst again, and no more.
    let again = desk.act(|meeting, cx| {
        for number in 0..total {
            let (request, purpose) = envelope(number);
            meeting.request(request, purpose, cx);
        }
    });
    assert_eq!(again.len(), burst);
}

#[test]
fn what_waited_for_its_turn_when_the_socket_broke_leaves_after_it_once() {
    let mut desk = Desk::open();
    let total = ROUTE_BURST;
    let first = desk.act(|meeting, cx| {
        for number in 0..total {
            let (request, purpose) = envelope(number);
            meeting.request(request, purpose, cx);
        }
    });
    for numbered in &first {
        desk.act(|meeting, cx| {
            let reply = Reply::Done(Empty::default());
            meeting.frame(Frame::Reply(sidetone_wire::frame::Granted { id: numbered.id, reply }), cx);
        });
    }
    desk.act(|meeting, cx| meeting.socket(false, None, cx));
    assert!(desk.wait(10_000).is_empty(), "nothing leaves without a socket");
    let welcome =
        Welcome { version: VERSION, session: SessionId([1; 16]), secret: Secret([2; 32]), resumed: true, user: None };
    let mut left = desk.act(|meeting, cx| {
        meeting.socket(true, None, cx);
        meeting.frame(Frame::Welcome(welcome), cx);
    });
    left.extend(desk.wait(60_000));
    assert_eq!(numbers(&left), (first.len() as u32..total).collect::<Vec<_>>());
}

#[test]
fn what_the_server_had_no_time_for_is_asked_again_before_what_follows() {
    let mut desk = Desk::open();
    let attempt = AttemptId([5; 16]);
    let said = Request::Say(Said { attempt, bytes: vec![1].into() });
    let left = desk.act(|meeting, cx| meeting.request(said.clone(), Purpose::Nothing, cx));
    let refusal = Refusal { code: Code::TooMany, retry_ms: 50 };
    desk.act(|meeting, cx| {
        meeting.frame(Frame::Refused(sidetone_wire::frame::Refused { id: left[0].id, refusal }), cx);
    });
    let judged = Request::Judge(Judged { attempt, verdict: Verdict::Right });
    let early = desk.act(|meeting, cx| meeting.request(judged.clone(), Purpose::Nothing, cx));
    assert!(early.is_empty(), "the verdict does not overtake the word");
    let requests: Vec<Request> = desk.wait(5_000).into_iter().map(|numbered| numbered.request).collect();
    assert_eq!(requests, [said, judged]);
}
