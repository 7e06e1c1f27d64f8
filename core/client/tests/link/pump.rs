//! The real file pump at one end of a real link, and at the other end somebody who does with the port what they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use sidetone::UserId;
use sidetone::link::{BulkNews, BulkPort};
use sidetone::transfer::frame::{CHUNKS, Frame, SEALED};
use sidetone::transfer::place::Shelf;
use sidetone::transfer::pump::{Pump, Told, Word};
use sidetone_crypto::file::{CHUNK_BYTES, FileCipher, chunks};
use sidetone_engine::transfer::view::{Incoming, Outgoing, TransferFailure, TransferNews, TransferOrder};
use sidetone_engine::{LinkId, PeerId};
use sidetone_wire::id::{Digest, Secret, TransferId};
use sidetone_wire::limits::{FILE_BYTES, FILE_NAME_BYTES};
use sidetone_wire::transfer::{FileName, FileSize};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::ends::{End, guard, pair, patterned};

const LINK: LinkId = LinkId { peer: PeerId::Friend(UserId([1; 16])), number: 1 };

/// A phone that takes files, and the port from which they come.
struct Prey {
    pump: Pump,
    told: mpsc::Receiver<Told>,
    folder: TempDir,
    ends: (End, End),
    /// The other end's.
    port: BulkPort,
    last: u8,
}

impl Prey {
    async fn new(quota: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pump, told) = Pump::start(Some(Shelf::new(folder.path().join("files"), quota))).unwrap();
        let ends = pair().await;
        let port = ends.0.link.bulk();
        Self { pump, told, folder, ends, port, last: 0 }
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn order(&self, transfer: TransferId, order: TransferOrder) {
        let port = matches!(order, TransferOrder::Receive { .. } | TransferOrder::Send { .. });
        let port = port.then(|| self.ends.1.link.bulk());
        assert!(self.pump.tell(Word::Order(transfer, order, port)));
    }

    async fn news(&mut self, transfer: TransferId) -> TransferNews {
        guard(20, async {
            loop {
                match self.told.recv().await.unwrap() {
                    (_, TransferNews::Moved { .. }) => {}
                    (about, news) if about == transfer => return news,
                    other => panic!("news of another: {other:?}"),
                }
            }
        })
        .await
    }

    /// A name for the next transfer.
    fn next(&mut self) -> TransferId {
        self.last += 1;
        TransferId([self.last; 16])
    }

    /// Has the pump look for a file, and take it if it can.
    async fn accept(&mut self, transfer: TransferId, file: &Incoming) -> TransferNews {
        self.order(transfer, TransferOrder::Prepare { file: file.clone(), anew: false });
        let news = self.news(transfer).await;
        if matches!(news, TransferNews::Prepared { .. }) {
            self.order(transfer, TransferOrder::Receive { link: LINK, file: file.clone() });
            // Orders are carried out one after the other: the next answer comes after this one was.
            let probe = TransferId([0xff; 16]);
            self.order(probe, TransferOrder::Prepare { file: incoming("probe", &[0; 9]), anew: true });
            self.news(probe).await;
            self.order(probe, TransferOrder::Discard);
        }
        news
    }

    async fn say(&self, frames: impl IntoIterator<Item = Bytes>) {
        for frame in frames {
            guard(20, self.port.send(frame)).await.unwrap();
        }
    }

    async fn hear(&self) -> Frame {
        match guard(20, self.port.receive()).await {
            Some(BulkNews::Message(bytes)) => Frame::read(bytes).expect("an honest pump says what it should"),
            other => panic!("no message but {other:?}"),
        }
    }

    fn part(&self, transfer: TransferId) -> u64 {
        let name: String = transfer.0.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::metadata(self.files().join("parts").join(format!("{name}.part"))).map_or(0, |meta| meta.len())
    }

    fn received(&self) -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(self.files().join("received")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Sends a whole file as an honest phone would, and gives where it lies in the end.
    async fn whole(&mut self, name: &str, content: &[u8]) -> Result<PathBuf, TransferNews> {
        let (transfer, file) = (self.next(), incoming(name, content));
        let news = self.accept(transfer, &file).await;
        if news != (TransferNews::Prepared { from: 0 }) {
            return Err(news);
        }
        self.say(honest(transfer, &file, u32::from(self.last), content)).await;
        loop {
            let path = match self.news(transfer).await {
                TransferNews::Verified { path } => path,
                news => return Err(news),
            };
            self.order(transfer, TransferOrder::Keep { path: path.clone(), file: file.clone() });
            match self.news(transfer).await {
                TransferNews::Kept => return Ok(path.into()),
                TransferNews::Verified { .. } => {}
                news => return Err(news),
            }
        }
    }
}

fn incoming(name: &str, content: &[u8]) -> Incoming {
    let digest = Digest(Sha256::digest(content).into());
    let size = FileSize::new(content.len() as u64).unwrap();
    Incoming { name: FileName::parse(name).unwrap(), size, digest, key: Secret([9; 32]) }
}

fn cipher(transfer: TransferId, file: &Incoming) -> FileCipher {
    FileCipher::seal_with(&file.key.0, [3; 24], &transfer.0, file.size.bytes()).unwrap()
}

fn begin(transfer: TransferId, cipher: &FileCipher, run: u32, from: u64) -> Bytes {
    Frame::Begin { run, transfer, from, header: Box::new(*cipher.header()) }.write()
}

/// Sealed chunks in one message, from one on.
fn some(cipher: &FileCipher, run: u32, from: u64, count: u64, content: &[u8]) -> Bytes {
    let mut sealed = BytesMut::new();
    for index in from..from + count {
        let place = usize::try_from(index).unwrap() * CHUNK_BYTES;
        let mut chunk = content[place..content.len().min(place + CHUNK_BYTES)].to_vec();
        let tag = cipher.seal(index, &mut chunk).unwrap();
        sealed.extend_from_slice(&chunk);
        sealed.extend_from_slice(&tag);
    }
    Frame::Chunks { run, index: from, sealed }.write()
}

fn honest(transfer: TransferId, file: &Incoming, run: u32, content: &[u8]) -> Vec<Bytes> {
    let cipher = cipher(transfer, file);
    let mut frames = vec![begin(transfer, &cipher, run, 0)];
    let all = chunks(content.len() as u64);
    for from in (0..all).step_by(CHUNKS) {
        frames.push(some(&cipher, run, from, (CHUNKS as u64).min(all - from), content));
    }
    frames
}

/// A message with its bytes from one on in place of others.
fn forged(frame: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut forged = frame.to_vec();
    forged.splice(at..at + bytes.len(), bytes.iter().copied());
    forged.into()
}

/// Where the number of the first chunk is in a message.
const INDEX: usize = 5;

#[tokio::test]
async fn what_no_honest_phone_sends_ends_the_transfer_and_nothing_of_it_gets_a_name() {
    let mut prey = Prey::new(None).await;
    let content = patterned(5 * CHUNK_BYTES + 100, 1);
    let file = incoming("report.pdf", &content);
    for attack in 0..10 {
        let (transfer, run) = (prey.next(), attack);
        assert_eq!(prey.accept(transfer, &file).await, TransferNews::Prepared { from: 0 });
        let right = cipher(transfer, &file);
        let (start, first) = (begin(transfer, &right, run, 0), some(&right, run, 0, 1, &content));
        let lying = |size: u64| Incoming { size: FileSize::new(size).unwrap(), ..file.clone() };
        let frames = match attack {
            0 => vec![start, some(&right, run, 1, 1, &content)],
            1 => vec![start, first.clone(), first],
            2 => vec![start, forged(&first, INDEX, &u64::MAX.to_be_bytes())],
            3 => vec![start, forged(&first, first.len() / 2, &[first[first.len() / 2] ^ 1])],
            4 => vec![start, first.slice(..first.len() - 1)],
            // Chunks in another order, under the number of the first.
            5 => vec![start, forged(&some(&right, run, 1, 1, &content), INDEX, &0_u64.to_be_bytes())],
            // More than there is: the last chunk, and once more.
            6 => {
                let last = some(&right, run, 4, 2, &content);
                let more = [&last[..], &last[last.len() - 116..]].concat();
                vec![start, some(&right, run, 0, 4, &content), more.into()]
            }
            // As if the file were longer: its last chunk is a whole one.
            7 => {
                let longer = cipher(transfer, &lying(6 * CHUNK_BYTES as u64));
                let whole = some(&longer, run, 5, 1, &patterned(6 * CHUNK_BYTES, 1));
                vec![
                    begin(transfer, &longer, run, 0),
                    some(&right, run, 0, 4, &content),
                    some(&right, run, 4, 1, &content),
                    whole,
                ]
            }
            8 => vec![begin(transfer, &cipher(TransferId([0xee; 16]), &file), run, 0)],
            _ => vec![begin(transfer, &cipher(transfer, &Incoming { key: Secret([1; 32]), ..file.clone() }), run, 0)],
        };
        prey.say(frames).await;
        let news = prey.news(transfer).await;
        assert_eq!(news, TransferNews::Failed(TransferFailure::Breach), "attack {attack}");
        assert!(prey.part(transfer) <= content.len() as u64, "attack {attack}");
        prey.order(transfer, TransferOrder::Discard);
    }
    assert!(prey.whole("report.pdf", &content).await.is_ok(), "the control: an honest phone is not refused");
    assert_eq!(prey.received().len(), 1);
    assert_eq!(fs::read_dir(prey.files().join("parts")).unwrap().count(), 0, "nothing is left over");
}

#[tokio::test]
async fn what_belongs_to_nothing_is_dropped_and_the_file_arrives_all_the_same() {
    let mut prey = Prey::new(None).await;
    let content = patterned(3 * CHUNK_BYTES, 2);
    let (transfer, file) = (prey.next(), incoming("song.ogg", &content));
    prey.accept(transfer, &file).await;
    let (right, unknown) = (cipher(transfer, &file), TransferId([0xdd; 16]));
    let stray = some(&right, 77, 0, 1, &content);
    prey.say([Bytes::new(), Bytes::from_static(&[0]), Bytes::from_static(&[9; 40]), stray.slice(..20)]).await;
    prey.say((0..=255).map(|kind| vec![kind; 1 + usize::from(kind) * 7].into())).await;
    prey.say([stray, begin(unknown, &right, 5, 0), Frame::Have(transfer, u64::MAX).write()]).await;
    prey.say([Frame::Again(transfer, u64::MAX).write(), Frame::Where(unknown).write()]).await;
    prey.say([begin(transfer, &right, 6, 2)]).await;
    assert_eq!(prey.hear().await, Frame::Again(transfer, 0), "a run that begins elsewhere is asked for anew");
    let questions = 5_000;
    let ask = prey.say((0..questions).map(|_| Frame::Where(transfer).write()));
    let mut answers = 0;
    let listen = async {
        loop {
            assert_eq!(prey.hear().await, Frame::Again(transfer, 0));
            answers += 1;
        }
    };
    tokio::select! {
        () = ask => {}
        () = listen => {}
    }
    assert!(answers <= questions);
    let listening = tokio::spawn({
        let port = prey.port.clone();
        async move { while port.receive().await.is_some() {} }
    });
    prey.say(honest(transfer, &file, 9, &content)).await;
    assert!(matches!(prey.news(transfer).await, TransferNews::Verified { .. }));
    listening.abort();
}

#[tokio::test]
async fn a_file_that_is_not_what_was_offered_gets_no_name() {
    let mut prey = Prey::new(None).await;
    let (promised, sent) = (patterned(40_000, 3), patterned(40_000, 4));
    let (transfer, file) = (prey.next(), incoming("invoice.pdf", &promised));
    prey.accept(transfer, &file).await;
    prey.say(honest(transfer, &file, 1, &sent)).await;
    assert_eq!(prey.news(transfer).await, TransferNews::Failed(TransferFailure::WrongDigest));
    assert!(prey.received().is_empty());
    // Once more from its beginning, as the engine asks for: what came before is gone.
    prey.order(transfer, TransferOrder::Prepare { file: file.clone(), anew: true });
    assert_eq!(prey.news(transfer).await, TransferNews::Prepared { from: 0 });
    assert_eq!(prey.part(transfer), 0);
}

#[tokio::test]
async fn sizes_that_lie_take_no_room_and_many_promises_count_together() {
    let mut prey = Prey::new(Some(1_000_000)).await;
    let sized = |size: u64| Incoming { size: FileSize::new(size).unwrap(), ..incoming("huge", b"") };
    for size in [FILE_BYTES, 1 << 40, 1_000_001] {
        let transfer = prey.next();
        assert_eq!(prey.accept(transfer, &sized(size)).await, TransferNews::NoSpace, "{size}");
        assert_eq!(prey.part(transfer), 0, "no room is taken for what is only said");
        prey.order(transfer, TransferOrder::Discard);
    }
    let [one, two, three] = [prey.next(), prey.next(), prey.next()];
    for (transfer, fits) in [(one, true), (two, true), (three, false)] {
        let news = prey.accept(transfer, &sized(400_000)).await;
        assert_eq!(news == TransferNews::Prepared { from: 0 }, fits, "{news:?}");
    }
    prey.order(one, TransferOrder::Discard);
    assert_eq!(prey.accept(three, &sized(400_000)).await, TransferNews::Prepared { from: 0 });
}

#[tokio::test]
async fn no_name_and_no_planted_link_leads_out_of_the_folder() {
    let mut prey = Prey::new(None).await;
    let outside = prey.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), b"precious").unwrap();
    prey.whole("first", b"first").await.unwrap();
    let received = prey.files().join("received");
    for (name, target) in [("here.txt", "precious"), ("gone.txt", "nothing")] {
        std::os::unix::fs::symlink(outside.join(target), received.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(&outside, received.join("folder")).unwrap();
    let long = "\u{1f3d6}".repeat(FILE_NAME_BYTES / 4);
    let names = [
        "here.txt",
        "gone.txt",
        "folder",
        "folder/precious",
        "../../outside/precious",
        "/etc/passwd",
        "..",
        ".",
        "..\\..\\outside\\precious",
        "C:\\boot.ini",
        "\\\\host\\share",
        "CON",
        "nul.txt",
        "com1.log",
        "LPT\u{b9}",
        "x\0y",
        "a\nb",
        "photo\u{202e}gpj.exe",
        "\u{ff0e}\u{ff0e}\u{2215}etc",
        ".bashrc",
        "stream.txt:evil",
        " ",
        "~",
        "-rf",
        "%2e%2e%2f",
        "e\u{301}",
        "\u{e9}",
        &long,
    ];
    for name in names {
        let place = prey.whole(name, name.as_bytes()).await.unwrap_or_else(|news| panic!("{name:?}: {news:?}"));
        assert_eq!(place.parent(), Some(&*received), "{name:?}");
        assert!(fs::symlink_metadata(&place).unwrap().is_file(), "{name:?}");
        assert_eq!(fs::read(&place).unwrap(), name.as_bytes());
    }
    assert_eq!(prey.received().len(), 1 + 3 + names.len(), "none is written over another");
    // Somebody who can write to the folder puts links where a part will lie, and where all of them do.
    let next = prey.last + 1;
    let part = prey.files().join("parts").join(format!("{}.part", format!("{next:02x}").repeat(16)));
    std::os::unix::fs::symlink(outside.join("precious"), part).unwrap();
    assert_eq!(prey.whole("x", b"x").await, Err(TransferNews::Failed(TransferFailure::Storage)));
    fs::rename(&received, prey.folder.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(&outside, &received).unwrap();
    assert_eq!(prey.whole("y", b"y").await, Err(TransferNews::Failed(TransferFailure::Storage)));
    assert_eq!(listed(&outside), ["precious"], "nothing is written outside");
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"precious");
}

fn listed(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn files_that_are_sent_at_once_share_the_link_message_by_message() {
    let mut prey = Prey::new(None).await;
    let content = patterned(40 * CHUNKS * CHUNK_BYTES, 5);
    let path = prey.folder.path().join("film.mp4");
    fs::write(&path, &content).unwrap();
    let changed = fs::metadata(&path).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let transfers = [prey.next(), prey.next(), prey.next(), prey.next()];
    for transfer in transfers {
        let file = Outgoing {
            path: path.to_str().unwrap().to_owned(),
            changed_ns: u64::try_from(changed.as_nanos()).ok(),
            size: FileSize::new(content.len() as u64).unwrap(),
            key: Secret([9; 32]),
        };
        prey.order(transfer, TransferOrder::Send { link: LINK, from: 0, file });
    }
    let (mut sent, mut began) = ([0_usize; 4], 0);
    while sent.iter().all(|count| *count < 40) {
        match prey.hear().await {
            Frame::Begin { .. } => began += 1,
            Frame::Chunks { run, sealed, .. } => {
                assert_eq!(sealed.len(), CHUNKS * SEALED);
                sent[run as usize] += 1;
            }
            other => panic!("{other:?}"),
        }
        let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
        // The first may have begun before the last was ordered.
        assert!(began < 4 || most - least <= 12, "{sent:?}");
    }
    assert!(sent.iter().all(|count| *count >= 28), "{sent:?}");
    // Whoever takes them may ask for more than there is: that is not sent, nor said to be here.
    prey.say([Frame::Again(transfers[0], u64::MAX).write(), Frame::Have(transfers[0], u64::MAX).write()]).await;
    let all = chunks(content.len() as u64);
    let told = guard(20, prey.told.recv()).await;
    assert_eq!(told, Some((transfers[0], TransferNews::Moved { chunks: all })));
}
