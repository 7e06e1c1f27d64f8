//! A router between a local network and what is outside of it: translation, filtering, and what it forbids (RFC 4787).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use super::packet::{Packet, Protocol};

/// Whom a mapping or a filter tells apart (RFC 4787 sections 4.1 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depends {
    /// Nobody.
    Nothing,
    /// Addresses.
    Address,
    /// Addresses with ports.
    Port,
}

/// What a router lets out beside what it translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// Everything.
    Open,
    /// No UDP.
    NoUdp,
    /// TCP to port 443 and nothing else.
    Only443,
    /// Nothing; every TCP connection ends at this place instead.
    Captive(SocketAddr),
}

/// How a router is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Whether two packets from one place inside get one address outside, by where they go.
    pub mapping: Depends,
    /// Who outside may answer what was sent.
    pub filtering: Depends,
    /// Whether who is inside reaches who is inside by the address outside.
    pub hairpin: bool,
    /// Whether who is inside reaches others there directly.
    pub neighbours: bool,
    /// What it lets out.
    pub wall: Wall,
}

impl Manner {
    /// One address for whomever is spoken to, and everybody may answer.
    pub const FULL_CONE: Self = Self {
        mapping: Depends::Nothing,
        filtering: Depends::Nothing,
        hairpin: false,
        neighbours: true,
        wall: Wall::Open,
    };
    /// Addresses that were spoken to may answer.
    pub const RESTRICTED: Self = Self { filtering: Depends::Address, ..Self::FULL_CONE };
    /// Only those ports of them.
    pub const PORT_RESTRICTED: Self = Self { filtering: Depends::Port, ..Self::FULL_CONE };
    /// Another address outside for each that is spoken to.
    pub const SYMMETRIC: Self = Self { mapping: Depends::Port, ..Self::PORT_RESTRICTED };
}

type Inner = (Protocol, SocketAddr);

#[derive(Debug)]
struct Mapping {
    outer: u16,
    /// Whom it was used to speak to.
    spoken: BTreeSet<SocketAddr>,
}

/// A router with what it remembers.
#[derive(Debug)]
pub struct Router {
    manner: Manner,
    /// Its address outside.
    pub wan: Ipv4Addr,
    next: u16,
    mappings: BTreeMap<(Inner, Option<SocketAddr>), Mapping>,
    /// IPv6 is not translated, only filtered.
    spoken: BTreeSet<(Protocol, SocketAddr, SocketAddr)>,
    /// Where connections were meant to go that ended at a page.
    caught: BTreeMap<SocketAddr, SocketAddr>,
}

impl Router {
    pub(super) fn new(manner: Manner, wan: Ipv4Addr) -> Self {
        let (mappings, spoken, caught) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { manner, wan, next: 40_000, mappings, spoken, caught }
    }

    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    /// A packet on its way out, or nothing.
    pub(super) fn out(&mut self, mut packet: Packet) -> Option<Packet> {
        let (protocol, from) = (packet.protocol(), packet.source());
        match (self.manner.wall, protocol) {
            (Wall::Open, _) | (Wall::NoUdp, Protocol::Tcp) => {}
            (Wall::Only443, Protocol::Tcp) if packet.destination().port() == 443 => {}
            (Wall::Captive(page), Protocol::Tcp) => {
                self.caught.insert(from, packet.destination());
                packet.set_destination(page);
            }
            _ => return None,
        }
        let to = packet.destination();
        if to.is_ipv6() {
            self.spoken.insert((protocol, from, to));
            return Some(packet);
        }
        let by = match self.manner.mapping {
            Depends::Nothing => None,
            Depends::Address => Some(SocketAddr::new(to.ip(), 0)),
            Depends::Port => Some(to),
        };
        let mapping = self.mappings.entry(((protocol, from), by)).or_insert_with(|| {
            self.next += 1;
            Mapping { outer: self.next, spoken: BTreeSet::new() }
        });
        mapping.spoken.insert(to);
        packet.set_source(SocketAddr::new(self.wan.into(), mapping.outer));
        Some(packet)
    }

    /// A packet from outside, or nothing.
    pub(super) fn come(&self, mut packet: Packet) -> Option<Packet> {
        let (protocol, from, to) = (packet.protocol(), packet.source(), packet.destination());
        let may = |spoken: &BTreeSet<SocketAddr>| match self.manner.filtering {
            Depends::Nothing => true,
            Depends::Address => spoken.iter().any(|other| other.ip() == from.ip()),
            Depends::Port => spoken.contains(&from),
        };
        if to.is_ipv6() {
            let spoken = self.spoken.iter().filter(|(with, here, _)| (*with, *here) == (protocol, to));
            let spoken: BTreeSet<SocketAddr> = spoken.map(|(_, _, there)| *there).collect();
            return (!spoken.is_empty() && may(&spoken)).then_some(packet);
        }
        let fits = |((inner, _), mapping): &(&(Inner, _), &Mapping)| inner.0 == protocol && mapping.outer == to.port();
        let ((inner, _), mapping) = self.mappings.iter().find(fits)?;
        if !may(&mapping.spoken) {
            return None;
        }
        packet.set_destination(inner.1);
        if let Some(meant) = self.caught.get(&inner.1).filter(|_| protocol == Protocol::Tcp) {
            packet.set_source(*meant);
        }
        Some(packet)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::packet::tests::udp;
    use super::*;

    const WAN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

    /// Whether answers come in from whom was spoken to, from another port of it, and from a stranger, and whether a second
    /// one who is spoken to sees the same address.
    fn seen(manner: Manner) -> ([bool; 3], bool) {
        let mut router = Router::new(manner, WAN);
        let first = router.out(udp("10.0.0.2:5000", "192.0.2.1:10")).expect("it passes").source();
        let second = router.out(udp("10.0.0.2:5000", "192.0.2.2:10")).expect("it passes").source();
        let comes = |from: &str| {
            let packet = router.come(udp(from, &first.to_string()));
            packet.is_some_and(|packet| packet.destination() == "10.0.0.2:5000".parse().unwrap())
        };
        ([comes("192.0.2.1:10"), comes("192.0.2.1:11"), comes("192.0.2.3:10")], first == second)
    }

    #[test]
    fn each_kind_of_router_lets_in_whom_it_should() {
        assert_eq!(seen(Manner::FULL_CONE), ([true, true, true], true));
        assert_eq!(seen(Manner::RESTRICTED), ([true, true, false], true));
        assert_eq!(seen(Manner::PORT_RESTRICTED), ([true, false, false], true));
        assert_eq!(seen(Manner::SYMMETRIC), ([true, false, false], false));
    }

    #[test]
    fn walls_let_out_what_they_should() {
        let passes = |wall, to: &str| Router::new(Manner { wall, ..Manner::FULL_CONE }, WAN).out(udp("10.0.0.2:1", to));
        assert!(passes(Wall::Open, "192.0.2.1:443").is_some());
        for wall in [Wall::NoUdp, Wall::Only443, Wall::Captive("192.0.2.9:80".parse().unwrap())] {
            assert_eq!(passes(wall, "192.0.2.1:443"), None);
        }
    }

    #[test]
    fn ipv6_is_filtered_and_not_translated() {
        let mut router = Router::new(Manner::PORT_RESTRICTED, WAN);
        let (here, there) = ("[2001:db8:1::2]:5000", "[2001:db8:2::2]:5000");
        assert_eq!(router.come(udp(there, here)), None, "nobody was spoken to");
        assert_eq!(router.out(udp(here, there)), Some(udp(here, there)));
        assert_eq!(router.come(udp(there, here)), Some(udp(there, here)));
    }
}
