//! Real phones: two clients of the library and the real server in one process, on loopback.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sidetone::{
    Bind, CallId, CallState, Client, Config, Cost, Event, FixedKey, Guest, Loudspeaker, MemberId, Memory, Microphone,
    NewRoom, Policy, Presence, RoomId, RoutePolicy, Standing, UserId,
};
use sidetone_server::{Config as ServerConfig, Running, Server};

/// Nothing takes longer on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Two friends at a server of their own.
pub struct Duo {
    /// The server, until somebody stops it.
    pub server: Option<Running>,
    /// The phones.
    pub phones: [Client; 2],
    /// Whom each phone knows: the other.
    pub friend: [UserId; 2],
}

/// Waits, event by event, until something is so.
///
/// # Panics
///
/// After half a minute in vain.
pub async fn until<T, F: Future<Output = Option<T>>>(client: &Client, what: &str, look: impl Fn() -> F) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(client.next_event().await.is_some(), "closed while waiting for {what}");
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A server and how phones go to it.
pub struct Place {
    /// The server.
    pub server: Running,
    /// Its address.
    pub url: String,
    /// Roots that phones trust beside Mozilla's.
    pub roots: Vec<Vec<u8>>,
    /// Which routes they may take.
    pub policy: RoutePolicy,
}

impl Place {
    /// A server of one's own on loopback, without TLS, and any route.
    pub async fn plain() -> Self {
        let server = Server::start(ServerConfig::in_memory()).await.expect("loopback has free ports");
        let url = format!("ws://{}", server.addr);
        Self { server, url, roots: Vec::new(), policy: RoutePolicy::Any }
    }
}

impl Duo {
    /// A server, two accounts, a friendship.
    pub async fn meet(names: [&str; 2]) -> Self {
        Self::meet_at(Place::plain().await, names).await
    }

    /// The same at a place.
    pub async fn meet_at(place: Place, names: [&str; 2]) -> Self {
        let phones = names.map(|_| phone(&place));
        let server = place.server;
        for (phone, name) in phones.iter().zip(names) {
            let connected = async { while phone.next_event().await != Some(Event::Connected(true)) {} };
            tokio::time::timeout(PATIENCE, connected).await.expect("the server answers");
            let email = format!("{name}@example.org");
            phone.register(name, &email, &format!("password of {name}")).await.expect("the name is free");
        }
        let second = phones[0].befriend(names[1], None).await.expect("the name is known");
        let first = until(&phones[1], "the request", || async {
            let friends = phones[1].friends().await.expect("open");
            friends.into_iter().find(|friend| friend.standing == Standing::AskedUs).map(|friend| friend.user)
        })
        .await;
        phones[1].accept(first).await.expect("it can be accepted");
        let friend = [second, first];
        for (phone, user) in phones.iter().zip(friend) {
            until(phone, "the friendship", || async {
                let friend = phone.friend(user).await.expect("open");
                friend.filter(|friend| friend.standing == Standing::Friend)
            })
            .await;
        }
        Self { server: Some(server), phones, friend }
    }

    /// Waits until a phone's call is in a state.
    pub async fn state(&self, phone: usize, state: CallState) -> CallId {
        let client = &self.phones[phone];
        until(client, &format!("{state:?}"), || async {
            let calls = client.calls().await.expect("open");
            calls.into_iter().find(|call| call.state == state).map(|call| call.call)
        })
        .await
    }

    /// The first calls the second, who answers; both can speak.
    pub async fn talk(&self) -> CallId {
        let call = self.phones[0].call(self.friend[0]).await.expect("a friend");
        self.state(1, CallState::Ringing).await;
        self.phones[1].answer(call).await.expect("it rings");
        self.state(0, CallState::Connected).await;
        self.state(1, CallState::Connected).await;
        call
    }

    /// Hangs up and waits until neither is in a call.
    pub async fn hang_up(&self, call: CallId) {
        self.phones[1].hang_up(call).await.expect("it is on");
        for client in &self.phones {
            until(client, "the end", || async { client.calls().await.expect("open").is_empty().then_some(()) }).await;
        }
    }

    /// Sends a text from one phone and waits until the other holds it.
    pub async fn say(&self, from: usize, text: &str) {
        self.phones[from].send_text(self.friend[from], text).await.expect("friends may write");
        let (to, peer) = (&self.phones[1 - from], self.friend[1 - from]);
        until(to, "a text", || async {
            let newest = to.history(peer, None, 1).await.expect("open").pop();
            newest.filter(|message| message.text == text)
        })
        .await;
    }

    /// Waits until a phone has heard so many frames of sound since it was opened.
    pub async fn hears(&self, phone: usize, frames: u64) {
        let heard = async {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            while self.phones[phone].diagnostics().await.expect("open").sound.frames_heard < frames {
                pace.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("sound arrives");
    }

    /// Closes both phones and the server.
    pub async fn part(mut self) {
        for phone in &self.phones {
            phone.close().await;
        }
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

fn phone(place: &Place) -> Client {
    let mut config = Config::new(place.url.clone(), None, FixedKey::new([7; 32]));
    config.bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
    config.login_cost = Cost::Least;
    config.roots = place.roots.clone();
    config.policy = place.policy;
    Client::open(config).expect("a client in memory")
}

/// Guests in a room of a server of their own; the first one made it.
pub struct Circle {
    /// Their server.
    pub place: Place,
    /// The phones.
    pub phones: Vec<Client>,
    /// The room they are in.
    pub room: RoomId,
    /// Who each is in it.
    pub members: Vec<MemberId>,
}

impl Circle {
    /// So many phones, of which all hear all.
    pub async fn gather(count: usize) -> Self {
        let place = Place::plain().await;
        let first = phone(&place);
        let connected = async { while first.next_event().await != Some(Event::Connected(true)) {} };
        tokio::time::timeout(PATIENCE, connected).await.expect("the server answers");
        let new = NewRoom { policy: Policy::default(), name: None, memory: Memory::Nothing };
        let room = first.create_room(new, "phone 0").await.expect("a room");
        let us = first.room(room).await.expect("open").expect("it is in").us;
        let mut circle = Self { place, phones: vec![first], room, members: vec![us] };
        for _ in 1..count {
            circle.come().await;
        }
        circle
    }

    /// One more phone comes in; all hear all.
    pub async fn come(&mut self) {
        let client = phone(&self.place);
        let connected = async { while client.next_event().await != Some(Event::Connected(true)) {} };
        tokio::time::timeout(PATIENCE, connected).await.expect("the server answers");
        let link = self.phones[0].room_link(self.room).await.expect("it is in");
        let guest = Guest { name: "a guest".to_owned(), memory: Memory::Nothing, age: Default::default() };
        client.join_link(&link, guest).await.expect("the door is open");
        self.members.push(client.room(self.room).await.expect("open").expect("it is in").us);
        self.phones.push(client);
        self.meet().await;
    }

    /// Waits until everybody has a link to everybody.
    pub async fn meet(&self) {
        for client in &self.phones {
            until(client, "all the others", || async {
                let view = client.room(self.room).await.expect("open").expect("it is in");
                let here = view.members.iter().filter(|member| matches!(member.presence, Presence::Here(_))).count();
                (here + 1 == self.phones.len()).then_some(())
            })
            .await;
        }
    }

    /// Closes the phones and the server.
    pub async fn part(self) {
        for phone in &self.phones {
            phone.close().await;
        }
        self.place.server.stop().await;
    }
}

/// A sound card that hums into the microphone and empties the loudspeaker until it is dropped.
pub struct Card {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Card {
    /// Plugs a card into a phone.
    pub fn plug(client: &Client) -> Self {
        let (microphone, loudspeaker) = client.take_sound().expect("taken once");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Some(std::thread::spawn(move || hum(microphone, loudspeaker, &stopped)));
        Self { stop, thread }
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the card does not fail");
        }
    }
}

/// 10 ms of sound every 10 ms, as a card's clock has it.
fn hum(mut microphone: Microphone, mut loudspeaker: Loudspeaker, stopped: &AtomicBool) {
    let mut at = std::time::Instant::now();
    let mut sample = 0_u32;
    while !stopped.load(Ordering::Relaxed) {
        let block: Vec<i16> =
            (0..480).map(|n| ((sample + n) as f32 * 0.06).sin()).map(|s| (s * 9_000.0) as i16).collect();
        sample += 480;
        microphone.push(&block);
        loudspeaker.pull(&mut [0; 480]);
        at += Duration::from_millis(10);
        std::thread::sleep(at.saturating_duration_since(std::time::Instant::now()));
    }
}
