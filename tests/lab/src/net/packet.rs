//! What a router reads of a packet and changes in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// One packet of UDP or TCP over IPv4 or IPv6; fragments and everything else are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    bytes: Vec<u8>,
    /// Where UDP or TCP begins.
    at: usize,
    protocol: Protocol,
}

impl Packet {
    /// Reads one.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (at, number) = match bytes.first()? >> 4 {
            4 => {
                let fragment = u16::from_be_bytes([*bytes.get(6)?, *bytes.get(7)?]) & 0x3fff;
                (usize::from(bytes[0] & 0xf) * 4, (fragment == 0).then(|| bytes.get(9).copied())??)
            }
            6 => (40, *bytes.get(6)?),
            _ => return None,
        };
        let (protocol, head) = match number {
            17 => (Protocol::Udp, 8),
            6 => (Protocol::Tcp, 20),
            _ => return None,
        };
        (bytes.len() >= at + head).then_some(Self { bytes, at, protocol })
    }

    /// What it carries.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Everything of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> SocketAddr {
        self.address(0)
    }

    /// Where it goes.
    #[must_use]
    pub fn destination(&self) -> SocketAddr {
        self.address(1)
    }

    /// Lets it come from elsewhere, of the same family.
    pub fn set_source(&mut self, address: SocketAddr) {
        self.set(0, address);
    }

    /// Lets it go elsewhere, of the same family.
    pub fn set_destination(&mut self, address: SocketAddr) {
        self.set(1, address);
    }

    /// Where the address of one end lies.
    fn place(&self, end: usize) -> std::ops::Range<usize> {
        if self.bytes[0] >> 4 == 4 { 12 + 4 * end..16 + 4 * end } else { 8 + 16 * end..24 + 16 * end }
    }

    fn address(&self, end: usize) -> SocketAddr {
        let ip = &self.bytes[self.place(end)];
        let ip = match <[u8; 4]>::try_from(ip) {
            Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
            Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).expect("sixteen bytes"))),
        };
        let port = self.at + 2 * end;
        SocketAddr::new(ip, u16::from_be_bytes([self.bytes[port], self.bytes[port + 1]]))
    }

    fn set(&mut self, end: usize, address: SocketAddr) {
        let (place, port) = (self.place(end), self.at + 2 * end);
        match address.ip() {
            IpAddr::V4(ip) if place.len() == 4 => self.bytes[place].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) if place.len() == 16 => self.bytes[place].copy_from_slice(&ip.octets()),
            _ => return,
        }
        self.bytes[port..port + 2].copy_from_slice(&address.port().to_be_bytes());
        self.seal();
    }

    /// Computes the checksums (RFC 791, RFC 768, RFC 9293).
    fn seal(&mut self) {
        if self.bytes[0] >> 4 == 4 {
            self.bytes[10..12].fill(0);
            let sum = checksum(&self.bytes[..self.at], 0);
            self.bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        let field = self.at + if self.protocol == Protocol::Udp { 6 } else { 16 };
        self.bytes[field..field + 2].fill(0);
        let number = if self.protocol == Protocol::Udp { 17 } else { 6 };
        let pseudo = sum(&self.bytes[self.place(0).start..self.place(1).end], 0)
            + number
            + u32::try_from(self.bytes.len() - self.at).expect("a packet");
        let sum = match checksum(&self.bytes[self.at..], pseudo) {
            0 if self.protocol == Protocol::Udp => 0xffff,
            sum => sum,
        };
        self.bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

fn sum(bytes: &[u8], begin: u32) -> u32 {
    let pair = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    bytes.chunks(2).map(pair).fold(begin, |sum, pair| sum + pair)
}

fn checksum(bytes: &[u8], begin: u32) -> u16 {
    let mut sum = sum(bytes, begin);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    /// A UDP packet without content.
    pub(in super::super) fn udp(from: &str, to: &str) -> Packet {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().expect("an address"), to.parse().expect("an address"));
        let bytes = match (from.is_ipv4(), to.is_ipv4()) {
            (true, true) => {
                let mut bytes = vec![0; 28];
                (bytes[0], bytes[3], bytes[8], bytes[9], bytes[25]) = (0x45, 28, 64, 17, 8);
                bytes
            }
            _ => {
                let mut bytes = vec![0; 48];
                (bytes[0], bytes[5], bytes[6], bytes[7], bytes[45]) = (0x60, 8, 17, 64, 8);
                bytes
            }
        };
        let mut packet = Packet::parse(bytes).expect("a packet");
        packet.set_source(from);
        packet.set_destination(to);
        packet
    }

    #[test]
    fn addresses_are_read_and_written_and_the_checksums_are_right() {
        for (from, to) in [("10.0.0.1:1000", "192.0.2.7:443"), ("[2001:db8::1]:1000", "[2001:db8::2]:443")] {
            let packet = udp(from, to);
            assert_eq!((packet.source(), packet.destination()), (from.parse().unwrap(), to.parse().unwrap()));
            if packet.bytes[0] >> 4 == 4 {
                assert_eq!(checksum(&packet.bytes[..20], 0), 0, "over itself it comes to nothing");
            }
            let pseudo = sum(&packet.bytes[packet.place(0).start..packet.place(1).end], 17 + 8);
            assert_eq!(checksum(&packet.bytes[packet.at..], pseudo), 0);
        }
        assert_eq!(Packet::parse(vec![0x45; 10]), None);
        assert_eq!(Packet::parse(Vec::new()), None);
    }
}
