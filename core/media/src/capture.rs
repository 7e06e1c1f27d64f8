//! Microphone to Opus payloads.

use opus::{Application, Bitrate, Channels, Encoder};

use crate::level::{Level, Meter};
use crate::{MAX_PAYLOAD, MediaError, PULL_SAMPLES, SAMPLE_RATE_HZ};

/// Samples in the longest frame: 60 ms.
const LONGEST_FRAME: usize = 2_880;
/// Samples over which the microphone fades in when it opens: 2.5 ms, so that opening does not click.
const FADE_IN: usize = 120;
/// Reported loss from which every packet also carries a copy of the frame before it. Below, the copy costs more
/// quality than the losses it would repair.
const FEC_FROM: f32 = 0.02;
/// What libopus is told at least: up to 5 % it prefers bandwidth and leaves the copy out at our rates (`decide_fec`).
const FEC_PERCENT: i32 = 10;

/// How much sound one packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frame {
    /// 20 ms: the usual one.
    Ms20,
    /// 40 ms: half the packet headers, for little data.
    Ms40,
    /// 60 ms: for the least data.
    Ms60,
}

impl Frame {
    /// Samples at 48 kHz.
    pub const fn samples(self) -> usize {
        match self {
            Frame::Ms20 => 960,
            Frame::Ms40 => 1_920,
            Frame::Ms60 => LONGEST_FRAME,
        }
    }
}

/// A rung of the data ladder: how many bits a second, in frames of which length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Opus bits per second without packet headers: 6,000..=128,000.
    pub bitrate_bps: u32,
    /// The length of a frame.
    pub frame: Frame,
}

impl Rate {
    /// 24 kbit/s in frames of 20 ms: the usual voice.
    pub const FULL: Rate = Rate { bitrate_bps: 24_000, frame: Frame::Ms20 };
    /// 16 kbit/s in frames of 40 ms: little data.
    pub const LOW: Rate = Rate { bitrate_bps: 16_000, frame: Frame::Ms40 };
    /// 6 kbit/s in frames of 60 ms: the least that is still speech.
    pub const LEAST: Rate = Rate { bitrate_bps: 6_000, frame: Frame::Ms60 };

    fn checked(self) -> Result<Rate, MediaError> {
        if !(6_000..=128_000).contains(&self.bitrate_bps) {
            return Err(MediaError::Settings);
        }
        Ok(self)
    }
}

/// What leaves while nobody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// Nothing but a short refresh each 400 ms (Opus DTX).
    Rests,
    /// Frames like any other: nobody on the way can tell from their number when somebody speaks.
    Sent,
}

/// What a [`Capture`] starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bits per second and frame length.
    pub rate: Rate,
    /// libopus complexity, 0..=10: 9 for one call, 5 where the battery asks.
    pub complexity: u8,
    /// What leaves while nobody speaks.
    pub silence: Silence,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { rate: Rate::FULL, complexity: 9, silence: Silence::Rests }
    }
}

/// Whether the microphone is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Muted {
    /// Silence leaves in its place.
    Yes,
    /// The voice leaves.
    No,
}

/// One payload ready to be sealed and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded<'a> {
    /// One Opus packet (RFC 6716), at most [`MAX_PAYLOAD`] bytes.
    pub bytes: &'a [u8],
    /// Samples at 48 kHz from the start of capture to the start of this frame, wrapping: the RTP timestamp of RFC 7587.
    pub timestamp: u32,
    /// Samples at 48 kHz in this frame.
    pub samples: u32,
    /// How loud this frame is, for the header extension of RFC 6464.
    pub level: Level,
    /// Whether somebody speaks, with hang-over: the V bit of RFC 6464.
    pub speaking: bool,
}

/// The microphone side of one phone: cuts, mutes, measures and encodes.
///
/// With [`Silence::Rests`] Opus stops sending during silence (DTX): no payload comes out while the timestamp goes on, apart from a short
/// refresh each 400 ms. The sender numbers only what comes out, so the receiver can tell silence from loss.
pub struct Capture {
    encoder: Encoder,
    meter: Meter,
    /// The rate of the frame being filled.
    running: Rate,
    /// The rate of the frames after it.
    rate: Rate,
    muted: Muted,
    faded_in: usize,
    pending: [i16; LONGEST_FRAME],
    filled: usize,
    timestamp: u32,
    resting: bool,
    payload: [u8; MAX_PAYLOAD],
}

impl Capture {
    /// A capture with nothing pushed yet, open microphone, timestamp 0, no loss reported.
    ///
    /// # Errors
    /// [`MediaError::Settings`] when a setting is out of its range, [`MediaError::Codec`] when libopus cannot start.
    pub fn new(settings: Settings) -> Result<Capture, MediaError> {
        let rate = settings.rate.checked()?;
        if settings.complexity > 10 {
            return Err(MediaError::Settings);
        }
        let encoder = start_encoder(settings).map_err(|_| MediaError::Codec)?;
        Ok(Capture {
            encoder,
            meter: Meter::default(),
            running: rate,
            rate,
            muted: Muted::No,
            faded_in: 0,
            pending: [0; LONGEST_FRAME],
            filled: 0,
            timestamp: 0,
            resting: false,
            payload: [0; MAX_PAYLOAD],
        })
    }

    /// Takes a block of any length and hands every frame it completes to `sink`, oldest first.
    pub fn push(&mut self, pcm: &[i16], sink: &mut dyn FnMut(Encoded<'_>)) {
        let mut rest = pcm;
        while !rest.is_empty() {
            if self.filled == 0 {
                self.begin_frame();
            }
            let frame = self.running.frame.samples();
            let (block, later) = rest.split_at(rest.len().min(frame - self.filled));
            self.take(block);
            rest = later;
            if self.filled == frame {
                self.encode(sink);
            }
        }
    }

    /// Hands what waits for a whole frame to `sink`, filled up with silence: the end of a burst is not kept back.
    pub fn flush(&mut self, sink: &mut dyn FnMut(Encoded<'_>)) {
        if self.filled == 0 {
            return;
        }
        let frame = self.running.frame.samples();
        self.pending[self.filled..frame].fill(0);
        self.filled = frame;
        self.encode(sink);
    }

    /// Begins a burst after a pause: nothing of what was said before it comes out with it, and its first frame does even
    /// if nothing is heard in it.
    pub fn begin_burst(&mut self) {
        self.filled = 0;
        self.faded_in = 0;
        self.resting = false;
        // Refuses nothing: it has no argument.
        let _ = self.encoder.reset_state();
    }

    /// Shuts or opens the microphone from the next sample on; what was pushed but not yet sent is lost when it shuts.
    pub fn set_muted(&mut self, muted: Muted) {
        if muted == self.muted {
            return;
        }
        self.muted = muted;
        self.faded_in = 0;
        if muted == Muted::Yes {
            self.pending[..self.filled].fill(0);
        }
    }

    /// Whether the microphone is shut.
    pub fn muted(&self) -> Muted {
        self.muted
    }

    /// Tells what part of our packets the receivers miss (0.0..=1.0; the worst receiver counts).
    ///
    /// From 2 % on, packets carry a copy of the frame before; below, they do not. What is not a number is ignored.
    pub fn report_loss(&mut self, fraction: f32) {
        if fraction.is_nan() {
            return;
        }
        let fraction = fraction.clamp(0.0, 1.0);
        let fec = fraction >= FEC_FROM;
        let percent = if fec { ((fraction * 100.0).round() as i32).max(FEC_PERCENT) } else { 0 };
        // Both are plain stores in libopus and refuse only values outside 0..=100.
        let _ = self.encoder.set_inband_fec(fec);
        let _ = self.encoder.set_packet_loss_perc(percent);
    }

    /// Moves to another rung of the ladder where the next frame begins.
    ///
    /// # Errors
    /// [`MediaError::Settings`] when the bit rate is out of range; the old rate stays.
    pub fn set_rate(&mut self, rate: Rate) -> Result<(), MediaError> {
        self.rate = rate.checked()?;
        Ok(())
    }

    /// The rate in force once the next frame begins.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How loud the microphone is now; silence while muted.
    pub fn level(&self) -> Level {
        self.meter.level()
    }

    /// Whether our user speaks, with hang-over; never while muted.
    pub fn speaking(&self) -> bool {
        self.muted == Muted::No && self.meter.speaking()
    }

    fn begin_frame(&mut self) {
        if self.running == self.rate {
            return;
        }
        self.running = self.rate;
        // Refuses only rates outside what `checked` lets through.
        let _ = self.encoder.set_bitrate(Bitrate::Bits(self.running.bitrate_bps as i32));
    }

    fn take(&mut self, block: &[i16]) {
        let into = &mut self.pending[self.filled..self.filled + block.len()];
        self.filled += block.len();
        if self.muted == Muted::Yes {
            into.fill(0);
            return;
        }
        into.copy_from_slice(block);
        for sample in into.iter_mut().take(FADE_IN - self.faded_in) {
            *sample = (i32::from(*sample) * self.faded_in as i32 / FADE_IN as i32) as i16;
            self.faded_in += 1;
        }
    }

    fn encode(&mut self, sink: &mut dyn FnMut(Encoded<'_>)) {
        let frame = &self.pending[..self.filled];
        frame.chunks_exact(PULL_SAMPLES).for_each(|block| self.meter.push(block));
        let level = Level::of(frame);
        let (timestamp, samples) = (self.timestamp, self.filled as u32);
        self.timestamp = timestamp.wrapping_add(self.filled as u32);
        let encoded = self.encoder.encode(frame, &mut self.payload);
        self.filled = 0;
        let Ok(length) = encoded else {
            return; // libopus refuses only lengths and pointers that cannot occur here; the frame counts as lost.
        };
        // Two bytes or fewer say "silence goes on" (opus_encode). The first tells the receiver so; the rest are not needed.
        let resting = length <= 2;
        let needless = resting && self.resting;
        self.resting = resting;
        if needless {
            return;
        }
        sink(Encoded { bytes: &self.payload[..length], timestamp, samples, level, speaking: self.speaking() });
    }
}

fn start_encoder(settings: Settings) -> opus::Result<Encoder> {
    let mut encoder = Encoder::new(SAMPLE_RATE_HZ, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(settings.rate.bitrate_bps as i32))?;
    encoder.set_complexity(i32::from(settings.complexity))?;
    encoder.set_dtx(settings.silence == Silence::Rests)?;
    encoder.set_inband_fec(false)?;
    Ok(encoder)
}
