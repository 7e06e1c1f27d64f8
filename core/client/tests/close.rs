//! What closing frees. Alone in its process, so that what is counted is this client's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use sidetone::{Client, Config, Event, FixedKey};
use sidetone_server::{Config as ServerConfig, Server};

fn entries(path: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Threads of this process that are Sidetone's.
fn threads() -> usize {
    let name = |task: &Path| std::fs::read_to_string(task.join("comm")).unwrap_or_default();
    entries("/proc/self/task").iter().filter(|task| name(task).starts_with("sidetone")).count()
}

/// Files and sockets this process has open.
fn files() -> usize {
    entries("/proc/self/fd").len()
}

/// A thread that has done its last work is still listed for some microseconds.
fn settles(what: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_or_dropped_client_leaves_no_thread_no_file_and_no_socket() {
    let server = Server::start(ServerConfig::in_memory()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = || {
        let store = Some(folder.path().join("me.db"));
        Config::new(format!("ws://{}", server.addr), store, FixedKey::new([1; 32]))
    };
    let before = files();
    for round in 0..30 {
        let client = Client::open(config()).unwrap();
        while client.next_event().await != Some(Event::Connected(true)) {}
        settles("four threads run", || threads() == 4);
        assert!(files() > before, "what is counted is there to be counted");
        match round % 3 {
            0 => drop(client),
            1 => client.close().await,
            _ => {
                // Closing twice, by two, while something waits.
                let (one, two, three) = tokio::join!(client.close(), client.close(), client.friends());
                drop((one, two, three));
            }
        }
        settles("threads end", || threads() == 0);
        settles("files and sockets are closed", || files() <= before);
        assert_eq!(entries(folder.path().to_str().unwrap()).len(), 1, "the store is one file, without a journal");
    }
    server.stop().await;
}
