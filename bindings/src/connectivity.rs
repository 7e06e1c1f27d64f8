//! Why the way to a friend is as it is.

use sidetone::PeerId;
use sidetone::connectivity as told;

use crate::calls::Route;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::UserId;

/// Why the way to a friend is as it is. The codes of causes and actions never change their meaning: word them as the app likes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConnectivityReport {
    /// How it stands.
    pub verdict: Verdict,
    /// How it travels, if it does.
    pub route: Option<Route>,
    /// Why.
    pub cause: Cause,
    /// The number of the cause.
    pub cause_code: u8,
    /// The one thing that helps.
    pub action: Action,
    /// The number of the action.
    pub action_code: u8,
    /// What that rests on.
    pub evidence: Vec<Evidence>,
}

/// How a way stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Verdict {
    /// There is nothing to tell yet.
    Unknown,
    /// From phone to phone.
    Direct,
    /// Through a relay.
    Relayed,
    /// Up, and so slow that a talk suffers.
    Slow,
    /// There is no way.
    Failed,
}

/// Why a way is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Cause {
    /// Nothing is wrong, or nothing is known.
    None,
    /// We show this friend no address.
    WeHide,
    /// They show us none.
    TheyHide,
    /// Routers between the phones let neither in.
    Routers,
    /// Our network lets no UDP through.
    UdpBlockedHere,
    /// Theirs seems to let none through.
    UdpBlockedThere,
    /// One has IPv6 only and the other IPv4 only.
    NoCommonFamily,
    /// There is no direct way, and a relay may not be used.
    RelayForbidden,
    /// There is no direct way, and the server lends no relay.
    NoRelay,
    /// The relay lends us nothing.
    RelayRefused,
    /// The relay does not answer.
    RelaySilent,
    /// The phone has no network.
    NoNetwork,
    /// The server cannot be reached.
    ServerUnreachable,
    /// Somebody answers in the server's place: a network that wants a visitor to sign in, most likely.
    Captive,
    /// They are not there.
    PeerAway,
    /// It is far, or something on the way is full.
    LongWay,
}

/// The one thing that helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Action {
    /// Nothing, or nothing need be done.
    None,
    /// Let this friend learn our address.
    ShowAddress,
    /// Ask them to let us learn theirs.
    AskThemToShow,
    /// Allow relays.
    AllowRelay,
    /// Go into another network.
    ChangeNetwork,
    /// Ask them to go into another network.
    AskThemToChange,
    /// Open the network's page and sign in.
    SignIn,
    /// Switch the network on.
    SwitchOn,
    /// Try again later.
    Wait,
    /// Tell whoever runs the server.
    TellOperator,
}

/// Which kinds of addresses one end named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct NamedAddresses {
    /// IPv4 addresses of its own that routers do not hide.
    pub v4: bool,
    /// IPv6 addresses of its own.
    pub v6: bool,
    /// Addresses that only its local network knows.
    pub local: bool,
    /// As a server outside saw it.
    pub reflexive: bool,
    /// Lent by a relay.
    pub relayed: bool,
}

/// What became of a question to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ServerAnswer {
    /// There was nobody to ask.
    Nobody,
    /// It did not answer.
    Silent,
    /// It refused.
    Refused {
        /// With this number (RFC 8656 section 19).
        code: u16,
    },
    /// It answered.
    Answered,
}

/// What a conclusion rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Evidence {
    /// What we named.
    Ours {
        /// Which kinds.
        named: NamedAddresses,
    },
    /// What they named.
    Theirs {
        /// Which kinds.
        named: NamedAddresses,
    },
    /// What became of asking how we are seen, over UDP.
    Stun {
        /// The answer.
        answer: ServerAnswer,
    },
    /// What became of asking for a relay, over UDP.
    Relay {
        /// The answer.
        answer: ServerAnswer,
    },
    /// Only some ways were allowed.
    Allowed {
        /// From phone to phone.
        direct: bool,
        /// Through a relay.
        relay: bool,
    },
    /// The server cannot be reached; or somebody answers in its place.
    Server {
        /// Whether somebody does.
        impostor: bool,
    },
    /// A round trip.
    RoundTrip {
        /// In milliseconds.
        ms: u32,
    },
}

impl From<told::ConnectivityReport> for ConnectivityReport {
    fn from(report: told::ConnectivityReport) -> Self {
        let verdict = match report.verdict {
            told::Verdict::Unknown => Verdict::Unknown,
            told::Verdict::Direct => Verdict::Direct,
            told::Verdict::Relayed => Verdict::Relayed,
            told::Verdict::Slow => Verdict::Slow,
            told::Verdict::Failed => Verdict::Failed,
        };
        Self {
            verdict,
            route: report.route.map(Route::from),
            cause: report.cause.into(),
            cause_code: report.cause.number(),
            action: report.action.into(),
            action_code: report.action.number(),
            evidence: report.evidence.into_iter().map(Evidence::from).collect(),
        }
    }
}

impl From<told::Cause> for Cause {
    fn from(cause: told::Cause) -> Self {
        match cause {
            told::Cause::None => Self::None,
            told::Cause::WeHide => Self::WeHide,
            told::Cause::TheyHide => Self::TheyHide,
            told::Cause::Routers => Self::Routers,
            told::Cause::UdpBlockedHere => Self::UdpBlockedHere,
            told::Cause::UdpBlockedThere => Self::UdpBlockedThere,
            told::Cause::NoCommonFamily => Self::NoCommonFamily,
            told::Cause::RelayForbidden => Self::RelayForbidden,
            told::Cause::NoRelay => Self::NoRelay,
            told::Cause::RelayRefused => Self::RelayRefused,
            told::Cause::RelaySilent => Self::RelaySilent,
            told::Cause::NoNetwork => Self::NoNetwork,
            told::Cause::ServerUnreachable => Self::ServerUnreachable,
            told::Cause::Captive => Self::Captive,
            told::Cause::PeerAway => Self::PeerAway,
            told::Cause::LongWay => Self::LongWay,
        }
    }
}

impl From<told::Action> for Action {
    fn from(action: told::Action) -> Self {
        match action {
            told::Action::None => Self::None,
            told::Action::ShowAddress => Self::ShowAddress,
            told::Action::AskThemToShow => Self::AskThemToShow,
            told::Action::AllowRelay => Self::AllowRelay,
            told::Action::ChangeNetwork => Self::ChangeNetwork,
            told::Action::AskThemToChange => Self::AskThemToChange,
            told::Action::SignIn => Self::SignIn,
            told::Action::SwitchOn => Self::SwitchOn,
            told::Action::Wait => Self::Wait,
            told::Action::TellOperator => Self::TellOperator,
        }
    }
}

impl From<told::Named> for NamedAddresses {
    fn from(named: told::Named) -> Self {
        let told::Named { v4, v6, local, reflexive, relayed } = named;
        Self { v4, v6, local, reflexive, relayed }
    }
}

impl From<told::Asked> for ServerAnswer {
    fn from(asked: told::Asked) -> Self {
        match asked {
            told::Asked::Nobody => Self::Nobody,
            told::Asked::Silent => Self::Silent,
            told::Asked::Refused(code) => Self::Refused { code },
            told::Asked::Answered => Self::Answered,
        }
    }
}

impl From<told::Evidence> for Evidence {
    fn from(evidence: told::Evidence) -> Self {
        match evidence {
            told::Evidence::Ours(named) => Self::Ours { named: named.into() },
            told::Evidence::Theirs(named) => Self::Theirs { named: named.into() },
            told::Evidence::Stun(asked) => Self::Stun { answer: asked.into() },
            told::Evidence::Relay(asked) => Self::Relay { answer: asked.into() },
            told::Evidence::Ways(ways) => Self::Allowed { direct: ways.direct(), relay: ways.relay() },
            told::Evidence::Server(reach) => Self::Server { impostor: reach == told::ServerReach::Impostor },
            told::Evidence::RoundTrip(ms) => Self::RoundTrip { ms },
        }
    }
}

#[uniffi::export]
impl RawClient {
    /// How the way to a friend stands, why, and the one thing that helps. Of a way that could not be found it is known once it
    /// was looked for its whole time, half a minute.
    pub async fn connectivity(&self, user: UserId) -> Result<ConnectivityReport, SidetoneError> {
        Ok(self.inner().connectivity(PeerId::Friend(user.inner()?)).await?.into())
    }
}
