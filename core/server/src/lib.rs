//! The meeting server: accounts, friends, presence, sealed signaling, STUN and TURN. It never holds content.
//!
//! - [`Desk`] decides everything. It opens no socket, knows no clock and draws no randomness of its own: bytes, time and
//!   a seed come in as arguments, bytes come out. The process, the tests and the simulated world drive the same object.
//! - [`Bus`] is what moves (sessions, their numbered events, presence, limits) and is lost with the process;
//!   [`Store`] is what stays (accounts, friendships, tokens). Each has a local implementation: [`LocalBus`],
//!   [`SqliteStore`].
//! - [`turn`] is the STUN and TURN server, decided the same way: messages in, messages out.
//! - [`Server`] is the process around them: listeners, sockets, a clock.

mod bus;
mod config;
mod desk;
mod email;
mod keys;
mod local;
mod name;
mod push;
mod radar;
mod relay;
mod serve;
mod sqlite;
mod store;

pub mod log;
pub mod turn;

pub use bus::{
    Attached, Bus, BusError, Delivery, Denied, Entering, Epoch, Exile, Held, Lapsed, Opening, Party, Pool, Rate,
    RelayName, Replay, Seeking, Suspicion, Tag, Terms, Woken,
};
pub use config::{
    BrokerError, CertificateError, Config, Developer, Elsewhere, Google, Keep, Listener, Publish, PushConfig,
    RelayConfig, StartError, TlsConfig,
};
pub use desk::{Desk, DeskConfig, DeskError, Figures, Leaving, Limits, Outgoing, RelayTerms, Routed, SocketId};
pub use local::LocalBus;
pub use name::Username;
pub use push::Wake;
pub use radar::{Minute, PoolCounts, Radar};
pub use relay::RelayFigures;
pub use serve::{AllFigures, Crowd, Running, Server};
pub use sqlite::SqliteStore;
pub use store::{
    Account, Act, Edge, Enrolled, Known, NewAccount, RoomKept, RoomRow, SignedIn, Stance, Store, StoreError, TokenHash,
};

/// The time, told to whoever decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back.
    pub ticks_ms: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
}

impl Now {
    /// Days since 1970-01-01 UTC.
    pub fn day(self) -> u32 {
        u32::try_from(self.unix_ms / 86_400_000).unwrap_or(u32::MAX)
    }
}
