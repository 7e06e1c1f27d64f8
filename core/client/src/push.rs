//! How a phone that sleeps is woken.

use std::sync::atomic::Ordering;

use sidetone_engine::{Answer, Command};
use sidetone_wire::push::PushAddress;

use crate::client::Client;
use crate::driver::Word;
use crate::error::Error;

impl Client {
    /// By what push services know the server: what a phone names when it subscribes to Web Push or UnifiedPush (RFC 8292
    /// section 3.2), a point of P-256, uncompressed.
    ///
    /// # Errors
    ///
    /// [`Error::Outdated`] if the server wakes nobody, and what any command can meet.
    pub async fn push_key(&self) -> Result<Vec<u8>, Error> {
        match self.order(Command::PushKey).await? {
            Answer::PushKey(key) => Ok(key),
            _ => Err(Error::Protocol),
        }
    }

    /// Says where this phone is woken when a friend calls and it is not connected; nowhere with `None`. The server keeps one
    /// address for an account, and forgets it when the device signs out or its push service does not know it any more: tell it
    /// whenever the platform gives one, and each time the client is opened. A wake-up says nothing but that it comes: hand
    /// it to [`Client::handle_push`].
    ///
    /// # Errors
    ///
    /// [`Error::NotAPushAddress`] for what is none, by what this phone or the server knows: what was set before stays.
    /// [`Error::Outdated`] if the server wakes nobody, and what any command can meet.
    pub async fn set_push(&self, address: Option<PushAddress>) -> Result<(), Error> {
        if address.as_ref().is_some_and(|address| !address.is_well_formed()) {
            return Err(Error::NotAPushAddress);
        }
        let some = address.is_some();
        self.done(Command::SetPush(address.map(Box::new))).await?;
        self.woken_by_push.store(some, Ordering::Relaxed);
        Ok(())
    }

    /// A wake-up came: the client connects at once, and what it is about shows as it would have anyway. Whatever comes with it
    /// means nothing: whoever can send a push cannot say anything by it.
    pub fn handle_push(&self) {
        self.on_foreground();
    }

    /// Leaves the server until the app is seen again or a push comes, if one can.
    pub(crate) async fn rest(&self) -> Result<(), Error> {
        if self.woken_by_push.load(Ordering::Relaxed) && self.calls().await?.is_empty() {
            self.words.send(Word::Rest).await.map_err(|_| Error::Closed)?;
        }
        Ok(())
    }
}
