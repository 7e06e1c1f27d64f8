//! Two phones and the real server in one process, on loopback: the whole path.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sidetone::{
    Bind, CallId, CallState, CallView, Client, Comparison, Config, Cost, Direction, EndReason, Error, Event, FixedKey,
    LinkRoute, Message, MessageState, Network, NetworkKind, OpenError, Phase, Route, Standing, StoreError, UserId,
};
use sidetone_server::{Config as ServerConfig, Running, Server};

#[cfg(not(any(feature = "calls", feature = "images")))]
#[path = "pair/lean.rs"]
mod lean;

const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "correct horse battery staple";

fn config(server: &Running, store: Option<PathBuf>) -> Config {
    let mut config = Config::new(format!("ws://{}", server.addr), store, FixedKey::new([7; 32]));
    config.bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
    config.login_cost = Cost::Least;
    config
}

/// Waits, event by event, until something is so.
async fn until<T, F: Future<Output = Option<T>>>(client: &Client, what: &str, look: impl Fn() -> F) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(client.next_event().await.is_some(), "closed while waiting for {what}");
        }
    };
    let found = tokio::time::timeout(PATIENCE, wait).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

async fn online(client: &Client) {
    let connected = async { while client.next_event().await != Some(Event::Connected(true)) {} };
    tokio::time::timeout(PATIENCE, connected).await.expect("the server answers");
}

async fn open(config: Config) -> Client {
    let client = Client::open(config).unwrap();
    online(&client).await;
    client
}

/// Waits for a friend request; gives who asks.
async fn asked(client: &Client) -> UserId {
    until(client, "the request", || async {
        let friends = client.friends().await.unwrap();
        friends.into_iter().find(|friend| friend.standing == Standing::AskedUs).map(|friend| friend.user)
    })
    .await
}

async fn befriend(anna: &Client, bert: &Client) -> (UserId, UserId) {
    let to_bert = anna.befriend("bert", None).await.unwrap();
    let to_anna = asked(bert).await;
    bert.accept(to_anna).await.unwrap();
    for (client, user) in [(anna, to_bert), (bert, to_anna)] {
        until(client, "the friendship", || async {
            client.friend(user).await.unwrap().filter(|friend| friend.standing == Standing::Friend)
        })
        .await;
    }
    (to_anna, to_bert)
}

async fn newest(client: &Client, peer: UserId) -> Option<Message> {
    client.history(peer, None, 1).await.unwrap().pop()
}

async fn arrives(client: &Client, peer: UserId, text: &str) {
    until(client, text, || async { newest(client, peer).await.filter(|message| message.text == text) }).await;
}

async fn becomes(client: &Client, peer: UserId, state: MessageState) {
    until(client, "a mark", || async { newest(client, peer).await.filter(|message| message.state == state) }).await;
}

async fn call_is(client: &Client, state: CallState) -> CallId {
    until(client, &format!("{state:?}"), || async {
        let calls = client.calls().await.unwrap();
        calls.into_iter().find(|call| call.state == state).map(|call| call.call)
    })
    .await
}

fn tone(hertz: f64, block: u64) -> Vec<i16> {
    let step = std::f64::consts::TAU * hertz / 48_000.0;
    (block * 480..block * 480 + 480).map(|at| (8_000.0 * (at as f64 * step).sin()) as i16).collect()
}

fn share(sound: &[i16], hertz: f64) -> f64 {
    let w = std::f64::consts::TAU * hertz / 48_000.0;
    let (mut a, mut b) = (0.0, 0.0);
    for &sample in sound {
        (a, b) = (f64::from(sample) + 2.0 * w.cos() * a - b, a);
    }
    let power = a * a + b * b - 2.0 * w.cos() * a * b;
    let energy: f64 = sound.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    if energy < 1.0 { 0.0 } else { 2.0 * power / (energy * sound.len() as f64) }
}

/// A sound card: speaks one tone until both it and its like have heard half a second of the other's.
fn device(client: &Client, says: f64, hears: f64, clear: Arc<AtomicUsize>) -> std::thread::JoinHandle<bool> {
    let (mut microphone, mut speaker) = client.take_sound().expect("taken once");
    std::thread::spawn(move || {
        let (began, mut heard, mut told) = (Instant::now(), Vec::new(), false);
        for block in 0..2_000 {
            microphone.push(&tone(says, block));
            let mut out = [0; 480];
            speaker.pull(&mut out);
            heard.extend(out);
            if !told && heard.len() > 24_000 && share(&heard[heard.len() - 24_000..], hears) > 0.8 {
                told = true;
                clear.fetch_add(1, Relaxed);
            }
            if clear.load(Relaxed) == 2 {
                return true;
            }
            let next = began + Duration::from_millis(10) * u32::try_from(block).unwrap();
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        false
    })
}

/// Two friends whose phones see each other, and who they are to each other: Bert to Anna, Anna to Bert.
async fn friends(server: &Running, berts: Option<PathBuf>) -> (Client, UserId, Client, UserId) {
    let (anna, bert) = (open(config(server, None)).await, open(config(server, berts)).await);
    anna.register("anna", "anna@example.org", PASSWORD).await.unwrap();
    bert.register("bert", "bert@example.org", PASSWORD).await.unwrap();
    let (to_anna, to_bert) = befriend(&anna, &bert).await;
    (anna, to_bert, bert, to_anna)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_friends_can_tell_that_nobody_is_between_them() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, to_bert, bert, to_anna) = friends(&server, None).await;
    assert_eq!(anna.register("anna", "a@example.org", PASSWORD).await, Err(Error::SignedIn));
    assert_eq!(anna.account().await.unwrap().unwrap().name, "anna");
    let number = anna.safety_number(to_bert).await.unwrap().unwrap();
    assert_eq!(number.digits().len(), 60);
    assert_eq!(bert.safety_number(to_anna).await.unwrap().unwrap().digits(), number.digits());
    assert!(!anna.friend(to_bert).await.unwrap().unwrap().verified);
    let shown = bert.safety_code(to_anna).await.unwrap().unwrap();
    assert_eq!(anna.scan(to_bert, &shown).await, Ok(Comparison::Match));
    assert!(anna.friend(to_bert).await.unwrap().unwrap().verified);
    assert_eq!(anna.scan(to_bert, "something else").await, Err(Error::NotACode));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_arrives_once_also_when_the_friend_was_away() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let berts = Some(folder.path().join("bert.db"));
    let (anna, to_bert, bert, to_anna) = friends(&server, berts.clone()).await;
    anna.send_text(to_bert, "are you there?").await.unwrap();
    arrives(&bert, to_anna, "are you there?").await;
    becomes(&anna, to_bert, MessageState::Delivered).await;
    assert_eq!(bert.friend(to_anna).await.unwrap().unwrap().unread, 1);
    bert.mark_read(to_anna).await.unwrap();
    becomes(&anna, to_bert, MessageState::Read).await;
    bert.send_text(to_anna, "yes").await.unwrap();
    arrives(&anna, to_bert, "yes").await;
    assert_eq!(anna.send_text(to_bert, "").await, Err(Error::TextLength));

    bert.close().await;
    anna.send_text(to_bert, "while you were away").await.unwrap();
    assert_eq!(newest(&anna, to_bert).await.unwrap().state, MessageState::Queued);
    let bert = open(config(&server, berts)).await;
    arrives(&bert, to_anna, "while you were away").await;
    becomes(&anna, to_bert, MessageState::Delivered).await;
    let kept: Vec<_> = bert.history(to_anna, None, 9).await.unwrap().into_iter().map(|message| message.text).collect();
    assert_eq!(kept, ["while you were away", "yes", "are you there?"]);
    anna.close().await;
    bert.close().await;
    server.stop().await;
}

/// Anna calls, Bert answers, both can speak.
async fn talk(anna: &Client, to_bert: UserId, bert: &Client) -> CallId {
    let call = anna.call(to_bert).await.unwrap();
    assert_eq!(call_is(bert, CallState::Ringing).await, call);
    assert_eq!(bert.calls().await.unwrap()[0].direction, Direction::Incoming);
    bert.answer(call).await.unwrap();
    call_is(anna, CallState::Connected).await;
    call_is(bert, CallState::Connected).await;
    call
}

async fn ends(client: &Client) -> EndReason {
    let end = async {
        loop {
            if let Event::Call(CallView { state: CallState::Ended(reason), .. }) = client.next_event().await.unwrap() {
                return reason;
            }
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("the call ends")
}

/// Waits until so many more frames were heard.
async fn hears(client: &Client, frames: u64) {
    let heard = || async { client.diagnostics().await.unwrap().sound.frames_heard };
    let from = heard().await;
    let more = async {
        while heard().await < from + frames {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, more).await.expect("frames are heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_in_a_call_ends_it_for_the_other() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, to_bert, bert, _) = friends(&server, None).await;
    talk(&anna, to_bert, &bert).await;
    anna.close().await;
    assert_eq!(ends(&bert).await, EndReason::PeerHungUp);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_survives_a_change_of_network_at_both_ends() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, to_bert, bert, _) = friends(&server, None).await;
    let call = talk(&anna, to_bert, &bert).await;
    for (changed, kind) in [(&anna, NetworkKind::Mobile), (&bert, NetworkKind::Wifi), (&anna, NetworkKind::Wifi)] {
        changed.network_changed(Network::of(kind));
        hears(&anna, 5).await;
        hears(&bert, 5).await;
    }
    assert_eq!(call_is(&anna, CallState::Connected).await, call);
    assert_eq!(call_is(&bert, CallState::Connected).await, call);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_link_that_is_there_already_connects() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, to_bert, bert, to_anna) = friends(&server, None).await;
    anna.send_text(to_bert, "may I call?").await.unwrap();
    arrives(&bert, to_anna, "may I call?").await;
    becomes(&anna, to_bert, MessageState::Delivered).await;
    talk(&anna, to_bert, &bert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_friends_hear_each_other() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, to_bert, bert, _) = friends(&server, None).await;
    let call = talk(&anna, to_bert, &bert).await;
    let clear = Arc::new(AtomicUsize::new(0));
    let cards = [device(&anna, 440.0, 1_000.0, Arc::clone(&clear)), device(&bert, 1_000.0, 440.0, clear)];
    let heard = tokio::task::spawn_blocking(|| cards.map(|card| card.join().unwrap()));
    assert_eq!(heard.await.unwrap(), [true; 2], "each hears the other");

    let figures = anna.diagnostics().await.unwrap();
    assert!(figures.sound.frames_sent > 20 && figures.sound.frames_heard > 20);
    assert_eq!((figures.sound.frames_refused, figures.malformed_frames), (0, 0));
    assert!(matches!(figures.links[..], [LinkRoute { route: Route::Direct(_), .. }]));
    assert_eq!((figures.calls[0].call, figures.calls[0].phases[0]), (call, (Phase::Ringing, 0.0)));
    for phase in [Phase::Answered, Phase::LinkOpened, Phase::LinkUp, Phase::Connected, Phase::Spoken, Phase::Heard] {
        assert!(figures.calls[0].phases.iter().any(|(reached, _)| *reached == phase), "{phase:?}");
    }
    assert!(figures.signaling.sent > 1_000 && figures.signaling.received > 1_000);

    bert.hang_up(call).await.unwrap();
    for client in [&anna, &bert] {
        until(client, "the end", || async { client.calls().await.unwrap().is_empty().then_some(()) }).await;
    }
    anna.close().await;
    bert.close().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_call_says_why() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, to_bert, bert, _) = friends(&server, None).await;
    let call = anna.call(to_bert).await.unwrap();
    assert_eq!(anna.call(to_bert).await, Err(Error::Busy));
    call_is(&bert, CallState::Ringing).await;
    bert.decline_call(call).await.unwrap();
    assert_eq!(ends(&anna).await, EndReason::PeerDeclined);
    assert_eq!(anna.hang_up(call).await, Err(Error::NoSuchCall));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_client_is_silent_and_leaves_nothing_running() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Some(folder.path().join("me.db"));
    let client = open(config(&server, store.clone())).await;
    assert_eq!(Client::open(config(&server, store.clone())).err(), Some(OpenError::Store(StoreError::InUse)));
    let (ended, ()) = tokio::join!(client.next_event(), client.close());
    assert_eq!(ended, None);
    client.close().await;
    assert_eq!(client.next_events().await, []);
    assert_eq!(client.account().await, Err(Error::Closed));
    assert_eq!(client.register("a", "b", "c").await, Err(Error::Closed));
    assert_eq!(client.take_sound().unwrap().0.push(&[1; 480]), 0);
    drop(Client::open(config(&server, store)).expect("the file is free again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_server_still_opens_and_closes() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let nowhere = config(&server, None);
    server.stop().await;
    let client = Client::open(nowhere).unwrap();
    assert_eq!(client.register("anna", "anna@example.org", PASSWORD).await, Err(Error::Offline));
    assert_eq!(client.friends().await.unwrap(), []);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_client_and_keeps_what_was_kept() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Some(folder.path().join("anna.db"));
    let mut small = config(&server, store.clone());
    small.quota = Some(300_000);
    let (anna, bert) = (open(small).await, open(config(&server, None)).await);
    anna.register("anna", "anna@example.org", PASSWORD).await.unwrap();
    bert.register("bert", "bert@example.org", PASSWORD).await.unwrap();
    let (_, to_bert) = befriend(&anna, &bert).await;
    bert.close().await;
    let long = "x".repeat(30_000);
    let mut kept = 0;
    let error = loop {
        match anna.send_text(to_bert, &long).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::Storage(StoreError::Full));
    assert_eq!(anna.friends().await, Err(error.clone()), "a stopped client says so");
    let stopped = async { while anna.next_event().await != Some(Event::Stopped(error.clone())) {} };
    tokio::time::timeout(PATIENCE, stopped).await.unwrap();
    anna.close().await;
    let anna = open(config(&server, store)).await;
    assert_eq!(anna.history(to_bert, None, 99).await.unwrap().len(), kept);
    anna.send_text(to_bert, "there is room again").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_forgotten_here() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Some(folder.path().join("anna.db"));
    let anna = open(config(&server, store.clone())).await;
    anna.register("anna", "anna@example.org", PASSWORD).await.unwrap();
    assert!(anna.export_account().await.unwrap().contains("anna@example.org"));
    anna.sign_out().await.unwrap();
    assert_eq!(anna.account().await.unwrap(), None);
    assert_eq!(anna.friends().await.unwrap(), []);
    assert_eq!(anna.sign_out().await, Err(Error::SignedOut));
    assert_eq!(anna.sign_in("anna", "another password").await, Err(Error::WrongLogin));
    anna.sign_in("anna", PASSWORD).await.unwrap();
    anna.delete_account().await.unwrap();
    assert_eq!(anna.sign_in("anna", PASSWORD).await, Err(Error::WrongLogin));
    anna.close().await;
    let again = open(config(&server, store)).await;
    assert_eq!(again.account().await.unwrap(), None);
}
