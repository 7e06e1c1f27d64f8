//! The measuring side of `quality/run.py`: encodes speech, makes packet traces, and plays them through our buffer or
//! through a fixed one. All of it is deterministic.
//!
//! ```text
//! quality encode speech.pcm packets.opk <loss-percent>
//! quality trace <name> <seed> <packets>                     (to stdout: "index arrival_us", -1 when lost)
//! quality ours  packets.opk trace.txt out.pcm
//! quality fixed packets.opk trace.txt out.pcm <delay-ms>
//! ```
#![allow(clippy::print_stdout, reason = "a program for the terminal")]
#![allow(clippy::unwrap_used, reason = "a measuring program may stop")]

use std::{env, fs, io::Write};

use sidetone_media::{Capture, Playout, Settings, Silence};

const FRAME_US: i64 = 20_000;
/// Packetisation and the fixed part of the network.
const BASE_US: i64 = 50_000;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["encode", speech, packets, loss] => encode(speech, packets, loss.parse().unwrap()),
        ["trace", name, seed, count] => trace(name, seed.parse().unwrap(), count.parse().unwrap()),
        ["ours", packets, trace, out] => ours(packets, trace, out),
        ["fixed", packets, trace, out, delay_ms] => fixed(packets, trace, out, delay_ms.parse().unwrap()),
        _ => println!("see the first lines of examples/quality.rs"),
    }
}

fn read_pcm(path: &str) -> Vec<i16> {
    fs::read(path).unwrap().chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

fn write_pcm(path: &str, pcm: &[i16]) {
    let bytes: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
    fs::write(path, bytes).unwrap();
}

fn encode(speech: &str, packets: &str, loss_percent: f32) {
    let mut capture = Capture::new(Settings { silence: Silence::Sent, ..Settings::default() }).unwrap();
    capture.report_loss(loss_percent / 100.0);
    let mut file = fs::File::create(packets).unwrap();
    capture.push(&read_pcm(speech), &mut |frame| {
        file.write_all(&frame.timestamp.to_le_bytes()).unwrap();
        file.write_all(&(frame.bytes.len() as u16).to_le_bytes()).unwrap();
        file.write_all(frame.bytes).unwrap();
    });
}

fn read_packets(path: &str) -> Vec<(u32, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let (mut packets, mut rest) = (Vec::new(), bytes.as_slice());
    while rest.len() >= 6 {
        let timestamp = u32::from_le_bytes(rest[..4].try_into().unwrap());
        let length = usize::from(u16::from_le_bytes([rest[4], rest[5]]));
        packets.push((timestamp, rest[6..6 + length].to_vec()));
        rest = &rest[6 + length..];
    }
    packets
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, the same everywhere.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

fn trace(name: &str, seed: u64, count: i64) {
    let mut dice = Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ 0x1405_7b7e_f767_814f);
    let mut bad = false;
    let mut stall = (0, 0);
    let mut last = 0;
    for i in 0..count {
        let sent = i * FRAME_US;
        let arrival = sent + BASE_US;
        let arrival = match name {
            "clean" => Some(arrival),
            "jitter" => Some(arrival + (dice.unit() * 60_000.0) as i64),
            "drift" => Some(BASE_US + (sent as f64 * 1.0001) as i64),
            "loss5" => (!burst(&mut dice, &mut bad, 0.05)).then_some(arrival),
            "loss15" => (!burst(&mut dice, &mut bad, 0.15)).then_some(arrival),
            "reorder" if dice.unit() < 0.03 => Some(arrival + dice.between(40_000.0, 80_000.0) as i64),
            "reorder" => Some(arrival),
            // Twice two seconds of nothing.
            "outage" => (!matches!(sent / 1_000_000, 12 | 13 | 76 | 77)).then_some(arrival),
            // Held up and then delivered at once, each ten seconds; two in a hundred lost.
            "stalls" => {
                if sent % 10_000_000 == 4_000_000 {
                    stall = (arrival, arrival + dice.between(100_000.0, 300_000.0) as i64);
                }
                let held = (stall.0..stall.1).contains(&arrival);
                (dice.unit() >= 0.02).then_some(if held { stall.1 } else { arrival })
            }
            "wide" => Some(arrival + dice.between(0.0, 200_000.0) as i64),
            // Delivered in order, each behind the one before.
            "queue" => {
                last = last.max(arrival - (dice.unit().max(1e-9).ln() * 20_000.0) as i64);
                Some(last)
            }
            "batches" => Some(arrival + (100_000 - arrival.rem_euclid(100_000)) % 100_000),
            other => panic!("no trace {other}"),
        };
        println!("{i} {}", arrival.unwrap_or(-1));
    }
}

/// Gilbert's two states: everything is lost in the bad one, which lasts 2.5 packets on average.
fn burst(dice: &mut Dice, bad: &mut bool, loss: f64) -> bool {
    let leave = 0.4;
    let enter = leave * loss / (1.0 - loss);
    *bad = if *bad { dice.unit() >= leave } else { dice.unit() < enter };
    *bad
}

fn read_arrivals(path: &str) -> Vec<(i64, usize)> {
    let text = fs::read_to_string(path).unwrap();
    let mut arrivals: Vec<(i64, usize)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(index, us)| (us.parse().unwrap(), index.parse().unwrap()))
        .filter(|&(us, _)| us >= 0)
        .collect();
    arrivals.sort_by_key(|&(us, _)| us);
    arrivals
}

fn ours(packets: &str, trace: &str, out: &str) {
    let packets = read_packets(packets);
    let arrivals = read_arrivals(trace);
    let mut playout = Playout::new().unwrap();
    let (mut pcm, mut block, mut next) = (Vec::new(), [0; 480], 0);
    let mut targets = Vec::new();
    for now in (0..packets.len() as i64 * FRAME_US + 100_000).step_by(10_000) {
        while next < arrivals.len() && arrivals[next].0 <= now {
            let (us, index) = arrivals[next];
            let (timestamp, payload) = &packets[index];
            playout.insert(us as u64, index as u16, *timestamp, payload);
            next += 1;
        }
        playout.pull(now as u64, &mut block);
        pcm.extend_from_slice(&block);
        targets.push(playout.stats().target_ms);
        if env::var_os("QUALITY_LOG").is_some() {
            let s = playout.stats();
            eprintln!(
                "{now} {} {} {} {} {} {}",
                s.delay_ms,
                s.target_ms,
                s.concealed_samples,
                s.recovered_fec,
                s.late,
                s.squeezed as i64 - s.stretched as i64
            );
        }
    }
    write_pcm(out, &pcm);
    targets.sort_unstable();
    println!("target {} {:?}", targets[targets.len() / 2], playout.stats());
}

/// The plainest buffer: every packet is played a fixed time after the first one says, with FEC and concealment.
fn fixed(packets: &str, trace: &str, out: &str, delay_ms: i64) {
    let packets = read_packets(packets);
    let arrivals = read_arrivals(trace);
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut here = vec![false; packets.len() + 1];
    let (mut pcm, mut block, mut next) = (Vec::new(), [0i16; 960], 0);
    let start = arrivals[0].0 - arrivals[0].1 as i64 * FRAME_US + delay_ms * 1_000;
    let mut concealed = 0;
    pcm.resize((start.div_euclid(10_000) + i64::from(start % 10_000 != 0)) as usize * 480, 0);
    for (index, (_, payload)) in packets.iter().enumerate() {
        let now = start + index as i64 * FRAME_US;
        while next < arrivals.len() && arrivals[next].0 <= now {
            here[arrivals[next].1] = true;
            next += 1;
        }
        if here[index] {
            decoder.decode(payload, &mut block, false).unwrap();
        } else if here[index + 1] {
            decoder.decode(&packets[index + 1].1, &mut block, true).unwrap();
        } else {
            decoder.decode(&[], &mut block, false).unwrap();
            concealed += 960;
        }
        pcm.extend_from_slice(&block);
    }
    write_pcm(out, &pcm);
    println!("concealed {concealed}");
}
