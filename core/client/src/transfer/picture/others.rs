//! What the programs of others see in our images, and images that somebody made to do harm.

use std::process::Command;

use bytes::Bytes;
use image::ImageFormat;
use img_parts::ImageEXIF;
use img_parts::jpeg::Jpeg;
use img_parts::png::{Png, PngChunk};

use super::tests::{painted, written};
use super::{Origin, decoded, ready};

/// Runs a program of others on a file, and gives whether it is content and what it says.
fn run(program: &str, arguments: &[&str], content: &[u8]) -> (bool, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image");
    std::fs::write(&file, content).unwrap();
    let ran = Command::new(program).args(arguments).arg("image").current_dir(&folder).output();
    let output = ran.unwrap_or_else(|error| panic!("{program}: {error}; `.ci/install test` installs it"));
    (output.status.success(), [output.stdout, output.stderr].concat())
}

/// An EXIF as a camera writes it (TIFF 6.0; Exif 2.3 section 4.6.6): turned by 90 degrees, and a position.
fn positioned() -> Bytes {
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value].concat()
    };
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    tiff.extend(entry(0x0112, 3, 1, [6, 0, 0, 0]));
    tiff.extend(entry(0x8825, 4, 1, 38_u32.to_le_bytes()));
    tiff.extend([0; 4]);
    tiff.extend(2_u16.to_le_bytes());
    tiff.extend(entry(1, 2, 2, *b"N\0\0\0"));
    tiff.extend(entry(2, 5, 3, 68_u32.to_le_bytes()));
    tiff.extend([0; 4]);
    tiff.extend([48_u32, 1, 12, 1, 30, 1].into_iter().flat_map(u32::to_le_bytes));
    tiff.into()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Debian's programs")]
fn readers_of_others_see_the_same_image_and_no_position() {
    let told = |content: &[u8]| String::from_utf8_lossy(&run("exiv2", &["-pa"], content).1).into_owned();
    let mut jpeg = Jpeg::from_bytes(written(&painted(400, 300), ImageFormat::Jpeg).into()).unwrap();
    jpeg.set_exif(Some(positioned()));
    let mut png = Png::from_bytes(written(&painted(50, 40), ImageFormat::Png).into()).unwrap();
    png.set_exif(Some(positioned()));
    for (original, name) in [(jpeg.encoder().bytes(), "jpeg"), (png.encoder().bytes(), "png")] {
        let made = ready(&original, Origin::Remove).unwrap();
        let cleaned = made.cleaned.unwrap();
        let (before, after) = (told(&original), told(&cleaned));
        assert!(before.contains("Exif.GPSInfo.GPSLatitude"), "the control, {name}: {before}");
        assert!(after.contains("Exif.Image.Orientation") && !after.contains("GPS"), "{name}: {after}");
        if name == "jpeg" {
            let pixels = |content: &[u8]| run("djpeg", &["-pnm"], content);
            assert!(pixels(&cleaned).0 && pixels(&cleaned) == pixels(&original), "every pixel is as it was");
        } else {
            let (fine, said) = run("pngcheck", &["-q"], &cleaned);
            assert!(fine, "{}", String::from_utf8_lossy(&said));
        }
        let (fine, pixels) = run("djpeg", &["-pnm"], made.picture.thumbnail.as_slice());
        let head = String::from_utf8_lossy(&pixels[..20]).into_owned();
        let sides: Vec<u32> = head.split_whitespace().skip(1).take(2).map(|side| side.parse().unwrap()).collect();
        assert!(fine && head.starts_with("P6") && sides[0] < sides[1], "{name}: it stands upright: {head:?}");
    }
}

/// A JPEG of 8 by 8 that says it has other sides.
fn sized(height: u16, width: u16) -> Vec<u8> {
    let mut jpeg = written(&painted(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap() + 5;
    jpeg[frame..frame + 2].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 2..frame + 4].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// The same in PNG, with a checksum that fits.
fn drawn(width: u32, height: u32) -> Vec<u8> {
    let mut png = Png::from_bytes(written(&painted(8, 8), ImageFormat::Png).into()).unwrap();
    let rest = png.chunks()[0].contents()[8..].to_vec();
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest].concat();
    png.chunks_mut()[0] = PngChunk::new(*b"IHDR", head.into());
    png.encoder().bytes().to_vec()
}

/// So many zeros, as the writer of an image of one colour packs them (RFC 1950).
fn packed_zeros(length: u32) -> Vec<u8> {
    let side = 8_192;
    let black = image::GrayImage::new(side, length / side);
    let png = Png::from_bytes(written(&black.into(), ImageFormat::Png).into()).unwrap();
    let packed = png.chunks().iter().filter(|chunk| chunk.kind() == *b"IDAT");
    packed.flat_map(|chunk| chunk.contents().to_vec()).collect()
}

#[test]
fn a_small_file_that_claims_to_be_endless_is_refused_before_anything_is_made_for_it() {
    let huge = i32::MAX as u32;
    let endless = [
        sized(65_535, 65_535),
        sized(20_001, 1),
        sized(20_000, 20_000),
        drawn(20_000, 20_000),
        drawn(u32::MAX, 1),
        drawn(huge, huge),
    ];
    for content in &endless {
        let refused = || assert!(ready(content, Origin::Remove).is_err() && decoded(content).is_err());
        let taken = allocation_counter::measure(refused).bytes_max;
        assert!(taken < 8 << 20, "{taken} bytes were taken for {} that were sent", content.len());
    }
    assert!(ready(&sized(8, 8), Origin::Remove).is_ok() && ready(&drawn(8, 8), Origin::Remove).is_ok());
}

#[test]
fn what_is_packed_beside_an_image_is_not_unpacked_without_end() {
    let packed = packed_zeros(64 << 20);
    assert!(packed.len() < 500_000, "{}", packed.len());
    for (kind, name) in [(*b"iCCP", &b"p\0\0"[..]), (*b"zTXt", b"t\0\0"), (*b"iTXt", b"t\0\x01\0\0\0")] {
        let mut png = Png::from_bytes(written(&painted(8, 8), ImageFormat::Png).into()).unwrap();
        png.chunks_mut().insert(1, PngChunk::new(kind, [name, &packed].concat().into()));
        let content = png.encoder().bytes();
        let taken = allocation_counter::measure(|| drop(ready(&content, Origin::Remove))).bytes_max;
        assert!(taken < 16 << 20, "{}: {taken} bytes were taken", String::from_utf8_lossy(&kind));
    }
}
