//! The measured promises of the crate, each beside the peer or the limit it is compared with, in one run.
//!
//! `cargo bench -p sidetone-crypto` prints criterion's figures and then one table of ratios.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sidetone_crypto::{
    handshake::{Channels, Initiator, Pattern, Responder, Session},
    identity::Identity,
    record::{Channel, Opened},
    safety::Fingerprint,
    sframe::{BaseKey, Opener, Sealer},
    vault::{Place, Vault},
};
use vodozemac::olm::{Account, OlmMessage, Session as OlmSession, SessionConfig};

fn main() {
    let mut bench = Bench::new();
    media(&mut bench);
    handshakes(&mut bench);
    records(&mut bench);
    rest(&mut bench);
    bench.table();
}

struct Bench {
    criterion: Criterion,
    best: RefCell<BTreeMap<String, f64>>,
    rows: Vec<(String, String, Limit)>,
    races: Vec<(String, f64, Limit)>,
}

enum Limit {
    Ratio(&'static str, f64),
    Nanos(f64),
    Faster(&'static str, f64),
}

impl Bench {
    fn new() -> Self {
        Self {
            criterion: Criterion::default()
                .measurement_time(Duration::from_millis(1_500))
                .warm_up_time(Duration::from_millis(300))
                .without_plots()
                .configure_from_args(),
            best: RefCell::default(),
            rows: Vec::new(),
            races: Vec::new(),
        }
    }

    /// Times a routine with criterion and keeps the median of its samples.
    fn time(&mut self, name: &str, mut routine: impl FnMut()) {
        let samples = RefCell::new(Vec::new());
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                for _ in 0..times {
                    routine();
                }
                let spent = start.elapsed();
                samples.borrow_mut().push(spent.as_nanos() as f64 / times as f64);
                spent
            });
        });
        let mut samples = samples.into_inner();
        samples.sort_by(f64::total_cmp);
        if let Some(median) = samples.get(samples.len() / 2) {
            self.best.borrow_mut().insert(name.into(), *median);
        }
    }

    /// Runs two routines by turns and keeps the median of the ratios. Whatever else the machine does meets both, as long as
    /// a lap of the slower one is short beside the scheduler's time slice: `times` is chosen for that.
    fn race(&mut self, what: &str, limit: Limit, times: u32, mut ours: impl FnMut(), mut base: impl FnMut()) {
        let lap = |routine: &mut dyn FnMut()| {
            let start = Instant::now();
            (0..times).for_each(|_| routine());
            start.elapsed().as_secs_f64()
        };
        let mut ratios: Vec<f64> = (0..1_000).map(|_| lap(&mut ours) / lap(&mut base)).collect();
        ratios.sort_by(f64::total_cmp);
        self.races.push((what.into(), ratios[ratios.len() / 2], limit));
    }

    fn promise(&mut self, what: &str, measured: &str, limit: Limit) {
        self.rows.push((what.into(), measured.into(), limit));
    }

    fn table(&self) {
        let best = self.best.borrow();
        println!("\n{:<40} {:>10} {:>34}", "what", "measured", "limit");
        for (what, measured, limit) in &self.rows {
            if let Some(nanos) = best.get(measured) {
                let base = if let Limit::Ratio(base, _) | Limit::Faster(base, _) = limit { best[*base] } else { 1.0 };
                row(what, nanos / base, limit);
            }
        }
        for (what, ratio, limit) in &self.races {
            row(what, *ratio, limit);
        }
    }
}

fn row(what: &str, measured: f64, limit: &Limit) {
    let (shown, limit, holds) = match limit {
        Limit::Nanos(most) => (show(measured), show(*most), measured <= *most),
        Limit::Ratio(base, most) => (format!("{measured:.2}x"), format!("{most:.2}x {base}"), measured <= *most),
        Limit::Faster(base, least) => {
            (format!("{:.1}x", 1.0 / measured), format!("{least:.0}x faster than {base}"), 1.0 / measured >= *least)
        }
    };
    let verdict = if holds { "holds" } else { "BROKEN" };
    println!("{what:<40} {shown:>10} {limit:>34} {verdict:>8}");
}

fn show(nanos: f64) -> String {
    if nanos < 10_000.0 { format!("{nanos:.0} ns") } else { format!("{:.1} us", nanos / 1_000.0) }
}

/// Sealing with `ring` as it is: a cached key, a counter, the frame copied into a buffer.
fn raw_seal(frame: &[u8]) -> impl FnMut() {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
    let mut out = Vec::with_capacity(frame.len() + 64);
    let mut counter = 0_u64;
    move || {
        counter += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_be_bytes());
        out.clear();
        out.extend_from_slice(black_box(frame));
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(b"head"), &mut out).unwrap();
        black_box(&out);
    }
}

fn frame_seal(frame: &[u8]) -> impl FnMut() {
    let base = BaseKey::from_seed([1; 32]);
    let mut out = Vec::with_capacity(frame.len() + 64);
    let mut generation = 0;
    let mut sealer = Sealer::new(&base, generation, 0);
    move || {
        if sealer.seal(black_box(frame), &mut out).is_err() {
            generation += 1;
            sealer = Sealer::new(&base, generation, 0);
        }
        black_box(&out);
    }
}

fn media(bench: &mut Bench) {
    for (len, most) in [(160, 1.25), (5_120, 1.1)] {
        let frame = vec![7; len];
        let ours = format!("sframe seal {len} B");
        bench.time(&format!("ring {len} B"), raw_seal(&frame));
        bench.time(&ours, frame_seal(&frame));
        bench.race(&ours, Limit::Ratio("ring", most), 100, frame_seal(&frame), raw_seal(&frame));
    }
    let base = BaseKey::from_seed([1; 32]);
    let mut sealer = Sealer::new(&base, 0, 0);
    let mut opener = Opener::new();
    opener.insert(0, &base).unwrap();
    let (mut wire, mut out) = (Vec::new(), Vec::new());
    let mut generation = 0;
    bench.time("sframe seal and open 160 B", || {
        if sealer.seal(&[7; 160], &mut wire).is_err() {
            generation += 1;
            sealer = Sealer::new(&base, generation, 0);
            opener.insert(generation, &base).unwrap();
            return;
        }
        opener.open(&wire, &mut out).unwrap();
    });
}

fn friends() -> (Session, Session) {
    let (ada, ben) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
    greet(&ada, &ben)
}

fn greet(ada: &Identity, ben: &Identity) -> (Session, Session) {
    let ada_keys = Pattern::Friends { own: ada, peer: ben.public() };
    let ben_keys = Pattern::Friends { own: ben, peer: ada.public() };
    let (waiting, one) = Initiator::start(&ada_keys, b"prologue", &[0; 24], [3; 32]).unwrap();
    let (opened, _) = Responder::open(&ben_keys, b"prologue", &one, [4; 32]).unwrap();
    let (ben_session, two) = opened.answer(&[]).unwrap();
    let (ada_session, _) = waiting.finish(&two).unwrap();
    (ada_session, ben_session)
}

fn handshakes(bench: &mut Bench) {
    let (ada, ben) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
    bench.time("KKhfs, both sides", || {
        black_box(greet(&ada, &ben));
    });
    bench.promise("KKhfs, both sides (1.25 x 554 us)", "KKhfs, both sides", Limit::Nanos(692_500.0));
    let secret = x25519_dalek::StaticSecret::from([1; 32]);
    let public = x25519_dalek::PublicKey::from(&secret);
    bench.time("x25519, one agreement", || {
        black_box(secret.diffie_hellman(black_box(&public)));
    });
    // libsignal is not linked here, so its 554 us come from an earlier measurement; this row is a ratio of one run. Both
    // sides together need eight agreements, two key generations and the three parts of ML-KEM.
    bench.promise("KKhfs against its own X25519", "KKhfs, both sides", Limit::Ratio("x25519, one agreement", 16.0));
    let (mut ada, mut ben) = signal();
    bench.time("epoch, both sides", || {
        let offer = ada.rekey(0, [1; 32]).unwrap();
        let Opened::Rekey(answer) = ben.open(0, [2; 32], &offer).unwrap() else { return };
        ada.open(0, [0; 32], &answer).unwrap();
    });
    bench.promise("epoch, both sides", "epoch, both sides", Limit::Nanos(400_000.0));
}

fn signal() -> (Channel, Channel) {
    let (ada, ben) = friends();
    let (Channels { signal: ada, .. }, Channels { signal: ben, .. }) = (ada.channels(), ben.channels());
    (ada, ben)
}

fn olm() -> (OlmSession, OlmSession) {
    let ada = Account::new();
    let mut ben = Account::new();
    ben.generate_one_time_keys(1);
    let one_time = *ben.one_time_keys().values().next().unwrap();
    let mut out = ada.create_outbound_session(SessionConfig::version_1(), ben.curve25519_key(), one_time).unwrap();
    ben.mark_keys_as_published();
    let OlmMessage::PreKey(first) = out.encrypt("hello").unwrap() else {
        unreachable!("the first message is a pre-key message")
    };
    let mut inside =
        ben.create_inbound_session(SessionConfig::version_1(), ada.curve25519_key(), &first).unwrap().session;
    let reply = inside.encrypt("hi").unwrap();
    out.decrypt(&reply).unwrap();
    (out, inside)
}

fn our_record() -> impl FnMut() {
    let (mut ada, mut ben) = signal();
    move || {
        let sealed = ada.seal(0, black_box(&[7; 100])).unwrap();
        black_box(ben.open(0, [0; 32], &sealed).unwrap());
    }
}

fn their_record() -> impl FnMut() {
    let (mut out, mut inside) = olm();
    move || {
        let sealed = out.encrypt(black_box([7; 100])).unwrap();
        black_box(inside.decrypt(&sealed).unwrap());
    }
}

fn records(bench: &mut Bench) {
    let ours = "record 100 B, seal and open";
    bench.time(ours, our_record());
    bench.time("vodozemac 100 B, seal and open", their_record());
    bench.promise(ours, ours, Limit::Nanos(2_500.0));
    bench.race("record against vodozemac", Limit::Faster("vodozemac", 8.0), 10, our_record(), their_record());
}

fn rest(bench: &mut Bench) {
    let (vault, _) = Vault::create(&[1; 32], [2; 32]);
    let place = Place { table: "message", column: "body", row: &[7; 16], version: 1 };
    let value = [9; 200];
    let mut counter = 0_u64;
    let mut nonce = [0; 24];
    bench.time("value 200 B, seal", || {
        counter += 1;
        nonce[..8].copy_from_slice(&counter.to_be_bytes());
        black_box(vault.seal(place, black_box(&value), nonce).unwrap());
    });
    let sealed = vault.seal(place, &value, nonce).unwrap();
    bench.time("value 200 B, open", || {
        black_box(vault.open(place, black_box(&sealed)).unwrap());
    });
    bench.promise("value 200 B, seal", "value 200 B, seal", Limit::Nanos(700.0));
    bench.promise("value 200 B, open", "value 200 B, open", Limit::Nanos(700.0));
    bench.time("lookup 20 B", || {
        black_box(vault.lookup("friend", "name", black_box(b"twenty bytes of name")));
    });
    let key = Identity::from_seed([1; 32]).public();
    bench.time("fingerprint", || {
        black_box(Fingerprint::of(b"user", &key));
    });
}
