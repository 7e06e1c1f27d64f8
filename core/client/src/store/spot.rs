//! Where a row lies in the file, and how its value is sealed for that place.

use sidetone_crypto::vault::{self, Vault};
use sidetone_engine::row::{Place, Table};
use sidetone_wire::id::UserId;
use zeroize::Zeroizing;

use super::{Kept, StoreError};
use crate::vault::random;

/// Steps whose rows share half of their nonce. Their rows are far fewer than the 2^32 that may.
const SEASON: u64 = 1 << 16;

/// A row's place as the file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// [`Table`] as a number, of this version or another.
    pub kind: u8,
    /// A keyed hash.
    pub owner: [u8; 32],
    /// [`Place::position`].
    pub position: i64,
}

impl Spot {
    pub fn of(vault: &Vault, place: &Place) -> Self {
        let position = i64::try_from(place.position).expect("positions are counted up from 0");
        Self { kind: place.table as u8, owner: owner_hash(vault, place.owner), position }
    }

    /// The first three columns of a row.
    pub fn read(row: &rusqlite::Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { kind: row.get(0)?, owner: row.get(1)?, position: row.get(2)? })
    }

    fn name(&self) -> [u8; 41] {
        let mut name = [0; 41];
        name[0] = self.kind;
        name[1..33].copy_from_slice(&self.owner);
        name[33..].copy_from_slice(&self.position.to_be_bytes());
        name
    }

    /// The owner is sealed with the value: the hash cannot be turned back. `generation` is that of the step that writes it.
    pub fn seal(&self, vault: &Vault, owner: UserId, value: &[u8], version: u16, generation: u64) -> Vec<u8> {
        let text = Zeroizing::new([owner.as_bytes(), value].concat());
        let place = vault::Place { table: "kept", column: "sealed", row: &self.name(), version };
        let nonce = vault.nonce(generation / SEASON, random());
        vault.seal(place, &text, nonce).expect("a row is shorter than 64 GiB")
    }

    /// The owner and the value, if both belong here.
    pub fn open(&self, vault: &Vault, sealed: &[u8], version: u16) -> Result<(UserId, Zeroizing<Vec<u8>>), StoreError> {
        let place = vault::Place { table: "kept", column: "sealed", row: &self.name(), version };
        let mut text = vault.open(place, sealed).map_err(|_| StoreError::Damaged)?;
        let owner = UserId(*text.first_chunk().ok_or(StoreError::Damaged)?);
        text.drain(..owner.0.len());
        Ok((owner, text))
    }

    /// The same of many rows, into a buffer, over what it holds.
    pub fn open_into<'a>(
        &self,
        opener: &mut vault::Opener<'_>,
        sealed: &[u8],
        version: u16,
        text: &'a mut Zeroizing<Vec<u8>>,
    ) -> Result<(UserId, &'a [u8]), StoreError> {
        let place = vault::Place { table: "kept", column: "sealed", row: &self.name(), version };
        opener.open_into(place, sealed, text).map_err(|_| StoreError::Damaged)?;
        let (owner, value) = text.split_first_chunk().ok_or(StoreError::Damaged)?;
        Ok((UserId(*owner), value))
    }

    /// The row of a known table.
    pub fn open_row(&self, vault: &Vault, sealed: &[u8], version: u16) -> Result<Kept, StoreError> {
        let (owner, value) = self.open(vault, sealed, version)?;
        Ok((self.place(owner).ok_or(StoreError::Damaged)?, value))
    }

    /// The place of a row of a known table.
    pub fn place(&self, owner: UserId) -> Option<Place> {
        Some(Place { table: table(self.kind)?, owner, position: u64::try_from(self.position).ok()? })
    }
}

/// The table of a number, if this version knows it.
pub fn table(kind: u8) -> Option<Table> {
    Table::ALL.iter().copied().find(|table| *table as u8 == kind)
}

pub fn owner_hash(vault: &Vault, owner: UserId) -> [u8; 32] {
    vault.lookup("kept", "owner", owner.as_bytes())
}
