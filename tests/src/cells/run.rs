//! One pair of situations, set up and tried.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use lab::net::{HostId, Net, Site};
use lab::{Namespace, Unavailable};
use sidetone::connectivity::{ConnectivityReport, Verdict};
use sidetone::{
    Addresses, CallState, Client, Config, Cost, Event, FixedKey, PeerId, Protocol, Reach, Route, RoutePolicy, Standing,
    UserId,
};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config as ServerConfig, Elsewhere, RelayConfig, Server};
use tokio::sync::oneshot;

use super::place::{PORTAL, Place, Spot, Together, captive, settle, settle_together};
use super::{Cell, Rule, Truth, Way, truth};
use crate::coturn::{Papers, SECRET};
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
    server: HostId,
    hosts: Vec<HostId>,
    spots: [Spot; 2],
    namespaces: [Namespace; 2],
    phones: [Client; 2],
    friend: [UserId; 2],
    folder: tempfile::TempDir,
    papers: Papers,
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

/// What was seen from outside of two phones that talk and write through a relay, each beside its control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// Packets of the phones to anybody but the server and each other, and the same with one that was sent on purpose.
    pub strange: [usize; 2],
    /// Packets at the relay that hold a word of what was written, and the same with one that was sent on purpose.
    pub words: [usize; 2],
    /// Packets that passed the relay.
    pub relayed: usize,
}

/// A call and a text between two phones whose routers let nobody in, watched on every wire.
///
/// # Errors
/// [`Unavailable`] where a laboratory cannot be set up.
///
/// # Panics
/// If the two do not meet through the relay.
pub async fn watched() -> Result<Watched, Unavailable> {
    const WORD: &str = "a word that nobody else says";
    let places = [Place::Symmetric; 2];
    let stage = Stage::set(Cell { places, together: Together::Apart, rule: Rule::Any }).await?;
    let relay = stage.server;
    for host in [stage.hosts[0], stage.hosts[1], relay] {
        stage.net.capture(host);
    }
    assert_eq!(stage.call().await.0, Way::Relayed);
    let [first, second] = &stage.phones;
    first.send_text(stage.friend[0], WORD).await.expect("friends may write");
    until(second, "a text", || async {
        let newest = second.history(stage.friend[1], None, 1).await.expect("open").pop();
        newest.filter(|message| message.text == WORD)
    })
    .await;
    let holds = |packet: &Vec<u8>| packet.windows(WORD.len()).any(|part| part == WORD.as_bytes());
    let words = || stage.net.captured(relay).iter().filter(|packet| holds(packet)).count();
    let (before, relayed) = ((stage.strange(), words()), stage.net.captured(relay).len());
    stage.stray(PORTAL, b"?");
    stage.stray(SERVER, WORD.as_bytes());
    let after = async {
        while stage.strange() == before.0 || words() == before.1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Without the control the caller finds that nothing was shown.
    let _ = tokio::time::timeout(PATIENCE, after).await;
    let (strange, words) = ([before.0, stage.strange()], [before.1, words()]);
    for phone in &stage.phones {
        phone.close().await;
    }
    Ok(Watched { strange, words, relayed })
}

impl Stage {
    /// Sends a packet from the namespace of the first phone.
    fn stray(&self, to: Ipv4Addr, bytes: &'static [u8]) {
        let send = move || {
            let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
            socket.send_to(bytes, (to, 9)).expect("there is a way out");
        };
        self.namespaces[0].spawn(send).expect("a thread").join().expect("no panic").expect("it can be entered");
    }

    /// How many packets of the phones go to anybody but the server, the other phone or its router, or themselves.
    fn strange(&self) -> usize {
        let known = |host: usize, ip: &IpAddr| {
            let other = 1 - host;
            let wan = IpAddr::V4(Ipv4Addr::new(203, 0, 113, other as u8 + 1));
            let spots = self.spots.iter().flat_map(|spot| &spot.addresses);
            [SERVER.into(), SERVER_V6.into(), wan].contains(ip) || spots.into_iter().any(|address| address == ip)
        };
        let of = |host: usize| {
            let sent = self.net.captured(self.hosts[host]);
            sent.iter().filter_map(|packet| destination(packet)).filter(|to| !known(host, to)).count()
        };
        of(0) + of(1)
    }

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
        let served = net.host(&server, Site::Internet, &[SERVER.into(), SERVER_V6.into()])?;
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
        let papers = Papers::of([SERVER.into(), SERVER_V6.into()].map(|ip: IpAddr| ip.to_string()).into());
        let stop = serve(&server, &papers).await?;
        page(&portal)?;
        let folder = tempfile::tempdir().map_err(|error| Unavailable::Refused("a folder", error.to_string()))?;
        let enter = |number| open(&namespaces[number], &spots[number], folder.path(), &papers, number, cell);
        let phones = [0, 1].map(enter);
        let friend = befriend(&phones).await;
        if cell.rule == Rule::Hides {
            phones[0].set_addresses(Addresses::Never).await.expect("a preference");
        }
        let _elsewhere = [server, portal];
        let server = served;
        Ok(Self {
            net,
            server,
            hosts,
            spots,
            namespaces,
            phones,
            friend,
            folder,
            papers,
            cell,
            _server: stop,
            _elsewhere,
        })
    }

    /// The first phone's app ends and begins again in a network that wants a visitor to sign in.
    async fn catch(&mut self) {
        self.phones[0].close().await;
        // What says so would be lost in the new network, and the server wait for as long as it waits for a phone.
        until(&self.phones[1], "the other one is gone", || async {
            let friend = self.phones[1].friend(self.friend[1]).await.expect("open");
            friend.filter(|friend| !friend.online)
        })
        .await;
        self.net.replace(self.spots[0].router.expect("it is behind one"), captive());
        self.phones[0] = open(&self.namespaces[0], &self.spots[0], self.folder.path(), &self.papers, 0, self.cell);
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
        for (phone, route) in self.phones.iter().zip(&mut routes) {
            let now = phone.calls().await.expect("open").pop().and_then(|call| call.route);
            *route = now.unwrap_or(*route);
        }
        // Whoever is behind the other one's relay does not see how that is reached.
        let tcp = |route: &Route| matches!(route, Route::Relayed(_, Protocol::Tcp | Protocol::Tls));
        let way = match routes[0] {
            Route::Direct(Reach::Lan) => Way::Lan,
            Route::Direct(Reach::Internet) => Way::Direct,
            Route::Relayed(..) if routes.iter().any(tcp) => Way::RelayedTcp,
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

/// Where a packet of UDP or TCP goes.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    let part = |at: usize, length: usize| packet.get(at..at + length);
    let (protocol, to) = match packet.first()? >> 4 {
        4 => (packet.get(9)?, IpAddr::from(<[u8; 4]>::try_from(part(16, 4)?).ok()?)),
        _ => (packet.get(6)?, IpAddr::from(<[u8; 16]>::try_from(part(24, 16)?).ok()?)),
    };
    [6, 17].contains(protocol).then_some(to)
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

fn open(namespace: &Namespace, spot: &Spot, folder: &Path, papers: &Papers, number: usize, cell: Cell) -> Client {
    let server = match spot.addresses.iter().any(IpAddr::is_ipv4) {
        true => SocketAddr::new(SERVER.into(), 443),
        false => SocketAddr::new(SERVER_V6.into(), 443),
    };
    let mut config =
        Config::new(format!("wss://{server}"), Some(folder.join(format!("{number}.db"))), FixedKey::new([7; 32]));
    config.roots = vec![papers.root.clone()];
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
///
/// Its one port for TLS is that of the websockets and of the relay. It says where it is in both families, as a name would.
async fn serve(namespace: &Namespace, papers: &Papers) -> Result<oneshot::Sender<()>, Unavailable> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, running) = oneshot::channel();
    let mut relay = RelayConfig::new((Ipv4Addr::UNSPECIFIED, 3478).into());
    relay.public = Some(SERVER.into());
    relay.secret = Some(SECRET.as_bytes().to_vec().into());
    let mut tls = papers.tls();
    tls.listen = (Ipv6Addr::UNSPECIFIED, 443).into();
    let urls = [
        format!("stun:{SERVER}:3478"),
        format!("turn:{SERVER}:3478?transport=udp"),
        format!("turn:{SERVER}:3478?transport=tcp"),
        format!("turns:{SERVER}:443?transport=tcp"),
        format!("turns:[{SERVER_V6}]:443?transport=tcp"),
    ];
    for net in [[192, 0, 2, 0], [198, 51, 100, 0], [203, 0, 113, 0]] {
        relay.test_peers.push(PeerRange::new(Ipv4Addr::from(net).into(), 24));
    }
    let config = ServerConfig {
        admin: None,
        relay: Some(relay),
        tls: Some(tls),
        elsewhere: Some(Elsewhere { urls: urls.into(), secret: SECRET.as_bytes().to_vec().into() }),
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
