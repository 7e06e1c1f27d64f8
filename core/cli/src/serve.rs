//! `sidetone serve`: the meeting server as a process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config, Keep, Limits, Publish, RelayConfig, Server};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::say;
use crate::trouble::Trouble;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where phones connect; port 0 takes any. Put TLS in front of it where that is not this machine.
    #[arg(long, default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// Folder for the accounts; without it they are kept in memory and end with the process.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where STUN and TURN listen (UDP); without it phones find no relay.
    #[arg(long, value_name = "ADDR")]
    relay: Option<SocketAddr>,
    /// Address of this machine as phones see it, if it is not the one the relay listens at.
    #[arg(long, value_name = "IP", requires = "relay")]
    public: Option<IpAddr>,
    /// Let the relay reach peers on loopback: for tests on one machine.
    #[arg(long, requires = "relay")]
    relay_to_loopback: bool,
    /// Where the operator reads `/figures`; loopback only.
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Publish the counts of strangers to an MQTT 5 broker: `mqtt://[user@]host[:port][/topic]`, or `mqtts://`.
    #[arg(long, value_name = "URL")]
    mqtt: Option<Publish>,
    /// File with the broker's password, on one line.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_password: Option<PathBuf>,
    /// Seconds between two publications.
    #[arg(long, value_name = "SECONDS", requires = "mqtt", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    mqtt_every: u64,
    /// Let only those meet strangers who say that they are adults.
    #[arg(long)]
    adults_only: bool,
    /// Say where it listens as one line of JSON.
    #[arg(long)]
    json: bool,
    /// End when standard input ends too, as a child of a program that may be killed.
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// What `sidetone serve --json` says once it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The address for phones, as `--server` takes it.
    pub server: String,
    /// Where STUN and TURN listen.
    pub relay: Option<SocketAddr>,
    /// Where `/figures` is.
    pub admin: Option<SocketAddr>,
}

/// Serves until SIGTERM or SIGINT, then says goodbye to every phone.
///
/// # Errors
///
/// [`Trouble::Serve`].
pub async fn run(args: Args) -> Result<(), Trouble> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate()).map_err(Trouble::system)?,
        signal(SignalKind::interrupt()).map_err(Trouble::system)?,
    );
    let relay = args.relay.map(|listen| {
        let mut relay = RelayConfig::new(listen);
        relay.public = args.public;
        if args.relay_to_loopback {
            relay.test_peers.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
        }
        relay
    });
    let publish = publish(&args)?;
    let keep = args.data.map_or(Keep::Memory, Keep::Dir);
    let (limits, adults_only) = (Limits::default(), args.adults_only);
    let config = Config { keep, listen: args.listen, admin: args.admin, relay, limits, adults_only, publish };
    let running = Server::start(config).await?;
    let ready =
        Ready { server: format!("ws://{}", running.addr), relay: running.relay_addr, admin: running.admin_addr };
    announce(&ready, args.json);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        () = input_ends(), if args.until_input_ends => {}
    }
    running.stop().await;
    if !args.json {
        say("stopped");
    }
    Ok(())
}

fn publish(args: &Args) -> Result<Option<Publish>, Trouble> {
    let Some(mut publish) = args.mqtt.clone() else { return Ok(None) };
    publish.every = Duration::from_secs(args.mqtt_every);
    if let Some(file) = &args.mqtt_password {
        let password = Zeroizing::new(std::fs::read_to_string(file).map_err(Trouble::system)?);
        publish.password = Some(Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Ok(Some(publish))
}

fn announce(ready: &Ready, json: bool) {
    if json {
        return say(serde_json::to_string(ready).expect("three addresses are JSON"));
    }
    say(format_args!("ready: phones connect to {}", ready.server));
    if let Some(relay) = ready.relay {
        say(format_args!("       STUN and TURN at {relay}"));
    }
    if let Some(admin) = ready.admin {
        say(format_args!("       figures at http://{admin}/figures"));
    }
}

async fn input_ends() {
    let mut ignored = [0; 64];
    let mut input = tokio::io::stdin();
    while input.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}
