//! Spoken codes: ours, behind which a room lies, and the one that this user tries.

use std::collections::BTreeMap;

use sidetone_crypto::code::{Holder, Knock, Open, Proved, SpokenCode};
use sidetone_crypto::room::Invitation;
use sidetone_wire::account::{Reply, Request};
use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::{AttemptId, RoomId};
use sidetone_wire::limits::{PLATE_TRIES, PLATES};
use sidetone_wire::room::{self as wire, Judged, Nameplate, OpenPlate, Over, Said, Verdict};

use crate::account::refused;
use crate::cx::{Cx, NoReply, Purpose, RoomAsk};
use crate::effect::{Answer, CommandError};
use crate::input::Ask;
use crate::room::{JoinCode, JoinRoom, RoomEvent};
use crate::rooms::live::Room;
use crate::time::Time;

/// Who holds the door answers within this, or there is nobody.
const TRY_MS: u64 = 20_000;

/// Spoken codes.
#[derive(Default)]
pub(super) struct Codes {
    ours: BTreeMap<Nameplate, Ours>,
    trying: Option<Trying>,
}

/// A code of ours.
struct Ours {
    room: RoomId,
    code: SpokenCode,
    /// Tries that were answered and not decided.
    tries: BTreeMap<AttemptId, Holder>,
}

/// The code that this user tries.
struct Trying {
    ask: Ask,
    attempt: AttemptId,
    join: JoinCode,
    stage: Stage,
    until: Time,
}

enum Stage {
    Knocked(Knock),
    Proved(Proved),
}

impl Codes {
    // Ours.

    /// Asks for a nameplate.
    pub fn open(&self, ask: Ask, room: RoomId, cx: &mut Cx<'_>) {
        let request = Request::OpenPlate(OpenPlate { room, valid_ms: 0 });
        cx.request(request, Purpose::Room(room, RoomAsk::Plate(ask)));
    }

    pub fn opened(
        &mut self,
        ask: Ask,
        room: RoomId,
        host: Option<&str>,
        outcome: Result<Reply, NoReply>,
        cx: &mut Cx<'_>,
    ) {
        let plate = match (outcome, host) {
            (Ok(Reply::Plate(plate)), Some(_)) => plate.plate,
            (Ok(_), _) => return cx.answer(ask, Err(CommandError::Server)),
            (Err(reason), _) => return cx.answer(ask, Err(refused(reason))),
        };
        let Ok(code) = SpokenCode::from_seed(plate.0, Open::Shortly, cx.roll()) else {
            return cx.answer(ask, Err(CommandError::Server));
        };
        if self.ours.len() >= 2 * PLATES {
            self.ours.pop_first();
        }
        cx.answer(ask, Ok(Answer::Code(code.to_string())));
        self.ours.insert(plate, Ours { room, code, tries: BTreeMap::new() });
    }

    /// A room is over, and its codes with it.
    pub fn close(&mut self, room: RoomId) {
        self.ours.retain(|_, ours| ours.room != room);
    }

    /// What was under way through the server is lost.
    pub fn lost(&mut self) {
        for ours in self.ours.values_mut() {
            ours.tries.clear();
        }
    }

    // Theirs.

    /// Tries a code.
    pub fn knock(&mut self, ask: Ask, join: JoinCode, cx: &mut Cx<'_>) {
        if self.trying.is_some() {
            return cx.answer(ask, Err(CommandError::Busy));
        }
        let attempt = AttemptId(cx.roll());
        let (knock, bytes) = Knock::start(&join.code, &join.host, cx.roll());
        let knocked = wire::Knock { plate: Nameplate(join.code.plate()), attempt, bytes: bytes.into() };
        cx.request(Request::Knock(knocked), Purpose::Room(RoomId([0; 16]), RoomAsk::Try));
        let until = cx.now.time.after(TRY_MS);
        self.trying = Some(Trying { ask, attempt, join, stage: Stage::Knocked(knock), until });
    }

    /// The try cannot go on.
    pub fn refused(&mut self, error: CommandError, cx: &mut Cx<'_>) {
        if let Some(trying) = self.trying.take() {
            cx.answer(trying.ask, Err(error));
        }
    }

    /// A holder who says nothing is not there.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        if self.trying.as_ref().is_some_and(|trying| trying.until <= cx.now.time) {
            self.refused(CommandError::CodeOver, cx);
        }
    }

    /// When the try is given up.
    pub fn deadline(&self) -> Option<Time> {
        self.trying.as_ref().map(|trying| trying.until)
    }

    /// What the server says about codes; a room to join once a code was right.
    pub fn told<'a>(
        &mut self,
        event: Told,
        room: impl Fn(RoomId) -> Option<&'a Room>,
        cx: &mut Cx<'_>,
    ) -> Option<(Ask, JoinRoom)> {
        match event {
            Told::Knocked(knocked) => self.knocked(&knocked, room, cx),
            Told::Said(said) if self.trying.as_ref().is_some_and(|trying| trying.attempt == said.attempt) => {
                return self.answered(&said, cx);
            }
            Told::Said(said) => self.proved(&said, room, cx),
            Told::AttemptOver(over) if over.why != Over::Right => {
                let wrong = over.why == Over::Wrong;
                if self.trying.as_ref().is_some_and(|trying| trying.attempt == over.attempt) {
                    self.refused(if wrong { CommandError::WrongCode } else { CommandError::CodeOver }, cx);
                }
            }
            Told::Burned(burned) => {
                let ours = self.ours.remove(&burned.plate);
                if let Some(room) = ours.and_then(|ours| room(ours.room)) {
                    room.tell(RoomEvent::CodeBurned, cx);
                }
            }
            _ => {}
        }
        None
    }

    /// Somebody tries our code: one answer for each try.
    fn knocked<'a>(&mut self, knocked: &wire::Knocked, room: impl Fn(RoomId) -> Option<&'a Room>, cx: &mut Cx<'_>) {
        let Some(ours) = self.ours.get_mut(&knocked.plate) else { return };
        let Some(room) = room(ours.room) else { return };
        if ours.tries.len() >= PLATE_TRIES || ours.tries.contains_key(&knocked.attempt) {
            return;
        }
        match Holder::answer(&ours.code, &room.host, &knocked.bytes, cx.roll()) {
            Ok((holder, bytes)) => {
                ours.tries.insert(knocked.attempt, holder);
                let said = Said { attempt: knocked.attempt, bytes: bytes.into() };
                cx.request(Request::Say(said), Purpose::Nothing);
            }
            Err(_) => judge(knocked.attempt, Verdict::Wrong, cx),
        }
    }

    /// Somebody shows whether they know our words: then the room is theirs.
    fn proved<'a>(&mut self, said: &Said, room: impl Fn(RoomId) -> Option<&'a Room>, cx: &mut Cx<'_>) {
        let attempt = said.attempt;
        let found = self.ours.values_mut().find(|ours| ours.tries.contains_key(&attempt));
        let Some(ours) = found else { return };
        let (Some(holder), Some(room)) = (ours.tries.remove(&attempt), room(ours.room)) else { return };
        match holder.give(&said.bytes, room.invitation.to_bytes().as_slice()) {
            Ok(bytes) => {
                cx.request(Request::Say(Said { attempt, bytes: bytes.into() }), Purpose::Nothing);
                judge(attempt, Verdict::Right, cx);
            }
            Err(_) => judge(attempt, Verdict::Wrong, cx),
        }
    }

    /// The other end of our try says something.
    fn answered(&mut self, said: &Said, cx: &mut Cx<'_>) -> Option<(Ask, JoinRoom)> {
        let Trying { ask, attempt, join, stage, until } = self.trying.take()?;
        match stage {
            Stage::Knocked(knock) => match knock.prove(&said.bytes) {
                Ok((proved, bytes)) => {
                    cx.request(Request::Say(Said { attempt, bytes: bytes.into() }), Purpose::Nothing);
                    self.trying = Some(Trying { ask, attempt, join, stage: Stage::Proved(proved), until });
                }
                Err(_) => cx.answer(ask, Err(CommandError::WrongCode)),
            },
            Stage::Proved(proved) => {
                let gift = proved.open(&said.bytes).ok();
                let invitation = gift.and_then(|gift| Invitation::from_bytes(&gift).ok());
                let Some(invitation) = invitation else {
                    cx.answer(ask, Err(CommandError::WrongCode));
                    return None;
                };
                let JoinCode { shown, host, memory, age, .. } = join;
                return Some((ask, JoinRoom { invitation, shown, host, memory, age }));
            }
        }
        None
    }
}

fn judge(attempt: AttemptId, verdict: Verdict, cx: &mut Cx<'_>) {
    cx.request(Request::Judge(Judged { attempt, verdict }), Purpose::Nothing);
}
