//! A camera that shows a number, and what reads it off a picture.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::server::TestProblem;

/// Bits of a picture: 24 of its number, then 8 that tell whether they are right.
const BITS: u32 = 32;
/// Blocks in a row; four rows.
const ACROSS: usize = 8;
const DOWN: usize = 4;
const DARK: u8 = 48;
const BRIGHT: u8 = 208;

/// A picture in I420 (ITU-R BT.601): all of luma, then both chromas at half the width and height.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TestPicture {
    /// Pixels across; even.
    pub width: u32,
    /// Pixels down; even.
    pub height: u32,
    /// The picture.
    pub i420: Vec<u8>,
}

/// A camera whose pictures show their number, as dark and bright blocks that survive coding and scaling.
#[derive(Debug, uniffi::Object)]
pub struct PatternCamera {
    width: u32,
    height: u32,
    next: AtomicU32,
}

#[uniffi::export]
impl PatternCamera {
    /// A camera of so many pixels: even, 32 to 4,096 across and down.
    #[uniffi::constructor]
    pub fn new(width: u32, height: u32) -> Result<Arc<Self>, TestProblem> {
        let fits = |side: u32| side.is_multiple_of(2) && (32..=4_096).contains(&side);
        if !fits(width) || !fits(height) {
            return Err(TestProblem::new("a picture has an even number of pixels, 32 to 4,096 each way"));
        }
        Ok(Arc::new(Self { width, height, next: AtomicU32::new(0) }))
    }

    /// The next picture: the first shows 0, and after 16,777,215 it begins again.
    pub fn next(&self) -> TestPicture {
        let word = code(self.next.fetch_add(1, Relaxed));
        let (width, height) = (self.width as usize, self.height as usize);
        let mut i420 = Vec::with_capacity(width * height * 3 / 2);
        for y in 0..height {
            for x in 0..width {
                let bit = (y * DOWN / height) * ACROSS + x * ACROSS / width;
                i420.push(if word >> bit & 1 == 1 { BRIGHT } else { DARK });
            }
        }
        // The colour turns with the number: something for a codec to do.
        let turn = (word & 0x3f) as u8;
        i420.extend(std::iter::repeat_n(96 + turn, width * height / 4));
        i420.extend(std::iter::repeat_n(160 - turn, width * height / 4));
        TestPicture { width: self.width, height: self.height, i420 }
    }
}

/// The number that a picture shows; none if it shows none, or is torn between two.
#[uniffi::export]
pub fn read_pattern(picture: &TestPicture) -> Option<u32> {
    let (width, height) = (usize::try_from(picture.width).ok()?, usize::try_from(picture.height).ok()?);
    let luma = picture.i420.get(..width.checked_mul(height)?)?;
    if width < ACROSS * 4 || height < DOWN * 4 {
        return None;
    }
    let mut word = 0;
    for bit in 0..BITS as usize {
        let (left, top) = (bit % ACROSS * width / ACROSS, bit / ACROSS * height / DOWN);
        let (across, down) = (width / ACROSS, height / DOWN);
        // The middle of a block: coding blurs its edges.
        let rows = top + down / 4..top + down - down / 4;
        let row = |y: usize| luma.get(y * width + left + across / 4..y * width + left + across - across / 4);
        let (mut sum, mut count) = (0_u64, 0_u64);
        for y in rows {
            for pixel in row(y)? {
                sum += u64::from(*pixel);
                count += 1;
            }
        }
        word |= u32::from(sum > count * u64::from(DARK / 2 + BRIGHT / 2)) << bit;
    }
    let number = word & 0xff_ffff;
    (code(number) == word).then_some(number)
}

/// A number and its check (CRC-8, polynomial 0x07), kept from being all dark.
fn code(number: u32) -> u32 {
    let number = number & 0xff_ffff;
    let mut check = 0xff_u8;
    for byte in &number.to_be_bytes()[1..] {
        check ^= byte;
        for _ in 0..8 {
            check = if check & 0x80 == 0 { check << 1 } else { check << 1 ^ 0x07 };
        }
    }
    number | u32::from(check) << 24
}
