//! The engine as it was, from what the store kept.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use sidetone_engine::row::{FriendRow, Row, Table};
use sidetone_engine::{Config, Engine, Restoring};
use sidetone_wire::id::UserId;

use crate::error::OpenError;
use crate::store::{Mark, Opener, Store};

/// Bytes of sealed rows handed over at a time.
const PART_BYTES: usize = 16 << 10;
/// Parts that may wait.
const PARTS: usize = 4;

/// Some rows of one table: the place of each, with where its sealed value ends.
#[derive(Default)]
struct Part {
    table: Option<Table>,
    ends: Vec<(Mark, usize)>,
    sealed: Vec<u8>,
}

impl Part {
    fn push(&mut self, mark: Mark, sealed: &[u8]) {
        self.sealed.extend_from_slice(sealed);
        self.ends.push((mark, self.sealed.len()));
    }

    fn rows(&self) -> impl Iterator<Item = (Mark, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        begins.zip(&self.ends).map(|(begin, (mark, end))| (*mark, &self.sealed[begin..*end]))
    }
}

/// What the reading thread has.
struct Reader<'a> {
    part: Part,
    hand: SyncSender<Part>,
    opener: Opener<'a>,
    friends: Vec<(UserId, FriendRow)>,
}

impl Reader<'_> {
    fn row(&mut self, mark: Mark, sealed: &[u8]) -> Result<(), OpenError> {
        if self.part.sealed.len() >= PART_BYTES || self.part.table != mark.table() {
            self.pass()?;
            self.part.table = mark.table();
        }
        self.part.push(mark, sealed);
        Ok(())
    }

    /// Hands a part over, or opens it here if enough are waiting: friends are by far the most rows, and come in any order.
    fn pass(&mut self) -> Result<(), OpenError> {
        let part = std::mem::take(&mut self.part);
        // Nobody takes it if a row before cannot be read, which is what the other thread says.
        match self.hand.try_send(part) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(part)) if part.table == Some(Table::Friend) => {
                for (mark, sealed) in part.rows() {
                    let (place, value) = self.opener.open(mark, sealed)?;
                    self.friends.push((place.owner, FriendRow::read(value)?));
                }
                Ok(())
            }
            Err(TrySendError::Full(part)) => {
                let _ = self.hand.send(part);
                Ok(())
            }
        }
    }
}

/// Reads the rows here while another thread opens them and makes an engine of them; whoever is ahead helps.
pub fn restore(config: Config, store: &Store) -> Result<Engine, OpenError> {
    let (hand, parts) = sync_channel::<Part>(PARTS);
    let mut opener = store.opener();
    std::thread::scope(|scope| {
        let make = move || {
            let mut restoring = Restoring::new(config);
            for part in parts {
                for (mark, sealed) in part.rows() {
                    let (place, value) = opener.open(mark, sealed)?;
                    restoring.row(place, value)?;
                }
            }
            Ok::<_, OpenError>(restoring)
        };
        let thread = std::thread::Builder::new().name("sidetone-open".into());
        let making = thread.spawn_scoped(scope, make).map_err(|_| OpenError::System)?;
        let mut reader = Reader { part: Part::default(), hand, opener: store.opener(), friends: Vec::new() };
        let read = read(store, &mut reader);
        let Reader { hand, friends, .. } = reader;
        drop(hand);
        let made = making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read?;
        let mut restoring = made?;
        restoring.friends(friends);
        Ok(restoring.done())
    })
}

fn read(store: &Store, reader: &mut Reader<'_>) -> Result<(), OpenError> {
    let mut refused = Ok(());
    store.restore_each(|mark, sealed| {
        if refused.is_ok() {
            refused = reader.row(mark, sealed);
        }
    })?;
    refused?;
    reader.pass()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use sidetone_engine::Cost;
    use sidetone_engine::row::Place;
    use sidetone_wire::id::IdentityKey;
    use zeroize::Zeroizing;

    use super::*;
    use crate::store::{Location, Write};

    const FRIENDS: u32 = 3000;

    fn user(number: u32) -> UserId {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        UserId(id)
    }

    fn friend(name: String) -> FriendRow {
        let identity = IdentityKey([1; 32]);
        FriendRow { name, identity, changed: None, standing: 3, verified: false, pinned: true, addresses: None }
    }

    fn full() -> Store {
        let mut store = Store::open(Location::Memory, Zeroizing::new([9; 32]), None).unwrap();
        let rows: Vec<_> = (0..FRIENDS).map(|number| friend(format!("person {number}")).put(user(number), 0)).collect();
        store.keep(rows.iter().map(Write::Change)).unwrap();
        store
    }

    #[test]
    fn who_reads_opens_what_the_other_has_no_time_for_and_nobody_is_read_twice() {
        let store = full();
        let (hand, parts) = sync_channel(PARTS);
        let mut reader = Reader { part: Part::default(), hand, opener: store.opener(), friends: Vec::new() };
        // Nobody takes anything.
        read(&store, &mut reader).unwrap();
        let Reader { hand, friends, .. } = reader;
        drop(hand);
        let mut people: BTreeSet<UserId> = friends.into_iter().map(|(user, _)| user).collect();
        assert!(people.len() as u32 > FRIENDS / 2);
        let mut opener = store.opener();
        for part in parts {
            for (mark, sealed) in part.rows() {
                assert!(people.insert(opener.open(mark, sealed).unwrap().0.owner));
            }
        }
        assert_eq!(people, (0..FRIENDS).map(user).collect());
    }

    #[test]
    fn everybody_is_there_whoever_read_them() {
        let engine = restore(Config { seed: [1; 32], login_cost: Cost::Interactive }, &full()).unwrap();
        assert_eq!(engine.friends().len() as u32, FRIENDS);
    }

    #[test]
    fn a_row_that_is_no_friend_is_refused_whoever_meets_it() {
        let mut store = full();
        let place = Place { table: Table::Friend, owner: user(FRIENDS / 2), position: 0 };
        store.keep([Write::Change(&sidetone_engine::row::Change { place, value: Some(vec![0xff]) })]).unwrap();
        let config = Config { seed: [1; 32], login_cost: Cost::Interactive };
        assert!(restore(config, &store).is_err());
        // Nobody takes anything, and what is before the first row takes all the room: every row is met by who reads.
        let (hand, _parts) = sync_channel(1);
        let mut reader = Reader { part: Part::default(), hand, opener: store.opener(), friends: Vec::new() };
        assert!(read(&store, &mut reader).is_err());
    }
}
