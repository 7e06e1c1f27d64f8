//! What the server keeps, and that it keeps nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::*;
use rusqlite::types::Value;
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use sidetone_wire::room::Keep;
use sidetone_wire::room::*;

/// Every table and column there may be. A column added here is a promise changed: it needs a reason users would accept.
const ALLOWED: &str = "\
emails: user sealed mac verified
friendships: owner other stance
room_bans: room user
rooms: id creator name relay seats scope created_day
server: name value
sessions: token user device created_day seen_day push
tombstones: hash day
users: id name skeleton record identity created_day
";

/// A copy of the database as it is on the disk, read without disturbing the server that holds it.
fn copied(dir: &Path) -> (tempfile::TempDir, rusqlite::Connection) {
    let copy = tempfile::tempdir().unwrap();
    for name in ["accounts.db", "accounts.db-wal"] {
        if dir.join(name).exists() {
            std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
        }
    }
    let db = rusqlite::Connection::open(copy.path().join("accounts.db")).unwrap();
    (copy, db)
}

fn tables(db: &rusqlite::Connection) -> BTreeMap<String, Vec<String>> {
    let mut select = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let columns = |name: &String| {
        let select = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
        select.column_names().map(str::to_owned).collect()
    };
    names.into_iter().map(|name| (name.clone(), columns(&name))).collect()
}

fn rows(dir: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let (_copy, db) = copied(dir);
    let mut all = BTreeMap::new();
    for (table, columns) in tables(&db) {
        let mut select = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let row = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|at| row.get(at)).collect();
        all.insert(table, select.query_map([], row).unwrap().map(Result::unwrap).collect());
    }
    all
}

/// Every byte of every file of the server, free pages and log included.
fn disk(dir: &Path) -> Vec<u8> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
}

/// The forms in which a byte string could have been written: as it is, UTF-16, hexadecimal, base64 at each alignment.
fn forms(canary: &[u8]) -> Vec<Vec<u8>> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let wide = canary.iter().flat_map(|byte| [*byte, 0]).collect();
    let (small, large) = (hex::encode(canary), hex::encode_upper(canary));
    let mut forms = vec![canary.to_vec(), wide, small.into_bytes(), large.into_bytes()];
    for shift in 0..3 {
        let whole = (canary.len() - shift) / 3 * 3;
        forms.push(STANDARD.encode(&canary[shift..shift + whole]).into_bytes());
    }
    forms.retain(|form| !form.is_empty());
    forms
}

fn found(haystack: &[u8], canary: &[u8]) -> usize {
    forms(canary).iter().map(|form| haystack.windows(form.len()).filter(|window| *window == form).count()).sum()
}

fn on_disk(dir: &Path) -> World {
    World::with(roomy(), SqliteStore::open(&dir.join("accounts.db")).unwrap())
}

#[test]
fn the_database_has_the_tables_and_columns_it_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let _world = on_disk(dir.path());
    let (_copy, db) = copied(dir.path());
    let found: String =
        tables(&db).into_iter().map(|(table, columns)| format!("{table}: {}\n", columns.join(" "))).collect();
    assert_eq!(found, ALLOWED);
    let strict: i64 = db
        .query_row("SELECT count(*) FROM pragma_table_list WHERE strict = 0 AND name NOT LIKE 'sqlite%'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(strict, 0, "every table is strict");
}

/// What a call looks like from the server: a ring, a handshake, candidates, and half a minute of nothing.
fn call(world: &mut World, ada: &mut Phone, bob: &mut Phone, canary: &[u8]) {
    let sealed = |class, len: usize| {
        let mut bytes = vec![0; len];
        bytes[100..100 + canary.len()].copy_from_slice(canary);
        move |to| Request::Route(Envelope { to, class, bytes: bytes.clone().into() })
    };
    for class in [Class::Ring, Class::Connect, Class::Control, Class::Control] {
        ada.ask(world, sealed(class, 1_024)(bob.user())).unwrap();
        bob.ask(world, sealed(class, 4_096)(ada.user())).unwrap();
    }
    ada.ask(world, Request::Relays(Empty::default())).unwrap();
    world.live(30_000, &[ada, bob]);
    ada.news(world);
    bob.news(world);
}

#[test]
fn a_hundred_messages_and_three_calls_leave_nothing_but_the_day_of_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = on_disk(dir.path());
    let (mut ada, mut bob) = friends(&mut world);
    let before = rows(dir.path());
    let canary = b"a sealed canary nobody may keep";
    for number in 0..100u8 {
        let mut bytes = vec![number; 256];
        bytes[50..50 + canary.len()].copy_from_slice(canary);
        ada.route(&mut world, bob.user(), bytes).unwrap();
    }
    for _ in 0..3 {
        call(&mut world, &mut ada, &mut bob, canary);
    }
    // A day later they come back, which is all that shows.
    world.now.unix_ms += 86_400_000;
    ada.drop_socket(&mut world);
    ada.session = None;
    ada.connect(&mut world);
    call(&mut world, &mut ada, &mut bob, canary);
    let after = rows(dir.path());

    let mut changed = Vec::new();
    for (table, now) in &after {
        let was = &before[table];
        assert_eq!(was.len(), now.len(), "{table}");
        for (was, now) in was.iter().zip(now) {
            let differing = was.iter().zip(now).enumerate().filter(|(_, (was, now))| was != now);
            changed.extend(differing.map(|(column, _)| (table.as_str(), column)));
        }
    }
    assert_eq!(changed, [("sessions", 4)], "the day one session was last seen, and nothing else");
    assert_eq!(found(&disk(dir.path()), canary), 0);
    assert!(found(&disk(dir.path()), b"ada") > 0, "the search does find what is there");
    let mut planted = disk(dir.path());
    planted.extend(hex::encode(canary).bytes());
    assert_eq!(found(&planted, canary), 1, "in other forms, too");
}

#[test]
fn a_password_and_a_token_are_nowhere_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = on_disk(dir.path());
    let (ada, _bob) = friends(&mut world);
    let disk = disk(dir.path());
    assert_eq!(found(&disk, ada.password.as_bytes()), 0);
    assert_eq!(found(&disk, ada.token.as_ref().unwrap().as_bytes()), 0);
    assert_eq!(found(&disk, b"ada@example.org"), 0, "addresses are sealed");
    let hash = ring::digest::digest(&ring::digest::SHA256, ada.token.unwrap().as_bytes());
    assert!(found(&disk, hash.as_ref()) > 0, "of the token there is its hash");
}

const ROOM: RoomId = RoomId(*b"a room's canary!");
const ROOM_NAME: &str = "Zoe's kitchen canary";

fn open_room(keep: Option<Keep>) -> Request {
    let (member, owner) = (MemberId(*b"owner's canary!!"), Secret(*b"secret of the owner, canary, yes"));
    let (relay, seats, scope) = (RelayRule::Allowed, Seats::new(4).unwrap(), Scope::Link);
    Request::OpenRoom(OpenRoom { room: ROOM, member, owner, relay, seats, scope, keep })
}

fn enter_room(member: MemberId) -> Request {
    Request::EnterRoom(EnterRoom { room: ROOM, member })
}

#[test]
fn a_room_of_guests_never_touches_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = on_disk(dir.path());
    let (mut ada, mut bob) = friends(&mut world);
    let before = rows(dir.path());
    let (ours, canary) = (MemberId(*b"member's canary!"), *b"a display name, sealed");
    let mut guest = Phone::new("guest");
    guest.connect(&mut world);
    ada.ask(&mut world, open_room(None)).unwrap();
    bob.ask(&mut world, enter_room(ours)).unwrap();
    guest.ask(&mut world, enter_room(MemberId([7; 16]))).unwrap();
    let mut bytes = vec![0; 256];
    bytes[20..20 + canary.len()].copy_from_slice(&canary);
    let envelope = RoomEnvelope { room: ROOM, to: ours, class: Class::Control, bytes: bytes.into() };
    ada.ask(&mut world, Request::RouteRoom(envelope)).unwrap();
    let member = MemberId([7; 16]);
    ada.ask(&mut world, Request::Ban(Seat { room: ROOM, member })).unwrap();
    ada.ask(&mut world, Request::Ban(Seat { room: ROOM, member: ours })).unwrap();
    ada.ask(&mut world, Request::LeaveRoom(Room { room: ROOM })).unwrap();
    assert_eq!(rows(dir.path()), before);
    let disk = disk(dir.path());
    for canary in [&ROOM.0[..], &ours.0, b"owner's canary!!", b"secret of the owner, canary, yes", &canary] {
        assert_eq!(found(&disk, canary), 0);
    }
}

#[test]
fn a_room_that_is_closed_or_whose_creator_is_deleted_leaves_nothing_on_the_disk() {
    for end in [Request::CloseRoom(Room { room: ROOM }), Request::Delete(Empty::default())] {
        let dir = tempfile::tempdir().unwrap();
        let mut world = on_disk(dir.path());
        let (mut ada, mut bob) = friends(&mut world);
        ada.ask(&mut world, open_room(Some(Keep { name: RoomName::parse(ROOM_NAME) }))).unwrap();
        let member = MemberId([7; 16]);
        bob.ask(&mut world, enter_room(member)).unwrap();
        ada.ask(&mut world, Request::Ban(Seat { room: ROOM, member })).unwrap();
        for canary in [&ROOM.0[..], ROOM_NAME.as_bytes()] {
            assert!(found(&disk(dir.path()), canary) > 0, "what is kept is found");
        }
        for never in [&b"owner's canary!!"[..], b"secret of the owner, canary, yes", &member.0] {
            assert_eq!(found(&disk(dir.path()), never), 0, "who is in a room is not kept");
        }
        ada.ask(&mut world, end).unwrap();
        for canary in [&ROOM.0[..], ROOM_NAME.as_bytes()] {
            assert_eq!(found(&disk(dir.path()), canary), 0);
        }
    }
}

/// Everything planted about one person.
fn planted(phone: &Phone) -> Vec<Vec<u8>> {
    let token = ring::digest::digest(&ring::digest::SHA256, phone.token.as_ref().unwrap().as_bytes());
    vec![
        phone.name.clone().into_bytes(),
        phone.user().0.to_vec(),
        phone.identity.0.to_vec(),
        phone.device.0.to_vec(),
        token.as_ref().to_vec(),
    ]
}

#[test]
fn a_deleted_account_leaves_nothing_on_the_disk_and_friends_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = on_disk(dir.path());
    let mut zoe = Phone::registered(&mut world, "zoe.the.canary");
    // Enough neighbours that pages were split and moved around hers.
    let mut others: Vec<_> = (0..60)
        .map(|number| {
            let mut other = Phone::registered(&mut world, &format!("neighbour{number}"));
            make_friends(&mut world, &mut zoe, &mut other);
            other
        })
        .collect();
    let asked = Phone::registered(&mut world, "asked");
    zoe.befriend(&mut world, "asked").unwrap();
    for canary in planted(&zoe) {
        assert!(found(&disk(dir.path()), &canary) > 0, "the search finds what is there");
    }
    let canaries = planted(&zoe);
    let (user, token) = (zoe.user(), zoe.token.clone());
    others[0].news(&mut world);
    zoe.ask(&mut world, Request::Delete(Empty::default())).unwrap();
    assert_eq!(others[0].news(&mut world), [Event::Gone(User { user })]);
    let disk = disk(dir.path());
    for (number, canary) in canaries.iter().enumerate() {
        assert_eq!(found(&disk, canary), 0, "datum {number}");
    }
    assert!(found(&disk, b"neighbour7") > 0);
    drop(asked);

    assert_eq!(zoe.ask(&mut world, Request::Roster(Page::default())), Err(Code::Unauthorised));
    let socket = world.connect();
    let hello = Hello { oldest: 1, newest: 1, token, resume: None };
    world.feed(socket, &Frame::Hello(hello).to_bytes().unwrap());
    assert_eq!(world.goaway(socket), Some(Code::Unauthorised));

    let mut heir = Phone::new("Zое.the.canary");
    heir.connect(&mut world);
    assert_eq!(heir.register(&mut world), Err(Code::NameTaken), "nobody takes the name at once");
    world.now.unix_ms += 30 * 86_400_000;
    world.pass(1_000);
    heir.drop_socket(&mut world);
    heir.connect(&mut world);
    heir.register(&mut world).unwrap();
}

#[test]
fn an_export_has_everything_there_is_and_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = on_disk(dir.path());
    let mut ada = Phone::registered(&mut world, "ada");
    let mut names = Vec::new();
    for number in 0..120 {
        let mut other = Phone::registered(&mut world, &format!("friend{number}"));
        make_friends(&mut world, &mut ada, &mut other);
        names.push(other.name);
    }
    let mut silent = Phone::registered(&mut world, "silent");
    silent.ask(&mut world, Request::Block(User { user: ada.user() })).unwrap();
    ada.ask(&mut world, open_room(Some(Keep { name: RoomName::parse(ROOM_NAME) }))).unwrap();
    let member = MemberId([7; 16]);
    silent.ask(&mut world, enter_room(member)).unwrap();
    ada.ask(&mut world, Request::Ban(Seat { room: ROOM, member })).unwrap();
    names.push(ROOM_NAME.to_owned());
    names.push(hex::encode(ROOM.0));
    let (mut json, mut pages) = (Vec::new(), 0);
    loop {
        let Ok(Reply::Export(page)) = ada.ask(&mut world, Request::Export(Page { page: pages })) else { panic!() };
        json.extend_from_slice(&page.json);
        pages += 1;
        if !page.more {
            break;
        }
    }
    assert!(pages > 1, "the test is about several pages");
    let export: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let text = String::from_utf8(json).unwrap();
    for datum in planted(&ada).iter().skip(1).map(hex::encode).chain(names).chain(["ada@example.org".into()]) {
        assert!(text.contains(&datum), "{datum} is missing");
    }
    assert!(!text.contains("silent"), "what others decided in silence stays theirs");

    let (_copy, db) = copied(dir.path());
    for (table, columns) in tables(&db) {
        let about_people = !["server", "tombstones"].contains(&table.as_str());
        let exported = export.get(&table).and_then(|rows| rows.get(0));
        assert_eq!(exported.is_some(), about_people, "{table}");
        for column in columns.iter().filter(|_| about_people) {
            assert!(exported.unwrap().get(column).is_some(), "{table}.{column} is missing");
        }
    }
    let late = ada.ask(&mut world, Request::Export(Page { page: 9_999 }));
    assert!(matches!(late, Ok(Reply::Export(page)) if page.json.is_empty() && !page.more));
}

#[test]
fn an_export_is_of_one_moment() {
    let mut world = World::new();
    let mut ada = Phone::registered(&mut world, "ada");
    assert_eq!(
        ada.ask(&mut world, Request::Export(Page { page: 1 })),
        Err(Code::Expired),
        "pages begin with the first"
    );
}
