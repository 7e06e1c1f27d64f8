//! Path checks that come before this end can answer them, or before it was told where they come from.
//!
//! The peer may hear of this end first, and then checks paths before the library knows the peer: it drops those checks, and
//! the peer's next come a beat later. Once it does know the peer, a check may still overtake the candidate that it comes
//! from. The library then makes up a peer-reflexive candidate, which stays beside the one that is told, takes all answers
//! away from it, and has one priority whatever its path: what a check comes from says of itself (RFC 8445 section
//! 7.3.1.3) is not looked at. The better of two candidates for one address is waited for until the next beat, and a relay
//! that was heard first is taken before a direct path. So checks from addresses that were not told wait here for a while,
//! those from relays for longer, and are handed in again once they can be answered as they should be; to the library that
//! is a check that was slow, as the network may be.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::RoutePolicy;
use super::packet::{attribute, check};
use super::peer::{PRFLX_WAIT, relay_wait};

/// Checks that wait: one for each pair of addresses that is likely to work.
const CHECKS: usize = 16;
/// Longest check that waits: those of links are a tenth of that.
const CHECK_BYTES: usize = 1200;
/// The attribute in which a check says of what priority it is (RFC 8445 section 7.1.1).
const PRIORITY: u16 = 0x0024;

/// What is known of a peer's addresses.
#[derive(Debug)]
pub(super) struct Acquaintance {
    known: Mutex<Known>,
    /// How long checks from relays wait; for good where no relay may be used.
    relay_wait: Duration,
    /// Whether every check is let through.
    open: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    /// Since when the peer can be answered.
    since: Option<Instant>,
    /// The addresses that it told of.
    told: Vec<SocketAddr>,
}

impl Acquaintance {
    pub(super) fn new(policy: RoutePolicy) -> Self {
        let relay_wait = if policy == RoutePolicy::DirectOnly { Duration::MAX } else { relay_wait(policy) };
        Self { known: Mutex::default(), relay_wait, open: AtomicBool::new(false) }
    }

    /// The library knows the peer by its latest description and can answer it; its addresses are yet to be told.
    pub(super) fn described(&self, now: Instant) {
        *self.known() = Known { since: Some(now), told: Vec::new() };
        self.open.store(false, Ordering::Release);
    }

    /// The library knows one of its addresses.
    pub(super) fn told(&self, address: SocketAddr) {
        self.known().told.push(address);
    }

    /// Whether every check is let through.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether a check from an address is let through. One that our relay hands on comes from its sender.
    fn admits(&self, from: SocketAddr, packet: &[u8], now: Instant) -> bool {
        let Some((from, check)) = check(from, packet) else { return true };
        let known = self.known();
        let Some(since) = known.since else { return false };
        let age = now.saturating_duration_since(since);
        if age > self.relay_wait.max(PRFLX_WAIT) {
            self.open.store(true, Ordering::Release);
        }
        let wait = if is_from_relay(check) { self.relay_wait } else { PRFLX_WAIT };
        age > wait || known.told.contains(&from)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a check comes from an address that a relay lent, by its type preference (RFC 8445 section 5.1.2.2).
fn is_from_relay(check: &[u8]) -> bool {
    attribute(check, PRIORITY).is_some_and(|value| value.first() == Some(&0))
}

/// The checks that wait at one socket.
#[derive(Debug, Default)]
pub(super) struct Early(Mutex<Vec<(SocketAddr, Bytes)>>);

impl Early {
    /// Keeps a check that is not let through yet; false for anything else. What there is no room for is lost, and an honest
    /// peer sends it again.
    pub(super) fn keeps(&self, peer: &Acquaintance, from: SocketAddr, packet: &[u8], now: Instant) -> bool {
        if peer.admits(from, packet, now) {
            return false;
        }
        let mut waiting = self.waiting();
        if waiting.len() < CHECKS && packet.len() <= CHECK_BYTES {
            waiting.push((from, Bytes::copy_from_slice(packet)));
        }
        true
    }

    /// The next that is let through by now. The clock is read only where one waits.
    pub(super) fn next(&self, peer: &Acquaintance, now: impl FnOnce() -> Instant) -> Option<(SocketAddr, Bytes)> {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            return None;
        }
        let now = now();
        let next = waiting.iter().position(|(from, check)| peer.admits(*from, check, now))?;
        Some(waiting.remove(next))
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(SocketAddr, Bytes)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use webrtc::runtime::AsyncUdpSocket as _;

    use super::super::packet::tests::handed_on;
    use super::super::socket::tests::plug;
    use super::*;

    pub(in super::super) const CHECK: [u8; 20] =
        [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

    /// A check that says of what priority it is.
    fn check(priority: u32) -> Vec<u8> {
        let other = [0x80, 0x2a, 0, 1, 9, 0, 0, 0];
        [&CHECK[..], &other, &[0, 0x24, 0, 4], &priority.to_be_bytes()].concat()
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn a_check_that_comes_too_early_is_handed_on_once_it_can_be_answered() {
        let near = plug();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (here, there) = (near.handle.local_addr().unwrap(), peer.local_addr().unwrap());
        peer.send_to(&CHECK, here).unwrap();
        assert_eq!(near.read().await, (there, vec![]));
        for other in [&[1; 30][..], &[22; 30]] {
            peer.send_to(other, here).unwrap();
            assert_eq!(near.read().await, (there, other.to_vec()));
        }
        near.pace.acquaintance().described(Instant::now());
        near.pace.acquaintance().told(there);
        assert_eq!(near.read().await, (there, CHECK.to_vec()));
        // Nothing else was kept, and nothing is any more.
        for packet in [&CHECK[..], &[22; 40]] {
            peer.send_to(packet, here).unwrap();
            assert_eq!(near.read().await, (there, packet.to_vec()));
        }
    }

    #[test]
    fn a_check_waits_for_its_candidate_and_one_from_a_relay_waits_longer() {
        let (host, relay) = (check(2_130_706_431), check(16_777_215));
        let (peer, early, begin) = (Acquaintance::new(RoutePolicy::Any), Early::default(), Instant::now());
        let keeps = |from: u16, what: &[u8], after: Duration| early.keeps(&peer, at(from), what, begin + after);
        let next = |after: Duration| early.next(&peer, || begin + after).map(|(from, what)| (from.port(), what));
        let soon = Duration::from_millis(1);
        assert!(keeps(1, &host, soon) && keeps(2, &host, soon) && keeps(3, &relay, soon));
        assert_eq!(next(Duration::from_secs(9)), None, "nobody was described");
        peer.described(begin);
        assert_eq!(next(soon), None);
        peer.told(at(2));
        assert_eq!(next(soon), Some((2, Bytes::from(host.clone()))));
        assert_eq!(next(soon), None);
        assert!(!keeps(2, &host, soon) && keeps(4, &relay, soon));
        // Its candidate may never be told: it is the peer's address behind a router.
        let late = PRFLX_WAIT + soon;
        assert_eq!(next(late), Some((1, Bytes::from(host.clone()))));
        assert!(next(late).is_none() && !keeps(5, &host, late) && keeps(5, &relay, late));
        peer.told(at(4));
        assert_eq!(next(late), Some((4, Bytes::from(relay.clone()))));
        assert!(!peer.is_open());
        let later = relay_wait(RoutePolicy::Any) + soon;
        assert_eq!([next(later), next(later), next(later)].map(|next| next.map_or(0, |(from, _)| from)), [3, 5, 0]);
        assert!(!keeps(6, &relay, later) && peer.is_open());
        // The next description tells of other addresses.
        peer.described(begin + later);
        assert!(!peer.is_open() && keeps(4, &relay, later) && keeps(2, &host, later));
    }

    #[test]
    fn what_our_relay_hands_on_comes_from_its_sender() {
        let (peer, early, now) = (Acquaintance::new(RoutePolicy::Any), Early::default(), Instant::now());
        peer.described(now);
        peer.told(at(9));
        // 127.0.0.1, masked, and port 1.
        let packet = handed_on(&[0, 1, 0x21, 0x13, 127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42], &check(16_777_215));
        assert!(early.keeps(&peer, at(9), &packet, now) && early.next(&peer, || now).is_none());
        peer.told(at(1));
        assert_eq!(early.next(&peer, || now), Some((at(9), Bytes::from(packet.clone()))));
        assert!(!early.keeps(&peer, at(9), &packet, now));
    }

    #[test]
    fn a_relay_waits_for_good_where_none_may_be_used() {
        let (peer, early, begin) = (Acquaintance::new(RoutePolicy::DirectOnly), Early::default(), Instant::now());
        peer.described(begin);
        let later = begin + Duration::from_secs(3600);
        assert!(early.keeps(&peer, at(1), &check(16_777_215), later));
        assert!(!early.keeps(&peer, at(1), &check(2_130_706_431), later));
        assert!(early.next(&peer, || later).is_none() && !peer.is_open());
    }

    #[test]
    fn a_flood_of_early_checks_does_not_fill_the_memory() {
        let (peer, early, now) = (Acquaintance::new(RoutePolicy::Any), Early::default(), Instant::now());
        let long = [&CHECK[..], &[0; CHECK_BYTES]].concat();
        assert!(early.keeps(&peer, at(9), &long, now));
        for _ in 0..3 * CHECKS {
            assert!(early.keeps(&peer, at(9), &CHECK, now));
        }
        peer.described(now);
        peer.told(at(9));
        let kept: Vec<_> = std::iter::from_fn(|| early.next(&peer, || now)).collect();
        assert_eq!(kept, vec![(at(9), Bytes::from_static(&CHECK)); CHECKS]);
    }
}
