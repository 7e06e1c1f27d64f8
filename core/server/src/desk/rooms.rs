//! Rooms: what the server enforces, and what it does for their owners. Nobody needs an account for a room.

use sidetone_wire::account::{Code, Page, Refusal, Reply, Request};
use sidetone_wire::envelope::is_padded;
use sidetone_wire::id::{RoomId, SessionId, UserId};
use sidetone_wire::limits::{ENVELOPE_BYTES, ROOMS_KEPT, ROSTER_PAGE};
use sidetone_wire::room::{
    EnterRoom, Entered, Keep, KeptRoom, OpenRoom, RelayRule, Room, RoomEnvelope, Rooms, Scope, Seat,
};

use super::requests::done;
use super::{Bus, Desk, Now, Party, SocketId, Store, refusal, refuse};
use crate::bus::{Denied, Entering, Exile, Opening, Terms};
use crate::store::{RoomKept, RoomRow};
use crate::turn::RelayTag;

/// When somebody nobody vouched for may go on.
const UNVOUCHED_RETRY_MS: u64 = 1_000;

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoSuchRoom => refusal(Code::NoSuchRoom, 0),
            Denied::Full => refusal(Code::RoomFull, 0),
            Denied::Locked => refusal(Code::RoomLocked, 0),
            Denied::Banned => refusal(Code::Banned, 0),
            Denied::Taken => refusal(Code::RoomTaken, 0),
            Denied::TooMany => refusal(Code::TooManyRooms, 0),
            Denied::Already => refusal(Code::Already, 0),
            Denied::NotOwner => refusal(Code::NotOwner, 0),
            Denied::NotIn => refusal(Code::NotInRoom, 0),
            Denied::NoSuchMember => refusal(Code::NoSuchMember, 0),
            Denied::Unvouched => refusal(Code::TooMany, UNVOUCHED_RETRY_MS),
            Denied::NoSuchPlate => refusal(Code::NoSuchPlate, 0),
            Denied::Busy(retry_ms) => refusal(Code::PlateBusy, retry_ms),
            Denied::NoSuchAttempt => refusal(Code::NoSuchAttempt, 0),
            Denied::NoSuchMatch => refusal(Code::NoSuchMatch, 0),
            Denied::NotBegun => refusal(Code::NotBegun, 0),
            Denied::Forged => refusal(Code::ForgedReport, 0),
            Denied::Offline => refusal(Code::Offline, 0),
        }
    }
}

/// What a row of the store says about a room.
fn terms_of(row: &RoomRow) -> Terms {
    let RoomRow { relay, seats, scope, creator, .. } = *row;
    Terms { relay, seats, scope, creator: Some(creator), kept: true }
}

/// Whether a request is about rooms: these are for everybody, with or without an account.
pub(super) fn is_for_everybody(request: &Request) -> bool {
    matches!(request.kind(), 17..=31)
}

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn answer_in_rooms(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        party: Option<Party>,
        request: Request,
    ) -> Result<Reply, Refusal> {
        let us = party.map(|party| party.user);
        match request {
            Request::OpenRoom(open) => self.open_room(now, socket, session, us, open).await,
            Request::EnterRoom(enter) => self.enter_room(now, socket, session, us, enter).await,
            Request::LeaveRoom(Room { room }) => self.leave_room(now, session, room).await,
            Request::RouteRoom(envelope) => self.route_in_room(now, session, envelope).await,
            Request::RoomRelays(Room { room }) => self.room_relays(now, session, room).await,
            Request::Kick(seat) => self.put_out(now, session, seat, Exile::Kicked).await,
            Request::Ban(seat) => self.put_out(now, session, seat, Exile::Banned).await,
            Request::Pardon(Room { room }) => self.pardon(session, us, room).await,
            Request::LockRoom(lock) => Ok(self.bus.lock_room(session, lock).await?.map(|()| done())?),
            Request::CloseRoom(Room { room }) => self.close_room(now, session, us, room).await,
            Request::OpenPlate(open) => self.open_plate(now, session, open).await,
            Request::BurnPlate(plate) => Ok(self.bus.burn_plate(session, plate.plate).await?.map(|()| done())?),
            Request::Knock(knock) => self.knock(now, socket, session, knock).await,
            Request::Say(said) => self.say(session, said).await,
            Request::Judge(judged) => self.judge(session, judged).await,
            _ => refuse(Code::UnknownKind),
        }
    }

    async fn open_room(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        us: Option<UserId>,
        open: OpenRoom,
    ) -> Result<Reply, Refusal> {
        let OpenRoom { room, member, owner, relay, seats, scope, keep } = open;
        let needs_account = keep.is_some() || scope == Scope::Friends;
        match (relay, scope) {
            (RelayRule::Unknown, _) | (_, Scope::Unknown) => return refuse(Code::Malformed),
            _ if needs_account && us.is_none() => return refuse(Code::Unauthorised),
            _ => {}
        }
        self.spend_at(now, socket, "open room", self.config.limits.rooms).await?;
        let mut terms = Terms { relay, seats, scope, creator: us, kept: keep.is_some() };
        if let Some(row) = self.store.room(room).await? {
            if us != Some(row.creator) {
                return refuse(Code::RoomTaken);
            }
            terms = terms_of(&row);
        } else if let (Some(Keep { name }), Some(creator)) = (keep, us) {
            if self.bus.terms(room).await?.is_some_and(|open| open.creator != us) {
                return refuse(Code::RoomTaken);
            }
            let row = RoomRow { room, creator, name, relay, seats, scope };
            match self.store.keep_room(row, ROOMS_KEPT, now.day()).await? {
                RoomKept::Done => {}
                RoomKept::Taken => return refuse(Code::RoomTaken),
                RoomKept::TooMany => return refuse(Code::TooManyRooms),
            }
        }
        let opened = self.bus.open_room(now, session, Opening { room, member, owner, terms }).await?;
        self.figures.rooms_opened += 1;
        Ok(Reply::Entered(Entered { others: opened? }))
    }

    async fn enter_room(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        us: Option<UserId>,
        enter: EnterRoom,
    ) -> Result<Reply, Refusal> {
        let EnterRoom { room, member } = enter;
        self.spend_at(now, socket, "enter room", self.config.limits.entries).await?;
        let open = self.bus.terms(room).await?;
        let mut kept = None;
        if open.is_none_or(|open| open.kept) {
            kept = self.store.room(room).await?.as_ref().map(terms_of);
            if let Some(us) = us.filter(|_| kept.is_some())
                && self.store.is_banned(room, us).await?
            {
                return refuse(Code::Banned);
            }
        }
        let Some(terms) = open.or(kept) else { return refuse(Code::NoSuchRoom) };
        if let (Scope::Friends, Some(creator)) = (terms.scope, terms.creator) {
            let friend = match us {
                Some(us) => us == creator || self.store.edge(us, creator).await?.is_friendship(),
                None => false,
            };
            if !friend {
                return refuse(Code::NotFriends);
            }
        }
        let entered = self.bus.enter_room(now, session, Entering { room, member, kept }).await?;
        self.figures.rooms_entered += 1;
        Ok(Reply::Entered(Entered { others: entered? }))
    }

    async fn leave_room(&mut self, now: Now, session: SessionId, room: RoomId) -> Result<Reply, Refusal> {
        if let Some(held) = self.bus.leave_room(now, session, room).await? {
            self.revoked.push(RelayTag::of(held.relay, held.name));
        }
        Ok(done())
    }

    async fn route_in_room(&mut self, now: Now, session: SessionId, envelope: RoomEnvelope) -> Result<Reply, Refusal> {
        let len = envelope.bytes.len();
        if len > ENVELOPE_BYTES {
            return refuse(Code::TooLarge);
        }
        if !is_padded(&envelope.bytes) {
            return refuse(Code::Malformed);
        }
        self.bus.hand(now, session, envelope).await??;
        self.figures.routed_in_room(len);
        Ok(done())
    }

    /// The first of three gates: no credentials where the policy forbids relays, and only to members. The second is the
    /// tag, which says what the policy is; the third are the phones. Where STUN is they may know anyhow: what it tells a phone
    /// is its own address.
    async fn room_relays(&mut self, now: Now, session: SessionId, room: RoomId) -> Result<Reply, Refusal> {
        let held = self.bus.held(session, room).await??;
        if held.relay == RelayRule::Forbidden {
            return Ok(Reply::Relays(self.stun()));
        }
        let tag = RelayTag::of(held.relay, held.name);
        Ok(Reply::Relays(self.credentials(now, tag.as_str())))
    }

    async fn put_out(&mut self, now: Now, session: SessionId, seat: Seat, exile: Exile) -> Result<Reply, Refusal> {
        let Seat { room, .. } = seat;
        let user = self.bus.behind(session, seat).await??;
        let terms = self.bus.terms(room).await?;
        if let (Exile::Banned, Some(user)) = (exile, user)
            && terms.is_some_and(|terms| terms.kept)
        {
            self.store.ban(room, user).await?;
        }
        let name = self.bus.put_out(now, session, seat, exile).await??;
        self.revoked.extend(terms.map(|terms| RelayTag::of(terms.relay, name)));
        Ok(done())
    }

    async fn pardon(&mut self, session: SessionId, us: Option<UserId>, room: RoomId) -> Result<Reply, Refusal> {
        let ours = self.is_kept_by(us, room).await?;
        match self.bus.pardon(session, room).await? {
            Err(Denied::NoSuchRoom) if ours => {}
            pardoned => pardoned?,
        }
        if ours {
            self.store.pardon(room).await?;
        }
        Ok(done())
    }

    async fn close_room(
        &mut self,
        _now: Now,
        session: SessionId,
        us: Option<UserId>,
        room: RoomId,
    ) -> Result<Reply, Refusal> {
        let kept = self.is_kept_by(us, room).await?;
        let relay = self.bus.terms(room).await?.map(|terms| terms.relay);
        match self.bus.close_room(session, room).await? {
            Err(Denied::NoSuchRoom) if kept => {}
            closed => {
                let name = closed?;
                self.revoked.extend(relay.map(|relay| RelayTag::of_room(relay, name)));
            }
        }
        if kept {
            self.store.forget_room(room).await?;
        }
        Ok(done())
    }

    async fn is_kept_by(&mut self, us: Option<UserId>, room: RoomId) -> Result<bool, Refusal> {
        let Some(us) = us else { return Ok(false) };
        Ok(self.store.room(room).await?.is_some_and(|row| row.creator == us))
    }

    pub(super) async fn rooms(&mut self, us: UserId, page: Page) -> Result<Reply, Refusal> {
        let skip = usize::try_from(page.page).unwrap_or(usize::MAX).saturating_mul(ROSTER_PAGE);
        let mut rows = self.store.rooms(us, skip, ROSTER_PAGE + 1).await?;
        let more = rows.len() > ROSTER_PAGE;
        rows.truncate(ROSTER_PAGE);
        let kept = |row: RoomRow| {
            let RoomRow { room, name, relay, seats, scope, .. } = row;
            KeptRoom { room, name, relay, seats, scope }
        };
        Ok(Reply::Rooms(Rooms { rooms: rows.into_iter().map(kept).collect(), more }))
    }

    /// Ends every room that is kept for an account which is about to be deleted.
    pub(super) async fn close_kept(&mut self, session: SessionId, us: UserId) -> Result<(), Refusal> {
        for row in self.store.rooms(us, 0, ROOMS_KEPT).await? {
            if let Ok(name) = self.bus.close_room(session, row.room).await? {
                self.revoked.push(RelayTag::of_room(row.relay, name));
            }
        }
        Ok(())
    }

    /// What is to be cut off from the relay since the last call.
    pub fn revoked(&mut self) -> Vec<RelayTag> {
        std::mem::take(&mut self.revoked)
    }
}
