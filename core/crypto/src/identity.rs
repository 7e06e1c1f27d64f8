//! Who someone is: one X25519 key pair (RFC 7748) per account and device.
//!
//! The key is used as a Noise static and for nothing else. Nothing is ever signed with it, so a conversation proves
//! nothing to a third person.

use std::fmt;

use thiserror::Error;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::kdf;

/// Why 32 bytes are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The point has a small order: every agreement with it gives the same secret, whoever computes it.
    #[error("the public key is a point of low order")]
    LowOrder,
}

/// The secret half of an account on this device. It is erased when dropped and cannot be copied or printed.
pub struct Identity {
    secret: Box<StaticSecret>,
    public: PublicKey,
}

impl Identity {
    /// Makes the identity that belongs to `seed`: the same seed gives the same identity.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self::from_bytes(&kdf::from_seed(&seed, b"identity"))
    }

    /// Restores an identity from what [`Identity::secret`] gave.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        let secret = Box::new(StaticSecret::from(*secret));
        let public = PublicKey(x25519_dalek::PublicKey::from(&*secret).to_bytes());
        Self { secret, public }
    }

    /// The public half, to be given to friends.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The 32 secret bytes, to be sealed at rest and for nothing else.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes())
    }

    pub(crate) fn secret_bytes(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }
}

/// The public half of an [`Identity`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes 32 bytes from outside.
    ///
    /// # Errors
    ///
    /// [`IdentityError::LowOrder`] for a point with which no secret can be agreed (RFC 7748, section 6.1).
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, IdentityError> {
        // A clamped scalar is a multiple of the cofactor, so any scalar at all tells a point of low order.
        let shared = StaticSecret::from([1; 32]).diffie_hellman(&bytes.into());
        if shared.was_contributory() { Ok(Self(bytes)) } else { Err(IdentityError::LowOrder) }
    }

    /// Takes back 32 bytes that [`PublicKey::from_bytes`] accepted before they were kept, without the cost of looking
    /// again. Bytes of low order that come this way fail when a secret is agreed.
    pub fn kept(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes a key with which a secret has just been agreed, so that its order is known to be right.
    pub(crate) fn agreed(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes as they travel.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "PublicKey({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}
