//! Pictures of a call, with a friend or a stranger, but for the encoded frames themselves: those go through the media port.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use sidetone::{Content, RoomId, RoomVideo, Source, Video};
use tokio::sync::watch;

use crate::client::{RawClient, SoundHandle};
use crate::count::Live;
use crate::error::SidetoneError;
use crate::id::CallId;
use crate::operation::runtime;
use crate::port;

/// A track of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum VideoSource {
    /// The camera.
    Camera,
    /// The shared screen.
    Screen,
}

/// How pictures are encoded: the app encodes and decodes, the library never looks into a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
#[repr(u8)]
pub enum VideoCodec {
    /// H.264, Annex B.
    H264 = 1,
    /// H.265, Annex B.
    H265 = 2,
    /// VP8.
    Vp8 = 3,
    /// VP9.
    Vp9 = 4,
    /// AV1, a temporal unit.
    Av1 = 5,
}

/// How a picture has to be turned clockwise to be upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum VideoRotation {
    /// It is upright.
    None,
    /// A quarter turn.
    Quarter,
    /// Half a turn.
    Half,
    /// Three quarters of a turn.
    ThreeQuarters,
}

/// What is known of an encoded frame beside its bytes. It is sealed with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Record)]
pub struct FrameInfo {
    /// Camera or screen.
    pub source: VideoSource,
    /// How it is encoded.
    pub codec: VideoCodec,
    /// Whether it can be decoded without the frames before it.
    pub key: bool,
    /// How it has to be turned.
    pub rotation: VideoRotation,
    /// Spatial or temporal layer as the encoder counts them, at most 15.
    pub layer: u8,
    /// Width in pixels, before turning.
    pub width: u16,
    /// Height in pixels, before turning.
    pub height: u16,
    /// When it was captured: microseconds by the capturing phone's clock, from any origin, below 2^56.
    pub captured_us: u64,
}

/// What became of a frame that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum PushedFrame {
    /// It leaves when the path bears it.
    Queued,
    /// More than the path bears: nothing goes before the next key frame, which the encoder should make now.
    Dropped,
    /// There is no call in which both can speak, or we are not in the room.
    NoCall,
    /// This source is not shown: see `Call.setCamera`, `Call.setScreenShare` and `Room.show`.
    NotShown,
    /// A key frame is needed first.
    NeedsKey,
    /// Another codec than that of the frame before, without a key frame.
    OtherCodec,
    /// Captured before the frame before it, or more than a minute after it.
    WrongTime,
    /// A width or height of 0, or a layer above 15.
    WrongSize,
    /// Nothing, or more than 1 MiB.
    WrongLength,
    /// Another thread is handing in a frame of the same source.
    Busy,
    /// The client is closed.
    Closed,
    /// A fault inside the library.
    Fault,
}

/// Which pictures one side of a call, or somebody in a room, shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Shows {
    /// Whether its camera is on.
    #[uniffi(default = false)]
    pub camera: bool,
    /// Whether its screen is shared, and what is on it.
    #[uniffi(default = None)]
    pub screen: Option<ScreenContent>,
}

/// What is on a shared screen: what to give up first when the path is thin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum ScreenContent {
    /// Writing: sharp rather than smooth.
    Text,
    /// A film or a game: smooth rather than sharp.
    Motion,
}

/// How large pictures are of use to a viewer, in lines; 0 for none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Wants {
    /// Of the camera.
    #[uniffi(default = 65535)]
    pub camera: u16,
    /// Of the screen.
    #[uniffi(default = 65535)]
    pub screen: u16,
}

/// What an encoder should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum VideoEvent {
    /// The next frame must be a key frame: somebody cannot go on without. Told at most every 300 ms.
    KeyframeWanted {
        /// Of which encoder.
        source: VideoSource,
    },
    /// What the encoder should make from now on.
    Bitrate {
        /// Which encoder.
        source: VideoSource,
        /// Bits a second.
        bps: u64,
    },
    /// Frames that are handed in now go to nobody: the encoder may rest.
    Paused {
        /// Which encoder.
        source: VideoSource,
        /// Why.
        reason: VideoPause,
    },
    /// Frames go to somebody again, from a key frame on.
    Resumed {
        /// Which encoder.
        source: VideoSource,
    },
}

/// Why frames go to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum VideoPause {
    /// The path bears the voice alone; it is tried now and then.
    Path,
    /// Nobody is there who wants to see it.
    Unwatched,
}

impl From<sidetone::Pause> for VideoPause {
    fn from(reason: sidetone::Pause) -> Self {
        match reason {
            sidetone::Pause::Path => Self::Path,
            sidetone::Pause::Unwatched => Self::Unwatched,
        }
    }
}

/// What passed of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Record)]
pub struct VideoFigures {
    /// Frames of ours that were queued.
    pub frames_sent: u64,
    /// Frames of ours that were dropped.
    pub frames_dropped: u64,
    /// Bytes of ours on the wire.
    pub bytes_sent: u64,
    /// Packets of ours that were sent again.
    pub repeats: u64,
    /// Frames of theirs that came whole.
    pub frames_received: u64,
    /// Times that frames of theirs were given up.
    pub gaps: u64,
    /// Packets that came after they were asked for.
    pub recovered: u64,
    /// How far their last picture was shown behind the sound it belongs to, in microseconds; negative when ahead.
    pub behind_us: Option<i64>,
}

/// Waits for frames of the other side or of anybody in a room, which the media port then gives.
#[derive(uniffi::Object)]
pub struct RawFrames {
    sound: SoundHandle,
    watched: Watched,
    closing: watch::Receiver<bool>,
    over: watch::Sender<bool>,
    _live: Live,
}

#[uniffi::export]
impl RawFrames {
    /// Waits until there is a frame; false once the client is closed, the room is left, or this was cancelled.
    pub async fn ready(&self) -> bool {
        let (mut closing, mut over) = (self.closing.clone(), self.over.subscribe());
        let wait = async {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => false,
                _ = over.wait_for(|over| *over) => false,
                held = self.held() => held,
            }
        };
        // It waits by the clock, for which it must be inside a runtime: the app's executor is none.
        let Some(runtime) = runtime() else { return false };
        let mut wait = pin!(wait);
        std::future::poll_fn(move |cx| {
            let _inside = runtime.enter();
            wait.as_mut().poll(cx)
        })
        .await
    }

    /// Ends the wait at once, and every later one.
    pub fn cancel(&self) {
        self.over.send_replace(true);
    }
}

/// Whose frames are waited for.
pub(crate) enum Watched {
    /// The other side's of the call that is on.
    Call(Video),
    /// Everybody's in a room.
    Room(RoomId, RoomVideo),
}

impl RawFrames {
    pub(crate) fn of(client: &RawClient, watched: Watched) -> Arc<Self> {
        let (sound, closing, over) = (client.sound(), client.closing(), watch::Sender::new(false));
        Arc::new(Self { sound, watched, closing, over, _live: Live::begin() })
    }

    /// Returns when the media port has a frame, or never will again; dropped without harm.
    async fn held(&self) -> bool {
        let number = self.sound.value;
        match &self.watched {
            Watched::Call(video) => {
                if port::seen(number) != Some(true) {
                    port::hold(number, video.next().await);
                }
            }
            Watched::Room(room, video) => {
                if port::seen_in_room(number, *room) != Some(true) {
                    let Some(frame) = video.next().await else { return false };
                    port::hold_in_room(number, *room, frame);
                }
            }
        }
        true
    }
}

/// Pictures of a call.
#[uniffi::export]
impl RawClient {
    /// Shows the camera, or no longer. Frames are taken once the event `Bitrate` says so.
    pub async fn show_camera(&self, call: CallId, on: bool) -> Result<(), SidetoneError> {
        let camera = if on { sidetone::Camera::On } else { sidetone::Camera::Off };
        Ok(self.inner().show_camera(call.inner()?, camera).await?)
    }

    /// Shares the screen, with what is on it, or no longer.
    pub async fn show_screen(&self, call: CallId, screen: Option<ScreenContent>) -> Result<(), SidetoneError> {
        Ok(self.inner().show_screen(call.inner()?, screen.map(Content::from)).await?)
    }

    /// Tells the other side how large its pictures are of use here.
    pub async fn want(&self, call: CallId, wants: Wants) -> Result<(), SidetoneError> {
        Ok(self.inner().want(call.inner()?, wants.into()).await?)
    }

    /// Waits for frames of the other side.
    pub fn frames(&self) -> Arc<RawFrames> {
        RawFrames::of(self, Watched::Call(self.inner().video()))
    }

    /// What passed of a track in the call that is on; none without a call.
    pub fn video_figures(&self, source: VideoSource) -> Result<Option<VideoFigures>, SidetoneError> {
        let (video, source) = (self.pictures()?, Source::from(source));
        Ok(video.stats(source).map(|stats| figures(&stats, video.behind_us(source))))
    }

    /// Takes no more of the path than this for all pictures together, in bits a second: for a user who pays for bytes. Of the
    /// call that is on; without one nothing happens.
    pub fn limit_video(&self, bps: u64) -> Result<(), SidetoneError> {
        self.pictures()?.set_limit_bps(bps);
        Ok(())
    }
}

impl RawClient {
    pub(crate) fn pictures(&self) -> Result<Video, SidetoneError> {
        if *self.closing().borrow() { Err(sidetone::Error::Closed.into()) } else { Ok(self.inner().video()) }
    }
}

pub(crate) fn figures(stats: &sidetone::VideoStats, behind_us: Option<i64>) -> VideoFigures {
    VideoFigures {
        frames_sent: stats.sent.frames,
        frames_dropped: stats.sent.dropped,
        bytes_sent: stats.sent.bytes,
        repeats: stats.sent.repeats,
        frames_received: stats.received.frames,
        gaps: stats.received.gaps,
        recovered: stats.received.recovered,
        behind_us,
    }
}

impl From<VideoSource> for Source {
    fn from(source: VideoSource) -> Self {
        match source {
            VideoSource::Camera => Self::Camera,
            VideoSource::Screen => Self::Screen,
        }
    }
}

impl From<Source> for VideoSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Camera => Self::Camera,
            Source::Screen => Self::Screen,
        }
    }
}

impl From<ScreenContent> for Content {
    fn from(content: ScreenContent) -> Self {
        match content {
            ScreenContent::Text => Self::Text,
            ScreenContent::Motion => Self::Motion,
        }
    }
}

impl From<sidetone::Shows> for Shows {
    fn from(shows: sidetone::Shows) -> Self {
        let content = |content| match content {
            Content::Text => ScreenContent::Text,
            Content::Motion => ScreenContent::Motion,
        };
        Self { camera: shows.camera, screen: shows.screen.map(content) }
    }
}

impl From<Shows> for sidetone::Shows {
    fn from(shows: Shows) -> Self {
        Self { camera: shows.camera, screen: shows.screen.map(Content::from) }
    }
}

impl From<Wants> for sidetone::Wants {
    fn from(Wants { camera, screen }: Wants) -> Self {
        Self { camera, screen }
    }
}

impl From<sidetone::Wants> for Wants {
    fn from(wants: sidetone::Wants) -> Self {
        Self { camera: wants.camera, screen: wants.screen }
    }
}

impl From<sidetone::VideoEvent> for VideoEvent {
    fn from(event: sidetone::VideoEvent) -> Self {
        use sidetone::VideoEvent as Told;
        match event {
            Told::KeyframeWanted(source) => Self::KeyframeWanted { source: source.into() },
            Told::Bitrate(source, bps) => Self::Bitrate { source: source.into(), bps },
            Told::Paused(source, reason) => Self::Paused { source: source.into(), reason: reason.into() },
            Told::Resumed(source) => Self::Resumed { source: source.into() },
        }
    }
}
