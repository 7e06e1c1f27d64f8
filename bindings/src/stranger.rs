//! Strangers as an app sees them.

use sidetone::{AttachmentKind, Consent, SearchEnd};

use crate::calls::{CallDirection, CallState, HearingState, MicrophoneState, Route};
use crate::error::SidetoneError;
use crate::id::{CallId, MatchId};
use crate::pictures::{Shows, Wants};

/// How somebody goes among strangers. Nothing of it is kept longer than they are there.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StrangerEntry {
    /// The name to show, 1 to 48 bytes: told to the stranger only, from phone to phone.
    pub nickname: String,
    /// The language to speak, as a BCP 47 tag, if it matters.
    #[uniffi(default = None)]
    pub language: Option<String>,
    /// What to talk about: at most 8, each at most 64 bytes. The server gets a hash of each that changes every day.
    #[uniffi(default = [])]
    pub interests: Vec<String>,
    /// How to talk: only those who want the same meet.
    pub media: StrangerMedia,
    /// Whether the user says to be an adult: all that is told of their age, and to the server only.
    pub adult: bool,
    /// Whether the user is asked about each stranger that is found; if not, they are taken at once.
    #[uniffi(default = false)]
    pub ask: bool,
}

/// How two strangers want to talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum StrangerMedia {
    /// In writing.
    Text,
    /// By voice.
    Voice,
    /// With video.
    Video,
}

/// Where the user is among strangers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum StrangerView {
    /// Not among them.
    Lobby {
        /// Whom they could have again.
        parted: Option<MatchId>,
    },
    /// Looking for one.
    Searching {
        /// Whether the server wants work first, which is being done.
        working: bool,
    },
    /// One was found.
    Found {
        /// The match.
        found: MatchId,
        /// Which interests they share.
        common: Vec<String>,
        /// Whether we took them.
        accepted: bool,
        /// For so many milliseconds more that can be done.
        remaining_ms: u64,
    },
    /// With one.
    With {
        /// Who.
        stranger: Stranger,
    },
}

/// The stranger one is with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Stranger {
    /// The match.
    pub id: MatchId,
    /// Who they say they are, once there is a link.
    pub nickname: Option<String>,
    /// The language they would like to speak.
    pub language: Option<String>,
    /// Which interests they share.
    pub common: Vec<String>,
    /// How the link travels; none while it is being made.
    pub route: Option<Route>,
    /// Whether the user lets them learn the address of this device.
    pub our_consent: bool,
    /// Whether they let us learn theirs.
    pub their_consent: bool,
    /// Whether they learn the address of this device now.
    pub our_address_shown: bool,
    /// Whether we learn theirs now.
    pub their_address_shown: bool,
    /// The four words to read out, once both know them: only if they are the same, nobody is between.
    pub words: Option<String>,
    /// The call that is on.
    pub call: Option<StrangerCall>,
    /// How many messages are held.
    pub messages: u32,
}

/// A call with a stranger.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StrangerCall {
    /// Which.
    pub call: CallId,
    /// Who called.
    pub direction: CallDirection,
    /// How it stands.
    pub state: CallState,
    /// Our microphone.
    pub microphone: MicrophoneState,
    /// Theirs.
    pub their_microphone: MicrophoneState,
    /// Whether what they say is played here; they are not told.
    pub hearing: HearingState,
    /// Which pictures we show.
    #[uniffi(default)]
    pub shows: Shows,
    /// Which they show.
    #[uniffi(default)]
    pub their_shows: Shows,
    /// How large ours are of use to them.
    #[uniffi(default)]
    pub their_wants: Wants,
    /// When both could first speak, in milliseconds since 1970 by this phone's clock; none before.
    #[uniffi(default = None)]
    pub connected_ms: Option<u64>,
}

/// A message to or from a stranger, held in memory until the end.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StrangerMessage {
    /// Its number in the conversation.
    pub number: u64,
    /// Whether the stranger said it.
    pub theirs: bool,
    /// When it was written here or came, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it is.
    pub content: StrangerContent,
    /// Bytes of an attachment that are here, or, of ours, there.
    pub passed: u32,
    /// Whether all of it is.
    pub whole: bool,
}

/// What a message to or from a stranger is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum StrangerContent {
    /// A text.
    Text {
        /// Its words.
        text: String,
    },
    /// An image.
    Image {
        /// Pixels, as its sender says.
        width: u32,
        /// Pixels, as its sender says.
        height: u32,
        /// Bytes.
        size: u32,
    },
    /// A voice note: Opus in Ogg.
    VoiceNote {
        /// Milliseconds, as its sender says.
        duration_ms: u32,
        /// How loud it is, from its beginning to its end.
        waveform: Vec<u8>,
        /// Bytes.
        size: u32,
    },
}

/// An image of a stranger, decoded by the library: what a stranger sends need not be shown by a decoder of the platform.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct StrangerImage {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Red, green, blue and alpha of each pixel, row by row from the top. The app's to erase.
    pub rgba: Vec<u8>,
}

/// What was held of a conversation, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct HeldCount {
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
    /// Sessions with their keys, keys of sound, words, tokens.
    pub keys: u32,
    /// Links with their addresses.
    pub links: u32,
}

/// What a burn erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct BurnReport {
    /// What was held, counted before.
    pub held: HeldCount,
    /// What was erased, counted as it was.
    pub erased: HeldCount,
    /// Microseconds until keys, texts, images, sound, names and addresses were gone and sockets closed; none where the burn
    /// was not of this phone's asking.
    pub took_us: Option<u64>,
}

/// Something about strangers: a hint without content.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum StrangerEvent {
    /// The search or the stranger changed: look again.
    Changed,
    /// A message was added, or more of it is here or delivered.
    Message {
        /// Its number.
        number: u64,
    },
    /// The stranger is writing.
    Typing,
    /// A call began, changed or ended.
    Call {
        /// How it stands.
        view: StrangerCall,
    },
    /// The stranger would let us learn their address, and learn ours.
    DirectOffered,
    /// A direct way was wanted by both and could not be made: the relay goes on.
    DirectFailed,
    /// It is over, and everything of it is erased.
    Ended {
        /// Which.
        id: MatchId,
        /// Why.
        reason: StrangerEnd,
        /// What was erased.
        burned: BurnReport,
    },
    /// The search is over without anybody.
    NotFound {
        /// Why.
        reason: SearchFailure,
    },
}

/// Why a stranger is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
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
    /// Somebody else came in their place.
    Imposter,
    /// The device left its account, or the app closed.
    Closed,
}

/// Why a search ended without anybody.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum SearchFailure {
    /// We ended it.
    Left,
    /// Nobody was there in time.
    Nobody,
    /// We did not take who was found in time.
    TooLate,
    /// The stranger we wanted again did not want it, or not in time.
    NotAgain,
    /// It was refused.
    Refused {
        /// Why.
        error: SidetoneError,
    },
}

/// What was wrong with a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ReportReason {
    /// Not a person.
    Bot,
    /// Advertising.
    Spam,
    /// Insults or threats.
    Abuse,
    /// Showed what nobody asked to see.
    Nudity,
    /// A child, or somebody who looks for one.
    Minor,
    /// Something else.
    Other,
}

impl From<StrangerEntry> for sidetone::Entering {
    fn from(entry: StrangerEntry) -> Self {
        let StrangerEntry { nickname, language, interests, media, adult, ask } = entry;
        let media = match media {
            StrangerMedia::Text => sidetone::StrangerMedia::Text,
            StrangerMedia::Voice => sidetone::StrangerMedia::Voice,
            StrangerMedia::Video => sidetone::StrangerMedia::Video,
        };
        let age = if adult { sidetone::Age::Adult } else { sidetone::Age::Unknown };
        let accept = if ask { sidetone::Accept::Ask } else { sidetone::Accept::AtOnce };
        Self { nickname, language, interests, media, age, accept }
    }
}

impl From<sidetone::StrangerView> for StrangerView {
    fn from(view: sidetone::StrangerView) -> Self {
        use sidetone::StrangerView as Told;
        match view {
            Told::Lobby(parted) => Self::Lobby { parted: parted.map(|(id, _)| id.into()) },
            Told::Searching { working } => Self::Searching { working },
            Told::Found { id, common, accepted, until } => {
                let remaining_ms = until.since(sidetone::clock::now().time);
                Self::Found { found: id.into(), common, accepted, remaining_ms }
            }
            Told::With(stranger) => Self::With { stranger: (*stranger).into() },
        }
    }
}

impl From<sidetone::Stranger> for Stranger {
    fn from(stranger: sidetone::Stranger) -> Self {
        Self {
            id: stranger.id.into(),
            nickname: stranger.nickname.map(|name| name.as_str().to_owned()),
            language: stranger.language.map(|tag| tag.as_str().to_owned()),
            common: stranger.common,
            route: stranger.route.map(Route::from),
            our_consent: stranger.our_consent == Consent::Yes,
            their_consent: stranger.their_consent == Consent::Yes,
            our_address_shown: stranger.exposure.our_address,
            their_address_shown: stranger.exposure.their_address,
            words: stranger.words,
            call: stranger.call.map(StrangerCall::from),
            messages: u32::try_from(stranger.messages).unwrap_or(u32::MAX),
        }
    }
}

impl From<sidetone::StrangerCall> for StrangerCall {
    fn from(view: sidetone::StrangerCall) -> Self {
        Self {
            call: view.call.into(),
            direction: view.direction.into(),
            state: view.state.into(),
            microphone: view.microphone.into(),
            their_microphone: view.their_microphone.into(),
            shows: view.shows.into(),
            their_shows: view.their_shows.into(),
            their_wants: view.their_wants.into(),
            hearing: view.hearing.into(),
            connected_ms: view.connected.map(|at| at.0),
        }
    }
}

impl From<sidetone::StrangerMessage> for StrangerMessage {
    fn from(message: sidetone::StrangerMessage) -> Self {
        let content = match message.content {
            sidetone::StrangerContent::Text(text) => StrangerContent::Text { text: text.into_string() },
            sidetone::StrangerContent::Attachment(attachment, size) => match attachment.kind {
                AttachmentKind::Image { width, height } => StrangerContent::Image { width, height, size },
                AttachmentKind::Note { duration_ms, waveform } => {
                    StrangerContent::VoiceNote { duration_ms, waveform, size }
                }
            },
        };
        let sidetone::StrangerMessage { number, theirs, at, passed, whole, .. } = message;
        Self { number, theirs, at_ms: at.0, content, passed, whole }
    }
}

impl From<sidetone::Held> for HeldCount {
    fn from(held: sidetone::Held) -> Self {
        let sidetone::Held { texts, images, notes, bytes, names, keys, links } = held;
        Self { texts, images, notes, bytes, names, keys, links }
    }
}

impl From<sidetone::BurnReport> for BurnReport {
    fn from(report: sidetone::BurnReport) -> Self {
        let took_us = u64::try_from(report.took.as_micros()).unwrap_or(u64::MAX);
        Self { held: report.held.into(), erased: report.erased.into(), took_us: Some(took_us) }
    }
}

impl From<sidetone::StrangerEvent> for StrangerEvent {
    fn from(event: sidetone::StrangerEvent) -> Self {
        use sidetone::StrangerEvent as Told;
        match event {
            Told::Changed => Self::Changed,
            Told::Message(number) => Self::Message { number },
            Told::Typing => Self::Typing,
            Told::Call(view) => Self::Call { view: view.into() },
            Told::DirectOffered => Self::DirectOffered,
            Told::DirectFailed => Self::DirectFailed,
            Told::Ended(id, reason, burned) => {
                let burned = BurnReport { held: burned.held.into(), erased: burned.erased.into(), took_us: None };
                Self::Ended { id: id.into(), reason: reason.into(), burned }
            }
            Told::NotFound(reason) => Self::NotFound { reason: reason.into() },
        }
    }
}

impl From<sidetone::StrangerEnd> for StrangerEnd {
    fn from(end: sidetone::StrangerEnd) -> Self {
        use sidetone::StrangerEnd as Told;
        match end {
            Told::WeLeft => Self::WeLeft,
            Told::TheyLeft => Self::TheyLeft,
            Told::Blocked => Self::Blocked,
            Told::Unreachable => Self::Unreachable,
            Told::Lost => Self::Lost,
            Told::Imposter => Self::Imposter,
            Told::Closed => Self::Closed,
        }
    }
}

impl From<SearchEnd> for SearchFailure {
    fn from(end: SearchEnd) -> Self {
        match end {
            SearchEnd::Left => Self::Left,
            SearchEnd::Nobody => Self::Nobody,
            SearchEnd::TooLate => Self::TooLate,
            SearchEnd::NotAgain => Self::NotAgain,
            SearchEnd::Refused(error) => Self::Refused { error: sidetone::Error::from(error).into() },
        }
    }
}

impl From<ReportReason> for sidetone::Reason {
    fn from(reason: ReportReason) -> Self {
        match reason {
            ReportReason::Bot => Self::Bot,
            ReportReason::Spam => Self::Spam,
            ReportReason::Abuse => Self::Abuse,
            ReportReason::Nudity => Self::Nudity,
            ReportReason::Minor => Self::Minor,
            ReportReason::Other => Self::Other,
        }
    }
}
