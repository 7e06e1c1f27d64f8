//! What passes over a link that is up: records and sound, each way.
//!
//! Records travel as pieces (see [`super::pieces`]). Text messages steer: `ready`, once, from the answering end, and from
//! both `ask n`, which is answered at once by `got n` and tells how long the path is, `bye`, which is an end's last, and a
//! number, which is how many more bytes of records were taken since the last. An end sends no more than [`CREDIT_BYTES`]
//! that were not taken, so a slow reader fills neither its own memory nor its SCTP window: a closed window is opened again
//! only by the library's one-second timer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::sync::{mpsc, watch};
use webrtc::data_channel::DataChannelEvent;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::ahead;
use super::bulk::{Question, question};
use super::life::{End, repeat};
use super::media::{Inbound, Sound};
use super::pieces::join;
use super::records::{Queue, WINDOW_BYTES};
use super::shared::Shared;
use super::template::{self, OPUS};
use super::{DownReason, RECORD_BYTES, Role, Route};

/// Bytes of records that may be under way or waiting at the reader; the library's receive window is 1 MiB.
const CREDIT_BYTES: usize = 640 * 1024;
/// What a record, or a piece of one, costs beside its content.
pub(super) const RECORD_COST: usize = 64;
/// What the answering end says first.
const READY: &str = "ready";
/// What an end says last: the library's own farewell is one packet, which it does not send at all where our relay carries it.
const BYE: &str = "bye";
/// How long a peer may take to acknowledge what was said last, where that was records and where it was the end alone, and how
/// often that is looked at.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(330);
const PARTING: Duration = Duration::from_millis(75);
const LOOK: Duration = Duration::from_millis(3);
/// How long to trust that room in the window will be told.
const WINDOW_PATIENCE: Duration = Duration::from_millis(50);

/// Passes records on as fast as the receiver of news takes them, after checking who sends them.
///
/// The offering end knows the channel to be open first, and a record that overtook the last packet of the handshake
/// would be acknowledged and lost by the library at the answering end. So the answering end says that it is ready,
/// and the offering end is up only then.
pub(super) async fn receive(shared: &Shared) -> End {
    match receiving(shared).await {
        Ok(never) => never,
        Err(end) => end,
    }
}

async fn receiving(shared: &Shared) -> Result<End, End> {
    let channel = &shared.peer.channel;
    let mut greeted = None;
    let mut part = BytesMut::new();
    let (mut taken, mut number) = (0, 0);
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnOpen) => {
                let up = welcome(shared).await.map_err(End::Down)?;
                match shared.role {
                    Role::Offer => greeted = Some(up),
                    Role::Answer => {
                        opened(&shared.bulk_open).await;
                        channel.send_text(READY).await?;
                        shared.come_up(up.0, up.1).await?;
                    }
                }
            }
            Some(DataChannelEvent::OnMessage(message)) if message.is_string => match greeted.take() {
                Some((route, shown)) if message.data == READY.as_bytes() => shared.come_up(route, shown).await?,
                Some(_) => return Err(End::Down(DownReason::Breach)),
                None if message.data == BYE.as_bytes() => return Ok(End::Down(DownReason::PeerClosed)),
                None => match question(&message.data) {
                    Some(Question::Asked(number)) => channel.send_text(&format!("got {number}")).await?,
                    Some(Question::Answered(number)) => shared.echoed(number).await?,
                    None => credit(shared, &message.data)?,
                },
            },
            Some(DataChannelEvent::OnMessage(_)) if greeted.is_some() => return Err(End::Down(DownReason::Breach)),
            Some(DataChannelEvent::OnMessage(message)) => {
                taken += message.data.len() + RECORD_COST;
                if let Some(record) = join(&mut part, message.data.freeze(), RECORD_BYTES)? {
                    shared.deliver(number, record.into()).await?;
                    number += 1;
                }
                if taken >= CREDIT_BYTES / 4 {
                    channel.send_text(&taken.to_string()).await?;
                    taken = 0;
                }
            }
            Some(DataChannelEvent::OnBufferedAmountLow) => shared.emptied.notify_one(),
            Some(DataChannelEvent::OnClose) => return Ok(End::Down(DownReason::PeerClosed)),
            Some(_) => {}
            None => return Ok(End::Down(DownReason::Broken)),
        }
    }
}

/// The channel of files opens with that of records, a moment earlier or later.
async fn opened(flag: &watch::Sender<bool>) {
    // The flag lives as long as who waits here.
    let _ = flag.subscribe().wait_for(|open| *open).await;
}

/// The peer took so many bytes more.
fn credit(shared: &Shared, text: &[u8]) -> Result<(), End> {
    let breach = || End::Down(DownReason::Breach);
    let more: usize = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(breach)?;
    let repay = |owed: usize| owed.checked_sub(more);
    shared.untaken.fetch_update(Ordering::AcqRel, Ordering::Acquire, repay).map_err(|_| breach())?;
    shared.emptied.notify_one();
    Ok(())
}

/// The library compared the certificate with the description; it is compared again with what the peer itself said.
async fn welcome(shared: &Shared) -> Result<(Route, [u8; 32]), DownReason> {
    let shown = shared.peer.fingerprint().await.ok_or(DownReason::Broken)?;
    if *shared.trusted.borrow() != Some(shown) {
        return Err(DownReason::Unauthenticated);
    }
    let route = shared.route().await.ok_or(DownReason::Broken)?;
    shared.travel(route);
    Ok((route, shown))
}

/// Puts records into the window as it empties, until the link is left: then the queue begins with what was not put there.
pub(super) async fn transmit(shared: &Shared, queue: &mut Queue) -> End {
    ahead::send(shared, queue).await;
    loop {
        let next = async {
            let piece = queue.piece().await?;
            Some(room(shared, piece.len()).await.map(|()| piece))
        };
        let piece = tokio::select! {
            biased;
            () = shared.leaving.notified() => return End::Owner,
            piece = next => piece,
        };
        // Whoever gives up on this cannot know whether it is sent.
        let sent = match piece {
            None => return End::Owner,
            Some(Ok(piece)) => shared.peer.channel.send(piece).await,
            Some(Err(error)) => Err(error),
        };
        if sent.is_err() {
            // Whoever reads the channel learns why it is closed, and ends this life.
            shared.leaving.notified().await;
            return End::Owner;
        }
        queue.passed();
    }
}

/// Says that the link is over, after what still waits, if that is wanted, and gives the peer a moment to take it: what is under
/// way when a link is closed is lost. A packet of it that is lost is sent again, as SCTP would in a second.
pub(super) async fn last_words(shared: &Shared, queue: &mut Queue, wanted: bool) {
    let channel = &shared.peer.channel;
    shared.pace.shake().part();
    let said = async {
        while let Some(piece) = if wanted { queue.piece_now() } else { None } {
            if channel.send(piece).await.is_err() {
                return;
            }
            queue.passed();
        }
        if channel.send_text(BYE).await.is_err() {
            return;
        }
        // Nobody tells when the last of it was acknowledged.
        let mut look = tokio::time::interval(LOOK);
        while channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            look.tick().await;
        }
    };
    let said = tokio::time::timeout(if wanted { LAST_WORDS } else { PARTING }, said);
    tokio::select! {
        _ = said => {}
        _ = repeat(shared) => {}
    }
}

/// Waits until the window has room for a record and the peer has credit, and takes both.
///
/// The library's own wait can miss the moment and then sleeps 50 ms, which starves a fast path.
async fn room(shared: &Shared, length: usize) -> webrtc::error::Result<()> {
    let cost = length + RECORD_COST;
    loop {
        let waiting = shared.peer.channel.outstanding_bytes().await?;
        let untaken = shared.untaken.load(Ordering::Acquire);
        let fits = waiting == 0 || waiting + length <= WINDOW_BYTES;
        if fits && untaken + cost <= CREDIT_BYTES {
            shared.untaken.fetch_add(cost, Ordering::AcqRel);
            shared.sends.notify_one();
            return Ok(());
        }
        let _ = tokio::time::timeout(WINDOW_PATIENCE, shared.emptied.notified()).await;
    }
}

/// A track of the peer, once it begins.
pub(super) type Remote = Arc<dyn TrackRemote>;

/// Where the peer's tracks go.
pub(super) struct Tracks {
    heard: mpsc::Sender<Remote>,
    seen: mpsc::Sender<Remote>,
}

impl Tracks {
    /// With where sound and pictures come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Remote>, mpsc::Receiver<Remote>) {
        let ((heard, hear), (seen, see)) = (mpsc::channel(1), mpsc::channel(1));
        (Self { heard, seen }, hear, see)
    }

    /// A track began. A second one of a kind is no part of any agreement.
    pub(super) fn begin(&self, kind: RtpCodecKind, track: Remote) {
        let _ = match kind {
            RtpCodecKind::Audio => self.heard.try_send(track),
            RtpCodecKind::Video => self.seen.try_send(track),
            _ => return,
        };
    }
}

pub(super) async fn speak(shared: &Shared, sound: &Sound) {
    loop {
        let frame = sound.next().await;
        if !shared.is_up() {
            continue;
        }
        let header = rtp::header::Header {
            version: 2,
            marker: frame.marker,
            payload_type: OPUS,
            sequence_number: frame.sequence,
            timestamp: frame.timestamp,
            ssrc: template::sound_ssrc(shared.role),
            ..Default::default()
        };
        let packet = rtp::Packet { header, payload: frame.payload };
        if let Err(error) = shared.peer.sound.write_rtp(packet).await {
            tracing::trace!(%error, "a sound packet was not sent");
        }
    }
}

pub(super) async fn listen(mut tracks: mpsc::Receiver<Remote>, sound: &Sound) {
    while let Some(track) = tracks.recv().await {
        while let Some(event) = track.poll().await {
            let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
            if packet.header.payload_type != OPUS {
                continue;
            }
            sound.heard(Inbound {
                sequence: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                payload: packet.payload,
                arrival: Instant::now(),
            });
        }
    }
    std::future::pending().await
}
