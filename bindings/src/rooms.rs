//! Into rooms, in them, and out again.

use sidetone::{Hand, Lock, Policy, Verified};

use crate::calls::MicrophoneState;
use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{MemberId, RoomId};
use crate::policy::RoomPolicy;
use crate::room::{FloorPriority, RecentRoom, RoomGuest, RoomView};

/// The usual room: whoever has the link, any route, open microphones, an open door, for everyone.
#[uniffi::export]
pub fn usual_policy() -> RoomPolicy {
    Policy::default().into()
}

#[uniffi::export]
impl RawClient {
    /// Opens a room and enters it as its creator, with an account or without.
    pub async fn create_room(
        &self,
        policy: RoomPolicy,
        name: Option<String>,
        us: RoomGuest,
    ) -> Result<RoomId, SidetoneError> {
        let new = sidetone::NewRoom { policy: policy.into(), name, memory: us.memory.into() };
        Ok(self.inner().create_room(new, &us.name).await?.into())
    }

    /// Enters a room by its link: what a person pasted or scanned.
    pub async fn join_link(&self, link: String, us: RoomGuest) -> Result<RoomId, SidetoneError> {
        Ok(self.inner().join_link(&link, us.into()).await?.into())
    }

    /// Enters a room by a code that was said aloud, such as `4711-acid-lemon`.
    pub async fn join_code(&self, code: String, us: RoomGuest) -> Result<RoomId, SidetoneError> {
        Ok(self.inner().join_code(&code, us.into()).await?.into())
    }

    /// Enters a remembered room again, as whom we were there.
    pub async fn rejoin_room(&self, room: RoomId) -> Result<RoomId, SidetoneError> {
        Ok(self.inner().rejoin_room(room.inner()?).await?.into())
    }

    /// Leaves a room.
    pub async fn leave_room(&self, room: RoomId) -> Result<(), SidetoneError> {
        Ok(self.inner().leave_room(room.inner()?).await?)
    }

    /// Forgets a remembered room that was left.
    pub async fn forget_room(&self, room: RoomId) -> Result<(), SidetoneError> {
        Ok(self.inner().forget_room(room.inner()?).await?)
    }

    /// Ends a room for everybody; for its creator.
    pub async fn close_room(&self, room: RoomId) -> Result<(), SidetoneError> {
        Ok(self.inner().close_room(room.inner()?).await?)
    }

    /// The link that lets others in: whoever has it can enter and listen.
    pub async fn room_link(&self, room: RoomId) -> Result<String, SidetoneError> {
        Ok(self.inner().room_link(room.inner()?).await?.to_string())
    }

    /// A code that lets others in when it is said aloud: ten minutes, or until it was tried too often. For the creator.
    pub async fn open_code(&self, room: RoomId) -> Result<String, SidetoneError> {
        Ok(self.inner().open_code(room.inner()?).await?)
    }

    /// A code that lets others in, as a link: to be pasted, or scanned as a QR code.
    pub fn code_link(&self, code: String) -> Result<String, SidetoneError> {
        Ok(self.inner().code_link(&code)?.to_string())
    }

    /// Lets in somebody who knocks; for the creator.
    pub async fn admit(&self, room: RoomId, member: MemberId) -> Result<(), SidetoneError> {
        Ok(self.inner().admit(room.inner()?, member.inner()?).await?)
    }

    /// Puts a member out, who may enter anew; for the creator.
    pub async fn kick(&self, room: RoomId, member: MemberId) -> Result<(), SidetoneError> {
        Ok(self.inner().kick(room.inner()?, member.inner()?).await?)
    }

    /// Lets nobody new in, or lets people in again; for the creator.
    pub async fn lock_room(&self, room: RoomId, locked: bool) -> Result<(), SidetoneError> {
        let lock = if locked { Lock::Locked } else { Lock::Open };
        Ok(self.inner().lock_room(room.inner()?, lock).await?)
    }

    /// Puts a member out for good; for the creator.
    pub async fn ban(&self, room: RoomId, member: MemberId) -> Result<(), SidetoneError> {
        Ok(self.inner().ban(room.inner()?, member.inner()?).await?)
    }

    /// The user holds the button down: asks for the floor, and speaks as soon as nobody else does. Neither blocks nor
    /// waits.
    pub fn press(&self, room: RoomId, priority: FloorPriority) -> Result<(), SidetoneError> {
        let priority = match priority {
            FloorPriority::Normal => sidetone::Priority::Normal,
            FloorPriority::High => sidetone::Priority::High,
            FloorPriority::Emergency => sidetone::Priority::Emergency,
        };
        self.inner().press(room.inner()?, priority);
        Ok(())
    }

    /// The user lets go of the button. Neither blocks nor waits.
    pub fn release(&self, room: RoomId) -> Result<(), SidetoneError> {
        self.inner().release(room.inner()?);
        Ok(())
    }

    /// Lets the others hear us, or not, in a room of open microphones.
    pub async fn set_room_microphone(&self, room: RoomId, state: MicrophoneState) -> Result<(), SidetoneError> {
        let state = match state {
            MicrophoneState::On => sidetone::MicrophoneState::On,
            MicrophoneState::Off => sidetone::MicrophoneState::Off,
        };
        Ok(self.inner().set_room_microphone(room.inner()?, state).await?)
    }

    /// Says something to everybody who is there; nobody keeps it.
    pub async fn say_in_room(&self, room: RoomId, text: String) -> Result<(), SidetoneError> {
        Ok(self.inner().say_in_room(room.inner()?, &text).await?)
    }

    /// Reacts, with one sign or a few.
    pub async fn react_in_room(&self, room: RoomId, emoji: String) -> Result<(), SidetoneError> {
        Ok(self.inner().react_in_room(room.inner()?, &emoji).await?)
    }

    /// Raises or lowers our hand.
    pub async fn raise_hand(&self, room: RoomId, raised: bool) -> Result<(), SidetoneError> {
        let hand = if raised { Hand::Raised } else { Hand::Lowered };
        Ok(self.inner().raise_hand(room.inner()?, hand).await?)
    }

    /// Asks a member to mute its microphone: it is told who asks, and decides.
    pub async fn ask_to_mute(&self, room: RoomId, member: MemberId) -> Result<(), SidetoneError> {
        Ok(self.inner().ask_to_mute(room.inner()?, member.inner()?).await?)
    }

    /// Notes that people compared words with a member, or that it no longer counts.
    pub async fn mark_member(&self, room: RoomId, member: MemberId, verified: bool) -> Result<(), SidetoneError> {
        let verified = if verified { Verified::Yes } else { Verified::No };
        Ok(self.inner().set_member_verified(room.inner()?, member.inner()?, verified).await?)
    }

    /// The sixty digits that two members compare; none of who is not there, or not linked yet.
    pub async fn member_safety_number(&self, room: RoomId, member: MemberId) -> Result<Option<String>, SidetoneError> {
        let number = self.inner().member_safety_number(room.inner()?, member.inner()?).await?;
        Ok(number.map(|number| number.to_string()))
    }

    /// Plays a burst that was missed, where the room allows it and it is still in memory.
    pub async fn replay(&self, room: RoomId, member: MemberId, burst: u32) -> Result<(), SidetoneError> {
        Ok(self.inner().replay(room.inner()?, member.inner()?, burst).await?)
    }

    /// The rooms that this device remembers.
    pub async fn recent_rooms(&self) -> Result<Vec<RecentRoom>, SidetoneError> {
        Ok(self.inner().recent_rooms().await?.into_iter().map(RecentRoom::from).collect())
    }

    /// The rooms we are in.
    pub async fn rooms(&self) -> Result<Vec<RoomView>, SidetoneError> {
        let mut rooms = Vec::new();
        for room in self.inner().rooms().await? {
            rooms.extend(self.inner().room(room).await?.map(RoomView::from));
        }
        Ok(rooms)
    }

    /// Six words that are the same for everybody who sees the same people in the room.
    pub async fn group_phrase(&self, room: RoomId) -> Result<Option<String>, SidetoneError> {
        Ok(self.inner().group_phrase(room.inner()?).await?)
    }
}
