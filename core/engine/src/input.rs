//! What an engine is told.

use sidetone_crypto::identity::PublicKey;
use sidetone_wire::connect::{Candidate, Description};
use sidetone_wire::frame::Frame;
use sidetone_wire::id::{CallId, Fingerprint, MatchId, MemberId, RoomId, TicketId, TransferId, UserId};
use sidetone_wire::push::PushAddress;
use sidetone_wire::record::{MessageId, Reactions, Text};
use zeroize::Zeroizing;

use crate::call::{Content, Shows, Wants};
use crate::network::Network;
use crate::preferences::Preference;
use crate::room::RoomCommand;
use crate::sound::SoundNews;
use crate::stranger::StrangerCommand;
use crate::transfer::row::FilePolicy;
use crate::transfer::view::{NewFile, TransferNews};

/// One fact for one step.
#[derive(Debug)]
pub enum Input {
    /// The app wants something; the outcome is an [`crate::Effect::Answer`] with the same number.
    Command(Ask, Command),
    /// A frame came over the socket.
    Server(Frame),
    /// A link has news.
    Link(LinkId, News),
    /// The sound of a room has news.
    Sound(RoomId, SoundNews),
    /// The file pump has news of a transfer.
    Transfer(TransferId, TransferNews),
    /// The socket to the server opened or closed.
    Online(bool),
    /// The work for a search is done; none if it was given up.
    Proved(TicketId, Option<u64>),
    /// The phone is in another network, or is said to be in the one it was in; these links lost the address that they went
    /// out from.
    Network(Network, Vec<LinkId>),
    /// Time passed: at or after [`crate::Engine::deadline`].
    Tick,
}

/// The number under which the app awaits a command's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask(pub u64);

/// Somebody to whom there may be a session and a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    /// A friend, known by a pinned key.
    Friend(UserId),
    /// A member of a room, known by the room's secret.
    Member(RoomId, MemberId),
    /// A stranger, known by nothing but the match.
    Stranger(MatchId),
}

impl PeerId {
    /// The account of a friend.
    pub fn friend(self) -> Option<UserId> {
        match self {
            Self::Friend(user) => Some(user),
            Self::Member(..) | Self::Stranger(_) => None,
        }
    }
}

impl From<UserId> for PeerId {
    fn from(user: UserId) -> Self {
        Self::Friend(user)
    }
}

/// One peer connection: a peer may have had others before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId {
    /// With whom.
    pub peer: PeerId,
    /// Never used twice while the engine lives.
    pub number: u64,
}

/// A password as typed: never printed, erased when dropped.
pub struct Password(pub Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// What the app may want.
#[derive(Debug)]
pub enum Command {
    /// Make an account and enter it with a new identity.
    Register {
        /// The name as typed.
        name: String,
        /// The e-mail address as typed.
        email: String,
        /// The password as typed.
        password: Password,
    },
    /// Enter an account from this device with a new identity.
    SignIn {
        /// The name as typed.
        name: String,
        /// The password as typed.
        password: Password,
    },
    /// Leave the account: the server forgets this device, this device forgets the account and all that came with it.
    SignOut,
    /// Delete the account at the server and everything on this device.
    DeleteAccount,
    /// Everything the server keeps about the account.
    ExportAccount,
    /// Say where this phone is woken when somebody calls, or that it is not.
    SetPush(Option<Box<PushAddress>>),
    /// Ask by what push services know the server.
    PushKey,
    /// How many are among strangers now, as the server counts; nobody needs an account for it.
    CountStrangers,
    /// Ask somebody to be a friend.
    Befriend {
        /// Their name, exactly.
        name: String,
        /// Their key, if it came by link or code: any other is refused.
        key: Option<PublicKey>,
    },
    /// Accept a friend request.
    Accept(UserId),
    /// Decline a friend request; its sender is not told.
    Decline(UserId),
    /// End a friendship or withdraw a request.
    Unfriend(UserId),
    /// End whatever there is with a person and refuse all that comes from them.
    Block(UserId),
    /// Lift a block.
    Unblock(UserId),
    /// The safety numbers were compared by people (or no longer count).
    SetVerified(UserId, Verified),
    /// Pin the key that a friend has now, after [`crate::Friend::changed_key`] was shown to the user.
    AcceptKey(UserId, PublicKey),
    /// Say something to a friend, now or when they are there.
    SendText(UserId, Text),
    /// Say more to a friend, or change what was said.
    Chat(UserId, ChatCommand),
    /// The user has seen everything a friend sent.
    MarkRead(UserId),
    /// The user is writing to a friend.
    Typing(UserId),
    /// Call a friend.
    Call(UserId),
    /// Take an incoming call.
    AnswerCall(CallId),
    /// Decline an incoming call.
    DeclineCall(CallId),
    /// End a call, or give up calling.
    HangUp(CallId),
    /// Let the other side hear us, or not.
    SetMicrophone(CallId, Microphone),
    /// Play what the other side says, or not.
    SetHearing(CallId, Hearing),
    /// Show the other side pictures, or no longer.
    Show(CallId, Shows),
    /// The same of the camera alone.
    ShowCamera(CallId, Camera),
    /// The same of the screen alone.
    ShowScreen(CallId, Option<Content>),
    /// Say which pictures of the other side are of use.
    Want(CallId, Wants),
    /// Offer a file to a friend, now or when they are there.
    OfferFile(UserId, Box<NewFile>),
    /// Take a file that was offered.
    AcceptFile(TransferId),
    /// Hold a transfer.
    PauseFile(TransferId),
    /// Let a transfer go on, after it was held here.
    ResumeFile(TransferId),
    /// Decline a file that was offered, or give up a transfer.
    CancelFile(TransferId),
    /// Which files are taken.
    SetFilePolicy(FilePolicy),
    /// Who may learn this phone's addresses.
    SetAddresses(Addresses),
    /// Whether one friend may, whatever counts for others; `None` for what counts for others.
    SetAddressesFor(UserId, Option<Addresses>),
    /// Whether friends learn what was read.
    SetReceipts(Receipts),
    /// Anything the user of this device may choose, with an account or without.
    Prefer(Preference),
    /// Something about rooms.
    Room(RoomCommand),
    /// Something about strangers.
    Stranger(StrangerCommand),
}

/// What the app may want of a conversation.
#[derive(Debug)]
pub enum ChatCommand {
    /// Say something in answer to a message.
    Reply(MessageId, Text),
    /// Send again what was not delivered.
    Retry(MessageId),
    /// Give a text of ours other words, on both phones.
    Edit(MessageId, Text),
    /// Take a message of ours back, on both phones.
    Delete(MessageId),
    /// Say what we think of a message, in place of what we thought before.
    React(MessageId, Reactions),
    /// How many seconds messages should stay: from now on the shorter of both friends' wishes counts.
    SetStay(Option<u32>),
    /// Keep what was begun; sending drops it.
    SetDraft(Option<Text>),
    /// Where the conversation is kept from now on.
    SetStorage(Storage),
}

impl ChatCommand {
    /// Whether it makes sense with somebody who is no friend any more.
    pub(crate) fn is_for_anybody(&self) -> bool {
        matches!(self, Self::Delete(_) | Self::SetDraft(None) | Self::SetStorage(_))
    }
}

/// Where a conversation is kept on this phone; what the friend's phone does is the friend's choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Storage {
    /// On disk, sealed.
    #[default]
    Kept,
    /// In memory only: what is said from now on is gone when the client closes, also what was not delivered yet.
    Ephemeral,
}

/// Whether safety numbers were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// A person says that they match.
    Yes,
    /// Not compared, or not any more.
    No,
}

/// Whether the microphone is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Microphone {
    /// It is heard.
    On,
    /// It is muted.
    Off,
}

/// Whether what the other side says is played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hearing {
    /// It is played.
    #[default]
    On,
    /// It is not, and nobody is told.
    Off,
}

/// Whether the camera is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Camera {
    /// It is seen.
    On,
    /// It is not.
    Off,
}

/// Whether a friend may learn this phone's addresses. Who may not is reached through a relay; nobody learns one while it
/// rings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Addresses {
    /// As soon as one has something for the other, and in an answered call.
    #[default]
    Direct,
    /// In a call that was answered; all else goes through a relay.
    RelayUntilAccepted,
    /// Once safety numbers were compared; until then everything goes through a relay.
    RelayUntilVerified,
    /// Never: everything goes through a relay.
    Never,
}

impl Addresses {
    /// Every choice, as numbered in kept rows.
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::RelayUntilAccepted, Self::RelayUntilVerified, Self::Never];
}

/// Whether friends learn what was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Receipts {
    /// They do.
    #[default]
    Send,
    /// They do not.
    Keep,
}

/// What a link says.
#[derive(Debug)]
pub enum News {
    /// Our end is ready to be described to the peer.
    Local(Description),
    /// An address of our end.
    Candidate(Candidate),
    /// It carries records from now on, and media once it is up. Not every link comes to this.
    Ahead {
        /// The certificate that the peer really showed.
        fingerprint: Fingerprint,
    },
    /// It carries records and media from now on.
    Up {
        /// How it travels.
        route: Route,
        /// The certificate that the peer really showed.
        fingerprint: Fingerprint,
    },
    /// A record arrived.
    Record(Vec<u8>),
    /// It travels another way now.
    Route(Route),
    /// Nothing was heard for some seconds; it may come back.
    Interrupted,
    /// It came back.
    Restored,
    /// The address that it went out from is not this phone's any more.
    Severed,
    /// It is gone for good.
    Down(Down),
}

/// Why a link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// No pair of addresses worked.
    Unreachable,
    /// The peer's certificate is not the one it described.
    WrongCertificate,
    /// Nothing was heard for too long.
    Lost,
    /// The other end closed it.
    Closed,
    /// The library or the system failed.
    Failed,
}

/// How a link travels now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// From phone to phone.
    Direct(Reach),
    /// Through a relay; the second is what carries packets between this phone and a relay of ours.
    Relayed(Relay, Protocol),
}

/// What carries packets between this phone and a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// UDP, as wherever there is no relay of ours.
    Udp,
    /// TCP, for UDP does not pass.
    Tcp,
    /// TLS over TCP, for nothing else passes.
    Tls,
}

/// How far a direct route goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Within one network.
    Lan,
    /// Across networks.
    Internet,
}

/// Whose relay a route uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Ours.
    Us,
    /// The peer's.
    Them,
    /// Both.
    Both,
}
