//! Links between phones: two ends that find each other once each holds the other's description and an address of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sidetone_engine::{Down, LinkId, News, Order, Role, Ways};
use sidetone_wire::connect::{Address, Candidate, CandidateKind, Description, IceToken};
use sidetone_wire::id::Fingerprint;

use super::nat::Between;
use super::phone::Stream;
use super::{Batch, Due, FileDue, PhoneId, World};

/// Nothing was heard for this long: interrupted.
const INTERRUPTED_MS: u64 = 2_500;
/// Nothing was heard for this long: lost.
const LOST_MS: u64 = 30_000;

type Key = (PhoneId, LinkId);

/// What whoever carries a record does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// Hands it over twice.
    Twice,
    /// Loses it.
    Lost,
    /// Lets the next one overtake it.
    Late,
    /// Changes a bit of it.
    Changed,
    /// Hands it back to who said it.
    Back,
}

/// Every end of every link.
#[derive(Default)]
pub struct Links {
    ends: BTreeMap<Key, End>,
    made: u32,
    /// How many records were said so far.
    pub records: usize,
    /// Each of them, with who should hear it and over which link, where that is wanted.
    pub said: Option<Vec<(PhoneId, LinkId, Vec<u8>)>>,
    /// What is done with the record of this number, counted from 0.
    pub mischief: Option<(usize, Mischief)>,
    /// How often a phone gathered its addresses.
    pub gathered: BTreeMap<PhoneId, u32>,
    /// What is between the phones.
    pub between: Between,
    /// Until when nothing passes between phones.
    pub outage_until: u64,
    /// Somebody between the phones shows a certificate of their own.
    pub impostor: bool,
    /// Every address that a phone was told to try.
    pub tried: Vec<(PhoneId, SocketAddr)>,
}

struct End {
    number: u32,
    role: Role,
    ways: Ways,
    remote: Option<String>,
    candidates: u32,
    up: Option<Key>,
    stream: Stream,
    /// Chunks of files on their way to it.
    bulk: Stream,
}

impl Links {
    pub(super) fn has(&self, phone: PhoneId, link: LinkId) -> bool {
        self.ends.contains_key(&(phone, link))
    }

    pub(super) fn forget(&mut self, phone: PhoneId, link: LinkId) {
        self.ends.remove(&(phone, link));
    }

    /// The links of a phone, open or opening.
    pub fn of(&self, phone: PhoneId) -> Vec<LinkId> {
        self.ends.keys().filter(|(owner, _)| *owner == phone).map(|(_, link)| *link).collect()
    }

    /// Ends of links, open or opening.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The other end of a link that is up.
    pub(super) fn other_end(&self, phone: PhoneId, link: LinkId) -> Option<(PhoneId, LinkId)> {
        self.ends.get(&(phone, link))?.up
    }

    /// The two ends that described themselves to each other, if both heard an address of the other.
    fn partner(&self, key: Key) -> Option<Key> {
        let end = self.ends.get(&key).filter(|end| end.up.is_none() && end.candidates > 0)?;
        let remote = end.remote.as_ref()?;
        let mine = name(end.number);
        let fits =
            |other: &End| name(other.number) == *remote && other.remote.as_ref() == Some(&mine) && other.candidates > 0;
        self.ends.iter().find(|(_, other)| other.up.is_none() && fits(other)).map(|(key, _)| *key)
    }
}

fn name(number: u32) -> String {
    format!("end{number:08}")
}

fn description(number: u32) -> Description {
    let ufrag = IceToken::parse(&name(number)).expect("a fragment");
    let pwd = IceToken::parse("0123456789abcdef0123456789").expect("a password");
    Description { ufrag, pwd, fingerprint: fingerprint(number) }
}

fn fingerprint(number: u32) -> Fingerprint {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Fingerprint(bytes)
}

fn candidate(number: u32) -> Candidate {
    let [.., a, b] = number.to_be_bytes();
    let address = SocketAddr::from(([198, 51, 100, a], 1_024 + u16::from(b)));
    let address = Address::parse(address).expect("a usable address");
    Candidate { kind: CandidateKind::Host, address, priority: 1, foundation: 1 }
}

impl World {
    pub(super) fn order(&mut self, phone: PhoneId, link: LinkId, order: Order) {
        let key = (phone, link);
        match order {
            Order::Open { role, ways, .. } => self.open_end(key, role, ways),
            Order::Remote(remote) => self.remote(key, &remote),
            Order::Candidate(candidate) => {
                self.links.tried.push((phone, candidate.address.get()));
                if let Some(end) = self.links.ends.get_mut(&key) {
                    end.candidates += 1;
                }
            }
            Order::Send(bytes) => self.send_record(key, bytes),
            Order::Close => self.close_end(key),
        }
        self.join(key);
    }

    fn open_end(&mut self, key: Key, role: Role, ways: Ways) {
        self.links.made += 1;
        *self.links.gathered.entry(key.0).or_default() += 1;
        let (number, stream, bulk) = (self.links.made, Stream::default(), Stream::default());
        self.links.ends.insert(key, End { number, role, ways, remote: None, candidates: 0, up: None, stream, bulk });
        if role == Role::Offer {
            self.describe(key);
        }
    }

    fn describe(&mut self, key: Key) {
        let Some(end) = self.links.ends.get(&key) else { return };
        let number = end.number;
        self.later(5, Due::News(key.0, key.1, News::Local(description(number))));
        self.later(8, Due::News(key.0, key.1, News::Candidate(candidate(number))));
    }

    fn remote(&mut self, key: Key, remote: &Description) {
        let Some(end) = self.links.ends.get_mut(&key) else { return };
        end.remote = Some(remote.ufrag.as_str().to_owned());
        if end.role == Role::Answer {
            self.describe(key);
        }
    }

    fn join(&mut self, key: Key) {
        let Some(other) = self.links.partner(key) else { return };
        if self.now_ms < self.links.outage_until || !self.phones[key.0].online || !self.phones[other.0].online {
            return;
        }
        let ways = |key: Key| self.links.ends.get(&key).map_or(Ways::Preferred, |end| end.ways);
        let routes = self.links.between.route((key.0, ways(key)), (other.0, ways(other)));
        let Some([our_route, their_route]) = routes else { return };
        let delay = self.dice.within(10, 80);
        let number = |world: &Self, key| world.links.ends.get(&key).map_or(0, |end: &End| end.number);
        let (ours, theirs) = (number(self, key), number(self, other));
        for (end, partner, shown, route) in [(key, other, theirs, our_route), (other, key, ours, their_route)] {
            if let Some(end) = self.links.ends.get_mut(&end) {
                end.up = Some(partner);
            }
            let shown = if self.links.impostor { u32::MAX } else { shown };
            let up = News::Up { route, fingerprint: fingerprint(shown) };
            self.deliver(end, delay, up);
        }
    }

    /// News for an end, after everything that is already on its way there.
    fn deliver(&mut self, key: Key, delay: u64, news: News) {
        let Some(end) = self.links.ends.get_mut(&key) else { return };
        let at = end.stream.next(self.now_ms.max(self.links.outage_until) + delay);
        self.later(at - self.now_ms, Due::News(key.0, key.1, news));
    }

    fn send_record(&mut self, key: Key, bytes: Vec<u8>) {
        let partner = self.links.ends.get(&key).and_then(|end| end.up);
        let delay = self.dice.within(5, 80) + self.links.between.delay(&mut self.dice);
        let Some(partner) = partner else { return };
        let number = self.links.records;
        self.links.records += 1;
        self.links.said.iter_mut().for_each(|said| said.push((partner.0, partner.1, bytes.clone())));
        match self.links.mischief.filter(|(which, _)| *which == number).map(|(_, what)| what) {
            None => self.deliver(partner, delay, News::Record(bytes)),
            Some(Mischief::Twice) => {
                self.deliver(partner, delay, News::Record(bytes.clone()));
                self.deliver(partner, 0, News::Record(bytes));
            }
            Some(Mischief::Lost) => {}
            Some(Mischief::Late) => self.later(delay + 400, Due::News(partner.0, partner.1, News::Record(bytes))),
            Some(Mischief::Changed) => {
                let mut bytes = bytes;
                let place = bytes.len() / 2;
                bytes[place] ^= 4;
                self.deliver(partner, delay, News::Record(bytes));
            }
            Some(Mischief::Back) => self.deliver(key, delay, News::Record(bytes)),
        }
    }

    /// Chunks for the other end, after those that are already on their way there.
    pub(super) fn bulk(&mut self, phone: PhoneId, link: LinkId, batch: Batch) {
        let partner = self.links.ends.get(&(phone, link)).and_then(|end| end.up);
        let delay = self.dice.within(5, 80) + self.links.between.delay(&mut self.dice);
        let begin = self.now_ms.max(self.links.outage_until) + delay;
        let Some(end) = partner.and_then(|partner| self.links.ends.get_mut(&partner)) else { return };
        let at = end.bulk.next(begin);
        if let Some((to, link)) = partner {
            self.later(at - self.now_ms, Due::File(to, FileDue::Chunks(link, batch)));
        }
    }

    fn close_end(&mut self, key: Key) {
        let partner = self.links.ends.remove(&key).and_then(|end| end.up);
        let Some(partner) = partner else { return };
        // One goodbye in three is lost.
        match self.dice.one_in(3) {
            false => self.deliver(partner, 40, News::Down(Down::Closed)),
            true => self.silence(partner),
        }
    }

    /// The other end went without a word.
    fn silence(&mut self, key: Key) {
        self.deliver(key, INTERRUPTED_MS, News::Interrupted);
        self.deliver(key, LOST_MS, News::Down(Down::Lost));
    }

    /// A phone's links end without a word; it learns of it when it can.
    pub(super) fn abandon_links(&mut self, phone: PhoneId) {
        let keys: Vec<Key> = self.links.ends.keys().filter(|(owner, _)| *owner == phone).copied().collect();
        for key in keys {
            let partner = self.links.ends.get(&key).and_then(|end| end.up);
            if self.phones[phone].is_dead() {
                self.links.ends.remove(&key);
            } else {
                self.later(1, Due::News(key.0, key.1, News::Down(Down::Lost)));
            }
            if let Some(partner) = partner {
                self.silence(partner);
            }
        }
    }

    /// Nothing passes between phones for a while.
    pub fn outage(&mut self, ms: u64) {
        self.links.outage_until = self.now_ms + ms;
        let up: Vec<Key> = self.links.ends.iter().filter(|(_, end)| end.up.is_some()).map(|(key, _)| *key).collect();
        for key in up {
            let end = if ms >= LOST_MS { News::Down(Down::Lost) } else { News::Restored };
            if ms > INTERRUPTED_MS {
                self.later(INTERRUPTED_MS, Due::News(key.0, key.1, News::Interrupted));
                self.later(ms.min(LOST_MS), Due::News(key.0, key.1, end));
            }
        }
    }
}
