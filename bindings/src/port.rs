//! The media port: sound between the platform's audio threads and a client or a voice note, and encoded pictures of calls
//! and rooms, as seven C functions.
//!
//! It stands beside UniFFI because a microphone frame would cost twenty times more through it. A caller names a client by
//! a number and sound by pointer and length; the number is checked at every call, so that one who calls after the end is
//! told so and nothing else happens. Those for a client's sound neither wait, lock somebody out nor allocate.
//!
//! This file and the one below it are the only ones with unsafe code of ours.

mod pictures;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};

use sidetone::{Loudspeaker, Microphone, NoteRecorder, Video};

use pictures::{Eye, Faces};
pub use pictures::{
    MEDIA_CODEC, MEDIA_DROPPED, MEDIA_HEAD, MEDIA_NEEDS_KEY, MEDIA_NO_CALL, MEDIA_NOT_SHOWN, MEDIA_QUEUED, MEDIA_SHORT,
    MEDIA_TIME, sidetone_media_frame_next, sidetone_media_frame_push, sidetone_media_room_next,
    sidetone_media_room_push,
};
pub(crate) use pictures::{hold, hold_in_room, seen, seen_in_room};

/// No client has this number, or it is closed.
pub const MEDIA_CLOSED: i32 = -1;
/// The length of sound is odd, or more than a second; that of a frame is 0, or more than 1 MiB.
pub const MEDIA_LENGTH: i32 = -2;
/// The pointer is null.
pub const MEDIA_NULL: i32 = -3;
/// Another thread is in the same function for the same client.
pub const MEDIA_BUSY: i32 = -4;
/// A fault inside the library.
pub const MEDIA_FAULT: i32 = -5;

/// The most bytes at once: a second.
const MOST_BYTES: u32 = 96_000;
/// The clients one process may have open at once.
const SLOTS: usize = 256;
/// The voice notes that may be spoken at once.
const NOTES: usize = 16;
/// Samples that are converted at once: 10 ms.
const BLOCK: usize = 480;

/// One end of the sound or the pictures, with the number under which it is reached.
type End<T> = Mutex<Option<(u64, T)>>;

struct Slot {
    microphone: End<Microphone>,
    speaker: End<Loudspeaker>,
    /// Where the camera's and the screen's encoder hand in.
    pictures: [End<Video>; 2],
    eye: End<Eye>,
    faces: End<Faces>,
}

impl Slot {
    fn new() -> Self {
        Self {
            microphone: Mutex::new(None),
            speaker: Mutex::new(None),
            pictures: [const { Mutex::new(None) }; 2],
            eye: Mutex::new(None),
            faces: Mutex::new(None),
        }
    }
}

/// Made with the first client: as a table of empty slots it would be seventy kilobytes of the library.
static TABLE: LazyLock<Box<[Slot]>> = LazyLock::new(|| (0..SLOTS).map(|_| Slot::new()).collect());
static NOTES_SPOKEN: [End<NoteRecorder>; NOTES] = [const { Mutex::new(None) }; NOTES];
static MADE: AtomicU64 = AtomicU64::new(1);

/// Makes the sound and the pictures of a client reachable and gives their number; nothing if too many are.
pub(crate) fn plug(microphone: Microphone, speaker: Loudspeaker, video: &Video) -> Option<u64> {
    for (index, slot) in (0..).zip(&**TABLE) {
        let mut place = lock(&slot.microphone);
        if place.is_some() {
            continue;
        }
        let number = MADE.fetch_add(1, Relaxed) << 8 | index;
        *lock(&slot.speaker) = Some((number, speaker));
        for pictures in &slot.pictures {
            *lock(pictures) = Some((number, video.clone()));
        }
        *lock(&slot.eye) = Some((number, Eye::new(video.clone())));
        *lock(&slot.faces) = Some((number, Faces::new(video.clone())));
        *place = Some((number, microphone));
        return Some(number);
    }
    None
}

/// Makes it unreachable; a call that is going on ends first.
pub(crate) fn unplug(number: u64) {
    let slot = slot(number);
    // The microphone last: its place is what `plug` looks at.
    empty(&slot.speaker, number);
    slot.pictures.iter().for_each(|pictures| empty(pictures, number));
    empty(&slot.eye, number);
    empty(&slot.faces, number);
    empty(&slot.microphone, number);
}

/// Makes a voice note reachable and gives its number; nothing if too many are.
pub(crate) fn plug_note(recorder: NoteRecorder) -> Option<u64> {
    for (index, end) in (0..).zip(&NOTES_SPOKEN) {
        let mut place = lock(end);
        if place.is_none() {
            let number = MADE.fetch_add(1, Relaxed) << 8 | index;
            *place = Some((number, recorder));
            return Some(number);
        }
    }
    None
}

/// Looks at a voice note, if it is there.
pub(crate) fn note<T>(number: u64, look: impl FnOnce(&mut NoteRecorder) -> T) -> Option<T> {
    let mut place = lock(spoken(number)?);
    place.as_mut().filter(|(known, _)| *known == number).map(|(_, recorder)| look(recorder))
}

/// Makes a voice note unreachable and gives it out, if it is there.
pub(crate) fn take_note(number: u64) -> Option<NoteRecorder> {
    lock(spoken(number)?).take_if(|(known, _)| *known == number).map(|(_, recorder)| recorder)
}

fn spoken(number: u64) -> Option<&'static End<NoteRecorder>> {
    // Where none can be begun nothing of one is linked.
    if !cfg!(feature = "calls") {
        return None;
    }
    NOTES_SPOKEN.get((number & 0xff) as usize)
}

fn empty<T>(end: &End<T>, number: u64) {
    let mut place = lock(end);
    if place.as_ref().is_some_and(|(known, _)| *known == number) {
        *place = None;
    }
}

fn slot(number: u64) -> &'static Slot {
    &TABLE[(number & 0xff) as usize]
}

fn lock<T>(end: &End<T>) -> MutexGuard<'_, Option<(u64, T)>> {
    end.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with one end without ever waiting for it.
fn with<T>(end: &End<T>, number: u64, work: impl FnOnce(&mut T) -> i32) -> i32 {
    let mut place = match end.try_lock() {
        Ok(place) => place,
        Err(TryLockError::Poisoned(place)) => place.into_inner(),
        Err(TryLockError::WouldBlock) => return MEDIA_BUSY,
    };
    match place.as_mut().filter(|(known, _)| *known == number) {
        Some((_, end)) => catch_unwind(AssertUnwindSafe(|| work(end))).unwrap_or(MEDIA_FAULT),
        None => MEDIA_CLOSED,
    }
}

fn length(bytes: u32) -> Option<usize> {
    if bytes % 2 == 1 || bytes > MOST_BYTES { None } else { usize::try_from(bytes).ok() }
}

fn taken(samples: usize) -> i32 {
    i32::try_from(2 * samples).unwrap_or(i32::MAX)
}

/// Gives sound from the microphone (mono, 48 kHz, 16 bit in the machine's byte order) to a client and says how many bytes
/// it took: 0 while there is no call, less than all when 200 ms wait. Negative: see the constants.
///
/// # Safety
///
/// `pcm` is null or points to `bytes` readable bytes, of any alignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_push(number: u64, pcm: *const u8, bytes: u32) -> i32 {
    if pcm.is_null() {
        return MEDIA_NULL;
    }
    let Some(bytes) = length(bytes) else { return MEDIA_LENGTH };
    // SAFETY: not null, readable for `bytes` by the caller's promise, at most 96,000 of them, and nobody writes to them
    // during the call; u8 has no alignment and no invalid values.
    let sound = unsafe { std::slice::from_raw_parts(pcm, bytes) };
    with(&slot(number).microphone, number, |microphone| {
        let mut block = [0_i16; BLOCK];
        let mut pushed = 0;
        for piece in sound.chunks(2 * BLOCK) {
            let samples = &mut block[..piece.len() / 2];
            for (sample, pair) in samples.iter_mut().zip(piece.as_chunks().0) {
                *sample = i16::from_ne_bytes(*pair);
            }
            pushed += microphone.push(samples);
        }
        taken(pushed)
    })
}

/// Fills all of `pcm` with what the speaker shall play (mono, 48 kHz, 16 bit in the machine's byte order) and says how
/// many bytes of it are sound; the rest is silence. Negative: see the constants; then all of it is silence.
///
/// # Safety
///
/// `pcm` is null or points to `bytes` writable bytes, of any alignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_pull(number: u64, pcm: *mut u8, bytes: u32) -> i32 {
    if pcm.is_null() {
        return MEDIA_NULL;
    }
    let Some(bytes) = length(bytes) else { return MEDIA_LENGTH };
    // SAFETY: not null, writable for `bytes` by the caller's promise, at most 96,000 of them, and nobody else touches them
    // during the call; u8 has no alignment and no invalid values, and is only written before it is read.
    let sound = unsafe { std::slice::from_raw_parts_mut(pcm, bytes) };
    sound.fill(0);
    with(&slot(number).speaker, number, |speaker| {
        let mut block = [0_i16; BLOCK];
        let mut pulled = 0;
        for piece in sound.chunks_mut(2 * BLOCK) {
            let samples = &mut block[..piece.len() / 2];
            pulled += speaker.pull(samples);
            for (sample, pair) in samples.iter().zip(piece.as_chunks_mut().0) {
                *pair = sample.to_ne_bytes();
            }
        }
        taken(pulled)
    })
}

/// Gives sound (mono, 48 kHz, 16 bit in the machine's byte order) to a voice note and says how many bytes it took: all, or 0
/// once the note is as long as one may be. It encodes: for a recording thread, not for a real-time one. Negative: see the
/// constants.
///
/// # Safety
///
/// `pcm` is null or points to `bytes` readable bytes, of any alignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_note(number: u64, pcm: *const u8, bytes: u32) -> i32 {
    if pcm.is_null() {
        return MEDIA_NULL;
    }
    let Some(bytes) = length(bytes) else { return MEDIA_LENGTH };
    // SAFETY: not null, readable for `bytes` by the caller's promise, at most 96,000 of them, and nobody writes to them
    // during the call; u8 has no alignment and no invalid values.
    let sound = unsafe { std::slice::from_raw_parts(pcm, bytes) };
    let samples: Vec<i16> = sound.as_chunks().0.iter().map(|pair| i16::from_ne_bytes(*pair)).collect();
    let push = || note(number, |recorder| if recorder.push(&samples) { taken(samples.len()) } else { 0 });
    catch_unwind(AssertUnwindSafe(push)).unwrap_or(Some(MEDIA_FAULT)).unwrap_or(MEDIA_CLOSED)
}
