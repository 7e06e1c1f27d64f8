//! `sidetone admin`: what the operator asks a running server.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::say;
use crate::trouble::Trouble;

/// An answer is a few kilobytes; whatever sends more is no server of ours.
const ANSWER: u64 = 1 << 20;
/// The server is on this machine: an answer that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Counts of strangers: who searches and talks now, and the last hour. Never who they are.
    Radar {
        /// Where the server's operator listens: `--admin` of `sidetone serve`.
        #[arg(long, value_name = "ADDR")]
        at: SocketAddr,
        /// Say it again every so many seconds.
        #[arg(long, value_name = "SECONDS")]
        every: Option<u64>,
        /// Say everything, as one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Asks, and prints the answer.
///
/// # Errors
///
/// [`Trouble::ServerAway`].
pub async fn run(args: Args) -> Result<(), Trouble> {
    let What::Radar { at, every, json } = args.what;
    loop {
        let radar = ask(at, "/radar").await.ok_or_else(|| Trouble::ServerAway(at.to_string()))?;
        if json {
            say(&radar)
        } else {
            say(sentence(&radar))
        }
        let Some(seconds) = every else { return Ok(()) };
        tokio::time::sleep(Duration::from_secs(seconds.max(1))).await;
    }
}

async fn ask(at: SocketAddr, path: &str) -> Option<Value> {
    let answer = async {
        let mut socket = TcpStream::connect(at).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: {at}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.take(ANSWER).read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await.ok()??;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

fn sentence(radar: &Value) -> String {
    let count = |name: &str| radar[name].as_u64().unwrap_or_default();
    let pools = radar["pools"].as_array().into_iter().flatten();
    let waiting: u64 = pools.filter_map(|pool| pool["waiting"].as_u64()).sum();
    let complaints: u64 = radar["reports_today"].as_array().into_iter().flatten().filter_map(Value::as_u64).sum();
    format!(
        "{} among strangers, {waiting} of them waiting; today {} visitors, {complaints} complaints; {} slowed, {} in the \
         shadow, {} barred",
        count("active"),
        count("visitors_today"),
        count("slowed"),
        count("shadowed"),
        count("barred"),
    )
}
