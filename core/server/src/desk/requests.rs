//! Requests: each is done once and answered as often as it is asked.

use sidetone_wire::account::{Code, Empty, Refusal, Reply, Request};
use sidetone_wire::envelope::{Class, Envelope, is_padded};
use sidetone_wire::frame::{Delivered, Event, Frame, Granted, Numbered, Refused};
use sidetone_wire::id::{RequestId, SessionId, UserId};
use sidetone_wire::limits::{ENVELOPE_BYTES, RING_MS};

use super::{Bus, Desk, Now, Party, SocketId, Store, refusal, refuse, rooms, strangers};
use crate::bus::Delivery;
use crate::keys;

/// What is granted without anything to tell.
pub(super) fn done() -> Reply {
    Reply::Done(Empty::default())
}

/// Requests that change nothing, or nothing the second time, are done again when they are repeated: their long answers
/// are not kept, and of a room that is over nothing is.
fn only_reads(request: &Request) -> bool {
    matches!(
        request,
        Request::Roster(_)
            | Request::Relays(_)
            | Request::Export(_)
            | Request::OpenRoom(_)
            | Request::EnterRoom(_)
            | Request::RoomRelays(_)
            | Request::Seek(_)
            | Request::StrangerRelays(_)
            | Request::Lobby(_)
            | Request::Rooms(_)
    )
}

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn request(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        Numbered { id, request }: Numbered,
    ) -> Result<(), Refusal> {
        if let Some(answer) = self.bus.recall(now, session, id).await? {
            return self.send_bytes(socket, answer);
        }
        if let Err(why) = self.spend_on(now, session, &request).await {
            return self.refused(socket, id, why);
        }
        let reads = only_reads(&request);
        let answer = self.answer(now, socket, session, request).await;
        let undecided = matches!(answer, Err(Refusal { code: Code::Internal | Code::TooMany, .. }));
        let frame = match answer {
            Ok(reply) => Frame::Reply(Granted { id, reply }),
            Err(why) => {
                self.figures.refused += 1;
                Frame::Refused(Refused { id, refusal: why })
            }
        };
        let bytes = frame.to_bytes().map_err(|_| refusal(Code::Internal, 0))?;
        if !reads && !undecided {
            self.bus.remember(now, session, id, &bytes).await?;
        }
        self.send_bytes(socket, bytes)
    }

    /// Takes a token of a session for a request. Envelopes have tokens of their own: who meets a room of people at once
    /// sends many, and none of them is work for more than the two ends.
    async fn spend_on(&mut self, now: Now, session: SessionId, request: &Request) -> Result<(), Refusal> {
        if !request.is_route() {
            return self.spend(now, session.0, self.config.limits.requests).await;
        }
        let key = self.bus.day_key(now).await?;
        self.spend(now, keys::tag(&key, "routes", &session.0), self.config.limits.routes).await
    }

    pub(super) fn refused(&mut self, socket: SocketId, id: RequestId, why: Refusal) -> Result<(), Refusal> {
        self.figures.refused += 1;
        self.send(socket, &Frame::Refused(Refused { id, refusal: why }))
    }

    async fn answer(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        request: Request,
    ) -> Result<Reply, Refusal> {
        tracing::trace!(kind = request.kind(), "a request");
        let party = self.bus.party(session).await?;
        match (request, party) {
            (Request::RegisterStart(start), None) => self.register_start(now, socket, session, start).await,
            (Request::RegisterFinish(finish), None) => self.register_finish(now, session, finish).await,
            (Request::LoginStart(start), None) => self.login_start(now, socket, session, start).await,
            (Request::LoginFinish(finish), None) => self.login_finish(now, session, finish).await,
            (
                Request::RegisterStart(_)
                | Request::RegisterFinish(_)
                | Request::LoginStart(_)
                | Request::LoginFinish(_),
                Some(_),
            ) => refuse(Code::Already),
            (request, party) if rooms::is_for_everybody(&request) => {
                self.answer_in_rooms(now, socket, session, party, request).await
            }
            (request, _) if strangers::is_for_everybody(&request) => {
                self.answer_to_stranger(now, socket, session, request).await
            }
            (_, None) => refuse(Code::Unauthorised),
            (request, Some(party)) => self.answer_to(now, session, party, request).await,
        }
    }

    async fn answer_to(
        &mut self,
        now: Now,
        session: SessionId,
        party: Party,
        request: Request,
    ) -> Result<Reply, Refusal> {
        let us = party.user;
        match request {
            Request::Logout(_) => self.logout(session, party).await,
            Request::Roster(page) => self.roster(us, page).await,
            Request::Befriend(name) => self.befriend(us, name).await,
            Request::Accept(other) => self.accept(us, other.user).await,
            Request::Decline(other) => self.decline(us, other.user).await,
            Request::Unfriend(other) => self.unfriend(us, other.user).await,
            Request::Block(other) => self.block(us, other.user).await,
            Request::Unblock(other) => self.unblock(us, other.user).await,
            Request::Route(envelope) => self.route(now, us, envelope).await,
            Request::Relays(_) => self.relays(now, us).await,
            Request::Export(page) => self.export(now, session, us, page).await,
            Request::Delete(_) => self.delete(now, session, us).await,
            Request::RegisterStart(_)
            | Request::RegisterFinish(_)
            | Request::LoginStart(_)
            | Request::LoginFinish(_) => refuse(Code::Already),
            Request::Rooms(page) => self.rooms(us, page).await,
            Request::SetPush(push) => self.set_push(party, push).await,
            Request::PushKey(_) => self.push_key(),
            _ => refuse(Code::UnknownKind),
        }
    }

    async fn route(&mut self, now: Now, from: UserId, envelope: Envelope) -> Result<Reply, Refusal> {
        let Envelope { to, class, bytes } = envelope;
        if bytes.len() > ENVELOPE_BYTES {
            return refuse(Code::TooLarge);
        }
        if !is_padded(&bytes) {
            return refuse(Code::Malformed);
        }
        if !self.store.edge(from, to).await?.is_friendship() {
            return refuse(Code::NotFriends);
        }
        let len = bytes.len();
        match self.tell(to, &Event::Sealed(Delivered { from, class, bytes })).await? {
            Delivery::Logged => {
                self.figures.routed(class, len);
                Ok(done())
            }
            // Who is called is worth waking; what else is said can wait until the phone comes by itself.
            Delivery::Waiting => {
                self.figures.routed(class, len);
                if class == Class::Ring {
                    self.rouse(now, to).await?;
                }
                Ok(done())
            }
            Delivery::Offline if class == Class::Ring && self.rouse(now, to).await? => {
                Err(refusal(Code::Offline, RING_MS))
            }
            Delivery::Offline => refuse(Code::Offline),
        }
    }
}
