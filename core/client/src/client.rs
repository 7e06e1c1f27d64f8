//! What an app holds of Sidetone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sidetone_engine::row::Table;
use sidetone_engine::stranger::StrangerView;
use sidetone_engine::{
    Account, Addresses, Answer, CallView, Command, Cost, Microphone as Heard, Network, Password, Receipts,
};
use sidetone_wire::id::{CallId, UserId};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use zeroize::Zeroizing;

use crate::built;
use crate::diagnostics::Diagnostics;
use crate::driver::links::Links;
use crate::driver::{Driver, Ears, Inside, WORDS, Word};
use crate::error::{Error, OpenError};
use crate::event::{Event, Queue};
use crate::journal::Journal;
use crate::keep::Keeper;
use crate::link::{Bind, RoutePolicy, Trust};
use crate::media::{Button, Loudspeaker, MediaThread, Microphone};
use crate::restore::restore;
use crate::room::Finger;
use crate::socket::{Pace, Plain, Server, Socket, SocketCounts};
use crate::store::{Location, Store, StoreError, wipe};
use crate::transfer::place::{Kept, Shelf};
use crate::transfer::pump::Pump;
use crate::vault::{KeyVault, random};
use crate::video::Video;
use crate::witness::Witness;

/// News of the socket that may wait for the driver.
const NEWS: usize = 64;
/// How long the runtime may take to end; only a name being looked up can make it wait.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a client is opened with.
pub struct Config {
    /// `wss://host` or `wss://host:port`.
    pub server: String,
    /// Whether `ws://` may go further than this device.
    pub plain: Plain,
    /// Root certificates (DER) trusted beside Mozilla's: for a server of one's own.
    pub roots: Vec<Vec<u8>>,
    /// Where everything is kept; `None` keeps it in memory.
    pub store: Option<PathBuf>,
    /// The most bytes the store may take.
    pub quota: Option<u64>,
    /// A folder for files, of which the library alone decides what is in it; `None` takes no files. Deleting the account
    /// empties it.
    pub files: Option<PathBuf>,
    /// The most bytes that files may take.
    pub files_quota: Option<u64>,
    /// Where the store's key comes from.
    pub vault: Box<dyn KeyVault>,
    /// Which local addresses links use.
    pub bind: Bind,
    /// Which routes links may take.
    pub policy: RoutePolicy,
    /// How dear a guess of the password is made. Never anything but [`Cost::Interactive`] outside tests.
    pub login_cost: Cost,
}

impl Config {
    /// The usual: TLS, all addresses, any route.
    pub fn new(server: impl Into<String>, store: Option<PathBuf>, vault: impl KeyVault + 'static) -> Self {
        let files = store.as_ref().map(|store| store.with_extension("files"));
        Self {
            server: server.into(),
            plain: Plain::LoopbackOnly,
            roots: Vec::new(),
            store,
            quota: None,
            files,
            files_quota: None,
            vault: Box::new(vault),
            bind: Bind::Everywhere,
            policy: RoutePolicy::Any,
            login_cost: Cost::Interactive,
        }
    }
}

/// One phone's Sidetone: threads, socket, links and store, for as long as it is open.
///
/// Its methods may be called from any thread and awaited on any executor. A future that is dropped loses nothing that was
/// done: a command that was sent is carried out.
pub struct Client {
    pub(crate) words: mpsc::Sender<Word>,
    queue: Arc<Queue>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) paused: watch::Sender<bool>,
    /// Its other end is dropped by the driver's thread as the last thing it does.
    alive: watch::Receiver<()>,
    woken: Arc<Notify>,
    /// Whether a push wakes this phone.
    pub(crate) woken_by_push: AtomicBool,
    pub(crate) moved: watch::Sender<Option<Network>>,
    pub(crate) keeper: Keeper,
    /// The server as links and codes call it.
    host: String,
    button: Button,
    finger: watch::Sender<Finger>,
    /// Taken once, before the audio starts.
    sound: Mutex<Option<(Microphone, Loudspeaker)>>,
    video: Video,
    pub(crate) shelf: Option<Shelf>,
}

impl Client {
    /// Opens a client: asks the vault for the key, opens the store, and starts to connect.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing is left running.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let mut server = Server::parse(&config.server, config.plain, &config.roots)?;
        let trust = Trust::new(&config.roots)?;
        if let Bind::Only(only) = &config.bind
            && let [local] = only.as_slice()
        {
            server = server.from(*local);
        }
        if let Some(path) = &config.store {
            wipe::finish(path).map_err(|_| StoreError::Unopenable)?;
        }
        let key = config.vault.load_or_create()?;
        let location = config.store.as_deref().map_or(Location::Memory, Location::File);
        let store = Store::open(location, key, config.quota)?;
        // Beside what may be chosen before an import there is nothing.
        let imported = store.rows_after(None, 2)?.rows.iter().any(|(place, _)| place.table != Table::Preferences);
        let keeper = Keeper { vault: config.vault, key_at: store.key_at().ok(), path: config.store };
        let settings = sidetone_engine::Config { seed: random(), login_cost: config.login_cost };
        let engine = restore(settings, &store)?;
        let (mut media, microphone, speaker) = MediaThread::start().map_err(|_| OpenError::System)?;
        let sound = media.take_news().ok_or(OpenError::System)?;
        let (button, host) = (media.button(), server.name());
        let (finger, fingers) = watch::channel(Finger::default());

        let (mut links, from_links) = Links::new(config.bind, config.policy, trust);
        links.prefer(engine.preferences().routes);
        let (words, word_inbox) = mpsc::channel(WORDS);
        let (stop, stopped) = watch::channel(false);
        let (paused, pausing) = watch::channel(false);
        let (living, alive) = watch::channel(());
        let queue = Arc::<Queue>::default();
        let (woken, (moved, moving)) = (Arc::<Notify>::default(), watch::channel(None));
        let socket = Arc::<SocketCounts>::default();
        let shelf = config.files.map(|folder| Shelf::new(folder, config.files_quota));
        if let Some(shelf) = &shelf {
            if shelf.is_importing() {
                shelf.end_import(if imported { Kept::Yes } else { Kept::No }).map_err(|_| StoreError::Unopenable)?;
            }
            shelf.sweep(engine.transfers().into_iter().map(|view| view.transfer));
        }
        let video = Video::new(Arc::clone(&queue));
        let pictures = video.clone();
        let (files, from_files) = Pump::start(shelf.clone()).map_err(|_| OpenError::System)?;
        let (journal, routes) = (Journal::default(), BTreeMap::new());
        let (proofs, from_proofs) = mpsc::channel(1);
        let inside = Inside {
            engine,
            store,
            journal,
            socket,
            links,
            media,
            video: pictures,
            witness: Witness::default(),
            files,
            proofs,
            receipts: crate::receipt::Receipts::default(),
            routes,
        };
        let (news, from_socket) = mpsc::channel(NEWS);
        let ears = Ears {
            words: word_inbox,
            stop: stopped,
            paused: pausing,
            woken: Arc::clone(&woken),
            moved: moving,
            socket: from_socket,
            links: from_links,
            sound,
            files: from_files,
            proofs: from_proofs,
            finger: fingers,
        };

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sidetone-net")
            .enable_all()
            .build()
            .map_err(|_| OpenError::System)?;
        let told = Arc::clone(&queue);
        let drive = move || {
            runtime.block_on(async {
                let socket = Socket::start(server, Pace::default(), random(), Arc::clone(&inside.socket), news);
                Driver::new(inside, told, socket).run(ears).await;
            });
            runtime.shutdown_timeout(FAREWELL);
            drop(living);
        };
        std::thread::Builder::new().name("sidetone".into()).spawn(drive).map_err(|_| OpenError::System)?;
        let sound = Mutex::new(Some((microphone, speaker)));
        let woken_by_push = AtomicBool::new(false);
        Ok(Self {
            words,
            queue,
            stop,
            paused,
            alive,
            woken,
            woken_by_push,
            moved,
            keeper,
            host,
            button,
            finger,
            sound,
            video,
            shelf,
        })
    }

    /// Closes the client: ends a call, closes links and socket, lets go of the store. Returns when all of it is gone;
    /// calling it again is harmless. Everything that waits ends: commands with [`Error::Closed`], events with nothing.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        // The only news is that the other end is gone.
        let _ = self.alive.clone().changed().await;
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn button(&self) -> &Button {
        &self.button
    }

    pub(crate) fn finger(&self) -> &watch::Sender<Finger> {
        &self.finger
    }

    /// The two ends of the sound, for the threads that the platform's audio runs on; `None` if they were taken.
    pub fn take_sound(&self) -> Option<(Microphone, Loudspeaker)> {
        self.sound.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// The pictures of the call that is on, for the threads on which the platform's encoder and decoder run.
    pub fn video(&self) -> Video {
        self.video.clone()
    }

    /// The next event; `None` once the client is closed.
    pub async fn next_event(&self) -> Option<Event> {
        self.queue.take(1).await.pop()
    }

    /// All events that wait, at least one; none once the client is closed.
    pub async fn next_events(&self) -> Vec<Event> {
        self.queue.take(usize::MAX).await
    }

    /// Tells that the app is seen again: what slept meanwhile wakes, the socket proves that it lives. A client that was
    /// paused goes on.
    pub fn on_foreground(&self) {
        self.paused.send_replace(false);
        self.woken.notify_one();
    }

    /// Tells that the app is not seen any more and may be ended at any moment: returns when the journal of the store is
    /// in its file. A stranger is left. Where a push wakes this phone ([`Client::set_push`]) and no call is on, the client
    /// leaves the server until it comes or the app is seen again: what is sent to an app that is frozen rings nowhere.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn on_background(&self) -> Result<(), Error> {
        // Nobody sees what a stranger says any more, and what is in memory may be frozen with it.
        if self.strangers().view().await? != StrangerView::Lobby(None) {
            self.strangers().end().await?;
        }
        self.rest().await?;
        self.look(|inside| inside.store.tidy()).await?.map_err(Error::Storage)
    }

    /// Boxed, as is [`Client::done`]: the many methods that are little more than one of these hold a pointer to it, and not
    /// each a copy of its code.
    pub(crate) fn order(&self, command: Command) -> BoxFuture<'_, Result<Answer, Error>> {
        let order = async move {
            if *self.stop.borrow() {
                return Err(Error::Closed);
            }
            if !built::can(&command) {
                return Err(Error::NotBuilt);
            }
            let (outcome, answer) = oneshot::channel();
            self.words.send(Word::Do(command, outcome)).await.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        };
        order.boxed()
    }

    pub(crate) fn done(&self, command: Command) -> BoxFuture<'_, Result<(), Error>> {
        let order = self.order(command);
        async move { order.await.map(drop) }.boxed()
    }

    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Inside) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, seen) = oneshot::channel();
        let look = move |inside: Result<&Inside, Error>| drop(sender.send(inside.map(look)));
        self.pass(Word::Look(Box::new(look))).await?;
        seen.await.map_err(|_| Error::Closed)?
    }

    fn pass(&self, word: Word) -> BoxFuture<'_, Result<(), Error>> {
        let pass = async move {
            if *self.stop.borrow() {
                return Err(Error::Closed);
            }
            self.words.send(word).await.map_err(|_| Error::Closed)
        };
        pass.boxed()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// The account.
impl Client {
    /// Makes an account, with a new identity that never leaves this device, and enters it. Takes the place of another
    /// attempt at the server, to register or to sign in, which is then told [`Error::Offline`].
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`], [`Error::NameInvalid`], [`Error::EmailTaken`], [`Error::EmailInvalid`],
    /// [`Error::SignedIn`], [`Error::Offline`] and what any command can meet.
    pub async fn register(&self, name: &str, email: &str, password: &str) -> Result<(), Error> {
        let (name, email, password) = (name.to_owned(), email.to_owned(), hidden(password));
        self.done(Command::Register { name, email, password }).await
    }

    /// Enters an account from this device, with a new identity: friends see that the key changed. Takes the place of
    /// another attempt as [`Client::register`] does.
    ///
    /// # Errors
    ///
    /// [`Error::WrongLogin`], [`Error::SignedIn`], [`Error::Offline`] and what any command can meet.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<(), Error> {
        self.done(Command::SignIn { name: name.to_owned(), password: hidden(password) }).await
    }

    /// Leaves the account and forgets everything about it on this device.
    ///
    /// # Errors
    ///
    /// [`Error::SignedOut`], [`Error::Offline`] and what any command can meet.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.done(Command::SignOut).await
    }

    /// Deletes the account at the server and everything about it on this device.
    ///
    /// # Errors
    ///
    /// [`Error::SignedOut`], [`Error::Offline`] and what any command can meet.
    pub async fn delete_account(&self) -> Result<(), Error> {
        self.done(Command::DeleteAccount).await
    }

    /// Everything the server keeps about the account, as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::SignedOut`], [`Error::Offline`] and what any command can meet.
    pub async fn export_account(&self) -> Result<String, Error> {
        match self.order(Command::ExportAccount).await? {
            Answer::Export(json) => String::from_utf8(json).map_err(|_| Error::Protocol),
            _ => Err(Error::Protocol),
        }
    }

    /// The account of this device, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn account(&self) -> Result<Option<Account>, Error> {
        self.look(|inside| inside.engine.account()).await
    }

    /// Chooses who may learn this phone's addresses.
    ///
    /// # Errors
    ///
    /// [`Error::SignedOut`] and what any command can meet.
    pub async fn set_addresses(&self, addresses: Addresses) -> Result<(), Error> {
        self.done(Command::SetAddresses(addresses)).await
    }

    /// Chooses whether one friend may learn this phone's addresses, whatever counts for others; `None` for what counts for
    /// others.
    ///
    /// # Errors
    ///
    /// [`Error::NotFriends`], [`Error::SignedOut`] and what any command can meet.
    pub async fn set_addresses_for(&self, user: UserId, addresses: Option<Addresses>) -> Result<(), Error> {
        self.done(Command::SetAddressesFor(user, addresses)).await
    }

    /// Chooses whether friends learn what was read.
    ///
    /// # Errors
    ///
    /// [`Error::SignedOut`] and what any command can meet.
    pub async fn set_receipts(&self, receipts: Receipts) -> Result<(), Error> {
        self.done(Command::SetReceipts(receipts)).await
    }
}

/// Calls.
impl Client {
    /// Calls a friend.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::NotFriends`], [`Error::KeyChanged`], [`Error::Offline`] and what any command can meet.
    pub async fn call(&self, peer: UserId) -> Result<CallId, Error> {
        match self.order(Command::Call(peer)).await? {
            Answer::Call(call) => Ok(call),
            _ => Err(Error::Protocol),
        }
    }

    /// Takes an incoming call.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn answer(&self, call: CallId) -> Result<(), Error> {
        self.done(Command::AnswerCall(call)).await
    }

    /// Declines an incoming call.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn decline_call(&self, call: CallId) -> Result<(), Error> {
        self.done(Command::DeclineCall(call)).await
    }

    /// Ends a call, or gives up calling.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn hang_up(&self, call: CallId) -> Result<(), Error> {
        self.done(Command::HangUp(call)).await
    }

    /// Lets the other side hear us, or not.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn set_microphone(&self, call: CallId, microphone: Heard) -> Result<(), Error> {
        self.done(Command::SetMicrophone(call, microphone)).await
    }

    /// The calls that are on: at most one for now.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn calls(&self) -> Result<Vec<CallView>, Error> {
        self.look(|inside| inside.engine.call().into_iter().collect()).await
    }

    /// What this client did, in numbers: nothing in it names anybody but by id.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn diagnostics(&self) -> Result<Diagnostics, Error> {
        self.look(Diagnostics::of).await
    }
}

fn hidden(password: &str) -> Password {
    Password(Zeroizing::new(password.to_owned()))
}
