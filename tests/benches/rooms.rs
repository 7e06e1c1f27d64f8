//! What it costs a room of sixteen that somebody is put out: everybody makes a new key and gives it to the others.
//!
//! `cargo bench -p proving --bench rooms` prints the time of all phones together, in the simulated world with its network and
//! server, beside the sealing and opening of the same number of keys by `sidetone-crypto` alone in the same run.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::time::Instant;

use proving::world::World;
use sidetone_crypto::handshake::{Initiator, Pattern, Responder};
use sidetone_crypto::identity::Identity;
use sidetone_crypto::record::Opened;
use sidetone_crypto::room::Policy;
use sidetone_engine::room::RoomCommand;
use sidetone_wire::id::KeyBytes;
use sidetone_wire::member::RoomWord;
use sidetone_wire::record::{MediaKey, Record};

const MEMBERS: usize = 16;
const ROUNDS: u64 = 5;

fn main() {
    let (mut idle, mut rekey) = (f64::INFINITY, f64::INFINITY);
    for seed in 0..ROUNDS {
        let (mut world, room) = World::gather(seed, MEMBERS, Policy::default());
        world.run(2_000);
        idle = idle.min(timed(|| world.run(500)));
        let out = world.me(MEMBERS - 1, room);
        let before = world.phones[1].sounds[&room].keys.len();
        rekey = rekey.min(timed(|| {
            world.ask_room(0, RoomCommand::Kick(room, out)).expect("it is the creator");
            world.run(500);
        }));
        let told = world.phones[1].sounds[&room].keys.len() - before;
        assert!(told >= MEMBERS - 2, "everybody gave a new key: {told}");
    }
    let keys = ((MEMBERS - 1) * (MEMBERS - 2)) as f64;
    let (cost, bare) = ((rekey - idle) / keys, records(keys as usize) / keys);
    println!("one of {MEMBERS} put out, all phones, network and server   {:>9.2} ms", (rekey - idle) / 1e6);
    println!(
        "  for each phone that stays                       {:>9.2} ms",
        (rekey - idle) / 1e6 / (MEMBERS - 1) as f64
    );
    println!("  for each key that is given                      {:>9.2} µs", cost / 1e3);
    println!("  a key sealed and opened by the cryptography     {:>9.2} µs", bare / 1e3);
    println!("  ratio                                           {:>9.2} ×", cost / bare);
}

fn timed(act: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    act();
    begun.elapsed().as_nanos() as f64
}

/// So many records with a key in each, from one end of a session to the other.
fn records(count: usize) -> f64 {
    let [one, other] = [1, 2].map(|seed| Identity::from_seed([seed; 32]));
    let (ours, theirs) = (Pattern::Room { own: &one, psk: &[7; 32] }, Pattern::Room { own: &other, psk: &[7; 32] });
    let (initiator, hello) = Initiator::start(&ours, b"", b"", [3; 32]).expect("a hello");
    let (responder, _) = Responder::open(&theirs, b"", &hello, [4; 32]).expect("the same room");
    let (confirming, answer) = responder.challenge(b"").expect("an answer");
    let (session, _, confirm) = initiator.confirm(&answer, b"").expect("a session");
    let (mut out, mut inn) =
        (session.channels().direct, confirming.finish(&confirm).expect("a session").0.channels().direct);
    let base = KeyBytes::new(&[5; 33]).expect("short");
    let record = Record::Room(RoomWord::Key(MediaKey { generation: 7, base })).to_bytes().expect("short");
    timed(|| {
        for _ in 0..count {
            let sealed = out.seal(0, &record).expect("fewer than a chain holds");
            let opened = inn.open(0, [0; 32], &sealed).expect("in order");
            assert!(matches!(black_box(opened), Opened::Data(_)));
        }
    })
}
