//! What moves: sessions, their numbered events, presence, limits. Nothing here is written to disk.

use sidetone_wire::id::{DeviceId, MatchId, MemberId, RequestId, RoomId, Secret, Seq, SessionId, UserId};
use sidetone_wire::room::{Judged, Knock, LockRoom, Nameplate, Plate, RoomEnvelope, Said, Seat};
use sidetone_wire::stranger::{Leave, Reason, Shown, StrangerEnvelope, Ticket};

use crate::Now;
use crate::radar::Radar;

mod room;
mod stranger;

pub use room::{Denied, Entering, Held, Opening, RelayName, Terms};
pub use stranger::{Pool, Seeking, Suspicion};

/// A 16-byte key for a limit: never an address or a name, always a keyed hash or an id.
pub type Tag = [u8; 16];

/// Counts the sockets that held a session. Only the newest may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// Whose a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    /// The account.
    pub user: UserId,
    /// Its device.
    pub device: DeviceId,
}

/// A session that goes on at a new socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// The right to write from now on.
    pub epoch: Epoch,
    /// Whose it is.
    pub party: Option<Party>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Numbered and kept for at least one live session.
    Logged,
    /// The same, and no socket is there that it could go out on now.
    Waiting,
    /// There is no live session.
    Offline,
}

/// Events from a session's log, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// Numbers and encoded [`sidetone_wire::frame::Event`]s.
    pub events: Vec<(Seq, std::sync::Arc<[u8]>)>,
    /// Whether the log has more behind them.
    pub more: bool,
}

/// News for whoever holds a session's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Events wait in the log.
    News(SessionId, Epoch),
    /// Another socket holds the session now, or another session of the device replaced it.
    Taken(SessionId, Epoch),
    /// The log overflowed: the session is gone and cannot be resumed.
    Lost(SessionId, Epoch, Option<Party>),
}

/// A session that nobody resumed in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// Which.
    pub session: SessionId,
    /// Whose it was.
    pub party: Option<Party>,
}

/// A token bucket: `burst` at once, one more every `every_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Size of the bucket.
    pub burst: u32,
    /// Time for one token.
    pub every_ms: u64,
}

/// For how long a member is put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exile {
    /// Until it enters again.
    Kicked,
    /// For good.
    Banned,
}

/// The engine behind the bus failed; nothing is known about the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bus is not available")]
pub struct BusError;

/// Where sessions meet. One implementation per process ([`crate::LocalBus`]) or shared by many nodes.
///
/// Every method is one atomic step: an event is either absent or numbered and replayable, so that a lost wake-up costs
/// latency and never the event.
#[allow(async_fn_in_trait, reason = "drivers own their bus on one thread, so no future has to be Send")]
pub trait Bus {
    /// Makes a session without an account, held by the caller.
    async fn open(&mut self, now: Now, session: SessionId, secret: Secret) -> Result<Epoch, BusError>;

    /// Takes over a session at a new socket and drops its events up to `last`. `None` if there is no such session, the
    /// secret is another one, or events after `last` are not kept any more. The socket before is woken with
    /// [`Woken::Taken`].
    async fn attach(
        &mut self,
        now: Now,
        session: SessionId,
        secret: &Secret,
        last: Seq,
    ) -> Result<Option<Attached>, BusError>;

    /// The socket of this epoch is gone; the session lives on for [`sidetone_wire::limits::RESUME_MS`].
    async fn detach(&mut self, now: Now, session: SessionId, epoch: Epoch) -> Result<(), BusError>;

    /// Ends a session of this epoch and says whose it was. A socket with an older epoch ends nothing.
    async fn end(&mut self, session: SessionId, epoch: Epoch) -> Result<Option<Party>, BusError>;

    /// Gives a session to an account. Other sessions of the same device end and are woken with [`Woken::Taken`].
    async fn sign_in(&mut self, session: SessionId, party: Party) -> Result<(), BusError>;

    /// Takes the account from a session, which lives on without one and leaves the rooms it was in.
    async fn sign_out(&mut self, session: SessionId) -> Result<(), BusError>;

    /// Whose a session is.
    async fn party(&mut self, session: SessionId) -> Result<Option<Party>, BusError>;

    /// The live sessions of an account, attached or resumable.
    async fn sessions(&mut self, user: UserId) -> Result<Vec<(SessionId, Party)>, BusError>;

    /// Numbers, logs and announces an event for every live session of an account; [`Delivery::Waiting`] if none is attached.
    async fn deliver(&mut self, to: UserId, event: &[u8]) -> Result<Delivery, BusError>;

    /// The same for one session.
    async fn deliver_to(&mut self, session: SessionId, event: &[u8]) -> Result<Delivery, BusError>;

    /// Events after `after`, as many as fit `bytes` and at least one if there is one. Nothing for an older epoch.
    async fn replay(&mut self, session: SessionId, epoch: Epoch, after: Seq, bytes: usize) -> Result<Replay, BusError>;

    /// Drops the events up to `seq`.
    async fn ack(&mut self, session: SessionId, epoch: Epoch, seq: Seq) -> Result<(), BusError>;

    /// Which of these accounts have a live session, in the order asked.
    async fn online(&mut self, users: &[UserId]) -> Result<Vec<bool>, BusError>;

    /// Keeps the answer to a request for [`sidetone_wire::limits::REQUEST_MEMORY_MS`].
    async fn remember(
        &mut self,
        now: Now,
        session: SessionId,
        request: RequestId,
        answer: &[u8],
    ) -> Result<(), BusError>;

    /// The answer kept for a request.
    async fn recall(&mut self, now: Now, session: SessionId, request: RequestId) -> Result<Option<Vec<u8>>, BusError>;

    /// What is enforced in an open room.
    async fn terms(&mut self, room: RoomId) -> Result<Option<Terms>, BusError>;

    /// Opens a room with this session as owner and first member, or takes over an open one by its owner's secret or its
    /// creator's account: the session that held it before leaves. Gives the other members, longest there first.
    async fn open_room(
        &mut self,
        now: Now,
        session: SessionId,
        opening: Opening,
    ) -> Result<Result<Vec<MemberId>, Denied>, BusError>;

    /// Makes a session a member and tells the others; gives them. A session that is in the room already as this member
    /// changes nothing, as another one it goes and comes.
    ///
    /// Seats are taken by members who are vouched for and by others for [`sidetone_wire::limits::UNVOUCHED_MS`]. A full
    /// room gives the seat of a member whose socket is gone for that long.
    async fn enter_room(
        &mut self,
        now: Now,
        session: SessionId,
        entering: Entering,
    ) -> Result<Result<Vec<MemberId>, Denied>, BusError>;

    /// Takes a session out of a room and tells the others. What it held there, if it was a member. A room without
    /// members is gone, with everything about it.
    async fn leave_room(&mut self, now: Now, session: SessionId, room: RoomId) -> Result<Option<Held>, BusError>;

    /// What a session holds in a room.
    async fn held(&mut self, session: SessionId, room: RoomId) -> Result<Result<Held, Denied>, BusError>;

    /// Numbers and logs an envelope for another member of a room. One of class
    /// [`sidetone_wire::envelope::Class::Control`] from a member who is vouched for vouches for its receiver.
    async fn hand(
        &mut self,
        now: Now,
        session: SessionId,
        envelope: RoomEnvelope,
    ) -> Result<Result<(), Denied>, BusError>;

    /// The account behind a member, for the room's owner.
    async fn behind(&mut self, session: SessionId, seat: Seat) -> Result<Result<Option<UserId>, Denied>, BusError>;

    /// Puts a member out for the room's owner and tells everybody; with [`Exile::Banned`] neither its session nor its
    /// account comes in again while the room is open. Gives what the member was called at a relay.
    async fn put_out(
        &mut self,
        now: Now,
        session: SessionId,
        seat: Seat,
        exile: Exile,
    ) -> Result<Result<RelayName, Denied>, BusError>;

    /// Lets everybody in again, for the room's owner.
    async fn pardon(&mut self, session: SessionId, room: RoomId) -> Result<Result<(), Denied>, BusError>;

    /// Lets nobody new in, or in again, for the room's owner.
    async fn lock_room(&mut self, session: SessionId, lock: LockRoom) -> Result<Result<(), Denied>, BusError>;

    /// Ends a room for its owner and tells every other member. Gives what the room was called at a relay.
    async fn close_room(&mut self, session: SessionId, room: RoomId) -> Result<Result<[u8; 8], Denied>, BusError>;

    /// Gives a room a nameplate, for its owner.
    async fn open_plate(
        &mut self,
        now: Now,
        session: SessionId,
        room: RoomId,
        valid_ms: u64,
    ) -> Result<Result<Plate, Denied>, BusError>;

    /// Takes a nameplate down, for its room's owner.
    async fn burn_plate(&mut self, session: SessionId, plate: Nameplate) -> Result<Result<(), Denied>, BusError>;

    /// Begins a try and tells the plate's owner. A try that was answered fails unless it is judged right; a plate burns
    /// after [`sidetone_wire::limits::PLATE_TRIES`] failures, and has no more tries undecided than it can still lose.
    async fn knock(&mut self, now: Now, session: SessionId, knock: Knock) -> Result<Result<(), Denied>, BusError>;

    /// Hands a message of a try to its other end.
    async fn say(&mut self, session: SessionId, said: Said) -> Result<Result<(), Denied>, BusError>;

    /// Ends a try, for the plate's owner, and tells the one who tried.
    async fn judge(&mut self, session: SessionId, judged: Judged) -> Result<Result<(), Denied>, BusError>;

    /// What follows from how a session and its address behaved today.
    async fn suspicion(&mut self, now: Now, session: SessionId, from: Tag) -> Result<Suspicion, BusError>;

    /// Puts a session into the line for strangers and matches it if somebody fits: never itself, never one it parted
    /// from within [`sidetone_wire::limits::APART_MS`] or blocked today, only sessions whose socket is there. The same
    /// ticket again changes nothing; another one is a new search. A match takes both out of the line in one step.
    async fn seek(&mut self, now: Now, session: SessionId, seeking: Seeking) -> Result<Result<(), Denied>, BusError>;

    /// Takes a search out of the line.
    async fn unseek(&mut self, session: SessionId, ticket: Ticket) -> Result<(), BusError>;

    /// One of a match wants it. Once both do it begins and both are told; if one does not within
    /// [`sidetone_wire::limits::ACCEPT_MS`], the other keeps its place in the line.
    async fn consent(&mut self, now: Now, session: SessionId, id: MatchId) -> Result<Result<(), Denied>, BusError>;

    /// Leaves a match and tells the other one, who keeps its place in the line if the match did not begin.
    async fn part(
        &mut self,
        now: Now,
        session: SessionId,
        id: MatchId,
        how: Leave,
    ) -> Result<Result<(), Denied>, BusError>;

    /// Numbers and logs an envelope for the other one of a match that began.
    async fn hand_stranger(
        &mut self,
        session: SessionId,
        envelope: StrangerEnvelope,
    ) -> Result<Result<(), Denied>, BusError>;

    /// What one of a match that began is called at a relay.
    async fn stranger(&mut self, session: SessionId, id: MatchId) -> Result<Result<RelayName, Denied>, BusError>;

    /// One who parted wants the other one back; if both say so in time, they are matched anew and it begins.
    async fn again(&mut self, now: Now, session: SessionId, id: MatchId) -> Result<Result<(), Denied>, BusError>;

    /// A complaint about the other one of a match, by the token that came with it. Each match counts once for each
    /// side, and an address that complains about another is heard once a day. If anything that it shows was not signed by the
    /// other one in this match, all of it is forged.
    async fn report(
        &mut self,
        now: Now,
        token: &[u8],
        reason: Reason,
        shown: &[Shown],
    ) -> Result<Result<(), Denied>, BusError>;

    /// How many wait for a stranger or are with one.
    async fn active(&mut self) -> Result<u64, BusError>;

    /// Counts of strangers.
    async fn radar(&mut self, now: Now) -> Result<Radar, BusError>;

    /// Takes a token from a bucket; if it is empty, the milliseconds until there is one.
    async fn spend(&mut self, now: Now, tag: Tag, rate: Rate) -> Result<Result<(), u64>, BusError>;

    /// The key under which today's addresses are counted. Yesterday's is forgotten.
    async fn day_key(&mut self, now: Now) -> Result<[u8; 32], BusError>;

    /// Ends what is too old and says which sessions that were.
    async fn expire(&mut self, now: Now) -> Result<Vec<Lapsed>, BusError>;

    /// What happened to sessions held here since the last call, without waiting.
    fn woken(&mut self) -> Vec<Woken>;
}
