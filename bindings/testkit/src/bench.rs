//! What the media port is measured against: the same work through UniFFI.

use std::sync::{Arc, Mutex, PoisonError};

/// Sound through UniFFI: takes a frame and gives one, as the media port does.
#[derive(Debug, Default, uniffi::Object)]
pub struct UniffiSound {
    last: Mutex<Vec<u8>>,
}

#[uniffi::export]
impl UniffiSound {
    /// Silence so far.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes a frame.
    pub fn push(&self, pcm: Vec<u8>) -> u32 {
        let length = u32::try_from(pcm.len()).unwrap_or(u32::MAX);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = pcm;
        length
    }

    /// Gives the last frame.
    pub fn pull(&self) -> Vec<u8> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A call that does nothing.
#[uniffi::export]
pub fn noop() {}

/// An event as large as those of a client mostly are.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BenchEvent {
    /// An id.
    pub peer: String,
    /// A number.
    pub position: u64,
}

/// So many events at once, as a client gives them.
#[uniffi::export]
pub async fn bench_batch(count: u32) -> Vec<BenchEvent> {
    (0..u64::from(count)).map(event).collect()
}

/// Who is told of one event at a time: what a client does not do.
#[uniffi::export(with_foreign)]
pub trait BenchListener: Send + Sync {
    /// An event.
    fn told(&self, event: BenchEvent);
}

/// Tells so many events, one by one, from a thread of the library's; returns when all were told.
#[uniffi::export]
pub fn bench_tell(listener: Arc<dyn BenchListener>, count: u32) {
    let tell = move || (0..u64::from(count)).for_each(|position| listener.told(event(position)));
    // A thread that cannot be had, or a listener that throws, shows in the figures.
    let _ = std::thread::Builder::new().spawn(tell).map(std::thread::JoinHandle::join);
}

fn event(position: u64) -> BenchEvent {
    BenchEvent { peer: "00112233445566778899aabbccddeeff".to_owned(), position }
}
