//! What two file pumps say to each other over a [`crate::link::BulkPort`].
//!
//! | first byte | then |
//! |---|---|
//! | 1 begin | run (4), transfer (16), first chunk (8), header of the chunked encryption (56) |
//! | 2 chunks | run (4), first chunk (8), one to [`CHUNKS`] sealed chunks, all but the last of a file of full length |
//! | 3 have | transfer (16), chunks from the beginning that lie here, opened (8) |
//! | 4 again | transfer (16), first chunk that is wanted (8): a new run should begin there |
//! | 5 where | transfer (16), 0 (8): the path changed, say `again` |
//!
//! Numbers are big-endian. A run is one sending of one file over one link, under a salt of its own; its number is its
//! sender's and is never used twice on a link.

use bytes::{BufMut, Bytes, BytesMut};
use sidetone_crypto::file::{CHUNK_BYTES, HEADER_LEN, OVERHEAD};
use sidetone_wire::id::TransferId;

use crate::link::BULK_BYTES;

/// Chunks of one message.
pub const CHUNKS: usize = 4;
/// Length of a sealed chunk that is not the last.
pub const SEALED: usize = CHUNK_BYTES + OVERHEAD;

const BEGIN: u8 = 1;
const SOME: u8 = 2;
const HAVE: u8 = 3;
const AGAIN: u8 = 4;
const WHERE: u8 = 5;
/// What goes before the chunks of a message.
const HEAD: usize = 1 + 4 + 8;

const _: () = assert!(HEAD + CHUNKS * SEALED <= BULK_BYTES);

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A run begins.
    Begin {
        /// Its number.
        run: u32,
        /// What it sends.
        transfer: TransferId,
        /// Its first chunk.
        from: u64,
        /// Salt and commitment of its cipher.
        header: Box<[u8; HEADER_LEN]>,
    },
    /// Chunks of a run.
    Chunks {
        /// Which.
        run: u32,
        /// The number of the first.
        index: u64,
        /// One or more, sealed.
        sealed: BytesMut,
    },
    /// So many chunks lie here.
    Have(TransferId, u64),
    /// Begin another run from this chunk.
    Again(TransferId, u64),
    /// Say from where.
    Where(TransferId),
}

impl Frame {
    /// Reads a message; `None` if it is none.
    pub fn read(bytes: Bytes) -> Option<Self> {
        let mut rest = &bytes[..];
        match take::<1>(&mut rest)? {
            [BEGIN] => {
                let (run, transfer) = (u32::from_be_bytes(take(&mut rest)?), TransferId(take(&mut rest)?));
                let (from, header) = (u64::from_be_bytes(take(&mut rest)?), Box::new(take(&mut rest)?));
                rest.is_empty().then_some(Self::Begin { run, transfer, from, header })
            }
            [SOME] => {
                let (run, index) = (u32::from_be_bytes(take(&mut rest)?), u64::from_be_bytes(take(&mut rest)?));
                let fits = (OVERHEAD..=CHUNKS * SEALED).contains(&rest.len());
                let sealed = BytesMut::from(bytes).split_off(HEAD);
                fits.then_some(Self::Chunks { run, index, sealed })
            }
            [HAVE] => Self::about(rest).map(|(transfer, chunk)| Self::Have(transfer, chunk)),
            [AGAIN] => Self::about(rest).map(|(transfer, chunk)| Self::Again(transfer, chunk)),
            [WHERE] => Self::about(rest).filter(|(_, zero)| *zero == 0).map(|(transfer, _)| Self::Where(transfer)),
            _ => None,
        }
    }

    fn about(mut rest: &[u8]) -> Option<(TransferId, u64)> {
        let about = (TransferId(take(&mut rest)?), u64::from_be_bytes(take(&mut rest)?));
        rest.is_empty().then_some(about)
    }

    /// The bytes of a message that has no chunks.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(128);
        match self {
            Self::Begin { run, transfer, from, header } => {
                out.put_u8(BEGIN);
                out.put_u32(*run);
                out.put_slice(&transfer.0);
                out.put_u64(*from);
                out.put_slice(&header[..]);
            }
            Self::Chunks { run, index, sealed } => {
                out = Self::chunks(*run, *index);
                out.put_slice(sealed);
            }
            Self::Have(transfer, chunk) => about(&mut out, HAVE, *transfer, *chunk),
            Self::Again(transfer, chunk) => about(&mut out, AGAIN, *transfer, *chunk),
            Self::Where(transfer) => about(&mut out, WHERE, *transfer, 0),
        }
        out.freeze()
    }

    /// The beginning of a message with chunks, with room for all of them.
    pub fn chunks(run: u32, index: u64) -> BytesMut {
        let mut out = BytesMut::with_capacity(HEAD + CHUNKS * SEALED);
        out.put_u8(SOME);
        out.put_u32(run);
        out.put_u64(index);
        out
    }
}

fn about(out: &mut BytesMut, kind: u8, transfer: TransferId, chunk: u64) {
    out.put_u8(kind);
    out.put_slice(&transfer.0);
    out.put_u64(chunk);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_nothing_else_is() {
        let transfer = TransferId([7; 16]);
        let frames = [
            Frame::Begin { run: 3, transfer, from: 1 << 40, header: Box::new([9; HEADER_LEN]) },
            Frame::Chunks { run: 3, index: 5, sealed: BytesMut::from(&[1; 40][..]) },
            Frame::Have(transfer, 8),
            Frame::Again(transfer, u64::MAX),
            Frame::Where(transfer),
        ];
        for frame in frames {
            let bytes = frame.write();
            assert_eq!(Frame::read(bytes.clone()), Some(frame));
            for end in 0..HEAD.min(bytes.len()) {
                assert_eq!(Frame::read(bytes.slice(..end)), None);
            }
            let fixed = bytes[0] != SOME;
            let longer: Bytes = [&bytes[..], &[0]].concat().into();
            assert_eq!(Frame::read(longer).is_none(), fixed);
        }
        assert_eq!(Frame::read(Bytes::from_static(&[9, 0, 0])), None);
        let long: Bytes = [&[SOME][..], &[0; HEAD - 1], &[0; CHUNKS * SEALED + 1]].concat().into();
        assert_eq!(Frame::read(long), None);
    }
}
