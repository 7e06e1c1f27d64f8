//! `sidetone chat`: texts at a terminal.

use sidetone::{
    CallState, Client, Direction, Error, Event, Friend, Message, MessageId, MessageState, Standing, UserId, Verified,
    What,
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use super::{Need, PhoneArgs};
use crate::say;
use crate::trouble::Trouble;

/// What was typed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: PhoneArgs,
    /// With whom to begin.
    friend: Option<String>,
}

/// Messages shown when a conversation is opened.
const SHOWN: usize = 10;

const HELP: &str = "\
what you type goes to the friend you write with; besides:
  /to NAME         write with this friend
  /friends         who is there
  /add NAME        ask somebody to be a friend
  /accept NAME     accept a request
  /remove NAME     end a friendship, or decline a request
  /re TEXT         answer their last message
  /edit TEXT       give your last message other words
  /delete          take your last message back
  /stay SECONDS    messages disappear after so long; 0 for never
  /number          the safety number: read it to each other
  /verify          you compared it, and it matches
  /quit            leave";

/// Writes until the input ends or `/quit`.
///
/// # Errors
///
/// [`Trouble`]; what a single line could not do is only said.
pub async fn run(args: Args) -> Result<(), Trouble> {
    let (client, account) = args.phone.enter(Need::AccountOnly).await?;
    say(format_args!("you are {}; /help tells what you can do", account.name));
    let mut chat = Chat { client, with: None };
    if let Some(name) = &args.friend {
        chat.to(name).await?;
    }
    let mut lines = BufReader::new(stdin()).lines();
    let done = loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) if line.trim() == "/quit" => break Ok(()),
                Ok(Some(line)) => if let Err(trouble) = chat.line(line.trim()).await {
                    say(format_args!("! {trouble}"));
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(Trouble::system(error)),
            },
            event = chat.client.next_event() => match event {
                Some(Event::Stopped(error) | Event::Revoked(error)) => break Err(error.into()),
                Some(event) => chat.event(event).await?,
                None => break Ok(()),
            },
        }
    };
    chat.client.close().await;
    done
}

struct Chat {
    client: Client,
    with: Option<(UserId, String)>,
}

impl Chat {
    async fn line(&mut self, line: &str) -> Result<(), Trouble> {
        let (word, name) = line.split_once(' ').unwrap_or((line, ""));
        let name = name.trim();
        match word {
            "" => {}
            "/help" => say(HELP),
            "/to" => self.to(name).await?,
            "/friends" => {
                for friend in self.client.friends().await? {
                    say(describe(&friend));
                }
            }
            "/add" => {
                self.client.befriend(name, None).await?;
                say(format_args!("* {name} was asked"));
            }
            "/accept" => {
                let user = self.person(name).await?.user;
                self.client.accept(user).await?;
            }
            "/remove" => self.remove(name).await?,
            "/re" => {
                let to = self.last(true).await?;
                self.client.reply(self.peer()?, to, name).await?;
            }
            "/edit" => self.client.edit(self.peer()?, self.last(false).await?, name).await?,
            "/delete" => self.client.delete(self.peer()?, self.last(false).await?).await?,
            "/stay" => {
                let seconds = name.parse().ok().filter(|seconds| *seconds > 0);
                self.client.set_timer(self.peer()?, seconds).await?;
            }
            "/number" => {
                let number = self.client.safety_number(self.peer()?).await?;
                say(number.map_or_else(|| "* there is none yet".to_owned(), |number| format!("* {number}")));
            }
            "/verify" => self.client.set_verified(self.peer()?, Verified::Yes).await?,
            _ if word.starts_with('/') => say(HELP),
            _ => drop(self.client.send_text(self.peer()?, line).await?),
        }
        Ok(())
    }

    fn peer(&self) -> Result<UserId, Trouble> {
        let with = self.with.as_ref().map(|(user, _)| *user);
        with.ok_or_else(|| Trouble::Stranger("nobody".to_owned()))
    }

    /// Their last text, or ours.
    async fn last(&self, theirs: bool) -> Result<MessageId, Trouble> {
        let page = self.client.history(self.peer()?, None, 100).await?;
        let found = page.into_iter().find(|message| message.theirs == theirs && message.what == What::Text);
        Ok(found.and_then(|message| message.id).ok_or(Error::NoSuchMessage)?)
    }

    async fn to(&mut self, name: &str) -> Result<(), Trouble> {
        let friend = super::friend(&self.client, name).await?;
        self.with = Some((friend.user, friend.name.clone()));
        say(describe(&friend));
        for message in self.client.history(friend.user, None, SHOWN).await?.into_iter().rev() {
            say(line(if message.theirs { name } else { "you" }, &message));
        }
        Ok(self.client.mark_read(friend.user).await?)
    }

    async fn remove(&self, name: &str) -> Result<(), Trouble> {
        let person = self.person(name).await?;
        match person.standing {
            Standing::AskedUs => self.client.decline(person.user).await?,
            _ => self.client.unfriend(person.user).await?,
        }
        Ok(())
    }

    async fn person(&self, name: &str) -> Result<Friend, Trouble> {
        let found = self.client.friends().await?.into_iter().find(|friend| friend.name == name);
        found.ok_or_else(|| Trouble::Stranger(name.to_owned()))
    }

    async fn event(&self, event: Event) -> Result<(), Trouble> {
        match event {
            Event::Connected(true) => say("* connected"),
            Event::Connected(false) => say("* the server is away: what you write waits"),
            Event::Friend(user) => {
                if let Some(friend) = self.client.friend(user).await? {
                    say(describe(&friend));
                }
            }
            Event::Message { peer, position } => self.show(peer, position).await?,
            Event::Call(call) if call.direction == Direction::Incoming && call.state == CallState::Ringing => {
                say("* somebody calls, and a chat cannot answer: use sidetone call");
                // One who gave up meanwhile needs no word.
                let _ = self.client.decline_call(call.call).await;
            }
            Event::Announcement(text) => say(format_args!("* the operator: {}", clean(&text))),
            _ => {}
        }
        Ok(())
    }

    async fn show(&self, peer: UserId, position: u64) -> Result<(), Trouble> {
        let page = self.client.history(peer, position.checked_add(1), 1).await?;
        let Some(message) = page.into_iter().find(|message| message.state == MessageState::Received) else {
            return Ok(());
        };
        let name = self.client.friend(peer).await?.map(|friend| friend.name).unwrap_or_default();
        say(line(&name, &message));
        if self.with.as_ref().is_some_and(|(with, _)| *with == peer) {
            self.client.mark_read(peer).await?;
        }
        Ok(())
    }
}

fn line(who: &str, message: &Message) -> String {
    let reply = if message.reply.is_some() { "> " } else { "" };
    let edited = if message.edited_ms.is_some() { " (edited)" } else { "" };
    match &message.what {
        What::Text => format!("{who}: {reply}{}{edited}", clean(&message.text)),
        What::File(file) => format!("{who}: [file {}]", clean(&file.name)),
        What::Call(_) => format!("{who}: [call]"),
        What::Timer(None) => format!("{who}: [messages stay]"),
        What::Timer(Some(seconds)) => format!("{who}: [messages stay {seconds} s]"),
        What::Deleted => format!("{who}: [taken back]"),
        What::Expired => format!("{who}: [disappeared]"),
    }
}

/// What others wrote must not steer the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign }).collect()
}

fn describe(friend: &Friend) -> String {
    let standing = match friend.standing {
        Standing::AskedUs => "wants to be a friend",
        Standing::AskedByUs => "was asked",
        Standing::Friend if friend.online => "is there",
        Standing::Friend => "is away",
        Standing::Blocked => "is blocked",
        Standing::Former => "was a friend",
    };
    let verified = if friend.verified { ", verified" } else { "" };
    let changed = if friend.changed_key.is_some() { ", has another key now: compare safety numbers" } else { "" };
    format!("* {} {standing}{verified}{changed}", clean(&friend.name))
}
