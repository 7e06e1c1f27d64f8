//! The packets by which a link comes up, and those by which it ends, sent again soon when they are lost.
//!
//! DTLS and SCTP wait a second before they repeat anything (RFC 6347 section 4.2.4.1, RFC 9260 section 6.3.1). Worse, the
//! library forgets its timer when the peer repeats a flight first, and never sends its own again; two ends whose timers run
//! alike do that to each other on every try. So until the link is up, what this end sent since it last heard anything new is
//! sent again here, after a little more than a round trip and then ever less often: as it was, which to the peer is a packet
//! that the network doubled. And what the peer repeats is kept from the library once that has answered it: what the peer waits
//! for, this end repeats anyway.
//!
//! When the link ends there is no time to wait a second either: what left last is sent again until the owner has waited long
//! enough, or knows that the peer has it.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::packet::dtls;
use super::socket::Socket;

/// How soon what was not answered is sent again at first, before anything is known of the path: twice what is common.
const SOON: Duration = Duration::from_millis(100);
/// The same of last words, which nobody waits for long.
const SHORTLY: Duration = Duration::from_millis(20);
/// The longest first wait; there the library's own timers begin.
const LATE: Duration = Duration::from_secs(1);
/// How often a packet is sent again; each wait is twice the one before.
const REPEATS: u32 = 5;
/// Packets that are kept to be sent again: no flight of DTLS needs more, nor what SCTP says at once.
const PACKETS: usize = 8;
/// Longest packet that is kept.
const PACKET_BYTES: usize = 2048;
/// Packets that are told from new ones; more come only from who is no peer.
const HEARD: usize = 64;

/// A packet that left, and by which way.
pub(super) type Sent = (Weak<Socket>, SocketAddr, Bytes);

/// What has to be known while a link comes up.
#[derive(Debug, Default)]
pub(super) struct Shake {
    over: AtomicBool,
    state: Mutex<State>,
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    keys: RandomState,
    /// What was heard, and since then this end said something: the library took it.
    heard: HashSet<u64>,
    /// What was heard since. The library drops what comes before it is ready, and needs that again.
    fresh: Vec<u64>,
    /// What left since anything new was heard.
    sent: Vec<Sent>,
    /// When the first of it left.
    since: Option<Instant>,
    /// Whether anything new was heard since.
    answered: bool,
    /// How long a first wait is, once the path is known.
    wait: Option<Duration>,
    repeats: u32,
    due: Option<Instant>,
    up: bool,
    /// The last words are said: what left last counts, and nothing that comes says that it arrived.
    parting: bool,
}

impl Shake {
    /// Notes a packet that leaves.
    pub(super) fn sent(&self, from: &Weak<Socket>, to: SocketAddr, packet: &[u8], now: Instant) {
        if self.is_over() || dtls(packet).is_none() {
            return;
        }
        let mut guard = self.state();
        let state = &mut *guard;
        state.heard.extend(state.fresh.drain(..));
        if std::mem::take(&mut state.answered) {
            state.sent.clear();
        }
        if state.parting && state.sent.len() == PACKETS {
            state.sent.remove(0);
        }
        if state.sent.len() == PACKETS || packet.len() > PACKET_BYTES {
            return;
        }
        if state.sent.is_empty() {
            (state.since, state.repeats) = (Some(now), 0);
        }
        state.sent.push((from.clone(), to, Bytes::copy_from_slice(packet)));
        state.due = Some(now + state.wait.unwrap_or(SOON) * 2_u32.pow(state.repeats));
        drop(guard);
        self.stirred.notify_one();
    }

    /// Whether a packet that came is for the library: not if it took it before.
    pub(super) fn hears(&self, from: SocketAddr, packet: &[u8], now: Instant) -> bool {
        if self.is_over() {
            return true;
        }
        let Some(record) = dtls(packet) else { return true };
        let mut state = self.state();
        if state.parting {
            return true;
        }
        let names = [Some(state.keys.hash_one(record)), message(record).map(|message| state.keys.hash_one(message))];
        for name in names.into_iter().flatten() {
            if state.heard.contains(&name) {
                return false;
            }
            if !state.fresh.contains(&name) && state.heard.len() + state.fresh.len() < HEARD {
                state.fresh.push(name);
            }
        }
        if !state.sent.iter().any(|(_, to, _)| *to == from) {
            return true;
        }
        if let Some(since) = state.since.take().filter(|_| state.repeats == 0) {
            state.wait = Some((now.saturating_duration_since(since) * 3 / 2).clamp(SOON, LATE));
        }
        (state.answered, state.due) = (true, None);
        if state.up {
            self.end(state);
        }
        true
    }

    /// The link is up here; once the peer answers what is said then, it is there as well.
    pub(super) fn up(&self) {
        self.state().up = true;
    }

    /// The link ends: what leaves from now on are last words.
    pub(super) fn part(&self) {
        *self.state() = State { parting: true, wait: Some(SHORTLY), ..State::default() };
        self.over.store(false, Ordering::Relaxed);
    }

    /// The packets to send again, once it is time; for ever nothing while both ends are up.
    pub(super) async fn again(&self) -> Vec<Sent> {
        loop {
            let due = self.state().due;
            tokio::select! {
                () = self.stirred.notified() => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    let again = self.late(Instant::now());
                    if !again.is_empty() {
                        return again;
                    }
                }
            }
        }
    }

    fn late(&self, now: Instant) -> Vec<Sent> {
        let mut state = self.state();
        if state.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        state.repeats += 1;
        let wait = state.wait.unwrap_or(SOON) * 2_u32.pow(state.repeats);
        state.due = (state.repeats < REPEATS).then_some(now + wait);
        let again = state.sent.clone();
        if state.up && state.due.is_none() {
            self.end(state);
        }
        again
    }

    /// Nothing is kept any more, and nothing kept from the library.
    fn end(&self, mut state: MutexGuard<'_, State>) {
        *state = State { up: true, ..State::default() };
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether there is nothing more to look at.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is the same when a flight is repeated under new numbers: the first message of one that is not encrypted yet, without
/// its record's header (RFC 6347 section 4.1).
fn message(records: &[u8]) -> Option<&[u8]> {
    match records {
        [22, _, _, 0, 0, _, _, _, _, _, _, high, low, rest @ ..] => {
            rest.get(..u16::from_be_bytes([*high, *low]).into())
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A record of a handshake: this message under that number.
    fn record(number: u8, message: &[u8]) -> Vec<u8> {
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number, 0, message.len() as u8], message].concat()
    }

    fn peer() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    /// What is sent again, and how long after it left.
    fn repeated(shake: &Shake, left: Instant) -> Vec<(u128, Vec<u8>)> {
        let mut repeated = Vec::new();
        let due = || shake.state().due;
        while let Some(due) = due() {
            for (_, to, packet) in shake.late(due) {
                assert_eq!(to, peer());
                repeated.push(((due - left).as_millis(), packet.to_vec()));
            }
        }
        repeated
    }

    #[test]
    fn what_is_not_answered_is_sent_again_ever_less_often_and_not_for_ever() {
        let (shake, now) = (Shake::default(), Instant::now());
        shake.sent(&Weak::new(), peer(), &record(0, b"hello"), now);
        assert_eq!(shake.late(now + SOON - Duration::from_millis(1)).len(), 0);
        let at = |ms: u128| (ms, record(0, b"hello"));
        assert_eq!(repeated(&shake, now), [100, 300, 700, 1500, 3100].map(at));
    }

    #[test]
    fn who_hears_something_new_from_the_peer_waits_for_an_answer_to_what_it_sends_then() {
        let (shake, now) = (Shake::default(), Instant::now());
        shake.sent(&Weak::new(), peer(), &record(0, b"hello"), now);
        let stranger = "127.0.0.1:10".parse().unwrap();
        assert!(shake.hears(stranger, &record(0, b"forged"), now));
        assert!(shake.state().due.is_some(), "whoever it is from");
        // A path of 400 ms there and back.
        let heard = now + Duration::from_millis(400);
        assert!(shake.hears(peer(), &record(0, b"verify"), heard));
        assert_eq!(shake.state().due, None);
        shake.sent(&Weak::new(), peer(), &record(1, b"hello again"), heard);
        assert_eq!(repeated(&shake, heard)[..2], [(600, record(1, b"hello again")), (1800, record(1, b"hello again"))]);
    }

    #[test]
    fn what_the_peer_repeats_is_kept_from_the_library_under_whatever_number() {
        let (shake, now) = (Shake::default(), Instant::now());
        let answer = |number: u8| shake.sent(&Weak::new(), peer(), &record(number, b"answer"), now);
        // The library was not ready yet: nothing left.
        for number in 0..3 {
            assert!(shake.hears(peer(), &record(number, b"hello"), now));
        }
        answer(0);
        for number in 0..4 {
            assert!(!shake.hears(peer(), &record(number, b"hello"), now));
        }
        assert!(shake.hears(peer(), &record(2, b"hello with a cookie"), now));
        // Two encrypted records are two.
        for number in 0..2 {
            let encrypted = [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, number, 0, 1, 7];
            assert!(shake.hears(peer(), &encrypted, now));
            answer(1 + number);
            assert!(!shake.hears(peer(), &encrypted, now));
        }
        // Nothing else is looked at: path checks, sound, and what is cut short.
        for other in [&[0, 1, 0, 0][..], &[0x80, 111], &[]] {
            assert!(shake.hears(peer(), other, now) && shake.hears(peer(), other, now));
        }
        assert!(shake.hears(peer(), &record(3, b"short")[..15], now));
    }

    #[test]
    fn a_link_that_is_up_repeats_its_first_words_until_the_peer_answers_and_then_looks_at_nothing() {
        let (shake, now) = (Shake::default(), Instant::now());
        shake.sent(&Weak::new(), peer(), &record(0, b"last"), now);
        assert!(shake.hears(peer(), &record(0, b"done"), now));
        shake.up();
        shake.sent(&Weak::new(), peer(), &record(1, b"first word"), now);
        assert_eq!(shake.late(now + SOON).len(), 1);
        assert!(!shake.is_over() && shake.hears(peer(), &record(0, b"more"), now));
        assert!(shake.is_over() && shake.state().sent.is_empty());
        assert!(shake.hears(peer(), &record(0, b"more"), now));
    }

    #[test]
    fn last_words_are_said_again_whatever_comes_and_the_last_of_many_count() {
        let (shake, now) = (Shake::default(), Instant::now());
        shake.up();
        shake.sent(&Weak::new(), peer(), &record(0, b"first word"), now);
        assert!(shake.hears(peer(), &record(0, b"more"), now) && shake.is_over());
        shake.part();
        for number in 0..=PACKETS as u8 {
            shake.sent(&Weak::new(), peer(), &record(number, b"last word"), now);
        }
        for _ in 0..2 {
            assert!(shake.hears(peer(), &record(1, b"not heard yet"), now));
        }
        let again: Vec<_> = repeated(&shake, now).into_iter().take(PACKETS).collect();
        let last: Vec<_> = (1..=PACKETS as u8).map(|number| (20, record(number, b"last word"))).collect();
        assert_eq!(again, last);
    }

    #[test]
    fn a_flood_neither_fills_the_memory_nor_keeps_the_peer_out() {
        let (shake, now) = (Shake::default(), Instant::now());
        for number in 0..1000_u32 {
            assert!(shake.hears(peer(), &record(0, &number.to_be_bytes()), now));
            shake.sent(&Weak::new(), peer(), &record(0, &number.to_be_bytes()), now);
        }
        for _ in 0..100 {
            shake.sent(&Weak::new(), peer(), &record(0, b"unanswered"), now);
        }
        let state = shake.state();
        assert!(state.heard.len() == HEARD && state.fresh.is_empty() && state.sent.len() <= PACKETS);
    }
}
