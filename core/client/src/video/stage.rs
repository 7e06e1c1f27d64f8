//! One encoder of each source, and everybody who watches it: the peer of a call, or the members of a room.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use sidetone_crypto::sframe::{Opener, Sealer};
use sidetone_engine::{SenderKey, Shows, Wants};
use sidetone_media::video::{Advice, Fan, Gate, INFO_BYTES, Info, Kind, Presenter, Pushed, TRIAL_BPS, Track as Source};
use sidetone_wire::id::{CallId, MemberId, RoomId};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::{VideoError, VideoEvent, VideoFrame, frame, lock};
use crate::clock;
use crate::event::{Event, Queue};
use crate::link::{MediaPort, VideoPort, VideoStats};

/// Sound is the first track of a sender; pictures follow.
const FIRST_TRACK: u8 = 1;
/// Beside news of the link, the state is looked at this often.
const LOOK: Duration = Duration::from_millis(250);
/// A frame that is due is looked for no sooner than this.
const SOON_US: u64 = 500;

#[cfg(test)]
mod tests;

/// Where pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a call.
    Call(CallId),
    /// In a room.
    Room(RoomId),
}

/// A member of a room; none for the peer of a call.
type Who = Option<MemberId>;

/// Our pictures and theirs, in one place.
pub(super) struct Stage {
    place: Place,
    lanes: [Mutex<Lane>; 2],
    peers: Mutex<BTreeMap<Who, Arc<Peer>>>,
    queue: Arc<Queue>,
    ready: Arc<Notify>,
    over: AtomicBool,
    /// Who was looked at first.
    turn: AtomicUsize,
    limit_bps: Mutex<Option<u64>>,
}

/// One of our sources.
struct Lane {
    source: Source,
    sealer: Option<Sealer>,
    gate: Gate,
    fan: Fan<Who>,
    plain: Vec<u8>,
}

/// Somebody over one link.
struct Peer {
    who: Who,
    ports: Mutex<(VideoPort, MediaPort)>,
    /// What passed of each source over links before this one.
    passed: Mutex<[VideoStats; 2]>,
    eye: Mutex<Eye>,
    watching: Mutex<Option<AbortHandle>>,
}

/// What we see of somebody.
struct Eye {
    opener: Opener,
    presenters: [Presenter; 2],
    behind_us: [Option<i64>; 2],
    plain: Vec<u8>,
}

impl Stage {
    pub fn new(place: Place, queue: &Arc<Queue>, ready: &Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            place,
            lanes: Source::ALL.map(|source| Mutex::new(Lane::new(source))),
            peers: Mutex::default(),
            queue: Arc::clone(queue),
            ready: Arc::clone(ready),
            over: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            limit_bps: Mutex::new(None),
        })
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn ready(&self) -> &Notify {
        &self.ready
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.peers).values().cloned().collect()
    }

    fn peer(&self, who: Who) -> Option<Arc<Peer>> {
        lock(&self.peers).get(&who).cloned()
    }

    // What the app says.

    pub fn push(&self, pushed: &VideoFrame) -> Result<Pushed, VideoError> {
        let mut lane = lock(&self.lanes[pushed.source as usize]);
        let lane = &mut *lane;
        if !lane.fan.is_shown() {
            return Err(VideoError::NotShown);
        }
        let now_us = clock::micros();
        let peers = self.peers();
        let info = Info {
            codec: pushed.codec,
            kind: pushed.kind,
            rotation: pushed.rotation,
            layer: pushed.layer,
            width: pushed.width,
            height: pushed.height,
            captured_us: pushed.captured_us,
            sound: peers.first().and_then(|peer| lock(&peer.ports).1.captured(now_us)),
        };
        lane.gate.admit(&info, &pushed.bytes)?;
        if lane.fan.paused().is_some() {
            return Ok(Pushed::Dropped);
        }
        let Some(sealed) = lane.seal(&info, &pushed.bytes) else { return Ok(Pushed::Dropped) };
        let timestamp = (u128::from(info.captured_us) * 9 / 100) as u32;
        if info.kind == Kind::Key {
            lane.fan.key_made();
        }
        let mut became = Pushed::Dropped;
        for peer in peers {
            if lane.fan.feeds(peer.who) {
                match peer.video().push(lane.source, info.kind, timestamp, &sealed) {
                    Pushed::Queued => became = Pushed::Queued,
                    Pushed::Dropped => lane.fan.want_key(peer.who),
                }
            }
        }
        self.advise(lane, now_us);
        Ok(became)
    }

    pub fn try_next(&self) -> Option<(Who, VideoFrame)> {
        let mut peers = self.peers();
        let first = self.turn.fetch_add(1, Relaxed).checked_rem(peers.len())?;
        peers.rotate_left(first);
        let now_us = clock::micros();
        peers.iter().find_map(|peer| Some((peer.who, peer.next(now_us)?)))
    }

    /// How long until there may be a frame, as far as is known.
    pub fn rest(&self) -> Option<Duration> {
        let now_us = clock::micros();
        let due_us = self.peers().iter().filter_map(|peer| peer.due_us(now_us)).min()?;
        Some(Duration::from_micros(due_us.saturating_sub(now_us).max(SOON_US)))
    }

    pub fn stats(&self, who: Who, source: Source) -> Option<VideoStats> {
        Some(self.peer(who)?.stats(source))
    }

    pub fn follows(&self, who: Who, source: Source) -> bool {
        lock(&self.lanes[source as usize]).fan.follows(who)
    }

    pub fn behind_us(&self, who: Who, source: Source) -> Option<i64> {
        lock(&self.peer(who)?.eye).behind_us[source as usize]
    }

    pub fn target_bps(&self) -> Option<u64> {
        self.peers().iter().map(|peer| peer.video().target_bps()).min()
    }

    pub fn set_limit_bps(&self, limit_bps: u64) {
        *lock(&self.limit_bps) = Some(limit_bps);
        self.peers().iter().for_each(|peer| peer.video().set_limit_bps(limit_bps));
    }

    // What the driver says.

    /// Somebody is reached over this link, perhaps another one than before: keys stay.
    pub fn join(self: &Arc<Self>, who: Who, port: VideoPort, sound: MediaPort) {
        if let Some(limit_bps) = *lock(&self.limit_bps) {
            port.set_limit_bps(limit_bps);
        }
        let before = self.peer(who);
        let peer = before.unwrap_or_else(|| Arc::new(Peer::new(who, (port.clone(), sound.clone()))));
        peer.move_to(port.clone(), sound);
        lock(&self.peers).insert(who, Arc::clone(&peer));
        let now_us = clock::micros();
        for lane in &self.lanes {
            let mut lane = lock(lane);
            let source = lane.source;
            lane.fan.join(who, port.picture_bps(source));
            port.set_active(source, lane.fan.feeds(who));
            if matches!(self.place, Place::Call(_)) {
                lane.gate.restart();
            }
            self.advise(&mut lane, now_us);
        }
        let watching = tokio::spawn(watch(Arc::clone(self), Arc::clone(&peer), port).boxed()).abort_handle();
        if let Some(before) = lock(&peer.watching).replace(watching) {
            before.abort();
        }
    }

    /// Nothing goes to somebody or comes from there any more; the keys are forgotten.
    pub fn leave(&self, who: Who) {
        let Some(peer) = lock(&self.peers).remove(&who) else { return };
        peer.end();
        let now_us = clock::micros();
        for lane in &self.lanes {
            let mut lane = lock(lane);
            lane.fan.leave(who);
            self.advise(&mut lane, now_us);
        }
    }

    pub fn seal_with(&self, key: &SenderKey) {
        for lane in &self.lanes {
            lock(lane).seal_with(key);
        }
    }

    pub fn open_with(&self, who: Who, key: &SenderKey) {
        if let Some(peer) = self.peer(who) {
            // A key that is not newer is one that is known.
            let _ = lock(&peer.eye).opener.insert(key.generation, &key.base);
        }
    }

    pub fn show(&self, shows: Shows) {
        for lane in &self.lanes {
            let mut lane = lock(lane);
            let on = match lane.source {
                Source::Camera => shows.camera,
                Source::Screen => shows.screen.is_some(),
            };
            if lane.fan.show(on) {
                lane.gate.restart();
                self.settle(&mut lane);
            }
        }
    }

    pub fn wanted(&self, who: Who, wants: Wants) {
        for lane in &self.lanes {
            let mut lane = lock(lane);
            let lines = match lane.source {
                Source::Camera => wants.camera,
                Source::Screen => wants.screen,
            };
            lane.fan.set_lines(who, lines);
            self.settle(&mut lane);
        }
    }

    pub fn stop(&self) {
        self.over.store(true, Relaxed);
        let peers = std::mem::take(&mut *lock(&self.peers));
        peers.values().for_each(|peer| peer.end());
        self.ready.notify_waiters();
        self.ready.notify_one();
    }

    /// Who gets frames changed.
    fn settle(&self, lane: &mut Lane) {
        self.advise(lane, clock::micros());
        for peer in self.peers() {
            peer.video().set_active(lane.source, lane.fan.feeds(peer.who));
        }
    }

    fn advise(&self, lane: &mut Lane, now_us: u64) {
        let source = lane.source;
        for advice in lane.fan.look(now_us) {
            let event = match advice {
                Advice::Key => VideoEvent::KeyframeWanted(source),
                Advice::Bitrate(bps) => VideoEvent::Bitrate(source, bps),
                Advice::Paused(why) => VideoEvent::Paused(source, why),
                Advice::Resumed => {
                    lane.gate.restart();
                    VideoEvent::Resumed(source)
                }
            };
            self.queue.push(match self.place {
                Place::Call(call) => Event::Video(call, event),
                Place::Room(room) => Event::RoomVideo(room, event),
            });
        }
    }

    fn look(&self, peer: &Peer, port: &VideoPort, now_us: u64) {
        let watching = lock(&peer.watching);
        if watching.is_none() {
            return;
        }
        let keys = port.keys_wanted();
        let mut tries = false;
        for lane in &self.lanes {
            let mut lane = lock(lane);
            let source = lane.source;
            lane.fan.set_bps(peer.who, port.picture_bps(source), port.encoder_bps(source));
            if keys[source as usize] {
                lane.fan.want_key(peer.who);
            }
            self.advise(&mut lane, now_us);
            port.set_active(source, lane.fan.feeds(peer.who));
            tries |= lane.fan.tries(peer.who);
        }
        port.set_filler_bps(if tries { TRIAL_BPS } else { 0 });
    }
}

/// Takes what comes and tells what the encoder should know, for as long as the link lasts.
async fn watch(stage: Arc<Stage>, peer: Arc<Peer>, port: VideoPort) {
    loop {
        // A look now and then beside the news.
        if let Ok(false) = tokio::time::timeout(LOOK, port.news()).await {
            return;
        }
        let now_us = clock::micros();
        if peer.see(now_us, &port) {
            stage.ready.notify_one();
        }
        stage.look(&peer, &port, now_us);
    }
}

impl Lane {
    fn new(source: Source) -> Self {
        let (gate, fan) = (Gate::default(), Fan::new());
        Self { source, sealer: None, gate, fan, plain: Vec::new() }
    }

    fn seal_with(&mut self, key: &SenderKey) {
        let sealer = Sealer::new(&key.base, key.generation, FIRST_TRACK + self.source as u8);
        // The same key once more would count its frames from 0 again.
        if self.sealer.as_ref().is_none_or(|old| old.key_id() != sealer.key_id()) {
            self.sealer = Some(sealer);
        }
    }

    /// Without a key, or with one that is used up, there is no picture until the next: it has been due for an hour.
    fn seal(&mut self, info: &Info, bytes: &[u8]) -> Option<Bytes> {
        let sealer = self.sealer.as_mut()?;
        self.plain.clear();
        self.plain.reserve(INFO_BYTES + bytes.len());
        info.write(&mut self.plain);
        self.plain.extend_from_slice(bytes);
        let mut sealed = Vec::new();
        sealer.seal(&self.plain, &mut sealed).ok()?;
        Some(sealed.into())
    }
}

impl Peer {
    fn new(who: Who, ports: (VideoPort, MediaPort)) -> Self {
        let eye =
            Eye { opener: Opener::new(), presenters: Default::default(), behind_us: [None; 2], plain: Vec::new() };
        let (ports, passed, eye) = (Mutex::new(ports), Mutex::default(), Mutex::new(eye));
        Self { who, ports, passed, eye, watching: Mutex::new(None) }
    }

    /// Goes on over this link, and with the counts of the one before.
    fn move_to(&self, video: VideoPort, sound: MediaPort) {
        let mut ports = lock(&self.ports);
        if !ports.0.is(&video) {
            for (passed, source) in lock(&self.passed).iter_mut().zip(Source::ALL) {
                *passed += ports.0.stats(source);
            }
        }
        *ports = (video, sound);
    }

    fn stats(&self, source: Source) -> VideoStats {
        let mut stats = lock(&self.passed)[source as usize];
        stats += self.video().stats(source);
        stats
    }

    fn video(&self) -> VideoPort {
        lock(&self.ports).0.clone()
    }

    /// The link may go on, and be another's.
    fn end(&self) {
        let mut watching = lock(&self.watching);
        if let Some(watching) = watching.take() {
            watching.abort();
        }
        self.video().rest();
    }

    /// The next frame whose time has come.
    fn next(&self, now_us: u64) -> Option<VideoFrame> {
        let played = lock(&self.ports).1.played(now_us);
        let mut eye = lock(&self.eye);
        let eye = &mut *eye;
        for source in Source::ALL {
            let presenter = &mut eye.presenters[source as usize];
            if let Some(timestamp) = played {
                presenter.sound(now_us, timestamp);
            }
            if let Some(shown) = presenter.pop(now_us) {
                eye.behind_us[source as usize] = shown.behind_us.or(eye.behind_us[source as usize]);
                return Some(frame(source, &shown.info, shown.frame));
            }
        }
        None
    }

    fn due_us(&self, now_us: u64) -> Option<u64> {
        lock(&self.eye).presenters.iter().filter_map(|presenter| presenter.deadline_us(now_us)).min()
    }

    /// Opens the frames that are whole; whether there were any.
    fn see(&self, now_us: u64, port: &VideoPort) -> bool {
        let mut eye = lock(&self.eye);
        let Eye { opener, presenters, plain, .. } = &mut *eye;
        let mut any = false;
        while let Some((source, whole)) = port.take() {
            let opened = opener.open(&whole.bytes, plain);
            let sealed_as = |id: sidetone_crypto::sframe::KeyId| id.track == FIRST_TRACK + source as u8;
            let read = opened.ok().filter(|id| sealed_as(*id)).and_then(|_| Info::read(plain));
            let Some((info, bytes)) = read else {
                port.refuse(source);
                continue;
            };
            presenters[source as usize].push(now_us, info, bytes.to_vec());
            any = true;
        }
        if any {
            // Lips are in what the camera sees.
            let hold_us = presenters[Source::Camera as usize].hold_us();
            lock(&self.ports).1.hold_longer(now_us, u32::try_from(hold_us).unwrap_or(u32::MAX));
        }
        any
    }
}
