//! The files of finished transfers, beside the document and back in their place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use sidetone_engine::row::{Change, Place, Row, Table};
use sidetone_engine::transfer::row::{EndReason, PastRow, TransferRow};

use super::import::ImportError;
use super::json::hex;
use crate::transfer::place::{Kept, Shelf, choose, clean, half};

/// The folder with the files, in that of the document.
pub const FOLDER: &str = "files";
/// Bytes copied at a time.
const BLOCK: usize = 64 * 1024;

/// A finished transfer, if a row is one.
fn finished(place: &Place, value: &[u8]) -> Option<TransferRow> {
    let row = (place.table == Table::Past).then(|| PastRow::read(value).ok())??.0;
    (row.end == Some(EndReason::Received.number())).then_some(row)
}

/// Files that go out with a document.
#[derive(Default)]
pub struct Outgoing {
    wanted: Vec<(Place, TransferRow)>,
    /// What the document says of each.
    pub list: Vec<Json>,
    /// Files that were copied.
    pub copied: u64,
    /// Files that are not where they were, or not what they were.
    pub missing: u64,
    made: Vec<PathBuf>,
}

impl Outgoing {
    /// Notes the file of a row, if it has one.
    pub fn note(&mut self, place: &Place, value: &[u8]) {
        self.wanted.extend(finished(place, value).map(|row| (*place, row)));
    }

    /// Copies them; the same content once.
    ///
    /// # Errors
    /// What the disk says of the copies; then none of them is left.
    pub fn copy(&mut self, folder: &Path) -> io::Result<()> {
        let copied = self.copy_all(&folder.join(FOLDER));
        if copied.is_err() {
            self.undo();
        }
        copied
    }

    /// Takes the copies back.
    pub fn undo(&mut self) {
        remove(&std::mem::take(&mut self.made));
    }

    fn copy_all(&mut self, folder: &Path) -> io::Result<()> {
        sweep(folder);
        let mut here: BTreeMap<[u8; 32], String> = BTreeMap::new();
        for (place, row) in std::mem::take(&mut self.wanted) {
            let (digest, name) = (row.offer.digest.0, row.offer.name.as_str());
            let mut entry = json!({
                "peer": hex(place.owner.as_bytes()),
                "position": place.position,
                "name": name,
                "size": row.offer.size.bytes(),
                "sha256": hex(&digest),
            });
            if let Entry::Vacant(free) = here.entry(digest) {
                let to = choose(folder, &clean(name))?;
                match copy(row.path.as_deref().unwrap_or_default().as_ref(), &to, digest)? {
                    Copied::Whole => {
                        let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                        free.insert(format!("{FOLDER}/{name}"));
                        self.made.push(to);
                        self.copied += 1;
                    }
                    Copied::Changed => entry["missing"] = "changed".into(),
                    Copied::Gone => entry["missing"] = "gone".into(),
                }
            }
            match here.get(&digest) {
                Some(file) => entry["file"] = file.as_str().into(),
                None => self.missing += 1,
            }
            self.list.push(entry);
        }
        Ok(())
    }
}

/// Files that came in with a document.
#[derive(Default)]
pub struct Brought {
    /// Files that are in their place now.
    pub files: u64,
    /// Files that the export does not hold as they were.
    pub missing: u64,
    made: Vec<PathBuf>,
}

impl Brought {
    /// Brings the files of an export to the phone's own folder and has the rows name their new places.
    pub fn bring<'a>(
        folder: &Path,
        list: Option<&Json>,
        rows: impl Iterator<Item = &'a mut Change>,
        shelf: Option<&Shelf>,
    ) -> Result<Self, ImportError> {
        let names = names(list)?;
        let mut brought = Self::default();
        for change in rows {
            let row = change.value.as_deref().and_then(|value| finished(&change.place, value));
            let Some(mut row) = row else { continue };
            let key = (hex(change.place.owner.as_bytes()), change.place.position);
            let from = names.get(&key).map(|name| folder.join(FOLDER).join(name));
            row.path = match (from, shelf) {
                (Some(from), Some(shelf)) => match brought.take(&from, shelf, &row) {
                    Ok(path) => path,
                    Err(error) => {
                        brought.undo(shelf);
                        return Err(ImportError::Files(error.kind()));
                    }
                },
                _ => None,
            };
            match row.path {
                Some(_) => brought.files += 1,
                None => brought.missing += 1,
            }
            *change = PastRow(row).put(change.place.owner, change.place.position);
        }
        Ok(brought)
    }

    /// Takes them away again.
    pub fn undo(&mut self, shelf: &Shelf) {
        remove(&std::mem::take(&mut self.made));
        if let Err(error) = shelf.end_import(Kept::No) {
            tracing::warn!(kind = ?error.kind(), "what an import brought could not be removed");
        }
    }

    /// Where a file lies now; `None` if it is not what was transferred.
    fn take(&mut self, from: &Path, shelf: &Shelf, row: &TransferRow) -> io::Result<Option<String>> {
        if !shelf.has_room(row.offer.size.bytes()) {
            return Err(ErrorKind::StorageFull.into());
        }
        let name = row.offer.name.as_str();
        let to = if row.ours { shelf.choose_sent(name)? } else { shelf.choose(name)? };
        shelf.note_import(&to)?;
        if copy(from, &to, row.offer.digest.0)? != Copied::Whole {
            return Ok(None);
        }
        let path = to.to_str().map(str::to_owned);
        self.made.push(to);
        Ok(path)
    }
}

/// Which file belongs to which row. A name that leads anywhere else is none.
fn names(list: Option<&Json>) -> Result<BTreeMap<(String, u64), String>, ImportError> {
    let Some(list) = list else { return Ok(BTreeMap::new()) };
    let mut names = BTreeMap::new();
    for (row, entry) in list.as_array().ok_or(ImportError::NotAnExport)?.iter().enumerate() {
        let Some(file) = entry.get("file") else { continue };
        let named = file.as_str().and_then(|file| file.strip_prefix("files/")).filter(|name| {
            let mut parts = Path::new(name).components();
            matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == *name)
        });
        let key = entry["peer"].as_str().zip(entry["position"].as_u64());
        let (Some(name), Some((peer, position))) = (named, key) else {
            return Err(ImportError::Row { section: "files".to_owned(), row });
        };
        names.insert((peer.to_owned(), position), name.to_owned());
    }
    Ok(names)
}

#[derive(Debug, PartialEq, Eq)]
enum Copied {
    Whole,
    /// It is not what it was.
    Changed,
    /// There is none, or it cannot be read.
    Gone,
}

/// Throws away what copies that were cut short left in a folder of ours.
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let halves: Vec<PathBuf> = names.filter(|name| is_half(name)).map(|name| folder.join(name)).collect();
    remove(&halves);
}

fn is_half(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".part")
}

/// Copies a file that has this SHA-256; leaves nothing if it has another. Under its name it is whole from the beginning.
fn copy(from: &Path, to: &Path, digest: [u8; 32]) -> io::Result<Copied> {
    // Only a plain file has an end.
    if !fs::metadata(from).is_ok_and(|meta| meta.is_file()) {
        return Ok(Copied::Gone);
    }
    let Ok(mut source) = File::open(from) else { return Ok(Copied::Gone) };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let part = half(to).ok_or(ErrorKind::InvalidInput)?;
    let mut target = options.open(&part)?;
    let copied = pour(&mut source, &mut target).and_then(|found| {
        target.sync_all()?;
        Ok(match found {
            Some(found) if found == digest => Copied::Whole,
            Some(_) => Copied::Changed,
            None => Copied::Gone,
        })
    });
    let copied = match copied {
        Ok(Copied::Whole) => fs::rename(&part, to).map(|()| Copied::Whole),
        other => other,
    };
    if !matches!(copied, Ok(Copied::Whole)) {
        remove(&[part]);
    }
    copied
}

/// The SHA-256 of what was copied; `None` if the source broke off.
fn pour(source: &mut File, target: &mut File) -> io::Result<Option<[u8; 32]>> {
    let (mut digest, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        match source.read(&mut block) {
            Ok(0) => return Ok(Some(digest.finalize().into())),
            Ok(length) => {
                digest.update(&block[..length]);
                target.write_all(&block[..length])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
    }
}

fn remove(files: &[PathBuf]) {
    for file in files {
        if fs::remove_file(file).is_err() {
            tracing::warn!("a copy that is not wanted any more could not be removed");
        }
    }
}
