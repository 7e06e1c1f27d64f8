//! A receipt says what really passed: against a capture of every packet on a wire between two namespaces.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lab::packet::{Flow, Passed};
use lab::{Namespace, Wire};
use proving::guests::{alone, connected, meet, whole};
use proving::real::{Card, until};
use sidetone::{
    Age, Bind, Bytes, CallState, Client, Codec, Config, Cost, FilePolicy, FixedKey, FrameKind, Guest, Kept, Memory,
    NewRoom, Note, Plain, Policy, Presence, Receipt, Rotation, Route, Shows, Source, Standing, TransferEnd,
    TransferState, VideoFrame, With, room_policy::Speaking,
};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config as ServerConfig, RelayConfig, Server};
use tokio::sync::oneshot;

const NOTE_BYTES: usize = 500_000;
const NOTES: usize = 4;
/// Frames of video, and bytes of each.
const FRAMES: (usize, usize) = (40, 9_000);
const FILE_BYTES: usize = 3_000_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn open(server: SocketAddr, ip: IpAddr) -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let mut config = Config::new(format!("ws://{server}"), Some(store), FixedKey::new([7; 32]));
    (config.plain, config.bind, config.login_cost) = (Plain::Anywhere, Bind::Only(vec![ip]), Cost::Least);
    let client = Client::open(config).expect("a client");
    connected(&client).await;
    (client, folder)
}

/// What came out of the wire in one direction, in bytes: UDP with its headers, and what TCP carried, each byte once.
#[derive(Debug)]
struct Captured {
    relay: u64,
    peer: u64,
    content: u64,
    all: u64,
}

fn read(packets: &[Vec<u8>], relay: u16) -> Captured {
    let mut passed = Passed::default();
    packets.iter().for_each(|packet| passed.take(packet));
    let relays = |(from, to): &Flow| [from.port(), to.port()].contains(&relay);
    Captured {
        relay: passed.udp(relays),
        peer: passed.udp(|flow| !relays(flow)),
        content: passed.tcp(|_| true),
        all: packets.iter().map(|packet| packet.len() as u64).sum(),
    }
}

/// What one phone said of its wire, and what was there.
struct Outcome {
    receipt: Receipt,
    signaling: Bytes,
    wire: [Captured; 2],
}

/// Looks every now and then: not all of it is told by an event.
async fn soon<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

fn error(said: u64, counted: u64) -> f64 {
    said.abs_diff(counted) as f64 / counted.max(1) as f64
}

impl Outcome {
    /// In all, each way, within one percent, and so is each class, but for an answer that came after its socket was closed.
    fn holds(&self, what: &str) {
        let Receipt { signaling, stun, relay, peer, .. } = &self.receipt;
        let sent = [stun.sent + relay.sent, peer.sent, self.signaling.sent, signaling.sent];
        let received = [stun.received + relay.received, peer.received, self.signaling.received, signaling.received];
        for ([served, peer, all, meanwhile], wire, way) in
            [(sent, &self.wire[0], "out"), (received, &self.wire[1], "back")]
        {
            let pairs =
                [("STUN and relay", served, wire.relay), ("peer", peer, wire.peer), ("signaling", all, wire.content)];
            for (class, said, counted) in pairs {
                let off = error(said, counted);
                eprintln!("{what}, {class}, {way}: {said} said, {counted} captured, {:.3} %", 1e2 * off);
                assert!(off < 0.01 || said.abs_diff(counted) < 256, "{what}: {class}, {way}: {said}, {counted}");
            }
            let [said, counted] = [pairs.map(|pair| pair.1), pairs.map(|pair| pair.2)].map(|all| all.iter().sum());
            assert!(error(said, counted) < 0.01, "{what}, {way}: {said} said, {counted} captured");
            assert!(meanwhile > 0 && meanwhile <= all);
        }
    }
}

/// A server and a phone beyond the wire, another phone here. Theirs leaves first, so that all of it is heard here.
fn scene(
    what: &str,
    beyond: impl AsyncFnOnce(&Client) + Send + 'static,
    here: impl AsyncFnOnce(&Client) + Send + 'static,
) -> Option<Outcome> {
    if !lab::ready(what) {
        return None;
    }
    let ends = [Namespace::new().expect("a namespace"), Namespace::new().expect("a namespace")];
    let wire = Wire::join(&ends[0], &ends[1], &"delay=3ms".parse().expect("a shape"), 7).expect("a wire");
    wire.capture();
    let wire = Arc::new(wire);
    let [ours, theirs] = wire.addresses();
    let (tell, told) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let other = ends[1].spawn(move || {
        runtime().block_on(async {
            let mut relay = RelayConfig::new((theirs, 0).into());
            relay.test_peers.push(PeerRange::new(theirs, 8));
            let listen = (theirs, 0).into();
            let config = ServerConfig { listen, admin: None, relay: Some(relay), ..ServerConfig::in_memory() };
            let server = Server::start(config).await.expect("a server");
            tell.send((server.addr, server.relay_addr.expect("a relay"))).expect("somebody waits");
            let (client, _folder) = open(server.addr, theirs).await;
            beyond(&client).await;
            client.close().await;
            stopped.await.expect("the other end says so");
            server.stop().await;
        });
    });
    let (server, relay) = told.blocking_recv().expect("a server");
    let seen = Arc::clone(&wire);
    let us = ends[0].spawn(move || {
        runtime().block_on(async move {
            let (client, _folder) = open(server, ours).await;
            here(&client).await;
            soon("the receipt's end", async || {
                let receipts = client.receipts().await.expect("open");
                let [receipt] = &receipts[..] else { panic!("one receipt, not {}", receipts.len()) };
                receipt.took_ms
            })
            .await;
            // What is on its way comes out.
            let passed = || seen.counts().map(|counts| counts.delivered);
            let last = std::cell::Cell::new([0, 0]);
            soon("silence", async || (last.replace(passed()) == passed()).then_some(())).await;
            let captured = seen.captured();
            let receipt = client.receipts().await.expect("open").remove(0);
            let signaling = client.diagnostics().await.expect("open").signaling;
            client.close().await;
            Outcome { receipt, signaling, wire: captured.map(|packets| read(&packets, relay.port())) }
        })
    });
    let outcome = us.expect("a thread").join().expect("no panic").expect("a namespace");
    stop.send(()).expect("somebody waits");
    other.expect("a thread").join().expect("no panic").expect("a namespace");
    outcome.holds(what);
    Some(outcome)
}

#[test]
fn a_receipt_of_a_stranger_is_what_the_wire_carried_within_one_percent() {
    let beyond = async |client: &Client| {
        let id = meet(client, "beyond").await;
        whole(client, id, NOTES).await;
        client.strangers().end().await.expect("it ends");
    };
    let here = async |client: &Client| {
        let id = meet(client, "here").await;
        for number in 0..NOTES {
            let ogg = (0..NOTE_BYTES).map(|at| (at * (number + 3)) as u8).collect();
            let note = Note { ogg, duration_ms: 1_000, waveform: vec![1; 8] };
            client.strangers().send_note(id, note).await.expect("it is taken");
        }
        alone(client).await;
    };
    let Some(Outcome { receipt, wire, .. }) = scene("the receipt of a stranger", beyond, here) else { return };
    assert!(matches!(receipt.with, With::Stranger(_)));
    assert_eq!(receipt.kept, Kept::default());
    let erased = receipt.erased.expect("it was burned");
    assert_eq!((erased.notes as usize, erased.bytes as usize), (NOTES, NOTES * NOTE_BYTES));
    assert!(receipt.routes.iter().all(|one| matches!(one.route, Route::Relayed(..)) && one.to_ms.is_some()));
    assert!(!receipt.routes.is_empty() && receipt.links == 1 && receipt.epochs.sessions == 1);
    assert!(receipt.epochs.records >= 1, "more than a hundred records passed");
    assert_eq!((receipt.peer.sent, receipt.peer.received), (0, 0), "nothing went to or came from the peer itself");
    assert!(receipt.relay.sent as usize > NOTES * NOTE_BYTES);
    // With everything that the system adds to TCP, which is not ours to see.
    let said: u64 =
        [receipt.signaling, receipt.stun, receipt.relay, receipt.peer].map(|one| one.sent + one.received).iter().sum();
    let all = wire[0].all + wire[1].all;
    assert!(error(said, all) < 0.01, "said {said}, captured {all}");
}

/// Two friends in a call with sound and pictures, and a file beside it from its first moment on.
#[test]
fn a_receipt_of_a_call_and_a_file_is_what_the_wire_carried_within_one_percent() {
    let (tell, told) = oneshot::channel();
    let (offer, offered) = oneshot::channel();
    let beyond = async |client: &Client| {
        client.register("ben", "ben@example.org", "a long password").await.expect("the name is free");
        tell.send(()).expect("somebody waits");
        let ada = until(client, "the request", || async {
            let friends = client.friends().await.expect("open");
            friends.into_iter().find(|friend| friend.standing == Standing::AskedUs).map(|friend| friend.user)
        })
        .await;
        client.accept(ada).await.expect("it can be accepted");
        client.set_file_policy(FilePolicy { accept_below: u64::MAX, limit: u64::MAX }).await.expect("a wish");
        let call = state(client, CallState::Ringing).await;
        let _card = Card::plug(client);
        client.answer(call).await.expect("it rings");
        for _ in 0..FRAMES.0 {
            client.video().next().await;
        }
        let transfer = offered.await.expect("there is a file");
        let view = async || client.transfer(ada, transfer).await.expect("open");
        until(client, "some of the file", || async { view().await.filter(|view| view.done > 0) }).await;
        client.hang_up(call).await.expect("it is on");
        // Nothing goes before it any more, so it is there soon also on a machine that is too busy for a file beside sound.
        let there = TransferState::Ended(TransferEnd::Received);
        until(client, "the file", || async { view().await.filter(|view| view.state == there) }).await;
    };
    let here = async |client: &Client| {
        client.register("ada", "ada@example.org", "a long password").await.expect("the name is free");
        told.await.expect("ben has an account");
        let ben = client.befriend("ben", None).await.expect("the name is known");
        until(client, "the friendship", || async {
            client.friend(ben).await.expect("open").filter(|friend| friend.standing == Standing::Friend)
        })
        .await;
        let call = client.call(ben).await.expect("a friend");
        let _card = Card::plug(client);
        state(client, CallState::Connected).await;
        client.show(call, Shows { camera: true, screen: None }).await.expect("the call is on");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&vec![7; FILE_BYTES]).expect("it can be written");
        let transfer = client.send_file(ben, file.path(), "application/octet-stream").await.expect("a friend");
        offer.send(transfer).expect("somebody waits");
        for number in 0.. {
            if client.calls().await.expect("open").is_empty() {
                break;
            }
            // Not shown yet, or not any more: the next one may be.
            let _ = client.video().push(&frame(number));
            tokio::time::sleep(Duration::from_millis(33)).await;
        }
    };
    let Some(Outcome { receipt, .. }) = scene("the receipt of a call", beyond, here) else { return };
    assert!(matches!(receipt.with, With::Friend(_)));
    assert!(receipt.routes.iter().any(|one| matches!(one.route, Route::Direct(_))), "{:?}", receipt.routes);
    assert!(receipt.peer.sent as usize > FRAMES.0 * FRAMES.1 + FILE_BYTES);
    assert!(receipt.epochs.sessions >= 1 && receipt.epochs.sound >= 2, "{:?}", receipt.epochs);
    assert!(receipt.kept.rows >= 1 && receipt.kept.bytes > 0, "the call in the conversation: {:?}", receipt.kept);
    let (epochs, erased) = (receipt.epochs, receipt.erased.expect("it is over"));
    assert_eq!((erased.keys, erased.links), (epochs.sessions + epochs.records + epochs.sound, receipt.links));
}

async fn state(client: &Client, state: CallState) -> sidetone::CallId {
    until(client, &format!("{state:?}"), || async {
        let calls = client.calls().await.expect("open");
        calls.into_iter().find(|call| call.state == state).map(|call| call.call)
    })
    .await
}

fn frame(number: u64) -> VideoFrame {
    let kind = if number.is_multiple_of(10) { FrameKind::Key } else { FrameKind::Delta };
    let bytes = (0..FRAMES.1 as u64).map(|place| (place.wrapping_mul(31) ^ number) as u8).collect();
    let (source, codec, rotation, captured_us) = (Source::Camera, Codec::Vp8, Rotation::None, number * 33_333);
    VideoFrame { source, codec, kind, rotation, layer: 0, width: 640, height: 360, captured_us, bytes }
}

/// Two in a room of open microphones, until enough was said.
#[test]
fn a_receipt_of_a_room_is_what_the_wire_carried_within_one_percent() {
    const FRAMES: u64 = 250;
    let (tell, told) = oneshot::channel::<String>();
    let here = async |client: &Client| {
        let policy = Policy { speaking: Speaking::Open, ..Policy::default() };
        let room =
            client.create_room(NewRoom { policy, name: None, memory: Memory::Recent }, "ada").await.expect("a room");
        let _card = Card::plug(client);
        tell.send(client.room_link(room).await.expect("a link").as_str().to_owned()).expect("somebody waits");
        let others = async || client.room(room).await.expect("open").map_or(0, |view| view.members.len());
        until(client, "somebody", || async { (others().await >= 1).then_some(()) }).await;
        until(client, "that they leave", || async { (others().await == 0).then_some(()) }).await;
        client.leave_room(room).await.expect("we are in it");
    };
    let beyond = async |client: &Client| {
        let link = told.await.expect("somebody is there");
        let guest = Guest { name: "ben".into(), memory: Memory::Nothing, age: Age::Unknown };
        let room = client.join_link(&link, guest).await.expect("the link is good");
        let _card = Card::plug(client);
        until(client, "a link", || async {
            let members = client.room(room).await.expect("open")?.members;
            members.iter().any(|member| matches!(member.presence, Presence::Here(_))).then_some(())
        })
        .await;
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while client.diagnostics().await.expect("open").sound.frames_heard < FRAMES {
            pace.tick().await;
        }
        client.leave_room(room).await.expect("we are in it");
    };
    let Some(Outcome { receipt, .. }) = scene("the receipt of a room", beyond, here) else { return };
    assert!(matches!(receipt.with, With::Room(_)));
    assert_eq!(receipt.kept.rows, 1, "how to enter it again");
    assert!(receipt.epochs.sessions >= 1 && receipt.epochs.sound >= 1, "{:?}", receipt.epochs);
    let (epochs, erased) = (receipt.epochs, receipt.erased.expect("it is over"));
    assert_eq!((erased.keys, erased.links), (epochs.sessions + epochs.records + epochs.sound, receipt.links));
    assert!(receipt.peer.received + receipt.relay.received > FRAMES * 40);
}
