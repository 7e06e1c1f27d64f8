//! `sidetone echo`: what an app is tried against.

use sidetone::{CallState, Client, Direction, Event, Standing, UserId, What};
use tokio::signal::unix::{SignalKind, signal};

use super::{Need, PhoneArgs};
use crate::say;
use crate::sound::{Mouth, Pump};
use crate::trouble::Trouble;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
}

/// Texts of one friend that are answered at once after an absence.
const PAGE: usize = 100;

/// Echoes until SIGTERM or SIGINT: accepts everybody who asks, answers every call with what it hears and every text with
/// the same text.
///
/// # Errors
///
/// [`Trouble`].
pub async fn run(args: Args) -> Result<(), Trouble> {
    let mut term = signal(SignalKind::terminate()).map_err(Trouble::system)?;
    let mut int = signal(SignalKind::interrupt()).map_err(Trouble::system)?;
    let (client, account) = args.phone.enter(Need::Server).await?;
    let (microphone, speaker) = client.take_sound().expect("nobody took the sound of a client just opened");
    let pump = Pump::start(microphone, speaker)?;
    say(format_args!("{} echoes", account.name));
    let echoed = tokio::select! {
        echoed = echo(&client, &pump) => echoed,
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
    };
    client.close().await;
    echoed
}

async fn echo(client: &Client, pump: &Pump) -> Result<(), Trouble> {
    everybody(client).await?;
    while let Some(event) = client.next_event().await {
        match event {
            Event::Friend(user) => accept(client, user).await?,
            Event::Message { peer, .. } => answer(client, peer).await?,
            Event::Refresh | Event::Connected(true) => everybody(client).await?,
            Event::Call(call) => match (call.direction, call.state) {
                (Direction::Incoming, CallState::Ringing) => {
                    pump.begin(Mouth::Echo);
                    // A caller who gave up meanwhile needs no answer.
                    let _ = client.answer(call.call).await;
                }
                (_, CallState::Ended(_)) => drop(pump.cut()),
                _ => {}
            },
            Event::Stopped(error) | Event::Revoked(error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

async fn everybody(client: &Client) -> Result<(), Trouble> {
    for friend in client.friends().await? {
        match friend.standing {
            Standing::AskedUs => accept(client, friend.user).await?,
            Standing::Friend if friend.unread > 0 => answer(client, friend.user).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn accept(client: &Client, user: UserId) -> Result<(), Trouble> {
    if client.friend(user).await?.is_some_and(|friend| friend.standing == Standing::AskedUs) {
        // A request that was withdrawn, or a server that is away: the next word about them brings us here again.
        let _ = client.accept(user).await;
    }
    Ok(())
}

/// What was not read was not answered yet.
async fn answer(client: &Client, peer: UserId) -> Result<(), Trouble> {
    let unread = client.friend(peer).await?.map_or(0, |friend| friend.unread as usize);
    let page = client.history(peer, None, PAGE).await?;
    let texts: Vec<_> =
        page.into_iter().filter(|message| message.theirs && message.what == What::Text).take(unread).collect();
    if texts.is_empty() {
        return Ok(());
    }
    client.mark_read(peer).await?;
    for message in texts.into_iter().rev() {
        // Somebody who ended the friendship, or does not fetch answers, gets none.
        let _ = client.send_text(peer, &message.text).await;
    }
    Ok(())
}
