//! Every decision a phone makes: one state machine made of small ones.
//!
//! The engine is told what happened ([`Input`]) and when ([`Now`]), and answers with what is to be done ([`Effect`]).
//! It opens nothing, waits for nothing and knows no clock, thread, socket or file; its randomness comes from the seed it
//! was made with. The same seed and the same inputs give the same effects, byte for byte.
//!
//! Who drives an engine keeps one law: of the effects of one step, first [`Effect::Save`], [`Effect::Hold`],
//! [`Effect::Amend`] and [`Effect::Forget`] in their order and in one transaction, then [`Effect::Send`], [`Effect::Link`] and [`Effect::Media`] in their order, then [`Effect::Answer`]
//! and [`Effect::Tell`]. A crash between any two of them loses nothing that was promised and repeats nothing.

mod account;
mod call;
mod chat;
pub mod connectivity;
mod cx;
mod effect;
mod engine;
pub mod floor;
mod input;
mod keys;
mod meeting;
mod network;
mod pairing;
mod peers;
mod preferences;
mod ring;
pub mod room;
mod rooms;
mod roster;
pub mod row;
mod seen;
mod sound;
pub mod stranger;
mod strangers;
mod time;
pub mod transfer;
mod view;

pub use call::{CallState, CallView, Content, Direction, EndReason, Shows, Wants};
pub use effect::{
    AccountEvent, Answer, CommandError, Effect, Event, Keys, MediaOrder, Order, Role, Scope, SenderKey, Ways,
};
pub use engine::{Engine, Restoring};
pub use input::{
    Addresses, Ask, Camera, ChatCommand, Command, Down, Hearing, Input, LinkId, Microphone, News, Password, PeerId,
    Protocol, Reach, Receipts, Relay, Route, Storage, Verified,
};
pub use network::{Network, NetworkKind};
pub use preferences::{Preference, Preferences, Routes, Theme};
pub use sidetone_crypto::login::Cost;
pub use sound::{Claim, Loudness, Mode, SoundNews, SoundOrder};
pub use time::{Now, Time};
pub use view::{Account, Chat, Friend, Standing};

/// The most bytes of records that the engine leaves unconfirmed on one link: a link must take this much at once.
pub const WINDOW_BYTES: usize = 512 * 1024;

/// What an engine is made with.
pub struct Config {
    /// All its randomness comes from this: fresh from the system's generator, or chosen to repeat a run.
    pub seed: [u8; 32],
    /// How dear a guess of the password is made.
    pub login_cost: Cost,
}
