//! `sidetone demo handover`: a phone in a call walks from its Wi-Fi into the mobile network and back, with and without a time in
//! which it has both; how long nothing is heard, and what goes on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lab::Namespace;
use lab::net::{HostId, Manner, Net, Site};
use serde::Serialize;
use sidetone::{
    CallId, CallState, Client, Config, Cost, FixedKey, Network, NetworkKind, Plain, Standing, TransferEnd,
    TransferState, UserId,
};
use sidetone_server::{Config as ServerConfig, RelayConfig, Server};
use tokio::sync::oneshot;

use crate::say;
use crate::trouble::Trouble;

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The walker's addresses: in the Wi-Fi, and in the mobile network.
const WALKER: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(10, 2, 0, 2)];
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 2);
/// How long each packet takes, one way.
const DELAY: Duration = Duration::from_millis(15);
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a walker has both networks.
const OVERLAP: Duration = Duration::from_secs(2);
/// How closely it is watched whether anything is heard.
const WATCH: Duration = Duration::from_millis(10);
/// What is sent meanwhile.
const FILE_BYTES: usize = 24 << 20;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often the phone walks, of each kind.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: usize,
}

/// How long nothing was heard, over all rounds of a kind and both phones.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Gaps {
    /// How often.
    pub rounds: usize,
    /// At the median, in milliseconds.
    pub median_ms: u64,
    /// At 95 %.
    pub p95_ms: u64,
    /// At most.
    pub most_ms: u64,
}

/// All figures of one run: what `--json` writes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Whether everything promised held.
    pub held: bool,
    /// What did not hold, in sentences.
    pub broken: Vec<String>,
    /// With a time in which it has both networks.
    pub overlap: Gaps,
    /// With the old address gone before the phone has the new.
    pub gone: Gaps,
    /// Whether it was one call from the beginning to the end.
    pub same_call: bool,
    /// Whether the file that was sent meanwhile arrived.
    pub file_arrived: bool,
    /// Whether a text arrived after it all.
    pub text_arrived: bool,
}

/// Plays, prints, writes; gives whether everything promised held.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: &Args) -> Result<bool, Trouble> {
    let stage = Stage::set().await?;
    let figures = stage.play(args.rounds.max(1)).await?;
    stage.close().await;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&figures).map_err(Trouble::system)?;
        std::fs::write(path, text).map_err(|error| Trouble::file(path, &error))?;
    }
    for (what, gaps) in [("both networks for a while", &figures.overlap), ("the old address gone", &figures.gone)] {
        let Gaps { rounds, median_ms, p95_ms, most_ms } = gaps;
        say(format_args!(
            "{what:26} {rounds} times: nothing heard for {median_ms} ms at the median, {p95_ms} at 95 %, {most_ms} at most"
        ));
    }
    for broken in &figures.broken {
        say(format_args!("NOT HELD: {broken}"));
    }
    Ok(figures.held)
}

struct Stage {
    net: Net,
    /// The walker's places in the net.
    places: [HostId; 2],
    walker: Namespace,
    phones: [Client; 2],
    friend: [UserId; 2],
    cards: Vec<Card>,
    folder: tempfile::TempDir,
    /// Dropping it ends the server.
    _server: oneshot::Sender<()>,
    _elsewhere: [Namespace; 2],
}

impl Stage {
    async fn set() -> Result<Self, Trouble> {
        let spaces = [(); 3].map(|()| Namespace::new());
        let [walker, other, server] = spaces;
        let (walker, other, server) =
            (walker.map_err(Trouble::system)?, other.map_err(Trouble::system)?, server.map_err(Trouble::system)?);
        let mut net = Net::new(DELAY);
        let sites = [1, 2, 3].map(|last| {
            let wan = Ipv4Addr::new(203, 0, 113, last);
            Site::Behind(net.router(Site::Internet, wan, Manner::PORT_RESTRICTED))
        });
        net.host(&server, Site::Internet, &[SERVER.into()]).map_err(Trouble::system)?;
        let wifi = net.host(&walker, sites[0], &[WALKER[0].into()]).map_err(Trouble::system)?;
        let mobile = net.host(&walker, sites[1], &[WALKER[1].into()]).map_err(Trouble::system)?;
        net.host(&other, sites[2], &[OTHER.into()]).map_err(Trouble::system)?;
        net.begin().map_err(Trouble::system)?;
        let stop = serve(&server).await?;
        let folder = tempfile::tempdir().map_err(Trouble::system)?;
        let phones = [open(&walker, folder.path(), "anna")?, open(&other, folder.path(), "ben")?];
        phones[0].network_changed(network(0));
        let friend = befriend(&phones).await?;
        let cards = phones.iter().map(Card::plug).collect::<Result<_, _>>()?;
        let _elsewhere = [other, server];
        Ok(Self { net, places: [wifi, mobile], walker, phones, friend, cards, folder, _server: stop, _elsewhere })
    }

    async fn play(&self, rounds: usize) -> Result<Figures, Trouble> {
        let call = self.talk().await?;
        let path = self.folder.path().join("walk.bin");
        std::fs::write(&path, vec![7; FILE_BYTES]).map_err(|error| Trouble::file(&path, &error))?;
        let transfer = self.phones[1].send_file(self.friend[1], &path, "application/octet-stream").await?;
        self.until("the file is offered", || async { Ok(!self.phones[0].transfers().await?.is_empty()) }).await?;
        self.phones[0].accept_file(transfer).await?;
        let mut figures = Figures::default();
        for overlap in [true, false] {
            let mut gaps = Vec::new();
            for round in 0..rounds {
                let from = (round + if overlap { 0 } else { rounds }) % 2;
                gaps.extend(if overlap { self.walk(from).await? } else { self.jump(from).await? });
            }
            let gaps = measure(gaps);
            if overlap { figures.overlap = gaps } else { figures.gone = gaps }
        }
        let on = |calls: Vec<sidetone::CallView>| {
            calls.iter().any(|view| view.call == call && view.state == CallState::Connected)
        };
        figures.same_call = on(self.phones[0].calls().await?) && on(self.phones[1].calls().await?);
        let view = async || self.phones[0].transfer(self.friend[0], transfer).await;
        let begun = async || Ok(view().await?.is_some_and(|view| view.done > 0));
        self.until("some of the file is there", begun).await?;
        self.phones[0].hang_up(call).await?;
        let ended =
            async || Ok(view().await?.is_some_and(|view| view.state == TransferState::Ended(TransferEnd::Received)));
        figures.file_arrived = self.until("the file is there", ended).await.is_ok();
        self.phones[1].send_text(self.friend[1], "home again").await?;
        let there = || async {
            let newest = self.phones[0].history(self.friend[0], None, 1).await?.pop();
            Ok(newest.is_some_and(|message| message.text == "home again"))
        };
        figures.text_arrived = self.until("the text is there", there).await.is_ok();
        let promises = [
            (figures.same_call, "it was not one call from the beginning to the end"),
            (figures.file_arrived, "the file did not arrive"),
            (figures.text_arrived, "a text did not arrive"),
            (figures.overlap.p95_ms <= 200, "nothing was heard for more than 200 ms although there were two networks"),
            (figures.gone.p95_ms <= 1_000, "nothing was heard for more than a second"),
        ];
        figures.broken = promises.iter().filter(|(held, _)| !held).map(|(_, what)| (*what).to_owned()).collect();
        figures.held = figures.broken.is_empty();
        Ok(figures)
    }

    /// From one network into the other, with a time in which there are both.
    async fn walk(&self, from: usize) -> Result<[u64; 2], Trouble> {
        let to = 1 - from;
        self.net.cut(self.places[to], false);
        self.leave_by(to)?;
        let watching = self.watch(OVERLAP + Duration::from_secs(4));
        self.phones[0].network_changed(network(to));
        let gone = async {
            tokio::time::sleep(OVERLAP).await;
            self.net.cut(self.places[from], true);
            self.phones[0].network_changed(network(to));
        };
        let (gaps, ()) = tokio::join!(watching, gone);
        gaps
    }

    /// The same, but the old address is gone before there is the new one.
    async fn jump(&self, from: usize) -> Result<[u64; 2], Trouble> {
        let to = 1 - from;
        let watching = self.watch(Duration::from_secs(6));
        self.net.cut(self.places[to], false);
        self.address(from, "del")?;
        self.address(to, "replace")?;
        self.leave_by(to)?;
        self.phones[0].network_changed(network(to));
        let gaps = watching.await;
        self.address(from, "replace")?;
        gaps
    }

    fn address(&self, place: usize, verb: &str) -> Result<(), Trouble> {
        let (address, device) = (format!("{}/32", WALKER[place]), self.net.device(self.places[place]));
        self.walker.ip(&["addr", verb, &address, "dev", &device]).map_err(Trouble::system)
    }

    /// What does not name an address goes out here, as systems do with their default network.
    fn leave_by(&self, place: usize) -> Result<(), Trouble> {
        let (device, source) = (self.net.device(self.places[place]), WALKER[place].to_string());
        self.walker.ip(&["route", "replace", "default", "dev", &device, "src", &source]).map_err(Trouble::system)
    }

    /// The longest time in which each phone heard nothing, while it is watched.
    async fn watch(&self, span: Duration) -> Result<[u64; 2], Trouble> {
        let (began, mut longest) = (Instant::now(), [Duration::ZERO; 2]);
        let mut last = [(0, began); 2];
        while began.elapsed() < span {
            for (phone, (heard, at)) in last.iter_mut().enumerate() {
                let now = self.phones[phone].diagnostics().await?.sound.frames_heard;
                if std::mem::replace(heard, now) != now {
                    *at = Instant::now();
                }
                longest[phone] = longest[phone].max(at.elapsed());
            }
            tokio::time::sleep(WATCH).await;
        }
        Ok(longest.map(|gap| u64::try_from(gap.as_millis()).unwrap_or(u64::MAX)))
    }

    async fn talk(&self) -> Result<CallId, Trouble> {
        let call = self.phones[0].call(self.friend[0]).await?;
        let state = |phone: usize, state: CallState| async move {
            Ok(self.phones[phone].calls().await?.iter().any(|view| view.state == state))
        };
        self.until("it rings", || state(1, CallState::Ringing)).await?;
        self.phones[1].answer(call).await?;
        for phone in 0..2 {
            self.until("both can speak", || state(phone, CallState::Connected)).await?;
        }
        Ok(call)
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> Result<bool, Trouble>) -> Result<(), Trouble> {
        let began = Instant::now();
        while !holds().await? {
            if began.elapsed() > PATIENCE {
                return Err(Trouble::System(format!("waited in vain: {what}")));
            }
            tokio::time::sleep(WATCH).await;
        }
        Ok(())
    }

    async fn close(mut self) {
        self.cards.clear();
        for phone in &self.phones {
            phone.close().await;
        }
    }
}

fn network(place: usize) -> Network {
    let kind = [NetworkKind::Wifi, NetworkKind::Mobile][place];
    Network { addresses: vec![IpAddr::V4(WALKER[place])], ..Network::of(kind) }
}

fn measure(mut gaps: Vec<u64>) -> Gaps {
    gaps.sort_unstable();
    let at = |permille: usize| gaps.get(gaps.len().saturating_sub(1) * permille / 1_000).copied().unwrap_or(0);
    Gaps { rounds: gaps.len() / 2, median_ms: at(500), p95_ms: at(950), most_ms: at(1_000) }
}

fn open(namespace: &Namespace, folder: &Path, name: &str) -> Result<Client, Trouble> {
    let server = SocketAddr::new(SERVER.into(), 443);
    let store = Some(folder.join(format!("{name}.db")));
    let mut config = Config::new(format!("ws://{server}"), store, FixedKey::new([7; 32]));
    (config.plain, config.login_cost) = (Plain::Anywhere, Cost::Least);
    // What it opens stays in the namespace of the thread that opens it.
    let opened = namespace.spawn(move || Client::open(config)).map_err(Trouble::system)?.join();
    let opened = opened.map_err(|_| Trouble::System("a phone could not be opened".into()))?.map_err(Trouble::system)?;
    opened.map_err(Trouble::system)
}

async fn befriend(phones: &[Client; 2]) -> Result<[UserId; 2], Trouble> {
    for (phone, name) in phones.iter().zip(["anna", "ben"]) {
        let connected = async { while phone.next_event().await != Some(sidetone::Event::Connected(true)) {} };
        tokio::time::timeout(PATIENCE, connected).await.map_err(Trouble::system)?;
        phone.register(name, &format!("{name}@example.org"), "a long password").await?;
    }
    let second = phones[0].befriend("ben", None).await?;
    let first = loop {
        let friends = phones[1].friends().await?;
        if let Some(friend) = friends.iter().find(|friend| friend.standing == Standing::AskedUs) {
            break friend.user;
        }
        tokio::time::sleep(WATCH).await;
    };
    phones[1].accept(first).await?;
    for (phone, user) in phones.iter().zip([second, first]) {
        while phone.friend(user).await?.is_none_or(|friend| friend.standing != Standing::Friend) {
            tokio::time::sleep(WATCH).await;
        }
    }
    Ok([second, first])
}

/// A server in a namespace, until the sender is dropped.
async fn serve(namespace: &Namespace) -> Result<oneshot::Sender<()>, Trouble> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, running) = oneshot::channel();
    let mut relay = RelayConfig::new(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 3478));
    relay.public = Some(SERVER.into());
    let config = ServerConfig {
        listen: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 443),
        admin: None,
        relay: Some(relay),
        ..ServerConfig::in_memory()
    };
    let serving = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let Ok(server) = Server::start(config).await else { return };
            let _ = ready.send(());
            let _ = stopped.await;
            server.stop().await;
        });
    };
    namespace.spawn(serving).map_err(Trouble::system)?;
    running.await.map_err(|_| Trouble::System("the server does not start".into()))?;
    Ok(stop)
}

/// A sound card that hums, until it is dropped.
struct Card {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Card {
    fn plug(client: &Client) -> Result<Self, Trouble> {
        let taken = || Trouble::System("the sound is taken".into());
        let (mut microphone, mut loudspeaker) = client.take_sound().ok_or_else(taken)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let hum = move || {
            let (began, mut block) = (Instant::now(), 0_u32);
            while !stopped.load(Ordering::Relaxed) {
                let sample = |n: u32| (f64::from(block * 480 + n) * 0.06).sin() * 9_000.0;
                let sound: Vec<i16> = (0..480).map(|n| sample(n) as i16).collect();
                microphone.push(&sound);
                loudspeaker.pull(&mut [0; 480]);
                block += 1;
                let next = began + Duration::from_millis(10) * block;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        };
        let thread = std::thread::Builder::new().name("card".into()).spawn(hum).map_err(Trouble::system)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
