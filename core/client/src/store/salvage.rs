//! Reads what can still be read of a damaged file, without SQLite: every page on its own, in the order in which they lie.
//!
//! A page of the table is looked at whether or not the tree above it still leads there, so what is lost is what lay on
//! the damaged pages. A sealed row opens only at its place, so nothing damaged, moved or made up gets through. The
//! sealed tally, if it is there, says how many rows there should have been. The journal is read as far as its checksums hold.
//! (File format: <https://www.sqlite.org/fileformat2.html>, sections 1.5, 1.6, 2.1 and 4.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sidetone_crypto::vault::Vault;
use zeroize::Zeroizing;

use super::schema::{MASTER_KEY, VERSION, tally_place};
use super::spot::Spot;
use super::tally::Tally;
use super::{Kept, StoreError};

/// The page size of every store.
const PAGE: usize = 4_096;
/// The header of the file, at the start of its first page.
const FILE_HEADER: usize = 100;
/// Longest value that is put together from overflow pages.
const LONGEST: usize = 16 << 20;
/// Kinds of tree pages.
const INDEX_INTERIOR: u8 = 2;
const INDEX_LEAF: u8 = 10;
const TABLE_LEAF: u8 = 13;

/// What was found.
pub struct Salvage {
    /// Every row that opens, in the order of tables, owners and positions.
    pub rows: Vec<Kept>,
    /// Rows that were found and do not open.
    pub damaged: u64,
    /// How many there should have been beside those that open; `None` if that cannot be known any more.
    pub missing: Option<u64>,
}

/// Reads a file that need not be whole. It is not written to.
///
/// # Errors
///
/// [`StoreError::Unopenable`], [`StoreError::WrongKey`] if a master key is there and does not open,
/// [`StoreError::Damaged`] if there is none: then no row can be read.
pub fn read(path: &Path, platform_key: &[u8; 32]) -> Result<Salvage, StoreError> {
    let file = Zeroizing::new(std::fs::read(path).map_err(|_| StoreError::Unopenable)?);
    let mut journal = path.as_os_str().to_owned();
    journal.push("-wal");
    let journal = std::fs::read(Path::new(&journal)).unwrap_or_default();
    let pages = Pages { file: &file, newer: journalled(&journal) };
    let records = pages.records();

    let vault = unlock(&records, platform_key)?;
    let tally = records.iter().find_map(|record| record.tally(&vault));
    let (mut rows, mut refused, mut seen) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::<u8, u64>::new());
    for record in &records {
        let Some((spot, sealed)) = record.kept() else { continue };
        match [VERSION, 1].into_iter().find_map(|version| spot.open(&vault, sealed, version).ok()) {
            Some(row) => drop(rows.insert(spot, row)),
            None => drop(refused.insert(spot)),
        }
    }
    rows.keys().for_each(|spot| *seen.entry(spot.kind).or_default() += 1);
    let missing = tally.map(|tally| {
        let short = |(kind, count): (u8, super::tally::Count)| {
            count.rows.saturating_sub(seen.get(&kind).copied().unwrap_or_default())
        };
        tally.kinds().map(short).sum()
    });
    let damaged = refused.iter().filter(|spot| !rows.contains_key(spot)).count() as u64;
    let place = |(spot, (owner, value)): (Spot, _)| spot.place(owner).map(|place| (place, value));
    let mut rows: Vec<Kept> = rows.into_iter().filter_map(place).collect();
    rows.sort_by_key(|(place, _)| *place);
    Ok(Salvage { rows, damaged, missing })
}

fn unlock(records: &[Record], platform_key: &[u8; 32]) -> Result<Vault, StoreError> {
    let wrapped: Vec<&[u8]> = records.iter().filter_map(Record::master_key).collect();
    let opened = wrapped.iter().find_map(|wrapped| Vault::unlock(platform_key, wrapped).ok());
    opened.ok_or(if wrapped.is_empty() { StoreError::Damaged } else { StoreError::WrongKey })
}

/// The pages of the file, some of them newer in the journal.
struct Pages<'a> {
    file: &'a [u8],
    newer: BTreeMap<u32, &'a [u8]>,
}

impl Pages<'_> {
    /// A page by its number, from 1.
    fn page(&self, number: u32) -> Option<&[u8]> {
        if let Some(page) = self.newer.get(&number) {
            return Some(page);
        }
        let from = usize::try_from(number).ok()?.checked_sub(1)?.checked_mul(PAGE)?;
        self.file.get(from..from.checked_add(PAGE)?)
    }

    fn records(&self) -> Vec<Record> {
        let last = u32::try_from(self.file.len() / PAGE).unwrap_or(u32::MAX);
        let last = self.newer.keys().next_back().copied().unwrap_or(0).max(last);
        (1..=last).filter_map(|number| Some((number, self.page(number)?))).flat_map(|(n, p)| self.cells(n, p)).collect()
    }

    /// The records of a page of a tree; none of any other page.
    fn cells(&self, number: u32, page: &[u8]) -> Vec<Record> {
        let header = page.get(if number == 1 { FILE_HEADER } else { 0 }..).unwrap_or_default();
        let Some(kind) = header.first().copied() else { return Vec::new() };
        let pointers = match kind {
            INDEX_INTERIOR => 12,
            INDEX_LEAF | TABLE_LEAF => 8,
            _ => return Vec::new(),
        };
        let count = header.get(3..5).map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
        let pointers = header.get(pointers..).unwrap_or_default().chunks_exact(2).take(count);
        let cell = |pointer: &[u8]| {
            let at = usize::from(u16::from_be_bytes([pointer[0], pointer[1]]));
            Record::parse(&self.payload(kind, page.get(at..)?)?)
        };
        pointers.filter_map(cell).collect()
    }

    /// What a cell holds, with what overflows its page.
    fn payload(&self, kind: u8, mut cell: &[u8]) -> Option<Vec<u8>> {
        if kind == INDEX_INTERIOR {
            cell = cell.get(4..)?;
        }
        let length = usize::try_from(varint(&mut cell)?).ok().filter(|length| *length <= LONGEST)?;
        if kind == TABLE_LEAF {
            varint(&mut cell)?;
        }
        let most = if kind == TABLE_LEAF { PAGE - 35 } else { (PAGE - 12) * 64 / 255 - 23 };
        if length <= most {
            return cell.get(..length).map(<[u8]>::to_vec);
        }
        let least = (PAGE - 12) * 32 / 255 - 23;
        let local = least + (length - least) % (PAGE - 4);
        let local = if local <= most { local } else { least };
        let mut payload = cell.get(..local)?.to_vec();
        let mut next = u32::from_be_bytes(*cell.get(local..)?.first_chunk()?);
        while payload.len() < length {
            let page = self.page(next)?;
            next = u32::from_be_bytes(*page.first_chunk()?);
            payload.extend(page[4..].iter().take(length - payload.len()));
        }
        Some(payload)
    }
}

/// A row as SQLite wrote it.
struct Record(Vec<Column>);

enum Column {
    Number(i64),
    Bytes(Vec<u8>),
}

impl Record {
    fn parse(payload: &[u8]) -> Option<Self> {
        let mut rest = payload;
        let header = usize::try_from(varint(&mut rest)?).ok()?;
        let mut types = payload.get(payload.len() - rest.len()..header)?;
        let mut body = payload.get(header..)?;
        let mut columns = Vec::new();
        while !types.is_empty() {
            let kind = varint(&mut types)?;
            let column = match kind {
                0 | 8 => Column::Number(0),
                9 => Column::Number(1),
                1..=6 => {
                    let bytes = take(&mut body, [1, 2, 3, 4, 6, 8][usize::try_from(kind).ok()? - 1])?;
                    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
                    let begin = if negative { -1 } else { 0 };
                    Column::Number(bytes.iter().fold(begin, |number, byte| number << 8 | i64::from(*byte)))
                }
                12.. => Column::Bytes(take(&mut body, usize::try_from((kind - 12) / 2).ok()?)?.to_vec()),
                _ => return None,
            };
            columns.push(column);
        }
        Some(Self(columns))
    }

    fn kept(&self) -> Option<(Spot, &[u8])> {
        let [Column::Number(kind), Column::Bytes(owner), Column::Number(position), Column::Bytes(sealed)] = &self.0[..]
        else {
            return None;
        };
        let (kind, owner) = (u8::try_from(*kind).ok()?, owner.as_slice().try_into().ok()?);
        Some((Spot { kind, owner, position: *position }, sealed))
    }

    fn master_key(&self) -> Option<&[u8]> {
        let [Column::Bytes(name), Column::Bytes(value)] = &self.0[..] else { return None };
        (name == MASTER_KEY.as_bytes()).then_some(value)
    }

    fn tally(&self, vault: &Vault) -> Option<Tally> {
        // The first column is the row's number: SQLite keeps it elsewhere and writes a null here.
        let [Column::Number(0), Column::Bytes(sealed)] = &self.0[..] else { return None };
        Tally::read(&vault.open(tally_place(), sealed).ok()?)
    }
}

/// The pages of a journal, each as the last whole transaction left it.
fn journalled(journal: &[u8]) -> BTreeMap<u32, &[u8]> {
    let (mut newer, mut step) = (BTreeMap::new(), BTreeMap::new());
    let Some((header, mut frames)) = journal.split_at_checked(32) else { return newer };
    let big = match word(header, 0) {
        0x377f_0683 => true,
        0x377f_0682 => false,
        _ => return newer,
    };
    let mut sum = checksum((0, 0), &header[..24], big);
    if sum != (word(header, 24), word(header, 28)) {
        return newer;
    }
    while let Some((frame, rest)) = frames.split_at_checked(24 + PAGE) {
        frames = rest;
        let (head, page) = frame.split_at(24);
        sum = checksum(checksum(sum, &head[..8], big), page, big);
        if head[8..16] != header[16..24] || sum != (word(head, 16), word(head, 20)) {
            break;
        }
        step.insert(word(head, 0), page);
        if word(head, 4) != 0 {
            newer.append(&mut step);
        }
    }
    newer
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |four| u32::from_be_bytes(*four))
}

/// Section 4.2 of the file format.
fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let word = |four: &[u8]| {
        let word = word(four, 0);
        if big { word } else { word.swap_bytes() }
    };
    for eight in bytes.chunks_exact(8) {
        one = one.wrapping_add(word(eight)).wrapping_add(two);
        two = two.wrapping_add(word(&eight[4..])).wrapping_add(one);
    }
    (one, two)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// A number of one to nine bytes (section 1.6).
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..9 {
        let byte = take(bytes, 1)?[0];
        if place == 8 {
            return Some(number << 8 | u64::from(byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}
