//! `sidetone room`: a push-to-talk room at a terminal.

use std::path::PathBuf;
use std::sync::Arc;

use sidetone::{
    Age, Client, Event, FloorEvent, FloorState, Guest, Memory, NewRoom, Policy, Presence, Priority, RoomEvent, RoomId,
    RoomView, Shows, room_policy::Speaking,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::{PATIENCE, PhoneArgs, connected};
use crate::film::{Projector, Reel, Wall};
use crate::say;
use crate::sound::{Mouth, Pump};
use crate::trouble::Trouble;
use crate::wav;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
    /// The link or the spoken code of a room; without it, a room is opened.
    room: Option<String>,
    /// The name to show.
    #[arg(long, value_name = "NAME", default_value = "somebody")]
    shown: String,
    /// In the room that is opened everybody may speak at any time.
    #[arg(long)]
    open_microphones: bool,
    /// The recording to speak with each press.
    #[arg(long, value_name = "WAV")]
    voice: Option<PathBuf>,
    #[command(flatten)]
    reel: Reel,
    /// Speak and hear with the sound card.
    #[cfg(feature = "sound")]
    #[arg(long, conflicts_with = "voice")]
    card: bool,
}

/// The two ends of the sound.
enum Sound {
    Pump(Pump, Option<Arc<Vec<i16>>>),
    #[cfg(feature = "sound")]
    Card(#[allow(dead_code, reason = "lives as long as the room")] crate::sound::card::Card),
}

const HELP: &str = "p presses and releases the button, ! does with emergency; /who, /link, /code, /words, \
                    /number NAME, /recent; /kick NAME, /ban NAME, /admit NAME, /close; any other line is said to all; /quit leaves";

/// Enters a room or opens one, and does what is typed, until the end of input, `/quit`, SIGTERM or SIGINT.
///
/// # Errors
///
/// [`Trouble`].
pub async fn run(args: Args) -> Result<(), Trouble> {
    let voice = args.voice.as_deref().map(wav::read).transpose()?.map(Arc::new);
    let mut term = signal(SignalKind::terminate()).map_err(Trouble::system)?;
    let mut int = signal(SignalKind::interrupt()).map_err(Trouble::system)?;
    let client = args.phone.open()?;
    timeout(PATIENCE, connected(&client)).await.map_err(|_| Trouble::ServerAway(args.phone.server.clone()))??;
    let sound = sound(&args, &client, voice)?;
    let films = tempfile::Builder::new().prefix("sidetone-film-").tempdir().map_err(Trouble::system)?;
    args.reel.encode(films.path()).await?;
    let room = enter(&client, &args).await?;
    let mut projectors = Vec::new();
    if args.reel.shows() != Shows::default() {
        client.show_in_room(room, args.reel.shows()).await?;
        projectors = args.reel.start(films.path(), || Wall::Room(client.room_video(room)))?;
    }
    let link = client.room_link(room).await?;
    say(format_args!("in the room; its link: {}\n{HELP}", *link));
    let mut desk = Desk { client, sound, room, projectors, pressed: false };
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        let over = tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => desk.typed(line.trim()).await,
                _ => Ok(true),
            },
            event = desk.client.next_event() => desk.happened(event).await,
            _ = term.recv() => Ok(true),
            _ = int.recv() => Ok(true),
        };
        match over {
            Ok(false) => {}
            Ok(true) => break,
            Err(trouble) => say(trouble),
        }
    }
    // A room that is over needs no leaving.
    let _ = desk.client.leave_room(room).await;
    desk.client.close().await;
    Ok(())
}

#[cfg_attr(not(feature = "sound"), allow(unused_variables))]
fn sound(args: &Args, client: &Client, voice: Option<Arc<Vec<i16>>>) -> Result<Sound, Trouble> {
    let (microphone, speaker) = client.take_sound().expect("nobody took the sound of a client just opened");
    #[cfg(feature = "sound")]
    if args.card {
        return Ok(Sound::Card(crate::sound::card::Card::open(microphone, speaker)?));
    }
    Ok(Sound::Pump(Pump::start(microphone, speaker)?, voice))
}

async fn enter(client: &Client, args: &Args) -> Result<RoomId, Trouble> {
    let Some(place) = &args.room else {
        let speaking = if args.open_microphones { Speaking::Open } else { Speaking::PushToTalk };
        let policy = Policy { speaking, ..Policy::default() };
        let room = NewRoom { policy, name: None, memory: Memory::Recent };
        return Ok(client.create_room(room, &args.shown).await?);
    };
    let guest = Guest { name: args.shown.clone(), memory: Memory::Recent, age: Age::Unknown };
    Ok(if place.contains("://") {
        client.join_link(place, guest).await?
    } else {
        client.join_code(place, guest).await?
    })
}

struct Desk {
    client: Client,
    sound: Sound,
    room: RoomId,
    projectors: Vec<Projector>,
    pressed: bool,
}

impl Desk {
    /// Does what was typed; whether that was all.
    async fn typed(&mut self, line: &str) -> Result<bool, Trouble> {
        let (client, room) = (&self.client, self.room);
        match line.split_once(' ').unwrap_or((line, "")) {
            ("p", "") => self.button(Priority::Normal),
            ("!", "") => self.button(Priority::Emergency),
            ("/who", "") => self.who().await?,
            ("/link", "") => say(&*client.room_link(room).await?),
            ("/code", "") => say(client.open_code(room).await?),
            ("/words", "") => say(client.group_phrase(room).await?.unwrap_or_default()),
            ("/number", name) => {
                let number = client.member_safety_number(room, self.member(name).await?).await?;
                say(number.map(|number| number.to_string()).unwrap_or_default());
            }
            ("/recent", "") => {
                for recent in client.recent_rooms().await? {
                    let name = recent.name.as_ref().map_or("without a name", |name| name.as_str());
                    say(format_args!("{name}, at {}, as {}", recent.host, recent.shown.as_str()));
                }
            }
            ("/kick", name) => client.kick(room, self.member(name).await?).await?,
            ("/ban", name) => client.ban(room, self.member(name).await?).await?,
            ("/admit", name) => client.admit(room, self.member(name).await?).await?,
            ("/close", "") => client.close_room(room).await?,
            ("/quit", "") => return Ok(true),
            ("", _) => {}
            (word, _) if word.starts_with('/') => say(HELP),
            _ => client.say_in_room(room, line).await?,
        }
        Ok(false)
    }

    fn button(&mut self, priority: Priority) {
        self.pressed = !self.pressed;
        if !self.pressed {
            return self.client.release(self.room);
        }
        if let Sound::Pump(pump, Some(voice)) = &self.sound {
            pump.begin(Mouth::Voice(Arc::clone(voice)));
        }
        self.client.press(self.room, priority);
    }

    async fn view(&self) -> Result<RoomView, Trouble> {
        Ok(self
            .client
            .room(self.room)
            .await?
            .ok_or(sidetone::RoomFailure::NoSuchRoom)
            .map_err(sidetone::Error::from)?)
    }

    async fn member(&self, name: &str) -> Result<sidetone::MemberId, Trouble> {
        let view = self.view().await?;
        let found = view.members.iter().find(|member| member.name.as_str() == name);
        Ok(found.ok_or(sidetone::RoomFailure::NoSuchMember).map_err(sidetone::Error::from)?.member)
    }

    async fn name(&self, member: sidetone::MemberId) -> String {
        let view = self.view().await.ok();
        let found = view.and_then(|view| view.members.into_iter().find(|other| other.member == member));
        found.map_or("somebody".to_owned(), |member| member.name.as_str().to_owned())
    }

    async fn who(&self) -> Result<(), Trouble> {
        let view = self.view().await?;
        for member in &view.members {
            let presence = match member.presence {
                Presence::Here(route) => super::route(Some(route)),
                Presence::Reaching => "being reached",
                Presence::NoWay => "no way to them that the room allows",
                Presence::Heard => "others say",
                Presence::Waiting => "waits to be let in",
            };
            let creator = if member.creator { ", made the room" } else { "" };
            let shows = match (member.shows.camera, member.shows.screen) {
                (true, Some(_)) => ", shows its camera and its screen",
                (true, None) => ", shows its camera",
                (false, Some(_)) => ", shows its screen",
                (false, None) => "",
            };
            say(format_args!("{}: {presence}{creator}{shows}", member.name.as_str()));
        }
        let floor = match view.floor {
            Some(FloorState::Speaking) => "you speak".to_owned(),
            Some(FloorState::Taken(member) | FloorState::Reserved(member)) => {
                format!("{} speaks", self.name(member).await)
            }
            Some(FloorState::Queued(place)) => format!("you are number {place} in the queue"),
            Some(FloorState::Idle | FloorState::Requesting) => "nobody speaks".to_owned(),
            None => "everybody may speak".to_owned(),
        };
        say(floor);
        Ok(())
    }

    /// Says what happened; whether the room is over.
    async fn happened(&mut self, event: Option<Event>) -> Result<bool, Trouble> {
        let event = match event {
            None => return Ok(true),
            Some(Event::Stopped(error)) => return Err(error.into()),
            Some(Event::Room(room, event)) if room == self.room => event,
            Some(event @ Event::RoomVideo(..)) => {
                self.projectors.iter().for_each(|projector| projector.tell(&event));
                return Ok(false);
            }
            Some(_) => return Ok(false),
        };
        match event {
            RoomEvent::Joined(member) => say(format_args!("{} is here", self.name(member).await)),
            RoomEvent::Knocking(member) => say(format_args!("{} waits to be let in", self.name(member).await)),
            RoomEvent::Left(_) => say("somebody left"),
            RoomEvent::Text(member, text) => {
                say(format_args!("{}: {}", self.name(member).await, text.as_str()));
            }
            RoomEvent::Floor(floor) => {
                if matches!(floor, FloorEvent::Denied(_) | FloorEvent::PreEmpted(_) | FloorEvent::TimedOut) {
                    self.pressed = false;
                }
                say(match floor {
                    FloorEvent::Granted => "speak".to_owned(),
                    FloorEvent::Denied(_) => "somebody else goes first".to_owned(),
                    FloorEvent::Taken(member) => format!("{} speaks", self.name(member).await),
                    FloorEvent::Queued(place) => format!("you are number {place} in the queue"),
                    FloorEvent::Released => "nobody speaks".to_owned(),
                    FloorEvent::PreEmpted(member) => format!("{} has an emergency", self.name(member).await),
                    FloorEvent::Ending(ms) => format!("{} s left", ms / 1_000),
                    FloorEvent::TimedOut => "that was as long as one may speak".to_owned(),
                    FloorEvent::Missed { member, .. } => format!("{} said something", self.name(member).await),
                });
            }
            RoomEvent::MuteAsked(member) => say(format_args!("{} asks you to mute", self.name(member).await)),
            RoomEvent::CodeBurned => say("the code cannot be used any more"),
            RoomEvent::Ended(end) => {
                say(format_args!("the room is over: {end:?}"));
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }
}
