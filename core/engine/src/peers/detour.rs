//! How a session moves from one link to another while it is used.

use sidetone_wire::account::{Empty, Relays};
use sidetone_wire::path::PathWord;
use sidetone_wire::record::Record;

use super::{Peers, Wish};
use crate::cx::{Cx, Fact};
use crate::effect::Ways;
use crate::input::{LinkId, News, PeerId, Route};
use crate::pairing::{Detour, Link, Pairing};

impl Peers {
    pub(super) fn pairing(&mut self, who: PeerId) -> Option<&mut Pairing> {
        self.peers.get_mut(&who)?.pairing.as_mut()
    }

    /// Makes a second link beside the one in use. The end that offered the first begins; the other follows once it was told
    /// of it, or asks for it.
    pub fn detour(&mut self, who: PeerId, ways: Ways, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        let Some(ours) = self.pairing(who).map(|pairing| pairing.ours) else { return };
        match ours {
            true => drop(self.open_detour(who, ways, lent, cx)),
            false => say(who, PathWord::Wanted(Empty::default()), cx),
        }
    }

    fn open_detour(&mut self, who: PeerId, ways: Ways, lent: Option<&Relays>, cx: &mut Cx<'_>) -> bool {
        let id = LinkId { peer: who, number: self.links.saturating_add(1) };
        let relays = self.relays_for(who, lent);
        let begun = self.pairing(who).is_some_and(|pairing| pairing.begin_detour(id, relays, ways, cx));
        if begun {
            self.links = id.number;
        }
        begun
    }

    /// What the peer says of a second link. Without our wish for one only the end of one is of interest.
    pub fn path_word(&mut self, who: PeerId, word: PathWord, wish: Wish, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        let ours = self.pairing(who).is_some_and(|pairing| pairing.ours);
        match (word, wish.detour) {
            (PathWord::Moved(_), _) => {
                let now = cx.now.time;
                match self.pairing(who).map(|pairing| pairing.they_moved(now)) {
                    Some(Ok(early)) => early.iter().for_each(|bytes| self.open_record(who, bytes, cx)),
                    Some(Err(())) => self.lose(who, cx),
                    None => {}
                }
            }
            (PathWord::End(description), Some(ways)) => {
                if !ours {
                    self.open_detour(who, ways, lent, cx);
                }
                if let Some(pairing) = self.pairing(who) {
                    pairing.detour_described(description, cx);
                }
            }
            (PathWord::Candidate(candidate), Some(_)) => {
                if let Some(pairing) = self.pairing(who) {
                    pairing.detour_candidate(candidate, cx);
                }
            }
            (PathWord::Wanted(_), Some(ways)) if ours => drop(self.open_detour(who, ways, lent, cx)),
            (PathWord::Willing(_), _) => {
                if let Some(pairing) = self.pairing(who) {
                    pairing.willing.theirs = true;
                }
            }
            _ => {}
        }
    }

    /// Both ends hid at first and need not any more: a second, direct link takes the place of the relayed one.
    pub(super) fn unveil(&mut self, who: PeerId, wish: Wish, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        let Some(pairing) = self.pairing(who) else { return };
        let relayed = matches!(pairing.link, Link::Up { route: Route::Relayed(..), .. });
        let hid = pairing.ways == Ways::RelayOnly || pairing.willing.theirs;
        if !relayed || !hid || wish.detour != Some(Ways::Preferred) {
            return;
        }
        if !std::mem::replace(&mut pairing.willing.ours, true) {
            say(who, PathWord::Willing(Empty::default()), cx);
        }
        if pairing.willing.theirs && pairing.ours && !pairing.willing.tried {
            pairing.willing.tried = true;
            self.open_detour(who, Ways::DirectOnly, lent, cx);
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
            News::Local(description) if opening => say(who, PathWord::End(description), cx),
            News::Candidate(candidate) if opening => say(who, PathWord::Candidate(candidate), cx),
            // Our last word on a link on which nothing passes would not be heard: another path is looked for on that one.
            News::Up { route, fingerprint } if opening && !pairing.silent && pairing.detour_is_sound(fingerprint) => {
                if pairing.take_detour(route, cx).is_err() {
                    return self.lose(who, cx);
                }
                cx.fact(Fact::Moved(who, id, route));
            }
            News::Up { .. } if opening => self.fail_detour(who, cx),
            // What is still said on the old link.
            News::Record(bytes) if !opening => self.open_record(who, &bytes, cx),
            News::Down(_) => self.fail_detour(who, cx),
            // The other end's last word on it is waited for in vain.
            News::Interrupted | News::Severed if matches!(pairing.detour, Detour::Moving { .. }) => self.lose(who, cx),
            _ => {}
        }
    }

    /// A link beside the one in use is gone or took too long.
    fn fail_detour(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        let Some(pairing) = self.pairing(who) else { return };
        match pairing.detour {
            Detour::Opening { they_moved: false, .. } => {
                pairing.end_detour(cx);
                pairing.willing.tried &= !pairing.silent;
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

fn say(who: PeerId, word: PathWord, cx: &mut Cx<'_>) {
    cx.say(who, Record::Path(word));
}
