//! Where the key that opens the store comes from: the phone's key store, or on a desk a file.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The phone has not been unlocked since it started, or the user refused: try again later.
    #[error("the key store is locked")]
    Locked,
    /// The key was there and is not any more, or is not 32 bytes: what it sealed is lost.
    #[error("the key is lost")]
    Lost,
    /// Others can read the key file: its permissions must be 0600.
    #[error("others can read the key file")]
    Exposed,
    /// The system failed.
    #[error("the key store failed")]
    Failed,
}

/// The platform's key store, asked once when a client opens.
///
/// On Android this is a key kept by the Keystore, on iOS by the Keychain. It is the only thing the library calls in the
/// app, synchronously and on the caller's thread.
pub trait KeyVault: Send + Sync {
    /// The 32 bytes that open this app's store: the same at each call, made at the first.
    ///
    /// # Errors
    ///
    /// [`VaultError`]; the client is not opened and nothing has changed.
    fn load_or_create(&self) -> Result<Zeroizing<[u8; 32]>, VaultError>;

    /// Destroys the key at once, so that nothing it sealed is ever opened again; a key that is not there is destroyed.
    /// [`crate::Client::wipe`] calls it, before anything else.
    ///
    /// # Errors
    ///
    /// [`VaultError`]; the default destroys nothing and says [`VaultError::Failed`].
    fn destroy(&self) -> Result<(), VaultError> {
        Err(VaultError::Failed)
    }
}

/// A key in a file that only its owner may read. **For development**: who can read the store can read the key.
#[derive(Debug, Clone)]
pub struct FileVault {
    path: PathBuf,
}

impl FileVault {
    /// The key lies at `path`; its folder must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl KeyVault for FileVault {
    fn load_or_create(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        match load(&self.path)? {
            Some(key) => Ok(key),
            None => create(&self.path),
        }
    }

    fn destroy(&self) -> Result<(), VaultError> {
        let mut file = match std::fs::OpenOptions::new().write(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) => return Err(VaultError::Failed),
        };
        let overwritten = file.write_all(&[0; 33]).and_then(|()| file.sync_all());
        std::fs::remove_file(&self.path).and(overwritten).map_err(|_| VaultError::Failed)
    }
}

/// A key that the caller holds: for a store that lives in memory only, and for tests.
pub struct FixedKey(Zeroizing<[u8; 32]>);

impl FixedKey {
    /// Always this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl KeyVault for FixedKey {
    fn load_or_create(&self) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        Ok(self.0.clone())
    }
}

/// Fresh bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has a generator of random bytes");
    bytes
}

fn load(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, VaultError> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(VaultError::Failed),
    };
    is_private(&file)?;
    let mut bytes = Zeroizing::new([0; 33]);
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(VaultError::Failed),
        }
    }
    match bytes.first_chunk() {
        Some(key) if filled == key.len() => Ok(Some(Zeroizing::new(*key))),
        _ => Err(VaultError::Lost),
    }
}

#[cfg(unix)]
fn is_private(file: &std::fs::File) -> Result<(), VaultError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|_| VaultError::Failed)?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(VaultError::Exposed) }
}

#[cfg(not(unix))]
fn is_private(_: &std::fs::File) -> Result<(), VaultError> {
    Ok(())
}

/// The key appears whole or not at all: written under another name, then linked to its own, which fails if somebody else
/// was faster.
fn create(path: &Path) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let key = Zeroizing::new(random::<32>());
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}", u64::from_be_bytes(random())));
    let draft = PathBuf::from(name);
    let written = write(&draft, &key).and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    match written {
        Ok(()) => removed.map(|()| key).map_err(|_| VaultError::Failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => load(path)?.ok_or(VaultError::Failed),
        Err(_) => Err(VaultError::Failed),
    }
}

fn write(path: &Path, key: &[u8; 32]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key)?;
    file.sync_all()
}
