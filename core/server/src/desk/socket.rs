//! Sockets: the first frame, resuming, events on their way out, the end.

use std::net::IpAddr;

use sidetone_wire::account::{Code, Empty, Refusal};
use sidetone_wire::frame::{Event, Frame, Hello, Presence, Welcome};
use sidetone_wire::id::{RequestId, Secret, SessionId, UserId};
use sidetone_wire::limits::FRAME_BYTES;
use sidetone_wire::{DecodeError, VERSION, decode, encode};

use super::outbox::{TOLD_BYTES, told};
use super::{Bus, Conn, Desk, Leaving, Now, Party, Rate, Seat, SocketId, Store, Tag, Woken, refusal, refuse};
use crate::bus::BusError;
use crate::keys;

/// The part of a request that can be read although its kind or its fields cannot.
#[derive(serde_indexed::DeserializeIndexed)]
struct OnlyId {
    #[serde(index = 0)]
    id: RequestId,
}

const REQUEST: u16 = 3;

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn frame(&mut self, now: Now, socket: SocketId, bytes: &[u8]) -> Result<(), Refusal> {
        let seat = self.sockets.get(&socket).and_then(|conn| conn.seat);
        match (Frame::from_bytes(bytes), seat) {
            (Ok(Frame::Hello(hello)), None) => self.hello(now, socket, hello).await,
            (Ok(Frame::Request(asked)), Some(seat)) => self.request(now, socket, seat.session, asked).await,
            (Ok(Frame::Ack(acked)), Some(seat)) => Ok(self.bus.ack(seat.session, seat.epoch, acked.seq).await?),
            (Ok(Frame::Ping(_)), Some(_)) => self.send(socket, &Frame::Pong(Empty::default())),
            (Ok(Frame::Pong(_)), Some(_)) => Ok(()),
            (Ok(_), _) => refuse(Code::Malformed),
            (Err(error), seat) => self.unreadable(socket, bytes, error, seat),
        }
    }

    /// A request of a kind or with fields that this version does not read is refused by its number; everything else that
    /// cannot be read ends the socket.
    fn unreadable(
        &mut self,
        socket: SocketId,
        bytes: &[u8],
        error: DecodeError,
        seat: Option<Seat>,
    ) -> Result<(), Refusal> {
        let code = match error {
            DecodeError::TooLong { .. } => return refuse(Code::TooLarge),
            DecodeError::UnknownKind(_) => Code::UnknownKind,
            DecodeError::Malformed(_) => Code::Malformed,
        };
        match decode::<(u16, OnlyId)>(bytes, FRAME_BYTES) {
            Ok((REQUEST, OnlyId { id })) if seat.is_some() => self.refused(socket, id, refusal(code, 0)),
            _ => refuse(code),
        }
    }

    async fn hello(&mut self, now: Now, socket: SocketId, hello: Hello) -> Result<(), Refusal> {
        if hello.oldest > VERSION || hello.newest < VERSION {
            return refuse(Code::Version);
        }
        let mut account = None;
        if let Some(token) = &hello.token {
            let known = self.store.token(keys::token_hash(token.as_bytes()), now.day()).await?;
            let Some((user, device)) = known else { return refuse(Code::Unauthorised) };
            account = Some(Party { user, device });
        }
        if let Some(resume) = hello.resume {
            let party = self.bus.party(resume.session).await?;
            if (account.is_none() || account == party)
                && let Some(attached) = self.bus.attach(now, resume.session, &resume.secret, resume.last).await?
            {
                let (session, epoch) = (resume.session, attached.epoch);
                self.seat(socket, Seat { session, epoch, sent: resume.last.0, behind: true });
                self.figures.resumed += 1;
                self.welcome(socket, session, resume.secret, true, attached.party)?;
                self.fill(now, socket).await;
                return Ok(());
            }
        }
        let (session, secret) = (SessionId(self.draws.bytes()), Secret(self.draws.bytes()));
        let epoch = self.bus.open(now, session, secret.clone()).await?;
        self.seat(socket, Seat { session, epoch, sent: 0, behind: false });
        if let Some(party) = account {
            self.bus.sign_in(session, party).await?;
        }
        self.welcome(socket, session, secret, false, account)?;
        if let Some(party) = account {
            self.came(party.user).await?;
        }
        Ok(())
    }

    fn welcome(
        &mut self,
        socket: SocketId,
        session: SessionId,
        secret: Secret,
        resumed: bool,
        party: Option<Party>,
    ) -> Result<(), Refusal> {
        let user = party.map(|party| party.user);
        self.send(socket, &Frame::Welcome(Welcome { version: VERSION, session, secret, resumed, user }))
    }

    fn seat(&mut self, socket: SocketId, seat: Seat) {
        if let Some(conn) = self.sockets.get_mut(&socket) {
            conn.seat = Some(seat);
            self.seats.insert((seat.session, seat.epoch), socket);
        }
    }

    /// Puts a frame into a socket's outbox.
    pub(super) fn send(&mut self, socket: SocketId, frame: &Frame) -> Result<(), Refusal> {
        let Some(conn) = self.sockets.get_mut(&socket) else { return Ok(()) };
        let bytes = frame.to_bytes().map_err(|_| refusal(Code::TooLarge, 0))?;
        self.ready.insert(socket);
        conn.out.push(bytes).map_err(|_| refusal(Code::Overflow, 0))
    }

    /// Puts bytes that are a frame into a socket's outbox.
    pub(super) fn send_bytes(&mut self, socket: SocketId, bytes: Vec<u8>) -> Result<(), Refusal> {
        let Some(conn) = self.sockets.get_mut(&socket) else { return Ok(()) };
        self.ready.insert(socket);
        conn.out.push(bytes).map_err(|_| refusal(Code::Overflow, 0))
    }

    /// Tells a socket why it is closed. Its session can be resumed.
    pub(super) async fn go_away(&mut self, now: Now, socket: SocketId, why: Refusal) {
        let Some(conn) = self.sockets.get_mut(&socket).filter(|conn| !conn.out.is_closing()) else { return };
        tracing::debug!(code = ?why.code, "a socket is sent away");
        conn.out.close(Frame::Goaway(why).to_bytes().unwrap_or_default());
        let seat = conn.seat.take();
        self.ready.insert(socket);
        self.figures.sent_away += 1;
        self.leave(now, seat, Leaving::Dropped).await;
    }

    pub(super) async fn leave(&mut self, now: Now, seat: Option<Seat>, how: Leaving) {
        let Some(Seat { session, epoch, .. }) = seat else { return };
        self.seats.remove(&(session, epoch));
        match how {
            Leaving::Dropped => {
                // The bus ends what it does not hear of; there is nothing else to do about its failure.
                let _ = self.bus.detach(now, session, epoch).await;
            }
            Leaving::Goodbye => {
                let party = self.bus.end(session, epoch).await.ok().flatten();
                self.tickets.remove(&session);
                self.went(party).await;
            }
        }
    }

    /// Carries out what the bus woke us for, until nothing is left.
    pub(super) async fn pump(&mut self, now: Now) {
        loop {
            let woken = self.bus.woken();
            if woken.is_empty() {
                return;
            }
            for news in woken {
                self.wake(now, news).await;
            }
        }
    }

    async fn wake(&mut self, now: Now, news: Woken) {
        match news {
            Woken::News(session, epoch) => {
                if let Some(socket) = self.seats.get(&(session, epoch)).copied() {
                    self.fill(now, socket).await;
                }
            }
            Woken::Taken(session, epoch) => {
                if let Some(socket) = self.seats.get(&(session, epoch)).copied() {
                    self.go_away(now, socket, refusal(Code::Replaced, 0)).await;
                }
            }
            Woken::Lost(session, epoch, party) => {
                if let Some(socket) = self.seats.get(&(session, epoch)).copied() {
                    self.go_away(now, socket, refusal(Code::Overflow, 0)).await;
                }
                self.tickets.remove(&session);
                self.went(party).await;
            }
        }
    }

    /// Moves events from the log to the socket, as many as it has room for. A socket that does not even take what is
    /// new is closed; one that still catches up takes the rest later.
    pub(super) async fn fill(&mut self, now: Now, socket: SocketId) {
        let Some(conn) = self.sockets.get(&socket) else { return };
        let (Some(seat), room) = (conn.seat, conn.out.room()) else { return };
        let after = sidetone_wire::id::Seq(seat.sent);
        let replay = self.bus.replay(seat.session, seat.epoch, after, room).await.unwrap_or_default();
        let Some(Conn { seat: Some(seat), out, .. }) = self.sockets.get_mut(&socket) else { return };
        let mut stuck = replay.more;
        for (seq, event) in replay.events {
            if event.len() + TOLD_BYTES > out.room() {
                stuck = true;
                break;
            }
            let _ = out.push(told(seq, &event));
            seat.sent = seq.0;
            self.ready.insert(socket);
        }
        let overflows = stuck && !seat.behind;
        seat.behind = stuck;
        if overflows {
            self.go_away(now, socket, refusal(Code::Overflow, 0)).await;
        }
    }

    /// Numbers an event for a person and hands it to the bus.
    pub(super) async fn tell(&mut self, to: UserId, event: &Event) -> Result<crate::bus::Delivery, Refusal> {
        let bytes = encode(event, FRAME_BYTES - TOLD_BYTES).map_err(|_| refusal(Code::TooLarge, 0))?;
        Ok(self.bus.deliver(to, &bytes).await?)
    }

    /// Tells friends that an account has a new session.
    pub(super) async fn came(&mut self, user: UserId) -> Result<(), Refusal> {
        self.presence(user, true).await
    }

    /// Tells friends that an account's last session ended.
    pub(super) async fn went(&mut self, party: Option<Party>) {
        let Some(Party { user, .. }) = party else { return };
        if let Ok(online) = self.bus.online(&[user]).await
            && online == [false]
        {
            // Whoever is not told now reads it with the next roster.
            let _ = self.presence(user, false).await;
        }
    }

    async fn presence(&mut self, user: UserId, online: bool) -> Result<(), Refusal> {
        for friend in self.store.friends(user).await? {
            self.tell(friend, &Event::Presence(Presence { user, online })).await?;
        }
        Ok(())
    }

    /// What stands for an address: IPv6 hosts count by their /64, which one customer has to themselves.
    pub(super) async fn address_tag(&mut self, now: Now, from: IpAddr) -> Result<Tag, BusError> {
        let key = self.bus.day_key(now).await?;
        Ok(match from.to_canonical() {
            IpAddr::V4(v4) => keys::tag(&key, "address 4", &v4.octets()),
            IpAddr::V6(v6) => keys::tag(&key, "address 6", &v6.octets()[..8]),
        })
    }

    /// Takes a token or says when there is one.
    pub(super) async fn spend(&mut self, now: Now, tag: Tag, rate: Rate) -> Result<(), Refusal> {
        self.bus.spend(now, tag, rate).await?.map_err(|retry_ms| refusal(Code::TooMany, retry_ms))
    }
}
