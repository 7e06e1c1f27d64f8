//! Strangers who are gone leave no memory behind: a thousand, one after the other, in a process of their own.

use proving::world::{World, entry};
use sidetone_engine::Command;
use sidetone_engine::stranger::{Attachment, AttachmentKind, Leaving, StrangerCommand, StrangerView};
use zeroize::Zeroizing;

const BYTES: usize = 100_000;

/// Memory of this process that is in use, in bytes.
fn held() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
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

/// What is kept shows: the control of what is not.
fn keep_and_look(begun: u64, what: &str) {
    let grown = held().saturating_sub(begun);
    assert!(grown < 8 << 20, "{grown} bytes more after {what}");
    eprintln!("{grown} bytes more after {what}");
    let kept: Vec<Vec<u8>> = (0..200).map(|round| vec![round as u8 | 1; BYTES]).collect();
    assert!(held().saturating_sub(begun) > 16 << 20, "{} images kept", kept.len());
}

#[test]
#[ignore = "run alone by a_thousand_strangers_leave_no_memory_behind"]
fn a_thousand_strangers_in_the_world() {
    let mut world = World::lobby(1, 2);
    let mut id = world.meet(0, 1);
    let mut begun = 0;
    for round in 0..1_000 {
        if round == 50 {
            begun = held();
        }
        let kind = AttachmentKind::Image { width: 1, height: 1 };
        let image = Attachment { kind, bytes: Zeroizing::new(vec![round as u8; BYTES]) };
        world.command(0, Command::Stranger(StrangerCommand::Send(id, image)));
        let whole = |world: &World| world.talked(1).iter().any(|message| message.whole);
        assert!(world.run_until(20_000, whole), "round {round}");
        world.run(5_000);
        world.command(1, Command::Stranger(StrangerCommand::Leave(Leaving::End)));
        assert!(world.run_until(10_000, |world| matches!(world.lobby_of(0), StrangerView::Lobby(Some(_)))));
        // The server knows of the end a moment after them.
        world.run(500);
        for phone in [0, 1] {
            world.command(phone, Command::Stranger(StrangerCommand::Again(id, entry("once more"))));
        }
        let both = |world: &World| world.met(0).is_some() && world.met(0) == world.met(1);
        assert!(world.run_until(25_000, both), "round {round}: {:?}", world.lobby_of(0));
        id = world.met(0).expect("a match");
        // What the world itself remembers.
        world.tap.seen.clear();
        world.links.tried.clear();
        for phone in &mut world.phones {
            phone.events.clear();
            phone.answers.clear();
        }
    }
    keep_and_look(begun, &format!("950 strangers with {BYTES} bytes each"));
}

#[test]
fn a_thousand_strangers_leave_no_memory_behind() {
    by_itself("a_thousand_strangers_in_the_world");
}
