//! Voice for one phone: microphone to packets, packets to speaker.
//!
//! Nothing in here opens a device, a file or a socket, starts a thread, takes a lock or reads a clock. The caller
//! passes PCM, payloads and the time (`now_us`, monotonic microseconds from any origin) and gets PCM and payloads
//! back. The same inputs give the same outputs, byte for byte. After construction no call about sound allocates.
//!
//! * [`Capture`] cuts microphone blocks into frames, measures and encodes them;
//! * [`Playout`] is one remote speaker: an adaptive jitter buffer, Opus, concealment and time scaling;
//! * [`Mixer`] holds up to [`MAX_SPEAKERS`] playouts and sums those one listens to;
//! * [`NoteRecorder`] makes a voice note, a file that any player plays (this one allocates as it grows);
//! * [`PreRoll`] keeps what was said just before a press to talk, [`Bursts`] what was missed;
//! * [`video`] carries encoded frames: packets, pacing, repair, showing them in time.
//!
//! Sound is mono, 48 kHz, `i16` everywhere. RTP headers, encryption and levels on the wire belong to the caller.
//!
//! ```
//! use sidetone_media::{Capture, Playout, Settings};
//!
//! let mut capture = Capture::new(Settings::default())?;
//! let mut playout = Playout::new()?;
//! let (mut sequence, mut now_us, mut speaker) = (0u16, 0u64, [0i16; 480]);
//! capture.push(&[0; 960], &mut |frame| {
//!     playout.insert(now_us, sequence, frame.timestamp, frame.bytes);
//!     sequence = sequence.wrapping_add(1);
//! });
//! now_us += 10_000;
//! playout.pull(now_us, &mut speaker);
//! # Ok::<(), sidetone_media::MediaError>(())
//! ```

#![forbid(unsafe_code)]

mod capture;
mod delay;
mod ladder;
mod level;
mod mixer;
mod note;
mod payload;
mod playout;
mod preroll;
mod replay;
mod slab;
mod stretch;
pub mod video;

pub use capture::{Capture, Encoded, Frame, Muted, Rate, Settings, Silence};
pub use ladder::Ladder;
pub use level::{Level, Meter};
pub use mixer::{Heard, Listening, MIXED, Mixer, Speaker};
pub use note::{NOTE_MS, NOTE_POINTS, Note, NoteRecorder};
pub use playout::{Inserted, Playout, PlayoutStats};
pub use preroll::{LEAD_SAMPLES, PRE_ROLL_SAMPLES, PreRoll};
pub use replay::{BurstId, Bursts, KEPT_S, Replay};

/// Samples in a second of sound, everywhere in this crate.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// Samples in one pull: 10 ms.
pub const PULL_SAMPLES: usize = 480;
/// The most speakers a [`Mixer`] holds.
pub const MAX_SPEAKERS: usize = 16;
/// The longest payload a [`Capture`] makes or a [`Playout`] takes: one Opus frame (RFC 6716, section 3.4).
pub const MAX_PAYLOAD: usize = 1275;

/// Why sound could not start; nothing fails once it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// libopus could not be started (no memory): end the call.
    #[error("the sound codec could not be started")]
    Codec,
    /// A setting is outside its documented range: correct it and try again.
    #[error("a sound setting is out of range")]
    Settings,
    /// The mixer already holds [`MAX_SPEAKERS`]: let one leave first.
    #[error("no room for another speaker")]
    Full,
}
