//! Pictures in a room, first simulated, then of real phones on loopback: who shows what, who sees it, and who does not.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use proving::real::{Circle, until};
use proving::world::World;
use sidetone::room_policy::{Door, Policy};
use sidetone::{
    Client, Codec, Content, Event, FrameKind, MemberId, Pause, Rotation, Shows, Source, VideoError, VideoEvent,
    VideoFrame, Wants,
};
use sidetone_engine::CommandError;
use sidetone_engine::room::{Memory, RoomCommand};

/// Generous: on a machine that does much else paths look thin, and pictures rest for a while.
const PATIENCE: Duration = Duration::from_secs(120);
const CAMERA: Shows = Shows { camera: true, screen: None };
const SCREEN: Shows = Shows { camera: false, screen: Some(Content::Motion) };
const PACE: Duration = Duration::from_micros(33_333);

/// What a phone knows of another.
fn knows(world: &World, phone: usize, of: usize, room: sidetone::RoomId) -> Option<(Shows, Wants)> {
    let me = world.me(of, room);
    let member = world.view(phone, room)?.members.into_iter().find(|member| member.member == me)?;
    Some((member.shows, member.wants))
}

#[test]
fn who_shares_is_known_to_all_and_to_whoever_comes_later() {
    let (mut world, room) = World::gather(71, 4, Policy::default());
    world.ask_room(3, RoomCommand::Leave(room)).expect("it is in");
    world.ask_room(0, RoomCommand::Show(room, CAMERA)).expect("it is in");
    world.ask_room(1, RoomCommand::Show(room, SCREEN)).expect("it is in");
    world.run(2_000);
    let all = |world: &World, phone: usize| {
        [(0, CAMERA), (1, SCREEN), (2, Shows::default())]
            .into_iter()
            .filter(|(of, _)| *of != phone)
            .all(|(of, shows)| knows(world, phone, of, room).is_some_and(|(seen, _)| seen == shows))
    };
    assert!((0..3).all(|phone| all(&world, phone)));
    assert_eq!(world.phones[1].sounds[&room].shows, SCREEN);
    let invitation = world.invitation(0, room);
    world.join_room(3, invitation).expect("the door is open");
    assert!(world.run_until(20_000, |world| all(world, 3)));
    // A phone that died shows nothing when it is back, and the others know.
    world.crash(1);
    let dark = |world: &World| {
        [0, 2, 3].iter().all(|phone| {
            world.view(*phone, room).is_some_and(|view| view.members.iter().all(|member| member.shows != SCREEN))
        })
    };
    assert!(world.run_until(60_000, dark));
    world.ask_room(0, RoomCommand::Show(room, Shows::default())).expect("it is in");
    world.run(1_000);
    assert!(knows(&world, 2, 0, room).is_some_and(|(shows, _)| shows == Shows::default()));
}

#[test]
fn the_largest_picture_that_anybody_wants_is_what_the_encoder_learns() {
    let (mut world, room) = World::gather(72, 3, Policy::default());
    let shower = world.me(0, room);
    let wants = |world: &World| world.view(0, room).expect("it is in").wants;
    assert_eq!(wants(&world), Wants::default(), "who says nothing wants all there is");
    for (phone, camera) in [(1, 180), (2, 720)] {
        let want = RoomCommand::Want(room, shower, Wants { camera, screen: 0 });
        world.ask_room(phone, want).expect("it is there");
    }
    assert!(world.run_until(2_000, |world| wants(world) == Wants { camera: 720, screen: 0 }));
    let told: Vec<u16> = world.phones[0].sounds[&room].wanted.values().map(|wants| wants.camera).collect();
    assert!(told.contains(&180) && told.contains(&720), "{told:?}");
    world.ask_room(2, RoomCommand::Leave(room)).expect("it is in");
    assert!(world.run_until(5_000, |world| wants(world).camera == 180));
    let nobody = RoomCommand::Want(room, MemberId([9; 16]), Wants::default());
    assert_eq!(world.ask_room(1, nobody), Err(CommandError::NoSuchMember));
}

#[test]
fn who_knocks_learns_of_no_picture_and_is_seen_by_nobody() {
    let mut world = World::new(73, 3);
    (0..3).for_each(|phone| world.switch_on(phone));
    let room = world.open_room(0, Policy { door: Door::Knock, ..Policy::default() }, Memory::Nothing);
    let invitation = world.invitation(0, room);
    world.join_room(1, invitation).expect("the server lets it in");
    world.run(5_000);
    world.ask_room(0, RoomCommand::Show(room, CAMERA)).expect("it is in");
    world.ask_room(1, RoomCommand::Show(room, SCREEN)).expect("it waits");
    world.run(5_000);
    assert!(knows(&world, 1, 0, room).is_none_or(|(shows, _)| shows == Shows::default()));
    let member = world.me(1, room);
    world.ask_room(0, RoomCommand::Admit(room, member)).expect("it knocks");
    let both = |world: &World| {
        knows(world, 1, 0, room).is_some_and(|(shows, _)| shows == CAMERA)
            && knows(world, 0, 1, room).is_some_and(|(shows, _)| shows == SCREEN)
    };
    assert!(world.run_until(10_000, both), "once let in, each knows what the other shows");
}

fn frame(source: Source, who: usize, number: u64) -> VideoFrame {
    let kind = if number.is_multiple_of(10) { FrameKind::Key } else { FrameKind::Delta };
    let length = 1 + number % 7 * 200;
    let bytes = (0..length).map(|place| (place.wrapping_mul(31) ^ number ^ who as u64) as u8).collect();
    let captured_us = 5_000_000 + number * 33_333;
    let (codec, rotation) = (Codec::Vp8, Rotation::Half);
    VideoFrame { source, codec, kind, rotation, layer: 1, width: 640, height: 360, captured_us, bytes }
}

fn number(frame: &VideoFrame) -> u64 {
    (frame.captured_us - 5_000_000) / 33_333
}

/// Who shows what, and how many frames were pushed.
struct Show<'a> {
    circle: &'a Circle,
    sources: Vec<(usize, Source)>,
    next: &'a Cell<u64>,
}

impl Show<'_> {
    /// Pushes frames at their pace for as long as something else is awaited.
    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut pace = tokio::time::interval(PACE);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = pace.tick() => {
                    for (who, source) in &self.sources {
                        let video = self.circle.phones[*who].room_video(self.circle.room);
                        // What is refused now is not waited for: another key frame comes soon.
                        let _ = video.push(&frame(*source, *who, self.next.get()));
                    }
                    self.next.set(self.next.get() + 1);
                }
            }
        }
    }
}

/// Takes frames until so many of each member and source were seen, and checks each.
async fn sees(circle: &Circle, phone: usize, from: &[(usize, Source)], enough: usize) {
    let video = circle.phones[phone].room_video(circle.room);
    let mut seen: BTreeMap<(MemberId, bool), Vec<u64>> = BTreeMap::new();
    let seeing = async {
        loop {
            let (member, got) = video.next().await.expect("it is in the room");
            let who = circle.members.iter().position(|other| *other == member).expect("somebody who is there");
            assert_eq!(got, frame(got.source, who, number(&got)), "otherwise than it went");
            let numbers = seen.entry((member, got.source == Source::Screen)).or_default();
            assert!(numbers.last().is_none_or(|last| *last < number(&got)), "in another order than it went");
            numbers.push(number(&got));
            let count = |(who, source): &(usize, Source)| {
                seen.get(&(circle.members[*who], *source == Source::Screen)).map_or(0, Vec::len)
            };
            if from.iter().all(|one| count(one) >= enough) {
                return;
            }
        }
    };
    let what = format!("phone {phone} sees {from:?}");
    tokio::time::timeout(PATIENCE, seeing).await.unwrap_or_else(|_| panic!("{what}: in vain"));
}

async fn show(circle: &Circle, phone: usize, shows: Shows) {
    circle.phones[phone].show_in_room(circle.room, shows).await.expect("it is in");
    for (other, client) in circle.phones.iter().enumerate().filter(|(other, _)| *other != phone) {
        until(client, &format!("phone {other} knows what {phone} shows"), || async {
            let view = client.room(circle.room).await.expect("open").expect("it is in");
            view.members.into_iter().find(|member| member.member == circle.members[phone] && member.shows == shows)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_who_shows_what_and_every_frame_bit_for_bit() {
    let mut circle = Circle::gather(3).await;
    let video = circle.phones[0].room_video(circle.room);
    assert_eq!(video.push(&frame(Source::Camera, 0, 0)), Err(VideoError::NotShown));
    show(&circle, 0, CAMERA).await;
    show(&circle, 1, SCREEN).await;
    let sources = vec![(0, Source::Camera), (1, Source::Screen)];
    let all = async {
        tokio::join!(
            sees(&circle, 0, &[(1, Source::Screen)], 20),
            sees(&circle, 1, &[(0, Source::Camera)], 20),
            sees(&circle, 2, &[(0, Source::Camera), (1, Source::Screen)], 20),
        )
    };
    let next = Cell::new(0);
    Show { circle: &circle, sources: sources.clone(), next: &next }.during(all).await;
    // Whoever comes later learns who shows, and sees it.
    circle.come().await;
    for (who, shows) in [(0, CAMERA), (1, SCREEN)] {
        until(&circle.phones[3], "who shows what", || async {
            let view = circle.phones[3].room(circle.room).await.expect("open").expect("it is in");
            view.members.into_iter().find(|member| member.member == circle.members[who] && member.shows == shows)
        })
        .await;
    }
    let both = sees(&circle, 3, &[(0, Source::Camera), (1, Source::Screen)], 10);
    Show { circle: &circle, sources, next: &next }.during(both).await;
    let refused = circle.phones[3].room_video(circle.room).stats(circle.members[0], Source::Camera);
    assert_eq!(refused.expect("it is there").refused, 0);
    circle.phones[2].leave_room(circle.room).await.expect("it is in");
    assert_eq!(circle.phones[2].room_video(circle.room).next().await, None, "out of the room there is nothing to see");
    circle.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_picture_is_sent_none_and_who_shows_learns_the_largest_that_is_wanted() {
    let circle = Circle::gather(3).await;
    show(&circle, 0, CAMERA).await;
    let want = |phone: usize, camera| {
        let wants = Wants { camera, screen: 0 };
        circle.phones[phone].want_in_room(circle.room, circle.members[0], wants)
    };
    want(1, 180).await.expect("it is there");
    want(2, 0).await.expect("it is there");
    until(&circle.phones[0], "what they want", || async {
        let view = circle.phones[0].room(circle.room).await.expect("open").expect("it is in");
        (view.wants == Wants { camera: 180, screen: 0 }).then_some(())
    })
    .await;
    let next = Cell::new(0);
    let camera = Show { circle: &circle, sources: vec![(0, Source::Camera)], next: &next };
    camera.during(sees(&circle, 1, &[(0, Source::Camera)], 30)).await;
    let stats = |phone: usize| {
        let video = circle.phones[0].room_video(circle.room);
        video.stats(circle.members[phone], Source::Camera).expect("it is there").sent
    };
    assert!(stats(1).frames >= 30);
    let before = stats(2).frames;
    camera.during(sees(&circle, 1, &[(0, Source::Camera)], 10)).await;
    assert_eq!(stats(2).frames, before, "frames went to who wants none");
    want(1, 0).await.expect("it is there");
    told(&circle.phones[0], VideoEvent::Paused(Source::Camera, Pause::Unwatched)).await;
    // The control: as soon as it is wanted again it is seen.
    want(2, 360).await.expect("it is there");
    camera.during(sees(&circle, 2, &[(0, Source::Camera)], 10)).await;
    circle.part().await;
}

async fn told(client: &Client, what: VideoEvent) {
    let telling = async {
        loop {
            let event = client.next_event().await.unwrap_or_else(|| panic!("closed before {what:?}"));
            if matches!(event, Event::RoomVideo(_, event) if event == what) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, telling).await.unwrap_or_else(|_| panic!("{what:?} never came"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_sees_nothing_more_and_the_others_see_on() {
    let circle = Circle::gather(3).await;
    show(&circle, 0, CAMERA).await;
    let next = Cell::new(0);
    let camera = Show { circle: &circle, sources: vec![(0, Source::Camera)], next: &next };
    let both = async {
        tokio::join!(sees(&circle, 1, &[(0, Source::Camera)], 10), sees(&circle, 2, &[(0, Source::Camera)], 10))
    };
    camera.during(both).await;
    circle.phones[0].kick(circle.room, circle.members[2]).await.expect("it is the creator");
    camera.during(sees(&circle, 1, &[(0, Source::Camera)], 20)).await;
    let gone = circle.phones[0].room_video(circle.room).stats(circle.members[2], Source::Camera);
    assert_eq!(gone, None, "nothing is sent to who is out");
    let seen = async { while circle.phones[2].room_video(circle.room).next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, seen).await.expect("out of the room there is nothing to see");
    circle.part().await;
}
