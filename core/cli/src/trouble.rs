//! Why a command could not do its work, in one sentence for the person at the terminal.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sidetone::{Error, OpenError, StoreError, UserAction, VaultError};
use sidetone_server::StartError;

/// What stopped a command. Each prints as a sentence that names what to change; the process ends with status 2.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A recording cannot be used.
    #[error("{}: {problem}", path.display())]
    Voice {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: VoiceProblem,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {}", path.display(), plain(*kind))]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        kind: ErrorKind,
    },
    /// The phone in the data folder cannot be opened.
    #[error("{}: {}", data.display(), opening(error))]
    Open {
        /// The data folder.
        data: PathBuf,
        /// Why not.
        error: OpenError,
    },
    /// The phone refused or could not do something.
    #[error("{error}{}", advice(error))]
    Phone {
        /// Why.
        #[from]
        error: Error,
    },
    /// The server does not start.
    #[error("the server does not start: {0}")]
    Serve(#[from] StartError),
    /// Nothing answers where the server should be.
    #[error("no server answers at {0}: is it running, and is the address right?")]
    ServerAway(String),
    /// The data folder holds no account, and none was named.
    #[error("{} holds no account: say --name, and --new --email to make one", .0.display())]
    NoAccount(PathBuf),
    /// The data folder holds the account of somebody else.
    #[error("{} holds the account of {holds}: choose another --data for {named}", data.display())]
    OtherAccount {
        /// The data folder.
        data: PathBuf,
        /// Whose account it holds.
        holds: String,
        /// Who was named.
        named: String,
    },
    /// A password is needed and there is nobody to ask.
    #[error("a password is needed: set SIDETONE_PASSWORD, give --password-file, or run this at a terminal")]
    NoPassword,
    /// Nobody of this name is a friend.
    #[error("{0} is not a friend of this account: ask with `sidetone chat`, then /add {0}")]
    Stranger(String),
    /// A call did not come about, or broke.
    #[error("no call: {0}")]
    Call(String),
    /// There is no voice to speak with.
    #[error("nothing to speak with: give --voice FILE{}", if cfg!(feature = "sound") { " or --card" } else { " (this build has no sound card: build it with --features sound)" })]
    NoVoice,
    /// The sound card cannot be used.
    #[error("the sound card cannot be used: {0}")]
    Card(String),
    /// A process of the demonstration failed.
    #[error("{who}: {what}")]
    Stage {
        /// Which process.
        who: String,
        /// What happened.
        what: String,
    },
    /// The system gave no runtime, process or randomness.
    #[error("the operating system refuses: {0}")]
    System(String),
}

/// What can be wrong with a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoiceProblem {
    /// It cannot be read.
    #[error("{}", plain(*.0))]
    Unreadable(ErrorKind),
    /// It is no WAV file.
    #[error("not a WAV file")]
    NotWav,
    /// It is a WAV file of a form that is not understood.
    #[error("a WAV file of a kind that is not understood (integers of 8 to 32 bits or 32-bit floats are)")]
    Kind,
    /// It ends before its header says.
    #[error("the WAV file is cut short or damaged")]
    Damaged,
    /// There is nothing in it.
    #[error("the WAV file holds less than a second of sound")]
    TooShort,
    /// It is silent.
    #[error("the WAV file is silent")]
    Silent,
    /// Its rate cannot be played.
    #[error("a sample rate of {0} Hz (8,000 to 192,000 are understood)")]
    Rate(u32),
    /// There are too many channels.
    #[error("{0} channels (1 to 8 are understood)")]
    Channels(u16),
}

impl Trouble {
    /// A file that cannot be used.
    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::File { path: path.to_owned(), kind: error.kind() }
    }

    /// A system that refuses.
    pub(crate) fn system(error: impl std::fmt::Display) -> Self {
        Self::System(error.to_string())
    }

    /// What a process of the demonstration did wrong.
    pub(crate) fn stage(who: &str, what: impl Into<String>) -> Self {
        Self::Stage { who: who.to_owned(), what: what.into() }
    }
}

fn plain(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::NotFound => "there is no such file or folder".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "is a folder, not a file".into(),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "is in the way: not a folder".into(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full".into(),
        ErrorKind::ReadOnlyFilesystem => "the disk is read-only".into(),
        other => other.to_string(),
    }
}

fn opening(error: &OpenError) -> String {
    let next = match error {
        OpenError::Store(StoreError::WrongKey) => "the key file beside it belongs to another store",
        OpenError::Store(StoreError::Damaged) | OpenError::Row => "nothing was changed; take another --data folder",
        OpenError::Store(StoreError::TooNew { .. }) => "use the newer version that made it",
        OpenError::Store(StoreError::Full) => "make room on the disk",
        OpenError::Store(StoreError::InUse) => "another sidetone uses it: end that one first",
        OpenError::Store(StoreError::Unopenable) => "check the permissions of the folder",
        OpenError::Vault(VaultError::Exposed) => "run chmod 600 on it",
        OpenError::Vault(VaultError::Lost) => "what it sealed is lost; take another --data folder",
        _ => return error.to_string(),
    };
    format!("{error}; {next}")
}

fn advice(error: &Error) -> &'static str {
    match (error, error.user_action()) {
        (Error::NameInvalid, _) => ": 3 to 32 letters and digits",
        (Error::WrongLogin, _) => ": check both and try again",
        (Error::SignedOut, _) => ": say --name to sign in",
        (_, UserAction::CheckNetwork) => ": check the network",
        (_, UserAction::CompareNumbers) => ": compare safety numbers with them",
        (_, UserAction::FreeSpace) => ": make room on the disk and try again; nothing kept is lost",
        (_, UserAction::Update) => ": update sidetone",
        (_, UserAction::ContactOperator) => ": write to the server's operator",
        _ => "",
    }
}
