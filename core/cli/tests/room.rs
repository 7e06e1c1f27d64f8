//! The demonstration of rooms, with real processes. How fast anything was is for the demonstration itself to judge, on a
//! machine that does nothing else; here it only must have happened.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use serde_json::Value;

#[test]
fn eight_phones_speak_in_a_room_that_keeps_strangers_out() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("figures.json");
    let mut command = program();
    command.args(["demo", "room", "--idle", "1", "--rounds", "1", "--json"]).arg(&json);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{printed}");
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let at = |path: &str| figures.pointer(path).unwrap_or_else(|| panic!("no {path} in {figures:#}")).clone();
    assert_eq!((at("/wrong_code_refused"), at("/one_phrase")), (true.into(), true.into()), "{printed}");
    assert_eq!(at("/ghost_admitted"), false, "{printed}");
    assert!(at("/ghost_saw").as_u64().unwrap() >= 7, "the ghost was there: {printed}");
    let spread = at("/press_to_audio_ms");
    assert!(spread["most"].is_number(), "every burst was heard by everybody: {printed}");
    assert_eq!(at("/bursts"), 8, "{printed}");
    // Without network namespaces it is not played, and nothing is said of it.
    let over = at("/over_path");
    assert!(over.is_null() || over["bursts"] == 8 && over["press_to_audio_ms"]["most"].is_number(), "{printed}");
}
