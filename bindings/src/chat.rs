//! Conversations.

use sidetone::What;

use crate::calls::CallEnd;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{CallId, MessageId, TransferId, UserId};

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Message {
    /// Its place: larger is later.
    pub position: u64,
    /// Its name; none for a call, which can neither be changed nor answered.
    pub id: Option<MessageId>,
    /// True if it is theirs.
    pub theirs: bool,
    /// The words of a text; empty for anything else.
    pub text: String,
    /// What it is.
    pub content: MessageContent,
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
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum MessageContent {
    /// A text.
    Text,
    /// A file.
    File {
        /// Which transfer brings it.
        transfer: TransferId,
        /// Its name as its sender gave it: to show, not to write to.
        name: String,
        /// Bytes.
        size: u64,
        /// What its sender says it is, such as `image/png`.
        mime: String,
        /// What it is for.
        kind: FileKind,
    },
    /// A call that is over; it is theirs if they called.
    Call {
        /// Which.
        call: CallId,
        /// Why it ended; none for a reason of a newer version.
        reason: Option<CallEnd>,
        /// From when both could speak to its end, in milliseconds; none if they never could.
        talked_ms: Option<u64>,
    },
    /// Somebody's wish about how long messages stay.
    Timer {
        /// Seconds; none for ever.
        stay_s: Option<u32>,
    },
    /// Taken back by its sender.
    Deleted,
    /// Disappeared in time.
    Expired,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FileKind {
    /// Any.
    File,
    /// To be seen.
    Image,
    /// To be heard.
    VoiceNote,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MessageState {
    /// Ours: it waits for the friend to be there.
    Queued,
    /// Ours: it is on its way.
    Sent,
    /// Ours: it is on the friend's phone.
    Delivered,
    /// Ours: a person saw it.
    Read,
    /// Ours: it was not delivered, for the friendship ended before. It may be sent again when there is one.
    Failed,
    /// Theirs.
    Received,
    /// It disappeared when its time was over.
    Expired,
}

/// One emoji under a message.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Reaction {
    /// As its sender wrote it.
    pub emoji: String,
    /// Whether it is ours.
    pub ours: bool,
    /// Whether it is theirs.
    pub theirs: bool,
}

/// A conversation in a list of them.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ChatView {
    /// With whom.
    pub peer: UserId,
    /// The place of its last entry.
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
    /// Where it is kept.
    pub storage: StorageRule,
}

/// Where a conversation is kept on this phone; what the friend's phone does is the friend's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum StorageRule {
    /// On disk, sealed.
    Kept,
    /// In memory only: what is said from now on is gone when the client closes.
    Ephemeral,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Hit {
    /// In whose conversation.
    pub peer: UserId,
    /// The text.
    pub message: Message,
}

impl From<sidetone::MessageState> for MessageState {
    fn from(state: sidetone::MessageState) -> Self {
        match state {
            sidetone::MessageState::Queued => Self::Queued,
            sidetone::MessageState::Sent => Self::Sent,
            sidetone::MessageState::Delivered => Self::Delivered,
            sidetone::MessageState::Read => Self::Read,
            sidetone::MessageState::Failed(_) => Self::Failed,
            sidetone::MessageState::Received => Self::Received,
            sidetone::MessageState::Expired => Self::Expired,
        }
    }
}

impl From<What> for MessageContent {
    fn from(what: What) -> Self {
        match what {
            What::Text => Self::Text,
            What::File(file) => {
                let kind = match file.kind {
                    1 => FileKind::Image,
                    2 => FileKind::VoiceNote,
                    _ => FileKind::File,
                };
                let transfer = file.transfer.into();
                Self::File { transfer, name: file.name, size: file.size, mime: file.mime, kind }
            }
            What::Call(call) => Self::Call {
                call: call.call.into(),
                reason: call.reason().map(CallEnd::from),
                talked_ms: call.talked_ms,
            },
            What::Timer(stay_s) => Self::Timer { stay_s },
            What::Deleted => Self::Deleted,
            What::Expired => Self::Expired,
        }
    }
}

impl From<sidetone::Message> for Message {
    fn from(message: sidetone::Message) -> Self {
        let reaction = |one: sidetone::Reaction| Reaction { emoji: one.emoji, ours: one.ours, theirs: one.theirs };
        Self {
            position: message.position,
            id: message.id.map(MessageId::from),
            theirs: message.theirs,
            text: message.text,
            content: message.what.into(),
            reply: message.reply.map(MessageId::from),
            written_ms: message.written_ms,
            kept_ms: message.kept_ms,
            edited_ms: message.edited_ms,
            stay_s: message.stay_s,
            state: message.state.into(),
            reactions: message.reactions.into_iter().map(reaction).collect(),
        }
    }
}

impl From<sidetone::Chat> for ChatView {
    fn from(chat: sidetone::Chat) -> Self {
        Self {
            peer: chat.peer.into(),
            last: chat.last,
            active_ms: chat.active_ms,
            unread: chat.unread,
            draft: chat.draft,
            our_stay_s: chat.our_stay_s,
            their_stay_s: chat.their_stay_s,
            storage: match chat.storage {
                sidetone::Storage::Kept => StorageRule::Kept,
                sidetone::Storage::Ephemeral => StorageRule::Ephemeral,
            },
        }
    }
}

#[uniffi::export]
impl RawClient {
    /// Says something to a friend, now or when they are there, and gives its place in the conversation. Once this
    /// returns it is kept, and arrives once.
    pub async fn send_text(&self, peer: UserId, text: String) -> Result<u64, SidetoneError> {
        Ok(self.inner().send_text(peer.inner()?, &text).await?)
    }

    /// The same, in answer to a message of either.
    pub async fn reply(&self, peer: UserId, to: MessageId, text: String) -> Result<u64, SidetoneError> {
        Ok(self.inner().reply(peer.inner()?, to.inner()?, &text).await?)
    }

    /// Gives a text of ours other words, on both phones.
    pub async fn edit(&self, peer: UserId, message: MessageId, text: String) -> Result<(), SidetoneError> {
        Ok(self.inner().edit(peer.inner()?, message.inner()?, &text).await?)
    }

    /// Takes a message of ours back: here at once, on the friend's phone when it can be told.
    pub async fn take_back(&self, peer: UserId, message: MessageId) -> Result<(), SidetoneError> {
        Ok(self.inner().delete(peer.inner()?, message.inner()?).await?)
    }

    /// Says what we think of a message of either: all of it, in place of what we thought before.
    pub async fn react(&self, peer: UserId, message: MessageId, emoji: Vec<String>) -> Result<(), SidetoneError> {
        let emoji: Vec<&str> = emoji.iter().map(String::as_str).collect();
        Ok(self.inner().react(peer.inner()?, message.inner()?, &emoji).await?)
    }

    /// Sends again what was not delivered.
    pub async fn retry(&self, peer: UserId, message: MessageId) -> Result<(), SidetoneError> {
        Ok(self.inner().retry(peer.inner()?, message.inner()?).await?)
    }

    /// Chooses how many seconds messages written from now on stay; the shorter of both wishes counts. None is for ever.
    pub async fn set_timer(&self, peer: UserId, stay_s: Option<u32>) -> Result<(), SidetoneError> {
        Ok(self.inner().set_timer(peer.inner()?, stay_s).await?)
    }

    /// Keeps what the user began to write; nothing when it is empty. Sending drops it.
    pub async fn set_draft(&self, peer: UserId, text: String) -> Result<(), SidetoneError> {
        Ok(self.inner().set_draft(peer.inner()?, &text).await?)
    }

    /// Chooses where a conversation is kept from now on; what was kept before stays where it is.
    pub async fn set_storage(&self, peer: UserId, rule: StorageRule) -> Result<(), SidetoneError> {
        let storage = match rule {
            StorageRule::Kept => sidetone::Storage::Kept,
            StorageRule::Ephemeral => sidetone::Storage::Ephemeral,
        };
        Ok(self.inner().set_storage(peer.inner()?, storage).await?)
    }

    /// Every conversation, the one with the newest entry first.
    pub async fn chats(&self) -> Result<Vec<ChatView>, SidetoneError> {
        Ok(self.inner().chats().await?.into_iter().map(ChatView::from).collect())
    }

    /// Up to `limit` (at most 500) entries of a conversation before a position, newest first.
    pub async fn history(&self, peer: UserId, before: Option<u64>, limit: u32) -> Result<Vec<Message>, SidetoneError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.inner().history(peer.inner()?, before, limit).await?.into_iter().map(Message::from).collect())
    }

    /// The user has seen everything a friend sent.
    pub async fn mark_read(&self, peer: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().mark_read(peer.inner()?).await?)
    }

    /// The user is writing to a friend; nobody is told who is not there.
    pub async fn typing(&self, peer: UserId) -> Result<(), SidetoneError> {
        Ok(self.inner().typing(peer.inner()?).await?)
    }
}
