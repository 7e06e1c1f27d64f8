//! Microphones, cameras and screens of a call: what each side lets be heard and seen, and what it wants to see. Said when it
//! changes, and again after each new link.

use sidetone_wire::id::CallId;
use sidetone_wire::record::{self, Word};

use super::{Call, Calls};
use crate::call::{Shows, Wants};
use crate::cx::Cx;
use crate::effect::{Answer, CommandError, Effect, MediaOrder};
use crate::input::{Ask, Hearing, Microphone};

impl Calls {
    pub fn set_microphone(&mut self, ask: Ask, id: CallId, microphone: Microphone, cx: &mut Cx<'_>) {
        let Some(call) = self.find(id) else { return cx.answer(ask, Err(CommandError::NoSuchCall)) };
        call.microphone = microphone;
        cx.effect(Effect::Media(id, MediaOrder::Microphone(microphone)));
        call.say_microphone(cx);
        call.tell(cx);
        cx.answer(ask, Ok(Answer::Done));
    }

    pub fn set_hearing(&mut self, ask: Ask, id: CallId, hearing: Hearing, cx: &mut Cx<'_>) {
        let Some(call) = self.find(id) else { return cx.answer(ask, Err(CommandError::NoSuchCall)) };
        call.hearing = hearing;
        cx.effect(Effect::Media(id, MediaOrder::Hearing(hearing)));
        call.tell(cx);
        cx.answer(ask, Ok(Answer::Done));
    }

    pub fn show(&mut self, ask: Ask, id: CallId, change: impl FnOnce(&mut Shows), cx: &mut Cx<'_>) {
        let Some(call) = self.find(id) else { return cx.answer(ask, Err(CommandError::NoSuchCall)) };
        change(&mut call.shows);
        cx.effect(Effect::Media(id, MediaOrder::Show(call.shows)));
        call.say_shows(cx);
        call.tell(cx);
        cx.answer(ask, Ok(Answer::Done));
    }

    pub fn want(&mut self, ask: Ask, id: CallId, wants: Wants, cx: &mut Cx<'_>) {
        let Some(call) = self.find(id) else { return cx.answer(ask, Err(CommandError::NoSuchCall)) };
        call.wants = wants;
        call.say_wants(cx);
        cx.answer(ask, Ok(Answer::Done));
    }
}

impl Call {
    /// What is not as it is at the beginning of a call is said once more.
    pub(super) fn say_devices(&self, cx: &mut Cx<'_>) {
        if self.microphone == Microphone::Off {
            self.say_microphone(cx);
        }
        if self.shows != Shows::default() {
            cx.effect(Effect::Media(self.id, MediaOrder::Show(self.shows)));
            self.say_shows(cx);
        }
        if self.wants != Wants::default() {
            self.say_wants(cx);
        }
        if self.their_wants != Wants::default() {
            cx.effect(Effect::Media(self.id, MediaOrder::Wanted(self.their_wants)));
        }
    }

    pub(super) fn their_shows(&mut self, shows: record::Shows, cx: &mut Cx<'_>) {
        let shows = Shows::heard(shows);
        if std::mem::replace(&mut self.their_shows, shows) != shows {
            self.tell(cx);
        }
    }

    fn say_shows(&self, cx: &mut Cx<'_>) {
        self.word(Word::Shows(self.shows.said()), cx);
    }

    pub(super) fn their_wants(&mut self, wants: record::Wants, cx: &mut Cx<'_>) {
        let wants = Wants::heard(wants);
        if std::mem::replace(&mut self.their_wants, wants) != wants {
            cx.effect(Effect::Media(self.id, MediaOrder::Wanted(wants)));
            self.tell(cx);
        }
    }

    fn say_wants(&self, cx: &mut Cx<'_>) {
        self.word(Word::Wants(self.wants.said()), cx);
    }

    pub(super) fn their_microphone(&mut self, state: record::Microphone, cx: &mut Cx<'_>) {
        let state = if state.on { Microphone::On } else { Microphone::Off };
        if std::mem::replace(&mut self.their_microphone, state) != state {
            self.tell(cx);
        }
    }

    pub(super) fn say_microphone(&self, cx: &mut Cx<'_>) {
        let on = self.microphone == Microphone::On;
        self.word(Word::Microphone(record::Microphone { on }), cx);
    }
}
