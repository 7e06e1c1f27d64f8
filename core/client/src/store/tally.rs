//! What the store should hold: for each kind of row, how many there are and a number that all of them make together. Kept
//! sealed beside the rows and renewed with every step, it shows a row that was put back to what it was before, dropped
//! or brought back. (Clarke and others, *Incremental Multiset Hash Functions*, ASIACRYPT 2003: the xor of a keyed
//! function of each element, itself secret.)

use std::collections::BTreeMap;

/// How many bytes a kind takes.
const KIND_LEN: usize = 1 + 8 + 16;
const FORMAT: u8 = 1;

/// All rows, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Counts the steps that were kept.
    pub generation: u64,
    kinds: BTreeMap<u8, Count>,
}

/// The rows of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub rows: u64,
    /// What their marks make together.
    pub mark: u128,
}

impl Count {
    /// One more.
    pub fn add(&mut self, mark: u128) {
        self.rows = self.rows.wrapping_add(1);
        self.mark ^= mark;
    }

    /// So many more.
    pub fn add_all(&mut self, rows: usize, marks: u128) {
        self.rows = self.rows.wrapping_add(rows as u64);
        self.mark ^= marks;
    }

    fn remove(&mut self, mark: u128) {
        self.rows = self.rows.wrapping_sub(1);
        self.mark ^= mark;
    }
}

impl Tally {
    /// Of no rows.
    pub fn empty(generation: u64) -> Self {
        Self { generation, kinds: BTreeMap::new() }
    }

    /// What is there of a kind.
    pub fn of(&self, kind: u8) -> Count {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// All kinds of which something is there.
    pub fn kinds(&self) -> impl Iterator<Item = (u8, Count)> + '_ {
        self.kinds.iter().map(|(kind, count)| (*kind, *count)).filter(|(_, count)| *count != Count::default())
    }

    /// A row was written.
    pub fn add(&mut self, kind: u8, mark: u128) {
        self.kinds.entry(kind).or_default().add(mark);
    }

    /// A row was dropped or written over.
    pub fn remove(&mut self, kind: u8, mark: u128) {
        self.kinds.entry(kind).or_default().remove(mark);
    }

    /// Every row of a kind was dropped.
    pub fn clear(&mut self, kind: u8) {
        self.kinds.remove(&kind);
    }

    /// As it is kept, before it is sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.generation.to_be_bytes());
        for (kind, count) in self.kinds() {
            bytes.push(kind);
            bytes.extend(count.rows.to_be_bytes());
            bytes.extend(count.mark.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Tally::to_bytes`] wrote.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (generation, rest) = bytes.strip_prefix(&[FORMAT])?.split_first_chunk()?;
        let mut tally = Self { generation: u64::from_be_bytes(*generation), kinds: BTreeMap::new() };
        let kinds = rest.chunks_exact(KIND_LEN);
        if !kinds.remainder().is_empty() {
            return None;
        }
        for kind in kinds {
            let (number, rest) = kind.split_first()?;
            let (rows, mark) = rest.split_first_chunk()?;
            let count = Count { rows: u64::from_be_bytes(*rows), mark: u128::from_be_bytes(mark.try_into().ok()?) };
            tally.kinds.insert(*number, count);
        }
        Some(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_writing_does_not_matter_and_every_row_does() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        [(1, 7), (1, 9), (2, 7)].into_iter().for_each(|(kind, mark)| one.add(kind, mark));
        [(2, 7), (1, 9), (1, 3), (1, 7)].into_iter().for_each(|(kind, mark)| other.add(kind, mark));
        assert_ne!(one, other);
        other.remove(1, 3);
        assert_eq!(one, other);
        assert_eq!(Tally::read(&one.to_bytes()), Some(other));
        assert_eq!(Tally::read(&one.to_bytes()[..20]), None);
    }
}
