//! Where a phone may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab::net::{Manner, Net, RouterId, Site, Wall};

/// Where a page answers every visitor that has not signed in.
pub const PORTAL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);

/// A phone's situation; words as in RFC 3489 and RFC 4787.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An address of its own.
    Open,
    /// Behind a full cone.
    Full,
    /// Behind a restricted cone.
    Restricted,
    /// Behind a port-restricted cone: most routers at home.
    PortRestricted,
    /// Behind a symmetric router: many mobile networks.
    Symmetric,
    /// Behind a router behind a router.
    Double,
    /// Where no UDP passes.
    NoUdp,
    /// Where TCP to port 443 passes and nothing else.
    Only443,
    /// With IPv6 alone, behind a filter.
    Six,
    /// With both, behind a router and a filter.
    Dual,
    /// Where a visitor has to sign in.
    Captive,
}

/// Whether two phones are behind one router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Together {
    /// Each behind its own.
    Apart,
    /// Behind one, and reach each other.
    Neighbours,
    /// Behind one that keeps them apart, and lets them reach each other by its address outside.
    Hairpin,
    /// Behind one that keeps them apart in every way.
    Strangers,
}

impl Place {
    /// What it is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Full => "full cone",
            Self::Restricted => "restricted cone",
            Self::PortRestricted => "port-restricted cone",
            Self::Symmetric => "symmetric",
            Self::Double => "double NAT",
            Self::NoUdp => "UDP blocked",
            Self::Only443 => "only 443 open",
            Self::Six => "IPv6 only",
            Self::Dual => "dual stack",
            Self::Captive => "captive",
        }
    }

    fn manner(self) -> Manner {
        match self {
            Self::Open | Self::Full => Manner::FULL_CONE,
            Self::Restricted => Manner::RESTRICTED,
            Self::PortRestricted | Self::Double | Self::Six | Self::Dual | Self::Captive => Manner::PORT_RESTRICTED,
            Self::Symmetric => Manner::SYMMETRIC,
            Self::NoUdp => Manner { wall: Wall::NoUdp, ..Manner::PORT_RESTRICTED },
            Self::Only443 => Manner { wall: Wall::Only443, ..Manner::PORT_RESTRICTED },
        }
    }

    /// Whether UDP gets out.
    #[must_use]
    pub fn lets_udp(self) -> bool {
        !matches!(self, Self::NoUdp | Self::Only443 | Self::Captive)
    }

    fn has_v6(self) -> bool {
        matches!(self, Self::Six | Self::Dual)
    }

    /// Whether one has IPv6 only and the other IPv4 only.
    #[must_use]
    pub fn is_apart(self, other: Self) -> bool {
        let apart = |one, other: Self| one == Self::Six && !other.has_v6();
        apart(self, other) || apart(other, self)
    }

    /// Whether phones at these places reach each other without a relay.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        if !self.lets_udp() || !other.lets_udp() || self.is_apart(other) {
            return false;
        }
        // By the ports that are another for each who is spoken to only those get in who are let in by any port.
        let lets_any_port = |place| matches!(place, Self::Open | Self::Full | Self::Restricted);
        let both_six = self.has_v6() && other.has_v6();
        let hard = |one, other| one == Self::Symmetric && !lets_any_port(other);
        both_six || !hard(self, other) && !hard(other, self)
    }
}

/// Where a phone stands in a net.
#[derive(Debug, Clone)]
pub struct Spot {
    /// In which network.
    pub site: Site,
    /// With which addresses.
    pub addresses: Vec<IpAddr>,
    /// Behind which router.
    pub router: Option<RouterId>,
}

/// What a captive network becomes once the phones know each other.
#[must_use]
pub fn captive() -> Manner {
    let page = SocketAddr::new(PORTAL.into(), 80);
    Manner { wall: Wall::Captive(page), ..Manner::PORT_RESTRICTED }
}

/// Sets up the networks of the phone with this number, 0 or 1.
pub fn settle(net: &mut Net, place: Place, number: u8) -> Spot {
    let six = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, u16::from(number) + 1, 0, 0, 0, 0, 2));
    let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    let wan = Ipv4Addr::new(203, 0, 113, number + 1);
    match place {
        Place::Open => Spot { site: Site::Internet, addresses: vec![v4(192, 0, 2, number + 1)], router: None },
        Place::Double => {
            let outer = net.router(Site::Internet, wan, Manner::RESTRICTED);
            let inner = net.router(Site::Behind(outer), Ipv4Addr::new(10, number + 1, 0, 7), place.manner());
            let addresses = vec![v4(192, 168, number + 1, 2)];
            Spot { site: Site::Behind(inner), addresses, router: Some(inner) }
        }
        place => {
            let router = net.router(Site::Internet, wan, place.manner());
            let four = v4(10, number + 1, 0, 2);
            let addresses = match place {
                Place::Six => vec![six],
                Place::Dual => vec![four, six],
                _ => vec![four],
            };
            Spot { site: Site::Behind(router), addresses, router: Some(router) }
        }
    }
}

/// Sets up one network for both phones.
pub fn settle_together(net: &mut Net, together: Together) -> [Spot; 2] {
    let neighbours = together == Together::Neighbours;
    let manner = Manner { hairpin: together == Together::Hairpin, neighbours, ..Manner::PORT_RESTRICTED };
    let router = net.router(Site::Internet, Ipv4Addr::new(203, 0, 113, 1), manner);
    [2, 3].map(|last| {
        let addresses = vec![IpAddr::V4(Ipv4Addr::new(10, 1, 0, last))];
        Spot { site: Site::Behind(router), addresses, router: Some(router) }
    })
}
