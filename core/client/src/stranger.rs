//! Strangers, as an app holds them: one at a time, in memory only, gone without a trace when it ends.
//!
//! What is told of them are hints without content ([`StrangerEvent`]); what was said is read with [`Strangers::messages`] as
//! long as the stranger is there. What an app copies from there is the app's to erase.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sidetone_engine::room::Age;
use sidetone_engine::stranger::{
    Accept, Attachment, AttachmentKind, Consent, Entry, Held, Leaving, Puzzle, StrangerCommand, StrangerMessage,
    StrangerView,
};
use sidetone_engine::{Answer, Command, Hearing, Microphone as Heard};
use sidetone_media::Note;
use sidetone_wire::encounter::{Language, Nickname};
use sidetone_wire::id::{CallId, MatchId, TicketId};
use sidetone_wire::record::Text;
use sidetone_wire::stranger::{Media, Reason};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::built;
use crate::client::Client;
use crate::driver::Word;
use crate::error::{Error, StrangerFailure};
use crate::transfer::picture::{self, Decoded, Origin};

/// Tries at the work for a search: more than the hardest needs with any luck.
const WORK_TRIES: u64 = 1 << 28;

/// How somebody goes among strangers. Nothing of it is kept longer than they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entering {
    /// The name to show, 1 to 48 bytes: told to the stranger only, from phone to phone.
    pub nickname: String,
    /// The language to speak, as a BCP 47 tag, if it matters; told as the nickname is.
    pub language: Option<String>,
    /// What to talk about: at most 8, each at most 64 bytes. The server gets a hash of each that changes every day.
    pub interests: Vec<String>,
    /// How to talk: only those who want the same meet.
    pub media: Media,
    /// Whether the user says to be an adult: all that is told of their age, and to the server only.
    pub age: Age,
    /// Whether the user is asked about each stranger that is found.
    pub accept: Accept,
}

/// What a burn erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BurnReport {
    /// What was held, counted before.
    pub held: Held,
    /// What was erased, counted as it was.
    pub erased: Held,
    /// From the call until keys, texts, images, sound, names and addresses were gone, sockets closed.
    pub took: Duration,
}

/// Everything an app can do about strangers. Made by [`Client::strangers`].
///
/// Each fails with [`StrangerFailure::NoSuchMatch`] for a match that is over, with [`StrangerFailure::NotConnected`] before
/// there is a link, and as any command can.
#[derive(Clone, Copy)]
pub struct Strangers<'a>(&'a Client);

impl Client {
    /// Random chat with somebody unknown, without an account and without a trace.
    pub fn strangers(&self) -> Strangers<'_> {
        Strangers(self)
    }
}

/// Into the lobby and out of it.
impl Strangers<'_> {
    /// Looks for a stranger; returns once the server took the search, which may want some seconds of work first. Whom it
    /// found, [`crate::StrangerEvent::Changed`] tells.
    ///
    /// # Errors
    ///
    /// [`StrangerFailure::BadEntry`], [`StrangerFailure::AdultsOnly`], [`StrangerFailure::WithStranger`],
    /// [`StrangerFailure::TooMuchWork`], [`Error::TooMany`] for who is not let in for a while, [`Error::Offline`], and what
    /// any command can meet.
    pub async fn enter(&self, entering: Entering) -> Result<(), Error> {
        let entry = entry(entering)?;
        self.ask(StrangerCommand::Enter(entry)).await.map(drop)
    }

    /// How many wait or talk now, as the server counts them: for a lobby to show. Nothing is told of who asks, and no account
    /// is needed.
    ///
    /// # Errors
    ///
    /// [`Error::Offline`], [`Error::TooMany`] and what any command can meet.
    pub async fn active(&self) -> Result<u64, Error> {
        match self.0.order(Command::CountStrangers).await? {
            Answer::Count(active) => Ok(active),
            _ => Err(Error::Protocol),
        }
    }

    /// Takes the stranger that was found; needed with [`Accept::Ask`] only.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn accept(&self, id: MatchId) -> Result<(), Error> {
        self.ask(StrangerCommand::Accept(id)).await.map(drop)
    }

    /// On to the next one.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn skip(&self) -> Result<BurnReport, Error> {
        self.leave(Leaving::Skip).await
    }

    /// Leaves the stranger, or the search. Everything about it is erased when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn end(&self) -> Result<BurnReport, Error> {
        self.leave(Leaving::End).await
    }

    /// On to the next one, and never this one again today; who shows the same name is passed over until the app closes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn block(&self) -> Result<BurnReport, Error> {
        self.leave(Leaving::Block).await
    }

    /// Tells the operator what was wrong with the stranger; also for 30 s after it ended, then without texts. The texts named
    /// by their numbers are shown to the server, which can tell that the stranger wrote them, and nobody else can.
    ///
    /// # Errors
    ///
    /// [`StrangerFailure::NoSuchMatch`], [`Error::NoSuchMessage`] for what is no text of theirs,
    /// [`StrangerFailure::TooLarge`] for more than 16 texts or 24 KiB, and what any command can meet.
    pub async fn report(&self, id: MatchId, reason: Reason, texts: &[u64]) -> Result<(), Error> {
        self.ask(StrangerCommand::Report(id, reason, texts.to_vec())).await.map(drop)
    }

    /// Asks for the stranger again from whom we parted; if they do too within 30 s of the end, both meet.
    ///
    /// # Errors
    ///
    /// [`StrangerFailure::NoSuchMatch`], [`StrangerFailure::WithStranger`], [`StrangerFailure::BadEntry`].
    pub async fn again(&self, id: MatchId, entering: Entering) -> Result<(), Error> {
        let entry = entry(entering)?;
        self.ask(StrangerCommand::Again(id, entry)).await.map(drop)
    }

    /// Where we are.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn view(&self) -> Result<StrangerView, Error> {
        self.0.look(|inside| inside.engine.stranger()).await
    }

    fn ask(&self, command: StrangerCommand) -> BoxFuture<'_, Result<Answer, Error>> {
        self.0.order(Command::Stranger(command))
    }

    async fn leave(&self, leaving: Leaving) -> Result<BurnReport, Error> {
        let began = Instant::now();
        let answer = self.ask(StrangerCommand::Leave(leaving)).await?;
        let (done, gone) = oneshot::channel();
        self.0.words.send(Word::Burned(done)).await.map_err(|_| Error::Closed)?;
        gone.await.map_err(|_| Error::Closed)?;
        match answer {
            Answer::Burned(burned) => {
                Ok(BurnReport { held: burned.held, erased: burned.erased, took: began.elapsed() })
            }
            _ => Err(Error::Protocol),
        }
    }
}

/// With a stranger.
impl Strangers<'_> {
    /// Says something; gives its number in the conversation.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`], [`Error::OutboxFull`], and see above.
    pub async fn say(&self, id: MatchId, text: &str) -> Result<u64, Error> {
        let text = Text::parse(text).ok_or(Error::TextLength)?;
        self.message(StrangerCommand::Say(id, text)).await
    }

    /// Tells the stranger that the user is writing.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn typing(&self, id: MatchId) -> Result<(), Error> {
        self.ask(StrangerCommand::Typing(id)).await.map(drop)
    }

    /// Sends a JPEG or PNG of at most 1 MiB, from phone to phone, without what it says about where and how it was taken.
    ///
    /// # Errors
    ///
    /// [`Error::FileMalformed`] for what is none, [`StrangerFailure::TooLarge`], [`Error::OutboxFull`],
    /// [`Error::NotBuilt`], and see above.
    pub async fn send_image(&self, id: MatchId, image: &[u8]) -> Result<u64, Error> {
        if !built::IMAGES {
            return Err(Error::NotBuilt);
        }
        let ready = picture::ready(image, Origin::Remove).map_err(|_| Error::FileMalformed)?;
        let bytes = Zeroizing::new(ready.cleaned.unwrap_or_else(|| image.to_vec()));
        let kind = AttachmentKind::Image { width: ready.picture.width, height: ready.picture.height };
        self.message(StrangerCommand::Send(id, Attachment { kind, bytes })).await
    }

    /// Sends a voice note of at most 512 KiB: some minutes.
    ///
    /// # Errors
    ///
    /// [`StrangerFailure::TooLarge`], [`Error::OutboxFull`], and see above.
    pub async fn send_note(&self, id: MatchId, note: Note) -> Result<u64, Error> {
        let Note { ogg, duration_ms, waveform } = note;
        let kind = AttachmentKind::Note { duration_ms, waveform };
        self.message(StrangerCommand::Send(id, Attachment { kind, bytes: Zeroizing::new(ogg) })).await
    }

    /// Whether the stranger may learn our address: to be asked of the user with [`crate::Exposure::if_direct`] in view. Once
    /// both want it, the link goes directly, without a gap.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn set_direct(&self, id: MatchId, consent: Consent) -> Result<(), Error> {
        self.ask(StrangerCommand::SetDirect(id, consent)).await.map(drop)
    }

    /// Agrees on four words with the stranger, which both read out: only if they are the same, nobody is between. They show
    /// in [`crate::Stranger::words`] a moment later.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn compare_words(&self, id: MatchId) -> Result<(), Error> {
        self.ask(StrangerCommand::CompareWords(id)).await.map(drop)
    }

    /// What was said from this number on, oldest first; nothing once it is over.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn messages(&self, id: MatchId, from: u64) -> Result<Vec<StrangerMessage>, Error> {
        self.0.look(move |inside| inside.engine.stranger_messages(id, from)).await
    }

    /// Looks no more at something the stranger sent: it is erased here at once, or with its last byte if it is still coming.
    /// They are not told. Pictures of a call are hidden by [`Client::want`] with no lines, its sound by
    /// [`Strangers::set_hearing`].
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`] for what is none of theirs or is hidden, and see above.
    pub async fn hide(&self, id: MatchId, number: u64) -> Result<(), Error> {
        self.ask(StrangerCommand::Hide(id, number)).await.map(drop)
    }

    /// An image that is here whole, decoded within limits and upright: what a stranger sends need not be shown by a decoder
    /// of the platform.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`], [`Error::FileMalformed`] for what is no image or too large a one, [`Error::NotBuilt`].
    pub async fn image(&self, id: MatchId, number: u64) -> Result<Decoded, Error> {
        if !built::IMAGES {
            return Err(Error::NotBuilt);
        }
        let messages = self.messages(id, number).await?;
        let message = messages.into_iter().next().filter(|message| message.number == number && message.whole);
        match message.map(|message| message.content) {
            Some(sidetone_engine::stranger::StrangerContent::Attachment(attachment, _)) => {
                picture::decoded(&attachment.bytes).map_err(|_| Error::FileMalformed)
            }
            _ => Err(Error::NoSuchMessage),
        }
    }

    async fn message(&self, command: StrangerCommand) -> Result<u64, Error> {
        match self.ask(command).await? {
            Answer::Message(number) => Ok(number),
            _ => Err(Error::Protocol),
        }
    }
}

/// Calls with a stranger.
impl Strangers<'_> {
    /// Calls the stranger.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], and see above.
    pub async fn call(&self, id: MatchId) -> Result<CallId, Error> {
        match self.ask(StrangerCommand::Call(id)).await? {
            Answer::Call(call) => Ok(call),
            _ => Err(Error::Protocol),
        }
    }

    /// Takes a call.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`].
    pub async fn answer(&self, call: CallId) -> Result<(), Error> {
        self.ask(StrangerCommand::Answer(call)).await.map(drop)
    }

    /// Declines a call.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`].
    pub async fn decline(&self, call: CallId) -> Result<(), Error> {
        self.ask(StrangerCommand::Decline(call)).await.map(drop)
    }

    /// Ends a call; the stranger stays.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`].
    pub async fn hang_up(&self, call: CallId) -> Result<(), Error> {
        self.ask(StrangerCommand::HangUp(call)).await.map(drop)
    }

    /// Lets the stranger hear us, or not.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`].
    pub async fn set_microphone(&self, call: CallId, microphone: Heard) -> Result<(), Error> {
        self.ask(StrangerCommand::SetMicrophone(call, microphone)).await.map(drop)
    }

    /// Plays what the stranger says in a call, or not: they are not told.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`].
    pub async fn set_hearing(&self, call: CallId, hearing: Hearing) -> Result<(), Error> {
        self.0.order(Command::SetHearing(call, hearing)).await.map(drop)
    }
}

fn entry(entering: Entering) -> Result<Entry, Error> {
    let Entering { nickname, language, interests, media, age, accept } = entering;
    let bad = || Error::from(StrangerFailure::BadEntry);
    let nickname = Nickname::parse(nickname).ok_or_else(bad)?;
    let language = language.map(|tag| Language::parse(tag).ok_or_else(bad)).transpose()?;
    Ok(Entry { nickname, language, interests, media, age, accept })
}

/// Work for a search, on a thread where it holds nobody up.
pub(crate) fn prove(puzzle: Puzzle, done: mpsc::Sender<(TicketId, Option<u64>)>) {
    tokio::task::spawn_blocking(move || {
        let Puzzle { ticket, seed, bits, begin } = puzzle;
        let number = sidetone_crypto::stranger::work(&seed, &ticket.0, bits, begin, WORK_TRIES);
        // Only a driver that is gone does not want to know.
        let _ = done.blocking_send((ticket, number));
    });
}
