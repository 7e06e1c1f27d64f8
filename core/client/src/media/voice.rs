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
use sidetone_engine::SenderKey;
use sidetone_media::{
    Capture, Encoded, Inserted, MAX_PAYLOAD, MediaError, Mixer, Muted, PULL_SAMPLES, Settings, Speaker,
};
use sidetone_wire::id::CallId;

use super::figures::Figures;
use crate::clock;
use crate::link::{Inbound, MediaPort};
use crate::vault::random;

/// Sound is the first track of a sender.
const TRACK: u8 = 0;
/// The one remote speaker of a call.
const THEM: Speaker = Speaker(0);
/// One step of the loss report.
pub const LOSS_STEP_PERMILLE: u32 = 4;
/// A microphone that gives nothing for so long counts as silent.
const DRY_US: u64 = 60_000;
/// The longest silence that is sent as such; a longer one is skipped over.
const SKIP_US: u64 = 1_000_000;
/// Room for the sealed frames that wait at a link.
const POOL: usize = 32 * 1024;
/// The most that sealing adds.
const SEAL: usize = 64;
/// Samples of reserve for the speaker beyond one pull: one turn of the thread.
const RESERVE: usize = 240;
/// Blocks made in one turn at most.
const BURST: usize = 8;
/// Packets taken in one turn at most: what a link holds.
const PACKETS: usize = 64;

/// Where packets leave and come from: a link, or another voice in memory.
pub trait Port: Send {
    /// Hands in a packet; neither blocks nor allocates.
    fn send(&self, sequence: u16, timestamp: u32, marker: bool, payload: Bytes);
    /// The sequence number that follows the last one handed in here, by whichever call.
    fn next_sequence(&self) -> u16;
    /// Takes the oldest packet, if any; neither blocks nor allocates.
    fn take(&self) -> Option<Inbound>;
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
}

/// Both directions of one call's sound, and the rings to the app's devices.
pub struct Voice {
    origin: Instant,
    microphone: Consumer<i16>,
    speaker: Producer<i16>,
    figures: Arc<Figures>,
    talk: Option<Talk>,
    /// What the user wants of the microphone in which call.
    muted: Option<(CallId, Muted)>,
}

struct Talk {
    call: CallId,
    capture: Capture,
    mouth: Mouth,
    ear: Ear,
    mixer: Mixer,
    /// Up to when the microphone's time is accounted for.
    fed_us: u64,
    second_us: u64,
    /// What they said last of our loss.
    their_loss: u8,
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
        Self { origin, microphone, speaker, figures, talk: None, muted: None }
    }

    /// Whether there is anything to do.
    pub fn is_talking(&self) -> bool {
        self.talk.is_some()
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
        self.talk = Some(talk);
        Ok(())
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

    /// Ends the sound and forgets the keys.
    pub fn stop(&mut self) {
        self.talk = None;
    }

    /// Ends the sound of this call; that of another goes on.
    pub fn stop_call(&mut self, call: CallId) {
        self.talk.take_if(|talk| talk.call == call);
    }

    /// Moves what there is to move at this moment. Takes no lock, waits for nothing, and allocates nothing once the
    /// first frames have passed.
    pub fn turn(&mut self, now: Instant) {
        let now_us = self.micros(now);
        let Some(talk) = &mut self.talk else { return };
        talk.hear(self.origin, &self.figures);
        talk.say(now_us, &mut self.microphone, &self.figures);
        talk.play(now_us, &mut self.speaker, &self.figures);
        talk.measure(now_us, &self.figures);
    }

    fn micros(&self, at: Instant) -> u64 {
        micros(self.origin, at)
    }

    fn muted_in(&self, call: CallId) -> Muted {
        self.muted.filter(|(muted, _)| *muted == call).map_or(Muted::No, |(_, muted)| muted)
    }
}

fn micros(origin: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(origin).as_micros()).unwrap_or(u64::MAX)
}

fn discard(microphone: &mut Consumer<i16>) {
    if let Ok(chunk) = microphone.read_chunk(microphone.slots()) {
        chunk.commit_all();
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
            fed_us: now_us,
            second_us: now_us,
            their_loss: 0,
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
        let mouth = &mut self.mouth;
        let mut sink = |frame: Encoded<'_>| mouth.say(&frame, figures);
        if let Ok(chunk) = microphone.read_chunk(microphone.slots())
            && !chunk.is_empty()
        {
            let (one, two) = chunk.as_slices();
            self.capture.push(one, &mut sink);
            self.capture.push(two, &mut sink);
            chunk.commit_all();
            self.fed_us = now_us;
        }
        let dry_us = now_us.saturating_sub(self.fed_us);
        if dry_us > SKIP_US {
            mouth.timestamp = mouth.timestamp.wrapping_add((dry_us * 48 / 1_000) as u32);
            self.fed_us = now_us;
        } else if dry_us >= DRY_US {
            // Silence keeps our time in step with the clock, and carries the loss report.
            for _ in 0..dry_us / 10_000 {
                self.capture.push(&[0; PULL_SAMPLES], &mut sink);
                self.fed_us += 10_000;
            }
        }
    }

    fn play(&mut self, now_us: u64, speaker: &mut Producer<i16>, figures: &Figures) {
        let wanted = PULL_SAMPLES.max(figures.largest_pull.load(Relaxed) as usize) + RESERVE;
        let mut block = [0; PULL_SAMPLES];
        for _ in 0..BURST {
            let waiting = speaker.buffer().capacity() - speaker.slots();
            if waiting >= wanted || speaker.slots() < PULL_SAMPLES {
                return;
            }
            self.mixer.pull(now_us, &mut block);
            if let Ok(mut chunk) = speaker.write_chunk(PULL_SAMPLES) {
                let (one, two) = chunk.as_mut_slices();
                let split = one.len();
                one.copy_from_slice(&block[..split]);
                two.copy_from_slice(&block[split..]);
                chunk.commit_all();
            }
        }
    }

    fn measure(&mut self, now_us: u64, figures: &Figures) {
        let Some(stats) = self.mixer.stats(THEM) else { return };
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
        self.next_timestamp = Some(timestamp.wrapping_add(960));
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

/// Counts, and notes when it was the first.
fn first(count: &std::sync::atomic::AtomicU64, at: &std::sync::atomic::AtomicU64) {
    if count.fetch_add(1, Relaxed) == 0 {
        at.store(clock::micros(), Relaxed);
    }
}
