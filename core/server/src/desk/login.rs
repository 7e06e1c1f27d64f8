//! Registration, login, logout. OPAQUE (RFC 9807): the server never learns a password.

use opaque_ke::{
    CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration,
};
use sidetone_wire::account::{
    Code, LoginFinish, OpaqueReply, OpaqueStart, Person, Refusal, RegisterFinish, Relation, Reply, SignedIn,
};
use sidetone_wire::frame::Event;
use sidetone_wire::id::{Secret, SessionId, UserId};

use super::requests::done;
use super::{Bus, Desk, Now, Party, SocketId, Store, refusal, refuse};
use crate::email::Email;
use crate::keys::{self, Suite};
use crate::name::Username;
use crate::store::{Enrolled, NewAccount};

/// What the server calls itself in OPAQUE.
const SERVER: &[u8] = b"sidetone";
/// How long a ticket is good.
const TICKET_MS: u64 = 60_000;

/// The first half of a registration or login; a session has one at most.
pub(super) struct Ticket {
    id: [u8; 16],
    at_ms: u64,
    name: Username,
    half: Half,
}

enum Half {
    Register,
    Login { user: Option<UserId>, state: Box<ServerLogin<Suite>> },
}

impl Ticket {
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        self.at_ms + TICKET_MS > now.ticks_ms
    }

    fn is(&self, now: Now, id: &[u8]) -> bool {
        self.is_fresh(now) && self.id == id
    }
}

fn parameters(name: &Username) -> ServerLoginParameters<'_, '_> {
    let identifiers = Identifiers { client: Some(name.as_str().as_bytes()), server: Some(SERVER) };
    ServerLoginParameters { context: None, identifiers }
}

fn malformed<E>(_: E) -> Refusal {
    refusal(Code::Malformed, 0)
}

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn register_start(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        start: OpaqueStart,
    ) -> Result<Reply, Refusal> {
        let Some(name) = Username::parse(&start.name) else { return refuse(Code::NameInvalid) };
        let request = RegistrationRequest::deserialize(&start.message).map_err(malformed)?;
        self.spend_at(now, socket, "register", self.config.limits.registrations).await?;
        if self.store.is_taken(name.as_str(), name.skeleton(), &self.keys.tombstone(&name)).await? {
            return refuse(Code::NameTaken);
        }
        let answer = ServerRegistration::<Suite>::start(&self.keys.opaque, request, name.as_str().as_bytes())
            .map_err(malformed)?;
        Ok(self.ticket(now, session, name, Half::Register, &answer.message.serialize()))
    }

    pub(super) async fn register_finish(
        &mut self,
        now: Now,
        session: SessionId,
        finish: RegisterFinish,
    ) -> Result<Reply, Refusal> {
        let fits = |ticket: &&Ticket| ticket.is(now, &finish.ticket) && matches!(ticket.half, Half::Register);
        let Some(ticket) = self.tickets.get(&session).filter(fits) else { return refuse(Code::Expired) };
        let name = ticket.name.clone();
        let Some(email) = Email::parse(&finish.email) else { return refuse(Code::EmailInvalid) };
        let upload = RegistrationUpload::<Suite>::deserialize(&finish.record).map_err(malformed)?;
        let (user, token) = (UserId(self.draws.bytes()), Secret(self.draws.bytes()));
        let account = NewAccount {
            user,
            name: name.as_str().to_owned(),
            skeleton: name.skeleton().to_owned(),
            tombstone: self.keys.tombstone(&name),
            record: ServerRegistration::finish(upload).serialize().to_vec(),
            identity: finish.identity,
            email: self.keys.seal_email(&email, &mut self.draws),
            email_mac: self.keys.email_mac(&email),
            device: finish.device,
            token: keys::token_hash(token.as_bytes()),
            day: now.day(),
        };
        match self.store.enroll(account).await? {
            Enrolled::Done => {}
            Enrolled::NameTaken => return refuse(Code::NameTaken),
            Enrolled::EmailTaken => return refuse(Code::EmailTaken),
        }
        self.tickets.remove(&session);
        self.bus.sign_in(session, Party { user, device: finish.device }).await?;
        self.figures.registered += 1;
        Ok(Reply::SignedIn(SignedIn { user, name: name.as_str().to_owned(), token }))
    }

    pub(super) async fn login_start(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        start: OpaqueStart,
    ) -> Result<Reply, Refusal> {
        let Some(name) = Username::parse(&start.name) else { return refuse(Code::NameInvalid) };
        let request = CredentialRequest::deserialize(&start.message).map_err(malformed)?;
        self.spend_at(now, socket, "login", self.config.limits.logins).await?;
        let account = self.store.account(name.as_str()).await?;
        let user = account.as_ref().map(|account| account.user);
        // A name nobody has is answered with a record made up from the server's secrets, which nothing opens.
        let record = account.and_then(|account| ServerRegistration::<Suite>::deserialize(&account.record).ok());
        let id = name.as_str().as_bytes();
        let started = ServerLogin::start(&mut self.draws, &self.keys.opaque, record, request, id, parameters(&name))
            .map_err(malformed)?;
        let half = Half::Login { user, state: Box::new(started.state) };
        Ok(self.ticket(now, session, name, half, &started.message.serialize()))
    }

    pub(super) async fn login_finish(
        &mut self,
        now: Now,
        session: SessionId,
        finish: LoginFinish,
    ) -> Result<Reply, Refusal> {
        let ticket = self.tickets.remove(&session).filter(|ticket| ticket.is(now, &finish.ticket));
        let Some(Ticket { name, half: Half::Login { user, state }, .. }) = ticket else {
            return refuse(Code::Expired);
        };
        let message = CredentialFinalization::deserialize(&finish.message).map_err(malformed)?;
        let proven = state.finish(message, parameters(&name)).is_ok();
        let (true, Some(user)) = (proven, user) else { return refuse(Code::WrongLogin) };
        let token = Secret(self.draws.bytes());
        let hash = keys::token_hash(token.as_bytes());
        let signed_in = self.store.sign_in(user, finish.device, finish.identity, hash, now.day()).await?;
        let party = Party { user, device: finish.device };
        self.revoke(user, Some(party), Code::Replaced).await?;
        self.bus.sign_in(session, party).await?;
        self.figures.logins += 1;
        if signed_in.identity_changed {
            let name = name.as_str().to_owned();
            let (identity, relation) = (finish.identity, Relation::Friend);
            let news = Event::Person(Person { user, name, identity, relation, online: true });
            for friend in self.store.friends(user).await? {
                self.tell(friend, &news).await?;
            }
        }
        self.came(user).await?;
        Ok(Reply::SignedIn(SignedIn { user, name: name.as_str().to_owned(), token }))
    }

    pub(super) async fn logout(&mut self, session: SessionId, party: Party) -> Result<Reply, Refusal> {
        self.store.sign_out(party.user, party.device).await?;
        self.bus.sign_out(session).await?;
        self.exports.remove(&session);
        self.went(Some(party)).await;
        Ok(done())
    }

    /// Takes the account from every session of it, but for those of `but`, and tells them why.
    pub(super) async fn revoke(&mut self, user: UserId, but: Option<Party>, why: Code) -> Result<(), Refusal> {
        for (session, party) in self.bus.sessions(user).await? {
            if Some(party) != but {
                self.tell_session(session, &Event::Revoked(refusal(why, 0))).await?;
                self.bus.sign_out(session).await?;
                self.exports.remove(&session);
            }
        }
        Ok(())
    }

    fn ticket(&mut self, now: Now, session: SessionId, name: Username, half: Half, message: &[u8]) -> Reply {
        let id: [u8; 16] = self.draws.bytes();
        let reply = OpaqueReply {
            ticket: id.to_vec().into(),
            message: message.to_vec().into(),
            name: name.as_str().to_owned(),
        };
        self.tickets.insert(session, Ticket { id, at_ms: now.ticks_ms, name, half });
        Reply::Opaque(reply)
    }
}
