//! Strangers in the world: people without an account who look for somebody to talk to.

use sidetone_engine::room::Age;
use sidetone_engine::stranger::{
    Accept, Burned, Entry, Leaving, Media, SearchEnd, Stranger, StrangerCommand, StrangerContent, StrangerEnd,
    StrangerEvent, StrangerMessage, StrangerView,
};
use sidetone_engine::{Answer, Command, CommandError, Event};
use sidetone_wire::encounter::Nickname;
use sidetone_wire::id::MatchId;
use sidetone_wire::record::Text;

use super::{PhoneId, World};

/// How somebody goes among strangers.
pub fn entry(name: &str) -> Entry {
    Entry {
        nickname: Nickname::parse(name).expect("a nickname"),
        language: None,
        interests: Vec::new(),
        media: Media::Text,
        age: Age::Unknown,
        accept: Accept::AtOnce,
    }
}

impl World {
    /// A world of so many phones that the server knows, none with an account.
    pub fn lobby(seed: u64, phones: usize) -> Self {
        let mut world = Self::new(seed, phones);
        (0..phones).for_each(|phone| world.connect(phone));
        let known = |world: &Self| world.phones.iter().all(|phone| phone.is_connected());
        assert!(world.run_until(20_000, known), "the server answers");
        world
    }

    /// Somebody looks for a stranger.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn enter(&mut self, phone: PhoneId, name: &str) -> Result<Answer, CommandError> {
        self.ask(phone, Command::Stranger(StrangerCommand::Enter(entry(name))))
    }

    /// Two people look for a stranger and find each other.
    pub fn meet(&mut self, one: PhoneId, other: PhoneId) -> MatchId {
        self.enter(one, &format!("guest {one}")).expect("a search");
        self.enter(other, &format!("guest {other}")).expect("a search");
        let both = |world: &Self| world.met(one).is_some() && world.met(one) == world.met(other);
        assert!(self.run_until(30_000, both), "they meet");
        self.met(one).expect("a match")
    }

    /// Where somebody is among strangers.
    pub fn lobby_of(&self, phone: PhoneId) -> StrangerView {
        self.phones[phone].engine().map_or(StrangerView::Lobby(None), |engine| engine.stranger())
    }

    /// The stranger that somebody is with.
    pub fn stranger(&self, phone: PhoneId) -> Option<Stranger> {
        match self.lobby_of(phone) {
            StrangerView::With(stranger) => Some(*stranger),
            _ => None,
        }
    }

    /// The match of somebody who can talk with a stranger.
    pub fn met(&self, phone: PhoneId) -> Option<MatchId> {
        self.stranger(phone).filter(|stranger| stranger.route.is_some()).map(|stranger| stranger.id)
    }

    /// Says something to the stranger of a match.
    ///
    /// # Errors
    ///
    /// What the phone answered.
    pub fn tell_stranger(&mut self, phone: PhoneId, id: MatchId, text: &str) -> Result<Answer, CommandError> {
        let text = Text::parse(text).expect("a text");
        self.ask(phone, Command::Stranger(StrangerCommand::Say(id, text)))
    }

    /// What was said with the stranger, as somebody sees it.
    pub fn talked(&self, phone: PhoneId) -> Vec<StrangerMessage> {
        let Some(stranger) = self.stranger(phone) else { return Vec::new() };
        self.phones[phone].engine().map(|engine| engine.stranger_messages(stranger.id, 0)).unwrap_or_default()
    }

    /// The texts that somebody heard from the stranger they are with.
    pub fn heard_of_stranger(&self, phone: PhoneId) -> Vec<String> {
        let text = |message: StrangerMessage| match message.content {
            StrangerContent::Text(text) if message.theirs => Some(text.into_string()),
            _ => None,
        };
        self.talked(phone).into_iter().filter_map(text).collect()
    }

    /// What a phone says to the server from now on arrives there this much later at the earliest.
    pub fn hold_up(&mut self, phone: PhoneId, ms: u64) {
        let at = self.now_ms + ms;
        self.phones[phone].up.next(at);
    }

    /// Leaves; what was burned.
    pub fn leave_stranger(&mut self, phone: PhoneId, how: Leaving) -> Burned {
        match self.ask(phone, Command::Stranger(StrangerCommand::Leave(how))) {
            Ok(Answer::Burned(burned)) => *burned,
            other => panic!("no burn: {other:?}"),
        }
    }

    /// The strangers that are over, as somebody was told, oldest first.
    pub fn strangers_ended(&self, phone: PhoneId) -> Vec<(MatchId, StrangerEnd, Burned)> {
        let end = |(_, event): &(u64, Event)| match event {
            Event::Stranger(StrangerEvent::Ended(id, why, burned)) => Some((*id, *why, *burned)),
            _ => None,
        };
        self.phones[phone].events.iter().filter_map(end).collect()
    }

    /// The searches that ended without anybody, as somebody was told.
    pub fn searches_ended(&self, phone: PhoneId) -> Vec<SearchEnd> {
        let end = |(_, event): &(u64, Event)| match event {
            Event::Stranger(StrangerEvent::NotFound(why)) => Some(why.clone()),
            _ => None,
        };
        self.phones[phone].events.iter().filter_map(end).collect()
    }
}
