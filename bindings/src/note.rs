//! Voice notes, while they are spoken.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use crate::client::{RawClient, SoundHandle};
use crate::count::Live;
use crate::error::{ErrorCode, SidetoneError};
use crate::id::UserId;
use crate::operation::{Operation, Outcome};
use crate::port;

/// A voice note while it is spoken: the app's microphone thread gives it sound through the media port
/// (`sidetone_media_note`). Letting go of it throws it away.
#[derive(uniffi::Object)]
pub struct RawNote {
    sound: SoundHandle,
    _live: Live,
}

/// How a voice note stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct NoteView {
    /// How long it is so far, in milliseconds.
    pub duration_ms: u32,
    /// How loud its last 20 ms were, 0 to 255: for a display.
    pub level: u8,
}

#[uniffi::export]
impl RawNote {
    /// Begins a note; `System` if 16 are being spoken already.
    #[uniffi::constructor]
    pub fn begin() -> Result<Arc<Self>, SidetoneError> {
        if !cfg!(feature = "calls") {
            return Err(sidetone::Error::NotBuilt.into());
        }
        let failed = || SidetoneError::of(ErrorCode::System);
        // Tells its stream from others (RFC 7845): unequal numbers will do.
        let serial = RandomState::new().build_hasher().finish() as u32;
        let recorder = sidetone::NoteRecorder::new(serial).map_err(|_| failed())?;
        let value = port::plug_note(recorder).ok_or_else(failed)?;
        Ok(Arc::new(Self { sound: SoundHandle { value }, _live: Live::begin() }))
    }

    /// What the media port is called with.
    pub fn sound(&self) -> SoundHandle {
        self.sound
    }

    /// How it stands; none once it was sent.
    pub fn view(&self) -> Option<NoteView> {
        port::note(self.sound.value, |note| NoteView { duration_ms: note.duration_ms(), level: note.level() })
    }
}

impl RawNote {
    /// Ends it and gives it out.
    pub(crate) fn finish(&self) -> Result<sidetone::Note, SidetoneError> {
        let empty = || SidetoneError::of(ErrorCode::NoteEmpty);
        port::take_note(self.sound.value).ok_or_else(empty)?.finish().map_err(|_| empty())
    }
}

impl Drop for RawNote {
    fn drop(&mut self) {
        drop(port::take_note(self.sound.value));
    }
}

#[uniffi::export]
impl RawClient {
    /// Ends a voice note and offers it to a friend. It is sent once: `NoteEmpty` for one that is silent from the beginning
    /// or was sent before.
    pub fn send_voice_note(&self, peer: UserId, note: Arc<RawNote>) -> Arc<Operation> {
        self.attempt(move |client| async move {
            let transfer = client.send_voice_note(peer.inner()?, note.finish()?).await?;
            Ok(Outcome::Transfer { transfer: transfer.into() })
        })
    }
}
