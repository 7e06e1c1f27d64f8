//! Checks that come before the candidates that they come from.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sidetone::link::description::Kind;
use sidetone::link::{Candidate, News, Role, Route, Settings};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ends::{End, carry, connect, guard, open, settings, until};
use super::relay::{Manner, relay};

/// Attempts of which one has to succeed in time: on a busy machine some do not.
const ATTEMPTS: usize = 10;
/// After the first check, where nothing is waited for: checks are sent every 100 ms.
const CHOSEN_AFTER: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_check_that_overtakes_its_candidate_costs_no_time() {
    let mut least = [Duration::MAX; 2];
    for _ in 0..ATTEMPTS {
        let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
        let begun = guard(20, overtaken(&mut a, &mut b, |news| matches!(news, News::Up { .. }))).await;
        guard(20, quiet(&a)).await;
        a.link.restart_ice().unwrap();
        let again = guard(20, overtaken(&mut a, &mut b, |news| matches!(news, News::Restored))).await;
        least = [least[0].min(begun), least[1].min(again)];
    }
    // A check that is lost costs 100 ms.
    assert!(least.iter().all(|least| *least < Duration::from_millis(50)), "{least:?}");
}

/// Waits until nothing comes to an end any more.
async fn quiet(end: &End) {
    let (mut pace, mut last, mut unchanged) = (tokio::time::interval(Duration::from_millis(1)), 0, 0);
    while unchanged < 100 {
        pace.tick().await;
        let now = end.link.meter().read().peer.received;
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
}

/// How long it takes until both ends say so after candidates were told that had been checked already.
async fn overtaken(a: &mut End, b: &mut End, is_it: fn(&News) -> bool) -> Duration {
    let received = |end: &End| end.link.meter().read().peer.received;
    let (mut late, mut before, mut pace) = (vec![], 0, tokio::time::interval(Duration::from_millis(1)));
    while late.is_empty() || received(a) == before {
        if late.is_empty() {
            before = received(a);
        }
        tokio::select! {
            Some(news) = a.news.recv() => drop(carry(news, &b.link)),
            Some(news) = b.news.recv() => match news {
                News::Candidate(candidate) => late.push(candidate),
                news => drop(carry(news, &a.link)),
            },
            _ = pace.tick() => {}
        }
    }
    let told = Instant::now();
    late.into_iter().for_each(|candidate| a.link.add_candidate(candidate).unwrap());
    let mut are = [false; 2];
    let both = |end: usize, news: News| {
        are[end] |= is_it(&news);
        are == [true; 2]
    };
    until(a, b, both).await;
    told.elapsed()
}

#[tokio::test]
async fn a_relay_whose_checks_come_first_is_not_taken_before_a_direct_path() {
    // The control: where nothing direct passes, the relay is taken in the end.
    let relayed = guard(20, relay_first(false)).await;
    assert!(relayed.iter().all(|route| matches!(route, Route::Relayed { .. })), "{relayed:?}");
    let mut routes = vec![];
    while routes.len() < ATTEMPTS {
        let now = guard(20, relay_first(true)).await;
        if now.iter().all(|route| matches!(route, Route::Direct { .. })) {
            return;
        }
        routes.push(now);
    }
    panic!("{routes:?}");
}

/// The routes of a link of which a relay's checks arrive before its candidate, and before anything that is direct,
/// which passes only if it `opens`.
async fn relay_first(opens: bool) -> [Route; 2] {
    let mut a = open(settings(Role::Offer), 64).await;
    let mut b = open(Settings { servers: vec![relay(Manner::Willing).await], ..settings(Role::Answer) }, 64).await;
    let (mut early, mut late) = (vec![], vec![]);
    while late.len() < 2 {
        tokio::select! {
            Some(news) = a.news.recv() => early.push(news),
            Some(news) = b.news.recv() => match news {
                News::Candidate(candidate) => late.push(candidate),
                news => drop(carry(news, &a.link)),
            },
        }
    }
    let direct = late.iter().find(|candidate| candidate.kind() == Kind::Host).unwrap().address();
    let candidates = early.extract_if(.., |news| matches!(news, News::Candidate(_))).collect::<Vec<_>>();
    let Some(News::Candidate(candidate)) = candidates.first() else { panic!("{candidates:?}") };
    let router = Router::new(candidate.address(), direct).await;
    for news in early {
        carry(news, &b.link);
    }
    b.link.add_candidate(at(candidate, router.outside)).unwrap();
    router.shared.insisted.notified().await;
    router.shared.open.store(opens, Ordering::Relaxed);
    for candidate in late {
        let inside = router.shared.inside(candidate.address()).await.local_addr().unwrap();
        a.link.add_candidate(at(&candidate, inside)).unwrap();
    }
    connect(&mut a, &mut b).await.map(|(route, _)| route)
}

fn at(candidate: &Candidate, address: SocketAddr) -> Candidate {
    let (kind, protocol, priority) = (candidate.kind(), candidate.protocol(), candidate.priority());
    Candidate::new(kind, protocol, address, priority, candidate.foundation()).unwrap()
}

/// What one end is reached through; at first it lets nothing pass that comes from the other end itself.
struct Router {
    outside: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    outside: UdpSocket,
    end: SocketAddr,
    direct: SocketAddr,
    open: AtomicBool,
    /// Told when packets have come by another way for so long that a path would have been chosen.
    insisted: Notify,
    /// Where the end sees each sender.
    inside: Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>,
    new: mpsc::UnboundedSender<(SocketAddr, Arc<UdpSocket>)>,
}

impl Router {
    async fn new(end: SocketAddr, direct: SocketAddr) -> Self {
        let outside = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = outside.local_addr().unwrap();
        let (new, mut arrivals) = mpsc::unbounded_channel();
        let (open, insisted, inside) = (AtomicBool::new(false), Notify::new(), Mutex::default());
        let shared = Arc::new(Shared { outside, end, direct, open, insisted, inside, new });
        let mut tasks = JoinSet::new();
        let inward = Arc::clone(&shared);
        tasks.spawn(async move {
            let (mut buffer, mut first) = ([0; 4096], None);
            while let Ok((length, from)) = inward.outside.recv_from(&mut buffer).await {
                if from == inward.direct && !inward.open.load(Ordering::Relaxed) {
                    continue;
                }
                inward.inside(from).await.send_to(&buffer[..length], inward.end).await.unwrap();
                if from != inward.direct && first.get_or_insert_with(Instant::now).elapsed() > CHOSEN_AFTER {
                    inward.insisted.notify_one();
                }
            }
        });
        let outward = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut senders = JoinSet::new();
            while let Some((to, inside)) = arrivals.recv().await {
                let outward = Arc::clone(&outward);
                senders.spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok((length, _)) = inside.recv_from(&mut buffer).await {
                        outward.outside.send_to(&buffer[..length], to).await.unwrap();
                    }
                });
            }
        });
        Self { outside: address, shared, _tasks: tasks }
    }
}

impl Shared {
    async fn inside(&self, from: SocketAddr) -> Arc<UdpSocket> {
        if let Some(known) = self.inside.lock().unwrap().get(&from) {
            return Arc::clone(known);
        }
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let mut inside = self.inside.lock().unwrap();
        let known = inside.entry(from).or_insert_with(|| {
            let _ = self.new.send((from, Arc::clone(&socket)));
            socket
        });
        Arc::clone(known)
    }
}
