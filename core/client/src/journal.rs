//! How calls came about: what happened when, for the last few of them. In memory only.

use std::collections::VecDeque;

use sidetone_engine::{CallState, CallView, Direction};
use sidetone_wire::id::{CallId, UserId};

/// Calls that are remembered.
const CALLS: usize = 8;

/// A step on the way to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Somebody calls.
    Ringing,
    /// It was answered.
    Answered,
    /// Making a link began. Absent, like the next three, when a link was there already.
    LinkOpened,
    /// Our end was described.
    Described,
    /// An address of ours was found.
    Gathered,
    /// The link works.
    LinkUp,
    /// Keys and link are there.
    Connected,
    /// The first frame of ours left.
    Spoken,
    /// The first frame of theirs was opened.
    Heard,
    /// The link was lost.
    Reconnecting,
    /// It is over.
    Ended,
}

/// How one call came about.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSetup {
    /// Which call.
    pub call: CallId,
    /// Who called.
    pub direction: Direction,
    /// Each phase the first time it was reached, with milliseconds since the first of them.
    pub phases: Vec<(Phase, f64)>,
}

struct Entry {
    call: CallId,
    peer: UserId,
    direction: Direction,
    phases: Vec<(Phase, u64)>,
}

/// The calls of late.
#[derive(Default)]
pub struct Journal {
    calls: VecDeque<Entry>,
}

impl Journal {
    /// Notes what the app is told about a call.
    pub fn call(&mut self, now_us: u64, view: &CallView) {
        if !self.calls.iter().any(|entry| entry.call == view.call) {
            self.calls.truncate(CALLS - 1);
            let (call, peer, direction) = (view.call, view.peer, view.direction);
            self.calls.push_front(Entry { call, peer, direction, phases: Vec::new() });
        }
        let phase = match view.state {
            CallState::Ringing => Phase::Ringing,
            CallState::Connecting => Phase::Answered,
            CallState::Connected => Phase::Connected,
            CallState::Reconnecting(_) => Phase::Reconnecting,
            CallState::Ended(_) => Phase::Ended,
        };
        if let Some(entry) = self.calls.iter_mut().find(|entry| entry.call == view.call) {
            entry.note(now_us, phase);
        }
    }

    /// Notes a step of the link to a peer, if a call to them is on.
    pub fn link(&mut self, now_us: u64, peer: UserId, phase: Phase) {
        if let Some(entry) = self.calls.front_mut().filter(|entry| entry.peer == peer) {
            entry.note(now_us, phase);
        }
    }

    /// Notes when sound first went each way, in the newest call.
    pub fn sound(&mut self, (spoken, heard): (Option<u64>, Option<u64>)) {
        let Some(entry) = self.calls.front_mut() else { return };
        for (phase, at) in [(Phase::Spoken, spoken), (Phase::Heard, heard)] {
            let began = entry.phases.first().map_or(u64::MAX, |(_, at)| *at);
            if let Some(at) = at.filter(|at| *at >= began) {
                entry.note(at, phase);
            }
        }
    }

    /// The calls, newest first.
    pub fn calls(&self) -> Vec<CallSetup> {
        self.calls.iter().map(Entry::report).collect()
    }
}

impl Entry {
    fn note(&mut self, now_us: u64, phase: Phase) {
        let over = self.phases.iter().any(|(known, _)| *known == phase || *known == Phase::Ended);
        let late =
            matches!(phase, Phase::Spoken | Phase::Heard) && !self.phases.iter().any(|(known, _)| *known == phase);
        if !over || late {
            self.phases.push((phase, now_us));
        }
    }

    fn report(&self) -> CallSetup {
        let began = self.phases.iter().map(|(_, at)| *at).min().unwrap_or(0);
        let mut phases = self.phases.clone();
        phases.sort_by_key(|(_, at)| *at);
        let phases = phases.into_iter().map(|(phase, at)| (phase, (at - began) as f64 / 1_000.0)).collect();
        CallSetup { call: self.call, direction: self.direction, phases }
    }
}
