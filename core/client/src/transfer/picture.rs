//! Images: a small picture to show before the image is here, and nothing in the image that tells where it was taken.
//!
//! What is removed is removed without decoding: of a JPEG every application segment and comment but the colour profile and
//! those that say how colours are coded, and whatever follows its end; of a PNG every chunk that is not needed to show it. How
//! the image is turned stays, in an EXIF that says nothing else.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use img_parts::png::{Png, PngChunk};
use sidetone_wire::limits::THUMBNAIL_BYTES;
use sidetone_wire::transfer::{Picture, Thumbnail};

use crate::built;

/// Longest image that is looked at, in bytes.
pub const IMAGE_BYTES: u64 = 64 << 20;
/// Longest side of an image that is looked at.
const SIDE: u32 = 20_000;
/// The most memory that decoding may take: that of 50 million pixels.
const DECODED_BYTES: u64 = 200 << 20;
/// Sides and qualities of the small picture, tried until it is small enough.
const TRIES: [(u32, u8); 7] = [(320, 75), (320, 55), (240, 60), (240, 40), (160, 50), (120, 40), (64, 30)];

/// The segments of a JPEG: application data, and a comment.
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;
const APP15: u8 = 0xef;
const COMMENT: u8 = 0xfe;
const END: u8 = 0xd9;

/// What a PNG needs to be shown as it was meant (third edition, section 4.7), and what animates it.
const NEEDED: [&[u8; 4]; 19] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV",
    b"cLLI", b"bKGD", b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

/// Whether an image keeps what it says about where and how it was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing of it is sent.
    #[default]
    Remove,
    /// The image is sent as it is.
    Keep,
}

/// An image, ready to be sent.
pub struct Ready {
    /// What it is.
    pub mime: &'static str,
    /// What is shown of it before it is there.
    pub picture: Picture,
    /// Its bytes, if they are others than those of the file.
    pub cleaned: Option<Vec<u8>>,
}

/// The image is no JPEG or PNG, is damaged, or is larger than is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no image that can be shown")]
pub struct NoPicture;

/// Makes an image ready to be sent.
///
/// # Errors
/// [`NoPicture`].
pub fn ready(content: &[u8], origin: Origin) -> Result<Ready, NoPicture> {
    // Who asks has answered already, but a future that never gets here is linked with all it could call.
    if !built::IMAGES {
        return Err(NoPicture);
    }
    let format = image::guess_format(content).map_err(|_| NoPicture)?;
    let mime = match format {
        ImageFormat::Jpeg => "image/jpeg",
        ImageFormat::Png => "image/png",
        _ => return Err(NoPicture),
    };
    let (shown, turned) = decode(content, format)?;
    let cleaned = match (origin, format) {
        (Origin::Keep, _) => None,
        (Origin::Remove, ImageFormat::Jpeg) => Some(clean_jpeg(content, turned)?),
        (Origin::Remove, _) => Some(clean_png(content, turned)?),
    };
    let (width, height) = upright(turned, shown.width(), shown.height());
    let picture = Picture { width, height, thumbnail: thumbnail(&shown, turned)? };
    Ok(Ready { mime, picture, cleaned })
}

/// The sides of an image once it is turned.
fn upright(turned: Orientation, width: u32, height: u32) -> (u32, u32) {
    match turned {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (height, width)
        }
        _ => (width, height),
    }
}

/// An image as pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Red, green, blue and alpha of each pixel, row by row from the top.
    pub rgba: zeroize::Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoded({} x {})", self.width, self.height)
    }
}

/// Decodes a JPEG or PNG from anybody, upright, within limits on its sides and the memory it takes.
///
/// # Errors
/// [`NoPicture`].
pub fn decoded(content: &[u8]) -> Result<Decoded, NoPicture> {
    if !built::IMAGES {
        return Err(NoPicture);
    }
    let format = image::guess_format(content).map_err(|_| NoPicture)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
        return Err(NoPicture);
    }
    let (mut image, turned) = decode(content, format)?;
    image.apply_orientation(turned);
    let (width, height) = (image.width(), image.height());
    Ok(Decoded { width, height, rgba: zeroize::Zeroizing::new(image.into_rgba8().into_raw()) })
}

/// The image as it lies, and how it is to be turned: a turned one takes as much memory again.
fn decode(content: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), NoPicture> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(DECODED_BYTES);
    let bare = if format == ImageFormat::Png { bare_png(content) } else { None };
    let mut reader = ImageReader::with_format(Cursor::new(bare.as_deref().unwrap_or(content)), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| NoPicture)?;
    if decoder.total_bytes() > DECODED_BYTES {
        return Err(NoPicture);
    }
    // An EXIF that cannot be read turns nothing.
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(|_| NoPicture)?, turned))
}

fn thumbnail(image: &DynamicImage, turned: Orientation) -> Result<Thumbnail, NoPicture> {
    for (side, quality) in TRIES {
        let mut small = image.thumbnail(side.min(image.width().max(1)), side.min(image.height().max(1)));
        small.apply_orientation(turned);
        // Colours that are seen through are shown on white.
        let small = small.to_rgba8();
        let flat = image::RgbImage::from_fn(small.width(), small.height(), |x, y| {
            let [r, g, b, a] = small.get_pixel(x, y).0;
            let over = |c: u8| ((u16::from(c) * u16::from(a) + 255 * (255 - u16::from(a))) / 255) as u8;
            image::Rgb([over(r), over(g), over(b)])
        });
        let mut bytes = Vec::new();
        flat.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).map_err(|_| NoPicture)?;
        if bytes.len() <= THUMBNAIL_BYTES {
            return Thumbnail::new(bytes).ok_or(NoPicture);
        }
    }
    Ok(Thumbnail::default())
}

/// An EXIF that says how the image is turned and nothing else (TIFF 6.0: one directory of one entry).
fn exif(turned: Orientation) -> Option<Vec<u8>> {
    if turned == Orientation::NoTransforms {
        return None;
    }
    let head = *b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
    Some([&head[..], &[turned.to_exif(), 0, 0, 0, 0, 0, 0, 0]].concat())
}

fn clean_jpeg(content: &[u8], turned: Orientation) -> Result<Vec<u8>, NoPicture> {
    let segments = content.strip_prefix(b"\xff\xd8").ok_or(NoPicture)?;
    let mut cleaned = b"\xff\xd8".to_vec();
    if let Some(exif) = exif(turned) {
        let contents = [b"Exif\0\0", &exif[..]].concat();
        let length = u16::try_from(contents.len() + 2).map_err(|_| NoPicture)?;
        cleaned.extend_from_slice(&[0xff, APP1]);
        cleaned.extend_from_slice(&length.to_be_bytes());
        cleaned.extend_from_slice(&contents);
    }
    keep_needed(segments, &mut cleaned)?;
    Ok(cleaned)
}

/// Whether a segment is needed to show the image as it was meant.
fn keeps(marker: u8, contents: &[u8]) -> bool {
    match marker {
        APP0 => contents.starts_with(b"JFIF\0"),
        APP2 => contents.starts_with(b"ICC_PROFILE\0"),
        APP14 => contents.starts_with(b"Adobe"),
        APP1..=APP15 | COMMENT => false,
        _ => true,
    }
}

/// The segments and scans of a JPEG up to its end (ITU-T T.81 section B.1.1), without those that are not needed, and without
/// what follows.
fn keep_needed(segments: &[u8], kept: &mut Vec<u8>) -> Result<(), NoPicture> {
    let mut rest = segments;
    loop {
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff));
        let (coded, after) = rest.split_at(marker.ok_or(NoPicture)?);
        kept.extend_from_slice(coded);
        let (&[_, marker], more) = after.split_first_chunk::<2>().ok_or(NoPicture)?;
        if marker == END {
            kept.extend_from_slice(&[0xff, END]);
            return Ok(());
        }
        let length = more.first_chunk::<2>().map(|bytes| usize::from(u16::from_be_bytes(*bytes))).ok_or(NoPicture)?;
        let segment = more.get(..length).filter(|segment| segment.len() >= 2).ok_or(NoPicture)?;
        if keeps(marker, &segment[2..]) {
            kept.extend_from_slice(&[0xff, marker]);
            kept.extend_from_slice(segment);
        }
        rest = &more[length..];
    }
}

/// A PNG without its colour profile, if it has one: it is not looked at here, and could be packed so that a small one takes
/// all the memory there may be.
fn bare_png(content: &[u8]) -> Option<Vec<u8>> {
    let profile = b"iCCP";
    if !content.windows(profile.len()).any(|four| four == profile) {
        return None;
    }
    let mut png = Png::from_bytes(Bytes::copy_from_slice(content)).ok()?;
    png.chunks_mut().retain(|chunk| chunk.kind() != *profile);
    Some(png.encoder().bytes().to_vec())
}

fn clean_png(content: &[u8], turned: Orientation) -> Result<Vec<u8>, NoPicture> {
    let mut png = Png::from_bytes(Bytes::copy_from_slice(content)).map_err(|_| NoPicture)?;
    let chunks = png.chunks_mut();
    chunks.retain(|chunk| NEEDED.contains(&&chunk.kind()));
    if let Some(exif) = exif(turned) {
        chunks.insert(1.min(chunks.len()), PngChunk::new(*b"eXIf", exif.into()));
    }
    Ok(png.encoder().bytes().to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod others;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use img_parts::jpeg::{Jpeg, JpegSegment};
    use img_parts::{ImageEXIF, ImageICC};

    use super::*;

    const SECRET: &[u8] = b"GPS 48.2082N 16.3738E";

    pub(super) fn painted(width: u32, height: u32) -> DynamicImage {
        let paint = |x: u32, y: u32| image::Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x + y) * 3 % 256) as u8]);
        image::RgbImage::from_fn(width, height, paint).into()
    }

    pub(super) fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// An EXIF with a position in it, of an image that was turned by 90 degrees.
    fn telling() -> Bytes {
        let turned = exif(Orientation::Rotate90).unwrap();
        [&turned[..], SECRET].concat().into()
    }

    fn holds(bytes: &[u8], secret: &[u8]) -> bool {
        bytes.windows(secret.len()).any(|window| window == secret)
    }

    fn telling_jpeg() -> Vec<u8> {
        let mut jpeg = Jpeg::from_bytes(written(&painted(400, 300), ImageFormat::Jpeg).into()).unwrap();
        jpeg.set_exif(Some(telling()));
        jpeg.set_icc_profile(Some(Bytes::from_static(b"a colour profile")));
        let xmp = [b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat();
        for (marker, contents) in
            [(APP1, xmp), (0xed, SECRET.to_vec()), (COMMENT, SECRET.to_vec()), (APP15, SECRET.to_vec())]
        {
            jpeg.segments_mut().insert(1, JpegSegment::new_with_contents(marker, contents.into()));
        }
        // What some phones put after the image: another one, a film.
        [&jpeg.encoder().bytes()[..], b"\xff\xd8", SECRET].concat()
    }

    #[test]
    fn an_image_does_not_tell_where_it_was_taken_unless_asked() {
        let original = telling_jpeg();
        assert!(holds(&original, SECRET));
        let ready = ready(&original, Origin::Remove).unwrap();
        let cleaned = ready.cleaned.unwrap();
        assert!(!holds(&cleaned, SECRET));
        assert_eq!((ready.picture.width, ready.picture.height), (300, 400), "upright");
        let (before, after) =
            (decode(&original, ImageFormat::Jpeg).unwrap(), decode(&cleaned, ImageFormat::Jpeg).unwrap());
        assert_eq!(before.1, after.1, "it is turned as it was");
        assert!(before.0 == after.0 && before.0.width() == 400, "every pixel is as it was");
        let jpeg = Jpeg::from_bytes(cleaned.into()).unwrap();
        assert_eq!(jpeg.icc_profile(), Some(Bytes::from_static(b"a colour profile")));
        assert!(super::ready(&original, Origin::Keep).unwrap().cleaned.is_none());
    }

    #[test]
    fn a_png_does_not_tell_either() {
        let mut png = Png::from_bytes(written(&painted(50, 40), ImageFormat::Png).into()).unwrap();
        png.set_exif(Some(telling()));
        for kind in [b"tEXt", b"iTXt", b"zTXt", b"tIME", b"prVt"] {
            png.chunks_mut().insert(1, PngChunk::new(*kind, Bytes::from_static(SECRET)));
        }
        let original = [&png.encoder().bytes()[..], SECRET].concat();
        let ready = ready(&original, Origin::Remove).unwrap();
        let cleaned = ready.cleaned.unwrap();
        assert!(holds(&original, SECRET) && !holds(&cleaned, SECRET));
        let (before, after) =
            (decode(&original, ImageFormat::Png).unwrap(), decode(&cleaned, ImageFormat::Png).unwrap());
        assert!(before == after, "every pixel is as it was, and turned as it was");
    }

    #[test]
    fn the_small_picture_is_small_and_shows_the_image() {
        for (width, height) in [(4_000, 3_000), (3, 2_000), (2_000, 3), (1, 1), (300, 300)] {
            let content = written(&painted(width, height), ImageFormat::Jpeg);
            let picture = ready(&content, Origin::Keep).unwrap().picture;
            assert_eq!((picture.width, picture.height), (width, height));
            let thumbnail = picture.thumbnail.as_slice();
            assert!((1..=THUMBNAIL_BYTES).contains(&thumbnail.len()));
            let shown = image::load_from_memory(thumbnail).unwrap();
            assert!(shown.width() <= 320 && shown.height() <= 320);
        }
    }

    #[test]
    fn what_is_no_image_or_claims_to_be_huge_is_refused() {
        let mut bomb = written(&painted(8, 8), ImageFormat::Png);
        // IHDR says 65,535 by 65,535; its checksum is made to fit.
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let png = Png::from_bytes(bomb.clone().into()).ok();
        for content in [&b""[..], b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", &bomb, b"<svg/>"] {
            assert!(ready(content, Origin::Remove).is_err(), "{:?}", png.is_some());
        }
        let jpeg = telling_jpeg();
        for end in (0..jpeg.len()).step_by(97) {
            // Cut anywhere it is refused or shown as far as it goes; nothing panics.
            let _ = ready(&jpeg[..end], Origin::Remove);
        }
    }
}
