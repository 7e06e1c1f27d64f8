//! Sidetone for one phone: calls and texts between friends, directly and end-to-end encrypted.
//!
//! An app opens a [`Client`], calls its methods, and pulls [`Event`]s. What a phone decides is decided in
//! `sidetone_engine`; here is what carries it out: threads, clock, socket, store, links and sound.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sidetone::{Client, Config, Event, FileVault};
//!
//! let client = Client::open(Config::new("wss://meet.example", Some("me.db".into()), FileVault::new("me.key")))?;
//! while let Some(event) = client.next_event().await {
//!     match event {
//!         Event::Connected(true) => client.sign_in("anna", "a long password").await?,
//!         Event::Message { peer, .. } => drop(client.history(peer, None, 20).await?),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod link;
#[doc(hidden)]
pub mod media;
#[doc(hidden)]
pub mod socket;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod transfer;

mod built;
mod chat;
mod client;
mod convert;
mod diagnostics;
mod driver;
mod error;
mod event;
mod friend;
mod journal;
mod keep;
mod push;
mod receipt;
mod restore;
mod room;
mod stranger;
mod vault;
mod video;
mod witness;

pub use chat::{Chat, Found, Message, Reaction, SearchMark, What};
pub use client::{Client, Config};
pub use diagnostics::{Bytes, Chunks, Diagnostics, LinkRoute};
pub use error::{Error, OpenError, RoomFailure, StrangerFailure, UserAction};
pub use event::{EVENTS, Event};
pub use journal::{CallSetup, Phase};
pub use keep::{
    Downloads, Export, ExportError, Exported, ImportError, Imported, ImportedIdentity, Part, ServerPart, Wiped, forget,
    import, salvage,
};
pub use link::{Bind, RoutePolicy, VideoStats};
pub use media::{Loudspeaker, Microphone, SoundFigures};
pub use receipt::{Epochs, Kept, Receipt, Travelled, With};
pub use room::{Guest, NewRoom};
pub use sidetone_crypto::identity::PublicKey;
pub use sidetone_crypto::room::{self as room_policy, Policy};
pub use sidetone_crypto::safety::{Comparison, SafetyNumber};
pub use sidetone_engine::Loudness;
pub use sidetone_engine::connectivity::{self, ConnectivityReport};
pub use sidetone_engine::floor::{Deny, FloorEvent, FloorState, Priority};
pub use sidetone_engine::room::{
    Age, Hand, Lock, MemberView, Memory, Presence, RecentRoom, RoomEnd, RoomEvent, RoomView,
};
pub use sidetone_engine::row::{CallEntry, Failure, FileEntry, MessageState};
pub use sidetone_engine::stranger::{
    Accept, Attachment, AttachmentKind, Burned, Consent, Exposure, Held, Media as StrangerMedia, Reason, SearchEnd,
    Stranger, StrangerCall, StrangerContent, StrangerEnd, StrangerEvent, StrangerMessage, StrangerView,
};
pub use sidetone_engine::transfer::row::{EndReason as TransferEnd, FilePolicy};
pub use sidetone_engine::transfer::view::{PausedBy, TransferState, TransferView};
pub use sidetone_engine::{
    Account, Addresses, CallState, CallView, Camera, Content, Cost, Direction, EndReason, Friend, Hearing,
    Microphone as MicrophoneState, Network, NetworkKind, PeerId, Preference, Preferences, Protocol, Reach, Receipts,
    Relay, Route, Routes, Shows, Standing, Storage, Theme, Time, Verified, Wants,
};
pub use sidetone_media::video::{Codec, FrameError, Kind as FrameKind, Pause, Pushed, Rotation, Track as Source};
pub use sidetone_media::{Note, NoteRecorder};
pub use sidetone_wire::encounter::{Language, Nickname};
pub use sidetone_wire::id::{CallId, ItemSeq, LaneId, MatchId, MemberId, RoomId, TransferId, UserId};
pub use sidetone_wire::push::{DeviceToken, PushAddress, WebPush};
pub use sidetone_wire::record::MessageId;
pub use sidetone_wire::transfer::{FileKind, Picture, Voice};
pub use socket::{Plain, ServerError};
pub use store::StoreError;
pub use stranger::{BurnReport, Entering, Strangers};
pub use transfer::Preview;
pub use transfer::picture::{Decoded, Origin};
pub use vault::{FileVault, FixedKey, KeyVault, VaultError};
pub use video::{RoomVideo, Video, VideoError, VideoEvent, VideoFrame};
