//! Files between two real phones and the real server, on loopback.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proving::real::until;
use sidetone::{
    Bind, Client, Config, Cost, Error, Event, FilePolicy, FixedKey, Standing, TransferEnd, TransferId, TransferState,
    UserId,
};
use sidetone_server::{Config as ServerConfig, Running, Server};
use tempfile::TempDir;

const CHUNK: u64 = 16 * 1024;

/// Two friends whose phones keep what they have in folders, and can be switched off and on.
struct Friends {
    server: Running,
    folder: TempDir,
    phones: [Option<Client>; 2],
    friend: [UserId; 2],
}

impl Friends {
    async fn meet() -> Self {
        let server = Server::start(ServerConfig::in_memory()).await.expect("loopback has free ports");
        let folder = tempfile::tempdir().expect("a folder");
        let mut friends = Self { server, folder, phones: [None, None], friend: [UserId([0; 16]); 2] };
        for (place, name) in ["ada", "ben"].into_iter().enumerate() {
            friends.switch_on(place).await;
            let phone = friends.phone(place);
            phone.register(name, &format!("{name}@example.org"), "a long password").await.expect("the name is free");
        }
        let ben = friends.phone(0).befriend("ben", None).await.expect("the name is known");
        let ada = until(friends.phone(1), "the request", || async {
            let all = friends.phone(1).friends().await.expect("open");
            all.into_iter().find(|friend| friend.standing == Standing::AskedUs).map(|friend| friend.user)
        })
        .await;
        friends.phone(1).accept(ada).await.expect("it can be accepted");
        friends.friend = [ben, ada];
        for place in 0..2 {
            let (phone, user) = (friends.phone(place), friends.friend[place]);
            until(phone, "the friendship", || async {
                phone.friend(user).await.expect("open").filter(|friend| friend.standing == Standing::Friend)
            })
            .await;
        }
        friends
    }

    fn phone(&self, place: usize) -> &Client {
        self.phones[place].as_ref().expect("it is on")
    }

    async fn switch_on(&mut self, place: usize) {
        let store = self.folder.path().join(format!("{place}.db"));
        let mut config = Config::new(format!("ws://{}", self.server.addr), Some(store), FixedKey::new([7; 32]));
        config.bind = Bind::Only(vec![Ipv4Addr::LOCALHOST.into()]);
        config.login_cost = Cost::Least;
        let phone = Client::open(config).expect("a client");
        let connected = async { while phone.next_event().await != Some(Event::Connected(true)) {} };
        tokio::time::timeout(Duration::from_secs(30), connected).await.expect("the server answers");
        self.phones[place] = Some(phone);
    }

    async fn switch_off(&mut self, place: usize) {
        if let Some(phone) = self.phones[place].take() {
            phone.close().await;
        }
    }

    /// A file with content that follows from its name.
    fn write(&self, name: &str, length: usize) -> PathBuf {
        let path = self.folder.path().join(name);
        let seed = name.bytes().map(u32::from).sum::<u32>() | 1;
        let mut state = seed;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as u8
        };
        fs::write(&path, (0..length).map(|_| next()).collect::<Vec<u8>>()).expect("it can be written");
        path
    }

    async fn ended(&self, place: usize, transfer: TransferId) -> TransferEnd {
        let (phone, peer) = (self.phone(place), self.friend[place]);
        until(phone, "the end of a transfer", || async {
            let view = phone.transfer(peer, transfer).await.expect("open")?;
            if let TransferState::Ended(reason) = view.state { Some(reason) } else { None }
        })
        .await
    }

    /// Waits until a transfer is there, accepted or not.
    async fn offered(&self, transfer: TransferId) {
        let phone = self.phone(1);
        until(phone, "an offer", || async {
            phone.transfers().await.expect("open").into_iter().find(|view| view.transfer == transfer)
        })
        .await;
    }

    /// Waits until so many bytes of a transfer came.
    async fn moved(&self, transfer: TransferId, bytes: u64) -> bool {
        let (phone, peer) = (self.phone(1), self.friend[1]);
        let moved = until(phone, "chunks", || async {
            let view = phone.transfer(peer, transfer).await.expect("open")?;
            let over = matches!(view.state, TransferState::Ended(_));
            (over || view.done >= bytes).then_some(over)
        });
        !moved.await
    }

    async fn place(&self, transfer: TransferId) -> PathBuf {
        let view = self.phone(1).transfer(self.friend[1], transfer).await.expect("open").expect("it is known");
        PathBuf::from(view.path.expect("it is whole"))
    }

    async fn part(mut self) {
        self.switch_off(0).await;
        self.switch_off(1).await;
        self.server.stop().await;
    }
}

fn same(one: &Path, other: &Path) -> bool {
    fs::read(one).expect("a file") == fs::read(other).expect("a file")
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_length_arrive_as_they_were_under_their_names() {
    let friends = Friends::meet().await;
    let lengths = [0, 1, CHUNK as usize - 1, CHUNK as usize, CHUNK as usize + 1, 5 * CHUNK as usize, 3_000_000];
    let mut sent = Vec::new();
    for (number, length) in lengths.into_iter().enumerate() {
        let path = friends.write(&format!("report {number}.pdf"), length);
        let transfer = friends.phone(0).send_file(friends.friend[0], &path, "application/pdf").await.expect("a file");
        sent.push((path, transfer));
    }
    for (path, transfer) in sent {
        assert_eq!(friends.ended(1, transfer).await, TransferEnd::Received);
        assert_eq!(friends.ended(0, transfer).await, TransferEnd::Received);
        let place = friends.place(transfer).await;
        assert!(same(&path, &place), "{path:?}");
        assert_eq!(place.file_name(), path.file_name());
    }
    let taken = friends.phone(1).diagnostics().await.expect("open").file_chunks.received;
    assert_eq!(taken, lengths.map(|length| length as u64 / CHUNK + 1).iter().sum::<u64>(), "every chunk once");
    let parts = friends.folder.path().join("1.files").join("parts");
    assert_eq!(fs::read_dir(parts).expect("a folder").count(), 0, "nothing is left over");
    friends.part().await;
}

/// Sends a file and switches the phones off and on in turn while it moves; gives how often.
async fn switched_off_and_on(friends: &mut Friends, length: usize) -> u64 {
    let path = friends.write(&format!("film {length}.mp4"), length);
    let before = friends.phone(1).diagnostics().await.expect("open").file_chunks.received;
    let transfer = friends.phone(0).send_file(friends.friend[0], &path, "video/mp4").await.expect("a file");
    friends.offered(transfer).await;
    friends.phone(1).accept_file(transfer).await.expect("it was offered");
    let (mut taken, mut rounds) = (0, 0);
    while friends.moved(transfer, (rounds + 1) << 21).await && rounds < 12 {
        rounds += 1;
        let place = (rounds % 2) as usize;
        if place == 1 {
            taken += friends.phone(1).diagnostics().await.expect("open").file_chunks.received;
        }
        friends.switch_off(place).await;
        friends.switch_on(place).await;
    }
    assert_eq!(friends.ended(1, transfer).await, TransferEnd::Received);
    assert_eq!(friends.ended(0, transfer).await, TransferEnd::Received);
    assert!(same(&path, &friends.place(transfer).await));
    taken += friends.phone(1).diagnostics().await.expect("open").file_chunks.received;
    // Between the look at the figures and the end of the phone more may have come; never less than the file.
    let chunks = length as u64 / CHUNK + 1;
    assert!(taken - before <= chunks + rounds, "{taken} chunks of {chunks} in {rounds} rounds");
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_where_it_was_however_often_the_phones_are_switched_off() {
    let mut friends = Friends::meet().await;
    let mut rounds = 0;
    // A fast machine moves a file before anybody can be switched off: then a larger one.
    for length in [32 << 20, 128 << 20, 512 << 20] {
        rounds = switched_off_and_on(&mut friends, length).await;
        if rounds >= 4 {
            break;
        }
    }
    assert!(rounds >= 4, "it was over after {rounds} rounds");
    friends.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_with_a_reason() {
    let friends = Friends::meet().await;
    let (phone, ben) = (friends.phone(0), friends.friend[0]);
    let folder = friends.folder.path();
    let refused = |path: PathBuf, mime: &'static str| async move { phone.send_file(ben, &path, mime).await.err() };
    assert_eq!(refused(folder.join("nothing"), "a/b").await, Some(Error::FileUnreadable));
    assert_eq!(refused(folder.to_owned(), "a/b").await, Some(Error::FileUnreadable));
    assert_eq!(refused(folder.join(".."), "a/b").await, Some(Error::FileMalformed));
    assert_eq!(refused(friends.write("x", 10), "no type").await, Some(Error::FileMalformed));
    let stranger = phone.send_file(UserId([9; 16]), &friends.write("x", 10), "a/b").await;
    assert_eq!(stranger.err(), Some(Error::NotFriends));
    assert_eq!(phone.cancel_file(TransferId([1; 16])).await, Err(Error::NoSuchTransfer));
    friends.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_changed_or_removed_after_it_was_offered_is_not_sent() {
    let friends = Friends::meet().await;
    let policy = FilePolicy { accept_below: 0, limit: 1 << 30 };
    friends.phone(1).set_file_policy(policy).await.expect("a wish");
    let (changed, removed) = (friends.write("changed", 100_000), friends.write("removed", 100_000));
    let mut transfers = Vec::new();
    for path in [&changed, &removed] {
        let transfer = friends.phone(0).send_file(friends.friend[0], path, "a/b").await.expect("a file");
        friends.offered(transfer).await;
        transfers.push(transfer);
    }
    fs::write(&changed, vec![1; 100_000]).expect("it can be written");
    fs::remove_file(&removed).expect("it is there");
    for transfer in transfers {
        friends.phone(1).accept_file(transfer).await.expect("it was offered");
        assert_eq!(friends.ended(1, transfer).await, TransferEnd::Changed);
        assert_eq!(friends.ended(0, transfer).await, TransferEnd::Changed);
    }
    friends.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_account_takes_the_files_with_it() {
    let friends = Friends::meet().await;
    let path = friends.write("secret.txt", 50_000);
    let transfer = friends.phone(0).send_file(friends.friend[0], &path, "text/plain").await.expect("a file");
    assert_eq!(friends.ended(1, transfer).await, TransferEnd::Received);
    let place = friends.place(transfer).await;
    assert!(place.exists());
    friends.phone(1).delete_account().await.expect("it can be deleted");
    friends.phone(1).close().await;
    assert!(!place.exists());
    assert!(path.exists(), "what its owner has stays");
    friends.part().await;
}
