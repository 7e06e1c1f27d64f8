//! The network that a phone is in, as its system says, and what follows from another one.

use std::net::IpAddr;

use crate::cx::Cx;
use crate::effect::Event;
use crate::time::Time;

/// A link that lost its address so long after the app spoke of a network lost it by that.
const TOLD_MS: u64 = 10_000;

/// The network that a phone is in: a snapshot, as the system's own report of its default network gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// What it is.
    pub kind: NetworkKind,
    /// Whether its bytes cost money.
    pub metered: bool,
    /// This phone's addresses in it, if the system tells them: links that are made from now on use these and no other.
    pub addresses: Vec<IpAddr>,
}

impl Network {
    /// A network of which no more is known than what it is.
    pub fn of(kind: NetworkKind) -> Self {
        Self { kind, metered: kind == NetworkKind::Mobile, addresses: Vec::new() }
    }
}

/// What a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// There is none: airplane mode, or no reception.
    None,
    /// Wi-Fi.
    Wifi,
    /// A mobile network.
    Mobile,
    /// A cable.
    Wired,
    /// Some other, or not known.
    Other,
}

/// What a report of the network asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is no network: what was up is out of reach.
    Off,
    /// It is another one: links move, before the old one goes.
    Other,
    /// It is the same as before: only what lost its address moves.
    Same,
}

/// What is known of the network.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    network: Option<Network>,
    told: Option<Time>,
    warned: bool,
}

impl Reception {
    /// The app speaks of a network.
    pub fn told(&mut self, network: Network, now: Time) -> Turn {
        (self.told, self.warned) = (Some(now), false);
        let turn = match &self.network {
            _ if network.kind == NetworkKind::None => Turn::Off,
            Some(before) if *before == network => Turn::Same,
            _ => Turn::Other,
        };
        self.network = Some(network);
        turn
    }

    /// A link lost its address. If the app said nothing of it, it is told that it should have, once.
    pub fn severed(&mut self, cx: &mut Cx<'_>) {
        let told = self.told.is_some_and(|told| cx.now.time.since(told) < TOLD_MS);
        if !told && !self.warned {
            self.warned = true;
            cx.tell(Event::NetworkUntold);
        }
    }

    /// Whether there is no network, as far as the app said.
    pub fn is_off(&self) -> bool {
        self.network.as_ref().is_some_and(|network| network.kind == NetworkKind::None)
    }

    /// What the app last said.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }
}
