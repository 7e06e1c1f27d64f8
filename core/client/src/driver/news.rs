//! What links say, on its way to the engine and to those who count.

use sidetone_engine::{Input, LinkId, Network, News};

use super::Driver;
use super::links::FromLink;
use crate::clock;
use crate::convert;
use crate::journal::Phase;
use crate::link;
use crate::store::StoreError;

impl Driver {
    pub(super) fn link(&mut self, id: LinkId, news: FromLink) -> Result<(), StoreError> {
        let news = match news {
            FromLink::Opened(link) => {
                self.inside.receipts.made(id, link.meter());
                self.inside.witness.made(id, link.meter());
                if self.inside.links.opened(id, link).is_err() {
                    self.give_up(id);
                }
                return Ok(());
            }
            FromLink::Failed(error) => {
                tracing::warn!(%error, "a link could not be made");
                link::News::Down(link::DownReason::Broken)
            }
            FromLink::News(news) => news,
        };
        if !self.inside.links.knows(id) {
            return Ok(());
        }
        self.note(id, &news);
        if news == link::News::Interrupted && self.inside.links.is_severed(id) {
            self.pending.push_back(Input::Link(id, News::Severed));
            if let Some(socket) = &self.socket {
                socket.nudge();
            }
        }
        match convert::news(news) {
            Some(news) => self.step(Input::Link(id, news)),
            None => Ok(()),
        }
    }

    fn note(&mut self, id: LinkId, news: &link::News) {
        let inside = &mut self.inside;
        let phase = match news {
            link::News::Local(_) => Phase::Described,
            link::News::Candidate(candidate) => {
                inside.witness.named(id, candidate);
                Phase::Gathered
            }
            link::News::Up { route, .. } | link::News::Route(route) => {
                inside.routes.insert(id, *route);
                inside.witness.routed(id, *route);
                inside.receipts.routed(clock::micros(), id, convert::route(route));
                Phase::LinkUp
            }
            link::News::Record(record) => return inside.links.records().received(record.len()),
            link::News::Down(_) => {
                inside.routes.remove(&id);
                inside.witness.gone(clock::micros(), id);
                inside.receipts.closed(clock::micros(), id, inside.socket.traffic.total());
                return inside.links.gone(id);
            }
            link::News::Ahead { .. } | link::News::Gathered | link::News::Interrupted | link::News::Restored => return,
        };
        if let Some(friend) = id.peer.friend() {
            inside.journal.link(clock::micros(), friend, phase);
        }
    }

    /// The socket proves that it lives, or is made anew; what lost its address is found here, and the rest is decided by the
    /// engine.
    pub(super) fn network(&mut self, network: Network) -> Result<(), StoreError> {
        if let Some(socket) = &self.socket {
            socket.enter(network.addresses.clone());
        }
        self.inside.links.enter(&network);
        let severed = self.inside.links.severed();
        self.step(Input::Network(network, severed))
    }
}
