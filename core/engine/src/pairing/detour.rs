//! A second link of one session, made beside the one in use and taken into use without a gap.
//!
//! Each end says [`PathWord::Moved`] as its last word on the old link and sends on the new one from there on. What comes on the new link waits until the old one was heard to its end, so that
//! the session's records stay in order. The old link is closed a while after both have moved.

use sidetone_crypto::record::RecordError;
use sidetone_wire::account::{Empty, Relays};
use sidetone_wire::connect::{Candidate, Description};
use sidetone_wire::envelope::Class;
use sidetone_wire::id::Fingerprint;
use sidetone_wire::path::PathWord;
use sidetone_wire::record::Record;

use super::{Link, Pairing, Path};
use crate::WINDOW_BYTES;
use crate::cx::Cx;
use crate::effect::{Effect, Order, Role, Ways};
use crate::input::{LinkId, Route};
use crate::time::Time;

/// A second link that is not up by then is given up.
const OPEN_MS: u64 = 20_000;
/// An old link whose other end does not say that it moved is given up, and with it the session.
const MOVE_MS: u64 = 10_000;
/// The old link stays for so long, so that the last word on it arrives.
const LINGER_MS: u64 = 3_000;

/// Where a second link stands.
#[derive(Default)]
pub(crate) enum Detour {
    /// There is none.
    #[default]
    None,
    /// It is being made; the first is in use.
    Opening { id: LinkId, ways: Ways, certificate: Option<Fingerprint>, until: Time, they_moved: bool },
    /// It is the one in use for what we say; the old one is heard until its other end moved.
    Moving { old: LinkId, early: Vec<Vec<u8>>, until: Time },
    /// Both have moved; the old link is closed after a while.
    Leaving { old: LinkId, until: Time },
}

impl Detour {
    /// Whether this is a link beside the one in use.
    pub fn is(&self, link: LinkId) -> bool {
        match self {
            Self::None => false,
            Self::Opening { id, .. } => *id == link,
            Self::Moving { old, .. } | Self::Leaving { old, .. } => *old == link,
        }
    }

    /// When something is to be done about it.
    pub fn until(&self) -> Option<Time> {
        match self {
            Self::None => None,
            Self::Opening { until, .. } | Self::Moving { until, .. } | Self::Leaving { until, .. } => Some(*until),
        }
    }
}

impl Pairing {
    /// Begins to make a second link. False if there is one, or no first.
    pub fn begin_detour(&mut self, id: LinkId, relays: Option<Relays>, ways: Ways, cx: &mut Cx<'_>) -> bool {
        if !self.is_up() || !matches!(self.detour, Detour::None) {
            return false;
        }
        let role = if self.ours { Role::Offer } else { Role::Answer };
        let until = cx.now.time.after(OPEN_MS);
        self.detour = Detour::Opening { id, ways, certificate: None, until, they_moved: false };
        cx.effect(Effect::Link(id, Order::Open { role, relays, ways }));
        true
    }

    /// The peer described its end of the second link.
    pub fn detour_described(&mut self, description: Description, cx: &mut Cx<'_>) {
        let Detour::Opening { id, certificate, .. } = &mut self.detour else { return };
        if certificate.is_some_and(|known| known != description.fingerprint) {
            return;
        }
        *certificate = Some(description.fingerprint);
        cx.effect(Effect::Link(*id, Order::Remote(description)));
    }

    /// The peer named an address of its end of it.
    pub fn detour_candidate(&self, candidate: Candidate, cx: &mut Cx<'_>) {
        if let Detour::Opening { id, .. } = &self.detour {
            cx.effect(Effect::Link(*id, Order::Candidate(candidate)));
        }
    }

    /// Whether the second link is up and shows the certificate that was announced.
    pub fn detour_is_sound(&self, shown: Fingerprint) -> bool {
        matches!(&self.detour, Detour::Opening { certificate, .. } if *certificate == Some(shown))
    }

    /// Says our last word on the old link, and speaks on the second one from here on.
    pub fn take_detour(&mut self, route: Route, cx: &mut Cx<'_>) -> Result<(), RecordError> {
        let now = cx.now.time;
        let Detour::Opening { id, ways, certificate, they_moved, .. } = self.detour else { return Ok(()) };
        let Link::Up { id: old, .. } = self.link else { return Ok(()) };
        let moved = Record::Path(PathWord::Moved(Empty::default()));
        let bytes = moved.to_bytes().map_err(|_| RecordError::TooLong)?;
        let sealed = self.channel(Path::Direct)?.seal(now.0, &bytes)?;
        self.send(Path::Direct, sealed, Class::Control, cx)?;
        self.link = Link::Up { id, route };
        (self.ways, self.certificate) = (ways, certificate);
        self.detour = match they_moved {
            true => Detour::Leaving { old, until: now.after(LINGER_MS) },
            false => Detour::Moving { old, early: Vec::new(), until: now.after(MOVE_MS) },
        };
        self.rekey(Path::Direct, cx)
    }

    /// A record on the second link waits if the old one was not heard to its end. `Err` if too much waits.
    pub fn hold_early(&mut self, bytes: Vec<u8>) -> Result<Option<Vec<u8>>, ()> {
        let Detour::Moving { early, .. } = &mut self.detour else { return Ok(Some(bytes)) };
        let held: usize = early.iter().map(|held| held.len() + 64).sum();
        if held + bytes.len() > 2 * WINDOW_BYTES {
            return Err(());
        }
        early.push(bytes);
        Ok(None)
    }

    /// The peer said its last word on the old link; gives what waits. `Err` if it speaks on a link that was given up here, where it
    /// is heard no more.
    pub fn they_moved(&mut self, now: Time) -> Result<Vec<Vec<u8>>, ()> {
        match &mut self.detour {
            // Of the one that is made now it has said nothing yet: it means one before.
            Detour::None | Detour::Opening { certificate: None, .. } => return Err(()),
            Detour::Opening { they_moved, .. } => *they_moved = true,
            Detour::Moving { old, early, .. } => {
                let early = std::mem::take(early);
                self.detour = Detour::Leaving { old: *old, until: now.after(LINGER_MS) };
                return Ok(early);
            }
            Detour::Leaving { .. } => {}
        }
        Ok(Vec::new())
    }

    /// Frees the link beside the one in use.
    pub fn end_detour(&mut self, cx: &mut Cx<'_>) {
        let link = match std::mem::take(&mut self.detour) {
            Detour::None => return,
            Detour::Opening { id, .. } => id,
            Detour::Moving { old, .. } | Detour::Leaving { old, .. } => old,
        };
        cx.effect(Effect::Link(link, Order::Close));
    }
}
