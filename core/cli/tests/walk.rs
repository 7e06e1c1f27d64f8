//! The demonstration of a phone that walks, in network namespaces.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use serde_json::Value;

#[test]
fn a_call_a_file_and_texts_go_on_from_network_to_network() {
    if !lab::ready("walking from network to network") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("figures.json");
    let output = program().args(["demo", "handover", "--rounds", "2", "--json"]).arg(&json).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(json).expect(&printed)).unwrap();
    for what in ["same_call", "file_arrived", "text_arrived"] {
        assert_eq!(figures[what], true, "{what}: {figures:#}");
    }
    // How long the gaps are is said in an optimised build on a machine that does nothing else: here only that there are some.
    assert_eq!((figures["overlap"]["rounds"].as_u64(), figures["gone"]["rounds"].as_u64()), (Some(2), Some(2)));
    assert!(figures["gone"]["most_ms"].as_u64() > figures["overlap"]["median_ms"].as_u64(), "{figures:#}");
}
