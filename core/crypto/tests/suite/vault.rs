//! Values at rest.

use sidetone_crypto::vault::{OVERHEAD, Place, Vault, VaultError};

use crate::common::seed;

const PLATFORM: [u8; 32] = [0x11; 32];

fn place(row: &[u8]) -> Place<'_> {
    Place { table: "message", column: "body", row, version: 1 }
}

#[test]
fn what_is_sealed_opens_after_a_restart() {
    let (vault, wrapped) = Vault::create(&PLATFORM, seed(1));
    let sealed = vault.seal(place(b"1"), b"hello", [1; 24]).unwrap();
    assert_eq!(sealed.len(), 5 + OVERHEAD);
    let lookup = vault.lookup("friend", "name", b"ben");
    drop(vault);
    let again = Vault::unlock(&PLATFORM, &wrapped).unwrap();
    assert_eq!(again.open(place(b"1"), &sealed).unwrap().as_slice(), b"hello");
    assert_eq!(again.lookup("friend", "name", b"ben"), lookup);
}

#[test]
fn another_platform_key_opens_nothing() {
    let (_, wrapped) = Vault::create(&PLATFORM, seed(1));
    assert_eq!(Vault::unlock(&[0x12; 32], &wrapped).err(), Some(VaultError::WrongKey));
    for len in 0..wrapped.len() {
        assert!(Vault::unlock(&PLATFORM, &wrapped[..len]).is_err());
    }
}

#[test]
fn a_new_platform_key_takes_over() {
    let (vault, wrapped) = Vault::create(&PLATFORM, seed(1));
    let sealed = vault.seal(place(b"1"), b"hello", [1; 24]).unwrap();
    let rewrapped = Vault::rewrap(&PLATFORM, &[0x12; 32], &wrapped, [9; 24]).unwrap();
    let again = Vault::unlock(&[0x12; 32], &rewrapped).unwrap();
    assert_eq!(again.open(place(b"1"), &sealed).unwrap().as_slice(), b"hello");
    assert_eq!(Vault::unlock(&PLATFORM, &rewrapped).err(), Some(VaultError::WrongKey));
    assert_eq!(Vault::rewrap(&[0; 32], &PLATFORM, &wrapped, [9; 24]).err(), Some(VaultError::WrongKey));
}

#[test]
fn a_value_opens_only_where_it_was_written() {
    let (vault, _) = Vault::create(&PLATFORM, seed(1));
    let here = place(b"1");
    let sealed = vault.seal(here, b"hello", [1; 24]).unwrap();
    let elsewhere = [
        Place { row: b"2", ..here },
        Place { row: b"", ..here },
        Place { table: "messag", column: "ebody", ..here },
        Place { table: "friend", ..here },
        Place { column: "name", ..here },
        Place { column: "body1", row: b"", ..here },
        Place { version: 2, ..here },
    ];
    for other in elsewhere {
        assert_eq!(vault.open(other, &sealed).err(), Some(VaultError::Refused), "{other:?}");
    }
    let (stranger, _) = Vault::create(&PLATFORM, seed(2));
    assert_eq!(stranger.open(here, &sealed).err(), Some(VaultError::Refused));
}

#[test]
fn every_changed_or_missing_byte_is_noticed() {
    let (vault, _) = Vault::create(&PLATFORM, seed(1));
    let sealed = vault.seal(place(b"1"), b"hello", [1; 24]).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.open(place(b"1"), &changed).is_err(), "byte {at}");
        assert!(vault.open(place(b"1"), &sealed[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn lookups_tell_equal_values_of_one_column_and_nothing_else() {
    let (vault, _) = Vault::create(&PLATFORM, seed(1));
    let (stranger, _) = Vault::create(&PLATFORM, seed(2));
    let ben = vault.lookup("friend", "name", b"ben");
    assert_eq!(ben, vault.lookup("friend", "name", b"ben"));
    assert_ne!(ben, vault.lookup("friend", "nameb", b"en"));
    assert_ne!(ben, vault.lookup("friend", "mail", b"ben"));
    assert_ne!(ben, stranger.lookup("friend", "name", b"ben"));
}

#[test]
fn nothing_of_the_value_or_the_master_key_shows() {
    let (vault, wrapped) = Vault::create(&PLATFORM, seed(1));
    let value = b"the words of a long and private message";
    let sealed = vault.seal(place(b"1"), value, [1; 24]).unwrap();
    assert!(!sealed.windows(4).any(|window| value.windows(4).any(|part| part == window)));
    assert_ne!(wrapped, Vault::create(&PLATFORM, seed(2)).1);
}

#[test]
fn an_opener_opens_what_belongs_here_of_however_many_seasons() {
    let (vault, _) = Vault::create(&PLATFORM, seed(1));
    let (stranger, _) = Vault::create(&PLATFORM, seed(2));
    let (mut opener, mut text) = (vault.opener(), Default::default());
    let mut nonces = std::collections::BTreeSet::new();
    for number in 0..200_u8 {
        // Keys that are remembered, though not the last, and at the end more of them than are.
        let season = u64::from(number % 6 * (number / 100 * 3 + 1));
        let nonce = vault.nonce(season, [number; 12]);
        assert!(nonces.insert(nonce));
        assert_eq!(nonce[..12], vault.nonce(season, [0; 12])[..12]);
        assert_ne!(nonce[..12], stranger.nonce(season, [0; 12])[..12]);
        let (row, value) = ([number], vec![number; usize::from(number)]);
        let sealed = vault.seal(place(&row), &value, nonce).unwrap();
        assert_eq!(vault.open(place(&row), &sealed).unwrap().as_slice(), value);
        opener.open_into(place(&row), &sealed, &mut text).unwrap();
        assert_eq!(text.as_slice(), value);
        assert_eq!(opener.open_into(place(b"elsewhere"), &sealed, &mut text), Err(VaultError::Refused));
        assert_eq!(stranger.opener().open_into(place(&row), &sealed, &mut text), Err(VaultError::Refused));
        assert_eq!(opener.open_into(place(&row), &sealed[..40], &mut text), Err(VaultError::Malformed));
    }
}
