//! Files between friends: offered through the chat, moved by the file pump, kept until they are over.
//!
//! An offer and an end are items: they arrive once, whatever happens. Everything between them is said anew on every link:
//! the receiver says from which chunk it wants a file, the sender sends from there. What lies at the receiver is the only
//! truth about how far a transfer is, so nothing that is said or lost can make it skip or lose a chunk. No byte of a file
//! passes here.

pub mod row;
pub mod view;

use std::collections::BTreeMap;

use sidetone_wire::account::Empty;
use sidetone_wire::id::{Secret, TransferId, UserId};
use sidetone_wire::record::{Body, Record};
use sidetone_wire::transfer::{Chunk, FileEnd, FileOffer, FileWhy, FileWord, TransferWord};

use crate::cx::{Cx, Fact};
use crate::effect::{Answer, CommandError, Effect, Event};
use crate::input::{Ask, LinkId, Storage};
use crate::row::{OURSELVES, Row};
use row::{EndReason, FilePolicy, PastRow, PreviewRow, TransferRow, transfer_at};
use view::{Incoming, NewFile, Outgoing, TransferFailure, TransferNews, TransferOrder, TransferState, TransferView};

/// Transfers of one friend that may be under way or wait, each way.
pub const TRANSFERS: usize = 32;

pub(crate) const OFFERED: u8 = 0;
const ACCEPTED: u8 = 1;
const VERIFIED: u8 = 2;
const OVER: u8 = 3;

pub(crate) const HELD_BY_US: u8 = 1;
pub(crate) const HELD_BY_THEM: u8 = 2;
pub(crate) const HELD_BY_DISK: u8 = 4;
/// We let go of it, and the other end may not know it yet: a word of it goes with the link that is lost. A link is wanted for
/// that.
const LET_GO: u8 = 8;

pub(crate) struct Transfers {
    live: BTreeMap<TransferId, Live>,
    /// The links that are up.
    linked: BTreeMap<UserId, LinkId>,
    limit: u64,
    /// Whether what was verified before the restart was brought to its place.
    begun: bool,
}

impl Default for Transfers {
    fn default() -> Self {
        let limit = FilePolicy::default().limit;
        Self { live: BTreeMap::new(), linked: BTreeMap::new(), limit, begun: false }
    }
}

struct Live {
    peer: UserId,
    row: TransferRow,
    run: Run,
    /// Where it is kept: where its conversation was when it was offered.
    storage: Storage,
}

/// What the file pump is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Nothing,
    /// It looks what is here.
    Preparing,
    /// Chunks travel.
    Moving,
}

impl Live {
    fn id(&self) -> TransferId {
        self.row.offer.transfer
    }

    /// Whether it could go on if the peer were here.
    fn is_wanted(&self) -> bool {
        self.row.stage == ACCEPTED && self.row.held == 0
    }

    /// Whether nobody here holds it any more, which the other end may not know.
    fn has_let_go(&self) -> bool {
        self.row.held & LET_GO != 0 && self.row.held & (HELD_BY_US | HELD_BY_DISK) == 0
    }

    fn save(&self, cx: &mut Cx<'_>) {
        cx.keep(self.storage, self.row.put(self.peer, transfer_at(self.row.ours, self.id())));
    }

    fn tell(&self, cx: &mut Cx<'_>) {
        cx.tell(Event::Transfer(self.view()));
    }

    fn view(&self) -> TransferView {
        let mut view = TransferView::of(self.peer, &self.row);
        if view.state == TransferState::Waiting && self.run == Run::Moving {
            view.state = TransferState::Moving;
        }
        view
    }

    fn order(&mut self, run: Run, order: TransferOrder, cx: &mut Cx<'_>) {
        self.run = run;
        cx.effect(Effect::Transfer(self.id(), order));
    }

    /// Stops what the pump does, and notes how far it was.
    fn stop(&mut self, cx: &mut Cx<'_>) {
        if self.run != Run::Nothing {
            self.order(Run::Nothing, TransferOrder::Stop, cx);
            self.save(cx);
        }
    }

    fn incoming(&self) -> Incoming {
        let FileOffer { name, size, digest, key, .. } = self.row.offer.clone();
        Incoming { name, size, digest, key }
    }

    fn outgoing(&self) -> Outgoing {
        let FileOffer { size, key, .. } = self.row.offer.clone();
        Outgoing { path: self.row.path.clone().unwrap_or_default(), changed_ns: self.row.changed_ns, size, key }
    }

    /// Looks what is here, if that is of use now.
    fn prepare(&mut self, anew: bool, cx: &mut Cx<'_>) {
        if !self.row.ours && self.is_wanted() && (anew || self.run == Run::Nothing) {
            let file = self.incoming();
            self.order(Run::Preparing, TransferOrder::Prepare { file, anew }, cx);
        }
    }

    fn word(&self, word: FileWord, cx: &mut Cx<'_>) {
        cx.say(self.peer, Record::Transfer(TransferWord { transfer: self.id(), word }));
    }

    fn hold(&mut self, by: u8, cx: &mut Cx<'_>) {
        if self.row.held & by == 0 {
            self.row.held |= by;
            self.stop(cx);
            self.save(cx);
            self.tell(cx);
        }
    }

    fn release(&mut self, by: u8, cx: &mut Cx<'_>) -> bool {
        let held = self.row.held & by != 0;
        if held {
            self.row.held &= !by;
            self.save(cx);
            self.tell(cx);
        }
        held
    }
}

/// What a person does with a transfer.
impl Transfers {
    /// Offers a file. Whoever calls this made sure that the friend's outbox has room.
    pub fn offer(&mut self, ask: Ask, peer: UserId, file: NewFile, storage: Storage, cx: &mut Cx<'_>) {
        if self.count(peer, true) >= TRANSFERS {
            return cx.answer(ask, Err(CommandError::TooManyTransfers));
        }
        let NewFile { path, changed_ns, name, size, mime, kind, digest, picture, voice } = file;
        let (transfer, key) = (TransferId(cx.roll()), Secret(cx.roll()));
        let offer = FileOffer { transfer, name, size, mime, kind, digest, key, picture, voice };
        let path = Some(path);
        let row = TransferRow { path, changed_ns, ..fresh(true, &offer, cx) };
        self.keep(Live { peer, row, run: Run::Nothing, storage }, &offer, cx);
        cx.fact(Fact::Post(peer, Body::File(offer)));
        cx.answer(ask, Ok(Answer::Transfer(transfer)));
    }

    /// Takes what was offered.
    pub fn accept(&mut self, ask: Ask, transfer: TransferId, cx: &mut Cx<'_>) {
        let Some(live) = self.command(ask, transfer, cx).filter(|live| !live.row.ours) else { return };
        if live.row.stage == OFFERED {
            live.row.stage = ACCEPTED;
            live.save(cx);
            live.tell(cx);
            live.prepare(false, cx);
        }
    }

    /// Does not take what was offered, or gives up what is under way.
    pub fn cancel(&mut self, ask: Ask, transfer: TransferId, cx: &mut Cx<'_>) {
        // One that is whole is as good as here.
        let Some(live) = self.command(ask, transfer, cx).filter(|live| live.row.stage != VERIFIED) else { return };
        let declined = !live.row.ours && live.row.stage == OFFERED;
        self.end(transfer, if declined { EndReason::Declined } else { EndReason::Cancelled }, cx);
    }

    /// The message that offered it was taken back before it left. An earlier link may have carried it all the same.
    pub fn withdraw(&mut self, transfer: TransferId, cx: &mut Cx<'_>) {
        self.end(transfer, EndReason::Cancelled, cx);
    }

    pub fn pause(&mut self, ask: Ask, transfer: TransferId, cx: &mut Cx<'_>) {
        let linked = self.is_linked(transfer);
        let Some(live) = self.command(ask, transfer, cx).filter(|live| live.row.stage <= ACCEPTED) else { return };
        live.hold(HELD_BY_US, cx);
        if linked {
            live.word(FileWord::Paused(Empty::default()), cx);
        }
    }

    pub fn resume(&mut self, ask: Ask, transfer: TransferId, cx: &mut Cx<'_>) {
        let linked = self.is_linked(transfer);
        let Some(live) = self.command(ask, transfer, cx) else { return };
        if !live.release(HELD_BY_US | HELD_BY_DISK, cx) {
            return;
        }
        // A receiver that nothing holds asks for the file, by each link anew.
        if live.row.ours || live.row.held & HELD_BY_THEM != 0 {
            live.row.held |= LET_GO;
            live.save(cx);
            if linked {
                live.word(FileWord::Ready(Empty::default()), cx);
            }
        }
        live.prepare(false, cx);
    }

    /// Without a link nothing is said of who holds what: it is said when there is one. A word that went through the server
    /// could come after a later one that went over the link.
    fn is_linked(&self, transfer: TransferId) -> bool {
        self.live.get(&transfer).is_some_and(|live| self.linked.contains_key(&live.peer))
    }

    /// Keeps what the user lets in; what of it is taken without asking is a preference, and decided there.
    pub fn set_policy(&mut self, policy: FilePolicy, cx: &mut Cx<'_>) {
        self.limit = policy.limit;
        cx.save(policy.put(OURSELVES, 0));
    }

    /// Finds what a command is about and answers it.
    fn command(&mut self, ask: Ask, transfer: TransferId, cx: &mut Cx<'_>) -> Option<&mut Live> {
        let live = self.live.get_mut(&transfer);
        let known = live.as_ref().map(|_| Answer::Done).ok_or(CommandError::NoSuchTransfer);
        cx.answer(ask, known);
        live
    }
}

/// What the other phone says.
impl Transfers {
    /// A friend has a file for us; one of up to `accept_below` bytes is taken without asking.
    pub fn offered(
        &mut self,
        (peer, storage): (UserId, Storage),
        offer: &FileOffer,
        accept_below: u64,
        cx: &mut Cx<'_>,
    ) {
        if self.live.contains_key(&offer.transfer) {
            return;
        }
        let size = offer.size.bytes();
        let (many, large) = (self.count(peer, false) >= TRANSFERS, size > self.limit);
        let mut row = fresh(false, offer, cx);
        if size <= accept_below {
            row.stage = ACCEPTED;
        }
        let bare = row.offer.clone();
        let live = Live { peer, row, run: Run::Nothing, storage };
        if many || large {
            self.keep(live, &bare, cx);
            let why = if large { EndReason::TooLarge } else { EndReason::TooMany };
            return self.end(offer.transfer, why, cx);
        }
        self.keep(live, offer, cx);
        if let Some(live) = self.live.get_mut(&offer.transfer) {
            live.prepare(false, cx);
        }
    }

    /// A friend says, as an item, that a transfer is over.
    pub fn ended(&mut self, peer: UserId, end: FileEnd, cx: &mut Cx<'_>) {
        let live = self.live.get(&end.transfer).filter(|live| live.peer == peer && live.row.stage != VERIFIED);
        let Some(live) = live else { return };
        // Only its receiver knows that a file arrived.
        if end.why == FileWhy::Received && !live.row.ours {
            return;
        }
        self.finish(end.transfer, EndReason::heard(end.why), cx);
    }

    /// A friend says something about a transfer.
    pub fn heard(&mut self, peer: UserId, said: TransferWord, cx: &mut Cx<'_>) {
        let TransferWord { transfer, word } = said;
        if let FileWord::Over(end) = word {
            return self.ended(peer, FileEnd { transfer, why: end.why }, cx);
        }
        let link = self.linked.get(&peer).copied();
        let Some(live) = self.live.get_mut(&transfer).filter(|live| live.peer == peer) else {
            if matches!(word, FileWord::Want(_)) {
                let over = FileWord::Over(FileEnd { transfer, why: FileWhy::NoSuchTransfer });
                cx.say(peer, Record::Transfer(TransferWord { transfer, word: over }));
            }
            return;
        };
        match (word, link) {
            (FileWord::Want(chunk), Some(link)) if live.row.ours => live.wanted(link, chunk.index, cx),
            (FileWord::Paused(_), _) if live.row.stage != VERIFIED => live.hold(HELD_BY_THEM, cx),
            (FileWord::Ready(_), _) => {
                // A receiver says itself that it wants it now, as often as it has to.
                live.release(if live.row.ours { HELD_BY_THEM } else { HELD_BY_THEM | LET_GO }, cx);
                live.prepare(false, cx);
            }
            _ => {}
        }
    }

    /// The link is up: what each end holds or wants is said again.
    pub fn up(&mut self, peer: UserId, link: LinkId, cx: &mut Cx<'_>) {
        self.linked.insert(peer, link);
        for live in self.live.values_mut().filter(|live| live.peer == peer) {
            // Whoever hears of a new link forgets what the other held: what is held is said again.
            live.release(HELD_BY_THEM | LET_GO, cx);
            if live.row.held & HELD_BY_US != 0 {
                live.word(FileWord::Paused(Empty::default()), cx);
            }
            live.prepare(false, cx);
        }
    }

    pub fn down(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        self.linked.remove(&peer);
        for live in self.live.values_mut().filter(|live| live.peer == peer && live.run == Run::Moving) {
            live.stop(cx);
            live.tell(cx);
        }
    }

    /// The friendship is over.
    pub fn fail(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        let theirs: Vec<TransferId> =
            self.live.iter().filter(|(_, live)| live.peer == peer).map(|(id, _)| *id).collect();
        for transfer in theirs {
            self.finish(transfer, EndReason::NotFriends, cx);
        }
    }

    /// The account is left: nothing that is not whole stays.
    pub fn leave(&mut self, cx: &mut Cx<'_>) {
        for live in self.live.values_mut() {
            live.order(Run::Nothing, TransferOrder::Discard, cx);
        }
    }
}

impl Live {
    /// Its receiver wants it.
    fn wanted(&mut self, link: LinkId, from: u64, cx: &mut Cx<'_>) {
        if from >= sidetone_crypto::file::chunks(self.row.offer.size.bytes()) {
            return;
        }
        let before = self.row.held;
        self.row.held &= !(HELD_BY_THEM | LET_GO);
        if self.row.stage == OFFERED || self.row.held != before {
            self.row.stage = ACCEPTED;
            self.save(cx);
        }
        if self.row.held & HELD_BY_US != 0 {
            return self.word(FileWord::Paused(Empty::default()), cx);
        }
        self.row.done = from;
        let file = self.outgoing();
        self.order(Run::Moving, TransferOrder::Send { link, from, file }, cx);
        self.tell(cx);
    }
}

/// What the file pump says.
impl Transfers {
    pub fn news(&mut self, transfer: TransferId, news: TransferNews, cx: &mut Cx<'_>) {
        let Some(live) = self.live.get_mut(&transfer) else { return };
        let link = self.linked.get(&live.peer).copied();
        match news {
            TransferNews::Prepared { from } if live.run == Run::Preparing => live.prepared(link, from, cx),
            TransferNews::NoSpace if live.run != Run::Nothing => {
                live.hold(HELD_BY_DISK, cx);
                if link.is_some() {
                    live.word(FileWord::Paused(Empty::default()), cx);
                }
            }
            TransferNews::Moved { chunks } if live.run == Run::Moving => {
                live.row.done = chunks;
                live.tell(cx);
            }
            TransferNews::Verified { path } if live.run != Run::Nothing && !live.row.ours => {
                live.row.stage = VERIFIED;
                live.row.path = Some(path);
                live.save(cx);
                live.bring(cx);
            }
            TransferNews::Kept if live.row.stage == VERIFIED => self.end(transfer, EndReason::Received, cx),
            TransferNews::Failed(failure) => self.failed(transfer, failure, cx),
            _ => {}
        }
    }

    fn failed(&mut self, transfer: TransferId, failure: TransferFailure, cx: &mut Cx<'_>) {
        let Some(live) = self.live.get_mut(&transfer).filter(|live| live.run != Run::Nothing) else { return };
        let why = match failure {
            TransferFailure::Changed => EndReason::Changed,
            TransferFailure::Storage => EndReason::Storage,
            TransferFailure::Breach => EndReason::Corrupt,
            TransferFailure::WrongDigest if live.row.renewed > 0 => EndReason::Corrupt,
            TransferFailure::WrongDigest => {
                // A disk that lost its power may have lost what it said to have: once more from the beginning.
                live.row.renewed += 1;
                live.save(cx);
                return live.prepare(true, cx);
            }
        };
        self.end(transfer, why, cx);
    }

    /// Brings what was verified before a restart to its place.
    pub fn begin(&mut self, cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for live in self.live.values_mut().filter(|live| live.row.stage == VERIFIED) {
            live.bring(cx);
        }
    }
}

impl Live {
    fn prepared(&mut self, link: Option<LinkId>, from: u64, cx: &mut Cx<'_>) {
        self.row.done = from;
        let Some(link) = link else {
            self.run = Run::Nothing;
            return self.tell(cx);
        };
        let file = self.incoming();
        self.order(Run::Moving, TransferOrder::Receive { link, file }, cx);
        self.word(FileWord::Want(Chunk { index: from }), cx);
        self.tell(cx);
    }

    fn bring(&mut self, cx: &mut Cx<'_>) {
        let (path, file) = (self.row.path.clone().unwrap_or_default(), self.incoming());
        self.order(Run::Preparing, TransferOrder::Keep { path, file }, cx);
    }
}

impl Transfers {
    pub fn restore(&mut self, peer: UserId, row: TransferRow) {
        self.live.insert(row.offer.transfer, Live { peer, row, run: Run::Nothing, storage: Storage::Kept });
    }

    pub fn restore_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// With whom something would go on if they were there.
    pub fn waiting(&self) -> impl Iterator<Item = UserId> + '_ {
        let untold = |live: &&Live| live.has_let_go() && !self.linked.contains_key(&live.peer);
        self.live.values().filter(move |live| live.is_wanted() || untold(live)).map(|live| live.peer)
    }

    /// Whether something would go on with this friend.
    pub fn wants(&self, peer: UserId) -> bool {
        self.waiting().any(|waiting| waiting == peer)
    }

    /// Everything that is not over.
    pub fn views(&self) -> impl Iterator<Item = TransferView> + '_ {
        self.live.values().map(Live::view)
    }

    /// A larger file is declined without asking, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    fn count(&self, peer: UserId, ours: bool) -> usize {
        self.live.values().filter(|live| live.peer == peer && live.row.ours == ours).count()
    }

    fn keep(&mut self, live: Live, offer: &FileOffer, cx: &mut Cx<'_>) {
        live.save(cx);
        if offer.picture.is_some() || offer.voice.is_some() {
            let preview = PreviewRow { picture: offer.picture.clone(), voice: offer.voice.clone() };
            cx.keep(live.storage, preview.put(live.peer, transfer_at(live.row.ours, offer.transfer)));
        }
        live.tell(cx);
        self.live.insert(offer.transfer, live);
    }

    /// Ends a transfer and lets the other end know.
    fn end(&mut self, transfer: TransferId, why: EndReason, cx: &mut Cx<'_>) {
        let Some(peer) = self.live.get(&transfer).map(|live| live.peer) else { return };
        self.finish(transfer, why, cx);
        if let Some(why) = why.told() {
            cx.fact(Fact::Post(peer, Body::FileEnd(FileEnd { transfer, why })));
        }
    }

    fn finish(&mut self, transfer: TransferId, why: EndReason, cx: &mut Cx<'_>) {
        let Some(mut live) = self.live.remove(&transfer) else { return };
        let whole = why == EndReason::Received;
        if live.run != Run::Nothing || !live.row.ours && !whole {
            let order = if live.row.ours || whole { TransferOrder::Stop } else { TransferOrder::Discard };
            live.order(Run::Nothing, order, cx);
        }
        let at = transfer_at(live.row.ours, transfer);
        live.row.stage = OVER;
        live.row.end = Some(why.number());
        live.tell(cx);
        cx.save(TransferRow::drop_at(live.peer, at));
        cx.keep(live.storage, PastRow(live.row).put(live.peer, at));
    }
}

fn fresh(ours: bool, offer: &FileOffer, cx: &Cx<'_>) -> TransferRow {
    TransferRow {
        ours,
        offer: FileOffer { picture: None, voice: None, ..offer.clone() },
        at: cx.now.wall,
        stage: OFFERED,
        held: 0,
        path: None,
        done: 0,
        end: None,
        renewed: 0,
        changed_ns: None,
    }
}
