//! Records on their way out: a queue bounded in bytes before a window bounded in bytes, into which they go in pieces.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use tokio::sync::{Notify, mpsc};

use super::pieces::{self, PIECE_BYTES};
use super::{RECORD_BYTES, SendRefused};

/// Bytes of records that may wait before the window.
pub(super) const QUEUE_BYTES: usize = 1024 * 1024;
/// Bytes the library may hold unacknowledged: more overfills the queue of a slow link, less slows a long one.
pub(super) const WINDOW_BYTES: usize = 256 * 1024;
/// Records that may wait, whatever their length.
const QUEUE_RECORDS: usize = 4096;

#[derive(Debug)]
struct Level {
    bytes: AtomicUsize,
    freed: Notify,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    records: mpsc::Sender<Vec<u8>>,
    level: Arc<Level>,
}

impl Outgoing {
    pub(super) fn send(&self, record: Vec<u8>) -> Result<(), SendRefused> {
        let length = record.len();
        if length > RECORD_BYTES {
            return Err(SendRefused::TooLong);
        }
        let fits = |bytes: usize| (bytes + length <= QUEUE_BYTES).then_some(bytes + length);
        if self.level.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_err() {
            return Err(if self.records.is_closed() { SendRefused::Closed } else { SendRefused::Full });
        }
        self.records.try_send(record).map_err(|refused| {
            self.level.bytes.fetch_sub(length, Ordering::AcqRel);
            match refused {
                mpsc::error::TrySendError::Full(_) => SendRefused::Full,
                mpsc::error::TrySendError::Closed(_) => SendRefused::Closed,
            }
        })
    }

    pub(super) async fn room(&self) {
        loop {
            let freed = self.level.freed.notified();
            let enough = self.level.bytes.load(Ordering::Acquire) <= QUEUE_BYTES / 2
                && self.records.capacity() >= QUEUE_RECORDS / 2;
            if enough || self.records.is_closed() {
                return;
            }
            tokio::select! {
                () = freed => {}
                () = self.records.closed() => {}
            }
        }
    }
}

pub(super) struct Queue {
    records: mpsc::Receiver<Vec<u8>>,
    /// Those that were looked at, which are the next of all.
    seen: VecDeque<Vec<u8>>,
    /// Bytes of the first of them that passed.
    cut: usize,
    level: Arc<Level>,
}

impl Queue {
    /// The next piece of a record as a message, which stays until it [`passed`](Self::passed), or `None` once the link's
    /// owner is gone.
    pub(super) async fn piece(&mut self) -> Option<BytesMut> {
        if self.seen.is_empty() {
            self.look().await?;
        }
        self.first()
    }

    /// The same, if one waits.
    pub(super) fn piece_now(&mut self) -> Option<BytesMut> {
        if self.seen.is_empty() {
            self.look_now()?;
        }
        self.first()
    }

    fn first(&self) -> Option<BytesMut> {
        Some(pieces::first(self.seen.front()?.get(self.cut..)?))
    }

    /// The piece is in the window; gives the room of its record back, if that was the last.
    pub(super) fn passed(&mut self) {
        let Some(length) = self.seen.front().map(Vec::len) else { return };
        self.cut = length.min(self.cut + PIECE_BYTES);
        if self.cut == length {
            self.cut = 0;
            self.seen.pop_front();
            self.level.bytes.fetch_sub(length, Ordering::AcqRel);
            self.level.freed.notify_waiters();
        }
    }

    /// The next record that was not looked at yet, which stays, or `None` once the link's owner is gone.
    pub(super) async fn look(&mut self) -> Option<&[u8]> {
        let record = self.records.recv().await?;
        self.seen.push_back(record);
        self.seen.back().map(Vec::as_slice)
    }

    /// The same, if one waits.
    pub(super) fn look_now(&mut self) -> Option<&[u8]> {
        let record = self.records.try_recv().ok()?;
        self.seen.push_back(record);
        self.seen.back().map(Vec::as_slice)
    }
}

pub(super) fn queue() -> (Outgoing, Queue) {
    let (sender, receiver) = mpsc::channel(QUEUE_RECORDS);
    let level = Arc::new(Level { bytes: AtomicUsize::new(0), freed: Notify::new() });
    let queue = Queue { records: receiver, seen: VecDeque::new(), cut: 0, level: Arc::clone(&level) };
    (Outgoing { records: sender, level }, queue)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::pieces::{LAST, MORE};
    use super::*;

    /// What is in a message, which then passed.
    fn take(queue: &mut Queue) -> Option<(u8, Vec<u8>)> {
        let message = queue.piece_now()?;
        assert_eq!(queue.piece_now().as_ref(), Some(&message), "it stays");
        queue.passed();
        Some((message[0], message[1..].to_vec()))
    }

    fn whole(content: &[u8]) -> Option<(u8, Vec<u8>)> {
        Some((LAST, content.to_vec()))
    }

    #[tokio::test]
    async fn what_was_looked_at_comes_before_what_was_not() {
        let (outgoing, mut queue) = queue();
        for number in 0..5 {
            outgoing.send(vec![number]).unwrap();
        }
        assert_eq!(queue.look().await, Some(&[0][..]));
        assert_eq!(queue.look_now(), Some(&[1][..]));
        assert_eq!((take(&mut queue), take(&mut queue)), (whole(&[0]), whole(&[1])));
        assert_eq!(queue.piece().await.as_deref(), Some(&[LAST, 2][..]));
        assert_eq!(queue.look().await, Some(&[3][..]));
        assert_eq!((take(&mut queue), take(&mut queue), take(&mut queue)), (whole(&[2]), whole(&[3]), whole(&[4])));
        assert_eq!((take(&mut queue), queue.look_now()), (None, None));
        outgoing.send(vec![5]).unwrap();
        drop(outgoing);
        assert_eq!(queue.piece().await.as_deref(), Some(&[LAST, 5][..]));
        queue.passed();
        assert_eq!((queue.piece().await, queue.look().await), (None, None));
    }

    #[tokio::test]
    async fn a_record_goes_in_pieces_and_gives_its_room_back_with_the_last() {
        let (outgoing, mut queue) = queue();
        let long: Vec<u8> = (0..2 * PIECE_BYTES + 1).map(|place| place as u8).collect();
        for record in [&long[..], &[], &long[..PIECE_BYTES]] {
            outgoing.send(record.to_vec()).unwrap();
        }
        let room = |outgoing: &Outgoing| QUEUE_BYTES - outgoing.level.bytes.load(Ordering::Acquire);
        let before = room(&outgoing);
        for part in [0..PIECE_BYTES, PIECE_BYTES..2 * PIECE_BYTES] {
            assert_eq!(take(&mut queue), Some((MORE, long[part].to_vec())));
            assert_eq!(room(&outgoing), before);
        }
        assert_eq!(take(&mut queue), whole(&long[2 * PIECE_BYTES..]));
        assert_eq!(room(&outgoing), before + long.len());
        assert_eq!((take(&mut queue), take(&mut queue)), (whole(&[]), whole(&long[..PIECE_BYTES])));
        assert_eq!(room(&outgoing), QUEUE_BYTES);
    }
}
