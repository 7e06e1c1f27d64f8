//! Inputs made from real messages, from which the fuzzer starts.

use proving::world::World;
use sidetone::transfer::frame::Frame as FileFrame;
use sidetone_crypto::code::{Holder, Knock, Open, SpokenCode};
use sidetone_crypto::handshake::{Initiator, Pattern, Responder};
use sidetone_crypto::identity::Identity;
use sidetone_crypto::padding::padded;
use sidetone_crypto::room::{Invitation, Policy, RoomSecret, Ticket};
use sidetone_crypto::safety::{Fingerprint, SafetyCode};
use sidetone_crypto::sframe::{BaseKey, Sealer};
use sidetone_crypto::vault::Vault;
use sidetone_engine::row::Table;
use sidetone_engine::{Command, Password};
use sidetone_wire::account::{Empty, Reply};
use sidetone_wire::envelope::Sealed;
use sidetone_wire::frame::{Frame, Granted};
use sidetone_wire::id::{CallId, ItemSeq, KeyBytes, LaneId, TransferId, UnixMs};
use sidetone_wire::record::{Body, CallWord, Ended, Item, Mark, MediaKey, Record, Text, Why, Word};
use zeroize::Zeroizing;

/// A door, a name, the bytes.
type Seed = (&'static str, String, Vec<u8>);

const GOLDEN: &str = include_str!("../../../core/wire/tests/golden.txt");

/// All of them.
pub fn all() -> Vec<Seed> {
    let mut seeds = [golden(), world(), sealed()].concat();
    seeds.push(("desk", "frames".to_owned(), frames_at_desk()));
    seeds.push(("desk", "friends".to_owned(), friends_at_desk()));
    seeds.push(("engine", "texts".to_owned(), texts()));
    seeds.push(("engine", "incoming".to_owned(), incoming_call()));
    seeds.push(("engine", "outgoing".to_owned(), outgoing_call()));
    seeds.push(("engine", "lost".to_owned(), lost()));
    seeds.push(("engine", "unanswered".to_owned(), unanswered()));
    seeds.extend(sounds());
    seeds.extend(tickets());
    seeds.extend(files());
    seeds
}

/// What file pumps say, and an image.
fn files() -> Vec<Seed> {
    let transfer = TransferId([7; 16]);
    let frames = [
        ("begin", FileFrame::Begin { run: 1, transfer, from: 2, header: Box::new([3; 56]) }),
        ("chunks", FileFrame::Chunks { run: 1, index: 2, sealed: (&[4; 40][..]).into() }),
        ("have", FileFrame::Have(transfer, 5)),
        ("again", FileFrame::Again(transfer, 6)),
        ("where", FileFrame::Where(transfer)),
    ];
    let image = include_bytes!("../../../core/cli/pictures/vienna.png").to_vec();
    let frames = frames.into_iter().map(|(name, frame)| ("file_frame", name.to_owned(), frame.write().to_vec()));
    frames.chain([("picture", "png".to_owned(), image)]).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// One of every message.
fn golden() -> Vec<Seed> {
    let lines = GOLDEN.lines().enumerate().filter_map(|(number, line)| Some((number + 1, line.split_once(' ')?)));
    let seed = |(number, (form, hex)): (usize, (&str, &str))| {
        let (name, bytes) = (format!("golden-{number:02}"), bytes_of(hex));
        match form {
            "frame" => ("frame", name, bytes),
            "record" => ("record", name, bytes),
            _ => ("envelope", name, [&(bytes.len() as u16).to_be_bytes(), &bytes[..], &[0; 8]].concat()),
        }
    };
    lines.map(seed).collect()
}

/// What two simulated friends keep and are answered.
fn world() -> Vec<Seed> {
    let mut world = World::friends(7);
    world.say(0, 1, "hello");
    world.run(20_000);
    world.say(1, 0, "and you?");
    world.connect(2);
    world.run(10_000);
    let password = Password(Zeroizing::new("wrong".to_owned()));
    let _ = world.ask(2, Command::SignIn { name: "ada".to_owned(), password });
    let rows = [0, 1].into_iter().flat_map(|phone| world.phones[phone].disk());
    let row = |(number, (place, value)): (usize, (&sidetone_engine::row::Place, &Vec<u8>))| {
        let table = Table::ALL.iter().position(|table| *table == place.table).expect("a table");
        ("row", format!("{number:02}"), [&[table as u8], &value[..]].concat())
    };
    let mut seeds: Vec<Seed> = rows.enumerate().map(row).collect();
    let answers = world.tap.seen.iter().filter_map(|bytes| match Frame::from_bytes(bytes) {
        Ok(Frame::Reply(Granted { reply: Reply::Opaque(opaque), .. })) => Some(opaque.message.into_vec()),
        _ => None,
    });
    seeds.extend(answers.enumerate().map(|(number, bytes)| ("login", format!("{number}"), bytes)));
    let kinds = |sealed: &Sealed| match sealed {
        Sealed::Hello(_) => "hello",
        Sealed::Answer(_) => "answer",
        Sealed::Record(_) => "record",
        Sealed::Confirm(_) => "confirm",
    };
    for wanted in ["hello", "answer", "record"] {
        let unpadded = world.tap.delivered.iter().map(|(_, delivered)| delivered.bytes.to_vec());
        let found =
            unpadded.into_iter().find(|bytes| Sealed::unpad(bytes).is_ok_and(|sealed| kinds(&sealed) == wanted));
        seeds.push(("envelope", wanted.to_owned(), found.expect("there was one")));
    }
    seeds
}

/// Messages of the keys and seeds that the doors of the cryptography hold.
fn sealed() -> Vec<Seed> {
    let (ada, ben) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
    let psk = [7; 32];
    let patterns = [
        (
            "friends",
            Pattern::Friends { own: &ada, peer: ben.public() },
            Pattern::Friends { own: &ben, peer: ada.public() },
        ),
        ("room", Pattern::Room { own: &ada, psk: &psk }, Pattern::Room { own: &ben, psk: &psk }),
        ("strangers", Pattern::Strangers, Pattern::Strangers),
    ];
    let mut seeds: Vec<Seed> = Vec::new();
    for (name, theirs, ours) in patterns {
        let (waiting, one) = Initiator::start(&theirs, b"", b"", [3; 32]).expect("message 1");
        let (opened, _) = Responder::open(&ours, b"", &one, [4; 32]).expect("it opens");
        let two = if name == "room" {
            let (_, two) = opened.challenge(b"").expect("message 2");
            let (_, three, _) = waiting.confirm(&two, b"").expect("message 3");
            seeds.push(("message3", name.to_owned(), three));
            two
        } else {
            let (theirs, two) = opened.answer(b"").expect("message 2");
            let (mut ada, _) =
                waiting.finish(&two).map(|(session, rest)| (session.channels().signal, rest)).expect("keys");
            let mut ben = theirs.channels().signal;
            if name == "strangers" {
                seeds.push(("sealed_record", "ada".to_owned(), ada.seal(0, b"to ben").expect("a record")));
                seeds.push(("sealed_record", "ben".to_owned(), ben.seal(0, b"to ada").expect("a record")));
                seeds.push(("sealed_record", "rekey".to_owned(), ada.rekey(0, [5; 32]).expect("an offer")));
            }
            two
        };
        seeds.push(("message1", name.to_owned(), one));
        seeds.push(("message2", name.to_owned(), two));
    }
    for (kind, len) in [(0_u8, 20_usize), (1, 20), (1, 1_216), (2, 1_120), (3, 0)] {
        let mut inside = [&[kind][..], &(len as u32).to_be_bytes(), &vec![9; len]].concat();
        inside.resize(padded(inside.len()), 0);
        seeds.push(("record_inside", format!("{kind}-{len}"), inside));
    }
    seeds.extend(keys(&ada, &ben));
    seeds
}

fn keys(ada: &Identity, ben: &Identity) -> Vec<Seed> {
    let base = BaseKey::from_seed([1; 32]);
    let mut seeds: Vec<Seed> = vec![("media_frame", "key".to_owned(), base.to_bytes().to_vec())];
    for generation in [0, 1] {
        let mut frame = Vec::new();
        Sealer::new(&base, generation, 0).seal(&[5; 40], &mut frame).expect("a frame");
        seeds.push(("media_frame", format!("generation-{generation}"), frame));
    }
    let prints = [ada, ben].map(|identity| Fingerprint::of(b"someone", &identity.public()));
    seeds.push(("safety_code", "code".to_owned(), SafetyCode::new(prints[0], prints[1]).encode()));
    seeds.push(("vault", "wrapped".to_owned(), Vault::create(&[1; 32], [2; 32]).1));
    seeds
}

/// How people get into rooms.
fn tickets() -> Vec<Seed> {
    let code = SpokenCode::from_seed(7, Open::Shortly, [1; 32]).expect("a nameplate");
    let (knock, one) = Knock::start(&code, "here", [3; 32]);
    let (holder, two) = Holder::answer(&code, "here", &one, [2; 32]).expect("a knock");
    let (_, three) = knock.prove(&two).expect("an answer");
    let four = holder.give(&three, b"gift").expect("the words are right");
    let creator = Identity::from_seed([1; 32]).public();
    let invitation = Invitation { secret: RoomSecret::from_seed([1; 32]), policy: Policy::default(), creator };
    let bytes = invitation.to_bytes().to_vec();
    let host = "meet.example:8443".to_owned();
    let link = Ticket::Link { host: host.clone(), invitation }.text().as_bytes().to_vec();
    let spoken = Ticket::Code { host, code: code.clone() }.text().as_bytes().to_vec();
    vec![
        ("ticket", "link".to_owned(), link),
        ("ticket", "code".to_owned(), spoken),
        ("ticket", "invitation".to_owned(), bytes),
        ("spoken_code", "typed".to_owned(), code.to_string().into_bytes()),
        ("spoken_code", "one".to_owned(), one),
        ("spoken_code", "two".to_owned(), two),
        ("spoken_code", "three".to_owned(), three),
        ("spoken_code", "four".to_owned(), four),
    ]
}

fn block(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

// Scripts, in the numbers of `doors::desk`, `doors::engine` and `doors::playout`.

fn frames_at_desk() -> Vec<u8> {
    let mut script = vec![2, 1, 2, 2, 3, 0, 1, 3, 1, 2, 5];
    for line in GOLDEN.lines().filter_map(|line| line.strip_prefix("frame 8203")) {
        script.extend([7, 0]);
        script.extend(block(&bytes_of(&format!("8203{line}"))));
        script.push(5);
    }
    script
}

/// Two friends hear each other come, go, come back and route.
fn friends_at_desk() -> Vec<u8> {
    let to_ben = "8203a2000501820da300500202020202020202020202020202020202010102";
    let route = [&bytes_of(to_ben)[..], &[0x59, 1, 0], &[9; 256]].concat();
    let mut script = vec![2, 1, 3, 0, 1, 5, 2, 2, 3, 1, 2, 5, 7, 0];
    script.extend(block(&route));
    script.extend([5, 4, 1, 0, 5, 7, 0]);
    script.extend(block(&route));
    script.extend([5, 1, 0, 200, 5, 6, 0xff, 5]);
    script
}

fn item(seq: u64, body: Body) -> Vec<u8> {
    let item = Item { lane: LaneId([8; 16]), seq: ItemSeq(seq), at: UnixMs(1_790_000_000_000), body };
    Record::Item(item).to_bytes().expect("short")
}

fn call(word: Word) -> Vec<u8> {
    Record::Call(CallWord { call: CallId([7; 16]), word }).to_bytes().expect("short")
}

/// A session and a link, made by the friend.
const LINK: [u8; 4] = [5, 6, 18, 9];

/// Two texts each way over a link of theirs.
pub fn texts() -> Vec<u8> {
    let text = |text: &str| Body::Text(Text::parse(text).expect("a text"));
    let mark = Mark { lane: LaneId([8; 16]), up_to: ItemSeq(2) };
    let mut script = LINK.to_vec();
    for (seq, said) in [(1, text("one")), (2, text("two")), (3, Body::Read(mark))] {
        script.push(8);
        script.extend(block(&item(seq, said)));
    }
    for said in ["three", "four"] {
        script.push(11);
        script.extend(block(said.as_bytes()));
        script.push(23);
    }
    script.push(8);
    script.extend(block(&Record::Received(mark).to_bytes().expect("short")));
    script.extend([11, 0, 0, 13, 1, 0, 70, 0, 0, 10]);
    script
}

/// They ring, we answer, the link comes up, both speak, they hang up.
pub fn incoming_call() -> Vec<u8> {
    let base = BaseKey::from_seed([1; 32]).to_bytes();
    let key = Word::Key(MediaKey { generation: 1, base: KeyBytes::new(&base).expect("short") });
    let mut script = vec![5, 6, 18, 7];
    script.extend(block(&call(Word::Ring(Empty::default()))));
    script.extend([11, 0, 0, 16, 7]);
    script.extend(block(&call(key)));
    script.extend([9, 0, 10, 0, 8]);
    script.extend(block(&call(Word::End(Ended { why: Why::HungUp }))));
    script.extend([1, 0, 100]);
    script
}

/// We call, the friend answers our hello and the call, the link comes up.
pub fn outgoing_call() -> Vec<u8> {
    vec![11, 0, 0, 15, 6, 19, 130, 0, 19, 131, 0, 19, 132, 1, 9, 19, 2, 1, 1, 0, 9, 19, 4, 0, 1, 0, 100]
}

/// Lost sockets, lost links, restarts, refusals.
fn lost() -> Vec<u8> {
    let mut script = texts();
    script.extend([13, 1, 1, 0, 130, 13, 0, 14, 0, 15, 0, 0, 0, 16, 17]);
    script.extend(LINK);
    script.extend([10, 3, 0, 0, 0, 10, 5, 0, 11, 0, 1, b'x', 23, 0, 3, 232, 15, 2, 0, 0, 6, 1, 0, 60]);
    script
}

/// A text and then a call to a friend who is online and says nothing.
fn unanswered() -> Vec<u8> {
    vec![11, 0, 1, b'x', 23, 0, 27, 88, 1, 0, 120, 11, 0, 0, 15, 0, 27, 88, 1, 0, 50, 1, 0, 200]
}

fn sounds() -> Vec<Seed> {
    let steady: Vec<u8> = (0..20).flat_map(|_| [0, 7, 1]).collect();
    let lossy: Vec<u8> = (0..20).flat_map(|n: u8| [0, 7, 1, 2, 0, n % 3, 0, n % 3, 4, n, n]).collect();
    let gaps: Vec<u8> = (0..60).flat_map(|_| [0, 7, 1, 2, 0, 3, 0, 3, 7, 5]).collect();
    let crowd = [6, 3, 38, 3, 70, 3].into_iter().chain((0..20).flat_map(|_| [0, 32, 64, 7, 1])).collect();
    let clocks = vec![0, 0, 7, 3, 5, 255, 255, 7, 8, 6, 0, 0, 1, 0, 7, 3, 6, 2, 255, 255, 0, 0, 7, 2];
    let named = [("steady", steady), ("lossy", lossy), ("gaps", gaps), ("crowd", crowd), ("clocks", clocks)];
    named.map(|(name, bytes)| ("playout", name.to_owned(), bytes)).into()
}
