//! Two phones in two situations, in network namespaces: whether they meet, by which way, and whether they can say why.
//!
//! What should happen follows from the situations alone, by [`truth`]; what does happen is that of the real library, the
//! real server and the real kernel.

use sidetone::connectivity::Cause;

mod page;
mod place;
mod run;

pub use page::{html, json, table};
pub use place::{Place, Together};
pub use run::{Outcome, Watched, exposure, run, watched};

/// What the first phone's user or app allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everything.
    Any,
    /// It shows no address.
    Hides,
    /// No relay.
    DirectOnly,
}

/// Two situations and a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Where the phones are.
    pub places: [Place; 2],
    /// Whether they are behind one router.
    pub together: Together,
    /// What the first allows.
    pub rule: Rule,
}

/// How two phones meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In their local network.
    Lan,
    /// Across networks.
    Direct,
    /// Through a relay over UDP.
    Relayed,
    /// Through a relay over TCP or TLS.
    RelayedTcp,
    /// Not at all.
    Fails,
}

/// What should happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// The cheapest way that the rule allows.
    pub way: Way,
    /// What each phone should name as the cause.
    pub causes: [Cause; 2],
}

/// Every pair that is tried.
#[must_use]
pub fn cells() -> Vec<Cell> {
    use Place::{Captive, Double, Dual, Full, NoUdp, Only443, Open, PortRestricted, Restricted, Six, Symmetric};
    let apart = |one, other| Cell { places: [one, other], together: Together::Apart, rule: Rule::Any };
    let routers = [Open, Full, Restricted, PortRestricted, Symmetric, Double];
    let pairs = routers.iter().enumerate().flat_map(|(at, one)| routers[at..].iter().map(move |other| (*one, *other)));
    let mut cells: Vec<Cell> = pairs.map(|(one, other)| apart(one, other)).collect();
    cells.extend([Open, PortRestricted, Symmetric, NoUdp].map(|other| apart(NoUdp, other)));
    cells.extend([Open, Symmetric, NoUdp, Only443].map(|other| apart(Only443, other)));
    cells.extend([Six, Dual, Open, PortRestricted, NoUdp].map(|other| apart(Six, other)));
    cells.extend([Dual, Open, Symmetric].map(|other| apart(Dual, other)));
    cells.extend([Open, PortRestricted].map(|other| apart(Captive, other)));
    let home = |together| Cell { together, ..apart(PortRestricted, PortRestricted) };
    cells.extend([Together::Neighbours, Together::Hairpin, Together::Strangers].map(home));
    let ruled = |rule, one, other| Cell { rule, ..apart(one, other) };
    cells.extend([(Open, Open), (PortRestricted, Double), (Symmetric, Open)].map(|(a, b)| ruled(Rule::Hides, a, b)));
    cells.extend([(Open, Full), (Symmetric, Symmetric)].map(|(a, b)| ruled(Rule::DirectOnly, a, b)));
    cells
}

/// A few of them, of every kind that ends soon.
#[must_use]
pub fn smoke() -> Vec<Cell> {
    let soon = [
        (Place::Open, Place::Symmetric, Rule::Any),
        (Place::PortRestricted, Place::Double, Rule::Any),
        (Place::PortRestricted, Place::Symmetric, Rule::Any),
        (Place::Six, Place::Dual, Rule::Any),
        (Place::Only443, Place::Open, Rule::Any),
        (Place::Captive, Place::Open, Rule::Any),
        (Place::Open, Place::Open, Rule::Hides),
    ];
    let is_soon = |cell: &Cell| soon.contains(&(cell.places[0], cell.places[1], cell.rule));
    let together = |cell: &Cell| matches!(cell.together, Together::Neighbours | Together::Hairpin);
    cells().into_iter().filter(|cell| is_soon(cell) && cell.together == Together::Apart || together(cell)).collect()
}

/// What should happen in a cell.
#[must_use]
pub fn truth(cell: &Cell) -> Truth {
    let [one, other] = cell.places;
    let nothing = [Cause::None; 2];
    if one == Place::Captive {
        return Truth { way: Way::Fails, causes: [Cause::Captive, Cause::PeerAway] };
    }
    match cell.together {
        Together::Neighbours => return Truth { way: Way::Lan, causes: nothing },
        Together::Hairpin => return Truth { way: Way::Direct, causes: nothing },
        Together::Strangers => return Truth { way: Way::Relayed, causes: [Cause::Routers; 2] },
        Together::Apart => {}
    }
    if cell.rule == Rule::Hides {
        return Truth { way: Way::Relayed, causes: [Cause::WeHide, Cause::TheyHide] };
    }
    if one.meets(other) {
        return Truth { way: Way::Direct, causes: nothing };
    }
    let causes = if one.is_apart(other) {
        [Cause::NoCommonFamily; 2]
    } else {
        [(one, other), (other, one)].map(|(us, them)| match (us.lets_udp(), them.lets_udp()) {
            (false, _) => Cause::UdpBlockedHere,
            (true, false) => Cause::UdpBlockedThere,
            (true, true) => Cause::Routers,
        })
    };
    if cell.rule == Rule::DirectOnly {
        return Truth { way: Way::Fails, causes: [Cause::RelayForbidden, causes[1]] };
    }
    let over_udp = [one, other].iter().all(|place| place.lets_udp() && *place != Place::Six);
    Truth { way: if over_udp { Way::Relayed } else { Way::RelayedTcp }, causes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_forty_pairs_are_tried_and_no_pair_twice() {
        let cells = cells();
        assert!(cells.len() >= 40, "{}", cells.len());
        assert!(cells.iter().enumerate().all(|(at, cell)| !cells[..at].contains(cell)));
        assert_eq!(smoke().len(), 9);
        for way in [Way::Lan, Way::Direct, Way::Relayed, Way::RelayedTcp, Way::Fails] {
            assert!(cells.iter().any(|cell| truth(cell).way == way), "{way:?}");
        }
    }
}
