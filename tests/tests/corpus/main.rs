//! The kept inputs of the fuzz targets go through the same doors as the fuzzer's.
#![allow(clippy::print_stdout, reason = "shown with a door that does not hold: which bytes it was")]

mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proving::doors::{self, DOORS};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("plain names")).collect()
}

#[test]
fn every_kept_input_goes_through_its_door() {
    for (name, door) in DOORS {
        let folder = fuzz().join("corpus").join(name);
        let kept = names(&folder);
        assert!(!kept.is_empty(), "nothing is kept for {name}");
        for file in kept {
            println!("{name}/{file}");
            door(&fs::read(folder.join(file)).expect("a file"));
        }
    }
}

#[test]
fn every_door_has_a_fuzz_target_and_kept_inputs() {
    let doors: BTreeSet<String> = DOORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), doors);
    let targets = names(&fuzz().join("fuzz_targets"));
    assert_eq!(targets, doors.iter().map(|door| format!("{door}.rs")).collect());
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    for door in doors {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{door}.rs\"")), "{door} is not built");
    }
}

/// Kept inputs named `made-*` are made from real messages: CORPUS_WRITE=1 writes them anew after a change of the protocol.
#[test]
fn the_kept_inputs_speak_the_protocol_of_today() {
    let mut made = BTreeSet::new();
    for (door, name, bytes) in seeds::all() {
        let path = fuzz().join("corpus").join(door).join(format!("made-{name}"));
        if std::env::var_os("CORPUS_WRITE").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, &bytes).expect("it can be written");
        }
        assert!(fs::read(&path).is_ok_and(|kept| kept == bytes), "{} is not what it was made as", path.display());
        assert!(made.insert(path), "{door} has two of {name}");
    }
    let kept = |(door, _): (&str, doors::Door)| {
        let folder = fuzz().join("corpus").join(door);
        names(&folder).into_iter().filter(|name| name.starts_with("made-")).map(move |name| folder.join(name))
    };
    assert_eq!(DOORS.into_iter().flat_map(kept).collect::<BTreeSet<_>>(), made, "nothing old is left");
}

#[test]
fn the_kept_scripts_reach_texts_and_connected_calls() {
    assert_eq!(doors::play(&seeds::texts()), (4, false), "two texts each way");
    assert_eq!(doors::play(&seeds::incoming_call()), (0, true), "a call of theirs is connected");
    assert_eq!(doors::play(&seeds::outgoing_call()), (0, true), "a call of ours is connected");
}

#[test]
fn all_that_is_kept_stays_small() {
    let size = |path: &Path| fs::metadata(path).expect("a file").len();
    let sizes = |(door, _): (&str, doors::Door)| {
        let folder = fuzz().join("corpus").join(door);
        names(&folder).iter().map(|name| size(&folder.join(name))).sum::<u64>()
    };
    let bytes: u64 = DOORS.into_iter().map(sizes).sum();
    assert!(bytes <= 200_000, "{bytes} bytes are kept");
}
