//! The client as the two languages hold it; what is done with it is beside this file, by subject.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use sidetone::{Bind, Client, Config, Error};
use tokio::sync::watch;

use crate::count::Live;
use crate::error::{ErrorCode, SidetoneError};
use crate::event::Event;
use crate::network::NetworkSnapshot;
use crate::operation::{Operation, Outcome};
use crate::port;
use crate::vault::{AppVault, KeyVault};

/// What a client is opened with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ClientOptions {
    /// `wss://host` or `wss://host:port`; `ws://` to this device only.
    pub server: String,
    /// The file in which everything is kept; in memory if there is none.
    #[uniffi(default = None)]
    pub store: Option<String>,
    /// A folder for files that arrive, which is the library's alone; beside the store if it is not given.
    #[uniffi(default = None)]
    pub files: Option<String>,
    /// The most bytes the store may take.
    #[uniffi(default = None)]
    pub quota_bytes: Option<u64>,
    /// The most bytes that files may take.
    #[uniffi(default = None)]
    pub files_quota_bytes: Option<u64>,
    /// Root certificates (DER) trusted beside Mozilla's: for a server of one's own.
    #[uniffi(default = [])]
    pub roots: Vec<Vec<u8>>,
    /// Which routes calls may take.
    #[uniffi(default = None)]
    pub routes: Option<RouteRule>,
    /// The local addresses that links use; all if there are none. For tests.
    #[uniffi(default = [])]
    pub bind: Vec<String>,
}

/// Which routes a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RouteRule {
    /// Whatever works, direct preferred.
    Any,
    /// Never through a relay.
    DirectOnly,
    /// Only through our relay: the other side learns no address of this device.
    RelayOnly,
}

/// What the media port of a client is called with; see `sidetone_media.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Record)]
pub struct SoundHandle {
    /// Never used twice in one process.
    pub value: u64,
}

/// One phone's Sidetone. Apps hold the `Client` of their language, which holds this.
#[derive(uniffi::Object)]
pub struct RawClient {
    client: Arc<Client>,
    sound: SoundHandle,
    closing: watch::Sender<bool>,
    _live: Live,
}

/// The library's version.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[uniffi::export]
impl RawClient {
    /// Opens a client: asks the vault for the key, opens the store, and starts to connect. It reads files: not for the
    /// main thread.
    #[uniffi::constructor]
    pub fn open(options: ClientOptions, vault: Arc<dyn KeyVault>) -> Result<Arc<Self>, SidetoneError> {
        let client = Client::open(config(options, vault)?)?;
        let (microphone, speaker) = client.take_sound().ok_or_else(|| SidetoneError::of(ErrorCode::System))?;
        let value =
            port::plug(microphone, speaker, &client.video()).ok_or_else(|| SidetoneError::of(ErrorCode::System))?;
        let (closing, _) = watch::channel(false);
        Ok(Arc::new(Self { client: Arc::new(client), sound: SoundHandle { value }, closing, _live: Live::begin() }))
    }

    /// Ends a call, closes links and socket, lets go of the store; returns when all of it is gone. Again is harmless.
    /// Everything that waits ends: operations with the code `Closed`, events with an empty batch.
    pub async fn shut_down(&self) {
        port::unplug(self.sound.value);
        self.closing.send_replace(true);
        self.client.close().await;
    }

    /// All events that wait, at least one, oldest first; none once the client is closed.
    pub async fn next_events(&self) -> Vec<Event> {
        self.client.next_events().await.into_iter().map(Event::from).collect()
    }

    /// Which network the phone is in: when the client was opened, and whenever the system's default network becomes another
    /// one, loses or gets an address, is lost or is back. The same again does no harm.
    pub fn network_changed(&self, network: NetworkSnapshot) {
        self.client.network_changed(network.into());
    }

    /// The app is seen again.
    pub fn on_foreground(&self) {
        self.client.on_foreground();
    }

    /// The app is not seen any more and may be ended at any moment: returns when everything is in the store's file.
    pub async fn on_background(&self) -> Result<(), SidetoneError> {
        Ok(self.client.on_background().await?)
    }

    /// Lets go of the store's file, and stands still until the app is seen again: iOS ends an app that is suspended with a
    /// lock in a shared folder. Returns when the file is free.
    pub async fn pause(&self) -> Result<(), SidetoneError> {
        Ok(self.client.pause().await?)
    }

    /// Whether everything kept is whole; `Storage` if it is not. Takes long for a long history.
    pub async fn check_store(&self) -> Result<(), SidetoneError> {
        Ok(self.client.check_store().await?)
    }

    /// What the media port is called with.
    pub fn sound(&self) -> SoundHandle {
        self.sound
    }
}

impl RawClient {
    pub(crate) fn inner(&self) -> &Client {
        &self.client
    }

    /// Turns true when the client begins to close.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(crate) fn shared(&self) -> Arc<Client> {
        Arc::clone(&self.client)
    }

    pub(crate) fn operation<W, F>(&self, work: W) -> Arc<Operation>
    where
        W: FnOnce(Arc<Client>) -> F + Send + 'static,
        F: Future<Output = Result<Outcome, Error>> + Send + 'static,
    {
        self.attempt(move |client| async move { Ok(work(client).await?) })
    }

    pub(crate) fn attempt<W, F>(&self, work: W) -> Arc<Operation>
    where
        W: FnOnce(Arc<Client>) -> F + Send + 'static,
        F: Future<Output = Result<Outcome, SidetoneError>> + Send + 'static,
    {
        Operation::begin(work(self.shared()))
    }
}

impl Drop for RawClient {
    fn drop(&mut self) {
        port::unplug(self.sound.value);
    }
}

fn config(options: ClientOptions, vault: Arc<dyn KeyVault>) -> Result<Config, SidetoneError> {
    let mut config = Config::new(options.server, options.store.map(Into::into), AppVault(vault));
    config.quota = options.quota_bytes;
    config.files_quota = options.files_quota_bytes;
    config.files = options.files.map(Into::into).or(config.files);
    config.roots = options.roots;
    config.policy = match options.routes {
        None | Some(RouteRule::Any) => sidetone::RoutePolicy::Any,
        Some(RouteRule::DirectOnly) => sidetone::RoutePolicy::DirectOnly,
        Some(RouteRule::RelayOnly) => sidetone::RoutePolicy::RelayOnly,
    };
    if !options.bind.is_empty() {
        let parse = |address: &String| address.parse::<IpAddr>().map_err(|_| SidetoneError::of(ErrorCode::BindAddress));
        config.bind = Bind::Only(options.bind.iter().map(parse).collect::<Result<_, _>>()?);
    }
    Ok(config)
}
