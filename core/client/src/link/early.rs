//! Path checks that come before this end can answer them.
//!
//! The peer may hear of this end first, and then checks paths before the library knows the peer: it drops those checks, and
//! the peer's next come a beat later. So some are kept here and handed in again once they can be answered; to the library
//! that is a check sent twice, as the network may do.

use std::net::SocketAddr;

use super::packet::is_check;
use bytes::Bytes;
use crossbeam_queue::ArrayQueue;

/// Checks that are kept: one for each pair of addresses that is likely to work.
const CHECKS: usize = 16;
/// Longest check that is kept: those of links are a tenth of that.
const CHECK_BYTES: usize = 1200;

#[derive(Debug)]
pub(super) struct Early(ArrayQueue<(SocketAddr, Bytes)>);

impl Early {
    pub(super) fn new() -> Self {
        Self(ArrayQueue::new(CHECKS))
    }

    /// Keeps a packet if it is a check; what there is no room for, an honest peer sends again.
    pub(super) fn keep(&self, from: SocketAddr, packet: &[u8]) {
        if is_check(packet) && packet.len() <= CHECK_BYTES {
            let _ = self.0.push((from, Bytes::copy_from_slice(packet)));
        }
    }

    pub(super) fn next(&self) -> Option<(SocketAddr, Bytes)> {
        self.0.pop()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use webrtc::runtime::AsyncUdpSocket as _;

    use super::super::socket::tests::plug;
    use super::*;

    pub(in super::super) const CHECK: [u8; 20] =
        [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

    #[tokio::test]
    async fn a_check_that_comes_too_early_is_answered_without_being_sent_again() {
        let near = plug();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (here, there) = (near.handle.local_addr().unwrap(), peer.local_addr().unwrap());
        for packet in [&CHECK[..], &[22; 30]] {
            peer.send_to(packet, here).unwrap();
            assert_eq!(near.read().await, (there, packet.to_vec()));
        }
        near.pace.acquaint();
        assert_eq!(near.read().await, (there, CHECK.to_vec()));
        // Nothing else was kept, and nothing is any more.
        for packet in [&CHECK[..], &[22; 40]] {
            peer.send_to(packet, here).unwrap();
            assert_eq!(near.read().await, (there, packet.to_vec()));
        }
    }

    #[test]
    fn a_flood_of_early_checks_does_not_fill_the_memory() {
        let early = Early::new();
        let addr = "127.0.0.1:9".parse().unwrap();
        let long = [&CHECK[..], &[0; CHECK_BYTES]].concat();
        early.keep(addr, &long);
        for _ in 0..3 * CHECKS {
            early.keep(addr, &CHECK);
        }
        let kept: Vec<_> = std::iter::from_fn(|| early.next()).collect();
        assert_eq!(kept, vec![(addr, Bytes::from_static(&CHECK)); CHECKS]);
    }
}
