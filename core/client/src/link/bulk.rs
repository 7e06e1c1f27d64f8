//! The port through which files pass a link, beside records and sound, and the data channel that is its first path.
//!
//! Messages go in whole and come out whole, in order, over one path at a time. A path is lost only with the link, unless
//! [`BulkNews::Restarted`] says that another one took over.
//!
//! Which path that is, the ends agree on (see [`super::paths`]): the data channel, which always is, or QUIC.
//!
//! # On the data channel
//! A message travels as pieces (see [`super::pieces`]). How long they are and how many are under way follows from how long the
//! path is and what waits on it (see [`super::window`]); beside sound they go out right after each beat. Text messages
//! steer: a word about paths; `ask n`, which is answered at once by `got n`; or a number, which is how many more bytes were
//! taken since the last. An end sends no more than [`CREDIT_BYTES`] that were not taken; together with the credit of records
//! that is less than the receive window, which is shared.
//!
//! # When a queue is full
//! Out: [`BulkPort::send`] waits. In: the peer's credit ends, and it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use crossbeam_queue::ArrayQueue;
use tokio::sync::{Notify, mpsc, watch};
use webrtc::data_channel::DataChannelEvent;

use super::DownReason;
use super::life::End;
use super::paths::{Keeper, Lane, Paths, Word};
use super::pieces::{CREDIT_BYTES, Flow, PIECE_COST, Pieces, join};
use super::shared::Shared;
use super::stream::Stream;

/// Longest bulk message, in bytes.
pub const BULK_BYTES: usize = 64 * 1024 + 256;

/// Messages that may wait each way.
const WAITING: usize = 8;
/// The lowest ceiling.
const LEAST_CEILING: u64 = 1_024;

/// A speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BytesPerSecond(pub u64);

/// What carries bulk messages now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkPath {
    /// A data channel of their own on the link's association.
    Sctp,
    /// QUIC on the link's socket.
    Quic,
}

/// What else is on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing that hurries.
    Nothing,
    /// A call.
    Call,
}

/// What a port has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkNews {
    /// A message from the peer, in the order it was sent on its path.
    Message(Bytes),
    /// The path changed: what was under way either way may be lost. Go on from what was verified.
    Restarted,
}

/// The link is closed or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is closed")]
pub struct BulkClosed;

/// Where the file pump hands in and takes out messages; clones share the same queues.
#[derive(Debug, Clone)]
pub struct BulkPort {
    out: mpsc::Sender<Bytes>,
    ends: Arc<Ends>,
}

#[derive(Debug)]
pub(super) struct Ends {
    heard: ArrayQueue<BulkNews>,
    /// Told when something was heard, and at the end.
    ready: Notify,
    /// Told when something was taken.
    taken: Notify,
    closed: AtomicBool,
    /// Bytes per second; [`u64::MAX`] for none.
    ceiling: AtomicU64,
    /// Whether a call is on beside it.
    beside_call: AtomicBool,
    /// Whether messages go over QUIC.
    quic: AtomicBool,
}

impl BulkPort {
    /// Hands in a message and returns once there was room for it; it arrives whole if the path lasts. Before the link is up
    /// it waits. A dropped future has either handed the message in or not.
    ///
    /// # Errors
    /// [`BulkClosed`] when the link is closed or down.
    ///
    /// # Panics
    /// With a message longer than [`BULK_BYTES`].
    pub async fn send(&self, message: Bytes) -> Result<(), BulkClosed> {
        assert!(message.len() <= BULK_BYTES, "a bulk message is at most {BULK_BYTES} bytes long");
        self.out.send(message).await.map_err(|_| BulkClosed)
    }

    /// Waits for what comes next; `None` once the link is over. Meant for one waiting task at a time; a dropped future
    /// loses nothing.
    pub async fn receive(&self) -> Option<BulkNews> {
        loop {
            if let Some(news) = self.ends.heard.pop() {
                self.ends.taken.notify_one();
                return Some(news);
            }
            if self.ends.closed.load(Ordering::Acquire) {
                // What came last may have come between the two looks; another clone may wait as well.
                self.ends.ready.notify_one();
                return self.ends.heard.pop();
            }
            self.ends.ready.notified().await;
        }
    }

    /// What carries messages now.
    #[must_use]
    pub fn path(&self) -> BulkPath {
        if self.ends.quic.load(Ordering::Relaxed) { BulkPath::Quic } else { BulkPath::Sctp }
    }

    /// Leaves room for a call from now on, also while nobody speaks, or takes the whole path.
    pub fn set_beside(&self, beside: Beside) {
        self.ends.beside_call.store(beside == Beside::Call, Ordering::Relaxed);
    }

    /// Sends no faster than this from now on, and evenly; `None` for as fast as the path goes.
    pub fn set_ceiling(&self, ceiling: Option<BytesPerSecond>) {
        let bytes = ceiling.map_or(u64::MAX, |BytesPerSecond(bytes)| bytes.max(LEAST_CEILING));
        self.ends.ceiling.store(bytes, Ordering::Relaxed);
    }
}

impl Ends {
    pub(super) fn ceiling(&self) -> Option<u64> {
        Some(self.ceiling.load(Ordering::Relaxed)).filter(|bytes| *bytes != u64::MAX)
    }

    /// Whether room is to be left for something else, whether or not it is heard now.
    pub(super) fn is_held(&self) -> bool {
        self.ceiling().is_some() || self.beside_call.load(Ordering::Relaxed)
    }

    /// Waits for room and passes on what was heard.
    pub(super) async fn tell(&self, news: BulkNews) {
        let mut waiting = news;
        while let Err(refused) = self.heard.push(waiting) {
            waiting = refused;
            self.taken.notified().await;
        }
        self.ready.notify_one();
    }
}

/// The link's end of the port.
pub(super) struct Bulk {
    queue: mpsc::Receiver<Bytes>,
    ends: Arc<Ends>,
}

impl Drop for Bulk {
    fn drop(&mut self) {
        self.ends.closed.store(true, Ordering::Release);
        self.ends.ready.notify_one();
    }
}

pub(super) fn port() -> (BulkPort, Bulk) {
    let (out, queue) = mpsc::channel(WAITING);
    let ends = Arc::new(Ends {
        heard: ArrayQueue::new(WAITING),
        ready: Notify::new(),
        taken: Notify::new(),
        closed: AtomicBool::new(false),
        ceiling: AtomicU64::new(u64::MAX),
        beside_call: AtomicBool::new(false),
        quic: AtomicBool::new(false),
    });
    (BulkPort { out, ends: Arc::clone(&ends) }, Bulk { queue, ends })
}

/// Carries messages for as long as the link lives.
pub(super) async fn carry(shared: &Shared, bulk: &mut Bulk) -> End {
    let flow = Flow::new();
    let (paths, words) = Paths::new();
    let Bulk { queue, ends } = bulk;
    tokio::select! {
        end = receiving(shared, &flow, &paths, ends) => end.unwrap_or_else(|end| end),
        end = transmit(shared, &flow, &paths, ends, queue) => end,
        end = Keeper::new(shared, &paths, ends, words).keep() => end,
    }
}

async fn receiving(shared: &Shared, flow: &Flow, paths: &Paths, ends: &Ends) -> Result<End, End> {
    let channel = &shared.peer.bulk;
    let mut part = BytesMut::new();
    let mut taken = 0;
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnOpen) => drop(shared.bulk_open.send_replace(true)),
            Some(DataChannelEvent::OnMessage(message)) if message.is_string => match word(&message.data) {
                Some(word) => paths.hear(word).await,
                None => match question(&message.data) {
                    Some(Question::Asked(number)) => channel.send_text(&format!("got {number}")).await?,
                    Some(Question::Answered(number)) => {
                        if flow.probe.answered(number) {
                            flow.emptied.notify_one();
                        }
                    }
                    None => credit(flow, &message.data)?,
                },
            },
            Some(DataChannelEvent::OnMessage(message)) => {
                taken += message.data.len() + PIECE_COST;
                if let Some(whole) = join(&mut part, message.data.freeze(), BULK_BYTES)? {
                    paths.after_stream().await;
                    paths.pass();
                    ends.tell(BulkNews::Message(whole)).await;
                }
                if taken >= CREDIT_BYTES / 4 {
                    channel.send_text(&taken.to_string()).await?;
                    taken = 0;
                }
            }
            Some(DataChannelEvent::OnBufferedAmountLow) => flow.emptied.notify_one(),
            Some(DataChannelEvent::OnClose) => return Ok(End::Down(DownReason::PeerClosed)),
            Some(_) => {}
            None => return Ok(End::Down(DownReason::Broken)),
        }
    }
}

fn word(text: &[u8]) -> Option<Word> {
    Word::parse(std::str::from_utf8(text).ok()?)
}

/// Whether what was sent before has passed.
pub(super) enum Question {
    Asked(u64),
    Answered(u64),
}

pub(super) fn question(text: &[u8]) -> Option<Question> {
    let (word, number) = std::str::from_utf8(text).ok()?.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "ask" => Some(Question::Asked(number)),
        "got" => Some(Question::Answered(number)),
        _ => None,
    }
}

/// The peer took so many bytes more.
fn credit(flow: &Flow, text: &[u8]) -> Result<(), End> {
    let breach = || End::Down(DownReason::Breach);
    let more: usize = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(breach)?;
    let repay = |owed: usize| owed.checked_sub(more);
    flow.untaken.fetch_update(Ordering::AcqRel, Ordering::Acquire, repay).map_err(|_| breach())?;
    flow.emptied.notify_one();
    Ok(())
}

async fn transmit(shared: &Shared, flow: &Flow, paths: &Paths, ends: &Ends, queue: &mut mpsc::Receiver<Bytes>) -> End {
    let ready = [&shared.up, &shared.bulk_open].map(watch::Sender::subscribe);
    for mut flag in ready {
        if flag.wait_for(|flag| *flag).await.is_err() {
            return End::Owner;
        }
    }
    let mut pieces = Pieces::new();
    let mut lanes = paths.lanes();
    let mut stream = None;
    loop {
        let message = tokio::select! {
            // Paths are left and taken between two messages.
            _ = lanes.changed() => None,
            message = queue.recv() => match message {
                Some(message) => Some(message),
                None => return End::Owner,
            },
        };
        if message.is_some() && stream.is_none() {
            // What the data channel put into a slow wire's queue, QUIC would take for the length of the wire, and keep the
            // queue full for good; nor has the data channel a measure of what the wire carries beside sound.
            paths.want();
            paths.settled().await;
        }
        let lane = lanes.borrow_and_update().clone();
        if let Err(end) = change(shared, paths, ends, &mut stream, lane, message.is_some()).await {
            return end;
        }
        let Some(message) = message else { continue };
        paths.pass();
        if let Some(open) = &mut stream {
            if open.write(shared, ends, &message).await {
                continue;
            }
            // The connection broke, which whoever keeps the paths learns as well; what was not handed over whole goes on.
            let _ = lanes.wait_for(Option::is_none).await;
            stream = None;
            ends.quic.store(false, Ordering::Relaxed);
            paths.set_open(false);
        }
        paths.want();
        if pieces.write(shared, flow, ends, message).await.is_err() {
            // Whoever reads the channel learns why it is closed, and ends this life.
            std::future::pending::<()>().await;
        }
    }
}

/// Takes or leaves a path, as there is one or none; one is taken only with something to send.
async fn change(
    shared: &Shared,
    paths: &Paths,
    ends: &Ends,
    stream: &mut Option<Stream>,
    lane: Option<Lane>,
    some: bool,
) -> Result<(), End> {
    match lane {
        Some(lane) if some && stream.is_none() => {
            paths.set_open(true);
            lane.announce(shared).await?;
            *stream = Some(Stream::new(lane));
            ends.quic.store(true, Ordering::Relaxed);
        }
        None if stream.is_some() => {
            if let Some(stream) = stream.take() {
                stream.finish();
            }
            ends.quic.store(false, Ordering::Relaxed);
            paths.set_open(false);
        }
        _ => {}
    }
    Ok(())
}
