//! What an app learns when something did not work.

use sidetone::{OpenError, ServerError, StoreError, VaultError};

/// Why something was not done, as a number that never changes: for logs, and to choose what the user reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
#[repr(u16)]
pub enum ErrorCode {
    /// Newer than this list: show the text.
    Unknown = 0,
    /// The server cannot be reached: try again when the client is connected.
    Offline = 1,
    /// No account on this device, or the server takes it no more: sign in.
    SignedOut = 2,
    /// There is an account on this device: sign out first.
    SignedIn = 3,
    /// No such name, or not its password: let the user type again.
    WrongLogin = 4,
    /// The name, or one that looks like it, is taken: let the user choose another.
    NameTaken = 5,
    /// Not a name: 3 to 32 letters and digits.
    NameInvalid = 6,
    /// The e-mail address belongs to an account: let the user sign in instead.
    EmailTaken = 7,
    /// Not an e-mail address.
    EmailInvalid = 8,
    /// Nobody has exactly this name.
    NoSuchPerson = 9,
    /// Only friends may do this to each other.
    NotFriends = 10,
    /// It is so already: nothing to do.
    Already = 11,
    /// The list of friends is full.
    RosterFull = 12,
    /// The person's key is another than the one known: show it, and let the user compare safety numbers.
    KeyChanged = 13,
    /// The friend is not there: try later.
    Away = 14,
    /// No such call, or one that is over: nothing to do.
    NoSuchCall = 15,
    /// In a call already: end it first.
    Busy = 16,
    /// Too much waits for this friend: wait until they were there.
    OutboxFull = 17,
    /// A text has 1 to 65,536 bytes.
    TextLength = 18,
    /// Not the safety code of another phone's screen.
    NotACode = 19,
    /// Too many attempts: try again after the given time.
    TooMany = 20,
    /// The server cannot do it now: try again after the given time.
    Unavailable = 21,
    /// The operator suspended the account.
    Suspended = 22,
    /// This version is too old for the server: ask the user to update the app.
    Outdated = 23,
    /// The server's answer makes no sense.
    Protocol = 24,
    /// The store failed and this client has stopped; everything told before is kept.
    Storage = 25,
    /// The client is closed.
    Closed = 26,
    /// This build of the library cannot do it, because it was made without calls, video or images: a mistake in the app.
    NotBuilt = 27,
    /// Not an address at which a push service could wake a phone, by what this phone or the server knows: a mistake in the
    /// app, or in what gave it. What was set before stays.
    NotAPushAddress = 28,
    /// No such message, or not one with which this can be done.
    NoSuchMessage = 40,
    /// Messages stay for a second to a year, or for ever.
    StayRange = 41,
    /// Too many reactions, or not emoji.
    Reactions = 42,
    /// No such transfer, or one that is over.
    NoSuchTransfer = 60,
    /// Too many files wait for this friend: wait until some were sent.
    TooManyTransfers = 61,
    /// The file cannot be read, or is none, or changed while it was read.
    FileUnreadable = 62,
    /// The file has another form than was asked for, or is too large for it.
    FileMalformed = 63,
    /// This client was opened without a folder for files: a mistake in the app.
    NoFolder = 64,
    /// There is no such room, or it is over: ask for a new link.
    NoSuchRoom = 80,
    /// Every seat is taken: try again when somebody left.
    RoomFull = 81,
    /// Nobody new is let in: ask the room's creator.
    RoomLocked = 82,
    /// The room's creator does not let this person in.
    Banned = 83,
    /// It is for adults: the app has to know that the user is one.
    AdultsOnly = 84,
    /// The room's policy does not allow it.
    WrongPolicy = 85,
    /// Only the room's creator may do this.
    NotCreator = 86,
    /// Nobody like that is there.
    NoSuchMember = 87,
    /// In too many rooms: leave one.
    TooManyRooms = 88,
    /// The words are others: let the user type again, a few times.
    WrongCode = 89,
    /// The code is used up, too old, or its maker is not there: ask for a new one.
    CodeOver = 90,
    /// Not a room's link: let the user copy it again.
    NotALink = 91,
    /// A part of the link is missing or changed: let the user copy it again.
    DamagedLink = 92,
    /// The room was made by a later version: ask the user to update the app.
    NewerRoom = 93,
    /// The room's policy is none that this version knows: ask for another link.
    UnknownPolicy = 94,
    /// The room meets at another server than this client's: open a client there.
    OtherServer = 95,
    /// Not a number and two or three words of the list: let the user listen and type again.
    NotASpokenCode = 96,
    /// The match is over, or never was: show the lobby.
    NoSuchMatch = 120,
    /// There is no link to the stranger yet, or not now: try again in a moment.
    StrangerNotReached = 121,
    /// Searching or with a stranger already: skip or end first.
    WithStranger = 122,
    /// A nickname, language or interest that cannot be shown, or too many: let the user correct it.
    BadEntry = 123,
    /// This space is for adults: the user has to say to be one.
    StrangersAdultsOnly = 124,
    /// The server wants more work than a phone does, or it took too long: try later.
    TooMuchWork = 125,
    /// Larger than what strangers may send each other or show the operator.
    StrangerTooLarge = 126,
    /// The server does not believe the report: nothing to do.
    ReportRefused = 127,

    /// Not the address of a server, or one elsewhere without TLS: a mistake in the app.
    ServerAddress = 201,
    /// A certificate that cannot be a root: a mistake in the app.
    Certificate = 202,
    /// An address of this device that is none: a mistake in the app.
    BindAddress = 203,
    /// The key store is locked: unlock the phone and try again.
    VaultLocked = 210,
    /// The key is gone or is not 32 bytes: what it sealed is lost, begin anew with another file.
    VaultLost = 211,
    /// The key store failed, or the app's vault threw.
    VaultFailed = 212,
    /// The key is not the one this store was made with.
    StoreWrongKey = 220,
    /// The file is no store, or was damaged.
    StoreDamaged = 221,
    /// The store was made by a newer version of the app.
    StoreTooNew = 222,
    /// No room to store.
    StoreFull = 223,
    /// Another client has the store open.
    StoreInUse = 224,
    /// The store cannot be opened or failed.
    StoreFailed = 225,
    /// The system gave no thread, or this process has 256 clients open.
    System = 230,
    /// The folder cannot be written to, is full, or holds an export already.
    ExportFolder = 231,
    /// The passphrase is empty, or there is too little memory to seal with it.
    Passphrase = 232,
    /// Not an export, or changed: let the user choose another.
    NotAnExport = 233,
    /// The export was made by a newer version of the app.
    ExportTooNew = 234,
    /// The passphrase does not open the export: let the user type again.
    WrongPassphrase = 235,
    /// A passphrase was given, and the export has no sealed part: import it without.
    NoIdentity = 236,
    /// The phone holds something already: sign out first.
    NotEmpty = 237,
    /// The export, or its files, cannot be read or brought to their place.
    ImportFolder = 238,
    /// There is nothing in the voice note, or it was sent already.
    NoteEmpty = 239,
    /// Not an id that this library gave: a mistake in the app.
    NotAnId = 240,
    /// Not a public key.
    NotAKey = 241,
    /// The operation was cancelled; what the server was asked before may still have happened.
    Cancelled = 242,
}

/// What the user can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum UserAction {
    /// Nothing: the app goes on, or tries again by itself.
    Nothing,
    /// Check the network.
    CheckNetwork,
    /// Correct what was typed.
    Correct,
    /// Sign in.
    SignIn,
    /// Compare safety numbers.
    CompareNumbers,
    /// Make room on the phone.
    FreeSpace,
    /// Update the app.
    Update,
    /// Write to the operator.
    ContactOperator,
}

/// Why something was not done, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error, uniffi::Error)]
pub enum SidetoneError {
    /// It was refused or failed; nothing else changed.
    #[error("{detail} ({number})")]
    Failed {
        /// What went wrong.
        code: ErrorCode,
        /// The same as a number, also when it is newer than the list of codes.
        number: u16,
        /// The same in English, for logs: it names nobody.
        detail: String,
        /// Whether the same may work later without the user doing anything.
        retryable: bool,
        /// After how many milliseconds at least; 0 where nobody knows.
        retry_after_ms: u64,
        /// What the user can do.
        user_action: UserAction,
    },
}

impl SidetoneError {
    /// What went wrong.
    pub fn code(&self) -> ErrorCode {
        let Self::Failed { code, .. } = self;
        *code
    }

    pub(crate) fn of(code: ErrorCode) -> Self {
        let (detail, retryable, user_action) = match code {
            ErrorCode::NotAnId => ("not an id that this library gave", false, UserAction::Nothing),
            ErrorCode::NotAKey => ("not a public key", false, UserAction::Nothing),
            ErrorCode::ExportFolder => {
                ("the folder cannot be written to, or holds an export", false, UserAction::Correct)
            }
            ErrorCode::Passphrase => ("the passphrase cannot be used", false, UserAction::Correct),
            ErrorCode::NotAnExport => ("not an export", false, UserAction::Correct),
            ErrorCode::ExportTooNew => ("the export is of a newer version", false, UserAction::Update),
            ErrorCode::WrongPassphrase => ("the passphrase does not open the export", false, UserAction::Correct),
            ErrorCode::NoIdentity => ("the export holds no identity", false, UserAction::Correct),
            ErrorCode::NotEmpty => ("the phone is not empty", false, UserAction::Nothing),
            ErrorCode::ImportFolder => ("the export cannot be read, or not brought here", false, UserAction::FreeSpace),
            ErrorCode::NoteEmpty => ("there is no voice note", false, UserAction::Nothing),
            ErrorCode::BindAddress => ("not an address of this device", false, UserAction::Nothing),
            ErrorCode::Cancelled => ("cancelled", true, UserAction::Nothing),
            ErrorCode::System => ("the system gave no thread, or too many clients are open", true, UserAction::Nothing),
            _ => ("it failed", false, UserAction::Nothing),
        };
        Self::failed(code, detail.to_owned(), retryable, user_action)
    }

    fn failed(code: ErrorCode, detail: String, retryable: bool, user_action: UserAction) -> Self {
        Self::Failed { code, number: code as u16, detail, retryable, retry_after_ms: 0, user_action }
    }
}

impl ErrorCode {
    /// Every code there is, in the order of their numbers.
    pub(crate) const ALL: [Self; 87] = [
        Self::Unknown,
        Self::Offline,
        Self::SignedOut,
        Self::SignedIn,
        Self::WrongLogin,
        Self::NameTaken,
        Self::NameInvalid,
        Self::EmailTaken,
        Self::EmailInvalid,
        Self::NoSuchPerson,
        Self::NotFriends,
        Self::Already,
        Self::RosterFull,
        Self::KeyChanged,
        Self::Away,
        Self::NoSuchCall,
        Self::Busy,
        Self::OutboxFull,
        Self::TextLength,
        Self::NotACode,
        Self::TooMany,
        Self::Unavailable,
        Self::Suspended,
        Self::Outdated,
        Self::Protocol,
        Self::Storage,
        Self::Closed,
        Self::NotBuilt,
        Self::NotAPushAddress,
        Self::NoSuchMessage,
        Self::StayRange,
        Self::Reactions,
        Self::NoSuchTransfer,
        Self::TooManyTransfers,
        Self::FileUnreadable,
        Self::FileMalformed,
        Self::NoFolder,
        Self::NoSuchRoom,
        Self::RoomFull,
        Self::RoomLocked,
        Self::Banned,
        Self::AdultsOnly,
        Self::WrongPolicy,
        Self::NotCreator,
        Self::NoSuchMember,
        Self::TooManyRooms,
        Self::WrongCode,
        Self::CodeOver,
        Self::NotALink,
        Self::DamagedLink,
        Self::NewerRoom,
        Self::UnknownPolicy,
        Self::OtherServer,
        Self::NotASpokenCode,
        Self::NoSuchMatch,
        Self::StrangerNotReached,
        Self::WithStranger,
        Self::BadEntry,
        Self::StrangersAdultsOnly,
        Self::TooMuchWork,
        Self::StrangerTooLarge,
        Self::ReportRefused,
        Self::ServerAddress,
        Self::Certificate,
        Self::BindAddress,
        Self::VaultLocked,
        Self::VaultLost,
        Self::VaultFailed,
        Self::StoreWrongKey,
        Self::StoreDamaged,
        Self::StoreTooNew,
        Self::StoreFull,
        Self::StoreInUse,
        Self::StoreFailed,
        Self::System,
        Self::ExportFolder,
        Self::Passphrase,
        Self::NotAnExport,
        Self::ExportTooNew,
        Self::WrongPassphrase,
        Self::NoIdentity,
        Self::NotEmpty,
        Self::ImportFolder,
        Self::NoteEmpty,
        Self::NotAnId,
        Self::NotAKey,
        Self::Cancelled,
    ];

    fn numbered(number: u16) -> Self {
        Self::ALL.into_iter().find(|code| *code as u16 == number).unwrap_or(Self::Unknown)
    }
}

impl From<sidetone::Error> for SidetoneError {
    fn from(error: sidetone::Error) -> Self {
        let retry = error.retry_after_ms();
        Self::Failed {
            code: ErrorCode::numbered(error.code()),
            number: error.code(),
            detail: error.to_string(),
            retryable: retry.is_some(),
            retry_after_ms: retry.unwrap_or(0),
            user_action: error.user_action().into(),
        }
    }
}

impl From<sidetone::UserAction> for UserAction {
    fn from(action: sidetone::UserAction) -> Self {
        use sidetone::UserAction as Told;
        match action {
            Told::Nothing => Self::Nothing,
            Told::CheckNetwork => Self::CheckNetwork,
            Told::Correct => Self::Correct,
            Told::SignIn => Self::SignIn,
            Told::CompareNumbers => Self::CompareNumbers,
            Told::FreeSpace => Self::FreeSpace,
            Told::Update => Self::Update,
            Told::ContactOperator => Self::ContactOperator,
        }
    }
}

impl From<OpenError> for SidetoneError {
    fn from(error: OpenError) -> Self {
        let (code, retryable, action) = match &error {
            OpenError::Server(ServerError::Certificate) => (ErrorCode::Certificate, false, UserAction::Nothing),
            OpenError::Server(_) => (ErrorCode::ServerAddress, false, UserAction::Nothing),
            OpenError::Vault(VaultError::Locked) => (ErrorCode::VaultLocked, true, UserAction::Nothing),
            OpenError::Vault(VaultError::Lost) => (ErrorCode::VaultLost, false, UserAction::Nothing),
            OpenError::Vault(_) => (ErrorCode::VaultFailed, true, UserAction::Nothing),
            OpenError::Store(StoreError::WrongKey) => (ErrorCode::StoreWrongKey, false, UserAction::Nothing),
            OpenError::Store(StoreError::Damaged) => (ErrorCode::StoreDamaged, false, UserAction::Nothing),
            OpenError::Store(StoreError::TooNew { .. }) | OpenError::Row => {
                (ErrorCode::StoreTooNew, false, UserAction::Update)
            }
            OpenError::Store(StoreError::Full) => (ErrorCode::StoreFull, false, UserAction::FreeSpace),
            OpenError::Store(StoreError::InUse) => (ErrorCode::StoreInUse, true, UserAction::Nothing),
            OpenError::Store(_) => (ErrorCode::StoreFailed, false, UserAction::Nothing),
            OpenError::System => (ErrorCode::System, true, UserAction::Nothing),
        };
        Self::failed(code, error.to_string(), retryable, action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_number_that_tells_it() {
        let numbers: Vec<u16> = ErrorCode::ALL.into_iter().map(|code| code as u16).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        assert!(ErrorCode::ALL.into_iter().all(|code| ErrorCode::numbered(code as u16) == code));
        assert_eq!(ErrorCode::numbered(999), ErrorCode::Unknown);
    }

    #[test]
    fn an_error_keeps_its_number_its_patience_and_its_advice() {
        let error = SidetoneError::from(sidetone::Error::TooMany { retry_ms: 1_500 });
        let SidetoneError::Failed { code, number, retryable, retry_after_ms, user_action, .. } = &error;
        assert_eq!((*code, *number, *retryable, *retry_after_ms), (ErrorCode::TooMany, 20, true, 1_500));
        assert_eq!(*user_action, UserAction::Nothing);
        assert_eq!(error.to_string(), "too many attempts (20)");
        assert_eq!(SidetoneError::from(sidetone::Error::Closed).code(), ErrorCode::Closed);
    }
}
