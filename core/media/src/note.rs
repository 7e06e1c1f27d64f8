//! Voice notes: Opus in Ogg (RFC 7845), which any player plays, with their length and shape.

use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder};

use crate::{MAX_PAYLOAD, MediaError, SAMPLE_RATE_HZ};

/// The longest voice note, in milliseconds; what is said after it is not recorded.
pub const NOTE_MS: u32 = 60 * 60 * 1_000;
/// Points of a note's shape.
pub const NOTE_POINTS: usize = 64;

/// Samples of one packet: 20 ms.
const PACKET: usize = 960;
/// Packets of one page: a second, as RFC 7845 section 6 asks for.
const PAGE: usize = 50;
const BITRATE: i32 = 24_000;
const VENDOR: &[u8] = b"sidetone";

/// A voice note while it is spoken.
pub struct NoteRecorder {
    encoder: Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// Samples that do not make a packet yet.
    rest: Vec<i16>,
    /// A packet that waits to be known as the last or not.
    held: Option<Vec<u8>>,
    packets: u64,
    samples: u64,
    /// Samples that the decoder makes before the first that was spoken.
    skip: u64,
    /// How loud each packet was at its loudest.
    peaks: Vec<u16>,
}

/// A voice note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file.
    pub ogg: Vec<u8>,
    /// Its length in milliseconds.
    pub duration_ms: u32,
    /// How loud it is from its beginning to its end, at up to [`NOTE_POINTS`] points: 0 is silence, 255 as loud as it gets.
    pub waveform: Vec<u8>,
}

impl NoteRecorder {
    /// Begins a note; `serial` is a random number that names its stream.
    ///
    /// # Errors
    /// [`MediaError::Codec`].
    pub fn new(serial: u32) -> Result<Self, MediaError> {
        let mut encoder =
            Encoder::new(SAMPLE_RATE_HZ, Channels::Mono, Application::Voip).map_err(|_| MediaError::Codec)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE)).map_err(|_| MediaError::Codec)?;
        let skip = encoder.get_lookahead().ok().and_then(|samples| u16::try_from(samples).ok()).unwrap_or(312);
        let mut pages = PacketWriter::new(Vec::new());
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&skip.to_le_bytes());
        head.extend_from_slice(&SAMPLE_RATE_HZ.to_le_bytes());
        // No gain, and one channel that is mapped to itself.
        head.extend_from_slice(&[0, 0, 0]);
        let mut tags = b"OpusTags".to_vec();
        tags.extend_from_slice(&(VENDOR.len() as u32).to_le_bytes());
        tags.extend_from_slice(VENDOR);
        tags.extend_from_slice(&0_u32.to_le_bytes());
        for packet in [head, tags] {
            let written = pages.write_packet(packet, serial, PacketWriteEndInfo::EndPage, 0);
            written.map_err(|_| MediaError::Codec)?;
        }
        let (rest, peaks) = (Vec::with_capacity(PACKET), Vec::new());
        let (packets, samples) = (0, 0);
        Ok(Self { encoder, pages, serial, rest, held: None, packets, samples, skip: skip.into(), peaks })
    }

    /// Adds sound, in blocks of any length: 48 kHz, one channel. False once the note is as long as one may be.
    pub fn push(&mut self, sound: &[i16]) -> bool {
        let most = u64::from(NOTE_MS) * u64::from(SAMPLE_RATE_HZ) / 1_000;
        let room = usize::try_from(most - self.samples).unwrap_or(usize::MAX);
        let taken = sound.len().min(room);
        self.samples += taken as u64;
        for sample in &sound[..taken] {
            self.rest.push(*sample);
            if self.rest.len() == PACKET {
                self.encode();
            }
        }
        taken == sound.len()
    }

    /// How long it is so far, in milliseconds.
    pub fn duration_ms(&self) -> u32 {
        u32::try_from(self.samples * 1_000 / u64::from(SAMPLE_RATE_HZ)).unwrap_or(NOTE_MS)
    }

    /// How loud its last 20 ms were: for a display while it is spoken.
    pub fn level(&self) -> u8 {
        self.peaks.last().map_or(0, |peak| loudness(*peak))
    }

    /// Ends the note.
    ///
    /// # Errors
    /// [`MediaError::Codec`] if there is nothing in it, or the codec failed.
    pub fn finish(mut self) -> Result<Note, MediaError> {
        if self.samples == 0 {
            return Err(MediaError::Codec);
        }
        let peaks = self.samples.div_ceil(PACKET as u64);
        // What the codec holds back must come out as well.
        while self.packets * (PACKET as u64) < self.samples + self.skip {
            let before = self.packets;
            self.rest.resize(PACKET, 0);
            self.encode();
            if self.packets == before {
                return Err(MediaError::Codec);
            }
        }
        self.peaks.truncate(usize::try_from(peaks).unwrap_or(usize::MAX));
        let last = self.held.take().ok_or(MediaError::Codec)?;
        // The end is cut off where the sound ends (RFC 7845 section 4.4).
        let end = self.samples + self.skip;
        let written = self.pages.write_packet(last, self.serial, PacketWriteEndInfo::EndStream, end);
        written.map_err(|_| MediaError::Codec)?;
        let (duration_ms, waveform) = (self.duration_ms(), waveform(&self.peaks));
        Ok(Note { ogg: self.pages.into_inner(), duration_ms, waveform })
    }

    fn encode(&mut self) {
        let peak = self.rest.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        let mut packet = vec![0; MAX_PAYLOAD];
        // A frame of a valid length cannot be refused; if it is, the note is shorter than what was spoken.
        let length = self.encoder.encode(&self.rest, &mut packet).unwrap_or(0);
        self.rest.clear();
        if length == 0 {
            return;
        }
        packet.truncate(length);
        self.peaks.push(peak);
        self.packets += 1;
        if let Some(before) = self.held.replace(packet) {
            let count = self.packets - 1;
            let info = match count % PAGE as u64 {
                0 => PacketWriteEndInfo::EndPage,
                _ => PacketWriteEndInfo::NormalPacket,
            };
            // A Vec refuses nothing.
            let _ = self.pages.write_packet(before, self.serial, info, count * PACKET as u64);
        }
    }
}

/// As loud as an ear takes it: quiet speech is far from nothing.
fn loudness(peak: u16) -> u8 {
    let part = f32::from(peak.min(32_767)) / 32_767.0;
    (part.sqrt() * 255.0).round() as u8
}

fn waveform(peaks: &[u16]) -> Vec<u8> {
    let points = peaks.len().min(NOTE_POINTS);
    let point = |place: usize| {
        let (from, to) = (place * peaks.len() / points, (place + 1) * peaks.len() / points);
        loudness(peaks[from..to].iter().copied().max().unwrap_or(0))
    };
    (0..points).map(point).collect()
}
