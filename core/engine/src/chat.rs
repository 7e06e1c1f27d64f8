//! What friends write: numbered, kept until confirmed, sent in order on every new link, kept once at the other end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sidetone_wire::id::{ItemSeq, LaneId, UnixMs, UserId};
use sidetone_wire::record::{Body, Item, Mark, Record, Text};

use crate::WINDOW_BYTES;
use crate::cx::Cx;
use crate::effect::{Answer, CommandError, Event};
use crate::input::{Ask, Receipts};
use crate::row::{ChatRow, MessageRow, OutgoingRow, Row};

/// Items that may wait for one friend.
pub(crate) const OUTBOX_ITEMS: usize = 1_000;
/// What an item takes beside its text.
const ITEM_OVERHEAD: usize = 256;

pub(crate) struct Chats {
    chats: BTreeMap<UserId, Chat>,
    /// To whom a link is up.
    linked: BTreeSet<UserId>,
    /// For whom something waits.
    waiting: BTreeSet<UserId>,
}

struct Chat {
    row: ChatRow,
    outbox: VecDeque<(ItemSeq, OutgoingRow)>,
    /// The last item given to the link that is up; what was given to an earlier one counts as lost.
    given: ItemSeq,
}

impl Chat {
    fn new(row: ChatRow) -> Self {
        let given = row.confirmed;
        Self { row, outbox: VecDeque::new(), given }
    }

    /// Numbers an item and keeps it.
    fn queue(&mut self, peer: UserId, body: Body, message: Option<u64>, cx: &mut Cx<'_>) -> ItemSeq {
        let seq = self.row.last.next();
        let outgoing = OutgoingRow { at: cx.now.wall, body, message };
        self.row.last = seq;
        cx.save(outgoing.put(peer, seq.0));
        self.outbox.push_back((seq, outgoing));
        seq
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
    match body {
        Body::Text(text) => text.as_str().len().saturating_add(ITEM_OVERHEAD),
        Body::Read(_) => ITEM_OVERHEAD,
    }
}

impl Chats {
    pub fn new() -> Self {
        Self { chats: BTreeMap::new(), linked: BTreeSet::new(), waiting: BTreeSet::new() }
    }

    pub fn restore(&mut self, peer: UserId, row: ChatRow) {
        self.chats.insert(peer, Chat::new(row));
    }

    /// Takes back an item; they come in the order of their numbers.
    pub fn restore_outgoing(&mut self, peer: UserId, seq: ItemSeq, row: OutgoingRow) {
        if let Some(chat) = self.chats.get_mut(&peer) {
            chat.outbox.push_back((seq, row));
            self.waiting.insert(peer);
        }
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

    /// For whom something waits.
    pub fn waiting(&self) -> impl Iterator<Item = UserId> + '_ {
        self.waiting.iter().copied()
    }

    pub fn send(&mut self, ask: Ask, peer: UserId, text: Text, cx: &mut Cx<'_>) {
        let chat = self.chat(peer, cx);
        if chat.outbox.len() >= OUTBOX_ITEMS {
            return cx.answer(ask, Err(CommandError::OutboxFull));
        }
        let position = chat.row.next;
        chat.row.next = position.saturating_add(1);
        let seq = chat.queue(peer, Body::Text(text.clone()), Some(position), cx);
        let (at, kept) = (cx.now.wall, cx.now.wall);
        cx.save(MessageRow { theirs: false, seq, at, kept, text, failed: None }.put(peer, position));
        cx.save(chat.row.put(peer, 0));
        cx.answer(ask, Ok(Answer::Message(position)));
        cx.tell(Event::Message { peer, position });
        self.flush(peer, cx);
    }

    /// Notes whether something waits, and gives the link what it takes.
    fn flush(&mut self, peer: UserId, cx: &mut Cx<'_>) {
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
            chat.row.unread = 0;
            let room = chat.outbox.len() < OUTBOX_ITEMS && receipts == Receipts::Send;
            if let Some(lane) = chat.row.their_lane.filter(|_| room) {
                let up_to = chat.row.heard;
                chat.queue(peer, Body::Read(Mark { lane, up_to }), None, cx);
            }
            cx.save(chat.row.put(peer, 0));
            cx.tell(Event::Friend(peer));
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
        let mut read = None;
        let chat = self.chat(peer, cx);
        if chat.row.their_lane != Some(item.lane) {
            chat.row.their_lane = Some(item.lane);
            chat.row.heard = ItemSeq(0);
        }
        if item.seq > chat.row.heard {
            chat.row.heard = item.seq;
            match item.body {
                Body::Text(text) => chat.keep(peer, item.seq, item.at, text, cx),
                Body::Read(mark) => read = Some(mark),
            }
            cx.save(chat.row.put(peer, 0));
        }
        let up_to = chat.row.heard;
        cx.say(peer, Record::Received(Mark { lane: item.lane, up_to }));
        if let Some(mark) = read {
            self.read(peer, mark, cx);
        }
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
        while let Some((seq, _)) = chat.outbox.front().filter(|(seq, _)| *seq <= mark.up_to) {
            cx.save(OutgoingRow::drop_at(peer, seq.0));
            chat.outbox.pop_front();
        }
        cx.save(chat.row.put(peer, 0));
        cx.tell(Event::Marks(peer));
        self.flush(peer, cx);
    }

    /// The friendship is over: what waits will never arrive.
    pub fn fail(&mut self, peer: UserId, cx: &mut Cx<'_>) {
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        self.waiting.remove(&peer);
        for (seq, outgoing) in std::mem::take(&mut chat.outbox) {
            cx.save(OutgoingRow::drop_at(peer, seq.0));
            if let (Body::Text(text), Some(position)) = (outgoing.body, outgoing.message) {
                let (at, kept) = (outgoing.at, outgoing.at);
                cx.save(MessageRow { theirs: false, seq, at, kept, text, failed: Some(1) }.put(peer, position));
                cx.tell(Event::Message { peer, position });
            }
        }
    }

    fn chat(&mut self, peer: UserId, cx: &mut Cx<'_>) -> &mut Chat {
        self.chats.entry(peer).or_insert_with(|| {
            let (lane, zero) = (LaneId(cx.roll()), ItemSeq(0));
            let (last, confirmed, read, heard) = (zero, zero, zero, zero);
            Chat::new(ChatRow { lane, last, confirmed, read, their_lane: None, heard, next: 1, unread: 0 })
        })
    }
}

impl Chat {
    fn keep(&mut self, peer: UserId, seq: ItemSeq, at: UnixMs, text: Text, cx: &mut Cx<'_>) {
        let position = self.row.next;
        self.row.next = position.saturating_add(1);
        self.row.unread = self.row.unread.saturating_add(1);
        cx.save(MessageRow { theirs: true, seq, at, kept: cx.now.wall, text, failed: None }.put(peer, position));
        cx.tell(Event::Message { peer, position });
        cx.tell(Event::Friend(peer));
    }
}
