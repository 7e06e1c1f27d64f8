//! Rooms as the app sees them: what it may want of one, and what it is told.

use sidetone_crypto::identity::PublicKey;
use sidetone_crypto::room::{Invitation, Policy};
use sidetone_wire::id::{MemberId, RoomId};
use sidetone_wire::member::{Poise, Reaction};
use sidetone_wire::record::Text;
use sidetone_wire::room::RoomName;

use crate::call::{Shows, Wants};
use crate::floor::{FloorEvent, FloorState, Priority};
use crate::input::{Microphone, Route, Verified};
use crate::sound::Loudness;

/// What the app may want of rooms. Works with an account and without.
pub enum RoomCommand {
    /// Open a room and enter it as its creator; answered with [`crate::Answer::Room`].
    Open(NewRoom),
    /// Enter a room by what its link holds; answered with [`crate::Answer::Room`].
    Join(JoinRoom),
    /// Enter a room that was remembered, as whom we were there; answered with [`crate::Answer::Room`].
    Rejoin(RoomId),
    /// Leave a room.
    Leave(RoomId),
    /// Forget a room that was remembered; it must have been left.
    Forget(RoomId),
    /// Let in somebody who knocks. The creator's.
    Admit(RoomId, MemberId),
    /// Put a member out: its stay is over, and it may enter anew where the door is open. The creator's.
    Kick(RoomId, MemberId),
    /// Put a member out for good. The creator's.
    Ban(RoomId, MemberId),
    /// Let nobody new in, or let people in again. The creator's.
    Lock(RoomId, Lock),
    /// End a room for everybody. The creator's.
    Close(RoomId),
    /// Ask a member to mute its microphone: it is told who asks, and decides.
    AskToMute(RoomId, MemberId),
    /// Raise or lower our hand.
    RaiseHand(RoomId, Hand),
    /// React.
    React(RoomId, Reaction),
    /// Say something to everybody who is there; kept by nobody.
    Text(RoomId, Text),
    /// Whether our microphone is heard, in a room of open microphones.
    SetMicrophone(RoomId, Microphone),
    /// A member's words were compared by people (or no longer count).
    SetVerified(RoomId, MemberId, Verified),
    /// Which of our pictures everybody is shown.
    Show(RoomId, Shows),
    /// How large the pictures of a member are of use here.
    Want(RoomId, MemberId, Wants),
    /// The button is pressed, in a push-to-talk room.
    Press(RoomId, Priority),
    /// The button is let go.
    Release(RoomId),
    /// Play a burst that was missed, where the room allows it.
    Replay(RoomId, MemberId, u32),
    /// Make a code that can be said aloud; answered with [`crate::Answer::Code`]. The creator's.
    OpenCode(RoomId),
    /// Enter a room by a code; answered with [`crate::Answer::Room`].
    JoinCode(JoinCode),
}

impl std::fmt::Debug for RoomCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomCommand")
    }
}

/// A room to be opened.
pub struct NewRoom {
    /// What holds in it for as long as it is.
    pub policy: Policy,
    /// Its name, if it has one.
    pub name: Option<RoomName>,
    /// The name we show in it.
    pub shown: RoomName,
    /// The server where it meets, as all its members call it: part of its codes.
    pub host: String,
    /// What stays of it.
    pub memory: Memory,
}

/// A room to be entered.
pub struct JoinRoom {
    /// What its link holds.
    pub invitation: Invitation,
    /// The name we show in it.
    pub shown: RoomName,
    /// The server where it meets.
    pub host: String,
    /// What stays of it.
    pub memory: Memory,
    /// Whether the user is an adult, as the app knows.
    pub age: Age,
}

/// A room to be entered by a spoken code.
pub struct JoinCode {
    /// The code as typed or scanned.
    pub code: sidetone_crypto::code::SpokenCode,
    /// As in [`JoinRoom`].
    pub shown: RoomName,
    /// As in [`JoinRoom`]: part of what the code proves.
    pub host: String,
    /// As in [`JoinRoom`].
    pub memory: Memory,
    /// As in [`JoinRoom`].
    pub age: Age,
}

/// What stays of a room once it is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Memory {
    /// Nothing.
    #[default]
    Nothing,
    /// This device remembers how to enter it again.
    Recent,
    /// That, and the server keeps the room while nobody is in it; for the creator, with an account.
    Kept,
}

impl Memory {
    /// What a row says.
    pub(crate) fn of(number: u8) -> Self {
        match number {
            1 => Self::Recent,
            2 => Self::Kept,
            _ => Self::Nothing,
        }
    }
}

/// How old the user is, as far as rooms ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Age {
    /// Not known.
    #[default]
    Unknown,
    /// An adult.
    Adult,
}

/// Whether a room lets anybody new in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It does.
    Open,
    /// It does not.
    Locked,
}

/// Whether a hand is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// It is.
    Raised,
    /// It is not.
    Lowered,
}

/// What the app is told of rooms. The view is the truth: whoever missed one reads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// The room or somebody in it changed.
    Changed,
    /// Somebody came in.
    Joined(MemberId),
    /// Somebody is not there any more.
    Left(MemberId),
    /// Somebody waits to be let in. For the creator.
    Knocking(MemberId),
    /// Who speaks, or may.
    Floor(FloorEvent),
    /// Who is loud, the loudest first; at most five times a second.
    Loud(Vec<Loudness>),
    /// A text.
    Text(MemberId, Text),
    /// A reaction.
    Reaction(MemberId, Reaction),
    /// This member asks us to mute our microphone.
    MuteAsked(MemberId),
    /// A spoken code of ours cannot be used any more.
    CodeBurned,
    /// We are out, and why.
    Ended(RoomEnd),
}

/// Why we are not in a room any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomEnd {
    /// We left.
    Left,
    /// The creator put us out; we may enter anew.
    Kicked,
    /// The creator put us out for good.
    Banned,
    /// The creator closed the room.
    Closed,
    /// Nobody who is there answered: the link is not this room's, or they do not let us in.
    Unanswered,
    /// The server does not let us in again, and nobody is left.
    Lost,
}

/// A room we are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// Which.
    pub room: RoomId,
    /// Its name, if it has one.
    pub name: Option<RoomName>,
    /// What holds in it.
    pub policy: Policy,
    /// We in it.
    pub us: MemberId,
    /// Whether we made it.
    pub creator: bool,
    /// Whether the creator lets nobody new in.
    pub locked: bool,
    /// Whether the server knows that we are in it; the links live on without.
    pub online: bool,
    /// Our hand and our microphone.
    pub poise: Poise,
    /// What we show.
    pub shows: Shows,
    /// What of it anybody wants to see, in the size that is of use to whoever wants it largest.
    pub wants: Wants,
    /// Everybody else, by id.
    pub members: Vec<MemberView>,
    /// How the floor stands, in a push-to-talk room.
    pub floor: Option<FloorState>,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Who.
    pub member: MemberId,
    /// The name they show: two may have the same.
    pub name: RoomName,
    /// The key they showed; by hearsay if there is no session with them.
    pub key: PublicKey,
    /// Whether they made the room.
    pub creator: bool,
    /// Whether people compared words with them.
    pub verified: bool,
    /// How they are reached.
    pub presence: Presence,
    /// Their hand and microphone.
    pub poise: Poise,
    /// What they show.
    pub shows: Shows,
    /// What they want to see of ours.
    pub wants: Wants,
}

/// How a member is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Over a link.
    Here(Route),
    /// A link is being made, for the first time or again.
    Reaching,
    /// No way to them was found that the room's policy and both devices allow: where relays are forbidden, there is no direct
    /// one. It is tried again.
    NoWay,
    /// Others say that they are there.
    Heard,
    /// They wait to be let in.
    Waiting,
}

/// A room that this device remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentRoom {
    /// Which.
    pub room: RoomId,
    /// Its name, if it has one.
    pub name: Option<RoomName>,
    /// The name we showed in it.
    pub shown: RoomName,
    /// The server where it meets.
    pub host: String,
    /// When we entered it last, in milliseconds since 1970-01-01 UTC.
    pub entered_ms: u64,
    /// Whether we made it.
    pub creator: bool,
    /// What stays of it.
    pub memory: Memory,
}
