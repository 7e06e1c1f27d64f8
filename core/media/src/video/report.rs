//! What a receiver tells the sender of its pictures: which packets came and when, which to send again, where a key frame
//! is needed.
//!
//! A report is the payload of an RTP packet of its own type and travels by SRTP like what it is about. In substance it is
//! RFC 4585's generic NACK and picture loss indication with draft-holmer-rmcat-transport-wide-cc-extensions-01 in one
//! packet: both ends are ours, and one packet is cheaper than three.
//!
//! ```text
//! u8   flags: bit 0 a key frame of the camera is needed, bit 1 of the screen; others zero
//! u8   how many packets to send again, then for each: u8 track, u16 its number in the track
//! u16  number of the first packet told of
//! u16  how many packets are told of, then for each LEB128: 0 it did not come, else 1 + zigzag of when it came after the
//!      one told of before it (the first: after the time of the report), in units of 250 us
//! u32  time of the report by the receiver's clock, in the same units
//! u16  how long the newest packet waited for the report, in the same units
//! ```

/// Packets one report tells of at most.
pub const TOLD: usize = 400;
/// Packets it asks for at most.
pub const ASKED: usize = 64;
/// One unit of time.
const UNIT_US: u64 = 250;
/// The longest report.
pub const REPORT_BYTES: usize = 2 + 3 * ASKED + 4 + 5 * TOLD + 6;

/// Which pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Track {
    /// A camera's.
    Camera = 0,
    /// A shared screen's.
    Screen = 1,
}

impl Track {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Camera, Self::Screen];

    /// The track with this number.
    pub fn read(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|track| *track as u8 == number)
    }
}

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Tracks that need a key frame, by number.
    pub keys: [bool; 2],
    /// Packets to send again.
    pub again: Vec<(Track, u16)>,
    /// Number of the first packet told of.
    pub first: u16,
    /// When each came by the receiver's clock, from `first` on; `None` if it did not. In microseconds, rounded to 250.
    pub arrivals: Vec<Option<u64>>,
    /// When the report was made, by the same clock.
    pub at_us: u64,
    /// How long the newest packet had been there then.
    pub held_us: u64,
}

impl Report {
    /// The report as a payload; what is beyond the bounds is left out.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 3 * self.again.len() + 2 * self.arrivals.len());
        out.push(u8::from(self.keys[0]) | u8::from(self.keys[1]) << 1);
        let again = &self.again[..self.again.len().min(ASKED)];
        out.push(again.len() as u8);
        for (track, number) in again {
            out.push(*track as u8);
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.first.to_be_bytes());
        let arrivals = &self.arrivals[..self.arrivals.len().min(TOLD)];
        out.extend_from_slice(&(arrivals.len() as u16).to_be_bytes());
        let at = (self.at_us / UNIT_US) as u32;
        let mut before = at;
        for arrival in arrivals {
            let Some(arrival_us) = arrival else {
                out.push(0);
                continue;
            };
            let arrival = (arrival_us / UNIT_US) as u32;
            let step = arrival.wrapping_sub(before).cast_signed();
            let zigzag = (step << 1 ^ step >> 31).cast_unsigned();
            leb128(&mut out, u64::from(zigzag) + 1);
            before = arrival;
        }
        out.extend_from_slice(&at.to_be_bytes());
        let held = u16::try_from(self.held_us / UNIT_US).unwrap_or(u16::MAX);
        out.extend_from_slice(&held.to_be_bytes());
        out
    }

    /// Reads a payload; `None` for what [`Report::write`] does not make. Times are those of the receiver's clock modulo
    /// 2^32 units: only their differences mean anything.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > REPORT_BYTES {
            return None;
        }
        let (&[flags, again], mut rest) = bytes.split_first_chunk()?;
        if flags & !3 != 0 || usize::from(again) > ASKED {
            return None;
        }
        let mut report = Self { keys: [flags & 1 != 0, flags & 2 != 0], ..Self::default() };
        for _ in 0..again {
            let (&[track, high, low], after) = rest.split_first_chunk()?;
            report.again.push((Track::read(track)?, u16::from_be_bytes([high, low])));
            rest = after;
        }
        let (first, after) = rest.split_first_chunk()?;
        let (count, after) = after.split_first_chunk()?;
        report.first = u16::from_be_bytes(*first);
        let count = usize::from(u16::from_be_bytes(*count));
        if count > TOLD {
            return None;
        }
        rest = after;
        let mut steps = Vec::with_capacity(count);
        for _ in 0..count {
            let (value, after) = read_leb128(rest)?;
            steps.push(value.checked_sub(1).map(u32::try_from).transpose().ok()?);
            rest = after;
        }
        let (at, after) = rest.split_first_chunk()?;
        let held: &[u8; 2] = after.try_into().ok()?;
        let at = u32::from_be_bytes(*at);
        let mut before = at;
        // Differences to the time of the report keep their sign however the clock has wrapped.
        let base = (1 << 32) + u64::from(at);
        for step in steps {
            report.arrivals.push(step.map(|zigzag| {
                let step = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
                before = before.wrapping_add_signed(step);
                let since = before.wrapping_sub(at).cast_signed();
                base.saturating_add_signed(i64::from(since)) * UNIT_US
            }));
        }
        report.at_us = base * UNIT_US;
        report.held_us = u64::from(u16::from_be_bytes(*held)) * UNIT_US;
        Some(report)
    }
}

fn leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A value of at most five bytes, as short as it can be.
fn read_leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let short = place == 0 || *byte != 0;
            return short.then_some((value, &bytes[place + 1..]));
        }
    }
    None
}
