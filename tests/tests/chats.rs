//! What friends say about what they said, in virtual time.

use proving::puppet::Puppet;
use proving::world::World;
use sidetone_engine::row::{Content, Entry, Failure, MessageState, Table};
use sidetone_engine::{Answer, ChatCommand, Command, CommandError, Event, Storage};
use sidetone_wire::id::{ItemSeq, LaneId, UnixMs, UserId};
use sidetone_wire::record::{Body, Edit, Item, Mark, MessageId, React, Reactions, Record, Stay, Text, Words};

fn friends() -> (World, UserId, UserId) {
    let world = World::friends(11);
    let user = |phone: usize| world.phones[phone].user().expect("an account");
    let (ada, ben) = (user(0), user(1));
    (world, ada, ben)
}

fn text(words: &str) -> Text {
    Text::parse(words).expect("a text")
}

fn emoji(set: &[&str]) -> Reactions {
    Reactions::parse(set.iter().map(|one| one.to_string())).expect("few")
}

fn chat(world: &mut World, phone: usize, peer: UserId, command: ChatCommand) -> Result<Answer, CommandError> {
    world.ask(phone, Command::Chat(peer, command))
}

fn last(world: &World, phone: usize, peer: UserId) -> Entry {
    world.phones[phone].conversation(peer).pop().expect("an entry")
}

fn said(entry: &Entry) -> &str {
    match &entry.content {
        Content::Text(text) => text.as_str(),
        other => panic!("no text: {other:?}"),
    }
}

fn settled(world: &World) -> bool {
    (0..2).all(|phone| {
        let (Some(peer), Some(engine)) = (world.phones[1 - phone].user(), world.phones[phone].engine()) else {
            return false;
        };
        engine.chat(peer).is_none_or(|chat| chat.confirmed == chat.last)
    })
}

/// Everything said arrives.
fn settle(world: &mut World) {
    assert!(world.run_until(400_000, settled), "everything arrives");
}

fn on_disk(world: &World, phone: usize, words: &str) -> bool {
    world.phones[phone].disk().values().any(|value| value.windows(words.len()).any(|part| part == words.as_bytes()))
}

#[test]
fn an_answer_names_the_message_it_answers_on_both_phones() {
    let (mut world, ada, ben) = friends();
    world.say(0, 1, "at nine?");
    settle(&mut world);
    let question = last(&world, 1, ada).id.expect("a name");
    assert_eq!(last(&world, 0, ben).id, Some(question), "both know it by one name");
    chat(&mut world, 1, ada, ChatCommand::Reply(question, text("at ten"))).expect("friends may write");
    settle(&mut world);
    let answer = last(&world, 0, ben);
    assert_eq!((said(&answer), answer.reply, answer.theirs), ("at ten", Some(question), true));
}

#[test]
fn an_edit_changes_the_words_on_both_phones_and_is_marked() {
    let (mut world, ada, ben) = friends();
    world.say(0, 1, "at nine");
    settle(&mut world);
    let id = last(&world, 0, ben).id.expect("a name");
    chat(&mut world, 0, ben, ChatCommand::Edit(id, text("at ten"))).expect("it is ours");
    settle(&mut world);
    for (phone, peer) in [(0, ben), (1, ada)] {
        let entry = last(&world, phone, peer);
        assert_eq!((said(&entry), entry.edited.is_some()), ("at ten", true));
        assert!(!on_disk(&world, phone, "at nine"), "the old words are gone from phone {phone}");
    }
    assert!(world.phones[1].events.iter().any(|(_, event)| *event == Event::Amended { peer: ada, message: id }));
}

#[test]
fn what_is_taken_back_is_erased_on_both_phones_with_everything_about_it() {
    let (mut world, ada, ben) = friends();
    world.say(0, 1, "a secret");
    settle(&mut world);
    let id = last(&world, 0, ben).id.expect("a name");
    chat(&mut world, 1, ada, ChatCommand::React(id, emoji(&["wow"]))).expect("it is there");
    settle(&mut world);
    assert!(on_disk(&world, 0, "wow") && on_disk(&world, 1, "a secret"), "the search finds what is there");
    chat(&mut world, 0, ben, ChatCommand::Delete(id)).expect("it is ours");
    settle(&mut world);
    for (phone, peer) in [(0, ben), (1, ada)] {
        let entry = last(&world, phone, peer);
        assert_eq!((entry.content, entry.id), (Content::Deleted, Some(id)));
        assert!(!on_disk(&world, phone, "a secret") && !on_disk(&world, phone, "wow"), "phone {phone} forgot it");
    }
    // Late is not wrong: words and reactions for what is gone leave no trace.
    chat(&mut world, 0, ben, ChatCommand::Edit(id, text("a ghost"))).expect("late");
    chat(&mut world, 1, ada, ChatCommand::React(id, emoji(&["boo"]))).expect("late");
    settle(&mut world);
    for phone in 0..2 {
        assert!(!on_disk(&world, phone, "a ghost") && !on_disk(&world, phone, "boo"));
    }
}

#[test]
fn what_is_taken_back_before_it_left_never_leaves() {
    let (mut world, ada, ben) = friends();
    world.cut(1, 100_000);
    world.run(30_000);
    world.say(0, 1, "said in anger");
    let id = last(&world, 0, ben).id.expect("a name");
    chat(&mut world, 0, ben, ChatCommand::Delete(id)).expect("it is ours");
    assert!(!on_disk(&world, 0, "said in anger"), "not even in the outbox");
    world.crash(0);
    settle(&mut world);
    assert_eq!(last(&world, 1, ada).content, Content::Deleted);
    assert_eq!(world.phones[1].engine().and_then(|engine| engine.friend(ada)).expect("a friend").unread, 0);
    let ever = world.phones[1].events.iter().filter(|(_, event)| matches!(event, Event::Friend(_))).count();
    assert!(ever < 100, "the control: phone 1 lives");
}

#[test]
fn edits_and_deletes_for_a_friend_who_is_away_outlive_crashes_and_go_in_order() {
    let (mut world, ada, ben) = friends();
    for words in ["one", "two", "three"] {
        world.say(0, 1, words);
    }
    settle(&mut world);
    let ids = world.phones[0].said(ben, false);
    world.run(100_000);
    world.cut(1, 300_000);
    world.run(30_000);
    chat(&mut world, 0, ben, ChatCommand::Edit(ids[0], text("ONE"))).expect("ours");
    chat(&mut world, 0, ben, ChatCommand::Edit(ids[0], text("ONE!"))).expect("ours");
    chat(&mut world, 0, ben, ChatCommand::Delete(ids[1])).expect("ours");
    world.crash(0);
    world.run(60_000);
    world.say(0, 1, "four");
    let four = last(&world, 0, ben).id.expect("a name");
    chat(&mut world, 0, ben, ChatCommand::Edit(four, text("FOUR"))).expect("ours");
    settle(&mut world);
    assert_eq!(world.phones[1].texts(ada, true), ["ONE!", "three", "FOUR"]);
}

#[test]
fn a_person_has_one_set_of_reactions_to_a_message() {
    let (mut world, ada, ben) = friends();
    world.say(0, 1, "look");
    settle(&mut world);
    let id = last(&world, 0, ben).id.expect("a name");
    for set in [&["+"][..], &["+", "-"], &["!"]] {
        chat(&mut world, 1, ada, ChatCommand::React(id, emoji(set))).expect("it is there");
    }
    chat(&mut world, 0, ben, ChatCommand::React(id, emoji(&["?"]))).expect("our own, too");
    settle(&mut world);
    let seen = last(&world, 0, ben);
    assert_eq!((seen.ours, seen.theirs_emoji), (emoji(&["?"]), emoji(&["!"])));
    chat(&mut world, 1, ada, ChatCommand::React(id, emoji(&[]))).expect("it is there");
    settle(&mut world);
    assert!(last(&world, 0, ben).theirs_emoji.is_empty());
}

#[test]
fn messages_disappear_from_both_phones_after_the_shorter_of_both_wishes() {
    let (mut world, ada, ben) = friends();
    chat(&mut world, 0, ben, ChatCommand::SetStay(Some(600))).expect("a wish");
    chat(&mut world, 1, ada, ChatCommand::SetStay(Some(60))).expect("a wish");
    settle(&mut world);
    world.say(0, 1, "burn this");
    settle(&mut world);
    world.run(61_000);
    assert_eq!(last(&world, 0, ben).content, Content::Expired, "with its sender it stays from its delivery");
    assert_eq!(last(&world, 0, ben).state, MessageState::Expired);
    assert_eq!(said(&last(&world, 1, ada)), "burn this", "with its receiver, from the moment it is read");
    world.ask(1, Command::MarkRead(ada)).expect("it can be marked");
    // The time goes on while the phone is off.
    world.run(30_000);
    world.crash(1);
    world.run(31_000);
    assert!(world.run_until(5_000, |world| !world.phones[1].is_dead()));
    world.run(1_000);
    assert_eq!(last(&world, 1, ada).content, Content::Expired);
    assert!(!on_disk(&world, 0, "burn this") && !on_disk(&world, 1, "burn this"));
    // Both wishes are in both conversations, and only both together end it.
    chat(&mut world, 1, ada, ChatCommand::SetStay(None)).expect("a wish");
    settle(&mut world);
    world.say(1, 0, "ten minutes now");
    assert_eq!(last(&world, 1, ada).stay_s, Some(600));
    let notes = |phone: usize, peer| {
        let entries = world.phones[phone].conversation(peer).into_iter();
        entries.filter(|entry| matches!(entry.content, Content::Timer(_))).count()
    };
    assert_eq!((notes(0, ben), notes(1, ada)), (3, 3));
}

#[test]
fn a_message_that_waits_does_not_disappear_before_it_was_delivered() {
    let (mut world, ada, ben) = friends();
    chat(&mut world, 0, ben, ChatCommand::SetStay(Some(5))).expect("a wish");
    settle(&mut world);
    world.run(100_000);
    world.cut(1, 500_000);
    world.run(30_000);
    world.say(0, 1, "patience");
    world.run(300_000);
    assert_eq!(said(&last(&world, 0, ben)), "patience");
    settle(&mut world);
    assert_eq!(said(&last(&world, 1, ada)), "patience");
}

#[test]
fn what_failed_with_the_friendship_is_sent_again_once_it_is_back() {
    let (mut world, ada, ben) = friends();
    world.cut(1, 100_000);
    world.run(30_000);
    world.say(0, 1, "are we still friends?");
    let id = last(&world, 0, ben).id.expect("a name");
    world.ask(0, Command::Unfriend(ben)).expect("it can be ended");
    world.run(1_000);
    let MessageState::Failed(why) = last(&world, 0, ben).state else { panic!("it waits for nobody") };
    assert!(why.is_retryable());
    assert_eq!(chat(&mut world, 0, ben, ChatCommand::Retry(id)), Err(CommandError::NotFriends));
    world.crash(0);
    assert!(world.run_until(300_000, |world| world.phones.iter().take(2).all(|phone| phone.socket.is_some())));
    world.run(5_000);
    world.befriend(0, 1);
    chat(&mut world, 0, ben, ChatCommand::Retry(id)).expect("friends again");
    assert_eq!(chat(&mut world, 0, ben, ChatCommand::Retry(id)), Err(CommandError::NoSuchMessage), "once");
    settle(&mut world);
    assert_eq!(world.phones[1].texts(ada, true), ["are we still friends?"]);
    assert_eq!(world.phones[0].texts(ben, false), ["are we still friends?"]);
    assert_eq!(last(&world, 0, ben).state, MessageState::Delivered);
}

#[test]
fn a_file_that_was_not_offered_before_the_friendship_ended_is_not_offered_again() {
    let (mut world, _, ben) = friends();
    world.cut(1, 100_000);
    world.run(30_000);
    world.offer(0, 1, 7, 50_000);
    let id = last(&world, 0, ben).id.expect("a name");
    world.ask(0, Command::Unfriend(ben)).expect("it can be ended");
    world.run(1_000);
    world.crash(0);
    assert!(world.run_until(300_000, |world| world.phones.iter().take(2).all(|phone| phone.socket.is_some())));
    let entry = last(&world, 0, ben);
    assert_eq!(entry.state, MessageState::Failed(Failure::FileReleased));
    assert!(!Failure::FileReleased.is_retryable());
    assert!(!world.phones[0].disk().keys().any(|place| place.table == Table::Outgoing), "nothing waits for ever");
    world.run(5_000);
    world.befriend(0, 1);
    assert_eq!(chat(&mut world, 0, ben, ChatCommand::Retry(id)), Err(CommandError::NoSuchMessage));
    chat(&mut world, 0, ben, ChatCommand::Delete(id)).expect("ours");
    world.offer(0, 1, 7, 50_000);
    assert!(world.run_until(60_000, |world| world.phones[1].files.kept.len() == 1), "sent anew it arrives");
}

#[test]
fn what_is_taken_back_before_it_was_seen_is_unread_no_more() {
    let (mut world, ada, ben) = friends();
    let unread =
        |world: &World| world.phones[1].engine().and_then(|engine| engine.friend(ada)).expect("a friend").unread;
    let mut ids = Vec::new();
    for words in ["seen", "one", "two", "three"] {
        world.say(0, 1, words);
        settle(&mut world);
        ids.push(last(&world, 0, ben).id.expect("a name"));
        if words == "seen" {
            world.ask(1, Command::MarkRead(ada)).expect("it can be marked");
            settle(&mut world);
        }
    }
    assert_eq!(unread(&world), 3);
    chat(&mut world, 0, ben, ChatCommand::Edit(ids[2], text("zwei"))).expect("ours");
    for id in [ids[0], ids[1], ids[1]] {
        chat(&mut world, 0, ben, ChatCommand::Delete(id)).expect("ours");
        settle(&mut world);
    }
    assert_eq!(unread(&world), 2, "what was seen, and what is gone already, counts once and not again");
    world.crash(1);
    assert!(world.run_until(60_000, |world| !world.phones[1].is_dead()));
    chat(&mut world, 0, ben, ChatCommand::Delete(ids[1])).expect("ours");
    chat(&mut world, 0, ben, ChatCommand::Delete(ids[3])).expect("ours");
    settle(&mut world);
    assert_eq!(unread(&world), 1);
    // Taken back before it left it never counts.
    world.cut(1, 60_000);
    world.run(30_000);
    world.say(0, 1, "never mind");
    let id = last(&world, 0, ben).id.expect("a name");
    chat(&mut world, 0, ben, ChatCommand::Delete(id)).expect("ours");
    settle(&mut world);
    assert_eq!(unread(&world), 1);
    world.ask(1, Command::MarkRead(ada)).expect("it can be marked");
    assert_eq!(unread(&world), 0);
}

#[test]
fn a_draft_is_kept_until_it_is_sent() {
    let (mut world, _, ben) = friends();
    chat(&mut world, 0, ben, ChatCommand::SetDraft(Some(text("dear ben")))).expect("a draft");
    world.crash(0);
    assert!(world.run_until(60_000, |world| !world.phones[0].is_dead()));
    let draft = |world: &World| world.phones[0].engine().expect("it runs").chats().pop().and_then(|chat| chat.draft);
    assert_eq!(draft(&world), Some(text("dear ben")));
    world.say(0, 1, "dear ben, hello");
    assert_eq!(draft(&world), None);
    assert!(!world.phones[0].disk().keys().any(|place| place.table == Table::Draft));
}

#[test]
fn an_ephemeral_conversation_never_touches_the_disk_and_ends_with_the_app() {
    let (mut world, ada, ben) = friends();
    for (phone, peer) in [(0, ben), (1, ada)] {
        chat(&mut world, phone, peer, ChatCommand::SetStorage(Storage::Ephemeral)).expect("a choice");
    }
    world.say(0, 1, "off the record");
    settle(&mut world);
    let id = last(&world, 0, ben).id.expect("a name");
    chat(&mut world, 0, ben, ChatCommand::Edit(id, text("off the records"))).expect("ours");
    chat(&mut world, 1, ada, ChatCommand::React(id, emoji(&["shh"]))).expect("there");
    chat(&mut world, 0, ben, ChatCommand::SetDraft(Some(text("nobody reads")))).expect("a draft");
    settle(&mut world);
    let seen = last(&world, 1, ada);
    assert_eq!((said(&seen), &seen.ours), ("off the records", &emoji(&["shh"])));
    world.offer(0, 1, 7, 50_000);
    let unwanted = world.offer(0, 1, 8, 40 << 20);
    assert!(world.run_until(60_000, |world| world.phones[1].files.kept.len() == 1), "files arrive as ever");
    for phone in 0..2 {
        for words in ["off the rec", "shh", "nobody reads", "file 7", "file 8"] {
            assert!(!on_disk(&world, phone, words), "{words} is on the disk of phone {phone}");
        }
        let of_files = [Table::Transfer, Table::Past, Table::Preview];
        assert!(!world.phones[phone].disk().keys().any(|place| of_files.contains(&place.table)));
        let views = world.phones[phone].engine().expect("it runs").transfers();
        assert!(views.iter().any(|view| view.transfer == unwanted), "and are under way as ever");
    }
    world.crash(1);
    assert!(world.run_until(60_000, |world| !world.phones[1].is_dead()));
    assert!(world.phones[1].conversation(ada).is_empty());
    let chats = world.phones[1].engine().expect("it runs").chats();
    assert_eq!(chats[0].storage, Storage::Ephemeral, "the choice outlives the app");
    assert_eq!(chats[0].unread, 0, "and what is gone is not unread");
    world.say(0, 1, "again");
    settle(&mut world);
    assert_eq!(world.phones[1].texts(ada, true), ["again"]);
}

#[test]
fn calls_are_entries_and_a_missed_one_is_unread() {
    let (mut world, ada, ben) = friends();
    let call = world.talk(0, 1);
    world.run(10_000);
    world.ask(0, Command::HangUp(call)).expect("it is on");
    world.run(5_000);
    for (phone, peer, theirs) in [(0, ben, false), (1, ada, true)] {
        let entry = last(&world, phone, peer);
        let Content::Call(kept) = entry.content else { panic!("no call") };
        assert_eq!((kept.call, entry.theirs, entry.id), (call, theirs, None));
        assert!((9_000..20_000).contains(&kept.talked_ms.expect("they talked")));
    }
    assert_eq!(world.phones[1].engine().and_then(|engine| engine.friend(ada)).expect("a friend").unread, 0);
    world.call(0, 1);
    world.run(60_000);
    let Content::Call(missed) = last(&world, 1, ada).content else { panic!("no call") };
    assert_eq!((missed.reason(), missed.talked_ms), (Some(sidetone_engine::EndReason::Missed), None));
    assert_eq!(world.phones[1].engine().and_then(|engine| engine.friend(ada)).expect("a friend").unread, 1);
}

#[test]
fn nobody_changes_the_words_of_another() {
    let (mut world, ada, ben) = friends();
    world.say(1, 0, "mine");
    settle(&mut world);
    let theirs = last(&world, 0, ben).id.expect("a name");
    let nothing = MessageId { lane: theirs.lane, seq: ItemSeq(99) };
    for command in [
        ChatCommand::Edit(theirs, text("yours")),
        ChatCommand::Delete(theirs),
        ChatCommand::Edit(nothing, text("yours")),
        ChatCommand::React(nothing, emoji(&["x"])),
        ChatCommand::Retry(theirs),
    ] {
        assert_eq!(chat(&mut world, 0, ben, command), Err(CommandError::NoSuchMessage));
    }
    for stay_s in [0, 31_536_001, u32::MAX] {
        let outcome = chat(&mut world, 0, ben, ChatCommand::SetStay(Some(stay_s)));
        assert_eq!(outcome, Err(CommandError::StayRange));
    }
    assert_eq!(world.phones[1].texts(ada, false), ["mine"]);
}

/// A friend whose phone says what it likes, as items in its own lane.
struct Hostile {
    puppet: Puppet,
    lane: LaneId,
    seq: u64,
}

impl Hostile {
    fn say(&mut self, world: &mut World, body: Body) -> MessageId {
        self.seq += 1;
        let (lane, seq) = (self.lane, ItemSeq(self.seq));
        self.puppet.say(world, &Record::Item(Item { lane, seq, at: UnixMs(1), body }));
        world.run(200);
        MessageId { lane, seq }
    }
}

/// Ada's phone has said something; the second phone is taken over and paired.
fn hostile() -> (World, UserId, UserId, Hostile, MessageId) {
    let (mut world, ada, ben) = friends();
    world.say(0, 1, "what ada said");
    settle(&mut world);
    world.run(100_000);
    let mut puppet = Puppet::of(&mut world, 1);
    puppet.pair(&mut world, ada);
    let id = world.phones[0].said(ben, false)[0];
    let hostile = Hostile { puppet, lane: LaneId([0xee; 16]), seq: 0 };
    (world, ada, ben, hostile, id)
}

fn refused(world: &World) -> u64 {
    world.phones[0].engine().expect("it runs").refused()
}

#[test]
fn a_friend_cannot_change_or_take_back_what_we_said_and_the_attempt_is_counted() {
    let (mut world, _, ben, mut friend, ours) = hostile();
    let theirs = friend.say(&mut world, Body::Text(text("what ben said")));
    assert_eq!(world.phones[0].texts(ben, true), ["what ben said"], "the control: it is heard");
    friend.say(&mut world, Body::Edit(Edit { message: ours, text: text("forged") }));
    friend.say(&mut world, Body::Delete(ours));
    friend
        .say(&mut world, Body::React(React { message: MessageId { seq: ItemSeq(77), ..ours }, emoji: emoji(&["x"]) }));
    friend.say(&mut world, Body::Delete(MessageId { seq: ItemSeq(u64::MAX), ..theirs }));
    assert_eq!(refused(&world), 4);
    // Under our name for it, in a lane that it claims for itself.
    friend.lane = ours.lane;
    friend.seq = 1_000;
    friend.say(&mut world, Body::Text(text("in our lane")));
    assert_eq!(refused(&world), 5);
    // A name that nobody knows is a name for nothing.
    friend.lane = LaneId([0xee; 16]);
    let before = world.phones[0].disk().len();
    let nobody = MessageId { lane: LaneId([0xdd; 16]), seq: ItemSeq(1) };
    friend.say(&mut world, Body::Edit(Edit { message: nobody, text: text("forged") }));
    friend.say(&mut world, Body::React(React { message: nobody, emoji: emoji(&["x"]) }));
    assert_eq!(world.phones[0].disk().len(), before, "no row for what is about nothing");
    assert_eq!(world.phones[0].texts(ben, false), ["what ada said"]);
    assert_eq!(world.phones[0].texts(ben, true), ["what ben said"]);
    assert!(!on_disk(&world, 0, "forged"));
}

#[test]
fn a_storm_of_reactions_leaves_one_row() {
    let (mut world, _, ben, mut friend, ours) = hostile();
    let before = world.phones[0].disk().len();
    for number in 0..2_000 {
        friend.say(&mut world, Body::React(React { message: ours, emoji: emoji(&[&format!("{number}")]) }));
    }
    assert!(last(&world, 0, ben).theirs_emoji == emoji(&["1999"]), "all of it was heard");
    assert_eq!(world.phones[0].disk().len(), before + 1);
    friend.say(&mut world, Body::Text(text("the session goes on")));
    assert_eq!(world.phones[0].texts(ben, true), ["the session goes on"]);
}

#[test]
fn a_friend_who_confirms_what_was_never_sent_takes_no_text_with_it() {
    let (mut world, _, ben, mut friend, ours) = hostile();
    let up_to = |seq: u64| Record::Received(Mark { lane: ours.lane, up_to: ItemSeq(seq) });
    for seq in [ours.seq.0 + 1, ours.seq.0 + 100, u64::MAX] {
        friend.puppet.say(&mut world, &up_to(seq));
        friend.say(&mut world, Body::Read(Mark { lane: ours.lane, up_to: ItemSeq(seq) }));
    }
    world.ask(0, Command::SendText(ben, text("still to be sent"))).expect("a friend");
    world.run(5_000);
    let waits = |world: &World| matches!(last(world, 0, ben).state, MessageState::Queued | MessageState::Sent);
    assert!(waits(&world), "{:?}", last(&world, 0, ben).state);
    world.crash(0);
    assert!(world.run_until(60_000, |world| !world.phones[0].is_dead()));
    assert!(waits(&world) && world.phones[0].texts(ben, false) == ["what ada said", "still to be sent"]);
}

#[test]
fn absurd_times_and_answers_to_nothing_lose_no_text() {
    let (mut world, _, ben, mut friend, _) = hostile();
    let nobody = MessageId { lane: LaneId([0xdd; 16]), seq: ItemSeq(u64::MAX) };
    for (number, stay_s) in [0, u32::MAX].into_iter().enumerate() {
        friend.say(&mut world, Body::Timer(Stay { seconds: Some(stay_s) }));
        let words = text(&format!("text {number}"));
        friend.say(&mut world, Body::Words(Words { text: words, reply: Some(nobody), stay_s: Some(stay_s) }));
    }
    assert_eq!(refused(&world), 4);
    assert_eq!(world.phones[0].texts(ben, true), ["text 0", "text 1"]);
    let stays: Vec<_> = world.phones[0].conversation(ben).into_iter().filter_map(|entry| entry.stay_s).collect();
    assert_eq!(stays, [1, 31_536_000], "bounded to what a time can be");
    let chat = world.phones[0].engine().and_then(|engine| engine.chat(ben).cloned()).expect("a conversation");
    assert_eq!(chat.their_stay_s, None);
    world.ask(0, Command::MarkRead(ben)).expect("it can be marked");
    world.run(2_000);
    assert_eq!(world.phones[0].texts(ben, true), ["text 1"]);
    assert!(world.run_until(3_600_000, |_| true), "a far deadline harms nobody");
}
