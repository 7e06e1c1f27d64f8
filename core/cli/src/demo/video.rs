//! `sidetone demo video`: a film, encoded by a real encoder, from one phone to another over an emulated path, decoded there
//! and compared with what was filmed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lab::{Namespace, Wire};
use serde::Serialize;

use super::script::WHO;
use super::stage::{self, PATIENCE, Phone, PhoneSettings, Place, Server};
use crate::film::{self, Clip, Coding, Footage, Seen, Shown};
use crate::phone::{News, Order};
use crate::say;
use crate::trouble::Trouble;
use crate::wav;

mod page;
mod race;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Folder for report.html.
    #[arg(long, value_name = "DIR", default_value = "sidetone-demo-video")]
    out: PathBuf,
    /// What to film; otherwise a test picture.
    #[arg(long, value_name = "FILE")]
    film: Option<PathBuf>,
    /// Which encoder.
    #[arg(long, value_enum, default_value = "h264")]
    coding: Coding,
    /// Length of the film.
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u32,
    /// The path, each way.
    #[arg(long, value_name = "SHAPE", default_value = "delay=20ms loss=1% rate=1.5mbit queue=100ms")]
    path: String,
    /// Shows a film over a lossy path and over one whose rate changes, and Chromium's camera over the same: a folder in which
    /// npm has installed playwright-core.
    #[arg(long, value_name = "DIR")]
    chromium: Option<PathBuf>,
}

/// All figures of one run: what `--json` writes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Whether everything promised held.
    pub held: bool,
    /// What did not hold, in sentences.
    pub broken: Vec<String>,
    /// The path, each way.
    pub path: String,
    /// Frames of the film that left, and that were seen.
    pub frames: [usize; 2],
    /// Of those seen, those that are bit for bit what left.
    pub exact: usize,
    /// Pauses in which a viewer sees that nothing moves, and how long they were together.
    pub freezes: usize,
    /// See above.
    pub frozen_ms: u64,
    /// From the camera to the decoder, at the median and at 95 %.
    pub delay_ms: [u64; 2],
    /// How far pictures were from their sound, at the median and at 95 %.
    pub lip_sync_ms: [u64; 2],
    /// How long the voice beside the film waited for packets before it on the path, after the first five seconds: at the
    /// median and at 99 %. Alone it would not wait.
    pub voice_waited_ms: [f64; 2],
    /// Bits a second that arrived in frames, after the first five seconds.
    pub kbps: u64,
    /// How much of the path's rate was used from then on by all that went the same way, with its headers, in percent; none on a
    /// path without a rate or with several.
    pub used_percent: Option<f64>,
    /// What the path was thought to bear at the end.
    pub target_kbps: u64,
    /// Luma PSNR of what was seen against what was filmed, in dB: of the encoding at the rate that was chosen.
    pub psnr_db: f64,
}

/// Everything one run gave.
pub struct Played {
    figures: Figures,
    shown: Vec<Shown>,
    seen: Vec<Seen>,
    /// Decoded pictures beside those filmed, as PNG.
    pairs: Vec<[Vec<u8>; 2]>,
}

/// Plays, prints, writes; gives whether everything promised held.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: &Args) -> Result<bool, Trouble> {
    if let Some(peers) = &args.chromium {
        return race::run(args, peers).await;
    }
    let dir = tempfile::Builder::new().prefix("sidetone-video-").tempdir().map_err(Trouble::system)?;
    std::fs::create_dir_all(&args.out).map_err(|error| Trouble::file(&args.out, &error))?;
    let clip = Clip { coding: args.coding, width: 640, height: 360, seconds: args.seconds };
    let footage = args.film.clone().map_or(Footage::Test, Footage::File);
    say("ffmpeg encodes the film at twenty rates");
    clip.encode(&footage, &dir.path().join("film")).await?;
    let road = play(&args.path, args.seconds, dir.path()).await?;
    let played = judge(&args.path, &road, &clip, &footage, dir.path()).await?;
    let report = args.out.join("report.html");
    std::fs::write(&report, page::page(&played)).map_err(|error| Trouble::file(&report, &error))?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&played.figures).map_err(Trouble::system)?;
        std::fs::write(path, text).map_err(|error| Trouble::file(path, &error))?;
    }
    let figures = &played.figures;
    say(format_args!(
        "{} frames left, {} were seen, {} bit for bit; {} freezes ({} ms); {} / {} ms from camera to decoder; {} ms from \
         their sound; the voice waited {:.1} ms at 99 %; {} kbit/s, {} % of the path; {:.1} dB",
        figures.frames[0],
        figures.frames[1],
        figures.exact,
        figures.freezes,
        figures.frozen_ms,
        figures.delay_ms[0],
        figures.delay_ms[1],
        figures.lip_sync_ms[1],
        figures.voice_waited_ms[1],
        figures.kbps,
        figures.used_percent.map_or_else(|| "?".to_owned(), |percent| format!("{percent:.1}")),
        figures.psnr_db
    ));
    say(format_args!("the report: {}", report.display()));
    for broken in &figures.broken {
        say(format_args!("NOT HELD: {broken}"));
    }
    Ok(figures.held)
}

/// What a look at the path from the first end to the second saw.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// When, in milliseconds since the road was built.
    at_ms: u64,
    /// How long packets waited in the tenth of a second before, in milliseconds.
    waited_ms: u64,
    /// Bytes that came out by then, with their IP headers.
    bytes: u64,
}

/// Two networks, the path between them, and how long packets wait for their turn on it.
struct Road {
    networks: [Namespace; 2],
    wire: Arc<Wire>,
    joined: Instant,
    looks: Arc<Mutex<Vec<Look>>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Road {
    fn build(path: &str) -> Result<Self, Trouble> {
        let networks = [Namespace::new().map_err(Trouble::system)?, Namespace::new().map_err(Trouble::system)?];
        let shape = path.parse().map_err(Trouble::system)?;
        let wire = Arc::new(Wire::join(&networks[0], &networks[1], &shape, 7).map_err(Trouble::system)?);
        wire.time(is_sound);
        let (joined, looks) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
        let (looked, kept) = (Arc::clone(&wire), Arc::clone(&looks));
        let watching = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(100));
            loop {
                pace.tick().await;
                let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                let (at_ms, waited_ms) = (millis(joined.elapsed()), millis(looked.waited()[0]));
                let now = Look { at_ms, waited_ms, bytes: looked.counts()[0].bytes };
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(now);
            }
        });
        Ok(Self { networks, wire, joined, looks, watching })
    }

    fn looks(&self) -> Vec<Look> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long packets of sound waited for those before them, within these milliseconds since it was built: at the median and
    /// at 99 %, in milliseconds.
    fn voice_waited_ms(&self, within: std::ops::Range<u64>) -> [f64; 2] {
        let [there, _] = self.wire.timed();
        let within = there.iter().filter(|timed| within.contains(&(timed.at.as_millis() as u64)));
        let waited: Vec<u64> = within.map(|timed| timed.waited.as_micros() as u64).collect();
        [500, 990].map(|permille| at(waited.clone(), permille) as f64 / 1e3)
    }

    /// When it was built, by the clock of films, in microseconds.
    fn built_us(&self) -> u64 {
        sidetone::clock::micros().saturating_sub(u64::try_from(self.joined.elapsed().as_micros()).unwrap_or(0))
    }

    /// Bits a second that came out between two times of the clock of films.
    fn bps(&self, from_us: u64, to_us: u64) -> Option<f64> {
        let built_us = self.built_us();
        let looks = self.looks();
        let within = |look: &&Look| (from_us..=to_us).contains(&(built_us + look.at_ms * 1_000));
        let (first, last) = (looks.iter().find(within)?, looks.iter().rfind(within)?);
        let ms = last.at_ms.checked_sub(first.at_ms).filter(|ms| *ms > 0)?;
        Some((last.bytes - first.bytes) as f64 * 8e3 / ms as f64)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Whether this is a packet of sound: RTP in UDP, of the payload type that both ours and Chromium give to Opus.
fn is_sound(packet: &[u8]) -> bool {
    const OPUS: u8 = 111;
    let Some(&[first, .., protocol, _, _]) = packet.first_chunk::<12>() else { return false };
    let udp = packet.get(usize::from(first & 0x0f) * 4..);
    first >> 4 == 4
        && protocol == 17
        && matches!(udp, Some([_, _, _, _, _, _, _, _, 128..=191, kind, ..]) if kind & 0x7f == OPUS)
}

/// Two phones in networks of their own, the path between them, and a call with a film in it.
async fn play(path: &str, seconds: u32, dir: &Path) -> Result<Road, Trouble> {
    let road = Road::build(path)?;
    let places = [0, 1]
        .map(|end| Place { namespace: Some(road.networks[end].path().into()), address: road.wire.addresses()[end] });
    let program = std::env::current_exe().map_err(Trouble::system)?;
    let server = Server::start_at(&program, dir, &places[1]).await?;
    let voice = dir.join("voice.wav");
    wav::write(&voice, &wav::parse(super::VOICES[0]).expect("the recordings in this program are whole"))?;
    let settings = [0, 1].map(|n| PhoneSettings {
        program: program.clone(),
        who: WHO[n],
        dir: dir.to_owned(),
        server: server.ready.server.clone(),
        voice: voice.clone(),
        place: places[n].clone(),
    });
    let mut phones = [Phone::start(&settings[0]).await?, Phone::start(&settings[1]).await?];
    stage::register(&mut phones).await?;
    stage::befriend(&mut phones, WHO[1]).await?;
    let [mut anna, mut ben] = phones;
    ben.tell(Order::Watch { folder: dir.join("seen") }).await?;
    anna.tell(Order::Call).await?;
    let connected = |news: &News| matches!(news, News::Call { state, .. } if state == "connected");
    for phone in [&mut anna, &mut ben] {
        phone.until("both can speak", connected).await?;
    }
    say(format_args!("a call over {path}: the film begins"));
    anna.tell(Order::Film { folder: dir.join("film"), log: dir.join("shown.jsonl") }).await?;
    let shown = Duration::from_secs(u64::from(seconds) + 2);
    tokio::try_join!(anna.listen(shown), ben.listen(shown))?;
    anna.tell(Order::HangUp).await?;
    ben.within(PATIENCE, "the call ends", |news| matches!(news, News::Call { over: true, .. })).await?;
    anna.quit().await?;
    ben.quit().await?;
    server.stop().await?;
    Ok(road)
}

fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Trouble::system)).collect()
}

fn at(mut values: Vec<u64>, permille: usize) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) * permille / 1_000).copied().unwrap_or(0)
}

async fn judge(path: &str, road: &Road, clip: &Clip, footage: &Footage, dir: &Path) -> Result<Played, Trouble> {
    let shown: Vec<Shown> = lines(&dir.join("shown.jsonl"))?;
    let seen: Vec<Seen> = lines(&dir.join("seen/seen.jsonl"))?;
    let by_capture: BTreeMap<u64, &Shown> = shown.iter().map(|shown| (shown.at_us, shown)).collect();
    let left = shown.iter().filter(|shown| shown.queued).count();
    let known: Vec<(&Seen, &Shown)> =
        seen.iter().filter_map(|seen| Some((seen, *by_capture.get(&seen.captured_us)?))).collect();
    let mut figures = Figures { path: path.to_owned(), frames: [left, seen.len()], ..Figures::default() };
    figures.exact = known.iter().filter(|(seen, shown)| seen.hash == shown.hash).count();
    let frame_us = 1_000_000 / u64::from(film::RATE);
    for pair in seen.windows(2) {
        let pause_us = pair[1].at_us.saturating_sub(pair[0].at_us);
        // As in W3C's webrtc-stats, freezeCount.
        if pause_us > (3 * frame_us).max(frame_us + 150_000) {
            figures.freezes += 1;
            figures.frozen_ms += pause_us / 1_000;
        }
    }
    let delays: Vec<u64> = seen.iter().map(|seen| seen.at_us.saturating_sub(seen.captured_us) / 1_000).collect();
    figures.delay_ms = [at(delays.clone(), 500), at(delays, 950)];
    let lips: Vec<u64> = seen.iter().filter_map(|seen| Some(seen.behind_us?.unsigned_abs() / 1_000)).collect();
    figures.lip_sync_ms = [at(lips.clone(), 500), at(lips, 950)];
    let began = seen.first().map_or(0, |seen| seen.at_us) + 5_000_000;
    let later: Vec<&Seen> = seen.iter().filter(|seen| seen.at_us >= began).collect();
    let span_us = later.last().map_or(0, |last| last.at_us.saturating_sub(began)).max(1);
    figures.kbps = later.iter().map(|seen| seen.bytes as u64 * 8_000).sum::<u64>() / span_us;
    let since_ms = |us: u64| us.saturating_sub(road.built_us()) / 1_000;
    figures.voice_waited_ms =
        road.voice_waited_ms(since_ms(began)..since_ms(later.last().map_or(began, |last| last.at_us)));
    let shape: lab::Shape = path.parse().map_err(Trouble::system)?;
    figures.used_percent = shape.rate.filter(|_| shape.steps.is_empty()).and_then(|rate| {
        let ended = later.last().map_or(began, |last| last.at_us);
        Some(100.0 * road.bps(began, ended)? / rate as f64)
    });
    figures.target_kbps = shown.last().map_or(0, |shown| shown.target_bps / 1_000);
    let (psnr_db, pairs) = compare(clip, footage, &known, dir).await?;
    figures.psnr_db = psnr_db;
    let minutes = f64::from(clip.seconds) / 60.0;
    let promises = [
        (figures.exact == seen.len() && !seen.is_empty(), "a frame came otherwise than it went"),
        (seen.len() * 100 >= left * 98, "more than one frame in fifty that left was not seen"),
        (figures.freezes as f64 <= minutes.max(1.0), "more than one freeze a minute"),
        (figures.delay_ms[1] <= 200, "95 % of the frames took longer than 200 ms"),
        (figures.lip_sync_ms[1] <= 45, "pictures were further than 45 ms from their sound"),
        (figures.voice_waited_ms[1] <= 5.0, "the voice waited longer than 5 ms at 99 %"),
        (figures.used_percent.is_none_or(|percent| percent >= 85.0), "less than 85 % of the path was used"),
        (psnr_db > 25.0, "what was seen is not what was filmed"),
    ];
    figures.broken = promises.iter().filter(|(held, _)| !held).map(|(_, what)| (*what).to_owned()).collect();
    figures.held = figures.broken.is_empty();
    Ok(Played { figures, shown, seen, pairs })
}

/// Decodes what was seen and compares each picture with the one that was filmed.
async fn compare(
    clip: &Clip,
    footage: &Footage,
    known: &[(&Seen, &Shown)],
    dir: &Path,
) -> Result<(f64, Vec<[Vec<u8>; 2]>), Trouble> {
    let size = usize::from(clip.width) * usize::from(clip.height);
    let (path, raw) = (dir.join("seen.film"), clip.raw(footage).await?);
    let frames = std::fs::read(dir.join("seen/seen.frames")).map_err(Trouble::system)?;
    let stream = match clip.coding {
        Coding::H264 => frames,
        Coding::Vp8 => ivf(clip, known, &frames),
    };
    std::fs::write(&path, stream).map_err(|error| Trouble::file(&path, &error))?;
    let kind = if clip.coding == Coding::H264 { "h264" } else { "ivf" };
    let words = ["-f", kind, "-i", &path.display().to_string(), "-vsync", "passthrough", "-pix_fmt", "yuv420p"];
    let mut arguments: Vec<String> = words.map(str::to_owned).into();
    arguments.extend(["-f".to_owned(), "rawvideo".to_owned()]);
    let decoded = film::ffmpeg(&arguments, None).await?;
    let (mut squares, mut samples) = (0_u64, 0_u64);
    let mut kept = Vec::new();
    let every = (known.len() / 4).max(1);
    for (place, (picture, (_, shown))) in decoded.chunks_exact(size * 3 / 2).zip(known).enumerate() {
        let Some(filmed) = raw.get(shown.number * size * 3 / 2..(shown.number + 1) * size * 3 / 2) else { continue };
        let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
        squares += picture[..size].iter().zip(&filmed[..size]).map(square).sum::<u64>();
        samples += size as u64;
        if place % every == every / 2 {
            kept.push([filmed.to_vec(), picture.to_vec()]);
        }
    }
    let mut pairs = Vec::new();
    for [filmed, picture] in kept {
        pairs.push([png(clip, &filmed, dir).await?, png(clip, &picture, dir).await?]);
    }
    let mean = squares as f64 / samples.max(1) as f64;
    let psnr_db = if samples == 0 { 0.0 } else { 10.0 * (255.0_f64.powi(2) / mean.max(1e-9)).log10() };
    Ok((psnr_db, pairs))
}

/// An IVF file of the frames that were seen.
fn ivf(clip: &Clip, known: &[(&Seen, &Shown)], frames: &[u8]) -> Vec<u8> {
    let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
    file.extend(clip.width.to_le_bytes());
    file.extend(clip.height.to_le_bytes());
    file.extend(film::RATE.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend((known.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    let mut rest = frames;
    for (place, (seen, _)) in known.iter().enumerate() {
        let (frame, after) = rest.split_at(seen.bytes.min(rest.len()));
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((place as u64).to_le_bytes());
        file.extend(frame);
        rest = after;
    }
    file
}

async fn png(clip: &Clip, picture: &[u8], dir: &Path) -> Result<Vec<u8>, Trouble> {
    let path = dir.join("picture.yuv");
    std::fs::write(&path, picture).map_err(|error| Trouble::file(&path, &error))?;
    let size = format!("{}x{}", clip.width, clip.height);
    let words = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-i", &path.display().to_string()];
    let mut arguments: Vec<String> = words.map(str::to_owned).into();
    arguments.extend(["-frames:v", "1", "-f", "image2pipe", "-c:v", "png"].map(str::to_owned));
    film::ffmpeg(&arguments, None).await
}
