//! How many connections one address may open to a listener, and how fast.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Addresses remembered before those are forgotten that owe nothing.
const REMEMBERED: usize = 1_024;

/// What one address may do; of IPv6, one network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Connections open at once.
    pub open: usize,
    /// Connections opened in a second; after a rest, three seconds' worth at once.
    pub per_s: u32,
}

impl Default for Crowd {
    /// Enough for everybody in a company or a village behind one address.
    fn default() -> Self {
        Self { open: 256, per_s: 30 }
    }
}

/// Whoever holds this is a connection that is open.
#[derive(Debug)]
pub(crate) struct Pass {
    _seat: Arc<()>,
}

/// Counts the connections of each address. Which addresses it remembers is bounded by the connections that are open, and
/// by how many can be opened in three seconds.
pub(crate) struct Gate {
    crowd: Crowd,
    visits: BTreeMap<IpAddr, Visit>,
    sweep_at: usize,
}

struct Visit {
    seat: Arc<()>,
    /// When every connection so far would have been opened at the allowed rate.
    paid_until_ms: u64,
}

impl Gate {
    pub(crate) fn new(crowd: Crowd) -> Self {
        Self { crowd, visits: BTreeMap::new(), sweep_at: REMEMBERED }
    }

    /// Lets a connection in, or not.
    pub(crate) fn admit(&mut self, now_ms: u64, from: IpAddr) -> Option<Pass> {
        if self.visits.len() >= self.sweep_at {
            self.visits.retain(|_, visit| Arc::strong_count(&visit.seat) > 1 || visit.paid_until_ms > now_ms);
            self.sweep_at = (2 * self.visits.len()).max(REMEMBERED);
        }
        let visit = self.visits.entry(network(from)).or_insert_with(|| Visit { seat: Arc::new(()), paid_until_ms: 0 });
        let paid_until_ms = visit.paid_until_ms.max(now_ms) + 1_000 / u64::from(self.crowd.per_s.max(1));
        // One of the holders of a seat is the gate itself.
        if Arc::strong_count(&visit.seat) > self.crowd.open || paid_until_ms > now_ms + 3_000 {
            return None;
        }
        visit.paid_until_ms = paid_until_ms;
        Some(Pass { _seat: Arc::clone(&visit.seat) })
    }
}

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "2606:4700:1:2::1";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_gets_them_back() {
        let mut gate = Gate::new(Crowd { open: 2, per_s: 1_000 });
        let one = gate.admit(0, ip(ADA)).unwrap();
        let _two = gate.admit(0, ip("2606:4700:1:2:ffff::9")).unwrap();
        assert!(gate.admit(10, ip(ADA)).is_none(), "a network counts as one");
        assert!(gate.admit(10, ip("2606:4700:1:3::1")).is_some(), "the control: its neighbour has its own");
        drop(one);
        assert!(gate.admit(10, ip(ADA)).is_some());
    }

    #[test]
    fn an_address_opens_so_many_connections_a_second_and_no_more() {
        let mut gate = Gate::new(Crowd { open: 1_000, per_s: 10 });
        let admitted = (0..10_000).filter(|ms| gate.admit(*ms, ip(ADA)).is_some()).count();
        assert!((100..=130).contains(&admitted), "ten seconds let in a hundred and thirty at once: {admitted}");
    }

    #[test]
    fn passing_addresses_are_forgotten() {
        let mut gate = Gate::new(Crowd::default());
        for host in 0..100_000_u32 {
            let from = std::net::Ipv4Addr::from(0x0800_0000 + host);
            assert!(gate.admit(u64::from(host), from.into()).is_some());
        }
        assert!(gate.visits.len() <= 2 * REMEMBERED, "{}", gate.visits.len());
    }
}
