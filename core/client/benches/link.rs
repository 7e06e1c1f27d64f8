//! What a link costs on loopback: time to come up by phase, records, sound, wake-ups, memory. Both ends run here.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sidetone::link::{Bind, Link, News, Role, RoutePolicy, SendRefused, Settings, Trust, Watch};
use tokio::sync::mpsc;

#[path = "../tests/link/wire.rs"]
mod wire;

use wire::Wire;

struct End {
    link: Link,
    news: mpsc::Receiver<News>,
}

async fn open(role: Role, watch: Watch) -> End {
    let (tell, news) = mpsc::channel(64);
    let bind = Bind::Only(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let link = Link::open(
        Settings { role, servers: vec![], policy: RoutePolicy::Any, bind, watch, trust: Trust::default() },
        tell,
    )
    .await
    .unwrap();
    End { link, news }
}

fn carry(news: News, to: &Link) -> bool {
    match news {
        News::Local(description) => to.accept(description).unwrap(),
        News::Candidate(candidate) => to.add_candidate(candidate).unwrap(),
        News::Up { .. } => return true,
        News::Down(reason) => panic!("{reason:?}"),
        _ => {}
    }
    false
}

async fn connect() -> (End, End) {
    connect_over(None, Watch::Close).await
}

async fn connect_over(wire: Option<&Wire>, watch: Watch) -> (End, End) {
    let (mut a, mut b) = tokio::join!(open(Role::Offer, watch), open(Role::Answer, watch));
    let carry = |end: usize, news: News, to: &Link| match wire {
        Some(wire) => wire.through(end, news).is_some_and(|news| carry(news, to)),
        None => carry(news, to),
    };
    let mut up = [false; 2];
    while up != [true; 2] {
        tokio::select! {
            Some(news) = a.news.recv() => up[0] |= carry(0, news, &b.link),
            Some(news) = b.news.recv() => up[1] |= carry(1, news, &a.link),
        }
    }
    (a, b)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn status(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Seconds of processor time used by this process so far (clock ticks of 10 ms).
fn processor_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

async fn setup() {
    let (mut whole, mut described, mut path, mut shook, mut first) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..100 {
        let began = Instant::now();
        let (a, b) = connect().await;
        whole.push(began.elapsed().as_secs_f64() * 1e3);
        let ms = |later: Option<Duration>, earlier: Option<Duration>| {
            (later.unwrap() - earlier.unwrap_or_default()).as_secs_f64() * 1e3
        };
        let (at_a, at_b) = (a.link.phases(), b.link.phases());
        described.push(ms(at_a.described, None));
        path.push(ms(at_a.path, at_a.described));
        shook.push(ms(at_a.up, at_a.path));
        first.push(ms(at_b.up, at_b.described));
        a.link.close().await;
        b.link.close().await;
    }
    println!("link up, from nothing, both ends            {:8.2} ms (median of 100)", median(whole));
    println!("  open to description taken, offering end   {:8.2} ms", median(described));
    println!("  path found                                {:8.2} ms", median(path));
    println!("  handshakes                                {:8.2} ms", median(shook));
    println!("  description taken to up, answering end    {:8.2} ms", median(first));
}

async fn far() {
    for (name, lost_of) in [("no loss", 0), ("1 % loss", 100)] {
        let mut times = vec![];
        for _ in 0..20 {
            let wire = Wire::new(Duration::from_millis(20), lost_of).await;
            let began = Instant::now();
            let (a, b) = connect_over(Some(&wire), Watch::Close).await;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            a.link.close().await;
            b.link.close().await;
        }
        println!("link up, 40 ms round trip, {name:8}         {:8.1} ms (median of 20)", median(times));
    }
}

async fn throughput(bytes: usize, total: usize) {
    let (a, mut b) = connect().await;
    let count = total / bytes;
    let (began, used) = (Instant::now(), processor_s());
    let send = async {
        for _ in 0..count {
            let mut record = vec![7u8; bytes];
            while let Err(refused) = a.link.send(record) {
                assert_eq!(refused, SendRefused::Full);
                a.link.room().await;
                record = vec![7u8; bytes];
            }
        }
    };
    let take = async {
        let mut taken = 0;
        while taken < count {
            match b.news.recv().await.unwrap() {
                News::Record(record) => {
                    assert_eq!(record.len(), bytes);
                    taken += 1;
                }
                News::Down(reason) => panic!("{reason:?}"),
                _ => {}
            }
        }
    };
    tokio::join!(send, take);
    let (s, used) = (began.elapsed().as_secs_f64(), processor_s() - used);
    let mib = (count * bytes) as f64 / (1 << 20) as f64;
    println!(
        "records of {bytes:6} B                         {:8.1} MiB/s {:9.0} records/s {:6.2} s of CPU per GiB, both ends",
        mib / s,
        count as f64 / s,
        used * 1024.0 / mib
    );
    a.link.close().await;
    b.link.close().await;
}

async fn round_trip() {
    let (mut a, mut b) = connect().await;
    let mut times = vec![];
    for _ in 0..2000 {
        let began = Instant::now();
        a.link.send(vec![1; 100]).unwrap();
        while !matches!(b.news.recv().await.unwrap(), News::Record(_)) {}
        b.link.send(vec![2; 100]).unwrap();
        while !matches!(a.news.recv().await.unwrap(), News::Record(_)) {}
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    println!("round trip of a 100 B record                {:8.3} ms (median of 2000)", median(times));
    a.link.close().await;
    b.link.close().await;
}

async fn sound() {
    let (a, b) = connect().await;
    let (from, to) = (a.link.media(), b.link.media());
    let (mut delay, used, began) = (vec![], processor_s(), Instant::now());
    let mut every = tokio::time::interval(Duration::from_millis(20));
    for number in 0..500u16 {
        every.tick().await;
        let sent = Instant::now();
        from.send_audio(number, 960 * u32::from(number), false, Bytes::from(vec![5; 160]));
        delay.push((to.audio().await.arrival - sent).as_secs_f64() * 1e3);
    }
    let used = (processor_s() - used) * 1e3 / began.elapsed().as_secs_f64();
    println!(
        "sound, port to port, 50 packets a second    {:8.3} ms (median) {used:9.1} ms of CPU a second, both ends",
        median(delay)
    );
    a.link.close().await;
    b.link.close().await;
}

async fn idle() {
    let mut pairs = vec![];
    pairs.push(connect().await);
    let before = status("VmRSS:");
    for _ in 0..50 {
        pairs.push(connect().await);
    }
    println!("memory per further link, connected          {:8.0} KiB", (status("VmRSS:") - before) / 100.0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let woken = |pairs: &[(End, End)]| pairs.iter().map(|(a, b)| a.link.wakeups() + b.link.wakeups()).sum::<u64>();
    let (first, used) = (woken(&pairs), processor_s());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let links = 2.0 * pairs.len() as f64;
    println!(
        "wake-ups of an idle link                    {:8.2} a second",
        (woken(&pairs) - first) as f64 / 20.0 / links
    );
    println!(
        "processor time of an idle link              {:8.3} ms a second",
        (processor_s() - used) * 1e3 / 20.0 / links
    );
    for (watch, name) in [(Watch::Close, "watched closely"), (Watch::Loose, "watched loosely")] {
        let wire = Wire::new(Duration::ZERO, 0).await;
        let _quiet = connect_over(Some(&wire), watch).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let first = wire.bytes();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let kilobytes = (wire.bytes() - first) as f64 * 3.0 / 1e3;
        println!("UDP payload of an idle link, {name} {kilobytes:8.2} kB a minute, both ways");
    }
    for (a, b) in pairs {
        tokio::join!(a.link.close(), b.link.close());
    }
}

#[tokio::main]
async fn main() {
    setup().await;
    far().await;
    round_trip().await;
    throughput(64 * 1024, 512 << 20).await;
    throughput(1024, 64 << 20).await;
    throughput(100, 16 << 20).await;
    sound().await;
    idle().await;
}
