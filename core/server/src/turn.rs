//! STUN and TURN (RFC 8489, RFC 8656), decided apart from sockets: messages in, messages out. Clients come by UDP, TCP or
//! TLS; what is relayed to peers is always UDP.
//!
//! A request without credentials leaves nothing behind: nonces carry their own proof. An account has a quota of
//! allocations and of bytes a second. Peers that are not on the internet are refused, and of this machine only the
//! ports of other allocations are reached, without a socket in between.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ring::hmac;
use zeroize::Zeroizing;

use crate::Now;

mod auth;
mod client;
mod peers;
mod stun;
mod tag;

pub(crate) use auth::relay_password;
pub use client::{Client, Line};
pub use peers::PeerRange;
pub(crate) use peers::is_public;
pub use tag::RelayTag;

use auth::{Auth, Credential};
use stun::{Class, Message, Writer, attr, method};

const UDP: u8 = 17;
const DEFAULT_LIFETIME_S: u32 = 600;
const MAX_LIFETIME_S: u32 = 3_600;
/// How long credentials hold that are given to phones.
pub(crate) const RELAYS_MS: u64 = 600_000;
/// Tags cut off at once; beyond, the one longest cut off is forgotten.
const CUT_OFF: usize = 65_536;
const PERMISSION_MS: u64 = 300_000;
const CHANNEL_MS: u64 = 600_000;
/// Permissions and channels of one allocation: more than ICE pairs of one link.
const PEERS: usize = 64;
/// Transports a relay carries: IPv4 and IPv6 by the numbers of RFC 8656 section 18.4.
const FAMILY_4: u8 = 1;

const KNOWN: [u16; 11] = [
    attr::USERNAME,
    attr::MESSAGE_INTEGRITY,
    attr::CHANNEL_NUMBER,
    attr::LIFETIME,
    attr::XOR_PEER_ADDRESS,
    attr::DATA,
    attr::REALM,
    attr::NONCE,
    attr::REQUESTED_ADDRESS_FAMILY,
    attr::REQUESTED_TRANSPORT,
    attr::ERROR_CODE,
];

/// How much may be relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Allocations of one account at once.
    pub allocations: usize,
    /// Allocations of one member of a room at once: one for each other member, and some while links are made anew.
    pub member: usize,
    /// Allocations of everybody at once.
    pub total: usize,
    /// Payload bytes a second of one account, both ways together; two seconds' worth at once. What is more is dropped.
    pub bytes_per_s: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { allocations: 8, member: 24, total: 4_096, bytes_per_s: 500_000 }
    }
}

/// What a relay is told at its start.
pub struct TurnConfig {
    /// Shared with whoever mints credentials.
    pub secret: Zeroizing<Vec<u8>>,
    /// Sent with every challenge.
    pub realm: String,
    /// The address under which peers reach the relayed ports.
    pub public: IpAddr,
    /// Peers that are served although they are not on the internet.
    pub test_peers: Vec<PeerRange>,
    /// How much may be relayed.
    pub quota: Quota,
    /// For nonces.
    pub seed: [u8; 32],
}

/// One allocation, as the relay and its sockets call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId(pub u64);

/// Whoever has the sockets.
pub trait Ports {
    /// Opens a port whose datagrams go to [`Turn::peer`] under this id; `None` if there is none left.
    fn open(&mut self, allocation: AllocationId) -> Option<u16>;
    /// Closes it.
    fn close(&mut self, allocation: AllocationId);
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Out<'a> {
    /// Nothing.
    Drop,
    /// Send this to a client, from the listening socket or by its connection.
    Client(Client, Vec<u8>),
    /// Send this to a peer from the allocation's port.
    Peer(AllocationId, SocketAddr, &'a [u8]),
}

/// The relay without its sockets.
pub struct Turn {
    auth: Auth,
    public: IpAddr,
    test_peers: Vec<PeerRange>,
    quota: Quota,
    allocations: BTreeMap<AllocationId, Allocation>,
    by_client: BTreeMap<Client, AllocationId>,
    by_port: BTreeMap<u16, AllocationId>,
    usage: BTreeMap<String, Usage>,
    /// Tags cut off and when the last credentials in their name end, if none were given since.
    cut_off: BTreeMap<String, u64>,
    next: u64,
}

struct Allocation {
    client: Client,
    port: u16,
    username: String,
    tag: String,
    key: hmac::Key,
    /// The request that made it, to answer its repetition alike.
    made_by: [u8; 12],
    expires_ms: u64,
    permissions: BTreeMap<IpAddr, u64>,
    channels: BTreeMap<u16, Channel>,
}

struct Channel {
    peer: SocketAddr,
    expires_ms: u64,
}

#[derive(Default)]
struct Usage {
    allocations: usize,
    /// When everything sent so far would have been sent at the allowed rate.
    paid_until_us: u64,
}

/// A refusal (RFC 8489 section 14.8).
struct Refused(u16, &'static str);

const BAD: Refused = Refused(400, "Bad Request");
const UNAUTHENTICATED: Refused = Refused(401, "Unauthenticated");
const FORBIDDEN: Refused = Refused(403, "Forbidden");
const MISMATCH: Refused = Refused(437, "Allocation Mismatch");
const STALE: Refused = Refused(438, "Stale Nonce");

impl Turn {
    /// A relay without allocations.
    pub fn new(config: TurnConfig) -> Self {
        Self {
            auth: Auth::new(config.secret, config.realm, &config.seed),
            public: config.public,
            test_peers: config.test_peers,
            quota: config.quota,
            allocations: BTreeMap::new(),
            by_client: BTreeMap::new(),
            by_port: BTreeMap::new(),
            usage: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            next: 0,
        }
    }

    /// How many allocations there are.
    pub fn len(&self) -> usize {
        self.allocations.len()
    }

    /// Whether there is no allocation.
    pub fn is_empty(&self) -> bool {
        self.allocations.is_empty()
    }

    /// Whether a client has an allocation.
    pub fn serves(&self, client: Client) -> bool {
        self.by_client.contains_key(&client)
    }

    /// A client's connection is gone, and with it its allocation.
    pub fn hang_up(&mut self, ports: &mut impl Ports, client: Client) {
        if let Some(allocation) = self.by_client.get(&client).copied() {
            self.end(ports, allocation);
        }
    }

    /// A message of a client came.
    pub fn client<'a>(&mut self, now: Now, ports: &mut impl Ports, from: Client, bytes: &'a [u8]) -> Out<'a> {
        if bytes.first().is_some_and(|first| first & 0xf0 == 0x40) {
            return self.channel_data(now, from, bytes);
        }
        let Some(message) = Message::read(bytes) else { return Out::Drop };
        match (message.class, message.method) {
            (Class::Request, method::BINDING) => {
                let reply = Writer::new(Class::Success, method::BINDING, message.id);
                Out::Client(from, reply.address(attr::XOR_MAPPED_ADDRESS, from.addr).finish(None))
            }
            (Class::Request, _) => Out::Client(from, self.request(now, ports, from, &message)),
            (Class::Indication, method::SEND) => self.send(now, from, &message),
            _ => Out::Drop,
        }
    }

    /// A datagram came to an allocation's port: what its client gets, if the peer has a permission.
    pub fn peer(&mut self, now: Now, allocation: AllocationId, peer: SocketAddr, bytes: &[u8]) -> Out<'static> {
        let Some(held) = self.allocations.get(&allocation) else { return Out::Drop };
        let permitted = held.permissions.get(&peer.ip()).is_some_and(|until| *until > now.ticks_ms);
        if !permitted || !self.pays(now, allocation, bytes.len()) {
            return Out::Drop;
        }
        let Some(held) = self.allocations.get(&allocation) else { return Out::Drop };
        let Ok(len) = u16::try_from(bytes.len()) else { return Out::Drop };
        let open = |channel: &Channel| channel.peer == peer && channel.expires_ms > now.ticks_ms;
        let datagram = match held.channels.iter().find(|(_, channel)| open(channel)) {
            Some((number, _)) => {
                let mut datagram = Vec::with_capacity(bytes.len() + 4);
                datagram.extend_from_slice(&number.to_be_bytes());
                datagram.extend_from_slice(&len.to_be_bytes());
                datagram.extend_from_slice(bytes);
                datagram
            }
            None => {
                self.next += 1;
                let mut id = [0; 12];
                id[4..].copy_from_slice(&self.next.to_be_bytes());
                Writer::new(Class::Indication, method::DATA, id)
                    .address(attr::XOR_PEER_ADDRESS, peer)
                    .put(attr::DATA, bytes)
                    .finish(None)
            }
        };
        Out::Client(held.client, datagram)
    }

    /// Ends every allocation of a member or a room and gives none any more to credentials that were minted before.
    pub fn cut_off(&mut self, now: Now, ports: &mut impl Ports, tag: &RelayTag) {
        let whom = tag.as_str();
        let theirs = |held: &Allocation| held.tag == whom || tag::room_of(&held.tag) == Some(whom);
        let ended: Vec<_> = self.allocations.iter().filter(|(_, held)| theirs(held)).map(|(id, _)| *id).collect();
        for allocation in ended {
            self.end(ports, allocation);
        }
        if self.cut_off.len() >= CUT_OFF
            && let Some(first) = self.cut_off.iter().min_by_key(|(_, until)| **until).map(|(tag, _)| tag.clone())
        {
            self.cut_off.remove(&first);
        }
        self.cut_off.insert(whom.to_owned(), now.ticks_ms + RELAYS_MS);
    }

    fn is_cut_off(&self, tag: &str) -> bool {
        self.cut_off.contains_key(tag) || tag::room_of(tag).is_some_and(|room| self.cut_off.contains_key(room))
    }

    /// Time passed: allocations, permissions and channels end. Call it once a second.
    pub fn tick(&mut self, now: Now, ports: &mut impl Ports) {
        let over = |held: &Allocation| held.expires_ms <= now.ticks_ms;
        let ended: Vec<_> = self.allocations.iter().filter(|(_, held)| over(held)).map(|(id, _)| *id).collect();
        for allocation in ended {
            self.end(ports, allocation);
        }
        self.cut_off.retain(|_, until| *until > now.ticks_ms);
        for held in self.allocations.values_mut() {
            held.permissions.retain(|_, until| *until > now.ticks_ms);
            held.channels.retain(|_, channel| channel.expires_ms > now.ticks_ms);
        }
    }

    fn request(&mut self, now: Now, ports: &mut impl Ports, from: Client, message: &Message<'_>) -> Vec<u8> {
        let refuse =
            |Refused(code, reason): Refused| Writer::new(Class::Error, message.method, message.id).error(code, reason);
        let (username, key) = match self.authenticate(now, from, message) {
            Ok(proven) => proven,
            Err(why @ Refused(401 | 438, _)) => {
                return refuse(why)
                    .put(attr::REALM, self.auth.realm().as_bytes())
                    .put(attr::NONCE, self.auth.nonce(now, from.addr).as_bytes())
                    .finish(None);
            }
            Err(why) => return refuse(why).finish(None),
        };
        let unknown = message.unknown(&KNOWN);
        if !unknown.is_empty() {
            let unknown: Vec<u8> = unknown.into_iter().flat_map(u16::to_be_bytes).collect();
            return refuse(Refused(420, "Unknown Attribute"))
                .put(attr::UNKNOWN_ATTRIBUTES, &unknown)
                .finish(Some(&key));
        }
        let done = match message.method {
            method::ALLOCATE => self.allocate(now, ports, from, message, username, &key),
            method::REFRESH => self.refresh(now, ports, from, message),
            method::CREATE_PERMISSION => self.create_permission(now, from, message),
            method::CHANNEL_BIND => self.channel_bind(now, from, message),
            _ => Err(BAD),
        };
        done.unwrap_or_else(refuse).finish(Some(&key))
    }

    /// The long-term credential mechanism (RFC 8489 section 9.2.4). A user name that ends while its allocation lives is
    /// good for that allocation, as with coturn: else no call could last longer than its first credentials.
    fn authenticate(&self, now: Now, from: Client, message: &Message<'_>) -> Result<(String, hmac::Key), Refused> {
        message.get(attr::MESSAGE_INTEGRITY).ok_or(UNAUTHENTICATED)?;
        let username = message.get(attr::USERNAME).ok_or(BAD)?;
        let nonce = message.get(attr::NONCE).ok_or(BAD)?;
        message.get(attr::REALM).ok_or(BAD)?;
        let username = std::str::from_utf8(username).map_err(|_| UNAUTHENTICATED)?;
        let credential = Credential::read(username).ok_or(UNAUTHENTICATED)?;
        if !self.auth.is_fresh(now, from.addr, nonce) {
            return Err(STALE);
        }
        let key = match self.by_client.get(&from).and_then(|id| self.allocations.get(id)) {
            Some(held) if held.username != username => return Err(Refused(441, "Wrong Credentials")),
            Some(held) => held.key.clone(),
            None if credential.expires_s <= now.unix_ms / 1_000 => return Err(UNAUTHENTICATED),
            None => self.auth.key(username),
        };
        if !message.is_signed_by(&key) {
            return Err(UNAUTHENTICATED);
        }
        Ok((username.to_owned(), key))
    }

    fn allocate(
        &mut self,
        now: Now,
        ports: &mut impl Ports,
        from: Client,
        message: &Message<'_>,
        username: String,
        key: &hmac::Key,
    ) -> Result<Writer, Refused> {
        if let Some(held) = self.by_client.get(&from).and_then(|id| self.allocations.get(id)) {
            return if held.made_by == message.id { Ok(self.allocated(now, held, message)) } else { Err(MISMATCH) };
        }
        match message.get(attr::REQUESTED_TRANSPORT) {
            Some([UDP, ..]) => {}
            Some(_) => return Err(Refused(442, "Unsupported Transport Protocol")),
            None => return Err(BAD),
        }
        let family =
            message.get(attr::REQUESTED_ADDRESS_FAMILY).map_or(FAMILY_4, |value| value.first().map_or(0, |one| *one));
        if (family == FAMILY_4) != self.public.is_ipv4() {
            return Err(Refused(440, "Address Family not Supported"));
        }
        let lifetime_s = lifetime(message)?.clamp(DEFAULT_LIFETIME_S, MAX_LIFETIME_S);
        let tag = Credential::read(&username).ok_or(UNAUTHENTICATED)?.tag.to_owned();
        if tag::is_forbidden(&tag) || self.is_cut_off(&tag) {
            return Err(FORBIDDEN);
        }
        let used = self.usage.get(&tag).map_or(0, |usage| usage.allocations);
        if used >= if tag::is_of_room(&tag) { self.quota.member } else { self.quota.allocations } {
            return Err(Refused(486, "Allocation Quota Reached"));
        }
        self.next += 1;
        let id = AllocationId(self.next);
        let crowded = self.allocations.len() >= self.quota.total;
        let port = (!crowded).then(|| ports.open(id)).flatten().ok_or(Refused(508, "Insufficient Capacity"))?;
        self.usage.entry(tag.clone()).or_default().allocations += 1;
        let held = Allocation {
            client: from,
            port,
            username,
            tag,
            key: key.clone(),
            made_by: message.id,
            expires_ms: now.ticks_ms + u64::from(lifetime_s) * 1_000,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
        };
        let reply = self.allocated(now, &held, message);
        self.by_client.insert(from, id);
        self.by_port.insert(port, id);
        self.allocations.insert(id, held);
        Ok(reply)
    }

    fn allocated(&self, now: Now, held: &Allocation, message: &Message<'_>) -> Writer {
        let lifetime_s = held.expires_ms.saturating_sub(now.ticks_ms).div_ceil(1_000) as u32;
        Writer::new(Class::Success, message.method, message.id)
            .address(attr::XOR_RELAYED_ADDRESS, (self.public, held.port).into())
            .put(attr::LIFETIME, &lifetime_s.to_be_bytes())
            .address(attr::XOR_MAPPED_ADDRESS, held.client.addr)
    }

    fn refresh(
        &mut self,
        now: Now,
        ports: &mut impl Ports,
        from: Client,
        message: &Message<'_>,
    ) -> Result<Writer, Refused> {
        let id = *self.by_client.get(&from).ok_or(MISMATCH)?;
        let mut lifetime_s = lifetime(message)?;
        if lifetime_s == 0 {
            self.end(ports, id);
        } else {
            lifetime_s = lifetime_s.clamp(DEFAULT_LIFETIME_S, MAX_LIFETIME_S);
            let held = self.allocations.get_mut(&id).ok_or(MISMATCH)?;
            held.expires_ms = now.ticks_ms + u64::from(lifetime_s) * 1_000;
        }
        let reply = Writer::new(Class::Success, message.method, message.id);
        Ok(reply.put(attr::LIFETIME, &lifetime_s.to_be_bytes()))
    }

    fn create_permission(&mut self, now: Now, from: Client, message: &Message<'_>) -> Result<Writer, Refused> {
        let id = *self.by_client.get(&from).ok_or(MISMATCH)?;
        let mut peers = Vec::new();
        for value in message.all(attr::XOR_PEER_ADDRESS).take(PEERS) {
            peers.push(self.permitted(message.address(value).ok_or(BAD)?)?);
        }
        if peers.is_empty() {
            return Err(BAD);
        }
        for peer in peers {
            self.permit(now, id, peer.ip())?;
        }
        Ok(Writer::new(Class::Success, message.method, message.id))
    }

    fn channel_bind(&mut self, now: Now, from: Client, message: &Message<'_>) -> Result<Writer, Refused> {
        let id = *self.by_client.get(&from).ok_or(MISMATCH)?;
        let Some([high, low, ..]) = message.get(attr::CHANNEL_NUMBER) else { return Err(BAD) };
        let number = u16::from_be_bytes([*high, *low]);
        let peer = message.get(attr::XOR_PEER_ADDRESS).and_then(|value| message.address(value)).ok_or(BAD)?;
        if !(0x4000..=0x4fff).contains(&number) {
            return Err(BAD);
        }
        let peer = self.permitted(peer)?;
        let held = self.allocations.get_mut(&id).ok_or(MISMATCH)?;
        let known = held.channels.get(&number).map(|channel| channel.peer);
        let taken = held.channels.iter().any(|(other, channel)| channel.peer == peer && *other != number);
        if taken || known.is_some_and(|known| known != peer) {
            return Err(BAD);
        }
        if known.is_none() && held.channels.len() >= PEERS {
            return Err(Refused(508, "Insufficient Capacity"));
        }
        held.channels.insert(number, Channel { peer, expires_ms: now.ticks_ms + CHANNEL_MS });
        self.permit(now, id, peer.ip())?;
        Ok(Writer::new(Class::Success, message.method, message.id))
    }

    fn permit(&mut self, now: Now, id: AllocationId, peer: IpAddr) -> Result<(), Refused> {
        let held = self.allocations.get_mut(&id).ok_or(MISMATCH)?;
        if !held.permissions.contains_key(&peer) && held.permissions.len() >= PEERS {
            return Err(Refused(508, "Insufficient Capacity"));
        }
        held.permissions.insert(peer, now.ticks_ms + PERMISSION_MS);
        Ok(())
    }

    /// Whether a peer may be named at all. This machine may: which of its ports are reached shows with each datagram.
    fn permitted(&self, peer: SocketAddr) -> Result<SocketAddr, Refused> {
        let ip = peer.ip();
        if ip.is_ipv4() != self.public.is_ipv4() {
            return Err(Refused(443, "Peer Address Family Mismatch"));
        }
        (ip == self.public || self.is_test_peer(ip) || is_public(ip)).then_some(peer).ok_or(FORBIDDEN)
    }

    fn is_test_peer(&self, ip: IpAddr) -> bool {
        self.test_peers.iter().any(|range| range.contains(ip))
    }

    fn send<'a>(&mut self, now: Now, from: Client, message: &Message<'a>) -> Out<'a> {
        let Some(id) = self.by_client.get(&from).copied() else { return Out::Drop };
        let peer = message.get(attr::XOR_PEER_ADDRESS).and_then(|value| message.address(value));
        let (Some(peer), Some(data)) = (peer, message.get(attr::DATA)) else { return Out::Drop };
        self.outbound(now, id, peer, data)
    }

    fn channel_data<'a>(&mut self, now: Now, from: Client, bytes: &'a [u8]) -> Out<'a> {
        let Some(id) = self.by_client.get(&from).copied() else { return Out::Drop };
        let Some(([n0, n1, l0, l1], rest)) = bytes.split_first_chunk::<4>() else { return Out::Drop };
        let (number, len) = (u16::from_be_bytes([*n0, *n1]), u16::from_be_bytes([*l0, *l1]));
        let Some(data) = rest.get(..usize::from(len)) else { return Out::Drop };
        let held = self.allocations.get(&id);
        let channel = held.and_then(|held| held.channels.get(&number)).filter(|one| one.expires_ms > now.ticks_ms);
        let Some(peer) = channel.map(|channel| channel.peer) else { return Out::Drop };
        self.outbound(now, id, peer, data)
    }

    /// What a client sends to a peer: to the internet by its port, to another allocation of this relay at once, to
    /// nothing else on this machine.
    fn outbound<'a>(&mut self, now: Now, id: AllocationId, peer: SocketAddr, data: &'a [u8]) -> Out<'a> {
        let Some(held) = self.allocations.get(&id) else { return Out::Drop };
        let relayed = (self.public, held.port).into();
        let permitted = held.permissions.get(&peer.ip()).is_some_and(|until| *until > now.ticks_ms);
        if !permitted || !self.pays(now, id, data.len()) {
            return Out::Drop;
        }
        if peer.ip() == self.public {
            if let Some(other) = self.by_port.get(&peer.port()).copied() {
                return self.peer(now, other, relayed, data);
            }
            if !self.is_test_peer(peer.ip()) {
                return Out::Drop;
            }
        }
        Out::Peer(id, peer, data)
    }

    /// Takes bytes from an account's share of the line.
    fn pays(&mut self, now: Now, id: AllocationId, bytes: usize) -> bool {
        let Some(usage) = self.allocations.get(&id).and_then(|held| self.usage.get_mut(&held.tag)) else {
            return false;
        };
        let now_us = now.ticks_ms * 1_000;
        let cost_us = bytes as u64 * 1_000_000 / self.quota.bytes_per_s.max(1);
        let until_us = usage.paid_until_us.max(now_us) + cost_us;
        let pays = until_us <= now_us + 2_000_000;
        if pays {
            usage.paid_until_us = until_us;
        }
        pays
    }

    fn end(&mut self, ports: &mut impl Ports, id: AllocationId) {
        let Some(held) = self.allocations.remove(&id) else { return };
        self.by_client.remove(&held.client);
        self.by_port.remove(&held.port);
        ports.close(id);
        if let Some(usage) = self.usage.get_mut(&held.tag) {
            usage.allocations -= 1;
            if usage.allocations == 0 {
                self.usage.remove(&held.tag);
            }
        }
    }
}

fn lifetime(message: &Message<'_>) -> Result<u32, Refused> {
    match message.get(attr::LIFETIME) {
        None => Ok(DEFAULT_LIFETIME_S),
        Some(value) => value.try_into().map(u32::from_be_bytes).map_err(|_| BAD),
    }
}

#[cfg(test)]
mod tests;
