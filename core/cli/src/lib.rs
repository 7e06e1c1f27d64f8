//! Sidetone for a terminal.
//!
//! `sidetone serve` is the meeting server, `admin` its operator's questions. `call`, `chat` and `echo` are a phone without a screen. `demo` starts a server
//! and two phones, each a process of its own, lets them do everything there is to do, and checks what is promised.
//!
//! The program ends with status 0 when all went well, 1 when something promised did not hold, 2 when it could not do its
//! work; then it says why in one sentence.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub mod admin;
pub mod demo;
pub mod film;
pub mod guest;
pub mod leak;
pub mod member;
pub mod phone;
pub mod radio;
pub mod serve;
pub mod sound;
pub mod terminal;
pub mod trouble;
pub mod wav;

use trouble::Trouble;

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "sidetone", version, about = "Calls and texts from phone to phone, end-to-end encrypted.")]
struct Typed {
    /// How much to log to standard error: off, error, warn, info, debug or trace. Logs name nobody.
    #[arg(long, global = true, env = "SIDETONE_LOG", value_name = "LEVEL", default_value = "error")]
    log: LevelFilter,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the meeting server until it is told to stop.
    Serve(Box<serve::Args>),
    /// Ask a running server what its operator may know.
    Admin(admin::Args),
    /// Start a server and two phones on this machine, let them write and talk, and check what is promised.
    Demo(demo::Args),
    /// Call a friend, or wait for a call.
    Call(terminal::call::Args),
    /// Write with friends.
    Chat(terminal::chat::Args),
    /// Be a friend who accepts everybody, answers every call with its echo, and every text with the same.
    Echo(terminal::echo::Args),
    /// Open a push-to-talk room or enter one, and talk.
    Room(terminal::room::Args),
    /// A phone in a room that obeys orders on standard input.
    #[command(hide = true)]
    Member(member::Args),
    /// Talk with somebody unknown, without an account and without a trace.
    Strangers(terminal::stranger::Args),
    /// A phone among strangers that obeys orders on standard input.
    #[command(hide = true)]
    Guest(guest::Args),
    /// A phone that obeys orders on standard input.
    #[command(hide = true)]
    Phone(phone::Args),
}

/// Runs what was typed.
pub fn run() -> ExitCode {
    let typed = Typed::parse();
    tracing_subscriber::registry().with(typed.log).with(sidetone_server::log::Lines::new(std::io::stderr)).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return sorry(&Trouble::system(error)),
    };
    let done = runtime.block_on(async {
        match typed.command {
            Command::Serve(args) => serve::run(*args).await.map(|()| true),
            Command::Admin(args) => admin::run(args).await.map(|()| true),
            Command::Demo(args) => demo::run(args).await,
            Command::Call(args) => terminal::call::run(args).await.map(|()| true),
            Command::Chat(args) => terminal::chat::run(args).await.map(|()| true),
            Command::Echo(args) => terminal::echo::run(args).await.map(|()| true),
            Command::Room(args) => terminal::room::run(args).await.map(|()| true),
            Command::Member(args) => member::run(args).await.map(|()| true),
            Command::Strangers(args) => terminal::stranger::run(args).await.map(|()| true),
            Command::Guest(args) => guest::run(args).await.map(|()| true),
            Command::Phone(args) => phone::run(args).await.map(|()| true),
        }
    });
    // A line of standard input that nobody reads any more must not hold the process up.
    runtime.shutdown_background();
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(trouble) => sorry(&trouble),
    }
}

fn sorry(trouble: &Trouble) -> ExitCode {
    use std::io::Write;
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "sidetone: {trouble}");
    ExitCode::from(2)
}

/// Prints a line. Who reads it may have gone away: that ends nothing.
pub(crate) fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
