//! What stands between phones: routers that translate addresses, and packets that are lost.

use std::collections::BTreeMap;

use sidetone_engine::{Protocol, Reach, Relay, Route, Ways};

use super::{Dice, PhoneId};

/// What is lost is said again after this.
const AGAIN_MS: u64 = 200;
/// More often than that nothing is lost in a row.
const IN_A_ROW: u64 = 20;

/// What a phone's network does to whoever wants to reach it directly; words as in RFC 4787.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nat {
    /// It is in one network with the others.
    #[default]
    Lan,
    /// It has an address of its own.
    Open,
    /// One address for whomever it talks to, which lets in whom it has written to: routers at home.
    Home,
    /// Another address for everybody it talks to: nobody can know it before. Many mobile networks.
    Symmetric,
    /// Only a relay over TLS is reached: some offices and hotels.
    Blocked,
}

impl Nat {
    /// Whether phones behind these find a way without a relay.
    fn meets(self, other: Self) -> bool {
        !matches!(
            (self, other),
            (Self::Blocked, _)
                | (_, Self::Blocked)
                | (Self::Symmetric, Self::Symmetric | Self::Home)
                | (Self::Home, Self::Symmetric)
        )
    }
}

/// What is between the phones of a world.
#[derive(Debug, Default)]
pub struct Between {
    /// Where each phone is; in one network with the others if it is not said.
    pub nats: BTreeMap<PhoneId, Nat>,
    /// There are no relays.
    pub relays_down: bool,
    /// One packet in so many is lost; 0 for none.
    pub loss_one_in: u64,
}

impl Between {
    /// How two phones reach each other, as each of them sees it; nothing if they do not.
    pub(super) fn route(&self, (one, ways): (PhoneId, Ways), (other, theirs): (PhoneId, Ways)) -> Option<[Route; 2]> {
        let nat = |phone: &PhoneId| self.nats.get(phone).copied().unwrap_or_default();
        let (a, b) = (nat(&one), nat(&other));
        let hidden = |ways| ways == Ways::RelayOnly;
        if (a, b) == (Nat::Lan, Nat::Lan) {
            let relayed = hidden(ways) || hidden(theirs);
            return Some(
                [if relayed { Route::Relayed(Relay::Both, Protocol::Udp) } else { Route::Direct(Reach::Lan) }; 2],
            );
        }
        if a.meets(b) && !hidden(ways) && !hidden(theirs) {
            return Some([Route::Direct(Reach::Internet); 2]);
        }
        if self.relays_down || ways == Ways::DirectOnly || theirs == Ways::DirectOnly {
            return None;
        }
        let hard = |nat| matches!(nat, Nat::Symmetric | Nat::Blocked);
        // Whoever cannot be reached stands behind a relay of its own.
        Some(match (hard(a) || hidden(ways), hard(b) || hidden(theirs)) {
            (true, false) => [Route::Relayed(Relay::Us, Protocol::Udp), Route::Relayed(Relay::Them, Protocol::Udp)],
            (false, true) => [Route::Relayed(Relay::Them, Protocol::Udp), Route::Relayed(Relay::Us, Protocol::Udp)],
            _ => [Route::Relayed(Relay::Both, Protocol::Udp); 2],
        })
    }

    /// How much later something arrives that is said again until it does.
    pub(super) fn delay(&self, dice: &mut Dice) -> u64 {
        let lost = (0..IN_A_ROW).take_while(|_| self.loses(dice)).count() as u64;
        lost * AGAIN_MS
    }

    /// Whether a packet is lost.
    pub(super) fn loses(&self, dice: &mut Dice) -> bool {
        self.loss_one_in > 0 && dice.one_in(self.loss_one_in)
    }
}
