//! Records that go ahead of their channel, over QUIC, while that comes up.
//!
//! From a path's first check to the first record, ICE, DTLS and SCTP take seven round trips; QUIC (RFC 9000) takes one and a
//! half, and needs no path to be chosen before. So the answering end, which is the client as it is of every handshake here,
//! greets the peer's addresses together with the first checks that go to them, and whatever is first proves who is there and
//! carries the first records. Both handshakes show the same certificates, those of the descriptions.
//!
//! Nothing depends on it, as a peer may speak DTLS alone, or a relay may carry it. What goes ahead goes over the channel once
//! more when that is up, in the same order from the first record on, and of each the one that comes first counts: what
//! is lost here, wherever it stops, comes there. That is why it needs no word about what arrived, and ends with no more than
//! the channel's beginning.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::pending;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, SendStream, TransportConfig, VarInt};
use tokio::sync::Mutex as Turns;

use super::life::End;
use super::porch::{Door, PACKET_BYTES};
use super::quic::{self, NoQuic, Read, read};
use super::records::Queue;
use super::shared::Shared;
use super::traffic::{LAST_WORDS, RECORD_COST};
use super::{DownReason, RECORD_BYTES, Role};

/// What both ends say they speak (RFC 7301).
const ALPN: &[u8] = b"sidetone-ahead/1";
/// Bytes of records that go ahead; the rest waits for the channel.
const AHEAD_BYTES: usize = 64 * 1024;
/// What may be under way: more than that and what is repeated.
const WINDOW_BYTES: u32 = 2 * AHEAD_BYTES as u32;
/// Round-trip time before it is known: three of them pass before a greeting is repeated.
const ASSUMED_RTT: Duration = Duration::from_millis(50);
/// What each end says before its first record: that it believes the other.
const HELLO: u8 = 1;
/// Why a connection is closed: the channel carries everything, or the link is over.
const SETTLED: VarInt = VarInt::from_u32(0);
const BYE: VarInt = VarInt::from_u32(1);

/// A connection to who showed the peer's certificate.
pub(super) struct Lane {
    connection: Connection,
    endpoint: Endpoint,
    out: Turns<Out>,
}

struct Out {
    stream: SendStream,
    /// Bytes of records that may still go.
    left: usize,
    /// Whether another record may follow: the last one is whole, and none was left out.
    open: bool,
}

impl Lane {
    /// Sends a record. Whether it went, and another may follow.
    async fn send(&self, record: &[u8]) -> bool {
        let mut out = self.out.lock().await;
        let open = std::mem::take(&mut out.open);
        let left = out.left.checked_sub(record.len() + RECORD_COST);
        let Some(left) = left.filter(|_| open) else { return false };
        out.left = left;
        let length = (record.len() as u32).to_be_bytes();
        out.open = out.stream.write_all(&length).await.is_ok() && out.stream.write_all(record).await.is_ok();
        out.open
    }

    /// Sends what still waits, as far as it may follow, and waits until the peer has it.
    async fn finish(&self, queue: &mut Queue) {
        while let Some(record) = queue.look_now() {
            if !self.send(record).await {
                break;
            }
        }
        let mut out = self.out.lock().await;
        // Half a record is none to the peer, and a stream that is closed is as good as finished.
        let _ = out.stream.finish();
        let _ = out.stream.stopped().await;
    }

    /// Whether the peer said that the link is over.
    fn is_left(&self) -> bool {
        matches!(self.connection.close_reason(), Some(ConnectionError::ApplicationClosed(close)) if close.error_code == BYE)
    }
}

/// Lets records go ahead, both ways, until their channel is up.
pub(super) async fn run(shared: &Shared) -> End {
    let mut up = shared.up.subscribe();
    let end = tokio::select! {
        biased;
        _ = up.wait_for(|up| *up) => None,
        end = meet(shared) => Some(end),
    };
    shared.pace.porch().close();
    if let Some(lane) = shared.lane.send_replace(None) {
        lane.connection.close(SETTLED, &[]);
    }
    shared.ahead.end().await;
    match end {
        Some(end) => end,
        None => pending().await,
    }
}

/// Ends only when the link does.
async fn meet(shared: &Shared) -> End {
    let mut trusted = shared.trusted.subscribe();
    let Some(peer) = trusted.wait_for(Option::is_some).await.ok().and_then(|peer| *peer) else {
        return pending().await;
    };
    match shake(shared, peer).await {
        Ok(lane) => match walk(shared, &lane, peer).await {
            Ok(()) if lane.is_left() => End::Down(DownReason::PeerClosed),
            Ok(()) => pending().await,
            Err(end) => end,
        },
        Err(error) => {
            tracing::debug!(%error, "nothing goes ahead");
            pending().await
        }
    }
}

/// Finds the peer, whose certificate has that hash.
async fn shake(shared: &Shared, peer: [u8; 32]) -> Result<Arc<Lane>, NoQuic> {
    let (transport, certificate) = (Arc::new(transport()), &shared.peer.certificate);
    let on = |server| {
        let mut config = quic::endpoint();
        // It decides how much memory is set aside to read into.
        config.max_udp_payload_size(PACKET_BYTES as u16).map_err(|error| NoQuic::Setup(error.to_string()))?;
        quic::on(config, server, Arc::new(Door(Arc::clone(&shared.pace))), &shared.ahead)
    };
    let (endpoint, connection) = match shared.role {
        Role::Offer => {
            let endpoint = on(Some(quic::server(certificate, peer, ALPN, transport)?))?;
            let connection = quic::accept(&endpoint).await?;
            (endpoint, connection)
        }
        Role::Answer => {
            let (endpoint, config) = (on(None)?, quic::client(certificate, peer, ALPN, transport)?);
            let connection = greet(shared, &endpoint, config).await;
            (endpoint, connection)
        }
    };
    let mut stream = connection.open_uni().await?;
    stream.write_all(&[HELLO]).await.map_err(|error| NoQuic::Setup(error.to_string()))?;
    Ok(Arc::new(Lane { connection, endpoint, out: Turns::new(Out { stream, left: AHEAD_BYTES, open: true }) }))
}

/// The first connection of those to the addresses that are known, or become known.
async fn greet(shared: &Shared, endpoint: &Endpoint, config: ClientConfig) -> Connection {
    let mut shaking = FuturesUnordered::new();
    loop {
        tokio::select! {
            remote = shared.pace.porch().next() => shaking.push(quic::connect(endpoint, config.clone(), remote)),
            Some(shaken) = shaking.next() => match shaken {
                Ok(connection) => return connection,
                Err(error) => tracing::debug!(%error, "a greeting was in vain"),
            },
        }
    }
}

/// Takes what the peer sends ahead, as long as it does.
///
/// The server is done once it has judged the client, the client before it is judged: that is over when the server speaks.
async fn walk(shared: &Shared, lane: &Arc<Lane>, peer: [u8; 32]) -> Result<(), End> {
    if shared.role == Role::Offer {
        shared.come_ahead(peer).await?;
    }
    shared.lane.send_replace(Some(Arc::clone(lane)));
    let Ok(mut stream) = lane.connection.accept_uni().await else { return Ok(()) };
    let mut hello = [0];
    if stream.read_exact(&mut hello).await.is_err() || hello != [HELLO] {
        return Ok(());
    }
    if shared.role == Role::Answer {
        shared.come_ahead(peer).await?;
    }
    let mut number = 0;
    while let Read::Message(record) = read(&mut stream, RECORD_BYTES).await {
        shared.deliver(number, record.into()).await?;
        number += 1;
    }
    lane.connection.closed().await;
    Ok(())
}

/// Sends the records of the queue ahead until their channel is up. They stay in it, and go there first.
pub(super) async fn send(shared: &Shared, queue: &mut Queue) {
    let (mut up, mut lanes) = (shared.up.subscribe(), shared.lane.subscribe());
    let sending = async {
        let Some(lane) = lanes.wait_for(Option::is_some).await.ok().and_then(|lane| lane.clone()) else { return };
        while let Some(record) = queue.look().await {
            if !lane.send(record).await {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = up.wait_for(|up| *up) => {}
        () = sending.then(|()| pending::<()>()) => {}
    }
}

/// Says that the link is over, before its channel is up; what waits is sent before that, if it is wanted.
pub(super) async fn last_words(shared: &Shared, queue: &mut Queue, wanted: bool) {
    let Some(lane) = shared.lane.send_replace(None) else { return };
    if wanted {
        let _ = tokio::time::timeout(LAST_WORDS, lane.finish(queue)).await;
    }
    quic::farewell(&lane.connection, &lane.endpoint, BYE).await;
}

fn transport() -> TransportConfig {
    let mut config = quic::transport(ASSUMED_RTT, WINDOW_BYTES);
    config.send_window(WINDOW_BYTES.into());
    config
}
