//! Strangers who are gone leave no memory behind: one after the other, in a process of their own in which every byte that is
//! allocated is counted. `GONE_STRANGERS=1000` says how many over real links.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proving::guests::{alone, direct, entering, meet, open, whole, with};
use proving::world::{World, entry};
use sidetone::{Client, Consent, MatchId, Note};
use sidetone_engine::Command;
use sidetone_engine::stranger::{Attachment, AttachmentKind, Leaving, StrangerCommand, StrangerView};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config, RelayConfig, Server};
use zeroize::Zeroizing;

const BYTES: usize = 100_000;
/// Before these were here, tables and pools are not as large as they get.
const FIRST: usize = 20;

static HELD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system allocator unchanged; counting touches only a number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes of this process that are allocated.
fn held() -> usize {
    HELD.load(Relaxed)
}

/// Runs a test that others would disturb.
fn by_itself(test: &str) {
    let itself = std::env::current_exe().expect("this test");
    let alone = ["--ignored", "--exact", test, "--nocapture"];
    let run = std::process::Command::new(itself).args(alone).output().expect("it runs");
    let (said, told) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("1 passed"), "{said}{told}");
    eprintln!("{told}");
}

/// What was held after each stranger. The links of the last one may still say farewell then, so that what stays is the least
/// of several.
#[derive(Default)]
struct Levels(Vec<usize>);

impl Levels {
    const SEVERAL: usize = 10;

    /// How much more is held after the last strangers than was after the first.
    fn grown(&self) -> usize {
        let least = |some: &[usize]| some.iter().copied().min().expect("several");
        let (first, last) = (&self.0[FIRST..FIRST + Self::SEVERAL], &self.0[self.0.len() - Self::SEVERAL..]);
        least(last).saturating_sub(least(first))
    }

    /// As many strangers again, of whom one image each is kept, show: the control of what is not.
    fn look(mut self, most: usize, what: &str) {
        let grown = self.grown();
        eprintln!("{grown} bytes more after {what}");
        assert!(grown < most, "{grown} bytes more after {what}");
        let mut kept = Vec::new();
        for round in FIRST..self.0.len() {
            kept.push(vec![round as u8 | 1; BYTES]);
            self.0.push(held());
        }
        let grown = self.grown();
        assert!(grown > most, "{grown} bytes more with {} images kept", kept.len());
    }
}

#[test]
#[ignore = "run alone by a_thousand_strangers_leave_no_memory_behind"]
fn a_thousand_strangers_in_the_world() {
    let mut world = World::lobby(1, 2);
    let mut id = world.meet(0, 1);
    let mut levels = Levels::default();
    for round in 0..1_000 {
        levels.0.push(held());
        let kind = AttachmentKind::Image { width: 1, height: 1 };
        let image = Attachment { kind, bytes: Zeroizing::new(vec![round as u8; BYTES]) };
        world.command(0, Command::Stranger(StrangerCommand::Send(id, image)));
        let whole = |world: &World| world.talked(1).iter().any(|message| message.whole);
        assert!(world.run_until(20_000, whole), "round {round}");
        world.run(5_000);
        world.command(1, Command::Stranger(StrangerCommand::Leave(Leaving::End)));
        assert!(world.run_until(10_000, |world| matches!(world.lobby_of(0), StrangerView::Lobby(Some(_)))));
        for phone in [0, 1] {
            world.command(phone, Command::Stranger(StrangerCommand::Again(id, entry("once more"))));
        }
        let both = |world: &World| world.met(0).is_some() && world.met(0) == world.met(1);
        assert!(world.run_until(25_000, both), "round {round}: {:?}", world.lobby_of(0));
        id = world.met(0).expect("a match");
        // What the world itself remembers.
        world.tap.seen = Vec::new();
        world.links.tried = Vec::new();
        for phone in &mut world.phones {
            phone.events = Vec::new();
            phone.answers.clear();
        }
    }
    levels.look(500_000, &format!("{} strangers with {BYTES} bytes each", 1_000 - FIRST));
}

/// Talks, sends and leaves: each time in another of the ways there are.
async fn round(phones: &[Client; 2], id: MatchId, number: usize) {
    let [ada, ben] = phones;
    ada.strangers().say(id, "hello").await.expect("it is said");
    let ogg = (0..BYTES).map(|at| (at * (number + 3)) as u8).collect();
    ben.strangers().send_note(id, Note { ogg, duration_ms: 1_000, waveform: vec![1; 8] }).await.expect("it is sent");
    for phone in phones {
        whole(phone, id, 2).await;
    }
    if number.is_multiple_of(4) {
        for phone in phones {
            phone.strangers().set_direct(id, Consent::Yes).await.expect("they are together");
        }
        for phone in phones {
            direct(phone).await;
        }
    }
    let leaver = &phones[number % 2];
    if number.is_multiple_of(3) {
        leaver.on_background().await.expect("open");
    } else {
        let burned = leaver.strangers().end().await.expect("open");
        assert_eq!((burned.held, burned.held.notes, burned.held.texts), (burned.erased, 1, 1));
    }
    for phone in phones {
        alone(phone).await;
    }
}

async fn again(phones: &[Client; 2], id: MatchId) -> MatchId {
    for phone in phones {
        phone.strangers().again(id, entering("once more")).await.expect("it is asked for");
    }
    for phone in phones {
        with(phone, "the same one again", |stranger| stranger.id != id && stranger.route.is_some()).await;
    }
    with(&phones[0], "the match", |_| true).await.id
}

#[tokio::test]
#[ignore = "run alone by strangers_over_real_links_leave_no_memory_behind"]
async fn strangers_over_links() {
    let many = std::env::var("GONE_STRANGERS").ok().and_then(|many| many.parse().ok()).unwrap_or(80);
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut relay = RelayConfig::new((here, 0).into());
    relay.test_peers.push(PeerRange::new(here, 8));
    let server = Server::start(Config { relay: Some(relay), ..Config::in_memory() }).await.expect("a server");
    let phones = [open(server.addr, here).await, open(server.addr, here).await];
    let (ada, ben) = tokio::join!(meet(&phones[0], "ada"), meet(&phones[1], "ben"));
    assert_eq!(ada, ben);
    let (mut id, mut levels) = (ada, Levels::default());
    for number in 0..many {
        round(&phones, id, number).await;
        levels.0.push(held());
        if number + 1 < many {
            id = again(&phones, id).await;
        }
    }
    levels.look(900_000, &format!("{} strangers over real links", many - FIRST - 1));
    for phone in phones {
        phone.close().await;
    }
    server.stop().await;
}

#[test]
fn a_thousand_strangers_leave_no_memory_behind() {
    by_itself("a_thousand_strangers_in_the_world");
}

#[test]
fn strangers_over_real_links_leave_no_memory_behind() {
    by_itself("strangers_over_links");
}
