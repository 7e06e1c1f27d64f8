//! Our own link: files on their port, or as records on the data channel.

use bytes::Bytes;
use serde_json::{Value, json};
use sidetone::link::description::{Kind, Protocol};
use sidetone::link::{
    Bind, BulkNews, BulkPath, Candidate, Description, Link, News, Role, RoutePolicy, SendRefused, Settings, Trust,
    Watch,
};
use tokio::sync::mpsc;

use crate::line::{Count, Task, UNIT, listen, processor_s, say};
use crate::{Failed, relay};

/// What carries the file.
#[derive(Clone, Copy, PartialEq)]
pub enum Path {
    /// The port for files.
    Bulk,
    /// The channel of records, which is SCTP.
    Records,
    /// The port for files over a relay, which is SCTP as well.
    Relayed,
}

impl Path {
    /// Which way the link goes.
    pub fn way(self) -> RoutePolicy {
        if self == Self::Relayed { RoutePolicy::RelayOnly } else { RoutePolicy::Any }
    }
}

/// A link that is up.
pub struct End {
    pub link: Link,
    pub news: mpsc::Receiver<News>,
    pub lines: mpsc::UnboundedReceiver<Value>,
}

/// Opens one end of a link and brings it up; if only relays will do, the answering end has one.
pub async fn connect(role: Role, address: std::net::IpAddr, policy: RoutePolicy) -> Result<End, Failed> {
    let (tell, mut news) = mpsc::channel(64);
    let mut lines = listen();
    let servers = match (policy, role) {
        (RoutePolicy::RelayOnly, Role::Answer) => {
            let turn = relay::relay_at(address, relay::Manner::Willing).await;
            say(&json!({"s": {"turn": turn}}))?;
            vec![relay::turn(turn)]
        }
        (RoutePolicy::RelayOnly, Role::Offer) => {
            let line = lines.recv().await.ok_or("the race is over")?;
            vec![relay::turn(serde_json::from_value(line["s"]["turn"].clone())?)]
        }
        _ => vec![],
    };
    let settings = Settings {
        role,
        servers,
        policy,
        bind: Bind::Only(vec![address]),
        watch: Watch::Close,
        trust: Trust::default(),
    };
    let link = Link::open(settings, tell).await?;
    loop {
        tokio::select! {
            Some(told) = news.recv() => match told {
                News::Local(description) => say(&json!({"s": local(&description)}))?,
                News::Candidate(candidate) => say(&json!({"s": found(&candidate)}))?,
                News::Up { .. } => return Ok(End { link, news, lines }),
                News::Down(reason) => return Err(format!("down: {reason:?}").into()),
                _ => {}
            },
            Some(line) = lines.recv() => signal(&link, &line["s"]).ok_or("a line that is none")?,
            else => return Err("the race is over".into()),
        }
    }
}

fn local(description: &Description) -> Value {
    json!([description.ufrag(), description.pwd(), description.fingerprint(), description.generation()])
}

fn found(candidate: &Candidate) -> Value {
    let relayed = candidate.kind() == Kind::Relay;
    let (address, priority, foundation) = (candidate.address(), candidate.priority(), candidate.foundation());
    json!({"address": address, "priority": priority, "foundation": foundation, "relayed": relayed})
}

/// Hands on what the other end said.
pub fn signal(link: &Link, value: &Value) -> Option<()> {
    if let Some(address) = value["address"].as_str() {
        let (priority, foundation) = (u32::try_from(value["priority"].as_u64()?).ok()?, value["foundation"].as_str()?);
        let address = address.parse().ok()?;
        let kind = if value["relayed"] == true { Kind::Relay } else { Kind::Host };
        let candidate = Candidate::new(kind, Protocol::Udp, address, priority, foundation).ok()?;
        return link.add_candidate(candidate).ok();
    }
    let mut fingerprint = [0; 32];
    for (byte, number) in fingerprint.iter_mut().zip(value[2].as_array()?) {
        *byte = u8::try_from(number.as_u64()?).ok()?;
    }
    let generation = u32::try_from(value[3].as_u64()?).ok()?;
    link.accept(Description::new(value[0].as_str()?, value[1].as_str()?, fingerprint, generation).ok()?).ok()
}

/// One end of the race.
pub async fn end(task: &Task, path: Path) -> Result<(), Failed> {
    let role = if task.sends { Role::Offer } else { Role::Answer };
    let mut end = connect(role, task.address, path.way()).await?;
    if task.sends { send(&mut end, path).await } else { receive(&mut end, task, path).await }
}

async fn send(end: &mut End, path: Path) -> Result<(), Failed> {
    let used = processor_s();
    let bulk = end.link.bulk();
    let unit = Bytes::from(vec![7; UNIT]);
    let sending = async {
        loop {
            match path {
                Path::Bulk | Path::Relayed => bulk.send(unit.clone()).await?,
                Path::Records => match end.link.send(unit.to_vec()) {
                    Ok(()) => {}
                    Err(SendRefused::Full) => end.link.room().await,
                    Err(error) => return Err(Failed::from(error)),
                },
            }
        }
    };
    tokio::select! {
        sent = sending => sent,
        // Candidates may still come; what comes last is that the other end has enough.
        () = over(&mut end.lines) => {
            say(&json!({"cpu": processor_s() - used, "path": if bulk.path() == BulkPath::Quic { "quic" } else { "sctp" }}))
        }
    }
}

/// Returns when the race says that it is over.
pub async fn over(lines: &mut mpsc::UnboundedReceiver<Value>) {
    while let Some(line) = lines.recv().await {
        if line.get("over").is_some() {
            return;
        }
    }
}

async fn receive(end: &mut End, task: &Task, path: Path) -> Result<(), Failed> {
    let bulk = end.link.bulk();
    let mut count = Count::new(task);
    loop {
        let bytes = match path {
            Path::Bulk | Path::Relayed => match bulk.receive().await {
                Some(BulkNews::Message(message)) => message.len(),
                other => return Err(format!("no file but {other:?}").into()),
            },
            Path::Records => match end.news.recv().await {
                Some(News::Record(record)) => record.len(),
                Some(News::Down(reason)) => return Err(format!("down: {reason:?}").into()),
                Some(_) => 0,
                None => return Err("the link ended".into()),
            },
        };
        if bytes > 0 && count.take(bytes) {
            count.say()?;
            over(&mut end.lines).await;
            return Ok(());
        }
    }
}
