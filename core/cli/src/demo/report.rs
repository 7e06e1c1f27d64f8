//! `report.html`: one file without script and without anything from elsewhere.

use super::figures::{Figures, Promise, Way};
use super::measure::{FOUND, levels};
use super::plot::{Plot, Row, escape, rows};
use super::script::{Played, WHO};
use crate::phone::Sample;
use crate::wav::RATE;

/// Samples for which one level is drawn: 40 ms.
const LEVEL: usize = RATE as usize / 25;
/// The softest level that is drawn, in dB of full scale.
const FLOOR: f64 = -60.0;
/// The width of one bar of loss, in seconds.
const BAR_S: f64 = 0.5;

/// What each phase of a call's set-up means.
const PHASES: [(&str, &str); 9] = [
    ("ringing", "it rings"),
    ("answered", "answered"),
    ("link_opened", "link begun"),
    ("described", "our end described"),
    ("gathered", "first address found"),
    ("link_up", "link up, peer authenticated"),
    ("connected", "keys agreed: connected"),
    ("spoken", "first frame spoken"),
    ("heard", "first frame heard"),
];

/// The page.
pub fn page(played: &Played, voices: &[Vec<i16>; 2], promises: &[Promise]) -> String {
    let figures = &played.figures;
    let parts = [
        head(figures),
        tiles(figures, promises),
        loudness(played, voices),
        delay(played),
        loss(played),
        setup(played),
        bytes(figures),
        canaries(figures),
        judged(promises),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Sidetone: one call, measured</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n{}\n</main>\n</body>\n</html>\n",
        include_str!("report.css"),
        parts.join("\n")
    )
}

fn head(figures: &Figures) -> String {
    let (class, verdict) = match figures.broken.len() {
        0 => ("held", "Everything promised held".to_owned()),
        1 => ("broken", "One promise did not hold".to_owned()),
        more => ("broken", format!("{more} promises did not hold")),
    };
    format!(
        "<header><h1>One call, measured</h1><p>A meeting server and two phones, Anna's and Ben's, ran as three processes on \
         this machine. They became friends, wrote to each other, and talked. Nothing here is simulated; one machine has no \
         distance, so the network adds next to nothing.</p><div class=\"verdict {class}\">{verdict}</div></header>"
    )
}

fn tiles(figures: &Figures, promises: &[Promise]) -> String {
    let slowest = figures.mouth_to_ear_ms.values().map(|heard| heard.median_ms).fold(0.0, f64::max);
    let setup =
        figures.setup_ms.values().filter_map(|setup| setup.cold.get("connected")).fold(0.0, |a: f64, b| a.max(*b));
    let (sent, heard) =
        figures.sound.values().fold((0, 0), |(sent, heard), one| (sent + one.frames_sent, heard + one.frames_heard));
    let made_up: u64 = figures.sound.values().map(|sound| sound.concealed_ms).sum();
    let texts = &figures.texts;
    let held = promises.iter().filter(|promise| promise.held).count();
    let tile = |value: String, what: &str| format!("<div class=\"tile\"><b>{value}</b><span>{what}</span></div>");
    let tiles = [
        tile(format!("{slowest:.0} ms"), "from mouth to ear, the slower direction"),
        tile(format!("{setup:.0} ms"), "from ringing to connected, with a new link"),
        tile(format!("{:.1} %", 100.0 * heard as f64 / sent.max(1) as f64), "of all frames spoken were heard"),
        tile(format!("{} of {}", texts.delivered, texts.sent), "texts delivered, each once"),
        tile(format!("{made_up} ms"), "of sound made up, both ears together"),
        tile(kilo(figures.call_bytes_at_server), "at the server while they talked"),
        tile(
            figures.canaries.server.to_string(),
            &format!("secrets found at the server; control: {}", figures.canaries.control),
        ),
        tile(format!("{held} of {}", promises.len()), "promises held"),
    ];
    format!("<div class=\"tiles\">{}</div>", tiles.join(""))
}

fn section(title: &str, text: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2><p>{text}</p>{body}</section>")
}

/// Above the middle what one spoke, below it what the other heard, each where it was in time.
fn loudness(played: &Played, voices: &[Vec<i16>; 2]) -> String {
    let mut body = String::new();
    let seconds = voices.iter().map(|voice| voice.len() as f64 / f64::from(RATE)).fold(1.0, f64::max) + 0.5;
    for n in 0..2 {
        let (mouth, ear, other) = (n, 1 - n, WHO[1 - n]);
        let step = LEVEL as f64 / f64::from(RATE);
        let lag = (played.cuts[ear].heard_us as f64 - played.cuts[mouth].spoken_us as f64) / 1e6;
        let spoken = raised(&voices[mouth], 0.0, step, 1.0, seconds);
        let heard = raised(&played.heard[ear], lag, step, -1.0, seconds);
        let (from, to) = (WHO[mouth], WHO[ear]);
        body += &format!(
            "<h3>{} to {}</h3><div class=\"key\"><span><i class=\"{from}\"></i>what {} spoke</span><span><i class=\"{to}\"></i>what {} \
             heard</span></div>",
            title(from),
            title(to),
            title(from),
            title(other)
        );
        let plot =
            Plot::new(&format!("loudness of what {from} spoke and {to} heard"), 190.0, (0.0, seconds), (-60.0, 60.0));
        body += &plot
            .y_axis(&[(60.0, "0"), (30.0, "-30"), (0.0, "-60"), (-30.0, "-30"), (-60.0, "0")], "dB of full scale")
            .x_axis(2.0, "seconds since the voice began")
            .area(from, &spoken, 0.0)
            .area(to, &heard, 0.0)
            .done();
    }
    section(
        "Spoken and heard",
        "Loudness at both ends over time: upward what went into the microphone, downward what came out of the other phone's \
         loudspeaker. If the call is good, each half is the mirror of the other, shifted by the delay.",
        &body,
    )
}

fn raised(samples: &[i16], lag_s: f64, step_s: f64, sign: f64, until_s: f64) -> Vec<(f64, f64)> {
    let levels = levels(samples, LEVEL).into_iter().enumerate();
    let points = levels.map(|(n, level)| (n as f64 * step_s + lag_s, sign * (level - FLOOR).max(0.0)));
    points.filter(|(at, _)| (0.0..=until_s).contains(at)).collect()
}

fn delay(played: &Played) -> String {
    let figures = &played.figures;
    let seconds = span(&played.samples);
    let pieces = |ear: usize| figures.mouth_to_ear_ms.get(WHO[ear]).map(|heard| &heard.each);
    let found = |ear: usize| -> Vec<(f64, f64)> {
        let since = seconds_since(&played.samples, played.cuts[1 - ear].spoken_us);
        let each = pieces(ear).into_iter().flatten().filter(|piece| piece.correlation >= FOUND);
        each.map(|piece| (piece.at_s + since + 0.25, piece.delay_ms)).collect()
    };
    let buffer = |ear: usize| -> Vec<(f64, f64)> {
        let samples = played.samples[ear].iter();
        samples.map(|sample| (seconds_since(&played.samples, sample.at_us), f64::from(sample.delay_ms))).collect()
    };
    let most = (0..2).flat_map(|n| [found(n), buffer(n)].concat()).map(|(_, ms)| ms).fold(40.0, f64::max);
    let top = (most / 20.0).ceil() * 20.0 + 10.0;
    let marks: Vec<(f64, String)> =
        (0..).map(|n| f64::from(n) * 20.0).take_while(|ms| *ms <= top).map(|ms| (ms, format!("{ms:.0}"))).collect();
    let marks: Vec<(f64, &str)> = marks.iter().map(|(ms, text)| (*ms, &**text)).collect();
    let plot = Plot::new("delay over time", 230.0, (0.0, seconds), (0.0, top));
    let plot = plot.y_axis(&marks, "milliseconds").x_axis(2.0, "seconds since the call was on");
    let plot = plot.line("anna", &buffer(0)).line("ben", &buffer(1)).dots("anna", &found(0)).dots("ben", &found(1));
    let keys = "<div class=\"key\"><span><i class=\"dot anna\"></i>mouth to ear, at Anna's</span><span><i class=\"dot ben\"></i>mouth \
                to ear, at Ben's</span><span><i class=\"bar anna\"></i>jitter buffer, Anna's</span><span><i class=\"bar ben\"></i>jitter \
                buffer, Ben's</span></div>";
    let told: Vec<_> = figures
        .mouth_to_ear_ms
        .iter()
        .map(|(who, heard)| {
            format!(
                "{}: median {:.1} ms, 95th percentile {:.1} ms, {} of {} pieces found",
                title(who),
                heard.median_ms,
                heard.p95_ms,
                heard.found,
                heard.pieces
            )
        })
        .collect();
    section(
        "Delay",
        &format!(
            "Each dot is half a second of speech found again in the other phone's recording, so it holds everything between \
             microphone and loudspeaker: 10 ms blocks, Opus with 20 ms frames, sealing, the link, the jitter buffer. The lines \
             are the part that the jitter buffer adds. {}.",
            told.join("; ")
        ),
        &format!("{keys}{}", plot.done()),
    )
}

fn loss(played: &Played) -> String {
    let seconds = span(&played.samples);
    let mut body = String::new();
    for (n, who) in WHO.into_iter().enumerate() {
        let samples = &played.samples[n];
        let origin = |sample: &Sample| seconds_since(&played.samples, sample.at_us);
        let lost = grown(samples, origin, |sample| sample.lost as f64 * 20.0);
        let recovered = grown(samples, origin, |sample| sample.recovered as f64 * 20.0);
        let concealed = grown(samples, origin, |sample| sample.concealed_ms as f64);
        let sound = played.figures.sound.get(who).cloned().unwrap_or_default();
        body += &format!(
            "<h3>At {}'s: {} frames heard, {} lost, {} of them recovered, {} ms made up</h3>",
            title(who),
            sound.frames_heard,
            sound.frames_lost,
            sound.frames_recovered,
            sound.concealed_ms
        );
        let most = [&lost, &concealed].into_iter().flatten().map(|(_, ms)| *ms).fold(60.0, f64::max);
        let plot = Plot::new(&format!("loss and concealment at {who}'s"), 120.0, (0.0, seconds), (0.0, most))
            .y_axis(&[(0.0, "0"), (most, &format!("{most:.0}"))], "ms per half second")
            .x_axis(2.0, "seconds since the call was on")
            .bars(who, BAR_S, &concealed)
            .bars("lost", BAR_S / 2.0, &lost)
            .bars("quiet", BAR_S / 4.0, &recovered);
        let calm = sound.frames_lost == 0 && sound.concealed_ms == 0;
        let note = "Nothing was lost and nothing had to be made up.";
        body += &if calm { plot.note(seconds / 2.0, most / 2.0, "middle", note) } else { plot }.done();
    }
    let keys = "<div class=\"key\"><span><i class=\"anna\"></i><i class=\"ben\"></i>sound made up (concealed)</span><span><i \
                class=\"lost\"></i>sound of frames whose turn came without them</span><span><i class=\"quiet\"></i>of that, recovered \
                from the next frame</span></div>";
    section(
        "Loss and concealment",
        "Frames that were not there when their turn came, and what the ear was given instead. Silence that the speaker did not \
         send is not counted.",
        &format!("{keys}{body}"),
    )
}

/// How much a count grew in each bar's time.
fn grown(samples: &[Sample], at: impl Fn(&Sample) -> f64, count: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    let mut bars: Vec<(f64, f64)> = Vec::new();
    for pair in samples.windows(2) {
        let bar = (at(&pair[1]) / BAR_S).floor() * BAR_S;
        let more = (count(&pair[1]) - count(&pair[0])).max(0.0);
        match bars.last_mut().filter(|(last, _)| *last == bar) {
            Some((_, sum)) => *sum += more,
            None => bars.push((bar, more)),
        }
    }
    bars
}

fn setup(played: &Played) -> String {
    let mut body = String::new();
    for warm in [false, true] {
        let mut bars = Vec::new();
        for (n, who) in WHO.into_iter().enumerate() {
            let Some(setup) = played.figures.setup_ms.get(who) else { continue };
            let phases = if warm { &setup.warm } else { &setup.cold };
            // The two phones share a clock: the one that is called begins when it first rang there.
            let rang = (played.rang_us[n] as f64 - played.rang_us[0] as f64).max(0.0) / 1e3;
            bars.extend(waterfall(who, phases, if warm { 0.0 } else { rang }));
        }
        let (what, words) = if warm {
            (
                "the second call",
                "The second call: the link of the first is still there, each phone from its own first ring",
            )
        } else {
            ("the first call", "The first call: there is no link yet")
        };
        body += &format!("<h3>{words}</h3>{}", rows(&format!("phases of {what}"), &bars));
    }
    let keys = "<div class=\"key\"><span><i class=\"anna\"></i>Anna, who calls</span><span><i class=\"ben\"></i>Ben, who answers at \
                once</span></div>";
    section(
        "How the call came about",
        "Milliseconds since the call was placed; each bar is the time from one phase to the next. No address is gathered before \
         the answer.",
        &format!("{keys}{body}"),
    )
}

fn waterfall(who: &'static str, phases: &std::collections::BTreeMap<String, f64>, offset: f64) -> Vec<Row> {
    let mut reached: Vec<(f64, &str)> = Vec::new();
    for (phase, words) in PHASES {
        reached.extend(phases.get(phase).map(|ms| (*ms, words)));
    }
    reached.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut from = offset;
    let row = |(ms, words): (f64, &str)| {
        let to = offset + ms;
        let row = Row { label: format!("{}: {words}", title(who)), class: who, from, to, value: format!("{to:.1} ms") };
        from = to;
        row
    };
    reached.into_iter().map(row).collect()
}

fn bytes(figures: &Figures) -> String {
    let mut bars = Vec::new();
    for who in WHO {
        let Some(bytes) = figures.bytes.get(who) else { continue };
        let kinds: [(&str, &'static str, Way); 3] = [
            ("to the other phone, sound", who, bytes.peer_sound),
            ("to the other phone, records", who, bytes.peer_records),
            ("to the server, signaling", "quiet", bytes.server),
        ];
        for (what, class, way) in kinds {
            let value = format!("{} out, {} in", kilo(way.sent), kilo(way.received));
            let label = format!("{}: {what}", title(who));
            bars.push(Row { label, class, from: 0.0, to: way.total() as f64, value });
        }
    }
    let relay = figures.setup_relay_bytes + figures.call_relay_bytes;
    let label = "through the relay, first call".to_owned();
    bars.push(Row { label, class: "quiet", from: 0.0, to: relay as f64, value: kilo(relay) });
    section(
        "Bytes by destination and kind",
        &format!(
            "The whole run: accounts, friendship, texts, two calls. Sealed sound of the first call and sealed records (texts, \
             receipts, call control) go from phone to phone; the server carries what lets phones find each other. While the two \
             talked, {} bytes passed the server.",
            figures.call_bytes_at_server
        ),
        &rows("bytes by destination and kind", &bars),
    )
}

fn canaries(figures: &Figures) -> String {
    let canaries = &figures.canaries;
    let mut body = "<div class=\"scroll\"><table><thead><tr><th>planted</th><th>the server may know it</th><th class=\"n\">its memory</th><th \
                    class=\"n\">its files</th><th class=\"n\">its log</th><th class=\"n\">the phones</th></tr></thead><tbody>"
        .to_owned();
    for kind in &canaries.kinds {
        let may = match (kind.known_to_server, kind.kind.starts_with("e-mail")) {
            (true, _) => "yes: the control",
            (_, true) => "in passing: sealed on disk",
            _ => "no",
        };
        body += &format!(
            "<tr><td>{}</td><td>{may}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&kind.kind),
            kind.server_memory,
            kind.server_files,
            kind.server_log,
            kind.phones_memory
        );
    }
    body += "</tbody></table></div>";
    let words = match &canaries.not_searched {
        Some(why) => format!("NOT SEARCHED: {}.", escape(why)),
        None => format!(
            "Random strings were planted and looked for, {:.0} MiB in all: in the server's memory ({} times, once in the middle of \
             the call), in its database and write-ahead log, and in its log at the most talkative level; as they are, as UTF-16, \
             hexadecimal, and base64 at each alignment. A search that finds nothing proves nothing, so the same search in the same \
             places must find what the server is meant to know, and at the phones every secret.",
            canaries.searched_mib, canaries.memory_searches
        ),
    };
    section("What the server holds", &words, &body)
}

fn judged(promises: &[Promise]) -> String {
    let mut body =
        "<div class=\"scroll\"><table><thead><tr><th>promise</th><th>measured</th><th></th></tr></thead><tbody>"
            .to_owned();
    for promise in promises {
        let (class, word) = if promise.held { ("held", "held") } else { ("broken", "did not hold") };
        body += &format!(
            "<tr><td>{}</td><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            escape(&title(&promise.text)),
            escape(&promise.measured)
        );
    }
    body += "</tbody></table></div>";
    section("What was promised", "The program ends with an error if one of these does not hold.", &body)
}

/// When the first figures of a call were taken.
fn origin_us(samples: &[Vec<Sample>; 2]) -> u64 {
    samples.iter().filter_map(|samples| samples.first()).map(|sample| sample.at_us).min().unwrap_or(0)
}

fn seconds_since(samples: &[Vec<Sample>; 2], at_us: u64) -> f64 {
    (at_us as f64 - origin_us(samples) as f64) / 1e6
}

fn span(samples: &[Vec<Sample>; 2]) -> f64 {
    let last = samples.iter().filter_map(|samples| samples.last()).map(|sample| sample.at_us).max().unwrap_or(0);
    seconds_since(samples, last).max(1.0)
}

fn title(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

fn kilo(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}
