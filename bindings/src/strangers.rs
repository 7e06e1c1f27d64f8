//! Among strangers: one at a time, in memory only, gone without a trace when it ends.

use std::sync::Arc;

use sidetone::{Consent, Hearing, MicrophoneState as Microphone, StrangerContent as Content};

use crate::calls::{HearingState, MicrophoneState};
use crate::client::RawClient;
use crate::error::{ErrorCode, SidetoneError};
use crate::id::{CallId, MatchId};
use crate::note::RawNote;
use crate::operation::{Operation, Outcome};
use crate::stranger::{BurnReport, ReportReason, StrangerEntry, StrangerImage, StrangerMessage, StrangerView};

/// Into the lobby and out of it.
#[uniffi::export]
impl RawClient {
    /// Looks for a stranger; done once the server took the search, which may want some seconds of work first. Cancelling
    /// ends the wait, not the search.
    pub fn enter_strangers(&self, entry: StrangerEntry) -> Arc<Operation> {
        self.operation(
            move |client| async move { client.strangers().enter(entry.into()).await.map(|()| Outcome::Done) },
        )
    }

    /// How many wait or talk now, as the server counts them.
    pub async fn active_strangers(&self) -> Result<u64, SidetoneError> {
        Ok(self.inner().strangers().active().await?)
    }

    /// Takes the stranger that was found, where the entry said to ask.
    pub async fn accept_stranger(&self, found: MatchId) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().accept(found.inner()?).await?)
    }

    /// On to the next one.
    pub async fn skip_stranger(&self) -> Result<BurnReport, SidetoneError> {
        Ok(self.inner().strangers().skip().await?.into())
    }

    /// Leaves the stranger, or the search. Everything about it is erased when this returns.
    pub async fn end_stranger(&self) -> Result<BurnReport, SidetoneError> {
        Ok(self.inner().strangers().end().await?.into())
    }

    /// On to the next one, and never this one again today.
    pub async fn block_stranger(&self) -> Result<BurnReport, SidetoneError> {
        Ok(self.inner().strangers().block().await?.into())
    }

    /// Tells the operator what was wrong with the stranger; also for 30 s after it ended, then without texts. The texts
    /// named by their numbers are shown to the server, which can tell that the stranger wrote them, and nobody else can.
    pub async fn report_stranger(
        &self,
        id: MatchId,
        reason: ReportReason,
        texts: Vec<u64>,
    ) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().report(id.inner()?, reason.into(), &texts).await?)
    }

    /// Asks for the stranger again from whom we parted; if they do too within 30 s of the end, both meet.
    pub async fn stranger_again(&self, id: MatchId, entry: StrangerEntry) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().again(id.inner()?, entry.into()).await?)
    }

    /// Where we are among strangers.
    pub async fn stranger(&self) -> Result<StrangerView, SidetoneError> {
        Ok(self.inner().strangers().view().await?.into())
    }
}

/// With a stranger.
#[uniffi::export]
impl RawClient {
    /// Says something; gives its number in the conversation.
    pub async fn say_to_stranger(&self, id: MatchId, text: String) -> Result<u64, SidetoneError> {
        Ok(self.inner().strangers().say(id.inner()?, &text).await?)
    }

    /// The user is writing.
    pub async fn typing_to_stranger(&self, id: MatchId) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().typing(id.inner()?).await?)
    }

    /// Sends a JPEG or PNG of at most 1 MiB, without what it says about where and how it was taken.
    pub async fn send_image_to_stranger(&self, id: MatchId, image: Vec<u8>) -> Result<u64, SidetoneError> {
        Ok(self.inner().strangers().send_image(id.inner()?, &image).await?)
    }

    /// Ends a voice note and sends it: at most 512 KiB, some minutes.
    pub async fn send_note_to_stranger(&self, id: MatchId, note: Arc<RawNote>) -> Result<u64, SidetoneError> {
        let id = id.inner()?;
        Ok(self.inner().strangers().send_note(id, note.finish()?).await?)
    }

    /// Whether the stranger may learn this device's address, and by it guess its place: to be asked of the user. Once both
    /// want it, the link goes directly.
    pub async fn set_direct_to_stranger(&self, id: MatchId, direct: bool) -> Result<(), SidetoneError> {
        let consent = if direct { Consent::Yes } else { Consent::No };
        Ok(self.inner().strangers().set_direct(id.inner()?, consent).await?)
    }

    /// Agrees on four words with the stranger; they show in the view a moment later.
    pub async fn compare_words_with_stranger(&self, id: MatchId) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().compare_words(id.inner()?).await?)
    }

    /// What was said from this number on, oldest first; nothing once it is over.
    pub async fn stranger_messages(&self, id: MatchId, from: u64) -> Result<Vec<StrangerMessage>, SidetoneError> {
        let told = self.inner().strangers().messages(id.inner()?, from).await?;
        Ok(told.into_iter().map(StrangerMessage::from).collect())
    }

    /// Looks no more at something the stranger sent: it is erased here at once, or with its last byte if it is still coming.
    /// They are not told.
    pub async fn hide_stranger_message(&self, id: MatchId, number: u64) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().hide(id.inner()?, number).await?)
    }

    /// An image that is here whole, decoded.
    pub async fn stranger_image(&self, id: MatchId, number: u64) -> Result<StrangerImage, SidetoneError> {
        let image = self.inner().strangers().image(id.inner()?, number).await?;
        Ok(StrangerImage { width: image.width, height: image.height, rgba: image.rgba.to_vec() })
    }

    /// The sound file of a voice note that is here whole. The app's to erase.
    pub async fn stranger_note(&self, id: MatchId, number: u64) -> Result<Vec<u8>, SidetoneError> {
        let messages = self.inner().strangers().messages(id.inner()?, number).await?;
        let note = messages.into_iter().next().filter(|message| message.number == number && message.whole);
        match note.map(|message| message.content) {
            Some(Content::Attachment(attachment, _)) => Ok(attachment.bytes.to_vec()),
            _ => Err(SidetoneError::of(ErrorCode::NoSuchMessage)),
        }
    }
}

/// Calls with a stranger.
#[uniffi::export]
impl RawClient {
    /// Calls the stranger.
    pub async fn call_stranger(&self, id: MatchId) -> Result<CallId, SidetoneError> {
        Ok(self.inner().strangers().call(id.inner()?).await?.into())
    }

    /// Takes a stranger's call.
    pub async fn answer_stranger(&self, call: CallId) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().answer(call.inner()?).await?)
    }

    /// Declines a stranger's call.
    pub async fn decline_stranger(&self, call: CallId) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().decline(call.inner()?).await?)
    }

    /// Ends a call with a stranger, who stays.
    pub async fn hang_up_stranger(&self, call: CallId) -> Result<(), SidetoneError> {
        Ok(self.inner().strangers().hang_up(call.inner()?).await?)
    }

    /// Lets the stranger hear us, or not.
    pub async fn set_stranger_microphone(&self, call: CallId, state: MicrophoneState) -> Result<(), SidetoneError> {
        let state = match state {
            MicrophoneState::On => Microphone::On,
            MicrophoneState::Off => Microphone::Off,
        };
        Ok(self.inner().strangers().set_microphone(call.inner()?, state).await?)
    }

    /// Plays what the stranger says, or not: they are not told.
    pub async fn set_stranger_hearing(&self, call: CallId, state: HearingState) -> Result<(), SidetoneError> {
        let hearing = match state {
            HearingState::On => Hearing::On,
            HearingState::Off => Hearing::Off,
        };
        Ok(self.inner().strangers().set_hearing(call.inner()?, hearing).await?)
    }
}
