//! What a client did, in numbers.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sidetone_engine::{PeerId, Route};

use crate::convert;
use crate::driver::Inside;
use crate::journal::CallSetup;
use crate::link;
use crate::media::SoundFigures;

/// Bytes each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes {
    /// From here.
    pub sent: u64,
    /// To here.
    pub received: u64,
}

/// Chunks of files each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chunks {
    /// From here.
    pub sent: u64,
    /// To here.
    pub received: u64,
}

/// How one link travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkRoute {
    /// To whom.
    pub peer: PeerId,
    /// How.
    pub route: Route,
    /// Round-trip time when this route was chosen.
    pub rtt: Duration,
}

/// What a client did since it was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diagnostics {
    /// Bytes to and from the server's websocket: below TLS, above TCP.
    pub signaling: Bytes,
    /// Sockets to the server that were opened.
    pub sockets: u64,
    /// Messages of the server that were no frame.
    pub malformed_frames: u64,
    /// Bytes of records to and from peers, sealed, without what the link adds.
    pub records: Bytes,
    /// What friends said and an honest phone would not say.
    pub refused_items: u64,
    /// Bytes of UDP payload that the links there are have sent, without files over QUIC.
    pub links_sent: u64,
    /// The links there are.
    pub links: Vec<LinkRoute>,
    /// The sound of the call that is on, or of the last one.
    pub sound: SoundFigures,
    /// Chunks of files, of 16 KiB each, that were handed to links and that came, were opened and written.
    pub file_chunks: Chunks,
    /// How the last calls came about, newest first.
    pub calls: Vec<CallSetup>,
}

impl Diagnostics {
    /// The numbers now.
    pub(crate) fn of(inside: &Inside) -> Self {
        let bytes = |(sent, received)| Bytes { sent, received };
        let rtt = |route: &link::Route| match route {
            link::Route::Direct { rtt, .. } | link::Route::Relayed { rtt, .. } => *rtt,
        };
        let links = inside.routes.iter();
        Self {
            signaling: bytes(inside.socket.traffic.total()),
            sockets: inside.socket.opened.load(Relaxed),
            malformed_frames: inside.socket.malformed.load(Relaxed),
            records: bytes(inside.links.records().total()),
            refused_items: inside.engine.refused(),
            links_sent: inside.links.bytes_sent(),
            links: links
                .map(|(id, route)| LinkRoute { peer: id.peer, route: convert::route(route), rtt: rtt(route) })
                .collect(),
            sound: inside.media.figures().snapshot(),
            file_chunks: Chunks {
                sent: inside.files.counts().sent.load(Relaxed),
                received: inside.files.counts().taken.load(Relaxed),
            },
            calls: inside.journal.calls(),
        }
    }
}
