//! Where files lie: one folder that is the library's alone, and names that never lead out of it.
//!
//! `parts` holds what is not whole yet, under names made here; `received` what is, under the names that senders gave as far
//! as they are names; `sent` the copies that the library made to send them. None of the three is ever a link to somewhere
//! else, and nothing is written through one.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sidetone_wire::id::TransferId;

use crate::keep::Downloads;

/// Longest name given to a file: room is left for the number that tells equal names apart.
const NAME_BYTES: usize = 200;
/// Longest ending that is kept when a name is shortened.
const ENDING_BYTES: usize = 16;
/// Equal names told apart before giving up.
const SAME: u32 = 10_000;
/// In the folder while an import is under way: the places of what it brings, a line each.
const IMPORTING: &str = "importing";
/// Left free on the disk, for everybody else.
const RESERVE_BYTES: u64 = 32 << 20;

/// The folder.
#[derive(Debug, Clone)]
pub struct Shelf {
    root: PathBuf,
    quota: Option<u64>,
}

impl Shelf {
    /// The shelf in a folder, which is made when it is needed; `quota` bounds what lies in it, in bytes.
    pub fn new(root: PathBuf, quota: Option<u64>) -> Self {
        Self { root, quota }
    }

    /// Where a file lies that is not whole yet.
    pub fn part(&self, transfer: TransferId) -> PathBuf {
        self.root.join("parts").join(format!("{}.part", hex(&transfer.0)))
    }

    /// Opens what lies here of a file, to read and to add to it; makes it if nothing does.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open_part(&self, transfer: TransferId) -> io::Result<File> {
        own(&self.root.join("parts"))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NO_LINK);
        options.open(self.part(transfer))
    }

    /// Throws away what lies here of a file that is not whole.
    pub fn discard(&self, transfer: TransferId) {
        // Most have nothing here.
        let _ = fs::remove_file(self.part(transfer));
    }

    /// Throws away what lies here of files that are over: whoever died between the end and its tidying finds it at the start.
    pub fn sweep(&self, live: impl Iterator<Item = TransferId>) {
        let live: Vec<PathBuf> = live.map(|transfer| self.part(transfer)).collect();
        let parts = fs::read_dir(self.root.join("parts")).into_iter().flatten().flatten();
        for path in parts.map(|part| part.path()).filter(|path| !live.contains(path)) {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(%error, "a part of a file that is over stays");
            }
        }
    }

    /// Whether so many bytes more find room.
    pub fn has_room(&self, bytes: u64) -> bool {
        let Ok(free) = self.free() else { return false };
        let within = self.quota.is_none_or(|quota| taken(&self.root).saturating_add(bytes) <= quota);
        within && bytes.saturating_add(RESERVE_BYTES) <= free
    }

    fn free(&self) -> io::Result<u64> {
        fs::create_dir_all(&self.root)?;
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// A place for a file that is whole, under its name or one like it, where nothing is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn choose(&self, name: &str) -> io::Result<PathBuf> {
        choose(&self.root.join("received"), &clean(name))
    }

    /// The same for a file that was sent.
    ///
    /// # Errors
    /// What the disk says.
    pub fn choose_sent(&self, name: &str) -> io::Result<PathBuf> {
        choose(&self.root.join("sent"), &clean(name))
    }

    /// Writes a copy that is to be sent.
    ///
    /// # Errors
    /// What the disk says.
    pub fn copy(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.choose_sent(name)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(path)
    }

    /// Brings a file that is whole to the place that was chosen for it. False if another file is there by now.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::NotFound`] if the file lies nowhere.
    pub fn keep(&self, transfer: TransferId, place: &Path, size: u64) -> io::Result<bool> {
        let part = self.part(transfer);
        let there = fs::symlink_metadata(place).ok().filter(fs::Metadata::is_file).map(|meta| meta.len());
        if !part.exists() {
            // It was brought there before a crash.
            return if there == Some(size) { Ok(true) } else { Err(io::ErrorKind::NotFound.into()) };
        }
        if fs::symlink_metadata(place).is_ok() {
            return Ok(false);
        }
        fs::rename(&part, place)?;
        for folder in [place.parent(), part.parent()].into_iter().flatten() {
            // Where a folder cannot be opened as a file, its entries are durable without this.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(true)
    }

    /// Notes where an import will put a file, before anything of it is there.
    ///
    /// # Errors
    /// What the disk says.
    pub fn note_import(&self, place: &Path) -> io::Result<()> {
        let line = place.strip_prefix(&self.root).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut list = OpenOptions::new().append(true).create(true).open(self.root.join(IMPORTING))?;
        writeln!(list, "{}", line.display())?;
        list.sync_data()
    }

    /// Ends an import, also one that was cut short: what it brought stays if its rows are kept, and goes if they are not.
    ///
    /// # Errors
    /// What the disk says.
    pub fn end_import(&self, kept: Kept) -> io::Result<()> {
        let list = self.root.join(IMPORTING);
        let text = match fs::read_to_string(&list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            text => text?,
        };
        // A line that was cut short names nothing yet.
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        for place in lines.filter_map(|line| self.received_or_sent(line)) {
            let half = half(&place);
            for gone in [half.as_deref(), Some(&*place).filter(|_| kept == Kept::No)].into_iter().flatten() {
                match fs::remove_file(gone) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        fs::remove_file(list)
    }

    /// Whether an import was begun and not ended.
    pub fn is_importing(&self) -> bool {
        self.root.join(IMPORTING).exists()
    }

    /// A place in one of our folders, and nowhere else.
    fn received_or_sent(&self, line: &str) -> Option<PathBuf> {
        let (folder, name) = line.split_once('/')?;
        let ours = ["received", "sent"].contains(&folder) && clean(name) == name;
        ours.then(|| self.root.join(folder).join(name))
    }

    /// Throws everything away.
    pub fn forget(&self) {
        if let Err(error) = self.wipe(&Downloads::Removed(self.root.join("received"))) {
            tracing::warn!(kind = ?error.kind(), "forgotten files could not be removed");
        }
    }

    /// Throws away what is not whole, what the library copied to send it and, if it is not to stay, what was received.
    ///
    /// # Errors
    /// What the disk says of the first that could not be removed; the others are gone.
    pub fn wipe(&self, downloads: &Downloads) -> io::Result<()> {
        let folders: &[&str] = match downloads {
            Downloads::Kept => &["parts", "sent"],
            Downloads::Removed(_) => &["parts", "sent", "received"],
        };
        let mut outcome = Ok(());
        for folder in folders {
            match fs::remove_dir_all(self.root.join(folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => outcome = outcome.and(Err(error)),
                _ => {}
            }
        }
        let _ = fs::remove_file(self.root.join(IMPORTING));
        // It stays if anything is in it.
        let _ = fs::remove_dir(&self.root);
        outcome
    }
}

/// Whether the rows of an import are in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// Where a copy lies until it is whole. No cleaned name begins with a dot, so nothing else lies there.
pub fn half(place: &Path) -> Option<PathBuf> {
    Some(place.with_file_name(format!(".{}.part", name_of(place)?)))
}

/// A place in a folder, which is made if it is not there, under this name or one like it, where nothing is.
///
/// # Errors
/// What the disk says.
pub fn choose(folder: &Path, name: &str) -> io::Result<PathBuf> {
    own(folder)?;
    let (stem, ending) = split(name);
    let named = |number: u32| match number {
        1 => folder.join(name),
        _ => folder.join(format!("{stem} ({number}){ending}")),
    };
    let is_free =
        |path: &PathBuf| fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    (1..SAME).map(named).find(is_free).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

/// Makes a folder if it is not there.
///
/// # Errors
/// What the disk says; [`io::ErrorKind::NotADirectory`] for anything else that is there, also for a link to a folder.
fn own(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(folder)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// A link in the place of a file is not followed.
#[cfg(unix)]
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Bytes that lie in a folder and those in it.
fn taken(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => taken(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// A name as a stranger gave it, made into one that any file system takes, that names a file in the folder it is joined to
/// and nothing else, and that shows what it is.
pub fn clean(name: &str) -> String {
    let mut kept: String =
        name.chars().filter(|c| !is_hidden(*c)).map(|c| if is_special(c) { '_' } else { c }).collect();
    kept = kept.trim().trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']).to_owned();
    if kept.len() > NAME_BYTES {
        let (stem, ending) = split(&kept);
        let ending = if ending.len() <= ENDING_BYTES { ending } else { "" };
        let mut end = NAME_BYTES - ending.len();
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        kept = format!("{}{ending}", stem[..end].trim_end_matches(['.', ' ']));
    }
    if kept.is_empty() {
        kept.push_str("file");
    }
    if is_reserved(&kept) {
        kept.insert(0, '_');
    }
    kept
}

/// Controls, and what turns around or hides what is written: an ending could look like another.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e007f}')
}

/// What some file system takes for a separator, a stream, a pattern or a quote, and what looks like a separator.
fn is_special(c: char) -> bool {
    "/\\:*?\"<>|".contains(c)
        || matches!(c, '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{ff0f}' | '\u{ff3c}' | '\u{2236}')
}

/// Names of devices on Windows, with any ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        let rest = stem.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            rest.chars().count() == 1 && rest.chars().all(|c| "123456789\u{b9}\u{b2}\u{b3}".contains(c))
        })
    };
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&&*stem) || numbered("COM") || numbered("LPT")
}

/// What goes before the last dot, and the ending with it.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    }
}

/// The name of a file as its owner sees it.
pub fn name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(OsStr::to_str)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Component;

    use super::*;

    #[test]
    fn a_strangers_name_never_leaves_the_folder() {
        let long = format!("{}.jpeg", "\u{1f3d6}".repeat(300));
        let hostile = [
            "..",
            ".",
            "",
            " ",
            "...",
            "../../etc/passwd",
            "/etc/passwd",
            "..\\..\\boot.ini",
            "C:\\x",
            "\\\\host\\share",
            "a/../../b",
            "x\0y.txt",
            "nul",
            "CON.txt",
            "com1",
            "LPT9.a.b",
            "COM\u{b9}",
            ".bashrc",
            "..hidden",
            "name. ",
            "photo\u{202e}gpj.exe",
            "zero\u{200b}width",
            "\u{ff0f}etc",
            "\u{2215}x",
            "stream.txt:evil",
            "a\nb\r\tc",
            "\u{feff}",
            "~",
            "-rf",
            "%2e%2e%2f",
            &long,
        ];
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("files"), None);
        for name in hostile {
            let kept = clean(name);
            assert!((1..=NAME_BYTES).contains(&kept.len()), "{name:?}");
            let parts: Vec<_> = Path::new(&kept).components().collect();
            assert!(matches!(parts[..], [Component::Normal(_)]), "{name:?} became {kept:?}");
            assert!(!kept.starts_with('.') && !kept.chars().any(|c| is_hidden(c) || is_special(c)), "{kept:?}");
            assert!(!is_reserved(&kept), "{kept:?}");
            assert_eq!(clean(&kept), kept, "cleaning is done once");
            let place = shelf.choose(name).unwrap();
            fs::write(&place, b"x").unwrap();
            assert_eq!(place.parent(), Some(&*folder.path().join("files").join("received")), "{name:?}");
        }
        assert_eq!(clean("Ferien \u{e4}\u{f6}\u{fc} (1).tar.gz"), "Ferien \u{e4}\u{f6}\u{fc} (1).tar.gz");
        assert_eq!(clean("photo\u{202e}gpj.exe"), "photogpj.exe");
        assert!(clean(&long).ends_with(".jpeg"));
    }

    #[test]
    fn equal_names_are_told_apart_and_nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().to_owned(), None);
        let names: Vec<_> = (0..3).map(|_| shelf.copy("a.tar.gz", b"x").unwrap()).collect();
        let names: Vec<_> = names.iter().map(|path| name_of(path).unwrap()).collect();
        assert_eq!(names, ["a.tar.gz", "a.tar (2).gz", "a.tar (3).gz"]);
    }

    #[test]
    fn what_is_whole_takes_its_place_once_and_is_found_there_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().to_owned(), None);
        let transfer = TransferId([1; 16]);
        drop(shelf.open_part(transfer).unwrap());
        fs::write(shelf.part(transfer), b"whole").unwrap();
        let place = shelf.choose("x").unwrap();
        assert!(shelf.keep(transfer, &place, 5).unwrap());
        assert_eq!(fs::read(&place).unwrap(), b"whole");
        assert!(shelf.keep(transfer, &place, 5).unwrap(), "as after a crash");
        assert!(shelf.keep(TransferId([2; 16]), &place, 6).is_err());
        drop(shelf.open_part(transfer).unwrap());
        assert!(!shelf.keep(transfer, &place, 5).unwrap(), "another file is there");
    }

    #[test]
    fn parts_of_files_that_are_over_are_gone_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().to_owned(), None);
        shelf.sweep(std::iter::empty());
        let [live, over] = [TransferId([1; 16]), TransferId([2; 16])];
        for transfer in [live, over] {
            drop(shelf.open_part(transfer).unwrap());
        }
        shelf.sweep([live].into_iter());
        assert!(shelf.part(live).exists() && !shelf.part(over).exists());
    }

    #[test]
    fn a_quota_and_absurd_sizes_leave_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().to_owned(), Some(1_000));
        assert!(shelf.has_room(1_000));
        shelf.copy("x", &[0; 600]).unwrap();
        assert!(shelf.has_room(400) && !shelf.has_room(401));
        let endless = Shelf::new(folder.path().to_owned(), None);
        assert!(!endless.has_room(u64::MAX) && !endless.has_room(1 << 60));
    }
}
