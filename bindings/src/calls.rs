//! Calls.

use sidetone::{Direction, EndReason, Hearing, MicrophoneState as Microphone};

use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{CallId, UserId};
use crate::pictures::{Shows, Wants};
use crate::room::{Floor, RoomView};
use crate::stranger::StrangerCall;

/// A call at one moment.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CallView {
    /// Which.
    pub call: CallId,
    /// With whom.
    pub peer: UserId,
    /// Who called.
    pub direction: CallDirection,
    /// How it stands.
    pub state: CallState,
    /// How it travels, while there is a link.
    pub route: Option<Route>,
    /// Our microphone.
    pub microphone: MicrophoneState,
    /// Theirs.
    pub their_microphone: MicrophoneState,
    /// Which pictures we show.
    pub shows: Shows,
    /// Which they show.
    pub their_shows: Shows,
    /// How large they want to see ours: an encoder should make no more.
    pub their_wants: Wants,
    /// When both could first speak, in milliseconds since 1970 by this phone's clock; none before.
    #[uniffi(default = None)]
    pub connected_ms: Option<u64>,
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CallDirection {
    /// We did.
    Outgoing,
    /// They did.
    Incoming,
}

/// Whether what the other side says is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum HearingState {
    /// It is.
    On,
    /// It is not, and nobody is told.
    Off,
}

/// How a call stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum CallState {
    /// It rings, or the peer is being looked for.
    Ringing,
    /// It was answered; the link is being made.
    Connecting,
    /// Both can speak.
    Connected,
    /// The link was lost and is being made again.
    Reconnecting {
        /// For so many milliseconds more; then the call ends.
        remaining_ms: u64,
    },
    /// It is over.
    Ended {
        /// Why.
        reason: CallEnd,
    },
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum CallEnd {
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
    Merged {
        /// The call that goes on.
        call: CallId,
    },
    /// Their key is not the known one, or they are no friend any more.
    NotTrusted,
    /// The account was left while the call was on.
    SignedOut,
}

/// Whether a microphone is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MicrophoneState {
    /// It is heard.
    On,
    /// It is muted.
    Off,
}

/// How a call travels.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Route {
    /// From phone to phone.
    Direct {
        /// How far.
        reach: RouteReach,
    },
    /// Through a relay, which sees sealed bytes only.
    Relayed {
        /// Whose.
        owner: RelayOwner,
        /// What carries packets between this phone and a relay of ours.
        protocol: RelayProtocol,
    },
}

/// What carries packets between this phone and a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RelayProtocol {
    /// UDP, as wherever there is no relay of ours.
    Udp,
    /// TCP, for UDP does not pass here.
    Tcp,
    /// TLS over TCP, for nothing else passes here.
    Tls,
}

/// How far a direct route goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RouteReach {
    /// Within one network.
    Lan,
    /// Across networks.
    Internet,
}

/// Whose relay a route uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RelayOwner {
    /// Ours.
    Us,
    /// The peer's.
    Them,
    /// Both.
    Both,
}

/// What the phone's sound should be set to; the library itself never touches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AudioIntent {
    /// Nothing: give the audio session back.
    Idle,
    /// Others are heard, the microphone is not used.
    Listen,
    /// The user speaks into a room.
    Talk,
    /// A call: both ways, echo cancelled.
    Call,
}

impl From<sidetone::CallView> for CallView {
    fn from(view: sidetone::CallView) -> Self {
        Self {
            call: view.call.into(),
            peer: view.peer.into(),
            direction: view.direction.into(),
            state: view.state.into(),
            route: view.route.map(Route::from),
            microphone: view.microphone.into(),
            their_microphone: view.their_microphone.into(),
            shows: view.shows.into(),
            their_shows: view.their_shows.into(),
            their_wants: view.their_wants.into(),
            connected_ms: view.connected.map(|at| at.0),
        }
    }
}

impl From<Direction> for CallDirection {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Outgoing => Self::Outgoing,
            Direction::Incoming => Self::Incoming,
        }
    }
}

impl From<sidetone::CallState> for CallState {
    fn from(state: sidetone::CallState) -> Self {
        match state {
            sidetone::CallState::Ringing => Self::Ringing,
            sidetone::CallState::Connecting => Self::Connecting,
            sidetone::CallState::Connected => Self::Connected,
            sidetone::CallState::Reconnecting(until) => {
                Self::Reconnecting { remaining_ms: until.since(sidetone::clock::now().time) }
            }
            sidetone::CallState::Ended(reason) => Self::Ended { reason: reason.into() },
        }
    }
}

impl From<EndReason> for CallEnd {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::HungUp => Self::HungUp,
            EndReason::PeerHungUp => Self::PeerHungUp,
            EndReason::Declined => Self::Declined,
            EndReason::PeerDeclined => Self::PeerDeclined,
            EndReason::PeerBusy => Self::PeerBusy,
            EndReason::Cancelled => Self::Cancelled,
            EndReason::Missed => Self::Missed,
            EndReason::Unanswered => Self::Unanswered,
            EndReason::Unreachable => Self::Unreachable,
            EndReason::ConnectionLost => Self::ConnectionLost,
            EndReason::PeerForgot => Self::PeerForgot,
            EndReason::Merged(call) => Self::Merged { call: call.into() },
            EndReason::NotTrusted => Self::NotTrusted,
            EndReason::SignedOut => Self::SignedOut,
        }
    }
}

impl From<Hearing> for HearingState {
    fn from(hearing: Hearing) -> Self {
        match hearing {
            Hearing::On => Self::On,
            Hearing::Off => Self::Off,
        }
    }
}

impl From<Microphone> for MicrophoneState {
    fn from(microphone: Microphone) -> Self {
        match microphone {
            Microphone::On => Self::On,
            Microphone::Off => Self::Off,
        }
    }
}

impl From<sidetone::Route> for Route {
    fn from(route: sidetone::Route) -> Self {
        use sidetone::{Protocol, Reach, Relay, Route as Told};
        match route {
            Told::Direct(Reach::Lan) => Self::Direct { reach: RouteReach::Lan },
            Told::Direct(Reach::Internet) => Self::Direct { reach: RouteReach::Internet },
            Told::Relayed(by, protocol) => {
                let owner = match by {
                    Relay::Us => RelayOwner::Us,
                    Relay::Them => RelayOwner::Them,
                    Relay::Both => RelayOwner::Both,
                };
                let protocol = match protocol {
                    Protocol::Udp => RelayProtocol::Udp,
                    Protocol::Tcp => RelayProtocol::Tcp,
                    Protocol::Tls => RelayProtocol::Tls,
                };
                Self::Relayed { owner, protocol }
            }
        }
    }
}

/// What the phone's sound should be set to for these calls, rooms and this call with a stranger. A call comes first.
#[uniffi::export]
pub fn audio_intent(calls: &[CallView], rooms: &[RoomView], stranger: Option<StrangerCall>) -> AudioIntent {
    let calls = calls.iter().map(|view| (&view.state, view.direction));
    let mut calls = calls.chain(stranger.iter().map(|view| (&view.state, view.direction)));
    let wants = |(state, direction): (&CallState, CallDirection)| match state {
        CallState::Ringing => direction == CallDirection::Outgoing,
        CallState::Ended { .. } => false,
        CallState::Connecting | CallState::Connected | CallState::Reconnecting { .. } => true,
    };
    let speaks = |view: &RoomView| match view.floor {
        None => view.microphone == MicrophoneState::On,
        Some(Floor::Requesting | Floor::Queued { .. } | Floor::Speaking) => true,
        Some(Floor::Idle | Floor::Taken { .. } | Floor::Reserved { .. }) => false,
    };
    if calls.any(wants) {
        AudioIntent::Call
    } else if rooms.iter().any(speaks) {
        AudioIntent::Talk
    } else if rooms.is_empty() {
        AudioIntent::Idle
    } else {
        AudioIntent::Listen
    }
}

#[uniffi::export]
impl RawClient {
    /// Calls a friend; how it goes is told by events.
    pub async fn call(&self, peer: UserId) -> Result<CallId, SidetoneError> {
        Ok(self.inner().call(peer.inner()?).await?.into())
    }

    /// Takes an incoming call.
    pub async fn answer(&self, call: CallId) -> Result<(), SidetoneError> {
        Ok(self.inner().answer(call.inner()?).await?)
    }

    /// Declines an incoming call.
    pub async fn decline_call(&self, call: CallId) -> Result<(), SidetoneError> {
        Ok(self.inner().decline_call(call.inner()?).await?)
    }

    /// Ends a call, or gives up calling.
    pub async fn hang_up(&self, call: CallId) -> Result<(), SidetoneError> {
        Ok(self.inner().hang_up(call.inner()?).await?)
    }

    /// Lets the other side hear us, or not.
    pub async fn set_microphone(&self, call: CallId, state: MicrophoneState) -> Result<(), SidetoneError> {
        let state = match state {
            MicrophoneState::On => Microphone::On,
            MicrophoneState::Off => Microphone::Off,
        };
        Ok(self.inner().set_microphone(call.inner()?, state).await?)
    }

    /// The calls that are on: at most one for now.
    pub async fn calls(&self) -> Result<Vec<CallView>, SidetoneError> {
        Ok(self.inner().calls().await?.into_iter().map(CallView::from).collect())
    }
}
