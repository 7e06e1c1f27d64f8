//! Login against the library's own server.

use opaque_ke::{
    CipherSuite, CredentialFinalization, CredentialRequest, Identifiers as ServerIdentifiers, RegistrationRequest,
    RegistrationUpload, Ristretto255, ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
    ksf::Identity as NoKsf,
};
use sha2_for_opaque::Sha512;
use sidetone_crypto::login::{Cost, Identifiers, Login, LoginError, Registration};

use crate::common::seed;

/// The suite as the module's documentation tells a server's author, with no stretching on the server.
struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = NoKsf;
}

const ADA: Identifiers<'_> = Identifiers { name: b"ada", server: b"meet.example.org" };

struct Server {
    setup: ServerSetup<Suite>,
    rng: opaque_ke::rand::rngs::mock::StepRng,
}

/// A counter in the place of randomness, which a test may have.
struct Counter(opaque_ke::rand::rngs::mock::StepRng);

impl opaque_ke::rand::RngCore for Counter {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), opaque_ke::rand::Error> {
        self.0.try_fill_bytes(dest)
    }
}

impl opaque_ke::rand::CryptoRng for Counter {}

impl Server {
    fn new(start: u64) -> Self {
        let rng = opaque_ke::rand::rngs::mock::StepRng::new(start, 0x9e37_79b9_7f4a_7c15);
        Self { setup: ServerSetup::new(&mut Counter(rng.clone())), rng }
    }

    fn register(&self, request: &[u8], name: &[u8]) -> Vec<u8> {
        let request = RegistrationRequest::deserialize(request).unwrap();
        let started = ServerRegistration::<Suite>::start(&self.setup, request, name).unwrap();
        started.message.serialize().to_vec()
    }

    fn parameters() -> ServerLoginParameters<'static, 'static> {
        let identifiers = ServerIdentifiers { client: Some(ADA.name), server: Some(ADA.server) };
        ServerLoginParameters { context: None, identifiers }
    }

    fn login(&self, file: Option<&[u8]>, request: &[u8], name: &[u8]) -> (ServerLogin<Suite>, Vec<u8>) {
        let file = file.map(|file| ServerRegistration::<Suite>::deserialize(file).unwrap());
        let request = CredentialRequest::deserialize(request).unwrap();
        let mut rng = Counter(self.rng.clone());
        let started = ServerLogin::start(&mut rng, &self.setup, file, request, name, Self::parameters()).unwrap();
        (started.state, started.message.serialize().to_vec())
    }
}

fn registered(server: &Server, password: &[u8], cost: Cost) -> Vec<u8> {
    let (registration, request) = Registration::start(password, seed(1)).unwrap();
    let upload = registration.finish(&server.register(&request, b"ada"), ADA, seed(2), cost).unwrap();
    let upload = RegistrationUpload::<Suite>::deserialize(&upload).unwrap();
    ServerRegistration::finish(upload).serialize().to_vec()
}

#[test]
fn who_registered_logs_in_and_shares_a_key_with_the_server() {
    let server = Server::new(7);
    for cost in [Cost::Least, Cost::Interactive] {
        let file = registered(&server, b"correct horse", cost);
        let (login, request) = Login::start(b"correct horse", seed(3)).unwrap();
        let (state, response) = server.login(Some(&file), &request, b"ada");
        let (last, key) = login.finish(&response, ADA, seed(4), cost).unwrap();
        let last = CredentialFinalization::deserialize(&last).unwrap();
        let finished = state.finish(last, Server::parameters()).unwrap();
        assert_eq!(finished.session_key.as_slice(), key.as_slice());
    }
}

#[test]
fn a_wrong_password_an_unknown_name_and_another_cost_look_the_same() {
    let server = Server::new(7);
    let file = registered(&server, b"correct horse", Cost::Least);
    let try_with = |file: Option<&[u8]>, password: &[u8], ids, cost| {
        let (login, request) = Login::start(password, seed(3)).unwrap();
        let (_, response) = server.login(file, &request, b"ada");
        login.finish(&response, ids, seed(4), cost).err()
    };
    let wrong = Some(LoginError::WrongPassword);
    let dearer = Cost::Interactive;
    let elsewhere = Identifiers { server: b"evil.example.org", ..ADA };
    assert_eq!(try_with(Some(&file), b"battery staple", ADA, Cost::Least), wrong);
    assert_eq!(try_with(None, b"correct horse", ADA, Cost::Least), wrong);
    assert_eq!(try_with(Some(&file), b"correct horse", ADA, dearer), wrong);
    assert_eq!(try_with(Some(&file), b"correct horse", elsewhere, Cost::Least), wrong);
    assert_eq!(try_with(Some(&file), b"correct horse", ADA, Cost::Least), None);
}

#[test]
fn a_server_without_the_registration_learns_and_gives_nothing() {
    let (server, other) = (Server::new(7), Server::new(8));
    let file = registered(&server, b"correct horse", Cost::Least);
    let (login, request) = Login::start(b"correct horse", seed(3)).unwrap();
    let (_, response) = other.login(Some(&file), &request, b"ada");
    assert_eq!(login.finish(&response, ADA, seed(4), Cost::Least).err(), Some(LoginError::WrongPassword));
}

#[test]
fn answers_that_are_none_are_malformed() {
    for len in [0, 1, 63, 64, 320, 1_000] {
        let bytes = vec![0xff; len];
        let (registration, _) = Registration::start(b"p", seed(1)).unwrap();
        let finished = registration.finish(&bytes, ADA, seed(2), Cost::Least);
        assert_eq!(finished.err(), Some(LoginError::Malformed), "{len}");
        let (login, _) = Login::start(b"p", seed(1)).unwrap();
        assert_eq!(login.finish(&bytes, ADA, seed(2), Cost::Least).err(), Some(LoginError::Malformed), "{len}");
    }
}

#[test]
fn a_password_that_cannot_be_used_is_told_at_once() {
    for password in [vec![], vec![b'a'; 65_536]] {
        assert_eq!(Registration::start(&password, seed(1)).err(), Some(LoginError::Unusable));
        assert_eq!(Login::start(&password, seed(1)).err(), Some(LoginError::Unusable));
    }
}

#[test]
fn the_same_seed_gives_the_same_request_and_the_password_is_not_in_it() {
    let start = |n| Login::start(b"correct horse", seed(n)).unwrap().1;
    assert_eq!(start(1), start(1));
    assert_ne!(start(1), start(2));
    assert!(!start(1).windows(7).any(|window| window == b"correct"));
}
