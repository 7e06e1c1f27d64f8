//! Between what the engine says of a link and what a link says of itself.

use sha2::{Digest, Sha256};
use sidetone_engine as engine;
use sidetone_wire::account::Relays;
use sidetone_wire::connect::{Address, Candidate, CandidateKind, Description, IceToken};
use sidetone_wire::id::Fingerprint;

use crate::link;

/// The peer's descriptions on one link. On the wire they carry no generation: they come in order and once each, so
/// counting them gives it.
#[derive(Debug, Default)]
pub struct Remote {
    next: u32,
}

impl Remote {
    /// The next description, for the link.
    pub fn description(&mut self, wire: &Description) -> Option<link::Description> {
        let (ufrag, pwd) = (wire.ufrag.as_str(), wire.pwd.as_str());
        let description = link::Description::new(ufrag, pwd, wire.fingerprint.0, self.next).ok()?;
        self.next = self.next.saturating_add(1);
        Some(description)
    }
}

/// A candidate of the peer, for the link; `None` for a kind this version does not know.
pub fn candidate(wire: &Candidate) -> Option<link::Candidate> {
    use link::description::{Kind, Protocol};
    let kind = match wire.kind {
        CandidateKind::Host => Kind::Host,
        CandidateKind::ServerReflexive => Kind::Srflx,
        CandidateKind::PeerReflexive => Kind::Prflx,
        CandidateKind::Relayed => Kind::Relay,
        CandidateKind::Unknown => return None,
    };
    let foundation = wire.foundation.to_string();
    link::Candidate::new(kind, Protocol::Udp, wire.address.get(), wire.priority, foundation).ok()
}

/// What a link says, for the engine; `None` for what it does not want to know.
pub fn news(news: link::News) -> Option<engine::News> {
    Some(match news {
        link::News::Local(description) => engine::News::Local(local(&description)?),
        link::News::Candidate(candidate) => engine::News::Candidate(found(&candidate)?),
        link::News::Gathered => return None,
        link::News::Ahead { fingerprint } => engine::News::Ahead { fingerprint: Fingerprint(fingerprint) },
        link::News::Up { route: way, fingerprint } => {
            engine::News::Up { route: route(&way), fingerprint: Fingerprint(fingerprint) }
        }
        link::News::Record(record) => engine::News::Record(record),
        link::News::Route(way) => engine::News::Route(route(&way)),
        link::News::Interrupted => engine::News::Interrupted,
        link::News::Restored => engine::News::Restored,
        link::News::Down(reason) => engine::News::Down(down(reason)),
    })
}

fn local(description: &link::Description) -> Option<Description> {
    Some(Description {
        ufrag: IceToken::parse(description.ufrag())?,
        pwd: IceToken::parse(description.pwd())?,
        fingerprint: Fingerprint(*description.fingerprint()),
    })
}

fn found(candidate: &link::Candidate) -> Option<Candidate> {
    use link::description::{Kind, Protocol};
    if candidate.protocol() != Protocol::Udp {
        return None;
    }
    let kind = match candidate.kind() {
        Kind::Host => CandidateKind::Host,
        Kind::Srflx => CandidateKind::ServerReflexive,
        Kind::Prflx => CandidateKind::PeerReflexive,
        Kind::Relay => CandidateKind::Relayed,
    };
    let address = Address::parse(candidate.address())?;
    let foundation = foundation(candidate.foundation());
    Some(Candidate { kind, address, priority: candidate.priority(), foundation })
}

/// A foundation only says which candidates belong together: any number does that is equal for equal ones.
fn foundation(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(text).into();
        u32::from_be_bytes([a, b, c, d])
    })
}

/// How a link travels, without its round-trip time.
pub fn route(route: &link::Route) -> engine::Route {
    use link::{Reach, RelayedBy, Transport};
    match route {
        link::Route::Direct { kind: Reach::Lan, .. } => engine::Route::Direct(engine::Reach::Lan),
        link::Route::Direct { kind: Reach::Internet, .. } => engine::Route::Direct(engine::Reach::Internet),
        link::Route::Relayed { by, protocol, .. } => {
            let by = match by {
                RelayedBy::Us => engine::Relay::Us,
                RelayedBy::Them => engine::Relay::Them,
                RelayedBy::Both => engine::Relay::Both,
            };
            let protocol = match protocol {
                Transport::Udp => engine::Protocol::Udp,
                Transport::Tcp => engine::Protocol::Tcp,
                Transport::Tls => engine::Protocol::Tls,
            };
            engine::Route::Relayed(by, protocol)
        }
    }
}

fn down(reason: link::DownReason) -> engine::Down {
    use link::DownReason;
    match reason {
        DownReason::PeerClosed => engine::Down::Closed,
        DownReason::Unreachable => engine::Down::Unreachable,
        DownReason::Unauthenticated => engine::Down::WrongCertificate,
        DownReason::Lost => engine::Down::Lost,
        DownReason::Breach | DownReason::Broken => engine::Down::Failed,
    }
}

/// Which ways a link may take: what a room demands and this device allows; `None` if they contradict each other.
pub fn policy(ways: engine::Ways, preferred: link::RoutePolicy) -> Option<link::RoutePolicy> {
    use engine::Ways;
    use link::RoutePolicy;
    match (ways, preferred) {
        (Ways::Preferred, preferred) => Some(preferred),
        (Ways::DirectOnly, RoutePolicy::Any | RoutePolicy::DirectOnly) => Some(RoutePolicy::DirectOnly),
        (Ways::RelayOnly, RoutePolicy::Any | RoutePolicy::RelayOnly) => Some(RoutePolicy::RelayOnly),
        (Ways::DirectOnly, RoutePolicy::RelayOnly) | (Ways::RelayOnly, RoutePolicy::DirectOnly) => None,
    }
}

/// Our part in making a link.
pub fn role(role: engine::Role) -> link::Role {
    match role {
        engine::Role::Offer => link::Role::Offer,
        engine::Role::Answer => link::Role::Answer,
    }
}

/// Most servers of which a link makes use.
const SERVERS: usize = 8;

/// The servers of which a link can make use: STUN over UDP, and TURN. Others are skipped, and so are more than eight.
pub fn servers(relays: &Relays) -> Vec<link::IceServer> {
    relays.urls.iter().filter_map(|url| server(url, relays)).take(SERVERS).collect()
}

/// Reads `stun:host[:port]` (RFC 7064), `turn:host[:port][?transport=udp|tcp]` or `turns:host[:port][?transport=tcp]`
/// (RFC 7065).
fn server(url: &str, relays: &Relays) -> Option<link::IceServer> {
    use link::Transport;
    let (scheme, rest) = url.split_once(':')?;
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let transport = match (scheme, query) {
        ("stun", None) | ("turn", None | Some("transport=udp")) => Transport::Udp,
        ("turn", Some("transport=tcp")) => Transport::Tcp,
        ("turns", None | Some("transport=tcp")) => Transport::Tls,
        _ => return None,
    };
    let (host, port) = host_and_port(place)?;
    // RFC 7065 section 3.2.
    let port = port.unwrap_or(if transport == Transport::Tls { 5349 } else { 3478 });
    if scheme == "stun" {
        return Some(link::IceServer::Stun { host, port });
    }
    let (username, password) = (relays.username.clone(), relays.password.clone());
    Some(link::IceServer::Turn { host, port, transport, username, password })
}

fn host_and_port(place: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_servers_a_link_can_use_are_taken() {
        let relays =
            |url: &str| Relays { urls: vec![url.to_owned()], username: "u".into(), password: "p".into(), valid_ms: 1 };
        let read = |url: &str| match servers(&relays(url)).pop() {
            Some(link::IceServer::Stun { host, port }) => format!("stun {host} {port}"),
            Some(link::IceServer::Turn { host, port, transport, username, password }) => {
                format!("turn {host} {port} {transport:?} {username} {password}")
            }
            None => "none".to_owned(),
        };
        assert_eq!(read("stun:meet.example"), "stun meet.example 3478");
        assert_eq!(read("stun:[::1]:9"), "stun ::1 9");
        assert_eq!(read("turn:10.0.0.1:9?transport=udp"), "turn 10.0.0.1 9 Udp u p");
        assert_eq!(read("turn:[::1]"), "turn ::1 3478 Udp u p");
        assert_eq!(read("turn:h:80?transport=tcp"), "turn h 80 Tcp u p");
        assert_eq!(read("turns:h"), "turn h 5349 Tls u p");
        assert_eq!(read("turns:h:443?transport=tcp"), "turn h 443 Tls u p");
        assert_eq!(servers(&Relays { urls: vec!["turn:h".to_owned(); 99], ..relays("") }).len(), 8);
        for other in [
            "turns:h?transport=udp",
            "turn:h?transport=sctp",
            "turn:h?transport=tcp&x",
            "stun:h?x",
            "stun:",
            "stun:h:0",
            "stun:h:70000",
            "http://h",
            "x",
            "turn:[::1]9",
        ] {
            assert_eq!(read(other), "none", "{other}");
        }
    }

    #[test]
    fn the_peers_descriptions_are_counted() {
        let wire = Description {
            ufrag: IceToken::parse("abcd").unwrap(),
            pwd: IceToken::parse(&"p".repeat(22)).unwrap(),
            fingerprint: Fingerprint([3; 32]),
        };
        let mut remote = Remote::default();
        let one = remote.description(&wire).unwrap();
        assert_eq!((one.generation(), one.ufrag(), *one.fingerprint()), (0, "abcd", [3; 32]));
        assert_eq!(remote.description(&wire).unwrap().generation(), 1);
        assert_eq!(local(&one), Some(wire));
    }

    #[test]
    fn candidates_that_belong_together_still_do() {
        assert_eq!(foundation("1234"), 1234);
        assert_eq!(foundation("ab/+"), foundation("ab/+"));
        assert_ne!(foundation("ab/+"), foundation("ab/-"));
    }
}
