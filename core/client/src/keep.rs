//! What the phone keeps, and the user's word over it: preferences, letting go, export, deletion.

use sidetone_engine::{Command, Preference, Preferences};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::driver::Word;
use crate::error::Error;

/// Preferences.
impl Client {
    /// What the user of this device prefers, with an account or without.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn preferences(&self) -> Result<Preferences, Error> {
        self.look(|inside| inside.engine.preferences().clone()).await
    }

    /// Chooses something. It is kept on this device only, and holds from now on: routes for links made from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn prefer(&self, preference: Preference) -> Result<(), Error> {
        self.done(Command::Prefer(preference)).await
    }
}

/// The store.
impl Client {
    /// Lets go of the store's file and its lock, and stands still until [`Client::on_foreground`]: iOS ends an app that is
    /// suspended with a lock in a shared folder. What comes meanwhile waits. Returns when the file is free.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`]; the file is free all the same.
    pub async fn pause(&self) -> Result<(), Error> {
        if *self.stop.borrow() {
            return Err(Error::Closed);
        }
        self.paused.send_replace(true);
        let (sender, done) = oneshot::channel();
        self.words.send(Word::Pause(sender)).await.map_err(|_| Error::Closed)?;
        done.await.map_err(|_| Error::Closed)?.map_err(Error::Storage)
    }

    /// Whether everything kept is whole: every row can be read, and none is missing or put back to what it was before.
    /// Takes long for a long history, and everything else waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] with [`crate::StoreError::Damaged`], which does not stop the client; [`Error::Closed`].
    pub async fn check_store(&self) -> Result<(), Error> {
        self.look(|inside| inside.store.integrity()).await?.map_err(Error::Storage)
    }
}
