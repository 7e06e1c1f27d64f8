//! `sidetone demo strangers`: a server, fifty people and ten bots; two of the people, in processes of their own, are watched
//! in full: what they planted is looked for in their memory and files while they talk and after they parted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use lab::packet::Flow;
use lab::{Sniffer, Unavailable};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::stage::Server;
use super::write;
use crate::guest::{Answer, Burn, Order, Told, letters, mask, middle, noise, picture};
use crate::leak::{Canary, Finds, Scanner};
use crate::say;
use crate::trouble::Trouble;

mod crowd;

/// How long a watched phone may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// A burn may take so long, in milliseconds.
const BURN_MS: f64 = 100.0;
/// For how long a search after a burn is repeated until it finds nothing.
const LINGER: Duration = Duration::from_secs(10);
/// Within how many milliseconds it should: a search itself takes most of them.
const SEARCHED_MS: f64 = 500.0;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long the crowd meets.
    #[arg(long, value_name = "S", default_value = "90")]
    seconds: u64,
    /// How many people.
    #[arg(long, value_name = "N", default_value = "50")]
    people: usize,
    /// Let one of the watched keep what was said: the search must find it.
    #[arg(long, hide = true)]
    leak: bool,
    /// How many bots.
    #[arg(long, value_name = "N", default_value = "10")]
    bots: usize,
}

/// Everything measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    held: bool,
    people: usize,
    bots: usize,
    matches: usize,
    wait_median_ms: f64,
    wait_max_ms: f64,
    self_matches: usize,
    repeat_matches: usize,
    bots_stopped: usize,
    humans_troubled: usize,
    /// Kinds of planted data found in each watched phone while they talked, of those planted there.
    canaries_in_control: [usize; 2],
    canaries_planted: [usize; 2],
    /// Finds after they parted, in memory and files.
    canaries_after_burn: [u64; 2],
    /// What was found after they parted, for whoever has to find out why.
    left: Vec<String>,
    burn_ms: f64,
    burn_whole: bool,
    /// Until a search of a phone found nothing any more, counted from when it said that it was over: the search takes its time.
    searched_ms: [f64; 2],
    /// How far the receipt of the one who was left is from a packet capture, of all its bytes; none without the right to one.
    receipt_error: Option<f64>,
    /// What receipts say in bytes, UDP and TCP, sent and received, and what the capture holds.
    receipt_bytes: Option<[[u64; 4]; 2]>,
    /// Sessions, fresh exchanges in them and keys of sound of the receipt of the one who was left.
    receipt_epochs: [u32; 3],
    words_agree: bool,
    relayed_first: bool,
    broken: Vec<String>,
}

/// A watched phone's process.
struct Phone {
    who: &'static str,
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    data: PathBuf,
}

impl Phone {
    async fn start(who: &'static str, server: &str, bind: &str, dir: &Path) -> Result<Self, Trouble> {
        let log = dir.join(format!("{who}.log"));
        let to_log = std::fs::File::create(&log).map_err(|error| Trouble::file(&log, &error))?;
        let data = dir.join(who);
        let mut command = Command::new(std::env::current_exe().map_err(Trouble::system)?);
        command.args(["--log", "trace", "guest", "--server", server, "--bind", bind, "--data"]).arg(&data);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(to_log).kill_on_drop(true);
        let mut child = command.spawn().map_err(Trouble::system)?;
        let orders = child.stdin.take().expect("its input is piped");
        let mut reports = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        match timeout(PATIENCE, reports.next_line()).await {
            Ok(Ok(Some(_))) => Ok(Self { who, child, orders, reports, data }),
            _ => Err(Trouble::stage(who, "does not start")),
        }
    }

    async fn tell(&mut self, order: &Order) -> Result<(), Trouble> {
        let line = serde_json::to_string(order).map_err(Trouble::system)?;
        let written = self.orders.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|_| Trouble::stage(self.who, "has ended"))
    }

    async fn answer<T: DeserializeOwned>(&mut self) -> Result<T, Trouble> {
        let line = timeout(PATIENCE, self.reports.next_line()).await;
        let Ok(Ok(Some(line))) = line else { return Err(Trouble::stage(self.who, "does not answer")) };
        let answer: Answer = serde_json::from_str(&line).map_err(Trouble::system)?;
        match answer.refused {
            Some(why) => Err(Trouble::stage(self.who, why)),
            None => serde_json::from_value(answer.value).map_err(Trouble::system),
        }
    }

    async fn ask<T: DeserializeOwned>(&mut self, order: Order) -> Result<T, Trouble> {
        self.tell(&order).await?;
        self.answer().await
    }

    fn search(&self, scanner: &Scanner) -> Result<Finds, Trouble> {
        let process = self.child.id().unwrap_or(0);
        let mut finds = scanner.memory(process).map_err(Trouble::system)?;
        finds.add(&scanner.files(&self.data).map_err(Trouble::system)?);
        Ok(finds)
    }
}

/// Plays, prints, writes; gives whether everything promised held.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: &Args) -> Result<bool, Trouble> {
    let dir = tempfile::Builder::new().prefix("sidetone-strangers-").tempdir().map_err(Trouble::system)?;
    let program = std::env::current_exe().map_err(Trouble::system)?;
    let server = Server::start(&program, dir.path()).await?;
    let url = server.ready.server.clone();
    let mut figures = Figures { people: args.people, bots: args.bots, ..Figures::default() };
    watch(&url, dir.path(), args.leak, &mut figures).await?;
    let people = args.people.saturating_sub(2);
    let crowd = crowd::meet(&url, people, args.bots, Duration::from_secs(args.seconds)).await?;
    figures.take(&crowd);
    server.stop().await?;
    figures.judge();
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&figures).map_err(Trouble::system)?)?;
    }
    Ok(figures.held)
}

/// What is planted: what each says, shows, sends and speaks, and where it is.
struct Planted {
    seeds: [u64; 2],
    notes: [Vec<u8>; 2],
    heard: [Vec<u8>; 2],
    /// The address of the second, which no program text holds.
    address: String,
}

impl Planted {
    /// What is looked for in one of the two.
    fn scanner(&self, phone: usize) -> (Scanner, usize) {
        let mut all = Vec::new();
        let mut plant = |kind: String, bytes: Vec<u8>| all.push(Canary { kind, bytes });
        for (number, whose) in [(phone, "its own"), (1 - phone, "the other's")] {
            let seed = self.seeds[number];
            plant(format!("{whose} nickname"), letters(seed, "nickname").into_bytes());
            plant(format!("{whose} text"), letters(seed, "text").into_bytes());
            plant(format!("{whose} image"), middle(&picture(seed)));
            plant(format!("{whose} note"), self.notes[number].clone());
        }
        let block = noise(self.seeds[phone]);
        let spoken = block.iter().skip(100).take(crate::guest::SAMPLES).flat_map(|sample| sample.to_le_bytes());
        plant("sound spoken".into(), spoken.collect());
        plant("sound heard".into(), self.heard[phone].clone());
        if phone == 0 {
            plant("the other's address".into(), self.address.clone().into_bytes());
        }
        (Scanner::new(&all), all.len())
    }
}

/// Two people meet, do everything there is to do, and part.
async fn watch(url: &str, dir: &Path, leak: bool, figures: &mut Figures) -> Result<(), Trouble> {
    let mut seeds = [0; 2];
    for seed in &mut seeds {
        *seed = u64::from_be_bytes(*letters_of_chance()?);
    }
    let mut ada = Phone::start("ada", url, "127.0.0.1", dir).await?;
    let [a, b, c, ..] = letters_of_chance()?.map(|byte| 100 + byte % 150);
    let address = Ipv4Addr::new(127, a, b, c);
    let capture = Sniffer::start();
    let mut bob = Phone::start("bob", url, &address.to_string(), dir).await?;
    let _: () = ada.ask(Order::Enter { seed: seeds[0] }).await?;
    let _: () = bob.ask(Order::Enter { seed: seeds[1] }).await?;
    let routes: [String; 2] = [ada.ask(Order::Met).await?, bob.ask(Order::Met).await?];
    figures.relayed_first = routes == ["relayed", "relayed"];
    let mut notes = [Vec::new(), Vec::new()];
    for (number, phone) in [&mut ada, &mut bob].into_iter().enumerate() {
        let seed = seeds[number];
        let _: () = phone.ask(Order::Say { seed }).await?;
        let _: () = phone.ask(Order::Image { seed }).await?;
        notes[number] = mask(&phone.ask::<Vec<u8>>(Order::Note { seed }).await?);
    }
    for phone in [&mut ada, &mut bob] {
        let _: () = phone.ask(Order::Whole { count: 6 }).await?;
    }
    let words: String = ada.ask(Order::Words).await?;
    figures.words_agree = bob.ask::<String>(Order::Words).await? == words;
    ada.tell(&Order::Call { seed: seeds[0] }).await?;
    let _: () = bob.ask(Order::Answer { seed: seeds[1] }).await?;
    let _: () = ada.answer().await?;
    ada.tell(&Order::Direct).await?;
    let _: () = bob.ask(Order::Direct).await?;
    let _: () = ada.answer().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut planted = Planted { seeds, notes, heard: [Vec::new(), Vec::new()], address: address.to_string() };
    for (number, phone) in [&mut ada, &mut bob].into_iter().enumerate() {
        control(number, phone, &mut planted, figures).await?;
    }
    let scanners = [planted.scanner(0), planted.scanner(1)];
    if leak {
        let _: () = ada.ask(Order::Leak).await?;
    }
    let burn: Burn = ada.ask(Order::End).await?;
    figures.after(0, gone(&ada, &scanners[0].0)?);
    let other: Burn = bob.ask(Order::Over).await?;
    figures.after(1, gone(&bob, &scanners[1].0)?);
    figures.burn_ms = burn.took_ms;
    figures.compare(&bob.ask(Order::Receipt).await?, capture, address);
    figures.burn_whole = burn.is_whole() && other.is_whole() && burn.held[..3] == [2, 2, 2];
    for phone in [&mut ada, &mut bob] {
        let _: () = phone.ask(Order::Quit).await?;
    }
    Ok(())
}

/// Looks for everything once it is over, until nothing is found, and says how long that took. A sound card that a busy machine
/// holds up erases its last block with its next; who was left is told by an event, and the links end a moment after it.
fn gone(phone: &Phone, scanner: &Scanner) -> Result<(Finds, Duration), Trouble> {
    let began = Instant::now();
    loop {
        let finds = phone.search(scanner)?;
        if finds.total() == 0 || began.elapsed() > LINGER {
            return Ok((finds, began.elapsed()));
        }
    }
}

/// Looks for everything while it is there. What is heard is there for a moment only: it is asked for again until the search
/// was fast enough.
async fn control(
    number: usize,
    phone: &mut Phone,
    planted: &mut Planted,
    figures: &mut Figures,
) -> Result<(), Trouble> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        planted.heard[number] = mask(&phone.ask::<Vec<u8>>(Order::Heard).await?);
        let (scanner, count) = planted.scanner(number);
        let finds = phone.search(&scanner)?;
        let mut kinds: Vec<&String> = finds.found.keys().map(|(kind, _)| kind).collect();
        kinds.dedup();
        (figures.canaries_in_control[number], figures.canaries_planted[number]) = (kinds.len(), count);
        if kinds.len() == count {
            break;
        }
    }
    Ok(())
}

fn letters_of_chance() -> Result<Box<[u8; 8]>, Trouble> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = Box::new([0; 8]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(Trouble::system)?;
    Ok(bytes)
}

impl Figures {
    /// Compares what a phone says of its bytes with what was captured to and from its address.
    fn compare(&mut self, told: &Told, capture: Result<Sniffer, Unavailable>, address: Ipv4Addr) {
        self.receipt_epochs = told.epochs;
        let passed = match capture {
            Ok(capture) => capture.finish(),
            Err(missing) => return say(format_args!("not measured: receipts against a capture: {missing}")),
        };
        let sent = |(from, _): &Flow| *from.ip() == address;
        let received = |(_, to): &Flow| *to.ip() == address;
        let captured = [passed.udp(sent), passed.udp(received), passed.tcp(sent), passed.tcp(received)];
        let said = [told.udp[0], told.udp[1], told.signaling[0], told.signaling[1]];
        let off: u64 = said.iter().zip(captured).map(|(said, captured)| said.abs_diff(captured)).sum();
        self.receipt_bytes = Some([said, captured]);
        self.receipt_error = Some(off as f64 / captured.iter().sum::<u64>().max(1) as f64);
    }

    fn after(&mut self, phone: usize, (finds, took): (Finds, Duration)) {
        self.canaries_after_burn[phone] = finds.total();
        self.searched_ms[phone] = took.as_secs_f64() * 1e3;
        let line = |((kind, form), count): (&(String, crate::leak::Form), &u64)| {
            format!("{}: {kind} as {form:?}, {count} times", ["ada", "bob"][phone])
        };
        self.left.extend(finds.found.iter().map(line));
    }

    fn take(&mut self, crowd: &crowd::Crowd) {
        self.matches = crowd.matches;
        (self.wait_median_ms, self.wait_max_ms) = (crowd.wait_median_ms, crowd.wait_max_ms);
        (self.self_matches, self.repeat_matches) = (crowd.self_matches, crowd.repeat_matches);
        (self.bots_stopped, self.humans_troubled) = (crowd.bots_stopped, crowd.humans_troubled);
    }

    fn judge(&mut self) {
        let enough = self.canaries_in_control == self.canaries_planted;
        let left: u64 = self.canaries_after_burn.iter().sum();
        let promises = [
            ("two strangers meet through a relay", self.relayed_first, String::new()),
            ("the words that both read are the same", self.words_agree, String::new()),
            (
                "the search finds what is there",
                enough,
                format!("{:?} of {:?} kinds", self.canaries_in_control, self.canaries_planted),
            ),
            ("when it ends, nothing of it is left", left == 0, format!("{left} finds")),
            ("what was held was erased", self.burn_whole, String::new()),
            (
                "and not a moment later",
                self.searched_ms.iter().all(|took| *took <= SEARCHED_MS),
                format!("searches that found nothing ended after {:.0?} ms", self.searched_ms),
            ),
            ("within 100 ms", self.burn_ms <= BURN_MS, format!("{:.1} ms", self.burn_ms)),
            (
                "a receipt says what passed",
                self.receipt_error.is_none_or(|error| error < 0.01),
                self.receipt_error.map_or("not measured".into(), |error| format!("{:.2} % off", 1e2 * error)),
            ),
            ("nobody meets themselves", self.self_matches == 0, format!("{} times", self.self_matches)),
            ("nobody meets twice", self.repeat_matches == 0, format!("{} times", self.repeat_matches)),
            (
                "people find somebody soon",
                self.people <= 2 || self.matches > 0 && self.wait_median_ms < 10_000.0,
                format!(
                    "median {:.0} ms, longest {:.0} ms, {} matches",
                    self.wait_median_ms, self.wait_max_ms, self.matches
                ),
            ),
            (
                "bots are stopped",
                self.bots_stopped * 100 >= self.bots * 95,
                format!("{} of {}", self.bots_stopped, self.bots),
            ),
            (
                "people are not troubled",
                self.humans_troubled * 100 <= self.people,
                format!("{} of {}", self.humans_troubled, self.people),
            ),
        ];
        for (text, held, measured) in promises {
            say(format_args!("{} {text}: {measured}", if held { "held    " } else { "NOT HELD" }));
            if !held {
                self.broken.push(text.to_owned());
            }
        }
        for left in &self.left {
            say(format_args!("left: {left}"));
        }
        self.held = self.broken.is_empty();
    }
}
