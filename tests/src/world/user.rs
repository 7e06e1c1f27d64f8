//! What people do with their phones, and what must be true whatever they do.

use sidetone_crypto::file::chunks;
use sidetone_engine::row::{Content, Entry, Table};
use sidetone_engine::transfer::row::EndReason as EndOf;
use sidetone_engine::{
    Answer, CallState, ChatCommand, Command, Direction, EndReason, Event, Microphone, Password, Standing,
};
use sidetone_wire::id::{CallId, UserId};
use sidetone_wire::record::{Reactions, Text};
use zeroize::Zeroizing;

use super::{PhoneId, World};

/// How a life goes.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// Things that are done.
    pub deeds: u64,
    /// One step in so many breaks off; 0 for none.
    pub crash_one_in: u64,
    /// Whether networks fail, phones sleep and the server dies.
    pub troubles: bool,
    /// Whether they send each other files.
    pub files: bool,
    /// How the server lies.
    pub lies: super::Lies,
}

impl Script {
    fn is_troubled(self) -> bool {
        let super::Lies { drop, twice, late } = self.lies;
        self.troubles || self.crash_one_in + drop + twice + late > 0
    }
}

impl World {
    /// Switches a phone on and makes an account on it.
    pub fn register(&mut self, phone: PhoneId, name: &str) -> UserId {
        self.connect(phone);
        let welcomed =
            |world: &Self| world.phones[phone].events.iter().any(|(_, event)| *event == Event::Connected(true));
        assert!(self.run_until(10_000, welcomed), "the server answers");
        let password = Password(Zeroizing::new(format!("password of {name}")));
        let email = format!("{name}@example.org");
        let registered = self.ask(phone, Command::Register { name: name.to_owned(), email, password });
        assert_eq!(registered, Ok(Answer::Done));
        self.phones[phone].user().expect("an account")
    }

    /// Makes two registered people friends.
    pub fn befriend(&mut self, one: PhoneId, other: PhoneId) {
        let name = |world: &Self, phone: PhoneId| {
            world.phones[phone].engine().and_then(|engine| engine.account()).expect("an account").name
        };
        let (asker, asked) = (self.phones[one].user().expect("an account"), name(self, other));
        self.ask(one, Command::Befriend { name: asked, key: None }).expect("the person is there");
        let asks = |world: &Self| world.standing(other, asker) == Some(Standing::AskedUs);
        assert!(self.run_until(10_000, asks), "the request arrives");
        self.ask(other, Command::Accept(asker)).expect("it can be accepted");
        assert!(self.run_until(10_000, |world| world.are_friends(one, other)), "both see it");
    }

    /// What a phone says there is between it and a person.
    pub fn standing(&self, phone: PhoneId, user: UserId) -> Option<Standing> {
        self.phones[phone].engine()?.friend(user).map(|friend| friend.standing)
    }

    fn are_friends(&self, one: PhoneId, other: PhoneId) -> bool {
        let users = (self.phones[one].user(), self.phones[other].user());
        let (Some(a), Some(b)) = users else { return false };
        self.standing(one, b) == Some(Standing::Friend) && self.standing(other, a) == Some(Standing::Friend)
    }

    /// Says something to the owner of another phone.
    pub fn say(&mut self, from: PhoneId, to: PhoneId, text: &str) {
        let peer = self.phones[to].user().expect("an account");
        let text = Text::parse(text).expect("a text");
        self.ask(from, Command::SendText(peer, text)).expect("friends may write");
    }

    /// Whether a phone holds a text from another.
    pub fn holds(&self, phone: PhoneId, from: PhoneId, text: &str) -> bool {
        self.phones[from]
            .user()
            .is_some_and(|peer| self.phones[phone].texts(peer, true).iter().any(|held| held == text))
    }

    /// Calls the owner of another phone.
    pub fn call(&mut self, from: PhoneId, to: PhoneId) -> CallId {
        let peer = self.phones[to].user().expect("an account");
        match self.ask(from, Command::Call(peer)) {
            Ok(Answer::Call(call)) => call,
            other => panic!("no call: {other:?}"),
        }
    }

    /// How the call on a phone stands.
    pub fn state(&self, phone: PhoneId) -> Option<CallState> {
        self.phones[phone].call().map(|view| view.state)
    }

    /// How a call ended on a phone, as its app was told.
    pub fn ended(&self, phone: PhoneId, call: CallId) -> Option<EndReason> {
        self.phones[phone].events.iter().rev().find_map(|(_, event)| match event {
            Event::Call(view) if view.call == call => match view.state {
                CallState::Ended(reason) => Some(reason),
                _ => None,
            },
            _ => None,
        })
    }

    /// Calls, answers, and waits until both can speak.
    pub fn talk(&mut self, from: PhoneId, to: PhoneId) -> CallId {
        let call = self.call(from, to);
        assert!(self.run_until(10_000, |world| world.state(to) == Some(CallState::Ringing)), "it rings");
        self.ask(to, Command::AnswerCall(call)).expect("it can be answered");
        let both = |world: &Self| [from, to].iter().all(|phone| world.state(*phone) == Some(CallState::Connected));
        assert!(self.run_until(20_000, both), "both can speak");
        call
    }

    /// Two phones whose owners are friends, and a third in its box.
    pub fn friends(seed: u64) -> Self {
        let mut world = Self::new(seed, 3);
        world.register(0, "ada");
        world.register(1, "ben");
        world.befriend(0, 1);
        world
    }

    /// Everything works again: everybody awake, started and online.
    pub fn heal(&mut self) {
        self.crash_one_in = 0;
        self.lies = super::Lies::default();
        self.links.outage_until = self.now_ms;
        self.server.start();
        let everybody = |world: &Self| {
            world.phones.iter().take(2).all(|phone| {
                !phone.is_dead() && phone.online && phone.socket.is_some() && phone.asleep_for(world.now_ms).is_none()
            })
        };
        assert!(self.run_until(700_000, everybody), "everybody comes back");
    }
}

/// Lets two friends live through a script, and looks whether every promise held.
///
/// # Panics
///
/// When one did not.
pub fn live(seed: u64, script: Script) -> World {
    let mut world = World::friends(seed);
    let users = [0, 1].map(|phone| world.phones[phone].user().expect("an account"));
    world.crash_one_in = script.crash_one_in;
    world.lies = script.lies;
    let mut said = 0;
    for _ in 0..script.deeds {
        let pause = match world.dice.within(0, 3) {
            0 => world.dice.within(0, 50),
            1 => world.dice.within(50, 1_000),
            _ => world.dice.within(1_000, 20_000),
        };
        run_watched(&mut world, pause, users, script);
        deed(&mut world, script, users, &mut said);
    }
    world.heal();
    assert_all_arrives(&mut world, users);
    if script.files {
        assert_files_settle(&mut world);
    }
    assert_calls_agree(&mut world);
    for (phone, peer) in [(0, users[1]), (1, users[0])] {
        world.command(phone, Command::MarkRead(peer));
    }
    assert_all_is_freed(&mut world);
    assert_all_fades(&world, users);
    world
}

fn deed(world: &mut World, script: Script, users: [UserId; 2], said: &mut u32) {
    let phone = world.dice.within(0, 1) as usize;
    let peer = users[1 - phone];
    if script.files && world.dice.one_in(2) {
        return file_deed(world, phone, peer);
    }
    let kinds = if script.troubles { 15 } else { 9 };
    let call = world.phones[phone].call();
    match (world.dice.within(0, kinds), call) {
        (3 | 9, _) => chat(world, phone, peer),
        (0..=2, _) => {
            *said += 1;
            let text = Text::parse(format!("{said} from {phone}")).expect("short");
            world.command(phone, Command::SendText(peer, text));
        }
        (4, _) => drop(world.command(phone, Command::MarkRead(peer))),
        (5..=6, None) => drop(world.command(phone, Command::Call(peer))),
        (5..=8, Some(view)) if view.direction == Direction::Incoming && view.state == CallState::Ringing => {
            let answer = world.dice.within(0, 4) > 0;
            let command = if answer { Command::AnswerCall(view.call) } else { Command::DeclineCall(view.call) };
            world.command(phone, command);
        }
        (7, Some(view)) => drop(world.command(phone, Command::HangUp(view.call))),
        (8, Some(view)) => drop(world.command(phone, Command::SetMicrophone(view.call, Microphone::Off))),
        (10, _) => world.crash(phone),
        (11, _) => {
            let down = world.dice.within(100, 20_000);
            world.crash_server(down);
        }
        (12, _) => {
            let ms = world.dice.within(100, 200_000);
            world.cut(phone, ms);
        }
        (13..=14, _) => {
            let ms = world.dice.within(500, 40_000);
            world.outage(ms);
        }
        (15, _) => {
            let ms = if world.dice.one_in(2) { 600_000 } else { world.dice.within(1_000, 60_000) };
            world.sleep(phone, ms);
        }
        _ => {}
    }
}

/// Somebody says something about what was said.
fn chat(world: &mut World, phone: PhoneId, peer: UserId) {
    let ids = [false, true].map(|theirs| world.phones[phone].said(peer, theirs));
    let [ours, any] = [&ids[0], &[&ids[0][..], &ids[1][..]].concat()].map(|ids| {
        let last = (ids.len() as u64).checked_sub(1)?;
        Some(ids[world.dice.within(last.saturating_sub(6), last) as usize])
    });
    let text = Text::parse(format!("words {}", world.dice.within(0, 1_000))).expect("short");
    let emoji = |set: u64| ["+", "-", "!"].into_iter().take(set as usize).map(String::from);
    let command = match (world.dice.within(0, 9), ours, any) {
        (0..=2, Some(message), _) => ChatCommand::Edit(message, text),
        (3..=4, Some(message), _) => ChatCommand::Delete(message),
        (5..=6, _, Some(message)) => {
            ChatCommand::React(message, Reactions::parse(emoji(world.dice.within(0, 3))).expect("few"))
        }
        (7, _, Some(message)) => ChatCommand::Reply(message, text),
        (8, ..) => ChatCommand::SetStay([None, Some(1), Some(30), Some(100)][world.dice.within(0, 3) as usize]),
        _ => ChatCommand::SetDraft(Some(text)),
    };
    world.command(phone, Command::Chat(peer, command));
}

fn file_deed(world: &mut World, phone: PhoneId, peer: UserId) {
    let transfers = world.phones[phone].engine().map(sidetone_engine::Engine::transfers).unwrap_or_default();
    let chosen = world.dice.within(0, transfers.len().max(1) as u64 - 1) as usize;
    let Some(transfer) = transfers.get(chosen).map(|view| view.transfer).filter(|_| !world.dice.one_in(3)) else {
        let (number, size) = (world.dice.within(1, 250) as u8, world.dice.within(0, 20 << 20));
        world.command(phone, Command::OfferFile(peer, Box::new(super::file(number, size))));
        return;
    };
    let command = match world.dice.within(0, 7) {
        0..=1 => Command::AcceptFile(transfer),
        2..=3 => Command::PauseFile(transfer),
        4..=6 => Command::ResumeFile(transfer),
        _ => Command::CancelFile(transfer),
    };
    world.command(phone, command);
}

/// Everybody lets everything go on: then every transfer is over, at both ends alike, and what arrived is whole.
fn assert_files_settle(world: &mut World) {
    // An offer may still be on its way when the others are let go on.
    for _ in 0..3 {
        for phone in 0..2 {
            for view in world.phones[phone].engine().expect("alive").transfers() {
                world.command(phone, Command::AcceptFile(view.transfer));
                world.command(phone, Command::ResumeFile(view.transfer));
            }
        }
        world.run(20_000);
    }
    let none = |world: &World| {
        world.phones.iter().all(|phone| phone.engine().is_some_and(|engine| engine.transfers().is_empty()))
    };
    let over = world.run_until(600_000, none);
    let left = |phone: &super::phone::Phone| phone.engine().map(sidetone_engine::Engine::transfers);
    assert!(over, "every transfer comes to an end, but {:?}", world.phones.iter().map(left).collect::<Vec<_>>());
    world.run(10_000);
    let past = [0, 1].map(|phone| world.phones[phone].past());
    for (phone, rows) in past.iter().enumerate() {
        for (transfer, row) in rows.iter().filter(|(_, row)| row.ours) {
            let end = EndOf::from_number(row.end.expect("it is over"));
            let theirs = past[1 - phone].get(transfer).map(|row| EndOf::from_number(row.end.expect("it is over")));
            let given_up = end == EndOf::Cancelled || theirs == Some(EndOf::Cancelled);
            assert!(given_up || theirs == Some(end), "{transfer:?} ended as {end:?} and as {theirs:?}");
            if theirs == Some(EndOf::Received) {
                let files = &world.phones[1 - phone].files;
                assert_eq!(
                    files.kept.get(&format!("{transfer:?}")),
                    Some(&row.offer.digest.0[0]),
                    "it is what was sent"
                );
                assert_eq!(
                    files.taken.get(transfer).copied(),
                    Some(chunks(row.offer.size.bytes())),
                    "every chunk once"
                );
            }
        }
        assert!(world.phones[phone].files.parts.is_empty(), "nothing is left over");
    }
}

/// Runs in small pieces and looks at what must hold at any moment.
fn run_watched(world: &mut World, ms: u64, users: [UserId; 2], script: Script) {
    let end = world.now_ms + ms;
    while world.now_ms < end {
        let piece = (end - world.now_ms).min(2_000);
        world.run(piece);
        for phone in 0..2 {
            let peer = users[1 - phone];
            let awake = !world.phones[phone].is_dead() && world.phones[phone].asleep_for(world.now_ms).is_none();
            if let Some(ringing) = world.phones[phone].ringing_for(world.now_ms).filter(|_| awake) {
                assert!(ringing <= 45_000, "phone {phone} rings for {ringing} ms");
            }
            if !script.is_troubled() {
                let connecting = world.phones[phone].connecting_for(world.now_ms).unwrap_or(0);
                assert!(connecting <= 3_000, "phone {phone} connects for {connecting} ms");
            }
            let heard = world.phones[phone].said(peer, true);
            let said = world.phones[1 - phone].said(users[phone], false);
            assert!(said.starts_with(&heard), "phone {phone} holds {heard:?} of {said:?}");
        }
    }
}

fn assert_all_arrives(world: &mut World, users: [UserId; 2]) {
    let arrived = |world: &World| {
        (0..2).all(|phone| {
            let said = world.phones[phone].said(users[1 - phone], false);
            let done = world.phones[phone].engine().and_then(|engine| engine.chat(users[1 - phone]).cloned());
            let confirmed = done.is_none_or(|chat| chat.confirmed == chat.last);
            confirmed && said == world.phones[1 - phone].said(users[phone], true)
        })
    };
    assert!(world.run_until(180_000, arrived), "every text arrives, once and in order");
    for phone in 0..2 {
        let (us, them) = (users[phone], users[1 - phone]);
        let ours = world.phones[phone].conversation(them).into_iter().filter(|entry| !entry.theirs);
        let theirs = world.phones[1 - phone].conversation(us).into_iter().filter(|entry| entry.theirs);
        let seen = |entry: Entry, author: bool| {
            // One that disappears may have done so on one phone before the other.
            let said = entry.stay_s.is_none().then_some((entry.content, entry.reply, [entry.ours, entry.theirs_emoji]));
            let said = said.map(|(content, reply, [ours, theirs])| {
                let emoji = if author { [ours, theirs] } else { [theirs, ours] };
                (content, reply, entry.edited, emoji)
            });
            entry.id.map(|id| (id, entry.at, entry.stay_s, said))
        };
        let ours: Vec<_> = ours.filter_map(|entry| seen(entry, true)).collect();
        let theirs: Vec<_> = theirs.filter_map(|entry| seen(entry, false)).collect();
        assert_eq!(ours, theirs, "both phones show the same of what phone {phone} said");
    }
}

/// Once it was read, nothing of what was to disappear is on a disk.
fn assert_all_fades(world: &World, users: [UserId; 2]) {
    for phone in 0..2 {
        let entries = world.phones[phone].conversation(users[1 - phone]);
        for entry in entries.iter().filter(|entry| entry.stay_s.is_some()) {
            assert_eq!(entry.content, Content::Expired, "phone {phone} still shows what was to disappear");
        }
        let left = world.phones[phone].disk().keys().filter(|place| place.table == Table::Fade);
        assert_eq!(left.count(), 0, "phone {phone} still waits for a message to disappear");
    }
}

/// Waits out what rings or reconnects; then both are in the same call, or none is.
fn assert_calls_agree(world: &mut World) {
    world.run(80_000);
    let views = [0, 1].map(|phone| world.phones[phone].call());
    match &views {
        [None, None] => {}
        [Some(a), Some(b)]
            if a.call == b.call && (a.state, b.state) == (CallState::Connected, CallState::Connected) =>
        {
            let keys = [0, 1].map(|phone| world.phones[phone].media.clone().expect("sound in a connected call"));
            assert_eq!(keys[0].1, keys[1].2, "what one seals the other opens");
            assert_eq!(keys[1].1, keys[0].2, "what one seals the other opens");
        }
        _ => panic!("they do not agree who is in a call: {views:?}"),
    }
}

fn assert_all_is_freed(world: &mut World) {
    if let Some(view) = world.phones[0].call() {
        world.command(0, Command::HangUp(view.call));
    }
    world.run(200_000);
    assert_eq!(world.links.count(), 0, "a link that nobody needs is closed");
    for phone in &world.phones {
        assert_eq!(phone.call(), None);
        assert!(phone.media.is_none(), "no sound without a call");
    }
}
