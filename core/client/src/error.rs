//! What an app learns when something did not work, and what it does next.

use sidetone_engine::CommandError;
use sidetone_engine::row::RowError;
use sidetone_wire::account::Code;

use crate::socket::ServerError;
use crate::store::StoreError;
use crate::vault::VaultError;

/// Why a client could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The server's address is none, or not one to talk to without TLS: a mistake in the app.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The key store gave no key: unlock the phone and try again; after `Lost`, begin anew with another file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store cannot be used: see [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row of the store cannot be read: made by a newer version of the app, or damaged.
    #[error("a row of the store cannot be read")]
    Row,
    /// The system gave no thread.
    #[error("the system gave no thread")]
    System,
}

impl From<RowError> for OpenError {
    fn from(error: RowError) -> Self {
        tracing::error!(table = ?error.table, "a row cannot be read");
        Self::Row
    }
}

/// Why something was not done. The numbers of [`Error::code`] never change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached: try again when [`crate::Event::Connected`] says so.
    #[error("the server cannot be reached")]
    Offline,
    /// No account on this device, or the server takes it no more: sign in.
    #[error("not signed in")]
    SignedOut,
    /// There is an account on this device: sign out first.
    #[error("signed in already")]
    SignedIn,
    /// No such name, or not its password: let the user type again.
    #[error("no such name, or not its password")]
    WrongLogin,
    /// The name, or one that looks like it, is taken: let the user choose another.
    #[error("the name is taken")]
    NameTaken,
    /// Not a name: 3 to 32 letters and digits. Let the user choose another.
    #[error("not a name")]
    NameInvalid,
    /// The e-mail address belongs to an account: let the user sign in instead.
    #[error("the e-mail address belongs to an account")]
    EmailTaken,
    /// Not an e-mail address: let the user type again.
    #[error("not an e-mail address")]
    EmailInvalid,
    /// Nobody has exactly this name: let the user check it.
    #[error("nobody has this name")]
    NoSuchPerson,
    /// Only friends may do this to each other: offer to send a friend request.
    #[error("not a friend")]
    NotFriends,
    /// It is so already: nothing to do.
    #[error("it is so already")]
    Already,
    /// The list of friends is full: let the user remove some.
    #[error("the list of friends is full")]
    RosterFull,
    /// The person's key is another than the one known: show it, and let the user compare safety numbers.
    #[error("the person's key is another than the one known")]
    KeyChanged,
    /// The friend is not there: try later.
    #[error("the friend is not there")]
    Away,
    /// No such call, or one that is over: nothing to do.
    #[error("no such call")]
    NoSuchCall,
    /// In a call already: end it first.
    #[error("in a call already")]
    Busy,
    /// Too much waits for this friend: wait until they were there.
    #[error("too much waits for this friend")]
    OutboxFull,
    /// A text has 1 to 65,536 bytes: let the user shorten it.
    #[error("the text is empty or too long")]
    TextLength,
    /// No such message, or not one with which this can be done: read the conversation again.
    #[error("no such message, or not one with which this can be done")]
    NoSuchMessage,
    /// Messages stay for a second to a year, or for ever: let the user choose again.
    #[error("messages stay for a second to a year, or for ever")]
    StayRange,
    /// At most 8 different reactions, each one emoji: let the user choose again.
    #[error("too many reactions, or not emoji")]
    Reactions,
    /// It cannot be done in a room, or the room cannot be entered.
    #[error("{0}")]
    Room(#[from] RoomFailure),
    /// It cannot be done with a stranger, or none is looked for.
    #[error("{0}")]
    Stranger(#[from] StrangerFailure),
    /// Not the code of another phone's screen: let the user scan again.
    #[error("not a safety code")]
    NotACode,
    /// Too many attempts: try again after `retry_ms`.
    #[error("too many attempts")]
    TooMany {
        /// Milliseconds to wait.
        retry_ms: u64,
    },
    /// The server cannot do it now: try again after `retry_ms`, or later if that is 0.
    #[error("the server cannot do this now")]
    Unavailable {
        /// Milliseconds to wait; 0 for unknown.
        retry_ms: u64,
    },
    /// The operator suspended the account: show it.
    #[error("the account is suspended")]
    Suspended,
    /// This version is too old for the server: ask the user to update the app.
    #[error("the app is too old for the server")]
    Outdated,
    /// The server's answer makes no sense: show it; trying again will not help.
    #[error("the server's answer makes no sense")]
    Protocol,
    /// The store failed and this client has stopped; everything told before is kept. Make room, then close it and open
    /// another.
    #[error("the store failed: {0}")]
    Storage(StoreError),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// This build of the library cannot do it: a mistake in the app, which links a library without calls, video
    /// or images.
    #[error("this build of the library cannot do it")]
    NotBuilt,
    /// Not an address at which a push service could wake a phone, by what this phone or the server knows: a mistake in the
    /// app, or in what gave it. Asking again changes nothing; what was set before stays.
    #[error("not an address of a push service")]
    NotAPushAddress,
    /// No such transfer, or one that is over: nothing to do.
    #[error("no such transfer")]
    NoSuchTransfer,
    /// Too many files wait for this friend: wait until some were sent.
    #[error("too many files wait for this friend")]
    TooManyTransfers,
    /// The file cannot be read, or is none, or changed while it was read: let the user choose again.
    #[error("the file cannot be read")]
    FileUnreadable,
    /// The file has another form than was asked for, or is too large for it: let the user choose another, or send it as a
    /// file.
    #[error("the file is not what it should be")]
    FileMalformed,
    /// This client was opened without a folder for files: a mistake in the app.
    #[error("there is no folder for files")]
    NoFolder,
}

/// Why something cannot be done in a room, or the room cannot be entered. The numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u16)]
pub enum RoomFailure {
    /// There is no such room, or it is over: ask for a new link.
    #[error("there is no such room")]
    NoSuchRoom = 0,
    /// Every seat is taken: try again when somebody left.
    #[error("the room is full")]
    Full = 1,
    /// Nobody new is let in: ask the room's creator.
    #[error("the room is locked")]
    Locked = 2,
    /// The room's creator does not let this person in.
    #[error("the room's creator put this person out")]
    Banned = 3,
    /// The room is for adults: the app has to know that the user is one.
    #[error("the room is for adults")]
    AdultsOnly = 4,
    /// The room's policy does not allow it.
    #[error("the room's policy does not allow this")]
    WrongPolicy = 5,
    /// Only the room's creator may do this.
    #[error("only the room's creator may do this")]
    NotCreator = 6,
    /// Nobody like that is there.
    #[error("no such member")]
    NoSuchMember = 7,
    /// In too many rooms: leave one.
    #[error("in too many rooms")]
    TooManyRooms = 8,
    /// The words are others: let the user type again, a few times.
    #[error("the spoken code is wrong")]
    WrongCode = 9,
    /// The code is used up, too old, or its maker is not there: ask for a new one.
    #[error("the spoken code cannot be used any more")]
    CodeOver = 10,
    /// Not a room's link: let the user copy it again.
    #[error("not a link of a room")]
    NotALink = 11,
    /// A part of the link is missing or changed: let the user copy it again.
    #[error("the room's link is damaged")]
    DamagedLink = 12,
    /// The room was made by a later version: ask the user to update the app.
    #[error("the room is of a later version")]
    NewerRoom = 13,
    /// The room's policy is none that this version knows: ask for another link.
    #[error("the room's policy is unknown")]
    UnknownPolicy = 14,
    /// The room meets at another server than this client's: open a client there.
    #[error("the room meets at another server")]
    OtherServer = 15,
    /// Not a number and two or three words of the list: let the user listen and type again.
    #[error("not a spoken code")]
    NotACode = 16,
}

/// Why something cannot be done with a stranger, or none is looked for. The numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u16)]
pub enum StrangerFailure {
    /// The match is over, or never was: show the lobby.
    #[error("no such match")]
    NoSuchMatch = 0,
    /// There is no link to the stranger yet, or not now: try again in a moment.
    #[error("the stranger is not reached yet")]
    NotConnected = 1,
    /// Searching or with a stranger already: skip or end first.
    #[error("searching or with a stranger already")]
    WithStranger = 2,
    /// A nickname, language or interest that cannot be shown, or too many interests: let the user correct it.
    #[error("a nickname, language or interest that cannot be shown, or too many interests")]
    BadEntry = 3,
    /// This space is for adults: the user has to say to be one.
    #[error("the space is for adults")]
    AdultsOnly = 4,
    /// The server wants more work than a phone does, or it took too long: try later.
    #[error("the server wants more work than a phone does")]
    TooMuchWork = 5,
    /// Larger than what strangers may send each other or show the operator: let the user choose another.
    #[error("larger than what strangers may send")]
    TooLarge = 6,
    /// The server does not believe the report: nothing to do.
    #[error("the report was not believed")]
    ReportRefused = 7,
}

/// What the user can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Error {
    /// A number that never changes, for logs and for apps in other languages.
    pub fn code(&self) -> u16 {
        match self {
            Self::Offline => 1,
            Self::SignedOut => 2,
            Self::SignedIn => 3,
            Self::WrongLogin => 4,
            Self::NameTaken => 5,
            Self::NameInvalid => 6,
            Self::EmailTaken => 7,
            Self::EmailInvalid => 8,
            Self::NoSuchPerson => 9,
            Self::NotFriends => 10,
            Self::Already => 11,
            Self::RosterFull => 12,
            Self::KeyChanged => 13,
            Self::Away => 14,
            Self::NoSuchCall => 15,
            Self::Busy => 16,
            Self::OutboxFull => 17,
            Self::TextLength => 18,
            Self::NotACode => 19,
            Self::TooMany { .. } => 20,
            Self::Unavailable { .. } => 21,
            Self::Suspended => 22,
            Self::Outdated => 23,
            Self::Protocol => 24,
            Self::Storage(_) => 25,
            Self::Closed => 26,
            Self::NotBuilt => 27,
            Self::NotAPushAddress => 28,
            Self::NoSuchMessage => 40,
            Self::StayRange => 41,
            Self::Reactions => 42,
            Self::NoSuchTransfer => 60,
            Self::TooManyTransfers => 61,
            Self::FileUnreadable => 62,
            Self::FileMalformed => 63,
            Self::NoFolder => 64,
            Self::Room(failure) => 80 + *failure as u16,
            Self::Stranger(failure) => 120 + *failure as u16,
        }
    }

    /// Whether the same may work later without the user doing anything, and after how many milliseconds at least.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::TooMany { retry_ms } | Self::Unavailable { retry_ms } => Some(*retry_ms),
            Self::Offline | Self::Away | Self::OutboxFull | Self::TooManyTransfers => Some(0),
            _ => None,
        }
    }

    /// What the user can do.
    pub fn user_action(&self) -> UserAction {
        match self {
            Self::Offline => UserAction::CheckNetwork,
            Self::SignedOut => UserAction::SignIn,
            Self::WrongLogin
            | Self::NameTaken
            | Self::NameInvalid
            | Self::EmailTaken
            | Self::EmailInvalid
            | Self::NoSuchPerson
            | Self::RosterFull
            | Self::TextLength
            | Self::StayRange
            | Self::Reactions
            | Self::FileUnreadable
            | Self::FileMalformed
            | Self::NotACode
            | Self::Stranger(StrangerFailure::BadEntry | StrangerFailure::AdultsOnly | StrangerFailure::TooLarge)
            | Self::Room(
                RoomFailure::WrongCode
                | RoomFailure::TooManyRooms
                | RoomFailure::NotALink
                | RoomFailure::DamagedLink
                | RoomFailure::NotACode,
            ) => UserAction::Correct,
            Self::KeyChanged => UserAction::CompareNumbers,
            Self::Storage(_) => UserAction::FreeSpace,
            Self::Outdated | Self::Room(RoomFailure::NewerRoom) => UserAction::Update,
            Self::Suspended | Self::Protocol => UserAction::ContactOperator,
            _ => UserAction::Nothing,
        }
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Offline => Self::Offline,
            CommandError::SignedOut => Self::SignedOut,
            CommandError::SignedIn => Self::SignedIn,
            CommandError::Refused { code, retry_ms } => refused(code, retry_ms),
            CommandError::WrongLogin => Self::WrongLogin,
            CommandError::Server => Self::Protocol,
            CommandError::NotAPushAddress => Self::NotAPushAddress,
            CommandError::NotFriends => Self::NotFriends,
            CommandError::KeyChanged => Self::KeyChanged,
            CommandError::NoSuchCall => Self::NoSuchCall,
            CommandError::Busy => Self::Busy,
            CommandError::OutboxFull => Self::OutboxFull,
            CommandError::NoSuchMessage => Self::NoSuchMessage,
            CommandError::StayRange => Self::StayRange,
            CommandError::NoSuchTransfer => Self::NoSuchTransfer,
            CommandError::TooManyTransfers => Self::TooManyTransfers,
            CommandError::NoSuchRoom => Self::Room(RoomFailure::NoSuchRoom),
            CommandError::InRoom => Self::Already,
            CommandError::TooManyRooms => Self::Room(RoomFailure::TooManyRooms),
            CommandError::NoSuchMember => Self::Room(RoomFailure::NoSuchMember),
            CommandError::NotCreator => Self::Room(RoomFailure::NotCreator),
            CommandError::WrongPolicy => Self::Room(RoomFailure::WrongPolicy),
            CommandError::AdultsOnly => Self::Room(RoomFailure::AdultsOnly),
            CommandError::WrongCode => Self::Room(RoomFailure::WrongCode),
            CommandError::CodeOver => Self::Room(RoomFailure::CodeOver),
            CommandError::BadEntry => Self::Stranger(StrangerFailure::BadEntry),
            CommandError::TooMuchWork => Self::Stranger(StrangerFailure::TooMuchWork),
            CommandError::NoSuchMatch => Self::Stranger(StrangerFailure::NoSuchMatch),
            CommandError::NotConnected => Self::Stranger(StrangerFailure::NotConnected),
            CommandError::TooLarge => Self::Stranger(StrangerFailure::TooLarge),
            CommandError::WithStranger => Self::Stranger(StrangerFailure::WithStranger),
        }
    }
}

/// What a refusal of the server means for an app.
pub(crate) fn refused(code: Code, retry_ms: u64) -> Error {
    match code {
        Code::Unauthorised | Code::Replaced => Error::SignedOut,
        Code::WrongLogin => Error::WrongLogin,
        Code::NameTaken => Error::NameTaken,
        Code::NameInvalid => Error::NameInvalid,
        Code::EmailTaken => Error::EmailTaken,
        Code::EmailInvalid => Error::EmailInvalid,
        Code::NoSuchUser => Error::NoSuchPerson,
        Code::NotFriends => Error::NotFriends,
        Code::Offline => Error::Away,
        Code::TooMany => Error::TooMany { retry_ms },
        Code::Suspended => Error::Suspended,
        Code::Closed | Code::Expired | Code::Internal | Code::Overflow | Code::Draining | Code::Idle => {
            Error::Unavailable { retry_ms }
        }
        Code::UnknownKind | Code::Version => Error::Outdated,
        Code::RosterFull => Error::RosterFull,
        Code::Already => Error::Already,
        Code::PlateBusy => Error::TooMany { retry_ms },
        Code::NoSuchRoom | Code::NotInRoom => Error::Room(RoomFailure::NoSuchRoom),
        Code::RoomFull => Error::Room(RoomFailure::Full),
        Code::RoomLocked => Error::Room(RoomFailure::Locked),
        Code::Banned => Error::Room(RoomFailure::Banned),
        Code::NotOwner => Error::Room(RoomFailure::NotCreator),
        Code::NoSuchMember => Error::Room(RoomFailure::NoSuchMember),
        Code::RelayForbidden => Error::Room(RoomFailure::WrongPolicy),
        Code::TooManyRooms => Error::Room(RoomFailure::TooManyRooms),
        Code::NoSuchPlate | Code::NoSuchAttempt => Error::Room(RoomFailure::CodeOver),
        Code::RoomTaken => Error::Protocol,
        Code::Barred => Error::TooMany { retry_ms },
        Code::AdultsOnly => Error::Stranger(StrangerFailure::AdultsOnly),
        Code::WrongProof => Error::Stranger(StrangerFailure::TooMuchWork),
        Code::NoSuchMatch | Code::NotBegun => Error::Stranger(StrangerFailure::NoSuchMatch),
        Code::ForgedReport => Error::Stranger(StrangerFailure::ReportRefused),
        Code::Malformed | Code::TooLarge | Code::Unknown => Error::Protocol,
    }
}
