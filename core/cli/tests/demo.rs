//! The demonstration from end to end: real processes on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::{Mutex, PoisonError};

use common::*;
use serde_json::Value;

/// Two at once would be in each other's way: a call runs in real time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a demonstration of a few seconds; gives its status, what it printed, its figures and its folder.
fn demo(args: &[&str]) -> (Option<i32>, String, Value, tempfile::TempDir) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (out, json) = (dir.path().join("out"), dir.path().join("figures.json"));
    let mut command = program();
    command.args(["demo", "--seconds", "4", "--out"]).arg(&out).arg("--json").arg(&json).args(args);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let figures = std::fs::read_to_string(json).map(|text| serde_json::from_str(&text).unwrap());
    (output.status.code(), printed, figures.unwrap_or_default(), dir)
}

#[test]
fn two_phones_meet_write_and_talk_and_everything_promised_holds() {
    let (status, printed, figures, dir) = demo(&[]);
    assert_eq!(status, Some(0), "{printed}");
    let at = |path: &str| figures.pointer(path).unwrap_or_else(|| panic!("no {path} in {figures:#}"));
    let number = |path: &str| at(path).as_f64().unwrap_or_else(|| panic!("{path} is no number"));

    assert_eq!((at("/held"), at("/broken")), (&Value::Bool(true), &Value::Array(vec![])));
    assert_eq!((number("/texts/sent"), number("/texts/delivered"), number("/texts/doubled")), (10.0, 10.0, 0.0));
    assert_eq!(number("/texts/to_a_phone_switched_off"), 2.0);
    assert_eq!(number("/canaries/server"), 0.0);
    assert!(number("/canaries/control") > 0.0 && number("/canaries/searched_mib") > 5.0);
    assert!(number("/call_bytes_at_server") < 20_000.0);
    for (who, other) in [("anna", "ben"), ("ben", "anna")] {
        assert!(at(&format!("/route/{who}")).as_str().unwrap().starts_with("direct"));
        for phase in ["ringing", "answered", "link_opened", "described", "gathered", "link_up", "connected"] {
            assert!(number(&format!("/setup_ms/{who}/cold/{phase}")) < 10_000.0);
        }
        assert!(at(&format!("/setup_ms/{who}/warm")).get("link_opened").is_none(), "the link was there");
        let (sent, heard) =
            (number(&format!("/sound/{other}/frames_sent")), number(&format!("/sound/{who}/frames_heard")));
        assert!(sent > 100.0 && heard >= 0.98 * sent, "{heard} of {sent}");
        assert!((1.0..150.0).contains(&number(&format!("/mouth_to_ear_ms/{who}/median_ms"))));
        assert!(number(&format!("/bytes/{who}/peer_sound/sent")) > 5_000.0);
        let recording = hound::WavReader::open(dir.path().join(format!("out/{who}-heard.wav"))).unwrap();
        assert_eq!((recording.spec().sample_rate, recording.spec().channels), (48_000, 1));
        assert!(recording.duration() > 4 * 48_000);
    }

    let page = std::fs::read_to_string(dir.path().join("out/report.html")).unwrap();
    assert!(page.contains("Everything promised held") && page.matches("<svg").count() >= 7);
    for elsewhere in ["<script", "http:", "https:", "<link", "@import", "src="] {
        assert!(!page.contains(elsewhere), "the report is one file: {elsewhere}");
    }
}

#[test]
fn a_voice_that_the_other_one_cannot_hear_is_a_broken_promise_and_not_a_success() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bat.wav");
    // Above everything that a telephone passes on.
    let bat: Vec<i16> = (0..4 * 48_000)
        .map(|n| (9_000.0 * (std::f64::consts::TAU * 21_500.0 / 48_000.0 * f64::from(n)).sin()) as i16)
        .collect();
    sidetone_cli::wav::write(&path, &bat).unwrap();
    let (status, printed, figures, _dir) = demo(&["--voice", path.to_str().unwrap()]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("NOT HELD: ben hears what was spoken"), "{printed}");
    assert!(!printed.contains("NOT HELD: anna hears what was spoken"), "{printed}");
    assert_eq!(figures["held"], false);
}
