//! Real phones between which no packet passes: each in a network of its own, which leads to the server and no further.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lab::{Between, Namespace, Star};
use sidetone::{
    Age, Bind, Client, Config, Cost, Event, FixedKey, Guest, Memory, NewRoom, Plain, Policy, Presence, RoomId, Route,
    room_policy::Relaying,
};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config as ServerConfig, RelayConfig, RelayFigures, Running, Server};
use tokio::runtime::{Builder, Runtime};

const PATIENCE: Duration = Duration::from_secs(60);

/// A server and the runtime that it lives on, in a namespace.
fn serve(namespace: &Namespace, address: IpAddr) -> (Runtime, Running) {
    let start = move || {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let any = SocketAddr::from((address, 0));
        let mut relay = RelayConfig::new(any);
        relay.test_peers.push(PeerRange::new(address, 8));
        let config = ServerConfig { listen: any, admin: None, relay: Some(relay), ..ServerConfig::in_memory() };
        let server = runtime.block_on(Server::start(config)).expect("the namespace has free ports");
        (runtime, server)
    };
    namespace.spawn(start).expect("a thread").join().expect("no panic").expect("the namespace can be entered")
}

fn open(namespace: &Namespace, address: IpAddr, server: &Running) -> Client {
    let mut config = Config::new(format!("ws://{}", server.addr), None, FixedKey::new([7; 32]));
    (config.bind, config.plain, config.login_cost) = (Bind::Only(vec![address]), Plain::Anywhere, Cost::Least);
    let opened = namespace.spawn(move || Client::open(config)).expect("a thread").join().expect("no panic");
    opened.expect("the namespace can be entered").expect("a client in memory")
}

/// Waits until a phone sees the other one so.
async fn sees(client: &Client, room: RoomId, fits: fn(&Presence) -> bool) {
    let wait = async {
        loop {
            let view = client.room(room).await.expect("open").expect("it is in");
            if view.members.iter().any(|member| fits(&member.presence)) {
                return;
            }
            client.next_event().await.expect("open");
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the room says how the other one is reached");
}

/// Two who meet in a room with this policy: waits until both see each other so, and says what the relay did.
fn meet(relaying: Relaying, fits: fn(&Presence) -> bool) -> RelayFigures {
    let star = Star::new(2, &"delay=2ms".parse().expect("a shape"), Between::Nothing, 7).expect("a star");
    let (home, server) = serve(star.hub(), star.middle());
    let phones: Vec<Client> = star.rim().map(|(namespace, address)| open(namespace, address, &server)).collect();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let figures = runtime.block_on(async {
        for phone in &phones {
            let connected = async { while phone.next_event().await != Some(Event::Connected(true)) {} };
            tokio::time::timeout(PATIENCE, connected).await.expect("the server answers");
        }
        let policy = Policy { relaying, ..Policy::default() };
        let new = NewRoom { policy, name: None, memory: Memory::Nothing };
        let room = phones[0].create_room(new, "anna").await.expect("a room");
        let link = phones[0].room_link(room).await.expect("it is in");
        let guest = Guest { name: "ben".to_owned(), memory: Memory::Nothing, age: Age::Unknown };
        phones[1].join_link(&link, guest).await.expect("the door is open");
        tokio::join!(sees(&phones[0], room, fits), sees(&phones[1], room, fits));
        let figures = server.figures().await.relay;
        for phone in &phones {
            phone.close().await;
        }
        figures
    });
    home.block_on(server.stop());
    figures
}

#[test]
fn a_room_that_forbids_relays_says_that_there_is_no_way_and_asks_none() {
    if !lab::ready("phones without a direct path") {
        return;
    }
    let relay = meet(Relaying::Forbidden, |presence| *presence == Presence::NoWay);
    assert_eq!((relay.allocations, relay.to_peers), (0, 0), "{relay:?}");
}

#[test]
fn the_same_two_meet_through_a_relay_where_it_is_allowed() {
    if !lab::ready("phones that need a relay") {
        return;
    }
    let relayed = |presence: &Presence| matches!(presence, Presence::Here(Route::Relayed(..)));
    let relay = meet(Relaying::Allowed, relayed);
    assert!(relay.allocations > 0 && relay.to_peers > 0, "{relay:?}");
}
