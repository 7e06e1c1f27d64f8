//! What a client did, in numbers: for a page that a user shows to whoever helps, and for an app's own tests.

use sidetone::PeerId;

use crate::calls::Route;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{CallId, MatchId, MemberId, RoomId, UserId};

/// What a client did since it was opened. It tells numbers, no content.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Diagnostics {
    /// Bytes to the server.
    pub signaling_sent: u64,
    /// Bytes from it.
    pub signaling_received: u64,
    /// Sockets to the server that were opened.
    pub sockets: u64,
    /// Messages of the server that were none.
    pub malformed_frames: u64,
    /// Bytes of sealed records to peers.
    pub records_sent: u64,
    /// Bytes of sealed records from peers.
    pub records_received: u64,
    /// What peers said and an honest phone would not say.
    pub refused_items: u64,
    /// Bytes that the links there are have sent, without files.
    pub links_sent: u64,
    /// The links there are.
    pub links: Vec<LinkFigures>,
    /// The sound of the call that is on, or of the last one.
    pub sound: SoundFigures,
    /// Pieces of files, of 16 KiB, that were sent.
    pub chunks_sent: u64,
    /// Pieces of files that came and were written.
    pub chunks_received: u64,
    /// How the last calls came about, newest first.
    pub calls: Vec<CallSetup>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LinkFigures {
    /// To whom.
    pub peer: LinkPeer,
    /// How it travels.
    pub route: Route,
    /// Round-trip time when that was chosen, in microseconds.
    pub round_trip_us: u64,
}

/// Who is at the other end of a link.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum LinkPeer {
    /// A friend.
    Friend {
        /// Who.
        user: UserId,
    },
    /// Somebody in a room.
    Member {
        /// In which.
        room: RoomId,
        /// Who.
        member: MemberId,
    },
    /// A stranger.
    Stranger {
        /// The match.
        id: MatchId,
    },
    /// Somebody whom this list does not know yet.
    Other,
}

/// The sound of a call in numbers. A frame is 20 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct SoundFigures {
    /// Frames of ours that left.
    pub frames_sent: u64,
    /// Frames of theirs that were opened and believed.
    pub frames_heard: u64,
    /// Frames that could not be opened.
    pub frames_refused: u64,
    /// Frames that came after their turn.
    pub frames_late: u64,
    /// Frames whose turn came without them.
    pub frames_lost: u64,
    /// Frames of those that were recovered from the copy in the next.
    pub frames_recovered: u64,
    /// Sound that was made up for what was missing, in milliseconds.
    #[uniffi(default = 0)]
    pub concealed_ms: u64,
    /// Sealed bytes that left.
    #[uniffi(default = 0)]
    pub bytes_sent: u64,
    /// Sealed bytes that came.
    #[uniffi(default = 0)]
    pub bytes_heard: u64,
    /// Samples from the microphone that found no room.
    #[uniffi(default = 0)]
    pub microphone_dropped: u64,
    /// Samples that the speaker asked for and did not get.
    #[uniffi(default = 0)]
    pub speaker_missing: u64,
    /// How long their sound waits before it is played, in milliseconds.
    #[uniffi(default = 0)]
    pub delay_ms: u32,
    /// Their frames that are lost, of a thousand, over the last seconds.
    #[uniffi(default = 0)]
    pub loss_permille: u32,
    /// Our frames that they miss, of a thousand, by their word.
    #[uniffi(default = 0)]
    pub their_loss_permille: u32,
    /// How loud our microphone is, in -dBov: 0 is the loudest, 127 is silence.
    #[uniffi(default = 127)]
    pub our_level: u8,
    /// How loud they are.
    #[uniffi(default = 127)]
    pub their_level: u8,
}

/// How one call came about.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct CallSetup {
    /// Which.
    pub call: CallId,
    /// Each phase the first time it was reached.
    pub phases: Vec<CallPhase>,
}

/// A step on the way to a call.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct CallPhase {
    /// In English, such as `ringing`, `linkup`, `connected`, `heard`: for a log.
    pub name: String,
    /// Milliseconds since the first of them.
    pub ms: f64,
}

impl From<sidetone::Diagnostics> for Diagnostics {
    fn from(told: sidetone::Diagnostics) -> Self {
        Self {
            signaling_sent: told.signaling.sent,
            signaling_received: told.signaling.received,
            sockets: told.sockets,
            malformed_frames: told.malformed_frames,
            records_sent: told.records.sent,
            records_received: told.records.received,
            refused_items: told.refused_items,
            links_sent: told.links_sent,
            links: told.links.into_iter().map(LinkFigures::from).collect(),
            sound: SoundFigures {
                frames_sent: told.sound.frames_sent,
                frames_heard: told.sound.frames_heard,
                frames_refused: told.sound.frames_refused,
                frames_late: told.sound.frames_late,
                frames_lost: told.sound.frames_lost,
                frames_recovered: told.sound.frames_recovered,
                concealed_ms: told.sound.concealed_ms,
                bytes_sent: told.sound.bytes_sent,
                bytes_heard: told.sound.bytes_heard,
                microphone_dropped: told.sound.microphone_dropped,
                speaker_missing: told.sound.speaker_missing,
                delay_ms: told.sound.delay_ms,
                loss_permille: told.sound.loss_permille,
                their_loss_permille: told.sound.their_loss_permille,
                our_level: told.sound.our_level,
                their_level: told.sound.their_level,
            },
            chunks_sent: told.file_chunks.sent,
            chunks_received: told.file_chunks.received,
            calls: told.calls.into_iter().map(CallSetup::from).collect(),
        }
    }
}

impl From<sidetone::LinkRoute> for LinkFigures {
    fn from(link: sidetone::LinkRoute) -> Self {
        let peer = match link.peer {
            PeerId::Friend(user) => LinkPeer::Friend { user: user.into() },
            PeerId::Member(room, member) => LinkPeer::Member { room: room.into(), member: member.into() },
            PeerId::Stranger(id) => LinkPeer::Stranger { id: id.into() },
            #[allow(unreachable_patterns, reason = "the client may learn of others")]
            _ => LinkPeer::Other,
        };
        let round_trip_us = u64::try_from(link.rtt.as_micros()).unwrap_or(u64::MAX);
        Self { peer, route: link.route.into(), round_trip_us }
    }
}

impl From<sidetone::CallSetup> for CallSetup {
    fn from(setup: sidetone::CallSetup) -> Self {
        let phase = |(phase, ms)| CallPhase { name: format!("{phase:?}").to_lowercase(), ms };
        Self { call: setup.call.into(), phases: setup.phases.into_iter().map(phase).collect() }
    }
}

#[uniffi::export]
impl RawClient {
    /// What this client did since it was opened, in numbers.
    pub async fn diagnostics(&self) -> Result<Diagnostics, SidetoneError> {
        Ok(self.inner().diagnostics().await?.into())
    }
}
