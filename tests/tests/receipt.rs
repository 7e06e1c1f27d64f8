//! A receipt says what really passed: against a wire between two namespaces that counts every packet.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lab::{Namespace, Wire};
use proving::real::until;
use sidetone::{
    Accept, Age, Bind, Client, Config, Entering, Event, FixedKey, Kept, MatchId, Note, Plain, Receipt, Route,
    StrangerMedia, StrangerView, With,
};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config as ServerConfig, RelayConfig, Server};

const NOTE_BYTES: usize = 500_000;
const NOTES: usize = 4;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn open(server: SocketAddr, ip: IpAddr) -> Client {
    let mut config = Config::new(format!("ws://{server}"), None, FixedKey::new([7; 32]));
    (config.plain, config.bind) = (Plain::Anywhere, Bind::Only(vec![ip]));
    let client = Client::open(config).expect("a client in memory");
    let connected = async { while client.next_event().await != Some(Event::Connected(true)) {} };
    tokio::time::timeout(Duration::from_secs(30), connected).await.expect("the server answers");
    client
}

async fn meet(client: &Client, nickname: &str) -> MatchId {
    let entering = Entering {
        nickname: nickname.into(),
        language: None,
        interests: Vec::new(),
        media: StrangerMedia::Text,
        age: Age::Unknown,
        accept: Accept::AtOnce,
    };
    client.strangers().enter(entering).await.expect("a search");
    until(client, "a stranger", || async {
        match client.strangers().view().await.expect("open") {
            StrangerView::With(stranger) if stranger.route.is_some() => Some(stranger.id),
            _ => None,
        }
    })
    .await
}

/// How many of the stranger's notes are here or there, whole.
async fn whole(client: &Client, id: MatchId, count: usize) {
    until(client, "the notes", || async {
        let messages = client.strangers().messages(id, 0).await.expect("open");
        (messages.iter().filter(|message| message.whole).count() >= count).then_some(())
    })
    .await;
}

/// The server and the other stranger, beyond the wire.
fn beyond(ip: IpAddr, addr: &std::sync::mpsc::Sender<SocketAddr>, end: &Receiver<()>) {
    runtime().block_on(async {
        let mut relay = RelayConfig::new((ip, 0).into());
        relay.test_peers.push(PeerRange::new(ip, 8));
        let config =
            ServerConfig { listen: (ip, 0).into(), admin: None, relay: Some(relay), ..ServerConfig::in_memory() };
        let server = Server::start(config).await.expect("a server");
        addr.send(server.addr).expect("somebody waits");
        let client = open(server.addr, ip).await;
        let id = meet(&client, "beyond").await;
        whole(&client, id, NOTES).await;
        until(&client, "the end", || async {
            matches!(client.strangers().view().await.expect("open"), StrangerView::Lobby(_)).then_some(())
        })
        .await;
        client.close().await;
        while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.stop().await;
    });
}

#[test]
fn a_receipt_is_what_the_wire_counted_within_one_percent() {
    if !lab::ready("receipts against a wire") {
        return;
    }
    let ends = [Namespace::new().expect("a namespace"), Namespace::new().expect("a namespace")];
    let wire = Wire::join(&ends[0], &ends[1], &"delay=3ms".parse().expect("a shape"), 7).expect("a wire");
    let [ours, theirs] = wire.addresses();
    let ((tell, addr), (stop, end)) = (channel(), channel());
    let other = ends[1].spawn(move || beyond(theirs, &tell, &end)).expect("a thread");
    let server = addr.recv_timeout(Duration::from_secs(20)).expect("a server");
    let us = ends[0].spawn(move || {
        runtime().block_on(async move {
            let client = open(server, ours).await;
            let id = meet(&client, "here").await;
            for number in 0..NOTES {
                let ogg = (0..NOTE_BYTES).map(|at| (at * (number + 3)) as u8).collect();
                let note = Note { ogg, duration_ms: 1_000, waveform: vec![1; 8] };
                client.strangers().send_note(id, note).await.expect("it is taken");
            }
            whole(&client, id, NOTES).await;
            client.strangers().end().await.expect("it ends");
            let receipts = client.receipts().await.expect("open");
            client.close().await;
            (id, receipts)
        })
    });
    let (id, receipts): (MatchId, Vec<Receipt>) = us.expect("a thread").join().expect("no panic").expect("a namespace");
    stop.send(()).expect("somebody waits");
    other.join().expect("no panic").expect("a namespace");
    let receipt = &receipts[0];
    assert_eq!((receipt.with, receipt.kept, receipts.len()), (With::Stranger(id), Kept::Nothing, 1));
    let erased = receipt.erased.expect("it was burned");
    assert_eq!((erased.notes as usize, erased.bytes as usize), (NOTES, NOTES * NOTE_BYTES));
    assert!(receipt.routes.iter().all(|one| matches!(one.route, Route::Relayed(..)) && one.to_ms.is_some()));
    assert!(!receipt.routes.is_empty() && receipt.took_ms.is_some() && receipt.links == 1);
    assert_eq!((receipt.peer.sent, receipt.peer.received), (0, 0), "nothing went to or came from the peer itself");
    assert!(receipt.relay.sent as usize > NOTES * NOTE_BYTES);
    let [out, back] = wire.counts();
    let sum = |of: fn(&Receipt) -> [u64; 4]| of(receipt).iter().sum::<u64>() as f64;
    let sent = sum(|one| [one.signaling.sent, one.stun.sent, one.relay.sent, one.peer.sent]);
    let received = sum(|one| [one.signaling.received, one.stun.received, one.relay.received, one.peer.received]);
    let error = |said: f64, counted: u64| (said - counted as f64).abs() / counted as f64;
    assert!(error(sent, out.bytes) < 0.01, "said {sent}, counted {}", out.bytes);
    // Fewer bytes come back, and the headers of TCP, which are not ours to see, weigh more.
    let both = out.bytes + back.bytes;
    assert!(error(sent + received, both) < 0.01, "said {}, counted {both}", sent + received);
    eprintln!(
        "receipt error {:.3} % out, {:.3} % both ways",
        1e2 * error(sent, out.bytes),
        1e2 * error(sent + received, both)
    );
}
