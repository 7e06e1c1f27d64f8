//! The floor alone: the transitions of 3GPP TS 24.380, and thousands of worlds of press, release, collision, partition and
//! crash. `FLOOR_SEED=7` replays one, `FLOOR_SEEDS=100000` lives more of them.

mod floors;

use floors::{World, live, live_among_liars};
use sidetone_engine::floor::{Deny, Floor, FloorEvent, FloorInput, FloorOut, FloorState, Priority};
use sidetone_engine::{Claim, SoundOrder, Time};
use sidetone_wire::floor::{Burst, DenyWhy, FloorDenied, FloorRequest, FloorWord, Grant, Held, Position};
use sidetone_wire::id::MemberId;

const US: MemberId = MemberId([5; 16]);
const ANN: MemberId = MemberId([1; 16]);
const BEN: MemberId = MemberId([2; 16]);
const BURST_MS: u64 = 30_000;

fn claim(priority: u8, counter: u64, burst: u32) -> Claim {
    Claim { priority, counter, burst }
}

fn taken(counter: u64, burst: u32) -> FloorWord {
    FloorWord::Taken(claim(0, counter, burst))
}

fn request(priority: u8, counter: u64) -> FloorWord {
    FloorWord::Request(FloorRequest { priority, counter })
}

/// One phone whose room is played by the test.
struct Desk {
    floor: Floor,
    now: Time,
    out: Vec<FloorOut>,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Self { floor: Floor::new(US, BURST_MS), now: Time(1_000), out: Vec::new() };
        desk.give(FloorInput::Up(ANN));
        desk.give(FloorInput::Up(BEN));
        desk
    }

    fn give(&mut self, input: FloorInput) -> FloorState {
        self.out.clear();
        self.floor.step(self.now, input, &mut self.out);
        self.floor.state()
    }

    fn hear(&mut self, from: MemberId, word: FloorWord) -> FloorState {
        self.give(FloorInput::Heard(from, word))
    }

    fn wait(&mut self, ms: u64) -> FloorState {
        self.now = self.now.after(ms);
        self.give(FloorInput::Tick)
    }

    fn told(&self, event: FloorEvent) -> bool {
        self.out.iter().any(|out| matches!(out, FloorOut::Tell(told) if *told == event))
    }

    fn said_to(&self, member: MemberId) -> Vec<FloorWord> {
        let to = |out: &FloorOut| match out {
            FloorOut::Say(to, word) if *to == member => Some(word.clone()),
            FloorOut::All(word) => Some(word.clone()),
            _ => None,
        };
        self.out.iter().filter_map(to).collect()
    }

    fn sounds(&self) -> Vec<&'static str> {
        let name = |out: &FloorOut| match out {
            FloorOut::Sound(SoundOrder::Talk(_)) => Some("talk"),
            FloorOut::Sound(SoundOrder::Hush) => Some("hush"),
            FloorOut::Sound(SoundOrder::Listen(Some(_))) => Some("listen"),
            FloorOut::Sound(SoundOrder::Listen(None)) => Some("nobody"),
            _ => None,
        };
        self.out.iter().filter_map(name).collect()
    }

    fn silence() -> Self {
        Self::new()
    }

    fn has_no_permission() -> Self {
        let mut desk = Self::new();
        assert_eq!(desk.hear(ANN, taken(3, 1)), FloorState::Taken(ANN));
        desk
    }

    fn pending_request() -> Self {
        let mut desk = Self::has_no_permission();
        assert_eq!(desk.give(FloorInput::Press(Priority::Normal)), FloorState::Requesting);
        desk
    }

    fn queued() -> Self {
        let mut desk = Self::pending_request();
        assert_eq!(desk.hear(ANN, FloorWord::Queued(Position { position: 2 })), FloorState::Queued(2));
        desk
    }

    fn has_permission() -> Self {
        let mut desk = Self::new();
        assert_eq!(desk.give(FloorInput::Press(Priority::Normal)), FloorState::Speaking);
        desk
    }

    fn pending_granted() -> Self {
        let mut desk = Self::has_permission();
        desk.hear(ANN, request(0, 9));
        assert_eq!(desk.give(FloorInput::Release), FloorState::Reserved(ANN));
        desk
    }
}

type Row = (&'static str, fn() -> Desk, fn(&mut Desk) -> FloorState, FloorState);

/// Table C.2.1-1 of TS 24.380, row by row; where ours differs on purpose, the row says so.
const TABLE: &[Row] = &[
    (
        "silence, floor granted to another",
        Desk::silence,
        |d| {
            d.hear(ANN, taken(1, 1));
            d.hear(ANN, FloorWord::Granted(Grant { burst: 1, to: BEN }))
        },
        FloorState::Reserved(BEN),
    ),
    ("silence, media", Desk::silence, |d| d.give(FloorInput::Claimed(ANN, claim(0, 1, 1))), FloorState::Taken(ANN)),
    ("silence, floor taken", Desk::silence, |d| d.hear(ANN, taken(1, 1)), FloorState::Taken(ANN)),
    (
        "silence, pressed: ours speaks at once",
        Desk::silence,
        |d| d.give(FloorInput::Press(Priority::Normal)),
        FloorState::Speaking,
    ),
    (
        "silence, floor request: nobody is here to grant",
        Desk::silence,
        |d| d.hear(ANN, request(0, 1)),
        FloorState::Idle,
    ),
    (
        "silence, floor release",
        Desk::silence,
        |d| d.hear(ANN, FloorWord::Released(Burst { burst: 1 })),
        FloorState::Idle,
    ),
    (
        "no permission, floor taken by another",
        Desk::has_no_permission,
        |d| d.hear(BEN, FloorWord::Taken(claim(2, 9, 1))),
        FloorState::Taken(BEN),
    ),
    (
        "no permission, media",
        Desk::has_no_permission,
        |d| d.give(FloorInput::Claimed(ANN, claim(0, 3, 1))),
        FloorState::Taken(ANN),
    ),
    (
        "no permission, pressed",
        Desk::has_no_permission,
        |d| d.give(FloorInput::Press(Priority::Normal)),
        FloorState::Requesting,
    ),
    (
        "no permission, floor release",
        Desk::has_no_permission,
        |d| d.hear(ANN, FloorWord::Released(Burst { burst: 1 })),
        FloorState::Idle,
    ),
    ("no permission, end of media", Desk::has_no_permission, |d| d.give(FloorInput::Silent(ANN)), FloorState::Idle),
    ("no permission, speaker gone", Desk::has_no_permission, |d| d.give(FloorInput::Gone(ANN)), FloorState::Idle),
    (
        "no permission, floor granted to another",
        Desk::has_no_permission,
        |d| d.hear(ANN, FloorWord::Granted(Grant { burst: 1, to: BEN })),
        FloorState::Reserved(BEN),
    ),
    (
        "pending request, floor granted to us",
        Desk::pending_request,
        |d| d.hear(ANN, FloorWord::Granted(Grant { burst: 1, to: US })),
        FloorState::Speaking,
    ),
    (
        "pending request, floor granted to another",
        Desk::pending_request,
        |d| d.hear(ANN, FloorWord::Granted(Grant { burst: 1, to: BEN })),
        FloorState::Requesting,
    ),
    (
        "pending request, floor deny",
        Desk::pending_request,
        |d| d.hear(ANN, FloorWord::Denied(FloorDenied { why: DenyWhy::QueueFull })),
        FloorState::Taken(ANN),
    ),
    (
        "pending request, queue position",
        Desk::pending_request,
        |d| d.hear(ANN, FloorWord::Queued(Position { position: 1 })),
        FloorState::Queued(1),
    ),
    (
        "pending request, floor release",
        Desk::pending_request,
        |d| d.hear(ANN, FloorWord::Released(Burst { burst: 1 })),
        FloorState::Speaking,
    ),
    ("pending request, let go", Desk::pending_request, |d| d.give(FloorInput::Release), FloorState::Taken(ANN)),
    (
        "pending request, media",
        Desk::pending_request,
        |d| d.give(FloorInput::Claimed(ANN, claim(0, 3, 1))),
        FloorState::Requesting,
    ),
    ("pending request, end of media", Desk::pending_request, |d| d.give(FloorInput::Silent(ANN)), FloorState::Speaking),
    ("pending request, no answer", Desk::pending_request, |d| d.wait(3_000), FloorState::Taken(ANN)),
    (
        "queued, floor granted to us",
        Desk::queued,
        |d| d.hear(ANN, FloorWord::Granted(Grant { burst: 1, to: US })),
        FloorState::Speaking,
    ),
    (
        "queued, floor granted to another",
        Desk::queued,
        |d| {
            d.hear(ANN, FloorWord::Granted(Grant { burst: 1, to: BEN }));
            d.hear(BEN, taken(4, 1));
            d.hear(BEN, FloorWord::Queued(Position { position: 1 }))
        },
        FloorState::Queued(1),
    ),
    (
        "queued, queue position",
        Desk::queued,
        |d| d.hear(ANN, FloorWord::Queued(Position { position: 1 })),
        FloorState::Queued(1),
    ),
    (
        "queued, floor deny",
        Desk::queued,
        |d| d.hear(ANN, FloorWord::Denied(FloorDenied { why: DenyWhy::QueueFull })),
        FloorState::Taken(ANN),
    ),
    ("queued, let go", Desk::queued, |d| d.give(FloorInput::Release), FloorState::Taken(ANN)),
    ("queued, end of media", Desk::queued, |d| d.give(FloorInput::Silent(ANN)), FloorState::Speaking),
    (
        "queued, a word of another",
        Desk::queued,
        |d| d.hear(BEN, FloorWord::Queued(Position { position: 1 })),
        FloorState::Queued(2),
    ),
    ("permission, let go", Desk::has_permission, |d| d.give(FloorInput::Release), FloorState::Idle),
    (
        "permission, let go with a queue",
        Desk::has_permission,
        |d| {
            d.hear(BEN, request(0, 2));
            d.give(FloorInput::Release)
        },
        FloorState::Reserved(BEN),
    ),
    ("permission, floor request", Desk::has_permission, |d| d.hear(ANN, request(0, 2)), FloorState::Speaking),
    (
        "permission, emergency",
        Desk::has_permission,
        |d| d.hear(ANN, FloorWord::Taken(claim(2, 9, 1))),
        FloorState::Taken(ANN),
    ),
    ("permission, burst too long", Desk::has_permission, |d| d.wait(BURST_MS), FloorState::Idle),
    (
        "permission, pressed again",
        Desk::has_permission,
        |d| d.give(FloorInput::Press(Priority::Emergency)),
        FloorState::Speaking,
    ),
    (
        "pending granted, media of the granted",
        Desk::pending_granted,
        |d| d.give(FloorInput::Claimed(ANN, claim(0, 9, 1))),
        FloorState::Taken(ANN),
    ),
    ("pending granted, nothing comes", Desk::pending_granted, |d| d.wait(500), FloorState::Idle),
    ("pending granted, the granted goes", Desk::pending_granted, |d| d.give(FloorInput::Gone(ANN)), FloorState::Idle),
    (
        "pending granted, pressed",
        Desk::pending_granted,
        |d| d.give(FloorInput::Press(Priority::Normal)),
        FloorState::Requesting,
    ),
    (
        "pending granted, pressed in an emergency",
        Desk::pending_granted,
        |d| d.give(FloorInput::Press(Priority::Emergency)),
        FloorState::Speaking,
    ),
];

#[test]
fn every_transition_of_off_network_floor_control_is_made() {
    for (name, state, trigger, result) in TABLE {
        let mut desk = state();
        assert_eq!(trigger(&mut desk), *result, "{name}");
    }
}

#[test]
fn who_presses_first_speaks_and_says_so_at_once() {
    let mut desk = Desk::new();
    desk.give(FloorInput::Press(Priority::Normal));
    assert_eq!(desk.sounds(), ["talk"]);
    assert_eq!(desk.said_to(ANN), [FloorWord::Taken(claim(0, 1, 1))]);
    assert!(desk.told(FloorEvent::Granted));
    desk.give(FloorInput::Press(Priority::Normal));
    assert!(desk.out.is_empty(), "pressing what is pressed changes nothing");
    desk.give(FloorInput::Release);
    assert_eq!(desk.sounds(), ["hush"]);
    desk.give(FloorInput::Release);
    assert!(desk.out.is_empty(), "letting go twice changes nothing");
}

#[test]
fn of_two_who_press_at_once_the_same_one_loses_everywhere() {
    // Ours has a greater id than Ann's and a smaller one than MemberId([9; 16]).
    for (from, wins) in [(ANN, false), (MemberId([9; 16]), true)] {
        let mut desk = Desk::has_permission();
        desk.give(FloorInput::Up(from));
        let state = desk.hear(from, taken(1, 1));
        assert_eq!(state == FloorState::Speaking, wins);
        assert_eq!(desk.told(FloorEvent::Denied(Deny::Collision(from))), !wins);
        if !wins {
            assert_eq!(desk.sounds(), ["hush", "listen"]);
            desk.hear(from, FloorWord::Released(Burst { burst: 1 }));
            assert_eq!(desk.give(FloorInput::Press(Priority::Normal)), FloorState::Idle, "only a new press counts");
            desk.give(FloorInput::Release);
            assert_eq!(desk.give(FloorInput::Press(Priority::Normal)), FloorState::Speaking);
        }
    }
}

#[test]
fn an_emergency_takes_the_floor_and_the_speaker_learns_why() {
    let mut desk = Desk::has_permission();
    desk.hear(BEN, FloorWord::Taken(claim(2, 7, 1)));
    assert!(desk.told(FloorEvent::PreEmpted(BEN)));
    let mut desk = Desk::has_no_permission();
    assert_eq!(desk.give(FloorInput::Press(Priority::High)), FloorState::Requesting, "a high priority waits its turn");
    let mut desk = Desk::has_no_permission();
    assert_eq!(desk.give(FloorInput::Press(Priority::Emergency)), FloorState::Speaking);
    assert_eq!(desk.sounds(), ["talk", "nobody"], "half duplex");
}

#[test]
fn a_burst_is_warned_of_its_end_and_ended_once() {
    let mut desk = Desk::has_permission();
    desk.wait(24_999);
    assert!(desk.out.is_empty());
    desk.wait(1);
    assert!(desk.told(FloorEvent::Ending(5_000)));
    desk.wait(4_999);
    assert!(desk.out.is_empty());
    assert_eq!(desk.wait(1), FloorState::Idle);
    assert!(desk.told(FloorEvent::TimedOut) && desk.sounds() == ["hush"]);
    assert_eq!(desk.give(FloorInput::Press(Priority::Normal)), FloorState::Idle, "the button was never let go");
}

#[test]
fn a_phone_that_speaks_on_past_its_limit_is_played_no_more() {
    let mut desk = Desk::has_no_permission();
    assert_eq!(desk.wait(BURST_MS + 999), FloorState::Taken(ANN));
    assert_eq!(desk.wait(1), FloorState::Idle);
    assert_eq!(desk.give(FloorInput::Claimed(ANN, claim(0, 3, 1))), FloorState::Idle);
}

#[test]
fn the_queue_goes_by_priority_and_then_by_who_asked_first() {
    let mut desk = Desk::has_permission();
    let cid = MemberId([3; 16]);
    desk.give(FloorInput::Up(cid));
    desk.hear(BEN, request(0, 5));
    desk.hear(ANN, request(0, 6));
    assert_eq!(desk.said_to(ANN), [FloorWord::Queued(Position { position: 2 })]);
    desk.hear(cid, request(1, 7));
    assert_eq!(desk.said_to(BEN), [FloorWord::Queued(Position { position: 2 })]);
    assert_eq!(desk.said_to(ANN), [FloorWord::Queued(Position { position: 3 })]);
    desk.hear(cid, FloorWord::Cancel(Default::default()));
    desk.give(FloorInput::Release);
    assert_eq!(desk.said_to(ANN), [FloorWord::Granted(Grant { burst: 1, to: BEN })]);
}

#[test]
fn who_is_said_to_speak_is_believed_only_of_those_whom_we_cannot_hear() {
    let hidden = MemberId([7; 16]);
    for (by, believed) in [(BEN, false), (hidden, true)] {
        let mut desk = Desk::has_permission();
        let state = desk.hear(ANN, FloorWord::Held(Held { by, claim: claim(2, 1, 1) }));
        assert_eq!(state != FloorState::Speaking, believed, "{by:?}");
    }
}

#[test]
fn who_joins_late_learns_who_speaks() {
    let mut desk = Desk::has_permission();
    let cid = MemberId([3; 16]);
    desk.give(FloorInput::Up(cid));
    assert_eq!(desk.said_to(cid), [FloorWord::Taken(claim(0, 1, 1))]);
    assert!(desk.said_to(ANN).is_empty());
}

#[test]
fn a_burst_that_nobody_played_is_missed() {
    let mut desk = Desk::has_permission();
    desk.hear(BEN, taken(8, 4));
    desk.hear(BEN, FloorWord::Released(Burst { burst: 4 }));
    assert!(desk.told(FloorEvent::Missed { member: BEN, burst: 4 }));
    let mut desk = Desk::has_no_permission();
    desk.hear(ANN, FloorWord::Released(Burst { burst: 1 }));
    assert!(!desk.told(FloorEvent::Missed { member: ANN, burst: 1 }), "it was played");
}

#[test]
fn a_made_up_counter_neither_uses_the_clock_up_nor_silences_who_was_lied_to() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.hear(ANN, taken(u64::MAX, 1)),
        FloorState::Taken(ANN),
        "it is Ann's burst, and the worst claim there is"
    );
    assert_eq!(desk.hear(BEN, taken(1, 1)), FloorState::Taken(BEN));
    desk.hear(BEN, FloorWord::Released(Burst { burst: 1 }));
    desk.hear(ANN, FloorWord::Released(Burst { burst: 1 }));
    desk.give(FloorInput::Press(Priority::Normal));
    let [FloorWord::Taken(ours)] = desk.said_to(ANN)[..] else { panic!("{:?}", desk.out) };
    assert!(ours.counter < 1 << 33, "our clock has room: {}", ours.counter);
    // Somebody else was lied to and counts far ahead of us: they are heard all the same.
    let mut desk = Desk::new();
    assert_eq!(desk.hear(BEN, taken(9 << 32, 1)), FloorState::Taken(BEN));
    let mut desk = Desk::has_permission();
    desk.hear(BEN, request(0, u64::MAX));
    assert_eq!(desk.said_to(BEN), [FloorWord::Queued(Position { position: 1 })]);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn there_are_never_two_speakers_longer_than_a_word_travels() {
    if let Some(seed) = number("FLOOR_SEED") {
        live(seed);
        return;
    }
    let count = number("FLOOR_SEEDS").unwrap_or(10_000);
    let (mut spoken, mut collisions, mut queued, mut splits) = (0, 0, 0, 0);
    for seed in 0..count {
        let World { tally, .. } = live(seed);
        spoken += tally.spoken;
        collisions += tally.collisions;
        queued += tally.queued;
        splits += tally.splits;
    }
    let happened = spoken > 4 * count && collisions > count / 2 && queued > count && splits > count / 4;
    assert!(happened, "{spoken} bursts, {collisions} collisions, {queued} from a queue, {splits} splits");
}

#[test]
fn whatever_liars_say_two_honest_members_never_speak_at_once_and_agree_once_the_liars_are_out() {
    let count = number("FLOOR_SEEDS").unwrap_or(10_000) / 5;
    let (mut spoken, mut lies) = (0, 0);
    for seed in 0..count {
        let World { tally, .. } = live_among_liars(seed);
        spoken += tally.spoken;
        lies += tally.lies;
    }
    assert!(spoken > count && lies > 50 * count, "{spoken} bursts among {lies} lies");
}
