//! Voice from one end to the other, alone and beside a file.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::json;
use sidetone::link::{Beside, BulkPath, Role, Trust};

use crate::Failed;
use crate::line::{Lines, UNIT, say};
use crate::ours::{End, Ours, Path};
use crate::work::up;

/// A packet of voice: 20 ms at 32 kbit/s.
const BEAT: Duration = Duration::from_millis(20);
const PACKET: usize = 80;
/// How long after the file begins it is looked at.
const SETTLES: Duration = Duration::from_secs(1);

/// Runs one end: the first half of the time is voice alone, the second beside a file.
pub fn end(way: &str, role: &str, address: &str, seconds: &str) -> Result<(), Failed> {
    let path = if way == "relayed" { Path::Relayed } else { Path::Bulk };
    let role = if role == "offer" { Role::Offer } else { Role::Answer };
    let mut ours = Ours { role, address: address.parse()?, path, trust: Trust::default() };
    let runner = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let half = Duration::from_secs_f64(seconds.parse::<f64>()? / 2.0);
    runner.block_on(async {
        let mut lines = Lines::listen();
        let mut end = up(&mut ours, &mut lines).await?;
        end.flows().await?;
        if role == Role::Offer { speak(&end, lines, half).await } else { hear(&end, lines).await }
    })
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

async fn speak(end: &End, mut lines: Lines, half: Duration) -> Result<(), Failed> {
    let (sound, bulk) = (end.link.media(), end.link.bulk());
    // As while a call is on.
    bulk.set_beside(Beside::Call);
    let begun = Instant::now();
    let first = sound.next_sequence();
    let mut number: u32 = 0;
    let speaking = async {
        let mut beat = tokio::time::interval(BEAT);
        while begun.elapsed() < 2 * half {
            beat.tick().await;
            let mut packet = vec![0; PACKET];
            packet[..8].copy_from_slice(&now_us().to_be_bytes());
            // Which half it belongs to: 0 alone, 1 while the file begins, 2 beside it.
            packet[8] = u8::from(begun.elapsed() >= half) + u8::from(begun.elapsed() >= half + SETTLES);
            let sequence = first.wrapping_add(number as u16);
            sound.send_audio(sequence, number.wrapping_mul(960), false, Bytes::from(packet));
            number += 1;
        }
        // The last are on their way.
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let sending = async {
        tokio::time::sleep(half).await;
        let unit = Bytes::from(vec![7; UNIT]);
        while bulk.send(unit.clone()).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = speaking => {}
        () = sending => {}
    }
    say(&json!({"spoken": number, "quic": bulk.path() == BulkPath::Quic}))?;
    lines.over().await;
    Ok(())
}

async fn hear(end: &End, mut lines: Lines) -> Result<(), Failed> {
    let (sound, bulk) = (end.link.media(), end.link.bulk());
    let mut delays = [const { Vec::new() }; 3];
    let (mut bytes, mut filed) = (0, None);
    let hearing = async {
        loop {
            tokio::select! {
                packet = sound.audio() => {
                    let (Some(sent), Some(half)) = (packet.payload.first_chunk(), packet.payload.get(8)) else { continue };
                    let delay = now_us().saturating_sub(u64::from_be_bytes(*sent)) as f64 / 1e3;
                    delays[usize::from(*half).min(2)].push(delay);
                }
                Some(_) = bulk.receive() => {
                    filed.get_or_insert_with(Instant::now);
                    bytes += UNIT;
                }
            }
        }
    };
    tokio::select! {
        () = hearing => {}
        () = lines.over() => {}
    }
    let rate = filed.map_or(0.0, |since: Instant| bytes as f64 / 1e3 / since.elapsed().as_secs_f64());
    let heard: usize = delays.iter().map(Vec::len).sum();
    let [alone, begin, beside] = delays.map(|mut half| [0.5, 0.99, 1.0].map(|share| quantile(&mut half, share)));
    say(&json!({"alone": alone, "begin": begin, "beside": beside, "heard": heard, "file_kB_s": rate}))
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}
