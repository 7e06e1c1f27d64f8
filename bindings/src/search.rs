//! Search through conversations.

use std::sync::Arc;

use sidetone::{Client, SearchMark};
use tokio::sync::Mutex;

use crate::chat::Hit;
use crate::client::RawClient;
use crate::count::Live;
use crate::error::SidetoneError;
use crate::id::UserId;

/// Where a search stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Start,
    Before(SearchMark),
    End,
}

/// A search, which is read page by page.
#[derive(uniffi::Object)]
pub struct Search {
    client: Arc<Client>,
    peer: Option<sidetone::UserId>,
    words: String,
    /// One page at a time; held while it is read, so that two readers get two pages.
    place: Mutex<Place>,
    _live: Live,
}

#[uniffi::export]
impl Search {
    /// The next texts that hold the words, newest first, at most `limit` (at most 500); none when that was all.
    pub async fn next(&self, limit: u32) -> Result<Vec<Hit>, SidetoneError> {
        let mut place = self.place.lock().await;
        let before = match *place {
            Place::Start => None,
            Place::Before(mark) => Some(mark),
            Place::End => return Ok(Vec::new()),
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = self.client.search(self.peer, &self.words, before, limit).await?;
        *place = found.next.map_or(Place::End, Place::Before);
        Ok(found.hits.into_iter().map(|(peer, message)| Hit { peer: peer.into(), message: message.into() }).collect())
    }
}

#[uniffi::export]
impl RawClient {
    /// Looks for texts that hold these words, whatever their case, in one conversation or in all.
    pub fn search(&self, peer: Option<UserId>, words: String) -> Result<Arc<Search>, SidetoneError> {
        let peer = peer.map(|peer| peer.inner()).transpose()?;
        Ok(Arc::new(Search {
            client: self.shared(),
            peer,
            words,
            place: Mutex::new(Place::Start),
            _live: Live::begin(),
        }))
    }
}
