//! What can be seen of strangers.

use sidetone_wire::id::MatchId;

use super::{Stage, Strangers};
use crate::stranger::{StrangerCall, StrangerMessage, StrangerView};

impl Strangers {
    pub fn view(&self, call: Option<StrangerCall>) -> StrangerView {
        match &self.stage {
            Stage::Lobby => StrangerView::Lobby(self.parted.as_ref().map(|parted| (parted.id, parted.until))),
            Stage::Working(..) => StrangerView::Searching { working: true },
            Stage::Paused(_) | Stage::Asking(_) | Stage::Waiting(..) | Stage::Again(..) => {
                StrangerView::Searching { working: false }
            }
            Stage::Found(found) => StrangerView::Found {
                id: found.begun.id,
                common: found.begun.common.clone(),
                accepted: found.accepted,
                until: found.until,
            },
            Stage::With(talk) => StrangerView::With(Box::new(talk.view(call))),
        }
    }

    pub fn messages(&self, id: MatchId, from: u64) -> Vec<StrangerMessage> {
        match &self.stage {
            Stage::With(talk) if talk.id == id => talk.messages(from),
            _ => Vec::new(),
        }
    }
}
