//! `sidetone call`: a call at a terminal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sidetone::{CallId, CallState, CallView, Client, Direction, Error, Event, Shows};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, interval, sleep_until};

use super::{Need, PhoneArgs};
use crate::film::{Projector, Reel, Screening, Wall};
use crate::say;
use crate::sound::{Mouth, Pump};
use crate::trouble::Trouble;
use crate::wav;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
    /// Whom to call; without it, the first friend who calls is answered.
    friend: Option<String>,
    /// The recording to speak.
    #[arg(long, value_name = "WAV")]
    voice: Option<PathBuf>,
    /// Speak and hear with the sound card.
    #[cfg(feature = "sound")]
    #[arg(long, conflicts_with_all = ["voice", "heard"])]
    card: bool,
    #[command(flatten)]
    reel: Reel,
    /// Folder for the pictures of the other side, as they came.
    #[arg(long, value_name = "DIR")]
    seen: Option<PathBuf>,
    /// Where to write what was heard.
    #[arg(long, value_name = "WAV")]
    heard: Option<PathBuf>,
    /// Hang up after so long; otherwise a second after the recording was spoken, or at Ctrl-C.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
}

/// The two ends of the sound.
enum Sound {
    Pump(Pump),
    #[cfg(feature = "sound")]
    Card(#[allow(dead_code, reason = "lives as long as the call")] crate::sound::card::Card),
}

/// Calls, or waits to be called, and speaks.
///
/// # Errors
///
/// [`Trouble`]; a call that did not come about or broke is [`Trouble::Call`].
pub async fn run(args: Args) -> Result<(), Trouble> {
    let voice = match &args.voice {
        Some(path) => Some(Arc::new(wav::read(path)?)),
        None if with_card(&args) => None,
        None => return Err(Trouble::NoVoice),
    };
    let films = tempfile::Builder::new().prefix("sidetone-film-").tempdir().map_err(Trouble::system)?;
    args.reel.encode(films.path()).await?;
    let (client, account) = args.phone.enter(Need::Server).await?;
    let _screening = args.seen.as_deref().map(|folder| Screening::start(client.video(), folder)).transpose()?;
    let sound = sound(&client, voice)?;
    let called = match &args.friend {
        Some(name) => {
            let friend = super::friend(&client, name).await?;
            say(format_args!("{} calls {name}", account.name));
            Some(client.call(friend.user).await?)
        }
        None => {
            say(format_args!("{} waits for a call", account.name));
            None
        }
    };
    let ended = talk(&client, &sound, called, &args, films.path()).await;
    if let (Sound::Pump(pump), Some(path)) = (&sound, &args.heard) {
        let heard = pump.cut().heard;
        wav::write(path, &heard)?;
        say(format_args!("heard {:.1} s: {}", heard.len() as f64 / f64::from(wav::RATE), path.display()));
    }
    client.close().await;
    ended
}

#[cfg(feature = "sound")]
fn with_card(args: &Args) -> bool {
    args.card
}

#[cfg(not(feature = "sound"))]
fn with_card(_: &Args) -> bool {
    false
}

fn sound(client: &Client, voice: Option<Arc<Vec<i16>>>) -> Result<Sound, Trouble> {
    let (microphone, speaker) = client.take_sound().expect("nobody took the sound of a client just opened");
    let Some(voice) = voice else {
        #[cfg(feature = "sound")]
        return Ok(Sound::Card(crate::sound::card::Card::open(microphone, speaker)?));
        #[cfg(not(feature = "sound"))]
        return Err(Trouble::NoVoice);
    };
    let pump = Pump::start(microphone, speaker)?;
    pump.begin(Mouth::Voice(voice));
    Ok(Sound::Pump(pump))
}

/// From the first ring to the end.
async fn talk(
    client: &Client,
    sound: &Sound,
    mut called: Option<CallId>,
    args: &Args,
    films: &Path,
) -> Result<(), Trouble> {
    let mut projectors = Vec::new();
    let mut int = signal(SignalKind::interrupt()).map_err(Trouble::system)?;
    let mut look = interval(Duration::from_millis(100));
    let far = Instant::now() + Duration::from_secs(365 * 86_400);
    let (mut until, mut leaving) = (far, false);
    loop {
        tokio::select! {
            event = client.next_event() => match event {
                Some(Event::Call(view)) => {
                    if called.is_none() && view.direction == Direction::Incoming && view.state == CallState::Ringing {
                        called = Some(view.call);
                        client.answer(view.call).await?;
                    }
                    if called != Some(view.call) {
                        continue;
                    }
                    if let CallState::Ended(_) = view.state {
                        return end(client, &view, until != far).await;
                    }
                    say(super::state(view.state));
                    if view.state == CallState::Connected && until == far {
                        say(format_args!("route: {}", super::route(view.route)));
                        let seconds = args.seconds.unwrap_or(365 * 86_400);
                        until = Instant::now() + Duration::from_secs(seconds);
                        if args.reel.shows() != Shows::default() {
                            client.show(view.call, args.reel.shows()).await?;
                            projectors = args.reel.start(films, || Wall::Call(client.video()))?;
                        }
                    }
                }
                Some(event @ Event::Video(..)) => projectors.iter().for_each(|one: &Projector| one.tell(&event)),
                Some(Event::Stopped(error) | Event::Revoked(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err(Error::Closed.into()),
            },
            _ = look.tick(), if args.seconds.is_none() && !leaving => {
                if matches!(sound, Sound::Pump(pump) if pump.said_all()) {
                    (until, leaving) = (Instant::now() + Duration::from_secs(1), true);
                }
            }
            () = sleep_until(until), if called.is_some() => {
                hang_up(client, called).await;
                until = Instant::now() + Duration::from_secs(5);
            }
            _ = int.recv() => match called {
                Some(_) => hang_up(client, called).await,
                None => return Ok(()),
            },
        }
    }
}

async fn hang_up(client: &Client, call: Option<CallId>) {
    if let Some(call) = call {
        // One that is over already needs no end.
        let _ = client.hang_up(call).await;
    }
}

async fn end(client: &Client, view: &CallView, was_connected: bool) -> Result<(), Trouble> {
    let how = super::state(view.state);
    if !was_connected {
        return Err(Trouble::Call(how.to_owned()));
    }
    let sound = client.diagnostics().await?.sound;
    say(format_args!(
        "{how}; {} frames spoken, {} heard, {} lost, {} ms made up, {} ms in the jitter buffer",
        sound.frames_sent, sound.frames_heard, sound.frames_lost, sound.concealed_ms, sound.delay_ms
    ));
    match view.state {
        CallState::Ended(sidetone::EndReason::HungUp | sidetone::EndReason::PeerHungUp) => Ok(()),
        _ => Err(Trouble::Call(how.to_owned())),
    }
}
