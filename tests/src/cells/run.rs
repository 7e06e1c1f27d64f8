//! One pair of situations, set up and tried.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use lab::net::{HostId, Net, Site};
use lab::{Namespace, Unavailable};
use sidetone::connectivity::{ConnectivityReport, Verdict};
use sidetone::{
    Addresses, CallState, Client, Config, Cost, Event, FixedKey, PeerId, Plain, Reach, Route, RoutePolicy, Standing,
    UserId,
};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config as ServerConfig, RelayConfig, Server};
use tokio::sync::oneshot;

use super::place::{PORTAL, Place, Spot, Together, captive, settle, settle_together};
use super::{Cell, Rule, Truth, Way, truth};
use crate::real::until;

/// Where the server is.
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1);
/// How long each packet takes, one way.
const DELAY: Duration = Duration::from_millis(10);
/// How long a phone may take to know why there is no way.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happened in a cell.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which.
    pub cell: Cell,
    /// What should happen.
    pub truth: Truth,
    /// How they met.
    pub way: Way,
    /// Milliseconds from the answer until both could speak.
    pub setup_ms: Option<u64>,
    /// What each phone says of it.
    pub reports: [ConnectivityReport; 2],
}

impl Outcome {
    /// Whether they met as they should.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.way == self.truth.way
    }

    /// How many of the two explanations are right.
    #[must_use]
    pub fn right(&self) -> usize {
        self.reports.iter().zip(self.truth.causes).filter(|(report, cause)| report.cause == *cause).count()
    }
}

/// Two phones and a server in namespaces.
struct Stage {
    net: Net,
    hosts: Vec<HostId>,
    spots: [Spot; 2],
    namespaces: [Namespace; 2],
    phones: [Client; 2],
    friend: [UserId; 2],
    folder: tempfile::TempDir,
    cell: Cell,
    /// Dropping it ends the server.
    _server: oneshot::Sender<()>,
    _elsewhere: [Namespace; 2],
}

/// Sets a pair up and tries it.
///
/// # Errors
/// [`Unavailable`] where a laboratory cannot be set up.
///
/// # Panics
/// If the phones do not even become friends.
pub async fn run(cell: Cell) -> Result<Outcome, Unavailable> {
    let mut stage = Stage::set(cell).await?;
    let (way, setup_ms) = match cell.places[0] {
        Place::Captive => {
            stage.catch().await;
            (Way::Fails, None)
        }
        _ => stage.call().await,
    };
    let failed = way == Way::Fails;
    let reports = [stage.explain(0, failed).await, stage.explain(1, failed).await];
    for phone in &stage.phones {
        phone.close().await;
    }
    Ok(Outcome { cell, truth: truth(&cell), way, setup_ms, reports })
}

/// A call of which the first phone shows no address, and then shows it: how many packets that the second sends or gets hold it,
/// before and after.
///
/// # Errors
/// [`Unavailable`] where a laboratory cannot be set up.
///
/// # Panics
/// If the call does not come about, or does not go direct once it may.
pub async fn exposure() -> Result<[usize; 2], Unavailable> {
    let stage = Stage::set(Cell { places: [Place::Open; 2], together: Together::Apart, rule: Rule::Hides }).await?;
    stage.net.capture(stage.hosts[1]);
    assert_eq!(stage.call().await.0, Way::Relayed);
    let hidden = stage.seen();
    let phone = &stage.phones[0];
    phone.set_addresses(Addresses::Direct).await.expect("a preference");
    until(phone, "a direct route", || async {
        let call = phone.calls().await.expect("open").pop();
        call.filter(|call| call.state == CallState::Connected && matches!(call.route, Some(Route::Direct(_))))
    })
    .await;
    let shown = stage.seen();
    for phone in &stage.phones {
        phone.close().await;
    }
    Ok([hidden, shown])
}

impl Stage {
    /// How many packets at the second phone hold the address of the first, as it is or as STUN writes it.
    fn seen(&self) -> usize {
        let IpAddr::V4(address) = self.spots[0].addresses[0] else { return 0 };
        let plain = address.octets();
        // RFC 8489 section 14.2.
        let masked = (u32::from(address) ^ 0x2112_a442).to_be_bytes();
        let holds = |packet: &&Vec<u8>| packet.windows(4).any(|four| four == plain || four == masked);
        self.net.captured(self.hosts[1]).iter().filter(holds).count()
    }

    async fn set(cell: Cell) -> Result<Self, Unavailable> {
        let (server, portal) = (Namespace::new()?, Namespace::new()?);
        let namespaces = [Namespace::new()?, Namespace::new()?];
        let mut net = Net::new(DELAY);
        net.host(&server, Site::Internet, &[SERVER.into(), SERVER_V6.into()])?;
        net.host(&portal, Site::Internet, &[PORTAL.into()])?;
        let spots = match cell.together {
            Together::Apart => [settle(&mut net, cell.places[0], 0), settle(&mut net, cell.places[1], 1)],
            together => settle_together(&mut net, together),
        };
        let mut hosts = Vec::new();
        for (namespace, spot) in namespaces.iter().zip(&spots) {
            hosts.push(net.host(namespace, spot.site, &spot.addresses)?);
        }
        net.begin()?;
        let stop = serve(&server).await?;
        page(&portal)?;
        let folder = tempfile::tempdir().map_err(|error| Unavailable::Refused("a folder", error.to_string()))?;
        let phones = [0, 1].map(|number| open(&namespaces[number], &spots[number], folder.path(), number, cell));
        let friend = befriend(&phones).await;
        if cell.rule == Rule::Hides {
            phones[0].set_addresses(Addresses::Never).await.expect("a preference");
        }
        let _elsewhere = [server, portal];
        Ok(Self { net, hosts, spots, namespaces, phones, friend, folder, cell, _server: stop, _elsewhere })
    }

    /// The first phone's app ends and begins again in a network that wants a visitor to sign in.
    async fn catch(&mut self) {
        self.phones[0].close().await;
        self.net.replace(self.spots[0].router.expect("it is behind one"), captive());
        self.phones[0] = open(&self.namespaces[0], &self.spots[0], self.folder.path(), 0, self.cell);
    }

    /// The first phone calls, the second answers; gives the way, and how long it took from the answer.
    async fn call(&self) -> (Way, Option<u64>) {
        let [first, second] = &self.phones;
        let call = first.call(self.friend[0]).await.expect("a friend");
        until(second, "the ring", || async {
            let calls = second.calls().await.expect("open");
            calls.into_iter().find(|call| call.state == CallState::Ringing)
        })
        .await;
        let answered = Instant::now();
        second.answer(call).await.expect("it rings");
        let mut routes = Vec::new();
        for phone in &self.phones {
            match settled(phone).await {
                Some(route) => routes.push(route),
                None => return (Way::Fails, None),
            }
        }
        let took = u64::try_from(answered.elapsed().as_millis()).ok();
        // A direct path may follow a relayed one that was there first.
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = self.phones[0].calls().await.expect("open").pop().and_then(|call| call.route);
        let way = match now.unwrap_or(routes[0]) {
            Route::Direct(Reach::Lan) => Way::Lan,
            Route::Direct(Reach::Internet) => Way::Direct,
            Route::Relayed(..) => Way::Relayed,
        };
        (way, took)
    }

    /// What a phone says of the way; of one that failed once it is sure.
    async fn explain(&self, number: usize, failed: bool) -> ConnectivityReport {
        let peer = PeerId::Friend(self.friend[number]);
        let began = Instant::now();
        loop {
            let report = self.phones[number].connectivity(peer).await.expect("open");
            if !failed || report.verdict == Verdict::Failed || began.elapsed() > PATIENCE {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits until a phone's call is connected or over; gives its route.
async fn settled(phone: &Client) -> Option<Route> {
    let settle = async {
        loop {
            match phone.calls().await.expect("open").pop() {
                Some(call) if call.state == CallState::Connected => return call.route,
                Some(_) => {}
                None => return None,
            }
            phone.next_event().await?;
        }
    };
    tokio::time::timeout(PATIENCE, settle).await.ok().flatten()
}

fn open(namespace: &Namespace, spot: &Spot, folder: &Path, number: usize, cell: Cell) -> Client {
    let server = match spot.addresses.iter().any(IpAddr::is_ipv4) {
        true => SocketAddr::new(SERVER.into(), 443),
        false => SocketAddr::new(SERVER_V6.into(), 443),
    };
    let mut config =
        Config::new(format!("ws://{server}"), Some(folder.join(format!("{number}.db"))), FixedKey::new([7; 32]));
    config.plain = Plain::Anywhere;
    config.login_cost = Cost::Least;
    if number == 0 && cell.rule == Rule::DirectOnly {
        config.policy = RoutePolicy::DirectOnly;
    }
    // What it opens stays in the namespace of the thread that opens it.
    let opened = namespace.spawn(move || Client::open(config)).expect("a thread").join().expect("no panic");
    opened.expect("its namespace can be entered").expect("a client")
}

async fn befriend(phones: &[Client; 2]) -> [UserId; 2] {
    for (phone, name) in phones.iter().zip(["ada", "ben"]) {
        let connected = async { while phone.next_event().await != Some(Event::Connected(true)) {} };
        tokio::time::timeout(PATIENCE, connected).await.expect("the server answers");
        phone.register(name, &format!("{name}@example.org"), "a long password").await.expect("the name is free");
    }
    let second = phones[0].befriend("ben", None).await.expect("the name is known");
    let first = until(&phones[1], "the request", || async {
        let friends = phones[1].friends().await.expect("open");
        friends.into_iter().find(|friend| friend.standing == Standing::AskedUs).map(|friend| friend.user)
    })
    .await;
    phones[1].accept(first).await.expect("it can be accepted");
    for (phone, user) in phones.iter().zip([second, first]) {
        until(phone, "the friendship", || async {
            phone.friend(user).await.expect("open").filter(|friend| friend.standing == Standing::Friend)
        })
        .await;
    }
    [second, first]
}

/// A server in a namespace, until the sender is dropped.
async fn serve(namespace: &Namespace) -> Result<oneshot::Sender<()>, Unavailable> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, running) = oneshot::channel();
    let mut relay = RelayConfig::new((Ipv4Addr::UNSPECIFIED, 3478).into());
    relay.public = Some(SERVER.into());
    for net in [[192, 0, 2, 0], [198, 51, 100, 0], [203, 0, 113, 0]] {
        relay.test_peers.push(PeerRange::new(Ipv4Addr::from(net).into(), 24));
    }
    let config = ServerConfig {
        listen: (Ipv6Addr::UNSPECIFIED, 443).into(),
        admin: None,
        relay: Some(relay),
        ..ServerConfig::in_memory()
    };
    let serving = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let server = Server::start(config).await.expect("a server in a namespace of its own");
            let _ = ready.send(());
            let _ = stopped.await;
            server.stop().await;
        });
    };
    namespace.spawn(serving).map_err(|error| Unavailable::Refused("a thread", error.to_string()))?;
    running.await.map_err(|_| Unavailable::Refused("the server", "it did not start".into()))?;
    Ok(stop)
}

/// Answers whatever comes with the way to a page, for as long as this process lives.
fn page(namespace: &Namespace) -> Result<(), Unavailable> {
    let refused = |error: std::io::Error| Unavailable::Refused("a page", error.to_string());
    let bind = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80));
    let listener = namespace.spawn(bind).map_err(refused)?.join().expect("no panic").map_err(refused)?;
    let listener = listener.map_err(refused)?;
    let answer = move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n");
        }
    };
    std::thread::Builder::new().name("page".into()).spawn(answer).map(drop).map_err(refused)
}
