//! The two tasks of a link.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use sidetone_engine::LinkId;
use sidetone_engine::transfer::view::{TransferFailure, TransferNews};
use sidetone_wire::id::TransferId;
use tokio::sync::Notify;

use super::frame::Frame;
use super::intake::{Begun, Taken};
use super::pump::{Lane, Pumping, Shared, close_lane, failed, stop, tell};
use crate::link::{BulkNews, BulkPort};

/// Words that may wait for a link: several for each transfer that there may be.
const SAID: usize = 256;

/// Takes what comes over a link until it is over.
pub async fn listen(shared: Shared, link: LinkId, port: BulkPort) {
    while let Some(news) = port.receive().await {
        match news {
            BulkNews::Message(bytes) => {
                if let Some((transfer, news)) = hear(&shared, link, bytes) {
                    tell(&shared, transfer, news).await;
                }
            }
            BulkNews::Restarted => restarted(&shared, link),
        }
    }
    close_lane(&shared, link);
}

/// Another path took over: whoever receives says from where to go on, and whoever sends asks, because what was said before may
/// be lost.
fn restarted(shared: &Shared, link: LinkId) {
    let arriving: Vec<TransferId> = {
        let mut pumping = shared.borrow_mut();
        let Some(lane) = pumping.lanes.get_mut(&link) else { return };
        let sent: Vec<TransferId> = lane.sending.iter().map(|sending| sending.transfer).collect();
        sent.into_iter().for_each(|transfer| lane.say(&Frame::Where(transfer)));
        let of_link = pumping.intakes.iter().filter(|(_, intake)| intake.link == Some(link));
        of_link.map(|(transfer, _)| *transfer).collect()
    };
    arriving.into_iter().for_each(|transfer| again(shared, link, transfer));
}

/// Says from where a file should come in a new run.
fn again(shared: &Shared, link: LinkId, transfer: TransferId) {
    let mut pumping = shared.borrow_mut();
    let Pumping { intakes, lanes, .. } = &mut *pumping;
    let intake = intakes.get_mut(&transfer).filter(|intake| intake.link == Some(link));
    if let (Some(intake), Some(lane)) = (intake, lanes.get_mut(&link)) {
        intake.forget_run();
        lane.say(&Frame::Again(transfer, intake.next));
    }
}

impl Lane {
    /// What a peer asks for faster than it can be told is not told.
    fn say(&mut self, frame: &Frame) {
        if self.said.len() < SAID {
            self.said.push_back(frame.write());
            self.wake.notify_one();
        }
    }
}

/// Takes one message; gives what the driver should hear of it. What is none, or about nothing that is under way, is dropped.
fn hear(shared: &Shared, link: LinkId, bytes: Bytes) -> Option<(TransferId, TransferNews)> {
    match Frame::read(bytes)? {
        Frame::Begin { run, transfer, from, header } => {
            let mut pumping = shared.borrow_mut();
            let intake = pumping.intakes.get_mut(&transfer).filter(|intake| intake.link == Some(link))?;
            let begun = intake.begin(run, from, &header);
            drop(pumping);
            if begun == Begun::Elsewhere {
                again(shared, link, transfer);
            }
            (begun == Begun::Breach).then(|| breach(shared, transfer))
        }
        Frame::Where(transfer) => {
            again(shared, link, transfer);
            None
        }
        Frame::Chunks { run, index, mut sealed } => take(shared, link, run, index, &mut sealed),
        Frame::Have(transfer, chunks) => {
            let mut pumping = shared.borrow_mut();
            let lane = pumping.lanes.get_mut(&link)?;
            let sending = lane.sending.iter_mut().find(|sending| sending.transfer == transfer)?;
            let over = sending.is_sent() && chunks >= sending.chunks();
            let due = sending.should_tell() || over;
            due.then_some((transfer, TransferNews::Moved { chunks: chunks.min(sending.chunks()) }))
        }
        Frame::Again(transfer, from) => {
            let mut pumping = shared.borrow_mut();
            let lane = pumping.lanes.get_mut(&link)?;
            let sending = lane.sending.iter_mut().find(|sending| sending.transfer == transfer)?;
            if from < sending.chunks() {
                sending.again(from);
                lane.wake.notify_one();
            }
            None
        }
    }
}

fn breach(shared: &Shared, transfer: TransferId) -> (TransferId, TransferNews) {
    stop(shared, transfer);
    (transfer, TransferNews::Failed(TransferFailure::Breach))
}

fn take(shared: &Shared, link: LinkId, run: u32, index: u64, sealed: &mut [u8]) -> Option<(TransferId, TransferNews)> {
    let mut pumping = shared.borrow_mut();
    let Pumping { intakes, lanes, shelf, counts, .. } = &mut *pumping;
    let of_run = intakes.iter_mut().find(|(_, intake)| intake.link == Some(link) && intake.is_run(run));
    let (&transfer, intake) = of_run?;
    let before = intake.next;
    let taken = intake.take(run, index, sealed);
    counts.taken.fetch_add(intake.next - before, Relaxed);
    match taken {
        Taken::Stray => None,
        Taken::Breach => {
            drop(pumping);
            Some(breach(shared, transfer))
        }
        Taken::Failed(error) => {
            // What was written of a chunk is cut off when the file is opened again.
            intakes.remove(&transfer);
            Some((transfer, failed(&error)))
        }
        Taken::Some { tell } => {
            let chunks = intake.next;
            let whole = intake.is_whole();
            let news = match (whole, &*shelf) {
                (true, Some(shelf)) => intake.finish(shelf),
                _ => TransferNews::Moved { chunks },
            };
            if let Some(lane) = lanes.get_mut(&link).filter(|_| tell) {
                lane.say(&Frame::Have(transfer, chunks));
            }
            tell.then_some((transfer, news))
        }
    }
}

/// Sends what is to be sent over a link, each in its turn, until the link is over.
pub async fn send(shared: Shared, link: LinkId, port: BulkPort, wake: Rc<Notify>) {
    loop {
        match next(&shared, link) {
            Some(Ok(message)) => {
                if port.send(message).await.is_err() {
                    return;
                }
                // Listening has its turn even if there is always room.
                tokio::task::yield_now().await;
            }
            Some(Err((transfer, failure))) => tell(&shared, transfer, TransferNews::Failed(failure)).await,
            None => wake.notified().await,
        }
    }
}

/// The next message, and whose it is if it cannot be made.
fn next(shared: &Shared, link: LinkId) -> Option<Result<Bytes, (TransferId, TransferFailure)>> {
    let mut pumping = shared.borrow_mut();
    let Pumping { lanes, counts, .. } = &mut *pumping;
    let lane = lanes.get_mut(&link)?;
    if let Some(said) = lane.said.pop_front() {
        return Some(Ok(said));
    }
    // What is sent stays until its receiver has it: it may want some of it again.
    let turn = lane.sending.iter().position(|sending| !sending.is_sent())?;
    lane.sending.rotate_left(turn);
    let mut sending = lane.sending.pop_front()?;
    let before = sending.next;
    let made = sending.message(&mut lane.runs);
    counts.sent.fetch_add(sending.next - before, Relaxed);
    match made {
        Ok(message) => {
            lane.sending.push_back(sending);
            Some(Ok(message))
        }
        Err(failure) => Some(Err((sending.transfer, failure))),
    }
}
