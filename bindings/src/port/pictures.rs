//! Pictures of the media port: encoded frames by pointer and length, with what is known of them in a head of 24 bytes.

use std::collections::{BTreeMap, VecDeque};

use sidetone::{
    Codec, FrameError, FrameKind, MemberId, Pushed, RoomId, Rotation, Source, Video, VideoError, VideoFrame,
};

use super::{MEDIA_LENGTH, MEDIA_NULL, lock, slot, with};

/// The frame waits for its turn to leave.
pub const MEDIA_QUEUED: i32 = 1;
/// More than the path bears was pushed: nothing goes before the next key frame, which the encoder should make now.
pub const MEDIA_DROPPED: i32 = 0;
/// There is no call in which both can speak, or we are not in this room.
pub const MEDIA_NO_CALL: i32 = -6;
/// This source is not shown.
pub const MEDIA_NOT_SHOWN: i32 = -7;
/// A key frame is needed first.
pub const MEDIA_NEEDS_KEY: i32 = -8;
/// Another codec than the one before, without a key frame.
pub const MEDIA_CODEC: i32 = -9;
/// Captured before the frame before it, or more than a minute after it, or from 2^56 us on.
pub const MEDIA_TIME: i32 = -10;
/// The head makes no sense: a width or height of 0, a layer above 15, or no such source, codec, kind or rotation.
pub const MEDIA_HEAD: i32 = -11;
/// The buffer is too small: the head says how many bytes are needed, and the frame waits.
pub const MEDIA_SHORT: i32 = -12;

/// Bytes of a head: `sidetone_frame` of the header.
const HEAD: usize = 24;
/// Bytes of a room's or a member's id.
const ID: usize = 16;
/// The largest encoded frame.
const FRAME: usize = 1 << 20;

/// What comes, and what was asked for and not taken yet: a frame, or one for each thread that waits at once.
pub(crate) struct Eye {
    video: Video,
    held: VecDeque<VideoFrame>,
}

impl Eye {
    pub(super) fn new(video: Video) -> Self {
        Self { video, held: VecDeque::new() }
    }

    fn first(&mut self) -> Option<&VideoFrame> {
        if self.held.is_empty() {
            self.held.extend(self.video.try_next());
        }
        self.held.front()
    }
}

/// The same for rooms, each with frames of its own.
pub(crate) struct Faces {
    video: Video,
    held: BTreeMap<RoomId, VecDeque<(MemberId, VideoFrame)>>,
}

impl Faces {
    pub(super) fn new(video: Video) -> Self {
        Self { video, held: BTreeMap::new() }
    }

    fn first(&mut self, room: RoomId) -> Option<&(MemberId, VideoFrame)> {
        if !self.held.contains_key(&room) {
            self.held.insert(room, VecDeque::from([self.video.in_room(room).try_next()?]));
        }
        self.held.get(&room)?.front()
    }

    fn drop_first(&mut self, room: RoomId) {
        if let Some(held) = self.held.get_mut(&room) {
            held.pop_front();
        }
        self.held.retain(|_, held| !held.is_empty());
    }
}

/// Whether a frame of the call can be taken now; nothing if no client has this number.
pub(crate) fn seen(number: u64) -> Option<bool> {
    let mut place = lock(&slot(number).eye);
    place.as_mut().filter(|(known, _)| *known == number).map(|(_, eye)| eye.first().is_some())
}

/// Keeps a frame of the call until the app takes it.
pub(crate) fn hold(number: u64, frame: VideoFrame) {
    if let Some((_, eye)) = lock(&slot(number).eye).as_mut().filter(|(known, _)| *known == number) {
        eye.held.push_back(frame);
    }
}

/// Whether a frame of a room can be taken now; nothing if no client has this number.
pub(crate) fn seen_in_room(number: u64, room: RoomId) -> Option<bool> {
    let mut place = lock(&slot(number).faces);
    place.as_mut().filter(|(known, _)| *known == number).map(|(_, faces)| faces.first(room).is_some())
}

/// Keeps a frame of a room until the app takes it.
pub(crate) fn hold_in_room(number: u64, room: RoomId, frame: (MemberId, VideoFrame)) {
    if let Some((_, faces)) = lock(&slot(number).faces).as_mut().filter(|(known, _)| *known == number) {
        faces.held.entry(room).or_default().push_back(frame);
    }
}

/// Hands a client an encoded frame of its camera or screen, and says what became of it: [`MEDIA_QUEUED`], [`MEDIA_DROPPED`],
/// or one of the negative constants; the track goes on with the next frame that fits. It is sealed here: for the encoder's
/// thread, one at a time for each source.
///
/// # Safety
///
/// `head` is null or points to 24 readable bytes (`sidetone_frame`); `encoded` is null or points to as many as the head says
/// in `bytes`; both of any alignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_frame_push(number: u64, head: *const u8, encoded: *const u8) -> i32 {
    // SAFETY: the caller's promise is this function's.
    unsafe { push(number, head, encoded, Video::push) }
}

/// The same for everybody in a room: [`MEDIA_NO_CALL`] where we are not in it.
///
/// # Safety
///
/// As [`sidetone_media_frame_push`]; `room` is null or points to the 16 readable bytes of its id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_room_push(
    number: u64,
    room: *const u8,
    head: *const u8,
    encoded: *const u8,
) -> i32 {
    if room.is_null() {
        return MEDIA_NULL;
    }
    // SAFETY: not null, readable for an id by the caller's promise; u8 has no alignment and no invalid values.
    let room = RoomId(unsafe { *room.cast::<[u8; ID]>() });
    // SAFETY: the caller's promise is this function's.
    unsafe { push(number, head, encoded, |video, frame| video.in_room(room).push(frame)) }
}

/// # Safety
///
/// As [`sidetone_media_frame_push`].
unsafe fn push(
    number: u64,
    head: *const u8,
    encoded: *const u8,
    hand_in: impl FnOnce(&Video, &VideoFrame) -> Result<Pushed, VideoError>,
) -> i32 {
    if head.is_null() || encoded.is_null() {
        return MEDIA_NULL;
    }
    // Where no call shows pictures nothing that seals them is linked.
    if !cfg!(feature = "video") {
        return MEDIA_NO_CALL;
    }
    // SAFETY: not null, readable for a head by the caller's promise, and nobody writes to it during the call; u8 has no
    // alignment and no invalid values.
    let head = unsafe { *head.cast::<[u8; HEAD]>() };
    let Some((mut frame, bytes)) = read(&head) else { return MEDIA_HEAD };
    if bytes == 0 || bytes > FRAME {
        return MEDIA_LENGTH;
    }
    // SAFETY: as above, readable for `bytes`, at most 1 MiB.
    frame.bytes = unsafe { std::slice::from_raw_parts(encoded, bytes) }.to_vec();
    with(&slot(number).pictures[frame.source as usize], number, |video| match hand_in(video, &frame) {
        Ok(Pushed::Queued) => MEDIA_QUEUED,
        Ok(Pushed::Dropped) => MEDIA_DROPPED,
        Err(VideoError::NoCall) => MEDIA_NO_CALL,
        Err(VideoError::NotShown) => MEDIA_NOT_SHOWN,
        Err(VideoError::Frame(error)) => match error {
            FrameError::Empty | FrameError::TooLarge => MEDIA_LENGTH,
            FrameError::Size => MEDIA_HEAD,
            FrameError::Time => MEDIA_TIME,
            FrameError::Codec => MEDIA_CODEC,
            FrameError::NeedsKey => MEDIA_NEEDS_KEY,
        },
    })
}

/// Takes the next frame of the other side whose time has come: fills the head, copies the frame and says how many bytes it
/// has, 0 if there is none. [`MEDIA_SHORT`] if it does not fit: then only the head is filled.
///
/// # Safety
///
/// `head` is null or points to 24 writable bytes (`sidetone_frame`); `encoded` is null or points to `capacity` writable bytes;
/// both of any alignment, and not the same ones.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_frame_next(number: u64, head: *mut u8, encoded: *mut u8, capacity: u32) -> i32 {
    if head.is_null() || encoded.is_null() {
        return MEDIA_NULL;
    }
    with(&slot(number).eye, number, |eye| {
        let Some(frame) = eye.first() else { return 0 };
        // SAFETY: neither is null, and the caller's promise is this function's.
        let length = unsafe { give(frame, head, encoded, capacity) };
        if length > 0 {
            eye.held.pop_front();
        }
        length
    })
}

/// The same of anybody in a room; whose it is goes to `member`, also for [`MEDIA_SHORT`].
///
/// # Safety
///
/// As [`sidetone_media_frame_next`]; `room` is null or points to the 16 readable bytes of its id, `member` to 16 writable ones,
/// which are not among the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sidetone_media_room_next(
    number: u64,
    room: *const u8,
    head: *mut u8,
    member: *mut u8,
    encoded: *mut u8,
    capacity: u32,
) -> i32 {
    if room.is_null() || head.is_null() || member.is_null() || encoded.is_null() {
        return MEDIA_NULL;
    }
    // SAFETY: not null, readable for an id by the caller's promise; u8 has no alignment and no invalid values.
    let room = RoomId(unsafe { *room.cast::<[u8; ID]>() });
    with(&slot(number).faces, number, |faces| {
        let Some((whose, frame)) = faces.first(room) else { return 0 };
        // SAFETY: not null, writable for an id by the caller's promise, and nobody else touches it during the call.
        unsafe { *member.cast::<[u8; ID]>() = *whose.as_bytes() };
        // SAFETY: neither is null, and the caller's promise is this function's.
        let length = unsafe { give(frame, head, encoded, capacity) };
        if length > 0 {
            faces.drop_first(room);
        }
        length
    })
}

/// Fills a head and copies a frame, if it fits.
///
/// # Safety
///
/// As [`sidetone_media_frame_next`]; neither is null.
unsafe fn give(frame: &VideoFrame, head: *mut u8, encoded: *mut u8, capacity: u32) -> i32 {
    // SAFETY: writable for a head by the caller's promise, and nobody else touches it during the call; u8 has no alignment
    // and no invalid values.
    write(frame, unsafe { &mut *head.cast::<[u8; HEAD]>() });
    let length = frame.bytes.len();
    if length > usize::try_from(capacity).unwrap_or(usize::MAX) {
        return MEDIA_SHORT;
    }
    // SAFETY: as above, writable for `capacity`, of which `length` are touched.
    unsafe { std::slice::from_raw_parts_mut(encoded, length) }.copy_from_slice(&frame.bytes);
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// Reads a head: the frame without its bytes, and how many those are.
fn read(head: &[u8; HEAD]) -> Option<(VideoFrame, usize)> {
    let [time @ .., b0, b1, b2, b3, w0, w1, h0, h1, source, codec, key, rotation, layer, _, _, _] = *head;
    let source = *Source::ALL.get(usize::from(source))?;
    let codec = [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1]
        .into_iter()
        .find(|known| *known as u8 == codec)?;
    let kind = *[FrameKind::Delta, FrameKind::Key].get(usize::from(key))?;
    let turns = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];
    let rotation = *turns.get(usize::from(rotation))?;
    let (width, height) = (u16::from_ne_bytes([w0, w1]), u16::from_ne_bytes([h0, h1]));
    let (captured_us, bytes) = (u64::from_ne_bytes(time), Vec::new());
    let frame = VideoFrame { source, codec, kind, rotation, layer, width, height, captured_us, bytes };
    Some((frame, usize::try_from(u32::from_ne_bytes([b0, b1, b2, b3])).ok()?))
}

fn write(frame: &VideoFrame, head: &mut [u8; HEAD]) {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = frame.captured_us.to_ne_bytes();
    let [b0, b1, b2, b3] = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX).to_ne_bytes();
    let ([w0, w1], [h0, h1]) = (frame.width.to_ne_bytes(), frame.height.to_ne_bytes());
    let (source, codec, key) = (frame.source as u8, frame.codec as u8, u8::from(frame.kind == FrameKind::Key));
    let (rotation, layer) = (frame.rotation as u8, frame.layer);
    *head =
        [t0, t1, t2, t3, t4, t5, t6, t7, b0, b1, b2, b3, w0, w1, h0, h1, source, codec, key, rotation, layer, 0, 0, 0];
}
