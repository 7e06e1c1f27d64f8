//! What links do when the phone comes into another network.

use sidetone_wire::account::Relays;

use super::{Peers, RETRY_MS, Wish};
use crate::cx::{Cx, Fact};
use crate::effect::{Effect, Order};
use crate::input::{LinkId, PeerId};
use crate::network::Turn;
use crate::pairing::{Detour, Link};

/// What one peer's links have to do with a change of network.
enum Lot {
    /// The one in use is out of reach, and stays so until there is a network.
    Cut,
    /// Its address is gone: it looks for a new path with all that is under way on it.
    Restarts(LinkId),
    /// It still works: another is made beside it.
    Moves,
    /// It was not up yet, or the server forgot the session by which another path would be agreed on: it is made anew.
    Lost,
}

impl Peers {
    /// The phone is in another network, or its network is back; these links lost the address they went out from.
    pub fn network(&mut self, turn: Turn, severed: &[LinkId], cx: &mut Cx<'_>) -> Vec<PeerId> {
        // What failed in another network says nothing of this one.
        if turn != Turn::Off {
            let soon = cx.now.time.after(RETRY_MS);
            for peer in self.peers.values_mut() {
                (peer.failures, peer.retry) = (0, peer.retry.map(|retry| retry.min(soon)));
            }
        }
        let lots: Vec<(PeerId, Lot)> =
            self.peers.keys().filter_map(|who| Some((*who, self.lot(*who, turn, severed)?))).collect();
        let mut moving = Vec::new();
        for (who, lot) in lots {
            match lot {
                Lot::Cut => self.interrupt(who, cx),
                Lot::Restarts(link) => self.restart(link, cx),
                Lot::Moves => moving.push(who),
                Lot::Lost => self.lose(who, cx),
            }
        }
        moving
    }

    fn lot(&self, who: PeerId, turn: Turn, severed: &[LinkId]) -> Option<Lot> {
        let pairing = self.peers.get(&who)?.pairing.as_ref()?;
        match (&pairing.link, turn) {
            (Link::None, _) => None,
            (Link::Opening { id, .. }, _) => severed.contains(id).then_some(Lot::Lost),
            (Link::Up { .. }, Turn::Off) => Some(Lot::Cut),
            // The other end's last word on the link before is waited for in vain.
            _ if matches!(&pairing.detour, Detour::Moving { old, .. } if severed.contains(old)) => Some(Lot::Lost),
            (Link::Up { id, .. }, _) if pairing.silent || severed.contains(id) => {
                Some(if pairing.has_signal() { Lot::Restarts(*id) } else { Lot::Lost })
            }
            (Link::Up { .. }, Turn::Same) => None,
            // Only of friends' sessions does anything more than records and sound move.
            (Link::Up { id, .. }, Turn::Other) if who.friend().is_none() => Some(Lot::Restarts(*id)),
            (Link::Up { .. }, Turn::Other) => Some(Lot::Moves),
        }
    }

    /// Makes a link beside the one in use, in the new network.
    pub fn hand_over(&mut self, who: PeerId, wish: Wish, lent: Option<&Relays>, cx: &mut Cx<'_>) {
        let Some(ways) = wish.detour else { return };
        // One that was begun in the network before is of no use.
        if let Some(pairing) = self.pairing(who)
            && matches!(pairing.detour, Detour::Opening { they_moved: false, .. })
        {
            pairing.end_detour(cx);
        }
        self.detour(who, ways, lent, cx);
    }

    /// A link noticed by itself that its address is gone.
    pub(super) fn severed(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        match self.pairing(id.peer).is_some_and(|pairing| pairing.has_signal()) {
            true => self.restart(id, cx),
            false => self.lose(id.peer, cx),
        }
    }

    /// Another path is looked for. What is said of a second link would not be heard until it is found, and the second link
    /// is of use no more then; one that the other end speaks on already cannot be done without.
    fn restart(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let who = id.peer;
        self.interrupt(who, cx);
        let Some(pairing) = self.pairing(who) else { return };
        match pairing.detour {
            Detour::Opening { they_moved: true, .. } => return self.lose(who, cx),
            Detour::Opening { they_moved: false, .. } => pairing.end_detour(cx),
            Detour::None | Detour::Moving { .. } | Detour::Leaving { .. } => {}
        }
        cx.effect(Effect::Link(id, Order::Restart));
    }

    fn interrupt(&mut self, who: PeerId, cx: &mut Cx<'_>) {
        if let Some(pairing) = self.pairing(who)
            && !std::mem::replace(&mut pairing.silent, true)
        {
            cx.fact(Fact::Interrupted(who));
        }
    }
}
