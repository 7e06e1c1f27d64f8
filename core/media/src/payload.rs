//! What an Opus payload says about itself without being decoded (RFC 6716, section 3).

use crate::MAX_PAYLOAD;

/// Samples in the longest payload: 120 ms.
pub const LONGEST_PAYLOAD: usize = 5_760;

/// What the first bytes of a payload tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Samples at 48 kHz it decodes to: 120..=5760.
    pub samples: i64,
    /// It carries a second copy of the frame before it.
    pub fec: bool,
    /// It only says that silence goes on.
    pub rests: bool,
}

/// Reads the shape; `None` when these bytes are no Opus packet.
pub fn shape(bytes: &[u8]) -> Option<Shape> {
    let (&toc, frames) = bytes.split_first()?;
    if bytes.len() > MAX_PAYLOAD {
        return None;
    }
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(frames.first()? & 0x3f),
    };
    let one = frame_samples(toc >> 3);
    let samples = one * count;
    if samples == 0 || samples > LONGEST_PAYLOAD as i64 {
        return None;
    }
    Some(Shape { samples, fec: carries_fec(toc, one, frames), rests: bytes.len() <= 2 })
}

/// Samples in one frame of this configuration (RFC 6716, table 2).
fn frame_samples(config: u8) -> i64 {
    match config {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

/// The LBRR flag follows one voice-activity flag per 20 ms in the SILK part (RFC 6716, section 4.2.3).
///
/// Read for single-frame mono packets only, which is what a [`crate::Capture`] makes; others count as having none.
fn carries_fec(toc: u8, samples: i64, frames: &[u8]) -> bool {
    let celt_only = toc & 0x80 != 0;
    let single_mono = toc & 0b111 == 0;
    if celt_only || !single_mono {
        return false;
    }
    let activity_flags = (samples / 960).max(1) as u32;
    frames.first().is_some_and(|first| (first >> (7 - activity_flags)) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_with_libopus_for_every_first_byte() {
        for toc in 0..=255u8 {
            for second in [0u8, 1, 2, 3, 6, 48, 63] {
                let packet = [toc, second, 0, 0];
                let ours = shape(&packet).map(|shape| shape.samples as usize);
                let theirs = opus::packet::get_nb_samples(&packet, 48_000).ok().filter(|&samples| samples > 0);
                assert_eq!(ours, theirs, "toc {toc} second {second}");
            }
        }
    }

    #[test]
    fn what_is_no_packet_has_no_shape() {
        assert_eq!(shape(&[]), None);
        assert_eq!(shape(&[3]), None, "a packet of many frames without their number");
        assert_eq!(shape(&[0; MAX_PAYLOAD + 1]), None);
    }
}
