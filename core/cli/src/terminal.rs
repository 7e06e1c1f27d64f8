//! A phone at a terminal: where it keeps its account, and how it comes into it.

use std::io::{BufRead, IsTerminal, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sidetone::{
    Account, Bind, CallState, Client, Config, EndReason, Error, Event, FileVault, Friend, Plain, Protocol, Reach,
    Relay, Route, Standing,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::trouble::Trouble;

pub mod call;
pub mod chat;
pub mod echo;
pub mod room;
pub mod stranger;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which phone.
#[derive(Debug, Clone, clap::Args)]
pub struct PhoneArgs {
    /// Folder that holds this phone's account and messages, sealed; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The meeting server.
    #[arg(long, value_name = "URL", env = "SIDETONE_SERVER", default_value = "ws://127.0.0.1:7400")]
    server: String,
    /// Talk to a server elsewhere without TLS: only where the network is protected otherwise.
    #[arg(long)]
    plain: bool,
    /// A root certificate (DER) to trust beside the usual ones; may be repeated.
    #[arg(long, value_name = "FILE")]
    root: Vec<PathBuf>,
    /// Use only this local address for links; may be repeated.
    #[arg(long, value_name = "IP")]
    bind: Vec<IpAddr>,
    /// The most bytes the phone's store may take.
    #[arg(long, value_name = "BYTES")]
    quota: Option<u64>,
    /// Whose account, if the folder holds none yet.
    #[arg(long)]
    name: Option<String>,
    /// Make the account.
    #[arg(long, requires = "name", requires = "email")]
    new: bool,
    /// The e-mail address of an account to make.
    #[arg(long)]
    email: Option<String>,
    /// A file whose first line is the password; otherwise $SIDETONE_PASSWORD, otherwise it is asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Whether a phone without a server is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It cannot do its work.
    Server,
    /// What is written waits.
    AccountOnly,
}

impl PhoneArgs {
    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Opens the phone.
    ///
    /// # Errors
    ///
    /// [`Trouble::File`], [`Trouble::Open`].
    pub fn open(&self) -> Result<Client, Trouble> {
        make_folder(&self.data)?;
        let vault = FileVault::new(self.data.join("phone.key"));
        let mut config = Config::new(&self.server, Some(self.data.join("phone.db")), vault);
        if self.plain {
            config.plain = Plain::Anywhere;
        }
        if !self.bind.is_empty() {
            config.bind = Bind::Only(self.bind.clone());
        }
        config.quota = self.quota;
        for root in &self.root {
            config.roots.push(std::fs::read(root).map_err(|error| Trouble::file(root, &error))?);
        }
        Client::open(config).map_err(|error| Trouble::Open { data: self.data.clone(), error })
    }

    /// Opens the phone and comes into its account, by making it, by signing in, or as it was left.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub async fn enter(&self, need: Need) -> Result<(Client, Account), Trouble> {
        let client = self.open()?;
        let account = client.account().await?;
        if let (Some(account), Some(named)) = (&account, &self.name)
            && account.name != *named
        {
            let (data, holds, named) = (self.data.clone(), account.name.clone(), named.clone());
            return Err(Trouble::OtherAccount { data, holds, named });
        }
        let valid = account.filter(|account| account.valid);
        if valid.is_none() && self.name.is_none() {
            return Err(Trouble::NoAccount(self.data.clone()));
        }
        let connected = timeout(PATIENCE, connected(&client)).await;
        if connected.is_err() && (need == Need::Server || valid.is_none()) {
            return Err(Trouble::ServerAway(self.server.clone()));
        }
        if let Ok(done) = connected {
            done?;
        }
        if let (None, Some(name)) = (valid, &self.name) {
            let password = self.password(name)?;
            match (&self.email, self.new) {
                (Some(email), true) => client.register(name, email, &password).await?,
                _ => client.sign_in(name, &password).await?,
            }
        }
        let account = client.account().await?.ok_or(Error::SignedOut)?;
        Ok((client, account))
    }

    fn password(&self, name: &str) -> Result<Zeroizing<String>, Trouble> {
        let first_line = |text: &str| Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
        if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))?;
            return Ok(first_line(&Zeroizing::new(text)));
        }
        if let Ok(text) = std::env::var("SIDETONE_PASSWORD") {
            return Ok(first_line(&Zeroizing::new(text)));
        }
        ask_password(name)
    }
}

fn make_folder(path: &Path) -> Result<(), Trouble> {
    std::fs::create_dir_all(path).map_err(|error| Trouble::file(path, &error))
}

/// Waits until the server knows us, or for the reason why it never will.
async fn connected(client: &Client) -> Result<(), Trouble> {
    loop {
        match client.next_event().await {
            Some(Event::Connected(true)) => return Ok(()),
            Some(Event::Stopped(error) | Event::Revoked(error)) => return Err(error.into()),
            Some(_) => {}
            None => return Err(Error::Closed.into()),
        }
    }
}

/// Asks at the terminal, without showing what is typed.
fn ask_password(name: &str) -> Result<Zeroizing<String>, Trouble> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Trouble::NoPassword);
    }
    let shown = tcgetattr(&input).map_err(Trouble::system)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let mut out = std::io::stderr();
    // Without a standard error the question is not seen; it is answered all the same.
    let _ = write!(out, "password of {name}: ");
    tcsetattr(&input, OptionalActions::Flush, &hidden).map_err(Trouble::system)?;
    let mut line = Zeroizing::new(String::new());
    let read = input.lock().read_line(&mut line);
    tcsetattr(&input, OptionalActions::Flush, &shown).map_err(Trouble::system)?;
    let _ = writeln!(out);
    read.map_err(Trouble::system)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// The friend of this name.
///
/// # Errors
///
/// [`Trouble::Stranger`].
pub async fn friend(client: &Client, name: &str) -> Result<Friend, Trouble> {
    let friends = client.friends().await?;
    let found = friends.into_iter().find(|friend| friend.standing == Standing::Friend && friend.name == name);
    found.ok_or_else(|| Trouble::Stranger(name.to_owned()))
}

/// A route in words.
pub fn route(route: Option<Route>) -> &'static str {
    match route {
        Some(Route::Direct(Reach::Lan)) => "direct, one network",
        Some(Route::Direct(Reach::Internet)) => "direct, over the internet",
        Some(Route::Relayed(Relay::Us, Protocol::Udp)) => "relayed by us",
        Some(Route::Relayed(Relay::Us, Protocol::Tcp)) => "relayed by us over TCP",
        Some(Route::Relayed(Relay::Us, Protocol::Tls)) => "relayed by us over TLS",
        Some(Route::Relayed(Relay::Them, _)) => "relayed by them",
        Some(Route::Relayed(Relay::Both, Protocol::Udp)) => "relayed by both",
        Some(Route::Relayed(Relay::Both, Protocol::Tcp)) => "relayed by both, by us over TCP",
        Some(Route::Relayed(Relay::Both, Protocol::Tls)) => "relayed by both, by us over TLS",
        None => "none",
    }
}

/// How a call stands in words.
pub fn state(state: CallState) -> &'static str {
    match state {
        CallState::Ringing => "ringing",
        CallState::Connecting => "connecting",
        CallState::Connected => "connected",
        CallState::Reconnecting(_) => "reconnecting",
        CallState::Ended(reason) => ended(reason),
    }
}

fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::HungUp => "hung up",
        EndReason::PeerHungUp => "they hung up",
        EndReason::Declined => "declined",
        EndReason::PeerDeclined => "they declined",
        EndReason::PeerBusy => "they are in another call",
        EndReason::Cancelled => "given up",
        EndReason::Missed => "missed",
        EndReason::Unanswered => "nobody answered",
        EndReason::Unreachable => "they are not online",
        EndReason::ConnectionLost => "the connection was lost",
        EndReason::PeerForgot => "they know nothing of it any more",
        EndReason::Merged(_) => "both called at once; the other call goes on",
        EndReason::NotTrusted => "their key is not the known one, or they are no friend any more",
        EndReason::SignedOut => "the account was left",
    }
}
