//! How things are named in reports.

use sidetone::{Phase, TransferEnd, TransferId, TransferState};

use crate::trouble::Trouble;

/// A transfer in hexadecimal.
pub(super) fn hex(transfer: TransferId) -> String {
    transfer.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A transfer from hexadecimal.
pub(super) fn id(text: &str) -> Result<TransferId, Trouble> {
    let number = u128::from_str_radix(text, 16).map_err(Trouble::system)?;
    Ok(TransferId(number.to_be_bytes()))
}

/// How a transfer stands, in one word or two.
pub(super) fn state(state: TransferState) -> String {
    match state {
        TransferState::Offered => "offered".to_owned(),
        TransferState::Waiting => "waiting".to_owned(),
        TransferState::Moving => "moving".to_owned(),
        TransferState::Paused(_) => "paused".to_owned(),
        TransferState::Ended(TransferEnd::Received) => "received".to_owned(),
        TransferState::Ended(why) => format!("ended: {why:?}"),
    }
}

/// A phase in one word.
pub(super) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Ringing => "ringing",
        Phase::Answered => "answered",
        Phase::LinkOpened => "link_opened",
        Phase::Described => "described",
        Phase::Gathered => "gathered",
        Phase::LinkUp => "link_up",
        Phase::Connected => "connected",
        Phase::Spoken => "spoken",
        Phase::Heard => "heard",
        Phase::Reconnecting => "reconnecting",
        Phase::Ended => "ended",
    }
}
