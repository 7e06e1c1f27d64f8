//! An export brought to a phone that holds nothing yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ciborium::Value;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};
use sidetone_crypto::backup::{self, BackupError};
use sidetone_crypto::identity::Identity;
use sidetone_engine::row::{
    AccountRow, Change, ChatRow, ContentRow, MessageRow, OURSELVES, OutgoingRow, Place, ReactionRow, Row, Table,
};
use sidetone_engine::transfer::row::{EndReason, PastRow, PreviewRow, TransferRow};
use sidetone_wire::id::{DeviceId, ItemSeq, Secret, UserId};
use sidetone_wire::record::{Body, Stay};
use zeroize::{Zeroize, Zeroizing};

use super::export::{DOCUMENT, FORMAT, VERSION};
use super::files::Brought;
use super::json::{arrange, fill, to_cbor, unhex};
use super::shape::{SECTIONS, Section, Shape};
use crate::store::{Location, Store, StoreError, Write};
use crate::transfer::place::{Kept, Shelf};
use crate::vault::{KeyVault, VaultError, random};

/// What stands for a key that was left out.
const NONE: Secret = Secret([0; 32]);
/// Numbers left free in each of our lanes, for what the other phone may have sent after the export.
const GAP: u64 = 1 << 32;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Rows that are in the store now.
    pub rows: u64,
    /// Rows that this version does not know, or that say nothing without the passphrase, and that were left out.
    pub unknown: u64,
    /// Files that are in their place now.
    pub files: u64,
    /// Files of finished transfers that the export does not hold as they were.
    pub missing_files: u64,
    /// Which identity the phone has now.
    pub identity: ImportedIdentity,
}

/// Which identity a phone has after an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportedIdentity {
    /// That of the phone before: friends notice nothing. The user signs in with the password.
    Restored,
    /// A fresh one: once the user signs in, friends see that the key changed.
    New,
    /// None: the export is of a phone without an account.
    None,
}

/// Why nothing was imported. The store is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The document cannot be read from the folder.
    #[error("the export cannot be read: {0:?}")]
    Folder(std::io::ErrorKind),
    /// Not an export, or changed: let the user choose another.
    #[error("not an export")]
    NotAnExport,
    /// Made by a newer version of the app: ask the user to update.
    #[error("the export has version {0}")]
    TooNew(u64),
    /// This row makes no sense.
    #[error("row {row} of {section} makes no sense")]
    Row {
        /// The name of its list.
        section: String,
        /// Its place in it, from 0.
        row: usize,
    },
    /// The passphrase does not open the sealed part: let the user type again.
    #[error("the passphrase does not open the export")]
    WrongPassphrase,
    /// A passphrase was given, and the export has no sealed part.
    #[error("the export holds no identity")]
    NoIdentity,
    /// The phone holds something already: sign out first.
    #[error("the phone is not empty")]
    NotEmpty,
    /// The key store gave no key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The files cannot be brought to their place: make room, or see to the folder.
    #[error("the files cannot be written: {0:?}")]
    Files(std::io::ErrorKind),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the export in `folder` into the store at `store`, which no client has open: all of it, or nothing, also if it is cut
/// short: then it can be tried again. Its files go to
/// the folder `files`, which must be that of [`crate::Config::files`]; without one they are left. With the `passphrase` of
/// the export the identity comes with it; without it a file that was under way has to be sent again.
///
/// # Errors
///
/// [`ImportError`].
pub fn import(
    folder: &Path,
    store: &Path,
    files: Option<&Path>,
    vault: &dyn KeyVault,
    passphrase: Option<&str>,
) -> Result<Imported, ImportError> {
    let text = std::fs::read_to_string(folder.join(DOCUMENT)).map_err(|error| ImportError::Folder(error.kind()))?;
    let mut incoming = Incoming::read(&Zeroizing::new(text))?;
    incoming.unseal(passphrase)?;
    let identity = incoming.settle_account();
    incoming.leave_gaps();
    incoming.settle_transfers();

    let mut store = Store::open(Location::File(store), vault.load_or_create()?, None)?;
    let taken = store.restore_rows()?.iter().any(|(place, _)| place.table != Table::Preferences);
    if taken {
        store.close();
        return Err(ImportError::NotEmpty);
    }
    let shelf = files.map(|files| Shelf::new(files.to_owned(), None));
    if let Some(shelf) = &shelf {
        // Of one that was cut short before its rows were kept.
        shelf.end_import(Kept::No).map_err(|error| ImportError::Files(error.kind()))?;
    }
    let list = incoming.words.remove("files");
    let brought = Brought::bring(folder, list.as_ref(), incoming.rows.values_mut(), shelf.as_ref());
    let kept = brought.and_then(|mut brought| match store.keep(incoming.rows.values().map(Write::Change)) {
        Ok(()) => {
            // A note that stays is looked at by the next opening.
            let _ = shelf.as_ref().map(|shelf| shelf.end_import(Kept::Yes));
            Ok(brought)
        }
        Err(error) => {
            shelf.as_ref().into_iter().for_each(|shelf| brought.undo(shelf));
            Err(error.into())
        }
    });
    store.close();
    let Brought { files, missing: missing_files, .. } = kept?;
    let (rows, unknown) = (incoming.rows.len() as u64, incoming.unknown + incoming.bare.len() as u64);
    Ok(Imported { rows, unknown, files, missing_files, identity })
}

/// The rows of an export.
#[derive(Default)]
struct Incoming {
    rows: BTreeMap<Place, Change>,
    /// Rows that say nothing without what was left out of them.
    bare: BTreeSet<Place>,
    unknown: u64,
    /// Everything that is not a list of rows.
    words: BTreeMap<String, Json>,
    unsealed: bool,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.rows.values_mut().for_each(|change| change.value.zeroize());
    }
}

impl Incoming {
    fn read(text: &str) -> Result<Self, ImportError> {
        let (mut incoming, mut wrong) = (Self::default(), None);
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = Document { incoming: &mut incoming, wrong: &mut wrong }.deserialize(&mut reader);
        if incoming.words.get("format").is_none_or(|format| *format != FORMAT) {
            return Err(ImportError::NotAnExport);
        }
        match incoming.words.get("version").and_then(Json::as_u64) {
            Some(VERSION) => {}
            Some(version) => return Err(ImportError::TooNew(version)),
            None => return Err(ImportError::NotAnExport),
        }
        if let Some(error) = wrong {
            return Err(error);
        }
        read.and_then(|()| reader.end()).map_err(|_| ImportError::NotAnExport)?;
        Ok(incoming)
    }

    /// Puts the secret rows in the place of those that were written without their secrets.
    fn unseal(&mut self, passphrase: Option<&str>) -> Result<(), ImportError> {
        let Some(passphrase) = passphrase else { return Ok(()) };
        let sealed = self.words.get("sealed").ok_or(ImportError::NoIdentity)?;
        let sealed = sealed.as_str().and_then(unhex).ok_or(ImportError::NotAnExport)?;
        let text = backup::open(passphrase.as_bytes(), &sealed).map_err(|error| match error {
            BackupError::Malformed => ImportError::NotAnExport,
            BackupError::WrongPassphrase | BackupError::Unusable => ImportError::WrongPassphrase,
        })?;
        let Ok(Value::Array(rows)) = ciborium::from_reader(&text[..]) else { return Err(ImportError::NotAnExport) };
        for (number, row) in rows.into_iter().enumerate() {
            let wrong = || ImportError::Row { section: "sealed".to_owned(), row: number };
            let change = sealed_row(row).ok_or_else(wrong)?;
            // Only what the document shows can be meant: the sealed part adds secrets and no rows.
            let shown = self.bare.remove(&change.place) || self.rows.contains_key(&change.place);
            self.rows.insert(change.place, change);
            if !shown {
                return Err(wrong());
            }
        }
        self.unsealed = true;
        Ok(())
    }

    /// The account is signed out on this phone; without its secrets it gets fresh ones.
    fn settle_account(&self) -> ImportedIdentity {
        let place = Place { table: Table::Account, owner: OURSELVES, position: 0 };
        match self.rows.get(&place) {
            None => ImportedIdentity::None,
            Some(_) if self.unsealed => ImportedIdentity::Restored,
            Some(_) => ImportedIdentity::New,
        }
    }

    /// What the phone before sent after the export has numbers that this one does not know: it goes on far behind them, so
    /// that nothing new is taken for something old. What waited keeps its numbers: who has it already drops it.
    fn leave_gaps(&mut self) {
        for (place, change) in &mut self.rows {
            let Some(Ok(mut row)) = change.value.as_deref().filter(|_| place.table == Table::Chat).map(ChatRow::read)
            else {
                continue;
            };
            row.last = ItemSeq(row.last.0.saturating_add(GAP));
            *change = row.put(place.owner, place.position);
        }
    }
}

impl Incoming {
    /// Nothing that was half here is here now: a file that was coming comes from its beginning, and what was going has its
    /// key only if the passphrase was given.
    fn settle_transfers(&mut self) {
        let unsettled = self.rows.values().filter(|row| matches!(row.place.table, Table::Transfer | Table::Outgoing));
        let rows: Vec<Change> = unsettled.cloned().collect();
        for Change { place, value } in rows {
            let value = Zeroizing::new(value.unwrap_or_default());
            match place.table {
                Table::Transfer => self.settle_transfer(place, TransferRow::read(&value)),
                Table::Outgoing => self.settle_outgoing(place, OutgoingRow::read(&value)),
                _ => {}
            }
        }
    }

    fn settle_transfer(&mut self, place: Place, row: Result<TransferRow, impl Sized>) {
        let Ok(mut row) = row else { return };
        if row.offer.key == NONE {
            row.end = Some(EndReason::Changed.number());
            row.path = None;
            let past = PastRow(row).put(place.owner, place.position);
            self.rows.remove(&place);
            self.rows.insert(past.place, past);
        } else if !row.ours {
            (row.stage, row.done, row.path) = (row.stage.min(1), 0, None);
            self.rows.insert(place, row.put(place.owner, place.position));
        }
    }

    /// Its number stays taken: their phone waits for it.
    fn settle_outgoing(&mut self, place: Place, row: Result<OutgoingRow, impl Sized>) {
        let Ok(mut row) = row else { return };
        if matches!(&row.body, Body::File(offer) if offer.key == NONE) {
            row.body = Body::Gone(Stay { seconds: None });
            self.rows.insert(place, row.put(place.owner, place.position));
        }
    }
}

/// Reads a document as it comes: of a long history only the rows themselves are held.
struct Document<'a> {
    incoming: &'a mut Incoming,
    wrong: &'a mut Option<ImportError>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an export")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { incoming, wrong } = self;
        while let Some(name) = map.next_key::<String>()? {
            let known = SECTIONS.iter().find(|section| section.name == name);
            let number = name.strip_prefix("table_").and_then(|number| number.parse().ok());
            match known.map(|section| section.kind).or(number) {
                Some(kind) => map.next_value_seed(List { name: &name, kind, known, incoming, wrong })?,
                None => drop(incoming.words.insert(name, map.next_value()?)),
            }
        }
        Ok(())
    }
}

/// One list of rows.
struct List<'a> {
    name: &'a str,
    kind: u8,
    known: Option<&'static Section>,
    incoming: &'a mut Incoming,
    wrong: &'a mut Option<ImportError>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Some(table) = Table::ALL.iter().copied().find(|table| *table as u8 == self.kind) else {
            while rows.next_element::<IgnoredAny>()?.is_some() {
                self.incoming.unknown += 1;
            }
            return Ok(());
        };
        let mut number = 0;
        while let Some(row) = rows.next_element()? {
            let parsed = parse(row, table, self.known);
            let Some((change, bare)) = parsed else {
                let section = self.name.to_owned();
                self.wrong.get_or_insert(ImportError::Row { section, row: number });
                return Err(A::Error::custom("no row"));
            };
            if bare {
                self.incoming.bare.insert(change.place);
            } else {
                self.incoming.rows.insert(change.place, change);
            }
            number += 1;
        }
        Ok(())
    }
}

/// A row, and whether it says nothing without what was left out of it.
fn parse(row: Json, table: Table, known: Option<&Section>) -> Option<(Change, bool)> {
    let Json::Object(mut object) = row else { return None };
    let owner = match object.remove(known.map_or("owner", |section| section.owner)) {
        Some(digits) => UserId(unhex(digits.as_str()?)?.try_into().ok()?),
        None => OURSELVES,
    };
    let position = match object.remove("position") {
        Some(position) => position.as_u64().filter(|position| i64::try_from(*position).is_ok())?,
        None => 0,
    };
    let shape = known.map_or(Shape::Fields(&[]), |section| section.row);
    let mut value = match object.remove("value") {
        Some(value) if object.is_empty() => to_cbor(&value, Shape::Plain)?,
        _ => to_cbor(&Json::Object(filled(object)), shape)?,
    };
    if table == Table::Account {
        return account(value).map(|row| (row.put(OURSELVES, 0), false));
    }
    let filled = fill(&mut value, shape);
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).ok()?;
    let change = Change { place: Place { table, owner, position }, value: Some(bytes) };
    let readable = readable(table, change.value.as_deref().unwrap_or_default());
    // What becomes of these without their keys is settled later.
    let goes_on = matches!(table, Table::Transfer | Table::Past | Table::Outgoing);
    (readable || known.is_none()).then_some((change, !readable || filled && !goes_on))
}

fn filled(mut object: Map<String, Json>) -> Map<String, Json> {
    object.retain(|_, value| !value.is_null());
    object
}

/// An account without its secrets: with a fresh identity of a fresh device, signed out.
fn account(value: Value) -> Option<AccountRow> {
    let Value::Map(mut fields) = value else { return None };
    let identity = Identity::from_seed(random());
    fields.push((Value::Integer(3.into()), Value::Bytes(identity.secret().to_vec())));
    arrange(&mut fields);
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(&Value::Map(fields), &mut *bytes).ok()?;
    let mut row = AccountRow::read(&bytes).ok()?;
    (row.device, row.token, row.leaving) = (DeviceId(random()), None, None);
    Some(row)
}

fn sealed_row(row: Value) -> Option<Change> {
    let Value::Array(mut row) = row else { return None };
    let (Value::Bytes(value), position) = (row.pop()?, row.pop()?) else { return None };
    let position = u64::try_from(i128::from(position.as_integer()?)).ok().filter(|at| i64::try_from(*at).is_ok())?;
    let owner = UserId(row.pop()?.into_bytes().ok()?.try_into().ok()?);
    let kind = i128::from(row.pop()?.as_integer()?);
    let table = Table::ALL.iter().copied().find(|table| i128::from(*table as u8) == kind)?;
    let place = Place { table, owner, position };
    readable(table, &value).then_some(Change { place, value: Some(value) })
}

/// Whether it can be read once it is kept: what the engine cannot read would keep the client from opening.
fn readable(table: Table, bytes: &[u8]) -> bool {
    match table {
        Table::Message => return MessageRow::read(bytes).is_ok(),
        Table::Content => return ContentRow::read(bytes).is_ok(),
        Table::Reaction => return ReactionRow::read(bytes).is_ok(),
        Table::Past => return PastRow::read(bytes).is_ok(),
        Table::Preview => return PreviewRow::read(bytes).is_ok(),
        _ => {}
    }
    let place = Place { table, owner: OURSELVES, position: 0 };
    let config = sidetone_engine::Config { seed: [0; 32], login_cost: sidetone_engine::Cost::Least };
    sidetone_engine::Engine::restore(config, [(place, Zeroizing::new(bytes.to_vec()))]).is_ok()
}
