//! One-to-one calls.

use sidetone_wire::id::{CallId, UserId};

use crate::input::{Microphone, Route};
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
