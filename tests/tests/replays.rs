//! What whoever carries the words of two strangers can do with them: say again, keep, turn back, lose, swap, change. Each
//! record of a conversation in which everything is said that strangers can say, one after the other.

use proving::world::{Mischief, World, entry};
use sidetone_engine::stranger::{
    Attachment, AttachmentKind, Consent, Leaving, StrangerCommand, StrangerContent, StrangerEvent, StrangerView,
};
use sidetone_engine::{Answer, CallState, Command, CommandError, Direction, Event, News, Route};
use sidetone_wire::frame::Event as Told;
use sidetone_wire::id::{CallId, MatchId};
use sidetone_wire::stranger::{Match, MatchEnd, MatchOver, Ticket};
use zeroize::Zeroizing;

const SEED: u64 = 21;
/// Nothing takes longer than this, with whatever is done to one record.
const PATIENCE_MS: u64 = 60_000;
/// What each says and sends, besides calls and what the phones say by themselves.
const SAID: [&str; 3] = ["first", "second", "third"];

fn order(world: &mut World, phone: usize, command: StrangerCommand) -> Result<Answer, CommandError> {
    world.ask(phone, Command::Stranger(command))
}

fn attachment(kind: AttachmentKind, length: usize) -> Attachment {
    Attachment { kind, bytes: Zeroizing::new((0..length).map(|at| (at * 7) as u8).collect()) }
}

/// Tries until it is done: a session that ended on the way is made again.
fn until(world: &mut World, what: &str, so: impl Fn(&World) -> bool, again: impl Fn(&mut World)) {
    let end = world.now_ms + PATIENCE_MS;
    while world.now_ms < end {
        again(world);
        // That a record was lost shows with the next.
        more(world);
        if world.run_until(4_000, &so) {
            return;
        }
    }
    panic!("{what}, with {:?}: {:?} and {:?}", world.links.mischief, world.lobby_of(0), world.lobby_of(1));
}

fn both(world: &World, so: impl Fn(&sidetone_engine::stranger::Stranger) -> bool) -> bool {
    (0..2).all(|phone| world.stranger(phone).is_some_and(|stranger| stranger.route.is_some() && so(&stranger)))
}

fn call(world: &World, phone: usize) -> Option<(CallId, CallState)> {
    world.stranger(phone).and_then(|stranger| stranger.call).map(|call| (call.call, call.state))
}

fn heard(world: &World, phone: usize, so: impl Fn(&StrangerEvent) -> bool) -> usize {
    let events = world.phones[phone].events.iter();
    events.filter(|(_, event)| matches!(event, Event::Stranger(event) if so(event))).count()
}

/// How many different calls rang at a phone.
fn rang(world: &World, phone: usize) -> usize {
    let mut calls = std::collections::BTreeSet::new();
    for (_, event) in &world.phones[phone].events {
        if let Event::Stranger(StrangerEvent::Call(view)) = event
            && (view.state, view.direction) == (CallState::Ringing, Direction::Incoming)
        {
            calls.insert(view.call);
        }
    }
    calls.len()
}

/// Both say something that is not kept.
fn more(world: &mut World) {
    for phone in [0, 1] {
        let Some(id) = world.stranger(phone).map(|stranger| stranger.id) else { continue };
        // Not while the session is being made again.
        let _ = order(world, phone, StrangerCommand::Typing(id));
    }
}

/// Two strangers say to each other everything that there is to say; they are still together after it.
fn everything(world: &mut World, id: MatchId) {
    for text in SAID {
        world.tell_stranger(0, id, text).expect("it is said");
        world.tell_stranger(1, id, text).expect("it is said");
    }
    let image = attachment(AttachmentKind::Image { width: 8, height: 8 }, 40_000);
    order(world, 0, StrangerCommand::Send(id, image)).expect("it is sent");
    let note = attachment(AttachmentKind::Note { duration_ms: 900, waveform: vec![3; 9] }, 20_000);
    order(world, 1, StrangerCommand::Send(id, note)).expect("it is sent");
    let whole = |world: &World| {
        (0..2).all(|phone| {
            let all = world.talked(phone);
            all.len() == 8 && all.iter().all(|message| message.whole)
        })
    };
    until(world, "everything is there and confirmed", whole, |_| {});
    until(
        world,
        "typing",
        |world| heard(world, 1, |event| *event == StrangerEvent::Typing) > 0,
        |world| {
            // Not while the session is being made again.
            let _ = order(world, 0, StrangerCommand::Typing(id));
        },
    );
    until(
        world,
        "words",
        |world| both(world, |stranger| stranger.words.is_some()),
        |world| {
            let _ = order(world, 1, StrangerCommand::CompareWords(id));
        },
    );
    let words = [0, 1].map(|phone| world.stranger(phone).and_then(|stranger| stranger.words));
    assert_eq!(words[0], words[1], "the same words, with {:?}", world.links.mischief);
    let talks = |world: &World| (0..2).all(|phone| matches!(call(world, phone), Some((_, CallState::Connected))));
    until(world, "a call", talks, |world| match (call(world, 0), call(world, 1)) {
        (None, None) => drop(order(world, 0, StrangerCommand::Call(id))),
        (_, Some((ringing, CallState::Ringing))) => drop(order(world, 1, StrangerCommand::Answer(ringing))),
        _ => {}
    });
    for phone in [0, 1] {
        order(world, phone, StrangerCommand::SetDirect(id, Consent::Yes)).expect("they are together");
    }
    let direct = |world: &World| both(world, |stranger| matches!(stranger.route, Some(Route::Direct(_))));
    until(world, "a direct link", direct, |world| {
        for phone in [0, 1] {
            let failed = world.stranger(phone).is_some_and(|stranger| stranger.our_consent == Consent::No);
            if failed {
                let _ = order(world, phone, StrangerCommand::SetDirect(id, Consent::Yes));
            }
        }
    });
    until(
        world,
        "the end of the call",
        |world| (0..2).all(|phone| call(world, phone).is_none()),
        |world| {
            if let Some((on, _)) = call(world, 0) {
                let _ = order(world, 0, StrangerCommand::HangUp(on));
            }
        },
    );
    world.tell_stranger(0, id, "last").expect("it is said");
    until(world, "the last text", |world| world.heard_of_stranger(1).len() == 4, |_| {});
}

/// Each heard what the other said, once, in order, and nothing else.
fn as_said(world: &World) {
    assert_eq!(world.heard_of_stranger(0), SAID, "{:?}", world.links.mischief);
    assert_eq!(world.heard_of_stranger(1), ["first", "second", "third", "last"], "{:?}", world.links.mischief);
    let attachments = |phone: usize| {
        let all = world.talked(phone);
        let theirs = all.iter().filter(|message| message.theirs);
        theirs.filter(|message| matches!(message.content, StrangerContent::Attachment(..))).count()
    };
    assert_eq!([attachments(0), attachments(1)], [1, 1], "{:?}", world.links.mischief);
}

fn end(world: &mut World) {
    let burned = world.leave_stranger(0, Leaving::End);
    assert_eq!(burned.held, burned.erased);
    let over = |world: &World| (0..2).all(|phone| matches!(world.lobby_of(phone), StrangerView::Lobby(_)));
    assert!(world.run_until(PATIENCE_MS, over), "{:?}", world.links.mischief);
    assert!(world.talked(0).is_empty() && world.talked(1).is_empty() && world.written == 0);
}

#[test]
fn whatever_is_done_to_any_one_record_everything_is_heard_once_and_in_order() {
    let plain = {
        let mut world = World::lobby(SEED, 2);
        let id = world.meet(0, 1);
        everything(&mut world, id);
        as_said(&world);
        assert_eq!((rang(&world, 0), rang(&world, 1)), (0, 1));
        let links = world.links.gathered[&0];
        end(&mut world);
        (world.links.records, links)
    };
    let (plain, links) = plain;
    assert!(plain > 40, "a conversation of {plain} records");
    let mut noticed = 0;
    for what in [Mischief::Twice, Mischief::Lost, Mischief::Late, Mischief::Changed, Mischief::Back] {
        for number in 0..plain {
            let mut world = World::lobby(SEED, 2);
            world.links.mischief = Some((number, what));
            let id = world.meet(0, 1);
            everything(&mut world, id);
            assert_eq!(world.stranger(0).map(|stranger| stranger.id), Some(id), "it is the same match");
            as_said(&world);
            noticed += usize::from(world.links.gathered[&0] > links);
            end(&mut world);
        }
    }
    eprintln!("{noticed} of {} times another session was made", 5 * plain);
    // The control: it was done, and ended the session that it was done to.
    assert!(noticed > 5 * plain / 2, "{noticed} of {} times another session was made", 5 * plain);
}

/// Everything that a server and its relay could keep of a conversation.
struct Recorded {
    told: Vec<(usize, Told)>,
    said: Vec<(usize, Vec<u8>)>,
}

fn recorded(world: &mut World) -> Recorded {
    let told = world.tap.told.replace(Vec::new()).expect("it was recorded");
    let said = world.links.said.replace(Vec::new()).expect("it was recorded");
    Recorded { told, said: said.into_iter().map(|(phone, _, bytes)| (phone, bytes)).collect() }
}

fn record(world: &mut World) {
    (world.tap.told, world.links.said) = (Some(Vec::new()), Some(Vec::new()));
}

/// Says all of it again, to whom it was said and to who said it: what the server carried at once, what the link did record
/// by record, as each ends the session that it is said in.
fn again(world: &mut World, recorded: &Recorded, relabelled: Option<MatchId>) {
    for (phone, event) in &recorded.told {
        for phone in [*phone, 1 - *phone] {
            let event = match (event.clone(), relabelled) {
                (Told::StrangerSealed(mut delivered), Some(id)) => {
                    delivered.id = id;
                    Told::StrangerSealed(delivered)
                }
                (event, _) => event,
            };
            world.invent(phone, event);
        }
    }
    world.run(2_000);
    for (number, (phone, bytes)) in recorded.said.iter().enumerate() {
        let to = if number % 2 == 0 { *phone } else { 1 - *phone };
        if let Some(link) = world.links.of(to).first().copied() {
            world.invent_news(to, link, News::Record(bytes.clone()));
        }
        assert!(
            world.run_until(PATIENCE_MS, |world| both(world, |_| true)),
            "record {number} of {}",
            recorded.said.len()
        );
    }
}

#[test]
fn what_was_said_in_an_earlier_session_or_match_means_nothing_in_a_later_one() {
    let mut world = World::lobby(SEED, 2);
    record(&mut world);
    let id = world.meet(0, 1);
    everything(&mut world, id);
    let first = recorded(&mut world);
    assert!(first.said.len() > 40 && first.told.len() > 8, "{} records, {} events", first.said.len(), first.told.len());
    // Another session of the same match.
    let link = world.links.of(0)[0];
    world.invent_news(0, link, News::Down(sidetone_engine::Down::Lost));
    assert!(world.run_until(PATIENCE_MS, |world| both(world, |_| true)));
    let quiet = Recorded {
        told: first.told.iter().filter(|(_, event)| matches!(event, Told::StrangerSealed(_))).cloned().collect(),
        said: first.said.clone(),
    };
    assert!(!quiet.told.is_empty(), "hellos, answers, descriptions");
    again(&mut world, &quiet, None);
    assert_eq!(world.met(0), Some(id));
    as_said(&world);
    assert_eq!((rang(&world, 0), rang(&world, 1)), (0, 1), "no second ring");
    end(&mut world);
    // Another match of the same two.
    for phone in [0, 1] {
        order(&mut world, phone, StrangerCommand::Again(id, entry("once more"))).expect("it is asked for");
    }
    assert!(world.run_until(PATIENCE_MS, |world| both(world, |_| true)));
    let anew = world.met(0).expect("a match");
    world.tell_stranger(0, anew, "anew").expect("it is said");
    assert!(world.run_until(PATIENCE_MS, |world| world.heard_of_stranger(1) == ["anew"]));
    let ends = [world.strangers_ended(0).len(), world.strangers_ended(1).len()];
    again(&mut world, &first, None);
    again(&mut world, &first, Some(anew));
    assert_eq!((world.met(0), world.met(1)), (Some(anew), Some(anew)));
    assert_eq!([world.strangers_ended(0).len(), world.strangers_ended(1).len()], ends);
    assert_eq!((world.heard_of_stranger(0).len(), world.heard_of_stranger(1)), (0, vec!["anew".to_owned()]));
    assert_eq!((rang(&world, 0), rang(&world, 1)), (0, 1));
    world.tell_stranger(1, anew, "and on").expect("it is said");
    assert!(
        world.run_until(PATIENCE_MS, |world| world.heard_of_stranger(0) == ["and on"]),
        "the control: what is new is heard"
    );
    end(&mut world);
}

#[test]
fn what_the_server_tells_of_other_matches_and_searches_moves_nobody() {
    let mut world = World::lobby(SEED + 1, 2);
    let id = world.meet(0, 1);
    let other = MatchId([9; 16]);
    let ticket = sidetone_wire::id::TicketId([9; 16]);
    let over = |id, why| Told::MatchOver(MatchOver { id, why, waiting: true });
    let mut told =
        vec![Told::Begun(Match { id: other }), Told::Begun(Match { id }), Told::NobodyThere(Ticket { ticket })];
    told.extend([MatchEnd::Left, MatchEnd::Lost, MatchEnd::Unwanted, MatchEnd::TooLate].map(|why| over(other, why)));
    // While they are linked, only that the other left counts.
    told.extend([MatchEnd::Lost, MatchEnd::Unwanted, MatchEnd::TooLate].map(|why| over(id, why)));
    for event in told {
        for phone in [0, 1] {
            world.invent(phone, event.clone());
        }
        world.run(500);
        assert_eq!((world.met(0), world.met(1)), (Some(id), Some(id)), "{event:?}");
    }
    world.invent(0, over(id, MatchEnd::Left));
    assert!(world.run_until(5_000, |world| matches!(world.lobby_of(0), StrangerView::Lobby(_))), "the control");
}
