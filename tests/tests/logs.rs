//! What phones write into their logs.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use proving::real::{Card, Duo};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything of ours is logged at trace level while people register, befriend, write and call. (The WebRTC library logs
/// addresses at its debug level; an app turns it on only by naming it.)
#[tokio::test(flavor = "multi_thread")]
async fn logs_at_trace_level_say_nothing_about_people() {
    let log = Log::default();
    let filter = tracing_subscriber::filter::Targets::new()
        .with_targets(["sidetone", "sidetone_server", "sidetone_engine"].map(|ours| (ours, tracing::Level::TRACE)));
    use tracing_subscriber::layer::SubscriberExt;
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("the only one");

    let duo = Duo::meet(["canaryada", "canaryben"]).await;
    duo.say(0, "canary in a text").await;
    let call = duo.talk().await;
    let cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    duo.hears(0, 10).await;
    drop(cards);
    duo.hang_up(call).await;
    tracing::trace!(target: "sidetone", "the control: {}", "canaryada");
    let users = duo.friend.map(|user| format!("{user:?}"));
    duo.part().await;

    let log = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines.len() > 5, "there are logs");
    let about: Vec<&&str> = lines.iter().filter(|line| line.contains("canary") || line.contains("127.0.0.1")).collect();
    assert_eq!(about.len(), 1, "only the control names somebody: {about:?}");
    let both = |line: &&&str| users.iter().all(|user| line.contains(user.as_str()));
    assert_eq!(lines.iter().filter(both).count(), 0, "no line says who met whom");
}
