//! The rows of a conversation.
//!
//! An entry has its place in the conversation; what it says lies apart, under the name that both phones know it by
//! ([`content_at`]), so that who names a message reaches its words without knowing its place: to change or to erase them.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};
use sidetone_wire::id::{CallId, ItemSeq, LaneId, TransferId, UnixMs};
use sidetone_wire::record::{MessageId, Reactions, Text};

use super::{ChatRow, Row, Table};
use crate::call::EndReason;

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct MessageRow {
    /// True if it is theirs: they said it, they called.
    #[serde(index = 0)]
    pub theirs: bool,
    /// Its number in its sender's lane; 0 for a call.
    #[serde(index = 1)]
    pub seq: ItemSeq,
    /// When it was written, by its sender's clock.
    #[serde(index = 2)]
    pub at: UnixMs,
    /// When it was kept here, by ours.
    #[serde(index = 3)]
    pub kept: UnixMs,
    /// What was said, in rows of the first version; since then in a [`ContentRow`].
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// Why it was not delivered: 1 no longer friends, 2 the same, and the file that it offered is held no more.
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u8>,
    /// Its sender's lane; absent in rows of the first version.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub lane: Option<LaneId>,
    /// The message that it answers.
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub reply: Option<MessageId>,
    /// Seconds that it stays once delivered (ours) or read (theirs).
    #[serde(index = 8, skip_serializing_if = "Option::is_none")]
    pub stay_s: Option<u32>,
    /// It is a call.
    #[serde(index = 9, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallEntry>,
    /// It is a wish about how long messages stay.
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerEntry>,
}

impl Row for MessageRow {
    const TABLE: Table = Table::Message;
}

/// What an entry says. Its position is [`content_at`]; without it the entry says nothing any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ContentRow {
    /// The words.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// A file.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileEntry>,
    /// When its sender last changed it, by the sender's clock.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub edited: Option<UnixMs>,
}

impl Row for ContentRow {
    const TABLE: Table = Table::Content;
}

/// What one person thinks of one message. Its position is [`reaction_at`].
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct ReactionRow {
    /// All of it.
    #[serde(index = 0)]
    pub emoji: Reactions,
}

impl Row for ReactionRow {
    const TABLE: Table = Table::Reaction;
}

/// A message that will disappear. Its position is that of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FadeRow {
    /// Which.
    #[serde(index = 0)]
    pub message: MessageId,
    /// True if they said it.
    #[serde(index = 1)]
    pub theirs: bool,
    /// Seconds that it stays.
    #[serde(index = 2)]
    pub stay_s: u32,
    /// Until when, by our clock; absent while it was not delivered or read.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMs>,
}

impl Row for FadeRow {
    const TABLE: Table = Table::Fade;
}

/// What the user began to write and did not send.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct DraftRow {
    /// The words.
    #[serde(index = 0)]
    pub text: Text,
}

impl Row for DraftRow {
    const TABLE: Table = Table::Draft;
}

/// A call that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct CallEntry {
    /// Which.
    #[serde(index = 0)]
    pub call: CallId,
    /// [`EndReason::number`].
    #[serde(index = 1)]
    pub reason: u8,
    /// From when both could speak to its end, in milliseconds; absent if they never could.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub talked_ms: Option<u64>,
}

impl CallEntry {
    /// Why it ended; `None` for a reason of a newer version.
    pub fn reason(&self) -> Option<EndReason> {
        EndReason::from_number(self.reason)
    }
}

/// Somebody's wish about how long messages stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TimerEntry {
    /// Seconds; absent for ever.
    #[serde(index = 0, skip_serializing_if = "Option::is_none")]
    pub stay_s: Option<u32>,
}

/// A file of the conversation: what became of it is told by its transfer.
#[derive(Debug, Clone, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct FileEntry {
    /// Which transfer.
    #[serde(index = 0)]
    pub transfer: TransferId,
    /// Its name as its sender gave it: to show, not to write to.
    #[serde(index = 1)]
    pub name: String,
    /// Bytes.
    #[serde(index = 2)]
    pub size: u64,
    /// What its sender says it is, such as `image/png`.
    #[serde(index = 3)]
    pub mime: String,
    /// 0 a file, 1 an image, 2 a voice note.
    #[serde(index = 4)]
    pub kind: u8,
}

/// Where the content of a message lies. The lanes of honest phones are random, so no two messages meet; whose it is is part
/// of the place, so nobody reaches another's message by naming it as their own.
pub fn content_at(theirs: bool, message: MessageId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = message.lane.0;
    let start = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    // Positions have 63 bits; the last two say whose the message and whose the reaction is.
    (start.wrapping_add(message.seq.0) << 3) >> 2 | u64::from(theirs)
}

/// Where a person's reactions lie to the message whose content is there.
pub fn reaction_at(content: u64, theirs: bool) -> u64 {
    content << 1 | u64::from(theirs)
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// It waits.
    Queued,
    /// It was given to the link that is up and is not confirmed yet.
    Sent,
    /// It is on the peer's phone.
    Delivered,
    /// A person saw it.
    Read,
    /// It was not delivered.
    Failed(Failure),
    /// It is theirs.
    Received,
    /// It disappeared when its time was over.
    Expired,
}

/// Why a message was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The friendship ended before it was.
    NotFriends,
    /// The friendship ended before this file was offered, and its transfer with it: send the file anew.
    FileReleased,
}

impl Failure {
    /// Whether it may be sent again, by the same command, once the reason is gone.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::NotFriends => true,
            Self::FileReleased => false,
        }
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(Text),
    /// A file.
    File(FileEntry),
    /// A call that is over.
    Call(CallEntry),
    /// A wish about how long messages stay.
    Timer(TimerEntry),
    /// Taken back by its sender.
    Deleted,
    /// Disappeared in time, or was taken back before.
    Expired,
}

/// One entry of a conversation, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place: larger is later.
    pub position: u64,
    /// Its name, the same on both phones; none for a call, and for what the first version kept.
    pub id: Option<MessageId>,
    /// True if it is theirs.
    pub theirs: bool,
    /// What it says.
    pub content: Content,
    /// What it answers.
    pub reply: Option<MessageId>,
    /// When it was written, by its sender's clock.
    pub at: UnixMs,
    /// When it was kept here, by ours.
    pub kept: UnixMs,
    /// When its sender last changed its words.
    pub edited: Option<UnixMs>,
    /// Seconds that it stays once delivered (ours) or read (theirs).
    pub stay_s: Option<u32>,
    /// What became of it.
    pub state: MessageState,
    /// What we think of it.
    pub ours: Reactions,
    /// What they think of it.
    pub theirs_emoji: Reactions,
}

impl MessageRow {
    /// An entry of which nothing is known but whose it is and its number.
    pub fn new(theirs: bool, seq: ItemSeq) -> Self {
        let (at, kept, text, failed) = (UnixMs(0), UnixMs(0), None, None);
        let (lane, reply, stay_s, call, timer) = (None, None, None, None, None);
        Self { theirs, seq, at, kept, text, failed, lane, reply, stay_s, call, timer }
    }

    /// The name of this entry, if it has one.
    pub fn id(&self) -> Option<MessageId> {
        let lane = self.lane.filter(|_| self.call.is_none())?;
        Some(MessageId { lane, seq: self.seq })
    }

    /// Where its content lies, if it lies apart.
    pub fn content_at(&self) -> Option<u64> {
        let apart = self.text.is_none() && self.timer.is_none();
        self.id().filter(|_| apart).map(|id| content_at(self.theirs, id))
    }

    /// What this entry says, given its content if there is some.
    pub fn content(&self, kept: Option<ContentRow>) -> Content {
        let kept = kept.unwrap_or_default();
        let text = kept.text.or_else(|| self.text.clone());
        match (self.call, self.timer, text, kept.file) {
            (Some(call), ..) => Content::Call(call),
            (_, Some(timer), ..) => Content::Timer(timer),
            (_, _, Some(text), _) => Content::Text(text),
            (_, _, _, Some(file)) => Content::File(file),
            _ if self.stay_s.is_some() => Content::Expired,
            _ => Content::Deleted,
        }
    }

    /// What became of this entry, given where its conversation stands and up to where the link that is up was given it
    /// ([`crate::Engine::given`]).
    pub fn state(&self, chat: &ChatRow, given: ItemSeq) -> MessageState {
        if self.theirs {
            return MessageState::Received;
        }
        if self.call.is_some() || self.lane.is_some_and(|lane| lane != chat.lane) {
            return MessageState::Delivered;
        }
        match self.failed {
            Some(2) => MessageState::Failed(Failure::FileReleased),
            Some(_) => MessageState::Failed(Failure::NotFriends),
            None if self.seq <= chat.read => MessageState::Read,
            None if self.seq <= chat.confirmed => MessageState::Delivered,
            None if self.seq <= given => MessageState::Sent,
            None => MessageState::Queued,
        }
    }

    /// The entry, given what a store holds for a place ([`Table::Content`], [`Table::Reaction`]) and how its conversation
    /// stands.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub fn entry<E>(
        self,
        position: u64,
        (chat, given): (&ChatRow, ItemSeq),
        mut read: impl FnMut(Table, u64) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Entry, E>
    where
        E: From<super::RowError>,
    {
        let at = self.content_at();
        let kept = at.map(|at| read(Table::Content, at)).transpose()?.flatten();
        let kept = kept.map(|bytes| ContentRow::read(&bytes)).transpose()?;
        let edited = kept.as_ref().and_then(|kept| kept.edited);
        let mut reactions = [Reactions::default(), Reactions::default()];
        if let Some(at) = at.filter(|_| kept.is_some()) {
            for (theirs, set) in [false, true].into_iter().zip(&mut reactions) {
                if let Some(bytes) = read(Table::Reaction, reaction_at(at, theirs))? {
                    *set = ReactionRow::read(&bytes)?.emoji;
                }
            }
        }
        let (content, [ours, theirs_emoji]) = (self.content(kept), reactions);
        let state = if content == Content::Expired { MessageState::Expired } else { self.state(chat, given) };
        let gone = matches!(content, Content::Deleted | Content::Expired);
        let (id, reply) = (self.id(), self.reply.filter(|_| !gone));
        let Self { theirs, at, kept, stay_s, .. } = self;
        Ok(Entry { position, id, theirs, content, reply, at, kept, edited, stay_s, state, ours, theirs_emoji })
    }
}
