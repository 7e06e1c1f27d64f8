//! Files in exports.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sidetone::store::{Location, Store, Write};
use sidetone::{FixedKey, ImportError, UserId, import, salvage};
use sidetone_engine::row::{Change, FriendRow, OutgoingRow, RoomRow, Row};
use sidetone_engine::transfer::row::{PastRow, TransferRow, transfer_at};
use sidetone_wire::id::{Digest, KeyBytes, Secret, TransferId, UnixMs};
use sidetone_wire::member::Rule;
use sidetone_wire::record::Body;
use sidetone_wire::room::RoomName;
use sidetone_wire::transfer::{FileKind, FileName, FileOffer, FileSize, Mime};
use zeroize::Zeroizing;

use super::{ANNA, DOCUMENT, KEY, PASSPHRASE, contains, document, friend};

const PHOTO: &[u8] = b"a photo of a beach, or its bytes";
const NOTE: &[u8] = b"what somebody said";
const INVITATION: [u8; 32] = [0x5c; 32];
const ROOM: UserId = UserId([0xb1; 16]);
const FILE_KEY: Secret = Secret([0x5e; 32]);

/// A transfer of a file with this content; `path` is where it lies.
pub fn transfer(number: u8, ours: bool, content: &[u8], path: Option<&Path>) -> TransferRow {
    let offer = FileOffer {
        transfer: TransferId([number; 16]),
        name: FileName::parse("../planted name.jpeg").unwrap(),
        size: FileSize::new(content.len() as u64).unwrap(),
        mime: Mime::parse("image/jpeg").unwrap(),
        kind: FileKind::Image,
        digest: Digest(Sha256::digest(content).into()),
        key: FILE_KEY,
        picture: None,
        voice: None,
    };
    let path = path.map(|path| path.to_str().unwrap().to_owned());
    let (at, changed_ns) = (UnixMs(1), None);
    TransferRow { ours, offer, at, stage: 3, held: 0, path, done: 1, end: Some(1), renewed: 0, changed_ns }
}

/// A phone with files: received, received again, sent, gone, changed, one on its way and one that waits to be offered.
fn phone_with_files(folder: &Path) -> PathBuf {
    let (photo, note, other) = (folder.join("photo"), folder.join("note"), folder.join("other"));
    std::fs::write(&photo, PHOTO).unwrap();
    std::fs::write(&note, NOTE).unwrap();
    std::fs::write(&other, "something else by now").unwrap();
    let past = [
        transfer(0x10, false, PHOTO, Some(&photo)),
        transfer(0x20, false, PHOTO, Some(&photo)),
        transfer(0x30, true, NOTE, Some(&note)),
        transfer(0x40, false, b"gone", Some(&folder.join("nowhere"))),
        transfer(0x50, false, b"changed", Some(&other)),
    ];
    let put = |row: TransferRow| PastRow(row.clone()).put(ANNA, transfer_at(row.ours, row.offer.transfer));
    let mut changes: Vec<Change> = past.into_iter().map(put).collect();
    let moving = TransferRow { stage: 2, end: None, ..transfer(0x60, false, b"on its way", Some(&photo)) };
    changes.push(moving.put(ANNA, transfer_at(false, moving.offer.transfer)));
    let offer = transfer(0x70, true, NOTE, None).offer;
    let waiting = OutgoingRow { at: UnixMs(1), body: Body::File(offer), message: None, failed: None };
    let room = RoomRow {
        invitation: KeyBytes::new(&INVITATION).unwrap(),
        identity: Secret([0x5d; 32]),
        owner: None,
        name: None,
        shown: RoomName::parse("planted among us").unwrap(),
        host: "host.planted.example".to_owned(),
        memory: 1,
        entered: UnixMs(1),
        rule: Rule::default(),
        verified: Vec::new(),
        past: None,
        known: Vec::new(),
    };
    changes.extend([waiting.put(ANNA, 5), friend("carla").put(ANNA, 0), room.put(ROOM, 0)]);
    let path = folder.join("from.db");
    let mut store = Store::open(Location::File(&path), Zeroizing::new(KEY), None).unwrap();
    store.keep(changes.iter().map(Write::Change)).unwrap();
    store.close();
    path
}

fn rows_of<R: Row>(path: &Path) -> Vec<R> {
    let store = Store::open(Location::File(path), Zeroizing::new(KEY), None).unwrap();
    let rows = store.table(R::TABLE).unwrap();
    store.close();
    rows.into_iter().map(|(_, value)| R::read(&value).unwrap()).collect()
}

#[test]
fn the_files_of_finished_transfers_go_with_an_export_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let from = phone_with_files(folder.path());
    let vault = FixedKey::new(KEY);
    let exported = salvage(&from, &vault, &path("export"), Some(Zeroizing::new(PASSPHRASE.to_owned()))).unwrap();
    assert_eq!((exported.rows, exported.files, exported.missing_files), (9, 2, 2), "equal files once");
    let text = std::fs::read(path("export").join(DOCUMENT)).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let base64 = |key| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key);
    for key in [FILE_KEY.0, INVITATION, [0x5d; 32]] {
        for written in [key.to_vec(), hex(&key).into_bytes(), base64(key).into_bytes()] {
            assert!(!contains(&text, &written), "no key in clear");
        }
    }
    assert!(contains(&text, b"planted name") && contains(&text, b"host.planted.example"));
    assert!(contains(&text, b"planted among us") && contains(&text, hex(&Sha256::digest(PHOTO)).as_bytes()));
    let document = document(&path("export"));
    let missing: Vec<_> = document["files"].as_array().unwrap().iter().map(|file| file["missing"].as_str()).collect();
    assert_eq!(missing, [None, None, None, Some("gone"), Some("changed")]);

    for (to, passphrase) in [("with", Some(PASSPHRASE)), ("without", None)] {
        let files = path(&format!("{to}.files"));
        let to = path(&format!("{to}.db"));
        let imported = import(&path("export"), &to, Some(&files), &vault, passphrase).unwrap();
        assert_eq!((imported.files, imported.missing_files), (3, 2));
        let left_out = u64::from(passphrase.is_none());
        assert_eq!((imported.rows, imported.unknown), (9 - left_out, left_out), "a room opens with its link only");
        let rooms = rows_of::<RoomRow>(&to);
        assert!(
            rooms.iter().all(|room| room.invitation.as_slice() == INVITATION) && rooms.len() as u64 == 1 - left_out
        );
        let past: Vec<_> = rows_of::<PastRow>(&to).into_iter().map(|row| row.0).collect();
        for row in &past {
            let content = row.path.as_ref().map(|path| std::fs::read(path).unwrap());
            let place = row.path.as_ref().map(|path| Path::new(path).parent().unwrap().to_owned());
            match row.offer.transfer.0[0] {
                0x10 | 0x20 => assert_eq!((content.as_deref(), place), (Some(PHOTO), Some(files.join("received")))),
                0x30 => assert_eq!((content.as_deref(), place), (Some(NOTE), Some(files.join("sent")))),
                _ => assert_eq!(content, None),
            }
        }
        let (moving, waiting) = (rows_of::<TransferRow>(&to), rows_of::<OutgoingRow>(&to).remove(0));
        if passphrase.is_some() {
            assert_eq!((past.len(), moving[0].offer.key.clone()), (5, FILE_KEY));
            assert_eq!((moving[0].stage, moving[0].path.clone()), (1, None), "it comes from its beginning");
            assert!(matches!(waiting.body, Body::File(offer) if offer.key == FILE_KEY));
        } else {
            let given_up = past.iter().find(|row| row.offer.transfer.0[0] == 0x60).unwrap();
            assert_eq!((given_up.end, moving.len()), (Some(7), 0), "without its key it has to be sent again");
            assert!(matches!(waiting.body, Body::Gone(_)), "its number stays taken");
        }
    }
}

#[test]
fn an_export_brings_no_file_from_elsewhere_and_none_that_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let vault = FixedKey::new(KEY);
    salvage(&phone_with_files(folder.path()), &vault, &path("export"), None).unwrap();
    let good = std::fs::read_to_string(path("export").join(DOCUMENT)).unwrap();
    let first = document(&path("export"))["files"][0]["file"].as_str().unwrap().to_owned();
    std::fs::write(path("export").join("elsewhere"), PHOTO).unwrap();
    for hostile in ["files/../elsewhere", "files//etc/passwd", "elsewhere", "files/", "files/..", "files/a/b"] {
        std::fs::write(path("export").join(DOCUMENT), good.replace(&first, hostile)).unwrap();
        let outcome = import(&path("export"), &path("to.db"), Some(&path("to.files")), &vault, None);
        assert_eq!(outcome, Err(ImportError::Row { section: "files".to_owned(), row: 0 }), "{hostile}");
        assert_eq!(rows_of::<FriendRow>(&path("to.db")).len(), 0, "nothing was imported");
    }
    std::fs::write(path("export").join(DOCUMENT), &good).unwrap();
    std::fs::write(path("export").join(&first), "another photo").unwrap();
    let imported = import(&path("export"), &path("to.db"), Some(&path("to.files")), &vault, None).unwrap();
    assert_eq!((imported.files, imported.missing_files), (1, 4));
    let received = std::fs::read_dir(path("to.files").join("received")).unwrap().count();
    assert_eq!(received, 0, "what is not what was transferred is not kept");
}
