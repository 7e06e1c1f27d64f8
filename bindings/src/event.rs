//! What the app is told.

use crate::calls::CallView;
use crate::error::SidetoneError;
use crate::files::Transfer;
use crate::id::{CallId, MessageId, RoomId, UserId};
use crate::pictures::VideoEvent;
use crate::room::RoomEvent;
use crate::stranger::StrangerEvent;

/// Something the app may want to show. What is kept is the truth and events are hints: whoever missed one reads again.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Event {
    /// This device entered an account.
    SignedIn,
    /// This device left its account by its user's wish; everything about it is forgotten.
    SignedOut,
    /// The server takes this device no more; what is kept stays.
    Revoked {
        /// Why.
        error: SidetoneError,
    },
    /// The server knows that we are here.
    Online,
    /// The server cannot be reached.
    Offline,
    /// A person changed: relation, presence, key, verification, unread messages.
    Friend {
        /// Who.
        user: UserId,
    },
    /// A message was added or failed.
    Message {
        /// In whose conversation.
        peer: UserId,
        /// Its place there.
        position: u64,
    },
    /// A message was changed: other words, taken back, reactions, disappeared.
    Amended {
        /// In whose conversation.
        peer: UserId,
        /// Which.
        message: MessageId,
    },
    /// A conversation changed: draft, timer, where it is kept.
    Chat {
        /// With whom.
        peer: UserId,
    },
    /// A transfer began, changed or ended; of one that moves, at most four times a second.
    Transfer {
        /// How it stands.
        view: Transfer,
    },
    /// What the user of this device prefers changed.
    Preferences,
    /// More of our messages are delivered or read.
    Marks {
        /// In whose conversation.
        peer: UserId,
    },
    /// A friend is writing.
    Typing {
        /// Who.
        peer: UserId,
    },
    /// A call began, changed or ended.
    Call {
        /// How it stands.
        view: CallView,
    },
    /// What the encoder of a call's pictures should know.
    Video {
        /// In which call.
        call: CallId,
        /// What.
        event: VideoEvent,
    },
    /// What the encoder of our pictures in a room should know.
    RoomVideo {
        /// In which.
        room: RoomId,
        /// What.
        event: VideoEvent,
    },
    /// Something happened in a room.
    Room {
        /// In which.
        room: RoomId,
        /// What.
        event: RoomEvent,
    },
    /// Something about a stranger.
    Stranger {
        /// What.
        event: StrangerEvent,
    },
    /// The operator's word.
    Announcement {
        /// As the operator wrote it: show it as text.
        text: String,
    },
    /// A link lost its address to a change of network of which the app said nothing: it should call `networkChanged`.
    NetworkUntold,
    /// More happened than the app took: read everything again.
    Refresh,
    /// The client has stopped and does nothing more; every answer is this error.
    Stopped {
        /// Why.
        error: SidetoneError,
    },
}

impl From<sidetone::Event> for Event {
    fn from(event: sidetone::Event) -> Self {
        use sidetone::Event as Told;
        match event {
            Told::SignedIn => Self::SignedIn,
            Told::SignedOut => Self::SignedOut,
            Told::Revoked(error) => Self::Revoked { error: error.into() },
            Told::Connected(true) => Self::Online,
            Told::Connected(false) => Self::Offline,
            Told::Friend(user) => Self::Friend { user: user.into() },
            Told::Message { peer, position } => Self::Message { peer: peer.into(), position },
            Told::Amended { peer, message } => Self::Amended { peer: peer.into(), message: message.into() },
            Told::Chat(peer) => Self::Chat { peer: peer.into() },
            Told::Transfer(view) => Self::Transfer { view: view.into() },
            Told::Preferences => Self::Preferences,
            Told::Marks(peer) => Self::Marks { peer: peer.into() },
            Told::Typing(peer) => Self::Typing { peer: peer.into() },
            Told::Call(view) => Self::Call { view: view.into() },
            Told::Video(call, event) => Self::Video { call: call.into(), event: event.into() },
            Told::RoomVideo(room, event) => Self::RoomVideo { room: room.into(), event: event.into() },
            Told::Room(room, event) => Self::Room { room: room.into(), event: event.into() },
            Told::Stranger(event) => Self::Stranger { event: event.into() },
            Told::Announcement(text) => Self::Announcement { text },
            Told::NetworkUntold => Self::NetworkUntold,
            Told::Refresh => Self::Refresh,
            Told::Stopped(error) => Self::Stopped { error: error.into() },
        }
    }
}
