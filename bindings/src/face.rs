//! What a call's screen offers and says of the call: no app decides it for itself.

use crate::calls::{CallDirection, CallState, CallView};
use crate::diagnostics::{Diagnostics, LinkPeer, SoundFigures};
use crate::id::UserId;
use crate::stranger::StrangerCall;

/// From this share of the sound missing on, a call is fair, and poor.
const MISSING: [f64; 2] = [0.03, 0.1];
/// A word to them and back takes longer than twice what ITU-T G.114 gives for one way: it is fair, and poor.
const ROUND_TRIP_MS: [u64; 2] = [300, 800];

/// Something a person may do about a call as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum CallChoice {
    /// Take it.
    Answer,
    /// Not take it.
    Decline,
    /// Switch the own microphone on or off.
    Microphone,
    /// Show the camera, or no longer.
    Camera,
    /// Share the screen, or no longer.
    Screen,
    /// End it, or give up calling.
    HangUp,
}

/// How a call sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum CallQuality {
    /// As it should.
    Good,
    /// Words are missed now and then, or one waits for the other.
    Fair,
    /// Hard to understand.
    Poor,
}

/// What a person may do about a call now, in the order in which it is shown; nothing once it is over.
#[uniffi::export]
pub fn call_choices(view: &CallView) -> Vec<CallChoice> {
    choices(&view.state, view.direction)
}

/// The same of a call with a stranger, which has no pictures.
#[uniffi::export]
pub fn stranger_choices(call: &StrangerCall) -> Vec<CallChoice> {
    let mut all = choices(&call.state, call.direction);
    all.retain(|choice| !matches!(choice, CallChoice::Camera | CallChoice::Screen));
    all
}

fn choices(state: &CallState, direction: CallDirection) -> Vec<CallChoice> {
    use CallChoice::{Answer, Camera, Decline, HangUp, Microphone, Screen};
    match (state, direction) {
        (CallState::Ringing, CallDirection::Incoming) => vec![Decline, Answer],
        (CallState::Ringing, CallDirection::Outgoing) => vec![HangUp],
        (CallState::Connecting, _) => vec![Microphone, HangUp],
        (CallState::Connected | CallState::Reconnecting { .. }, _) if cfg!(feature = "video") => {
            vec![Microphone, Camera, Screen, HangUp]
        }
        (CallState::Connected | CallState::Reconnecting { .. }, _) => vec![Microphone, HangUp],
        (CallState::Ended { .. }, _) => Vec::new(),
    }
}

/// How the call with a friend sounded from one look to another, some seconds later; nothing while nothing was heard.
///
/// From 3 % of the sound missing it is fair and from 10 % poor. A round trip of more than 300 ms is fair and of more than
/// 800 ms poor.
#[uniffi::export]
pub fn call_quality(before: &Diagnostics, now: &Diagnostics, peer: &UserId) -> Option<CallQuality> {
    let with = |of: &LinkPeer| matches!(of, LinkPeer::Friend { user } if user == peer);
    let round_trip_us = now.links.iter().find(|link| with(&link.peer)).map_or(0, |link| link.round_trip_us);
    quality(&before.sound, &now.sound, round_trip_us / 1_000)
}

fn quality(before: &SoundFigures, now: &SoundFigures, round_trip_ms: u64) -> Option<CallQuality> {
    // Another call begins to count anew.
    let since = |count: fn(&SoundFigures) -> u64| count(now).saturating_sub(count(before));
    let missing = since(|sound| sound.frames_lost).saturating_sub(since(|sound| sound.frames_recovered));
    let all = since(|sound| sound.frames_heard).saturating_add(missing);
    if all == 0 {
        return None;
    }
    let share = missing as f64 / all as f64;
    let worse_than = |mark: usize| share >= MISSING[mark] || round_trip_ms > ROUND_TRIP_MS[mark];
    Some(match (worse_than(0), worse_than(1)) {
        (_, true) => CallQuality::Poor,
        (true, false) => CallQuality::Fair,
        (false, false) => CallQuality::Good,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_offers_what_can_be_done_as_it_stands() {
        use CallChoice::*;
        let of = |state, direction| choices(&state, direction);
        assert_eq!(of(CallState::Ringing, CallDirection::Incoming), [Decline, Answer]);
        assert_eq!(of(CallState::Ringing, CallDirection::Outgoing), [HangUp]);
        assert_eq!(of(CallState::Connecting, CallDirection::Incoming), [Microphone, HangUp]);
        for state in [CallState::Connected, CallState::Reconnecting { remaining_ms: 1 }] {
            assert_eq!(of(state, CallDirection::Outgoing), [Microphone, Camera, Screen, HangUp]);
        }
        assert_eq!(of(CallState::Ended { reason: crate::calls::CallEnd::Missed }, CallDirection::Incoming), []);
    }

    #[test]
    fn quality_falls_with_what_is_missing_and_with_the_wait() {
        let figures = |frames_heard, frames_lost, frames_recovered| SoundFigures {
            frames_heard,
            frames_lost,
            frames_recovered,
            ..SoundFigures::default()
        };
        let since = |now: SoundFigures, round_trip_ms| quality(&figures(100, 50, 0), &now, round_trip_ms);
        assert_eq!(since(figures(100, 50, 0), 900), None, "nothing was heard");
        assert_eq!(since(figures(0, 0, 0), 0), None, "another call");
        assert_eq!(since(figures(200, 52, 0), 300), Some(CallQuality::Good));
        assert_eq!(since(figures(197, 53, 0), 0), Some(CallQuality::Fair));
        assert_eq!(since(figures(197, 53, 3), 0), Some(CallQuality::Good), "what was recovered is not missing");
        assert_eq!(since(figures(200, 50, 0), 301), Some(CallQuality::Fair));
        assert_eq!(since(figures(190, 60, 0), 0), Some(CallQuality::Poor));
        assert_eq!(since(figures(200, 50, 0), 801), Some(CallQuality::Poor));
        assert_eq!(since(figures(u64::MAX, u64::MAX, 0), 0), Some(CallQuality::Poor));
    }
}
