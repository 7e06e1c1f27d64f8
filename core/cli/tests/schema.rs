//! An export is what its published schema says.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/published.rs"]
mod published;

use published::faults;
use serde_json::Value as Json;
use sidetone::{FixedKey, salvage};
use zeroize::Zeroizing;

/// The export of a kept phone; with its last page torn, of what is left of it.
fn export(torn: bool, passphrase: Option<&str>) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("me.db"), folder.path().join("export"));
    let mut bytes = std::fs::read("../client/tests/kept/engine1.db").unwrap();
    if torn {
        let tail = bytes.len() - 60..;
        bytes[tail].fill(0x55);
    }
    std::fs::write(&store, bytes).unwrap();
    let passphrase = passphrase.map(|passphrase| Zeroizing::new(passphrase.to_owned()));
    salvage(&store, &FixedKey::new([7; 32]), &out, passphrase).unwrap();
    serde_json::from_slice(&std::fs::read(out.join("sidetone-export.json")).unwrap()).unwrap()
}

#[test]
fn an_export_is_what_its_published_schema_says() {
    let none = [""; 0];
    let plain = export(false, None);
    assert_eq!(faults(&plain), none);
    for list in ["account", "friends", "chats", "outgoing", "messages"] {
        assert!(plain[list].as_array().is_some_and(|rows| !rows.is_empty()), "{list}");
    }
    let sealed = export(false, Some("a passphrase"));
    assert_eq!(faults(&sealed), none);
    assert!(sealed["sealed"].is_string() && plain.get("sealed").is_none());
    let torn = export(true, None);
    assert_eq!(faults(&torn), none);
    assert_eq!(torn["damage"]["damaged"], 1);
}

#[test]
fn the_schema_can_say_no() {
    let good = export(false, None);
    let spoiled: [&dyn Fn(&mut Json); 6] = [
        &|json| json["friends"][0]["verified"] = "perhaps".into(),
        &|json| json["extra"] = 1.into(),
        &|json| json["messages"][0]["extra"] = 1.into(),
        &|json| json["messages"][0]["peer"] = "anna".into(),
        &|json| json["version"] = 2.into(),
        &|json| drop(json["chats"][0].as_object_mut().unwrap().remove("lane")),
    ];
    for spoil in spoiled {
        let mut document = good.clone();
        spoil(&mut document);
        assert_ne!(faults(&document), [""; 0]);
    }
}
