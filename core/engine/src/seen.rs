//! The first messages of handshakes that were heard, so that none is answered twice.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_wire::limits::HANDSHAKE_SKEW_MS;

use crate::time::Time;

/// Ephemeral keys remembered against replays.
const SEEN: usize = 4_096;

/// Ephemeral keys of hellos.
#[derive(Default)]
pub(crate) struct Seen {
    keys: BTreeMap<[u8; 32], Time>,
    order: BTreeSet<(Time, [u8; 32])>,
}

impl Seen {
    /// False if this one was seen within the time in which a hello is taken.
    pub fn insert(&mut self, key: [u8; 32], now: Time) -> bool {
        if self.keys.contains_key(&key) {
            return false;
        }
        let oldest = now.0.saturating_sub(2 * HANDSHAKE_SKEW_MS);
        while let Some(&(at, old)) = self.order.first() {
            if at.0 >= oldest && self.order.len() < SEEN {
                break;
            }
            self.order.pop_first();
            self.keys.remove(&old);
        }
        self.keys.insert(key, now);
        self.order.insert((now, key));
        true
    }
}
