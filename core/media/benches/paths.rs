//! What the receiving and the sending path cost beside libopus alone on the same sound.
//!
//! The bars: receiving eight speakers at most 1.25 times decoding, sending at most 1.1 times encoding.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may stop")]
#![allow(clippy::print_stdout, reason = "the ratios are for the terminal")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BatchSize, Criterion, SamplingMode, criterion_group, criterion_main};
use opus::{Application, Bitrate, Channels, Decoder, Encoder};
use sidetone_media::{Capture, Mixer, Settings, Silence, Speaker};
use world::{Packet, packets_of, voice};

const SPEAKERS: u64 = 8;
const SECONDS: f64 = 5.0;

fn mixer() -> Mixer {
    let mut mixer = Mixer::new();
    (0..SPEAKERS).for_each(|n| mixer.join(Speaker(n)).unwrap());
    mixer
}

fn receive(mixer: &mut Mixer, packets: &[Packet], late_us: impl Fn(u64, usize) -> u64) {
    let mut out = [0; 480];
    for (i, packet) in packets.iter().enumerate() {
        let now = i as u64 * 20_000;
        for n in 0..SPEAKERS {
            let at = now + late_us(n, i);
            mixer.insert(at, Speaker(n), packet.sequence, packet.timestamp, &packet.bytes);
        }
        mixer.pull(now + 20_000, &mut out);
        mixer.pull(now + 30_000, &mut out);
        black_box(&out);
    }
}

fn decoders() -> Vec<Decoder> {
    (0..SPEAKERS).map(|_| Decoder::new(48_000, Channels::Mono).unwrap()).collect()
}

fn decode(decoders: &mut [Decoder], packets: &[Packet]) {
    let mut out = [0; 960];
    for packet in packets {
        for decoder in decoders.iter_mut() {
            decoder.decode(&packet.bytes, &mut out, false).unwrap();
            black_box(&out);
        }
    }
}

/// The microphone fades in over its first samples: where they are silence, both encoders hear the same.
fn opening(mut pcm: Vec<i16>) -> Vec<i16> {
    pcm[..120].fill(0);
    pcm
}

fn encoder() -> Encoder {
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Bits(24_000)).unwrap();
    encoder.set_complexity(9).unwrap();
    encoder.set_dtx(true).unwrap();
    encoder
}

fn encode(encoder: &mut Encoder, pcm: &[i16]) {
    let mut out = [0; 1_275];
    for frame in pcm.chunks_exact(960) {
        black_box(encoder.encode(frame, &mut out).unwrap());
    }
}

fn capture(capture: &mut Capture, pcm: &[i16]) {
    for block in pcm.chunks_exact(480) {
        capture.push(block, &mut |frame| {
            black_box(frame.bytes);
        });
    }
}

fn receiving(criterion: &mut Criterion) {
    let packets = packets_of(&voice(SECONDS), 0.0, Silence::Sent, (0, 0));
    let mut group = criterion.benchmark_group("receive");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.bench_function("libopus_decode_alone", |bencher| {
        bencher.iter_batched_ref(decoders, |decoders| decode(decoders, &packets), BatchSize::LargeInput);
    });
    group.bench_function("eight_speakers", |bencher| {
        bencher.iter_batched_ref(mixer, |mixer| receive(mixer, &packets, |_, _| 0), BatchSize::LargeInput);
    });
    group.finish();
}

fn sending(criterion: &mut Criterion) {
    let pcm = opening(voice(SECONDS));
    let mut group = criterion.benchmark_group("send");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.bench_function("libopus_encode_alone", |bencher| {
        bencher.iter_batched_ref(encoder, |encoder| encode(encoder, &pcm), BatchSize::LargeInput);
    });
    group.bench_function("capture", |bencher| {
        let start = || Capture::new(Settings::default()).unwrap();
        bencher.iter_batched_ref(start, |running| capture(running, &pcm), BatchSize::LargeInput);
    });
    group.finish();
}

/// The fastest of many runs of each, taken in turns, so that a busy machine slows both alike.
fn ratio(name: &str, bar: f64, mut ours: impl FnMut(), mut alone: impl FnMut()) {
    let time = |work: &mut dyn FnMut()| {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    let (mut least_ours, mut least_alone) = (f64::MAX, f64::MAX);
    for _ in 0..60 {
        least_ours = least_ours.min(time(&mut ours));
        least_alone = least_alone.min(time(&mut alone));
    }
    println!("{name}: {:.3} times libopus alone (bar {bar})", least_ours / least_alone);
}

fn ratios(_: &mut Criterion) {
    let packets = packets_of(&voice(SECONDS), 0.0, Silence::Sent, (0, 0));
    let late = |n: u64, i: usize| (n * 7_919 + i as u64 * 104_729) % 20_000;
    ratio("receive, steady", 1.25, || receive(&mut mixer(), &packets, |_, _| 0), || decode(&mut decoders(), &packets));
    ratio("receive, jitter", 1.25, || receive(&mut mixer(), &packets, late), || decode(&mut decoders(), &packets));
    let pcm = opening(voice(SECONDS));
    ratio(
        "send",
        1.1,
        || capture(&mut Capture::new(Settings::default()).unwrap(), &pcm),
        || encode(&mut encoder(), &pcm),
    );
}

criterion_group!(paths, ratios, receiving, sending);
criterion_main!(paths);
