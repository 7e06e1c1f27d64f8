//! What the library says about itself, for the app's log.
//!
//! Lines go through a bounded queue to one thread, which calls the app: nothing in the library ever waits for a log, and
//! a sink that throws or sleeps harms nobody. What does not fit is counted and told with the next line.

use std::fmt::Write;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

use crate::error::{ErrorCode, SidetoneError};

/// Lines that may wait.
const LINES: usize = 256;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
pub enum LogLevel {
    /// What should not happen.
    Error,
    /// What may explain a complaint.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
}

/// The app could not log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum LogProblem {
    /// The line is lost.
    #[error("the log sink failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for LogProblem {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// Where the library's lines go. They name nobody, and hold no address, text, key or token.
#[uniffi::export(with_foreign)]
pub trait LogSink: Send + Sync {
    /// One line; always from the same thread, which is none of the app's.
    fn log(&self, level: LogLevel, line: String) -> Result<(), LogProblem>;
}

/// Sends the library's lines of this level and above to a sink, instead of whatever sink was there before.
///
/// Refused with the code `Already` where the process logs in another way.
#[uniffi::export]
pub fn set_log_sink(sink: Arc<dyn LogSink>, most: LogLevel) -> Result<(), SidetoneError> {
    static QUEUE: OnceLock<Option<SyncSender<Word>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(start).as_ref().ok_or_else(|| SidetoneError::from(sidetone::Error::Already))?;
    MOST.store(most as u8, Relaxed);
    queue.send(Word::Sink(sink)).map_err(|_| SidetoneError::of(ErrorCode::System))?;
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

enum Word {
    Sink(Arc<dyn LogSink>),
    Line(LogLevel, String),
}

static MOST: AtomicU8 = AtomicU8::new(LogLevel::Error as u8);
static LOST: AtomicU64 = AtomicU64::new(0);

fn start() -> Option<SyncSender<Word>> {
    let (queue, inbox) = sync_channel(LINES);
    std::thread::Builder::new().name("sidetone-log".into()).spawn(move || carry(&inbox)).ok()?;
    tracing::subscriber::set_global_default(Lines(queue.clone())).ok()?;
    Some(queue)
}

fn carry(inbox: &Receiver<Word>) {
    let mut sink: Option<Arc<dyn LogSink>> = None;
    while let Ok(word) = inbox.recv() {
        match (word, &sink) {
            (Word::Sink(new), _) => sink = Some(new),
            (Word::Line(level, line), Some(sink)) => {
                let lost = LOST.swap(0, Relaxed);
                let line = if lost == 0 { line } else { format!("{line} ({lost} lines before it were lost)") };
                // A line that the app cannot log is lost; there is nobody to tell.
                let _ = sink.log(level, line);
            }
            (Word::Line(..), None) => {}
        }
    }
}

/// What `tracing` gives its events to; spans are not shown.
struct Lines(SyncSender<Word>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("sidetone") && level(metadata) as u8 <= MOST.load(Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        if let Err(TrySendError::Full(_)) = self.0.try_send(Word::Line(level(event.metadata()), line.0)) {
            LOST.fetch_add(1, Relaxed);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn level(metadata: &Metadata<'_>) -> LogLevel {
    match *metadata.level() {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// Message first, then the fields.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, ": {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
