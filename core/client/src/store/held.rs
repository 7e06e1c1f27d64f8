//! Rows that are in memory only: read like any other, in no file, gone when the client closes.

use std::collections::BTreeMap;

use sidetone_engine::row::{Change, Place};
use zeroize::Zeroizing;

/// Rows that are in memory only.
pub(super) type Held = BTreeMap<Place, Zeroizing<Vec<u8>>>;

/// What a step does to them: nothing until it is committed.
pub(super) struct Memory<'a> {
    held: &'a mut Held,
    fresh: BTreeMap<Place, Option<Zeroizing<Vec<u8>>>>,
    forgot: bool,
}

impl<'a> Memory<'a> {
    pub(super) fn of(held: &'a mut Held) -> Self {
        Self { held, fresh: BTreeMap::new(), forgot: false }
    }

    /// Keeps a row, or drops it if it is here.
    pub(super) fn put(&mut self, change: &Change) {
        if change.value.is_some() || self.has(&change.place) {
            self.fresh.insert(change.place, change.value.clone().map(Zeroizing::new));
        }
    }

    pub(super) fn has(&self, place: &Place) -> bool {
        let before = !self.forgot && self.held.contains_key(place);
        self.fresh.get(place).map_or(before, Option::is_some)
    }

    pub(super) fn forget(&mut self) {
        self.forgot = true;
        self.fresh.clear();
    }

    pub(super) fn commit(self) {
        if self.forgot {
            self.held.clear();
        }
        for (place, value) in self.fresh {
            match value {
                Some(value) => self.held.insert(place, value),
                None => self.held.remove(&place),
            };
        }
    }
}
