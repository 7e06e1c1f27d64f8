//! Recordings: any WAV in, 48 kHz mono out.

use std::io::{BufReader, Read};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::trouble::{Trouble, VoiceProblem};

/// Samples a second, everywhere.
pub const RATE: u32 = 48_000;
/// The longest recording that is taken, in seconds; what follows is left out.
pub const LONGEST_S: u32 = 120;
/// Filter taps on each side of a sample when the rate changes.
const HALF: i64 = 24;

/// Reads a recording of any rate from 8 to 192 kHz and up to 8 channels as 48 kHz mono, the first [`LONGEST_S`] of it.
///
/// # Errors
///
/// [`Trouble::Voice`].
pub fn read(path: &Path) -> Result<Vec<i16>, Trouble> {
    let fail = |problem| Trouble::Voice { path: path.to_owned(), problem };
    let file = std::fs::File::open(path).map_err(|error| fail(VoiceProblem::Unreadable(error.kind())))?;
    parse(BufReader::new(file)).map_err(fail)
}

/// The same from bytes.
///
/// # Errors
///
/// What is wrong with them.
pub fn parse(bytes: impl Read) -> Result<Vec<i16>, VoiceProblem> {
    let mut reader = WavReader::new(bytes).map_err(problem)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if !(8_000..=192_000).contains(&sample_rate) {
        return Err(VoiceProblem::Rate(sample_rate));
    }
    if !(1..=8).contains(&channels) {
        return Err(VoiceProblem::Channels(channels));
    }
    let most = LONGEST_S as usize * sample_rate as usize * usize::from(channels);
    let samples: Result<Vec<f32>, _> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().take(most).collect(),
        SampleFormat::Int => {
            let full = 2f32.powi(i32::from(bits_per_sample) - 1);
            reader.samples::<i32>().take(most).map(|sample| sample.map(|sample| sample as f32 / full)).collect()
        }
    };
    let samples = samples.map_err(problem)?;
    if samples.iter().any(|sample| !sample.is_finite()) {
        return Err(VoiceProblem::Damaged);
    }
    let mono: Vec<f32> =
        samples.chunks(channels.into()).map(|frame| frame.iter().sum::<f32>() / f32::from(channels)).collect();
    let voice = resample(&mono, sample_rate);
    if voice.len() < RATE as usize {
        return Err(VoiceProblem::TooShort);
    }
    if voice.iter().all(|sample| sample.unsigned_abs() < 64) {
        return Err(VoiceProblem::Silent);
    }
    Ok(voice)
}

/// Writes 48 kHz mono with 16 bits.
///
/// # Errors
///
/// [`Trouble::File`].
pub fn write(path: &Path, samples: &[i16]) -> Result<(), Trouble> {
    let spec = WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let written = WavWriter::create(path, spec).and_then(|mut writer| {
        samples.iter().try_for_each(|sample| writer.write_sample(*sample))?;
        writer.finalize()
    });
    written.map_err(|error| match error {
        hound::Error::IoError(error) => Trouble::file(path, &error),
        other => Trouble::system(other),
    })
}

fn problem(error: hound::Error) -> VoiceProblem {
    match error {
        hound::Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => VoiceProblem::Damaged,
        // hound's own word for a file that ends early.
        hound::Error::IoError(error) if error.kind() == std::io::ErrorKind::Other => VoiceProblem::Damaged,
        hound::Error::IoError(error) => VoiceProblem::Unreadable(error.kind()),
        hound::Error::FormatError(_) => VoiceProblem::NotWav,
        hound::Error::Unsupported | hound::Error::InvalidSampleFormat | hound::Error::TooWide => VoiceProblem::Kind,
        hound::Error::UnfinishedSample => VoiceProblem::Damaged,
    }
}

/// Band-limited interpolation: a sinc under a Hann window, its edge at 0.95 of the lower Nyquist frequency.
fn resample(input: &[f32], rate: u32) -> Vec<i16> {
    let (from, to) = (f64::from(rate), f64::from(RATE));
    let to_int = |sample: f64| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    if rate == RATE {
        return input.iter().map(|sample| to_int(f64::from(*sample))).collect();
    }
    let edge = 0.95 * (to / from).min(1.0);
    let half = (HALF as f64 / edge).ceil();
    let length = (input.len() as f64 * to / from) as usize;
    let at = |index: i64| usize::try_from(index).ok().and_then(|index| input.get(index)).copied().unwrap_or(0.0);
    (0..length)
        .map(|n| {
            let position = n as f64 * from / to;
            let centre = position.floor() as i64;
            let reach = half as i64;
            let sum = (centre - reach + 1..=centre + reach)
                .map(|index| f64::from(at(index)) * tap(index as f64 - position, edge, half))
                .sum();
            to_int(sum)
        })
        .collect()
}

fn tap(distance: f64, edge: f64, half: f64) -> f64 {
    use std::f64::consts::PI;
    if distance.abs() >= half {
        return 0.0;
    }
    let window = 0.5 + 0.5 * (PI * distance / half).cos();
    let angle = PI * edge * distance;
    let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
    edge * sinc * window
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn file(spec: WavSpec, seconds: f64, tone_hz: f64) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..(seconds * f64::from(spec.sample_rate)) as usize {
            let value = 0.5 * (std::f64::consts::TAU * tone_hz * n as f64 / f64::from(spec.sample_rate)).sin();
            for _ in 0..spec.channels {
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(value as f32).unwrap(),
                    SampleFormat::Int => {
                        let full = 2f64.powi(i32::from(spec.bits_per_sample) - 1) - 1.0;
                        writer.write_sample((value * full) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    #[test]
    fn any_usual_recording_sounds_the_same_at_48_khz_mono() {
        use SampleFormat::{Float, Int};
        let wanted = parse(&file(spec(1, 48_000, 16, Int), 1.5, 440.0)[..]).unwrap();
        for (channels, rate, bits, format) in [
            (2, 44_100, 16, Int),
            (1, 8_000, 8, Int),
            (2, 96_000, 24, Int),
            (1, 22_050, 32, Float),
            (8, 16_000, 32, Int),
        ] {
            let voice = parse(&file(spec(channels, rate, bits, format), 1.5, 440.0)[..]).unwrap();
            assert!(voice.len().abs_diff(wanted.len()) < 16, "{rate}: {}", voice.len());
            // Away from the ends, where the filter sees the edge.
            let worst = (4_800..67_000).map(|n| (i32::from(voice[n]) - i32::from(wanted[n])).abs()).max().unwrap();
            assert!(worst < 600, "{channels} x {rate} Hz, {bits} bits: off by {worst}");
        }
    }

    #[test]
    fn what_lies_above_hearing_does_not_fold_into_it() {
        let voice = parse(&file(spec(1, 96_000, 16, SampleFormat::Int), 1.5, 30_000.0)[..]).unwrap_or_default();
        // Away from the ends, where the tone begins and stops.
        let loudest = voice[480..71_000].iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest < Some(8), "{loudest:?}");
    }

    #[test]
    fn every_unusable_recording_is_refused_by_name() {
        let wav = |channels, rate, seconds| file(spec(channels, rate, 16, SampleFormat::Int), seconds, 440.0);
        assert_eq!(parse(&b"RIFX nothing of the kind"[..]), Err(VoiceProblem::NotWav));
        assert_eq!(parse(&b""[..]), Err(VoiceProblem::Damaged));
        let whole = wav(1, 48_000, 2.0);
        assert_eq!(parse(&whole[..whole.len() / 2]), Err(VoiceProblem::Damaged));
        assert_eq!(parse(&wav(1, 48_000, 0.5)[..]), Err(VoiceProblem::TooShort));
        assert_eq!(parse(&wav(1, 4_000, 2.0)[..]), Err(VoiceProblem::Rate(4_000)));
        assert_eq!(parse(&wav(9, 48_000, 2.0)[..]), Err(VoiceProblem::Channels(9)));
        assert_eq!(parse(&file(spec(1, 48_000, 16, SampleFormat::Int), 2.0, 0.0)[..]), Err(VoiceProblem::Silent));
    }
}
