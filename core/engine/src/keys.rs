//! As whom we meet a peer, and how we know it: what a handshake is made of.

use sidetone_crypto::handshake::Pattern;
use sidetone_crypto::identity::{Identity, PublicKey};
use sidetone_wire::id::{MemberId, PairingId, UserId};
use zeroize::Zeroizing;

use crate::input::PeerId;

/// As whom we meet a peer.
#[derive(Clone, Copy)]
pub(crate) enum Us<'a> {
    /// As an account, whose friends have its key pinned.
    Account(UserId, &'a Identity),
    /// As one of a match.
    Stranger {
        /// Whether we say the first word.
        first: bool,
    },
    /// As a member of a room.
    Member {
        /// Our stay there.
        id: MemberId,
        /// The identity we show there.
        own: &'a Identity,
        /// What only those with the room's secret, its terms and its creator's key can compute.
        psk: &'a [u8; 32],
        /// The same of the room's secrets before this one, the newest first: for those who do not know this one yet.
        past: &'a [Zeroizing<[u8; 32]>],
        /// The room's terms, as they are bound into its key.
        terms: &'a [u8],
    },
}

/// How a peer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// By this key.
    Pinned(PublicKey),
    /// By a secret that both hold: its key is shown in the handshake.
    Shared,
    /// By nothing: whoever answers may be anybody.
    Nothing,
}

impl Trust {
    /// The key that a peer must have.
    pub fn key(self) -> Option<PublicKey> {
        match self {
            Self::Pinned(key) => Some(key),
            Self::Shared | Self::Nothing => None,
        }
    }
}

/// Which secret of a room a session was agreed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    /// The one that holds, or none: a friend.
    Present,
    /// One of before: its other end has shown that it was let in once, if its key is known.
    Past,
}

/// Who said the first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opener {
    /// We did.
    Us,
    /// They did.
    Them,
}

impl<'a> Us<'a> {
    /// The keys of a handshake; `None` if a peer known in this way is not met as whom we are.
    pub fn pattern(self, trust: Trust) -> Option<Pattern<'a>> {
        match (self, trust) {
            (Self::Account(_, own), Trust::Pinned(peer)) => Some(Pattern::Friends { own, peer }),
            (Self::Member { own, psk, .. }, Trust::Shared) => Some(Pattern::Room { own, psk }),
            (Self::Stranger { .. }, Trust::Nothing) => Some(Pattern::Strangers),
            _ => None,
        }
    }

    /// Every way in which somebody who speaks first may be met, the best first.
    pub fn patterns(self, trust: Trust) -> impl Iterator<Item = (Pattern<'a>, Under)> {
        let past = match (self, trust) {
            (Self::Member { own, past, .. }, Trust::Shared) => Some((own, past)),
            _ => None,
        };
        let older = past.into_iter().flat_map(|(own, past)| past.iter().map(move |psk| Pattern::Room { own, psk }));
        let present = self.pattern(trust).into_iter().map(|pattern| (pattern, Under::Present));
        present.chain(older.map(|pattern| (pattern, Under::Past)))
    }

    /// What both ends must agree on before they can agree on anything else; `None` as above.
    pub fn prologue(self, pairing: PairingId, peer: PeerId, opener: Opener) -> Option<Vec<u8>> {
        let (label, ours, theirs, more): (&[u8], _, _, Vec<u8>) = match (self, peer) {
            (Self::Account(us, _), PeerId::Friend(peer)) => (b"sidetone friends v1", us.0, peer.0, Vec::new()),
            (Self::Member { id, terms, .. }, PeerId::Member(room, peer)) => {
                (b"sidetone room v1", id.0, peer.0, [room.as_bytes(), terms].concat())
            }
            (Self::Stranger { first }, PeerId::Stranger(id)) => {
                (b"sidetone strangers v1", side(first), side(!first), id.as_bytes().to_vec())
            }
            _ => return None,
        };
        let (initiator, responder) = if opener == Opener::Us { (ours, theirs) } else { (theirs, ours) };
        Some([label, pairing.as_bytes(), &initiator, &responder, &more].concat())
    }

    /// Whether our hello goes on when both said one at once: the one of the smaller id.
    pub fn goes_on(self, peer: PeerId) -> bool {
        match (self, peer) {
            (Self::Account(us, _), PeerId::Friend(peer)) => us < peer,
            (Self::Member { id, .. }, PeerId::Member(_, peer)) => id < peer,
            (Self::Stranger { first }, PeerId::Stranger(_)) => first,
            _ => false,
        }
    }
}

/// What stands for one of a match in a prologue: there is nothing else that names it.
fn side(first: bool) -> [u8; 16] {
    [if first { 1 } else { 2 }; 16]
}
