//! What phone and server say to each other: one frame is one binary websocket message.

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::account::{Empty, Person, Refusal, Reply, Request, User};
use crate::codec::{DecodeError, EncodeError, decode, encode};
use crate::envelope::Class;
use crate::id::{RequestId, Secret, Seq, SessionId, UserId};
use crate::limits::FRAME_BYTES;
use crate::room::{AttemptOver, Burned, Knocked, PutOut, RoomDelivered, Said, Seat, Went};
use crate::stranger::{Match, MatchOver, Matched, StrangerDelivered, Ticket};
use crate::tagged::tagged;

tagged! {
    /// A frame.
    pub enum Frame {
        /// Phone to server, first.
        1 => Hello(Hello),
        /// Server to phone, in answer to [`Hello`].
        2 => Welcome(Welcome),
        /// Phone to server.
        3 => Request(Numbered),
        /// Server to phone: granted.
        4 => Reply(Granted),
        /// Server to phone: refused.
        5 => Refused(Refused),
        /// Server to phone, numbered.
        6 => Event(Told),
        /// Phone to server: every event up to this number is kept.
        7 => Ack(Acked),
        /// Either way: say [`Frame::Pong`].
        8 => Ping(Empty),
        /// Either way.
        9 => Pong(Empty),
        /// Server to phone, last: why the socket is closed.
        10 => Goaway(Refusal),
    }
}

impl Frame {
    /// The bytes of one websocket message.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        encode(self, FRAME_BYTES)
    }

    /// Reads one websocket message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, FRAME_BYTES)
    }

    /// Reads one websocket message of a server: what only phones say is [`DecodeError::UnknownKind`] here, so that a phone
    /// holds no code to read requests.
    pub fn from_server(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::<Served>(bytes, FRAME_BYTES).map(Self::from)
    }
}

tagged! {
    /// A frame that a server sends.
    pub enum Served {
        /// [`Frame::Welcome`].
        2 => Welcome(Welcome),
        /// [`Frame::Reply`].
        4 => Reply(Granted),
        /// [`Frame::Refused`].
        5 => Refused(Refused),
        /// [`Frame::Event`].
        6 => Event(Told),
        /// [`Frame::Ping`].
        8 => Ping(Empty),
        /// [`Frame::Pong`].
        9 => Pong(Empty),
        /// [`Frame::Goaway`].
        10 => Goaway(Refusal),
    }
}

impl From<Served> for Frame {
    fn from(served: Served) -> Self {
        match served {
            Served::Welcome(welcome) => Self::Welcome(welcome),
            Served::Reply(granted) => Self::Reply(granted),
            Served::Refused(refused) => Self::Refused(refused),
            Served::Event(told) => Self::Event(told),
            Served::Ping(empty) => Self::Ping(empty),
            Served::Pong(empty) => Self::Pong(empty),
            Served::Goaway(refusal) => Self::Goaway(refusal),
        }
    }
}

/// Opens a socket: who, which versions, and which conversation goes on.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Hello {
    /// Oldest protocol version spoken.
    #[serde(index = 0)]
    pub oldest: u16,
    /// Newest protocol version spoken.
    #[serde(index = 1)]
    pub newest: u16,
    /// The account's token; absent before registration or login.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The session that should go on.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
}

/// Names a session and proves that it is ours.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Resume {
    /// From [`Welcome`].
    #[serde(index = 0)]
    pub session: SessionId,
    /// From [`Welcome`].
    #[serde(index = 1)]
    pub secret: Secret,
    /// The last event that was kept; 0 for none.
    #[serde(index = 2)]
    pub last: Seq,
}

/// Accepts a socket.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Welcome {
    /// The version spoken from here on.
    #[serde(index = 0)]
    pub version: u16,
    /// The session; the one named in [`Resume`] if `resumed`.
    #[serde(index = 1)]
    pub session: SessionId,
    /// For the next [`Resume`].
    #[serde(index = 2)]
    pub secret: Secret,
    /// Whether the conversation goes on: every missed event follows. If not, the phone reads its roster again.
    #[serde(index = 3)]
    pub resumed: bool,
    /// The account of the session, if the token or the resumed session has one.
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

/// A request and its number.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Numbered {
    /// Chosen by the phone, never used twice in a session.
    #[serde(index = 0)]
    pub id: RequestId,
    /// What is asked.
    #[serde(index = 1)]
    pub request: Request,
}

/// A granted request.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Granted {
    /// Which request.
    #[serde(index = 0)]
    pub id: RequestId,
    /// The answer.
    #[serde(index = 1)]
    pub reply: Reply,
}

/// A refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Refused {
    /// Which request.
    #[serde(index = 0)]
    pub id: RequestId,
    /// Why.
    #[serde(index = 1)]
    pub refusal: Refusal,
}

/// An event and its number.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Told {
    /// One more than the event before.
    #[serde(index = 0)]
    pub seq: Seq,
    /// What happened.
    #[serde(index = 1)]
    pub event: Event,
}

/// The last event kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Acked {
    /// Its number.
    #[serde(index = 0)]
    pub seq: Seq,
}

tagged! {
    /// Something that happened to this account.
    pub enum Event {
        /// A person and what there is between us now: asked, befriended, another key.
        1 => Person(Person),
        /// There is nothing between us any more: declined, withdrawn, ended, blocked or deleted.
        2 => Gone(User),
        /// A friend came or went.
        3 => Presence(Presence),
        /// Sealed bytes from a friend.
        4 => Sealed(Delivered),
        /// The operator's word to everybody.
        5 => Announcement(Announcement),
        /// This device's token is no longer valid: another device, suspension or deletion.
        6 => Revoked(Refusal),
        /// Somebody entered a room we are in.
        7 => Came(Seat),
        /// A member is not in a room any more.
        8 => Went(Went),
        /// Sealed bytes from a member of a room.
        9 => RoomSealed(RoomDelivered),
        /// We are not in a room any more.
        10 => PutOut(PutOut),
        /// Somebody tries our spoken code.
        11 => Knocked(Knocked),
        /// The other end of a try says something.
        12 => Said(Said),
        /// A try is over: for the one who tried.
        13 => AttemptOver(AttemptOver),
        /// Our nameplate is gone.
        14 => Burned(Burned),
        /// A stranger was found for us.
        20 => Matched(Matched),
        /// Both want a match: it begins.
        21 => Begun(Match),
        /// Sealed bytes from a stranger.
        22 => StrangerSealed(StrangerDelivered),
        /// A match is over.
        23 => MatchOver(MatchOver),
        /// Nobody was found in time: the search is over.
        24 => NobodyThere(Ticket),
    }
}

/// A friend came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Presence {
    /// Who.
    #[serde(index = 0)]
    pub user: UserId,
    /// Whether they have a live session now.
    #[serde(index = 1)]
    pub online: bool,
}

/// An envelope at its destination.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Delivered {
    /// From whom, by the server's word: the handshake proves it.
    #[serde(index = 0)]
    pub from: UserId,
    /// How urgent.
    #[serde(index = 1)]
    pub class: Class,
    /// A padded [`crate::envelope::Sealed`].
    #[serde(index = 2)]
    pub bytes: ByteBuf,
}

/// The operator's word.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Announcement {
    /// Plain text, at most [`crate::limits::ANNOUNCEMENT_BYTES`].
    #[serde(index = 0)]
    pub text: String,
}
