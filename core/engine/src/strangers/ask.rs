//! What the user wants of strangers.

use sidetone_wire::account::Request;
use sidetone_wire::id::MatchId;
use sidetone_wire::limits::{SHOWN_BYTES, SHOWN_TEXTS};
use sidetone_wire::stranger::{Media, Reason, Report, Shown};

use super::log::Full;
use super::*;
use crate::stranger::StrangerCommand;

impl Strangers {
    pub fn command(&mut self, ask: Ask, command: StrangerCommand, cx: &mut Cx<'_>) {
        match command {
            StrangerCommand::Enter(entry) => self.enter(ask, entry, cx),
            StrangerCommand::Again(id, entry) => self.again(ask, id, entry, cx),
            StrangerCommand::Accept(id) => self.accept(ask, id, cx),
            StrangerCommand::Leave(how) => {
                let burned = self.leave(how, StrangerEnd::WeLeft, cx);
                cx.answer(ask, Ok(Answer::Burned(Box::new(burned))));
            }
            StrangerCommand::Report(id, reason, numbers) => self.report(ask, id, reason, &numbers, cx),
            StrangerCommand::Say(id, text) => {
                let written = self.talk(id).map(|talk| talk.write(text, cx));
                cx.answer(ask, message(written));
            }
            StrangerCommand::Send(id, attachment) => {
                let sent = self.talk(id).map(|talk| talk.attach(attachment, cx));
                cx.answer(ask, message(sent));
            }
            StrangerCommand::SetDirect(id, consent) => {
                let done = self.talk(id).map(|talk| talk.consent(consent, cx));
                cx.answer(ask, done.map(|()| Answer::Done).ok_or(CommandError::NoSuchMatch));
            }
            StrangerCommand::CompareWords(id) => {
                let done = self.met(id).map(|talk| talk.compare(cx));
                cx.answer(ask, done.map(|()| Answer::Done));
            }
            StrangerCommand::Typing(id) => {
                let done = self.met(id).map(|talk| cx.say(talk.peer(), Record::Typing(Default::default())));
                cx.answer(ask, done.map(|()| Answer::Done));
            }
            StrangerCommand::Hide(id, number) => {
                let hidden = self.talk(id).ok_or(CommandError::NoSuchMatch);
                let hidden = hidden.and_then(|talk| talk.log.hide(number).ok_or(CommandError::NoSuchMessage));
                if hidden.is_ok() {
                    cx.tell(Event::Stranger(StrangerEvent::Message(number)));
                }
                cx.answer(ask, hidden.map(|()| Answer::Done));
            }
            // Calls have a machine of their own.
            StrangerCommand::Call(_)
            | StrangerCommand::Answer(_)
            | StrangerCommand::Decline(_)
            | StrangerCommand::HangUp(_)
            | StrangerCommand::SetMicrophone(..) => {}
        }
    }

    /// The stranger of a match, once both said hello.
    fn met(&mut self, id: MatchId) -> Result<&mut Talk, CommandError> {
        let talk = self.talk(id).ok_or(CommandError::NoSuchMatch)?;
        if talk.is_met() { Ok(talk) } else { Err(CommandError::NotConnected) }
    }

    fn enter(&mut self, ask: Ask, entry: Entry, cx: &mut Cx<'_>) {
        if self.is_among() {
            return cx.answer(ask, Err(CommandError::WithStranger));
        }
        match checked(entry) {
            None => cx.answer(ask, Err(CommandError::BadEntry)),
            Some(entry) => {
                self.parted = None;
                self.entry = Some(entry);
                self.seek(Some(ask), 0, cx);
            }
        }
    }

    fn is_among(&self) -> bool {
        !matches!(self.stage, Stage::Lobby)
    }

    fn again(&mut self, ask: Ask, id: MatchId, entry: Entry, cx: &mut Cx<'_>) {
        if self.is_among() {
            return cx.answer(ask, Err(CommandError::WithStranger));
        }
        let Some(until) = self.parted.as_ref().filter(|parted| parted.id == id).map(|parted| parted.until) else {
            return cx.answer(ask, Err(CommandError::NoSuchMatch));
        };
        let Some(entry) = checked(entry) else { return cx.answer(ask, Err(CommandError::BadEntry)) };
        self.entry = Some(entry);
        self.stage = Stage::Again(id, until);
        cx.request(Request::Again(Match { id }), Purpose::Stranger(StrangerAsk::Begin(id)));
        cx.answer(ask, Ok(Answer::Done));
        changed(cx);
    }

    fn accept(&mut self, ask: Ask, id: MatchId, cx: &mut Cx<'_>) {
        let Stage::Found(found) = &mut self.stage else { return cx.answer(ask, Err(CommandError::NoSuchMatch)) };
        if found.begun.id != id {
            return cx.answer(ask, Err(CommandError::NoSuchMatch));
        }
        if !std::mem::replace(&mut found.accepted, true) {
            begin(id, cx);
            changed(cx);
        }
        cx.answer(ask, Ok(Answer::Done));
    }

    fn report(&mut self, ask: Ask, id: MatchId, reason: Reason, numbers: &[u64], cx: &mut Cx<'_>) {
        let (token, shown) = match (&self.stage, &self.parted) {
            (Stage::With(talk), _) if talk.id == id => {
                (talk.report.to_vec(), numbers.iter().map(|number| talk.log.signed(*number)).collect())
            }
            (_, Some(parted)) if parted.id == id && numbers.is_empty() => (parted.report.to_vec(), Some(Vec::new())),
            (_, Some(parted)) if parted.id == id => (Vec::new(), None),
            _ => return cx.answer(ask, Err(CommandError::NoSuchMatch)),
        };
        let Some(shown) = shown else { return cx.answer(ask, Err(CommandError::NoSuchMessage)) };
        let show = |(number, text, frank)| Shown { number, text, frank };
        let shown: Vec<Shown> = shown.into_iter().map(show).collect();
        let bytes: usize = shown.iter().map(|shown| shown.text.as_str().len()).sum();
        if shown.len() > SHOWN_TEXTS || bytes > SHOWN_BYTES || reason == Reason::Unknown {
            return cx.answer(ask, Err(CommandError::TooLarge));
        }
        let report = Report { token: token.into(), reason, shown };
        cx.request(Request::Report(report), Purpose::Stranger(StrangerAsk::Report(ask)));
    }
}

fn message(taken: Option<Result<u64, Full>>) -> Result<Answer, CommandError> {
    match taken {
        None => Err(CommandError::NoSuchMatch),
        Some(Err(Full::Size)) => Err(CommandError::TooLarge),
        Some(Err(Full::Waiting)) => Err(CommandError::OutboxFull),
        Some(Ok(number)) => Ok(Answer::Message(number)),
    }
}

/// An entry whose interests are few, short, and each there once.
fn checked(mut entry: Entry) -> Option<Entry> {
    let mut interests: Vec<String> = Vec::new();
    for name in std::mem::take(&mut entry.interests) {
        let name = name.trim().to_lowercase();
        if name.is_empty() || name.len() > INTEREST_BYTES {
            return None;
        }
        if !interests.contains(&name) {
            interests.push(name);
        }
    }
    entry.interests = interests;
    (entry.interests.len() <= INTERESTS && entry.media != Media::Unknown).then_some(entry)
}
