//! Pictures of calls and rooms: the app's encoder pushes frames, its decoder takes them.
//!
//! The core never looks into a frame. What is known of it travels in front of it, both are sealed together (RFC 9605, a track
//! of its own for camera and screen under the sender's key), and the links carry it in parts: a frame is sealed once,
//! however many watch. What comes is put together, opened, and held until the sound that was captured with it is heard.
//!
//! # When a queue is full
//! Out: a frame is dropped, and all after it up to the next key frame, which the app is asked for at most every 300 ms. In:
//! the oldest frames go, and the peer is asked for a key frame.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sidetone_engine::room::RoomCommand;
use sidetone_engine::{Camera, Command, Content, SenderKey, Shows, SoundOrder, Wants};
use sidetone_media::video::{Codec, FrameError, Info, Kind, Pause, Pushed, Rotation, Track as Source};
use sidetone_wire::id::{CallId, MemberId, RoomId};
use tokio::sync::Notify;

use crate::built;
use crate::client::Client;
use crate::error::Error;
use crate::event::Queue;
use crate::link::{MediaPort, VideoPort, VideoStats};

mod stage;

use stage::{Place, Stage};

/// An encoded frame, as the app's encoder gave it or its decoder wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFrame {
    /// Camera or screen.
    pub source: Source,
    /// How it is encoded.
    pub codec: Codec,
    /// Whether it can be decoded alone.
    pub kind: Kind,
    /// How it has to be turned to be upright.
    pub rotation: Rotation,
    /// Spatial or temporal layer as the encoder counts them, at most 15.
    pub layer: u8,
    /// Width in pixels, before turning.
    pub width: u16,
    /// Height in pixels, before turning.
    pub height: u16,
    /// When it was captured: microseconds by the capturing app's clock, from any origin.
    pub captured_us: u64,
    /// The encoded frame, at most 1 MiB.
    pub bytes: Vec<u8>,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VideoError {
    /// There is no call in which both can speak, or we are not in this room.
    #[error("no call is connected, or the room is left")]
    NoCall,
    /// This source is not shown: see [`crate::Client::show`] and [`crate::Client::show_in_room`].
    #[error("this source is not shown")]
    NotShown,
    /// The frame makes no sense, or not now.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// What the app's encoder should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoEvent {
    /// The next frame must be a key frame: somebody cannot go on without. Told at most every 300 ms.
    KeyframeWanted(Source),
    /// What the encoder should make from now on, in bits a second.
    Bitrate(Source, u64),
    /// Frames pushed now go to nobody, and why: the encoder may rest.
    Paused(Source, Pause),
    /// They go to somebody again, from a key frame on.
    Resumed(Source),
}

impl VideoEvent {
    pub(crate) fn replaces(&self, older: &Self) -> bool {
        let pausing = |event: &Self| match event {
            Self::Paused(source, _) | Self::Resumed(source) => Some(*source),
            _ => None,
        };
        match (self, older) {
            (Self::Bitrate(new, _), Self::Bitrate(old, _)) | (Self::KeyframeWanted(new), Self::KeyframeWanted(old)) => {
                new == old
            }
            (new, old) => pausing(new).is_some() && pausing(new) == pausing(old),
        }
    }
}

/// The pictures of the call that is on; clones are the same.
#[derive(Clone)]
pub struct Video {
    shared: Arc<Shared>,
}

/// The pictures of a room; clones are the same. They end when the room is left, and begin anew when it is entered again.
#[derive(Clone)]
pub struct RoomVideo {
    shared: Arc<Shared>,
    room: RoomId,
}

struct Shared {
    call: Mutex<Option<Arc<Stage>>>,
    rooms: Mutex<BTreeMap<RoomId, Arc<Stage>>>,
    queue: Arc<Queue>,
    ready: Arc<Notify>,
    shows: Mutex<Shows>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Video {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        let (call, rooms, shows) = Default::default();
        Self { shared: Arc::new(Shared { call, rooms, queue, ready: Arc::new(Notify::new()), shows }) }
    }

    /// Hands in a frame; it is sealed here, on the caller's thread, and leaves when the path bears it.
    ///
    /// [`Pushed::Dropped`] means that nothing goes before the next key frame.
    ///
    /// # Errors
    ///
    /// [`VideoError`]; the track goes on with the next frame that fits.
    pub fn push(&self, frame: &VideoFrame) -> Result<Pushed, VideoError> {
        self.stage().ok_or(VideoError::NoCall)?.push(frame)
    }

    /// The next frame whose time has come, if any.
    pub fn try_next(&self) -> Option<VideoFrame> {
        self.stage()?.try_next().map(|(_, frame)| frame)
    }

    /// The next frame, when its time has come; waits through calls that end and begin, and is dropped without harm.
    pub async fn next(&self) -> VideoFrame {
        loop {
            let ready = self.shared.ready.notified();
            if let Some(frame) = self.try_next() {
                return frame;
            }
            match self.stage().and_then(|stage| stage.rest()) {
                Some(rest) => drop(tokio::time::timeout(rest, ready).await),
                None => ready.await,
            }
        }
    }

    /// What passed of a source in the call that is on.
    pub fn stats(&self, source: Source) -> Option<VideoStats> {
        self.stage()?.stats(None, source)
    }

    /// How far the last picture of a source was shown behind the sound it belongs to, in microseconds; negative when ahead.
    pub fn behind_us(&self, source: Source) -> Option<i64> {
        self.stage()?.behind_us(None, source)
    }

    /// What the path bears for all pictures together, in bits a second.
    pub fn target_bps(&self) -> Option<u64> {
        self.stage()?.target_bps()
    }

    /// Takes no more of the path than this, in bits a second: a user who pays for bytes.
    pub fn set_limit_bps(&self, limit_bps: u64) {
        if let Some(stage) = self.stage() {
            stage.set_limit_bps(limit_bps);
        }
    }

    /// The pictures of a room of the same client.
    pub fn in_room(&self, room: RoomId) -> RoomVideo {
        RoomVideo { shared: Arc::clone(&self.shared), room }
    }

    fn stage(&self) -> Option<Arc<Stage>> {
        if built::VIDEO { lock(&self.shared.call).clone() } else { None }
    }

    fn call(&self, call: CallId) -> Option<Arc<Stage>> {
        self.stage().filter(|stage| stage.place() == Place::Call(call))
    }

    fn staged(&self, room: RoomId) -> Option<Arc<Stage>> {
        lock(&self.shared.rooms).get(&room).cloned()
    }
}

/// What the driver says.
impl Video {
    /// The call has a link and keys; what was on before is forgotten.
    pub(crate) fn begin(&self, call: CallId, port: VideoPort, sound: MediaPort, send: &SenderKey, receive: &SenderKey) {
        if !built::VIDEO {
            return;
        }
        let stage = Stage::new(Place::Call(call), &self.shared.queue, &self.shared.ready);
        let mut on = lock(&self.shared.call);
        // Before the next begins: they may have the same link.
        if let Some(before) = on.take() {
            before.stop();
        }
        stage.seal_with(send);
        stage.join(None, port, sound);
        stage.open_with(None, receive);
        stage.show(*lock(&self.shared.shows));
        *on = Some(stage);
    }

    /// The call goes on over this link, with the keys that are there.
    pub(crate) fn move_to(&self, call: CallId, port: VideoPort, sound: MediaPort) {
        if let Some(stage) = self.call(call) {
            stage.join(None, port, sound);
        }
    }

    pub(crate) fn seal_with(&self, call: CallId, key: &SenderKey) {
        if let Some(stage) = self.call(call) {
            stage.seal_with(key);
        }
    }

    pub(crate) fn open_with(&self, call: CallId, key: &SenderKey) {
        if let Some(stage) = self.call(call) {
            stage.open_with(None, key);
        }
    }

    pub(crate) fn show(&self, call: CallId, shows: Shows) {
        *lock(&self.shared.shows) = shows;
        if let Some(stage) = self.call(call) {
            stage.show(shows);
        }
    }

    pub(crate) fn wanted(&self, call: CallId, wants: Wants) {
        if let Some(stage) = self.call(call) {
            stage.wanted(None, wants);
        }
    }

    pub(crate) fn stop(&self, call: CallId) {
        *lock(&self.shared.shows) = Shows::default();
        let stage = lock(&self.shared.call).take_if(|stage| stage.place() == Place::Call(call));
        if let Some(stage) = stage {
            stage.stop();
        }
    }

    /// Carries out what concerns pictures of an order for a room; `ports` are those of the link in [`SoundOrder::Member`].
    pub(crate) fn room(&self, room: RoomId, order: &SoundOrder, ports: Option<(VideoPort, MediaPort)>) {
        if !built::VIDEO {
            return;
        }
        let stage = match order {
            SoundOrder::Join { .. } => {
                let stage = Stage::new(Place::Room(room), &self.shared.queue, &Arc::new(Notify::new()));
                let before = lock(&self.shared.rooms).insert(room, stage);
                return before.iter().for_each(|before| before.stop());
            }
            SoundOrder::Leave => {
                let before = lock(&self.shared.rooms).remove(&room);
                return before.iter().for_each(|before| before.stop());
            }
            _ => self.staged(room),
        };
        let Some(stage) = stage else { return };
        match order {
            SoundOrder::SealWith(key) => stage.seal_with(key),
            SoundOrder::Member { member, .. } => {
                if let Some((port, sound)) = ports {
                    stage.join(Some(*member), port, sound);
                }
            }
            SoundOrder::OpenWith { member, key } => stage.open_with(Some(*member), key),
            SoundOrder::Gone { member } => stage.leave(Some(*member)),
            SoundOrder::Show(shows) => stage.show(*shows),
            SoundOrder::Wanted { member, wants } => stage.wanted(Some(*member), *wants),
            _ => {}
        }
    }

    pub(crate) fn close(&self) {
        let call = lock(&self.shared.call).take();
        let rooms = std::mem::take(&mut *lock(&self.shared.rooms));
        call.into_iter().chain(rooms.into_values()).for_each(|stage| stage.stop());
    }
}

impl RoomVideo {
    /// Hands in a frame for everybody who watches; sealed once, on the caller's thread.
    ///
    /// [`Pushed::Dropped`] means that nobody gets it. Whoever misses a frame gets nothing before the next key frame.
    ///
    /// # Errors
    ///
    /// [`VideoError`]; the track goes on with the next frame that fits.
    pub fn push(&self, frame: &VideoFrame) -> Result<Pushed, VideoError> {
        self.stage().ok_or(VideoError::NoCall)?.push(frame)
    }

    /// The next frame of anybody whose time has come, if any.
    pub fn try_next(&self) -> Option<(MemberId, VideoFrame)> {
        let (who, frame) = self.stage()?.try_next()?;
        Some((who?, frame))
    }

    /// The next frame of anybody, when its time has come; none once we are out of the room. Dropped without harm.
    pub async fn next(&self) -> Option<(MemberId, VideoFrame)> {
        loop {
            let stage = self.stage()?;
            let ready = stage.ready().notified();
            if let Some((Some(member), frame)) = stage.try_next() {
                return Some((member, frame));
            }
            if stage.is_over() {
                return None;
            }
            match stage.rest() {
                Some(rest) => drop(tokio::time::timeout(rest, ready).await),
                None => ready.await,
            }
        }
    }

    /// What passed of a source between us and a member.
    pub fn stats(&self, member: MemberId, source: Source) -> Option<VideoStats> {
        self.stage()?.stats(Some(member), source)
    }

    /// Whether the path to a member bears our pictures of a source; while it does not, the member hears us only.
    pub fn follows(&self, member: MemberId, source: Source) -> bool {
        self.stage().is_some_and(|stage| stage.follows(Some(member), source))
    }

    /// How far the last picture of a member was shown behind the sound it belongs to, in microseconds; negative when ahead.
    pub fn behind_us(&self, member: MemberId, source: Source) -> Option<i64> {
        self.stage()?.behind_us(Some(member), source)
    }

    /// What the weakest path bears for all pictures together, in bits a second; none while nobody is there.
    pub fn target_bps(&self) -> Option<u64> {
        self.stage()?.target_bps()
    }

    /// Takes no more of each path than this, in bits a second, for as long as we are in the room.
    pub fn set_limit_bps(&self, limit_bps: u64) {
        if let Some(stage) = self.stage() {
            stage.set_limit_bps(limit_bps);
        }
    }

    fn stage(&self) -> Option<Arc<Stage>> {
        lock(&self.shared.rooms).get(&self.room).cloned()
    }
}

impl Client {
    /// Shows the other side pictures, or no longer; the camera and the screen may be shown at once. Frames go through
    /// [`Client::video`] from [`VideoEvent::Bitrate`] on.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn show(&self, call: CallId, shows: Shows) -> Result<(), Error> {
        self.done(Command::Show(call, shows)).await
    }

    /// Shows the camera, or no longer, and leaves the screen as it is.
    ///
    /// # Errors
    ///
    /// As [`Client::show`].
    pub async fn show_camera(&self, call: CallId, camera: Camera) -> Result<(), Error> {
        self.done(Command::ShowCamera(call, camera)).await
    }

    /// Shares the screen with what is on it, or no longer, and leaves the camera as it is.
    ///
    /// # Errors
    ///
    /// As [`Client::show`].
    pub async fn show_screen(&self, call: CallId, screen: Option<Content>) -> Result<(), Error> {
        self.done(Command::ShowScreen(call, screen)).await
    }

    /// Tells the other side how large its pictures are of use here: 0 lines for none at all, and then none are sent. Its app
    /// reads it in [`crate::CallView::their_wants`] and lets its encoder make no more.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn want(&self, call: CallId, wants: Wants) -> Result<(), Error> {
        self.done(Command::Want(call, wants)).await
    }

    /// Shows everybody in a room pictures, or no longer. Frames go through [`Client::room_video`] from
    /// [`VideoEvent::Bitrate`] on; who shows what is in [`crate::MemberView::shows`].
    ///
    /// # Errors
    ///
    /// [`crate::RoomFailure::NoSuchRoom`] and what any command can meet.
    pub async fn show_in_room(&self, room: RoomId, shows: Shows) -> Result<(), Error> {
        self.done(Command::Room(RoomCommand::Show(room, shows))).await
    }

    /// Tells a member how large its pictures are of use here: 0 lines for none at all, and then none are sent to us. The largest
    /// that anybody wants is in [`crate::RoomView::wants`] of who shows them.
    ///
    /// # Errors
    ///
    /// [`crate::RoomFailure::NoSuchRoom`], [`crate::RoomFailure::NoSuchMember`] and what any command can meet.
    pub async fn want_in_room(&self, room: RoomId, member: MemberId, wants: Wants) -> Result<(), Error> {
        self.done(Command::Room(RoomCommand::Want(room, member, wants))).await
    }

    /// The pictures of a room.
    pub fn room_video(&self, room: RoomId) -> RoomVideo {
        self.video().in_room(room)
    }
}

fn frame(source: Source, info: &Info, bytes: Vec<u8>) -> VideoFrame {
    let Info { codec, kind, rotation, layer, width, height, captured_us, .. } = *info;
    VideoFrame { source, codec, kind, rotation, layer, width, height, captured_us, bytes }
}
