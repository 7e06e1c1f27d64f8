//! Links, policies and the keys of rooms.

use sidetone_crypto::{
    handshake::{HandshakeError, Initiator, Pattern, Responder},
    room::{
        Age, Door, INVITATION_LEN, Invitation, Policy, RENEWED_INVITATION_LEN, Relaying, Replay, RoomError, RoomSecret,
        Scope, Speaking, Ticket,
    },
};

use crate::common::{ada, ben, seed};

fn policy() -> Policy {
    Policy { speaking: Speaking::PushToTalk, ..Policy::default() }
}

fn invitation() -> Invitation {
    Invitation { secret: RoomSecret::from_seed(seed(7)), policy: policy(), creator: ada().public() }
}

fn link() -> String {
    Ticket::Link { host: "meet.example:8443".to_owned(), invitation: invitation() }.text().to_string()
}

#[test]
fn a_link_read_anywhere_opens_the_same_room() {
    let text = link();
    assert!(text.starts_with("https://meet.example:8443/r#"), "{text}");
    assert_eq!(text.len(), "https://meet.example:8443/r#".len() + 98);
    let Ok(Ticket::Link { host, invitation: read }) = Ticket::parse(&format!("  {text}\n")) else {
        unreachable!("it is a link");
    };
    let made = invitation();
    assert_eq!(host, "meet.example:8443");
    assert_eq!((read.policy, read.creator, read.secret.id()), (made.policy, made.creator, made.secret.id()));
    assert_eq!(read.secret.psk(&read.policy, &read.creator), made.secret.psk(&made.policy, &made.creator));
}

#[test]
fn a_link_for_a_code_carries_the_code() {
    let Ok(Ticket::Code { host, code }) = Ticket::parse("https://10.0.0.7:4000/c#4711-ACID-lemon") else {
        unreachable!("it is a code");
    };
    assert_eq!((host.as_str(), code.to_string().as_str()), ("10.0.0.7:4000", "4711-acid-lemon"));
    assert_eq!(*Ticket::Code { host, code }.text(), "https://10.0.0.7:4000/c#4711-acid-lemon");
}

#[test]
fn a_server_without_a_name_has_links_too() {
    for host in ["[::1]", "[2001:db8::7]:8443", "192.0.2.1", "localhost:7400"] {
        let text = link().replace("meet.example:8443", host);
        assert_eq!(Ticket::parse(&text).unwrap().host(), host);
    }
}

/// The bytes are on other people's phones: they must never change.
#[test]
fn the_keys_of_a_room_are_what_they_were() {
    let secret = RoomSecret::from_bytes(&[7; 32]);
    assert_eq!(hex::encode(secret.id()), "785d87cdd7145e88c81ac6121498eef9");
    assert_eq!(
        hex::encode(*secret.psk(&Policy::default(), &ada().public())),
        "81459da3db78f63b2607690a6f7a56c518ac4e578758f877c71e4e444b0c8bf2"
    );
    assert_eq!(hex::encode(policy().to_bytes()), "01020101000001101e");
}

#[test]
fn anything_but_a_whole_link_is_refused_by_name() {
    let text = link();
    let fragment = text.split_once('#').unwrap().1;
    for (text, why) in [
        (String::new(), RoomError::NotALink),
        ("https://meet.example/".to_owned(), RoomError::NotALink),
        (text.replace("https", "http"), RoomError::NotALink),
        (text.replace("/r#", "/r?"), RoomError::NotALink),
        (format!("{text}{}", "a".repeat(500)), RoomError::NotALink),
        (text[..text.len() - 1].to_owned(), RoomError::Damaged),
        (format!("{text}A"), RoomError::Damaged),
        (format!("{text}="), RoomError::Damaged),
        (text.replace("meet.example", "Meet.example"), RoomError::Damaged),
        (text.replace("meet.example", "meet..example"), RoomError::Damaged),
        (text.replace("meet.example", "user@meet.example"), RoomError::Damaged),
        (text.replace(":8443", ":"), RoomError::Damaged),
        (text.replace(":8443", ":70000"), RoomError::Damaged),
        (text.replace(":8443", ":080"), RoomError::Damaged),
        (format!("https:///r#{fragment}"), RoomError::Damaged),
        (format!("https://[::g]/r#{fragment}"), RoomError::Damaged),
        (format!("https://[::1]443/r#{fragment}"), RoomError::Damaged),
        ("https://meet.example/c#4711".to_owned(), RoomError::Damaged),
        ("https://meet.example/c#4711-acid-lemming".to_owned(), RoomError::Damaged),
    ] {
        assert_eq!(Ticket::parse(&text).err(), Some(why), "{text}");
    }
    for cut in 0..text.len() {
        assert!(Ticket::parse(&text[..cut]).is_err(), "{cut} characters of a link");
    }
}

#[test]
fn an_unknown_policy_is_refused_and_a_later_version_is_told_apart() {
    let good = policy().to_bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = good;
        bytes[at] = value;
        Policy::from_bytes(&bytes)
    };
    assert_eq!(with(0, 2), Err(RoomError::Version(2)));
    assert_eq!(with(0, 0), Err(RoomError::Version(0)));
    for (at, first_wrong) in [(1, 4), (2, 3), (3, 2), (4, 2), (5, 2), (6, 2), (7, 17), (8, 121)] {
        assert_eq!(with(at, first_wrong), Err(RoomError::UnknownPolicy), "byte {at}");
        assert!(with(at, first_wrong - 1).is_ok(), "byte {at}");
    }
    assert_eq!(with(7, 1), Err(RoomError::UnknownPolicy), "a room of one");
    assert_eq!(with(8, 9), Err(RoomError::UnknownPolicy), "no time to speak");
    let mut invitation = invitation().to_bytes().to_vec();
    invitation[41..].fill(0);
    assert_eq!(Invitation::from_bytes(&invitation).err(), Some(RoomError::Damaged), "a creator's key of low order");
}

/// Whoever rewrites the policy or the creator is in another room as far as keys go: the handshake ends.
#[test]
fn a_member_with_another_policy_or_creator_cannot_complete_a_handshake() {
    let (ada, ben) = (ada(), ben());
    let secret = RoomSecret::from_seed(seed(7));
    let meet = |theirs: &[u8; 32]| {
        let ours = secret.psk(&policy(), &ada.public());
        let (_, message) = Initiator::start(&Pattern::Room { own: &ben, psk: theirs }, b"", b"", seed(3)).unwrap();
        Responder::open(&Pattern::Room { own: &ada, psk: &ours }, b"", &message, seed(4)).err()
    };
    assert_eq!(meet(&secret.psk(&policy(), &ada.public())), None, "the same policy opens it");
    let others = [
        Policy { scope: Scope::Private, ..policy() },
        Policy { relaying: Relaying::Required, ..policy() },
        Policy { speaking: Speaking::Open, ..policy() },
        Policy { door: Door::Knock, ..policy() },
        Policy { age: Age::Adults, ..policy() },
        Policy { replay: Replay::Never, ..policy() },
        Policy { members: 15, ..policy() },
        Policy { burst_s: 31, ..policy() },
    ];
    for other in others {
        assert_eq!(meet(&secret.psk(&other, &ada.public())), Some(HandshakeError::Refused), "{other:?}");
    }
    assert_eq!(meet(&secret.psk(&policy(), &ben.public())), Some(HandshakeError::Refused), "another creator");
    let other = RoomSecret::from_seed(seed(8));
    assert_eq!(meet(&other.psk(&policy(), &ada.public())), Some(HandshakeError::Refused), "another secret");
    assert_ne!(other.id(), secret.id());
}

/// Who was put out for good keeps the old secret: the room goes on under another one, and stays where it was.
#[test]
fn a_renewed_secret_is_the_same_room_and_opens_nothing_to_who_has_the_old_one() {
    let old = invitation();
    let new = Invitation { secret: old.secret.renewed(&[9; 32]), policy: policy(), creator: ada().public() };
    let again = Invitation { secret: new.secret.renewed(&[10; 32]), policy: policy(), creator: ada().public() };
    assert_eq!([new.secret.id(), again.secret.id()], [old.secret.id(); 2]);
    let psk = |invitation: &Invitation| invitation.secret.psk(&policy(), &ada().public());
    assert!(psk(&old) != psk(&new) && psk(&new) != psk(&again));
    let fresh = RoomSecret::from_bytes(&[9; 32]);
    assert_ne!(fresh.psk(&policy(), &ada().public()), psk(&new), "the same bytes in another room are another key");
    let text = Ticket::Link { host: "meet.example".to_owned(), invitation: new }.text().to_string();
    let Ok(Ticket::Link { invitation: read, .. }) = Ticket::parse(&text) else { unreachable!("it is a link") };
    assert_eq!(read.secret.id(), old.secret.id());
    assert_eq!(psk(&read), read.secret.psk(&policy(), &ada().public()));
    assert_eq!(read.to_bytes().len(), RENEWED_INVITATION_LEN);
    for cut in INVITATION_LEN + 1..RENEWED_INVITATION_LEN {
        assert_eq!(Invitation::from_bytes(&read.to_bytes()[..cut]).err(), Some(RoomError::Damaged), "{cut} bytes");
    }
}
