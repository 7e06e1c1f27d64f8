//! What may be written to a log: our own events, and of their fields those on a list. Never a name, an address, a token
//! or who met whom.
//!
//! Other crates' events are left out altogether: a websocket library at trace level writes whole frames.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;

/// Fields that say nothing about anybody.
const FIELDS: [&str; 7] = ["message", "reason", "code", "kind", "count", "bytes", "ms"];
/// Whose events are written.
const TARGETS: &str = "sidetone";

/// Writes one line an event: level, target, what happened, allowed fields.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
/// let subscriber = tracing_subscriber::registry().with(sidetone_server::log::Lines::new(std::io::stderr));
/// tracing::subscriber::with_default(subscriber, || tracing::info!(count = 3, name = "ada", "counted"));
/// ```
pub struct Lines<W>(W);

impl<W> Lines<W> {
    /// Lines that go where `writer` says.
    pub fn new(writer: W) -> Self {
        Self(writer)
    }
}

impl<S: Subscriber, W: for<'a> MakeWriter<'a> + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let meta = event.metadata();
        if !meta.target().starts_with(TARGETS) {
            return;
        }
        let mut line = Line(format!("{} {}", meta.level(), meta.target()));
        event.record(&mut line);
        line.0.push('\n');
        // A log that cannot be written cannot be told about.
        let _ = self.0.make_writer_for(meta).write_all(line.0.as_bytes());
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, ": {value:?}"),
            name if FIELDS.contains(&name) => write!(self.0, " {name}={value:?}"),
            _ => Ok(()),
        };
    }
}
