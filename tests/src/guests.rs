//! Real phones without an account, among strangers.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sidetone::{
    Accept, Age, Bind, Client, Config, Entering, Event, FixedKey, MatchId, Plain, Route, Stranger, StrangerMedia,
    StrangerView,
};

use crate::real::{PATIENCE, until};

/// A client in memory at one address of this machine, known to the server.
///
/// # Panics
///
/// If the server does not answer.
pub async fn open(server: SocketAddr, ip: IpAddr) -> Client {
    let mut config = Config::new(format!("ws://{server}"), None, FixedKey::new([7; 32]));
    (config.plain, config.bind) = (Plain::Anywhere, Bind::Only(vec![ip]));
    let client = Client::open(config).expect("a client in memory");
    connected(&client).await;
    client
}

/// Waits until the server knows a client.
///
/// # Panics
///
/// After half a minute in vain.
pub async fn connected(client: &Client) {
    let connected = async { while client.next_event().await != Some(Event::Connected(true)) {} };
    tokio::time::timeout(Duration::from_secs(30), connected).await.expect("the server answers");
}

/// How somebody goes among strangers.
pub fn entering(nickname: &str) -> Entering {
    Entering {
        nickname: nickname.into(),
        language: None,
        interests: Vec::new(),
        media: StrangerMedia::Text,
        age: Age::Unknown,
        accept: Accept::AtOnce,
    }
}

/// Waits until a stranger is so.
pub async fn with(client: &Client, what: &str, so: impl Fn(&Stranger) -> bool) -> Stranger {
    let seen = RefCell::new(StrangerView::Lobby(None));
    let looking = async {
        loop {
            let view = client.strangers().view().await.expect("open");
            match view {
                StrangerView::With(stranger) if so(&stranger) => return *stranger,
                other => *seen.borrow_mut() = other,
            }
            assert!(client.next_event().await.is_some(), "closed while waiting for {what}");
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}, last seen: {:?}", seen.borrow()))
}

/// Looks for a stranger and waits for the link.
pub async fn meet(client: &Client, nickname: &str) -> MatchId {
    client.strangers().enter(entering(nickname)).await.expect("a search");
    with(client, "a stranger", |stranger| stranger.route.is_some()).await.id
}

/// Waits until so many messages are here or there, whole.
pub async fn whole(client: &Client, id: MatchId, count: usize) {
    until(client, "messages", || async {
        let messages = client.strangers().messages(id, 0).await.expect("open");
        (messages.iter().filter(|message| message.whole).count() >= count).then_some(())
    })
    .await;
}

/// Waits until the stranger is gone.
pub async fn alone(client: &Client) {
    until(client, "the end", || async {
        matches!(client.strangers().view().await.expect("open"), StrangerView::Lobby(_)).then_some(())
    })
    .await;
}

/// Waits until the link goes directly.
pub async fn direct(client: &Client) {
    with(client, "a direct link", |stranger| matches!(stranger.route, Some(Route::Direct(_)))).await;
}
