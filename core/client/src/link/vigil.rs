//! Watches a link closely while something is under way on it.
//!
//! The library's checks of a path have one interval for the whole life of a connection. It is long, because most links are
//! idle most of the time and each check costs a radio; while there is sound, or records wait to be acknowledged, silence is
//! noticed here instead. A peer that has nothing to say is asked for a sign: a credit of nothing, which SCTP acknowledges.

use std::time::Duration;

use super::life::End;
use super::shared::Shared;
use super::{DownReason, INTERRUPTED_AFTER, LOST_AFTER};

/// How often a busy link is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Having heard nothing for so long, a sign is asked for, as often.
const ASK_AFTER: Duration = Duration::from_millis(900);
/// A sign of life: no bytes more were taken.
const SIGN: &str = "0";

/// Watches until the peer was silent for too long.
pub(super) async fn watch(shared: &Shared) -> End {
    match watching(shared).await {
        Ok(never) => never,
        Err(end) => end,
    }
}

async fn watching(shared: &Shared) -> Result<End, End> {
    // Who ends the link ends this with it.
    let _ = shared.up.subscribe().wait_for(|up| *up).await;
    let (mut silent_here, mut asked) = (false, Duration::ZERO);
    loop {
        if !silent_here && !is_busy(shared).await {
            shared.stirred().await;
            // What was heard before it began says nothing.
            shared.pace.heard_now();
        }
        tokio::time::sleep(LOOK).await;
        // Behind records it would tell how long those take.
        if shared.pulse.is_stirring()
            && !shared.is_awaited().await
            && let Some(number) = shared.echo.due()
        {
            let _ = shared.peer.channel.send_text(&format!("ask {number}")).await;
        }
        let silence = shared.pace.silence();
        if silence < INTERRUPTED_AFTER {
            if std::mem::take(&mut silent_here) {
                shared.restored().await?;
            }
        } else if silence >= LOST_AFTER {
            return Ok(End::Down(DownReason::Lost));
        } else if !silent_here {
            silent_here = true;
            shared.interrupted().await?;
        }
        asked = if silence < ASK_AFTER { Duration::ZERO } else { asked };
        if silence >= asked + ASK_AFTER {
            asked = silence;
            // A channel that takes no more is full of what the peer has not acknowledged either.
            let _ = shared.peer.channel.send_text(SIGN).await;
        }
    }
}

/// Whether something is under way that would be missed.
async fn is_busy(shared: &Shared) -> bool {
    shared.pulse.is_stirring() || shared.is_awaited().await
}
