//! `sidetone member`: a phone in rooms that obeys orders, one line of JSON each, and answers in the same way: the
//! demonstration of rooms drives its phones with it, each in a process of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sidetone::{
    Age, Client, Error, Event, FloorEvent, Guest, Memory, NewRoom, Policy, Presence, Priority, RoomEvent, RoomId,
    clock, room_policy::Speaking,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::radio::Radio;
use crate::say;
use crate::terminal::PhoneArgs;
use crate::trouble::Trouble;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
    /// Which tone it says.
    #[arg(long, value_name = "N")]
    number: usize,
}

/// What a phone is told to do; there is one room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Open a push-to-talk room; gives its link.
    Open,
    /// Give a spoken code.
    Code,
    /// Enter by a link.
    Join {
        /// The link.
        link: String,
    },
    /// Enter by a code.
    Knock {
        /// The code.
        code: String,
    },
    /// Press, say the tone for so long, and let go.
    Talk {
        /// For how long.
        ms: u64,
    },
    /// Press and say the tone without end.
    Press,
    /// Put the member of this name out.
    Kick {
        /// Who.
        name: String,
    },
    /// Who is there.
    Room,
    /// What was heard since this was asked last.
    Ear,
    /// Write what was heard since this was asked last into a file: for whoever looks whether writing would be noticed.
    Write {
        /// Which.
        path: std::path::PathBuf,
    },
    /// Figures.
    Figures,
    /// Leave the room.
    Leave,
    /// Close everything and end.
    Quit,
}

/// A room as a phone sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The names of the others, in order.
    pub names: Vec<String>,
    /// To how many there is a link.
    pub linked: usize,
    /// The words of the whole room.
    pub phrase: String,
}

/// When a burst was pressed and spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The press.
    pub pressed_us: u64,
    /// The first sample of the tone.
    pub spoken_us: u64,
    /// The last sample of the tone.
    pub until_us: u64,
}

/// What happened at a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// When, on the clock all processes share.
    pub at_us: u64,
    /// What, in one word.
    pub what: String,
}

/// What a phone figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Bytes to and from the server.
    pub server: u64,
    /// Bytes that its links sent.
    pub links: u64,
    /// Sealed frames that could not be opened.
    pub refused: u64,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// What it gave, or nothing.
    pub value: Value,
    /// Why not, if not.
    pub refused: Option<String>,
    /// What happened since the last answer.
    pub happened: Vec<Happened>,
}

struct Member {
    client: Client,
    radio: Radio,
    name: String,
    room: Option<RoomId>,
    happened: Vec<Happened>,
}

/// Obeys until told to quit, or until its input ends.
///
/// # Errors
///
/// [`Trouble`] if the phone cannot be opened.
pub async fn run(args: Args) -> Result<(), Trouble> {
    let client = args.phone.open()?;
    let (microphone, speaker) = client.take_sound().expect("nobody took the sound of a client just opened");
    let radio = Radio::start(microphone, speaker, args.number)?;
    let name = format!("phone {}", args.number);
    let mut member = Member { client, radio, name, room: None, happened: Vec::new() };
    while !matches!(member.client.next_event().await, Some(Event::Connected(true)) | None) {}
    say("ready");
    let mut orders = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            line = orders.next_line() => {
                let Ok(Some(line)) = line else { break };
                let Ok(order) = serde_json::from_str::<Order>(&line) else { break };
                let quit = matches!(order, Order::Quit);
                let outcome = member.obey(order).await;
                let (value, refused) = match outcome {
                    Ok(value) => (value, None),
                    Err(error) => (Value::Null, Some(error.to_string())),
                };
                let happened = std::mem::take(&mut member.happened);
                let answer = Answer { value, refused, happened };
                say(serde_json::to_string(&answer).expect("an answer has text keys only"));
                if quit {
                    break;
                }
            }
            event = member.client.next_event() => match event {
                Some(event) => member.event(event),
                None => break,
            },
        }
    }
    member.client.close().await;
    Ok(())
}

impl Member {
    fn guest(&self) -> Guest {
        Guest { name: self.name.clone(), memory: Memory::Nothing, age: Age::Unknown }
    }

    fn room(&self) -> Result<RoomId, Error> {
        self.room.ok_or(Error::Room(sidetone::RoomFailure::NoSuchRoom))
    }

    async fn obey(&mut self, order: Order) -> Result<Value, Error> {
        let client = &self.client;
        match order {
            Order::Open => {
                let policy = Policy { speaking: Speaking::PushToTalk, ..Policy::default() };
                let room = NewRoom { policy, name: None, memory: Memory::Nothing };
                let room = client.create_room(room, &self.name).await?;
                let link = client.room_link(room).await?;
                self.room = Some(room);
                return Ok(json!(*link));
            }
            Order::Code => return Ok(json!(client.open_code(self.room()?).await?)),
            Order::Join { link } => self.room = Some(client.join_link(&link, self.guest()).await?),
            Order::Knock { code } => self.room = Some(client.join_code(&code, self.guest()).await?),
            Order::Talk { ms } => return Ok(json!(self.talk(ms).await?)),
            Order::Press => {
                self.radio.speak(true);
                client.press(self.room()?, Priority::Normal);
            }
            Order::Kick { name } => {
                let room = self.room()?;
                let view = client.room(room).await?.ok_or(sidetone::RoomFailure::NoSuchRoom)?;
                let found = view.members.iter().find(|member| member.name.as_str() == name);
                client.kick(room, found.ok_or(sidetone::RoomFailure::NoSuchMember)?.member).await?;
                return Ok(json!(clock::micros()));
            }
            Order::Room => return Ok(json!(self.seen().await?)),
            Order::Ear => return Ok(json!(self.radio.heard())),
            Order::Write { path } => {
                let written = serde_json::to_string(&self.radio.heard()).map_err(std::io::Error::from);
                return Ok(json!(written.and_then(|text| std::fs::write(path, text)).is_ok()));
            }
            Order::Figures => {
                let figures = client.diagnostics().await?;
                let server = figures.signaling.sent + figures.signaling.received;
                let refused = figures.sound.frames_refused;
                return Ok(json!(Counts { server, links: figures.links_sent, refused }));
            }
            Order::Leave => client.leave_room(self.room()?).await?,
            Order::Quit => {}
        }
        Ok(Value::Null)
    }

    async fn seen(&self) -> Result<Seen, Error> {
        let room = self.room()?;
        let Some(view) = self.client.room(room).await? else { return Ok(Seen::default()) };
        let mut names: Vec<String> = view.members.iter().map(|member| member.name.as_str().to_owned()).collect();
        names.sort();
        let linked = view.members.iter().filter(|member| matches!(member.presence, Presence::Here(_))).count();
        let phrase = self.client.group_phrase(room).await?.unwrap_or_default();
        Ok(Seen { names, linked, phrase })
    }

    /// The tone begins with the press and ends a little before the release.
    async fn talk(&mut self, ms: u64) -> Result<Said, Error> {
        let room = self.room()?;
        let pressed_us = clock::micros();
        self.client.press(room, Priority::Normal);
        self.radio.speak(true);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.radio.speak(false);
        let until_us = clock::micros();
        tokio::time::sleep(Duration::from_millis(60)).await;
        self.client.release(room);
        Ok(Said { pressed_us, spoken_us: self.radio.spoken_us(), until_us })
    }

    fn event(&mut self, event: Event) {
        let what = match event {
            Event::Room(_, RoomEvent::Joined(_)) => "joined",
            Event::Room(_, RoomEvent::Left(_)) => "left",
            Event::Room(_, RoomEvent::Floor(floor)) => match floor {
                FloorEvent::Granted => "granted",
                FloorEvent::Denied(_) => "denied",
                FloorEvent::Taken(_) => "taken",
                FloorEvent::Queued(_) => "queued",
                FloorEvent::Released => "released",
                FloorEvent::PreEmpted(_) => "pre-empted",
                FloorEvent::Ending(_) => "ending",
                FloorEvent::TimedOut => "timed out",
                FloorEvent::Missed { .. } => "missed",
            },
            Event::Room(_, RoomEvent::Ended(_)) => "ended",
            Event::Stopped(_) => "stopped",
            _ => return,
        };
        self.happened.push(Happened { at_us: clock::micros(), what: what.to_owned() });
    }
}
