//! Strangers, as an app sees them: what it may want, what it is told, what it can look at.
//!
//! Everything of a stranger is in memory only, and there is one at a time. Whatever happens, the user is back in the lobby
//! within a bounded time and is told why.

use sidetone_wire::encounter::{Language, Nickname};
use sidetone_wire::id::{CallId, MatchId, TicketId, UnixMs};
use sidetone_wire::limits::STRANGER_IMAGE_BYTES;
use sidetone_wire::record::Text;
pub use sidetone_wire::stranger::{Media, Reason};
use zeroize::Zeroizing;

use crate::call::{CallState, Direction, Shows, Wants};
use crate::effect::CommandError;
use crate::input::{Hearing, Microphone, Route};
use crate::room::Age;
use crate::time::Time;

/// The most messages that are held of one stranger; the oldest go first.
pub const MESSAGES: usize = 1_000;
/// The most bytes of messages that are held of one stranger; the oldest go first.
pub const HELD_BYTES: usize = 16 * STRANGER_IMAGE_BYTES;

/// What the app may want of strangers.
#[derive(Debug)]
pub enum StrangerCommand {
    /// Look for a stranger.
    Enter(Entry),
    /// Take the stranger that was found, where the entry said to ask.
    Accept(MatchId),
    /// Say something.
    Say(MatchId, Text),
    /// The user is writing.
    Typing(MatchId),
    /// Send an image or a voice note.
    Send(MatchId, Attachment),
    /// Whether the stranger may learn our address: the link goes directly once both want it.
    SetDirect(MatchId, Consent),
    /// Compare words, to know that nobody is between.
    CompareWords(MatchId),
    /// Call.
    Call(MatchId),
    /// Take a call.
    Answer(CallId),
    /// Decline a call.
    Decline(CallId),
    /// End a call.
    HangUp(CallId),
    /// Let the stranger hear us, or not.
    SetMicrophone(CallId, Microphone),
    /// Look no more at something the stranger sent, by its number: it is erased here at once, or once it is here whole. They
    /// are not told.
    Hide(MatchId, u64),
    /// Tell the operator what was wrong with the stranger, also up to 30 s after it ended; with texts of theirs, by their
    /// numbers, as long as they are held.
    Report(MatchId, Reason, Vec<u64>),
    /// Ask for the stranger again from whom we parted at most 30 s ago.
    Again(MatchId, Entry),
    /// Leave the stranger, or end the search.
    Leave(Leaving),
}

/// How somebody goes among strangers. Nothing of it is kept longer than they are there.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name to show; told to the stranger only, over the link.
    pub nickname: Nickname,
    /// The language to speak, if it matters; told as the nickname is.
    pub language: Option<Language>,
    /// What to talk about: at most [`sidetone_wire::limits::INTERESTS`]. The server gets a hash of each for today.
    pub interests: Vec<String>,
    /// How to talk: only those who want the same meet.
    pub media: Media,
    /// Whether the user says to be an adult: all that is told of their age.
    pub age: Age,
    /// Whether the user is asked about each stranger that is found.
    pub accept: Accept,
}

/// Who takes a stranger that was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accept {
    /// Nobody is asked.
    #[default]
    AtOnce,
    /// The user is asked, and has some seconds for it.
    Ask,
}

/// How somebody leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// On to the next one.
    Skip,
    /// Out of the lobby.
    End,
    /// On to the next one, and never this one again today; who shows the same name is passed over until the app closes.
    Block,
}

/// Whether a stranger may learn our address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consent {
    /// No.
    #[default]
    No,
    /// Yes, if we may learn theirs.
    Yes,
}

/// An image or a voice note.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// Its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attachment({} bytes)", self.bytes.len())
    }
}

/// What an attachment is, and what can be shown of it before it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentKind {
    /// A JPEG or PNG. What its sender says of it may be wrong.
    Image {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Opus in Ogg.
    Note {
        /// Milliseconds.
        duration_ms: u32,
        /// How loud it is, from its beginning to its end.
        waveform: Vec<u8>,
    },
}

/// Work that the server wants before it accepts a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puzzle {
    /// For which search.
    pub ticket: TicketId,
    /// What the server gave.
    pub seed: Vec<u8>,
    /// How many zeros.
    pub bits: u8,
    /// Where to begin.
    pub begin: u64,
}

/// What the app is told. The view is the truth: whoever missed one reads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrangerEvent {
    /// The search or the stranger changed.
    Changed,
    /// A message was added, or more of it is here or delivered.
    Message(u64),
    /// The stranger is writing.
    Typing,
    /// A call began, changed or ended.
    Call(StrangerCall),
    /// The stranger would let us learn their address, and learn ours; see [`Exposure`].
    DirectOffered,
    /// A direct way was wanted by both and could not be made: the relay goes on.
    DirectFailed,
    /// It is over, and everything of it is erased. The user is in the lobby, or on to the next one after a skip.
    Ended(MatchId, StrangerEnd, Burned),
    /// The search is over without anybody.
    NotFound(SearchEnd),
}

/// Why a stranger is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StrangerEnd {
    /// We left, skipped or blocked.
    WeLeft,
    /// They left.
    TheyLeft,
    /// They show a name that we blocked.
    Blocked,
    /// There was no way to them in time.
    Unreachable,
    /// They were lost and did not come back in time.
    Lost,
    /// Somebody else came in their place, or words were not what they were bound to.
    Imposter,
    /// The device left its account or the app closed.
    Closed,
}

/// Why a search ended without anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchEnd {
    /// We ended it.
    Left,
    /// Nobody was there in time.
    Nobody,
    /// We did not take who was found in time.
    TooLate,
    /// The stranger we wanted again did not want it, or not in time.
    NotAgain,
    /// Why the search was refused.
    Refused(CommandError),
}

/// What was held of a conversation, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Texts, ours and theirs.
    pub texts: u32,
    /// Images.
    pub images: u32,
    /// Voice notes.
    pub notes: u32,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Names and languages.
    pub names: u32,
    /// Sessions with their keys, pens, keys of sound, words, tokens.
    pub keys: u32,
    /// Links with their addresses.
    pub links: u32,
}

/// What a burn did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Burned {
    /// What was held, counted before.
    pub held: Held,
    /// What was erased, counted as it was.
    pub erased: Held,
}

/// What each side could learn of the other. What was told once is not forgotten: it stays so for as long as they are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// Whether they learn the addresses of this device: by them the place and the provider can be guessed.
    pub our_address: bool,
    /// Whether we learn theirs.
    pub their_address: bool,
}

impl Exposure {
    /// What follows as long as everything went through a relay.
    pub fn relayed() -> Self {
        Self { our_address: false, their_address: false }
    }

    /// What would follow if both let the link go directly: to be shown before [`Consent::Yes`].
    pub fn if_direct() -> Self {
        Self { our_address: true, their_address: true }
    }
}

/// Where we are among strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrangerView {
    /// Not among them. Whom we could have again, until when.
    Lobby(Option<(MatchId, Time)>),
    /// Looking for one; whether work is being done for it.
    Searching {
        /// Whether the server wanted work first.
        working: bool,
    },
    /// One was found.
    Found {
        /// The match.
        id: MatchId,
        /// Which of our interests they share.
        common: Vec<String>,
        /// Whether we took them.
        accepted: bool,
        /// Until when that can be done.
        until: Time,
    },
    /// With one.
    With(Box<Stranger>),
}

/// The stranger we are with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The match.
    pub id: MatchId,
    /// Who they say they are, once there is a link.
    pub nickname: Option<Nickname>,
    /// The language they would like to speak.
    pub language: Option<Language>,
    /// Which of our interests they share.
    pub common: Vec<String>,
    /// How the link travels; none while it is being made.
    pub route: Option<Route>,
    /// Whether they may learn our address.
    pub our_consent: Consent,
    /// Whether we may learn theirs.
    pub their_consent: Consent,
    /// What each side could learn of the other until now, also if no direct link came of it.
    pub exposure: Exposure,
    /// The words to compare, once both know them. They are good for this session only.
    pub words: Option<String>,
    /// The call that is on.
    pub call: Option<StrangerCall>,
    /// How many messages are held.
    pub messages: usize,
}

/// A call with a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerCall {
    /// Which.
    pub call: CallId,
    /// Who called.
    pub direction: Direction,
    /// How it stands.
    pub state: CallState,
    /// Our microphone.
    pub microphone: Microphone,
    /// Theirs.
    pub their_microphone: Microphone,
    /// Whether what they say is played here; they are not told.
    pub hearing: Hearing,
    /// Which pictures we show.
    pub shows: Shows,
    /// Which they show.
    pub their_shows: Shows,
    /// What they want to see of ours.
    pub their_wants: Wants,
    /// When both could first speak, by our clock for people; none before.
    pub connected: Option<UnixMs>,
}

/// A message to or from a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerMessage {
    /// Its number in the conversation: of this phone, both directions.
    pub number: u64,
    /// Whether the stranger said it.
    pub theirs: bool,
    /// When it was written here or came.
    pub at: UnixMs,
    /// What it is.
    pub content: StrangerContent,
    /// Bytes of an attachment that are here, or, of ours, there.
    pub passed: u32,
    /// Whether all of it is.
    pub whole: bool,
}

/// What a message to or from a stranger is.
#[derive(Clone, PartialEq, Eq)]
pub enum StrangerContent {
    /// A text.
    Text(Text),
    /// An image or a voice note, with the bytes that are here.
    Attachment(Attachment, u32),
}

impl std::fmt::Debug for StrangerContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Attachment(..) => "Attachment",
        })
    }
}
