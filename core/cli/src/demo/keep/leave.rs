//! The end of the demonstration: an export, another phone that takes it over, and a deletion after which nothing is found.

use std::path::PathBuf;

use serde::Serialize;
use sidetone::{FileVault, ImportedIdentity, import};

use super::{PATIENCE, Phone, PhoneSettings, Play, TEXTS, WHO, digest_of, read};
use crate::leak::{Canary, Scanner};
use crate::phone::{Gone, Line, Order, Taken, Transfer};
use crate::trouble::Trouble;

/// What seals the identity in the export.
const PASSPHRASE: &str = "a passphrase of the demonstration";
/// What Anna writes to the new phone.
const AFTERWARDS: &str = "Is that you on the new phone?";
/// Bytes in the middle of the large file that are looked for at the end.
const SAMPLE: usize = 32;

/// What became of the export and of everything after it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Leaving {
    /// Rows in the export, and files beside it.
    pub exported: [u64; 2],
    /// Planted things that the export holds, and how many were planted.
    pub planted_in_export: [u64; 2],
    /// Rows and files that came to the new phone.
    pub imported: [u64; 2],
    /// Files there that are what was sent, and how many should be.
    pub files_whole: [u64; 2],
    /// Whether the conversation went on there under the same identity.
    pub went_on: bool,
    /// The old phone's wipe: until its key was destroyed, its files overwritten, everything removed.
    pub wipe_ms: [f64; 3],
    /// The deletion of the account, from the order to the end of the new phone's process.
    pub delete_ms: f64,
    /// What the search at the end looked through, and what of the planted it found: nothing, if all is well.
    pub scanned_bytes: u64,
    /// See above.
    pub found_after_deletion: u64,
}

impl Play {
    /// Ben moves to another phone, then deletes everything.
    pub(super) async fn leave(&mut self, transfers: &[String], keep: Option<PathBuf>) -> Result<(), Trouble> {
        let folder = keep.unwrap_or_else(|| self.dir.join("export"));
        let canaries = self.canaries(transfers).await?;
        let scanner = Scanner::new(&canaries);
        let order = Order::Export { folder: folder.clone(), passphrase: PASSPHRASE.to_owned() };
        let taken: Taken = self.phones[1].ask_for(order).await?;
        let there = scanner.files(&folder).map_err(|error| Trouble::file(&folder, &error))?;
        let found = canaries.iter().filter(|canary| there.of(&canary.kind) > 0).count() as u64;
        let mut leaving = Leaving { exported: [taken.rows, taken.files], ..Leaving::default() };
        leaving.planted_in_export = [found, canaries.len() as u64];
        self.promise(found == canaries.len() as u64, "everything planted is in the export");
        self.progress(
            WHO[1],
            format_args!("exports {} rows and {} files, and wipes the phone", taken.rows, taken.files),
        );
        let gone: Gone = self.phones[1].ask_for(Order::Wipe).await?;
        self.phones[1].ended().await?;
        leaving.wipe_ms = gone.wipe_ms;
        self.promise(gone.wipe_ms[1] < 200.0, "a wiped phone is unreadable within 200 ms");

        self.move_to(&folder, &mut leaving).await?;
        self.go_on(transfers, &mut leaving).await?;
        let began = std::time::Instant::now();
        self.phones[1].tell(Order::Delete).await?;
        self.phones[1].ended().await?;
        leaving.delete_ms = began.elapsed().as_secs_f64() * 1e3;
        let mut finds = crate::leak::Finds::default();
        let (old, new) = (self.dir.join(WHO[1]), self.dir.join("new").join(WHO[1]));
        for place in [&old, &new, &self.server.data, &self.server.log] {
            finds.add(&scanner.files(place).map_err(|error| Trouble::file(place, &error))?);
        }
        (leaving.scanned_bytes, leaving.found_after_deletion) = (finds.scanned, finds.total());
        self.promise(finds.total() == 0, "after the deletion neither phone nor server holds anything planted");
        self.progress(WHO[1], format_args!("deletes everything; {} finds in {} bytes", finds.total(), finds.scanned));
        self.figures.leaving = leaving;
        Ok(())
    }

    /// What must be in the export and nowhere at the end: texts, and the middle of each file.
    async fn canaries(&mut self, transfers: &[String]) -> Result<Vec<Canary>, Trouble> {
        let texts = TEXTS.iter().enumerate();
        let mut canaries: Vec<Canary> =
            texts.map(|(n, text)| Canary { kind: format!("text {n}"), bytes: text.as_bytes().to_vec() }).collect();
        for (n, transfer) in transfers.iter().enumerate() {
            let content = read(self.received(transfer).await?.path.as_ref())?;
            let middle = content.len() / 2;
            let bytes = content.get(middle..middle + SAMPLE).unwrap_or(&content).to_vec();
            canaries.push(Canary { kind: format!("file {n}"), bytes });
        }
        Ok(canaries)
    }

    async fn received(&mut self, transfer: &str) -> Result<Transfer, Trouble> {
        let view: Option<Transfer> = self.phones[1].ask_for(Order::Transfer { transfer: transfer.to_owned() }).await?;
        view.ok_or_else(|| Trouble::stage(WHO[1], "forgot a file"))
    }

    async fn move_to(&mut self, folder: &std::path::Path, leaving: &mut Leaving) -> Result<(), Trouble> {
        let new = self.dir.join("new");
        let data = new.join(WHO[1]);
        std::fs::create_dir_all(&data).map_err(|error| Trouble::file(&data, &error))?;
        let vault = FileVault::new(data.join("phone.key"));
        let files = data.join("phone.files");
        let imported = import(folder, &data.join("phone.db"), Some(&files), &vault, Some(PASSPHRASE));
        let imported = imported.map_err(|error| Trouble::stage(WHO[1], error.to_string()))?;
        leaving.imported = [imported.rows, imported.files];
        self.promise(imported.identity == ImportedIdentity::Restored, "the identity comes with the passphrase");
        self.settings[1] = PhoneSettings { dir: new, ..self.settings[1].clone() };
        self.phones[1] = Phone::start(&self.settings[1]).await?;
        let password = format!("a long password of {}", WHO[1]);
        self.phones[1].tell(Order::SignIn { name: WHO[1].to_owned(), password }).await?;
        self.progress(WHO[1], format_args!("has a new phone with {} rows and {} files", imported.rows, imported.files));
        Ok(())
    }

    async fn go_on(&mut self, transfers: &[String], leaving: &mut Leaving) -> Result<(), Trouble> {
        let mut whole = 0;
        for transfer in transfers {
            let view = self.received(transfer).await?;
            let sent: Option<Transfer> = self.phones[0].ask_for(Order::Transfer { transfer: transfer.clone() }).await?;
            let sent = sent.ok_or_else(|| Trouble::stage(WHO[0], "forgot a file"))?;
            whole += u64::from(digest_of(view.path.as_ref())? == digest_of(sent.path.as_ref())?);
        }
        leaving.files_whole = [whole, transfers.len() as u64];
        self.promise(whole == transfers.len() as u64, "files that were imported are what was sent");
        self.phones[0].tell(Order::Text { text: AFTERWARDS.to_owned() }).await?;
        let began = std::time::Instant::now();
        leaving.went_on = loop {
            let lines: Vec<Line> = self.phones[1].ask_for(Order::History).await?;
            let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            if texts.last() == Some(&AFTERWARDS) {
                break texts[..texts.len() - 1] == TEXTS;
            }
            if began.elapsed() > PATIENCE {
                break false;
            }
            let chat = |news: &crate::phone::News| matches!(news, crate::phone::News::Chat);
            drop(self.phones[1].within(std::time::Duration::from_millis(500), "a text comes", chat).await);
        };
        self.promise(leaving.went_on, "the conversation goes on on the new phone, with all that was said before");
        Ok(())
    }
}
