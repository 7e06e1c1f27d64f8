//! The microphone and the loudspeaker of this machine, through `cpal`.

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, Device, FromSample, SampleFormat, SizedSample, Stream, StreamConfig};
use sidetone::{Loudspeaker, Microphone};

use crate::trouble::Trouble;
use crate::wav::RATE;

/// Frames moved at a time, at most.
const BLOCK: usize = 1_024;

/// The running streams; dropping this stops them.
pub struct Card {
    _microphone: Stream,
    _speaker: Stream,
}

impl Card {
    /// Starts both devices that the system calls the default ones, at 48 kHz. More channels than one are mixed for the
    /// microphone and given the same for the loudspeaker.
    ///
    /// # Errors
    ///
    /// [`Trouble::Card`] if there is none, or none of this rate.
    pub fn open(microphone: Microphone, speaker: Loudspeaker) -> Result<Self, Trouble> {
        let host = cpal::default_host();
        let missing = |what: &str| Trouble::Card(format!("there is no {what}"));
        let input = host.default_input_device().ok_or_else(|| missing("microphone"))?;
        let output = host.default_output_device().ok_or_else(|| missing("loudspeaker"))?;
        let described = input.default_input_config().map_err(failed)?;
        let config = at_our_rate(described.channels());
        let microphone_stream = match described.sample_format() {
            SampleFormat::F32 => listen::<f32>(&input, config, microphone),
            _ => listen::<i16>(&input, config, microphone),
        }?;
        let described = output.default_output_config().map_err(failed)?;
        let config = at_our_rate(described.channels());
        let speaker_stream = match described.sample_format() {
            SampleFormat::F32 => play::<f32>(&output, config, speaker),
            _ => play::<i16>(&output, config, speaker),
        }?;
        microphone_stream.play().map_err(failed)?;
        speaker_stream.play().map_err(failed)?;
        Ok(Self { _microphone: microphone_stream, _speaker: speaker_stream })
    }
}

fn at_our_rate(channels: u16) -> StreamConfig {
    StreamConfig { channels, sample_rate: RATE, buffer_size: BufferSize::Default }
}

fn failed(error: cpal::Error) -> Trouble {
    Trouble::Card(error.to_string())
}

fn listen<T: SizedSample>(device: &Device, config: StreamConfig, mut microphone: Microphone) -> Result<Stream, Trouble>
where
    i16: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let mut mono = [0; BLOCK];
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| {
        for frames in data.chunks(BLOCK * channels) {
            let length = frames.len() / channels;
            for (sample, frame) in mono.iter_mut().zip(frames.chunks_exact(channels)) {
                let sum: i32 = frame.iter().map(|sample| i32::from(i16::from_sample_(*sample))).sum();
                *sample = (sum / channels as i32) as i16;
            }
            microphone.push(&mono[..length]);
        }
    };
    device.build_input_stream(config, heard, say_why, None).map_err(failed)
}

fn play<T: SizedSample + FromSample<i16>>(
    device: &Device,
    config: StreamConfig,
    mut speaker: Loudspeaker,
) -> Result<Stream, Trouble> {
    let channels = usize::from(config.channels.max(1));
    let mut mono = [0; BLOCK];
    let wanted = move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
        for frames in data.chunks_mut(BLOCK * channels) {
            let length = frames.len() / channels;
            speaker.pull(&mut mono[..length]);
            for (sample, frame) in mono.iter().zip(frames.chunks_exact_mut(channels)) {
                frame.fill(T::from_sample_(*sample));
            }
        }
    };
    device.build_output_stream(config, wanted, say_why, None).map_err(failed)
}

/// A device that stops is heard as silence; the person at the terminal learns why.
fn say_why(error: cpal::Error) {
    crate::say(format_args!("! the sound card: {error}"));
}
