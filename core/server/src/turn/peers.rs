//! Which peers are served.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRange {
    addr: IpAddr,
    bits: u8,
}

impl PeerRange {
    /// Addresses whose first `bits` bits are those of `addr`.
    pub fn new(addr: IpAddr, bits: u8) -> Self {
        Self { addr, bits }
    }

    /// Whether an address is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.addr, ip) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                u32::from(ours).checked_shr(32 - u32::from(self.bits.min(32)))
                    == u32::from(theirs).checked_shr(32 - u32::from(self.bits.min(32)))
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                u128::from(ours).checked_shr(128 - u32::from(self.bits.min(128)))
                    == u128::from(theirs).checked_shr(128 - u32::from(self.bits.min(128)))
            }
            _ => false,
        }
    }
}

/// Whether an address belongs to a host on the public internet (the special-purpose registries of RFC 6890).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_4(ip),
        IpAddr::V6(ip) => is_public_6(ip),
    }
}

fn is_public_4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18);
    !special
}

/// Global unicast without what leads back into IPv4 (NAT64, Teredo, 6to4) or nowhere (documentation, ORCHID).
fn is_public_6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    a & 0xe000 == 0x2000 && !(a == 0x2001 && b < 0x0200) && !(a == 0x2001 && b == 0x0db8) && a != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_on_the_internet_are_public() {
        let inside = "0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.1 192.0.2.1 192.168.1.1 \
            198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 \
            ::ffff:10.0.0.1 fe80::1 fc00::1 fd12::1 ff02::1 64:ff9b::a00:1 2001::1 2001:db8::1 2002:a00:1::1 ::10.0.0.1";
        for ip in inside.split_whitespace() {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in "1.1.1.1 100.128.0.1 172.32.0.1 192.169.0.1 9.9.9.9 223.255.255.1 2606:4700::1 2001:4860::8888"
            .split_whitespace()
        {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_range_has_the_addresses_that_share_its_bits() {
        let range = PeerRange::new(Ipv4Addr::new(10, 7, 0, 0).into(), 16);
        assert!(range.contains("10.7.255.1".parse().unwrap()));
        assert!(!range.contains("10.8.0.1".parse().unwrap()));
        assert!(!range.contains("::1".parse().unwrap()));
        let all = PeerRange::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        assert!(all.contains("10.8.0.1".parse().unwrap()));
    }
}
