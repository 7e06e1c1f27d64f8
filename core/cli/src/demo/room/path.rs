//! The same room where every phone has a network of its own and packets are late and lost on the way.

use std::path::Path;
use std::str::FromStr as _;

use lab::{Between, Shape, Star};
use serde::Serialize;

use super::{Figures, Order, PHONES, Phone, Spread, at_once, in_turn, linked};
use crate::demo::stage::{Place, Server};
use crate::say;
use crate::trouble::Trouble;

/// Beside what the path itself takes, from the press to the first sound at the median.
const MEDIAN_MS: f64 = 60.0;
/// From the press to the first sound at 95 %, where one packet in twenty is lost.
const P95_MS: f64 = 150.0;

/// What was measured over an emulated path.
#[derive(Debug, Default, Serialize)]
pub(super) struct OverPath {
    /// What each phone's wire does to packets, in each direction; between two phones there are two wires.
    wire: String,
    /// From phone to phone.
    one_way_ms: f64,
    loss: f64,
    pub(super) press_to_audio_ms: Spread,
    pub(super) leading_audio_lost_ms: Spread,
    pub(super) gaps_ms: Spread,
    bursts: usize,
    pub(super) floor_violations: usize,
}

impl OverPath {
    /// What was promised, whether it held, and what was measured.
    pub(super) fn promises(&self) -> [(bool, &'static str, String); 2] {
        let Self { press_to_audio_ms: talk, leading_audio_lost_ms: lost, one_way_ms, loss, .. } = self;
        let quick = talk.median <= MEDIAN_MS + one_way_ms && talk.p95 <= P95_MS;
        let said = format!(
            "{:.1} ms, p95 {:.1} ms; {:.1} ms of the first syllable lost, p95 {:.1} ms (emulated: {one_way_ms:.0} ms one \
             way, {:.1} % loss)",
            talk.median,
            talk.p95,
            lost.median,
            lost.p95,
            loss * 1e2
        );
        [
            (quick, "over a path that loses one packet in twenty, press to audio in time", said),
            (self.floor_violations == 0, "one speaker at a time there", format!("{} times two", self.floor_violations)),
        ]
    }
}

/// Plays it, or says why this machine cannot.
pub(super) async fn play(wire: &str, rounds: usize, dir: &Path) -> Result<Option<OverPath>, Trouble> {
    let shape = Shape::from_str(wire).map_err(Trouble::system)?;
    if let Err(missing) = lab::available() {
        say(format_args!("NOT TRIED over a lossy path, which takes network namespaces: {missing}"));
        return Ok(None);
    }
    let star = Star::new(PHONES, &shape, Between::Routed, 7).map_err(Trouble::system)?;
    let dir = dir.join("path");
    std::fs::create_dir_all(&dir).map_err(|error| Trouble::file(&dir, &error))?;
    let program = std::env::current_exe().map_err(Trouble::system)?;
    let middle = Place { namespace: Some(star.hub().path().into()), address: star.middle() };
    let server = Server::start_at(&program, &dir, &middle).await?;
    let mut phones = Vec::new();
    for (number, (namespace, address)) in star.rim().enumerate() {
        let place = Place { namespace: Some(namespace.path().into()), address };
        phones.push(Phone::start(number, &server.ready.server, &dir, &place).await?);
    }
    let link: String = phones[0].ask(Order::Open).await?;
    for phone in &mut phones[1..] {
        let _: serde_json::Value = phone.ask(Order::Join { link: link.clone() }).await?;
    }
    linked(&mut phones, PHONES - 1).await?;
    let mut figures = Figures::default();
    in_turn(&mut phones, rounds, &mut figures).await?;
    at_once(&mut phones, &mut figures).await?;
    for phone in &mut phones {
        let _: serde_json::Value = phone.ask(Order::Quit).await?;
    }
    server.stop().await?;
    Ok(Some(OverPath {
        wire: wire.to_owned(),
        one_way_ms: 2.0 * shape.delay.as_secs_f64() * 1e3,
        loss: 1.0 - (1.0 - shape.loss).powi(2),
        press_to_audio_ms: figures.press_to_audio_ms,
        leading_audio_lost_ms: figures.leading_audio_lost_ms,
        gaps_ms: figures.gaps_ms,
        bursts: figures.bursts,
        floor_violations: figures.floor_violations,
    }))
}
