//! `sidetone demo keep`: what two phones keep for each other whatever happens to them: texts to a phone that is off, an image,
//! a voice note, and a large file through as many sudden deaths as one likes; then an export, a new phone that takes it over,
//! and a deletion that leaves nothing.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

use leave::Leaving;

use super::script::WHO;
use super::stage::{self, PATIENCE, Phone, PhoneSettings, Place, Server};
use crate::phone::{Line, News, Order, Transfer};
use crate::say;
use crate::trouble::Trouble;
use crate::wav;

mod leave;

/// An image that says where it was taken.
const IMAGE: &[u8] = include_bytes!("../../pictures/vienna.png");
/// What in it says so.
const POSITION: &[u8] = b"48.2082N 16.3738E";
/// What Anna writes while Ben's phone is off.
const TEXTS: [&str; 3] = ["Your phone is off.", "I will send you the film later.", "Good night!"];
/// Bytes of a chunk.
const CHUNK: u64 = 16 * 1024;
/// How often a part file is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long a large file may lie still.
const STILL: Duration = Duration::from_secs(90);

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Length of the large file.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    mebibytes: u64,
    /// How often one of the phones dies while it travels.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    kills: u64,
    /// Where to write the export; otherwise it goes with everything else.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
}

/// All figures of one run: what `--json` writes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Whether everything promised held.
    pub held: bool,
    /// What did not hold, in sentences.
    pub broken: Vec<String>,
    /// Texts written while the other phone was off, and whether they are there once and in order.
    pub texts_to_a_phone_switched_off: usize,
    /// See above.
    pub texts_in_order: bool,
    /// The image.
    pub image: Image,
    /// The voice note.
    pub voice_note: VoiceNote,
    /// The large file.
    pub file: Large,
    /// The export, the new phone and the deletion.
    pub leaving: Leaving,
}

/// What became of the image.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Image {
    /// Bytes as it was, and as it arrived.
    pub bytes: [u64; 2],
    /// Whether what was sent told where it was taken, and whether what arrived does.
    pub tells_its_position: [bool; 2],
    /// Bytes of the small picture that came with the offer.
    pub thumbnail_bytes: u64,
}

/// What became of the voice note.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VoiceNote {
    /// Its length.
    pub duration_ms: u64,
    /// Points of its shape.
    pub points: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Whether it is Opus in Ogg by its first bytes.
    pub is_ogg_opus: bool,
}

/// What became of the large file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Large {
    /// Its length.
    pub bytes: u64,
    /// How often each phone was killed.
    pub kills: [u64; 2],
    /// Whether what arrived is what was sent (SHA-256).
    pub whole: bool,
    /// Chunks of 16 KiB that were here in part when a phone died, and so came twice.
    pub chunks_resent: u64,
    /// The most of them at one death.
    pub most_resent_at_a_kill: u64,
    /// Chunks that came in the last life of the receiver, and those that were missing when it began.
    pub last_life_chunks: [u64; 2],
    /// From its offer to its end, deaths included.
    pub seconds: f64,
    /// Of that, with both phones alive and a link up, as the part file grew.
    pub moving_seconds: f64,
}

/// Plays, prints, writes; gives whether everything promised held.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: Args) -> Result<bool, Trouble> {
    let dir = tempfile::Builder::new().prefix("sidetone-keep-").tempdir().map_err(Trouble::system)?;
    let mut play = Play::begin(dir.path()).await?;
    play.befriend().await?;
    play.write_to_nobody().await?;
    let transfers = [play.show().await?, play.speak().await?, play.send_large(args.mebibytes << 20, args.kills).await?];
    play.leave(&transfers, args.export).await?;
    let figures = play.end().await?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&figures).map_err(Trouble::system)?;
        fs::write(path, text).map_err(|error| Trouble::file(path, &error))?;
    }
    for broken in &figures.broken {
        say(format_args!("NOT HELD: {broken}"));
    }
    Ok(figures.held)
}

struct Play {
    began: Instant,
    dir: PathBuf,
    server: Server,
    settings: [PhoneSettings; 2],
    phones: [Phone; 2],
    figures: Figures,
    /// Chunks that had come to Ben before the large file.
    chunks_before: u64,
}

impl Play {
    async fn begin(dir: &Path) -> Result<Self, Trouble> {
        let began = Instant::now();
        let program = std::env::current_exe().map_err(Trouble::system)?;
        let server = Server::start(&program, dir).await?;
        let voice = wav::parse(super::VOICES[0]).expect("the recordings in this program are whole");
        let settings = [0, 1].map(|n| PhoneSettings {
            program: program.clone(),
            who: WHO[n],
            dir: dir.to_owned(),
            server: server.ready.server.clone(),
            voice: dir.join("voice.wav"),
            place: Place::here(),
        });
        wav::write(&settings[0].voice, &voice)?;
        let phones = [Phone::start(&settings[0]).await?, Phone::start(&settings[1]).await?];
        let dir = dir.to_owned();
        Ok(Self { began, dir, server, settings, phones, figures: Figures::default(), chunks_before: 0 })
    }

    fn progress(&self, who: &str, what: impl std::fmt::Display) {
        say(format_args!("{:7.2} s  {who:8}{what}", self.began.elapsed().as_secs_f64()));
    }

    fn promise(&mut self, held: bool, what: &str) {
        if !held {
            self.figures.broken.push(what.to_owned());
        }
    }

    async fn befriend(&mut self) -> Result<(), Trouble> {
        stage::register(&mut self.phones).await?;
        stage::befriend(&mut self.phones, WHO[1]).await?;
        self.progress("both", "are friends");
        Ok(())
    }

    async fn write_to_nobody(&mut self) -> Result<(), Trouble> {
        self.phones[1].quit().await?;
        for text in TEXTS {
            self.phones[0].tell(Order::Text { text: text.to_owned() }).await?;
        }
        self.progress("anna", format_args!("writes {} texts; ben's phone is off", TEXTS.len()));
        self.phones[1] = Phone::start(&self.settings[1]).await?;
        let began = Instant::now();
        let texts = loop {
            let lines: Vec<Line> = self.phones[1].ask_for(Order::History).await?;
            if lines.len() >= TEXTS.len() || began.elapsed() > PATIENCE {
                break lines;
            }
            self.phones[1].until("a text comes", |news| matches!(news, News::Chat)).await?;
        };
        self.figures.texts_to_a_phone_switched_off = TEXTS.len();
        self.figures.texts_in_order = texts.iter().map(|line| &line.text).eq(TEXTS.iter());
        self.promise(self.figures.texts_in_order, "texts to a phone that is off arrive once, in order, when it is on");
        self.progress("ben", "has them, in order");
        Ok(())
    }

    /// An image with its position, which nobody asked for.
    async fn show(&mut self) -> Result<String, Trouble> {
        let path = self.dir.join("vienna.png");
        fs::write(&path, IMAGE).map_err(|error| Trouble::file(&path, &error))?;
        let transfer: String = self.phones[0].ask_for(Order::SendImage { path }).await?;
        let view = self.arrived(&transfer).await?;
        let arrived = read(Path::new(&view.path))?;
        let tells = |bytes: &[u8]| bytes.windows(POSITION.len()).any(|window| window == POSITION);
        let bytes = [IMAGE.len() as u64, arrived.len() as u64];
        let tells_its_position = [tells(IMAGE), tells(&arrived)];
        self.figures.image = Image { bytes, tells_its_position, thumbnail_bytes: view.thumbnail_bytes };
        self.promise(tells_its_position == [true, false], "an image does not tell where it was taken");
        self.promise((1..=8 * 1024).contains(&view.thumbnail_bytes), "an image comes with a small picture of it");
        self.progress("anna", format_args!("sends an image; ben's copy does not tell where it was taken"));
        Ok(transfer)
    }

    /// A voice note of what Anna's recording says.
    async fn speak(&mut self) -> Result<String, Trouble> {
        let transfer: String = self.phones[0].ask_for(Order::SendVoiceNote).await?;
        let view = self.arrived(&transfer).await?;
        let ogg = read(Path::new(&view.path))?;
        let is_ogg_opus = ogg.starts_with(b"OggS") && ogg.get(28..36) == Some(b"OpusHead");
        let (duration_ms, points) = (view.duration_ms, view.points);
        self.chunks_before = view.chunks_received;
        self.figures.voice_note = VoiceNote { duration_ms, points, bytes: ogg.len() as u64, is_ogg_opus };
        self.promise(
            is_ogg_opus && duration_ms > 0 && points > 0,
            "a voice note is Opus in Ogg, with length and shape",
        );
        self.progress("anna", format_args!("sends a voice note of {:.1} s", duration_ms as f64 / 1e3));
        Ok(transfer)
    }

    async fn send_large(&mut self, bytes: u64, kills: u64) -> Result<String, Trouble> {
        let path = self.dir.join("film.bin");
        let digest = write_random(&path, bytes)?;
        let began = Instant::now();
        let transfer: String = self.phones[0].ask_for(Order::SendFile { path }).await?;
        self.phones[1].until("the offer comes", |news| is_state(news, &transfer, "offered")).await?;
        self.phones[1].tell(Order::AcceptFile { transfer: transfer.clone() }).await?;
        self.progress("ben", format_args!("accepts a file of {} MiB", bytes >> 20));
        let part = self.dir.join(WHO[1]).join("phone.files").join("parts").join(format!("{transfer}.part"));
        let mut large = Large { bytes, ..Large::default() };
        let mut life = 0;
        for kill in 0..kills {
            let at = bytes * (kill + 1) / (kills + 2) + random_below(CHUNK * 8)?;
            if !self.until_length(&part, at, &mut large).await? {
                break;
            }
            let who = usize::try_from(random_below(2)?).unwrap_or(0);
            self.phones[who].kill().await?;
            large.kills[who] += 1;
            let there = length(&part);
            if who == 1 {
                let torn = u64::from(!there.is_multiple_of(CHUNK) && there < bytes);
                large.chunks_resent += torn;
                large.most_resent_at_a_kill = large.most_resent_at_a_kill.max(torn);
                life = there / CHUNK;
            }
            self.progress(WHO[who], format_args!("dies with {:.1} MiB there", there as f64 / f64::from(1 << 20)));
            self.phones[who] = Phone::start(&self.settings[who]).await?;
        }
        let view = self.arrived(&transfer).await?;
        large.seconds = began.elapsed().as_secs_f64();
        large.whole = digest_of(Path::new(&view.path))? == digest;
        let before = if large.kills[1] == 0 { self.chunks_before } else { 0 };
        large.last_life_chunks = [view.chunks_received.saturating_sub(before), bytes / CHUNK + 1 - life];
        let again = large.last_life_chunks[0].saturating_sub(large.last_life_chunks[1]);
        large.chunks_resent += again;
        let (whole, most) = (large.whole, large.most_resent_at_a_kill);
        self.figures.file = large;
        self.promise(whole, "a file that travelled through sudden deaths is what was sent");
        self.promise(most <= 1 && again == 0, "at most one chunk comes twice for each death");
        self.progress("ben", format_args!("has it, after {:.1} s", self.figures.file.seconds));
        Ok(transfer)
    }

    /// Waits until so much of a file is there; false if it is whole already.
    async fn until_length(&self, part: &Path, wanted: u64, large: &mut Large) -> Result<bool, Trouble> {
        let (mut moved, mut last, mut before) = (Instant::now(), length(part), Instant::now());
        while last < wanted {
            tokio::time::sleep(LOOK).await;
            let now = length(part);
            if last > 0 && !part.exists() {
                return Ok(false);
            }
            if now > last {
                large.moving_seconds += before.elapsed().as_secs_f64().min(1.0);
                (moved, last) = (Instant::now(), now);
            } else if moved.elapsed() > STILL {
                return Err(Trouble::stage(WHO[1], format!("the file lies still at {now} bytes")));
            }
            before = Instant::now();
        }
        Ok(true)
    }

    /// Waits until Ben has a file, and Anna knows it.
    async fn arrived(&mut self, transfer: &str) -> Result<Transfer, Trouble> {
        let order = |transfer: &str| Order::Transfer { transfer: transfer.to_owned() };
        for phone in &mut self.phones {
            let began = Instant::now();
            loop {
                let view: Option<Transfer> = phone.ask_for(order(transfer)).await?;
                match view.map(|view| view.state) {
                    Some(state) if state == "received" => break,
                    Some(state) if state.starts_with("ended") => return Err(Trouble::stage(phone.who, state)),
                    _ if began.elapsed() > STILL => return Err(Trouble::stage(phone.who, "a file does not arrive")),
                    _ => drop(phone.within(Duration::from_millis(500), "it moves", |news| is_of(news, transfer)).await),
                }
            }
        }
        let view: Option<Transfer> = self.phones[1].ask_for(order(transfer)).await?;
        view.ok_or_else(|| Trouble::stage(WHO[1], "forgot a file"))
    }

    async fn end(mut self) -> Result<Figures, Trouble> {
        self.phones[0].quit().await?;
        self.server.stop().await?;
        self.figures.held = self.figures.broken.is_empty();
        Ok(self.figures)
    }
}

fn is_of(news: &News, wanted: &str) -> bool {
    matches!(news, News::Transfer { transfer, .. } if transfer == wanted)
}

fn is_state(news: &News, wanted: &str, in_state: &str) -> bool {
    matches!(news, News::Transfer { transfer, state, .. } if transfer == wanted && state == in_state)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|error| Trouble::file(path, &error))
}

fn random_below(limit: u64) -> Result<u64, Trouble> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(Trouble::system)?;
    Ok(u64::from_be_bytes(bytes) % limit)
}

/// Writes a file that nothing can shorten; gives its digest.
fn write_random(path: &Path, bytes: u64) -> Result<Vec<u8>, Trouble> {
    let failed = |error: std::io::Error| Trouble::file(path, &error);
    let mut file = File::create(path).map_err(failed)?;
    let (mut digest, mut block) = (Context::new(&SHA256), vec![0; 1 << 20]);
    let mut rest = bytes;
    while rest > 0 {
        let length = usize::try_from(rest).unwrap_or(block.len()).min(block.len());
        SystemRandom::new().fill(&mut block[..length]).map_err(Trouble::system)?;
        digest.update(&block[..length]);
        file.write_all(&block[..length]).map_err(failed)?;
        rest -= length as u64;
    }
    Ok(digest.finish().as_ref().to_vec())
}

fn digest_of(path: &Path) -> Result<Vec<u8>, Trouble> {
    let failed = |error: std::io::Error| Trouble::file(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut digest, mut block) = (Context::new(&SHA256), vec![0; 1 << 20]);
    loop {
        let length = file.read(&mut block).map_err(failed)?;
        if length == 0 {
            return Ok(digest.finish().as_ref().to_vec());
        }
        digest.update(&block[..length]);
    }
}
