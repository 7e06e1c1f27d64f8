//! Three phones without accounts in one push-to-talk room over the real server, on loopback: the whole path.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sidetone::{
    Age, Bind, Client, Config, Cost, Error, Event, Export, FixedKey, FloorEvent, FloorState, Guest, MemberId, Memory,
    MicrophoneState, NewRoom, Policy, Presence, Priority, RecentRoom, RoomEnd, RoomEvent, RoomFailure, RoomId,
    RoomView, UserAction, room_policy::Speaking,
};
use sidetone_server::{Config as ServerConfig, Running, Server};

const PATIENCE: Duration = Duration::from_secs(30);

async fn open(server: &Running) -> Client {
    let mut config = Config::new(format!("ws://{}", server.addr), None, FixedKey::new([7; 32]));
    config.bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
    config.login_cost = Cost::Least;
    let client = Client::open(config).unwrap();
    happens(&client, "the server", |event| *event == Event::Connected(true)).await;
    client
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits for an event; others are passed over.
async fn happens(client: &Client, what: &str, fits: impl Fn(&Event) -> bool) {
    let wait = async { while !fits(&client.next_event().await.expect("the client is open")) {} };
    in_time(what, wait).await;
}

async fn floor(client: &Client, wanted: fn(&FloorEvent) -> bool) {
    happens(client, "the floor", |event| matches!(event, Event::Room(_, RoomEvent::Floor(floor)) if wanted(floor)))
        .await;
}

/// Waits until there are links to so many others.
async fn linked(client: &Client, room: RoomId, others: usize) {
    let wait = async {
        loop {
            let view = client.room(room).await.unwrap().unwrap();
            let here = view.members.iter().filter(|member| matches!(member.presence, Presence::Here(_)));
            if here.count() == others {
                return;
            }
            client.next_event().await.unwrap();
        }
    };
    in_time("links", wait).await;
}

fn guest(name: &str) -> Guest {
    Guest { name: name.to_owned(), memory: Memory::Nothing, age: Age::Unknown }
}

/// A sound card that says a tone of 1 kHz while told to, and tells whether it hears one.
struct Card {
    says: Arc<AtomicBool>,
    hears: Arc<AtomicBool>,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Card {
    fn of(client: &Client) -> Self {
        let (mut microphone, mut speaker) = client.take_sound().expect("taken once");
        let [says, hears, quit] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
        let flags = (Arc::clone(&says), Arc::clone(&hears), Arc::clone(&quit));
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            for turn in 1_u32.. {
                if flags.2.load(Relaxed) {
                    return;
                }
                let loud = flags.0.load(Relaxed);
                // 48 samples are a period of 1 kHz: every block is like the others.
                let tone = |at: usize| (8_000.0 * (at as f64 * std::f64::consts::TAU / 48.0).sin()) as i16;
                let block: Vec<i16> = (0..480).map(|at| if loud { tone(at) } else { 0 }).collect();
                microphone.push(&block);
                let mut out = [0; 480];
                speaker.pull(&mut out);
                let heard = out.iter().filter(|sample| sample.abs() > 3_000).count() > 200;
                flags.1.store(heard, Relaxed);
                let due = Duration::from_millis(10) * turn;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        });
        Self { says, hears, quit, thread: Some(thread) }
    }

    async fn hears(&self, wanted: bool) {
        in_time("sound", async {
            while self.hears.load(Relaxed) != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.quit.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_meet_by_link_and_by_code_and_speak_one_at_a_time() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, bert, cleo) = (open(&server).await, open(&server).await, open(&server).await);
    let cards = [&anna, &bert, &cleo].map(Card::of);

    let policy = Policy { speaking: Speaking::PushToTalk, ..Policy::default() };
    let new = NewRoom { policy, name: Some("crew".to_owned()), memory: Memory::Nothing };
    let room = anna.create_room(new, "anna").await.unwrap();
    let link = anna.room_link(room).await.unwrap();
    assert_eq!(bert.join_link(&link, guest("bert")).await, Ok(room));
    assert_eq!(bert.join_link(&link, guest("bert")).await, Err(Error::Already));
    let code = anna.open_code(room).await.unwrap();
    let (plate, _) = code.split_once('-').unwrap();
    let wrong = cleo.join_code(&format!("{plate}-acid-lemon"), guest("cleo")).await;
    assert_eq!(wrong, Err(RoomFailure::WrongCode.into()));
    assert_eq!(cleo.join_code(&code, guest("anna")).await, Ok(room), "also under a name that is there");
    for client in [&anna, &bert, &cleo] {
        linked(client, room, 2).await;
    }
    let words = anna.group_phrase(room).await.unwrap();
    assert_eq!(words.as_ref().map(|words| words.split(' ').count()), Some(6));
    assert_eq!(
        (bert.group_phrase(room).await.unwrap(), cleo.group_phrase(room).await.unwrap()),
        (words.clone(), words)
    );

    cards[1].says.store(true, Relaxed);
    bert.press(room, Priority::Normal);
    bert.press(room, Priority::Normal);
    floor(&bert, |event| *event == FloorEvent::Granted).await;
    floor(&anna, |event| matches!(event, FloorEvent::Taken(_))).await;
    cards[0].hears(true).await;
    cards[2].hears(true).await;
    assert_eq!(bert.room(room).await.unwrap().unwrap().floor, Some(FloorState::Speaking));
    // Cleo waits her turn.
    cleo.press(room, Priority::Normal);
    floor(&cleo, |event| *event == FloorEvent::Queued(1)).await;
    bert.release(room);
    bert.release(room);
    floor(&cleo, |event| *event == FloorEvent::Granted).await;
    cards[0].hears(false).await;
    cards[2].says.store(true, Relaxed);
    cards[0].hears(true).await;

    // Who is put out hears nothing more, whoever speaks.
    cards[1].hears(true).await;
    let view = anna.room(room).await.unwrap().unwrap();
    let out = view.members.iter().find(|member| member.name.as_str() == "bert").unwrap().member;
    assert_eq!(cleo.kick(room, out).await, Err(RoomFailure::NotCreator.into()));
    anna.kick(room, out).await.unwrap();
    let ended = |event: &Event| matches!(event, Event::Room(_, RoomEvent::Ended(RoomEnd::Kicked)));
    happens(&bert, "the end", ended).await;
    cards[1].hears(false).await;
    cards[0].hears(true).await;

    anna.close_room(room).await.unwrap();
    let closed = |event: &Event| matches!(event, Event::Room(_, RoomEvent::Ended(RoomEnd::Closed)));
    happens(&cleo, "the end", closed).await;
    assert_eq!(cleo.rooms().await, Ok(vec![]));
    assert_eq!(cleo.recent_rooms().await, Ok(vec![]), "nothing was to be remembered");
    for client in [anna, bert, cleo] {
        client.close().await;
    }
}

/// Opens a client that keeps what it keeps in a file.
async fn open_at(server: &Running, store: &Path) -> Client {
    let mut config = Config::new(format!("ws://{}", server.addr), Some(store.to_owned()), FixedKey::new([7; 32]));
    config.bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
    config.login_cost = Cost::Least;
    let client = Client::open(config).unwrap();
    happens(&client, "the server", |event| *event == Event::Connected(true)).await;
    client
}

async fn member(client: &Client, room: RoomId, name: &str) -> MemberId {
    let view = client.room(room).await.unwrap().unwrap();
    view.members.iter().find(|member| member.name.as_str() == name).unwrap().member
}

async fn exported(client: &Client, folder: &Path) -> String {
    client.export(folder, Export::default()).await.unwrap();
    std::fs::read_to_string(folder.join("sidetone-export.json")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_and_a_guest_share_a_room_and_each_remembers_what_it_chose() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("anna.db");
    let (anna, bert, cleo) = (open_at(&server, &store).await, open(&server).await, open(&server).await);
    anna.register("anna", "anna@example.org", "correct horse battery").await.unwrap();
    let cards = [&anna, &bert].map(Card::of);

    let policy = Policy { speaking: Speaking::PushToTalk, ..Policy::default() };
    let new = NewRoom { policy, name: Some("the shed".to_owned()), memory: Memory::Kept };
    assert_eq!(bert.create_room(new.clone(), "bert").await, Err(Error::SignedOut), "nobody keeps a room of a guest");
    let room = anna.create_room(new, "anna in the shed").await.unwrap();
    assert_eq!(bert.join_link(&anna.room_link(room).await.unwrap(), guest("bert")).await, Ok(room));
    let code = anna.open_code(room).await.unwrap();
    let shown = anna.code_link(&code).unwrap();
    assert_eq!(cleo.join_link(&shown, guest("cleo")).await, Ok(room), "a code as a link");
    for client in [&anna, &bert, &cleo] {
        linked(client, room, 2).await;
    }
    let (of_bert, of_anna) = (member(&anna, room, "bert").await, member(&bert, room, "anna in the shed").await);
    let number = anna.member_safety_number(room, of_bert).await.unwrap().unwrap();
    assert_eq!(bert.member_safety_number(room, of_anna).await.unwrap(), Some(number));

    bert.press(room, Priority::Normal);
    cards[1].says.store(true, Relaxed);
    cards[0].hears(true).await;
    // In another room meanwhile: whoever presses there lets go here.
    let other = bert.create_room(NewRoom { policy, name: None, memory: Memory::Nothing }, "bert").await.unwrap();
    bert.press(other, Priority::Normal);
    floor(&anna, |event| *event == FloorEvent::Released).await;
    cards[0].hears(false).await;
    assert_eq!(bert.room(other).await.unwrap().unwrap().floor, Some(FloorState::Speaking));
    bert.press(room, Priority::Normal);
    cards[0].hears(true).await;
    bert.release(room);
    bert.leave_room(other).await.unwrap();

    bert.say_in_room(room, "only now").await.unwrap();
    let text = |event: &Event| matches!(event, Event::Room(_, RoomEvent::Text(_, text)) if text.as_str() == "only now");
    happens(&anna, "the text", text).await;
    // The ban makes the link that bert has worthless, the one that anna has is new.
    let before = anna.room_link(room).await.unwrap();
    anna.ban(room, of_bert).await.unwrap();
    let banned = |event: &Event| matches!(event, Event::Room(_, RoomEvent::Ended(RoomEnd::Banned)));
    happens(&bert, "the end", banned).await;
    assert_ne!(anna.room_link(room).await.unwrap(), before);
    linked(&anna, room, 1).await;
    linked(&cleo, room, 1).await;
    cleo.leave_room(room).await.unwrap();
    linked(&anna, room, 0).await;
    assert_eq!((bert.recent_rooms().await, cleo.recent_rooms().await), (Ok(vec![]), Ok(vec![])), "guests keep nothing");
    drop(cards);
    anna.close().await;

    // After a restart anna's phone knows the room, and comes back as its creator.
    let anna = open_at(&server, &store).await;
    let recent = anna.recent_rooms().await.unwrap();
    let known = |recent: &RecentRoom| (recent.room, recent.creator, recent.shown.as_str().to_owned());
    assert_eq!(recent.iter().map(known).collect::<Vec<_>>(), [(room, true, "anna in the shed".to_owned())]);
    anna.rejoin_room(room).await.unwrap();
    let code = anna.open_code(room).await.unwrap();
    assert_eq!(cleo.join_code(&code, guest("cleo")).await, Ok(room));
    linked(&anna, room, 1).await;
    let document = exported(&anna, &dir.path().join("one")).await;
    assert!(document.contains("the shed") && document.contains("anna in the shed"));
    let secret = anna.room_link(room).await.unwrap();
    let (_, fragment) = secret.split_once('#').unwrap();
    assert!(!document.contains(&fragment[..20]), "what opens it is not in the clear");
    assert_eq!(anna.forget_room(room).await, Err(Error::Already));
    anna.leave_room(room).await.unwrap();
    anna.forget_room(room).await.unwrap();
    assert_eq!(anna.recent_rooms().await, Ok(vec![]));
    assert!(!exported(&anna, &dir.path().join("two")).await.contains("shed"), "forgotten is forgotten");
    anna.close().await;
    let bytes = std::fs::read(&store).unwrap();
    assert!(!bytes.windows(8).any(|part| part == b"the shed"));
    for client in [bert, cleo] {
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_open_room_all_see_who_speaks_and_a_mute_that_was_asked_for_is_seen() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let (anna, bert, cleo) = (open(&server).await, open(&server).await, open(&server).await);
    let cards = [&anna, &bert, &cleo].map(Card::of);
    let new = NewRoom { policy: Policy::default(), name: None, memory: Memory::Nothing };
    let room = anna.create_room(new, "anna").await.unwrap();
    let link = anna.room_link(room).await.unwrap();
    for (client, name) in [(&bert, "bert"), (&cleo, "cleo")] {
        assert_eq!(client.join_link(&link, guest(name)).await, Ok(room));
    }
    for client in [&anna, &bert, &cleo] {
        linked(client, room, 2).await;
    }
    cards[1].says.store(true, Relaxed);
    for (client, card) in [(&anna, &cards[0]), (&cleo, &cards[2])] {
        let speaker = member(client, room, "bert").await;
        let loud = |event: &Event| match event {
            Event::Room(_, RoomEvent::Loud(levels)) => levels.first().is_some_and(|loud| loud.member == speaker),
            _ => false,
        };
        happens(client, "who is loud", loud).await;
        card.hears(true).await;
    }
    let (of_bert, of_anna) = (member(&anna, room, "bert").await, member(&bert, room, "anna").await);
    anna.ask_to_mute(room, of_bert).await.unwrap();
    let asked = |event: &Event| matches!(event, Event::Room(_, RoomEvent::MuteAsked(by)) if *by == of_anna);
    happens(&bert, "who asks", asked).await;
    cards[0].hears(true).await;
    bert.set_room_microphone(room, MicrophoneState::Off).await.unwrap();
    cards[0].hears(false).await;
    in_time("the shut microphone", async {
        let shut = |view: RoomView| view.members.iter().any(|seen| seen.member == of_bert && !seen.poise.microphone);
        while !shut(anna.room(room).await.unwrap().unwrap()) {
            anna.next_event().await.unwrap();
        }
    })
    .await;
    for client in [anna, bert, cleo] {
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_opens_no_room_says_what_to_do() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let anna = open(&server).await;
    let new = NewRoom { policy: Policy::default(), name: None, memory: Memory::Nothing };
    let room = anna.create_room(new, "anna").await.unwrap();
    let link = anna.room_link(room).await.unwrap().to_string();
    anna.leave_room(room).await.unwrap();
    for (link, failure, action) in [
        ("https://example.org/", RoomFailure::NotALink, UserAction::Correct),
        (&link[..link.len() - 1], RoomFailure::DamagedLink, UserAction::Correct),
        (&link.replace("127.0.0.1", "meet.example"), RoomFailure::OtherServer, UserAction::Nothing),
        (&link, RoomFailure::NoSuchRoom, UserAction::Nothing),
    ] {
        let refused = anna.join_link(link, guest("anna")).await.unwrap_err();
        assert_eq!((&refused, refused.user_action()), (&Error::Room(failure), action), "{link}");
    }
    for (code, failure) in [("lemon", RoomFailure::NotACode), ("1234567-acid-lemon", RoomFailure::CodeOver)] {
        assert_eq!(anna.join_code(code, guest("anna")).await, Err(failure.into()), "{code}");
    }
    assert_eq!(anna.kick(room, MemberId([1; 16])).await, Err(RoomFailure::NoSuchRoom.into()));
    // A button of a room that is over presses nothing.
    anna.press(room, Priority::Normal);
    anna.release(room);
    assert_eq!(anna.rooms().await, Ok(vec![]));
    anna.close().await;
}
