//! An engine that is made of the rows it saved, one by one.

use sidetone_wire::id::{ItemSeq, UserId};

use super::Engine;
use crate::Config;
use crate::preferences::Preferences;
use crate::row::{
    AccountRow, ChatRow, DraftRow, FadeRow, FriendRow, OutgoingRow, Place, PreferencesRow, RoomRow, Row, RowError,
    Table,
};
use crate::transfer::row::{FilePolicy, TransferRow};

/// An engine in the making ([`Engine::restore`]).
pub struct Restoring {
    engine: Engine,
    /// A whole map of them is made faster than one grows.
    people: Vec<(UserId, FriendRow)>,
}

impl Restoring {
    /// Of no row yet.
    pub fn new(config: Config) -> Self {
        Self { engine: Engine::new(config), people: Vec::new() }
    }

    /// Takes the next row, in the order of [`Table::ALL`] and of their positions.
    ///
    /// # Errors
    ///
    /// [`RowError`] if it cannot be read.
    pub fn row(&mut self, place: Place, value: &[u8]) -> Result<(), RowError> {
        let engine = &mut self.engine;
        match place.table {
            Table::Account => {
                let row = AccountRow::read(value)?;
                engine.preferences.restore_from_account(&row);
                engine.account.restore(row);
            }
            Table::Friend => self.people.push((place.owner, FriendRow::read(value)?)),
            Table::Chat => engine.chats.restore(place.owner, ChatRow::read(value)?),
            Table::Outgoing => {
                engine.chats.restore_outgoing(place.owner, ItemSeq(place.position), OutgoingRow::read(value)?);
            }
            Table::Preferences => engine.preferences = Preferences::of(PreferencesRow::read(value)?),
            Table::Room => engine.rooms.restore(place.owner, RoomRow::read(value)?),
            Table::Fade => engine.chats.restore_fade(place.owner, place.position, FadeRow::read(value)?),
            Table::Draft => engine.chats.restore_draft(place.owner, DraftRow::read(value)?),
            Table::Transfer => engine.transfers.restore(place.owner, TransferRow::read(value)?),
            Table::FilePolicy => {
                let policy = FilePolicy::read(value)?;
                engine.transfers.restore_limit(policy.limit);
                engine.preferences.accept_below = policy.accept_below;
            }
            Table::Message | Table::Content | Table::Reaction | Table::Past | Table::Preview => {}
        }
        Ok(())
    }

    /// Takes friends whose rows were read elsewhere, in any order.
    pub fn friends(&mut self, mut people: Vec<(UserId, FriendRow)>) {
        self.people.append(&mut people);
    }

    /// The engine that goes on from them.
    pub fn done(mut self) -> Engine {
        self.engine.roster.restore(self.people);
        self.engine
    }
}
