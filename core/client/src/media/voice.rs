//! One turn of the media thread: microphone to link, link to speaker. No clock, no thread, no wait.
//!
//! What is sealed for each frame is one byte and the Opus payload. The byte tells the other side what part of *its*
//! frames is missing here, in steps of four parts per thousand: it arrives with the sound, sealed like it, needs no
//! packet and no report of the transport, and turns the sender's error correction on and off.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtrb::{Consumer, Producer};
use sidetone_crypto::sframe::{Opener, Sealer};
use sidetone_engine::{Hearing, SenderKey, SoundNews, SoundOrder};
use sidetone_media::{
    Capture, Encoded, Inserted, Ladder, MAX_PAYLOAD, MediaError, Mixer, Muted, PULL_SAMPLES, Settings, Speaker,
};
use sidetone_wire::id::{CallId, RoomId};
use sidetone_wire::limits::ROOMS;

use super::figures::Figures;
use super::room::RoomVoice;
use crate::clock;
use crate::link::{Inbound, MediaPort};
use crate::vault::random;

/// Sound is the first track of a sender.
pub(super) const TRACK: u8 = 0;
/// The one remote speaker of a call.
const THEM: Speaker = Speaker(0);
/// One step of the loss report.
pub const LOSS_STEP_PERMILLE: u32 = 4;
/// A microphone that gives nothing for so long counts as silent.
const DRY_US: u64 = 60_000;
/// The longest silence that is sent as such; a longer one is skipped over.
const SKIP_US: u64 = 1_000_000;
/// Room for the sealed frames that wait at a link.
pub(super) const POOL: usize = 32 * 1024;
/// The most that sealing adds.
pub(super) const SEAL: usize = 64;
/// Samples of reserve for the speaker beyond one pull: one turn of the thread.
pub(super) const RESERVE: usize = 240;
/// Blocks made in one turn at most.
const BURST: usize = 8;
/// Packets taken in one turn at most: what a link holds.
pub(super) const PACKETS: usize = 64;

/// Where packets leave and come from: a link, or another voice in memory.
pub trait Port: Send {
    /// Hands in a packet; neither blocks nor allocates.
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes);
    /// The sequence number that follows the last one handed in here, by whichever call.
    fn next_sequence(&self) -> u16;
    /// Takes the oldest packet, if any; neither blocks nor allocates.
    fn take(&self) -> Option<Inbound>;
    /// The sound with this RTP timestamp was captured just now: pictures that go the same way are to be shown with it.
    fn note_captured(&self, _now_us: u64, _timestamp: u32) {}
    /// The sound with this RTP timestamp is played just now: pictures that came the same way are shown with it.
    fn note_played(&self, _now_us: u64, _timestamp: u32) {}
    /// How much longer sound is to be held back than it needs, for pictures that come later, in microseconds.
    fn longer_us(&self, _now_us: u64) -> u32 {
        0
    }
}

impl Port for MediaPort {
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes) {
        self.send_audio(sequence, timestamp, marker, payload);
    }

    fn next_sequence(&self) -> u16 {
        MediaPort::next_sequence(self)
    }

    fn take(&self) -> Option<Inbound> {
        self.take_audio()
    }

    fn note_captured(&self, now_us: u64, timestamp: u32) {
        MediaPort::note_captured(self, now_us, timestamp);
    }

    fn note_played(&self, now_us: u64, timestamp: u32) {
        MediaPort::note_played(self, now_us, timestamp);
    }

    fn longer_us(&self, now_us: u64) -> u32 {
        MediaPort::longer_us(self, now_us)
    }
}

/// Two ports of one call while it moves from one link to another.
struct Both {
    port: Box<dyn Port>,
    before: Box<dyn Port>,
}

impl Port for Both {
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes) {
        self.port.send(sequence, timestamp, marker, payload);
    }

    fn next_sequence(&self) -> u16 {
        self.port.next_sequence()
    }

    fn take(&self) -> Option<Inbound> {
        self.before.take().or_else(|| self.port.take())
    }

    fn note_captured(&self, now_us: u64, timestamp: u32) {
        self.port.note_captured(now_us, timestamp);
    }

    fn note_played(&self, now_us: u64, timestamp: u32) {
        self.port.note_played(now_us, timestamp);
    }

    fn longer_us(&self, now_us: u64) -> u32 {
        self.port.longer_us(now_us)
    }
}

/// A port that leads nowhere.
struct Nowhere;

impl Port for Nowhere {
    fn send(&self, _: u16, _: u32, _: bool, _: Bytes) {}

    fn next_sequence(&self) -> u16 {
        0
    }

    fn take(&self) -> Option<Inbound> {
        None
    }
}

/// Both directions of one call's sound, or of one room's, and the rings to the app's devices.
///
/// There is one microphone: while a call is on, rooms are neither heard nor spoken to, and go on after it. Of several rooms
/// the one that was joined or pressed in last has the devices.
pub struct Voice {
    origin: Instant,
    microphone: Consumer<i16>,
    speaker: Producer<i16>,
    figures: Arc<Figures>,
    /// On the heap, so that what is dropped is freed, and with it erased.
    talk: Option<Box<Talk>>,
    /// The last one has the devices.
    rooms: Vec<RoomVoice>,
    /// What the user wants of the microphone in which call.
    muted: Option<(CallId, Muted)>,
    /// The call of which nothing is played.
    deaf: Option<CallId>,
}

struct Talk {
    call: CallId,
    capture: Capture,
    mouth: Mouth,
    ear: Ear,
    mixer: Mixer,
    feed: Feed,
    second_us: u64,
    /// What they said last of our loss.
    their_loss: u8,
    /// How many bits a second we say it with.
    ladder: Ladder,
}

/// Seals and sends.
struct Mouth {
    sealer: Sealer,
    port: Box<dyn Port>,
    sequence: u16,
    timestamp: u32,
    /// The timestamp that follows without a pause.
    next_timestamp: Option<u32>,
    loss: u8,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    pool: BytesMut,
}

/// Opens.
struct Ear {
    opener: Opener,
    plain: Vec<u8>,
}

impl Voice {
    /// A voice without a call; `origin` is the moment from which its time counts.
    pub fn new(origin: Instant, microphone: Consumer<i16>, speaker: Producer<i16>, figures: Arc<Figures>) -> Self {
        let rooms = Vec::with_capacity(ROOMS);
        Self { origin, microphone, speaker, figures, talk: None, rooms, muted: None, deaf: None }
    }

    /// Whether there is anything to do.
    pub fn is_talking(&self) -> bool {
        self.talk.is_some() || !self.rooms.is_empty()
    }

    /// Whether sound is heard or said now; if not, turns may be further apart.
    pub fn is_busy(&self, now: Instant) -> bool {
        let now_us = self.micros(now);
        self.talk.is_some() || self.rooms.iter().any(|room| room.is_busy(now_us))
    }

    /// Whether the speaker is given anything.
    pub fn is_heard(&self) -> bool {
        self.talk.is_some() || self.rooms.last().is_some_and(RoomVoice::is_heard)
    }

    /// Carries out an order for the sound of a room; `port` is that of the link in [`SoundOrder::Member`].
    pub fn obey(&mut self, now: Instant, room: RoomId, order: SoundOrder, port: Option<Box<dyn Port>>) {
        let now_us = self.micros(now);
        match order {
            SoundOrder::Join { mode, replay } => {
                self.figures.reset();
                discard(&mut self.microphone);
                self.rooms.retain(|voice| voice.room() != room);
                match RoomVoice::join(room, mode, replay, now_us) {
                    Ok(voice) => self.rooms.push(voice),
                    Err(error) => tracing::error!(%error, "no sound in this room"),
                }
            }
            SoundOrder::Leave => self.rooms.retain(|voice| voice.room() != room),
            order => {
                if let Some(voice) = self.rooms.iter_mut().find(|voice| voice.room() == room) {
                    voice.obey(now_us, order, port);
                }
            }
        }
    }

    /// The user pressed to talk, or let go: a burst that follows begins with what was said just before.
    pub fn press(&mut self, room: RoomId, pressed: Pressed) {
        let Some(place) = self.rooms.iter().position(|voice| voice.room() == room) else { return };
        if pressed == Pressed::Yes {
            self.rooms[place..].rotate_left(1);
        }
        let Some(voice) = self.rooms.iter_mut().find(|voice| voice.room() == room) else { return };
        match pressed {
            // What the microphone gave until now lies before the press.
            Pressed::Yes => voice.press(&mut self.microphone),
            Pressed::No => voice.release(),
        }
    }

    /// What the sound of a room has to say, oldest first.
    pub fn news(&mut self) -> Option<(RoomId, SoundNews)> {
        self.rooms.iter_mut().find_map(|room| Some((room.room(), room.news()?)))
    }

    /// Takes back news for which there was no room.
    pub fn keep(&mut self, room: RoomId, news: SoundNews) {
        if let Some(voice) = self.rooms.iter_mut().find(|voice| voice.room() == room) {
            voice.keep(news);
        }
    }

    /// Sends and hears over this port with these keys from now on. A call that goes on keeps its jitter buffer and its
    /// numbers; each key must come here once.
    ///
    /// # Errors
    ///
    /// [`MediaError`] when libopus cannot start; then there is no sound.
    pub fn start(
        &mut self,
        now: Instant,
        call: CallId,
        port: Box<dyn Port>,
        send: &SenderKey,
        receive: &SenderKey,
    ) -> Result<(), MediaError> {
        let sealer = Sealer::new(&send.base, send.generation, TRACK);
        let mut opener = Opener::new();
        opener.insert(receive.generation, &receive.base).expect("the first key of an opener is newer than none");
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.call == call) {
            (talk.mouth.sealer, talk.mouth.port, talk.ear.opener) = (sealer, port, opener);
            return Ok(());
        }
        self.stop();
        self.figures.reset();
        let fed_us = self.micros(now);
        let mut talk = Talk::new(call, fed_us, sealer, opener, port)?;
        talk.capture.set_muted(self.muted_in(call));
        discard(&mut self.microphone);
        self.talk = Some(Box::new(talk));
        Ok(())
    }

    /// Sends over this port from now on, with the same keys, and hears the one before too: nothing under way is lost.
    pub fn move_to(&mut self, call: CallId, port: Box<dyn Port>) {
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.call == call) {
            let before = std::mem::replace(&mut talk.mouth.port, Box::new(Nowhere));
            talk.mouth.port = Box::new(Both { port, before });
        }
    }

    /// Seals with this key from now on.
    pub fn seal_with(&mut self, call: CallId, key: &SenderKey) {
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.call == call) {
            talk.mouth.sealer = Sealer::new(&key.base, key.generation, TRACK);
        }
    }

    /// Opens frames of this key too.
    pub fn open_with(&mut self, call: CallId, key: &SenderKey) {
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.call == call) {
            // A key that is not newer is one that is known.
            let _ = talk.ear.opener.insert(key.generation, &key.base);
        }
    }

    /// Shuts or opens the microphone of a call, also of one that has not started.
    pub fn mute(&mut self, call: CallId, muted: Muted) {
        self.muted = Some((call, muted));
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.call == call) {
            talk.capture.set_muted(muted);
        }
    }

    /// Plays what the other side of a call says, or not, also of one that has not started.
    pub fn set_hearing(&mut self, call: CallId, hearing: Hearing) {
        self.deaf = (hearing == Hearing::Off).then_some(call);
    }

    /// Ends the sound and forgets the keys.
    pub fn stop(&mut self) {
        self.talk = None;
    }

    /// Ends the sound of this call; that of another goes on.
    pub fn stop_call(&mut self, call: CallId) {
        self.talk.take_if(|talk| talk.call == call);
    }

    /// Overwrites what was spoken and not taken, and what was played.
    pub fn erase(&mut self) {
        discard(&mut self.microphone);
        super::erase(&mut self.speaker);
    }

    /// Moves what there is to move at this moment. Takes no lock, waits for nothing, and allocates nothing once the
    /// first frames have passed.
    pub fn turn(&mut self, now: Instant) {
        let now_us = self.micros(now);
        let mut devices = self.talk.is_none().then_some((&mut self.microphone, &mut self.speaker));
        for room in self.rooms.iter_mut().rev() {
            room.turn(self.origin, now_us, devices.take(), &self.figures);
        }
        let Some(talk) = &mut self.talk else { return };
        let hearing = if self.deaf == Some(talk.call) { Hearing::Off } else { Hearing::On };
        talk.hear(self.origin, &self.figures);
        talk.say(now_us, &mut self.microphone, &self.figures);
        talk.play(now_us, &mut self.speaker, &self.figures, hearing);
        talk.measure(now_us, &self.figures);
    }

    fn micros(&self, at: Instant) -> u64 {
        micros(self.origin, at)
    }

    fn muted_in(&self, call: CallId) -> Muted {
        self.muted.filter(|(muted, _)| *muted == call).map_or(Muted::No, |(_, muted)| muted)
    }
}

pub(super) fn micros(origin: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(origin).as_micros()).unwrap_or(u64::MAX)
}

fn discard(microphone: &mut Consumer<i16>) {
    drain(microphone, |_| {});
}

/// Takes everything the microphone gave, in at most two parts.
pub(super) fn drain(microphone: &mut Consumer<i16>, mut take: impl FnMut(&[i16])) -> bool {
    let Ok(chunk) = microphone.read_chunk(microphone.slots()) else { return false };
    let (one, two) = chunk.as_slices();
    [one, two].into_iter().filter(|part| !part.is_empty()).for_each(&mut take);
    let any = !chunk.is_empty();
    chunk.commit_all();
    any
}

/// Fills the speaker's ring as far as the app's pulls need, and with so much in reserve.
pub(super) fn fill(
    speaker: &mut Producer<i16>,
    figures: &Figures,
    reserve: usize,
    mut make: impl FnMut(&mut [i16; PULL_SAMPLES]),
) {
    let wanted = PULL_SAMPLES.max(figures.largest_pull.load(Relaxed) as usize) + reserve;
    let mut block = [0; PULL_SAMPLES];
    for _ in 0..BURST {
        let waiting = speaker.buffer().capacity() - speaker.slots();
        if waiting >= wanted || speaker.slots() < PULL_SAMPLES {
            return;
        }
        make(&mut block);
        if let Ok(mut chunk) = speaker.write_chunk(PULL_SAMPLES) {
            let (one, two) = chunk.as_mut_slices();
            let split = one.len();
            one.copy_from_slice(&block[..split]);
            two.copy_from_slice(&block[split..]);
            chunk.commit_all();
        }
    }
}

/// Whether the user holds the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// Since now.
    Yes,
    /// No longer.
    No,
}

/// The microphone's time: what it does not give is silence, so that ours keeps step with the clock.
pub(super) struct Feed {
    /// Up to when the microphone's time is accounted for; `None` before the first turn of a burst.
    fed_us: Option<u64>,
}

impl Feed {
    pub(super) fn new(now_us: u64) -> Self {
        Self { fed_us: Some(now_us) }
    }

    /// A burst begins with the next turn.
    pub(super) fn begin(&mut self) {
        self.fed_us = None;
    }

    /// Whether this is the first turn of a burst; the next one is not.
    pub(super) fn is_beginning(&mut self, now_us: u64) -> bool {
        let first = self.fed_us.is_none();
        self.fed_us.get_or_insert(now_us);
        first
    }

    /// Hands on what the microphone gave, or silence in its place; gives the samples that were passed over.
    pub(super) fn take(&mut self, now_us: u64, microphone: &mut Consumer<i16>, mut push: impl FnMut(&[i16])) -> u32 {
        let fed_us = self.fed_us.get_or_insert(now_us);
        if drain(microphone, &mut push) {
            *fed_us = now_us;
        }
        let dry_us = now_us.saturating_sub(*fed_us);
        if dry_us > SKIP_US {
            *fed_us = now_us;
            return (dry_us * 48 / 1_000) as u32;
        }
        if dry_us >= DRY_US {
            // Silence also carries the loss report.
            for _ in 0..dry_us / 10_000 {
                push(&[0; PULL_SAMPLES]);
                *fed_us += 10_000;
            }
        }
        0
    }
}

impl Talk {
    fn new(call: CallId, now_us: u64, sealer: Sealer, opener: Opener, port: Box<dyn Port>) -> Result<Self, MediaError> {
        let mut mixer = Mixer::new();
        mixer.join(THEM)?;
        let mouth = Mouth {
            sealer,
            sequence: port.next_sequence(),
            port,
            timestamp: u32::from_be_bytes(random()),
            next_timestamp: None,
            loss: 0,
            plain: Vec::with_capacity(MAX_PAYLOAD + 1),
            sealed: Vec::with_capacity(MAX_PAYLOAD + 1 + SEAL),
            pool: BytesMut::with_capacity(POOL),
        };
        Ok(Self {
            call,
            capture: Capture::new(Settings::default())?,
            mouth,
            ear: Ear { opener, plain: Vec::with_capacity(MAX_PAYLOAD + 1 + SEAL) },
            mixer,
            feed: Feed::new(now_us),
            second_us: now_us,
            their_loss: 0,
            ladder: Ladder::default(),
        })
    }

    fn hear(&mut self, origin: Instant, figures: &Figures) {
        for _ in 0..PACKETS {
            let Some(packet) = self.mouth.port.take() else { return };
            let opened = self.ear.opener.open(&packet.payload, &mut self.ear.plain);
            let Some((loss, payload)) = opened.ok().and_then(|_| self.ear.plain.split_first()) else {
                figures.refused.fetch_add(1, Relaxed);
                continue;
            };
            if std::mem::replace(&mut self.their_loss, *loss) != *loss {
                figures.their_loss.store(*loss, Relaxed);
                self.capture.report_loss(f32::from(*loss) * LOSS_STEP_PERMILLE as f32 / 1_000.0);
            }
            let arrival = micros(origin, packet.arrival);
            let fate = self.mixer.insert(arrival, THEM, packet.sequence, packet.timestamp, payload);
            if fate == Some(Inserted::Kept) {
                first(&figures.heard, &figures.first_heard_us);
            }
            figures.bytes_heard.fetch_add(packet.payload.len() as u64, Relaxed);
        }
    }

    fn say(&mut self, now_us: u64, microphone: &mut Consumer<i16>, figures: &Figures) {
        let Self { capture, mouth, feed, .. } = self;
        let skipped = feed
            .take(now_us, microphone, |pcm| capture.push(pcm, &mut |frame: Encoded<'_>| mouth.say(&frame, figures)));
        mouth.timestamp = mouth.timestamp.wrapping_add(skipped);
    }

    fn play(&mut self, now_us: u64, speaker: &mut Producer<i16>, figures: &Figures, hearing: Hearing) {
        self.mixer.hold_longer(THEM, self.mouth.port.longer_us(clock::micros()));
        fill(speaker, figures, RESERVE, |block| {
            self.mixer.pull(now_us, block);
            // What is not heard goes by all the same, so that there is no gap when it is heard again.
            if hearing == Hearing::Off {
                block.fill(0);
            }
        });
        if let Some(next) = self.mixer.playing(THEM) {
            self.mouth.port.note_played(clock::micros(), next.wrapping_sub(waiting(speaker)));
        }
    }

    fn measure(&mut self, now_us: u64, figures: &Figures) {
        let Some(stats) = self.mixer.stats(THEM) else { return };
        let rate = self.ladder.judge(now_us, f32::from(self.their_loss) * LOSS_STEP_PERMILLE as f32 / 1_000.0);
        // Every rung is within what libopus takes.
        let _ = self.capture.set_rate(rate);
        self.mouth.loss = u8::try_from(stats.loss_permille / LOSS_STEP_PERMILLE).unwrap_or(u8::MAX);
        figures.playout(stats);
        figures.our_level.store(self.capture.level().minus_dbov(), Relaxed);
        for heard in self.mixer.heard() {
            figures.their_level.store(heard.level.minus_dbov(), Relaxed);
        }
        if now_us.saturating_sub(self.second_us) >= 1_000_000 {
            self.second_us = now_us;
            figures.second(stats.delay_ms);
        }
    }
}

impl Mouth {
    fn say(&mut self, frame: &Encoded<'_>, figures: &Figures) {
        self.plain.clear();
        self.plain.push(self.loss);
        self.plain.extend_from_slice(frame.bytes);
        // A used-up key is silence until the next one: it has been due for an hour.
        if self.sealer.seal(&self.plain, &mut self.sealed).is_err() {
            return;
        }
        let timestamp = self.timestamp.wrapping_add(frame.timestamp);
        let marker = self.next_timestamp != Some(timestamp);
        let after = timestamp.wrapping_add(frame.samples);
        self.next_timestamp = Some(after);
        self.port.note_captured(clock::micros(), after);
        // The pool's memory comes back when the link has sent what lies in it.
        if self.pool.capacity() < self.sealed.len() {
            self.pool.reserve(POOL);
        }
        self.pool.extend_from_slice(&self.sealed);
        self.port.send(self.sequence, timestamp, marker, self.pool.split().freeze());
        self.sequence = self.sequence.wrapping_add(1);
        first(&figures.sent, &figures.first_sent_us);
        figures.bytes_sent.fetch_add(self.sealed.len() as u64, Relaxed);
    }
}

/// Samples that are played before what comes next.
pub(super) fn waiting(speaker: &Producer<i16>) -> u32 {
    (speaker.buffer().capacity() - speaker.slots()) as u32
}

/// Counts, and notes when it was the first.
pub(super) fn first(count: &std::sync::atomic::AtomicU64, at: &std::sync::atomic::AtomicU64) {
    if count.fetch_add(1, Relaxed) == 0 {
        at.store(clock::micros(), Relaxed);
    }
}
