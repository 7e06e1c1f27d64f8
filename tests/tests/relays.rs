//! Two phones and a relay between them, on loopback: the server's own, and coturn with credentials that the server mints.

use std::net::Ipv4Addr;

use proving::coturn::{Coturn, Doors, Papers, SECRET, free};
use proving::real::{Card, Duo, Place};
use sidetone::{Protocol, Relay, Route, RoutePolicy};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config, Elsewhere, RelayConfig, Running, Server};

/// Two phones that may not show an address talk and write through a relay that is reached in one way only.
async fn talk(doors: &Doors, protocol: Protocol, root: &[u8]) {
    let elsewhere = Elsewhere { urls: vec![doors.url(protocol)], secret: SECRET.as_bytes().to_vec().into() };
    let server = Server::start(Config { elsewhere: Some(elsewhere), relay: None, ..Config::in_memory() }).await;
    let server = server.expect("loopback has free ports");
    let url = format!("ws://{}", server.addr);
    let place = Place { server, url, roots: vec![root.to_vec()], policy: RoutePolicy::RelayOnly };
    let duo = Duo::meet_at(place, ["ada", "ben"]).await;
    let call = duo.talk().await;
    let _cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    duo.hears(0, 50).await;
    duo.hears(1, 50).await;
    duo.say(0, "through a relay").await;
    duo.say(1, &"and back ".repeat(2_000)).await;
    for phone in &duo.phones {
        let links = phone.diagnostics().await.expect("open").links;
        let routes: Vec<_> = links.iter().map(|link| link.route).collect();
        assert_eq!(routes, [Route::Relayed(Relay::Both, protocol)]);
    }
    duo.hang_up(call).await;
    duo.part().await;
}

async fn own_relay(papers: &Papers) -> (Running, Doors) {
    let mut relay = RelayConfig::new((Ipv4Addr::LOCALHOST, 0).into());
    relay.test_peers.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
    relay.secret = Some(SECRET.as_bytes().to_vec().into());
    let config = Config { relay: Some(relay), tls: Some(papers.tls()), ..Config::in_memory() };
    let server = Server::start(config).await.expect("loopback has free ports");
    let doors = Doors {
        plain: server.relay_addr.expect("there is a relay"),
        tls: server.tls_addr.expect("there is TLS").port(),
    };
    (server, doors)
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_talk_through_the_servers_own_relay_over_udp_tcp_and_tls() {
    let papers = Papers::new();
    let (relay, doors) = own_relay(&papers).await;
    for protocol in [Protocol::Udp, Protocol::Tcp, Protocol::Tls] {
        talk(&doors, protocol, &papers.root).await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_port_with_tls_is_all_there_is_phones_meet_and_talk_through_it() {
    let papers = Papers::new();
    let port = free();
    let mut tls = papers.tls();
    tls.listen.set_port(port);
    let mut relay = RelayConfig::new((Ipv4Addr::LOCALHOST, 0).into());
    relay.test_peers.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
    relay.secret = Some(SECRET.as_bytes().to_vec().into());
    // Of all that the server is told to say of relays, phones could use nothing else.
    let urls = vec![format!("turns:localhost:{port}?transport=tcp")];
    let elsewhere = Some(Elsewhere { urls, secret: SECRET.as_bytes().to_vec().into() });
    let config = Config { relay: Some(relay), tls: Some(tls), elsewhere, ..Config::in_memory() };
    let server = Server::start(config).await.expect("the port was free a moment ago");
    let url = format!("wss://localhost:{port}");
    let place = Place { server, url, roots: vec![papers.root.clone()], policy: RoutePolicy::RelayOnly };
    let duo = Duo::meet_at(place, ["ada", "ben"]).await;
    let call = duo.talk().await;
    let _cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    duo.hears(0, 50).await;
    duo.hears(1, 50).await;
    let figures = duo.server.as_ref().expect("it runs").figures().await.relay;
    assert_eq!((figures.allocations, figures.lines), (2, 2), "{figures:?}");
    duo.hang_up(call).await;
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_talk_through_coturn_over_udp_tcp_and_tls() {
    let papers = Papers::new();
    let Some(coturn) = Coturn::start(&papers) else { return };
    for protocol in [Protocol::Udp, Protocol::Tcp, Protocol::Tls] {
        talk(&coturn.doors, protocol, &papers.root).await;
    }
}
