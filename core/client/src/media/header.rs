//! What stands before the Opus payload of each sound packet in a room, sealed like it.
//!
//! ```text
//! byte 0     bit 0 end of the burst, bit 1 a claim follows, bit 2 a burst follows, bit 3 somebody speaks; others zero
//! byte 1     loudness of the frame in -dBov (RFC 6464): 0..=127
//! byte 2     worst loss among the frames that its sender hears, in steps of four parts per thousand
//! 4 bytes    burst, if bit 2                                      counts the bursts of the sender; push-to-talk only
//! 9 bytes    priority and counter of the claim, if bit 1          in the first packets of a burst, and now and then
//! the rest   one Opus packet; nothing in a packet that only says that the burst is over
//! ```
//!
//! The claim travels with the sound, so that a control message which is lost or late costs nothing.

use sidetone_engine::Claim;

/// The most bytes a header has.
pub const HEADER_MAX: usize = 16;

/// Packets of a burst that carry its claim, from the first: half a second.
const CLAIMED: u32 = 25;
/// After that, one in so many.
const CLAIMED_AGAIN: u32 = 25;
/// And so many after a pause: who listens may have given the speaker up.
pub const AFTER_PAUSE: u32 = 3;

const END: u8 = 1;
const CLAIM: u8 = 2;
const BURST: u8 = 4;
const SPEAKING: u8 = 8;
const KNOWN: u8 = END | CLAIM | BURST | SPEAKING;
const SILENCE: u8 = 127;

/// Whether a packet carries the claim because of its number in the burst.
pub fn is_claimed(packet: u32) -> bool {
    packet < CLAIMED || packet.is_multiple_of(CLAIMED_AGAIN)
}

/// A burst as a packet tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Burst {
    /// Its number alone.
    Numbered(u32),
    /// With the claim it is spoken under.
    Claimed(Claim),
}

impl Burst {
    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Self::Numbered(burst) => burst,
            Self::Claimed(claim) => claim.burst,
        }
    }
}

/// The header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Nothing of the burst comes after this.
    pub end: bool,
    /// Which burst; `None` in a room of open microphones.
    pub burst: Option<Burst>,
    /// Somebody speaks.
    pub speaking: bool,
    /// Loudness in -dBov, 0..=127.
    pub level: u8,
    /// Loss that the sender hears, in steps.
    pub loss: u8,
}

impl Header {
    /// Writes the header to the end of `out`, which has room for it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let burst = match self.burst {
            None => 0,
            Some(Burst::Numbered(_)) => BURST,
            Some(Burst::Claimed(_)) => BURST | CLAIM,
        };
        let end = if self.end { END } else { 0 };
        let speaking = if self.speaking { SPEAKING } else { 0 };
        out.extend_from_slice(&[end | burst | speaking, self.level.min(SILENCE), self.loss]);
        if let Some(burst) = self.burst {
            out.extend_from_slice(&burst.number().to_be_bytes());
            if let Burst::Claimed(claim) = burst {
                out.push(claim.priority);
                out.extend_from_slice(&claim.counter.to_be_bytes());
            }
        }
    }

    /// Reads the header and gives the payload behind it; `None` for what no version of ours writes.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[flags, level, loss], rest) = bytes.split_first_chunk()?;
        if flags & !KNOWN != 0 || level > SILENCE {
            return None;
        }
        let (burst, rest) = match (flags & BURST != 0, flags & CLAIM != 0) {
            (false, true) => return None,
            (false, false) => (None, rest),
            (true, claimed) => {
                let (number, rest) = rest.split_first_chunk()?;
                let number = u32::from_be_bytes(*number);
                if claimed {
                    let (&priority, rest) = rest.split_first()?;
                    let (counter, rest) = rest.split_first_chunk()?;
                    let claim = Claim { priority, counter: u64::from_be_bytes(*counter), burst: number };
                    (Some(Burst::Claimed(claim)), rest)
                } else {
                    (Some(Burst::Numbered(number)), rest)
                }
            }
        };
        let end = flags & END != 0;
        if rest.is_empty() && !end {
            return None;
        }
        Some((Self { end, burst, speaking: flags & SPEAKING != 0, level, loss }, rest))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn bytes(header: &Header, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        header.write(&mut out);
        assert!(out.len() <= HEADER_MAX);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let claim = Claim { priority: 2, counter: u64::MAX - 1, burst: 9 };
        for burst in [None, Some(Burst::Numbered(7)), Some(Burst::Claimed(claim))] {
            for end in [false, true] {
                let header = Header { end, burst, speaking: !end, level: 31, loss: 3 };
                let written = bytes(&header, b"opus");
                assert_eq!(Header::read(&written), Some((header, &b"opus"[..])));
                assert_eq!(Header::read(&written[..written.len() - 4]).is_some(), end, "only an end may be empty");
                for cut in 0..written.len() - 4 {
                    assert_eq!(Header::read(&written[..cut]), None, "{cut} bytes");
                }
            }
        }
        let claimed = Header { end: true, burst: Some(Burst::Claimed(claim)), speaking: true, level: 0, loss: 0 };
        assert_eq!(bytes(&claimed, b""), [15, 0, 0, 0, 0, 0, 9, 2, 255, 255, 255, 255, 255, 255, 255, 254]);
    }

    #[test]
    fn what_no_version_writes_is_refused() {
        for strange in [&[16, 0, 0, 1][..], &[128, 0, 0, 1], &[2, 0, 0, 1, 1, 1, 1, 1, 1], &[0, 128, 0, 1], &[0, 0]] {
            assert_eq!(Header::read(strange), None, "{strange:?}");
        }
    }
}
