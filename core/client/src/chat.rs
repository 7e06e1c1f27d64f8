//! What an app does with conversations.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sidetone_engine::row::{
    CallEntry, Content, ContentRow, Entry, FileEntry, MessageRow, MessageState, Place, Row, Table,
};
use sidetone_engine::{Answer, ChatCommand, Command, Storage};
use sidetone_wire::id::UserId;
use sidetone_wire::record::{MessageId, Reactions, Text};

use crate::client::Client;
use crate::driver::Inside;
use crate::error::Error;
use crate::store::StoreError;

/// Rows of a conversation that one look of a search goes through: a few milliseconds of the driver's time.
const SCAN: usize = 500;

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place: larger is later.
    pub position: u64,
    /// Its name, the same on both phones. None for a call, and for what the first version kept: such a one can neither be
    /// changed nor answered.
    pub id: Option<MessageId>,
    /// True if it is theirs.
    pub theirs: bool,
    /// The words of a text; empty for anything else.
    pub text: String,
    /// What it is.
    pub what: What,
    /// The message that it answers.
    pub reply: Option<MessageId>,
    /// When it was written, by its sender's clock, in milliseconds since 1970.
    pub written_ms: u64,
    /// When it was kept here, by ours.
    pub kept_ms: u64,
    /// When its sender last gave it other words, by the sender's clock.
    pub edited_ms: Option<u64>,
    /// Seconds that it stays: ours once it is delivered, theirs once it is read.
    pub stay_s: Option<u32>,
    /// What became of it.
    pub state: MessageState,
    /// What both think of it.
    pub reactions: Vec<Reaction>,
}

/// What an entry of a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A text.
    Text,
    /// A file.
    File(FileEntry),
    /// A call that is over; it is theirs if they called.
    Call(CallEntry),
    /// Somebody's wish about how long messages stay, in seconds; none for ever.
    Timer(Option<u32>),
    /// Taken back by its sender.
    Deleted,
    /// Disappeared in time.
    Expired,
}

/// One emoji under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The emoji, as its sender wrote it.
    pub emoji: String,
    /// Whether it is ours.
    pub ours: bool,
    /// Whether it is theirs.
    pub theirs: bool,
}

/// A conversation in a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// With whom.
    pub peer: UserId,
    /// The place of its last entry, if there is one: `history(peer, None, 1)` reads it.
    pub last: Option<u64>,
    /// When that was kept, in milliseconds since 1970; 0 if nothing was.
    pub active_ms: u64,
    /// Their messages, and missed calls, that the user has not seen.
    pub unread: u32,
    /// What the user began to write.
    pub draft: Option<String>,
    /// Seconds that we want messages to stay; none for ever.
    pub our_stay_s: Option<u32>,
    /// Seconds that they want messages to stay. The shorter wish counts.
    pub their_stay_s: Option<u32>,
    /// Where it is kept on this phone.
    pub storage: Storage,
}

/// How far a search went: older entries are behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchMark {
    kept_ms: u64,
    peer: UserId,
    position: u64,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The texts, newest first, and in whose conversations.
    pub hits: Vec<(UserId, Message)>,
    /// Where to go on; `None` when that was all.
    pub next: Option<SearchMark>,
}

/// Conversations.
impl Client {
    /// Says something to a friend, now or when they are there, and gives its place in the conversation. Once this
    /// returns it is kept, and arrives once.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`], [`Error::NotFriends`], [`Error::OutboxFull`] and what any command can meet.
    pub async fn send_text(&self, peer: UserId, text: &str) -> Result<u64, Error> {
        self.say(Command::SendText(peer, words(text)?)).await
    }

    /// The same, in answer to a message of either.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`], [`Error::NotFriends`], [`Error::OutboxFull`] and what any command can meet.
    pub async fn reply(&self, peer: UserId, to: MessageId, text: &str) -> Result<u64, Error> {
        self.say(Command::Chat(peer, ChatCommand::Reply(to, words(text)?))).await
    }

    async fn say(&self, command: Command) -> Result<u64, Error> {
        match self.order(command).await? {
            Answer::Message(position) => Ok(position),
            _ => Err(Error::Protocol),
        }
    }

    async fn chat(&self, peer: UserId, command: ChatCommand) -> Result<(), Error> {
        self.done(Command::Chat(peer, command)).await
    }

    /// Gives a text of ours other words, on both phones.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] for what is not a text of ours or is gone, [`Error::TextLength`], [`Error::OutboxFull`]
    /// and what any command can meet.
    pub async fn edit(&self, peer: UserId, message: MessageId, text: &str) -> Result<(), Error> {
        let text = words(text)?;
        match self.find(peer, false, message).await? {
            What::Text => self.chat(peer, ChatCommand::Edit(message, text)).await,
            _ => Err(Error::NoSuchMessage),
        }
    }

    /// Takes a message of ours back: here at once, on the friend's phone when it can be told. What has not left yet never
    /// does.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] for what is not ours, and what any command can meet.
    pub async fn delete(&self, peer: UserId, message: MessageId) -> Result<(), Error> {
        self.chat(peer, ChatCommand::Delete(message)).await
    }

    /// Says what we think of a message of either: all of it, in place of what we thought before.
    ///
    /// # Errors
    ///
    /// [`Error::Reactions`], [`Error::NoSuchMessage`], [`Error::OutboxFull`] and what any command can meet.
    pub async fn react(&self, peer: UserId, message: MessageId, emoji: &[&str]) -> Result<(), Error> {
        let set = Reactions::parse(emoji.iter().map(|one| (*one).to_owned())).ok_or(Error::Reactions)?;
        self.chat(peer, ChatCommand::React(message, set)).await
    }

    /// Sends again what was not delivered: [`MessageState::Failed`] says whether it can be.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] for what did not fail, [`Error::NotFriends`], [`Error::OutboxFull`] and what any command
    /// can meet.
    pub async fn retry(&self, peer: UserId, message: MessageId) -> Result<(), Error> {
        self.chat(peer, ChatCommand::Retry(message)).await
    }

    /// Chooses how many seconds messages written from now on stay; the friend is told, and the shorter of both wishes
    /// counts on both phones. None is for ever.
    ///
    /// # Errors
    ///
    /// [`Error::StayRange`], [`Error::NotFriends`], [`Error::OutboxFull`] and what any command can meet.
    pub async fn set_timer(&self, peer: UserId, stay_s: Option<u32>) -> Result<(), Error> {
        self.chat(peer, ChatCommand::SetStay(stay_s)).await
    }

    /// Keeps what the user began to write; nothing when it is empty. Sending drops it.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`], [`Error::NotFriends`] and what any command can meet.
    pub async fn set_draft(&self, peer: UserId, text: &str) -> Result<(), Error> {
        let text = if text.is_empty() { None } else { Some(words(text)?) };
        self.chat(peer, ChatCommand::SetDraft(text)).await
    }

    /// Chooses where a conversation is kept on this phone from now on; what was kept before stays where it is.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn set_storage(&self, peer: UserId, storage: Storage) -> Result<(), Error> {
        self.chat(peer, ChatCommand::SetStorage(storage)).await
    }

    /// The user has seen everything a friend sent.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn mark_read(&self, peer: UserId) -> Result<(), Error> {
        self.done(Command::MarkRead(peer)).await
    }

    /// The user is writing to a friend; nobody is told who is not there.
    ///
    /// # Errors
    ///
    /// What any command can meet.
    pub async fn typing(&self, peer: UserId) -> Result<(), Error> {
        self.done(Command::Typing(peer)).await
    }

    /// Every conversation, the one with the newest entry first.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn chats(&self) -> Result<Vec<Chat>, Error> {
        let mut chats = self.look(|inside| inside.engine.chats()).await?;
        chats.sort_by_key(|chat| Reverse(chat.active));
        Ok(chats.into_iter().map(Chat::from).collect())
    }

    /// Up to `limit` (at most 500) entries of a conversation before a position, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn history(&self, peer: UserId, before: Option<u64>, limit: usize) -> Result<Vec<Message>, Error> {
        let read = move |inside: &Inside| {
            let page = inside.store.page(peer, before, limit)?;
            page.into_iter().map(|(position, row)| inside.message(peer, position, row)).collect::<Result<Vec<_>, _>>()
        };
        self.look(read).await?.map_err(Error::Storage)
    }

    /// Texts that hold these words, whatever their case, newest first: of one conversation, or of all. At most `limit` (at
    /// most 500) of them, older than `before`. It goes through the store row by row, a few milliseconds at a time, so that
    /// calls and messages go on meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`] for no words, [`Error::Closed`], [`Error::Storage`].
    pub async fn search(
        &self,
        peer: Option<UserId>,
        words: &str,
        before: Option<SearchMark>,
        limit: usize,
    ) -> Result<Found, Error> {
        let needle = words.trim().to_lowercase();
        if needle.is_empty() {
            return Err(Error::TextLength);
        }
        let limit = limit.clamp(1, 500);
        // One more than is wanted tells whether there is more.
        let mut best = BTreeMap::new();
        let chats = self.chats().await?.into_iter().map(|chat| chat.peer);
        for chat in chats.filter(|chat| peer.is_none_or(|peer| peer == *chat)) {
            let mut from = match before {
                Some(mark) => Some(self.look(move |inside| inside.resume(chat, mark)).await?.map_err(Error::Storage)?),
                None => None,
            };
            loop {
                let (needle, floor) = (needle.clone(), best.first_key_value().map(|(mark, _)| *mark));
                let floor = floor.filter(|_| best.len() > limit);
                let part = self.look(move |inside| inside.scan(chat, from, &needle, floor)).await?;
                let (hits, next) = part.map_err(Error::Storage)?;
                for message in hits {
                    let mark = SearchMark { kept_ms: message.kept_ms, peer: chat, position: message.position };
                    if before.is_none_or(|before| mark < before) {
                        best.insert(mark, message);
                    }
                    if best.len() > limit + 1 {
                        best.pop_first();
                    }
                }
                from = next;
                if from.is_none() {
                    break;
                }
            }
        }
        let more = best.len() > limit;
        let found = best.into_iter().rev().take(limit);
        let mut last = None;
        let hits = found.map(|(mark, message)| {
            last = Some(mark);
            (mark.peer, message)
        });
        let hits = hits.collect();
        Ok(Found { hits, next: last.filter(|_| more) })
    }

    /// What a message says now.
    async fn find(&self, peer: UserId, theirs: bool, message: MessageId) -> Result<What, Error> {
        let read = move |inside: &Inside| inside.content(peer, theirs, message);
        self.look(read).await?.map_err(Error::Storage)
    }
}

fn words(text: &str) -> Result<Text, Error> {
    Text::parse(text).ok_or(Error::TextLength)
}

/// Texts of a scan, and where the next goes on.
type Part = (Vec<Message>, Option<u64>);

impl Inside {
    fn message(&self, peer: UserId, position: u64, row: MessageRow) -> Result<Message, StoreError> {
        let chat = self.engine.chat(peer).ok_or(StoreError::Damaged)?;
        let read = |table, position| -> Result<_, StoreError> {
            let row = self.store.row(Place { table, owner: peer, position })?;
            Ok(row.map(|row| row.to_vec()))
        };
        row.entry(position, (chat, self.engine.given(peer)), read).map(Message::from)
    }

    fn content(&self, peer: UserId, theirs: bool, message: MessageId) -> Result<What, StoreError> {
        if self.engine.chat(peer).is_none() {
            return Ok(What::Deleted);
        }
        let row = MessageRow { lane: Some(message.lane), ..MessageRow::new(theirs, message.seq) };
        self.message(peer, 0, row).map(|message| message.what)
    }

    /// The words of an entry, and nothing else of it.
    fn words(&self, peer: UserId, row: &MessageRow) -> Result<Option<Text>, StoreError> {
        let Some(position) = row.content_at() else { return Ok(row.text.clone()) };
        let content = self.store.row(Place { table: Table::Content, owner: peer, position })?;
        Ok(content.map(|bytes| ContentRow::read(&bytes)).transpose()?.and_then(|content| content.text))
    }

    /// Where a search goes on in a conversation: whatever lies from there on was kept later than the mark. Finds it by
    /// halves, because entries lie in the order in which they were kept.
    fn resume(&self, peer: UserId, mark: SearchMark) -> Result<u64, StoreError> {
        if peer == mark.peer {
            return Ok(mark.position);
        }
        let (mut low, mut high) = (0, self.engine.chat(peer).map_or(0, |chat| chat.next));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.store.page(peer, Some(middle + 1), 1)?.pop() {
                Some((position, row)) if row.kept.0 > mark.kept_ms => high = position,
                _ => low = middle + 1,
            }
        }
        Ok(low)
    }

    /// Goes through [`SCAN`] entries older than a position; stops at one that is older than the floor.
    fn scan(
        &self,
        peer: UserId,
        before: Option<u64>,
        needle: &str,
        floor: Option<SearchMark>,
    ) -> Result<Part, StoreError> {
        let page = self.store.page(peer, before, SCAN)?;
        let full = page.len() == SCAN;
        let (mut hits, mut next) = (Vec::new(), None);
        for (position, row) in page {
            if floor.is_some_and(|floor| row.kept.0 < floor.kept_ms) {
                return Ok((hits, None));
            }
            next = Some(position);
            if self.words(peer, &row)?.is_some_and(|text| text.as_str().to_lowercase().contains(needle)) {
                hits.push(self.message(peer, position, row)?);
            }
        }
        Ok((hits, next.filter(|_| full)))
    }
}

impl From<Entry> for Message {
    fn from(entry: Entry) -> Self {
        let (text, what) = match entry.content {
            Content::Text(text) => (text.into_string(), What::Text),
            Content::File(file) => (String::new(), What::File(file)),
            Content::Call(call) => (String::new(), What::Call(call)),
            Content::Timer(timer) => (String::new(), What::Timer(timer.stay_s)),
            Content::Deleted => (String::new(), What::Deleted),
            Content::Expired => (String::new(), What::Expired),
        };
        let mut reactions: Vec<Reaction> = Vec::new();
        for (set, ours) in [(&entry.ours, true), (&entry.theirs_emoji, false)] {
            for emoji in set.iter() {
                match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
                    Some(reaction) => reaction.theirs = true,
                    None => reactions.push(Reaction { emoji: emoji.to_owned(), ours, theirs: !ours }),
                }
            }
        }
        Self {
            position: entry.position,
            id: entry.id,
            theirs: entry.theirs,
            text,
            what,
            reply: entry.reply,
            written_ms: entry.at.0,
            kept_ms: entry.kept.0,
            edited_ms: entry.edited.map(|at| at.0),
            stay_s: entry.stay_s,
            state: entry.state,
            reactions,
        }
    }
}

impl From<sidetone_engine::Chat> for Chat {
    fn from(chat: sidetone_engine::Chat) -> Self {
        Self {
            peer: chat.peer,
            last: chat.last,
            active_ms: chat.active.map_or(0, |at| at.0),
            unread: chat.unread,
            draft: chat.draft.map(Text::into_string),
            our_stay_s: chat.our_stay_s,
            their_stay_s: chat.their_stay_s,
            storage: chat.storage,
        }
    }
}
