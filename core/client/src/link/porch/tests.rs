use std::net::UdpSocket;

use futures_util::FutureExt as _;
use quinn::AsyncUdpSocket as _;
use webrtc::runtime::AsyncUdpSocket as _;

use super::super::early::tests::CHECK;
use super::super::socket::tests::{Plugged, plug};
use super::*;

/// The first byte of QUIC's long packets, and of a relay's channels and its short ones.
const LONG: u8 = 0xc0;
const SHORT: u8 = 0x40;

struct Place {
    plugged: Plugged,
    door: Door,
}

fn place(role: Role) -> Place {
    let plugged = plug();
    plugged.pace.porch().open(role);
    let door = Door(Arc::clone(&plugged.pace));
    Place { plugged, door }
}

fn neighbour() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A Binding request with a proof of integrity.
fn asking() -> Vec<u8> {
    let mut packet = [&CHECK[..], &[0, 8, 0, 20], &[7; 20]].concat();
    packet[3] = 24;
    packet
}

impl Place {
    fn porch(&self) -> &Porch {
        self.plugged.pace.porch()
    }

    async fn asks(&self, remote: SocketAddr) {
        self.plugged.handle.send_to(&asking(), remote).await.unwrap();
    }

    async fn answers(&self, remote: SocketAddr) {
        let mut answer = asking();
        answer[0] = 1;
        self.plugged.handle.send_to(&answer, remote).await.unwrap();
    }

    /// What QUIC reads now.
    fn read(&self) -> Option<(SocketAddr, Vec<u8>)> {
        let (mut buffer, mut meta) = ([0; PACKET_BYTES], [RecvMeta::default()]);
        let read = std::future::poll_fn(|cx| self.door.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta));
        read.now_or_never()?.unwrap();
        Some((meta[0].addr, buffer[..meta[0].len].to_vec()))
    }

    fn send(&self, contents: &[u8], destination: SocketAddr) {
        let destination = mapped(destination);
        let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
        self.door.try_send(&transmit).unwrap();
    }

    fn greeted(&self) -> Option<SocketAddr> {
        self.porch().next().now_or_never()
    }
}

/// What came, without checks and answers.
fn quic(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut buffer = [0; 2048];
    let packets = std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()));
    packets.filter(|packet| Protocol::of(packet) == Protocol::Quic).collect()
}

#[tokio::test]
async fn who_offers_hears_and_answers_only_whose_check_was_answered() {
    let place = place(Role::Offer);
    let ((peer, there), (stranger, nowhere)) = (neighbour(), neighbour());
    place.asks(there).await;
    assert_eq!(place.greeted(), None);
    for (from, taken) in [(there, false), (nowhere, false)] {
        assert_eq!(place.porch().takes(from, &[LONG; 1200]), taken);
    }
    assert_eq!(place.read(), None);
    place.answers(there).await;
    assert_eq!(place.read(), Some((mapped(there), vec![LONG; 1200])), "it was early");
    assert!(place.porch().takes(there, &[SHORT; 60]));
    assert_eq!((place.read(), place.read()), (Some((mapped(there), vec![SHORT; 60])), None));
    place.send(&[LONG; 1200], nowhere);
    place.send(&[LONG; 1201], there);
    assert_eq!((quic(&stranger), quic(&peer)), (vec![], vec![vec![LONG; 1201]]));
    // What the library is for is left to it.
    for other in [&CHECK[..], &[22; 40], &[128; 40], &[], &[LONG; PACKET_BYTES + 1]] {
        assert!(!place.porch().takes(there, other), "{other:?}");
    }
}

#[tokio::test]
async fn who_answers_greets_what_is_asked_and_again_what_answers_unless_it_was_heard() {
    let place = place(Role::Answer);
    let peers = [(); 3].map(|()| neighbour());
    // Who asks a server for its own address does so without a proof.
    let (server, elsewhere) = neighbour();
    place.plugged.handle.send_to(&CHECK, elsewhere).await.unwrap();
    assert_eq!(place.greeted(), None);
    for (_, there) in &peers {
        place.asks(*there).await;
        place.asks(*there).await;
        assert_eq!(place.greeted(), Some(*there));
        place.send(&[LONG; 1200], *there);
    }
    assert_eq!(place.greeted(), None, "one each");
    assert!(place.porch().takes(peers[0].1, &[LONG; 300]));
    for (_, there) in &peers[..2] {
        place.answers(*there).await;
        place.answers(*there).await;
    }
    let heard = peers.each_ref().map(|(socket, _)| quic(socket).len());
    assert_eq!(heard, [1, 2, 1]);
    assert!(quic(&server).is_empty());
    // One that is proven says for itself what it repeats.
    place.send(&[LONG; 1200], peers[1].1);
    place.answers(peers[1].1).await;
    assert_eq!(quic(&peers[1].0).len(), 1);
}

#[tokio::test]
async fn neither_addresses_nor_packets_fill_the_memory() {
    let place = place(Role::Answer);
    let peers: Vec<_> = (0..PATHS + 2).map(|_| neighbour()).collect();
    for (_, there) in &peers {
        place.porch().takes(*there, &[LONG; 1200]);
        place.asks(*there).await;
    }
    let count = || std::iter::from_fn(|| place.greeted()).count();
    assert_eq!(count(), GREETED);
    for (_, there) in &peers {
        place.answers(*there).await;
    }
    assert_eq!(count(), PATHS - GREETED);
    for _ in 0..2 * PACKETS {
        place.porch().takes(peers[0].1, &[SHORT; 60]);
        place.porch().takes(peers[PATHS + 1].1, &[SHORT; 60]);
    }
    assert!(place.porch().state().early.len() <= EARLY);
    assert_eq!(std::iter::from_fn(|| place.read()).count(), PACKETS);
}

#[tokio::test]
async fn one_that_is_closed_takes_nothing_and_keeps_nothing() {
    let place = place(Role::Answer);
    let (peer, there) = neighbour();
    place.answers(there).await;
    assert!(place.porch().takes(there, &[LONG; 1200]));
    place.porch().close();
    assert!(!place.porch().takes(there, &[LONG; 1200]));
    place.asks(there).await;
    place.answers(there).await;
    place.send(&[LONG; 1200], there);
    assert_eq!((place.read(), place.greeted(), quic(&peer)), (None, None, vec![]));
}

#[test]
fn addresses_are_the_same_there_and_back() {
    for address in ["192.0.2.7:9", "[2001:db8::7]:9"].map(|address| address.parse().unwrap()) {
        assert!(mapped(address).is_ipv6());
        assert_eq!(bare(mapped(address)), address);
    }
}
