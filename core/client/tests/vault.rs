//! What the key file promises.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use sidetone::{FileVault, KeyVault, VaultError};

#[test]
fn a_key_file_is_made_once_and_only_its_owner_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let vault = FileVault::new(&path);
    let key = vault.load_or_create().unwrap();
    assert_ne!(*key, [0; 32]);
    assert_eq!(*vault.load_or_create().unwrap(), *key);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left lying about");

    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(vault.load_or_create().err(), Some(VaultError::Exposed));
}

#[test]
fn a_cut_or_grown_key_file_is_a_lost_key_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let vault = FileVault::new(&path);
    vault.load_or_create().unwrap();
    for bytes in [&[1; 31][..], &[1; 33], &[]] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(vault.load_or_create().err(), Some(VaultError::Lost));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn two_who_make_the_key_at_once_get_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let keys: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| FileVault::new(&path).load_or_create().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| **key == *keys[0]));
}
