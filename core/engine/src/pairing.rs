//! One session with one peer: its two record channels, and the link that one of them runs over.

use sidetone_crypto::handshake::Session;
use sidetone_crypto::identity::PublicKey;
use sidetone_crypto::record::{Channel, Opened, RecordError};
use sidetone_wire::account::{Relays, Request};
use sidetone_wire::connect::{Candidate, Description};
use sidetone_wire::envelope::{Class, Envelope, Part, Sealed};
use sidetone_wire::id::{Fingerprint, PairingId};
use sidetone_wire::limits::CANDIDATES;
use sidetone_wire::record::{CallWord, Record, Word};
use sidetone_wire::room::RoomEnvelope;
use sidetone_wire::stranger::StrangerEnvelope;
use zeroize::Zeroizing;

use crate::cx::{Cx, Purpose};
use crate::effect::{Effect, Keys, Order, Role, Ways};
use crate::input::{LinkId, PeerId, Route};
use crate::keys::Under;
use crate::time::Time;

mod detour;

pub(crate) use detour::Detour;

/// A link that is not up by then is given up.
const OPEN_MS: u64 = 30_000;
/// A link that is not up by then found no way so far: that is said, and looking goes on.
const HOPE_MS: u64 = 15_000;

pub(crate) struct Pairing {
    pub id: PairingId,
    peer: PeerId,
    /// The key that the handshake proved.
    pub key: Option<PublicKey>,
    /// Which secret of a room it was agreed under.
    pub under: Under,
    /// Whether our hello made it: then we offer the link, and start the epochs.
    pub ours: bool,
    /// The channel through the server; gone when the server lost something.
    signal: Option<Channel>,
    direct: Channel,
    pub link: Link,
    /// What the peer said of its end before we may open ours.
    held: Held,
    /// The certificate that the peer announced.
    certificate: Option<Fingerprint>,
    /// Somebody has something for the other and asked for a link.
    pub wanted: bool,
    /// When we last asked the peer to open one.
    pub asked: Option<Time>,
    /// When it was last of use.
    pub used: Time,
    /// Names the session at both ends; not secret.
    pub hash: [u8; 32],
    /// What proves in a later session to have been in this one.
    pub same: Zeroizing<[u8; 32]>,
    /// Another link of the same session, on its way to take the place of the one in use.
    pub detour: Detour,
    /// Which ways the link in use may take.
    pub ways: Ways,
    /// Nothing is heard on it, or nothing can be.
    pub silent: bool,
    /// Whether each end lets the other learn its address, where it did not at first.
    pub willing: Willing,
}

/// Who lets whom learn an address in mid-session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Willing {
    /// We said so.
    pub ours: bool,
    /// They did.
    pub theirs: bool,
    /// It was tried on this link.
    pub tried: bool,
}

pub(crate) enum Link {
    None,
    /// `hope` is until when it need not be said that there is no way; `ahead` is whether it carries records already.
    Opening {
        id: LinkId,
        ahead: bool,
        hope: Option<Time>,
        until: Time,
    },
    Up {
        id: LinkId,
        route: Route,
    },
}

#[derive(Default)]
struct Held {
    description: Option<Description>,
    candidates: Vec<Candidate>,
}

/// Which way a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Signal,
    Direct,
}

impl Pairing {
    pub fn new(id: PairingId, peer: PeerId, ours: bool, key: Option<PublicKey>, session: Session, now: Time) -> Self {
        let (hash, same) = (session.hash(), session.exporter(b"same"));
        let channels = session.channels();
        Self {
            id,
            peer,
            key,
            under: Under::Present,
            ours,
            signal: Some(channels.signal),
            direct: channels.direct,
            link: Link::None,
            held: Held::default(),
            certificate: None,
            wanted: false,
            asked: None,
            used: now,
            hash,
            same,
            detour: Detour::None,
            ways: Ways::Preferred,
            silent: false,
            willing: Willing::default(),
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Whether the link carries records.
    fn is_ahead(&self) -> bool {
        self.is_up() || matches!(self.link, Link::Opening { ahead: true, .. })
    }

    pub fn link_id(&self) -> Option<LinkId> {
        match self.link {
            Link::None => None,
            Link::Opening { id, .. } | Link::Up { id, .. } => Some(id),
        }
    }

    /// Nothing that goes through the server is in order any more. Whether the pairing is still of use.
    pub fn lose_signal(&mut self) -> bool {
        self.signal = None;
        // Of a silent link another path can only be agreed on through the server.
        self.is_up() && !self.silent
    }

    /// Whether something can be said through the server.
    pub fn has_signal(&self) -> bool {
        self.signal.is_some()
    }

    /// Seals a record and sends it by the best way. An error ends the pairing.
    pub fn say(&mut self, record: &Record, cx: &mut Cx<'_>) -> Result<(), RecordError> {
        let connecting = matches!(record, Record::Connect(_) | Record::Candidate(_));
        let direct = self.is_ahead() && (!connecting || self.signal.is_none());
        let path = if direct { Path::Direct } else { Path::Signal };
        if !matches!(record, Record::Typing(_)) {
            self.used = cx.now.time;
        }
        let bytes = record.to_bytes().map_err(|_| RecordError::TooLong)?;
        let sealed = self.channel(path)?.seal(cx.now.time.0, &bytes)?;
        self.send(path, sealed, class(record), cx)?;
        self.rekey(path, cx)
    }

    /// Opens a record that came through the server.
    pub fn open_signal(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> Result<Option<Record>, RecordError> {
        self.open(Path::Signal, bytes, cx)
    }

    /// Opens a record that came over the link.
    pub fn open_direct(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> Result<Option<Record>, RecordError> {
        self.open(Path::Direct, bytes, cx)
    }

    fn open(&mut self, path: Path, bytes: &[u8], cx: &mut Cx<'_>) -> Result<Option<Record>, RecordError> {
        let seed = cx.roll();
        let opened = self.channel(path)?.open(cx.now.time.0, seed, bytes)?;
        let record = match opened {
            Opened::Rekey(reply) => {
                self.send(path, reply, Class::Control, cx)?;
                cx.effect(Effect::Keyed(self.peer, Keys::Records));
                None
            }
            Opened::Rekeyed => {
                cx.effect(Effect::Keyed(self.peer, Keys::Records));
                None
            }
            Opened::Data(clear) => {
                self.used = cx.now.time;
                // A kind that we do not know comes from a newer version: skipped. Anything else malformed as well: the
                // channel is whole, and its peer can only harm itself.
                Record::from_bytes(&clear).ok()
            }
        };
        self.rekey(path, cx)?;
        Ok(record)
    }

    fn channel(&mut self, path: Path) -> Result<&mut Channel, RecordError> {
        match path {
            Path::Direct => Ok(&mut self.direct),
            Path::Signal => self.signal.as_mut().ok_or(RecordError::Dead),
        }
    }

    fn rekey(&mut self, path: Path, cx: &mut Cx<'_>) -> Result<(), RecordError> {
        let now = cx.now.time.0;
        let channel = self.channel(path)?;
        if !channel.rekey_due(now) {
            return Ok(());
        }
        let offer = channel.rekey(now, cx.roll())?;
        self.send(path, offer, Class::Control, cx)
    }

    fn send(&self, path: Path, bytes: Vec<u8>, class: Class, cx: &mut Cx<'_>) -> Result<(), RecordError> {
        match (path, self.link_id()) {
            (Path::Direct, Some(link)) => cx.effect(Effect::Link(link, Order::Send(bytes))),
            (Path::Direct, None) => return Err(RecordError::Dead),
            (Path::Signal, _) => {
                let sealed = Sealed::Record(Part { pairing: self.id, bytes: bytes.into() });
                route(self.peer, self.id, &sealed, class, cx)?;
            }
        }
        Ok(())
    }

    /// Makes our end of the link. Only ever called after consent.
    pub fn open_link(&mut self, id: LinkId, relays: Option<Relays>, ways: Ways, cx: &mut Cx<'_>) {
        let role = if self.ours { Role::Offer } else { Role::Answer };
        let now = cx.now.time;
        self.link = Link::Opening { id, ahead: false, hope: Some(now.after(HOPE_MS)), until: now.after(OPEN_MS) };
        self.used = cx.now.time;
        self.ways = ways;
        cx.effect(Effect::Link(id, Order::Open { role, relays, ways }));
        if let Some(description) = self.held.description.take() {
            cx.effect(Effect::Link(id, Order::Remote(description)));
        }
        for candidate in std::mem::take(&mut self.held.candidates) {
            cx.effect(Effect::Link(id, Order::Candidate(candidate)));
        }
    }

    /// Whether the peer described its end and waits for ours.
    pub fn is_offered(&self) -> bool {
        self.held.description.is_some()
    }

    /// Whether the link found no way for long enough that it should be said; once.
    pub fn loses_hope(&mut self, now: Time) -> bool {
        let Link::Opening { hope, .. } = &mut self.link else { return false };
        hope.take_if(|hope| *hope <= now).is_some()
    }

    /// The peer described its end, for the first time or because it looks for another path: always under the same
    /// certificate. False if it speaks of a link that is not, or not yet, the one in use here.
    pub fn described(&mut self, description: Description, cx: &mut Cx<'_>) -> bool {
        if self.certificate.is_some_and(|known| known != description.fingerprint) {
            return matches!(self.detour, Detour::None);
        }
        self.certificate = Some(description.fingerprint);
        match self.link_id() {
            Some(link) => cx.effect(Effect::Link(link, Order::Remote(description))),
            None => self.held.description = Some(description),
        }
        true
    }

    /// The peer named an address: held until we consented.
    pub fn candidate(&mut self, candidate: Candidate, cx: &mut Cx<'_>) {
        match self.link_id() {
            Some(link) => cx.effect(Effect::Link(link, Order::Candidate(candidate))),
            None if self.held.candidates.len() < CANDIDATES => self.held.candidates.push(candidate),
            None => {}
        }
    }

    /// Whether the link shows the certificate that the peer announced.
    pub fn is_sound(&self, shown: Fingerprint) -> bool {
        self.certificate == Some(shown)
    }

    /// The link carries records. Whether it did not before.
    pub fn comes_ahead(&mut self) -> bool {
        match &mut self.link {
            Link::Opening { ahead, .. } => !std::mem::replace(ahead, true),
            Link::None | Link::Up { .. } => false,
        }
    }

    /// The link is up.
    pub fn up(&mut self, route: Route) {
        if let Link::Opening { id, .. } = self.link {
            self.link = Link::Up { id, route };
        }
    }

    /// The link travels this way now. Whether that is another than before.
    pub fn routed(&mut self, now: Route) -> bool {
        let Link::Up { route, .. } = &mut self.link else { return false };
        std::mem::replace(route, now) != now
    }

    /// Frees the link.
    pub fn close(&mut self, cx: &mut Cx<'_>) {
        if let Some(link) = self.link_id() {
            cx.effect(Effect::Link(link, Order::Close));
            self.link = Link::None;
        }
        self.end_detour(cx);
    }
}

fn class(record: &Record) -> Class {
    match record {
        // What rings wakes whoever sleeps; that it is over must not.
        Record::Call(CallWord { word: Word::Ring(_), .. }) => Class::Ring,
        Record::Connect(_) | Record::Candidate(_) | Record::Wanted(_) => Class::Connect,
        _ => Class::Control,
    }
}

/// Hands sealed bytes to the server.
pub(crate) fn route(
    to: PeerId,
    pairing: PairingId,
    sealed: &Sealed,
    class: Class,
    cx: &mut Cx<'_>,
) -> Result<(), RecordError> {
    let bytes = sealed.pad().map_err(|_| RecordError::TooLong)?;
    let bytes = bytes.into();
    let request = match to {
        PeerId::Friend(to) => Request::Route(Envelope { to, class, bytes }),
        PeerId::Member(room, to) => {
            // Whether the server may see more in it: that somebody belongs, by being answered.
            let vouches = match sealed {
                Sealed::Hello(_) => false,
                Sealed::Answer(_) => class == Class::Control,
                _ => true,
            };
            let class = if vouches { Class::Control } else { Class::Connect };
            Request::RouteRoom(RoomEnvelope { room, to, class, bytes })
        }
        PeerId::Stranger(id) => Request::RouteStranger(StrangerEnvelope { id, class: Class::Connect, bytes }),
    };
    cx.request(request, Purpose::Route(to, pairing));
    Ok(())
}
