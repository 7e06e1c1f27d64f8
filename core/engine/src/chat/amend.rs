//! What is said about what was said: other words, a message taken back, reactions, and how long messages stay.
//!
//! The engine holds no conversation. It names what it changes, and the change takes place if that is still there
//! ([`crate::Effect::Amend`]): words for a message that is gone, or a reaction to nothing, leave no trace.

use sidetone_wire::id::{ItemSeq, TransferId, UnixMs, UserId};
use sidetone_wire::limits::STAY_S;
use sidetone_wire::record::{Body, Edit, MessageId, React, Reactions, Stay, Text};

use super::{Chat, Chats, OUTBOX_ITEMS};
use crate::cx::{Cx, Fact};
use crate::effect::{Answer, CommandError, Event};
use crate::input::{Ask, ChatCommand, Storage};
use crate::row::{
    ContentRow, DraftRow, MessageRow, OutgoingRow, Place, ReactionRow, Row, Table, TimerEntry, content_at, reaction_at,
};

/// Messages taken back may wait beyond what else may: each makes another one go.
const OUTBOX_LIMIT: usize = 2 * OUTBOX_ITEMS;

impl Chats {
    pub fn command(&mut self, ask: Ask, peer: UserId, command: ChatCommand, cx: &mut Cx<'_>) {
        let outcome = match command {
            ChatCommand::Reply(message, text) => return self.send(ask, peer, text, Some(message), cx),
            ChatCommand::Retry(message) => self.retry(peer, message, cx),
            ChatCommand::Edit(message, text) => self.edit(peer, message, text, cx),
            ChatCommand::Delete(message) => self.delete(peer, message, cx),
            ChatCommand::React(message, emoji) => self.react(peer, message, emoji, cx),
            ChatCommand::SetStay(stay_s) => self.set_stay(peer, stay_s, cx),
            ChatCommand::SetDraft(text) => {
                self.set_draft(peer, text, cx);
                Ok(())
            }
            ChatCommand::SetStorage(storage) => {
                let chat = self.chat(peer, cx);
                chat.row.storage = (storage == Storage::Ephemeral).into();
                cx.save(chat.row.put(peer, 0));
                cx.tell(Event::Chat(peer));
                Ok(())
            }
        };
        cx.answer(ask, outcome.map(|()| Answer::Done));
        self.flush(peer, cx);
    }

    /// The chat in which this message is one of ours.
    fn ours(&mut self, peer: UserId, message: MessageId) -> Result<&mut Chat, CommandError> {
        let chat = self.chats.get_mut(&peer).ok_or(CommandError::NoSuchMessage)?;
        chat.is_ours(message).then_some(chat).ok_or(CommandError::NoSuchMessage)
    }

    fn edit(&mut self, peer: UserId, message: MessageId, text: Text, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let chat = self.ours(peer, message)?;
        chat.has_room(OUTBOX_ITEMS)?;
        // What waits goes with its new words, and the edit goes all the same: an earlier link may have carried the old.
        chat.reword(peer, message.seq, &text, cx);
        chat.write(peer, false, message, text.clone(), cx.now.wall, cx);
        if !chat.failed.contains_key(&message.seq) {
            chat.queue(peer, Body::Edit(Edit { message, text }), None, cx);
            cx.save(chat.row.put(peer, 0));
        }
        Ok(())
    }

    fn delete(&mut self, peer: UserId, message: MessageId, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let chat = self.ours(peer, message)?;
        chat.has_room(OUTBOX_LIMIT)?;
        if chat.failed.remove(&message.seq).is_some() {
            cx.save(OutgoingRow::drop_at(peer, message.seq.0));
        } else {
            // What waits never goes, and it is taken back all the same: an earlier link may have carried it.
            let offer = chat.take_back(peer, message.seq, cx);
            chat.queue(peer, Body::Delete(message), None, cx);
            cx.save(chat.row.put(peer, 0));
            if let Some(transfer) = offer {
                cx.fact(Fact::Withdrawn(transfer));
            }
        }
        self.erase(peer, false, message, cx);
        Ok(())
    }

    fn react(
        &mut self,
        peer: UserId,
        message: MessageId,
        emoji: Reactions,
        cx: &mut Cx<'_>,
    ) -> Result<(), CommandError> {
        let chat = self.chats.get_mut(&peer).ok_or(CommandError::NoSuchMessage)?;
        let theirs = chat.whose(message).ok_or(CommandError::NoSuchMessage)?;
        chat.has_room(OUTBOX_ITEMS)?;
        chat.think(peer, theirs, message, (false, emoji.clone()), cx);
        chat.queue(peer, Body::React(React { message, emoji }), None, cx);
        cx.save(chat.row.put(peer, 0));
        Ok(())
    }

    fn set_stay(&mut self, peer: UserId, stay_s: Option<u32>, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        if stay_s.is_some_and(|stay_s| !STAY_S.contains(&stay_s)) {
            return Err(CommandError::StayRange);
        }
        let chat = self.chat(peer, cx);
        if chat.row.our_stay_s == stay_s {
            return Ok(());
        }
        chat.has_room(OUTBOX_ITEMS)?;
        chat.row.our_stay_s = stay_s;
        let seq = chat.queue(peer, Body::Timer(Stay { seconds: stay_s }), None, cx);
        let id = MessageId { lane: chat.row.lane, seq };
        chat.note(peer, false, id, stay_s, cx.now.wall, cx);
        cx.save(chat.row.put(peer, 0));
        Ok(())
    }

    fn set_draft(&mut self, peer: UserId, text: Option<Text>, cx: &mut Cx<'_>) {
        let chat = self.chat(peer, cx);
        if chat.draft == text {
            return;
        }
        match &text {
            Some(text) => cx.keep(chat.storage(), DraftRow { text: text.clone() }.put(peer, 0)),
            None => cx.save(DraftRow::drop_at(peer, 0)),
        }
        chat.draft = text;
        cx.save(chat.row.put(peer, 0));
        cx.tell(Event::Chat(peer));
    }

    /// A friend says something about what was said. It is about their own messages, or a reaction; anything else is refused.
    pub(super) fn amended(&mut self, peer: UserId, id: MessageId, at: UnixMs, body: Body, cx: &mut Cx<'_>) {
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        match body {
            Body::Edit(edit) if chat.whose(edit.message) == Some(true) => {
                chat.write(peer, true, edit.message, edit.text, at, cx);
            }
            Body::Delete(message) if chat.whose(message) == Some(true) => {
                if chat.row.their_lane == Some(message.lane) && chat.row.withdraw(message.seq) {
                    cx.tell(Event::Friend(peer));
                }
                self.erase(peer, true, message, cx);
            }
            Body::React(react) => match chat.whose(react.message) {
                Some(theirs) => chat.think(peer, theirs, react.message, (true, react.emoji), cx),
                None => self.refused += 1,
            },
            Body::Timer(Stay { seconds }) if seconds.is_none_or(|seconds| STAY_S.contains(&seconds)) => {
                if chat.row.their_stay_s != seconds {
                    chat.row.their_stay_s = seconds;
                    chat.note(peer, true, id, seconds, at, cx);
                }
            }
            _ => self.refused += 1,
        }
    }

    /// Erases what a message says and all that was said about it.
    pub(super) fn erase(&mut self, peer: UserId, theirs: bool, message: MessageId, cx: &mut Cx<'_>) {
        let at = content_at(theirs, message);
        cx.save(ContentRow::drop_at(peer, at));
        for person in [false, true] {
            cx.save(ReactionRow::drop_at(peer, reaction_at(at, person)));
        }
        self.fades.remove(peer, at, cx);
        cx.tell(Event::Amended { peer, message });
    }

    /// What was not delivered is sent again, from its place in the conversation and under a new number.
    fn retry(&mut self, peer: UserId, message: MessageId, cx: &mut Cx<'_>) -> Result<(), CommandError> {
        let chat = self.ours(peer, message)?;
        chat.has_room(OUTBOX_ITEMS)?;
        let held = |outgoing: &OutgoingRow| !matches!(outgoing.body, Body::File(_));
        if !chat.failed.get(&message.seq).is_some_and(held) {
            return Err(CommandError::NoSuchMessage);
        }
        let mut outgoing = chat.failed.remove(&message.seq).ok_or(CommandError::NoSuchMessage)?;
        let position = outgoing.message.ok_or(CommandError::NoSuchMessage)?;
        cx.save(OutgoingRow::drop_at(peer, message.seq.0));
        outgoing.failed = None;
        let seq = chat.queue(peer, outgoing.body.clone(), Some(position), cx);
        outgoing.at = cx.now.wall;
        let id = MessageId { lane: chat.row.lane, seq };
        let storage = chat.storage();
        cx.keep(storage, super::kept_entry(id, &outgoing).put(peer, position));
        cx.keep(storage, super::content_of(&outgoing.body).put(peer, content_at(false, id)));
        cx.save(chat.row.put(peer, 0));
        self.erase(peer, false, message, cx);
        self.fade(peer, false, id, super::stay_of(&outgoing.body), cx);
        cx.tell(Event::Message { peer, position });
        Ok(())
    }
}

impl Chat {
    fn is_ours(&self, message: MessageId) -> bool {
        message.lane == self.row.lane && (ItemSeq(1)..=self.row.last).contains(&message.seq)
    }

    /// Whether a message can only be theirs; `None` if it can be neither theirs nor ours.
    fn whose(&self, message: MessageId) -> Option<bool> {
        let heard = message.seq <= self.row.heard || self.row.their_lane != Some(message.lane);
        let theirs = message.lane != self.row.lane;
        (if theirs { heard } else { self.is_ours(message) }).then_some(theirs)
    }

    fn has_room(&self, limit: usize) -> Result<(), CommandError> {
        if self.outbox.len() < limit { Ok(()) } else { Err(CommandError::OutboxFull) }
    }

    /// Gives what waits other words.
    fn reword(&mut self, peer: UserId, seq: ItemSeq, text: &Text, cx: &mut Cx<'_>) {
        let storage = self.storage();
        let Some(outgoing) = self.waiting_mut(seq) else { return };
        match &mut outgoing.body {
            Body::Text(words) => *words = text.clone(),
            Body::Words(said) => said.text = text.clone(),
            _ => return,
        }
        cx.keep(storage, outgoing.put(peer, seq.0));
    }

    /// Leaves of what waits only its number. Says which file it offered, if it did.
    fn take_back(&mut self, peer: UserId, seq: ItemSeq, cx: &mut Cx<'_>) -> Option<TransferId> {
        let storage = self.storage();
        let outgoing = self.waiting_mut(seq).filter(|outgoing| outgoing.message.is_some())?;
        let offer = match &outgoing.body {
            Body::File(offer) => Some(offer.transfer),
            _ => None,
        };
        outgoing.body = Body::Gone(Stay { seconds: super::stay_of(&outgoing.body) });
        outgoing.message = None;
        cx.keep(storage, outgoing.put(peer, seq.0));
        offer
    }

    fn waiting_mut(&mut self, seq: ItemSeq) -> Option<&mut OutgoingRow> {
        let at = self.outbox.binary_search_by_key(&seq, |(seq, _)| *seq).ok();
        let waiting = at.and_then(|at| self.outbox.get_mut(at)).map(|(_, outgoing)| outgoing);
        waiting.or_else(|| self.failed.get_mut(&seq))
    }

    /// A message has these words now, if it is still there.
    fn write(&self, peer: UserId, theirs: bool, message: MessageId, text: Text, at: UnixMs, cx: &mut Cx<'_>) {
        let place = Place { table: Table::Content, owner: peer, position: content_at(theirs, message) };
        let content = ContentRow { text: Some(text), file: None, edited: Some(at) };
        cx.amend(place, content.put(peer, place.position));
        cx.tell(Event::Amended { peer, message });
    }

    /// Somebody thinks this of a message, if it is still there.
    fn think(&self, peer: UserId, theirs: bool, message: MessageId, (they, emoji): (bool, Reactions), cx: &mut Cx<'_>) {
        let place = Place { table: Table::Content, owner: peer, position: content_at(theirs, message) };
        let at = reaction_at(place.position, they);
        match emoji.is_empty() {
            true => cx.save(ReactionRow::drop_at(peer, at)),
            false => cx.amend(place, ReactionRow { emoji }.put(peer, at)),
        }
        cx.tell(Event::Amended { peer, message });
    }

    /// Somebody wants messages to stay this long.
    fn note(&mut self, peer: UserId, theirs: bool, id: MessageId, stay_s: Option<u32>, at: UnixMs, cx: &mut Cx<'_>) {
        let timer = Some(TimerEntry { stay_s });
        let row = MessageRow { timer, ..super::new_entry(theirs, id, at, cx.now.wall) };
        self.enter(peer, &row, cx);
        cx.tell(Event::Chat(peer));
    }
}
