//! The promises of a store.

use sidetone_server::*;
use sidetone_wire::id::*;
use sidetone_wire::room::*;

fn user(number: u8) -> UserId {
    UserId([number; 16])
}

fn account(number: u8) -> NewAccount {
    NewAccount {
        user: user(number),
        name: format!("name{number}"),
        skeleton: format!("skeleton{number}"),
        tombstone: [number; 32],
        record: vec![number; 192],
        identity: IdentityKey([number; 32]),
        email: vec![number; 40],
        email_mac: [number; 32],
        device: DeviceId([number; 16]),
        token: [number; 32],
        day: 100,
    }
}

async fn enrolled<S: Store>(mut store: S, people: u8) -> S {
    for number in 1..=people {
        assert_eq!(store.enroll(account(number)).await, Ok(Enrolled::Done));
    }
    store
}

async fn befriend(store: &mut impl Store, us: u8, them: u8) {
    store.relate(user(us), user(them), Act::Ask).await.unwrap();
    store.relate(user(them), user(us), Act::Accept).await.unwrap();
}

/// Runs every promise on a new store each.
pub async fn all<S: Store>(mut new: impl FnMut() -> S) {
    a_secret_is_drawn_once(new()).await;
    an_account_is_found_by_its_name_its_id_and_its_token(enrolled(new(), 1).await).await;
    a_name_a_skeleton_and_an_address_have_one_account(enrolled(new(), 1).await).await;
    a_new_device_is_the_only_one(enrolled(new(), 1).await).await;
    the_day_a_token_was_seen_is_kept(enrolled(new(), 1).await).await;
    what_people_want_is_kept_from_both_sides(enrolled(new(), 2).await).await;
    a_roster_shows_whom_it_should_in_order(enrolled(new(), 8).await).await;
    a_deleted_account_is_gone_and_its_name_waits(enrolled(new(), 6).await).await;
    an_export_is_about_one_person(enrolled(new(), 3).await).await;
    a_kept_room_is_found_listed_and_forgotten(enrolled(new(), 2).await).await;
    an_account_keeps_so_many_rooms_and_no_more(enrolled(new(), 2).await).await;
    a_ban_holds_until_it_is_lifted_or_the_room_is_gone(enrolled(new(), 3).await).await;
    a_deleted_account_takes_its_rooms_and_its_bans_along(enrolled(new(), 3).await).await;
}

fn room(number: u8, creator: u8) -> RoomRow {
    let (relay, scope) = (RelayRule::Required, Scope::Friends);
    let (room, seats) = (RoomId([number; 16]), Seats::new(7).unwrap());
    RoomRow { room, creator: user(creator), name: RoomName::parse(format!("room{number}")), relay, seats, scope }
}

async fn a_kept_room_is_found_listed_and_forgotten(mut store: impl Store) {
    let nameless = RoomRow { name: None, ..room(3, 1) };
    assert_eq!(store.keep_room(room(5, 1), 9, 100).await, Ok(RoomKept::Done));
    assert_eq!(store.keep_room(nameless.clone(), 9, 101).await, Ok(RoomKept::Done));
    assert_eq!(store.keep_room(room(5, 2), 9, 101).await, Ok(RoomKept::Taken), "an id has one creator");
    assert_eq!(store.room(RoomId([5; 16])).await, Ok(Some(room(5, 1))));
    assert_eq!(store.room(RoomId([6; 16])).await, Ok(None));
    assert_eq!(store.rooms(user(1), 0, 9).await, Ok(vec![room(5, 1), nameless.clone()]));
    assert_eq!(store.rooms(user(1), 1, 9).await, Ok(vec![nameless.clone()]));
    assert_eq!(store.rooms(user(1), usize::MAX, 9).await, Ok(vec![]));
    assert_eq!(store.rooms(user(2), 0, 9).await, Ok(vec![]));
    store.forget_room(RoomId([5; 16])).await.unwrap();
    store.forget_room(RoomId([6; 16])).await.unwrap();
    assert_eq!(store.rooms(user(1), 0, 9).await, Ok(vec![nameless]));
}

async fn an_account_keeps_so_many_rooms_and_no_more(mut store: impl Store) {
    for number in 1..=3 {
        assert_eq!(store.keep_room(room(number, 1), 3, 100).await, Ok(RoomKept::Done));
    }
    assert_eq!(store.keep_room(room(4, 1), 3, 100).await, Ok(RoomKept::TooMany));
    assert_eq!(store.keep_room(room(4, 2), 3, 100).await, Ok(RoomKept::Done));
    store.forget_room(RoomId([1; 16])).await.unwrap();
    assert_eq!(store.keep_room(room(5, 1), 3, 100).await, Ok(RoomKept::Done));
}

async fn a_ban_holds_until_it_is_lifted_or_the_room_is_gone(mut store: impl Store) {
    store.keep_room(room(1, 1), 9, 100).await.unwrap();
    store.keep_room(room(2, 1), 9, 100).await.unwrap();
    let [first, second] = [RoomId([1; 16]), RoomId([2; 16])];
    for _ in 0..2 {
        store.ban(first, user(2)).await.unwrap();
    }
    store.ban(RoomId([9; 16]), user(2)).await.unwrap();
    store.ban(first, user(9)).await.unwrap();
    assert_eq!(store.is_banned(first, user(2)).await, Ok(true));
    assert_eq!(store.is_banned(first, user(3)).await, Ok(false));
    assert_eq!(store.is_banned(second, user(2)).await, Ok(false));
    store.ban(second, user(2)).await.unwrap();
    store.pardon(first).await.unwrap();
    assert_eq!(store.is_banned(first, user(2)).await, Ok(false));
    assert_eq!(store.is_banned(second, user(2)).await, Ok(true));
    store.forget_room(second).await.unwrap();
    store.keep_room(room(2, 1), 9, 100).await.unwrap();
    assert_eq!(store.is_banned(second, user(2)).await, Ok(false), "another room of the same id knows nothing of it");
}

async fn a_deleted_account_takes_its_rooms_and_its_bans_along(mut store: impl Store) {
    store.keep_room(room(1, 1), 9, 100).await.unwrap();
    store.keep_room(room(2, 2), 9, 100).await.unwrap();
    store.ban(RoomId([1; 16]), user(3)).await.unwrap();
    store.ban(RoomId([2; 16]), user(1)).await.unwrap();
    let theirs = store.export(user(2)).await.unwrap();
    assert_eq!(theirs["room_bans"].as_array().map(Vec::len), Some(1), "a creator sees whom the room keeps out");
    let ours = store.export(user(1)).await.unwrap();
    assert_eq!(ours["room_bans"][0]["room"], "01".repeat(16), "and nobody else");
    store.delete(user(1), &[1; 32], 200).await.unwrap();
    assert_eq!(store.room(RoomId([1; 16])).await, Ok(None));
    assert_eq!(store.room(RoomId([2; 16])).await, Ok(Some(room(2, 2))));
    assert_eq!(store.is_banned(RoomId([2; 16]), user(1)).await, Ok(false));
}

async fn a_secret_is_drawn_once(mut store: impl Store) {
    assert_eq!(store.secret("key", b"first").await.unwrap(), b"first");
    assert_eq!(store.secret("key", b"second").await.unwrap(), b"first");
    assert_eq!(store.secret("other", b"second").await.unwrap(), b"second");
}

async fn an_account_is_found_by_its_name_its_id_and_its_token(mut store: impl Store) {
    let known = Known { user: user(1), name: "name1".into(), identity: IdentityKey([1; 32]) };
    assert_eq!(store.find("name1").await, Ok(Some(known.clone())));
    assert_eq!(store.find("NAME1").await, Ok(None), "exactly this name");
    assert_eq!(store.person(user(1)).await, Ok(Some(known)));
    assert_eq!(store.person(user(2)).await, Ok(None));
    let found = store.account("name1").await.unwrap().unwrap();
    assert_eq!((found.user, found.record), (user(1), vec![1; 192]));
    assert!(store.account("name2").await.unwrap().is_none());
    assert_eq!(store.token([1; 32], 100).await, Ok(Some((user(1), DeviceId([1; 16])))));
    assert_eq!(store.token([2; 32], 100).await, Ok(None));
    store.sign_out(user(1), DeviceId([9; 16])).await.unwrap();
    assert!(store.token([1; 32], 100).await.unwrap().is_some());
    store.sign_out(user(1), DeviceId([1; 16])).await.unwrap();
    assert_eq!(store.token([1; 32], 100).await, Ok(None));
}

async fn a_name_a_skeleton_and_an_address_have_one_account(mut store: impl Store) {
    let name = NewAccount { name: "name1".into(), ..account(2) };
    let skeleton = NewAccount { skeleton: "skeleton1".into(), ..account(2) };
    let address = NewAccount { email_mac: [1; 32], ..account(2) };
    assert_eq!(store.enroll(name).await, Ok(Enrolled::NameTaken));
    assert_eq!(store.enroll(skeleton).await, Ok(Enrolled::NameTaken));
    assert_eq!(store.enroll(address).await, Ok(Enrolled::EmailTaken));
    assert_eq!(store.person(user(2)).await, Ok(None), "a refused account leaves nothing");
    assert_eq!(store.token([2; 32], 100).await, Ok(None));
    assert_eq!(store.is_taken("name1", "other", &[9; 32]).await, Ok(true));
    assert_eq!(store.is_taken("other", "skeleton1", &[9; 32]).await, Ok(true));
    assert_eq!(store.is_taken("other", "other", &[9; 32]).await, Ok(false));
    assert_eq!(store.enroll(account(2)).await, Ok(Enrolled::Done));
}

async fn a_new_device_is_the_only_one(mut store: impl Store) {
    let device = DeviceId([7; 16]);
    let same = store.sign_in(user(1), device, IdentityKey([1; 32]), [7; 32], 101).await.unwrap();
    assert!(!same.identity_changed);
    assert_eq!(store.token([1; 32], 101).await, Ok(None));
    assert_eq!(store.token([7; 32], 101).await, Ok(Some((user(1), device))));
    let other = store.sign_in(user(1), device, IdentityKey([8; 32]), [8; 32], 101).await.unwrap();
    assert!(other.identity_changed);
    assert_eq!(store.person(user(1)).await.unwrap().unwrap().identity, IdentityKey([8; 32]));
}

async fn the_day_a_token_was_seen_is_kept(mut store: impl Store) {
    store.token([1; 32], 123).await.unwrap();
    let export = store.export(user(1)).await.unwrap();
    assert_eq!((&export["sessions"][0]["created_day"], &export["sessions"][0]["seen_day"]), (&100.into(), &123.into()));
}

async fn what_people_want_is_kept_from_both_sides(mut store: impl Store) {
    let (ada, bob) = (user(1), user(2));
    let wants = Edge { ours: Some(Stance::Wants), theirs: None };
    assert_eq!(store.edge(ada, bob).await, Ok(Edge::default()));
    assert_eq!(store.relate(ada, bob, Act::Ask).await, Ok((Edge::default(), wants)));
    assert_eq!(store.edge(bob, ada).await, Ok(Edge { ours: None, theirs: Some(Stance::Wants) }));
    assert_eq!(store.friends(ada).await, Ok(vec![]));
    let (_, after) = store.relate(bob, ada, Act::Accept).await.unwrap();
    assert!(after.is_friendship());
    assert_eq!(store.friends(ada).await, Ok(vec![bob]));
    assert_eq!(store.friends(bob).await, Ok(vec![ada]));
    store.relate(bob, ada, Act::Block).await.unwrap();
    assert_eq!(store.edge(ada, bob).await, Ok(Edge { ours: None, theirs: Some(Stance::Blocks) }));
    store.relate(ada, bob, Act::Leave).await.unwrap();
    assert_eq!(store.edge(ada, bob).await.unwrap().theirs, Some(Stance::Blocks), "nobody lifts another's block");
    store.relate(bob, ada, Act::Unblock).await.unwrap();
    assert_eq!(store.edge(ada, bob).await, Ok(Edge::default()));
}

async fn a_roster_shows_whom_it_should_in_order(mut store: impl Store) {
    befriend(&mut store, 1, 8).await;
    for (us, them, act) in [
        (1, 2, Act::Ask),
        (3, 1, Act::Ask),
        (4, 1, Act::Ask),
        (1, 4, Act::Decline),
        (1, 5, Act::Block),
        (6, 1, Act::Block),
        (7, 2, Act::Ask),
    ] {
        store.relate(user(us), user(them), act).await.unwrap();
    }
    let shown = store.roster(user(1), 0, 100).await.unwrap();
    let names: Vec<_> = shown.iter().map(|(known, _)| known.name.as_str()).collect();
    assert_eq!(names, ["name2", "name3", "name5", "name8"]);
    assert_eq!(store.roster_len(user(1)).await, Ok(4));
    assert_eq!(shown[1].1, Edge { ours: None, theirs: Some(Stance::Wants) });
    assert!(shown[3].1.is_friendship());
    assert_eq!(store.roster(user(1), 1, 2).await.unwrap(), shown[1..3]);
    assert_eq!(store.roster(user(1), usize::MAX, 2).await, Ok(vec![]));
    let theirs = store.roster(user(4), 0, 100).await.unwrap();
    assert_eq!(theirs.len(), 1, "one who was declined still sees the request");
}

async fn a_deleted_account_is_gone_and_its_name_waits(mut store: impl Store) {
    befriend(&mut store, 1, 2).await;
    store.relate(user(1), user(3), Act::Ask).await.unwrap();
    store.relate(user(4), user(1), Act::Block).await.unwrap();
    store.relate(user(1), user(5), Act::Ask).await.unwrap();
    store.relate(user(5), user(1), Act::Decline).await.unwrap();
    let seen_by = store.delete(user(1), &[1; 32], 200).await.unwrap();
    assert_eq!(seen_by, [user(2), user(3), user(4)]);
    assert_eq!(store.person(user(1)).await, Ok(None));
    assert_eq!(store.token([1; 32], 200).await, Ok(None));
    assert_eq!(store.roster_len(user(2)).await, Ok(0));
    assert_eq!(store.roster_len(user(4)).await, Ok(0));
    store.sweep(229).await.unwrap();
    assert_eq!(store.enroll(account(1)).await, Ok(Enrolled::NameTaken));
    store.sweep(230).await.unwrap();
    assert_eq!(store.enroll(account(1)).await, Ok(Enrolled::Done));
}

async fn an_export_is_about_one_person(mut store: impl Store) {
    befriend(&mut store, 1, 2).await;
    store.relate(user(3), user(1), Act::Block).await.unwrap();
    let export = store.export(user(1)).await.unwrap();
    for (table, rows) in [("users", 1), ("emails", 1), ("sessions", 1), ("friendships", 2)] {
        assert_eq!(export[table].as_array().map(Vec::len), Some(rows), "{table}");
    }
    assert!(!export.to_string().contains("name3"));
}
