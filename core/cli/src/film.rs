//! Films: clips that ffmpeg has encoded at several rates, shown in a call as a camera or a screen would be, and what is seen
//! of them at the other end.
//!
//! A live encoder changes its rate within a frame or two. Here every rate is encoded beforehand, and the next one is taken
//! at the next key frame: the core is told the same, the path bears the same.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sidetone::{
    Codec, Content, Event, FrameKind, Pushed, RoomVideo, Rotation, Shows, Source, Video, VideoError, VideoEvent,
    VideoFrame, clock,
};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::trouble::Trouble;

/// Frames between two key frames: half a second.
pub const GROUP: usize = 15;
/// Frames a second.
pub const RATE: u32 = 30;
/// The rates a film is encoded at, in bits a second.
pub const RUNGS: [u64; 20] = [
    80_000, 120_000, 180_000, 250_000, 350_000, 500_000, 600_000, 700_000, 800_000, 900_000, 1_000_000, 1_050_000,
    1_100_000, 1_150_000, 1_200_000, 1_250_000, 1_300_000, 1_350_000, 1_600_000, 2_000_000,
];

/// How a film is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// By libx264.
    H264,
    /// By libvpx.
    Vp8,
}

impl Coding {
    fn codec(self) -> Codec {
        match self {
            Self::H264 => Codec::H264,
            Self::Vp8 => Codec::Vp8,
        }
    }

    /// What its files end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Vp8 => "ivf",
        }
    }
}

/// A clip to encode.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clip {
    /// How.
    pub coding: Coding,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Its length.
    pub seconds: u32,
}

/// What ffmpeg is given to read: a file, or one of its test pictures.
#[derive(Debug, Clone)]
pub enum Footage {
    /// A file.
    File(PathBuf),
    /// A test picture with movement all over it, a clock, and noise.
    Test,
}

/// Runs ffmpeg.
///
/// # Errors
///
/// [`Trouble::Stage`] with what it said.
pub async fn ffmpeg(arguments: &[String], into: Option<&Path>) -> Result<Vec<u8>, Trouble> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]).args(arguments);
    match into {
        Some(path) => command.arg(path),
        None => command.arg("-"),
    };
    let done = command.stdin(Stdio::null()).output().await;
    let done = done.map_err(|_| Trouble::stage("ffmpeg", "is not installed (Debian: apt install ffmpeg)"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Trouble::stage("ffmpeg", said.lines().last().unwrap_or("failed").to_owned()));
    }
    Ok(done.stdout)
}

impl Clip {
    fn input(&self, footage: &Footage) -> Vec<String> {
        let Self { width, height, .. } = self;
        let mut input: Vec<String> = match footage {
            Footage::File(path) => vec!["-i".into(), path.display().to_string()],
            Footage::Test => {
                let size = format!("size={width}x{height}:rate={RATE}");
                vec!["-f".into(), "lavfi".into(), "-i".into(), format!("testsrc2={size},noise=alls=6:allf=t")]
            }
        };
        let filter = format!(
            "fps={RATE},scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"
        );
        let seconds = self.seconds.to_string();
        input.extend(["-t".into(), seconds, "-an".into(), "-vf".into(), filter, "-pix_fmt".into(), "yuv420p".into()]);
        input
    }

    /// The pictures as they are, `width * height * 3 / 2` bytes each (YUV 4:2:0).
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`].
    pub async fn raw(&self, footage: &Footage) -> Result<Vec<u8>, Trouble> {
        let mut arguments = self.input(footage);
        arguments.extend(["-f".into(), "rawvideo".into()]);
        ffmpeg(&arguments, None).await
    }

    /// Encodes the clip at every rate into a folder.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`], [`Trouble::File`].
    pub async fn encode(&self, footage: &Footage, folder: &Path) -> Result<(), Trouble> {
        std::fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
        for rung in RUNGS {
            let mut arguments = self.input(footage);
            let (bits, buffer, group) = (rung.to_string(), (rung / 4).to_string(), GROUP.to_string());
            let coder: &[&str] = match self.coding {
                Coding::H264 => {
                    &["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "baseline"]
                }
                Coding::Vp8 => &["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"],
            };
            let rate = ["-b:v", &bits, "-maxrate", &bits, "-bufsize", &buffer, "-g", &group, "-keyint_min", &group];
            let kind: &[&str] = match self.coding {
                Coding::H264 => &["-sc_threshold", "0", "-x264-params", "aud=1:scenecut=0", "-f", "h264"],
                Coding::Vp8 => &["-f", "ivf"],
            };
            arguments.extend(coder.iter().chain(&rate).chain(kind).map(|&word| word.to_owned()));
            ffmpeg(&arguments, Some(&folder.join(format!("{rung}.{}", self.coding.extension())))).await?;
        }
        let about = serde_json::to_string(self).map_err(Trouble::system)?;
        let path = folder.join("film.json");
        std::fs::write(&path, about).map_err(|error| Trouble::file(&path, &error))
    }
}

/// A film at every rate, in memory.
pub struct Film {
    /// What it is.
    pub clip: Clip,
    rungs: Vec<(u64, Vec<Vec<u8>>)>,
}

impl Film {
    /// Reads what [`Clip::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`Trouble::File`], [`Trouble::System`] for what is no film.
    pub fn read(folder: &Path) -> Result<Self, Trouble> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| Trouble::file(path, &error));
        let clip: Clip = serde_json::from_slice(&read(&folder.join("film.json"))?).map_err(Trouble::system)?;
        let mut rungs = Vec::new();
        for rung in RUNGS {
            let bytes = read(&folder.join(format!("{rung}.{}", clip.coding.extension())))?;
            let frames = match clip.coding {
                Coding::H264 => access_units(&bytes),
                Coding::Vp8 => ivf_frames(&bytes),
            };
            let frames = frames.ok_or_else(|| Trouble::System(format!("{}: no film", folder.display())))?;
            rungs.push((rung, frames));
        }
        Ok(Self { clip, rungs })
    }

    /// How many frames every rate has.
    pub fn length(&self) -> usize {
        self.rungs.iter().map(|(_, frames)| frames.len()).min().unwrap_or(0)
    }

    /// The best rate that fits.
    fn rung(&self, bps: u64) -> usize {
        self.rungs.iter().rposition(|(rung, _)| *rung <= bps).unwrap_or(0)
    }
}

/// Cuts an Annex B stream (ITU-T H.264) at its access unit delimiters.
fn access_units(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    const DELIMITER: u8 = 9;
    let is_delimiter = |at: &usize| {
        bytes[*at..].starts_with(&[0, 0, 0, 1]) && bytes.get(at + 4).is_some_and(|byte| byte & 0x1f == DELIMITER)
    };
    let mut starts: Vec<usize> = (0..bytes.len()).filter(is_delimiter).collect();
    starts.push(bytes.len());
    let units: Vec<Vec<u8>> = starts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect();
    (!units.is_empty()).then_some(units)
}

/// Reads the frames of an IVF file.
fn ivf_frames(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = bytes.strip_prefix(b"DKIF")?.get(28..)?;
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        frames.push(after.get(..length)?.to_vec());
        rest = &after[length..];
    }
    (!frames.is_empty()).then_some(frames)
}

/// What was shown, one line each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    /// Its place in the film.
    pub number: usize,
    /// When it was captured, on the clock all processes share.
    pub at_us: u64,
    /// The rate it was encoded at.
    pub rung: u64,
    /// Its length.
    pub bytes: usize,
    /// SHA-256 of the frame.
    pub hash: String,
    /// Whether it left.
    pub queued: bool,
    /// What the path was thought to bear.
    pub target_bps: u64,
}

/// What was seen, one line each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// When its sender captured it.
    pub captured_us: u64,
    /// When it was to be shown here.
    pub at_us: u64,
    /// Its length.
    pub bytes: usize,
    /// SHA-256 of the frame.
    pub hash: String,
    /// How far it was behind its sound.
    pub behind_us: Option<i64>,
}

fn hash(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a film is shown.
pub enum Wall {
    /// In the call that is on.
    Call(Video),
    /// In a room.
    Room(RoomVideo),
}

impl Wall {
    fn push(&self, frame: &VideoFrame) -> Result<Pushed, VideoError> {
        match self {
            Self::Call(video) => video.push(frame),
            Self::Room(video) => video.push(frame),
        }
    }

    fn target_bps(&self) -> Option<u64> {
        match self {
            Self::Call(video) => video.target_bps(),
            Self::Room(video) => video.target_bps(),
        }
    }
}

/// Which files are shown as what, as typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Reel {
    /// A film to show as the camera: whatever ffmpeg reads.
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// A film to show as a shared screen.
    #[arg(long, value_name = "FILE")]
    screen: Option<PathBuf>,
}

/// How films of a terminal are encoded.
const REEL: Clip = Clip { coding: Coding::H264, width: 640, height: 360, seconds: 3_600 };

impl Reel {
    fn films(&self) -> impl Iterator<Item = (Source, &PathBuf, &'static str)> {
        let camera = self.video.iter().map(|path| (Source::Camera, path, "camera"));
        camera.chain(self.screen.iter().map(|path| (Source::Screen, path, "screen")))
    }

    /// What the other side is told.
    pub fn shows(&self) -> Shows {
        Shows { camera: self.video.is_some(), screen: self.screen.as_ref().map(|_| Content::Motion) }
    }

    /// Encodes what there is into a folder.
    ///
    /// # Errors
    ///
    /// As [`Clip::encode`].
    pub async fn encode(&self, folder: &Path) -> Result<(), Trouble> {
        for (_, path, name) in self.films() {
            crate::say(format_args!("ffmpeg encodes {}", path.display()));
            REEL.encode(&Footage::File(path.clone()), &folder.join(name)).await?;
        }
        Ok(())
    }

    /// Begins what was encoded into the folder.
    ///
    /// # Errors
    ///
    /// As [`Film::read`].
    pub fn start(&self, folder: &Path, wall: impl Fn() -> Wall) -> Result<Vec<Projector>, Trouble> {
        let begin = |(source, _, name)| Ok(Projector::start(wall(), Film::read(&folder.join(name))?, source, None));
        self.films().map(begin).collect()
    }
}

/// Shows a film until it is dropped or the film is over.
pub struct Projector {
    source: Source,
    bps: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Projector {
    /// Shows a film; what was shown goes into `log`, line by line.
    pub fn start(wall: Wall, film: Film, source: Source, log: Option<std::fs::File>) -> Self {
        // What the encoder was told before there was a film.
        let (bps, told) = watch::channel(wall.target_bps().unwrap_or(RUNGS[0]));
        let task = tokio::spawn(project(wall, film, source, log, told));
        Self { source, bps, task }
    }

    /// What the encoder should know.
    pub fn tell(&self, event: &Event) {
        if let Event::Video(_, VideoEvent::Bitrate(source, bps)) | Event::RoomVideo(_, VideoEvent::Bitrate(source, bps)) =
            event
            && *source == self.source
        {
            self.bps.send_replace(*bps);
        }
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn project(wall: Wall, film: Film, source: Source, mut log: Option<std::fs::File>, told: watch::Receiver<u64>) {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut rung, mut number) = (0, 0);
    while number < film.length() {
        pace.tick().await;
        let kind = if number.is_multiple_of(GROUP) { FrameKind::Key } else { FrameKind::Delta };
        if kind == FrameKind::Key {
            rung = film.rung(*told.borrow());
        }
        let (bits, frames) = &film.rungs[rung];
        let (width, height, codec) = (film.clip.width, film.clip.height, film.clip.coding.codec());
        let captured_us = clock::micros();
        let bytes = frames[number].clone();
        let frame =
            VideoFrame { source, codec, kind, rotation: Rotation::None, layer: 0, width, height, captured_us, bytes };
        // Before there is a call, and after a frame was dropped, what stands not alone is refused.
        let queued = matches!(wall.push(&frame), Ok(Pushed::Queued));
        if let Some(log) = &mut log {
            let (hash, bytes, at_us, rung) = (hash(&frame.bytes), frame.bytes.len(), captured_us, *bits);
            let target_bps = wall.target_bps().unwrap_or(0);
            let shown = Shown { number, at_us, rung, bytes, hash, queued, target_bps };
            let line = serde_json::to_string(&shown).expect("numbers and text are JSON");
            let _ = writeln!(log, "{line}");
        }
        number += 1;
    }
}

/// Writes what is seen: the frames one after the other, and a line for each.
pub struct Screening(JoinHandle<()>);

impl Screening {
    /// Watches until it is dropped.
    ///
    /// # Errors
    ///
    /// [`Trouble::File`].
    pub fn start(video: Video, folder: &Path) -> Result<Self, Trouble> {
        std::fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
        let open = |name: &str| {
            let path = folder.join(name);
            std::fs::File::create(&path).map_err(|error| Trouble::file(&path, &error))
        };
        let (mut frames, mut lines) = (open("seen.frames")?, open("seen.jsonl")?);
        Ok(Self(tokio::spawn(async move {
            loop {
                let frame = video.next().await;
                let (captured_us, at_us, bytes) = (frame.captured_us, clock::micros(), frame.bytes.len());
                let behind_us = video.behind_us(frame.source);
                let seen = Seen { captured_us, at_us, bytes, hash: hash(&frame.bytes), behind_us };
                let line = serde_json::to_string(&seen).expect("numbers and text are JSON");
                // A disk that is full is noticed where the files are read.
                let _ = frames.write_all(&frame.bytes).and_then(|()| writeln!(lines, "{line}"));
            }
        })))
    }
}

impl Drop for Screening {
    fn drop(&mut self) {
        self.0.abort();
    }
}
