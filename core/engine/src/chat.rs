//! What friends write: numbered, kept until confirmed, sent in order on every new link, kept once at the other end.

mod amend;
mod fade;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sidetone_wire::id::{ItemSeq, LaneId, UnixMs, UserId};
use sidetone_wire::limits::{STAY_S, THUMBNAIL_BYTES};
use sidetone_wire::record::{Body, Item, Mark, MessageId, Record, Text, Words};
use sidetone_wire::transfer::{FileKind, FileOffer};

use crate::WINDOW_BYTES;
use crate::cx::{Cx, Fact};
use crate::effect::{Answer, CommandError, Event};
use crate::input::{Ask, Receipts, Storage};
use crate::row::{
    CallEntry, ChatRow, ContentRow, DraftRow, FadeRow, FileEntry, MessageRow, OutgoingRow, Row, content_at,
};
use crate::time::Time;
use crate::view;
use fade::Fades;

/// Items that may wait for one friend.
pub(crate) const OUTBOX_ITEMS: usize = 1_000;
/// What an item takes beside its text.
const ITEM_OVERHEAD: usize = 256;
/// What the offer of a file takes at most: its small picture, its name, and the rest.
const FILE_OFFER_BYTES: usize = THUMBNAIL_BYTES + 1_024;

pub(crate) struct Chats {
    chats: BTreeMap<UserId, Chat>,
    /// To whom a link is up.
    linked: BTreeSet<UserId>,
    /// For whom something waits.
    waiting: BTreeSet<UserId>,
    fades: Fades,
    /// What friends said and an honest phone would not say.
    refused: u64,
}

struct Chat {
    row: ChatRow,
    outbox: VecDeque<(ItemSeq, OutgoingRow)>,
    /// What was not delivered and may be sent again.
    failed: BTreeMap<ItemSeq, OutgoingRow>,
    /// The last item given to the link that is up; what was given to an earlier one counts as lost.
    given: ItemSeq,
    draft: Option<Text>,
}

impl Chat {
    fn new(row: ChatRow) -> Self {
        let given = row.confirmed;
        Self { row, outbox: VecDeque::new(), failed: BTreeMap::new(), given, draft: None }
    }

    fn storage(&self) -> Storage {
        if self.row.storage == 1 { Storage::Ephemeral } else { Storage::Kept }
    }

    /// Numbers an item and keeps it.
    fn queue(&mut self, peer: UserId, body: Body, message: Option<u64>, cx: &mut Cx<'_>) -> ItemSeq {
        let seq = self.row.last.next();
        let outgoing = OutgoingRow { at: cx.now.wall, body, message, failed: None };
        self.row.last = seq;
        cx.keep(self.storage(), outgoing.put(peer, seq.0));
        self.outbox.push_back((seq, outgoing));
        seq
    }

    /// Adds an entry to the conversation and gives its place.
    fn enter(&mut self, peer: UserId, row: &MessageRow, cx: &mut Cx<'_>) -> u64 {
        let position = self.row.next;
        self.row.next = position.saturating_add(1);
        self.row.active = Some(cx.now.wall);
        cx.keep(self.storage(), row.put(peer, position));
        cx.tell(Event::Message { peer, position });
        position
    }

    /// Gives the link what its window takes.
    fn flush(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        let (mut flying, before) = (0, self.given);
        for (seq, outgoing) in &self.outbox {
            flying += size(&outgoing.body);
            if flying > WINDOW_BYTES {
                break;
            }
            if *seq > self.given {
                let (lane, at, body) = (self.row.lane, outgoing.at, outgoing.body.clone());
                cx.say(peer, Record::Item(Item { lane, seq: *seq, at, body }));
                self.given = *seq;
            }
        }
        if self.given != before {
            cx.tell(Event::Marks(peer));
        }
    }
}

fn size(body: &Body) -> usize {
    let words = match body {
        Body::File(_) => FILE_OFFER_BYTES,
        Body::Text(text) | Body::Words(Words { text, .. }) => text.as_str().len(),
        Body::Edit(edit) => edit.text.as_str().len(),
        Body::React(react) => react.emoji.iter().map(str::len).sum(),
        Body::Read(_) | Body::Delete(_) | Body::Timer(_) | Body::Gone(_) | Body::FileEnd(_) => 0,
    };
    words.saturating_add(ITEM_OVERHEAD)
}

/// An entry of which nothing is known but who wrote it and when.
fn new_entry(theirs: bool, id: MessageId, at: UnixMs, kept: UnixMs) -> MessageRow {
    MessageRow { at, kept, lane: Some(id.lane), ..MessageRow::new(theirs, id.seq) }
}

/// The entry of a message of ours that waits or was not delivered.
fn kept_entry(id: MessageId, outgoing: &OutgoingRow) -> MessageRow {
    let reply = if let Body::Words(said) = &outgoing.body { said.reply } else { None };
    let (stay_s, failed) = (stay_of(&outgoing.body), outgoing.failed);
    MessageRow { reply, stay_s, failed, ..new_entry(false, id, outgoing.at, outgoing.at) }
}

/// What the message that an item carries says.
fn content_of(body: &Body) -> ContentRow {
    let text = match body {
        Body::Text(text) | Body::Words(Words { text, .. }) => Some(text.clone()),
        _ => None,
    };
    let file = match body {
        Body::File(offer) => Some(file_entry(offer)),
        _ => None,
    };
    ContentRow { text, file, ..ContentRow::default() }
}

fn file_entry(offer: &FileOffer) -> FileEntry {
    let kind = match offer.kind {
        FileKind::Image => 1,
        FileKind::Voice => 2,
        FileKind::File | FileKind::Unknown => 0,
    };
    let (name, mime) = (offer.name.as_str().to_owned(), offer.mime.as_str().to_owned());
    FileEntry { transfer: offer.transfer, name, size: offer.size.bytes(), mime, kind }
}

/// Seconds that the message which an item carries stays.
fn stay_of(body: &Body) -> Option<u32> {
    match body {
        Body::Words(words) => words.stay_s,
        Body::Gone(stay) => stay.seconds,
        _ => None,
    }
}

impl Chats {
    pub fn new() -> Self {
        let (chats, linked, waiting) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { chats, linked, waiting, fades: Fades::default(), refused: 0 }
    }

    pub fn restore(&mut self, peer: UserId, mut row: ChatRow) {
        // What was in memory only is gone.
        if row.storage == 1 {
            row.see();
        }
        self.chats.insert(peer, Chat::new(row));
    }

    /// Takes back an item; they come in the order of their numbers.
    pub fn restore_outgoing(&mut self, peer: UserId, seq: ItemSeq, row: OutgoingRow) {
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        if row.failed.is_some() {
            chat.failed.insert(seq, row);
        } else {
            chat.outbox.push_back((seq, row));
            self.waiting.insert(peer);
        }
    }

    pub fn restore_fade(&mut self, peer: UserId, at: u64, row: FadeRow) {
        self.fades.restore(peer, at, row);
    }

    pub fn restore_draft(&mut self, peer: UserId, row: DraftRow) {
        if let Some(chat) = self.chats.get_mut(&peer) {
            chat.draft = Some(row.text);
        }
    }

    /// Where what is said with a friend is kept.
    pub fn storage(&self, peer: UserId) -> Storage {
        self.chats.get(&peer).map_or(Storage::Kept, Chat::storage)
    }

    pub fn row(&self, peer: UserId) -> Option<&ChatRow> {
        self.chats.get(&peer).map(|chat| &chat.row)
    }

    /// The last item given to the link that is up.
    pub fn given(&self, peer: UserId) -> ItemSeq {
        let chat = self.chats.get(&peer).filter(|_| self.linked.contains(&peer));
        chat.map_or(ItemSeq(0), |chat| chat.given)
    }

    /// Whether something waits for this friend.
    pub fn has_items(&self, peer: UserId) -> bool {
        self.waiting.contains(&peer)
    }

    /// For whom of these something waits. Costs as much as the smaller of the two sets.
    pub fn waiting(&self, online: &BTreeSet<UserId>) -> Vec<UserId> {
        let (few, many) =
            if online.len() < self.waiting.len() { (online, &self.waiting) } else { (&self.waiting, online) };
        few.iter().filter(|user| many.contains(user)).copied().collect()
    }

    /// What friends said and an honest phone would not say.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Every conversation, by its friend's id.
    pub fn views(&self) -> impl Iterator<Item = view::Chat> + '_ {
        self.chats.iter().map(|(peer, chat)| view::Chat {
            peer: *peer,
            last: chat.row.next.checked_sub(1).filter(|last| *last > 0),
            active: chat.row.active,
            unread: chat.row.unread,
            draft: chat.draft.clone(),
            our_stay_s: chat.row.our_stay_s,
            their_stay_s: chat.row.their_stay_s,
            storage: chat.storage(),
        })
    }

    pub fn deadline(&self) -> Option<Time> {
        self.fades.deadline()
    }

    /// Erases what has been there for as long as it should.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        while let Some((peer, row)) = self.fades.over(cx.now) {
            self.erase(peer, row.theirs, row.message, cx);
        }
    }

    pub fn send(&mut self, ask: Ask, peer: UserId, text: Text, reply: Option<MessageId>, cx: &mut Cx<'_>) {
        let chat = self.chat(peer, cx);
        if chat.outbox.len() >= OUTBOX_ITEMS {
            return cx.answer(ask, Err(CommandError::OutboxFull));
        }
        let stay_s = chat.row.stay_s();
        let body = match (reply, stay_s) {
            (None, None) => Body::Text(text),
            _ => Body::Words(Words { text, reply, stay_s }),
        };
        if chat.draft.take().is_some() {
            cx.save(DraftRow::drop_at(peer, 0));
        }
        let content = content_of(&body);
        let position = self.post(peer, body, &content, cx);
        cx.answer(ask, Ok(Answer::Message(position)));
        self.flush(peer, cx);
    }

    /// Numbers a message of ours, keeps it and its entry, and gives its place in the conversation. It goes with the next
    /// [`Chats::flush`].
    pub fn post(&mut self, peer: UserId, body: Body, content: &ContentRow, cx: &mut Cx<'_>) -> u64 {
        let stay_s = stay_of(&body);
        let chat = self.chat(peer, cx);
        let position = chat.row.next;
        let seq = chat.queue(peer, body, Some(position), cx);
        let id = MessageId { lane: chat.row.lane, seq };
        if let Some((_, outgoing)) = chat.outbox.back() {
            let row = kept_entry(id, outgoing);
            cx.keep(chat.storage(), content.put(peer, content_at(false, id)));
            chat.enter(peer, &row, cx);
        }
        cx.save(chat.row.put(peer, 0));
        self.fade(peer, false, id, stay_s, cx);
        position
    }

    /// A message is to disappear.
    fn fade(&mut self, peer: UserId, theirs: bool, message: MessageId, stay_s: Option<u32>, cx: &mut Cx<'_>) {
        let (Some(stay_s), Some(chat)) = (stay_s, self.chats.get(&peer)) else { return };
        let row = FadeRow { message, theirs, stay_s, until: None };
        self.fades.add(peer, content_at(theirs, message), row, chat.storage(), cx);
    }

    /// A call is over.
    pub fn called(&mut self, peer: UserId, incoming: bool, missed: bool, call: CallEntry, cx: &mut Cx<'_>) {
        let chat = self.chat(peer, cx);
        let id = MessageId { lane: chat.row.lane, seq: ItemSeq(0) };
        let row = MessageRow { lane: None, call: Some(call), ..new_entry(incoming, id, cx.now.wall, cx.now.wall) };
        chat.enter(peer, &row, cx);
        chat.row.unread = chat.row.unread.saturating_add(missed.into());
        cx.save(chat.row.put(peer, 0));
        if missed {
            cx.tell(Event::Friend(peer));
        }
    }

    /// Whether another item for this friend may wait.
    pub fn has_room(&self, peer: UserId) -> bool {
        self.chats.get(&peer).is_none_or(|chat| chat.outbox.len() < OUTBOX_ITEMS)
    }

    /// Keeps an item about a file, with its entry if it is an offer, and delivers it. Without room it is dropped: who posts
    /// it made sure, or can do without.
    pub fn post_file(&mut self, peer: UserId, body: Body, cx: &mut Cx<'_>) {
        if !self.has_room(peer) {
            return;
        }
        let content = content_of(&body);
        if content.file.is_some() {
            self.post(peer, body, &content, cx);
        } else {
            let chat = self.chat(peer, cx);
            chat.queue(peer, body, None, cx);
            cx.save(chat.row.put(peer, 0));
        }
        self.flush(peer, cx);
    }

    /// Notes whether something waits, and gives the link what it takes.
    pub fn flush(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        match chat.outbox.is_empty() {
            true => self.waiting.remove(&peer),
            false => self.waiting.insert(peer),
        };
        if self.linked.contains(&peer) {
            chat.flush(peer, cx);
        }
    }

    pub fn mark_read(&mut self, ask: Ask, peer: UserId, receipts: Receipts, cx: &mut Cx<'_>) {
        if let Some(chat) = self.chats.get_mut(&peer).filter(|chat| chat.row.unread > 0) {
            chat.row.see();
            let room = chat.outbox.len() < OUTBOX_ITEMS && receipts == Receipts::Send;
            if let Some(lane) = chat.row.their_lane.filter(|_| room) {
                let up_to = chat.row.heard;
                chat.queue(peer, Body::Read(Mark { lane, up_to }), None, cx);
            }
            cx.save(chat.row.put(peer, 0));
            cx.tell(Event::Friend(peer));
            self.fades.start_theirs(peer, chat.storage(), cx);
        }
        self.flush(peer, cx);
        cx.answer(ask, Ok(Answer::Done));
    }

    /// The link is up: everything unconfirmed goes over it, in order.
    pub fn up(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        self.linked.insert(peer);
        if let Some(chat) = self.chats.get_mut(&peer) {
            chat.given = chat.row.confirmed;
            chat.flush(peer, cx);
        }
    }

    pub fn down(&mut self, peer: UserId) {
        self.linked.remove(&peer);
    }

    /// An item arrived: kept once, confirmed always.
    pub fn item(&mut self, peer: UserId, item: Item, cx: &mut Cx<'_>) {
        let Item { lane, seq, at, body } = item;
        let chat = self.chat(peer, cx);
        if lane == chat.row.lane {
            // Nobody else numbers in our lane: under its name theirs could not be told from ours.
            self.refused += 1;
            return;
        }
        if chat.row.their_lane != Some(lane) {
            chat.row.their_lane = Some(lane);
            chat.row.heard = ItemSeq(0);
            chat.row.fresh.clear();
        }
        let mut read = None;
        if seq > chat.row.heard {
            chat.row.heard = seq;
            match body {
                Body::Read(mark) => read = Some(mark),
                body => self.heard(peer, MessageId { lane, seq }, at, body, cx),
            }
            let chat = self.chat(peer, cx);
            cx.save(chat.row.put(peer, 0));
        }
        let up_to = self.chat(peer, cx).row.heard;
        cx.say(peer, Record::Received(Mark { lane, up_to }));
        if let Some(mark) = read {
            self.read(peer, mark, cx);
        }
    }

    fn heard(&mut self, peer: UserId, id: MessageId, at: UnixMs, body: Body, cx: &mut Cx<'_>) {
        let reply = match &body {
            Body::Words(words) => words.reply,
            Body::Text(_) | Body::Gone(_) => None,
            Body::File(_) => {
                cx.fact(Fact::Posted(peer, body.clone()));
                None
            }
            Body::FileEnd(_) => return cx.fact(Fact::Posted(peer, body)),
            _ => return self.amended(peer, id, at, body, cx),
        };
        let stay_s = stay_of(&body).map(|stay_s| self.bounded(stay_s));
        let row = MessageRow { reply, stay_s, ..new_entry(true, id, at, cx.now.wall) };
        self.take(peer, row, &content_of(&body), cx);
    }

    /// A text is kept whatever it says about its time.
    fn bounded(&mut self, stay_s: u32) -> u32 {
        self.refused += u64::from(!STAY_S.contains(&stay_s));
        stay_s.clamp(*STAY_S.start(), *STAY_S.end())
    }

    /// Keeps a message of theirs; one without content was taken back before it came.
    pub fn take(&mut self, peer: UserId, row: MessageRow, content: &ContentRow, cx: &mut Cx<'_>) {
        let Some((chat, id)) = self.chats.get_mut(&peer).zip(row.id()) else { return };
        chat.enter(peer, &row, cx);
        if *content == ContentRow::default() {
            return;
        }
        chat.row.arrived(id.seq);
        cx.keep(chat.storage(), content.put(peer, content_at(true, id)));
        cx.tell(Event::Friend(peer));
        self.fade(peer, true, id, row.stay_s, cx);
    }

    /// A person read ours: then they were received, whether or not that word came through.
    fn read(&mut self, peer: UserId, mark: Mark, cx: &mut Cx<'_>) {
        self.received(peer, mark, cx);
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        if mark.lane == chat.row.lane && mark.up_to > chat.row.read && mark.up_to <= chat.row.confirmed {
            chat.row.read = mark.up_to;
            cx.save(chat.row.put(peer, 0));
            cx.tell(Event::Marks(peer));
        }
    }

    /// The peer confirms ours.
    pub fn received(&mut self, peer: UserId, mark: Mark, cx: &mut Cx<'_>) {
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        // A peer that confirms what was never sent to it is wrong, or meant another of our stores.
        if mark.lane != chat.row.lane || mark.up_to > chat.row.last || mark.up_to <= chat.row.confirmed {
            return;
        }
        chat.row.confirmed = mark.up_to;
        while let Some((seq, outgoing)) = chat.outbox.pop_front_if(|(seq, _)| *seq <= mark.up_to) {
            cx.save(OutgoingRow::drop_at(peer, seq.0));
            if outgoing.message.is_some() {
                let id = MessageId { lane: mark.lane, seq };
                self.fades.start(peer, content_at(false, id), chat.storage(), cx);
            }
        }
        cx.save(chat.row.put(peer, 0));
        cx.tell(Event::Marks(peer));
        self.flush(peer, cx);
    }

    /// The friendship is over: messages that wait are not delivered, unless the user sends them again once it is back.
    /// What is said about earlier ones goes on waiting.
    pub fn fail(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        let (storage, lane) = (chat.storage(), chat.row.lane);
        for (seq, mut outgoing) in std::mem::take(&mut chat.outbox) {
            let Some(position) = outgoing.message else {
                chat.outbox.push_back((seq, outgoing));
                continue;
            };
            // A transfer ends with the friendship: what it would send again nobody holds.
            let again = !matches!(outgoing.body, Body::File(_));
            outgoing.failed = Some(if again { 1 } else { 2 });
            cx.keep(storage, kept_entry(MessageId { lane, seq }, &outgoing).put(peer, position));
            if again {
                cx.keep(storage, outgoing.put(peer, seq.0));
                chat.failed.insert(seq, outgoing);
            } else {
                cx.save(OutgoingRow::drop_at(peer, seq.0));
            }
            cx.tell(Event::Message { peer, position });
        }
        while chat.failed.len() > OUTBOX_ITEMS
            && let Some((seq, _)) = chat.failed.pop_first()
        {
            cx.save(OutgoingRow::drop_at(peer, seq.0));
        }
        self.flush(peer, cx);
    }

    fn chat(&mut self, peer: UserId, cx: &mut Cx<'_>) -> &mut Chat {
        self.chats.entry(peer).or_insert_with(|| Chat::new(ChatRow::new(LaneId(cx.roll()))))
    }
}
