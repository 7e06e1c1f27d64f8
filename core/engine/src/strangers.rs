//! The machine of strangers: search, match, talk, burn. One stranger at a time; every wait is bounded and ends in the lobby.

use std::collections::VecDeque;

use sidetone_crypto::stranger::{Pen, interest_tag, name_tag};
use sidetone_wire::account::{Code, Relays, Reply, Request};
use sidetone_wire::encounter::StrangerWord;
use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::{IdentityKey, InterestTag, MatchId, TicketId};
use sidetone_wire::limits::{ACCEPT_MS, AGAIN_MS, INTERESTS, PROOF_BITS, SEEK_MS};
use sidetone_wire::record::Record;
use sidetone_wire::stranger::{Leave, Match, MatchEnd, MatchOver, Matched, Part, Seek, Ticket};
use zeroize::{Zeroize, Zeroizing};

use crate::account::refused;
use crate::cx::{Cx, Fact, NoReply, Purpose, StrangerAsk};
use crate::effect::{Answer, CommandError, Effect, Event};
use crate::input::{Ask, LinkId, PeerId, Route};
use crate::keys::Us;
use crate::peers::Wish;
use crate::room::Age;
use crate::stranger::{Accept, Burned, Entry, Held, Leaving, Puzzle, SearchEnd, StrangerEnd, StrangerEvent};
use crate::time::Time;

mod ask;
mod log;
mod talk;
mod view;
mod words;

use talk::{Begun, Talk, changed, leaving};

/// Longest interest, in bytes.
const INTEREST_BYTES: usize = 64;
/// Work that takes longer is given up.
const WORK_MS: u64 = 120_000;
/// Wrong proofs after which a search is given up: a seed may have become too old meanwhile.
const TRIES: u8 = 3;
/// How much longer than the server the phone waits for it.
const GRACE_MS: u64 = 5_000;
const DAY_MS: u64 = 86_400_000;
/// Names that are passed over.
const BLOCKED: usize = 256;

/// Everything about strangers.
#[derive(Default)]
pub(crate) struct Strangers {
    /// As whom we are among them, while we are.
    entry: Option<Entry>,
    /// Our interests as the server knows them, for the search that is on.
    tags: Vec<(InterestTag, String)>,
    stage: Stage,
    parted: Option<Parted>,
    blocked: Blocked,
}

#[derive(Default)]
enum Stage {
    #[default]
    Lobby,
    /// The server forgot us: the search begins anew once it knows us again.
    Paused(Time),
    /// A search is asked for.
    Asking(Search),
    /// Work is being done for it.
    Working(Search, Time),
    /// It waits.
    Waiting(Search, Time),
    /// Whom we parted from is wanted again.
    Again(MatchId, Time),
    Found(Box<Found>),
    With(Box<Talk>),
}

struct Search {
    ticket: TicketId,
    pen: Option<Pen>,
    /// Who waits for the server to accept it.
    ask: Option<Ask>,
    tries: u8,
}

struct Found {
    begun: Begun,
    ticket: TicketId,
    accepted: bool,
    until: Time,
}

/// Whom we parted from: who wants may have them again, or complain.
struct Parted {
    id: MatchId,
    report: Zeroizing<Vec<u8>>,
    until: Time,
}

/// Names that are passed over, as keyed hashes.
#[derive(Default)]
struct Blocked {
    key: Option<[u8; 32]>,
    tags: VecDeque<[u8; 16]>,
}

impl Strangers {
    // What the server says.

    /// The server knows us, and knew us before if `resumed`.
    pub fn welcomed(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.stage, Stage::Paused(_)) {
            self.seek(None, 0, cx);
        }
    }

    /// The server forgot what was under way.
    pub fn signal_lost(&mut self, cx: &mut Cx<'_>) {
        match &self.stage {
            Stage::Working(..) | Stage::Waiting(..) | Stage::Found(_) => self.pause(cx),
            Stage::Again(id, _) => {
                let id = *id;
                self.not_found(SearchEnd::NotAgain, cx);
                self.parted.take_if(|parted| parted.id == id);
            }
            // What is said goes from phone to phone; without a link there is no way left to make one.
            Stage::With(talk) if !talk.is_up() => drop(self.end(talk.too_late(), None, cx)),
            Stage::Lobby | Stage::Paused(_) | Stage::Asking(_) | Stage::With(_) => {}
        }
        // The server knows the match no more.
        self.parted = None;
    }

    fn pause(&mut self, cx: &mut Cx<'_>) {
        self.stage = Stage::Paused(cx.now.time.after(SEEK_MS));
        changed(cx);
    }

    pub fn told(&mut self, event: Told, cx: &mut Cx<'_>) {
        match event {
            Told::Matched(matched) => self.matched(matched, cx),
            Told::Begun(begun) => self.begun(begun.id, cx),
            Told::MatchOver(over) => self.over(over, cx),
            Told::NobodyThere(ticket) if self.ticket() == Some(ticket.ticket) => {
                self.not_found(SearchEnd::Nobody, cx);
            }
            _ => {}
        }
    }

    /// The search that is on.
    fn ticket(&self) -> Option<TicketId> {
        match &self.stage {
            Stage::Asking(search) | Stage::Working(search, _) | Stage::Waiting(search, _) => Some(search.ticket),
            _ => None,
        }
    }

    fn matched(&mut self, matched: Matched, cx: &mut Cx<'_>) {
        let Matched { id, ticket, first, common, report, frank } = matched;
        let (pen, again) = match std::mem::take(&mut self.stage) {
            Stage::Asking(search) | Stage::Waiting(search, _) if search.ticket == ticket => {
                search.ask.into_iter().for_each(|ask| cx.answer(ask, Ok(Answer::Done)));
                (search.pen, false)
            }
            Stage::Again(..) => (None, true),
            stage => {
                // Nobody was wanted, or not now: the other one need not wait for us.
                let known = matches!(&stage, Stage::Found(found) if found.begun.id == id)
                    || matches!(&stage, Stage::With(talk) if talk.id == id);
                self.stage = stage;
                if !known {
                    part(id, Leave::End, cx);
                }
                return;
            }
        };
        let names = self.tags.iter().filter(|(tag, _)| common.contains(tag)).map(|(_, name)| name.clone()).collect();
        let report = Zeroizing::new(report.into_vec());
        let begun = Begun { id, first, common: names, report, pen, their_pen: frank };
        let accepted = again || self.entry.as_ref().is_some_and(|entry| entry.accept == Accept::AtOnce);
        let until = cx.now.time.after(ACCEPT_MS + GRACE_MS);
        self.stage = Stage::Found(Box::new(Found { begun, ticket, accepted, until }));
        if accepted && !again {
            begin(id, cx);
        }
        changed(cx);
    }

    fn begun(&mut self, id: MatchId, cx: &mut Cx<'_>) {
        match std::mem::take(&mut self.stage) {
            Stage::Found(found) if found.begun.id == id && found.accepted => {
                self.parted = None;
                self.stage = Stage::With(Box::new(Talk::new(found.begun, cx.now.time)));
                borrow_relays(id, cx);
                changed(cx);
            }
            stage => self.stage = stage,
        }
    }

    fn over(&mut self, over: MatchOver, cx: &mut Cx<'_>) {
        match std::mem::take(&mut self.stage) {
            Stage::Found(found) if found.begun.id == over.id => {
                if over.waiting {
                    let search = Search { ticket: found.ticket, pen: found.begun.pen, ask: None, tries: 0 };
                    self.stage = Stage::Waiting(search, cx.now.time.after(SEEK_MS + GRACE_MS));
                    return changed(cx);
                }
                let end = if over.why == MatchEnd::TooLate { SearchEnd::TooLate } else { SearchEnd::NotAgain };
                self.not_found(end, cx);
            }
            Stage::With(talk) if talk.id == over.id => {
                let up = talk.is_up();
                let end = if over.why == MatchEnd::Left { StrangerEnd::TheyLeft } else { talk.too_late() };
                self.stage = Stage::With(talk);
                // That the server lost sight of them is no reason while they are here.
                if over.why == MatchEnd::Left || !up {
                    self.end(end, None, cx);
                }
            }
            stage => self.stage = stage,
        }
    }

    pub fn replied(&mut self, asked: StrangerAsk, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        match asked {
            StrangerAsk::Seek(ticket) => self.sought(ticket, outcome, cx),
            StrangerAsk::Begin(id) => self.begin_refused(id, outcome, cx),
            StrangerAsk::Relays(id) => {
                let Stage::With(talk) = &mut self.stage else { return };
                match outcome {
                    Ok(Reply::Relays(relays)) if talk.id == id => talk.lent(relays, cx.now.time),
                    // Without a relay there is no way; the deadline says so, unless the other side leaves before.
                    _ => {}
                }
            }
            StrangerAsk::Report(ask) => cx.answer(ask, outcome.map(|_| Answer::Done).map_err(refused)),
        }
    }

    fn sought(&mut self, ticket: TicketId, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        let search = match std::mem::take(&mut self.stage) {
            Stage::Asking(search) if search.ticket == ticket => search,
            stage => return self.stage = stage,
        };
        match outcome {
            Ok(Reply::Done(_)) => {
                search.ask.into_iter().for_each(|ask| cx.answer(ask, Ok(Answer::Done)));
                let search = Search { ask: None, ..search };
                self.stage = Stage::Waiting(search, cx.now.time.after(SEEK_MS + GRACE_MS));
                changed(cx);
            }
            Ok(Reply::Prove(challenge)) if challenge.bits <= PROOF_BITS && search.tries < TRIES => {
                let begin = u64::from_be_bytes(cx.roll());
                let seed = challenge.seed.into_vec();
                cx.effect(Effect::Prove(Puzzle { ticket, seed, bits: challenge.bits, begin }));
                self.stage = Stage::Working(search, cx.now.time.after(WORK_MS));
                changed(cx);
            }
            Ok(Reply::Prove(_)) => self.refuse(search, CommandError::TooMuchWork, cx),
            Ok(_) => self.refuse(search, CommandError::Server, cx),
            Err(NoReply::Refused(refusal)) if refusal.code == Code::WrongProof && search.tries < TRIES => {
                self.seek_with(Search { tries: search.tries + 1, ..search }, None, cx);
            }
            // A search that goes on by itself waits for the server.
            Err(NoReply::Unanswered) if search.ask.is_none() => self.pause(cx),
            Err(reason) => self.refuse(search, refused(reason), cx),
        }
    }

    fn refuse(&mut self, search: Search, error: CommandError, cx: &mut Cx<'_>) {
        match search.ask {
            Some(ask) => {
                self.leave_lobby();
                cx.answer(ask, Err(error));
            }
            None => self.not_found(SearchEnd::Refused(error), cx),
        }
    }

    fn begin_refused(&mut self, id: MatchId, outcome: Result<Reply, NoReply>, cx: &mut Cx<'_>) {
        if outcome.is_ok() {
            return;
        }
        match &self.stage {
            // Gone meanwhile: somebody else may be there.
            Stage::Found(found) if found.begun.id == id => self.seek(None, 0, cx),
            Stage::Again(wanted, _) if *wanted == id => {
                self.parted.take_if(|parted| parted.id == id);
                self.not_found(SearchEnd::NotAgain, cx);
            }
            _ => {}
        }
    }

    /// The work is done, or was given up.
    pub fn proved(&mut self, ticket: TicketId, number: Option<u64>, cx: &mut Cx<'_>) {
        match std::mem::take(&mut self.stage) {
            Stage::Working(search, _) if search.ticket == ticket => match number {
                Some(_) => self.seek_with(Search { tries: search.tries + 1, ..search }, number, cx),
                None => self.refuse(search, CommandError::TooMuchWork, cx),
            },
            stage => self.stage = stage,
        }
    }

    // The search.

    fn seek(&mut self, ask: Option<Ask>, tries: u8, cx: &mut Cx<'_>) {
        let ticket = TicketId(cx.roll());
        let pen = Pen::from_seed(cx.roll());
        self.seek_with(Search { ticket, pen, ask, tries }, None, cx);
    }

    fn seek_with(&mut self, search: Search, proof: Option<u64>, cx: &mut Cx<'_>) {
        let Some(entry) = &self.entry else { return self.stage = Stage::Lobby };
        let day = cx.now.wall.0 / DAY_MS;
        self.tags = entry.interests.iter().map(|name| (InterestTag(interest_tag(day, name)), name.clone())).collect();
        let seek = Seek {
            ticket: search.ticket,
            media: entry.media,
            interests: self.tags.iter().map(|(tag, _)| *tag).collect(),
            adult: entry.age == Age::Adult,
            proof,
            frank: search.pen.as_ref().map(|pen| IdentityKey(pen.public())),
        };
        cx.request(Request::Seek(seek), Purpose::Stranger(StrangerAsk::Seek(search.ticket)));
        self.stage = Stage::Asking(search);
        changed(cx);
    }

    fn not_found(&mut self, why: SearchEnd, cx: &mut Cx<'_>) {
        self.leave_lobby();
        cx.tell(Event::Stranger(StrangerEvent::NotFound(why)));
    }

    /// We are not among strangers any more: nothing of ours stays.
    fn leave_lobby(&mut self) -> Held {
        self.stage = Stage::Lobby;
        self.tags.iter_mut().for_each(|(_, name)| name.zeroize());
        self.tags.clear();
        let mut erased = Held::default();
        if let Some(mut entry) = self.entry.take() {
            entry.interests.iter_mut().for_each(Zeroize::zeroize);
            erased.names = names(&entry);
        }
        erased
    }

    // The end.

    /// Burns the stranger. `how` tells the server that it was us.
    fn end(&mut self, why: StrangerEnd, how: Option<Leave>, cx: &mut Cx<'_>) -> Burned {
        let talk = match std::mem::take(&mut self.stage) {
            Stage::With(talk) => talk,
            stage => {
                self.stage = stage;
                return Burned::default();
            }
        };
        let (id, peer) = (talk.id, talk.peer());
        cx.say(peer, Record::Stranger(leaving()));
        cx.fact(Fact::Shun(peer));
        how.into_iter().for_each(|how| part(id, how, cx));
        if how == Some(Leave::Block)
            && let Some(name) = talk.nickname()
        {
            let key = *self.blocked.key.get_or_insert_with(|| cx.roll());
            self.blocked.tags.truncate(BLOCKED - 1);
            self.blocked.tags.push_front(name_tag(&key, name));
        }
        let mut held = talk.held();
        held.names += self.entry.as_ref().map_or(0, names);
        let (mut erased, report) = talk.erase();
        let on = matches!(how, Some(Leave::Skip | Leave::Block)) && self.entry.is_some();
        if on {
            // Ours goes on with us to the next one.
            held.names -= self.entry.as_ref().map_or(0, names);
        } else {
            erased.names += self.leave_lobby().names;
        }
        let gone = matches!(how, Some(Leave::Block)) || why == StrangerEnd::Closed;
        self.parted = (!gone).then(|| Parted { id, report, until: cx.now.time.after(AGAIN_MS) });
        let burned = Burned { held, erased };
        cx.tell(Event::Stranger(StrangerEvent::Ended(id, why, burned)));
        if on {
            self.seek(None, 0, cx);
        }
        burned
    }

    /// The account is left, or the app goes.
    pub fn close(&mut self, cx: &mut Cx<'_>) {
        self.leave(Leaving::End, StrangerEnd::Closed, cx);
        *self = Self::default();
    }

    fn leave(&mut self, leaving: Leaving, why: StrangerEnd, cx: &mut Cx<'_>) -> Burned {
        let how = match leaving {
            Leaving::Skip => Leave::Skip,
            Leaving::End => Leave::End,
            Leaving::Block => Leave::Block,
        };
        match std::mem::take(&mut self.stage) {
            Stage::With(talk) => {
                self.stage = Stage::With(talk);
                return self.end(why, Some(how), cx);
            }
            Stage::Found(found) => {
                part(found.begun.id, how, cx);
                if leaving != Leaving::End {
                    self.seek(None, 0, cx);
                    return Burned::default();
                }
            }
            Stage::Asking(search) | Stage::Working(search, _) | Stage::Waiting(search, _) => {
                search.ask.into_iter().for_each(|ask| cx.answer(ask, Ok(Answer::Done)));
                cx.request(Request::Unseek(Ticket { ticket: search.ticket }), Purpose::Nothing);
            }
            Stage::Lobby if self.entry.is_none() => {
                self.parted = None;
                return Burned::default();
            }
            Stage::Lobby | Stage::Paused(_) | Stage::Again(..) => {}
        }
        self.parted = None;
        let held = Held { names: self.entry.as_ref().map_or(0, names), ..Held::default() };
        let erased = self.leave_lobby();
        cx.tell(Event::Stranger(StrangerEvent::NotFound(SearchEnd::Left)));
        Burned { held, erased }
    }

    // Time.

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        self.parted.take_if(|parted| parted.until <= now);
        if let Stage::With(talk) = &mut self.stage
            && talk.needs_relays(now)
        {
            borrow_relays(talk.id, cx);
        }
        match &self.stage {
            Stage::Paused(until) if *until <= now => {
                self.not_found(SearchEnd::Refused(CommandError::Offline), cx);
            }
            Stage::Working(_, until) if *until <= now => {
                if let Stage::Working(search, _) = std::mem::take(&mut self.stage) {
                    self.refuse(search, CommandError::TooMuchWork, cx);
                }
            }
            Stage::Waiting(_, until) if *until <= now => self.not_found(SearchEnd::Nobody, cx),
            Stage::Again(_, until) if *until <= now => self.not_found(SearchEnd::NotAgain, cx),
            Stage::Found(found) if found.until <= now => {
                part(found.begun.id, Leave::End, cx);
                self.not_found(SearchEnd::TooLate, cx);
            }
            Stage::With(talk) if talk.until.is_some_and(|until| until <= now) => {
                self.end(talk.too_late(), Some(Leave::End), cx);
            }
            _ => {}
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        let stage = match &self.stage {
            Stage::Lobby | Stage::Asking(_) => None,
            Stage::Paused(until) | Stage::Working(_, until) | Stage::Waiting(_, until) | Stage::Again(_, until) => {
                Some(*until)
            }
            Stage::Found(found) => Some(found.until),
            Stage::With(talk) => Some(talk.deadline()),
        };
        [stage, self.parted.as_ref().map(|parted| parted.until)].into_iter().flatten().min()
    }

    // Session and link.

    fn talk(&mut self, id: MatchId) -> Option<&mut Talk> {
        match &mut self.stage {
            Stage::With(talk) if talk.id == id => Some(talk),
            _ => None,
        }
    }

    /// Whom there is or should be a session with.
    pub fn peer(&self) -> Option<PeerId> {
        match &self.stage {
            Stage::With(talk) => Some(talk.peer()),
            _ => None,
        }
    }

    pub fn us(&self, id: MatchId) -> Option<Us<'_>> {
        match &self.stage {
            Stage::With(talk) if talk.id == id => Some(Us::Stranger { first: talk.first }),
            _ => None,
        }
    }

    pub fn wish(&self, id: MatchId, open: bool) -> Wish {
        match &self.stage {
            Stage::With(talk) if talk.id == id => talk.wish(open),
            _ => Wish::default(),
        }
    }

    pub fn relays(&self, id: MatchId) -> Option<&Relays> {
        match &self.stage {
            Stage::With(talk) if talk.id == id => talk.relays.as_ref(),
            _ => None,
        }
    }

    pub fn paired(&mut self, id: MatchId, session: ([u8; 32], Zeroizing<[u8; 32]>)) {
        if let Some(talk) = self.talk(id) {
            talk.paired(session.0, session.1);
        }
    }

    pub fn unpaired(&mut self, id: MatchId, cx: &mut Cx<'_>) {
        if let Some(talk) = self.talk(id) {
            talk.unpaired(cx);
        }
    }

    pub fn up(&mut self, id: MatchId, link: LinkId, route: Route, cx: &mut Cx<'_>) {
        if let (Stage::With(talk), Some(entry)) = (&mut self.stage, &self.entry)
            && talk.id == id
        {
            talk.up(entry, link, route, cx);
        }
    }

    pub fn routed(&mut self, id: MatchId, link: Option<LinkId>, route: Route, cx: &mut Cx<'_>) {
        if let Some(talk) = self.talk(id) {
            talk.routed(link, route, cx);
        }
    }

    pub fn unmoved(&mut self, id: MatchId, cx: &mut Cx<'_>) {
        if let Some(talk) = self.talk(id) {
            talk.unmoved(cx);
        }
    }

    /// Whether both said hello: what is said of calls before that is not heard.
    pub fn is_met(&self, id: MatchId) -> bool {
        matches!(&self.stage, Stage::With(talk) if talk.id == id && talk.is_met())
    }

    pub fn heard(&mut self, id: MatchId, word: StrangerWord, cx: &mut Cx<'_>) {
        let hello = matches!(word, StrangerWord::Hello(_));
        let Some(talk) = self.talk(id) else { return };
        if let Err(why) = talk.heard(word, cx) {
            // Whoever took another's place is not told apart from one who left: the server need not know.
            let how = (why != StrangerEnd::TheyLeft).then_some(Leave::End);
            self.end(why, how, cx);
        } else if hello && self.is_blocked() {
            self.end(StrangerEnd::Blocked, Some(Leave::Skip), cx);
        }
    }

    fn is_blocked(&self) -> bool {
        let Stage::With(talk) = &self.stage else { return false };
        let (Some(key), Some(name)) = (&self.blocked.key, talk.nickname()) else { return false };
        self.blocked.tags.contains(&name_tag(key, name))
    }
}

fn names(entry: &Entry) -> u32 {
    let interests = u32::try_from(entry.interests.len()).unwrap_or(u32::MAX);
    1 + u32::from(entry.language.is_some()) + interests
}

fn borrow_relays(id: MatchId, cx: &mut Cx<'_>) {
    cx.request(Request::StrangerRelays(Match { id }), Purpose::Stranger(StrangerAsk::Relays(id)));
}

fn begin(id: MatchId, cx: &mut Cx<'_>) {
    cx.request(Request::Consent(Match { id }), Purpose::Stranger(StrangerAsk::Begin(id)));
}

fn part(id: MatchId, how: Leave, cx: &mut Cx<'_>) {
    cx.request(Request::Part(Part { id, how }), Purpose::Nothing);
}
