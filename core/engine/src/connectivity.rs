//! Why a link goes the way it goes: from facts that the driver saw to one cause, its evidence and the one thing that helps.
//!
//! The numbers of causes and actions never change their meaning: an app may count them, and word them in its own languages.

use crate::effect::Ways;
use crate::input::{Relay, Route};

/// A round trip that a talk suffers from (ITU-T G.114 calls 400 ms one way unacceptable for most).
const SLOW_MS: u32 = 400;

/// Which kinds of addresses one end of a link named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named {
    /// IPv4 addresses of its own that routers do not hide.
    pub v4: bool,
    /// IPv6 addresses of its own.
    pub v6: bool,
    /// Addresses of its own that only its local network knows.
    pub local: bool,
    /// As a server outside saw it.
    pub reflexive: bool,
    /// Lent by a relay.
    pub relayed: bool,
}

impl Named {
    /// Whether it named anything that is not a relay's.
    fn shows_itself(self) -> bool {
        self.v4 || self.v6 || self.local || self.reflexive
    }

    fn is_anything(self) -> bool {
        self.shows_itself() || self.relayed
    }

    /// Whether anybody outside its local network could reach it without a relay.
    fn is_outside(self) -> bool {
        self.v4 || self.v6 || self.reflexive
    }

    fn speaks_v4(self) -> bool {
        self.v4 || self.local || self.reflexive
    }
}

/// What became of a question to a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asked {
    /// There was nobody to ask.
    #[default]
    Nobody,
    /// It did not answer.
    Silent,
    /// It refused, with this number (RFC 8656 section 19).
    Refused(u16),
    /// It answered.
    Answered,
}

/// How the meeting server is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerReach {
    /// It is.
    #[default]
    Open,
    /// No connection to it can be made.
    Unreachable,
    /// Somebody else answers in its place: a network that wants a visitor to sign in, or one that opens TLS.
    Impostor,
}

/// What was seen of the way to one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the phone has no network, as far as the app said.
    pub offline: bool,
    /// The meeting server.
    pub server: ServerReach,
    /// Whether the peer is known not to be there.
    pub away: bool,
    /// Which ways the link might take.
    pub ways: Ways,
    /// What we named.
    pub ours: Named,
    /// What they named.
    pub theirs: Named,
    /// Whether servers outside said how they see us, over UDP.
    pub stun: Asked,
    /// Whether a relay lent us an address, over UDP.
    pub relay: Asked,
    /// How the link goes, if it is up.
    pub route: Option<Route>,
    /// Its round trip, in milliseconds.
    pub rtt_ms: u32,
    /// Whether it was given up.
    pub failed: bool,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Nothing is wrong, or nothing is known.
    None = 0,
    /// We show this peer no address.
    WeHide = 1,
    /// They show us none.
    TheyHide = 2,
    /// Routers between the phones let neither in.
    Routers = 3,
    /// Our network lets no UDP through.
    UdpBlockedHere = 4,
    /// Theirs seems to let none through.
    UdpBlockedThere = 5,
    /// One has IPv6 only and the other IPv4 only.
    NoCommonFamily = 6,
    /// There is no direct way, and a relay may not be used.
    RelayForbidden = 7,
    /// There is no direct way, and the server lends no relay.
    NoRelay = 8,
    /// The relay lends us nothing.
    RelayRefused = 9,
    /// The relay does not answer.
    RelaySilent = 10,
    /// The phone has no network.
    NoNetwork = 11,
    /// The server cannot be reached.
    ServerUnreachable = 12,
    /// Somebody answers in the server's place: a network that wants a visitor to sign in, most likely.
    Captive = 13,
    /// They are not there.
    PeerAway = 14,
    /// It is far, or something on the way is full.
    LongWay = 15,
}

impl Cause {
    /// A number that never changes.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// The one thing that helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Nothing, or nothing need be done.
    None = 0,
    /// Let this friend learn our address, in the rule for them.
    ShowAddress = 1,
    /// Ask them to let us learn theirs.
    AskThemToShow = 2,
    /// Allow relays, in the preferences or the room.
    AllowRelay = 3,
    /// Go into another network.
    ChangeNetwork = 4,
    /// Ask them to go into another network.
    AskThemToChange = 5,
    /// Open the network's page and sign in.
    SignIn = 6,
    /// Switch the network on.
    SwitchOn = 7,
    /// Try again later.
    Wait = 8,
    /// Tell whoever runs the server.
    TellOperator = 9,
}

impl Action {
    /// A number that never changes.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// What a conclusion rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// What we named.
    Ours(Named),
    /// What they named.
    Theirs(Named),
    /// What became of asking how we are seen, over UDP.
    Stun(Asked),
    /// What became of asking for a relay, over UDP.
    Relay(Asked),
    /// Which ways were allowed.
    Ways(Ways),
    /// How the server is reached.
    Server(ServerReach),
    /// Milliseconds of a round trip.
    RoundTrip(u32),
}

/// Why the way to a peer is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectivityReport {
    /// How it stands.
    pub verdict: Verdict,
    /// How it travels, if it does.
    pub route: Option<Route>,
    /// Why.
    pub cause: Cause,
    /// What helps.
    pub action: Action,
    /// What that rests on.
    pub evidence: Vec<Evidence>,
}

/// Draws the conclusion.
pub fn explain(facts: &Facts) -> ConnectivityReport {
    let (verdict, cause) = match facts.route {
        Some(Route::Direct(_)) if facts.rtt_ms >= SLOW_MS => (Verdict::Slow, Cause::LongWay),
        Some(Route::Direct(_)) => (Verdict::Direct, Cause::None),
        Some(Route::Relayed(by, _)) => {
            let slow = facts.rtt_ms >= SLOW_MS;
            (if slow { Verdict::Slow } else { Verdict::Relayed }, why_relayed(facts, by))
        }
        None => why_down(facts),
    };
    let (action, evidence) = (help(cause, facts), evidence(verdict, facts));
    ConnectivityReport { verdict, route: facts.route, cause, action, evidence }
}

fn why_relayed(facts: &Facts, by: Relay) -> Cause {
    let Facts { ours, theirs, .. } = facts;
    if facts.ways == Ways::RelayOnly {
        Cause::WeHide
    } else if theirs.relayed && !theirs.shows_itself() {
        Cause::TheyHide
    } else {
        why_not_direct(facts, by == Relay::Us && !ours.is_outside())
    }
}

/// Why two ends that both show themselves do not meet.
fn why_not_direct(facts: &Facts, alone: bool) -> Cause {
    let Facts { ours, theirs, .. } = facts;
    if are_apart(*ours, *theirs) {
        Cause::NoCommonFamily
    } else if facts.stun == Asked::Silent && (alone || !ours.v4 && !ours.v6) {
        Cause::UdpBlockedHere
    } else if facts.stun != Asked::Nobody && !theirs.is_outside() {
        Cause::UdpBlockedThere
    } else {
        Cause::Routers
    }
}

/// Whether one end speaks IPv6 only and the other IPv4 only.
fn are_apart(one: Named, other: Named) -> bool {
    let six = |one: Named, other: Named| one.v6 && !one.speaks_v4() && other.speaks_v4() && !other.v6;
    six(one, other) || six(other, one)
}

fn why_down(facts: &Facts) -> (Verdict, Cause) {
    let cause = if facts.offline {
        Cause::NoNetwork
    } else if facts.server == ServerReach::Impostor {
        Cause::Captive
    } else if facts.server == ServerReach::Unreachable {
        Cause::ServerUnreachable
    } else if !facts.failed {
        let cause = if facts.away { Cause::PeerAway } else { Cause::None };
        return (if facts.away { Verdict::Failed } else { Verdict::Unknown }, cause);
    } else {
        why_failed(facts)
    };
    (Verdict::Failed, cause)
}

fn why_failed(facts: &Facts) -> Cause {
    let blocked = facts.stun == Asked::Silent && !matches!(facts.relay, Asked::Answered | Asked::Refused(_));
    match (facts.ways, facts.relay) {
        _ if !facts.theirs.is_anything() && facts.away => Cause::PeerAway,
        (Ways::DirectOnly, _) => Cause::RelayForbidden,
        _ if are_apart(facts.ours, facts.theirs) => Cause::NoCommonFamily,
        _ if blocked => Cause::UdpBlockedHere,
        _ if facts.theirs.relayed => why_not_direct(facts, false),
        (_, Asked::Refused(_)) => Cause::RelayRefused,
        (_, Asked::Nobody) => Cause::NoRelay,
        (_, Asked::Silent) => Cause::RelaySilent,
        (_, Asked::Answered) => why_not_direct(facts, false),
    }
}

fn help(cause: Cause, facts: &Facts) -> Action {
    match cause {
        Cause::None | Cause::LongWay | Cause::NoCommonFamily if facts.route.is_some() => Action::None,
        Cause::None => Action::None,
        Cause::WeHide => Action::ShowAddress,
        Cause::TheyHide => Action::AskThemToShow,
        // A relay does; what routers do nobody here can change.
        Cause::Routers if facts.route.is_some() => Action::None,
        Cause::Routers | Cause::UdpBlockedHere | Cause::LongWay | Cause::NoCommonFamily => Action::ChangeNetwork,
        Cause::UdpBlockedThere => Action::AskThemToChange,
        Cause::RelayForbidden => Action::AllowRelay,
        Cause::NoRelay | Cause::RelaySilent => Action::TellOperator,
        Cause::RelayRefused | Cause::ServerUnreachable | Cause::PeerAway => Action::Wait,
        Cause::NoNetwork => Action::SwitchOn,
        Cause::Captive => Action::SignIn,
    }
}

fn evidence(verdict: Verdict, facts: &Facts) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if facts.server != ServerReach::Open {
        evidence.push(Evidence::Server(facts.server));
    }
    if facts.ours.is_anything() || facts.theirs.is_anything() {
        evidence.extend([Evidence::Ours(facts.ours), Evidence::Theirs(facts.theirs)]);
        evidence.extend([Evidence::Stun(facts.stun), Evidence::Relay(facts.relay), Evidence::Ways(facts.ways)]);
    }
    if verdict != Verdict::Failed && facts.route.is_some() {
        evidence.push(Evidence::RoundTrip(facts.rtt_ms));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Protocol, Reach};

    const HOME: Named = Named { v4: false, v6: false, local: true, reflexive: true, relayed: true };
    const BLOCKED: Named = Named { reflexive: false, relayed: false, ..HOME };

    fn facts() -> Facts {
        Facts { ours: HOME, theirs: HOME, stun: Asked::Answered, relay: Asked::Answered, ..Facts::default() }
    }

    fn said(facts: Facts) -> (Verdict, Cause, Action) {
        let report = explain(&facts);
        (report.verdict, report.cause, report.action)
    }

    #[test]
    fn each_way_is_explained_by_what_was_seen_of_it() {
        let (direct, relayed) = (Some(Route::Direct(Reach::Internet)), Some(Route::Relayed(Relay::Us, Protocol::Udp)));
        let six = Named { v6: true, ..Named::default() };
        let cases = [
            (Facts { route: direct, ..facts() }, Verdict::Direct, Cause::None, Action::None),
            (Facts { route: direct, rtt_ms: 900, ..facts() }, Verdict::Slow, Cause::LongWay, Action::None),
            (Facts { route: relayed, ..facts() }, Verdict::Relayed, Cause::Routers, Action::None),
            (
                Facts { route: relayed, ways: Ways::RelayOnly, ..facts() },
                Verdict::Relayed,
                Cause::WeHide,
                Action::ShowAddress,
            ),
            (
                Facts { route: relayed, theirs: Named { relayed: true, ..Named::default() }, ..facts() },
                Verdict::Relayed,
                Cause::TheyHide,
                Action::AskThemToShow,
            ),
            (
                Facts { route: relayed, ours: BLOCKED, stun: Asked::Silent, ..facts() },
                Verdict::Relayed,
                Cause::UdpBlockedHere,
                Action::ChangeNetwork,
            ),
            (
                Facts { route: relayed, theirs: BLOCKED, ..facts() },
                Verdict::Relayed,
                Cause::UdpBlockedThere,
                Action::AskThemToChange,
            ),
            (Facts { route: relayed, ours: six, ..facts() }, Verdict::Relayed, Cause::NoCommonFamily, Action::None),
            (
                Facts { failed: true, ways: Ways::DirectOnly, ..facts() },
                Verdict::Failed,
                Cause::RelayForbidden,
                Action::AllowRelay,
            ),
            (
                Facts { failed: true, stun: Asked::Silent, relay: Asked::Silent, ours: BLOCKED, ..facts() },
                Verdict::Failed,
                Cause::UdpBlockedHere,
                Action::ChangeNetwork,
            ),
            (
                Facts { failed: true, relay: Asked::Nobody, theirs: BLOCKED, ..facts() },
                Verdict::Failed,
                Cause::NoRelay,
                Action::TellOperator,
            ),
            (
                Facts { failed: true, relay: Asked::Refused(486), theirs: BLOCKED, ..facts() },
                Verdict::Failed,
                Cause::RelayRefused,
                Action::Wait,
            ),
            (
                Facts { failed: true, relay: Asked::Silent, theirs: BLOCKED, ..facts() },
                Verdict::Failed,
                Cause::RelaySilent,
                Action::TellOperator,
            ),
            (Facts { offline: true, ..Facts::default() }, Verdict::Failed, Cause::NoNetwork, Action::SwitchOn),
            (Facts { away: true, ..Facts::default() }, Verdict::Failed, Cause::PeerAway, Action::Wait),
            (Facts::default(), Verdict::Unknown, Cause::None, Action::None),
        ];
        for (facts, verdict, cause, action) in cases {
            assert_eq!(said(facts), (verdict, cause, action), "{facts:?}");
        }
        for (server, cause, action) in [
            (ServerReach::Impostor, Cause::Captive, Action::SignIn),
            (ServerReach::Unreachable, Cause::ServerUnreachable, Action::Wait),
        ] {
            assert_eq!(said(Facts { server, ..Facts::default() }), (Verdict::Failed, cause, action));
        }
    }
}
