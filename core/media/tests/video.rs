//! Frames of a video track over a bad path, in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use sidetone_media::video::*;

/// Deterministic numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed + 1);
    (0..length).map(|_| dice.roll(256) as u8).collect()
}

/// A path with delay, loss, reordering and repetition, and the two ends of a track on it.
struct Path {
    sender: Sender,
    receiver: Receiver,
    dice: Dice,
    delay_us: u64,
    loss_permille: u64,
    jitter_us: u64,
    repeat_permille: u64,
    now_us: u64,
    flying: BTreeMap<(u64, u64), Packet>,
    asks: BTreeMap<u64, Vec<u16>>,
    count: u64,
    keys_asked: Vec<u64>,
}

impl Path {
    fn new(seed: u64, target_bps: u64) -> Self {
        Self {
            sender: Sender::new(target_bps, 65_500),
            receiver: Receiver::new(),
            dice: Dice(seed),
            delay_us: 20_000,
            loss_permille: 0,
            jitter_us: 0,
            repeat_permille: 0,
            now_us: 1_000_000,
            flying: BTreeMap::new(),
            asks: BTreeMap::new(),
            count: 0,
            keys_asked: Vec::new(),
        }
    }

    fn send(&mut self, kind: Kind, timestamp: u32, sealed: &[u8]) -> Pushed {
        self.sender.push(kind, timestamp, &Bytes::copy_from_slice(sealed))
    }

    /// A millisecond passes.
    fn turn(&mut self, frames: &mut Vec<Assembled>) {
        self.now_us += 1_000;
        while let Some(packet) = self.sender.poll(self.now_us, Room::ANY) {
            let copies = 1 + u64::from(self.dice.roll(1_000) < self.repeat_permille);
            for _ in 0..copies {
                if self.dice.roll(1_000) >= self.loss_permille {
                    let late = if self.jitter_us == 0 { 0 } else { self.dice.roll(self.jitter_us) };
                    self.count += 1;
                    self.flying.insert((self.now_us + self.delay_us + late, self.count), packet.clone());
                }
            }
        }
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now_us) {
            let packet = entry.remove();
            self.receiver.insert(self.now_us, packet.sequence, packet.timestamp, payload(&packet));
        }
        while let Some(frame) = self.receiver.next(self.now_us) {
            frames.push(frame);
        }
        let asks = self.receiver.asks(self.now_us);
        if !asks.is_empty() {
            self.asks.insert(self.now_us + self.delay_us, asks);
        }
        if self.receiver.asks_key(self.now_us) {
            self.keys_asked.push(self.now_us);
        }
        while let Some(entry) = self.asks.first_entry().filter(|entry| *entry.key() <= self.now_us) {
            let asks = entry.remove();
            self.sender.asked(self.now_us, &asks);
        }
    }

    fn run(&mut self, millis: u64, frames: &mut Vec<Assembled>) {
        (0..millis).for_each(|_| self.turn(frames));
    }
}

fn payload(packet: &Packet) -> Bytes {
    let mut payload = Vec::new();
    packet.write(&mut payload);
    payload.into()
}

#[test]
fn a_frame_of_any_size_arrives_bit_for_bit() {
    let mut path = Path::new(1, 2_000_000_000);
    let mut sent = Vec::new();
    let mut frames = Vec::new();
    for (index, length) in [1, 2, 1_159, 1_160, 1_161, 2_320, 2_321, 30_000, 262_144, 1 << 20].into_iter().enumerate() {
        let frame = bytes(length, index as u64);
        assert_eq!(path.send(if index == 0 { Kind::Key } else { Kind::Delta }, index as u32, &frame), Pushed::Queued);
        sent.push(frame);
        path.run(400, &mut frames);
    }
    let got: Vec<&Vec<u8>> = frames.iter().map(|frame| &frame.bytes).collect();
    assert_eq!(got, sent.iter().collect::<Vec<_>>());
    assert!(frames[0].restarted && !frames[1].restarted);
    assert_eq!(path.receiver.stats().refused, 0);
}

#[test]
fn packets_add_little_to_a_frame() {
    let mut sender = Sender::new(1_000_000_000, 0);
    sender.push(Kind::Key, 0, &vec![7; 30_000].into());
    let mut sizes = Vec::new();
    for now_us in (0..).step_by(1_000).take(100) {
        sizes.extend(std::iter::from_fn(|| sender.poll(now_us, Room::ANY)).map(|packet| payload(&packet).len()));
    }
    // A descriptor, RTP (RFC 3550) and the tag of SRTP's AEAD_AES_128_GCM (RFC 7714).
    let whole: usize = sizes.iter().map(|size| size + 12 + 16).sum();
    assert!(whole >= 30_000 && whole * 100 <= 30_000 * 103, "{whole}");
    assert!(sizes.iter().all(|size| *size <= PAYLOAD_BYTES));
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "the parts are equal");
    for wrong in [0, SEALED_BYTES + 1] {
        assert_eq!(sender.push(Kind::Key, 0, &vec![0; wrong].into()), Pushed::Dropped);
    }
}

/// Who receives a frame holds so many packets of it: the largest is not cut into crumbs, however little there is room for.
#[test]
fn the_largest_frame_passes_the_smallest_room() {
    let (mut sender, mut receiver) = (Sender::new(1_000_000_000, 0), Receiver::new());
    let frame = bytes(SEALED_BYTES, 3);
    sender.push(Kind::Key, 0, &frame.clone().into());
    let (mut packets, mut got) = (0, None);
    for now_us in (0..).step_by(1_000).take(4_000) {
        let room = Room { left: 300, whole: 300, alone: now_us % 4_000 == 0 };
        for packet in std::iter::from_fn(|| sender.poll(now_us, room)).take(1) {
            packets += 1;
            receiver.insert(now_us, packet.sequence, packet.timestamp, payload(&packet));
        }
        got = got.or_else(|| receiver.next(now_us));
    }
    assert_eq!(got.expect("it came").bytes, frame);
    assert!(packets <= PACKETS, "{packets} packets");
}

/// A path may have become so slow that what was sent before fits into no gap any more.
#[test]
fn what_is_sent_again_leaves_alone_where_it_fits_into_no_gap() {
    let mut sender = Sender::new(1_000_000, 0);
    sender.push(Kind::Key, 0, &vec![1; 1_000].into());
    assert!(sender.poll(0, Room::ANY).is_some());
    let now_us = 100_000;
    sender.asked(now_us, &[0]);
    let small = Room { left: 500, whole: 500, alone: false };
    assert_eq!(sender.poll(now_us, small), None);
    assert_eq!(sender.poll(now_us, Room { whole: 1_500, alone: true, ..small }), None, "there will be room");
    assert!(sender.poll(now_us, Room { alone: true, ..small }).is_some_and(|packet| packet.again));
}

/// A slow path between two packets of sound has room for so much: a frame is cut to what there is, and not into crumbs.
#[test]
fn a_frame_is_cut_to_the_room_there_is_and_arrives_bit_for_bit() {
    let (mut dice, mut receiver) = (Dice(11), Receiver::new());
    let mut sender = Sender::new(100_000_000, 0);
    let frame = bytes(20_000, 1);
    sender.push(Kind::Key, 0, &frame.clone().into());
    let mut now_us = 0;
    let mut got = None;
    while got.is_none() && now_us < 1_000_000 {
        now_us += 1_000;
        let left = dice.roll(1_500);
        if let Some(packet) = sender.poll(now_us, Room { left, whole: 1_500, alone: false }) {
            assert!(payload(&packet).len() as u64 + OVERHEAD as u64 <= left);
            assert!(packet.part.len() >= 200 || packet.last, "{} bytes", packet.part.len());
            receiver.insert(now_us, packet.sequence, packet.timestamp, payload(&packet));
        }
        got = receiver.next(now_us);
    }
    assert_eq!(got.expect("it came").bytes, frame);
    assert_eq!((sender.queue_us(), sender.deadline_us()), (0, None), "nothing is left");
}

#[test]
fn loss_reordering_and_repetition_cost_no_frame() {
    for seed in 0..20 {
        let mut path = Path::new(seed, 4_000_000);
        let (mut sent, mut frames) = (Vec::new(), Vec::new());
        for index in 0..90u32 {
            // The first frame comes whole, and something follows the last one: otherwise nobody knows what is missing.
            path.loss_permille = if (1..89).contains(&index) { 50 } else { 0 };
            (path.jitter_us, path.repeat_permille) = (15_000, 30);
            let length = 500 + path.dice.roll(12_000) as usize;
            let frame = bytes(length, u64::from(index));
            path.send(if index == 0 { Kind::Key } else { Kind::Delta }, index * 3_000, &frame);
            sent.push(frame);
            path.run(33, &mut frames);
        }
        path.run(600, &mut frames);
        let got: Vec<&Vec<u8>> = frames.iter().map(|frame| &frame.bytes).collect();
        assert_eq!(got, sent.iter().collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(
            frames.iter().map(|frame| frame.timestamp).collect::<Vec<_>>(),
            (0..90).map(|i| i * 3_000).collect::<Vec<_>>()
        );
        let stats = path.receiver.stats();
        assert!(stats.asked > 0 && stats.recovered > 0, "seed {seed} tried nothing: {stats:?}");
    }
}

#[test]
fn after_a_gap_the_picture_starts_again_at_a_key_frame_that_was_asked_for_now_and_then() {
    let mut path = Path::new(3, 8_000_000);
    let mut frames = Vec::new();
    path.send(Kind::Key, 0, &bytes(5_000, 0));
    path.run(100, &mut frames);
    path.loss_permille = 1_000;
    for index in 1..40 {
        path.send(Kind::Delta, index, &bytes(5_000, u64::from(index)));
        path.run(33, &mut frames);
    }
    path.loss_permille = 0;
    for index in 40..60 {
        path.send(Kind::Delta, index, &bytes(5_000, u64::from(index)));
        path.run(33, &mut frames);
    }
    assert_eq!(frames.len(), 1, "nothing that cannot be decoded is delivered");
    assert!(!path.keys_asked.is_empty());
    assert!(path.keys_asked.windows(2).all(|two| two[1] - two[0] >= 300_000), "{:?}", path.keys_asked);
    path.send(Kind::Key, 60, &bytes(9_000, 60));
    path.send(Kind::Delta, 61, &bytes(5_000, 61));
    let asked = path.keys_asked.len();
    path.run(1_000, &mut frames);
    let got: Vec<(u32, bool)> = frames.iter().map(|frame| (frame.timestamp, frame.restarted)).collect();
    assert_eq!(got, [(0, true), (60, true), (61, false)]);
    assert!(path.keys_asked.len() <= asked + 1, "nobody asks for a key frame that came");
}

#[test]
fn a_queue_that_grows_too_long_is_dropped_up_to_the_next_key_frame() {
    let mut path = Path::new(4, 1_000_000);
    let mut frames = Vec::new();
    assert_eq!(path.send(Kind::Delta, 0, &bytes(500, 0)), Pushed::Dropped, "nothing can be decoded before a key frame");
    assert_eq!(path.send(Kind::Key, 1, &bytes(20_000, 1)), Pushed::Queued);
    path.run(10, &mut frames);
    let mut dropped = None;
    for index in 2..12u32 {
        // 20 kB every 33 ms are five times what the path bears.
        if path.send(Kind::Delta, index, &bytes(20_000, 2)) == Pushed::Dropped && dropped.is_none() {
            dropped = Some(index);
        }
        path.run(33, &mut frames);
        assert!(path.sender.queue_us() <= QUEUE_US + 200_000);
    }
    let dropped = dropped.expect("the queue grew too long");
    assert_eq!(path.send(Kind::Key, 20, &bytes(4_000, 20)), Pushed::Queued);
    path.run(1_500, &mut frames);
    let last = frames.last().unwrap();
    assert_eq!((last.timestamp, last.restarted), (20, false), "numbers go on: nothing was lost on the way");
    assert!(frames.iter().all(|frame| frame.timestamp < dropped || frame.timestamp == 20));
    assert!(frames.iter().any(|frame| frame.timestamp == 1), "what was begun is finished");
}

#[test]
fn packets_leave_no_faster_than_the_path_bears() {
    let mut sender = Sender::new(1_000_000, 0);
    sender.push(Kind::Key, 0, &bytes(1 << 20, 0).into());
    let (mut now_us, mut sent) = (0, 0);
    while now_us < 1_000_000 {
        while let Some(packet) = sender.poll(now_us, Room::ANY) {
            sent += payload(&packet).len() + OVERHEAD;
        }
        let next = sender.deadline_us().unwrap();
        assert!(next > now_us, "the deadline is when there is something to do");
        now_us = next;
    }
    assert!((137_000..=142_000).contains(&sent), "{sent} bytes in a second at 1 Mbit/s, a tenth more in haste");
}

#[test]
fn what_is_asked_for_again_and_again_is_sent_a_few_times_only() {
    let mut sender = Sender::new(100_000_000, 7);
    sender.push(Kind::Key, 0, &bytes(3_000, 0).into());
    let mut now_us = 0;
    while sender.poll(now_us, Room::ANY).is_some() {}
    let mut repeats = 0;
    for _ in 0..1_000 {
        now_us += 1_000;
        sender.asked(now_us, &[7, 8, 9, 40_000]);
        while let Some(packet) = sender.poll(now_us, Room::ANY) {
            assert!(packet.again && packet.sequence <= 9);
            repeats += 1;
        }
    }
    assert_eq!(repeats, 3 * 4);
}

fn info(captured_us: u64, sound: Option<u32>) -> Info {
    let (codec, kind, rotation) = (Codec::Vp8, Kind::Delta, Rotation::Quarter);
    Info { codec, kind, rotation, layer: 1, width: 1_280, height: 720, captured_us, sound }
}

#[test]
fn pictures_are_shown_with_the_sound_they_belong_to() {
    let mut dice = Dice(9);
    let mut presenter = Presenter::new();
    // Sound is played 120 ms after it was captured; frames arrive 30 to 100 ms after it.
    let mut arrivals: BTreeMap<u64, Info> = BTreeMap::new();
    let mut last = 0;
    for index in 0..300u64 {
        let captured_us = index * 33_333;
        let sound = (captured_us * 48 / 1_000) as u32;
        // Decoders want them in order, so that is how they come.
        last = (captured_us + 30_000 + dice.roll(70_000)).max(last + 1);
        arrivals.insert(last, info(captured_us, Some(sound.wrapping_add(u32::MAX - 1_000))));
    }
    let mut shown = Vec::new();
    for now_us in (0..10_500_000u64).step_by(1_000) {
        if now_us >= 120_000 && now_us % 10_000 == 0 {
            let played = ((now_us - 120_000) * 48 / 1_000) as u32;
            presenter.sound(now_us, played.wrapping_add(u32::MAX - 1_000));
        }
        while let Some(entry) = arrivals.first_entry().filter(|entry| *entry.key() <= now_us) {
            presenter.push(now_us, entry.remove(), vec![1]);
        }
        while let Some(frame) = presenter.pop(now_us) {
            shown.push((now_us, frame));
        }
    }
    assert_eq!(shown.len(), 300);
    for (now_us, frame) in shown.iter().skip(10) {
        let late_us = now_us.abs_diff(frame.info.captured_us + 120_000);
        assert!(late_us <= 2_000, "a picture was {late_us} us away from its sound");
        assert!(frame.behind_us.unwrap().abs() <= 2_000);
    }
}

/// What sound is held back for pictures of which one in `seldom` comes 30 ms later than the others, which come `late_us` after
/// the sound that belongs to them would be played; after so many seconds each.
fn held_us(phases: &[(u64, u64, u64)]) -> Vec<u64> {
    let mut presenter = Presenter::new();
    let (mut now_us, mut held) = (0, Vec::new());
    for &(seconds, late_us, seldom) in phases {
        for index in 0..seconds * 30 {
            now_us += 33_333;
            // Played as it is captured, but for what it is held back.
            let played_us = now_us - presenter.hold_us().min(now_us);
            presenter.sound(now_us, (played_us * 48 / 1_000) as u32);
            let late_us = late_us + if index % seldom == 0 { 30_000 } else { 0 };
            let sound = now_us.saturating_sub(late_us) * 48 / 1_000;
            presenter.push(now_us, info(now_us, Some(sound as u32)), vec![1]);
            while presenter.pop(now_us).is_some() {}
        }
        held.push(presenter.hold_us());
    }
    held
}

#[test]
fn sound_is_held_back_for_pictures_that_come_later_and_no_longer_than_they_do() {
    assert_eq!(held_us(&[(20, 20_000, 30)]), [0], "one in thirty may be late");
    let held = held_us(&[(20, 70_000, u64::MAX), (40, 10_000, u64::MAX), (5, 400_000, u64::MAX)]);
    assert!((40_000..=58_000).contains(&held[0]), "pictures come 70 ms late: {held:?}");
    assert_eq!(held[1..], [0, 60_000], "no longer than is needed, and not for ever longer");
    let [often] = held_us(&[(20, 20_000, 10)])[..] else { panic!() };
    assert!((20_000..30_000).contains(&often), "one in ten may not: {often}");
}

#[test]
fn without_sound_pictures_come_evenly_and_none_waits_long() {
    let mut dice = Dice(10);
    let mut presenter = Presenter::new();
    let mut arrivals: BTreeMap<u64, Info> = BTreeMap::new();
    for index in 0..600u64 {
        let captured_us = 77_000_000_000 + index * 33_333;
        arrivals.insert(index * 33_333 + 50_000 + dice.roll(30_000), info(captured_us, None));
    }
    let mut gaps = Vec::new();
    let mut last = None;
    for now_us in (0..21_000_000u64).step_by(1_000) {
        while let Some(entry) = arrivals.first_entry().filter(|entry| *entry.key() <= now_us) {
            presenter.push(now_us, entry.remove(), vec![1]);
        }
        while let Some(frame) = presenter.pop(now_us) {
            assert!(frame.waited_us <= 50_000);
            gaps.extend(last.replace(now_us).map(|last| now_us - last));
        }
    }
    let uneven = gaps.iter().skip(30).filter(|gap| !(30_000..=37_000).contains(*gap)).count();
    assert!(uneven <= gaps.len() / 50, "{uneven} of {} pauses are uneven", gaps.len());
}

#[test]
fn what_an_app_must_not_push_is_refused_with_the_reason() {
    let mut gate = Gate::default();
    let key = |captured_us| Info { kind: Kind::Key, ..info(captured_us, None) };
    assert_eq!(gate.admit(&info(0, None), b"x"), Err(FrameError::NeedsKey));
    assert_eq!(gate.admit(&key(0), b""), Err(FrameError::Empty));
    assert_eq!(gate.admit(&key(0), &vec![0; FRAME_BYTES + 1]), Err(FrameError::TooLarge));
    assert_eq!(gate.admit(&Info { width: 0, ..key(0) }, b"x"), Err(FrameError::Size));
    assert_eq!(gate.admit(&Info { layer: 16, ..key(0) }, b"x"), Err(FrameError::Size));
    assert_eq!(gate.admit(&key(u64::MAX), b"x"), Err(FrameError::Time));
    assert_eq!(gate.admit(&key(1_000), b"x"), Ok(()));
    assert_eq!(gate.admit(&info(999, None), b"x"), Err(FrameError::Time));
    assert_eq!(gate.admit(&info(70_000_000, None), b"x"), Err(FrameError::Time));
    assert_eq!(gate.admit(&Info { codec: Codec::Av1, ..info(2_000, None) }, b"x"), Err(FrameError::Codec));
    assert_eq!(gate.admit(&info(2_000, None), b"x"), Ok(()));
    assert_eq!(gate.admit(&Info { codec: Codec::Av1, ..key(500) }, b"x"), Ok(()), "a key frame begins anew");
    gate.restart();
    assert_eq!(gate.admit(&Info { codec: Codec::Av1, ..info(600, None) }, b"x"), Err(FrameError::NeedsKey));
}

proptest! {
    #[test]
    fn what_is_known_of_a_frame_comes_back(
        codec in 0..5usize, key: bool, turn in 0..4usize, layer in 0..16u8, width in 1..=u16::MAX,
        height in 1..=u16::MAX, captured_us in 0..1u64 << 56, sound: Option<u32>, frame in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let codec = [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1][codec];
        let rotation = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters][turn];
        let kind = if key { Kind::Key } else { Kind::Delta };
        let info = Info { codec, kind, rotation, layer, width, height, captured_us, sound };
        let mut bytes = Vec::new();
        info.write(&mut bytes);
        prop_assert_eq!(bytes.len(), INFO_BYTES);
        bytes.extend_from_slice(&frame);
        prop_assert_eq!(Info::read(&bytes), Some((info, &frame[..])));
        prop_assert_eq!(Info::read(&bytes[..INFO_BYTES]), None);
    }

    #[test]
    fn no_packets_whatever_make_a_receiver_fail_or_grow(
        packets in prop::collection::vec((any::<u16>(), 0..4u32, 0..256usize, prop::collection::vec(any::<u8>(), 0..40)), 0..400),
    ) {
        let mut receiver = Receiver::new();
        for (index, (sequence, timestamp, descriptor, mut payload)) in packets.into_iter().enumerate() {
            let now_us = index as u64 * 5_000;
            if let Some(first) = payload.first_mut() {
                *first = (descriptor as u8) & 0xe0;
            }
            let near = if descriptor & 1 == 0 { index as u16 } else { sequence };
            receiver.insert(now_us, near, timestamp, payload.into());
            let _ = receiver.asks_key(now_us);
            prop_assert!(receiver.asks(now_us).len() <= 64);
            while let Some(frame) = receiver.next(now_us) {
                prop_assert!(!frame.bytes.is_empty());
            }
        }
    }
}

#[test]
fn a_peer_that_never_finishes_a_frame_takes_a_bounded_part_of_memory() {
    let mut receiver = Receiver::new();
    let part = |byte: u8| {
        let mut payload = vec![0; PAYLOAD_BYTES];
        payload[0] = byte;
        Bytes::from(payload)
    };
    let mut full = 0;
    receiver.insert(0, 0, 0, part(0xa0));
    for number in 1..60_000u32 {
        let became = receiver.insert(0, number as u16, 0, part(0x20));
        full += u32::from(became == Received::Full);
        assert_eq!(receiver.next(0), None, "packet {number}");
    }
    assert!(full > 0, "it was never too much");
}
