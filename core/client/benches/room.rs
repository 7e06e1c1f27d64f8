//! What the sound of a room of eight costs, one speaking: the whole turn of the media thread beside libopus alone.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use opus::{Application, Bitrate, Channels, Decoder, Encoder};
use rtrb::{Consumer, Producer, RingBuffer};
use sidetone::link::Inbound;
use sidetone::media::{Figures, Port, RING_SAMPLES, TURN, Voice};
use sidetone_crypto::sframe::BaseKey;
use sidetone_engine::{Claim, LinkId, Mode, PeerId, SenderKey, SoundOrder};
use sidetone_wire::id::{MemberId, RoomId};

const ROOM: RoomId = RoomId([7; 16]);
const MEMBERS: u8 = 8;
const SECONDS: usize = 60;

type Wire = Arc<Mutex<VecDeque<Inbound>>>;

struct Wired {
    out: Wire,
    heard: Wire,
    clock: Arc<Mutex<Instant>>,
}

impl Port for Wired {
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes) {
        let arrival = *self.clock.lock().unwrap();
        self.out.lock().unwrap().push_back(Inbound { sequence, timestamp, marker, payload, arrival });
    }

    fn next_sequence(&self) -> u16 {
        0
    }

    fn take(&self) -> Option<Inbound> {
        self.heard.lock().unwrap().pop_front()
    }
}

struct Phone {
    voice: Voice,
    microphone: Producer<i16>,
    speaker: Consumer<i16>,
    used: Duration,
}

/// Something like a voice.
fn speech() -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..SECONDS * 48_000)
        .map(|at| {
            let t = at as f64 / 48_000.0;
            phase += (140.0 + 30.0 * (t * 2.1).sin()) / 48_000.0;
            let tone: f64 = (1..8).map(|k| (std::f64::consts::TAU * phase * f64::from(k)).sin() / f64::from(k)).sum();
            (tone * (0.2 + 0.8 * (std::f64::consts::PI * t * 5.0).sin().abs()) * 6_000.0) as i16
        })
        .collect()
}

/// A mesh of which the first phone speaks.
fn mesh(clock: &Arc<Mutex<Instant>>) -> Vec<Phone> {
    let origin = *clock.lock().unwrap();
    let wires: Vec<Vec<Wire>> = (0..MEMBERS).map(|_| (0..MEMBERS).map(|_| Wire::default()).collect()).collect();
    let phone = |at: u8| {
        let (microphone, from_app) = RingBuffer::new(RING_SAMPLES);
        let (to_app, speaker) = RingBuffer::new(RING_SAMPLES);
        let mut voice = Voice::new(origin, from_app, to_app, Arc::<Figures>::default());
        let key = |seed: u8| SenderKey { generation: 1, base: BaseKey::from_seed([seed; 32]) };
        voice.obey(origin, ROOM, SoundOrder::Join { mode: Mode::PushToTalk, replay: true }, None);
        voice.obey(origin, ROOM, SoundOrder::SealWith(key(at)), None);
        for other in (0..MEMBERS).filter(|other| *other != at) {
            let member = MemberId([other; 16]);
            let link = LinkId { peer: PeerId::Member(ROOM, member), number: 1 };
            let (out, heard) =
                (&wires[usize::from(at)][usize::from(other)], &wires[usize::from(other)][usize::from(at)]);
            let port = Wired { out: Arc::clone(out), heard: Arc::clone(heard), clock: Arc::clone(clock) };
            voice.obey(origin, ROOM, SoundOrder::Member { member, link }, Some(Box::new(port)));
            voice.obey(origin, ROOM, SoundOrder::OpenWith { member, key: key(other) }, None);
        }
        let listened = (at > 0).then_some(MemberId([0; 16]));
        voice.obey(origin, ROOM, SoundOrder::Listen(listened), None);
        Phone { voice, microphone, speaker, used: Duration::ZERO }
    };
    (0..MEMBERS).map(phone).collect()
}

fn main() {
    let speech = speech();
    let clock = Arc::new(Mutex::new(Instant::now()));
    let mut phones = mesh(&clock);
    let now = *clock.lock().unwrap();
    let claim = Claim { priority: 0, counter: 1, burst: 1 };
    phones[0].voice.obey(now, ROOM, SoundOrder::Talk(claim), None);
    let mut now = now;
    for turn in 0..SECONDS * 200 {
        now += TURN;
        *clock.lock().unwrap() = now;
        for (at, phone) in phones.iter_mut().enumerate() {
            if turn % 2 == 0 {
                let from = turn / 2 * 480;
                let silence = [0; 480];
                let _ = phone.microphone.push_partial_slice(if at == 0 { &speech[from..from + 480] } else { &silence });
                let mut out = [0; 480];
                let _ = phone.speaker.pop_partial_slice(&mut out);
            }
            let began = Instant::now();
            phone.voice.turn(now);
            phone.used += began.elapsed();
            while phone.voice.news().is_some() {}
        }
    }
    let (encode, decode) = opus_alone(&speech);
    let per_second = |used: Duration| used.as_secs_f64() * 1e3 / SECONDS as f64;
    let listening: Duration = phones[1..].iter().map(|phone| phone.used).sum::<Duration>() / u32::from(MEMBERS - 1);
    println!("speaking to seven     {:8.3} ms a second", per_second(phones[0].used));
    println!(
        "  encoding alone      {:8.3} ms a second, ratio {:.2}",
        per_second(encode),
        phones[0].used.div_duration_f64(encode)
    );
    println!("listening to one      {:8.3} ms a second", per_second(listening));
    println!(
        "  decoding alone      {:8.3} ms a second, ratio {:.2}",
        per_second(decode),
        listening.div_duration_f64(decode)
    );
}

/// The same sound through libopus and nothing else.
fn opus_alone(speech: &[i16]) -> (Duration, Duration) {
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Bits(24_000)).unwrap();
    encoder.set_complexity(9).unwrap();
    encoder.set_dtx(true).unwrap();
    let mut packets: Vec<Vec<u8>> = Vec::new();
    let mut packet = [0; 1_275];
    let began = Instant::now();
    for frame in speech.chunks_exact(960) {
        let length = encoder.encode(frame, &mut packet).unwrap();
        packets.push(packet[..length].to_vec());
    }
    let encode = began.elapsed();
    let mut decoder = Decoder::new(48_000, Channels::Mono).unwrap();
    let mut out = [0; 960];
    let began = Instant::now();
    for packet in &packets {
        decoder.decode(packet, &mut out, false).unwrap();
    }
    (encode, began.elapsed())
}
