//! How fast a link's task turns: in a hurry while the link comes up, at leisure when nothing passes.
//!
//! The library sends what an event gave rise to only when it turns again, after its next packet or timer (200 ms),
//! which adds up to more than half a second per connection, and it checks an idle connection five times a second. It waits through the [`Runtime`] it is given,
//! so that is where both are put right. The same runtime owns the UDP sockets: it sizes their buffers, and they are ours
//! (see [`super::socket`]).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::sync::{Notify, watch};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};

use super::early::Acquaintance;
use super::ledger::Ledger;
use super::porch::Porch;
use super::pulse::Pulse;
use super::shake::Shake;
use super::socket::{Socket, Way};
use super::tunnel::Tunnels;
use super::{CONNECT_LIMIT, Phases, RelayedBy, Route, RoutePolicy};

/// Longest nap while a link comes up.
const HURRY: Duration = Duration::from_millis(5);
/// How often the task turns again at once after each packet while a link comes up: the first turn takes the packet's
/// events, the second hands what they gave rise to to the socket or the relay, the third sends what is for the relay.
const TURNS: u32 = 3;
/// How often it turns again at once after each nap while packets pass our relay: the library takes what came from
/// the relay only after writing, and gives the relay what it wrote only at the next writing.
const RELAY_TURNS: u32 = 2;
/// How long the library's senders wait for room. They use the same timer as its task and must not take its turns.
const SENDER_WAIT: Duration = Duration::from_millis(50);
/// Length of a nap on a link that is up and idle.
const LEISURE: Duration = Duration::from_millis(2500);
/// Shorter naps than this are somebody's precise wish and stay as they are.
const PRECISE: Duration = Duration::from_millis(60);
/// Without traffic for this long a link is idle: longer than any acknowledgement or retransmission is pending.
const IDLE_AFTER: Duration = Duration::from_secs(2);
/// How often at most the route is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Asked of the system for each socket and direction; the usual 208 KiB overflow at a few MB/s.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Longest wait for a name server; the library waits for it with everything else stopped.
const RESOLVE_LIMIT: Duration = Duration::from_secs(5);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The clock face of one link, shared by its task and its owner.
#[derive(Debug)]
pub(super) struct Pace {
    epoch: Instant,
    /// Milliseconds after `epoch` until which there is a hurry.
    hurry_until: AtomicU64,
    /// Milliseconds after `epoch` at which something else than a path check last passed.
    traffic: AtomicU64,
    up: AtomicBool,
    acquaintance: Acquaintance,
    /// Turns still to be taken without a nap.
    turns: AtomicU32,
    /// Whether packets pass our relay.
    relayed: AtomicBool,
    wakeups: AtomicU64,
    /// Milliseconds after `epoch` at which the route was last looked at.
    looked: AtomicU64,
    /// Told when it may have changed.
    look: Notify,
    /// Bytes of UDP payload that left.
    sent: AtomicU64,
    ledger: Ledger,
    shake: Shake,
    porch: Porch,
    /// Milliseconds after `epoch` at which anything last came in.
    heard: AtomicU64,
    /// The address of this device that something else than a path check last left from.
    from: watch::Sender<Option<IpAddr>>,
    /// Microseconds after `epoch` at which each [`Milestone`] was first reached; 0 is not yet.
    reached: [AtomicU64; 3],
}

/// What a link reaches on its way up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Milestone {
    Described,
    Path,
    Up,
}

impl Pace {
    pub(super) fn new(policy: RoutePolicy) -> Self {
        Self {
            epoch: Instant::now(),
            hurry_until: AtomicU64::new(0),
            traffic: AtomicU64::new(0),
            up: AtomicBool::new(false),
            acquaintance: Acquaintance::new(policy),
            turns: AtomicU32::new(0),
            relayed: AtomicBool::new(false),
            wakeups: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            look: Notify::new(),
            sent: AtomicU64::new(0),
            ledger: Ledger::default(),
            shake: Shake::default(),
            porch: Porch::new(),
            heard: AtomicU64::new(0),
            from: watch::Sender::new(None),
            reached: [const { AtomicU64::new(0) }; 3],
        }
    }

    /// Of a link that is up, on which nothing has passed for a minute.
    #[cfg(test)]
    pub(super) fn idle() -> Self {
        Self {
            epoch: Instant::now() - Duration::from_secs(60),
            up: AtomicBool::new(true),
            ..Self::new(RoutePolicy::Any)
        }
    }

    /// As if nothing had passed for long.
    #[cfg(test)]
    pub(super) fn rest(&self) {
        self.traffic.store(0, Ordering::Relaxed);
    }

    /// Notes a milestone the first time it is reached.
    pub(super) fn reach(&self, milestone: Milestone) {
        let now = u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        // One that was noted already keeps its time.
        let _ = self.reached[milestone as usize].compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn phases(&self) -> Phases {
        let [described, path, up] = self.reached.each_ref().map(|at| match at.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        });
        Phases { described, path, up }
    }

    /// Naps are short from now on, for at most the time a link may take to come up.
    pub(super) fn hurry(&self) {
        self.hurry_until.store(self.now() + as_ms(CONNECT_LIMIT), Ordering::Relaxed);
        self.turns.store(TURNS, Ordering::Relaxed);
    }

    /// The link is up: naps are as long as asked for, and longer when nothing passes.
    pub(super) fn calm(&self) {
        self.hurry_until.store(0, Ordering::Relaxed);
        self.up.store(true, Ordering::Relaxed);
        self.passed();
    }

    /// How the link travels now.
    pub(super) fn travel(&self, route: Route) {
        let ours = matches!(route, Route::Relayed { by: RelayedBy::Us | RelayedBy::Both, .. });
        self.relayed.store(ours, Ordering::Relaxed);
        if ours {
            self.turns.store(RELAY_TURNS, Ordering::Relaxed);
        }
    }

    /// The link is over: naps are what the library asks for.
    pub(super) fn leave(&self) {
        self.hurry_until.store(0, Ordering::Relaxed);
        self.turns.store(0, Ordering::Relaxed);
        self.relayed.store(false, Ordering::Relaxed);
        self.up.store(false, Ordering::Relaxed);
    }

    /// Returns when it is time to look whether the link travels another way now: the library does not say so. It checks
    /// paths where it turns, so that is when; between turns there is nothing new, and an idle link sleeps on.
    pub(super) async fn look(&self) {
        self.look.notified().await;
    }

    /// The task has turned.
    fn turned(&self) {
        let now = self.now();
        if now.saturating_sub(self.looked.load(Ordering::Relaxed)) >= as_ms(LOOK_EVERY) {
            self.looked.store(now, Ordering::Relaxed);
            self.look.notify_one();
        }
    }

    pub(super) fn wakeups(&self) -> u64 {
        self.wakeups.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// So many bytes left.
    pub(super) fn left(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Something else than a path check leaves from this address.
    pub(super) fn leave_from(&self, ip: Option<IpAddr>) {
        if *self.from.borrow() != ip {
            self.from.send_replace(ip);
        }
    }

    pub(super) fn from(&self) -> Option<IpAddr> {
        *self.from.borrow()
    }

    /// What is known of the peer's addresses.
    pub(super) fn acquaintance(&self) -> &Acquaintance {
        &self.acquaintance
    }

    /// What has to be known while the link comes up.
    pub(super) fn shake(&self) -> &Shake {
        &self.shake
    }

    /// Where records go ahead while it does.
    pub(super) fn porch(&self) -> &Porch {
        &self.porch
    }

    /// What passes, by what it is for.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Something else than a path check passed.
    pub(super) fn passed(&self) {
        self.traffic.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        as_ms(self.epoch.elapsed())
    }

    pub(super) fn hurries(&self) -> bool {
        let until = self.hurry_until.load(Ordering::Relaxed);
        // The clock is read for each packet otherwise.
        until > 0 && self.now() < until
    }

    /// As if something came in just now.
    pub(super) fn heard_now(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// How long nothing has come in.
    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.heard.load(Ordering::Relaxed)))
    }

    /// A packet came in.
    pub(super) fn received(&self) {
        self.heard_now();
        if self.hurries() {
            self.turns.store(TURNS, Ordering::Relaxed);
        }
    }

    /// Whether the task should turn again at once.
    fn may_turn(&self) -> bool {
        let may = self.turns.load(Ordering::Relaxed) > 0;
        if !may && self.relayed.load(Ordering::Relaxed) {
            self.turns.store(RELAY_TURNS, Ordering::Relaxed);
        }
        may
    }

    /// A turn at once was taken. One in which something happened is none: what came of that needs its own.
    fn took_turn(&self) {
        let left = |turns: u32| turns.checked_sub(1);
        let _ = self.turns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// Whether the link is up and nothing but path checks has passed for a while.
    pub(super) fn is_idle(&self) -> bool {
        let quiet = || self.now().saturating_sub(self.traffic.load(Ordering::Relaxed));
        self.up.load(Ordering::Relaxed) && !self.hurries() && quiet() > as_ms(IDLE_AFTER)
    }

    /// Since the link began.
    pub(super) fn age(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn nap(&self, asked: Duration) -> Duration {
        if self.hurries() {
            return asked.min(HURRY);
        }
        if self.is_idle() && asked > PRECISE { asked.max(LEISURE) } else { asked }
    }
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The runtime one connection of the library lives on.
#[derive(Debug)]
pub(super) struct Paced {
    pub(super) pace: Arc<Pace>,
    pub(super) pulse: Arc<Pulse>,
    /// Learns which way the link's packets take.
    pub(super) way: watch::Sender<Option<Way>>,
    /// Relays that are reached otherwise than by UDP.
    pub(super) tunnels: Arc<Tunnels>,
    /// Told when the connection's task is gone, by whatever way: its end, an abort or a panic.
    pub(super) ended: Arc<Notify>,
}

struct Ending(Arc<Notify>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Runtime for Paced {
    /// The library spawns one task per connection, its driver.
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let ending = Ending(Arc::clone(&self.ended));
        TokioRuntime.spawn(Box::pin(async move {
            let _ending = ending;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let options = SockRef::from(&socket);
        // A system that gives less is no reason not to connect.
        let _ = options.set_recv_buffer_size(BUFFER_BYTES);
        let _ = options.set_send_buffer_size(BUFFER_BYTES);
        let (pace, pulse) = (Arc::clone(&self.pace), Arc::clone(&self.pulse));
        Ok(Arc::new(Socket::wrap(socket, pace, pulse, self.way.clone(), Arc::clone(&self.tunnels))?))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, _: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        if let Some(addresses) = self.tunnels.resolve(host) {
            return Box::pin(std::future::ready(Ok(addresses)));
        }
        Box::pin(async move {
            let answer = tokio::time::timeout(RESOLVE_LIMIT, tokio::net::lookup_host(host)).await;
            answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(Iterator::collect)
        })
    }

    fn sleep(&self, asked: Duration) -> Boxed<'static, ()> {
        if asked == SENDER_WAIT {
            return TokioRuntime.sleep(asked);
        }
        self.pace.turned();
        if self.pace.may_turn() {
            let pace = Arc::clone(&self.pace);
            return Box::pin(async move {
                TokioRuntime.yield_now().await;
                pace.took_turn();
            });
        }
        self.pace.wakeups.fetch_add(1, Ordering::Relaxed);
        TokioRuntime.sleep(self.pace.nap(asked))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "paced"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Trust;
    use super::*;

    #[tokio::test]
    async fn sockets_get_the_largest_buffers_the_system_gives() {
        let runtime = paced(Pace::new(RoutePolicy::Any));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (wrapped, granted) = (socket.try_clone().unwrap(), std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let _kept = runtime.wrap_udp_socket(wrapped).unwrap();
        let granted = SockRef::from(&granted);
        let before = granted.recv_buffer_size().unwrap();
        granted.set_recv_buffer_size(BUFFER_BYTES).unwrap();
        granted.set_send_buffer_size(BUFFER_BYTES).unwrap();
        assert!(granted.recv_buffer_size().unwrap() > before, "this system grants nothing, so nothing is shown");
        let asked = SockRef::from(&socket);
        assert_eq!(asked.recv_buffer_size().unwrap(), granted.recv_buffer_size().unwrap());
        assert_eq!(asked.send_buffer_size().unwrap(), granted.send_buffer_size().unwrap());
    }

    fn paced(pace: Pace) -> Paced {
        let (pace, pulse, ended) = (Arc::new(pace), Arc::new(Pulse::new()), Arc::new(Notify::new()));
        let tunnels = Arc::new(Tunnels::new(&[], &Trust::default()).unwrap());
        Paced { pace, pulse, way: watch::Sender::new(None), tunnels, ended }
    }

    #[tokio::test]
    async fn what_happens_between_two_turns_gets_turns_of_its_own() {
        let (hour, rtt) = (Duration::from_secs(3600), Duration::ZERO);
        let runtime = paced(Pace::new(RoutePolicy::Any));
        runtime.pace.travel(Route::Relayed { by: RelayedBy::Us, protocol: super::super::Transport::Udp, rtt });
        for _ in 0..RELAY_TURNS - 1 {
            runtime.sleep(hour).await;
        }
        // Something happened before the last was taken, as the library sees it.
        for _ in 0..5 {
            assert!(futures_util::FutureExt::now_or_never(runtime.sleep(hour)).is_none());
        }
        runtime.sleep(hour).await;
        assert!(futures_util::FutureExt::now_or_never(runtime.sleep(hour)).is_none(), "then it naps");
        // And begins again.
        runtime.sleep(hour).await;
    }

    /// How often a task turns at once before it naps.
    fn turns(runtime: &Paced) -> u32 {
        let turns_at_once = || {
            let mut sleep = runtime.sleep(Duration::from_secs(3600));
            let mut ends = || futures_util::FutureExt::now_or_never(&mut sleep).is_some();
            !ends() && ends()
        };
        (0..9).map_while(|_| turns_at_once().then_some(1)).sum()
    }

    #[tokio::test]
    async fn so_many_turns_follow_a_packet_in_a_hurry_and_each_nap_over_our_relay() {
        let runtime = paced(Pace::new(RoutePolicy::Any));
        runtime.pace.received();
        assert_eq!(turns(&runtime), 0);
        runtime.pace.travel(Route::Relayed {
            by: RelayedBy::Us,
            protocol: super::super::Transport::Udp,
            rtt: Duration::ZERO,
        });
        assert_eq!([(); 3].map(|()| turns(&runtime)), [RELAY_TURNS; 3]);
        let runtime = paced(Pace::new(RoutePolicy::Any));
        runtime.pace.hurry();
        runtime.pace.received();
        assert_eq!([(); 2].map(|()| turns(&runtime)), [TURNS, 0]);
    }

    #[test]
    fn naps_are_capped_in_a_hurry_kept_when_up_and_stretched_when_idle() {
        let pace = Pace::new(RoutePolicy::Any);
        let asked = Duration::from_millis(200);
        assert_eq!(pace.nap(asked), asked);
        pace.hurry();
        assert_eq!(pace.nap(asked), HURRY);
        assert_eq!(pace.nap(Duration::from_millis(1)), Duration::from_millis(1));
        pace.calm();
        assert_eq!(pace.nap(asked), asked);
        let idle = Pace::idle();
        assert_eq!(idle.nap(asked), LEISURE);
        assert_eq!(idle.nap(SENDER_WAIT), SENDER_WAIT);
        assert_eq!(idle.nap(Duration::from_secs(9)), Duration::from_secs(9));
        idle.leave();
        assert_eq!(idle.nap(asked), asked);
    }
}
