//! What a listener may rely on, whatever the network does.
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use proptest::prelude::*;
use sidetone_media::{Capture, Inserted, Playout, Rate, Settings, Silence};
use world::{Dice, FRAME_US, Listener, listen, loudness, packets_of, route, speech, voice};

#[test]
fn a_steady_stream_plays_at_its_own_delay() {
    let packets = speech(10.0);
    let listener = listen(&route(&packets, |_, sent| Some(sent + 30_000)));
    let stats = listener.playout.stats();
    assert!(listener.delays_ms[500..1_000].iter().all(|&delay| delay <= 25), "{stats:?}");
    assert_eq!((stats.inserted, stats.late, stats.lost), (500, 0, 0));
    // Only the sound after the last packet is made up.
    assert!(stats.concealed_samples <= 200 * 48, "{stats:?}");
    assert!(loudness(&listener.heard, 1_000, 9_000) > 2_000.0);
}

#[test]
fn ten_minutes_of_100_ppm_drift_lose_nothing_and_do_not_add_delay() {
    let ten_seconds = speech(10.0);
    for slow in [false, true] {
        let mut listener = Listener::new();
        let mut next = 0u64;
        for _ in 0..60_000 {
            loop {
                let packet = &ten_seconds[next as usize % ten_seconds.len()];
                let stretched = (next + 1) * if slow { FRAME_US + 2 } else { FRAME_US - 2 };
                if stretched > listener.now_us {
                    break;
                }
                let (sequence, timestamp) = (next as u16, (next * 960) as u32);
                listener.playout.insert(stretched, sequence, timestamp, &packet.bytes);
                next += 1;
            }
            listener.pull();
        }
        let stats = listener.playout.stats();
        assert_eq!((stats.late, stats.lost), (0, 0), "slow {slow}: {stats:?}");
        assert!(stats.concealed_samples < 48_000 * 6 / 10, "less than one thousandth: {stats:?}");
        assert!(listener.delays_ms[200..].iter().all(|&delay| delay <= 30), "slow {slow}: {stats:?}");
    }
}

#[test]
fn sequence_and_timestamp_may_wrap() {
    let pcm = voice(4.0);
    let hear = |first| {
        let packets = packets_of(&pcm, 0.0, Silence::Sent, first);
        listen(&route(&packets, |i, sent| (i % 20 != 7).then_some(sent + (i as u64 % 3) * 4_000)))
    };
    let (plain, wrapping) = (hear((0, 0)), hear((u16::MAX - 50, u32::MAX - 50 * 960)));
    assert!(plain.heard == wrapping.heard);
    assert_eq!(plain.playout.stats(), wrapping.playout.stats());
}

#[test]
fn the_same_packets_at_the_same_times_sound_the_same() {
    let packets = packets_of(&voice(5.0), 0.1, Silence::Sent, (9, 9));
    let rough = || {
        let mut dice = Dice(4);
        listen(&route(&packets, |_, sent| (dice.below(10) > 0).then(|| sent + dice.below(50_000))))
    };
    assert!(rough().heard == rough().heard);
}

#[test]
fn duplicates_change_nothing() {
    let packets = speech(4.0);
    let once = route(&packets, |_, sent| Some(sent));
    let twice: Vec<_> = once.iter().flat_map(|arrival| [arrival.clone(), arrival.clone()]).collect();
    let (once, twice) = (listen(&once), listen(&twice));
    assert!(once.heard == twice.heard);
    assert_eq!(twice.playout.stats().inserted, 200);
    assert_eq!(twice.playout.stats().duplicate + twice.playout.stats().late, 200);
}

#[test]
fn swapped_neighbours_are_put_in_order_once_the_buffer_knows_the_network() {
    let packets = speech(10.0);
    let listener = listen(&route(&packets, |i, sent| Some(if i % 10 == 3 { sent + 25_000 } else { sent })));
    let stats = listener.playout.stats();
    assert!(stats.late <= 5, "{stats:?}");
    assert!(stats.target_ms >= 25 && stats.target_ms <= 45, "{stats:?}");
}

#[test]
fn lost_frames_come_back_from_the_copy_only_when_the_sender_was_told_of_loss() {
    let pcm = voice(10.0);
    let every_ninth = |reported| {
        let packets = packets_of(&pcm, reported, Silence::Sent, (0, 0));
        listen(&route(&packets, |i, sent| (i % 9 != 8).then_some(sent))).playout.stats()
    };
    let (told, untold) = (every_ninth(0.1), every_ninth(0.019));
    assert_eq!(untold.recovered_fec, 0);
    assert!(told.recovered_fec >= 40, "{told:?}");
    assert!(told.concealed_samples < untold.concealed_samples / 2, "{told:?} {untold:?}");
    assert!((54..=55).contains(&told.lost) && (54..=55).contains(&untold.lost), "{told:?} {untold:?}");
}

#[test]
fn a_recovered_frame_sounds_like_the_lost_one() {
    // Nothing varies between the runs but the losses: told of loss from the first packet, both wait for copies.
    let packets = packets_of(&voice(10.0), 0.1, Silence::Sent, (0, 0));
    let lossless = listen(&route(&packets, |i, sent| Some(if i == 0 { sent } else { sent + 1 })));
    let recovered = listen(&route(&packets, |i, sent| (i % 9 != 8).then_some(sent)));
    let difference = |lag: usize| {
        let (clean, lossy) = (&lossless.heard[48_000 * 4..48_000 * 9], &recovered.heard[48_000 * 4 + lag..]);
        let error: f64 = clean.iter().zip(lossy).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        error / clean.iter().map(|&a| f64::from(a).powi(2)).sum::<f64>()
    };
    let difference = (0..48 * 40).map(difference).fold(f64::MAX, f64::min);
    assert!(difference < 0.08, "{difference}");
}

#[test]
fn two_seconds_of_nothing_do_not_leave_the_call_behind() {
    for held in [false, true] {
        let packets = speech(10.0);
        let listener = listen(&route(&packets, |_, sent| match sent {
            4_000_000..6_000_000 => held.then_some(6_000_000),
            _ => Some(sent),
        }));
        let stats = listener.playout.stats();
        assert!(listener.delays_ms[620..1_000].iter().all(|&delay| delay <= 60), "held {held}: {stats:?}");
        assert!(loudness(&listener.heard, 6_200, 9_500) > 2_000.0, "held {held}");
        let invented = loudness(&listener.heard, 5_000, 5_900);
        assert!(invented < 100.0, "nothing is invented for long: {invented}");
    }
}

#[test]
fn stalls_of_a_mobile_network_do_not_add_delay() {
    let packets = speech(40.0);
    let listener = listen(&route(&packets, |_, sent| {
        let into = sent % 10_000_000;
        Some(if (5_000_000..5_200_000).contains(&into) { sent - into + 5_200_000 } else { sent })
    }));
    let stats = listener.playout.stats();
    let mut delays = listener.delays_ms[200..4_000].to_vec();
    delays.sort_unstable();
    assert!(delays[delays.len() / 2] <= 30 && delays[delays.len() * 95 / 100] <= 60, "{stats:?}");
    assert!(stats.lost <= 4 * 10, "{stats:?}");
}

#[test]
fn a_slower_route_is_followed_within_half_a_second() {
    let packets = speech(10.0);
    let listener = listen(&route(&packets, |_, sent| Some(if sent < 5_000_000 { sent } else { sent + 150_000 })));
    let stats = listener.playout.stats();
    assert!(stats.lost <= 25, "{stats:?}");
    assert!(loudness(&listener.heard, 5_650, 9_500) > 2_000.0);
    assert!(listener.delays_ms[900] <= 40, "{stats:?}");
}

#[test]
fn a_faster_route_is_followed_too() {
    let packets = speech(10.0);
    let listener = listen(&route(&packets, |_, sent| Some(if sent < 5_000_000 { sent + 300_000 } else { sent })));
    let stats = listener.playout.stats();
    assert!(listener.delays_ms[600..1_000].iter().all(|&delay| delay <= 60), "{stats:?}");
}

#[test]
fn a_much_faster_route_is_joined_by_dropping_what_is_old() {
    let packets = speech(8.0);
    let listener = listen(&route(&packets, |_, sent| Some(if sent < 4_000_000 { sent + 1_000_000 } else { sent })));
    let stats = listener.playout.stats();
    assert!(stats.skipped > 48_000 / 2, "{stats:?}");
    assert!(listener.delays_ms[440..800].iter().all(|&delay| delay <= 100), "{stats:?}");
    assert!(loudness(&listener.heard, 5_000, 7_900) > 2_000.0);
}

#[test]
fn a_packet_a_little_late_is_still_played() {
    let packets = speech(20.0);
    let listener = listen(&route(&packets, |i, sent| Some(if i % 150 == 149 { sent + 40_000 } else { sent })));
    let in_order = listen(&{
        let mut last = 0;
        route(&packets, |i, sent| {
            last = last.max(if i % 150 == 149 { sent + 55_000 } else { sent });
            Some(last)
        })
    });
    assert_eq!(in_order.playout.stats().lost, 0, "{:?}", in_order.playout.stats());
    assert!(listener.playout.stats().lost <= 6, "{:?}", listener.playout.stats());
}

#[test]
fn overtaken_packets_are_not_waited_for_where_the_next_one_brings_a_copy() {
    let pcm = voice(20.0);
    let target_ms = |reported| {
        let packets = packets_of(&pcm, reported, Silence::Sent, (0, 0));
        listen(&route(&packets, |i, sent| Some(if i % 29 == 28 { sent + 60_000 } else { sent })))
            .playout
            .stats()
            .target_ms
    };
    let (with_copies, without) = (target_ms(0.1), target_ms(0.0));
    assert!(with_copies <= 40 && (60..=75).contains(&without), "{with_copies} {without}");
}

#[test]
fn a_network_that_delivers_in_batches_is_waited_for() {
    let packets = speech(20.0);
    let listener = listen(&route(&packets, |_, sent| Some(sent.next_multiple_of(100_000))));
    let stats = listener.playout.stats();
    assert!(stats.lost <= 10 && stats.concealed_samples < 5_800, "{stats:?}");
    assert!((80..=130).contains(&stats.target_ms), "{stats:?}");
}

#[test]
fn wide_jitter_is_waited_for() {
    let packets = speech(20.0);
    let mut dice = Dice(11);
    let listener = listen(&route(&packets, |_, sent| Some(sent + dice.below(200_000))));
    let stats = listener.playout.stats();
    assert!(stats.lost <= 40, "{stats:?}");
    assert!((180..=215).contains(&stats.target_ms), "{stats:?}");
}

#[test]
fn a_loudspeaker_that_asks_in_bursts_gets_the_same_sound() {
    let packets = speech(10.0);
    let mut listener = Listener::new();
    for (i, packet) in packets.iter().enumerate() {
        listener.playout.insert(packet.sent_us, packet.sequence, packet.timestamp, &packet.bytes);
        // 40 ms at once, every 40 ms.
        if i % 2 == 1 {
            for _ in 0..4 {
                listener.now_us = packet.sent_us + 5_000;
                listener.pull();
            }
        }
    }
    let stats = listener.playout.stats();
    assert!(stats.concealed_samples < 48_000 / 5, "{stats:?}");
    assert_eq!(stats.lost, 0, "{stats:?}");
    assert!(loudness(&listener.heard, 1_000, 9_900) > 2_000.0);
}

#[test]
fn every_rung_of_the_ladder_plays_and_recovers_lost_frames() {
    let pcm = voice(12.0);
    for rate in [Rate::FULL, Rate::LOW, Rate::LEAST] {
        let mut capture = Capture::new(Settings { rate, silence: Silence::Sent, ..Settings::default() }).unwrap();
        let (mut listener, mut sequence) = (Listener::new(), 0u16);
        let frame_us = rate.frame.samples() as u64 * 1_000 / 48;
        capture.push(&pcm, &mut |frame| {
            let arrival = u64::from(frame.timestamp) * 1_000 / 48 + frame_us;
            while listener.now_us < arrival {
                listener.pull();
            }
            if sequence % 11 != 10 {
                listener.playout.insert(arrival, sequence, frame.timestamp, frame.bytes);
            }
            sequence += 1;
        });
        let stats = listener.playout.stats();
        assert_eq!((stats.late, stats.lost), (0, u64::from((sequence - 1) / 11)), "{rate:?} {stats:?}");
        assert!(loudness(&listener.heard, 1_000, 11_500) > 1_500.0, "{rate:?}");
    }
}

#[test]
fn a_sender_who_just_stops_is_silence_and_not_endless_loss() {
    let packets = speech(2.0);
    let mut listener = listen(&route(&packets, |_, sent| Some(sent)));
    (0..1_000).for_each(|_| listener.pull());
    let stats = listener.playout.stats();
    assert!(stats.concealed_samples <= 48_000 * 23 / 10 && stats.lost == 0, "{stats:?}");
    assert!(listener.heard[48_000 * 3..].iter().all(|&sample| sample == 0));
    assert!(!listener.playout.speaking());
}

#[test]
fn silence_is_no_loss() {
    let mut pcm = voice(2.0);
    pcm.extend(std::iter::repeat_n(0, 48_000 * 3));
    pcm.extend(voice(2.0));
    let packets = packets_of(&pcm, 0.0, Silence::Rests, (0, 0));
    assert!(packets.len() < 250, "the sender rests: {}", packets.len());
    let listener = listen(&route(&packets, |_, sent| Some(sent)));
    let stats = listener.playout.stats();
    assert_eq!((stats.lost, stats.late), (0, 0), "{stats:?}");
    assert!(stats.concealed_samples <= 200 * 48, "{stats:?}");
    assert!(stats.rested > 48_000 * 2, "{stats:?}");
    assert!(loudness(&listener.heard, 5_200, 6_800) > 2_000.0);
}

#[test]
fn a_new_burst_after_a_long_silence_is_heard_from_its_first_word() {
    let packets = speech(2.0);
    for pause_us in [3_000_000, 60_000_000, 3_600_000_000u64] {
        let mut listener = listen(&route(&packets, |_, sent| Some(sent)));
        let resumes = listener.now_us + pause_us;
        let later: Vec<_> = packets
            .iter()
            .map(|packet| {
                let mut packet = packet.clone();
                packet.sequence = packet.sequence.wrapping_add(packets.len() as u16);
                packet.timestamp = packet.timestamp.wrapping_add((resumes / 1_000 * 48) as u32);
                (resumes + packet.sent_us, packet)
            })
            .collect();
        // A speaker nobody talks on is not pulled for the whole hour.
        listener.now_us = resumes;
        let before = listener.heard.len() / 48;
        listener.hear(&later);
        let stats = listener.playout.stats();
        assert_eq!((stats.late, stats.astray, stats.lost), (0, 0, 0), "{pause_us}: {stats:?}");
        assert!(loudness(&listener.heard, before + 100, before + 300) > 1_500.0, "{pause_us}");
    }
}

#[test]
fn a_sender_that_starts_anew_costs_one_packet() {
    let packets = speech(2.0);
    let mut listener = listen(&route(&packets, |_, sent| Some(sent)));
    let before = listener.now_us;
    let anew: Vec<_> = packets
        .iter()
        .map(|packet| {
            let mut packet = packet.clone();
            packet.sequence = packet.sequence.wrapping_add(30_000);
            packet.timestamp = packet.timestamp.wrapping_sub(1_234_567_890);
            (before + packet.sent_us, packet)
        })
        .collect();
    listener.hear(&anew);
    let stats = listener.playout.stats();
    assert_eq!((stats.astray, stats.inserted), (1, 199), "{stats:?}");
    assert!(loudness(&listener.heard, before as usize / 1_000 + 200, before as usize / 1_000 + 1_900) > 2_000.0);
}

#[test]
fn one_packet_with_wild_numbers_is_refused_and_forgotten() {
    let packets = speech(4.0);
    let clean = listen(&route(&packets, |_, sent| Some(sent)));
    let mut listener = Listener::new();
    for (i, packet) in packets.iter().enumerate() {
        while listener.now_us < packet.sent_us {
            listener.pull();
        }
        listener.insert(packet.sent_us, packet);
        if i % 20 == 10 {
            let wild = packet.timestamp.wrapping_add(0x4000_0000);
            let inserted =
                listener.playout.insert(packet.sent_us, packet.sequence.wrapping_add(1), wild, &packet.bytes);
            assert_eq!(inserted, Inserted::Astray);
        }
    }
    let length = listener.heard.len();
    assert!(listener.heard == clean.heard[..length]);
}

#[test]
fn a_clock_that_goes_back_or_leaps_does_not_stop_the_sound() {
    for leap in [-5_000_000i64, -50_000, 5_000_000] {
        let packets = speech(6.0);
        let mut listener = listen(&route(&packets[..150], |_, sent| Some(sent)));
        let mut wrong = listener.now_us.saturating_add_signed(leap);
        let mut block = [0; 480];
        let from = listener.heard.len() / 48;
        for packet in &packets[150..] {
            listener.playout.insert(wrong, packet.sequence, packet.timestamp, &packet.bytes);
            for _ in 0..2 {
                listener.playout.pull(wrong, &mut block);
                listener.heard.extend_from_slice(&block);
                wrong = wrong.wrapping_add(10_000);
            }
        }
        assert!(loudness(&listener.heard, from + 500, from + 2_900) > 2_000.0, "leap {leap}");
    }
}

#[test]
fn what_is_no_opus_is_refused() {
    let mut playout = Playout::new().unwrap();
    assert_eq!(playout.insert(0, 0, 0, &[]), Inserted::Malformed);
    assert_eq!(playout.insert(0, 0, 0, &[3]), Inserted::Malformed);
    assert_eq!(playout.insert(0, 0, 0, &[0; 1_276]), Inserted::Malformed);
    let mut block = [1; 480];
    playout.pull(0, &mut block);
    assert_eq!(block, [0; 480]);
}

#[derive(Debug, Clone)]
enum Hostile {
    Insert { clock: u64, sequence: u16, timestamp: u32, payload: Vec<u8> },
    Pull { clock: u64 },
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let clock = prop_oneof![4 => 0..3_000_000u64, 1 => any::<u64>()];
    let sequence = prop_oneof![4 => 0..100u16, 1 => any::<u16>()];
    let timestamp = prop_oneof![2 => 0..100_000u32, 2 => (0..100u32).prop_map(|n| n * 960), 1 => any::<u32>()];
    let payload = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..200),
        1 => prop::collection::vec(any::<u8>(), 0..1_300),
        2 => any::<u8>().prop_map(|toc| vec![toc, 1]),
    ];
    prop_oneof![
        (clock.clone(), sequence, timestamp, payload).prop_map(|(clock, sequence, timestamp, payload)| {
            Hostile::Insert { clock, sequence, timestamp, payload }
        }),
        clock.prop_map(|clock| Hostile::Pull { clock }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_a_peer_sends_makes_us_panic_or_lose_count(steps in prop::collection::vec(hostile(), 1..200)) {
        let mut playout = Playout::new().unwrap();
        let (mut block, mut inserts) = ([0; 480], 0);
        for step in steps {
            match step {
                Hostile::Insert { clock, sequence, timestamp, payload } => {
                    inserts += 1;
                    playout.insert(clock, sequence, timestamp, &payload);
                }
                Hostile::Pull { clock } => playout.pull(clock, &mut block),
            }
        }
        let stats = playout.stats();
        prop_assert!(stats.inserted <= inserts);
        prop_assert!(stats.target_ms <= 400);
    }
}

#[test]
fn sound_that_is_held_back_for_pictures_is_heard_whole_and_soon_again_when_it_is_not() {
    let packets = speech(30.0);
    let arrivals = route(&packets, |_, sent| Some(sent + 30_000));
    let mut listener = Listener::new();
    let mut coming = arrivals.iter().peekable();
    let mut delays = Vec::new();
    for (hold_us, seconds) in [(0, 5), (40_000, 10), (0, 10), (u32::MAX, 4)] {
        listener.playout.hold_longer(hold_us);
        for _ in 0..seconds * 100 {
            while let Some((us, packet)) = coming.next_if(|&&(us, _)| us <= listener.now_us) {
                listener.insert(*us, packet);
            }
            listener.pull();
        }
        delays.push(*listener.delays_ms.last().unwrap());
    }
    assert!((30..=50).contains(&(delays[1] - delays[0])) && delays[2] <= delays[0] + 10, "{delays:?} ms");
    assert!(delays[3] <= 410, "{delays:?} ms");
    let stats = listener.playout.stats();
    assert_eq!((stats.late, stats.lost, stats.skipped), (0, 0, 0), "{stats:?}");
}
