//! Why the way to a peer is as it is: what the links said, handed to the engine's judgement.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sidetone_engine::connectivity::{Asked, ConnectivityReport, Facts, Named, ServerReach, explain};
use sidetone_engine::{LinkId, Network, NetworkKind, PeerId, Ways};

use crate::client::Client;
use crate::convert;
use crate::driver::Inside;
use crate::error::Error;
use crate::link::description::{Candidate, Kind};
use crate::link::{IceServer, Lending, Meter, Route, RoutePolicy};
use crate::socket::reach;

/// Peers whose last failure is remembered.
const FAILURES: usize = 64;
/// A link that is given up before this was not wanted any more; after it there was no way.
const TRIED_FOR: Duration = Duration::from_secs(15);

/// What was seen of one link.
#[derive(Debug, Clone)]
struct Seen {
    opened_us: u64,
    ways: Ways,
    ours: Named,
    theirs: Named,
    stun: bool,
    turn: bool,
    meter: Option<Meter>,
    route: Option<Route>,
}

impl Seen {
    fn facts(&self) -> Facts {
        let passed = self.meter.as_ref().map(Meter::read).unwrap_or_default();
        let answered = |asked: bool, answered: bool| match (asked, answered) {
            (false, _) => Asked::Nobody,
            (true, false) => Asked::Silent,
            (true, true) => Asked::Answered,
        };
        let relay = match self.meter.as_ref().and_then(Meter::lending) {
            Some(Lending::Lent) => Asked::Answered,
            Some(Lending::Refused(code)) => Asked::Refused(code),
            None => answered(self.turn, false),
        };
        let rtt = self.route.map_or(Duration::ZERO, |route| match route {
            Route::Direct { rtt, .. } | Route::Relayed { rtt, .. } => rtt,
        });
        Facts {
            ways: self.ways,
            ours: self.ours,
            theirs: self.theirs,
            stun: answered(self.stun, passed.stun.received > 0),
            relay,
            route: self.route.as_ref().map(convert::route),
            rtt_ms: u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX),
            ..Facts::default()
        }
    }
}

/// What was seen of the links there are, and of the last that failed for each peer.
#[derive(Debug, Default)]
pub struct Witness {
    links: BTreeMap<LinkId, Seen>,
    failures: BTreeMap<PeerId, Facts>,
}

impl Witness {
    /// A link is about to be made.
    pub fn opened(&mut self, now_us: u64, link: LinkId, policy: RoutePolicy, servers: &[IceServer]) {
        let ways = match policy {
            RoutePolicy::Any => Ways::Preferred,
            RoutePolicy::DirectOnly => Ways::DirectOnly,
            RoutePolicy::RelayOnly => Ways::RelayOnly,
        };
        let turn = ways != Ways::DirectOnly && servers.iter().any(|server| matches!(server, IceServer::Turn { .. }));
        let stun = ways != Ways::RelayOnly && servers.iter().any(|server| matches!(server, IceServer::Stun { .. }));
        let (ours, theirs) = (Named::default(), Named::default());
        self.links.insert(link, Seen { opened_us: now_us, ways, ours, theirs, stun, turn, meter: None, route: None });
    }

    /// It was made, and is metered.
    pub fn made(&mut self, link: LinkId, meter: Meter) {
        if let Some(seen) = self.links.get_mut(&link) {
            seen.meter = Some(meter);
        }
    }

    /// We named an address.
    pub fn named(&mut self, link: LinkId, candidate: &Candidate) {
        if let Some(seen) = self.links.get_mut(&link) {
            add(&mut seen.ours, candidate.kind(), candidate.address().ip());
        }
    }

    /// They named one.
    pub fn heard(&mut self, link: LinkId, candidate: &Candidate) {
        if let Some(seen) = self.links.get_mut(&link) {
            add(&mut seen.theirs, candidate.kind(), candidate.address().ip());
        }
    }

    /// It travels so.
    pub fn routed(&mut self, link: LinkId, route: Route) {
        if let Some(seen) = self.links.get_mut(&link) {
            seen.route = Some(route);
            self.failures.remove(&link.peer);
        }
    }

    /// It is gone.
    pub fn gone(&mut self, now_us: u64, link: LinkId) {
        let Some(seen) = self.links.remove(&link) else { return };
        let tried = Duration::from_micros(now_us.saturating_sub(seen.opened_us)) >= TRIED_FOR;
        let in_use = self.links.iter().any(|(other, seen)| other.peer == link.peer && seen.route.is_some());
        if seen.route.is_none() && tried && !in_use {
            if self.failures.len() >= FAILURES {
                self.failures.pop_first();
            }
            self.failures.insert(link.peer, Facts { failed: true, ..seen.facts() });
        }
    }

    fn facts(&self, peer: PeerId) -> Facts {
        let links = || self.links.iter().filter(|(link, _)| link.peer == peer).map(|(_, seen)| seen);
        let up = links().rfind(|seen| seen.route.is_some()).map(Seen::facts);
        let failed = || self.failures.get(&peer).copied();
        up.or_else(failed).or_else(|| links().next_back().map(Seen::facts)).unwrap_or_default()
    }
}

fn add(named: &mut Named, kind: Kind, ip: IpAddr) {
    match (kind, ip.to_canonical()) {
        (Kind::Relay, _) => named.relayed = true,
        (Kind::Srflx | Kind::Prflx, _) => named.reflexive = true,
        (Kind::Host, IpAddr::V4(v4)) => {
            let [a, b, ..] = v4.octets();
            // Shared by a provider's customers (RFC 6598): nobody outside knows it.
            let shared = a == 100 && (64..128).contains(&b);
            let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared;
            if local { named.local = true } else { named.v4 = true }
        }
        (Kind::Host, IpAddr::V6(v6)) => {
            named.v6 |= !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local());
        }
    }
}

/// How the way to a peer stands and why.
pub(crate) fn report(inside: &Inside, peer: PeerId) -> ConnectivityReport {
    let mut facts = inside.witness.facts(peer);
    facts.offline = inside.engine.network().is_some_and(|network| network.kind == NetworkKind::None);
    let reach = inside.socket.reach.load(Relaxed);
    facts.server = match reach {
        reach::UNREACHABLE => ServerReach::Unreachable,
        reach::IMPOSTOR => ServerReach::Impostor,
        _ => ServerReach::Open,
    };
    let friend = peer.friend().and_then(|user| inside.engine.friend(user));
    // Who is there is known only while the server is reached.
    facts.away = reach == reach::OPEN && friend.is_some_and(|friend| !friend.online) && facts.route.is_none();
    explain(&facts)
}

impl Client {
    /// Tells which network the phone is in: when the client was opened, and whenever the system's default network becomes
    /// another one, loses or gets an address, is lost or is back. The same again does no harm.
    ///
    /// Calls, records and files go on: links in a network that still works move to the new one before it goes, links whose
    /// address is gone look for a new path, and without a network a call is [`crate::CallState::Reconnecting`]
    /// until its deadline. An app that never tells is told so by [`crate::Event::NetworkUntold`], and its calls have gaps of seconds.
    pub fn network_changed(&self, network: Network) {
        self.moved.send_replace(Some(network));
    }

    /// How the way to a peer stands, why, and the one thing that helps: in stable codes, for an app to word. Of a link that
    /// could not be made it is known once it was tried for its whole time.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn connectivity(&self, peer: PeerId) -> Result<ConnectivityReport, Error> {
        self.look(move |inside| report(inside, peer)).await
    }
}
