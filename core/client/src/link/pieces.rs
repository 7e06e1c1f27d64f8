//! Messages that are longer than the association carries travel over the data channels as pieces: binary messages of which
//! the first byte says whether more of it follows.
//!
//! Those of files go out as many at a time as the path carries without a queue, or between the beats of sound.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::Notify;

use super::DownReason;
use super::bulk::Ends;
use super::life::End;
use super::shared::Shared;
use super::stream::Measure;
use super::window::{MOST, Probe, Window};

/// Bytes of pieces that may be under way or waiting at the reader; with the records' credit that is less than
/// [`RECEIVE_BYTES`].
pub(super) const CREDIT_BYTES: usize = MOST + 256 * 1024;
/// The receive window of the association.
pub(super) const RECEIVE_BYTES: u32 = 2 * 1024 * 1024;
/// The longest message of the association, which the library holds a buffer for, at each link, from the beginning.
pub(super) const MESSAGE_BYTES: usize = 8 * 1024;
/// What a piece carries at most.
pub(super) const PIECE_BYTES: usize = MESSAGE_BYTES - 1;
/// First byte of a piece.
pub(super) const LAST: u8 = 0;
pub(super) const MORE: u8 = 1;
/// What a piece costs beside its content: the library keeps 256 messages of a channel before all others wait for it.
pub(super) const PIECE_COST: usize = 1_400;
/// The shortest piece of a longer message.
const LEAST_PIECE: usize = 1_024;
/// What one packet of the association carries of a piece.
const PACKET: usize = 1_150;
/// How long a question goes ahead of what follows the same beat, so that both are not put into one packet.
const AHEAD: Duration = Duration::from_millis(1);

fn marked(mark: u8, content: &[u8]) -> BytesMut {
    let mut marked = BytesMut::with_capacity(1 + content.len());
    marked.put_u8(mark);
    marked.put_slice(content);
    marked
}

/// The first piece of what is left of a message.
pub(super) fn first(message: &[u8]) -> BytesMut {
    let mark = if message.len() > PIECE_BYTES { MORE } else { LAST };
    marked(mark, &message[..message.len().min(PIECE_BYTES)])
}

/// Adds a piece to those before; gives the message it completes, which is no longer than `most`.
pub(super) fn join(part: &mut BytesMut, mut piece: Bytes, most: usize) -> Result<Option<Bytes>, End> {
    let breach = || End::Down(DownReason::Breach);
    let mark = *piece.first().ok_or_else(breach)?;
    let content = piece.split_off(1);
    if mark > MORE || part.len() + content.len() > most {
        return Err(breach());
    }
    if mark == LAST && part.is_empty() {
        return Ok(Some(content));
    }
    part.extend_from_slice(&content);
    Ok((mark == LAST).then(|| std::mem::take(part).freeze()))
}

/// What the two directions of the channel share.
pub(super) struct Flow {
    /// Bytes sent that the peer has not said to have taken.
    pub(super) untaken: AtomicUsize,
    /// Told when half of the window is empty, or the peer took or answered something.
    pub(super) emptied: Notify,
    pub(super) probe: Probe,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self { untaken: AtomicUsize::new(0), emptied: Notify::new(), probe: Probe::new() }
    }
}

/// This end's pieces.
pub(super) struct Pieces {
    window: Window,
    measure: Measure,
    /// What may still follow the last beat.
    room: usize,
}

impl Pieces {
    pub(super) fn new() -> Self {
        Self { window: Window::new(Instant::now()), measure: Measure::new(), room: 0 }
    }

    /// Hands a message over, whole.
    pub(super) async fn write(
        &mut self,
        shared: &Shared,
        flow: &Flow,
        ends: &Ends,
        mut message: Bytes,
    ) -> webrtc::error::Result<()> {
        loop {
            let held = shared.is_held(ends);
            let most = if held {
                self.beat(shared, flow, ends).await?
            } else {
                self.room = 0;
                (self.window.bytes() / 2).max(LEAST_PIECE)
            };
            let piece = message.split_to(most.min(PIECE_BYTES).min(message.len()));
            self.room = self.room.saturating_sub(piece.len());
            let mark = if message.is_empty() { LAST } else { MORE };
            self.send(shared, flow, mark, &piece, held).await?;
            if !held {
                self.ask(shared, flow).await?;
            }
            if mark == LAST {
                return Ok(());
            }
        }
    }

    /// Waits for the next beat with room for a packet, if nothing is left of the last, and says how much may go.
    ///
    /// What is asked right behind a packet of sound waits as long as that, for what followed the beats before.
    async fn beat(&mut self, shared: &Shared, flow: &Flow, ends: &Ends) -> webrtc::error::Result<usize> {
        while self.room == 0 {
            shared.pulse.next().await;
            self.window.look(&flow.probe);
            self.room = self.measure.beat(Instant::now(), self.window.waits(), PACKET, ends.ceiling());
            if self.room > 0 && self.ask(shared, flow).await? {
                tokio::time::sleep(AHEAD).await;
            }
        }
        Ok(self.room)
    }

    /// Asks how long the path is now, if that is due.
    async fn ask(&mut self, shared: &Shared, flow: &Flow) -> webrtc::error::Result<bool> {
        if !self.window.should_ask(Instant::now()) {
            return Ok(false);
        }
        let Some(number) = flow.probe.ask() else { return Ok(false) };
        shared.peer.bulk.send_text(&format!("ask {number}")).await?;
        Ok(true)
    }

    /// Sends a piece once the window has room for it and the peer has credit.
    ///
    /// The library's own wait can miss the moment and then sleeps 50 ms, which starves a fast path.
    async fn send(
        &mut self,
        shared: &Shared,
        flow: &Flow,
        mark: u8,
        piece: &[u8],
        held: bool,
    ) -> webrtc::error::Result<()> {
        let (channel, length) = (&shared.peer.bulk, piece.len() + 1);
        loop {
            self.window.look(&flow.probe);
            let waiting = channel.outstanding_bytes().await?;
            let untaken = flow.untaken.load(Ordering::Acquire);
            let fits = waiting == 0 || waiting + length <= self.window.bytes();
            if fits && untaken + length + PIECE_COST <= CREDIT_BYTES {
                break;
            }
            if !fits {
                self.window.is_full();
            }
            if held {
                // Whatever makes room, a piece that missed its beat waits for another.
                shared.pulse.next().await;
            } else {
                let _ = tokio::time::timeout(self.window.patience(), flow.emptied.notified()).await;
            }
        }
        flow.untaken.fetch_add(length + PIECE_COST, Ordering::AcqRel);
        channel.send(marked(mark, piece)).await
    }
}
