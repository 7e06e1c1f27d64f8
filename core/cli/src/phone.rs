//! `sidetone phone`: a phone that obeys orders, one line of JSON each, and reports in the same way. The demonstration
//! and the tests drive their phones with it, each in a process of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sidetone::{
    CallState, CallView, Client, Direction, Downloads, Error, Event, Export, Friend, MessageState, NoteRecorder,
    Origin, ServerPart, Shows, Source, Standing, TransferId, Verified, What, clock,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::{MissedTickBehavior, interval};

use crate::film::{Film, Projector, Screening, Wall};
use crate::say;
use crate::sound::{Mouth, Pump, Take};
use crate::terminal::{self, PhoneArgs};
use crate::trouble::Trouble;
use crate::wav;

mod words;

use words::{hex, id, phase_name, state};

/// How often a phone in a call reports its figures.
const SAMPLE: Duration = Duration::from_millis(100);
/// Messages read at once: more than a demonstration writes.
const PAGE: usize = 500;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
    /// The recording it speaks in calls.
    #[arg(long, value_name = "WAV")]
    voice: PathBuf,
}

/// What a phone is told to do. There is one friend.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Make an account.
    Register {
        /// Its name.
        name: String,
        /// Its address.
        email: String,
        /// Its password.
        password: String,
    },
    /// Ask somebody to be a friend.
    Befriend {
        /// Whom.
        name: String,
    },
    /// Accept the friend request there is.
    Accept,
    /// Say the safety number.
    SafetyNumber,
    /// The numbers were compared and match.
    Verify,
    /// Write to the friend.
    Text {
        /// What.
        text: String,
    },
    /// Say the whole conversation, oldest first.
    History,
    /// Call the friend.
    Call,
    /// End the call.
    HangUp,
    /// Say all figures.
    Figures,
    /// Write what was heard in the call, and say when what was spoken and heard.
    Cut {
        /// Where to.
        path: PathBuf,
    },
    /// Offer a file to the friend.
    SendFile {
        /// Which.
        path: PathBuf,
    },
    /// Offer an image to the friend.
    SendImage {
        /// Which.
        path: PathBuf,
    },
    /// Offer a note of the voice to the friend.
    SendVoiceNote,
    /// Take a file that was offered.
    AcceptFile {
        /// Which, in hexadecimal.
        transfer: String,
    },
    /// Say how a transfer stands.
    Transfer {
        /// Which, in hexadecimal.
        transfer: String,
    },
    /// Come into an account.
    SignIn {
        /// Its name.
        name: String,
        /// Its password.
        password: String,
    },
    /// Write everything kept into a folder.
    Export {
        /// Which.
        folder: PathBuf,
        /// Seals the identity in it.
        passphrase: String,
    },
    /// Destroy everything on this phone, and end.
    Wipe,
    /// Delete the account, destroy everything on this phone, and end.
    Delete,
    /// Show a film in the call, as the camera; a line for each frame goes into the log.
    Film {
        /// Its folder.
        folder: PathBuf,
        /// Where the lines go.
        log: PathBuf,
    },
    /// Write what is seen into a folder.
    Watch {
        /// Which.
        folder: PathBuf,
    },
    /// Close everything and end.
    Quit,
}

/// An order with a number that its answer repeats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Numbered {
    /// The number.
    pub id: u64,
    /// The order.
    #[serde(flatten)]
    pub order: Order,
}

/// What a phone says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Report {
    /// An order was carried out.
    Done {
        /// Which.
        id: u64,
        /// What it gave.
        value: Value,
    },
    /// An order was not carried out.
    Refused {
        /// Which.
        id: u64,
        /// Why.
        why: String,
        /// [`Error::code`], or 0.
        code: u16,
    },
    /// Something happened.
    News(News),
}

/// What happened at a phone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum News {
    /// Whether the server knows that it is here.
    Connected {
        /// It does.
        yes: bool,
    },
    /// What there is with the friend.
    Friend {
        /// Their name.
        name: String,
        /// asked_us, asked_by_us, friend, blocked or former.
        standing: String,
        /// Whether they are there.
        online: bool,
    },
    /// The conversation changed.
    Chat,
    /// A call began, changed or ended.
    Call {
        /// When, on the clock all processes share.
        at_us: u64,
        /// How it stands, in words.
        state: String,
        /// It is over.
        over: bool,
        /// Whether they called.
        incoming: bool,
        /// How it travels, in words.
        route: String,
    },
    /// A transfer began, changed or ended.
    Transfer {
        /// Which, in hexadecimal.
        transfer: String,
        /// offered, waiting, moving, paused, received, or ended and why.
        state: String,
        /// Bytes that are known to have arrived.
        done: u64,
    },
    /// Figures in a call.
    Sample(Sample),
    /// All of the voice was spoken.
    SaidAll,
    /// The phone does nothing more.
    Stopped {
        /// Why.
        why: String,
    },
}

/// A call's sound at one moment, each count since its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When, on the clock all processes share.
    pub at_us: u64,
    /// Frames spoken.
    pub sent: u64,
    /// Frames heard.
    pub heard: u64,
    /// Frames whose turn came without them.
    pub lost: u64,
    /// Frames of those that were recovered.
    pub recovered: u64,
    /// Sound that was made up, in milliseconds.
    pub concealed_ms: u64,
    /// Playout delay.
    pub delay_ms: u32,
    /// What it aims for.
    pub target_ms: u32,
    /// Bytes to and from the server so far.
    pub signaling: [u64; 2],
}

/// What was spoken and heard in a call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cut {
    /// When the first sample of the voice was spoken.
    pub spoken_us: u64,
    /// When the first sample of the recording was played.
    pub heard_us: u64,
    /// Samples in the recording.
    pub samples: usize,
    /// Blocks of which the microphone did not take all.
    pub refused: u32,
}

/// How a transfer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// offered, waiting, moving, paused, received, or ended and why.
    pub state: String,
    /// Bytes that are known to have arrived.
    pub done: u64,
    /// Where it lies; empty if it does not yet.
    pub path: String,
    /// Bytes of the small picture of an image.
    pub thumbnail_bytes: u64,
    /// The length of a voice note.
    pub duration_ms: u64,
    /// Points of its shape.
    pub points: u64,
    /// Chunks of all files that came to this phone since it was switched on.
    pub chunks_received: u64,
}

/// What an export took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Taken {
    /// Rows.
    pub rows: u64,
    /// Files beside the document.
    pub files: u64,
}

/// How long a wipe took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gone {
    /// Until the key was destroyed, the files overwritten, everything removed.
    pub wipe_ms: [f64; 3],
}

/// One text of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What was said.
    pub text: String,
    /// Whether the friend said it.
    pub theirs: bool,
    /// queued, delivered, read, failed or received.
    pub state: String,
}

/// Obeys until told to quit, or until its input ends.
///
/// # Errors
///
/// [`Trouble`] if the phone or its voice cannot be opened.
pub async fn run(args: Args) -> Result<(), Trouble> {
    let voice = Arc::new(wav::read(&args.voice)?);
    let client = args.phone.open()?;
    let (microphone, speaker) = client.take_sound().expect("nobody took the sound of a client just opened");
    let pump = Pump::start(microphone, speaker)?;
    let files = args.phone.data().join("phone.files");
    let mut phone = Phone {
        client,
        files,
        pump,
        voice,
        secrets: Vec::new(),
        on_air: false,
        said_all: false,
        projector: None,
        screening: None,
    };
    let mut orders = BufReader::new(stdin()).lines();
    let mut sample = interval(SAMPLE);
    sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            line = orders.next_line() => {
                let Ok(Some(line)) = line else { break };
                let Ok(Numbered { id, order }) = serde_json::from_str(&line) else { break };
                let quit = matches!(order, Order::Quit | Order::Wipe | Order::Delete);
                report(&match phone.obey(order).await {
                    Ok(value) => Report::Done { id, value },
                    Err(Trouble::Phone { error }) => Report::Refused { id, why: error.to_string(), code: error.code() },
                    Err(trouble) => Report::Refused { id, why: trouble.to_string(), code: 0 },
                });
                phone.secrets.push(line);
                if quit {
                    break;
                }
            }
            event = phone.client.next_event() => match event {
                Some(event) => phone.event(event).await?,
                None => break,
            },
            _ = sample.tick(), if phone.on_air => phone.sample().await?,
        }
    }
    phone.client.close().await;
    Ok(())
}

async fn wipe(client: &Client, files: &Path) -> Result<Gone, Trouble> {
    let wiped = client.wipe(Downloads::Removed(files.to_owned())).await.map_err(Trouble::system)?;
    Ok(Gone { wipe_ms: [wiped.key, wiped.files, wiped.all].map(|time| time.as_secs_f64() * 1e3) })
}

struct Phone {
    client: Client,
    /// Where its files lie.
    files: PathBuf,
    pump: Pump,
    voice: Arc<Vec<i16>>,
    /// Every order as it came, passwords and texts included: what a search of this process must find.
    secrets: Vec<String>,
    /// Whether a call is connected.
    on_air: bool,
    said_all: bool,
    projector: Option<Projector>,
    screening: Option<Screening>,
}

impl Phone {
    async fn obey(&mut self, order: Order) -> Result<Value, Trouble> {
        let client = &self.client;
        match order {
            Order::Register { name, email, password } => client.register(&name, &email, &password).await?,
            Order::Befriend { name } => drop(client.befriend(&name, None).await?),
            Order::Accept => client.accept(self.friend().await?.user).await?,
            Order::SafetyNumber => {
                let number = client.safety_number(self.friend().await?.user).await?;
                return Ok(json!(number.map(|number| number.to_string())));
            }
            Order::Verify => client.set_verified(self.friend().await?.user, Verified::Yes).await?,
            Order::Text { text } => drop(client.send_text(self.friend().await?.user, &text).await?),
            Order::History => return Ok(json!(self.history().await?)),
            Order::Call => {
                self.pump.begin(Mouth::Voice(Arc::clone(&self.voice)));
                client.call(self.friend().await?.user).await?;
            }
            Order::HangUp => {
                let call = client.calls().await?.pop().ok_or(Error::NoSuchCall)?;
                client.hang_up(call.call).await?;
            }
            Order::Figures => return self.figures().await,
            Order::Cut { path } => {
                let Take { spoken_us, heard_us, heard, refused } = self.pump.cut();
                wav::write(&path, &heard)?;
                return Ok(json!(Cut { spoken_us, heard_us, samples: heard.len(), refused }));
            }
            Order::SendFile { path } => {
                let peer = self.friend().await?.user;
                return Ok(json!(hex(client.send_file(peer, &path, "application/octet-stream").await?)));
            }
            Order::SendImage { path } => {
                let peer = self.friend().await?.user;
                return Ok(json!(hex(client.send_image(peer, &path, Origin::Remove).await?)));
            }
            Order::SendVoiceNote => {
                let mut recorder = NoteRecorder::new(1).map_err(Trouble::system)?;
                recorder.push(&self.voice);
                let note = recorder.finish().map_err(Trouble::system)?;
                return Ok(json!(hex(client.send_voice_note(self.friend().await?.user, note).await?)));
            }
            Order::AcceptFile { transfer } => client.accept_file(id(&transfer)?).await?,
            Order::Transfer { transfer } => return Ok(json!(self.transfer(id(&transfer)?).await?)),
            Order::SignIn { name, password } => client.sign_in(&name, &password).await?,
            Order::Export { folder, passphrase } => {
                let export = Export { passphrase: Some(passphrase.into()), server: ServerPart::Omitted };
                let exported = client.export(&folder, export).await.map_err(Trouble::system)?;
                return Ok(json!(Taken { rows: exported.rows, files: exported.files }));
            }
            Order::Wipe => return Ok(json!(wipe(client, &self.files).await?)),
            Order::Delete => {
                client.delete_account().await?;
                return Ok(json!(wipe(client, &self.files).await?));
            }
            Order::Film { folder, log } => {
                let call = client.calls().await?.pop().ok_or(Error::NoSuchCall)?;
                client.show(call.call, Shows { camera: true, screen: None }).await?;
                let log = std::fs::File::create(&log).map_err(|error| Trouble::file(&log, &error))?;
                let film = Film::read(&folder)?;
                self.projector = Some(Projector::start(Wall::Call(client.video()), film, Source::Camera, Some(log)));
            }
            Order::Watch { folder } => self.screening = Some(Screening::start(client.video(), &folder)?),
            Order::Quit => {}
        }
        Ok(Value::Null)
    }

    async fn transfer(&self, transfer: TransferId) -> Result<Option<Transfer>, Trouble> {
        let peer = self.friend().await?.user;
        let Some(view) = self.client.transfer(peer, transfer).await? else { return Ok(None) };
        let preview = self.client.preview(peer, transfer).await?;
        let voice = preview.voice.as_ref();
        Ok(Some(Transfer {
            state: state(view.state),
            done: view.done,
            path: view.path.unwrap_or_default(),
            thumbnail_bytes: preview.picture.map_or(0, |picture| picture.thumbnail.as_slice().len() as u64),
            duration_ms: voice.map_or(0, |voice| voice.duration_ms.into()),
            points: voice.map_or(0, |voice| voice.waveform.as_slice().len() as u64),
            chunks_received: self.client.diagnostics().await?.file_chunks.received,
        }))
    }

    async fn friend(&self) -> Result<Friend, Trouble> {
        Ok(self.client.friends().await?.pop().ok_or(Error::NotFriends)?)
    }

    async fn history(&self) -> Result<Vec<Line>, Trouble> {
        let page = self.client.history(self.friend().await?.user, None, PAGE).await?;
        let line = |message: sidetone::Message| {
            let state = match message.state {
                MessageState::Queued => "queued",
                MessageState::Sent => "sent",
                MessageState::Delivered => "delivered",
                MessageState::Read => "read",
                MessageState::Failed(_) => "failed",
                MessageState::Received => "received",
                MessageState::Expired => "expired",
            };
            let theirs = message.theirs;
            Line { text: message.text, theirs, state: state.to_owned() }
        };
        let texts = page.into_iter().rev().filter(|message| message.what == What::Text);
        Ok(texts.map(line).collect())
    }

    async fn event(&mut self, event: Event) -> Result<(), Trouble> {
        if let Some(projector) = &self.projector {
            projector.tell(&event);
        }
        let news = match event {
            Event::Connected(yes) => News::Connected { yes },
            Event::Friend(user) => {
                let Some(friend) = self.client.friend(user).await? else { return Ok(()) };
                let standing = match friend.standing {
                    Standing::AskedUs => "asked_us",
                    Standing::AskedByUs => "asked_by_us",
                    Standing::Friend => "friend",
                    Standing::Blocked => "blocked",
                    Standing::Former => "former",
                };
                News::Friend { name: friend.name, standing: standing.to_owned(), online: friend.online }
            }
            Event::Message { .. } | Event::Marks(_) => News::Chat,
            Event::Transfer(view) => {
                News::Transfer { transfer: hex(view.transfer), state: state(view.state), done: view.done }
            }
            Event::Call(view) => return self.called(view).await,
            Event::Stopped(error) | Event::Revoked(error) => News::Stopped { why: error.to_string() },
            _ => return Ok(()),
        };
        report(&Report::News(news));
        Ok(())
    }

    async fn called(&mut self, view: CallView) -> Result<(), Trouble> {
        let at_us = clock::micros();
        let incoming = view.direction == Direction::Incoming;
        if incoming && view.state == CallState::Ringing {
            self.pump.begin(Mouth::Voice(Arc::clone(&self.voice)));
            // A caller who gave up meanwhile needs no answer.
            let _ = self.client.answer(view.call).await;
        }
        let over = matches!(view.state, CallState::Ended(_));
        self.said_all &= view.state != CallState::Ringing;
        let (state, route) = (terminal::state(view.state).to_owned(), terminal::route(view.route).to_owned());
        self.on_air = view.state == CallState::Connected;
        report(&Report::News(News::Call { at_us, state, over, incoming, route }));
        Ok(())
    }

    async fn sample(&mut self) -> Result<(), Trouble> {
        let figures = self.client.diagnostics().await?;
        let sound = figures.sound;
        report(&Report::News(News::Sample(Sample {
            at_us: clock::micros(),
            sent: sound.frames_sent,
            heard: sound.frames_heard,
            lost: sound.frames_lost,
            recovered: sound.frames_recovered,
            concealed_ms: sound.concealed_ms,
            delay_ms: sound.delay_ms,
            target_ms: sound.target_ms,
            signaling: [figures.signaling.sent, figures.signaling.received],
        })));
        if !self.said_all && self.pump.said_all() {
            self.said_all = true;
            report(&Report::News(News::SaidAll));
        }
        Ok(())
    }

    async fn figures(&self) -> Result<Value, Trouble> {
        let figures = self.client.diagnostics().await?;
        let sound = figures.sound;
        let phases = figures.calls.first().map(|call| {
            let phases = call.phases.iter();
            phases.map(|(phase, ms)| (phase_name(*phase).to_owned(), json!(ms))).collect::<serde_json::Map<_, _>>()
        });
        Ok(json!({
            "signaling": { "sent": figures.signaling.sent, "received": figures.signaling.received },
            "records": { "sent": figures.records.sent, "received": figures.records.received },
            "sound": { "sent": sound.bytes_sent, "received": sound.bytes_heard },
            "frames_sent": sound.frames_sent,
            "frames_heard": sound.frames_heard,
            "frames_refused": sound.frames_refused,
            "frames_late": sound.frames_late,
            "frames_lost": sound.frames_lost,
            "frames_recovered": sound.frames_recovered,
            "concealed_ms": sound.concealed_ms,
            "microphone_dropped": sound.microphone_dropped,
            "speaker_missing": sound.speaker_missing,
            "route": terminal::route(figures.links.first().map(|link| link.route)),
            "rtt_ms": figures.links.first().map(|link| link.rtt.as_secs_f64() * 1e3),
            "phases": phases,
        }))
    }
}

fn report(report: &Report) {
    say(serde_json::to_string(report).expect("a report has text keys only"));
}
