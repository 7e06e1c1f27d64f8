//! Messages that disappear: which, and when.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_wire::id::{UnixMs, UserId};

use crate::cx::Cx;
use crate::input::Storage;
use crate::row::{FadeRow, Row};
use crate::time::{Now, Time};

/// Every message that will disappear. Its time runs by the calendar, so that it goes on while the phone is off.
#[derive(Default)]
pub(crate) struct Fades {
    rows: BTreeMap<(UserId, u64), FadeRow>,
    due: BTreeSet<(UnixMs, UserId, u64)>,
    /// What the clocks said last.
    now: Now,
}

impl Fades {
    pub fn restore(&mut self, peer: UserId, at: u64, row: FadeRow) {
        if let Some(until) = row.until {
            self.due.insert((until, peer, at));
        }
        self.rows.insert((peer, at), row);
    }

    pub fn add(&mut self, peer: UserId, at: u64, row: FadeRow, storage: Storage, cx: &mut Cx<'_>) {
        cx.keep(storage, row.put(peer, at));
        self.restore(peer, at, row);
    }

    /// The time of a message begins to run, if it does not yet.
    pub fn start(&mut self, peer: UserId, at: u64, storage: Storage, cx: &mut Cx<'_>) {
        let Some(row) = self.rows.get_mut(&(peer, at)).filter(|row| row.until.is_none()) else { return };
        let until = UnixMs(cx.now.wall.0.saturating_add(u64::from(row.stay_s).saturating_mul(1_000)));
        row.until = Some(until);
        cx.keep(storage, row.put(peer, at));
        self.due.insert((until, peer, at));
    }

    /// The time of everything of theirs begins to run: the user saw it.
    pub fn start_theirs(&mut self, peer: UserId, storage: Storage, cx: &mut Cx<'_>) {
        let rows = self.rows.range((peer, 0)..=(peer, u64::MAX));
        let seen = rows.filter(|(_, row)| row.theirs && row.until.is_none());
        let seen: Vec<u64> = seen.map(|((_, at), _)| *at).collect();
        for at in seen {
            self.start(peer, at, storage, cx);
        }
    }

    /// The message is gone, whatever its time.
    pub fn remove(&mut self, peer: UserId, at: u64, cx: &mut Cx<'_>) {
        let Some(row) = self.rows.remove(&(peer, at)) else { return };
        if let Some(until) = row.until {
            self.due.remove(&(until, peer, at));
        }
        cx.save(FadeRow::drop_at(peer, at));
    }

    /// Notes the time, and names one message whose time is over.
    pub fn over(&mut self, now: Now) -> Option<(UserId, FadeRow)> {
        self.now = now;
        let (until, peer, at) = *self.due.first()?;
        let row = self.rows.get(&(peer, at)).filter(|_| until <= now.wall)?;
        Some((peer, *row))
    }

    pub fn deadline(&self) -> Option<Time> {
        let (until, ..) = self.due.first()?;
        if self.now == Now::default() {
            // Restored, and not told the time yet: it may be over.
            return Some(Time(0));
        }
        Some(self.now.time.after(until.0.saturating_sub(self.now.wall.0)))
    }
}
