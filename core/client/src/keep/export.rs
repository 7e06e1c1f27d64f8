//! Everything kept, as one JSON document and the files beside it. What it looks like: `docs/export.schema.json`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ciborium::Value;
use serde_json::{Map, Value as Json};
use sidetone_crypto::backup;
use sidetone_engine::row::{AccountRow, OURSELVES, Place, Row, Table};
use zeroize::Zeroizing;

use super::files::Outgoing;
use super::json::{hex, to_json};
use super::shape::{Section, Shape, section};
use crate::store::{Kept, StoreError};
use crate::vault::{VaultError, random};

/// The document's name in its folder.
pub const DOCUMENT: &str = "sidetone-export.json";
/// What the document says it is.
pub const FORMAT: &str = "sidetone-export";
/// The version of the document that this code writes and reads.
pub const VERSION: u64 = 1;

/// What an export did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows in the document.
    pub rows: u64,
    /// Rows of the store that could not be read and are not in it; 0 for a store that is whole.
    pub damaged: u64,
    /// Rows that should have been in the store and were not; `None` if that cannot be known any more.
    pub missing: Option<u64>,
    /// Files beside the document.
    pub files: u64,
    /// Files of finished transfers that are not where they were, or not what they were; the document names them.
    pub missing_files: u64,
}

/// Why there is no export. A folder without the document in it holds none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The client could not give what it keeps: see the error.
    #[error(transparent)]
    Client(#[from] crate::Error),
    /// The folder cannot be written to, is full, or holds an export already: let the user choose another.
    #[error("the folder cannot be written to: {0:?}")]
    Folder(io::ErrorKind),
    /// The store cannot be opened: see the error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key store gave no key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The passphrase is empty, or there is too little memory to seal with it.
    #[error("the passphrase cannot be used")]
    Passphrase,
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Folder(error.kind())
    }
}

/// What goes with the rows.
#[derive(Default)]
pub struct Beside {
    /// What the server keeps about the account, as it said.
    pub server: Option<Json>,
    /// Seals what is secret: the identity and whatever else gives access. Without it they are left out.
    pub passphrase: Option<Zeroizing<String>>,
    /// How dear a guess at the passphrase is.
    pub cost: Option<backup::Cost>,
}

/// A document under way. It appears under its name only when it is whole.
pub struct Writer<'a> {
    folder: &'a Path,
    out: BufWriter<File>,
    section: Option<u8>,
    rows: u64,
    secrets: Vec<(Place, Zeroizing<Vec<u8>>)>,
    files: Outgoing,
}

impl<'a> Writer<'a> {
    /// Begins a document in a folder, which is made if it is not there.
    pub fn begin(folder: &'a Path, made_ms: u64) -> Result<Self, ExportError> {
        fs::create_dir_all(folder)?;
        if folder.join(DOCUMENT).exists() {
            return Err(ExportError::Folder(io::ErrorKind::AlreadyExists));
        }
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = BufWriter::new(options.open(part(folder))?);
        let app = env!("CARGO_PKG_VERSION");
        writeln!(
            out,
            "{{\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION},\n\"app\": \"{app}\",\n\"made_ms\": {made_ms}"
        )?;
        Ok(Self { folder, out, section: None, rows: 0, secrets: Vec::new(), files: Outgoing::default() })
    }

    /// Adds rows: those of a table come one after the other.
    pub fn add(&mut self, rows: Vec<Kept>) -> Result<(), ExportError> {
        for (place, value) in rows {
            let (kind, known) = (place.table as u8, section(place.table as u8));
            if self.section != Some(kind) {
                self.end_section()?;
                self.section = Some(kind);
                let name = known.map_or_else(|| format!("table_{kind}"), |section| section.name.to_owned());
                write!(self.out, ",\n\"{name}\": [\n")?;
            } else {
                writeln!(self.out, ",")?;
            }
            let (row, secret) = row(&place, &value, known);
            serde_json::to_writer(&mut self.out, &row).map_err(io::Error::from)?;
            self.rows += 1;
            self.files.note(&place, &value);
            // A transfer that is over needs its key no more.
            if secret && place.table != Table::Past {
                self.secrets.push((place, value));
            }
        }
        Ok(())
    }

    fn end_section(&mut self) -> io::Result<()> {
        match self.section.take() {
            Some(_) => write!(self.out, "\n]"),
            None => Ok(()),
        }
    }

    /// Ends the document and gives it its name.
    pub fn end(mut self, beside: Beside, damage: Option<(u64, Option<u64>)>) -> Result<Exported, ExportError> {
        self.end_section()?;
        self.files.copy(self.folder)?;
        let mut files = std::mem::take(&mut self.files);
        let ended = self.close(&files, beside, damage);
        if ended.is_err() {
            files.undo();
        }
        ended
    }

    fn close(
        mut self,
        files: &Outgoing,
        beside: Beside,
        damage: Option<(u64, Option<u64>)>,
    ) -> Result<Exported, ExportError> {
        if !files.list.is_empty() {
            write!(self.out, ",\n\"files\": {}", serde_json::json!(files.list))?;
        }
        if let Some(server) = &beside.server {
            write!(self.out, ",\n\"server\": {server}")?;
        }
        if let Some(sealed) = seal(std::mem::take(&mut self.secrets), &beside)? {
            write!(self.out, ",\n\"sealed\": \"{}\"", hex(&sealed))?;
        }
        if let Some((damaged, missing)) = damage {
            write!(self.out, ",\n\"damage\": {}", serde_json::json!({"damaged": damaged, "missing": missing}))?;
        }
        writeln!(self.out, "\n}}")?;
        let file = self.out.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        fs::rename(part(self.folder), self.folder.join(DOCUMENT))?;
        #[cfg(unix)]
        File::open(self.folder)?.sync_all()?;
        let (damaged, missing) = damage.unwrap_or((0, Some(0)));
        let (rows, missing_files) = (self.rows, files.missing);
        Ok(Exported { rows, damaged, missing, files: files.copied, missing_files })
    }
}

fn part(folder: &Path) -> std::path::PathBuf {
    folder.join(format!("{DOCUMENT}.part"))
}

/// A row as an object, and whether something secret was left out of it.
fn row(place: &Place, value: &[u8], known: Option<&Section>) -> (Json, bool) {
    let mut object = Map::new();
    if place.owner != OURSELVES {
        object.insert(known.map_or("owner", |section| section.owner).to_owned(), hex(place.owner.as_bytes()).into());
    }
    if place.position != 0 {
        object.insert("position".to_owned(), place.position.into());
    }
    let mut secret = false;
    let shape = known.map_or(Shape::Fields(&[]), |section| section.row);
    match ciborium::from_reader::<Value, _>(value).map(|value| to_json(&value, shape, &mut secret)) {
        Ok(Json::Object(fields)) => object.extend(fields),
        Ok(other) => drop(object.insert("value".to_owned(), other)),
        // It could be anything.
        Err(_) => secret = true,
    }
    (Json::Object(object), secret)
}

/// The secret rows, whole, under the passphrase. The token stays here: it belongs to this device.
fn seal(secrets: Vec<(Place, Zeroizing<Vec<u8>>)>, beside: &Beside) -> Result<Option<Vec<u8>>, ExportError> {
    let Some(passphrase) = beside.passphrase.as_ref().filter(|_| !secrets.is_empty()) else { return Ok(None) };
    let mut rows = Vec::new();
    for (place, value) in secrets {
        let mut value = value;
        if let (Table::Account, Ok(mut row)) = (place.table, AccountRow::read(&value)) {
            (row.token, row.leaving) = (None, None);
            value = Zeroizing::new(row.put(OURSELVES, 0).value.unwrap_or_default());
        }
        rows.push(Value::Array(vec![
            Value::Integer((place.table as u8).into()),
            Value::Bytes(place.owner.0.to_vec()),
            Value::Integer(place.position.into()),
            Value::Bytes(value.to_vec()),
        ]));
    }
    let mut text = Zeroizing::new(Vec::new());
    ciborium::into_writer(&Value::Array(rows), &mut *text).expect("a vector takes everything");
    let cost = beside.cost.unwrap_or(backup::Cost::Passphrase);
    backup::seal(passphrase.as_bytes(), &text, random(), cost).map(Some).map_err(|_| ExportError::Passphrase)
}
