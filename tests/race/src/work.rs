//! What is done on a link, the same for every library that is a crate.
//!
//! A link is up when a byte of each end has reached the other. That time is counted from the later of the two moments at
//! which the ends were told to begin, when each already had all there is to know about the other: neither the lines between
//! the processes nor the gathering of addresses are in it.

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Failed;
use crate::line::{Count, Lines, Task, UNIT, Work, now_ms, processor_s, say};

/// Bytes of a message that goes forth and back.
const MESSAGE: usize = 100;

/// A library in the race.
pub trait Peer {
    /// One end of a link by it.
    type Link: Link;

    /// Makes an end, and says and hears all that the ends must know of each other; nothing goes to the other end yet.
    fn prepare(&mut self, lines: &mut Lines) -> impl Future<Output = Result<Self::Link, Failed>>;
}

/// One end of a link.
pub trait Link: Send + Sized + 'static {
    /// Brings the link up, sends a byte as soon as that can be, and returns when one came from the other end.
    fn join(&mut self) -> impl Future<Output = Result<(), Failed>>;

    /// Sends, when there is room.
    fn send(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Failed>>;

    /// Waits for what the other end sent; gives its bytes, of a message or of a part of one.
    fn receive(&mut self) -> impl Future<Output = Result<usize, Failed>> + Send;

    /// Closes it in order.
    fn close(self) -> impl Future<Output = ()>;

    /// What carried the bytes, if that is not always the same.
    fn path(&self) -> Option<&'static str> {
        None
    }
}

/// Does what is asked for with a library.
pub async fn run<P: Peer>(peer: &mut P, task: &Task) -> Result<(), Failed> {
    let mut lines = Lines::listen();
    match task.work {
        Work::File(bytes, seconds) => {
            let link = up(peer, &mut lines).await?;
            if task.offers { pour(link, lines).await } else { take(link, lines, Count::new(bytes, seconds)).await }
        }
        Work::Up(count) => {
            for _ in 0..count {
                up(peer, &mut lines).await?.close().await;
            }
            lines.over().await;
            Ok(())
        }
        Work::Trips(count, seconds) => {
            let link = up(peer, &mut lines).await?;
            let limit = Duration::from_secs_f64(seconds);
            if task.offers { ask(link, lines, count, limit).await } else { echo(link, lines).await }
        }
        Work::Hold => hold(peer, lines).await,
    }
}

/// Brings a link up, with the other end and the race.
pub async fn up<P: Peer>(peer: &mut P, lines: &mut Lines) -> Result<P::Link, Failed> {
    let mut link = peer.prepare(lines).await?;
    lines.meet(&Value::Null).await?;
    let from = now_ms();
    link.join().await?;
    lines.meet(&json!({"from": from, "until": now_ms()})).await?;
    Ok(link)
}

async fn pour(mut link: impl Link, mut lines: Lines) -> Result<(), Failed> {
    let used = processor_s();
    let unit = Bytes::from(vec![7; UNIT]);
    let sending = async {
        loop {
            link.send(unit.clone()).await?;
        }
    };
    tokio::select! {
        sent = sending => return sent,
        () = lines.over() => {}
    }
    say(&json!({"cpu": processor_s() - used, "path": link.path()}))
}

async fn take(mut link: impl Link, mut lines: Lines, mut count: Count) -> Result<(), Failed> {
    while !count.take(link.receive().await?) {}
    count.say()?;
    lines.over().await;
    Ok(())
}

async fn ask(mut link: impl Link, mut lines: Lines, count: usize, limit: Duration) -> Result<(), Failed> {
    let (began, message) = (Instant::now(), Bytes::from(vec![1; MESSAGE]));
    let mut trips_ms = Vec::with_capacity(count);
    while trips_ms.len() < count && began.elapsed() < limit {
        let sent = Instant::now();
        link.send(message.clone()).await?;
        let mut back = 0;
        while back < MESSAGE {
            back += link.receive().await?;
        }
        trips_ms.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    say(&json!({"trips_ms": trips_ms}))?;
    lines.over().await;
    Ok(())
}

async fn echo(mut link: impl Link, mut lines: Lines) -> Result<(), Failed> {
    let echoing = async {
        loop {
            let length = link.receive().await?;
            link.send(Bytes::from(vec![2; length])).await?;
        }
    };
    tokio::select! {
        ended = echoing => ended,
        () = lines.over() => say(&json!({})),
    }
}

/// Holds a link while the race looks, then as many more as it wants.
async fn hold<P: Peer>(peer: &mut P, mut lines: Lines) -> Result<(), Failed> {
    // An app takes what comes, however seldom.
    let mut held = tokio::task::JoinSet::new();
    let mut keep = |mut link: P::Link| held.spawn(async move { while link.receive().await.is_ok() {} });
    keep(up(peer, &mut lines).await?);
    let more = lines.meet(&json!({"held": 1})).await?.as_u64().unwrap_or(0);
    for _ in 0..more {
        keep(up(peer, &mut lines).await?);
    }
    lines.meet(&json!({"held": 1 + more})).await?;
    lines.over().await;
    Ok(())
}
