//! A sealed frame in packets: each part behind one byte that says where in the frame it belongs.
//!
//! The payload is opaque to everybody between the two phones. The descriptor's bits: `0x80` first part, `0x40` last
//! part, `0x20` of a key frame; the others are 0.

/// The longest payload of one packet, its descriptor included: with RTP, its extensions, SRTP, UDP and IPv6 it stays below 1,280 bytes.
pub const PAYLOAD_BYTES: usize = 1_161;
/// The largest sealed frame: 1 MiB, what is known of it, and its seal.
pub const SEALED_BYTES: usize = (1 << 20) + 256;
/// The most packets of one frame: twice as many as the largest takes, for gaps between packets of sound that hold less.
pub const PACKETS: usize = 2 * SEALED_BYTES.div_ceil(PAYLOAD_BYTES - 1);

const START: u8 = 0x80;
const END: u8 = 0x40;
const KEY: u8 = 0x20;

/// The first byte of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// The first part of its frame.
    pub start: bool,
    /// The last part of its frame.
    pub end: bool,
    /// Of a frame that stands alone.
    pub key: bool,
}

impl Descriptor {
    /// The first byte of a payload.
    pub fn byte(self) -> u8 {
        let bit = |set, bit| if set { bit } else { 0 };
        bit(self.start, START) | bit(self.end, END) | bit(self.key, KEY)
    }

    /// Splits a payload into its descriptor and its part of the frame; `None` if it is none of ours.
    pub fn read(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (&byte, part) = payload.split_first()?;
        let known = byte & !(START | END | KEY) == 0;
        let descriptor = Self { start: byte & START != 0, end: byte & END != 0, key: byte & KEY != 0 };
        (known && !part.is_empty() && payload.len() <= PAYLOAD_BYTES).then_some((descriptor, part))
    }
}
