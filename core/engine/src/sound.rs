//! What an engine and the sound of a room say to each other.

pub use sidetone_wire::floor::Claim;
use sidetone_wire::id::MemberId;

use crate::call::{Shows, Wants};
use crate::effect::SenderKey;
use crate::input::{LinkId, Microphone};

/// What the sound of one room is to do, and its pictures. Orders about a member that is not there are ignored.
#[derive(Debug)]
pub enum SoundOrder {
    /// Begin: nobody is heard and nothing is sent yet.
    Join {
        /// Who may speak.
        mode: Mode,
        /// Whether bursts that were not listened to are kept in memory for [`SoundOrder::Replay`].
        replay: bool,
    },
    /// Seal with this key from now on; it replaces the one before, at once.
    SealWith(SenderKey),
    /// Send to this member and hear it over this link; replaces its earlier link, keeps its keys.
    Member {
        /// Who.
        member: MemberId,
        /// Over which link, and over no other.
        link: LinkId,
    },
    /// The member seals with this key, now or soon: the ones before stay good for frames under way.
    OpenWith {
        /// Who.
        member: MemberId,
        /// With what. It is good on this member's link only.
        key: SenderKey,
    },
    /// The member is heard and sent to no more; its keys are forgotten.
    Gone {
        /// Who.
        member: MemberId,
    },
    /// Whether the microphone is heard, in a room of open microphones.
    Microphone(Microphone),
    /// The microphone goes out now, what was said shortly before first; the claim travels in its first packets.
    Talk(Claim),
    /// Stop sending; the last packets say that the burst is over.
    Hush,
    /// Play this member only, from its next burst or the one that is on; `None`: nobody. Only in push-to-talk rooms.
    Listen(Option<MemberId>),
    /// Play a burst that was not listened to, if it is still in memory.
    Replay {
        /// Whose.
        member: MemberId,
        /// Which of theirs.
        burst: u32,
    },
    /// Which of our pictures go out.
    Show(Shows),
    /// Which of them a member wants to see.
    Wanted {
        /// Who.
        member: MemberId,
        /// What.
        wants: Wants,
    },
    /// Stop, and forget keys and bursts.
    Leave,
}

/// What the sound of one room says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoundNews {
    /// The first authentic packet of a claim that was not seen before, or not since the burst was [`SoundNews::Silent`].
    Claimed {
        /// Whose.
        member: MemberId,
        /// What it says.
        claim: Claim,
    },
    /// The end of a burst was heard.
    Ended {
        /// Whose.
        member: MemberId,
        /// Which of theirs.
        burst: u32,
    },
    /// Nothing came from the member listened to for 1.0 s.
    Silent {
        /// Who.
        member: MemberId,
    },
    /// Who is loud now, the loudest first: at most five times a second. Empty once nobody is.
    Levels(Vec<Loudness>),
}

/// How loud a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loudness {
    /// Who.
    pub member: MemberId,
    /// In -dBov as in RFC 6464: 0 is the loudest, 127 is silence.
    pub level: u8,
}

/// Who may speak in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everybody at any time.
    Open,
    /// One at a time, who holds the floor.
    PushToTalk,
}
