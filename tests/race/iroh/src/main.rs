//! One end of the race by iroh: iroh LIBRARY ROLE ADDRESS TASK, with `iroh` as it comes or `iroh-bbr` for the library.
//!
//! Without relays, name services and router, which the namespaces of the race have none of: an end knows the other's key and
//! address. Each end opens a stream of its own.

use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use iroh::endpoint::{Connection, QuicTransportConfig, RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, RelayMode, TransportAddr};
use serde_json::{Value, json};

#[path = "../../src/line.rs"]
mod line;
#[path = "../../src/work.rs"]
mod work;

use line::{Lines, Task, Work, say};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const ALPN: &[u8] = b"race";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iroh: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<(), Failed> {
    let [library, task @ ..] = words else { return Err("no library".into()) };
    let task = Task::read(task)?;
    let mut peer = Peer { bbr: *library == "iroh-bbr", endpoint: None, task: &task };
    let runner = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runner.block_on(work::run(&mut peer, &task))
}

struct Peer<'a> {
    bbr: bool,
    /// What the offering end opens all its links on, if it holds several.
    endpoint: Option<Endpoint>,
    task: &'a Task,
}

struct Link {
    endpoint: Endpoint,
    peer: Option<EndpointAddr>,
    open: Option<(Connection, SendStream, RecvStream)>,
}

impl Peer<'_> {
    async fn endpoint(&mut self) -> Result<Endpoint, Failed> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        let mut config = QuicTransportConfig::builder();
        if self.bbr {
            config = config.congestion_controller_factory(Arc::new(noq_proto::congestion::Bbr3Config::default()));
        }
        let builder =
            Endpoint::builder(presets::Minimal).relay_mode(RelayMode::Disabled).transport_config(config.build());
        let bound = builder.alpns(vec![ALPN.to_vec()]).clear_ip_transports().bind_addr((self.task.address, 0))?;
        let endpoint = bound.bind().await?;
        if self.task.offers && matches!(self.task.work, Work::Hold) {
            self.endpoint = Some(endpoint.clone());
        }
        Ok(endpoint)
    }
}

impl work::Peer for Peer<'_> {
    type Link = Link;

    async fn prepare(&mut self, lines: &mut Lines) -> Result<Link, Failed> {
        let endpoint = self.endpoint().await?;
        let socket = endpoint.bound_sockets().first().copied().ok_or("no socket")?;
        say(&json!({"s": [endpoint.id().to_string(), socket]}))?;
        let theirs = lines.hear().await?;
        let key = theirs[0].as_str().ok_or("no key")?.parse()?;
        let address = serde_json::from_value(Value::take(&mut theirs[1].clone()))?;
        let peer = EndpointAddr::from_parts(key, [TransportAddr::Ip(address)]);
        Ok(Link { endpoint, peer: self.task.offers.then_some(peer), open: None })
    }
}

impl work::Link for Link {
    async fn join(&mut self) -> Result<(), Failed> {
        let connection = match self.peer.take() {
            Some(peer) => self.endpoint.connect(peer, ALPN).await?,
            None => self.endpoint.accept().await.ok_or("the endpoint is closed")?.await?,
        };
        let mut out = connection.open_uni().await?;
        out.write_all(&[1]).await?;
        let mut into = connection.accept_uni().await?;
        into.read_exact(&mut [0]).await?;
        self.open = Some((connection, out, into));
        Ok(())
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Failed> {
        let (_, out, _) = self.open.as_mut().ok_or("not up")?;
        Ok(out.write_all(&bytes).await?)
    }

    async fn receive(&mut self) -> Result<usize, Failed> {
        let (_, _, into) = self.open.as_mut().ok_or("not up")?;
        Ok(into.read_chunk(line::UNIT).await?.ok_or("the stream ended")?.len())
    }

    async fn close(self) {
        self.endpoint.close().await;
    }
}
