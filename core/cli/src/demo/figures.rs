//! What the demonstration measured, and what it promised.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measure::Heard;

/// The most bytes a call may cost at the server, both phones and both directions together (promise A1).
pub const CALL_BYTES_AT_SERVER: u64 = 20_000;
/// The longest median from mouth to ear on one machine.
pub const MOUTH_TO_EAR_MS: f64 = 150.0;
/// How alike spoken and heard must be in the middle.
pub const ALIKE: f64 = 0.6;
/// The part of the pieces of speech that must be found again; what a busy machine stretches or skips is not.
pub const PIECES: f64 = 2.0 / 3.0;
/// The part of the frames spoken that must be heard on one machine.
pub const FRAMES_HEARD: f64 = 0.98;

/// All figures of one run: what `--json` writes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Whether everything promised held.
    pub held: bool,
    /// What did not hold, in sentences.
    pub broken: Vec<String>,
    /// From its start until the server answered.
    pub server_ready_ms: f64,
    /// From order to account, for each phone: OPAQUE with Argon2id on the phone.
    pub register_ms: BTreeMap<String, f64>,
    /// Whether both phones showed the same safety number.
    pub safety_numbers_equal: bool,
    /// Texts.
    pub texts: Texts,
    /// How the call travelled at its end, as each phone says.
    pub route: BTreeMap<String, String>,
    /// How it travelled in its first moment: a relayed route may be known before the direct one.
    pub route_at_first: BTreeMap<String, String>,
    /// Round-trip time of the link when it came up.
    pub rtt_ms: BTreeMap<String, f64>,
    /// The phases of the call's set-up at each phone.
    pub setup_ms: BTreeMap<String, Setup>,
    /// The sound of the call, by who heard it.
    pub sound: BTreeMap<String, Sound>,
    /// From the mouth of one to the ear of the other, by who heard it.
    pub mouth_to_ear_ms: BTreeMap<String, Heard>,
    /// Whether each one heard the other in a second call over the link of the first.
    pub heard_again: BTreeMap<String, bool>,
    /// Bytes by phone.
    pub bytes: BTreeMap<String, Destinations>,
    /// Bytes to and from the server, both phones together: what it took to set the first call up.
    pub setup_bytes_at_server: u64,
    /// The same from connected to the end of the first call.
    pub call_bytes_at_server: u64,
    /// Bytes the relay sent, its answers included, while the first call was set up: phones try every route before they choose one.
    pub setup_relay_bytes: u64,
    /// The same from connected to the end of the first call.
    pub call_relay_bytes: u64,
    /// Canaries.
    pub canaries: Canaries,
    /// The server's own counters at the end.
    pub server: serde_json::Value,
}

/// What became of the texts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Texts {
    /// Written by both.
    pub sent: usize,
    /// On the other phone, once, and known to be there by who wrote it.
    pub delivered: usize,
    /// More than once on the other phone.
    pub doubled: usize,
    /// Of those, written while the other phone was switched off.
    pub to_a_phone_switched_off: usize,
    /// Whether each phone shows them in the order in which they were written.
    pub in_order: bool,
    /// From switching the phone on until the last of those was known to be there.
    pub caught_up_ms: f64,
}

/// How one phone came into its calls, in milliseconds since the first phase.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Setup {
    /// The first call: there is no link yet.
    pub cold: BTreeMap<String, f64>,
    /// The second: the link of the first is still there.
    pub warm: BTreeMap<String, f64>,
}

/// What one phone spoke and heard.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sound {
    /// Frames spoken.
    pub frames_sent: u64,
    /// Frames heard.
    pub frames_heard: u64,
    /// Frames that could not be opened.
    pub frames_refused: u64,
    /// Frames that came after their turn.
    pub frames_late: u64,
    /// Frames whose turn came without them.
    pub frames_lost: u64,
    /// Frames of those that were recovered from the next.
    pub frames_recovered: u64,
    /// Sound that was made up.
    pub concealed_ms: u64,
    /// Samples from the microphone that found no room.
    pub microphone_dropped: u64,
    /// Samples the loudspeaker asked for and did not get.
    pub speaker_missing: u64,
}

/// Bytes of one phone by destination and kind, both directions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Destinations {
    /// To and from the server: signaling.
    pub server: Way,
    /// To and from the other phone: sealed records (texts, receipts, call control).
    pub peer_records: Way,
    /// To and from the other phone: sealed sound.
    pub peer_sound: Way,
}

/// Bytes each way.
#[derive(Debug, Clone, Copy, Default, Serialize, serde::Deserialize)]
pub struct Way {
    /// From here.
    pub sent: u64,
    /// To here.
    pub received: u64,
}

impl Way {
    /// Both together.
    pub fn total(self) -> u64 {
        self.sent + self.received
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
    }
}

/// What the search for planted strings found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Canaries {
    /// Secrets found at the server: in its memory, its files, its log.
    pub server: u64,
    /// The positive control: what the server is meant to know, found by the same search in the same memory and files.
    pub control: u64,
    /// Mebibytes that were searched at the server.
    pub searched_mib: f64,
    /// How often the server's memory was searched.
    pub memory_searches: u32,
    /// Each kind.
    pub kinds: Vec<Kind>,
    /// Why memory could not be searched, if it could not.
    pub not_searched: Option<String>,
}

/// One kind of canary.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Kind {
    /// What it is.
    pub kind: String,
    /// Whether the server is meant to know it: then it is a control.
    pub known_to_server: bool,
    /// Found in the server's memory, all searches together.
    pub server_memory: u64,
    /// Found in its database and the files beside it.
    pub server_files: u64,
    /// Found in its log, at trace level.
    pub server_log: u64,
    /// Found in the phones' memory, in one search: there it must be.
    pub phones_memory: u64,
}

/// One thing promised, and whether it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The promise.
    pub text: String,
    /// What was measured.
    pub measured: String,
    /// Whether it held.
    pub held: bool,
}

impl Figures {
    /// Judges every promise and notes those that did not hold.
    pub fn judge(&mut self) -> Vec<Promise> {
        let mut promises = Vec::new();
        self.judge_words(&mut promises);
        self.judge_sound(&mut promises);
        self.judge_second_call(&mut promises);
        self.judge_server(&mut promises);
        let broken = promises.iter().filter(|promise| !promise.held);
        self.broken = broken.map(|promise| format!("{} — {}", promise.text, promise.measured)).collect();
        self.held = self.broken.is_empty();
        promises
    }

    fn judge_words(&self, promises: &mut Vec<Promise>) {
        let texts = &self.texts;
        let mut promise = |text: &str, measured: String, held| {
            promises.push(Promise { text: text.to_owned(), measured, held });
        };
        let numbers = if self.safety_numbers_equal { "equal" } else { "different" };
        promise("Both phones show the same safety number", numbers.into(), self.safety_numbers_equal);
        promise(
            "Every text arrives once, and in order",
            format!("{} of {} delivered, {} doubled", texts.delivered, texts.sent, texts.doubled),
            texts.sent > 0 && texts.delivered == texts.sent && texts.doubled == 0 && texts.in_order,
        );
        promise(
            "What is written to a phone that is switched off arrives when it is on again",
            format!("{} texts, {:.0} ms after switching it on", texts.to_a_phone_switched_off, texts.caught_up_ms),
            texts.to_a_phone_switched_off > 0 && texts.delivered == texts.sent,
        );
    }

    fn judge_sound(&self, promises: &mut Vec<Promise>) {
        let mut promise = |text: String, measured: String, held| promises.push(Promise { text, measured, held });
        let direct = self.route.len() == 2 && self.route.values().all(|route| route.starts_with("direct"));
        let told = |(who, route): (&String, &String)| match self.route_at_first.get(who).filter(|first| *first != route)
        {
            Some(first) => format!("{who}: {route} (at first: {first})"),
            None => format!("{who}: {route}"),
        };
        let routes: Vec<_> = self.route.iter().map(told).collect();
        promise("The call goes from phone to phone".into(), routes.join("; "), direct);
        for (who, heard) in &self.mouth_to_ear_ms {
            promise(
                format!("{who} hears what was spoken"),
                format!("{} of {} pieces found, alike to {:.2}", heard.found, heard.pieces, heard.correlation),
                heard.correlation >= ALIKE && heard.found as f64 >= heard.pieces as f64 * PIECES && heard.pieces > 0,
            );
            promise(
                format!("{who} hears it within {MOUTH_TO_EAR_MS:.0} ms"),
                format!("{:.1} ms from mouth to ear, {:.1} ms at the 95th percentile", heard.median_ms, heard.p95_ms),
                heard.found > 0 && heard.median_ms <= MOUTH_TO_EAR_MS,
            );
        }
        for (who, sound) in &self.sound {
            let spoken: u64 = self.sound.iter().filter(|(other, _)| *other != who).map(|(_, s)| s.frames_sent).sum();
            promise(
                format!("{who} gets every frame, and none from anybody else"),
                format!("{} of {spoken} heard, {} refused", sound.frames_heard, sound.frames_refused),
                spoken > 0 && sound.frames_heard as f64 >= spoken as f64 * FRAMES_HEARD && sound.frames_refused == 0,
            );
        }
    }

    fn judge_second_call(&self, promises: &mut Vec<Promise>) {
        let deaf: Vec<_> = self.heard_again.iter().filter(|(_, heard)| !**heard).map(|(who, _)| &**who).collect();
        let both = self.heard_again.len() == 2 && deaf.is_empty();
        promises.push(Promise {
            text: "A second call, over the link of the first, is heard too".to_owned(),
            measured: if both { "both hear".to_owned() } else { format!("{} heard nothing", deaf.join(" and ")) },
            held: both,
        });
    }

    fn judge_server(&self, promises: &mut Vec<Promise>) {
        let mut promise = |text: &str, measured: String, held| {
            promises.push(Promise { text: text.to_owned(), measured, held });
        };
        let spoken: u64 = self.bytes.values().map(|bytes| bytes.peer_sound.sent).sum();
        promise(
            "What is spoken passes neither the server nor its relay",
            format!(
                "while they talked {} bytes passed the server and {} its relay, beside {spoken} of sealed sound",
                self.call_bytes_at_server, self.call_relay_bytes
            ),
            self.call_bytes_at_server < CALL_BYTES_AT_SERVER && self.call_relay_bytes * 20 <= spoken,
        );
        let canaries = &self.canaries;
        promise(
            "The server never holds what was written, spoken or typed as a password",
            canaries.not_searched.clone().unwrap_or_else(|| {
                format!("{} found in {:.0} MiB of its memory, files and log", canaries.server, canaries.searched_mib)
            }),
            canaries.server == 0 && canaries.not_searched.is_none(),
        );
        let blind: Vec<_> = canaries.kinds.iter().filter(|kind| !kind.was_seen()).map(|kind| &*kind.kind).collect();
        promise(
            "The search finds what is there",
            if blind.is_empty() {
                format!("{} times the account's name at the server; every secret at its phone", canaries.control)
            } else {
                format!("not found where it must be: {}", blind.join(", "))
            },
            canaries.control > 0 && blind.is_empty() && !canaries.kinds.is_empty(),
        );
        let named: u64 = canaries.kinds.iter().map(|kind| kind.server_log).sum();
        promise("The server's log names nobody", format!("{named} found in its log at trace level"), named == 0);
    }
}

impl Kind {
    /// Whether the search found it where it must be.
    fn was_seen(&self) -> bool {
        let at_server = !self.known_to_server || (self.server_memory > 0 && self.server_files > 0);
        self.phones_memory > 0 && at_server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Figures {
        let both = |n: f64| BTreeMap::from([("anna".to_owned(), n), ("ben".to_owned(), n)]);
        let heard = Heard { median_ms: 60.0, correlation: 0.9, pieces: 20, found: 19, ..Heard::default() };
        let sound = Sound { frames_sent: 500, frames_heard: 499, ..Sound::default() };
        let direct = "direct, one network".to_owned();
        let secret = |kind: &str| Kind { kind: kind.to_owned(), phones_memory: 2, ..Kind::default() };
        let name = Kind { known_to_server: true, server_memory: 3, server_files: 2, ..secret("account name") };
        let texts =
            Texts { sent: 5, delivered: 5, doubled: 0, to_a_phone_switched_off: 1, in_order: true, caught_up_ms: 1.0 };
        Figures {
            safety_numbers_equal: true,
            texts,
            route: both(0.0).into_keys().map(|who| (who, direct.clone())).collect(),
            sound: both(0.0).into_keys().map(|who| (who, sound.clone())).collect(),
            mouth_to_ear_ms: both(0.0).into_keys().map(|who| (who, heard.clone())).collect(),
            heard_again: both(0.0).into_keys().map(|who| (who, true)).collect(),
            canaries: Canaries { control: 5, kinds: vec![name, secret("text")], ..Canaries::default() },
            ..Figures::default()
        }
    }

    #[test]
    fn a_run_in_which_everything_is_well_holds() {
        let mut figures = good();
        let promises = figures.judge();
        assert!(figures.held && promises.len() >= 12, "{:?}", figures.broken);
    }

    /// One way to break a run.
    type Spoil = fn(&mut Figures);

    #[test]
    fn whatever_is_not_well_breaks_its_promise_and_no_other() {
        let spoils: [(&str, Spoil); 19] = [
            ("safety number", |f| f.safety_numbers_equal = false),
            ("arrives once", |f| f.texts.doubled = 1),
            ("arrives once", |f| f.texts.in_order = false),
            ("switched off", |f| f.texts.to_a_phone_switched_off = 0),
            ("phone to phone", |f| drop(f.route.insert("ben".into(), "relayed by us".into()))),
            ("phone to phone", |f| drop(f.route.remove("ben"))),
            ("ben hears what", |f| f.mouth_to_ear_ms.entry("ben".into()).or_default().correlation = 0.3),
            ("ben hears what", |f| f.mouth_to_ear_ms.entry("ben".into()).or_default().found = 9),
            ("ben hears it within", |f| f.mouth_to_ear_ms.entry("ben".into()).or_default().median_ms = 151.0),
            ("ben gets every frame", |f| f.sound.entry("ben".into()).or_default().frames_heard = 450),
            ("ben gets every frame", |f| f.sound.entry("ben".into()).or_default().frames_refused = 1),
            ("second call", |f| f.heard_again.retain(|who, _| who == "anna")),
            ("neither the server", |f| f.call_bytes_at_server = 20_000),
            ("neither the server", |f| f.call_relay_bytes = 60_000),
            ("never holds", |f| f.canaries.server = 1),
            ("never holds", |f| f.canaries.not_searched = Some("no permission".into())),
            ("search finds", |f| f.canaries.control = 0),
            ("search finds", |f| f.canaries.kinds[1].phones_memory = 0),
            ("log names nobody", |f| f.canaries.kinds[0].server_log = 1),
        ];
        for (promise, spoil) in spoils {
            let mut figures = good();
            spoil(&mut figures);
            figures.judge();
            assert!(!figures.held, "{promise}");
            assert!(
                figures.broken.len() == 1 && figures.broken[0].contains(promise),
                "{promise}: {:?}",
                figures.broken
            );
        }
    }
}
