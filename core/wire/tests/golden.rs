//! The bytes of every message, kept: a change that another version could not read shows here.

use std::net::SocketAddr;

use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use sidetone_wire::account::*;
use sidetone_wire::connect::*;
use sidetone_wire::encounter::*;
use sidetone_wire::envelope::*;
use sidetone_wire::floor::*;
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use sidetone_wire::member::*;
use sidetone_wire::path::*;
use sidetone_wire::push::{DeviceToken, Push, PushAddress, PushKey, WebPush};
use sidetone_wire::record::{Record, *};
use sidetone_wire::room::*;
use sidetone_wire::stranger;
use sidetone_wire::stranger::{Challenge, Leave, Lobby, Match, MatchEnd, MatchOver, Matched, Media, Reason, Report};
use sidetone_wire::stranger::{Seek, Shown, StrangerDelivered, StrangerEnvelope, Ticket};
use sidetone_wire::transfer::*;
use sidetone_wire::{decode, encode};

const GOLDEN: &str = include_str!("golden.txt");

fn person() -> Person {
    let (user, identity) = (UserId([1; 16]), IdentityKey([2; 32]));
    Person { user, name: "ada".into(), identity, relation: Relation::Friend, online: true }
}

fn requests() -> Vec<Request> {
    let name = || "Ada".to_owned();
    let bytes = || ByteBuf::from([9, 8, 7]);
    let user = User { user: UserId([1; 16]) };
    let (identity, device) = (IdentityKey([2; 32]), DeviceId([3; 16]));
    let register =
        RegisterFinish { ticket: bytes(), record: bytes(), email: "ada@example.org".into(), identity, device };
    vec![
        Request::RegisterStart(OpaqueStart { name: name(), message: bytes() }),
        Request::RegisterFinish(register),
        Request::LoginStart(OpaqueStart { name: name(), message: bytes() }),
        Request::LoginFinish(LoginFinish { ticket: bytes(), message: bytes(), identity, device }),
        Request::Logout(Empty::default()),
        Request::Roster(Page { page: 2 }),
        Request::Befriend(Name { name: name() }),
        Request::Accept(user),
        Request::Decline(user),
        Request::Unfriend(user),
        Request::Block(user),
        Request::Unblock(user),
        Request::Route(Envelope { to: user.user, class: Class::Ring, bytes: bytes() }),
        Request::Relays(Empty::default()),
        Request::Export(Page { page: 0 }),
        Request::Delete(Empty::default()),
    ]
}

const ROOM: RoomId = RoomId([0x21; 16]);
const MEMBER: MemberId = MemberId([0x22; 16]);
const ATTEMPT: AttemptId = AttemptId([0x23; 16]);
const PLATE: Nameplate = Nameplate(4_711);

fn room_requests() -> Vec<Request> {
    let bytes = || ByteBuf::from([9, 8, 7]);
    let (room, seat) = (Room { room: ROOM }, Seat { room: ROOM, member: MEMBER });
    let open = |keep| {
        let (owner, seats) = (Secret([4; 32]), Seats::new(16).expect("a number of seats"));
        let (relay, scope) = (RelayRule::Forbidden, Scope::Link);
        Request::OpenRoom(OpenRoom { room: ROOM, member: MEMBER, owner, relay, seats, scope, keep })
    };
    vec![
        open(None),
        open(Some(Keep { name: RoomName::parse("Kitchen") })),
        Request::EnterRoom(EnterRoom { room: ROOM, member: MEMBER }),
        Request::LeaveRoom(room),
        Request::RouteRoom(RoomEnvelope { room: ROOM, to: MEMBER, class: Class::Connect, bytes: bytes() }),
        Request::RoomRelays(room),
        Request::Kick(seat),
        Request::Ban(seat),
        Request::Pardon(room),
        Request::LockRoom(LockRoom { room: ROOM, locked: true }),
        Request::CloseRoom(room),
        Request::OpenPlate(OpenPlate { room: ROOM, valid_ms: 0 }),
        Request::BurnPlate(PlateNumber { plate: PLATE }),
        Request::Knock(Knock { plate: PLATE, attempt: ATTEMPT, bytes: bytes() }),
        Request::Say(Said { attempt: ATTEMPT, bytes: bytes() }),
        Request::Judge(Judged { attempt: ATTEMPT, verdict: Verdict::Wrong }),
        Request::Rooms(Page { page: 0 }),
    ]
}

fn room_replies() -> Vec<Reply> {
    let (name, relay, scope) = (RoomName::parse("Kitchen"), RelayRule::Allowed, Scope::Friends);
    let kept = KeptRoom { room: ROOM, name, relay, seats: Seats::new(2).expect("a number of seats"), scope };
    vec![
        Reply::Entered(Entered { others: vec![MEMBER] }),
        Reply::Plate(Plate { plate: PLATE, valid_ms: 600_000 }),
        Reply::Rooms(Rooms { rooms: vec![kept], more: false }),
    ]
}

fn room_events() -> Vec<Event> {
    let bytes = || ByteBuf::from([9, 8, 7]);
    vec![
        Event::Came(Seat { room: ROOM, member: MEMBER }),
        Event::Went(Went { room: ROOM, member: MEMBER, why: Parting::Lost }),
        Event::RoomSealed(RoomDelivered { room: ROOM, from: MEMBER, class: Class::Control, bytes: bytes() }),
        Event::PutOut(PutOut { room: ROOM, member: MEMBER, why: OutWhy::Banned }),
        Event::Knocked(Knocked { plate: PLATE, attempt: ATTEMPT, bytes: bytes() }),
        Event::Said(Said { attempt: ATTEMPT, bytes: bytes() }),
        Event::AttemptOver(AttemptOver { attempt: ATTEMPT, why: Over::Unanswered }),
        Event::Burned(Burned { plate: PLATE, why: BurnedWhy::Failed }),
    ]
}

fn replies() -> Vec<Reply> {
    let bytes = || ByteBuf::from([9, 8, 7]);
    let signed_in = SignedIn { user: UserId([1; 16]), name: "ada".into(), token: Secret([4; 32]) };
    let (username, password) = ("1:tag".to_owned(), "secret".to_owned());
    vec![
        Reply::Done(Empty::default()),
        Reply::Opaque(OpaqueReply { ticket: bytes(), message: bytes(), name: "ada".into() }),
        Reply::SignedIn(signed_in),
        Reply::Roster(Roster { people: vec![person()], more: false }),
        Reply::Person(person()),
        Reply::Relays(Relays { urls: vec!["stun:127.0.0.1:3478".into()], username, password, valid_ms: 600_000 }),
        Reply::Export(ExportPage { json: bytes(), more: true }),
    ]
}

const TICKET: TicketId = TicketId([0x31; 16]);
const MATCH: MatchId = MatchId([0x32; 16]);
const INTEREST: InterestTag = InterestTag([0x33; 16]);

fn stranger_frames() -> Vec<Frame> {
    let bytes = || ByteBuf::from([9, 8, 7]);
    let seek = |proof| {
        let interests = vec![INTEREST];
        Request::Seek(Seek { ticket: TICKET, media: Media::Voice, interests, adult: true, proof, frank: None })
    };
    let requests = [
        seek(None),
        seek(Some(70_000)),
        Request::Unseek(Ticket { ticket: TICKET }),
        Request::Consent(Match { id: MATCH }),
        Request::Part(stranger::Part { id: MATCH, how: Leave::Block }),
        Request::RouteStranger(StrangerEnvelope { id: MATCH, class: Class::Connect, bytes: bytes() }),
        Request::StrangerRelays(Match { id: MATCH }),
        Request::Again(Match { id: MATCH }),
        Request::Report(Report { token: bytes(), reason: Reason::Spam, shown: Vec::new() }),
        Request::Lobby(Empty::default()),
    ];
    let common = || vec![INTEREST];
    let matched = |frank| {
        Event::Matched(Matched { id: MATCH, ticket: TICKET, first: true, common: common(), report: bytes(), frank })
    };
    let events = [
        matched(None),
        Event::Begun(Match { id: MATCH }),
        Event::StrangerSealed(StrangerDelivered { id: MATCH, class: Class::Control, bytes: bytes() }),
        Event::MatchOver(MatchOver { id: MATCH, why: MatchEnd::Unwanted, waiting: true }),
        Event::NobodyThere(Ticket { ticket: TICKET }),
    ];
    let mut frames =
        vec![Frame::Reply(Granted { id: RequestId(300), reply: Reply::Prove(Challenge { seed: bytes(), bits: 16 }) })];
    frames.extend(requests.into_iter().map(|request| Frame::Request(Numbered { id: RequestId(300), request })));
    frames.extend(events.into_iter().map(|event| Frame::Event(Told { seq: Seq(8), event })));
    frames.push(Frame::Reply(Granted { id: RequestId(300), reply: Reply::Lobby(Lobby { active: 12 }) }));
    frames
}

fn frames() -> Vec<Frame> {
    let resume = Resume { session: SessionId([5; 16]), secret: Secret([6; 32]), last: Seq(7) };
    let hello = Hello { oldest: 1, newest: 1, token: Some(Secret([4; 32])), resume: Some(resume) };
    let (session, secret, user) = (SessionId([5; 16]), Secret([6; 32]), Some(UserId([1; 16])));
    let refusal = Refusal { code: Code::TooMany, retry_ms: 500 };
    let sealed = Delivered { from: UserId([1; 16]), class: Class::Control, bytes: ByteBuf::from([9; 4]) };
    let events = [
        Event::Person(person()),
        Event::Gone(User { user: UserId([1; 16]) }),
        Event::Presence(Presence { user: UserId([1; 16]), online: false }),
        Event::Sealed(sealed),
        Event::Announcement(Announcement { text: "Back at nine.".into() }),
        Event::Revoked(refusal),
    ];
    let mut frames = vec![
        Frame::Hello(hello),
        Frame::Hello(Hello { oldest: 1, newest: 3, token: None, resume: None }),
        Frame::Welcome(Welcome { version: 1, session, secret, resumed: true, user }),
        Frame::Refused(Refused { id: RequestId(300), refusal }),
        Frame::Ack(Acked { seq: Seq(7) }),
        Frame::Ping(Empty::default()),
        Frame::Pong(Empty::default()),
        Frame::Goaway(refusal),
    ];
    frames.extend(requests().into_iter().map(|request| Frame::Request(Numbered { id: RequestId(300), request })));
    frames.extend(replies().into_iter().map(|reply| Frame::Reply(Granted { id: RequestId(300), reply })));
    frames.extend(events.into_iter().map(|event| Frame::Event(Told { seq: Seq(8), event })));
    frames.extend(room_requests().into_iter().map(|request| Frame::Request(Numbered { id: RequestId(300), request })));
    frames.extend(room_replies().into_iter().map(|reply| Frame::Reply(Granted { id: RequestId(300), reply })));
    frames.extend(room_events().into_iter().map(|event| Frame::Event(Told { seq: Seq(8), event })));
    frames.extend(stranger_frames());
    frames
}

fn offer(kind: FileKind) -> FileOffer {
    let (name, mime, key) = (FileName::parse("Ferien \u{1f3d6}.jpg"), Mime::parse("image/jpeg"), Secret([4; 32]));
    let thumbnail = Thumbnail::new([0xff, 0xd8, 0xff]).expect("small");
    let picture = Picture { width: 4_000, height: 3_000, thumbnail };
    let voice = Voice { duration_ms: 61_000, waveform: Waveform::new([0, 128, 255]).expect("few") };
    FileOffer {
        transfer: TransferId([5; 16]),
        name: name.expect("a name"),
        size: FileSize::new(5_000_000_000).expect("not too long"),
        mime: mime.expect("a type"),
        kind,
        digest: Digest([3; 32]),
        key,
        picture: (kind == FileKind::Image).then_some(picture),
        voice: (kind == FileKind::Voice).then_some(voice),
    }
}

fn records() -> Vec<Record> {
    let ufrag = IceToken::parse("abcd").expect("a fragment");
    let pwd = IceToken::parse("0123456789012345678901").expect("a password");
    let candidate = |address: &str| {
        let address: SocketAddr = address.parse().expect("an address");
        let address = Address::parse(address).expect("a usable address");
        Record::Candidate(Candidate { kind: CandidateKind::Host, address, priority: 2_130_706_431, foundation: 1 })
    };
    let mark = Mark { lane: LaneId([8; 16]), up_to: ItemSeq(3) };
    let item = |body| Record::Item(Item { lane: mark.lane, seq: ItemSeq(4), at: UnixMs(1_700_000_000_000), body });
    let transfer = TransferId([5; 16]);
    let about = |word| Record::Transfer(TransferWord { transfer, word });
    let end = FileEnd { transfer, why: FileWhy::Declined };
    let call = |word| Record::Call(CallWord { call: CallId([7; 16]), word });
    let text = |words: &str| Text::parse(words).expect("a text");
    let message = MessageId { lane: LaneId([6; 16]), seq: ItemSeq(2) };
    let reactions = |emoji: &[&str]| Reactions::parse(emoji.iter().map(|one| one.to_string())).expect("few");
    vec![
        Record::Ready(Empty::default()),
        Record::Connect(Description { ufrag, pwd, fingerprint: Fingerprint([9; 32]) }),
        candidate("192.0.2.7:4000"),
        candidate("[2001:db8::7]:4000"),
        item(Body::Text(Text::parse("Ciao \u{1f44b}").expect("a text"))),
        item(Body::Read(mark)),
        Record::Received(mark),
        call(Word::Ring(Empty::default())),
        call(Word::Alerting(Empty::default())),
        call(Word::Answer(Empty::default())),
        call(Word::Key(MediaKey { generation: 1, base: KeyBytes::new(&[4; 33]).expect("short") })),
        call(Word::End(Ended { why: Why::Busy })),
        call(Word::Microphone(Microphone { on: false })),
        call(Word::Shows(Shows { camera: true, screen: true, motion: false })),
        call(Word::Wants(Wants { camera: 360, screen: 0 })),
        Record::Bye(Empty::default()),
        Record::Typing(Empty::default()),
        Record::Wanted(Empty::default()),
        item(Body::Words(Words { text: text("Yes"), reply: Some(message), stay_s: Some(3_600) })),
        item(Body::Words(Words { text: text("Yes"), reply: None, stay_s: None })),
        item(Body::Edit(Edit { message, text: text("No") })),
        item(Body::Delete(message)),
        item(Body::React(React { message, emoji: reactions(&["\u{1f44d}", "\u{2764}\u{fe0f}"]) })),
        item(Body::React(React { message, emoji: reactions(&[]) })),
        item(Body::Timer(Stay { seconds: Some(86_400) })),
        item(Body::Timer(Stay { seconds: None })),
        item(Body::Gone(Stay { seconds: None })),
        item(Body::File(offer(FileKind::File))),
        item(Body::File(offer(FileKind::Image))),
        item(Body::File(offer(FileKind::Voice))),
        item(Body::FileEnd(end)),
        about(FileWord::Want(Chunk { index: 70_000 })),
        about(FileWord::Paused(Empty::default())),
        about(FileWord::Ready(Empty::default())),
        about(FileWord::Over(end)),
    ]
}

fn room_records() -> Vec<Record> {
    let name = || RoomName::parse("Ada").expect("a name");
    let poise = Poise { hand: true, microphone: false };
    let listed = Listed { member: MEMBER, key: IdentityKey([5; 32]), name: name() };
    let out =
        vec![Outcast { member: MEMBER, banned: None }, Outcast { member: MEMBER, banned: Some(IdentityKey([5; 32])) }];
    let words = [
        RoomWord::Hello(MemberHello { name: name(), room: Some(name()), poise }),
        RoomWord::Key(MediaKey { generation: 1, base: KeyBytes::new(&[4; 33]).expect("short") }),
        RoomWord::Roll(Roll { members: vec![listed] }),
        RoomWord::Rule(Rule { version: 2, locked: true, admitted: vec![MEMBER], out, secret: None }),
        RoomWord::Text(Text::parse("hi").expect("a text")),
        RoomWord::React(Reaction::parse("\u{1f44b}").expect("a reaction")),
        RoomWord::Poise(poise),
        RoomWord::MuteAsked(Empty::default()),
        RoomWord::Close(Empty::default()),
        RoomWord::Leaving(Empty::default()),
        RoomWord::Rule(Rule { version: 3, secret: Some(Secret([8; 32])), ..Rule::default() }),
        RoomWord::Shows(Shows { camera: false, screen: true, motion: true }),
        RoomWord::Wants(Wants { camera: 180, screen: u16::MAX }),
    ];
    words.into_iter().map(Record::Room).collect()
}

fn floor_records() -> Vec<Record> {
    let claim = Claim { priority: 1, counter: 7, burst: 3 };
    let words = [
        FloorWord::Taken(claim),
        FloorWord::Released(Burst { burst: 3 }),
        FloorWord::Request(FloorRequest { priority: 0, counter: 8 }),
        FloorWord::Cancel(Empty::default()),
        FloorWord::Queued(Position { position: 2 }),
        FloorWord::Denied(FloorDenied { why: DenyWhy::QueueFull }),
        FloorWord::Granted(Grant { burst: 3, to: MEMBER }),
        FloorWord::Held(Held { by: MEMBER, claim }),
    ];
    words.into_iter().map(Record::Floor).collect()
}

fn stranger_records() -> Vec<Record> {
    let nonce = Nonce([6; 32]);
    let text = || Text::parse("hi").expect("a text");
    let hello = |language: Option<&str>, same| StrangerHello {
        nickname: Nickname::parse("Moth").expect("a nickname"),
        language: language.and_then(Language::parse),
        same,
    };
    let loud = |points: &[u8]| Loud::new(points.to_vec()).expect("few");
    let media = |kind, shape, waveform| StrangerMedia { number: 2, kind, length: 70_000, shape, waveform };
    let bytes = PieceBytes::new(vec![9, 8, 7]).expect("few");
    let words = [
        StrangerWord::Hello(hello(Some("pt-BR"), Some(nonce))),
        StrangerWord::Hello(hello(None, None)),
        StrangerWord::Text(StrangerText { number: 1, text: text(), frank: Some(Frank([7; 64])) }),
        StrangerWord::Text(StrangerText { number: 1, text: text(), frank: None }),
        StrangerWord::Media(media(MediaKind::Image, (640, 480), Loud::default())),
        StrangerWord::Media(media(MediaKind::Note, (2_000, 0), loud(&[1, 2, 3]))),
        StrangerWord::Piece(Piece { number: 2, at: 16_384, bytes }),
        StrangerWord::Got(Got { number: 2, bytes: 3 }),
        StrangerWord::Direct(Direct { on: true }),
        StrangerWord::WordsWanted(Empty::default()),
        StrangerWord::Commit(nonce),
        StrangerWord::Answer(nonce),
        StrangerWord::Reveal(nonce),
        StrangerWord::Leaving(Empty::default()),
    ];
    words.into_iter().map(Record::Stranger).collect()
}

fn path_records() -> Vec<Record> {
    let pwd = IceToken::parse("0123456789012345678901").expect("a password");
    let ufrag = IceToken::parse("abcd").expect("a fragment");
    let address = Address::parse("192.0.2.7:4000".parse().expect("an address")).expect("a usable address");
    let words = [
        PathWord::End(Description { ufrag, pwd, fingerprint: Fingerprint([9; 32]) }),
        PathWord::Candidate(Candidate { kind: CandidateKind::Host, address, priority: 1, foundation: 1 }),
        PathWord::Moved(Empty::default()),
        PathWord::Wanted(Empty::default()),
        PathWord::Willing(Empty::default()),
    ];
    words.into_iter().map(Record::Path).collect()
}

fn franked_frames() -> Vec<Frame> {
    let bytes = || ByteBuf::from([9, 8, 7]);
    let (key, frank) = (Some(IdentityKey([5; 32])), Frank([7; 64]));
    let shown = vec![Shown { number: 3, text: Text::parse("hi").expect("a text"), frank }];
    let (media, interests) = (Media::Text, vec![]);
    let requests = [
        Request::Seek(Seek { ticket: TICKET, media, interests, adult: false, proof: None, frank: key }),
        Request::Report(Report { token: bytes(), reason: Reason::Abuse, shown }),
    ];
    let matched = Matched { id: MATCH, ticket: TICKET, first: false, common: vec![], report: bytes(), frank: key };
    let mut frames: Vec<Frame> = vec![Frame::Event(Told { seq: Seq(8), event: Event::Matched(matched) })];
    frames.extend(requests.into_iter().map(|request| Frame::Request(Numbered { id: RequestId(300), request })));
    frames
}

fn push_frames() -> Vec<Frame> {
    let web = WebPush { endpoint: "https://push.example/1".into(), key: vec![4; 65].into(), auth: vec![5; 16].into() };
    let token = || DeviceToken { token: "0f".into() };
    let addresses = [PushAddress::Web(web), PushAddress::Apple(token()), PushAddress::Firebase(token())];
    let requests = addresses.into_iter().map(Some).chain([None]).map(|address| Request::SetPush(Push { address }));
    let requests = requests.chain([Request::PushKey(Empty::default())]);
    let mut frames: Vec<Frame> =
        requests.map(|request| Frame::Request(Numbered { id: RequestId(300), request })).collect();
    let reply = Reply::PushKey(PushKey { key: vec![4; 65].into() });
    frames.push(Frame::Reply(Granted { id: RequestId(300), reply }));
    frames
}

fn sealed() -> Vec<Sealed> {
    let part = || Part { pairing: PairingId([3; 16]), bytes: ByteBuf::from([1, 2, 3]) };
    vec![Sealed::Hello(part()), Sealed::Answer(part()), Sealed::Record(part()), Sealed::Confirm(part())]
}

fn lines<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(form: &str, values: &[T]) -> Vec<String> {
    let line = |value: &T| {
        let bytes = encode(value, usize::MAX).expect("no limit");
        assert_eq!(decode::<T>(&bytes, usize::MAX).as_ref(), Ok(value));
        format!("{form} {}", hex::encode(bytes))
    };
    values.iter().map(line).collect()
}

#[test]
fn every_message_keeps_its_bytes() {
    let (frames, records) = (lines("frame", &frames()), lines("record", &records()));
    let all = [
        frames,
        records,
        lines("sealed", &sealed()),
        lines("record", &floor_records()),
        lines("record", &room_records()),
        lines("record", &stranger_records()),
        lines("record", &path_records()),
        lines("frame", &franked_frames()),
        lines("frame", &push_frames()),
    ]
    .concat();
    let kept: Vec<&str> = GOLDEN.lines().collect();
    if let Some(path) = std::env::var_os("GOLDEN_WRITE") {
        std::fs::write(path, all.join("\n") + "\n").expect("the file is writable");
        return;
    }
    assert_eq!(all, kept);
}

#[test]
fn a_reader_skips_fields_and_names_kinds_that_it_does_not_know() {
    // {0: h'01..01', 9: "new"}: a later version's User.
    let newer = [&[0xa2, 0x00, 0x50][..], &[1; 16], &[0x09, 0x63], b"new"].concat();
    assert_eq!(decode::<User>(&newer, 100), Ok(User { user: UserId([1; 16]) }));
    // [4711, {}]
    let unknown = [0x82, 0x19, 0x12, 0x67, 0xa0];
    assert_eq!(Frame::from_bytes(&unknown), Err(sidetone_wire::DecodeError::UnknownKind(4711)));
    assert_eq!(decode::<Why>(&[0x19, 0x12, 0x67], 100), Ok(Why::Unknown));
}
