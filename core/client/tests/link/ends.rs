//! Two ends of a link, and what every test does with them.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sidetone::link::{
    Bind, Candidate, Description, DownReason, Link, News, Role, Route, RoutePolicy, Settings, Trust, Watch,
};
use tokio::sync::mpsc;

use super::relay::{Manner, relay};
use super::wire::Wire;

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub struct End {
    pub link: Link,
    pub news: mpsc::Receiver<News>,
}

pub async fn guard<T>(limit_s: u64, what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(limit_s), what).await.expect("nothing happened")
}

pub fn settings(role: Role) -> Settings {
    Settings {
        role,
        servers: vec![],
        policy: RoutePolicy::Any,
        bind: Bind::Only(vec![LOOPBACK]),
        watch: Watch::Close,
        trust: Trust::default(),
    }
}

pub async fn open(settings: Settings, behind: usize) -> End {
    let (tell, news) = mpsc::channel(behind);
    End { link: Link::open(settings, tell).await.unwrap(), news }
}

/// Carries one piece of news to the other end; hands back what is not signaling.
pub fn carry(news: News, to: &Link) -> Option<News> {
    match news {
        News::Local(description) => to.accept(description).unwrap(),
        News::Candidate(candidate) => to.add_candidate(candidate).unwrap(),
        News::Gathered => {}
        other => return Some(other),
    }
    None
}

/// Carries signaling both ways until `enough` has seen what it waits for.
pub async fn until(a: &mut End, b: &mut End, enough: impl FnMut(usize, News) -> bool) {
    until_over(None, a, b, enough).await;
}

pub async fn until_over(wire: Option<&Wire>, a: &mut End, b: &mut End, mut enough: impl FnMut(usize, News) -> bool) {
    let carry = |end: usize, news: News, to: &Link| match wire {
        Some(wire) => wire.through(end, news).and_then(|news| carry(news, to)),
        None => carry(news, to),
    };
    loop {
        let (place, news) = tokio::select! {
            Some(news) = a.news.recv() => (0, carry(0, news, &b.link)),
            Some(news) = b.news.recv() => (1, carry(1, news, &a.link)),
            else => panic!("both ends fell silent"),
        };
        if news.is_some_and(|news| enough(place, news)) {
            return;
        }
    }
}

pub async fn connect(a: &mut End, b: &mut End) -> [(Route, [u8; 32]); 2] {
    let mut ups = [None, None];
    until(a, b, |place, news| {
        if let News::Up { route, fingerprint } = news {
            ups[place] = Some((route, fingerprint));
        }
        ups.iter().all(Option::is_some)
    })
    .await;
    ups.map(Option::unwrap)
}

pub async fn pair() -> (End, End) {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    guard(20, connect(&mut a, &mut b)).await;
    (a, b)
}

pub async fn record(end: &mut End) -> Vec<u8> {
    loop {
        match end.news.recv().await.expect("the link ended") {
            News::Record(record) => return record,
            News::Down(reason) => panic!("down: {reason:?}"),
            _ => {}
        }
    }
}

pub async fn down(end: &mut End) -> DownReason {
    loop {
        if let News::Down(reason) = end.news.recv().await.expect("the end came unannounced") {
            return reason;
        }
    }
}

pub async fn local(end: &mut End) -> Description {
    loop {
        if let News::Local(description) = end.news.recv().await.unwrap() {
            return description;
        }
    }
}

/// Every candidate offered until gathering is over.
pub async fn gathered(end: &mut End) -> Vec<Candidate> {
    let mut offered = vec![];
    loop {
        match end.news.recv().await.unwrap() {
            News::Candidate(candidate) => offered.push(candidate),
            News::Gathered => return offered,
            _ => {}
        }
    }
}

pub fn patterned(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|place| (place.wrapping_mul(31) ^ seed.wrapping_mul(17)) as u8).collect()
}

pub async fn wired_pair(wire: &Wire) -> (End, End) {
    let (mut a, mut b) = (open(settings(Role::Offer), 64).await, open(settings(Role::Answer), 64).await);
    let mut up = [false; 2];
    let both = |place: usize, news| {
        up[place] |= matches!(news, News::Up { .. });
        up == [true; 2]
    };
    guard(20, until_over(Some(wire), &mut a, &mut b, both)).await;
    (a, b)
}

/// Two ends that may use relays only, each with its own.
pub async fn relayed_pair() -> (End, End) {
    let through = |server, role| Settings { policy: RoutePolicy::RelayOnly, servers: vec![server], ..settings(role) };
    let a = open(through(relay(Manner::Willing).await, Role::Offer), 64).await;
    let b = open(through(relay(Manner::Willing).await, Role::Answer), 64).await;
    (a, b)
}
