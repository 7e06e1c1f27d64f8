//! The engine's side of strangers: facts on their way to them, and what can be seen of them.

use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::MatchId;
use sidetone_wire::record::Record;

use super::{Engine, lent, us};
use crate::cx::{Cx, Fact};
use crate::effect::{CommandError, Event, Ways};
use crate::input::{Ask, PeerId};
use crate::stranger::{StrangerCommand, StrangerEvent, StrangerMessage, StrangerView};

impl Engine {
    /// What a stranger's session and link say.
    pub(super) fn met(&mut self, fact: Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::Stranger(event) => self.stranger_event(event, cx),
            Fact::Heard(peer @ PeerId::Stranger(id), record) => self.stranger_heard(peer, id, record, cx),
            Fact::Paired(peer @ PeerId::Stranger(id)) => {
                if let Some(session) = self.peers.session(peer) {
                    self.strangers.paired(id, session);
                    self.calls.paired(peer, cx);
                }
            }
            Fact::Unpaired(peer @ PeerId::Stranger(id)) => {
                self.strangers.unpaired(id, cx);
                self.calls.unpaired(peer, cx);
            }
            Fact::Up(peer @ PeerId::Stranger(id), link, route) => {
                self.strangers.up(id, link, route, cx);
                self.calls.up(peer, link, route, cx);
            }
            Fact::Routed(peer @ PeerId::Stranger(id), route) => {
                self.strangers.routed(id, None, route, cx);
                self.calls.routed(peer, route, cx);
            }
            Fact::Moved(peer @ PeerId::Stranger(id), link, route) => {
                self.strangers.routed(id, Some(link), route, cx);
                self.calls.moved(peer, link, route, cx);
            }
            Fact::Unmoved(PeerId::Stranger(id)) => self.strangers.unmoved(id, cx),
            Fact::Detour(peer) => {
                self.peers.detour(peer, Ways::DirectOnly, lent(&self.rooms, &self.strangers, peer), cx);
            }
            _ => {}
        }
    }

    fn stranger_event(&mut self, event: Told, cx: &mut Cx<'_>) {
        let Told::StrangerSealed(delivered) = event else { return self.strangers.told(event, cx) };
        let from = PeerId::Stranger(delivered.id);
        let trust = self.wish(from).trust;
        if let Some(us) = us(&self.account, &self.rooms, &self.strangers, from) {
            self.peers.sealed(from, &delivered.bytes, trust, us, cx);
        }
    }

    fn stranger_heard(&mut self, peer: PeerId, id: MatchId, record: Record, cx: &mut Cx<'_>) {
        match record {
            Record::Stranger(word) => self.strangers.heard(id, word, cx),
            // Nothing else before both said hello.
            _ if !self.strangers.is_met(id) => {}
            Record::Call(word) => self.calls.heard(peer, word, cx),
            Record::Typing(_) => cx.tell(Event::Stranger(StrangerEvent::Typing)),
            _ => {}
        }
    }

    pub(super) fn with_stranger(&mut self, ask: Ask, command: StrangerCommand, cx: &mut Cx<'_>) {
        match command {
            StrangerCommand::Call(id) if !self.strangers.is_met(id) => {
                cx.answer(ask, Err(CommandError::NotConnected));
            }
            StrangerCommand::Call(id) => self.calls.call(ask, PeerId::Stranger(id), cx),
            StrangerCommand::Answer(call) => self.calls.answer(ask, call, cx),
            StrangerCommand::Decline(call) => self.calls.decline(ask, call, cx),
            StrangerCommand::HangUp(call) => self.calls.hang_up(ask, call, cx),
            StrangerCommand::SetMicrophone(call, on) => self.calls.set_microphone(ask, call, on, cx),
            other => self.strangers.command(ask, other, cx),
        }
    }

    /// Where we are among strangers.
    pub fn stranger(&self) -> StrangerView {
        self.strangers.view(self.calls.stranger_view())
    }

    /// What was said with the stranger of a match, from this number on, oldest first; nothing once it is over.
    pub fn stranger_messages(&self, id: MatchId, from: u64) -> Vec<StrangerMessage> {
        self.strangers.messages(id, from)
    }
}
