//! What a phone's decisions cost beside the cryptography in them, and what a long list of friends adds.
//!
//! `cargo bench -p proving --bench engine` prints times of whole steps, and their ratios to the same messages sealed and
//! opened by `sidetone-crypto` alone in the same run. Every time is the least mean of several rounds.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark prints")]

mod pair;

use std::hint::black_box;
use std::time::Instant;

use pair::{Pair, Times, US};
use sidetone_crypto::handshake::{Initiator, Pattern, Responder, Session};
use sidetone_crypto::identity::Identity;
use sidetone_crypto::record::{Channel, Opened};
use sidetone_engine::{Command, Input};
use sidetone_wire::id::{CallId, ItemSeq, LaneId, UnixMs};
use sidetone_wire::record::{Body, CallWord, Item, Mark, Record, Text, Word};

const ROUNDS: usize = 7;
const TEXTS: usize = 1_000;
const CALLS: usize = 40;
const TICKS: usize = 200;
const FRIENDS: [usize; 3] = [1, 1_000, 10_000];

fn main() {
    println!("{:<52} {:>12} {:>12}", "", "one", "a second");
    texts();
    calls();
    friends();
}

fn least(run: impl FnMut() -> f64) -> f64 {
    std::iter::repeat_with(run).take(ROUNDS).fold(f64::INFINITY, f64::min)
}

fn row(name: &str, ns: f64) {
    println!("{name:<52} {:>9.2} µs {:>12.0}", ns / 1e3, 1e9 / ns);
}

fn ratio(name: &str, of: f64, to: f64) {
    println!("{name:<52} {:>9.2} ×", of / to);
}

fn said() -> Text {
    Text::parse("See you at nine, under the clock. Bring the map.").expect("a text")
}

/// A text over a link that is up: taken in and confirmed, and sent.
fn texts() {
    let round = || {
        let mut pair = Pair::linked(1);
        let (mut sent, mut taken, mut steps) = (Times::default(), Times::default(), 0);
        for _ in 0..TEXTS {
            pair.times = [Times::default(); 2];
            let begun = pair.steps;
            pair.command(0, Command::SendText(US[1], said()));
            sent.add(pair.times[0]);
            taken.add(pair.times[1]);
            steps += pair.steps - begun;
        }
        assert_eq!(pair.confirmed(0), TEXTS as u64, "every text was confirmed");
        (sent.ns / TEXTS as f64, taken.ns / TEXTS as f64, (sent.ns + taken.ns) / steps as f64)
    };
    let rounds: Vec<_> = std::iter::repeat_with(round).take(ROUNDS).collect();
    let pick = |part: fn(&(f64, f64, f64)) -> f64| rounds.iter().map(part).fold(f64::INFINITY, f64::min);
    let (sent, taken, step) = (pick(|round| round.0), pick(|round| round.1), pick(|round| round.2));
    let bare = least(bare_texts);
    row("a step of two phones that text over a link", step);
    row("a text sent and its confirmation taken in", sent);
    row("a text taken in and confirmed", taken);
    row("  the same two records by the cryptography alone", bare);
    ratio("  engine to cryptography, sent", sent, bare);
    ratio("  engine to cryptography, taken in", taken, bare);
}

/// One end's work for a text: one record opened and one sealed, with the epochs that are due.
fn bare_texts() -> f64 {
    let (lane, seq, at) = (LaneId([8; 16]), ItemSeq(1), UnixMs(1_790_000_000_000));
    let item = Record::Item(Item { lane, seq, at, body: Body::Text(said()) }).to_bytes().expect("short");
    let mark = Record::Received(Mark { lane, up_to: seq }).to_bytes().expect("short");
    let (mut ada, mut ben) = channels();
    let mut ns = 0.0;
    for n in 0..TEXTS {
        let now_ms = n as u64 * 10;
        let sealed = ada.seal(now_ms, &item).expect("a record");
        let begun = Instant::now();
        black_box(ben.open(now_ms, [5; 32], &sealed).expect("it opens"));
        let confirmed = ben.seal(now_ms, &mark).expect("a record");
        ns += begun.elapsed().as_nanos() as f64;
        ada.open(now_ms, [5; 32], &confirmed).expect("it opens");
        for turn in [true, false] {
            let (us, them) = if turn { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
            if !us.rekey_due(now_ms) {
                continue;
            }
            let offer = us.rekey(now_ms, [6; 32]).expect("an offer");
            let begun = Instant::now();
            let opened = them.open(now_ms, [7; 32], &offer).expect("it opens");
            ns += begun.elapsed().as_nanos() as f64;
            let Opened::Rekey(answer) = opened else { continue };
            us.open(now_ms, [8; 32], &answer).expect("it opens");
        }
    }
    ns / TEXTS as f64
}

fn sessions() -> (Session, Session) {
    let (ada, ben) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
    let theirs = Pattern::Friends { own: &ada, peer: ben.public() };
    let ours = Pattern::Friends { own: &ben, peer: ada.public() };
    let (waiting, hello) = Initiator::start(&theirs, b"", b"", [3; 32]).expect("a hello");
    let (opened, _) = Responder::open(&ours, b"", &hello, [4; 32]).expect("it opens");
    let (ben, answer) = opened.answer(b"").expect("an answer");
    (waiting.finish(&answer).expect("a session").0, ben)
}

fn channels() -> (Channel, Channel) {
    let (ada, ben) = sessions();
    (ada.channels().signal, ben.channels().signal)
}

/// From the hello of a friend who calls to a phone that rings.
fn calls() {
    let round = || {
        let mut taken = Times::default();
        for _ in 0..CALLS {
            let mut pair = Pair::online(1);
            pair.times = [Times::default(); 2];
            pair.command(0, Command::Call(US[1]));
            assert!(pair.rings(1), "it rings");
            taken.add(pair.times[1]);
        }
        taken.ns / CALLS as f64
    };
    let (engine, bare) = (least(round), least(bare_call));
    row("a call comes in, from the hello to the ring", engine);
    row("  its handshake and records alone", bare);
    ratio("  engine to cryptography", engine, bare);
}

fn bare_call() -> f64 {
    let (ada, ben) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
    let theirs = Pattern::Friends { own: &ada, peer: ben.public() };
    let ours = Pattern::Friends { own: &ben, peer: ada.public() };
    let call = |word| Record::Call(CallWord { call: CallId([7; 16]), word }).to_bytes().expect("short");
    let ring = call(Word::Ring(Default::default()));
    let mut ns = 0.0;
    for _ in 0..CALLS {
        let (waiting, hello) = Initiator::start(&theirs, b"", b"", [3; 32]).expect("a hello");
        let begun = Instant::now();
        let (opened, _) = Responder::open(&ours, b"", &hello, [4; 32]).expect("it opens");
        let (session, answer) = opened.answer(b"").expect("an answer");
        let mut channel = session.channels().signal;
        ns += begun.elapsed().as_nanos() as f64;
        let mut caller = waiting.finish(&answer).expect("a session").0.channels().signal;
        let records = [&ring, &ring].map(|record| caller.seal(0, record).expect("a record"));
        let begun = Instant::now();
        for record in &records {
            black_box(channel.open(0, [5; 32], record).expect("it opens"));
        }
        black_box(channel.seal(0, &ring).expect("a record"));
        ns += begun.elapsed().as_nanos() as f64;
    }
    ns / CALLS as f64
}

/// What every step pays for a friend at the other end of a link, and for people it has nothing to do with.
fn friends() {
    let mut pair = Pair::linked(1);
    row("a step in which nothing happens, with a link", least(|| ticks(&mut pair)));
    row("when the engine wants to be told the time", least(|| deadlines(&pair)));
    let mut first = [0.0; 3];
    for (at, friends) in FRIENDS.into_iter().enumerate() {
        let mut pair = Pair::online(friends);
        println!("with {friends} friends");
        row("  the roster is read, each of them", pair.times[1].ns / friends as f64);
        let begun = Instant::now();
        black_box(pair.engine(1).friends());
        row("  the app lists them, each of them", begun.elapsed().as_nanos() as f64 / friends as f64);
        let nothing = least(|| ticks(&mut pair));
        pair.talks_with_all(0);
        let talks = least(|| ticks(&mut pair));
        pair.talks_with_all(1);
        let waiting = least(|| ticks(&mut pair));
        row("  a step in which nothing happens", nothing);
        row("  the same, after a talk with each of them", talks);
        row("  the same, while a text waits for each of them", waiting);
        if at == 0 {
            first = [nothing, talks, waiting];
        } else {
            ratio("  to one friend: nothing happens", nothing, first[0]);
            ratio("  to one friend: talks", talks, first[1]);
            ratio("  to one friend: waiting texts", waiting, first[2]);
        }
    }
}

fn ticks(pair: &mut Pair) -> f64 {
    pair.times = [Times::default(); 2];
    (0..TICKS).for_each(|_| pair.step(1, Input::Tick));
    pair.times[1].ns / TICKS as f64
}

fn deadlines(pair: &Pair) -> f64 {
    let begun = Instant::now();
    for _ in 0..TICKS {
        black_box(pair.engine(1).deadline());
    }
    begun.elapsed().as_nanos() as f64 / TICKS as f64
}
