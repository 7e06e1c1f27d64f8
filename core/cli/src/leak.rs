//! A search for planted strings in what a process holds: its memory, its files, its logs.
//!
//! A [`Canary`] is looked for as it is, as UTF-16 of both orders, as hexadecimal of both cases and as base64 of both
//! alphabets at each of the three alignments. A search that finds nothing proves nothing by itself: look also for
//! something that must be there, with the same [`Scanner`] in the same process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
/// A page, below which memory is readable or not as a whole.
const PAGE: usize = 4_096;
/// The shortest canary that cannot be met by chance.
const SHORTEST: usize = 8;

/// Something planted.
#[derive(Clone, PartialEq, Eq)]
pub struct Canary {
    /// What kind of datum it is, for the report.
    pub kind: String,
    /// Its bytes: at least eight.
    pub bytes: Vec<u8>,
}

/// How it was written where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Byte for byte.
    Raw,
    /// Two bytes a character, either order.
    Utf16,
    /// Two digits a byte, either case.
    Hex,
    /// RFC 4648 sections 4 and 5, at any alignment.
    Base64,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finds {
    /// Bytes that were looked at.
    pub scanned: u64,
    /// How often what was found, by kind and form.
    pub found: BTreeMap<(String, Form), u64>,
}

/// Looks for a set of canaries.
pub struct Scanner {
    needles: AhoCorasick,
    /// For each needle, whose it is and in which form.
    owners: Vec<(String, Form)>,
    longest: usize,
}

impl Canary {
    /// A string nobody has seen before: `length` lower-case letters and digits.
    pub fn random(kind: &str, length: usize) -> Self {
        let mut bytes = vec![0; length];
        SystemRandom::new().fill(&mut bytes).expect("the system has a generator of random bytes");
        // 32 of them, so that each byte falls on each as often.
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        bytes.iter_mut().for_each(|byte| *byte = ALPHABET[usize::from(*byte % 32)]);
        Self { kind: kind.to_owned(), bytes }
    }

    /// The same as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Finds {
    /// How often anything was found.
    pub fn total(&self) -> u64 {
        self.found.values().sum()
    }

    /// How often something of this kind was found.
    pub fn of(&self, kind: &str) -> u64 {
        self.found.iter().filter(|((found, _), _)| found == kind).map(|(_, count)| count).sum()
    }

    /// Adds what another search found.
    pub fn add(&mut self, other: &Self) {
        self.scanned += other.scanned;
        for (what, count) in &other.found {
            *self.found.entry(what.clone()).or_default() += count;
        }
    }
}

impl Scanner {
    /// A scanner for these.
    ///
    /// # Panics
    ///
    /// If a canary has fewer than eight bytes: it would be found by chance.
    pub fn new(canaries: &[Canary]) -> Self {
        let mut needles = BTreeMap::new();
        for canary in canaries {
            assert!(canary.bytes.len() >= SHORTEST, "a canary has at least eight bytes");
            for (form, bytes) in forms(&canary.bytes) {
                needles.entry(bytes).or_insert((canary.kind.clone(), form));
            }
        }
        let (bytes, owners): (Vec<_>, Vec<_>) = needles.into_iter().unzip();
        let longest = bytes.iter().map(Vec::len).max().unwrap_or(1);
        let needles = AhoCorasick::new(bytes).expect("a few short needles fit an automaton");
        Self { needles, owners, longest }
    }

    /// Looks through bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Finds {
        let mut finds = Finds { scanned: bytes.len() as u64, ..Finds::default() };
        self.count(bytes, 0, &mut finds);
        finds
    }

    /// Looks through all readable memory of a running process.
    ///
    /// # Errors
    ///
    /// The system's: no such process, no permission (it must be ours, and where Yama restricts that, our child), or a
    /// system without `/proc`.
    pub fn memory(&self, process: u32) -> io::Result<Finds> {
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
        let memory = File::open(format!("/proc/{process}/mem"))?;
        let mut finds = Finds::default();
        let mut seen = Seen::default();
        for (from, to) in maps.lines().filter_map(readable) {
            let mut at = from;
            while at < to {
                let want = usize::try_from(to - at).unwrap_or(CHUNK).min(CHUNK);
                // What cannot be read at once is read page by page; what cannot be read at all is nobody's.
                if seen.fill(|room| memory.read_exact_at(room, at), want, at).is_err() {
                    for page in (0..want).step_by(PAGE) {
                        let at = at + page as u64;
                        if seen.fill(|room| memory.read_exact_at(room, at), PAGE.min(want - page), at).is_ok() {
                            self.look(&mut seen, &mut finds);
                        }
                    }
                } else {
                    self.look(&mut seen, &mut finds);
                }
                at += want as u64;
            }
        }
        if finds.scanned == 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(finds)
    }

    /// Looks through a file, or through every file of a folder and the folders in it.
    ///
    /// # Errors
    ///
    /// The system's. A file that vanishes meanwhile holds nothing.
    pub fn files(&self, path: &Path) -> io::Result<Finds> {
        let mut finds = Finds::default();
        let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let kind = std::fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                for entry in std::fs::read_dir(&path)? {
                    waiting.push(entry?.path());
                }
            } else if kind.is_file() {
                match File::open(&path) {
                    Ok(file) => finds.add(&self.stream(file)?),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(finds)
    }

    fn stream(&self, mut file: File) -> io::Result<Finds> {
        let (mut finds, mut seen, mut at) = (Finds::default(), Seen::default(), 0);
        loop {
            let mut got = 0;
            seen.fill(
                |room| {
                    got = file.read(room)?;
                    Ok(())
                },
                CHUNK,
                at,
            )?;
            if got == 0 {
                return Ok(finds);
            }
            seen.bytes.truncate(seen.old + got);
            seen.end = at + got as u64;
            at = seen.end;
            self.look(&mut seen, &mut finds);
        }
    }

    /// Looks through what was read last, and what lies across the border to what was read before.
    fn look(&self, seen: &mut Seen, finds: &mut Finds) {
        finds.scanned += (seen.bytes.len() - seen.old) as u64;
        self.count(&seen.bytes, seen.old, finds);
        let keep = seen.bytes.len().min(self.longest - 1);
        seen.bytes.drain(..seen.bytes.len() - keep);
    }

    /// Counts what ends behind `from`.
    fn count(&self, bytes: &[u8], from: usize, finds: &mut Finds) {
        for hit in self.needles.find_overlapping_iter(bytes).filter(|hit| hit.end() > from) {
            let owner = self.owners[hit.pattern().as_usize()].clone();
            *finds.found.entry(owner).or_default() += 1;
        }
    }
}

/// The last piece that was read, behind the end of the one before if they touch.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    /// Bytes at the start that were looked at already.
    old: usize,
    /// Where the piece ends.
    end: u64,
}

impl Seen {
    fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<()>, want: usize, at: u64) -> io::Result<()> {
        if at != self.end {
            self.bytes.clear();
        }
        let old = self.bytes.len();
        self.bytes.resize(old + want, 0);
        let done = read(&mut self.bytes[old..]);
        if done.is_err() {
            self.bytes.truncate(old);
            return done;
        }
        (self.old, self.end) = (old, at + want as u64);
        Ok(())
    }
}

/// The borders of a readable piece of memory, from a line of proc_pid_maps(5). What the kernel or a device lends is no
/// memory of the process.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (range, may, name) = (words.next()?, words.next()?, words.nth(3).unwrap_or(""));
    if !may.starts_with('r') || name.starts_with("[v") || name.starts_with("/dev/") {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
}

fn forms(bytes: &[u8]) -> Vec<(Form, Vec<u8>)> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // Without the zero at either end it is the same in both orders.
    let mut wide: Vec<u8> = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    wide.pop();
    let mut forms = vec![
        (Form::Raw, bytes.to_vec()),
        (Form::Utf16, wide),
        (Form::Hex, hex.to_uppercase().into_bytes()),
        (Form::Hex, hex.into_bytes()),
    ];
    for engine in [STANDARD, URL_SAFE] {
        forms.extend((0..3).map(|before| (Form::Base64, base64_inside(&engine, bytes, before))));
    }
    forms
}

/// The characters that stand for these bytes alone when `before` others precede them.
fn base64_inside(engine: &impl base64::Engine, bytes: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    // Six bits a character: those that share bits with a neighbour depend on it.
    let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    engine.encode(padded).into_bytes()[first..end].to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn planted() -> (Canary, Scanner) {
        let canary = Canary::random("text", 20);
        let scanner = Scanner::new(std::slice::from_ref(&canary));
        (canary, scanner)
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let (canary, scanner) = planted();
        let inside = [&b"some words before "[..], &canary.bytes, b" and after"].concat();
        let hex: String = inside.iter().map(|byte| format!("{byte:02X}")).collect();
        let wide = |order: fn(u16) -> [u8; 2]| inside.iter().flat_map(|byte| order(u16::from(*byte))).collect();
        let wides: [Vec<u8>; 2] = [wide(u16::to_le_bytes), wide(u16::to_be_bytes)];
        let [little, big] = wides.map(|wide| (Form::Utf16, wide));
        for (form, text) in [(Form::Raw, inside.clone()), (Form::Hex, hex.into_bytes()), little, big] {
            assert_eq!(scanner.bytes(&text).found, BTreeMap::from([(("text".to_owned(), form), 1)]));
        }
        for before in 0..6 {
            let text = STANDARD.encode([&vec![b'x'; before][..], &canary.bytes, b"tail"].concat());
            assert_eq!(scanner.bytes(text.as_bytes()).of("text"), 1, "{before} bytes before");
        }
        assert_eq!(scanner.bytes(b"nothing of the kind").total(), 0);
    }

    #[test]
    fn a_secret_across_the_border_of_two_reads_is_found_once() {
        let (canary, scanner) = planted();
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        std::fs::create_dir(&below).unwrap();
        for before in [CHUNK - 7, CHUNK - 20, CHUNK, 2 * CHUNK - 1] {
            let text = [&vec![b'.'; before][..], &canary.bytes, &[b'.'; 50]].concat();
            std::fs::write(below.join("file"), text).unwrap();
            let finds = scanner.files(dir.path()).unwrap();
            assert_eq!((finds.of("text"), finds.scanned), (1, before as u64 + 70));
        }
    }

    #[test]
    fn a_secret_that_another_process_keeps_is_found_in_its_memory_and_a_clean_process_is_clean() {
        use std::io::{BufRead, BufReader, Write};
        use std::process::{Command, Stdio};
        let (canary, scanner) = planted();
        for (told, found) in [(canary.text(), true), ("something else".to_owned(), false)] {
            let mut shell = Command::new("sh");
            let mut child = shell.args(["-c", "read kept; echo ready; read end; echo $kept >/dev/null"]);
            child = child.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = child.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            writeln!(stdin, "{told}").unwrap();
            let mut ready = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
            let finds = scanner.memory(child.id()).unwrap();
            assert!(finds.scanned > 100_000, "{} bytes", finds.scanned);
            assert_eq!(finds.of("text") > 0, found);
            drop(stdin);
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error_and_not_a_clean_bill() {
        let (_, scanner) = planted();
        assert!(scanner.memory(u32::MAX).is_err());
        assert!(scanner.files(Path::new("/nowhere/at/all")).is_err());
    }
}
