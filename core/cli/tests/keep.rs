//! The demonstration of what phones keep, with real processes that really die.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/published.rs"]
mod published;

use common::*;
use serde_json::Value;

#[test]
fn what_two_phones_keep_survives_sudden_deaths() {
    let dir = tempfile::tempdir().unwrap();
    let (json, export) = (dir.path().join("figures.json"), dir.path().join("export"));
    let mut command = program();
    command
        .args(["demo", "keep", "--mebibytes", "24", "--kills", "3", "--json"])
        .arg(&json)
        .arg("--export")
        .arg(&export);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let at = |path: &str| figures.pointer(path).unwrap_or_else(|| panic!("no {path} in {figures:#}")).clone();
    assert_eq!(at("/held"), true);
    assert_eq!((at("/file/whole"), at("/texts_in_order")), (Value::Bool(true), Value::Bool(true)));
    assert!(at("/file/kills/0").as_u64().unwrap() + at("/file/kills/1").as_u64().unwrap() >= 1);
    assert!(at("/file/most_resent_at_a_kill").as_u64().unwrap() <= 1);
    assert_eq!(at("/image/tells_its_position"), serde_json::json!([true, false]));
    assert!(at("/voice_note/duration_ms").as_u64().unwrap() > 1_000);
    assert_eq!((at("/leaving/exported/1"), at("/leaving/imported/1")), (3.into(), 3.into()), "three files each way");
    assert_eq!(at("/leaving/planted_in_export"), serde_json::json!([6, 6]));
    assert_eq!(at("/leaving/found_after_deletion"), 0);
    assert!(at("/leaving/scanned_bytes").as_u64().unwrap() > 1_000);
    let document = serde_json::from_slice(&std::fs::read(export.join("sidetone-export.json")).unwrap()).unwrap();
    assert_eq!(published::faults(&document), [""; 0]);
}
