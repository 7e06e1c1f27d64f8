//! Our own link: files on their port, or as records on the data channel.

use std::net::IpAddr;

use bytes::Bytes;
use serde_json::{Value, json};
use sidetone::link::description::{Kind, Protocol};
use sidetone::link::{
    Bind, BulkNews, BulkPath, Candidate, Description, Link, News, Role, RoutePolicy, SendRefused, Settings, Trust,
    Watch,
};
use tokio::sync::mpsc;

use crate::line::{Lines, say};
use crate::{Failed, relay, work};

/// What carries the bytes.
#[derive(Clone, Copy, PartialEq)]
pub enum Path {
    /// The port for files.
    Bulk,
    /// The channel of records, which is SCTP.
    Records,
    /// The port for files over a relay, which is SCTP as well.
    Relayed,
}

/// How links are made.
pub struct Ours {
    pub role: Role,
    pub address: IpAddr,
    pub path: Path,
    /// One for all links, as a phone has it.
    pub trust: Trust,
}

/// A link, and what the other end told about itself.
pub struct End {
    pub link: Link,
    pub news: mpsc::Receiver<News>,
    path: Path,
    theirs: Vec<Value>,
    /// Whether sound flows: records go ahead of it.
    up: bool,
}

impl Ours {
    /// The end that offers uses the relay of the other, where only relays will do.
    async fn settings(&self, lines: &mut Lines) -> Result<Settings, Failed> {
        let (servers, policy) = match (self.path, self.role) {
            (Path::Relayed, Role::Answer) => {
                let turn = relay::relay_at(self.address, relay::Manner::Willing).await;
                say(&json!({"s": turn}))?;
                (vec![relay::turn(turn)], RoutePolicy::RelayOnly)
            }
            (Path::Relayed, Role::Offer) => {
                (vec![relay::turn(serde_json::from_value(lines.hear().await?)?)], RoutePolicy::RelayOnly)
            }
            _ => (vec![], RoutePolicy::Any),
        };
        let bind = Bind::Only(vec![self.address]);
        Ok(Settings { role: self.role, servers, policy, bind, watch: Watch::Close, trust: self.trust.clone() })
    }
}

impl work::Peer for Ours {
    type Link = End;

    async fn prepare(&mut self, lines: &mut Lines) -> Result<End, Failed> {
        let settings = self.settings(lines).await?;
        let (tell, mut news) = mpsc::channel(64);
        let link = Link::open(settings, tell).await?;
        let mut told = vec![];
        loop {
            match news.recv().await.ok_or("the link ended")? {
                News::Local(description) => told.push(local(&description)),
                News::Candidate(candidate) => told.push(found(&candidate)),
                News::Gathered => break,
                other => return Err(format!("too early: {other:?}").into()),
            }
        }
        say(&json!({"s": told}))?;
        let theirs = lines.hear().await?.as_array().cloned().ok_or("no description")?;
        Ok(End { link, news, path: self.path, theirs, up: false })
    }
}

impl work::Link for End {
    async fn join(&mut self) -> Result<(), Failed> {
        for told in std::mem::take(&mut self.theirs) {
            signal(&self.link, &told).ok_or("a line that is none")?;
        }
        // It waits until the link is up.
        self.link.send(vec![1])?;
        self.record().await.map(drop)
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Failed> {
        if self.path != Path::Records {
            return Ok(self.link.bulk().send(bytes).await?);
        }
        while let Err(refused) = self.link.send(bytes.to_vec()) {
            if refused != SendRefused::Full {
                return Err(refused.into());
            }
            self.link.room().await;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<usize, Failed> {
        if self.path != Path::Records {
            return match self.link.bulk().receive().await {
                Some(BulkNews::Message(message)) => Ok(message.len()),
                other => Err(format!("no file but {other:?}").into()),
            };
        }
        self.record().await
    }

    async fn close(self) {
        self.link.close().await;
    }

    fn path(&self) -> Option<&'static str> {
        Some(if self.link.bulk().path() == BulkPath::Quic { "quic" } else { "sctp" })
    }
}

impl End {
    /// Waits until sound flows.
    pub async fn flows(&mut self) -> Result<(), Failed> {
        while !self.up {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits for a record; gives its length.
    async fn record(&mut self) -> Result<usize, Failed> {
        loop {
            if let News::Record(record) = self.next().await? {
                return Ok(record.len());
            }
        }
    }

    async fn next(&mut self) -> Result<News, Failed> {
        let news = self.news.recv().await.ok_or("the link ended")?;
        match news {
            News::Down(reason) => return Err(format!("down: {reason:?}").into()),
            News::Up { .. } => self.up = true,
            _ => {}
        }
        Ok(news)
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
fn signal(link: &Link, value: &Value) -> Option<()> {
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
