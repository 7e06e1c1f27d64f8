//! What the sound of a room promises, on a clock that the test turns.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use sidetone::link::Inbound;
use sidetone::media::{Pressed, TURN};
use sidetone_engine::{Microphone, Mode, SoundNews, SoundOrder};
use sidetone_wire::id::RoomId;

#[path = "rooms/world.rs"]
mod world;

use world::*;

fn walkie(phones: u8, delay_ms: u64) -> World {
    let mut world = World::new(phones, Mode::PushToTalk, delay_ms);
    world.pass(1_000);
    world
}

#[test]
fn who_presses_is_heard_by_all_within_sixty_milliseconds_and_the_way_there() {
    for delay_ms in [0, 30, 100] {
        let mut world = walkie(4, delay_ms);
        for burst in 0..4 {
            let before = world.phones[1].heard.len();
            world.speak(0);
            world.press(0);
            world.pass(2_000);
            for phone in &world.phones[1..] {
                let first = phone.heard[before..].iter().position(|sample| sample.abs() > 2_000).unwrap() as u64 / 48;
                assert!(first <= delay_ms + 60, "{first} ms at {delay_ms} ms one way, burst {burst}");
                assert!(share(phone.last(500), HERTZ[0]) > 0.9);
            }
            assert!(world.phones[0].last(1_000).iter().all(|sample| *sample == 0), "who speaks hears nobody");
            world.release(0);
            world.phones[0].says = None;
            world.pass(1_000);
        }
    }
}

#[test]
fn at_five_percent_loss_nineteen_of_twenty_bursts_are_heard_within_150_milliseconds() {
    let mut seed = 7_u64;
    let mut dice = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let mut world = walkie(3, 30);
    world.lose(move |_| dice() % 100 < 5);
    let mut all = Vec::new();
    for burst in 0..100 {
        let before = world.phones[1].heard.len();
        world.speak(0);
        world.press(0);
        world.pass(600);
        for phone in &world.phones[1..] {
            let first = phone.heard[before..].iter().position(|sample| sample.abs() > 2_000);
            all.push(first.map_or(u64::MAX, |first| first as u64 / 48));
        }
        world.release(0);
        world.phones[0].says = None;
        world.pass(400 + 5 * (burst % 7));
    }
    all.sort_unstable();
    let (median, late) = (all[all.len() / 2], all[all.len() * 19 / 20]);
    assert!(median <= 90 && late <= 150, "median {median} ms, p95 {late} ms");
}

#[test]
fn a_speaker_who_was_given_up_in_a_pause_is_heard_again_with_the_next_word() {
    let mut world = walkie(2, 20);
    let claim = world.press(0);
    world.speak(0);
    world.pass(2_000);
    world.phones[0].says = None;
    // So quiet that nothing leaves but a packet now and then, and those get lost.
    world.lose(|_| true);
    world.pass(1_500);
    let member = world.phones[0].id;
    assert!(world.news(1).contains(&SoundNews::Silent { member }));
    world.lose(|_| false);
    world.speak(0);
    world.pass(60);
    assert_eq!(world.news(1), [SoundNews::Claimed { member, claim }]);
}

#[test]
fn the_first_syllable_is_heard_and_so_is_the_last() {
    for (early_ms, said_ms) in [(0_u64, 1_000_u64), (100, 1_000), (200, 1_000), (0, 200)] {
        let mut world = walkie(2, 100);
        world.speak(0);
        world.pass(early_ms);
        let before = world.phones[1].heard.len();
        world.press(0);
        world.pass(said_ms);
        world.release(0);
        world.pass(1_000);
        let heard = &world.phones[1].heard[before..];
        let loud = heard.chunks(48).filter(|ms| ms.iter().any(|sample| sample.abs() > 2_000)).count() as u64;
        // Catching up shortens what was said before the press, by whole periods of the voice.
        assert!(loud + 20 >= said_ms, "{loud} ms heard of {said_ms} ms and {early_ms} ms before");
        assert_eq!(world.phones[1].figures.snapshot().frames_late, 0);
    }
}

#[test]
fn a_claim_is_told_once_and_so_is_the_end_whatever_is_lost() {
    let mut world = walkie(3, 20);
    let mut count = 0;
    // The first four packets of each burst are lost, and so are all but the last of those that end it.
    world.lose(move |packet| {
        count = if packet.marker { 0 } else { count + 1 };
        count < 8 || (packet.payload.len() < 50 && count % 3 != 2)
    });
    for _ in 0..3 {
        let claim = world.press(0);
        world.speak(0);
        world.pass(1_000);
        world.release(0);
        world.pass(300);
        let member = world.phones[0].id;
        let told = [SoundNews::Claimed { member, claim }, SoundNews::Ended { member, burst: claim.burst }];
        assert_eq!(world.news(1)[..1], told[..1]);
        assert!(world.news(2).iter().filter(|news| **news == told[0]).count() == 1);
    }
}

#[test]
fn the_end_of_a_burst_is_told_once() {
    let mut world = walkie(2, 20);
    let claim = world.press(0);
    world.pass(400);
    world.release(0);
    world.release(0);
    world.pass(400);
    let member = world.phones[0].id;
    let told = vec![SoundNews::Claimed { member, claim }, SoundNews::Ended { member, burst: claim.burst }];
    assert_eq!(world.news(1), told);
    let sent = world.phones[0].figures.snapshot().bytes_sent;
    world.pass(2_000);
    assert_eq!(world.phones[0].figures.snapshot().bytes_sent, sent, "nothing leaves between bursts");
    assert_eq!(world.news(1), []);
}

#[test]
fn a_speaker_who_is_lost_is_noticed_within_one_second_and_a_bit() {
    let mut world = walkie(2, 20);
    let claim = world.press(0);
    world.speak(0);
    world.pass(1_000);
    world.news(1);
    world.lose(|_| true);
    world.pass(980);
    assert_eq!(world.news(1), []);
    world.pass(120);
    let member = world.phones[0].id;
    assert_eq!(world.news(1), [SoundNews::Silent { member }]);
    world.pass(3_000);
    assert_eq!(world.news(1), [], "once");
    // The same burst is heard again: its claim is told anew.
    world.lose(|_| false);
    world.pass(1_000);
    assert_eq!(world.news(1), [SoundNews::Claimed { member, claim }]);
}

#[test]
fn packets_of_an_earlier_burst_are_not_heard_in_a_later_one() {
    let mut world = walkie(2, 0);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    world.lose(move |packet| {
        keep.lock().unwrap().push(packet.clone());
        true
    });
    world.speak(0);
    world.press(0);
    world.pass(500);
    world.release(0);
    world.pass(500);
    let old: Vec<Inbound> = kept.lock().unwrap().drain(..).collect();
    assert!(old.len() > 20);
    world.lose(|_| false);
    world.phones[0].says = None;
    world.press(0);
    world.pass(300);
    let arrival = *world.clock.lock().unwrap();
    world.wires[0][1].lock().unwrap().extend(old.into_iter().map(|packet| Inbound { arrival, ..packet }));
    world.pass(600);
    assert!(share(world.phones[1].last(800), HERTZ[0]) < 0.1);
    assert_eq!(world.phones[1].figures.snapshot().frames_refused, 0, "they are opened, and dropped");
}

#[test]
fn all_links_get_the_same_sealed_bytes() {
    let mut world = World::new(8, Mode::PushToTalk, 0);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    world.lose(move |packet| {
        seen.lock().unwrap().push(packet.payload.clone());
        false
    });
    world.press(0);
    world.speak(0);
    world.pass(1_000);
    let sent = sent.lock().unwrap();
    assert!(sent.len() > 7 * 40);
    for frame in sent.chunks(7) {
        assert!(frame.iter().all(|bytes| bytes.as_ptr() == frame[0].as_ptr()), "not even copied");
    }
}

#[test]
fn who_is_gone_neither_hears_nor_is_heard() {
    let mut world = walkie(3, 0);
    world.press(0);
    world.speak(0);
    world.pass(500);
    let member = world.phones[2].id;
    world.obey(0, SoundOrder::Gone { member });
    world.obey(0, SoundOrder::SealWith(key(2, 90)));
    world.obey(1, SoundOrder::OpenWith { member: world.phones[0].id, key: key(2, 90) });
    world.wires[0][2].lock().unwrap().clear();
    world.pass(1_000);
    assert!(world.wires[0][2].lock().unwrap().is_empty(), "nothing is sent to who is gone");
    assert!(share(world.phones[1].last(500), HERTZ[0]) > 0.9);
    assert!(share(world.phones[2].last(500), HERTZ[0]) < 0.1);
    // And what it says reaches nobody who let it go.
    world.release(0);
    world.obey(1, SoundOrder::Gone { member });
    world.pass(500);
    world.news(1);
    world.press(2);
    world.speak(2);
    world.pass(500);
    assert_eq!(world.news(1), []);
    assert!(share(world.phones[1].last(300), HERTZ[2]) < 0.1);
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let mut world = walkie(3, 0);
    // Phone 2 holds the key of phone 0 by whatever means, and speaks with it on its own link.
    world.obey(2, SoundOrder::SealWith(key(9, 9)));
    world.obey(2, SoundOrder::SealWith(key(1, 0)));
    world.press(2);
    world.speak(2);
    world.pass(500);
    assert_eq!(world.news(1), []);
    assert!(world.phones[1].figures.snapshot().frames_refused > 20);
    world.release(2);
    world.pass(100);
    world.obey(2, SoundOrder::SealWith(key(9, 9)));
    world.obey(2, SoundOrder::SealWith(key(1, 2)));
    world.press(2);
    world.pass(500);
    assert_eq!(world.news(1).len(), 1, "with its own it is heard");
}

#[test]
fn a_key_that_is_ordered_twice_does_not_count_its_frames_twice() {
    let mut world = walkie(2, 0);
    world.speak(0);
    world.press(0);
    world.pass(500);
    world.obey(0, SoundOrder::SealWith(key(1, 0)));
    world.pass(500);
    assert_eq!(world.phones[1].figures.snapshot().frames_refused, 0, "none is a replay of another");
    assert!(share(world.phones[1].last(300), HERTZ[0]) > 0.9);
}

#[test]
fn a_link_that_was_replaced_does_not_interrupt_a_burst() {
    let mut world = walkie(2, 10);
    world.speak(0);
    world.press(0);
    world.pass(500);
    world.meet(0, 1);
    world.meet(1, 0);
    world.pass(500);
    assert!(share(world.phones[1].last(300), HERTZ[0]) > 0.9);
}

#[test]
fn in_an_open_room_everybody_hears_everybody_else() {
    let mut world = World::new(4, Mode::Open, 20);
    (0..4).for_each(|at| world.speak(at));
    world.pass(3_000);
    for (at, phone) in world.phones.iter().enumerate() {
        for (other, hertz) in HERTZ.into_iter().enumerate() {
            let share = share(phone.last(1_000), hertz);
            assert!(if other == at { share < 0.01 } else { share > 0.15 }, "{at} hears {share} of {other}");
        }
        let levels = phone.news.iter().rev().find_map(|news| match news {
            SoundNews::Levels(levels) => Some(levels.len()),
            _ => None,
        });
        assert_eq!(levels, Some(3), "and sees who is loud");
    }
    world.obey(0, SoundOrder::Microphone(Microphone::Off));
    world.pass(1_500);
    assert!(share(world.phones[1].last(500), HERTZ[0]) < 0.05, "a shut microphone is not heard");
}

#[test]
fn a_missed_burst_can_be_played_again() {
    let mut world = walkie(2, 20);
    world.phones[1].follows = false;
    let claim = world.press(0);
    world.speak(0);
    world.pass(1_000);
    world.release(0);
    world.phones[0].says = None;
    world.pass(1_000);
    assert!(share(world.phones[1].last(1_800), HERTZ[0]) < 0.1, "nobody listened");
    let member = world.phones[0].id;
    world.obey(1, SoundOrder::Replay { member, burst: claim.burst + 1 });
    world.pass(500);
    assert!(share(world.phones[1].last(400), HERTZ[0]) < 0.1, "of another burst there is nothing");
    world.obey(1, SoundOrder::Replay { member, burst: claim.burst });
    world.pass(800);
    assert!(share(world.phones[1].last(500), HERTZ[0]) > 0.9);
    world.pass(1_000);
    assert!(share(world.phones[1].last(300), HERTZ[0]) < 0.1, "it ends");
}

#[test]
fn a_member_who_begins_burst_after_burst_cannot_flood_us() {
    let mut world = walkie(2, 0);
    world.phones[1].follows = false;
    for _ in 0..200 {
        world.press(0);
        world.pass(5);
        world.release(0);
    }
    let news = world.news(1).len();
    assert!(news <= 60, "{news} news in a second");
}

#[test]
fn a_frame_in_a_room_costs_no_memory() {
    let mut world = World::new(3, Mode::PushToTalk, 0);
    world.pass(500);
    world.speak(0);
    world.press(0);
    world.pass(3_000);
    let block: Vec<i16> = (0..480).map(|at| if at % 40 < 20 { 4_000 } else { -4_000 }).collect();
    let mut now = *world.clock.lock().unwrap();
    let count = allocation_counter::measure(|| {
        for turn in 0..2_000 {
            now += TURN;
            *world.clock.lock().unwrap() = now;
            for phone in &mut world.phones {
                if turn % 2 == 0 {
                    let _ = phone.microphone.push_partial_slice(&block);
                }
                phone.voice.turn(now);
                let mut out = [0; 480];
                let _ = phone.speaker.pop_partial_slice(&mut out);
                while phone.voice.news().is_some() {}
            }
        }
    });
    // Ten seconds: 500 frames of one speaker, and levels told five times a second at two phones.
    assert!(count.count_total <= 150, "{} allocations in 500 frames", count.count_total);
}

#[test]
fn of_two_rooms_the_one_pressed_in_last_has_the_microphone() {
    let mut world = walkie(2, 0);
    let other = RoomId([8; 16]);
    let now = *world.clock.lock().unwrap();
    let join = SoundOrder::Join { mode: Mode::PushToTalk, replay: false };
    world.phones[0].voice.obey(now, other, join, None);
    world.speak(0);
    world.press(0);
    world.pass(1_000);
    assert!(share(world.phones[1].last(500), HERTZ[0]) > 0.9);
    world.phones[0].voice.press(other, Pressed::Yes);
    world.pass(1_000);
    assert!(share(world.phones[1].last(500), HERTZ[0]) < 0.1);
    world.phones[0].voice.obey(now, other, SoundOrder::Leave, None);
    world.pass(1_000);
    assert!(share(world.phones[1].last(500), HERTZ[0]) > 0.9, "and gives it back");
}

#[test]
fn sound_waits_for_the_pictures_that_come_with_it() {
    let mut world = World::new(2, Mode::Open, 20);
    world.speak(0);
    world.pass(2_000);
    let before = world.phones[1].figures.snapshot().target_ms;
    world.longer_us.store(50_000, Relaxed);
    world.pass(1_000);
    assert_eq!(world.phones[1].figures.snapshot().target_ms, before + 50);
}
