//! The bus of one process: maps in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use sidetone_wire::id::{AttemptId, MatchId, MemberId, RequestId, RoomId, Secret, Seq, SessionId, UserId};
use sidetone_wire::limits::{REQUEST_MEMORY_MS, RESUME_EVENTS, RESUME_MS};
use sidetone_wire::room::{Judged, Knock, LockRoom, Nameplate, OutWhy, Parting, Plate, RoomEnvelope, Said, Seat};
use sidetone_wire::stranger::{Leave, Reason, Shown, StrangerEnvelope, Ticket};
use subtle::ConstantTimeEq;

use crate::Now;
use crate::bus::{
    Attached, Bus, BusError, Delivery, Denied, Entering, Epoch, Exile, Held, Lapsed, Opening, Party, Rate, RelayName,
    Replay, Seeking, Suspicion, Tag, Terms, Woken,
};
use crate::keys::Draws;
use crate::radar::Radar;

mod heat;
mod plates;
mod rooms;
mod strangers;

use strangers::{Lobby, Stage};

/// Bytes of events kept for one session's resume, beside the limit on their number.
const RESUME_BYTES: usize = 512 * 1024;
/// Buckets kept; senders beyond share one, so that many addresses cost no more memory and gain no more tokens.
const BUCKETS: usize = 100_000;
/// How often answers and full buckets are looked for.
const SWEEP_MS: u64 = 60_000;

/// Sessions of one process. They are gone when it ends.
pub struct LocalBus {
    draws: Draws,
    epochs: u64,
    sessions: BTreeMap<SessionId, Session>,
    by_user: BTreeSet<(UserId, SessionId)>,
    detached: BTreeSet<(u64, SessionId)>,
    buckets: BTreeMap<Tag, Bucket>,
    rooms: BTreeMap<Box<RoomId>, Box<rooms::Room>>,
    plates: BTreeMap<Nameplate, Box<plates::Up>>,
    tries: BTreeMap<Box<AttemptId>, plates::Try>,
    lobby: Lobby,
    /// The last time that was told.
    now: Now,
    day: Option<(u32, [u8; 32])>,
    swept_ms: u64,
    woken: Vec<Woken>,
}

struct Session {
    secret: Secret,
    party: Option<Party>,
    epoch: Epoch,
    detached_ms: Option<u64>,
    last: u64,
    log: VecDeque<Arc<[u8]>>,
    log_bytes: usize,
    answers: VecDeque<Answer>,
    rooms: Vec<RoomId>,
    stage: Stage,
}

struct Answer {
    at_ms: u64,
    request: RequestId,
    bytes: Box<[u8]>,
}

/// When the bucket is full again: all there is to know about it.
struct Bucket {
    full_ms: u64,
}

impl LocalBus {
    /// An empty bus; the seed draws its day keys.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            draws: Draws::new(seed),
            epochs: 0,
            sessions: BTreeMap::new(),
            by_user: BTreeSet::new(),
            detached: BTreeSet::new(),
            buckets: BTreeMap::new(),
            rooms: BTreeMap::new(),
            plates: BTreeMap::new(),
            tries: BTreeMap::new(),
            lobby: Lobby::new(),
            now: Now::default(),
            day: None,
            swept_ms: 0,
            woken: Vec::new(),
        }
    }

    fn next_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch(self.epochs)
    }

    fn held(&mut self, session: SessionId, epoch: Epoch) -> Option<&mut Session> {
        self.sessions.get_mut(&session).filter(|held| held.epoch == epoch)
    }

    fn of(&self, user: UserId) -> Vec<SessionId> {
        let (first, last) = (SessionId([0; 16]), SessionId([0xff; 16]));
        self.by_user.range((user, first)..=(user, last)).map(|(_, session)| *session).collect()
    }

    /// Ends a session; whoever it meets in rooms is told why.
    fn remove(&mut self, session: SessionId, why: Parting) -> Option<Session> {
        let gone = self.sessions.remove(&session)?;
        if let Some(party) = gone.party {
            self.by_user.remove(&(party.user, session));
        }
        if let Some(at_ms) = gone.detached_ms {
            self.detached.remove(&(at_ms, session));
        }
        for room in &gone.rooms {
            self.leave_here(session, *room, why, None);
        }
        self.abandon(session);
        self.forget_stranger(session, &gone.stage);
        Some(gone)
    }

    fn log(&mut self, id: SessionId, event: &Arc<[u8]>) -> Delivery {
        let Some(session) = self.sessions.get_mut(&id) else { return Delivery::Offline };
        if session.log.len() >= RESUME_EVENTS || session.log_bytes + event.len() > RESUME_BYTES {
            let (epoch, party) = (session.epoch, session.party);
            self.remove(id, Parting::Lost);
            self.woken.push(Woken::Lost(id, epoch, party));
            return Delivery::Offline;
        }
        session.last += 1;
        session.log_bytes += event.len();
        session.log.push_back(Arc::clone(event));
        if session.detached_ms.is_some() {
            return Delivery::Waiting;
        }
        self.woken.push(Woken::News(id, session.epoch));
        Delivery::Logged
    }

    fn today(&mut self, now: Now) -> [u8; 32] {
        if let Some((day, key)) = self.day
            && day == now.day()
        {
            return key;
        }
        let key = self.draws.bytes();
        self.day = Some((now.day(), key));
        key
    }

    fn sweep(&mut self, now: Now) {
        if now.ticks_ms.saturating_sub(self.swept_ms) < SWEEP_MS {
            return;
        }
        self.swept_ms = now.ticks_ms;
        self.buckets.retain(|_, bucket| bucket.full_ms > now.ticks_ms);
        self.lobby.heats.sweep(now);
        for session in self.sessions.values_mut() {
            session.forget(now);
        }
    }
}

impl Session {
    /// The number before the first event kept.
    fn dropped(&self) -> u64 {
        self.last - self.log.len() as u64
    }

    fn drop_to(&mut self, seq: u64) {
        while self.dropped() < seq {
            let Some(event) = self.log.pop_front() else { break };
            self.log_bytes -= event.len();
        }
        if self.log.is_empty() {
            self.log = VecDeque::new();
        }
    }

    fn forget(&mut self, now: Now) {
        let old = |answer: &Answer| answer.at_ms + REQUEST_MEMORY_MS <= now.ticks_ms;
        while self.answers.pop_front_if(|answer| old(answer)).is_some() {}
        if self.answers.is_empty() {
            self.answers = VecDeque::new();
        }
    }
}

impl Bus for LocalBus {
    async fn open(&mut self, _now: Now, id: SessionId, secret: Secret) -> Result<Epoch, BusError> {
        let epoch = self.next_epoch();
        let session = Session {
            secret,
            party: None,
            epoch,
            detached_ms: None,
            last: 0,
            log: VecDeque::new(),
            log_bytes: 0,
            answers: VecDeque::new(),
            rooms: Vec::new(),
            stage: Stage::Away,
        };
        self.sessions.insert(id, session);
        Ok(epoch)
    }

    async fn attach(
        &mut self,
        now: Now,
        id: SessionId,
        secret: &Secret,
        last: Seq,
    ) -> Result<Option<Attached>, BusError> {
        let epoch = self.next_epoch();
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(None) };
        let ours = bool::from(secret.as_bytes().ct_eq(session.secret.as_bytes()));
        if !ours || last.0 < session.dropped() || last.0 > session.last {
            return Ok(None);
        }
        let before = std::mem::replace(&mut session.epoch, epoch);
        session.drop_to(last.0);
        let party = session.party;
        match session.detached_ms.take() {
            Some(at_ms) => {
                self.detached.remove(&(at_ms, id));
            }
            None => self.woken.push(Woken::Taken(id, before)),
        }
        self.stranger_is_back(now, id);
        Ok(Some(Attached { epoch, party }))
    }

    async fn detach(&mut self, now: Now, id: SessionId, epoch: Epoch) -> Result<(), BusError> {
        let Some(session) = self.held(id, epoch) else { return Ok(()) };
        if session.detached_ms.is_none() {
            session.detached_ms = Some(now.ticks_ms);
            self.detached.insert((now.ticks_ms, id));
        }
        Ok(())
    }

    async fn end(&mut self, id: SessionId, epoch: Epoch) -> Result<Option<Party>, BusError> {
        if self.held(id, epoch).is_none() {
            return Ok(None);
        }
        Ok(self.remove(id, Parting::Left).and_then(|session| session.party))
    }

    async fn sign_in(&mut self, id: SessionId, party: Party) -> Result<(), BusError> {
        self.sign_out(id).await?;
        for other in self.of(party.user) {
            if self.sessions.get(&other).is_some_and(|session| session.party == Some(party))
                && let Some(gone) = self.remove(other, Parting::Lost)
            {
                self.woken.push(Woken::Taken(other, gone.epoch));
            }
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.party = Some(party);
            self.by_user.insert((party.user, id));
        }
        Ok(())
    }

    async fn sign_out(&mut self, id: SessionId) -> Result<(), BusError> {
        if let Some(party) = self.sessions.get_mut(&id).and_then(|session| session.party.take()) {
            self.by_user.remove(&(party.user, id));
            for room in self.sessions.get(&id).map(|session| session.rooms.clone()).unwrap_or_default() {
                self.leave_here(id, room, Parting::Left, Some(OutWhy::SignedOut));
            }
        }
        Ok(())
    }

    async fn party(&mut self, id: SessionId) -> Result<Option<Party>, BusError> {
        Ok(self.sessions.get(&id).and_then(|session| session.party))
    }

    async fn sessions(&mut self, user: UserId) -> Result<Vec<(SessionId, Party)>, BusError> {
        let party = |id: SessionId| self.sessions.get(&id).and_then(|session| session.party).map(|party| (id, party));
        Ok(self.of(user).into_iter().filter_map(party).collect())
    }

    async fn deliver(&mut self, to: UserId, event: &[u8]) -> Result<Delivery, BusError> {
        let sessions = self.of(to);
        if sessions.is_empty() {
            return Ok(Delivery::Offline);
        }
        let event: Arc<[u8]> = event.into();
        let each: Vec<Delivery> = sessions.into_iter().map(|id| self.log(id, &event)).collect();
        let best = [Delivery::Logged, Delivery::Waiting].into_iter().find(|one| each.contains(one));
        Ok(best.unwrap_or(Delivery::Offline))
    }

    async fn deliver_to(&mut self, id: SessionId, event: &[u8]) -> Result<Delivery, BusError> {
        Ok(self.log(id, &event.into()))
    }

    async fn replay(&mut self, id: SessionId, epoch: Epoch, after: Seq, bytes: usize) -> Result<Replay, BusError> {
        let Some(session) = self.held(id, epoch) else { return Ok(Replay::default()) };
        let dropped = session.dropped();
        let skip = usize::try_from(after.0.saturating_sub(dropped)).unwrap_or(usize::MAX);
        let mut replay = Replay::default();
        let mut used = 0;
        for (index, event) in session.log.iter().enumerate().skip(skip) {
            used += event.len();
            if used > bytes && !replay.events.is_empty() {
                replay.more = true;
                break;
            }
            replay.events.push((Seq(dropped + index as u64 + 1), Arc::clone(event)));
        }
        Ok(replay)
    }

    async fn ack(&mut self, id: SessionId, epoch: Epoch, seq: Seq) -> Result<(), BusError> {
        if let Some(session) = self.held(id, epoch) {
            session.drop_to(seq.0.min(session.last));
        }
        Ok(())
    }

    async fn online(&mut self, users: &[UserId]) -> Result<Vec<bool>, BusError> {
        Ok(users.iter().map(|user| !self.of(*user).is_empty()).collect())
    }

    async fn remember(&mut self, now: Now, id: SessionId, request: RequestId, answer: &[u8]) -> Result<(), BusError> {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.forget(now);
            session.answers.push_back(Answer { at_ms: now.ticks_ms, request, bytes: answer.into() });
        }
        Ok(())
    }

    async fn recall(&mut self, now: Now, id: SessionId, request: RequestId) -> Result<Option<Vec<u8>>, BusError> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(None) };
        session.forget(now);
        Ok(session.answers.iter().rev().find(|answer| answer.request == request).map(|answer| answer.bytes.to_vec()))
    }

    async fn terms(&mut self, room: RoomId) -> Result<Option<Terms>, BusError> {
        Ok(self.terms_of(room))
    }

    async fn open_room(
        &mut self,
        now: Now,
        id: SessionId,
        opening: Opening,
    ) -> Result<Result<Vec<MemberId>, Denied>, BusError> {
        Ok(self.open_here(now, id, opening))
    }

    async fn enter_room(
        &mut self,
        now: Now,
        id: SessionId,
        entering: Entering,
    ) -> Result<Result<Vec<MemberId>, Denied>, BusError> {
        Ok(self.enter_here(now, id, entering))
    }

    async fn leave_room(&mut self, _now: Now, id: SessionId, room: RoomId) -> Result<Option<Held>, BusError> {
        Ok(self.leave_here(id, room, Parting::Left, None))
    }

    async fn held(&mut self, id: SessionId, room: RoomId) -> Result<Result<Held, Denied>, BusError> {
        Ok(self.held_here(id, room))
    }

    async fn hand(&mut self, _now: Now, id: SessionId, envelope: RoomEnvelope) -> Result<Result<(), Denied>, BusError> {
        Ok(self.hand_here(id, envelope))
    }

    async fn behind(&mut self, id: SessionId, seat: Seat) -> Result<Result<Option<UserId>, Denied>, BusError> {
        Ok(self.behind_here(id, seat))
    }

    async fn put_out(
        &mut self,
        _now: Now,
        id: SessionId,
        seat: Seat,
        exile: Exile,
    ) -> Result<Result<RelayName, Denied>, BusError> {
        Ok(self.put_out_here(id, seat, exile))
    }

    async fn pardon(&mut self, id: SessionId, room: RoomId) -> Result<Result<(), Denied>, BusError> {
        Ok(self.pardon_here(id, room))
    }

    async fn lock_room(&mut self, id: SessionId, lock: LockRoom) -> Result<Result<(), Denied>, BusError> {
        Ok(self.lock_here(id, lock))
    }

    async fn close_room(&mut self, id: SessionId, room: RoomId) -> Result<Result<[u8; 8], Denied>, BusError> {
        Ok(self.close_here(id, room))
    }

    async fn open_plate(
        &mut self,
        now: Now,
        id: SessionId,
        room: RoomId,
        valid_ms: u64,
    ) -> Result<Result<Plate, Denied>, BusError> {
        Ok(self.open_plate_here(now, id, room, valid_ms))
    }

    async fn burn_plate(&mut self, id: SessionId, plate: Nameplate) -> Result<Result<(), Denied>, BusError> {
        Ok(self.burn_plate_here(id, plate))
    }

    async fn knock(&mut self, now: Now, id: SessionId, knock: Knock) -> Result<Result<(), Denied>, BusError> {
        Ok(self.knock_here(now, id, knock))
    }

    async fn say(&mut self, id: SessionId, said: Said) -> Result<Result<(), Denied>, BusError> {
        Ok(self.say_here(id, said))
    }

    async fn judge(&mut self, id: SessionId, judged: Judged) -> Result<Result<(), Denied>, BusError> {
        Ok(self.judge_here(id, judged))
    }

    async fn suspicion(&mut self, now: Now, id: SessionId, from: Tag) -> Result<Suspicion, BusError> {
        Ok(self.lobby.heats.suspicion(now, id.0, from))
    }

    async fn seek(&mut self, now: Now, id: SessionId, seeking: Seeking) -> Result<Result<(), Denied>, BusError> {
        Ok(self.seek_here(now, id, seeking))
    }

    async fn unseek(&mut self, id: SessionId, ticket: Ticket) -> Result<(), BusError> {
        self.unseek_here(id, ticket);
        Ok(())
    }

    async fn consent(&mut self, now: Now, id: SessionId, which: MatchId) -> Result<Result<(), Denied>, BusError> {
        Ok(self.consent_here(now, id, which))
    }

    async fn part(
        &mut self,
        now: Now,
        id: SessionId,
        which: MatchId,
        how: Leave,
    ) -> Result<Result<(), Denied>, BusError> {
        Ok(self.part_here(now, id, which, how))
    }

    async fn hand_stranger(
        &mut self,
        id: SessionId,
        envelope: StrangerEnvelope,
    ) -> Result<Result<(), Denied>, BusError> {
        Ok(self.hand_stranger_here(id, envelope))
    }

    async fn stranger(&mut self, id: SessionId, which: MatchId) -> Result<Result<RelayName, Denied>, BusError> {
        Ok(self.stranger_name(id, which))
    }

    async fn again(&mut self, now: Now, id: SessionId, which: MatchId) -> Result<Result<(), Denied>, BusError> {
        Ok(self.again_here(now, id, which))
    }

    async fn report(
        &mut self,
        now: Now,
        token: &[u8],
        reason: Reason,
        shown: &[Shown],
    ) -> Result<Result<(), Denied>, BusError> {
        Ok(self.report_here(now, token, reason, shown))
    }

    async fn active(&mut self) -> Result<u64, BusError> {
        Ok(self.active_here())
    }

    async fn radar(&mut self, now: Now) -> Result<Radar, BusError> {
        Ok(self.radar_here(now))
    }

    async fn spend(&mut self, now: Now, tag: Tag, rate: Rate) -> Result<Result<(), u64>, BusError> {
        let crowded = self.buckets.len() >= BUCKETS && !self.buckets.contains_key(&tag);
        let bucket = self.buckets.entry(if crowded { Tag::default() } else { tag }).or_insert(Bucket { full_ms: 0 });
        let full_ms = bucket.full_ms.max(now.ticks_ms) + rate.every_ms;
        let empty_ms = now.ticks_ms + rate.every_ms * u64::from(rate.burst);
        if full_ms > empty_ms {
            return Ok(Err(full_ms - empty_ms));
        }
        bucket.full_ms = full_ms;
        Ok(Ok(()))
    }

    async fn day_key(&mut self, now: Now) -> Result<[u8; 32], BusError> {
        Ok(self.today(now))
    }

    async fn expire(&mut self, now: Now) -> Result<Vec<Lapsed>, BusError> {
        self.sweep(now);
        self.expire_plates(now);
        self.expire_strangers(now);
        let mut lapsed = Vec::new();
        while let Some((at_ms, session)) = self.detached.first().copied() {
            if at_ms + RESUME_MS > now.ticks_ms {
                break;
            }
            let party = self.remove(session, Parting::Lost).and_then(|gone| gone.party);
            lapsed.push(Lapsed { session, party });
        }
        Ok(lapsed)
    }

    fn woken(&mut self) -> Vec<Woken> {
        std::mem::take(&mut self.woken)
    }
}
