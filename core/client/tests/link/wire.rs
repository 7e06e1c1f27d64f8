//! A wire between two ends on loopback that can be cut, is as long as one likes, and counts what passes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sidetone::link::{Candidate, News};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Where one end plugs in: the socket that stands for its peer, and where the end itself listens.
struct Plug {
    socket: UdpSocket,
    end: tokio::sync::OnceCell<SocketAddr>,
}

/// Says of a packet, and the end it comes from, whether it passes.
type Sieve = Box<dyn FnMut(usize, &[u8]) -> bool + Send>;

pub struct Wire {
    plugs: [Arc<Plug>; 2],
    cut: Arc<AtomicBool>,
    sieve: Arc<Mutex<Sieve>>,
    bytes: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

/// Whether a packet is one of DTLS, and of QUIC (RFC 9443 section 2).
#[allow(dead_code, reason = "the benchmark looks into nothing")]
pub fn is_dtls(packet: &[u8]) -> bool {
    matches!(packet.first(), Some(20..64))
}

#[allow(dead_code, reason = "the benchmark looks into nothing")]
pub fn is_quic(packet: &[u8]) -> bool {
    matches!(packet.first(), Some(64..128 | 192..))
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Wire {
    /// A wire on which every packet takes `delay`, and one in `lost_of` is lost; 0 is none.
    pub async fn new(delay: Duration, lost_of: u64) -> Self {
        let plug = || async {
            let socket = UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
            Arc::new(Plug { socket, end: tokio::sync::OnceCell::new() })
        };
        let plugs = [plug().await, plug().await];
        let (cut, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let sieve = Arc::new(Mutex::new(Box::new(|_, _: &[u8]| true) as Sieve));
        let mut tasks = vec![];
        for (end, to) in [(0, 1), (1, 0)] {
            let (from, to) = (Arc::clone(&plugs[end]), Arc::clone(&plugs[to]));
            let (put, mut take) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
            let (cut, bytes, sieve) = (Arc::clone(&cut), Arc::clone(&bytes), Arc::clone(&sieve));
            tasks.push(tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let mut chance = 88_172_645_463_325_252_u64;
                while let Ok((length, _)) = from.socket.recv_from(&mut buffer).await {
                    bytes.fetch_add(length as u64, Ordering::Relaxed);
                    chance ^= chance << 13;
                    chance ^= chance >> 7;
                    chance ^= chance << 17;
                    let lost = lost_of > 0 && chance.is_multiple_of(lost_of);
                    let passes = sieve.lock().unwrap()(end, &buffer[..length]);
                    if passes && !lost && !cut.load(Ordering::Relaxed) {
                        let _ = put.send((Instant::now() + delay, buffer[..length].to_vec()));
                    }
                }
            }));
            tasks.push(tokio::spawn(async move {
                while let Some((due, packet)) = take.recv().await {
                    if due > Instant::now() {
                        tokio::time::sleep_until(due).await;
                    }
                    if let Some(end) = to.end.get() {
                        let _ = to.socket.send_to(&packet, end).await;
                    }
                }
            }));
        }
        Self { plugs, cut, sieve, bytes, tasks }
    }

    /// Puts the wire in the way of an end's first address: the other end gets the wire's instead, and no other.
    pub fn through(&self, end: usize, news: News) -> Option<News> {
        let News::Candidate(candidate) = news else { return Some(news) };
        let taken = self.plugs[end].end.set(candidate.address()).is_ok();
        let stand_in = self.plugs[1 - end].socket.local_addr().unwrap();
        let (kind, protocol, priority) = (candidate.kind(), candidate.protocol(), candidate.priority());
        taken.then(|| {
            News::Candidate(Candidate::new(kind, protocol, stand_in, priority, candidate.foundation()).unwrap())
        })
    }

    /// Lets only those packets pass that the sieve lets pass.
    #[allow(dead_code, reason = "the benchmark cuts nothing")]
    pub fn sift(&self, sieve: impl FnMut(usize, &[u8]) -> bool + Send + 'static) {
        *self.sieve.lock().unwrap() = Box::new(sieve);
    }

    #[allow(dead_code, reason = "the benchmark cuts nothing")]
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    #[allow(dead_code, reason = "the benchmark cuts nothing")]
    pub fn mend(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }

    /// Bytes of UDP payload that entered, both ways.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
