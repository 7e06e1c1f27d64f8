//! Exports and imports of a process that is killed in the middle: at many places, each named by what the disk shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use sha2::{Digest as _, Sha256};
use sidetone::store::{Location, Store, Write};
use sidetone::{Config, FixedKey, ImportError, Imported, import, salvage};
use sidetone_engine::row::{Change, Row};
use sidetone_engine::transfer::row::{PastRow, transfer_at};
use zeroize::Zeroizing;

use super::files::transfer;
use super::{ANNA, DOCUMENT, KEY, friend, said};

/// What the disk shows, in words and as it is found out.
type Shown<'a> = (&'a str, Box<dyn Fn() -> bool + 'a>);

const FILES: u8 = 6;
const FILE_BYTES: usize = 2 << 20;
const MESSAGES: u64 = 3_000;
const ROWS: u64 = MESSAGES + FILES as u64 + 1;
/// What the process that is killed does, and where.
const TASK: &str = "SIDETONE_KILLED";

fn content(number: u8) -> Vec<u8> {
    (0..FILE_BYTES).map(|place| (place.wrapping_mul(31) >> 3) as u8 ^ number).collect()
}

/// A phone that said much and has files.
fn phone(folder: &Path) {
    let mut changes: Vec<Change> = (1..=MESSAGES).map(|at| said(at, &format!("message number {at}"))).collect();
    changes.push(friend("carla").put(ANNA, 0));
    for number in 1..=FILES {
        let (content, path) = (content(number), folder.join(format!("file {number}")));
        fs::write(&path, &content).unwrap();
        let row = transfer(number * 16, number % 2 == 0, &content, Some(&path));
        changes.push(PastRow(row.clone()).put(ANNA, transfer_at(row.ours, row.offer.transfer)));
    }
    let mut store = Store::open(Location::File(&folder.join("from.db")), Zeroizing::new(KEY), None).unwrap();
    store.keep(changes.iter().map(Write::Change)).unwrap();
    store.close();
}

fn rows(store: &Path) -> u64 {
    let store = Store::open(Location::File(store), Zeroizing::new(KEY), None).unwrap();
    store.integrity().unwrap();
    let count = store.rows_after(None, usize::MAX >> 1).unwrap().rows.len() as u64;
    store.close();
    count
}

/// The task of the process that is killed; nothing where nobody asks for it.
#[test]
#[ignore = "a part of the others"]
fn killed() {
    let Some(task) = std::env::var_os(TASK) else { return };
    let (task, folder) =
        task.to_str().unwrap().split_once(' ').map(|(task, at)| (task.to_owned(), PathBuf::from(at))).unwrap();
    match &*task {
        "export" => drop(salvage(&folder.join("from.db"), &FixedKey::new(KEY), &folder.join("out"), None).unwrap()),
        _ => drop(brought(&folder).unwrap()),
    }
}

fn brought(folder: &Path) -> Result<Imported, ImportError> {
    import(&folder.join("out"), &folder.join("to.db"), Some(&folder.join("to.files")), &FixedKey::new(KEY), None)
}

/// Runs a task in a process of its own and kills it as soon as the disk shows something; false if it was done before.
fn kill(task: &str, folder: &Path, shows: &dyn Fn() -> bool) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kills::killed", "--ignored"]).env(TASK, format!("{task} {}", folder.display()));
    let mut child: Child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the task itself does not fail");
            return false;
        }
        if shows() {
            // One that ends meanwhile is not there to be killed.
            let _ = child.kill();
            return !child.wait().unwrap().success();
        }
        std::thread::yield_now();
    }
}

/// Files of a folder that are not marked as half, by their digests.
fn whole(folder: &Path) -> BTreeMap<PathBuf, [u8; 32]> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let named = entries.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    named.map(|path| (path.clone(), Sha256::digest(fs::read(path).unwrap()).into())).collect()
}

fn length(path: PathBuf) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn entries(path: PathBuf) -> usize {
    fs::read_dir(path).map_or(0, Iterator::count)
}

fn known() -> Vec<[u8; 32]> {
    (1..=FILES).map(|number| Sha256::digest(content(number)).into()).collect()
}

#[test]
fn an_export_that_is_cut_short_leaves_nothing_that_looks_like_one_and_the_next_is_whole() {
    let (home, known) = (tempfile::tempdir().unwrap(), known());
    let folder = home.path().to_owned();
    phone(&folder);
    let at = |name: &str| folder.join("out").join(name);
    let (part, half) = (at("sidetone-export.json.part"), at("files"));
    let shown: [Shown<'_>; 7] = [
        ("the folder", Box::new(|| at("").exists())),
        ("a beginning of the document", Box::new(|| length(part.clone()) > 0)),
        ("most of it", Box::new(|| length(part.clone()) > 100_000)),
        ("a beginning of a file", Box::new(|| entries(half.clone()) > 0)),
        ("some files", Box::new(|| entries(half.clone()) > 2)),
        ("all files", Box::new(|| entries(half.clone()) >= usize::from(FILES))),
        ("the document", Box::new(|| at(DOCUMENT).exists())),
    ];
    let mut killed = 0;
    for (what, shows) in &shown {
        killed += u32::from(kill("export", &folder, shows));
        assert_eq!(rows(&folder.join("from.db")), ROWS, "{what}: what is exported stays as it is");
        assert!(whole(&at("files")).values().all(|digest| known.contains(digest)), "{what}: what has a name is whole");
        if !at(DOCUMENT).exists() {
            assert!(matches!(brought(&folder), Err(ImportError::Folder(_))), "{what}: it is no export");
            salvage(&folder.join("from.db"), &FixedKey::new(KEY), &folder.join("out"), None).unwrap();
        }
        let imported = brought(&folder).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((imported.rows, imported.files, imported.missing_files), (ROWS, FILES.into(), 0), "{what}");
        assert!(!part.exists() && whole(&at("files")).len() == entries(at("files")), "{what}: nothing half stays");
        for gone in ["out", "to.files"] {
            fs::remove_dir_all(folder.join(gone)).unwrap();
        }
        fs::remove_file(folder.join("to.db")).unwrap();
    }
    assert!(killed >= 4, "{killed} of {} were killed in time", shown.len());
}

#[test]
fn an_import_that_is_cut_short_is_tried_again_and_leaves_nothing_twice() {
    let (home, known) = (tempfile::tempdir().unwrap(), known());
    let folder = home.path().to_owned();
    phone(&folder);
    salvage(&folder.join("from.db"), &FixedKey::new(KEY), &folder.join("out"), None).unwrap();
    let before = (fs::read(folder.join("out").join(DOCUMENT)).unwrap(), whole(&folder.join("out").join("files")));
    let at = |name: &str| folder.join("to.files").join(name);
    let shown: [Shown<'_>; 6] = [
        ("the store", Box::new(|| folder.join("to.db").exists())),
        ("a note", Box::new(|| at("importing").exists())),
        ("a beginning of a file", Box::new(|| entries(at("received")) > 0)),
        ("some files", Box::new(|| entries(at("received")) + entries(at("sent")) > 3)),
        ("rows in the journal", Box::new(|| length(folder.join("to.db-wal")) > 100_000)),
        ("no note any more", Box::new(|| entries(at("sent")) > 0 && !at("importing").exists())),
    ];
    let mut killed = 0;
    for (number, (what, shows)) in shown.iter().enumerate() {
        killed += u32::from(kill("import", &folder, shows));
        if number % 2 == 1 {
            // The app is opened first: what was brought without its rows goes, what has them stays.
            let store = folder.join("to.db");
            let config = Config::new("ws://127.0.0.1:9", Some(store.clone()), FixedKey::new(KEY));
            let client = sidetone::Client::open(config).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(client.close());
            let here = entries(at("received")) + entries(at("sent"));
            assert_eq!(here, if rows(&store) > 0 { usize::from(FILES) } else { 0 }, "{what}");
            assert!(!at("importing").exists());
        }
        match brought(&folder) {
            Ok(imported) => assert_eq!((imported.rows, imported.files), (ROWS, FILES.into()), "{what}"),
            Err(error) => assert_eq!(error, ImportError::NotEmpty, "{what}: it was whole already"),
        }
        assert_eq!(rows(&folder.join("to.db")), ROWS, "{what}");
        let files: Vec<_> = whole(&at("received")).into_values().chain(whole(&at("sent")).into_values()).collect();
        assert!(files.len() == known.len() && known.iter().all(|digest| files.contains(digest)), "{what}: each once");
        fs::remove_dir_all(folder.join("to.files")).unwrap();
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(folder.join(format!("to.db{end}")));
        }
    }
    let after = (fs::read(folder.join("out").join(DOCUMENT)).unwrap(), whole(&folder.join("out").join("files")));
    assert!(before == after, "what is imported stays as it is");
    assert!(killed >= 3, "{killed} of {} were killed in time", shown.len());
}
