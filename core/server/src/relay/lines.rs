//! Clients of the relay that come by TCP or TLS.
//!
//! A connection without an allocation ends after half a minute, one with an allocation with it. What a client does not
//! read in time is lost, whole messages at a time, as on a line of datagrams; what it writes faster than the relay reads
//! waits in its own system.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sidetone_wire::turn::{self, Messages};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::turn::{Client, Line};

/// Messages that wait for one client.
const WAITING: usize = 64;
/// Most messages written at once.
const BATCH: usize = 16;
/// How long a connection may go without an allocation.
const UNSERVED: Duration = Duration::from_secs(30);
/// How long a client may stay silent: allocations, permissions and channels are renewed at least twice in that time.
const SILENT: Duration = Duration::from_secs(600);
/// How long a client may take to read one batch.
const WRITE: Duration = Duration::from_secs(20);

/// What the relay hears of a connection.
pub(super) enum FromLine {
    Opened(Client, Reach),
    Message(Client, Vec<u8>),
    Closed(Client),
}

/// How the relay reaches a client; dropping it ends the connection.
pub(super) struct Reach {
    pub(super) messages: mpsc::Sender<Vec<u8>>,
    /// Whether the client has an allocation, or had one.
    pub(super) served: Arc<AtomicBool>,
}

/// Where connections to the relay are brought.
#[derive(Clone)]
pub(crate) struct Lines {
    relay: mpsc::Sender<FromLine>,
    next: Arc<AtomicU64>,
}

impl Lines {
    pub(super) fn new(relay: mpsc::Sender<FromLine>) -> Self {
        Self { relay, next: Arc::default() }
    }

    /// Serves a connection of which `begun` was read already, until either end has enough of it.
    pub(crate) async fn carry(self, stream: impl AsyncRead + AsyncWrite + Send, addr: SocketAddr, begun: &[u8]) {
        let client = Client { addr, line: Line::Stream(self.next.fetch_add(1, Ordering::Relaxed)) };
        let (messages, waiting) = mpsc::channel(WAITING);
        let served = Arc::new(AtomicBool::new(false));
        let reach = Reach { messages, served: Arc::clone(&served) };
        if self.relay.send(FromLine::Opened(client, reach)).await.is_err() {
            return;
        }
        let (reading, writing) = split(stream);
        tokio::select! {
            () = self.hear(client, reading, begun) => {}
            () = say(writing, waiting) => {}
            () = unserved(&served) => {}
        }
        let _ = self.relay.send(FromLine::Closed(client)).await;
    }

    async fn hear(&self, client: Client, mut stream: ReadHalf<impl AsyncRead>, begun: &[u8]) {
        let mut messages = Messages::new(begun);
        loop {
            loop {
                match messages.take() {
                    Ok(Some(message)) => {
                        if self.relay.send(FromLine::Message(client, message.to_vec())).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
            match timeout(SILENT, stream.read(messages.room())).await {
                Ok(Ok(count)) if count > 0 => messages.read(count),
                _ => return,
            }
        }
    }
}

async fn say(mut stream: WriteHalf<impl AsyncWrite>, mut waiting: mpsc::Receiver<Vec<u8>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut bytes = Vec::with_capacity(batch.iter().map(|message| message.len() + 3).sum());
        batch.drain(..).for_each(|message| turn::put(&mut bytes, &message));
        let written = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        if !matches!(timeout(WRITE, written).await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = timeout(WRITE, stream.shutdown()).await;
}

/// Returns for a client that came for nothing.
async fn unserved(served: &AtomicBool) {
    sleep(UNSERVED).await;
    if served.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;

    const ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

    /// A connection, and what the relay has of it.
    async fn open() -> (tokio::io::DuplexStream, Client, Reach, mpsc::Receiver<FromLine>) {
        let (relay, mut heard) = mpsc::channel(8);
        let (ours, theirs) = duplex(64 * 1024);
        tokio::spawn(Lines::new(relay).carry(theirs, ADDR, &[]));
        let Some(FromLine::Opened(client, reach)) = heard.recv().await else { panic!("not opened") };
        (ours, client, reach, heard)
    }

    fn binding() -> Vec<u8> {
        [&[0, 1, 0, 0][..], &[7; 16]].concat()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_wants_no_allocation_ends_whatever_it_says() {
        let (mut ours, client, _reach, mut heard) = open().await;
        let begun = Instant::now();
        let chatter = async {
            while ours.write_all(&binding()).await.is_ok() {
                sleep(Duration::from_secs(5)).await;
            }
        };
        let end = async {
            loop {
                match heard.recv().await {
                    Some(FromLine::Message(from, _)) => assert_eq!(from, client),
                    other => break (other, begun.elapsed().as_secs()),
                }
            }
        };
        let ((), (end, after_s)) = tokio::join!(chatter, end);
        assert!(matches!(end, Some(FromLine::Closed(gone)) if gone == client));
        assert_eq!(after_s, UNSERVED.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_an_allocation_may_be_quiet_but_not_for_ever() {
        let (_ours, _, reach, mut heard) = open().await;
        reach.served.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        assert!(matches!(heard.recv().await, Some(FromLine::Closed(_))));
        assert_eq!(begun.elapsed().as_secs(), SILENT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_loses_whole_messages_and_in_the_end_the_connection() {
        let (mut ours, _, reach, mut heard) = open().await;
        reach.served.store(true, Ordering::Relaxed);
        let message = |number: u16| [&[0x40, 1, 4, 0][..], &number.to_be_bytes().repeat(512)].concat();
        let mut taken = Vec::new();
        for number in 0..2_000 {
            if reach.messages.try_send(message(number)).is_ok() {
                taken.push(number);
            }
            tokio::task::yield_now().await;
        }
        assert!(taken.len() < 300, "{} messages of a kilobyte wait for one who does not read", taken.len());
        let mut messages = Messages::new(&[]);
        for number in taken {
            while let Ok(None) = messages.take().map(|taken| taken.map(|taken| assert_eq!(taken, message(number)))) {
                let read = ours.read(messages.room()).await.unwrap();
                messages.read(read);
            }
        }
        // Now for good.
        while reach.messages.try_send(message(0)).is_ok() || !reach.messages.is_closed() {
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                Some(FromLine::Closed(_)) = heard.recv() => return,
            }
        }
    }

    #[tokio::test]
    async fn a_connection_ends_when_the_relay_lets_go_of_it() {
        let (mut ours, _, reach, _heard) = open().await;
        drop(reach);
        assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
