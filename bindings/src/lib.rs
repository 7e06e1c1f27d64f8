//! Sidetone for Kotlin and Swift: the same client in records, enums and a few objects, and the media port in C.
//!
//! Nothing is decided here: every function translates its arguments, calls `sidetone`, and translates what comes back.
//! What the two languages add on top (flows, streams, cancellation of their own kind) is in `kotlin/` and `swift/`.
//!
//! # Threads
//! Every function may be called from any thread. Those that are not `async` return at once, but for opening a client,
//! which reads its store. The only calls into the app are [`KeyVault`], on the thread that opens a client, and
//! [`LogSink`], on a thread of its own.

uniffi::setup_scaffolding!("sidetone");

mod account;
mod calls;
mod chat;
mod client;
mod connectivity;
mod count;
mod diagnostics;
mod error;
mod event;
mod face;
mod files;
mod friends;
mod gallery;
mod id;
mod keep;
mod log;
mod network;
mod note;
mod operation;
mod pictures;
mod policy;
mod port;
mod preferences;
mod push;
mod receipt;
mod room;
mod rooms;
mod search;
mod stranger;
mod strangers;
mod vault;

pub use account::{AccountView, AddressRule, ReceiptRule};
pub use calls::{
    AudioIntent, CallDirection, CallEnd, CallState, CallView, HearingState, MicrophoneState, RelayOwner, RelayProtocol,
    Route, RouteReach, audio_intent,
};
pub use chat::{ChatView, FileKind, Hit, Message, MessageContent, MessageState, Reaction, StorageRule};
pub use client::{ClientOptions, RawClient, RouteRule, SoundHandle, version};
pub use count::live_objects;
pub use diagnostics::{CallPhase, CallSetup, Diagnostics, LinkFigures, LinkPeer, SoundFigures};
pub use error::{ErrorCode, SidetoneError, UserAction};
pub use event::Event;
pub use face::{CallChoice, CallQuality, call_choices, call_quality, stranger_choices};
pub use files::{FilePolicy, FilePreview, ImageOrigin, Transfer, TransferFailure, TransferStage};
pub use friends::{Comparison, Friend, Standing};
pub use id::{CallId, MatchId, MemberId, MessageId, PublicKey, RoomId, TransferId, UserId};
pub use keep::{
    ExportReport, ImportReport, ImportedIdentity, ServerExport, StorePart, WipeReport, forget_data, import_data,
    salvage_data,
};
pub use log::{LogLevel, LogProblem, LogSink, set_log_sink};
pub use note::{NoteView, RawNote};
pub use operation::{Operation, Outcome, Progress};
pub use pictures::{
    FrameInfo, PushedFrame, RawFrames, ScreenContent, Shows, VideoCodec, VideoEvent, VideoFigures, VideoRotation,
    VideoSource, Wants,
};
pub use policy::{Audience, ReplayRule, RoomDoor, RoomPolicy, RoomScope, Speaking};
pub use port::{
    MEDIA_BUSY, MEDIA_CLOSED, MEDIA_CODEC, MEDIA_DROPPED, MEDIA_FAULT, MEDIA_HEAD, MEDIA_LENGTH, MEDIA_NEEDS_KEY,
    MEDIA_NO_CALL, MEDIA_NOT_SHOWN, MEDIA_NULL, MEDIA_QUEUED, MEDIA_SHORT, MEDIA_TIME, sidetone_media_frame_next,
    sidetone_media_frame_push, sidetone_media_note, sidetone_media_pull, sidetone_media_push, sidetone_media_room_next,
    sidetone_media_room_push,
};
pub use preferences::{Preferences, Theme};
pub use push::PushAddress;
pub use receipt::{KeptCount, KeyCount, PrivacyReceipt, ReceiptPeer, RouteSpan, Traffic};
pub use room::{
    Floor, FloorPriority, FloorRefusal, MemberLevel, MemberPresence, RecentRoom, RoomEnd, RoomEvent, RoomGuest,
    RoomMember, RoomMemory, RoomView,
};
pub use rooms::usual_policy;
pub use search::Search;
pub use stranger::{
    BurnReport, HeldCount, ReportReason, SearchFailure, Stranger, StrangerCall, StrangerContent, StrangerEnd,
    StrangerEntry, StrangerEvent, StrangerImage, StrangerMedia, StrangerMessage, StrangerView,
};
pub use vault::{KeyVault, VaultProblem};
