//! Which path bulk messages take, agreed between the ends.
//!
//! With the first message on a direct route an end proposes QUIC; if there is no connection within [`ATTEMPT_LIMIT`], and on
//! any other route, messages go over the data channel. Each end moves its own direction between two messages, so that
//! nothing is lost and nothing overtakes. After some idle seconds both move back in the same way. If the connection breaks, or the route changes
//! under it, what was under way is lost; both ends say so to whoever uses the port ([`BulkNews::Restarted`]), and go on
//! over the data channel, which never loses anything but with the link.
//!
//! # Words
//! Text messages on the data channel, each with the number of the attempt it belongs to, which only grows:
//!
//! | word | meaning |
//! |---|---|
//! | `quic n` | from the answering end: I would like QUIC. From the offering end, which is the server: I listen, come |
//! | `over n` | what I send from here on is on my stream |
//! | `idle n` | I send nothing more on my stream, and have ended it if there was one |
//! | `gone n` | I have read your stream to its end and will send nothing more: the connection may go |
//! | `sctp n` | there is no connection, or no longer |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::Connection;
use tokio::sync::{Notify, mpsc, watch};

use super::bulk::{BulkNews, Ends};
use super::life::End;
use super::quic::{self, NoQuic, Opening, Quic, Read};
use super::shared::Shared;
use super::socket::Way;
use super::steady::Sight;
use super::{DownReason, Role, Route};

/// How long an attempt may take before the data channel has to do.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(3);
/// How long after an attempt that failed another one is worth it.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// Without a message for this long a connection is closed.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(10);
/// How long a close in good order may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// Words that may wait for whoever keeps the paths.
const WORDS: usize = 8;

/// What an end says about paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Quic(u64),
    Over(u64),
    Idle(u64),
    Gone(u64),
    Sctp(u64),
}

impl Word {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (word, number) = text.split_once(' ')?;
        let number = number.parse().ok()?;
        Some(match word {
            "quic" => Self::Quic(number),
            "over" => Self::Over(number),
            "idle" => Self::Idle(number),
            "gone" => Self::Gone(number),
            "sctp" => Self::Sctp(number),
            _ => return None,
        })
    }

    async fn say(self, shared: &Shared) -> Result<(), End> {
        let (word, number) = match self {
            Self::Quic(number) => ("quic", number),
            Self::Over(number) => ("over", number),
            Self::Idle(number) => ("idle", number),
            Self::Gone(number) => ("gone", number),
            Self::Sctp(number) => ("sctp", number),
        };
        Ok(shared.peer.bulk.send_text(&format!("{word} {number}")).await?)
    }
}

/// A connection that messages may be sent on.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) connection: Connection,
    pub(super) sight: Arc<Sight>,
    number: u64,
}

impl Lane {
    /// Says that what follows is on the stream.
    pub(super) async fn announce(&self, shared: &Shared) -> Result<(), End> {
        Word::Over(self.number).say(shared).await
    }
}

/// What the parts that carry messages share about paths.
pub(super) struct Paths {
    epoch: Instant,
    words: mpsc::Sender<Word>,
    /// The attempt on whose stream messages are to be read: what comes on the data channel comes after them.
    reading: watch::Sender<Option<u64>>,
    /// What messages may be sent on, beside the data channel.
    lane: watch::Sender<Option<Lane>>,
    /// Whether this end's stream is open.
    open: watch::Sender<bool>,
    /// Whether this end said `over` in the attempt in force.
    moved: AtomicBool,
    /// Told when a message is sent over the data channel.
    wanted: Notify,
    /// Whether an attempt might still lead somewhere.
    hope: watch::Sender<bool>,
    /// Milliseconds after `epoch` of the last message, either way.
    passed: AtomicU64,
}

impl Paths {
    pub(super) fn new() -> (Self, mpsc::Receiver<Word>) {
        let (words, inbox) = mpsc::channel(WORDS);
        let paths = Self {
            epoch: Instant::now(),
            words,
            reading: watch::Sender::new(None),
            lane: watch::Sender::new(None),
            open: watch::Sender::new(false),
            moved: AtomicBool::new(false),
            wanted: Notify::new(),
            hope: watch::Sender::new(true),
            passed: AtomicU64::new(0),
        };
        (paths, inbox)
    }

    /// The peer said something; in order with what else came on the data channel.
    pub(super) async fn hear(&self, word: Word) {
        if let Word::Over(number) = word {
            self.reading.send_replace(Some(number));
        }
        // Who keeps the paths lives as long as who waits here.
        let _ = self.words.send(word).await;
    }

    /// Waits until what the peer sent on its stream was passed on, or was given up.
    pub(super) async fn after_stream(&self) {
        if self.reading.borrow().is_some() {
            let _ = self.reading.subscribe().wait_for(Option::is_none).await;
        }
    }

    fn is_reading(&self, number: u64) -> bool {
        *self.reading.borrow() == Some(number)
    }

    pub(super) fn lanes(&self) -> watch::Receiver<Option<Lane>> {
        self.lane.subscribe()
    }

    /// A message waits that could do with a better path.
    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Returns once there is QUIC, or it is known that there will be none for a while.
    pub(super) async fn settled(&self) {
        let (mut hope, mut lanes) = (self.hope.subscribe(), self.lane.subscribe());
        tokio::select! {
            () = until(&mut hope, |hope| !hope) => {}
            () = until(&mut lanes, Option::is_some) => {}
        }
    }

    /// A message passed.
    pub(super) fn pass(&self) {
        self.passed.store(self.now(), Ordering::Relaxed);
    }

    /// This end's stream is about to be opened, or was finished or given up.
    pub(super) fn set_open(&self, open: bool) {
        if open {
            self.moved.store(true, Ordering::Release);
        }
        self.open.send_replace(open);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns once no message has passed for [`IDLE_AFTER`].
    async fn idle(&self, after: Duration) {
        loop {
            let since = Duration::from_millis(self.now().saturating_sub(self.passed.load(Ordering::Relaxed)));
            match after.checked_sub(since) {
                Some(rest) if !rest.is_zero() => tokio::time::sleep(rest).await,
                _ => return,
            }
        }
    }

    async fn stream_ended(&self) {
        let _ = self.open.subscribe().wait_for(|open| !open).await;
    }
}

/// Why an attempt or a connection is over, short of the link's end.
enum Failure {
    Peer,
    Route,
    Quic(NoQuic),
    TooLate,
}

/// Keeps the paths of one link: makes connections when they are wanted and takes them away.
pub(super) struct Keeper<'a> {
    pub(super) shared: &'a Shared,
    pub(super) paths: &'a Paths,
    pub(super) ends: &'a Ends,
    pub(super) words: mpsc::Receiver<Word>,
    number: u64,
    not_before: Instant,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(shared: &'a Shared, paths: &'a Paths, ends: &'a Ends, words: mpsc::Receiver<Word>) -> Self {
        Self { shared, paths, ends, words, number: 0, not_before: Instant::now() }
    }

    pub(super) async fn keep(mut self) -> End {
        match self.keeping().await {
            Ok(never) => never,
            Err(end) => end,
        }
    }

    async fn keeping(&mut self) -> Result<End, End> {
        loop {
            let invited = tokio::select! {
                word = self.words.recv() => match word {
                    Some(Word::Quic(number)) if number > self.number => {
                        self.number = number;
                        true
                    }
                    Some(Word::Over(number)) => {
                        self.restarted(number).await;
                        continue;
                    }
                    Some(_) => continue,
                    None => return Ok(End::Owner),
                },
                () = self.paths.wanted.notified(), if Instant::now() >= self.not_before => {
                    self.number = self.number.saturating_add(1);
                    false
                }
                () = tokio::time::sleep_until(self.not_before.into()), if !*self.paths.hope.borrow() => {
                    self.paths.hope.send_replace(true);
                    continue;
                }
            };
            if let Err(failure) = self.attempt(invited).await? {
                self.fail(&failure).await;
            }
        }
    }

    /// One attempt and the connection it leads to, until that is closed in good order.
    async fn attempt(&mut self, invited: bool) -> Result<Result<(), Failure>, End> {
        self.paths.moved.store(false, Ordering::Release);
        let Some((way, rtt)) = self.way().await else {
            if invited {
                Word::Sctp(self.number).say(self.shared).await?;
            }
            return Ok(Err(Failure::Route));
        };
        let opened = match tokio::time::timeout(ATTEMPT_LIMIT, self.open(invited, &way, rtt)).await {
            Ok(opened) => opened?,
            Err(_) => Err(Failure::TooLate),
        };
        let quic = match opened {
            Ok(quic) => quic,
            Err(failure) => {
                Word::Sctp(self.number).say(self.shared).await?;
                self.shared.nest.end().await;
                return Ok(Err(failure));
            }
        };
        let lane = Lane { connection: quic.connection.clone(), sight: Arc::clone(&quic.sight), number: self.number };
        self.paths.pass();
        self.paths.lane.send_replace(Some(lane));
        let done = self.watch(&quic.connection, &way).await?;
        if done.is_err() {
            // Before this end's messages go on over the data channel, the peer must know that they do.
            Word::Sctp(self.number).say(self.shared).await?;
            quic.connection.close(1_u32.into(), &[]);
            self.paths.lane.send_replace(None);
            self.paths.stream_ended().await;
        }
        quic.close(&self.shared.nest).await;
        Ok(done)
    }

    /// The way of a direct route, and how long a round trip takes on it.
    async fn way(&self) -> Option<(Way, Option<Duration>)> {
        match self.shared.route().await? {
            Route::Direct { rtt, .. } => {
                let way = self.shared.peer.way.borrow().clone()?;
                Some((way, Some(rtt).filter(|rtt| !rtt.is_zero())))
            }
            Route::Relayed { .. } => None,
        }
    }

    async fn open(&mut self, invited: bool, way: &Way, rtt: Option<Duration>) -> Result<Result<Quic, Failure>, End> {
        let role = self.shared.role;
        if role == Role::Answer && !invited {
            Word::Quic(self.number).say(self.shared).await?;
            loop {
                match self.words.recv().await {
                    Some(Word::Quic(number)) if number >= self.number => break self.number = number,
                    Some(Word::Sctp(number)) if number == self.number => return Ok(Err(Failure::Peer)),
                    Some(word) => self.late(word).await,
                    None => return Err(End::Owner),
                }
            }
        }
        let Some(peer) = *self.shared.trusted.borrow() else { return Ok(Err(Failure::Peer)) };
        let opening = Opening::new(role, way, &self.shared.peer.certificate, peer, rtt, &self.shared.nest);
        let opening = match opening {
            Ok(opening) => opening,
            Err(error) => return Ok(Err(Failure::Quic(error))),
        };
        if role == Role::Offer {
            Word::Quic(self.number).say(self.shared).await?;
        }
        let mut connecting = std::pin::pin!(opening.connect());
        loop {
            tokio::select! {
                connected = &mut connecting => return Ok(connected.map_err(Failure::Quic)),
                word = self.words.recv() => match word {
                    // The peer counted further: so does this end, and says again that it listens.
                    Some(Word::Quic(number)) if number > self.number => {
                        self.number = number;
                        if role == Role::Offer {
                            Word::Quic(number).say(self.shared).await?;
                        }
                    }
                    Some(Word::Sctp(number)) if number == self.number => return Ok(Err(Failure::Peer)),
                    Some(word) => self.late(word).await,
                    None => return Err(End::Owner),
                },
            }
        }
    }

    /// A word of an attempt before this one: what was sent on the stream of that one is lost.
    async fn late(&self, word: Word) {
        if let Word::Over(number) = word
            && number != self.number
        {
            self.restarted(number).await;
        }
    }

    /// What was to be read on the stream of an attempt will not come.
    async fn restarted(&self, number: u64) {
        if self.paths.is_reading(number) {
            self.ends.tell(BulkNews::Restarted).await;
            self.paths.reading.send_if_modified(|reading| reading.take_if(|reading| *reading == number).is_some());
        }
    }

    /// Passes on what comes on a connection, until it breaks or both ends have closed it in good order.
    async fn watch(&mut self, connection: &Connection, way: &Way) -> Result<Result<(), Failure>, End> {
        let mut ways = self.shared.peer.way.clone();
        let mut routes = self.shared.travels.subscribe();
        let mut reader = std::pin::pin!(read(self.paths, self.ends, connection, self.number));
        let mut quiet = std::pin::pin!(self.paths.idle(IDLE_AFTER));
        let mut farewell = Farewell::default();
        let mut limit = None;
        loop {
            if farewell.wanted && !farewell.idle {
                limit = Some(Instant::now() + CLOSE_LIMIT);
                self.paths.lane.send_replace(None);
                self.paths.stream_ended().await;
                Word::Idle(self.number).say(self.shared).await?;
                farewell.idle = true;
            }
            if farewell.has_all() && !self.paths.is_reading(self.number) && !farewell.gone {
                Word::Gone(self.number).say(self.shared).await?;
                farewell.gone = true;
            }
            if farewell.gone && farewell.peer_gone {
                return Ok(Ok(()));
            }
            tokio::select! {
                read = &mut reader, if !farewell.read => match read {
                    Read::Finished => farewell.read = true,
                    Read::Breach => return Err(End::Down(DownReason::Breach)),
                    _ => return Ok(Err(Failure::Peer)),
                },
                word = self.words.recv() => match word {
                    Some(Word::Sctp(number)) if number == self.number => return Ok(Err(Failure::Peer)),
                    Some(Word::Idle(number)) if number == self.number => (farewell.wanted, farewell.peer_idle) = (true, true),
                    Some(Word::Gone(number)) if number == self.number => farewell.peer_gone = true,
                    Some(word) => self.late(word).await,
                    None => return Err(End::Owner),
                },
                () = &mut quiet, if !farewell.wanted => farewell.wanted = true,
                () = until(&mut ways, |now| now.as_ref() != Some(way)) => return Ok(Err(Failure::Route)),
                () = until(&mut routes, |now| matches!(now, Some(Route::Relayed { .. }))) => {
                    return Ok(Err(Failure::Route));
                }
                error = connection.closed() => return Ok(Err(Failure::Quic(error.into()))),
                () = at(limit) => return Ok(Err(Failure::TooLate)),
            }
        }
    }

    /// The data channel has to do, for a while; who uses the port learns of it if something may be lost.
    async fn fail(&mut self, failure: &Failure) {
        match failure {
            Failure::Quic(error) => tracing::debug!(%error, "files go over the data channel"),
            Failure::Peer | Failure::Route | Failure::TooLate => tracing::debug!("files go over the data channel"),
        }
        // A change of route is nobody's fault, but what follows it has to settle.
        let pause = if matches!(failure, Failure::Route) { ATTEMPT_LIMIT } else { RETRY_AFTER };
        self.not_before = Instant::now() + pause;
        self.paths.hope.send_replace(false);
        if self.paths.moved.swap(false, Ordering::AcqRel) && !self.paths.is_reading(self.number) {
            self.ends.tell(BulkNews::Restarted).await;
        }
        self.restarted(self.number).await;
    }
}

/// How far a close in good order has come.
#[derive(Default)]
struct Farewell {
    wanted: bool,
    /// This end sends nothing more.
    idle: bool,
    peer_idle: bool,
    /// The peer's stream was read to its end.
    read: bool,
    gone: bool,
    peer_gone: bool,
}

impl Farewell {
    /// Both send nothing more; whether the peer's stream was read, if there was one, the caller knows.
    fn has_all(&self) -> bool {
        self.idle && self.peer_idle
    }
}

/// Passes on what comes on the peer's stream, once the peer has said that something does.
async fn read(paths: &Paths, ends: &Ends, connection: &Connection, number: u64) -> Read {
    if paths.reading.subscribe().wait_for(|reading| *reading == Some(number)).await.is_err() {
        return Read::Lost;
    }
    let Ok(mut stream) = connection.accept_uni().await else { return Read::Lost };
    loop {
        match quic::read(&mut stream, super::BULK_BYTES).await {
            Read::Message(message) => {
                paths.pass();
                ends.tell(BulkNews::Message(message)).await;
            }
            Read::Finished => {
                paths.reading.send_replace(None);
                return Read::Finished;
            }
            other => return other,
        }
    }
}

/// Waits until a value is as it should be, or nobody is left to change it.
async fn until<T>(value: &mut watch::Receiver<T>, should: impl FnMut(&T) -> bool) {
    let _ = value.wait_for(should).await;
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_nonsense_is_not() {
        assert_eq!(Word::parse("quic 1"), Some(Word::Quic(1)));
        assert_eq!(Word::parse("over 18446744073709551615"), Some(Word::Over(u64::MAX)));
        for nonsense in ["quic", "quic ", "quic -1", "Quic 1", "tcp 1", "over 18446744073709551616", "", " "] {
            assert_eq!(Word::parse(nonsense), None, "{nonsense:?}");
        }
    }
}
