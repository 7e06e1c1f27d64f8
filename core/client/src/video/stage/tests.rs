//! What of a room's pictures cannot be seen from outside: how they are sealed, and what is refused.

use std::time::{Duration, Instant};

use sidetone_crypto::sframe::BaseKey;
use sidetone_engine::Content;
use sidetone_media::video::{Assembled, Codec, FRAME_BYTES, Rotation};

use super::*;
use crate::link::Cable;

const BEN: Who = Some(MemberId([2; 16]));
const CAT: Who = Some(MemberId([3; 16]));
const PATIENCE: Duration = Duration::from_secs(20);

fn key(seed: u8, generation: u16) -> SenderKey {
    SenderKey { generation, base: BaseKey::from_seed([seed; 32]) }
}

fn picture(source: Source, number: u64) -> VideoFrame {
    let kind = if number == 0 { Kind::Key } else { Kind::Delta };
    let (codec, rotation, bytes) = (Codec::Vp9, Rotation::None, vec![number as u8; 3_000]);
    VideoFrame { source, codec, kind, rotation, layer: 0, width: 64, height: 48, captured_us: number * 33_333, bytes }
}

/// A stage that shows both sources, and the far ends of its links.
struct Set {
    stage: Arc<Stage>,
    cables: Vec<(Cable, (VideoPort, MediaPort))>,
}

impl Set {
    fn of(viewers: &[Who]) -> Self {
        let ready = Arc::new(Notify::new());
        let stage = Stage::new(Place::Room(RoomId([7; 16])), &Arc::new(Queue::default()), &ready);
        stage.show(Shows { camera: true, screen: Some(Content::Text) });
        let mut cables = Vec::new();
        for who in viewers {
            let ([(port, sound), far], cable) = Cable::new();
            stage.join(*who, port, sound);
            cables.push((cable, far));
        }
        Self { stage, cables }
    }

    /// What the far end of a link gets next.
    fn sealed(&self, link: usize) -> (Source, Assembled) {
        let (cable, (port, _)) = &self.cables[link];
        let since = Instant::now();
        loop {
            cable.carry();
            if let Some(whole) = port.take() {
                return whole;
            }
            assert!(since.elapsed() < PATIENCE, "nothing came");
            std::thread::yield_now();
        }
    }

    /// The far end of a link sends what it sealed.
    fn sends(&self, link: usize, source: Source, sealed: &[u8]) {
        let (_, (port, _)) = &self.cables[link];
        assert_eq!(port.push(source, Kind::Key, 0, &Bytes::copy_from_slice(sealed)), Pushed::Queued);
    }

    /// Whether something comes from somebody, until a count of what is refused says no.
    fn sees(&self, link: usize, who: Who, source: Source) -> bool {
        let peer = self.stage.peer(who).expect("it is there");
        let (port, since) = (peer.video(), Instant::now());
        let before = port.stats(source).refused;
        loop {
            self.cables[link].0.carry();
            if peer.see(clock::micros(), &port) {
                return true;
            }
            if port.stats(source).refused > before {
                return false;
            }
            assert!(since.elapsed() < PATIENCE, "nothing came");
            std::thread::yield_now();
        }
    }
}

fn sealed_by(key: &SenderKey, track: u8) -> Vec<u8> {
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    let (codec, rotation) = (Codec::Vp9, Rotation::None);
    let info = Info { codec, kind: Kind::Key, rotation, layer: 0, width: 64, height: 48, captured_us: 9, sound: None };
    info.write(&mut plain);
    plain.extend_from_slice(b"a picture");
    Sealer::new(&key.base, key.generation, track).seal(&plain, &mut sealed).expect("a fresh key");
    sealed
}

fn opens(key: &SenderKey, sealed: &[u8]) -> bool {
    let mut opener = Opener::new();
    opener.insert(key.generation, &key.base).expect("the first");
    opener.open(sealed, &mut Vec::new()).is_ok()
}

#[tokio::test]
async fn a_frame_is_sealed_once_however_many_watch() {
    let set = Set::of(&[BEN, CAT]);
    set.stage.seal_with(&key(1, 1));
    assert_eq!(set.stage.push(&picture(Source::Camera, 0)), Ok(Pushed::Queued));
    let [(_, ben), (_, cat)] = [0, 1].map(|link| set.sealed(link));
    assert_eq!(ben.bytes, cat.bytes);
    assert!(opens(&key(1, 1), &ben.bytes) && !opens(&key(2, 1), &ben.bytes));
    let parts = ben.bytes.windows(8).filter(|part| **part == [0; 8]).count();
    assert_eq!(parts, 0, "it can be read on the way");
    set.stage.stop();
}

#[tokio::test]
async fn nobody_shows_pictures_in_anothers_name() {
    let set = Set::of(&[BEN, CAT]);
    for (who, seed) in [(BEN, 2), (CAT, 3)] {
        set.stage.open_with(who, &key(seed, 1));
    }
    // Everybody in a room has everybody's key, and can seal as anybody. Cat does, on the one link that is hers.
    set.sends(1, Source::Camera, &sealed_by(&key(2, 1), FIRST_TRACK));
    assert!(!set.sees(1, CAT, Source::Camera), "Ben's picture on Cat's link");
    set.sends(1, Source::Camera, &sealed_by(&key(3, 1), FIRST_TRACK + 1));
    assert!(!set.sees(1, CAT, Source::Camera), "a screen's frame where a camera's is");
    set.sends(1, Source::Camera, &sealed_by(&key(3, 1), 0));
    assert!(!set.sees(1, CAT, Source::Camera), "sound where a picture is");
    // The control.
    set.sends(1, Source::Camera, &sealed_by(&key(3, 1), FIRST_TRACK));
    assert!(set.sees(1, CAT, Source::Camera));
    set.sends(0, Source::Screen, &sealed_by(&key(2, 1), FIRST_TRACK + 1));
    assert!(set.sees(0, BEN, Source::Screen));
    set.stage.stop();
}

#[tokio::test]
async fn who_is_put_out_opens_nothing_under_the_new_key_and_who_comes_nothing_under_the_old() {
    let set = Set::of(&[BEN]);
    set.stage.seal_with(&key(1, 1));
    set.stage.push(&picture(Source::Camera, 0)).expect("it is shown");
    let (_, before) = set.sealed(0);
    set.stage.seal_with(&key(9, 2));
    set.stage.push(&picture(Source::Camera, 1)).expect("it is shown");
    let (_, after) = set.sealed(0);
    assert!(opens(&key(1, 1), &before.bytes) && !opens(&key(1, 1), &after.bytes));
    assert!(!opens(&key(9, 2), &before.bytes) && opens(&key(9, 2), &after.bytes));
    set.stage.stop();
}

#[tokio::test]
async fn a_key_that_is_said_twice_never_counts_from_the_beginning_again() {
    let set = Set::of(&[BEN]);
    let mut opener = Opener::new();
    opener.insert(1, &key(1, 1).base).expect("the first");
    for number in 0..3 {
        set.stage.seal_with(&key(1, 1));
        set.stage.push(&picture(Source::Camera, number)).expect("it is shown");
        let (_, sealed) = set.sealed(0);
        assert!(opener.open(&sealed.bytes, &mut Vec::new()).is_ok(), "frame {number} was taken for a replay");
    }
    set.stage.stop();
}

#[tokio::test]
async fn without_a_key_or_a_viewer_nothing_leaves() {
    let set = Set::of(&[BEN]);
    assert_eq!(set.stage.push(&picture(Source::Camera, 0)), Ok(Pushed::Dropped));
    set.stage.seal_with(&key(1, 1));
    set.stage.leave(BEN);
    assert_eq!(set.stage.push(&picture(Source::Camera, 0)), Ok(Pushed::Dropped));
    let large = VideoFrame { bytes: vec![0; FRAME_BYTES + 1], ..picture(Source::Camera, 0) };
    assert!(matches!(set.stage.push(&large), Err(VideoError::Frame(_))));
    set.cables[0].0.carry();
    assert!(set.cables[0].1.0.take().is_none());
    set.stage.stop();
}

#[tokio::test]
async fn a_picture_carries_the_sound_that_was_captured_with_it() {
    let set = Set::of(&[BEN]);
    set.stage.seal_with(&key(1, 1));
    let peer = set.stage.peer(BEN).expect("it is there");
    lock(&peer.ports).1.note_captured(clock::micros(), 48_000);
    set.stage.push(&picture(Source::Camera, 0)).expect("it is shown");
    let (_, sealed) = set.sealed(0);
    let (mut opener, mut plain) = (Opener::new(), Vec::new());
    opener.insert(1, &key(1, 1).base).expect("the first");
    opener.open(&sealed.bytes, &mut plain).expect("it is ours");
    let sound = Info::read(&plain).expect("a picture").0.sound.expect("there is sound");
    // Less than the second after which sound says nothing any more.
    assert!((48_000..96_000).contains(&sound), "{sound}");
    set.stage.stop();
}

#[tokio::test]
async fn sound_is_held_back_for_a_camera_that_comes_later_than_it() {
    let set = Set::of(&[BEN]);
    set.stage.open_with(BEN, &key(2, 1));
    let peer = set.stage.peer(BEN).expect("it is there");
    let sound = lock(&peer.ports).1.clone();
    let mut sealer = Sealer::new(&key(2, 1).base, 1, FIRST_TRACK);
    for _ in 0..5 {
        // What is played now was captured 100 ms after the picture.
        let now_us = clock::micros();
        lock(&peer.eye).presenters[Source::Camera as usize].sound(now_us, 48_000);
        let (codec, rotation) = (Codec::Vp9, Rotation::None);
        let info = Info {
            codec,
            kind: Kind::Key,
            rotation,
            layer: 0,
            width: 64,
            height: 48,
            captured_us: 9,
            sound: Some(43_200),
        };
        let (mut plain, mut sealed) = (Vec::new(), Vec::new());
        info.write(&mut plain);
        plain.push(7);
        sealer.seal(&plain, &mut sealed).expect("a fresh key");
        set.sends(0, Source::Camera, &sealed);
        assert!(set.sees(0, BEN, Source::Camera));
    }
    assert!(sound.longer_us(clock::micros()) >= 4_000, "{} us", sound.longer_us(clock::micros()));
    assert_eq!(sound.longer_us(clock::micros() + 2_000_000), 0, "no picture comes any more");
    set.stage.stop();
}

/// What a user allowed one call, and what it tried, is nothing to the next: both have the same link.
#[tokio::test]
async fn the_next_call_over_a_link_is_not_held_to_what_was_set_for_the_one_before() {
    let ([(port, sound), _], cable) = Cable::new();
    let call = |number| Stage::new(Place::Call(CallId([number; 16])), &Arc::new(Queue::default()), &Arc::default());
    let shows = Shows { camera: true, screen: None };
    let (first, second) = (call(1), call(2));
    first.show(shows);
    first.join(None, port.clone(), sound.clone());
    let whole = port.encoder_bps(Source::Camera);
    first.seal_with(&key(1, 1));
    assert_eq!(first.push(&picture(Source::Camera, 0)), Ok(Pushed::Queued));
    first.set_limit_bps(100_000);
    assert!(port.encoder_bps(Source::Camera) < 100_000);
    port.set_filler_bps(TRIAL_BPS);
    let peer = first.peer(None).expect("it is there");
    assert!(!cable.is_idle(0), "the control");
    first.stop();
    assert_eq!((port.encoder_bps(Source::Camera), port.stats(Source::Camera)), (whole, VideoStats::default()));
    // A look that had begun finds that it is over.
    first.look(&peer, &port, clock::micros());
    assert!(cable.is_idle(0), "nothing is sent for a call that is over");
    second.show(shows);
    second.join(None, port.clone(), sound);
    assert_eq!(port.encoder_bps(Source::Camera), whole);
    second.stop();
}

#[tokio::test]
async fn a_call_that_moves_to_another_link_goes_on_counting() {
    let mut set = Set::of(&[BEN]);
    set.stage.seal_with(&key(1, 1));
    let push = |set: &Set| {
        assert_eq!(set.stage.push(&picture(Source::Camera, 0)), Ok(Pushed::Queued));
        set.sealed(0);
        set.stage.stats(BEN, Source::Camera).expect("it is there").sent
    };
    let before = push(&set);
    assert!(before.frames == 1 && before.packets > 0 && before.bytes > 3_000, "{before:?}");
    let ([(port, sound), far], cable) = Cable::new();
    set.stage.join(BEN, port.clone(), sound.clone());
    set.cables[0] = (cable, far);
    assert_eq!(set.stage.stats(BEN, Source::Camera).expect("it is there").sent, before);
    let after = push(&set);
    assert!(after.frames == 2 && after.packets >= 2 * before.packets && after.bytes >= 2 * before.bytes, "{after:?}");
    set.stage.join(BEN, port, sound);
    assert_eq!(set.stage.stats(BEN, Source::Camera).expect("it is there").sent, after, "the same link is no other");
    set.stage.stop();
}
