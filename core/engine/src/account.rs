//! The account of this device: made, entered, left; its identity and its preferences.

use sidetone_crypto::identity::{Identity, PublicKey};
use sidetone_crypto::login::{Cost, Identifiers, Login, LoginError, Registration};
use sidetone_wire::account::{Code, Empty, LoginFinish, OpaqueReply, OpaqueStart, Page, RegisterFinish};
use sidetone_wire::account::{Reply, Request, SignedIn};
use sidetone_wire::id::{DeviceId, IdentityKey, Secret, UserId};

use crate::cx::{Cx, Fact, NoReply, Purpose, Who, Wish};
use crate::effect::{AccountEvent, Answer, CommandError, Effect, Event, Scope};
use crate::input::{Ask, Password};
use crate::row::{AccountRow, OURSELVES, Row};
use crate::view;

/// What both ends of OPAQUE call the server.
const SERVER_NAME: &[u8] = b"sidetone";
/// An export is refused past this: the server is lying.
const EXPORT_BYTES: usize = 64 << 20;

pub(crate) struct Account {
    cost: Cost,
    row: Option<AccountRow>,
    identity: Option<Identity>,
    entry: Option<Entry>,
    /// One that begins when what was sent last for the one before it is answered, and with what.
    next: Option<(Entry, Request)>,
    export: Vec<u8>,
}

/// A registration or login under way.
struct Entry {
    ask: Ask,
    email: Option<String>,
    stage: EntryStage,
    identity: Identity,
    device: DeviceId,
}

enum EntryStage {
    Registering(Registration),
    LoggingIn(Login),
    Finishing,
}

impl Account {
    pub fn new(cost: Cost) -> Self {
        Self { cost, row: None, identity: None, entry: None, next: None, export: Vec::new() }
    }

    pub fn restore(&mut self, row: AccountRow) {
        self.identity = Some(Identity::from_bytes(row.identity.as_bytes()));
        self.row = Some(row);
    }

    pub fn token(&self) -> Option<Secret> {
        self.row.as_ref().and_then(|row| row.token.clone())
    }

    pub fn user(&self) -> Option<UserId> {
        self.row.as_ref().map(|row| row.user)
    }

    /// Who we are, while the server takes us for that.
    pub fn ourselves(&self) -> Option<(UserId, &Identity)> {
        let row = self.row.as_ref().filter(|row| row.token.is_some())?;
        Some((row.user, self.identity.as_ref()?))
    }

    pub fn view(&self) -> Option<view::Account> {
        let (row, identity) = (self.row.as_ref()?, self.identity.as_ref()?);
        let (user, name, key) = (row.user, row.name.clone(), identity.public());
        Some(view::Account { user, name, key, valid: row.token.is_some() })
    }

    pub fn key(&self) -> Option<PublicKey> {
        self.identity.as_ref().map(Identity::public)
    }

    pub fn register(&mut self, ask: Ask, name: String, email: String, password: &Password, cx: &mut Cx<'_>) {
        if self.row.is_some() {
            return cx.answer(ask, Err(CommandError::SignedIn));
        }
        match Registration::start(password.0.as_bytes(), cx.roll()) {
            Ok((registration, message)) => {
                let request = Request::RegisterStart(OpaqueStart { name, message: message.into() });
                self.enter(ask, Some(email), EntryStage::Registering(registration), request, cx);
            }
            Err(_) => cx.answer(ask, Err(CommandError::WrongLogin)),
        }
    }

    pub fn sign_in(&mut self, ask: Ask, name: String, password: &Password, cx: &mut Cx<'_>) {
        if self.token().is_some() {
            return cx.answer(ask, Err(CommandError::SignedIn));
        }
        match Login::start(password.0.as_bytes(), cx.roll()) {
            Ok((login, message)) => {
                let request = Request::LoginStart(OpaqueStart { name, message: message.into() });
                self.enter(ask, None, EntryStage::LoggingIn(login), request, cx);
            }
            Err(_) => cx.answer(ask, Err(CommandError::WrongLogin)),
        }
    }

    /// Takes the place of an attempt under way, whoever made it may not wait for it any more. One whose last word the
    /// server may have accepted already is waited for.
    fn enter(&mut self, ask: Ask, email: Option<String>, stage: EntryStage, request: Request, cx: &mut Cx<'_>) {
        let (identity, device) = (Identity::from_seed(cx.roll()), DeviceId(cx.roll()));
        let entry = Entry { ask, email, stage, identity, device };
        let earlier = if self.entry.as_ref().is_some_and(|entry| matches!(entry.stage, EntryStage::Finishing)) {
            self.next.replace((entry, request)).map(|(entry, _)| entry)
        } else {
            cx.request(request, Purpose::Enter(ask));
            self.entry.replace(entry)
        };
        if let Some(earlier) = earlier {
            cx.answer(earlier.ask, Err(CommandError::Offline));
        }
    }

    /// The server answered a step of registration or login.
    pub fn entered(&mut self, ask: Ask, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        let Some(entry) = self.entry.take_if(|entry| entry.ask == ask) else { return };
        let next = match outcome {
            Ok(Reply::Opaque(reply)) => self.finish(entry, &reply, cx),
            Ok(Reply::SignedIn(signed_in)) => self.signed_in(entry, signed_in, cx),
            Ok(_) => Err(CommandError::Server),
            Err(reason) => Err(refused(reason)),
        };
        if let Err(error) = next {
            cx.answer(ask, Err(error));
            if let Some((entry, request)) = self.next.take() {
                cx.request(request, Purpose::Enter(entry.ask));
                self.entry = Some(entry);
            }
        }
    }

    fn finish(&mut self, mut entry: Entry, reply: &OpaqueReply, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let identifiers = Identifiers { name: reply.name.as_bytes(), server: SERVER_NAME };
        let ticket = reply.ticket.clone();
        self.keep_identity(&mut entry, &reply.name);
        let (identity, device) = (IdentityKey(*entry.identity.public().as_bytes()), entry.device);
        let request = match std::mem::replace(&mut entry.stage, EntryStage::Finishing) {
            EntryStage::Registering(registration) => {
                let upload = registration.finish(&reply.message, identifiers, cx.roll(), self.cost);
                let (record, email) = (upload.map_err(wrong)?.into(), entry.email.take().unwrap_or_default());
                Request::RegisterFinish(RegisterFinish { ticket, record, email, identity, device })
            }
            EntryStage::LoggingIn(login) => {
                let (message, _) = login.finish(&reply.message, identifiers, cx.roll(), self.cost).map_err(wrong)?;
                Request::LoginFinish(LoginFinish { ticket, message: message.into(), identity, device })
            }
            EntryStage::Finishing => return Err(CommandError::Server),
        };
        cx.request(request, Purpose::Enter(entry.ask));
        self.entry = Some(entry);
        Ok(())
    }

    /// Who comes back to the same account on the same device stays who they were.
    fn keep_identity(&self, entry: &mut Entry, name: &str) {
        if let Some(row) = self.row.as_ref().filter(|row| row.name == name) {
            entry.identity = Identity::from_bytes(row.identity.as_bytes());
            entry.device = row.device;
        }
    }

    fn signed_in(&mut self, entry: Entry, signed_in: SignedIn, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        if !matches!(entry.stage, EntryStage::Finishing) {
            return Err(CommandError::Server);
        }
        let who = match self.user().filter(|user| *user != signed_in.user) {
            Some(_) => Who::Another,
            None => Who::Same,
        };
        if who == Who::Another {
            cx.effect(Effect::Forget(Scope::All));
        }
        let earlier = self.row.take().filter(|row| row.user == signed_in.user);
        let row = AccountRow {
            device: entry.device,
            user: signed_in.user,
            name: signed_in.name,
            identity: Secret(*entry.identity.secret()),
            token: Some(signed_in.token),
            addresses: earlier.as_ref().map_or(0, |row| row.addresses),
            receipts: earlier.as_ref().map_or(0, |row| row.receipts),
            leaving: None,
        };
        cx.save(row.put(OURSELVES, 0));
        self.restore(row);
        cx.fact(Fact::Entered(who));
        cx.answer(entry.ask, Ok(Answer::Done));
        if let Some((late, _)) = self.next.take() {
            cx.answer(late.ask, Err(CommandError::SignedIn));
        }
        cx.tell(Event::Account(AccountEvent::SignedIn));
        Ok(())
    }

    /// Asks the server to end the account's stay on this device, or the account.
    pub fn leave(&mut self, ask: Ask, request: Request, cx: &mut Cx<'_>) {
        match &self.row {
            None => cx.answer(ask, Err(CommandError::SignedOut)),
            Some(row) if row.token.is_none() && matches!(request, Request::Logout(_)) => self.left(ask, cx),
            Some(_) => cx.request(request, Purpose::Ask(ask, Wish::Leave)),
        }
    }

    /// Asks the server to delete the account. If its answer gets lost, the next greeting tells whether it did.
    pub fn delete(&mut self, ask: Ask, cx: &mut Cx<'_>) {
        if let Some(row) = &mut self.row {
            row.leaving = Some(1);
            cx.save(row.put(OURSELVES, 0));
        }
        self.leave(ask, Request::Delete(Empty::default()), cx);
    }

    /// Whether the server was asked to delete the account and did not say that it did.
    pub fn is_leaving(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.leaving.is_some())
    }

    /// The account was not deleted.
    pub fn stays(&mut self, cx: &mut Cx<'_>) {
        if let Some(row) = self.row.as_mut().filter(|row| row.leaving.is_some()) {
            row.leaving = None;
            cx.save(row.put(OURSELVES, 0));
        }
    }

    /// Forgets the account and all that came with it, without anybody who waits for it.
    pub fn gone(&mut self, cx: &mut Cx<'_>) {
        self.row = None;
        self.identity = None;
        cx.effect(Effect::Forget(Scope::All));
        cx.tell(Event::Account(AccountEvent::SignedOut));
    }

    /// Forgets the account and all that came with it.
    pub fn left(&mut self, ask: Ask, cx: &mut Cx<'_>) {
        cx.answer(ask, Ok(Answer::Done));
        self.gone(cx);
    }

    /// The server takes our token no more: everything stays, and the user may sign in again.
    pub fn revoked(&mut self, code: Code, cx: &mut Cx<'_>) {
        let Some(row) = self.row.as_mut().filter(|row| row.token.is_some()) else { return };
        row.token = None;
        cx.save(row.put(OURSELVES, 0));
        cx.tell(Event::Account(AccountEvent::Revoked(code)));
    }

    /// A page of the export came.
    pub fn exported(&mut self, ask: Ask, page: u32, json: &[u8], more: bool, cx: &mut Cx<'_>) {
        if page == 0 {
            self.export.clear();
        }
        self.export.extend_from_slice(json);
        if self.export.len() > EXPORT_BYTES {
            self.export = Vec::new();
            return cx.answer(ask, Err(CommandError::Server));
        }
        if more {
            let next = page.saturating_add(1);
            return cx.request(Request::Export(Page { page: next }), Purpose::Ask(ask, Wish::Export(next)));
        }
        cx.answer(ask, Ok(Answer::Export(std::mem::take(&mut self.export))));
    }
}

fn wrong(error: LoginError) -> CommandError {
    match error {
        LoginError::WrongPassword | LoginError::Unusable => CommandError::WrongLogin,
        LoginError::Malformed => CommandError::Server,
    }
}

/// What the lack of a reply means to a user who waits.
pub(crate) fn refused(reason: NoReply) -> CommandError {
    let NoReply::Refused(refusal) = reason else { return CommandError::Offline };
    match refusal.code {
        Code::WrongLogin => CommandError::WrongLogin,
        Code::NotFriends => CommandError::NotFriends,
        Code::Unauthorised => CommandError::SignedOut,
        code => CommandError::Refused { code, retry_ms: refusal.retry_ms },
    }
}
