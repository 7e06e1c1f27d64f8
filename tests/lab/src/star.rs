//! Many namespaces around one.

use std::io;
use std::net::IpAddr;

use crate::{Namespace, Shape, Unavailable, Wire};

/// Whether those at the rim of a [`Star`] reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// Through the hub, over both their wires.
    Routed,
    /// Not at all: each reaches the hub alone.
    Nothing,
}

/// A namespace in the middle and others around it, each joined to it by a wire of its own. A path from rim to rim takes two
/// wires: twice the delay of one, and nearly twice the loss.
#[derive(Debug)]
pub struct Star {
    // Taken away before the namespaces in which they end.
    wires: Vec<Wire>,
    rim: Vec<Namespace>,
    hub: Namespace,
}

impl Star {
    /// Makes one with so many at its rim; every wire has this shape in both directions.
    ///
    /// # Errors
    /// [`Unavailable`] without the devices, programs or rights it takes.
    pub fn new(rim: usize, shape: &Shape, between: Between, seed: u64) -> Result<Self, Unavailable> {
        let hub = Namespace::new()?;
        let forward = if between == Between::Routed { "1" } else { "0" };
        let refused = |error: io::Error| Unavailable::Refused("routing", error.to_string());
        let set = hub.spawn(move || std::fs::write("/proc/sys/net/ipv4/ip_forward", forward)).map_err(refused)?.join();
        set.map_err(|_| refused(io::Error::other("the thread panicked")))?.map_err(refused)?.map_err(refused)?;
        let mut star = Self { wires: Vec::new(), rim: Vec::new(), hub };
        for number in 0..rim {
            let end = Namespace::new()?;
            // Each wire draws for both of its directions.
            let seed = seed.wrapping_add(2 * number as u64);
            star.wires.push(Wire::join(&star.hub, &end, shape, seed)?);
            star.rim.push(end);
        }
        Ok(star)
    }

    /// The namespace in the middle.
    #[must_use]
    pub fn hub(&self) -> &Namespace {
        &self.hub
    }

    /// The address at which everybody reaches the middle.
    ///
    /// # Panics
    /// If there is nobody at the rim.
    #[must_use]
    pub fn middle(&self) -> IpAddr {
        self.wires[0].addresses()[0]
    }

    /// Those at the rim, each with its address.
    pub fn rim(&self) -> impl ExactSizeIterator<Item = (&Namespace, IpAddr)> {
        self.rim.iter().zip(&self.wires).map(|(end, wire)| (end, wire.addresses()[1]))
    }
}
