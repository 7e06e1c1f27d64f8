//! Privacy receipts: with whom this phone had to do, what passed, how it travelled, and what is left of it.

use sidetone::With;

use crate::calls::Route;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{MatchId, RoomId, UserId};
use crate::stranger::HeldCount;

/// What passed with somebody, for as long as there were links to them. In memory only, and without any address: for a page that
/// shows a user what a call, a room or a stranger left behind.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PrivacyReceipt {
    /// With whom.
    pub peer: ReceiptPeer,
    /// How long it took, in milliseconds; none while it lasts.
    pub took_ms: Option<u64>,
    /// The server: the only one that was contacted beside its relay and the peer.
    pub server: String,
    /// To and from the server meanwhile, for whatever reason.
    pub signaling: Traffic,
    /// To ask how this phone is seen from outside.
    pub stun: Traffic,
    /// Through our relay.
    pub relay: Traffic,
    /// To and from the peers' addresses.
    pub direct: Traffic,
    /// How links travelled.
    pub routes: Vec<RouteSpan>,
    /// Links that were made.
    pub links: u32,
    /// Keys that were in use.
    pub keys: KeyCount,
    /// What stays on this phone.
    pub kept: KeptCount,
    /// What was erased when it ended: of a stranger everything there was, of others links and every key that was in use. None
    /// while it lasts.
    pub erased: Option<HeldCount>,
}

/// With whom a receipt is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum ReceiptPeer {
    /// A friend, in a call or for messages and files.
    Friend {
        /// Who.
        user: UserId,
    },
    /// Everybody in a room.
    Room {
        /// Which.
        room: RoomId,
    },
    /// A stranger.
    Stranger {
        /// The match.
        id: MatchId,
    },
}

/// Bytes each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Traffic {
    /// From here.
    pub sent: u64,
    /// To here.
    pub received: u64,
}

/// How a link travelled for a while.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RouteSpan {
    /// How.
    pub route: Route,
    /// From when on, in milliseconds since the receipt begins.
    pub from_ms: u64,
    /// Until when; none while it does.
    pub to_ms: Option<u64>,
}

/// How often keys were made anew: each time those before were erased, so that who learns some reads nothing from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct KeyCount {
    /// Sessions, each with keys of a handshake of its own.
    pub sessions: u32,
    /// Fresh exchanges within them.
    pub records: u32,
    /// Keys of sound and pictures, ours and theirs.
    pub sound: u32,
}

/// What stays on this phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct KeptCount {
    /// How many rows of the store: what was said and what became of it, files, how a room is entered again.
    pub rows: u32,
    /// Their bytes, before they are sealed.
    pub bytes: u64,
}

#[uniffi::export]
impl RawClient {
    /// What passed with friends, rooms and strangers of late, newest first: for the user to see. Nothing of it is ever kept on
    /// disk or sent.
    pub async fn privacy_receipts(&self) -> Result<Vec<PrivacyReceipt>, SidetoneError> {
        Ok(self.inner().receipts().await?.into_iter().map(PrivacyReceipt::from).collect())
    }
}

impl From<sidetone::Receipt> for PrivacyReceipt {
    fn from(told: sidetone::Receipt) -> Self {
        let traffic = |bytes: sidetone::Bytes| Traffic { sent: bytes.sent, received: bytes.received };
        let span = |span: sidetone::Travelled| RouteSpan {
            route: span.route.into(),
            from_ms: span.from_ms,
            to_ms: span.to_ms,
        };
        Self {
            peer: match told.with {
                With::Friend(user) => ReceiptPeer::Friend { user: user.into() },
                With::Room(room) => ReceiptPeer::Room { room: room.into() },
                With::Stranger(id) => ReceiptPeer::Stranger { id: id.into() },
            },
            took_ms: told.took_ms,
            server: told.server,
            signaling: traffic(told.signaling),
            stun: traffic(told.stun),
            relay: traffic(told.relay),
            direct: traffic(told.peer),
            routes: told.routes.into_iter().map(span).collect(),
            links: told.links,
            keys: KeyCount { sessions: told.epochs.sessions, records: told.epochs.records, sound: told.epochs.sound },
            kept: KeptCount { rows: told.kept.rows, bytes: told.kept.bytes },
            erased: told.erased.map(HeldCount::from),
        }
    }
}
