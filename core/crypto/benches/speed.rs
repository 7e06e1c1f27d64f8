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

    fn promise(&mut self, what: &str, measured: &str, limit: Limit) {
        self.rows.push((what.into(), measured.into(), limit));
    }

    fn table(&self) {
        let best = self.best.borrow();
        println!("\n{:<44} {:>12} {:>24} {:>8}", "what", "measured", "limit", "");
        for (what, measured, limit) in &self.rows {
            let Some(nanos) = best.get(measured) else { continue };
            let (shown, limit, holds) = match limit {
                Limit::Nanos(most) => (show(*nanos), show(*most), nanos <= most),
                Limit::Ratio(base, most) => {
                    let ratio = nanos / best[*base];
                    (format!("{ratio:.2}x"), format!("{most:.2}x {base}"), ratio <= *most)
                }
                Limit::Faster(base, least) => {
                    let ratio = best[*base] / nanos;
                    (format!("{ratio:.1}x"), format!("{least:.0}x faster than {base}"), ratio >= *least)
                }
            };
            let verdict = if holds { "holds" } else { "BROKEN" };
            println!("{what:<44} {shown:>12} {limit:>24} {verdict:>8}");
        }
    }
}

fn show(nanos: f64) -> String {
    if nanos < 10_000.0 { format!("{nanos:.0} ns") } else { format!("{:.1} us", nanos / 1_000.0) }
}

fn media(bench: &mut Bench) {
    for (len, most) in [(160, 1.25), (5_120, 1.1)] {
        let frame = vec![7; len];
        let raw = format!("ring {len} B");
        let ours = format!("sframe seal {len} B");
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
        let mut out = Vec::with_capacity(len + 64);
        let mut counter = 0_u64;
        bench.time(&raw, || {
            counter += 1;
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&counter.to_be_bytes());
            out.clear();
            out.extend_from_slice(&frame);
            let nonce = Nonce::assume_unique_for_key(nonce);
            key.seal_in_place_append_tag(nonce, Aad::from(b"head"), &mut out).unwrap();
            black_box(&out);
        });
        let base = BaseKey::from_seed([1; 32]);
        let mut generation = 0;
        let mut sealer = Sealer::new(&base, generation, 0);
        bench.time(&ours, || {
            if sealer.seal(black_box(&frame), &mut out).is_err() {
                generation += 1;
                sealer = Sealer::new(&base, generation, 0);
            }
            black_box(&out);
        });
        let raw: &'static str = raw.leak();
        bench.promise(&ours.clone(), &ours, Limit::Ratio(raw, most));
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

fn records(bench: &mut Bench) {
    let text = [7; 100];
    let (mut ada, mut ben) = signal();
    bench.time("record 100 B, seal and open", || {
        let sealed = ada.seal(0, black_box(&text)).unwrap();
        black_box(ben.open(0, [0; 32], &sealed).unwrap());
    });
    let (mut out, mut inside) = olm();
    bench.time("vodozemac 100 B", || {
        let sealed = out.encrypt(black_box(text)).unwrap();
        black_box(inside.decrypt(&sealed).unwrap());
    });
    let ours = "record 100 B, seal and open";
    bench.promise(ours, ours, Limit::Nanos(2_500.0));
    bench.promise("record against vodozemac", ours, Limit::Faster("vodozemac 100 B", 8.0));
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
