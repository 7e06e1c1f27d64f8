//! Nameplates and tries at spoken codes, in memory.

use sidetone_wire::frame::Event;
use sidetone_wire::id::{RoomId, SessionId};
use sidetone_wire::limits::{ATTEMPT_MS, PLATE_LONGEST_MS, PLATE_MS, PLATE_TRIES, PLATES};
use sidetone_wire::room::{
    AttemptOver, Burned, BurnedWhy, Judged, Knock, Knocked, Nameplate, Over, Plate, Said, Verdict,
};

use super::LocalBus;
use crate::Now;
use crate::bus::{Delivery, Denied};

/// Numbers of four digits are given as long as no more of them than this are taken, then of six.
const SHORT_PLATES: usize = 2_000;
/// Draws before the numbers are said to be used up.
const DRAWS: usize = 64;

/// A nameplate that is up.
pub(super) struct Up {
    room: RoomId,
    until_ms: u64,
    failed: usize,
}

/// A try that is not decided.
pub(super) struct Try {
    plate: Nameplate,
    knocker: SessionId,
    until_ms: u64,
    /// Whether the owner said anything: from then on the one who tries may know whether the code was right.
    answered: bool,
}

impl LocalBus {
    pub(super) fn open_plate_here(
        &mut self,
        now: Now,
        id: SessionId,
        room: RoomId,
        valid_ms: u64,
    ) -> Result<Plate, Denied> {
        if self.owned(id, room)?.plates.len() >= PLATES {
            return Err(Denied::TooMany);
        }
        let valid_ms = if valid_ms == 0 { PLATE_MS } else { valid_ms.min(PLATE_LONGEST_MS) };
        let numbers = if self.plates.len() < SHORT_PLATES { 1_000..10_000 } else { 100_000..1_000_000 };
        let (first, count) = (numbers.start, numbers.len() as u32);
        let mut draw = || Nameplate(first + u32::from_le_bytes(self.draws.bytes()) % count);
        let plate = (0..DRAWS).map(|_| draw()).find(|plate| !self.plates.contains_key(plate)).ok_or(Denied::TooMany)?;
        let up = Up { room, until_ms: now.ticks_ms + valid_ms, failed: 0 };
        self.plates.insert(plate, Box::new(up));
        self.owned(id, room)?.plates.push(plate);
        Ok(Plate { plate, valid_ms })
    }

    pub(super) fn burn_plate_here(&mut self, id: SessionId, plate: Nameplate) -> Result<(), Denied> {
        let room = self.plates.get(&plate).ok_or(Denied::NoSuchPlate)?.room;
        self.owned(id, room)?;
        self.burn(plate, None);
        Ok(())
    }

    /// Takes a plate down, ends its tries and tells whoever does not know; the owner if it is not the owner's doing.
    pub(super) fn burn(&mut self, plate: Nameplate, why: Option<BurnedWhy>) {
        let Some(up) = self.plates.remove(&plate) else { return };
        let holder = self.holder(up.room);
        if let Some(open) = self.rooms.get_mut(&up.room) {
            open.plates.retain(|other| *other != plate);
        }
        let tries: Vec<_> = self.tries.iter().filter(|(_, one)| one.plate == plate).map(|(id, _)| **id).collect();
        for attempt in tries {
            if let Some(one) = self.tries.remove(&attempt) {
                self.tell(one.knocker, &Event::AttemptOver(AttemptOver { attempt, why: Over::Burned }));
            }
        }
        if let (Some(holder), Some(why)) = (holder, why) {
            self.tell(holder, &Event::Burned(Burned { plate, why }));
        }
    }

    fn failed(&mut self, plate: Nameplate) {
        let Some(up) = self.plates.get_mut(&plate) else { return };
        up.failed += 1;
        if up.failed >= PLATE_TRIES {
            self.burn(plate, Some(BurnedWhy::Failed));
        }
    }

    pub(super) fn knock_here(&mut self, now: Now, id: SessionId, knock: Knock) -> Result<(), Denied> {
        let Knock { plate, attempt, bytes } = knock;
        let up = self.plates.get(&plate).filter(|up| up.until_ms > now.ticks_ms).ok_or(Denied::NoSuchPlate)?;
        if self.tries.contains_key(&attempt) {
            return Err(Denied::Already);
        }
        let waiting = |one: &&Try| one.plate == plate || one.knocker == id;
        let (mut undecided, mut until_ms) = (0, u64::MAX);
        for one in self.tries.values().filter(waiting) {
            undecided += 1;
            until_ms = until_ms.min(one.until_ms);
        }
        if up.failed + undecided >= PLATE_TRIES {
            return Err(Denied::Busy(until_ms.saturating_sub(now.ticks_ms)));
        }
        let holder = self.holder(up.room).ok_or(Denied::Offline)?;
        let one = Try { plate, knocker: id, until_ms: now.ticks_ms + ATTEMPT_MS, answered: false };
        self.tries.insert(Box::new(attempt), one);
        match self.tell(holder, &Event::Knocked(Knocked { plate, attempt, bytes })) {
            Delivery::Logged | Delivery::Waiting => Ok(()),
            Delivery::Offline => {
                self.tries.remove(&attempt);
                Err(Denied::Offline)
            }
        }
    }

    pub(super) fn say_here(&mut self, id: SessionId, said: Said) -> Result<(), Denied> {
        let one = self.tries.get(&said.attempt).ok_or(Denied::NoSuchAttempt)?;
        let (plate, knocker) = (one.plate, one.knocker);
        let room = self.plates.get(&plate).ok_or(Denied::NoSuchAttempt)?.room;
        let to = match () {
            () if knocker == id => self.holder(room).ok_or(Denied::Offline)?,
            () if self.owns(id, room) => {
                self.tries.entry(Box::new(said.attempt)).and_modify(|one| one.answered = true);
                knocker
            }
            () => return Err(Denied::NoSuchAttempt),
        };
        match self.tell(to, &Event::Said(said)) {
            Delivery::Logged | Delivery::Waiting => Ok(()),
            Delivery::Offline => Err(Denied::Offline),
        }
    }

    pub(super) fn judge_here(&mut self, id: SessionId, judged: Judged) -> Result<(), Denied> {
        let Judged { attempt, verdict } = judged;
        let plate = self.tries.get(&attempt).ok_or(Denied::NoSuchAttempt)?.plate;
        let room = self.plates.get(&plate).ok_or(Denied::NoSuchAttempt)?.room;
        self.owned(id, room)?;
        let one = self.tries.remove(&attempt).ok_or(Denied::NoSuchAttempt)?;
        let right = verdict == Verdict::Right;
        let why = if right { Over::Right } else { Over::Wrong };
        self.tell(one.knocker, &Event::AttemptOver(AttemptOver { attempt, why }));
        if !right {
            self.failed(plate);
        }
        Ok(())
    }

    /// Whoever tried is gone: what was answered has failed.
    pub(super) fn abandon(&mut self, knocker: SessionId) {
        let theirs: Vec<_> = self.tries.iter().filter(|(_, one)| one.knocker == knocker).map(|(id, _)| **id).collect();
        for attempt in theirs {
            if let Some(one) = self.tries.remove(&attempt).filter(|one| one.answered) {
                self.failed(one.plate);
            }
        }
    }

    /// Ends tries and plates whose time is over.
    pub(super) fn expire_plates(&mut self, now: Now) {
        let late: Vec<_> =
            self.tries.iter().filter(|(_, one)| one.until_ms <= now.ticks_ms).map(|(id, _)| **id).collect();
        for attempt in late {
            let Some(one) = self.tries.remove(&attempt) else { continue };
            self.tell(one.knocker, &Event::AttemptOver(AttemptOver { attempt, why: Over::Unanswered }));
            if one.answered {
                self.failed(one.plate);
            }
        }
        let old: Vec<_> =
            self.plates.iter().filter(|(_, up)| up.until_ms <= now.ticks_ms).map(|(plate, _)| *plate).collect();
        for plate in old {
            self.burn(plate, Some(BurnedWhy::Expired));
        }
    }
}
