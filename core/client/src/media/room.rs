//! The sound of one room: one microphone to every link, every link to one speaker. No clock, no thread, no wait.
//!
//! A frame is encoded once and sealed once; every link gets the same bytes. Who may speak is not decided here: the engine
//! orders ([`SoundOrder`]) and is told what the sound itself says ([`SoundNews`]). In a push-to-talk room the last moments of
//! the microphone are kept, so that a burst begins with what was said before the press; each burst begins the listener's
//! jitter buffer anew, and packets of an earlier one are dropped.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bytes::BytesMut;
use rtrb::{Consumer, Producer};
use sidetone_crypto::sframe::Opener;
use sidetone_engine::{Claim, Loudness, Microphone, Mode, SoundNews, SoundOrder};
use sidetone_media::{
    BurstId, Bursts, Capture, Encoded, Inserted, Level, Listening, MAX_PAYLOAD, MediaError, Mixer, Muted, PreRoll,
    Replay, Settings, Speaker,
};
use sidetone_wire::id::{MemberId, RoomId};
use sidetone_wire::limits::MEMBERS;

mod mouth;

use super::figures::Figures;
use super::header::{Burst, HEADER_MAX, Header};
use super::reserve::Reserve;
use super::voice::{self, Feed, LOSS_STEP_PERMILLE, PACKETS, POOL, Port, SEAL};
use crate::clock;
use crate::vault::random;
use mouth::Mouth;

/// How often the end of a burst is said, and how far apart.
const ENDS: u8 = 3;
const ENDS_APART_US: u64 = 20_000;
/// Nothing from who is listened to for so long: told once.
const SILENT_US: u64 = 1_000_000;
/// A sender does not begin bursts faster than this: what comes sooner is dropped.
const BURSTS_APART_US: u64 = 50_000;
/// Levels are told so often at most.
const LEVELS_US: u64 = 200_000;
/// News that may wait.
const NEWS: usize = 4 * MEMBERS;
/// After so long without sound the thread may turn slower.
const CALM_US: u64 = 1_500_000;

/// The sound of one room.
pub struct RoomVoice {
    room: RoomId,
    mode: Mode,
    capture: Capture,
    feed: Feed,
    past: PreRoll,
    mouth: Mouth,
    ear: Ear,
    speech: Speech,
    reserve: Reserve,
    levels_us: u64,
    levels_told: bool,
    busy_us: u64,
}

/// What of ours leaves.
enum Speech {
    /// Nothing.
    Quiet,
    /// The microphone.
    Says,
    /// The word that the burst is over, so many times more.
    Ends { left: u8, next_us: u64 },
}

/// Opens and plays.
struct Ear {
    mixer: Mixer,
    mode: Mode,
    listening: Option<MemberId>,
    /// Since when it is listened to, or when something last came from it.
    heard_us: u64,
    bursts: Option<Bursts>,
    replay: Option<Replay>,
    plain: Vec<u8>,
    news: VecDeque<SoundNews>,
}

struct Member {
    id: MemberId,
    speaker: Speaker,
    port: Box<dyn Port>,
    sequence: u16,
    opener: Opener,
    burst: Option<Heard>,
    /// What it says of the loss it hears.
    loss: u8,
}

/// The newest burst of a member.
struct Heard {
    number: u32,
    began_us: u64,
    claimed: bool,
    ended: bool,
}

impl RoomVoice {
    /// The sound of a room in which nobody is heard yet.
    ///
    /// # Errors
    ///
    /// [`MediaError`] when libopus cannot start; then there is no sound.
    pub fn join(room: RoomId, mode: Mode, replay: bool, now_us: u64) -> Result<Self, MediaError> {
        let mut mixer = Mixer::new();
        if mode == Mode::PushToTalk {
            mixer.listen(Listening::Nobody);
        }
        let mouth = Mouth {
            sealer: None,
            members: Vec::with_capacity(MEMBERS),
            timestamp: u32::from_be_bytes(random()),
            next_timestamp: None,
            claim: None,
            packets: 0,
            repeats: 0,
            loss: 0,
            plain: Vec::with_capacity(HEADER_MAX + MAX_PAYLOAD),
            sealed: Vec::with_capacity(HEADER_MAX + MAX_PAYLOAD + SEAL),
            pool: BytesMut::with_capacity(POOL),
        };
        let ear = Ear {
            mixer,
            mode,
            listening: None,
            heard_us: now_us,
            bursts: replay.then(Bursts::new),
            replay: None,
            plain: Vec::with_capacity(HEADER_MAX + MAX_PAYLOAD + SEAL),
            news: VecDeque::with_capacity(NEWS),
        };
        Ok(Self {
            room,
            mode,
            capture: Capture::new(Settings::default())?,
            feed: Feed::new(now_us),
            past: PreRoll::new(),
            mouth,
            ear,
            speech: if mode == Mode::Open { Speech::Says } else { Speech::Quiet },
            reserve: Reserve::new(mode),
            levels_us: now_us,
            levels_told: false,
            busy_us: now_us,
        })
    }

    /// Which room.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// Carries out an order; `port` is that of the link in [`SoundOrder::Member`]. `Join` and `Leave` are the caller's.
    pub fn obey(&mut self, now_us: u64, order: SoundOrder, port: Option<Box<dyn Port>>) {
        match order {
            SoundOrder::SealWith(key) => self.mouth.seal_with(&key),
            SoundOrder::Member { member, .. } => self.member(member, port),
            SoundOrder::OpenWith { member, key } => {
                if let Some(member) = self.mouth.members.iter_mut().find(|other| other.id == member) {
                    // A key that is not newer is one that is known.
                    let _ = member.opener.insert(key.generation, &key.base);
                }
            }
            SoundOrder::Gone { member } => self.gone(member),
            SoundOrder::Microphone(Microphone::On) => self.capture.set_muted(Muted::No),
            SoundOrder::Microphone(Microphone::Off) => self.capture.set_muted(Muted::Yes),
            SoundOrder::Talk(claim) => self.talk(claim),
            SoundOrder::Hush => self.hush(now_us),
            SoundOrder::Listen(member) => self.ear.listen(now_us, member, &self.mouth.members),
            SoundOrder::Replay { member, burst } => self.ear.replay(member, burst, &self.mouth.members),
            // Pictures are no sound.
            SoundOrder::Show(_) | SoundOrder::Wanted { .. } => {}
            SoundOrder::Join { .. } | SoundOrder::Leave => {}
        }
        self.busy_us = now_us;
    }

    /// The user pressed: a burst that follows begins here, after what the microphone gave until now.
    pub fn press(&mut self, microphone: &mut Consumer<i16>) {
        if matches!(self.speech, Speech::Quiet) {
            voice::drain(microphone, |pcm| self.past.push(pcm));
        }
        self.past.press();
    }

    /// The user let go; a burst that is on ends by the engine's word.
    pub fn release(&mut self) {
        self.past.release();
    }

    /// Moves what there is to move at this moment, as [`super::Voice::turn`].
    pub fn turn(
        &mut self,
        origin: Instant,
        now_us: u64,
        devices: Option<(&mut Consumer<i16>, &mut Producer<i16>)>,
        figures: &Figures,
    ) {
        let Self { mouth, ear, .. } = self;
        let heard = ear.hear(origin, now_us, &mut mouth.members, figures);
        if heard {
            self.busy_us = now_us;
        }
        if let Some((microphone, speaker)) = devices {
            self.say(now_us, microphone, figures);
            // Silence waiting for the speaker would make the next burst late.
            let heard = self.is_heard();
            self.reserve.turn(now_us, heard, figures.speaker_missing.load(Relaxed));
            if heard {
                let ear = &mut self.ear;
                voice::fill(speaker, figures, self.reserve.samples(), |block| ear.pull(now_us, block));
                let (clock_us, waiting) = (clock::micros(), voice::waiting(speaker));
                for member in &self.mouth.members {
                    self.ear.mixer.hold_longer(member.speaker, member.port.longer_us(clock_us));
                    let heard = self.mode == Mode::Open || self.ear.listening == Some(member.id);
                    if let Some(next) = self.ear.mixer.playing(member.speaker).filter(|_| heard) {
                        member.port.note_played(clock_us, next.wrapping_sub(waiting));
                    }
                }
            }
        }
        self.measure(now_us, figures);
    }

    /// Whether something is heard or said, or was a moment ago.
    pub fn is_busy(&self, now_us: u64) -> bool {
        self.mode == Mode::Open
            || !matches!(self.speech, Speech::Quiet)
            || self.ear.replay.is_some()
            || now_us.saturating_sub(self.busy_us) < CALM_US
    }

    /// Whether there is somebody to hear.
    pub fn is_heard(&self) -> bool {
        self.mode == Mode::Open || self.ear.listening.is_some() || self.ear.replay.is_some()
    }

    /// The oldest news.
    pub fn news(&mut self) -> Option<SoundNews> {
        self.ear.news.pop_front()
    }

    /// Takes back news for which there was no room.
    pub fn keep(&mut self, news: SoundNews) {
        if !matches!(news, SoundNews::Levels(_)) {
            self.ear.news.push_front(news);
        }
    }

    fn member(&mut self, id: MemberId, port: Option<Box<dyn Port>>) {
        // Without the link the engine will soon hear that it is down.
        let Some(port) = port else { return };
        let sequence = port.next_sequence();
        if let Some(member) = self.mouth.members.iter_mut().find(|member| member.id == id) {
            (member.port, member.sequence) = (port, sequence);
            return;
        }
        // Numbers of who left are used again: the mixer and what was missed know nothing of them any more.
        let taken = |speaker: u64| self.mouth.members.iter().any(|member| member.speaker.0 == speaker);
        let speaker = (0..MEMBERS as u64).find(|speaker| !taken(*speaker)).map(Speaker);
        let Some(speaker) = speaker.filter(|speaker| self.ear.mixer.join(*speaker).is_ok()) else {
            tracing::error!("no sound of another member");
            return;
        };
        let member = Member { id, speaker, port, sequence, opener: Opener::new(), burst: None, loss: 0 };
        self.mouth.members.push(member);
    }

    fn gone(&mut self, id: MemberId) {
        let Some(place) = self.mouth.members.iter().position(|member| member.id == id) else { return };
        let member = self.mouth.members.swap_remove(place);
        self.ear.forget(&member);
    }

    fn talk(&mut self, claim: Claim) {
        if self.mode == Mode::Open {
            return;
        }
        self.ear.replay = None;
        self.mouth.claim = Some(claim);
        self.mouth.packets = 0;
        if !matches!(self.speech, Speech::Says) {
            self.speech = Speech::Says;
            self.capture.begin_burst();
            self.mouth.next_timestamp = None;
            self.feed.begin();
        }
    }

    fn hush(&mut self, now_us: u64) {
        if self.mode == Mode::Open || !matches!(self.speech, Speech::Says) {
            return;
        }
        self.speech = Speech::Ends { left: ENDS, next_us: now_us };
        self.past.clear();
    }

    fn say(&mut self, now_us: u64, microphone: &mut Consumer<i16>, figures: &Figures) {
        let Self { capture, feed, past, mouth, speech, .. } = self;
        match speech {
            Speech::Quiet => drop(voice::drain(microphone, |pcm| past.push(pcm))),
            Speech::Says => {
                let mut sink = |frame: Encoded<'_>| mouth.say(&frame, figures);
                if feed.is_beginning(now_us) {
                    voice::drain(microphone, |pcm| past.push(pcm));
                    past.give(&mut |pcm| capture.push(pcm, &mut sink));
                }
                let skipped = feed.take(now_us, microphone, |pcm| capture.push(pcm, &mut sink));
                mouth.timestamp = mouth.timestamp.wrapping_add(skipped);
            }
            Speech::Ends { left, next_us } => {
                if *left == ENDS {
                    voice::drain(microphone, |pcm| capture.push(pcm, &mut |frame| mouth.say(&frame, figures)));
                    capture.flush(&mut |frame| mouth.say(&frame, figures));
                } else {
                    voice::drain(microphone, |pcm| past.push(pcm));
                }
                if now_us < *next_us {
                    return;
                }
                mouth.end(figures);
                (*left, *next_us) = (left.saturating_sub(1), now_us + ENDS_APART_US);
                if *left == 0 {
                    *speech = Speech::Quiet;
                    mouth.claim = None;
                }
            }
        }
    }

    fn measure(&mut self, now_us: u64, figures: &Figures) {
        self.ear.watch(now_us, &mut self.mouth.members);
        if now_us.saturating_sub(self.levels_us) < LEVELS_US {
            return;
        }
        self.levels_us = now_us;
        let losses = self.mouth.members.iter().filter_map(|member| self.ear.mixer.stats(member.speaker));
        let worst = losses.max_by_key(|stats| stats.loss_permille).unwrap_or_default();
        self.mouth.loss = u8::try_from(worst.loss_permille / LOSS_STEP_PERMILLE).unwrap_or(u8::MAX);
        let told = self.mouth.members.iter().map(|member| member.loss).max().unwrap_or(0);
        self.capture.report_loss(f32::from(told) * LOSS_STEP_PERMILLE as f32 / 1_000.0);
        let shown = self.mouth.members.iter().find(|member| Some(member.id) == self.ear.listening);
        figures.playout(shown.and_then(|member| self.ear.mixer.stats(member.speaker)).unwrap_or(worst));
        let ours = if matches!(self.speech, Speech::Quiet) { self.past.meter().level() } else { self.capture.level() };
        figures.our_level.store(ours.minus_dbov(), Relaxed);
        if self.is_busy(now_us) {
            self.tell_levels();
        }
    }

    fn tell_levels(&mut self) {
        let member = |speaker| self.mouth.members.iter().find(|member| member.speaker == speaker);
        let speaking = self.ear.mixer.heard().filter(|heard| heard.speaking);
        let mut levels: Vec<Loudness> = speaking
            .filter_map(|heard| Some(Loudness { member: member(heard.speaker)?.id, level: heard.level.minus_dbov() }))
            .collect();
        levels.sort_by_key(|loud| loud.level);
        if levels.is_empty() && !self.levels_told {
            return;
        }
        self.levels_told = !levels.is_empty();
        tell(&mut self.ear.news, SoundNews::Levels(levels));
    }
}

impl Ear {
    /// Takes what came on every link; whether there was anything.
    fn hear(&mut self, origin: Instant, now_us: u64, members: &mut [Member], figures: &Figures) -> bool {
        let mut any = false;
        for member in members {
            for _ in 0..PACKETS {
                let Some(packet) = member.port.take() else { break };
                let opened = member.opener.open(&packet.payload, &mut self.plain).is_ok();
                let plain = std::mem::take(&mut self.plain);
                let read = Header::read(&plain)
                    .filter(|(header, _)| opened && header.burst.is_some() == (self.mode == Mode::PushToTalk));
                match read {
                    Some((header, payload)) => {
                        any = true;
                        member.loss = header.loss;
                        figures.bytes_heard.fetch_add(packet.payload.len() as u64, Relaxed);
                        let arrival = voice::micros(origin, packet.arrival);
                        let numbers = (packet.sequence, packet.timestamp);
                        self.take(now_us, arrival, member, &header, numbers, payload, figures);
                    }
                    None => drop(figures.refused.fetch_add(1, Relaxed)),
                }
                self.plain = plain;
            }
        }
        any
    }

    #[allow(clippy::too_many_arguments, reason = "one packet and where it belongs")]
    fn take(
        &mut self,
        now_us: u64,
        arrival: u64,
        member: &mut Member,
        header: &Header,
        (sequence, timestamp): (u16, u32),
        payload: &[u8],
        figures: &Figures,
    ) {
        let mut burst = None;
        if let Some(said) = header.burst {
            if !self.burst(now_us, member, said, header.end) {
                return;
            }
            burst = Some(said.number());
        }
        let listened = self.listening == Some(member.id);
        if listened {
            self.heard_us = now_us;
        }
        if payload.is_empty() {
            return;
        }
        if let (Some(bursts), Some(burst), false) = (&mut self.bursts, burst, listened) {
            bursts.keep(BurstId { speaker: member.speaker.0, burst }, timestamp, payload);
        } else if listened {
            self.replay = None;
        }
        self.mixer.tell(now_us, member.speaker, Level::new(header.level));
        if self.mixer.insert(arrival, member.speaker, sequence, timestamp, payload) == Some(Inserted::Kept) {
            voice::first(&figures.heard, &figures.first_heard_us);
        }
    }

    /// Follows the bursts of a member; whether the packet belongs to its newest one.
    fn burst(&mut self, now_us: u64, member: &mut Member, said: Burst, end: bool) -> bool {
        let number = said.number();
        match &member.burst {
            Some(heard) if heard.number > number => return false,
            Some(heard) if heard.number == number => {}
            Some(heard) if now_us.saturating_sub(heard.began_us) < BURSTS_APART_US => return false,
            _ => {
                member.burst = Some(Heard { number, began_us: now_us, claimed: false, ended: false });
                self.mixer.begin_burst(member.speaker);
            }
        }
        let Some(heard) = &mut member.burst else { return false };
        if let Burst::Claimed(claim) = said
            && !heard.claimed
            && !heard.ended
        {
            heard.claimed = tell(&mut self.news, SoundNews::Claimed { member: member.id, claim });
        }
        if end && !heard.ended {
            heard.ended = tell(&mut self.news, SoundNews::Ended { member: member.id, burst: number });
        }
        true
    }

    /// Notices that nothing comes any more from who is listened to.
    fn watch(&mut self, now_us: u64, members: &mut [Member]) {
        let Some(listening) = self.listening else { return };
        if now_us.saturating_sub(self.heard_us) < SILENT_US {
            return;
        }
        self.heard_us = u64::MAX;
        if let Some(heard) = members.iter_mut().find(|member| member.id == listening).and_then(|m| m.burst.as_mut()) {
            if heard.ended {
                return;
            }
            heard.claimed = false;
        }
        tell(&mut self.news, SoundNews::Silent { member: listening });
    }

    fn listen(&mut self, now_us: u64, member: Option<MemberId>, members: &[Member]) {
        if self.mode == Mode::Open {
            return;
        }
        self.heard_us = now_us;
        self.listening = member;
        let speaker = members.iter().find(|other| Some(other.id) == member).map(|member| member.speaker);
        self.mixer.listen(speaker.map_or(Listening::Nobody, Listening::Only));
    }

    fn replay(&mut self, member: MemberId, burst: u32, members: &[Member]) {
        let (Some(bursts), Some(member)) = (&self.bursts, members.iter().find(|other| other.id == member)) else {
            return;
        };
        // Without a decoder there is nothing to hear; the app sees that nothing plays.
        self.replay = bursts.play(BurstId { speaker: member.speaker.0, burst }).ok().flatten();
    }

    fn pull(&mut self, now_us: u64, block: &mut [i16; sidetone_media::PULL_SAMPLES]) {
        if let Some(replay) = &mut self.replay {
            if !replay.pull(block) {
                self.replay = None;
            }
            return;
        }
        self.mixer.pull(now_us, block);
    }

    fn forget(&mut self, member: &Member) {
        self.mixer.leave(member.speaker);
        if let Some(bursts) = &mut self.bursts {
            bursts.forget(member.speaker.0);
        }
        if self.listening == Some(member.id) {
            self.listening = None;
            self.mixer.listen(Listening::Nobody);
        }
    }
}

/// Tells the engine, if there is room; what is not told now is told with a packet that says it again.
fn tell(waiting: &mut VecDeque<SoundNews>, news: SoundNews) -> bool {
    let room = waiting.len() < NEWS;
    if room {
        waiting.push_back(news);
    }
    room
}
