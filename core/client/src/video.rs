//! Pictures of a call: the app's encoder pushes frames, its decoder takes them.
//!
//! The core never looks into a frame. What is known of it travels in front of it, both are sealed together (RFC 9605, a track
//! of its own for camera and screen under the sender's key), and the link carries the parts. What comes is put together,
//! opened, and held until the sound that was captured with it is heard.
//!
//! # When a queue is full
//! Out: a frame is dropped, and all after it up to the next key frame, which the app is asked for at most every 300 ms. In:
//! the oldest frames go, and the peer is asked for a key frame.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sidetone_crypto::sframe::{Opener, Sealer};
use sidetone_engine::{Camera, Command, Content, SenderKey, Shows, Wants};
use sidetone_media::video::{
    Codec, FrameError, Gate, INFO_BYTES, Info, Kind, Presenter, Pushed, Rotation, Track as Source, split,
};
use sidetone_wire::id::CallId;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::built;
use crate::client::Client;
use crate::clock;
use crate::error::Error;
use crate::event::{Event, Queue};
use crate::link::{VideoPort, VideoStats};
use crate::media::Figures;

/// Sound is the first track of a sender; pictures follow.
const FIRST_TRACK: u8 = 1;
/// The app is asked for a key frame no more often than this.
const KEY_US: u64 = 300_000;
/// Beside news of the link, the state is looked at this often.
const LOOK: Duration = Duration::from_millis(250);
/// A path that bears less than this bears no picture.
const THIN_BPS: u64 = 60_000;
/// For how long before pictures pause.
const THIN_US: u64 = 2_000_000;
/// For how long they pause first, and at most: each pause is twice as long as the one before it.
const PAUSE_US: (u64, u64) = (5_000_000, 40_000_000);
/// A change of the bit rate by less than an eighth is not worth telling.
const EIGHTH: u64 = 8;

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
    /// There is no call in which both can speak.
    #[error("no call is connected")]
    NoCall,
    /// This source is not shown: see [`crate::Client::show`].
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
    /// The path bears the voice alone: frames pushed now are dropped. The encoder may rest.
    Paused(Source),
    /// The path is tried again, with a key frame.
    Resumed(Source),
}

impl VideoEvent {
    pub(crate) fn replaces(&self, older: &Self) -> bool {
        let pausing = |event: &Self| match event {
            Self::Paused(source) | Self::Resumed(source) => Some(*source),
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

struct Shared {
    talk: Mutex<Option<Arc<Talk>>>,
    figures: Arc<Figures>,
    queue: Arc<Queue>,
    ready: Notify,
    shows: Mutex<Shows>,
}

/// Pictures over one link.
struct Talk {
    call: CallId,
    port: Mutex<VideoPort>,
    out: [Mutex<Lane>; 2],
    eye: Mutex<Eye>,
    watching: Mutex<Option<AbortHandle>>,
}

/// One of our sources.
struct Lane {
    source: Source,
    sealer: Sealer,
    gate: Gate,
    shown: bool,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    told_bps: u64,
    key_told_us: Option<u64>,
    thin_since_us: Option<u64>,
    paused_until_us: Option<u64>,
    pause_us: u64,
}

/// What we see.
struct Eye {
    opener: Opener,
    presenters: [Presenter; 2],
    plain: Vec<u8>,
    refused: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sealer(key: &SenderKey, source: Source) -> Sealer {
    Sealer::new(&key.base, key.generation, FIRST_TRACK + source as u8)
}

impl Video {
    pub(crate) fn new(figures: Arc<Figures>, queue: Arc<Queue>) -> Self {
        let (talk, shows) = (Mutex::new(None), Mutex::new(Shows::default()));
        Self { shared: Arc::new(Shared { talk, figures, queue, ready: Notify::new(), shows }) }
    }

    /// Hands in a frame; it is sealed and cut here, on the caller's thread, and leaves when the path bears it.
    ///
    /// [`Pushed::Dropped`] means that nothing goes before the next key frame.
    ///
    /// # Errors
    ///
    /// [`VideoError`]; the track goes on with the next frame that fits.
    pub fn push(&self, frame: &VideoFrame) -> Result<Pushed, VideoError> {
        let talk = self.talk().ok_or(VideoError::NoCall)?;
        let mut lane = lock(&talk.out[frame.source as usize]);
        if !lane.shown {
            return Err(VideoError::NotShown);
        }
        let now_us = clock::micros();
        let info = Info {
            codec: frame.codec,
            kind: frame.kind,
            rotation: frame.rotation,
            layer: frame.layer,
            width: frame.width,
            height: frame.height,
            captured_us: frame.captured_us,
            sound: self.shared.figures.captured(now_us),
        };
        lane.gate.admit(&info, &frame.bytes)?;
        if lane.paused_until_us.is_some() {
            return Ok(Pushed::Dropped);
        }
        let pushed = lane.push(&talk.port(), &info, &frame.bytes);
        if pushed == Pushed::Dropped {
            self.want_key(talk.call, &mut lane, now_us);
        }
        Ok(pushed)
    }

    /// The next frame whose time has come, if any.
    pub fn try_next(&self) -> Option<VideoFrame> {
        let talk = self.talk()?;
        let now_us = clock::micros();
        let mut eye = lock(&talk.eye);
        let played = self.shared.figures.played(now_us);
        for source in Source::ALL {
            let presenter = &mut eye.presenters[source as usize];
            if let Some(timestamp) = played {
                presenter.sound(now_us, timestamp);
            }
            if let Some(shown) = presenter.pop(now_us) {
                self.shared.figures.shown(source as usize, shown.behind_us);
                return Some(frame(source, &shown.info, shown.frame));
            }
        }
        None
    }

    /// The next frame, when its time has come; waits through calls that end and begin, and is dropped without harm.
    pub async fn next(&self) -> VideoFrame {
        loop {
            let ready = self.shared.ready.notified();
            if let Some(frame) = self.try_next() {
                return frame;
            }
            let due = self.talk().and_then(|talk| {
                let (now_us, eye) = (clock::micros(), lock(&talk.eye));
                let due = eye.presenters.iter().filter_map(|presenter| presenter.deadline_us(now_us)).min()?;
                Some(Duration::from_micros(due.saturating_sub(now_us).max(500)))
            });
            match due {
                Some(rest) => drop(tokio::time::timeout(rest, ready).await),
                None => ready.await,
            }
        }
    }

    /// What passed of a source in the call that is on.
    pub fn stats(&self, source: Source) -> Option<VideoStats> {
        Some(self.talk()?.port().stats(source))
    }

    /// How far the last picture of a source was shown behind the sound it belongs to, in microseconds; negative when ahead.
    pub fn behind_us(&self, source: Source) -> Option<i64> {
        self.shared.figures.behind_us(source as usize)
    }

    /// What the path bears for all pictures together, in bits a second.
    pub fn target_bps(&self) -> Option<u64> {
        Some(self.talk()?.port().target_bps())
    }

    /// Takes no more of the path than this, in bits a second: a user who pays for bytes.
    pub fn set_limit_bps(&self, limit_bps: u64) {
        if let Some(talk) = self.talk() {
            talk.port().set_limit_bps(limit_bps);
        }
    }

    fn talk(&self) -> Option<Arc<Talk>> {
        if built::VIDEO { lock(&self.shared.talk).clone() } else { None }
    }

    fn tell(&self, call: CallId, event: VideoEvent) {
        self.shared.queue.push(Event::Video(call, event));
    }

    fn want_key(&self, call: CallId, lane: &mut Lane, now_us: u64) {
        if lane.shown && lane.key_told_us.is_none_or(|told_us| told_us + KEY_US <= now_us) {
            lane.key_told_us = Some(now_us);
            self.tell(call, VideoEvent::KeyframeWanted(lane.source));
        }
    }

    // What the driver says.

    /// The call has a link and keys; what was on before is forgotten.
    pub(crate) fn begin(&self, call: CallId, port: VideoPort, send: &SenderKey, receive: &SenderKey) {
        let mut opener = Opener::new();
        if !built::VIDEO || opener.insert(receive.generation, &receive.base).is_err() {
            return;
        }
        let shows = *lock(&self.shared.shows);
        let lane = |source| {
            let mut lane = Lane::new(source, sealer(send, source));
            lane.shown = shown(shows, source);
            port.set_active(source, lane.shown);
            Mutex::new(lane)
        };
        let eye = Eye { opener, presenters: Default::default(), plain: Vec::new(), refused: 0 };
        let out = Source::ALL.map(lane);
        let (port, watching) = (Mutex::new(port), Mutex::new(None));
        let talk = Arc::new(Talk { call, port, out, eye: Mutex::new(eye), watching });
        self.watch(&talk);
        let before = lock(&self.shared.talk).replace(talk);
        end(before);
    }

    /// The call goes on over this link, with the keys that are there.
    pub(crate) fn move_to(&self, call: CallId, port: VideoPort) {
        let Some(talk) = self.talk().filter(|talk| talk.call == call) else { return };
        let now_us = clock::micros();
        for lane in &talk.out {
            let mut lane = lock(lane);
            port.set_active(lane.source, lane.shown);
            lane.gate.restart();
            self.want_key(call, &mut lane, now_us);
        }
        *lock(&talk.port) = port;
        self.watch(&talk);
    }

    fn watch(&self, talk: &Arc<Talk>) {
        let watching = tokio::spawn(watch(self.clone(), Arc::clone(talk), talk.port()));
        if let Some(before) = lock(&talk.watching).replace(watching.abort_handle()) {
            before.abort();
        }
    }

    pub(crate) fn seal_with(&self, call: CallId, key: &SenderKey) {
        if let Some(talk) = self.talk().filter(|talk| talk.call == call) {
            for lane in &talk.out {
                let mut lane = lock(lane);
                lane.sealer = sealer(key, lane.source);
            }
        }
    }

    pub(crate) fn open_with(&self, call: CallId, key: &SenderKey) {
        if let Some(talk) = self.talk().filter(|talk| talk.call == call) {
            // A key that is not newer is one that is known.
            let _ = lock(&talk.eye).opener.insert(key.generation, &key.base);
        }
    }

    pub(crate) fn show(&self, call: CallId, shows: Shows) {
        *lock(&self.shared.shows) = shows;
        let Some(talk) = self.talk().filter(|talk| talk.call == call) else { return };
        for lane in &talk.out {
            let mut lane = lock(lane);
            let on = shown(shows, lane.source);
            if std::mem::replace(&mut lane.shown, on) != on {
                lane.gate.restart();
                (lane.told_bps, lane.thin_since_us, lane.paused_until_us) = (0, None, None);
                talk.port().set_active(lane.source, on);
            }
        }
    }

    pub(crate) fn stop(&self, call: CallId) {
        *lock(&self.shared.shows) = Shows::default();
        let talk = lock(&self.shared.talk).take_if(|talk| talk.call == call);
        end(talk);
    }

    pub(crate) fn close(&self) {
        end(lock(&self.shared.talk).take());
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

    /// Tells the other side how large its pictures are of use here: 0 lines for none at all. Its app reads it in
    /// [`crate::CallView::their_wants`] and lets its encoder make no more.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCall`] and what any command can meet.
    pub async fn want(&self, call: CallId, wants: Wants) -> Result<(), Error> {
        self.done(Command::Want(call, wants)).await
    }
}

fn end(talk: Option<Arc<Talk>>) {
    if let Some(watching) = talk.and_then(|talk| lock(&talk.watching).take()) {
        watching.abort();
    }
}

fn shown(shows: Shows, source: Source) -> bool {
    match source {
        Source::Camera => shows.camera,
        Source::Screen => shows.screen.is_some(),
    }
}

fn frame(source: Source, info: &Info, bytes: Vec<u8>) -> VideoFrame {
    let Info { codec, kind, rotation, layer, width, height, captured_us, .. } = *info;
    VideoFrame { source, codec, kind, rotation, layer, width, height, captured_us, bytes }
}

impl Lane {
    fn new(source: Source, sealer: Sealer) -> Self {
        Self {
            source,
            sealer,
            gate: Gate::default(),
            shown: false,
            plain: Vec::new(),
            sealed: Vec::new(),
            told_bps: 0,
            key_told_us: None,
            thin_since_us: None,
            paused_until_us: None,
            pause_us: PAUSE_US.0,
        }
    }

    fn push(&mut self, port: &VideoPort, info: &Info, bytes: &[u8]) -> Pushed {
        self.plain.clear();
        self.plain.reserve(INFO_BYTES + bytes.len());
        info.write(&mut self.plain);
        self.plain.extend_from_slice(bytes);
        // A used-up key is no picture until the next one: it has been due for an hour.
        if self.sealer.seal(&self.plain, &mut self.sealed).is_err() {
            return Pushed::Dropped;
        }
        let timestamp = (u128::from(info.captured_us) * 9 / 100) as u32;
        port.push(self.source, info.kind, timestamp, &split(&self.sealed, info.kind))
    }

    /// What the path bears now, as far as the encoder should know.
    fn look(&mut self, now_us: u64, bps: u64) -> Option<VideoEvent> {
        if !self.shown {
            return None;
        }
        if let Some(until_us) = self.paused_until_us {
            if until_us > now_us {
                return None;
            }
            (self.paused_until_us, self.thin_since_us, self.told_bps) = (None, None, 0);
            self.gate.restart();
            return Some(VideoEvent::Resumed(self.source));
        }
        if bps >= THIN_BPS {
            self.thin_since_us = None;
            if bps > 4 * THIN_BPS {
                self.pause_us = PAUSE_US.0;
            }
        } else if *self.thin_since_us.get_or_insert(now_us) + THIN_US <= now_us {
            self.paused_until_us = Some(now_us + self.pause_us);
            self.pause_us = PAUSE_US.1.min(2 * self.pause_us);
            return Some(VideoEvent::Paused(self.source));
        }
        if bps.abs_diff(self.told_bps) * EIGHTH < self.told_bps.max(1) {
            return None;
        }
        self.told_bps = bps;
        Some(VideoEvent::Bitrate(self.source, bps))
    }
}

/// Takes what comes and tells what the encoder should know, for as long as the link lasts.
async fn watch(video: Video, talk: Arc<Talk>, port: VideoPort) {
    loop {
        // A look now and then beside the news.
        if let Ok(false) = tokio::time::timeout(LOOK, port.news()).await {
            return;
        }
        let now_us = clock::micros();
        if talk.see(now_us, &port) {
            video.shared.ready.notify_one();
        }
        let keys = port.keys_wanted();
        for lane in &talk.out {
            let mut lane = lock(lane);
            if keys[lane.source as usize] {
                video.want_key(talk.call, &mut lane, now_us);
            }
            let bps = port.encoder_bps(lane.source);
            if let Some(event) = lane.look(now_us, bps) {
                video.tell(talk.call, event);
            }
        }
    }
}

impl Talk {
    fn port(&self) -> VideoPort {
        lock(&self.port).clone()
    }

    /// Opens the frames that are whole; whether there were any.
    fn see(&self, now_us: u64, port: &VideoPort) -> bool {
        let mut eye = lock(&self.eye);
        let Eye { opener, presenters, plain, refused } = &mut *eye;
        let mut any = false;
        while let Some((source, whole)) = port.take() {
            let opened = opener.open(&whole.bytes, plain);
            let sealed_as = |id: sidetone_crypto::sframe::KeyId| id.track == FIRST_TRACK + source as u8;
            let read = opened.ok().filter(|id| sealed_as(*id)).and_then(|_| Info::read(plain));
            let Some((info, bytes)) = read else {
                *refused += 1;
                port.need_key(source);
                continue;
            };
            presenters[source as usize].push(now_us, info, bytes.to_vec());
            any = true;
        }
        any
    }
}
