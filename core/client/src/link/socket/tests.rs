use std::future::poll_fn;

use quinn::AsyncUdpSocket as _;

use super::super::{RoutePolicy, Trust};
use super::*;

/// What the library would hold of a socket on loopback, and the way it sends its records.
pub(in super::super) struct Plugged {
    pub(in super::super) handle: Handle,
    pub(in super::super) ways: watch::Receiver<Option<Way>>,
    pub(in super::super) pace: Arc<Pace>,
}

pub(in super::super) fn plug() -> Plugged {
    plug_with(Pace::new(RoutePolicy::Any))
}

pub(in super::super) fn plug_with(pace: Pace) -> Plugged {
    let (tell, ways) = watch::channel(None);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let tunnels = Arc::new(Tunnels::new(&[], &Trust::default()).unwrap());
    let (pace, pulse) = (Arc::new(pace), Arc::new(Pulse::new()));
    let handle = Socket::wrap(socket, Arc::clone(&pace), pulse, tell, tunnels).unwrap();
    Plugged { handle, ways, pace }
}

impl Plugged {
    /// Sends a record, by which the way is known.
    pub(in super::super) async fn way_to(&self, remote: SocketAddr) -> Way {
        self.handle.send_to(&[22; 40], remote).await.unwrap();
        self.ways.borrow().clone().unwrap()
    }

    /// Takes a way without sending anything.
    pub(in super::super) fn take_way(&self, remote: SocketAddr) {
        let way = Way { socket: Arc::downgrade(&self.handle.0), remote };
        self.handle.0.way.send_replace(Some(way));
    }

    pub(in super::super) async fn read(&self) -> (SocketAddr, Vec<u8>) {
        let mut buffer = vec![0; 64 * 1500];
        let (length, from) = self.handle.recv_from(&mut buffer).await.unwrap();
        (from, buffer[..length].to_vec())
    }
}

async fn tapped(tap: &Tap) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; 64 * 1500];
    let mut meta = [QuicMeta::default()];
    poll_fn(|cx| tap.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta)).await.unwrap();
    buffer[..meta[0].len].chunks(meta[0].stride).map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn only_the_peers_packets_reach_quic_and_the_library_gets_all_others() {
    let near = plug();
    let [peer, stranger] = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let (here, there) = (near.handle.local_addr().unwrap(), peer.local_addr().unwrap());
    let tap = Tap::new(&near.way_to(there).await).unwrap();
    assert!(Tap::new(&near.way_to(there).await).is_none(), "one at a time");
    stranger.send_to(&[0x40; 1200], here).unwrap();
    stranger.send_to(&[0xc0; 1200], here).unwrap();
    peer.send_to(&[128; 90], here).unwrap();
    peer.send_to(&[22; 50], here).unwrap();
    stranger.send_to(&[1; 20], here).unwrap();
    peer.send_to(&[0xc1; 1200], here).unwrap();
    assert_eq!(tapped(&tap).await, [vec![0xc1; 1200]]);
    for (from, first, length) in
        [(&stranger, 0x40, 1200), (&stranger, 0xc0, 1200), (&peer, 128, 90), (&peer, 22, 50), (&stranger, 1, 20)]
    {
        assert_eq!(near.read().await, (from.local_addr().unwrap(), vec![first; length]));
    }
    assert_eq!(tap.foreign(), 2);
    // What QUIC would send anywhere else is not sent.
    let elsewhere = QuicTransmit {
        destination: stranger.local_addr().unwrap(),
        ecn: None,
        contents: &[0x40; 100],
        segment_size: None,
        src_ip: None,
    };
    tap.try_send(&elsewhere).unwrap();
    stranger.set_nonblocking(true).unwrap();
    assert_eq!(stranger.recv_from(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    // Without a tap the library reads again.
    drop(tap);
    peer.send_to(&[0x41; 30], here).unwrap();
    assert_eq!(near.read().await, (there, vec![0x41; 30]));
}

#[tokio::test]
async fn packets_that_the_kernel_joined_are_told_apart_one_by_one() {
    let near = plug();
    let remote = "127.0.0.1:9".parse().unwrap();
    let tap = Tap::new(&near.way_to(remote).await).unwrap();
    let mut joined = Vec::new();
    for first in [0x40, 130, 0xc0, 22, 0x41, 0x42] {
        joined.extend([first; 100]);
    }
    joined.extend([0x43; 60]);
    let length = joined.len();
    let left = tap.sift(remote, &mut joined, length, 100);
    let firsts: Vec<u8> = joined[..left].chunks(100).map(|packet| packet[0]).collect();
    assert_eq!((firsts, left), (vec![0x40, 0xc0, 0x41, 0x42, 0x43], 460));
    assert_eq!(near.read().await.1, [130; 100]);
    assert_eq!(near.read().await.1, [22; 100]);
}

#[tokio::test]
async fn the_library_gets_packets_that_the_kernel_joined_one_by_one() {
    let [near, far] = [plug(), plug()];
    let (here, there) = (near.handle.local_addr().unwrap(), far.handle.local_addr().unwrap());
    assert!(far.handle.max_gso_segments() > 1, "this system joins nothing, so nothing is shown");
    assert_eq!(near.handle.max_gro_segments(), 1, "or the library keeps a buffer for all");
    for round in 0..2 {
        let contents = [[21 + round; 100], [22 + round; 100]].concat();
        let contents = [&contents[..], &[23 + round; 60]].concat();
        let (destination, segment_size) = (here, Some(100));
        let sent = Transmit { destination, ecn: None, contents: &contents, segment_size, src_ip: None };
        poll_fn(|cx| far.handle.poll_send(cx, &sent)).await.unwrap();
        for (first, length) in [(21, 100), (22, 100), (23, 60)] {
            let read = tokio::time::timeout(std::time::Duration::from_secs(20), near.read()).await;
            assert_eq!(read.expect("it came with the first"), (there, vec![first + round; length]));
        }
    }
}

#[tokio::test]
async fn a_flood_for_the_library_does_not_fill_the_memory() {
    let near = plug();
    let remote: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let tap = Tap::new(&near.way_to(remote).await).unwrap();
    for _ in 0..3 * OTHERS {
        tap.leave(remote, Protocol::Dtls, &[22; 1200]);
    }
    assert_eq!(near.handle.0.others.get().unwrap().len(), OTHERS);
}
