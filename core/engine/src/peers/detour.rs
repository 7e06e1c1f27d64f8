//! How a session moves from one link to another while it is used.

use sidetone_wire::account::Relays;
use sidetone_wire::connect::{Candidate, Description};
use sidetone_wire::encounter::StrangerWord;
use sidetone_wire::record::Record;

use super::Peers;
use crate::cx::{Cx, Fact};
use crate::input::{LinkId, News, PeerId};
use crate::pairing::{Detour, Pairing};

/// What the peer says about the second link.
#[derive(Debug)]
pub(crate) enum Signpost {
    /// Its end.
    Path(Description),
    /// An address of it.
    Candidate(Candidate),
    /// It said its last word on the old link.
    Moved,
}

impl Peers {
    fn pairing(&mut self, who: PeerId) -> Option<&mut Pairing> {
        self.peers.get_mut(&who)?.pairing.as_mut()
    }

    /// Makes a second, direct link beside the one in use: both may learn the other's address. The end that offered the
    /// first begins; the other follows once it was told of it.
    pub fn detour(&mut self, who: PeerId, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        let ours = self.pairing(who).is_some_and(|pairing| pairing.ours);
        if ours {
            self.open_detour(who, lent, cx);
        }
    }

    fn open_detour(&mut self, who: PeerId, lent: Option<&Relays>, cx: &mut Cx<'_>) -> bool {
        let id = LinkId { peer: who, number: self.links.saturating_add(1) };
        let begun = self.pairing(who).is_some_and(|pairing| pairing.begin_detour(id, lent.cloned(), cx));
        if begun {
            self.links = id.number;
        }
        begun
    }

    /// What the peer says of the second link, which both want.
    pub fn signpost(&mut self, who: PeerId, post: Signpost, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        match post {
            Signpost::Path(description) => {
                if self.pairing(who).is_some_and(|pairing| !pairing.ours) {
                    self.open_detour(who, lent, cx);
                }
                if let Some(pairing) = self.pairing(who) {
                    pairing.detour_described(description, cx);
                }
            }
            Signpost::Candidate(candidate) => {
                if let Some(pairing) = self.pairing(who) {
                    pairing.detour_candidate(candidate, cx);
                }
            }
            Signpost::Moved => {
                let now = cx.now.time;
                let early = self.pairing(who).map(|pairing| pairing.they_moved(now)).unwrap_or_default();
                for bytes in early {
                    self.open_record(who, &bytes, cx);
                }
            }
        }
    }

    fn open_record(&mut self, who: PeerId, bytes: &[u8], cx: &mut Cx<'_>) {
        if let Some(pairing) = self.pairing(who) {
            let opened = pairing.open_direct(bytes, cx);
            self.opened(who, opened.map_err(drop), cx);
        }
    }

    /// News of the link beside the one in use.
    pub(super) fn detoured(&mut self, id: LinkId, news: News, cx: &mut Cx<'_>) {
        let who = id.peer;
        let Some(pairing) = self.pairing(who) else { return };
        let opening = matches!(pairing.detour, Detour::Opening { .. });
        match news {
            News::Local(description) if opening => say(who, StrangerWord::Path(description), cx),
            News::Candidate(candidate) if opening => say(who, StrangerWord::PathCandidate(candidate), cx),
            News::Up { route, fingerprint } if opening && pairing.detour_is_sound(fingerprint) => {
                if pairing.take_detour(route, cx).is_err() {
                    return self.lose(who, cx);
                }
                cx.fact(Fact::Moved(who, id, route));
            }
            News::Up { .. } if opening => self.fail_detour(who, cx),
            // What is still said on the old link.
            News::Record(bytes) if !opening => self.open_record(who, &bytes, cx),
            News::Down(_) => self.fail_detour(who, cx),
            _ => {}
        }
    }

    /// A link beside the one in use is gone or took too long.
    fn fail_detour(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        let Some(pairing) = self.pairing(who) else { return };
        match pairing.detour {
            Detour::Opening { they_moved: false, .. } => {
                pairing.end_detour(cx);
                cx.fact(Fact::Unmoved(who));
            }
            Detour::Leaving { .. } => pairing.end_detour(cx),
            // Something was said that will not be heard.
            Detour::Opening { they_moved: true, .. } | Detour::Moving { .. } => self.lose(who, cx),
            Detour::None => {}
        }
    }

    pub(super) fn detour_late(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        self.fail_detour(who, cx);
    }

    /// A record on the link in use: passed on, held until the old link was heard to its end, or one too many.
    pub(super) fn in_turn(&mut self, who: PeerId, bytes: Vec<u8>, cx: &mut Cx<'_>) {
        let Some(pairing) = self.pairing(who) else { return };
        match pairing.hold_early(bytes) {
            Ok(None) => {}
            Ok(Some(bytes)) => self.open_record(who, &bytes, cx),
            Err(()) => self.lose(who, cx),
        }
    }
}

fn say(who: PeerId, word: StrangerWord, cx: &mut Cx<'_>) {
    cx.say(who, Record::Stranger(word));
}
