//! One stranger: from the first handshake to the burn.

use sidetone_crypto::stranger::{Pen, is_same, is_signed, sameness};
use sidetone_wire::account::{Empty, Relays};
use sidetone_wire::encounter::{Direct, Frank, Nonce, StrangerHello, StrangerWord, franked};
use sidetone_wire::id::{IdentityKey, MatchId};
use sidetone_wire::record::Text;
use zeroize::{Zeroize, Zeroizing};

use super::log::{Full, Log};
use super::words::Words;
use crate::cx::{Cx, Fact};
use crate::effect::{Event, Ways};
use crate::input::{LinkId, PeerId, Route};
use crate::peers::Wish;
use crate::stranger::{
    Attachment, Consent, Entry, Exposure, Held, Stranger, StrangerCall, StrangerEnd, StrangerEvent, StrangerMessage,
};
use crate::time::Time;

/// From the beginning of a match to the first link.
const MEET_MS: u64 = 30_000;
/// From the loss of a link to the next.
const RECONNECT_MS: u64 = 25_000;
/// A server that does not say where its relays are is asked again after this.
const RELAYS_RETRY_MS: u64 = 30_000;
/// Sessions of one match of which it is remembered that we were in them.
const SESSIONS: usize = 8;

type Secret = Zeroizing<[u8; 32]>;

/// A session of this match.
struct Meeting {
    hash: [u8; 32],
    secret: Secret,
    /// Whether the stranger said hello in it.
    greeted: bool,
}

pub(super) struct Talk {
    pub id: MatchId,
    /// Whether we begin the handshake.
    pub first: bool,
    pub common: Vec<String>,
    /// What proves to the server that there was a match.
    pub report: Zeroizing<Vec<u8>>,
    pub relays: Option<Relays>,
    /// When they are asked for again: a link that is made later needs a credential that is still good.
    relays_until: Time,
    pub until: Option<Time>,
    pub log: Log,
    pen: Option<Pen>,
    their_pen: Option<IdentityKey>,
    link: Option<(LinkId, Route)>,
    was_up: bool,
    /// A session ended before there was a link. The other end may not know: whoever does begins the next one.
    broken: bool,
    meeting: Option<Meeting>,
    /// Sessions in which we said hello, the latest last: the stranger may prove to have been in any from `proven` on.
    hellos: Vec<Secret>,
    /// Whether the stranger heard a hello of ours, and so must prove to be the same from then on.
    heard_ours: bool,
    /// The last session in which they said hello: we prove to have been in that.
    their_hello: Option<Secret>,
    them: Option<StrangerHello>,
    our_consent: Consent,
    their_consent: Consent,
    detour: bool,
    /// Whether each was told the other's addresses.
    exposed: bool,
    words: Words,
}

/// What was found, as the talk begins.
pub(super) struct Begun {
    pub id: MatchId,
    pub first: bool,
    pub common: Vec<String>,
    pub report: Zeroizing<Vec<u8>>,
    pub pen: Option<Pen>,
    pub their_pen: Option<IdentityKey>,
}

impl Talk {
    pub fn new(begun: Begun, now: Time) -> Self {
        let Begun { id, first, common, report, pen, their_pen } = begun;
        Self {
            id,
            first,
            common,
            report,
            relays: None,
            relays_until: now.after(RELAYS_RETRY_MS),
            until: Some(now.after(MEET_MS)),
            log: Log::new(),
            pen,
            their_pen,
            link: None,
            was_up: false,
            broken: false,
            meeting: None,
            hellos: Vec::new(),
            heard_ours: false,
            their_hello: None,
            them: None,
            our_consent: Consent::No,
            their_consent: Consent::No,
            detour: false,
            exposed: false,
            words: Words::None,
        }
    }

    pub fn peer(&self) -> PeerId {
        PeerId::Stranger(self.id)
    }

    /// The server said where its relays are.
    pub fn lent(&mut self, relays: Relays, now: Time) {
        self.relays_until = now.after((relays.valid_ms / 2).max(RELAYS_RETRY_MS));
        self.relays = Some(relays);
    }

    /// Whether the server is to be asked for its relays again; it is, once.
    pub fn needs_relays(&mut self, now: Time) -> bool {
        let due = self.relays_until <= now;
        if due {
            self.relays_until = now.after(RELAYS_RETRY_MS);
        }
        due
    }

    /// When something is to be done.
    pub fn deadline(&self) -> Time {
        self.until.map_or(self.relays_until, |until| until.min(self.relays_until))
    }

    pub fn is_up(&self) -> bool {
        self.link.is_some()
    }

    /// Whether both said hello in the session that is on.
    pub fn is_met(&self) -> bool {
        self.link.is_some() && self.meeting.as_ref().is_some_and(|meeting| meeting.greeted)
    }

    /// Why it ends if it takes too long.
    pub fn too_late(&self) -> StrangerEnd {
        if self.was_up { StrangerEnd::Lost } else { StrangerEnd::Unreachable }
    }

    pub fn wish(&self, open: bool) -> Wish {
        let relays = self.relays.is_some();
        Wish {
            session: true,
            link: relays,
            // Only a relay's address is ever shown before both want more.
            consent: relays,
            trust: Some(crate::keys::Trust::Nothing),
            ways: Ways::RelayOnly,
            // What they say of a direct link counts only if we want one too.
            detour: (self.both_consent() && self.is_met()).then_some(Ways::DirectOnly),
            // Whoever notices that a link is lost makes the next one; at first one alone speaks.
            reachable: open && (self.first || self.was_up || self.broken),
        }
    }

    fn say(&self, word: StrangerWord, cx: &mut Cx<'_>) {
        cx.say(self.peer(), sidetone_wire::record::Record::Stranger(word));
    }

    // What session and link say.

    pub fn paired(&mut self, hash: [u8; 32], secret: Secret) {
        self.meeting = Some(Meeting { hash, secret, greeted: false });
    }

    pub fn unpaired(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        (self.meeting, self.link, self.detour) = (None, None, false);
        self.broken = true;
        self.their_consent = Consent::No;
        self.words = Words::None;
        self.log.rewind();
        if self.was_up {
            self.until.get_or_insert(now.after(RECONNECT_MS));
        }
        changed(cx);
    }

    pub fn up(&mut self, entry: &Entry, link: LinkId, route: Route, cx: &mut Cx<'_>) {
        self.link = Some((link, route));
        let Some(meeting) = &self.meeting else { return };
        let same = self.their_hello.as_ref().map(|secret| Nonce(sameness(secret, &meeting.hash, self.first)));
        let (nickname, language) = (entry.nickname.clone(), entry.language.clone());
        let hello = StrangerHello { nickname, language, same };
        if self.hellos.len() >= SESSIONS {
            self.hellos.remove(0);
        }
        self.hellos.push(meeting.secret.clone());
        self.say(StrangerWord::Hello(hello), cx);
        if self.our_consent == Consent::Yes {
            self.say(StrangerWord::Direct(Direct { on: true }), cx);
        }
        changed(cx);
    }

    pub fn routed(&mut self, link: Option<LinkId>, route: Route, cx: &mut Cx<'_>) {
        if let Some((old, travels)) = &mut self.link {
            *old = link.unwrap_or(*old);
            *travels = route;
            changed(cx);
        }
    }

    /// No direct link could be made.
    pub fn unmoved(&mut self, cx: &mut Cx<'_>) {
        self.detour = false;
        self.consent(Consent::No, cx);
        told(StrangerEvent::DirectFailed, cx);
    }

    // What the user wants.

    pub fn write(&mut self, text: Text, cx: &mut Cx<'_>) -> Result<u64, Full> {
        let bytes = franked(&self.id, self.log.next_wire(), &text);
        let frank = self.pen.as_ref().map(|pen| Frank(pen.sign(&Zeroizing::new(bytes))));
        let number = self.log.say(text, frank, cx.now.wall)?;
        self.pump(cx);
        Ok(number)
    }

    pub fn attach(&mut self, attachment: Attachment, cx: &mut Cx<'_>) -> Result<u64, Full> {
        let number = self.log.attach(attachment, cx.now.wall)?;
        self.pump(cx);
        Ok(number)
    }

    fn pump(&mut self, cx: &mut Cx<'_>) {
        if self.is_met() {
            for word in self.log.pump() {
                self.say(word, cx);
            }
        }
    }

    pub fn consent(&mut self, consent: Consent, cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.our_consent, consent) != consent {
            self.say(StrangerWord::Direct(Direct { on: consent == Consent::Yes }), cx);
            self.go_direct(cx);
            changed(cx);
        }
    }

    fn both_consent(&self) -> bool {
        self.our_consent == Consent::Yes && self.their_consent == Consent::Yes
    }

    fn go_direct(&mut self, cx: &mut Cx<'_>) {
        let relayed = matches!(self.link, Some((_, Route::Relayed(..))));
        if self.both_consent() && relayed && !self.detour && self.is_met() {
            (self.detour, self.exposed) = (true, true);
            cx.fact(Fact::Detour(self.peer()));
        }
    }

    pub fn compare(&mut self, cx: &mut Cx<'_>) {
        let Some(meeting) = &self.meeting else { return };
        let word = self.words.want(self.first, meeting.hash, cx.roll());
        word.into_iter().for_each(|word| self.say(word, cx));
    }

    // What the stranger says.

    /// Takes a word; `Err` says that it is over.
    pub fn heard(&mut self, word: StrangerWord, cx: &mut Cx<'_>) -> Result<(), StrangerEnd> {
        if let StrangerWord::Hello(hello) = word {
            return self.hello(hello, cx);
        }
        if !self.is_met() {
            return match word {
                StrangerWord::Leaving(_) => Err(StrangerEnd::TheyLeft),
                _ => Ok(()),
            };
        }
        match word {
            StrangerWord::Leaving(_) => return Err(StrangerEnd::TheyLeft),
            StrangerWord::Got(got) => {
                self.they_heard();
                for number in self.log.confirmed(got) {
                    told(StrangerEvent::Message(number), cx);
                }
                self.pump(cx);
            }
            StrangerWord::Direct(direct) => self.their_consent(direct, cx),
            StrangerWord::Text(_) | StrangerWord::Media(_) | StrangerWord::Piece(_) => self.message(word, cx),
            word => return self.compared(&word, cx),
        }
        Ok(())
    }

    fn hello(&mut self, hello: StrangerHello, cx: &mut Cx<'_>) -> Result<(), StrangerEnd> {
        let Some(meeting) = self.meeting.as_mut().filter(|meeting| !meeting.greeted) else { return Ok(()) };
        if self.heard_ours {
            let proves =
                |secret: &Secret, shown: &Nonce| is_same(&shown.0, &sameness(secret, &meeting.hash, !self.first));
            let same = hello.same.as_ref().is_some_and(|same| self.hellos.iter().any(|secret| proves(secret, same)));
            if !same {
                return Err(StrangerEnd::Imposter);
            }
        }
        meeting.greeted = true;
        self.their_hello = Some(meeting.secret.clone());
        self.them = Some(hello);
        (self.was_up, self.until) = (true, None);
        self.say(self.log.got(), cx);
        self.go_direct(cx);
        changed(cx);
        Ok(())
    }

    /// They heard our hello in this session: from now on they can prove to be the same.
    fn they_heard(&mut self) {
        self.heard_ours = true;
        let latest = self.hellos.len().saturating_sub(1);
        if self.hellos.len() > 1 {
            self.hellos.drain(..latest);
        }
    }

    fn their_consent(&mut self, direct: Direct, cx: &mut Cx<'_>) {
        let consent = if direct.on { Consent::Yes } else { Consent::No };
        if std::mem::replace(&mut self.their_consent, consent) == consent {
            return;
        }
        if consent == Consent::Yes && self.our_consent == Consent::No {
            told(StrangerEvent::DirectOffered, cx);
        }
        self.go_direct(cx);
        changed(cx);
    }

    fn message(&mut self, word: StrangerWord, cx: &mut Cx<'_>) {
        let at = cx.now.wall;
        let heard = match word {
            StrangerWord::Text(text) => {
                let bytes = Zeroizing::new(franked(&self.id, text.number, &text.text));
                let signs = |pen: &IdentityKey, frank: &Frank| is_signed(&pen.0, &bytes, &frank.0);
                let void = self.their_pen.is_some_and(|pen| !text.frank.is_some_and(|frank| signs(&pen, &frank)));
                if void {
                    // Nobody could be shown who said it: it is not heard, and what comes after it is not either.
                    return;
                }
                self.log.text(text, at)
            }
            StrangerWord::Media(media) => self.log.media(media, at),
            StrangerWord::Piece(piece) => self.log.piece(&piece),
            _ => return,
        };
        heard.number.into_iter().for_each(|number| told(StrangerEvent::Message(number), cx));
        heard.answer.into_iter().for_each(|word| self.say(word, cx));
    }

    fn compared(&mut self, word: &StrangerWord, cx: &mut Cx<'_>) -> Result<(), StrangerEnd> {
        let Some(meeting) = &self.meeting else { return Ok(()) };
        let said = self.words.heard(word, self.first, meeting.hash, cx.roll());
        let word = said.map_err(|_| StrangerEnd::Imposter)?;
        word.into_iter().for_each(|word| self.say(word, cx));
        if self.words.known().is_some() {
            changed(cx);
        }
        Ok(())
    }

    // What can be seen, and the end.

    pub fn nickname(&self) -> Option<&str> {
        self.them.as_ref().map(|them| them.nickname.as_str())
    }

    pub fn messages(&self, from: u64) -> Vec<StrangerMessage> {
        self.log.from(from)
    }

    pub fn view(&self, call: Option<StrangerCall>) -> Stranger {
        let route = self.link.map(|(_, route)| route);
        Stranger {
            id: self.id,
            nickname: self.them.as_ref().map(|them| them.nickname.clone()),
            language: self.them.as_ref().and_then(|them| them.language.clone()),
            common: self.common.clone(),
            route: route.filter(|_| self.is_met()),
            our_consent: self.our_consent,
            their_consent: self.their_consent,
            exposure: if self.exposed { Exposure::if_direct() } else { Exposure::relayed() },
            words: self.words.known().map(|words| words.to_string()),
            call,
            messages: self.log.len(),
        }
    }

    /// What is held, counted.
    pub fn held(&self) -> Held {
        let them = self.them.as_ref();
        let names = them.map_or(0, |them| 1 + u32::from(them.language.is_some()));
        let words = u32::from(!matches!(self.words, Words::None));
        let keys = self.hellos.len() + usize::from(self.meeting.is_some()) + usize::from(self.their_hello.is_some());
        let keys = u32::try_from(keys).unwrap_or(u32::MAX) + words + u32::from(self.pen.is_some()) + 1;
        Held { names, keys, links: u32::from(self.link.is_some()), ..self.log.held() }
    }

    /// Erases everything of the stranger but the token for a complaint, and counts it as it goes.
    pub fn erase(mut self) -> (Held, Zeroizing<Vec<u8>>) {
        let mut erased = self.log.erase();
        if let Some(them) = self.them.take() {
            erased.names += 1 + u32::from(them.language.is_some());
        }
        for secret in self.hellos.drain(..).chain(self.their_hello.take()) {
            drop(secret);
            erased.keys += 1;
        }
        erased.keys += u32::from(self.meeting.take().is_some());
        erased.keys += u32::from(!matches!(std::mem::take(&mut self.words), Words::None));
        erased.keys += u32::from(self.pen.take().is_some());
        erased.links += u32::from(self.link.take().is_some());
        self.common.iter_mut().for_each(Zeroize::zeroize);
        // The token goes on for half a minute, or is erased by who takes it.
        erased.keys += 1;
        (erased, std::mem::take(&mut self.report))
    }
}

fn told(event: StrangerEvent, cx: &mut Cx<'_>) {
    cx.tell(Event::Stranger(event));
}

pub(super) fn changed(cx: &mut Cx<'_>) {
    told(StrangerEvent::Changed, cx);
}

pub(super) fn leaving() -> StrangerWord {
    StrangerWord::Leaving(Empty::default())
}

#[cfg(test)]
mod tests {
    use sidetone_wire::encounter::{Got, Nickname};

    use super::*;
    use crate::cx::Dice;
    use crate::input::{Protocol, Relay};
    use crate::room::Age;
    use crate::stranger::{Accept, Media};
    use crate::time::Now;

    fn entry() -> Entry {
        Entry {
            nickname: Nickname::parse("moth").expect("a nickname"),
            language: None,
            interests: Vec::new(),
            media: Media::Text,
            age: Age::Unknown,
            accept: Accept::AtOnce,
        }
    }

    fn hello(same: Option<Nonce>) -> StrangerWord {
        let nickname = Nickname::parse("wren").expect("a nickname");
        StrangerWord::Hello(StrangerHello { nickname, language: None, same })
    }

    /// A session begins, its link is up, and the stranger says hello.
    fn session(talk: &mut Talk, number: u8, same: Option<Nonce>, cx: &mut Cx<'_>) -> Result<(), StrangerEnd> {
        talk.paired([number; 32], Zeroizing::new([number + 100; 32]));
        let link = LinkId { peer: talk.peer(), number: u64::from(number) };
        talk.up(&entry(), link, Route::Relayed(Relay::Both, Protocol::Udp), cx);
        talk.heard(hello(same), cx)
    }

    #[test]
    fn one_who_comes_in_the_place_of_the_stranger_is_noticed() {
        let (mut dice, mut effects) = (Dice::new([1; 32]), Vec::new());
        let mut cx = Cx::new(Now::default(), &mut dice, &mut effects);
        let (id, first) = (MatchId([1; 16]), true);
        let begun = || {
            let (common, report) = (Vec::new(), Zeroizing::new(Vec::new()));
            Begun { id, first, common, report, pen: None, their_pen: None }
        };
        let got = StrangerWord::Got(Got { number: 1, bytes: 0 });
        for (shown, outcome) in [
            (Some(Nonce(sameness(&[101; 32], &[2; 32], !first))), Ok(())),
            (None, Err(StrangerEnd::Imposter)),
            (Some(Nonce([0; 32])), Err(StrangerEnd::Imposter)),
            // Our own proof, thrown back at us.
            (Some(Nonce(sameness(&[101; 32], &[2; 32], first))), Err(StrangerEnd::Imposter)),
            // That of another session.
            (Some(Nonce(sameness(&[101; 32], &[1; 32], !first))), Err(StrangerEnd::Imposter)),
        ] {
            let mut talk = Talk::new(begun(), Time(0));
            assert_eq!(session(&mut talk, 1, None, &mut cx), Ok(()));
            assert_eq!(talk.heard(got.clone(), &mut cx), Ok(()));
            talk.unpaired(&mut cx);
            assert_eq!(session(&mut talk, 2, shown, &mut cx), outcome);
        }
        // Who never heard our hello cannot prove anything, and need not.
        let mut talk = Talk::new(begun(), Time(0));
        assert_eq!(session(&mut talk, 1, None, &mut cx), Ok(()));
        talk.unpaired(&mut cx);
        assert_eq!(session(&mut talk, 2, None, &mut cx), Ok(()));
    }
}
