//! Thousands of lives of two friends. `WORLD_SEED=7` replays one, `WORLD_SEEDS=100000` lives more of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use proving::world::{Lies, Script, World, live};
use sidetone_engine::row::Table;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Lives every seed on two threads; names the seeds that failed.
fn lives(count: u64, script: impl Fn(u64) -> Script + Sync) {
    let tally = Tally::default();
    let one = |seed: u64| {
        let world = live(seed, script(seed));
        for phone in &world.phones[..2] {
            tally.connected.fetch_add(phone.connected, Ordering::Relaxed);
            let texts = phone.disk().keys().filter(|place| place.table == Table::Message).count();
            tally.texts.fetch_add(texts as u32, Ordering::Relaxed);
        }
    };
    if let Some(seed) = number("WORLD_SEED") {
        return one(seed);
    }
    let count = number("WORLD_SEEDS").unwrap_or(count);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let half = |half: u64| {
            let one = &one;
            let lived = |seed: &u64| catch_unwind(AssertUnwindSafe(|| one(*seed))).is_err();
            scope.spawn(move || (0..count).filter(|seed| seed % 2 == half).filter(lived).collect::<Vec<u64>>())
        };
        let halves = [half(0), half(1)];
        halves.into_iter().flat_map(|half| half.join().expect("the thread catches panics")).collect()
    });
    assert!(
        failed.is_empty(),
        "{} of {count} seeds failed; replay with WORLD_SEED={:?}",
        failed.len(),
        &failed[..1.min(failed.len())]
    );
    let (connected, texts) = (tally.connected.into_inner(), tally.texts.into_inner());
    let happened = u64::from(connected) > count / 4 && u64::from(texts) > 4 * count;
    assert!(happened, "{connected} ends of calls connected and {texts} messages kept in {count} lives");
}

/// What happened in all lives together: a world in which nothing happens proves nothing.
#[derive(Default)]
struct Tally {
    connected: AtomicU32,
    texts: AtomicU32,
}

const CALM: Script =
    Script { deeds: 25, crash_one_in: 0, troubles: false, files: false, lies: Lies { drop: 0, twice: 0, late: 0 } };

#[test]
fn friends_talk_when_all_is_well() {
    lives(500, |_| CALM);
}

#[test]
fn no_text_is_lost_or_doubled_and_no_phone_rings_for_ever_whatever_fails() {
    lives(4_000, |seed| Script {
        deeds: 40,
        crash_one_in: [0, 30, 100, 300][seed as usize % 4],
        troubles: true,
        ..CALM
    });
}

#[test]
fn every_file_arrives_whole_or_ends_alike_at_both_ends_whatever_fails() {
    lives(400, |seed| Script {
        deeds: 40,
        crash_one_in: [0, 30, 100, 300][seed as usize % 4],
        troubles: seed % 3 > 0,
        files: true,
        ..CALM
    });
}

#[test]
fn a_server_that_drops_doubles_and_delays_what_it_routes_harms_no_text_and_no_call() {
    let lies = Lies { drop: 8, twice: 6, late: 8 };
    lives(1_500, |seed| Script { deeds: 30, troubles: seed % 2 == 0, lies, ..CALM });
}

#[test]
fn a_seed_gives_the_same_life_byte_for_byte() {
    let script = Script { deeds: 30, crash_one_in: 50, troubles: true, ..CALM };
    for seed in 0..10 {
        assert_eq!(live(seed, script).digest(), live(seed, script).digest(), "seed {seed}");
    }
    let (one, other): (World, World) = (live(1, script), live(2, script));
    assert_ne!(one.digest(), other.digest());
}
