//! Which ways links take: by what is wanted of a peer, what may be shown to it, and which network the phone is in.

use sidetone_wire::account::Relays;
use sidetone_wire::id::UserId;
use sidetone_wire::path::PathWord;

use super::Engine;
use crate::cx::Cx;
use crate::effect::Ways;
use crate::input::{Addresses, LinkId, News, PeerId};
use crate::keys::Trust;
use crate::network::Network;
use crate::peers::Wish;
use crate::ring::Need;
use crate::rooms::Rooms;
use crate::strangers::Strangers;

impl Engine {
    pub(super) fn link_news(&mut self, link: LinkId, news: News, cx: &mut Cx<'_>) {
        if matches!(news, News::Severed) {
            self.reception.severed(cx);
            // There is nowhere to look for a path: that is done once the app says that there is a network.
            if self.reception.is_off() {
                return;
            }
        }
        self.peers.news(link, news, cx);
    }

    pub(super) fn network_changed(&mut self, network: Network, severed: &[LinkId], cx: &mut Cx<'_>) {
        let turn = self.reception.told(network, cx.now.time);
        for peer in self.peers.network(turn, severed, cx) {
            let wish = self.wish(peer);
            self.peers.hand_over(peer, wish, lent(&self.rooms, &self.strangers, peer), cx);
        }
    }

    pub(super) fn path_word(&mut self, peer: PeerId, word: PathWord, cx: &mut Cx<'_>) {
        let wish = self.wish(peer);
        self.peers.path_word(peer, word, wish, lent(&self.rooms, &self.strangers, peer), cx);
    }

    pub(super) fn wish(&self, peer: PeerId) -> Wish {
        match peer {
            PeerId::Friend(user) => self.wish_of_friend(user),
            PeerId::Member(room, member) => self.rooms.wish(room, member, self.meeting.is_open()),
            PeerId::Stranger(id) => self.strangers.wish(id, self.meeting.is_open()),
        }
    }

    fn wish_of_friend(&self, peer: UserId) -> Wish {
        let need = self.calls.need(peer.into());
        let online = self.roster.is_online(peer);
        let items = online && (self.chats.has_items(peer) || self.transfers.wants(peer));
        let hides = match self.roster.addresses(peer).unwrap_or(self.preferences.addresses) {
            Addresses::Direct => false,
            Addresses::RelayUntilAccepted => need != Need::Link,
            Addresses::RelayUntilVerified => !self.roster.is_verified(peer),
            Addresses::Never => true,
        };
        let ways = if hides { Ways::RelayOnly } else { Ways::Preferred };
        let ours = self.account.ourselves().is_some();
        Wish {
            session: need != Need::Nothing,
            link: ours && (need == Need::Link || items && need == Need::Nothing),
            // While it rings not even a relay's address is shown: that somebody is there is said by answering.
            consent: need != Need::Session,
            trust: self.roster.trusted(peer).map(Trust::Pinned),
            ways,
            detour: (need != Need::Session).then_some(ways),
            reachable: ours && self.meeting.is_open() && (online || need != Need::Nothing),
        }
    }

    /// The network that this phone is in, as the app last said.
    pub fn network(&self) -> Option<&Network> {
        self.reception.network()
    }
}

/// The relays that the server lent for a room or a match.
pub(super) fn lent<'a>(rooms: &'a Rooms, strangers: &'a Strangers, peer: PeerId) -> Option<&'a Relays> {
    match peer {
        PeerId::Friend(_) => None,
        PeerId::Member(..) => rooms.relays(peer),
        PeerId::Stranger(id) => strangers.relays(id),
    }
}
