//! What the receiving and the sending path cost beside libopus alone on the same sound.
//!
//! The bars: receiving eight speakers at most 1.25 times decoding, sending at most 1.1 times encoding.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may stop")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
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

fn receiving(criterion: &mut Criterion) {
    let packets = packets_of(&voice(SECONDS), 0.0, Silence::Sent, (0, 0));
    let mut group = criterion.benchmark_group("receive");
    group.sample_size(20);
    group.bench_function("libopus_decode_alone", |bencher| {
        let decoder = || Decoder::new(48_000, Channels::Mono).unwrap();
        bencher.iter_batched_ref(
            || (0..SPEAKERS).map(|_| decoder()).collect::<Vec<_>>(),
            |decoders| {
                let mut out = [0; 960];
                for packet in &packets {
                    for decoder in decoders.iter_mut() {
                        decoder.decode(&packet.bytes, &mut out, false).unwrap();
                        black_box(&out);
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("eight_speakers", |bencher| {
        bencher.iter_batched_ref(mixer, |mixer| receive(mixer, &packets, |_, _| 0), BatchSize::LargeInput);
    });
    group.bench_function("eight_speakers_with_jitter", |bencher| {
        let late = |n: u64, i: usize| (n * 7_919 + i as u64 * 104_729) % 20_000;
        bencher.iter_batched_ref(mixer, |mixer| receive(mixer, &packets, late), BatchSize::LargeInput);
    });
    group.finish();
}

fn sending(criterion: &mut Criterion) {
    let pcm = voice(SECONDS);
    let mut group = criterion.benchmark_group("send");
    group.sample_size(20);
    group.bench_function("libopus_encode_alone", |bencher| {
        let encoder = || {
            let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).unwrap();
            encoder.set_bitrate(Bitrate::Bits(24_000)).unwrap();
            encoder.set_complexity(9).unwrap();
            encoder.set_dtx(true).unwrap();
            encoder
        };
        bencher.iter_batched_ref(
            encoder,
            |encoder| {
                let mut out = [0; 1_275];
                for frame in pcm.chunks_exact(960) {
                    black_box(encoder.encode(frame, &mut out).unwrap());
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("capture", |bencher| {
        bencher.iter_batched_ref(
            || Capture::new(Settings::default()).unwrap(),
            |capture| {
                for block in pcm.chunks_exact(480) {
                    capture.push(block, &mut |frame| {
                        black_box(frame.bytes);
                    });
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(paths, receiving, sending);
criterion_main!(paths);
