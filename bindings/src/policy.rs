//! What holds in a room.

use sidetone::Policy;
use sidetone::room_policy as policy;

use crate::client::RouteRule;

/// What holds in a room for as long as it is; nobody can change it, not even the server.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoomPolicy {
    /// Who may take part.
    pub scope: RoomScope,
    /// How sound may travel.
    pub routes: RouteRule,
    /// Who may speak.
    pub speaking: Speaking,
    /// Who gets in.
    pub door: RoomDoor,
    /// For whom it is.
    pub audience: Audience,
    /// Whether a missed burst may be heard once more.
    pub replay: ReplayRule,
    /// The most members: 2 to 16.
    pub members: u8,
    /// The longest that one speaks at a stretch: 10 to 120 seconds.
    pub burst_s: u8,
}

/// Who may take part in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RoomScope {
    /// Whom the creator invites.
    Private,
    /// Friends of the creator.
    Friends,
    /// Whoever has the link.
    Link,
    /// Whoever was told a code.
    Code,
}

/// Who may speak in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Speaking {
    /// Everyone at any time.
    Open,
    /// One at a time, while holding a button.
    PushToTalk,
}

/// Who gets into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RoomDoor {
    /// Whoever holds its link or code.
    Open,
    /// Only whom the creator admits one by one.
    Knock,
}

/// For whom a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Audience {
    /// Everyone.
    Everyone,
    /// Adults only.
    Adults,
}

/// Whether a missed burst may be heard once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReplayRule {
    /// What was missed is gone.
    Never,
    /// The last burst stays in memory for a while.
    Allowed,
}

impl From<Policy> for RoomPolicy {
    fn from(told: Policy) -> Self {
        Self {
            scope: match told.scope {
                policy::Scope::Private => RoomScope::Private,
                policy::Scope::Friends => RoomScope::Friends,
                policy::Scope::Link => RoomScope::Link,
                policy::Scope::Code => RoomScope::Code,
            },
            routes: match told.relaying {
                policy::Relaying::Forbidden => RouteRule::DirectOnly,
                policy::Relaying::Allowed => RouteRule::Any,
                policy::Relaying::Required => RouteRule::RelayOnly,
            },
            speaking: match told.speaking {
                policy::Speaking::Open => Speaking::Open,
                policy::Speaking::PushToTalk => Speaking::PushToTalk,
            },
            door: match told.door {
                policy::Door::Open => RoomDoor::Open,
                policy::Door::Knock => RoomDoor::Knock,
            },
            audience: match told.age {
                policy::Age::Any => Audience::Everyone,
                policy::Age::Adults => Audience::Adults,
            },
            replay: match told.replay {
                policy::Replay::Never => ReplayRule::Never,
                policy::Replay::Allowed => ReplayRule::Allowed,
            },
            members: told.members,
            burst_s: told.burst_s,
        }
    }
}

impl From<RoomPolicy> for Policy {
    fn from(wish: RoomPolicy) -> Self {
        Self {
            scope: match wish.scope {
                RoomScope::Private => policy::Scope::Private,
                RoomScope::Friends => policy::Scope::Friends,
                RoomScope::Link => policy::Scope::Link,
                RoomScope::Code => policy::Scope::Code,
            },
            relaying: match wish.routes {
                RouteRule::DirectOnly => policy::Relaying::Forbidden,
                RouteRule::Any => policy::Relaying::Allowed,
                RouteRule::RelayOnly => policy::Relaying::Required,
            },
            speaking: match wish.speaking {
                Speaking::Open => policy::Speaking::Open,
                Speaking::PushToTalk => policy::Speaking::PushToTalk,
            },
            door: match wish.door {
                RoomDoor::Open => policy::Door::Open,
                RoomDoor::Knock => policy::Door::Knock,
            },
            age: match wish.audience {
                Audience::Everyone => policy::Age::Any,
                Audience::Adults => policy::Age::Adults,
            },
            replay: match wish.replay {
                ReplayRule::Never => policy::Replay::Never,
                ReplayRule::Allowed => policy::Replay::Allowed,
            },
            members: wish.members,
            burst_s: wish.burst_s,
        }
    }
}
