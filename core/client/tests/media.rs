//! What the media loop promises, on a clock that the test turns.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtrb::{Consumer, Producer, RingBuffer};
use sidetone::link::Inbound;
use sidetone::media::{Figures, MediaThread, Port, RING_SAMPLES, TURN, Voice};
use sidetone_crypto::sframe::BaseKey;
use sidetone_engine::{Hearing, SenderKey};
use sidetone_media::Muted;
use sidetone_wire::id::CallId;

const CALL: CallId = CallId([1; 16]);
/// Where the calls before this one stopped counting.
const NEXT: u16 = 40_000;
const OURS: f64 = 440.0;
const THEIRS: f64 = 1_000.0;

type Wire = Arc<Mutex<VecDeque<Inbound>>>;
type Drop = Box<dyn FnMut(u16) -> bool + Send>;

/// One end of a network in memory: what is sent at one turn is there at the other's next.
struct Wired {
    out: Wire,
    heard: Wire,
    clock: Arc<Mutex<Instant>>,
    lose: Mutex<Drop>,
    longer_us: Arc<AtomicU32>,
    next: u16,
}

impl Port for Wired {
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes) {
        if !(self.lose.lock().unwrap())(sequence) {
            let arrival = *self.clock.lock().unwrap();
            self.out.lock().unwrap().push_back(Inbound { sequence, timestamp, marker, payload, arrival });
        }
    }

    fn next_sequence(&self) -> u16 {
        self.next
    }

    fn take(&self) -> Option<Inbound> {
        self.heard.lock().unwrap().pop_front()
    }

    fn longer_us(&self, _: u64) -> u32 {
        self.longer_us.load(Relaxed)
    }
}

/// A phone: its voice, and what the app's audio threads hold.
struct Phone {
    voice: Voice,
    figures: Arc<Figures>,
    microphone: Producer<i16>,
    speaker: Consumer<i16>,
    spoken: u64,
    heard: Vec<i16>,
}

impl Phone {
    fn new(origin: Instant) -> Self {
        let (microphone, from_app) = RingBuffer::new(RING_SAMPLES);
        let (to_app, speaker) = RingBuffer::new(RING_SAMPLES);
        let figures = Arc::new(Figures::default());
        let voice = Voice::new(origin, from_app, to_app, Arc::clone(&figures));
        Self { voice, figures, microphone, speaker, spoken: 0, heard: Vec::new() }
    }

    fn speak(&mut self, hertz: f64) {
        let block = tone(hertz, self.spoken, 480);
        self.spoken += 480;
        let (_, rest) = self.microphone.push_partial_slice(&block);
        assert!(rest.is_empty());
    }

    fn listen(&mut self) {
        let mut block = [0; 480];
        let _ = self.speaker.pop_partial_slice(&mut block);
        self.heard.extend(block);
    }

    fn last(&self, ms: usize) -> &[i16] {
        &self.heard[self.heard.len() - 48 * ms..]
    }
}

fn tone(hertz: f64, from: u64, samples: u64) -> Vec<i16> {
    let step = std::f64::consts::TAU * hertz / 48_000.0;
    (from..from + samples).map(|at| (8_000.0 * (at as f64 * step).sin()) as i16).collect()
}

/// The part of a sound's energy that lies at one frequency (Goertzel).
fn share(sound: &[i16], hertz: f64) -> f64 {
    let w = std::f64::consts::TAU * hertz / 48_000.0;
    let (mut a, mut b) = (0.0, 0.0);
    for &sample in sound {
        (a, b) = (f64::from(sample) + 2.0 * w.cos() * a - b, a);
    }
    let power = a * a + b * b - 2.0 * w.cos() * a * b;
    let energy: f64 = sound.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    if energy < 1.0 { 0.0 } else { 2.0 * power / (energy * sound.len() as f64) }
}

fn key(generation: u16, seed: u8) -> SenderKey {
    SenderKey { generation, base: BaseKey::from_seed([seed; 32]) }
}

/// Two phones and the time between them.
struct World {
    clock: Arc<Mutex<Instant>>,
    anna: Phone,
    bert: Phone,
    /// What sound is held back for pictures.
    longer_us: Arc<AtomicU32>,
    turns: u64,
}

impl World {
    fn new() -> Self {
        Self::losing(Box::new(|_| false))
    }

    /// A network that loses some of what Anna says.
    fn losing(lose: Drop) -> Self {
        let origin = Instant::now();
        let clock = Arc::new(Mutex::new(origin));
        let (up, down) = (Wire::default(), Wire::default());
        let (mut anna, mut bert) = (Phone::new(origin), Phone::new(origin));
        let longer_us = Arc::new(AtomicU32::new(0));
        let wired = |out: &Wire, heard: &Wire, lose| Wired {
            out: Arc::clone(out),
            heard: Arc::clone(heard),
            clock: Arc::clone(&clock),
            lose: Mutex::new(lose),
            longer_us: Arc::clone(&longer_us),
            next: NEXT,
        };
        let (one, other) = (wired(&up, &down, lose), wired(&down, &up, Box::new(|_| false)));
        anna.voice.start(origin, CALL, Box::new(one), &key(1, 1), &key(1, 2)).unwrap();
        bert.voice.start(origin, CALL, Box::new(other), &key(1, 2), &key(1, 1)).unwrap();
        Self { clock, anna, bert, longer_us, turns: 0 }
    }

    /// Lets time pass; every 10 ms, what the app does.
    fn pass(&mut self, ms: u64, mut app: impl FnMut(&mut Phone, &mut Phone)) {
        for _ in 0..ms / TURN.as_millis() as u64 {
            let now = {
                let mut now = self.clock.lock().unwrap();
                *now += TURN;
                *now
            };
            self.turns += 1;
            if self.turns.is_multiple_of(2) {
                app(&mut self.anna, &mut self.bert);
            }
            self.anna.voice.turn(now);
            self.bert.voice.turn(now);
        }
    }
}

fn both_speak(anna: &mut Phone, bert: &mut Phone) {
    anna.speak(OURS);
    bert.speak(THEIRS);
    anna.listen();
    bert.listen();
}

fn anna_speaks(anna: &mut Phone, bert: &mut Phone) {
    anna.speak(OURS);
    anna.listen();
    bert.listen();
}

#[test]
fn each_hears_the_other_and_not_themselves() {
    let mut world = World::new();
    world.pass(3_000, both_speak);
    for (phone, theirs, ours) in [(&world.anna, THEIRS, OURS), (&world.bert, OURS, THEIRS)] {
        assert!(share(phone.last(1_000), theirs) > 0.9, "{}", share(phone.last(1_000), theirs));
        assert!(share(phone.last(1_000), ours) < 0.01);
        let figures = phone.figures.snapshot();
        assert_eq!((figures.frames_refused, figures.frames_lost, figures.microphone_dropped), (0, 0, 0));
        assert!(figures.frames_heard >= 145 && figures.frames_sent >= 145, "{figures:?}");
        assert!(figures.delay_ms <= 40, "{} ms on a clean path", figures.delay_ms);
        assert_eq!(figures.delays_ms.len(), 3, "one a second");
    }
}

#[test]
fn sound_waits_for_the_pictures_that_come_with_it() {
    let mut world = World::new();
    world.pass(3_000, both_speak);
    let before = world.bert.figures.snapshot().target_ms;
    world.longer_us.store(50_000, Relaxed);
    world.pass(3_000, both_speak);
    assert_eq!(world.bert.figures.snapshot().target_ms, before + 50);
}

/// From a sample that is pushed to the same sample pulled, in milliseconds, after so many seconds of talk.
fn delay_ms(seconds: u64) -> usize {
    let mut world = World::new();
    let mut pass = |ms, loud: bool| {
        world.pass(ms, |anna, bert| {
            let level = if loud { 12_000 } else { 40 };
            let block: Vec<i16> = (0..480).map(|at| if at % 40 < 20 { level } else { -level }).collect();
            let _ = anna.microphone.push_partial_slice(&block);
            bert.speak(THEIRS);
            anna.listen();
            bert.listen();
        });
        world.bert.heard.len()
    };
    let before = pass(seconds * 1_000, false);
    pass(500, true);
    let loud = world.bert.heard[before..].iter().position(|sample| sample.abs() > 3_000).unwrap();
    loud / 48
}

#[test]
fn a_word_is_heard_soon() {
    let delays = [1, 3, 10].map(delay_ms);
    assert!(delays.iter().all(|delay| *delay <= 60), "{delays:?} ms");
}

#[test]
fn losses_are_told_to_the_speaker_who_then_sends_copies() {
    let mut world = World::losing(Box::new(|sequence| sequence % 8 == 0));
    let talk = speech(10);
    world.pass(10_000, |anna, bert| {
        let at = anna.spoken as usize;
        let _ = anna.microphone.push_partial_slice(&talk[at..at + 480]);
        anna.spoken += 480;
        bert.speak(THEIRS);
        anna.listen();
        bert.listen();
    });
    let told = world.anna.figures.snapshot().their_loss_permille;
    assert!((60..250).contains(&told), "12.5 % are lost, {told} of a thousand are told");
    let heard = world.bert.figures.snapshot();
    assert!(heard.frames_recovered > heard.frames_lost / 2, "{heard:?}");
    assert_eq!(heard.their_loss_permille, 0, "the other direction is whole");
}

/// Seconds of something like a voice: for a pure tone the codec makes no copies.
fn speech(seconds: u64) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..seconds * 48_000)
        .map(|at| {
            let t = at as f64 / 48_000.0;
            phase += (140.0 + 30.0 * (t * 2.1).sin()) / 48_000.0;
            let turn = std::f64::consts::TAU * phase;
            let tone: f64 = (1..8).map(|k| (turn * f64::from(k)).sin() / f64::from(k)).sum();
            (tone * (0.2 + 0.8 * (std::f64::consts::PI * t * 5.0).sin().abs()) * 6_000.0) as i16
        })
        .collect()
}

#[test]
fn who_does_not_have_the_key_is_not_heard() {
    let mut world = World::new();
    world.pass(1_000, anna_speaks);
    world.anna.voice.seal_with(CALL, &key(1, 9));
    let before = world.bert.figures.snapshot().frames_heard;
    world.pass(1_000, anna_speaks);
    let figures = world.bert.figures.snapshot();
    assert!(figures.frames_refused >= 45);
    assert!(figures.frames_heard <= before + 2);
    assert!(share(world.bert.last(300), OURS) < 0.5);
}

#[test]
fn a_new_key_is_not_heard() {
    let mut world = World::new();
    world.pass(1_000, anna_speaks);
    world.bert.voice.open_with(CALL, &key(2, 3));
    world.pass(100, anna_speaks);
    world.anna.voice.seal_with(CALL, &key(2, 3));
    world.pass(1_000, anna_speaks);
    let figures = world.bert.figures.snapshot();
    assert_eq!((figures.frames_refused, figures.frames_lost), (0, 0));
    assert!(share(world.bert.last(1_000), OURS) > 0.9);
}

#[test]
fn who_is_not_to_be_heard_is_silent_here_and_is_heard_again_without_a_gap() {
    let mut world = World::new();
    world.bert.voice.set_hearing(CALL, Hearing::Off);
    world.pass(2_000, anna_speaks);
    assert!(world.bert.last(1_500).iter().all(|sample| *sample == 0), "from the beginning");
    world.bert.voice.set_hearing(CALL, Hearing::On);
    world.pass(1_000, anna_speaks);
    assert!(share(world.bert.last(800), OURS) > 0.9);
    assert_eq!(world.bert.figures.snapshot().frames_lost, 0);
    world.bert.voice.set_hearing(CallId([2; 16]), Hearing::Off);
    world.pass(1_000, anna_speaks);
    assert!(share(world.bert.last(800), OURS) > 0.9, "another call is another one");
}

#[test]
fn a_shut_microphone_is_shut_also_when_it_was_shut_before_the_call() {
    let mut world = World::new();
    world.anna.voice.mute(CALL, Muted::Yes);
    world.pass(2_000, anna_speaks);
    assert!(share(world.bert.last(1_500), OURS) < 0.1);
    world.anna.voice.mute(CALL, Muted::No);
    world.pass(1_000, anna_speaks);
    assert!(share(world.bert.last(500), OURS) > 0.9);

    let next = CallId([2; 16]);
    let origin = *world.clock.lock().unwrap();
    world.anna.voice.mute(next, Muted::Yes);
    let nowhere = |clock: &Arc<Mutex<Instant>>, out: &Wire| Wired {
        out: Arc::clone(out),
        heard: Wire::default(),
        clock: Arc::clone(clock),
        lose: Mutex::new(Box::new(|_| false)),
        longer_us: Arc::default(),
        next: NEXT,
    };
    let sent = Wire::default();
    let port = nowhere(&world.clock, &sent);
    world.anna.voice.start(origin, next, Box::new(port), &key(1, 4), &key(1, 5)).unwrap();
    world.pass(2_000, anna_speaks);
    let packets = sent.lock().unwrap().len();
    assert!(packets < 20, "silence rests: {packets} packets in 2 s");
}

#[test]
fn a_microphone_that_pauses_comes_back_in_time() {
    let mut world = World::new();
    world.pass(1_000, anna_speaks);
    for pause in [3_000, 10_000] {
        world.pass(pause, |anna, bert| {
            anna.listen();
            bert.listen();
        });
        assert!(share(world.bert.last(1_000), OURS) < 0.1, "the tone has ended");
        world.pass(700, anna_speaks);
        assert!(share(world.bert.last(200), OURS) > 0.9, "and is back after a pause of {pause} ms");
        assert!(world.bert.figures.snapshot().delay_ms < 80);
    }
}

#[test]
fn a_call_that_found_another_link_goes_on() {
    let mut world = World::new();
    world.pass(1_000, both_speak);
    let (up, down) = (Wire::default(), Wire::default());
    let clock = Arc::clone(&world.clock);
    let wired = |out: &Wire, heard: &Wire| Wired {
        out: Arc::clone(out),
        heard: Arc::clone(heard),
        clock: Arc::clone(&clock),
        lose: Mutex::new(Box::new(|_| false)),
        longer_us: Arc::default(),
        next: NEXT,
    };
    let now = *clock.lock().unwrap();
    let heard = world.bert.figures.snapshot().frames_heard;
    world.anna.voice.start(now, CALL, Box::new(wired(&up, &down)), &key(2, 6), &key(2, 7)).unwrap();
    world.bert.voice.start(now, CALL, Box::new(wired(&down, &up)), &key(2, 7), &key(2, 6)).unwrap();
    world.pass(1_000, both_speak);
    let figures = world.bert.figures.snapshot();
    assert!(figures.frames_heard >= heard + 45, "the numbers of a call go on");
    assert_eq!((figures.frames_refused, figures.frames_late), (0, 0));
    assert!(share(world.bert.last(500), OURS) > 0.9);
}

#[test]
fn once_the_call_is_over_nothing_moves() {
    let mut world = World::new();
    world.pass(500, both_speak);
    world.anna.voice.stop_call(CallId([9; 16]));
    assert!(world.anna.voice.is_talking(), "the end of another call is not the end of this one");
    world.anna.voice.stop_call(CALL);
    let sent = world.anna.figures.snapshot().frames_sent;
    world.pass(100, |_, _| {});
    assert_eq!(world.anna.figures.snapshot().frames_sent, sent);
    assert!(!world.anna.voice.is_talking());
}

#[test]
fn a_frame_costs_no_memory() {
    let mut world = World::new();
    world.pass(5_000, |anna, bert| {
        anna.speak(OURS);
        bert.speak(THEIRS);
        anna.heard.clear();
        bert.heard.clear();
    });
    // Room for what the test itself collects.
    let block = tone(OURS, 0, 480);
    let mut now = *world.clock.lock().unwrap();
    let count = allocation_counter::measure(|| {
        for turn in 0..2_000 {
            now += TURN;
            *world.clock.lock().unwrap() = now;
            if turn % 2 == 0 {
                let _ = world.anna.microphone.push_partial_slice(&block);
                let _ = world.bert.microphone.push_partial_slice(&block);
            }
            world.anna.voice.turn(now);
            world.bert.voice.turn(now);
            let mut out = [0; 480];
            let _ = world.anna.speaker.pop_partial_slice(&mut out);
            let _ = world.bert.speaker.pop_partial_slice(&mut out);
        }
    });
    // 1,000 frames: what remains is the pool's block that is replaced while frames of it wait, about once in 200.
    assert!(count.count_total <= 10, "{} allocations in 1,000 frames", count.count_total);
}

#[test]
fn the_thread_carries_a_tone_both_ways_and_ends_when_told() {
    let clock = Arc::new(Mutex::new(Instant::now()));
    let (up, down) = (Wire::default(), Wire::default());
    let (anna, mut anna_microphone, mut anna_speaker) = MediaThread::start().unwrap();
    let (bert, mut bert_microphone, mut bert_speaker) = MediaThread::start().unwrap();
    assert_eq!(anna_microphone.push(&[1; 480]), 0, "without a call no sound is wanted");
    let wired = |out: &Wire, heard: &Wire| Wired {
        out: Arc::clone(out),
        heard: Arc::clone(heard),
        clock: Arc::clone(&clock),
        lose: Mutex::new(Box::new(|_| false)),
        longer_us: Arc::default(),
        next: NEXT,
    };
    anna.begin(CALL, Box::new(wired(&up, &down)), key(1, 1), key(1, 2));
    bert.begin(CALL, Box::new(wired(&down, &up)), key(1, 2), key(1, 1));

    // Two sound cards: 10 ms blocks at their own pace.
    let (mut heard_by_anna, mut heard_by_bert) = (Vec::new(), Vec::new());
    let began = Instant::now();
    for block in 0_u64.. {
        *clock.lock().unwrap() = Instant::now();
        anna_microphone.push(&tone(OURS, block * 480, 480));
        bert_microphone.push(&tone(THEIRS, block * 480, 480));
        let mut out = [0; 480];
        anna_speaker.pull(&mut out);
        heard_by_anna.extend(out);
        bert_speaker.pull(&mut out);
        heard_by_bert.extend(out);
        let last = |heard: &[i16]| heard[heard.len().saturating_sub(24_000)..].to_vec();
        let clear = share(&last(&heard_by_anna), THEIRS) > 0.8 && share(&last(&heard_by_bert), OURS) > 0.8;
        if block > 60 && clear {
            break;
        }
        assert!(block < 1_000, "both are heard within ten seconds");
        let next = began + Duration::from_millis(10) * u32::try_from(block).unwrap();
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    drop((anna, bert));
    assert_eq!(anna_microphone.push(&[1; 480]), 0, "a closed client takes nothing");
}

#[test]
fn a_call_goes_on_counting_where_the_last_one_on_its_link_stopped() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let mut world = World::losing(Box::new(move |sequence| {
        seen.lock().unwrap().push(sequence);
        false
    }));
    world.pass(200, |anna, _| anna.speak(OURS));
    let sent = sent.lock().unwrap();
    assert!(sent.len() > 5 && sent.iter().copied().eq((NEXT..).take(sent.len())), "{sent:?}");
}
