//! What an idle link need not say.
//!
//! Each end checks the path now and then, so that every device on it goes on letting the link's packets pass and a silence is
//! noticed (RFC 8445 section 11), and the library has the controlled end check once more whenever it is checked. Where nothing
//! else passes, one check and its answer tell both ends all of that: who asked hears the answer, and who answered was asked by
//! somebody who holds the link's password, which the library looks at before it answers. So a check is held back where one was
//! answered a moment ago; whichever end's turn comes first goes on asking. If a check is lost, the other end is not asked, and
//! asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::packet::{is_answer, is_check};
use super::peer::KEEPALIVE;

/// How long an answer speaks for this end's own check: half of the time between two, so that one of both ends asks each time,
/// wherever their turns lie.
const COVERS: Duration = Duration::from_secs(KEEPALIVE.as_secs() / 2);

/// When a check of the path in use was last answered.
#[derive(Debug, Default)]
pub(super) struct Quiet(AtomicU64);

impl Quiet {
    /// Whether a packet to the peer, by the path in use, need not be sent; notes answers. `now` counts from any beginning.
    pub(super) fn is_needless(&self, packet: &[u8], now: Duration, idle: bool) -> bool {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(1);
        if is_answer(packet) {
            self.0.store(now_ms, Ordering::Relaxed);
        }
        let answered_ms = self.0.load(Ordering::Relaxed);
        idle && answered_ms > 0 && is_check(packet) && now_ms.saturating_sub(answered_ms) < COVERS.as_millis() as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use webrtc::runtime::AsyncUdpSocket as _;

    use super::super::early::tests::CHECK;
    use super::super::pace::Pace;
    use super::super::socket::tests::{plug, plug_with};
    use super::*;

    const ANSWER: [u8; 20] = [1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

    /// Two ends that check every [`KEEPALIVE`], the second so much later than the first, and once more when they are checked;
    /// checks that `lost` names by number do not arrive. Gives how many left, and the longest that either end sent nothing.
    fn converse(later: Duration, idle: bool, lost: impl Fn(u32) -> bool) -> (u32, Duration) {
        let (ends, begin) = ([Quiet::default(), Quiet::default()], Duration::from_secs(1));
        let mut spoke = [begin; 2];
        let (mut checks, mut longest) = (0, Duration::ZERO);
        for turn in 0..60_u32 {
            let asks = usize::from(turn % 2 == 1);
            let now = begin + KEEPALIVE * (turn / 2) + later * (turn % 2);
            let mut speak = |end: usize| {
                longest = longest.max(now - std::mem::replace(&mut spoke[end], now));
            };
            // Its own turn; then the controlled end, which is the second, adds one if it was checked.
            let mut heard = false;
            for from in [asks, 1 - asks] {
                let adds = from != asks;
                if adds && (asks == 1 || !heard) || ends[from].is_needless(&CHECK, now, idle) {
                    continue;
                }
                checks += 1;
                speak(from);
                if !lost(turn) {
                    heard = true;
                    ends[1 - from].is_needless(&ANSWER, now, idle);
                    speak(1 - from);
                }
            }
        }
        (checks, longest)
    }

    #[test]
    fn one_end_asks_for_both_wherever_their_turns_lie() {
        for later_s in [0, 1, 5, 9, 11, 15, 19] {
            let later = Duration::from_secs(later_s);
            let (checks, longest) = converse(later, true, |_| false);
            assert!((30..=32).contains(&checks), "{checks} checks in 30 rounds, {later_s} s apart");
            assert!(longest <= KEEPALIVE + COVERS, "{longest:?}");
            let (checks, _) = converse(later, false, |_| false);
            assert_eq!(checks, 90, "where something passes all are sent");
        }
    }

    #[test]
    fn an_end_that_is_not_asked_asks() {
        for later_s in [1, 5, 9, 11, 15, 19] {
            let (checks, longest) = converse(Duration::from_secs(later_s), true, |turn| turn % 10 < 2);
            assert!(checks < 50, "{checks}");
            assert!(longest <= 2 * KEEPALIVE, "{longest:?} of silence, {later_s} s apart");
        }
    }

    #[tokio::test]
    async fn a_check_is_held_back_only_on_the_idle_path_in_use() {
        const LAST: [u8; 30] = [22; 30];
        let [idle, busy] = [plug_with(Pace::idle()), plug()];
        let [peer, other] = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        for (link, to, kept) in [(&idle, &peer, false), (&idle, &other, true), (&busy, &peer, true)] {
            link.take_way(peer.local_addr().unwrap());
            for packet in [&ANSWER[..], &CHECK, &LAST] {
                link.handle.send_to(packet, to.local_addr().unwrap()).await.unwrap();
            }
            let mut buffer = [0; 64];
            let mut next = || to.recv(&mut buffer).map(|length| buffer[..length].to_vec()).unwrap();
            assert_eq!(next(), ANSWER);
            let second = next();
            assert_eq!(second == CHECK, kept, "{second:?}");
            assert!(kept || second == LAST);
            if kept {
                assert_eq!(next(), LAST);
            }
            // The last one was traffic.
            link.pace.rest();
        }
    }
}
