//! What is planted, and where it is looked for.

use std::collections::BTreeMap;
use std::path::Path;

use super::figures::{Canaries, Kind};
use crate::leak::{Canary, Finds, Scanner};
use crate::trouble::Trouble;

/// Samples of a voice that are looked for: 64 bytes.
const VOICE: usize = 32;

/// The account's name: the server knows it, so that finding it shows that the search sees.
const NAME: &str = "account name";

/// Plants and looks.
pub struct Search {
    names: [Canary; 2],
    emails: [Canary; 2],
    passwords: [Canary; 2],
    texts: [Canary; 2],
    away: Canary,
    scanner: Scanner,
    kinds: Vec<String>,
    memory: Finds,
    files: Finds,
    log: Finds,
    phones: Finds,
    searches: u32,
    failed: Option<String>,
}

impl Search {
    /// New secrets, and the loudest moment of each voice.
    pub fn new(voices: &[Vec<i16>; 2]) -> Self {
        let two = |kind: &str, length| [Canary::random(kind, length), Canary::random(kind, length)];
        let (names, emails) = (two(NAME, 14), two("e-mail address", 20));
        let (passwords, texts) = (two("password", 20), two("text", 20));
        let away = Canary::random("text to a phone switched off", 20);
        let sounds = voices.each_ref().map(|voice| loudest(voice));
        let groups = [&names, &emails, &passwords, &texts, &sounds];
        let all: Vec<Canary> = groups.into_iter().flatten().chain([&away]).cloned().collect();
        let mut kinds: Vec<String> = Vec::new();
        for canary in &all {
            if !kinds.contains(&canary.kind) {
                kinds.push(canary.kind.clone());
            }
        }
        let scanner = Scanner::new(&all);
        let none = Finds::default;
        let (memory, files, log, phones) = (none(), none(), none(), none());
        let (searches, failed) = (0, None);
        Self { names, emails, passwords, texts, away, scanner, kinds, memory, files, log, phones, searches, failed }
    }

    /// The name of an account.
    pub fn name(&self, n: usize) -> String {
        format!("{}{}", super::script::WHO[n], self.names[n].text())
    }

    /// Its address.
    pub fn email(&self, n: usize) -> String {
        format!("{}@example.org", self.emails[n].text())
    }

    /// Its password.
    pub fn password(&self, n: usize) -> String {
        self.passwords[n].text()
    }

    /// Something to write.
    pub fn text(&self, n: usize) -> String {
        self.texts[n].text()
    }

    /// Something to write to a phone that is switched off.
    pub fn away(&self) -> String {
        self.away.text()
    }

    /// Looks through the server's memory and tells what it found.
    pub fn server_memory(&mut self, process: u32) -> String {
        match self.scanner.memory(process) {
            Ok(finds) => {
                self.searches += 1;
                self.memory.add(&finds);
                let (known, all) = (finds.of(NAME), finds.total());
                let mib = finds.scanned as f64 / f64::from(1 << 20);
                let emails = finds.of(&self.emails[0].kind);
                format!("{} secrets in {mib:.0} MiB (names, which it knows: {known})", all - known - emails)
            }
            Err(error) => {
                let why = format!("memory cannot be searched here: {error}");
                self.failed = Some(why.clone());
                why
            }
        }
    }

    /// Looks through a phone's memory.
    pub fn phone_memory(&mut self, process: u32) {
        match self.scanner.memory(process) {
            Ok(finds) => self.phones.add(&finds),
            Err(error) => self.failed = Some(format!("memory cannot be searched here: {error}")),
        }
    }

    /// Looks through the server's database, what lies beside it, and its log.
    ///
    /// # Errors
    ///
    /// [`Trouble::File`].
    pub fn server_files(&mut self, data: &Path, log: &Path) -> Result<(), Trouble> {
        self.files.add(&self.scanner.files(data).map_err(|error| Trouble::file(data, &error))?);
        self.log.add(&self.scanner.files(log).map_err(|error| Trouble::file(log, &error))?);
        Ok(())
    }

    /// Everything found.
    ///
    /// The e-mail address comes to the server in clear text, by design, and is sealed before it is kept: it counts as
    /// leaked in files and logs, not in memory.
    pub fn result(self) -> Canaries {
        let email = self.emails[0].kind.clone();
        let kinds: Vec<Kind> = self.kinds.iter().map(|kind| self.kind(kind)).collect();
        let secrets = kinds.iter().filter(|kind| !kind.known_to_server);
        let leaks = |kind: &Kind| {
            let memory = if kind.kind == email { 0 } else { kind.server_memory };
            memory + kind.server_files + kind.server_log
        };
        let scanned = self.memory.scanned + self.files.scanned + self.log.scanned;
        Canaries {
            server: secrets.map(leaks).sum(),
            control: self.memory.of(NAME) + self.files.of(NAME),
            searched_mib: scanned as f64 / f64::from(1 << 20),
            memory_searches: self.searches,
            not_searched: self.failed.clone().or_else(|| self.blind()),
            kinds,
        }
    }

    fn kind(&self, kind: &str) -> Kind {
        Kind {
            kind: kind.to_owned(),
            known_to_server: kind == NAME,
            server_memory: self.memory.of(kind),
            server_files: self.files.of(kind),
            server_log: self.log.of(kind),
            phones_memory: self.phones.of(kind),
        }
    }

    /// A search of nothing finds nothing.
    fn blind(&self) -> Option<String> {
        let places = BTreeMap::from([("memory", &self.memory), ("files", &self.files), ("log", &self.log)]);
        let empty = places.into_iter().find(|(_, finds)| finds.scanned == 0);
        empty.map(|(place, _)| format!("there was no {place} of the server to search"))
    }
}

fn loudest(voice: &[i16]) -> Canary {
    let power = |chunk: &[i16]| chunk.iter().map(|sample| i64::from(*sample).pow(2)).sum::<i64>();
    let chunk = voice.chunks_exact(VOICE).max_by_key(|chunk| power(chunk)).unwrap_or(&[0; VOICE]);
    let bytes = chunk.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    Canary { kind: "voice, as samples".to_owned(), bytes }
}
