//! The play: what the two people do, step by step.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use sidetone::clock;

use super::figures::{Figures, Setup, Sound, Way};
use super::measure;
use super::search::Search;
use super::stage::{self, PATIENCE, Phone, PhoneSettings, Place, Server};
use crate::phone::{Cut, Line, News, Order, Sample};
use crate::say;
use crate::trouble::Trouble;
use crate::wav;

/// The two people: the first one calls.
pub const WHO: [&str; 2] = ["anna", "ben"];

/// What is written while both are there, in turns.
const TEXTS: [&str; 6] = [
    "Are you there?",
    "I am. It is raining here ☔",
    "Here too. Did you get the numbers?",
    "Sixty digits, and they match.",
    "Then it is really you.",
    "And nobody in between.",
];

/// How long the second call may take to be heard.
const SOON: Duration = Duration::from_secs(5);

/// What happens before the play.
pub struct Setting {
    /// The program that is server and phones.
    pub program: PathBuf,
    /// Where everything of this run lies.
    pub dir: PathBuf,
    /// Where the recordings go.
    pub out: PathBuf,
    /// What each one speaks.
    pub voices: [Vec<i16>; 2],
}

/// What a run leaves: figures, and what the plots are drawn from.
pub struct Played {
    /// All figures.
    pub figures: Figures,
    /// What each one heard.
    pub heard: [Vec<i16>; 2],
    /// When each one's recordings began.
    pub cuts: [Cut; 2],
    /// Figures of the call as it went on, by phone.
    pub samples: [Vec<Sample>; 2],
    /// When each phone first knew of the first call.
    pub rang_us: [u64; 2],
}

/// Bytes since the phones were switched on.
struct Passed {
    server: u64,
    relay: u64,
}

/// The play as it goes on.
struct Play<'a> {
    setting: &'a Setting,
    began: Instant,
    server: Server,
    phones: [Phone; 2],
    settings: [PhoneSettings; 2],
    search: Search,
    figures: Figures,
    /// Who wrote what, in order.
    written: Vec<(usize, String)>,
}

/// Plays everything.
///
/// # Errors
///
/// [`Trouble::Stage`] if a process fails or something does not happen in time.
pub async fn play(setting: &Setting) -> Result<Played, Trouble> {
    let mut play = Play::begin(setting).await?;
    play.register().await?;
    play.befriend().await?;
    play.write().await?;
    play.write_to_nobody().await?;
    play.search("after the texts");
    let (heard, cuts, samples, rang_us) = play.talk().await?;
    play.talk_again().await?;
    play.search("after the calls");
    let figures = play.end().await?;
    Ok(Played { figures, heard, cuts, samples, rang_us })
}

impl<'a> Play<'a> {
    async fn begin(setting: &'a Setting) -> Result<Self, Trouble> {
        let began = Instant::now();
        let server = Server::start(&setting.program, &setting.dir).await?;
        let figures = Figures { server_ready_ms: ms(began), ..Figures::default() };
        progress(
            began,
            "server",
            &format!("answers at {} after {:.0} ms", server.ready.server, figures.server_ready_ms),
        );
        let settings = [0, 1].map(|n| PhoneSettings {
            program: setting.program.clone(),
            who: WHO[n],
            dir: setting.dir.clone(),
            server: server.ready.server.clone(),
            voice: setting.dir.join(format!("{}-speaks.wav", WHO[n])),
            place: Place::here(),
        });
        for (settings, voice) in settings.iter().zip(&setting.voices) {
            wav::write(&settings.voice, voice)?;
        }
        let phones = [Phone::start(&settings[0]).await?, Phone::start(&settings[1]).await?];
        progress(began, "phones", "two, each a process of its own");
        let search = Search::new(&setting.voices);
        Ok(Self { setting, began, server, phones, settings, search, figures, written: Vec::new() })
    }

    fn progress(&self, who: &str, what: &str) {
        progress(self.began, who, what);
    }

    async fn register(&mut self) -> Result<(), Trouble> {
        for (n, who) in WHO.into_iter().enumerate() {
            let began = Instant::now();
            let name = self.search.name(n);
            let (email, password) = (self.search.email(n), self.search.password(n));
            self.phones[n].tell(Order::Register { name, email, password }).await?;
            let took = ms(began);
            self.figures.register_ms.insert(who.to_owned(), took);
            self.progress(who, &format!("has an account after {took:.0} ms; the password never left the phone"));
        }
        Ok(())
    }

    async fn befriend(&mut self) -> Result<(), Trouble> {
        let name = self.search.name(1);
        stage::befriend(&mut self.phones, &name).await?;
        let [anna, ben] = &mut self.phones;
        let numbers =
            [anna.ask_for::<Option<String>>(Order::SafetyNumber).await?, ben.ask_for(Order::SafetyNumber).await?];
        let equal = numbers[0] == numbers[1] && numbers[0].is_some();
        self.figures.safety_numbers_equal = equal;
        if equal {
            anna.tell(Order::Verify).await?;
            ben.tell(Order::Verify).await?;
        }
        self.progress("both", "are friends");
        let number = numbers[0].clone().unwrap_or_default();
        self.progress(
            "both",
            &format!("{} {number}", if equal { "read the same number:" } else { "read DIFFERENT numbers:" }),
        );
        Ok(())
    }

    async fn write(&mut self) -> Result<(), Trouble> {
        let began = Instant::now();
        for (turn, text) in TEXTS.into_iter().enumerate() {
            self.text(turn % 2, text.to_owned()).await?;
        }
        for n in 0..2 {
            let text = format!("a secret: {}", self.search.text(n));
            self.text(n, text).await?;
        }
        self.delivered().await?;
        self.progress("both", &format!("{} texts are there after {:.0} ms", self.written.len(), ms(began)));
        Ok(())
    }

    async fn write_to_nobody(&mut self) -> Result<(), Trouble> {
        // Before they are switched off: a phone that starts anew has its texts sealed, and no password.
        self.search_phones();
        self.leave(1).await?;
        self.progress("ben", "switches the phone off");
        let texts =
            ["You are away, so this waits on my phone.".to_owned(), format!("a secret: {}", self.search.away())];
        self.figures.texts.to_a_phone_switched_off = texts.len();
        for text in texts {
            self.text(0, text).await?;
        }
        self.progress("anna", "writes two texts; they wait on her phone, not at the server");
        let began = Instant::now();
        self.phones[1] = Phone::start(&self.settings[1]).await?;
        self.delivered().await?;
        self.figures.texts.caught_up_ms = ms(began);
        self.progress("ben", &format!("switches it on and has them after {:.0} ms", ms(began)));
        // So that the call has to make its link, as most calls do.
        self.leave(0).await?;
        self.phones[0] = Phone::start(&self.settings[0]).await?;
        self.phones[0].until("the friend is there", stage::is_there).await?;
        Ok(())
    }

    /// Switches a phone off, after noting what it counted.
    async fn leave(&mut self, n: usize) -> Result<(), Trouble> {
        self.note(n).await?;
        self.phones[n].quit().await
    }

    async fn text(&mut self, n: usize, text: String) -> Result<(), Trouble> {
        self.phones[n].tell(Order::Text { text: text.clone() }).await?;
        self.written.push((n, text));
        Ok(())
    }

    /// Waits until every text is on the other phone and its writer knows.
    async fn delivered(&mut self) -> Result<(), Trouble> {
        for n in 0..2 {
            let mine = self.written.iter().filter(|(who, _)| *who == n).count();
            let done =
                |lines: &[Line]| lines.iter().filter(|line| line.state == "delivered" || line.state == "read").count();
            while done(&self.phones[n].ask_for::<Vec<Line>>(Order::History).await?) < mine {
                self.phones[n].until("every text is delivered", |news| *news == News::Chat).await?;
            }
        }
        Ok(())
    }

    async fn talk(&mut self) -> Result<([Vec<i16>; 2], [Cut; 2], [Vec<Sample>; 2], [u64; 2]), Trouble> {
        let before = self.passed().await?;
        let rang_us = self.connect().await?;
        let connected = self.passed().await?;
        self.progress("both", "speak at the same time, and record what they hear");
        let longest = self.setting.voices.iter().map(Vec::len).max().unwrap_or(0) as u64 / u64::from(wav::RATE);
        for phone in &mut self.phones {
            let patience = PATIENCE + Duration::from_secs(longest);
            phone.within(patience, "the voice was spoken", |news| *news == News::SaidAll).await?;
        }
        self.listen_on().await?;
        self.search("in the call");
        self.search_phones();
        let (mut heard, mut cuts) = ([Vec::new(), Vec::new()], [Cut::default(), Cut::default()]);
        for (n, who) in WHO.into_iter().enumerate() {
            let path = self.setting.out.join(format!("{who}-heard.wav"));
            cuts[n] = self.phones[n].ask_for(Order::Cut { path: path.clone() }).await?;
            heard[n] = wav_of(&path)?;
            self.sound_of(n).await?;
        }
        let end = self.passed().await?;
        self.figures.setup_bytes_at_server = connected.server - before.server;
        self.figures.setup_relay_bytes = connected.relay - before.relay;
        self.figures.call_bytes_at_server = end.server - connected.server;
        self.figures.call_relay_bytes = end.relay - connected.relay;
        self.hang_up().await?;
        for (n, who) in WHO.into_iter().enumerate() {
            let other = 1 - n;
            let found = measure::heard(&self.setting.voices[other], &cuts[other], &heard[n], &cuts[n]);
            self.progress(
                who,
                &format!("heard {} after {:.1} ms, alike to {:.2}", WHO[other], found.median_ms, found.correlation),
            );
            self.figures.mouth_to_ear_ms.insert(who.to_owned(), found);
        }
        let samples = self.phones.each_mut().map(|phone| std::mem::take(&mut phone.samples));
        Ok((heard, cuts, samples, rang_us))
    }

    /// A second call, while the link of the first is still there.
    async fn talk_again(&mut self) -> Result<(), Trouble> {
        self.connect().await?;
        for (n, who) in WHO.into_iter().enumerate() {
            let heard = self.phones[n].sampled(SOON, |sample| sample.heard > 0).await?;
            self.figures.heard_again.insert(who.to_owned(), heard);
            let phases = phases(&self.phones[n].ask(Order::Figures).await?);
            self.figures.setup_ms.entry(who.to_owned()).or_default().warm = phases;
        }
        self.hang_up().await
    }

    /// Calls and waits until both are connected; gives when each phone first knew.
    async fn connect(&mut self) -> Result<[u64; 2], Trouble> {
        let began_us = clock::micros();
        self.phones.iter_mut().for_each(Phone::forget);
        self.phones[0].tell(Order::Call).await?;
        let (mut rang_us, mut connected_us, mut routes) = ([0; 2], [0; 2], [String::new(), String::new()]);
        let stands = |news: &News| matches!(news, News::Call { state, over, .. } if *over || state == "connected");
        for n in 0..2 {
            let phone = &mut self.phones[n];
            let mut news = phone.until("it rings", |news| matches!(news, News::Call { .. })).await?;
            rang_us[n] = at(&news);
            if !stands(&news) {
                news = phone.until("the call is connected", stands).await?;
            }
            let News::Call { at_us, state, over, route, .. } = news else { continue };
            if over {
                return Err(Trouble::stage(WHO[n], format!("the call did not come about: {state}")));
            }
            connected_us[n] = at_us;
            routes[n] = route;
        }
        let took = (connected_us[0].max(connected_us[1]) - began_us) as f64 / 1e3;
        self.progress("call", &format!("connected after {took:.0} ms: {}", routes.join(" / ")));
        for (who, route) in WHO.into_iter().zip(routes) {
            self.figures.route_at_first.entry(who.to_owned()).or_insert(route);
        }
        Ok(rang_us)
    }

    /// One more second, so that the last word arrives.
    async fn listen_on(&mut self) -> Result<(), Trouble> {
        let until_us = clock::micros() + 1_000_000;
        for phone in &mut self.phones {
            phone.sampled(PATIENCE, |sample| sample.at_us >= until_us).await?;
        }
        Ok(())
    }

    async fn hang_up(&mut self) -> Result<(), Trouble> {
        self.phones[0].tell(Order::HangUp).await?;
        for (phone, how) in self.phones.iter_mut().zip(["hung up", "they hung up"]) {
            let over = |news: &News| matches!(news, News::Call { over: true, .. });
            let News::Call { state, .. } = phone.until("the call is over", over).await? else { continue };
            if state != how {
                return Err(Trouble::stage(phone.who, format!("the call ended otherwise than by hanging up: {state}")));
            }
        }
        Ok(())
    }

    /// What passed the server and its relay so far, as the phones and the relay count it.
    async fn passed(&mut self) -> Result<Passed, Trouble> {
        let figures = self.server.figures().await?;
        let relayed = |way: &str| figures["relay"][way].as_u64().unwrap_or(0);
        let mut passed = Passed { server: 0, relay: relayed("bytes_to_peers") + relayed("bytes_to_clients") };
        for phone in &mut self.phones {
            passed.server += way(&phone.ask(Order::Figures).await?["signaling"])?.total();
        }
        Ok(passed)
    }

    /// Adds what a phone counted since it was switched on.
    async fn note(&mut self, n: usize) -> Result<(), Trouble> {
        let counted = self.phones[n].ask(Order::Figures).await?;
        let bytes = self.figures.bytes.entry(WHO[n].to_owned()).or_default();
        bytes.server.add(way(&counted["signaling"])?);
        bytes.peer_records.add(way(&counted["records"])?);
        Ok(())
    }

    /// Notes the sound of the call that is on.
    async fn sound_of(&mut self, n: usize) -> Result<(), Trouble> {
        let counted = self.phones[n].ask(Order::Figures).await?;
        let count = |what: &str| counted[what].as_u64().unwrap_or(0);
        let sound = Sound {
            frames_sent: count("frames_sent"),
            frames_heard: count("frames_heard"),
            frames_refused: count("frames_refused"),
            frames_late: count("frames_late"),
            frames_lost: count("frames_lost"),
            frames_recovered: count("frames_recovered"),
            concealed_ms: count("concealed_ms"),
            microphone_dropped: count("microphone_dropped"),
            speaker_missing: count("speaker_missing"),
        };
        let who = WHO[n].to_owned();
        let route = counted["route"].as_str().unwrap_or_default();
        self.figures.route.insert(who.clone(), route.to_owned());
        self.figures.sound.insert(who.clone(), sound);
        self.figures.bytes.entry(who.clone()).or_default().peer_sound.add(way(&counted["sound"])?);
        self.figures.rtt_ms.insert(who.clone(), counted["rtt_ms"].as_f64().unwrap_or(0.0));
        self.figures.setup_ms.insert(who, Setup { cold: phases(&counted), ..Setup::default() });
        Ok(())
    }

    fn search(&mut self, when: &str) {
        let found = self.search.server_memory(self.server.process());
        self.progress("search", &format!("the server's memory {when}: {found}"));
    }

    fn search_phones(&mut self) {
        for phone in &self.phones {
            self.search.phone_memory(phone.process());
        }
    }

    async fn end(mut self) -> Result<Figures, Trouble> {
        self.count_texts().await?;
        self.search.server_files(&self.server.data, &self.server.log)?;
        self.figures.server = self.server.figures().await?;
        for n in 0..2 {
            self.note(n).await?;
        }
        let Self { phones, server, mut search, mut figures, began, .. } = self;
        for mut phone in phones {
            phone.quit().await?;
        }
        let (data, log) = (server.data.clone(), server.log.clone());
        server.stop().await?;
        search.server_files(&data, &log)?;
        progress(began, "end", "phones and server ended well");
        figures.canaries = search.result();
        Ok(figures)
    }

    /// Compares what was written with what both phones show.
    async fn count_texts(&mut self) -> Result<(), Trouble> {
        self.figures.texts.sent = self.written.len();
        self.figures.texts.in_order = true;
        for n in 0..2 {
            let wrote: Vec<_> =
                self.written.iter().filter(|(who, _)| *who == n).map(|(_, text)| text.clone()).collect();
            let here: Vec<Line> = self.phones[n].ask_for(Order::History).await?;
            let there: Vec<Line> = self.phones[1 - n].ask_for(Order::History).await?;
            let there: Vec<_> = there.into_iter().filter(|line| line.theirs).map(|line| line.text).collect();
            let known =
                |text: &String| here.iter().any(|line| !line.theirs && line.text == *text && line.state != "queued");
            let texts = &mut self.figures.texts;
            texts.delivered += wrote.iter().filter(|text| there.contains(text) && known(text)).count();
            texts.doubled += there.len().saturating_sub(wrote.len());
            texts.in_order &= there == wrote;
        }
        Ok(())
    }
}

fn at(news: &News) -> u64 {
    if let News::Call { at_us, .. } = news { *at_us } else { 0 }
}

fn way(value: &Value) -> Result<Way, Trouble> {
    serde_json::from_value(value.clone()).map_err(Trouble::system)
}

fn phases(figures: &Value) -> std::collections::BTreeMap<String, f64> {
    serde_json::from_value(figures["phases"].clone()).unwrap_or_default()
}

fn wav_of(path: &Path) -> Result<Vec<i16>, Trouble> {
    let mut reader = hound::WavReader::open(path).map_err(Trouble::system)?;
    reader.samples::<i16>().collect::<Result<_, _>>().map_err(Trouble::system)
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn progress(began: Instant, who: &str, what: &str) {
    say(format_args!("{:6.2} s  {who:<7} {what}", began.elapsed().as_secs_f64()));
}
