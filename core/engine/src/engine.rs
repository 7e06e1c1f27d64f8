//! The one door: inputs in, facts passed between the small machines until none is left, effects out.

use std::collections::BTreeSet;

use sidetone_crypto::safety::{Fingerprint, SafetyCode, SafetyNumber};
use sidetone_wire::account::{Code, Empty, Page, Reply, Request, User};
use sidetone_wire::id::{ItemSeq, UserId};
use sidetone_wire::push::Push;
use sidetone_wire::record::{Body, Record};
use zeroize::Zeroizing;

use crate::account::{Account, refused};
use crate::call::CallView;
use crate::chat::Chats;
use crate::cx::{Cx, Dice, Fact, NoReply, Purpose, Who, Wish as Asked};
use crate::effect::{Answer, CommandError, Effect, Event, Ways};
use crate::input::{Ask, Camera, Command, Input, PeerId};
use crate::keys::Us;
use crate::meeting::Meeting;
use crate::network::Reception;
use crate::peers::Peers;
use crate::preferences::{Preference, Preferences};
use crate::ring::Calls;
use crate::rooms::Rooms;
use crate::roster::Roster;
use crate::row::{ChatRow, Place, RowError};
use crate::strangers::Strangers;
use crate::time::{Now, Time};
use crate::transfer::Transfers;
use crate::transfer::row::FilePolicy;
use crate::transfer::view::TransferView;
use crate::view;
use crate::{Config, Cost};

mod gathered;
mod met;
mod restoring;
mod ways;

pub use restoring::Restoring;
use ways::lent;

/// One phone's decisions.
pub struct Engine {
    dice: Dice,
    cost: Cost,
    meeting: Meeting,
    account: Account,
    roster: Roster,
    peers: Peers,
    chats: Chats,
    calls: Calls,
    preferences: Preferences,
    transfers: Transfers,
    rooms: Rooms,
    strangers: Strangers,
    reception: Reception,
}

impl Engine {
    /// An engine of a device that has no account.
    pub fn new(config: Config) -> Self {
        let Config { seed, login_cost: cost } = config;
        Self {
            dice: Dice::new(seed),
            cost,
            meeting: Meeting::new(),
            account: Account::new(cost),
            roster: Roster::new(),
            peers: Peers::default(),
            chats: Chats::new(),
            calls: Calls::new(),
            preferences: Preferences::default(),
            transfers: Transfers::default(),
            rooms: Rooms::default(),
            strangers: Strangers::default(),
            reception: Reception::default(),
        }
    }

    /// An engine that goes on from the rows it saved, in the order of [`crate::row::Table::ALL`] and of their positions.
    ///
    /// # Errors
    ///
    /// [`RowError`] for the first row that cannot be read.
    pub fn restore(
        config: Config,
        rows: impl IntoIterator<Item = (Place, Zeroizing<Vec<u8>>)>,
    ) -> Result<Self, RowError> {
        let mut restoring = Restoring::new(config);
        for (place, value) in rows {
            restoring.row(place, &value)?;
        }
        Ok(restoring.done())
    }

    /// Takes one fact and adds what is to be done about it. `now.time` never goes back.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        let mut dice = std::mem::replace(&mut self.dice, Dice::new([0; 32]));
        let mut cx = Cx::new(now, &mut dice, effects);
        self.tick(&mut cx);
        self.drain(&mut cx);
        match input {
            Input::Command(ask, command) => self.command(ask, command, &mut cx),
            Input::Server(frame) => self.meeting.frame(frame, &mut cx),
            Input::Link(link, news) => self.link_news(link, news, &mut cx),
            Input::Network(network, severed) => self.network_changed(network, &severed, &mut cx),
            Input::Transfer(transfer, news) => self.transfers.news(transfer, news, &mut cx),
            Input::Online(open) => {
                self.meeting.socket(open, self.account.token(), &mut cx);
                if !open {
                    self.roster.offline(&mut cx);
                }
            }
            Input::Proved(ticket, number) => self.strangers.proved(ticket, number, &mut cx),
            Input::Sound(room, news) => self.rooms.sounded(room, news, &mut cx),
            Input::Tick => {}
        }
        self.drain(&mut cx);
        self.settle(&mut cx);
        self.drain(&mut cx);
        self.rooms.keep(&mut cx);
        self.meeting.confirm(&mut cx);
        self.dice = dice;
    }

    /// When the engine wants to be told the time at the latest.
    pub fn deadline(&self) -> Option<Time> {
        let peers = self.peers.deadline(|peer| self.wish(peer));
        let rooms = self.rooms.deadline().into_iter().chain(self.strangers.deadline()).min();
        [self.meeting.deadline(), self.calls.deadline(), self.chats.deadline(), rooms, peers]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.meeting.tick(cx);
        self.calls.tick(cx);
        self.chats.tick(cx);
        self.transfers.begin(cx);
        self.rooms.tick(cx);
        self.strangers.tick(cx);
        let mut of_use = BTreeSet::new();
        of_use.extend(self.peers.active().filter(|peer| self.wish(*peer).is_anything()));
        self.peers.tick(&of_use, cx);
    }

    fn drain(&mut self, cx: &mut Cx<'_>) {
        while let Some(fact) = cx.next_fact() {
            self.fact(fact, cx);
        }
    }

    fn fact(&mut self, fact: Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::Welcomed(welcome) => {
                if self.account.user().is_some() && welcome.user.is_none() && !welcome.resumed {
                    return self.revoked(Code::Unauthorised, cx);
                }
                if !welcome.resumed {
                    self.account.stays(cx);
                    self.rooms.welcomed(cx);
                    self.strangers.welcomed(cx);
                }
                self.read_roster(cx);
            }
            Fact::Entered(who) => {
                if who == Who::Another {
                    self.forget(cx);
                    self.preferences = Preferences::default();
                }
                self.read_roster(cx);
            }
            Fact::SignalLost => {
                self.peers.signal_lost(cx);
                self.rooms.signal_lost();
                self.strangers.signal_lost(cx);
                self.roster.unread();
                self.read_roster(cx);
            }
            Fact::Request(request, purpose) => self.meeting.request(request, purpose, cx),
            Fact::Replied(purpose, outcome) => self.replied(purpose, outcome, cx),
            Fact::Person(person) => self.roster.person(person, cx),
            Fact::Gone(user) => self.roster.gone(user, cx),
            Fact::Presence(presence) => {
                self.roster.presence(presence, cx);
                if presence.online {
                    self.peers.arrived(PeerId::Friend(presence.user));
                }
            }
            Fact::Revoked(refusal) => self.revoked(refusal.code, cx),
            Fact::Distrusted(user) => self.distrusted(user, cx),
            Fact::Sealed(delivered) => {
                let from = PeerId::Friend(delivered.from);
                let trust = self.wish(from).trust;
                if let Some(us) = us(&self.account, &self.rooms, &self.strangers, from) {
                    self.peers.sealed(from, &delivered.bytes, trust, us, cx);
                }
            }
            Fact::Say(peer, record) => self.peers.say(peer, &record, cx),
            Fact::Post(peer, body) => self.chats.post_file(peer, body, cx),
            Fact::Posted(peer, Body::File(offer)) => {
                let storage = self.chats.storage(peer);
                self.transfers.offered((peer, storage), &offer, self.preferences.accept_below, cx);
            }
            Fact::Posted(peer, Body::FileEnd(end)) => self.transfers.ended(peer, end, cx),
            Fact::Withdrawn(transfer) => self.transfers.withdraw(transfer, cx),
            Fact::Heard(peer, Record::Path(word)) => self.path_word(peer, word, cx),
            Fact::Heard(PeerId::Friend(peer), record) => self.heard(peer, record, cx),
            // A call rings on: whoever is woken comes by themselves.
            Fact::Asleep(PeerId::Friend(peer)) => self.roster.unreachable(peer, cx),
            Fact::Unreachable(PeerId::Friend(peer)) => {
                self.roster.unreachable(peer, cx);
                self.calls.unreachable(peer.into(), cx);
            }
            other => self.linked(other, cx),
        }
    }

    fn linked(&mut self, fact: Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::Paired(from @ PeerId::Friend(_)) => self.calls.paired(from, cx),
            Fact::Unpaired(PeerId::Friend(peer)) => {
                self.chats.down(peer);
                self.transfers.down(peer, cx);
                self.calls.unpaired(peer.into(), cx);
            }
            Fact::Ahead(PeerId::Friend(peer)) => self.chats.up(peer, cx),
            Fact::Up(PeerId::Friend(peer), link, route) => {
                self.transfers.up(peer, link, cx);
                self.calls.up(peer.into(), link, route, cx);
            }
            Fact::Moved(PeerId::Friend(peer), link, route) => {
                // Chunks are counted link by link: both ends say again how far they are.
                self.transfers.down(peer, cx);
                self.transfers.up(peer, link, cx);
                self.calls.moved(peer.into(), link, route, cx);
            }
            Fact::Called(peer, incoming, missed, call) => self.chats.called(peer, incoming, missed, call, cx),
            Fact::Routed(from @ PeerId::Friend(_), route) => self.calls.routed(from, route, cx),
            Fact::Interrupted(from @ (PeerId::Friend(_) | PeerId::Stranger(_))) => self.calls.interrupted(from, cx),
            Fact::Restored(from @ (PeerId::Friend(_) | PeerId::Stranger(_))) => self.calls.restored(from, cx),
            other => self.gathered(other, cx),
        }
    }

    fn heard(&mut self, peer: UserId, record: Record, cx: &mut Cx<'_>) {
        match record {
            Record::Item(item) => self.chats.item(peer, item, cx),
            Record::Received(mark) => self.chats.received(peer, mark, cx),
            Record::Call(word) => self.calls.heard(peer.into(), word, cx),
            Record::Transfer(said) => self.transfers.heard(peer, said, cx),
            Record::Typing(_) => cx.tell(Event::Typing(peer)),
            _ => {}
        }
    }

    fn read_roster(&mut self, cx: &mut Cx<'_>) {
        if self.account.ourselves().is_some() && self.meeting.is_open() {
            self.roster.read(cx);
        }
    }

    fn distrusted(&mut self, user: UserId, cx: &mut Cx<'_>) {
        self.calls.distrusted(user.into(), cx);
        self.peers.forget(PeerId::Friend(user), cx);
        if !self.roster.is_friend(user) {
            self.chats.fail(user, cx);
            self.transfers.fail(user, cx);
        }
    }

    fn replied(&mut self, purpose: Purpose, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        match (purpose, outcome) {
            (Purpose::Enter(ask), outcome) => self.account.entered(ask, outcome, cx),
            (Purpose::Ask(ask, asked), Err(reason)) => {
                if asked == Asked::Leave && matches!(reason, NoReply::Refused(_)) {
                    self.account.stays(cx);
                }
                let error = match refused(reason) {
                    // Whoever made it of one gave what is none: what the server cannot read is the address alone.
                    CommandError::Refused { code: Code::Malformed | Code::TooLarge, .. } if asked == Asked::Push => {
                        CommandError::NotAPushAddress
                    }
                    error => error,
                };
                cx.answer(ask, Err(error));
            }
            (Purpose::Ask(ask, asked), Ok(reply)) => self.granted(ask, asked, reply, cx),
            (Purpose::Roster(run), Ok(Reply::Roster(page))) => self.roster.page(run, page, cx),
            (Purpose::Roster(_), _) => self.roster.unread(),
            (Purpose::Relays, Ok(Reply::Relays(relays))) => self.peers.lent(Some(relays), cx.now.time),
            (Purpose::Relays, Err(_)) => self.peers.lent(None, cx.now.time),
            (Purpose::Stranger(asked), outcome) => self.strangers.replied(asked, outcome, cx),
            (Purpose::Room(room, asked), outcome) => self.rooms.replied(room, asked, outcome, cx),
            (Purpose::Route(..) | Purpose::Relays | Purpose::Nothing, Ok(_)) | (Purpose::Nothing, Err(_)) => {}
            (Purpose::Route(peer, pairing), Err(reason)) => {
                if matches!(reason, NoReply::Refused(refusal) if refusal.code == Code::Offline) {
                    let woken = matches!(reason, NoReply::Refused(refusal) if refusal.retry_ms > 0);
                    cx.fact(if woken { Fact::Asleep(peer) } else { Fact::Unreachable(peer) });
                }
                self.peers.undelivered(peer, pairing, cx);
            }
        }
    }

    fn granted(&mut self, ask: Ask, asked: Asked, reply: Reply, cx: &mut Cx<'_>) {
        match (asked, reply) {
            (Asked::Leave, _) => self.leave(ask, cx),
            (Asked::Befriend(key), Reply::Person(person)) => self.roster.found(ask, person, key, cx),
            (Asked::Export(page), Reply::Export(part)) => self.account.exported(ask, page, &part.json, part.more, cx),
            (Asked::PushKey, Reply::PushKey(known)) => cx.answer(ask, Ok(Answer::PushKey(known.key.into_vec()))),
            (Asked::Lobby, Reply::Lobby(lobby)) => cx.answer(ask, Ok(Answer::Count(lobby.active))),
            (Asked::Done | Asked::Push, Reply::Done(_)) => cx.answer(ask, Ok(Answer::Done)),
            (Asked::Part(user), _) => {
                self.roster.gone(user, cx);
                cx.answer(ask, Ok(Answer::Done));
            }
            (Asked::Block(user), _) => {
                self.roster.blocked(user, cx);
                cx.answer(ask, Ok(Answer::Done));
            }
            (Asked::Done, Reply::Person(person)) => {
                self.roster.person(person, cx);
                cx.answer(ask, Ok(Answer::Done));
            }
            _ => cx.answer(ask, Err(CommandError::Server)),
        }
    }

    /// Forgets everything but how to begin.
    fn leave(&mut self, ask: Ask, cx: &mut Cx<'_>) {
        self.forget(cx);
        self.meeting.leave();
        self.account.left(ask, cx);
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.account = Account::new(self.cost);
        self.preferences = Preferences::default();
    }

    /// The server takes our token no more. If it was asked to delete the account it has, though its answer got lost.
    fn revoked(&mut self, code: Code, cx: &mut Cx<'_>) {
        if !self.account.is_leaving() || code != Code::Unauthorised {
            return self.account.revoked(code, cx);
        }
        self.forget(cx);
        self.meeting.leave();
        self.account.gone(cx);
        self.begin_anew();
    }

    /// Forgets everybody and everything of theirs.
    fn forget(&mut self, cx: &mut Cx<'_>) {
        self.calls.leave(cx);
        self.rooms.leave_all(cx);
        self.strangers.close(cx);
        let peers: Vec<PeerId> = self.peers.active().collect();
        for peer in peers {
            self.peers.forget(peer, cx);
        }
        self.roster = Roster::new();
        self.rooms = Rooms::default();
        self.peers = Peers::default();
        self.chats = Chats::new();
        self.transfers.leave(cx);
        self.transfers = Transfers::default();
    }

    /// Does for every peer what is wanted now.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        if let Some(peer) = self.calls.seeks_link()
            && let Some((link, route)) = self.peers.up(peer)
        {
            self.calls.up(peer, link, route, cx);
        }
        let files = self.transfers.waiting().filter(|peer| self.roster.is_online(*peer));
        let waiting = self.chats.waiting(self.roster.online()).into_iter().chain(files).map(PeerId::Friend);
        let waiting = waiting.chain(self.calls.peer()).chain(self.strangers.peer());
        let mut peers = BTreeSet::new();
        peers.extend(self.peers.active().chain(waiting).chain(self.rooms.peers()));
        for peer in peers {
            let Some(us) = us(&self.account, &self.rooms, &self.strangers, peer) else { continue };
            let wish = self.wish(peer);
            let hides = wish.ways == Ways::RelayOnly && self.peers.is_asked(peer);
            if peer.friend().is_some() && (wish.is_anything() || hides) && self.meeting.is_open() {
                self.peers.borrow_relays(cx);
            }
            let lent = lent(&self.rooms, &self.strangers, peer);
            self.peers.settle(peer, wish, us, lent, cx);
        }
    }

    /// What the user of this device prefers.
    pub fn preferences(&self) -> &Preferences {
        &self.preferences
    }

    /// The account of this device, if there is one.
    pub fn account(&self) -> Option<view::Account> {
        self.account.view()
    }

    /// Everybody the account has something to do with, by id.
    pub fn friends(&self) -> Vec<view::Friend> {
        self.roster.users().filter_map(|user| self.friend(user)).collect()
    }

    /// One person, also of the past.
    pub fn friend(&self, user: UserId) -> Option<view::Friend> {
        self.roster.friend(user, self.chats.row(user).map_or(0, |row| row.unread))
    }

    /// Every conversation, by its friend's id.
    pub fn chats(&self) -> Vec<view::Chat> {
        self.chats.views().collect()
    }

    /// How often friends said what an honest phone would not say: about a message that cannot be theirs, or with a time that
    /// none can have.
    pub fn refused(&self) -> u64 {
        self.chats.refused()
    }

    /// Where the conversation with a person stands.
    pub fn chat(&self, user: UserId) -> Option<&ChatRow> {
        self.chats.row(user)
    }

    /// The last item to a person that the link that is up was given; 0 when there is none.
    pub fn given(&self, user: UserId) -> ItemSeq {
        self.chats.given(user)
    }

    /// Every transfer that is not over.
    pub fn transfers(&self) -> Vec<TransferView> {
        self.transfers.views().collect()
    }

    /// Which files are taken.
    pub fn file_policy(&self) -> FilePolicy {
        FilePolicy { accept_below: self.preferences.accept_below, limit: self.transfers.limit() }
    }

    /// The call that is on.
    pub fn call(&self) -> Option<CallView> {
        self.calls.view()
    }

    /// The number that two people compare to know that nobody is between them.
    pub fn safety_number(&self, user: UserId) -> Option<SafetyNumber> {
        let (ours, theirs) = self.fingerprints(user)?;
        Some(SafetyNumber::new(&ours, &theirs))
    }

    /// The same as a code that one phone shows and the other scans.
    pub fn safety_code(&self, user: UserId) -> Option<SafetyCode> {
        let (ours, theirs) = self.fingerprints(user)?;
        Some(SafetyCode::new(ours, theirs))
    }

    fn fingerprints(&self, user: UserId) -> Option<(Fingerprint, Fingerprint)> {
        let (us, key) = (self.account.user()?, self.account.key()?);
        let theirs = self.roster.friend(user, 0)?.key;
        Some((Fingerprint::of(us.as_bytes(), &key), Fingerprint::of(user.as_bytes(), &theirs)))
    }
}

impl Engine {
    fn command(&mut self, ask: Ask, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Register { name, email, password } => self.account.register(ask, name, email, &password, cx),
            Command::SignIn { name, password } => self.account.sign_in(ask, name, &password, cx),
            Command::Prefer(preference) => self.preferences.prefer(ask, preference, cx),
            Command::Room(command) => {
                let account = self.account.ourselves().is_some();
                self.rooms.command(ask, command, account, cx);
            }
            Command::CountStrangers => cx.request(Request::Lobby(Empty::default()), Purpose::Ask(ask, Asked::Lobby)),
            Command::Stranger(command) => self.with_stranger(ask, command, cx),
            // Of a call with a friend or a stranger.
            Command::Show(call, shows) => self.calls.show(ask, call, |now| *now = shows, cx),
            Command::ShowCamera(call, camera) => {
                self.calls.show(ask, call, |now| now.camera = camera == Camera::On, cx);
            }
            Command::ShowScreen(call, screen) => self.calls.show(ask, call, |now| now.screen = screen, cx),
            Command::Want(call, wants) => self.calls.want(ask, call, wants, cx),
            Command::SetHearing(call, hearing) => self.calls.set_hearing(ask, call, hearing, cx),
            _ if self.account.user().is_none() => cx.answer(ask, Err(CommandError::SignedOut)),
            Command::SignOut => self.account.leave(ask, Request::Logout(Empty::default()), cx),
            Command::DeleteAccount => self.account.delete(ask, cx),
            Command::ExportAccount => cx.request(Request::Export(Page::default()), Purpose::Ask(ask, Asked::Export(0))),
            Command::Befriend { name, key } => self.roster.befriend(ask, name, key, cx),
            Command::Accept(user) => cx.request(Request::Accept(User { user }), Purpose::Ask(ask, Asked::Done)),
            Command::Decline(user) => cx.request(Request::Decline(User { user }), Purpose::Ask(ask, Asked::Part(user))),
            Command::Unfriend(user) => {
                cx.request(Request::Unfriend(User { user }), Purpose::Ask(ask, Asked::Part(user)))
            }
            Command::Block(user) => cx.request(Request::Block(User { user }), Purpose::Ask(ask, Asked::Block(user))),
            Command::Unblock(user) => cx.request(Request::Unblock(User { user }), Purpose::Ask(ask, Asked::Part(user))),
            Command::SetPush(address) => {
                let address = address.map(|address| *address);
                cx.request(Request::SetPush(Push { address }), Purpose::Ask(ask, Asked::Push));
            }
            Command::PushKey => cx.request(Request::PushKey(Empty::default()), Purpose::Ask(ask, Asked::PushKey)),
            Command::SetVerified(user, verified) => self.roster.set_verified(ask, user, verified, cx),
            Command::AcceptKey(user, key) => self.roster.accept_key(ask, user, key, cx),
            Command::SetAddresses(addresses) => {
                self.preferences.prefer(ask, Preference::Addresses(addresses), cx);
            }
            Command::SetAddressesFor(user, addresses) => self.roster.set_addresses(ask, user, addresses, cx),
            Command::SetReceipts(receipts) => self.preferences.prefer(ask, Preference::Receipts(receipts), cx),
            other => self.talk(ask, other, cx),
        }
    }

    fn talk(&mut self, ask: Ask, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::SendText(peer, text) => match self.roster.is_friend(peer) {
                true => self.chats.send(ask, peer, text, None, cx),
                false => cx.answer(ask, Err(CommandError::NotFriends)),
            },
            Command::Chat(peer, command) => match self.roster.is_friend(peer) || command.is_for_anybody() {
                true => self.chats.command(ask, peer, command, cx),
                false => cx.answer(ask, Err(CommandError::NotFriends)),
            },
            Command::MarkRead(peer) => self.chats.mark_read(ask, peer, self.preferences.receipts, cx),
            Command::Typing(peer) => {
                cx.say(peer, Record::Typing(Empty::default()));
                cx.answer(ask, Ok(Answer::Done));
            }
            Command::Call(peer) => self.place_call(ask, peer, cx),
            Command::AnswerCall(call) => self.calls.answer(ask, call, cx),
            Command::DeclineCall(call) => self.calls.decline(ask, call, cx),
            Command::HangUp(call) => self.calls.hang_up(ask, call, cx),
            Command::SetMicrophone(call, microphone) => self.calls.set_microphone(ask, call, microphone, cx),
            other => self.files(ask, other, cx),
        }
    }

    fn files(&mut self, ask: Ask, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::OfferFile(peer, _) if !self.roster.is_friend(peer) => {
                cx.answer(ask, Err(CommandError::NotFriends));
            }
            Command::OfferFile(peer, _) if !self.chats.has_room(peer) => cx.answer(ask, Err(CommandError::OutboxFull)),
            Command::OfferFile(peer, file) => {
                self.transfers.offer(ask, peer, *file, self.chats.storage(peer), cx);
            }
            Command::AcceptFile(transfer) => self.transfers.accept(ask, transfer, cx),
            Command::PauseFile(transfer) => self.transfers.pause(ask, transfer, cx),
            Command::ResumeFile(transfer) => self.transfers.resume(ask, transfer, cx),
            Command::CancelFile(transfer) => self.transfers.cancel(ask, transfer, cx),
            Command::SetFilePolicy(policy) => {
                self.transfers.set_policy(policy, cx);
                self.preferences.prefer(ask, Preference::AcceptBelow(policy.accept_below), cx);
            }
            _ => {}
        }
    }

    fn place_call(&mut self, ask: Ask, peer: UserId, cx: &mut Cx<'_>) {
        if !self.roster.is_friend(peer) {
            return cx.answer(ask, Err(CommandError::NotFriends));
        }
        if self.roster.trusted(peer).is_none() {
            return cx.answer(ask, Err(CommandError::KeyChanged));
        }
        if !self.meeting.is_open() && self.peers.up(PeerId::Friend(peer)).is_none() {
            return cx.answer(ask, Err(CommandError::Offline));
        }
        self.calls.call(ask, peer.into(), cx);
    }
}

/// As whom we meet a peer now.
fn us<'a>(account: &'a Account, rooms: &'a Rooms, strangers: &'a Strangers, peer: PeerId) -> Option<Us<'a>> {
    match peer {
        PeerId::Friend(_) => account.ourselves().map(|(user, own)| Us::Account(user, own)),
        PeerId::Member(room, _) => rooms.us(room),
        PeerId::Stranger(id) => strangers.us(id),
    }
}
