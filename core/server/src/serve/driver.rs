//! The desk's own thread: one owner, told what happened in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::Clock;
use crate::config::StartError;
use crate::desk::{Desk, Figures, Leaving, Outgoing, SocketId};
use crate::local::LocalBus;
use crate::push::Wake;
use crate::radar::Radar;
use crate::sqlite::SqliteStore;
use crate::turn::RelayTag;

const TICK: Duration = Duration::from_secs(1);
/// More of the stack than any call of the desk takes.
const STACK: usize = 256 * 1024;

/// What happened, for the desk.
pub(super) enum Input {
    /// A websocket was opened; what it has to send goes to `out`, one batch at a time.
    Connected { from: IpAddr, out: mpsc::Sender<Outgoing>, id: oneshot::Sender<SocketId> },
    /// A message came.
    Received(SocketId, Bytes),
    /// The last batch was written.
    Written(SocketId),
    /// A websocket is gone.
    Closed(SocketId, Leaving),
    /// Somebody wants the figures.
    Figures(oneshot::Sender<Figures>),
    /// Somebody wants the counts of strangers.
    Radar(oneshot::Sender<Radar>),
    /// A push service does not know a phone any more.
    Gone(Wake),
    /// Somebody wants to know whether the store answers.
    Check(oneshot::Sender<bool>),
    /// Say goodbye to everybody.
    Drain,
    /// The end.
    End,
}

/// A websocket as the driver sees it. One batch is under way at most: what comes meanwhile waits at the desk, which
/// counts it.
struct Line {
    out: mpsc::Sender<Outgoing>,
    writing: bool,
    waiting: bool,
}

struct Driver {
    desk: Desk<LocalBus, SqliteStore>,
    clock: Clock,
    lines: BTreeMap<SocketId, Line>,
    relay: Option<mpsc::Sender<RelayTag>>,
    wakes: Option<mpsc::Sender<Wake>>,
    /// Tags for which the relay had no room yet.
    revoked: Vec<RelayTag>,
    draining: bool,
}

pub(super) fn spawn(
    desk: Desk<LocalBus, SqliteStore>,
    clock: Clock,
    inputs: mpsc::Receiver<Input>,
    relay: Option<mpsc::Sender<RelayTag>>,
    wakes: Option<mpsc::Sender<Wake>>,
    stop: watch::Sender<bool>,
) -> Result<(), StartError> {
    // A runtime of its own: the desk outlives the one that started it by as long as it takes to let go.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|_| StartError::System)?;
    let driver = Driver { desk, clock, lines: BTreeMap::new(), relay, wakes, revoked: Vec::new(), draining: false };
    // Whoever waits for `stop` to be dropped may open the database: the driver lets go of it before.
    let run = move || {
        runtime.block_on(driver.run(inputs, &stop));
        drop(stop);
    };
    std::thread::Builder::new().name("desk".into()).spawn(run).map_err(|_| StartError::System)?;
    Ok(())
}

/// Overwrites what calls that have returned left on the stack. Freed memory is the allocator's affair.
#[inline(never)]
fn wipe_stack() {
    std::hint::black_box(&mut [0_u8; STACK]);
}

impl Driver {
    async fn run(mut self, mut inputs: mpsc::Receiver<Input>, stop: &watch::Sender<bool>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.desk.tick(self.clock.now()).await;
                    wipe_stack();
                }
                input = inputs.recv() => match input {
                    Some(Input::End) | None => return,
                    // In a box, which is erased when it is done: a future that is used again keeps what it held.
                    Some(input) => Box::pin(self.carry_out(input)).await,
                },
            }
            self.cut_off();
            self.wake();
            self.flush().await;
            if self.draining && self.lines.is_empty() {
                let _ = stop.send(true);
            }
        }
    }

    async fn carry_out(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Connected { from, out, id } => {
                let socket = self.desk.connect(now, from).await;
                self.lines.insert(socket, Line { out, writing: false, waiting: false });
                if id.send(socket).is_err() {
                    self.closed(socket, Leaving::Dropped).await;
                }
            }
            Input::Received(socket, bytes) => self.desk.receive(now, socket, &bytes).await,
            Input::Written(socket) => {
                let Some(line) = self.lines.get_mut(&socket) else { return };
                line.writing = false;
                if std::mem::take(&mut line.waiting) {
                    self.write(socket).await;
                }
            }
            Input::Closed(socket, how) => self.closed(socket, how).await,
            Input::Figures(to) => {
                let _ = to.send(self.desk.figures());
            }
            Input::Radar(to) => {
                let _ = to.send(self.desk.radar(now).await);
            }
            Input::Check(to) => {
                let _ = to.send(!self.draining && self.desk.store().check().is_ok());
            }
            Input::Gone(wake) => self.desk.forget_push(&wake).await,
            Input::Drain => {
                self.draining = true;
                self.desk.drain(now).await;
            }
            Input::End => {}
        }
    }

    async fn closed(&mut self, socket: SocketId, how: Leaving) {
        self.lines.remove(&socket);
        self.desk.closed(self.clock.now(), socket, how).await;
    }

    /// Tells the relay, before the phones hear of it, whom it serves no more. What it does not take now it takes with the
    /// next tick.
    fn cut_off(&mut self) {
        self.revoked.extend(self.desk.revoked());
        let Some(relay) = &self.relay else { return self.revoked.clear() };
        self.revoked.retain(|tag| matches!(relay.try_send(tag.clone()), Err(TrySendError::Full(_))));
    }

    /// Passes on whom to wake. Whom the bells have no room for is called in vain.
    fn wake(&mut self) {
        for wake in self.desk.wakes() {
            if let Some(wakes) = &self.wakes {
                let _ = wakes.try_send(wake);
            }
        }
    }

    async fn flush(&mut self) {
        for socket in self.desk.ready() {
            match self.lines.get_mut(&socket) {
                Some(line) if line.writing => line.waiting = true,
                Some(_) => self.write(socket).await,
                None => {}
            }
        }
    }

    async fn write(&mut self, socket: SocketId) {
        let batch = self.desk.take(self.clock.now(), socket).await;
        let Some(line) = self.lines.get_mut(&socket) else { return };
        if batch.frames.is_empty() && !batch.close {
            return;
        }
        line.writing = true;
        // There is room: the batch before was written. A socket that is gone says so itself.
        let _ = line.out.try_send(batch);
    }
}
