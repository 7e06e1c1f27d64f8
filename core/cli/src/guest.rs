//! `sidetone guest`: a phone among strangers that obeys orders, one line of JSON each, and answers in the same way. What it
//! says and shows is made of numbers that it is given, so that whoever searches its memory for it has not put it there.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sidetone::{
    Accept, Age, BurnReport, Bytes, CallState, Client, Consent, Entering, Error, Event, Held, Loudspeaker, MatchId,
    Microphone, NoteRecorder, Route, Stranger, StrangerContent, StrangerEvent, StrangerFailure, StrangerMedia,
    StrangerView,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::timeout;

use crate::say;
use crate::sound::{BLOCK, TICK};
use crate::terminal::PhoneArgs;
use crate::trouble::Trouble;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// Hides bytes that are reported from a search for them.
const MASK: u8 = 0xa5;
/// Samples of sound that are searched for: 32 bytes.
pub const SAMPLES: usize = 16;
const SIDE: u32 = 90;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
}

/// What a phone is told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Look for a stranger under the name of this number.
    Enter {
        /// The number.
        seed: u64,
    },
    /// Wait until there is one to talk to.
    Met,
    /// Say the text of this number.
    Say {
        /// The number.
        seed: u64,
    },
    /// Send the image of this number.
    Image {
        /// The number.
        seed: u64,
    },
    /// Send a note of the noise of this number; gives bytes from its middle, masked.
    Note {
        /// The number.
        seed: u64,
    },
    /// Wait until so many messages are here or there, whole.
    Whole {
        /// How many.
        count: usize,
    },
    /// Call, and speak the noise of this number.
    Call {
        /// The number.
        seed: u64,
    },
    /// Take the call, and speak the noise of this number.
    Answer {
        /// The number.
        seed: u64,
    },
    /// Keep what was said, against all promises: a search that does not find it is worth nothing.
    Leak,
    /// Samples that were heard, masked.
    Heard,
    /// Go directly, and wait until the link does.
    Direct,
    /// The words that people compare.
    Words,
    /// Leave; gives what was burned.
    End,
    /// Wait until it is over; gives what was burned.
    Over,
    /// What the receipt of the last stranger says.
    Receipt,
    /// Close everything and end.
    Quit,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// What it gave, or nothing.
    pub value: Value,
    /// Why not, if not.
    pub refused: Option<String>,
}

/// What a burn did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Burn {
    /// Texts, images, notes held, and bytes of all.
    pub held: [u64; 4],
    /// The same, erased.
    pub erased: [u64; 4],
    /// Names, keys, links held.
    pub more: [u64; 3],
    /// The same, erased.
    pub more_erased: [u64; 3],
    /// Until everything was gone.
    pub took_ms: f64,
}

impl Burn {
    /// From what the library says.
    pub fn of(report: BurnReport) -> Self {
        let said = |held: Held| [held.texts.into(), held.images.into(), held.notes.into(), held.bytes];
        let more = |held: Held| [held.names.into(), held.keys.into(), held.links.into()];
        Self {
            held: said(report.held),
            erased: said(report.erased),
            more: more(report.held),
            more_erased: more(report.erased),
            took_ms: report.took.as_secs_f64() * 1e3,
        }
    }

    /// Whether everything that was held was erased.
    pub fn is_whole(&self) -> bool {
        self.held == self.erased && self.more == self.more_erased
    }
}

/// What a receipt says, in bytes sent and received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// STUN, relay and peer: UDP with its headers.
    pub udp: [u64; 2],
    /// The server's socket since it was opened, and not for this stranger alone.
    pub signaling: [u64; 2],
    /// Sessions, fresh exchanges in them, keys of sound.
    pub epochs: [u32; 3],
    /// Rows that are kept.
    pub kept: u32,
}

/// Letters that follow from a number and what they are for.
pub fn letters(seed: u64, kind: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let begin = kind.bytes().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |sum, byte| sum.rotate_left(9) ^ u64::from(byte));
    let mut dice = Dice(begin);
    (0..24).map(|_| char::from(ALPHABET[(dice.roll() % 32) as usize])).collect()
}

/// A block of noise that follows from a number.
pub fn noise(seed: u64) -> Vec<i16> {
    let mut dice = Dice(seed ^ 0x5851_f42d_4c95_7f2d);
    (0..BLOCK).map(|_| (dice.roll() % 16_001) as i16 - 8_000).collect()
}

/// An image that follows from a number, as PNG.
pub fn picture(seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed ^ 0x1405_7b7e_f767_814f);
    let pixels = image::RgbImage::from_fn(SIDE, SIDE, |_, _| {
        let [r, g, b, ..] = dice.roll().to_be_bytes();
        image::Rgb([r, g, b])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut png, image::ImageFormat::Png).expect("a small image is written to memory");
    png.into_inner()
}

/// Bytes from the middle that are nowhere else by chance.
pub fn middle(bytes: &[u8]) -> Vec<u8> {
    let telling = |window: &&[u8]| {
        let mut different = window.to_vec();
        different.sort_unstable();
        different.dedup();
        different.len() >= 16
    };
    let behind = bytes.get(bytes.len() / 2..).unwrap_or_default();
    behind.windows(24).find(telling).unwrap_or_default().to_vec()
}

/// The same, so that they are not found where they are reported; again, and they are what they were.
pub fn mask(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ MASK).collect()
}

/// Numbers from a number (SplitMix64): for patterns, and for nothing secret.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

struct Guest {
    client: Client,
    card: Card,
    over: Option<Burn>,
    leaked: Vec<String>,
}

/// Obeys until told to quit, or until its input ends.
///
/// # Errors
///
/// [`Trouble`] if the phone cannot be opened.
pub async fn run(args: Args) -> Result<(), Trouble> {
    let client = args.phone.open()?;
    let (microphone, speaker) = client.take_sound().expect("nobody took the sound of a client just opened");
    let card = Card::start(microphone, speaker)?;
    let mut guest = Guest { client, card, over: None, leaked: Vec::new() };
    while !matches!(guest.client.next_event().await, Some(Event::Connected(true)) | None) {}
    say("ready");
    let mut orders = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = orders.next_line().await {
        let Ok(order) = serde_json::from_str::<Order>(&line) else { break };
        let quit = matches!(order, Order::Quit);
        let outcome = timeout(PATIENCE, guest.obey(order)).await;
        let (value, refused) = match outcome {
            Ok(Ok(value)) => (value, None),
            Ok(Err(error)) => (Value::Null, Some(error.to_string())),
            Err(_) => (Value::Null, Some("it took too long".to_owned())),
        };
        say(serde_json::to_string(&Answer { value, refused }).expect("an answer has text keys only"));
        if quit {
            break;
        }
    }
    guest.client.close().await;
    Ok(())
}

impl Guest {
    async fn obey(&mut self, order: Order) -> Result<Value, Error> {
        let strangers = self.client.strangers();
        match order {
            Order::Enter { seed } => {
                self.over = None;
                strangers.enter(entering(letters(seed, "nickname"))).await?;
            }
            Order::Met => return Ok(json!(self.met().await?.route.map(word))),
            Order::Say { seed } => {
                strangers.say(self.id().await?, &letters(seed, "text")).await?;
            }
            Order::Image { seed } => {
                strangers.send_image(self.id().await?, &picture(seed)).await?;
            }
            Order::Note { seed } => return self.note(seed).await,
            Order::Whole { count } => self.whole(count).await?,
            Order::Call { seed } => {
                self.card.speak(seed);
                strangers.call(self.id().await?).await?;
                self.connected().await?;
            }
            Order::Answer { seed } => self.answer(seed).await?,
            Order::Leak => {
                for message in self.client.strangers().messages(self.id().await?, 0).await? {
                    if let StrangerContent::Text(text) = message.content {
                        self.leaked.push(text.into_string());
                    }
                }
            }
            Order::Heard => return Ok(json!(self.card.heard())),
            Order::Direct => {
                strangers.set_direct(self.id().await?, Consent::Yes).await?;
                self.until(|one| matches!(one.route, Some(Route::Direct(_)))).await?;
            }
            Order::Words => {
                strangers.compare_words(self.id().await?).await?;
                return Ok(json!(self.until(|one| one.words.is_some()).await?.words));
            }
            Order::End => {
                let burned = strangers.end().await?;
                self.card.speak(0);
                return Ok(json!(Burn::of(burned)));
            }
            Order::Over => {
                while self.over.is_none() {
                    self.event().await?;
                }
                return Ok(json!(self.over));
            }
            Order::Receipt => return Ok(json!(self.told().await?)),
            Order::Quit => {}
        }
        Ok(Value::Null)
    }

    async fn id(&self) -> Result<MatchId, Error> {
        match self.client.strangers().view().await? {
            StrangerView::With(stranger) => Ok(stranger.id),
            _ => Err(StrangerFailure::NoSuchMatch.into()),
        }
    }

    async fn event(&mut self) -> Result<(), Error> {
        match self.client.next_event().await {
            None => Err(Error::Closed),
            Some(Event::Stranger(StrangerEvent::Ended(_, _, burned))) => {
                let (held, erased, took) = (burned.held, burned.erased, Duration::ZERO);
                self.over = Some(Burn::of(BurnReport { held, erased, took }));
                self.card.speak(0);
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    async fn told(&self) -> Result<Told, Error> {
        let receipt = self.client.receipts().await?.into_iter().next().ok_or(StrangerFailure::NoSuchMatch)?;
        let sum = |way: fn(&Bytes) -> u64| -> u64 { [receipt.stun, receipt.relay, receipt.peer].iter().map(way).sum() };
        let signaling = self.client.diagnostics().await?.signaling;
        Ok(Told {
            udp: [sum(|bytes| bytes.sent), sum(|bytes| bytes.received)],
            signaling: [signaling.sent, signaling.received],
            epochs: [receipt.epochs.sessions, receipt.epochs.records, receipt.epochs.sound],
            kept: receipt.kept.rows,
        })
    }

    /// Waits until the stranger is so.
    async fn until(&mut self, so: impl Fn(&Stranger) -> bool) -> Result<Stranger, Error> {
        loop {
            match self.client.strangers().view().await? {
                StrangerView::With(stranger) if so(&stranger) => return Ok(*stranger),
                _ => self.event().await?,
            }
        }
    }

    async fn met(&mut self) -> Result<Stranger, Error> {
        self.until(|stranger| stranger.route.is_some()).await
    }

    async fn whole(&mut self, count: usize) -> Result<(), Error> {
        loop {
            let messages = self.client.strangers().messages(self.id().await?, 0).await?;
            if messages.iter().filter(|message| message.whole).count() >= count {
                // A picture from anybody is decoded here, within limits.
                for message in messages.iter().filter(|message| message.theirs) {
                    if matches!(&message.content, StrangerContent::Attachment(one, _)
                        if matches!(one.kind, sidetone::AttachmentKind::Image { .. }))
                    {
                        drop(self.client.strangers().image(self.id().await?, message.number).await?);
                    }
                }
                return Ok(());
            }
            self.event().await?;
        }
    }

    async fn note(&mut self, seed: u64) -> Result<Value, Error> {
        let mut recorder = NoteRecorder::new(seed as u32).map_err(|_| Error::FileMalformed)?;
        for _ in 0..200 {
            recorder.push(&noise(seed));
        }
        let note = recorder.finish().map_err(|_| Error::FileMalformed)?;
        let shown = mask(&middle(&note.ogg));
        self.client.strangers().send_note(self.id().await?, note).await?;
        Ok(json!(shown))
    }

    async fn answer(&mut self, seed: u64) -> Result<(), Error> {
        let ringing = |one: &Stranger| matches!(&one.call, Some(call) if call.state == CallState::Ringing);
        let call = self.until(ringing).await?.call;
        self.card.speak(seed);
        if let Some(call) = call {
            self.client.strangers().answer(call.call).await?;
        }
        self.connected().await
    }

    async fn connected(&mut self) -> Result<(), Error> {
        self.until(|one| matches!(&one.call, Some(call) if call.state == CallState::Connected)).await.map(drop)
    }
}

/// How one goes among strangers here.
pub fn entering(nickname: String) -> Entering {
    Entering {
        nickname,
        language: None,
        interests: Vec::new(),
        media: StrangerMedia::Text,
        age: Age::Unknown,
        accept: Accept::AtOnce,
    }
}

fn word(route: Route) -> &'static str {
    match route {
        Route::Direct(_) => "direct",
        Route::Relayed(..) => "relayed",
    }
}

/// A sound card that says noise and keeps, masked, a moment of what it heard.
struct Card {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    block: Mutex<Vec<i16>>,
    heard: Mutex<Vec<u8>>,
    quit: AtomicBool,
}

impl Card {
    fn start(microphone: Microphone, speaker: Loudspeaker) -> Result<Self, Trouble> {
        let shared = Arc::<Shared>::default();
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("card".into());
        let thread = Some(thread.spawn(move || turn(microphone, speaker, &seen)).map_err(Trouble::system)?);
        Ok(Self { shared, thread })
    }

    /// Says the noise of a number from now on; nothing for 0.
    fn speak(&self, seed: u64) {
        let block = if seed == 0 { Vec::new() } else { noise(seed) };
        *lock(&self.shared.block) = block;
    }

    fn heard(&self) -> Vec<u8> {
        lock(&self.shared.heard).clone()
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.shared.quit.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn turn(mut microphone: Microphone, mut speaker: Loudspeaker, shared: &Shared) {
    let mut at = std::time::Instant::now();
    let mut heard = Box::new([0_i16; BLOCK]);
    while !shared.quit.load(Relaxed) {
        // Nothing to say is said too: it erases what was said before.
        microphone.push(&lock(&shared.block));
        speaker.pull(heard.as_mut_slice());
        let moment = &heard[BLOCK / 2..BLOCK / 2 + SAMPLES];
        if moment.iter().filter(|sample| sample.unsigned_abs() > 200).count() > SAMPLES / 2 {
            let bytes: Vec<u8> = moment.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            *lock(&shared.heard) = mask(&bytes);
        }
        heard.fill(0);
        at += TICK;
        std::thread::sleep(at.saturating_duration_since(std::time::Instant::now()));
    }
}
