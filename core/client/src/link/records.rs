//! Records on their way out: a queue bounded in bytes before a window bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

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
    level: Arc<Level>,
}

impl Queue {
    /// The next record, or `None` once the link's owner is gone.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        match self.seen.pop_front() {
            Some(record) => Some(record),
            None => self.records.recv().await,
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

    /// The next record, if one waits.
    pub(super) fn waiting(&mut self) -> Option<Vec<u8>> {
        self.seen.pop_front().or_else(|| self.records.try_recv().ok())
    }

    /// Gives the room of a record back, once it is in the window.
    pub(super) fn passed(&self, length: usize) {
        self.level.bytes.fetch_sub(length, Ordering::AcqRel);
        self.level.freed.notify_waiters();
    }
}

pub(super) fn queue() -> (Outgoing, Queue) {
    let (sender, receiver) = mpsc::channel(QUEUE_RECORDS);
    let level = Arc::new(Level { bytes: AtomicUsize::new(0), freed: Notify::new() });
    (Outgoing { records: sender, level: Arc::clone(&level) }, Queue { records: receiver, seen: VecDeque::new(), level })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_comes_before_what_was_not() {
        let (outgoing, mut queue) = queue();
        for number in 0..6 {
            outgoing.send(vec![number]).unwrap();
        }
        assert_eq!(queue.look().await, Some(&[0][..]));
        assert_eq!(queue.look_now(), Some(&[1][..]));
        assert_eq!((queue.next().await, queue.waiting()), (Some(vec![0]), Some(vec![1])));
        assert_eq!(queue.look().await, Some(&[2][..]));
        assert_eq!(
            (queue.waiting(), queue.waiting(), queue.next().await),
            (Some(vec![2]), Some(vec![3]), Some(vec![4]))
        );
        assert_eq!(queue.look_now(), Some(&[5][..]));
        drop(outgoing);
        assert_eq!((queue.next().await, queue.next().await), (Some(vec![5]), None));
        assert_eq!(queue.look().await, None);
    }
}
