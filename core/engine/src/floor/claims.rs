//! The claims that live: who says to speak, as far as we know, and which bursts are over.

use std::collections::BTreeMap;

use sidetone_wire::id::MemberId;
use sidetone_wire::limits::MEMBERS;

use crate::sound::Claim;
use crate::time::Time;

/// Bursts that are over are remembered of so many members.
const ENDED: usize = 4 * MEMBERS;

/// Every claim that was heard of and is not over.
#[derive(Default)]
pub(super) struct Claims {
    live: BTreeMap<MemberId, Live>,
    ended: BTreeMap<MemberId, u32>,
}

/// A claim and what became of it here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live {
    pub claim: Claim,
    pub since: Time,
    /// Whether it was played.
    pub played: bool,
}

/// What became of a claim that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It lives, and did not before.
    New,
    /// It lived before.
    Known,
    /// Its burst is over, or there is no room for it.
    Over,
}

/// Whether a claim goes before another.
pub(super) fn better(one: (MemberId, Claim), other: (MemberId, Claim)) -> bool {
    let rank = |(member, claim): (MemberId, Claim)| (2 - claim.priority.min(2), claim.counter, member);
    rank(one) < rank(other)
}

impl Claims {
    /// A member claims the floor.
    pub fn take(&mut self, member: MemberId, claim: Claim, now: Time) -> Taken {
        if self.ended.get(&member).is_some_and(|burst| claim.burst <= *burst) {
            return Taken::Over;
        }
        match self.live.get(&member) {
            Some(live) if claim.burst < live.claim.burst => Taken::Over,
            Some(live) if claim.burst == live.claim.burst => Taken::Known,
            None if self.live.len() > MEMBERS => Taken::Over,
            _ => {
                self.live.insert(member, Live { claim, since: now, played: false });
                Taken::New
            }
        }
    }

    /// A burst is over, and every one before it. The claim, if it lived.
    pub fn end(&mut self, member: MemberId, burst: u32) -> Option<Live> {
        if !self.ended.contains_key(&member) && self.ended.len() >= ENDED {
            self.ended.pop_first();
        }
        let last = self.ended.entry(member).or_default();
        *last = burst.max(*last);
        let over = self.live.get(&member).is_some_and(|live| live.claim.burst <= burst);
        if over { self.live.remove(&member) } else { None }
    }

    /// Nothing is heard of a claim; it may live again.
    pub fn lose(&mut self, member: MemberId) -> Option<Live> {
        self.live.remove(&member)
    }

    /// The claim of a member, if it lives.
    pub fn of(&self, member: MemberId) -> Option<Claim> {
        self.live.get(&member).map(|live| live.claim)
    }

    /// The best claim.
    pub fn best(&self) -> Option<(MemberId, Claim)> {
        let all = self.live.iter().map(|(member, live)| (*member, live.claim));
        all.reduce(|one, other| if better(one, other) { one } else { other })
    }

    /// Notes that a claim is played.
    pub fn played(&mut self, member: MemberId) {
        if let Some(live) = self.live.get_mut(&member) {
            live.played = true;
        }
    }

    /// Members whose claim is older than any burst may be.
    pub fn overlong(&self, now: Time, longest_ms: u64) -> Vec<(MemberId, u32)> {
        let over = |live: &Live| live.since.after(longest_ms) <= now;
        self.live.iter().filter(|(_, live)| over(live)).map(|(member, live)| (*member, live.claim.burst)).collect()
    }

    /// When the first claim is older than any burst may be.
    pub fn deadline(&self, longest_ms: u64) -> Option<Time> {
        self.live.values().map(|live| live.since.after(longest_ms)).min()
    }
}
