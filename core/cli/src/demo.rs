//! `sidetone demo`: a server and two phones, each a process of its own, do everything there is to do on this machine; what
//! is promised is measured and judged.

use std::path::{Path, PathBuf};

use crate::say;
use crate::trouble::Trouble;
use crate::wav;

pub mod figures;
mod ghost;
mod handover;
pub mod keep;
pub mod measure;
mod plot;
mod report;
mod room;
mod script;
mod search;
pub mod stage;
mod strangers;
mod video;

use figures::{Figures, Promise};
use script::{Setting, WHO};

/// What the two people say if nothing else is given: espeak-ng, 48 kHz mono.
const VOICES: [&[u8]; 2] = [include_bytes!("../voices/anna.wav"), include_bytes!("../voices/ben.wav")];

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// Where to write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A recording (WAV) that Anna speaks; given twice, the second is Ben's.
    #[arg(long, value_name = "FILE")]
    voice: Vec<PathBuf>,
    /// Folder for the recordings and report.html; it is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "sidetone-demo", overrides_with = "out")]
    out: PathBuf,
    /// Speak only so long.
    #[arg(long, value_name = "S")]
    seconds: Option<u32>,
}

/// A demonstration of one thing.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// A phone in a call walks from one network into another.
    Handover(handover::Args),
    /// Files, images, voice notes and texts through everything that happens to phones.
    Keep(keep::Args),
    /// Eight phones in one push-to-talk room.
    Room(room::Args),
    /// Fifty people and ten bots among strangers, two of them watched in full.
    Strangers(strangers::Args),
    /// A film from phone to phone over a path that is as bad as one likes.
    Video(video::Args),
}

/// Plays, prints, writes; gives whether everything promised held.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: Args) -> Result<bool, Trouble> {
    match args.part {
        Some(Part::Handover(args)) => return handover::run(&args).await,
        Some(Part::Keep(args)) => return keep::run(args).await,
        Some(Part::Room(args)) => return room::run(&args).await,
        Some(Part::Strangers(args)) => return strangers::run(&args).await,
        Some(Part::Video(args)) => return video::run(&args).await,
        None => {}
    }
    let voices = voices(&args)?;
    std::fs::create_dir_all(&args.out).map_err(|error| Trouble::file(&args.out, &error))?;
    let dir = tempfile::Builder::new().prefix("sidetone-demo-").tempdir().map_err(Trouble::system)?;
    let program = std::env::current_exe().map_err(Trouble::system)?;
    let setting = Setting { program, dir: dir.path().to_owned(), out: args.out.clone(), voices };
    let mut played = script::play(&setting).await?;
    let promises = played.figures.judge();
    table(&played.figures, &promises);
    let page = args.out.join("report.html");
    write(&page, &report::page(&played, &setting.voices, &promises))?;
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&played.figures).map_err(Trouble::system)?)?;
    }
    say(format_args!("\nwhat each one heard, and the report: {}", args.out.display()));
    for broken in &played.figures.broken {
        say(format_args!("NOT HELD: {broken}"));
    }
    Ok(played.figures.held)
}

fn voices(args: &Args) -> Result<[Vec<i16>; 2], Trouble> {
    if let Some(extra) = args.voice.get(2) {
        return Err(Trouble::System(format!("{}: there are two people, and each has one voice", extra.display())));
    }
    let voice = |n: usize| -> Result<Vec<i16>, Trouble> {
        let mut voice = match args.voice.get(n) {
            Some(path) => wav::read(path)?,
            None => wav::parse(VOICES[n]).expect("the recordings in this program are whole"),
        };
        mark(&mut voice)?;
        voice.truncate(args.seconds.unwrap_or(wav::LONGEST_S).max(2) as usize * wav::RATE as usize);
        Ok(voice)
    };
    Ok([voice(0)?, voice(1)?])
}

/// Changes each sample by one step or none, at random: nobody hears it, and no other recording has the same samples, not
/// even the one in this program.
fn mark(voice: &mut [i16]) -> Result<(), Trouble> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut noise = vec![0; voice.len()];
    SystemRandom::new().fill(&mut noise).map_err(Trouble::system)?;
    for (sample, noise) in voice.iter_mut().zip(noise) {
        *sample = sample.saturating_add(i16::from(noise % 3) - 1);
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| Trouble::file(path, &error))
}

fn table(figures: &Figures, promises: &[Promise]) {
    say(format_args!("\n{:34}{:>14}{:>14}", "", WHO[0], WHO[1]));
    let row = |what: &str, of: &dyn Fn(&str) -> Option<String>| {
        let [anna, ben] = WHO.map(|who| of(who).unwrap_or_default());
        say(format_args!("{what:34}{anna:>14}{ben:>14}"));
    };
    row("account made", &|who| Some(format!("{:.0} ms", figures.register_ms.get(who)?)));
    let set_up = |who: &str, warm: bool| {
        let setup = figures.setup_ms.get(who)?;
        let phases = if warm { &setup.warm } else { &setup.cold };
        Some(format!("{:.0} ms", phases.get("connected")?))
    };
    row("ringing to connected, new link", &|who| set_up(who, false));
    row("ringing to connected, link there", &|who| set_up(who, true));
    row("frames spoken", &|who| Some(figures.sound.get(who)?.frames_sent.to_string()));
    row("frames heard", &|who| Some(figures.sound.get(who)?.frames_heard.to_string()));
    row("sound made up", &|who| Some(format!("{} ms", figures.sound.get(who)?.concealed_ms)));
    row("mouth to ear, median", &|who| Some(format!("{:.1} ms", figures.mouth_to_ear_ms.get(who)?.median_ms)));
    row("likeness to what was spoken", &|who| Some(format!("{:.2}", figures.mouth_to_ear_ms.get(who)?.correlation)));
    row("to and from the server", &|who| Some(bytes(figures.bytes.get(who)?.server.total())));
    row("to and from the other phone", &|who| {
        let bytes_of = figures.bytes.get(who)?;
        Some(bytes(bytes_of.peer_records.total() + bytes_of.peer_sound.total()))
    });
    say("");
    for promise in promises {
        say(format_args!(
            "{} {}: {}",
            if promise.held { "held    " } else { "NOT HELD" },
            promise.text,
            promise.measured
        ));
    }
}

/// Bytes for people.
fn bytes(count: u64) -> String {
    if count < 10_000 { format!("{count} B") } else { format!("{:.1} kB", count as f64 / 1e3) }
}
