//! Links between phones: two ends that find each other once each holds the other's description and an address of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sidetone_engine::{Down, Input, LinkId, Network, NetworkKind, News, Order, Role, Ways};
use sidetone_wire::connect::{Address, Candidate, CandidateKind, Description, IceToken};
use sidetone_wire::id::Fingerprint;

use super::nat::Between;
use super::phone::Stream;
use super::{Batch, Due, FileDue, PhoneId, World};

/// Nothing was heard for this long: interrupted.
const INTERRUPTED_MS: u64 = 2_500;
/// Nothing was heard for this long: lost.
const LOST_MS: u64 = 30_000;
/// Nobody was found for this long.
const NOWHERE_MS: u64 = 30_000;

/// How much later than records everything else flows, at most.
const AHEAD_MS: u64 = 300;
/// How closely gaps are looked at.
const GAP_STEP_MS: u64 = 10;

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
    /// How often a phone opened a link that may use a relay, and knew one.
    pub relays: BTreeMap<PhoneId, u32>,
    /// What is between the phones.
    pub between: Between,
    /// Until when nothing passes between phones.
    pub outage_until: u64,
    cuts: u32,
    /// Somebody between the phones shows a certificate of their own.
    pub impostor: bool,
    /// Links never carry more than records.
    pub records_only: bool,
    /// Every address that a phone was told to try.
    pub tried: Vec<(PhoneId, SocketAddr)>,
}

struct End {
    number: u32,
    /// Its certificate, which stays the same when it looks for another path.
    certificate: u32,
    /// It looks for another path.
    restarting: bool,
    /// Nothing passes on its path; counts how often that happened.
    cut: Option<u32>,
    /// What would have come meanwhile, and comes once something passes again.
    held: Vec<News>,
    held_bulk: Vec<Batch>,
    role: Role,
    ways: Ways,
    remote: Option<String>,
    candidates: u32,
    up: Option<Key>,
    /// Nothing leads to the other end.
    nowhere: bool,
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
        let seeks = |end: &&End| (end.up.is_none() || end.restarting) && end.candidates > 0;
        let end = self.ends.get(&key).filter(seeks)?;
        let remote = end.remote.as_ref()?;
        let mine = name(end.number);
        let fits = |other: &&End| name(other.number) == *remote && other.remote.as_ref() == Some(&mine) && seeks(other);
        self.ends.iter().find(|(_, other)| fits(other)).map(|(key, _)| *key)
    }

    /// Whether what is said at one end is heard at the other.
    pub fn carries(&self, phone: PhoneId, link: LinkId) -> bool {
        let passes = |key: &Key| self.ends.get(key).is_some_and(|end| end.cut.is_none());
        let other = self.other_end(phone, link);
        passes(&(phone, link)) && other.is_some_and(|other| passes(&other))
    }
}

fn name(number: u32) -> String {
    format!("end{number:08}")
}

fn description(number: u32, certificate: u32) -> Description {
    let ufrag = IceToken::parse(&name(number)).expect("a fragment");
    let pwd = IceToken::parse("0123456789abcdef0123456789").expect("a password");
    Description { ufrag, pwd, fingerprint: fingerprint(certificate) }
}

fn fingerprint(number: u32) -> Fingerprint {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Fingerprint(bytes)
}

/// Whether an address is one that a relay lends.
pub fn is_lent(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets()[..3] == [203, 0, 113])
}

fn candidate(number: u32, ways: Ways) -> Candidate {
    let [.., a, b] = number.to_be_bytes();
    let (kind, [x, y, z]) = match ways {
        Ways::RelayOnly => (CandidateKind::Relayed, [203, 0, 113]),
        Ways::Preferred | Ways::DirectOnly => (CandidateKind::Host, [198, 51, 100]),
    };
    let address = SocketAddr::from(([x, y, z, a], 1_024 + u16::from(b)));
    let address = Address::parse(address).expect("a usable address");
    Candidate { kind, address, priority: 1, foundation: 1 }
}

impl World {
    pub(super) fn order(&mut self, phone: PhoneId, link: LinkId, order: Order) {
        let key = (phone, link);
        match order {
            Order::Open { role, ways, relays } => {
                let turns = relays.is_some_and(|relays| relays.urls.iter().any(|url| url.starts_with("turn")));
                *self.links.relays.entry(phone).or_default() += u32::from(turns && ways != Ways::DirectOnly);
                self.open_end(key, role, ways);
            }
            Order::Remote(remote) => self.remote(key, &remote),
            Order::Candidate(candidate) => {
                self.links.tried.push((phone, candidate.address.get()));
                if let Some(end) = self.links.ends.get_mut(&key) {
                    end.candidates += 1;
                }
            }
            Order::Send(bytes) => self.send_record(key, bytes),
            Order::Restart => self.restart_end(key),
            Order::Close => self.close_end(key),
        }
        self.join(key);
    }

    fn open_end(&mut self, key: Key, role: Role, ways: Ways) {
        self.links.made += 1;
        *self.links.gathered.entry(key.0).or_default() += 1;
        let (number, stream, bulk) = (self.links.made, Stream::default(), Stream::default());
        let end = End {
            number,
            certificate: number,
            restarting: false,
            cut: None,
            held: Vec::new(),
            held_bulk: Vec::new(),
            role,
            ways,
            remote: None,
            candidates: 0,
            up: None,
            nowhere: false,
            stream,
            bulk,
        };
        self.links.ends.insert(key, end);
        if role == Role::Offer {
            self.describe(key);
        }
    }

    fn describe(&mut self, key: Key) {
        let Some(end) = self.links.ends.get(&key) else { return };
        let (number, certificate, ways) = (end.number, end.certificate, end.ways);
        self.later(5, Due::News(key.0, key.1, News::Local(description(number, certificate))));
        self.later(8, Due::News(key.0, key.1, News::Candidate(candidate(number, ways))));
    }

    fn remote(&mut self, key: Key, remote: &Description) {
        let Some(end) = self.links.ends.get_mut(&key) else { return };
        let remote = remote.ufrag.as_str().to_owned();
        if end.up.is_some() && !end.restarting && end.remote.as_ref() != Some(&remote) {
            self.restart_end(key);
        }
        let Some(end) = self.links.ends.get_mut(&key) else { return };
        end.remote = Some(remote);
        if end.role == Role::Answer && end.up.is_none() {
            self.describe(key);
        }
    }

    /// Looks for another path; the old one is given up at once, as the library does.
    fn restart_end(&mut self, key: Key) {
        let number = self.links.made + 1;
        let Some(end) = self.links.ends.get_mut(&key).filter(|end| end.up.is_some() && !end.restarting) else { return };
        self.links.made = number;
        (end.number, end.restarting, end.remote, end.candidates) = (number, true, None, 0);
        *self.links.gathered.entry(key.0).or_default() += 1;
        self.sever(key);
        self.later(1, Due::News(key.0, key.1, News::Interrupted));
        self.describe(key);
    }

    /// Nothing passes any more on the path of a link; both ends notice it after a while.
    fn sever(&mut self, key: Key) {
        let Some(other) = self.links.ends.get(&key).and_then(|end| end.up) else { return };
        self.links.cuts += 1;
        let count = self.links.cuts;
        for key in [key, other] {
            if let Some(end) = self.links.ends.get_mut(&key).filter(|end| end.cut.is_none()) {
                end.cut = Some(count);
                self.later(INTERRUPTED_MS, Due::Silent(key.0, key.1, count, News::Interrupted));
                self.later(LOST_MS, Due::Silent(key.0, key.1, count, News::Down(Down::Lost)));
            }
        }
    }

    /// An end has heard nothing for a while, unless it did.
    pub(super) fn silent(&mut self, phone: PhoneId, link: LinkId, count: u32, news: News) {
        if self.links.ends.get(&(phone, link)).is_some_and(|end| end.cut == Some(count)) {
            self.link_news(phone, link, news);
        }
    }

    /// A path was found again.
    fn mend(&mut self, key: Key, delay: u64) {
        let Some(end) = self.links.ends.get_mut(&key) else { return };
        (end.cut, end.restarting) = (None, false);
        let (held, bulk) = (std::mem::take(&mut end.held), std::mem::take(&mut end.held_bulk));
        // What is sent from now on does not overtake it.
        let bulk_at = end.bulk.next(self.now_ms + delay);
        self.deliver(key, delay, News::Restored);
        held.into_iter().for_each(|news| self.deliver(key, delay, news));
        for batch in bulk {
            self.later(bulk_at - self.now_ms, Due::File(key.0, FileDue::Chunks(key.1, batch)));
        }
    }

    /// The links that a phone has up.
    fn up_links(&self, phone: PhoneId) -> Vec<LinkId> {
        let up = |(key, end): (&Key, &End)| (key.0 == phone && end.up.is_some()).then_some(key.1);
        self.links.ends.iter().filter_map(up).collect()
    }

    /// A phone comes into another network while the one before still works.
    pub fn reach_another_network(&mut self, phone: PhoneId, network: Network) {
        self.step(phone, Input::Network(network, Vec::new()));
    }

    /// A phone's network is gone: whatever went over links that were made before some moment ends on the way. The app tells
    /// of the network after it, or says nothing.
    pub fn lose_network(&mut self, phone: PhoneId, made_before: u32, next: Option<Network>) {
        let severed: Vec<LinkId> = self
            .up_links(phone)
            .into_iter()
            .filter(|link| self.links.ends.get(&(phone, *link)).is_some_and(|end| end.certificate < made_before))
            .collect();
        severed.iter().for_each(|link| self.sever((phone, *link)));
        self.drop_socket(phone, true);
        let wait = self.dice.within(50, 300);
        self.later(wait, Due::Open(phone));
        match next {
            Some(network) => self.step(phone, Input::Network(network, severed)),
            None => {
                for link in severed {
                    self.later(INTERRUPTED_MS + 1, Due::News(phone, link, News::Severed));
                }
            }
        }
    }

    /// No network at all for a while, after which the phone is in this one with another address.
    pub fn airplane(&mut self, phone: PhoneId, ms: u64, network: Network) {
        let severed = self.up_links(phone);
        severed.iter().for_each(|link| self.sever((phone, *link)));
        self.step(phone, Input::Network(Network::of(NetworkKind::None), severed));
        self.cut(phone, ms);
        self.later(ms + 1, Due::Landed(phone, network));
    }

    pub(super) fn landed(&mut self, phone: PhoneId, network: Network) {
        let severed = self.up_links(phone);
        self.step(phone, Input::Network(network, severed));
    }

    /// Whether what `from` says in a call is heard by the other phone of it now.
    pub fn is_heard(&self, from: PhoneId) -> bool {
        self.phones[from].speaks_over.is_some_and(|link| self.links.carries(from, link))
    }

    /// Lets the world run; the longest time for which each of the two phones of a call was not heard.
    pub fn gaps(&mut self, ms: u64) -> [u64; 2] {
        let (mut longest, mut silent) = ([0; 2], [0; 2]);
        for _ in 0..ms / GAP_STEP_MS {
            self.run(GAP_STEP_MS);
            for phone in 0..2 {
                silent[phone] = if self.is_heard(phone) { 0 } else { silent[phone] + GAP_STEP_MS };
                longest[phone] = longest[phone].max(silent[phone]);
            }
        }
        longest
    }

    /// So many ends of links were made so far.
    pub fn ends_made(&self) -> u32 {
        self.links.made + 1
    }

    fn join(&mut self, key: Key) {
        let Some(other) = self.links.partner(key) else { return };
        if self.now_ms < self.links.outage_until || !self.phones[key.0].online || !self.phones[other.0].online {
            return;
        }
        let ways = |key: Key| self.links.ends.get(&key).map_or(Ways::Preferred, |end| end.ways);
        let routes = self.links.between.route((key.0, ways(key)), (other.0, ways(other)));
        let Some([our_route, their_route]) = routes else {
            return [key, other].into_iter().for_each(|end| self.lead_nowhere(end));
        };
        let delay = self.dice.within(10, 80);
        if self.links.ends.get(&key).is_some_and(|end| end.restarting) {
            return [key, other].into_iter().for_each(|end| self.mend(end, delay));
        }
        let number = |world: &Self, key| world.links.ends.get(&key).map_or(0, |end: &End| end.certificate);
        let (ours, theirs) = (number(self, key), number(self, other));
        // Whether records go ahead is for the network to say. What an end says once it is up comes when the other one is.
        let (goes_ahead, later) = (self.dice.within(0, 1) == 1, self.dice.within(0, AHEAD_MS));
        for (end, partner, shown, route) in [(key, other, theirs, our_route), (other, key, ours, their_route)] {
            if let Some(end) = self.links.ends.get_mut(&end) {
                end.up = Some(partner);
            }
            let shown = if self.links.impostor { u32::MAX } else { shown };
            let fingerprint = fingerprint(shown);
            let up = News::Up { route, fingerprint };
            if goes_ahead || self.links.records_only {
                self.deliver(end, delay, News::Ahead { fingerprint });
            }
            if !self.links.records_only {
                self.later(delay + later, Due::Up(end.0, end.1, up));
            }
        }
    }

    /// An end that will find nobody.
    fn lead_nowhere(&mut self, key: Key) {
        if self.links.ends.get_mut(&key).is_some_and(|end| !std::mem::replace(&mut end.nowhere, true)) {
            self.later(NOWHERE_MS, Due::News(key.0, key.1, News::Down(Down::Unreachable)));
        }
    }

    /// News for an end, after everything that is already on its way there.
    pub(super) fn deliver(&mut self, key: Key, delay: u64, news: News) {
        let Some(end) = self.links.ends.get_mut(&key) else { return };
        if end.cut.is_some() {
            return end.held.push(news);
        }
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
        if end.cut.is_some() {
            return end.held_bulk.push(batch);
        }
        let at = end.bulk.next(begin);
        if let Some((to, link)) = partner {
            self.later(at - self.now_ms, Due::File(to, FileDue::Chunks(link, batch)));
        }
    }

    fn close_end(&mut self, key: Key) {
        let partner = self.links.ends.remove(&key).and_then(|end| end.up);
        let Some(partner) = partner else { return };
        // One that cannot get through will be noticed.
        if self.links.ends.get(&partner).is_some_and(|end| end.cut.is_some()) {
            return;
        }
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
        if self.phones[phone].is_dead() {
            // Its next life gives its links the same names.
            self.queue.retain(|_, due| !due.comes_by_link_to(phone));
        }
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
