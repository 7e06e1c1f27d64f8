//! What packets say of themselves, added up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// From where to where.
pub type Flow = (SocketAddrV4, SocketAddrV4);

/// Bytes that passed in packets of IPv4, by where they came from and went to.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    udp: BTreeMap<Flow, u64>,
    /// What each segment carried: one that is sent again counts once.
    tcp: BTreeMap<(Flow, u32), u64>,
}

impl Passed {
    /// Adds a packet, with its IP header; one of another kind adds nothing.
    pub fn take(&mut self, packet: &[u8]) {
        let _ = self.add(packet);
    }

    fn add(&mut self, packet: &[u8]) -> Option<()> {
        let first = packet.first().filter(|first| *first >> 4 == 4)?;
        let body = packet.get(usize::from(first & 15) * 4..)?;
        let word = |bytes: &[u8], at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?));
        let ports = word(body, 0)?;
        let from = SocketAddrV4::new(Ipv4Addr::from_bits(word(packet, 12)?), (ports >> 16) as u16);
        let to = SocketAddrV4::new(Ipv4Addr::from_bits(word(packet, 16)?), ports as u16);
        match *packet.get(9)? {
            UDP => *self.udp.entry((from, to)).or_default() += packet.len() as u64,
            TCP => {
                let content = body.get(usize::from(body.get(12)? >> 4) * 4..)?.len() as u64;
                let longest = self.tcp.entry(((from, to), word(body, 4)?)).or_default();
                *longest = content.max(*longest);
            }
            _ => {}
        }
        Some(())
    }

    /// Bytes of UDP on flows that fit, with its headers and those of IP.
    #[must_use]
    pub fn udp(&self, fits: impl Fn(&Flow) -> bool) -> u64 {
        self.udp.iter().filter(|&(flow, _)| fits(flow)).map(|(_, bytes)| bytes).sum()
    }

    /// Bytes that TCP carried on flows that fit, each once and without any header.
    #[must_use]
    pub fn tcp(&self, fits: impl Fn(&Flow) -> bool) -> u64 {
        self.tcp.iter().filter(|&((flow, _), _)| fits(flow)).map(|(_, bytes)| bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend(body);
        packet
    }

    fn segment(sequence: u8, content: &[u8]) -> Vec<u8> {
        let mut header = vec![0, 7, 0, 9, 0, 0, 0, sequence];
        header.extend([0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
        packet(TCP, &[&header[..], content].concat())
    }

    #[test]
    fn bytes_are_added_up_by_flow_and_what_is_sent_again_counts_once() {
        let mut passed = Passed::default();
        for packet in [
            packet(UDP, &[0, 7, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4]),
            segment(1, b"hello"),
            segment(6, b"you"),
            segment(1, b"hello"),
            packet(1, b"anything"),
            vec![0x60; 60],
            vec![0x45],
            Vec::new(),
        ] {
            passed.take(&packet);
        }
        let to = |port: u16| move |(_, to): &Flow| to.port() == port;
        assert_eq!((passed.udp(to(9)), passed.tcp(to(9))), (32, 8));
        assert_eq!((passed.udp(to(7)), passed.tcp(to(7))), (0, 0));
    }
}
