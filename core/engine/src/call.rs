//! One-to-one calls.

use sidetone_wire::id::{CallId, UnixMs, UserId};
use sidetone_wire::record;

use crate::input::{Hearing, Microphone, Route};
use crate::time::Time;

/// A call as the app sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// Which.
    pub call: CallId,
    /// With whom.
    pub peer: UserId,
    /// Who called.
    pub direction: Direction,
    /// How it stands.
    pub state: CallState,
    /// How its link travels, while there is one.
    pub route: Option<Route>,
    /// Our microphone.
    pub microphone: Microphone,
    /// Theirs.
    pub their_microphone: Microphone,
    /// Whether what they say is played here; they are not told.
    pub hearing: Hearing,
    /// What we show.
    pub shows: Shows,
    /// What they show.
    pub their_shows: Shows,
    /// What they want to see of it.
    pub their_wants: Wants,
    /// When both could first speak, by our clock for people; none before.
    pub connected: Option<UnixMs>,
}

/// Which pictures one side of a call shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shows {
    /// Whether its camera is on.
    pub camera: bool,
    /// Whether its screen is shared, and what is on it.
    pub screen: Option<Content>,
}

/// What is on a shared screen: what to give up first when the path is thin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Content {
    /// Writing: sharp rather than smooth.
    #[default]
    Text,
    /// A film or a game: smooth rather than sharp.
    Motion,
}

/// How large pictures are of use to a viewer, in lines; 0 for none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// The camera.
    pub camera: u16,
    /// The screen.
    pub screen: u16,
}

impl Default for Wants {
    /// As large as they are.
    fn default() -> Self {
        Self { camera: u16::MAX, screen: u16::MAX }
    }
}

impl Shows {
    /// As it is said.
    pub(crate) fn said(self) -> record::Shows {
        let Self { camera, screen } = self;
        record::Shows { camera, screen: screen.is_some(), motion: screen == Some(Content::Motion) }
    }

    /// As it was heard.
    pub(crate) fn heard(shows: record::Shows) -> Self {
        let content = if shows.motion { Content::Motion } else { Content::Text };
        Self { camera: shows.camera, screen: shows.screen.then_some(content) }
    }
}

impl Wants {
    /// Nothing at all.
    pub const NONE: Self = Self { camera: 0, screen: 0 };

    /// As it is said.
    pub(crate) fn said(self) -> record::Wants {
        record::Wants { camera: self.camera, screen: self.screen }
    }

    /// As it was heard.
    pub(crate) fn heard(wants: record::Wants) -> Self {
        Self { camera: wants.camera, screen: wants.screen }
    }

    /// As large as either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { camera: self.camera.max(other.camera), screen: self.screen.max(other.screen) }
    }
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// We did.
    Outgoing,
    /// They did.
    Incoming,
}

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// It rings, or the peer is being looked for.
    Ringing,
    /// It was answered; the link is being made.
    Connecting,
    /// Both can speak.
    Connected,
    /// The link was lost and is being made again until this moment.
    Reconnecting(Time),
    /// It is over.
    Ended(EndReason),
}

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// We hung up.
    HungUp,
    /// They hung up.
    PeerHungUp,
    /// We declined.
    Declined,
    /// They declined.
    PeerDeclined,
    /// They are in another call.
    PeerBusy,
    /// We gave up calling.
    Cancelled,
    /// They gave up calling before we answered.
    Missed,
    /// Nobody answered in time.
    Unanswered,
    /// They are not online.
    Unreachable,
    /// The link could not be made, or was lost for too long.
    ConnectionLost,
    /// They know nothing of this call any more.
    PeerForgot,
    /// Both called each other at once: the other call goes on, answered.
    Merged(CallId),
    /// Their key is not the pinned one, or they are no friend any more.
    NotTrusted,
    /// The account was left while the call was on.
    SignedOut,
}

impl EndReason {
    /// A number that never changes.
    pub fn number(self) -> u8 {
        match self {
            Self::HungUp => 1,
            Self::PeerHungUp => 2,
            Self::Declined => 3,
            Self::PeerDeclined => 4,
            Self::PeerBusy => 5,
            Self::Cancelled => 6,
            Self::Missed => 7,
            Self::Unanswered => 8,
            Self::Unreachable => 9,
            Self::ConnectionLost => 10,
            Self::PeerForgot => 11,
            Self::Merged(_) => 12,
            Self::NotTrusted => 13,
            Self::SignedOut => 14,
        }
    }

    /// The reason with this number, if there is one that says as much without more.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::HungUp,
            2 => Self::PeerHungUp,
            3 => Self::Declined,
            4 => Self::PeerDeclined,
            5 => Self::PeerBusy,
            6 => Self::Cancelled,
            7 => Self::Missed,
            8 => Self::Unanswered,
            9 => Self::Unreachable,
            10 => Self::ConnectionLost,
            11 => Self::PeerForgot,
            13 => Self::NotTrusted,
            14 => Self::SignedOut,
            _ => return None,
        })
    }
}
