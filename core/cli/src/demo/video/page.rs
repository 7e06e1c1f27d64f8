//! The report of a film, as one page.

use std::fmt::Write;

use base64::Engine as _;

use super::Played;
use crate::demo::plot::{Plot, escape};

/// The page.
pub fn page(played: &Played) -> String {
    let parts = [head(played), tiles(played), rates(played), delays(played), pictures(played)];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Sidetone: a film, measured</title>\n\
         <style>\n{}\nfigure{{display:inline-block;width:49%;margin:0}}figure img{{width:100%}}</style>\n</head>\n<body>\n\
         <main>\n{}\n</main>\n</body>\n</html>\n",
        include_str!("../report.css"),
        parts.join("\n")
    )
}

fn head(played: &Played) -> String {
    let figures = &played.figures;
    let (class, verdict) = match figures.broken.len() {
        0 => ("held", "Everything promised held".to_owned()),
        _ => ("broken", escape(&figures.broken.join("; "))),
    };
    format!(
        "<header><h1>A film, measured</h1><p>Two phones in networks of their own, and between them a path in user space: {}, \
         each way. One filmed, encoded by ffmpeg, while both talked; the other decoded what came.</p><div class=\"verdict \
         {class}\">{verdict}</div></header>",
        escape(&figures.path)
    )
}

fn tiles(played: &Played) -> String {
    let figures = &played.figures;
    let tile = |value: String, what: &str| format!("<div class=\"tile\"><b>{value}</b><span>{what}</span></div>");
    let tiles = [
        tile(format!("{} of {}", figures.frames[1], figures.frames[0]), "frames that left were seen"),
        tile(format!("{} of {}", figures.exact, figures.frames[1]), "of them bit for bit"),
        tile(format!("{}", figures.freezes), &format!("freezes, {} ms together", figures.frozen_ms)),
        tile(
            format!("{} / {} ms", figures.delay_ms[0], figures.delay_ms[1]),
            "from camera to decoder, median and 95 %",
        ),
        tile(format!("{} ms", figures.lip_sync_ms[1]), "from their sound, 95 %"),
        tile(format!("{:.1} ms", figures.voice_waited_ms[1]), "the voice waited, 99 %"),
        tile(format!("{} kbit/s", figures.kbps), "of pictures arrived"),
        tile(format!("{:.1} dB", figures.psnr_db), "luma PSNR against what was filmed"),
    ];
    format!("<div class=\"tiles\">{}</div>", tiles.join(""))
}

fn section(title: &str, text: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2><p>{text}</p>{body}</section>")
}

/// What the path was thought to bear, and what arrived, second by second.
fn rates(played: &Played) -> String {
    let Some(first) = played.shown.first().map(|shown| shown.at_us) else { return String::new() };
    let seconds = |at_us: u64| at_us.saturating_sub(first) as f64 / 1e6;
    let end = played.shown.last().map_or(1.0, |shown| seconds(shown.at_us)).max(1.0);
    let targets: Vec<(f64, f64)> =
        played.shown.iter().map(|shown| (seconds(shown.at_us), shown.target_bps as f64 / 1e3)).collect();
    let mut bits = vec![0.0; end.ceil() as usize + 1];
    for seen in &played.seen {
        if let Some(second) = bits.get_mut(seconds(seen.at_us) as usize) {
            *second += seen.bytes as f64 * 8.0 / 1e3;
        }
    }
    let came: Vec<(f64, f64)> = bits.iter().enumerate().map(|(second, bits)| (second as f64 + 0.5, *bits)).collect();
    let top = targets.iter().chain(&came).map(|(_, kbps)| *kbps).fold(100.0, f64::max) * 1.1;
    let marks: Vec<(f64, String)> =
        (1..=4).map(|part| top / 4.0 * f64::from(part)).map(|y| (y, format!("{y:.0}"))).collect();
    let marks: Vec<(f64, &str)> = marks.iter().map(|(y, text)| (*y, text.as_str())).collect();
    let plot = Plot::new("Rates over time", 220.0, (0.0, end), (0.0, top))
        .x_axis(5.0, "seconds")
        .y_axis(&marks, "kbit/s")
        .line("anna", &targets)
        .line("ben", &came)
        .done();
    let key = "<div class=\"key\"><span><i class=\"anna\"></i>what the path was thought to bear</span><span><i class=\"ben\">\
               </i>what arrived</span></div>";
    section(
        "The rate",
        "The encoder is told what the path bears; it changes at its next key frame.",
        &format!("{key}{plot}"),
    )
}

fn delays(played: &Played) -> String {
    let Some(first) = played.shown.first().map(|shown| shown.at_us) else { return String::new() };
    let point = |seen: &crate::film::Seen| {
        let ms = seen.at_us.saturating_sub(seen.captured_us) as f64 / 1e3;
        (seen.at_us.saturating_sub(first) as f64 / 1e6, ms)
    };
    let points: Vec<(f64, f64)> = played.seen.iter().map(point).collect();
    let end = points.last().map_or(1.0, |(x, _)| *x).max(1.0);
    let top = points.iter().map(|(_, ms)| *ms).fold(100.0, f64::max) * 1.1;
    let plot = Plot::new("Delay of each frame", 200.0, (0.0, end), (0.0, top))
        .x_axis(5.0, "seconds")
        .y_axis(&[(50.0, "50"), (100.0, "100"), (200.0, "200")], "ms")
        .dots("ben", &points)
        .done();
    section(
        "The delay",
        "From the camera of one to the decoder of the other: encoding left out, waiting for its sound included.",
        &plot,
    )
}

fn pictures(played: &Played) -> String {
    let mut body = String::new();
    let data = |png: &[u8]| base64::engine::general_purpose::STANDARD.encode(png);
    for [filmed, seen] in &played.pairs {
        // Writing to a string does not fail.
        let _ = write!(
            body,
            "<div><figure><img alt=\"filmed\" src=\"data:image/png;base64,{}\"></figure> <figure><img alt=\"seen\" \
             src=\"data:image/png;base64,{}\"></figure></div>",
            data(filmed),
            data(seen)
        );
    }
    section("Side by side", "What was filmed, and what was seen of it.", &body)
}
