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
