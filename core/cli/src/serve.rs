//! `sidetone serve`: the meeting server as a process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_server::turn::PeerRange;
use sidetone_server::{Config, Elsewhere, Keep, Limits, Publish, RelayConfig, Server, TlsConfig};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::say;
use crate::trouble::Trouble;

mod push;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where phones connect without TLS; port 0 takes any. For this machine, and for a proxy that adds TLS.
    #[arg(long, default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// Where phones connect over TLS, for everything: with a relay, that too is reached through this one port.
    #[arg(long, value_name = "ADDR", requires_all = ["certificate", "key"])]
    tls: Option<SocketAddr>,
    /// File with the certificate and those that lead to a root (PEM). Read again on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls")]
    certificate: Option<PathBuf>,
    /// File with the certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls")]
    key: Option<PathBuf>,
    /// Name in the certificate under which phones reach the relay over TLS, if not by its address.
    #[arg(long, value_name = "HOST", requires = "tls")]
    name: Option<String>,
    /// Folder for the accounts; without it they are kept in memory and end with the process.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where STUN and TURN listen (UDP and TCP); without it phones find no relay.
    #[arg(long, value_name = "ADDR")]
    relay: Option<SocketAddr>,
    /// Address of this machine as phones see it, if it is not the one the relay listens at.
    #[arg(long, value_name = "IP", requires = "relay")]
    public: Option<IpAddr>,
    /// Let the relay reach peers on loopback: for tests on one machine.
    #[arg(long, requires = "relay")]
    relay_to_loopback: bool,
    /// Relay elsewhere that phones are told of, such as coturn: `stun:HOST:PORT`, `turn:HOST:PORT?transport=udp` (or `tcp`),
    /// `turns:HOST:PORT?transport=tcp`. May be given several times.
    #[arg(long, value_name = "URL", conflicts_with = "relay", requires = "turn_secret")]
    turn_url: Vec<String>,
    /// File with a secret on one line: the one shared with the relay elsewhere (coturn: `static-auth-secret`), or, with
    /// `--relay`, with other servers that mint credentials for this one.
    #[arg(long, value_name = "FILE")]
    turn_secret: Option<PathBuf>,
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
    #[command(flatten)]
    push: push::Args,
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
    /// The address for phones over TLS.
    pub secure: Option<SocketAddr>,
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
    let (mut term, mut int, mut hup) = (
        signal(SignalKind::terminate()).map_err(Trouble::system)?,
        signal(SignalKind::interrupt()).map_err(Trouble::system)?,
        signal(SignalKind::hangup()).map_err(Trouble::system)?,
    );
    let running = Server::start(config(&args)?).await?;
    let ready = Ready {
        server: format!("ws://{}", running.addr),
        secure: running.tls_addr,
        relay: running.relay_addr,
        admin: running.admin_addr,
    };
    announce(&ready, args.json);
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            () = input_ends(), if args.until_input_ends => break,
            // The log says how it went; what was shown before is shown on if it did not.
            Some(()) = hup.recv() => drop(running.reload()),
        }
    }
    running.stop().await;
    if !args.json {
        say("stopped");
    }
    Ok(())
}

fn config(args: &Args) -> Result<Config, Trouble> {
    let secret = match &args.turn_secret {
        Some(file) => Some(Zeroizing::new(line(file)?.as_bytes().to_vec())),
        None => None,
    };
    let relay = args.relay.map(|listen| {
        let mut relay = RelayConfig::new(listen);
        relay.public = args.public;
        relay.secret = secret.clone();
        if args.relay_to_loopback {
            relay.test_peers.push(PeerRange::new(Ipv4Addr::LOCALHOST.into(), 8));
        }
        relay
    });
    let tls = match (args.tls, &args.certificate, &args.key) {
        (Some(listen), Some(certificate), Some(key)) => {
            let name = args.name.clone();
            Some(TlsConfig { name, ..TlsConfig::new(listen, certificate.clone(), key.clone()) })
        }
        _ => None,
    };
    let elsewhere = match secret {
        Some(secret) if !args.turn_url.is_empty() => Some(Elsewhere { urls: args.turn_url.clone(), secret }),
        _ => None,
    };
    Ok(Config {
        keep: args.data.clone().map_or(Keep::Memory, Keep::Dir),
        listen: args.listen,
        tls,
        relay,
        elsewhere,
        admin: args.admin,
        limits: Limits::default(),
        adults_only: args.adults_only,
        publish: publish(args)?,
        push: args.push.config()?,
    })
}

/// The one line of a file with a secret.
fn line(file: &Path) -> Result<Zeroizing<String>, Trouble> {
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(Trouble::system)?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn publish(args: &Args) -> Result<Option<Publish>, Trouble> {
    let Some(mut publish) = args.mqtt.clone() else { return Ok(None) };
    publish.every = Duration::from_secs(args.mqtt_every);
    if let Some(file) = &args.mqtt_password {
        publish.password = Some(line(file)?);
    }
    Ok(Some(publish))
}

fn announce(ready: &Ready, json: bool) {
    if json {
        return say(serde_json::to_string(ready).expect("addresses are JSON"));
    }
    say(format_args!("ready: phones connect to {}", ready.server));
    if let Some(secure) = ready.secure {
        say(format_args!("       and over TLS at {secure}"));
    }
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
