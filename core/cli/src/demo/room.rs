//! `sidetone demo room`: a server and eight phones as processes, one push-to-talk room: they come by link and by code, speak
//! in turn and at once, one is put out and one dies while it speaks; what is promised is measured and judged. Then the same
//! phones speak over an emulated path that delays and loses, where this machine has network namespaces.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sidetone::clock;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::{sleep, timeout};

use super::ghost::Ghost;
use super::stage::{PATIENCE, Place, Server};
use super::write;
use crate::member::{Answer, Counts, Happened, Order, Said, Seen};
use crate::radio::{Heard, PHONES};
use crate::say;
use crate::trouble::Trouble;

mod path;

/// Who enters by link; the rest come by code.
const BY_LINK: std::ops::Range<usize> = 1..6;
/// Who is put out, and who dies.
const KICKED: usize = 5;
const CRASHES: usize = 4;
/// One may still hear so much of who was put out, and of a speaker who was overtaken, in milliseconds.
const BOUND_MS: f64 = 500.0;
/// Two tones in one ear for longer than this are two speakers.
const OVERLAP_US: u64 = 20_000;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long the room is watched while nobody speaks.
    #[arg(long, value_name = "S", default_value = "20")]
    idle: u64,
    /// How often each one speaks in turn.
    #[arg(long, value_name = "N", default_value = "2")]
    rounds: usize,
    /// What the wire of each phone does in the second part; between two phones there are two of them.
    #[arg(long, value_name = "SHAPE", default_value = "delay=10ms loss=2.53%")]
    wire: String,
}

/// Everything measured.
#[derive(Debug, Default, Serialize)]
struct Figures {
    held: bool,
    members: usize,
    /// From the press to the first sound pulled at each other phone.
    press_to_audio_ms: Spread,
    bursts: usize,
    /// Times that a phone heard two at once.
    floor_violations: usize,
    /// From the death of a speaker to the floor being free, at the slowest phone.
    lost_release_freed_ms: f64,
    /// Of what was said from the press on, how much was over when the first sound came.
    leading_audio_lost_ms: Spread,
    /// And how much was not heard between the first sound and the last.
    gaps_ms: Spread,
    /// From a kick to the last sound at who was put out.
    rekey_ms: f64,
    ghost_admitted: bool,
    ghost_saw: usize,
    wrong_code_refused: bool,
    one_phrase: bool,
    mesh_ms: f64,
    /// On the average, by what a phone does.
    cpu_ms_per_s: BTreeMap<String, f64>,
    idle_cpu_ms_per_s: BTreeMap<String, f64>,
    talk_bytes_per_minute: f64,
    idle_bytes_per_hour: f64,
    /// Both ways, of one link.
    idle_kb_per_minute_per_peer: f64,
    /// Over the emulated path; nothing where it cannot be had.
    over_path: Option<path::OverPath>,
    broken: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Spread {
    median: f64,
    p95: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (values.len() as f64 * part) as usize;
            values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
        };
        Self { median: at(0.5), p95: at(0.95), most: at(1.0) }
    }
}

/// A phone's process.
struct Phone {
    who: String,
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    happened: Vec<Happened>,
}

impl Phone {
    async fn start(number: usize, server: &str, dir: &std::path::Path, place: &Place) -> Result<Self, Trouble> {
        let who = format!("phone {number}");
        let log = dir.join(format!("{number}.log"));
        let to_log = std::fs::File::create(&log).map_err(|error| Trouble::file(&log, &error))?;
        let (mut command, bind) = (place.command(&std::env::current_exe().map_err(Trouble::system)?), place.address);
        command.args(["member", "--server", server, "--plain", "--bind", &bind.to_string()]);
        command.args(["--number", &number.to_string(), "--data"]).arg(dir.join(number.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(to_log).kill_on_drop(true);
        let mut child = command.spawn().map_err(Trouble::system)?;
        let orders = child.stdin.take().expect("its input is piped");
        let mut reports = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        match timeout(PATIENCE, reports.next_line()).await {
            Ok(Ok(Some(_))) => Ok(Self { who, child, orders, reports, happened: Vec::new() }),
            _ => Err(Trouble::stage(&who, "does not start")),
        }
    }

    async fn tell(&mut self, order: &Order) -> Result<(), Trouble> {
        let line = serde_json::to_string(order).map_err(Trouble::system)?;
        let written = self.orders.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|_| Trouble::stage(&self.who, "has ended"))
    }

    async fn answer(&mut self) -> Result<Answer, Trouble> {
        let line = timeout(PATIENCE, self.reports.next_line()).await;
        let Ok(Ok(Some(line))) = line else { return Err(Trouble::stage(&self.who, "does not answer")) };
        let answer: Answer = serde_json::from_str(&line).map_err(Trouble::system)?;
        self.happened.extend(answer.happened.iter().cloned());
        Ok(answer)
    }

    async fn try_ask(&mut self, order: Order) -> Result<Result<serde_json::Value, String>, Trouble> {
        self.tell(&order).await?;
        let answer = self.answer().await?;
        Ok(answer.refused.map_or(Ok(answer.value), Err))
    }

    async fn ask<T: DeserializeOwned>(&mut self, order: Order) -> Result<T, Trouble> {
        let value = self.try_ask(order).await?.map_err(|why| Trouble::stage(&self.who, why))?;
        serde_json::from_value(value).map_err(Trouble::system)
    }

    /// Processor time so far, in milliseconds.
    fn cpu_ms(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap_or(0))).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) * 10.0
    }
}

/// Plays, prints, writes; gives whether everything promised held.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: &Args) -> Result<bool, Trouble> {
    let dir = tempfile::Builder::new().prefix("sidetone-room-").tempdir().map_err(Trouble::system)?;
    let program = std::env::current_exe().map_err(Trouble::system)?;
    let server = Server::start(&program, dir.path()).await?;
    let url = server.ready.server.clone();
    let mut phones = Vec::new();
    for number in 0..PHONES {
        phones.push(Phone::start(number, &url, dir.path(), &Place::here()).await?);
    }
    let mut figures = Figures { members: PHONES, ..Figures::default() };
    let link = gather(&mut phones, &mut figures).await?;
    haunt(&mut phones, &url, &link, &mut figures).await?;
    idle(&mut phones, args.idle, &mut figures).await?;
    in_turn(&mut phones, args.rounds, &mut figures).await?;
    at_once(&mut phones, &mut figures).await?;
    put_out(&mut phones, &mut figures).await?;
    crash(&mut phones, &mut figures).await?;
    for (number, phone) in phones.iter_mut().enumerate() {
        if number != CRASHES {
            let _: serde_json::Value = phone.ask(Order::Quit).await?;
        }
    }
    server.stop().await?;
    figures.over_path = path::play(&args.wire, args.rounds, dir.path()).await?;
    judge(&mut figures);
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&figures).map_err(Trouble::system)?)?;
    }
    Ok(figures.held)
}

/// Everybody comes in, by link and by code; a wrong code does not help.
async fn gather(phones: &mut [Phone], figures: &mut Figures) -> Result<String, Trouble> {
    let began = Instant::now();
    let link: String = phones[0].ask(Order::Open).await?;
    for phone in &mut phones[BY_LINK] {
        let _: serde_json::Value = phone.ask(Order::Join { link: link.clone() }).await?;
    }
    let code: String = phones[0].ask(Order::Code).await?;
    let (plate, _) = code.split_once('-').unwrap_or_default();
    let wrong = format!("{plate}-acid-lemon");
    figures.wrong_code_refused = phones[6].try_ask(Order::Knock { code: wrong }).await?.is_err();
    let _: serde_json::Value = phones[6].ask(Order::Knock { code }).await?;
    // A code lets in whom it was told to; the next one gets another.
    let code: String = phones[0].ask(Order::Code).await?;
    let _: serde_json::Value = phones[7].ask(Order::Knock { code }).await?;
    linked(phones, PHONES - 1).await?;
    figures.mesh_ms = began.elapsed().as_secs_f64() * 1e3;
    say(format_args!("{} phones linked with each other in {:.0} ms", figures.members, figures.mesh_ms));
    Ok(link)
}

/// Waits until everybody has a link to so many others.
async fn linked(phones: &mut [Phone], others: usize) -> Result<Vec<Seen>, Trouble> {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        let mut all = Vec::new();
        for phone in phones.iter_mut() {
            all.push(phone.ask::<Seen>(Order::Room).await?);
        }
        if all.iter().all(|seen| seen.linked == others) {
            return Ok(all);
        }
        if Instant::now() > until {
            let linked: Vec<usize> = all.iter().map(|seen| seen.linked).collect();
            return Err(Trouble::stage("the room", format!("{others} links each are wanted, there are {linked:?}")));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// The server lets somebody in who knows the room's number only: nobody talks to them.
async fn haunt(phones: &mut [Phone], server: &str, link: &str, figures: &mut Figures) -> Result<(), Trouble> {
    let ghost = Ghost::enter(server, link).await?;
    figures.ghost_saw = ghost.others;
    sleep(Duration::from_secs(4)).await;
    let all = linked(phones, PHONES - 1).await?;
    figures.ghost_admitted = all.iter().any(|seen| seen.linked >= PHONES);
    figures.one_phrase = all.iter().all(|seen| !seen.phrase.is_empty() && seen.phrase == all[0].phrase);
    drop(ghost);
    Ok(())
}

async fn counts(phones: &mut [Phone]) -> Result<Vec<Counts>, Trouble> {
    let mut all = Vec::new();
    for phone in phones.iter_mut() {
        all.push(phone.ask(Order::Figures).await?);
    }
    Ok(all)
}

async fn idle(phones: &mut [Phone], seconds: u64, figures: &mut Figures) -> Result<(), Trouble> {
    sleep(Duration::from_secs(3)).await;
    let (before, cpu): (Vec<Counts>, Vec<f64>) = (counts(phones).await?, phones.iter().map(Phone::cpu_ms).collect());
    let began = Instant::now();
    sleep(Duration::from_secs(seconds)).await;
    let after = counts(phones).await?;
    let elapsed_s = began.elapsed().as_secs_f64();
    let links: u64 = before.iter().zip(&after).map(|(before, after)| after.links - before.links).sum();
    let server: u64 = before.iter().zip(&after).map(|(before, after)| after.server - before.server).sum();
    let per_phone = links as f64 / PHONES as f64;
    // What one phone sends on all its links, and gets, since all send alike.
    figures.idle_bytes_per_hour = (2.0 * per_phone + server as f64 / PHONES as f64) * 3_600.0 / elapsed_s;
    figures.idle_kb_per_minute_per_peer = 2.0 * per_phone / (PHONES - 1) as f64 * 60.0 / elapsed_s / 1e3;
    let mut used = 0.0;
    for (phone, before) in phones.iter().zip(cpu) {
        let its = (phone.cpu_ms() - before) / elapsed_s;
        figures.idle_cpu_ms_per_s.insert(phone.who.clone(), its);
        used += its;
    }
    figures.cpu_ms_per_s.insert("idle".to_owned(), used / PHONES as f64);
    Ok(())
}

async fn ears(phones: &mut [Phone]) -> Result<Vec<Vec<Heard>>, Trouble> {
    let mut all = Vec::new();
    for phone in phones.iter_mut() {
        all.push(phone.ask(Order::Ear).await?);
    }
    Ok(all)
}

async fn in_turn(phones: &mut [Phone], rounds: usize, figures: &mut Figures) -> Result<(), Trouble> {
    ears(phones).await?;
    let (mut delays, mut lost, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sent, mut said_ms, mut speaking, mut listening) = (0, 0.0, 0.0, 0.0);
    for turn in 0..rounds * PHONES {
        let speaker = turn % PHONES;
        let before = counts(phones).await?;
        let cpu: Vec<f64> = phones.iter().map(Phone::cpu_ms).collect();
        let began = Instant::now();
        let said: Said = phones[speaker].ask(Order::Talk { ms: 1_500 }).await?;
        let elapsed_s = began.elapsed().as_secs_f64();
        for (number, phone) in phones.iter().enumerate() {
            let used = (phone.cpu_ms() - cpu[number]) / elapsed_s;
            if number == speaker { speaking += used } else { listening += used / (PHONES - 1) as f64 }
        }
        sent += phones[speaker].ask::<Counts>(Order::Figures).await?.links - before[speaker].links;
        said_ms += elapsed_s * 1e3;
        sleep(Duration::from_millis(700)).await;
        for (number, ear) in ears(phones).await?.into_iter().enumerate() {
            figures.floor_violations += overlaps(&ear);
            if number == speaker {
                continue;
            }
            let heard: Vec<&Heard> = ear.iter().filter(|heard| heard.phone == speaker).collect();
            let first = heard.iter().map(|heard| heard.from_us).min();
            delays.push(first.map_or(f64::INFINITY, |first| ms(said.pressed_us, first)));
            // The end of what is said is heard: the release waits for it.
            let last = heard.iter().map(|heard| heard.to_us).max();
            let span = first.zip(last).map_or(0.0, |(first, last)| ms(first, last));
            let long: u64 = heard.iter().map(|heard| heard.to_us - heard.from_us).sum();
            lost.push((ms(said.spoken_us, said.until_us) - span).max(0.0));
            gaps.push(span - long as f64 / 1e3);
        }
    }
    figures.bursts = rounds * PHONES;
    figures.press_to_audio_ms = Spread::of(delays);
    figures.leading_audio_lost_ms = Spread::of(lost);
    figures.gaps_ms = Spread::of(gaps);
    figures.talk_bytes_per_minute = sent as f64 / said_ms * 60_000.0;
    figures.cpu_ms_per_s.insert("speaking".to_owned(), speaking / figures.bursts as f64);
    figures.cpu_ms_per_s.insert("listening".to_owned(), listening / figures.bursts as f64);
    Ok(())
}

/// Three press at the same moment.
async fn at_once(phones: &mut [Phone], figures: &mut Figures) -> Result<(), Trouble> {
    for _ in 0..3 {
        for phone in &mut phones[1..4] {
            phone.tell(&Order::Talk { ms: 1_000 }).await?;
        }
        for phone in &mut phones[1..4] {
            phone.answer().await?;
        }
        // Who waited in the queue may speak after the others, and lets go at once.
        sleep(Duration::from_millis(1_500)).await;
        figures.floor_violations += ears(phones).await?.iter().map(|ear| overlaps(ear)).sum::<usize>();
    }
    Ok(())
}

/// One is put out while another speaks.
async fn put_out(phones: &mut [Phone], figures: &mut Figures) -> Result<(), Trouble> {
    phones[1].tell(&Order::Talk { ms: 3_000 }).await?;
    sleep(Duration::from_millis(1_500)).await;
    let kicked_us: u64 = phones[0].ask(Order::Kick { name: format!("phone {KICKED}") }).await?;
    phones[1].answer().await?;
    sleep(Duration::from_millis(700)).await;
    let all = ears(phones).await?;
    let last = |ear: &[Heard]| ear.iter().map(|heard| heard.to_us).max().unwrap_or(0);
    figures.rekey_ms = ms(kicked_us, last(&all[KICKED]));
    if last(&all[KICKED]) == 0 {
        figures.broken.push("who was put out heard nothing before it".to_owned());
    }
    if ms(kicked_us, last(&all[2])) < 1_000.0 {
        figures.broken.push("who stayed did not hear the rest".to_owned());
    }
    Ok(())
}

/// The speaker's process is killed in the middle of a word.
async fn crash(phones: &mut [Phone], figures: &mut Figures) -> Result<(), Trouble> {
    for phone in phones.iter_mut() {
        let _: Seen = phone.ask(Order::Room).await?;
        phone.happened.clear();
    }
    let _: serde_json::Value = phones[CRASHES].ask(Order::Press).await?;
    sleep(Duration::from_secs(2)).await;
    let killed_us = clock::micros();
    phones[CRASHES].child.start_kill().map_err(Trouble::system)?;
    sleep(Duration::from_secs(3)).await;
    let mut freed = Vec::new();
    for (number, phone) in phones.iter_mut().enumerate() {
        if number == CRASHES || number == KICKED {
            continue;
        }
        let _: Seen = phone.ask(Order::Room).await?;
        let released = phone.happened.iter().find(|what| what.what == "released" && what.at_us > killed_us);
        freed.push(released.map_or(f64::INFINITY, |released| ms(killed_us, released.at_us)));
    }
    figures.lost_release_freed_ms = freed.into_iter().fold(0.0, f64::max);
    ears_of_living(phones).await?;
    let said: Said = phones[1].ask(Order::Talk { ms: 500 }).await?;
    sleep(Duration::from_millis(700)).await;
    let heard: Vec<Heard> = phones[2].ask(Order::Ear).await?;
    if !heard.iter().any(|heard| heard.phone == 1 && heard.from_us > said.pressed_us) {
        figures.broken.push("after the crash nobody could speak".to_owned());
    }
    Ok(())
}

async fn ears_of_living(phones: &mut [Phone]) -> Result<(), Trouble> {
    for (number, phone) in phones.iter_mut().enumerate() {
        if number != CRASHES {
            let _: Vec<Heard> = phone.ask(Order::Ear).await?;
        }
    }
    Ok(())
}

fn ms(from_us: u64, to_us: u64) -> f64 {
    (to_us as f64 - from_us as f64) / 1e3
}

/// How often two were heard at once.
fn overlaps(ear: &[Heard]) -> usize {
    let clash = |one: &Heard, other: &Heard| {
        one.phone < other.phone && one.to_us.min(other.to_us) > one.from_us.max(other.from_us) + OVERLAP_US
    };
    ear.iter().map(|one| ear.iter().filter(|other| clash(one, other)).count()).sum()
}

/// What was measured against what is promised.
fn judge(figures: &mut Figures) {
    let talk = figures.press_to_audio_ms;
    let mut promises = vec![
        (figures.wrong_code_refused, "a wrong code lets nobody in", String::new()),
        (
            !figures.ghost_admitted && figures.ghost_saw > 0,
            "nobody talks to a ghost that the server adds",
            String::new(),
        ),
        (figures.one_phrase, "everybody sees the same words for the room", String::new()),
        (talk.median <= 60.0, "press to audio within 60 ms", format!("{:.1} ms, p95 {:.1} ms", talk.median, talk.p95)),
        (
            figures.leading_audio_lost_ms.median <= 20.0,
            "the first syllable is heard",
            format!(
                "{:.1} ms lost, p95 {:.1} ms; later gaps p95 {:.1} ms",
                figures.leading_audio_lost_ms.median, figures.leading_audio_lost_ms.p95, figures.gaps_ms.p95
            ),
        ),
        (figures.floor_violations == 0, "one speaker at a time", format!("{} times two", figures.floor_violations)),
        (figures.rekey_ms <= BOUND_MS, "who is put out hears nothing more", format!("{:.0} ms", figures.rekey_ms)),
        (
            figures.lost_release_freed_ms <= 1_200.0,
            "a speaker who dies frees the floor",
            format!("{:.0} ms", figures.lost_release_freed_ms),
        ),
        (
            figures.idle_kb_per_minute_per_peer <= 15.0,
            "an idle room costs little",
            format!("{:.1} kB a minute and peer, both ways", figures.idle_kb_per_minute_per_peer),
        ),
        (figures.broken.is_empty(), "everything else went as it should", figures.broken.join("; ")),
    ];
    promises.extend(figures.over_path.iter().flat_map(path::OverPath::promises));
    for (what, used) in &figures.cpu_ms_per_s {
        say(format_args!("processor time of a phone, {what:10} {used:8.1} ms a second"));
    }
    say(format_args!("sent by who speaks              {:8.0} kB a minute", figures.talk_bytes_per_minute / 1e3));
    say(format_args!("idle, all links and the server   {:8.0} kB an hour", figures.idle_bytes_per_hour / 1e3));
    for (held, text, measured) in &promises {
        say(format_args!("{} {text}: {measured}", if *held { "held    " } else { "NOT HELD" }));
    }
    figures.broken.extend(promises.iter().filter(|promise| !promise.0).map(|promise| promise.1.to_owned()));
    figures.held = figures.broken.is_empty();
}
