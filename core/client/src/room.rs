//! Rooms, as an app holds them.

use futures_util::future::BoxFuture;
use sidetone_crypto::code::SpokenCode;
use sidetone_crypto::room::{Policy, RoomError, Ticket};
use sidetone_crypto::safety::SafetyNumber;
use sidetone_engine::floor::Priority;
use sidetone_engine::room::{
    Age, Hand, JoinCode, JoinRoom, Lock, Memory, NewRoom as Opened, RecentRoom, RoomCommand, RoomView,
};
use sidetone_engine::{Answer, Command, Microphone as Heard, Verified};
use sidetone_wire::id::{MemberId, RoomId};
use sidetone_wire::member::Reaction;
use sidetone_wire::record::Text;
use sidetone_wire::room::RoomName;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::{Error, RoomFailure};
use crate::media::Pressed;

/// A room to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// What holds in it for as long as it is; see [`Policy::default`].
    pub policy: Policy,
    /// Its name, told to its members only.
    pub name: Option<String>,
    /// What stays of it.
    pub memory: Memory,
}

/// As whom one is in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The name to show: two may have the same.
    pub name: String,
    /// What stays of the room.
    pub memory: Memory,
    /// Whether the user is an adult, as the app knows.
    pub age: Age,
}

/// What the user's finger is at: there is one, and one microphone, so whoever presses in one room lets go in every other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Finger {
    /// Where it presses, and how urgent it is.
    pub on: Option<(RoomId, Priority)>,
    /// How often it pressed: a press that follows a release at once is another one.
    pub presses: u64,
}

impl Finger {
    /// Presses; pressing what is pressed changes nothing.
    fn press(&mut self, room: RoomId, priority: Priority) {
        if self.on.is_none_or(|(on, _)| on != room) {
            *self = Self { on: Some((room, priority)), presses: self.presses.wrapping_add(1) };
        }
    }

    /// Lets go, if it pressed there.
    fn release(&mut self, room: RoomId) {
        self.on.take_if(|(on, _)| *on == room);
    }

    /// What rooms are told when the finger is here and was there before.
    pub fn since(self, before: Self) -> impl Iterator<Item = RoomCommand> {
        let same = self.on.is_some() && self.presses == before.presses;
        let left = before.on.filter(|_| !same).map(|(room, _)| RoomCommand::Release(room));
        let pressed = self.on.filter(|_| !same).map(|(room, priority)| RoomCommand::Press(room, priority));
        left.into_iter().chain(pressed)
    }
}

impl From<RoomError> for Error {
    fn from(error: RoomError) -> Self {
        Self::Room(match error {
            RoomError::NotALink => RoomFailure::NotALink,
            RoomError::Damaged => RoomFailure::DamagedLink,
            RoomError::Version(_) => RoomFailure::NewerRoom,
            RoomError::UnknownPolicy => RoomFailure::UnknownPolicy,
        })
    }
}

/// Into rooms and out of them.
impl Client {
    /// Opens a room and enters it as its creator, with an account or without.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::WrongPolicy`], [`RoomFailure::TooManyRooms`], [`Error::NameInvalid`], [`Error::Offline`],
    /// [`Error::SignedOut`] for [`Memory::Kept`] without an account, and what any command can meet.
    pub async fn create_room(&self, room: NewRoom, shown: &str) -> Result<RoomId, Error> {
        let NewRoom { policy, name, memory } = room;
        let name = name.map(named).transpose()?;
        let new = Opened { policy, name, shown: named(shown.to_owned())?, host: self.host().to_owned(), memory };
        self.entered(RoomCommand::Open(new)).await
    }

    /// Enters a room by its link, or by a link that carries a code: what a person pasted or scanned.
    ///
    /// # Errors
    ///
    /// [`Error::Room`] with [`RoomFailure::NotALink`], [`RoomFailure::DamagedLink`], [`RoomFailure::NewerRoom`],
    /// [`RoomFailure::UnknownPolicy`], [`RoomFailure::OtherServer`] for a text that opens nothing here, and what entering
    /// can meet: [`RoomFailure::NoSuchRoom`], [`RoomFailure::Full`], [`RoomFailure::Locked`], [`RoomFailure::Banned`],
    /// [`RoomFailure::AdultsOnly`].
    pub async fn join_link(&self, link: &str, guest: Guest) -> Result<RoomId, Error> {
        let ticket = Ticket::parse(link)?;
        if ticket.host() != self.host() {
            return Err(RoomFailure::OtherServer.into());
        }
        match ticket {
            Ticket::Link { host, invitation } => {
                let Guest { name, memory, age } = guest;
                let shown = named(name)?;
                self.entered(RoomCommand::Join(JoinRoom { invitation, shown, host, memory, age })).await
            }
            Ticket::Code { code, .. } => self.knock(code, guest).await,
        }
    }

    /// Enters a room by a code that was said aloud, such as `4711-acid-lemon`.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NotACode`] for what is no code, [`RoomFailure::WrongCode`] for one of other words (a few may be
    /// tried), [`RoomFailure::CodeOver`] for one that is used up or too old, and what entering can meet.
    pub async fn join_code(&self, code: &str, guest: Guest) -> Result<RoomId, Error> {
        let code = SpokenCode::parse(code).map_err(|_| RoomFailure::NotACode)?;
        self.knock(code, guest).await
    }

    async fn knock(&self, code: SpokenCode, guest: Guest) -> Result<RoomId, Error> {
        let Guest { name, memory, age } = guest;
        let (shown, host) = (named(name)?, self.host().to_owned());
        self.entered(RoomCommand::JoinCode(JoinCode { code, shown, host, memory, age })).await
    }

    /// Enters a remembered room again, as whom we were there.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NoSuchRoom`] and what entering can meet.
    pub async fn rejoin_room(&self, room: RoomId) -> Result<RoomId, Error> {
        self.entered(RoomCommand::Rejoin(room)).await
    }

    /// Leaves a room.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NoSuchRoom`] and what any command can meet.
    pub async fn leave_room(&self, room: RoomId) -> Result<(), Error> {
        self.in_room(RoomCommand::Leave(room)).await
    }

    /// Forgets a remembered room, which must have been left.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NoSuchRoom`], [`Error::Already`] while we are in it, and what any command can meet.
    pub async fn forget_room(&self, room: RoomId) -> Result<(), Error> {
        self.in_room(RoomCommand::Forget(room)).await
    }

    /// The link that lets others in, for as long as the room is: whoever has it can enter and listen. Also what a QR
    /// code shows.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NoSuchRoom`], [`Error::Closed`], [`Error::Storage`].
    pub async fn room_link(&self, room: RoomId) -> Result<Zeroizing<String>, Error> {
        let host = self.host().to_owned();
        let link = move |inside: &crate::driver::Inside| {
            let bytes = inside.engine.invitation(room)?.to_bytes();
            let invitation = sidetone_crypto::room::Invitation::from_bytes(bytes.as_slice()).ok()?;
            Some(Ticket::Link { host, invitation }.text())
        };
        self.look(link).await?.ok_or(RoomFailure::NoSuchRoom.into())
    }

    /// A code that lets others in when it is said aloud: ten minutes, or until it was tried too often. For the creator.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NotCreator`], [`RoomFailure::NoSuchRoom`], [`Error::Offline`] and what any command can meet.
    pub async fn open_code(&self, room: RoomId) -> Result<String, Error> {
        match self.order(Command::Room(RoomCommand::OpenCode(room))).await? {
            Answer::Code(code) => Ok(code),
            _ => Err(Error::Protocol),
        }
    }

    /// A code that lets others in as a link, also for a QR code: what [`Client::open_code`] gave, ready to be pasted or scanned.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::NotACode`] for what is no code.
    pub fn code_link(&self, code: &str) -> Result<Zeroizing<String>, Error> {
        let code = SpokenCode::parse(code).map_err(|_| RoomFailure::NotACode)?;
        Ok(Ticket::Code { host: self.host().to_owned(), code }.text())
    }

    async fn entered(&self, command: RoomCommand) -> Result<RoomId, Error> {
        match self.order(Command::Room(command)).await? {
            Answer::Room(room) => Ok(room),
            _ => Err(Error::Protocol),
        }
    }

    fn in_room(&self, command: RoomCommand) -> BoxFuture<'_, Result<(), Error>> {
        self.done(Command::Room(command))
    }
}

/// What the creator of a room may do.
///
/// Each fails with [`RoomFailure::NotCreator`] for anybody else, with [`RoomFailure::NoSuchRoom`] and
/// [`RoomFailure::NoSuchMember`] where there is none, and as any command can.
impl Client {
    /// Lets in somebody who knocks.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn admit(&self, room: RoomId, member: MemberId) -> Result<(), Error> {
        self.in_room(RoomCommand::Admit(room, member)).await
    }

    /// Puts a member out: it hears nothing more from now on, and may enter anew.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn kick(&self, room: RoomId, member: MemberId) -> Result<(), Error> {
        self.in_room(RoomCommand::Kick(room, member)).await
    }

    /// Puts a member out for good. The room gets another secret, so its links and codes from before open nothing any more:
    /// [`Client::room_link`] gives the new one. Whoever was let in before and is away comes back as they are.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn ban(&self, room: RoomId, member: MemberId) -> Result<(), Error> {
        self.in_room(RoomCommand::Ban(room, member)).await
    }

    /// Lets nobody new in, or lets people in again.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn lock_room(&self, room: RoomId, lock: Lock) -> Result<(), Error> {
        self.in_room(RoomCommand::Lock(room, lock)).await
    }

    /// Ends a room for everybody.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn close_room(&self, room: RoomId) -> Result<(), Error> {
        self.in_room(RoomCommand::Close(room)).await
    }
}

/// In a room.
///
/// Each fails with [`RoomFailure::NoSuchRoom`] and [`RoomFailure::NoSuchMember`] where there is none, and as any command
/// can.
impl Client {
    /// The user holds the button down: asks for the floor, and speaks as soon as nobody else does. From any thread; neither
    /// blocks nor waits, and pressing what is pressed changes nothing. What was said a moment before is heard too.
    ///
    /// There is one microphone and one loudspeaker: of several rooms the one that was entered or pressed in last has them,
    /// and whoever presses in one lets go in every other. What is said in a room that has them not is told as
    /// [`FloorEvent::Taken`](sidetone_engine::floor::FloorEvent::Taken).
    pub fn press(&self, room: RoomId, priority: Priority) {
        self.button().press(room, Pressed::Yes);
        self.finger().send_modify(|finger| finger.press(room, priority));
    }

    /// The user lets go of the button. From any thread; neither blocks nor waits, and is harmless when nothing is pressed.
    pub fn release(&self, room: RoomId) {
        self.button().press(room, Pressed::No);
        self.finger().send_modify(|finger| finger.release(room));
    }

    /// Plays a burst that was missed, where the room allows it and it is still in memory.
    ///
    /// # Errors
    ///
    /// [`RoomFailure::WrongPolicy`], and see above.
    pub async fn replay(&self, room: RoomId, member: MemberId, burst: u32) -> Result<(), Error> {
        self.in_room(RoomCommand::Replay(room, member, burst)).await
    }

    /// Whether our microphone is heard, in a room of open microphones.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn set_room_microphone(&self, room: RoomId, microphone: Heard) -> Result<(), Error> {
        self.in_room(RoomCommand::SetMicrophone(room, microphone)).await
    }

    /// Raises or lowers our hand.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn raise_hand(&self, room: RoomId, hand: Hand) -> Result<(), Error> {
        self.in_room(RoomCommand::RaiseHand(room, hand)).await
    }

    /// Reacts, with one sign or a few.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`], and see above.
    pub async fn react_in_room(&self, room: RoomId, reaction: &str) -> Result<(), Error> {
        let reaction = Reaction::parse(reaction).ok_or(Error::TextLength)?;
        self.in_room(RoomCommand::React(room, reaction)).await
    }

    /// Says something to everybody who is there; nobody keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::TextLength`], and see above.
    pub async fn say_in_room(&self, room: RoomId, text: &str) -> Result<(), Error> {
        let text = Text::parse(text).ok_or(Error::TextLength)?;
        self.in_room(RoomCommand::Text(room, text)).await
    }

    /// Asks a member to mute its microphone; it is told who asks, and decides.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn ask_to_mute(&self, room: RoomId, member: MemberId) -> Result<(), Error> {
        self.in_room(RoomCommand::AskToMute(room, member)).await
    }

    /// Notes that people compared words with a member, or that it no longer counts.
    ///
    /// # Errors
    ///
    /// See above.
    pub async fn set_member_verified(&self, room: RoomId, member: MemberId, verified: Verified) -> Result<(), Error> {
        self.in_room(RoomCommand::SetVerified(room, member, verified)).await
    }

    /// The safety number of us and another member: sixty digits, the same on both phones if nobody is in between.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn member_safety_number(&self, room: RoomId, member: MemberId) -> Result<Option<SafetyNumber>, Error> {
        self.look(move |inside| inside.engine.member_safety_number(room, member)).await
    }

    /// A room we are in: who is there, and how the floor stands.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn room(&self, room: RoomId) -> Result<Option<RoomView>, Error> {
        self.look(move |inside| inside.engine.room(room)).await
    }

    /// The rooms we are in.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn rooms(&self) -> Result<Vec<RoomId>, Error> {
        self.look(|inside| inside.engine.rooms()).await
    }

    /// The rooms that this device remembers.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn recent_rooms(&self) -> Result<Vec<RecentRoom>, Error> {
        self.look(|inside| inside.engine.recent_rooms()).await
    }

    /// Six words that are the same for everybody who sees the same people in the room; they change when somebody comes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Storage`].
    pub async fn group_phrase(&self, room: RoomId) -> Result<Option<String>, Error> {
        self.look(move |inside| inside.engine.group_phrase(room).map(|phrase| phrase.to_string())).await
    }
}

fn named(name: String) -> Result<RoomName, Error> {
    RoomName::parse(name).ok_or(Error::NameInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: RoomId = RoomId([1; 16]);
    const TWO: RoomId = RoomId([2; 16]);

    type Act = fn(&mut Finger);

    /// What rooms are told after each of some moments at which the driver looked.
    fn told(moments: &[&[Act]]) -> Vec<String> {
        let (mut finger, mut seen) = (Finger::default(), Finger::default());
        let mut told = Vec::new();
        for moment in moments {
            moment.iter().for_each(|act| act(&mut finger));
            told.extend(finger.since(seen).map(|command| match command {
                RoomCommand::Press(room, _) => format!("press {}", room.0[0]),
                RoomCommand::Release(room) => format!("release {}", room.0[0]),
                _ => unreachable!("a finger does nothing else"),
            }));
            seen = finger;
        }
        told
    }

    #[test]
    fn whatever_comes_between_two_looks_no_button_stays_down() {
        let press: Act = |finger| finger.press(ONE, Priority::Normal);
        let release: Act = |finger| finger.release(ONE);
        let other: Act = |finger| finger.press(TWO, Priority::High);
        let let_go: Act = |finger| finger.release(TWO);
        assert_eq!(told(&[&[press], &[press], &[release], &[release]]), ["press 1", "release 1"]);
        assert_eq!(told(&[&[press], &[release, press], &[release]]), ["press 1", "release 1", "press 1", "release 1"]);
        assert_eq!(told(&[&[press], &[release, other], &[let_go]]), ["press 1", "release 1", "press 2", "release 2"]);
        assert_eq!(
            told(&[&[press], &[other], &[release], &[let_go]]),
            ["press 1", "release 1", "press 2", "release 2"]
        );
        assert_eq!(told(&[&[press], &[release, let_go]]), ["press 1", "release 1"]);
        assert_eq!(told(&[&[press], &[let_go], &[release]]), ["press 1", "release 1"]);
        assert!(told(&[&[press, release]]).is_empty(), "so short a press is none");
    }
}
