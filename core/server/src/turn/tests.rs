//! The relay in virtual time.

use std::net::Ipv4Addr;

use sidetone_wire::room::RelayRule;

use super::*;
use crate::bus::RelayName;

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5)), 4_000);
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9));
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)), 53);
const SECRET: &[u8] = b"shared with the desk";

#[derive(Default)]
struct Range {
    open: Vec<AllocationId>,
    given: u16,
}

impl Ports for Range {
    fn open(&mut self, allocation: AllocationId) -> Option<u16> {
        self.open.push(allocation);
        self.given += 1;
        Some(50_000 + self.given)
    }

    fn close(&mut self, allocation: AllocationId) {
        self.open.retain(|open| *open != allocation);
    }
}

struct Bench {
    turn: Turn,
    ports: Range,
    now: Now,
    ids: u8,
}

/// What a client knows.
struct User {
    from: SocketAddr,
    username: String,
    nonce: String,
}

impl Bench {
    fn new(quota: Quota) -> Self {
        let config = TurnConfig {
            secret: Zeroizing::new(SECRET.to_vec()),
            realm: "sidetone".into(),
            public: PUBLIC,
            test_peers: Vec::new(),
            quota,
            seed: [3; 32],
        };
        let now = Now { ticks_ms: 1_000_000, unix_ms: 1_790_000_000_000 };
        Self { turn: Turn::new(config), ports: Range::default(), now, ids: 0 }
    }

    fn user(&mut self, from: SocketAddr, tag: &str) -> User {
        let username = format!("{}:{tag}", self.now.unix_ms / 1_000 + 600);
        let nonce = self.turn.auth.nonce(self.now, from);
        User { from, username, nonce }
    }

    fn pass(&mut self, ms: u64) {
        self.now.ticks_ms += ms;
        self.now.unix_ms += ms;
        self.turn.tick(self.now, &mut self.ports);
    }

    fn writer(&mut self, kind: u16) -> Writer {
        self.ids += 1;
        Writer::new(Class::Request, kind, [self.ids; 12])
    }

    fn bytes(user: &User, writer: Writer) -> Vec<u8> {
        let auth = Auth::new(Zeroizing::new(SECRET.to_vec()), "sidetone".into(), &[0; 32]);
        let writer = writer
            .put(attr::USERNAME, user.username.as_bytes())
            .put(attr::REALM, b"sidetone")
            .put(attr::NONCE, user.nonce.as_bytes());
        writer.finish(Some(&auth.key(&user.username)))
    }

    /// Sends a request; gives 0 or the error.
    fn ask(&mut self, user: &User, writer: Writer) -> u16 {
        let bytes = Self::bytes(user, writer);
        code(self.turn.client(self.now, &mut self.ports, user.from.into(), &bytes))
    }

    fn allocate(&mut self, user: &User) -> u16 {
        let writer = self.writer(method::ALLOCATE).put(attr::REQUESTED_TRANSPORT, &[UDP, 0, 0, 0]);
        self.ask(user, writer)
    }

    fn permit(&mut self, user: &User, peer: SocketAddr) -> u16 {
        let writer = self.writer(method::CREATE_PERMISSION).address(attr::XOR_PEER_ADDRESS, peer);
        self.ask(user, writer)
    }

    fn bind(&mut self, user: &User, number: u16, peer: SocketAddr) -> u16 {
        let number = [number.to_be_bytes(), [0, 0]].concat();
        let writer = self.writer(method::CHANNEL_BIND).put(attr::CHANNEL_NUMBER, &number);
        self.ask(user, writer.address(attr::XOR_PEER_ADDRESS, peer))
    }

    /// Sends data by indication; whether it goes anywhere.
    fn sends(&mut self, user: &User, peer: SocketAddr, data: &[u8]) -> bool {
        let writer = Writer::new(Class::Indication, method::SEND, [0; 12]);
        let bytes = writer.address(attr::XOR_PEER_ADDRESS, peer).put(attr::DATA, data).finish(None);
        self.turn.client(self.now, &mut self.ports, user.from.into(), &bytes) != Out::Drop
    }
}

fn code(out: Out<'_>) -> u16 {
    let Out::Client(_, bytes) = out else { panic!("no answer") };
    let message = Message::read(&bytes).unwrap();
    match message.get(attr::ERROR_CODE) {
        Some([_, _, hundreds, rest, ..]) => u16::from(*hundreds) * 100 + u16::from(*rest),
        _ => 0,
    }
}

#[test]
fn a_request_without_credentials_leaves_nothing_behind() {
    let mut bench = Bench::new(Quota::default());
    for host in 0..10_000u32 {
        let from = SocketAddr::from((Ipv4Addr::from(host + 0x0800_0000), 99));
        let bytes = bench.writer(method::ALLOCATE).put(attr::REQUESTED_TRANSPORT, &[UDP, 0, 0, 0]).finish(None);
        assert_eq!(code(bench.turn.client(bench.now, &mut bench.ports, from.into(), &bytes)), 401);
        bench.ids = 0;
    }
    let turn = &bench.turn;
    assert_eq!((turn.allocations.len(), turn.by_client.len(), turn.by_port.len(), turn.usage.len()), (0, 0, 0, 0));
    assert_eq!(bench.ports.given, 0);
}

#[test]
fn a_nonce_is_good_for_its_address_and_ten_minutes() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    let thief = User {
        from: (Ipv4Addr::new(8, 8, 8, 8), 1).into(),
        username: user.username.clone(),
        nonce: user.nonce.clone(),
    };
    assert_eq!(bench.allocate(&thief), 438);
    bench.pass(NONCE_LEFT_MS);
    assert_eq!(bench.allocate(&user), 0);
    bench.pass(2);
    assert_eq!(bench.permit(&user, PEER), 438);
}

const NONCE_LEFT_MS: u64 = 599_999;

#[test]
fn credentials_end_but_an_allocation_made_in_time_goes_on() {
    let mut bench = Bench::new(Quota::default());
    let mut user = bench.user(CLIENT, "ada");
    assert_eq!(bench.allocate(&user), 0);
    bench.pass(599_000);
    user.nonce = bench.turn.auth.nonce(bench.now, CLIENT);
    let writer = bench.writer(method::REFRESH);
    assert_eq!(bench.ask(&user, writer), 0);
    bench.pass(10_000);
    let writer = bench.writer(method::REFRESH);
    assert_eq!(bench.ask(&user, writer), 0);
    let mut late =
        User { from: (Ipv4Addr::new(8, 8, 8, 8), 1).into(), username: user.username.clone(), nonce: String::new() };
    late.nonce = bench.turn.auth.nonce(bench.now, late.from);
    assert_eq!(bench.allocate(&late), 401);
    let mut other = bench.user(CLIENT, "bob");
    other.nonce = user.nonce.clone();
    let writer = bench.writer(method::REFRESH);
    assert_eq!(bench.ask(&other, writer), 441, "an allocation has one owner");
    bench.pass(600_000);
    assert!(bench.turn.is_empty() && bench.ports.open.is_empty());
}

#[test]
fn an_account_has_a_number_of_allocations_and_gets_them_back() {
    let mut bench = Bench::new(Quota { allocations: 2, ..Quota::default() });
    let users: Vec<_> = (1..=3).map(|port| bench.user((Ipv4Addr::new(203, 0, 113, 5), port).into(), "ada")).collect();
    assert_eq!((bench.allocate(&users[0]), bench.allocate(&users[1]), bench.allocate(&users[2])), (0, 0, 486));
    assert_eq!(bench.allocate(&users[0]), 437, "one allocation a client");
    let bob = bench.user((Ipv4Addr::new(203, 0, 113, 6), 1).into(), "bob");
    assert_eq!(bench.allocate(&bob), 0);
    let writer = bench.writer(method::REFRESH).put(attr::LIFETIME, &[0; 4]);
    assert_eq!(bench.ask(&users[0], writer), 0);
    assert_eq!(bench.allocate(&users[2]), 0);
    assert_eq!(bench.ports.open.len(), 3);
}

#[test]
fn a_repeated_request_is_answered_alike() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    let writer = bench.writer(method::ALLOCATE).put(attr::REQUESTED_TRANSPORT, &[UDP, 0, 0, 0]);
    let bytes = Bench::bytes(&user, writer);
    let first = bench.turn.client(bench.now, &mut bench.ports, CLIENT.into(), &bytes);
    assert_eq!(bench.turn.client(bench.now, &mut bench.ports, CLIENT.into(), &bytes), first);
    assert_eq!(bench.turn.len(), 1);
}

#[test]
fn connections_from_one_address_are_clients_of_their_own_and_end_with_their_allocations() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    let lines = [Line::Udp, Line::Stream(1), Line::Stream(2)].map(|line| Client { addr: CLIENT, line });
    for line in lines {
        let writer = bench.writer(method::ALLOCATE).put(attr::REQUESTED_TRANSPORT, &[UDP, 0, 0, 0]);
        let bytes = Bench::bytes(&user, writer);
        let out = bench.turn.client(bench.now, &mut bench.ports, line, &bytes);
        assert!(matches!(&out, Out::Client(to, _) if *to == line));
        assert_eq!(code(out), 0);
    }
    assert_eq!(bench.ports.open.len(), 3);
    bench.turn.hang_up(&mut bench.ports, lines[1]);
    bench.turn.hang_up(&mut bench.ports, Client { addr: CLIENT, line: Line::Stream(9) });
    assert_eq!(lines.map(|line| bench.turn.serves(line)), [true, false, true]);
    assert_eq!((bench.turn.len(), bench.ports.open.len()), (2, 2));
}

#[test]
fn nothing_is_relayed_without_a_permission_or_after_it() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    assert!(!bench.sends(&user, PEER, b"early"));
    assert_eq!(bench.allocate(&user), 0);
    let id = bench.ports.open[0];
    assert!(!bench.sends(&user, PEER, b"unasked"));
    assert_eq!(bench.turn.peer(bench.now, id, PEER, b"unasked"), Out::Drop);
    assert_eq!(bench.permit(&user, PEER), 0);
    assert!(bench.sends(&user, PEER, b"asked"));
    assert_ne!(bench.turn.peer(bench.now, id, PEER, b"asked"), Out::Drop);
    bench.pass(PERMISSION_MS);
    assert!(!bench.sends(&user, PEER, b"late"));
    assert_eq!(bench.turn.peer(bench.now, id, PEER, b"late"), Out::Drop);
}

#[test]
fn a_channel_carries_data_both_ways_until_it_ends() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    assert_eq!(bench.allocate(&user), 0);
    let id = bench.ports.open[0];
    let other = (Ipv4Addr::new(1, 1, 1, 1), 54).into();
    assert_eq!((bench.bind(&user, 0x3fff, PEER), bench.bind(&user, 0x5000, PEER)), (400, 400));
    assert_eq!(bench.bind(&user, 0x4001, PEER), 0);
    assert_eq!((bench.bind(&user, 0x4001, other), bench.bind(&user, 0x4002, PEER)), (400, 400));
    let data = [&[0x40, 0x01, 0, 5][..], b"hello", &[0; 3]].concat();
    let out = bench.turn.client(bench.now, &mut bench.ports, CLIENT.into(), &data);
    assert_eq!(out, Out::Peer(id, PEER, b"hello"));
    let back = bench.turn.peer(bench.now, id, PEER, b"hello");
    assert_eq!(back, Out::Client(CLIENT.into(), data[..9].to_vec()));
    let lying = [0x40, 0x01, 0xff, 0xff, 1];
    assert_eq!(bench.turn.client(bench.now, &mut bench.ports, CLIENT.into(), &lying), Out::Drop);
    bench.pass(CHANNEL_MS - 1_000);
    assert_eq!(bench.turn.client(bench.now, &mut bench.ports, CLIENT.into(), &data), Out::Drop);
}

#[test]
fn peers_that_are_not_on_the_internet_are_refused() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    assert_eq!(bench.allocate(&user), 0);
    for (peer, refused) in [
        ("10.0.0.1:80", 403),
        ("127.0.0.1:80", 403),
        ("169.254.169.254:80", 403),
        ("224.0.0.1:80", 403),
        ("0.0.0.0:80", 403),
        ("[::1]:80", 443),
        ("[::ffff:10.0.0.1]:80", 443),
        ("8.8.8.8:80", 0),
    ] {
        let peer = peer.parse().unwrap();
        assert_eq!((bench.permit(&user, peer), bench.bind(&user, 0x4001, peer)), (refused, refused), "{peer}");
    }
}

#[test]
fn of_this_machine_only_other_allocations_are_reached() {
    let mut bench = Bench::new(Quota::default());
    let ada = bench.user(CLIENT, "ada");
    let bob = bench.user((Ipv4Addr::new(203, 0, 113, 6), 1).into(), "bob");
    assert_eq!((bench.allocate(&ada), bench.allocate(&bob)), (0, 0));
    let (ours, theirs) = ((PUBLIC, 50_001).into(), (PUBLIC, 50_002).into());
    assert_eq!((bench.permit(&ada, theirs), bench.permit(&bob, ours)), (0, 0));
    assert!(bench.sends(&ada, theirs, b"to an allocation"));
    for port in [22, 3_478, 50_003] {
        assert!(!bench.sends(&ada, (PUBLIC, port).into(), b"to a service"), "{port}");
    }
}

#[test]
fn an_account_relays_so_many_bytes_a_second_and_no_more() {
    let quota = Quota { bytes_per_s: 10_000, ..Quota::default() };
    let mut bench = Bench::new(quota);
    let users: Vec<_> = (1..=2).map(|port| bench.user((Ipv4Addr::new(203, 0, 113, 5), port).into(), "ada")).collect();
    for user in &users {
        assert_eq!((bench.allocate(user), bench.permit(user, PEER)), (0, 0));
    }
    let mut sent = 0;
    for round in 0..10_000 {
        sent += usize::from(bench.sends(&users[round % 2], PEER, &[0; 1_000]));
        bench.pass(1);
    }
    assert!((100..=120).contains(&sent), "ten seconds carry 100 kB and a burst of 20: {sent}");
}

#[test]
fn a_client_names_so_many_peers_and_no_more() {
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    assert_eq!(bench.allocate(&user), 0);
    let peer = |host: u8| (Ipv4Addr::new(1, 1, 1, host), 53).into();
    for host in 0..PEERS as u8 {
        assert_eq!((bench.permit(&user, peer(host)), bench.bind(&user, 0x4000 + u16::from(host), peer(host))), (0, 0));
    }
    assert_eq!((bench.permit(&user, peer(200)), bench.bind(&user, 0x4fff, peer(200))), (508, 508));
}

#[test]
fn whatever_datagrams_come_the_relay_stands() {
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let mut dice = rand_chacha::ChaCha20Rng::seed_from_u64(9);
    let mut bench = Bench::new(Quota::default());
    let user = bench.user(CLIENT, "ada");
    assert_eq!((bench.allocate(&user), bench.bind(&user, 0x4001, PEER)), (0, 0));
    let writer = bench.writer(method::CREATE_PERMISSION).address(attr::XOR_PEER_ADDRESS, PEER);
    let seeds = [Bench::bytes(&user, writer), vec![0x40, 0x01, 0, 3, 1, 2, 3], vec![0; 20]];
    for _ in 0..50_000 {
        let mut bytes = seeds[dice.next_u32() as usize % seeds.len()].clone();
        for _ in 0..dice.next_u32() % 4 {
            let at = dice.next_u32() as usize % bytes.len();
            bytes[at] = dice.next_u32() as u8;
        }
        bytes.truncate(bytes.len() - dice.next_u32() as usize % 3);
        let _ = bench.turn.client(bench.now, &mut bench.ports, CLIENT.into(), &bytes);
    }
    assert_eq!(bench.turn.len(), 1);
}

fn named(rule: RelayRule, room: u8, member: u8) -> RelayTag {
    RelayTag::of(rule, RelayName { room: [room; 8], member: [member; 8] })
}

#[test]
fn a_room_that_forbids_relays_gets_none_whoever_minted_the_credentials() {
    let mut bench = Bench::new(Quota::default());
    for rule in [RelayRule::Forbidden, RelayRule::Unknown] {
        let user = bench.user(CLIENT, named(rule, 1, 1).as_str());
        assert_eq!(bench.allocate(&user), 403);
    }
    assert!(bench.turn.is_empty() && bench.ports.open.is_empty());
    for (rule, port) in [(RelayRule::Allowed, 1), (RelayRule::Required, 2)] {
        let user = bench.user((CLIENT.ip(), port).into(), named(rule, 1, 1).as_str());
        assert_eq!(bench.allocate(&user), 0);
    }
}

#[test]
fn who_is_put_out_of_a_room_is_cut_off_at_once_and_nobody_else_is() {
    let mut bench = Bench::new(Quota::default());
    let (kicked, other, elsewhere) =
        (named(RelayRule::Allowed, 1, 1), named(RelayRule::Allowed, 1, 2), named(RelayRule::Allowed, 2, 1));
    let mut user = |port, tag: &RelayTag| bench.user((CLIENT.ip(), port).into(), tag.as_str());
    let users = [user(1, &kicked), user(2, &kicked), user(3, &other), user(4, &elsewhere)];
    let again = user(5, &kicked);
    for user in &users {
        assert_eq!((bench.allocate(user), bench.permit(user, PEER)), (0, 0));
    }
    let Bench { turn, ports, now, .. } = &mut bench;
    turn.cut_off(*now, ports, &kicked);
    let sends = users.each_ref().map(|user| bench.sends(user, PEER, b"data"));
    assert_eq!(sends, [false, false, true, true]);
    assert_eq!(bench.ports.open.len(), 2);
    assert_eq!(bench.allocate(&again), 403, "what was minted before is worthless");
    let Bench { turn, ports, now, .. } = &mut bench;
    turn.cut_off(*now, ports, &RelayTag::of_room(RelayRule::Allowed, [1; 8]));
    assert!(!bench.sends(&users[2], PEER, b"data") && bench.sends(&users[3], PEER, b"data"));
    let late = bench.user((CLIENT.ip(), 6).into(), other.as_str());
    assert_eq!(bench.allocate(&late), 403, "nor does anybody of a closed room");
    bench.pass(RELAYS_MS);
    assert!(bench.turn.cut_off.is_empty(), "credentials from before have ended by themselves");
}

#[test]
fn a_member_of_a_room_has_an_allocation_for_every_other_member() {
    let mut bench = Bench::new(Quota::default());
    let tag = named(RelayRule::Required, 1, 1);
    let most = Quota::default().member as u16;
    assert!(usize::from(most) >= sidetone_wire::limits::MEMBERS);
    for port in 1..=most + 1 {
        let user = bench.user((CLIENT.ip(), port).into(), tag.as_str());
        assert_eq!(bench.allocate(&user), if port <= most { 0 } else { 486 });
    }
}

#[test]
fn what_is_cut_off_takes_a_bounded_room() {
    let mut bench = Bench::new(Quota::default());
    for number in 0..CUT_OFF as u64 + 100 {
        let name = RelayName { room: number.to_be_bytes(), member: [0; 8] };
        bench.now.ticks_ms += u64::from(number % 1_000 == 0);
        let Bench { turn, ports, now, .. } = &mut bench;
        if number < 100 || number >= CUT_OFF as u64 {
            turn.cut_off(*now, ports, &RelayTag::of(RelayRule::Allowed, name));
        } else {
            turn.cut_off.insert(number.to_string(), now.ticks_ms + RELAYS_MS);
        }
    }
    assert!(bench.turn.cut_off.len() <= CUT_OFF);
}
