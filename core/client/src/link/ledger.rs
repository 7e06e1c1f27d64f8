//! What passed the sockets of a link, by what it was for. Told apart by the packets themselves: a Binding with a proof of
//! integrity is a check of a path (RFC 8445 section 7.1), one without asks a STUN server; every other STUN method, and channel
//! data to who speaks such a method, is a relay's (RFC 8656); all else is the peer's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use super::packet::attribute;

/// Addresses that are remembered as relays.
const RELAYS: usize = 16;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING: u16 = 1;
const INTEGRITY: u16 = 0x0008;
const ERROR: u16 = 0x0009;
/// The answers to a wish for an address (RFC 8656 section 18).
const ALLOCATED: [u8; 2] = [0x01, 0x03];
const NOT_ALLOCATED: [u8; 2] = [0x01, 0x13];
/// What IP and UDP add to a packet.
const HEADERS: [u64; 2] = [20 + 8, 40 + 8];

/// Bytes one way and the other, with their IP and UDP headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// From here.
    pub sent: u64,
    /// To here.
    pub received: u64,
}

/// What passed, by what it was for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// To ask how this device is seen from outside.
    pub stun: Ways,
    /// Through a relay of ours, and to arrange that.
    pub relay: Ways,
    /// To and from addresses of the peer, which may be a relay's of theirs.
    pub peer: Ways,
}

impl Passed {
    /// Adds what passed elsewhere.
    pub fn add(&mut self, other: &Self) {
        let both = |one: &mut Ways, other: &Ways| {
            one.sent += other.sent;
            one.received += other.received;
        };
        both(&mut self.stun, &other.stun);
        both(&mut self.relay, &other.relay);
        both(&mut self.peer, &other.peer);
    }
}

/// What our relay said when it was asked to lend an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lending {
    /// It lends one.
    Lent,
    /// It does not, for this reason (RFC 8656 section 19).
    Refused(u16),
}

/// Counts as packets pass. The lock is held for an addition, by the one task that moves packets and by who reads, rarely.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    passed: Passed,
    /// Who speaks as a relay does.
    relays: BTreeMap<SocketAddr, ()>,
    lending: Option<Lending>,
}

enum For {
    Stun,
    Relay,
    Peer,
}

impl Ledger {
    pub(super) fn sent(&self, to: SocketAddr, bytes: &[u8], segment: Option<usize>) {
        self.count(to, bytes, segment.unwrap_or(bytes.len()), |ways| &mut ways.sent);
    }

    pub(super) fn received(&self, from: SocketAddr, bytes: &[u8], stride: usize) {
        self.count(from, bytes, stride, |ways| &mut ways.received);
    }

    pub(super) fn read(&self) -> Passed {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).passed
    }

    pub(super) fn lending(&self) -> Option<Lending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lending
    }

    fn count(&self, with: SocketAddr, bytes: &[u8], each: usize, way: impl Fn(&mut Ways) -> &mut u64) {
        let packets = bytes.len().div_ceil(each.max(1)).max(1) as u64;
        let headers = HEADERS[usize::from(with.is_ipv6() && with.ip().to_canonical().is_ipv6())];
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = match book.purpose(with, bytes) {
            For::Stun => &mut book.passed.stun,
            For::Relay => &mut book.passed.relay,
            For::Peer => &mut book.passed.peer,
        };
        *way(ways) += bytes.len() as u64 + packets * headers;
    }
}

impl Book {
    fn purpose(&mut self, with: SocketAddr, bytes: &[u8]) -> For {
        match (method(bytes), bytes.first()) {
            (Some(BINDING), _) if has_integrity(bytes) => For::Peer,
            (Some(BINDING), _) => For::Stun,
            (Some(_), _) => {
                match bytes.first_chunk::<2>() {
                    Some(&ALLOCATED) => self.lending = Some(Lending::Lent),
                    // Whoever asks first is always sent back for a proof.
                    Some(&NOT_ALLOCATED) if self.lending != Some(Lending::Lent) => {
                        self.lending = error(bytes).filter(|code| ![401, 438].contains(code)).map(Lending::Refused);
                    }
                    _ => {}
                }
                if self.relays.len() < RELAYS {
                    self.relays.insert(with, ());
                }
                For::Relay
            }
            (None, Some(0x40..=0x4f)) if self.relays.contains_key(&with) => For::Relay,
            _ => For::Peer,
        }
    }
}

/// The method of a STUN message (RFC 8489 section 5).
fn method(bytes: &[u8]) -> Option<u16> {
    let kind = bytes.first_chunk::<2>().map(|kind| u16::from_be_bytes(*kind))?;
    if kind & 0xc000 != 0 || bytes.get(4..8)? != COOKIE {
        return None;
    }
    Some((kind & 0x000f) | ((kind >> 1) & 0x0070) | ((kind >> 2) & 0x0f80))
}

pub(super) fn has_integrity(bytes: &[u8]) -> bool {
    attribute(bytes, INTEGRITY).is_some()
}

/// The number of an error (RFC 8489 section 14.8).
fn error(bytes: &[u8]) -> Option<u16> {
    let [_, _, class, number, ..] = *attribute(bytes, ERROR)? else { return None };
    Some(u16::from(class & 7) * 100 + u16::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stun(kind: u16, attributes: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(attributes.len() as u16).to_be_bytes(), &COOKIE, &[7; 12], attributes].concat()
    }

    #[test]
    fn packets_are_counted_for_what_they_are_for() {
        let ledger = Ledger::default();
        let [server, peer] = [SocketAddr::from(([192, 0, 2, 1], 3478)), SocketAddr::from(([192, 0, 2, 2], 9))];
        ledger.sent(server, &stun(0x0001, &[]), None);
        assert_eq!(ledger.read().stun, Ways { sent: 48, received: 0 });
        ledger.sent(peer, &stun(0x0001, &[0, 6, 0, 1, 7, 0, 0, 0, 0, 8, 0, 4, 1, 2, 3, 4]), None);
        assert_eq!(ledger.read().peer, Ways { sent: 64, received: 0 });
        // Channel data of somebody who is no relay is QUIC.
        ledger.received(server, &[0x40; 100], 100);
        assert_eq!(ledger.read().peer.received, 128);
        assert_eq!(ledger.lending(), None);
        ledger.received(server, &stun(0x0113, &[0, 9, 0, 4, 0, 0, 4, 1]), 28);
        assert_eq!(ledger.lending(), None, "a proof is wanted");
        ledger.received(server, &stun(0x0113, &[0, 9, 0, 4, 0, 0, 4, 86]), 28);
        assert_eq!(ledger.lending(), Some(Lending::Refused(486)));
        ledger.received(server, &stun(0x0103, &[]), 20);
        assert_eq!(ledger.lending(), Some(Lending::Lent));
        let before = ledger.read().relay.received - 48;
        ledger.received(server, &[0x40; 100], 100);
        assert_eq!(ledger.read().relay.received - before, 48 + 128);
        // Three packets in one go, over IPv6.
        ledger.sent("[2001:db8::1]:9".parse().expect("an address"), &[0x90; 250], Some(100));
        assert_eq!(ledger.read().peer.sent, 64 + 250 + 3 * 48);
    }
}
