//! What the app is told, and the queue it pulls that from.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use sidetone_engine::CallView;
use sidetone_engine::room::RoomEvent;
use sidetone_engine::stranger::StrangerEvent;
use sidetone_engine::transfer::view::TransferView;
use sidetone_wire::id::{CallId, RoomId, UserId};
use sidetone_wire::record::MessageId;
use tokio::sync::Notify;

use crate::error::{Error, refused};
use crate::video::VideoEvent;

/// Events that wait for the app at most; what does not fit becomes one [`Event::Refresh`].
pub const EVENTS: usize = 256;

/// Something the app may want to show. The store is the truth and events are hints: whoever missed one reads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This device entered an account.
    SignedIn,
    /// This device left its account by its user's wish; everything about it is forgotten.
    SignedOut,
    /// The server takes this device no more, for the reason that the error names; what is kept stays.
    Revoked(Error),
    /// Whether the server knows that we are here.
    Connected(bool),
    /// A person in the roster changed: relation, presence, key, verification.
    Friend(UserId),
    /// A message was added or failed.
    Message {
        /// In whose conversation.
        peer: UserId,
        /// Its place there.
        position: u64,
    },
    /// A message has other words or reactions, was taken back, or disappeared.
    Amended {
        /// In whose conversation.
        peer: UserId,
        /// Which.
        message: MessageId,
    },
    /// A conversation's draft, storage class or time that messages stay changed.
    Chat(UserId),
    /// More of our messages are delivered or read.
    Marks(UserId),
    /// A friend is writing.
    Typing(UserId),
    /// A call began, changed or ended.
    Call(CallView),
    /// A transfer began, changed or ended. Of one that moves, told at most four times a second.
    Transfer(TransferView),
    /// The operator's word.
    Announcement(String),
    /// What the user of this device prefers changed.
    Preferences,
    /// What the encoder of a call's pictures should know.
    Video(CallId, VideoEvent),
    /// What the encoder of our pictures in a room should know.
    RoomVideo(RoomId, VideoEvent),
    /// Something in a room.
    Room(RoomId, RoomEvent),
    /// Something about a stranger.
    Stranger(StrangerEvent),
    /// A link lost its address to a change of network of which the app said nothing: it should call
    /// [`crate::Client::network_changed`].
    NetworkUntold,
    /// More happened than the app took: read everything again.
    Refresh,
    /// The client has stopped and does nothing more; every answer is this error.
    Stopped(Error),
}

impl From<sidetone_engine::Event> for Event {
    fn from(event: sidetone_engine::Event) -> Self {
        use sidetone_engine::{AccountEvent, Event as Told};
        match event {
            Told::Account(AccountEvent::SignedIn) => Self::SignedIn,
            Told::Account(AccountEvent::SignedOut) => Self::SignedOut,
            Told::Account(AccountEvent::Revoked(code)) => Self::Revoked(refused(code, 0)),
            Told::Connected(connected) => Self::Connected(connected),
            Told::Friend(user) => Self::Friend(user),
            Told::Message { peer, position } => Self::Message { peer, position },
            Told::Amended { peer, message } => Self::Amended { peer, message },
            Told::Chat(user) => Self::Chat(user),
            Told::Marks(user) => Self::Marks(user),
            Told::Typing(user) => Self::Typing(user),
            Told::Call(view) => Self::Call(view),
            Told::Transfer(view) => Self::Transfer(view),
            Told::Announcement(text) => Self::Announcement(text),
            Told::Preferences => Self::Preferences,
            Told::NetworkUntold => Self::NetworkUntold,
            Told::Room(room, event) => Self::Room(room, event),
            Told::Stranger(event) => Self::Stranger(event),
        }
    }
}

impl Event {
    /// Whether this one makes an older one of no interest: state, of which the latest is enough.
    fn replaces(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Call(new), Self::Call(old)) => new.call == old.call,
            (Self::Video(call, new), Self::Video(other, old)) => call == other && new.replaces(old),
            (Self::RoomVideo(room, new), Self::RoomVideo(other, old)) => room == other && new.replaces(old),
            (Self::Transfer(new), Self::Transfer(old)) => new.transfer == old.transfer,
            (Self::Room(new, one @ (RoomEvent::Changed | RoomEvent::Loud(_))), Self::Room(old, other)) => {
                new == old && std::mem::discriminant(one) == std::mem::discriminant(other)
            }
            (Self::Stranger(new), Self::Stranger(old)) => match (new, old) {
                (StrangerEvent::Call(new), StrangerEvent::Call(old)) => new.call == old.call,
                (StrangerEvent::Changed | StrangerEvent::Message(_) | StrangerEvent::Typing, _) => new == old,
                _ => false,
            },
            (Self::Connected(_), Self::Connected(_)) | (Self::Preferences, Self::Preferences) => true,
            (Self::Amended { .. }, Self::Amended { .. }) => self == older,
            (Self::Friend(_) | Self::Chat(_) | Self::Marks(_) | Self::Typing(_) | Self::Refresh, older) => {
                self == older
            }
            _ => false,
        }
    }
}

/// The events that wait. The one lock of the client: held for a push or a take and never across a wait, because an app
/// may drop a pending `next_events()` at any moment and must lose nothing by it, which no channel gives.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    closed: bool,
}

impl Queue {
    /// Adds an event; takes the place of an older one that it replaces.
    pub fn push(&self, event: Event) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        waiting.events.retain(|older| !event.replaces(older));
        if waiting.events.len() >= EVENTS {
            waiting.events.clear();
            waiting.events.push_back(Event::Refresh);
        }
        waiting.events.push_back(event);
        drop(waiting);
        self.news.notify_one();
    }

    /// Forgets what waits.
    pub fn clear(&self) {
        self.lock().events.clear();
    }

    /// Nothing is told any more.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.events.clear();
        drop(waiting);
        self.news.notify_waiters();
        self.news.notify_one();
    }

    /// Waits until there is something and takes up to `most`; nothing means closed.
    pub async fn take(&self, most: usize) -> Vec<Event> {
        loop {
            let news = self.news.notified();
            {
                let mut waiting = self.lock();
                let count = waiting.events.len().min(most.max(1));
                if count > 0 || waiting.closed {
                    let taken = waiting.events.drain(..count).collect();
                    let more = waiting.closed || !waiting.events.is_empty();
                    drop(waiting);
                    // Somebody else may wait as well.
                    if more {
                        self.news.notify_one();
                    }
                    return taken;
                }
            }
            news.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn friend(n: u8) -> Event {
        Event::Friend(UserId([n; 16]))
    }

    fn message(position: u64) -> Event {
        Event::Message { peer: UserId([1; 16]), position }
    }

    #[tokio::test]
    async fn of_a_state_only_the_latest_is_told_and_of_facts_every_one() {
        let queue = Queue::default();
        for event in [friend(1), message(1), Event::Connected(true), friend(1), message(2), Event::Connected(false)] {
            queue.push(event);
        }
        assert_eq!(queue.take(9).await, [message(1), friend(1), message(2), Event::Connected(false)]);
    }

    #[tokio::test]
    async fn an_app_that_does_not_listen_is_told_to_read_again() {
        let queue = Queue::default();
        (0..=EVENTS as u64).for_each(|position| queue.push(message(position)));
        assert_eq!(queue.take(9).await, [Event::Refresh, message(EVENTS as u64)]);
    }

    #[tokio::test]
    async fn nothing_is_told_after_the_end_and_everybody_who_waits_learns_of_it() {
        let queue = Queue::default();
        let (one, two, ()) = tokio::join!(queue.take(1), queue.take(1), async {
            tokio::task::yield_now().await;
            queue.push(friend(1));
            queue.close();
            queue.push(friend(2));
        });
        assert_eq!((one, two), (vec![], vec![]));
        assert_eq!(queue.take(1).await, []);
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let queue = Queue::default();
        {
            let wait = queue.take(1);
            tokio::pin!(wait);
            assert!(futures_util::poll!(&mut wait).is_pending());
            queue.push(friend(1));
        }
        assert_eq!(queue.take(1).await, [friend(1)]);
    }
}
