//! A server that is asked too much says when to ask again.
#![allow(clippy::unwrap_used, reason = "tests")]

use sidetone_crypto::room::Policy;
use sidetone_engine::room::{Memory, NewRoom, RoomCommand};
use sidetone_engine::{Ask, Command, CommandError, Config, Cost, Effect, Engine, Input, Now, Time};
use sidetone_wire::VERSION;
use sidetone_wire::account::{Code, Refusal};
use sidetone_wire::frame::{Frame, Numbered, Refused, Welcome};
use sidetone_wire::id::{Secret, SessionId, UnixMs};
use sidetone_wire::room::RoomName;

struct Phone {
    engine: Engine,
    effects: Vec<Effect>,
    now_ms: u64,
}

impl Phone {
    fn step(&mut self, input: Input) {
        self.effects.clear();
        let now = Now { time: Time(self.now_ms), wall: UnixMs(1_790_000_000_000 + self.now_ms) };
        self.engine.step(now, input, &mut self.effects);
    }

    fn requests(&self) -> Vec<Numbered> {
        let asked = |effect: &Effect| match effect {
            Effect::Send(Frame::Request(numbered)) => Some(numbered.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(asked).collect()
    }

    fn answers(&self) -> Vec<CommandError> {
        let refused = |effect: &Effect| match effect {
            Effect::Answer(_, Err(error)) => Some(error.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(refused).collect()
    }

    /// Refuses a request, and gives when it is asked again.
    fn refuse(&mut self, numbered: &Numbered, code: Code, retry_ms: u64) -> Option<u64> {
        let refusal = Refusal { code, retry_ms };
        self.step(Input::Server(Frame::Refused(Refused { id: numbered.id, refusal })));
        if !self.answers().is_empty() {
            return None;
        }
        let Time(at) = self.engine.deadline().unwrap();
        self.now_ms = at;
        self.step(Input::Tick);
        assert_eq!(self.requests(), std::slice::from_ref(numbered), "the same request under the same number");
        Some(at)
    }
}

/// A phone that has just asked to open a room.
fn opening() -> (Phone, Numbered) {
    let config = Config { seed: [7; 32], login_cost: Cost::Least };
    let engine = Engine::restore(config, Vec::new()).unwrap();
    let mut phone = Phone { engine, effects: Vec::new(), now_ms: 1_000 };
    phone.step(Input::Online(true));
    let (session, secret) = (SessionId([1; 16]), Secret([2; 32]));
    let welcome = Welcome { version: VERSION, session, secret, resumed: false, user: None };
    phone.step(Input::Server(Frame::Welcome(welcome)));
    let shown = RoomName::parse("anna").unwrap();
    let (policy, host) = (Policy::default(), "meet.example".to_owned());
    let new = NewRoom { policy, name: None, shown, host, memory: Memory::Nothing };
    phone.step(Input::Command(Ask(1), Command::Room(RoomCommand::Open(new))));
    let asked = phone.requests();
    (phone, asked[0].clone())
}

#[test]
fn what_was_asked_too_fast_is_asked_again_a_little_later_each_time() {
    let (mut phone, asked) = opening();
    let waits: Vec<u64> = (0..6)
        .map(|_| {
            let before = phone.now_ms;
            phone.refuse(&asked, Code::TooMany, 50).unwrap() - before
        })
        .collect();
    assert_eq!(waits, [50, 100, 200, 400, 800, 1_000]);
}

#[test]
fn what_is_refused_for_long_or_for_good_is_told_to_the_user() {
    for (code, retry_ms) in [(Code::TooMany, 60_000), (Code::TooMany, 0), (Code::RoomFull, 50)] {
        let (mut phone, asked) = opening();
        assert_eq!(phone.refuse(&asked, code, retry_ms), None, "{code:?}");
        assert_eq!(phone.answers().len(), 1);
    }
}
