//! The demonstration of strangers, with the two who are watched.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use serde_json::Value;

fn played(more: &[&str]) -> (Option<i32>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("figures.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
    command.args(["demo", "strangers", "--seconds", "1", "--people", "2", "--bots", "0", "--json"]).arg(&json);
    let output = command.args(more).output().unwrap();
    let figures = std::fs::read(&json).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_slice(&figures).unwrap())
}

#[test]
fn of_a_stranger_who_is_gone_nothing_is_in_memory_or_on_disk() {
    let (_, figures) = played(&[]);
    assert_eq!(figures["canaries_in_control"], figures["canaries_planted"], "before, everything is found: {figures:#}");
    assert_eq!(figures["canaries_after_burn"], serde_json::json!([0, 0]), "{figures:#}");
    for held in ["burn_whole", "words_agree", "relayed_first"] {
        assert_eq!(figures[held], Value::Bool(true), "{held}");
    }
    match figures["receipt_error"].as_f64() {
        Some(error) => assert!(error < 0.01, "the receipt is what a packet capture holds: {figures:#}"),
        None => assert!(!lab::ready("receipts of watched phones against a capture"), "{figures:#}"),
    }
    let epochs = figures["receipt_epochs"].as_array().unwrap();
    assert!(epochs[0].as_u64() >= Some(1) && epochs[2].as_u64() >= Some(2), "a session and keys of sound: {figures:#}");
}

#[test]
fn a_phone_that_keeps_what_was_said_is_found_out() {
    let (status, figures) = played(&["--leak"]);
    assert_eq!(status, Some(1));
    let left = figures["left"].to_string();
    assert!(left.contains("its own text") && left.contains("the other's text"), "{figures:#}");
}
