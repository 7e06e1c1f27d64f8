//! Records on their way out: a queue bounded in bytes before a window bounded in bytes.

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
    level: Arc<Level>,
}

impl Queue {
    /// The next record, or `None` once the link's owner is gone.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.records.recv().await
    }

    /// The next record, if one waits.
    pub(super) fn waiting(&mut self) -> Option<Vec<u8>> {
        self.records.try_recv().ok()
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
    (Outgoing { records: sender, level: Arc::clone(&level) }, Queue { records: receiver, level })
}
