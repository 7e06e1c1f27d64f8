//! Where a link's sockets stand: the addresses that it goes out from, which a phone takes to another network under it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use tokio::sync::watch;

use super::Bind;

/// The addresses that sockets are opened at from now on, as one end of it was last told.
///
/// The library asks for them whenever it opens sockets: at first, and at each restart, whichever end began that.
#[derive(Debug, Clone)]
pub(super) struct Footing(watch::Sender<Bind>);

impl Footing {
    pub(super) fn new(bind: Bind) -> Self {
        Self(watch::Sender::new(bind))
    }

    /// Sockets that are opened from now on are opened there.
    pub(super) fn set(&self, bind: Bind) {
        self.0.send_replace(bind);
    }
}

impl ToSocketAddrs for Footing {
    type Iter = std::vec::IntoIter<SocketAddr>;

    /// One place each, at a port that the system chooses.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let ips = match &*self.0.borrow() {
            Bind::Everywhere => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            Bind::Only(ips) => ips.clone(),
        };
        let places: Vec<SocketAddr> = ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(places.into_iter())
    }
}
