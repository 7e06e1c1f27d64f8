//! Files in the world: what the file pump does, in virtual time. A file is its number and its length; a chunk is its place in
//! it. What arrived lies on a disk that outlives the phone; everything else is gone with it.

use std::collections::{BTreeMap, VecDeque};

use sidetone_crypto::file::chunks;
use sidetone_engine::transfer::view::{Incoming, NewFile, TransferFailure, TransferNews, TransferOrder};
use sidetone_engine::{Answer, Command, Input, LinkId};
use sidetone_wire::id::{Digest, TransferId};
use sidetone_wire::transfer::{FileKind, FileName, FileSize, Mime};

use super::{Due, PhoneId, World};

/// Chunks of one message.
const BATCH: u64 = 4;

/// What a phone's disk holds of files, and what its pump does.
#[derive(Debug, Default)]
pub struct Files {
    /// Chunks that lie here of what is not whole: the number of the file, and how many from the beginning.
    pub parts: BTreeMap<TransferId, (u8, u64)>,
    /// What is whole and in its place: the path and the number of the file.
    pub kept: BTreeMap<String, u8>,
    /// Chunks that were taken since the world began, of each transfer.
    pub taken: BTreeMap<TransferId, u64>,
    /// Whether the disk is full.
    pub full: bool,
    /// Numbers of files that its owner changed after offering them.
    pub changed: Vec<u8>,
    intakes: BTreeMap<TransferId, Intake>,
    sendings: BTreeMap<LinkId, VecDeque<Sending>>,
    starts: u64,
    runs: u64,
}

#[derive(Debug)]
struct Intake {
    file: Incoming,
    link: Option<LinkId>,
    run: Option<u64>,
}

#[derive(Debug)]
struct Sending {
    transfer: TransferId,
    number: u8,
    next: u64,
    chunks: u64,
    run: u64,
}

/// Something that happens to files.
#[derive(Debug)]
pub enum FileDue {
    /// A pump has news, if it still runs.
    News(u64, TransferId, TransferNews),
    /// A pump sends what is next.
    Turn(u64, LinkId),
    /// Chunks arrive.
    Chunks(LinkId, Batch),
}

/// Some chunks of one run.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Of which transfer.
    pub transfer: TransferId,
    /// Of which file, really.
    pub number: u8,
    /// Which run of their sender's.
    pub run: u64,
    /// The first of them.
    pub index: u64,
    /// How many.
    pub count: u64,
}

impl Files {
    /// The phone dies: what its pump did is over.
    pub(super) fn die(&mut self) {
        self.intakes.clear();
        self.sendings.clear();
        self.starts += 1;
    }

    /// The phone starts: parts of what is over are thrown away.
    pub(super) fn sweep(&mut self, live: impl Iterator<Item = TransferId>) {
        let live: Vec<TransferId> = live.collect();
        self.parts.retain(|transfer, _| live.contains(transfer));
    }

    /// The account is left.
    pub(super) fn forget(&mut self) {
        self.parts.clear();
        self.kept.clear();
    }

    fn stop(&mut self, transfer: TransferId) {
        if let Some(intake) = self.intakes.get_mut(&transfer) {
            (intake.link, intake.run) = (None, None);
        }
        for lane in self.sendings.values_mut() {
            lane.retain(|sending| sending.transfer != transfer);
        }
    }

    /// What lies here of a file, and what that means.
    fn look(&self, transfer: TransferId, file: &Incoming) -> TransferNews {
        let (number, here) = self.parts.get(&transfer).copied().unwrap_or_default();
        if here < chunks(file.size.bytes()) {
            return if self.full { TransferNews::NoSpace } else { TransferNews::Prepared { from: here } };
        }
        match digest(number) == file.digest {
            true => TransferNews::Verified { path: format!("{transfer:?}") },
            false => TransferNews::Failed(TransferFailure::WrongDigest),
        }
    }
}

fn digest(number: u8) -> Digest {
    Digest([number; 32])
}

impl World {
    /// Offers a file to the owner of another phone.
    pub fn offer(&mut self, from: PhoneId, to: PhoneId, number: u8, size: u64) -> TransferId {
        let peer = self.phones[to].user().expect("an account");
        match self.ask(from, Command::OfferFile(peer, Box::new(file(number, size)))) {
            Ok(Answer::Transfer(transfer)) => transfer,
            other => panic!("no transfer: {other:?}"),
        }
    }

    /// How often the pump of a phone took chunks beyond those of the files themselves.
    pub fn resent(&self, phone: PhoneId, transfer: TransferId, size: u64) -> u64 {
        self.phones[phone].files.taken.get(&transfer).copied().unwrap_or(0).saturating_sub(chunks(size))
    }

    pub(super) fn file_order(&mut self, phone: PhoneId, transfer: TransferId, order: TransferOrder) {
        let delay = self.dice.within(1, 20);
        let files = &mut self.phones[phone].files;
        files.stop(transfer);
        match order {
            TransferOrder::Prepare { file, anew } => {
                if anew {
                    files.parts.remove(&transfer);
                }
                let news = files.look(transfer, &file);
                files.intakes.insert(transfer, Intake { file, link: None, run: None });
                self.file_news(phone, delay, transfer, news);
            }
            TransferOrder::Receive { link, .. } => {
                if let Some(intake) = files.intakes.get_mut(&transfer) {
                    intake.link = Some(link);
                }
            }
            TransferOrder::Keep { path, .. } => {
                if let Some((number, _)) = files.parts.remove(&transfer) {
                    files.kept.insert(path.clone(), number);
                }
                assert!(files.kept.contains_key(&path), "what was verified is somewhere");
                self.file_news(phone, delay, transfer, TransferNews::Kept);
            }
            TransferOrder::Send { link, from, file } => {
                let number: u8 = file.path.parse().expect("a file of this world");
                if files.changed.contains(&number) {
                    let changed = TransferNews::Failed(TransferFailure::Changed);
                    return self.file_news(phone, delay, transfer, changed);
                }
                files.runs += 1;
                let run = files.runs;
                let sending = Sending { transfer, number, next: from, chunks: chunks(file.size.bytes()), run };
                files.sendings.entry(link).or_default().push_back(sending);
                self.later(delay, Due::File(phone, FileDue::Turn(self.phones[phone].files.starts, link)));
            }
            TransferOrder::Stop => {}
            TransferOrder::Discard => {
                files.parts.remove(&transfer);
                files.intakes.remove(&transfer);
            }
        }
    }

    fn file_news(&mut self, phone: PhoneId, delay: u64, transfer: TransferId, news: TransferNews) {
        let starts = self.phones[phone].files.starts;
        self.later(delay, Due::File(phone, FileDue::News(starts, transfer, news)));
    }

    pub(super) fn file_due(&mut self, phone: PhoneId, due: FileDue) {
        if let Some(asleep) = self.phones[phone].asleep_for(self.now_ms) {
            return self.later(asleep + 1, Due::File(phone, due));
        }
        match due {
            FileDue::News(starts, transfer, news) if starts == self.phones[phone].files.starts => {
                self.step(phone, Input::Transfer(transfer, news));
            }
            FileDue::Turn(starts, link) if starts == self.phones[phone].files.starts => self.file_turn(phone, link),
            FileDue::Chunks(link, batch) if self.links.has(phone, link) => self.file_chunks(phone, link, batch),
            _ => {}
        }
    }

    fn file_turn(&mut self, phone: PhoneId, link: LinkId) {
        let files = &mut self.phones[phone].files;
        let Some(lane) = files.sendings.get_mut(&link) else { return };
        let Some(mut sending) = lane.pop_front() else { return };
        let Sending { transfer, number, next: index, run, .. } = sending;
        let count = BATCH.min(sending.chunks - index);
        sending.next += count;
        if sending.next < sending.chunks {
            lane.push_back(sending);
        }
        let more = !lane.is_empty();
        self.bulk(phone, link, Batch { transfer, number, run, index, count });
        if more {
            let pause = self.dice.within(1, 30);
            self.later(pause, Due::File(phone, FileDue::Turn(self.phones[phone].files.starts, link)));
        }
    }

    /// Chunks arrive at the file pump.
    pub fn file_chunks(&mut self, phone: PhoneId, link: LinkId, batch: Batch) {
        let Batch { transfer, number, run, index, count } = batch;
        let files = &mut self.phones[phone].files;
        let Some(intake) = files.intakes.get_mut(&transfer).filter(|intake| intake.link == Some(link)) else { return };
        let part = files.parts.entry(transfer).or_insert((number, 0));
        if intake.run != Some(run) {
            if index != part.1 {
                return;
            }
            intake.run = Some(run);
        }
        let news = if index != part.1 || index + count > chunks(intake.file.size.bytes()) {
            files.stop(transfer);
            TransferNews::Failed(TransferFailure::Breach)
        } else {
            part.0 = if index == 0 || part.0 == number { number } else { 0 };
            part.1 += count;
            *files.taken.entry(transfer).or_default() += count;
            let (whole, chunks) = (part.1 == chunks(intake.file.size.bytes()), part.1);
            let file = intake.file.clone();
            if whole { files.look(transfer, &file) } else { TransferNews::Moved { chunks } }
        };
        self.file_news(phone, 1, transfer, news);
    }
}

/// A file of this world.
pub fn file(number: u8, size: u64) -> NewFile {
    NewFile {
        path: number.to_string(),
        changed_ns: None,
        name: FileName::parse(format!("file {number}")).expect("a name"),
        size: FileSize::new(size).expect("not too long"),
        mime: Mime::parse("application/octet-stream").expect("a type"),
        kind: FileKind::File,
        digest: digest(number),
        picture: None,
        voice: None,
    }
}
