//! What a phone asks of the server, and what the server answers.

use serde_bytes::ByteBuf;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::envelope::Envelope;
use crate::id::{DeviceId, IdentityKey, Secret, UserId};
use crate::push::{Push, PushKey};
use crate::room::{
    EnterRoom, Entered, Judged, Knock, LockRoom, OpenPlate, OpenRoom, Plate, PlateNumber, Room, RoomEnvelope, Rooms,
    Said, Seat,
};
use crate::stranger::{Challenge, Lobby, Match, Part, Report, Seek, StrangerEnvelope, Ticket};
use crate::tagged::{numbered, tagged};

tagged! {
    /// A request. A session repeats it with the same number until it is answered.
    pub enum Request {
        /// First half of OPAQUE registration (RFC 9807).
        1 => RegisterStart(OpaqueStart),
        /// Second half: the account is made and the session is its own.
        2 => RegisterFinish(RegisterFinish),
        /// First half of OPAQUE login.
        3 => LoginStart(OpaqueStart),
        /// Second half: the session is the account's.
        4 => LoginFinish(LoginFinish),
        /// Ends this device's session and forgets its token.
        5 => Logout(Empty),
        /// One page of everybody this account knows.
        6 => Roster(Page),
        /// Asks the person with exactly this name to be a friend.
        7 => Befriend(Name),
        /// Accepts a friend request.
        8 => Accept(User),
        /// Declines a friend request, silently for its sender.
        9 => Decline(User),
        /// Ends a friendship or withdraws a request.
        10 => Unfriend(User),
        /// Ends whatever there is and refuses all that comes.
        11 => Block(User),
        /// Lifts a block; it does not make a friend.
        12 => Unblock(User),
        /// Hands sealed bytes to a friend who is online.
        13 => Route(Envelope),
        /// Time-limited credentials for STUN and TURN.
        14 => Relays(Empty),
        /// Everything the server keeps about this account, as JSON.
        15 => Export(Page),
        /// Deletes the account and every row about it.
        16 => Delete(Empty),
        /// Opens a room and enters it, or takes it back with its owner's secret. Done again it changes nothing.
        17 => OpenRoom(OpenRoom),
        /// Enters a room. Done again as the same member it only says who is there.
        18 => EnterRoom(EnterRoom),
        /// Leaves a room.
        19 => LeaveRoom(Room),
        /// Hands sealed bytes to one member of a room.
        20 => RouteRoom(RoomEnvelope),
        /// Time-limited credentials for TURN, for this room's links only; refused where the room forbids relays.
        21 => RoomRelays(Room),
        /// Puts a member out of a room. The owner's.
        22 => Kick(Seat),
        /// Puts a member out and lets neither this session nor its account in again. The owner's.
        23 => Ban(Seat),
        /// Lets everybody in again who was banned. The owner's.
        24 => Pardon(Room),
        /// Lets nobody new in, or in again. The owner's.
        25 => LockRoom(LockRoom),
        /// Ends a room for everybody, and forgets it if it was kept. The owner's.
        26 => CloseRoom(Room),
        /// Asks for a nameplate under which a room's spoken code is tried. The owner's.
        27 => OpenPlate(OpenPlate),
        /// Takes a nameplate down. The owner's.
        28 => BurnPlate(PlateNumber),
        /// Begins one try at a spoken code.
        29 => Knock(Knock),
        /// The next message of a try, to its other end.
        30 => Say(Said),
        /// How a try ended, by the room's owner.
        31 => Judge(Judged),
        /// One page of the rooms the server keeps for this account.
        32 => Rooms(Page),
        /// Looks for a stranger.
        40 => Seek(Seek),
        /// Ends a search.
        41 => Unseek(Ticket),
        /// Says that we want a match.
        42 => Consent(Match),
        /// Leaves a match, or declines it.
        43 => Part(Part),
        /// Hands sealed bytes to the other one of a match that began.
        44 => RouteStranger(StrangerEnvelope),
        /// Time-limited credentials for TURN, for this match only.
        45 => StrangerRelays(Match),
        /// Asks for the one we just parted from; a match if both do within [`crate::limits::AGAIN_MS`].
        46 => Again(Match),
        /// Tells the operator what was wrong with the other one.
        47 => Report(Report),
        /// Says where this phone is woken when somebody calls.
        48 => SetPush(Push),
        /// Asks by what push services know this server.
        49 => PushKey(Empty),
        /// How many are among strangers now.
        50 => Lobby(Empty),
    }
}

impl Request {
    /// Whether it is sealed bytes for somebody else.
    pub fn is_route(&self) -> bool {
        matches!(self, Self::Route(_) | Self::RouteRoom(_) | Self::RouteStranger(_))
    }
}

tagged! {
    /// The answer to a request that was granted.
    pub enum Reply {
        /// Done; nothing to tell.
        1 => Done(Empty),
        /// The server's half of OPAQUE and the ticket that the second half names.
        2 => Opaque(OpaqueReply),
        /// The session belongs to this account now.
        3 => SignedIn(SignedIn),
        /// One page of the roster.
        4 => Roster(Roster),
        /// The person found.
        5 => Person(Person),
        /// Where STUN and TURN are and how to use them.
        6 => Relays(Relays),
        /// One page of an export.
        7 => Export(ExportPage),
        /// We are in a room; who else is.
        8 => Entered(Entered),
        /// A nameplate.
        9 => Plate(Plate),
        /// One page of the rooms kept for this account.
        10 => Rooms(Rooms),
        /// The search waits for some work.
        20 => Prove(Challenge),
        /// By what push services know this server.
        21 => PushKey(PushKey),
        /// How many are among strangers now.
        22 => Lobby(Lobby),
    }
}

/// Nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Empty {
    /// Always absent; kept so that a field can be added.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<u8>,
}

/// A person's name and the phone's first OPAQUE message.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct OpaqueStart {
    /// The name as typed; the server normalises it.
    #[serde(index = 0)]
    pub name: String,
    /// `RegistrationRequest` or `KE1`.
    #[serde(index = 1)]
    pub message: ByteBuf,
}

/// The server's OPAQUE message.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct OpaqueReply {
    /// Names the exchange in its second half; good for a minute.
    #[serde(index = 0)]
    pub ticket: ByteBuf,
    /// `RegistrationResponse` or `KE2`.
    #[serde(index = 1)]
    pub message: ByteBuf,
    /// The name as the server normalised it: the OPAQUE client identity.
    #[serde(index = 2)]
    pub name: String,
}

/// Makes an account.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct RegisterFinish {
    /// From [`OpaqueReply`].
    #[serde(index = 0)]
    pub ticket: ByteBuf,
    /// `RegistrationRecord`.
    #[serde(index = 1)]
    pub record: ByteBuf,
    /// The account's e-mail address.
    #[serde(index = 2)]
    pub email: String,
    /// The identity made on this device.
    #[serde(index = 3)]
    pub identity: IdentityKey,
    /// This device.
    #[serde(index = 4)]
    pub device: DeviceId,
}

/// Enters an account.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct LoginFinish {
    /// From [`OpaqueReply`].
    #[serde(index = 0)]
    pub ticket: ByteBuf,
    /// `KE3`.
    #[serde(index = 1)]
    pub message: ByteBuf,
    /// The identity of this device; another than before is told to every friend.
    #[serde(index = 2)]
    pub identity: IdentityKey,
    /// This device.
    #[serde(index = 3)]
    pub device: DeviceId,
}

/// The session's account and the token with which later sockets say so.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct SignedIn {
    /// The account.
    #[serde(index = 0)]
    pub user: UserId,
    /// Its name, normalised.
    #[serde(index = 1)]
    pub name: String,
    /// For [`crate::frame::Hello`]; valid until logout, deletion or revocation.
    #[serde(index = 2)]
    pub token: Secret,
}

/// A name to look up.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Name {
    /// As typed.
    #[serde(index = 0)]
    pub name: String,
}

/// Somebody by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct User {
    /// Who.
    #[serde(index = 0)]
    pub user: UserId,
}

/// Which page of a long answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Page {
    /// 0 for the first.
    #[serde(index = 0)]
    pub page: u32,
}

numbered! {
    /// What there is between this account and a person.
    pub enum Relation {
        /// They asked us.
        1 => AskedUs,
        /// We asked them.
        2 => AskedByUs,
        /// Friends.
        3 => Friend,
        /// We blocked them.
        4 => Blocked,
        _ => Unknown
    }
}

/// A person this account has something to do with.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Person {
    /// Who.
    #[serde(index = 0)]
    pub user: UserId,
    /// Their name, normalised.
    #[serde(index = 1)]
    pub name: String,
    /// The key their newest device registered.
    #[serde(index = 2)]
    pub identity: IdentityKey,
    /// What there is between us.
    #[serde(index = 3)]
    pub relation: Relation,
    /// Whether a device of theirs has a live session; always false but for friends.
    #[serde(index = 4)]
    pub online: bool,
}

/// A page of people.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Roster {
    /// At most [`crate::limits::ROSTER_PAGE`].
    #[serde(index = 0)]
    pub people: Vec<Person>,
    /// Whether there is a next page.
    #[serde(index = 1)]
    pub more: bool,
}

/// Where STUN and TURN are.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Relays {
    /// `stun:` and `turn:` URIs (RFC 7064, RFC 7065).
    #[serde(index = 0)]
    pub urls: Vec<String>,
    /// For `turn:`, valid for `valid_ms`.
    #[serde(index = 1)]
    pub username: String,
    /// For `turn:`.
    #[serde(index = 2)]
    pub password: String,
    /// How long the credentials hold.
    #[serde(index = 3)]
    pub valid_ms: u64,
}

/// A piece of an export.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ExportPage {
    /// UTF-8 JSON; the pages put together are one document.
    #[serde(index = 0)]
    pub json: ByteBuf,
    /// Whether there is a next page.
    #[serde(index = 1)]
    pub more: bool,
}

numbered! {
    /// Why the server refused a request or a socket.
    pub enum Code {
        /// A field is malformed or out of range.
        1 => Malformed,
        /// The request's kind is not known to this server.
        2 => UnknownKind,
        /// No account on this session, or its token is not valid (any more).
        3 => Unauthorised,
        /// No such name, or not its password: the two are not told apart.
        4 => WrongLogin,
        /// The name, or one that looks like it, is taken.
        5 => NameTaken,
        /// Not a name: PRECIS UsernameCaseMapped (RFC 8265), 3 to 32 characters.
        6 => NameInvalid,
        /// The e-mail address belongs to an account.
        7 => EmailTaken,
        /// Not an e-mail address.
        8 => EmailInvalid,
        /// Nobody has exactly this name or id.
        9 => NoSuchUser,
        /// Only friends may do this to each other.
        10 => NotFriends,
        /// The friend has no live session.
        11 => Offline,
        /// Too many requests: try again after `retry_ms`.
        12 => TooMany,
        /// Larger than the limit.
        13 => TooLarge,
        /// The operator suspended the account.
        14 => Suspended,
        /// The operator closed registration or the server.
        15 => Closed,
        /// The ticket is too old or was used.
        16 => Expired,
        /// No common protocol version.
        17 => Version,
        /// The server failed; the request may be repeated.
        18 => Internal,
        /// The roster is full.
        19 => RosterFull,
        /// More bytes wait for this socket than it takes.
        20 => Overflow,
        /// Another socket took this session.
        21 => Replaced,
        /// The server is going down; come back after `retry_ms`.
        22 => Draining,
        /// The first frame did not come, or nothing came for too long.
        23 => Idle,
        /// Already so: friends already, asked already.
        24 => Already,
        /// No room of this id is open or kept.
        25 => NoSuchRoom,
        /// Every seat of the room is taken.
        26 => RoomFull,
        /// The room's owner lets nobody new in.
        27 => RoomLocked,
        /// The room's owner put this session or account out for good.
        28 => Banned,
        /// Only the room's owner may do this.
        29 => NotOwner,
        /// This session is not in the room (any more).
        30 => NotInRoom,
        /// The member is not in the room (any more).
        31 => NoSuchMember,
        /// The room's policy forbids relays.
        32 => RelayForbidden,
        /// Another owner opened a room of this id.
        33 => RoomTaken,
        /// This session is in as many rooms as it may be, or as many are kept for the account.
        34 => TooManyRooms,
        /// There is no such nameplate: burned, too old, or never given.
        35 => NoSuchPlate,
        /// As many tries at this code are undecided as it has left: try again after `retry_ms`.
        36 => PlateBusy,
        /// There is no such try (any more).
        37 => NoSuchAttempt,
        /// This space is for adults, and the user did not say to be one.
        40 => AdultsOnly,
        /// The answer to the challenge is wrong, or came too late.
        41 => WrongProof,
        /// Searches from here are refused for `retry_ms`: they came as from a machine, or several people complained.
        42 => Barred,
        /// There is no such match (any more): search on.
        43 => NoSuchMatch,
        /// The match did not begin yet.
        44 => NotBegun,
        /// Nothing proves that there was a match to report.
        45 => ForgedReport,
        _ => Unknown
    }
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Refusal {
    /// Why.
    #[serde(index = 0)]
    pub code: Code,
    /// When it makes sense to try again; 0 when it does not.
    #[serde(index = 1)]
    pub retry_ms: u64,
}
