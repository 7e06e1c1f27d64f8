//! What travels with every picture, inside the seal: what it is, when it was seen, and which sound belongs to it.

/// The codec of a track's frames. The core never looks inside a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// ITU-T H.264, Annex B.
    H264 = 1,
    /// ITU-T H.265, Annex B.
    H265 = 2,
    /// RFC 6386.
    Vp8 = 3,
    /// VP9 bitstream.
    Vp9 = 4,
    /// AV1 temporal unit.
    Av1 = 5,
}

/// Whether a frame can be decoded by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It can.
    Key,
    /// It needs the frames before it.
    Delta,
}

/// How far a picture must be turned clockwise to be upright.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Rotation {
    /// It is upright.
    #[default]
    None = 0,
    /// A quarter turn.
    Quarter = 1,
    /// Upside down.
    Half = 2,
    /// Three quarter turns.
    ThreeQuarters = 3,
}

/// What is known of a frame beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Info {
    /// Its codec.
    pub codec: Codec,
    /// Whether it stands alone.
    pub kind: Kind,
    /// How to turn it.
    pub rotation: Rotation,
    /// Spatial or temporal layer, as the encoder counts them: 0 to 15.
    pub layer: u8,
    /// Width in pixels, before turning.
    pub width: u16,
    /// Height in pixels, before turning.
    pub height: u16,
    /// When it was captured: microseconds by the sender's own clock, from any origin.
    pub captured_us: u64,
    /// Timestamp (48 kHz) of the sound captured with it; `None` where no sound is captured.
    pub sound: Option<u32>,
}

/// Bytes that [`Info::write`] adds.
pub const INFO_BYTES: usize = 18;
/// The largest encoded frame, without its [`Info`].
pub const FRAME_BYTES: usize = 1 << 20;
const VERSION: u8 = 1;
const KEY: u8 = 0x80;
const SOUND: u8 = 0x40;

/// Why a frame is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No bytes.
    #[error("the frame is empty")]
    Empty,
    /// More than [`FRAME_BYTES`].
    #[error("the frame is larger than 1 MiB")]
    TooLarge,
    /// A width or height of 0, or a layer above 15.
    #[error("the frame's size or layer makes no sense")]
    Size,
    /// Captured before the frame before it, or more than a minute after it.
    #[error("the frame's capture time makes no sense")]
    Time,
    /// Another codec than the track's, in the middle of a group of pictures: start again with a key frame.
    #[error("another codec without a key frame")]
    Codec,
    /// The first frame, or the first after some were dropped, must be a key frame.
    #[error("a key frame is needed first")]
    NeedsKey,
}

impl Info {
    /// Puts the information in front of a frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let kind = if self.kind == Kind::Key { KEY } else { 0 };
        let sound = if self.sound.is_some() { SOUND } else { 0 };
        out.push(VERSION);
        out.push(kind | sound | (self.rotation as u8) << 4 | self.layer & 0x0f);
        // Five codecs need three bits; the rest is for what may come.
        let time = self.captured_us & 0x00ff_ffff_ffff_ffff;
        out.extend_from_slice(&((self.codec as u64) << 56 | time).to_be_bytes());
        out.extend_from_slice(&self.width.to_be_bytes());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.sound.unwrap_or(0).to_be_bytes());
    }

    /// Takes the information off a frame; `None` when it is not what [`Info::write`] made.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, frame) = bytes.split_first_chunk::<INFO_BYTES>()?;
        let [version, flags, codec, time @ .., w1, w0, h1, h0, s3, s2, s1, s0] = *head;
        if version != VERSION || frame.is_empty() || frame.len() > FRAME_BYTES {
            return None;
        }
        let time: [u8; 7] = time;
        let captured_us = time.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        let rotation = match flags >> 4 & 3 {
            0 => Rotation::None,
            1 => Rotation::Quarter,
            2 => Rotation::Half,
            _ => Rotation::ThreeQuarters,
        };
        let info = Self {
            codec: Codec::read(codec)?,
            kind: if flags & KEY != 0 { Kind::Key } else { Kind::Delta },
            rotation,
            layer: flags & 0x0f,
            width,
            height,
            captured_us,
            sound: (flags & SOUND != 0).then_some(u32::from_be_bytes([s3, s2, s1, s0])),
        };
        (width > 0 && height > 0).then_some((info, frame))
    }
}

impl Codec {
    fn read(number: u8) -> Option<Self> {
        [Self::H264, Self::H265, Self::Vp8, Self::Vp9, Self::Av1].into_iter().find(|codec| *codec as u8 == number)
    }
}

/// Looks at what an app pushes, before it is sealed: a track's frames in their order.
#[derive(Debug, Default)]
pub struct Gate {
    last: Option<(Codec, u64)>,
}

/// The longest pause between two frames of a track, in microseconds.
const PAUSE_US: u64 = 60_000_000;

impl Gate {
    /// Whether this frame may follow the ones before it.
    ///
    /// # Errors
    /// [`FrameError`]; the track goes on with the next frame that fits.
    pub fn admit(&mut self, info: &Info, frame: &[u8]) -> Result<(), FrameError> {
        if frame.is_empty() {
            return Err(FrameError::Empty);
        }
        if frame.len() > FRAME_BYTES {
            return Err(FrameError::TooLarge);
        }
        if info.width == 0 || info.height == 0 || info.layer > 15 {
            return Err(FrameError::Size);
        }
        if info.captured_us >> 56 != 0 {
            return Err(FrameError::Time);
        }
        match self.last {
            None if info.kind == Kind::Delta => return Err(FrameError::NeedsKey),
            Some((codec, _)) if codec != info.codec && info.kind == Kind::Delta => return Err(FrameError::Codec),
            Some((_, before)) if info.kind == Kind::Delta => {
                let pause = info.captured_us.checked_sub(before).ok_or(FrameError::Time)?;
                if pause > PAUSE_US {
                    return Err(FrameError::Time);
                }
            }
            _ => {}
        }
        self.last = Some((info.codec, info.captured_us));
        Ok(())
    }

    /// The next frame must be a key frame.
    pub fn restart(&mut self) {
        self.last = None;
    }
}
