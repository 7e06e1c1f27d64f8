//! A friend whose phone does what it likes: it holds the account and the keys, and speaks the protocol by hand.

use sidetone_crypto::handshake::{Channels, Initiator, Pattern};
use sidetone_crypto::identity::{Identity, PublicKey};
use sidetone_engine::row::{AccountRow, FriendRow, OURSELVES, Place, Row, Table};
use sidetone_wire::account::Request;
use sidetone_wire::envelope::{Class, Envelope, Part, Sealed};
use sidetone_wire::frame::{Frame, Numbered};
use sidetone_wire::id::{PairingId, RequestId, UserId};
use sidetone_wire::record::Record;

use crate::world::{PhoneId, World};

/// A phone taken over.
pub struct Puppet {
    phone: PhoneId,
    user: UserId,
    identity: Identity,
    requests: u64,
    session: Option<(PairingId, UserId, Channels)>,
}

impl Puppet {
    /// Takes a registered phone over, with its socket.
    pub fn of(world: &mut World, phone: PhoneId) -> Self {
        let place = Place { table: Table::Account, owner: OURSELVES, position: 0 };
        let account = AccountRow::read(&world.phones[phone].disk()[&place]).expect("an account");
        world.possess(phone);
        let identity = Identity::from_bytes(account.identity.as_bytes());
        Self { phone, user: account.user, identity, requests: 1 << 32, session: None }
    }

    /// Who it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    fn route(&mut self, world: &mut World, to: UserId, class: Class, sealed: &Sealed) {
        self.requests += 1;
        let envelope = Envelope { to, class, bytes: sealed.pad().expect("it fits").into() };
        let request = Numbered { id: RequestId(self.requests), request: Request::Route(envelope) };
        world.upload(self.phone, Frame::Request(request).to_bytes().expect("it fits"));
    }

    /// Agrees on a session with a friend.
    pub fn pair(&mut self, world: &mut World, friend: UserId) {
        let place = Place { table: Table::Friend, owner: friend, position: 0 };
        let row = FriendRow::read(&world.phones[self.phone].disk()[&place]).expect("a friend");
        let peer = PublicKey::from_bytes(row.identity.0).expect("a key");
        let id = PairingId(world.dice.seed()[..16].try_into().expect("16 bytes"));
        let label: &[u8] = b"sidetone friends v1";
        let prologue = [label, id.as_bytes(), self.user.as_bytes(), friend.as_bytes()].concat();
        let at = world.now().wall.0.to_be_bytes();
        let pattern = Pattern::Friends { own: &self.identity, peer };
        let (initiator, hello) = Initiator::start(&pattern, &prologue, &at, world.dice.seed()).expect("a hello");
        let seen = world.tap.delivered.len();
        self.route(world, friend, Class::Ring, &Sealed::Hello(Part { pairing: id, bytes: hello.into() }));
        world.run(1_000);
        let answer = world.tap.delivered[seen..].iter().find_map(|(phone, delivered)| {
            match Sealed::unpad(&delivered.bytes).ok().filter(|_| *phone == self.phone)? {
                Sealed::Answer(part) => Some(part.bytes),
                _ => None,
            }
        });
        let (session, _) = initiator.finish(&answer.expect("an answer")).expect("a session");
        self.session = Some((id, friend, session.channels()));
    }

    /// Says something through the server.
    pub fn say(&mut self, world: &mut World, record: &Record) {
        let now = world.now().time.0;
        let Some((id, friend, channels)) = &mut self.session else { return };
        let bytes = channels.signal.seal(now, &record.to_bytes().expect("it fits")).expect("a record");
        let (part, friend) = (Part { pairing: *id, bytes: bytes.into() }, *friend);
        world.acknowledge(self.phone);
        self.route(world, friend, Class::Control, &Sealed::Record(part));
    }
}
