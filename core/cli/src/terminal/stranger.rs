//! `sidetone strangers`: somebody unknown at a terminal.

use std::path::PathBuf;

use sidetone::{
    Accept, Age, BurnReport, Bytes, Consent, Entering, Event, Exposure, MatchId, Reason, Route, SearchEnd,
    StrangerContent, StrangerEnd, StrangerEvent, StrangerFailure, StrangerMedia, StrangerView,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use super::PhoneArgs;
use crate::say;
use crate::trouble::Trouble;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
    /// The name to show.
    #[arg(long, default_value = "somebody")]
    nickname: String,
    /// What to talk about; may be repeated.
    #[arg(long, value_name = "WORD")]
    interest: Vec<String>,
    /// The language to speak, such as pt-BR.
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Say to be an adult.
    #[arg(long)]
    adult: bool,
}

const HELP: &str = "\
what you type goes to the stranger, and nobody keeps it; besides:
  /next            on to somebody else
  /block           the same, and never this one again today
  /again           back to the one before, if they want it too
  /words           four words to read to each other: the same if nobody is between
  /image FILE      send a picture, from phone to phone
  /direct          let them learn your address if you learn theirs
  /receipt         what passed with the last one, and what is left of it
  /report REASON   tell the operator: bot, spam, abuse, nudity, minor or other
  /quit            leave; everything is erased";

/// Talks until the input ends or `/quit`.
///
/// # Errors
///
/// [`Trouble`]; what a single line could not do is only said.
pub async fn run(args: Args) -> Result<(), Trouble> {
    let client = args.phone.open()?;
    let mut seat = Seat { client, args, read: 0, with: None, before: None };
    while !matches!(seat.client.next_event().await, Some(Event::Connected(true)) | None) {}
    say("looking for somebody; /help tells what you can do");
    seat.client.strangers().enter(seat.entering()).await?;
    let mut lines = BufReader::new(stdin()).lines();
    let done = loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) if line.trim() == "/quit" => break Ok(()),
                Ok(Some(line)) => if let Err(trouble) = seat.line(line.trim()).await {
                    say(format_args!("! {trouble}"));
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(Trouble::system(error)),
            },
            event = seat.client.next_event() => match event {
                Some(Event::Stopped(error)) => break Err(error.into()),
                Some(Event::Stranger(event)) => seat.event(event).await?,
                Some(_) => {}
                None => break Ok(()),
            },
        }
    };
    told(seat.client.strangers().end().await?);
    seat.client.close().await;
    done
}

struct Seat {
    client: sidetone::Client,
    args: Args,
    /// The last message that was shown.
    read: u64,
    with: Option<MatchId>,
    before: Option<MatchId>,
}

impl Seat {
    fn entering(&self) -> Entering {
        Entering {
            nickname: self.args.nickname.clone(),
            language: self.args.language.clone(),
            interests: self.args.interest.clone(),
            media: StrangerMedia::Text,
            age: if self.args.adult { Age::Adult } else { Age::Unknown },
            accept: Accept::AtOnce,
        }
    }

    fn id(&self) -> Result<MatchId, Trouble> {
        self.with.ok_or_else(|| sidetone::Error::from(StrangerFailure::NotConnected).into())
    }

    async fn line(&mut self, line: &str) -> Result<(), Trouble> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let strangers = self.client.strangers();
        match word {
            "" => {}
            "/next" if matches!(strangers.view().await?, StrangerView::Lobby(_)) => {
                strangers.enter(self.entering()).await?;
            }
            "/next" => told(strangers.skip().await?),
            "/block" => told(strangers.block().await?),
            "/again" => match self.before {
                Some(id) => strangers.again(id, self.entering()).await?,
                None => say("* there was nobody before"),
            },
            "/words" => strangers.compare_words(self.id()?).await?,
            "/image" => {
                let path = PathBuf::from(rest.trim());
                let bytes = std::fs::read(&path).map_err(|error| Trouble::file(&path, &error))?;
                strangers.send_image(self.id()?, &bytes).await?;
            }
            "/direct" => {
                let Exposure { our_address, .. } = Exposure::if_direct();
                if our_address {
                    say(
                        "* they will learn your address, and with it roughly where you are, if they learn theirs to you",
                    );
                }
                strangers.set_direct(self.id()?, Consent::Yes).await?;
            }
            "/report" => {
                let id =
                    self.with.or(self.before).ok_or_else(|| sidetone::Error::from(StrangerFailure::NoSuchMatch))?;
                strangers.report(id, reason(rest.trim()), &[]).await?;
                say("* the operator was told");
            }
            "/receipt" => self.receipt().await?,
            _ if word.starts_with('/') => say(HELP),
            _ => drop(strangers.say(self.id()?, line).await?),
        }
        Ok(())
    }

    async fn receipt(&self) -> Result<(), Trouble> {
        let Some(receipt) = self.client.receipts().await?.into_iter().next() else {
            say("* nobody was met yet");
            return Ok(());
        };
        let (kept, epochs) = (receipt.kept, receipt.epochs);
        let bytes = |what: &str, bytes: Bytes| format!("{what} {} out, {} in", bytes.sent, bytes.received);
        say(format_args!(
            "* bytes: {}; {}; {}; {}",
            bytes("server", receipt.signaling),
            bytes("STUN", receipt.stun),
            bytes("relay", receipt.relay),
            bytes("peer", receipt.peer)
        ));
        for span in &receipt.routes {
            let until = span.to_ms.map_or("now".to_owned(), |to_ms| format!("{:.1} s", to_ms as f64 / 1e3));
            say(format_args!("* from {:.1} s to {until}: {}", span.from_ms as f64 / 1e3, way(span.route)));
        }
        let keys = epochs.sessions + epochs.records + epochs.sound;
        let erased = if receipt.erased.is_some() { "all erased" } else { "in use or erased" };
        say(format_args!("* {keys} times new keys, {erased}; {} rows kept; contacted: {}", kept.rows, receipt.server));
        Ok(())
    }

    async fn event(&mut self, event: StrangerEvent) -> Result<(), Trouble> {
        match event {
            StrangerEvent::Changed => self.changed().await?,
            StrangerEvent::Message(_) => self.messages().await?,
            StrangerEvent::DirectOffered => say("* they would show you their address for yours: /direct"),
            StrangerEvent::DirectFailed => say("* there is no direct way: the relay goes on"),
            StrangerEvent::Ended(id, why, _) => {
                (self.with, self.before, self.read) = (None, Some(id), 0);
                say(format_args!("* it is over: {}; /next for somebody else", ended(why)));
            }
            StrangerEvent::NotFound(why) => say(format_args!("* nobody: {}; /next tries again", missed(&why))),
            StrangerEvent::Call(_) | StrangerEvent::Typing => {}
        }
        Ok(())
    }

    async fn changed(&mut self) -> Result<(), Trouble> {
        let StrangerView::With(stranger) = self.client.strangers().view().await? else { return Ok(()) };
        let (Some(name), Some(route)) = (&stranger.nickname, stranger.route) else { return Ok(()) };
        if self.with.replace(stranger.id) != Some(stranger.id) {
            say(format_args!("* you are with {}, {}", name.as_str(), way(route)));
            for common in &stranger.common {
                say(format_args!("* you both like {common}"));
            }
        }
        if let Some(words) = &stranger.words {
            say(format_args!("* read to each other: {words}"));
        }
        if stranger.exposure.our_address {
            say("* each of you was told the other's address");
        }
        Ok(())
    }

    async fn messages(&mut self) -> Result<(), Trouble> {
        let Some(id) = self.with else { return Ok(()) };
        for message in self.client.strangers().messages(id, self.read + 1).await? {
            if !message.whole && message.theirs {
                break;
            }
            self.read = message.number;
            match &message.content {
                _ if !message.theirs => {}
                StrangerContent::Text(text) => say(format_args!("> {}", text.as_str())),
                StrangerContent::Attachment(_, bytes) => say(format_args!("* they sent {bytes} bytes")),
            }
        }
        Ok(())
    }
}

fn told(burned: BurnReport) {
    let BurnReport { held, took, .. } = burned;
    say(format_args!(
        "* erased in {:.0} ms: {} texts, {} images, {} notes, {} keys",
        took.as_secs_f64() * 1e3,
        held.texts,
        held.images,
        held.notes,
        held.keys
    ));
}

fn way(route: Route) -> &'static str {
    match route {
        Route::Relayed(..) => "through a relay: neither sees the other's address",
        Route::Direct(_) => "directly",
    }
}

fn ended(why: StrangerEnd) -> &'static str {
    match why {
        StrangerEnd::WeLeft => "you left",
        StrangerEnd::TheyLeft => "they left",
        StrangerEnd::Blocked => "they use a name you blocked",
        StrangerEnd::Unreachable => "there was no way to them",
        StrangerEnd::Lost => "they were lost",
        StrangerEnd::Imposter => "somebody else came in their place",
        StrangerEnd::Closed => "the phone closes",
    }
}

fn missed(why: &SearchEnd) -> String {
    match why {
        SearchEnd::Left => "you left".into(),
        SearchEnd::Nobody => "nobody is there".into(),
        SearchEnd::TooLate => "it took too long".into(),
        SearchEnd::NotAgain => "they did not want it".into(),
        SearchEnd::Refused(error) => error.to_string(),
    }
}

fn reason(text: &str) -> Reason {
    match text {
        "bot" => Reason::Bot,
        "spam" => Reason::Spam,
        "abuse" => Reason::Abuse,
        "nudity" => Reason::Nudity,
        "minor" => Reason::Minor,
        _ => Reason::Other,
    }
}
