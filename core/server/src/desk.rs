//! The desk: everything the server decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sidetone_wire::account::{Code, Refusal};
use sidetone_wire::id::SessionId;
use sidetone_wire::limits::{HELLO_MS, IDLE_MS, REQUEST_BURST, REQUESTS_PER_S, ROUTE_BURST, ROUTES_PER_S};
use zeroize::Zeroizing;

use crate::Now;
use crate::bus::{Bus, BusError, Epoch, Party, Rate, Tag, Woken};
use crate::keys::{Draws, Keys};
use crate::push::Wake;
use crate::store::{Store, StoreError};
use crate::turn::RelayTag;

mod figures;
mod login;
mod outbox;
mod papers;
mod people;
mod plates;
mod push;
mod requests;
mod rooms;
mod socket;
mod strangers;

pub use figures::{Figures, Routed};
pub use outbox::Outgoing;

use outbox::Outbox;

/// A socket, as the desk and its driver call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// How a socket went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It broke or went silent: its session can be resumed.
    Dropped,
    /// The phone said that it leaves (websocket status 1000): its session ends and friends hear at once.
    Goodbye,
}

/// How often what may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sockets of one address.
    pub connects: Rate,
    /// Begun registrations of one address.
    pub registrations: Rate,
    /// Begun logins of one address.
    pub logins: Rate,
    /// Requests of one session, but for what it wants carried.
    pub requests: Rate,
    /// Envelopes of one session.
    pub routes: Rate,
    /// Rooms opened from one address.
    pub rooms: Rate,
    /// Rooms entered from one address.
    pub entries: Rate,
    /// Tries at spoken codes from one address.
    pub knocks: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connects: Rate { burst: 60, every_ms: 1_000 },
            registrations: Rate { burst: 10, every_ms: 60_000 },
            logins: Rate { burst: 20, every_ms: 10_000 },
            requests: Rate { burst: REQUEST_BURST, every_ms: 1_000 / u64::from(REQUESTS_PER_S) },
            routes: Rate { burst: ROUTE_BURST, every_ms: 1_000 / u64::from(ROUTES_PER_S) },
            rooms: Rate { burst: 30, every_ms: 10_000 },
            entries: Rate { burst: 60, every_ms: 2_000 },
            knocks: Rate { burst: 10, every_ms: 60_000 },
        }
    }
}

/// What a phone is told about STUN and TURN.
#[derive(Clone)]
pub struct RelayTerms {
    /// `stun:` and `turn:` URIs.
    pub urls: Vec<String>,
    /// Shared with the relay: credentials are `HMAC-SHA1(secret, username)` as in coturn's REST API.
    pub secret: Zeroizing<Vec<u8>>,
}

/// What an operator decides.
#[derive(Clone, Default)]
pub struct DeskConfig {
    /// How often what may be done.
    pub limits: Limits,
    /// Where the relay is; without it phones get no relay.
    pub relays: Option<RelayTerms>,
    /// Whether strangers have to say that they are adults.
    pub adults_only: bool,
    /// By what push services know this server; without it phones that sleep stay asleep.
    pub push_key: Option<Vec<u8>>,
}

/// Why there is no desk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// The store does not answer, or holds secrets that are none.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The server without its sockets. Frames come in through [`Desk::receive`] and go out through [`Desk::take`].
///
/// With a local bus and store every future is ready at once. One seed and one sequence of calls give one sequence of
/// bytes. Dropping the desk is a crash: sessions are lost, the store keeps what was answered.
pub struct Desk<B, S> {
    config: DeskConfig,
    bus: B,
    store: S,
    keys: Keys,
    draws: Draws,
    sockets: BTreeMap<SocketId, Conn>,
    seats: BTreeMap<(SessionId, Epoch), SocketId>,
    ready: BTreeSet<SocketId>,
    tickets: BTreeMap<SessionId, login::Ticket>,
    exports: BTreeMap<SessionId, papers::Export>,
    revoked: Vec<RelayTag>,
    wakes: Vec<Wake>,
    figures: Figures,
    next_socket: u64,
    swept_day: u32,
    draining: bool,
}

/// What is known about one socket.
struct Conn {
    from: Tag,
    heard_ms: u64,
    seat: Option<Seat>,
    out: Outbox,
}

/// The session that a socket holds.
#[derive(Clone, Copy)]
struct Seat {
    session: SessionId,
    epoch: Epoch,
    /// The last event put into the outbox.
    sent: u64,
    /// Whether events from before this socket still wait in the log.
    behind: bool,
}

impl<B: Bus, S: Store> Desk<B, S> {
    /// Opens the desk over a bus and a store; the first time, the server's secrets are drawn from the seed.
    ///
    /// # Errors
    ///
    /// [`DeskError::Store`].
    pub async fn open(config: DeskConfig, bus: B, mut store: S, seed: [u8; 32]) -> Result<Self, DeskError> {
        let mut draws = Draws::new(seed);
        let keys = Keys::load(&mut store, &mut draws).await?;
        Ok(Self {
            config,
            bus,
            store,
            keys,
            draws,
            sockets: BTreeMap::new(),
            seats: BTreeMap::new(),
            ready: BTreeSet::new(),
            tickets: BTreeMap::new(),
            exports: BTreeMap::new(),
            revoked: Vec::new(),
            wakes: Vec::new(),
            figures: Figures::default(),
            next_socket: 0,
            swept_day: 0,
            draining: false,
        })
    }

    /// A socket was accepted. The address is counted under today's key and forgotten.
    pub async fn connect(&mut self, now: Now, from: IpAddr) -> SocketId {
        self.next_socket += 1;
        let id = SocketId(self.next_socket);
        self.figures.sockets += 1;
        let tag = self.address_tag(now, from).await;
        let from = *tag.as_ref().unwrap_or(&Tag::default());
        self.sockets.insert(id, Conn { from, heard_ms: now.ticks_ms, seat: None, out: Outbox::default() });
        let allowed = match tag {
            _ if self.draining => Err(refusal(Code::Draining, DRAIN_RETRY_MS)),
            Ok(tag) => self.spend(now, tag, self.config.limits.connects).await,
            Err(error) => Err(error.into()),
        };
        if let Err(why) = allowed {
            self.go_away(now, id, why).await;
        }
        id
    }

    /// A websocket message came. Whatever the bytes, the worst that follows is a [`sidetone_wire::frame::Frame::Goaway`] for this socket.
    pub async fn receive(&mut self, now: Now, socket: SocketId, bytes: &[u8]) {
        let Some(conn) = self.sockets.get_mut(&socket).filter(|conn| !conn.out.is_closing()) else { return };
        conn.heard_ms = now.ticks_ms;
        self.figures.frames_in += 1;
        self.figures.bytes_in += bytes.len() as u64;
        if let Err(why) = self.frame(now, socket, bytes).await {
            self.go_away(now, socket, why).await;
        }
        self.pump(now).await;
    }

    /// The sockets that have something to take since the last call.
    pub fn ready(&mut self) -> Vec<SocketId> {
        std::mem::take(&mut self.ready).into_iter().collect()
    }

    /// What a socket has to send now. Ask again once it is sent: what is not taken counts against the socket's limit.
    /// After a `close` the socket is forgotten.
    pub async fn take(&mut self, now: Now, socket: SocketId) -> Outgoing {
        let Some(conn) = self.sockets.get_mut(&socket) else { return Outgoing { frames: Vec::new(), close: true } };
        let outgoing = conn.out.take();
        let behind = conn.seat.is_some_and(|seat| seat.behind);
        self.figures.frames_out += outgoing.frames.len() as u64;
        self.figures.bytes_out += outgoing.frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        if outgoing.close {
            self.sockets.remove(&socket);
            self.figures.sockets -= 1;
        } else if behind {
            self.fill(now, socket).await;
            self.pump(now).await;
        }
        outgoing
    }

    /// A socket is gone.
    pub async fn closed(&mut self, now: Now, socket: SocketId, how: Leaving) {
        let Some(conn) = self.sockets.remove(&socket) else { return };
        self.figures.sockets -= 1;
        self.ready.remove(&socket);
        self.leave(now, conn.seat, how).await;
        self.pump(now).await;
    }

    /// Time passed. Call it at least once a second.
    pub async fn tick(&mut self, now: Now) {
        let late = |conn: &Conn| {
            let patience_ms = if conn.seat.is_some() { IDLE_MS } else { HELLO_MS };
            !conn.out.is_closing() && conn.heard_ms + patience_ms <= now.ticks_ms
        };
        let silent: Vec<_> = self.sockets.iter().filter(|(_, conn)| late(conn)).map(|(id, _)| *id).collect();
        for socket in silent {
            self.go_away(now, socket, refusal(Code::Idle, 0)).await;
        }
        self.tickets.retain(|_, ticket| ticket.is_fresh(now));
        self.exports.retain(|_, export| export.is_fresh(now));
        let lapsed = self.bus.expire(now).await.unwrap_or_default();
        for session in lapsed {
            self.tickets.remove(&session.session);
            self.went(session.party).await;
        }
        if self.swept_day != now.day() && self.store.sweep(now.day()).await.is_ok() {
            self.swept_day = now.day();
        }
        self.pump(now).await;
    }

    /// Says goodbye to every socket and refuses new ones. Sessions stay resumable as long as the process lives.
    pub async fn drain(&mut self, now: Now) {
        self.draining = true;
        let all: Vec<_> = self.sockets.keys().copied().collect();
        for socket in all {
            self.go_away(now, socket, refusal(Code::Draining, DRAIN_RETRY_MS)).await;
        }
    }

    /// What was counted since the desk was opened.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// Ends the desk and gives its store back.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The store, to look at.
    pub fn store(&mut self) -> &mut S {
        &mut self.store
    }
}

/// When a phone comes back to a server that is being replaced.
const DRAIN_RETRY_MS: u64 = 1_000;

fn refusal(code: Code, retry_ms: u64) -> Refusal {
    Refusal { code, retry_ms }
}

fn refuse<T>(code: Code) -> Result<T, Refusal> {
    Err(refusal(code, 0))
}

/// When it makes sense to repeat a request that failed through no fault of the phone.
const FAILED_RETRY_MS: u64 = 1_000;

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(reason = %error, "the store failed");
        refusal(Code::Internal, FAILED_RETRY_MS)
    }
}

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        tracing::error!(reason = %error, "the bus failed");
        refusal(Code::Internal, FAILED_RETRY_MS)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_limit_of_requests_is_the_one_of_the_protocol() {
        let super::Limits { requests, routes, .. } = super::Limits::default();
        assert_eq!(1_000 / requests.every_ms, u64::from(sidetone_wire::limits::REQUESTS_PER_S));
        assert_eq!(1_000 / routes.every_ms, u64::from(sidetone_wire::limits::ROUTES_PER_S));
    }
}
