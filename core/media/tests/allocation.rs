//! Nothing allocates once a call runs.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sidetone_media::{BurstId, Bursts, Capture, Level, Listening, Mixer, Muted, PreRoll, Settings, Speaker};
use world::{packets_of, voice};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system allocator unchanged; counting touches only a thread-local number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations_of(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn a_call_that_runs_does_not_allocate() {
    let pcm = voice(10.0);
    let packets = packets_of(&pcm, 0.1, sidetone_media::Silence::Sent, (0, 0));
    let mut capture = Capture::new(Settings::default()).unwrap();
    let mut mixer = Mixer::new();
    let speakers: Vec<Speaker> = (0..8).map(Speaker).collect();
    speakers.iter().for_each(|&speaker| mixer.join(speaker).unwrap());
    let mut out = [0; 480];
    let counted = allocations_of(|| {
        for (i, packet) in packets.iter().enumerate() {
            let now = i as u64 * 20_000;
            capture.push(&pcm[i * 960..][..960], &mut |frame| assert!(!frame.bytes.is_empty()));
            capture.set_muted(if i % 100 > 80 { Muted::Yes } else { Muted::No });
            capture.report_loss(if i % 50 > 25 { 0.1 } else { 0.0 });
            for (n, &speaker) in speakers.iter().enumerate() {
                // Each loses and repeats others; one has a long outage and so a jump.
                let lost = i % (7 + n) == 3 || (n == 5 && (100..250).contains(&i));
                if !lost {
                    mixer.insert(now, speaker, packet.sequence, packet.timestamp, &packet.bytes);
                    mixer.insert(now, speaker, packet.sequence, packet.timestamp, &packet.bytes);
                }
            }
            mixer.insert(now, speakers[7], i as u16, 5, &[255; 40]);
            mixer.pull(now, &mut out);
            mixer.pull(now + 10_000, &mut out);
            assert!(mixer.heard().count() == 8 && mixer.stats(speakers[0]).is_some());
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn pushing_to_talk_does_not_allocate() {
    let pcm = voice(4.0);
    let packets = packets_of(&pcm, 0.0, sidetone_media::Silence::Sent, (0, 0));
    let mut capture = Capture::new(Settings::default()).unwrap();
    let mut mixer = Mixer::new();
    (0..12).map(Speaker).for_each(|speaker| mixer.join(speaker).unwrap());
    let (mut past, mut bursts) = (PreRoll::new(), Bursts::new());
    let mut out = [0; 480];
    let counted = allocations_of(|| {
        for (i, packet) in packets.iter().enumerate() {
            let now = i as u64 * 20_000;
            past.push(&pcm[i * 960..][..960]);
            if i % 50 == 40 {
                past.press();
                capture.begin_burst();
                past.give(&mut |part| capture.push(part, &mut |frame| assert!(!frame.bytes.is_empty())));
                capture.flush(&mut |_| {});
                mixer.begin_burst(Speaker(3));
            }
            for speaker in 0..12 {
                mixer.tell(now, Speaker(speaker), Level::new((i as u8).wrapping_mul(speaker as u8)));
                mixer.insert(now, Speaker(speaker), packet.sequence, packet.timestamp, &packet.bytes);
                bursts.keep(BurstId { speaker, burst: i as u32 / 50 }, packet.timestamp, &packet.bytes);
            }
            mixer.listen(if i % 2 == 0 { Listening::Everyone } else { Listening::Only(Speaker(3)) });
            mixer.pull(now, &mut out);
            mixer.pull(now + 10_000, &mut out);
        }
    });
    assert_eq!(counted, 0);
}
