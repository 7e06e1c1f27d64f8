//! Texts.

use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::UserId;

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Message {
    /// Its place: larger is later.
    pub position: u64,
    /// What was said.
    pub text: String,
    /// When it was written, by its sender's clock, in milliseconds since 1970.
    pub written_ms: u64,
    /// When it was kept here, by ours.
    pub kept_ms: u64,
    /// What became of it.
    pub state: MessageState,
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
    /// Ours: it will never be delivered, for the friendship ended before it was.
    Failed,
    /// Theirs.
    Received,
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
        }
    }
}

impl From<sidetone::Message> for Message {
    fn from(message: sidetone::Message) -> Self {
        Self {
            position: message.position,
            text: message.text,
            written_ms: message.written_ms,
            kept_ms: message.kept_ms,
            state: message.state.into(),
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

    /// Up to `limit` (at most 500) messages of a conversation before a position, newest first.
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
