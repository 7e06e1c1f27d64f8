//! A part of what a phone keeps, given up at its user's word.

use std::path::Path;

use sidetone_engine::row::{ChatRow, Class, Row, Table};

use crate::error::OpenError;
use crate::store::{Location, Store, Write};
use crate::vault::KeyVault;

/// A part of what a phone keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What can be had again or done without: preferences, recent rooms. The pinned keys of friends stay: without them
    /// another key would go unnoticed.
    Cache,
    /// What was said: messages, what waits to be sent, drafts, transfers. Friends and the account stay.
    Messages,
}

impl Part {
    fn holds(self, table: Table) -> bool {
        match self {
            Self::Cache => table.class() == Class::Cached && table != Table::Friend,
            // Where a conversation stands is kept: new messages are numbered behind the old ones.
            Self::Messages => {
                let said = (Table::Outgoing as u8..Table::Preferences as u8).contains(&(table as u8));
                said && table.class() == Class::Kept
            }
        }
    }
}

/// Forgets a part of the store at `store`, which no client has open: all of it, or nothing. Its bytes are overwritten.
/// Everything goes with [`crate::Client::wipe`].
///
/// # Errors
///
/// [`OpenError::Vault`], [`OpenError::Store`], [`OpenError::Row`].
pub fn forget(store: &Path, vault: &dyn KeyVault, part: Part) -> Result<(), OpenError> {
    let mut store = Store::open(Location::File(store), vault.load_or_create()?, None)?;
    let tables = Table::ALL.iter().copied().filter(|table| part.holds(*table));
    let mut seen = Vec::new();
    if part == Part::Messages {
        for (place, value) in store.table(Table::Chat)? {
            let mut row = ChatRow::read(&value)?;
            row.see();
            seen.push(row.put(place.owner, place.position));
        }
    }
    let kept = store.keep(tables.map(Write::Forget).chain(seen.iter().map(Write::Change)));
    store.close();
    Ok(kept?)
}
