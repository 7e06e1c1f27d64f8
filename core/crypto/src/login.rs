//! Login: OPAQUE (RFC 9807), the client's half. The server never sees a password.
//!
//! The server lives elsewhere and shares no code with this module. To fit, it must use exactly this suite of `opaque-ke`
//! 4.0.1, and pass the same identifiers and no context:
//!
//! | part | choice |
//! |---|---|
//! | `OprfCs` | `opaque_ke::Ristretto255` (ristretto255-SHA512) |
//! | `KeyExchange` | `opaque_ke::TripleDh<Ristretto255, Sha512>` (3DH, HKDF-SHA512, HMAC-SHA512) |
//! | `Ksf` | Argon2id, on the client only: the server's choice of type does not matter |
//! | identifiers | client = [`Identifiers::name`], server = [`Identifiers::server`] |
//! | context | none |
//!
//! Messages are the library's `serialize()` forms. The session key is the 64 bytes of OPAQUE.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, RegistrationResponse, Ristretto255, TripleDh,
    errors::{InternalError, ProtocolError},
    rand::{self, CryptoRng, RngCore},
};
use sha2_for_opaque::Sha512;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::kdf::Draws;

/// What both ends call each other: bound into the envelope at registration and into each login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identifiers<'a> {
    /// The user name, in its one normal form.
    pub name: &'a [u8],
    /// The server's name.
    pub server: &'a [u8],
}

impl<'a> Identifiers<'a> {
    fn opaque(self) -> opaque_ke::Identifiers<'a> {
        opaque_ke::Identifiers { client: Some(self.name), server: Some(self.server) }
    }
}

/// How much work a guess at the password costs. It must be the same at registration and at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// For people: Argon2id with 64 MiB and 3 passes (RFC 9106, second recommended, one lane).
    Interactive,
    /// For simulated worlds only: 8 KiB and one pass. A password under it is as good as known.
    Least,
}

impl Cost {
    #[allow(clippy::expect_used, reason = "the parameters are constants that a test builds")]
    fn argon2(self) -> Argon2<'static> {
        let (memory_kib, passes) = match self {
            Self::Interactive => (64 * 1_024, 3),
            Self::Least => (8, 1),
        };
        let params = Params::new(memory_kib, passes, 1, None).expect("Argon2 allows these");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }
}

/// Why there is no account or no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LoginError {
    /// The password is wrong, the name is unknown, or the server is not the one registered with: they look the same.
    #[error("the name or the password is wrong")]
    WrongPassword,
    /// The server's answer is not one of the protocol.
    #[error("the server's answer is malformed")]
    Malformed,
    /// The password is empty or too long for the protocol (65,535 bytes), or there is no memory for Argon2.
    #[error("the password cannot be used here")]
    Unusable,
}

impl From<ProtocolError> for LoginError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::InvalidLoginError => Self::WrongPassword,
            ProtocolError::LibraryError(InternalError::KsfError) => Self::Unusable,
            _ => Self::Malformed,
        }
    }
}

/// A registration that waits for the server's answer.
pub struct Registration {
    state: Box<ClientRegistration<Suite>>,
    password: Zeroizing<Vec<u8>>,
}

impl Registration {
    /// Begins a registration and gives the request to send.
    ///
    /// # Errors
    ///
    /// [`LoginError::Unusable`] for a password the protocol cannot take.
    pub fn start(password: &[u8], seed: [u8; 32]) -> Result<(Self, Vec<u8>), LoginError> {
        let mut rng = Rng::new(seed, b"sidetone registration start v1");
        let started = ClientRegistration::start(&mut rng, checked(password)?)?;
        let registration = Self { state: Box::new(started.state), password: Zeroizing::new(password.to_vec()) };
        Ok((registration, started.message.serialize().to_vec()))
    }

    /// Takes the server's answer and gives the upload that ends the registration. Takes as long as `cost` says.
    ///
    /// # Errors
    ///
    /// [`LoginError::Malformed`], [`LoginError::Unusable`].
    pub fn finish(
        self,
        response: &[u8],
        identifiers: Identifiers<'_>,
        seed: [u8; 32],
        cost: Cost,
    ) -> Result<Vec<u8>, LoginError> {
        let mut rng = Rng::new(seed, b"sidetone registration finish v1");
        let response = RegistrationResponse::deserialize(response).map_err(|_| LoginError::Malformed)?;
        let ksf = cost.argon2();
        let parameters = ClientRegistrationFinishParameters::new(identifiers.opaque(), Some(&ksf));
        let finished = self.state.finish(&mut rng, &self.password, response, parameters)?;
        Ok(finished.message.serialize().to_vec())
    }
}

/// A login that waits for the server's answer.
pub struct Login {
    state: Box<ClientLogin<Suite>>,
    password: Zeroizing<Vec<u8>>,
}

impl Login {
    /// Begins a login and gives the request to send.
    ///
    /// # Errors
    ///
    /// [`LoginError::Unusable`] for a password the protocol cannot take.
    pub fn start(password: &[u8], seed: [u8; 32]) -> Result<(Self, Vec<u8>), LoginError> {
        let mut rng = Rng::new(seed, b"sidetone login start v1");
        let started = ClientLogin::start(&mut rng, checked(password)?)?;
        let login = Self { state: Box::new(started.state), password: Zeroizing::new(password.to_vec()) };
        Ok((login, started.message.serialize().to_vec()))
    }

    /// Takes the server's answer; gives the last message to send and the session key both ends now share. Takes as
    /// long as `cost` says.
    ///
    /// # Errors
    ///
    /// [`LoginError::WrongPassword`], [`LoginError::Malformed`], [`LoginError::Unusable`].
    pub fn finish(
        self,
        response: &[u8],
        identifiers: Identifiers<'_>,
        seed: [u8; 32],
        cost: Cost,
    ) -> Result<(Vec<u8>, Zeroizing<[u8; 64]>), LoginError> {
        let mut rng = Rng::new(seed, b"sidetone login finish v1");
        let response = CredentialResponse::deserialize(response).map_err(|_| LoginError::Malformed)?;
        let ksf = cost.argon2();
        let parameters = ClientLoginFinishParameters::new(None, identifiers.opaque(), Some(&ksf));
        let finished = self.state.finish(&mut rng, &self.password, response, parameters)?;
        let session_key = Zeroizing::new(finished.session_key.into());
        Ok((finished.message.serialize().to_vec(), session_key))
    }
}

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Argon2<'static>;
}

/// The protocol hashes the length in two bytes; an empty password is a mistake of the app.
fn checked(password: &[u8]) -> Result<&[u8], LoginError> {
    if password.is_empty() || u16::try_from(password.len()).is_err() {
        return Err(LoginError::Unusable);
    }
    Ok(password)
}

/// The seed in the shape `opaque-ke` asks for.
struct Rng(Draws);

impl Rng {
    fn new(seed: [u8; 32], label: &[u8]) -> Self {
        Self(Draws::new(&Zeroizing::new(seed), label))
    }
}

impl CryptoRng for Rng {}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
