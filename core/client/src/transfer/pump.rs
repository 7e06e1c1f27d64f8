//! The file pump: reads, seals and sends; receives, opens, verifies and writes. It decides nothing.
//!
//! It has a thread of its own, on which nothing else runs, so a disk that is slow holds back files and neither a call nor a
//! text. Every link has two tasks there: one listens, one sends. Orders come from the driver, news go to it.
//!
//! # What is safe when
//! A chunk is written only after it was opened at its place, and chunks are taken only in order. So what lies in a part
//! file is a beginning of what was offered, whatever happened since, and its length says how far it goes: after a restart it
//! is read again for its digest and gone on from. Every [`MARK_BYTES`] it is brought to the disk itself; a phone that loses
//! its power later may hold less, which the digest notices at the end.
//!
//! # When a queue is full
//! Orders: the transfer fails, and may be tried again. News: the pump waits for the driver, which never waits for the pump.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt;
use sidetone_engine::LinkId;
use sidetone_engine::transfer::view::{Incoming, TransferFailure, TransferNews, TransferOrder};
use sidetone_wire::id::TransferId;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle as Task, LocalSet};

use super::intake::Intake;
use super::lane;
use super::place::Shelf;
use super::send::Sending;
use crate::link::BulkPort;

/// Orders that may wait.
const ORDERS: usize = 4_096;
/// News that may wait.
const NEWS: usize = 64;
/// Progress is told no more often than this.
pub const TOLD_EVERY: Duration = Duration::from_millis(250);
/// What was written is brought to the disk itself after so many bytes.
pub const MARK_BYTES: u64 = 16 << 20;

/// What the pump did since it was started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Chunks that were sealed and handed to a link.
    pub sent: AtomicU64,
    /// Chunks that came, were opened and written.
    pub taken: AtomicU64,
}

/// What the driver says.
pub enum Word {
    /// An order of the engine; with the port of the link that it names, if it names one.
    Order(TransferId, TransferOrder, Option<BulkPort>),
    /// Everything is forgotten.
    Forget,
}

/// The driver's end of the pump.
pub struct Pump {
    words: Option<mpsc::Sender<Word>>,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

/// What the pump says.
pub type Told = (TransferId, TransferNews);

impl Pump {
    /// Starts the pump; without a shelf no file is taken.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(shelf: Option<Shelf>) -> std::io::Result<(Self, mpsc::Receiver<Told>)> {
        let (words, inbox) = mpsc::channel(ORDERS);
        let (news, told) = mpsc::channel(NEWS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        let run = move || runtime.block_on(LocalSet::new().run_until(pump(shelf, inbox, news, counted)));
        let thread = std::thread::Builder::new().name("sidetone-files".into()).spawn(run)?;
        Ok((Self { words: Some(words), thread: Some(thread), counts }, told))
    }

    /// What it did.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Hands an order in; false if it cannot be carried out.
    pub fn tell(&self, word: Word) -> bool {
        self.words.as_ref().is_some_and(|words| words.try_send(word).is_ok())
    }

    /// Stops the pump and waits until its thread is gone: nothing is written after that.
    pub async fn close(mut self) {
        self.words.take();
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the file pump panicked");
            }
        }
    }
}

/// Everything the tasks share. It is never borrowed across a wait.
pub struct Pumping {
    pub shelf: Option<Shelf>,
    /// Files that arrive.
    pub intakes: BTreeMap<TransferId, Intake>,
    pub lanes: BTreeMap<LinkId, Lane>,
    /// What is being prepared, and by which task.
    preparing: BTreeMap<TransferId, Task<()>>,
    news: mpsc::Sender<Told>,
    pub counts: Arc<Counts>,
}

/// One link.
pub struct Lane {
    pub port: BulkPort,
    /// What is sent over it, in turns.
    pub sending: VecDeque<Sending>,
    /// What is said over it, before anything is sent.
    pub said: VecDeque<bytes::Bytes>,
    /// The number of its next run.
    pub runs: u32,
    /// Told when there is something to send or to say.
    pub wake: Rc<Notify>,
    tasks: [Task<()>; 2],
}

/// What every task holds.
pub type Shared = Rc<RefCell<Pumping>>;

async fn pump(shelf: Option<Shelf>, mut inbox: mpsc::Receiver<Word>, news: mpsc::Sender<Told>, counts: Arc<Counts>) {
    let (intakes, lanes, preparing) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let shared = Rc::new(RefCell::new(Pumping { shelf, intakes, lanes, preparing, news, counts }));
    while let Some(word) = inbox.recv().await {
        match word {
            Word::Order(transfer, order, port) => obey(&shared, transfer, order, port).await,
            Word::Forget => {
                let mut pumping = shared.borrow_mut();
                pumping.intakes.clear();
                if let Some(shelf) = &pumping.shelf {
                    shelf.forget();
                }
            }
        }
    }
}

async fn obey(shared: &Shared, transfer: TransferId, order: TransferOrder, port: Option<BulkPort>) {
    stop(shared, transfer);
    match order {
        TransferOrder::Prepare { file, anew } => {
            let task = tokio::task::spawn_local(prepare(Rc::clone(shared), transfer, file, anew).boxed_local());
            shared.borrow_mut().preparing.insert(transfer, task);
        }
        TransferOrder::Receive { link, .. } => {
            if let Some(port) = port {
                open_lane(shared, link, port);
                if let Some(intake) = shared.borrow_mut().intakes.get_mut(&transfer) {
                    intake.link = Some(link);
                }
            }
        }
        TransferOrder::Keep { path, file } => keep(shared, transfer, &path, &file).await,
        TransferOrder::Send { link, from, file } => {
            let Some(port) = port else { return };
            match Sending::open(transfer, from, file) {
                Err(failure) => tell(shared, transfer, TransferNews::Failed(failure)).await,
                Ok(sending) => {
                    open_lane(shared, link, port);
                    if let Some(lane) = shared.borrow_mut().lanes.get_mut(&link) {
                        lane.sending.push_back(sending);
                        lane.wake.notify_one();
                    }
                }
            }
        }
        TransferOrder::Stop => {}
        TransferOrder::Discard => {
            let mut pumping = shared.borrow_mut();
            pumping.intakes.remove(&transfer);
            if let Some(shelf) = &pumping.shelf {
                shelf.discard(transfer);
            }
        }
    }
}

/// Stops whatever is under way for a transfer; what arrived of it stays.
pub fn stop(shared: &Shared, transfer: TransferId) {
    let mut pumping = shared.borrow_mut();
    if let Some(task) = pumping.preparing.remove(&transfer) {
        task.abort();
    }
    if let Some(intake) = pumping.intakes.get_mut(&transfer) {
        intake.rest();
    }
    for lane in pumping.lanes.values_mut() {
        lane.sending.retain(|sending| sending.transfer != transfer);
    }
}

/// Tells the driver, as soon as it has room.
pub async fn tell(shared: &Shared, transfer: TransferId, news: TransferNews) {
    let sender = shared.borrow().news.clone();
    // Without a driver nobody wants to know.
    let _ = sender.send((transfer, news)).await;
}

/// Makes the tasks of a link, unless they are there.
fn open_lane(shared: &Shared, link: LinkId, port: BulkPort) {
    let mut pumping = shared.borrow_mut();
    if pumping.lanes.contains_key(&link) {
        return;
    }
    let wake = Rc::new(Notify::new());
    let listen = tokio::task::spawn_local(lane::listen(Rc::clone(shared), link, port.clone()).boxed_local());
    let send = lane::send(Rc::clone(shared), link, port.clone(), Rc::clone(&wake));
    let send = tokio::task::spawn_local(send.boxed_local());
    let (sending, said, tasks) = (VecDeque::new(), VecDeque::new(), [listen, send]);
    pumping.lanes.insert(link, Lane { port, sending, said, runs: 0, wake, tasks });
}

/// The link is over.
pub fn close_lane(shared: &Shared, link: LinkId) {
    let mut pumping = shared.borrow_mut();
    for intake in pumping.intakes.values_mut().filter(|intake| intake.link == Some(link)) {
        intake.rest();
    }
    if let Some(lane) = pumping.lanes.remove(&link) {
        lane.tasks.iter().for_each(Task::abort);
    }
}

/// Looks what lies here of a file, and whether there is room for the rest.
async fn prepare(shared: Shared, transfer: TransferId, file: Incoming, anew: bool) {
    let shelf = {
        let mut pumping = shared.borrow_mut();
        if anew {
            pumping.intakes.remove(&transfer);
        }
        pumping.shelf.clone()
    };
    let Some(shelf) = shelf else { return tell(&shared, transfer, TransferNews::NoSpace).await };
    if anew {
        shelf.discard(transfer);
    }
    let known = shared.borrow_mut().intakes.remove(&transfer);
    let looked = match known {
        // It was opened before, by this pump, which alone writes to it.
        Some(intake) => Ok(intake),
        None => Intake::open(&shelf, transfer, &file).await,
    };
    let news = match looked {
        Err(error) => failed(&error),
        Ok(mut intake) if intake.is_whole() => intake.finish(&shelf),
        Ok(intake) if !shelf.has_room(intake.missing().saturating_add(promised(&shared))) => TransferNews::NoSpace,
        Ok(intake) => {
            let from = intake.next;
            shared.borrow_mut().intakes.insert(transfer, intake);
            TransferNews::Prepared { from }
        }
    };
    shared.borrow_mut().preparing.remove(&transfer);
    tell(&shared, transfer, news).await;
}

/// Bytes that are still missing of everything else that was let in: many small promises are a large one.
fn promised(shared: &Shared) -> u64 {
    shared.borrow().intakes.values().map(Intake::missing).fold(0, u64::saturating_add)
}

async fn keep(shared: &Shared, transfer: TransferId, path: &str, file: &Incoming) {
    let shelf = {
        let mut pumping = shared.borrow_mut();
        // Closes the part.
        pumping.intakes.remove(&transfer);
        pumping.shelf.clone()
    };
    let Some(shelf) = shelf else { return };
    let news = match shelf.keep(transfer, path.as_ref(), file.size.bytes()) {
        Ok(true) => TransferNews::Kept,
        Ok(false) => match shelf.choose(file.name.as_str()) {
            Ok(path) => verified(&path),
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    };
    tell(shared, transfer, news).await;
}

/// A file is whole and has a place.
pub fn verified(path: &std::path::Path) -> TransferNews {
    match path.to_str() {
        Some(path) => TransferNews::Verified { path: path.to_owned() },
        None => TransferNews::Failed(TransferFailure::Storage),
    }
}

/// What a failure of the disk means.
pub fn failed(error: &std::io::Error) -> TransferNews {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => TransferNews::NoSpace,
        kind => {
            tracing::warn!(?kind, "a file could not be kept");
            TransferNews::Failed(TransferFailure::Storage)
        }
    }
}
