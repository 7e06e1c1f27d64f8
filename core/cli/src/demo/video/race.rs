//! The same paths for a film of ours and for Chromium's camera, one after the other in one run.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Args, Figures, Look, Played, Road, at, judge, play};
use crate::film::{Clip, Footage};
use crate::say;
use crate::trouble::Trouble;

/// Runs two Chromiums.
const SCRIPT: &str = include_str!("chromium.mjs");
/// The path loses one packet of a hundred.
const LOSSY: &str = "delay=20ms loss=1% rate=1.5mbit queue=1s";
/// It becomes ten times narrower, and wide again.
const STEPS: &str = "delay=20ms rate=3mbit step=30s:300kbit step=50s:3mbit queue=1s";
const NARROW_MS: std::ops::Range<u64> = 30_000..50_000;
/// How long a row is measured from when its path was built, and what setting up may take of it.
const ROW: Duration = Duration::from_secs(70);
/// What is seen before is not counted: both begin with what they think a path bears.
const WARM_MS: u64 = 15_000;

/// What one of the two did on one path.
#[derive(Debug, Clone, Default, Serialize)]
struct Row {
    /// Whose.
    who: &'static str,
    /// Frames seen a second.
    frames_a_second: f64,
    /// Freezes a minute (webrtc-stats, freezeCount).
    freezes_a_minute: f64,
    /// Bits of pictures a second that came.
    kbps: u64,
    /// Bits a second that came out of the path on the same way, sound, headers and repairs with them.
    wire_kbps: u64,
    /// From capture to decoder at 95 %; for Chromium from the first packet to the decoder, averaged over fifths of a second.
    delay_p95_ms: u64,
    /// How long packets waited at 95 %.
    queue_p95_ms: u64,
    /// How long packets of sound waited at 99 %.
    voice_p99_ms: f64,
    /// On the path that changes: how long it took from the drop until nothing waited longer than 300 ms.
    drained_ms: Option<u64>,
    /// The longest wait later than two seconds after the drop.
    longest_ms: Option<u64>,
    /// Bits a second in the last seconds of the narrow path, and in the last ten after it.
    narrow_kbps: Option<u64>,
    /// See above.
    wide_kbps: Option<u64>,
}

/// A line of Chromium's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Tick {
    ms: u64,
    frames: u64,
    bytes: u64,
    freezes: u64,
    waited_s: f64,
}

/// Runs both over both paths and prints what each did; held is what is promised of ours.
///
/// # Errors
///
/// [`Trouble`] if it could not be played to its end.
pub async fn run(args: &Args, peers: &Path) -> Result<bool, Trouble> {
    let mut held = true;
    let mut rows = Vec::new();
    for (name, path) in [("1 % loss", LOSSY), ("3 Mbit/s, 300 kbit/s, 3 Mbit/s", STEPS)] {
        say(format_args!("{name}: {path}"));
        let ours = ours(args, path).await?;
        let theirs = chromium(peers, path).await?;
        for row in [&ours, &theirs] {
            say(line(row));
        }
        let drained = ours.drained_ms.is_none_or(|ms| ms <= 2_000) && ours.longest_ms.is_none_or(|ms| ms <= 300);
        let even = path == STEPS || ours.freezes_a_minute <= 1.0 && ours.delay_p95_ms <= 200;
        let spoken = path == STEPS || ours.voice_p99_ms <= 5.0;
        let promises = [
            (drained, "the queue was not short after two seconds"),
            (even, "it froze, or was late"),
            (spoken, "the voice waited longer than 5 ms at 99 %"),
        ];
        for (holds, what) in promises {
            if !holds {
                say(format_args!("NOT HELD: {what}"));
            }
            held &= holds;
        }
        rows.push((name, ours, theirs));
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(Trouble::system)?;
        std::fs::write(path, text).map_err(|error| Trouble::file(path, &error))?;
    }
    Ok(held)
}

fn line(row: &Row) -> String {
    let Row {
        who, frames_a_second, freezes_a_minute, kbps, wire_kbps, delay_p95_ms, queue_p95_ms, voice_p99_ms, ..
    } = row;
    let mut line = format!(
        "{who:>8}: {frames_a_second:.1} frames a second, {freezes_a_minute:.1} freezes a minute, {kbps} kbit/s ({wire_kbps} with all that goes along), p95 of a \
         frame {delay_p95_ms} ms, p95 of the queue {queue_p95_ms} ms, p99 of the voice in it {voice_p99_ms:.1} ms"
    );
    if let (Some(drained), Some(longest), Some(narrow), Some(wide)) =
        (row.drained_ms, row.longest_ms, row.narrow_kbps, row.wide_kbps)
    {
        line += &format!(
            "; after the drop short in {drained} ms, later at most {longest} ms; {narrow} kbit/s narrow, {wide} wide again"
        );
    }
    line
}

/// What waits tells of a path, until there were no more pictures.
fn queued(row: &mut Row, road: &Road, path: &str, until_ms: u64) {
    let looks = road.looks();
    let warm: Vec<&Look> = looks.iter().filter(|look| (WARM_MS..until_ms).contains(&look.at_ms)).collect();
    row.voice_p99_ms = road.voice_waited_ms(WARM_MS..until_ms)[1];
    row.queue_p95_ms = at(warm.iter().map(|look| look.waited_ms).collect(), 950);
    if let (Some(first), Some(last)) = (warm.first(), warm.last()) {
        row.wire_kbps = (last.bytes - first.bytes) * 8 / (last.at_ms - first.at_ms).max(1);
    }
    if path == STEPS {
        let narrow = || looks.iter().filter(|look| NARROW_MS.contains(&look.at_ms));
        let long = narrow().filter(|look| look.waited_ms > 300);
        row.drained_ms = Some(long.map(|look| look.at_ms - NARROW_MS.start).max().unwrap_or(0));
        let later = narrow().filter(|look| look.at_ms >= NARROW_MS.start + 2_000);
        row.longest_ms = later.map(|look| look.waited_ms).max();
    }
}

async fn ours(args: &Args, path: &str) -> Result<Row, Trouble> {
    let dir = tempfile::Builder::new().prefix("sidetone-video-").tempdir().map_err(Trouble::system)?;
    // Setting up takes a few seconds of the row.
    let seconds = u32::try_from(ROW.as_secs()).unwrap_or(0) - 8;
    let clip = Clip { coding: args.coding, width: 640, height: 360, seconds };
    let footage = args.film.clone().map_or(Footage::Test, Footage::File);
    clip.encode(&footage, &dir.path().join("film")).await?;
    let road = play(path, seconds, dir.path()).await?;
    let Played { figures: Figures { delay_ms, exact, frames, .. }, seen, .. } =
        judge(path, &road, &clip, &footage, dir.path()).await?;
    if exact != frames[1] {
        say("NOT HELD: a frame came otherwise than it went");
    }
    let mut row = Row { who: "ours", delay_p95_ms: delay_ms[1], ..Row::default() };
    // The clock of the film and that of the road are the same machine's.
    let joined_us = road.built_us();
    let came: Vec<(u64, u64)> =
        seen.iter().map(|seen| (seen.at_us.saturating_sub(joined_us) / 1_000, seen.bytes as u64)).collect();
    let warm: Vec<(u64, u64)> = came.iter().copied().filter(|(at, _)| *at >= WARM_MS).collect();
    let end = warm.last().map_or(0, |(at, _)| *at);
    queued(&mut row, &road, path, end);
    let span_s = end.saturating_sub(WARM_MS).max(1) as f64 / 1_000.0;
    let freezes = warm.windows(2).filter(|two| two[1].0 - two[0].0 > 183).count();
    row.frames_a_second = warm.len() as f64 / span_s;
    row.freezes_a_minute = freezes as f64 * 60.0 / span_s;
    let kbps = |from: u64, to: u64| {
        came.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, bytes)| bytes * 8).sum::<u64>()
            / to.saturating_sub(from).max(1)
    };
    row.kbps = kbps(WARM_MS, end);
    if path == STEPS {
        row.narrow_kbps = Some(kbps(NARROW_MS.end - 10_000, NARROW_MS.end));
        row.wide_kbps = Some(kbps(end.saturating_sub(5_000), end));
    }
    Ok(row)
}

async fn chromium(peers: &Path, path: &str) -> Result<Row, Trouble> {
    let dir = tempfile::Builder::new().prefix("sidetone-video-").tempdir().map_err(Trouble::system)?;
    let script = peers.join("chromium.mjs");
    std::fs::write(&script, SCRIPT).map_err(|error| Trouble::file(&script, &error))?;
    let road = Road::build(path)?;
    let options = serde_json::json!({
        "chromium": "/usr/bin/chromium",
        "folder": dir.path(),
        "networks": road.networks.each_ref().map(lab::Namespace::path),
        "width": 640, "height": 360, "rate": 30,
        "seconds": ROW.as_secs() - 8,
    });
    let mut node = tokio::process::Command::new("node");
    node.arg(&script).arg(options.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let missing = |_| Trouble::stage("node", "is not installed (Debian: apt install nodejs)");
    let mut child = node.spawn().map_err(missing)?;
    let output = child.stdout.take().ok_or_else(|| Trouble::stage("node", "says nothing"))?;
    let (mut lines, mut ticks) = (BufReader::new(output).lines(), Vec::<Tick>::new());
    let mut began_ms = None;
    let reading = async {
        while let Some(line) = lines.next_line().await.map_err(Trouble::system)? {
            let since = u64::try_from(road.joined.elapsed().as_millis()).unwrap_or(u64::MAX);
            let tick: Tick = serde_json::from_str(&line).map_err(Trouble::system)?;
            let began_ms = *began_ms.get_or_insert(since);
            ticks.push(Tick { ms: began_ms + tick.ms, ..tick });
        }
        Ok::<(), Trouble>(())
    };
    let late = |_| Trouble::stage("Chromium", "did not come to an end");
    tokio::time::timeout(ROW + Duration::from_secs(60), reading).await.map_err(late)??;
    let done = child.wait_with_output().await.map_err(Trouble::system)?;
    if !done.status.success() || ticks.len() < 10 {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Trouble::stage("Chromium", said.lines().take(6).collect::<Vec<_>>().join(" ")));
    }
    let mut row = Row { who: "Chromium", ..Row::default() };
    let nearest = |ms: u64| ticks.iter().min_by_key(|tick| tick.ms.abs_diff(ms)).cloned().unwrap_or_default();
    let (warm, end) = (nearest(WARM_MS), ticks.last().cloned().unwrap_or_default());
    queued(&mut row, &road, path, end.ms);
    let span_s = end.ms.saturating_sub(warm.ms).max(1) as f64 / 1_000.0;
    row.frames_a_second = end.frames.saturating_sub(warm.frames) as f64 / span_s;
    row.freezes_a_minute = end.freezes.saturating_sub(warm.freezes) as f64 * 60.0 / span_s;
    let kbps = |from: &Tick, to: &Tick| to.bytes.saturating_sub(from.bytes) * 8 / to.ms.saturating_sub(from.ms).max(1);
    row.kbps = kbps(&warm, &end);
    let waits = ticks.windows(2).filter(|two| two[0].ms >= WARM_MS && two[1].frames > two[0].frames);
    let waits = waits.map(|two| (two[1].waited_s - two[0].waited_s) * 1e3 / (two[1].frames - two[0].frames) as f64);
    row.delay_p95_ms = at(waits.map(|ms| ms as u64).collect(), 950);
    if path == STEPS {
        row.narrow_kbps = Some(kbps(&nearest(NARROW_MS.end - 10_000), &nearest(NARROW_MS.end)));
        row.wide_kbps = Some(kbps(&nearest(end.ms - 5_000), &end));
    }
    Ok(row)
}
