//! What an engine wants done. The driver saves everything of a step in one transaction, then sends, then tells.

use sidetone_crypto::sframe::BaseKey;
use sidetone_wire::account::{Code, Relays};
use sidetone_wire::connect::{Candidate, Description};
use sidetone_wire::frame::Frame;
use sidetone_wire::id::{CallId, RoomId, TransferId, UserId};
use sidetone_wire::record::MessageId;

use crate::call::{CallView, Shows, Wants};
use crate::input::{Ask, Hearing, LinkId, Microphone, PeerId};
use crate::room::RoomEvent;
use crate::row::{Change, Place};
use crate::sound::SoundOrder;
use crate::stranger::{Burned, Puzzle, StrangerEvent};
use crate::transfer::view::{TransferOrder, TransferView};

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Keep or drop a row.
    Save(Change),
    /// Keep a row in memory only: it is read like any other, and is gone when the client closes.
    Hold(Change),
    /// Keep a row, on disk or in memory, where a row is kept at this place; nothing if none is.
    Amend(Place, Change),
    /// Drop every row of a scope, in memory too, and what the driver itself keeps of it.
    Forget(Scope),
    /// Send a frame over the socket; dropped if it is closed: the engine sends again what matters.
    Send(Frame),
    /// Do something with a link.
    Link(LinkId, Order),
    /// Do something with a call's sound.
    Media(CallId, MediaOrder),
    /// Do something with the sound of a room.
    Sound(RoomId, SoundOrder),
    /// Do something with a file.
    Transfer(TransferId, TransferOrder),
    /// New keys are in use with somebody: for the receipt of it.
    Keyed(PeerId, Keys),
    /// Do some work, which may take seconds, and say [`crate::Input::Proved`].
    Prove(Puzzle),
    /// The outcome of a command.
    Answer(Ask, Result<Answer, CommandError>),
    /// Something the app may want to show.
    Tell(Event),
}

/// Which keys are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Those of a session whose link is up: of a handshake of its own.
    Session,
    /// Those of its records, by a fresh exchange within it.
    Records,
}

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything on this device.
    All,
}

/// What a link is to do. Orders for a link that is gone are ignored.
#[derive(Debug)]
pub enum Order {
    /// Make it and gather our addresses: only ever after consent.
    Open {
        /// Our part.
        role: Role,
        /// Where STUN and TURN are; `None` when the server could not be asked.
        relays: Option<Relays>,
        /// Which ways it may take.
        ways: Ways,
    },
    /// The peer's end.
    Remote(Description),
    /// An address of the peer's end.
    Candidate(Candidate),
    /// Send a record; the engine keeps the bytes in flight below [`crate::WINDOW_BYTES`].
    Send(Vec<u8>),
    /// Look for a new path, from the addresses there are now; what is under way on it stays.
    Restart,
    /// Close it and free everything.
    Close,
}

/// Which ways a link may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ways {
    /// As this device prefers.
    #[default]
    Preferred,
    /// Never through a relay, and the peer's relay is refused.
    DirectOnly,
    /// Only through our relay: no address of this device is shown.
    RelayOnly,
}

impl Ways {
    /// Whether it may go from phone to phone.
    pub fn direct(self) -> bool {
        self != Self::RelayOnly
    }

    /// Whether it may go through a relay.
    pub fn relay(self) -> bool {
        self != Self::DirectOnly
    }
}

/// Our part in making a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We describe our end first and control ICE.
    Offer,
    /// We answer.
    Answer,
}

/// What a call's sound is to do.
#[derive(Debug)]
pub enum MediaOrder {
    /// Send and receive over this link with these keys; replaces an earlier link and earlier keys.
    Start {
        /// The link that carries it.
        link: LinkId,
        /// Seals what this phone says.
        send: SenderKey,
        /// Opens what the peer says.
        receive: SenderKey,
    },
    /// Seal with this key from now on: the peer has it.
    SealWith(SenderKey),
    /// The peer will seal with this key soon; the older one stays good until then.
    OpenWith(SenderKey),
    /// Send over this link from now on, with the same keys, and hear the one before too.
    Move {
        /// The link that carries it.
        link: LinkId,
    },
    /// Whether the microphone is heard.
    Microphone(Microphone),
    /// Whether what the peer says is played.
    Hearing(Hearing),
    /// Which of our pictures go out.
    Show(Shows),
    /// Which of them the peer wants to see.
    Wanted(Wants),
    /// Stop and forget the keys.
    Stop,
}

/// A sender key and which one of its sender it is.
pub struct SenderKey {
    /// Counts the sender's keys in this call.
    pub generation: u16,
    /// The key.
    pub base: BaseKey,
}

impl std::fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SenderKey({})", self.generation)
    }
}

/// The outcome of a command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// The person found.
    Person(UserId),
    /// The place of a message in the conversation.
    Message(u64),
    /// The call made.
    Call(CallId),
    /// A JSON document.
    Export(Vec<u8>),
    /// How many there are.
    Count(u64),
    /// The transfer made.
    Transfer(TransferId),
    /// The room that was entered.
    Room(RoomId),
    /// A code to be said aloud.
    Code(String),
    /// By what push services know the server.
    PushKey(Vec<u8>),
    /// What was held of a conversation with a stranger, and what of it was erased.
    Burned(Box<Burned>),
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The server cannot be reached, or did not answer in time.
    #[error("the server cannot be reached")]
    Offline,
    /// No account on this device.
    #[error("no account on this device")]
    SignedOut,
    /// There is an account on this device already.
    #[error("there is an account on this device already")]
    SignedIn,
    /// The server refused.
    #[error("the server refused: {code:?}")]
    Refused {
        /// Why.
        code: Code,
        /// When to try again; 0 when it makes no sense.
        retry_ms: u64,
    },
    /// No such name, or not its password.
    #[error("no such name, or not its password")]
    WrongLogin,
    /// The server's answer does not fit the protocol.
    #[error("the server's answer does not fit the protocol")]
    Server,
    /// The server asks nobody at such an address.
    #[error("not an address of a push service")]
    NotAPushAddress,
    /// Not a friend.
    #[error("not a friend")]
    NotFriends,
    /// The person's key is another than the one pinned or given.
    #[error("the person's key is another than the one known")]
    KeyChanged,
    /// No such call, or one that is over.
    #[error("no such call, or one that is over")]
    NoSuchCall,
    /// In a call already.
    #[error("in a call already")]
    Busy,
    /// Too much waits for this friend already.
    #[error("too much waits for this friend already")]
    OutboxFull,
    /// No such message, or not one with which this can be done.
    #[error("no such message, or not one with which this can be done")]
    NoSuchMessage,
    /// Messages stay for a second to a year, or for ever.
    #[error("messages stay for a second to a year, or for ever")]
    StayRange,
    /// No such transfer, or one that is over.
    #[error("no such transfer, or one that is over")]
    NoSuchTransfer,
    /// Too many files wait for this friend already.
    #[error("too many files wait for this friend already")]
    TooManyTransfers,
    /// Not in such a room, or it is not remembered.
    #[error("not in such a room")]
    NoSuchRoom,
    /// In this room already.
    #[error("in this room already")]
    InRoom,
    /// In as many rooms as a device may be.
    #[error("in too many rooms")]
    TooManyRooms,
    /// No such member.
    #[error("no such member")]
    NoSuchMember,
    /// Only the creator of a room may do this.
    #[error("only the creator of the room may do this")]
    NotCreator,
    /// The room's policy has no such thing.
    #[error("the room's policy does not allow this")]
    WrongPolicy,
    /// The room is for adults.
    #[error("the room is for adults")]
    AdultsOnly,
    /// The spoken code is another one: it may be tried again, a few times.
    #[error("the spoken code is wrong")]
    WrongCode,
    /// A nickname or language that cannot be shown, or too many interests.
    #[error("a nickname or language that cannot be shown, or too many interests")]
    BadEntry,
    /// The server wants more work than a phone does.
    #[error("the server wants more work than a phone does")]
    TooMuchWork,
    /// No such match, or one that is over.
    #[error("no such match, or one that is over")]
    NoSuchMatch,
    /// The stranger is not reached yet.
    #[error("the stranger is not reached yet")]
    NotConnected,
    /// Larger than what strangers may send each other.
    #[error("larger than what strangers may send each other")]
    TooLarge,
    /// Searching or with a stranger already.
    #[error("searching or with a stranger already")]
    WithStranger,
    /// The spoken code is used up, or its maker is not there: a new one is needed.
    #[error("the spoken code cannot be used any more")]
    CodeOver,
}

/// Something the app may want to show. The store is the truth: whoever missed one reads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The account of this device: entered, left, or no longer valid and why.
    Account(AccountEvent),
    /// Whether the server knows that we are here.
    Connected(bool),
    /// A person in the roster changed: relation, presence, key, verification.
    Friend(UserId),
    /// A message was added or failed.
    Message {
        /// In whose conversation.
        peer: UserId,
        /// Its place there.
        position: u64,
    },
    /// A message has other words or reactions, was taken back, or disappeared.
    Amended {
        /// In whose conversation.
        peer: UserId,
        /// Which.
        message: MessageId,
    },
    /// A conversation's draft, storage class or time that messages stay changed.
    Chat(UserId),
    /// More of our messages are sent, delivered or read.
    Marks(UserId),
    /// A friend is writing.
    Typing(UserId),
    /// A call began, changed or ended.
    Call(CallView),
    /// A transfer began, changed or ended. Of one that moves, told at most four times a second.
    Transfer(TransferView),
    /// The operator's word.
    Announcement(String),
    /// Something in a room.
    Room(RoomId, RoomEvent),
    /// Something with a stranger, or about the search for one.
    Stranger(StrangerEvent),
    /// What the user of this device prefers changed.
    Preferences,
    /// A link lost its address to a change of network that the app did not tell of.
    NetworkUntold,
}

/// What happened to the account of this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountEvent {
    /// It is entered.
    SignedIn,
    /// It is left, by our wish.
    SignedOut,
    /// The server takes our token no more.
    Revoked(Code),
}
